"""A libp2p peer that says whatever it likes: TCP, multistream-select, Noise and Yamux, without any of the manners.

Written from the specifications, with `cryptography` for the primitives. Blocking sockets; one connection, one thread. Of TLS it
knows only how to begin.
"""
import hashlib
import hmac
import os
import socket
import ssl
import struct
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

DATA, WINDOW, PING, GO_AWAY = 0, 1, 2, 3
SYN, ACK, FIN, RST = 1, 2, 4, 8
HEADER = b"\x13/multistream/1.0.0\n"
NOISE, TLS = "/noise", "/tls/1.0.0"
GOSSIP, IDENTIFY, PUSH, PING_PROTOCOL = "/meshsub/1.1.0", "/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", "/ipfs/ping/1.0.0"


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def field(number, value):
    """A protobuf field: bytes, text, or a number."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def prefixed(data):
    return varint(len(data)) + data


def proposal(protocol):
    return prefixed(protocol.encode() + b"\n")


def client_hello():
    """The record with which a libp2p client begins TLS 1.3. It may be said again on as many connections as one likes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["libp2p"])
    said = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), said).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return said.read()


class Closed(Exception):
    """The node has closed the connection, or refuses it."""


class Noise:
    """The initiator's side of Noise XX over a socket."""

    def __init__(self, connection, identity):
        self.connection = connection
        self.hash = self.chain = b"Noise_XX_25519_ChaChaPoly_SHA256"
        self.key, self.nonce = None, 0
        self.mix_hash(b"")
        ephemeral, static = X25519PrivateKey.generate(), X25519PrivateKey.generate()
        self.mix_hash(ephemeral.public_key().public_bytes_raw())
        self.write(ephemeral.public_key().public_bytes_raw() + self.seal(b""))
        answer = self.read()
        theirs = X25519PublicKey.from_public_bytes(answer[:32])
        self.mix_hash(answer[:32])
        self.mix_key(ephemeral.exchange(theirs))
        their_static = X25519PublicKey.from_public_bytes(self.open(answer[32:80]))
        self.mix_key(ephemeral.exchange(their_static))
        self.open(answer[80:])
        own = static.public_key().public_bytes_raw()
        sealed = self.seal(own)
        self.mix_key(static.exchange(theirs))
        public = field(1, 1) + field(2, identity.public_key().public_bytes_raw())
        payload = field(1, public) + field(2, identity.sign(b"noise-libp2p-static-key:" + own))
        self.write(sealed + self.seal(payload))
        first, second = self.derive(b"")
        self.sender, self.receiver = ChaCha20Poly1305(first), ChaCha20Poly1305(second)
        self.sent = self.received = 0

    def mix_hash(self, data):
        self.hash = hashlib.sha256(self.hash + data).digest()

    def derive(self, material):
        seed = hmac.digest(self.chain, material, "sha256")
        first = hmac.digest(seed, b"\x01", "sha256")
        return first, hmac.digest(seed, first + b"\x02", "sha256")

    def mix_key(self, material):
        self.chain, key = self.derive(material)
        self.key, self.nonce = ChaCha20Poly1305(key), 0

    def seal(self, plain):
        sealed = plain
        if self.key:
            sealed = self.key.encrypt(bytes(4) + struct.pack("<Q", self.nonce), plain, self.hash)
            self.nonce += 1
        self.mix_hash(sealed)
        return sealed

    def open(self, sealed):
        plain = self.key.decrypt(bytes(4) + struct.pack("<Q", self.nonce), sealed, self.hash)
        self.nonce += 1
        self.mix_hash(sealed)
        return plain

    def write(self, message):
        self.connection.send_raw(struct.pack(">H", len(message)) + message)

    def read(self):
        return self.connection.read_raw(struct.unpack(">H", self.connection.read_raw(2))[0])

    def send(self, plain):
        out = bytearray()
        for start in range(0, len(plain), 65519):
            sealed = self.sender.encrypt(bytes(4) + struct.pack("<Q", self.sent), plain[start:start + 65519], b"")
            self.sent += 1
            out += struct.pack(">H", len(sealed)) + sealed
        self.connection.send_raw(out)

    def receive(self):
        plain = self.receiver.decrypt(bytes(4) + struct.pack("<Q", self.received), self.read(), b"")
        self.received += 1
        return plain


class Connection:
    """A connection to the node, secured and multiplexed unless asked otherwise; `make` makes its socket."""

    def __init__(self, port, source="127.0.0.1", upgrade=True, timeout=10, node="127.0.0.1", make=socket.socket):
        self.socket = make(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self.socket.settimeout(timeout)
            self.socket.bind((source, 0))
            self.socket.connect((node, port))
        except OSError as error:
            self.socket.close()
            raise Closed(repr(error)) from None
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.plain = bytearray()
        self.streams, self.credit, self.ended = {}, {}, set()
        self.next = 1
        self.identity = Ed25519PrivateKey.generate()
        public = field(1, 1) + field(2, self.identity.public_key().public_bytes_raw())
        self.peer_id = b"\x00" + bytes([len(public)]) + public
        if upgrade:
            self.send_raw(HEADER + proposal(NOISE))
            self.read_raw(len(HEADER) + len(proposal(NOISE)))
            self.noise = Noise(self, self.identity)
            self.noise.send(HEADER + proposal("/yamux/1.0.0"))
            expected = HEADER + proposal("/yamux/1.0.0")
            while len(self.plain) < len(expected):
                self.plain += self.noise.receive()
            if self.plain[:len(expected)] != expected:
                raise Closed(f"no yamux: {bytes(self.plain)}")
            del self.plain[:len(expected)]

    # Bytes

    def send_raw(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Closed(repr(error)) from None

    def read_raw(self, size):
        while len(self.buffer) < size:
            try:
                more = self.socket.recv(65536)
            except OSError as error:
                raise Closed(repr(error)) from None
            if not more:
                raise Closed("end of connection")
            self.buffer += more
        taken = bytes(self.buffer[:size])
        del self.buffer[:size]
        return taken

    def close(self):
        self.socket.close()

    def discard(self):
        """Throws away what has come, without reading it properly, and notices an end."""
        self.socket.setblocking(False)
        try:
            while True:
                if not self.socket.recv(1 << 20):
                    raise Closed("end of connection")
        except BlockingIOError:
            pass
        except OSError as error:
            raise Closed(repr(error)) from None
        finally:
            self.socket.settimeout(10)

    # Yamux

    @staticmethod
    def frame(kind, flags, stream, length, payload=b""):
        return struct.pack(">BBHII", 0, kind, flags, stream, length) + payload

    def say(self, frames):
        self.noise.send(frames)

    def opening(self, protocol, payload=b"", flags=0):
        """The frames that open a stream, propose a protocol and already say something on it; and its number."""
        number, self.next = self.next, self.next + 2
        data = HEADER + proposal(protocol) + payload
        return number, self.frame(DATA, SYN | flags, number, len(data), data)

    def data(self, number, payload, flags=0):
        return self.frame(DATA, flags, number, len(payload), payload)

    def open(self, protocol, payload=b""):
        number, frames = self.opening(protocol, payload)
        self.say(frames)
        return number

    def read_frame(self):
        def need(size):
            while len(self.plain) < size:
                self.plain.extend(self.noise.receive())
        need(12)
        _, kind, flags, stream, length = struct.unpack(">BBHII", self.plain[:12])
        size = length if kind == DATA else 0
        need(12 + size)
        payload = bytes(self.plain[12:12 + size])
        del self.plain[:12 + size]
        if kind == WINDOW:
            self.credit[stream] = self.credit.get(stream, 0) + length
        if flags & RST:
            self.ended.add(stream)
        if kind == PING and flags & SYN:
            self.say(self.frame(PING, ACK, 0, length))
        if kind == DATA and size:
            self.say(self.frame(WINDOW, 0, stream, size))
        return kind, flags, stream, payload

    def read_stream(self, number, size):
        """So many bytes of one stream; what others say meanwhile is kept."""
        kept = self.streams.setdefault(number, bytearray())
        while len(kept) < size:
            _, flags, stream, payload = self.read_frame()
            if stream == number and flags & RST:
                raise Closed("stream reset")
            self.streams.setdefault(stream, bytearray()).extend(payload)
        taken = bytes(kept[:size])
        del kept[:size]
        return taken


class Pinger:
    """An honest peer that keeps one ping stream and measures it."""

    def __init__(self, port, **more):
        self.connection = Connection(port, **more)
        self.stream = self.connection.open(PING_PROTOCOL)
        self.connection.read_stream(self.stream, len(HEADER) + len(proposal(PING_PROTOCOL)))

    def ping(self):
        payload, begin = os.urandom(32), time.perf_counter()
        self.connection.say(self.connection.data(self.stream, payload))
        if self.connection.read_stream(self.stream, 32) != payload:
            raise Closed("another pong")
        return time.perf_counter() - begin

    def close(self):
        self.connection.close()
