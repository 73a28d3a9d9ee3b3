"""Multicast DNS packets composed by hand, and a guest on a LAN who sends them."""
import socket
import struct
import time

GROUP, PORT = "224.0.0.251", 5353


def name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".")) + b"\0"


def query(text, kind=12, unicast=False, identifier=0):
    return struct.pack(">6H", identifier, 0, 1, 0, 0, 0) + name(text) + struct.pack(">HH", kind, 0x8001 if unicast else 1)


def record(owner, kind, data, ttl=120, flush=False):
    return name(owner) + struct.pack(">HHIH", kind, 0x8001 if flush else 1, ttl, len(data)) + data


def answer(tag, instance, strings, ttl=120):
    """PTR and TXT of one instance, without compression."""
    owner = f"{instance}.{tag}.local"
    text = b"".join(bytes([len(each)]) + each.encode() for each in strings)
    return struct.pack(">6H", 0, 0x8400, 0, 2, 0, 0) + record(f"{tag}.local", 12, name(owner), ttl) + record(
        owner, 16, text, ttl, flush=True)


def broken(packet, dice):
    """The packet with some bytes changed, preferably into what means something, and cut off somewhere."""
    packet = bytearray(packet)
    for _ in range(dice.randrange(1, 8)):
        packet[dice.randrange(len(packet))] = dice.choice((0, 0x0c, 0xc0, 0xff, dice.randrange(256)))
    return bytes(packet[:dice.randrange(len(packet))])


def chain(pointers, names):
    """A record whose data are pointers, each to the one before, and PTR records whose names and data point at the last of them."""
    data = b"".join(struct.pack(">H", 0xc000 | (23 + 2 * (each - 1) if each else 12)) for each in range(pointers))
    last = struct.pack(">H", 0xc000 | (23 + 2 * (pointers - 1)))
    return struct.pack(">6H", 0, 0x8400, 0, names + 1, 0, 0) + b"\0" + struct.pack(">HHIH", 0xff01, 1, 120, len(data)) + data + (
        last + struct.pack(">HHIH", 12, 1, 120, 2) + last) * names


class Guest:
    """A socket on a host's port 5353 (or any other) that sends to the group and hears it."""

    def __init__(self, host, address, port=PORT):
        self.socket = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        self.socket.setsockopt(
            socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + socket.inet_aton(address))
        self.socket.bind(("0.0.0.0", port))
        self.raw = host.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
        self.raw.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        self.raw.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        self.socket.settimeout(1)

    def send(self, packet):
        self.socket.sendto(packet, (GROUP, PORT))

    def send_from_port_zero(self, packet):
        """Sends with UDP source port 0, to which no answer can go."""
        header = struct.pack(">4H", 0, PORT, 8 + len(packet), 0)
        self.raw.sendto(header + packet, (GROUP, 0))

    def receive(self, matches, seconds=1.0):
        """The first packet for which `matches(bytes, (address, port))` is true, or None."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                packet, source = self.socket.recvfrom(9_100)
            except (TimeoutError, OSError):
                return None
            if matches(packet, source):
                return packet, source
        return None

    def drain(self):
        """Forgets what has arrived so far."""
        while self.receive(lambda *_: True, 0.05):
            pass

    def close(self):
        self.socket.close()
        self.raw.close()
