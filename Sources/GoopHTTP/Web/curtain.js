// The curtain: what stands in the place of a site that is not shown, and why. visit.js says which of these sentences it is.

import { find, say, setText } from "/assets/words.js";

const back = "Back to the site";
const again = "Try again";
const goes = (name, whom) => `The site of ${name} wants to take you to ${whom}.`;
const mayBe = "Their computer may be asleep or its network slow, or their Goop² may be stopping, or not want to hear from you.";
const seesYou = "Whoever runs it will see that you come.";

/// A sentence about a moment; empty if it is not known.
const sinceText = (since) =>
  (since ? `Not heard of since ${new Date(since).toLocaleTimeString([], { hour: "numeric", minute: "2-digit" })}. ` : "");

/// By the reason: the title, the text, and the words of the button if it has one; perhaps the words of the link out, whether it leads
/// there in this tab, and whether the link to the own site can be copied. `name` is the owner's.
const sentences = {
  failed: ({ reason }) => ({ title: "The site cannot be shown", text: reason, show: again }),
  outdated: () => ({
    title: "The site has to be loaded again",
    text: "Its address here has ended: your Goop² was started again, or you have signed in again. A site that runs sealed off has such an address, and could ask for nothing more.",
    show: "Load it again",
  }),
  tooOld: () => ({
    title: "This page has to be loaded again",
    text: "Goop² was started again since it was loaded, and takes nothing from it any more. Nothing was changed.",
    show: "Load it again",
  }),
  refused: ({ reason, then }) => ({ title: "This did not work", text: reason, show: then === "show" ? back : again }),

  near: () => ({
    title: "This link leads out of the site",
    text: "It points to another page of your own viewer, or to another program on this computer. A site cannot open those for you.",
    show: back,
  }),
  unreadable: () => ({ title: "This link does not open here", text: "Its address cannot be read.", show: back }),
  noAddress: () => ({
    title: "This link does not open here",
    text: "It leads to something that is no page of this site and no web address.",
    show: back,
  }),
  otherSite: ({ name, whom }) => ({
    title: "This link leads to another site",
    text: goes(name, `the site of ${whom}, at the address below`),
    show: back, open: "Visit that site", isHere: true,
  }),
  out: ({ name }) => ({
    title: "This link leads out of Goop²",
    text: `${goes(name, "the address below")} ${seesYou}`,
    show: back,
  }),
  /// The browser refused it, and keeps the rest of the address to itself.
  outByBrowser: ({ name }) => ({
    title: "This link leads out of Goop²",
    text: `${goes(name, "the address below")} ${seesYou} Your browser tells the viewer only this much of the address.`,
    show: back,
  }),

  back: ({ name }) => ({ title: `${name} is back`, text: "The site can be shown again.", show: "Show the site" }),
  gone: ({ name, seen }) => ({
    title: `${name} is gone`,
    text: `${seen ? `${seen[0].toUpperCase()}${seen.slice(1)}. ` : ""}A site is there only while its owner is. It is offered here again when they come back.`,
  }),
  goneUnlisted: ({ name }) => ({
    title: `${name} is gone`,
    text: "A site is there only while its owner is. This one is in no list of people, so nothing tells when they come back.",
    show: again,
  }),
  silent: ({ name, since }) => ({
    title: `Nothing is heard of ${name}`,
    text: `${sinceText(since)}The page stays as you left it for half a minute, and is shown again if they come back.`,
  }),
  noAnswer: ({ name }) => ({
    title: `${name} does not answer`,
    text: `${mayBe} The page stays as you left it for half a minute, and is shown again if they answer.`,
  }),
  goneNoAnswer: ({ name }) => ({
    title: `${name} does not answer`,
    text: `${mayBe} A site is there only while its owner answers. It is offered here again when they do.`,
  }),
  notInvited: ({ name }) => ({
    title: `${name} shows this site to certain people only`,
    text: "You are not among them, or no longer. Send them the link to your site and ask them to name you.",
    show: again, copies: true,
  }),

  forgetting: () => ({ title: "Forgetting this site…", text: "The browser is removing what it stored." }),
  forgotten: ({ isBlocked }) => ({
    title: "This site is forgotten",
    text: "What it kept in this browser is gone, and it no longer learns your e-mail address.",
    show: isBlocked ? "Go back" : "Visit it again",
  }),
  notForgotten: () => ({
    title: "This site is not quite forgotten",
    text: "It is no longer kept, and no longer learns your e-mail address. The browser has not removed what it stored: that is tried again when you open People or another room.",
    show: again,
  }),
  blocked: ({ name }) => ({
    title: `You have blocked ${name}`,
    text: "Nothing of this site is loaded, and its owner gets nothing of yours. You can take that back now, or at any time at the foot of the list of people.",
    show: "Unblock",
  }),
};

/// What the curtain says for a reason. It has words for its button exactly where `how.then` is not null.
/// @param how what the action `cover` of visit.js brings, and the owner's `name`
export const sentenceOf = (why, how) => sentences[why](how);

/// Covers what is below the bar.
export function cover(why, how) {
  const { title, text, show = "", open = "Open it in a new tab", isHere = false, copies = false } = sentenceOf(why, how);
  const { target = "" } = how;
  setText(find("curtain-title"), title);
  setText(find("curtain-text"), text);
  setText(find("curtain-target"), target);
  find("curtain-target").hidden = target === "";
  find("curtain-open").hidden = target === "";
  if (target) find("curtain-open").href = target; else find("curtain-open").removeAttribute("href");
  if (isHere) find("curtain-open").removeAttribute("target"); else find("curtain-open").target = "_blank";
  setText(find("curtain-open"), open);
  setText(find("curtain-show"), show);
  find("curtain-show").hidden = show === "";
  find("curtain-copy").hidden = !copies;
  find("curtain").hidden = false;
  find("curtain-title").focus({ preventScroll: true });
  say(`${title}. ${text}`);
}

/// True if the focus was on it: whoever pressed a button of the curtain goes on in the page that comes in its place.
export function uncover() {
  const hadFocus = find("curtain").contains(document.activeElement);
  find("curtain").hidden = true;
  return hadFocus;
}
