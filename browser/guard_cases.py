"""The guards of the viewer, and for each the attack that succeeds without it. Carried out by guards.py."""
import dataclasses
import typing

import guard_scenes as scenes
from between import Change, field_removed, file_edited, policy_opened, policy_removed, request_edited


@dataclasses.dataclass
class Case:
    name: str
    scene: typing.Callable
    attack: str
    changes: tuple
    # Guards that are code, out in a copy of the program (guards_code.py).
    code: tuple = ()
    says: str = ""
    # Several guards, each of which is enough: with any one of them out, the others still hold.
    depth: bool = False
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
FRAME_ALLOW = file_edited("the frame's empty `allow`", "/assets/shell.js", ('frame.setAttribute("allow", "")', 'frame.setAttribute("allow", "fullscreen *; picture-in-picture *")'))
LINK_REL = file_edited("`rel` of the way out", "/p/*", ('rel="noopener noreferrer"', 'rel="opener"'))
AS_TEXT = file_edited("names as text", "/assets/text.js", (".textContent", ".innerHTML"))


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
    site("viewer: peers, no-cors", line("connect-src"), RESOURCE, depth=True),
    site("other: as picture", line("img-src"), ASKER, RESOURCE),
    site("other: as script", line("script-src"), ASKER, RESOURCE),
    site("script: a text file", NOSNIFF),
    # What outlives the visit
    site("outlive: service worker", LASTING),
    site("outlive: shared worker", LASTING),
    Case("what a site stored, after Forget", scenes.forgotten, "", (CLEAR,)),
    Case("what a site stored, at the next visit", scenes.visited_again, "", (CLEAR,)),
    Case("what a site stored, in the browser's log after the visit", scenes.log_after_visit, "", (SCRUB,), afterwards=scenes.in_log),
    Case("kept site: a page that its service worker made up reaches out", scenes.made_up, "", (FRAME_POLICY,)),
    Case("a site's page in the browser's cache", scenes.kept_files, "", (STORE,), afterwards=scenes.cached),
    # Code
    site("e-mail of the visitor", code=("email",), says="the consent for the e-mail"),
    site("e-mails of peers", code=("emails",), says="e-mails left out of `/api/peers`"),
    site("favourites of the visitor", code=("favourites",), says="favourites left out of `/api/peers`"),
    site("other: on the own origin", code=("files",), says="one site's files on its origin"),
    site("other: its tables", code=("tables",), says="one peer's tables on its origin"),
    # The frame and the tab
    leave("an address outside", line("frame-src")),
    leave("an address outside, replaced", line("frame-src")),
    leave("a refresh", line("frame-src")),
    leave("a form to a place outside", line("frame-src"), line("form-action"), depth=True),
    leave("a page of data", line("frame-src")),
    leave("a script as address", line("script-src")),
    leave("another site", line("frame-src"), FROM_SHELL, depth=True),
    leave("the viewer's front page", line("frame-src"), ANCESTORS, FRAME_OPTIONS, ASKER),
    Case("site: a link for the whole tab, clicked", scenes.click, "link to the top", (SANDBOX, FRAME), depth=True),
    Case("site: a link for a new tab, clicked", scenes.click, "link to a new tab", (SANDBOX, FRAME), depth=True),
    Case("site: a window, opened by a click", scenes.click, "window", (SANDBOX, FRAME), depth=True),
    Case("site: the pointer, taken by a click", scenes.click, "pointer lock", (SANDBOX, FRAME), depth=True),
    Case("site: full screen, by a click", scenes.click, "full screen", (PERMISSIONS, FRAME_ALLOW), depth=True),
    Case("site: picture in picture", scenes.allowed, "picture-in-picture", (PERMISSIONS, FRAME_ALLOW)),
    Case("site: the name in a link, looked up when the pointer is on it", scenes.looked_up, "a link under the pointer", (PREFETCH,)),
    # A web page elsewhere
    Case("web page: a picture of the viewer", scenes.foreign, "a picture of the viewer", (ASKER, RESOURCE), depth=True),
    Case("web page: a script of the viewer", scenes.foreign, "a script of the viewer", (ASKER, RESOURCE), depth=True),
    Case("web page: a visited site as picture", scenes.foreign, "a visited site as picture", (ASKER, RESOURCE), depth=True),
    Case("web page: the SDK as script", scenes.foreign, "the SDK as script", (ASKER, RESOURCE), depth=True),
    Case("web page: the probe", scenes.foreign, "the probe", (PROBE,)),
    Case("web page: frames the viewer", scenes.frames, "the viewer", (ASKER, ANCESTORS, FRAME_OPTIONS)),
    Case("web page: frames the shell", scenes.frames, "the shell", (ASKER, ANCESTORS, FRAME_OPTIONS)),
    Case("web page: frames a site", scenes.frames, "a site", (FROM_SHELL, ANCESTORS), depth=True),
    Case("web page: holds the window of the viewer", scenes.opened, "", (OPENER,)),
    Case("web page: consent by a simple request", scenes.foreign, "consent by a simple request", (ASKER, TOKEN, JSON_TYPE), depth=True),
    Case("web page: consent by a form", scenes.posted, "", (ASKER, TOKEN, JSON_TYPE), depth=True),
    Case("a name that was rebound: the people", scenes.rebound, "", (HOST,)),
    # The viewer's own pages
    Case("a name with a script in it", scenes.label, "", (AS_TEXT, TYPES, INLINE), depth=True),
    Case("a site's file outside of the shell: storage of the viewer", scenes.plain, "", (SANDBOX,), always=(NO_BROWSER,)),
    Case("who is told where a visitor comes from", scenes.way_out, "", (REFERRER, LINK_REL), depth=True, always=(UNREFERRED,)),
]
