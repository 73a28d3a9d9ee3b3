// Words and small parts that every page of the viewer uses, and whether the viewer answers. What depends on no page is in text.js.

import { clean, element, find, waysSeen } from "/assets/text.js";

export { agoText, arrangeChildren, clean, element, find, siteLink, nameOf, printOf, setText, sizeText } from "/assets/text.js";

/// Signed in from another computer: this browser is not where Goop² runs. Only there the viewer speaks HTTPS.
export const isBeyond = location.protocol === "https:";

/// The computer that Goop² runs on, as it is called from here.
export const itsComputer = isBeyond ? `the computer at ${location.hostname}` : "this computer";

export const notAnswering = isBeyond
  ? `Goop² at ${location.hostname} does not answer: it is not running, out of reach, or closed for other computers`
  : "Goop² on this computer does not answer";

export const ways = waysSeen(isBeyond);

export function button(text, className, action) {
  const made = element("button", className, text);
  made.type = "button";
  made.addEventListener("click", action);
  return made;
}

/// Copies a text and says so, or says that the browser did not.
/// @param what what is copied, as the object of a sentence
export function copyButton(words, what, text) {
  const made = button(words, "button small", async () => {
    try {
      await navigator.clipboard.writeText(text);
      tell(`Copied: ${what}.`);
    } catch {
      tell("The browser did not allow copying. Select the text and copy it by hand.", { isError: true });
    }
  });
  made.setAttribute("aria-label", `${words}: ${what}`);
  return made;
}

/// A sentence with a path, and on the computer where the path leads somewhere a button that copies it. Made once for each path.
export function showPath(place, before, path, after, what) {
  if (place.dataset.path === path && place.querySelector("code")) return;
  place.dataset.path = path;
  place.replaceChildren(before, element("code", "", clean(path)), after, ...(isBeyond ? [] : [" ", copyButton("Copy path", what, path)]));
}

/// Where a screen reader listens. While a dialog is open it is told of nothing else on the page; the one on top stands last.
function ear() {
  const dialog = [...document.querySelectorAll("dialog:modal")].at(-1);
  if (!dialog) return find("announcer");
  let place = dialog.querySelector(":scope > .announcer");
  if (!place) {
    place = element("p", "announcer visually-hidden");
    place.setAttribute("role", "status");
    dialog.append(place);
  }
  return place;
}

/// What is said in a moment, together.
let sentences = [];

/// Heard by a screen reader, and seen by nobody.
export function say(text) {
  // The same sentence twice is heard twice, and a new place is known before something is said there.
  ear().textContent = "";
  sentences.push(text);
  if (sentences.length > 1) return;
  setTimeout(() => {
    ear().textContent = sentences.join(" ");
    sentences = [];
  }, 100);
}

/// What a refusal says, in one line. Some messages end in what was refused, which may be nothing at all.
export const reasonOf = ({ message, detail }) =>
  [clean(message).replace(/[\s:]+$/, ""), clean(detail)].filter(Boolean).join("; ");

// MARK: Whether the viewer answers

/// While it does not, what a page shows may be old, and every room says so in the same place. `viewer-lost` is the
/// question, `viewer-state` tells of the answer when it changes, and `viewer-back` when it is yes again.
let warning = null;
let isAsking = false;

export const isLost = () => warning !== null;

function showLost() {
  if (warning) return;
  const start = clean(document.querySelector('meta[name="goop-start"]')?.content);
  warning = element("p", "standing", `${notAnswering}. `,
    ...(start ? ["Start it again in a terminal: ", element("code", "", start), ". "] : []),
    "This page goes on by itself then. What it shows until then may be old.");
  warning.id = "lost";
  warning.setAttribute("role", "alert");
  find("content")?.before(warning);
  dispatchEvent(new Event("viewer-state"));
}

/// Something of the viewer has answered.
export function viewerAnswers() {
  if (!warning) return;
  warning.remove();
  warning = null;
  say("Goop² answers again.");
  dispatchEvent(new Event("viewer-state"));
  dispatchEvent(new Event("viewer-back"));
}

async function isThere() {
  try {
    await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(5000) });
    return true;
  } catch {
    return false;
  }
}

// A stream may also end because of the network, or with the page that has it: only a viewer that gives no answer is lost.
addEventListener("viewer-lost", async () => {
  if (isAsking) return;
  isAsking = true;
  while (!await isThere()) {
    showLost();
    await new Promise((done) => { setTimeout(done, 2000); });
  }
  isAsking = false;
  viewerAnswers();
});

// MARK: A page that is too old

/// Its token is of an earlier run of the viewer; the door for other computers has a new one whenever it is opened, too.
const tooOld = `Goop² was started ${isBeyond ? "or opened " : ""}again since this page was loaded: it takes nothing from the page any more. `;

/// A refusal that only a page that is loaded again is spared.
export const isOutdated = ({ kind }) => kind === "outdated";

function oldLine(...more) {
  const line = element("p", "", tooOld, ...more, button("Load this page again", "button small", () => location.reload()));
  line.setAttribute("role", "alert");
  return line;
}

/// Says so at the top of a room, where it stays, and in the dialog on top, outside of which nothing can be reached. Around a site the
/// curtain says it.
function showTooOld() {
  const content = find("content");
  if (content && !find("outdated")) {
    const line = oldLine();
    line.id = "outdated";
    line.className = "standing";
    content.before(line);
  }
  const dialog = [...document.querySelectorAll("dialog:modal")].at(-1);
  if (!dialog || dialog.querySelector(":scope > .outdated")) return;
  const hasTyped = dialog.querySelector("input:not([type=checkbox], [type=radio]), textarea");
  const line = oldLine(...(hasTyped ? ["What you have typed here is lost then: copy it first. "] : []));
  line.className = "fault outdated";
  dialog.addEventListener("close", () => line.remove(), { once: true });
  dialog.prepend(line);
}

// MARK: Asking the viewer

/// What went wrong, for a person: a sentence and a `detail`; for scripts a `code`, a `kind`, the `problems` of settings, and the
/// HTTP `status`, which is undefined when nothing answered.
function failure(sentence, value, status) {
  return Object.assign(new Error(clean(value?.error) || sentence), {
    detail: clean(value?.detail), code: value?.code ?? "", kind: value?.kind, problems: value?.problems ?? [], status,
  });
}

function noAnswer(sentence, detail = "") {
  dispatchEvent(new Event("viewer-lost"));
  return failure(sentence, { detail });
}

/// The answer's value if it is a yes; throws a `failure` else.
function judged(value, status) {
  viewerAnswers();
  if (status >= 200 && status < 300) return value;
  // Only at the outer door; its script leads back to the login page.
  if (status === 401) dispatchEvent(new Event("session-over"));
  const error = failure(`The viewer answered ${status}.`, value, status);
  if (isOutdated(error)) showTooOld();
  throw error;
}

async function ask(path, options) {
  let response;
  let value;
  try {
    response = await fetch(path, options);
    value = await response.json().catch((error) => {
      if (options.signal?.aborted) throw error;
      // Not every refusal is JSON.
      return null;
    });
  } catch {
    throw noAnswer(`${notAnswering}.`);
  }
  return judged(value, response.status);
}

/// After a sleep of the computer, say, an answer may never come, and what waits for it would stand still.
const patience = 30_000;

export const get = (path) => ask(path, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(patience) });

const tokenHeader = () => ({ "X-Goop-Token": document.querySelector('meta[name="goop-token"]')?.content ?? "" });

export const post = (path, value, signal) => ask(path, {
  method: "POST",
  headers: { "Content-Type": "application/json", ...tokenHeader() },
  body: JSON.stringify(value),
  signal,
});

/// The same for a question that does not fit into an address. What changes something is waited for as long as it takes.
export const postQuestion = (path, value) => post(path, value, AbortSignal.timeout(patience));

/// Sends a file as it is, and tells how far it is: `fetch` does not.
/// @param onProgress gets how many bytes are sent, and of how many
/// @param signal stops it: then an error of the kind "stopped" is thrown
export function postFile(path, file, { type = "application/octet-stream", onProgress, signal } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.responseType = "json";
    for (const [name, value] of Object.entries({ "Content-Type": type, ...tokenHeader() })) request.setRequestHeader(name, value);
    if (onProgress) request.upload.addEventListener("progress", ({ loaded, total }) => onProgress(loaded, total));
    request.addEventListener("load", () => {
      try { resolve(judged(request.response, request.status)); } catch (error) { reject(error); }
    });
    request.addEventListener("error", async () => {
      // A refusal that comes while the file is still being sent is not seen: a short question tells whether this page is too old.
      const refusal = await post("/api/rooms/settings/check", { changes: {} }, AbortSignal.timeout(patience)).then(() => null, (error) => error);
      reject(refusal && isOutdated(refusal) ? refusal : noAnswer(`The file could not be read, or ${notAnswering}.`, "try again"));
    });
    request.addEventListener("abort", () => reject(failure("Stopped.", { kind: "stopped" })));
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    request.send(file);
  });
}

// MARK: What was done, and how to take it back

/// Tells why something was not done.
export const tellFailure = (error) => tell(reasonOf(error), { isError: true });

let toastTimer = 0;
/// Takes away the sentence that was told last.
let closeLast = () => {};

/// Takes the sentence away: what it offers is under way, or no longer to be had.
export function closeToast() {
  clearTimeout(toastTimer);
  closeLast();
}

/// Shows a sentence at the foot of the window, perhaps with a way back, which gets the focus, or with what to do next:
/// `action` is `[words, what they do]`.
export function tell(text, { undo, action, isError } = {}) {
  // Whoever is at the sentence before this one goes back to where they were: what they are at goes with it.
  closeToast();
  const toast = find("toast");
  toast.replaceChildren(element("span", "", text));
  toast.dataset.kind = isError ? "error" : "done";
  const before = document.activeElement;
  const close = () => {
    const hadFocus = toast.contains(document.activeElement);
    toast.hidden = true;
    toast.replaceChildren();
    if (!hadFocus) return;
    // Whoever works by keyboard goes on where they were, unless that is leaving, or in a dialog that is closed.
    if (before !== document.body) before?.focus({ preventScroll: true });
    if (before === document.body || document.activeElement !== before) find("content")?.focus({ preventScroll: true });
  };
  closeLast = close;
  if (undo) {
    const back = button("Undo", "button small", async () => {
      close();
      try { await undo(); } catch (error) { tellFailure(error); }
    });
    toast.append(back);
    back.setAttribute("aria-label", `Undo: ${text}`);
    toast.hidden = false;
    back.focus({ preventScroll: true });
  }
  if (action) toast.append(button(action[0], "button small", () => { close(); action[1](); }));
  toast.append(button("Close", "button small", close));
  toast.hidden = false;
  say(text);
  if (!isError) toastTimer = setTimeout(() => { if (!toast.contains(document.activeElement)) close(); }, 12000);
}
