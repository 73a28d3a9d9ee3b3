"""Connections and streams with p2pd and py-libp2p, both ways: identify, ping, echoes, half-closes, resets, stalls, pushes."""
import socket
import time

from capture import carried, ended_both
from processes import Failure
from slow_relay import SlowRelay
from stage import ECHO, GREETING, IDENTIFY, NO_COMMAND, PING, PUSH, bulk, pings, rate

HALF_CLOSES = {"answered": "half-close: the opener ends first", "end-last": "half-close: the opener ends last"}
BEHAVIOURS = (("end-first", "half-close: the opener ends first"), ("end-last", "half-close: the opener ends last"),
              ("reset", "reset in flight"), ("abandon", "abandoned streams"),
              ("stalled", "stalled readers beside live ones"))


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
        suite.check(f"{title}: disconnect and return",
                    lambda: here.ctl("disconnect", address) and here.ctl("ping", address) and None)


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
    """How many round trips the first answer takes, of an unknown and of a known peer: flights counted at a slow link."""
    link = SlowRelay(0.15)
    announced = ("--announce", f"/ip4/127.0.0.1/tcp/{link.port}")
    with socket.create_server(("127.0.0.1", 0)) as free:
        link.target = free.getsockname()[1]
    options = ("--security", security, "--port", link.target, *announced)
    theirs = suite.p2pd(*options) if name == "p2pd" else suite.kubo(*options)
    address = link.address(theirs.id)
    proposal = {"noise": b"\x07/noise\n", "tls": b"\x0b/tls/1.0.0\n"}[security]
    presumption = proposal + {"noise": b"\x00\x20", "tls": b"\x16\x03"}[security]

    def least(expected, measure, opening):
        """Of several counts: a busy machine tears flights in two, but does not lose one."""
        counts = []
        for _ in range(5):
            before = link.connections
            answered = measure()
            if link.connections == before:
                raise Failure("the peer was reached by another way than the slow link")
            if not opening(link.first):
                raise Failure(f"the first flight is {link.first[:80]!r}")
            counts.append(link.flights.round_trips(until=answered["t"]) + 1)
            if counts[-1] <= expected:
                return f"{counts[-1]}, TCP's own among them"
        raise Failure(f"{min(counts)} round trips, TCP's own among them")

    def unknown():
        # A daemon of its own each time, for which the peer is a stranger. Identify is the first to be answered there: its answer
        # follows the proposal, as that of a stream does which is opened lazily.
        ours = suite.ours("--security", security)
        told = ours.ctl("protocols", address, "--expect", PING)[-1]
        suite.stop(ours.program)
        return told
    suite.check(f"ours -> {name}, {security}: the first answer of an unknown peer after 3 round trips and TCP's own",
                lambda: least(4, unknown, lambda first: first.endswith(proposal)))

    ours = suite.ours("--security", security)

    def known():
        ours.ctl("disconnect", f"/p2p/{theirs.id}")
        return ours.ctl("ping", address, "--count", 1)[-1]

    def after_a_meeting():
        ours.ctl("ping", address)
        # What identify says is known from here on, so that the stream's protocol costs nothing either.
        ours.ctl("protocols", address, "--expect", PING)
        return least(3, known, lambda first: presumption in first)
    suite.check(f"ours -> {name}, {security}: the first answer of a known peer after 2 round trips and TCP's own",
                after_a_meeting)
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
        suite.check(f"{title}: disconnect and return",
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
