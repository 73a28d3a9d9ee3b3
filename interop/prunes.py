"""PRUNE and GRAFT with each of the others, by our frame log: they prune us, and we are back after the back-off that they told."""
import concurrent.futures
import os
import tempfile
import time

from capture import Capture, refuses
from processes import Failure
from stage import Result

LEAVES = "prune and return: it leaves the topic, and comes back"
REFUSES = "prune and return: it refuses our GRAFT under its back-off"
PRUNE_BACK_OFF = 15  # seconds, of py: the others have no option for their 60


# What the capture shows

def rpcs(capture, peer, since=0):
    """The RPCs with this peer, both ways, as they crossed the wire."""
    found = [line for line in capture.lines()[since:] if line.get("peer") == peer and "rpc" in line]
    for line in found:
        if line.get("long") or line.get("malformed") or line.get("untold"):
            raise Failure(f"an RPC of {line['rpc']} bytes is not told as a whole")
    return found


def pruned(capture, peer, topic, since=0):
    """Shows that a PRUNE with a back-off came. Gives the RPCs from it on, and the back-off in seconds."""
    found = rpcs(capture, peer, since)
    for number, line in enumerate(found):
        entry = next((entry for entry in line.get("prune", ()) if entry["topic"] == topic), None)
        if entry and line["dir"] == "in":
            if not entry.get("backoff"):
                raise Failure("its PRUNE tells no back-off")
            return found[number:], entry["backoff"]
    raise Failure("the capture has no PRUNE from it")


def refused(capture, peer, topic):
    """Shows that we sent GRAFT, and its PRUNE followed."""
    rest, _ = pruned(capture, peer, topic)
    asked = [line for line in rpcs(capture, peer) if grafts(line, topic, "out") and line["ms"] <= rest[0]["ms"]]
    if not asked:
        raise Failure("its PRUNE came without a GRAFT of ours")
    return asked[-1]


def returned(capture, peer, topic, since=0):
    """Shows that after the PRUNE that came nobody sent GRAFT before its back-off was over, and that one of us did then.

    Gives the RPCs from the PRUNE on, the place of the GRAFT among them, and the back-off.
    """
    rest, back_off = pruned(capture, peer, topic, since)
    over = rest[0]["ms"] + back_off * 1000
    for line in rest:
        if grafts(line, topic, "out") and line["ms"] < over:
            raise Failure(f"we sent GRAFT {(over - line['ms']) / 1000:.3f} s before its back-off of {back_off} s was over")
    place = next((number for number, line in enumerate(rest) if grafts(line, topic)), None)
    if place is None:
        raise Failure(f"nobody has sent GRAFT, {(rest[-1]['ms'] - rest[0]['ms']) / 1000:.1f} s after its PRUNE")
    if any(entry["topic"] == topic for line in rest[1:] for entry in line.get("prune", ())):
        raise Failure("another PRUNE followed")
    return rest, place, back_off


def back(capture, peer, topic, since=0, lead=None):
    """Shows a return, and that messages went both ways behind it which nobody had to ask for. Gives a note and an excerpt."""
    rest, place, back_off = returned(capture, peer, topic, since)
    behind = rest[place:]
    if any("want" in line for line in behind):
        raise Failure("a message behind the GRAFT had to be asked for with IWANT")
    told = {way: next((line for line in behind if line["dir"] == way and "messages" in line), None) for way in ("in", "out")}
    if None in told.values():
        raise Failure(f"no message went {'in' if told['in'] is None else 'out'} behind the GRAFT")
    grafter = "we" if rest[place]["dir"] == "out" else "it"
    shown = ([lead] if lead else []) + [line for line in rest[:place + 1] if mesh_text(line, topic)]
    shown += sorted(told.values(), key=lambda line: line["ms"])
    excerpt = [f"{line['ms']:9.2f} ms  {line['dir']:3}  {mesh_text(line, topic) or 'a message'}" for line in shown]
    return (f"by our capture: its PRUNE said {back_off} s, {grafter} sent GRAFT when they were over, and messages went both ways "
            "unasked", excerpt)


def grafts(line, topic, way=None):
    return topic in line.get("graft", ()) and way in (None, line["dir"])


def mesh_text(line, topic):
    """What an RPC says about who follows the topic, and who is in its mesh."""
    words = [word for name, word in (("subscribe", "subscribes"), ("unsubscribe", "unsubscribes"), ("graft", "GRAFT"))
             if topic in line.get(name, ())]
    words += [f"PRUNE, back-off {entry.get('backoff', 'not told')} s" for entry in line.get("prune", ()) if entry["topic"] == topic]
    return ", ".join(words)


class Altered(Capture):
    """A capture with something taken away or put in."""

    def __init__(self, capture, change):
        super().__init__(capture.path)
        self.change = change

    def lines(self):
        return self.change(super().lines())


def sees_what_is_wrong(capture, peer, topic, since):
    """A return that was found good is none without its PRUNE, nor with a GRAFT of ours a millisecond too early."""
    rest, _, back_off = returned(capture, peer, topic, since)
    early = {**rest[0], "ms": rest[0]["ms"] + back_off * 1000 - 1, "dir": "out", "graft": [topic]}
    del early["prune"]
    refuses(lambda: returned(Altered(capture, lambda lines: [line for line in lines if line != rest[0]]), peer, topic, since))
    refuses(lambda: returned(Altered(capture, lambda lines: lines + [early]), peer, topic, since))


# Those who take part

class Theirs:
    """The other implementation: one peer that follows the topic."""

    def __init__(self, suite, name, topic):
        self.suite, self.name, self.topic = suite, name, topic
        if name == "p2pd":
            self.peer = suite.p2pd()
            self.listener = self.peer.subscribe(topic)
        else:
            # py counts a back-off in whole seconds, and so sends GRAFT up to a second too early: it is to send none.
            self.peer = suite.kubo("--topic", topic) if name == "kubo" else suite.python_peer(
                "--topic", topic, "--passive", "--prune-back-off", PRUNE_BACK_OFF)
            self.listener = self.peer.program
        self.id = self.peer.id
        self.next = None

    def obey(self, line):
        program = self.peer.program
        program.events = [event for event in program.events if event.get("line") != line]
        program.tell(line)
        if not program.wait_for("obeyed", 20, line=line)["ok"]:
            raise Failure(f"{self.name} failed at '{line}'")

    def leave(self):
        if self.name != "p2pd":
            return self.obey(f"leave {self.topic}")
        # The program that is to come back is up by then: the back-off does not wait for it.
        self.next = self.peer.in_background("subscription", "subscribe", self.topic, "--at-line")
        self.next.wait_for("waiting")
        self.suite.stop(self.listener)

    def join(self):
        if self.name != "p2pd":
            return self.obey(f"join {self.topic}")
        self.listener = self.next
        self.listener.tell("now")
        self.listener.wait_for("subscribed")

    def let_go(self, one):
        """The connection to one of ours has ended. py does not always notice, and takes who is back for who was there."""
        if self.name == "py":
            self.obey(f"disconnect {one.peer.id}")

    def publish(self, word):
        """Publishes one message, and gives what it says."""
        if self.name == "p2pd":
            self.peer.ctl("publish", self.topic, word, "--count", 1)
            return word
        self.obey(f"rate {self.topic} {word} 1 0")
        return f"{word} 0"


class Ours:
    """One of our daemons, connected to their peer and to nobody else."""

    def __init__(self, suite, theirs, topic, security, we_dial, folder):
        self.suite, self.theirs, self.topic, self.we_dial = suite, theirs, topic, we_dial
        self.title = (f"ours -> {theirs.name}" if we_dial else f"{theirs.name} -> ours") + f", {security}"
        self.word = f"{'ours' if we_dial else 'theirs'}-{security}"
        self.options = ("--security", security, "--state", os.path.join(folder, self.word))
        self.begun, self.failure, self.mark = time.monotonic(), None, 0
        self.refusal = None  # the line of our GRAFT that was refused; or why none is seen

    def start(self):
        self.peer, self.capture = self.suite.ours_captured(*self.options)
        self.listener = self.peer.subscribe(self.topic)

    def connect(self):
        if self.we_dial:
            self.peer.ctl("connect", self.theirs.peer.address)
        elif self.theirs.name == "p2pd":
            self.theirs.peer.ctl("connect", self.peer.address)
        else:
            self.theirs.obey(f"connect {self.peer.address}")

    def prepare_return(self):
        """Starts the programs that are needed at once after the restart."""
        self.next = self.peer.in_background("subscription", "subscribe", self.topic, "--at-line")
        dialler = self.peer if self.we_dial else self.theirs.peer
        address = self.theirs.peer.address if self.we_dial else self.peer.address
        self.dial = None
        if dialler.control:
            self.dial = dialler.in_background("dial", "connect", address, "--at-line")
            self.dial.wait_for("waiting")
        self.next.wait_for("waiting")

    def restart(self):
        """Comes back as the same peer at the same address, and knows nothing of a back-off."""
        before, port = self.peer, self.peer.address.split("/tcp/")[1].split("/")[0]
        self.suite.stop(before.program)
        self.peer, self.capture = self.suite.ours_captured(*self.options, "--port", port)
        if self.peer.id != before.id:
            raise Failure("we have another identity")
        self.listener, self.mark = self.next, 0
        self.listener.tell("now")
        self.listener.wait_for("subscribed")

    def reconnect(self):
        if self.dial is None:
            return self.connect()
        self.dial.tell("now")
        self.dial.wait_for("connected")

    def shows(self, judge, seconds=20, since=None):
        """What the judge finds in our capture from the mark on, once it does."""
        since = (self.mark,) if since is None else since

        def found():
            if self.suite.over.is_set():
                raise InterruptedError("the run was ended")
            return judge(self.capture, self.theirs.id, self.topic, *since)
        return self.capture.wait(found, seconds)

    def set_mark(self):
        self.mark = self.capture.mark()

    def sees_refusal(self):
        try:
            self.refusal = self.shows(refused, 12, since=())
        except Failure as failure:
            self.refusal = failure


def in_a_mesh(capture, peer, topic, since):
    if not any(grafts(line, topic) for line in rpcs(capture, peer, since)):
        raise Failure("no GRAFT is in the capture")


class Star:
    """Their peer in the middle, and ours around it: what one of ours says reaches the others through its mesh alone."""

    def __init__(self, theirs, ours, pool):
        self.theirs, self.ours, self.pool, self.rounds = theirs, ours, pool, 0

    @property
    def well(self):
        return [one for one in self.ours if one.failure is None]

    def attempt(self, one, step):
        """A step of one of ours: if it fails, that is told by its checks, and the others go on."""
        if one.failure is None:
            try:
                step(one)
            except Exception as error:
                one.failure = error

    def each(self, step, some=None):
        list(self.pool.map(lambda one: self.attempt(one, step), self.ours if some is None else some))

    def in_turn(self, step, some=None):
        for one in self.ours if some is None else some:
            self.attempt(one, step)

    def exchange(self):
        """Everybody publishes one message, and hears all of the others'."""
        self.rounds += 1
        said = {one: f"{one.word}-{self.rounds}" for one in self.well}
        of_theirs = self.theirs.publish(f"{self.theirs.name}-{self.rounds}")
        self.each(lambda one: one.peer.ctl("publish", one.topic, said[one], "--count", 1))

        def hears(one):
            for word in [of_theirs, *(word for other, word in said.items() if other in self.well and other is not one)]:
                one.listener.wait_for("message", 15, data=word)
        self.each(hears)
        self.in_turn(lambda one: self.theirs.listener.wait_for("message", 15, data=said[one]))

    def tell(self, suite, cell, judge):
        for one in self.ours:
            note, excerpt, result = None, None, "ok"
            try:
                if one.failure:
                    raise one.failure
                note, excerpt = judge(one)
            except Exception as error:
                note, result = str(error) if isinstance(error, Failure) else repr(error), "FAIL"
            suite.add(Result(f"{one.title}: {cell}", result, note, time.monotonic() - one.begun, excerpt))
            one.begun = time.monotonic()


def prune_and_return(suite, name):
    """Both ways in which another peer prunes us, for all of ours at once: most of it is waiting for back-offs."""
    topic = suite.topic()
    theirs = Theirs(suite, name, topic)
    with tempfile.TemporaryDirectory() as folder:
        ours = [Ours(suite, theirs, topic, security, we_dial, folder)
                for security in suite.args.security.split(",") for we_dial in (True, False)]
        with concurrent.futures.ThreadPoolExecutor(len(ours)) as pool:
            star = Star(theirs, ours, pool)
            star.each(Ours.start)
            star.in_turn(Ours.connect)
            star.each(lambda one: one.shows(in_a_mesh))
            star.exchange()
            leaves_and_comes_back(suite, star)
            refuses_us(suite, star)


def leaves_and_comes_back(suite, star):
    star.each(Ours.set_mark)
    star.theirs.leave()
    star.each(lambda one: one.shows(pruned))
    star.theirs.join()
    star.each(lambda one: one.shows(returned, 45))
    star.exchange()
    star.tell(suite, LEAVES, lambda one: one.shows(back))
    for one in star.well[:1]:
        suite.check(f"{one.title}: without its PRUNE, or with an early GRAFT of ours, that capture shows no return",
                    lambda: sees_what_is_wrong(one.capture, star.theirs.id, one.topic, one.mark))


def refuses_us(suite, star):
    waiting = star.well
    for _ in range(3):  # whoever is up again only after ten seconds is not refused: once more
        star.each(Ours.prepare_return, waiting)
        star.each(Ours.set_mark, waiting)
        star.theirs.leave()
        star.each(lambda one: one.shows(pruned), waiting)
        star.theirs.join()
        # Its back-off of ten seconds goes on, and whoever starts anew does not know of it.
        star.each(Ours.restart, waiting)
        star.in_turn(star.theirs.let_go, waiting)
        star.in_turn(Ours.reconnect, waiting)
        star.each(Ours.sees_refusal, waiting)
        waiting = [one for one in waiting if one.failure is None and isinstance(one.refusal, Failure)]
        if not waiting:
            break
    for one in waiting:
        one.failure = one.refusal
    star.each(lambda one: one.shows(returned, 100))
    star.exchange()
    star.tell(suite, REFUSES, lambda one: one.shows(
        lambda capture, peer, topic, since: back(capture, peer, topic, since, lead=one.refusal)))
