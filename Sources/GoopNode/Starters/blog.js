// The list of posts, and for the owner a form to write one.
const list = document.getElementById("posts");
const live = document.getElementById("live");
const status = document.getElementById("status");

function state(name, text) {
  live.dataset.state = name;
  live.textContent = text;
}

function element(tag, attributes, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
}

/** So much of a post stands in the list, in characters. */
const SHORT = 160;

function item(post) {
  return element("li", {},
    element("a", { href: `post.html?slug=${encodeURIComponent(post.slug)}` }, post.title),
    element("p", {}, post.size > SHORT ? `${post.beginning.trimEnd()}…` : post.beginning),
    element("p", { className: "by" }, element("time", {}, Goop.date(post._created_at, { dateStyle: "long" }))));
}

/** What stands in the list, by all that it shows. */
let shown = new Map();

/** Shows the posts. One that is as it was is not touched: somebody may be reading it, or about to open it. */
function show(posts) {
  const before = shown;
  shown = new Map(posts.map((post) => JSON.stringify(post)).map((text) => [text, before.get(text) ?? item(JSON.parse(text))]));
  if (posts.length === 0) shown.set("", before.get("") ?? element("li", {}, "Nothing is written yet."));
  const items = [...shown.values()];
  for (const child of [...list.children]) if (!items.includes(child)) child.remove();
  items.forEach((child, index) => {
    if (list.children[index] !== child) list.insertBefore(child, list.children[index] ?? null);
  });
}

let asked = 0;

/** The beginnings only: a hundred whole posts can be too much for one answer. A group of each row, since only those are cut. */
async function load() {
  const number = ++asked;
  const posts = await Goop.data.aggregate("posts",
    `_id, slug, title, substr(body, 1, ${SHORT}) AS beginning, length(body) AS size, _created_at`,
    { group_by: "_id", order: "_id DESC", limit: 100 });
  // Somebody asked again meanwhile: that answer is newer.
  if (number !== asked) return;
  show(posts);
  state("live", posts.length === 1 ? "One post." : `${posts.length} posts.`);
}

function lost(error) {
  state("lost", Goop.explain(error));
}

/** A short name for addresses: letters and digits of the title, and the day. */
function slugOf(title) {
  const words = title.normalize("NFKD").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 60);
  return `${new Date().toISOString().slice(0, 10)}-${words || "post"}-${Math.floor(Math.random() * 1296).toString(36)}`;
}

document.getElementById("editor").addEventListener("submit", async (event) => {
  event.preventDefault();
  const title = document.getElementById("title").value.trim();
  const body = document.getElementById("body").value.trim();
  const button = event.target.querySelector("button");
  // Pressed twice, it is one post all the same.
  if (button.disabled) return;
  // To the browser blanks are something.
  if (title === "" || body === "") {
    status.dataset.kind = "error";
    status.textContent = title === "" ? "The title is empty. Write one, then publish." : "The text is empty. Write one, then publish.";
    document.getElementById(title === "" ? "title" : "body").focus();
    return;
  }
  button.disabled = true;
  try {
    await Goop.data.insert("posts", { slug: slugOf(title), title, body });
    event.target.reset();
    status.dataset.kind = "";
    status.textContent = "Published.";
  } catch (error) {
    status.dataset.kind = "error";
    status.textContent = Goop.explain(error);
  } finally {
    button.disabled = false;
    // It lost the focus when it came to rest.
    if (document.activeElement === document.body) button.focus();
  }
});

async function start() {
  const me = await Goop.peer();
  document.getElementById("write").hidden = !me.isOwner;
  const reload = () => load().catch(lost);
  Goop.data.subscribe("posts", { onOpen: reload, onReload: reload, onChange: reload, onError: lost });
}

start().catch(lost);
