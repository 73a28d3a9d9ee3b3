// Goop.drag: lists whose elements can be moved, by pointer and by keyboard.
(() => {
  "use strict";
  const Goop = window.Goop;
  if (Goop.drag) return;
  const { make, style, element } = Goop.http;

  /**
   * Lets a person reorder the children of an element: drag them, or focus one and press Alt with an arrow key.
   * @param {Element|string} target
   * @param {{items?: string, handle?: string, onSort?: (children: Element[], from: number, to: number) => void}} [options]
   *   `items` and `handle` are CSS selectors
   * @returns {{destroy: () => void}}
   */
  function sortable(target, options = {}) {
    style("goop-components.css");
    const list = element(target);
    const given = typeof options === "function" ? { onSort: options } : options;
    const done = given.onSort ?? given.onEnd ?? given.onChange ?? given.onReorder;
    const children = () => [...list.children].filter((child) => !given.items || child.matches(given.items));
    const said = make("span", { class: "goop-said", role: "status" });
    list.after(said);
    let moved = null;
    let from = -1;
    const itemOf = (node) => children().find((child) => child.contains(node));
    const prepare = () => {
      for (const child of children()) {
        if (!child.hasAttribute("tabindex") && !child.querySelector("a[href], button, input")) child.tabIndex = 0;
        child.setAttribute("aria-roledescription", "movable");
      }
    };
    const finish = (item, start) => {
      const to = children().indexOf(item);
      if (to === start) return;
      said.textContent = `moved to place ${to + 1} of ${children().length}`;
      done?.(children(), start, to);
    };

    const onDown = (event) => {
      const item = itemOf(event.target);
      if (!item || event.button !== 0 || (given.handle ? !event.target.closest(given.handle)
        : event.target.closest("a, button, input, select, textarea"))) return;
      event.preventDefault();
      moved = item;
      from = children().indexOf(item);
      list.setPointerCapture?.(event.pointerId);
      item.classList.add("goop-moving");
      item.focus?.({ preventScroll: true });
    };
    const onMove = (event) => {
      if (!moved) return;
      const over = document.elementFromPoint(event.clientX, event.clientY);
      const item = over && itemOf(over);
      if (!item || item === moved) return;
      const box = item.getBoundingClientRect();
      const isRow = children().length > 1 && Math.abs(children()[0].offsetTop - children()[1].offsetTop) < 4;
      const after = isRow ? event.clientX > box.left + box.width / 2 : event.clientY > box.top + box.height / 2;
      if (after) item.after(moved);
      else item.before(moved);
    };
    const onUp = () => {
      if (!moved) return;
      moved.classList.remove("goop-moving");
      const item = moved;
      moved = null;
      finish(item, from);
    };
    const onKey = (event) => {
      if (!event.altKey || !["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"].includes(event.key)) return;
      const item = itemOf(document.activeElement);
      if (!item) return;
      event.preventDefault();
      const start = children().indexOf(item);
      const focus = document.activeElement;
      const other = children()[start + (event.key === "ArrowUp" || event.key === "ArrowLeft" ? -1 : 1)];
      if (!other) return;
      if (start < children().indexOf(other)) other.after(item);
      else other.before(item);
      focus.focus();
      finish(item, start);
    };
    const watch = new MutationObserver(prepare);
    prepare();
    watch.observe(list, { childList: true });
    const handlers = { pointerdown: onDown, pointermove: onMove, pointerup: onUp, pointercancel: onUp, keydown: onKey };
    for (const [name, handler] of Object.entries(handlers)) list.addEventListener(name, handler);
    return {
      destroy() {
        watch.disconnect();
        said.remove();
        for (const [name, handler] of Object.entries(handlers)) list.removeEventListener(name, handler);
      },
    };
  }

  Goop.drag = { sortable };
  Goop.ui ??= {};
  Goop.ui.drag ??= Goop.drag;
})();
