"""The guards of the viewer, and for each the attack that succeeds without it. Carried out by guards.py."""
import dataclasses
import re
import typing

import guard_foreign as foreign
import guard_scenes as scenes
from between import Change, field_removed, file_edited, policy_opened, policy_removed, request_edited
from origins import base36


@dataclasses.dataclass
class Case:
    name: str
    scene: typing.Callable
    attack: str
    # Guards: where there are several, each of them is enough.
    changes: tuple
    # Guards that are code, out in a copy of the program (guards_code.py).
    code: tuple = ()
    says: str = ""
    # What is so with the guard and without it.
    always: tuple = ()
    arguments: tuple = ()
    afterwards: typing.Callable = None
    seen: str = ""

    @property
    def guards(self):
        return " and ".join([*(change.name for change in self.changes), *([self.says] if self.says else [])])


@dataclasses.dataclass
class Told:
    """What a site can tell somebody outside with every guard in place, and what it cannot."""
    way: str
    # By browser: whether the name of the site's choice is asked for.
    chromium: bool
    firefox: bool


# No guard stops all of it, so the answers are written down: here, in docs/attacks.md and in docs/threat-model.md.
TOLD = [
    Told("a link", chromium=False, firefox=False),
    Told("a link under the pointer", chromium=False, firefox=True),
    Told("a link that is pressed", chromium=True, firefox=True),
    Told("dns-prefetch", chromium=True, firefox=False),
    Told("preconnect", chromium=True, firefox=True),
]


# MARK: Guards

def unseen_asker(path, fields):
    """The server is told nothing of the page that asks, as by a program or an old browser."""
    for name in [name for name in fields if name.startswith("sec-fetch-") or name in ("origin", "referer")]:
        del fields[name]


def unseen_part(path, fields):
    """The same for everything but a page in a tab: without that the viewer takes the browser for a program."""
    if path != "/probe" and (fields.get("sec-fetch-dest") != "document" or "content-length" in fields):
        unseen_asker(path, fields)


def as_plain_script(path, fields):
    if fields.get("sec-fetch-dest") in ("serviceworker", "sharedworker"):
        fields.pop("service-worker", None)
        fields["sec-fetch-dest"] = "script"


def as_from_shell(path, fields):
    if fields.get("sec-fetch-dest") == "iframe":
        fields["referer"] = "http://127.0.0.1:" + fields["host"].rpartition(":")[2] + "/"


def as_own_name(path, fields):
    if fields["host"].startswith("rebound.example"):
        unseen_asker(path, fields)
        fields["host"] = "127.0.0.1:" + fields["host"].rpartition(":")[2]


def as_json(path, fields):
    if path.startswith("/api/shell/"):
        fields["content-type"] = "application/json"


def with_token(path, fields):
    if path.startswith("/api/shell/"):
        fields["x-goop-token"] = scenes.token(fields["host"].rpartition(":")[2])


def probe_by_viewer(path, fields):
    if path == "/probe":
        fields["origin"] = "http://127.0.0.1:" + fields["host"].rpartition(":")[2]


def probe_for_all(path, fields):
    if path == "/probe":
        fields["access-control-allow-origin"] = "*"


def own_parts_unreferred(path, fields):
    """The pages of the viewer name no page that refers, whatever their policy says, when they ask the viewer itself: it
    would answer none of their scripts, and there would be no page to leave."""
    if fields.get("sec-fetch-dest") not in ("document", "iframe"):
        fields.pop("referer", None)


def storable(path, fields):
    fields["cache-control"] = "max-age=3600"


def readable(path, fields):
    fields["access-control-allow-origin"] = "*"


def wide_scope(path, fields):
    fields["service-worker-allowed"] = "/"


def with_click(path, fields):
    if fields.get("sec-fetch-dest") == "document":
        fields["sec-fetch-user"] = "?1"


def as_page(path, fields):
    if path.startswith("/api/avatar/"):
        fields["content-type"] = "text/html"


def pictures_free(path, fields):
    if path.startswith("/api/avatar/"):
        fields.pop("content-security-policy", None)


class OnePlace(Change):
    """All sites live at one name, as if they had no origins of their own: the proxy tells the server whose page it is by the
    path, and by the path before where it does not say."""

    NAME = "together"
    OWN = re.compile(r"\bk[0-9a-z]{40,62}(?=\.localhost)")

    def __init__(self):
        super().__init__("the origin of its own that each site has", self._asked, self._answered, self._body)
        self.last = ""

    def _asked(self, path, fields):
        if not fields["host"].startswith(self.NAME + "."):
            return
        if found := re.match(r"/p/(\w+)/", path):
            self.last = base36(found[1])
        for name in ("host", "origin", "referer"):
            if name in fields:
                fields[name] = fields[name].replace(self.NAME + ".", self.last + ".")

    def _answered(self, path, fields):
        for name, value in fields.items():
            fields[name] = self.OWN.sub(self.NAME, value)

    def _body(self, path, content):
        return self.OWN.sub(self.NAME, content.decode("latin-1")).encode("latin-1")


ASKER = request_edited("the server's look at `Sec-Fetch-Site`, `Origin` and `Referer`", unseen_part)
NO_BROWSER = request_edited("everything that browsers tell of the asking page", unseen_asker)
FROM_SHELL = request_edited("the server's look at the `Referer` of a frame's first request", as_from_shell)
UNREFERRED = request_edited("the `Referer` of the viewer's own parts", own_parts_unreferred)
LASTING = request_edited("the server's refusal of service and shared workers", as_plain_script)
HOST = request_edited("the server's look at `Host`", as_own_name)
TOKEN = request_edited("the token", with_token)
JSON_TYPE = request_edited("the type `application/json`", as_json)
RESOURCE = field_removed("cross-origin-resource-policy", "`Cross-Origin-Resource-Policy`")
FRAME_OPTIONS = field_removed("x-frame-options", "`X-Frame-Options`")
OPENER = field_removed("cross-origin-opener-policy", "`Cross-Origin-Opener-Policy`")
NOSNIFF = field_removed("x-content-type-options", "`X-Content-Type-Options`")
REFERRER = field_removed("referrer-policy", "`Referrer-Policy`")
PERMISSIONS = field_removed("permissions-policy", "`Permissions-Policy`")
PREFETCH = field_removed("x-dns-prefetch-control", "`X-DNS-Prefetch-Control`")
CLEAR = field_removed("clear-site-data", "`Clear-Site-Data`")
STORE = Change("`Cache-Control: no-store`", response=storable)
PROBE = Change("the origin that the probe answers to", request=probe_by_viewer, response=probe_for_all)
SANDBOX = policy_removed("sandbox", "`sandbox` of the policy")
ANCESTORS = policy_removed("frame-ancestors", "`frame-ancestors`")
FRAME = file_edited("the frame's `sandbox`", "/assets/shell.js", ('frame.setAttribute("sandbox"', 'frame.setAttribute("data-was"'))
FRAME_POLICY = file_edited("the frame's `csp`", "/assets/shell.js", ('frame.setAttribute("csp", policy)', 'frame.setAttribute("data-was-csp", policy)'))
SCRUB = file_edited("the overwriting of the browser's storage log", "/assets/visits.js", ("step <= steps; step", "step <= 0; step"))
FRAME_ALLOW = file_edited("the frame's empty `allow`", "/assets/shell.js", ('frame.setAttribute("allow", "")', 'frame.setAttribute("allow", "fullscreen *")'))
LINK_REL = file_edited("`rel` of the way out", "/p/*", ('rel="noopener noreferrer"', 'rel="opener"'))
AS_TEXT = file_edited(
    "names as text", "/assets/text.js", (".textContent", ".innerHTML"),
    ("made.append(...children);", "for (const one of children) { if (typeof one === 'string') made.insertAdjacentHTML('beforeend', one); else made.append(one); }"))
ESCAPED = file_edited("names escaped in pages", "/p/*", ("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'))
CELLS = file_edited("values as text", "/assets/data-values.js", ("else if (text) made.append(text);", "else if (text) made.innerHTML = text;"))
LAYOUT = file_edited("the frame's place below the bar", "/assets/shell.css",
                     (".shell iframe { width: 100%; height: 100%;", ".shell iframe { position: fixed; inset: 0; width: 100%; height: 100%;"))
BEFORE_AT = file_edited("what stands before an @ left out", "/assets/shell.js", ('address.username = "";', ""))
NEAR = file_edited("the look for names of this computer", "/assets/shell.js", ("function isNear({ hostname }) {", "function isNear({ hostname }) { return false;"))
ONE_PLACE = OnePlace()
READABLE = Change("no `Access-Control-Allow-Origin`", response=readable)
SCOPE = Change("no `Service-Worker-Allowed`", response=wide_scope)
CLICK = request_edited("the click without which nobody is led to a new site", with_click)
PICTURE_TYPE = Change("the type that a picture's bytes tell", response=as_page)
PICTURE_POLICY = Change("the policy of pictures", response=pictures_free)
# The page of the refusal has one, with which it could do nothing: an attacker's own page would have none.
NO_POLICY = field_removed("content-security-policy")


def line(directive, change=policy_opened):
    """A line of a content policy; of a site's, also in the frame's `csp`, which says the same."""
    return Change(f"`{directive}`", response=change(directive).response, body=FRAME_POLICY.body)


TYPES = policy_removed("require-trusted-types-for", "`require-trusted-types-for`")
INLINE = line("script-src")


def site(attack, *changes, name=None, **more):
    return Case(name or f"site: {attack}", scenes.site, attack, changes, **more)


def leave(attack, *changes, **more):
    return Case(f"site leads away: {attack}", scenes.leave, attack, changes, **more)


CASES = [
    # Lines of the content policy of a site
    site("script: inline", line("script-src")),
    site("script: eval", line("script-src")),
    site("script: Function", line("script-src")),
    site("script: handler", line("script-src")),
    site("outside: script", line("script-src")),
    site("outside: script of data", line("script-src")),
    site("outside: module of data", line("script-src")),
    site("outside: preload", line("script-src")),
    site("worker of a blob", line("worker-src")),
    site("outside: fetch", line("connect-src")),
    site("outside: socket", line("connect-src")),
    site("outside: beacon", line("connect-src")),
    site("outside: ping of a link", line("connect-src")),
    site("act: consent by beacon", line("connect-src")),
    site("outside: picture", line("img-src")),
    site("outside: style", line("style-src")),
    site("outside: font", line("font-src")),
    site("outside: media", line("media-src")),
    site("outside: prefetch", line("default-src")),
    site("outside: base address", line("base-uri", policy_removed)),
    site("own site framed", line("frame-src")),
    # What the viewer and other sites lend out
    site("viewer: picture", line("img-src"), ASKER, RESOURCE),
    site("viewer: script tag", line("script-src"), ASKER, RESOURCE),
    site("viewer: style sheet", line("style-src"), ASKER, RESOURCE),
    site("viewer: peers, no-cors", line("connect-src"), RESOURCE),
    site("other: as picture", line("img-src"), ASKER, RESOURCE),
    site("other: as script", line("script-src"), ASKER, RESOURCE),
    site("script: a text file", NOSNIFF),
    site("viewer: peers", line("connect-src"), ASKER, READABLE),
    site("viewer: token in the shell page", line("connect-src"), ASKER, READABLE),
    site("other: on its origin", line("connect-src"), ASKER, READABLE),
    Case("site: what another site stored", scenes.left_by_other, "storage", (ONE_PLACE,)),
    Case("site: the databases of another site", scenes.left_by_other, "database", (ONE_PLACE,)),
    # What outlives the visit
    site("outlive: service worker", LASTING),
    site("outlive: shared worker", LASTING),
    Case("what a site stored, after Forget", scenes.forgotten, "", (CLEAR,)),
    Case("what a site stored, at the next visit", scenes.visited_again, "storage", (CLEAR,)),
    Case("a cookie of a site, at the next visit", scenes.visited_again, "cookie", (CLEAR,)),
    Case("what a site stored, in the browser's log after the visit", scenes.log_after_visit, "", (SCRUB,), afterwards=scenes.in_log),
    Case("kept site: a page that its service worker made up reaches out", scenes.made_up, "", (FRAME_POLICY,)),
    Case("kept site: a service worker for the whole origin", scenes.kept_worker, "/", (SCOPE,)),
    Case("a site's page in the browser's cache", scenes.kept_files, "", (STORE,), afterwards=scenes.cached),
    # Code
    site("e-mail of the visitor", code=("email",), says="the consent for the e-mail"),
    site("e-mails of peers", code=("emails",), says="e-mails left out of `/api/peers`"),
    site("favourites of the visitor", code=("favourites",), says="favourites left out of `/api/peers`"),
    site("other: on the own origin", code=("files",), says="one site's files on its origin"),
    site("other: its tables", code=("tables",), says="one peer's tables on its origin"),
    site("hidden files", code=("hidden",), says="names that begin with a dot left out"),
    site("hidden files, escaped", code=("hidden",), says="names that begin with a dot left out"),
    site("files outside of the site", code=("slashes", "dots", "climbing", "hidden", "place"),
         says="escaped slashes refused and dots between slashes refused (by the viewer) and no way up out of the site and names that "
              "begin with a dot left out and the look at where an opened file is (by its owner's peer)"),
    # The frame and the tab
    leave("an address outside", line("frame-src")),
    leave("an address outside, replaced", line("frame-src")),
    leave("a refresh", line("frame-src")),
    leave("a form to a place outside", line("frame-src"), line("form-action")),
    leave("a page of data", line("frame-src")),
    leave("a script as address", line("script-src")),
    leave("another site", line("frame-src"), FROM_SHELL),
    leave("the viewer's front page", line("frame-src"), ANCESTORS, FRAME_OPTIONS, ASKER),
    Case("site: a link for the whole tab, clicked", scenes.click, "link to the top", (SANDBOX, FRAME)),
    Case("site: a link for a new tab, clicked", scenes.click, "link to a new tab", (SANDBOX, FRAME)),
    Case("site: a window, opened by a click", scenes.click, "window", (SANDBOX, FRAME)),
    Case("site: the pointer, taken by a click", scenes.click, "pointer lock", (SANDBOX, FRAME)),
    Case("site: full screen, by a click", scenes.click, "full screen", (PERMISSIONS, FRAME_ALLOW)),
    Case("site: picture in picture", scenes.allowed, "picture-in-picture", (PERMISSIONS,)),
    Case("site: the name in a link, looked up when the pointer is on it", scenes.looked_up, "a link under the pointer", (PREFETCH,)),
    Case("site: lies over the bar", scenes.covers, "", (LAYOUT,)),
    Case("site: a way out that seems to lead elsewhere", scenes.named_way_out, "another name", (BEFORE_AT,)),
    Case("site: a way out to a program of this computer", scenes.named_way_out, "this computer", (NEAR,)),
    # A web page elsewhere
    Case("web page: who is here", foreign.foreign, "peers", (ASKER, READABLE)),
    Case("web page: the front page with the token", foreign.foreign, "the front page with the token", (ASKER, READABLE)),
    Case("web page: a visited site", foreign.foreign, "a visited site on its origin", (ASKER, READABLE)),
    Case("web page: live events", foreign.foreign, "live events", (ASKER, READABLE)),
    *(Case(f"web page: a peer is asked, by {way}", foreign.asked, way, (ASKER,)) for way in foreign.ASKS),
    Case("web page: leads its tab to a new site", foreign.led, "", (CLICK,)),
    Case("web page: a picture of the viewer by a redirect", foreign.foreign, "a picture of the viewer by a redirect", (ASKER, RESOURCE)),
    Case("web page: a picture of the viewer", foreign.foreign, "a picture of the viewer", (ASKER, RESOURCE)),
    Case("web page: a script of the viewer", foreign.foreign, "a script of the viewer", (ASKER, RESOURCE)),
    Case("web page: a visited site as picture", foreign.foreign, "a visited site as picture", (ASKER, RESOURCE)),
    Case("web page: the SDK as script", foreign.foreign, "the SDK as script", (ASKER, RESOURCE)),
    Case("web page: the probe", foreign.foreign, "the probe", (PROBE,)),
    Case("web page: frames the viewer", foreign.frames, "the viewer", (ASKER, ANCESTORS, FRAME_OPTIONS)),
    Case("web page: frames the shell", foreign.frames, "the shell", (ASKER, ANCESTORS)),
    Case("web page: frames a site", foreign.frames, "a site", (FROM_SHELL, ANCESTORS)),
    Case("web page: holds the window of the viewer", foreign.opened, "", (OPENER,)),
    Case("web page: consent by a simple request", foreign.foreign, "consent by a simple request", (ASKER, TOKEN, JSON_TYPE)),
    Case("web page: consent by a form", foreign.posted, "", (ASKER, TOKEN, JSON_TYPE)),
    Case("web page: consent by a beacon", foreign.foreign, "consent by beacon", (ASKER, TOKEN, JSON_TYPE)),
    Case("web page: consent by a form and a redirect", foreign.posted, "by a redirect", (ASKER, TOKEN, JSON_TYPE)),
    Case("a name that was rebound: the consent", foreign.rebound_consent, "", (HOST,), always=(NO_POLICY,)),
    Case("a name that was rebound: the people", foreign.rebound, "", (HOST,)),
    # The viewer's own pages
    Case("a name with a script in it", scenes.label, "", (AS_TEXT, TYPES, INLINE)),
    Case("a name with a script in it, in the bar", scenes.label, "bar", (AS_TEXT, TYPES, INLINE)),
    Case("a name with a script in it, in the page of the bar as it comes", scenes.label, "bar", (ESCAPED, INLINE)),
    Case("a name with a script in it, among the connections", scenes.label, "network", (AS_TEXT, TYPES, INLINE)),
    Case("a name and a path with a script in it, among the visitors", scenes.label, "site", (AS_TEXT, TYPES, INLINE)),
    Case("a visitor's row with a script in it", scenes.label, "data", (CELLS, TYPES, INLINE)),
    Case("somebody's picture that is a page too", scenes.picture_page, "", (PICTURE_TYPE, PICTURE_POLICY)),
    Case("a site's file outside of the shell: storage of the viewer", scenes.plain, "", (SANDBOX,), always=(NO_BROWSER,)),
    Case("who is told where a visitor comes from", scenes.way_out, "", (REFERRER, LINK_REL), always=(UNREFERRED,)),
]
