"""What was seen: a page for people, a file with every time and frame, and one that keeps it from one run to the next."""
import collections
import json
import os
import re

from prunes import LEAVES, REFUSES
from replayed import REPLAYED
from stage import Result, bulk_name

CELLS = ("connect", "identify", "push", "ping", "100 parallel streams of 100 kB", "BULK there and back",
         "half-close: the opener ends first",
         "half-close: the opener ends last", "reset in flight", "abandoned streams", "stalled readers beside live ones",
         "gossip, 100 messages a second", "both dial at once", "restart", "disconnect and return", LEAVES, REFUSES)


def write_table(path, args, results):
    """The page for readers; what was seen in detail goes into a file of its own, `args.times`."""
    results = {result.what: result for result in results}
    lines, notes = table_and_notes(args, results)
    details = os.path.relpath(args.times, os.path.dirname(os.path.abspath(path)))
    with open(path, "w") as file:
        file.write("# Interoperability\n\n"
                   "Our daemon, goop2-p2pd, and implementations of others on one machine: p2pd (go-libp2p 0.32.1), kubo 0.22.0\n"
                   "(go-libp2p 0.29.2) and py-libp2p 0.8.1. `interop/run --table docs/interop.md` has written this page; the\n"
                   "[README of `interop/`](../interop/README.md) says how it tries and of which runs the figures are. In all:\n"
                   f"{summary(results.values())}.\n\n")
        if args.full:
            file.write("At full length: 1 GiB there and back, ten minutes of pings, and ten minutes of gossip where no shorter time is said.\n\n")
        file.write("How to read the table; `a -> b`: a has dialled, and opens the streams; \"it\" is the other side.\n\n"
                   "- `ok`: it worked, by what the two sides say.\n"
                   "- `ok (1)`: it worked. The other side has no way to tell; the frames that our daemon logged show it, see note 1.\n"
                   "- `it cannot (4)`: the other side cannot do what is asked, so this says nothing of ours. The frames, or its own\n"
                   "  count of what it dropped, show that it cannot.\n\n"
                   "The run fails where frames or counts show anything else. What cannot be tried: p2pd and kubo's daemon end both\n"
                   "directions of a stream at the first end, so there is no half-close through them (py-libp2p does it in both orders);\n"
                   "py-libp2p has 32 places for messages to a peer, and drops what comes while they are taken.\n\n")
        file.writelines(lines)
        file.write("\n")
        for number, (note, _) in enumerate(notes, 1):
            file.write(f"{number}. {note} ([frames]({details}#note-{number})).\n")
        file.write(f"\nEvery check, with its time and what was seen: [{details.removeprefix('../')}]({details}).\n")
        file.write("\n## What only newer go does: replayed vectors\n\n")
        file.write("The go programs above have go-yamux 4 and go-libp2p-pubsub 0.9 and 0.10. What go-libp2p 0.48 with go-yamux 5 and\n"
                   "go-libp2p-pubsub 0.16 does and they do not was not seen live here: unit tests replay its bytes, out of the\n"
                   "specifications. This table cannot be written when one of these tests is gone (`interop/replayed.py`).\n\n")
        file.write("| behaviour of newer go | source | test |\n| --- | --- | --- |\n")
        for one in REPLAYED:
            file.write(f"| {one.behaviour} | {one.source} | `{one.file}`: `{one.test}` |\n")
    write_times(args, results, notes)


def table_and_notes(args, results):
    """The lines of the table, and its notes in order: the text of each, and the first result that it was said of."""
    columns = [(title, security) for peer in ("p2pd", "kubo", "py") for title in (f"ours -> {peer}", f"{peer} -> ours")
               for security in ("noise", "tls")]
    lines = ["| | " + " | ".join(f"{title}, {security}" for title, security in columns) + " |\n",
             "| --- |" + " --- |" * len(columns) + "\n"]
    notes = {}  # by its text, a note's number and its result
    for cell in CELLS:
        cell = cell.replace("BULK", bulk_name(args))
        row = []
        for title, security in columns:
            what = f"{title}, {security}: {cell}"
            result = results.get(what, Result(what, "", None, 0))
            text = result.result
            # Of a run that was not at full length; it may be the later one.
            if args.full and cell.startswith("gossip") and text == "ok" and result.seconds < 600:
                text = f"ok, {result.seconds:.0f} s"
            if result.excerpt:
                note = re.sub(r"\d+ of (\d+)", r"only part of \1", result.note)  # the same for every security protocol
                number, _ = notes.setdefault(note, (len(notes) + 1, result))
                text = f"ok ({number})" if text == "ok" else f"it cannot ({number})"
            row.append(text)
        lines.append(f"| {cell} | " + " | ".join(row) + " |\n")
    return lines, [(note, result) for note, (_, result) in notes.items()]


def write_times(args, results, notes):
    """What crossed the wire for each note, and every check with its time."""
    with open(args.times, "w") as file:
        file.write("# The last runs, in detail\n\n"
                   "Written by `interop/run --table docs/interop.md`, together with [that page](../docs/interop.md), which says what was tried.\n\n"
                   "## What crossed the wire\n\n"
                   "One capture for each note: what the frame log of our daemon (`goop2-p2pd -frameLog`) has of it, or what the other\n"
                   "side counted. Times are of that log; `in` is what came to us.\n")
        for number, (note, result) in enumerate(notes, 1):
            file.write(f"\n### Note {number}\n\n{result.what}: {note}.\n\n```text\n")
            file.write("".join(f"{line}\n" for line in result.excerpt) + "```\n")
        file.write("\n## Every check\n\nRates are of both ends and their Python drivers together: a floor, not a benchmark."
                   + (" `ours` was a debug build here." if "debug" in args.ours else "") + "\n\n")
        file.write("| check | result | seconds | seen |\n| --- | --- | --- | --- |\n")
        for result in results.values():
            note = (result.note or "").replace("|", "/").replace("\n", "; ")
            file.write(f"| {result.what} | {result.result} | {result.seconds:.1f} | {note} |\n")


def remembered(path, results):
    """Of all runs that kept their results in the same file, the latest of each check."""
    seen = {}
    if os.path.exists(path):
        with open(path) as file:
            seen = {fields[0]: Result(*fields) for fields in json.load(file)}
    seen.update((result.what, result) for result in results)
    with open(path + ".new", "w") as file:
        json.dump(list(seen.values()), file, indent=0)
    os.replace(path + ".new", path)
    return list(seen.values())


def summary(results):
    counts = collections.Counter(result.result for result in results)
    return (f"{counts['ok']} passed, {counts['FAIL']} failed, {counts['n/a']} that the other side cannot do, "
            "which a capture or its own count shows")
