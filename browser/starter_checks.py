"""The starter sites across peers: a visitor's row lands in the owner's database and on every other open page. See run."""
import contextlib
import json
import pathlib
import shutil
import sqlite3
import subprocess
import time

import part
import starter_attacks
from part import ended
from peer import Peer
from starter_pages import enter, fill, live, texts, visit
from story import browser, each_look, expect, not_too_wide

HERE = pathlib.Path(__file__).parent

SEALED = "sealed, without an origin"

# What the site written for upstream must say, step by step; a callable judges instead of comparing.
UPSTREAM = {
    "a clean start": "clean",
    "identity.get": "avatar_hash,email,id,label",
    "identity names": lambda text: text.startswith("true,") and text.endswith(",string,given"),
    "peer": "true,false,false",
    "peers.list": "true",
    "tables": "items",
    "describe": "orm",
    "schemas": "true",
    "role": lambda text: text not in ("owner", "undefined"),
    "subscribe": "open",
    "subscribe, a second time": "1",
    "insert": "true",
    "own rows": "3",
    "find": "c3,b2",
    "find, offset": "b",
    "findOne": "1",
    "findOne, nothing": "null",
    "get": "b",
    "getBy": "3",
    "list": "2",
    "query": "1",
    "query, nothing": "[]",
    "pluck": "a,b,c",
    "distinct": "a,b,c",
    "exists": "true,false",
    "count": "2",
    "aggregate": "3 3",
    "aggregate, grouped": "3",
    "aggregate, sorted and cut": "b20",
    "update": "20",
    "remove": "null",
    "changes seen": "insert:b,insert:a,insert:c,update:b,delete:true",
    "orm": lambda text: text.startswith("items,title+score+") and text.endswith(",true,false,1,2"),
    "refused table": "true refused 403",
    "system table": lambda text: text.startswith("true ") and text.split()[1] in ("refused", "not_found"),
    "missing table": "true not_found 404",
    "bad condition": "true invalid_query 400",
    "call": "true lua_not_available 404",
    "functions": "0",
    "watching a refused table": lambda text: text.split()[0] in ("refused", "not_found"),
    "form": "true Thank you, it is stored. from a form,7,1,red,blue,2,y",
    "form, nothing in a number": "Thank you, it is stored.",
    "stepper": "0",
    "forms, a number, pressed twice": "1 number",
    "form, one answer": "second",
    "forms": "2",
    "list helper": "2 none",
    "date": "03:04",
    "overlay": "true true",
    "partial": "<article>&lt;i&gt; [0:x 1:y ] shown <u>r</u></article>\n",
    "render": '<p class="k">&lt;t&gt;</p>',
    "ui": "A,e,TIME,goop-grid",
    "dialog": "true,false,typed,true,true",
    "alert": "toldOK false",
    "toast": "stored 0",
    "toolbar": "1 two",
    "drag": "0>1 two,one,three",
    "router": '1,index.html,true,{"q":"1"}',
    "router stays in the site": "bad_request",
    "site.read": "body",
    "site.upload": "true read_only 0",
    "group": '{"subscriptions":[],"active_groups":[]}',
    "mq": "true messages_not_available 0",
    "template": '{"require_email":true,"name":"Survey"},true',
    "module": "true,true,true,true",
    "module, every export": "",
    "style sheets": "true",
    "content policy": "",
}


def rows(peer, query):
    with contextlib.closing(sqlite3.connect(f"file:{peer.folder}/data.db?mode=ro", uri=True)) as database:
        return database.execute(query).fetchall()


def guestbook(suite, first, second, owner, here, there, stop, start):
    with suite.check("guestbook: signing it stores a row at the owner with the visitor as its owner"):
        visit(first, here("guestbook/"))
        visit(second, there("guestbook/"))
        live(first)
        live(second)
        message = "Hello from <b>next door</b> & 'quotes' \U0001f44b"
        first.wait(lambda: first.driver.find_elements("css selector", "#sign textarea"), "the form")
        expect(first.one("#sign input").get_attribute("value"), "the form does not know the visitor's name")
        # ChromeDriver types characters of the basic plane only.
        first.run("arguments[0].value = arguments[1]", first.one("#sign textarea"), message)
        start_time = time.monotonic()
        first.one("#sign button[type=submit]").click()
        second.wait(lambda: message in texts(second, ".entry p"), "the entry on the other visitor's page")
        print(f"        on the other page after {time.monotonic() - start_time:.2f} s, without reload")
        first.wait(lambda: message in texts(first, ".entry p"), "the entry on the own page")
        first.wait(lambda: "stored" in first.one("#sign [role=status]").text, "the thanks")
        expect(first.run("return document.querySelectorAll('.entry b b').length") == 0, "markup of a visitor came through")
        if owner:
            expect(rows(owner, "SELECT message FROM guestbook ORDER BY _id DESC LIMIT 1")[0][0] == message, "not in data.db")
            found = rows(owner, "SELECT _owner FROM guestbook ORDER BY _id DESC LIMIT 1")[0][0]
            expect(found == suite.visitor, f"_owner is {found}, not the visitor {suite.visitor}")
    suite.shot(first, "guestbook-signed")
    suite.shot(second, "guestbook-other-page")

    with suite.check("guestbook: visitors delete their own entries only, and others see it go"):
        own = first.driver.find_elements("css selector", ".entry button")
        expect(len(own) >= 1, "no button at the own entry")
        expect(not second.driver.find_elements("css selector", ".entry:first-child button"), "a button at a stranger's entry")
        before = len(texts(second, ".entry"))
        own[0].click()
        expect("Really delete" in own[0].text and len(texts(second, ".entry")) == before, f"not asked again: {own[0].text}")
        first.run("arguments[0].blur()", own[0])
        expect(own[0].text == "Delete", f"not at rest again: {own[0].text}")
        own[0].click()
        own[0].click()
        first.wait(lambda: first.run("return document.activeElement.id") == "entries", "the focus on the list")
        second.wait(lambda: len(texts(second, ".entry")) < before, "the entry gone on the other page")

    with suite.check("guestbook: by keyboard alone"):
        visit(first, here("guestbook/"))
        live(first)
        first.wait(lambda: first.driver.find_elements("css selector", "#sign textarea"), "the form")
        first.run("document.querySelector('#sign input').focus(); document.querySelector('#sign input').select()")
        first.driver.switch_to.active_element.send_keys("Keyboard")
        first.driver.switch_to.active_element.send_keys("\ue004")
        first.driver.switch_to.active_element.send_keys("typed without a mouse")
        first.driver.switch_to.active_element.send_keys("\ue004")
        expect(first.run("return document.activeElement.textContent") == "Sign", "Tab does not reach the button")
        first.driver.switch_to.active_element.send_keys("\ue007")
        second.wait(lambda: "typed without a mouse" in texts(second, ".entry p"), "the entry")
        first.wait(lambda: first.run("return document.activeElement.textContent") == "Sign", "the focus on the button again")

    with suite.check("guestbook: no thanks for what is not sent"):
        first.wait(lambda: "stored" in first.one("#sign [role=status]").text, "the thanks")
        first.one("#sign button[type=submit]").click()
        first.wait(lambda: first.one("#sign [role=status]").text == "", "no thanks beside an empty form")

    with suite.check("guestbook: an owner who goes is said so, and one who comes back can be visited again"):
        stop()
        for page in (first, second):
            gone(page)
        suite.shot(second, "guestbook-owner-gone")
        start()
        for page in (first, second):
            back(page)
            live(page)
        fill(first, "#sign textarea", "after the pause")
        # A tab that is left and looked at again hears the whole list anew: the site and what was typed stay.
        first.driver.switch_to.default_content()
        site = first.driver.current_window_handle
        first.driver.switch_to.new_window("tab")
        first.driver.close()
        first.driver.switch_to.window(site)
        time.sleep(1)
        first.driver.switch_to.frame(first.one("#frame-place iframe"))
        expect(first.one("#sign textarea").get_attribute("value") == "after the pause", "what was typed is lost")
        first.one("#sign button[type=submit]").click()
        second.wait(lambda: "after the pause" in texts(second, ".entry p"), "the entry after the pause")


def gone(page):
    """The owner left: the viewer's page says so and takes the site away."""
    page.driver.switch_to.default_content()
    page.wait(lambda: page.one("#curtain").is_displayed(), "the curtain", seconds=40)
    expect("gone" in page.one("#curtain").text.lower() or "last seen" in page.one("#curtain").text, page.one("#curtain").text)
    expect(not page.driver.find_elements("css selector", "#frame-place iframe"), "the frame is still there")


def back(page):
    page.wait(lambda: page.one("#curtain-show").is_displayed(), "the button to show the site again", seconds=45)
    page.one("#curtain-show").click()
    enter(page)


def poll(suite, first, second, owner, here, there):
    with suite.check("poll: a vote moves the chart on the other page"):
        visit(first, here("poll/"))
        visit(second, there("poll/"))
        live(first)
        live(second)
        label = lambda page: page.one("#result svg").get_attribute("aria-label")
        before = label(second)
        first.one("input[value='A long walk']").click()
        first.one("#vote button").click()
        second.wait(lambda: label(second) != before, "the chart")
        expect("A long walk: 1 of 1" in label(second), label(second))
        expect(second.one("#result .bar:nth-of-type(6), #result svg").is_displayed(), "no chart")
    with suite.check("poll: a second vote of the same visitor replaces the first"):
        first.wait(lambda: first.one("#vote button").is_enabled(), "the button")
        first.one("input[value='Friends']").click()
        first.one("#vote button").click()
        second.wait(lambda: "Friends: 1 of 1" in label(second), "the changed vote")
        if owner:
            expect(rows(owner, "SELECT count(*) FROM votes") == [(1,)], "more than one row")
    with suite.check("poll: the vote of somebody else is counted beside it"):
        second.one("input[value='Building things']").click()
        second.one("#vote button").click()
        first.wait(lambda: "Building things: 1 of 2" in label(first), "the second vote")
        if owner:
            expect(len(rows(owner, "SELECT DISTINCT _owner FROM votes")) == 2, "not two voters")
    suite.shot(first, "poll-two-votes")
    if owner:
        with suite.check("poll: a thousand rows of one visitor do not hide the votes of others"):
            with contextlib.closing(sqlite3.connect(owner.folder / "data.db", timeout=10)) as database:
                database.execute("""
                    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)
                    INSERT INTO votes (_owner, choice) SELECT 'somebody', 'Friends' FROM n""")
                database.commit()
            second.one("input[value='A long walk']").click()
            second.one("#vote button").click()
            second.wait(lambda: second.one("#status").text == "Your vote is changed.", "the vote")
            visit(first, here("poll/"))
            live(first)
            first.wait(lambda: "A long walk: 1 of 3" in label(first), f"the newest vote: {label(first)}")


def blog(suite, page, here, as_owner=None):
    with suite.check("blog: the list, a post by its address, and one that is not there"):
        visit(page, here("blog/"))
        live(page)
        expect(page.driver.find_elements("css selector", "#posts a"), "no post")
        expect(not page.one("#write").is_displayed(), "a visitor sees the form for posts")
        title = texts(page, "#posts a")[0]
        page.one("#posts a").click()
        page.wait(lambda: texts(page, "h1") == [title], "the post")
        expect(texts(page, "#text p"), "no text")
        suite.shot(page, "blog-post")
        visit(page, here("blog/post.html?slug=nothing"))
        page.wait(lambda: "no such post" in page.text(), "the missing post")
    if as_owner is None:
        return
    with suite.check("blog: the owner writes and deletes, and readers see it without reload"):
        visit(page, here("blog/"))
        live(page)
        page.run("const first = document.querySelector('#posts a'); first.wasThere = true; first.focus()")
        with browser() as owner:
            visit(owner, as_owner("blog/"))
            live(owner)
            owner.wait(lambda: owner.one("#write").is_displayed(), "the form")
            fill(owner, "#title", "   ")
            fill(owner, "#body", "One.")
            owner.one("#editor button").click()
            owner.wait(lambda: "title is empty" in owner.one("#status").text, "the refusal of a title of blanks")
            expect("" not in texts(owner, "#posts a"), "a post without a title")
            fill(owner, "#title", "Written by hand")
            fill(owner, "#body", "One.\n\nTwo.")
            owner.one("#editor button").click()
            page.wait(lambda: "Written by hand" in texts(page, "#posts a"), "the new post at the reader")
            expect(page.run("return document.activeElement.wasThere"), "a post that has not changed lost the focus")
            expect(texts(page, "#posts a")[0] == "Written by hand", "the newest post is not the first")
            owner.wait(lambda: "Written by hand" in texts(owner, "#posts a"), "the new post")
            suite.shot(owner, "blog-owner")
            owner.driver.find_elements("css selector", "#posts a")[0].click()
            owner.wait(lambda: owner.driver.find_elements("css selector", "#delete:not([hidden])"), "the button")
            expect(len(texts(owner, "#text p")) == 2, "not two paragraphs")
            owner.one("#delete").click()
            owner.one("#delete").click()
            page.wait(lambda: "Written by hand" not in texts(page, "#posts a"), "the post gone")


MANY_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>many</title><h1>Many tables</h1>
<script src="many.js"></script><script src="/sdk/goop-data.js"></script><script src="watch.js"></script>"""

# Counts the streams of the page and knows when each began and ended; loaded before the SDK. `broken`: they are refused.
# `haste`: time goes so many times faster.
MANY_STREAMS = """const Native = EventSource;
window.streams = [];
window.EventSource = class extends Native {
  constructor(path) {
    super(window.broken ? "nothing.html" : path);
    this.openedAt = performance.now();
    streams.push(this);
  }
  close() {
    this.closedAt ??= performance.now();
    this.isLeft ??= document.hidden;
    super.close();
  }
};
const later = setTimeout;
window.setTimeout = (action, milliseconds, ...more) => later(action, milliseconds / (window.haste ?? 1), ...more);"""

MANY_WATCH = """window.heard = {};
window.watches = {};
window.watchTable = (table) => {
  const own = (heard[table] = { open: 0, reload: 0, texts: [], error: null });
  watches[table] = Goop.data.subscribe(table, {
    onOpen: () => { own.open += 1; }, onReload: () => { own.reload += 1; },
    onInsert: (row) => own.texts.push(row.text), onError: (error) => { own.error = `${error.code} ${error.status}`; },
  });
};
for (let number = 0; number < 20; number += 1) watchTable(`live${number}`);"""


def many_tables(suite, page, program, owner, here):
    """A browser has six connections to one address: a page has one stream, however many tables it watches."""
    def data(*words):
        done = subprocess.run([str(program), "data", str(owner.folder), *words], capture_output=True, text=True, timeout=30)
        expect(done.returncode == 0, f"{words}: {done.stderr}")

    def heard(table, member):
        return page.run("return heard[arguments[0]]?.[arguments[1]]", table, member)

    def open_streams():
        return page.run("return streams.filter(({ readyState }) => readyState !== EventSource.CLOSED).length")

    tables = [f"live{number}" for number in range(20)]
    with suite.check("a page with twenty tables: all are live over one stream, and a request still answers"):
        for table in (*tables, "later"):
            data("create", table, "text:text", "--policy", "open")
        for name, text in (("index.html", MANY_PAGE), ("many.js", MANY_STREAMS), ("watch.js", MANY_WATCH)):
            owner.write(f"many/{name}", text)
        visit(page, here("many/"))
        for table in tables:
            page.wait(lambda: heard(table, "open") == 1, f"{table} to be live")
        expect(page.run("return streams.length") == 1, "more than one stream was opened")
        answer = page.driver.execute_async_script("""
            const done = arguments[0];
            fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(5000) })
              .then((answer) => done(answer.status), (error) => done(String(error)))""")
        expect(answer == 200, answer)
        for table in tables:
            data("insert", table, f"text=for {table}")
        for table in tables:
            page.wait(lambda: heard(table, "texts") == [f"for {table}"], f"the row of {table}: {heard(table, 'texts')}")
            expect(heard(table, "reload") == 0 and heard(table, "error") is None, page.run("return heard"))
    with suite.check("tables that come and go: still one stream, the others read again, and a refusal is that table's own"):
        page.run("watchTable('later'); watchTable('nothing'); watches.live0.close()")
        page.wait(lambda: heard("later", "open") == 1, "the later table to be live")
        page.wait(lambda: heard("nothing", "error") == "not_found 404", f"the refusal: {heard('nothing', 'error')}")
        for table in tables[1:]:
            page.wait(lambda: heard(table, "reload") == 1, f"{table} to read again")
        expect(open_streams() == 1 and page.run("return streams.length") == 2, "not one stream for another")
        between = page.run("return streams[1].openedAt - streams[0].closedAt")
        expect(between > 140, f"opened {between:.0f} ms after the one before: too soon to have its places back")
        # Both streams together have more tables than one visitor may watch: the first gives its own back before.
        expect(all(heard(table, "error") is None for table in (*tables, "later")), page.run("return heard"))
        for table in ("live0", "live7", "later"):
            data("insert", table, "text=second")
        for table, texts_wanted in (("live7", ["for live7", "second"]), ("later", ["second"])):
            page.wait(lambda: heard(table, "texts") == texts_wanted, f"the second row of {table}: {heard(table, 'texts')}")
        expect(heard("live0", "texts") == ["for live0"], "a table that nobody watches is told")
    with suite.check("a table whose policy changes and one that is dropped: the others hear nothing, and the stream stays"):
        others = [name for name in (*tables[3:], "later")]
        before = {name: (heard(name, "open"), heard(name, "reload")) for name in others}
        opened = heard("live1", "open")
        data("policy", "live1", "owner")
        page.wait(lambda: heard("live1", "open") == opened + 1, f"live1 to be live again: {page.run('return heard.live1')}")
        expect(heard("live1", "error") == "conflict 409", heard("live1", "error"))
        data("drop", "live2", "--yes")
        page.wait(lambda: heard("live2", "error") == "not_found 404", f"the end of live2: {heard('live2', 'error')}")
        for table in ("live1", "live5"):
            data("insert", table, "text=third")
        for table in ("live1", "live5"):
            page.wait(lambda: heard(table, "texts")[-1:] == ["third"], f"the third row of {table}: {heard(table, 'texts')}")
        expect(page.run("return streams.length") == 2 and open_streams() == 1, "the stream was opened anew")
        expect({name: (heard(name, "open"), heard(name, "reload")) for name in others} == before, page.run("return heard"))
        expect(all(heard(name, "error") is None for name in others), page.run("return heard"))
        page.run("for (const watch of Object.values(watches)) watch.close()")
        expect(open_streams() == 0, "a stream for no table")
    with suite.check("a stream that is refused is tried again, later each time, and is live by itself in the end"):
        page.run("streams.length = 0; broken = true; watchTable('live3')")
        page.wait(lambda: page.run("return streams.length") == 3, "two more attempts", 15)
        pauses = page.run("return streams.slice(1).map((one, index) => (one.openedAt - streams[index].openedAt) / 1000)")
        expect(0.9 < pauses[0] < pauses[1] and pauses[1] > 1.9, f"{pauses} s between the attempts")
        page.run("broken = false")
        page.wait(lambda: heard("live3", "open") == 1, "the table to be live", 15)
    with suite.check("a page that nobody looks at lets its stream go after a while, and reads again when it is looked at"):
        expect(page.run("streams.splice(0, streams.length - 1); haste = 60; return streams.length") == 1, "no stream")
        # The time begins when the page is left; before, it was of the usual length.
        with page.left():
            time.sleep(3)  # a tab that is asked is looked at, so there is nothing to wait for
        page.driver.switch_to.frame(page.one("#frame-place iframe"))
        page.wait(lambda: heard("live3", "open") == 2 and heard("live3", "reload") == 1, f"live again: {page.run('return heard.live3')}")
        expect(page.run("return streams[0].isLeft") is True, "the stream was held while nobody looked")
        expect(open_streams() == 1 and page.run("return streams.length") == 2, "not one stream for another")
    with suite.check("a message stays as long as the focus is on it, and gives it back"):
        page.driver.execute_async_script("""
            const script = document.createElement("script");
            script.src = "/sdk/goop-component-toast.js";
            script.onload = arguments[0];
            document.head.append(script);""")
        page.run("""
            const before = document.body.appendChild(document.createElement("button"));
            before.id = "before";
            before.focus();
            haste = 1;
            Goop.toast("stays", { duration: 200 });
            document.querySelector(".goop-toast button").focus();
            document.querySelector(".goop-toast").dispatchEvent(new Event("mouseleave"));""")
        time.sleep(0.8)  # for what must not happen there is nothing to wait for
        expect(page.run("return document.activeElement.ariaLabel") == "close this message", "it went from under the focus")
        page.driver.switch_to.active_element.send_keys("\ue007")
        page.wait(lambda: page.run("return document.activeElement.id") == "before", "the focus where it was")


ASKED_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>asked</title><h1>Asked</h1><div id="place"></div>
<script src="asked.js"></script><script src="/sdk/goop-data.js"></script><script src="/sdk/goop-form.js"></script>
<script src="/sdk/goop-forms.js"></script><script src="/sdk/goop-identity.js"></script><script src="form.js"></script>"""

# Counts what the page asks, by address. What has `away` in it gets no answer, and what has `slow` in it one when `letGo` is
# called. Loaded before the SDK; an address with `?away` or `?slow` begins so.
ASKED_REQUESTS = """const fetched = window.fetch;
window.asked = {};
window.away = location.search === "?away" ? "/data/" : null;
window.slow = location.search === "?slow" ? "/data/" : null;
const isLetGo = new Promise((done) => { window.letGo = done; });
window.fetch = async (path, ...more) => {
  asked[path] = (asked[path] ?? 0) + 1;
  if (away && String(path).includes(away)) throw new TypeError("nobody answers");
  if (slow && String(path).includes(slow)) await isLetGo;
  return fetched(path, ...more);
};"""

ASKED_FORM = """window.showForm = (table) => Goop.form.render("place", { table, singleResponse: true,
  fields: [{ name: "text", label: "Text" }, { name: "more", label: "More" }, { name: "tags", label: "Tags", type: "tags" }] });
showForm("asked");"""


def asked(suite, page, program, owner, here, own):
    """Forms, and what else the SDK asks the owner or the viewer, by a visitor whose answers come late or not at all."""
    def status():
        return page.run("return document.querySelector('#place [role=status]')?.textContent ?? ''")

    def value(name):
        return page.run("return document.querySelector(`#place form`).elements[arguments[0]].value", name)

    def answers():
        return rows(owner, "SELECT text, more FROM asked")

    def send():
        page.one("#place button[type=submit]").click()
        page.wait(lambda: "it is stored" in status(), "the thanks")

    for name, text in (("index.html", ASKED_PAGE), ("asked.js", ASKED_REQUESTS), ("form.js", ASKED_FORM)):
        owner.write(f"asked/{name}", text)
    done = subprocess.run([str(program), "data", str(owner.folder), "create", "asked", "text:text", "more:text", "tags:text", "--policy", "open"],
                          capture_output=True, text=True, timeout=30)
    expect(done.returncode == 0, done.stderr)
    with suite.check("a form for one answer shows the answer that is there"):
        visit(page, here("asked/"))
        fill(page, "#place [name=text]", "first answer")
        fill(page, "#place [name=more]", "first more")
        send()
        expect(answers() == [("first answer", "first more")], answers())
        visit(page, here("asked/"))
        page.wait(lambda: "answered before" in status(), "the word that there is one")
        expect((value("text"), value("more")) == ("first answer", "first more"), "another answer is shown")
    with suite.check("what is typed while the owner does not answer is what is stored, not the answer before"):
        visit(page, here("asked/?away"))
        page.wait(lambda: "does not answer" in status(), "the failure of the first lookup")
        fill(page, "#place [name=text]", "second answer")
        page.run("window.away = null")
        send()
        expect([text for text, _ in answers()] == ["second answer"], answers())
        expect(value("text") == "second answer", value("text"))
    with suite.check("an answer before that comes late takes nothing of what is typed, and fills the other fields"):
        with contextlib.closing(sqlite3.connect(owner.folder / "data.db", timeout=10)) as database:
            database.execute("UPDATE asked SET text = 'before', more = 'more before', tags = 'one,two'")
            database.commit()
        visit(page, here("asked/?slow"))
        fill(page, "#place [name=text]", "third ans")
        page.run("letGo()")
        page.wait(lambda: "answered before" in status(), "the late answer")
        expect(value("text") == "third ans", f"the field holds {value('text')!r}")
        expect(value("more") == "more before" and len(texts(page, "#place .goop-tag-list li")) == 2, "a field that nobody touched is empty")
        send()
        expect(answers() == [("third ans", "more before")], answers())
    with suite.check("what is written while a row is on its way stays for the next one"):
        visit(page, here("asked/"))
        page.run("""window.slow = "/data/insert";
            return Goop.form.render("place", { table: "asked", fields: [{ name: "text", label: "Text" }, { name: "more", label: "More" }] });""")
        fill(page, "#place [name=text]", "sent")
        fill(page, "#place [name=more]", "sent too")
        page.one("#place button[type=submit]").click()
        page.wait(lambda: status() == "Sending…", "the row on its way")
        fill(page, "#place [name=text]", "for the next one")
        page.run("letGo()")
        page.wait(lambda: "it is stored" in status(), "the thanks")
        expect((value("text"), value("more")) == ("for the next one", ""), f"the fields hold {value('text')!r}, {value('more')!r}")
        expect(("sent", "sent too") in answers(), answers())
    with suite.check("a page that names a hundred writers at once asks for the list of people once, and again later"):
        visit(page, here("asked/"))
        named = "return Promise.all(Array.from({ length: arguments[0] }, () => Goop.identity.resolveName(arguments[1])))"
        listed = "return asked['/api/peers']"
        expect(page.run(named, 100, owner.id) == ["Neighbour"] * 100 and page.run(listed) == 1, f"asked {page.run(listed)} times")
        page.run("window.away = '/api/peers'")
        # The answer is good for a second.
        page.wait(lambda: page.run(named, 2, owner.id)[0] != "Neighbour", "another question")
        page.run("window.away = null")
        expect(page.run(named, 2, owner.id) == ["Neighbour"] * 2, "a list that failed is kept")
    with browser() as keeper:
        with suite.check("the owner's form adds columns to a table with a schema, and its rows get no quotes for a text"):
            visit(keeper, own("asked/"))
            keeper.run("""return Goop.data.createTable("shaped", [{ name: "pick", type: "enum", values: ["red", "blue"] },
                { name: "word", type: "text", values: [] }]).then(() => showForm("shaped"))""")

            def columns():
                return {one["name"]: one for one in json.loads(
                    rows(owner, "SELECT schema_json FROM _orm_schemas WHERE table_name = 'shaped'")[0][0])["columns"]}
            keeper.wait(lambda: {"text", "more", "tags"} <= columns().keys(), f"the columns of the form: {columns()}")
            expect(not any("default" in column for column in columns().values()), columns())
            keeper.run("return Goop.data.insert('shaped', { pick: 'red' })")
            expect(rows(owner, "SELECT pick, text, more FROM shaped") == [("red", None, None)], "not what was sent")
        with suite.check("an enum with plain texts: its choices are in both forms and pass; a list without any is none"):
            found = keeper.run("""
                const options = (form) => [...form.elements.pick.options].map(({ value, text }) => `${value}:${text}`).join(" ");
                return (async () => {
                  const insert = await Goop.forms.insertForm("place", "shaped");
                  const first = [options(insert), insert.elements.word.localName];
                  const table = await Goop.data.orm("shaped");
                  const problems = [table.validate({ pick: "blue" }).length, table.validate({ pick: "green" }).length];
                  return [...first, ...problems, options(await table.form("place"))];
                })()""")
            expect(found == [":– red:red blue:blue", "input", 0, 1, ":– red:red blue:blue"], found)


PEERS_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>near</title><h1>Who is near</h1>
<script src="asked.js"></script><script src="/sdk/goop-peers.js"></script><script src="near.js"></script>"""

# Notes of each question for the list whether the tab was hidden; loaded before the SDK.
PEERS_ASKED = """const real = window.fetch;
window.asked = [];
window.fetch = (path, ...more) => {
  if (String(path).endsWith("/api/peers")) asked.push(document.hidden);
  return real(path, ...more);
};
document.addEventListener("visibilitychange", () => { window.askedBefore = asked.length; });"""

PEERS_NEAR = """window.snapshots = 0;
window.follow = (milliseconds) => Goop.peers.subscribe({ onSnapshot: () => { snapshots += 1; } }, milliseconds);
follow(500);"""


def resting_peers(suite, page, owner, here):
    with suite.check("who is near is not asked for while the tab is hidden, and at once when it is shown again"):
        for name, text in (("index.html", PEERS_PAGE), ("asked.js", PEERS_ASKED), ("near.js", PEERS_NEAR)):
            owner.write(f"near/{name}", text)
        visit(page, here("near/"))
        page.wait(lambda: page.run("return asked.length") > 2, "the list to be asked for again and again")
        with page.left():
            time.sleep(2)  # a tab that is asked is looked at, so there is nothing to wait for
        page.driver.switch_to.frame(page.one("#frame-place iframe"))
        expect(page.run("return snapshots") == 1, "more than one first list")
        expect(not any(page.run("return asked")), f"asked while nobody looked: {page.run('return asked')}")
        # From here on an hour passes between two questions.
        page.run("follow(3600000)")
        page.wait(lambda: page.run("return snapshots") == 2, "the first list")
        with page.left():
            pass
        page.driver.switch_to.frame(page.one("#frame-place iframe"))
        page.wait(lambda: page.run("return asked.length > askedBefore"), "a question once it is shown")
        expect(not any(page.run("return asked")), "asked while nobody looked")


SYSTEM_COLUMNS = """_id INTEGER PRIMARY KEY AUTOINCREMENT, _owner TEXT NOT NULL, _owner_email TEXT DEFAULT '',
    _created_at DATETIME DEFAULT CURRENT_TIMESTAMP, _updated_at DATETIME DEFAULT CURRENT_TIMESTAMP"""


def upstream_database(path):
    """A data.db laid out as upstream makes it, from the description of its tables."""
    open_access = {"read": "open", "insert": "open", "update": "owner", "delete": "owner"}
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript("""
            PRAGMA journal_mode=WAL;
            CREATE TABLE _meta (key TEXT PRIMARY KEY, value TEXT);
            CREATE TABLE _tables (name TEXT PRIMARY KEY, schema TEXT NOT NULL, insert_policy TEXT DEFAULT 'owner',
                created_at DATETIME DEFAULT CURRENT_TIMESTAMP);
            CREATE TABLE _orm_schemas (table_name TEXT PRIMARY KEY, schema_json TEXT NOT NULL,
                created_at DATETIME DEFAULT CURRENT_TIMESTAMP);
            INSERT INTO _meta VALUES ('template_require_email', '1'), ('template_manifest', '{"name":"Survey","dir":"survey"}')""")
        kinds = {"title": "TEXT NOT NULL", "score": "INTEGER", "colour": "TEXT", "day": "DATE", "on": "TEXT", "tags": "TEXT",
                 "size": "INTEGER", "kind": "TEXT", "pick": "TEXT"}
        words = {"INTEGER": "integer", "DATE": "date"}
        create = f"CREATE TABLE items ({SYSTEM_COLUMNS}, " + ", ".join(f'"{name}" {kind}' for name, kind in kinds.items()) + ")"
        schema = {"name": "items", "system_key": True, "context": False, "access": open_access, "columns": [
            {"name": name, "type": words.get(kind, "text"), **({"required": True} if name == "title" else {})}
            for name, kind in kinds.items()]}
        database.execute(create)
        database.execute("INSERT INTO _tables (name, schema, insert_policy) VALUES ('items', ?, 'open')", [create])
        database.execute("INSERT INTO _orm_schemas (table_name, schema_json) VALUES ('items', ?)", [json.dumps(schema)])
        for name, policy in (("answers", "open"), ("private", "owner")):
            create = f"CREATE TABLE {name} ({SYSTEM_COLUMNS}, text TEXT DEFAULT '')"
            database.execute(create)
            database.execute("INSERT INTO _tables (name, schema, insert_policy) VALUES (?, ?, ?)", [name, create, policy])
        database.commit()


def pictures(suite, here, names=("", "guestbook/", "poll/", "blog/")):
    """Every starter at two widths and in both schemes: nothing too wide, nothing blocked."""
    for name in names:
        def look(page, label, name=name):
            visit(page, here(name))
            if name:
                live(page)
            time.sleep(0.2)  # only for the picture
            suite.shot(page, label)
            not_too_wide(page)
            expect(len(page.driver.find_elements("css selector", "h1")) == 1, "not one h1")
            unnamed = page.run("""
                return [...document.querySelectorAll('input, textarea, select, button, a')]
                  .filter((e) => !(e.labels?.length || e.innerText?.trim() || e.ariaLabel)).map((e) => e.outerHTML)""")
            expect(not unnamed, f"without a name: {unnamed}")
            blocked = [line for line in page.complaints() if "Content Security Policy" in line]
            expect(not blocked, blocked)
        each_look(suite, f"starter-{name.strip('/') or 'home'}", "looks right: {}", look)


def upstream(suite, page, url, how):
    with suite.check(f"a site written for upstream runs to its end, {how}"):
        visit(page, url)
        expect(page.run("return origin") == "null" if how == SEALED else "localhost" in page.run("return origin"), how)
        page.wait(lambda: page.run("return document.title") == "done", "its report", seconds=90)
    results = json.loads(page.run("return document.getElementById('results').textContent") or "{}")
    for name, wanted in UPSTREAM.items():
        with suite.check(f"upstream's SDK, {how}: {name}"):
            got = results.get(name)
            expect(got is not None and (wanted(got) if callable(wanted) else got == wanted), f"{got!r}, not {wanted!r}")
    suite.shot(page, f"upstream-site {how}".replace(" ", "-"))


def story(suite, program, folder):
    me = Peer(program, folder / "me", "--label", "Ada")
    other = Peer(program, folder / "other", "--label", "Grace")
    owner = Peer(program, folder / "neighbour", "--label", "Neighbour", "--starter", "neighbour")
    with ended(owner, other, me, suite=suite):
        # The owner keeps one id and one folder over its restarts.
        views = [peer.start()["viewer"]["url"] for peer in (me, other, owner)]
        suite.visitor = me.id
        here, there, own = ((lambda path, url=url: f"{url}p/{owner.id}/{path}") for url in views)
        shutil.copytree(HERE / "upstream", owner.site / "upstream", dirs_exist_ok=True)
        with browser() as first, browser() as second:
            for page, url in ((first, views[0]), (second, views[1])):
                page.driver.get(url)
                page.wait(lambda: page.run("return document.body.innerText").count("Neighbour") > 0, "the neighbour", seconds=20)
            guestbook(suite, first, second, owner, here, there, owner.stop, owner.start)
            poll(suite, first, second, owner, here, there)
            starter_attacks.attacks(suite, first, second, program, owner, here, there, own)
            blog(suite, first, here, own)
            many_tables(suite, first, program, owner, here)
            asked(suite, first, program, owner, here, own)
            resting_peers(suite, first, owner, here)
        pictures(suite, here)

    site = Peer(program, folder / "unchanged", "--label", "Unchanged")
    visitor = Peer(program, folder / "visitor", "--label", "Visitor")
    with ended(visitor, site, suite=suite):
        site.folder.mkdir(parents=True)
        shutil.copytree(HERE / "upstream", site.site)
        upstream_database(site.folder / "data.db")
        url = visitor.start()["viewer"]["url"]
        site.start()
        with browser() as page:
            page.driver.get(url)
            page.wait(lambda: "Unchanged" in page.run("return document.body.innerText"), "the peer", seconds=20)
            upstream(suite, page, f"{url}p/{site.id}/?q=1", "on its own origin")
        # A browser that finds no names under localhost, as some systems have it.
        with browser(arguments=["--host-resolver-rules=MAP *.localhost ~NOTFOUND"]) as page:
            page.driver.get(url)
            upstream(suite, page, f"{url}p/{site.id}/?q=1", SEALED)

if __name__ == "__main__":
    part.run("starters", story, part.options(__doc__))
