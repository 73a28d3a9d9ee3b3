"""Our daemon's own manners, and hardship: readers that do not read, peers that die, dials that cross."""
import os
import signal
import stat
import subprocess
import tempfile
import time

from capture import carried, ended_both, refuses
from processes import Failure
from stage import ECHO, GREETING, IDENTIFY, MEGABYTES_64, PUSH, bulk, memory, rate
from streams import HALF_CLOSES


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
