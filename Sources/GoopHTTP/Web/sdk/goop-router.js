// Goop.router: pages and parameters of the site's own addresses.
(() => {
  "use strict";
  const Goop = window.Goop;
  if (Goop.router) return;
  const { host, prefix } = Goop.http;
  const root = host === null ? "/" : `${prefix}/p/${host}/`;

  const address = (page, params) => {
    const relative = String(page ?? "").replace(/^\/+/, "");
    const url = new URL(root + relative, location.origin === "null" ? location.href : location.origin);
    for (const [name, value] of Object.entries(params ?? {})) {
      if (value !== undefined && value !== null) url.searchParams.set(name, value);
    }
    // A page name cannot lead out of the site.
    if (!url.pathname.startsWith(root)) throw new Goop.Error("this page is not of this site", { code: "bad_request" });
    return url.pathname + url.search + url.hash;
  };

  Goop.router = {
    /** One parameter of the address, `fallback` when it is not there. @param {string} name */
    param: (name, fallback = null) => new URLSearchParams(location.search).get(name) ?? fallback,
    /** All parameters of the address. @returns {Object<string, string>} */
    params: () => Object.fromEntries(new URLSearchParams(location.search)),
    /** The page within the site, for example `post.html`; the front page is `index.html`. */
    page: () => {
      const path = decodeURIComponent(location.pathname.slice(root.length));
      return path === "" || path.endsWith("/") ? `${path}index.html` : path;
    },
    /** The address of a page of the site. @param {string} page @param {object} [params] */
    url: address,
    /** Goes to a page of the site. @param {string} page @param {object} [params] */
    go: (page, params) => { location.href = address(page, params); },
    /** Goes to the front page of the site. */
    home: () => { location.href = root; },
  };
})();
