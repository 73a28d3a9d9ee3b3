"""The viewer's rooms: what a person does there with the mouse, with keys alone, and what axe-core says. See run."""
import json
import struct
import zlib

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

import part
import people_room
import site_room
import streams
from axe import harmless, large, looks
from part import ended
from peer import Peer
from story import ask, browser, card, expect

LONG = "Maximilianevonhohenfelswartenbergundzuuntersteinachobergartzengemeinschaftsgarten" * 2
ROOMS = {"peers": "", "site": "site", "settings": "settings", "network": "network", "help": "help"}


def ready(page, name):
    if name == "peers":
        page.wait(lambda: page.driver.find_elements(By.CSS_SELECTOR, ".person .more"), "somebody in the list")
    if name == "site":
        site_room.ready(page)
    if name == "settings":
        page.wait(lambda: page.driver.find_elements(By.CSS_SELECTOR, ".setting input"), "the settings")
    if name == "network":
        page.wait(lambda: page.driver.find_elements(By.CSS_SELECTOR, "#connections tbody tr"), "a connection")


def all_settings(page):
    """Also what is closed at first."""
    ready(page, "settings")
    page.run("for (const part of document.querySelectorAll('details')) part.open = true")


def focused(page):
    return page.run("const e = document.activeElement; if (!e || e === document.body) return '';"
                    "return e.getAttribute('aria-label') || e.id || e.textContent.trim()")


def keys(page, *text):
    def send():
        focus = page.driver.switch_to.active_element
        # What is sent to a field for files would be taken for a file's name.
        if focus.get_attribute("type") == "file":
            ActionChains(page.driver).send_keys(*text).perform()
        else:
            focus.send_keys(*text)
        return True
    # What has the focus may be replaced between being found and being sent to; then nothing was sent.
    page.wait(send, "something that takes keys")


def tab_to(page, wanted, most=200):
    """Presses Tab until the focus is on what is wanted."""
    for _ in range(most):
        if wanted in (focused(page) or ""):
            return
        keys(page, Keys.TAB)
    raise AssertionError(f"{wanted} cannot be reached by Tab; the focus is on {focused(page)}")


def by_keyboard(suite, url, neighbour, folder):
    """Tasks with keys alone, one page, in this order."""
    with browser(1280, 900, reduced_motion=True) as page:
        page.driver.get(url)
        ready(page, "peers")
        with suite.check("keys: skip to the people"):
            keys(page, Keys.TAB)
            expect("Skip" in focused(page), focused(page))
            keys(page, Keys.ENTER)
        with suite.check("keys: open somebody's card, and Escape gives the focus back"):
            tab_to(page, "More about Bob")
            keys(page, Keys.ENTER)
            page.wait(lambda: page.run("return document.getElementById('card').open"), "the card")
            keys(page, Keys.ESCAPE)
            page.wait(lambda: "More about Bob" in focused(page), "the focus on the card's button")
        with suite.check("keys: a petname wins over the name that somebody chose"):
            keys(page, Keys.ENTER)
            tab_to(page, "petname")
            keys(page, "My neighbour", Keys.ENTER)
            page.wait(lambda: "My neighbour" in card(page, neighbour.id).text, "the petname in the list")
            # The list may be told before the answer comes that closes the card.
            page.wait(lambda: not page.run("return document.getElementById('card').open"), "the card away")
        with suite.check("keys: make a favourite"):
            tab_to(page, "More about My neighbour")
            keys(page, Keys.ENTER)
            tab_to(page, "card-favorite")
            keys(page, Keys.SPACE)
            page.wait(lambda: page.one("#card-favorite").get_attribute("aria-pressed") == "true", "a pressed button")
        with suite.check("keys: mute, and no longer"):
            tab_to(page, "card-mute")
            keys(page, Keys.SPACE)
            page.wait(lambda: page.one("#card-mute").get_attribute("aria-pressed") == "true", "a pressed button")
            keys(page, Keys.SPACE)
            page.wait(lambda: page.one("#card-mute").get_attribute("aria-pressed") == "false", "a button at rest")
        with suite.check("keys: block, and undo"):
            tab_to(page, "card-block")
            keys(page, Keys.ENTER)
            page.wait(lambda: card(page, neighbour.id) is None, "the list without the blocked one")
            page.wait(lambda: "Undo" in focused(page), "the focus on Undo")
            # That the card is closed is told to the page later.
            page.frames()
            expect("Undo" in focused(page), f"the focus went from Undo to {focused(page)}")
            keys(page, Keys.ENTER)
            page.wait(lambda: card(page, neighbour.id) is not None, "the neighbour again", 20)
            expect(page.run("return document.activeElement !== document.body"), "the focus is lost")
        with suite.check("keys: block, and unblock in the list of the blocked"):
            tab_to(page, "More about My neighbour")
            keys(page, Keys.ENTER)
            tab_to(page, "card-block")
            keys(page, Keys.ENTER)
            page.wait(lambda: page.one("#blocked").is_displayed(), "the list of the blocked")
            suite.shot(page, "room-peers-blocked")
            tab_to(page, "Unblock My neighbour")
            # What nobody looks at has no streams: all of it is told anew, and the button stays.
            asked = "return performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('/api/rooms/peers')).length"
            before = page.run(asked)
            with page.left():
                pass
            page.wait(lambda: page.run(asked) > before, "the blocked told anew")
            page.frames()
            expect("Unblock My neighbour" in focused(page), f"the focus went to {focused(page)!r}")
            keys(page, Keys.ENTER)
            page.wait(lambda: card(page, neighbour.id) is not None, "the neighbour again", 20)
        with suite.check("keys: go to the settings"):
            page.driver.get(url)
            ready(page, "peers")
            tab_to(page, "Settings")
            keys(page, Keys.ENTER)
            page.wait(lambda: page.driver.current_url.endswith("/settings"), "the settings")
            ready(page, "settings")
        with suite.check("keys: a wrong value is told at once, and not saved"):
            before = (folder / "goop.json").read_text()
            expect(not page.one('[id="set-p2p.listen_port"]').is_displayed(), "what experts change is open")
            tab_to(page, "All other settings")
            keys(page, Keys.ENTER)
            tab_to(page, "set-p2p.listen_port")
            keys(page, Keys.CONTROL + "a")
            keys(page, "70000")
            tab_to(page, "save")
            keys(page, Keys.ENTER)
            page.wait(lambda: page.one("#problems").is_displayed() and focused(page) == "problems", "the problems")
            expect("p2p.listen_port" in page.one("#problems").text, page.one("#problems").text)
            page.one("#problems a").click()
            expect(page.run("return document.activeElement.id") == "set-p2p.listen_port", focused(page))
            described = page.run("""
                const field = document.getElementById("set-p2p.listen_port");
                return field.getAttribute("aria-describedby").split(" ").map((id) => document.getElementById(id).textContent)""")
            expect(any("65535" in text for text in described), f"the field is described as {described}")
            expect((folder / "goop.json").read_text() == before, "the file has changed")
            suite.shot(page, "room-settings-problem")
            for dark in (True, False):
                page.show_as(1280, 900, dark)
                harmless(page)
            tab_to(page, "discard")
            keys(page, Keys.ENTER)
            page.wait(lambda: not page.one("#problems").is_displayed(), "no problem")
            page.wait(lambda: focused(page) == "changed", "the focus on how things stand")
        with suite.check("keys: save a name; it counts at once, and nothing has to be started again"):
            tab_to(page, "set-profile.label")
            keys(page, Keys.CONTROL + "a")
            keys(page, "Ada the first")
            tab_to(page, "save")
            keys(page, Keys.ENTER)
            page.wait(lambda: "Saved." in page.one("#toast").text, "the word that it is saved")
            expect(not page.one("#restart").is_displayed(), page.one("#restart").text)
            label = json.loads((folder / "goop.json").read_text())["profile"]["label"]
            expect(label == "Ada the first", label)
            page.wait(lambda: focused(page) == "changed", "the focus on how things stand")
            me = page.run("return fetch('/api/self').then(answer => answer.json())")
            expect(me["label"] == "Ada the first", me)
        with suite.check("keys: save a setting that needs a restart; the page says so"):
            tab_to(page, "set-viewer.peer_offline_grace_min")
            keys(page, Keys.CONTROL + "a")
            keys(page, "16")
            tab_to(page, "save")
            keys(page, Keys.ENTER)
            page.wait(lambda: page.one("#restart").is_displayed(), "the word about the restart")
            expect("stay in the list viewer.peer_offline_grace_min" in page.one("#restart").text, page.one("#restart").text)
            page.wait(lambda: focused(page) == "changed", "the focus on how things stand")
            expect("Start again now" in page.one("#toast").text, page.one("#toast").text)
        with suite.check("settings: whoever empties their name is told what the others see"):
            expect(not page.one('[id="set-profile.label-hint"]').is_displayed(), "told for nothing")
            tab_to(page, "set-profile.label")
            keys(page, Keys.CONTROL + "a", Keys.BACKSPACE)
            expect("Somebody without a name" in page.one('[id="set-profile.label-hint"]').text, "not told")
            tab_to(page, "discard")
            keys(page, Keys.ENTER)
            page.wait(lambda: focused(page) == "changed", "the focus on how things stand")
        with suite.check("settings: every key is there, with its title and what it means"):
            missing = page.driver.execute_async_script("""
                const done = arguments[0];
                fetch("/api/rooms/settings").then((answer) => answer.json()).then(({ settings }) => {
                  const rows = [...document.querySelectorAll(".setting, .switch")].map((row) => row.textContent);
                  // A switch has its own words, and two rooms theirs.
                  done(settings.filter(({ key, title, meaning }) => !rows.some((text) => text.includes(key)
                    && (text.includes(title) || /^(data|site)\\./.test(key)) && (text.includes(meaning) || key === "presence.invisible")))
                    .map(({ key }) => key));
                })""")
            expect(not missing, missing)
            words = page.run("return [...document.getElementById('set-data.durability').options].map(one => one.value)")
            expect(words == ["full", "normal"], words)
            double = page.run("return document.getElementById('set-data.visitor_rows')")
            expect(double is None and page.driver.find_elements(By.CSS_SELECTOR, "#experts a[href='/data']"), "two places for one limit")
        with suite.check("settings: names stand first, what nothing uses yet is closed at the end, and what has its own place leads there"):
            first = page.run("return [...document.querySelectorAll('.setting input')].map(input => input.id)")
            expect(first[:2] == ["set-profile.label", "set-profile.email"], first[:4])
            stray = page.run("return [...document.querySelectorAll('.setting')].filter(row => !row.closest('#later') && "
                             "row.textContent.includes('nothing uses it yet')).map(row => row.textContent)")
            expect(not stray and not page.run("return document.getElementById('later').open"), stray)
            expect("set-presence.invisible" not in first and "set-site.guests" not in first, "two controls for one thing")
            suite.shot(page, "room-settings-saved")
        with suite.check("secrets are never in the page"):
            secret = json.loads((folder / "goop.json").read_text())["p2p"]["nacl_private_key"]
            expect(len(secret) > 20, "no secret to look for")
            answer = page.driver.execute_async_script(
                "const done = arguments[0]; fetch('/api/rooms/settings').then(r => r.text()).then(done)")
            expect(secret not in page.driver.page_source and secret not in answer, "the secret is there")
        with suite.check("keys: find a setting"):
            tab_to(page, "search")
            keys(page, "mdns")
            page.wait(lambda: sum(row.is_displayed() for row in
                                  page.driver.find_elements(By.CSS_SELECTOR, ".setting")) in range(1, 4), "few rows")
            keys(page, Keys.CONTROL + "a")
            keys(page, "relay_port")
            page.wait(lambda: page.run("return document.getElementById('later').open"), "a key that nothing uses yet")
            keys(page, Keys.CONTROL + "a")
            keys(page, "site.guests")
            page.wait(lambda: page.driver.find_elements(By.CSS_SELECTOR, "#experts a[href='/site#audience']")[0].is_displayed(), "where the named are")
            keys(page, Keys.CONTROL + "a")
            keys(page, "presence.invisible")
            page.wait(lambda: page.one("#seen-switch").is_displayed() and not page.one("#look").is_displayed(), "the switch alone")
            keys(page, Keys.CONTROL + "a")
            keys(page, "zebra")
            page.wait(lambda: page.one("#no-setting").is_displayed(), "the word that there is none")
            keys(page, Keys.CONTROL + "a", Keys.BACKSPACE)
            page.wait(lambda: not page.run("return document.getElementById('later').open"), "the end closed again")
        with suite.check("keys: read the network, filter the log, pause it"):
            page.driver.get(url + "network")
            ready(page, "network")
            expect("Only programs on this computer can reach you" in page.one("#outward-note").text, page.one("#outward-note").text)
            rows = page.driver.find_elements(By.CSS_SELECTOR, "#inward li")
            expect(rows and all("/p2p/12D3Koo" in row.text and "Copy" in row.text for row in rows), [row.text for row in rows])
            tab_to(page, "words")
            keys(page, "connected with")
            page.wait(lambda: "Connected with " in page.one("#log").text, "a line of the log")
            page.run("for (const line of document.querySelectorAll('#log li')) line.wasThere = true")
            keys(page, Keys.CONTROL + "a", Keys.BACKSPACE)
            some = "return [...document.querySelectorAll('#log li')].some((line) => line.wasThere === arguments[0])"
            page.wait(lambda: page.run(some.replace("arguments[0]", "undefined")), "the other lines")
            expect(page.run(some, True), "lines that have not changed were made anew")
            tab_to(page, "pause")
            # What was asked for before changes nothing any more.
            page.run("""
                const fetched = window.fetch;
                const isLetGo = new Promise((done) => { window.letGo = done; });
                window.fetch = async (path, ...more) => {
                  if (path !== "/api/rooms/network/log") return fetched(path, ...more);
                  window.isAsked = true;
                  await isLetGo;
                  return new Response(JSON.stringify([{ number: 1e9, time: Date.now(), kind: "peer", text: "came late" }]));
                };""")
            page.wait(lambda: page.run("return window.isAsked"), "the question for the log")
            keys(page, Keys.SPACE)
            expect(page.one("#pause").get_attribute("aria-pressed") == "true", "not paused")
            page.run("letGo()")
            page.frames()
            expect("came late" not in page.one("#log").text, "the log goes on")
        with suite.check("keys: help"):
            tab_to(page, "Help")
            keys(page, Keys.ENTER)
            page.wait(lambda: page.driver.current_url.endswith("/help"), "the help")
        with suite.check("help: each link of its contents leads to a heading that is seen then"):
            page.wait(lambda: page.run("return document.readyState") == "complete", "the page")
            links = page.run("return [...document.querySelectorAll('.contents a')].map(one => one.getAttribute('href'))")
            expect(len(links) > 10 and len(set(links)) == len(links), links)
            lost = page.run("return [...document.querySelectorAll('.contents a')].filter(one => !document.querySelector(one.hash)).map(one => one.hash)")
            expect(not lost, lost)
            expect(not page.one("#pages-with-data").is_displayed(), "the part for programmers is open")
            page.one(".contents [href='#pages-with-data']").click()
            page.wait(lambda: page.one("#pages-with-data").is_displayed(), "the part for programmers")
        with suite.check("nothing complained on the console"):
            # The refused save is one, and expected.
            found = page.complaints("status of 400", "[DOM]")
            expect(not found, found)


def kept_focus(suite, url, neighbour):
    """What goes away must not take the focus with it."""
    with suite.check("the focus is never given back to what is leaving"), browser(reduced_motion=True) as page:
        page.driver.get(url)
        ready(page, "peers")
        # As somebody's row is while it goes: shown, and closed to everybody.
        page.driver.execute_async_script("""
            const done = arguments[0];
            import("/assets/words.js").then(({ tell }) => {
              document.querySelector(".person .more").focus();
              tell("Something was done.", { undo() {} });
              document.querySelector(".person").inert = true;
              done();
            })""")
        expect(focused(page).startswith("Undo"), focused(page))
        keys(page, Keys.ENTER)
        page.wait(lambda: focused(page) == "content", f"the focus on the room, not on {focused(page)!r}")

    with suite.check("a word in the place of another one does not take the focus with it"), browser(reduced_motion=True) as page:
        page.driver.get(url)
        ready(page, "peers")
        found = page.driver.execute_async_script("""
            const done = arguments[0];
            import("/assets/words.js").then(({ tell }) => {
              const at = () => document.activeElement.id || document.activeElement.getAttribute("aria-label") || "nothing";
              const told = [];
              document.getElementById("people").focus();
              for (const [text, more] of [["One", { undo() {} }], ["Two", {}], ["Three", { undo() {} }], ["Four", { undo() {} }]]) {
                tell(text, more);
                told.push(at());
              }
              document.querySelector("#toast button:last-child").click();
              done([...told, at()]);
            })""")
        expect(found == ["Undo: One", "people", "Undo: Three", "Undo: Four", "people"], found)

    with suite.check("the card of somebody who goes closes, and the focus is on the list"), browser(reduced_motion=True) as page:
        page.driver.get(url)
        ready(page, "peers")
        tab_to(page, "More about Bob")
        keys(page, Keys.ENTER)
        page.wait(lambda: page.run("return document.getElementById('card').open"), "the card")
        decide = """return fetch("/api/rooms/peers/decide", {method: "POST", body: JSON.stringify({id: arguments[0], standing: arguments[1]}),
            headers: {"Content-Type": "application/json", "X-Goop-Token": document.querySelector("meta[name=goop-token]").content}})"""
        page.run(decide, neighbour.id, "blocked")
        page.wait(lambda: not page.run("return document.getElementById('card').open"), "no card")
        page.wait(lambda: focused(page) == "people", f"the focus on the list, not on {focused(page)!r}")
        page.run(decide, neighbour.id, "ordinary")
        page.wait(lambda: card(page, neighbour.id), "the neighbour again", 20)


def one_row(suite, url):
    with suite.check("320 pixels: the rooms stand in one row, and the one that is open is seen in it"), \
            browser(320, 640, reduced_motion=True) as page:
        for path in ROOMS.values():
            page.driver.get(url + path)
            page.wait(lambda: page.run("""
                const row = document.querySelector(".rooms ul").getBoundingClientRect();
                const here = document.querySelector(".rooms [aria-current]").getBoundingClientRect();
                return row.height < 70 && here.left >= row.left - 1 && here.right <= row.right + 1;"""), f"/{path} in the row")


def lost(suite, url, ada):
    """The viewer ends under open pages, and comes back."""
    with suite.check("a viewer that does not answer: every room says so, and nobody is said to be here"):
        with browser() as page:
            page.driver.get(url)
            ready(page, "peers")
            people = page.driver.current_window_handle
            others = []
            for room in ("site", "settings", "network"):
                page.driver.switch_to.new_window("tab")
                page.driver.get(url + room)
                ready(page, room)
                others.append(page.driver.current_window_handle)
            ada.stop()
            page.driver.switch_to.window(people)
            page.wait(lambda: page.driver.find_elements(By.ID, "lost"), "the word on People")
            expect(f"goop2 peer {ada.folder.resolve()} --local" in page.one("#lost").text, page.one("#lost").text)
            # The stream may break after another question had no answer.
            page.wait(lambda: page.one("#link-text").text == "Not connected", f"the word about the link, not {page.one('#link-text').text!r}")
            expect(page.one("#count").text == "", page.one("#count").text)
            expect(page.one(".person").get_attribute("data-state") == "unknown", page.one(".person").text)
            expect("Here now" not in page.one("#people").text, page.one("#people").text)
            suite.shot(page, "room-peers-lost")
            page.driver.switch_to.window(others[0])
            page.wait(lambda: page.driver.find_elements(By.ID, "lost"), "the word on My site")
            page.driver.switch_to.window(others[2])
            page.wait(lambda: page.driver.find_elements(By.ID, "lost"), "the word on Network")
            page.driver.switch_to.window(others[1])
            page.one('[id="set-profile.label"]').send_keys("x", Keys.TAB)
            page.wait(lambda: page.driver.find_elements(By.ID, "lost"), "the word on Settings")
            page.one("#save").click()
            page.wait(lambda: "does not answer" in page.one("#problems").text, "the word that nothing was saved")
            ada.start()
            for tab in (people, *others):
                page.driver.switch_to.window(tab)
                page.wait(lambda: not page.driver.find_elements(By.ID, "lost"), "the word gone", 20)
            page.driver.switch_to.window(people)
            page.wait(lambda: page.one("#count").text.startswith("1 here now"), "the neighbour here", 20)


def outdated(suite, url, ada):
    """The viewer is started again under an open page."""
    with browser(reduced_motion=True) as page:
        page.driver.get(url + "site")
        ready(page, "site")
        page.run("window.isOld = true")
        ada.stop()
        page.wait(lambda: page.driver.find_elements(By.ID, "lost"), "the word that nothing answers")
        ada.start()
        page.wait(lambda: not page.driver.find_elements(By.ID, "lost"), "the word gone", 20)
        with suite.check("a large file that an old page sends is refused with the reason, though it was still being sent"):
            large_file = ada.folder.parent / "large.bin"
            large_file.write_bytes(bytes(64 << 20))
            page.one("#pick-files").send_keys(str(large_file))
            page.wait(lambda: page.one("#upload-problems").is_displayed(), "the refusal", 30)
            expect("the token is missing or old" in page.one("#upload-problems").text, page.one("#upload-problems").text)
            page.wait(lambda: page.driver.find_elements(By.ID, "outdated"), "the word at the top")
            expect(not (ada.site / "large.bin").exists(), "the file was taken")
            large_file.unlink()
        with suite.check("a page that is older than the viewer's run offers to be loaded again, also in a dialog"):
            site_room.click(page, "#new-folder")
            site_room.type_name(page, "by-an-old-page")
            page.wait(lambda: page.driver.find_elements(By.CSS_SELECTOR, "#name-dialog > .outdated button"), "the word in the dialog")
            said = page.one("#name-dialog > .outdated").text
            expect("was started again" in said and "copy it first" in said and "Load this page again" in said, said)
            suite.shot(page, "room-site-outdated-dialog")
            page.one("#name-cancel").click()
            page.wait(lambda: not page.driver.find_elements(By.CSS_SELECTOR, "#name-dialog > .outdated"), "the dialog as it was")
            page.run("scrollTo(0, document.body.scrollHeight)")
            again = page.one("#outdated button")
            where = page.run("const b = arguments[0].getBoundingClientRect(); return [b.top >= 0, b.bottom <= innerHeight]", again)
            expect(where == [True, True], where)
            suite.shot(page, "room-site-outdated")
            again.click()
            page.wait(lambda: not page.driver.find_elements(By.ID, "outdated"), "the page anew", 20)
            ready(page, "site")
            expect(page.run("return window.isOld === undefined"), "the page was not loaded again")
            expect(not (ada.site / "by-an-old-page").exists(), "the folder was made")
            site_room.click(page, "#new-folder")
            site_room.type_name(page, "by-a-new-page")
            site_room.toast(page, "The folder by-a-new-page is there")
            (ada.site / "by-a-new-page").rmdir()
            page.driver.get(url)
            page.wait(lambda: page.one("#count").text.startswith("1 here now"), "the neighbour here", 20)


def long_names(suite, url, bob):
    """A name without a blank, as long as it may be, in the narrowest window."""
    with suite.check("a long name without blanks: the card, Blocked, the question in the bar and the network stay in the window; "
                     "axe-core finds nothing at Blocked and at the curtain of whoever is blocked"):
        with browser(320, 640, reduced_motion=True) as page:
            def fits(where):
                wide = page.run("return document.documentElement.scrollWidth - innerWidth")
                inner = page.run("return [...document.querySelectorAll('dialog[open]')].map(one => one.scrollWidth - one.clientWidth)")
                expect(wide <= 0 and all(one <= 0 for one in inner), f"{where}: {wide}, {inner}")

            def decide(**decision):
                page.driver.execute_async_script("""
                    const [body, done] = arguments;
                    fetch("/api/rooms/peers/decide", {method: "POST", body: JSON.stringify(body), headers: {"Content-Type": "application/json",
                      "X-Goop-Token": document.querySelector("meta[name=goop-token]").content}}).then(done)""", {"id": bob.id, **decision})
            page.driver.get(url)
            ready(page, "peers")
            decide(petname=LONG[:128])
            page.driver.get(f"{url}p/{bob.id}/")
            page.wait(lambda: page.one("#block").is_displayed(), "the button")
            page.one("#block").click()
            fits("the question")
            suite.shot(page, "room-long-question")
            page.driver.get(url + "network")
            ready(page, "network")
            fits("network")
            page.driver.get(url)
            ready(page, "peers")
            decide(standing="blocked")
            page.driver.refresh()
            page.wait(lambda: page.one("#blocked").is_displayed(), "Blocked")
            fits("Blocked")
            harmless(page)
            suite.shot(page, "room-long-blocked")
            page.driver.get(f"{url}p/{bob.id}/")
            page.wait(lambda: "Maximiliane" in page.one("#curtain-title").text, "the known name of whoever is blocked")
            harmless(page)
            page.driver.get(url)
            decide(standing="ordinary")
            decide(petname="")
            ready(page, "peers")


def png(red, green, blue, side=64):
    """A picture of one colour."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = (b"\0" + bytes((red, green, blue)) * side) * side
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


# What the page learns of its owner comes when `letGo` is called.
HELD_SELF = """{
  const fetched = window.fetch;
  const isLetGo = new Promise((done) => { window.letGo = done; });
  window.fetch = async (path, ...more) => {
    const answer = await fetched(path, ...more);
    if (path === "/api/self") await isLetGo;
    return answer;
  };
}"""


def faces(suite, url, neighbour, folder):
    """Pictures that peers choose: beside what is made from their ids, never instead of it."""
    loaded = "const image = document.querySelector(arguments[0]); return Boolean(image?.complete && image.naturalWidth === 64)"
    with browser() as page:
        page.driver.get(url)
        ready(page, "peers")
        with suite.check("pictures: a neighbour's is shown as soon as it is chosen, beside the one of its id"):
            (neighbour.folder / "avatar.png").write_bytes(png(200, 60, 20))
            page.wait(lambda: page.run(loaded, ".person .face"), "the neighbour's picture", 20)
            expect(page.one(".person .picture").is_displayed(), "what is made from the id is gone")
            suite.shot(page, "room-peers-face")
        with suite.check("pictures: it goes when its owner removes it"):
            (neighbour.folder / "avatar.png").unlink()
            page.wait(lambda: not page.driver.find_elements(By.CSS_SELECTOR, ".person .face"), "no picture", 20)
        with suite.check("pictures: one's own is chosen in the settings, and seen under People"):
            page.driver.get(url + "settings")
            ready(page, "settings")
            picture = folder / "my picture.png"
            picture.write_bytes(png(20, 60, 200))
            page.one("#own-picture-file").send_keys(str(picture))
            page.wait(lambda: page.run(loaded, "#own-picture-place .face"), "the own picture")
            suite.shot(page, "room-settings-face")
            page.driver.get(url)
            page.wait(lambda: page.run(loaded, "#me-face .face"), "the own picture under People")
        with suite.check("pictures: what is none is refused in words, which stay when the page learns late which picture there is"):
            hook = page.cdp("Page.addScriptToEvaluateOnNewDocument", source=HELD_SELF)["identifier"]
            page.driver.get(url + "settings")
            page.cdp("Page.removeScriptToEvaluateOnNewDocument", identifier=hook)
            ready(page, "settings")
            picture.write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
            page.one("#own-picture-file").send_keys(str(picture))
            page.wait(lambda: page.one("#own-picture-fault").is_displayed(), "the fault")
            expect("PNG" in page.one("#own-picture-fault").text, page.one("#own-picture-fault").text)
            page.run("letGo()")
            page.wait(lambda: page.one("#own-picture-remove").is_displayed(), "the picture that there is")
            expect("PNG" in page.one("#own-picture-fault").text, f"the words are gone: {page.one('#own-picture-fault').text!r}")
        with suite.check("pictures: one's own is removed"):
            page.wait(lambda: page.one("#own-picture-remove").is_displayed(), "the button")
            page.one("#own-picture-remove").click()
            page.wait(lambda: not page.driver.find_elements(By.CSS_SELECTOR, "#own-picture-place .face"), "no picture")
            expect(not (folder / "avatar.png").exists(), "the file is still there")


def chosen_look(suite, url, neighbour):
    """The settings of these pages, each in effect with the next page."""
    ground = "return document.body && getComputedStyle(document.body).backgroundColor"
    light, dark = "rgb(246, 247, 243)", "rgb(18, 23, 26)"
    with browser(reduced_motion=True) as page:
        def settings(**values):
            expect(ask(page, "/api/rooms/settings/save", {"changes": {f"viewer.{key}": value for key, value in values.items()}}) == 200, values)

        with suite.check("settings: what is typed while a save is under way stays, and is not saved"):
            page.driver.get(url + "settings")
            ready(page, "settings")
            page.run("""
                const fetched = window.fetch;
                const isLetGo = new Promise((done) => { window.letGo = done; });
                window.fetch = async (path, ...more) => {
                  const answer = await fetched(path, ...more);
                  if (path === "/api/rooms/settings/save") await isLetGo;
                  return answer;
                };""")
            label = page.one('[id="set-profile.label"]').get_attribute("value")
            page.one('[id="set-profile.email"]').send_keys("ada@example.org", Keys.ENTER)
            page.one('[id="set-profile.label"]').send_keys(" and more")
            page.run("letGo()")
            page.wait(lambda: "Saved." in page.one("#toast").text, "the word that it is saved")
            expect(page.one('[id="set-profile.label"]').get_attribute("value") == f"{label} and more", "what was typed is gone")
            expect(focused(page) == "set-profile.label" and page.one("#changed").text == "1 change, not saved.", page.one("#changed").text)
            page.one("#discard").send_keys(Keys.ENTER)
            page.wait(lambda: page.one("#changed").text == "Nothing has been changed.", "the change given up")
            expect(page.one('[id="set-profile.label"]').get_attribute("value") == label, "it was saved")
            expect(ask(page, "/api/rooms/settings/save", {"changes": {"profile.email": ""}}) == 200, "the address stays")
        with suite.check("theme: chosen in the settings, and in effect in every page, whatever the system prefers"):
            page.driver.get(url + "settings")
            ready(page, "settings")
            expect(page.run(ground) == light, page.run(ground))
            Select(page.driver.find_element(By.ID, "set-viewer.theme")).select_by_value("dark")
            # By key: right after a page has come, the driver's pointer may miss a button that was elsewhere a moment before.
            page.one("#save").send_keys(Keys.ENTER)
            page.wait(lambda: page.run(ground) == dark, "the dark page")
            page.wait(lambda: "Saved" in page.one("#toast").text, "the word that it is saved")
            expect(focused(page) == "changed", focused(page))
            for path in ("", "data", f"p/{neighbour.id}/"):
                page.driver.get(url + path)
                expect(page.run(ground) == dark and page.run("return document.querySelector('meta[name=color-scheme]').content") == "dark", path)
            page.driver.get(url + "nothing")
            expect(page.run(ground) == dark, "a notice")
            page.driver.get(url)
            page.cdp("Emulation.setEmulatedMedia", features=[{"name": "forced-colors", "value": "active"},
                                                             {"name": "prefers-color-scheme", "value": "light"}])
            expect(not page.run("return matchMedia(document.querySelector('link[href=\"/assets/dark.css\"]').media).matches"),
                   "the chosen theme counts where the system forces colours")
            page.show_as(1280, 900, dark=True)
            settings(theme="light")
            page.driver.refresh()
            expect(page.run(ground) == light, page.run(ground))
            settings(theme="auto")
            page.driver.refresh()
            expect(page.run(ground) == dark, page.run(ground))
            page.show_as(1280, 900, dark=False)
        with suite.check("sites in tabs of their own: from the list, and the page People stays"):
            settings(open_sites_external=True)
            page.driver.get(url)
            ready(page, "peers")
            card(page, neighbour.id).click()
            page.wait(lambda: len(page.driver.window_handles) == 2, "the tab")
            expect(page.driver.current_url == url, page.driver.current_url)
            page.driver.switch_to.window(page.driver.window_handles[1])
            page.wait(lambda: page.driver.current_url.endswith(f"/p/{neighbour.id}/"), "the site")
            page.driver.close()
            page.driver.switch_to.window(page.driver.window_handles[0])
            settings(open_sites_external=False)
        with suite.check("whom no server vouches for: left out and counted, but for favourites"):
            settings(hide_unverified=True)
            page.driver.get(url)
            page.wait(lambda: page.one("#unvouched").is_displayed(), "the word that somebody is left out")
            expect("1 person is left out" in page.one("#unvouched").text and card(page, neighbour.id) is None, page.text())
            ask(page, "/api/rooms/peers/decide", {"id": neighbour.id, "favorite": True})
            page.wait(lambda: card(page, neighbour.id) is not None and not page.one("#unvouched").is_displayed(), "the favourite")
            ask(page, "/api/rooms/peers/decide", {"id": neighbour.id, "favorite": False})
            page.wait(lambda: card(page, neighbour.id) is None, "the list without them")
            settings(hide_unverified=False)


def guarded(suite, url):
    with suite.check("a decision without the token is refused"):
        with browser() as page:
            page.driver.get(url)
            status = page.driver.execute_async_script(
                "const done = arguments[0]; fetch('/api/rooms/peers/decide', {method: 'POST', body: '{}',"
                "headers: {'Content-Type': 'application/json'}}).then(r => done(r.status))")
            expect(status == 403, status)


def story(suite, program, folder):
    ada = Peer(program, folder / "Ada", "--local")
    bob = Peer(program, folder / "Bob", "--local", "--no-viewer")
    double = Peer(program, folder / "double", "--local", "--no-viewer", "--label", "Bob")
    with ended(ada, bob, double):
        url = ada.start()["viewer"]["url"]
        looks(suite, url, "peers-empty", lambda page: page.wait(lambda: page.one("#empty").is_displayed(), "the word that nobody is here"))
        bob.start()
        for name, path in ROOMS.items():
            looks(suite, url + path, name, lambda page, name=name: ready(page, name))
        looks(suite, url + "settings", "settings-all", all_settings)

        def open_card(page):
            ready(page, "peers")
            page.one(".person .more").click()
            page.wait(lambda: page.run("return document.getElementById('card').open"), "the card")
        looks(suite, url, "card", open_card)
        for name, prepare in site_room.dialogs().items():
            looks(suite, url + "site", name, prepare)
        def at_the_site(page):
            page.wait(lambda: page.one("#state").get_attribute("data-state") == "online", "who is here")
        large(suite, [
            *((name, url + path, lambda page, name=name: ready(page, name)) for name, path in ROOMS.items()), ("card", url, open_card),
            ("settings-all", url + "settings", all_settings),
            *((name, url + "site", prepare) for name, prepare in site_room.dialogs().items()), ("shell", f"{url}p/{bob.id}/", at_the_site)])
        one_row(suite, url)
        streams.everywhere(suite, url, bob)
        kept_focus(suite, url, bob)
        faces(suite, url, bob, ada.folder)
        chosen_look(suite, url, bob)
        site_room.room(suite, url, ada)
        site_room.by_keyboard(suite, url, ada, tab_to, focused, keys)
        guarded(suite, url)
        long_names(suite, url, bob)
        lost(suite, url, ada)
        outdated(suite, url, ada)
        by_keyboard(suite, url, bob, ada.folder)
        people_room.room(suite, url, bob, double)


if __name__ == "__main__":
    part.run("rooms", story, part.options(__doc__))
