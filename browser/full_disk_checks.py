"""A visitor signs a guestbook whose owner's disk is full: the page says so, keeps what was typed, and works once there is room. See run."""
import contextlib
import subprocess

import part
from part import ended
from peer import Peer
from starter_checks import fill, live, rows, texts, visit
from story import browser, expect


def take_all_room(folder):
    with open(folder / "ballast", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


@contextlib.contextmanager
def mounted(disk):
    """A disk of 4 MB in this place."""
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", disk], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def story(suite, program, folder):
    disk = folder / "owner"
    owner = Peer(program, disk, "--label", "Full", "--starter", "guestbook", "--no-viewer")
    me = Peer(program, folder / "me", "--label", "Ada")
    with mounted(disk), ended(me, owner, suite=suite):
        url = me.start()["viewer"]["url"]
        owner.start()
        with browser() as page:
            page.driver.get(url)
            page.wait(lambda: "Full" in page.run("return document.body.innerText"), "the owner", seconds=20)
            visit(page, f"{url}p/{owner.id}/")
            live(page)
            page.wait(lambda: page.driver.find_elements("css selector", "#sign textarea"), "the form")
            status = lambda: page.one("#sign [role=status]").text

            with suite.check("a full disk is told to the visitor, and what was typed is still there"):
                take_all_room(disk)
                message, stored = "", 0
                # What the database had set aside takes a few entries yet.
                for number in range(60):
                    message = f"{number}: " + "a long entry " * 30
                    page.run("arguments[0].value = arguments[1]", page.one("#sign textarea"), message)
                    page.one("#sign button[type=submit]").click()
                    page.wait(lambda: "disk is full" in status() or message.strip() in texts(page, ".entry p"), "an answer")
                    if "disk is full" in status():
                        break
                    stored += 1
                expect("disk is full" in status(), status())
                expect("not stored" in status(), status())
                expect(page.one("#sign textarea").get_attribute("value") == message, "what was typed is gone")
                suite.shot(page, "full-disk")

            with suite.check("what was acknowledged is there, and the form works once there is room"):
                (disk / "ballast").unlink()
                fill(page, "#sign textarea", "there is room again")
                page.one("#sign button[type=submit]").click()
                page.wait(lambda: "there is room again" in texts(page, ".entry p"), "the entry")
                expect(len(rows(owner, "SELECT _id FROM guestbook")) == stored + 1, "another number of rows")
                suite.shot(page, "full-disk-room-again")

if __name__ == "__main__":
    part.run("full disk", story, part.options(__doc__))
