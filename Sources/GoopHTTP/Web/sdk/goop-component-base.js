// Goop.dom, Goop.render and Goop.ui: small things that pages are made of.
(() => {
  "use strict";
  const Goop = window.Goop;
  const { http } = Goop;
  const { make } = http;

  /** Makes an element: `Goop.dom("p", { class: "note" }, "text")`. Text stays text. */
  Goop.dom ??= (tag, attributes, ...children) => make(tag, attributes ?? {}, ...children);

  /** Shows a node, or markup whose text you escaped, in an element. */
  Goop.render ??= (target, content) => http.fill(http.element(target), content);

  Goop.list ??= (target, items, render, options = {}) => {
    const shown = http.element(target);
    if (!items || items.length === 0) shown.textContent = options.empty ?? "";
    else http.fill(shown, items.map(render));
  };

  const ui = (Goop.ui ??= {});

  /** A round sign with the first letter of a name. */
  ui.avatar ??= (name) => {
    http.style("goop-components.css");
    const letter = [...String(name ?? "").trim()][0]?.toUpperCase() ?? "?";
    return make("span", { class: "goop-avatar", "aria-hidden": "true" }, letter);
  };

  /** What stands where nothing is yet. */
  ui.empty ??= (text = "Nothing here yet.") => {
    http.style("goop-components.css");
    return make("p", { class: "goop-empty" }, text);
  };

  /** What stands while something loads. */
  ui.loading ??= (text = "Loading…") => {
    http.style("goop-components.css");
    return make("p", { class: "goop-loading", role: "status" }, text);
  };

  /** A time, with the exact one for machines and on hovering. */
  ui.time ??= (time) => {
    const text = String(time ?? "");
    const iso = /^\d{4}-\d\d-\d\d \d\d:\d\d/.test(text) ? `${text.replace(" ", "T")}Z` : text;
    const date = new Date(typeof time === "number" ? time : iso);
    if (Number.isNaN(date.getTime())) return make("span", {}, text);
    const seconds = Math.round((date.getTime() - Date.now()) / 1000);
    const steps = [[60, "second", 1], [3600, "minute", 60], [86_400, "hour", 3600], [2_592_000, "day", 86_400]];
    const step = steps.find(([below]) => Math.abs(seconds) < below);
    const shown = step
      ? new Intl.RelativeTimeFormat(undefined, { numeric: "auto" }).format(Math.round(seconds / step[2]), step[1])
      : new Intl.DateTimeFormat(undefined, { dateStyle: "medium" }).format(date);
    return make("time", { datetime: date.toISOString(), title: date.toLocaleString() }, shown);
  };

  /** Children in columns that fit the width. */
  ui.grid ??= (children = []) => {
    http.style("goop-components.css");
    return make("div", { class: "goop-grid" }, children);
  };

  /** `light`, `dark` or `auto`: sets it for this page; without a value tells what is shown now. */
  ui.theme ??= (name) => {
    const root = document.documentElement;
    if (name === undefined) return root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    if (name === "auto") delete root.dataset.theme;
    else root.dataset.theme = name;
    root.style.colorScheme = name === "auto" ? "" : name;
    return name;
  };
})();
