// The Settings room: every key of goop.json, checked as the file is before it is written.

import { button, clean, closeToast, element, find, get, isBeyond, post, reasonOf, say, setText, showPath, tell, tellFailure } from "/assets/words.js";
import "/assets/own-picture.js";

const sections = find("sections");
const form = find("form");
const fields = new Map();
/// How the groups of the experts' settings are called.
const groups = {
  identity: "Identity", paths: "Folders", p2p: "Connections", presence: "Presence", profile: "Profile",
  viewer: "Viewer", lua: "Scripts", data: "Data", site: "Your site",
};
/// What people look for stands first, in this order: where, and which keys.
const cards = {
  "seen-fields": ["profile.label", "profile.email", "profile.share_email"],
  "look-fields": ["viewer.theme", "viewer.open_sites_external", "viewer.peer_offline_grace_min"],
  "beyond-fields": [
    "viewer.password", "viewer.names", "viewer.tls_certificate", "viewer.tls_key", "viewer.trusted_proxies", "viewer.http_addr",
  ],
};
/// Keys that another room changes: what is chosen there, what the room is called, and where it is.
const elsewhere = [
  { title: "What visitors may fill", room: "Data", address: "/data",
    keys: ["data.visitor_rows", "data.visitor_megabytes", "data.visitor_row_kilobytes", "data.total_megabytes"] },
  { title: "Who may visit", room: "My site", address: "/site#audience", keys: ["site.audience", "site.guests"] },
];
/// Has its switch in the page.
const switched = "presence.invisible";
const placed = new Set([switched, ...Object.values(cards).flat(), ...elsewhere.flatMap(({ keys }) => keys)]);
/// What the words to choose among are called here, where they do not speak for themselves.
const choiceWords = { "viewer.theme": { auto: "As the system is", light: "Light", dark: "Dark" } };
/// The sentence of a key that is kept for later begins so (`ConfigurationMeaning`).
const isLater = (setting) => /^Kept (and checked|for upstream)/.test(setting.meaning);
/// What each key is called.
let titles = new Map();
/// Every row, to be found: `{text, item}`.
let found = [];
/// How often what is in the fields was judged, or replaced.
let checks = 0;

function changes() {
  const found = {};
  for (const [key, field] of fields) {
    const value = field.value();
    if (value !== undefined && value !== field.setting.value) found[key] = value;
  }
  return found;
}

const choiceText = (setting, word) => choiceWords[setting.key]?.[word] ?? word;
const titleOf = (key) => titles.get(key) ?? key;

/// What a key is called, with the key small behind it.
function titled(key) {
  return titles.has(key) ? element("span", "", titles.get(key), " ", element("code", "", key)) : element("code", "", key);
}

/// A browser takes each password for a form of its own, with a name, and complains about many in one form.
function giveOwnForm(input) {
  const id = `${input.id}-form`;
  input.setAttribute("form", id);
  if (find(id)) return;
  const name = document.createElement("input");
  name.autocomplete = "username";
  // Enter saves, as in every other field.
  const enter = document.createElement("button");
  const own = element("form", "", name, enter);
  own.id = id;
  own.hidden = true;
  own.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!find("save").disabled) form.requestSubmit();
  });
  find("content").append(own);
}

function usual(setting) {
  if (setting.secret || cards["seen-fields"].includes(setting.key)) return "";
  if (setting.kind === "flag") return setting.standard ? "on" : "off";
  return setting.standard?.length === 0 ? "empty" : choiceText(setting, String(setting.standard));
}

function control(setting) {
  const id = `set-${setting.key}`;
  const input = document.createElement(setting.choices ? "select" : "input");
  input.id = id;
  input.setAttribute("aria-describedby", `${id}-meaning ${id}-fault`);
  const label = element("label", "label", titled(setting.key));
  label.htmlFor = id;
  const place = element("div", "field");
  let value;
  let removal = null;
  if (setting.kind === "flag") {
    input.type = "checkbox";
    input.checked = setting.value === true;
    value = () => input.checked;
    label.classList.add("check");
    label.prepend(input);
    place.append(label);
  } else if (setting.choices) {
    // A word of the file that means nothing here is shown, and stays until another is chosen.
    const offered = setting.choices.includes(setting.value) ? setting.choices : [setting.value, ...setting.choices];
    input.append(...offered.map((word) => new Option(choiceText(setting, word), word)));
    input.value = setting.value;
    value = () => input.value;
    place.append(label, input);
  } else {
    input.type = setting.secret ? "password" : "text";
    input.autocomplete = setting.secret ? "new-password" : "off";
    input.spellcheck = false;
    if (setting.kind === "number") input.inputMode = "numeric";
    if (setting.secret) {
      giveOwnForm(input);
      input.placeholder = setting.set ? "Set; type to replace it" : "Not set";
      const remove = document.createElement("input");
      remove.type = "checkbox";
      remove.id = `${id}-remove`;
      remove.addEventListener("change", () => { input.disabled = remove.checked; showChanged(); check(); });
      // An untouched secret is left as it is.
      value = () => (remove.checked ? "" : input.value === "" ? undefined : input.value);
      if (setting.set) {
        removal = element("label", "check", remove, element("span", "", "Remove it"));
        removal.htmlFor = remove.id;
        remove.setAttribute("aria-label", `Remove it: ${setting.title}`);
      }
    } else {
      input.value = setting.value === null ? "" : String(setting.value);
      // What is no number is sent as it stands, and refused with the reason.
      value = setting.kind === "number" ? () => (/^-?\d{1,15}$/.test(input.value.trim()) ? Number(input.value) : input.value) : () => input.value;
    }
    if (setting.kind === "list") {
      input.value = (setting.value ?? []).join(" ");
      const unchanged = input.value;
      // Texts of a list have no blanks.
      value = () => (input.value === unchanged ? undefined : input.value.split(/[\s,]+/).filter(Boolean));
    }
    place.append(label, input);
    if (removal) place.append(removal);
  }
  return { input, place, value, setting };
}

function row(setting) {
  const field = control(setting);
  const meaning = element("p", "note", setting.meaning);
  meaning.id = `${field.input.id}-meaning`;
  const standard = usual(setting);
  if (standard) meaning.append(` Usual: ${standard}.`);
  field.fault = element("p", "fault");
  field.fault.id = `${field.input.id}-fault`;
  field.fault.hidden = true;
  field.item = element("div", "setting", field.place, meaning, field.fault);
  if (setting.key === "profile.label") addHint(field);
  field.input.addEventListener("input", showChanged);
  field.input.addEventListener("change", () => { showChanged(); check(); });
  fields.set(setting.key, field);
  return field.item;
}

/// Nobody has to have a name, but whoever has none should know what the others see.
function addHint(field) {
  const hint = element("p", "note", "You have no name: the others see “Somebody without a name”. A short one helps them to know you.");
  hint.id = `${field.input.id}-hint`;
  const show = () => { hint.hidden = field.input.value.trim() !== ""; };
  show();
  field.input.setAttribute("aria-describedby", `${hint.id} ${field.input.getAttribute("aria-describedby")}`);
  field.input.addEventListener("input", show);
  field.input.addEventListener("change", () => { if (!hint.hidden) say(hint.textContent); });
  field.item.append(hint);
}

const searched = ({ key, title, meaning }) => `${key} ${title} ${meaning}`.toLowerCase();

function rowOf(setting) {
  const item = row(setting);
  found.push({ text: searched(setting), item });
  return item;
}

/// Says where some keys are chosen, and what they mean.
function pointer({ title, room, address }, settings) {
  const link = element("a", "", room);
  link.href = address;
  const item = element("div", "setting", element("div", "field", element("p", "label", title)),
    element("p", "note", "In the room ", link, "."),
    ...settings.map(({ key, meaning }) => element("p", "note", element("code", "", key), ` ${meaning}`)));
  found.push({ text: `${title} ${settings.map(searched).join(" ")}`.toLowerCase(), item });
  return item;
}

function groupOf(name, items) {
  const title = element("h3", "", groups[name] ?? name);
  title.id = `section-${name}`;
  const group = element("section", "", title, ...items);
  group.setAttribute("aria-labelledby", title.id);
  return group;
}

/// What nothing uses yet is no business of most people: closed, at the end.
function laterPart(settings) {
  const title = element("h3", "", `Not used yet (${settings.length})`);
  const part = element("details", "part", element("summary", "", title),
    element("p", "note", "These keys are kept in the file and checked, and nothing uses them so far."), ...settings.map(rowOf));
  part.id = "later";
  return part;
}

let isShown = false;

function show(sheet) {
  fields.clear();
  checks += 1;
  door = sheet.door;
  const byKey = new Map(sheet.settings.map((setting) => [setting.key, setting]));
  const those = (keys) => keys.map((key) => byKey.get(key)).filter(Boolean);
  titles = new Map(sheet.settings.map(({ key, title }) => [key, title]));
  found = [
    { text: `${those([switched]).map(searched)} ${find("seen-note").textContent}`.toLowerCase(), item: find("seen-row") },
    { text: `avatar face photo ${find("own-picture-title").textContent} ${find("own-picture-note").textContent}`.toLowerCase(), item: find("own-picture") },
  ];
  for (const [card, keys] of Object.entries(cards)) find(card).replaceChildren(...those(keys).map(rowOf));
  const grouped = new Map();
  const into = (key, item) => {
    const name = key.split(".")[0];
    if (!grouped.has(name)) grouped.set(name, []);
    grouped.get(name).push(item);
  };
  for (const setting of sheet.settings) if (!placed.has(setting.key) && !isLater(setting)) into(setting.key, rowOf(setting));
  for (const other of elsewhere) if (those(other.keys).length) into(other.keys[0], pointer(other, those(other.keys)));
  const wasOpen = find("later")?.open ?? false;
  sections.replaceChildren(...[...grouped].map(([name, items]) => groupOf(name, items)));
  const later = sheet.settings.filter((setting) => isLater(setting) && !placed.has(setting.key));
  if (later.length) sections.append(laterPart(later));
  if (wasOpen && find("later")) find("later").open = true;
  if (!isShown) {
    isShown = true;
    for (const part of ["look", "beyond", "experts"]) find(part).hidden = false;
    // Whoever uses it sees how it stands.
    find("beyond").open = those(["viewer.password", "viewer.tls_certificate", "viewer.trusted_proxies"]).some(({ set }) => set);
  }
  find("reading").hidden = true;
  find("reading").removeAttribute("aria-busy");
  showPath(find("file"), "All of it is kept in the file ", sheet.file, ". Secrets are never shown.", "where the settings are kept");
  showWaiting(sheet);
  showSeen(byKey.get(switched)?.value === true);
  clearFaults();
  filter();
  showChanged();
}

// MARK: Starting again

// Which run of the program answers; null if it cannot start itself again.
let run = null;
const signedOut = "signed out";

function showWaiting(sheet) {
  const waiting = find("restart");
  waiting.hidden = sheet.waiting.length === 0;
  const keys = element("strong", "", ...sheet.waiting.flatMap((key, index) => (index ? [", ", titled(key)] : [titled(key)])));
  if (waiting.hidden) {
    waiting.replaceChildren();
  } else if (run === null) {
    waiting.replaceChildren("Saved, and in effect when the peer is started again (Ctrl-C, then start it as before): ", keys, ".");
  } else {
    const again = button("Start again now", "button small", () => startAgain(sheet));
    again.id = "restart-now";
    waiting.replaceChildren(
      element("p", "", "Saved, and in effect when the peer is started again: ", keys, "."),
      element("div", "row", again, element("span", "note", "Takes a second or two. Visitors see you go and come back.")));
  }
}

async function currentRun() {
  try {
    const answer = await fetch("/api/rooms/restart", { cache: "no-store", signal: AbortSignal.timeout(2000) });
    // Only the next run does not know the session any more: it answers, to whoever signs in again.
    if (answer.status === 401) return signedOut;
    return answer.ok ? (await answer.json()).run : null;
  } catch {
    return null;
  }
}

async function startAgain(sheet) {
  // What it said and offered is under way.
  closeToast();
  const waiting = find("restart");
  waiting.hidden = false;
  const before = run;
  try {
    await post("/api/rooms/restart", {});
  } catch (error) {
    // The run may end before its answer is out: then there is no answer, and the next run tells.
    if (error.status !== undefined) {
      const lines = showFaults(error);
      const fault = element("p", "fault", `Not started again: ${lines.map((line) => clean(`${titleOf(line.key ?? "")} ${line.cause}`)).join(". ")}`);
      fault.tabIndex = -1;
      waiting.replaceChildren(fault);
      fault.focus();
      return;
    }
  }
  const place = element("p", "", "Starting again… This page comes back by itself.");
  place.tabIndex = -1;
  waiting.replaceChildren(place);
  place.focus();
  const until = Date.now() + 30000;
  while (Date.now() < until) {
    const now = await currentRun();
    if (now !== null && now !== before) {
      sessionStorage.setItem("started-again", "1");
      if (now === signedOut) return dispatchEvent(new Event("session-over"));
      location.reload();
      return;
    }
    await new Promise((done) => { setTimeout(done, 300); });
  }
  const address = sheet?.settings.find((setting) => setting.key === "viewer.http_addr")?.value ?? "";
  place.textContent = "It has not come back at this address. The terminal that it runs in says why.";
  if (location.protocol === "http:" && /^127\.0\.0\.1:\d{1,5}$/.test(address) && `http://${address}` !== location.origin) {
    const link = element("a", "", `http://${address}/settings`);
    link.href = `http://${address}/settings`;
    place.replaceChildren("Its pages are at another address now: ", link);
  }
  place.focus();
}

find("restart-any").addEventListener("click", () => {
  if (Object.keys(changes()).length) tell("Save your changes first, or discard them.", { isError: true });
  else startAgain(null);
});

// MARK: Seen by others

const seen = find("seen-switch");

function showSeen(isInvisible) {
  seen.checked = isInvisible;
  find("invisible").hidden = !isInvisible;
}

seen.addEventListener("change", async () => {
  const isInvisible = seen.checked;
  try {
    const sheet = await post("/api/rooms/settings/save", { changes: { [switched]: isInvisible } });
    showWaiting(sheet);
    showSeen(isInvisible);
    tell(isInvisible ? "You are invisible now: the others see you leave." : "You are visible now.");
  } catch (error) {
    seen.checked = !isInvisible;
    tellFailure(error);
  }
});

function showChanged() {
  const changed = changes();
  const count = Object.keys(changed).length;
  for (const [key, field] of fields) field.item.dataset.changed = String(key in changed);
  find("save").disabled = count === 0;
  find("discard").disabled = count === 0;
  setText(find("changed"), count === 0 ? "Nothing has been changed." : count === 1 ? "1 change, not saved." : `${count} changes, not saved.`);
}

function clearFaults() {
  find("problems").hidden = true;
  for (const field of fields.values()) {
    field.fault.hidden = true;
    field.fault.textContent = "";
    field.input.removeAttribute("aria-invalid");
  }
}

function showFaults(error) {
  clearFaults();
  const lines = error.problems.length ? error.problems : [{ key: null, cause: error.message, next: "" }];
  for (const problem of lines) {
    const field = fields.get(problem.key);
    if (!field) continue;
    field.fault.textContent = `${clean(problem.cause)}; ${clean(problem.next)}`;
    field.fault.hidden = false;
    field.input.setAttribute("aria-invalid", "true");
  }
  return lines;
}

// Says at once what is wrong with a value, without writing anything. An answer that a later question, or a save, has
// overtaken is about what the fields do not hold any more.
async function check() {
  checks += 1;
  const turn = checks;
  const changed = changes();
  if (Object.keys(changed).length === 0) return clearFaults();
  try {
    await post("/api/rooms/settings/check", { changes: changed });
    if (turn === checks) clearFaults();
  } catch (error) {
    if (turn !== checks) return;
    const lines = showFaults(error);
    say(lines.map((line) => `${titleOf(line.key ?? "")} ${line.cause}`).join(". "));
  }
}

// MARK: The door for other computers

// Whether there is one in this run: none, open, or shut.
let door = "none";
let wasToldOfTheEnd = false;

/// True if nothing is closed by the changes, or the person wants that.
async function mayClose(changed) {
  if (door !== "open") return true;
  if ((await post("/api/rooms/settings/check", { changes: changed })).door !== "closing") return true;
  setText(find("door-text"), isBeyond
    ? "With these changes nobody gets in from another computer any more: you are signed out at once, and this page ends. The way back is on the computer that Goop² runs on: set them there again, and start the peer again."
    : "With these changes nobody gets in from another computer any more: whoever has signed in from one is signed out at once. It can be opened again here, with a new start of the peer.");
  const panel = find("door-panel");
  const answer = new Promise((done) => {
    // The event comes later than the end: it may be that of the question before.
    panel.onclose = () => { if (!panel.open) done(panel.returnValue === "close"); };
  });
  panel.returnValue = "";
  panel.showModal();
  find("door-cancel").focus();
  return answer;
}

find("door-cancel").addEventListener("click", () => find("door-panel").close());
find("door-close").addEventListener("click", () => find("door-panel").close("close"));

/// What the person is told after a save.
function saved(before, sheet) {
  const restart = sheet.waiting.length ? " Start the peer again to use the rest." : "";
  if (before !== "open" || sheet.door !== "shut") return sheet.waiting.length ? "Saved. Start the peer again to use it." : "Saved.";
  return `Saved. The viewer is closed for other computers now, and whoever had signed in from one is signed out.${restart}`;
}

/// This page was opened from another computer, and is at its end.
function showEnd() {
  wasToldOfTheEnd = true;
  const text = element("p", "", `Saved. Goop² at ${location.hostname} is closed for other computers now, so you are signed out and this page does nothing any more. It goes on on its own computer.`);
  text.tabIndex = -1;
  const banner = find("restart");
  banner.hidden = false;
  banner.replaceChildren(text);
  for (const part of [form, find("search").closest(".row"), find("no-setting"), find("restart-part")]) part.hidden = true;
  find("sign-out").hidden = true;
  text.focus();
  say(text.textContent);
}

/// The fields were made anew, or a button was pressed that has nothing left to do: the focus goes where it was, else to
/// the sentence that says how things stand.
function refocus(id) {
  const place = find(id);
  (place && !place.disabled && fields.has(id.replace(/^set-/, "")) ? place : find("changed")).focus({ preventScroll: true });
}

function goTo(key) {
  const field = fields.get(key);
  if (!field) return;
  if (field.item.hidden) {
    find("search").value = "";
    filter();
  }
  for (let part = field.item.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
  field.input.focus();
}

/// What every field holds now, by key.
const held = () => new Map([...fields].map(([key, { input }]) => [key, { value: input.value, checked: input.checked }]));

/// Puts back into the fields, which were made anew, what was typed since a save began: it is not saved.
function keepTyped(atFirst, atLast) {
  for (const [key, { value, checked }] of atLast) {
    const before = atFirst.get(key);
    const input = fields.get(key)?.input;
    if (!input || (before?.value === value && before.checked === checked)) continue;
    input.value = value;
    input.checked = checked;
    input.dispatchEvent(new Event("input"));
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  checks += 1;
  try {
    const changed = changes();
    const atFirst = held();
    const before = door;
    if (!await mayClose(changed)) return;
    const sheet = await post("/api/rooms/settings/save", { changes: changed });
    if (isBeyond && sheet.door === "shut") return showEnd();
    const focused = document.activeElement?.id ?? "";
    const atLast = held();
    show(sheet);
    keepTyped(atFirst, atLast);
    if ("viewer.theme" in changed) return comeBack(saved(before, sheet));
    refocus(focused);
    tell(saved(before, sheet), { action: sheet.waiting.length && run !== null ? ["Start again now", () => startAgain(sheet)] : undefined });
  } catch (error) {
    const lines = showFaults(error);
    const place = find("problems");
    place.replaceChildren(element("p", "", "Nothing was saved:"), element("ul", "", ...lines.map((line) =>
      element("li", "", ...linkTo(line.key), `${clean(line.cause)}${line.next ? `; ${clean(line.next)}` : ""}`))));
    place.hidden = false;
    place.focus();
  }
});

/// Loads this page again, which has other colours now, and says there what was done.
function comeBack(text) {
  sessionStorage.setItem("said", text);
  location.reload();
}

/// The key as a link to its field, for a line that begins with it.
function linkTo(key) {
  if (!key) return [];
  if (!fields.has(key)) return [`${clean(titleOf(key))}: `];
  const link = element("a", "", titled(key));
  link.href = `#set-${key}`;
  link.addEventListener("click", (event) => { event.preventDefault(); goTo(key); });
  return [link, ": "];
}

find("discard").addEventListener("click", async () => {
  await load();
  refocus("");
});

/// The ids of what was opened by what is looked for; it is closed again afterwards. Whoever opened a part keeps it open.
const opened = new Set();

function filter() {
  const wanted = clean(find("search").value).toLowerCase();
  for (const { text, item } of found) item.hidden = wanted !== "" && !text.includes(wanted);
  for (const part of form.querySelectorAll("section, details")) {
    const inside = found.filter(({ item }) => item !== part && part.contains(item));
    if (inside.length) part.hidden = inside.every(({ item }) => item.hidden);
    if (part.localName !== "details" || part.hidden || part.open || wanted === "") continue;
    part.open = true;
    opened.add(part.id);
  }
  if (wanted === "") {
    for (const part of form.querySelectorAll("details")) if (opened.has(part.id)) part.open = false;
    opened.clear();
  }
  const isNone = wanted !== "" && found.every(({ item }) => item.hidden);
  if (isNone && find("no-setting").hidden) say("No setting is like that.");
  find("no-setting").hidden = !isNone;
}

find("search").addEventListener("input", filter);

async function load() {
  run = await currentRun();
  find("restart-part").hidden = run === null;
  try {
    show(await get("/api/rooms/settings"));
  } catch (error) {
    const reading = find("reading");
    const again = button("Try again", "button", async () => {
      await load();
      // The button is gone, or another one is in its place.
      (reading.hidden ? find("content") : reading.querySelector("button")).focus();
    });
    reading.replaceChildren(element("p", "fault", reasonOf(error)), again);
    reading.hidden = false;
    reading.removeAttribute("aria-busy");
  }
}

addEventListener("beforeunload", (event) => { if (!wasToldOfTheEnd && Object.keys(changes()).length) event.preventDefault(); });
if (sessionStorage.getItem("started-again")) {
  sessionStorage.removeItem("started-again");
  tell("Started again.");
}
await load();
const said = sessionStorage.getItem("said");
if (said) {
  sessionStorage.removeItem("said");
  refocus("");
  tell(said);
}
if (location.hash.startsWith("#set-")) goTo(decodeURIComponent(location.hash.slice(5)));
