"""What the groups of checks stand on: a group with its programs and logs, a peer of it, and what a check gives."""
import collections
import contextlib
import itertools
import os
import threading
import time

from capture import Capture
from processes import Failure, Program, run_to_end

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
        self.numbers = itertools.count(1)
        self.topics = 0

    # Parts

    def start(self, name, *command):
        if Suite.over.is_set():
            raise Failure("the run was ended")
        program = Program(f"{next(self.numbers):02}-{name}", [str(word) for word in command], self.logs)
        self.running.append(program)
        if Suite.over.is_set():  # the end of the run came between the question above and the start
            self.stop_all()
            raise Failure("the run was ended")
        return program

    def stop(self, *programs):
        for program in programs:
            with contextlib.suppress(ValueError):  # at the end of the run another thread may have it in hand
                self.running.remove(program)
            program.stop()

    def stop_all(self):
        """From the group's own thread, and at Ctrl-C from the main one as well: each program is taken by one of them."""
        while True:
            try:
                program = self.running.pop()
            except IndexError:
                return
            program.stop()

    def daemon(self, name, *options, binary=None):
        binary = ["--binary", binary] if binary else []
        peer = self.start(name, os.path.join(HERE, "go_peer.sh"), self.args.peers, *binary, "--for", 7200, *options)
        return Peer(self, peer)

    def ours(self, *options):
        return self.daemon("ours", *options, binary=self.args.ours)

    def ours_captured(self, *options):
        """Our daemon with its frame log."""
        path = os.path.abspath(os.path.join(self.logs, f"{next(self.numbers):02}-frames.jsonl"))
        return self.ours(*options, "--", "-frameLog", path), Capture(path)

    def p2pd(self, *options):
        return self.daemon("p2pd", *options)

    def python_peer(self, *options):
        return Peer(self, self.start("py", self.python, os.path.join(HERE, "py_peer.py"), "listen", "--for", 7200, *options))

    def kubo(self, *options):
        # Go reads its environment as it starts: with this kubo says in its log when it drops a message.
        return Peer(self, self.start("kubo", "env", "GOLOG_LOG_LEVEL=error,pubsub=debug", self.python,
                                     os.path.join(HERE, "kubo_peer.py"), self.args.peers, "--for", 7200, *options))

    def dial_from_python(self, address, *options, seconds=60):
        return run_to_end([self.python, os.path.join(HERE, "py_peer.py"), "dial", address, *map(str, options)], seconds)

    # Checks

    def check(self, what, body):
        """`body` gives nothing, a note, or a note with lines that show what the other side could not do."""
        begin, excerpt = time.monotonic(), None
        try:
            note, result = body(), "ok"
            if isinstance(note, tuple):
                (note, excerpt), result = note, "n/a"
        except Failure as failure:
            note, result = str(failure), "FAIL"
        except Exception as error:  # a fault of the suite or of a driver must not pass, nor end the other checks
            note, result = repr(error), "FAIL"
        seconds = time.monotonic() - begin
        self.add(Result(what, result, note, seconds, excerpt))
        return result != "FAIL"

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


def memory(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmRSS:"))


def connected(kubo, address):
    if not kubo.program.wait_for("connected", 30, addr=address)["ok"]:
        raise Failure("kubo could not connect")


def fail(text):
    raise Failure(text)
