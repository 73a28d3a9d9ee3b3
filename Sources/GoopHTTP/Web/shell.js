// The page around a site. The bar says whose site it is and never lets the site speak for itself: all that is read of a message of
// the frame is where in the site it is, for the end of this page's address, and text of strangers only becomes text nodes.

import { showPicture } from "/assets/identicon.js";
import { address as ownAddress, hearPlaces, moveTo } from "/assets/place.js";
import { follow } from "/assets/streams.js";
import * as visits from "/assets/visits.js";
import {
  agoText, clean, find, get, isBeyond, isLost, notAnswering, post, printOf, reasonOf, say, setText, siteLink, ways,
} from "/assets/words.js";

const { peer, site, probe, policy } = document.body.dataset;
const base = `/p/${peer}`;
const place = find("frame-place");

/// When somebody was here last; empty if that is not known.
const seenText = (milliseconds) => (milliseconds ? agoText(milliseconds) : "");

const ask = (action, body) => post(`/api/shell/${action}`, { peer, ...body });

const facts = () => get(`/api/shell/site?peer=${encodeURIComponent(peer)}`);

// MARK: The frame

let frame = null;
/// Where the site lives: its own origin, or a secret path where names under localhost are not found. A beginning that failed is
/// tried again, and may come to the other form: both are said together.
let root = null;
let isSealed = false;
let isKept = false;
let lastSequence = 0;

async function findRoot() {
  // Seen from another computer a site has no origin of its own: its names would lead to that computer.
  if (isBeyond) {
    await seal("From another computer a site runs sealed off: it can keep nothing in this browser.");
    return;
  }
  try {
    await fetch(probe, { mode: "cors", credentials: "omit", cache: "no-store", signal: AbortSignal.timeout(1000) });
  } catch {
    await seal("This browser does not find the address of its own that a site gets, so the site runs sealed off: it can keep nothing here.");
    return;
  }
  root = site;
  isSealed = false;
  find("sealed").hidden = true;
}

/// The same one for all tabs that show the site.
async function secretPath() {
  await visits.beginSealed(peer);
  return location.origin + (await ask("capability", {})).prefix;
}

async function seal(why) {
  root = await secretPath();
  isSealed = true;
  setText(find("sealed"), why);
  find("sealed").hidden = false;
  find("may-keep").textContent = "Keep nothing: it has no place of its own in this browser.";
}

function unload() {
  frame?.remove();
  frame = null;
  endWait();
}

/// Shows an address of the site in a new frame, so that nothing of the old page is left.
function show(address) {
  unload();
  // Whoever pressed a button of the curtain goes on in the page that comes in its place.
  const hadFocus = find("curtain").contains(document.activeElement);
  find("curtain").hidden = true;
  frame = document.createElement("iframe");
  frame.title = "The site";
  frame.setAttribute("sandbox", `allow-scripts allow-forms allow-downloads${isSealed ? "" : " allow-same-origin"}`);
  frame.setAttribute("referrerpolicy", "origin");
  frame.setAttribute("allow", "");
  // Browsers that know this hold every page in the frame to it, also one that a service worker made up.
  if (!isSealed) frame.setAttribute("csp", policy);
  frame.addEventListener("load", noteAddress);
  frame.src = address;
  place.append(frame);
  if (hadFocus) frame.focus();
}

async function showHere() {
  if (isBlocked) return showBlocked();
  // It could not begin: neither its place nor what keeps it is there.
  if (root === null && !isSealed) return begin();
  isServed = isServed && unwatch !== null;
  try {
    // The secret path ended with the last visit.
    root ??= await secretPath();
  } catch (error) {
    return cover("The site cannot be shown", reasonOf(error), { show: "Try again" });
  }
  if (isBlocked) return;
  show(root + ownAddress());
  isGone = false;
  watchOwner();
}

/// The frame has loaded something: asks which page it was, and keeps the address of this page true.
async function noteAddress(event) {
  const loaded = event.currentTarget;
  // Nobody sees what it shows now, or where that leads.
  if (wait) wait.isMoved = true;
  let asked;
  try { asked = await facts(); } catch { /* The bar says when the viewer does not answer. */ return; }
  const { path, sequence, leads_to: leadsTo, leads_to_whom: whom } = asked;
  if (loaded !== frame || path === null || sequence <= lastSequence) return;
  lastSequence = sequence;
  if (wait) return;
  if (leadsTo !== null) return leadOut(leadsTo, whom);
  // A page that has told its place knows more: its fragment, and where a script has gone on to.
  if (path !== toldPage && base + path !== ownAddress().replace(/#.*/s, "")) keepAt(base + path);
}

/// What the viewer was asked for by the page that told its place last.
let toldPage = null;

/// A secret path is not for passing on, also where a page names its own.
const isSecret = (address) => isSealed && root !== null && address.includes(root.slice(root.lastIndexOf("/") + 1));

/// An address of the site becomes that of this page.
function keepAt(address) {
  if (!isSecret(address)) moveTo(address);
}

hearPlaces(base,
  ({ source, origin }) => frame !== null && !wait && source === frame.contentWindow && origin === (isSealed ? "null" : site),
  (address, page) => { toldPage = page; keepAt(address); });

// Somebody asks for another part of the page, in the browser's own bar. What the frame does changes the address without this event.
addEventListener("hashchange", () => { if (frame) frame.src = root + ownAddress(); });

// MARK: What covers the frame

/// What the button of the curtain does.
let again = showHere;

/// The button `show` does `then`; without one it shows the page that the address names. The frame goes, unless it `stays` behind
/// the curtain.
function cover(
  title, text,
  { target = "", show: words = "", then = showHere, open = "Open it in a new tab", isHere = false, copies = false, stays = false } = {},
) {
  if (!stays) unload();
  again = then;
  setText(find("curtain-title"), title);
  setText(find("curtain-text"), text);
  setText(find("curtain-target"), target);
  find("curtain-target").hidden = target === "";
  find("curtain-open").hidden = target === "";
  if (target) find("curtain-open").href = target; else find("curtain-open").removeAttribute("href");
  if (isHere) find("curtain-open").removeAttribute("target"); else find("curtain-open").target = "_blank";
  setText(find("curtain-open"), open);
  setText(find("curtain-show"), words);
  find("curtain-show").hidden = words === "";
  find("curtain-copy").hidden = !copies;
  find("curtain").hidden = false;
  find("curtain-title").focus({ preventScroll: true });
  say(`${title}. ${text}`);
}

find("curtain-show").addEventListener("click", () => again());

/// Whether an address is the viewer's own, or of another program on the computer where it is opened.
function isNear({ hostname }) {
  const name = hostname.replace(/\.$/, "");
  return [location.hostname, "127.0.0.1", "[::1]", "localhost"].includes(name) || name.endsWith(".localhost");
}

const coverNear = () => cover("This link leads out of the site",
  "It points to another page of your own viewer, or to another program on this computer. A site cannot open those for you.", { show: "Back to the site" });

/// A link leads out, and the viewer knows where to: the person is told, and goes there or not.
/// @param whom the owner of the site that it leads to; null for a web address
function leadOut(target, whom) {
  const back = "Back to the site";
  let address;
  try { address = new URL(target, location.origin); } catch { return cover("This link does not open here", "Its address cannot be read.", { show: back }); }
  if (whom === null && isNear(address)) return coverNear();
  // What stands before an @ is no part of the place, and only there to mislead.
  address.username = "";
  address.password = "";
  if (whom !== null) {
    cover("This link leads to another site",
      `The site of ${nameText()} wants to take you to the site of ${whom}, at the address below.`,
      { target: address.href, show: back, open: "Visit that site", isHere: true });
    return;
  }
  cover("This link leads out of Goop²",
    `The site of ${nameText()} wants to take you to the address below. Whoever runs it will see that you come.`,
    { target: address.href, show: back });
}

// The frame may show this one site only. When a link leads elsewhere, the browser refuses and tells this page where to.
document.addEventListener("securitypolicyviolation", (event) => {
  if (event.effectiveDirective !== "frame-src" || !frame) return;
  // A site that nobody sees asks nobody.
  if (wait) return void (wait.isMoved = true);
  let target;
  try { target = new URL(event.blockedURI); } catch { target = null; }
  if (!target || !/^https?:$/.test(target.protocol)) {
    cover("This link does not open here", "It leads to something that is no page of this site and no web address.", { show: "Back to the site" });
    return;
  }
  if (isNear(target)) return coverNear();
  cover("This link leads out of Goop²",
    `The site of ${nameText()} wants to take you to the address below. Whoever runs it will see that you come. Your browser tells the viewer only this much of the address.`,
    { target: target.href, show: "Back to the site" });
});

// MARK: Whose site, and whether its owner is here

let person = null;
/// What the viewer called the owner when this page was made, with the fingerprint: good for whoever is in no list.
const named = find("name").textContent;
let wasHere = false;
let isGone = false;
/// The visit began while the owner was away, and what the frame shows may be that nobody answers.
let wasAway = false;
/// The owner has answered since the frame was filled.
let isServed = false;
let isBlocked = false;
let ownID = "";

/// Also for whoever is in no list.
function offerBlock() {
  find("block").hidden = isBlocked || !ownID || ownID === peer;
}

const called = (one) => clean(one.petname ?? "") || clean(one.label);
const nameText = () => (person ? called(person) || printOf(peer) : named);
const isHere = (one) => one.state === "online" || one.state === "arriving";

function tell(state, text) {
  find("state").dataset.state = state;
  setText(find("state-text"), text);
}

function update(one) {
  person = one;
  setText(find("name"), nameText());
  setText(find("print"), called(one) ? printOf(peer) : "");
  document.title = `${nameText()} · Goop²`;
  if (isBlocked) return;
  if (isHere(one)) {
    wasHere = true;
    tell("online", one.isOwn ? "Your own site" : `Here now${ways[one.path] ? `, ${ways[one.path]}` : ""}`);
    // Said once: what else comes of them, a new name say, takes neither the focus nor what a button offers.
    if (wait) comeBack();
    else if (isGone && find("curtain-show").hidden) cover(`${nameText()} is back`, "The site can be shown again.", { show: "Show the site" });
    else if (wasAway && one.state === "online") {
      wasAway = false;
      if (frame && !isServed) showHere();
    }
  } else if (one.left) {
    leave(seenText(one.lastSeen));
  } else {
    fallSilent(seenText(one.lastSeen), one.lastSeen);
  }
}

/// What the site stored goes; this page stays, and may show the site again. True when it has gone.
async function endVisit() {
  if (!isSealed) return visits.end(site);
  root = null;
  // A viewer that does not answer has forgotten it when it is back.
  await visits.endSealed(peer, () => ask("leave", {}).catch(() => {}));
  return true;
}

/// True if that changes what is shown.
function isLeft(seen) {
  if (isBlocked) return false;
  tell("gone", ["Away", seen].filter(Boolean).join(" · "));
  // Whoever was away from the start may answer all the same: the frame says what came of it.
  if (!wasHere) wasAway = true;
  return wasHere && !(isGone && find("curtain-show").hidden);
}

/// Gone means gone: a site is there as long as its owner is.
function leave(seen) {
  if (!isLeft(seen)) return;
  isGone = true;
  cover(`${nameText()} is gone`, `${seen ? `${seen[0].toUpperCase()}${seen.slice(1)}. ` : ""}A site is there only while its owner is. It is offered here again when they come back.`);
  if (!isKept) endVisit();
}

// MARK: Silence
//
// A computer that slept, or a network that fails for a moment, is no goodbye, and in the frame may be what somebody has typed. So
// the site of whoever only fell silent is covered at once, and gone a little later.

/// How long a frame stays behind the curtain, in milliseconds.
const waitTime = 30_000;
/// While nothing is heard of the owner: its timer, whether the frame shows something else by now, and what of the curtain had the
/// focus last.
let wait = null;

function endWait() {
  clearTimeout(wait?.timer);
  wait = null;
}

function fallSilent(seen, since) {
  if (isLeft(seen)) awaitThem(since, () => leave(seen));
}

/// @param since when something was heard of them last; 0 if that is not known
/// @param giveUp what is done if they do not come back
function awaitThem(since, giveUp) {
  if (wait) return;
  const time = since ? ` since ${new Date(since).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}` : "";
  const mine = { timer: 0, isMoved: false, focused: find("curtain-title") };
  // A page that nobody looks at hears nothing, so it cannot know whether they are back.
  const end = () => { if (document.hidden) mine.timer = setTimeout(end, waitTime); else giveUp(); };
  mine.timer = setTimeout(end, waitTime);
  wait = mine;
  if (frame) {
    // It is not seen, and what it asks for fails by itself.
    frame.hidden = true;
    frame.inert = true;
  }
  cover(`Nothing is heard of ${nameText()}`,
    `Not heard of${time}. The page stays as you left it for half a minute, and is shown again if they come back.`, { stays: true });
}

// A script can give the focus to its frame, also to one that nobody sees: what is typed is not for the site then.
find("curtain").addEventListener("focusin", ({ target }) => { if (wait) wait.focused = target; });
addEventListener("blur", () => setTimeout(() => {
  if (wait && frame && document.activeElement === frame) wait.focused.focus({ preventScroll: true });
}));

/// They are there again: what was covered is uncovered.
function comeBack() {
  const { isMoved } = wait;
  endWait();
  if (isMoved) return showHere();
  if (!frame) return cover(`${nameText()} is back`, "The site can be shown again.", { show: "Show the site" });
  const hadFocus = find("curtain").contains(document.activeElement);
  frame.hidden = false;
  frame.inert = false;
  find("curtain").hidden = true;
  if (hadFocus) frame.focus();
  say(`${nameText()} is back.`);
  watchOwner();
}

function followPeople() {
  follow("/api/events", {
    snapshot({ owner, peers }) {
      ownID = owner.id;
      offerBlock();
      if (isBlocked) return tellBlocked();
      const one = owner.id === peer ? { ...owner, state: "online", isOwn: true } : peers.find((other) => other.id === peer);
      // A viewer that was started again does not know at first who is there.
      if (one) update(one); else if (wasHere) fallSilent(seenText(person?.lastSeen), person?.lastSeen); else tell("unknown", "Not in the list of people");
    },
    peer(one) { if (one.id === peer) update(one); },
    gone({ id }) { if (id === peer) leave(seenText(person?.lastSeen)); },
    error() { tell("lost", `Goop² ${isBeyond ? `at ${location.hostname}` : "on this computer"} does not answer`); },
  });
}

addEventListener("viewer-state", () => { if (isLost()) say(`${notAnswering}.`); });

// MARK: Whether the owner shows the site to this peer

/// What ends the watch; null while there is none.
let unwatch = null;

function endWatch() {
  unwatch?.();
  unwatch = null;
}

/// Follows the site: when its owner takes this peer off the list of those who see it, the page goes at once.
function watchOwner() {
  if (unwatch || document.hidden || isBlocked || person?.isOwn) return;
  const mine = follow(`/api/p/${peer}/watch`, {
    ready() {
      isServed = true;
      if (wait && !person) comeBack();
    },
    lost({ code }) { if (code === "refused") sendAway(); },
    async error(isRefused) {
      if (mine !== unwatch || !isRefused) return;
      if (!frame) return endWatch();
      // A stream that is refused does not say why; the same address, fetched, does.
      const answer = await fetch(`/api/p/${peer}/watch`, { cache: "no-store" }).catch(() => null);
      if (answer?.ok) answer.body?.cancel();
      if (mine !== unwatch || !answer || answer.ok) return;
      const { code } = await answer.json().catch(() => ({}));
      if (mine !== unwatch) return;
      if (answer.status === 403 && frame) return sendAway();
      if (answer.status < 500) {
        isServed = true;
        // Whoever does not tell of changes is left alone.
        endWatch();
      } else if (code === "unreachable" || code === "timed_out") {
        // Of whoever is in no list, for one because they are invisible, nothing else tells that they went.
        if (!person && isServed && frame) awaitThem(0, leaveUnlisted);
        // The site is filled in again, and watched, when they come.
        else if (wasAway && !isServed) endWatch();
      }
      // What else went wrong may be over when the stream is tried again.
    },
  });
  unwatch = mine;
}

function leaveUnlisted() {
  endWatch();
  tell("gone", "Away");
  cover(`${nameText()} is gone`, "A site is there only while its owner is. This one is in no list of people, so nothing tells when they come back.", { show: "Try again" });
  if (!isKept) endVisit();
}

function sendAway() {
  endWatch();
  if (isBlocked) return;
  cover(`${nameText()} shows this site to certain people only`,
    "You are not among them, or no longer. Send them the link to your site and ask them to name you. What the site kept in this browser stays until you forget the site.",
    { show: "Try again", copies: true });
}

find("curtain-copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(siteLink(ownID));
    say("The link to your site was copied.");
    setText(find("curtain-copy"), "Copied");
  } catch {
    say("The browser did not allow copying.");
    setText(find("curtain-copy"), "Not allowed");
  }
  setTimeout(() => setText(find("curtain-copy"), "Copy my link"), 1800);
});

// Whoever did not tell of changes may do so when the page is looked at again.
document.addEventListener("visibilitychange", () => { if (frame) watchOwner(); });

// MARK: The tools of the bar

find("reload").addEventListener("click", showHere);

find("copy").addEventListener("click", async (event) => {
  const button = event.currentTarget;
  try {
    await navigator.clipboard.writeText(siteLink(peer, ownAddress().slice(base.length) || "/"));
    say("The address was copied.");
    button.classList.add("done");
    setTimeout(() => button.classList.remove("done"), 1500);
  } catch {
    say("The browser did not allow copying.");
  }
});

const panel = find("panel");
const choice = find("share-email");

/// From its beginning, also where it does not fit into the window.
function openPanel(dialog, title) {
  dialog.showModal();
  title.focus({ preventScroll: true });
  dialog.scrollTop = 0;
}

find("rights").addEventListener("click", async () => {
  openPanel(panel, find("panel-title"));
  try {
    const { email, shares_email: shares } = await facts();
    choice.checked = shares;
    choice.disabled = !email;
    setText(find("share-email-text"), email ? `Tell this site my e-mail address, ${clean(email)}` : "Tell this site my e-mail address");
    find("no-email").hidden = Boolean(email);
  } catch {
    choice.disabled = true;
  }
});
find("panel-close").addEventListener("click", () => panel.close());
choice.addEventListener("change", async () => {
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
    isKept = (await ask("keep", {})).kept;
    visits.keep(site);
    say("This site is kept.");
  } catch (error) {
    cover("This did not work", reasonOf(error), { show: "Back to the site" });
  }
  showKept();
});

async function forget() {
  panel.close();
  keepPanel.close();
  try {
    await ask("forget", {});
  } catch (error) {
    cover("This did not work", reasonOf(error), { show: "Back to the site" });
    return;
  }
  isKept = false;
  showKept();
  cover("Forgetting this site…", "The browser is removing what it stored.");
  if (await endVisit()) {
    cover("This site is forgotten", "What it kept in this browser is gone, and it no longer learns your e-mail address.", { show: isBlocked ? "Go back" : "Visit it again" });
  } else {
    cover("This site is not quite forgotten",
      "It is no longer kept, and no longer learns your e-mail address. The browser has not removed what it stored: that is tried again when you open People or another room.",
      { show: "Try again", then: forget });
  }
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
  showBlocked();
});

const tellBlocked = () => tell("gone", "Blocked by you");

async function showBlocked() {
  isBlocked = true;
  unload();
  endWatch();
  offerBlock();
  // Whoever is blocked is in no list of people; what is known of their name is in the list of the blocked.
  if (!person) {
    person = await get("/api/rooms/peers").then(({ blocked }) => blocked.find((one) => one.id === peer) ?? null, () => null);
    if (!isBlocked) return;
    if (person) setText(find("name"), nameText());
  }
  tellBlocked();
  cover(`You have blocked ${nameText()}`,
    "Nothing of this site is loaded, and its owner gets nothing of yours. You can take that back now, or at any time at the foot of the list of people.",
    { show: "Unblock", then: unblock });
}

async function unblock() {
  try {
    await stand("ordinary");
  } catch (error) {
    cover("This did not work", reasonOf(error), { show: "Try again", then: unblock });
    return;
  }
  isBlocked = false;
  offerBlock();
  // What is known of them came from the list of the blocked; that of people tells when they are in it.
  person = null;
  tell("unknown", wasHere ? "Looking…" : "Not in the list of people");
  showHere();
}

// MARK: Begin

async function begin() {
  try {
    const [{ kept, blocked }] = await Promise.all([facts(), findRoot()]);
    isKept = kept && !isSealed;
    if (!isSealed) await visits.begin(site, isKept);
    showKept();
    if (blocked) showBlocked(); else showHere();
    // Not before: there is no place to load from, and what an earlier visit stored is still there.
    find("reload").disabled = false;
  } catch (error) {
    cover("The site cannot be shown", reasonOf(error), { show: "Try again", then: begin });
  }
}

showPicture(find("picture"), peer);
setText(find("print"), "");
followPeople();
begin();
