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

async function load() {
  const posts = await Goop.data.find("posts", { fields: ["slug", "title", "body", "_created_at"], order: "_id DESC", limit: 100 });
  list.replaceChildren(...posts.map((post) => element("li", {},
    element("a", { href: `post.html?slug=${encodeURIComponent(post.slug)}` }, post.title),
    element("p", {}, post.body.length > 160 ? `${post.body.slice(0, 160).trimEnd()}…` : post.body),
    element("p", { className: "by" }, element("time", {}, Goop.date(post._created_at, { dateStyle: "long" }))))));
  if (posts.length === 0) list.replaceChildren(element("li", {}, "Nothing is written yet."));
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
