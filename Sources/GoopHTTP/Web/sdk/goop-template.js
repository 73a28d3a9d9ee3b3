// Goop.template: settings of the template that a site was made from. There are no templates with settings yet, so
// these are the answers of a site that was made by hand.
(() => {
  "use strict";
  const Goop = window.Goop;
  Goop.template ??= {
    /** The settings. @returns {Promise<{require_email: boolean}>} */
    get: async () => ({ require_email: false }),
    /** Whether the site asks for an e-mail. @returns {Promise<boolean>} */
    requireEmail: async () => false,
  };
})();
