// The Data room: the owner's tables, their rows, who may do what, and what visitors have filled.

import { arrangeChildren, button, element, find, get, setText, sizeText, tell } from "/assets/words.js";
import { exportTable, importRows } from "/assets/data-files.js";
import { policyText } from "/assets/data-policy.js";
import { openRow } from "/assets/data-row.js";
import { RowView, readTables } from "/assets/data-rows.js";
import { deleteTable, editColumns, editPolicy, newTable, renameTable } from "/assets/data-tables.js";
import { announceTrouble, rowsText } from "/assets/data-values.js";
import { readQuota, readVisitors } from "/assets/data-visitors.js";

let tables = [];
let view = null;
let me = "";
/// How often the list was asked for.
let readings = 0;

/// The table that the address names; none if nobody could have made it.
const opened = () => {
  try { return decodeURIComponent(location.hash.slice(1)); } catch { return ""; }
};

function item(table) {
  const much = `${rowsText(table.rows)}${table.bytes === null ? "" : `, ${sizeText(table.bytes)}`}`;
  const who = policyText(table.access);
  const isOpen = table.name === view?.table?.name;
  return {
    key: table.name, text: JSON.stringify([much, who, isOpen]),
    make() {
      const link = element("a", "", element("span", "name", table.name), element("span", "much", much), element("span", "who", who));
      link.href = `#${encodeURIComponent(table.name)}`;
      if (isOpen) link.setAttribute("aria-current", "true");
      return element("li", "", link);
    },
  };
}

const noTable = {
  key: "", text: "", make: () => element("li", "note", "There is no table yet. A table keeps what visitors of your site fill in: the entries of a guestbook, say."),
};

function showList() {
  const list = find("tables");
  const focus = list.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  arrangeChildren(list, tables.length ? tables.map(item) : [noTable]);
  list.removeAttribute("aria-busy");
  if (focus && !list.contains(document.activeElement)) list.querySelector(`a[href="${CSS.escape(focus)}"]`)?.focus();
}

/// In place of the list that could not be read.
function offerAgain(action) {
  const list = find("tables");
  list.replaceChildren(element("li", "", button("Try again", "button small", async () => {
    await action();
    // The button is gone, or another one is in its place.
    (list.querySelector("button") ?? find("tables-title")).focus();
  })));
  list.removeAttribute("aria-busy");
}

/// Reads the tables again and opens one; gives it, if it is there.
async function changed(name) {
  readings += 1;
  try {
    tables = await readTables();
    find("trouble").hidden = true;
  } catch (error) {
    announceTrouble(error);
    if (!view.table) offerAgain(() => changed(name));
    return null;
  }
  const table = tables.find((one) => one.name === name);
  history.replaceState(null, "", table ? `#${encodeURIComponent(name)}` : location.pathname);
  await open(table);
  return table ?? null;
}

/// What a table is, without what its rows are.
const shape = ({ rows, bytes, ...rest }) => JSON.stringify(rest);

/// The open table may be another by now, or gone: somebody changes it elsewhere, by the command line, say, or by a page of the site.
async function reshaped(name) {
  const number = ++readings;
  const shown = view.table;
  let fresh;
  // The viewer that does not answer is told of in every room, and the stream comes again with it.
  try { fresh = await readTables(); } catch { return; }
  // What is changed in this page says so itself.
  if (number !== readings || view.table !== shown || shown?.name !== name) return;
  const table = fresh.find((one) => one.name === name);
  const isSame = table && shape(table) === shape(shown);
  // The rows know the table as it was opened, and the buttons above them tell how many it has.
  tables = isSame ? fresh.map((one) => (one === table ? Object.assign(shown, one) : one)) : fresh;
  if (isSame) return showList();
  const hadFocus = find("table").contains(document.activeElement);
  if (!table) history.replaceState(null, "", location.pathname);
  await open(table);
  if (table) return;
  if (hadFocus) find("tables-title").focus();
  tell(`The table ${name} is not there any more: it was deleted, or has another name.`);
}

/// The buttons above the rows are for the table that is open when they are pressed. They are made once: somebody may be pressing one
/// while the table is read again.
function makeTools() {
  if (find("add-row")) return;
  const add = button("Add row", "button primary small", () => openRow(view, null));
  add.id = "add-row";
  const tool = (words, action) => button(words, "button small", () => action(view.table, (name) => changed(name)));
  const end = tool("Delete table", deleteTable);
  end.classList.add("danger");
  find("tools").replaceChildren(add, tool("Who may do what", editPolicy), tool("Columns", editColumns), tool("Import", importRows),
    tool("Export", exportTable), tool("Rename", renameTable), end);
}

async function open(table) {
  find("table").hidden = !table;
  if (!table) {
    view.shut();
    return showList();
  }
  setText(find("table-title"), table.name);
  setText(find("table-policy"), policyText(table.access));
  makeTools();
  const read = view.open(table);
  showList();
  await read;
}

/// The number in the list follows the one that was just counted.
function counted(name, count) {
  const table = tables.find((one) => one.name === name);
  if (!table || table.rows === count) return;
  table.rows = count;
  showList();
}

function showRowsOf(id) {
  if (!view.table) return;
  find("where").value = `_owner = '${id.replaceAll("'", "''")}'`;
  find("filter").requestSubmit();
  find("table-title").focus();
}

async function start() {
  try {
    me = (await get("/api/self")).id;
  } catch (error) {
    announceTrouble(error);
    return offerAgain(start);
  }
  addEventListener("hashchange", () => {
    const table = tables.find((one) => one.name === opened());
    open(table).then(() => { if (table) find("table-title").focus(); });
  });
  find("new-table").addEventListener("click", () => newTable(changed));
  view = new RowView(me, { onCount: counted, onChange: () => readVisitors(me, showRowsOf), onShape: reshaped });
  const wanted = opened();
  await changed(wanted);
  if (!wanted && tables.length === 1) await open(tables[0]);
  readVisitors(me, showRowsOf);
  readQuota(() => readVisitors(me, showRowsOf));
}

start();
