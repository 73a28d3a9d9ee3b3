"""A TCP relay on loopback with a long way between its ends, which counts the flights that pass."""
import queue
import socket
import threading
import time


class Flights:
    """How deep in each other's answers the two ends of one connection are.

    What an end sends belongs to the flight behind the latest that has arrived there: bytes that wait for nothing are one flight,
    however many segments they are.
    """

    def __init__(self):
        self.lock = threading.Lock()
        self.arrived = {"dialler": 0, "listener": 0}
        self.answers = []  # when something arrived at the dialler, and of which flight

    def sent(self, end):
        """The flight that bytes belong to which this end sends now; the dialler's first one is 1."""
        with self.lock:
            return self.arrived[end] + 1

    def arrives(self, end, flight):
        with self.lock:
            self.arrived[end] = max(self.arrived[end], flight)
            if end == "dialler":
                self.answers.append((time.time(), flight))

    def round_trips(self, until):
        """There and back until what had arrived at the dialler by then."""
        with self.lock:
            return max((flight for when, flight in self.answers if when <= until), default=0) // 2


class SlowRelay:
    """Holds every byte back for `one_way` seconds, which keeps flights apart; no figure is made of it. Its ends answer TCP at once,
    so a connection costs one round trip less here than over a real link. What it keeps of the latest connection is its flights and
    what the dialler sent before any answer."""

    def __init__(self, one_way):
        self.one_way = one_way
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.target = None
        self.connections, self.flights, self.first = 0, Flights(), b""
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
            flights = Flights()
            self.connections, self.flights, self.first = self.connections + 1, flights, b""
            far = socket.create_connection(("127.0.0.1", self.target))
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._carry, args=(near, far, "dialler", "listener", flights), daemon=True).start()
            threading.Thread(target=self._carry, args=(far, near, "listener", "dialler", flights), daemon=True).start()

    def _carry(self, source, sink, sender, receiver, flights):
        waiting = queue.SimpleQueue()

        def deliver():
            while True:
                due, data, flight = waiting.get()
                time.sleep(max(0.0, due - time.monotonic()))
                try:
                    if not data:
                        sink.shutdown(socket.SHUT_WR)
                        return
                    flights.arrives(receiver, flight)  # before the bytes are there to be answered
                    sink.sendall(data)
                except OSError:
                    return  # that end is gone
        threading.Thread(target=deliver, daemon=True).start()
        while True:
            try:
                data = source.recv(1 << 16)
            except OSError:
                data = b""
            flight = flights.sent(sender)
            if sender == "dialler" and flight == 1 and flights is self.flights:
                self.first += data
            waiting.put((time.monotonic() + self.one_way, data, flight))
            if not data:
                return
