"""A TCP relay on loopback with a long way between its ends, to count round trips."""
import queue
import socket
import threading
import time


class SlowRelay:
    """Holds every byte back for `one_way` seconds. Its ends answer TCP at once, so a connection costs one round trip less here than
    over a real link; what it keeps of the latest connection is when it came and what the dialler sent before any answer."""

    def __init__(self, one_way):
        self.one_way = one_way
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.target = None
        self.accepted, self.first = None, b""
        threading.Thread(target=self._accept, daemon=True).start()

    def address(self, peer):
        return f"/ip4/127.0.0.1/tcp/{self.port}/p2p/{peer}"

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return  # closed
            self.accepted, self.first = time.time(), b""
            far = socket.create_connection(("127.0.0.1", self.target))
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            answered = threading.Event()
            for source, sink, dialler in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._carry, args=(source, sink, dialler, answered), daemon=True).start()

    def _carry(self, source, sink, dialler, answered):
        waiting = queue.SimpleQueue()

        def deliver():
            while True:
                due, data = waiting.get()
                time.sleep(max(0.0, due - time.monotonic()))
                try:
                    if not data:
                        sink.shutdown(socket.SHUT_WR)
                        return
                    sink.sendall(data)
                    if not dialler:
                        answered.set()
                except OSError:
                    return  # that end is gone
        threading.Thread(target=deliver, daemon=True).start()
        while True:
            try:
                data = source.recv(1 << 16)
            except OSError:
                data = b""
            if dialler and not answered.is_set():
                self.first += data
            waiting.put((time.monotonic() + self.one_way, data))
            if not data:
                return
