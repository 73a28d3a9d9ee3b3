// Rows as files: out as a download, in as an upload that is read while it arrives.

import { clean, element, postFile, say, sizeText, tell } from "/assets/words.js";
import { checkbox, labelled, openSheet } from "/assets/data-sheet.js";
import { rowsText } from "/assets/data-values.js";

export function exportTable(table) {
  const link = (form, text) => {
    const made = element("a", "button", text);
    made.href = `/api/rooms/data/export?table=${encodeURIComponent(table.name)}&form=${form}`;
    made.download = `${table.name}.${form}`;
    return made;
  };
  openSheet({
    title: `Export ${table.name}`,
    body: [
      element("p", "note", `${rowsText(table.rows)}, all columns. Both kinds can be imported again without loss.`),
      element("div", "row", link("csv", "CSV, for spreadsheets"), link("json", "JSON")),
      element("p", "note", "In CSV, a text that a spreadsheet would run as a formula has an apostrophe in front, because rows come from strangers. An import takes it away again."),
    ],
  });
}

export function importRows(table, changed) {
  const file = document.createElement("input");
  file.type = "file";
  file.accept = ".csv,.json,.jsonl,.ndjson,text/csv,application/json";
  const keep = checkbox("Keep ids, owners and times of the file, to bring an export back");
  const progress = document.createElement("progress");
  progress.max = 1;
  progress.hidden = true;
  progress.setAttribute("aria-label", "How much of the file was read");
  const outcome = element("div", "outcome");
  outcome.tabIndex = -1;
  let running = null;
  const sheet = openSheet({
    title: `Import into ${table.name}`,
    body: [
      labelled("File with rows", file, "CSV whose first line names the columns, or JSON: a list of objects, or one object a line. A file of any size is read piece by piece."),
      keep.label, progress, outcome,
    ],
    submitText: "Import", closeText: "Close", fieldOf: () => (file.files.length ? null : file),
    async onSubmit(open) {
      open.clear();
      outcome.replaceChildren();
      const chosen = file.files[0];
      if (!chosen) throw new Error("Choose a file first");
      const form = /\.(json|jsonl|ndjson)$/i.test(chosen.name) || chosen.type === "application/json" ? "json" : "csv";
      const path = `/api/rooms/data/import?table=${encodeURIComponent(table.name)}&form=${form}${keep.input.checked ? "&system=1" : ""}`;
      progress.hidden = false;
      progress.removeAttribute("value");
      say(`Reading ${clean(chosen.name)}, ${sizeText(chosen.size)}`);
      running = new AbortController();
      try {
        showOutcome(outcome, await postFile(path, chosen, {
          type: form === "csv" ? "text/csv" : "application/json", signal: running.signal,
          // The peer reads it while it arrives, so that is how far the import is.
          onProgress(loaded, total) { progress.value = total ? loaded / total : 0; },
        }));
        outcome.focus();
      } finally {
        running = null;
        progress.hidden = true;
        await changed(table.name);
      }
    },
    onClose() { if (running) { running.abort(); tell("The import was stopped. What was read before is in the table."); } },
  });
  return sheet;
}

function showOutcome(place, report) {
  const parts = [];
  const added = `${rowsText(report.added)} ${report.added === 1 ? "was" : "were"} added.`;
  parts.push(element("p", "", element("b", "", added)));
  if (report.fault) parts.push(element("p", "fault", `The rest was not read: ${[clean(report.fault.error), clean(report.fault.detail)].filter(Boolean).join("; ")}`));
  if (report.refused) {
    parts.push(element("p", "", `${rowsText(report.refused)} ${report.refused === 1 ? "was" : "were"} left out:`));
    const more = report.refused - report.lines.length;
    parts.push(element("ul", "lines", ...report.lines.map(({ line, reason }) => element("li", "", `Line ${line}: ${clean(reason)}`)),
      ...(more > 0 ? [element("li", "", `and ${more} more`)] : [])));
  }
  if (report.skipped.length) parts.push(element("p", "note", `Not read from the file: ${clean(report.skipped.join(", "))}.`));
  place.replaceChildren(...parts);
  say(`${added} ${report.refused ? `${rowsText(report.refused)} left out.` : ""}`);
}

