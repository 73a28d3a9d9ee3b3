// Where in its site a page is. The page of the viewer around the frame keeps its own address at what the frame shows, so that a
// reload and a copied address lead there. It cannot look into the frame, and the viewer sees only what a frame asks for: so the page
// tells of its fragment, and of addresses that it makes up with `history.pushState` (docs/protocols.md).
//
// The viewer puts this where goop-links.js is: in front of every script of the SDK, and behind every page that it serves into a
// frame. It works once, whichever comes first.
(() => {
  "use strict";
  const mark = Symbol.for("goop.place");
  // A site lives at /p/<id>/…, or at /c/<token>/p/<id>/… where the browser gives it no origin of its own.
  const place = /^(\/c\/[^/]+)?\/p\/[^/]+(?=\/)/.exec(location.pathname);
  if (window[mark] || !place || parent === window) return;
  Object.defineProperty(window, mark, { value: true });
  const root = place[0];

  /** An address from the slash behind the site's root on; null for one that is not within the site. */
  const within = ({ pathname, search, hash }) =>
    pathname.startsWith(`${root}/`) ? pathname.slice(root.length) + search + hash : null;

  /** What the frame asked the viewer for: by now a script may have given the page another address. */
  const asked = new URL(performance.getEntriesByType("navigation")[0]?.name ?? location.href, location.href);
  asked.hash = "";
  const page = within(asked);

  // Nobody but the viewer is told. A secret path is at the viewer's own address; otherwise the site has a name of its own.
  const viewer = new URL(location.href);
  if (!place[1]) viewer.hostname = "127.0.0.1";

  function tell() {
    const path = within(location);
    if (path !== null) parent.postMessage({ goop: "place", path, page }, viewer.origin);
  }

  if (window.navigation?.currentEntry) {
    navigation.addEventListener("currententrychange", tell);
  } else {
    // An older browser, or a page without an origin, which is told nothing of its history. What a page calls is all there is then.
    for (const name of ["pushState", "replaceState"]) {
      const call = history[name];
      history[name] = function (...values) {
        call.apply(this, values);
        tell();
      };
    }
    addEventListener("popstate", tell);
    addEventListener("hashchange", tell);
  }
  tell();
})();
