// Goop.site: the files of the site that this page belongs to, to be read. Files are changed by their owner, in the
// viewer or in the folder, and never by a page.
(() => {
  "use strict";
  const Goop = window.Goop;
  if (Goop.site) return;
  const { http } = Goop;
  const refuse = (what, code) => () => Promise.reject(new Goop.Error(what, { code }));

  const site = {
    /** A file as a `Response`. @param {string} path */
    async fetch(path) {
      if (http.host === null) throw new Goop.Error("this page belongs to no site", { code: "bad_request" });
      const encoded = String(path).split("/").filter((part) => part !== "").map(encodeURIComponent).join("/");
      return http.send(`/p/${http.host}/${encoded}`, { method: "GET" });
    },
    /** The text of a file. @param {string} path @returns {Promise<string>} */
    read: async (path) => (await site.fetch(path)).text(),
    /** Sites cannot list their folder; name the files in a file of your own, such as `files.json`. */
    files: refuse("a page cannot list the files of its site", "not_available"),
    /** Files are changed by their owner. */
    upload: refuse("a page cannot change the files of its site", "read_only"),
    /** Files are changed by their owner. */
    remove: refuse("a page cannot change the files of its site", "read_only"),
  };
  Goop.site = site;
})();
