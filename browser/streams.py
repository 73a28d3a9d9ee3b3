"""How the viewer's pages follow what happens: each stream while somebody looks, few of them, and again after a break. See rooms_checks.py."""
from selenium.webdriver.common.by import By

from story import browser, card, expect

# A page with streams of its own, which counts them; `broken`: they are refused. A tab that is asked is looked at, so a hidden one
# leaves word where other pages of the viewer find it.
COUNTED = """
delete globalThis.SharedWorker;
const Native = EventSource;
globalThis.streams = [];
globalThis.EventSource = class extends Native {
  constructor(path) {
    super(globalThis.broken ? "/api/nothing" : path);
    this.since = performance.now();
    this.addEventListener("error", () => { this.failed ??= performance.now(); });
    streams.push(this);
  }
};
globalThis.openStreams = () => streams.filter(({ readyState }) => readyState === Native.OPEN).length;
document.addEventListener("visibilitychange", () => {
  if (document.hidden) setTimeout(() => localStorage.setItem("streams while hidden", openStreams()), 500);
});"""


def streams(suite, url, neighbour):
    """How a page follows what happens: while it is looked at, and again after a break."""
    with suite.check("a page that nobody looks at gives its streams back, and takes them up again"), browser() as page:
        page.cdp("Page.addScriptToEvaluateOnNewDocument", source=COUNTED)
        for path, count in (("", 1), ("site", 2), (f"p/{neighbour.id}/", 2)):
            page.driver.get(url + path)
            page.wait(lambda: page.run("return openStreams()") == count, f"{count} streams of /{path}")
            page.run("localStorage.removeItem('streams while hidden')")
            with page.left():
                page.driver.get(url + "help")
                left = page.wait(lambda: page.run("return localStorage.getItem('streams while hidden')"), "the word of the hidden page")
            expect(left == "0", f"/{path} holds {left} streams while it is hidden")
            page.wait(lambda: page.run("return openStreams()") == count, f"{count} streams of /{path} again")

    with suite.check("a stream that breaks is opened again, later each time it is refused, and at once when the viewer answers"), \
            browser() as page:
        page.cdp("Page.addScriptToEvaluateOnNewDocument", source=COUNTED)
        page.driver.get(url)
        page.wait(lambda: page.one("#link").get_attribute("data-state") == "live", "live")
        page.run("broken = true; streams[0].dispatchEvent(new Event('error'))")
        page.wait(lambda: page.one("#link").get_attribute("data-state") == "lost", "lost")
        # The last one has to be refused before, or it would be the one that is not.
        page.wait(lambda: page.run("return streams.length === 4 && streams[3].readyState === EventSource.CLOSED"), "three more attempts", 15)
        pauses = page.run("return streams.slice(2).map((one, index) => (one.since - streams[index + 1].failed) / 1000)")
        expect(1.9 < pauses[0] < 3.9 < pauses[1], f"{pauses} s from a refusal to the next attempt")
        page.run("globalThis.answered = performance.now(); broken = false; dispatchEvent(new Event('viewer-back'))")
        page.wait(lambda: page.one("#link").get_attribute("data-state") == "live", "live again")
        expect(page.run("return streams[4].since - answered") < 1000, "the next attempt was not at once")
        expect(page.run("return streams.length") == 5 and page.run("return openStreams()") == 1, "more than one stream")
        page.complaints()


def hidden_tabs(suite, url):
    """A browser has six connections to one address: rooms that nobody looks at must not hold them."""
    with suite.check("six hidden rooms leave the viewer answering"), browser() as page:
        for room in ("", "site", "data", "site", "data", "site", "data"):
            page.driver.get(url + room)
            page.wait(lambda: page.run("return document.readyState") == "complete", room)
            page.driver.switch_to.new_window("tab")
        page.driver.get(url + "help")
        answer = page.driver.execute_async_script("""
            const done = arguments[0];
            fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(5000) })
              .then((answer) => done(answer.status), (error) => done(String(error)))""")
        expect(answer == 200, answer)


def side_by_side(suite, url, neighbour):
    """Windows beside each other are all looked at. Each with streams of its own, three would take all six connections."""
    with suite.check("five sites and a room side by side: the viewer answers, and each window knows who is here"), browser() as page:
        for number in range(6):
            if number:
                page.driver.switch_to.new_window("window")
            page.driver.get(url + (f"p/{neighbour.id}/" if number < 5 else "data"))
        answer = page.driver.execute_async_script("""
            const done = arguments[0];
            fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(5000) })
              .then((answer) => done(answer.status), (error) => done(String(error)))""")
        expect(answer == 200, answer)
        for window in page.driver.window_handles[:5]:
            page.driver.switch_to.window(window)
            expect(not page.run("return document.hidden"), "a window of the check is not looked at")
            page.wait(lambda: page.one("#state").get_attribute("data-state") == "online", "who is here")

    with suite.check("a browser without shared workers: each page has streams of its own, and is live"), browser() as page:
        def workers():
            return [one for one in page.cdp("Target.getTargets")["targetInfos"] if one["type"] == "shared_worker"]
        page.driver.get(url)
        page.wait(lambda: page.one("#link").get_attribute("data-state") == "live", "live")
        expect(len(workers()) == 1, f"{workers()} where the browser has them")
        page.driver.get("about:blank")
        page.wait(lambda: not workers(), "no worker without a page")
        page.cdp("Page.addScriptToEvaluateOnNewDocument", source="delete globalThis.SharedWorker")
        page.driver.get(url)
        page.wait(lambda: page.one("#link").get_attribute("data-state") == "live", "live")
        page.wait(lambda: card(page, neighbour.id), "the neighbour")
        page.driver.get(url + f"p/{neighbour.id}/")
        page.wait(lambda: page.one("#state").get_attribute("data-state") == "online", "who is here")
        expect(not workers(), f"{workers()} where the browser has none")

    with suite.check("streams for which there is no room take turns"), browser() as page:
        page.driver.get(url + "help")
        heard = page.driver.execute_async_script("""
            const [peer, done] = arguments;
            const heard = new Set();
            setTimeout(() => done(heard.size), 25000);
            import("/assets/streams.js").then(({ follow }) => {
              for (let number = 0; number < 8; number += 1) {
                follow(`/api/p/${peer}/watch?of=${number}`, { ready() { heard.add(number); if (heard.size === 8) done(8); } });
              }
            })""", neighbour.id)
        expect(heard == 8, f"{heard} of 8 were opened")
        answer = page.driver.execute_async_script("""
            const done = arguments[0];
            fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(5000) })
              .then((answer) => done(answer.status), (error) => done(String(error)))""")
        expect(answer == 200, answer)


def everywhere(suite, url, neighbour):
    hidden_tabs(suite, url)
    streams(suite, url, neighbour)
    side_by_side(suite, url, neighbour)
