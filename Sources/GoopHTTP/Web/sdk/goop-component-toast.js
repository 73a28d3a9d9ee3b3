// Goop.toast: a short message that goes by itself, and that screen readers say.
(() => {
  "use strict";
  const Goop = window.Goop;
  if (Goop.toast) return;
  const { make, style } = Goop.http;
  let place;

  /**
   * Shows a message. It stays while the pointer or the focus is on it, and Escape or its button closes it.
   * @param {string|{message: string, type?: string, duration?: number}} message
   * @param {string|{type?: "info"|"success"|"error", duration?: number}} [options] the type, or both
   * @returns {{close: () => void}}
   */
  Goop.toast = (message, options = {}) => {
    style("goop-components.css");
    const given = message !== null && typeof message === "object" ? message
      : { message, ...(typeof options === "string" ? { type: options } : options) };
    const type = given.type ?? "info";
    if (!place?.isConnected) {
      place = make("div", { class: "goop-toasts", role: "region", "aria-label": "Messages" });
      document.body.append(place);
    }
    let timer;
    let before = null;
    const close = () => {
      clearTimeout(timer);
      const hadFocus = toast.contains(document.activeElement);
      toast.remove();
      if (hadFocus) before?.focus?.({ preventScroll: true });
    };
    const toast = make("div", { class: "goop-toast", "data-type": type, role: type === "error" ? "alert" : "status" });
    // Anew when its time is over and somebody is still at it.
    const start = () => {
      clearTimeout(timer);
      timer = setTimeout(() => (toast.matches(":hover, :focus-within") ? start() : close()),
        Math.max(given.duration ?? (type === "error" ? 10_000 : 5000), 100));
    };
    for (const event of ["mouseleave", "focusout"]) toast.addEventListener(event, start);
    // Where the focus came from, and goes back to.
    toast.addEventListener("focusin", ({ relatedTarget }) => { if (!toast.contains(relatedTarget)) before = relatedTarget; });
    toast.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
    while (place.childElementCount >= 5) place.firstElementChild.remove();
    place.append(toast);
    // The text comes after the live region is in the page, or it would not be said.
    toast.append(make("span", {}, String(given.message ?? given.text ?? "")),
      make("button", { type: "button", "aria-label": "close this message", onclick: close }, "×"));
    start();
    return { close };
  };
  for (const type of ["info", "success", "error"]) {
    Goop.toast[type] = (message, options) => Goop.toast(message, { ...options, type });
  }
  Goop.ui ??= {};
  Goop.ui.toast ??= Goop.toast;
})();
