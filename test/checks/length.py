"""A file that nobody can keep in mind holds more than one subject."""

from _report import ROOT, finish, sources

LIMIT = 600


def main() -> None:
    files = sources(".cpp", ".hpp", ".sql")
    files += [p for folder in ("test", "demo", "scripts") for p in (ROOT / folder).rglob("*") if p.suffix in (".cpp", ".py", ".sh")]
    lengths = {file: len(file.read_text().splitlines()) for file in files}
    faults = [f"{file.relative_to(ROOT)}: {n} lines" for file, n in lengths.items() if n >= LIMIT]
    finish(faults, f"Remedy: under {LIMIT} lines; find the two subjects in the file and split it.")


if __name__ == "__main__":
    main()
