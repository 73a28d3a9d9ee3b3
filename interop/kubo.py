"""The same with kubo, whose streams are those of TCP clients: it opens them at ports that it forwards."""
import socket
import struct
import threading
import time

from capture import carried
from processes import Failure
from stage import GREETING, KUBO_ECHO, MEGABYTES_64, PING, PUSH, bulk, connected, pings, rate
from streams import behaviours, half_closes, pushes


def captured_kubo(suite, security):
    """The same for kubo, whose streams are those of TCP clients."""
    ours, capture = suite.ours_captured("--security", security)
    theirs = suite.kubo("--security", security, "--echo")
    ours.ctl("connect", theirs.address)
    title = f"ours -> kubo, {security}"
    pushes(suite, title, ours, capture, theirs)
    half_closes(suite, title, capture, theirs.id, ("/x/answer", "/x/greet"),
                lambda command: ours.ctl(command, theirs.address, "--echo-protocol", "/x/echo"), theirs.program)

    ours, capture = suite.ours_captured("--security", security)
    server = ours.serve_echo(KUBO_ECHO)
    # What kubo announces changes when it loses its relay. Names count as public addresses, which a relay has to have.
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    name = f"/dns4/localhost/tcp/{port}"
    relay = suite.p2pd("--security", security, "--relay", "--port", port, "--announce", name)
    protocols = "/x/answer/1.0.0", "/x/greet/1.0.0"
    theirs = suite.kubo("--security", security, "--use-relay", f"{name}/p2p/{relay.id}", "--connect", ours.address,
                        *(word for protocol in protocols for word in ("--forward", protocol)))
    connected(theirs, ours.address)
    doors = [theirs.program.wait_for("forwarded", 10, protocol=protocol)["port"] for protocol in protocols]
    title = f"kubo -> ours, {security}"
    half_closes(suite, title, capture, theirs.id, protocols,
                lambda command: ends_first_through(doors[0]) if command == "answered" else ends_last_through(doors[1]), server)

    def loses_its_relay():
        nonlocal mark
        deadline = time.monotonic() + 20
        while not any(relay.id in str(event.get("peer")) for event in theirs.program.events):
            if time.monotonic() > deadline:
                raise Failure("kubo has not found its relay")
            theirs.program.drain()
            time.sleep(0.2)
        time.sleep(2)  # the reservation, which it tells of too
        mark = capture.mark()
        suite.stop(relay.program)
    mark = 0
    suite.shown(f"{title}: push", capture, lambda: carried(capture, theirs.id, PUSH, opener="in", sender="in", since=mark),
                loses_its_relay)


def dial_kubo(suite, security):
    """We dial kubo with its RSA identity, and kubo dials us."""
    ours = suite.ours("--security", security)
    # kubo opens streams of protocols below /x/ for its own TCP clients.
    ours.serve_echo(KUBO_ECHO)
    theirs = suite.kubo("--security", security, "--echo", "--connect", ours.address, "--forward", KUBO_ECHO)
    title = f"{security}"
    suite.check(f"kubo -> ours, {title}: connect", lambda: connected(theirs, ours.address))
    suite.check(f"kubo -> ours, {title}: identify",
                lambda: ours.ctl("protocols", f"/p2p/{theirs.id}", "--expect", PING) and None)
    door = theirs.program.wait_for("forwarded", 10)["port"]
    suite.check(f"kubo -> ours, {title}: 100 parallel streams of 100 kB",
                lambda: echo_through(door, size=100_000, parallel=100))
    suite.check(f"kubo -> ours, {title}: {suite.bulk_name} there and back",
                lambda: echo_through(door, size=suite.args.bulk, seconds=suite.patience()))
    suite.check(f"kubo -> ours, {title}: ping", lambda: pings(suite, ours, f"/p2p/{theirs.id}"))
    suite.check(f"kubo -> ours, {title}: reset in flight", lambda: resets_through(door))
    suite.check(f"kubo -> ours, {title}: abandoned streams", lambda: abandons_through(door))
    suite.check(f"kubo -> ours, {title}: stalled readers beside live ones", lambda: stalls_through(door))

    def returns():
        ours.ctl("disconnect", f"/p2p/{theirs.id}")
        theirs.program.tell(f"connect {ours.address}")
        theirs.program.wait_for("obeyed", 20, line=f"connect {ours.address}", ok=True)
        echo_through(door, size=100_000)
    suite.check(f"kubo -> ours, {title}: disconnect and return", returns)
    # No address: what follows runs over the connection that kubo dialled.
    suite.check(f"ours over kubo's connection, {title}: ping",
                lambda: pings(suite, ours, f"/p2p/{theirs.id}"))
    suite.check(f"ours over kubo's connection, {title}: 100 parallel streams of 100 kB", lambda: rate(ours.ctl(
        "echo", f"/p2p/{theirs.id}", "--echo-protocol", "/x/echo", "--parallel", 100, "--bytes", 100_000)))
    suite.check(f"ours over kubo's connection, {title}: {suite.bulk_name} there and back",
                lambda: bulk(suite, ours, f"/p2p/{theirs.id}", "--echo-protocol", "/x/echo"))
    other = suite.ours("--security", security)
    if suite.check(f"ours -> kubo, {title}: connect", lambda: other.ctl("connect", theirs.address) and None):
        suite.check(f"ours -> kubo, {title}: ping", lambda: pings(suite, other, theirs.address))
        suite.check(f"ours -> kubo, {title}: 100 parallel streams of 100 kB", lambda: rate(other.ctl(
            "echo", theirs.address, "--echo-protocol", "/x/echo", "--parallel", 100, "--bytes", 100_000)))
        suite.check(f"ours -> kubo, {title}: {suite.bulk_name} there and back",
                    lambda: bulk(suite, other, theirs.address, "--echo-protocol", "/x/echo"))
        suite.check(f"ours -> kubo, {title}: identify",
                    lambda: other.ctl("protocols", theirs.address, "--expect", PING) and None)
        behaviours(suite, f"ours -> kubo, {title}", other, theirs.address, "--echo-protocol", "/x/echo")
        suite.check(f"ours -> kubo, {title}: disconnect and return",
                    lambda: other.ctl("disconnect", theirs.address) and other.ctl("ping", theirs.address) and None)


def echo_through(port, size, parallel=1, seconds=120):
    """Echoes over TCP connections to a port that kubo forwards: every connection is a stream that kubo opens to us."""
    payload = (bytes(range(251)) * (size // 251 + 1))[:size]
    failures, all_there, begin = [], threading.Barrier(parallel), time.monotonic()

    def one():
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
                # The first byte there and back shows that the stream is open; all of them are before the rest flows.
                connection.sendall(payload[:1])
                back = bytearray(connection.recv(1))
                all_there.wait(seconds)
                sender = threading.Thread(target=connection.sendall, args=(memoryview(payload)[1:],), daemon=True)
                sender.start()
                while len(back) < size and (data := connection.recv(1 << 20)):
                    back += data
                sender.join(seconds)
            if back != payload:
                failures.append(f"{len(back)} of {size} bytes came back, or others")
        except (OSError, threading.BrokenBarrierError) as error:
            failures.append(repr(error))
            all_there.abort()
    streams = [threading.Thread(target=one, daemon=True) for _ in range(parallel)]
    for stream in streams:
        stream.start()
    for stream in streams:
        stream.join(max(0.1, seconds - (time.monotonic() - begin)))
    if any(stream.is_alive() for stream in streams):
        failures.append(f"not done within {seconds} s")
    if failures:
        raise Failure(f"{len(failures)} of {parallel} failed: {failures[0]}")
    return f"{size * parallel / (time.monotonic() - begin) / 1e6:.1f} MB/s"


def resets_through(door):
    """TCP resets of kubo's clients become resets of its streams, with megabytes under way."""
    for _ in range(5):
        connection = socket.create_connection(("127.0.0.1", door), timeout=10)
        connection.settimeout(0.2)
        try:
            connection.sendall(bytes(MEGABYTES_64))
        except TimeoutError:
            pass
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    return echo_through(door, size=100_000)


def abandons_through(door):
    left = [socket.create_connection(("127.0.0.1", door), timeout=10) for _ in range(20)]
    for connection in left[:10]:
        connection.sendall(b"and then nothing")
    note = echo_through(door, size=100_000)
    for connection in left:
        connection.close()
    return note


def stalls_through(door):
    size, stalled = 6_000_000, [socket.create_connection(("127.0.0.1", door), timeout=30) for _ in range(5)]
    senders = [threading.Thread(target=one.sendall, args=(bytes(size),), daemon=True) for one in stalled]
    for sender in senders:
        sender.start()
    time.sleep(0.5)
    note = echo_through(door, size=300_000, parallel=20)
    for one in stalled:
        left = size
        while left and (data := one.recv(1 << 20)):
            left -= len(data)
        one.close()
        if left:
            raise Failure(f"{left} bytes of a stalled stream are missing")
    return note


def ends_first_through(door):
    with socket.create_connection(("127.0.0.1", door), timeout=10) as connection:
        connection.sendall(bytes(GREETING))
        connection.shutdown(socket.SHUT_WR)
        back = bytes_to_end(connection)
    if back != GREETING:
        raise Failure(f"after our end {back} of {GREETING} bytes came back")


def ends_last_through(door):
    with socket.create_connection(("127.0.0.1", door), timeout=10) as connection:
        greeted = bytes_to_end(connection)
        if greeted != GREETING:
            raise Failure(f"{greeted} of {GREETING} bytes of the greeting came")
        connection.sendall(bytes(GREETING))
        connection.shutdown(socket.SHUT_WR)


def bytes_to_end(connection):
    count = 0
    while data := connection.recv(1 << 20):
        count += len(data)
    return count
