"""migrator's way back: a topic is applied to the golden record."""

import time

from inbound import Inbound

from . import Metrics

TITLES = {"inserted": "new instances", "duplicate": "recordIds seen before", "unchanged": "nothing new in them"}


class Applied:
    def __init__(self, inbound: Inbound, outcome: str) -> None:
        self.inbound = inbound
        self.outcome = outcome
        self.name = f"applied-{outcome}"
        self.title = f"migrator, {TITLES[outcome]}"

    def run(self) -> Metrics:
        """From the call to its end, the start of the workers included."""
        inbound = self.inbound
        topic = inbound.topic
        if self.outcome == "inserted":
            inbound.empty_store()
        elif not inbound.held:
            Applied(inbound, "inserted").run()
        if self.outcome == "unchanged":
            inbound.database.execute("truncate migrator.seen_record")
        inbound.database.execute("vacuum analyze")
        inbound.subscribe(topic)
        start = time.monotonic()
        inbound.database.execute("call migrator.consume('bench')")
        seconds = time.monotonic() - start
        inbound.held = True
        found = inbound.applied()
        assert found[self.outcome] == inbound.load.rows == sum(found.values()), found
        return {"seconds": seconds}
