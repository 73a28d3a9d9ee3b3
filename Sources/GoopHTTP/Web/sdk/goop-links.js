// Ways out of a site's frame. A frame goes nowhere but to its own pages, and opens no windows: a link for a new tab does
// nothing at all. So that a person's click does not end in silence, the frame asks the viewer, which names the target and
// goes there only when the person says so.
//
// The viewer puts this in front of every script of the SDK, and behind every page that it serves into a frame
// (docs/decisions/0011). It works once, whichever comes first, and leaves nothing in the page's tree.
(() => {
  "use strict";
  const script = document.currentScript;
  if (script?.getAttribute("src") === "/sdk/goop-links.js") script.remove();
  const mark = Symbol.for("goop.links");
  // A site lives at /p/<id>/…, or at /c/<token>/p/<id>/… where the browser gives it no origin of its own.
  const place = /^(\/c\/[^/]+)?\/p\/[^/]+\//.exec(location.pathname);
  if (window[mark] || !place) return;
  Object.defineProperty(window, mark, { value: true });
  const prefix = place[1] ?? "";

  /** The address as a URL; null if it is none, or none of the web. */
  function webAddress(text) {
    try {
      const address = new URL(text, document.baseURI);
      return /^https?:$/.test(address.protocol) ? address : null;
    } catch {
      return null;
    }
  }

  const isOwn = (address) => address.host === location.host && address.protocol === location.protocol;
  // A site has no frames of its own, so every other name would be that of a new window, or of the viewer's.
  const isHere = (name) => /^(_self)?$/i.test(name);
  // A click that a script makes counts while it answers a person's.
  const isByPerson = (event) => event.isTrusted || navigator.userActivation?.isActive === true;

  function go(address) {
    location.href = isOwn(address) ? address.href : `${prefix}/out?to=${encodeURIComponent(address.href)}`;
  }

  // On the window, so that whatever the page does with the click comes first.
  addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || !isByPerson(event)) return;
    const link = event.composedPath().find((one) => one instanceof Element && one.matches("a[href], area[href]"));
    if (!link || link.hasAttribute("download")) return;
    const address = webAddress(link.getAttribute("href"));
    const name = link.getAttribute("target") || document.querySelector("base[target]")?.getAttribute("target") || "";
    if (!address || (isOwn(address) && isHere(name))) return;
    event.preventDefault();
    go(address);
  });

  const open = window.open;
  window.open = (text = "", name = "", ...more) => {
    const address = text === "" || isHere(String(name || "_blank")) ? null : webAddress(text);
    // By itself a page opens nothing: the browser sees to that.
    if (!address || navigator.userActivation?.isActive !== true) return open.call(window, text, name, ...more);
    go(address);
    return null;
  };
})();
