"""Who may visit a site, who does, a block from the bar, being invisible, and a restart from the page: two peers, two viewers.
See run."""
import json
import pathlib
import subprocess
import urllib.request

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import part
from axe import looks
from origins import forget, site_text, wait_site
from part import ended
from peer import Peer
from rooms_checks import focused, keys, tab_to
from story import browser, expect, state


def goop2(program, *arguments):
    return subprocess.run([str(program), *map(str, arguments)], capture_output=True, text=True, timeout=30)


def run_number(page):
    return page.driver.execute_async_script(
        "const done = arguments[0]; fetch('/api/rooms/restart').then(r => r.json()).then(v => done(v.run), () => done(''))")


def toast(page):
    """As the page has it: an element of the page before would be stale."""
    return page.run("return document.getElementById('toast')?.textContent ?? ''")


def curtain(page):
    place = page.one("#curtain")
    return place.text if place.is_displayed() else ""


# The page has streams of its own, counts those of the site's changes, and the first of them is refused.
WATCH_REFUSED = """
Object.defineProperty(window, "SharedWorker", { value: undefined });
window.watched = 0;
const Native = EventSource;
window.EventSource = class extends Native {
  constructor(path) {
    const isWatch = path.endsWith("/watch");
    if (isWatch) watched += 1;
    super(isWatch && watched === 1 ? "/assets/nothing" : path);
  }
};"""


def call_him(page, peer, name):
    """A petname, as the Peers room gives it."""
    page.run("const token = document.querySelector('meta[name=goop-token]').content; return fetch('/api/rooms/peers/decide', {method: 'POST',"
             "headers: {'Content-Type': 'application/json', 'X-Goop-Token': token}, body: JSON.stringify({id: arguments[0], petname: arguments[1]})})",
             peer.id, name)


def private(suite, program, ada, bob, ada_url, bob_url):
    """Ada owns the site, Bob visits it."""
    site = f"{bob_url}p/{ada.id}/"
    with browser(1280, 900, reduced_motion=True) as owner, browser(1280, 900, reduced_motion=True) as visitor:
        with suite.check("My site: a visitor appears while the page is open, with what it read"):
            owner.driver.get(ada_url + "site")
            owner.wait(lambda: owner.one("#audience-everyone").is_selected(), "shown to everyone")
            visitor.driver.get(site)
            wait_site(visitor, "private page")
            owner.wait(lambda: owner.driver.find_elements(By.CSS_SELECTOR, f'#visitors [data-id="{bob.id}"][data-here="true"]'),
                       "Bob among the visitors, here now")
            owner.wait(lambda: all(words in owner.one("#visitors").text for words in
                                   ("Bob", "last asked for /", "1 person is here now", "1 request")), "what Bob reads")
            suite.shot(owner, "access-visitors")
        with suite.check("a page that nobody looks at does not have the site open: its streams are let go until it is looked at"):
            def has_it_open():
                return "Has your site open" in owner.one("#visitors").text
            owner.wait(has_it_open, "Bob's open page")
            with visitor.left():
                owner.wait(lambda: not has_it_open(), "Bob's page let go")
            owner.wait(has_it_open, "Bob's page again")
        with suite.check("only named people, nobody named: the open page goes at once, with words"):
            owner.one("#audience-named").click()
            visitor.wait(lambda: "certain people only" in curtain(visitor), "the page gone", 5)
            expect(not visitor.driver.find_elements(By.CSS_SELECTOR, "#frame-place iframe"), "the frame is still there")
            # What the site stored goes with the visit, as ever.
            expect("ask them to name you" in curtain(visitor) and "in this browser" not in curtain(visitor), curtain(visitor))
            suite.shot(visitor, "access-revoked")
            visitor.cdp("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"], origin=bob_url.rstrip("/"))
            expect(visitor.one("#curtain-copy").text == "Copy my link", visitor.one("#curtain-copy").text)
            visitor.one("#curtain-copy").click()
            visitor.wait(lambda: visitor.one("#curtain-copy").text == "Copied", "the word that it was copied")
            copied = visitor.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0], e => arguments[0](String(e)))")
            expect(copied == f"http://127.0.0.1:8080/p/{bob.id}/", copied)
            visitor.driver.refresh()
            visitor.wait(lambda: "certain people only" in curtain(visitor), "the same after a reload", 5)
        with suite.check("keys: name Bob by his name; he may visit"):
            tab_to(owner, "guest")
            owner.wait(lambda: owner.driver.find_elements(By.CSS_SELECTOR, "#guest-known option"), "names to choose from")
            keys(owner, "Bob", Keys.ENTER)
            owner.wait(lambda: "Bob" in owner.one("#audience .guests").text, "Bob on the list")
            visitor.driver.get(site)
            wait_site(visitor, "private page")
            visitor.wait(lambda: visitor.one("#state").get_attribute("data-state") == "online", "online")
            suite.shot(owner, "access-named")
        with suite.check("name Bob by the name that the owner gave him"):
            call_him(owner, bob, "Robert")
            # In one step: news of the site draws the list anew.
            owner.run("document.querySelector('#audience button[aria-label^=\"Remove \"]').click()")
            owner.wait(lambda: not owner.one("#audience .guests").is_displayed(), "nobody on the list")
            owner.driver.refresh()
            owner.wait(lambda: owner.driver.find_elements(By.CSS_SELECTOR, "#guest-known option[value^=Robert]"), "his name to choose")
            owner.one("#guest").send_keys("robert", Keys.ENTER)
            owner.wait(lambda: "Robert" in owner.one("#audience .guests").text, "him on the list")
            call_him(owner, bob, "")
            owner.driver.refresh()
            owner.wait(lambda: "Bob" in owner.one("#audience .guests").text, "his own name again")
            visitor.wait(lambda: visitor.one("#curtain-show").is_displayed(), "the way back")
            visitor.one("#curtain-show").click()
            wait_site(visitor, "private page")
        with suite.check("an id that is none is refused, in words"):
            owner.one("#guest").clear()
            owner.one("#guest").send_keys("nobody of that name", Keys.ENTER)
            owner.wait(lambda: "Nobody called “nobody of that name” is known here" in owner.one("#guest-fault").text, "the fault")
            expect(focused(owner) == "guest", focused(owner))
        with suite.check("remove Bob from the list: his open page goes; Undo lets him in again"):
            # Bob's page follows the site before the decision.
            owner.wait(lambda: owner.driver.find_elements(By.CSS_SELECTOR, f'#visitors [data-id="{bob.id}"][data-here="true"]'),
                       "Bob's open page")
            owner.one('#audience button[aria-label="Remove Bob from the list"]').click()
            visitor.wait(lambda: "certain people only" in curtain(visitor), "the page gone", 5)
            owner.wait(lambda: "Undo" in focused(owner), "the focus on Undo")
            keys(owner, Keys.ENTER)
            owner.wait(lambda: "Bob" in owner.one("#audience .guests").text, "Bob on the list again")
            visitor.one("#curtain-show").click()
            wait_site(visitor, "private page")
        with suite.check("the list says when it is not used"):
            for way, words in (("everyone", "This list is not used now: everyone may visit."), ("named", "Whoever is not on this list")):
                owner.run("document.getElementById(arguments[0]).click()", f"audience-{way}")
                owner.wait(lambda: words in owner.one("#audience").text, words)
        with suite.check("goop2 site --revoke: the same, and the owner's page shows it without a reload"):
            answer = goop2(program, "site", ada.folder, "--revoke", bob.id)
            expect("nobody but you" in answer.stdout, answer)
            visitor.wait(lambda: "certain people only" in curtain(visitor), "the page gone", 5)
            owner.wait(lambda: not owner.one("#audience .guests").is_displayed(), "nobody on the list")
        with suite.check("the data of the site are refused too, and it holds over a restart"):
            ada.stop()
            ada.start()

            def seen():
                everybody = json.load(urllib.request.urlopen(f"{bob_url}api/peers", timeout=10))
                return any(one["ID"] == ada.id and one["Reachable"] for one in everybody)
            visitor.wait(seen, "Ada back")
            status = {}
            for path in (f"p/{ada.id}/", f"api/p/{ada.id}/watch"):
                try:
                    status[path] = urllib.request.urlopen(bob_url + path, timeout=10).status
                except urllib.error.HTTPError as error:
                    status[path] = error.code
            expect(set(status.values()) == {403}, status)
            answer = goop2(program, "get", bob.folder, ada.id, "/")
            expect(answer.returncode == 77 and "certain people only" in answer.stderr, answer)
        with suite.check("goop2 site --everyone opens it again"):
            expect("everyone" in goop2(program, "site", ada.folder, "--everyone").stdout, "not open")
            visitor.driver.get(site)
            wait_site(visitor, "private page")
        with suite.check("a watch that is refused for a moment begins again, and the page goes when the site is closed"):
            visitor.driver.get("about:blank")
            owner.wait(lambda: "Has your site open" not in owner.one("#visitors").text, "Bob's page gone")
            hook = visitor.cdp("Page.addScriptToEvaluateOnNewDocument", source=WATCH_REFUSED)["identifier"]
            visitor.driver.get(site)
            wait_site(visitor, "private page")
            visitor.wait(lambda: visitor.run("return window.watched") == 2, "the second watch")
            owner.wait(lambda: "Has your site open" in owner.one("#visitors").text, "Bob's page")
            goop2(program, "site", ada.folder, "--only", bob.id)
            goop2(program, "site", ada.folder, "--revoke", bob.id)
            visitor.wait(lambda: "certain people only" in curtain(visitor), "the page gone", 5)
            visitor.cdp("Page.removeScriptToEvaluateOnNewDocument", identifier=hook)
            goop2(program, "site", ada.folder, "--everyone")
            visitor.driver.get(site)
            wait_site(visitor, "private page")
        with suite.check("nothing complained"):
            found = owner.complaints("[DOM]", "status of 400", "ERR_")
            expect(not found, found)


def block(suite, ada, bob_url):
    site = f"{bob_url}p/{ada.id}/"
    with browser(1280, 900, reduced_motion=True) as page:
        page.driver.get(site)
        wait_site(page, "private page")
        page.wait(lambda: page.one("#block").is_displayed(), "the button in the bar")
        with suite.check("the bar's block asks first; Escape changes nothing"):
            page.one("#block").click()
            page.wait(lambda: page.run("return document.getElementById('block-panel').open"), "the question")
            expect("Ada" in page.one("#block-panel").text, page.one("#block-panel").text)
            suite.shot(page, "access-block-question")
            keys(page, Keys.ESCAPE)
            page.wait(lambda: not page.run("return document.getElementById('block-panel').open"), "no question")
            expect(focused(page) == "Block this peer" and page.driver.find_elements(By.CSS_SELECTOR, "#frame-place iframe"), focused(page))
        with suite.check("keys: block from the bar; the page goes and says so, also after a reload"):
            keys(page, Keys.ENTER)
            page.wait(lambda: page.run("return document.getElementById('block-panel').open"), "the question")
            tab_to(page, "block-now", 4)
            keys(page, Keys.ENTER)
            page.wait(lambda: "You have blocked Ada" in curtain(page), "the word")
            expect(not page.driver.find_elements(By.CSS_SELECTOR, "#frame-place iframe"),
                   "the frame is still there")
            suite.shot(page, "access-blocked")
            page.driver.refresh()
            page.wait(lambda: "You have blocked" in curtain(page), "the word after a reload")
            try:
                said = urllib.request.urlopen(f"{bob_url}p/{ada.id}/", timeout=10).status
            except urllib.error.HTTPError as error:
                said = f"{error.code} {error.read().decode()}"
            expect(str(said).startswith("403") and "You have blocked this peer" in said, said)
        with suite.check("Forget shows nothing of a site that is blocked, and leads back to the word"):
            forget(page)
            page.one("#curtain-show").click()
            page.wait(lambda: "You have blocked" in curtain(page), f"the word again, not {curtain(page)!r}")
            expect(not page.driver.find_elements(By.CSS_SELECTOR, "#frame-place iframe"), "the site was loaded")
        with suite.check("unblock there, and the site comes back"):
            page.one("#curtain-show").click()
            page.wait(lambda: not page.one("#curtain").is_displayed() or "is back" in curtain(page), "the site tried again")

            def shown():
                if curtain(page):
                    page.one("#curtain-show").click() if page.one("#curtain-show").is_displayed() else None
                elif "private page" not in (site_text(page) or ""):
                    page.one("#reload").click()
                return "private page" in (site_text(page) or "")
            page.wait(shown, "the site", 20)
    for dark in (False, True):
        with suite.check(f"the bar at 320 px, {'dark' if dark else 'light'}: every button, the name readable"):
            with browser(320, 640, dark, reduced_motion=True) as page:
                page.driver.get(site)
                page.wait(lambda: page.one("#block").is_displayed(), "the button")
                suite.shot(page, f"access-bar-320-{'dark' if dark else 'light'}")
                wide = page.run("return document.documentElement.scrollWidth - innerWidth")
                expect(wide <= 0, f"{wide} pixels too wide")


def invisible(suite, ada, ada_url, bob, bob_url):
    with browser(1280, 900, reduced_motion=True) as page, browser(1280, 900, reduced_motion=True) as other:
        other.driver.get(bob_url)
        other.wait(lambda: state(other, ada.id) == "online", "Ada online")
        page.driver.get(ada_url + "settings")
        page.wait(lambda: page.driver.find_elements(By.CSS_SELECTOR, ".setting input"), "the settings")
        with suite.check("keys: be invisible: the others see you leave at once, and your pages say it"):
            tab_to(page, "seen-switch")
            keys(page, Keys.SPACE)
            page.wait(lambda: page.one("#invisible").is_displayed(), "the word in the head")
            other.wait(lambda: state(other, ada.id) == "offline", "Ada away for Bob", 5)
            other.wait(lambda: other.one("#count").text == "Nobody here now, 1 was lately", "the count")
            suite.shot(page, "access-invisible")
            page.driver.get(ada_url)
            page.wait(lambda: page.one("#invisible").is_displayed(), "the word on another page")
        with suite.check("who is invisible still sees and visits the others"):
            page.wait(lambda: state(page, bob.id) == "online", "Bob online for Ada")
            page.driver.get(f"{ada_url}p/{bob.id}/")
            wait_site(page, "Bob")
        with suite.check("it holds over a restart, and nobody finds who starts invisible"):
            ada.stop()
            bob.stop()
            bob.start()
            ada.start()
            page.driver.get(ada_url)
            page.wait(lambda: state(page, bob.id) == "online", "Bob online for Ada", 20)
            expect(page.one("#invisible").is_displayed(), "not told")
            other.driver.get(bob_url)
            other.wait(lambda: other.one("#link").get_attribute("data-state") == "live", "live")
            expect(state(other, ada.id) in (None, "offline"), state(other, ada.id))
        with suite.check("visible again, at once"):
            page.driver.get(ada_url + "settings")
            page.wait(lambda: page.driver.find_elements(By.CSS_SELECTOR, ".setting input"), "the settings")
            page.one("#seen-switch").click()
            other.wait(lambda: state(other, ada.id) == "online", "Ada online for Bob", 10)
            expect(not page.one("#invisible").is_displayed(), "still told")


def restart(suite, ada, ada_url):
    with browser(1280, 900, reduced_motion=True) as page:
        page.driver.get(ada_url + "settings")
        page.wait(lambda: page.driver.find_elements(By.CSS_SELECTOR, ".setting input"), "the settings")
        process = ada.process.pid
        with suite.check("save what needs a restart, start again from the page; it comes back by itself with the new value"):
            first = run_number(page)
            grace = page.one('[id="set-viewer.peer_offline_grace_min"]')
            grace.clear()
            grace.send_keys("16")
            page.one("#save").click()
            page.wait(lambda: page.driver.find_elements(By.ID, "restart-now"), "the button")
            suite.shot(page, "access-restart-wanted")
            page.one("#restart-now").click()
            # What the toast offered is under way.
            expect("Start again now" not in toast(page), toast(page))
            page.wait(lambda: "Started again." in toast(page), "the word that it is back", 20)
            page.wait(lambda: page.driver.find_elements(By.CSS_SELECTOR, ".setting input"), "the settings again", 20)
            expect(run_number(page) not in ("", first), "the same run")
            page.wait(lambda: not page.one("#restart").is_displayed(), "nothing waits for a restart")
            suite.shot(page, "access-restarted")
            grace = page.one('[id="set-viewer.peer_offline_grace_min"]').get_attribute("value")
            expect(grace == "16", grace)
            expect(ada.process.pid == process and ada.process.poll() is None, "another process")
        with suite.check("a second time, without a change; the page works with the new run"):
            first = run_number(page)
            page.run("window.isBefore = true")
            page.one("#restart-any").click()
            page.wait(lambda: not page.run("return window.isBefore"), "the page anew", 20)
            page.wait(lambda: "Started again." in toast(page), "the word that it is back", 20)
            page.wait(lambda: page.driver.find_elements(By.CSS_SELECTOR, ".setting input"), "the settings again", 20)
            expect(run_number(page) not in ("", first), "the same run")
            page.one("#seen-switch").click()
            page.wait(lambda: page.one("#invisible").is_displayed(), "a decision taken by the new run")
            page.one("#seen-switch").click()
            page.wait(lambda: not page.one("#invisible").is_displayed(), "and taken back")
        with suite.check("no descriptor of an earlier run is left open"):
            links = [str(path.readlink()) for path in pathlib.Path(f"/proc/{process}/fd").iterdir()]
            locks = [link for link in links if link.endswith("peer.lock")]
            expect(len(locks) == 1 and len(links) < 64, links)
    with suite.check("and it still ends cleanly by a TERM signal"):
        ada.stop()
        expect(ada.process.returncode == 0, ada.process.returncode)


def story(suite, program, folder):
    ada = Peer(program, folder / "Ada", "--local")
    bob = Peer(program, folder / "Bob", "--local")
    with ended(ada, bob):
        ada_url = ada.start()["viewer"]["url"]
        ada.write("index.html", "<!doctype html><title>p</title><h1>private page</h1>")
        bob_url = bob.start()["viewer"]["url"]
        bob.write("index.html", "<!doctype html><title>b</title><h1>Bob</h1>")
        private(suite, program, ada, bob, ada_url, bob_url)
        goop2(program, "site", ada.folder, "--only", bob.id)

        def named(page):
            page.wait(lambda: page.driver.find_elements(By.CSS_SELECTOR, "#audience .guest"), "somebody named")
            page.wait(lambda: page.driver.find_elements(By.CSS_SELECTOR, "#visitors .guest"), "a visitor")
            page.run("document.getElementById('audience').scrollIntoView()")
        goop2(program, "get", bob.folder, ada.id, "/")
        looks(suite, ada_url + "site", "access", named)
        block(suite, ada, bob_url)
        invisible(suite, ada, ada_url, bob, bob_url)
        restart(suite, ada, ada_url)


if __name__ == "__main__":
    part.run("access", story, part.options(__doc__))
