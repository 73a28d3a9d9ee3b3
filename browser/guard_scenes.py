"""How the attacks of guard_cases.py are carried out. A scene gives what the attack got, or nothing."""
import contextlib
import http.client
import json
import re
import socket
import struct
import subprocess
import threading
import time

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

from data_room import Visitor
from origins import curtain, forget, hostile_address, inside, noted, site_origin, site_text, wait_site
from story import HERE

HOSTILE_LABEL = "<img src=x onerror=\"window.pwned=1\">"
PLANT = "canarypage7f3a91"
# A GIF without a frame, whose comment is a script for whoever takes it for a page.
_SCRIPT = b"<script>window.pwned = 1</script>"
PICTURE = b"GIF89a\x10\x00\x10\x00\x00\x00\x00!\xfe" + bytes([len(_SCRIPT)]) + _SCRIPT + b"\x00;"


def neighbour_site(peer):
    peer.write("index.html", f"<!doctype html><title>S</title><h1>shell home</h1><p>{PLANT}</p><img src=icon.svg>"
               "<a id=out href='http://out.example/a'>out</a>")
    peer.write("icon.svg", "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'></svg>")
    peer.write("app.js", "window.foreignRan = 1;")
    peer.write("style.css", "body { color: red; }")
    peer.write("plain.html", "<!doctype html><title>P</title><script src=plain.js></script><p id=said>nothing</p>")
    peer.write("plain.js", "addEventListener('load', () => { try { localStorage.setItem('x', 'y');"
               "document.getElementById('said').textContent = 'storage of ' + origin; } catch (e) {} });")


def token(port):
    """What only the pages of the viewer hold."""
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=5)
    connection.request("GET", "/")
    page = connection.getresponse().read().decode()
    connection.close()
    return page.partition('name="goop-token" content="')[2].partition('"')[0]


def ask_as_owner(world, path, value):
    """What a page of the viewer asks for its owner: the status of the answer, and what it says."""
    connection = http.client.HTTPConnection("127.0.0.1", int(world.port), timeout=5)
    connection.request("POST", path, json.dumps(value), {"Content-Type": "application/json", "X-Goop-Token": token(world.port)})
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    return answer.status, said


def take_back_consent(world):
    """Not by removing the file: the peer remembers it too."""
    status, said = ask_as_owner(world, "/api/shell/consent", {"peer": world.neighbour.id, "email": False})
    if status != 200:
        raise AssertionError(f"the consent stays: {said[:200]}")


def make_favourite(world):
    """The neighbour becomes a favourite of the visitor's, as soon as it is listed."""
    deadline = time.monotonic() + 20
    while True:
        status, said = ask_as_owner(world, "/api/rooms/peers/decide", {"id": world.neighbour.id, "favorite": True})
        if status == 200:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"the neighbour is no favourite: {said[:200]}")
        time.sleep(0.2)


def address(world, **more):
    return hostile_address(world.url, world.me, world.hostile, world.outside) + "".join(
        f"&{name}={value}" for name, value in more.items())


def here(world):
    return f"{world.url}p/{world.hostile.id}/"


# MARK: A hostile site

def site(world, page, name):
    """One attempt of hostile/attack.js, by its name."""
    page.driver.get(address(world, only=name.replace(" ", "%20")))

    def ended():
        with contextlib.suppress(Exception), inside(page):
            return page.run("return document.title") == "done"
        return False
    page.wait(ended, "the report", seconds=20)
    with inside(page):
        results = json.loads(page.run("return document.getElementById('results').textContent"))
    if name not in results:
        raise AssertionError(f"hostile/attack.js has no attempt {name!r}")
    if world.hits:
        return f"outside was asked for {world.hits[0]}"
    return results[name][4:] if results[name].startswith("GOT ") else ""


def leave(world, page, name):
    """One way to lead frame or tab away, by its name in hostile/attack.js."""
    source = (HERE / "hostile" / "attack.js").read_text()
    names = re.findall(r'^  "([^"]+)":', source[source.index("const leaving = {"):source.index('if (asked.has("leave"))')], re.M)
    page.driver.get(world.url)
    page.driver.get(address(world, leave=names.index(name)))
    page.wait(lambda: curtain(page) or (site_text(page) or "").endswith(("leaving", "Your bank", "script ran")) or world.hits
              or not page.driver.current_url.startswith(here(world)),
              "the page")
    time.sleep(1.2)  # for the attack to succeed, there is nothing to wait for
    if world.hits:
        return f"outside was asked for {world.hits[0]}"
    if not page.driver.current_url.startswith(here(world)):
        return f"the tab shows {page.driver.current_url}"
    if len(page.driver.window_handles) > 1:
        return "a window"
    if curtain(page):
        return ""
    shown = site_text(page) or ""
    for text in ("Your bank", "script ran", "shell home", "People", "wrong address", "storage of"):
        if text in shown:
            return f"the frame shows {text!r}"
    with contextlib.suppress(Exception), inside(page):
        if page.run("return document.title") == "script ran":
            return "the script ran"
    return ""


def click(world, page, kind):
    """A person clicks what a hostile site put there: only then do browsers let a frame lead the tab away or open windows. The site
    keeps the click from the viewer's script for links, which would make a question of it."""
    page.driver.get(address(world, leave=99))
    page.wait(lambda: (site_text(page) or "").endswith("leaving"), "the site")
    make = {
        "link to the top": "Object.assign(document.createElement('a'), {href: arguments[0], target: '_top'})",
        "link to a new tab": "Object.assign(document.createElement('a'), {href: arguments[0], target: '_blank'})",
        "form for the tab": "(() => { const f = Object.assign(document.createElement('form'), {action: arguments[0], target: '_top'});"
                            "f.append(Object.assign(document.createElement('button'), {id: 'trap', textContent: 'trap'})); return f; })()",
        "full screen": "Object.assign(document.createElement('button'), {onclick: () => document.documentElement.requestFullscreen().catch(() => {})})",
        "pointer lock": "Object.assign(document.createElement('button'), {onclick: () => document.body.requestPointerLock()})",
        "window": "Object.assign(document.createElement('button'), {onclick: () => trueOpen('/', '_blank')})",
    }[kind]
    with inside(page):
        page.run(f"const e = {make}; if (!document.getElementById('trap')) {{ (e.querySelector?.('button') ?? e).id = 'trap';"
                 "(e.querySelector?.('button') ?? e).textContent = 'trap'; } document.body.prepend(e); e.addEventListener('click', (event) => event.stopPropagation())", f"http://127.0.0.1:{world.outside}/taken")
        page.one("#trap").click()
        time.sleep(0.8)
    if len(page.driver.window_handles) > 1:
        return "a window was opened"
    if not page.driver.current_url.startswith(here(world)):
        return f"the tab shows {page.driver.current_url}"
    with inside(page):
        if page.run("return document.fullscreenElement !== null"):
            return "the site fills the screen"
        if page.run("return document.pointerLockElement !== null"):
            return "the site holds the pointer"
    return ""


def allowed(world, page, feature):
    """What the site's frame may use, as the browser says."""
    page.driver.get(address(world, leave=99))
    page.wait(lambda: (site_text(page) or "").endswith("leaving"), "the site")
    with inside(page):
        return feature if page.run("return document.featurePolicy.allowsFeature(arguments[0])", feature) else ""


# Ways to have a browser look a name up before anything is loaded from it, and what a person does meanwhile.
NAMES = ("a link", "a link under the pointer", "a link that is pressed", "dns-prefetch", "preconnect")


@contextlib.contextmanager
def name_service():
    """A name service that knows nothing, and the names it was asked for."""
    asked = []
    service = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    service.bind(("127.0.0.1", 53))
    # So that the thread below hears of the end, and the next attempt finds the port free.
    service.settimeout(0.2)
    over = threading.Event()

    def answer():
        while not over.is_set():
            try:
                question, sender = service.recvfrom(2048)
            except TimeoutError:
                continue
            labels, at = [], 12
            while question[at]:
                labels.append(question[at + 1:at + 1 + question[at]].decode("latin-1"))
                at += 1 + question[at]
            asked.append(".".join(labels))
            service.sendto(question[:2] + struct.pack(">HHHHH", 0x8183, 1, 0, 0, 0) + question[12:at + 5], sender)
    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield asked
    finally:
        over.set()
        thread.join()
        service.close()


def points_at(way, name):
    """The script by which a site has a name looked up: as an expression."""
    if way.startswith("a link"):
        return ("document.body.prepend(Object.assign(document.createElement('a'), "
                f"{{href: 'http://{name}/', textContent: 'a link', id: 'trap', style: 'display: block'}}))")
    return f"document.head.append(Object.assign(document.createElement('link'), {{rel: '{way}', href: 'http://{name}/'}}))"


def looked_up(world, page, way):
    """Whether the browser asks a name service for a name that a hostile site made up, which tells somebody outside."""
    name = f"stolen-{NAMES.index(way)}.leak.test"
    page.driver.get(address(world, leave=99))
    page.wait(lambda: (site_text(page) or "").endswith("leaving"), "the site")
    with name_service() as asked, inside(page):
        page.run(points_at(way, name))
        if "pointer" in way or "pressed" in way:
            ActionChains(page.driver).move_to_element(page.one("#trap")).perform()
        if "pressed" in way:
            ActionChains(page.driver).click_and_hold(page.one("#trap")).perform()
        with contextlib.suppress(AssertionError):  # where nobody asks, there is nothing to wait for
            page.wait(lambda: name in asked, "the question", 4)
    return f"asked for {name}" if name in asked else ""


def looked_up_in_firefox(world, page, way):
    """The same in Firefox."""
    name = f"stolen-{NAMES.index(way)}.leak.test"
    page.get(address(world, leave=99))
    page.wait(lambda: (page.in_site("document.body.innerText") or "").endswith("leaving"), "the site")
    with name_service() as asked:
        page.in_site(f"{points_at(way, name)}, 1")
        steps = [{"type": "pointerMove", "x": 20, "y": 15}, {"type": "pause", "duration": 100}, {"type": "pointerMove", "x": 24, "y": 15}]
        if "pressed" in way:
            steps.append({"type": "pointerDown", "button": 0})
        if "pointer" in way or "pressed" in way:
            page.command("input.performActions", context=page.frame(), actions=[{"type": "pointer", "id": "mouse", "actions": steps}])
        with contextlib.suppress(AssertionError):
            page.wait(lambda: name in asked, "the question", 4)
    return f"asked for {name}" if name in asked else ""


# MARK: The viewer itself

def label(world, page, room):
    """A peer whose name is markup with a script in it, or what else strangers write, in one room of the viewer."""
    if room == "site":
        program = world.hostile.command[0]
        subprocess.run([program, "get", str(world.hostile.folder), world.me.id, f"/{HOSTILE_LABEL}"], capture_output=True, timeout=30)
    if room == "data":
        strange_row(world)
    page.driver.get(world.url + (f"p/{world.hostile.id}/" if room == "bar" else room))
    # Where names become markup in vain, the page stays without them: there is nothing else to wait for.
    with contextlib.suppress(AssertionError):
        page.wait(lambda: page.run("return window.pwned === 1"), "its script", 3)
    return "its script ran in the viewer" if page.run("return window.pwned === 1") else ""


def strange_row(world):
    """A row that a visitor adds to a table of this peer."""
    if "guestbook" not in world.tables:
        status, said = ask_as_owner(world, "/api/data/tables/create", {
            "name": "guestbook", "columns": [{"name": "text", "type": "text"}], "policy": "open"})
        if status != 200:
            raise AssertionError(f"no table: {said[:200]}")
        world.tables.add("guestbook")
        Visitor(world.neighbour_url, world.me.id)("insert", table="guestbook", data={"text": HOSTILE_LABEL})


def picture_page(world, page, _):
    """Somebody's picture, opened as a page of its own."""
    address = f"{world.url}api/avatar/peer/{world.hostile.id}"
    page.driver.get(world.url)
    page.wait(lambda: page.driver.execute_async_script("fetch(arguments[0]).then((answer) => arguments[1](answer.ok))", address), "the picture", 20)
    page.driver.get(address)
    return "its script ran in the viewer" if page.run("return window.pwned === 1") else ""


def plain(world, page, _):
    """A site's page as a browser without Sec-Fetch headers gets it: the file itself, on the viewer's address."""
    page.driver.get(f"{world.url}p/{world.neighbour.id}/plain.html")
    time.sleep(1)
    text = page.text()
    return text if text.startswith("storage of http://127.0.0.1") else ""


def way_out(world, page, _):
    """Who is told where somebody comes from that follows a link out. The target is a place that browsers trust as much as
    the viewer's own address, as they do every one of HTTPS: a lesser one they tell nothing, whatever the viewer says."""
    target = f"127.0.0.2:{world.outside}"
    page.driver.get(f"{world.url}p/{world.neighbour.id}/")
    wait_site(page, "shell home")
    with inside(page):
        page.run("document.getElementById('out').href = arguments[0]", f"http://{target}/")
        page.one("#out").click()
    page.wait(lambda: target in curtain(page), "the target")
    page.one("#curtain-open").click()
    page.wait(lambda: world.hits, "the target being visited")
    return next((hit for hit in world.hits if "from" in hit), "")


def kept_files(world, page, _):
    page.driver.get(f"{world.url}p/{world.neighbour.id}/")
    wait_site(page, "shell home")
    page.driver.get("about:blank")
    return ""


def cached(world, profile):
    """Files of the profile that hold the page of a site that was visited."""
    for path in profile.rglob("*"):
        if path.is_file() and PLANT.encode() in path.read_bytes():
            return f"the page is in {path.relative_to(profile)}"
    return ""


def forgotten(world, page, _):
    """What a site still finds after the person had it forgotten."""
    page.driver.get(f"{world.url}p/{world.neighbour.id}/")
    wait_site(page, "shell home")
    with inside(page):
        page.run("localStorage.setItem('planted', 'still here')")
    forget(page)
    page.one("#curtain-show").click()
    wait_site(page, "shell home")
    with inside(page):
        return page.run("return localStorage.getItem('planted')") or ""


# A cookie that a browser takes from a site below the viewer's page: others it does not.
COOKIE = "document.cookie = 'planted=still here; SameSite=None; Secure; Partitioned'"


def visited_again(world, page, kind):
    """What a site finds at the visit after the one in which it stored something."""
    look, plant = {"storage": ("localStorage.getItem('planted')", "localStorage.setItem('planted', 'still here')"),
                   "cookie": ("document.cookie", COOKIE)}[kind]
    for _ in range(2):
        page.driver.get(f"{world.url}p/{world.neighbour.id}/")
        wait_site(page, "shell home")
        with inside(page):
            found = page.run(f"return {look}")
            page.run(plant)
        page.driver.get(world.url)
        time.sleep(5)  # the removal takes two seconds, and where it fails there is nothing to wait for
    return found or ""


LOGGED = "canarylog7f3a91"


def log_after_visit(world, page, _):
    page.driver.get(f"{world.url}p/{world.neighbour.id}/")
    wait_site(page, "shell home")
    with inside(page):
        page.run("localStorage.setItem('planted', arguments[0]); sessionStorage.setItem('planted', arguments[0])", LOGGED)
    page.driver.get(world.url)
    page.wait(lambda: not noted(page), "the end of the visit", 20)
    return ""


def in_log(world, profile):
    for path in profile.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            if LOGGED.encode() in content or LOGGED.encode("utf-16-le") in content:
                return f"what it stored is in {path.relative_to(profile)}"
    return ""


def made_up(world, page, _):
    """A kept site's service worker answers with a page that no server sent, without any policy."""
    outside = f"http://127.0.0.1:{world.outside}"
    world.neighbour.write("w/index.html", "<!doctype html><title>w</title><h1>worker home</h1>")
    world.neighbour.write("w/sw.js", "addEventListener('install', () => skipWaiting()); addEventListener('activate', (e) => e.waitUntil(clients.claim()));"
                          "addEventListener('fetch', (e) => { if (e.request.url.endsWith('made-up.html')) e.respondWith(new Response("
                          f"'<!doctype html><h1>made up</h1><img src={outside}/picture>',"
                          "{headers: {'Content-Type': 'text/html', 'Allow-CSP-From': '*'}})); });")
    page.driver.get(f"{world.url}p/{world.neighbour.id}/w/")
    wait_site(page, "worker home")
    if page.one("#keep").get_attribute("aria-pressed") != "true":
        page.one("#keep").click()
        page.one("#keep-yes").click()
        page.wait(lambda: page.one("#keep").get_attribute("aria-pressed") == "true", "kept")
    with inside(page):
        page.driver.set_script_timeout(10)
        said = page.driver.execute_async_script(
            "const d = arguments[0]; navigator.serviceWorker.register('sw.js').then(() => navigator.serviceWorker.ready).then(() => d('ready'), (e) => d(String(e)))")
        if said != "ready":
            raise AssertionError(f"no service worker: {said}")
        page.run("location.href = 'made-up.html'")
    page.wait(lambda: "made up" in (site_text(page) or "") or world.hits, "the page that was made up")
    time.sleep(1)  # for the request outside there is nothing to wait for
    return f"outside was asked for {world.hits[0]}" if world.hits else ""


# MARK: One site and another, the bar, workers

def visit(world, page, peer, path=""):
    page.driver.get(f"{world.url}p/{peer.id}/{path}")


def left_by_other(world, page, kind):
    """What a site finds in the browser of what another one stored there, whose visit goes on in another tab."""
    look, plant = {
        "storage": ("return localStorage.getItem('planted')", "localStorage.setItem('planted', 'of another site')"),
        "database": ("const done = arguments[0]; indexedDB.databases().then((all) => done(all.map((one) => one.name).join()))",
                     "indexedDB.open('planted')"),
    }[kind]
    visit(world, page, world.neighbour)
    wait_site(page, "shell home")
    with inside(page):
        page.run(plant)
    page.driver.switch_to.new_window("tab")
    page.driver.get(address(world, leave=99))
    page.wait(lambda: (site_text(page) or "").endswith("leaving"), "the site")
    with inside(page):
        return (page.driver.execute_async_script(look) if "arguments" in look else page.run(look)) or ""


def covers(world, page, _):
    """Whether the site lies over the bar."""
    page.driver.get(address(world, leave=99))
    page.wait(lambda: (site_text(page) or "").endswith("leaving"), "the site")
    there = page.run("const bar = document.querySelector('.bar').getBoundingClientRect();"
                     "return document.elementFromPoint(bar.width / 2, bar.height / 2).tagName")
    return "the site lies over the bar" if there == "IFRAME" else ""


def named_way_out(world, page, kind):
    """A click on a link that leads out, and what the viewer offers then."""
    target = {"another name": "http://your.bank@out.example/", "this computer": f"http://localhost:{world.outside}/"}[kind]
    visit(world, page, world.neighbour)
    wait_site(page, "shell home")
    with inside(page):
        page.run("document.getElementById('out').href = arguments[0]", target)
        page.one("#out").click()
    page.wait(lambda: "leads out" in curtain(page), "the way out")
    offered = page.one("#curtain-open")
    if not offered.is_displayed():
        return ""
    href = offered.get_attribute("href")
    return f"it is offered: {href}" if kind == "this computer" or "your.bank" in curtain(page) else ""


def kept_worker(world, page, scope):
    """A site that is kept registers a service worker for more than its own files."""
    world.neighbour.write("w/sw.js", "1")
    world.neighbour.write("w/index.html", "<!doctype html><title>w</title><h1>worker home</h1>")
    ask_as_owner(world, "/api/shell/keep", {"peer": world.neighbour.id})
    try:
        visit(world, page, world.neighbour, "w/")
        wait_site(page, "worker home")
        with inside(page):
            page.driver.set_script_timeout(10)
            said = page.driver.execute_async_script(
                "const [scope, done] = arguments; navigator.serviceWorker.register('sw.js', {scope}).then((one) => done('for ' + one.scope), () => done(''))", scope)
    finally:
        ask_as_owner(world, "/api/shell/forget", {"peer": world.neighbour.id})
    return said
