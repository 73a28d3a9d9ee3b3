// The poll: one row of the table `votes` for each visitor, and a chart that redraws when one arrives.
const form = document.getElementById("vote");
const status = document.getElementById("status");
const live = document.getElementById("live");
const result = document.getElementById("result");
const choices = [...form.querySelectorAll("input[name=choice]")].map((input) => input.value);
/** The newest choice of each visitor, by peer id: whoever sends more rows is still counted once. */
const votes = new Map();
const rows = new Map();
let me = {};
/** Whether something is chosen that is not sent yet: reading the rows again leaves it. */
let isChosen = false;

function state(name, text) {
  live.dataset.state = name;
  live.textContent = text;
}

/** A row that is none of the choices is no vote: a visitor can store anything, up to a megabyte. */
function count(row) {
  if (choices.includes(row.choice)) rows.set(row._id, row);
  else if (!rows.delete(row._id)) return;
  recount();
}

function recount() {
  votes.clear();
  for (const id of [...rows.keys()].sort((a, b) => a - b)) votes.set(rows.get(id)._owner, rows.get(id).choice);
  draw();
}

function svg(tag, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

let bars = null;

/** A row in the chart for each choice; drawn once, then only widths and figures change. */
function prepare() {
  const height = 58;
  const chart = svg("svg", { class: "chart", viewBox: `0 0 400 ${height * choices.length}`, role: "img" });
  bars = choices.map((choice, index) => {
    const top = index * height;
    const bar = svg("rect", { class: "bar", x: 0, y: top + 24, width: 0, height: 18, rx: 6 });
    const figure = svg("text", { x: 400, y: top + 17, "text-anchor": "end" });
    chart.append(svg("text", { x: 0, y: top + 17 }, choice), figure,
      svg("rect", { class: "track", x: 0, y: top + 24, width: 400, height: 18, rx: 6 }), bar);
    return { choice, bar, figure };
  });
  result.replaceChildren(chart);
}

function draw() {
  if (bars === null) prepare();
  const counts = choices.map((choice) => [...votes.values()].filter((vote) => vote === choice).length);
  const total = counts.reduce((sum, number) => sum + number, 0);
  bars.forEach(({ bar, figure }, index) => {
    const share = total === 0 ? 0 : counts[index] / total;
    bar.setAttribute("width", String(Math.round(share * 400)));
    figure.textContent = `${counts[index]} · ${Math.round(share * 100)} %`;
  });
  result.firstElementChild.setAttribute("aria-label",
    choices.map((choice, index) => `${choice}: ${counts[index]} of ${total}`).join(", "));
  state("live", `Live: ${total} ${total === 1 ? "vote" : "votes"} so far.`);
}

/**
 * All votes (up to a bound), a thousand at a time: whoever sends many must not hide those of others. Only the choices are asked
 * for: a few long texts would be too much for one answer.
 */
async function everyRow() {
  const found = [];
  for (let last = 0; found.length < 100_000;) {
    const part = await Goop.data.find("votes", {
      fields: ["_id", "_owner", "choice"], where: `_id > ? AND choice IN (${choices.map(() => "?").join(", ")})`,
      args: [last, ...choices], order: "_id", limit: 1000,
    });
    found.push(...part);
    if (part.length < 1000) break;
    last = part.at(-1)._id;
  }
  return found;
}

/** What changes while the rows are being read; null at other times. Counted behind them: the answers may be older. */
let late = null;
const heard = (change) => { if (late) late.push(change); else change(); };

async function load() {
  const begun = (late = []);
  try {
    const found = await everyRow();
    // Somebody began to read again meanwhile: that answer is newer.
    if (late !== begun) return;
    rows.clear();
    for (const row of found) rows.set(row._id, row);
  } finally {
    if (late === begun) {
      late = null;
      for (const change of begun) change();
    }
  }
  recount();
  if (isChosen) return;
  const mine = votes.get(me.myId);
  for (const input of form.elements.choice) input.checked = input.value === mine;
}

form.addEventListener("change", () => { isChosen = true; });

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  status.dataset.kind = "";
  status.textContent = "Sending…";
  try {
    const choice = form.elements.choice.value;
    const own = await Goop.data.findOne("votes", { where: "_owner = ?", args: [me.myId], order: "_id DESC" });
    if (own) await Goop.data.update("votes", own._id, { choice });
    else await Goop.data.insert("votes", { choice });
    // Another choice may be made while this one is on its way.
    if (form.elements.choice.value === choice) isChosen = false;
    status.textContent = own ? "Your vote is changed." : "Thank you for your vote.";
  } catch (error) {
    status.dataset.kind = "error";
    status.textContent = Goop.explain(error);
  } finally {
    button.disabled = false;
    // It lost the focus when it came to rest.
    if (document.activeElement === document.body) button.focus();
  }
});

function lost(error) {
  state("lost", Goop.explain(error));
}

async function start() {
  me = await Goop.peer();
  Goop.data.subscribe("votes", {
    onOpen: () => load().catch(lost),
    onReload: () => load().catch(lost),
    onInsert: (row) => heard(() => count(row)),
    onUpdate: (row) => heard(() => count(row)),
    onDelete: (id) => heard(() => { rows.delete(id); recount(); }),
    onError: lost,
  });
}

start().catch(lost);
