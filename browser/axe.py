"""What axe-core says of a page of the viewer, and whether the page stays in its window. See rooms_checks.py."""
import pathlib

import axe_core_python

from story import browser, each_look, expect, not_too_wide

AXE = (pathlib.Path(axe_core_python.__file__).parent / "axe.min.js").read_text()


def violations(page):
    page.run(AXE)
    found = page.driver.execute_async_script(
        "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(r => done(r.violations))")
    return [f"{rule['id']} ({rule['impact']}): " + "; ".join(node["html"][:120] for node in rule["nodes"][:3])
            for rule in found]


HARMLESS = "{}: axe-core finds nothing, nothing is wider than the window"


def harmless(page):
    found = violations(page)
    expect(not found, "\n".join(found))
    not_too_wide(page)


def looks(suite, url, name, prepare=lambda page: None):
    """Every width and scheme: axe finds nothing, nothing overflows, and a picture for a person to look at."""
    def look(page, label):
        # The same address with another fragment would not be loaded again.
        page.driver.get("about:blank")
        page.driver.get(url)
        prepare(page)
        suite.shot(page, label)
        harmless(page)
        # Hints for password managers, which have no business here.
        complaints = page.complaints("[DOM]")
        expect(not complaints, complaints)
    each_look(suite, f"room-{name}", HARMLESS, look)


def large(suite, scenes):
    """Text of twice the usual size in the narrowest window, which then scrolls in one direction only. A scene is a name, an
    address, and what is done there."""
    with suite.check("text of twice the size at 320 pixels: every page and dialog stays in the window"), \
            browser(320, 640, reduced_motion=True, text_size=32) as page:
        for name, url, prepare in scenes:
            page.driver.get("about:blank")
            page.driver.get(url)
            prepare(page)
            suite.shot(page, f"large-{name}")
            wide = page.run("return [document.documentElement, ...document.querySelectorAll('dialog[open]')]"
                            ".map(one => one.scrollWidth - one.clientWidth)")
            expect(max(wide) <= 0, f"{name}: {wide} pixels too wide")


def look_through(suite, name, scenes):
    """Every width and scheme of several scenes in one browser, as for `large`: axe finds nothing, nothing overflows."""
    def look(page, label):
        for scene, url, prepare in scenes:
            page.driver.get("about:blank")
            page.driver.get(url)
            prepare(page)
            suite.shot(page, f"{label}-{scene}")
            found = violations(page)
            expect(not found, f"{scene}: " + "\n".join(found))
            not_too_wide(page)
    each_look(suite, name, HARMLESS, look)
