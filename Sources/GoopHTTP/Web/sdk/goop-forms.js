// Goop.forms: a form and a list for any table, made from its columns.
(() => {
  "use strict";
  const Goop = window.Goop;
  if (Goop.forms) return;
  const { http } = Goop;
  const { make } = http;

  const columnsOf = async (table) => {
    const description = await Goop.data.describe(table);
    const columns = description?.schema?.columns ?? description?.columns ?? [];
    return columns.filter(({ name, auto }) => !name.startsWith("_") && !auto);
  };

  const forms = {
    /**
     * A form with one field a column; numbers are sent to number columns, text to all others.
     * @param {Element|string} target @param {string} table @param {() => void} [onInsert]
     */
    async insertForm(target, table, onInsert) {
      http.style("goop-form.css");
      const shown = http.element(target);
      const columns = await columnsOf(table);
      const status = make("p", { class: "goop-form-status", role: "status" });
      const fields = columns.map(({ name, type, required, values }) => {
        const id = http.newID("field");
        const choices = http.choices(values);
        const control = choices
          ? make("select", { id, name, required }, make("option", { value: "" }, required ? "Choose…" : "–"),
            choices.map(({ value, label }) => make("option", { value }, label)))
          : make("input", { id, name, type: "text", required });
        return { name, type, control, row: make("div", { class: "goop-field" }, make("label", { for: id }, name), control) };
      });
      const submit = make("button", { type: "submit", class: "goop-form-submit" }, "Add");
      const form = make("form", { class: "goop-form" }, fields.map(({ row }) => row),
        make("div", {}, submit), status);
      const store = async () => {
        try {
          await Goop.data.insert(table, http.withoutNulls(
            Object.fromEntries(fields.map(({ name, type, control }) => [name, http.typed(control.value, type)]))));
          form.reset();
          status.textContent = "Added.";
          status.dataset.kind = "done";
          onInsert?.();
        } catch (error) {
          status.textContent = Goop.explain(error);
          status.dataset.kind = "error";
        }
      };
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        http.once(submit, store);
      });
      shown.replaceChildren(form);
      return form;
    },

    /**
     * The form with the newest 200 rows below it; a visitor sees buttons to delete at their own rows only.
     * @param {Element|string} target @param {string} table
     */
    async render(target, table) {
      http.style("goop-form.css");
      const shown = http.element(target);
      const place = make("div");
      const list = make("div", { tabindex: -1 });
      const status = make("p", { class: "goop-form-status", role: "status" });
      shown.replaceChildren(place, status, list);
      const say = (text, kind) => {
        status.textContent = text;
        status.dataset.kind = kind;
      };
      const tell = (error) => say(Goop.explain(error), "error");
      const [columns, peer] = await Promise.all([columnsOf(table), Goop.peer()]);
      const draw = async () => {
        const { rows, isShort } = await http.rowsToShow(table, columns.map(({ name }) => name), { order: "_id DESC", limit: 200 });
        const removal = (row) => peer.isOwner || row._owner === peer.myId
          ? make("button", {
            type: "button", "aria-label": `delete row ${row._id}`,
            onclick: ({ currentTarget }) => http.once(currentTarget, () => remove(row)),
          }, "Delete") : "";
        list.replaceChildren(rows.length === 0 ? make("p", {}, "No rows yet.") : make("table", { class: "goop-table" },
          make("thead", {}, make("tr", {}, columns.map(({ name }) => make("th", { scope: "col" }, name)),
            make("th", { scope: "col" }, "Actions"))),
          make("tbody", {}, rows.map((row) => make("tr", {},
            columns.map(({ name }) => make("td", {}, String(row[name] ?? ""))), make("td", {}, removal(row)))))),
        isShort ? make("p", {}, "Of long values only the beginnings are shown.") : "");
      };
      const remove = async (row) => {
        try {
          await Goop.data.remove(table, row._id);
          await draw();
          say("Deleted.", "done");
          // The button that had the focus is gone.
          list.focus();
        } catch (error) {
          tell(error);
        }
      };
      await forms.insertForm(place, table, () => draw().catch(tell));
      await draw().catch(tell);
    },
  };
  Goop.forms = forms;
})();
