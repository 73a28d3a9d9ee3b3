"""What a site leaves in the browser: nothing after a visit, and what it stored and its service worker if it is kept."""
import contextlib
import threading
import time

from between import Between, Change
from origins import NOTED, bar, curtain, elsewhere, forget, inside, noted, site_origin, wait_site
from story import browser, expect, state

STORED = ("localStorage.getItem('k')", "indexedDB.databases().then(l => l.length)", "caches.keys().then(l => l.length)",
          "navigator.storage.getDirectory().then(async d => { let n = 0; for await (const _ of d.keys()) n += 1; return n; })",
          "navigator.serviceWorker.getRegistrations().then(l => l.length)")
REGISTERS = ("const done = arguments[arguments.length - 1];"
             "navigator.serviceWorker.register(...arguments[0]).then(r => navigator.serviceWorker.ready.then(() => done('scope ' + r.scope)), e => done('refused ' + e.name))")


def store(page):
    with inside(page):
        page.run("localStorage.setItem('k', 'v'); sessionStorage.setItem('k', 'v')")
        page.driver.execute_async_script(
            "const d = arguments[0]; const r = indexedDB.open('k'); r.onsuccess = async () => { r.result.close(); await caches.open('k');"
            "await (await navigator.storage.getDirectory()).getFileHandle('k', {create: true}); d(); }")


def stored(page):
    """What the site finds of what it stored."""
    with inside(page):
        return [page.run(f"return {look}") or 0 for look in STORED]


def register(page, *arguments):
    with inside(page):
        page.driver.set_script_timeout(10)
        return page.driver.execute_async_script(REGISTERS, list(arguments))


def people(page, url):
    """Back to the people, until what the visit left is removed."""
    page.driver.get(url)
    page.wait(lambda: not noted(page), "the end of the visit")


# Another tab's word comes between what a page reads and what it writes.
AT_ONCE = """
const [mine, others, done] = arguments;
import("/assets/visits.js").then(({ add, keep }) => {
  const { setItem } = Storage.prototype;
  Storage.prototype.setItem = function (...item) {
    Storage.prototype.setItem = setItem;
    add(others);
    setItem.apply(this, item);
  };
  add(mine);
  const left = NOTED;
  keep(mine);
  keep(others);
  done(left);
});"""


def noted_at_once(suite, page, url):
    with suite.check("two tabs that note a site at one moment lose neither"):
        page.driver.get(url)
        sites = ["http://a.localhost:1", "http://b.localhost:1"]
        left = page.driver.execute_async_script(AT_ONCE.replace("NOTED", NOTED), *sites)
        expect(set(sites) <= set(left), left)


# Visits that begin at one moment, twice: to a site that was visited some time ago, and to one that is not on the list. How often
# each has the browser remove what the site stored.
TOGETHER = """
const [site, done] = arguments;
const key = `goop-visit ${site}`;
let asked = 0;
const { append } = Element.prototype;
Element.prototype.append = function (...nodes) {
  asked += nodes.filter(({ src }) => src === `${site}/forget`).length;
  return append.apply(this, nodes);
};
import("/assets/visits.js").then(async ({ begin, sweep }) => {
  // The room's own, which is over when this is, takes nothing from under them.
  await sweep();
  const counts = [];
  for (const prepare of [() => localStorage.setItem(key, String(Date.now() - 30 * 60_000)), () => localStorage.removeItem(key)]) {
    prepare();
    asked = 0;
    await Promise.all([begin(site, false), begin(site, false), begin(site, false)]);
    counts.push(asked);
  }
  Element.prototype.append = append;
  done(counts);
});"""


def begun_at_once(suite, page, url, neighbour):
    with suite.check("of visits that begin at one moment one clears, and none under another one"):
        page.driver.get("about:blank")
        page.driver.get(url)
        page.driver.set_script_timeout(60)
        counts = page.driver.execute_async_script(TOGETHER, site_origin(url, neighbour.id))
        expect(counts == [1, 1], counts)
        page.driver.get("about:blank")
        people(page, url)


def back_after_long(suite, url, me, neighbour):
    """Nobody opens a room of the viewer here."""
    here = f"{url}p/{neighbour.id}/kept/"
    with browser() as page, suite.check("whoever comes back soon after a long visit goes on with it: its time counts from its end"):
        page.driver.get(here)
        wait_site(page, "kept page")
        store(page)
        # As if it had begun some time ago.
        page.run(f"for (const site of {NOTED}) localStorage.setItem('goop-visit ' + site, String(Date.now() - 30 * 60_000))")
        # As by a link to another site, and back by one of its links.
        page.driver.get(f"{url}p/{me.id}/")
        with inside(page):
            pass
        page.driver.get(here)
        wait_site(page, "kept page", 40)
        expect(stored(page) == ["v", 1, 1, 1, 0], stored(page))


def kept_in_another_tab(suite, url, neighbour):
    """A tab whose visit ends does not know what was pressed in another one. The neighbour is stopped and started here."""
    here = f"{url}p/{neighbour.id}/kept/"
    with browser() as page, suite.check("what a site stored that is kept in one tab is there after the visit has ended in another one"):
        page.driver.get(here)
        wait_site(page, "kept page")
        store(page)
        first = page.driver.current_window_handle
        page.driver.switch_to.new_window("tab")
        page.driver.get(here)
        wait_site(page, "kept page")
        page.one("#keep").click()
        page.one("#keep-yes").click()
        page.wait(lambda: page.one("#keep").get_attribute("aria-pressed") == "true", "the pressed button")
        page.driver.close()
        page.driver.switch_to.window(first)
        page.wait(lambda: "Here now" in bar(page), "here")
        neighbour.stop()
        page.wait(lambda: "is gone" in curtain(page), "the end of the visit")
        page.wait(lambda: page.run("return navigator.locks.query().then(({ held }) => held.some(({ name }) => name === 'scrub'))"),
                  "the log being overwritten, which is after the removal")
        neighbour.start()
        page.wait(lambda: "is back" in curtain(page), "the offer", 20)
        page.one("#curtain-show").click()
        wait_site(page, "kept page")
        expect(stored(page) == ["v", 1, 1, 1, 0], stored(page))
        forget(page)


def removed_late(suite, url, neighbour):
    """The browser takes its time to remove what a site stored, or the viewer's word never comes."""
    here = f"{url}p/{neighbour.id}/kept/"
    asked, released = [], threading.Event()

    def held(path, fields):
        if path == "/forget":
            asked.append(path)
            released.wait(60)

    def cut_off(path, fields):
        if path == "/forget":
            asked.append(path)
            raise OSError("no answer comes")

    with contextlib.closing(Between()) as between, browser(arguments=between.arguments()) as page:
        for change in (Change("comes late", response=held), Change("does not come", request=cut_off)):
            with suite.check(f"a site whose removal {change} stays on the list, and is removed by the next room"):
                page.driver.get(here)
                wait_site(page, "kept page")
                store(page)
                asked.clear()
                between.changes = (change,)
                page.driver.get(url)
                page.wait(lambda: asked, "the removal")
                time.sleep(5)  # for a site that must not be taken off the list there is nothing to wait for
                expect(site_origin(url, neighbour.id) in noted(page), noted(page))
                between.changes = ()
                released.set()
                people(page, url)


def keeping(suite, url, me, neighbour, hostile):
    here = f"{url}p/{neighbour.id}/kept/"
    neighbour.write("kept/index.html", "<!doctype html><title>k</title><h1>kept page</h1>")
    neighbour.write("kept/sw.js", "addEventListener('install', () => skipWaiting()); addEventListener('activate', (e) => e.waitUntil(clients.claim()));"
                    "addEventListener('fetch', (e) => { if (e.request.url.endsWith('made-up.html')) e.respondWith(new Response("
                    "'<!doctype html><title>m</title><h1>made up</h1><script>window.inline = 1; fetch(`" + "{outside}/inline`, {mode: `no-cors`})</script>'"
                    "+ '<img src={outside}/picture><script src=made-up.js></script>', {headers: {'Content-Type': 'text/html', 'Allow-CSP-From': '*'}}));"
                    "if (e.request.url.endsWith('made-up.js')) e.respondWith(new Response('fetch(`{outside}/script`, {mode: `no-cors`}).catch(() => {});"
                    "document.title = `ran`', {headers: {'Content-Type': 'text/javascript'}})); });")
    neighbour.write("sw-root.js", "1")
    offered = ""
    with elsewhere() as (outside, hits), browser() as page:
        path = neighbour.site / "kept" / "sw.js"
        path.write_text(path.read_text().replace("{outside}", f"http://127.0.0.1:{outside}"))
        with suite.check("what a site stored is there while the visit lasts, over a reload too"):
            page.driver.get(here)
            wait_site(page, "kept page")
            store(page)
            page.driver.refresh()
            wait_site(page, "kept page")
            expect(stored(page) == ["v", 1, 1, 1, 0], stored(page))
        with suite.check("after the visit the site finds nothing of it"):
            people(page, url)
            page.driver.get(here)
            wait_site(page, "kept page")
            expect(stored(page) == [0, 0, 0, 0, 0], stored(page))
        with suite.check("a second tab of the site keeps the visit going"):
            store(page)
            first = page.driver.current_window_handle
            page.driver.switch_to.new_window("tab")
            second = page.driver.current_window_handle
            page.driver.get(here)
            wait_site(page, "kept page")
            page.driver.switch_to.window(first)
            page.driver.get(url)
            time.sleep(1.5)  # for a removal that must not come there is nothing to wait for
            page.driver.switch_to.window(second)
            expect(stored(page)[0] == "v", stored(page))
            page.driver.close()
            page.driver.switch_to.window(first)
            people(page, url)
        with suite.check("a visit that begins while what the one before left is overwritten stays on the list"):
            page.driver.get(here)
            wait_site(page, "kept page")
            page.driver.get(url)
            page.wait(lambda: page.run("return navigator.locks.query().then(({ held }) => held.some(({ name }) => name === 'scrub'))"),
                      "the log being overwritten")
            first = page.driver.current_window_handle
            page.driver.switch_to.new_window("tab")
            second = page.driver.current_window_handle
            page.driver.get(here)
            wait_site(page, "kept page")
            store(page)
            page.driver.switch_to.window(first)
            page.driver.set_script_timeout(30)
            page.driver.execute_async_script("navigator.locks.request('scrub', () => {}).then(arguments[0])")
            time.sleep(1.5)  # for a site that must not be taken off the list there is nothing to wait for
            expect(noted(page) == [site_origin(url, neighbour.id)], noted(page))
            page.driver.switch_to.window(second)
            expect(stored(page)[0] == "v", stored(page))
            page.driver.close()
            page.driver.switch_to.window(first)
            people(page, url)
        with suite.check("a site that is not kept gets no service worker"):
            page.driver.get(here)
            wait_site(page, "kept page")
            expect(register(page, "sw.js").startswith("refused"), "it registered one")
            page.complaints()
        with suite.check("Keep this site: says what it means, is kept by the viewer, and shows"):
            page.one("#keep").click()
            expect("show them while its owner is away" in page.one("#keep-offer").text, page.one("#keep-offer").text)
            page.one("#keep-offer summary").click()
            offered = page.one("#keep-offer").text
            suite.shot(page, "shell-keep")
            page.one("#keep-yes").click()
            page.wait(lambda: page.one("#keep").get_attribute("aria-pressed") == "true", "the pressed button")
            kept = me.folder / "data" / "consents.json"
            expect(neighbour.id in kept.read_text() and kept.stat().st_mode & 0o777 == 0o600, kept.read_text())
            suite.shot(page, "shell-kept")
        with suite.check("a kept site gets a service worker for its own files, and for nothing else"):
            said = register(page, "sw.js")
            expect(said == f"scope {site_origin(url, neighbour.id)}/p/{neighbour.id}/kept/", said)
            for refused in (("sw.js", {"scope": "/"}), ("/sdk/goop-data.js",), ("sw.js", {"scope": f"/p/{hostile.id}/"})):
                expect(register(page, *refused).startswith("refused"), refused)
            page.complaints()
        with suite.check("a page that a service worker made up reaches no more than one that the site sent"):
            with inside(page):
                page.run("location.href = 'made-up.html'")
            wait_site(page, "made up")
            time.sleep(1.5)  # for an attack to succeed, there is nothing to wait for
            with inside(page):
                expect(page.run("return window.inline") is None, "its inline script ran")
            expect(not hits, hits)
            page.complaints()
        with suite.check("what a kept site stored is there at the next visit"):
            page.driver.get(here)
            wait_site(page, "kept page")
            store(page)
            people(page, url)
            page.driver.get(here)
            wait_site(page, "kept page")
            expect(stored(page) == ["v", 1, 1, 1, 1], stored(page))
            expect(page.one("#keep").get_attribute("aria-pressed") == "true", "not shown as kept")
        with suite.check("while the owner is away a kept site's service worker can show something, as was said, and the bar says that they are away"):
            # What the person was told before they kept it.
            expect("While its owner is away, such a helper can still show what it kept" in offered, offered)
            expect("The bar says whether the owner is here" in offered, offered)
            neighbour.stop()
            page.driver.get(url)
            page.wait(lambda: state(page, neighbour.id) in (None, "offline", "unreachable"), "the neighbour away")
            page.driver.get(f"{here}made-up.html")
            wait_site(page, "made up")
            page.wait(lambda: any(word in bar(page) for word in ("Away", "Does not answer", "Not in the list")), f"the word, not {bar(page)!r}")
            neighbour.start()
            page.wait(lambda: "Here now" in bar(page), "here", 20)
            page.driver.get(here)
            wait_site(page, "kept page")
            page.complaints()
        with suite.check("Forget ends that: storage, service worker and the word that it is kept"):
            page.one("#keep").click()
            suite.shot(page, "shell-unkeep")
            page.one("#keep-forget").click()
            page.wait(lambda: "is forgotten" in curtain(page), "the end of it")
            page.one("#curtain-show").click()
            wait_site(page, "kept page")
            expect(stored(page) == [0, 0, 0, 0, 0], stored(page))
            expect(neighbour.id not in (me.folder / "data" / "consents.json").read_text(), "still kept")
            expect(register(page, "sw.js").startswith("refused"), "it registered one")
            page.complaints()
        noted_at_once(suite, page, url)
        begun_at_once(suite, page, url, neighbour)
    back_after_long(suite, url, me, neighbour)
    kept_in_another_tab(suite, url, neighbour)
    removed_late(suite, url, neighbour)
