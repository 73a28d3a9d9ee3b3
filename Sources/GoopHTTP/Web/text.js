// Words and small parts that every page of the viewer uses, the one around a site too. Names and reasons were written by
// strangers: they only ever become text.

export const find = (id) => document.getElementById(id);

/// Without control characters, marks that change the direction of the text around them, and what is seen nowhere; joiners and variation
/// selectors stay, for several scripts and many pictures of people are written with them. Empty if nothing can be seen.
export const clean = (text) => String(text ?? "")
  .replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/gu, " ")
  .replace(/(?![\u200c\u200d\ufe0e\ufe0f])\p{Default_Ignorable_Code_Point}/gu, "")
  .replace(/^[\s\p{Default_Ignorable_Code_Point}]+$/u, "").trim();

/// The end of an id, which is what people can compare.
export const printOf = (id) => `…${id.slice(-8, -4)} ${id.slice(-4)}`;

/// The owner's own name for a peer wins over the one it gives itself.
export const nameOf = (peer) => clean(peer.petname) || clean(peer.label) || "Somebody without a name";

/// The way that the other peer is reached, in words.
/// @param isBeyond signed in from another computer: this browser is not where Goop² runs
export const waysSeen = (isBeyond) => ({
  loopback: isBeyond ? "on the same computer as your Goop²" : "on this computer",
  lan: isBeyond ? "on the network of your Goop²" : "on your network",
  internet: "over the internet",
  relay: "through a relay",
});

/// The address of a site as somebody else opens it: that of the usual viewer, whatever this one's is.
export const siteLink = (id, path = "/") => `http://127.0.0.1:8080/p/${id}${path}`;

export function agoText(milliseconds) {
  if (!milliseconds) return "never seen";
  const seconds = Math.max(0, (Date.now() - milliseconds) / 1000);
  if (seconds < 45) return "last seen just now";
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `last seen ${minutes} min ago`;
  const hours = Math.round(minutes / 60);
  if (hours < 24) return `last seen ${hours} h ago`;
  const days = Math.round(hours / 24);
  return days === 1 ? "last seen yesterday" : `last seen ${days} days ago`;
}

export function sizeText(bytes) {
  if (bytes < 1000) return bytes === 1 ? "1 byte" : `${bytes} bytes`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) { value /= 1000; unit += 1; }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/// From what children were made: `{key, text}`.
const origins = new WeakMap();

/// Shows children in this order. One whose `text` is as it was is not made anew, and one in its place is not touched: somebody
/// may be pressing a button of it, or reading it.
/// @param wanted `[{ key, text, make }]`: what tells it from its siblings, all that it shows, and what makes its element
export function arrangeChildren(place, wanted) {
  const before = new Map([...place.children].map((child) => [origins.get(child)?.key, child]));
  const children = wanted.map(({ key, text, make }) => {
    const old = before.get(key);
    if (old && origins.get(old)?.text === text) return old;
    const child = make();
    origins.set(child, { key, text });
    return child;
  });
  const stays = new Set(children);
  for (const child of [...place.children]) if (!stays.has(child)) child.remove();
  // From the end: each belongs in front of the one placed before it.
  let next = null;
  for (const child of children.toReversed()) {
    if (child.parentNode !== place || child.nextElementSibling !== next) place.insertBefore(child, next);
    next = child;
  }
}
