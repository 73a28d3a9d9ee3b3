// Who is visiting now, and who was lately. Fills <section id="visitors">. Names and paths come from strangers: text only.

import { showPicture } from "/assets/identicon.js";
import { followSite } from "/assets/site-live.js";
import { agoText, arrangeChildren, clean, element, find, nameOf, printOf, say } from "/assets/words.js";

const place = find("visitors");
const summary = element("p", "note");
const list = element("ul", "plain guests");
let latest = [];
let heard = null;

const times = (count, one, many) => (count === 1 ? `1 ${one}` : `${count} ${many}`);

function whatText(visitor) {
  const parts = [];
  if (visitor.here) {
    parts.push(visitor.pages > 0 ? "Has your site open" : "Is reading now");
  } else {
    parts.push(agoText(visitor.last).replace(/^l/, "L").replace(/^s/, "S"));
  }
  if (visitor.path) parts.push(`last asked for ${clean(visitor.path)}`);
  const minutes = Math.round((Date.now() - visitor.since) / 60000);
  parts.push(minutes < 1 ? "came just now" : `came ${times(minutes, "minute", "minutes")} ago`);
  parts.push(times(visitor.requests, "request", "requests"));
  return parts.join(" · ");
}

function row(visitor) {
  const picture = element("span", "picture");
  showPicture(picture, visitor.id);
  const print = element("span", "print", printOf(visitor.id));
  print.title = visitor.id;
  const name = element("span", "guest-name", element("bdi", "", nameOf(visitor)), " ", print, element("span", "note", whatText(visitor)));
  const item = element("li", "guest", picture, name);
  item.dataset.id = visitor.id;
  item.dataset.here = String(visitor.here);
  return item;
}

function show() {
  const here = latest.filter((visitor) => visitor.here).length;
  summary.textContent = latest.length === 0
    ? "Nobody has come since this peer was started, or not for a quarter of an hour."
    : `${here === 0 ? "Nobody is" : here === 1 ? "1 person is" : `${here} people are`} here now. Who left is listed for a quarter of an hour; nothing of this is kept.`;
  arrangeChildren(list, latest.map((visitor) => (
    { key: visitor.id, text: JSON.stringify([visitor, whatText(visitor)]), make: () => row(visitor) })));
  list.hidden = latest.length === 0;
}

function hear() {
  const now = new Set(latest.filter((visitor) => visitor.here).map((visitor) => visitor.id));
  const came = heard ? latest.filter((visitor) => visitor.here && !heard.has(visitor.id)) : [];
  // Whoever only reads a file is here for a moment: that is said once.
  heard = new Set([...(heard ?? []), ...now]);
  if (came.length === 1) say(`${nameOf(came[0])} visits your site.`);
  if (came.length > 1) say(`${came.length} people visit your site.`);
}

if (place) {
  const title = place.querySelector("h2");
  list.setAttribute("aria-label", "Visitors");
  place.replaceChildren(...(title ? [title] : []), summary, list);
  show();
  followSite(({ visitors }) => {
    latest = visitors;
    show();
    hear();
  });
  // "5 minutes ago" grows old by itself.
  setInterval(() => { if (!document.hidden) show(); }, 30000);
}
