// What a site stores in this browser goes when the visit is over, unless the visitor keeps the site.
//
// A visit lasts while a tab of the viewer shows the site: each such page holds a lock with the site's name. The origins of
// the sites visited are noted in the viewer's own storage; whichever room of the viewer is opened next has those removed
// that no tab shows any more, also after the browser was closed in between. A page around another site cannot: its content
// policy lets it show no site but its own. But the next visit to the same site begins with that.

/// A site has a key of its own, so that tabs which note one at the same moment do not overwrite each other's.
const prefix = "goop-visit ";
const lockOf = (site) => `visit ${site}`;
const isOrigin = (text) => /^http:\/\/[a-z0-9]+\.localhost(:\d+)?$/.test(text);

function noted() {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length)).filter(isOrigin);
  } catch {
    return [];
  }
}

export function add(site) {
  try { localStorage.setItem(prefix + site, String(Date.now())); } catch { /* A browser without storage has nothing of a site either. */ }
}

/// Whoever comes back sooner than this after they left, in milliseconds, goes on with the visit: to clear a site has taken browsers more than ten
/// seconds, and the room that was just left may be about it.
const sameVisit = 10 * 60_000;

/// Whether a site that is noted was so by an earlier visit, and not by one that goes on.
const isOfEarlier = (site) => !(Math.abs(Date.now() - Number(localStorage.getItem(prefix + site))) < sameVisit);

export function keep(site) {
  try { localStorage.removeItem(prefix + site); } catch { /* As above. */ }
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/// A frame that nobody sees, until it has loaded or `patience` milliseconds have passed: true when the viewer's answer has come.
/// It says who opens it: the viewer.
/// @param isAnswer tells that from a page about an error, which loads as well
async function visitUnseen(address, patience, isAnswer) {
  const frame = document.createElement("iframe");
  frame.hidden = true;
  frame.referrerPolicy = "origin";
  frame.src = address;
  const answered = new Promise((done) => { frame.onload = () => done(isAnswer(frame.contentWindow)); });
  document.body.append(frame);
  const hasCome = await Promise.race([answered, pause(patience).then(() => false)]);
  frame.remove();
  return hasCome;
}

/// A page of another origin shows how many frames it has, and nothing else: this one has one (SiteResponder.forget). A browser
/// may tell of it a moment after the page.
async function isForgotten(page) {
  for (let look = 0; look < 20 && page.length !== 1; look += 1) await pause(50);
  return page.length === 1;
}

/// Has the browser drop everything of a site: true when it has, which may take it seconds. A frame, since only there browsers
/// clear the storage that the site has below a page of the viewer.
async function clear(site) {
  try {
    await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(3000) });
  } catch {
    return false;
  }
  return visitUnseen(`${site}/forget`, 15_000, isForgotten);
}

// MARK: The browser's storage log
//
// What a site removes, or has removed, is gone for every page, but Chromium keeps the storage of all sites in one log of
// each profile (LevelDB), and the removed bytes stay in the file until it is rewritten. That happens as more is stored: a
// part of the log is closed at 64 KiB, and four closed parts are merged, without what was removed. So a frame of a place
// of its own stores noise and goes, a few times. Only what is merged with newer parts loses its bytes, so a profile that
// was never written to gets a few parts before the first visit. Seen in docs/decisions/0008.

// Beyond loopback, where the viewer speaks HTTPS, sites store nothing.
const hasLog = Boolean(navigator.userAgentData) && location.protocol === "http:";
const beganKey = "goop-log-began";
/// Noted like a site as long as the log may still hold something of one.
const log = `${location.protocol}//goop2scrub.localhost${location.port ? `:${location.port}` : ""}`;

async function scrub(steps) {
  for (let step = 1; step <= steps; step += 1) {
    await visitUnseen(`${log}/scrub${step === steps ? "?last" : ""}`, 3000, () => true);
    // The storage of a page that goes is written out at once; a step that comes too early joins the one before.
    await pause(150);
  }
}

let began = null;

/// Parts of the log that later ones are merged with, before a site stores anything: once in each run of the browser, since
/// the log of session storage begins anew with it. A tab knows from its session storage that this was done, a new tab from
/// the lock that those hold. A tab that the browser restores brings the session storage of the run before with it, and
/// cannot tell: then it is not done.
async function beginLog() {
  try {
    if (!sessionStorage.getItem(beganKey)) {
      const { held } = await navigator.locks.query();
      if (!held.some((lock) => lock.name === beganKey)) await navigator.locks.request("scrub", () => scrub(5));
      sessionStorage.setItem(beganKey, "1");
    }
    navigator.locks.request(beganKey, { mode: "shared" }, () => new Promise(() => {}));
  } catch { /* A browser that refuses storage has no log of a site. */ }
}

function prepare() {
  if (hasLog) began ??= beginLog();
  return began;
}

/// Overwrites the log, if this page has cleared something, or another one has and did not come so far.
async function scrubAll(hasCleared) {
  if (!hasLog) return keep(log);
  await navigator.locks.request("scrub", async () => {
    if (!hasCleared && !noted().includes(log)) return;
    add(log);
    await scrub(7);
    keep(log);
  });
}

/// Clears a site that no tab shows, and takes it off the list, or notes it anew for the visit that begins with this: true when
/// that was done. Other visits that begin meanwhile wait for the lock; so nothing is cleared under a visit, and none is forgotten.
/// @param note `keep` or `add`
function clearUnvisited(site, note = keep) {
  return navigator.locks.request(lockOf(site), { ifAvailable: true }, async (lock) => {
    if (!lock || !await clear(site)) return false;
    if (hasLog) add(log);
    note(site);
    return true;
  });
}

// MARK: Visits

/// Whether this page goes on with the visit that it was part of before: it was loaded again, or somebody went back to it.
const goesOn = () => ["reload", "back_forward"].includes(performance.getEntriesByType("navigation")[0]?.type);

/// Begins a visit, which lasts as long as this page. It finds nothing of an earlier one that ended ten minutes ago or more, unless
/// the site is kept.
export async function begin(site, isKept) {
  // The earlier one may have ended with its tab, and no room have been opened since.
  const hasCleared = !isKept && !goesOn() && noted().includes(site) && isOfEarlier(site) && await clearUnvisited(site, add);
  await new Promise((held) => {
    navigator.locks.request(lockOf(site), { mode: "shared" }, () => { held(); return new Promise(() => {}); });
  });
  // How long ago it was counts from its end. A site that is kept is not on the list, and may be forgotten before this page goes.
  addEventListener("pagehide", () => { if (noted().includes(site)) add(site); });
  // A kept site may be forgotten one day: the log is begun before it stores something, too.
  await prepare();
  if (isKept) return keep(site);
  // Of visits that begin at one moment the first clears, and the others wait for that.
  await navigator.locks.request(`clear ${site}`, async () => {
    if (!noted().includes(site)) await clear(site);
    add(site);
  });
  if (hasCleared) scrubAll(true);
}

/// Removes everything of a site whose visit is over, though this page stays: true when that was done; the log is overwritten
/// afterwards. The page may show the site again, which stays noted.
export async function end(site) {
  add(site);
  const hasCleared = await clear(site);
  if (hasCleared) scrubAll(true);
  return hasCleared;
}

// A site that is sealed off keeps nothing. All tabs that show it have one secret path, which ends with the last of them.

const sealedLockOf = (peer) => `sealed visit ${peer}`;
/// This page's part in it; null while it has none.
let sealed = null;

function share(name) {
  const mine = {};
  mine.held = new Promise((held) => {
    mine.over = navigator.locks.request(name, { mode: "shared" }, () => { held(); return new Promise((free) => { mine.free = free; }); });
  });
  return mine;
}

/// This page shows a site that is sealed off, until `endSealed` or its own end.
export async function beginSealed(peer) {
  if (!navigator.locks) return;
  sealed ??= share(sealedLockOf(peer));
  await sealed.held;
}

/// This page shows the site no longer. If no other one does, `leave` is done, and whoever begins meanwhile waits for that.
export async function endSealed(peer, leave) {
  if (!navigator.locks) return leave();
  const mine = sealed;
  sealed = null;
  if (mine) {
    await mine.held;
    mine.free();
    await mine.over;
  }
  await navigator.locks.request(sealedLockOf(peer), { ifAvailable: true }, (lock) => (lock ? leave() : null));
}

/// Removes what visits left that are over.
export async function sweep() {
  await prepare();
  for (const again of [false, true]) {
    let hasCleared = false;
    for (const site of noted()) if (site !== log && await clearUnvisited(site)) hasCleared = true;
    if (hasCleared || noted().includes(log)) await scrubAll(hasCleared);
    if (again) return;
    // The page that was here before this one gives its lock back a moment later.
    await pause(1000);
  }
}
