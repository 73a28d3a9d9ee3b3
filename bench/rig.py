"""Two network namespaces with a link of ours between them (Benchmarks/LinkShaper). Needs root."""
import os
import subprocess


class Link:
    """`with Link(shaper, delay_ms, loss_percent, mbit) as link:`; the ends are link.a and link.b, their addresses link.ip."""

    def __init__(self, shaper, delay_ms, loss, mbit):
        mark = f"{os.getpid() % 10000}"
        self.a, self.b = f"bench-a{mark}", f"bench-b{mark}"
        self.ip = {self.a: "10.98.0.1", self.b: "10.98.0.2"}
        self.devices = (f"bsa{mark}", f"bsb{mark}")
        self.command = [shaper, "link", *self.devices, str(delay_ms), str(loss), str(mbit)]
        self.report = ""

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit("bench: the link shaper needs root and /dev/net/tun")
        for name, device in zip((self.a, self.b), self.devices):
            for line in (f"ip netns add {name}", f"ip link set {device} netns {name}", f"ip -n {name} link set lo up",
                         f"ip -n {name} addr add {self.ip[name]}/30 dev {device}", f"ip -n {name} link set {device} mtu 1500 txqueuelen 10000 up"):
                subprocess.run(line.split(), check=True)
        return self

    def inside(self, name, *command):
        return ["ip", "netns", "exec", name, *command]

    def __exit__(self, *_):
        try:
            self.report = self.process.communicate("", timeout=5)[0].strip()
        except subprocess.TimeoutExpired:
            self.process.kill()
        for name in (self.a, self.b):
            subprocess.run(["ip", "netns", "del", name], check=False)
