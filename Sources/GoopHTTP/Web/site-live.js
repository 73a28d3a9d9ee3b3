// The stream that the two live parts of the My site room share: to whom the site is shown, and who visits it.

import { follow } from "/assets/streams.js";

const followers = new Set();
let latest = null;
let isFollowed = false;

/// Calls back with `{audience, visitors}` now, if it is known, and at every change.
export function followSite(follower) {
  followers.add(follower);
  if (latest) follower(latest);
  if (isFollowed) return;
  isFollowed = true;
  follow("/api/rooms/site/events", {
    site(value) {
      latest = value;
      for (const one of followers) one(latest);
    },
  });
}
