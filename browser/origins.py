"""Each site on its own origin inside of the viewer's shell: the visit, the way out, the end of it, and attacks."""
import contextlib
import http.server
import json
import re
import threading
import time
import urllib.parse

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import firefox
from axe import harmless
from story import HERE, browser, expect, looks, state

OWN_FAILS = ("own site framed",)
# What names under localhost cannot have where the browser does not find them.
SEALED = "--host-resolver-rules=MAP *.localhost ~NOTFOUND"
BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base36(peer):
    """The id as a host name: multibase k, CIDv1, libp2p-key, the bytes of the base58 text."""
    number = 0
    for letter in peer:
        number = number * 58 + BASE58.index(letter)
    content = b"\x01\x72" + number.to_bytes((number.bit_length() + 7) // 8, "big")
    if content[2:3] == b"\x24":
        content = b"\x01\x72\x00" + content[2:]
    number, text = int.from_bytes(content, "big"), ""
    while number:
        number, rest = divmod(number, 36)
        text = BASE36[rest] + text
    return "k" + text


def site_origin(url, peer):
    return f"http://{base36(peer)}.localhost:{url.rstrip('/').rsplit(':', 1)[1]}"


@contextlib.contextmanager
def inside(page):
    """Looks into the frame of the site."""
    page.driver.switch_to.default_content()
    page.wait(lambda: page.driver.find_elements(By.CSS_SELECTOR, "#frame-place iframe"), "a frame")
    page.driver.switch_to.frame(page.one("#frame-place iframe"))
    try:
        yield page
    finally:
        page.driver.switch_to.default_content()


# The sites whose visits left something that is not removed yet, and the place of the browser's log while it may hold any of it.
NOTED = "Object.keys(localStorage).filter((key) => key.startsWith('goop-visit ')).map((key) => key.slice(11))"


def noted(page):
    return page.run(f"return {NOTED}")


def site_text(page):
    try:
        with inside(page):
            return page.run("return document.body ? document.body.innerText : ''").strip()
    except Exception:
        return None


def wait_site(page, text, seconds=10):
    page.wait(lambda: text in (site_text(page) or ""), f"the site saying {text!r}; it says {site_text(page)!r}", seconds)


def curtain(page):
    # While a page goes, a driver may give nothing for an answer.
    return page.run("const c = document.getElementById('curtain'); return c.hidden ? '' : c.innerText") or ""


def forget(page):
    """By key: what is said of the e-mail address comes a moment after the panel, and moves its button."""
    page.one("#rights").click()
    page.one("#forget").send_keys(Keys.ENTER)
    page.wait(lambda: "is forgotten" in curtain(page), "the end of it")


def bar(page):
    return page.run("return document.querySelector('.bar').innerText")


# What the button that copies says of what came of it, as it is seen, in `words`.
LISTENS = """
const button = document.getElementById("copy");
window.words = [];
new MutationObserver(() => {
  words.push(getComputedStyle(button, "::before").content === "none" ? "none" : button.dataset.word ?? "?");
}).observe(button, { attributeFilter: ["data-word"] });
"""


def visits(suite, page, url, me, neighbour):
    """The shell around a visit."""
    neighbour.write("index.html", "<!doctype html><title>S</title><h1>shell home</h1>"
                    "<a id=next href='sub/next.html?q=1'>next</a> <a id=out href='http://out.example/a'>out</a>"
                    "<a id=blank target=_blank href='http://out.example/b?c=d'>blank</a> <a id=top target=_top href='http://out.example/t'>top</a>"
                    "<button id=opens>open</button><script src=opens.js></script>"
                    "<form action='sub/next.html'><button id=send name=f value=2>s</button></form>")
    neighbour.write("opens.js", "document.getElementById('opens').onclick = () => { window.got = window.open('http://out.example/w#x', 'wide'); };")
    neighbour.write("sub/next.html", "<!doctype html><title>N</title><h1>next page</h1>")
    here = f"{url}p/{neighbour.id}/"

    with suite.check("the bar names the site, and the site has an origin of its own"):
        page.driver.get(here)
        wait_site(page, "shell home")
        page.wait(lambda: "Here now" in bar(page), "the state in the bar")
        expect("Neighbour" in bar(page) and neighbour.id[-4:] in bar(page), bar(page))
        expect(page.driver.find_elements(By.CSS_SELECTOR, "#picture svg"), "no picture")
        with inside(page):
            expect(page.run("return origin") == site_origin(url, neighbour.id), page.run("return origin"))
            expect(page.run("return location.pathname") == f"/p/{neighbour.id}/", "another path")
        expect(page.driver.current_url == here, page.driver.current_url)
        said = page.complaints()
        expect(not said, said)

    with suite.check("the skip link leads to the site, and nothing of that stands in the address"):
        page.one(".skip").send_keys(Keys.ENTER)
        page.wait(lambda: page.run("return document.activeElement.id") == "frame-place", "the focus at the site")
        expect(page.driver.current_url == here, page.driver.current_url)

    with suite.check("the address follows the site, by link, by form and backwards; reload keeps it"):
        with inside(page):
            page.one("#next").click()
        wait_site(page, "next page")
        page.wait(lambda: page.driver.current_url == f"{here}sub/next.html?q=1", "the address following")
        page.driver.refresh()
        wait_site(page, "next page")
        expect(page.driver.current_url == f"{here}sub/next.html?q=1", page.driver.current_url)
        page.driver.get(here)
        wait_site(page, "shell home")
        with inside(page):
            page.one("#send").click()
        page.wait(lambda: page.driver.current_url == f"{here}sub/next.html?f=2", "the form's address")
        page.driver.back()
        wait_site(page, "shell home")
        page.wait(lambda: page.driver.current_url == here, "the address going back")

    with suite.check("the bar copies the address of the page that is shown, as people pass it on"):
        # Taken back below: the hostile site tries the clipboard too.
        page.cdp("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"], origin=url.rstrip("/"))
        try:
            with inside(page):
                page.one("#next").click()
            wait_site(page, "next page")
            page.wait(lambda: page.driver.current_url == f"{here}sub/next.html?q=1", "the address following")
            page.run(LISTENS)
            page.one("#copy").click()
            page.wait(lambda: "The address was copied" in page.heard(), "the word that it was copied")
            page.wait(lambda: page.run("return words") == ["Copied", "none"], "the word for whoever sees it, and its end")
            copied = page.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0], e => arguments[0](String(e)))")
            expect(copied == f"http://127.0.0.1:8080/p/{neighbour.id}/sub/next.html?q=1", copied)
            page.run("navigator.clipboard.writeText = () => Promise.reject(new Error())")
            page.one("#copy").click()
            page.wait(lambda: "did not allow copying" in page.heard(), "the word that it was not")
            page.wait(lambda: "Not allowed" in page.run("return words"), "the word for whoever sees it")
        finally:
            page.cdp("Browser.resetPermissions")
            page.driver.get(here)
            wait_site(page, "shell home")

    with suite.check("a page without the SDK is as its owner made it, and opens nothing by itself"):
        with inside(page):
            expect(page.run("return document.scripts.length") == 1, "a script of ours stays in the page")
            expect(page.run("return typeof Goop") == "undefined", "the SDK is there")
            # No person has clicked: the browser refuses, and the frame stays where it is.
            page.run("document.getElementById('blank').click(); document.getElementById('top').click();"
                     "document.getElementById('opens').click()")
            expect(page.run("return window.got") is None, "a window was opened")
        expect(len(page.driver.window_handles) == 1, "a tab was opened")
        expect("shell home" in (site_text(page) or "") and not curtain(page), curtain(page))
        page.complaints()
    for name, target in (("out", "http://out.example/a"), ("blank", "http://out.example/b?c=d"),
                         ("top", "http://out.example/t"), ("opens", "http://out.example/w#x")):
        with suite.check(f"without the SDK a click that leads out ({name}) is named by the viewer and opened only from there"):
            page.driver.get(here)
            wait_site(page, "shell home")
            with inside(page):
                page.one(f"#{name}").click()
            page.wait(lambda: target in curtain(page), "the page that names the target")
            if name == "blank":
                suite.shot(page, "shell-way-out")
                harmless(page)
            expect(len(page.driver.window_handles) == 1, "a tab was opened")
            expect(page.one("#curtain-open").get_attribute("href") == target, "another target")
            expect("noopener" in page.one("#curtain-open").get_attribute("rel"), "no noopener")
            page.one("#curtain-show").click()
            wait_site(page, "shell home")
            page.complaints()
    with suite.check("where a script leads the frame out, the browser tells the origin of the target, and no more"):
        with inside(page):
            page.run("setTimeout(() => { location.href = 'http://out.example/a' })")
        page.wait(lambda: "http://out.example/" in curtain(page), "the page that names the target")
        expect(page.one("#curtain-open").get_attribute("href") == "http://out.example/", "another target")
        page.one("#curtain-show").click()
        wait_site(page, "shell home")
        page.complaints()

    neighbour.write("links.html", "<!doctype html><title>L</title><script src=/sdk/goop-data.js></script><h1>links</h1>"
                    "<a id=deep href='https://out.example/a/b?c=d#e'>deep</a> <a id=named target=_blank href='http://you@out.example/n'>named</a>"
                    f"<a id=own target=_blank href='sub/next.html?own'>own</a> <a id=other href='/p/{me.id}/sub/?q=1'>other</a>"
                    f"<a id=passed href='http://127.0.0.1:8080/p/{me.id}/sub/?q=2'>passed</a> <a id=viewer href='{url}settings'>viewer</a>"
                    f"<a id=self target=_blank href='http://127.0.0.1:8080/p/{neighbour.id}/sub/next.html?self'>self</a>")
    with suite.check("with the SDK the whole address of a link out is named, of a link for a new tab as well"):
        page.driver.get(f"{here}links.html")
        for name, target in (("deep", "https://out.example/a/b?c=d#e"), ("named", "http://out.example/n")):
            wait_site(page, "links")
            with inside(page):
                page.one(f"#{name}").click()
            page.wait(lambda: target in curtain(page), f"the page that names {target}")
            expect(page.one("#curtain-open").get_attribute("href") == target, "another target")
            expect(page.one("#curtain-open").get_attribute("target") == "_blank", "not in a new tab")
            page.one("#curtain-show").click()
        wait_site(page, "links")
        suite.shot(page, "shell-links")
        with inside(page):
            page.one("#own").click()
        wait_site(page, "next page")
        page.wait(lambda: page.driver.current_url == f"{here}sub/next.html?own", "the own page")
        expect(len(page.driver.window_handles) == 1, "a tab was opened")
    with suite.check("a link to another site is named, and leads into the shell of that site"):
        me.write("sub/index.html", "<!doctype html><title>M</title><h1>my own page</h1>")
        page.driver.get(f"{here}links.html")
        wait_site(page, "links")
        with inside(page):
            page.one("#other").click()
        page.wait(lambda: "leads to another site" in curtain(page), "the page that names the other site")
        expect("Me (" in curtain(page) and me.id in curtain(page), curtain(page))
        expect(page.driver.current_url == f"{here}links.html", page.driver.current_url)
        suite.shot(page, "shell-other-site")
        page.one("#curtain-open").click()
        wait_site(page, "my own page")
        expect(page.driver.current_url == f"{url}p/{me.id}/sub/?q=1", page.driver.current_url)
        page.driver.get(here)
        wait_site(page, "shell home")
        page.complaints()

    with suite.check("a link as people pass it on leads to the shell of that site, and one to the site itself to its page"):
        page.driver.get(f"{here}links.html")
        wait_site(page, "links")
        with inside(page):
            page.one("#passed").click()
        page.wait(lambda: "leads to another site" in curtain(page), f"the page that names the other site, not {curtain(page)!r}")
        expect("Me (" in curtain(page), curtain(page))
        expect(page.one("#curtain-open").get_attribute("href") == f"{url}p/{me.id}/sub/?q=2", page.one("#curtain-open").get_attribute("href"))
        page.one("#curtain-show").click()
        wait_site(page, "links")
        with inside(page):
            page.one("#self").click()
        wait_site(page, "next page")
        page.wait(lambda: page.driver.current_url == f"{here}sub/next.html?self", "the own page")
        expect(not curtain(page) and len(page.driver.window_handles) == 1, curtain(page))
    with suite.check("a link to a page of the viewer opens nothing, and is no link to the web"):
        page.driver.get(f"{here}links.html")
        wait_site(page, "links")
        with inside(page):
            page.one("#viewer").click()
        page.wait(lambda: "your own viewer" in curtain(page), f"the refusal, not {curtain(page)!r}")
        expect(not page.one("#curtain-open").is_displayed(), "it can be opened")
        page.one("#curtain-show").click()
        wait_site(page, "links")
        page.driver.get(here)
        wait_site(page, "shell home")
        page.complaints()

    with suite.check("the e-mail is told only after the box is ticked"):
        asked = "return fetch('/api/self').then(r => r.json()).then(v => v.email)"
        with inside(page):
            expect(page.run(asked) == "", "told without being asked")
        page.one("#rights").click()
        page.wait(lambda: page.one("#share-email").is_enabled(), "the box")
        suite.shot(page, "shell-rights")
        page.one("#share-email").click()
        page.wait(lambda: "learns your e-mail" in page.heard(), "kept")
        page.one("#panel-close").click()
        with inside(page):
            expect(page.run(asked) == "me@example.org", "not told")
        kept = me.folder / "data" / "consents.json"
        expect(neighbour.id in kept.read_text() and kept.stat().st_mode & 0o777 == 0o600, "not kept as it should be")

    with suite.check("what is chosen stays, though the answer to what was chosen before comes later"):
        page.run("""
            const fetched = window.fetch;
            const isLetGo = new Promise((done) => { window.letGo = done; });
            window.fetch = async (path, ...more) => {
              const answer = await fetched(path, ...more);
              if (String(path).startsWith("/api/shell/site")) { window.isAnswered = true; await isLetGo; }
              return answer;
            };""")
        page.one("#rights").click()
        page.wait(lambda: page.run("return window.isAnswered"), "the answer, which is held back")
        page.one("#share-email").send_keys(Keys.SPACE)
        page.wait(lambda: "does not learn your e-mail" in page.heard(), "taken back")
        page.run("letGo()")
        page.frames()
        expect(not page.one("#share-email").is_selected(), "chosen again")
        page.one("#share-email").send_keys(Keys.SPACE)
        page.wait(lambda: "site learns your e-mail" in page.heard(), "kept again")
        page.one("#panel-close").click()

    with suite.check("Forget takes the consent and what the site kept in the browser"):
        with inside(page):
            page.run("localStorage.setItem('k', 'planted'); document.cookie = 'k=planted'")
            page.driver.execute_async_script(
                "const r = indexedDB.open('planted'); r.onsuccess = () => arguments[0]()")
        forget(page)
        harmless(page)
        page.one("#curtain-show").click()
        wait_site(page, "shell home")
        with inside(page):
            expect(page.run("return localStorage.getItem('k')") is None, "local storage is there")
            expect(page.run("return indexedDB.databases().then(l => l.length)") == 0, "a database is there")
            expect(page.run("return fetch('/api/self').then(r => r.json()).then(v => v.email)") == "", "still told")
        page.complaints()

    looks(suite, here, "shell")


def saves(suite, page, url, neighbour, folder):
    """What no guard stops, and the bar says: a script has the browser save a file, and nobody has clicked."""
    downloads = folder / "saved-by-sites"
    downloads.mkdir()
    neighbour.write("saves.html", "<!doctype html><title>S</title><h1>saves</h1><script src=saves.js></script>")
    neighbour.write("saves.js", """const link = document.createElement("a");
link.href = URL.createObjectURL(new Blob(["not asked for"]));
link.download = "unasked.txt";
link.click();""")
    with suite.check("a site saves a file without a click, and the bar says that it may"):
        page.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))
        try:
            page.driver.get(f"{url}p/{neighbour.id}/saves.html")
            wait_site(page, "saves")
            page.wait(lambda: (downloads / "unasked.txt").exists(), "the file; if browsers do not save it any more, the words can go")
            page.wait(lambda: (downloads / "unasked.txt").read_text() == "not asked for", "what the site put into it")
            expect(not curtain(page), curtain(page))
            page.one("#rights").click()
            page.wait(lambda: page.one("#panel").is_displayed(), "what the site may do")
            expect("save files, also without a click of yours" in page.one("#panel").text, page.one("#panel").text)
            page.one("#panel-close").send_keys(Keys.ENTER)
            page.wait(lambda: not page.one("#panel").is_displayed(), "the panel closed")
        finally:
            page.cdp("Browser.setDownloadBehavior", behavior="default")
    page.complaints()


def gone(suite, page, url, neighbour):
    """Gone means gone. The neighbour is stopped and started here."""
    here = f"{url}p/{neighbour.id}/"
    with suite.check("when the owner leaves, the shell says so and unloads the site"):
        page.driver.get(here)
        wait_site(page, "shell home")
        page.wait(lambda: "Here now" in bar(page), "here")
        neighbour.stop()
        page.wait(lambda: "Neighbour is gone" in curtain(page), "the news", 3)
        expect("ast seen" in curtain(page), curtain(page))
        expect(not page.driver.find_elements(By.CSS_SELECTOR, "#frame-place iframe"), "the frame is there")
        page.reduced_motion = True  # axe-core looks at colours, and none may be half way to another
        for width, dark in ((320, True), (1280, False)):
            page.show_as(width, 900, dark)
            suite.shot(page, f"shell-gone-{width}-{'dark' if dark else 'light'}")
            harmless(page)
    with suite.check("when the owner returns, the site is offered again"):
        neighbour.start()
        page.wait(lambda: "is back" in curtain(page), "the offer", 20)
        page.one("#curtain-show").click()
        wait_site(page, "shell home")
        page.complaints()


def begun_while_away(suite, page, url, neighbour):
    """A visit that began while the owner was away. The neighbour is stopped and started here."""
    with suite.check("a visit that began while the owner was away shows the site when they come"):
        neighbour.stop()
        page.driver.get(url)
        page.wait(lambda: state(page, neighbour.id) in (None, "offline", "unreachable"), "the neighbour away")
        page.driver.get(f"{url}p/{neighbour.id}/")
        wait_site(page, "cannot be reached")
        neighbour.start()
        page.wait(lambda: "Here now" in bar(page), "here", 20)
        wait_site(page, "shell home")
        page.complaints()


def hostile_address(url, me, hostile, outside):
    return (f"{url}p/{hostile.id}/?other={me.id}&othersite={site_origin(url, me.id)}"
            f"&outside=http://127.0.0.1:{outside}")


def report(page, address):
    """Runs the hostile site and gives what it says it got."""
    page.driver.get(address)

    def ended():
        with contextlib.suppress(Exception), inside(page):
            return page.driver.execute_script("return document.title") == "done"
        return False
    try:
        page.wait(ended, "the report of the hostile site", seconds=150)
    except Exception as error:  # it led the tab away, or stopped: judged as no results
        print(f"        no report: {str(error)[:300]}", flush=True)
        return {}
    with inside(page):
        return json.loads(page.run("return document.getElementById('results').textContent"))


def judge(suite, results, label, hits, counted=()):
    with suite.check(f"{label}: nothing reached the server outside"):
        expect(not hits, hits)
    with suite.check(f"{label}: the hostile site ran to its end, {len(results)} attempts"):
        expect(len(results) > 90, len(results))
    for name, result in results.items():
        if name in counted:
            continue
        with suite.check(f"{label}: {name}: {result[:90]}"):
            expect(result.startswith("GOT ") if name.startswith("own ") and name not in OWN_FAILS
                   else result.startswith("refused"), result)


def after_attack(suite, page, url, me, hostile, label):
    with suite.check(f"{label}: the tab, the bar and the consent are as they were"):
        expect(page.driver.current_url.startswith(f"{url}p/{hostile.id}/"), page.driver.current_url)
        expect(len(page.driver.window_handles) == 1, "windows were opened")
        expect("Your bank" not in bar(page) and hostile.id[-4:] in bar(page), bar(page))
        top = page.run("const b = document.querySelector('.bar').getBoundingClientRect();"
                       "return document.elementFromPoint(b.width / 2, b.height / 2).closest('.bar') !== null && b.top === 0")
        expect(top, "the bar is covered")
        kept = me.folder / "data" / "consents.json"
        expect(not kept.exists() or hostile.id not in kept.read_text(), "it took the consent")
    page.complaints()


def leaves(suite, page, url, me, hostile):
    """Ways to lead the frame or the tab somewhere else."""
    source = (HERE / "hostile" / "attack.js").read_text()
    block = source[source.index("const leaving = {"):source.index("if (asked.has(\"leave\"))")]
    names = re.findall(r'^  "([^"]+)":', block, re.M)
    for number, name in enumerate(names):
        with suite.check(f"hostile site leads away: {name}"):
            page.driver.get(url)
            page.driver.get(f"{url}p/{hostile.id}/?leave={number}&other={me.id}&othersite={site_origin(url, me.id)}")
            page.wait(lambda: curtain(page) or (site_text(page) or "").endswith("leaving"), "the page")
            time.sleep(1.2)  # for an attack to succeed, there is nothing to wait for
            expect(page.driver.current_url.startswith(f"{url}p/{hostile.id}/"), page.driver.current_url)
            expect(len(page.driver.window_handles) == 1, "a window")
            expect(hostile.id[-4:] in bar(page), bar(page))
            shown = curtain(page) or site_text(page) or ""
            expect("Your bank" not in shown and "script ran" not in shown, shown)
            # A link to another site by its path is named, and opened by a person only.
            expect(me.id not in shown or "This link leads to another site" in shown, shown)
            expect(page.run("return document.title") != "x", "the title")
            kept = me.folder / "data" / "consents.json"
            expect(not kept.exists() or hostile.id not in kept.read_text(), "it took the consent")
    page.complaints()


def attacks(suite, page, url, me, hostile):
    with elsewhere() as (other, hits):
        results = report(page, hostile_address(url, me, hostile, other))
        judge(suite, results, "hostile site", hits)
    with suite.check("own style was applied, so the site really ran as a site"):
        expect(results.get("own style") == "GOT rgb(1, 2, 3)", results.get("own style"))
    after_attack(suite, page, url, me, hostile, "hostile site")
    leaves(suite, page, url, me, hostile)


def sealed(suite, url, me, neighbour, hostile):
    """A browser that does not find names under localhost."""
    with browser(arguments=[SEALED]) as page:
        with suite.check("without origins for sites a site runs sealed off, and the bar says so"):
            page.driver.get(f"{url}p/{neighbour.id}/")
            wait_site(page, "shell home")
            expect("sealed off" in page.text(), page.text())
            with inside(page):
                expect(page.run("return origin") == "null", "it has an origin")
                page.one("#next").click()
            wait_site(page, "next page")
            page.wait(lambda: page.driver.current_url.endswith("/sub/next.html?q=1"), "the address following")
            suite.shot(page, "shell-sealed-1280-light")
            page.complaints()
        with elsewhere() as (other, hits):
            results = report(page, hostile_address(url, me, hostile, other))
            judge(suite, results, "sealed hostile site", hits)
        after_attack(suite, page, url, me, hostile, "sealed hostile site")


ELSEWHERE = """<!doctype html><title>elsewhere</title><body><script>
window.within = (p, ms = 2500) => Promise.race([p, new Promise((_, r) => setTimeout(() => r(new Error('no answer')), ms))]);
window.loads = (tag, attribute, url, more = {}) => within(new Promise((resolve, reject) => {
  const e = Object.assign(document.createElement(tag), more);
  e.onload = () => resolve('loaded'); e.onerror = () => reject(new Error('error')); e[attribute] = url; document.body.append(e); }));
window.read = (url, options) => within(fetch(url, options)).then((a) => a.type === 'opaque' ? Promise.reject(new Error('opaque')) : a.text());
window.tryIt = (source) => Promise.resolve().then(() => eval(source)).then((v) => 'GOT ' + v, (e) => 'refused ' + e.message);
</script>"""


@contextlib.contextmanager
def elsewhere():
    hits = []

    class Page(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            referer = self.headers.get("Referer")
            hits.append(self.path + (f" from {referer}" if referer else ""))
            _, leads, target = self.path.partition("?to=")
            if leads:
                self.send_response(307)
                self.send_header("Location", urllib.parse.unquote(target))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = ELSEWHERE.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1], hits
    finally:
        server.shutdown()


def foreign_tries(url, neighbour):
    """What a web page elsewhere may try, as scripts for its page."""
    port = url.rstrip("/").rsplit(":", 1)[1]
    site = site_origin(url, neighbour.id)
    unseen = "12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8"
    body = json.dumps({"peer": neighbour.id, "email": True})
    return {
        "peers": f"read('{url}api/peers')",
        "peers by a blind request": f"read('{url}api/peers', {{mode: 'no-cors'}})",
        "the front page with the token": f"read('{url}')",
        "the shell with the token": f"read('{url}p/{neighbour.id}/')",
        "a visited site": f"read('{url}p/{neighbour.id}/index.html')",
        "a visited site on its origin": f"read('{site}/p/{neighbour.id}/')",
        "a visited site as picture": f"loads('img', 'src', '{site}/p/{neighbour.id}/icon.svg')",
        "a visited site as script": f"loads('script', 'src', '{site}/p/{neighbour.id}/index.html')",
        "an unseen site as picture": f"loads('img', 'src', '{url}p/{unseen}/icon.svg')",
        "who visits, on a site's origin": f"read('{site}/api/self')",
        "tables on a site's origin": f"read('{site}/api/p/{neighbour.id}/data/tables')",
        "a row by a simple request": f"read('{site}/api/p/{neighbour.id}/data/insert', {{method: 'POST', body: '{{}}', headers: {{'Content-Type': 'text/plain'}}}})",
        "a picture of the viewer": f"loads('img', 'src', '{url}assets/icon.svg')",
        "a picture of the viewer by a redirect": f"loads('img', 'src', '/?to=' + encodeURIComponent('{url}assets/icon.svg'))",
        "a script of the viewer": f"loads('script', 'src', '{url}assets/viewer.js')",
        "the SDK as script": f"loads('script', 'src', '{url}sdk/goop-data.js')",
        "the SDK as module": f"within(import('{url}sdk/goop.mjs'))",
        "the SDK as style": f"loads('link', 'href', '{url}sdk/goop-form.css', {{rel: 'stylesheet'}})",
        "the SDK by a blind request": f"within(fetch('{url}sdk/goop-data.js', {{mode: 'no-cors'}}))",
        "the SDK on a site's origin": f"loads('script', 'src', '{site}/sdk/goop-data.js')",
        "a picture of the viewer by a blind request": f"within(fetch('{url}assets/icon.svg', {{mode: 'no-cors'}}))",
        "the probe by a blind request": f"within(fetch('http://abcdefgh1.localhost:{port}/probe', {{mode: 'no-cors'}}))",
        "localhost by a blind request": f"within(fetch('http://localhost:{port}/', {{mode: 'no-cors'}}))",
        "forgetting a site": f"within(fetch('{site}/forget', {{mode: 'no-cors', credentials: 'include'}}))",
        "a sandboxed frame that loads the SDK": "within(new Promise((y, n) => { const f = document.createElement('iframe'); f.sandbox = 'allow-scripts';"
            f"f.srcdoc = \"<script src='{url}sdk/goop-data.js' onload='parent.postMessage(1, `*`)' onerror='parent.postMessage(0, `*`)'></\" + 'script>';"
            "addEventListener('message', (e) => e.data ? y(e.data) : n(new Error('refused'))); document.body.append(f); }))",
        "the probe": f"read('http://abcdefgh1.localhost:{port}/probe')",
        "live events": f"within(new Promise((y, n) => {{ const s = new EventSource('{url}api/events'); s.onopen = () => y('open'); s.onerror = () => n(new Error('error')); }}))",
        "a socket": f"within(new Promise((y, n) => {{ const s = new WebSocket('ws://127.0.0.1:{port}/api/events'); s.onopen = () => y('open'); s.onerror = () => n(new Error('error')); }}))",
        "consent with a header": f"read('{url}api/shell/consent', {{method: 'POST', body: {body!r}, headers: {{'Content-Type': 'application/json', 'X-Goop-Token': 'x'}}}})",
        "consent by a simple request": f"read('{url}api/shell/consent', {{method: 'POST', body: {body!r}, headers: {{'Content-Type': 'text/plain'}}}})",
        "consent by a blind request": f"read('{url}api/shell/consent', {{method: 'POST', mode: 'no-cors', credentials: 'include', body: {body!r}}})",
        "consent by beacon": f"(navigator.sendBeacon('{url}api/shell/consent', {body!r}), Promise.reject(new Error('looked at below')))",
        "a secret path": f"read('{url}c/guess/p/{neighbour.id}/')",
        "a sandboxed frame that reads a visited site": "within(new Promise((y, n) => { const f = document.createElement('iframe'); f.sandbox = 'allow-scripts';"
            f"f.srcdoc = \"<script>fetch('{url}p/{neighbour.id}/index.html').then(r => r.text()).then(t => parent.postMessage(t, '*'), () => parent.postMessage('', '*'))</\" + 'script>';"
            "addEventListener('message', (e) => e.data ? y(e.data) : n(new Error('refused'))); document.body.append(f); }))",
    }


def foreign_pages(suite, url, me, neighbour):
    """Web pages elsewhere: of another site, and of another port of this machine, which browsers call the same site."""
    port = url.rstrip("/").rsplit(":", 1)[1]
    site = site_origin(url, neighbour.id)
    body = json.dumps({"peer": neighbour.id, "email": True})
    tries = foreign_tries(url, neighbour)
    with elsewhere() as (other, _), browser(arguments=["--host-resolver-rules=MAP *.example 127.0.0.1"]) as page:
        page.driver.get(f"{url}p/{neighbour.id}/")  # the site is being visited meanwhile
        wait_site(page, "shell home")
        page.driver.switch_to.new_window("tab")
        for label, address in (("web page", f"http://evil.example:{other}/"), ("page of another port", f"http://127.0.0.1:{other}/")):
            page.driver.get(address)
            for name, source in tries.items():
                with suite.check(f"{label}: {name}"):
                    got = page.run("return tryIt(arguments[0])", source)
                    expect(got.startswith("refused"), got[:200])
            for name, framed in (("the viewer", url), ("the shell", f"{url}p/{neighbour.id}/"), ("a site", f"{site}/p/{neighbour.id}/")):
                with suite.check(f"{label}: frames {name}"):
                    page.driver.get(address)
                    page.run("const f = document.createElement('iframe'); f.src = arguments[0]; document.body.append(f);"
                             "return within(new Promise((y) => { f.onload = y; }), 4000)", framed)
                    page.driver.switch_to.frame(page.one("iframe"))
                    text = page.run("return document.body ? document.body.innerText : ''")
                    page.driver.switch_to.default_content()
                    expect("shell home" not in text and "Neighbour" not in text and "People" not in text, text[:200])
            with suite.check(f"{label}: a form that posts to the viewer"):
                page.driver.get(address)
                page.run("const f = document.createElement('form'); f.method = 'post'; f.enctype = 'text/plain'; f.action = arguments[0];"
                         "f.innerHTML = '<input>'; f.firstChild.name = arguments[1]; document.body.append(f); f.submit()", f"{url}api/shell/consent", body)
                page.wait(lambda: page.driver.current_url.startswith(url), "the answer")
                expect("not from here" in page.text(), page.text()[:200])
            with suite.check(f"{label}: the consent was not touched"):
                kept = me.folder / "data" / "consents.json"
                expect(not kept.exists() or neighbour.id not in kept.read_text(), "it was")
        for path in ("", "api/peers", f"p/{neighbour.id}/", "assets/viewer.js"):
            with suite.check(f"a name that was rebound to this machine: /{path[:20]}"):
                page.driver.get(f"http://rebound.example:{port}/{path}")
                expect("Wrong address" in page.text(), page.text()[:200])
        with suite.check("a site opened in a tab of its own comes back into the shell"):
            page.driver.get(f"{site}/p/{neighbour.id}/")
            wait_site(page, "shell home")
            expect(page.driver.current_url == f"{url}p/{neighbour.id}/", page.driver.current_url)
        page.complaints()


def leftovers(suite, url, me, neighbour, folder):
    """After a visit neither the browser's profile nor the peer's folder holds a byte of the site, unless it is kept."""
    names = ("page", "script", "picture", "local", "session", "database", "cache", "file")
    plants = {name: f"canary{name}7f3a91" for name in names}
    neighbour.write("canary/index.html", f"<!doctype html><title>c</title><p>{plants['page']}<img src=c.svg><script type=module src=c.js></script>")
    # No text of a plant but as the site stores it.
    value = {name: f"['can', '{plant[3:]}'].join('')" for name, plant in plants.items()}
    neighbour.write("canary/c.js", f"""/* {plants['script']} */
localStorage.setItem('c', {value['local']});
sessionStorage.setItem('c', {value['session']});
await new Promise((done, failed) => {{
  const opening = indexedDB.open('c');
  opening.onerror = failed;
  opening.onupgradeneeded = () => opening.result.createObjectStore('c');
  opening.onsuccess = () => {{
    const change = opening.result.transaction('c', 'readwrite');
    change.objectStore('c').put({value['database']}, 'c');
    change.oncomplete = () => {{ opening.result.close(); done(); }};
  }};
}});
await (await caches.open('c')).put('c', new Response({value['cache']}));
const file = await (await navigator.storage.getDirectory()).getFileHandle('c', {{ create: true }});
const writer = await file.createWritable();
await writer.write({value['file']});
await writer.close();
document.title = 'stored';""")
    neighbour.write("canary/c.svg", f"<svg xmlns='http://www.w3.org/2000/svg'><!-- {plants['picture']} --></svg>")
    here = f"{url}p/{neighbour.id}/canary/index.html"

    def found(profile, wanted):
        hits = []
        for root in (profile, me.folder):
            for file in root.rglob("*"):
                if file.is_file():
                    content = file.read_bytes()
                    hits += [f"{name} in {file.relative_to(root)}" for name, plant in plants.items()
                             if name in wanted and (plant.encode() in content or plant.encode("utf-16-le") in content)]
        return hits

    def visit(page):
        page.driver.get(here)
        wait_site(page, plants["page"])

        def title():
            with inside(page):
                return page.run("return document.title")
        page.wait(lambda: title() == "stored", "everything planted")

    def over(page):
        page.driver.get(url)
        page.wait(lambda: not noted(page), "the end of the visit", 30)

    for label in ("a visit", "a visit at a later start of the browser", "a visit in a tab that was closed, and the next start of the viewer", "Forget"):
        profile = folder / ("profile-" + label[-7:].strip())
        with suite.check(f"after {label} the browser's profile and the peer's folder hold nothing of the site"):
            if "later" in label:
                with browser(arguments=[f"--user-data-dir={profile}"]) as page:
                    page.driver.get(url)
                    page.wait(lambda: page.run("return sessionStorage.getItem('goop-log-began')"), "the log begun")
            with browser(arguments=[f"--user-data-dir={profile}"]) as page:
                visit(page)
                expect(found(profile, ("database", "cache", "file")), "nothing was planted where it would be found")
                if label == "Forget":
                    forget(page)
                if not label.startswith("a visit in"):
                    over(page)
            if label.startswith("a visit in"):
                with browser(arguments=[f"--user-data-dir={profile}"]) as page:
                    over(page)
            expect(not found(profile, names), found(profile, names))
    with suite.check("what a kept site stored is in the profile after a visit, and its files are not"):
        profile = folder / "profile-kept"
        with browser(arguments=[f"--user-data-dir={profile}"]) as page:
            visit(page)
            page.one("#keep").click()
            page.one("#keep-yes").click()
            page.wait(lambda: page.one("#keep").get_attribute("aria-pressed") == "true", "kept")
            over(page)
        expect(len(found(profile, ("local", "database", "cache", "file"))) >= 4, found(profile, names))
        expect(not found(profile, ("page", "script", "picture")), found(profile, names))
        with browser(arguments=[f"--user-data-dir={profile}"]) as page:
            page.driver.get(here)
            wait_site(page, plants["page"])
            expect(page.run("return sessionStorage.getItem('goop-log-began')"), "a kept site was shown before the log was begun")
            page.one("#keep").click()
            page.one("#keep-forget").click()
            page.wait(lambda: "is forgotten" in curtain(page), "forgotten")


def in_firefox(suite, url, me, neighbour, hostile):
    """The origins again in another engine."""
    if firefox.PROGRAM is None:
        suite.missing("the origins are not tried in Firefox, which is not installed")
        return
    page = firefox.Firefox()
    print(f"        Firefox {page.version}")
    try:
        text = "document.body.innerText"
        here = f"{url}p/{neighbour.id}/"
        with suite.check("Firefox: the site has an origin of its own inside of the shell"):
            page.get(here)
            page.wait(lambda: "shell home" in (page.in_site(text) or ""), "the site")
            expect(page.in_site("origin") == site_origin(url, neighbour.id), page.in_site("origin"))
            expect(not page.run("document.getElementById('sealed').hidden === false"), "sealed off")
        with suite.check("Firefox: the address follows the site"):
            page.in_site("document.getElementById('next').click(), 1")
            page.wait(lambda: page.run("location.href") == f"{here}sub/next.html?q=1", "the address following")
        with suite.check("Firefox: a link out is named by the viewer"):
            page.get(here)
            page.wait(lambda: "shell home" in (page.in_site(text) or ""), "the site")
            page.in_site("document.getElementById('out').click(), 1")
            page.wait(lambda: "http://out.example/" in page.run("document.getElementById('curtain').innerText"), "the target")
            expect(page.tabs() == 1, "a tab was opened")
        with suite.check("Firefox: after the visit the site finds nothing of what it stored"):
            page.get(here)
            page.wait(lambda: "shell home" in (page.in_site(text) or ""), "the site")
            page.in_site("localStorage.setItem('k', 'v'), 1")
            page.get(url)
            page.wait(lambda: page.run(f"{NOTED}.length === 0"), "the end of the visit")
            page.get(here)
            page.wait(lambda: "shell home" in (page.in_site(text) or ""), "the site")
            expect(page.in_site("String(localStorage.getItem('k'))") == "null", page.in_site("String(localStorage.getItem('k'))"))
        with suite.check("Firefox: a kept site gets no service worker, whose pages nothing would hold to the policy"):
            page.run("document.getElementById('keep-yes').click(), 1")
            page.wait(lambda: page.run("document.getElementById('keep').getAttribute('aria-pressed')") == "true", "kept")
            neighbour.write("sw.js", "1")
            got = page.in_site("navigator.serviceWorker.register('sw.js').then(() => 'registered', () => 'refused')")
            expect(got == "refused", got)
            page.run("document.getElementById('keep-forget').click(), 1")
            page.wait(lambda: "is forgotten" in page.run("document.getElementById('curtain').innerText"), "forgotten")
        with suite.check("Firefox: the hostile site runs to its end"):
            page.get(url)
            page.run("localStorage.setItem('canary-of-the-viewer', 'secret'), 1")
            with elsewhere() as (other, hits):
                page.get(hostile_address(url, me, hostile, other))
                page.wait(lambda: page.in_site("document.title") == "done", "its report", 200)
                results = json.loads(page.in_site("document.getElementById('results').textContent"))
        # Firefox sends no pings, and calls a preload that its policy refused loaded: the server outside has the last word.
        judge(suite, results, "Firefox", hits, counted=("outside: ping of a link", "outside: preload"))
        with suite.check("Firefox: the tab and the bar are as they were"):
            expect(page.run("location.href").startswith(f"{url}p/{hostile.id}/"), page.run("location.href"))
            expect(page.tabs() == 1, "windows were opened")
            expect("Your bank" not in page.run("document.querySelector('.bar').innerText"), "the bar says what the site says")
    finally:
        page.close()
