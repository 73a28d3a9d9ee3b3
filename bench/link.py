"""One stream over a long link: plain TCP, and our daemons over Noise and TLS, on the same shaped link; Mbit/s after the first 5 s.

    python bench/link.py [--rounds 3] [--loss 0,0.5] [--delay 30] [--mbit 400] [--seconds 8]
"""
import argparse
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from daemons import ROOT, Running
from rig import Link

PORT = 4001
WARM_UP = 5


def counted(connection, seconds):
    """Mbit/s of what arrives between WARM_UP and WARM_UP + seconds after the first byte."""
    buffer, counts, begin = bytearray(1 << 20), [], None
    while True:
        size = connection.recv_into(buffer)
        now = time.perf_counter()
        begin = begin or now
        if not size or now - begin > WARM_UP + seconds:
            return sum(counts) * 8 / seconds / 1e6
        if now - begin > WARM_UP:
            counts.append(size)


def pour(connection, seconds):
    chunk, end = bytes(64 * 1024), time.perf_counter() + seconds
    try:
        while time.perf_counter() < end:
            connection.sendall(chunk)
    except OSError:
        pass  # the receiver has counted enough


def plain(role, address, seconds):
    """One end of plain TCP, run inside a namespace."""
    if role == "receive":
        with socket.create_server((address, PORT)) as listener:
            print("ready", flush=True)
            print(counted(listener.accept()[0], seconds), flush=True)
    else:
        with socket.create_connection((address, PORT)) as connection:
            pour(connection, seconds + WARM_UP + 1)


def measure_plain(link, seconds):
    def end(name, role):
        return subprocess.Popen(link.inside(name, sys.executable, __file__, "--plain", role, link.ip[link.b], str(seconds)),
                                stdout=subprocess.PIPE, text=True)
    receiver = end(link.b, "receive")
    receiver.stdout.readline()
    sender = end(link.a, "send")
    result = float(receiver.stdout.readline())
    for process in (receiver, sender):
        process.wait(20)
    return result


def measure_daemons(link, binary, security, seconds, folder):
    def daemon(name):
        return Running(binary, security, folder, prefix=link.inside(name), host=link.ip[name])
    server, client = daemon(link.b), daemon(link.a)
    try:
        results = []
        done = threading.Event()

        def sink(connection):
            results.append(counted(connection, seconds))
            done.set()
        held = server.daemon.handle("/bench/pour", sink)
        with client.daemon.dial() as control, held:
            client.daemon.connect(control, server.peer, server.addresses)
            with client.daemon.open_stream(server.peer, "/bench/pour") as stream:
                pouring = threading.Thread(target=pour, args=(stream, seconds + WARM_UP + 1), daemon=True)
                pouring.start()
                done.wait(seconds + WARM_UP + 20)
                stream.shutdown(socket.SHUT_RDWR)
                pouring.join(10)
        return results[0]
    finally:
        client.stop()
        server.stop()


def main():
    if len(sys.argv) > 1 and sys.argv[1] == "--plain":
        return plain(sys.argv[2], sys.argv[3], float(sys.argv[4]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loss", default="0,0.5", help="percent, a list")
    parser.add_argument("--delay", type=float, default=30, help="ms one way")
    parser.add_argument("--mbit", type=float, default=400)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--ours", default=str(ROOT / "goop2-p2pd"))
    parser.add_argument("--rival", help="p2pd, measured beside ours")
    parser.add_argument("--shaper", default=str(ROOT / ".build/release/link-shaper"))
    args = parser.parse_args()
    kinds = ["plain", "noise", "tls"] + (["p2pd noise", "p2pd tls"] if args.rival else [])
    print(f"{2 * args.delay:.0f} ms round trip, {args.mbit:.0f} Mbit/s, medians of {args.rounds} interleaved rounds, Mbit/s after {WARM_UP} s\n")
    print("| loss | " + " | ".join(["plain TCP" if k == "plain" else k for k in kinds]) + " | noise / plain | tls / plain |")
    print("| --- |" + " ---: |" * (len(kinds) + 2))
    with tempfile.TemporaryDirectory() as folder:
        for loss in args.loss.split(","):
            rounds = {kind: [] for kind in kinds}
            for number in range(args.rounds):
                for kind in kinds:
                    print(f"loss {loss} round {number + 1}/{args.rounds} {kind} ...", file=sys.stderr, flush=True)
                    with Link(args.shaper, args.delay, loss, args.mbit) as link:
                        if kind == "plain":
                            rounds[kind].append(measure_plain(link, args.seconds))
                        else:
                            binary = args.rival if kind.startswith("p2pd") else args.ours
                            rounds[kind].append(measure_daemons(link, binary, kind.split()[-1], args.seconds, folder))
                    print(f"  {rounds[kind][-1]:.0f} Mbit/s; {link.report.splitlines()}", file=sys.stderr, flush=True)
            medians = {kind: statistics.median(values) for kind, values in rounds.items()}
            cells = [f"{loss} %"] + [f"{value:.0f}" for value in medians.values()]
            cells += [f"{medians[kind] / medians['plain']:.2f}" for kind in ("noise", "tls")]
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
