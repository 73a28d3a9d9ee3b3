#!/usr/bin/env python3
"""Attacks on a running node, each measured: resident memory, an honest peer's round trips, and the way back.

    suite.py [--peers DIR] [--ours PROGRAM] [--goop2 PROGRAM] [--only WORD] [--seconds S] [--table FILE]

Starts goop2-p2pd for each attack, lets an honest peer ping it two hundred times a second from 127.0.0.1, and attacks from other
loopback addresses in processes of their own; what multicasts has a LAN of namespaces instead, see multicast.py. A check fails if
the node dies, loses the honest peer, grows by more than 64 MB, or takes longer than --patience seconds until a newcomer is served
as before. Where there is more than one processor, the attackers have all but the first, and the node and the honest peer the
first: so what the honest peer feels is what the node does with the attack, and not that attackers took the processor from it. The
honest peer's p99 is told, not judged: on a busy machine it says more about the machine. Exits 0 only if nothing failed.
"""
import argparse
import collections
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

import figures
import multicast
from hostile import ACK, DATA, FIN, GO_AWAY, HEADER, PING, RST, SYN, WINDOW, Closed, Connection, Pinger, field, prefixed
from hostile import GOSSIP, IDENTIFY, NOISE, PING_PROTOCOL, PUSH, TLS, client_hello, proposal, varint
from measuring import PROCESSORS, Target, done, judge, noted

HERE = os.path.dirname(os.path.abspath(__file__))
TOPIC = "attacked"
ATTACKS = {}
attack = noted(ATTACKS)


def persistently(port, source, until, body):
    """Runs body(connection) over and over until the time is up, on a new connection whenever the old one is closed."""
    while time.monotonic() < until:
        try:
            connection = Connection(port, source)
        except Closed:
            time.sleep(0.02)
            continue
        try:
            while time.monotonic() < until:
                body(connection)
                done(1)
                connection.discard()
        except Closed:
            pass
        finally:
            connection.close()


@attack("for comparison: attackers that only keep the processor busy")
def busy(port, source, until):
    while time.monotonic() < until:
        os.urandom(10_000)
        done(1)


# Connections and handshakes

def hold_open(port, source, until, words):
    """Opens connections, says the words on each, and then nothing more."""
    held = []
    while time.monotonic() < until:
        try:
            connection = Connection(port, source, upgrade=False)
            connection.send_raw(words)
            held.append(connection)
            done(1)
        except Closed:
            time.sleep(0.01)
        if len(held) > 400:
            held.pop(0).close()


@attack("half-open handshakes: connections that stop after the first words")
def half_open(port, source, until):
    hold_open(port, source, until, HEADER + proposal(NOISE))


@attack("slow handshakes: a byte every 50 ms")
def slow_handshake(port, source, until):
    held, words = [], HEADER + proposal(NOISE)
    while time.monotonic() < until:
        if len(held) < 64:
            try:
                held.append([Connection(port, source, upgrade=False), 0])
                done(1)
            except Closed:
                pass
        for entry in list(held):
            try:
                entry[0].send_raw(words[entry[1] % len(words):][:1])
                entry[1] += 1
            except Closed:
                held.remove(entry)
        time.sleep(0.05)


@attack("handshakes: complete ones, as many as go")
def handshakes(port, source, until):
    while time.monotonic() < until:
        try:
            Connection(port, source).close()
            done(1)
        except Closed:
            pass


@attack("garbage instead of a handshake")
def garbage(port, source, until):
    while time.monotonic() < until:
        try:
            connection = Connection(port, source, upgrade=False)
            connection.send_raw(random.choice((b"", HEADER, HEADER + proposal(NOISE))) + os.urandom(3000))
            connection.close()
            done(1)
        except Closed:
            pass


# TLS

@attack("TLS, half-open: half a ClientHello and then silence")
def tls_half_open(port, source, until):
    hello = client_hello()
    hold_open(port, source, until, HEADER + proposal(TLS) + hello[:len(hello) // 2])


@attack("TLS: a record of 16 KiB of garbage")
def tls_garbage(port, source, until):
    agreement, size = HEADER + proposal(TLS), 1 << 14
    # Nothing that is known, or what claims to be a ClientHello that fills the record.
    beginnings = b"", b"\x01" + (size - 4).to_bytes(3, "big")
    while time.monotonic() < until:
        try:
            connection = Connection(port, source, upgrade=False, timeout=1)
        except Closed:
            time.sleep(0.01)
            continue
        try:
            record = random.choice(beginnings)
            record += os.urandom(size - len(record))
            connection.send_raw(agreement + b"\x16\x03\x01" + size.to_bytes(2, "big") + record)
            done(1)
            # Whoever closes before everything is read resets, and what was sent may be lost unread.
            while True:
                connection.read_raw(1)
        except Closed:
            pass
        finally:
            connection.close()


@attack("TLS: ClientHellos, as many as go, left when they are answered")
def tls_hellos(port, source, until):
    agreement, hello = HEADER + proposal(TLS), client_hello()
    while time.monotonic() < until:
        try:
            connection = Connection(port, source, upgrade=False, timeout=1)
        except Closed:
            time.sleep(0.01)
            continue
        try:
            connection.send_raw(agreement + hello)
            # With the first bytes of its answer the node has agreed on a key and signed.
            connection.read_raw(len(agreement) + 5)
            done(1)
        except Closed:
            pass
        finally:
            connection.close()


# Yamux

@attack("slow reader: asks for pongs and never reads them")
def slow_reader(port, source, until):
    held = []  # what was written to until nothing more went out stays open, unread
    while time.monotonic() < until:
        try:
            connection = Connection(port, source)
            held.append(connection)
            connection.socket.settimeout(0.2)
            streams = [connection.open(PING_PROTOCOL) for _ in range(200)]
            while time.monotonic() < until:
                connection.say(b"".join(connection.data(stream, os.urandom(320)) for stream in streams))
                done(1)
        except Closed:
            time.sleep(0.1)


@attack("slow writer: a thousand streams, a byte each, now and then")
def slow_writer(port, source, until):
    def body(connection):
        streams = [connection.open(PING_PROTOCOL) for _ in range(500)]
        while time.monotonic() < until:
            connection.say(b"".join(connection.data(stream, b"x") for stream in streams))
            done(1)
            connection.discard()
            time.sleep(0.5)
    persistently(port, source, until, body)


@attack("windows: huge credit, empty frames, more data than credit")
def windows(port, source, until):
    def body(connection):
        number = connection.open(PING_PROTOCOL)
        kind = random.randrange(3)
        if kind == 0:
            connection.say(connection.frame(WINDOW, 0, number, 0xFFFFFFFF) * 100)
        elif kind == 1:
            connection.say(connection.frame(DATA, 0, number, 0) * 500)
        else:
            connection.say(connection.data(number, bytes(400_000)))
    persistently(port, source, until, body)


@attack("ping floods of Yamux and of the ping protocol")
def ping_flood(port, source, until):
    def body(connection):
        number = connection.open(PING_PROTOCOL)
        for _ in range(20):
            connection.say(connection.frame(PING, SYN, 0, 7) * 50 + connection.data(number, os.urandom(320)))
            connection.discard()
        connection.say(connection.frame(DATA, RST, number, 0))
    persistently(port, source, until, body)


@attack("rapid resets: streams opened and reset in the same breath")
def rapid_reset(port, source, until):
    def body(connection):
        out = b""
        for _ in range(200):
            number, frames = connection.opening(random.choice((PING_PROTOCOL, IDENTIFY, GOSSIP)))
            out += frames + connection.frame(DATA, RST, number, 0)
        connection.say(out)
    persistently(port, source, until, body)


@attack("streams that are opened and then forgotten")
def forgotten(port, source, until):
    def body(connection):
        for _ in range(100):
            number, connection.next = connection.next, connection.next + 2
            connection.say(connection.frame(WINDOW, SYN, number, 0))
    persistently(port, source, until, body)


@attack("RST and FIN for streams that never were")
def reset_storm(port, source, until):
    def body(connection):
        connection.say(b"".join(connection.frame(random.choice((DATA, WINDOW)), random.choice((RST, FIN, ACK)),
                                                 random.randrange(1, 1 << 32), 0) for _ in range(500)))
    persistently(port, source, until, body)


@attack("lengths of 32 and 64 bits")
def lengths(port, source, until):
    huge = (varint((1 << 63) - 1), varint((1 << 64) - 1), b"\xff" * 10, varint(1 << 31))

    def body(connection):
        kind = random.randrange(4)
        if kind == 0:
            connection.say(connection.frame(DATA, SYN, 1, 0xFFFFFFFF))
        elif kind == 1:
            number, connection.next = connection.next, connection.next + 2
            data = random.choice(huge) + b"/multistream/1.0.0\n"
            connection.say(connection.frame(DATA, SYN, number, len(data), data))
        else:
            protocol = PUSH if kind == 2 else GOSSIP
            connection.open(protocol, random.choice(huge) + os.urandom(1000))
    persistently(port, source, until, body)


@attack("go-aways and frames of unknown kinds")
def unknown(port, source, until):
    def body(connection):
        connection.say(connection.frame(random.choice((GO_AWAY, 4, 200)), random.randrange(16), 0, random.randrange(9)))
    persistently(port, source, until, body)


# Protocols

@attack("multistream: thousands of proposals, and garbage")
def multistream(port, source, until):
    def body(connection):
        number, connection.next = connection.next, connection.next + 2
        words = random.choice((b"".join(proposal(f"/no/{n}") for n in range(400)), os.urandom(4000),
                               proposal("ls") * 400, proposal("/" + "x" * 60_000)))
        connection.say(connection.frame(DATA, SYN, number, len(HEADER + words), HEADER + words))
    persistently(port, source, until, body)


def identify_bomb_message():
    address = b"\x04\x0a\x00\x00\x01\x06\x10\x00"
    return b"".join(field(2, address[:5] + bytes([n >> 8 & 255]) + b"\x06" + bytes([n & 255, 1])) for n in range(400)) \
        + b"".join(field(3, f"/bomb/{n}/" + "x" * 40) for n in range(400)) + field(6, "agent" * 500)


@attack("identify bombs: pushes of hundreds of addresses and protocols")
def identify_bomb(port, source, until):
    message = prefixed(identify_bomb_message()[:60_000])

    def body(connection):
        number, frames = connection.opening(PUSH, message)
        connection.say(frames + connection.frame(DATA, FIN, number, 0))
        time.sleep(0.001)
    persistently(port, source, until, body)


def identify_answer():
    """As much as one answer may bring: ten messages of almost 8 KiB, of long names of protocols and of addresses."""
    messages = []
    for n in range(10):
        body = bytearray()
        for m in range(33):
            body += field(3, f"/bomb/{n}/{m}/".ljust(200, "x"))
        for m in range(128):
            body += field(2, bytes([4, 8, 8, n, m, 6, 16, 1]))
        messages.append(prefixed(bytes(body) + field(6, "agent".ljust(200, "x"))))
    return b"".join(messages)


@attack("identify: the node's question answered as hugely as is allowed, on ever new connections")
def identify_answered(port, source, until):
    answer, held = HEADER + proposal(IDENTIFY) + identify_answer(), []
    while time.monotonic() < until:
        try:
            connection = Connection(port, source, timeout=1)
        except Closed:
            time.sleep(0.01)
            continue
        # Who hangs up at once is not read to the end: the latest stay.
        held.append(connection)
        if len(held) > 8:
            held.pop(0).close()
        said = collections.defaultdict(bytes)
        try:
            asked = None
            while asked is None:
                _, _, stream, payload = connection.read_frame()
                said[stream] += payload
                if proposal(IDENTIFY) in said[stream]:
                    asked = stream
            pieces = [answer[start:start + 16_000] for start in range(0, len(answer), 16_000)]
            connection.say(b"".join(connection.data(asked, piece) for piece in pieces)
                           + connection.frame(DATA, FIN, asked, 0))
            done(1)
        except Closed:
            pass


@attack("identify: asked hundreds of times a second, never read")
def identify_asked(port, source, until):
    def body(connection):
        for _ in range(100):
            connection.open(IDENTIFY)
    persistently(port, source, until, body)


def gossip_flood(build, repeat=1):
    def run(port, source, until):
        def body(connection):
            hello = prefixed(field(1, field(1, 1) + field(2, TOPIC)))
            number = connection.open(GOSSIP, hello)
            connection.credit[number] = 200_000  # of the first 256 KiB
            round_ = 0
            while time.monotonic() < until:
                rpc = prefixed(build(connection, round_)) * repeat
                round_ += 1
                # Credit given is credit used: anything more would only end the connection.
                while connection.credit[number] < len(rpc):
                    connection.read_frame()
                    if number in connection.ended:
                        # `persistently` throws unread bytes away, and with them the place in the cipher.
                        raise Closed("stream reset")
                connection.credit[number] -= len(rpc)
                done(repeat)
                for start in range(0, len(rpc), 16_000):
                    connection.say(connection.data(number, rpc[start:start + 16_000]))
        persistently(port, source, until, body)
    return run


def control(*fields):
    return field(3, b"".join(fields))


def ids(connection, round_, count):
    return [connection.peer_id + (round_ * count + n).to_bytes(8, "big") for n in range(count)]


ATTACKS["gossip: GRAFT flood"] = (gossip_flood(lambda c, n: control(field(3, field(1, TOPIC))), 50), 2)
ATTACKS["gossip: PRUNE flood with absurd back-offs"] = (gossip_flood(
    lambda c, n: control(field(4, field(1, TOPIC) + field(3, (1 << 64) - 1)), field(3, field(1, TOPIC))), 50), 2)
ATTACKS["gossip: IHAVE flood of ids that do not exist"] = (gossip_flood(
    lambda c, n: control(field(1, field(1, TOPIC) + b"".join(field(2, i) for i in ids(c, n, 200))))), 2)
ATTACKS["gossip: IWANT flood"] = (gossip_flood(
    lambda c, n: control(field(2, b"".join(field(1, i) for i in ids(c, n, 200))))), 2)
ATTACKS["gossip: IDONTWANT flood"] = (gossip_flood(
    lambda c, n: control(field(5, b"".join(field(1, i) for i in ids(c, n, 200))))), 2)
ATTACKS["gossip: SUBSCRIBE flood of unique topics"] = (gossip_flood(
    lambda c, n: b"".join(field(1, field(1, 1) + field(2, f"{n}-{i}")) for i in range(500))), 2)
ATTACKS["gossip: messages with bad signatures"] = (gossip_flood(lambda c, n: field(2, (
    field(1, c.peer_id) + field(2, os.urandom(1000)) + field(3, n.to_bytes(8, "big")) + field(4, TOPIC)
    + field(5, os.urandom(64)))), 5), 2)
ATTACKS["gossip: real messages, as fast as they can be signed"] = (gossip_flood(lambda c, n: field(2, signed(c, n))), 2)


def signed(connection, number):
    body = field(1, connection.peer_id) + field(2, os.urandom(500)) + field(3, number.to_bytes(8, "big")) + field(4, TOPIC)
    return body + field(5, connection.identity.sign(b"libp2p-pubsub:" + body))


def measure(args, name):
    if name in multicast.ATTACKS:
        return multicast.measure(args, name)
    body, workers = ATTACKS[name]
    with tempfile.TemporaryDirectory() as folder:
        control_address = f"/unix{folder}/control.sock"
        log = open(os.path.join(folder, "log"), "w+")
        node = subprocess.Popen([args.ours, "-listen", control_address, "-hostAddrs", "/ip4/127.0.0.1/tcp/0", "-pubsub",
                                 "-pubsubRouter", "gossipsub"], stdout=subprocess.PIPE, stderr=log, text=True)
        subscriber = None
        try:
            port = next(int(line.split("/tcp/")[1]) for line in node.stdout if line.startswith("/ip4/127.0.0.1/tcp/"))
            subscriber = subprocess.Popen([sys.executable, os.path.join(HERE, "..", "interop", "go_ctl.py"),
                                           f"{folder}/control.sock", "subscribe", TOPIC, "--for", "300"],
                                          stdout=subprocess.PIPE, stderr=log, text=True)
            # Only a node that has joined the topic can be attacked there.
            if not any('"subscribed"' in line for line in subscriber.stdout):
                return "FAIL", "nobody could subscribe", None
            # Read on, so that the subscriber never waits for us, and the node never for it.
            threading.Thread(target=collections.deque, args=(subscriber.stdout, 0), daemon=True).start()
            target = Target(node.pid, node.poll, lambda: Pinger(port), lambda n: (port, f"127.0.0.{2 + n}"))
            return judge(args, target, body, workers)
        finally:
            for process in (subscriber, node):
                if process:
                    process.kill()
                    process.wait()
            log.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=os.path.join(HERE, "..", "interop", ".peers"))
    parser.add_argument("--ours", default=os.path.join(HERE, "..", "goop2-p2pd"))
    parser.add_argument("--goop2", default=os.path.join(HERE, "..", "goop2"), help="for attacks by multicast")
    parser.add_argument("--only", default="")
    parser.add_argument("--seconds", type=float, default=4, help="how long an attack lasts")
    parser.add_argument("--patience", type=float, default=5, help="seconds until the node must serve as before")
    parser.add_argument("--table", help="write the figures into this Markdown page, between its marks")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    os.sched_setaffinity(0, PROCESSORS[:1])
    rows, failed = [], 0
    for name in (*ATTACKS, *multicast.ATTACKS):
        if args.only not in name:
            continue
        if name in multicast.ATTACKS and os.geteuid() != 0:
            # Under CI what cannot run is a failure.
            failed += bool(os.environ.get("CI"))
            print(f"skip {name} -- network namespaces need root", flush=True)
            continue
        result, why, seen = measure(args, name)
        failed += result != "ok"
        rows.append((name, result, why, seen))
        said = "" if seen is None else (
            f": {seen['acts']:,.0f}/s, {seen['growth']:+.0f} MB, p99 {seen['quiet']:.1f} -> {seen['attacked']:.1f} ms, "
            f"back after {seen['recovery'] or float('nan'):.1f} s")
        print(f"{result:4} {name}{said}" + (f" -- {why}" if why else ""), flush=True)
    if args.table:
        os.sched_setaffinity(0, PROCESSORS)  # the line about the machine says how many there are
        figures.write(args.table, rows, [*ATTACKS], [*multicast.ATTACKS])
    print(f"{sum(row[1] == 'ok' for row in rows)} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
