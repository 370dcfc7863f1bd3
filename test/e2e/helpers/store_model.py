"""What messages must make of a store, told a second time from the requirements: an instance is a dict, a link is a name.

Knows what the fault tests send (helpers/feed.py): simple fields, unique values, links in both forms, states, recordIds.
Messages are applied partition by partition; so no verdict may depend on what other partitions hold.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Target = tuple[str, str | None, str]  # BO, unique field or None for the external id, value
LINKS = {"bo", "co"}


class Bad(Exception):
    """The message cannot be applied."""


@dataclass
class Instance:
    bo: str
    external_id: str
    state: str = "ACTUAL"
    fields: dict[str, str] = field(default_factory=dict)
    links: dict[str, set[Target]] = field(default_factory=dict)


@dataclass(frozen=True)
class Letter:
    topic: str
    partition: int
    offset: int
    value: bytes | None


class Model:
    def __init__(self, structure: Mapping[str, Any]) -> None:
        self._fields = {bo["code"]: {f["code"]: f for f in bo["fields"]} for bo in structure["bos"]}
        self.instances: list[Instance] = []
        self.names: dict[tuple[str, str], Instance] = {}
        self.holders: dict[Target, Instance] = {}
        self.seen: set[str] = set()
        self.verdicts: Counter[str] = Counter()
        self.letters: set[Letter] = set()

    def apply(self, topic: str, partition: int, offset: int, value: bytes | None) -> None:
        self.verdicts["received"] += 1
        try:
            message = self._read(value)
        except Bad:
            self.verdicts["failed"] += 1
            self.letters.add(Letter(topic, partition, offset, value))
            return
        record = message.get("recordId")
        if record in self.seen:
            self.verdicts["duplicate"] += 1
            return
        self.verdicts[self._apply(message)[0]] += 1
        if record:
            self.seen.add(record)

    # Reading ---------------------------------------------------------------------------------------------------

    def _read(self, value: bytes | None) -> dict[str, Any]:
        try:
            message = json.loads((value or b"").decode())
        except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
            raise Bad from None
        if not isinstance(message, dict):
            raise Bad
        self._check(message)
        return message

    def _check(self, message: dict[str, Any]) -> None:
        known = self._fields.get(message.get("boCode", ""))
        if known is None:
            raise Bad
        for entry in message.get("fields", []):
            definition = known.get(entry["code"])
            if definition is None or definition["type"] in LINKS or "\0" in entry["apiValue"]:
                raise Bad
            if definition["type"] == "number" and not entry["apiValue"].isdecimal():
                raise Bad
        for entry in message.get("boFields", []):
            if known.get(entry["fieldCode"], {}).get("type") not in LINKS:
                raise Bad
            if "boiInput" in entry:
                self._check(entry["boiInput"])

    # Applying --------------------------------------------------------------------------------------------------

    def _apply(self, message: dict[str, Any]) -> tuple[str, Instance | None]:
        bo, name, state = message["boCode"], message["externalId"], message.get("state")
        fields = {entry["code"]: entry["apiValue"] for entry in message.get("fields", [])}
        links = message.get("boFields", [])
        found = self.names.get((bo, name))
        values = [(bo, code, value) for code, value in fields.items() if self._fields[bo][code].get("unique")]
        if state == "REMOVED":
            if found is None:
                return "skipped", None
            changed, found.state = found.state != state, state
            return "updated" if changed else "unchanged", found
        holder = next((self.holders[value] for value in values if value in self.holders), None)
        instance, verdict, changed = found, "updated", False
        if holder is not None and holder is not found:
            instance, verdict = holder, "merged"
        if instance is None:
            names_no_value = not fields and all("boiInput" not in entry and entry["apiValue"] is None for entry in links)
            if names_no_value and state is None:
                return "skipped", None
            instance, verdict, changed = Instance(bo, name), "inserted", True
            self.instances.append(instance)
        if (bo, name) not in self.names:
            self.names[bo, name] = instance
            changed = True
        if not fields and not links and state is None:
            return "skipped", instance
        if state is not None and state != instance.state:
            instance.state, changed = state, True
        changed |= any(instance.fields.get(code) != value for code, value in fields.items())
        instance.fields |= fields
        self.holders |= dict.fromkeys(values, instance)
        for entry in links:
            changed |= self._link(instance, entry)
        return verdict if changed else "unchanged", instance

    def _link(self, owner: Instance, entry: dict[str, Any]) -> bool:
        links = owner.links.setdefault(entry["fieldCode"], set())
        if "boiInput" in entry:
            inside = entry["boiInput"]
            verdict = self._apply(inside)[0] if "fields" in inside else "unchanged"
            target: Target = (inside["boCode"], None, inside["externalId"])
            changed = verdict != "unchanged" or target not in links
        elif entry["apiValue"] is None:
            changed = bool(links)
            links.clear()
            return changed
        else:
            target = (entry["toBoCode"], entry["toFieldCode"], entry["apiValue"])
            changed = target not in links
        links.add(target)
        return changed

    # What must be there in the end -----------------------------------------------------------------------------

    def _resolve(self, target: Target) -> Instance | None:
        bo, code, value = target
        return self.names.get((bo, value)) if code is None else self.holders.get(target)

    def content(self) -> dict[str, list[tuple[Any, ...]]]:
        links: list[tuple[Any, ...]] = []
        waiting: list[tuple[Any, ...]] = []
        for owner in self.instances:
            for code, targets in owner.links.items():
                for target in targets:
                    found = self._resolve(target)
                    if found is not None:
                        links.append((owner.bo, owner.external_id, code, found.bo, found.external_id))
                    else:
                        waiting.append((owner.external_id, code, *target))
        return {
            "instances": _sorted((i.bo, i.external_id, i.state, tuple(sorted(i.fields.items()))) for i in self.instances),
            "names": _sorted((bo, name, i.external_id) for (bo, name), i in self.names.items()),
            "values": _sorted((*target, i.external_id) for target, i in self.holders.items()),
            "links": _sorted(links),
            "waiting": _sorted(waiting),
            "records": _sorted((record,) for record in self.seen),
        }


def _sorted(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(rows, key=lambda row: tuple("" if value is None else str(value) for value in row))
