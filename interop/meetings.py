"""Gossip, dials that cross, restarts, and returns, with each of the others."""
import os
import subprocess
import tempfile
import time

from processes import Failure
from stage import connected, fail


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
        time.sleep(5)  # both meshes: nothing tells of them, and on a busy machine a heartbeat comes late
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
        said = f"{count} each way"
        for program, word in ((listener, name), (their_listener, "ours")):
            got = program.collect(lambda event: event["data"] if event.get("event") == "message"
                                  and str(event.get("data", "")).startswith(word + " ") else None, count)
            if len(got) == count:
                continue
            arrived = f"{len(got)} of {count} messages of {word} arrived"
            dropped, where = dropped_by(name, theirs.program, word)
            if len(got) + dropped != count:
                raise Failure(f"{arrived}, {dropped} were dropped {where}" if dropped else arrived)
            said = (f"{arrived}: the others were dropped {where}, by its own count",
                    [f"published by {word}: {count}", f"dropped by {name}: {dropped}", f"arrived: {len(got)}"])
        return said
    suite.check(f"{title}, {security}: gossip, 100 messages a second", body)


def dropped_by(name, program, word):
    """How many messages the other implementation says that it dropped in one of its own queues, and where."""
    if name == "py" and word == "py":  # its queue drops them without a word, so its driver counts
        return (sum(event["messages"] for event in program.events if event.get("event") == "dropped"),
                "before they were written, in its queue to a peer, which has 32 places")
    if name == "kubo" and word == "ours":
        with open(program.log.name, errors="replace") as log:
            return (sum("subscriber too slow" in line or "queue full; dropping message" in line for line in log),
                    "after they were read, in its queues to its validators and its subscriber")
    return 0, ""


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
            suite.check(f"py -> ours, {security}: disconnect and return", they_return)

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


def gossip(suite):
    """One topic over three implementations that know one another only through us."""
    topic = suite.topic()
    ours = suite.ours()
    listener = ours.subscribe(topic)
    p2pd = suite.p2pd()
    p2pd_listener = p2pd.subscribe(topic)
    p2pd.ctl("connect", ours.address)
    kubo = suite.kubo("--topic", topic, "--connect", ours.address)
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
        "topic-peers", topic)[-1]["peers"] else fail("we are not among its peers of the topic"))
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
    kubo.program.tell(f"rate {topic} from-kubo 1 0")
    suite.check("gossip: what kubo publishes reaches us, and through us p2pd and py", arrives("kubo", "from-kubo 0"))
    suite.dial_from_python(ours.address, "--do", "gossip", "--topic", topic, "--publish", "from-py", "--linger", 2)
    suite.check("gossip: what py publishes reaches us, and through us p2pd and kubo", arrives("another py", "from-py"))
