// The room "My site": the folder that visitors see, and what its owner does with it.

import { arrangeChildren, button, clean, element, find, get, itsComputer, post, reasonOf, say, setText, showPath, siteLink, sizeText, tell, tellFailure } from "/assets/words.js";
import { askName, askQuestion, editText } from "/assets/site-dialogs.js";
import "/assets/audience.js";
import "/assets/visitors.js";
import { isUploading, lossText, prepare, send } from "/assets/site-upload.js";
import { prepareStarters, showStarters } from "/assets/site-starters.js";
import { follow } from "/assets/streams.js";

const rowsAtOnce = 300;
const editable = /\.(html?|css|m?js|json|txt|md|svg|xml|csv|toml|ya?ml|webmanifest)$/i;
const largestText = 512 * 1024;

const isText = (entry) => entry.kind === "file" && editable.test(entry.path) && entry.size <= largestText;

let sheet = null;
let folder = "";
let shown = rowsAtOnce;
let ownID = "";

const lastName = (path) => path.slice(path.lastIndexOf("/") + 1);
const parentOf = (path) => (path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "");
const within = (name) => (folder ? `${folder}/${name}` : name);
const address = (path) => `/p/${ownID}/${path.split("/").map(encodeURIComponent).join("/")}`;
const when = (milliseconds) => new Date(milliseconds).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
const counted = (count, one, many) => (count === 1 ? `1 ${one}` : `${count} ${many}`);

// MARK: Showing

function rowOf(entry) {
  const name = clean(lastName(entry.path));
  const facts = { file: `${sizeText(entry.size)}, changed ${when(entry.changed)}`, folder: "folder", link: "link; visitors see the file it leads to, if that is in your site", other: "no file; visitors do not see it" };
  const title = entry.kind === "folder"
    ? button(name, "name link-button", () => open(entry.path))
    : element("span", "name", name);
  if (entry.kind === "folder") title.append(element("span", "visually-hidden", ", folder"));
  const head = element("div", "", title, element("p", "note", facts[entry.kind]));
  const actions = element("div", "row");
  const add = (word, action, isDanger = false) => {
    const made = button(word, isDanger ? "button small danger" : "button small", action);
    made.setAttribute("aria-label", `${word} ${name}`);
    actions.append(made);
  };
  if (entry.kind === "file" || entry.kind === "link") {
    const view = element("a", "button small", "Preview");
    view.href = address(entry.path);
    view.target = "_blank";
    view.rel = "noopener";
    view.setAttribute("aria-label", `Preview ${name}, in a new tab`);
    actions.append(view);
  }
  if (isText(entry)) add("Edit", () => edit(entry.path));
  add("Rename", () => rename(entry));
  add("Delete", () => remove(entry), true);
  const item = element("li", "", head, actions);
  item.dataset.path = entry.path;
  return item;
}

function showFiles() {
  // A folder that has gone is left.
  while (folder && !sheet.files.some((entry) => entry.path === folder && entry.kind === "folder")) folder = parentOf(folder);
  const here = sheet.files.filter((entry) => parentOf(entry.path) === folder)
    .sort((a, b) => (a.kind === "folder") === (b.kind === "folder") ? (a.path < b.path ? -1 : 1) : a.kind === "folder" ? -1 : 1);
  const focused = document.activeElement?.closest?.("#files li")?.dataset.path;
  const focusedLabel = document.activeElement?.getAttribute("aria-label");
  arrangeChildren(find("files"), here.slice(0, shown).map((entry) => (
    { key: entry.path, text: JSON.stringify([ownID, entry]), make: () => rowOf(entry) })));
  find("files").removeAttribute("aria-busy");
  if (focused && !find("files").contains(document.activeElement)) {
    const again = [...find("files").children].find((item) => item.dataset.path === focused);
    const control = [...again?.querySelectorAll("a, button") ?? []].find((item) => item.getAttribute("aria-label") === focusedLabel);
    (control ?? find("files")).focus({ preventScroll: true });
  }
  find("none").hidden = here.length > 0;
  find("more-files").hidden = here.length <= shown;
  const crumbs = [["My site", ""]];
  let path = "";
  for (const name of folder ? folder.split("/") : []) {
    path = path ? `${path}/${name}` : name;
    crumbs.push([clean(name), path]);
  }
  arrangeChildren(find("crumbs"), crumbs.map(([name, target], index) => {
    const isHere = index === crumbs.length - 1;
    return { key: target, text: String(isHere), make: () => element("li", "", isHere ? hereMark(name) : button(name, "link-button", () => open(target))) };
  }));
}

function hereMark(name) {
  const made = element("span", "", name);
  made.setAttribute("aria-current", "true");
  return made;
}

function showSum() {
  const files = sheet.files.filter((entry) => entry.kind === "file");
  const folders = sheet.files.filter((entry) => entry.kind === "folder").length;
  const parts = [`${counted(files.length, "file", "files")} in ${counted(folders + 1, "folder", "folders")}, ${sizeText(files.reduce((sum, entry) => sum + entry.size, 0))}.`];
  if (sheet.free !== null) parts.push(`The disk has room for ${sizeText(sheet.free)}.`);
  if (sheet.unserved > 0) parts.push(`${counted(sheet.unserved, "name that visitors never see is", "names that visitors never see are")} not listed.`);
  if (!sheet.complete) parts.push("There is more than is listed here.");
  setText(find("sum"), parts.join(" "));
}

function showTrash() {
  find("trash").hidden = sheet.deleted.length === 0;
  setText(find("trash-title"), `Deleted and replaced (${sheet.deleted.length})`);
  setText(find("trash-note"), `What you delete or replace can be put back for a week. Visitors cannot see it. All of it together may have ${sizeText(sheet.trash.bytes)} and ${sheet.trash.items.toLocaleString()} items; of more than that, what has been here longest goes for good.`);
  arrangeChildren(find("trash-list"), sheet.deleted.map((item) => ({
    key: item.ticket, text: JSON.stringify(item),
    make() {
      const back = button("Put back", "button small", () => putBack(item));
      back.setAttribute("aria-label", `Put back ${clean(item.path)}`);
      // A file that was replaced twice is here twice.
      const facts = element("p", "note", `${item.kind === "folder" ? "folder, " : ""}${sizeText(item.bytes)}, here since ${when(item.deleted)}`);
      facts.id = `trash-${item.ticket}`;
      back.setAttribute("aria-describedby", facts.id);
      return element("li", "", element("div", "", element("span", "name", clean(item.path)), facts), element("div", "row", back));
    },
  })));
}

let loads = 0;

/// Shows the folder as it is now. An answer that a later question has overtaken is old, and is not shown.
async function load() {
  loads += 1;
  const turn = loads;
  try {
    const answer = await get("/api/rooms/site");
    if (turn !== loads) return;
    sheet = answer;
  } catch (error) {
    if (turn !== loads) return;
    const reason = reasonOf(error);
    find("folder").textContent = `What visitors see is a folder on ${itsComputer}.`;
    find("files").replaceChildren(element("li", "fault", reason.charAt(0).toUpperCase() + reason.slice(1)));
    find("files").removeAttribute("aria-busy");
    return;
  }
  showPath(find("folder"), "What visitors see is the folder ", sheet.folder, ` on ${itsComputer}.`, "the folder of your site");
  showFiles();
  showSum();
  showTrash();
  showStarters(sheet.starters);
}

function open(path) {
  folder = path;
  shown = rowsAtOnce;
  history.replaceState(null, "", path ? `#${encodeURIComponent(path)}` : location.pathname);
  showFiles();
  find("files").focus({ preventScroll: true });
  say(path ? `Folder ${clean(lastName(path))}` : "My site");
}

// MARK: Doing

async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    tellFailure(error);
    return null;
  } finally {
    await load();
  }
}

async function rename(entry) {
  let isReplaced = false;
  const done = await askName({
    title: `Rename ${clean(lastName(entry.path))}`, label: "New name, with its folders", value: entry.path, ok: "Rename",
    canReplace: entry.kind !== "folder",
    async take(name, replaces) {
      isReplaced = replaces;
      try {
        return await post("/api/rooms/site/move", { path: entry.path, to: name, replace: replaces });
      } catch (error) {
        // Whoever is offered to replace it learns what the trash has no room for then.
        const loss = error.kind === "exists" ? lossText(sheet, [name]) : "";
        if (loss) error.detail += `.${loss}`;
        throw error;
      }
    },
  });
  if (!done) return;
  await load();
  tell(`Renamed to ${clean(done)}.${isReplaced ? " The file that had this name can be put back for a week." : ""}`);
}

async function remove(entry) {
  const inside = entry.kind === "folder" ? sheet.files.filter((other) => other.path.startsWith(`${entry.path}/`)).length : 0;
  let gone = [];
  try {
    // What was deleted before can be too much with it.
    if (sheet.deleted.length > 0) gone = (await post("/api/rooms/site/delete/check", { path: entry.path })).gone;
  } catch (error) {
    await load();
    return tellFailure(error);
  }
  const told = gone.length === 0 ? ""
    : ` To keep it, ${counted(gone.length, "thing", "things")} that you deleted longest ago ${gone.length === 1 ? "goes" : "go"} for good:`;
  const answer = await askQuestion({
    title: `Delete ${clean(lastName(entry.path))}?`,
    text: `${inside > 0 ? `With ${counted(inside, "file or folder", "files and folders")} in it. ` : ""}Visitors will not find it any more. You can put it back for a week.${told}`,
    names: gone.map((item) => clean(item.path)),
    answers: [{ text: "Delete", value: true, danger: true }],
  });
  if (!answer) return;
  const item = await attempt(() => post("/api/rooms/site/delete", { path: entry.path }));
  if (item) tell(`Deleted ${clean(entry.path)}.`, { undo: () => restore(item.ticket) });
}

/// Back from the list, where something else may have the name by now. Only files change places.
async function putBack(item) {
  const there = sheet.files.find((entry) => entry.path === item.path);
  if (!there) return restore(item.ticket);
  if (item.kind === "folder" || there.kind === "folder") {
    const word = ({ kind }) => (kind === "folder" ? "folder" : "file");
    const again = word(there) === word(item) ? "another" : "a";
    return tell(`Your site has ${again} ${word(there)} ${clean(item.path)} now. Rename or delete that one first, then put this ${word(item)} back.`, { isError: true });
  }
  const name = clean(lastName(item.path));
  const isWanted = await askQuestion({
    title: `Put this ${name} back?`,
    text: `The ${name} that your site has now changes places with it: you can put that one back for a week.${lossText({ ...sheet, deleted: sheet.deleted.filter(({ ticket }) => ticket !== item.ticket) }, [item.path])}`,
    answers: [{ text: "Put back", value: true, primary: true }],
  });
  if (isWanted) await restore(item.ticket, true);
}

async function restore(ticket, replaces = false) {
  const item = await attempt(() => post("/api/rooms/site/restore", { ticket, replace: replaces }));
  if (!item) return;
  tell(`${clean(item.path)} is back.`);
  find("files").focus({ preventScroll: true });
}

/// The ways in which lines of a text end, each once.
const lineEndsOf = (text) => [...new Set(text.match(/\r\n|\r|\n/g) ?? [])];

async function edit(path) {
  let loaded;
  try {
    loaded = await get(`/api/rooms/site/text?${new URLSearchParams({ path })}`);
  } catch (error) {
    return tellFailure(error);
  }
  // A text area has line feeds only.
  const lineEnds = lineEndsOf(loaded.text);
  const lineEnd = lineEnds.length === 1 ? lineEnds[0] : lineEnds.includes("\r\n") ? "\r\n" : "\n";
  const isSaved = await editText({
    title: clean(path), text: loaded.text,
    note: lineEnds.length > 1 ? `The lines of this file end in several ways. Saving makes all of them end in one: ${lineEnd === "\r\n" ? "CR LF, as on Windows" : "LF"}.` : "",
    save: (text, saveOver) => {
      const body = new Blob([lineEnd === "\n" ? text : text.replaceAll("\n", lineEnd)]);
      return send(path, body, saveOver ? { replace: true } : { stamp: loaded.stamp });
    },
  });
  if (isSaved) tell(`${clean(path)} is saved.`);
  await load();
}

find("new-folder").addEventListener("click", async () => {
  const done = await askName({
    title: "New folder", label: "Its name", value: "", ok: "Make it",
    take: (name) => post("/api/rooms/site/folder", { path: within(name) }),
  });
  if (!done) return;
  await load();
  tell(`The folder ${clean(done)} is there.`);
});

find("new-text").addEventListener("click", async () => {
  const done = await askName({
    title: "New text file", label: "Its name, for example about.html", value: "", ok: "Make it",
    take: (name) => send(within(name), new Blob([])),
  });
  if (!done) return;
  await load();
  await edit(within(done));
});

find("more-files").addEventListener("click", () => {
  const first = shown;
  shown += rowsAtOnce;
  showFiles();
  find("files").children[first]?.querySelector("a, button")?.focus();
});

find("trash-empty").addEventListener("click", async () => {
  const answer = await askQuestion({
    title: "Delete all of it for good?", text: "It cannot be put back then.", names: sheet.deleted.map((item) => clean(item.path)),
    answers: [{ text: "Delete for good", value: true, danger: true }],
  });
  if (answer && await attempt(() => post("/api/rooms/site/empty-trash", {}))) {
    tell("The trash is empty.");
    find("files").focus({ preventScroll: true });
  }
});

// MARK: Sharing

function showLink() {
  // Other people's viewers answer at the port that is usual.
  const link = siteLink(ownID);
  find("link").value = link;
  find("visit").href = `/p/${ownID}/`;
  const code = find("code");
  code.src = `/api/rooms/qr.svg?${new URLSearchParams({ text: link })}`;
  code.hidden = false;
}

find("link").addEventListener("focus", () => find("link").select());

find("copy-link").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(find("link").value);
    tell("The link is copied.");
  } catch {
    find("link").focus();
    tell("The browser did not allow copying. The link is selected: copy it with Ctrl-C.", { isError: true });
  }
});

// MARK: Beginning

/// Other programs change the folder too.
function followFolder() {
  let timer = 0;
  const loadSoon = () => {
    clearTimeout(timer);
    // What the person is about is not changed under them, and is read afterwards.
    timer = setTimeout(() => { if (isUploading() || document.querySelector("dialog[open]")) loadSoon(); else load(); }, 300);
  };
  let wasOpen = false;
  follow(`/api/p/${ownID}/watch`, {
    // While there was no stream, changes may have passed by.
    ready() {
      if (wasOpen) loadSoon();
      wasOpen = true;
    },
    change: loadSoon,
  });
}

/// @param isAgain after a failure, which was told
async function begin(isAgain = false) {
  if (ownID) return;
  try {
    ownID = (await get("/api/self")).id;
    showLink();
    followFolder();
  } catch (error) {
    if (!isAgain) tellFailure(error);
    setTimeout(() => begin(true), 5000);
  }
}

prepare(() => ({ folder, sheet, whenDone: load }));
prepareStarters(load, () => sheet);
// What the address names: a folder, or a file, which the bar over the own site leads to.
let named = "";
try { named = decodeURIComponent(location.hash.slice(1)); } catch { /* Nothing. */ }
folder = named;
// What could not be read at first; the rest goes on by the stream.
addEventListener("viewer-back", async () => {
  if (ownID && sheet) return;
  await begin(true);
  await load();
});
await begin();
await load();
const wanted = sheet?.files.find((entry) => entry.path === named);
if (wanted && isText(wanted)) {
  // The room stays in its folder, and does not ask again when it is loaded again.
  open(folder);
  await edit(wanted.path);
}
