"""The rooms People and Network where two bear one name, where many are known, and where somebody comes or goes. See rooms_checks.py."""
import json
import re
import time

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from story import HOSTILE_NAME, ask, browser, card, expect, state

# What a row says, and what it shows.
ROW = """
const row = arguments[0].closest('.person'), text = (part) => row.querySelector(part).textContent;
return {name: text('.person-name bdi'), print: text('.print'), picture: row.querySelector('.picture').innerHTML, star: text('.star'),
        state: text('.person-state'), alike: row.querySelector('.alike').hidden ? '' : text('.alike')};"""

# People who are in no network, added to the list that the viewer tells. The page has streams of its own, where that can be done.
MORE = """
Object.defineProperty(window, "SharedWorker", { value: undefined });
const Native = EventSource;
const withMore = (text) => {
  const list = JSON.parse(text);
  list.peers.push(...%s);
  return JSON.stringify(list);
};
window.EventSource = class extends Native {
  addEventListener(name, hear) {
    super.addEventListener(name, name === "snapshot" ? ({ data }) => hear({ data: withMore(data) }) : hear);
  }
};"""


def row(page, peer):
    return page.run(ROW, card(page, peer.id))


def open_card(page, peer):
    page.run("return arguments[0].closest('.person').querySelector('.more')", card(page, peer.id)).click()
    page.wait(lambda: page.run("return document.getElementById('card').open"), "the card")


def close_card(page):
    page.one("#card-close").click()
    page.wait(lambda: not page.run("return document.getElementById('card').open"), "no card")


def one_name(suite, page, url, bob, double):
    """Two peers call themselves Bob; the second one is started here."""
    page.driver.get(url)
    page.wait(lambda: card(page, bob.id) is not None, "Bob")
    for decision in ({"petname": ""}, {"favorite": False}):
        expect(ask(page, "/api/rooms/peers/decide", {"id": bob.id, **decision}) == 200, decision)
    double.start()
    with suite.check("People: two of one name are told apart by the end of the id and by the picture"):
        for peer in (bob, double):
            page.wait(lambda: state(page, peer.id) == "online" and row(page, peer)["picture"], f"{peer.folder} here", 20)
            page.wait(lambda: row(page, peer)["name"] == "Bob", "the name")
            expect(row(page, peer)["print"] == f"…{peer.id[-8:-4]} {peer.id[-4:]}", row(page, peer))
        expect(row(page, bob)["picture"] != row(page, double)["picture"], "the same picture")
        expect(not row(page, bob)["alike"] and not row(page, double)["alike"], "a warning where nobody is known")
    with suite.check("People: the way to somebody is told, and how long an answer takes"):
        said = re.compile(r"Here now, on this computer, [\d.]+ ms")
        # It is measured every fifteen seconds.
        page.wait(lambda: said.search(row(page, bob)["state"]), "the way and the time", 40)
    with suite.check("People: the card leads to somebody's site, and copies the link to it"):
        page.cdp("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"], origin=url.rstrip("/"))
        open_card(page, bob)
        expect(page.run("return document.activeElement.id") == "petname", "the focus is not where one writes")
        expect(page.one("#card-site").get_attribute("href") == f"{url}p/{bob.id}/", page.one("#card-site").get_attribute("href"))
        page.one("#card-copy").click()
        page.wait(lambda: page.one("#card-copy").text == "Copied", "the word about it")
        copied = page.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0], e => arguments[0](String(e)))")
        expect(copied == f"http://127.0.0.1:8080/p/{bob.id}/", copied)
        close_card(page)
    with suite.check("People: an answer that comes when the card of somebody else is open leaves that one open"):
        page.run("""
            const fetched = window.fetch;
            const isLetGo = new Promise((done) => { window.letGo = done; });
            window.fetch = async (path, ...more) => {
              if (path === "/api/rooms/peers/decide") await isLetGo;
              return fetched(path, ...more);
            };""")
        open_card(page, bob)
        page.one("#petname").send_keys("Robert", Keys.ENTER)
        close_card(page)
        open_card(page, double)
        page.run("letGo()")
        page.wait(lambda: "The name was saved" in page.one("#toast").get_attribute("textContent"), "the word that it is saved")
        expect(page.run("return document.getElementById('card').open") and page.one("#card-name").text == "Bob", "another card, or none")
        close_card(page)
        page.wait(lambda: row(page, bob)["name"] == "Robert", "the name")
        expect(ask(page, "/api/rooms/peers/decide", {"id": bob.id, "petname": ""}) == 200, "the name stays")
        page.wait(lambda: row(page, bob)["name"] == "Bob" and not row(page, double)["alike"], "the name as before")
    with suite.check("People: whoever bears the name of a favourite is warned of, in the list and on the card"):
        open_card(page, bob)
        page.one("#card-favorite").click()
        page.wait(lambda: page.one("#card-favorite").get_attribute("aria-pressed") == "true", "a pressed button")
        close_card(page)
        warning = "Not the Bob that you know: this is another key."
        page.wait(lambda: row(page, double)["alike"] == warning, "the warning")
        expect(row(page, bob)["star"] == "★" and not row(page, bob)["alike"] and not row(page, double)["star"], row(page, bob))
        suite.shot(page, "room-peers-alike")
        open_card(page, double)
        expect(page.one("#card-alike").text == warning, page.one("#card-alike").text)
        close_card(page)
    with suite.check("People: of whoever bears the name that a named one only calls itself nothing bad is said"):
        def name_bob(petname, words):
            expect(ask(page, "/api/rooms/peers/decide", {"id": bob.id, "petname": petname}) == 200, petname)
            page.wait(lambda: row(page, double)["alike"] == words, f"the words {words}")
            return page.run("return arguments[0].closest('.person').querySelector('.alike').classList.contains('fault')", card(page, double.id))
        expect(not name_bob("Oma", "Oma calls itself so too: this is another key."), "a warning")
        open_card(page, double)
        expect(page.one("#card-alike").text == "Oma calls itself so too: this is another key.", page.one("#card-alike").text)
        expect("fault" not in page.one("#card-alike").get_attribute("class").split(), "a warning")
        close_card(page)
        # It is one again for the name that Bob was given.
        expect(name_bob("bob", "Not the bob that you know: this is another key."), "no warning")
        expect(name_bob("", warning), "no warning")
        page.wait(lambda: row(page, bob)["name"] == "Bob", "the name as before")


def many(suite, url, double):
    """More people than fit on a page of the list, most of them known to this page only."""
    now = int(time.time() * 1000)
    names = ("Grace", "Linus", "Margaret", "Dennis", "Radia", "Ken", "Barbara")
    known = [{"id": f"12D3KooWnobodyAtAll{number}", "label": name, "state": "offline", "path": "none", "lastSeen": now,
              "favorite": False, "verified": False} for number, name in enumerate(names)]
    known[1] |= {"state": "unreachable", "reason": "connection refused"}
    known[2] |= {"state": "unreachable", "reason": HOSTILE_NAME}
    with browser(1280, 900, reduced_motion=True) as page:
        page.cdp("Page.addScriptToEvaluateOnNewDocument", source=MORE % json.dumps(known))
        page.driver.get(url)
        everybody = len(known) + 2
        page.wait(lambda: len(page.driver.find_elements(By.CSS_SELECTOR, ".person")) == everybody, "everybody")

        def found():
            return page.run("return [...document.querySelectorAll('.person')].filter((row) => !row.hidden)"
                            ".map((row) => row.querySelector('bdi').textContent)")

        def look_for(text):
            page.one("#search").send_keys(Keys.CONTROL + "a")
            page.one("#search").send_keys(text)

        with suite.check("People: from eight on somebody can be looked for, by name and by id"):
            expect(page.one("#search").is_displayed() and len(found()) == everybody, found())
            look_for("gRAc")
            page.wait(lambda: found() == ["Grace"], "Grace alone")
            suite.shot(page, "room-peers-search")
            look_for(double.id)
            page.wait(lambda: found() == ["Bob"], "one Bob alone")
            look_for("zebra")
            page.wait(lambda: page.one("#no-match").is_displayed(), "the word that there is none")
            look_for(Keys.BACKSPACE)
            page.wait(lambda: len(found()) == everybody and not page.one("#no-match").is_displayed(), "everybody again")
        with suite.check("People: why somebody does not answer is told, and is only text"):
            said = page.run("return [...document.querySelectorAll('.person[data-state=unreachable] .person-state')].map((one) => one.textContent)")
            for reason in ("connection refused", HOSTILE_NAME):
                expect(f"Does not answer: {reason} · last seen just now" in said, said)
            expect(page.run("return window.pwned") is None, "its script ran")


def nodes(page):
    """Whom the picture shows as connected, and whom the table."""
    shown = page.run("""
        const svg = document.querySelector("#picture svg");
        return {texts: [...(svg?.querySelectorAll("text") ?? [])].map((text) => text.textContent),
                circles: svg?.querySelectorAll("circle").length ?? 0, lines: svg?.querySelectorAll("line").length ?? 0,
                rows: [...document.querySelectorAll("#connections tbody th")].map((head) =>
                  [head.title, [head.querySelector("bdi")?.textContent ?? "", head.querySelector(".print").textContent]])};""")
    return shown, list(dict(shown["rows"]).values())


def network(suite, page, url, bob, double):
    page.driver.get(url + "network")
    with suite.check("Network: the picture shows you and everybody in the table, and has a name that says so"):
        page.wait(lambda: [name for name, _ in nodes(page)[1]] == ["Bob", "Bob"], "both")
        shown, people = nodes(page)
        # Both are called Bob, so that the end of the id is with each in the picture, as it is with everybody in the table.
        expect(sorted(people) == sorted(["Bob", f"…{one[-8:-4]} {one[-4:]}"] for one in (bob.id, double.id)), people)
        expect(sorted(shown["texts"]) == sorted([*sum(people, []), "You"]) and shown["circles"] == 3 and shown["lines"] == 2, shown)
        # A line that leads through the word ends before it.
        around = page.run("const own = document.querySelector('#picture text.own'), { paintOrder, stroke } = getComputedStyle(own);"
                          "return [paintOrder, stroke === getComputedStyle(own.closest('.panel')).backgroundColor]")
        expect(around[0].startswith("stroke") and around[1], around)
        ciphers = page.run("return [...document.querySelectorAll('#connections tbody td:last-child')].map((cell) => cell.textContent)")
        expect(set(ciphers) <= {"Noise", "TLS"} and len(ciphers) == 2, ciphers)
        called = page.one("#picture svg").accessible_name
        expect(called == f"A picture of the table below: you, connected with {', '.join(map(' '.join, people))}.", called)
    with suite.check("Network: each line of the log is of one kind, and a kind shows its own only"):
        def lines(kind):
            Select(page.one("#kind")).select_by_value(kind)
            said = page.run("return [...document.querySelectorAll('#log li')].map((line) => line.textContent)")
            return [line for line in said if line != "Nothing like that."]

        def are_parted():
            every, parts = lines(""), [lines(kind) for kind in ("connection", "presence", "peer")]
            return parts if sorted(every) == sorted(sum(parts, [])) else None
        expect("the newest is on top" in page.one("section:has(#log)").text, page.one("section:has(#log)").text)
        connections, presence, peer = page.wait(are_parted, "the lines of all kinds to be all lines")
        expect(any("Connected with " in line for line in connections), connections)
        expect(any(re.search(r"Bob \(…\w{4} \w{4}\) is ", line) for line in presence), presence)
        expect(not any("connected with" in line.lower() for line in presence + peer), presence + peer)
    with suite.check("Network: a line that arrives while one looks stands first, and the others are not made anew"):
        Select(page.one("#kind")).select_by_value("presence")
        page.run("for (const line of document.querySelectorAll('#log li')) line.wasThere = true")
        double.stop()
        page.wait(lambda: page.run("""
            const [first, ...others] = document.querySelectorAll("#log li");
            return !first.wasThere && first.textContent.includes(arguments[0]) && others.some((line) => line.wasThere)""",
            f"Bob (…{double.id[-8:-4]} {double.id[-4:]}) is "), "the new line")
        page.wait(lambda: nodes(page)[0]["circles"] == 2, "the picture without the one who went")
    with suite.check("nothing complained on the console"):
        found = page.complaints("[DOM]")
        expect(not found, found)


def room(suite, url, bob, double):
    with browser(1280, 900, reduced_motion=True) as page:
        one_name(suite, page, url, bob, double)
        many(suite, url, double)
        network(suite, page, url, bob, double)
