"""The proxy that guards are taken out with: what the browser has left, it leaves too. See run."""
import contextlib
import socket

import part
from between import Between
from story import expect

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"


def until(connection, mark):
    text = b""
    while mark not in text:
        got = connection.recv(65536)
        expect(got, f"the end after {text!r}, without {mark!r}")
        text += got
    return text


@contextlib.contextmanager
def exchange(ask):
    """A browser that asks through the proxy, and the viewer that it asks."""
    with contextlib.closing(Between()) as between, socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        with socket.create_connection(("127.0.0.1", between.port), timeout=10) as browser:
            browser.sendall(ask(server.getsockname()[1]))
            viewer, _ = server.accept()
            with viewer:
                viewer.settimeout(10)
                yield browser, viewer


def get(port):
    return f"GET http://127.0.0.1:{port}/api/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()


def connect(port):
    return f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n".encode()


def story(suite):
    with suite.check("a stream of events ends at the viewer when the browser goes"), exchange(get) as (browser, viewer):
        until(viewer, b"\r\n\r\n")
        viewer.sendall(EVENTS)
        until(browser, b"data: 1\n\n")
        browser.close()
        expect(viewer.recv(1) == b"", "not the end")

    with suite.check("so does a request that has no answer yet"), exchange(get) as (browser, viewer):
        until(viewer, b"\r\n\r\n")
        browser.close()
        expect(viewer.recv(1) == b"", "not the end")

    with suite.check("and a tunnel, in which neither side says anything"), exchange(connect) as (browser, viewer):
        until(browser, b"\r\n\r\n")
        browser.close()
        expect(viewer.recv(1) == b"", "not the end")

    with suite.check("and of a browser that was killed"), exchange(connect) as (browser, viewer):
        until(browser, b"\r\n\r\n")
        viewer.sendall(b"unread")
        browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        browser.close()
        try:
            end = viewer.recv(1)
        except ConnectionResetError:
            end = b""
        expect(end == b"", "not the end")

    with suite.check("an answer passes whole, however long it takes"), exchange(get) as (browser, viewer):
        until(viewer, b"\r\n\r\n")
        viewer.sendall(EVENTS)
        until(browser, b"data: 1\n\n")
        viewer.sendall(b"data: 2\n\n")
        until(browser, b"data: 2\n\n")
        viewer.close()
        expect(browser.recv(1) == b"", "the end of the answer is not passed on")


if __name__ == "__main__":
    part.judge("between", part.options(__doc__), story)
