#!/usr/bin/env python3
"""Our daemon against the libp2p implementations of others, on loopback.

    suite.py [--peers DIR] [--ours PROGRAM] [--only WORD] [--but WORD] [--jobs N] [--table FILE [--times FILE]]
             [--results FILE] [--keep-logs DIR]

Needs the peers that install.sh puts into DIR (default: .peers beside this file) and a built goop2-p2pd (default: the one in
the repository's folder). Prints one line a check, `ok` or `FAIL`, and in the end `N passed, N failed`; exits 0 only if none
failed. --only runs the groups whose name contains WORD (--but leaves those out), --jobs N of them beside each other: worth it
with --full, which mostly waits. --table writes the results as a Markdown page, and beside it every check with its time
and what crossed the wire (--times, by default last-run.md here); with --results they tell of several runs: what this one saw
replaces what FILE had of the same checks. The groups called "prune" wait for back-offs, and so run beside the
others in any case.
"""
import argparse
import collections
import concurrent.futures
import os
import shutil
import signal
import sys
import tempfile

from kubo import captured_kubo, dial_kubo
from meetings import comings_and_goings, gossip, gossip_rate
from own import hardship, ours_alone
from prunes import prune_and_return
from replayed import missing_tests
from stage import HERE, MEGABYTES_64, Suite
from streams import captured_daemon, dial_daemon, dial_python, push, round_trips
from table import remembered, summary, write_table


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=os.path.join(HERE, ".peers"))
    parser.add_argument("--ours", default=os.path.join(HERE, "..", "goop2-p2pd"))
    parser.add_argument("--security", default="noise,tls", help="the security protocols to try")
    parser.add_argument("--only", default="")
    parser.add_argument("--but")
    parser.add_argument("--jobs", type=int, default=1, help="groups run beside each other")
    parser.add_argument("--table", metavar="FILE", help="the page to write")
    parser.add_argument("--times", metavar="FILE", default=os.path.join(HERE, "last-run.md"), help="with --table: where the details go")
    parser.add_argument("--results", metavar="FILE", help="JSON: keeps what was seen from one run to the next")
    parser.add_argument("--keep-logs")
    parser.add_argument("--full", action="store_true", help="1 GiB each way, ten minutes of pings and of gossip: hours, fewer with --jobs")
    args = parser.parse_args()
    args.bulk = 16 * MEGABYTES_64 if args.full else MEGABYTES_64
    args.pings, args.pause = (600, 1) if args.full else (10, 0)
    args.gossip_seconds = 600 if args.full else 3
    args.peers, args.ours = os.path.abspath(args.peers), os.path.abspath(args.ours)
    args.captures = os.path.basename(args.ours) != "p2pd"  # in our place it has none to show
    for needed, hint in ((args.ours, "make p2pd"), (os.path.join(args.peers, "bin", "p2pd"), "interop/install.sh DIR")):
        if not os.access(needed, os.X_OK):
            sys.exit(f"interop: no {needed}: {hint}")

    if gone := missing_tests():
        sys.exit("interop: tests that replayed.py names are not in the tree: " + ", ".join(gone))

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    logs = args.keep_logs or tempfile.mkdtemp(prefix="interop-")
    suites = [Suite(args, name, body, logs) for name, body in groups(args)
              if args.only in name and not (args.but and args.but in name)]
    pool, beside = concurrent.futures.ThreadPoolExecutor(args.jobs), concurrent.futures.ThreadPoolExecutor(1)
    try:
        for ran in [(beside if suite.name.endswith(" prune") else pool).submit(suite.run) for suite in suites]:
            ran.result()
    finally:
        Suite.over.set()
        for one in (pool, beside):
            one.shutdown(wait=False, cancel_futures=True)
        for suite in suites:
            suite.stop_all()
        if not args.keep_logs:
            shutil.rmtree(logs, ignore_errors=True)
    results = [result for suite in suites for result in suite.results]
    print(summary(results))
    seen = remembered(args.results, results) if args.results else results
    if args.table:
        write_table(args.table, args, seen)
    counts = collections.Counter(result.result for result in results)
    sys.exit(1 if counts["FAIL"] or not counts["ok"] else 0)


def groups(args):
    """The groups of checks: a name, and what does them with a suite."""
    yield "ours", ours_alone
    for security in args.security.split(","):
        yield f"p2pd {security}", lambda suite, s=security: dial_daemon(suite, s)
        if args.captures:
            yield f"p2pd {security} captures", lambda suite, s=security: captured_daemon(suite, s)
            yield f"kubo {security} captures", lambda suite, s=security: captured_kubo(suite, s)
        yield f"py {security}", lambda suite, s=security: dial_python(suite, s)
        yield f"kubo {security}", lambda suite, s=security: dial_kubo(suite, s)
        for name in ("p2pd", "kubo", "py"):
            if name != "py":  # it announces no other address than its own, so there is a shorter way than the slow link
                yield f"{name} {security} round trips", lambda suite, n=name, s=security: round_trips(suite, n, s)
            yield f"{name} {security} comings", lambda suite, n=name, s=security: comings_and_goings(suite, n, s)
            for we_dial in (True, False):
                title = f"{name} {security} gossip" + (", we dial" if we_dial else ", they dial")
                yield title, lambda suite, n=name, s=security, w=we_dial: gossip_rate(suite, n, s, w)
        yield f"push {security}", lambda suite, s=security: push(suite, s)
    if args.captures:
        for name in ("p2pd", "kubo", "py"):
            yield f"{name} prune", lambda suite, n=name: prune_and_return(suite, n)
    yield "hardship", hardship
    yield "gossip", gossip


if __name__ == "__main__":
    main()
