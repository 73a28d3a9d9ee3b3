// The guestbook: a form that adds rows to the table `guestbook`, and the rows as they arrive.
const list = document.getElementById("entries");
const live = document.getElementById("live");
/** What stands in the list, by `_id`: its item, and what shows another text in it. */
const shown = new Map();
let me = {};

/** So many entries at once, the newest. */
const MOST_SHOWN = 200;
/** What the page asks for. A visitor can store more than the form lets: a few such rows would be too much for one answer. */
const FITS = "length(name) <= 200 AND length(message) <= 2000";
/** The same for what arrives by itself. Some characters count twice here, as they do for the limits of the form. */
const fits = (row) => row.name?.length <= 200 && row.message?.length <= 2000;

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
  const [name, message] = [element("b", {}), element("p", {})];
  const item = element("li", { className: isNew ? "entry new" : "entry" },
    element("div", { className: "by" },
      name,
      element("time", { dateTime: `${row._created_at.replace(" ", "T")}Z` }, Goop.date(row._created_at)),
      element("code", { title: `peer ${row._owner}` }, `…${row._owner.slice(-8, -4)}\u00a0${row._owner.slice(-4)}`)),
    message);
  let relabel = () => {};
  if (row._owner === me.myId || me.isOwner) {
    const button = element("button", { type: "button", className: "small" }, "Delete");
    const label = (isSure) => isSure
      ? `Really delete the entry of ${name.textContent}? Press again` : `Delete the entry of ${name.textContent}`;
    relabel = askTwice(button, label, () => remove(row._id));
    item.append(button);
  }
  /** Only the texts: a question, and where the focus is, stay. */
  const show = (row) => {
    name.textContent = row.name || "Somebody";
    message.textContent = row.message;
    relabel();
  };
  show(row);
  return { item, show };
}

/**
 * Asks once more in place, since a site cannot open windows of the browser; at rest again when it is left or time passes.
 * `label(isSure)` is the button's name for screen readers; gives what asks for it again.
 * post.js has one like it: each starter is a site of its own, and the SDK is that of the visitor's viewer, which may be older.
 */
function askTwice(button, label, action) {
  const text = button.textContent;
  let timer = 0;
  const relabel = () => { button.ariaLabel = label(button.dataset.sure === "yes"); };
  const show = (isSure) => {
    clearTimeout(timer);
    button.dataset.sure = isSure ? "yes" : "";
    button.textContent = isSure ? "Really delete it? Press again" : text;
    relabel();
    if (isSure) timer = setTimeout(show, 8000, false);
  };
  button.addEventListener("blur", () => show(false));
  button.addEventListener("click", () => {
    const isSure = button.dataset.sure === "yes";
    show(!isSure);
    if (isSure) action();
  });
  return relabel;
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

/** Shows a row at its place: the newest first. The oldest goes when there are too many. */
function put(row, isNew) {
  const known = shown.get(row._id);
  if (known) return known.show(row);
  if (shown.size === 0) list.replaceChildren();
  const made = entry(row, isNew);
  const older = Math.max(...[...shown.keys()].filter((id) => id < row._id));
  list.insertBefore(made.item, shown.get(older)?.item ?? null);
  shown.set(row._id, made);
  if (shown.size > MOST_SHOWN) drop(Math.min(...shown.keys()));
}

function drop(id) {
  const item = shown.get(id)?.item;
  if (!item) return;
  const hadFocus = item.contains(document.activeElement);
  item.remove();
  shown.delete(id);
  if (hadFocus) list.focus();
  if (shown.size === 0) empty();
}

/** A row that changed. One that is not shown is an old one, or one that did not fit. */
function revise(row) {
  if (!shown.has(row._id)) return;
  if (fits(row)) put(row, false);
  else drop(row._id);
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
    const found = await Goop.data.find("guestbook", {
      fields: ["_id", "_owner", "_created_at", "name", "message"], where: FITS, order: "_id DESC", limit: MOST_SHOWN,
    });
    // Somebody began to read again meanwhile: that answer is newer.
    if (late !== begun) return;
    const rows = found.filter(fits);
    const ids = new Set(rows.map((row) => row._id));
    for (const id of [...shown.keys()]) if (!ids.has(id)) drop(id);
    for (const row of rows) put(row, false);
    if (rows.length === 0) empty();
  } finally {
    if (late === begun) {
      late = null;
      for (const change of begun) change();
    }
  }
}

/** As much of a text as a field may hold, without half of a character. */
const beginning = (text, most) => text.slice(0, most).replace(/[\ud800-\udbff]$/, "");

async function start() {
  me = await Goop.peer();
  Goop.form.render("sign", {
    table: "guestbook",
    submitLabel: "Sign",
    fields: [
      { name: "name", label: "Your name", required: true, maxlength: 80, value: beginning(me.label, 80) },
      { name: "message", label: "Your message", type: "textarea", required: true, maxlength: 2000 },
    ],
  });
  Goop.data.subscribe("guestbook", {
    onOpen: () => load().then(() => state("live", "Live: new entries appear by themselves."), lost),
    onReload: () => load().catch(lost),
    onInsert: (row) => { if (fits(row)) heard(() => put(row, true)); },
    onUpdate: (row) => heard(() => revise(row)),
    onDelete: (id) => heard(() => drop(id)),
    onError: lost,
  });
}

function lost(error) {
  state("lost", Goop.explain(error));
}

start().catch(lost);
