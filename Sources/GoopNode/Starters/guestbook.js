// The guestbook: a form that adds rows to the table `guestbook`, and the rows as they arrive.
const list = document.getElementById("entries");
const live = document.getElementById("live");
const shown = new Map();
let me = {};

function state(name, text) {
  live.dataset.state = name;
  live.textContent = text;
}

function element(tag, attributes, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
}

/** One entry. All text from visitors is put in as text, never as markup. */
function entry(row, isNew) {
  const item = element("li", { className: isNew ? "entry new" : "entry" },
    element("div", { className: "by" },
      element("b", {}, row.name || "Somebody"),
      element("time", { dateTime: `${row._created_at.replace(" ", "T")}Z` }, Goop.date(row._created_at)),
      element("code", { title: `peer ${row._owner}` }, `…${row._owner.slice(-8)}`)),
    element("p", {}, row.message));
  if (row._owner === me.myId || me.isOwner) {
    item.append(element("button", {
      type: "button", className: "small", ariaLabel: `Delete the entry of ${row.name}`, onclick: () => remove(row._id),
    }, "Delete"));
  }
  return item;
}

async function remove(id) {
  try {
    await Goop.data.remove("guestbook", id);
    drop(id);
  } catch (error) {
    state("lost", Goop.explain(error));
  }
}

function put(row, isNew) {
  const item = entry(row, isNew);
  const before = shown.get(row._id);
  if (before) before.replaceWith(item);
  else list.prepend(item);
  shown.set(row._id, item);
}

function drop(id) {
  shown.get(id)?.remove();
  shown.delete(id);
  if (shown.size === 0) empty();
}

function empty() {
  list.replaceChildren(element("li", {}, "Nobody yet. Be the first."));
}

async function load() {
  const rows = await Goop.data.find("guestbook", { order: "_id DESC", limit: 200 });
  shown.clear();
  list.replaceChildren();
  for (const row of rows.reverse()) put(row, false);
  if (rows.length === 0) empty();
}

async function start() {
  Goop.form.render("sign", {
    table: "guestbook",
    submitLabel: "Sign",
    fields: [
      { name: "name", label: "Your name", required: true, maxlength: 80, value: (await Goop.peer()).label },
      { name: "message", label: "Your message", type: "textarea", required: true, maxlength: 2000 },
    ],
  });
  me = await Goop.peer();
  Goop.data.subscribe("guestbook", {
    onOpen: () => load().then(() => state("live", "Live: new entries appear by themselves."), lost),
    onReload: () => load().catch(lost),
    onInsert: (row) => { if (shown.size === 0) list.replaceChildren(); put(row, true); },
    onUpdate: (row) => put(row, false),
    onDelete: drop,
    onError: lost,
  });
}

function lost(error) {
  state("lost", Goop.explain(error));
}

start().catch(lost);
