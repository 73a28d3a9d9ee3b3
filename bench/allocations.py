"""Allocations and copies of our daemon for each 64 KiB write that passes through one stream, counted by callgrind.

    python bench/allocations.py [--ours ./goop2-p2pd] [--mib 64] [--security noise,tls]

Two daemons, each under callgrind in turn (`sender`, `receiver`), the other one free. Counting begins after a warm-up of 16 MiB. For
each write: calls of malloc and its kin, calls of them by who called, calls of memcpy that come from our code, and the daemon's
instructions. Needs valgrind.
"""
import argparse
import collections
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from control import receive_exactly
from daemons import CHUNK, ROOT, Running, sink

WARM_UP = 16 << 20
ALLOCATORS = re.compile(r"^(malloc|calloc|realloc|posix_memalign|aligned_alloc|memalign|swift_slowAlloc)$")


def control(process, *words):
    subprocess.run(["callgrind_control", *words, str(process.pid)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def send(stream, count):
    chunk = bytes(CHUNK)
    for _ in range(count // CHUNK):
        stream.sendall(chunk)


def measure(binary, security, watched, mib, folder):
    out = pathlib.Path(folder) / f"{security}-{watched}"
    # valgrind gives up on debug information newer than itself; the names are in the symbol table.
    plain_binary = str(pathlib.Path(folder) / "daemon")
    subprocess.run(["objcopy", "--strip-debug", binary, plain_binary], check=True)
    binary = plain_binary
    prefix = ("valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--separate-threads=no")
    server = Running(binary, security, folder, prefix if watched == "receiver" else ())
    client = Running(binary, security, folder, prefix if watched == "sender" else ())
    process = (server if watched == "receiver" else client).process
    try:
        held = server.daemon.handle("/bench/sink", sink)
        with client.daemon.dial() as connection:
            client.daemon.connect(connection, server.peer, server.addresses)
            stream = client.daemon.open_stream(server.peer, "/bench/sink")
            stream.sendall((WARM_UP + (mib << 20) + 8).to_bytes(8, "big"))
            send(stream, WARM_UP)
            time.sleep(3)  # what is under way arrives, so that it is not counted
            control(process, "-z")
            send(stream, mib << 20)
            time.sleep(3)
            control(process, "-d")
            stream.sendall(bytes(8))
            receive_exactly(stream, 1)
        held.close()
    finally:
        client.stop()
        server.stop()
    return pathlib.Path(f"{out}.1")


def calls(path):
    """{(caller, callee): calls} and the instructions in all."""
    names, counted, function, callee, instructions = {}, collections.Counter(), None, None, 0

    def name(text):
        number, _, rest = text.partition(" ")
        if rest:
            names[number] = rest
        return names[number]
    for line in path.open(errors="replace"):
        if line.startswith("fn="):
            function = name(line[3:].strip())
        elif line.startswith("cfn="):
            callee = name(line[4:].strip())
        elif line.startswith("calls="):
            counted[function, callee] += int(line[6:].split()[0])
        elif line.startswith("summary:") or line.startswith("totals:"):
            instructions = int(line.split()[1])
    return counted, instructions


def plain(name):
    """A symbol without its arguments."""
    shown = subprocess.run(["swift", "demangle", "--simplified", "--compact", name], capture_output=True, text=True).stdout.strip() \
        if name.startswith("$s") and shutil.which("swift") else name
    return shown.split("(")[0][:90]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", default=str(ROOT / "goop2-p2pd"))
    parser.add_argument("--mib", type=int, default=64)
    parser.add_argument("--security", default="noise,tls")
    args = parser.parse_args()
    if not shutil.which("valgrind"):
        sys.exit("bench: no valgrind here")
    writes = args.mib * 16
    with tempfile.TemporaryDirectory() as folder:
        for security in args.security.split(","):
            for watched in ("sender", "receiver"):
                counted, instructions = calls(measure(args.ours, security, watched, args.mib, folder))
                # swift_slowAlloc calls malloc itself: only who is at the bottom counts.
                allocations = collections.Counter()
                for (caller, callee), count in counted.items():
                    if ALLOCATORS.match(callee.split("@")[0]) and callee != "swift_slowAlloc":
                        allocations[caller] += count
                copies = sum(count for (caller, callee), count in counted.items()
                             if re.match(r"_*mem(cpy|move)", callee) and not re.match(r"_*mem", caller))
                print(f"{security} {watched}: {sum(allocations.values()) / writes:.2f} allocations, {copies / writes:.1f} calls of memcpy, "
                      f"{instructions / writes / 1000:.0f} thousand instructions for each 64 KiB write")
                for caller, count in allocations.most_common(6):
                    print(f"    {count / writes:.2f} by {plain(caller)}")


if __name__ == "__main__":
    main()
