"""Includes follow the table of rooms in docs/architecture.md; each foreign library has one room."""

import os
import re
import subprocess

from _report import ROOT, finish, sources

INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]', re.MULTILINE)
ROW = re.compile(r"^\| `src/(\w+)` \|.*\| ([\w, ]*)\|$", re.MULTILINE)


def read_rooms() -> dict[str, set[str]]:
    """For each room the rooms that it may include, itself among them."""
    direct = {
        room: {name.strip() for name in known.split(",")} - {"", "nobody"}
        for room, known in ROW.findall((ROOT / "docs/architecture.md").read_text())
    }

    def reach(room: str) -> set[str]:
        return {room}.union(*(reach(known) for known in direct[room]))

    return {room: reach(room) for room in direct}


def main() -> None:
    rooms = read_rooms()
    done = subprocess.run([os.environ.get("PG_CONFIG", "pg_config"), "--includedir-server"], check=True, capture_output=True, text=True)
    server_headers = done.stdout.strip()
    source_root = ROOT / "src"
    faults = [
        f"src/{folder.name} is not in the table of docs/architecture.md"
        for folder in sorted(source_root.iterdir())
        if folder.is_dir() and any(folder.iterdir()) and folder.name not in rooms
    ]
    for file in sources(".cpp", ".hpp"):
        room = file.parent.name
        for header in INCLUDE.findall(file.read_text()):
            fault = ""
            if (source_root / header).is_file():
                target = header.split("/")[0]
                if file.parent != source_root and target not in rooms.get(room, set()):
                    fault = f"{room} does not know {target}"
            elif header.startswith("librdkafka/") and room != "kafka":
                fault = "only src/kafka includes librdkafka"
            elif room != "pg" and (ROOT.joinpath(server_headers, header)).is_file():
                fault = "only src/pg includes PostgreSQL's headers"
            if fault:
                faults.append(f'{file.relative_to(ROOT)} includes "{header}": {fault}')
    finish(faults, "Remedy: move what two rooms share down to one that both know (docs/architecture.md).")


if __name__ == "__main__":
    main()
