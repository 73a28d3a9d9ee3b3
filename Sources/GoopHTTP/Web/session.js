// On pages of whoever has signed in from another computer: the way out, and the way back in when the session has ended.

import { find, post, tell } from "/assets/words.js";

const toSignIn = () => location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);

find("sign-out")?.addEventListener("click", async () => {
  try {
    await post("/api/logout", {});
  } catch (error) {
    if (error.status !== 401) return tell(error.message, { isError: true });
  }
  // Nothing of the pages is left to go back to: they are never stored.
  location.replace("/login");
});

// An event stream does not say why it ended, so ask once.
async function checkSession() {
  try {
    if ((await fetch("/api/self", { cache: "no-store" })).status === 401) toSignIn();
  } catch { /* The viewer does not answer at all: the page says so. */ }
}

addEventListener("viewer-lost", checkSession);
addEventListener("session-over", toSignIn);
// A page that the browser has kept in memory may be older than the session.
addEventListener("pageshow", (event) => { if (event.persisted) checkSession(); });
