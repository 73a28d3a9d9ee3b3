"""Rows of many visitors into one peer's table, and reads of 100 rows, beside what SQLite alone does on the same disk.

    bench/tables.py BENCH_TABLES [--rounds 3] [--visitors 64] [--seconds 5] [--ahead] [--json FILE]

BENCH_TABLES is the program of Benchmarks/Tables: a whole peer and its visitors in one process, over TCP on loopback, each visitor
with a connection of its own, and its next row when the last was acknowledged. The floor: the same rows by Python's sqlite3 into a
file with the same settings, one row a commit (what a server does that does not gather) and 64 rows a commit (what gathering could
give at most if nothing else took time). Rounds interleaved, medians.

--ahead (root): all of it is scheduled before the other work of the machine, so that its waiting for a processor does not count.
"""
import argparse
import json
import os
import pathlib
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

TARGETS = {"full": 3000, "normal": 10_000}


def floor(folder, durability, rows, seconds):
    """Rows a second of plain SQLite with so many rows in each commit."""
    path = pathlib.Path(folder) / f"floor-{durability}-{rows}.db"
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute(f"PRAGMA synchronous={durability}")
        database.execute(
            "CREATE TABLE guests (_id INTEGER PRIMARY KEY AUTOINCREMENT, _owner TEXT, _owner_email TEXT,"
            " _created_at DATETIME DEFAULT CURRENT_TIMESTAMP, _updated_at DATETIME DEFAULT CURRENT_TIMESTAMP, name TEXT, text TEXT)")
        values = ("12D3KooWCTUgc63JM9Ln76dbymp3BtF5XMxTQC4qXaishcq4Dfh7", "", "A visitor",
                  "What a fine site; greetings from the other room.")
        count, begin = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - begin) < seconds:
            database.execute("BEGIN IMMEDIATE")
            for _ in range(rows):
                database.execute("INSERT INTO guests (_owner, _owner_email, name, text) VALUES (?, ?, ?, ?)", values)
            database.execute("COMMIT")
            count += rows
        return count / elapsed
    finally:
        database.close()
        for end in ("", "-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)


def ours(program, folder, durability, visitors, seconds):
    """{figure: value} of one run of the program."""
    text = subprocess.run([program, durability, str(visitors), str(seconds)], cwd=folder, check=True,
                          capture_output=True, text=True).stdout
    figures = {}
    for what, rate, p50, p90, p99 in re.findall(r": (\w+) of .*?: (\d+)/s, p50 ([\d.]+) ms, p90 ([\d.]+) ms, p99 ([\d.]+) ms", text):
        figures |= {f"{what}/s": float(rate), f"{what} p50 ms": float(p50), f"{what} p90 ms": float(p90), f"{what} p99 ms": float(p99)}
    if not {"inserts/s", "query/s"} <= figures.keys():
        raise SystemExit(f"bench: {program} said: {text}")
    return figures


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("program")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--visitors", type=int, default=64)
    options.add_argument("--seconds", type=int, default=5)
    options.add_argument("--ahead", action="store_true")
    options.add_argument("--json")
    options = options.parse_args()
    if options.ahead:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(10))
    program = str(pathlib.Path(options.program).resolve())
    rounds = []
    with tempfile.TemporaryDirectory(prefix="bench-tables-") as folder:
        for _ in range(options.rounds):
            for durability in TARGETS:
                one, many = floor(folder, durability, 1, 1), floor(folder, durability, 64, 1)
                figures = ours(program, folder, durability, options.visitors, options.seconds)
                rounds.append(figures | {"durability": durability, "floor, 1 row/s": one, "floor, 64 rows/s": many})
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    ahead = ", ahead of other work" if options.ahead else ""
    print(f"\ntables{ahead}, medians of {options.rounds} interleaved rounds, load average {load} at the end\n")
    print("| figure | ours | SQLite, 1 row a commit | SQLite, 64 rows a commit | target | |\n| --- | ---: | ---: | ---: | --- | --- |")
    for durability, target in TARGETS.items():
        def median(figure):
            return statistics.median(figures[figure] for figures in rounds if figures["durability"] == durability)

        def row(name, figure, target, met, *floors):
            verdict = {True: "met", False: "missed", None: ""}[met]
            cells = [f"{median(floor):.0f}" for floor in floors] or ["", ""]
            print(f"| {durability.upper()}: {name} | {median(figure):.2f} | {' | '.join(cells)} | {target} | {verdict} |")
        row(f"rows/s of {options.visitors} visitors", "inserts/s", f">= {target}", median("inserts/s") >= target,
            "floor, 1 row/s", "floor, 64 rows/s")
        row("a row, p50 ms", "inserts p50 ms", "", None)
        row("a row, p99 ms", "inserts p99 ms", "<= 20", median("inserts p99 ms") <= 20)
        row("query of 100 rows, p50 ms", "query p50 ms", "<= 1", median("query p50 ms") <= 1)
        row("query of 100 rows, p99 ms", "query p99 ms", "", None)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rounds, indent=1))


if __name__ == "__main__":
    sys.exit(main())
