"""The browser, the checks and their counts: what all stories in a browser share."""
import contextlib
import os
import pathlib
import shutil
import time
import traceback

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

HERE = pathlib.Path(__file__).parent
HOSTILE_NAME = "<img src=x onerror=\"window.pwned=1\">'\"</script>"


class Browser:
    """Chromium with one size, one colour scheme and one size of text; messages of its console are findings."""

    # How many times longer than a quiet machine needs everything may take.
    patience = 1

    def __init__(self, width=1280, height=900, dark=False, reduced_motion=False, text_size=16, arguments=()):
        options = webdriver.ChromeOptions()
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars",
                         "--disable-background-networking", "--disable-component-update", "--no-first-run", *arguments):
            options.add_argument(argument)
        options.add_experimental_option("prefs", {"webkit.webprefs.default_font_size": text_size})
        options.binary_location = shutil.which("chromium")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
        self.driver.set_page_load_timeout(30)
        self.reduced_motion = reduced_motion
        self.show_as(width, height, dark)

    def show_as(self, width, height, dark):
        """Another size of the window and another colour scheme, from the next page on."""
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.cdp("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if self.reduced_motion else "no-preference"}])

    def cdp(self, command, **parameters):
        return self.driver.execute_cdp_cmd(command, parameters)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition, what, seconds=10):
        # An element that the page replaces between being found and being read is looked for again.
        waiting = WebDriverWait(self.driver, seconds * self.patience, 0.02, [StaleElementReferenceException])
        try:
            return waiting.until(lambda _: condition())
        except TimeoutException:
            raise AssertionError(f"not within {seconds} s: {what}; the page says: {self.text()[:600]}") from None

    def frames(self):
        """Waits for two frames. The browser tells a page some things at the next one only: that a dialog is closed, say."""
        self.driver.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()))")

    def text(self):
        return self.run("return document.body.innerText")

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def heard(self):
        """What the page told a screen reader last. While a dialog is open, nothing outside of it is heard."""
        return self.run("const dialog = [...document.querySelectorAll('dialog:modal')].at(-1);"
                        "return (dialog ? dialog.querySelector('.announcer') : document.getElementById('announcer'))?.textContent ?? ''")

    @contextlib.contextmanager
    def left(self):
        """Another tab in front of this one. Inside, the browser is asked for that: a tab that is asked is looked at."""
        own = self.driver.current_window_handle
        self.driver.switch_to.new_window("tab")
        try:
            yield
        finally:
            self.driver.close()
            self.driver.switch_to.window(own)

    def complaints(self, *expected):
        """Console messages of level warning and above since the last call, without the expected ones."""
        messages = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] != "INFO"]
        return [message for message in messages if not any(part in message for part in expected)]

    def close(self):
        self.driver.quit()


def give_hostile_site(peer):
    """The site that tries everything. Its hidden file is written here, since many tools pass over such names: without one, a
    refusal would prove nothing."""
    shutil.copytree(HERE / "hostile", peer.site, dirs_exist_ok=True)
    (peer.site / ".env").write_text("hidden")


@contextlib.contextmanager
def browser(*arguments, **options):
    opened = Browser(*arguments, **options)
    try:
        yield opened
    finally:
        opened.close()


def ask(page, path, body):
    """What a page of the viewer asks of it."""
    return page.driver.execute_async_script("""
        const [path, body, done] = arguments;
        fetch(path, {method: "POST", body: JSON.stringify(body), headers: {"Content-Type": "application/json",
          "X-Goop-Token": document.querySelector("meta[name=goop-token]").content}}).then((answer) => done(answer.status))""", path, body)


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

    def missing(self, what):
        """A check that cannot be made because the machine lacks something: told, and a failure under CI."""
        is_failure = bool(os.environ.get("CI"))
        if is_failure:
            self.count += 1
            self.failed.append(what)
        print(f"  {'FAIL' if is_failure else 'skip'}  {what} (scripts/setup test installs it)", flush=True)

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


def each_look(suite, name, check, look, height=900, **options):
    """Narrow and wide, light and dark, in one browser: `look(page, label)` opens the page and is a check by itself each
    time. `check` names it, with the label in the place of {}."""
    with browser(height=height, reduced_motion=True, **options) as page:
        for width in (320, 1280):
            for dark in (False, True):
                label = f"{name}-{width}-{'dark' if dark else 'light'}"
                with suite.check(check.format(label)):
                    page.show_as(width, height, dark)
                    look(page, label)


def not_too_wide(page):
    wide = page.run("return document.documentElement.scrollWidth - innerWidth")
    expect(wide <= 0, f"{wide} pixels too wide")


def looks(suite, url, name):
    """Every size and scheme: nothing overflows, nothing complains, and a picture for a person to look at."""
    def look(page, label):
        page.driver.get(url)
        if name == "front":
            page.wait(lambda: page.one("#link").get_attribute("data-state") == "live", "live")
        if name == "shell":
            page.wait(lambda: page.run("return document.getElementById('state').dataset.state") == "online", "the state")
        time.sleep(0.3)  # only for the picture: images are drawn after the text
        suite.shot(page, label)
        not_too_wide(page)
        complaints = page.complaints("Failed to load resource: the server responded with a status of")
        expect(not complaints, complaints)
    each_look(suite, name, "looks right: {}", look)


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
        expect(stops[0][1] == "Skip to content", stops)
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
