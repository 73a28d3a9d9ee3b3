// Values as text. Strangers wrote them: nothing here ever becomes markup.

import { button, clean, element, find, nameOf, printOf, reasonOf, sizeText } from "/assets/words.js";

const shownLength = 160;

/// Line ends stay; other control characters and marks that turn the direction of the text around become visible.
export const harmless = (text) => String(text)
  .replace(/\r\n?/g, "\n")
  .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/g, "\ufffd");

/// The text that a value has in a field, null if it has none or does not fit into one.
export function fieldText(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "object") return value.digits ?? null;
  return String(value);
}

export const isTime = (type) => ["datetime", "timestamp", "date", "time"].includes(type);
/// The choices of an `enum` are texts.
export const isNumber = (type) => /int|real|floa|doub|(?<!e)num|dec/.test(type);
export const isLong = (type) => !isTime(type) && !isNumber(type) && type !== "guid" && type !== "enum" && type !== "blob";

/// The time of a system column, which is kept in UTC, as it was on the owner's clock; with the kept one as a title.
export function localTime(text) {
  const time = new Date(`${String(text).replace(" ", "T")}Z`);
  if (Number.isNaN(time.getTime())) return document.createTextNode(harmless(text));
  const made = element("time", "", time.toLocaleString([], { dateStyle: "medium", timeStyle: "medium" }));
  made.dateTime = time.toISOString();
  made.title = `${clean(text)} UTC`;
  return made;
}

/// A cell of the table; `showAll` is asked for the rest of a long text.
export function cell(value, column, showAll) {
  const made = element("td", column.system ? "system" : "");
  made.dir = "auto";
  if (isTime(column.type)) made.classList.add("time");
  if (value === null || value === undefined) {
    made.append(element("span", "none", "none"));
  } else if (column.system && isTime(column.type)) {
    made.append(localTime(value));
  } else if (typeof value === "object" && "binary" in value) {
    made.append(element("span", "none", `binary, ${sizeText(value.binary)}`));
  } else if (typeof value === "object" && "cut" in value) {
    made.classList.add("long");
    made.append(`${harmless(value.cut).slice(0, shownLength)}…`, showAllButton(value.bytes, column, showAll));
  } else {
    const text = harmless(fieldText(value));
    if (typeof value === "number" || value?.digits) made.classList.add("number");
    if (text === "") made.append(element("span", "none", "empty"));
    else if (text.length > 30) made.classList.add("long");
    if (text.length > shownLength) made.append(`${text.slice(0, shownLength)}…`, showAllButton(text.length, column, showAll));
    else if (text) made.append(text);
  }
  return made;
}

function showAllButton(bytes, column, showAll) {
  const more = button("Show all", "button inline", showAll);
  more.setAttribute("aria-label", `Show all of ${column.name}, ${sizeText(bytes)}`);
  return more;
}

/// Whose a row is: the owner's own name for them wins, and the end of the id tells equal names apart.
export function ownerParts(id, me, owners) {
  if (id === me) return [element("span", "", "You")];
  const person = owners?.[id];
  const parts = [];
  if (person) parts.push(element("bdi", "", nameOf(person).slice(0, 60)));
  parts.push(element("span", "print", id.length > 12 ? printOf(clean(id)) : clean(id) || "nobody"));
  return parts;
}

export const ownerText = (id, me, owners) => (id === me ? "you" : owners?.[id] ? nameOf(owners[id]) : printOf(clean(id)));

export function rowsText(count) {
  if (count === null || count === undefined) return "too many rows to count quickly";
  return count === 1 ? "1 row" : `${count.toLocaleString()} rows`;
}

export function announceTrouble(error) {
  const place = find("trouble");
  place.textContent = reasonOf(error);
  place.hidden = false;
}
