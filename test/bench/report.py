"""The report: docs/benchmark.md with its pictures, made from the results in build/bench."""

from harness.process import ROOT
from results import Results
from svg import Bar, bars

DOCS = ROOT / "docs"
TITLES = {
    "copy": "plain COPY to nowhere: the table only read",
    "bare": "bare transactional producer, ready-made messages",
    "client": "migrator's Kafka client process alone, ready-made messages",
    "ours-no-copies": "migrator, copies switched off",
    "ours": "migrator, the whole run",
    "statuses": "both statuses of every row by plain UPDATEs, nothing published",
    "kcat": "COPY into kcat, the same messages",
    "kcat-flat": "COPY into kcat, flat rows",
    "debezium": "Debezium 3.0, snapshot",
    "applied-inserted": "migrator, new instances",
    "applied-duplicate": "migrator, recordIds seen before",
    "applied-unchanged": "migrator, nothing new in them",
    "sink": "Debezium 3.1, JDBC sink as it comes, upsert into a plain table",
    "sink-tuned": "the same with a task a processor and batches of 5000",
}
GUARANTEE = {
    "copy": "nothing published",
    "bare": "exactly once, no status",
    "client": "exactly once, no status",
    "ours-no-copies": "exactly once, a status per row",
    "ours": "exactly once, a status per row, a copy of the table",
    "statuses": "nothing published",
    "kcat": "none",
    "kcat-flat": "none",
    "debezium": "at least once, no status",
}
STAGE_GOAL = 0.7
# Goals: how many times as fast, which of ours, beside whom; `publishing` is the stage from the first claim to the last DONE.
GOALS = [
    (2.5, "ours", "seconds", "kcat"),
    (2.5, "ours-no-copies", "seconds", "kcat"),
    (4.5, "ours", "seconds", "debezium"),
    (STAGE_GOAL, "ours", "publishing", "bare"),
    (0.7, "client", "seconds", "bare"),
]


def table(heads: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in [heads, ["---"] * len(heads), *rows]]
    return "\n".join(lines) + "\n"


def spread(values: list[float]) -> str:
    return f"{min(values):.1f} to {max(values):.1f}"


def conditions(results: Results) -> str:
    facts = results.facts
    rounds = "one round" if facts["rounds"] == "1" else f"median of {facts['rounds']} rounds"
    return (
        f"{int(facts['rows']):,} rows, {facts['workers']} workers, {facts['partitions']} partitions, {rounds} after one to warm up; {facts['date']}, "
        f"{facts['machine']}, broker on the same machine; {facts['settings']}, fsync and synchronous_commit on, lz4.\n"
    )


def comparison() -> str:
    results = Results("compare")
    if not results.lines:
        return ""
    rows = int(results.facts["rows"])
    ordered = sorted(results.contenders(), key=results.median)
    picture = [Bar(TITLES[name], results.median(name), f"{results.median(name):.1f} s", name.startswith("ours")) for name in ordered]
    (DOCS / "benchmark.svg").write_text(bars(f"Seconds for {rows:,} rows", picture))
    lines = [
        [TITLES[name], f"{results.median(name):.2f}", spread(results.values(name)), f"{rows / results.median(name):,.0f}", GUARANTEE[name]]
        for name in ordered
    ]
    text = "## Side by side\n\n" + conditions(results)
    text += f"Messages of {results.median('ours', 'message_bytes'):.0f} bytes.\n\n![Seconds by contender](benchmark.svg)\n\n"
    text += table(["what", "seconds", "from to", "rows/s", "guarantee"], lines)
    return text + "\n" + ratios(results) + "\n" + shares(results)


def shares(results: Results) -> str:
    """What a publisher does with its time, and what both statuses cost without anything else: why the stage's goal is where it is."""
    names = {"reading": "reading", "encoding": "encoding", "writing": "both statuses", "waiting": "waiting for Kafka"}
    lines = [[TITLES[name], *(f"{results.median(name, metric):.2f}" for metric in names)] for name in ("ours-no-copies", "ours")]
    bare, statuses = results.median("bare"), results.median("statuses")
    return (
        f"What publishers do, µs a row ({results.facts['workers']} of them at a time):\n\n"
        + table(["run", *names.values()], lines)
        + f"\nThe goal for the publishing stage leaves {bare / STAGE_GOAL:.2f} s for all of it. Both statuses of every row by plain UPDATEs, in as many sessions as there are "
        f"workers and with nothing read or published, take {statuses:.2f} s: {bare / statuses:.2f} of the bare producer's speed.\n"
    )


def ratios(results: Results) -> str:
    rows = []
    for goal, mine, metric, other in GOALS:
        # Of each round, so that what disturbs a whole round disturbs both.
        each = [b / a for a, b in zip(results.values(mine, metric), results.values(other), strict=True)]
        ratio = results.median(other) / results.median(mine, metric)
        what = f"{TITLES[mine]}{', publishing with all status writes' if metric == 'publishing' else ''} to {TITLES[other]}"
        rows.append([what, f"{ratio:.2f}", f"{min(each):.2f} to {max(each):.2f}", f"{goal}", "reached" if ratio >= goal else "not reached"])
    return "How many times as fast migrator is:\n\n" + table(["ratio", "value", "round by round", "goal", ""], rows)


def scale(series: str, title: str, head: str, note: str = "") -> str:
    """Rows per second by a parameter; the rows are the parameter itself in the series of sizes."""
    results = Results(series)
    if not results.lines:
        return ""
    lines = []
    for parameter in results.parameters():
        rows = int(parameter if series == "size" else results.facts["rows"])
        whole, publishing = (results.median("ours", metric, parameter) for metric in ("seconds", "publishing"))
        size = results.median("ours", "message_bytes", parameter)
        lines.append([f"{int(parameter):,}", f"{rows / whole:,.0f}", f"{rows / publishing:,.0f}", f"{1e6 * whole / rows:.2f}", f"{size:.0f}"])
    heads = [head, "rows/s, whole run", "rows/s, publishing", "µs a row, whole run", "bytes a message"]
    return f"## {title}\n\n" + conditions(results) + note + "\n" + table(heads, lines)


# How many times as fast as the JDBC sink: ratio and contender.
SINK_GOALS = [(3, "applied-inserted"), (6, "applied-duplicate"), (6, "applied-unchanged")]


def consumption() -> str:
    results = Results("consume")
    if not results.lines:
        return ""
    rows = int(results.facts["rows"])
    lines = []
    for name in sorted(results.contenders(), key=results.median):
        memory = [f"{results.median(name, f'{kind}_own_mb'):.0f}" if results.values(name, f"{kind}_own_mb") else "" for kind in ("consumer", "client")]
        lines.append([TITLES[name], f"{results.median(name):.2f}", spread(results.values(name)), f"{rows / results.median(name):,.0f}", *memory])
    text = "## Topics into the golden record\n\n" + conditions(results) + "\n"
    text += table(["what", "seconds", "from to", "messages/s", "consumer, MB", "Kafka client, MB"], lines)
    for sink, words in (("sink", "as it comes"), ("sink-tuned", "tuned")):
        ratios = []
        for goal, name in SINK_GOALS:
            each = [theirs / mine for mine, theirs in zip(results.values(name), results.values(sink), strict=True)]
            ratio = results.median(sink) / results.median(name)
            ratios.append([TITLES[name], f"{ratio:.2f}", f"{min(each):.2f} to {max(each):.2f}", f"{goal}", "reached" if ratio >= goal else "not reached"])
        text += f"\nHow many times as fast as the JDBC sink {words}:\n\n" + table(["messages", "value", "round by round", "goal", ""], ratios)
    return text


def metrics(series: str, title: str, head: str, names: dict[str, str]) -> str:
    """Medians of some metrics, a line for each parameter and contender."""
    results = Results(series)
    if not results.lines:
        return ""
    lines = [
        [" ".join(filter(None, [parameter, TITLES[name] if len(results.contenders()) > 1 else ""])),
         *(f"{results.median(name, metric, parameter):,.1f}" for metric in names)]
        for parameter in results.parameters() for name in results.contenders()
    ]
    return f"## {title}\n\n" + conditions(results) + "\n" + table([head, *names.values()], lines)


def write() -> None:
    parts = [
        "# Benchmark\n\nWritten by `make bench`. How it is measured: [test/bench/README.md](../test/bench/README.md); what was done for the speed, and what "
        "stands in the way of more: [performance.md](performance.md).\n",
        comparison(),
        scale("workers", "Workers", "workers"),
        scale("width", "Width of rows", "bytes of values"),
        scale("fields", "Number of fields", "fields"),
        scale("partitions", "Partitions", "partitions"),
        scale("size", "Size of the table", "rows", "The first line is the median of five rounds, the others were not warmed up.\n"),
        metrics("memory", "Peak memory, MB", "rows", {
            "publisher_peak_mb": "publisher", "publisher_own_mb": "its own", "client_peak_mb": "Kafka client", "client_own_mb": "its own",
            "runner_peak_mb": "runner", "runner_own_mb": "its own"}),
        metrics("wal", "WAL", "run", {"wal_bytes_per_row": "bytes of WAL a row"}),
        metrics("bloat", "Ten loads of the same rows", "load", {"table_mb": "table, MB", "indexes_mb": "indexes, MB", "seconds": "seconds of the run"}),
        consumption(),
        metrics("store_size", "Size of the golden record", "instances", {"new": "µs a new instance", "known": "µs a known one, unchanged"}),
        metrics("pgbench", "A concurrent pgbench", "beside", {
            "tps_alone": "tps alone", "tps_beside": "tps beside", "ms_alone": "latency alone, ms", "ms_beside": "latency beside, ms"}),
    ]
    (DOCS / "benchmark.md").write_text("\n".join(part for part in parts if part))
    print("\n" + "\n".join(part for part in parts[1:] if part))
    print(f"Written: {DOCS / 'benchmark.md'}, {DOCS / 'benchmark.svg'}")
