// Goop.identity: who the visitor is, as far as the visitor lets this site know.
(() => {
  "use strict";
  const Goop = window.Goop;
  if (Goop.identity) return;
  let known;
  let asked = null;

  /** Everybody, for all who ask at the same time and within a second of the answer: a page names whoever wrote each of its rows. */
  function everybody() {
    if (asked) return asked;
    const mine = (asked = Goop.http.get("/api/peers"));
    const forget = () => { if (asked === mine) asked = null; };
    mine.then(() => setTimeout(forget, 1000), forget);
    return mine;
  }

  const identity = {
    /**
     * The visitor. The e-mail is empty unless the visitor agreed to show it to this site.
     * @returns {Promise<{id: string, label: string, email: string, avatar_hash: string}>}
     */
    get() {
      known ??= Goop.http.get("/api/self").catch((error) => {
        known = undefined;
        throw error;
      });
      return known;
    },
    /** The visitor's peer id. @returns {Promise<string>} */
    id: async () => (await identity.get()).id,
    /** The visitor's name. @returns {Promise<string>} */
    label: async () => (await identity.get()).label,
    /** The visitor's e-mail, or an empty text. @returns {Promise<string>} */
    email: async () => (await identity.get()).email ?? "",
    /** Asks again. */
    refresh() {
      known = undefined;
      return identity.get();
    },
    /**
     * A name for a peer id: what that peer calls itself, else `serverName`, else the end of the id. The visitor's own names for
     * others are no business of sites.
     * @param {string} peerId @param {string} [serverName] @returns {Promise<string>}
     */
    async resolveName(peerId, serverName) {
      const self = await identity.get().catch(() => null);
      if (self?.id === peerId && self.label) return self.label;
      const peers = await everybody().catch(() => []);
      return peers.find(({ ID }) => ID === peerId)?.Content || serverName || `…${String(peerId).slice(-8)}`;
    },
  };
  Goop.identity = identity;
})();
