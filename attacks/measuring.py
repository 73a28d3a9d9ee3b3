"""What an attack does to a node: resident memory, an honest peer's round trips, and the way back."""
import contextlib
import multiprocessing
import os
import signal
import time

from hostile import Closed

acts = multiprocessing.Value("q", 0)
PROCESSORS = sorted(os.sched_getaffinity(0))
# Between two pings of the honest peer, in seconds: 800 are begun in the four of an attack, so that p99 stands on eight of them.
PERIOD = 0.005


def noted(attacks):
    """The decorator that notes an attack in this table by its name, with the number of processes that do it."""
    def attack(name, workers=2):
        def note(body):
            attacks[name] = (body, workers)
            return body
        return note
    return attack


def done(count):
    """Counts what attackers did, for the table."""
    with acts.get_lock():
        acts.value += count


def memory(pid, field="VmRSS"):
    """MB that a process holds, or with VmHWM the most that it held since `forget_peak`; 0 of one that has ended."""
    try:
        with open(f"/proc/{pid}/status") as status:
            return next((int(line.split()[1]) / 1024 for line in status if line.startswith(field)), 0.0)
    except FileNotFoundError:
        return 0.0


def forget_peak(pid):
    with open(f"/proc/{pid}/clear_refs", "w") as file:
        file.write("5")


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


class Target:
    """A node that runs, and how to come to it."""

    def __init__(self, pid, ended, pinger, place):
        # ended() is None while the node runs; pinger() is a new honest peer; place(n) is what the n-th attacker is told.
        self.pid, self.ended, self.pinger, self.place = pid, ended, pinger, place

    def serve(self, limit):
        """Lets a newcomer come and go. True if it was served within `limit` ms each time; may raise Closed."""
        newcomer = self.pinger()
        try:
            return max(newcomer.ping() for _ in range(5)) * 1000 <= limit
        finally:
            newcomer.close()


def ahead():
    """Puts this process before all others of its processor, where it may: what it does stands for another machine, which would not
    wait for the node's. Without the right to it the figures tell of such waits too."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        pass


class Meter:
    """An honest peer, in a process of its own, that pings the node until it is stopped and keeps how long that took."""

    def __init__(self, pinger):
        self.times, self.failure = [], None
        self.pipe, its = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=self.measure, args=(pinger, its), daemon=True)
        self.process.start()
        its.close()

    @staticmethod
    def measure(pinger, pipe):
        ahead()
        times, failure = [], None
        try:
            peer = pinger()
            due = ended = time.monotonic()
            while not pipe.poll(max(0, due - ended)):
                # One long wait holds up pings that were due in it: each of them has waited since then.
                began = due if due < ended else time.monotonic()
                peer.ping()
                ended = time.monotonic()
                times.append((began, ended - began))
                due += PERIOD
        except (Closed, OSError) as error:
            failure = repr(error)
        pipe.send((times, failure))

    def stop(self):
        """The times, in seconds, each with the instant at which it began to be taken; and why there are no more, or None."""
        with contextlib.suppress(OSError):  # if the node has thrown it out, it has ended, and what it sent is here
            self.pipe.send("stop")
        try:
            if self.pipe.poll(15):
                self.times, self.failure = self.pipe.recv()
            else:
                self.failure = "no answer within 15 s"
        except (EOFError, OSError) as error:
            self.failure = f"its process has ended: {error!r}"
        self.process.kill()
        self.process.join()
        return self

    def since(self, begin, end=float("inf")):
        return [duration for instant, duration in self.times if begin <= instant < end]


def apart(body, *arguments):
    """An attacker, on the processors that are the attackers'."""
    os.sched_setaffinity(0, PROCESSORS[1:] or PROCESSORS)
    body(*arguments)


def judge(args, target, body, workers):
    """Attacks for `args.seconds`; returns the result, why, and the figures: None if the quiet node is not fit to be attacked."""
    time.sleep(1)
    meter = Meter(target.pinger)
    begin = time.monotonic()
    time.sleep(args.seconds)
    before, acts.value = memory(target.pid), 0
    forget_peak(target.pid)
    attacked = time.monotonic()
    until = time.monotonic() + args.seconds
    attackers = [multiprocessing.Process(target=apart, args=(body, *target.place(n), until), daemon=True)
                 for n in range(workers)]
    for attacker in attackers:
        attacker.start()
    for attacker in attackers:
        attacker.join(max(0.1, until - time.monotonic()) + 2)
        if attacker.is_alive():
            attacker.kill()
            attacker.join()
    ended = time.monotonic()
    meter.stop()
    quiet, times = meter.since(begin, attacked), meter.since(attacked, ended)
    if not quiet:
        return "FAIL", f"the quiet node: {meter.failure}", None
    # The way back: a newcomer is served, as fast as before.
    recovered, limit, obstacle = None, max(50, 2 * percentile(quiet, 0.99)), ""
    while recovered is None and time.monotonic() - ended < args.patience:
        try:
            obstacle = f"round trips took more than {limit:.0f} ms, or what comes before them"
            if target.serve(limit):
                recovered = time.monotonic() - ended
        except Closed as closed:
            obstacle = str(closed)
            time.sleep(0.05)
    # The kernel's own peak: what was held between two looks, or while no pong came, counts too.
    figures = dict(acts=acts.value / args.seconds, growth=memory(target.pid, "VmHWM") - before,
                   quiet=percentile(quiet, 0.99), attacked=percentile(times or [0.0], 0.99), recovery=recovered)
    if target.ended() is not None:
        return "FAIL", f"the node has ended with {target.ended()}", figures
    # An attack that did not take place has been withstood by nobody.
    broken = [attacker.exitcode for attacker in attackers if attacker.exitcode not in (0, -signal.SIGKILL)]
    if broken or not acts.value:
        return "FAIL", f"the attackers did nothing, or broke off: exit codes {broken}", figures
    if meter.failure:
        return "FAIL", f"the honest peer: {meter.failure}", figures
    if figures["growth"] > 64:
        return "FAIL", f"grew by {figures['growth']:.0f} MB", figures
    if recovered is None or recovered > args.patience:
        return "FAIL", f"no newcomer was served as before within {args.patience} s: {obstacle}", figures
    return "ok", "", figures
