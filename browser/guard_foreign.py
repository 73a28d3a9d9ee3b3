"""How the attacks of guard_cases.py are carried out that a web page elsewhere makes. A scene gives what the attack got, or
nothing."""
import contextlib
import itertools
import json
import urllib.request
from urllib.parse import quote

from selenium.webdriver.common.by import By

from guard_scenes import take_back_consent
from origins import foreign_tries, site_text


def foreign_page(world, page):
    """Another tab shows a web page, while one shows a site."""
    page.driver.get(f"{world.url}p/{world.neighbour.id}/")  # the site is being visited meanwhile
    page.wait(lambda: page.driver.find_elements(By.CSS_SELECTOR, "#frame-place iframe"), "a frame")
    page.driver.switch_to.new_window("tab")
    page.driver.get(f"http://evil.example:{world.outside}/")


# What stands in an answer that gives nothing, which a page may read where nothing keeps it from it.
REFUSALS = ("This page may not ask that", "not from here")


def foreign(world, page, name):
    foreign_page(world, page)
    got = page.run("return tryIt(arguments[0])", foreign_tries(world.url, world.neighbour)[name])
    if "beacon" in name:  # nobody tells that it has come
        with contextlib.suppress(AssertionError):
            page.wait(lambda: world.consent(world.neighbour), "the consent", 2)
    if any(words in got for words in REFUSALS):
        got = ""
    return consented(world) or (got[4:] or "an answer" if got.startswith("GOT ") else "")


def frames(world, page, what):
    foreign_page(world, page)
    target = {"the viewer": world.url, "the shell": f"{world.url}p/{world.neighbour.id}/",
              "a site": f"{world.site(world.neighbour)}/p/{world.neighbour.id}/"}[what]
    page.run("const f = document.createElement('iframe'); f.src = arguments[0]; document.body.append(f);"
             "return within(new Promise((y) => { f.onload = y; }), 4000).catch(() => 0)", target)
    page.driver.switch_to.frame(page.one("iframe"))
    text = page.run("return document.body ? document.body.innerText : ''")
    page.driver.switch_to.default_content()
    return next((f"the frame shows {word!r}" for word in ("shell home", "People", "Neighbour") if word in text), "")


def opened(world, page, _):
    """The page keeps a hold on a viewer that it opened: it can lead that window to a page that looks alike."""
    foreign_page(world, page)
    page.run("const b = document.createElement('button'); b.id = 'go'; b.textContent = 'go';"
             "b.onclick = () => { window.held = open(arguments[0]); }; document.body.append(b)", world.url)
    tabs = set(page.driver.window_handles)
    page.one("#go").click()
    page.wait(lambda: set(page.driver.window_handles) - tabs, "the window")
    page.driver.switch_to.window((set(page.driver.window_handles) - tabs).pop())
    page.wait(lambda: page.driver.find_elements(By.ID, "me-name"), "the viewer")
    page.driver.switch_to.window(page.driver.window_handles[1])
    return "" if page.run("return !window.held || window.held.closed") else "it holds the viewer's window"


def rebound(world, page, path):
    """A name of somebody else that leads to this machine."""
    page.driver.get(f"http://rebound.example:{world.port}/{path}")
    page.wait(lambda: page.run("return document.readyState") == "complete", "the whole document")

    def read():
        text = page.text()
        return next((f"it reads {word!r}" for word in ("People", "Neighbour") if word in text), "")
    if page.driver.find_elements(By.CSS_SELECTOR, "meta[name=goop-token]"):  # the viewer's own page has come, and fills itself
        with contextlib.suppress(AssertionError):
            page.wait(read, "its words")
    return read()


def rebound_consent(world, page, _):
    """The page of such a name reads the token, which is on the viewer's front page, and posts with it."""
    page.driver.get(f"http://rebound.example:{world.port}/")
    page.driver.set_script_timeout(10)
    page.driver.execute_async_script("""
        const [body, done] = arguments;
        fetch("/").then((answer) => answer.text()).then((text) => fetch("/api/shell/consent", {method: "POST", body,
          headers: {"Content-Type": "application/json", "X-Goop-Token": /goop-token" content="([^"]*)/.exec(text)?.[1] ?? ""}}))
          .then(done, done)""", json.dumps({"peer": world.neighbour.id, "email": True}))
    return consented(world)


def consented(world):
    """Whether the consent was given, which is taken back then."""
    if not world.consent(world.neighbour):
        return ""
    take_back_consent(world)
    return "the consent was given"


def posted(world, page, way):
    """A form elsewhere that posts a consent to the viewer, or to its own server, which sends it on."""
    foreign_page(world, page)
    page.run("const f = document.createElement('form'); f.method = 'post'; f.enctype = 'text/plain'; f.action = arguments[0];"
             "f.innerHTML = '<input>'; f.firstChild.name = arguments[1]; f.firstChild.value = arguments[2]; document.body.append(f); f.submit()",
             (f"/?to={quote(world.url, safe='')}" if way == "by a redirect" else world.url) + "api/shell/consent",
             json.dumps({"peer": world.neighbour.id, "email": True, "x": ""})[:-2], '"}')
    page.wait(lambda: page.driver.current_url.startswith(world.url), "the answer")
    return consented(world)


# How a page has the browser ask for an address, whose answer it does not see.
ASKS = {
    "a picture": "new Image().src = '{url}'",
    "a frame": "document.body.append(Object.assign(document.createElement('iframe'), {{src: '{url}'}}))",
    "a prefetch": "document.head.append(Object.assign(document.createElement('link'), {{rel: 'prefetch', href: '{url}'}}))",
    "a socket": "new WebSocket('{url}'.replace('http', 'ws'))",
    "a redirect": "new Image().src = '/?to=' + encodeURIComponent('{url}')",
}
numbers = itertools.count(1)


def asked(world, page, way):
    """A page has the viewer ask a peer, whom nobody visits, for a file of its site: the viewer would connect, and the peer learn
    who asks."""
    path = f"/asked-{next(numbers)}.svg"
    page.driver.get(f"http://evil.example:{world.outside}/")
    page.run(ASKS[way].format(url=f"{world.url}p/{world.neighbour.id}{path}"))

    def is_told():
        with urllib.request.urlopen(f"{world.neighbour_url}api/rooms/site/visitors", timeout=10) as answer:
            return any(one["id"] == world.me.id and one["path"] == path for one in json.load(answer)["visitors"])
    with contextlib.suppress(AssertionError):  # where nobody asks, there is nothing to wait for
        page.wait(is_told, "the question", 3)
    return "the peer was asked" if is_told() else ""


def led(world, page, _):
    """A page leads its tab to a site that the person has never opened. They have clicked on nothing."""
    page.driver.get(f"http://evil.example:{world.outside}/")
    page.run("const target = arguments[0]; setTimeout(() => { location.href = target }, 0)", f"{world.url}p/{world.me.id}/")
    page.wait(lambda: page.driver.current_url.startswith(world.url), "the viewer")
    with contextlib.suppress(AssertionError):
        page.wait(lambda: "shell home" in (site_text(page) or ""), "the site", 3)
    return "the site is shown" if "shell home" in (site_text(page) or "") else ""
