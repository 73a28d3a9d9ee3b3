#!/usr/bin/env python3
"""Our daemon against the libp2p implementations of others, on loopback.

    suite.py [--peers DIR] [--ours PROGRAM] [--only WORD] [--but WORD] [--jobs N] [--table FILE] [--results FILE]
             [--keep-logs DIR]

Needs the peers that install.sh puts into DIR (default: .peers beside this file) and a built goop2-p2pd (default: the one in
the repository's folder). Prints one line a check, `ok` or `FAIL`, and in the end `N passed, N failed`; exits 0 only if none
failed. --only runs the groups whose name contains WORD (--but leaves those out), --jobs N of them beside each other: worth it
with --full, which mostly waits. --table writes the results as a Markdown table; with --results the table tells of several runs:
what this one saw replaces what FILE had of the same checks.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time

from capture import Capture, carried, ended_both
from processes import Failure, Program, run_to_end
from slow_link import SlowLink

HERE = os.path.dirname(os.path.abspath(__file__))
PING, IDENTIFY, PUSH, ECHO = "/ipfs/ping/1.0.0", "/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", "/echo/1.0.0"
KUBO_ECHO = "/x/echo/1.0.0"
NO_COMMAND = "it has no command that tells what it has learnt of others"
MEGABYTES_64 = 64 * 1024 * 1024
GREETING = 300_000  # bytes, of the drivers' half-close checks: more than a first window, so that an unread end shows

Result = collections.namedtuple("Result", "what result note seconds excerpt", defaults=(None,))


class Suite:
    """One group of checks, its programs and their logs."""
    over = threading.Event()  # the run was ended: nothing more is started

    def __init__(self, args, name, body, logs):
        self.args, self.name, self.body = args, name, body
        self.python = os.path.join(args.peers, "venv", "bin", "python")
        self.logs = os.path.join(logs, name.replace(" ", "-"))
        os.makedirs(self.logs, exist_ok=True)
        self.results = []
        self.running = []
        self.bulk_name = bulk_name(args)
        self.started = 0
        self.topics = 0

    # Parts

    def start(self, name, *command):
        if Suite.over.is_set():
            raise Failure("the run was ended")
        self.started += 1
        program = Program(f"{self.started:02}-{name}", [str(word) for word in command], self.logs)
        self.running.append(program)
        return program

    def stop(self, *programs):
        for program in programs:
            program.stop()
            self.running.remove(program)

    def stop_all(self):
        while self.running:
            self.stop(self.running[-1])

    def daemon(self, name, *options, binary=None):
        binary = ["--binary", binary] if binary else []
        peer = self.start(name, os.path.join(HERE, "go_peer.sh"), self.args.peers, *binary, "--for", 7200, *options)
        return Peer(self, peer)

    def ours(self, *options):
        return self.daemon("ours", *options, binary=self.args.ours)

    def ours_captured(self, *options):
        """Our daemon with its frame log."""
        path = os.path.abspath(os.path.join(self.logs, f"{self.started + 1:02}-frames.jsonl"))
        return self.ours(*options, "--", "-frameLog", path), Capture(path)

    def p2pd(self, *options):
        return self.daemon("p2pd", *options)

    def python_peer(self, *options):
        return Peer(self, self.start("py", self.python, os.path.join(HERE, "py_peer.py"), "listen", "--for", 7200, *options))

    def kubo(self, *options):
        return Peer(self, self.start("kubo", self.python, os.path.join(HERE, "kubo_peer.py"), self.args.peers, "--for", 7200,
                                     *options))

    def dial_from_python(self, address, *options, seconds=60):
        return run_to_end([self.python, os.path.join(HERE, "py_peer.py"), "dial", address, *map(str, options)], seconds)

    # Checks

    def check(self, what, body):
        begin = time.monotonic()
        try:
            note = body()
            result = "ok"
        except Failure as failure:
            note, result = str(failure), "FAIL"
        except Exception as error:  # a fault of the suite or of a driver must not pass, nor end the other checks
            note, result = repr(error), "FAIL"
        seconds = time.monotonic() - begin
        self.add(Result(what, result, note, seconds))
        return result == "ok"

    def add(self, result):
        self.results.append(result)
        print(f"{result.result:4} {result.what} ({result.seconds:.1f} s)" + (f": {result.note}" if result.note else ""),
              flush=True)

    def shown(self, what, capture, judge, body=None, why=""):
        """For what only the wire can tell. Does `body`, and waits until `judge` finds in the capture what it has to show."""
        begin, excerpt = time.monotonic(), None
        try:
            if body:
                body()
            note, excerpt = capture.wait(judge, 15)
            note, result = why + note, "ok"
        except Exception as error:
            note, result = str(error) if isinstance(error, Failure) else repr(error), "FAIL"
        self.add(Result(what, result, note, time.monotonic() - begin, excerpt))

    def attempt(self, what, capture, judge, body):
        """For what the other side may not be able to do: then the capture has to show it, or the check fails."""
        begin, excerpt = time.monotonic(), None
        try:
            body()
            note, result = None, "ok"
        except Exception as error:
            said = str(error) if isinstance(error, Failure) else repr(error)
            try:
                note, excerpt = capture.wait(judge)
                note, result = f"it ends both directions at the first end. By our capture: {note}", "n/a"
            except Exception as unseen:
                note, result = f"{said}; and the capture does not show that the other side cannot: {unseen}", "FAIL"
        self.add(Result(what, result, note, time.monotonic() - begin, excerpt))

    def run(self):
        try:
            self.body(self)
        except Failure as failure:
            # A part that does not start fails its whole group.
            self.add(Result(self.name, "FAIL", str(failure), 0.0))
        finally:
            self.stop_all()

    def patience(self):
        return 900 if self.args.full else 120

    def topic(self):
        self.topics += 1
        return f"topic-{self.topics}"


def bulk_name(args):
    return "1 GiB" if args.full else "64 MB"


class Peer:
    """A running peer: its id and address, and its control socket if it is a daemon."""

    def __init__(self, suite, program):
        self.suite, self.program = suite, program
        ready = program.wait_for("ready", 30)
        self.id, self.address, self.control = ready["peer_id"], ready["addrs"][0], ready.get("control")
        self.pid = ready.get("pid")  # of the daemon itself, not of its launcher

    def command(self, *words):
        return [self.suite.python, os.path.join(HERE, "go_ctl.py"), self.control, *map(str, words)]

    def ctl(self, *words, seconds=60):
        return run_to_end(self.command(*words, "--for", seconds), seconds + 10)

    def in_background(self, name, *words):
        return self.suite.start(name, *self.command(*words, "--for", 7200))

    def serve_echo(self, protocol=ECHO):
        server = self.in_background("echo-server", "echo-server", "--echo-protocol", protocol)
        server.wait_for("ready")
        return server

    def subscribe(self, topic):
        listener = self.in_background("subscription", "subscribe", topic)
        listener.wait_for("subscribed")
        return listener


def rate(events):
    echoed = [event for event in events if event["event"] == "echoed"][-1]
    return f"{echoed['mb_s']} MB/s"


def pings(suite, here, address):
    here.ctl("ping", address, "--count", suite.args.pings, "--pause", suite.args.pause, seconds=suite.patience())


def bulk(suite, here, address, *options):
    return rate(here.ctl("echo", address, *options, "--bytes", suite.args.bulk, seconds=suite.patience()))


# The groups

def dial_daemon(suite, security):
    """We dial p2pd, and p2pd dials us."""
    ours, theirs = suite.ours("--security", security), suite.p2pd("--security", security)
    ours.serve_echo()
    theirs.serve_echo()
    # p2pd closes its client's connection when the stream ends, and the stream when its client ends, also between two p2pd:
    # for the half-closes see captured_daemon.
    for here, there, title in ((ours, theirs, "ours -> p2pd"), (theirs, ours, "p2pd -> ours")):
        title = f"{title}, {security}"
        address = there.address
        if not suite.check(f"{title}: connect", lambda: here.ctl("connect", address) and None):
            continue
        if here is ours:
            suite.check(f"{title}: identify", lambda: here.ctl("protocols", address, "--expect", PING) and None)
        suite.check(f"{title}: ping", lambda: pings(suite, here, address))
        suite.check(f"{title}: echo of 1 byte", lambda: here.ctl("echo", address, "--bytes", 1) and None)
        suite.check(f"{title}: unknown protocol is refused", lambda: here.ctl("refused", address, "/none/1") and None)
        suite.check(f"{title}: 100 parallel streams of 100 kB",
                    lambda: rate(here.ctl("echo", address, "--parallel", 100, "--bytes", 100_000)))
        suite.check(f"{title}: {suite.bulk_name} there and back",
                    lambda: bulk(suite, here, address))
        behaviours(suite, title, here, address)
        suite.check(f"{title}: prune and return",
                    lambda: here.ctl("disconnect", address) and here.ctl("ping", address) and None)


HALF_CLOSES = {"answered": "half-close: the opener ends first", "end-last": "half-close: the opener ends last"}


def half_closes(suite, title, capture, peer, protocols, opens, greeter):
    """Both orders. `opens(command)` does the opener's part, `greeter` is the program that serves the streams."""
    for (command, cell), protocol in zip(HALF_CLOSES.items(), protocols):
        def body():
            opens(command)
            if command == "end-last":  # the opener's bytes behind the other side's end: somebody has to have read them
                greeter.wait_for("greeted", 5, bytes=GREETING)
        suite.attempt(f"{title}: {cell}", capture, lambda: ended_both(capture, peer, protocol, GREETING), body)


def captured_daemon(suite, security):
    """What p2pd cannot do, or cannot tell of: shown by what crossed the wire."""
    protocols = "/answer/1.0.0", "/greet/1.0.0"
    ours, capture = suite.ours_captured("--security", security)
    theirs = suite.p2pd("--security", security)
    server = theirs.serve_echo()
    ours.ctl("connect", theirs.address)
    title = f"ours -> p2pd, {security}"
    pushes(suite, title, ours, capture, theirs)
    half_closes(suite, title, capture, theirs.id, protocols, lambda command: ours.ctl(command, theirs.address), server)

    ours, capture = suite.ours_captured("--security", security)
    server = ours.serve_echo()
    theirs = suite.p2pd("--security", security)
    title = f"p2pd -> ours, {security}"
    suite.shown(f"{title}: identify", capture, lambda: carried(capture, theirs.id, IDENTIFY, opener="in", sender="out"),
                lambda: theirs.ctl("connect", ours.address), why=f"{NO_COMMAND}; ")
    half_closes(suite, title, capture, theirs.id, protocols, lambda command: theirs.ctl(command, ours.address), server)


def pushes(suite, title, ours, capture, theirs):
    """What we tell of a protocol that appears."""
    mark = capture.mark()
    suite.shown(f"{title}: push", capture, lambda: carried(capture, theirs.id, PUSH, opener="out", sender="out", since=mark),
                lambda: ours.in_background("new-protocol", "echo-server", "--echo-protocol", "/appearing/1").wait_for("ready"),
                why=f"{NO_COMMAND}; ")


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


BEHAVIOURS = (("end-first", "half-close: the opener ends first"), ("end-last", "half-close: the opener ends last"),
              ("reset", "reset in flight"), ("abandon", "abandoned streams"),
              ("stalled", "stalled readers beside live ones"))


def behaviours(suite, title, opener, address, *options, greeter=None):
    """Streams that end in unusual ways, opened by a daemon; the half-closes only with the program that serves them."""
    for command, cell in BEHAVIOURS:
        if greeter or not command.startswith("end-"):
            def body():
                opener.ctl(command, address, *options)
                if command == "end-last":
                    greeter.wait_for("greeted", 10, bytes=GREETING)
            suite.check(f"{title}: {cell}", body)


def round_trips(suite, name, security):
    """How long a known peer's first answer takes, counted over a link that is slow in both directions."""
    one_way = 0.15
    link = SlowLink(one_way)
    announced = ("--announce", f"/ip4/127.0.0.1/tcp/{link.port}")
    ours = suite.ours("--security", security)
    with socket.create_server(("127.0.0.1", 0)) as free:
        link.target = free.getsockname()[1]
    options = ("--security", security, "--port", link.target, *announced)
    theirs = suite.p2pd(*options) if name == "p2pd" else suite.kubo(*options)
    address = link.address(theirs.id)
    opening = {"noise": b"\x07/noise\n\x00\x20", "tls": b"\x0b/tls/1.0.0\n\x16\x03"}[security]

    def body():
        ours.ctl("ping", address)
        # What identify says is known from here on, so that the stream's protocol costs nothing either.
        ours.ctl("protocols", address, "--expect", PING)
        counts = []
        for _ in range(5):  # a busy machine only ever adds to one
            ours.ctl("disconnect", f"/p2p/{theirs.id}")
            before = link.accepted
            pong = ours.ctl("ping", address, "--count", 1)[-1]
            if link.accepted == before:
                raise Failure("the peer was reached by another way than the slow link")
            if opening not in link.first:
                raise Failure(f"the first flight is {link.first[:80]!r}")
            counts.append((pong["t"] - link.accepted) / (2 * one_way))
            if counts[-1] < 3:
                return f"{counts[-1]:.2f} with the work of both ends, and TCP's own"
        raise Failure(f"{min(counts):.2f} round trips, and TCP's own")
    suite.check(f"ours -> {name}, {security}: the first answer of a known peer after 2 round trips and TCP's own", body)
    link.close()


def push(suite, security):
    """A protocol that appears while we are connected reaches the other side."""
    ours, theirs = suite.ours("--security", security), suite.p2pd("--security", security)
    ours.ctl("connect", theirs.address)
    ours.ctl("protocols", theirs.address, "--expect", PING)
    theirs.serve_echo()
    suite.check(f"p2pd -> ours, {security}: push",
                lambda: ours.ctl("protocols", theirs.address, "--expect", ECHO, "--wait", 15) and None)
    python = suite.python_peer("--security", security)
    ours.ctl("connect", python.address)
    appearing = "/appearing/1"

    def arrives():
        server = ours.in_background("new-protocol", "echo-server", "--echo-protocol", appearing)
        server.wait_for("ready")
        deadline = time.monotonic() + 15
        while True:
            told = python.program.wait_for("protocols", max(0.1, deadline - time.monotonic()), peer=ours.id)
            if appearing in told["protocols"]:
                return
            python.program.events.remove(told)
    suite.check(f"ours -> py, {security}: push", arrives)
    suite.check(f"ours -> p2pd, {security}: the connection stays after a push",
                lambda: ours.ctl("echo", theirs.address, "--bytes", 1000) and None)


def dial_python(suite, security):
    """We dial py-libp2p, and py-libp2p dials us."""
    ours = suite.ours("--security", security)
    server = ours.serve_echo()
    theirs = suite.python_peer("--security", security)
    title = f"ours -> py, {security}"
    if suite.check(f"{title}: connect", lambda: ours.ctl("connect", theirs.address) and None):
        suite.check(f"{title}: identify", lambda: ours.ctl("protocols", theirs.address, "--expect", PING) and None)
        suite.check(f"{title}: ping", lambda: pings(suite, ours, theirs.address))
        suite.check(f"{title}: {suite.bulk_name} there and back",
                    lambda: bulk(suite, ours, theirs.address))
        suite.check(f"{title}: 100 parallel streams of 100 kB",
                    lambda: rate(ours.ctl("echo", theirs.address, "--parallel", 100, "--bytes", 100_000, seconds=120)))

        behaviours(suite, title, ours, theirs.address, greeter=theirs.program)
        suite.check(f"{title}: prune and return",
                    lambda: ours.ctl("disconnect", theirs.address) and ours.ctl("ping", theirs.address) and None)

    def from_python(*options):
        return suite.dial_from_python(ours.address, "--security", security, *options, "--for", suite.patience() - 10,
                                      seconds=suite.patience()) and None
    suite.check(f"py -> ours, {security}: connect", lambda: from_python("--do", ""))
    for what in ("identify", "push"):
        suite.check(f"py -> ours, {security}: {what}", lambda: from_python("--do", what))
    suite.check(f"py -> ours, {security}: ping", lambda: from_python(
        "--do", "ping", "--count", suite.args.pings, "--every", suite.args.pause))
    for command, cell in BEHAVIOURS:
        suite.check(f"py -> ours, {security}: {cell}", lambda: from_python("--do", command) or (
            command == "end-last" and server.wait_for("greeted", 10, bytes=GREETING) and None) or None)
    suite.check(f"py -> ours, {security}: {suite.bulk_name} there and back",
                lambda: from_python("--do", "echo", "--bytes", suite.args.bulk))
    suite.check(f"py -> ours, {security}: 100 parallel streams of 100 kB",
                lambda: from_python("--do", "echo", "--parallel", 100, "--bytes", 100_000))


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
    suite.check(f"kubo -> ours, {title}: prune and return", returns)
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
        suite.check(f"ours -> kubo, {title}: prune and return",
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


def gossip_rate(suite, name, security, we_dial):
    """A hundred messages a second each way, and all of them arrive."""
    topic, count = suite.topic(), suite.args.gossip_seconds * 100
    ours = suite.ours("--security", security)
    listener = ours.subscribe(topic)
    if name == "p2pd":
        theirs = suite.p2pd("--security", security)
        their_listener = theirs.subscribe(topic)
    elif name == "kubo":
        theirs = suite.kubo("--security", security, "--topic", topic)
        their_listener = theirs.program
    else:
        theirs = suite.python_peer("--security", security, "--topic", topic)
        their_listener = theirs.program
    title = f"ours -> {name}" if we_dial else f"{name} -> ours"

    def body():
        if we_dial:
            ours.ctl("connect", theirs.address)
        elif name == "p2pd":
            theirs.ctl("connect", ours.address)
        else:
            theirs.program.tell(f"connect {ours.address}")
            theirs.program.wait_for("obeyed", 20, ok=True)
        deadline = time.monotonic() + 20
        while theirs.id not in ours.ctl("topic-peers", topic)[-1]["peers"]:
            if time.monotonic() > deadline:
                raise Failure("their subscription did not arrive")
            time.sleep(0.2)
        time.sleep(2.5)  # both meshes
        limit = suite.args.gossip_seconds * 2 + 30
        sender = suite.start("rate", *ours.command("rate", topic, "ours", "--count", count, "--every", 0.01, "--for", limit))
        if name == "p2pd":
            their_sender = suite.start("rate", *theirs.command(
                "rate", topic, name, "--count", count, "--every", 0.01, "--for", limit))
            their_sender.wait_for("rate", limit)
        else:
            theirs.program.tell(f"rate {topic} {name} {count} 0.01")
            theirs.program.wait_for("obeyed", limit, line=f"rate {topic} {name} {count} 0.01")
        sender.wait_for("rate", limit)
        for program, word in ((listener, name), (their_listener, "ours")):
            got = program.collect(lambda event: event["data"] if event.get("event") == "message"
                                  and str(event.get("data", "")).startswith(word + " ") else None, count)
            if len(got) != count:
                raise Failure(f"{len(got)} of {count} messages of {word} arrived")
        return f"{count} each way"
    suite.check(f"{title}, {security}: gossip, 100 messages a second", body)


def comings_and_goings(suite, name, security):
    """Both dial at once; restarts of either side with its identity."""
    with tempfile.TemporaryDirectory() as folder:
        def their_peer():
            if name == "p2pd":
                return suite.p2pd("--security", security, "--state", os.path.join(folder, "theirs"))
            if name == "kubo":
                return suite.kubo("--security", security, "--repo", os.path.join(folder, "repo"))
            return suite.python_peer("--security", security, "--seed", "the same")

        def they_dial(theirs, address):
            if name == "p2pd":
                return theirs.ctl("connect", address)
            line = f"connect {address}"
            deadline = time.monotonic() + 20
            while True:  # after a failure it may hold back for a while
                theirs.program.events = [e for e in theirs.program.events if e.get("event") != "obeyed"]
                theirs.program.tell(line)
                said = theirs.program.wait_for("obeyed", 20, line=line)
                if said["ok"]:
                    return
                if time.monotonic() > deadline:
                    raise Failure(f"{name} cannot connect: {said.get('error')}, {said.get('causes')}")
                time.sleep(1)
        ours = suite.ours("--security", security, "--state", os.path.join(folder, "ours"))
        theirs = their_peer()

        def crossing():
            for _ in range(4):
                dial = subprocess.Popen(ours.command("connect", theirs.address), stdout=subprocess.DEVNULL)
                they_dial(theirs, ours.address)
                if dial.wait(30):
                    raise Failure("our dial failed")
                ours.ctl("ping", f"/p2p/{theirs.id}", "--count", 3)
                ours.ctl("disconnect", f"/p2p/{theirs.id}")
        for title in (f"ours -> {name}", f"{name} -> ours"):
            suite.check(f"{title}, {security}: both dial at once", crossing)

        def they_return():
            they_dial(theirs, ours.address)
            ours.ctl("disconnect", f"/p2p/{theirs.id}")
            they_dial(theirs, ours.address)
            ours.ctl("ping", f"/p2p/{theirs.id}", "--count", 3)
        if name == "py":
            suite.check(f"py -> ours, {security}: prune and return", they_return)

        def they_restart():
            nonlocal theirs
            ours.ctl("ping", theirs.address)
            before = theirs.id
            suite.stop(theirs.program)
            theirs = their_peer()
            if theirs.id != before:
                raise Failure("it has another identity")
            ours.ctl("ping", theirs.address, "--count", 3)
        suite.check(f"ours -> {name}, {security}: restart", they_restart)

        def we_restart():
            nonlocal ours
            they_dial(theirs, ours.address)
            before, before_address = ours.id, ours.address
            suite.stop(ours.program)
            # On the port it had: py-libp2p, for one, avoids a peer for minutes once its old address has failed.
            port = before_address.split("/tcp/")[1].split("/")[0]
            ours = suite.ours("--security", security, "--state", os.path.join(folder, "ours"), "--port", port)
            if ours.id != before:
                raise Failure("we have another identity")
            they_dial(theirs, ours.address)
            ours.ctl("ping", f"/p2p/{theirs.id}", "--count", 3)
        suite.check(f"{name} -> ours, {security}: restart", we_restart)


def connected(kubo, address):
    if not kubo.program.wait_for("connected", 30, addr=address)["ok"]:
        raise Failure("kubo could not connect")


def gossip(suite):
    """One topic over three implementations that know one another only through us."""
    topic = suite.topic()
    ours = suite.ours()
    listener = ours.subscribe(topic)
    p2pd = suite.p2pd()
    p2pd_listener = p2pd.subscribe(topic)
    p2pd.ctl("connect", ours.address)
    kubo = suite.kubo("--topic", topic, "--connect", ours.address, "--publish", "from-kubo", "--count", 1, "--after", 12)
    connected(kubo, ours.address)
    python = suite.python_peer("--topic", topic)
    ours.ctl("connect", python.address)
    everyone = {"ours": listener, "p2pd": p2pd_listener, "kubo": kubo.program, "py": python.program}

    def all_subscribed():
        deadline = time.monotonic() + 20
        wanted = {p2pd.id, kubo.id, python.id}
        while True:
            peers = set(ours.ctl("topic-peers", topic)[-1]["peers"])
            if wanted <= peers:
                return None
            if time.monotonic() > deadline:
                raise Failure(f"subscribed are {len(wanted & peers)} of 3")
            time.sleep(0.3)
    suite.check("gossip: p2pd, kubo and py tell us their subscriptions", all_subscribed)
    suite.check("gossip: p2pd sees our subscription", lambda: None if ours.id in p2pd.ctl(
        "topic-peers", topic)[-1]["peers"] else _fail("we are not among its peers of the topic"))
    time.sleep(3)  # heartbeats of all of them: the mesh must have formed for what follows

    def arrives(sender, text):
        def body():
            for name, program in everyone.items():
                if name != sender:
                    program.wait_for("message", 15, data=text)
        return body
    ours.ctl("publish", topic, "from-ours", "--count", 1)
    suite.check("gossip: what we publish reaches p2pd, kubo and py", arrives("ours", "from-ours"))
    p2pd.ctl("publish", topic, "from-p2pd", "--count", 1)
    suite.check("gossip: what p2pd publishes reaches us, and through us kubo and py", arrives("p2pd", "from-p2pd"))
    suite.check("gossip: what kubo publishes reaches us, and through us p2pd and py", arrives("kubo", "from-kubo"))
    suite.dial_from_python(ours.address, "--do", "gossip", "--topic", topic, "--publish", "from-py", "--linger", 2)
    suite.check("gossip: what py publishes reaches us, and through us p2pd and kubo", arrives("another py", "from-py"))


def hardship(suite):
    """Readers that do not read, peers that die, dials that cross."""
    ours, theirs = suite.ours(), suite.p2pd()
    server = ours.serve_echo()
    theirs.serve_echo()

    def slow_reader():
        client = suite.start("slow-reader", *ours.command(
            "echo", theirs.address, "--bytes", MEGABYTES_64, "--stall", 4, "--for", 100))
        time.sleep(3.5)
        held = memory(ours.pid)
        client.wait_for("echoed", 60)
        if held > 250:
            raise Failure(f"our daemon holds {held} MB of it")
        return f"{held} MB resident meanwhile"
    suite.check("a client that does not read 64 MB for 4 s: bounded memory, and nothing lost", slow_reader)

    def crossing_dials():
        slowest = 0.0
        for _ in range(8):
            begin = time.monotonic()
            dials = [subprocess.Popen(one.command("connect", two.address), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                     for one, two in ((ours, theirs), (theirs, ours))]
            if any([dial.wait(30) for dial in dials]):
                raise Failure("a dial failed")
            slowest = max(slowest, time.monotonic() - begin)
            ours.ctl("echo", theirs.address, "--bytes", 10_000)
            theirs.ctl("echo", ours.address, "--bytes", 10_000)
            ours.ctl("disconnect", theirs.address)
        return f"the slowest took {slowest:.1f} s, two Python programs included"
    suite.check("p2pd and we dial each other at the same time, 8 times: streams work both ways", crossing_dials)

    def handler_goes():
        suite.stop(server)
        deadline = time.monotonic() + 5
        while True:  # the daemon may still be noticing that its client is gone
            try:
                theirs.ctl("refused", ours.address, ECHO)
                break
            except Failure:
                if time.monotonic() > deadline:
                    raise
        theirs.ctl("ping", ours.address)
    suite.check("our client that serves a protocol goes: p2pd's next stream is refused, the connection stays", handler_goes)

    with tempfile.TemporaryDirectory() as state:
        mortal = suite.p2pd("--state", state)
        mortal.serve_echo()

        def dies():
            client = suite.start("victim", *ours.command("echo", mortal.address, "--bytes", 8 * MEGABYTES_64, "--for", 100))
            client.wait_for("echoing", 30)
            time.sleep(0.3)
            os.kill(mortal.pid, signal.SIGKILL)
            begin = time.monotonic()
            client.wait_for("failed", 15)
            return f"the client knew after {time.monotonic() - begin:.1f} s"
        suite.check("p2pd is killed in the middle of a transfer: the client's stream ends", dies)
        suite.stop(mortal.program)

        def returns():
            again = suite.p2pd("--state", state)
            if again.id != mortal.id:
                raise Failure("it has another identity")
            again.serve_echo()
            ours.ctl("echo", again.address, "--bytes", 10_000)
        suite.check("p2pd is back under the same identity at another port: we reach it", returns)


def memory(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmRSS:"))


def _fail(text):
    raise Failure(text)


def ours_alone(suite):
    """Two of our own daemons, and the daemon's own manners."""
    one, two = suite.ours(), suite.ours()
    one.serve_echo()
    suite.check("ours -> ours: ping", lambda: two.ctl("ping", one.address) and None)
    suite.check("ours -> ours: 100 parallel streams of 100 kB",
                lambda: rate(two.ctl("echo", one.address, "--parallel", 100, "--bytes", 100_000)))
    suite.check(f"ours -> ours: {suite.bulk_name} there and back",
                lambda: bulk(suite, two, one.address))
    suite.check("a peer that is not there is an error with its address", lambda: unreachable(two))
    suite.check("SIGTERM ends our daemon and removes the control socket", lambda: removes_its_socket(suite))
    suite.check("an unknown flag is an error that names the nearest one", lambda: names_the_flag(suite))
    if suite.args.captures:
        suite.check("a capture of streams that end in order shows neither an early end nor a push", lambda: in_order(suite, one))


def in_order(suite, served):
    """What the judges of captures must not take for what they look for."""
    ours, capture = suite.ours_captured()
    for command, protocol in zip(HALF_CLOSES, ("/answer/1.0.0", "/greet/1.0.0")):
        ours.ctl(command, served.address)
        refuses(lambda: ended_both(capture, served.id, protocol, GREETING))
    capture.wait(lambda: carried(capture, served.id, IDENTIFY, opener="in", sender="out"))
    refuses(lambda: carried(capture, served.id, PUSH, opener="out", sender="out"))
    refuses(lambda: carried(capture, served.id, IDENTIFY, opener="in", sender="out", since=capture.mark()))


def refuses(judge):
    try:
        found = judge()
    except Failure:
        return
    raise Failure(f"it shows: {found}")


def removes_its_socket(suite):
    # Without the launcher, which would clean up by itself.
    with tempfile.TemporaryDirectory() as folder:
        control = os.path.join(folder, "control.sock")
        log = open(os.path.join(suite.logs, "flags.log"), "w")
        daemon = subprocess.Popen([suite.args.ours, "-listen", f"/unix{control}", "-hostAddrs", "/ip4/127.0.0.1/tcp/0"],
                                  stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            for line in daemon.stdout:
                if line.startswith("/ip4/127.0.0.1/tcp/"):
                    break
            if not stat.S_ISSOCK(os.stat(control).st_mode):
                raise Failure("the control address is no socket")
            if os.stat(control).st_mode & 0o077:
                raise Failure("others may use the control socket")
            daemon.terminate()
            if daemon.wait(10) != 0:
                raise Failure(f"exit status {daemon.returncode}")
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Failure(str(error)) from None
        finally:
            daemon.kill()
            daemon.wait()
            log.close()
        if os.path.exists(control):
            raise Failure("the control socket is still there")


def names_the_flag(suite):
    done = subprocess.run([suite.args.ours, "-lisen", "x"], capture_output=True, text=True, timeout=10)
    if done.returncode == 0 or "-listen" not in done.stderr:
        raise Failure(f"exit status {done.returncode}, and on standard error: {done.stderr[:200]}")


def unreachable(daemon):
    nobody = "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"
    try:
        daemon.ctl("connect", nobody)
    except Failure as failure:
        if "/ip4/127.0.0.1/tcp/1" not in str(failure):
            raise Failure(f"the error names no address: {failure}") from None
        return None
    raise Failure("it says that it has connected")


CELLS = ("connect", "identify", "push", "ping", "100 parallel streams of 100 kB", "BULK there and back",
         "half-close: the opener ends first",
         "half-close: the opener ends last", "reset in flight", "abandoned streams", "stalled readers beside live ones",
         "gossip, 100 messages a second", "both dial at once", "restart", "prune and return")


def write_table(path, args, results):
    results = {result.what: result for result in results}
    columns = [(title, security) for peer in ("p2pd", "kubo", "py") for title in (f"ours -> {peer}", f"{peer} -> ours")
               for security in ("noise", "tls")]
    notes = {}  # by its text, a note's number and its excerpt
    with open(path, "w") as file:
        file.write("# Interoperability, as last run\n\n")
        file.write("Written by `interop/run --table docs/interop.md`. One machine, loopback; `ours` is goop2-p2pd, the peers are p2pd\n"
                   "(go-libp2p 0.32.1), kubo 0.22.0 (go-libp2p 0.29.2) and py-libp2p 0.8.1, see `interop/README.md`. `a -> b`: a has\n"
                   "dialled, and opens the streams. A number is a note below. Beside `ok`: the other side has no way to tell, and what\n"
                   "crossed the wire shows it; alone: the other side cannot, and what crossed the wire shows that. It is seen by the\n"
                   "frame log of our daemon (`goop2-p2pd -frameLog`): the run fails where the frames show anything else.\n\n")
        if args.full:
            file.write("At full length: 1 GiB there and back, ten minutes of pings, ten minutes of gossip.\n\n")
        file.write("| | " + " | ".join(f"{title}, {security}" for title, security in columns) + " |\n")
        file.write("| --- |" + " --- |" * len(columns) + "\n")
        for cell in CELLS:
            cell = cell.replace("BULK", bulk_name(args))
            row = []
            for title, security in columns:
                what = f"{title}, {security}: {cell}"
                result = results.get(what, Result(what, "", None, 0))
                text = result.result
                if result.excerpt:
                    note = re.sub(r"\d+ of (\d+)", r"only part of \1", result.note)  # the same for every security protocol
                    number, _ = notes.setdefault(note, (len(notes) + 1, result))
                    text = f"ok ({number})" if text == "ok" else f"({number})"
                row.append(text)
            file.write(f"| {cell} | " + " | ".join(row) + " |\n")
        file.write("\n")
        for note, (number, result) in notes.items():
            file.write(f"{number}. {note}. Here {result.what}:\n\n   ```text\n")
            file.write("".join(f"   {line}\n" for line in result.excerpt) + "   ```\n")
        file.write("\n## Everything, with times\n\nRates are of both ends and their Python drivers together: a floor, not a benchmark."
                   + (" `ours` was a debug build here." if "debug" in args.ours else "") + "\n\n")
        file.write("| check | result | seconds | seen |\n| --- | --- | --- | --- |\n")
        for result in results.values():
            note = (result.note or "").replace("|", "/").replace("\n", "; ")
            file.write(f"| {result.what} | {result.result} | {result.seconds:.1f} | {note} |\n")
        file.write("\n" + summary(results.values()) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=os.path.join(HERE, ".peers"))
    parser.add_argument("--ours", default=os.path.join(HERE, "..", "goop2-p2pd"))
    parser.add_argument("--security", default="noise,tls", help="the security protocols to try")
    parser.add_argument("--only", default="")
    parser.add_argument("--but")
    parser.add_argument("--jobs", type=int, default=1, help="groups run beside each other")
    parser.add_argument("--table")
    parser.add_argument("--results", metavar="FILE", help="JSON: keeps what was seen from one run to the next")
    parser.add_argument("--keep-logs")
    parser.add_argument("--full", action="store_true", help="1 GiB each way, ten minutes of pings and of gossip: hours, fewer with --jobs")
    args = parser.parse_args()
    args.bulk = 16 * MEGABYTES_64 if args.full else MEGABYTES_64
    args.pings, args.pause = (600, 1) if args.full else (10, 0)
    args.gossip_seconds = 600 if args.full else 3
    args.peers, args.ours = os.path.abspath(args.peers), os.path.abspath(args.ours)
    args.captures = os.path.basename(args.ours) != "p2pd"  # in our place it has none to show
    for needed, hint in ((args.ours, "make p2pd"), (os.path.join(args.peers, "bin", "p2pd"), "interop/install.sh DIR")):
        if not os.access(needed, os.X_OK):
            sys.exit(f"interop: no {needed}: {hint}")

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    logs = args.keep_logs or tempfile.mkdtemp(prefix="interop-")
    suites = [Suite(args, name, body, logs) for name, body in groups(args)
              if args.only in name and not (args.but and args.but in name)]
    pool = concurrent.futures.ThreadPoolExecutor(args.jobs)
    try:
        for ran in [pool.submit(suite.run) for suite in suites]:
            ran.result()
    finally:
        Suite.over.set()
        pool.shutdown(wait=False, cancel_futures=True)
        for suite in suites:
            suite.stop_all()
        if not args.keep_logs:
            shutil.rmtree(logs, ignore_errors=True)
    results = [result for suite in suites for result in suite.results]
    print(summary(results))
    seen = remembered(args.results, results) if args.results else results
    if args.table:
        write_table(args.table, args, seen)
    counts = collections.Counter(result.result for result in results)
    sys.exit(1 if counts["FAIL"] or not counts["ok"] else 0)


def groups(args):
    """The groups of checks: a name, and what does them with a suite."""
    yield "ours", ours_alone
    for security in args.security.split(","):
        yield f"p2pd {security}", lambda suite, s=security: dial_daemon(suite, s)
        if args.captures:
            yield f"p2pd {security} captures", lambda suite, s=security: captured_daemon(suite, s)
            yield f"kubo {security} captures", lambda suite, s=security: captured_kubo(suite, s)
        yield f"py {security}", lambda suite, s=security: dial_python(suite, s)
        yield f"kubo {security}", lambda suite, s=security: dial_kubo(suite, s)
        for name in ("p2pd", "kubo", "py"):
            if name != "py":  # it announces no other address than its own, so there is a shorter way than the slow link
                yield f"{name} {security} round trips", lambda suite, n=name, s=security: round_trips(suite, n, s)
            yield f"{name} {security} comings", lambda suite, n=name, s=security: comings_and_goings(suite, n, s)
            for we_dial in (True, False):
                title = f"{name} {security} gossip" + (", we dial" if we_dial else ", they dial")
                yield title, lambda suite, n=name, s=security, w=we_dial: gossip_rate(suite, n, s, w)
        yield f"push {security}", lambda suite, s=security: push(suite, s)
    yield "hardship", hardship
    yield "gossip", gossip


def remembered(path, results):
    """Of all runs that kept their results in the same file, the latest of each check."""
    seen = {}
    if os.path.exists(path):
        with open(path) as file:
            seen = {fields[0]: Result(*fields) for fields in json.load(file)}
    seen.update((result.what, result) for result in results)
    with open(path + ".new", "w") as file:
        json.dump(list(seen.values()), file, indent=0)
    os.replace(path + ".new", path)
    return list(seen.values())


def summary(results):
    counts = collections.Counter(result.result for result in results)
    return (f"{counts['ok']} passed, {counts['FAIL']} failed, {counts['n/a']} that the other side cannot do, "
            "which a capture shows")


if __name__ == "__main__":
    main()
