"""What strangers chose and the viewer's own pages show: a name, and a path that is asked for. See viewer_checks.py."""
import subprocess

from origins import bar, curtain, inside, wait_site
from people_room import close_card, open_card
from story import HOSTILE_NAME, expect, state

HOSTILE_PATH = "/<img src=x onerror=\"window.pwned=1\">"


def only_text(page, place, selector, text=HOSTILE_NAME):
    """The text stands there as it is, and nothing was made of it. An attribute is named behind an @."""
    selector, _, attribute = selector.partition("@")
    read = "return [...document.querySelectorAll(arguments[0])].map((one) => arguments[1] ? one.getAttribute(arguments[1]) : one.textContent)"
    page.wait(lambda: any(text in one for one in page.run(read, selector, attribute)), f"{place}: {text!r} in {selector}")
    expect(page.run("return window.pwned === undefined && !document.querySelector('[onerror]')"), f"{place}: it is no text")


def everywhere(suite, page, url, me, hostile):
    """The hostile peer has a name that is markup with a script in it. It is blocked here, and no longer at the end."""
    with suite.check("a hostile name, and a hostile path that it asks for, are only text in every room, in the bar and on the curtain"):
        page.driver.get(url)
        page.wait(lambda: state(page, hostile.id) == "online", "the hostile neighbour online", 20)
        only_text(page, "the list", ".person bdi")
        only_text(page, "the list's button", ".person .more@aria-label")
        open_card(page, hostile)
        only_text(page, "the card", "#card-name")
        close_card(page)

        page.driver.get(url + "network")
        only_text(page, "the table of connections", "#connections tbody bdi")
        only_text(page, "the picture of connections", "#picture svg@aria-label")
        only_text(page, "the log", "#log li")

        page.driver.get(url + "site")
        program = hostile.command[0]
        asked = subprocess.run([program, "get", str(hostile.folder), me.id, HOSTILE_PATH], capture_output=True, text=True, timeout=30)
        visitor = f'#visitors [data-id="{hostile.id}"]'
        only_text(page, f"who visits, after {asked.stderr[:200]!r}", visitor, HOSTILE_PATH)
        only_text(page, "who visits", f"{visitor} bdi")

        page.driver.get(f"{url}p/{hostile.id}/folder/")
        wait_site(page, "folder")
        only_text(page, "the bar", "#name")
        page.wait(lambda: page.one("#block").is_displayed(), "the button in the bar")
        page.one("#block").click()
        only_text(page, "the question", "#block-name")
        page.one("#block-now").click()
        only_text(page, "the curtain", "#curtain-title")

        page.driver.get(url)
        only_text(page, "Blocked", "#blocked-list bdi")
        page.one("#blocked-list button").click()
        only_text(page, "the word about it", "#toast")
        page.wait(lambda: state(page, hostile.id) == "online", "the hostile neighbour again", 20)
    with suite.check("somebody who is in no list can be blocked from the bar, and taken back"):
        unseen = "12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8"
        page.driver.get(f"{url}p/{unseen}/")
        page.wait(lambda: "Not in the list" in bar(page), "the bar")
        page.wait(lambda: page.one("#block").is_displayed(), "the button in the bar")
        page.one("#block").click()
        expect(unseen[-4:] in page.one("#block-name").text, page.one("#block-name").text)
        page.one("#block-now").click()
        page.wait(lambda: "have blocked" in curtain(page), "the curtain")
        expect(not page.one("#block").is_displayed(), "blocked, and still offered")
        page.one("#curtain-show").click()
        page.wait(lambda: not curtain(page) and page.one("#block").is_displayed(), "the site tried again")
        expect("Not in the list" in bar(page), bar(page))
        page.driver.get(f"{url}p/{me.id}/")
        page.wait(lambda: "Your own site" in bar(page), "the own site")
        expect(not page.one("#block").is_displayed(), "nobody blocks themselves")
    with suite.check("over the own site the bar leads to the page's file instead of keeping it"):
        me.write("a b/own.html", "<!doctype html><title>O</title><h1>own words</h1><a id=up href='../'>up</a>")
        page.driver.get(f"{url}p/{me.id}/a%20b/own.html?q=1#part")
        wait_site(page, "own words")
        page.wait(lambda: page.one("#edit").is_displayed() and not page.one("#keep").is_displayed(), "the button that edits")
        expect(page.one("#edit").get_attribute("href") == f"{url}site#a%20b/own.html", page.one("#edit").get_attribute("href"))
        with inside(page):
            page.one("#up").click()
        page.wait(lambda: page.one("#edit").get_attribute("href") == f"{url}site#index.html", "the file of the front page")
        page.driver.back()
        page.wait(lambda: page.one("#edit").get_attribute("href") == f"{url}site#a%20b/own.html", "the file again")
        page.one("#edit").click()
        page.wait(lambda: page.run("return document.getElementById('text-dialog')?.open"), "the editor")
        expect("own words" in page.one("#text").get_attribute("value"), page.one("#text").get_attribute("value"))
        page.one("#text-close").click()
        page.wait(lambda: not page.run("return document.getElementById('text-dialog').open"), "its end")
        expect(page.driver.current_url == f"{url}site#a%20b", page.driver.current_url)
    page.complaints()
