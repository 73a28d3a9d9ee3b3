"""Floods and forgeries of Multicast DNS, on a LAN of namespaces out of which no packet leaves (../lab/lan.py).

The node is `goop2 peer`: it finds and is found by Multicast DNS, and dials whom it finds. An honest peer on a host of its own pings
it. A newcomer counts as served when it can ask who is there, is dialled soon after it has said where it is, and is answered as fast
as before.
"""
import json
import os
import pathlib
import random
import re
import socket
import struct
import sys
import tempfile
import time

from hostile import Closed, Pinger
from measuring import Target, done, judge, noted

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "lab"))
from lan import Lan  # noqa: E402
from mdns_packets import GROUP, PORT, Guest, answer, broken, chain, query  # noqa: E402

TAG = "goop-mdns"
NODE, HONEST = "10.3.0.1", "10.3.0.2"
ATTACKS = {}
attack = noted(ATTACKS)


def peer_name(key=None):
    """The id of an Ed25519 key, which nobody has unless one is given, in base58."""
    multihash = b"\x00\x24\x08\x01\x12\x20" + (key or os.urandom(32))
    number, text = int.from_bytes(multihash, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"[digit] + text
    return "1" + text


def instance():
    """A random name for an instance of the service, as peers choose it."""
    return f"{random.getrandbits(160):032x}"[-32:]


def announcement(peer, address, port, ttl=120, name=None):
    return answer(TAG, name or instance(), [f"dnsaddr=/ip4/{address}/tcp/{port}/p2p/{peer}"], ttl)


class Anybody:
    """A socket that sends to the group under any source address."""

    def __init__(self, host, address):
        self.socket = host.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))

    def send(self, packet, source):
        # The kernel fills in length and checksum of the IP header; a UDP checksum of 0 is none.
        header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 255, 17, 0, socket.inet_aton(source), socket.inet_aton(GROUP))
        self.socket.sendto(header + struct.pack(">4H", PORT, PORT, 8 + len(packet), 0) + packet, (GROUP, 0))


def repeatedly(until, body, batch=50):
    while time.monotonic() < until:
        for _ in range(batch):
            body()
        done(batch)


@attack("mDNS: questions, as fast as they go")
def questions(host, address, node, until):
    guest, asked = Guest(host, address), [query(f"{TAG}.local"), query(f"{TAG}.local", unicast=True), query("_services._dns-sd._udp.local")]
    repeatedly(until, lambda: guest.send(random.choice(asked)))


@attack("mDNS: questions under thousands of source addresses")
def questions_of_many(host, address, node, until):
    anybody, asked = Anybody(host, address), query(f"{TAG}.local", unicast=True)
    repeatedly(until, lambda: anybody.send(asked, f"10.3.{random.randrange(1, 255)}.{random.randrange(1, 255)}"))


@attack("mDNS: forged answers, peers that nobody is, at a door that nobody answers")
def invented(host, address, node, until):
    guest = Guest(host, address)
    repeatedly(until, lambda: guest.send(announcement(peer_name(), address, host.door.getsockname()[1])), batch=10)


@attack("mDNS: forged answers under thousands of source addresses")
def invented_of_many(host, address, node, until):
    anybody = Anybody(host, address)

    def body():
        source = f"10.3.{random.randrange(1, 255)}.{random.randrange(1, 255)}"
        anybody.send(announcement(peer_name(), source, 4001), source)
    repeatedly(until, body, batch=10)


@attack("mDNS: forged answers and goodbyes in the names of the node and its neighbours")
def in_other_names(host, address, node, until):
    anybody, known = Anybody(host, address), peer_name(bytes(32))
    name = instance()

    def body():
        peer, source = random.choice(((node, NODE), (node, HONEST), (known, HONEST), (known, address)))
        # Sometimes at another address, sometimes gone, and each time with the same claim of who it is.
        anybody.send(announcement(peer, random.choice((address, source, "8.8.8.8")), random.randrange(1, 65536),
                                  random.choice((0, 120, 0xFFFFFFFF)), random.choice((name, instance()))), source)
    repeatedly(until, body, batch=10)


@attack("mDNS: broken packets")
def garbage(host, address, node, until):
    guest, dice = Guest(host, address), random.Random(address)
    whole = announcement(peer_name(), address, 4001)
    repeatedly(until, lambda: guest.send(broken(whole, dice)))


@attack("mDNS: names that are chains of pointers")
def pointers(host, address, node, until):
    guest, packet = Guest(host, address), chain(2703, 255)
    repeatedly(until, lambda: guest.send(packet))


class Neighbour(Target):
    """The node as its neighbours on the LAN see it; and the newcomer, who is the same for as long as it is not served."""

    def __init__(self, process, said, honest, attackers):
        port = next(int(found[1]) for address in said["listening"]["addresses"]
                    if (found := re.search(r"^/ip4/[\d.]+/tcp/(\d+)", address)))
        super().__init__(process.programs()[0], lambda: None if process.alive else process.child.poll(),
                         lambda: Pinger(port, source=HONEST, node=NODE, make=honest.socket),
                         lambda n: (attackers[n], f"10.3.0.{3 + n}", said["opened"]["id"]))
        self.guest, self.door = Guest(honest, HONEST), door(honest, HONEST)
        self.newcomer = announcement(peer_name(), HONEST, self.door.getsockname()[1])
        self.door.settimeout(1)

    def serve(self, limit):
        self.guest.drain()
        self.guest.send(query(f"{TAG}.local"))
        if not self.guest.receive(lambda packet, source: source[0] == NODE and packet[2] & 0x80, 1):
            raise Closed("a question was not answered")
        self.guest.send(self.newcomer)
        try:
            self.door.accept()[0].close()
        except TimeoutError:
            raise Closed("the newcomer was not dialled") from None
        return super().serve(limit)


def door(host, address):
    """A socket that listens and answers nothing by itself."""
    made = host.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.bind((address, 0))
    made.listen(4096)
    return made


def measure(args, name):
    body, workers = ATTACKS[name]
    if not os.access(args.goop2, os.X_OK):
        return "FAIL", f"{args.goop2} is not there: make build", None
    with tempfile.TemporaryDirectory() as folder, Lan() as lan:
        node, honest, *attackers = (lan.host(f"h{n}").cable(f"10.3.0.{n}/16") for n in range(1, 3 + workers))
        node.run(args.goop2, "init", f"{folder}/peer")
        path = pathlib.Path(folder, "peer", "goop.json")
        settings = json.loads(path.read_text())
        settings["p2p"]["mdns_tag"] = TAG
        path.write_text(json.dumps(settings))
        process = lan.start(node, os.path.abspath(args.goop2), "peer", f"{folder}/peer", "--json")
        if not process.wait(lambda event: event["event"] == "ready", 15):
            return "FAIL", f"the node did not start: {''.join(process.errors)[:300]}", None
        # Whoever connects to an attacker waits, and still does so when the attack is over.
        for number, host in enumerate(attackers):
            host.door = door(host, f"10.3.0.{3 + number}")
        target = Neighbour(process, {event["event"]: event for event in process.seen}, honest, attackers)
        time.sleep(2)  # past the announcements of the start
        return judge(args, target, body, workers)
