"""A proxy between the browser and the viewer that takes guards out: it changes header fields and files on their way.

The browser is told to use it for every address, so the addresses, and with them the origins, stay as they are. Whoever
changes something is a Change; without any, everything passes as it came.
"""
import contextlib
import re
import select
import socket
import threading


class Change:
    """One guard taken out. Each function gets the message's fields as a dictionary with lower-case names, and edits it."""

    def __init__(self, name, request=None, response=None, body=None):
        self.name, self.request, self.response, self.body = name, request, response, body

    def __repr__(self):
        return self.name


def field_removed(name, says=None):
    """An answer's header field, taken away."""
    return Change(says or name, response=lambda path, fields: fields.pop(name.lower(), None))


def policy_opened(directive, to="* data: blob: 'unsafe-inline' 'unsafe-eval'", says=None):
    """One line of a content policy that allows everything instead. A page with no policy stays as it is."""
    def response(path, fields):
        policy = fields.get("content-security-policy")
        if policy is not None:
            parts = [part.strip() for part in policy.split(";")]
            kept = [part for part in parts if part.split(" ")[0] != directive]
            fields["content-security-policy"] = "; ".join(kept + ([f"{directive} {to}"] if to is not None else []))
    return Change(says or directive, response=response)


def policy_removed(directive, says=None):
    """One line of a content policy, taken away. Only for lines that default-src does not stand in for."""
    return policy_opened(directive, None, says)


def request_edited(name, edit):
    """What the server is told of the asking page."""
    return Change(name, request=edit)


def file_edited(name, path, *replacements):
    """A file of the viewer with other code in it, or every file below a path that ends with a star. A text that is not
    in the one file is an error of the one who wrote the change."""
    def body(asked, content):
        asked = asked.split("?")[0]
        if asked != path and not (path.endswith("*") and asked.startswith(path[:-1])):
            return content
        text = content.decode()
        for old, new in replacements:
            if old not in text and not path.endswith("*"):
                raise AssertionError(f"{path} does not hold {old!r}")
            text = text.replace(old, new)
        return text.encode()
    return Change(name, body=body)


class Between:
    """Listens on a port of its own, one thread a connection, one request a connection."""

    def __init__(self):
        self.changes = ()
        self.faults = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def arguments(self, *direct):
        """What makes Chromium use it; names in `direct` are looked up by the browser itself."""
        return [f"--proxy-server=http://127.0.0.1:{self.port}", "--proxy-bypass-list=" + ";".join(["<-loopback>", *direct])]

    def close(self):
        # The thread that waits for a connection hears of the end.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, browser):
        with browser:
            try:
                self._exchange(browser)
            except (OSError, ValueError):
                pass
            except AssertionError as error:
                self.faults.append(str(error))

    def _exchange(self, browser):
        head, rest = read_head(lambda: browser.recv(65536))
        if head is None:
            return
        method, target, _ = head[0].split(" ")
        fields = as_fields(head[1:])
        changes = tuple(self.changes)
        if method == "CONNECT":
            return self._tunnel(browser, target, changes)
        place, path = re.fullmatch(r"http://([^/?]+)(.*)", target).groups()
        path = path if path.startswith("/") else "/" + path
        fields["host"] = place
        for change in changes:
            if change.request:
                change.request(path, fields)
        if any(change.body for change in changes):
            fields.pop("if-none-match", None)
        fields.pop("proxy-connection", None)
        fields["connection"] = "close"
        name, _, port = place.partition(":")
        with socket.create_connection(("127.0.0.1", int(port or 80)), timeout=10) as server:
            server.settimeout(None)
            server.sendall(as_head(f"{method} {path} HTTP/1.1", fields))
            length = int(fields.get("content-length", 0))
            while True:
                if rest:
                    server.sendall(rest)
                    length -= len(rest)
                if length <= 0:
                    break
                rest = browser.recv(65536)
                if not rest:
                    return
            self._answer(browser, server, path, changes)

    def _answer(self, browser, server, path, changes):
        def more():
            return next_of(server, browser)
        head, rest = read_head(more)
        if head is None:
            return
        fields = as_fields(head[1:])
        for change in changes:
            if change.response:
                change.response(path, fields)
        fields["connection"] = "close"
        # Two lines of one policy come with the same change of a file, which is made once.
        bodies = dict.fromkeys(change.body for change in changes if change.body)
        if bodies and "content-length" in fields:
            while len(rest) < int(fields["content-length"]):
                got = more()
                if not got:
                    break
                rest += got
            for body in bodies:
                rest = body(path, rest)
            fields["content-length"] = str(len(rest))
        browser.sendall(as_head(head[0], fields) + rest)
        while got := more():
            browser.sendall(got)

    def _tunnel(self, browser, target, changes):
        """For a WebSocket: what comes through begins with a request, of which the server is told as of any other."""
        with socket.create_connection(("127.0.0.1", int(target.rpartition(":")[2])), timeout=10) as server:
            server.settimeout(None)
            browser.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            head, rest = read_head(lambda: browser.recv(65536))
            if head is None:
                return
            fields = as_fields(head[1:])
            for change in changes:
                if change.request:
                    change.request(head[0].split(" ")[1], fields)
            server.sendall(as_head(head[0], fields) + rest)
            back = threading.Thread(target=copy, args=(server, browser), daemon=True)
            back.start()
            copy(browser, server)
            # What the server sends may have no end of its own.
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            back.join()


def next_of(server, browser):
    """What the server sends next; nothing at its end. An answer may have no end of its own, as a stream of events: when the
    browser goes before, an OSError says so."""
    poll = select.poll()
    for connection in (server, browser):
        poll.register(connection, select.POLLIN)
    while True:
        ready = dict(poll.poll())
        if server.fileno() in ready:
            return server.recv(65536)
        # It asks for nothing more on this connection.
        if not browser.recv(65536):
            raise ConnectionAbortedError("the browser has gone")


def copy(source, sink):
    try:
        while more := source.recv(65536):
            sink.sendall(more)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def read_head(more):
    """The lines of a head, and what came behind it; `more` gives the next bytes, or none at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        got = more()
        if not got or len(data) > 262144:
            return None, b""
        data += got
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1").split("\r\n"), rest


def as_fields(lines):
    fields = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    return fields


def as_head(first, fields):
    return ("\r\n".join([first, *(f"{name}: {value}" for name, value in fields.items())]) + "\r\n\r\n").encode("latin-1")
