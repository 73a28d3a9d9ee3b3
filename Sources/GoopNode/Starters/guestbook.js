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
    const button = element("button", { type: "button", className: "small", ariaLabel: `Delete the entry of ${row.name}` }, "Delete");
    askTwice(button, `Really delete the entry of ${row.name}? Press again`, () => remove(row._id));
    item.append(button);
  }
  return item;
}

/**
 * Asks once more in place, since a site cannot open windows of the browser; at rest again when it is left or time passes.
 * In post.js as well: each starter is a site of its own, and the SDK is that of the visitor's viewer, which may be older.
 */
function askTwice(button, sure, action) {
  const [text, label] = [button.textContent, button.ariaLabel];
  let timer = 0;
  const show = (isSure) => {
    clearTimeout(timer);
    button.dataset.sure = isSure ? "yes" : "";
    button.textContent = isSure ? "Really delete it? Press again" : text;
    button.ariaLabel = isSure ? sure : label;
    if (isSure) timer = setTimeout(show, 8000, false);
  };
  button.addEventListener("blur", () => show(false));
  button.addEventListener("click", () => {
    const isSure = button.dataset.sure === "yes";
    show(!isSure);
    if (isSure) action();
  });
}

async function remove(id) {
  try {
    await Goop.data.remove("guestbook", id);
    drop(id);
    // The button that had the focus is gone.
    list.focus();
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

/** What changes while the rows are being read; null at other times. Put in behind them: the answer may be older. */
let late = null;
const heard = (change) => { if (late) late.push(change); else change(); };

async function load() {
  const begun = (late = []);
  try {
    const rows = await Goop.data.find("guestbook", { order: "_id DESC", limit: 200 });
    // Somebody began to read again meanwhile: that answer is newer.
    if (late !== begun) return;
    shown.clear();
    list.replaceChildren();
    for (const row of rows.reverse()) put(row, false);
    if (rows.length === 0) empty();
  } finally {
    if (late === begun) {
      late = null;
      for (const change of begun) change();
    }
  }
}

function add(row) {
  if (shown.size === 0) list.replaceChildren();
  put(row, true);
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
    onInsert: (row) => heard(() => add(row)),
    onUpdate: (row) => heard(() => put(row, false)),
    onDelete: (id) => heard(() => drop(id)),
    onError: lost,
  });
}

function lost(error) {
  state("lost", Goop.explain(error));
}

start().catch(lost);
