"""Two ways to carry out the tasks of tasks.py: keys alone, and the accessibility tree alone."""
import json
import time
import urllib.request

from websockets.sync.client import connect

SECONDS = 20
STOPS = 150
# What a person can type into or press under either role.
ALIKE = {"searchbox": ("searchbox", "textbox")}


class DevTools:
    """The accessibility trees of a tab and of the frames in it, straight from the browser."""

    def __init__(self, page):
        address = page.driver.capabilities["goog:chromeOptions"]["debuggerAddress"]
        with urllib.request.urlopen(f"http://{address}/json/version") as answer:
            self.socket = connect(json.load(answer)["webSocketDebuggerUrl"], max_size=None)
        self.last = 0
        self.sessions = {}
        # ChromeDriver's handle of a tab is the name of its target.
        self.page_target = page.driver.current_window_handle

    def command(self, method, session=None, **parameters):
        # A frame that goes while it is asked never answers: whoever looks asks again soon.
        patience = 5 if method.startswith(("Accessibility.", "Runtime.")) else 30
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        self.socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while True:
            try:
                answer = json.loads(self.socket.recv(timeout=patience))
            except TimeoutError:
                raise AssertionError(f"{method}: no answer within {patience} s") from None
            if answer.get("id") == self.last:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error'].get('message')}")
                return answer["result"]

    def targets(self):
        """A session for the tab and one for each frame that is a process of its own."""
        found = []
        for target in self.command("Target.getTargets")["targetInfos"]:
            if target["type"] not in ("page", "iframe"):
                continue
            name = target["targetId"]
            if name not in self.sessions:
                try:
                    self.sessions[name] = self.command("Target.attachToTarget", targetId=name, flatten=True)["sessionId"]
                except AssertionError:
                    continue  # it went meanwhile
            found.append(self.sessions[name])
        return found

    def nodes(self):
        """(session, node) for everything that a screen reader is told of."""
        for session in self.targets():
            try:
                tree = self.command("Accessibility.getFullAXTree", session)["nodes"]
            except AssertionError:
                continue  # it went meanwhile
            for node in tree:
                if not node.get("ignored"):
                    yield session, node

    def find(self, role, name, state=()):
        for session, node in self.nodes():
            if node.get("role", {}).get("value") in ALIKE.get(role, (role,)) and name in (node.get("name", {}).get("value") or ""):
                has = {one["name"]: one["value"].get("value") for one in node.get("properties", [])}
                if all(str(has.get(key, "false")).lower() == str(value).lower() for key, value in dict(state).items()):
                    return session, node
        return None

    @staticmethod
    def has_focus(node):
        return any(one["name"] == "focused" and one["value"].get("value") for one in node.get("properties", []))

    def focused(self):
        """Role and name of what has the focus, in the page or in the frame of the site."""
        best = ("", "")
        for session in self.targets():
            try:
                active = self.command("Runtime.evaluate", session, expression="document.hasFocus() ? document.activeElement : null")["result"]
                if "objectId" not in active:
                    continue
                node = self.command("Accessibility.getPartialAXTree", session, objectId=active["objectId"], fetchRelatives=False)["nodes"][0]
            except AssertionError:
                continue  # it went meanwhile
            role = node.get("role", {}).get("value") or ""
            if role not in ("Iframe", "RootWebArea", "none", "generic", ""):
                best = (role, node.get("name", {}).get("value") or "")
        return best

    def key(self, code, **more):
        """A key goes to the tab, which hands it to whatever has the focus."""
        key, number, text = {"Tab": ("Tab", 9, ""), "Enter": ("Enter", 13, "\r"), "Space": (" ", 32, " "), "KeyA": ("a", 65, "")}[code]
        for kind in ("keyDown", "keyUp"):
            extra = {"text": text} if kind == "keyDown" and text else {}
            self.command("Input.dispatchKeyEvent", self.tab(), type=kind, key=key, code=code, windowsVirtualKeyCode=number, **extra, **more)

    def letter(self, letter):
        self.command("Input.dispatchKeyEvent", self.tab(), type="char", text=letter)

    def tab(self):
        self.targets()
        return self.sessions[self.page_target]

    def close(self):
        self.socket.close()


class Driver:
    def __init__(self, page):
        self.page = page
        self.tools = DevTools(page)

    def wait(self, look, what):
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            found = look()
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"not within {SECONDS} s: {what}; there are: {self.there()}")

    def there(self):
        return sorted({f"{node['role']['value']} {(node.get('name', {}).get('value') or '')[:50]!r}" for _, node in self.tools.nodes()
                       if node.get("role", {}).get("value") in ("button", "link", "heading", "textbox", "checkbox", "dialog", "searchbox")})

    def see(self, role, name, state):
        self.wait(lambda: self.tools.find(role, name, state), f"{role} {name!r} {state or ''}")

    def gone(self, role, name):
        self.wait(lambda: self.tools.find(role, name) is None, f"{role} {name!r} away")

    def hear(self, text):
        def said():
            return text in self.page.run("return [...document.querySelectorAll('[role=status], [aria-live], [role=alert]')].map(e => e.textContent).join('\\n')")
        self.wait(said, f"{text!r} from a live region")

    def close(self):
        self.tools.close()


class ByKeyboard(Driver):
    """Tab, Enter, Space and letters; where the focus is says the browser, by role and name."""

    name = "keys"

    def reach(self, role, name):
        # What must be there first is waited for, since a key that is pressed too early is lost on a person as well.
        self.wait(lambda: self.tools.find(role, name), f"{role} {name!r}")
        stops = []
        for _ in range(STOPS):
            found, called = self.tools.focused()
            if found in ALIKE.get(role, (role,)) and name in called:
                return
            stops.append(f"{found} {called[:40]!r}")
            self.tools.key("Tab")
        raise AssertionError(f"Tab does not lead to {role} {name!r}, only to {list(dict.fromkeys(stops))}")

    def press(self, role, name):
        self.reach(role, name)
        self.tools.key("Space" if role == "checkbox" else "Enter")

    def write(self, role, name, text):
        self.reach(role, name)
        self.tools.key("KeyA", modifiers=2, commands=["selectAll"])
        for letter in text:
            self.tools.letter(letter)


class ByTree(Driver):
    """Nodes of the accessibility tree only, as a screen reader or a switch uses them: focus one, press it, write into it."""

    name = "tree"

    def focus(self, role, name):
        def focused():
            found = self.tools.find(role, name)
            if found is None:
                return None
            session, node = found
            if not self.tools.has_focus(node):
                self.tools.command("DOM.focus", session, backendNodeId=node["backendDOMNodeId"])
                return None
            return session
        return self.wait(focused, f"{role} {name!r} with the focus")

    def press(self, role, name):
        self.focus(role, name)
        self.tools.key("Space" if role == "checkbox" else "Enter")

    def write(self, role, name, text):
        session = self.focus(role, name)
        self.tools.key("KeyA", modifiers=2, commands=["selectAll"])
        self.tools.command("Input.insertText", session, text=text)


def perform(driver, task, values):
    """Every step of one task; raises with what was missing."""
    if task.start is not None:
        driver.page.driver.get(task.start.format(**values) if task.start.startswith("{") else values["url"] + task.start)
    for kind, *what in task.steps:
        what = [one.format(**values) if isinstance(one, str) else one for one in what]
        getattr(driver, kind)(*what)
