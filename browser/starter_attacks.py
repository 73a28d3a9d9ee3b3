"""The starter sites when a visitor goes around their pages: rows that no form lets through. See starter_checks.py."""
import contextlib
import sqlite3
import subprocess

from starter_pages import live, texts, visit
from story import browser, expect


def signed(page, message):
    page.run("return Goop.data.insert('guestbook', { name: 'Ada', message: arguments[0] })", message)


def long_entries(suite, first, second, here, there):
    # A row of a visitor may have 64 KiB, and an answer to a visitor holds 4 MiB of values.
    with suite.check("guestbook: eighty of the longest rows leave it readable for others, now and after a reload"):
        visit(first, here("guestbook/"))
        visit(second, there("guestbook/"))
        live(first)
        live(second)
        second.run("return Goop.data.insert('guestbook', { name: 'Grace', message: 'written before' })")
        refused = first.run("""return Goop.data.insert("guestbook", { name: "long", message: "x".repeat(900_000) })
            .then(() => "stored", (error) => `${error.code}: ${Goop.explain(error)}`)""")
        expect(refused == "too_large: This is more than may be stored at once. Make it shorter.", refused)
        first.run("""return (async () => {
            for (let number = 0; number < 80; number += 1) {
              await Goop.data.insert("guestbook", { name: "long", message: "x".repeat(60_000) });
            }
          })()""")
        signed(first, "written after")
        second.wait(lambda: "written after" in texts(second, ".entry p"), "the entry behind the long ones")
        expect(max(map(len, texts(second, ".entry p"))) <= 2000, "a long entry is shown")
        visit(second, there("guestbook/"))
        live(second)
        second.wait(lambda: {"written before", "written after"} <= set(texts(second, ".entry p")), "the entries")
        expect(max(map(len, texts(second, ".entry p"))) <= 2000, "a long entry is shown after the reload")
    with suite.check("a list of the SDK shows them too, by their beginnings"):
        found = second.run("""return (async () => {
            const script = document.createElement("script");
            script.src = "/sdk/goop-forms.js";
            await new Promise((done, failed) => { script.onload = done; script.onerror = failed; document.head.append(script); });
            const place = document.createElement("div");
            document.body.append(place);
            await Goop.forms.render(place, "guestbook");
            const rows = [...place.querySelectorAll("tbody tr")].map((row) => row.textContent.length);
            const isTold = place.textContent.includes("Of long values only the beginnings are shown.");
            const handle = await Goop.data.orm("guestbook");
            const shown = await handle.table(place, { order: "_id DESC", limit: 200 });
            place.remove();
            return [rows.length >= 82 && Math.max(...rows) < 5000 && isTold, shown.length === rows.length, rows];
          })()""")
        expect(found[0] and found[1], found)


def live_entries(suite, first, own):
    with browser() as keeper:
        with suite.check("guestbook: a row that changes leaves the owner's question and focus where they are"):
            visit(keeper, own("guestbook/"))
            live(keeper)
            signed(first, "as it was")
            keeper.wait(lambda: "as it was" in texts(keeper, ".entry p"), "the entry")
            button = keeper.one(".entry button")
            button.click()
            expect("Really delete" in button.text, f"not asked again: {button.text}")
            first.run("""return Goop.data.findOne("guestbook", { where: "message = ?", args: ["as it was"] })
                .then((row) => Goop.data.update("guestbook", row._id, { name: "Eve", message: "as it is" }))""")
            keeper.wait(lambda: texts(keeper, ".entry p")[0] == "as it is", "the changed entry")
            expect("Really delete" in button.text and "Eve" in button.get_attribute("aria-label"), button.get_attribute("outerHTML"))
            expect(keeper.run("return document.activeElement === arguments[0]", button), "the focus went")
        with suite.check("guestbook: a change of a row that is not shown does not put it at the top"):
            first.run("""return Goop.data.findOne("guestbook", { where: "name = 'long'", fields: ["_id"] })
                .then((row) => Goop.data.update("guestbook", row._id, { name: "short", message: "from below" }))""")
            signed(first, "behind the change")
            keeper.wait(lambda: "behind the change" in texts(keeper, ".entry p"), "the entry behind the change")
            expect("from below" not in texts(keeper, ".entry p"), "an old row is at the top")
        with suite.check("guestbook: however many entries come, the page keeps the newest 200"):
            first.run("""return (async () => {
                for (let number = 0; number < 205; number += 1) {
                  await Goop.data.insert("guestbook", { name: "flood", message: `flood ${number}` });
                }
              })()""")
            keeper.wait(lambda: texts(keeper, ".entry p")[0] == "flood 204", "the last entry", seconds=20)
            expect(len(texts(keeper, ".entry")) == 200, f"{len(texts(keeper, '.entry'))} entries")
            expect(texts(keeper, ".entry p")[-1] == "flood 5", f"the oldest is {texts(keeper, '.entry p')[-1]}")
    first.run("""return Goop.data.deleteWhere("guestbook", {
        where: "_owner = ? AND name IN ('long', 'short', 'flood', 'Ada', 'Eve')", args: [arguments[0]] })""", suite.visitor)


def long_votes(suite, first, second, here, there):
    def label():
        return second.one("#result svg").get_attribute("aria-label")

    with suite.check("poll: eighty of the longest rows leave the result as it was, now and after a reload"):
        visit(first, here("poll/"))
        visit(second, there("poll/"))
        live(first)
        live(second)
        before = label()
        first.run("""return (async () => {
            for (let number = 0; number < 80; number += 1) await Goop.data.insert("votes", { choice: "x".repeat(60_000) });
          })()""")
        visit(second, there("poll/"))
        live(second)
        expect(label() == before, f"{label()}, not {before}")
    with suite.check("poll: a choice that is not sent yet stays when the rows are read again"):
        second.one("input[value='A book']").click()
        # With another table the stream is made anew, and the page reads its rows again.
        second.run("""
            window.answers = 0;
            const find = Goop.data.find;
            Goop.data.find = async (...values) => { const rows = await find(...values); answers += 1; return rows; };
            Goop.data.subscribe("guestbook", {});""")
        second.wait(lambda: second.run("return answers") >= 2, "the rows to be read again")
        expect(second.one("input[value='A book']").is_selected(), "the choice is gone")
    first.run("return Goop.data.deleteWhere('votes', { where: 'length(choice) > 200' })")


def handle(suite, page, program, owner, here):
    with suite.check("a handle of a table without a schema knows what its visitor may do"):
        for table, policy in (("classic_open", "open"), ("classic_owner", "owner")):
            done = subprocess.run([str(program), "data", str(owner.folder), "create", table, "text:text", "--policy", policy],
                                  capture_output=True, text=True, timeout=30)
            expect(done.returncode == 0, done.stderr)
        visit(page, here("guestbook/"))
        live(page)
        found = page.run("""return Promise.all(["classic_open", "classic_owner"].map((table) => Goop.data.orm(table)))
            .then((handles) => handles.map(({ canInsert, access }) => `${canInsert} ${access?.insert}`))""")
        expect(found == ["true open", "false owner"], found)


def long_posts(suite, page, owner, here):
    with suite.check("blog: a hundred long posts are listed for a visitor, by their beginnings"):
        with contextlib.closing(sqlite3.connect(owner.folder / "data.db", timeout=10)) as database:
            database.executemany("INSERT INTO posts (_owner, slug, title, body) VALUES (?, ?, ?, ?)",
                                 [(owner.id, f"long-{number}", f"Long {number}", "word " * 12_000) for number in range(100)])
            database.commit()
        visit(page, here("blog/"))
        page.wait(lambda: page.run("return document.getElementById('live').dataset.state"), "the posts or a refusal")
        found = texts(page, "#posts li > p:first-of-type")
        expect(len(found) == 100 and max(map(len, found)) < 170, page.one("#live").text)
        with contextlib.closing(sqlite3.connect(owner.folder / "data.db", timeout=10)) as database:
            database.execute("DELETE FROM posts WHERE slug LIKE 'long-%'")
            database.commit()
        # What another program changes in the file is not told to pages.
        visit(page, here("blog/"))
        page.wait(lambda: 0 < len(texts(page, "#posts li")) < 100, "the list without them")


def attacks(suite, first, second, program, owner, here, there, own):
    # One script writes hundreds of rows.
    first.driver.set_script_timeout(120)
    long_entries(suite, first, second, here, there)
    live_entries(suite, first, own)
    long_votes(suite, first, second, here, there)
    handle(suite, first, program, owner, here)
    long_posts(suite, first, owner, here)
