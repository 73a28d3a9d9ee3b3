"""Our daemon beside go-libp2p's p2pd: the same control protocol, the same driver, rounds interleaved, medians.

    bench/run [--rounds 5] [--mib 1024] [--security noise,tls] [--only NAME,..] [--json FILE]
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from control import ControlError, Daemon, receive_exactly

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHUNK = 64 * 1024


class Running:
    """A daemon process with a key and a control socket in a folder of its own."""

    def __init__(self, binary, security, folder, prefix=(), host="127.0.0.1"):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=folder))
        key = self.folder / "key"
        key.write_bytes(make_key())
        path = self.folder / "control.sock"
        flags = ["-listen", f"/unix{path}", "-id", str(key), "-hostAddrs", f"/ip4/{host}/tcp/0", "-idleTimeout", "0",
                 "-relayDiscovery=false", "-relayService=false", "-tls=false" if security == "noise" else "-noise=false"]
        begin = time.perf_counter()
        self.process = subprocess.Popen([*prefix, binary, *flags], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.daemon = Daemon(str(path))
        while True:
            try:
                with self.daemon.dial() as connection:
                    self.daemon.request(connection, 0)
                break
            except (OSError, ControlError):
                if self.process.poll() is not None or time.perf_counter() - begin > 20:
                    raise SystemExit(f"{binary} did not answer on its control socket (exit code {self.process.poll()})")
                time.sleep(0.001)
        self.start_ms = (time.perf_counter() - begin) * 1000
        self.peer, self.addresses = "", []
        for line in self.process.stdout:
            if line.startswith("Peer ID: "):
                self.peer = line.split(": ", 1)[1].strip()
            elif line.startswith("/"):
                self.addresses.append(line.strip())
                break

    def cpu_seconds(self):
        parts = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return float("nan")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()


def make_key():
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError:
        sys.exit("bench: needs the Python package 'cryptography' (it is in interop/.peers/venv: run bench/run)")
    key = Ed25519PrivateKey.generate()
    return b"\x08\x01\x12\x40" + key.private_bytes_raw() + key.public_key().public_bytes_raw()


def sink(connection):
    buffer, size = memoryview(bytearray(1 << 20)), 0
    want = int.from_bytes(receive_exactly(connection, 8), "big")
    while size < want:
        count = connection.recv_into(buffer)
        if not count:
            return
        size += count
    connection.sendall(b"!")


def echo(connection):
    while data := connection.recv(CHUNK):
        connection.sendall(data)


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))]


def measure(binary, security, mib, folder):
    """One round with a fresh pair of daemons: {figure: value}."""
    server, client = Running(binary, security, folder), Running(binary, security, folder)
    try:
        time.sleep(0.3)  # both idle: resident memory before any work
        figures = {"start ms": statistics.mean([server.start_ms, client.start_ms]),
                   "idle resident MB": statistics.mean([server.resident_mb(), client.resident_mb()])}
        held = [server.daemon.handle("/bench/sink", sink), server.daemon.handle("/bench/echo", echo)]
        with client.daemon.dial() as control:
            client.daemon.connect(control, server.peer, server.addresses)

            stream = client.daemon.open_stream(server.peer, "/bench/sink")
            total, chunk = mib << 20, bytes(CHUNK)
            stream.sendall((total).to_bytes(8, "big"))
            cpu, begin = server.cpu_seconds() + client.cpu_seconds(), time.perf_counter()
            for _ in range(total // CHUNK):
                stream.sendall(chunk)
            receive_exactly(stream, 1)
            elapsed = time.perf_counter() - begin
            figures["one stream Gbit/s"] = total * 8 / elapsed / 1e9
            figures["CPU s/GiB"] = (server.cpu_seconds() + client.cpu_seconds() - cpu) * 1024 / mib
            stream.close()

            stream, times = client.daemon.open_stream(server.peer, "/bench/echo"), []
            for _ in range(2000):
                begin = time.perf_counter()
                stream.sendall(b"e" * 32)
                receive_exactly(stream, 32)
                times.append((time.perf_counter() - begin) * 1e6)
            stream.close()
            figures["32-byte echo p50 us"] = percentile(times[200:], 0.5)

            times = []
            for _ in range(400):
                begin = time.perf_counter()
                stream = client.daemon.open_stream(server.peer, "/bench/echo")
                stream.sendall(b"1")
                receive_exactly(stream, 1)
                times.append((time.perf_counter() - begin) * 1e3)
                stream.close()
            figures["open + 1 byte p50 ms"] = percentile(times[40:], 0.5)

            times = []
            for _ in range(100):
                client.daemon.disconnect(control, server.peer)
                begin = time.perf_counter()
                client.daemon.connect(control, server.peer, server.addresses)
                times.append((time.perf_counter() - begin) * 1e3)
                # go-libp2p admits eight connections an address at once: let the far side notice the close.
                with client.daemon.open_stream(server.peer, "/bench/echo") as stream:
                    stream.sendall(b"1")
                    receive_exactly(stream, 1)
            figures["connect p50 ms"], figures["connect p99 ms"] = percentile(times, 0.5), percentile(times, 0.99)
        for control in held:
            control.close()
        return figures
    finally:
        client.stop()
        server.stop()


# figure: (target as a ratio ours / p2pd, True where more is better)
TARGETS = {
    "one stream Gbit/s": (1.3, True), "CPU s/GiB": (0.8, False), "connect p50 ms": (0.5, False), "connect p99 ms": (1.0, False),
    "32-byte echo p50 us": (0.5, False), "open + 1 byte p50 ms": (0.4, False), "start ms": (0.5, False), "idle resident MB": (0.5, False),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mib", type=int, default=1024, help="MiB a round through one stream")
    parser.add_argument("--security", default="noise,tls")
    parser.add_argument("--ours", default=str(ROOT / "goop2-p2pd"))
    parser.add_argument("--rival", default=str(ROOT / "interop/.peers/bin/p2pd"))
    parser.add_argument("--only", choices=["ours", "p2pd"])
    parser.add_argument("--json", help="write every round to this file")
    args = parser.parse_args()
    programs = {"ours": args.ours, "p2pd": args.rival}
    if args.only:
        programs = {args.only: programs[args.only]}
    everything = {}
    with tempfile.TemporaryDirectory() as folder:
        for security in args.security.split(","):
            rounds = {name: [] for name in programs}
            for number in range(args.rounds):
                for name, binary in programs.items():
                    print(f"{security} round {number + 1}/{args.rounds} {name} ...", file=sys.stderr, flush=True)
                    rounds[name].append(measure(binary, security, args.mib, folder))
            everything[security] = rounds
            print(f"\n{security}, medians of {args.rounds} interleaved rounds, {args.mib} MiB a stream\n")
            print("| figure | " + " | ".join(programs) + (" | ratio | target | |" if len(programs) == 2 else " |"))
            print("| --- |" + " ---: |" * len(programs) + (" ---: | ---: | --- |" if len(programs) == 2 else ""))
            for figure, (target, more) in TARGETS.items():
                values = {name: statistics.median(r[figure] for r in rounds[name]) for name in programs}
                row = f"| {figure} | " + " | ".join(f"{v:.2f}" for v in values.values()) + " |"
                if len(programs) == 2:
                    ratio = values["ours"] / values["p2pd"]
                    met = ratio >= target if more else ratio <= target
                    row += f" {ratio:.2f} | {'>=' if more else '<='} {target} | {'met' if met else 'missed'} |"
                print(row, flush=True)
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(everything, indent=1))


if __name__ == "__main__":
    main()
