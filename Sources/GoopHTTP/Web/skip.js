// What every page begins with: the row of the rooms, and links that skip what is the same everywhere.

// In a narrow window the row is longer than what is seen of it. Only the row is moved, for the address may lead further down.
const current = document.querySelector(".rooms [aria-current]");
const rooms = current?.closest("ul");
if (rooms) rooms.scrollLeft = current.offsetLeft - rooms.offsetLeft - (rooms.clientWidth - current.offsetWidth) / 2;

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
