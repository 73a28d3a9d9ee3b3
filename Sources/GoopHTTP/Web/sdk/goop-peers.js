// Goop.peers: who is near the visitor.
(() => {
  "use strict";
  const Goop = window.Goop;
  if (Goop.peers) return;
  let timer;
  let round = 0;
  /** Asks now, for whoever follows the list. */
  let wake = null;

  // A tab that nobody looks at does not ask; shown again it asks at once.
  document.addEventListener("visibilitychange", () => { if (!document.hidden) wake?.(); });

  const peers = {
    /** The list now. @returns {Promise<Array<{ID: string, Content: string, Reachable: boolean, Offline: boolean}>>} */
    list: async () => (await Goop.http.get("/api/peers")) ?? [],

    /**
     * Follows the list: `onSnapshot(list)` once, then `onUpdate(peer)` and `onRemove(id)` for what changed. It rests while the tab
     * is hidden, also before the first look.
     * @param {object} listener @param {number} [milliseconds] between two looks
     */
    subscribe({ onSnapshot, onUpdate, onRemove, onError } = {}, milliseconds = 5000) {
      peers.unsubscribe();
      const own = ++round;
      let known = null;
      let isAsking = false;
      const look = async () => {
        clearTimeout(timer);
        if (isAsking || document.hidden) return;
        isAsking = true;
        try {
          const list = await peers.list();
          if (own !== round) return;
          const now = new Map(list.map((peer) => [peer.ID, JSON.stringify(peer)]));
          if (known === null) onSnapshot?.(list);
          else {
            for (const peer of list) if (known.get(peer.ID) !== now.get(peer.ID)) onUpdate?.(peer);
            for (const id of known.keys()) if (!now.has(id)) onRemove?.(id);
          }
          known = now;
        } catch (error) {
          if (own === round) onError?.(error);
        } finally {
          isAsking = false;
        }
        if (own === round) timer = setTimeout(look, Math.max(milliseconds, 500));
      };
      wake = look;
      look();
      return { close: () => { if (own === round) peers.unsubscribe(); } };
    },

    /** Ends what `subscribe` began. */
    unsubscribe() {
      round += 1;
      wake = null;
      clearTimeout(timer);
    },
  };
  Goop.peers = peers;
})();
