"""The address of the shell keeps up with what the frame shows: fragments, `history.pushState`, back and forward; and a site that
tells it other things gets nothing by it; and what a sealed site is told that watches too much. See run."""
import json

import firefox
from origins import SEALED, bar, curtain, inside, site_text, wait_site
from story import browser, expect

# Where the page is, from the slash behind the site's root on.
OWN_PLACE = "location.href.slice(location.href.indexOf('/p/') + 3).replace(/^[^/]+/, '')"
# A page without the SDK; one with it, which gives itself another address while it loads; and one with a fragment far down.
PAGES = {
    "plain.html": "<!doctype html><title>P</title><h1>plain</h1><a id=down href='#far'>down</a> <a id=on href='sdk.html?q=1#there'>on</a>"
                  "<p style='margin-top: 9000px' id=far>far down</p>",
    "sdk.html": "<!doctype html><title>S</title><script src='/sdk/goop-router.js'></script><h1>with sdk</h1>",
    "moves.html": "<!doctype html><title>M</title><script src='moves.js'></script><h1>moves</h1>",
    "watches.html": "<!doctype html><title>W</title><script src='/sdk/goop-data.js'></script><h1>watches</h1>",
    "moves.js": "history.replaceState(null, '', '?view=list#first');",
}
# In the shell: what it reads of the frame's messages, and the addresses that it takes.
LISTEN = """
window.readMessages = [];
window.addresses = [];
const data = Object.getOwnPropertyDescriptor(MessageEvent.prototype, "data");
Object.defineProperty(MessageEvent.prototype, "data", { ...data, get() {
  const value = data.get.call(this);
  // Workers of the viewer have messages too.
  if (this.source) readMessages.push(typeof value === "object" && value !== null ? String(value.mark) : String(value).slice(0, 20));
  return value;
} });
const { replaceState } = history;
history.replaceState = function (...values) { addresses.push(values[2]); return replaceState.apply(this, values); };
"""
# What is no place within the site. OTHER is another peer's id, VIEWER the viewer's address.
NO_PLACES = [
    "/../OTHER/", "/a/./b", "/%2e%2e/OTHER/", "/%2E./OTHER/", "/..\\OTHER\\", "\\..\\OTHER", "OTHER/", "../OTHER/", "//../../../p/OTHER/",
    "VIEWER/settings", "VIEWER/p/OTHER/", "http://evil.example/", "javascript:alert(1)", "", "?x", " /x", "/x y", "/x\n/y", "/\u202ex", "@evil.example/",
]
FLOODS = """
window.flood = (make) => {
  window.isOver = false;
  window.sent = 0;
  const burst = () => {
    for (let count = 0; count < 100; count += 1) parent.postMessage(make(sent += 1), "*");
    if (!isOver) setTimeout(burst, 10);
  };
  burst();
};
"""


# How often the shell has been told which page its frame asked for.
ASKED = "performance.getEntriesByType('resource').filter(({ name }) => name.includes('/api/shell/site')).length"


def coming(page):
    """The address that the shell takes next, or has."""
    return page.driver.execute_async_script(
        "const done = arguments[0]; import('/assets/place.js').then(({ address }) => setTimeout(() => done(address()), 0))")


def place(page, url, peer):
    """Where in the site the address of the shell says that one is."""
    return page.driver.current_url.removeprefix(f"{url}p/{peer}")


def follows(page, url, peer, wanted, frame=True):
    """The address of the shell, and that of the frame too."""
    page.wait(lambda: place(page, url, peer) == wanted, f"the address {wanted}, not {place(page, url, peer)}")
    if frame:
        with inside(page):
            expect(page.run(f"return {OWN_PLACE}") == wanted, page.run(f"return {OWN_PLACE}"))


def push(page, address, how="pushState"):
    with inside(page):
        page.run(f"history.{how}({{at: arguments[0]}}, '', arguments[0])", address)


def state_of(page):
    with inside(page):
        return page.run("return history.state?.at ?? null")


def views(suite, page, url, neighbour, label=""):
    """The views of a site that no request tells of, in a browser that finds the site's origin or one that does not."""
    here = f"{url}p/{neighbour.id}"

    def at(wanted):
        follows(page, url, neighbour.id, wanted)

    with suite.check(f"{label}the address follows a fragment in a page without the SDK, and back; reload shows it again"):
        page.driver.get(f"{here}/plain.html")
        wait_site(page, "plain")
        with inside(page):
            page.one("#down").click()
        at("/plain.html#far")
        page.driver.refresh()
        wait_site(page, "plain")
        at("/plain.html#far")
        with inside(page):
            page.wait(lambda: page.run("return scrollY") > 5000, "the part of the page in sight")
        push(page, "#near")
        at("/plain.html#near")
        page.driver.back()
        at("/plain.html#far")

    with suite.check(f"{label}the address follows pushState and replaceState, back and forward, and what a page stored with each is there"):
        page.driver.get(f"{here}/sdk.html")
        wait_site(page, "with sdk")
        for address in ("?view=a", "?view=b#part", "other.html"):
            push(page, address)
            at(f"/{address}" if address == "other.html" else f"/sdk.html{address}")
        push(page, "sdk.html?view=c", "replaceState")
        at("/sdk.html?view=c")
        page.driver.back()
        at("/sdk.html?view=b#part")
        expect(state_of(page) == "?view=b#part", state_of(page))
        page.driver.back()
        at("/sdk.html?view=a")
        page.driver.forward()
        at("/sdk.html?view=b#part")
        page.driver.refresh()
        wait_site(page, "with sdk")
        at("/sdk.html?view=b#part")

    with suite.check(f"{label}of many changes at once the last one counts"):
        with inside(page):
            page.run("for (let n = 1; n <= 150; n += 1) history.replaceState(null, '', `?n=${n}`)")
        at("/sdk.html?n=150")

    with suite.check(f"{label}a page that gave itself an address while it loaded keeps it, and a link from there leads on, and back"):
        page.driver.get(f"{here}/moves.html")
        wait_site(page, "moves")
        # Once as the visit begins, and again when the frame has loaded.
        page.wait(lambda: page.run(f"return {ASKED}") >= 2, "the shell asking which page the frame asked for")
        expect(coming(page).endswith("/moves.html?view=list#first"), coming(page))
        at("/moves.html?view=list#first")
        page.driver.get(f"{here}/plain.html#far")
        wait_site(page, "plain")
        with inside(page):
            page.run("document.getElementById('on').click()")
        wait_site(page, "with sdk")
        at("/sdk.html?q=1#there")
        page.driver.back()
        wait_site(page, "plain")
        at("/plain.html#far")

    with suite.check(f"{label}another fragment that a person writes into the address leads there, without loading the page again; so does back"):
        with inside(page):
            page.run("window.stays = true")
        page.run("location.hash = '#written'")
        at("/plain.html#written")
        page.driver.back()
        at("/plain.html#far")
        with inside(page):
            expect(page.run("return window.stays"), "the page was loaded again")
    complaints = page.complaints("ERR_NAME_NOT_RESOLVED" if label else "nothing")
    with suite.check(f"{label}the browser has nothing to say about all of that"):
        expect(not complaints, complaints)


def own_origin(suite, page, url, neighbour):
    """What only a page with an origin of its own can do."""
    here = f"{url}p/{neighbour.id}"
    with suite.check("an address outside of the site's folder is not followed"):
        page.driver.get(f"{here}/sdk.html")
        wait_site(page, "with sdk")
        page.run("window.told = []; addEventListener('message', ({ source, data }) => { if (source) told.push(data.path); })")
        for address in ("/elsewhere", f"/p/{neighbour.id}x/", "/api/self", f"/p/{neighbour.id}/sdk.html?after"):
            push(page, address)
        follows(page, url, neighbour.id, "/sdk.html?after")
        expect(page.run("return told") == ["/sdk.html?after"], page.run("return told"))
    with suite.check("the shell changes its address now and then only, and again later what the browser refused"):
        page.run(LISTEN)
        base = f"/p/{neighbour.id}"
        page.run("""
            const { replaceState } = history;
            history.replaceState = function (...values) {
              if (values[2].endsWith("?after") && !addresses.includes("refused")) { addresses.push("refused"); throw new DOMException("too often", "SecurityError"); }
              return replaceState.apply(this, values);
            };
            const base = arguments[0];
            import("/assets/place.js").then(({ moveTo }) => { for (let n = 0; n < 50; n += 1) moveTo(`${base}/n${n}`); window.moveShell = moveTo; })""", base)
        follows(page, url, neighbour.id, "/n49", frame=False)
        # The first at once, unless the page before was told a moment ago.
        expect(page.run("return addresses") in ([f"{base}/n0", f"{base}/n49"], [f"{base}/n49"]), page.run("return addresses"))
        page.run("moveShell(arguments[0])", f"{base}/sdk.html?after")
        page.wait(lambda: "refused" in page.run("return addresses"), "the browser's refusal")
        follows(page, url, neighbour.id, "/sdk.html?after")
        page.complaints()
    with suite.check("the bar copies a view with its fragment"):
        page.cdp("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"], origin=url.rstrip("/"))
        try:
            push(page, "?view=z#part")
            follows(page, url, neighbour.id, "/sdk.html?view=z#part")
            page.one("#copy").click()
            page.wait(lambda: "The address was copied" in page.heard(), "the word that it was copied")
            copied = page.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0], e => arguments[0](String(e)))")
            expect(copied == f"http://127.0.0.1:8080/p/{neighbour.id}/sdk.html?view=z#part", copied)
        finally:
            page.cdp("Browser.resetPermissions")


def untold(suite, page, url, neighbour):
    """A secret path stays out of the address, whoever puts it there."""
    with suite.check("sealed: the secret path never stands in the address"):
        page.driver.get(f"{url}p/{neighbour.id}/sdk.html")
        wait_site(page, "with sdk")
        with inside(page):
            secret = page.run("return location.pathname.split('/')[2]")
            expect(len(secret) > 15, secret)
            page.run("history.pushState(null, '', `?from=${encodeURIComponent(location.href)}`)")
            expect(secret in page.run("return location.search"), "the page has another address")
        page.run(LISTEN)
        say(page, {"goop": "place", "path": f"/x#{secret}", "mark": "secret"})
        with inside(page):
            page.run("setTimeout(() => { location.href = `sdk.html?back=${encodeURIComponent(location.href)}` })")
        wait_site(page, "with sdk")
        push(page, "?after")
        follows(page, url, neighbour.id, "/sdk.html?after")
        expect(not [one for one in page.run("return addresses") if secret in one], page.run("return addresses"))
        page.complaints()


def crowded(suite, page, url, neighbour):
    """A sealed site has two streams of events at a time, in all its tabs."""
    with suite.check("sealed: a page that finds no place for its tables says so the second time, and what helps"):
        page.driver.get(f"{url}p/{neighbour.id}/watches.html")
        wait_site(page, "watches")
        with inside(page):
            page.run("window.own = [0, 1].map(() => new EventSource(`${Goop.http.prefix}/api/p/${Goop.http.host}/watch`))")
            page.wait(lambda: page.run("return own.every(({ readyState }) => readyState === EventSource.OPEN)"), "both streams")
            page.run("""
                Object.assign(window, { asked: 0, told: [] });
                const through = window.fetch;
                window.fetch = (path, ...more) => {
                  if (String(path).includes("/subscribe?")) asked += 1;
                  return through(path, ...more);
                };
                Goop.data.subscribe("notes", { onError: (error) => told.push([asked, error.code, Goop.explain(error)]) });""")
            page.wait(lambda: page.run("return told.length") > 0, "the word", 20)
            asked, code, words = page.run("return told[0]")
            expect(asked == 2 and code == "busy", f"told after {asked} tries: {code}")
            expect("Close pages of this site" in words, words)
            # Whoever has stored nothing may meet the limit of all.
            words = page.run("return Goop.explain(new Goop.Error('', { code: 'quota' }))")
            expect("limit for visitors is reached" in words, words)
            # The owner is there: what was asked takes too long, and of a change nothing was stored.
            reading, writing = page.run("""
                const slow = new Goop.Error("", { code: "too_slow" });
                return [Goop.explain(slow), Goop.explain(Object.assign(slow, { writing: true }))];""")
            for words in (reading, writing):
                expect("takes the owner's database too long" in words and "reached" not in words, words)
            expect("nothing was changed" in writing and "not known" not in writing, writing)
        page.complaints()


def say(page, message):
    """The site sends the shell a message with a mark; it has been read when this returns."""
    with inside(page):
        page.run("parent.postMessage(arguments[0], '*')", message)
    page.wait(lambda: message["mark"] in page.run("return readMessages"), f"that {message['mark']} is read")


def hostile_words(suite, page, url, me, hostile):
    """A site that tells the shell what is not so."""
    hostile.write("place.html", "<!doctype html><title>H</title><h1>tells</h1>")
    hostile.write("flood.html", "<!doctype html><title>F</title><script src=flood.js></script><h1>floods</h1>")
    hostile.write("flood.js", FLOODS)
    start = "/place.html"

    def begin(name):
        page.driver.get(f"{url}p/{hostile.id}/{name}")
        wait_site(page, "tells" if name == "place.html" else "floods")
        page.run(LISTEN)

    with suite.check("a place that a site tells becomes the address, as long as it is one of the site"):
        begin("place.html")
        for number, path in enumerate(("/told", "/told/%2f?a=/../b#/../c", "/" + "x" * 4095)):
            say(page, {"goop": "place", "path": path, "mark": f"good {number}"})
            follows(page, url, hostile.id, path, frame=False)
        page.driver.refresh()
        expect(page.driver.current_url.startswith(f"{url}p/{hostile.id}/xx"), page.driver.current_url)
    with suite.check("what is no place of the site changes nothing: other peers, other pages, dots, backslashes, scripts"):
        begin("place.html")
        for number, text in enumerate(NO_PLACES):
            path = text.replace("OTHER", me.id).replace("VIEWER", url.rstrip("/"))
            say(page, {"goop": "place", "path": path, "mark": f"bad {number}"})
            expect(place(page, url, hostile.id) == start, f"{path!r}: {page.driver.current_url}")
        expect(not page.run("return addresses"), "another address was taken, and then this one again")
    with suite.check("neither do long texts, other values, and messages for something else"):
        for number, message in enumerate((
                {"path": "/" + "x" * 4096}, {"path": ["/told"]}, {"path": {"length": 1}}, {"path": None}, {"path": 7}, {},
                {"goop": "other", "path": "/told"}, {"goop": ["place"], "path": "/told"}, {"goop": None, "path": "/told"})):
            say(page, {"goop": "place", "mark": f"odd {number}", **message})
        for value in ("'place'", "null", "undefined", "7n", "'x'.repeat(1 << 20)", "new Map([['goop', 'place']])", "new ArrayBuffer(1 << 20)"):
            before = page.run("return readMessages.length")
            with inside(page):
                page.run(f"parent.postMessage({value}, '*')")
            page.wait(lambda: page.run("return readMessages.length") > before, f"that {value} is read")
        expect(place(page, url, hostile.id) == start, page.driver.current_url[:200])
        expect(not page.run("return addresses"), "another address was taken, and then this one again")
    with suite.check("what the page around the site says to itself is not read"):
        page.run("postMessage({goop: 'place', path: '/told', mark: 'own'}, '*')")
        say(page, {"goop": "place", "path": "/after", "mark": "after"})
        follows(page, url, hostile.id, "/after", frame=False)
        expect("own" not in page.run("return readMessages"), "it was read")
    with suite.check("the bar says whose site it is as before"):
        expect(hostile.id[-4:] in bar(page) and "bank" not in bar(page) and not curtain(page), bar(page))
        page.complaints()

    floods = {
        "places": "(n) => ({ goop: 'place', path: `/flood${n}` })",
        "texts of 1 MiB": "((path) => () => ({ goop: 'place', path }))('/' + 'x'.repeat(1 << 20))",
        "values with many parts": "((parts) => (n) => ({ goop: 'place', path: `/deep${n}`, parts }))(Array.from({ length: 5000 }, (_, i) => ({ i, a: [i] })))",
    }
    for name, make in floods.items():
        with suite.check(f"the bar works while a site sends {name} without end"):
            begin("flood.html")
            with inside(page):
                page.run(f"flood({make})")
                page.wait(lambda: page.run("return sent") >= (2000 if name == "places" else 500), "many messages", 60)
            page.one("#rights").click()
            page.wait(lambda: page.one("#panel").is_displayed(), "what the site may do")
            page.one("#panel-close").click()
            page.wait(lambda: not page.one("#panel").is_displayed(), "the panel closed")
            with inside(page):
                sent = page.run("isOver = true; return sent")
            read, taken = page.run("return [readMessages.length, addresses.length]")
            print(f"        {sent} messages, {read} of them read, {taken} addresses taken")
            # Ten thousand in a second are 4000 for each that is read; a machine that is busy sends fewer.
            expect(read < (sent / 20 if name == "places" else sent) and taken <= read, f"{sent} messages, {read} read, {taken} addresses")
            expect(page.driver.current_url.startswith(f"{url}p/{hostile.id}/"), page.driver.current_url)
            with inside(page):
                page.run("parent.postMessage({ goop: 'place', path: '/over' }, '*')")
            follows(page, url, hostile.id, "/over", frame=False)
            page.complaints()


def in_firefox(suite, url, neighbour):
    """The same in another engine, as it is and without the Navigation API, as browsers were before."""
    if firefox.PROGRAM is None:
        suite.missing("the address is not looked at in Firefox, which is not installed")
        return
    here = f"{url}p/{neighbour.id}"
    for label, preferences in (("Firefox", {}), ("Firefox without the Navigation API", {"dom.navigation.webidl.enabled": False})):
        page = firefox.Firefox(**preferences)

        def at(wanted):
            page.wait(lambda: page.run("location.href") == here + wanted, f"the address {wanted}, not {page.run('location.href')}")
            page.wait(lambda: page.in_site(OWN_PLACE) == wanted, f"the frame at {wanted}")

        def go(steps):
            page.command("browsingContext.traverseHistory", context=page.tab, delta=steps)

        try:
            with suite.check(f"{label}: the address follows fragments and pushState, back and forward; reload keeps the view"):
                page.get(f"{here}/plain.html#far")
                page.wait(lambda: "plain" in (page.in_site("document.body.innerText") or ""), "the site")
                expect(page.in_site("'navigation' in window") == (not preferences), "the Navigation API is not as it should be")
                at("/plain.html#far")
                for address in ("#near", "?view=a#part"):
                    page.in_site(f"history.pushState({json.dumps(address)}, '', {json.dumps(address)}), 1")
                    at(f"/plain.html{address}")
                go(-1)
                at("/plain.html#near")
                go(-1)
                at("/plain.html#far")
                go(2)
                at("/plain.html?view=a#part")
                expect(page.in_site("history.state") == "?view=a#part", page.in_site("history.state"))
                page.command("browsingContext.reload", context=page.tab, wait="complete")
                page.wait(lambda: "plain" in (page.in_site("document.body.innerText") or ""), "the site")
                at("/plain.html?view=a#part")
                page.run("location.hash = '#written', 1")
                at("/plain.html?view=a#written")
        finally:
            page.close()


def everywhere(suite, page, url, me, neighbour, hostile):
    for name, text in PAGES.items():
        neighbour.write(name, text)
    # A browser of its own: once a tab has fifty entries, Chromium gives up those first that no click led to, which are these.
    with browser() as fresh:
        views(suite, fresh, url, neighbour)
    own_origin(suite, page, url, neighbour)
    hostile_words(suite, page, url, me, hostile)
    with browser(arguments=[SEALED]) as sealed:
        views(suite, sealed, url, neighbour, "sealed: ")
        untold(suite, sealed, url, neighbour)
        crowded(suite, sealed, url, neighbour)
    in_firefox(suite, url, neighbour)
