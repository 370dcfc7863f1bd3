"""Builds for users know nothing of failpoints and mutations, and the tests know each of them."""

import re
import sys

from _report import ROOT, finish, sources

sys.path[:0] = [str(ROOT / "test"), str(ROOT / "test/e2e"), str(ROOT / "test/mutations")]

from helpers.failpoints import CLIENT, WAITING, WORKER  # noqa: E402
from mutations import MUTATIONS  # noqa: E402

USE = re.compile(r'MIGRATOR_(FAILPOINT|MUTATION)\("(\w+)"\)')


def main() -> None:
    used: dict[str, set[str]] = {"FAILPOINT": set(), "MUTATION": set()}
    for file in sources(".cpp"):
        for kind, name in USE.findall(file.read_text()):
            used[kind].add(name)
    faults = []
    for what, known in (("FAILPOINT", {*WORKER, *CLIENT, *WAITING}), ("MUTATION", {mutation.name for mutation in MUTATIONS})):
        faults += [f"{name}: in the sources, but in no list of the tests" for name in sorted(used[what] - known)]
        faults += [f"{name}: in a list of the tests, but not in the sources" for name in sorted(known - used[what])]
    for program in ("migrator.so", "build/migrator_kafka"):
        content = (ROOT / program).read_bytes()
        traces = [name for name in ("migrator_faults", *sorted(used["FAILPOINT"] | used["MUTATION"])) if name.encode() in content]
        faults += [f"{program} contains {name}" for name in traces]
    finish(
        faults,
        "Remedy: names by MIGRATOR_FAILPOINT and MIGRATOR_MUTATION alone; lists: test/e2e/helpers/failpoints.py, test/mutations/mutations.py.",
    )


if __name__ == "__main__":
    main()
