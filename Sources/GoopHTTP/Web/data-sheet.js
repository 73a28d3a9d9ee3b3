// The two dialogs of the Data room: a sheet with a form, and a question about something that cannot be taken back.

import { button, element, find, reasonOf } from "/assets/words.js";

let number = 0;

/// A label above what it names. The control gets an id if it has none.
export function labelled(text, control, note) {
  if (!control.id) { number += 1; control.id = `field-${number}`; }
  const label = element("label", "label", text);
  label.htmlFor = control.id;
  const place = element("div", "field", label, control);
  if (note) {
    const line = element("p", "note", note);
    line.id = `${control.id}-note`;
    control.setAttribute("aria-describedby", line.id);
    place.append(line);
  }
  return place;
}

export function checkbox(text, checked = false) {
  const input = document.createElement("input");
  input.type = "checkbox";
  input.checked = checked;
  const label = element("label", "check", input, text);
  return { input, label };
}

export function textInput(value = "", { mode, lines } = {}) {
  const input = document.createElement(lines ? "textarea" : "input");
  if (lines) input.rows = lines; else input.type = "text";
  if (mode) input.inputMode = mode;
  input.autocomplete = "off";
  input.spellcheck = false;
  input.value = value;
  return input;
}

export function select(options, value) {
  const made = document.createElement("select");
  for (const [key, text] of options) {
    const option = element("option", "", text);
    option.value = key;
    option.selected = key === value;
    made.append(option);
  }
  return made;
}

/// Opens the sheet. `onSubmit` may throw: the reason is shown, the sheet stays, and `error.field` or `fieldOf(error)` may
/// name the field that it is about, above which it then stands. `error.action` is what can be done about it: `[words, what they do]`.
/// Without `submitText` there is nothing to send, only Close.
export function openSheet({ title, body, submitText, closeText, onSubmit, fieldOf, extra = [], onClose }) {
  const sheet = find("sheet");
  const heading = element("h2", "", title);
  heading.id = "sheet-title";
  heading.tabIndex = -1;
  const fault = element("p", "fault");
  fault.setAttribute("role", "alert");
  fault.id = "sheet-fault";
  fault.hidden = true;
  fault.tabIndex = -1;
  const close = button(closeText ?? (submitText ? "Cancel" : "Close"), "button", () => sheet.close());
  const send = element("button", "button primary", submitText ?? "");
  send.type = "submit";
  send.hidden = !submitText;
  const form = element("form", "", heading, fault, ...body, element("div", "row end", ...extra, close, send));
  form.noValidate = true;
  const control = {
    // An answer may come when another sheet is open.
    sheet, form, send, close() { if (form.isConnected) sheet.close(); },
    fail(error, field) {
      control.clear();
      if (field?.isConnected) {
        field.before(fault);
        field.setAttribute("aria-invalid", "true");
        field.setAttribute("aria-describedby", [fault.id, field.getAttribute("aria-describedby")].filter(Boolean).join(" "));
      } else {
        heading.after(fault);
      }
      fault.replaceChildren(reasonOf(error));
      if (error.action) fault.append(" ", button(error.action[0], "button small", error.action[1]));
      fault.hidden = false;
      (field ?? fault).focus();
    },
    clear() {
      fault.hidden = true;
      for (const marked of form.querySelectorAll("[aria-invalid]")) {
        marked.removeAttribute("aria-invalid");
        const notes = (marked.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id && id !== fault.id);
        if (notes.length) marked.setAttribute("aria-describedby", notes.join(" ")); else marked.removeAttribute("aria-describedby");
      }
    },
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!onSubmit || send.disabled) return;
    send.disabled = true;
    try {
      await onSubmit(control);
    } catch (error) {
      control.fail(error, error.field ?? fieldOf?.(error));
    } finally {
      send.disabled = false;
    }
  });
  // The event comes later than the end: another sheet may be open by then.
  sheet.onclose = () => { if (!sheet.open) { sheet.replaceChildren(); onClose?.(); } };
  sheet.replaceChildren(form);
  if (!sheet.open) sheet.showModal();
  sheet.scrollTop = 0;
  (form.querySelector("input:not([disabled]), select, textarea:not([disabled])") ?? heading).focus();
  return control;
}

/// Asks; the answer is true or false. What is safe has the focus.
export function ask(title, text, yes) {
  const question = find("question");
  return new Promise((answer) => {
    const heading = element("h2", "", title);
    heading.id = "question-title";
    const body = element("p", "", text);
    body.id = "question-text";
    let isYes = false;
    const no = button("Cancel", "button", () => question.close());
    const go = button(yes, "button danger", () => { isYes = true; question.close(); });
    // The event comes later than the end: another question may be open by then, and has ended this one.
    question.onclose?.();
    question.onclose = () => { if (!question.open) { question.replaceChildren(); answer(isYes); } };
    question.replaceChildren(element("form", "", heading, body, element("div", "row end", no, go)));
    question.showModal();
    no.focus();
  });
}
