"""The Data room while others write, and change what it shows: a part of data_checks."""
import time

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from data_room import as_owner, fill, lines, names, opened, press, said, shut, visit
from rooms_checks import focused
from story import expect


# Counts how often the page reads the rows, and how many answers it waits for at most; each takes `window.slow` milliseconds more.
READS = """
const fetched = window.fetch;
Object.assign(window, { reads: 0, waiting: 0, most: 0, slow: 0 });
window.fetch = async (path, ...more) => {
  if (path !== "/api/rooms/data/rows") return fetched(path, ...more);
  reads += 1;
  waiting += 1;
  most = Math.max(most, waiting);
  await new Promise((done) => setTimeout(done, slow));
  try { return await fetched(path, ...more); } finally { waiting -= 1; }
};"""

# Each line of the table, and whether it is the one that was there when they were marked.
MARK = "for (const line of document.querySelectorAll('#rows tr')) line.wasThere = true"
MARKED = "return [...document.querySelectorAll('#rows tr')].map(line => Boolean(line.wasThere))"


def undisturbed(suite, page, url, visitor):
    """Others write, and take nothing from under the hand of whoever looks."""
    visit(page, url, "guestbook")
    page.wait(lambda: "Live" in page.one("#live").text and len(lines(page)) == 3, "three rows, live")
    page.run(READS)

    def read_again(what):
        """Waits for a read of the rows that begins after this, and for its end."""
        before = page.run("return reads")
        def ended():
            return page.run("return reads > arguments[0] && waiting === 0", before) and page.one("#grid").get_attribute("aria-busy") is None
        return lambda: page.wait(ended, what)

    with suite.check("rows that are as they were are not made anew: a button that is held is still pressed while others write"):
        page.run(MARK)
        again = read_again("the rows read again")
        with page.left():
            pass
        again()
        expect(all(page.run(MARKED)), f"made anew though nothing has changed: {page.run(MARKED)}")
        ActionChains(page.driver).click_and_hold(page.one("[data-key='edit 3']")).perform()
        visitor("update", table="guestbook", id=2, data={"stars": 1})
        page.wait(lambda: lines(page)[1][2] == "1", "the change of another row")
        # The line of names, and the rows 3, 2 and 1.
        expect(page.run(MARKED) == [True, True, False, True], page.run(MARKED))
        ActionChains(page.driver).release().perform()
        page.wait(lambda: opened(page) and "Row 3 of guestbook" in said(page, "#sheet"), "the row whose button was held")
        press(page, "Cancel", "#sheet")
        shut(page)
        added = visitor("insert", table="guestbook", data={"text": "on top"})["id"]
        page.wait(lambda: len(lines(page)) == 4, "the new row")
        expect(page.run(MARKED) == [True, False, True, False, True], page.run(MARKED))
        visitor("delete", table="guestbook", id=added)
        page.wait(lambda: len(lines(page)) == 3, "three rows again")

    with suite.check("one read at a time: a question waits for the answer before it, and the last state is shown"):
        page.run("window.slow = 1500; window.most = 0")
        added = []
        for number in range(6):
            added.append(visitor("insert", table="guestbook", data={"text": f"in haste {number}"})["id"])
            time.sleep(0.3)  # somebody who writes for longer than an answer takes
        page.wait(lambda: "in haste 5" in lines(page)[0][1], "the last row")
        expect(page.run("return most") == 1, f"{page.run('return most')} questions at once")
        page.run("window.slow = 0")
        for number in added:
            visitor("delete", table="guestbook", id=number)
        page.wait(lambda: len(lines(page)) == 3, "three rows again")

    with suite.check("a row that is added has the focus in the end, though the table is read again meanwhile"):
        page.run("window.slow = 800")
        press(page, "Add row")
        fill(page, "text", "by the owner")
        press(page, "Add row", "#sheet")
        shut(page)
        page.wait(lambda: "by the owner" in lines(page)[0][1], "the row")
        page.wait(lambda: focused(page) == f"Edit row {lines(page)[0][0]}", f"the focus on the row, not on {focused(page)!r}")
        page.run("window.slow = 0")
        press(page, focused(page))
        press(page, "Delete row", "#sheet")
        press(page, "Delete row", "#question")
        shut(page)
        page.wait(lambda: len(lines(page)) == 3, "three rows again")

    with suite.check("a condition that is none takes the focus once, and not again whenever others write"):
        page.one("#where").send_keys("nothing = 1", Keys.ENTER)
        page.wait(lambda: page.one("#where-fault").is_displayed() and focused(page) == "where", "the fault")
        page.run("document.getElementById('all').focus()")
        again = read_again("the rows asked for again")
        added = visitor("insert", table="guestbook", data={"text": "meanwhile"})["id"]
        again()
        expect(focused(page) == "all", f"the focus is on {focused(page)}")
        visitor("delete", table="guestbook", id=added)
        press(page, "All rows")
        page.wait(lambda: len(lines(page)) == 3, "all rows")


    with suite.check("an answer that comes when another sheet is open leaves that one open"):
        page.run("""
            const through = window.fetch;
            const isLetGo = new Promise((done) => { window.letGo = done; });
            window.fetch = async (path, ...more) => {
              if (path === "/api/rooms/data/write") await isLetGo;
              return through(path, ...more);
            };""")
        press(page, "Add row")
        fill(page, "text", "answered late")
        press(page, "Add row", "#sheet")
        press(page, "Cancel", "#sheet")
        shut(page)
        press(page, "Columns")
        page.wait(lambda: opened(page), "the other sheet")
        page.run("letGo()")
        page.wait(lambda: "was added" in said(page, "#toast"), "the word that it was added")
        expect(opened(page) and "Columns of guestbook" in said(page, "#sheet"), said(page, "#sheet"))
        press(page, "Close", "#sheet")
        shut(page)
        as_owner(page, "delete", table="guestbook", id=int(lines(page)[0][0]))
        page.wait(lambda: len(lines(page)) == 3, "three rows again")

    with suite.check("reads that fail because others write are told once, and again after one that did not"):
        page.run("""
            const through = window.fetch;
            Object.assign(window, { isCut: true, cuts: 0 });
            window.fetch = async (path, ...more) => {
              if (path !== "/api/rooms/data/rows" || !isCut) return through(path, ...more);
              cuts += 1;
              throw new TypeError("cut");
            };""")

        def write(text):
            added.append(visitor("insert", table="guestbook", data={"text": text})["id"])

        def told():
            return "does not answer" in said(page, "#toast")
        added = []
        write("cut once")
        page.wait(told, "the failure")
        press(page, "Close", "#toast")
        before = page.run("return cuts")
        write("cut twice")
        page.wait(lambda: page.run("return cuts") > before and page.one("#grid").get_attribute("aria-busy") is None, "another failure")
        expect(not told(), "told again")
        page.run("window.isCut = false")
        write("let through")
        page.wait(lambda: len(lines(page)) == 6, "all rows")
        page.run("window.isCut = true")
        write("cut again")
        page.wait(told, "the failure after a success")
        page.run("window.isCut = false")
        for number in added:
            visitor("delete", table="guestbook", id=number)
        visit(page, url, "guestbook")
        page.wait(lambda: len(lines(page)) == 3, "three rows again")

    with suite.check("a read that is never answered is given up, and the next change is shown"):
        # Patience is a tenth of what it is.
        page.run("""
            const through = window.fetch, timeout = AbortSignal.timeout.bind(AbortSignal);
            let isFirst = true;
            AbortSignal.timeout = (milliseconds) => timeout(milliseconds / 10);
            window.fetch = (path, options) => {
              if (path !== "/api/rooms/data/rows" || !isFirst) return through(path, options);
              isFirst = false;
              return new Promise((_, refuse) => options.signal?.addEventListener("abort", () => refuse(options.signal.reason)));
            };""")
        added = [visitor("insert", table="guestbook", data={"text": "into the silence"})["id"]]
        page.wait(lambda: "does not answer" in said(page, "#toast"), "the word that there is no answer")
        added.append(visitor("insert", table="guestbook", data={"text": "after the silence"})["id"])
        page.wait(lambda: len(lines(page)) == 5 and "after the silence" in lines(page)[0][1], "both rows")
        for number in added:
            visitor("delete", table="guestbook", id=number)
        visit(page, url, "guestbook")
        page.wait(lambda: len(lines(page)) == 3, "three rows again")


def elsewhere(suite, page, url):
    """The table that is shown is changed by somebody else."""
    def heads():
        return page.run("return [...document.querySelectorAll('#rows thead .sort')].map(({ dataset }) => dataset.key)")

    visit(page, url)
    as_owner(page, "tables/create", name="moving", columns=[{"name": "text", "type": "text", "required": True}],
             access={"read": "open", "insert": "owner", "update": "local", "delete": "local"})
    visit(page, url, "moving")
    as_owner(page, "insert", table="moving", data={"text": "a row"})
    page.wait(lambda: len(lines(page)) == 1 and "Live" in page.one("#live").text, "the row, live")
    with suite.check("a column that is added elsewhere, and its new name, are shown"):
        as_owner(page, "tables/add-column", table="moving", column={"name": "added", "type": "text"})
        page.wait(lambda: "sort added" in heads(), f"the column: {heads()}")
        page.wait(lambda: "Live" in page.one("#live").text, "live again")
        as_owner(page, "tables/rename-column", table="moving", old_name="added", new_name="renamed")
        page.wait(lambda: "sort renamed" in heads() and "sort added" not in heads(), f"the new name: {heads()}")
        press(page, "Edit row 1")
        page.wait(lambda: opened(page), "the sheet")
        fill(page, "renamed", "filled")
        press(page, "Save row", "#sheet")
        shut(page)
        page.wait(lambda: "filled" in lines(page)[0], f"the value: {lines(page)}")
    with suite.check("who may do what is changed elsewhere, also while nobody looks, and the line above the table follows"):
        expect("only I write" in said(page, "#table-policy"), said(page, "#table-policy"))
        # A button that is held meanwhile is still pressed.
        ActionChains(page.driver).click_and_hold(page.driver.find_element(By.XPATH, "//*[@id='tools']/button[.='Columns']")).perform()
        as_owner(page, "tables/set-policy", table="moving",
                 access={"read": "open", "insert": "open", "update": "open", "delete": "open"})
        page.wait(lambda: "Everybody does everything" in said(page, "#table-policy"), said(page, "#table-policy"))
        ActionChains(page.driver).release().perform()
        page.wait(lambda: opened(page) and "Columns of moving" in said(page, "#sheet"), "the sheet of the button that was held")
        press(page, "Close", "#sheet")
        shut(page)
        # The page asks when another tab is in front of it, and leaves word where a page in that tab finds it.
        page.run("""
            document.addEventListener("visibilitychange", () => fetch("/api/data/tables/set-policy", {method: "POST", headers: {
                "Content-Type": "application/json", "X-Goop-Token": document.querySelector("meta[name=goop-token]").content},
                body: JSON.stringify({ table: "moving", access: { read: "local", insert: "local", update: "local", delete: "local" } })})
                .then(() => localStorage.setItem("closed while hidden", document.hidden)), { once: true })""")
        with page.left():
            page.driver.get(url + "help")
            hidden = page.wait(lambda: page.run("return localStorage.getItem('closed while hidden')"), "the word of the hidden page")
        expect(hidden == "true", "it was looked at")
        page.wait(lambda: said(page, "#table-policy").startswith("Only I: nobody else reads"), said(page, "#table-policy"))
    with suite.check("the question before the end of a table has the rows that were added meanwhile"):
        as_owner(page, "insert", table="moving", data={"text": "another row"})
        page.wait(lambda: len(lines(page)) == 2 and "2 rows" in said(page, "#tables"), "both rows counted")
        press(page, "Delete table")
        page.wait(lambda: opened(page, "question"), "the question")
        expect("2 rows" in said(page, "#question"), said(page, "#question"))
        press(page, "Cancel", "#question")
    with suite.check("a table that is deleted elsewhere is gone here, with a word"):
        as_owner(page, "tables/delete", table="moving")
        page.wait(lambda: "moving is not there any more" in said(page, "#toast"), "the word")
        expect("moving" not in names(page) and not page.one("#table").is_displayed(), names(page))
        expect(not page.driver.current_url.endswith("#moving"), page.driver.current_url)


def of_others(suite, page, url, visitor):
    """A table that everybody may change: who makes rows of others grow is told, and it counts against nobody else."""
    cells_of = """const cellsOf = (id) => {
        const head = [...document.querySelectorAll("#shares tbody th")].find(({ title }) => title === id);
        return head ? [...head.parentElement.cells].slice(1).map((cell) => cell.innerText) : null;
    };"""

    def cells():
        return page.run(f"{cells_of} return cellsOf(arguments[0])", visitor.id)

    visit(page, url)
    as_owner(page, "tables/create", name="shared", columns=[{"name": "text", "type": "text"}],
             access={"read": "open", "insert": "open", "update": "open", "delete": "open"})
    as_owner(page, "insert", table="shared", data={"text": "a"})
    visit(page, url, "shared")
    page.wait(lambda: len(lines(page)) == 1 and "Live" in page.one("#live").text, "the row, live")
    with suite.check("what a visitor adds to a row of the owner is shown beside the visitor"):
        before = cells()
        visitor("update", table="shared", id=1, data={"text": "b" * 4000})
        page.wait(lambda: cells() and cells()[3] != (before or ["–"] * 4)[3], f"what was added: {cells()}")
    with suite.check("a visitor whose rows were made to grow by others is not shown above the limit for it"):
        answer = {"limit": {"rows": 10, "bytes": 1000}, "total_limit": 5000, "total": {"rows": 1, "bytes": 1400}, "count": 1,
                  "visitors": [{"id": visitor.id, "rows": 1, "bytes": 1400, "received": 1000, "added": 0}]}
        # Looked at in the same task: what is so comes back with the next change.
        found = page.run(cells_of + """
            const answer = JSON.stringify(arguments[0]), id = arguments[1], through = window.fetch;
            window.fetch = (path, ...more) => (path === "/api/rooms/data/visitors"
              ? Promise.resolve(new Response(answer, { headers: { "Content-Type": "application/json" } })) : through(path, ...more));
            return import("/assets/data-visitors.js").then(({ readVisitors }) => readVisitors("", () => {})).then(() => cellsOf(id)).finally(() => { window.fetch = through; })""",
                         answer, visitor.id)
        expect(found[2].split() == ["40", "%"] and found[3] == "–", found)
    as_owner(page, "tables/delete", table="shared")
