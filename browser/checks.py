"""What a person sees in the viewer, and what a hostile site does not get. See run."""
import argparse
import contextlib
import json
import pathlib
import shutil
import sys
import tempfile
import time
import traceback
import urllib.request

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from peer import Peer

HERE = pathlib.Path(__file__).parent
HOSTILE_NAME = "<img src=x onerror=\"window.pwned=1\">'\"</script>"


class Browser:
    """Chromium with one size and one colour scheme; messages of its console are findings."""

    def __init__(self, width=1280, height=900, dark=False, reduced_motion=False):
        options = webdriver.ChromeOptions()
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars",
                         "--disable-background-networking", "--disable-component-update", "--no-first-run"):
            options.add_argument(argument)
        options.binary_location = shutil.which("chromium")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
        self.driver.set_page_load_timeout(30)
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.cdp("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if reduced_motion else "no-preference"}])

    def cdp(self, command, **parameters):
        return self.driver.execute_cdp_cmd(command, parameters)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition, what, seconds=10):
        try:
            return WebDriverWait(self.driver, seconds, poll_frequency=0.02).until(lambda _: condition())
        except Exception:
            raise AssertionError(f"not within {seconds} s: {what}; the page says: {self.text()[:600]}") from None

    def text(self):
        return self.run("return document.body.innerText")

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def complaints(self, *expected):
        """Console messages of level warning and above since the last call, without the expected ones."""
        messages = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] != "INFO"]
        return [message for message in messages if not any(part in message for part in expected)]

    def close(self):
        self.driver.quit()


@contextlib.contextmanager
def browser(*arguments, **options):
    opened = Browser(*arguments, **options)
    try:
        yield opened
    finally:
        opened.close()


class Suite:
    def __init__(self, screenshots):
        self.failed = []
        self.count = 0
        self.screenshots = screenshots

    @contextlib.contextmanager
    def check(self, name):
        self.count += 1
        start = time.monotonic()
        try:
            yield
            print(f"  ok    {name} ({time.monotonic() - start:.1f} s)", flush=True)
        except Exception as error:
            self.failed.append(name)
            print(f"  FAIL  {name}: {error}", flush=True)
            if not isinstance(error, AssertionError):
                traceback.print_exc()

    def shot(self, page, name):
        page.driver.save_screenshot(str(self.screenshots / f"{name}.png"))


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def card(page, peer):
    found = page.driver.find_elements(By.CSS_SELECTOR, f'.person:not(.leaving) a[href="/p/{peer}/"]')
    return found[0] if found else None


def state(page, peer):
    link = card(page, peer)
    return link and page.run("return arguments[0].closest('.person').dataset.state", link)


def looks(suite, url, name):
    """Every size and scheme: nothing overflows, nothing complains, and a picture for a person to look at."""
    for width in (320, 1280):
        for dark in (False, True):
            label = f"{name}-{width}-{'dark' if dark else 'light'}"
            with suite.check(f"looks right: {label}"), browser(width=width, dark=dark, reduced_motion=True) as page:
                page.driver.get(url)
                if name == "front":
                    page.wait(lambda: page.one("#link").get_attribute("data-state") == "live", "live")
                time.sleep(0.3)  # only for the picture: images are drawn after the text
                suite.shot(page, label)
                wide = page.run("return document.documentElement.scrollWidth - innerWidth")
                expect(wide <= 0, f"{wide} pixels too wide")
                complaints = page.complaints("Failed to load resource: the server responded with a status of")
                expect(not complaints, complaints)


def keyboard(suite, url):
    with suite.check("by keyboard: skip link, buttons, every card, and the focus is visible"), browser() as page:
        page.driver.get(url)
        page.wait(lambda: page.one("#link").get_attribute("data-state") == "live", "live")
        cards = len(page.driver.find_elements(By.CSS_SELECTOR, ".person a"))
        stops = []
        for _ in range(cards + 6):
            page.driver.switch_to.active_element.send_keys(Keys.TAB)
            stops.append(page.run(
                "const e = document.activeElement; const s = getComputedStyle(e);"
                "return [e.tagName, (e.labels?.[0] ?? e).innerText || '', s.outlineStyle !== 'none']"))
        expect(stops[0][1] == "Skip to people", stops)
        expect(sum(1 for stop in stops if stop[0] == "A") >= cards + 3, stops)
        expect(all(stop[2] for stop in stops if stop[0] != "BODY"), f"a stop without a visible focus: {stops}")
        expect(all(stop[1].strip() for stop in stops if stop[0] != "BODY"), f"a stop without a name: {stops}")

    with suite.check("by screen reader: landmarks, one heading of the first level, a polite live region"), browser() as page:
        page.driver.get(url)
        page.wait(lambda: page.one("#link").get_attribute("data-state") == "live", "live")
        nodes = page.cdp("Accessibility.getFullAXTree")["nodes"]
        roles = [node.get("role", {}).get("value") for node in nodes if not node.get("ignored")]
        for role in ("banner", "main", "contentinfo", "status"):
            expect(roles.count(role) >= 1, f"no {role}: {sorted(set(map(str, roles)))}")
        expect(len(page.driver.find_elements(By.TAG_NAME, "h1")) == 1, "not one h1")
        for node in nodes:
            if node.get("role", {}).get("value") in ("link", "button", "searchbox") and not node.get("ignored"):
                expect(node.get("name", {}).get("value", "").strip(), f"without a name: {node}")


def read(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def story(suite, program, folder):
    """Two peers, from the first start to the end of both."""
    me = Peer(program, folder / "me", "--label", "Me")
    neighbour = Peer(program, folder / "neighbour", "--label", "Neighbour", "--no-viewer")
    hostile = Peer(program, folder / "hostile", "--label", HOSTILE_NAME, "--no-viewer")
    try:
        url = me.start()["viewer"]["url"]
        with browser() as page:
            with suite.check("the front page says that nobody is here, and whose it is"):
                page.driver.get(url)
                page.wait(lambda: page.one("#link").get_attribute("data-state") == "live", "live")
                expect(page.one("#me-name").text == "Me", page.one("#me-name").text)
                expect("Nobody else is here yet" in page.text(), page.text())
                expect(not page.complaints(), "console")
            looks(suite, url, "empty")

            with suite.check("a neighbour that starts appears by itself, and a screen reader hears it"):
                start = time.monotonic()
                neighbour.start()
                page.wait(lambda: state(page, neighbour.id) == "online", "the neighbour online")
                print(f"        seen online {time.monotonic() - start:.2f} s after its start")
                page.wait(lambda: "Neighbour is here" in page.run("return document.getElementById('announcer').textContent"),
                          "the announcement")
                expect("Nobody else" not in page.text(), "still empty")
                expect(page.driver.title.startswith("1 here"), page.driver.title)
                expect(not page.complaints(), "console")

            with suite.check("a click shows its site; an edit shows on reload"):
                neighbour.write("index.html", "<!doctype html><title>One</title><h1>first</h1>")
                card(page, neighbour.id).click()
                page.wait(lambda: page.text() == "first", "the site")
                expect(page.driver.current_url == f"{url}p/{neighbour.id}/", page.driver.current_url)
                expect(page.run("return origin") == "null", "the site has an origin")
                neighbour.write("index.html", "<!doctype html><title>Two</title><h1>second</h1>")
                page.driver.refresh()
                page.wait(lambda: page.text() == "second", "the edited site")
                page.driver.back()
                page.wait(lambda: state(page, neighbour.id) == "online", "back at the list")
                expect(not page.complaints(), "console")

            with suite.check("a site's folder, its own page under its address, and a page that is missing"):
                neighbour.write("sub/page.html", "<!doctype html><title>Sub</title><p>sub page")
                page.driver.get(f"{url}p/{neighbour.id}/sub/page.html")
                expect(page.text() == "sub page", page.text())
                page.driver.get(f"{url}p/{neighbour.id}/missing.html")
                expect("no such page" in page.text() and "Neighbour" in page.text(), page.text())
                page.complaints()

            with suite.check("localhost leads to the address, path and query kept"):
                page.driver.get(url.replace("127.0.0.1", "localhost") + "?a=b")
                expect(page.driver.current_url == url + "?a=b", page.driver.current_url)

            shutil.copytree(HERE / "hostile", hostile.site, dirs_exist_ok=True)
            hostile.start()
            attacks(suite, page, url, me, hostile)

            looks(suite, url, "front")
            keyboard(suite, url)

            with suite.check("a neighbour that stops goes within 2 s, and a screen reader hears it"):
                page.driver.get(url)
                page.wait(lambda: state(page, neighbour.id) == "online", "online before")
                neighbour.stop()
                start = time.monotonic()
                page.wait(lambda: state(page, neighbour.id) != "online", "gone")
                gone = time.monotonic() - start
                print(f"        gone {gone:.2f} s after its process ended")
                expect(gone < 2, f"{gone:.2f} s")
                page.wait(lambda: "Neighbour has left" in page.run("return document.getElementById('announcer').textContent"),
                          "the announcement")

            with suite.check("its site then says why it is not shown, within 5 s and at once the second time"):
                start = time.monotonic()
                page.driver.get(f"{url}p/{neighbour.id}/")
                first = time.monotonic() - start
                expect("cannot be reached" in page.text() or "No answer" in page.text(), page.text())
                expect("Neighbour" in page.text(), page.text())
                start = time.monotonic()
                page.one(".actions a").click()
                page.wait(lambda: page.run("return document.readyState") == "complete", "the second answer")
                second = time.monotonic() - start
                print(f"        first {first:.2f} s, second {second:.2f} s")
                expect(first < 5, f"{first:.2f} s")
                expect(second < 1, f"{second:.2f} s")
                page.complaints()
            looks(suite, f"{url}p/{neighbour.id}/", "unreachable")

            with suite.check("a peer that comes back is visited at once"):
                neighbour.start()
                page.driver.get(url)
                page.wait(lambda: state(page, neighbour.id) == "online", "online again")
                card(page, neighbour.id).click()
                page.wait(lambda: page.text() == "second", "the site again")

            with suite.check("the page notices that its own Goop² stopped, and that it is back"):
                page.driver.get(url)
                page.wait(lambda: page.one("#link").get_attribute("data-state") == "live", "live")
                me.stop()
                page.wait(lambda: page.one("#link").get_attribute("data-state") == "lost", "lost")
                me.start()
                page.wait(lambda: page.one("#link").get_attribute("data-state") == "live", "live again", seconds=20)
                page.complaints()
    finally:
        for peer in (hostile, neighbour, me):
            with suite.check(f"{peer.folder.name} ends cleanly"):
                peer.stop()


def attacks(suite, page, url, me, hostile):
    canary = "canary-of-the-viewer"
    with suite.check("a hostile name is only text"):
        page.driver.get(url)
        page.wait(lambda: state(page, hostile.id) == "online", "the hostile neighbour online")
        shown = page.run("return arguments[0].querySelector('bdi').textContent", card(page, hostile.id))
        expect(shown == HOSTILE_NAME, shown)
        expect(page.run("return window.pwned") is None, "its script ran")
        page.run("localStorage.setItem(arguments[0], 'secret')", canary)
        expect(not page.complaints(), "console")

    page.driver.get(f"{url}p/{hostile.id}/?other={me.id}")
    results = {}
    with suite.check("the hostile site runs to its end"):
        page.wait(lambda: page.driver.title == "done", "its report", seconds=90)
        results = json.loads(page.run("return document.getElementById('results').textContent"))
    for name, result in results.items():
        with suite.check(f"hostile site: {name}: {result[:90]}"):
            expect(result.startswith("GOT ") if name.startswith("own ") and name != "own site framed"
                   else result.startswith("refused"), result)
    with suite.check("own style was applied, so the site really ran as a site"):
        expect(results.get("own style") == "GOT rgb(1, 2, 3)", results.get("own style"))
        expect(page.driver.current_url.startswith(f"{url}p/{hostile.id}/"), page.driver.current_url)
    page.complaints()
    with suite.check("the viewer's storage is as it was"):
        page.driver.get(url)
        expect(page.run("return localStorage.getItem(arguments[0])", canary) == "secret", "changed")
        expect(page.run("return document.cookie") == "", "a cookie")
        expect(page.run("return navigator.serviceWorker.getRegistrations().then(l => l.length)") == 0, "a service worker")

    with suite.check("a web page of another origin gets nothing, and dials nobody"):
        unseen = "12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8"
        page.driver.get("data:text/html,<title>elsewhere</title>")
        for path in ("api/peers", "api/self", "", f"p/{unseen}/", f"p/{me.id}/"):
            got = page.run("return fetch(arguments[0]).then(r => r.text(), e => 'refused')", url + path)
            expect(got == "refused", f"{path}: {got}")
        for path in ("assets/icon.svg", f"p/{unseen}/icon.svg"):
            got = page.run("return new Promise(d => { const i = new Image(); i.onload = () => d('loaded');"
                           "i.onerror = () => d('refused'); i.src = arguments[0]; })", url + path)
            expect(got == "refused", f"{path}: {got}")
        page.complaints()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewer", help="address of a running viewer; then nothing is started")
    parser.add_argument("--goop2", default="./goop2", help="the program (default: ./goop2)")
    parser.add_argument("--screenshots", help="folder for pictures (default: a new one under the temporary folder)")
    options = parser.parse_args()
    screenshots = pathlib.Path(options.screenshots or tempfile.mkdtemp(prefix="goop2-browser-"))
    screenshots.mkdir(parents=True, exist_ok=True)
    suite = Suite(screenshots)
    if options.viewer:
        url = options.viewer.rstrip("/") + "/"
        looks(suite, url, "front")
        keyboard(suite, url)
    else:
        program = pathlib.Path(options.goop2).resolve()
        if not program.exists():
            sys.exit(f"browser: {program} is not there; build it with: make build")
        with tempfile.TemporaryDirectory(prefix="goop2-peers-") as folder:
            story(suite, program, pathlib.Path(folder))
    print(f"browser: {suite.count - len(suite.failed)} of {suite.count} checks passed; pictures in {screenshots}")
    sys.exit(1 if suite.failed else 0)


main()
