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
  { id: "private", name: "Private", text: "Only I: nobody else reads, adds, changes or removes anything.", access: { read: "local", insert: "local", update: "local", delete: "local" } },
];

const preset = (id) => presets.find((one) => one.id === id);

/// The four rules that a table without a schema can have. One word of the owner's stands for all of it. What is among the
/// presets is called as it is there.
const classic = [
  { ...preset("guestbook"), id: "open" },
  { id: "owner", name: "Only I add rows", text: "Everybody reads, only I add; whoever made a row changes and removes it.", access: { read: "open", insert: "owner", update: "owner", delete: "owner" } },
  { id: "group", name: "Only members of my group add rows (there are none yet: only I)", text: "Everybody reads, members add; whoever made a row changes and removes it.", access: { read: "open", insert: "group", update: "owner", delete: "owner" } },
  { ...preset("private"), id: "local" },
];

/// The word in force. Where a schema leaves one out, visitors see the rows they made, and do nothing else.
const inForce = (access, action) => access[action] ?? (action === "read" || action === "insert" ? "owner" : "local");

const same = (one, other) => actions.every((action) => inForce(one, action) === inForce(other, action));

/// One sentence.
export function policyText(access) {
  const known = [...presets, ...classic].find((one) => same(one.access, access));
  if (known) return known.text;
  return actions.map((action) => `${titles[action]}: ${(words[action][inForce(access, action)] ?? "Only I").toLowerCase().replace(/\bi\b/g, "I")}`).join("; ") + ".";
}

/// Fields that say who may do what. What is not touched stays as it is: `value()` gives the members of the request, or null
/// if there is nothing to change.
export function policyFields(table) {
  const access = table?.access ?? presets[0].access;
  return table?.mode === "classic" ? classicFields(access) : schemaFields(access, !table);
}

function classicFields(access) {
  const present = classic.find((rule) => same(rule.access, access));
  const choice = select([...(present ? [] : [["", "As it is now"]]), ...classic.map(({ id, name }) => [id, name])], present?.id ?? "");
  const place = labelled("Who may do what", choice, "-");
  const note = place.querySelector(".note");
  const show = () => {
    const text = classic.find(({ id }) => id === choice.value)?.text ?? policyText(access);
    note.textContent = `${text} You may always do everything. This table was made without rules for each act: pick one of these four.`;
  };
  choice.addEventListener("change", () => { show(); say(note.textContent); });
  show();
  return { nodes: [place], value: () => (choice.value ? { policy: choice.value } : null) };
}

function schemaFields(access, isNew) {
  const fields = {};
  for (const action of actions) {
    const options = Object.entries(words[action]).filter(([word]) => !(action === "insert" && word === "local" && access.insert !== "local"));
    fields[action] = select(options, inForce(access, action));
  }
  const known = presets.find((one) => same(one.access, access));
  const choice = select([...presets.map(({ id, name }) => [id, name]), ["own", "My own choice"]], known?.id ?? "own");
  const details = element("fieldset", "", element("legend", "", "My own choice"), element("div", "pair", ...actions.map((action) => labelled(titles[action], fields[action]))));
  const place = labelled("Who may do what", choice, "-");
  const show = () => {
    details.hidden = choice.value !== "own";
    place.querySelector(".note").textContent = `${preset(choice.value)?.text ?? "As chosen below."} You may always do everything.`;
  };
  choice.addEventListener("change", () => {
    const chosen = preset(choice.value);
    if (chosen) for (const action of actions) {
      fields[action].value = chosen.access[action];
      // Rows that only the owner adds: two words for one thing, of which the list has one.
      if (fields[action].selectedIndex < 0) fields[action].value = "owner";
    }
    show();
    say(place.querySelector(".note").textContent);
  });
  show();
  return {
    nodes: [place, details],
    value() {
      const chosen = preset(choice.value);
      const wanted = chosen?.access ?? Object.fromEntries(actions.map((action) => [action, fields[action].value]));
      if (isNew) return { access: wanted };
      const isKept = (action) => wanted[action] === inForce(access, action);
      if (actions.every(isKept)) return null;
      // The four words are set together: one that is left out, and was not touched, is left out again.
      return { access: Object.fromEntries(actions.map((action) => [action, isKept(action) ? access[action] : wanted[action]]).filter(([, word]) => word)) };
    },
  };
}
