// The Settings room: every key of goop.json, checked as the file is before it is written.

import { button, clean, element, find, get, post, say, setText, tell } from "/assets/words.js";

const sections = find("sections");
const form = find("form");
const fields = new Map();
const titles = {
  identity: "Identity", paths: "Folders", p2p: "Connections", presence: "Presence and servers", profile: "Profile",
  viewer: "Viewer", lua: "Scripts", data: "Data",
};

function changes() {
  const found = {};
  for (const [key, field] of fields) {
    const value = field.value();
    if (value !== undefined && value !== field.setting.value) found[key] = value;
  }
  return found;
}

function control(setting) {
  const id = `set-${setting.key}`;
  const input = document.createElement("input");
  input.id = id;
  input.setAttribute("aria-describedby", `${id}-meaning`);
  const label = element("label", "label", setting.key);
  label.htmlFor = id;
  const place = element("div", "field");
  let value;
  if (setting.kind === "flag") {
    input.type = "checkbox";
    input.checked = setting.value === true;
    value = () => input.checked;
    label.classList.add("check");
    label.prepend(input);
    place.append(label);
  } else {
    input.type = setting.secret ? "password" : "text";
    input.autocomplete = setting.secret ? "new-password" : "off";
    input.spellcheck = false;
    if (setting.kind === "number") input.inputMode = "numeric";
    if (setting.secret) {
      input.placeholder = setting.set ? "Set; type to replace it" : "Not set";
      // An untouched secret is left as it is.
      value = () => (input.value === "" ? undefined : input.value);
    } else {
      input.value = setting.value === null ? "" : String(setting.value);
      // What is no number is sent as it stands, and refused with the reason.
      value = setting.kind === "number" ? () => (/^-?\d{1,15}$/.test(input.value.trim()) ? Number(input.value) : input.value) : () => input.value;
    }
    place.append(label, input);
  }
  return { input, place, value, setting };
}

function row(setting) {
  const field = control(setting);
  const meaning = element("p", "note", setting.meaning);
  meaning.id = `${field.input.id}-meaning`;
  const standard = setting.secret ? "" : setting.standard === "" ? "empty" : String(setting.standard);
  if (standard) meaning.append(` Usual: ${standard}.`);
  field.fault = element("p", "fault");
  field.fault.hidden = true;
  field.item = element("div", "setting", field.place, meaning, field.fault);
  field.input.addEventListener("input", showChanged);
  field.input.addEventListener("change", check);
  fields.set(setting.key, field);
  return field.item;
}

function show(sheet) {
  fields.clear();
  const grouped = new Map();
  for (const setting of sheet.settings) {
    const name = setting.key.split(".")[0];
    if (!grouped.has(name)) grouped.set(name, []);
    grouped.get(name).push(setting);
  }
  sections.replaceChildren(...[...grouped].map(([name, settings]) => {
    const title = element("h2", "", titles[name] ?? name);
    title.id = `section-${name}`;
    const group = element("section", "panel", title, ...settings.map(row));
    group.setAttribute("aria-labelledby", title.id);
    return group;
  }));
  sections.removeAttribute("aria-busy");
  find("file").replaceChildren("These are the keys of ", element("code", "", sheet.file), ". Secrets are never shown.");
  const waiting = find("restart");
  waiting.hidden = sheet.waiting.length === 0;
  waiting.textContent = sheet.waiting.length === 0 ? "" :
    `Saved, and in effect when the peer is started again (Ctrl-C, then start it as before): ${sheet.waiting.join(", ")}.`;
  clearFaults();
  filter();
  showChanged();
}

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

// Says at once what is wrong with a value, without writing anything.
async function check() {
  const changed = changes();
  if (Object.keys(changed).length === 0) return clearFaults();
  try {
    await post("/api/rooms/settings/check", { changes: changed });
    clearFaults();
  } catch (error) {
    const lines = showFaults(error);
    say(lines.map((line) => `${line.key ?? ""} ${line.cause}`).join(". "));
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const sheet = await post("/api/rooms/settings/save", { changes: changes() });
    show(sheet);
    tell(sheet.waiting.length ? "Saved. Start the peer again to use it." : "Saved.");
  } catch (error) {
    const lines = showFaults(error);
    const place = find("problems");
    place.replaceChildren(element("p", "", "Nothing was saved:"), element("ul", "", ...lines.map((line) =>
      element("li", "", `${line.key ? `${clean(line.key)}: ` : ""}${clean(line.cause)}${line.next ? `; ${clean(line.next)}` : ""}`))));
    place.hidden = false;
    place.focus();
  }
});

find("discard").addEventListener("click", load);

function filter() {
  const wanted = clean(find("search").value).toLowerCase();
  for (const [key, field] of fields) {
    field.item.hidden = wanted !== "" && !key.includes(wanted) && !field.setting.meaning.toLowerCase().includes(wanted);
  }
  for (const group of sections.children) group.hidden = ![...group.querySelectorAll(".setting")].some((item) => !item.hidden);
}

find("search").addEventListener("input", filter);

async function load() {
  try {
    show(await get("/api/rooms/settings"));
  } catch (error) {
    sections.replaceChildren(element("p", "fault", `${error.message} ${error.detail ?? ""}`), button("Try again", "button", load));
    sections.removeAttribute("aria-busy");
  }
}

addEventListener("beforeunload", (event) => { if (Object.keys(changes()).length) event.preventDefault(); });
load();
