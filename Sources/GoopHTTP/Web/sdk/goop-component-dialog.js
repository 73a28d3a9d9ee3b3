// Goop.dialog: questions that wait for an answer. They trap the focus, close with Escape, and give the focus back.
(() => {
  "use strict";
  const Goop = window.Goop;
  if (Goop.dialog) return;
  const { make, style, newID } = Goop.http;

  function ask({ title, message = "", confirm = "OK", cancel = "Cancel", danger = false, input = null, word = null }) {
    style("goop-components.css");
    return new Promise((resolve) => {
      const id = newID("dialog");
      const field = input === null && word === null ? null
        : make("input", { type: "text", "aria-label": word === null ? (title ?? message) : `type ${word}`, value: input ?? "" });
      const accept = make("button", { type: "submit", value: "yes", class: danger ? "goop-danger" : "goop-primary" }, confirm);
      const check = () => { accept.disabled = word !== null && field.value.trim() !== word; };
      field?.addEventListener("input", check);
      const form = make("form", { method: "dialog" },
        make("h2", { id: `${id}-title` }, title ?? message),
        title && message ? make("p", { id: `${id}-text` }, message) : null,
        word === null ? null : make("p", {}, "Type ", make("strong", {}, word), " to go on."),
        field,
        make("div", { class: "goop-dialog-buttons" },
          cancel === null ? null
            : make("button", { type: "button", value: "no", onclick: () => dialog.close("no") }, cancel),
          accept));
      const dialog = make("dialog", {
        class: "goop-dialog", role: danger ? "alertdialog" : null, "aria-labelledby": `${id}-title`,
        "aria-describedby": title && message ? `${id}-text` : null,
      }, form);
      dialog.addEventListener("close", () => {
        dialog.remove();
        resolve({ yes: dialog.returnValue === "yes", text: field?.value ?? "" });
      });
      check();
      document.body.append(dialog);
      dialog.showModal();
      (field ?? (danger && cancel !== null ? form.querySelector("button[value=no]") : accept)).focus();
      field?.select();
    });
  }

  const read = (first, second, third) =>
    first !== null && typeof first === "object" ? first
      : typeof second === "string" ? { title: String(first), message: second, ...third } : { title: String(first ?? ""), ...second };

  const texts = (options) => ({
    title: options.title, message: options.message ?? options.text ?? "",
    confirm: options.confirm ?? options.confirmLabel ?? options.ok ?? "OK",
    cancel: options.cancel ?? options.cancelLabel ?? "Cancel",
  });

  Goop.dialog = {
    /** Yes or no: `await Goop.dialog.confirm("Delete it?")`. @returns {Promise<boolean>} */
    confirm: async (...values) => (await ask(texts(read(...values)))).yes,

    /** The same for something that cannot be undone; with `word`, the person has to type it. @returns {Promise<boolean>} */
    confirmDanger: async (...values) => {
      const options = read(...values);
      return (await ask({
        ...texts(options), confirm: options.confirm ?? options.confirmLabel ?? "Delete", danger: true, word: options.word ?? null,
      })).yes;
    },

    /** A text, or null: `await Goop.dialog.prompt("Your name?", { value: "Ada" })`. @returns {Promise<string|null>} */
    prompt: async (first, second, third) => {
      const options = typeof second === "string" ? { title: String(first), value: second, ...third } : read(first, second, third);
      const { yes, text } = await ask({ ...texts(options), input: options.value ?? options.default ?? "" });
      return yes ? text : null;
    },

    /** Something to know. @returns {Promise<void>} */
    alert: async (...values) => { await ask({ ...texts(read(...values)), cancel: null }); },
  };
  Goop.ui ??= {};
  Goop.ui.dialog ??= Goop.dialog;
})();
