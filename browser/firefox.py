"""Firefox without a window, driven over its WebSocket (WebDriver BiDi): enough to visit a page and to look into it."""
import json
import shutil
import socket
import subprocess
import tempfile
import time

from websockets.sync.client import connect

PROGRAM = shutil.which("firefox-esr") or shutil.which("firefox")


class Firefox:
    def __init__(self, **preferences):
        self.profile = tempfile.mkdtemp(prefix="goop2-firefox-")
        with open(f"{self.profile}/user.js", "w") as file:
            for name, value in {"app.update.enabled": False, "datareporting.policy.dataSubmissionEnabled": False,
                                "browser.shell.checkDefaultBrowser": False, **preferences}.items():
                file.write(f'user_pref("{name}", {json.dumps(value)});\n')
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [PROGRAM, "--headless", "--no-remote", "--profile", self.profile, "--remote-debugging-port", str(port), "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.last = 0
        deadline = time.monotonic() + 60
        while True:
            try:
                self.socket = connect(f"ws://127.0.0.1:{port}/session", max_size=None)
                break
            except OSError:
                if time.monotonic() > deadline:
                    self.process.kill()
                    raise
                time.sleep(0.2)
        self.version = self.command("session.new", capabilities={})["capabilities"]["browserVersion"]
        self.tab = self.tree()["context"]

    def command(self, method, **parameters):
        self.last += 1
        self.socket.send(json.dumps({"id": self.last, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self.socket.recv(timeout=60))
            if answer.get("id") == self.last:
                if answer["type"] == "error":
                    raise AssertionError(f"{method}: {answer.get('message')}")
                return answer["result"]

    def tree(self):
        return self.command("browsingContext.getTree")["contexts"][0]

    def tabs(self):
        return len(self.command("browsingContext.getTree")["contexts"])

    def get(self, url):
        try:
            self.command("browsingContext.navigate", context=self.tab, url=url, wait="complete")
        except AssertionError as error:
            # What the page before was still loading can take this navigation with it when it goes.
            if "NS_BINDING_ABORTED" not in str(error):
                raise
            self.command("browsingContext.navigate", context=self.tab, url=url, wait="complete")

    def run(self, expression, context=None):
        """The value of an expression, which gives a text, a number or a truth value."""
        answer = self.command("script.evaluate", expression=expression, target={"context": context or self.tab}, awaitPromise=True)
        if answer["type"] == "exception":
            raise AssertionError(answer["exceptionDetails"]["text"])
        return answer["result"].get("value")

    def frame(self):
        children = self.tree()["children"]
        return children[0]["context"] if children else None

    def in_site(self, expression):
        """The same inside of the site's frame; None while there is none."""
        frame = self.frame()
        try:
            return self.run(expression, frame) if frame else None
        except AssertionError:
            return None

    def wait(self, condition, what, seconds=15):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = condition()
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError(f"not within {seconds} s: {what}; the page says: {self.run('document.body.innerText')[:400]}")

    def close(self):
        try:
            self.socket.close()
        finally:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
            shutil.rmtree(self.profile, ignore_errors=True)
