// One row in the sheet: look, change, remove, or make a new one.

import { button, clean, element, post, postQuestion, sizeText, tell, tellFailure } from "/assets/words.js";
import { ask, labelled, openSheet, select, textInput } from "/assets/data-sheet.js";
import { fieldText, isLong, isNumber, isTime, localTime, ownerText } from "/assets/data-values.js";

function hint(column) {
  const parts = [];
  if (column.unique) parts.push("No two rows may have the same.");
  if (isTime(column.type)) parts.push({ date: "For example 2026-01-31.", time: "For example 14:30:00." }[column.type] ?? "For example 2026-01-31 14:30:00, in UTC.");
  if (column.type === "integer") parts.push("A whole number.");
  return parts;
}

function field(column, value, isNew) {
  const notes = hint(column);
  if (isNew && column.auto) notes.push("Left empty, it is filled in by itself.");
  else if (isNew && column.default !== null) notes.push(`Left empty, it becomes ${clean(String(column.default)).slice(0, 60)}.`);
  else if (!column.required && !column.choices.length) notes.push("Left empty, it has no value.");
  const before = fieldText(value);
  const isBinary = value !== null && typeof value === "object" && "binary" in value;
  const isCut = value !== null && typeof value === "object" && "cut" in value;
  let input;
  if (isBinary || isCut) {
    input = textInput(isBinary ? `binary, ${sizeText(value.binary)}` : `a text of ${sizeText(value.bytes)}`);
    input.disabled = true;
    notes.length = 0;
    notes.push("This cannot be changed here.");
  } else if (column.choices.length) {
    const choices = column.choices.map((choice) => [choice, choice]);
    if (before && !column.choices.includes(before)) choices.push([before, before]);
    input = select([["", column.required ? "Choose…" : "No value"], ...choices], before);
  } else {
    // A text that has line ends, or may get some.
    input = textInput(before, isLong(column.type) ? { lines: Math.min(8, Math.max(2, before.split("\n").length)) } : isNumber(column.type) ? { mode: "decimal" } : {});
  }
  // A field changes line ends: what it holds at first is what nobody has touched.
  const untouched = input.value;
  input.dataset.column = column.name;
  if (column.required) input.required = true;
  return {
    column, input,
    node: labelled(column.required ? `${column.name} (needed)` : column.name, input, notes.join(" ")),
    /// Undefined: as it was.
    value() {
      if (input.disabled || input.value === untouched) return undefined;
      return input.value === "" && (!column.required || !isLong(column.type)) ? null : input.value;
    },
  };
}

/// The field that an error is about: the schema writes “column NAME”, SQLite “TABLE.NAME”.
function fieldIn(fields, error) {
  const text = `${error.message} ${error.detail ?? ""}`;
  const named = [...text.matchAll(/(?:\bcolumn |\.)(\w+)/g)].map((found) => found[1]);
  return fields.find(({ column }) => named.includes(column.name))?.input;
}

/// The row with what the list has cut of its texts, which has to be there before it can be changed.
async function whole(table, row) {
  const values = { ...row };
  for (const { name, system } of table.columns) {
    if (system || values[name] === null || typeof values[name] !== "object" || !("cut" in values[name])) continue;
    values[name] = (await postQuestion("/api/rooms/data/value", { table: table.name, id: row._id, column: name })).value;
  }
  return values;
}

/// The row as it is by now, if one of these columns was changed since the sheet was opened; null if none was.
async function newer(table, row, seen) {
  const { rows: [fresh] } = await postQuestion("/api/rooms/data/rows", { table: table.name, where: `_id = ${row._id}`, limit: 1 });
  if (!fresh) return null;
  const values = await whole(table, fresh);
  return Object.keys(seen).some((name) => JSON.stringify(values[name] ?? null) !== JSON.stringify(seen[name])) ? fresh : null;
}

export async function openRow(view, row) {
  const table = view.table;
  const isNew = !row;
  const own = table.columns.filter((column) => !column.system);
  let values = {};
  try {
    if (!isNew) values = await whole(table, row);
  } catch (error) {
    return tellFailure(error);
  }
  const fields = own.map((column) => field(column, values[column.name] ?? null, isNew));
  const body = fields.map(({ node }) => node);
  if (!isNew) body.push(systemFacts(view, row));
  const open = openSheet({
    title: isNew ? `New row in ${table.name}` : `Row ${row._id} of ${table.name}`,
    body, submitText: isNew ? "Add row" : "Save row",
    fieldOf: (error) => fieldIn(fields, error),
    extra: isNew ? [] : [button("Delete row", "button danger apart", () => remove(view, table, row, open))],
    async onSubmit(sheet) {
      const changed = {};
      // What the person was shown of it: whatever others have written there since, nobody has seen.
      const seen = {};
      for (const { column: { name }, value } of fields) {
        const given = value();
        if (given === undefined) continue;
        changed[name] = given;
        seen[name] = values[name] ?? null;
      }
      if (!isNew && Object.keys(changed).length === 0) return sheet.close();
      let id;
      try {
        const written = { table: table.name, values: changed, ...(isNew ? {} : { id: row._id, seen }) };
        ({ id } = await post("/api/rooms/data/write", written));
      } catch (error) {
        // Two rows with the same value, where there may be one, are a conflict too.
        const fresh = !isNew && error.code === "conflict" && await newer(table, row, seen).catch(() => null);
        if (!fresh) throw error;
        throw Object.assign(new Error("This row was changed while you were looking at it, and nothing of yours was saved. Copy what you typed, if you need it, before you load the newer row."), {
          action: ["Load the newer row", () => openRow(view, fresh)],
        });
      }
      sheet.close();
      view.changed.add(String(id));
      await view.read();
      focusRow(id);
      tell(isNew ? `Row ${id} was added.` : `Row ${id} was saved.`);
    },
  });
}

function systemFacts(view, row) {
  const facts = element("dl", "facts");
  const add = (name, ...value) => facts.append(element("dt", "", name), element("dd", "", ...value));
  const whose = String(row._owner ?? "");
  add("Whose", element("bdi", "", ownerText(whose, view.me, view.owners)), " ", element("span", "mono", clean(whose)));
  if (row._owner_email) add("E-mail", element("bdi", "", clean(row._owner_email)));
  add("Made", localTime(row._created_at));
  add("Changed", localTime(row._updated_at));
  return facts;
}

async function remove(view, table, row, open) {
  const own = table.columns.filter((column) => !column.system);
  const says = own.map((column) => row[column.name]).find((value) => typeof value === "string" && value) ?? "";
  const text = `Row ${row._id} of ${table.name}${says ? ` (“${clean(says).slice(0, 80)}”)` : ""} is lost. This cannot be taken back.`;
  if (!await ask("Delete this row?", text, "Delete row")) return;
  try {
    await post("/api/data/delete", { table: table.name, id: row._id });
  } catch (error) {
    // Over the sheet, which is still open, nothing else of the page is seen.
    return open.fail(error);
  }
  open.close();
  await view.read();
  document.getElementById("table-title").focus();
  tell(`Row ${row._id} was deleted.`);
}

/// Where the person was, now that the table was drawn again.
function focusRow(id) {
  const edit = document.querySelector(`[data-key="${CSS.escape(`edit ${id}`)}"]`);
  (edit ?? document.getElementById("add-row")).focus({ preventScroll: !edit });
}
