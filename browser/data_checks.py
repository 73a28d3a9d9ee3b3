"""The Data room: the owner's tables, with a visitor who writes into them from another peer. See run."""
import json
import time
import urllib.error

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

import part
from axe import large, look_through, looks
from data_live import elsewhere, of_others, undisturbed
from data_room import Visitor, as_owner, choose, field, fill, lines, names, opened, press, said, shut, stored, visit
from part import ended
from peer import Peer
from rooms_checks import focused, keys, tab_to
from story import HOSTILE_NAME, browser, expect

LONG = "long " * 2000
TURNED = "left \u202e turned"
FORMULA = "=1+1"


def tables(suite, page, url, ada):
    with suite.check("a table by a form: columns, types, needed, unique, a default, and who may do what"):
        visit(page, url)
        expect("no table yet" in page.one("#tables").text, page.one("#tables").text)
        press(page, "New table")
        press(page, "Make the table", "#sheet")
        page.wait(lambda: "Give the table a name." == said(page, "#sheet .fault"), "the refusal of no name")
        fill(page, "Name of the table", "guest book")
        fill(page, "Name of the column", "text")
        press(page, "Make the table", "#sheet")
        page.wait(lambda: "invalid table name" in said(page, "#sheet .fault"), "the refusal")
        fault = page.run("return document.activeElement.value")
        expect(fault == "guest book", f"the focus is on {fault}")
        where = page.run("""
            const field = document.activeElement, fault = document.querySelector("#sheet .fault");
            return [field.previousElementSibling === fault, field.getAttribute("aria-describedby").split(" ").includes(fault.id),
                    field.getAttribute("aria-invalid"), fault.innerText, fault.getBoundingClientRect().top > 0]""")
        expect(where[:3] == [True, True, "true"] and "::" not in where[3] and ": l" not in where[3] and where[4], where)
        expect(page.run("return [...document.querySelectorAll('#sheet .row.end button')].map(one => one.textContent)")
               == ["Cancel", "Make the table"], "another order of buttons")
        suite.shot(page, "data-refused")
        fill(page, "Name of the table", "guestbook")
        page.driver.find_element(By.XPATH, "//*[@id='sheet']//label[contains(., 'Needed in every row')]").click()
        press(page, "Another column", "#sheet")
        boxes = page.driver.find_elements(By.CSS_SELECTOR, "#sheet .columns fieldset")
        expect(len(boxes) == 2, "no second column")
        page.run("arguments[0].id = 'second'", boxes[1])
        fill(page, "Name of the column", "stars", "#second")
        choose(page, "What it holds", "Whole number", "#second")
        fill(page, "Value if left empty", "3", "#second")
        press(page, "Another column", "#sheet")
        page.run("document.querySelectorAll('#sheet .columns fieldset')[2].id = 'third'")
        fill(page, "Name of the column", "mood", "#third")
        choose(page, "What it holds", "One of a few choices", "#third")
        fill(page, "Choices", "glad, sad", "#third")
        choose(page, "Who may do what", "Notice board")
        press(page, "Make the table", "#sheet")
        page.wait(lambda: names(page) == ["guestbook"], "the table in the list")
        shut(page)
        expect("only I write" in page.one("#table-policy").text, page.one("#table-policy").text)
        schema = json.loads(stored(ada, "SELECT schema_json FROM _orm_schemas")[0][0])
        expect(schema["access"] == {"read": "open", "insert": "owner", "update": "local", "delete": "local"}, schema)
        expect(schema["columns"][0]["required"] and schema["columns"][1]["default"] == 3, schema)

    with suite.check("a row by a form: what is missing is told at its field, then it is stored with the default"):
        press(page, "Add row")
        press(page, "Add row", "#sheet")
        page.wait(lambda: "text is required" in said(page, "#sheet .fault"), "the refusal")
        expect(page.run("return document.activeElement.dataset.column") == "text", focused(page))
        fill(page, "text", "from the owner")
        choose(page, "mood", "glad")
        press(page, "Add row", "#sheet")
        page.wait(lambda: len(lines(page)) == 1, "the row")
        expect(stored(ada, "SELECT text, stars, mood FROM guestbook") == [("from the owner", 3, "glad")], "not stored so")
        expect("You" in lines(page)[0][4], lines(page))
        time_shown = page.run("const time = document.querySelector('#rows tbody time');"
                              "return [time.title, time.textContent === new Date(time.dateTime).toLocaleString([], {dateStyle: 'medium', timeStyle: 'medium'})]")
        expect(time_shown[0].endswith(" UTC") and time_shown[1], time_shown)
        page.wait(lambda: "Edit row 1" == focused(page), "the focus on the row")


def visitors(suite, page, url, ada, visitor, bob):
    with suite.check("who may do what is changed by a form, and counts at once"):
        try:
            visitor("insert", table="guestbook", data={"text": "too early"})
            raise AssertionError("it was let in")
        except urllib.error.HTTPError as error:
            expect(error.code == 403, error.code)
        press(page, "Who may do what")
        choose(page, "Who may do what", "Guestbook")
        press(page, "Save", "#sheet")
        shut(page)
        page.wait(lambda: "people change only their own rows" in page.one("#table-policy").text, "the new policy")

    with suite.check("a visitor's row appears by itself, is heard, and is only text"):
        page.wait(lambda: "Live" in page.one("#live").text, "live")
        start = time.monotonic()
        visitor("insert", table="guestbook", data={"text": HOSTILE_NAME, "stars": 5})
        page.wait(lambda: any(HOSTILE_NAME in line for line in lines(page)), "the visitor's row")
        print(f"        seen {time.monotonic() - start:.2f} s after it was sent")
        page.wait(lambda: "A new row from" in page.heard(), "heard")
        expect(page.run("return window.pwned") is None, "its script ran")
        whose = next(line for line in lines(page) if HOSTILE_NAME in line)[4]
        expect(bob.id[-4:] in whose, whose)
        visitor("insert", table="guestbook", data={"text": TURNED + LONG})
        page.wait(lambda: any("Show all" in line[1] for line in lines(page)), "a cut text")
        shown = next(line for line in lines(page) if "Show all" in line[1])[1]
        expect(len(shown) < 300 and "\u202e" not in shown, f"{len(shown)} characters")
        page.driver.find_element(By.XPATH, "//button[starts-with(@aria-label, 'Show all of text')]").click()
        page.wait(lambda: opened(page), "the sheet")
        expect(len(page.run("return document.querySelector('#sheet pre').textContent")) == len(TURNED + LONG), "not all of it")
        suite.shot(page, "data-long")
        press(page, "Close", "#sheet")
        shut(page)

    with suite.check("what the visitor has filled is shown with the limits, and leads to the rows"):
        page.wait(lambda: page.driver.find_elements(By.CSS_SELECTOR, "#shares tbody tr"), "the visitor")
        page.wait(lambda: page.one("#shares tbody tr td").text == "2", "two rows")
        page.run("arguments[0].focus()", page.one("#shares tbody button"))
        added = visitor("insert", table="guestbook", data={"text": "while one looks"})["id"]
        page.wait(lambda: page.one("#shares tbody tr td").text == "3", "three rows")
        expect(focused(page).startswith("Rows of"), f"the focus is on {focused(page)!r}")
        # A row that grows is as many rows as before.
        def size():
            return page.driver.find_elements(By.CSS_SELECTOR, "#shares tbody tr td")[1].text
        before = size()
        visitor("update", table="guestbook", id=added, data={"text": "while one looks, and writes more " * 40})
        page.wait(lambda: size() != before, "the size of a row that has grown")
        visitor("delete", table="guestbook", id=added)
        # The rows too: when one goes, what is below them moves.
        page.wait(lambda: page.one("#shares tbody tr td").text == "2" and len(lines(page)) == 3, "two rows again")
        page.one("#shares tbody button").click()
        page.wait(lambda: len(lines(page)) == 2, "the visitor's rows only")
        expect(bob.id in page.one("#where").get_attribute("value"), "another condition")
        press(page, "All rows")
        page.wait(lambda: len(lines(page)) == 3, "all rows")


def rows(suite, page, url, ada, visitor):
    with suite.check("a row is edited; system columns are shown and cannot be"):
        press(page, "Edit row 2")
        page.wait(lambda: opened(page), "the sheet")
        expect(not page.driver.find_elements(By.CSS_SELECTOR, "#sheet [data-column^=_]"), "a system column to fill")
        expect("Whose" in said(page, "#sheet") and "Made" in said(page, "#sheet"), said(page, "#sheet"))
        suite.shot(page, "data-row")
        fill(page, "stars", "4")
        press(page, "Save row", "#sheet")
        shut(page)
        page.wait(lambda: stored(ada, "SELECT stars FROM guestbook WHERE _id = 2") == [(4,)], "the number in the file")
        expect(stored(ada, "SELECT text FROM guestbook WHERE _id = 2") == [(HOSTILE_NAME,)], "the text was changed too")
        page.wait(lambda: lines(page)[1][2] == "4" and focused(page) == "Edit row 2", "the focus on the row as it is by now")
        press(page, "Edit row 2")
        fill(page, "stars", "many")
        press(page, "Save row", "#sheet")
        page.wait(lambda: page.driver.find_elements(By.CSS_SELECTOR, "#sheet .fault:not([hidden])"), "the refusal")
        expect(page.run("return document.activeElement.dataset.column") == "stars", focused(page))
        page.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
        shut(page)

    with suite.check("a value that its writer has changed meanwhile is not overwritten unseen; the newer row can be loaded"):
        added = visitor("insert", table="guestbook", data={"text": "first words", "stars": 1})["id"]
        long = "newer words " * 60

        def found():
            return stored(ada, f"SELECT text, stars FROM guestbook WHERE _id = {added}")
        page.wait(lambda: len(lines(page)) == 4, "the row")
        press(page, f"Edit row {added}")
        page.wait(lambda: opened(page), "the sheet")
        visitor("update", table="guestbook", id=added, data={"stars": 2})
        # What the owner has left alone is no reason to refuse.
        fill(page, "text", "the owner's words")
        press(page, "Save row", "#sheet")
        shut(page)
        page.wait(lambda: found() == [("the owner's words", 2)], f"both changes: {found()}")
        page.wait(lambda: focused(page) == f"Edit row {added}", "the focus on the row")
        press(page, f"Edit row {added}")
        page.wait(lambda: opened(page), "the sheet")
        visitor("update", table="guestbook", id=added, data={"text": long})
        fill(page, "text", "the owner's second words")
        press(page, "Save row", "#sheet")
        page.wait(lambda: "was changed while you were looking" in said(page, "#sheet .fault"), "the refusal")
        expect(opened(page) and field(page, "text").get_attribute("value") == "the owner's second words", "what was typed is lost")
        expect(found() == [(long, 2)], found())
        suite.shot(page, "data-row-conflict")
        press(page, "Load the newer row", "#sheet")
        page.wait(lambda: field(page, "text").get_attribute("value") == long, "the newer row")
        expect(not page.one("#sheet .fault").is_displayed(), "the refusal stays")
        fill(page, "text", "the owner's last words")
        press(page, "Save row", "#sheet")
        shut(page)
        page.wait(lambda: found() == [("the owner's last words", 2)], f"the last words: {found()}")
        visitor("delete", table="guestbook", id=added)
        page.wait(lambda: len(lines(page)) == 3, "three rows again")

    with suite.check("a row that is gone meanwhile cannot be deleted, and the sheet itself says so"):
        added = visitor("insert", table="guestbook", data={"text": "soon gone"})["id"]
        page.wait(lambda: len(lines(page)) == 4, "the row")
        press(page, f"Edit row {added}")
        page.wait(lambda: opened(page), "the sheet")
        visitor("delete", table="guestbook", id=added)
        press(page, "Delete row", "#sheet")
        page.wait(lambda: opened(page, "question"), "the question")
        press(page, "Delete row", "#question")
        page.wait(lambda: "row not found" in said(page, "#sheet .fault"), "the refusal in the sheet")
        expect(opened(page) and "sheet-fault" == focused(page), focused(page))
        expect("row not found" not in said(page, "#toast"), "told under the sheet")
        press(page, "Cancel", "#sheet")
        shut(page)
        page.wait(lambda: len(lines(page)) == 3, "three rows again")

    with suite.check("a condition that is none is told at its field, with the place; a right one filters"):
        where = page.one("#where")
        where.send_keys("stars >= 4 AND colour = 'red'", Keys.ENTER)
        page.wait(lambda: page.one("#where-fault").is_displayed(), "the fault")
        expect("There is no column colour" in page.one("#where-fault").text, page.one("#where-fault").text)
        expect(where.get_attribute("aria-invalid") == "true" and focused(page) == "where", focused(page))
        expect(page.run("return document.getElementById('where').selectionStart") == 15, "not at the place")
        suite.shot(page, "data-filter-fault")
        where.clear()
        where.send_keys("stars # 4", Keys.ENTER)
        page.wait(lambda: "“#” has no meaning" in page.one("#where-fault").text, "the sign itself")
        where.clear()
        where.send_keys("stars >= 4 AND text LIKE '%img%'", Keys.ENTER)
        page.wait(lambda: len(lines(page)) == 1, "one row")
        expect(not page.one("#where-fault").is_displayed(), "the fault stays")
        press(page, "All rows")

    with suite.check("sorted by a column, and back; pages of fifty"):
        for number in range(60):
            visitor("insert", table="guestbook", data={"text": f"row {number:02}", "stars": number})
        page.wait(lambda: len(lines(page)) == 50 and "of 63" in page.one("#range").text, "a page of fifty")
        head = next(found for found in page.driver.find_elements(By.CSS_SELECTOR, "#rows .sort") if "stars" in found.text)
        head.click()
        page.wait(lambda: lines(page)[0][2] == "0", "the smallest first")
        expect(page.run("return document.querySelector('[aria-sort=ascending]').innerText").startswith("stars"), "not said")
        page.driver.find_element(By.CSS_SELECTOR, "[data-key='sort stars']").click()
        page.wait(lambda: lines(page)[0][2] == "59", "the largest first")
        press(page, "Further rows")
        page.wait(lambda: len(lines(page)) == 13 and "51–63" in page.one("#range").text, "the second page")

    with suite.check("a row is deleted after a question that names it"):
        visit(page, url, "guestbook")
        press(page, f"Edit row {lines(page)[0][0]}")
        press(page, "Delete row", "#sheet")
        page.wait(lambda: opened(page, "question"), "the question")
        expect("row 59" in said(page, "#question"), said(page, "#question"))
        expect(focused(page) == "Cancel", focused(page))
        press(page, "Delete row", "#question")
        shut(page)
        page.wait(lambda: stored(ada, "SELECT COUNT(*) FROM guestbook") == [(62,)], "one row less")


# The answers to how many rows there are wait in `held` while that is a list.
HELD_COUNTS = """
const real = window.fetch;
window.held = [];
window.fetch = async (path, ...more) => {
  if (path === "/api/data/count" && held) await new Promise((go) => { held.push(go); });
  return real(path, ...more);
};
window.letGo = () => { const waiting = held; held = null; for (const go of waiting) go(); };"""


def spam(suite, page, url, ada, visitor):
    with suite.check("rows are offered for deletion only once it is known how many they are"):
        visit(page, url, "guestbook")
        page.run(HELD_COUNTS)
        where = page.one("#where")
        for condition in (f"_owner = '{visitor.id}'", "_id > 0"):
            # The second time the button is there for the rows before.
            page.run("held = []")
            where.clear()
            where.send_keys(condition, Keys.ENTER)
            page.wait(lambda: page.run("return held.length") > 0, "the question how many")
            expect(lines(page), "no rows")
            expect(not page.one("#delete-found").is_displayed(), f"offered before the number of rows with {condition} was known")
            page.run("letGo()")
            page.wait(lambda: page.one("#delete-found").is_displayed() and " of " in page.one("#range").text, "the button")

    with suite.check("all rows of one visitor are deleted at once, after a question that says how many"):
        visit(page, url, "guestbook")
        expect(not page.one("#delete-found").is_displayed(), "offered without a condition")
        page.wait(lambda: page.driver.find_elements(By.CSS_SELECTOR, "#shares tbody button"), "the visitor")
        page.one("#shares tbody button").click()
        page.wait(lambda: page.one("#delete-found").is_displayed() and " of " in page.one("#range").text, "the button")
        count = stored(ada, f"SELECT COUNT(*) FROM guestbook WHERE _owner = '{visitor.id}'")[0][0]
        press(page, "Delete these rows")
        page.wait(lambda: opened(page, "question"), "the question")
        expect(f"{count} rows of guestbook" in said(page, "#question"), said(page, "#question"))
        press(page, "Delete them", "#question")
        page.wait(lambda: stored(ada, "SELECT DISTINCT _owner FROM guestbook") == [(ada.id,)], "only the owner's rows")
        page.wait(lambda: not page.driver.find_elements(By.CSS_SELECTOR, "#shares tbody tr"), "nobody in the list")
        visitor("insert", table="guestbook", data={"text": "again"})
        page.wait(lambda: any("again" in line for line in lines(page)), "the visitor's next row")


def files(suite, page, url, ada, visitor, folder):
    downloads = folder / "downloads"
    downloads.mkdir()
    page.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))

    def fetched(name):
        page.wait(lambda: (downloads / name).exists(), f"the download {name}")
        return downloads / name

    everything = "SELECT text, stars, mood FROM guestbook ORDER BY _id"
    with suite.check("exported as CSV and JSON, and imported again: every row as it was, formulas too"):
        for text in (FORMULA, "'=2", "", "a \"quoted\", text\nwith lines", "-5"):
            visitor("insert", table="guestbook", data={"text": text})
        before = stored(ada, everything)
        visit(page, url, "guestbook")
        press(page, "Export")
        press(page, "CSV, for spreadsheets", "#sheet")
        csv = fetched("guestbook.csv")
        press(page, "JSON", "#sheet")
        plain = fetched("guestbook.json")
        press(page, "Close", "#sheet")
        expect(f"'{FORMULA}" in csv.read_text() and f",{FORMULA}" not in csv.read_text(), "an open formula")
        expect(len(json.loads(plain.read_text())) == len(before), "not every row")
        for file in (csv, plain):
            page.run("return fetch('/api/data/delete-where', {method: 'POST', body: JSON.stringify({table: 'guestbook', where: '_id > 0'}),"
                     "headers: {'Content-Type': 'application/json', 'X-Goop-Token': document.querySelector('meta[name=goop-token]').content}})")
            page.wait(lambda: stored(ada, everything) == [], "an empty table")
            press(page, "Import")
            field(page, "File with rows").send_keys(str(file))
            page.driver.find_element(By.XPATH, "//*[@id='sheet']//label[contains(., 'Keep ids')]").click()
            press(page, "Import", "#sheet")
            page.wait(lambda: f"{len(before)} rows were added" in said(page, "#sheet"), "the outcome")
            press(page, "Close", "#sheet")
            expect(stored(ada, everything) == before, f"{file.name} changed the rows")
            owners = {owner for (owner,) in stored(ada, "SELECT DISTINCT _owner FROM guestbook")}
            expect(owners == {ada.id, visitor.id}, owners)

    with suite.check("lines with faults are told with their numbers, the others are taken"):
        bad = folder / "bad.csv"
        bad.write_text("text,stars,mood\r\nfine,1,glad\r\nfew,2\r\nwrong,3,angry\r\n,4,sad\r\n\"broken\"x,5,sad\r\nalso fine,,\r\n")
        press(page, "Import")
        field(page, "File with rows").send_keys(str(bad))
        press(page, "Import", "#sheet")
        page.wait(lambda: "2 rows were added" in said(page, "#sheet"), "the outcome")
        page.wait(lambda: "2 rows were added" in page.heard(), "the outcome told to a screen reader, in the dialog")
        told = said(page, "#sheet .lines")
        for line in (3, 4, 5, 6):
            expect(f"Line {line}:" in told, told)
        expect("glad, sad" in told, told)
        suite.shot(page, "data-import-faults")
        press(page, "Close", "#sheet")
        (folder / "other.csv").write_text("text,star\r\nx,1\r\n")
        press(page, "Import")
        field(page, "File with rows").send_keys(str(folder / "other.csv"))
        press(page, "Import", "#sheet")
        page.wait(lambda: "did you mean stars?" in said(page, "#sheet"), "the suggestion")
        press(page, "Close", "#sheet")


def shapes(suite, page, url, ada):
    with suite.check("columns are added, renamed and removed; what is lost is named first"):
        visit(page, url, "guestbook")
        press(page, "Columns")
        fill(page, "Name of the column", "note")
        press(page, "Add the column", "#sheet")
        page.wait(lambda: "note" in said(page, "#sheet .column-list"), "the column")
        press(page, "Rename note", "#sheet")
        fill(page, "New name", "remark")
        press(page, "Rename", "#sheet")
        page.wait(lambda: opened(page) and page.driver.find_elements(By.CSS_SELECTOR, "#sheet .column-list"), "the columns")
        expect("remark" in said(page, "#sheet .column-list"), said(page, "#sheet"))
        suite.shot(page, "data-columns")
        press(page, "Remove remark", "#sheet")
        page.wait(lambda: opened(page, "question"), "the question")
        expect("remark" in said(page, "#question") and "rows" in said(page, "#question"), said(page, "#question"))
        press(page, "Remove the column", "#question")
        page.wait(lambda: "remark" not in said(page, "#sheet .column-list"), "without the column")
        press(page, "Close", "#sheet")
        found = [name for (name,) in stored(ada, "SELECT name FROM pragma_table_info('guestbook')")]
        expect("remark" not in found and "note" not in found, found)

    with suite.check("a table is renamed, and deleted after a question that names what is lost"):
        press(page, "Rename")
        fill(page, "New name", "visits")
        press(page, "Rename", "#sheet")
        page.wait(lambda: names(page) == ["visits"], "the new name")
        expect(page.driver.current_url.endswith("#visits"), page.driver.current_url)
        press(page, "Delete table")
        page.wait(lambda: opened(page, "question"), "the question")
        asked = said(page, "#question")
        count = stored(ada, "SELECT COUNT(*) FROM visits")[0][0]
        expect("visits" in asked and "text, stars, mood" in asked and f"{count} rows" in asked, asked)
        suite.shot(page, "data-delete-table")
        # Asked again before the page is told that the question is closed.
        page.run("""
            const press = (place, word) => [...document.querySelectorAll(`${place} button`)].find((one) => one.textContent === word).click();
            press("#question", "Cancel");
            press("#tools", "Delete table");""")
        page.frames()
        expect(names(page) == ["visits"], "it is gone")
        press(page, "Delete the table", "#question")
        page.wait(lambda: names(page) == [], "no table")


def rules(suite, page, url, ada, visitor):
    """A table without a schema, as `goop2 data create` and upstream make them: one word stands for who does what."""
    def owner(operation, **body):
        as_owner(page, operation, **body)

    def reads():
        """Whether the visitor is let in."""
        try:
            return len(visitor("find", table="diary")) == 1
        except urllib.error.HTTPError as error:
            expect(error.code == 403, error.code)
            return False

    def sheet():
        visit(page, url, "diary")
        press(page, "Who may do what")
        page.wait(lambda: opened(page), "the sheet")
        return Select(field(page, "Who may do what")).first_selected_option.text, said(page, "#sheet .note")

    def saved(word):
        press(page, "Save", "#sheet")
        shut(page)
        found = stored(ada, "SELECT insert_policy FROM _tables WHERE name = 'diary'")
        expect(found == [(word,)], found)

    with suite.check("a table that is only the owner's stays so when its sheet is saved untouched"):
        owner("tables/create", name="diary", columns=[{"name": "text", "type": "TEXT"}], policy="local")
        owner("insert", table="diary", data={"text": "nobody's business"})
        expect(not reads(), "read before it was opened")
        shown, note = sheet()
        expect(shown == "Private", shown)
        expect("nobody else reads" in note and "verybody" not in note and "without rules for each act" in note, note)
        suite.shot(page, "data-classic-policy")
        saved("local")
        expect(not reads(), "the table is open to everybody")

    with suite.check("what a sheet shows first is what is in force, also for the other rules; another choice is explained and counts"):
        for word, begins in (("open", "Guestbook"), ("owner", "Only I add"), ("group", "Only members"), ("local", "Private")):
            owner("tables/set-policy", table="diary", policy=word)
            shown, _ = sheet()
            expect(shown.startswith(begins), f"{word} is shown as {shown}")
            saved(word)
        sheet()
        choose(page, "Who may do what", "Guestbook")
        expect("Everybody adds and reads" in said(page, "#sheet .note"), said(page, "#sheet .note"))
        saved("open")
        expect(reads(), "refused, though it is open now")
        owner("tables/delete", table="diary")

    with suite.check("a rule that the sheet has no name for, and one with words left out, stay as they are when the sheet is saved"):
        found = page.run("""
            return import("/assets/data-policy.js").then(({ policyFields, policyText }) => {
                const strange = { read: "owner", insert: "open", update: "owner", delete: "owner" };
                const gaps = { read: null, insert: null, update: null, delete: null };
                const fields = policyFields({ mode: "orm", access: gaps });
                const untouched = fields.value();
                // By the words that are shown visitors do what they do where they are missing.
                const [read, ...others] = fields.nodes[1].querySelectorAll("select");
                const shown = [read, ...others].map(({ value }) => value);
                read.value = "open";
                return [policyFields({ mode: "classic", access: strange }).value(), untouched, shown, fields.value(), policyText(gaps)];
            })""")
        expect(found[:2] == [None, None], found)
        expect(found[2] == ["owner", "owner", "local", "local"], found[2])
        expect(found[3] == {"access": {"read": "open"}}, found[3])
        expect("visitors see only rows they made" in found[4], found[4])
    with suite.check("a new table gets all four words"):
        found = page.run("return import('/assets/data-policy.js').then(({ policyFields }) => policyFields(null).value())")
        expect(found == {"access": {"read": "open", "insert": "open", "update": "owner", "delete": "owner"}}, found)


def limits(suite, page, url, ada):
    with suite.check("limits that could not be read are told in their place, and read again from there"):
        hook = page.cdp("Page.addScriptToEvaluateOnNewDocument", source="""
            const fetched = window.fetch;
            window.isCut = true;
            window.fetch = async (path, ...more) => {
              if (path === "/api/rooms/settings" && isCut) throw new TypeError("cut");
              return fetched(path, ...more);
            };""")["identifier"]
        visit(page, url)
        page.wait(lambda: "cannot be changed now" in said(page, "#quota-trouble"), "the failure")
        expect(not page.one("#quota").is_displayed(), "the form is there")
        press(page, "Try again", "#quota-trouble")
        page.wait(lambda: focused(page) == "Try again", f"the focus on the new button, not on {focused(page)!r}")
        page.run("window.isCut = false")
        press(page, "Try again", "#quota-trouble")
        page.wait(lambda: page.one("#quota").is_displayed() and focused(page) == "quota-rows", "the form")
        expect(not page.one("#quota-trouble").is_displayed(), "the failure stays")
        page.cdp("Page.removeScriptToEvaluateOnNewDocument", identifier=hook)

    with suite.check("the limits of visitors are changed here, and checked"):
        visit(page, url)
        page.wait(lambda: page.one("#quota").is_displayed(), "the limits")
        fill(page, "Rows of one visitor, at most", "plenty", "#quota")
        press(page, "Save limits")
        page.wait(lambda: page.one("#quota-fault").is_displayed() and focused(page) == "quota-rows", "the fault")
        fill(page, "Rows of one visitor, at most", "77", "#quota")
        press(page, "Save limits")
        page.wait(lambda: "from now on" in page.one("#toast").text, "the word that they count")
        page.wait(lambda: "77 rows" in page.one("#filled").text, "the new limit")
        expect("started again" not in page.one("#quota-note").text, page.one("#quota-note").text)
        value = json.loads((ada.folder / "goop.json").read_text())["data"]["visitor_rows"]
        expect(value == 77, value)


def by_keyboard(suite, url, ada):
    with suite.check("keys alone: make a table, add a row, change it, delete it, delete the table"):
        with browser(1280, 900, reduced_motion=True) as page:
            visit(page, url)
            tab_to(page, "new-table")
            keys(page, Keys.ENTER)
            page.wait(lambda: opened(page), "the sheet")
            keys(page, "keys", Keys.TAB, "word")
            page.driver.switch_to.active_element.send_keys(Keys.ENTER)
            page.wait(lambda: names(page) == ["keys"], "the table")
            tab_to(page, "add-row")
            keys(page, Keys.ENTER)
            page.wait(lambda: opened(page), "the sheet")
            keys(page, "first")
            tab_to(page, "Add row")
            keys(page, Keys.ENTER)
            page.wait(lambda: focused(page) == "Edit row 1", "the focus on the row")
            keys(page, Keys.ENTER)
            page.wait(lambda: opened(page), "the sheet")
            keys(page, Keys.CONTROL + "a")
            keys(page, "second")
            tab_to(page, "Save row")
            keys(page, Keys.ENTER)
            shut(page)
            page.wait(lambda: stored(ada, "SELECT word FROM keys") == [("second",)], "the change")
            page.wait(lambda: focused(page) == "Edit row 1", "the focus on the row again")
            keys(page, Keys.ENTER)
            page.wait(lambda: opened(page), "the sheet")
            tab_to(page, "Delete row")
            keys(page, Keys.ENTER)
            page.wait(lambda: opened(page, "question"), "the question")
            tab_to(page, "Delete row")
            keys(page, Keys.ENTER)
            page.wait(lambda: stored(ada, "SELECT COUNT(*) FROM keys") == [(0,)], "no row")
            # It goes there twice, and is told of the second time.
            page.wait(lambda: "was deleted" in said(page, "#toast") and focused(page) == "table-title", "the focus above the rows")
            tab_to(page, "Delete table")
            keys(page, Keys.ENTER)
            page.wait(lambda: opened(page, "question"), "the question")
            tab_to(page, "Delete the table")
            keys(page, Keys.ENTER)
            page.wait(lambda: names(page) == [], "no table")


def pictures(suite, url, visitor):
    looks(suite, f"{url}data#guestbook", "data", lambda page: page.wait(lambda: lines(page), "rows"))

    def sheet(page):
        page.wait(lambda: lines(page), "rows")
        press(page, "New table")
        page.wait(lambda: opened(page), "the sheet")
    looks(suite, f"{url}data#guestbook", "data-new-table", sheet)

    def open_sheet(name):
        def prepare(page):
            page.wait(lambda: lines(page), "rows")
            page.run("[...document.querySelectorAll('main button')].find(button => button.textContent === arguments[0]).click()", name)
            page.wait(lambda: opened(page) or opened(page, "question"), name)
        return prepare
    sheets = [(f"data-{name.replace(' ', '-')}", f"{url}data#guestbook", open_sheet(name)) for name in
              ("New table", "Add row", "Edit", "Who may do what", "Columns", "Import", "Export", "Rename", "Delete table")]
    large(suite, sheets)
    # The first was looked at above.
    look_through(suite, "room-data-sheets", sheets[1:])


def story(suite, program, folder):
    ada = Peer(program, folder / "Ada", "--local", "--label", "Ada")
    bob = Peer(program, folder / "Bob", "--local", "--label", "Bob")
    with ended(ada, bob):
        url = ada.start()["viewer"]["url"]
        visitor = Visitor(bob.start()["viewer"]["url"], ada.id)
        visitor.id = bob.id
        looks(suite, f"{url}data", "data-empty", lambda page: page.wait(
            lambda: "no table yet" in page.one("#tables").text, "the empty list"))
        with browser(1280, 900, reduced_motion=True) as page:
            tables(suite, page, url, ada)
            visitors(suite, page, url, ada, visitor, bob)
            undisturbed(suite, page, url, visitor)
            rows(suite, page, url, ada, visitor)
            pictures(suite, url, visitor)
            spam(suite, page, url, ada, visitor)
            files(suite, page, url, ada, visitor, folder)
            shapes(suite, page, url, ada)
            elsewhere(suite, page, url)
            rules(suite, page, url, ada, visitor)
            limits(suite, page, url, ada)
            of_others(suite, page, url, visitor)
            with suite.check("nothing complained on the console"):
                # Refusals are part of the story.
                found = page.complaints("the server responded with a status of 4", "[DOM]")
                expect(not found, found)
        by_keyboard(suite, url, ada)


if __name__ == "__main__":
    part.run("Data room", story, part.options(__doc__))
