"""A small synchronous client of the libp2p daemon control protocol (docs/protocols.md, "Daemon control protocol").

Written for measuring: blocking sockets, no copies beyond the kernel's, nothing between the driver and the daemon.
"""
import os
import socket
import tempfile
import threading

IDENTIFY, CONNECT, STREAM_OPEN, STREAM_HANDLER, DISCONNECT = 0, 1, 2, 3, 7
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class ControlError(Exception):
    pass


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def fields(data):
    """The fields of one message: [(number, int or bytes)]."""
    def number(at):
        value = shift = 0
        while True:
            byte = data[at]
            value |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                return value, at
    out, at = [], 0
    while at < len(data):
        tag, at = number(at)
        if tag & 7 == 0:
            value, at = number(at)
        else:
            size, at = number(at)
            value, at = data[at:at + size], at + size
        out.append((tag >> 3, value))
    return out


def receive_exactly(connection, size):
    data = bytearray()
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ControlError(f"the daemon closed after {len(data)} of {size} bytes")
        data += part
    return bytes(data)


def receive_message(connection):
    size = shift = 0
    while True:
        byte = receive_exactly(connection, 1)[0]
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return receive_exactly(connection, size)


def base58_bytes(text):
    value = 0
    for character in text:
        value = value * 58 + BASE58.index(character)
    body = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return b"\0" * (len(text) - len(text.lstrip("1"))) + body


def multiaddr_bytes(text):
    """/ip4/A/tcp/P only, and /unix/PATH: what a benchmark needs."""
    if text.startswith("/unix/"):
        path = text[5:].encode()
        return varint(400) + varint(len(path)) + path
    _, ip4, address, tcp, port = text.split("/")[:5]
    assert (ip4, tcp) == ("ip4", "tcp"), text
    return b"\x04" + socket.inet_aton(address) + b"\x06" + int(port).to_bytes(2, "big")


class Daemon:
    """One running daemon, reached through its control socket."""

    def __init__(self, path):
        self.path = path

    def dial(self):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(120)
        connection.connect(self.path)
        return connection

    def request(self, connection, kind, number=None, body=b""):
        message = field(1, kind) + (field(number, body) if number else b"")
        connection.sendall(varint(len(message)) + message)
        answer = fields(receive_message(connection))
        if dict(answer).get(1) == 1:
            raise ControlError(dict(fields(dict(answer).get(2, b""))).get(1, b"?").decode(errors="replace"))
        return answer

    def connect(self, connection, peer, addresses):
        body = field(1, base58_bytes(peer)) + b"".join(field(2, multiaddr_bytes(a)) for a in addresses)
        self.request(connection, CONNECT, 2, body)

    def disconnect(self, connection, peer):
        self.request(connection, DISCONNECT, 7, field(1, base58_bytes(peer)))

    def open_stream(self, peer, protocol):
        connection = self.dial()
        self.request(connection, STREAM_OPEN, 3, field(1, base58_bytes(peer)) + field(2, protocol))
        return connection

    def handle(self, protocol, handler):
        """Runs handler(socket) in a thread for each inbound stream, as long as the returned socket stays open."""
        folder = tempfile.mkdtemp()
        path = os.path.join(folder, "s")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        listener.listen(256)
        control = self.dial()
        self.request(control, STREAM_HANDLER, 4, field(1, multiaddr_bytes("/unix" + path)) + field(2, protocol) + field(3, 0))

        def serve(connection):
            with connection:
                receive_message(connection)  # StreamInfo
                handler(connection)

        def accept():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()
        threading.Thread(target=accept, daemon=True).start()
        return control
