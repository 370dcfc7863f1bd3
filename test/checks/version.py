"""One version, in migrator.control; what repeats it says the same."""

import json
import re

from _report import ROOT, finish


def main() -> None:
    control = (ROOT / "migrator.control").read_text()
    found = re.search(r"^default_version = '([^']+)'$", control, re.MULTILINE)
    assert found, "migrator.control names no default_version"
    version = found[1]
    meta = json.loads((ROOT / "META.json").read_text())
    provided = meta["provides"]["migrator"]
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    said = {
        "META.json, version": meta["version"],
        "META.json, provides.migrator.version": provided["version"],
        "CHANGELOG.md, newest heading": newest[1] if newest else "none",
    }
    faults = [f"{place}: {value} instead of {version}" for place, value in said.items() if value != version]
    faults += [f"META.json names {name}, which is not there" for name in (provided["file"], provided["docfile"]) if not (ROOT / name).exists()]
    finish(faults, "Remedy: migrator.control is right; write its version there.")


if __name__ == "__main__":
    main()
