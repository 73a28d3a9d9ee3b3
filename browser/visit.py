"""How a visit goes (Sources/GoopHTTP/Web/visit.js), played without a site, an owner or a clock: events go in, and what is said to be
done comes out. See viewer_checks.py."""
import re

from story import expect


def event(name, **more):
    return {"type": name, **more}


PLACED = event("placed", isSealed=False, root="http://site")
SEALED = event("placed", isSealed=True, root="http://viewer/c/1")
FOUND, FOUND_KEPT = event("found", isKept=False), event("found", isKept=True)
BEGUN, BEGUN_BLOCKED = event("begun", isBlocked=False), event("begun", isBlocked=True)
NOT_BEGUN, PATH, NO_PATH = event("beginningFailed", reason="why"), event("pathCame", root="http://viewer/c/2"), event("pathFailed", reason="why")
OUTDATED, TOO_OLD = event("outdated"), event("tooOld")
PRESSED, RELOADED = event("pressed"), event("reloaded")
HIDDEN, SEEN = event("looked", isHidden=True), event("looked", isHidden=False)
KEPT, REFUSED = event("kept", isKept=True), event("refused", reason="why")
FORGOT, CLEARED, NOT_CLEARED = event("forgot"), event("cleared", hasCleared=True), event("cleared", hasCleared=False)
BLOCKED, NAMED, UNNAMED = event("blocked"), event("lookedUp", isFound=True), event("lookedUp", isFound=False)
UNBLOCKED, NOT_UNBLOCKED = event("unblocked"), event("unblockingFailed", reason="why")
MOVED, LED = event("moved"), event("led", why="out", target="http://out.example/")
LISTED, OWN = event("listed", isOwn=False), event("listed", isOwn=True)
CAME, ARRIVING = event("came", isOnline=True), event("came", isOnline=False)
LEFT, MISSING = event("left", seen="then"), event("missing", seen="then", since=1)
SILENT, NO_ANSWER = (event("fellSilent", isHeardOf=isHeardOf, seen="then", since=1) for isHeardOf in (False, True))
WAITED, READY = event("waited"), event("watchReady")
LOST, OTHERWISE_LOST = event("watchLost", code="refused"), event("watchLost", code="")
BROKE, BROKE_REFUSED = event("watchBroke", isRefused=False), event("watchBroke", isRefused=True)


def answered(status, code=""):
    return event("watchAnswered", status=status, code=code)


UNREACHABLE = answered(503, "unreachable")

# Each step: what happens; then what is below the bar, what is known of the owner, how it is with the watch, and what else is so; what is
# done. Of the curtain it says why it is down, and behind a slash what its button does.
BEGINS = [(PLACED, "nothing unmet none", ""), (FOUND, "nothing unmet none", ""), (BEGUN, "site unmet asked", "showKept, show, watch")]
BEGINS_SEALED = [(SEALED, "nothing unmet none", ""), *BEGINS[1:]]
HERE = [*BEGINS, (LISTED, "site unmet asked", ""), (CAME, "site met asked", "tell here"), (READY, "site met served", "")]
IS_SILENT = [*HERE, (SILENT, "silence met served", "tell away, wait, hide, cover silent")]
IS_GONE = [*HERE, (LEFT, "gone met served", "tell away, unload, cover gone, clear")]
UNLISTED = [*BEGINS, (MISSING, "site unmet asked", "tell unlisted"), (READY, "site unmet served", "")]
IS_SILENT_UNLISTED = [*UNLISTED, (BROKE_REFUSED, "site unmet served", "askWhy"),
                      (UNREACHABLE, "silence unmet served", "wait, hide, cover silent")]
IS_BLOCKED = [*HERE, (BLOCKED, "blocked/unblock met ended blocked", "unload, unwatch, offerBlock, tell blocked, cover blocked/unblock")]

SEQUENCES = {
    # The beginning
    "a visit that cannot begin is begun again by the button, and by a reload": [
        (NOT_BEGUN, "failed/begin unmet none", "cover failed/begin"), (PRESSED, "failed/begin unmet none", "begin"),
        (RELOADED, "failed/begin unmet none", "begin"), (PLACED, "failed/begin unmet none", ""), (FOUND, "failed/begin unmet none", ""),
        (BEGUN, "site unmet asked", "showKept, show, watch")],
    "a site whose place is known is not shown before the visit has begun, neither after a block": [
        (NOT_BEGUN, "failed/begin unmet none", "cover failed/begin"), (PLACED, "failed/begin unmet none", ""),
        (BLOCKED, "failed/begin unmet none blocked", "offerBlock, lookUp"),
        (UNNAMED, "blocked/unblock unmet none blocked", "tell blocked, cover blocked/unblock"),
        (UNBLOCKED, "blocked/unblock unmet none", "offerBlock, tell unlisted, begin"), (PLACED, "blocked/unblock unmet none", ""),
        (FOUND, "blocked/unblock unmet none", ""), (BEGUN, "site unmet asked", "showKept, show, watch")],
    "nor by the button, when its owner went and came meanwhile": [
        *BEGINS[:2], (LISTED, "nothing unmet none", ""), (CAME, "nothing met none", "tell here"),
        (LEFT, "gone met none", "tell away, cover gone, clear"), (CAME, "back/show met none", "tell here, cover back/show"),
        (PRESSED, "back/show met none", "begin"), (BEGUN, "site met asked", "showKept, show, watch")],
    "a site that was kept is, and its owner's end takes nothing": [
        BEGINS[0], (FOUND_KEPT, "nothing unmet none kept", ""), (BEGUN, "site unmet asked kept", "showKept, show, watch"),
        (LISTED, "site unmet asked kept", ""), (CAME, "site met asked kept", "tell here"),
        (LEFT, "gone met asked kept", "tell away, unload, cover gone")],
    "a site that is sealed off is never kept; after its path has ended another one is asked for": [
        (SEALED, "nothing unmet none", ""), (FOUND_KEPT, "nothing unmet none", ""), (BEGUN, "site unmet asked", "showKept, show, watch"),
        (CAME, "site met asked", "tell here"), (LEFT, "gone met asked", "tell away, unload, cover gone, clear sealed"),
        (CAME, "back/show met asked", "tell here, cover back/show"), (PRESSED, "back/show met asked", "askPath"),
        (NO_PATH, "failed/show met asked", "cover failed/show"), (PRESSED, "failed/show met asked", "askPath"),
        (PATH, "site met asked", "show")],
    "a path that comes after a block shows nothing": [
        *BEGINS_SEALED, (LISTED, "site unmet asked", ""), (CAME, "site met asked", "tell here"),
        (LEFT, "gone met asked", "tell away, unload, cover gone, clear sealed"), (RELOADED, "gone met asked", "askPath"),
        (BLOCKED, "blocked/unblock met none blocked", "unwatch, offerBlock, tell blocked, cover blocked/unblock"),
        (PATH, "blocked/unblock met none blocked", "")],
    "a secret path of the run before is not gone on with: the page is loaded again": [
        *BEGINS_SEALED, (LISTED, "site unmet asked", ""), (CAME, "site met asked", "tell here"), (READY, "site met served", ""),
        (OUTDATED, "outdated/show met served", "unload, cover outdated/show"), (OUTDATED, "outdated/show met served", ""),
        (CAME, "outdated/show met served", "tell here"), (PATH, "outdated/show met served", ""),
        (PRESSED, "outdated/show met served", "reload"), (RELOADED, "outdated/show met served", "reload")],
    "neither after a silence": [
        *BEGINS_SEALED, (LISTED, "site unmet asked", ""), (CAME, "site met asked", "tell here"),
        (MISSING, "silence met asked", "tell away, wait, hide, cover silent"),
        (OUTDATED, "outdated/show met asked", "unload, endWait, cover outdated/show"), (CAME, "outdated/show met asked", "tell here"),
        (SILENT, "silence over outdated/show met asked", "tell away, wait"), (CAME, "outdated/show met asked", "tell here, endWait"),
        (PRESSED, "outdated/show met asked", "reload")],
    "nor when its owner is back": [
        *BEGINS_SEALED, (LISTED, "site unmet asked", ""), (CAME, "site met asked", "tell here"),
        (LEFT, "gone met asked", "tell away, unload, cover gone, clear sealed"), (OUTDATED, "gone met asked", ""),
        (CAME, "back/show met asked", "tell here, cover back/show"), (PRESSED, "back/show met asked", "reload")],
    "a site of its own origin goes on": [*HERE, (OUTDATED, "site met served", ""), (RELOADED, "site met served", "show")],
    "a page that nobody looks at is watched when it is looked at": [
        *BEGINS[:2], (HIDDEN, "nothing unmet none hidden", ""), (BEGUN, "site unmet none hidden", "showKept, show"),
        (SEEN, "site unmet asked", "watch"), (HIDDEN, "site unmet asked hidden", ""), (SEEN, "site unmet asked", "")],
    "the own site is not watched": [
        *BEGINS[:2], (OWN, "nothing unmet none", ""), (CAME, "nothing met none", "tell here"), (BEGUN, "site met none", "showKept, show"),
        (SEEN, "site met none", "")],

    # Links out
    "a link out covers the site, and the button leads back": [
        *HERE, (LED, "out/show met served", "unload, cover out/show"), (LED, "out/show met served", ""), (PRESSED, "site met served", "show")],
    "a site that nobody sees asks nobody": [
        *IS_SILENT, (LED, "silence met served", ""), (LEFT, "gone met served", "tell away, unload, endWait, cover gone, clear"),
        (LED, "gone met served", ""), (MOVED, "gone met served", "")],

    # The owner
    "gone is said once, and back too": [
        *IS_GONE, (LEFT, "gone met served", "tell away"), (SILENT, "gone met served", "tell away"),
        (CAME, "back/show met served", "tell here, cover back/show"), (CAME, "back/show met served", "tell here"),
        (LEFT, "gone met served", "tell away, cover gone, clear"), (ARRIVING, "back/show met served", "tell here, cover back/show"),
        (PRESSED, "site met served", "show")],
    "who went before the site was there is gone, until it is shown": [
        (LISTED, "nothing unmet none", ""), (CAME, "nothing met none", "tell here"), (LEFT, "gone met none", "tell away, cover gone, clear"),
        (PLACED, "gone met none", ""), (FOUND, "gone met none", ""), (BEGUN, "site met asked", "showKept, show, watch"),
        (CAME, "site met asked", "tell here")],
    "what a forgotten site says stands while its owner is away": [
        *IS_GONE, (FORGOT, "forgetting met served", "showKept, cover forgetting, clear told"),
        (CAME, "back/show met served", "tell here, cover back/show"), (CLEARED, "forgotten/show met served", "cover forgotten/show"),
        (CAME, "forgotten/show met served", "tell here")],
    "whoever was away from the start is shown again when they come, once": [
        *BEGINS, (LISTED, "site unmet asked", ""), (SILENT, "site away asked", "tell away"), (ARRIVING, "site coming asked", "tell here"),
        (CAME, "site met asked", "tell here, show"), (CAME, "site met asked", "tell here")],
    "and is not if they have answered": [
        *BEGINS, (LISTED, "site unmet asked", ""), (LEFT, "site away asked", "tell away"), (READY, "site away served", ""),
        (CAME, "site met served", "tell here")],
    "whoever was here and is not in the list is silent; whoever was not is only in no list": [
        *UNLISTED, (LISTED, "site unmet served", ""), (CAME, "site met served", "tell here"),
        (MISSING, "silence met served", "tell away, wait, hide, cover silent"), (CAME, "site met served", "tell here, endWait, uncover")],

    "who was gone, is back and falls silent before the site is shown again is gone after the while, and offered when they are back": [
        *IS_GONE, (CAME, "back/show met served", "tell here, cover back/show"),
        (SILENT, "silence over back/show met served", "tell away, wait"),
        (WAITED, "gone met served", "tell away, endWait, cover gone, clear"), (WAITED, "gone met served", ""),
        (CAME, "back/show met served", "tell here, cover back/show")],
    "and is offered all along if the silence is short": [
        *IS_GONE, (CAME, "back/show met served", "tell here, cover back/show"),
        (SILENT, "silence over back/show met served", "tell away, wait"), (SILENT, "silence over back/show met served", "tell away"),
        (CAME, "back/show met served", "tell here, endWait"), (PRESSED, "site met served", "show")],
    "a goodbye in that silence ends it": [
        *IS_GONE, (CAME, "back/show met served", "tell here, cover back/show"),
        (SILENT, "silence over back/show met served", "tell away, wait"), (LEFT, "gone met served", "tell away, endWait, cover gone, clear")],

    "whoever is heard of and does not answer is not said to be here, nor away": [
        *HERE, (NO_ANSWER, "silence met served", "tell noAnswer, wait, hide, cover noAnswer"),
        (NO_ANSWER, "silence met served", "tell noAnswer"), (SILENT, "silence met served", "tell away, cover silent"),
        (NO_ANSWER, "silence met served", "tell noAnswer, cover noAnswer"), (CAME, "site met served", "tell here, endWait, uncover")],
    "a silence of whoever only seemed to come ends too": [
        *BEGINS, (LISTED, "site unmet asked", ""), (LEFT, "site away asked", "tell away"), (ARRIVING, "site coming asked", "tell here"),
        (SILENT, "silence coming asked", "tell away, wait, hide, cover silent"), (NO_ANSWER, "silence coming asked", "tell noAnswer, cover noAnswer"),
        (WAITED, "goneNoAnswer coming asked", "tell noAnswer, unload, endWait, cover goneNoAnswer, clear")],
    "nor is it after the while, and the site is offered when they answer": [
        *HERE, (NO_ANSWER, "silence met served", "tell noAnswer, wait, hide, cover noAnswer"),
        (WAITED, "goneNoAnswer met served", "tell noAnswer, unload, endWait, cover goneNoAnswer, clear"),
        (NO_ANSWER, "goneNoAnswer met served", "tell noAnswer"), (CAME, "back/show met served", "tell here, cover back/show"),
        (NO_ANSWER, "silence over back/show met served", "tell noAnswer, wait"), (SILENT, "silence over back/show met served", "tell away"),
        (WAITED, "gone met served", "tell away, endWait, cover gone, clear")],
    "also from the start": [
        *BEGINS, (LISTED, "site unmet asked", ""), (NO_ANSWER, "site away asked", "tell noAnswer"), (UNREACHABLE, "site away none", "unwatch"),
        (ARRIVING, "site coming none", "tell here"), (NO_ANSWER, "site away none", "tell noAnswer"),
        (CAME, "site met asked", "tell here, show, watch")],

    # Silence
    "whoever falls silent is covered once, and uncovered when they are back": [
        *IS_SILENT, (SILENT, "silence met served", "tell away"), (CAME, "site met served", "tell here, endWait, uncover")],
    "and gone after a while, if somebody looks": [
        *IS_SILENT, (HIDDEN, "silence met served hidden", ""), (WAITED, "silence met served hidden", "wait"), (SEEN, "silence met served", ""),
        (WAITED, "gone met served", "tell away, unload, endWait, cover gone, clear"), (WAITED, "gone met served", "")],
    "a goodbye ends the while": [
        *IS_SILENT, (LEFT, "gone met served", "tell away, unload, endWait, cover gone, clear"), (WAITED, "gone met served", "")],
    "a frame that moved behind the curtain is shown anew": [
        *IS_SILENT, (MOVED, "silence, moved met served", ""), (CAME, "site met served", "tell here, endWait, show")],
    "what the curtain says of something else is not taken away by a silence": [
        *HERE, (LED, "out/show met served", "unload, cover out/show"),
        (SILENT, "silence over out/show met served", "tell away, wait"), (MOVED, "silence over out/show met served", ""),
        (CAME, "out/show met served", "tell here, endWait"), (PRESSED, "site met served", "show")],
    "its button goes on working": [
        *HERE, (LED, "out/show met served", "unload, cover out/show"), (SILENT, "silence over out/show met served", "tell away, wait"),
        (PRESSED, "site met served", "endWait, show")],
    "and after the while they are gone": [
        *HERE, (LED, "out/show met served", "unload, cover out/show"), (SILENT, "silence over out/show met served", "tell away, wait"),
        (WAITED, "gone met served", "tell away, endWait, cover gone, clear")],
    "who falls silent before the site is there is gone after the while, or not": [
        *BEGINS[:2], (LISTED, "nothing unmet none", ""), (CAME, "nothing met none", "tell here"),
        (SILENT, "silence over nothing met none", "tell away, wait"), (CAME, "nothing met none", "tell here, endWait"),
        (SILENT, "silence over nothing met none", "tell away, wait"), (WAITED, "gone met none", "tell away, endWait, cover gone, clear")],
    "a reload ends the while": [*IS_SILENT, (RELOADED, "site met served", "endWait, show"), (WAITED, "site met served", "")],
    "the watch tells of whoever is in no list: silent, and back": [
        *IS_SILENT_UNLISTED, (BROKE_REFUSED, "silence unmet served", "askWhy"), (UNREACHABLE, "silence unmet served", ""),
        (READY, "site unmet served", "endWait, uncover")],
    "silent, and gone": [
        *IS_SILENT_UNLISTED,
        (WAITED, "goneUnlisted/show unmet ended", "unwatch, tell away, unload, endWait, cover goneUnlisted/show, clear"),
        (PRESSED, "site unmet asked", "show, watch")],
    "silent, and in the list": [
        *IS_SILENT_UNLISTED, (LISTED, "silence unmet served", ""), (READY, "silence unmet served", ""),
        (CAME, "site met served", "tell here, endWait, uncover")],

    # The watch
    "whoever is no longer among those who see the site does not": [
        *HERE, (OTHERWISE_LOST, "site met served", ""), (LOST, "notInvited/show met ended", "unwatch, unload, cover notInvited/show"),
        (PRESSED, "site met asked", "show, watch"), (BROKE_REFUSED, "site met asked", "askWhy"),
        (answered(403), "notInvited/show met none", "unwatch, unload, cover notInvited/show")],
    "a watch that broke is tried again, and ends where there is nothing to watch": [
        *HERE, (BROKE, "site met served", ""), (LED, "out/show met served", "unload, cover out/show"), (BROKE, "out/show met served", ""),
        (BROKE_REFUSED, "out/show met ended", "unwatch"), (PRESSED, "site met asked", "show, watch")],
    "whoever does not tell of changes is left alone until the page is looked at again": [
        *HERE, (BROKE_REFUSED, "site met served", "askWhy"), (answered(404), "site met ended", "unwatch"), (READY, "site met ended", ""),
        (HIDDEN, "site met ended hidden", ""), (SEEN, "site met served", "watch")],
    "a refusal that comes when the frame has gone ends the watch": [
        *HERE, (BROKE_REFUSED, "site met served", "askWhy"), (LED, "out/show met served", "unload, cover out/show"),
        (answered(403), "out/show met ended", "unwatch")],
    "the watch of whoever is away ends, and what else went wrong may be over": [
        *BEGINS, (LISTED, "site unmet asked", ""), (LEFT, "site away asked", "tell away"), (BROKE_REFUSED, "site away asked", "askWhy"),
        (answered(500), "site away asked", ""), (UNREACHABLE, "site away none", "unwatch"), (CAME, "site met asked", "tell here, show, watch")],
    "the watch of whoever is in the list tells of no silence": [
        *HERE, (BROKE_REFUSED, "site met served", "askWhy"), (UNREACHABLE, "site met served", "")],

    # The person who looks
    "what an old page is refused has a button that loads it again, whatever comes of the owner": [
        *HERE, (TOO_OLD, "tooOld/reload met served", "unload, cover tooOld/reload"), (SILENT, "silence over tooOld/reload met served", "tell away, wait"),
        (CAME, "tooOld/reload met served", "tell here, endWait"), (PRESSED, "tooOld/reload met served", "reload")],
    "also where somebody is to be unblocked": [
        *IS_BLOCKED, (PRESSED, "blocked/unblock met ended blocked", "unblock"),
        (TOO_OLD, "tooOld/reload met ended blocked", "cover tooOld/reload"), (PRESSED, "tooOld/reload met ended blocked", "reload")],
    "and where the visit could not begin": [
        (TOO_OLD, "tooOld/reload unmet none", "cover tooOld/reload"), (PRESSED, "tooOld/reload unmet none", "reload")],
    "what a person keeps stays when its owner goes, and what was refused is said": [
        *HERE, (KEPT, "site met served kept", ""), (LEFT, "gone met served kept", "tell away, unload, cover gone"),
        (REFUSED, "refused/show met served kept", "cover refused/show"), (CAME, "refused/show met served kept", "tell here"),
        (PRESSED, "site met served kept", "show")],
    "forgetting: the site goes, and its end is told": [
        *HERE, (KEPT, "site met served kept", ""), (FORGOT, "forgetting met served", "showKept, unload, cover forgetting, clear told"),
        (PRESSED, "forgetting met served", ""), (NOT_CLEARED, "notForgotten/forget met served", "cover notForgotten/forget"),
        (PRESSED, "notForgotten/forget met served", "forget"), (FORGOT, "forgetting met served", "showKept, cover forgetting, clear told"),
        (CLEARED, "forgotten/show met served", "cover forgotten/show"), (PRESSED, "site met served", "show")],
    "blocked: nothing of the owner is told or shown until that is taken back": [
        *IS_BLOCKED, *[(step, "blocked/unblock met ended blocked", "") for step in (CAME, LEFT, SILENT, WAITED, SEEN, MOVED, LED)],
        (RELOADED, "blocked/unblock met ended blocked", "offerBlock, tell blocked, cover blocked/unblock"),
        (PRESSED, "blocked/unblock met ended blocked", "unblock"),
        (NOT_UNBLOCKED, "refused/unblock met ended blocked", "cover refused/unblock"), (PRESSED, "refused/unblock met ended blocked", "unblock"),
        (UNBLOCKED, "site met asked", "offerBlock, tell looking, show, watch")],
    "blocked from the start, and somebody in no list": [
        *BEGINS[:2], (BEGUN_BLOCKED, "nothing unmet none blocked", "showKept, offerBlock, lookUp"),
        (NAMED, "blocked/unblock unmet none blocked", "name, tell blocked, cover blocked/unblock"),
        (UNBLOCKED, "site unmet asked", "offerBlock, tell unlisted, show, watch"),
        (BLOCKED, "nothing unmet none blocked", "unload, unwatch, offerBlock, lookUp"),
        (UNNAMED, "blocked/unblock unmet none blocked", "tell blocked, cover blocked/unblock"),
        (UNBLOCKED, "site unmet asked", "offerBlock, tell unlisted, show, watch")],
    "blocked and unblocked before the viewer could say whom": [
        *UNLISTED, (BLOCKED, "nothing unmet ended blocked", "unload, unwatch, offerBlock, lookUp"),
        (UNBLOCKED, "site unmet asked", "offerBlock, tell unlisted, show, watch"), (NAMED, "site unmet asked", "")],
    "forgotten while blocked": [
        *IS_BLOCKED, (FORGOT, "forgetting met ended blocked", "showKept, cover forgetting, clear told"),
        (CLEARED, "forgotten/show met ended blocked", "cover forgotten/show"),
        (PRESSED, "blocked/unblock met ended blocked", "offerBlock, tell blocked, cover blocked/unblock")],
    "blocked in the silence": [
        *IS_SILENT, (BLOCKED, "blocked/unblock met ended blocked", "unload, endWait, unwatch, offerBlock, tell blocked, cover blocked/unblock"),
        (WAITED, "blocked/unblock met ended blocked", "")],
}

TEXTS = """
const doneText = ({ do: what, why, then, what: told, isSealed, isTold }) => [
  what, ...(why ? [then ? `${why}/${then}` : why] : []), ...(told ? [told] : []),
  ...(what === "clear" && isTold ? ["told"] : []), ...(what === "clear" && isSealed ? ["sealed"] : []),
].join(" ");
const screenText = ({ is, why, then, hasFrame, isMoved }) => {
  if (is === "curtain") return then ? `${why}/${then}` : why;
  if (is !== "silence") return is;
  return hasFrame ? `silence${isMoved ? ", moved" : ""}` : `silence over ${then ? `${why}/${then}` : why || "nothing"}`;
};
const stateText = ({ screen, owner, watch, isKept, isBlocked, isHidden }) => [
  screenText(screen), owner, watch, ...(isKept ? ["kept"] : []), ...(isBlocked ? ["blocked"] : []), ...(isHidden ? ["hidden"] : []),
].join(" ");
"""

# Gives for each event the state and what is done.
PLAY = TEXTS + """
const run = ({ Visit }, curtain, events) => {
  const visit = new Visit({ isHidden: false });
  return events.map((event) => {
    const done = visit.take(event).map(doneText).join(", ");
    return [stateText(visit.state), done];
  });
};
"""

# Plays events in any order and looks at what must always be so. Gives what was not, or nothing.
ANY_ORDER = TEXTS + """
const generator = (seed) => () => {
  seed = (seed + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(seed ^ (seed >>> 15), seed | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
};

/// The page as the actions leave it: each of them fits what is there.
class Page {
  frame = "none";
  isWaiting = false;
  isWatching = false;
  /// How many paths are asked for.
  asked = 0;
  /// What the button of the curtain does.
  then = null;

  do({ do: what, isSealed, root, why, then, ...more }, { isBlocked, isHidden, list, place }, sentenceOf) {
    const must = (isSo, says) => { if (!isSo) throw new Error(`${what}: ${says}`); };
    if (what === "show") {
      must(typeof root === "string" && root === place.root && isSealed === place.isSealed, "not where the site lives");
      must(!isBlocked, "blocked");
      must(!this.isWaiting, "the while was not ended");
      this.frame = "seen";
      this.then = null;
    }
    if (what === "unload") { must(this.frame !== "none", "no frame"); this.frame = "none"; }
    if (what === "hide") { must(this.frame === "seen" && this.isWaiting, "nothing to hide"); this.frame = "hidden"; }
    if (what === "uncover") { must(this.frame === "hidden" && !this.isWaiting, "nothing to uncover"); this.frame = "seen"; }
    if (what === "wait") { must(!this.isWaiting, "twice"); this.isWaiting = true; }
    if (what === "endWait") this.isWaiting = false;
    if (what === "watch") {
      must(!this.isWatching, "twice");
      must(!isBlocked && !isHidden && list !== "own" && this.frame !== "none", "nothing to watch");
      this.isWatching = true;
    }
    if (what === "unwatch") { must(this.isWatching, "no watch"); this.isWatching = false; }
    if (what === "askWhy") must(this.isWatching && this.frame !== "none", "no watch");
    if (what === "askPath") this.asked += 1;
    if (what === "reload") must(this.then === "reload" || (place.isSealed && place.root === null && !isBlocked), "nothing has ended");
    if (what === "clear") must(this.frame === "none", "the site is there");
    if (what === "cover") {
      must(this.frame !== "seen", "the site is there");
      const { title, text, show = "" } = sentenceOf(why, { then, name: "Ada", ...more });
      must(title && text && (show !== "") === (then !== null), `${why} says ${title}, ${text}, ${show}`);
      this.then = then;
    }
  }
}

const run = ({ Visit }, { sentenceOf }, places, events, count, length) => {
  for (let seed = 1; seed <= count; seed += 1) {
    const random = generator(seed);
    const visit = new Visit({ isHidden: false });
    const page = new Page();
    const steps = [];
    const oneOf = (list) => list[Math.floor(random() * list.length)];
    try {
      for (const event of [oneOf(places), ...Array.from({ length }, () => oneOf(events))]) {
        // What is over was begun.
        if (event.type === "waited") { if (!page.isWaiting) continue; page.isWaiting = false; }
        if (event.type.startsWith("path")) { if (page.asked === 0) continue; page.asked -= 1; }
        steps.push(event.type);
        const done = visit.take(event);
        const { state } = visit;
        for (const action of done) page.do(action, state, sentenceOf);
        const must = (isSo, says) => { if (!isSo) throw new Error(`${says}; ${stateText(state)}; ${done.map(doneText).join(", ")}`); };
        must((page.frame === "seen") === visit.isShown && (page.frame !== "none") === visit.hasFrame, `the frame is ${page.frame}`);
        must(page.isWatching === ["asked", "served"].includes(state.watch), `the watch is ${page.isWatching}`);
        must(!page.isWaiting || visit.isSilent, "a while outside of the silence");
        must(!visit.isSilent || page.isWaiting, "a silence that never ends");
        must(!state.isBlocked || (page.frame === "none" && !page.isWatching && !page.isWaiting), "blocked, and something goes on");
        must(page.frame === "none" || visit.root !== null, "a frame without a place");
        must(page.frame === "none" || state.hasBegun, "a frame before the visit has begun");
        const wasHere = state.owner === "met" || state.owner === "coming";
        must(event.type !== "left" || state.isBlocked || !wasHere || page.frame === "none", "gone, and there is a frame");
        const isCleared = done.some((one) => one.do === "clear");
        must(!isCleared || !visit.isSealed || visit.root === null, "the secret path goes on");
        must(!isCleared || !state.isKept, "what is kept is cleared");
      }
    } catch (error) {
      return `seed ${seed}: ${error.message}; after ${steps.join(" ")}`;
    }
  }
  return "";
};
"""

MODULES = 'Promise.all([import("/assets/visit.js"), import("/assets/curtain.js")])'


def asked(page, script, *arguments):
    """What `run` of the script gives for the two modules and the arguments; a text that begins with `threw` if it threw."""
    return page.driver.execute_async_script(
        f"const done = arguments[arguments.length - 1]; const given = [...arguments].slice(0, -1); {script}\n"
        f"{MODULES}.then(async (modules) => done(await run(...modules, ...given))).catch((error) => done(`threw ${{error}}`))", *arguments)


def everywhere(suite, page, url):
    page.driver.get(url)
    for name, steps in SEQUENCES.items():
        with suite.check(f"a visit: {name}"):
            found = asked(page, PLAY, [step[0] for step in steps])
            expect(not isinstance(found, str), found)
            for number, ((happens, *wanted), got) in enumerate(zip(steps, found, strict=True), 1):
                expect(got == wanted, f"step {number}, {happens}: {got}, not {wanted}")
    with suite.check("a visit: the silence says since when only if that is known, and as the other pages write a time"):
        sentence = "const run = (visit, { sentenceOf }, since) => sentenceOf('silent', { name: 'Ada', since }).text;"
        unknown = asked(page, sentence, 0)
        expect(unknown.startswith("The page stays as you left it"), unknown)
        moment = page.run("return new Date(2026, 0, 31, 9, 5).getTime()")
        time = page.run("return new Date(arguments[0]).toLocaleTimeString([], { hour: 'numeric', minute: '2-digit' })", moment)
        known = asked(page, sentence, moment)
        expect(known == f"Not heard of since {time}. {unknown}", known)
    events = [step[0] for steps in SEQUENCES.values() for step in steps]
    events = [one for number, one in enumerate(events) if one not in events[:number]]
    with suite.check("a visit: each of its events is in a sequence, and another one is an error"):
        text = asked(page, "const run = () => fetch('/assets/visit.js').then((answer) => answer.text());")
        known = set(re.findall(r'case "(\w+)":', text))
        expect(len(known) > 20 and known == {one["type"] for one in events}, known)
        found = asked(page, PLAY, [event("other")])
        expect(found == "threw TypeError: a visit has no event other", found)
    with suite.check("a visit: in 3000 random orders of events what is done fits what is there"):
        found = asked(page, ANY_ORDER, [PLACED, SEALED], [one for one in events if one["type"] != "placed"], 3000, 60)
        expect(found == "", found)
