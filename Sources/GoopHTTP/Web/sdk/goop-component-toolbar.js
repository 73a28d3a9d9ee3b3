// Goop.toolbar: a row of buttons; one stop of the Tab key, arrows move within.
(() => {
  "use strict";
  const Goop = window.Goop;
  if (Goop.toolbar) return;
  const { make, style, element } = Goop.http;

  /**
   * Shows buttons in an element.
   * @param {Element|string} target
   * @param {Array<{label: string, icon?: string, onClick?: () => void, disabled?: boolean, pressed?: boolean}|"|">} items
   *   `"|"` is a gap
   * @param {{label?: string}} [options] the name of the toolbar
   * @returns {HTMLElement}
   */
  Goop.toolbar = (target, items = [], options = {}) => {
    style("goop-components.css");
    const list = Array.isArray(items) ? items : (items.items ?? []);
    const given = Array.isArray(items) ? options : items;
    const bar = make("div", { class: "goop-toolbar", role: "toolbar", "aria-label": given.label ?? "Tools" },
      list.map((item) => (item === "|" || item === "separator" || item?.separator
        ? make("span", { class: "goop-gap", "aria-hidden": "true" })
        : make("button", {
          type: "button", disabled: item.disabled, tabindex: "-1",
          "aria-pressed": item.pressed === undefined ? null : String(item.pressed),
          onclick: () => (item.onClick ?? item.action ?? item.onclick)?.(),
        }, item.icon ? make("span", { "aria-hidden": "true" }, item.icon) : null, item.icon ? " " : "", item.label ?? item.text ?? ""))));
    const buttons = () => [...bar.querySelectorAll("button:not(:disabled)")];
    const enter = (button) => {
      for (const other of buttons()) other.tabIndex = other === button ? 0 : -1;
    };
    enter(buttons()[0]);
    bar.addEventListener("focusin", (event) => { if (event.target.matches("button")) enter(event.target); });
    bar.addEventListener("keydown", (event) => {
      const all = buttons();
      const index = all.indexOf(document.activeElement);
      const next = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: all.length - 1 }[event.key];
      if (next === undefined || index < 0) return;
      event.preventDefault();
      all[(next + all.length) % all.length].focus();
    });
    element(target).replaceChildren(bar);
    return bar;
  };
  Goop.ui ??= {};
  Goop.ui.toolbar ??= Goop.toolbar;
})();
