"""The Data room as its checks see it: its dialogs, its rows, its owner elsewhere, and a visitor of the site."""
import contextlib
import json
import sqlite3
import urllib.request

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from story import expect


def base36(peer):
    """The name of a peer's web origin: a CID of its id, in base 36."""
    number = 0
    for letter in peer:
        number = number * 58 + "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".index(letter)
    # Each 1 in front stands for a byte of zero.
    zeros = bytes(len(peer) - len(peer.lstrip("1")))
    number = int.from_bytes(b"\x01\x72" + zeros + number.to_bytes((number.bit_length() + 7) // 8, "big"), "big")
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return "k" + digits


class Visitor:
    """What a page of a site does in the visitor's browser, without the page."""

    def __init__(self, viewer, owner):
        self.viewer = viewer
        self.owner = owner

    def __call__(self, operation, **body):
        port = self.viewer.rstrip("/").rsplit(":", 1)[1]
        request = urllib.request.Request(
            f"{self.viewer}api/p/{self.owner}/data/{operation}", json.dumps(body).encode(),
            {"Host": f"{base36(self.owner)}.localhost:{port}", "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)


def stored(peer, query):
    with contextlib.closing(sqlite3.connect(f"file:{peer.folder}/data.db?mode=ro", uri=True)) as database:
        return database.execute(query).fetchall()


def press(page, text, within="body"):
    """Clicks the button of that name."""
    def pressed():
        for found in page.driver.find_elements(By.CSS_SELECTOR, f"{within} button, {within} a.button"):
            if found.is_displayed() and text in (found.text, found.get_attribute("aria-label")):
                found.click()
                return True
        raise AssertionError(f"no button {text}: {page.text()[:400]}")
    # Any of them may be replaced between being found and being looked at; then nothing was clicked.
    page.wait(pressed, f"the button {text}")


def field(page, label, within="#sheet"):
    """The control with that label."""
    for found in page.driver.find_elements(By.CSS_SELECTOR, f"{within} label"):
        if found.is_displayed() and found.text.split(" (needed)")[0] == label:
            return page.run("return arguments[0].control", found)
    raise AssertionError(f"no field {label}: {page.text()[:400]}")


def fill(page, label, text, within="#sheet"):
    control = field(page, label, within)
    control.clear()
    control.send_keys(text)


def choose(page, label, text, within="#sheet"):
    Select(field(page, label, within)).select_by_visible_text(text)


def said(page, selector):
    """The text there, also while it is being drawn anew."""
    return page.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector)


def opened(page, name="sheet"):
    return page.run("return document.getElementById(arguments[0]).open", name)


def shut(page, name="sheet"):
    page.wait(lambda: not opened(page, name), f"{name} closed")


def lines(page):
    """The rows as texts, without the column of buttons."""
    return page.run("return [...document.querySelectorAll('#rows tbody tr')].filter(row => row.offsetParent)"
                    ".map(row => [...row.cells].slice(1).map(cell => cell.innerText))")


def names(page):
    return page.run("return [...document.querySelectorAll('#tables .name')].map(name => name.textContent)")


def visit(page, url, table=None):
    page.driver.get("about:blank")
    page.driver.get(f"{url}data" + (f"#{table}" if table else ""))
    page.wait(lambda: page.one("#tables").get_attribute("aria-busy") is None, "the tables")
    if table:
        page.wait(lambda: page.one("#table").is_displayed() and page.one("#grid").get_attribute("aria-busy") is None, table)


def as_owner(page, operation, **body):
    """What the owner does elsewhere: the page does not know that it has asked for it."""
    answer = page.run("""
        return fetch(`/api/data/${arguments[0]}`, {method: "POST", body: arguments[1], headers: {"Content-Type": "application/json",
            "X-Goop-Token": document.querySelector("meta[name=goop-token]").content}})
            .then(async (answer) => [answer.ok, await answer.text()])
        """, operation, json.dumps(body))
    expect(answer[0], answer[1])
