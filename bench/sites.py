"""A visit: /p/ of a remote peer through the viewer, beside Caddy as reverse proxy over TLS to Caddy as file server.

    bench/sites.py [--goop2 ./goop2] [--p2pd ./goop2-p2pd] [--rounds 5] [--seconds 3] [--json FILE]

The same files, the same client, the same two cores, rounds interleaved, medians. Both pairs are two processes: the one that has
the file, and the one that the client asks over plain HTTP on loopback. Beside the large file a raw stream: two of our daemons
with the same security protocol, one stream, the same driver's sockets at both ends. Needs caddy and wrk (scripts/setup bench),
and the Python package cryptography (bench/run uses the one of interop/.peers).
"""
import argparse
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from control import receive_exactly
from daemons import CHUNK, Running, sink

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = 10_240
LARGE = 100 * 1024 * 1024


def resident_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return float("nan")


def write_site(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "page.html").write_bytes((b"<p>" + b"x" * 93 + b"</p>") * 103)
    os.truncate(folder / "page.html", PAGE)
    with open(folder / "large.bin", "wb") as file:
        block = os.urandom(1 << 20)
        for _ in range(LARGE >> 20):
            file.write(block)


class Peer:
    """A `goop2 peer` of its own folder, on this machine only."""

    def __init__(self, binary, folder, *flags):
        self.folder = folder
        self.process = subprocess.Popen(
            [binary, "peer", str(folder), "--local", "--no-discovery", "--json", *flags],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.facts = {}
        for line in self.process.stdout:
            event = json.loads(line)
            self.facts[event["event"]] = event
            if event["event"] == "ready":
                break
        else:
            raise SystemExit(f"{binary} did not start (exit code {self.process.wait()})")
        self.id = self.facts["opened"]["id"]
        self.address = f"{self.facts['listening']['addresses'][0]}/p2p/{self.id}"
        self.port = int(self.facts["viewer"]["url"].rsplit(":", 1)[1].strip("/")) if "viewer" in self.facts else 0

    def get_over_control(self, address, path):
        """Milliseconds from the request to the last byte of a file of a peer that is dialled for it."""
        begin = time.perf_counter()
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(str(self.folder / "data" / "control.sock"))
            control.sendall(json.dumps({"command": "get", "peer": address, "path": path}).encode() + b"\n")
            file = control.makefile("rb")
            answer = json.loads(file.readline())
            if not answer["ok"]:
                raise SystemExit(f"get: {answer}")
            if len(file.read(answer["data"]["size"])) != answer["data"]["size"]:
                raise SystemExit("get: the file is not whole")
        return (time.perf_counter() - begin) * 1000

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)


class Caddy:
    """A file server over TLS, and a reverse proxy to it that speaks plain HTTP."""

    def __init__(self, site, folder):
        self.port, behind = free_port(), free_port()
        config = folder / "Caddyfile"
        config.write_text(
            "{\n admin off\n auto_https disable_redirects\n skip_install_trust\n log {\n  level ERROR\n }\n}\n"
            f"https://localhost:{behind} {{\n tls internal\n root * {site}\n file_server\n}}\n")
        proxy = folder / "Proxyfile"
        proxy.write_text(
            "{\n admin off\n log {\n  level ERROR\n }\n}\n"
            f"http://127.0.0.1:{self.port} {{\n reverse_proxy https://localhost:{behind} {{\n"
            "  header_up Host {upstream_hostport}\n"
            "  transport http {\n   tls_insecure_skip_verify\n   tls_server_name localhost\n  }\n }\n}\n")
        environment = dict(os.environ, HOME=str(folder), XDG_DATA_HOME=str(folder / "d"), XDG_CONFIG_HOME=str(folder / "c"))
        self.processes = [
            subprocess.Popen(["caddy", "run", "--adapter", "caddyfile", "--config", str(file)], env=environment,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for file in (config, proxy)]
        end = time.monotonic() + 20
        while True:
            try:
                if get(self.port, "/page.html") == (200, PAGE):
                    return
            except OSError:
                pass
            if time.monotonic() > end:
                raise SystemExit("caddy does not answer")
            time.sleep(0.05)

    def stop(self):
        for process in self.processes:
            process.terminate()
            process.wait(10)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, len(body)


def receive(connection):
    received = connection.recv(65536)
    if not received:
        raise SystemExit("the server closed the connection")
    return received


def one_by_one(port, path, count):
    """p50 and p99 of requests one after the other on one connection, in milliseconds."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    times = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            begin = time.perf_counter()
            connection.sendall(request)
            received = b""
            while b"\r\n\r\n" not in received:
                received += receive(connection)
            head, body = received.split(b"\r\n\r\n", 1)
            if b" 200 " not in head.split(b"\r\n")[0]:
                raise SystemExit(f"{path}: {head[:200]}")
            left = PAGE - len(body)
            while left > 0:
                left -= len(receive(connection))
            times.append((time.perf_counter() - begin) * 1000)
    times.sort()
    return times[len(times) // 2], times[int(len(times) * 0.99)]


def many_at_once(port, path, seconds):
    """Requests a second of 32 connections."""
    text = subprocess.run(
        ["wrk", "-t2", "-c32", f"-d{seconds}s", f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True,
        check=True).stdout
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    if wrong:
        raise SystemExit(f"{path}: {wrong.group(0)}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))


def large_file(port, path, watched=()):
    """Gbit/s of the 100 MB file, and the most memory of the watched processes meanwhile."""
    buffer = bytearray(1 << 20)
    peak = 0.0
    with socket.create_connection(("127.0.0.1", port)) as connection:
        begin = time.perf_counter()
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        total, step = 0, 0
        while count := connection.recv_into(buffer):
            total += count
            if total >> 23 != step:
                step = total >> 23
                peak = max([peak, *map(resident_mb, watched)])
        elapsed = time.perf_counter() - begin
    if total < LARGE:
        raise SystemExit(f"{path}: {total} of {LARGE} bytes came")
    return LARGE * 8 / elapsed / 1e9, peak


def raw_stream(binary, folder):
    """Gbit/s of 100 MB through one stream between two daemons: no file, no HTTP."""
    server, client = Running(binary, "noise", folder), Running(binary, "noise", folder)
    try:
        with server.daemon.handle("/bench/sink", sink), client.daemon.dial() as control:
            client.daemon.connect(control, server.peer, server.addresses)
            with client.daemon.open_stream(server.peer, "/bench/sink") as stream:
                chunk = bytes(CHUNK)
                begin = time.perf_counter()
                stream.sendall(LARGE.to_bytes(8, "big"))
                for _ in range(LARGE // CHUNK):
                    stream.sendall(chunk)
                receive_exactly(stream, 1)
                return LARGE * 8 / (time.perf_counter() - begin) / 1e9
    finally:
        client.stop()
        server.stop()


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--goop2", default=str(ROOT / "goop2"))
    options.add_argument("--p2pd", default=str(ROOT / "goop2-p2pd"))
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--requests", type=int, default=1000)
    options.add_argument("--seconds", type=int, default=3)
    options.add_argument("--json")
    options = options.parse_args()
    figures = {}

    def note(name, value):
        figures.setdefault(name, []).append(value)

    with tempfile.TemporaryDirectory(prefix="bench-sites-") as folder:
        folder = pathlib.Path(folder)
        write_site(folder / "owner" / "site")
        owner = Peer(options.goop2, folder / "owner", "--no-viewer")
        visitor = Peer(options.goop2, folder / "visitor", "--contact", owner.address)
        caddy = Caddy(folder / "owner" / "site", folder)
        running = [owner, visitor, caddy]
        try:
            time.sleep(5)
            note("idle resident MB", resident_mb(visitor.process.pid))
            page, large = f"/p/{owner.id}/page.html", f"/p/{owner.id}/large.bin"
            for port, path in ((visitor.port, page), (caddy.port, "/page.html")):
                one_by_one(port, path, 100)
            for _ in range(options.rounds):
                for name, port, path, file in (("ours", visitor.port, page, large), ("caddy", caddy.port, "/page.html", "/large.bin")):
                    p50, p99 = one_by_one(port, path, options.requests)
                    note(f"10 KB p50 ms, {name}", p50)
                    note(f"10 KB p99 ms, {name}", p99)
                    note(f"32 connections requests/s, {name}", many_at_once(port, path, options.seconds))
                    watched = (owner.process.pid, visitor.process.pid) if name == "ours" else ()
                    before = max(map(resident_mb, watched), default=0)
                    speed, peak = large_file(port, file, watched)
                    note(f"100 MB Gbit/s, {name}", speed)
                    if watched:
                        note("100 MB: resident MB more", peak - before)
                        note("100 MB: resident MB more after", max(map(resident_mb, watched)) - before)
                note("raw stream Gbit/s", raw_stream(options.p2pd, folder))
                stranger = Peer(options.goop2, folder / f"stranger{time.monotonic_ns()}", "--no-viewer")
                try:
                    (stranger.folder / "site" / "page.html").write_bytes(b"x" * PAGE)
                    note("cold ms (dial, handshake, page)", visitor.get_over_control(stranger.address, "/page.html"))
                finally:
                    stranger.stop()
        finally:
            for thing in running:
                thing.stop()
    medians = {name: statistics.median(values) for name, values in figures.items()}

    def both(figure):
        return medians[f"{figure}, ours"], medians[f"{figure}, caddy"]

    alone = float("nan")
    p50, large = both("10 KB p50 ms"), both("100 MB Gbit/s")
    rate = both("32 connections requests/s")
    raw, more = medians["raw stream Gbit/s"], max(figures["100 MB: resident MB more"])
    cold, idle = medians["cold ms (dial, handshake, page)"], medians["idle resident MB"]
    rows = [
        ("10 KB, one connection, p50 ms", p50, "<= 1", p50[0] <= 1),
        ("10 KB, one connection, p99 ms", both("10 KB p99 ms"), "", None),
        ("10 KB, 32 connections, requests/s", rate, ">= 5000", rate[0] >= 5000),
        ("times Caddy's p50", (p50[0] / p50[1], 1), "<= 2", p50[0] <= 2 * p50[1]),
        ("times Caddy's time with 32", (rate[1] / rate[0], 1), "<= 2", rate[1] <= 2 * rate[0]),
        ("cold: dial, handshake, page, ms", (cold, alone), "<= 15", cold <= 15),
        ("100 MB Gbit/s", large, "", None),
        ("raw stream Gbit/s", (raw, alone), "", None),
        ("100 MB of the raw stream", (large[0] / raw, alone), ">= 0.6", large[0] >= 0.6 * raw),
        ("100 MB: resident MB more, most of all rounds", (more, alone), "flat", more < 16),
        ("100 MB: resident MB more afterwards", (medians["100 MB: resident MB more after"], alone), "", None),
        ("idle peer with viewer, resident MB", (idle, alone), "<= 45", idle <= 45),
    ]
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"\na visit, medians of {options.rounds} interleaved rounds, load average {load} at the end\n")
    print("| figure | ours | caddy | target | |\n| --- | ---: | ---: | --- | --- |")
    for name, (ours, theirs), target, met in rows:
        verdict = {True: "met", False: "missed", None: ""}[met]
        print(f"| {name} | {ours:.2f} | {'' if theirs != theirs else f'{theirs:.2f}'} | {target} | {verdict} |")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    sys.exit(main())
