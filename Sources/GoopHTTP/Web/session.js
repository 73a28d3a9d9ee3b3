// On pages of whoever has signed in from another computer: the way out, and the way back in when the session has ended.

import { find, post, tellFailure } from "/assets/words.js";

const signIn = () => `/login?next=${encodeURIComponent(location.pathname + location.search + location.hash)}`;

/// What somebody was about to send is not thrown away: they sign in beside it, and send it again.
function toSignIn() {
  if (!document.querySelector("dialog[open] :is(input:not([type=checkbox], [type=radio]), textarea)")) return location.assign(signIn());
  if (find("signed-out")) return;
  const link = Object.assign(document.createElement("a"), { href: signIn(), target: "_blank", rel: "noopener", textContent: "Sign in in a new tab" });
  const line = Object.assign(document.createElement("p"), { id: "signed-out", className: "fault" });
  line.setAttribute("role", "alert");
  line.append("You are signed out. ", link, ", then come back here and send this again.");
  const dialog = document.querySelector("dialog[open]");
  dialog.addEventListener("close", () => line.remove(), { once: true });
  dialog.prepend(line);
}

find("sign-out")?.addEventListener("click", async () => {
  try {
    await post("/api/logout", {});
  } catch (error) {
    if (error.status !== 401) return tellFailure(error);
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
