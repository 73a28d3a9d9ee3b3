// Goop.mq: messages between peers do not exist yet. Nothing arrives, and sending says so.
(() => {
  "use strict";
  const Goop = window.Goop;
  Goop.mq ??= {
    /** Nothing will ever arrive; gives a function that ends the subscription. */
    subscribe: () => () => {},
    unsubscribe() {},
    /** Rejects with code `messages_not_available`. */
    send: () =>
      Promise.reject(new Goop.Error("messages cannot be sent yet", { code: "messages_not_available" })),
  };
})();
