// Links that skip what is the same on every page. The fragment of an address is state in some pages: which table is open,
// which folder is shown, where in a site a visit is. So what such a link leads to gets the focus, and the address stays.

for (const link of document.querySelectorAll("a.skip")) {
  link.addEventListener("click", (event) => {
    const target = document.querySelector(link.hash);
    if (!target) return;
    event.preventDefault();
    target.scrollIntoView();
    target.focus({ preventScroll: true });
  });
}
