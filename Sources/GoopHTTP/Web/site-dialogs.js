// The dialogs of the room "My site". Each gives back the focus to what opened it.

import { button, element, find, reasonOf, setText } from "/assets/words.js";

/// What ends the wait for a dialog, for each that is waited for.
const ends = new Map();

/// Opens a dialog and waits until it is closed; the focus goes back to where it was, or to the place given.
function open(dialog, fallback) {
  const before = document.activeElement;
  // The event of its end comes at the next frame only: whoever opens it sooner must not be taken for somebody who closes it.
  ends.get(dialog)?.();
  dialog.showModal();
  return new Promise((resolve) => {
    const end = () => {
      if (dialog.open) return;
      dialog.removeEventListener("close", end);
      ends.delete(dialog);
      const target = before?.isConnected && before !== document.body ? before : fallback ?? find("files");
      target?.focus({ preventScroll: true });
      resolve();
    };
    dialog.addEventListener("close", end);
    ends.set(dialog, end);
  });
}

/// Asks for a name until `take` accepts it or the person cancels.
/// `take(name, replaces)` throws an error with `message`, `detail` and `kind`; `exists` can be answered with "Replace it".
export async function askName({ title, label, value, ok, canReplace, take }) {
  const dialog = find("name-dialog");
  const input = find("name");
  const replace = find("name-replace");
  const fault = find("name-fault");
  setText(find("name-title"), title);
  setText(find("name-label"), label);
  setText(find("name-ok"), ok);
  input.value = value;
  fault.textContent = "";
  replace.hidden = true;
  let done = null;
  const attempt = async (replaces) => {
    const name = input.value.trim().replace(/^\/+|\/+$/g, "");
    fault.textContent = "";
    input.removeAttribute("aria-invalid");
    replace.hidden = true;
    try {
      if (!name) throw Object.assign(new Error("Give it a name."), { detail: "" });
      await take(name, replaces);
      done = name;
      dialog.close();
    } catch (error) {
      fault.textContent = reasonOf(error);
      input.setAttribute("aria-invalid", "true");
      replace.hidden = !(canReplace && error.kind === "exists");
      input.focus();
    }
  };
  const submitted = (event) => { event.preventDefault(); attempt(false); };
  const replaced = () => attempt(true);
  const cancelled = () => dialog.close();
  find("name-form").addEventListener("submit", submitted);
  replace.addEventListener("click", replaced);
  find("name-cancel").addEventListener("click", cancelled);
  const closed = open(dialog);
  // The name without its folders and its ending, which is what people change.
  const start = value.lastIndexOf("/") + 1;
  const dot = value.lastIndexOf(".");
  input.setSelectionRange(start, dot > start ? dot : value.length);
  input.focus();
  await closed;
  find("name-form").removeEventListener("submit", submitted);
  replace.removeEventListener("click", replaced);
  find("name-cancel").removeEventListener("click", cancelled);
  return done;
}

/// Asks a question with a list of names; gives the value of the answer that was pressed, or null.
/// `answers`: `[{ text, value, danger, primary }]`; "Cancel" stands first by itself and has the focus.
export async function askQuestion({ title, text, names = [], answers, cancel = "Cancel" }) {
  const dialog = find("ask-dialog");
  setText(find("ask-title"), title);
  setText(find("ask-text"), text);
  const shown = names.slice(0, 200).map((name) => element("li", "", name));
  if (names.length > shown.length) shown.push(element("li", "", `and ${names.length - shown.length} more`));
  const list = find("ask-list");
  list.replaceChildren(...shown);
  list.hidden = shown.length === 0;
  // A list that scrolls must be reached by keys.
  if (shown.length > 8) list.tabIndex = 0; else list.removeAttribute("tabindex");
  let answer = null;
  const stop = button(cancel, "button", () => dialog.close());
  find("ask-answers").replaceChildren(stop, ...answers.map(({ text: word, value, danger, primary }) =>
    button(word, `button${danger ? " danger" : ""}${primary ? " primary" : ""}`, () => { answer = value; dialog.close(); })));
  const closed = open(dialog);
  stop.focus();
  await closed;
  return answer;
}

/// Shows a text to be edited until the person closes it; true if it was saved. `save(text, saveOver)` throws as `take` does;
/// `changed` can be answered with "Save over it". `note` is said below the text.
export async function editText({ title, text, note = "", save }) {
  const dialog = find("text-dialog");
  const area = find("text");
  const over = find("text-replace");
  const fault = find("text-fault");
  const saveButton = find("text-save");
  setText(find("text-title"), title);
  setText(find("text-note"), note);
  find("text-note").hidden = note === "";
  area.value = text;
  // As the browser has it, which counts line ends in its own way.
  let saved = area.value;
  fault.textContent = "";
  over.hidden = true;
  let isSaved = false;
  const hasChanged = () => area.value !== saved;
  const attempt = async (saveOver) => {
    const current = area.value;
    fault.textContent = "";
    over.hidden = true;
    saveButton.disabled = true;
    try {
      await save(current, saveOver);
      saved = current;
      isSaved = true;
      dialog.close();
    } catch (error) {
      fault.textContent = reasonOf(error);
      over.hidden = error.kind !== "changed";
      area.focus();
    }
    saveButton.disabled = false;
  };
  const leave = (event) => {
    if (!hasChanged() || fault.dataset.asked === "1") return void (event.type === "click" && dialog.close());
    event.preventDefault();
    fault.dataset.asked = "1";
    fault.textContent = "Your changes are not saved. Close again to give them up.";
  };
  const listeners = [
    [find("text-form"), "submit", (event) => { event.preventDefault(); attempt(false); }],
    [over, "click", () => attempt(true)],
    [find("text-close"), "click", leave],
    [dialog, "cancel", leave],
    [area, "input", () => { fault.dataset.asked = ""; }],
    [window, "beforeunload", (event) => { if (hasChanged()) event.preventDefault(); }],
  ];
  for (const [target, name, listener] of listeners) target.addEventListener(name, listener);
  fault.dataset.asked = "";
  // Before the dialog gives the area its focus, which would show the place where the text ends.
  area.setSelectionRange(0, 0);
  const closed = open(dialog);
  area.focus({ preventScroll: true });
  area.scrollTop = 0;
  await closed;
  for (const [target, name, listener] of listeners) target.removeEventListener(name, listener);
  return isSaved;
}
