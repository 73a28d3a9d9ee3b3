"""Programs under test as child processes: lines of JSON out of them, and an end for each of them."""
import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
import time


class Program:
    """A program that prints one JSON object a line; others of its lines are kept as text."""

    def __init__(self, name, command, log_folder):
        self.name = name
        self.events = []
        self.lines = queue.Queue()
        self.log = open(os.path.join(log_folder, f"{name}.log"), "w+")
        # A session of its own, so that the launcher and what it started can be ended together.
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, start_new_session=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):  # closed: what it says while it is being stopped
                self.log.write(line)
                self.log.flush()
            try:
                self.lines.put(json.loads(line))
            except ValueError:
                continue
        self.lines.put(None)

    def tell(self, line):
        """A line for the program's standard input."""
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except OSError as error:
            raise Failure(f"{self.name} does not listen: {error}") from None

    def wait_for(self, event, seconds=20, **fields):
        """The first event of this kind whose fields have these values; earlier ones count too."""
        deadline = time.monotonic() + seconds
        seen = 0
        while True:
            for found in self.events[seen:]:
                seen += 1
                if found.get("event") == event and all(found.get(key) == value for key, value in fields.items()):
                    return found
            try:
                line = self.lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise Failure(f"{self.name}: no '{event}' {fields or ''} within {seconds} s") from None
            if line is None:
                raise Failure(f"{self.name} has ended; its log says: {self.tail()}")
            self.events.append(line)

    def drain(self):
        """Takes in what has been said until now."""
        while True:
            try:
                line = self.lines.get_nowait()
            except queue.Empty:
                return
            if line is not None:
                self.events.append(line)

    def collect(self, wanted, count, quiet=5.0):
        """What `wanted` makes of the events, without None and doubles, until there are `count` or nothing comes for a while."""
        found = {value for event in self.events if (value := wanted(event)) is not None}
        while len(found) < count:
            try:
                line = self.lines.get(timeout=quiet)
            except queue.Empty:
                break
            if line is None:
                break
            self.events.append(line)
            if (value := wanted(line)) is not None:
                found.add(value)
        return found

    def tail(self):
        self.log.flush()
        with open(self.log.name) as log:
            return " | ".join(log.read().splitlines()[-4:])

    def stop(self):
        """Asks for an end, waits, and insists after five seconds."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # nothing of it is left
        self.process.wait()
        self.log.close()


class Failure(Exception):
    """What a check found instead of what it should."""


def run_to_end(command, seconds=40):
    """Runs a program that must succeed, and gives its events back."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise Failure(f"not done within {seconds} s: {last_lines(error.stdout)}") from None
    if done.returncode != 0:
        raise Failure(last_lines(done.stdout) or last_lines(done.stderr) or f"exit status {done.returncode}")
    events = []
    for line in done.stdout.splitlines():
        try:
            events.append(json.loads(line))
        except ValueError:
            continue
    return events


def last_lines(text):
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    return " | ".join((text or "").splitlines()[-3:])[:600]
