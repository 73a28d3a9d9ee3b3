// The common ground of the SDK. The viewer puts it in front of every script it serves under /sdk/, so that each script
// works alone and in any order.
(() => {
  "use strict";
  const Goop = (window.Goop ??= {});
  if (Goop.http) return;

  // A site lives at /p/<id>/…, or at /c/<token>/p/<id>/… where the browser gives it no origin of its own.
  const place = /^(\/c\/[^/]+)?\/p\/([^/]+)\//.exec(location.pathname);
  const prefix = place?.[1] ?? "";
  const host = place ? decodeURIComponent(place[2]) : null;

  /**
   * A failure with a `code` for programs, a message and a `detail` for people, and the HTTP `status` (0: no answer).
   * `writing`: it came of something that was to be stored. `retrying`: it is tried again without the page's doing.
   */
  class GoopError extends Error {
    constructor(message, { code = "internal", detail = "", status = 0 } = {}) {
      super(message);
      this.name = "GoopError";
      this.code = code;
      this.detail = detail;
      this.status = status;
      this.writing = false;
      this.retrying = false;
    }
  }

  /** Makes a GoopError of an answer that is not 2xx. */
  async function failure(answer) {
    const text = await answer.text().catch(() => "");
    try {
      const body = JSON.parse(text);
      if (body && typeof body.error === "string") {
        return new GoopError(body.error, { code: body.code, detail: body.detail ?? "", status: answer.status });
      }
    } catch {
      // Not JSON: a proxy or an older viewer answered with plain text.
    }
    const plain = text.startsWith("<") ? "" : text.trim().slice(0, 500);
    return new GoopError(plain || `the viewer answered ${answer.status}`, { status: answer.status });
  }

  async function send(path, options) {
    let answer;
    try {
      answer = await fetch(prefix + path, { credentials: "omit", cache: "no-store", ...options });
    } catch (cause) {
      if (cause.name === "AbortError") throw cause;
      throw new GoopError("the viewer does not answer", { code: "no_answer", detail: String(cause.message ?? cause) });
    }
    if (!answer.ok) throw await failure(answer);
    return answer;
  }

  /** An element from an element, a CSS selector or an id; throws when there is none. */
  function element(target) {
    if (target instanceof Element) return target;
    const text = String(target);
    const found = document.getElementById(text.replace(/^#/, "")) ?? (/^[#.[a-z]/i.test(text) ? safeQuery(text) : null);
    if (!found) throw new GoopError(`there is no element “${text}” in this page`, { code: "bad_request" });
    return found;
  }

  function safeQuery(selector) {
    try { return document.querySelector(selector); } catch { return null; }
  }

  /** Adds a style sheet of the SDK to the page, once. */
  function style(name) {
    const href = `/sdk/${name}`;
    for (const link of document.querySelectorAll("link[rel=stylesheet]")) {
      if (link.getAttribute("href")?.endsWith(href)) return;
    }
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = href;
    // Before the page's own sheets, so that these win.
    document.head.prepend(link);
  }

  /** What a missing answer means: a request may have been done all the same. */
  function whatNow({ writing, retrying }) {
    if (writing) return " Whether this was stored is not known: look before you send it again.";
    return retrying ? " It is tried again by itself." : "";
  }

  /** What to tell a person about a failure of the SDK. @param {Goop.Error} error @returns {string} */
  Goop.explain = (error) => {
    switch (error.code) {
      case "refused": return "The owner of this site does not allow this.";
      case "unreachable": case "timed_out":
        return `The owner of this site cannot be reached right now.${whatNow(error)}`;
      case "no_answer": return `Your own Goop² does not answer. Is it running?${whatNow(error)}`;
      case "too_large":
        return error.writing ? "This is more than may be stored at once. Make it shorter."
          : "There is more here than can be sent at once. The page has to ask for less.";
      // Nothing of it was stored: the owner's program ended it.
      case "too_slow":
        return error.writing ? "This takes the owner's database too long, so nothing was changed. The page has to change less at once."
          : "This takes the owner's database too long. The page has to ask for less, or with a simpler condition.";
      case "quota": return "No more can be stored here now: the owner's limit for visitors is reached.";
      case "full":
        return `The owner's disk is full or cannot be written.${error.writing ? " This was not stored." : " Try again later."}`;
      case "busy": return "Too much is open or asked for at once. Close pages of this site, or try again in a moment.";
      case "locked": return "The owner's database is busy. Try again in a moment.";
      case "corrupt": return "The owner's database is damaged. Nothing can be stored until the owner has restored it.";
      default: return error.message || "Something went wrong.";
    }
  };

  // The viewer's frame shows no dialogs of the browser. What a page only says is shown all the same; a question is answered no at
  // once, and for an answer that is to be waited for there is `await Goop.dialog.confirm(…)`.
  if (host !== null) {
    window.alert = (text) => {
      // A whole address: in a page without an origin a script knows no place that a part of one could begin at.
      import(new URL(`${prefix}/sdk/goop-component-dialog.js`, location.href).href).then(() => Goop.dialog.alert(String(text ?? "")));
    };
  }

  let counter = 0;

  Goop.Error = GoopError;
  Goop.http = {
    host,
    prefix,
    /** Where the data operations of this page's site are: `/api/p/<id>/data`, or `/api/data` outside of a site. */
    dataPath: host === null ? "/api/data" : `/api/p/${host}/data`,
    failure,
    send,
    async get(path) { return (await send(path, { method: "GET" })).json(); },
    async post(path, body) {
      const answer = await send(path, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body ?? {}),
      });
      return answer.json();
    },
    element,
    style,
    /**
     * What a field holds, as its column wants it: numbers for number columns, text for all others. A column that an empty
     * text does not fit gets null.
     */
    typed(value, type) {
      const kind = String(type ?? "").toLowerCase();
      if (!["integer", "real", "enum"].includes(kind)) return value;
      if (value === "") return null;
      return kind !== "enum" && Number.isFinite(Number(value)) ? Number(value) : value;
    },
    /**
     * What one can choose from, as `{value, label}`; null when there is nothing. A choice is a text, or an object with `value` or
     * `key`, and a `label`.
     */
    choices(list) {
      if (!Array.isArray(list) || list.length === 0) return null;
      return list.map((one) => {
        if (typeof one !== "object" || one === null) return { value: String(one), label: String(one) };
        const value = one.value ?? one.key ?? one.label;
        return { value: String(value), label: String(one.label ?? value) };
      });
    },
    /** A new row leaves out what is null, so that defaults count. */
    withoutNulls: (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null)),
    /**
     * Does what a button is for, which rests meanwhile; pressed again, nothing happens. A button at rest loses the focus, so it
     * gets that back.
     */
    async once(button, action) {
      if (button.disabled) return;
      const hadFocus = document.activeElement === button;
      button.disabled = true;
      try {
        await action();
      } finally {
        button.disabled = false;
        if (hadFocus && document.activeElement === document.body) button.focus({ preventScroll: true });
      }
    },
    /** A new id for an element of the page. */
    newID: (stem) => `goop-${stem}-${++counter}`,
  };

  /** Makes an element: `make("a", { href: "x", class: "y", onclick: fn }, "text", child)`. Text stays text. */
  Goop.http.make = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === undefined || value === null || value === false) continue;
      if (typeof value === "function") made.addEventListener(name.replace(/^on/, ""), value);
      else if (name === "class") made.className = value;
      else made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
    return made;
  };

  /** Puts what a render function gave into an element: nodes as they are, text as markup, as sites of old do. */
  Goop.http.fill = (target, content) => {
    if (content instanceof Node) target.replaceChildren(content);
    else if (Array.isArray(content) && content.some((part) => part instanceof Node)) target.replaceChildren(...content);
    else target.innerHTML = Array.isArray(content) ? content.join("") : String(content ?? "");
  };
})();
