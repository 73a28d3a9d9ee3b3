// The page around a site. The bar says whose site it is and never lets the site speak for itself: all that is read of a message of
// the frame is where in the site it is, for the end of this page's address, and text of strangers only becomes text nodes.
//
// How the visit goes is decided in visit.js: what happens here is told there, and what that brings is done here.

import * as curtain from "/assets/curtain.js";
import { showPicture } from "/assets/identicon.js";
import { address as ownAddress, hearPlaces, moveTo } from "/assets/place.js";
import { follow } from "/assets/streams.js";
import { Visit } from "/assets/visit.js";
import * as visits from "/assets/visits.js";
import {
  agoText, clean, find, get, isBeyond, isLost, isOutdated, notAnswering, post, printOf, reasonOf, say, setText, siteLink, ways,
} from "/assets/words.js";

const { peer, site, probe, policy } = document.body.dataset;
const base = `/p/${peer}`;
const place = find("frame-place");

/// When somebody was here last; empty if that is not known.
const seenText = (milliseconds) => (milliseconds ? agoText(milliseconds) : "");

const ask = (action, body) => post(`/api/shell/${action}`, { peer, ...body });

const facts = () => get(`/api/shell/site?peer=${encodeURIComponent(peer)}`);

// MARK: The visit

const visit = new Visit({ isHidden: document.hidden });

/// What is done for each action of the visit, by its name.
const doing = {
  show, unload, hide, uncover, tell, offerBlock, showKept,
  begin, forget, unblock, askPath, lookUp, clear, wait, endWait, watch, unwatch, askWhy,
  reload() { location.reload(); },
  cover({ why, ...how }) { curtain.cover(why, { ...how, name: nameText() }); },
  name() { setText(find("name"), nameText()); },
};

/// @param event one of `VisitEvent` (visit.js)
function happened(event) {
  for (const { do: what, ...how } of visit.take(event)) doing[what](how);
}

/// Something that the person did, or the beginning, failed: `type` says what.
function failed(type, error) {
  happened(isOutdated(error) ? { type: "tooOld" } : { type, reason: reasonOf(error) });
}

// MARK: The frame

/// Null unless `visit.hasFrame`.
let frame = null;
let lastSequence = 0;

/// Where the site lives; `why` it is sealed off, if it is.
async function findRoot() {
  // Seen from another computer a site has no origin of its own: its names would lead to that computer.
  if (isBeyond) return sealed("From another computer a site runs sealed off: it can keep nothing in this browser.");
  try {
    await fetch(probe, { mode: "cors", credentials: "omit", cache: "no-store", signal: AbortSignal.timeout(1000) });
  } catch {
    return sealed("This browser does not find the address of its own that a site gets, so the site runs sealed off: it can keep nothing here.");
  }
  return { isSealed: false, root: site };
}

/// The same one for all tabs that show the site.
async function secretPath() {
  await visits.beginSealed(peer);
  return location.origin + (await ask("capability", {})).prefix;
}

const sealed = async (why) => ({ isSealed: true, root: await secretPath(), why });

function placed({ isSealed, root, why = "" }) {
  happened({ type: "placed", isSealed, root });
  setText(find("sealed"), why);
  find("sealed").hidden = !isSealed;
  if (isSealed) find("may-keep").textContent = "Keep nothing: it has no place of its own in this browser.";
}

async function askPath() {
  let root;
  try {
    root = await secretPath();
  } catch (error) {
    happened({ type: "pathFailed", reason: reasonOf(error) });
    // The viewer was started again meanwhile, and refuses the token of this page.
    if (error.status === 403) happened({ type: "outdated" });
    return;
  }
  happened({ type: "pathCame", root });
}

/// Whether the secret path is still good, asked whenever the list of people comes anew: that may be the first that is heard of a new run
/// of the viewer, which refuses this page's token. What else can be seen of it is the same when only the way there was broken.
async function lookForPath() {
  const before = visit.root;
  if (!visit.isSealed || before === null) return;
  const now = await ask("capability", {}).then(({ prefix }) => location.origin + prefix, ({ status }) => (status === 403 ? "" : before));
  if (now !== before && visit.root === before) happened({ type: "outdated" });
}

function unload() {
  frame?.remove();
  frame = null;
}

/// Shows the page that the address names in a new frame, so that nothing of the old page is left.
function show({ root, isSealed }) {
  unload();
  const hadFocus = curtain.uncover();
  frame = document.createElement("iframe");
  frame.title = "The site";
  frame.setAttribute("sandbox", `allow-scripts allow-forms allow-downloads${isSealed ? "" : " allow-same-origin"}`);
  frame.setAttribute("referrerpolicy", "origin");
  frame.setAttribute("allow", "");
  // Browsers that know this hold every page in the frame to it, also one that a service worker made up.
  if (!isSealed) frame.setAttribute("csp", policy);
  frame.addEventListener("load", noteAddress);
  frame.src = root + ownAddress();
  place.append(frame);
  if (hadFocus) frame.focus();
}

/// The frame has loaded something: asks which page it was, and keeps the address of this page true.
async function noteAddress(event) {
  const loaded = event.currentTarget;
  happened({ type: "moved" });
  let asked;
  try { asked = await facts(); } catch { /* The bar says when the viewer does not answer. */ return; }
  const { path, sequence, leads_to: leadsTo, leads_to_whom: whom } = asked;
  if (loaded !== frame || path === null || sequence <= lastSequence) return;
  lastSequence = sequence;
  if (!visit.isShown) return;
  if (leadsTo !== null) return leadOut(leadsTo, whom);
  // A page that has told its place knows more: its fragment, and where a script has gone on to.
  if (path !== toldPage && base + path !== ownAddress().replace(/#.*/s, "")) keepAt(base + path);
}

/// What the viewer was asked for by the page that told its place last.
let toldPage = null;

/// A secret path is not for passing on, also where a page names its own.
const isSecret = (address) =>
  visit.isSealed && visit.root !== null && address.includes(visit.root.slice(visit.root.lastIndexOf("/") + 1));

/// An address of the site becomes that of this page.
function keepAt(address) {
  if (isSecret(address)) return;
  moveTo(address);
  leadToEditor();
}

hearPlaces(base,
  ({ source, origin }) => visit.isShown && source === frame.contentWindow && origin === (visit.isSealed ? "null" : site),
  (address, page) => { toldPage = page; keepAt(address); });

// Somebody asks for another part of the page, in the browser's own bar. What the frame does changes the address without this event.
addEventListener("hashchange", () => { if (visit.hasFrame) frame.src = visit.root + ownAddress(); });

// MARK: Links out

/// Whether an address is the viewer's own, or of another program on the computer where it is opened.
function isNear({ hostname }) {
  const name = hostname.replace(/\.$/, "");
  return [location.hostname, "127.0.0.1", "[::1]", "localhost"].includes(name) || name.endsWith(".localhost");
}

/// A link leads out, and the viewer knows where to: the person is told, and goes there or not.
/// @param whom the owner of the site that it leads to; null for a web address
function leadOut(target, whom) {
  let address;
  try { address = new URL(target, location.origin); } catch { return happened({ type: "led", why: "unreadable" }); }
  if (whom === null && isNear(address)) return happened({ type: "led", why: "near" });
  // What stands before an @ is no part of the place, and only there to mislead.
  address.username = "";
  address.password = "";
  happened(whom !== null ? { type: "led", why: "otherSite", target: address.href, whom } : { type: "led", why: "out", target: address.href });
}

// The frame may show this one site only. When a link leads elsewhere, the browser refuses and tells this page where to.
document.addEventListener("securitypolicyviolation", (event) => {
  if (event.effectiveDirective !== "frame-src") return;
  // A site that nobody sees asks nobody.
  if (!visit.isShown) return happened({ type: "moved" });
  let target;
  try { target = new URL(event.blockedURI); } catch { target = null; }
  if (!target || !/^https?:$/.test(target.protocol)) return happened({ type: "led", why: "noAddress" });
  if (isNear(target)) return happened({ type: "led", why: "near" });
  happened({ type: "led", why: "outByBrowser", target: target.href });
});

// MARK: Whose site, and whether its owner is here

let person = null;
/// What the viewer called the owner when this page was made, with the fingerprint: good for whoever is in no list.
const named = find("name").textContent;
let ownID = "";

/// Also for whoever is in no list.
function offerBlock() {
  find("block").hidden = visit.isBlocked || !ownID || ownID === peer;
}

const called = (one) => clean(one.petname ?? "") || clean(one.label);
const nameText = () => (person ? called(person) || printOf(peer) : named);
const isHere = (one) => one.state === "online" || one.state === "arriving";

function showState(state, text) {
  find("state").dataset.state = state;
  setText(find("state-text"), text);
}

const hereText = ({ isOwn, path }) => (isOwn ? "Your own site" : `Here now${ways[path] ? `, ${ways[path]}` : ""}`);

/// How it is with the owner.
function tell({ what, seen }) {
  if (what === "here") showState("online", hereText(person));
  if (what === "away") showState("gone", ["Away", seen].filter(Boolean).join(" · "));
  if (what === "noAnswer") showState("gone", ["Does not answer", seen].filter(Boolean).join(" · "));
  if (what === "blocked") showState("gone", "Blocked by you");
  if (what === "looking") showState("unknown", "Looking…");
  if (what === "unlisted") showState("unknown", "Not in the list of people");
}

/// Over the own site, where it is nothing to keep, the bar leads to the file of the page that is shown.
function leadToEditor() {
  const path = ownAddress().replace(/[?#].*/s, "").slice(base.length + 1);
  find("edit").href = `/site#${path === "" || path.endsWith("/") ? `${path}index.html` : path}`;
}

function showOwn(isOwn) {
  find("edit").hidden = !isOwn;
  find("keep").hidden = isOwn;
  leadToEditor();
}

function update(one) {
  person = one;
  setText(find("name"), nameText());
  setText(find("print"), called(one) ? printOf(peer) : "");
  document.title = `${nameText()} · Goop²`;
  showOwn(Boolean(one.isOwn));
  happened({ type: "listed", isOwn: Boolean(one.isOwn) });
  if (isHere(one)) happened({ type: "came", isOnline: one.state === "online" });
  else if (one.left) leave(seenText(one.lastSeen));
  else happened({ type: "fellSilent", isHeardOf: one.state === "unreachable", seen: seenText(one.lastSeen), since: one.lastSeen });
}

const leave = (seen) => happened({ type: "left", seen });

/// What the site stored goes. True when it has gone.
async function endVisit(isSealed) {
  if (!isSealed) return visits.end(site);
  // A viewer that does not answer has forgotten it when it is back.
  await visits.endSealed(peer, () => ask("leave", {}).catch(() => {}));
  return true;
}

async function clear({ isSealed, isTold }) {
  const hasCleared = await endVisit(isSealed);
  if (isTold) happened({ type: "cleared", hasCleared });
}

// MARK: Silence

/// How long a frame stays behind the curtain, in milliseconds.
const waitTime = 30_000;
let timer = 0;
/// What of the curtain had the focus last, while a frame is behind it.
let focused = null;

function wait() {
  timer = setTimeout(() => happened({ type: "waited" }), waitTime);
}

function endWait() {
  clearTimeout(timer);
}

function hide() {
  focused = find("curtain-title");
  // It is not seen, and what it asks for fails by itself.
  frame.hidden = true;
  frame.inert = true;
}

function uncover() {
  frame.hidden = false;
  frame.inert = false;
  if (curtain.uncover()) frame.focus();
  say(`${nameText()} is back.`);
}

// A script can give the focus to its frame, also to one that nobody sees: what is typed is not for the site then.
find("curtain").addEventListener("focusin", ({ target }) => { focused = target; });
addEventListener("blur", () => setTimeout(() => {
  if (visit.isSilent && visit.hasFrame && document.activeElement === frame) focused.focus({ preventScroll: true });
}));

find("curtain-show").addEventListener("click", () => happened({ type: "pressed" }));

// MARK: The list of people

function followPeople() {
  follow("/api/events", {
    snapshot({ owner, peers }) {
      ownID = owner.id;
      offerBlock();
      if (visit.isBlocked) return tell({ what: "blocked" });
      const one = owner.id === peer ? { ...owner, state: "online", isOwn: true } : peers.find((other) => other.id === peer);
      if (one) update(one); else happened({ type: "missing", seen: seenText(person?.lastSeen), since: person?.lastSeen ?? 0 });
      lookForPath();
    },
    peer(one) { if (one.id === peer) update(one); },
    gone({ id }) { if (id === peer) leave(seenText(person?.lastSeen)); },
    error() { showState("lost", `Goop² ${isBeyond ? `at ${location.hostname}` : "on this computer"} does not answer`); },
  });
}

addEventListener("viewer-state", () => { if (isLost()) say(`${notAnswering}.`); });

// MARK: Whether the owner shows the site to this peer

/// The watch of the site: `end` ends it; null while there is none.
let watching = null;

function watch() {
  const mine = {};
  watching = mine;
  mine.end = follow(`/api/p/${peer}/watch`, {
    ready() {
      happened({ type: "watchReady" });
    },
    lost({ code }) { happened({ type: "watchLost", code }); },
    error(isRefused) { if (mine === watching) happened({ type: "watchBroke", isRefused }); },
  });
}

function unwatch() {
  watching.end();
  watching = null;
}

/// A stream that is refused does not say why; the same address, fetched, does.
async function askWhy() {
  const mine = watching;
  const answer = await fetch(`/api/p/${peer}/watch`, { cache: "no-store" }).catch(() => null);
  if (answer?.ok) answer.body?.cancel();
  if (mine !== watching || !answer || answer.ok) return;
  const { code } = await answer.json().catch(() => ({}));
  if (mine === watching) happened({ type: "watchAnswered", status: answer.status, code });
}

/// How long a button says what came of it, in milliseconds.
const wordTime = 1800;

/// Copies a text, and says what came of it: `sentence`, or that it is not allowed.
/// @returns the same for whoever sees it, in a word or two
async function copied(text, sentence) {
  try {
    await navigator.clipboard.writeText(text);
    say(sentence);
    return "Copied";
  } catch {
    say("The browser did not allow copying.");
    return "Not allowed";
  }
}

find("curtain-copy").addEventListener("click", async () => {
  setText(find("curtain-copy"), await copied(siteLink(ownID), "The link to your site was copied."));
  setTimeout(() => setText(find("curtain-copy"), "Copy my link"), wordTime);
});

document.addEventListener("visibilitychange", () => happened({ type: "looked", isHidden: document.hidden }));

// MARK: The tools of the bar

find("reload").addEventListener("click", () => happened({ type: "reloaded" }));

let wordTimer = 0;

find("copy").addEventListener("click", async ({ currentTarget: { dataset } }) => {
  dataset.word = await copied(siteLink(peer, ownAddress().slice(base.length) || "/"), "The address was copied.");
  clearTimeout(wordTimer);
  wordTimer = setTimeout(() => { delete dataset.word; }, wordTime);
});

const panel = find("panel");
const choice = find("share-email");

/// From its beginning, also where it does not fit into the window.
function openPanel(dialog, title) {
  dialog.showModal();
  title.focus({ preventScroll: true });
  dialog.scrollTop = 0;
}

/// How often something was chosen.
let choices = 0;

find("rights").addEventListener("click", async () => {
  openPanel(panel, find("panel-title"));
  const before = choices;
  try {
    const { email, shares_email: shares } = await facts();
    // Not if the person has chosen meanwhile: this answer is older.
    if (before === choices) choice.checked = shares;
    choice.disabled = !email;
    setText(find("share-email-text"), email ? `Tell this site my e-mail address, ${clean(email)}` : "Tell this site my e-mail address");
    find("no-email").hidden = Boolean(email);
  } catch {
    choice.disabled = true;
  }
});
find("panel-close").addEventListener("click", () => panel.close());
choice.addEventListener("change", async () => {
  choices += 1;
  try {
    choice.checked = (await ask("consent", { email: choice.checked })).shares_email;
    say(choice.checked ? "This site learns your e-mail address." : "This site does not learn your e-mail address.");
  } catch (error) {
    choice.checked = !choice.checked;
    say(reasonOf(error));
  }
});

const keepPanel = find("keep-panel");

function showKept() {
  const { isKept, isSealed } = visit;
  find("keep").setAttribute("aria-pressed", String(isKept));
  const label = isKept ? "This site is kept" : "Keep this site";
  find("keep").setAttribute("aria-label", label);
  find("keep").title = label;
  setText(find("keep-title"), isKept ? "This site is kept" : "Keep this site?");
  setText(find("keep-no"), isKept || isSealed ? "Done" : "Cancel");
  find("keep-offer").hidden = isKept || isSealed;
  find("keep-now").hidden = !isKept;
  find("keep-sealed").hidden = isKept || !isSealed;
  find("keep-yes").hidden = isKept || isSealed;
  find("keep-forget").hidden = !isKept;
  if (!isSealed) setText(find("may-keep"), isKept
    ? "Keep things in this browser, apart from every other site, also after your visit: you keep this site."
    : "Keep things in this browser while you visit, apart from every other site.");
}

find("keep").addEventListener("click", () => { showKept(); openPanel(keepPanel, find("keep-title")); });
find("keep-no").addEventListener("click", () => keepPanel.close());
find("keep-yes").addEventListener("click", async () => {
  keepPanel.close();
  try {
    happened({ type: "kept", isKept: (await ask("keep", {})).kept });
    visits.keep(site);
    say("This site is kept.");
  } catch (error) {
    failed("refused", error);
  }
  showKept();
});

async function forget() {
  panel.close();
  keepPanel.close();
  try {
    await ask("forget", {});
  } catch (error) {
    return failed("refused", error);
  }
  happened({ type: "forgot" });
}
find("forget").addEventListener("click", forget);
find("keep-forget").addEventListener("click", forget);

// MARK: Block

const blockPanel = find("block-panel");
const stand = (standing) => post("/api/rooms/peers/decide", { id: peer, standing });

find("block").addEventListener("click", () => {
  setText(find("block-name"), nameText());
  find("block-fault").hidden = true;
  blockPanel.showModal();
});
find("block-cancel").addEventListener("click", () => blockPanel.close());
find("block-now").addEventListener("click", async () => {
  try {
    await stand("blocked");
  } catch (error) {
    setText(find("block-fault"), reasonOf(error));
    find("block-fault").hidden = false;
    return;
  }
  blockPanel.close();
  happened({ type: "blocked" });
});

/// What is known of the name of whoever is in no list of people.
async function lookUp() {
  const found = await get("/api/rooms/peers").then(({ blocked }) => blocked.find((one) => one.id === peer) ?? null, () => null);
  // Unblocked meanwhile, they may be in the list, which is newer.
  if (visit.isBlocked) person = found;
  happened({ type: "lookedUp", isFound: found !== null });
}

async function unblock() {
  try {
    await stand("ordinary");
  } catch (error) {
    return failed("unblockingFailed", error);
  }
  person = null;
  happened({ type: "unblocked" });
}

// MARK: Begin

let isBeginning = false;

async function begin() {
  if (isBeginning) return;
  isBeginning = true;
  try {
    const [{ kept, blocked }, found] = await Promise.all([facts(), findRoot()]);
    placed(found);
    happened({ type: "found", isKept: kept });
    if (!visit.isSealed) await visits.begin(site, visit.isKept);
    happened({ type: "begun", isBlocked: blocked });
    // Not before: there is no place to load from, and what an earlier visit stored is still there.
    find("reload").disabled = false;
  } catch (error) {
    failed("beginningFailed", error);
  }
  isBeginning = false;
}

showPicture(find("picture"), peer);
setText(find("print"), "");
followPeople();
begin();
