"""The echo and open rows of daemons.py once more, driven by a program that costs little itself (`link-shaper drive`): through our
daemons, through p2pd, and through two bare relays, rounds interleaved, the same for all.

    python bench/lean.py [--ours ./goop2-p2pd] [--rival DIR/bin/p2pd] [--shaper .build/release/link-shaper] [--rounds 5]

Prints medians, and what is left of them above the relays': a daemon's own share.
"""
import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile

from control import STREAM_HANDLER, STREAM_OPEN, base58_bytes, field, multiaddr_bytes, varint
from daemons import ROOT, Running
from floor import start

PROTOCOL = "/bench/lean"


def drive(shaper, front, back, request=b"", prepare=lambda: None):
    """(echo us, open + 1 byte us)"""
    process = subprocess.Popen([shaper, "drive", front, f"unix:{back}", request.hex()], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True)
    try:
        if process.stdout.readline().strip() != "ready":
            raise SystemExit(f"bench: {shaper} drive does not start")
        held = prepare()
        answer = process.communicate("go\n", timeout=120)[0].split()
        if process.returncode or len(answer) != 2:
            raise SystemExit(f"bench: {shaper} drive ended with {process.returncode}")
        if held:
            held.close()
        return float(answer[0]), float(answer[1])
    finally:
        process.kill()


def through_daemons(binary, security, shaper, folder):
    server, client = Running(binary, security, folder), Running(binary, security, folder)
    back = os.path.join(folder, "back")
    try:
        with client.daemon.dial() as control:
            client.daemon.connect(control, server.peer, server.addresses)

        def register():
            control = server.daemon.dial()
            server.daemon.request(control, STREAM_HANDLER, 4, field(1, multiaddr_bytes("/unix" + back)) + field(2, PROTOCOL) + field(3, 0))
            # Once opened, what the peer speaks is known to both daemons.
            with client.daemon.open_stream(server.peer, PROTOCOL) as stream:
                stream.sendall(b"1")
                stream.recv(1)
            return control
        message = field(1, STREAM_OPEN) + field(3, field(1, base58_bytes(server.peer)) + field(2, PROTOCOL))
        return drive(shaper, f"unix:{client.daemon.path}", back, varint(len(message)) + message, register)
    finally:
        client.stop()
        server.stop()


def through_relays(shaper, folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    front, back = os.path.join(folder, "front"), os.path.join(folder, "back")
    relays = [start(shaper, f"tcp:{port}", f"unix:{back}"), start(shaper, f"unix:{front}", f"tcp:{port}")]
    try:
        return drive(shaper, f"unix:{front}", back)
    finally:
        for relay in relays:
            relay.stdin.close()
            relay.wait(5)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", default=str(ROOT / "goop2-p2pd"))
    parser.add_argument("--rival", default=str(ROOT / "interop/.peers/bin/p2pd"))
    parser.add_argument("--shaper", default=str(ROOT / ".build/release/link-shaper"))
    parser.add_argument("--security", default="noise,tls")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for security in args.security.split(","):
            rounds = {"ours": [], "p2pd": [], "relays": []}
            for number in range(args.rounds):
                print(f"{security} round {number + 1}/{args.rounds} ...", file=sys.stderr, flush=True)
                rounds["ours"].append(through_daemons(args.ours, security, args.shaper, folder))
                rounds["p2pd"].append(through_daemons(args.rival, security, args.shaper, folder))
                rounds["relays"].append(through_relays(args.shaper, folder))
            print(f"\n{security}, lean driver, medians of {args.rounds} interleaved rounds, us\n")
            print("| figure | ours | p2pd | ratio | relays | ours above them | p2pd above them | ratio |")
            print("| --- |" + " ---: |" * 7)
            for index, figure in enumerate(("32-byte echo p50", "open + 1 byte p50")):
                ours, p2pd, floor = (statistics.median(r[index] for r in rounds[name]) for name in ("ours", "p2pd", "relays"))
                print(f"| {figure} | {ours:.0f} | {p2pd:.0f} | {ours / p2pd:.2f} | {floor:.0f} | {ours - floor:.0f} | {p2pd - floor:.0f} | "
                      f"{(ours - floor) / (p2pd - floor):.2f} |", flush=True)


if __name__ == "__main__":
    main()
