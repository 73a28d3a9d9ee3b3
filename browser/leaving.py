"""An owner who falls silent, which takes nothing from the visitor for a while, and one who says goodbye, which does; and two tabs of one
sealed site, of which one leaves. See run."""
import contextlib
import signal

from selenium.webdriver.common.by import By

from between import Between, file_edited
from keeping import NOTED
from origins import SEALED, bar, curtain, forget, inside, wait_site
from story import browser, expect

FORM = ("<!doctype html><title>F</title><h1>a form</h1><textarea id=typed></textarea><p style='margin-top: 3000px'>far down"
        "<script src='form.js'></script>")
# Tries to be seen, heard of, or somewhere else while it is covered.
RESTLESS = "setInterval(() => { window.ticks = (window.ticks ?? 0) + 1; document.title = 'x'; window.focus(); document.getElementById('typed').focus({ preventScroll: true }); }, 200);"
SHORTER = ("/assets/shell.js", ("const waitTime = 30_000;", "const waitTime = 3_000;"))
# A shell that takes nobody away by itself, and hears of people what `says` gives it: whether a goodbye still comes of a peer that was
# stopped, and falls silent by that, is chance.
BY_HAND = ("/assets/shell.js", ("const waitTime = 30_000;", "const waitTime = 3_600_000;"),
           ("function update(one) {", "window.says = (more) => update({ ...person, ...more });\nfunction update(one) {"))

# A shell that reads nobody in the list of people.
UNLISTED = (("peers.find((other) => other.id === peer)", "undefined"), ("if (one.id === peer) update(one);", ""),
            ("if (id === peer) leave(seenText(person?.lastSeen));", ""))


def frames(page):
    return page.driver.find_elements(By.CSS_SELECTOR, "#frame-place iframe")


def silent(page):
    # Twenty seconds without a word make somebody silent. The end of the connection may be seen before.
    page.wait(lambda: any(word in curtain(page) for word in ("Nothing is heard of Neighbour", "Neighbour does not answer")),
              f"the silence, not {curtain(page)!r}", 40)


@contextlib.contextmanager
def stopped(peer):
    """Stopped in the middle of everything, as a computer that sleeps."""
    peer.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        peer.process.send_signal(signal.SIGCONT)


def typed(page, url, neighbour):
    page.driver.get(f"{url}p/{neighbour.id}/form.html")
    wait_site(page, "a form", 20)
    page.wait(lambda: "Here now" in bar(page), "here", 20)
    with inside(page):
        page.one("#typed").send_keys("half a sentence")
        page.run("localStorage.setItem('draft', 'kept'); scrollTo(0, 400)")


def silence(suite, url, neighbour):
    neighbour.write("form.html", FORM)
    neighbour.write("form.js", RESTLESS)
    with browser(reduced_motion=True) as page:
        with suite.check("whoever falls silent is covered at once, and shown again as they were when they are back"):
            typed(page, url, neighbour)
            page.run("window.taken = 0; addEventListener('blur', () => { window.taken += 1; })")
            with stopped(neighbour):
                silent(page)
                page.wait(lambda: "Not heard of since" in curtain(page), f"since when, not {curtain(page)!r}", 25)
                page.wait(lambda: "Nothing is heard of" in page.heard(), "the word")
                seen = page.run("const f = document.querySelector('#frame-place iframe'), b = f.getBoundingClientRect();"
                                "return [f.hidden, f.inert, b.width * b.height]")
                expect(seen == [True, True, 0], seen)
                page.wait(lambda: page.run("return window.taken") > 3, "the site taking the focus")
                page.wait(lambda: page.run("return document.activeElement.id") == "curtain-title", "the focus taken back")
                suite.shot(page, "shell-silent")
            page.wait(lambda: not curtain(page), f"the site, not {curtain(page)!r}", 20)
            expect(page.run("return document.activeElement.tagName") == "IFRAME", "the focus did not go back to the site")
            expect(page.driver.title.startswith("Neighbour"), page.driver.title)
            with inside(page):
                found = page.run("return [document.getElementById('typed').value, localStorage.getItem('draft'), scrollY, window.ticks > 0]")
            expect(found == ["half a sentence", "kept", 400, True], found)
    with contextlib.closing(Between()) as between, browser(arguments=between.arguments()) as page:
        between.changes = (file_edited("a goodbye by hand", *BY_HAND),)
        with suite.check("a goodbye takes the site away, also after a silence, and what it stored"):
            typed(page, url, neighbour)
            with stopped(neighbour):
                silent(page)
                said = page.run("says({ state: 'unreachable' }); return document.body.innerText")
                expect("Does not answer · last seen" in said and "Neighbour does not answer" in said and "Away" not in said, said)
                said = page.run("says({ state: 'offline', left: true }); return document.body.innerText")
                expect("Away · last seen" in said and "oes not answer" not in said, said)
                page.wait(lambda: "Neighbour is gone" in curtain(page), f"the news, not {curtain(page)!r}", 5)
                expect(not frames(page), "the frame is there")
            page.wait(lambda: "is back" in curtain(page), "the offer", 20)
            page.one("#curtain-show").click()
            wait_site(page, "a form")
            with inside(page):
                found = page.run("return [document.getElementById('typed').value, localStorage.getItem('draft')]")
            expect(found == ["", None], found)
        between.changes = (file_edited("a shorter while", *SHORTER),)
        with suite.check("whoever stays silent is gone after a while, and what the site stored too"):
            typed(page, url, neighbour)
            with stopped(neighbour):
                silent(page)
                page.wait(lambda: not frames(page), f"the end of the while, not {curtain(page)!r}", 20)
                ends = ("Neighbour is gone", "A site is there only while its owner answers")
                expect(any(end in curtain(page) for end in ends), curtain(page))
            page.wait(lambda: "is back" in curtain(page), "the offer", 20)
            page.one("#curtain-show").click()
            wait_site(page, "a form")
            with inside(page):
                found = page.run("return [document.getElementById('typed').value, localStorage.getItem('draft')]")
            expect(found == ["", None], found)


def unlisted(suite, url, neighbour):
    """Of whoever is in no list only the watch of their site tells that they are there."""
    path, shorter = SHORTER
    with contextlib.closing(Between()) as between, browser(arguments=between.arguments()) as page:
        def visit():
            page.driver.get(f"{url}p/{neighbour.id}/form.html")
            wait_site(page, "a form", 20)
            page.wait(lambda: "Not in the list" in bar(page), "the bar")
            page.wait(lambda: page.run("return window.watchIsReady === true"), "the watch of its site")
            with inside(page):
                page.one("#typed").send_keys("half a sentence")

        listens = ("    ready() {\n", "    ready() {\n      window.watchIsReady = true;\n")
        with suite.check("somebody in no list who falls silent is shown again as they were when they are back"):
            between.changes = (file_edited("nobody listed", path, listens, *UNLISTED),)
            visit()
            neighbour.stop(signal.SIGKILL)
            silent(page)
            neighbour.start()
            page.wait(lambda: not curtain(page), f"the site, not {curtain(page)!r}", 30)
            with inside(page):
                expect(page.run("return document.getElementById('typed').value") == "half a sentence", "what was typed is gone")
        with suite.check("somebody in no list who stays silent is gone after a while"):
            between.changes = (file_edited("nobody listed, a shorter while", path, listens, shorter, *UNLISTED),)
            visit()
            neighbour.stop(signal.SIGKILL)
            page.wait(lambda: "is gone" in curtain(page), f"the end of the while, not {curtain(page)!r}", 40)
            expect(not frames(page), "the frame is there")
            neighbour.start()
            page.one("#curtain-show").click()
            wait_site(page, "a form", 20)


def visited_by_link(suite, url, neighbour):
    """Nobody opens a room of the viewer here."""
    here = f"{url}p/{neighbour.id}/"
    stored = "return localStorage.getItem('k')"
    with browser() as page:
        with suite.check("a visit that begins by a link finds nothing of one that ended with its tab"):
            page.driver.get(here)
            wait_site(page, "shell home")
            with inside(page):
                page.run("localStorage.setItem('k', 'v')")
            page.driver.refresh()
            wait_site(page, "shell home")
            with inside(page):
                expect(page.run(stored) == "v", "a reload ended the visit")
            first = page.driver.current_window_handle
            page.driver.switch_to.new_window("tab")
            second = page.driver.current_window_handle
            page.driver.get(here)
            wait_site(page, "shell home")
            with inside(page):
                expect(page.run(stored) == "v", "a second tab is no visit of its own")
            page.driver.switch_to.new_window("tab")
            third = page.driver.current_window_handle
            for handle in (first, second):
                page.driver.switch_to.window(handle)
                page.driver.close()
            page.driver.switch_to.window(third)
            # As if it had ended some time ago. Seen from an answer of the viewer that is no page, and takes nothing off the list.
            page.driver.get(f"{url}healthz")
            page.wait(lambda: page.run("return navigator.locks.query().then(({ held }) => !held.some(({ name }) => name.startsWith('visit ')))"),
                      "the end of the visit in both tabs")
            page.run(f"for (const site of {NOTED}) localStorage.setItem('goop-visit ' + site, String(Date.now() - 11 * 60_000))")
            page.driver.get(here)
            wait_site(page, "shell home", 40)
            with inside(page):
                expect(page.run(stored) is None, page.run(stored))
            expect(len(page.run(f"return {NOTED}.filter((site) => site.includes(arguments[0]))", "localhost")) >= 1, "the new visit is not noted")


def two_sealed_tabs(suite, url, neighbour):
    here = f"{url}p/{neighbour.id}/"
    asks = ("const done = arguments[arguments.length - 1]; fetch(new URL('index.html', location.href)).then((a) => done(a.status), () => done('refused'))")

    def status():
        with inside(page):
            page.driver.set_script_timeout(10)
            return page.driver.execute_async_script(asks)

    with browser(arguments=[SEALED]) as page, suite.check("Forget in one tab of a sealed site takes nothing from another one"):
        page.driver.get(here)
        wait_site(page, "shell home")
        path = page.run("return document.querySelector('#frame-place iframe').src")
        first = page.driver.current_window_handle
        page.driver.switch_to.new_window("tab")
        second = page.driver.current_window_handle
        page.driver.get(here)
        wait_site(page, "shell home")
        forget(page)
        page.driver.switch_to.window(first)
        expect(status() == 200, status())
        # The last one takes the secret path with it.
        forget(page)
        page.one("#curtain-show").click()
        wait_site(page, "shell home")
        expect(page.run("return document.querySelector('#frame-place iframe').src") != path, "the same secret path")
        expect(status() == 200, status())
        page.driver.switch_to.window(second)
        page.driver.close()
        page.driver.switch_to.window(first)
        page.complaints()


def sealed_over_a_restart(suite, url, me, neighbour):
    """The viewer is started again here."""
    with browser(arguments=[SEALED]) as page, suite.check("a sealed site says that the viewer was started again, and is loaded again by its button"):
        page.driver.get(f"{url}p/{neighbour.id}/")
        wait_site(page, "shell home")
        page.wait(lambda: "Here now" in bar(page), "here", 20)
        path = page.run("return document.querySelector('#frame-place iframe').src")
        me.stop()
        me.start()
        page.wait(lambda: "has to be loaded again" in curtain(page), f"the word, not {curtain(page)!r}", 30)
        expect(not frames(page), "the frame is there")
        page.wait(lambda: "Here now" in bar(page), "here again", 30)
        page.one("#curtain-show").click()
        wait_site(page, "shell home", 20)
        expect(page.run("return document.querySelector('#frame-place iframe').src") != path, "the same secret path")
    with browser(arguments=[SEALED]) as page, suite.check("where its path is asked for only after the restart, the button loads the page itself again"):
        page.driver.get(f"{url}p/{neighbour.id}/")
        wait_site(page, "shell home")
        page.wait(lambda: "Here now" in bar(page), "here", 20)
        # Its path ends with it, so nothing looks whether that is still good.
        page.one("#rights").click()
        page.one("#forget").click()
        page.wait(lambda: "is forgotten" in curtain(page), "the end of it")
        page.run("window.isOld = true")
        me.stop()
        page.wait(lambda: "does not answer" in bar(page), "the bar saying that there is no viewer")
        me.start()
        page.wait(lambda: "Here now" in bar(page), "here again", 30)
        page.wait(lambda: page.one("#curtain-show").is_displayed(), f"the button, not {curtain(page)!r}")
        page.one("#curtain-show").click()
        page.wait(lambda: "cannot be shown" in curtain(page) and "token" in curtain(page), f"the refusal, not {curtain(page)!r}")
        expect(page.one("#curtain-show").text == "Try again", page.one("#curtain-show").text)
        page.one("#curtain-show").click()
        wait_site(page, "shell home", 20)
        expect(page.run("return window.isOld === undefined"), "the page was not loaded again")
    with browser(arguments=[SEALED]) as page, suite.check("a sealed site goes on as it was when only the list of people broke off"):
        page.driver.get(f"{url}p/{neighbour.id}/form.html")
        wait_site(page, "a form")
        page.wait(lambda: "Here now" in bar(page), "here", 20)
        with inside(page):
            page.one("#typed").send_keys("half a sentence")
        # What nobody looks at has no streams: the list comes anew.
        asked = "return performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('/api/shell/capability')).length"
        before = page.run(asked)
        with page.left():
            pass
        page.wait(lambda: page.run(asked) > before, "the question")
        with inside(page):
            page.driver.set_script_timeout(10)
            found = page.driver.execute_async_script(
                "const done = arguments[0]; fetch(new URL('form.html', location.href)).then((a) => done([a.status, typed.value]), () => done('refused'))")
        expect(found == [200, "half a sentence"], found)


def everywhere(suite, url, neighbour):
    """The neighbour is stopped and started here."""
    visited_by_link(suite, url, neighbour)
    two_sealed_tabs(suite, url, neighbour)
    silence(suite, url, neighbour)
    unlisted(suite, url, neighbour)
