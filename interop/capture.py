"""What crossed the wire, by the frame log of our daemon (goop2-p2pd -frameLog), and what it shows of streams and their ends."""
import json
import time

from processes import Failure

INITIAL_WINDOW = 256 * 1024  # Yamux: what may be sent before the first credit


class Stream:
    """The lines of one stream, in the order of the wire. `out` is ours, `in` the other side's."""

    def __init__(self, number):
        self.number, self.lines = number, []

    @property
    def opener(self):
        return self.lines[0]["dir"] if "syn" in self.lines[0].get("flags", ()) else None

    def frames(self, direction=None, flag=None):
        return [line for line in self.lines if "type" in line and direction in (None, line["dir"])
                and (flag is None or flag in line["flags"])]

    def tokens(self, direction):
        return [token for line in self.lines if line["dir"] == direction for token in line.get("tokens", ())]

    def negotiation(self, direction):
        """The bytes of the lines of its negotiation."""
        return sum(line.get("bytes", 0) for line in self.lines if line["dir"] == direction)

    def data(self, direction):
        """The bytes of payload, negotiation included."""
        return sum(line["length"] for line in self.frames(direction) if line["type"] == "data")

    def message(self, direction):
        """How long the message of identify is, by itself."""
        return next((line["message"] for line in self.lines if line["dir"] == direction and "message" in line), None)

    def speaks(self, protocol):
        """Both sides have said so."""
        return all(self.tokens(direction)[-1:] == [protocol] for direction in ("in", "out"))

    def credit(self):
        """What the other side has allowed us to send."""
        return INITIAL_WINDOW + sum(line["length"] for line in self.frames("in")
                                    if line["type"] == "window" and "rst" not in line["flags"])

    def excerpt(self):
        """A line for each frame; runs of plain data are one."""
        rows = []
        for line in self.lines:
            if "rpc" in line:  # see prunes.py
                continue
            if "type" not in line:  # says more of the frame before it
                more = line.get("tokens") or [f"a message of {line['message']} bytes"]
                rows[-1][-1] = " ".join(filter(None, (rows[-1][-1], *more)))
                continue
            plain = line["type"] == "data" and not line["flags"]
            last = rows[-1] if rows else None
            if plain and last and last[2:4] == [line["dir"], "data"] and not last[-1]:
                last[4:6] = [last[4] + 1, last[5] + line["length"]]
            else:
                rows.append([line["ms"], plain, line["dir"], "data" if plain else " ".join((line["type"], *line["flags"])),
                             1, line["length"], ""])
        return [f"{ms:9.2f} ms  {direction:3}  {what:10}  {length:>7}{f' in {count} frames' if count > 1 else ''}  {said}".rstrip()
                for ms, _, direction, what, count, length, said in rows]


class Capture:
    def __init__(self, path):
        self.path = path

    def lines(self):
        with open(self.path) as file:
            text = file.read()
        lines = [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]
        if any("dropped" in line for line in lines):
            raise Failure("the capture has gaps")
        return lines

    def mark(self):
        """How many lines there are: for streams that are opened later."""
        return len(self.lines())

    def streams(self, peer, protocol, since=0):
        """The streams with this peer under this protocol, in the order of their opening."""
        streams = {}
        for number, line in enumerate(self.lines()):
            if line["peer"] != peer or not line["stream"]:
                continue
            key = line["conn"], line["stream"]
            if "syn" in line.get("flags", ()) and number >= since:
                streams[key] = Stream(line["stream"])
            if key in streams:
                streams[key].lines.append(line)
        return [stream for stream in streams.values() if stream.speaks(protocol)]

    def wait(self, judge, seconds=10):
        """What `judge` finds, once it finds something."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return judge()
            except Failure:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.2)


def carried(capture, peer, protocol, opener, sender, since=0):
    """Shows that a message of identify went over a stream as a whole, and both sides ended it in order.

    Gives a note and an excerpt; fails if the capture shows anything else, or not yet.
    """
    stream = next((one for one in capture.streams(peer, protocol, since) if one.opener == opener), None)
    if stream is None:
        raise Failure(f"the capture has no stream of {protocol} that {'we' if opener == 'out' else 'the other side'} opened")
    said = "\n".join(stream.excerpt())
    message, there = stream.message(sender), stream.data(sender) - stream.negotiation(sender)
    if message is None or there != message:
        raise Failure(f"{there} of {message} bytes of the message are in the capture:\n{said}")
    if stream.frames(flag="rst"):
        raise Failure(f"the stream was reset:\n{said}")
    for direction in ("in", "out"):
        if not stream.frames(direction, "fin"):
            raise Failure(f"no end of the {direction} direction is in the capture:\n{said}")
    note = f"by our capture: {'we' if opener == 'out' else 'it'} opened {protocol}, "
    if sender == "out":
        note += "our whole message and our end went out, and it ended the stream without a reset"
    else:
        note += "its whole message and its end came, and we ended the stream without a reset"
    return note, stream.excerpt()


def ended_both(capture, peer, protocol, expected, again=False):
    """Shows that the other side ended both directions of the last stream at its first end, whoever made that.

    `expected` bytes were to follow in the direction that was still open. Gives a note and an excerpt; fails if the capture
    does not show it, or not yet.
    """
    streams = capture.streams(peer, protocol)
    if not streams:
        raise Failure(f"the capture has no stream of {protocol}")
    stream = streams[-1]
    said = "\n".join(stream.excerpt())
    ends = [line for line in stream.frames() if {"fin", "rst"} & set(line["flags"])]
    if not ends:
        raise Failure(f"nobody has ended the stream:\n{said}")
    first = ends[0]
    if "rst" in first["flags"]:
        raise Failure(f"the first end is a reset:\n{said}")
    later = stream.lines[stream.lines.index(first) + 1:]
    answer = next((line for line in later if line["dir"] == "in" and {"fin", "rst"} & set(line.get("flags", ()))), None)
    name = answer and ("RST" if "rst" in answer["flags"] else "FIN")
    still_open = "in" if first["dir"] == "out" else "out"
    there = stream.data(still_open) - stream.negotiation(still_open)
    if first["dir"] == "out":
        if there >= expected:
            raise Failure(f"our FIN came first, and all of the other direction behind it:\n{said}")
        if not name:
            raise Failure(f"our FIN came first, and nothing followed it:\n{said}")
        return f"our FIN came first, and its {name} behind it ended its own direction too: {there} of {expected} bytes came", \
            stream.excerpt()
    if name == "RST":
        return "its FIN came first, and its RST behind it ended our direction too", stream.excerpt()
    if stream.data("out") < stream.credit() or stream.frames("out", "fin"):
        raise Failure(f"its FIN came first, and our direction went on:\n{said}")
    if not again:  # what has not come may be on its way
        time.sleep(2)
        return ended_both(capture, peer, protocol, expected, again=True)
    return (f"its FIN came first, and it took nothing behind that: no credit came, and {there} of {expected} bytes could go",
            stream.excerpt())


def refuses(judge):
    """What a judge must not take for what it looks for."""
    try:
        found = judge()
    except Failure:
        return
    raise Failure(f"it shows: {found}")
