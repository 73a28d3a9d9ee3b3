// Goop.group: groups do not exist yet. The visitor is in none, and joining says so.
(() => {
  "use strict";
  const Goop = window.Goop;
  const unavailable = () => Promise.reject(new Goop.Error("there are no groups yet", { code: "groups_not_available" }));
  Goop.group ??= {
    /** The visitor's groups. @returns {Promise<{subscriptions: object[], active_groups: object[]}>} */
    subscriptions: async () => ({ subscriptions: [], active_groups: [] }),
    join: unavailable,
    leave: unavailable,
    send: unavailable,
    /** Nothing will ever arrive. */
    subscribe: () => ({ close() {} }),
    unsubscribe() {},
  };
})();
