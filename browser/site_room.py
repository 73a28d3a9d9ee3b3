"""The room My site: what its owner does with files there, in a real browser. See run."""
import pathlib
import shutil
import subprocess
import tempfile
import time
import urllib.parse

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from origins import inside, wait_site
from story import browser, expect

# A drop as the browser makes it: files in a DataTransfer, over the panel and let go there.
DROP = """
const [names, done] = [arguments[0], arguments[1]];
const transfer = new DataTransfer();
for (const [name, text] of names) transfer.items.add(new File([text], name));
const place = document.getElementById("drop-text");
for (const type of ["dragenter", "dragover", "drop"])
  place.dispatchEvent(new DragEvent(type, {bubbles: true, cancelable: true, dataTransfer: transfer}));
done();
"""

# A page that follows its site, as docs/protocols.md has it. It says so: what changes before that is not told to it.
FOLLOWING = """
const watch = new EventSource(`/api/p/${location.pathname.split("/")[2]}/watch`);
watch.addEventListener("ready", () => document.body.append(" listening"));
watch.addEventListener("change", ({ data }) => { if (JSON.parse(data).paths.includes("/two.html")) location.reload(); });
"""


def names(page):
    return page.run("return [...document.querySelectorAll('#files li')].map(item => item.dataset.path)")


def click(page, selector):
    """In the middle of the window, where no word at its foot covers it."""
    found = page.one(selector)
    page.run("arguments[0].scrollIntoView({block: 'center'})", found)
    found.click()


def press(page, label):
    click(page, f'#files [aria-label="{label}"]')


def ready(page):
    page.wait(lambda: page.one("#files").get_attribute("aria-busy") is None and page.one("#link").get_attribute("value"), "the files")


def toast(page, text):
    page.wait(lambda: text in page.one("#toast").text, f"the word “{text}”")


def uploaded(page, text):
    """Waits for the word and takes it away, so that the next one is not mistaken for it."""
    toast(page, text)
    page.one("#toast button:last-child").click()


def dialog(page, name):
    page.wait(lambda: page.run(f"return document.getElementById('{name}').open"), f"the dialog {name}")


def answer(page, word):
    dialog(page, "ask-dialog")
    for button in page.driver.find_elements(By.CSS_SELECTOR, "#ask-answers button"):
        if button.text == word:
            return button.click()
    raise AssertionError(f"no answer {word}: {page.one('#ask-answers').text}")


def type_name(page, name):
    dialog(page, "name-dialog")
    field = page.one("#name")
    field.send_keys(Keys.CONTROL + "a")
    field.send_keys(name)
    page.one("#name-ok").click()


def drop(page, *files):
    page.driver.execute_async_script(DROP, [list(file) for file in files])


def code_text(suite, page):
    """What a camera program reads in the QR code on the page."""
    click(page, "#code-box summary")
    page.run("document.getElementById('code').scrollIntoView({block: 'center'})")
    shot = pathlib.Path(suite.screenshots) / "room-site-code.png"
    page.one("#code").screenshot(str(shot))
    found = subprocess.run(["zbarimg", "-q", "--raw", "-Sdisable", "-Sqrcode.enable", str(shot)], capture_output=True, text=True)
    return found.stdout.strip()


def files(suite, url, peer):
    site = peer.site
    with browser(1280, 1000, reduced_motion=True) as page, tempfile.TemporaryDirectory() as folder:
        page.driver.get(url + "site")
        ready(page)
        with suite.check("My site lists the folder that visitors see"):
            expect(names(page) == sorted(path.name for path in site.iterdir() if not path.name.startswith(".")), names(page))
            expect(str(site.resolve()) in page.one("#folder").text, page.one("#folder").text)

        with suite.check("files that are dropped are in the folder"):
            peer.write("following.js", FOLLOWING)
            drop(page, ("one.txt", "first"), (".secret", "no"),
                 ("two.html", "<!doctype html><title>Two</title><script defer src=following.js></script><p>dropped page"))
            uploaded(page, "2 files uploaded")
            expect((site / "one.txt").read_text() == "first", "one.txt")
            expect({"one.txt", "two.html"} <= set(names(page)), names(page))
            expect(not (site / ".secret").exists(), ".secret was uploaded")
            expect(".secret: names like this are never shown" in page.one("#upload-problems").text, page.one("#upload-problems").text)
            suite.shot(page, "room-site-dropped")

        with suite.check("a file that is there is named, and replaced only when that is said"):
            drop(page, ("one.txt", "second"), ("three.txt", "3"))
            dialog(page, "ask-dialog")
            expect(page.one("#ask-list").text == "one.txt", page.one("#ask-list").text)
            suite.shot(page, "room-site-replace")
            answer(page, "Upload only the others")
            uploaded(page, "1 file uploaded")
            expect((site / "one.txt").read_text() == "first" and (site / "three.txt").read_text() == "3", "contents")
            drop(page, ("one.txt", "second"))
            answer(page, "Replace it")
            page.wait(lambda: (site / "one.txt").read_text() == "second", "the new content")
            page.wait(lambda: not page.one("#upload").is_displayed(), "the end of the upload")

        with suite.check("what was replaced is put back, and changes places with what is there"):
            uploaded(page, "1 file uploaded")
            page.wait(lambda: "(1)" in page.one("#trash-title").text, "the earlier file in the trash")
            click(page, "#trash-title")
            click(page, '[aria-label="Put back one.txt"]')
            answer(page, "Put back")
            uploaded(page, "one.txt is back")
            expect((site / "one.txt").read_text() == "first", "the earlier text")
            click(page, '[aria-label="Put back one.txt"]')
            answer(page, "Put back")
            uploaded(page, "one.txt is back")
            expect((site / "one.txt").read_text() == "second", "the later text")
            click(page, "#trash-title")

        with suite.check("several large files by the button, with their exact bytes"):
            big = pathlib.Path(folder) / "big.bin"
            big.write_bytes(bytes(range(256)) * 80_000)
            more = pathlib.Path(folder) / "näme with blanks.txt"
            more.write_text("more")
            page.one("#pick-files").send_keys(f"{big}\n{more}")
            uploaded(page, "2 files uploaded")
            expect((site / "big.bin").read_bytes() == big.read_bytes(), "big.bin differs")
            expect((site / more.name).read_text() == "more", more.name)

        with suite.check("a folder by the button comes with its folders"):
            for path in ("album/a.txt", "album/inner/b.txt"):
                (pathlib.Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
                (pathlib.Path(folder) / path).write_text(path)
            page.one("#pick-folder").send_keys(str(pathlib.Path(folder) / "album"))
            uploaded(page, "2 files uploaded")
            expect((site / "album/inner/b.txt").read_text() == "album/inner/b.txt", "album/inner/b.txt")

        with suite.check("a folder is opened and left again; a reload stays in it"):
            click(page, '#files [data-path="album"] .name')
            page.wait(lambda: names(page) == ["album/inner", "album/a.txt"], "the folder")
            page.driver.refresh()
            ready(page)
            expect(names(page) == ["album/inner", "album/a.txt"], names(page))
            suite.shot(page, "room-site-folder")
            click(page, "#crumbs button")
            page.wait(lambda: "one.txt" in names(page), "the top")

        with suite.check("rename, into a folder too; onto another file only when that is said"):
            press(page, "Rename three.txt")
            type_name(page, "one.txt")
            page.wait(lambda: "exists already" in page.one("#name-fault").text, "the refusal")
            expect((site / "one.txt").read_text() == "second", "replaced")
            suite.shot(page, "room-site-rename")
            type_name(page, "../outside.txt")
            page.wait(lambda: "../outside.txt" in page.one("#name-fault").text, "the refusal")
            type_name(page, "texts/3.txt")
            toast(page, "Renamed to texts/3.txt")
            expect((site / "texts/3.txt").read_text() == "3" and not (site / "three.txt").exists(), "the file")
            expect(not (site.parent / "outside.txt").exists(), "outside.txt")

        with suite.check("what the trash has no room for is named before something else is replaced"):
            lost = page.run("""
                const file = (path, size) => ({ path, size, kind: "file" });
                const sheet = { trash: { bytes: 100, items: 3 }, files: [file("small", 10), file("large", 200), file("c", 10), file("d", 10)], deleted: [] };
                const item = (path, bytes, days = 1) => ({ path, bytes, deleted: Date.now() - days * 24 * 3600 * 1000 });
                const told = (paths, deleted) => [paths, { ...sheet, deleted }];
                const cases = [
                  told(["small"], []), told(["large"], [item("old", 1)]), told(["small"], [item("new", 60), item("old", 40)]),
                  told(["small"], [item("new", 60), item("over", 40, 8)]), told(["small", "c", "d"], [item("old", 1)]), told(["large", "small"], []),
                ];
                return import("/assets/site-upload.js").then(({ lossText }) =>
                  cases.map(([paths, sheet]) => lossText(sheet, paths).replace(/^.*goes for good: /, "")));""")
            expect(lost == ["", "old.", "old.", "", "old.", "large."], lost)

        with suite.check("a rename that replaces names it too, and does so"):
            # Of yesterday, and as large as all of it may be.
            heavy = site / ".goop/trash" / f"{int(time.time() - 24 * 3600) * 1000}-heavy"
            heavy.mkdir(parents=True)
            for note, text in (("from", "heavy.txt"), ("bytes", str(2 << 30)), ("item", "x")):
                (heavy / note).write_text(text)
            peer.write("target.txt", "earlier")
            peer.write("renamed.txt", "renamed")
            page.wait(lambda: {"target.txt", "renamed.txt"} <= set(names(page)), "the files")
            press(page, "Rename renamed.txt")
            type_name(page, "target.txt")
            page.wait(lambda: page.one("#name-fault").text.endswith("so this goes for good: heavy.txt."), "the name of what goes")
            expect((site / "target.txt").read_text() == "earlier" and heavy.exists(), "replaced unasked")
            suite.shot(page, "room-site-rename-loss")
            page.one("#name-replace").click()
            toast(page, "Renamed to target.txt. The file that had this name can be put back for a week.")
            expect((site / "target.txt").read_text() == "renamed" and not heavy.exists(), "not as it was said")
            click(page, "#trash-title")
            listed = page.one("#trash-list").text
            expect("target.txt" in listed and "heavy.txt" not in listed, listed)
            click(page, "#trash-title")
            (site / "target.txt").unlink()
            page.wait(lambda: "target.txt" not in names(page), "the list without it")

        with suite.check("delete asks first, and can be undone"):
            press(page, "Delete album")
            dialog(page, "ask-dialog")
            expect("3 files and folders in it" in page.one("#ask-text").text, page.one("#ask-text").text)
            answer(page, "Cancel")
            expect((site / "album").exists(), "deleted without a yes")
            press(page, "Delete album")
            answer(page, "Delete")
            toast(page, "Deleted album")
            expect(not (site / "album").exists(), "still there")
            page.one("#toast button").click()
            toast(page, "album is back")
            expect((site / "album/inner/b.txt").exists(), "not back")

        with suite.check("where a folder has the name or would come back, no exchange is offered, and what to do is said"):
            press(page, "Delete album")
            answer(page, "Delete")
            toast(page, "Deleted album")
            peer.write("album", "no folder")
            page.wait(lambda: page.run("return document.querySelector('#files [aria-label^=\"Preview album,\"]') !== null"), "the file")
            click(page, "#trash-title")
            expect("folder, " in page.one("#trash-list li").text, page.one("#trash-list").text)
            click(page, '[aria-label="Put back album"]')
            toast(page, "Your site has a file album now. Rename or delete that one first, then put this folder back.")
            expect(not page.run("return document.getElementById('ask-dialog').open"), "a question that has no good answer")
            expect((site / "album").read_text() == "no folder", "album was replaced")
            press(page, "Rename album")
            type_name(page, "album.txt")
            toast(page, "Renamed to album.txt")
            click(page, '[aria-label="Put back album"]')
            toast(page, "album is back")
            expect((site / "album/inner/b.txt").exists() and (site / "album.txt").read_text() == "no folder", "not both")
            press(page, "Delete album.txt")
            answer(page, "Delete")
            toast(page, "Deleted album.txt")
            (site / "album.txt").mkdir()
            page.wait(lambda: "album.txt" in names(page), "the folder")
            click(page, '[aria-label="Put back album.txt"]')
            toast(page, "Your site has a folder album.txt now. Rename or delete that one first, then put this file back.")
            expect(not page.run("return document.getElementById('ask-dialog').open"), "a question that has no good answer")
            (site / "album.txt").rmdir()
            page.wait(lambda: "album.txt" not in names(page), "the list without it")
            click(page, "#trash-title")

        with suite.check("what was deleted is put back later, or goes for good"):
            for name in ("big.bin", "two.html"):
                press(page, f"Delete {name}")
                answer(page, "Delete")
                toast(page, f"Deleted {name}")
            click(page, "#trash-title")
            click(page, '[aria-label="Put back two.html"]')
            toast(page, "two.html is back")
            suite.shot(page, "room-site-trash")
            click(page, "#trash-empty")
            answer(page, "Delete for good")
            toast(page, "The trash is empty")
            expect(list((site / ".goop/trash").iterdir()) == [], "something is left")

        with suite.check("preview opens the page in the viewer"):
            press(page, "Preview two.html, in a new tab")
            page.wait(lambda: len(page.driver.window_handles) == 2, "a tab")
            room, tab = page.driver.window_handles
            page.driver.switch_to.window(tab)
            wait_site(page, "dropped page")
            expect(page.driver.current_url == f"{url}p/{peer.id}/two.html", page.driver.current_url)

        with suite.check("a long text opens at its beginning"):
            peer.write("long.txt", "\n".join(f"line {number}" for number in range(500)))
            page.driver.switch_to.window(room)
            page.wait(lambda: "long.txt" in names(page), "the file")
            press(page, "Edit long.txt")
            dialog(page, "text-dialog")
            at = page.run("const text = document.getElementById('text'); return [text.scrollTop, text.selectionStart, document.activeElement === text]")
            expect(at == [0, 0, True], at)
            page.one("#text-close").click()
            page.wait(lambda: not page.run("return document.getElementById('text-dialog').open"), "no dialog")

        with suite.check("an edit is saved, and an open page that follows the site shows it by itself"):
            page.driver.switch_to.window(tab)
            wait_site(page, "listening")
            page.driver.switch_to.window(room)
            press(page, "Edit two.html")
            dialog(page, "text-dialog")
            text = page.one("#text")
            text.send_keys(Keys.CONTROL + "a")
            text.send_keys("<!doctype html><title>Two</title><p>edited page")
            suite.shot(page, "room-site-edit")
            page.one("#text-save").click()
            toast(page, "two.html is saved")
            expect("edited page" in (site / "two.html").read_text(), "the file")
            page.driver.switch_to.window(tab)
            wait_site(page, "edited page")
            page.driver.close()
            page.driver.switch_to.window(room)

        with suite.check("an edit keeps the way in which lines end; of several it makes one, and says so"):
            for name, before, says, after in (("windows.txt", b"a\r\nb\r\n", "", b"a\r\nb\r\n!"), ("old-mac.txt", b"a\rb", "", b"a\rb!"),
                                              ("mixed.txt", b"a\r\nb\nc", "Saving makes all of them end in one: CR LF", b"a\r\nb\r\nc!")):
                (site / name).write_bytes(before)
                page.wait(lambda: name in names(page), name)
                press(page, f"Edit {name}")
                dialog(page, "text-dialog")
                note = page.one("#text-note")
                expect(note.is_displayed() == bool(says) and says in note.text, f"{name}: {note.text!r}")
                page.run("const text = document.getElementById('text'); text.setSelectionRange(text.value.length, text.value.length)")
                page.one("#text").send_keys("!")
                page.one("#text-save").click()
                toast(page, f"{name} is saved")
                expect((site / name).read_bytes() == after, (site / name).read_bytes())
                (site / name).unlink()
                page.wait(lambda: name not in names(page), f"no {name}")

        with suite.check("an edit does not undo what another program wrote meanwhile"):
            press(page, "Edit two.html")
            dialog(page, "text-dialog")
            peer.write("two.html", "by another program")
            page.one("#text").send_keys("mine")
            page.one("#text-save").click()
            page.wait(lambda: "changed by something else" in page.one("#text-fault").text, "the refusal")
            expect((site / "two.html").read_text() == "by another program", "overwritten")
            page.one("#text-close").click()
            page.one("#text-close").click()
            page.wait(lambda: not page.run("return document.getElementById('text-dialog').open"), "no dialog")

        with suite.check("a new folder and a new text file"):
            click(page, "#new-folder")
            type_name(page, "notes")
            toast(page, "The folder notes is there")
            click(page, "#new-text")
            type_name(page, "notes/today.md")
            dialog(page, "text-dialog")
            page.one("#text").send_keys("# Today")
            page.one("#text-save").click()
            toast(page, "notes/today.md is saved")
            expect((site / "notes/today.md").read_text() == "# Today", "the text")

        with suite.check("what another program does in the folder shows by itself"):
            peer.write("from-outside.txt", "x")
            page.wait(lambda: "from-outside.txt" in names(page), "the file")
            expect("1 byte, changed" in page.one("#files").text, page.one("#files").text)
            press(page, "Rename from-outside.txt")
            dialog(page, "name-dialog")
            peer.write("meanwhile.txt", "x")
            time.sleep(1.5)  # what must not happen under the dialog, which is told within a second
            expect("meanwhile.txt" not in names(page), "the list changed under the dialog")
            page.one("#name-cancel").click()
            page.wait(lambda: "meanwhile.txt" in names(page), "the file that came while the dialog was open")

        with suite.check("a dialog that is opened again before the page is told of its end stays, and does what it is for"):
            press(page, "Rename meanwhile.txt")
            dialog(page, "name-dialog")
            page.run("""
                document.getElementById("name-cancel").click();
                document.querySelector('#files [aria-label="Rename meanwhile.txt"]').click();""")
            page.frames()
            type_name(page, "at once.txt")
            toast(page, "Renamed to at once.txt")
            expect((site / "at once.txt").exists() and not (site / "meanwhile.txt").exists(), "the file")

        with suite.check("nothing complained on the console"):
            found = page.complaints("status of 400", "status of 409", "status of 403")
            expect(not found, found)


def starters(suite, url, peer):
    site = peer.site
    with browser(1280, 1000, reduced_motion=True) as page:
        page.driver.get(url + "site")
        ready(page)
        with suite.check("a starter site names every file that it would replace, and asks"):
            before = (site / "index.html").read_text()
            click(page, "#starter-poll")
            click(page, "#starter-look")
            dialog(page, "ask-dialog")
            listed = page.one("#ask-list").text
            expect("index.html (replaces yours)" in listed and "poll.js (new)" in listed, listed)
            suite.shot(page, "room-site-starter")
            answer(page, "Cancel")
            expect((site / "index.html").read_text() == before and not (site / "poll.js").exists(), "written without a yes")

        with suite.check("and works when it is wanted, with its table"):
            click(page, "#starter-look")
            answer(page, "Replace")
            toast(page, "is in your folder")
            expect((site / "poll.js").exists() and (site / "one.txt").read_text() == "second", "the files")
            page.driver.get(f"{url}p/{peer.id}/")
            wait_site(page, "votes")

        with suite.check("a table that is there is told of, with the columns that the pages need"):
            page.driver.get(url + "site")
            ready(page)
            click(page, "#starter-poll")
            click(page, "#starter-look")
            toast(page, "The table votes was there and stays as it is; the pages need these columns: choice")

    with suite.check("a site that is gone is started anew"), browser(1280, 1000, reduced_motion=True) as page:
        shutil.rmtree(site)
        page.driver.get(url + "site")
        ready(page)
        expect(names(page) == [] and page.one("#none").is_displayed(), names(page))
        click(page, "#starter-plain")
        click(page, "#starter-look")
        answer(page, "Add")
        page.wait(lambda: names(page) == ["index.html", "style.css"], "the files")


def share(suite, url, peer):
    with browser(1280, 1000, reduced_motion=True) as page:
        page.driver.get(url + "site")
        ready(page)
        link = f"http://127.0.0.1:8080/p/{peer.id}/"
        with suite.check("the link is copied"):
            page.cdp("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"], origin=url.rstrip("/"))
            expect(page.one("#link").get_attribute("value") == link, page.one("#link").get_attribute("value"))
            click(page, "#copy-link")
            toast(page, "The link is copied")
            copied = page.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0], e => arguments[0](String(e)))")
            expect(copied == link, copied)
        if shutil.which("zbarimg"):
            with suite.check("a camera reads the same link in the QR code"):
                page.wait(lambda: page.run("return document.getElementById('code').naturalWidth > 0"), "the picture")
                found = code_text(suite, page)
                expect(found == link, found)
        else:
            suite.missing("the QR code is not read back: zbar-tools is not installed")


def guards(suite, url, peer):
    """From a page of the viewer without the token, and from the page of a site."""
    with browser() as page, suite.check("no upload without the token, and none from a site"):
        page.driver.get(url + "site")
        ready(page)
        send = ("const [url, done] = [arguments[0], arguments[1]]; fetch(url, {method: 'POST', body: 'x',"
                "headers: {'Content-Type': 'application/octet-stream'}}).then(r => done(r.status), e => done(0))")
        upload = url + "api/rooms/site/upload?" + urllib.parse.urlencode({"path": "evil.html"})
        status = page.driver.execute_async_script(send, upload)
        expect(status == 403, status)
        page.driver.get(f"{url}p/{peer.id}/")
        wait_site(page, peer.folder.name)
        with inside(page):
            status = page.driver.execute_async_script(send, upload)
        expect(status in (0, 403), status)
        expect(not (peer.site / "evil.html").exists(), "evil.html was written")


def dialogs():
    """What to open before looking, by name: `looks` takes each."""
    def rename(page):
        ready(page)
        page.one("#files .row button:nth-last-child(2)").click()
        dialog(page, "name-dialog")

    def edit(page):
        ready(page)
        press(page, "Edit index.html")
        dialog(page, "text-dialog")

    def delete(page):
        ready(page)
        page.one("#files .row button:last-child").click()
        dialog(page, "ask-dialog")

    return {"site-rename": rename, "site-edit": edit, "site-delete": delete}


def by_keyboard(suite, url, peer, tab_to, focused, keys):
    """The same with keys alone; the three are those of the other rooms."""
    site = peer.site
    with browser(1280, 1000, reduced_motion=True) as page:
        page.driver.get(url + "site")
        ready(page)
        with suite.check("keys: a new text file, written and saved"):
            tab_to(page, "new-text")
            keys(page, Keys.ENTER)
            dialog(page, "name-dialog")
            keys(page, "keys.txt", Keys.ENTER)
            dialog(page, "text-dialog")
            keys(page, "by keys")
            tab_to(page, "text-save")
            keys(page, Keys.ENTER)
            page.wait(lambda: (site / "keys.txt").read_text() == "by keys", "the text")
            # The dialog closes a moment later, and gives the focus back.
            toast(page, "keys.txt is saved")
        with suite.check("keys: rename, and Escape changes nothing and gives the focus back"):
            tab_to(page, "Rename keys.txt")
            keys(page, Keys.ENTER)
            dialog(page, "name-dialog")
            keys(page, "other.txt", Keys.ESCAPE)
            page.wait(lambda: "Rename keys.txt" in focused(page), "the focus on the button")
            expect((site / "keys.txt").exists(), "renamed")
            keys(page, Keys.ENTER)
            dialog(page, "name-dialog")
            keys(page, Keys.CONTROL + "a")
            keys(page, "renamed.txt", Keys.ENTER)
            page.wait(lambda: (site / "renamed.txt").exists(), "the new name")
            page.wait(lambda: "renamed.txt" in names(page), "the new name in the list")
        with suite.check("keys: delete, and undo with the next key"):
            tab_to(page, "Delete renamed.txt")
            keys(page, Keys.ENTER)
            dialog(page, "ask-dialog")
            page.wait(lambda: focused(page) == "Cancel", "the focus on Cancel")
            tab_to(page, "Delete", most=3)
            keys(page, Keys.ENTER)
            page.wait(lambda: "Undo" in focused(page), "the focus on Undo")
            expect(not (site / "renamed.txt").exists(), "still there")
            keys(page, Keys.ENTER)
            page.wait(lambda: (site / "renamed.txt").exists(), "it is back")
        with suite.check("keys: look at a ready-made site, and add nothing"):
            tab_to(page, "starter-plain")
            keys(page, Keys.ARROW_DOWN)
            tab_to(page, "starter-look")
            keys(page, Keys.ENTER)
            dialog(page, "ask-dialog")
            keys(page, Keys.ESCAPE)
            page.wait(lambda: focused(page) == "starter-look", "the focus on the button")
        with suite.check("keys: copy the link"):
            tab_to(page, "copy-link")
            keys(page, Keys.ENTER)
            page.wait(lambda: page.one("#toast").is_displayed(), "a word about it")


def room(suite, url, peer):
    share(suite, url, peer)
    files(suite, url, peer)
    guards(suite, url, peer)
    starters(suite, url, peer)
