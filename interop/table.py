"""What was seen, as a table for people and as a file that keeps it from one run to the next."""
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
    results = {result.what: result for result in results}
    columns = [(title, security) for peer in ("p2pd", "kubo", "py") for title in (f"ours -> {peer}", f"{peer} -> ours")
               for security in ("noise", "tls")]
    notes = {}  # by its text, a note's number and its excerpt
    with open(path, "w") as file:
        file.write("# Interoperability, as last run\n\n")
        file.write("Written by `interop/run --table docs/interop.md`. One machine, loopback; `ours` is goop2-p2pd, the peers are p2pd\n"
                   "(go-libp2p 0.32.1), kubo 0.22.0 (go-libp2p 0.29.2) and py-libp2p 0.8.1, see `interop/README.md`. `a -> b`: a has\n"
                   "dialled, and opens the streams. A number is a note below. Beside `ok`: the other side has no way to tell, and what\n"
                   "crossed the wire shows it; alone: the other side cannot, and what crossed the wire shows that. It is seen by the\n"
                   "frame log of our daemon (`goop2-p2pd -frameLog`): the run fails where the frames show anything else. Of gossip\n"
                   "it is what the other side itself says that it dropped: the run fails unless that and what arrived come to all.\n\n")
        if args.full:
            file.write("At full length: 1 GiB there and back, ten minutes of pings, and ten minutes of gossip where no shorter time is said.\n\n")
        file.write("| | " + " | ".join(f"{title}, {security}" for title, security in columns) + " |\n")
        file.write("| --- |" + " --- |" * len(columns) + "\n")
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
                    text = f"ok ({number})" if text == "ok" else f"({number})"
                row.append(text)
            file.write(f"| {cell} | " + " | ".join(row) + " |\n")
        file.write("\n")
        for note, (number, result) in notes.items():
            file.write(f"{number}. {note}. Here {result.what}:\n\n   ```text\n")
            file.write("".join(f"   {line}\n" for line in result.excerpt) + "   ```\n")
        file.write("\n## What only newer go does: replayed vectors\n\n")
        file.write("The go programs above have go-yamux 4 and go-libp2p-pubsub 0.9 and 0.10. What go-libp2p 0.48 with go-yamux 5 and\n"
                   "go-libp2p-pubsub 0.16 does and they do not was not seen live here: unit tests replay its bytes, out of the\n"
                   "specifications. This table cannot be written when one of these tests is gone (`interop/replayed.py`).\n\n")
        file.write("| behaviour of newer go | source | test |\n| --- | --- | --- |\n")
        for one in REPLAYED:
            file.write(f"| {one.behaviour} | {one.source} | `{one.file}`: `{one.test}` |\n")
        file.write("\n## Everything, with times\n\nRates are of both ends and their Python drivers together: a floor, not a benchmark."
                   + (" `ours` was a debug build here." if "debug" in args.ours else "") + "\n\n")
        file.write("| check | result | seconds | seen |\n| --- | --- | --- | --- |\n")
        for result in results.values():
            note = (result.note or "").replace("|", "/").replace("\n", "; ")
            file.write(f"| {result.what} | {result.result} | {result.seconds:.1f} | {note} |\n")
        file.write("\n" + summary(results.values()) + "\n")


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
