"""Sixteen tasks by keyboard alone, and again through the accessibility tree alone; axe-core on what they pass. See run."""

import part
from origins import inside, wait_site
from part import ended
from peer import Peer
from rooms_checks import looks, violations
from story import browser, expect
from task_drivers import ByKeyboard, ByTree, perform
from tasks import TASKS


def tasks(suite, url, neighbour, kind):
    """All tasks in their order, in one browser, which begins as the last one ended."""
    with browser(1280, 900, reduced_motion=True) as page:
        driver = kind(page)
        values = {"url": url, "site": f"{url}p/{neighbour.id}/", "driver": driver.name}
        try:
            for task in TASKS:
                with suite.check(f"{driver.name} alone: {task.name}"):
                    perform(driver, task, values)
        finally:
            driver.close()


def axe(suite, url, neighbour):
    """The bar, its panels, what covers a site, and the starter sites."""
    here = f"{url}p/{neighbour.id}/"

    def opened(button):
        def prepare(page):
            page.wait(lambda: "Here now" in page.run("return document.querySelector('.bar').innerText"), "the state")
            if button:
                page.one(button).click()
        return prepare

    looks(suite, here, "shell", opened(None))
    looks(suite, here, "shell-rights", opened("#rights"))
    looks(suite, here, "shell-keep", opened("#keep"))
    for name in ("", "guestbook/", "poll/", "blog/"):
        for width in (320, 1280):
            for dark in (False, True):
                label = f"starter-{name.strip('/') or 'home'}-{width}-{'dark' if dark else 'light'}"
                with suite.check(f"{label}: axe-core finds nothing, nothing is wider than the window"):
                    with browser(width, 900, dark, reduced_motion=True) as page:
                        page.driver.get(here + name)
                        wait_site(page, "Neighbour" if name else "next door")
                        suite.shot(page, label)
                        with inside(page):
                            found = violations(page)
                            expect(not found, "\n".join(found))
                            wide = page.run("return document.documentElement.scrollWidth - innerWidth")
                            expect(wide <= 0, f"{wide} pixels too wide")


def story(suite, program, folder):
    neighbour = Peer(program, folder / "Neighbour", "--local", "--no-viewer", "--label", "Neighbour", "--starter", "neighbour")
    with ended(neighbour):
        neighbour.start()
        for kind in (ByKeyboard, ByTree):
            # A peer of its own for each, which nobody has changed yet.
            me = Peer(program, folder / kind.name, "--local", "--label", "Ada")
            with ended(me):
                me.start()
                me.stop()
                me.set_config("profile", "email", "ada@example.org")
                url = me.start()["viewer"]["url"]
                tasks(suite, url, neighbour, kind)
                if kind is ByTree:
                    axe(suite, url, neighbour)


if __name__ == "__main__":
    part.run("tasks", story, part.options(__doc__))
