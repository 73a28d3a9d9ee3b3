"""Sixteen tasks by keyboard alone, and again through the accessibility tree alone; axe-core on what they pass. See run."""

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import part
from axe import HARMLESS, harmless, looks
from origins import inside, wait_site
from part import ended
from peer import Peer
from story import browser, each_look, expect
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


# Whether nothing lies over a button of the dialog, or beside the window.
REACHED = """
const dialog = document.querySelector(arguments[0]);
dialog.querySelector("details").open = true;
dialog.scrollTop = 0;
const isReached = (one) => {
  const { left, top, width, height } = one.getBoundingClientRect();
  return one.contains(document.elementFromPoint(left + width / 2, top + height / 2));
};
const buttons = [...dialog.querySelectorAll(".curtain-actions button:not([hidden])")];
return [dialog.scrollHeight > dialog.clientHeight, buttons.length > 1 && buttons.every(isReached)];
"""


def in_reach(suite, url, neighbour):
    with browser(320, 480, reduced_motion=True) as page:
        for button, dialog in (("#rights", "#panel"), ("#keep", "#keep-panel")):
            with suite.check(f"320 pixels: the buttons of {dialog} are in reach, though not all of it fits"):
                page.driver.get("about:blank")
                page.driver.get(f"{url}p/{neighbour.id}/")
                page.wait(lambda: "Here now" in page.run("return document.querySelector('.bar').innerText"), "the state")
                page.one(button).click()
                expect(page.run(REACHED, dialog) == [True, True], page.run(REACHED, dialog))


def axe(suite, url, neighbour):
    """The bar, its panels, what covers a site, and the starter sites."""
    here = f"{url}p/{neighbour.id}/"

    def opened(button):
        def prepare(page):
            page.wait(lambda: "Here now" in page.run("return document.querySelector('.bar').innerText"), "the state")
            if button:
                page.one(button).click()
                # By key: it may be below what is seen of the panel.
                page.one("dialog[open] summary").send_keys(Keys.ENTER)
        return prepare

    looks(suite, here, "shell", opened(None))
    looks(suite, here, "shell-rights", opened("#rights"))
    looks(suite, here, "shell-keep", opened("#keep"))
    for name in ("", "guestbook/", "poll/", "blog/", "blog/post.html?slug=hello"):
        def look(page, label, name=name):
            page.driver.get(here + name)
            wait_site(page, "Neighbour")
            suite.shot(page, label)
            with inside(page):
                page.wait(lambda: not page.driver.find_elements(By.CSS_SELECTOR, "#post[aria-busy]"), "the post")
                harmless(page)
        each_look(suite, f"starter-{name.partition('?')[0].strip('/').replace('/', '-') or 'home'}", HARMLESS, look)


def story(suite, program, folder):
    neighbour = Peer(program, folder / "Neighbour", "--local", "--no-viewer", "--label", "Neighbour", "--starter", "neighbour")
    with ended(neighbour):
        neighbour.start()
        for kind in (ByKeyboard, ByTree):
            # A peer of its own for each, which nobody has changed yet.
            me = Peer(program, folder / kind.name, "--local", "--label", "Ada", "--starter", "guestbook")
            with ended(me):
                me.start()
                me.stop()
                me.set_config("profile", "email", "ada@example.org")
                url = me.start()["viewer"]["url"]
                tasks(suite, url, neighbour, kind)
                if kind is ByTree:
                    axe(suite, url, neighbour)
                    in_reach(suite, url, neighbour)


if __name__ == "__main__":
    part.run("tasks", story, part.options(__doc__))
