"""The report of the micro benchmarks, on standard output.

usage: table.py COUNTS ABOUT OLD-REPORT RUN…

COUNTS has lines of "instructions <tab> group: group of the case: its name"; each RUN is what criterion wrote in one
run (CRITERION_HOME). Of OLD-REPORT everything from its heading "## Notes" on is kept.
"""

import json
import pathlib
import statistics
import sys


def read_run(folder):
    """What one run says: by the case's two names, the medians in nanoseconds and what a run gets through."""
    cases = {}
    for path in sorted(pathlib.Path(folder).glob("**/new/benchmark.json")):
        about = json.loads(path.read_text())
        estimates = json.loads(path.with_name("estimates.json").read_text())
        throughput = about.get("throughput") or {}
        cases[about["group_id"], about["function_id"]] = (estimates["median"]["point_estimate"], throughput.get("Bytes"))
    return cases


def shown_time(nanoseconds):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.3g} ns"


def fastest(runs, case):
    return min((run[case][0] for run in runs if case in run), default=None)


def rate(runs, case):
    """Gigabytes a second in the fastest run."""
    took = fastest(runs, case)
    return None if took is None else next(run[case][1] for run in runs if case in run) / took


def ratio(runs, slow, fast):
    """How many times as fast one case is as another, and the extremes over the runs."""
    ratios = [run[slow][0] / run[fast][0] for run in runs if slow in run and fast in run]
    return (statistics.median(ratios), min(ratios), max(ratios)) if ratios else None


def goals(runs):
    clean, dense = "64 KiB of rows, clean", "64 KiB of rows, every third cell a hit"
    million = "1000000 literals"

    def times(work, goal, slow, fast):
        found = ratio(runs, slow, fast)
        if found is None:
            return
        middle, least, most = found
        verdict = "met" if middle >= goal else "missed"
        yield f"| {work} | ≥ {goal:g} × | {middle:.2f} × ({least:.2f} to {most:.2f}) | {verdict} |"

    def at_most(work, goal, case):
        took = fastest(runs, case)
        if took is None:
            return
        yield f"| {work} | ≤ {shown_time(goal)} | {shown_time(took)} | {'met' if took <= goal else 'missed'} |"

    def at_least(work, goal, case):
        reached = rate(runs, case)
        if reached is None:
            return
        yield f"| {work} | ≥ {goal:g} GB/s | {reached:.2f} GB/s | {'met' if reached >= goal else 'missed'} |"

    yield "| work | goal | figure | |"
    yield "|---|---|---|---|"
    yield from times("all detectors, 64 KiB of clean rows, against RegexSet", 8, (clean, "RegexSet"), (clean, "all detectors"))
    copy, scan = (clean, "memcpy, over 64 MiB"), (clean, "all detectors, over 64 MiB")
    yield from times("the same over 64 MiB, against memcpy", 0.4, copy, scan)
    yield from times("all detectors, every third cell a hit, against RegexSet", 4, (dense, "RegexSet"), (dense, "all detectors"))
    yield from at_most("a million literals, compiled (in under 200 MB, which the benchmark asserts)", 10e9, (million, "compile"))
    yield from at_least("a million literals, scanned", 0.3, (million, "scan"))
    yield from at_least("the same without regard to case", 0.3, (million, "scan, without regard to case"))
    yield from at_most("cold judgement, 204 bytes with one join, lineage included", 30e3, ("judge, not cached", "join, with lineage"))
    for case in sorted({case for run in runs for case in run if "verdict" in case[0]}):
        yield from at_most(f"{case[0]}: {case[1]}", 150, case)


def table(runs, counts):
    order = list(counts) + sorted({case for run in runs for case in run} - set(counts))
    yield "| case | fastest run | throughput | instructions |"
    yield "|---|---:|---:|---:|"
    for case in order:
        took, bytes_each = fastest(runs, case), next((run[case][1] for run in runs if case in run), None)
        through = f"{bytes_each / took:.2f} GB/s" if took and bytes_each else ""
        yield f"| {case[0]}: {case[1]} | {shown_time(took) if took else ''} | {through} | {counts.get(case, '')} |"


def main(counts_path, about_path, old_path, *folders):
    counts = {}
    for line in pathlib.Path(counts_path).read_text().splitlines():
        count, name = line.split("\t")
        _, group, case = name.split(": ", 2)
        counts[group, case] = f"{int(count):,}"
    runs = [read_run(folder) for folder in folders]
    old = pathlib.Path(old_path)
    _, heading, notes = (old.read_text() if old.exists() else "").partition("\n## Notes\n")
    print("# Framing, rows, masks, detectors, lists, judgement and audit, by themselves")
    print("\nWritten by `scripts/micro`, which runs every case of `bench/benches/cases` under criterion")
    print(f"(`cargo bench -p bench`, {len(runs)} run(s)) and under callgrind (`scripts/instructions`). A time is the median")
    print("of the fastest run; a ratio is the median of those within a run, with the extremes. Instructions are for")
    print("one run of a case, and repeat to within what hash tables with random keys do; times do not, where the")
    print("machine does other work.\n")
    print(pathlib.Path(about_path).read_text().rstrip())
    print("\n## Goals\n")
    print("\n".join(goals(runs)))
    print("\n## All cases\n")
    print("\n".join(table(runs, counts)))
    if heading:
        print(heading + notes.rstrip("\n"))


main(*sys.argv[1:])
