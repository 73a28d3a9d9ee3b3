// Who may do what with a table, in plain words.

import { element, say } from "/assets/words.js";
import { labelled, select } from "/assets/data-sheet.js";

const actions = ["read", "insert", "update", "delete"];

const words = {
  read: { open: "Everybody sees all rows", owner: "Visitors see only rows they made", group: "Only members of my group (there are none yet: only I)", local: "Only I" },
  insert: { open: "Everybody adds rows", owner: "Only I", group: "Only members of my group (there are none yet: only I)", local: "Only I, not even asked for" },
  update: { open: "Everybody changes any row", owner: "Whoever made a row, and I", group: "Members of my group, their own (there are none yet: only I)", local: "Only I" },
  delete: { open: "Everybody removes any row", owner: "Whoever made a row, and I", group: "Members of my group, their own (there are none yet: only I)", local: "Only I" },
};
const titles = { read: "Who sees rows", insert: "Who adds rows", update: "Who changes rows", delete: "Who removes rows" };

/// What people mostly want.
export const presets = [
  { id: "guestbook", name: "Guestbook", text: "Everybody adds and reads, people change only their own rows.", access: { read: "open", insert: "open", update: "owner", delete: "owner" } },
  { id: "board", name: "Notice board", text: "Everybody reads, only I write.", access: { read: "open", insert: "owner", update: "local", delete: "local" } },
  { id: "suggestions", name: "Suggestion book", text: "Everybody adds and reads, only I change and remove.", access: { read: "open", insert: "open", update: "local", delete: "local" } },
  { id: "survey", name: "Survey", text: "Everybody adds, people see and change only their own rows.", access: { read: "owner", insert: "open", update: "owner", delete: "owner" } },
  { id: "letterbox", name: "Letter box", text: "Everybody adds, only I read.", access: { read: "local", insert: "open", update: "local", delete: "local" } },
  { id: "blackboard", name: "Blackboard", text: "Everybody does everything.", access: { read: "open", insert: "open", update: "open", delete: "open" } },
  { id: "private", name: "Private", text: "Only I.", access: { read: "local", insert: "local", update: "local", delete: "local" } },
];

const same = (one, other) => actions.every((action) => one[action] === other[action]);

/// One sentence.
export function policyText(access) {
  const known = presets.find((preset) => same(preset.access, access));
  if (known) return known.text;
  return actions.map((action) => `${titles[action]}: ${(words[action][access[action]] ?? "Only I").toLowerCase().replace(/\bi\b/g, "I")}`).join("; ") + ".";
}

/// Fields that say who may do what. A table without a schema knows only who adds rows.
export function policyFields(table) {
  const access = table?.access ?? presets[0].access;
  if (table?.mode === "classic") {
    const choice = select([["open", "Everybody adds rows"], ["owner", "Only I add rows"], ["group", "Only members of my group (there are none yet: only I)"]],
      access.insert === "open" || access.insert === "group" ? access.insert : "owner");
    return {
      nodes: [labelled("Who adds rows", choice, "This table has no description of its own, so the rest is fixed: everybody reads, and whoever made a row changes and removes it.")],
      value: () => ({ policy: choice.value }),
    };
  }
  const fields = {};
  for (const action of actions) {
    const options = Object.entries(words[action]).filter(([word]) => !(action === "insert" && word === "local" && access.insert !== "local"));
    fields[action] = select(options, access[action] ?? "local");
  }
  const known = presets.find((preset) => same(preset.access, access));
  const preset = select([...presets.map(({ id, name }) => [id, name]), ["own", "My own choice"]], known?.id ?? "own");
  const details = element("fieldset", "", element("legend", "", "My own choice"), element("div", "pair", ...actions.map((action) => labelled(titles[action], fields[action]))));
  const place = labelled("Who may do what", preset, "-");
  const show = () => {
    details.hidden = preset.value !== "own";
    place.querySelector(".note").textContent = `${presets.find(({ id }) => id === preset.value)?.text ?? "As chosen below."} You may always do everything.`;
  };
  preset.addEventListener("change", () => {
    const chosen = presets.find(({ id }) => id === preset.value);
    if (chosen) for (const action of actions) {
      if (![...fields[action].options].some(({ value }) => value === chosen.access[action])) continue;
      fields[action].value = chosen.access[action];
    }
    show();
    say(place.querySelector(".note").textContent);
  });
  show();
  return {
    nodes: [place, details],
    value() {
      const chosen = presets.find(({ id }) => id === preset.value);
      return { access: chosen?.access ?? Object.fromEntries(actions.map((action) => [action, fields[action].value])) };
    },
  };
}
