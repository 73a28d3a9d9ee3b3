"""A peer as a child process: its folder, its start, its end."""
import json
import os
import pathlib
import queue
import signal
import subprocess
import threading
import time


class Peer:
    """`goop2 peer FOLDER --json`: lines of JSON out, SIGTERM for a clean stop."""

    def __init__(self, program, folder, *options):
        self.folder = pathlib.Path(folder)
        self.site = self.folder / "site"
        self.command = [str(program), "peer", str(folder), "--json", *options]
        self.process = None
        self.id = None

    def set_config(self, section, key, value):
        path = self.folder / "goop.json"
        config = json.loads(path.read_text())
        config.setdefault(section, {})[key] = value
        path.write_text(json.dumps(config, indent=2))

    def start(self, until="ready", seconds=20):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = open(f"{self.folder}.log", "a+")
        self.lines = queue.Queue()
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        # The reader of an earlier run may still be at its end: each has a queue and a log of its own.
        threading.Thread(target=self._read, args=(self.process.stdout, self.lines, self.log), daemon=True).start()
        events = {}
        deadline = time.monotonic() + seconds
        while until not in events:
            try:
                line = self.lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"{self.command}: no '{until}' within {seconds} s; {self.tail()}") from None
            if line is None:
                raise AssertionError(f"{self.command} ended: {self.tail()}")
            events[line.get("event")] = line
        self.id = events.get("opened", {}).get("id", self.id)
        return events

    @staticmethod
    def _read(stream, lines, log):
        for line in stream:
            try:
                lines.put(json.loads(line))
            except ValueError:
                log.write(line)
        lines.put(None)

    def tail(self):
        self.log.flush()
        self.log.seek(0)
        return self.log.read()[-2000:]

    def stop(self, how=signal.SIGTERM):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.command} did not end within 10 s") from None

    def write(self, name, text):
        path = self.site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(path.suffix + ".new")
        temporary.write_text(text)
        os.replace(temporary, path)
