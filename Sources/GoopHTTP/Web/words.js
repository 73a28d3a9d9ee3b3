// Words and small parts that every room uses, and whether the viewer answers. What depends on no page is in text.js.

import { clean, element, find, waysSeen } from "/assets/text.js";

export { agoText, clean, element, find, siteLink, nameOf, printOf, setText, sizeText } from "/assets/text.js";

/// Signed in from another computer: this browser is not where Goop² runs.
export const isBeyond = Boolean(find("sign-out"));

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

/// Heard by a screen reader, and seen by nobody.
export function say(text) {
  const place = find("announcer");
  if (!place) return;
  // The same sentence twice is heard twice.
  place.textContent = "";
  requestAnimationFrame(() => { place.textContent = text; });
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
  warning = element("p", "standing", `${notAnswering}. What this page shows may be old. It goes on by itself when there is an answer.`);
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

// MARK: Asking the viewer

async function answerOf(response) {
  let value = null;
  try { value = await response.json(); } catch { /* Not every refusal is JSON. */ }
  if (response.ok) return value;
  const error = new Error(clean(value?.error) || `The viewer answered ${response.status}.`);
  error.detail = clean(value?.detail);
  error.code = value?.code ?? "";
  error.problems = value?.problems ?? [];
  error.status = response.status;
  error.kind = value?.kind;
  // Only at the outer door; its script leads back to the login page.
  if (response.status === 401) dispatchEvent(new Event("session-over"));
  throw error;
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    dispatchEvent(new Event("viewer-lost"));
    throw new Error(`${notAnswering}.`);
  }
  viewerAnswers();
  return answerOf(response);
}

export const get = (path) => ask(path, { headers: { Accept: "application/json" } });

export const tokenHeader = () => ({ "X-Goop-Token": document.querySelector('meta[name="goop-token"]')?.content ?? "" });

export const post = (path, value) => ask(path, {
  method: "POST",
  headers: { "Content-Type": "application/json", ...tokenHeader() },
  body: JSON.stringify(value),
});

/// The bytes of a file as they are.
export const postBytes = (path, file) => ask(path, {
  method: "POST",
  headers: { "Content-Type": "application/octet-stream", ...tokenHeader() },
  body: file,
});

// MARK: What was done, and how to take it back

let toastTimer = 0;

/// Shows a sentence at the foot of the window, perhaps with a way back, which gets the focus, or with what to do next:
/// `action` is `[words, what they do]`.
export function tell(text, { undo, action, isError } = {}) {
  const toast = find("toast");
  clearTimeout(toastTimer);
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
  if (undo) {
    const back = button("Undo", "button small", async () => {
      close();
      try { await undo(); } catch (error) { tell(error.message, { isError: true }); }
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
