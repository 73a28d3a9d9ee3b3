"""A LAN out of network namespaces: hosts on a bridge that lies in a namespace of its own, so nothing can leave it.

Needs root and iproute2. Everything is named goop<pid>-*, and removed by `close`, whatever happened before.
"""
import ctypes
import json
import os
import queue
import signal
import socket
import subprocess
import threading
import time

os.environ["PATH"] += ":/usr/sbin:/sbin"


def run(*command, namespace=None, check=True):
    """Runs a command to its end and returns what it printed."""
    if namespace:
        command = ("ip", "netns", "exec", namespace) + command
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


class Host:
    """A namespace with `lo` up; on a LAN also `eth0`, cabled to the bridge."""

    def __init__(self, lan, name):
        self.lan, self.name, self.namespace = lan, name, f"{lan.prefix}-{name}"
        run("ip", "netns", "add", self.namespace)
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *command, check=True):
        return run(*command, namespace=self.namespace, check=check)

    def cable(self, address=None, interface="eth0"):
        """Adds an interface, cabled to the bridge, with an IPv4 or IPv6 address if one is given."""
        port = f"{interface}-{self.name}"
        run("ip", "link", "add", "name", port, "netns", self.lan.bridge, "type", "veth", "peer", "name", interface,
            "netns", self.namespace)
        run("ip", "link", "set", port, "master", "br0", "up", namespace=self.lan.bridge)
        if address:
            self.address("add", address, interface)
        self.run("ip", "link", "set", interface, "up")
        return self

    def address(self, verb, address, interface="eth0"):
        extra = ["nodad"] if ":" in address and verb == "add" else []
        self.run("ip", "addr", verb, address, "dev", interface, *extra)

    def pull(self, interface="eth0"):
        """Takes the carrier away, as a pulled cable does: the interface stays configured and up."""
        run("ip", "link", "set", f"{interface}-{self.name}", "down", namespace=self.lan.bridge)

    def plug(self, interface="eth0"):
        run("ip", "link", "set", f"{interface}-{self.name}", "up", namespace=self.lan.bridge)

    def socket(self, *arguments):
        """A socket of this namespace."""
        made = {}

        def make():
            with open(f"/run/netns/{self.namespace}") as file:
                # os.setns came with Python 3.12.
                if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0x40000000):
                    raise OSError(ctypes.get_errno(), "setns")
            made["socket"] = socket.socket(*arguments)

        # A thread of its own: a namespace is entered by a thread, and left by its end.
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        return made["socket"]


class Lan:
    def __init__(self):
        self.prefix = f"goop{os.getpid()}"
        self.bridge = f"{self.prefix}-br"
        self.hosts, self.processes = [], []
        run("ip", "netns", "add", self.bridge)
        run("ip", "link", "set", "lo", "up", namespace=self.bridge)
        run("ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0", namespace=self.bridge)
        run("ip", "link", "set", "br0", "up", namespace=self.bridge)

    def host(self, name):
        self.hosts.append(Host(self, name))
        return self.hosts[-1]

    def start(self, host, *command, **more):
        process = Process(host, command, **more)
        self.processes.append(process)
        return process

    def close(self):
        for process in self.processes:
            process.kill()
        for host in self.hosts:
            run("ip", "netns", "del", host.namespace, check=False)
        run("ip", "netns", "del", self.bridge, check=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Process:
    """A program in a host's namespace that prints a JSON object a line. It is ended after two minutes in any case."""

    def __init__(self, host, command, environment=None):
        self.started = time.monotonic()
        self.child = subprocess.Popen(
            ["ip", "netns", "exec", host.namespace, "timeout", "-k", "1", "120", *command], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}, start_new_session=True)
        self.seen, self.errors, self.lines = [], [], queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._read_errors, daemon=True).start()

    def _read(self):
        for line in self.child.stdout:
            at = time.monotonic()
            try:
                event = json.loads(line)
            except ValueError:
                self.errors.append(line)
                continue
            event["at"] = at
            self.lines.put(event)
        self.lines.put(None)

    def _read_errors(self):
        for line in self.child.stderr:
            self.errors.append(line)

    def wait(self, matches, seconds, since=0.0):
        """The first event from `since` on for which `matches` is true, or None after `seconds`."""
        for event in self.seen:
            if event["at"] >= since and matches(event):
                return event
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                event = self.lines.get(timeout=left)
            except queue.Empty:
                return None
            if event is None:
                return None
            self.seen.append(event)
            if event["at"] >= since and matches(event):
                return event
        return None

    def signal(self, number):
        """Signals the program itself: the only child of `timeout`, which is the child we have."""
        for pid in self.programs():
            os.kill(pid, number)

    def programs(self):
        """The children of our child: the program itself. None once it has ended: its number may belong to another process by then."""
        if self.child.poll() is not None:
            return []
        pid = self.child.pid
        try:
            with open(f"/proc/{pid}/task/{pid}/children") as file:
                return [int(each) for each in file.read().split()]
        except OSError:
            return []

    def stop(self, seconds=5):
        """Asks for a clean end; returns the exit code, or None if it did not come."""
        self.child.send_signal(signal.SIGTERM)
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self):
        for pid in self.programs():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()

    def cpu(self):
        """Processor seconds the program has used."""
        return sum(cpu_seconds(pid) for pid in self.programs())

    @property
    def alive(self):
        return self.child.poll() is None


class Report:
    """Prints a line a check and counts them."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, condition, detail=""):
        if condition:
            self.passed += 1
        else:
            self.failed += 1
        print(f"{'ok  ' if condition else 'FAIL'} {name}{f' ({detail})' if detail else ''}", flush=True)
        return bool(condition)

    def skip(self, name, reason):
        """Says that something cannot be checked here; under CI that is a failure."""
        if os.environ.get("CI"):
            return self.check(name, False, reason)
        print(f"skip {name} ({reason})", flush=True)

    def close(self):
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0


def percentile(values, percent):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * percent / 100))]


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
