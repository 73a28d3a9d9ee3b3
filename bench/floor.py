"""What the driver and the kernel alone cost: the echo and the open rows of daemons.py through two bare relays instead of daemons.

A relay reads from one socket and writes to the other: no protocol, no cipher, no request before the stream.

    python bench/floor.py [SHAPER] [ROUNDS]
"""
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from control import receive_exactly
from daemons import ROOT, echo, percentile


def start(shaper, *ends):
    process = subprocess.Popen([shaper, "relay", *ends], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if process.stdout.readline().strip() != "ready":
        raise SystemExit(f"bench: {shaper} relay {ends} does not start")
    return process


def measure(shaper, folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    front, back = os.path.join(folder, "front"), os.path.join(folder, "back")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(back)
    listener.listen(256)

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=(connection,), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    relays = [start(shaper, f"tcp:{port}", f"unix:{back}"), start(shaper, f"unix:{front}", f"tcp:{port}")]

    def dial():
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(front)
        return connection
    try:
        echoes, opens = [], []
        with dial() as stream:
            for _ in range(2000):
                begin = time.perf_counter()
                stream.sendall(b"e" * 32)
                receive_exactly(stream, 32)
                echoes.append((time.perf_counter() - begin) * 1e6)
        for _ in range(400):
            begin = time.perf_counter()
            with dial() as stream:
                stream.sendall(b"1")
                receive_exactly(stream, 1)
                opens.append((time.perf_counter() - begin) * 1e3)
        return percentile(echoes[200:], 0.5), percentile(opens[40:], 0.5)
    finally:
        for relay in relays:
            relay.stdin.close()
            relay.wait(5)
        listener.close()
        os.unlink(back)


def main():
    shaper = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / ".build/release/link-shaper")
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as folder:
        results = [measure(shaper, folder) for _ in range(rounds)]
    echo_us, open_ms = (statistics.median(values) for values in zip(*results))
    print(f"floor, two bare relays, medians of {rounds}: 32-byte echo p50 {echo_us:.0f} us, open + 1 byte p50 {open_ms:.2f} ms")


if __name__ == "__main__":
    main()
