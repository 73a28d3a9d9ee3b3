// How a visit to a site goes: one state, events in, actions out. Nothing here touches the page, waits or asks; shell.js does what it
// is told and tells what came of it. So any order of events can be played by itself (browser/visit.py).

/**
 * What is below the bar. `isGone`: the owner has gone, and the site was not shown since.
 * - `nothing`: before the visit has begun, and while it is looked up whom the person has blocked.
 * - `site`: the frame.
 * - `silence`: nothing is heard of the owner, or, with `isHeardOf`, they do not answer. The frame, if there is one, stays behind the curtain for a while; `isMoved`: it shows
 *   something else by now. Without a frame nothing can be lost, and the curtain, if it is down, goes on saying `why`, with its button.
 *   `isListed`: they are one of the list of people. `seen`: when they were here, in the words of the bar.
 * - `curtain`: there is no frame, and the curtain says `why`; what its button does `then`, null if it has none.
 * @typedef {{ is: "nothing" } | { is: "site" }
 *   | { is: "silence", hasFrame: boolean, isMoved: boolean, isGone: boolean, isListed: boolean, isHeardOf: boolean, seen: string,
 *       why: string, then: Then | null }
 *   | { is: "curtain", why: string, then: Then | null, isGone: boolean }} Screen
 */

/** @typedef {"show" | "begin" | "forget" | "unblock" | "reload"} Then */

/**
 * Where the site lives: an origin of its own, or, sealed off, a secret path; of the latter `root` is null once it has ended, until
 * another one is given. An old page is given none.
 * @typedef {{ isSealed: boolean, root: string | null }} Place
 */

/**
 * What is known of the owner: nothing yet; that they are away, so what the frame shows may be that nobody answers; that they come
 * after such a beginning; that they were here.
 * @typedef {"unmet" | "away" | "coming" | "met"} Owner
 */

/** Whether the owner is in the list of people, or is who looks. @typedef {"unlisted" | "listed" | "own"} Listing */

/**
 * The watch of the site: none; one to which the owner has not answered since the frame was filled; one to which they have; none any
 * more, though they have answered.
 * @typedef {"none" | "asked" | "served" | "ended"} Watch
 */

/**
 * What happened.
 * - The beginning: `placed` brings the place that was found, `found` and `begun` what the viewer knows of the site; `pathCame` and
 *   `pathFailed` answer `askPath`. `outdated`: the viewer was started again since this page was made, or the
 *   person who looks has signed in anew; `tooOld`: of an old page the viewer has refused what the person did.
 * - The person who looks: `pressed` is the button of the curtain, `looked` whether the page is looked at, `refused` that keeping or
 *   forgetting the site failed, `cleared` what came of `clear`, `lookedUp` of `lookUp`.
 * - The frame: `moved` while nobody sees it, `led` by a link out of the site: the curtain says so by `why` and the rest.
 * - The owner, by the list of people: `listed` comes before the others. `seen` is when they were here, in the words of the bar; `since`
 *   in milliseconds, 0 if it is not known. `isHeardOf`: by others, but they do not answer. `waited`: the while of `wait` is over.
 * - The watch of the site, unless it is ended: `watchAnswered` is what came of `askWhy`.
 * @typedef {{ type: "placed", isSealed: boolean, root: string } | { type: "found", isKept: boolean } | { type: "begun", isBlocked: boolean }
 *   | { type: "beginningFailed", reason: string } | { type: "pathCame", root: string } | { type: "pathFailed", reason: string }
 *   | { type: "outdated" } | { type: "tooOld" }
 *   | { type: "pressed" } | { type: "reloaded" } | { type: "looked", isHidden: boolean } | { type: "kept", isKept: boolean }
 *   | { type: "forgot" } | { type: "cleared", hasCleared: boolean } | { type: "refused", reason: string } | { type: "blocked" }
 *   | { type: "lookedUp", isFound: boolean } | { type: "unblocked" } | { type: "unblockingFailed", reason: string }
 *   | { type: "moved" } | { type: "led", why: string, target?: string, whom?: string }
 *   | { type: "listed", isOwn: boolean } | { type: "came", isOnline: boolean } | { type: "left", seen: string }
 *   | { type: "fellSilent", isHeardOf: boolean, seen: string, since: number } | { type: "missing", seen: string, since: number } | { type: "waited" }
 *   | { type: "watchReady" } | { type: "watchLost", code: string } | { type: "watchBroke", isRefused: boolean }
 *   | { type: "watchAnswered", status: number, code: string }} VisitEvent
 */

/**
 * What is to be done.
 * - The frame: `show` the address of this page in a new one, `unload` it, `hide` it, or `uncover` it again.
 * - The curtain: `cover` says `why`, and has a button unless `then` is null; what else it needs comes with it (curtain.js).
 * - The bar: `tell` how it is with the owner, their `name`, `offerBlock` and `showKept` as it is by now.
 * - `reload` this page itself.
 * - What takes time: `begin` (which goes on if it was begun) and `forget`, `unblock`, `askPath`, `lookUp` in the list of the blocked, `clear` what the site stored (a
 *   `cleared` follows if `isTold`), `wait` and `endWait`, `watch` and `unwatch`, `askWhy` the watch was refused.
 * @typedef {{ do: "show", root: string, isSealed: boolean } | { do: "unload" | "hide" | "uncover" }
 *   | { do: "cover", why: string, then: Then | null, reason?: string, seen?: string, since?: number, target?: string, whom?: string,
 *       isBlocked?: boolean }
 *   | { do: "tell", what: "here" | "away" | "noAnswer" | "blocked" | "looking" | "unlisted", seen?: string }
 *   | { do: "name" | "offerBlock" | "showKept" | "begin" | "forget" | "unblock" | "askPath" | "lookUp" | "reload" }
 *   | { do: "clear", isSealed: boolean, isTold: boolean }
 *   | { do: "wait" | "endWait" | "watch" | "unwatch" | "askWhy" }} Action
 */

export class Visit {
  /** @type {Screen} */
  #screen = { is: "nothing" };
  /** @type {Place | null} Null while it is not known. */
  #place = null;
  /** What an earlier visit stored is gone, or this one goes on with it: before, the site must not be shown. */
  #hasBegun = false;
  #isOutdated = false;
  /** @type {Owner} */
  #owner = "unmet";
  /** @type {Listing} */
  #list = "unlisted";
  /** @type {Watch} */
  #watch = "none";
  /** By the person who looks. */
  #isBlocked = false;
  #isKept = false;
  /** Nobody looks at the page. */
  #isHidden;
  /** @type {Action[]} */
  #actions = [];

  /** @param {{ isHidden: boolean }} page */
  constructor({ isHidden }) {
    this.#isHidden = isHidden;
  }

  // MARK: What can be seen of it

  get isSealed() { return this.#place?.isSealed === true; }
  /** Without a slash at its end; null while there is none. */
  get root() { return this.#place?.root ?? null; }
  get isBlocked() { return this.#isBlocked; }
  get isKept() { return this.#isKept; }
  /** The frame is there, and seen. */
  get isShown() { return this.#screen.is === "site"; }
  get isSilent() { return this.#screen.is === "silence"; }
  /** The frame is there, seen or not. */
  get hasFrame() { return this.isShown || (this.isSilent && this.#screen.hasFrame); }

  /** All of it, for whoever tries it. */
  get state() {
    return {
      screen: { ...this.#screen }, place: this.#place && { ...this.#place }, owner: this.#owner, list: this.#list, watch: this.#watch,
      hasBegun: this.#hasBegun, isBlocked: this.#isBlocked, isKept: this.#isKept, isHidden: this.#isHidden,
    };
  }

  // MARK: Events

  /**
   * Takes what happened.
   * @param {VisitEvent} event
   * @returns {Action[]} what is to be done, in this order
   */
  take(event) {
    this.#actions = [];
    this.#hear(event);
    return this.#actions;
  }

  #hear(event) {
    switch (event.type) {
      case "placed": this.#place = { isSealed: event.isSealed, root: event.root }; return;
      case "found": this.#isKept = event.isKept && !this.isSealed; return;
      case "begun": return this.#begun(event);
      case "beginningFailed": return this.#cover("failed", "begin", { reason: event.reason });
      case "pathCame": return this.#pathCame(event);
      case "outdated": return this.#outdated();
      case "tooOld": return this.#cover("tooOld", "reload");
      case "pathFailed": return this.#cover("failed", "show", { reason: event.reason });
      case "pressed": return this.#pressed();
      case "reloaded": return this.#showHere();
      case "looked": return this.#looked(event);
      case "kept": this.#isKept = event.isKept; return;
      case "forgot": return this.#forgot();
      case "cleared": return this.#cleared(event);
      case "refused": return this.#cover("refused", "show", { reason: event.reason });
      case "blocked": return this.#block();
      case "lookedUp": return this.#lookedUp(event);
      case "unblocked": return this.#unblocked();
      case "unblockingFailed": return this.#cover("refused", "unblock", { reason: event.reason });
      case "moved": return this.#moved();
      case "led": return this.#led(event);
      case "listed": this.#list = event.isOwn ? "own" : "listed"; return;
      case "came": return this.#came(event);
      case "left": return this.#leave(event.seen);
      case "fellSilent": return this.#fallSilent(event);
      case "missing": return this.#missing(event);
      case "waited": return this.#waited();
      case "watchReady": return this.#watchReady();
      case "watchLost": return this.#watchLost(event);
      case "watchBroke": return this.#watchBroke(event);
      case "watchAnswered": return this.#watchAnswered(event);
    }
    throw new TypeError(`a visit has no event ${event.type}`);
  }

  #do(what, how = {}) {
    this.#actions.push({ do: what, ...how });
  }

  // MARK: The beginning

  #begun({ isBlocked }) {
    this.#hasBegun = true;
    this.#do("showKept");
    if (isBlocked) this.#block(); else this.#showHere();
  }

  /** Shows the page that the address names. */
  #showHere() {
    if (this.#isBlocked) return this.#block();
    // It could not begin, or not yet, also where its place is known.
    if (!this.#hasBegun) return this.#do("begin");
    if (this.#watch === "ended") this.#watch = "none";
    // The secret path ended with the last visit.
    if (this.#place.root === null) return this.#do(this.#isOutdated ? "reload" : "askPath");
    this.#show();
  }

  /** A new run of the viewer knows none of the secret paths of the one before, and refuses what this page asks for. */
  #outdated() {
    this.#isOutdated = true;
    if (!this.isSealed) return;
    const { hasFrame } = this;
    this.#place = { isSealed: true, root: null };
    if (hasFrame) this.#cover("outdated", "show");
  }

  #pathCame({ root }) {
    // By the run before.
    if (this.#isOutdated) return;
    this.#place = { isSealed: this.isSealed, root };
    if (!this.#isBlocked) this.#show();
  }

  #show() {
    this.#endWait();
    this.#screen = { is: "site" };
    this.#do("show", { root: this.root, isSealed: this.isSealed });
    this.#watchOwner();
  }

  // MARK: The curtain

  get #isGone() { return this.#screen.isGone === true; }

  /** The frame goes, and the curtain says why, with `facts`. */
  #cover(why, then, facts = {}) {
    this.#unload();
    this.#screen = { is: "curtain", why, then, isGone: this.#isGone || why === "gone" || why === "goneNoAnswer" };
    this.#do("cover", { why, then, ...facts });
  }

  #unload() {
    if (this.hasFrame) this.#do("unload");
    this.#endWait();
    if (this.isShown) this.#screen = { is: "nothing" };
    // It is covered as it was, until something else is said.
    if (this.isSilent) this.#leaveCurtain();
  }

  /** The silence is over, and what the curtain says goes on; an empty `why` if it is not down. */
  #leaveCurtain() {
    const { why, then, isGone } = this.#screen;
    this.#screen = why === "" ? { is: "nothing" } : { is: "curtain", why, then, isGone };
  }

  #pressed() {
    const { then = null } = this.#screen;
    if (then === null) return;
    if (then === "show") this.#showHere(); else this.#do(then);
  }

  #led({ type, why, ...facts }) {
    if (this.isShown) this.#cover(why, "show", facts);
  }

  // MARK: The owner

  #came({ isOnline }) {
    if (this.#isBlocked) return;
    if (this.#owner === "unmet") this.#owner = "met";
    if (this.#owner === "away") this.#owner = "coming";
    this.#do("tell", { what: "here" });
    // Said once: what else comes of them, a new name say, takes neither the focus nor what a button offers.
    if (this.isSilent) return this.#comeBack();
    if (this.#isGone && this.#screen.then === null) return this.#cover("back", "show");
    if (this.#owner !== "coming" || !isOnline) return;
    this.#owner = "met";
    if (this.isShown && !this.#isServed) this.#showHere();
  }

  get #wasHere() { return this.#owner === "met" || this.#owner === "coming"; }

  /** True if that changes what is shown. */
  #isLeft(seen, isHeardOf = false) {
    if (this.#isBlocked) return false;
    this.#do("tell", { what: isHeardOf ? "noAnswer" : "away", seen });
    // Whoever was away from the start may answer all the same: the frame says what came of it. So it does of whoever only seemed to come.
    if (!this.#wasHere || (isHeardOf && this.#owner === "coming" && !this.isSilent)) this.#owner = "away";
    return this.#wasHere && !(this.#isGone && this.#screen.then === null);
  }

  /** Gone means gone: a site is there as long as its owner is. */
  #leave(seen, isHeardOf = false) {
    if (!this.#isLeft(seen, isHeardOf)) return;
    this.#cover(isHeardOf ? "goneNoAnswer" : "gone", null, { seen });
    if (!this.#isKept) this.#clear(false);
  }

  #leaveUnlisted() {
    this.#endWatch();
    this.#do("tell", { what: "away", seen: "" });
    this.#cover("goneUnlisted", "show");
    if (!this.#isKept) this.#clear(false);
  }

  /** What the site stored goes; this page stays, and may show the site again. With `isTold` a `cleared` tells what came of it. */
  #clear(isTold) {
    this.#do("clear", { isSealed: this.isSealed, isTold });
    if (this.isSealed) this.#place = { isSealed: true, root: null };
  }

  // MARK: Silence
  //
  // A computer that slept, or a network that fails for a moment, is no goodbye, and in the frame may be what somebody has typed. So
  // the site of whoever only fell silent is covered at once, and gone a little later. Where there is no frame, what the curtain says is
  // being read, perhaps the target of a link, and is not taken away before they are gone.

  #fallSilent({ isHeardOf, seen, since }) {
    if (this.#isLeft(seen, isHeardOf)) this.#await({ isListed: true, isHeardOf, seen, since });
  }

  /** A viewer that was started again does not know at first who is there. */
  #missing(last) {
    if (this.#wasHere) this.#fallSilent({ ...last, isHeardOf: false }); else this.#do("tell", { what: "unlisted" });
  }

  #await({ isListed, isHeardOf, seen, since }) {
    const { hasFrame } = this;
    const before = this.#screen;
    const { why = "", then = null } = hasFrame ? { why: isHeardOf ? "noAnswer" : "silent" } : before;
    if (this.isSilent) {
      this.#screen = { ...before, isHeardOf, why };
      if (why === before.why) return;
    } else {
      this.#screen = { is: "silence", hasFrame, isMoved: false, isGone: this.#isGone, isListed, isHeardOf, seen, why, then };
      this.#do("wait");
      if (!hasFrame) return;
      this.#do("hide");
    }
    this.#do("cover", { why, then, since });
  }

  #endWait() {
    if (this.isSilent) this.#do("endWait");
  }

  #waited() {
    if (!this.isSilent) return;
    // A page that nobody looks at hears nothing, so it cannot know whether they are back.
    if (this.#isHidden) return this.#do("wait");
    const { isListed, isHeardOf, seen } = this.#screen;
    if (isListed) this.#leave(seen, isHeardOf); else this.#leaveUnlisted();
  }

  /** The frame shows something else, and nobody sees what, or where that leads. */
  #moved() {
    if (this.isSilent && this.#screen.hasFrame) this.#screen.isMoved = true;
  }

  /** They are there again: what was covered is uncovered. */
  #comeBack() {
    const { hasFrame, isMoved } = this.#screen;
    if (isMoved) return this.#showHere();
    this.#endWait();
    if (!hasFrame) return this.#leaveCurtain();
    this.#screen = { is: "site" };
    this.#do("uncover");
    this.#watchOwner();
  }

  // MARK: Whether the owner shows the site to this peer

  /** The owner has answered since the frame was filled. */
  get #isServed() { return this.#watch === "served" || this.#watch === "ended"; }
  get #isWatching() { return this.#watch === "asked" || this.#watch === "served"; }

  /** Follows the site: when its owner takes this peer off the list of those who see it, the page goes at once. */
  #watchOwner() {
    if (this.#isWatching || this.#isHidden || this.#isBlocked || this.#list === "own") return;
    this.#watch = this.#isServed ? "served" : "asked";
    this.#do("watch");
  }

  #endWatch() {
    if (!this.#isWatching) return;
    this.#watch = this.#isServed ? "ended" : "none";
    this.#do("unwatch");
  }

  #looked({ isHidden }) {
    this.#isHidden = isHidden;
    // Whoever did not tell of changes may do so when the page is looked at again.
    if (this.hasFrame) this.#watchOwner();
  }

  #watchReady() {
    if (!this.#isWatching) return;
    this.#watch = "served";
    if (this.isSilent && this.#list === "unlisted") this.#comeBack();
  }

  #watchLost({ code }) {
    if (this.#isWatching && code === "refused") this.#sendAway();
  }

  #watchBroke({ isRefused }) {
    if (!this.#isWatching || !isRefused) return;
    if (this.hasFrame) this.#do("askWhy"); else this.#endWatch();
  }

  #watchAnswered({ status, code }) {
    if (!this.#isWatching) return;
    if (status === 403 && this.hasFrame) return this.#sendAway();
    if (status < 500) {
      this.#watch = "served";
      // Whoever does not tell of changes is left alone.
      return this.#endWatch();
    }
    // What else went wrong may be over when the stream is tried again.
    if (code !== "unreachable" && code !== "timed_out") return;
    // Of whoever is in no list, for one because they are invisible, nothing else tells that they went.
    if (this.#list === "unlisted" && this.#isServed && this.hasFrame) return this.#await({ isListed: false, isHeardOf: false, seen: "", since: 0 });
    // The site is filled in again, and watched, when they come.
    if ((this.#owner === "away" || this.#owner === "coming") && !this.#isServed) this.#endWatch();
  }

  #sendAway() {
    this.#endWatch();
    if (!this.#isBlocked) this.#cover("notInvited", "show");
  }

  // MARK: Forgetting and blocking

  #forgot() {
    this.#isKept = false;
    this.#do("showKept");
    this.#cover("forgetting", null);
    this.#clear(true);
  }

  #cleared({ hasCleared }) {
    if (hasCleared) this.#cover("forgotten", "show", { isBlocked: this.#isBlocked }); else this.#cover("notForgotten", "forget");
  }

  #block() {
    this.#isBlocked = true;
    this.#unload();
    this.#endWatch();
    this.#do("offerBlock");
    // Whoever is blocked is in no list of people; what is known of their name is in the list of the blocked.
    if (this.#list === "unlisted") this.#do("lookUp"); else this.#coverBlocked();
  }

  #lookedUp({ isFound }) {
    this.#list = isFound ? "listed" : "unlisted";
    if (!this.#isBlocked) return;
    if (isFound) this.#do("name");
    this.#coverBlocked();
  }

  #coverBlocked() {
    this.#do("tell", { what: "blocked" });
    this.#cover("blocked", "unblock");
  }

  #unblocked() {
    this.#isBlocked = false;
    this.#do("offerBlock");
    // What is known of them came from the list of the blocked; that of people tells when they are in it.
    this.#list = "unlisted";
    this.#do("tell", { what: this.#wasHere ? "looking" : "unlisted" });
    this.#showHere();
  }
}
