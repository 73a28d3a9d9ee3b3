// The stream that the two live parts of the My site room share: to whom the site is shown, and who visits it.

import { follow } from "/assets/streams.js";

const followers = new Set();
let latest = null;
let unfollow = null;
let timer = 0;

function connect() {
  clearTimeout(timer);
  if (unfollow || document.hidden) return;
  unfollow = follow("/api/rooms/site/events", {
    site(value) {
      latest = value;
      for (const follower of followers) follower(latest);
    },
    error() {
      disconnect();
      dispatchEvent(new Event("viewer-lost"));
      timer = setTimeout(connect, 2000);
    },
  });
}

function disconnect() {
  clearTimeout(timer);
  unfollow?.();
  unfollow = null;
}

// A hidden tab gives its connection back: browsers allow six to one address, for all tabs together.
document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
addEventListener("pagehide", disconnect);
addEventListener("pageshow", connect);

/// Calls back with `{audience, visitors}` now, if it is known, and at every change.
export function followSite(follower) {
  followers.add(follower);
  if (latest) follower(latest);
  connect();
}
