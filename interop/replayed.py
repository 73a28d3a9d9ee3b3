"""What only go newer than the peers here does, and the unit tests that replay its bytes. For docs/interop.md, see table.py."""
import collections
import os
import re

Replayed = collections.namedtuple("Replayed", "behaviour source file test")

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
YAMUX = "Tests/P2PCoreTests/NewerGo/NewerGoYamuxTests.swift"
GOSSIP = "Tests/P2PCoreTests/NewerGo/NewerGoGossipTests.swift"
ANSWERS = "Tests/P2PCoreTests/GossipSub/GossipSubAnswerTests.swift"
CONNECTION = "Tests/P2PSwarmTests/Connection/NewerGoConnectionTests.swift"
RESET_CODES = "yamux specification, pull request 622"
CODES = "error code specification, pull request 623"

REPLAYED = [
    Replayed("A reset has an error code where a window update has its credit: each code of go-libp2p, and any other",
             f"{RESET_CODES}; {CODES}", YAMUX, "resetsWithCodes"),
    Replayed("A reset on a data frame has payload instead, to be read off the wire", RESET_CODES, YAMUX, "resetsWithPayload"),
    Replayed("A stream is refused in the frame that opens it, with a code", RESET_CODES, YAMUX, "openedAndReset"),
    Replayed("A go-away has one of libp2p's codes, not one of Yamux's three", CODES, YAMUX, "goAwaysWithCodes"),
    Replayed("It reads the codes of our resets", f"{RESET_CODES}; {CODES}", YAMUX, "ourResets"),
    Replayed("Both codes over a whole connection: the stream and the connection say why they ended", CODES, CONNECTION, "codes"),
    Replayed("It proposes `/meshsub/1.3.0` before 1.2.0", "gossipsub v1.3", GOSSIP, "version"),
    Replayed("Its first RPC has an extensions message (control field 6); subscriptions say whether partial messages are wanted "
             "(fields 3 and 4); RPCs have fields of extensions (10 and above)",
             "gossipsub v1.3, partial messages extension", GOSSIP, "extensions"),
    Replayed("It sends a partial message (RPC field 10)", "partial messages extension", GOSSIP, "partialMessage"),
    Replayed("It says IDONTWANT (control field 5)", "gossipsub v1.2", GOSSIP, "isNotSentWhatItDoesNotWant"),
    Replayed("It reads our IDONTWANT", "gossipsub v1.2", GOSSIP, "ourRefusal"),
    Replayed("It reads no more than ten ids in the IDONTWANT of one RPC", "go-libp2p-pubsub 0.16", ANSWERS,
             "refusalsComeInPortionsThatAreRead"),
]


def missing_tests(root=ROOT):
    """Those that are not in the tree any more, as `file: test`."""
    return [f"{one.file}: {one.test}" for one in REPLAYED if not has_test(os.path.join(root, one.file), one.test)]


def has_test(path, name):
    """Whether a Swift file has a function of this name with `@Test` in front of it, on its line or on those before."""
    if not os.path.exists(path):
        return False
    with open(path) as file:
        text = file.read()
    functions = re.finditer(r"(?<![\w.])func\s+(\w+)", text)
    begin = 0
    for found in functions:
        if found[1] == name and "@Test" in text[begin:found.start()]:
            return True
        begin = found.end()
    return False
