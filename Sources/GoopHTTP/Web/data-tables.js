// Making tables and changing them: columns, policy, name, and the end of a table.

import { button, clean, element, find, post, sizeText, tell, tellFailure } from "/assets/words.js";
import { ask, checkbox, labelled, openSheet, select, textInput } from "/assets/data-sheet.js";
import { policyFields } from "/assets/data-policy.js";
import { rowsText } from "/assets/data-values.js";

const types = [
  ["text", "Text"], ["integer", "Whole number"], ["real", "Number"], ["enum", "One of a few choices"], ["datetime", "Date and time"],
  ["date", "Date"], ["time", "Time of day"], ["guid", "Unique id, made by itself"], ["blob", "Binary"],
];
const typeText = (type) => types.find(([key]) => key === type)?.[1] ?? (type || "any");
const nameHint = "Letters, digits and _, beginning with a letter.";

function columnFields() {
  const name = textInput();
  const type = select(types, "text");
  const required = checkbox("Needed in every row");
  const unique = checkbox("No two rows the same");
  const standard = textInput();
  const choices = textInput();
  const choicesPlace = labelled("Choices", choices, "With commas between them.");
  const standardPlace = labelled("Value if left empty", standard);
  const show = () => {
    choicesPlace.hidden = type.value !== "enum";
    standardPlace.hidden = ["guid", "blob"].includes(type.value);
  };
  type.addEventListener("change", show);
  show();
  return {
    name,
    nodes: [
      element("div", "pair", labelled("Name of the column", name), labelled("What it holds", type)), choicesPlace,
      element("div", "pair", required.label, unique.label), standardPlace,
    ],
    value() {
      const column = { name: name.value.trim(), type: type.value };
      if (required.input.checked) column.required = true;
      if (unique.input.checked) column.unique = true;
      if (type.value === "enum") column.values = choices.value.split(",").map((key) => key.trim()).filter(Boolean).map((key) => ({ key, label: key }));
      if (type.value === "guid") column.auto = true;
      else if (standard.value !== "" && !standardPlace.hidden) {
        const isNumber = ["integer", "real"].includes(type.value) && standard.value.trim() !== "" && Number.isFinite(Number(standard.value));
        column.default = isNumber ? Number(standard.value) : standard.value;
      }
      return column;
    },
  };
}

/// The field with the name that an error is about.
function fieldNamed(error, fields) {
  const text = `${error.message} ${error.detail ?? ""}`;
  const named = fields.filter((input) => input.value.trim() !== "" && text.includes(input.value.trim()));
  // A short name may be a part of any word.
  return named.sort((one, other) => other.value.trim().length - one.value.trim().length)[0] ?? fields.find((input) => input.value.trim() === "");
}

/// The name in a field; without one the field is told at once.
function nameIn(field, sentence) {
  const name = field.value.trim();
  if (!name) throw Object.assign(new Error(sentence), { field });
  return name;
}

export function newTable(changed) {
  const name = textInput();
  const list = element("div", "columns");
  let columns = [];
  const add = () => {
    const fields = columnFields();
    const box = element("fieldset", "", element("legend", "", `Column ${columns.length + 1}`), ...fields.nodes);
    box.append(button("Remove this column", "button small", () => {
      columns = columns.filter((other) => other !== fields);
      box.remove();
      more.focus();
    }));
    columns.push(fields);
    list.append(box);
    return fields;
  };
  const more = button("Another column", "button small", () => add().name.focus());
  const policy = policyFields(null);
  add();
  openSheet({
    title: "New table",
    body: [labelled("Name of the table", name, nameHint), list, element("div", "row", more), ...policy.nodes],
    submitText: "Make the table",
    fieldOf: (error) => fieldNamed(error, [name, ...columns.map((column) => column.name)]),
    async onSubmit(sheet) {
      const table = nameIn(name, "Give the table a name.");
      for (const column of columns) nameIn(column.name, "Give the column a name.");
      await post("/api/data/tables/create", { name: table, columns: columns.map((column) => column.value()), ...policy.value() });
      sheet.close();
      await changed(table);
      tell(`The table ${table} was made.`);
    },
  });
}

export function editPolicy(table, changed) {
  const policy = policyFields(table);
  openSheet({
    title: `Who may do what with ${table.name}`, body: policy.nodes, submitText: "Save",
    async onSubmit(sheet) {
      const value = policy.value();
      if (!value) return sheet.close();
      await post("/api/data/tables/set-policy", { table: table.name, ...value });
      sheet.close();
      await changed(table.name);
      tell("Saved, and in effect.");
    },
  });
}

export function renameTable(table, changed) {
  const name = textInput(table.name);
  openSheet({
    title: `Rename ${table.name}`, submitText: "Rename",
    body: [labelled("New name", name, `${nameHint} Pages that use the old name find nothing then.`)],
    fieldOf: () => name,
    async onSubmit(sheet) {
      const to = nameIn(name, "Give the table a name.");
      await post("/api/data/tables/rename", { old_name: table.name, new_name: to });
      sheet.close();
      await changed(to);
      tell(`${table.name} is called ${to} now.`);
    },
  });
}

export async function deleteTable(table, changed) {
  const own = table.columns.filter((column) => !column.system).map((column) => column.name);
  const much = table.rows === 0 ? "It has no rows." : `${rowsText(table.rows).replace(/^too many/, "Too many")}${table.bytes ? `, ${sizeText(table.bytes)},` : ""} and what visitors wrote there, are lost.`;
  const text = `The table ${table.name} with the columns ${own.slice(0, 12).join(", ")}${own.length > 12 ? " and more" : ""}: ${much} This cannot be taken back; an export keeps a copy.`;
  if (!await ask(`Delete ${table.name}?`, text, "Delete the table")) return;
  try {
    await post("/api/data/tables/delete", { table: table.name });
    await changed(null);
    find("tables-title").focus();
    tell(`${table.name} was deleted.`);
  } catch (error) {
    tellFailure(error);
  }
}

export function editColumns(table, changed) {
  const list = element("ul", "plain column-list");
  const fields = columnFields();
  const reopen = async () => { const fresh = await changed(table.name); if (fresh) editColumns(fresh, changed); };
  for (const column of table.columns.filter(({ system }) => !system)) {
    const facts = [typeText(column.type), column.required ? "needed" : "", column.unique ? "no two the same" : "", column.choices.slice(0, 8).join(" / ")].filter(Boolean);
    const rename = button("Rename", "button small", () => renameColumn(table, column, changed));
    rename.setAttribute("aria-label", `Rename ${column.name}`);
    const drop = button("Remove", "button small danger", async () => {
      const text = `The column ${column.name} and its value in every row of ${table.name} (${rowsText(table.rows)}) are lost. This cannot be taken back.`;
      if (!await ask(`Remove ${column.name}?`, text, "Remove the column")) return;
      try {
        await post("/api/data/tables/drop-column", { table: table.name, column: column.name });
        await reopen();
        tell(`The column ${column.name} was removed.`);
      } catch (error) {
        sheet.fail(error);
      }
    });
    drop.setAttribute("aria-label", `Remove ${column.name}`);
    list.append(element("li", "", element("span", "what", element("b", "", column.name), ` ${clean(facts.join(", "))}`), element("span", "row", rename, drop)));
  }
  const sheet = openSheet({
    title: `Columns of ${table.name}`,
    body: [list, element("fieldset", "", element("legend", "", "Another column"), ...fields.nodes)],
    submitText: "Add the column", closeText: "Close", fieldOf: () => fields.name,
    async onSubmit(open) {
      nameIn(fields.name, "Give the column a name.");
      const column = fields.value();
      if (table.mode === "classic") {
        column.type = { enum: "TEXT", guid: "TEXT" }[column.type] ?? column.type.toUpperCase();
        column.not_null = column.required;
      }
      await post("/api/data/tables/add-column", { table: table.name, column });
      open.close();
      await reopen();
      tell(`The column ${column.name} was added.`);
    },
  });
}

function renameColumn(table, column, changed) {
  const name = textInput(column.name);
  openSheet({
    title: `Rename ${column.name} of ${table.name}`, submitText: "Rename",
    body: [labelled("New name", name, `${nameHint} Pages that use the old name do not find it then.`)],
    fieldOf: () => name,
    async onSubmit(sheet) {
      const to = nameIn(name, "Give the column a name.");
      await post("/api/data/tables/rename-column", { table: table.name, old_name: column.name, new_name: to });
      sheet.close();
      const fresh = await changed(table.name);
      if (fresh) editColumns(fresh, changed);
      tell(`${column.name} is called ${to} now.`);
    },
  });
}
