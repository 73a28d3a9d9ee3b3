// The list of people, kept up to date by server-sent events. Names and reasons were written by strangers: they only
// ever become text nodes.

import { showPicture } from "/assets/identicon.js";

const find = (id) => document.getElementById(id);
const people = new Map();
const rows = new Map();
const list = find("people");
const search = find("search");
const searchFrom = 8;

// MARK: Words

const ways = {
  loopback: "on this computer",
  lan: "on your network",
  internet: "over the internet",
  relay: "through a relay",
};
const rank = { online: 0, arriving: 1, unreachable: 2, offline: 3 };

// Without control characters and marks that change the direction of the text around them.
const clean = (text) => text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/gu, " ").trim();
const nameOf = (person) => clean(person.label) || "Somebody without a name";
const printOf = (id) => `…${id.slice(-8, -4)} ${id.slice(-4)}`;

function agoText(milliseconds) {
  if (!milliseconds) return "never seen";
  const seconds = Math.max(0, (Date.now() - milliseconds) / 1000);
  if (seconds < 45) return "seen just now";
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `last seen ${minutes} min ago`;
  const hours = Math.round(minutes / 60);
  if (hours < 24) return `last seen ${hours} h ago`;
  const days = Math.round(hours / 24);
  return days === 1 ? "last seen yesterday" : `last seen ${days} days ago`;
}

function stateText(person) {
  switch (person.state) {
    case "online": {
      const way = ways[person.path];
      return way ? `Here now, ${way}` : "Here now";
    }
    case "arriving": return "Just appeared, knocking…";
    case "unreachable": {
      const reason = clean(person.reason || "").slice(0, 160);
      return reason ? `Does not answer: ${reason} · ${agoText(person.lastSeen)}` : `Does not answer · ${agoText(person.lastSeen)}`;
    }
    default: return `Away · ${agoText(person.lastSeen)}`;
  }
}

// MARK: Rows

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function makeRow(id) {
  const name = document.createElement("bdi");
  const row = {
    name,
    nameLine: element("span", "person-name", name),
    picture: element("span", "picture"),
    stateLine: element("span"),
    link: document.createElement("a"),
    item: element("li", "person"),
  };
  const dot = element("span", "dot");
  dot.setAttribute("aria-hidden", "true");
  const print = element("span", "print", printOf(id));
  print.title = id;
  const space = () => document.createTextNode(" ");
  row.link.href = `/p/${encodeURIComponent(id)}/`;
  row.link.append(row.picture, element("span", "", row.nameLine, space(), print), space(), element("span", "person-state", dot, row.stateLine));
  row.item.append(row.link);
  return row;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function fillRow(row, person) {
  setText(row.name, nameOf(person));
  row.nameLine.classList.toggle("unnamed", !clean(person.label));
  row.item.dataset.state = person.state;
  setText(row.stateLine, stateText(person));
  showPicture(row.picture, person.id);
}

function dropRow(id) {
  const row = rows.get(id);
  if (!row) return;
  rows.delete(id);
  const hadFocus = row.item.contains(document.activeElement);
  row.item.classList.add("leaving");
  row.item.inert = true;
  if (hadFocus) list.focus();
  const remove = () => row.item.remove();
  row.item.addEventListener("animationend", remove, { once: true });
  setTimeout(remove, 400);
}

const byPlace = (a, b) =>
  rank[a.state] - rank[b.state] || nameOf(a).localeCompare(nameOf(b)) || (a.id < b.id ? -1 : 1);

function arrange() {
  const wanted = clean(search.value).toLowerCase();
  const focused = document.activeElement;
  let before = null;
  let shown = 0;
  const sorted = [...people.values()].sort(byPlace);
  // From the end: each row belongs in front of the one placed before it; a row that is in place is not touched.
  for (const person of sorted.reverse()) {
    let row = rows.get(person.id);
    if (!row) {
      row = makeRow(person.id);
      rows.set(person.id, row);
    }
    fillRow(row, person);
    if (row.item.parentNode !== list || nextStaying(row.item) !== before) list.insertBefore(row.item, before);
    before = row.item;
    row.item.hidden = wanted !== "" && !nameOf(person).toLowerCase().includes(wanted) && !person.id.toLowerCase().includes(wanted);
    if (!row.item.hidden) shown += 1;
  }
  if (focused && focused !== document.activeElement && list.contains(focused)) focused.focus({ preventScroll: true });
  const here = sorted.filter((person) => person.state === "online").length;
  setText(find("count"), people.size === 0 ? "" : here === people.size ? `${here} here now` : `${here} here now, ${people.size} known`);
  document.title = here ? `${here} here · Goop²` : "Goop²";
  find("search-box").hidden = people.size < searchFrom && wanted === "";
  find("empty").hidden = people.size > 0;
  find("no-match").hidden = people.size === 0 || shown > 0;
}

function nextStaying(item) {
  let next = item.nextElementSibling;
  while (next && next.classList.contains("leaving")) next = next.nextElementSibling;
  return next;
}

let arranging = 0;
function arrangeSoon() {
  if (!arranging) arranging = requestAnimationFrame(() => { arranging = 0; arrange(); });
}

// MARK: What a screen reader hears

const heard = { came: new Map(), left: new Map(), timer: 0 };

function announce(kind, person) {
  heard[kind === "came" ? "left" : "came"].delete(person.id);
  heard[kind].set(person.id, nameOf(person));
  if (!heard.timer) heard.timer = setTimeout(speak, 1500);
}

function sentence(names, one, many) {
  if (names.length === 0) return "";
  if (names.length === 1) return `${names[0]} ${one}. `;
  if (names.length === 2) return `${names[0]} and ${names[1]} ${many}. `;
  return `${names.length} people ${many}. `;
}

function speak() {
  heard.timer = 0;
  const text = sentence([...heard.came.values()], "is here", "are here") + sentence([...heard.left.values()], "has left", "have left");
  heard.came.clear();
  heard.left.clear();
  if (text) find("announcer").textContent = text;
}

// MARK: Changes

const isHere = (person) => Boolean(person) && (person.state === "online" || person.state === "arriving");

function put(person) {
  const old = people.get(person.id);
  people.set(person.id, person);
  if (isHere(person) && !isHere(old)) announce("came", person);
  if (!isHere(person) && isHere(old)) announce("left", person);
}

function take(id) {
  const old = people.get(id);
  if (!old) return;
  people.delete(id);
  dropRow(id);
  if (isHere(old)) announce("left", old);
}

let isFirst = true;
function replaceAll(snapshot) {
  const owner = snapshot.owner;
  setText(find("me-name").firstElementChild, nameOf(owner));
  setText(find("me-print"), printOf(owner.id));
  find("me-print").title = owner.id;
  find("me-site").href = `/p/${encodeURIComponent(owner.id)}/`;
  find("me-copy").dataset.id = owner.id;
  showPicture(find("me-picture"), owner.id);
  showPicture(find("empty-picture"), owner.id);
  const ids = new Set(snapshot.peers.map((person) => person.id));
  if (isFirst) {
    for (const person of snapshot.peers) people.set(person.id, person);
  } else {
    for (const id of [...people.keys()]) if (!ids.has(id)) take(id);
    for (const person of snapshot.peers) put(person);
  }
  isFirst = false;
  arrange();
}

// MARK: The connection

let source = null;
let retryTimer = 0;
let retryDelay = 1000;

function showLink(state, text) {
  find("link").dataset.state = state;
  setText(find("link-text"), text);
}

function connect() {
  if (source || document.hidden) return;
  clearTimeout(retryTimer);
  source = new EventSource("/api/events");
  source.addEventListener("snapshot", (event) => {
    retryDelay = 1000;
    showLink("live", "Live");
    replaceAll(JSON.parse(event.data));
  });
  source.addEventListener("peer", (event) => { put(JSON.parse(event.data)); arrangeSoon(); });
  source.addEventListener("gone", (event) => { take(JSON.parse(event.data).id); arrangeSoon(); });
  source.addEventListener("error", () => {
    disconnect();
    showLink("lost", retryDelay > 4000 ? "Goop² on this computer does not answer" : "Reconnecting…");
    retryTimer = setTimeout(connect, retryDelay);
    retryDelay = Math.min(retryDelay * 2, 15000);
  });
}

function disconnect() {
  clearTimeout(retryTimer);
  if (source) source.close();
  source = null;
}

// A hidden tab gives its connection back: browsers allow six to one address, for all tabs together.
document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
addEventListener("pagehide", disconnect);
addEventListener("pageshow", connect);
setInterval(() => { if (!document.hidden) arrange(); }, 15000);
search.addEventListener("input", arrange);

find("me-copy").addEventListener("click", async (event) => {
  const button = event.currentTarget;
  const text = `${location.origin}/p/${button.dataset.id || ""}/`;
  try {
    await navigator.clipboard.writeText(text);
    find("announcer").textContent = "Your address was copied.";
    button.textContent = "Copied";
  } catch {
    find("announcer").textContent = "The browser did not allow copying.";
    button.textContent = "Not allowed";
  }
  setTimeout(() => { button.textContent = "Copy my address"; }, 1800);
});

connect();
