// Goop.form: a form whose answers become rows. The fields are labelled, work by keyboard and say what is wrong.
(() => {
  "use strict";
  const Goop = window.Goop;
  if (Goop.form) return;
  const { http } = Goop;
  const { make } = http;
  const ui = (Goop.ui ??= {});

  // ---- Controls ------------------------------------------------------------------------------------------------
  // Each gives { element, control, get(), set(value) }: what to show, what the label belongs to, and its value.

  function simple(control) {
    return { element: control, control, get: () => control.value, set: (value) => { control.value = value ?? ""; } };
  }

  /** A date, `YYYY-MM-DD`. */
  ui.datepicker ??= (options = {}) =>
    simple(make("input", { type: "date", min: options.min, max: options.max }));

  /** A date with a time, `YYYY-MM-DDTHH:MM`. */
  ui.datetimepicker ??= (options = {}) =>
    simple(make("input", { type: "datetime-local", min: options.min, max: options.max }));

  /** A colour, `#rrggbb`. */
  ui.colorpicker ??= (options = {}) => {
    const first = options.value ?? "#3b6ea5";
    const control = make("input", { type: "color", value: first });
    return { ...simple(control), set: (value) => { control.value = value || first; } };
  };

  /** On or off: "1" or "0". */
  ui.toggle ??= () => {
    const control = make("input", { type: "checkbox", role: "switch", class: "goop-toggle" });
    return {
      element: control, control,
      get: () => (control.checked ? "1" : "0"),
      set: (value) => { control.checked = value === true || value === 1 || value === "1" || value === "true"; },
    };
  };

  /** A whole number with buttons for less and more. */
  ui.stepper ??= ({ min, max, step = 1, value = min ?? 0 } = {}) => {
    const control = make("input", { type: "number", inputmode: "numeric", min, max, step, value });
    const move = (way) => () => {
      way > 0 ? control.stepUp() : control.stepDown();
      control.dispatchEvent(new Event("input", { bubbles: true }));
    };
    const element = make("span", { class: "goop-stepper" },
      make("button", { type: "button", "aria-label": "less", onclick: move(-1) }, "−"), control,
      make("button", { type: "button", "aria-label": "more", onclick: move(1) }, "+"));
    return { ...simple(control), element, set: (given) => { control.value = given === "" ? value : (given ?? value); } };
  };

  /** Words, kept as one text with commas. Enter or a comma ends a word, Backspace takes the last one back. */
  ui.taginput ??= ({ placeholder } = {}) => {
    let tags = [];
    const list = make("ul", { class: "goop-tag-list", "aria-label": "chosen" });
    const control = make("input", { type: "text", placeholder, autocomplete: "off" });
    const draw = () => list.replaceChildren(...tags.map((tag) => make("li", {}, tag,
      make("button", {
        type: "button", "aria-label": `remove ${tag}`,
        onclick: () => { tags = tags.filter((other) => other !== tag); draw(); control.focus(); told(); },
      }, "×"))));
    // Typing tells of itself.
    const told = () => control.dispatchEvent(new Event("input", { bubbles: true }));
    const take = () => {
      for (const word of control.value.split(",").map((part) => part.trim()).filter(Boolean)) {
        if (!tags.includes(word)) tags.push(word);
      }
      control.value = "";
      draw();
    };
    control.addEventListener("keydown", (event) => {
      // Within an input method, keys choose among its proposals.
      if (event.isComposing) return;
      if ((event.key === "Enter" && control.value.trim() !== "") || event.key === ",") {
        event.preventDefault();
        take();
      } else if (event.key === "Backspace" && control.value === "" && tags.length > 0) {
        tags.pop();
        draw();
        told();
      }
    });
    control.addEventListener("blur", take);
    return {
      element: make("span", { class: "goop-tags" }, list, control), control,
      get: () => { take(); return tags.join(","); },
      set: (value) => { tags = String(value ?? "").split(",").map((part) => part.trim()).filter(Boolean); draw(); },
    };
  };

  const choices = (field) => http.choices(field.options) ?? [];

  function select(field) {
    const control = make("select", {},
      field.required ? make("option", { value: "" }, field.placeholder ?? "Choose…") : make("option", { value: "" }, "–"),
      choices(field).map(({ value, label }) => make("option", { value }, label)));
    return simple(control);
  }

  function radio(field) {
    const name = http.newID("radio");
    const inputs = choices(field).map(({ value, label }) => {
      const input = make("input", { type: "radio", name, value, required: field.required });
      return { input, element: make("label", { class: "goop-choice" }, input, " ", label) };
    });
    return {
      element: make("span", { class: "goop-choices" }, inputs.map(({ element }) => element)),
      control: null,
      get: () => inputs.find(({ input }) => input.checked)?.input.value ?? "",
      set: (value) => { for (const { input } of inputs) input.checked = input.value === String(value ?? ""); },
    };
  }

  const builders = {
    textarea: (field) => simple(make("textarea", { rows: field.rows ?? 4, placeholder: field.placeholder })),
    select,
    radio,
    checkbox: () => {
      const toggle = ui.toggle();
      toggle.control.removeAttribute("role");
      toggle.control.className = "goop-checkbox";
      return toggle;
    },
    number: (field) => simple(make("input", {
      type: "number", min: field.min, max: field.max, step: field.step ?? "any", placeholder: field.placeholder,
    })),
    date: (field) => ui.datepicker(field),
    datetime: (field) => ui.datetimepicker(field),
    color: (field) => ui.colorpicker(field),
    toggle: () => ui.toggle(),
    tags: (field) => ui.taginput(field),
    stepper: (field) => ui.stepper(field),
    email: (field) => simple(make("input", { type: "email", placeholder: field.placeholder, autocomplete: "email" })),
    text: (field) => simple(make("input", { type: "text", placeholder: field.placeholder })),
  };

  // ---- The form ------------------------------------------------------------------------------------------------

  /** Makes sure that the owner's database has the table; a visitor cannot and need not. */
  async function ensure(table, fields) {
    const { isOwner } = await Goop.peer();
    const columns = fields.map(({ name }) => ({ name, type: "TEXT", default: "''" }));
    const description = await Goop.data.describe(table).catch((error) => {
      if (!isOwner || error.code !== "not_found") throw error;
      return null;
    });
    if (description === null) {
      await Goop.data.createTable(table, columns);
      return new Map();
    }
    const known = description.schema?.columns ?? description.columns ?? [];
    if (isOwner) {
      for (const { default: empty, ...column } of columns) {
        if (known.some(({ name }) => name === column.name)) continue;
        // The default of a table without a schema is SQL; in a schema the same two quotes would be a text.
        await Goop.data.addColumn(table, description.schema ? column : { ...column, default: empty });
      }
    }
    return new Map(known.map(({ name, type }) => [name, type]));
  }

  Goop.form = {
    /**
     * Shows a form that adds a row.
     *
     * @param {Element|string} target where
     * @param {object} options
     * @param {string} options.table
     * @param {Array<{name: string, label?: string, type?: string, required?: boolean, options?: Array,
     *   placeholder?: string, hint?: string, maxlength?: number, min?: number, max?: number, value?: *}>} options.fields
     *   types: text, textarea, select, radio, checkbox, number, email, date, datetime, color, toggle, tags, stepper
     * @param {string} [options.submitLabel]
     * @param {boolean} [options.singleResponse] one row a visitor: a second answer changes the first
     * @param {(values: object, answer: object) => void} [options.onDone]
     * @returns {Promise<HTMLFormElement>}
     */
    async render(target, { table, fields = [], submitLabel = "Send", singleResponse = false, onDone } = {}) {
      http.style("goop-form.css");
      const shown = http.element(target);
      const status = make("p", { class: "goop-form-status", role: "status" });
      const submit = make("button", { type: "submit", class: "goop-form-submit" }, submitLabel);
      const parts = fields.map((field) => {
        const part = (builders[field.type] ?? builders.text)(field);
        const id = http.newID("field");
        const text = [field.label ?? field.name, field.required ? null : make("small", {}, " (optional)")];
        const hint = field.hint ? make("small", { id: `${id}-hint`, class: "goop-hint" }, field.hint) : null;
        let row;
        if (part.control) {
          part.control.id = id;
          part.control.name = field.name;
          if (field.required && !["checkbox", "toggle", "tags"].includes(field.type)) part.control.required = true;
          if (field.maxlength) part.control.maxLength = field.maxlength;
          if (hint) part.control.setAttribute("aria-describedby", hint.id);
          const isSwitch = field.type === "checkbox" || field.type === "toggle";
          const label = make("label", { for: id }, isSwitch ? (field.label ?? field.name) : text);
          row = make("div", { class: `goop-field${isSwitch ? " goop-field-switch" : ""}` },
            isSwitch ? [part.element, label] : [label, part.element], hint);
        } else {
          row = make("fieldset", { class: "goop-field" }, make("legend", {}, text), part.element, hint);
        }
        if (field.value !== undefined) part.set(field.value);
        const made = { field, part, row, isTouched: false };
        for (const event of ["input", "change"]) row.addEventListener(event, () => { made.isTouched = true; });
        return made;
      });
      const form = make("form", { class: "goop-form" }, parts.map(({ row }) => row),
        make("div", { class: "goop-form-end" }, submit), status);
      shown.replaceChildren(form);

      const say = (text, kind) => {
        status.textContent = text;
        status.dataset.kind = kind;
      };

      let types = new Map();
      let answerOf = null;
      let lookup = null;
      let isAnswered = false;
      const prepare = async () => {
        types = await ensure(table, fields);
        if (!singleResponse) return;
        const { myId } = await Goop.peer();
        const [row] = await Goop.data.find(table, { where: "_owner = ?", args: [myId], order: "_id DESC", limit: 1 });
        if (!row) return;
        answerOf = row._id;
        // A lookup may take as long as the answering: what the visitor has written by then is the answer.
        if (isAnswered) return;
        for (const { field, part, isTouched } of parts) {
          if (!isTouched && row[field.name] !== undefined) part.set(row[field.name]);
        }
        say("You have answered before. You can change your answer.", "note");
      };
      const prepared = () => {
        lookup ??= prepare().catch((error) => {
          lookup = null;
          throw error;
        });
        return lookup;
      };
      prepared().catch((error) => say(Goop.explain(error), "error"));

      const store = async () => {
        say("Sending…", "note");
        isAnswered = true;
        // As the form was when the button was pressed.
        const given = parts.map(({ field, part }) => [field.name, part.get()]);
        for (const made of parts) made.isTouched = false;
        try {
          await prepared();
          const values = Object.fromEntries(given.map(([name, value]) => [name, http.typed(value, types.get(name))]));
          const answer = answerOf === null
            ? await Goop.data.insert(table, http.withoutNulls(values)) : await Goop.data.update(table, answerOf, values);
          if (singleResponse) answerOf ??= answer?.id ?? null;
          else {
            // What is written meanwhile is for the next row.
            if (!parts.some(({ isTouched }) => isTouched)) form.reset();
            for (const { field, part, isTouched } of parts) if (!isTouched) part.set(field.value ?? "");
          }
          say("Thank you, it is stored.", "done");
          onDone?.(values, answer);
        } catch (error) {
          say(Goop.explain(error), "error");
        }
      };
      // Thanks are for what was sent, not for what is written now.
      for (const event of ["input", "invalid"]) {
        form.addEventListener(event, () => { if (status.dataset.kind === "done") say("", ""); }, true);
      }
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        http.once(submit, store);
      });
      return form;
    },
  };
})();
