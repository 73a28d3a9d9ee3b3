"""Who finds whom on a LAN, with a peer that only discovers (lab/mdns-probe)."""
import os
import pathlib
import random
import signal
import socket
import subprocess
import time

from lan import Lan, percentile, run
from mdns_packets import Guest, answer, broken, query

ROOT = pathlib.Path(__file__).resolve().parent.parent
TAG = "goop-mdns"
# A well-formed peer id that nobody has.
NOBODY = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"


def probe_program():
    named = os.environ.get("MDNS_PROBE")
    if named:
        return named
    built = ROOT / ".build/debug/mdns-probe"
    if not built.exists():
        subprocess.run(["swift", "build", "--product", "mdns-probe"], cwd=ROOT, check=True)
    return str(built)


class Lab:
    def __init__(self, report):
        self.report, self.program = report, probe_program()

    is_possible = True

    def close(self):
        pass

    def lan(self, hosts=2):
        lan = Lan()
        try:
            made = [lan.host(f"h{i}").cable(f"10.3.0.{i}/24") for i in range(1, hosts + 1)]
        except BaseException:
            lan.close()
            raise
        return lan, made

    def probe(self, lan, host, *arguments, tag=TAG, environment=None):
        process = lan.start(host, self.program, tag, *arguments, environment=environment)
        ready = process.wait(lambda e: e["event"] == "ready", 5)
        if not ready:
            raise RuntimeError(f"the probe did not start: {''.join(process.errors)[:500]}")
        process.peer = ready["peer"]
        return process

    def found(self, a, b, seconds=3, since=0.0, address=None):
        """The event with which `a` saw `b`."""
        return a.wait(
            lambda e: e["event"] == "discovered" and e["peer"] == b.peer
            and (address is None or address in e["addresses"]), seconds, since)

    def lost(self, a, b, seconds, since=0.0):
        return a.wait(lambda e: e["event"] == "lost" and e["peer"] == b.peer, seconds, since)

    def check(self, *arguments):
        return self.report.check(*arguments)

    # Scenarios. Each makes its own LAN and leaves nothing behind.

    def two_hosts(self):
        lan, (h1, h2) = self.lan()
        with lan:
            a = self.probe(lan, h1)
            time.sleep(1.5)  # past the announcements of the first, so that it is the second's question that counts
            b = self.probe(lan, h2)
            seen = self.found(b, a)
            self.check("a newcomer sees who was there", seen)
            self.check("with the address of that link only", seen and seen["addresses"] == ["/ip4/10.3.0.1/tcp/4001"],
                       seen and seen["addresses"])
            self.check("and is seen", self.found(a, b))
            stopped = time.monotonic()
            self.check("a clean stop ends with code 0", b.stop() == 0)
            gone = self.lost(a, b, 4, stopped)
            self.check("and is seen within 2 s", gone and gone["at"] - stopped < 2,
                       gone and f"{gone['at'] - stopped:.2f} s")
            self.check("as a goodbye", gone and gone["reason"] == "it said goodbye", gone)
            again = self.probe(lan, h2)
            self.check("a restart is seen again", self.found(a, again))
            again.signal(signal.SIGKILL)
            killed = time.monotonic()
            self.check("a killed peer says nothing", not self.lost(a, again, 2, killed))
            third = self.probe(lan, h2)
            self.check("and its successor is seen", self.found(a, third))

    def tags(self):
        lan, (h1, h2, h3) = self.lan(3)
        with lan:
            a, b = self.probe(lan, h1, tag="red"), self.probe(lan, h2, tag="red")
            c = self.probe(lan, h3, tag="blue")
            self.check("one tag: seen", self.found(a, b) and self.found(b, a))
            time.sleep(2)
            self.check("another tag: not seen, either way",
                       not self.found(a, c, 0.1) and not self.found(c, a, 0.1) and not self.found(c, b, 0.1))

    def one_host(self):
        lan = Lan()
        with lan:
            h1 = lan.host("h1")
            a, b = self.probe(lan, h1, "/ip4/0.0.0.0/tcp/4001"), self.probe(lan, h1, "/ip4/0.0.0.0/tcp/4002")
            seen = self.found(a, b)
            self.check("two peers on a host without a network see each other", seen and self.found(b, a))
            self.check("at their loopback addresses", seen and seen["addresses"] == ["/ip4/127.0.0.1/tcp/4002"],
                       seen and seen["addresses"])
            plugged = time.monotonic()
            h1.cable("10.3.0.1/24")
            h2 = lan.host("h2").cable("10.3.0.2/24")
            c = self.probe(lan, h2)
            self.check("a network that comes later is used", self.found(c, a) and self.found(c, b) and self.found(a, c))
            self.check("no loopback address goes out on it", not any(
                "127." in address or "::1/" in address for e in c.seen if e["event"] == "discovered"
                for address in e["addresses"]))
            self.check("and both still see each other over it",
                       self.found(a, b, 3, plugged, "/ip4/10.3.0.1/tcp/4002"))

    def this_machine(self):
        lan, (h1, h2) = self.lan()
        with lan:
            guest = Guest(h2, "10.3.0.2")
            local = {"MDNS_PROBE_LOCAL": "1"}
            a, b = (self.probe(lan, h1, environment=local) for _ in range(2))
            c = self.probe(lan, h1)
            self.check("limited to one machine, peers there see each other", self.found(a, b) and self.found(b, a))
            self.check("and others of the machine see them", self.found(c, a) and self.found(a, c))
            c.kill()
            time.sleep(0.2)
            guest.drain()
            guest.send(query(f"{TAG}.local"))
            heard = guest.receive(lambda packet, source: source[0] != "10.3.0.2", 5)
            self.check("the network neither hears nor reaches them", not heard, heard)
            guest.close()

    def cable(self):
        lan, (h1, h2) = self.lan()
        with lan:
            a, b = self.probe(lan, h1), self.probe(lan, h2)
            self.check("seen before the cable is pulled", self.found(a, b) and self.found(b, a))
            pulled = time.monotonic()
            h2.pull()
            gone = self.lost(b, a, 2, pulled)
            self.check("the pulled side forgets at once", gone)
            self.check("and says why", gone and "interface" in gone["reason"], gone)
            time.sleep(1)
            plugged = time.monotonic()
            h2.plug()
            back, heard = self.found(b, a, 4, plugged), self.found(a, b, 4, plugged)
            self.check("both see each other within 1 s of the cable", back and heard and max(
                back["at"], heard["at"]) - plugged < 1,
                back and heard and f"{back['at'] - plugged:.2f} s, {heard['at'] - plugged:.2f} s")

    def addresses(self):
        lan, (h1, h2) = self.lan()
        with lan:
            a, b = self.probe(lan, h1), self.probe(lan, h2)
            self.check("seen before the address changes", self.found(a, b))
            changed = time.monotonic()
            h2.address("add", "10.3.0.77/24")
            seen = self.found(a, b, 3, changed, "/ip4/10.3.0.77/tcp/4001")
            self.check("a new address is heard within 1 s", seen and seen["at"] - changed < 1,
                       seen and f"{seen['at'] - changed:.2f} s")
            changed = time.monotonic()
            h2.address("del", "10.3.0.2/24")
            # The kernel drops further addresses of a subnet with its first one.
            h2.address("add", "10.3.0.78/24")
            seen = self.found(a, b, 3, changed, "/ip4/10.3.0.78/tcp/4001")
            self.check("after the first is gone, another is heard", seen and "/ip4/10.3.0.2/tcp/4001" not in
                       seen["addresses"], seen and seen["addresses"])

    def six(self):
        lan = Lan()
        with lan:
            h1, h2 = lan.host("h1").cable("fd00:3::1/64"), lan.host("h2").cable("fd00:3::2/64")
            a, b = self.probe(lan, h1), self.probe(lan, h2)
            # The link-local source address is checked for duplicates first, which takes a second or two.
            seen = self.found(a, b, 8)
            self.check("IPv6 alone is enough", seen and self.found(b, a, 8))
            self.check("at the address of the link", seen and seen["addresses"] == ["/ip6/fd00:3::2/tcp/4001"],
                       seen and seen["addresses"])

    def avahi(self):
        if not run("sh", "-c", "command -v avahi-daemon || true").strip():
            self.check("avahi-daemon is installed", False, "apt-get install avahi-daemon")
            return
        lan, (h1, h2) = self.lan()
        with lan:
            configuration = f"/tmp/{lan.prefix}-avahi.conf"
            pathlib.Path(configuration).write_text(
                "[server]\nhost-name=labhost\nuse-ipv4=yes\nuse-ipv6=yes\nenable-dbus=no\nallow-interfaces=eth0\n"
                "[wide-area]\n[publish]\npublish-hinfo=no\npublish-workstation=no\n[rlimits]\n")
            # A private /run, so that a daemon of the machine itself does not stand in the way.
            daemon = ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /run && exec avahi-daemon -f "
                      f"{configuration} --no-drop-root --no-chroot --no-rlimits"]

            def avahi_answers(guest):
                for _ in range(4):
                    guest.send(query("labhost.local", 1))
                    if guest.receive(lambda packet, source: b"\x07labhost" in packet and packet[2] & 0x80, 1.5):
                        return True
                return False

            try:
                guest = Guest(h2, "10.3.0.2")
                first = lan.start(h1, *daemon)
                alone = avahi_answers(guest)
                self.check("avahi answers alone", alone, "" if alone else "".join(first.errors)[-200:])
                a, b = self.probe(lan, h1), self.probe(lan, h2)
                self.check("beside a running avahi: both see each other", self.found(a, b) and self.found(b, a))
                self.check("and avahi still answers", first.alive and avahi_answers(guest))
                first.kill()
                second = lan.start(h1, *daemon)
                self.check("avahi started later answers too", avahi_answers(guest) and second.alive)
                c = self.probe(lan, h2)
                self.check("and we are seen beside it", self.found(c, a) and self.found(a, c))
                guest.close()
            finally:
                os.unlink(configuration)

    def hostile(self):
        lan, (h1, h2, h3) = self.lan(3)
        with lan:
            a = self.probe(lan, h1)
            guest = Guest(h3, "10.3.0.3")
            time.sleep(3)  # past the announcements, also that of the IPv6 address
            guest.send_from_port_zero(query(f"{TAG}.local"))
            guest.send_from_port_zero(query(f"{TAG}.local", unicast=True))
            time.sleep(0.1)
            guest.drain()
            guest.send(query(f"{TAG}.local"))
            self.check("what cannot be answered does not silence the peer", guest.receive(
                lambda packet, source: source[0] == "10.3.0.1" and packet[2:8] == b"\x84\0\0\0\0\1", 1))
            bad = [
                "/ip4/8.8.8.8/tcp/4001", "/ip4/127.0.0.1/tcp/4001", "/ip4/0.0.0.0/tcp/4001", "/ip4/10.3.0.3/tcp/0",
                "/ip6/::1/tcp/4001", "/ip6/2600::1/tcp/4001", "/dns4/example.com/tcp/4001",
                f"/ip4/10.3.0.3/tcp/1/p2p/{NOBODY}/p2p-circuit",
            ]
            guest.send(answer(TAG, "bad", [f"dnsaddr={each}/p2p/{NOBODY}" for each in bad]))
            guest.send(answer(TAG, "worse", ["dnsaddr=/ip4/10.3.0.3/tcp/1/p2p/12D3KooWnobody", "dnsaddr=", "x" * 255]))
            # In our own name.
            guest.send(answer(TAG, "mine", [f"dnsaddr=/ip4/10.3.0.3/tcp/1/p2p/{a.peer}"]))
            dice = random.Random(1)
            for _ in range(2_000):
                guest.send(broken(answer(TAG, "noise", [f"dnsaddr=/ip4/10.3.0.3/tcp/1/p2p/{NOBODY}"]), dice))
            for size in (0, 1, 11, 12, 1_500, 8_999):
                guest.send(bytes([0xc0]) * size)
            self.check("forged and broken packets name nobody", not a.wait(
                lambda e: e["event"] == "discovered", 1) and a.alive)
            time.sleep(4)  # the flooder's budget fills up again
            guest.send(answer(TAG, "good", [f"dnsaddr=/ip4/10.3.0.3/tcp/1/p2p/{NOBODY}"]))
            self.check("an honest packet does", a.wait(
                lambda e: e["event"] == "discovered" and e["peer"] == NOBODY, 2))
            b = self.probe(lan, h2)
            self.check("and real peers are seen after the flood", self.found(a, b) and self.found(b, a))
            before = a.cpu()
            end = time.monotonic() + 3
            sent = 0
            while time.monotonic() < end:
                guest.send(query(f"{TAG}.local"))
                sent += 1
            used = a.cpu() - before
            time.sleep(4)  # the flooder's budget fills up again
            c = self.probe(lan, h2)
            self.check("after a flood of questions a peer of the flooder's host is found", self.found(a, c) and self.found(c, a),
                       f"{sent / 3:.0f} a second cost {used / 3:.0%} of a core")
            guest.close()

    def plain_resolvers(self):
        lan, (h1, h2) = self.lan()
        with lan:
            a = self.probe(lan, h1)
            time.sleep(0.5)
            plain = Guest(h2, "10.3.0.2", port=45_353)
            plain.send(query(f"{TAG}.local", identifier=0xbeef))
            got = plain.receive(lambda packet, source: packet[:2] == b"\xbe\xef")
            self.check("a plain resolver is answered by unicast", got and got[1] == ("10.3.0.1", 5353))
            plain.send(query("_services._dns-sd._udp.local", identifier=7))
            got = plain.receive(lambda packet, source: packet[:2] == b"\0\7")
            self.check("the list of services names ours", got and TAG.encode() in got[0])
            plain.close()
            self.check("the peer is still there", a.alive)

    def layout(self):
        """What another program, tshark, reads in our packets."""
        if not run("sh", "-c", "command -v tshark || true").strip():
            self.check("tshark is installed", False, "apt-get install tshark")
            return
        lan, (h1, h2) = self.lan()
        with lan:
            file = f"/tmp/{lan.prefix}.pcapng"
            capture = subprocess.Popen(
                ["ip", "netns", "exec", lan.bridge, "timeout", "20", "tshark", "-q", "-n", "-i", "br0", "-w", file,
                 "-a", "duration:6", "udp port 5353"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            try:
                for line in capture.stderr:
                    if "Capture started" in line or "File:" in line:
                        break
                a, b = self.probe(lan, h1), self.probe(lan, h2)
                self.found(a, b)
                time.sleep(1.5)
                b.stop()
                capture.wait(20)

                def fields(display, *names):
                    arguments = [each for name in names for each in ("-e", name)]
                    return [line.split("\t") for line in run(
                        "tshark", "-n", "-r", file, "-Y", display, "-T", "fields", *arguments).splitlines()]

                packets = fields("udp.port == 5353", "frame.len", "udp.srcport", "ip.ttl", "ipv6.hlim")
                self.check("tshark saw our packets", len(packets) >= 8, f"{len(packets)}")
                self.check("none is malformed", not fields("_ws.malformed || _ws.expert.severity >= 8388608", "frame.number"))
                self.check("none is longer than 1400 bytes", all(int(each[0]) <= 1_400 + 62 for each in packets))
                self.check("all from port 5353 with hop limit 255", all(
                    each[1] == "5353" and (each[2] == "255" or each[3] == "255") for each in packets))
                answers = fields("dns.flags.response == 1 && dns.ptr.domain_name && dns.resp.ttl > 0", "dns.resp.name",
                                 "dns.ptr.domain_name", "dns.txt")
                instance = answers and answers[0][1]
                self.check("PTR: service to a random instance", instance and all(
                    each[0].split(",")[0] == f"{TAG}.local" for each in answers)
                    and len(instance.split(".")[0]) == 32 and instance.endswith(f".{TAG}.local"), instance)
                texts = {each[2] for each in answers}
                self.check("TXT: dnsaddr, address, id", texts == {
                    f"dnsaddr=/ip4/10.3.0.1/tcp/4001/p2p/{a.peer}", f"dnsaddr=/ip4/10.3.0.2/tcp/4001/p2p/{b.peer}"}, texts)
                self.check("SRV and A beside them", fields("dns.srv.port == 4001 && dns.a == 10.3.0.1", "frame.number"))
                self.check("a goodbye with time to live 0", fields("dns.resp.ttl == 0 && dns.ptr.domain_name", "frame.number"))
            finally:
                capture.kill()
                if os.path.exists(file):
                    os.unlink(file)

    def times(self, starts=25):
        lan, (h1, h2) = self.lan()
        with lan:
            a = self.probe(lan, h1)
            time.sleep(1.2)
            newcomer, resident = [], []
            for _ in range(starts):
                b = self.probe(lan, h2)
                mine, theirs = self.found(b, a, 5), self.found(a, b, 5)
                newcomer.append((mine["at"] - b.started) * 1e3 if mine else 9e9)
                resident.append((theirs["at"] - b.started) * 1e3 if theirs else 9e9)
                b.stop()
            for who, values in (("the newcomer sees", newcomer), ("the resident sees", resident)):
                p50, p99 = percentile(values, 50), percentile(values, 99)
                self.check(f"{who}: p50 <= 300 ms, p99 <= 1 s after process start", p50 <= 300 and p99 <= 1_000,
                           f"{starts} starts: p50 {p50:.0f} ms, p99 {p99:.0f} ms")

    def together(self, count=12, rounds=2):
        """Many start at the same moment."""
        for _ in range(rounds):
            lan, hosts = self.lan(count)
            with lan:
                started = time.monotonic()
                peers = [lan.start(host, self.program, TAG) for host in hosts]
                for each in peers:
                    each.peer = (each.wait(lambda e: e["event"] == "ready", 10) or {}).get("peer")
                last, missing = 0.0, 0
                for a in peers:
                    for b in peers:
                        if a is not b:
                            seen = self.found(a, b, 5)
                            last = max(last, seen["at"] - started) if seen else last
                            missing += not seen
                self.check(f"{count} at once: all see all", not missing, f"{missing} missing, {last:.2f} s")

    def others(self):
        """kubo and py-libp2p under their own service name: we hear them, and they come to dial us."""
        peers = pathlib.Path(os.environ.get("GOOP_PEERS", ROOT / "interop/.peers"))
        python = peers / "venv/bin/python"
        if not python.exists():
            return self.report.skip("others", f"no peers of other implementations in {peers}: interop/install.sh DIR")
        programs = {"kubo": ("kubo_peer.py", str(peers)), "py-libp2p": ("py_peer.py", "listen")}
        for who, (script, argument) in programs.items():
            for we_are_first in (True, False):
                order = "we were first" if we_are_first else f"{who} was first"
                lan, (h1, h2) = self.lan()
                with lan:
                    door = h2.socket(socket.AF_INET, socket.SOCK_STREAM)
                    door.bind(("0.0.0.0", 4001))
                    door.listen(8)
                    door.settimeout(10)
                    start_us = lambda: self.probe(lan, h2, "/ip4/0.0.0.0/tcp/4001", tag="_p2p._udp")  # noqa: E731
                    us = start_us() if we_are_first else None
                    them = lan.start(h1, str(python), str(ROOT / "interop" / script), argument, "--ip", "10.3.0.1",
                                     "--port", "4005", "--mdns", "--for", "40")
                    ready = them.wait(lambda e: e["event"] == "ready", 20)
                    if not self.check(f"{who} starts", ready, "" if ready else "".join(them.errors)[-300:]):
                        continue
                    them.peer = ready["peer_id"]
                    us = us or start_us()
                    seen = self.found(us, them, 10)
                    self.check(f"{who} is seen, {order}", seen and seen["addresses"] == ["/ip4/10.3.0.1/tcp/4005"],
                               seen and seen["addresses"])
                    try:
                        caller, (address, _) = door.accept()
                        caller.settimeout(5)
                        self.check(f"{who} dials us, {order}", address == "10.3.0.1"
                                   and caller.recv(20) == b"\x13/multistream/1.0.0\n")
                        caller.close()
                    except TimeoutError:
                        self.check(f"{who} dials us, {order}", False)
                    door.close()

    SCENARIOS = (two_hosts, tags, one_host, this_machine, cable, addresses, six, avahi, hostile, plain_resolvers, layout, times,
                 together, others)
