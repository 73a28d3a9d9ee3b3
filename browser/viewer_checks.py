"""What a person sees in the viewer, and what a hostile site does not get. See run."""
import contextlib
import json
import time
import urllib.request

import following
import keeping
import leaving
import origins
import part
import strangers
import visit
from between import Between, Change
from origins import site_text, wait_site
from part import ended
from peer import Peer
from story import HOSTILE_NAME, ask, browser, card, expect, give_hostile_site, keyboard, looks, state


# How long it takes until the site is there again, in seconds, as the page has it: a driver that asks again and again takes longer.
SHOWN_AGAIN = """
const done = arguments[0], place = document.getElementById("frame-place"), start = performance.now();
new MutationObserver(() => {
  place.querySelector("iframe")?.addEventListener("load", () => done((performance.now() - start) / 1000), { once: true });
}).observe(place, { childList: true });
document.getElementById("reload").click();"""


def read(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def story(suite, program, folder):
    """Two peers, from the first start to the end of both."""
    me = Peer(program, folder / "me", "--label", "Me")
    neighbour = Peer(program, folder / "neighbour", "--label", "Neighbour", "--no-viewer")
    hostile = Peer(program, folder / "hostile", "--label", HOSTILE_NAME, "--no-viewer")
    with ended(me, neighbour, hostile, suite=suite):
        me.start()
        me.stop()
        me.set_config("profile", "email", "me@example.org")
        url = me.start()["viewer"]["url"]
        with browser() as page:
            with suite.check("the front page says that nobody is here, and whose it is"):
                page.driver.get(url)
                page.wait(lambda: page.one("#link").get_attribute("data-state") == "live", "live")
                expect(page.one("#me-name").text == "Me", page.one("#me-name").text)
                expect("Nobody else is here yet" in page.text(), page.text())
                expect(not page.complaints(), "console")
            looks(suite, url, "empty")
            visit.everywhere(suite, page, url)

            with suite.check("a neighbour that starts appears by itself, and a screen reader hears it"):
                start = time.monotonic()
                neighbour.start()
                page.wait(lambda: state(page, neighbour.id) == "online", "the neighbour online")
                print(f"        seen online {time.monotonic() - start:.2f} s after its start")
                page.wait(lambda: "Neighbour is here" in page.heard(), "the announcement")
                expect("Nobody else" not in page.text(), "still empty")
                expect(page.driver.title.startswith("1 here"), page.driver.title)
                expect(not page.complaints(), "console")

            with suite.check("a click shows its site; an edit shows on reload"):
                neighbour.write("index.html", "<!doctype html><title>One</title><h1>first</h1>")
                card(page, neighbour.id).click()
                wait_site(page, "first")
                expect(page.driver.current_url == f"{url}p/{neighbour.id}/", page.driver.current_url)
                neighbour.write("index.html", "<!doctype html><title>Two</title><h1>second</h1>")
                page.driver.refresh()
                wait_site(page, "second")
                page.driver.back()
                page.wait(lambda: state(page, neighbour.id) == "online", "back at the list")
                expect(not page.complaints(), "console")

            with suite.check("a site's folder, its own page under its address, and a page that is missing"):
                neighbour.write("sub/page.html", "<!doctype html><title>Sub</title><p>sub page")
                page.driver.get(f"{url}p/{neighbour.id}/sub/page.html")
                wait_site(page, "sub page")
                page.driver.get(f"{url}p/{neighbour.id}/missing.html")
                wait_site(page, "no such page")
                expect("This site answered" in site_text(page), site_text(page))
                page.complaints()

            with suite.check("localhost leads to the address, path and query kept"):
                page.driver.get(url.replace("127.0.0.1", "localhost") + "?a=b")
                expect(page.driver.current_url == url + "?a=b", page.driver.current_url)

            give_hostile_site(hostile)
            hostile.start()
            attacks(suite, page, url, me, hostile)

            origins.visits(suite, page, url, me, neighbour)
            origins.saves(suite, page, url, neighbour, folder)
            # Before the first sealed visit, after which a sandboxed page can have the SDK (docs/threat-model.md).
            origins.foreign_pages(suite, url, me, neighbour)
            origins.sealed(suite, url, me, neighbour, hostile)
            origins.in_firefox(suite, url, me, neighbour, hostile)
            following.everywhere(suite, page, url, me, neighbour, hostile)
            begun_again(suite, url, neighbour)
            keeping.keeping(suite, url, me, neighbour, hostile)
            origins.leftovers(suite, url, me, neighbour, folder)
            origins.gone(suite, page, url, neighbour)
            origins.begun_while_away(suite, page, url, neighbour)
            leaving.everywhere(suite, url, neighbour)
            strangers.everywhere(suite, page, url, me, hostile)

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
                page.wait(lambda: "Neighbour has left" in page.heard(), "the announcement")

            with suite.check("its site then says why it is not shown, within 5 s and at once the second time"):
                start = time.monotonic()
                page.driver.get(f"{url}p/{neighbour.id}/")
                page.wait(lambda: site_text(page), "an answer")
                first = time.monotonic() - start
                text = site_text(page)
                expect("cannot be reached" in text or "No answer" in text, text)
                expect("this site" in text.lower() and "Neighbour" not in text, text)
                second = page.driver.execute_async_script(SHOWN_AGAIN)
                page.wait(lambda: site_text(page), "the second answer")
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
                wait_site(page, "shell home")

            with suite.check("a visit that stays open over a restart of the viewer follows the site"):
                page.wait(lambda: "Here now" in origins.bar(page), "here")
                me.stop()
                page.wait(lambda: "does not answer" in origins.bar(page), "the bar saying that there is no viewer")
                me.start()
                page.wait(lambda: "Here now" in origins.bar(page), "here again", seconds=30)
                # The new run may not have known of the neighbour at first.
                if origins.curtain(page):
                    page.one("#curtain-show").click()
                wait_site(page, "shell home")
                with origins.inside(page):
                    page.one("#next").click()
                wait_site(page, "next page")
                page.wait(lambda: page.driver.current_url.endswith("/sub/next.html?q=1"), "the address following")
                page.complaints()

            with suite.check("and what is done on the page that is older than the viewer's run is refused with a button that loads it again"):
                page.run("window.isOld = true")
                page.one("#keep").click()
                page.wait(lambda: page.one("#keep-yes").is_displayed(), "the question")
                page.one("#keep-yes").click()
                page.wait(lambda: "This page has to be loaded again" in origins.curtain(page), f"the word, not {origins.curtain(page)!r}")
                expect(page.one("#curtain-show").text == "Load it again", page.one("#curtain-show").text)
                page.one("#curtain-show").click()
                wait_site(page, "next page", 20)
                expect(page.run("return window.isOld === undefined"), "the page was not loaded again")
                expect(ask(page, "/api/rooms/settings/check", {"changes": {}}) == 200, "its token is not good")
                page.complaints()

            leaving.sealed_over_a_restart(suite, url, me, neighbour)

            with suite.check("the page notices that its own Goop² stopped, and that it is back"):
                page.driver.get(url)
                page.wait(lambda: page.one("#link").get_attribute("data-state") == "live", "live")
                me.stop()
                page.wait(lambda: page.one("#link").get_attribute("data-state") == "lost", "lost")
                me.start()
                page.wait(lambda: page.one("#link").get_attribute("data-state") == "live", "live again", seconds=20)
                page.complaints()


def begun_again(suite, url, neighbour):
    """The viewer gives no answer while a visit begins, and then it does."""
    def cut_off(path, fields):
        if path in ("/probe", "/api/shell/capability"):
            raise OSError("no answer comes")

    def by_trying(page):
        page.one("#curtain-show").click()

    def by_unblocking(page):
        page.wait(lambda: page.one("#block").is_displayed(), "the button in the bar", 20)
        page.one("#block").click()
        page.one("#block-now").click()
        page.wait(lambda: "have blocked" in origins.curtain(page), "the block")
        page.one("#curtain-show").click()

    with contextlib.closing(Between()) as between, browser(arguments=between.arguments()) as page:
        for how, press in (("is tried again", by_trying), ("is unblocked", by_unblocking)):
            with suite.check(f"a visit that could not begin shows the whole site when it {how}"):
                between.changes = (Change("no answer", request=cut_off),)
                page.driver.get(f"{url}p/{neighbour.id}/")
                page.wait(lambda: "cannot be shown" in origins.curtain(page), "the failure")
                between.changes = ()
                press(page)
                wait_site(page, "shell home", 20)
                expect(not page.one("#sealed").is_displayed(), "said to be sealed off")
                with origins.inside(page):
                    expect(page.run("return origin") == origins.site_origin(url, neighbour.id), page.run("return origin"))


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

    page.driver.execute_async_script("const r = indexedDB.open(arguments[0]); r.onsuccess = () => arguments[1]()", canary)
    page.driver.execute_async_script("caches.open(arguments[0]).then(arguments[1])", canary)
    origins.attacks(suite, page, url, me, hostile)
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
    chosen = part.options(__doc__, viewer="address of a running viewer; then nothing is started")
    if not chosen.viewer:
        part.run("browser", story, chosen)
    url = chosen.viewer.rstrip("/") + "/"

    def look(suite):
        looks(suite, url, "front")
        keyboard(suite, url)
    part.judge("browser", chosen, look)


if __name__ == "__main__":
    main()
