// What visitors have filled of the owner's disk, and what they may.

import { arrangeChildren, button, clean, element, find, get, post, reasonOf, setText, sizeText, tell } from "/assets/words.js";
import { ownerParts, ownerText, rowsText } from "/assets/data-values.js";

/// Limits are set in megabytes of 2^20 bytes, so they are shown in those.
const limitText = (bytes) => `${Math.round(bytes / 1048576).toLocaleString()} MB`;
const inputs = () => [...find("quota").querySelectorAll("input")];
let saved = {};
let whenChanged = () => {};
let reading = 0;

/// `showRows(id)` filters the open table for somebody's rows. Of several questions the last one counts: answers may come in
/// another order.
export async function readVisitors(me, showRows) {
  const number = ++reading;
  try {
    const overview = await get("/api/rooms/data/visitors");
    if (number === reading) show(overview, me, showRows);
  } catch (error) {
    if (number === reading) setText(find("filled"), reasonOf(error));
  }
}

function show(overview, me, showRows) {
  const { limit, total } = overview;
  const toYours = overview.count === 0 && total.bytes > 0 ? ` What they added to yours is ${sizeText(total.bytes)}.` : "";
  setText(find("filled"), overview.count === 0
    ? `No visitor has rows here.${toYours} Each may add ${rowsText(limit.rows)} and ${limitText(limit.bytes)}, all together ${limitText(overview.total_limit)}.`
    : `${overview.count === 1 ? "1 visitor has" : `${overview.count.toLocaleString()} visitors have`} ${rowsText(total.rows)}, ${sizeText(total.bytes)} of ${limitText(overview.total_limit)}. Each may add ${rowsText(limit.rows)} and ${limitText(limit.bytes)}.`);
  const focused = find("shares").contains(document.activeElement) ? document.activeElement.dataset.id : null;
  find("shares-box").hidden = overview.visitors.length === 0;
  arrangeChildren(find("shares").tBodies[0], overview.visitors.map((visitor) => ({
    key: visitor.id, text: JSON.stringify([visitor, limit]), make: () => line(visitor, limit, me, showRows),
  })));
  // Rows arrive while one looks: the focus stays at whose button it was.
  if (focused && !find("shares").contains(document.activeElement)) (find("shares").querySelector(`[data-id="${CSS.escape(focused)}"]`) ?? find("shares-box")).focus({ preventScroll: true });
  if (overview.count > overview.visitors.filter(({ rows }) => rows > 0).length) find("filled").append(` The list has the ${overview.visitors.length} who fill most.`);
}

function line(visitor, limit, me, showRows) {
  const owners = visitor.label === undefined ? {} : { [visitor.id]: visitor };
  // What others added is not their doing.
  const bytes = Math.max(0, visitor.bytes - visitor.received);
  const part = Math.max(limit.rows ? visitor.rows / limit.rows : 1, limit.bytes ? bytes / limit.bytes : 1);
  const bar = document.createElement("meter");
  bar.max = 1;
  bar.high = 0.9;
  bar.value = Math.min(part, 1);
  bar.setAttribute("aria-hidden", "true");
  const head = element("th", "who-cell", ...ownerParts(visitor.id, me, owners));
  head.scope = "row";
  head.title = clean(visitor.id);
  const look = button("Their rows", "button small", () => showRows(visitor.id));
  look.setAttribute("aria-label", `Rows of ${ownerText(visitor.id, me, owners)}`);
  look.dataset.id = visitor.id;
  return element("tr", "", head, element("td", "", visitor.rows.toLocaleString()), element("td", "", sizeText(visitor.bytes)),
    element("td", "", bar, `${part > 0 && part < 0.01 ? "under 1" : Math.round(part * 100)} %`),
    element("td", "", visitor.added > 0 ? sizeText(visitor.added) : "–"), element("td", "", ...(visitor.rows > 0 ? [look] : [])));
}

/// The limits are settings like the others; what is saved counts for the next row. Calls `changed` then.
export async function readQuota(changed) {
  whenChanged = changed;
  const trouble = find("quota-trouble");
  try {
    showQuota(await get("/api/rooms/settings"));
    trouble.hidden = true;
  } catch (error) {
    trouble.replaceChildren(element("span", "", `The limits cannot be changed now: ${reasonOf(error)}`), " ", button("Try again", "button small", async () => {
      await readQuota(changed);
      // The button is gone, or another one is in its place.
      (trouble.hidden ? inputs()[0] : trouble.querySelector("button")).focus();
    }));
    trouble.hidden = false;
  }
}

function showQuota(sheet) {
  saved = Object.fromEntries(sheet.settings.map(({ key, value }) => [key, value]));
  for (const input of inputs()) input.value = String(saved[input.dataset.key] ?? "");
  const waiting = sheet.waiting.filter((key) => inputs().some((input) => input.dataset.key === key));
  // Only a file that was edited by hand can wait.
  setText(find("quota-note"), waiting.length ? "The settings file holds other limits, which count when the peer is started again, or when they are saved here."
    : "They count at once. A row that would go beyond is refused, and the visitor is told why; rows that are there stay.");
  find("quota").hidden = false;
}

find("quota").addEventListener("submit", async (event) => {
  event.preventDefault();
  const fault = find("quota-fault");
  fault.hidden = true;
  const changes = {};
  for (const input of inputs()) {
    input.removeAttribute("aria-invalid");
    const text = input.value.trim();
    const value = /^\d{1,15}$/.test(text) ? Number(text) : text;
    if (value !== saved[input.dataset.key]) changes[input.dataset.key] = value;
  }
  if (Object.keys(changes).length === 0) return tell("Nothing was changed.");
  try {
    showQuota(await post("/api/rooms/settings/save", { changes }));
    tell("Saved. The new limits count from now on.");
    whenChanged();
  } catch (error) {
    const problem = error.problems[0];
    const input = inputs().find((one) => one.dataset.key === problem?.key);
    fault.textContent = problem ? `${input?.labels[0]?.textContent ?? problem.key}: ${clean(problem.cause)}; ${clean(problem.next)}` : error.message;
    fault.hidden = false;
    input?.setAttribute("aria-invalid", "true");
    input?.focus();
  }
});
