// The Network room: addresses, connections as a picture and as a table, and the log.

import { arrangeChildren, clean, copyButton, element, find, get, itsComputer, nameOf, printOf, reasonOf, setText, tell, ways } from "/assets/words.js";

const SVG = "http://www.w3.org/2000/svg";
const mostNodes = 24;
/// From the one in the middle of the picture to those beside it.
const across = 215;
/// Between the lines of one label.
const lineHeight = 16;
/// As people write them.
const securities = { "/noise": "Noise", "/tls/1.0.0": "TLS" };
let lines = [];
let isPaused = false;

function shape(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const nameIn = (connection) => clean(connection.name) || printOf(connection.peer);

/// Those who bear a name that another one bears too, upper and lower case being one.
function ofOneName(connections) {
  const called = (one) => clean(one.name).normalize("NFKC").toLowerCase();
  return connections.filter((one) => clean(one.name) && connections.some((other) => other !== one && called(other) === called(one)));
}

/// As people count letters: a flag or a family is one.
const letters = new Intl.Segmenter();
function shortened(text, most) {
  const parts = [...letters.segment(text)].map(({ segment }) => segment);
  return parts.length > most ? `${parts.slice(0, most - 1).join("").trimEnd()}…` : text;
}

/// How those are called who were connected while this page was open, for the log, which has ids.
const names = new Map();
const anID = /(?<![/\w])(12D3Koo[1-9A-HJ-NP-Za-km-z]{38,50}|Qm[1-9A-HJ-NP-Za-km-z]{44})\b/;

/// A line of the log: the id of somebody whose name is known is shown as the name and the end of the id.
function lineParts(text) {
  return clean(text).split(anID).map((part, index) => {
    if (index % 2 === 0) return part;
    const name = names.get(part);
    if (!name) return part;
    const print = element("span", "print", printOf(part));
    print.title = part;
    return element("span", "", element("bdi", "", name), " ", print);
  });
}

const saidIn = (line) => lineParts(line.text).map((part) => part.textContent ?? part).join("");

async function learnNames() {
  try {
    const [around, { named }] = await Promise.all([get("/api/peers"), get("/api/rooms/peers")]);
    for (const one of around) if (clean(one.Content)) names.set(one.ID, clean(one.Content));
    for (const one of named) names.set(one.id, nameOf(one));
  } catch { /* The log has the ids then. */ }
}

function uptimeText(seconds) {
  if (seconds < 90) return `Up for ${seconds} seconds.`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `Up for ${minutes} minutes.`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `Up for ${hours} hours.` : `Up for ${Math.round(hours / 24)} days.`;
}

const isLoopback = (address) => /^\/ip4\/127\.|^\/ip6\/::1\//.test(address);

function addressItem(address) {
  return {
    key: address, text: address,
    make: () => element("li", "", element("span", "mono", address), copyButton("Copy", `the address ${address}`, address)),
  };
}

/// What others can use first, with what it is for.
function showAddresses(picture) {
  const addresses = picture.addresses.map((address) => `${address}/p2p/${picture.id}`);
  const outward = addresses.filter((address) => !isLoopback(address));
  const inward = addresses.filter(isLoopback);
  arrangeChildren(find("outward"), outward.map(addressItem));
  arrangeChildren(find("inward"), inward.map(addressItem));
  if (outward.length) {
    find("outward-note").replaceChildren(`On your network you are found without them. Give one to somebody outside it who can reach ${itsComputer}; they start their Goop² with `,
      element("code", "nowrap", "--contact"), " and the address.");
  } else {
    find("outward-note").replaceChildren(`Only programs on ${itsComputer} can reach you. So it is when Goop² was started with `, element("code", "nowrap", "--local"), ".");
  }
  setText(find("inward-note"), outward.length ? "For programs on the same computer only:" : "");
  find("inward-note").hidden = !outward.length || !inward.length;
}

// One picture of what the table says: this peer in the middle, the others around it.
function draw(picture) {
  const byPeer = new Map(picture.connections.map((connection) => [connection.peer, connection]));
  const peers = [...byPeer.values()].slice(0, mostNodes);
  const box = find("picture");
  if (peers.length === 0) return box.replaceChildren();
  // Equal names are told apart by the end of the id, on a line of its own.
  const alike = ofOneName(peers);
  const linesOf = (peer) => [nameIn(peer), ...(alike.includes(peer) ? [printOf(peer.peer)] : [])];
  const [width, height] = [560, peers.length <= 2 ? 150 : alike.length > 0 ? 344 : 320];
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  svg.setAttribute("aria-label", `A picture of the table below: you, connected with ${peers.map((peer) => linesOf(peer).join(" ")).join(", ")}.`);
  // Two are a pair: then what is in the middle is the line between them.
  const middle = { x: width / 2 - (peers.length === 1 ? across / 2 : 0), y: height / 2 };
  const marks = [];
  peers.forEach((peer, index) => {
    const angle = (index / peers.length) * 2 * Math.PI;
    const at = { x: middle.x + Math.cos(angle) * across, y: middle.y + Math.sin(angle) * 110 };
    svg.append(shape("line", { class: `wire ${peer.path}`, x1: middle.x, y1: middle.y, x2: at.x, y2: at.y }));
    marks.push(shape("circle", { class: "node", cx: at.x, cy: at.y, r: 13 }));
    const said = linesOf(peer);
    const top = at.y + (at.y < middle.y - 1 ? -22 - lineHeight * (said.length - 1) : 32);
    said.forEach((line, number) => {
      const text = shape("text", { x: at.x, y: top + lineHeight * number, ...(number > 0 ? { class: "print" } : {}) });
      text.textContent = shortened(line, 18);
      marks.push(text);
    });
  });
  const own = shape("text", { class: "own", x: middle.x, y: middle.y + 38 });
  own.textContent = "You";
  svg.append(...marks, shape("circle", { class: "node own", cx: middle.x, cy: middle.y, r: 18 }), own);
  box.replaceChildren(svg);
  // Hidden in a narrow window, where nothing can be measured.
  if (box.offsetParent === null) return;
  for (const text of svg.querySelectorAll("text")) {
    const { x, width: length } = text.getBBox();
    // A name that would leave the picture is held at its edge.
    const side = x < 0 ? "left" : x + length > width ? "right" : null;
    if (!side) continue;
    text.classList.add(side);
    text.setAttribute("x", side === "left" ? 2 : width - 2);
  }
}

function rowOf(connection) {
  const name = clean(connection.name);
  const head = element("th", "", ...(name ? [element("bdi", "", name), " "] : []), element("span", "print", printOf(connection.peer)));
  head.scope = "row";
  head.title = connection.peer;
  return element("tr", "", head,
    element("td", "", ways[connection.path] ?? connection.path),
    element("td", "", connection.direction === "inbound" ? "they" : "you"),
    element("td", "mono", connection.address),
    element("td", "", securities[connection.security] ?? connection.security));
}

let shown = "";
function showNetwork(picture) {
  setText(find("uptime"), `${uptimeText(picture.uptimeSeconds)} ${picture.streams === 1 ? "1 stream" : `${picture.streams} streams`} in use.`);
  const text = JSON.stringify([picture.addresses, picture.connections]);
  // What has not changed is not touched, so that reading and selecting go on.
  if (text === shown) return;
  shown = text;
  for (const connection of picture.connections) if (clean(connection.name)) names.set(connection.peer, clean(connection.name));
  showAddresses(picture);
  find("connections").tBodies[0].replaceChildren(...picture.connections.map(rowOf));
  find("connections").hidden = picture.connections.length === 0;
  find("alone").hidden = picture.connections.length > 0;
  draw(picture);
}

function matching() {
  const kind = find("kind").value;
  const words = clean(find("words").value).toLowerCase();
  return lines.filter((line) => {
    if (kind && line.kind !== kind) return false;
    return !words || line.text.toLowerCase().includes(words) || saidIn(line).toLowerCase().includes(words);
  });
}

function lineItem(line) {
  return {
    key: String(line.number), text: JSON.stringify([line.time, line.text, saidIn(line)]),
    make() {
      const time = element("time", "", new Date(line.time).toLocaleTimeString());
      time.dateTime = new Date(line.time).toISOString();
      return element("li", "", time, element("span", "", ...lineParts(line.text)));
    },
  };
}

function showLog() {
  const found = matching().slice(-300).reverse();
  const nothing = lines.length ? "Nothing like that." : "Nothing has happened yet.";
  arrangeChildren(find("log"), found.length ? found.map(lineItem)
    : [{ key: "", text: nothing, make: () => element("li", "", element("span", "", nothing)) }]);
}

let isReading = false;

/// One at a time: a viewer that takes long is not asked more often for that.
async function refresh() {
  if (document.hidden || isReading) return;
  isReading = true;
  try {
    showNetwork(await get("/api/rooms/network"));
    find("trouble").hidden = true;
    if (isPaused) return;
    const fresh = await get("/api/rooms/network/log");
    // It may be paused by now.
    if (isPaused) return;
    if (fresh.at(-1)?.number !== lines.at(-1)?.number || lines.length === 0) {
      lines = fresh;
      showLog();
    }
  } catch (error) {
    // A viewer that does not answer is told of above, once.
    setText(find("trouble"), reasonOf(error));
    find("trouble").hidden = error.status === undefined;
  } finally {
    isReading = false;
  }
}

find("kind").addEventListener("change", showLog);
find("words").addEventListener("input", showLog);
find("pause").addEventListener("click", (event) => {
  isPaused = !isPaused;
  event.currentTarget.setAttribute("aria-pressed", String(isPaused));
  if (!isPaused) refresh();
});
find("copy").addEventListener("click", async () => {
  const text = matching().map((line) => `${new Date(line.time).toISOString()} ${line.kind} ${line.text}`).join("\n");
  try {
    await navigator.clipboard.writeText(text);
    tell("The log was copied.");
  } catch {
    tell("The browser did not allow copying.", { isError: true });
  }
});

await learnNames();
refresh();
setInterval(refresh, 2000);
