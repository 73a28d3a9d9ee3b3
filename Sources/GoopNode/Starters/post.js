// One post, named by `?slug=` in the address.
const find = (id) => document.getElementById(id);

/**
 * Asks once more in place, since a site cannot open windows of the browser; at rest again when it is left or time passes.
 * In guestbook.js as well: each starter is a site of its own, and the SDK is that of the visitor's viewer, which may be older.
 */
function askTwice(button, sure, action) {
  const [text, label] = [button.textContent, button.ariaLabel];
  let timer = 0;
  const show = (isSure) => {
    clearTimeout(timer);
    button.dataset.sure = isSure ? "yes" : "";
    button.textContent = isSure ? "Really delete it? Press again" : text;
    button.ariaLabel = isSure ? sure : label;
    if (isSure) timer = setTimeout(show, 8000, false);
  };
  button.addEventListener("blur", () => show(false));
  button.addEventListener("click", () => {
    const isSure = button.dataset.sure === "yes";
    show(!isSure);
    if (isSure) action();
  });
}

async function start() {
  const slug = Goop.router.param("slug");
  const post = slug ? await Goop.data.getBy("posts", "slug", slug) : null;
  if (!post) {
    find("title").textContent = "There is no such post";
    find("status").textContent = "It may have been removed by its author.";
    return;
  }
  document.title = post.title;
  find("title").textContent = post.title;
  find("when").textContent = Goop.date(post._created_at, { dateStyle: "long" });
  find("text").replaceChildren(...post.body.split(/\n{2,}/).map((part) =>
    Object.assign(document.createElement("p"), { textContent: part })));
  const me = await Goop.peer();
  const button = find("delete");
  button.hidden = !me.isOwner;
  askTwice(button, null, async () => {
    try {
      await Goop.data.remove("posts", post._id);
      Goop.router.go(`${Goop.router.page().replace(/post\.html$/, "")}index.html`);
    } catch (error) {
      find("status").textContent = Goop.explain(error);
    }
  });
}

start()
  .catch((error) => {
    find("title").textContent = "This post cannot be shown";
    find("status").textContent = Goop.explain(error);
  })
  .finally(() => find("post").removeAttribute("aria-busy"));
