// Goop.template: what the template that the site was made from says of it, as its owner has it.
(() => {
  "use strict";
  const Goop = window.Goop;
  if (Goop.template) return;
  /** Of a site that was made without one. */
  const usual = { require_email: false };
  let known;

  const template = {
    /**
     * The settings of the owner's template.
     * @returns {Promise<{name?: string, description?: string, category?: string, icon?: string, require_email: boolean}>}
     */
    get() {
      if (Goop.http.host === null) return Promise.resolve(usual);
      known ??= Goop.http.get("/api/template/settings").then((found) => ({ ...usual, ...found })).catch((error) => {
        // An owner whose program has no word for it.
        if (error.code === "unknown_operation") return usual;
        known = undefined;
        throw error;
      });
      return known;
    },
    /** Whether the site asks for an e-mail. @returns {Promise<boolean>} */
    requireEmail: async () => (await template.get()).require_email === true,
  };
  Goop.template = template;
})();
