// Who may visit: everyone, or the people that the owner names. Fills <section id="audience">.

import { showPicture } from "/assets/identicon.js";
import { followSite } from "/assets/site-live.js";
import { arrangeChildren, button, clean, element, find, get, nameOf, post, printOf, reasonOf, tell, tellFailure } from "/assets/words.js";

const place = find("audience");
const decide = (decision) => post("/api/rooms/site/audience", decision);
const idIn = (text) => /\b(12D3Koo[1-9A-HJ-NP-Za-km-z]{38,50}|Qm[1-9A-HJ-NP-Za-km-z]{44})\b/.exec(text)?.[1] ?? clean(text);

let sheet = null;
const ways = new Map();
const state = element("p", "note");
const guests = element("ul", "plain guests");
guests.tabIndex = -1;
guests.setAttribute("aria-label", "People you have named");
const list = element("datalist");
list.id = "guest-known";
const input = element("input");
const fault = element("p", "fault");

function fail(error) {
  fault.textContent = reasonOf(error);
  fault.hidden = false;
}

function way(name, title, text) {
  const input = element("input");
  input.type = "radio";
  input.name = "audience";
  input.id = `audience-${name}`;
  input.addEventListener("change", async () => {
    try {
      show(await decide({ audience: name }));
      tell(name === "everyone" ? "Your site is shown to everyone now." : "Your site is shown to the people you named, and to nobody else.");
    } catch (error) {
      if (sheet) show(sheet); else input.checked = false;
      tellFailure(error);
    }
  });
  ways.set(name, input);
  const label = element("label", "choice", input, element("span", "", element("strong", "", title), ` ${text}`));
  label.htmlFor = input.id;
  return label;
}

function picture(id) {
  const made = element("span", "picture");
  showPicture(made, id);
  return made;
}

function row(guest) {
  const remove = button("Remove", "button small danger", async () => {
    try {
      show(await decide({ revoke: [guest.id] }));
      guests.focus();
      tell(`${nameOf(guest)} does not see your site any more.`, { undo: async () => show(await decide({ allow: [guest.id] })) });
    } catch (error) {
      tellFailure(error);
    }
  });
  remove.setAttribute("aria-label", `Remove ${nameOf(guest)} from the list`);
  const print = element("span", "print", printOf(guest.id));
  print.title = guest.id;
  return element("li", "guest", picture(guest.id), element("span", "guest-name", element("bdi", "", nameOf(guest)), " ", print, ...(guest.unseen ? [element("span", "note", "Not seen yet")] : [])), remove);
}

function show(next) {
  sheet = next;
  const isNamed = sheet.audience === "named";
  for (const [name, input] of ways) input.checked = name === sheet.audience;
  state.textContent = isNamed
    ? sheet.guests.length === 0 ? "Nobody is named: only you see your site." : "Whoever is not on this list gets nothing of your site: no file and no row. Whoever you remove sees it go at once; what they have read already cannot be taken back."
    : sheet.guests.length === 0 ? "Whoever finds you sees your site." : "Whoever finds you sees your site. This list is not used now: everyone may visit.";
  guests.classList.toggle("unused", !isNamed);
  const focused = document.activeElement?.getAttribute("aria-label");
  arrangeChildren(guests, sheet.guests.map((guest) => ({ key: guest.id, text: JSON.stringify(guest), make: () => row(guest) })));
  guests.hidden = sheet.guests.length === 0;
  // A change from elsewhere leaves the focus where it was.
  if (focused && !document.activeElement?.getAttribute("aria-label")) {
    ([...guests.querySelectorAll("button")].find((one) => one.getAttribute("aria-label") === focused) ?? guests).focus();
  }
}

// Those who are around, and those whom the owner has given a name, to choose from by name.
let people = [];
async function offer() {
  try {
    const [around, { named }] = await Promise.all([get("/api/peers"), get("/api/rooms/peers")]);
    const petnames = new Map(named.map((one) => [one.id, one]));
    people = [...around.filter((one) => !petnames.has(one.ID)).map((one) => ({ id: one.ID, label: one.Content })), ...named];
  } catch {
    people = [];
  }
  const named = new Set(sheet?.guests.map((guest) => guest.id));
  list.replaceChildren(...people.filter((one) => !named.has(one.id)).map((one) => {
    const option = element("option");
    option.value = `${nameOf(one)} ${printOf(one.id)}`;
    return option;
  }));
}

function chosen(text) {
  const found = people.find((one) => `${nameOf(one)} ${printOf(one.id)}` === text.trim());
  if (found) return found.id;
  const alike = people.filter((one) => nameOf(one).toLowerCase() === clean(text).toLowerCase());
  if (alike.length > 1) throw new Error("More than one has that name: choose one from the list, or paste an id.");
  if (alike.length === 1) return alike[0].id;
  const id = idIn(text);
  // Ids have other forms too, which the viewer knows; none of them is this short or has blanks.
  if (!/^\S{40,}$/.test(id)) throw new Error(`Nobody called “${clean(text).slice(0, 80)}” is known here. Choose from the list, or paste the link to their site.`);
  return id;
}

function form() {
  input.id = "guest";
  input.type = "text";
  input.autocomplete = "off";
  input.spellcheck = false;
  input.setAttribute("list", list.id);
  input.setAttribute("aria-describedby", "guest-hint guest-fault");
  fault.id = "guest-fault";
  fault.setAttribute("role", "alert");
  fault.hidden = true;
  const hint = element("p", "note", "A name of your list, or the id or the link to their site that they sent you.");
  hint.id = "guest-hint";
  const label = element("label", "", element("span", "label", "Name somebody"), input);
  label.htmlFor = input.id;
  const submit = element("button", "button", "Add to the list");
  submit.type = "submit";
  const made = element("form", "", label, list, hint, fault, element("div", "row", submit));
  made.noValidate = true;
  input.addEventListener("focus", offer);
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    fault.hidden = true;
    try {
      if (input.value.trim() === "") throw new Error("Write a name, an id or a link first.");
      const id = chosen(input.value);
      show(await decide({ allow: [id] }));
      input.value = "";
      input.focus();
      const guest = sheet.guests.find((one) => one.id === id);
      const unseen = guest?.unseen ? " Nobody with this id has been seen yet: compare it with the one they sent you." : "";
      tell((sheet.audience === "named" ? `${guest ? nameOf(guest) : "They"} may see your site now.` : `${guest ? nameOf(guest) : "They"} is on the list. It counts when you show your site to named people only.`) + unseen);
    } catch (error) {
      fail(error);
      input.focus();
    }
  });
  return made;
}

if (place) {
  const title = place.querySelector("h2");
  const choices = element("fieldset", "keys", element("legend", "visually-hidden", "Who may visit"),
    way("everyone", "Everyone", "who finds you: your network, and whoever has the link to your site."),
    way("named", "Only the people you name", "and nobody else."));
  place.replaceChildren(...(title ? [title] : []), choices, state, guests, form());
  get("/api/rooms/site/audience").then((value) => { if (!sheet) show(value); offer(); }).catch((error) => { state.textContent = reasonOf(error); });
  followSite(({ audience }) => { if (JSON.stringify(audience) !== JSON.stringify(sheet)) show(audience); });
}
