// Uploads: what was dropped or chosen goes to the folder one file after the other.

import { clean, element, find, postFile, reasonOf, say, setText, sizeText, tell } from "/assets/words.js";
import { askQuestion } from "/assets/site-dialogs.js";

/// The most files that one drop can bring.
const mostFiles = 10000;

let running = null;

export const isUploading = () => running !== null;

/// Sends one file. Throws an error with `message`, `detail` and `kind`.
export function send(path, body, { replace, stamp, ...more } = {}) {
  const query = new URLSearchParams({ path });
  if (stamp) query.set("stamp", stamp);
  else if (replace) query.set("replace", "1");
  return postFile(`/api/rooms/site/upload?${query}`, body, more);
}

/// The words about what goes for good, before its week is over, when files are replaced; none if nothing does. It counts as
/// `SiteTrash` does: the newest first, after one that has no room none has, and the last one stays however large.
export function lossText(sheet, paths) {
  const sizes = new Map(sheet.files.map((entry) => [entry.path, entry.size]));
  let bytes = 0;
  let items = 0;
  const fits = (size) => {
    bytes += size;
    items += 1;
    return bytes <= sheet.trash.bytes && items <= sheet.trash.items;
  };
  const gone = paths.toReversed().filter((path, index) => !fits(sizes.get(path) ?? 0) && index > 0);
  const weekAgo = Date.now() - 7 * 24 * 3600 * 1000;
  gone.push(...sheet.deleted.filter((item) => !fits(item.bytes) && item.deleted >= weekAgo).map((item) => item.path));
  if (gone.length === 0) return "";
  const named = gone.slice(0, 5).map(clean).join(", ");
  const more = gone.length > 5 ? ` and ${gone.length - 5} more` : "";
  return ` No more than ${sizeText(sheet.trash.bytes)} and ${sheet.trash.items.toLocaleString()} things are kept, so this goes for good: ${named}${more}.`;
}

// MARK: What was dropped

const entryFile = (entry) => new Promise((resolve, reject) => entry.file(resolve, reject));

async function entriesIn(folder) {
  const reader = folder.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0 || found.length > mostFiles) return found;
    found.push(...some);
  }
}

/// Files of a drop with their paths; folders are walked. Must be called while the event is handled.
async function dropped(transfer) {
  const waiting = [];
  const files = [];
  for (const item of transfer.items) {
    if (item.kind !== "file") continue;
    const entry = item.webkitGetAsEntry?.();
    if (entry) { waiting.push({ entry, path: entry.name }); continue; }
    const file = item.getAsFile();
    if (file) files.push({ path: file.name, file });
  }
  while (waiting.length > 0 && files.length <= mostFiles) {
    const { entry, path } = waiting.shift();
    if (entry.isDirectory) {
      for (const inner of await entriesIn(entry)) waiting.push({ entry: inner, path: `${path}/${inner.name}` });
    } else {
      files.push({ path, file: await entryFile(entry) });
    }
  }
  return files;
}

// MARK: Sending

/// Which of the files stay: none whose names visitors never see, and those that are there already only if the person says so.
async function chosen(files, folder, sheet) {
  let left = files.map(({ path, file }) => ({ path: folder ? `${folder}/${path}` : path, file }));
  const unseen = left.filter(({ path }) => path.split("/").some((name) => name.startsWith(".")) || /^lua(\/|$)/i.test(path));
  left = left.filter((item) => !unseen.includes(item));
  const kinds = new Map(sheet.files.map((entry) => [entry.path, entry.kind]));
  const there = left.filter(({ path }) => kinds.has(path) && kinds.get(path) !== "folder");
  if (there.length > 0) {
    const answers = [{ text: there.length === 1 ? "Replace it" : `Replace these ${there.length}`, value: "replace", danger: true }];
    if (there.length < left.length) answers.unshift({ text: "Upload only the others", value: "skip" });
    const answer = await askQuestion({
      title: there.length === 1 ? "A file with this name is there" : `${there.length} files are there already`,
      text: `If you replace ${there.length === 1 ? "it, you can put what it holds now" : "them, you can put what they hold now"} back for a week.${lossText(sheet, there.map(({ path }) => path))}`,
      names: there.map(({ path }) => path), answers,
    });
    if (!answer) return null;
    if (answer === "skip") left = left.filter((item) => !there.includes(item));
    for (const item of there) item.replace = true;
  }
  return { left, unseen };
}

function showProblems(lines) {
  const place = find("upload-problems");
  place.hidden = lines.length === 0;
  if (lines.length === 0) return;
  const shown = lines.slice(0, 20).map((line) => element("li", "", line));
  if (lines.length > shown.length) shown.push(element("li", "", `and ${lines.length - shown.length} more`));
  place.replaceChildren(element("p", "", "Not everything was uploaded:"), element("ul", "", ...shown));
}

/// Uploads files into a folder of the site, and says how it went.
export async function upload(files, folder, sheet, whenDone) {
  if (running || files.length === 0) return;
  showProblems([]);
  if (files.length > mostFiles) {
    return showProblems([`more than ${mostFiles} files at once; put such a folder into place by other means`]);
  }
  const choice = await chosen(files, folder, sheet);
  if (!choice || running) return;
  const { left, unseen } = choice;
  const problems = unseen.map(({ path }) => `${clean(path)}: names like this are never shown to visitors`);
  const tooLarge = left.filter(({ file }) => file.size > sheet.limit);
  problems.push(...tooLarge.map(({ path, file }) => `${clean(path)}: ${sizeText(file.size)}; the limit is ${sizeText(sheet.limit)}`));
  const wanted = left.filter((item) => !tooLarge.includes(item));
  const total = wanted.reduce((sum, { file }) => sum + file.size, 0);
  if (sheet.free !== null && total > sheet.free) {
    return showProblems([`they have ${sizeText(total)}, and the disk has room for ${sizeText(sheet.free)}${sheet.deleted.length > 0 ? "; emptying the trash makes room" : ""}`]);
  }
  const stop = new AbortController();
  running = stop;
  let sent = 0;
  let count = 0;
  find("upload").hidden = false;
  const show = (loaded) => {
    find("upload-progress").value = total === 0 ? count / Math.max(wanted.length, 1) : Math.min((sent + loaded) / total, 1);
    setText(find("upload-text"), `${count} of ${wanted.length} files, ${sizeText(sent + loaded)} of ${sizeText(total)}`);
  };
  show(0);
  say(wanted.length === 1 ? "Uploading 1 file." : `Uploading ${wanted.length} files.`);
  for (const { path, file, replace } of wanted) {
    if (stop.signal.aborted) break;
    try {
      await send(path, file, { replace, signal: stop.signal, onProgress: (loaded) => show(Math.min(loaded, file.size)) });
      count += 1;
    } catch (error) {
      problems.push(`${clean(path)}: ${reasonOf(error)}`);
      // Nothing else will fit either.
      if (error.kind === "full" || error.kind === "stopped") break;
    }
    sent += file.size;
    show(0);
  }
  running = null;
  find("upload").hidden = true;
  showProblems(problems);
  await whenDone();
  const left_out = wanted.length - count;
  if (count > 0) tell(count === 1 ? "1 file uploaded." : `${count} files uploaded.`, { isError: left_out > 0 });
}

/// Wires the area and its buttons. `place()` gives the folder that is shown, the sheet, and what to do afterwards.
export function prepare(place) {
  const begin = (files) => {
    const { folder, sheet, whenDone } = place();
    if (!sheet) return;
    if (running) return tell("An upload is under way. Wait for it, or stop it.", { isError: true });
    upload(files, folder, sheet, whenDone);
  };
  for (const [buttonID, inputID] of [["choose-files", "pick-files"], ["choose-folder", "pick-folder"]]) {
    const input = find(inputID);
    find(buttonID).addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      const files = [...input.files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
      input.value = "";
      begin(files);
    });
  }
  find("upload-cancel").addEventListener("click", () => running?.abort());

  const area = find("files-panel");
  const mark = find("drop");
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  let depth = 0;
  area.addEventListener("dragenter", (event) => {
    if (!carriesFiles(event)) return;
    depth += 1;
    mark.classList.add("over");
  });
  area.addEventListener("dragleave", (event) => {
    if (!carriesFiles(event)) return;
    depth = Math.max(0, depth - 1);
    if (depth === 0) mark.classList.remove("over");
  });
  // A file that is dropped beside the area must not replace the page.
  for (const name of ["dragover", "drop"]) {
    addEventListener(name, (event) => { if (carriesFiles(event)) event.preventDefault(); });
  }
  area.addEventListener("drop", async (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth = 0;
    mark.classList.remove("over");
    try {
      begin(await dropped(event.dataTransfer));
    } catch {
      showProblems(["the browser could not read what was dropped"]);
    }
  });
  addEventListener("beforeunload", (event) => { if (running) event.preventDefault(); });
}
