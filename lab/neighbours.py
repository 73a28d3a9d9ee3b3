"""Peers on a LAN as their owners see them: `./goop2 peer`, its viewer's list, and a visit to a site."""
import json
import os
import pathlib
import shutil
import signal
import socket
import tempfile
import time

from lan import Lan, percentile

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Peer:
    """`goop2 peer` in a host's namespace, and its viewer asked over one connection."""

    def __init__(self, lab, lan, host, name, **settings):
        self.host, self.name = host, name
        self.folder = f"{lab.folder}/{lan.prefix}-{name}"
        if settings:
            host.run(lab.program, "init", self.folder)
            path = pathlib.Path(self.folder, "goop.json")
            configuration = json.loads(path.read_text())
            for key, value in settings.items():
                section, member = key.split("__")
                configuration.setdefault(section, {})[member] = value
            path.write_text(json.dumps(configuration))
        self.program, self.lan = lab.program, lan
        self.start()

    def start(self):
        self.process = self.lan.start(self.host, self.program, "peer", self.folder, "--json")
        ready = self.process.wait(lambda e: e["event"] == "ready", 15)
        if not ready:
            raise RuntimeError(f"{self.name} did not start: {''.join(self.process.errors)[:500]}")
        seen = {event["event"]: event for event in self.process.seen}
        self.id = seen["opened"]["id"]
        self.port = int(seen["viewer"]["url"].rstrip("/").rsplit(":", 1)[1])
        self.connection = None
        return self

    def get(self, path):
        """The status and the body of a path of the viewer."""
        if self.connection is None or time.monotonic() - self.used > 20:  # the viewer closes idle ones
            self.connection = self.host.socket(socket.AF_INET, socket.SOCK_STREAM)
            self.connection.settimeout(10)
            self.connection.connect(("127.0.0.1", self.port))
        self.used = time.monotonic()
        self.connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n\r\n".encode())
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, body = received.split(b"\r\n\r\n", 1)
        fields = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:])
        if "content-length" in fields:
            while len(body) < int(fields["content-length"]):
                body += self._more()
        else:
            while not body.endswith(b"\r\n0\r\n\r\n"):
                body += self._more()
        return int(head.split()[1]), body

    def _more(self):
        more = self.connection.recv(1 << 16)
        if not more:
            raise RuntimeError(f"the viewer of {self.name} closed the connection")
        return more

    def sees(self, other, seconds=3.0, matches=lambda entry: entry["Reachable"] and not entry["Offline"]):
        """When `other` was first in the list so that `matches`, or None after `seconds`."""
        end = time.monotonic() + seconds
        while True:
            _, body = self.get("/api/peers")
            at = time.monotonic()
            for entry in json.loads(body):
                if entry["ID"] == other.id and matches(entry):
                    return at
            if at > end:
                return None
            time.sleep(0.005)

    def misses(self, other, seconds=3.0):
        """When `other` was no longer in the list as somebody who is there, or None after `seconds`."""
        end = time.monotonic() + seconds
        while True:
            _, body = self.get("/api/peers")
            at = time.monotonic()
            if not any(entry["ID"] == other.id and entry["Reachable"]
                       and not entry["Offline"] for entry in json.loads(body)):
                return at
            if at > end:
                return None
            time.sleep(0.005)


class Lab:
    def __init__(self, report):
        self.report = report
        self.program = os.environ.get("GOOP2", str(ROOT / "goop2"))
        self.folder = tempfile.mkdtemp(prefix="goop-lab-")

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def check(self, *arguments):
        return self.report.check(*arguments)

    @property
    def is_possible(self):
        return os.access(self.program, os.X_OK)

    def lan(self, hosts=2):
        lan = Lan()
        try:
            return lan, [lan.host(f"h{i}").cable(f"10.3.0.{i}/24") for i in range(1, hosts + 1)]
        except BaseException:
            lan.close()
            raise

    # Scenarios.

    def neighbours(self):
        """Two peers on a LAN: seen, visited, stopped, back, killed."""
        lan, (h1, h2) = self.lan()
        with lan:
            a, b = Peer(self, lan, h1, "a", presence__ttl_seconds=6, presence__heartbeat_seconds=2), Peer(
                self, lan, h2, "b", presence__ttl_seconds=6, presence__heartbeat_seconds=2)
            self.check("two peers see each other", a.sees(b) and b.sees(a))
            page = pathlib.Path(b.folder, "site", "index.html")
            page.write_text("<!doctype html><title>b</title>first")
            status, body = a.get(f"/p/{b.id}/")
            self.check("one visits the other's site", status == 200 and b"first" in body, f"{status}")
            page.write_text("<!doctype html><title>b</title>second")
            status, body = a.get(f"/p/{b.id}/")
            self.check("and sees an edit", status == 200 and b"second" in body, f"{status}")
            stopped = time.monotonic()
            self.check("a clean stop ends with code 0", b.process.stop() == 0)
            gone = a.misses(b)
            self.check("and is seen within 2 s", gone and gone - stopped < 2, gone and f"{gone - stopped:.2f} s")
            b.start()
            self.check("back again, it is seen again", a.sees(b) and b.sees(a))
            b.process.signal(signal.SIGKILL)
            killed = time.monotonic()
            gone = a.misses(b, 10)
            self.check("a killed peer goes within presence.ttl_seconds", gone and gone - killed < 6.5,
                       gone and f"{gone - killed:.2f} s")
            b.start()
            self.check("and comes back", a.sees(b) and b.sees(a))

    def clusters(self):
        """Tags keep peers apart, also where a third one could join their gossip."""
        lan, (h1, h2, h3) = self.lan(3)
        with lan:
            red = [Peer(self, lan, host, f"red-{host.name}", p2p__mdns_tag="red") for host in (h1, h2)]
            blue = Peer(self, lan, h3, "blue", p2p__mdns_tag="blue")
            self.check("one tag: seen", red[0].sees(red[1]) and red[1].sees(red[0]))
            time.sleep(2)
            self.check("another tag: not seen, either way", not any(
                x.sees(y, 0.1, lambda entry: True) for x, y in (
                    (red[0], blue), (red[1], blue), (blue, red[0]), (blue, red[1]))))

    def one_machine(self):
        lan = Lan()
        with lan:
            h1 = lan.host("h1")
            a, b = Peer(self, lan, h1, "a"), Peer(self, lan, h1, "b")
            self.check("without a network, two peers of a host see each other", a.sees(b) and b.sees(a))
            status, _ = a.get(f"/p/{b.id}/")
            self.check("and visit each other", status == 200, f"{status}")

    def cut(self):
        """A cable pulled and put back, and an address that changes."""
        lan, (h1, h2) = self.lan()
        with lan:
            a, b = Peer(self, lan, h1, "a"), Peer(self, lan, h2, "b")
            self.check("seen before the cable is pulled", a.sees(b) and b.sees(a))
            h2.pull()
            time.sleep(3)
            plugged = time.monotonic()
            h2.plug()

            def visit(visitor, host, seconds):
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    if visitor.get(f"/p/{host.id}/")[0] == 200:
                        return time.monotonic()
                    time.sleep(0.1)
                return None

            back = visit(a, b, 15)
            self.check("a site can be visited again after the cable is back", back,
                       back and f"{back - plugged:.2f} s")
            h2.address("add", "10.3.0.77/24")
            h2.address("del", "10.3.0.2/24")
            h2.address("add", "10.3.0.78/24")
            changed = time.monotonic()
            back = visit(a, b, 30)
            self.check("and after its address has changed", back, back and f"{back - changed:.2f} s")

    def starts(self, count=20):
        """From process start to being in the list, both ways."""
        lan, (h1, h2) = self.lan()
        with lan:
            a = Peer(self, lan, h1, "a")
            b = Peer(self, lan, h2, "b")
            newcomer, resident = [], []
            for _ in range(count):
                b.process.stop()
                a.misses(b)
                time.sleep(1.2)  # a peer presents itself to newcomers at most once a second
                b.start()
                started = b.process.started
                mine, theirs = b.sees(a, 5), a.sees(b, 5)
                newcomer.append((mine - started) * 1e3 if mine else 9e9)
                resident.append((theirs - started) * 1e3 if theirs else 9e9)
            for who, values in (("the newcomer lists", newcomer), ("the resident lists", resident)):
                p50, p99 = percentile(values, 50), percentile(values, 99)
                self.check(f"{who} the other: p50 <= 300 ms, p99 <= 1 s after process start",
                           p50 <= 300 and p99 <= 1_000, f"{count} starts: p50 {p50:.0f} ms, p99 {p99:.0f} ms")

    SCENARIOS = (neighbours, clusters, one_machine, cut, starts)
