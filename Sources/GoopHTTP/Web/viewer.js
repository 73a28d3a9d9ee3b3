// The People room: the list of people, kept up to date by server-sent events, and what the owner decides about them. Names
// and reasons were written by strangers: they only ever become text nodes.

import { faceOf, ownFace, showFace } from "/assets/face.js";
import { showPicture } from "/assets/identicon.js";
import { follow } from "/assets/streams.js";
import { agoText, arrangeChildren, button, clean, element, find, get, isLost, nameOf, post, printOf, reasonOf, say, setText, siteLink, tell, tellFailure, viewerAnswers, ways } from "/assets/words.js";

const people = new Map();
const rows = new Map();
const latencies = new Map();
const list = find("people");
const search = find("search");
const searchFrom = 8;
/// What the settings say of this list.
const { unverified, sites } = find("content").dataset;

/// Whom the owner has named or chosen nobody has to vouch for.
const isListed = (person) => unverified !== "hidden" || person.verified || person.favorite || Boolean(clean(person.petname));

/// A link to a site, in a tab of its own if the settings say so.
function leadToSite(link, id) {
  link.href = `/p/${encodeURIComponent(id)}/`;
  if (sites !== "new-tab" || link.target) return;
  link.target = "_blank";
  link.rel = "noopener";
  link.append(element("span", "visually-hidden", ", opens a new tab"));
}

// MARK: Words

const rank = { online: 0, arriving: 1, unreachable: 2, offline: 3 };

const latencyText = (milliseconds) =>
  milliseconds === undefined ? "" : `, ${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms`;

function stateText(person) {
  if (isLost()) return "Not known at the moment";
  switch (person.state) {
    case "online": {
      const way = ways[person.path];
      const time = latencyText(latencies.get(person.id));
      return way ? `Here now, ${way}${time}` : `Here now${time}`;
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

function makeRow(id) {
  const name = document.createElement("bdi");
  const row = {
    name,
    nameLine: element("span", "person-name", name),
    picture: element("span", "picture"),
    named: element("span", "named"),
    stateLine: element("span"),
    link: document.createElement("a"),
    star: element("span", "star"),
    favorite: element("span", "visually-hidden"),
    alike: element("span", "fault alike"),
    more: button("⋯", "button more", () => openCard(id)),
    item: element("li", "person"),
  };
  const dot = element("span", "dot");
  dot.setAttribute("aria-hidden", "true");
  const print = element("span", "print", printOf(id));
  print.title = id;
  const space = () => document.createTextNode(" ");
  row.named.append(row.nameLine, space(), print);
  row.link.append(row.picture, row.named, space(), element("span", "person-state", dot, row.stateLine));
  row.star.setAttribute("aria-hidden", "true");
  row.nameLine.prepend(row.star, row.favorite);
  row.more.title = "More";
  row.alike.hidden = true;
  row.link.append(row.alike);
  leadToSite(row.link, id);
  row.item.append(row.link, row.more);
  return row;
}

function fillRow(row, person) {
  setText(row.name, nameOf(person));
  row.nameLine.classList.toggle("unnamed", !clean(person.petname) && !clean(person.label));
  setText(row.star, person.favorite ? "★" : "");
  setText(row.favorite, person.favorite ? "Favourite, " : "");
  row.item.classList.toggle("muted", Boolean(person.muted));
  row.more.setAttribute("aria-label", `More about ${nameOf(person)}`);
  row.alike.hidden = !person.resembles;
  setText(row.alike, person.resembles ? alikeText(person) : "");
  row.alike.classList.toggle("fault", !person.resemblesLabelOnly);
  row.item.dataset.state = isLost() ? "unknown" : person.state;
  setText(row.stateLine, `${person.muted ? "Muted · " : ""}${stateText(person)}`);
  showPicture(row.picture, person.id);
  showFace(row.named, faceOf(person), "", person.state === "online");
}

function alikeText(person) {
  const other = people.get(person.resembles);
  // No impostor by that: the other one has taken a name that many may have.
  if (person.resemblesLabelOnly) return `${other ? nameOf(other) : "Somebody whom you have named"} calls itself so too: this is another key.`;
  return `Not the ${other ? nameOf(other) : clean(person.label)} that you know: this is another key.`;
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
  Boolean(a.muted) - Boolean(b.muted) || rank[a.state] - rank[b.state] || Boolean(b.favorite) - Boolean(a.favorite) || nameOf(a).localeCompare(nameOf(b)) || (a.id < b.id ? -1 : 1);

function arrange() {
  const wanted = clean(search.value).toLowerCase();
  const focused = document.activeElement;
  let before = null;
  let shown = 0;
  const sorted = [...people.values()].filter(isListed).sort(byPlace);
  for (const person of people.values()) if (!isListed(person)) dropRow(person.id);
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
    row.item.hidden = wanted !== "" && !nameOf(person).toLowerCase().includes(wanted) && !clean(person.label).toLowerCase().includes(wanted) && !person.id.toLowerCase().includes(wanted);
    if (!row.item.hidden) shown += 1;
  }
  if (focused && focused !== document.activeElement && list.contains(focused)) focused.focus({ preventScroll: true });
  const here = sorted.filter((person) => person.state === "online").length;
  setText(find("count"), sorted.length === 0 || isLost() ? "" : countText(sorted, here));
  document.title = here && !isLost() ? `${here} here · Goop²` : "Goop²";
  find("search-box").hidden = sorted.length < searchFrom && wanted === "";
  find("empty").hidden = people.size > 0;
  find("no-match").hidden = sorted.length === 0 || shown > 0;
  const leftOut = people.size - sorted.length;
  find("unvouched").hidden = leftOut === 0;
  setText(find("unvouched-count"), leftOut === 1 ? "1 person is left out" : `${leftOut} people are left out`);
}

function countText(sorted, here) {
  if (here === sorted.length) return `${here} here now`;
  if (sorted.some(isHere)) return `${here} here now, ${sorted.length} known`;
  return `Nobody here now, ${sorted.length} ${sorted.length === 1 ? "was" : "were"} lately`;
}

function nextStaying(item) {
  let next = item.nextElementSibling;
  while (next && next.classList.contains("leaving")) next = next.nextElementSibling;
  return next;
}

let arranging = 0;
function arrangeSoon() {
  if (!arranging) arranging = requestAnimationFrame(() => { arranging = 0; arrange(); if (card.open) fillCard(); });
}

// MARK: What a screen reader hears

const heard = { came: new Map(), left: new Map(), timer: 0 };

function announce(kind, person) {
  if (person.muted || !isListed(person)) return;
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
  if (text) say(text);
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
  leadToSite(find("me-site"), owner.id);
  find("me-copy").dataset.id = owner.id;
  showPicture(find("me-picture"), owner.id);
  showFace(find("me-face"), ownFace(owner.picture));
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

// MARK: One of them

const card = find("card");
let carded = "";

function fact(term, text) {
  return [element("dt", "", term), element("dd", "", text)];
}

function fillCard() {
  const person = people.get(carded);
  if (!person) {
    closeCard();
    return;
  }
  setText(find("card-name"), nameOf(person));
  leadToSite(find("card-site"), person.id);
  const own = clean(person.label);
  setText(find("card-self"), person.petname ? `calls itself ${own || "nothing"}` : printOf(person.id));
  showPicture(find("card-picture"), person.id);
  showFace(find("card-face"), faceOf(person), `Picture of ${nameOf(person)}, of their own choice`, person.state === "online");
  find("card-alike").hidden = !person.resembles;
  setText(find("card-alike"), person.resembles ? alikeText(person) : "");
  find("card-alike").classList.toggle("fault", !person.resemblesLabelOnly);
  const facts = [...fact("Now", stateText(person)), ...fact("Id", person.id)];
  // Whoever marks the id to copy it goes on while news of others arrive.
  facts.forEach((made, index) => setText(find("card-facts").children[index] ?? find("card-facts").appendChild(made), made.textContent));
  find("card-favorite").setAttribute("aria-pressed", String(Boolean(person.favorite)));
  find("card-mute").setAttribute("aria-pressed", String(Boolean(person.muted)));
}

function openCard(id) {
  carded = id;
  fillCard();
  find("petname").value = people.get(id)?.petname ?? "";
  find("petname-fault").hidden = true;
  card.showModal();
}

function closeCard() {
  if (!card.open) return;
  card.close();
  leaveCard();
}

/// After an answer, which may come when the card of somebody else is open.
function closeCardOf(id) {
  if (carded === id) closeCard();
}

// By Escape it closes without us. The event comes at the next frame only, when the focus may be elsewhere already
// (at an undo, or in the card of somebody else): what `closeCard` has done is not done again.
card.addEventListener("close", () => {
  if (carded && !card.open) leaveCard();
});

// The focus goes back to the button that opened it, unless its row is leaving, or not among those looked for any more.
function leaveCard() {
  const more = rows.get(carded)?.more;
  carded = "";
  more?.focus();
  if (!more || document.activeElement !== more) list.focus();
}
find("card-close").addEventListener("click", closeCard);

const decide = (id, decision) => post("/api/rooms/peers/decide", { id, ...decision });

find("petname-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const id = carded;
  const fault = find("petname-fault");
  fault.hidden = true;
  try {
    await decide(id, { petname: find("petname").value });
    closeCardOf(id);
    tell("The name was saved.");
  } catch (error) {
    if (carded !== id) return tellFailure(error);
    fault.textContent = reasonOf(error);
    fault.hidden = false;
    find("petname").focus();
  }
});

async function toggle(decision, text) {
  const id = carded;
  try {
    await decide(id, decision);
    say(text);
  } catch (error) {
    closeCardOf(id);
    tellFailure(error);
  }
}

find("card-favorite").addEventListener("click", () => {
  const favorite = !people.get(carded)?.favorite;
  toggle({ favorite }, favorite ? "A favourite now." : "No favourite any more.");
});
find("card-mute").addEventListener("click", () => {
  const muted = !people.get(carded)?.muted;
  toggle({ standing: muted ? "muted" : "ordinary" }, muted ? "Muted." : "No longer muted.");
});
find("card-block").addEventListener("click", async () => {
  const id = carded;
  const person = people.get(id);
  if (!person) return;
  const standing = person.muted ? "muted" : "ordinary";
  try {
    await decide(id, { standing: "blocked" });
    closeCardOf(id);
    await showBlocked();
    tell(`${nameOf(person)} is blocked.`, { undo: async () => {
      await decide(id, { standing });
      await showBlocked();
      tell(`${nameOf(person)} is no longer blocked.`);
    } });
  } catch (error) {
    closeCardOf(id);
    tellFailure(error);
  }
});

let readings = 0;

/// Shows who is blocked by now. An answer that a later question has overtaken is old, and is not shown.
async function showBlocked() {
  readings += 1;
  const turn = readings;
  const { blocked } = await get("/api/rooms/peers");
  if (turn !== readings) return;
  const place = find("blocked");
  const hadFocus = place.contains(document.activeElement);
  place.hidden = blocked.length === 0;
  arrangeChildren(find("blocked-list"), blocked.map((person) => ({ key: person.id, text: JSON.stringify(person), make: () => blockedRow(person) })));
  if (hadFocus && (place.hidden || !place.contains(document.activeElement))) (place.hidden ? list : find("blocked-title")).focus();
}

function blockedRow(person) {
  const back = button("Unblock", "button small", async () => {
    try {
      await decide(person.id, { standing: "ordinary" });
      await showBlocked();
      (find("blocked").hidden ? list : find("blocked-title")).focus();
      tell(`${nameOf(person)} is no longer blocked.`);
    } catch (error) {
      tellFailure(error);
    }
  });
  back.setAttribute("aria-label", `Unblock ${nameOf(person)}`);
  return element("li", "", element("span", "", element("bdi", "", nameOf(person)), " ", element("span", "print", printOf(person.id))), back);
}

async function measure() {
  if (document.hidden || ![...people.values()].some((person) => person.state === "online")) return;
  try {
    const found = await get("/api/rooms/peers/latency");
    latencies.clear();
    for (const [id, time] of Object.entries(found)) latencies.set(id, time);
    arrange();
  } catch { /* The list itself says when the viewer does not answer. */ }
}

setInterval(measure, 15000);
setTimeout(measure, 1500);

// MARK: The connection

const link = find("link");

function showLink(state, text) {
  link.dataset.state = state;
  setText(find("link-text"), text);
}

const showBroken = () => showLink("lost", isLost() ? "Not connected" : "Reconnecting…");

setInterval(() => { if (!document.hidden) arrange(); }, 15000);
search.addEventListener("input", arrange);
addEventListener("viewer-state", () => {
  if (link.dataset.state === "lost") showBroken();
  arrange();
  if (card.open) fillCard();
});

/// Copies the link to somebody's site, and says so on the button for a moment.
async function copyLink(button, id, said, label) {
  try {
    await navigator.clipboard.writeText(siteLink(id));
    say(said);
    setText(button, "Copied");
  } catch {
    say("The browser did not allow copying.");
    setText(button, "Not allowed");
  }
  setTimeout(() => setText(button, label), 1800);
}

find("me-copy").addEventListener("click", ({ currentTarget: button }) =>
  copyLink(button, button.dataset.id, "The link to your site was copied.", "Copy my link"));
find("card-copy").addEventListener("click", ({ currentTarget: button }) =>
  copyLink(button, carded, "The link to their site was copied.", "Copy their link"));

follow("/api/events", {
  snapshot(list) {
    viewerAnswers();
    showLink("live", "Live");
    replaceAll(list);
    if (card.open) fillCard();
    showBlocked().catch(() => {});
  },
  peer(person) { put(person); arrangeSoon(); },
  gone({ id }) { take(id); arrangeSoon(); },
  error: showBroken,
});
