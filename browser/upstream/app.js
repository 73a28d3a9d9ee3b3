// Uses the SDK as a site of old does: globals, names and shapes of viewer.md §8. Each step says what it got.
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const within = async (condition, ms = 8000) => {
  for (const start = Date.now(); Date.now() - start < ms; await wait(20)) if (condition()) return true;
  throw new Error("nothing happened");
};
const type = (field, value) => { field.value = value; field.dispatchEvent(new Event("input", { bubbles: true })); };
const failure = async (promise) => {
  try {
    return `no failure: ${JSON.stringify(await promise)}`;
  } catch (error) {
    return `${error instanceof Error} ${error.code} ${error.status}`;
  }
};
const seen = [];

const steps = {
  "a clean start": async () => {
    for (const table of ["items", "answers"]) {
      for (const { _id } of await Goop.data.find(table, { where: "_owner = ?", args: [await Goop.identity.id()] })) {
        await Goop.data.remove(table, _id);
      }
    }
    return "clean";
  },
  "identity.get": async () => Object.keys(await Goop.identity.get()).sort().join(),
  "identity names": async () => [await Goop.identity.id() === (await Goop.identity.get()).id, await Goop.identity.label(),
    typeof await Goop.identity.email(), await Goop.identity.resolveName("12D3KooWunknown", "given")].join(),
  "peer": async () => {
    const peer = await Goop.peer();
    return [peer.hostId === location.pathname.split("/p/")[1].split("/")[0], peer.isOwner, peer.isGroup].join();
  },
  "peers.list": async () => Array.isArray(await Goop.peers.list()),
  "tables": async () => (await Goop.data.tables()).map(({ name }) => name).filter((name) => name === "items").join(),
  "describe": async () => (await Goop.data.describe("items")).mode,
  "schemas": async () => "items" in (await Goop.data.schemas()),
  "role": async () => (await Goop.data.role("items")).role,
  "subscribe": async () => {
    let open = false;
    window.watch = Goop.data.subscribe("items", { onOpen: () => { open = true; }, onChange: (change) => seen.push(change) });
    await within(() => open);
    return "open";
  },
  "subscribe, a second time": async () => {
    let open = 0;
    const second = Goop.data.subscribe("items", { onOpen: () => { open += 1; } });
    await within(() => open === 1);
    second.close();
    return String(open);
  },
  "insert": async () => {
    window.added = [];
    for (const [title, score] of [["b", 2], ["a", 1], ["c", 3]]) {
      const answer = await Goop.data.insert("items", { title, score });
      window.added.push(answer.id);
      if (answer.status !== "inserted") return JSON.stringify(answer);
    }
    return window.added.every(Number.isInteger);
  },
  "own rows": async () => (await Goop.data.find("items", { where: "_owner = ?", args: [await Goop.identity.id()] })).length,
  "find": async () => (await Goop.data.find("items", { where: "score > ?", args: [1], fields: ["title", "score"], order: "score DESC", limit: 2 }))
    .map((row) => `${row.title}${row.score}`).join(),
  "find, offset": async () => (await Goop.data.find("items", { order: "title", limit: 1, offset: 1 })).map(({ title }) => title).join(),
  "findOne": async () => (await Goop.data.findOne("items", { where: "title = ?", args: ["a"] })).score,
  "findOne, nothing": async () => await Goop.data.findOne("items", { where: "title = ?", args: ["zz"] }),
  "get": async () => (await Goop.data.get("items", window.added[0])).title,
  "getBy": async () => (await Goop.data.getBy("items", "title", "c")).score,
  "list": async () => (await Goop.data.list("items", 2)).length,
  "query": async () => (await Goop.data.query("items", { where: "title = ?", args: ["b"] })).length,
  "query, nothing": async () => JSON.stringify(await Goop.data.query("items", { where: "title = ?", args: ["zz"] })),
  "pluck": async () => (await Goop.data.pluck("items", "title", { order: "title" })).join(),
  "distinct": async () => (await Goop.data.distinct("items", "title")).sort().join(),
  "exists": async () => [await Goop.data.exists("items", { where: "score = 3" }), await Goop.data.exists("items", { where: "score = 9" })].join(),
  "count": async () => await Goop.data.count("items", { where: "score >= ?", args: [2] }),
  "aggregate": async () => {
    const [row] = await Goop.data.aggregate("items", "COUNT(*) AS n, MAX(score) AS m");
    return `${row.n} ${row.m}`;
  },
  "aggregate, grouped": async () => (await Goop.data.aggregate("items", "title, COUNT(*) AS n", { group_by: "title" })).length,
  "aggregate, sorted and cut": async () => (await Goop.data.aggregate("items", "title, SUM(score * ?) AS s", {
    group_by: "title", where: "score < ?", args: [10, 9], order: "s DESC", limit: 1, offset: 1,
  })).map(({ title, s }) => `${title}${s}`).join(),
  "update": async () => {
    await Goop.data.update("items", window.added[0], { score: 20 });
    return (await Goop.data.get("items", window.added[0])).score;
  },
  "remove": async () => {
    await Goop.data.remove("items", window.added[2]);
    return await Goop.data.get("items", window.added[2]);
  },
  "changes seen": async () => {
    await within(() => seen.length >= 5);
    window.watch.close();
    return seen.map(({ kind, row, id }) => `${kind}:${row?.title ?? (id === window.added[2])}`).join();
  },
  "orm": async () => {
    const items = await Goop.data.orm("items");
    return [items.name, items.columns.map(({ name }) => name).join("+"), items.canInsert, items.canDelete,
      (await items.find({ limit: 1 })).length, items.validate({ score: "x" }).length].join();
  },
  "refused table": () => failure(Goop.data.insert("private", { text: "x" })),
  "system table": () => failure(Goop.data.find("_meta")),
  "missing table": () => failure(Goop.data.find("nowhere")),
  "bad condition": () => failure(Goop.data.find("items", { where: "1); DROP TABLE items; --" })),
  "call": () => failure(Goop.data.call("f", {})),
  "functions": async () => (await Goop.data.functions()).length,
  "watching a refused table": () => new Promise((resolve) => {
    const watch = Goop.data.subscribe("_meta", { onError: (error) => { watch.close(); resolve(`${error.code} ${error.status}`); } });
  }),
  "form": async () => {
    let done = null;
    await Goop.form.render("survey", {
      table: "items", submitLabel: "Go", onDone: (values) => { done = values; },
      fields: [{ name: "title", label: "Title", required: true }, { name: "score", type: "number" },
        { name: "colour", type: "color" }, { name: "day", type: "date" }, { name: "on", type: "toggle" },
        { name: "tags", type: "tags" }, { name: "size", type: "stepper", min: 1, max: 3 },
        { name: "kind", type: "radio", options: ["x", "y"] }, { name: "pick", type: "select", options: [{ value: "p", label: "P" }] }],
    });
    const form = document.querySelector("#survey form");
    const labelled = [...form.querySelectorAll("input:not([type=radio]), select")].every((field) => field.labels.length === 1);
    type(form.elements.title, "from a form");
    form.elements.score.value = "7";
    form.elements.on.click();
    form.elements.tags.value = "red, blue";
    form.querySelector("[aria-label=more]").click();
    form.querySelector("input[value=y]").click();
    form.requestSubmit();
    await within(() => done || form.querySelector("[data-kind=error]"));
    return `${labelled} ${form.querySelector("[role=status]").textContent} ${done && [done.title, done.score, done.on, done.tags, done.size, done.kind].join()}`;
  },
  "form, nothing in a number": async () => {
    let done = false;
    await Goop.form.render("survey", {
      table: "items", fields: [{ name: "title", label: "Title" }, { name: "score", type: "number" }], onDone: () => { done = true; },
    });
    const form = document.querySelector("#survey form");
    form.elements.title.value = "no score";
    form.requestSubmit();
    await within(() => done || form.querySelector("[data-kind=error]"));
    return form.querySelector("[role=status]").textContent;
  },
  "stepper": async () => {
    const made = Goop.ui.stepper({ min: -5, max: 5, value: 3 });
    made.set(0);
    return made.get();
  },
  "forms, a number, pressed twice": async () => {
    const before = await Goop.data.count("items", { where: "title = ?", args: ["twice"] });
    let done = 0;
    const form = await Goop.forms.insertForm("any", "items", () => { done += 1; });
    form.elements.title.value = "twice";
    form.elements.score.value = "5";
    form.requestSubmit();
    form.requestSubmit();
    await within(() => done || form.querySelector("[data-kind=error]"));
    await wait(300);
    const found = await Goop.data.find("items", { where: "title = ?", args: ["twice"] });
    return `${found.length - before} ${typeof found.at(-1)?.score}`;
  },
  "form, one answer": async () => {
    const own = async () => (await Goop.data.find("answers", { where: "_owner = ?", args: [await Goop.identity.id()] }));
    for (const text of ["first", "second"]) {
      let done = false;
      await Goop.form.render("survey", { table: "answers", singleResponse: true, fields: [{ name: "text", label: "Text" }], onDone: () => { done = true; } });
      const form = document.querySelector("#survey form");
      await wait(300);
      form.elements.text.value = text;
      form.requestSubmit();
      await within(() => done);
    }
    return (await own()).map(({ text }) => text).join();
  },
  "forms": async () => {
    await Goop.forms.render("#any", "answers");
    return document.querySelectorAll("#any form, #any table").length;
  },
  "list helper": async () => {
    Goop.list(document.getElementById("list"), [{ t: "<b>" }, { t: "&" }], (row) => `<p>${Goop.esc(row.t)}</p>`);
    const shown = document.querySelectorAll("#list p").length;
    Goop.list("list", [], () => "", { empty: "none" });
    return `${shown} ${document.getElementById("list").textContent}`;
  },
  "date": async () => Goop.date("2026-01-02 03:04:05", { timeZone: "UTC", hour: "2-digit", minute: "2-digit", hour12: false }),
  "overlay": async () => {
    const overlay = Goop.overlay("over");
    overlay.open();
    const open = !document.getElementById("over").hidden;
    document.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
    return `${open} ${document.getElementById("over").hidden}`;
  },
  "partial": async () => Goop.partial("row", { title: "<i>", tags: ["x", "y"], raw: "<u>r</u>" }),
  "render": async () => { Goop.render("list", Goop.dom("p", { class: "k" }, "<t>")); return document.getElementById("list").innerHTML; },
  "ui": async () => [Goop.ui.avatar("ada").textContent, Goop.ui.empty("e").textContent, Goop.ui.time("2026-01-02 03:04:05").tagName, Goop.ui.grid([]).className].join(),
  "dialog": async () => {
    const answers = [];
    const answer = async (promise, act) => {
      await wait(30);
      act(document.querySelector("dialog"));
      answers.push(await promise);
    };
    await answer(Goop.dialog.confirm("Sure?"), (dialog) => dialog.querySelector("button[type=submit]").click());
    await answer(Goop.dialog.confirm("Sure?", "Really"), (dialog) => dialog.querySelector("button[value=no]").click());
    await answer(Goop.dialog.prompt("Name?", { value: "v" }), (dialog) => { dialog.querySelector("input").value = "typed"; dialog.querySelector("button[type=submit]").click(); });
    await answer(Goop.dialog.confirmDanger("Delete", { word: "yes" }), (dialog) => {
      const blocked = dialog.querySelector("button[type=submit]").disabled;
      type(dialog.querySelector("input"), "yes");
      answers.push(blocked);
      dialog.querySelector("button[type=submit]").click();
    });
    return answers.join();
  },
  "alert": async () => {
    alert("told");
    await within(() => document.querySelector("dialog"));
    const text = document.querySelector("dialog").textContent;
    document.querySelector("dialog button[type=submit]").click();
    return `${text} ${confirm("asked?")}`;
  },
  "toast": async () => {
    const toast = Goop.toast("stored", { type: "success" });
    const text = document.querySelector(".goop-toast[role=status] span").textContent;
    toast.close();
    return `${text} ${document.querySelectorAll(".goop-toast").length}`;
  },
  "toolbar": async () => {
    let pressed = 0;
    const bar = Goop.toolbar("tools", [{ label: "one", onClick: () => { pressed += 1; } }, "|", { label: "two" }]);
    bar.querySelector("button").focus();
    bar.querySelector("button").click();
    bar.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
    return `${pressed} ${document.activeElement.textContent}`;
  },
  "drag": async () => {
    const moves = [];
    Goop.drag.sortable("sort", { onSort: (_, from, to) => moves.push(`${from}>${to}`) });
    const first = document.querySelector("#sort li");
    first.focus();
    first.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", altKey: true, bubbles: true }));
    return `${moves.join()} ${[...document.querySelectorAll("#sort li")].map((item) => item.textContent).join()}`;
  },
  "router": async () => [Goop.router.param("q"), Goop.router.page(), Goop.router.url("post.html", { slug: "a b" }).endsWith("/post.html?slug=a+b"),
    JSON.stringify(Goop.router.params())].join(),
  "router stays in the site": async () => { try { Goop.router.url("../../x"); return "out"; } catch (error) { return error.code; } },
  "site.read": async () => (await Goop.site.read("style.css")).trim().slice(0, 4),
  "site.upload": () => failure(Goop.site.upload("x", "y")),
  "group": async () => JSON.stringify(await Goop.group.subscriptions()),
  "mq": () => { Goop.mq.subscribe("chat.*", () => {}); return failure(Goop.mq.send("x", "chat", {})); },
  "template": async () => [JSON.stringify(await Goop.template.get()), await Goop.template.requireEmail()].join(),
  "module, every export": async () => {
    // A whole address: a page without an origin needs one.
    const all = await Promise.all(["goop.mjs", "goop-data.mjs"].map((name) => import(new URL(`/sdk/${name}`, location.href).href)));
    return all.flatMap((module) => Object.entries(module)).filter(([, value]) => value === undefined).map(([name]) => name).join();
  },
  "module": async () => { await within(() => window.moduleSays); return window.moduleSays; },
  "style sheets": async () => [...document.styleSheets].length >= 3,
};

const blocked = [];
document.addEventListener("securitypolicyviolation", (event) => blocked.push(`${event.violatedDirective} ${event.blockedURI}`));

(async () => {
  const results = {};
  for (const [name, step] of Object.entries(steps)) {
    try {
      results[name] = String(await step());
    } catch (error) {
      results[name] = `THREW ${error.code ?? ""} ${error.message}`;
    }
  }
  results["content policy"] = blocked.join("; ");
  document.getElementById("results").textContent = JSON.stringify(results, null, 1);
  document.title = "done";
})();
