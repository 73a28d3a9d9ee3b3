// The pictures that people choose for themselves, beside the ones made from their ids, never in their place: a picture is a
// claim, as a name is. One is shown when all of it is here, so a slow or a broken one leaves nothing.

// Browsers allow six connections to one address, and a stranger's picture may take its time.
const most = 2;
const waiting = [];
let loading = 0;

const near = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    waiting.push(target);
  }
  next();
}, { rootMargin: "300px" });

function next() {
  while (loading < most && waiting.length > 0) load(waiting.shift());
}

function load(place) {
  const address = place.dataset.face;
  if (!address || !place.isConnected) return;
  loading += 1;
  const image = new Image();
  const end = (isHere) => {
    loading -= 1;
    if (isHere && place.dataset.face === address) {
      image.className = "face";
      image.alt = place.dataset.faceText ?? "";
      drop(place);
      place.prepend(image);
      place.classList.add("with-face");
    }
    next();
  };
  image.addEventListener("load", () => end(true));
  image.addEventListener("error", () => end(false));
  image.src = address;
}

function drop(place) {
  place.querySelector(":scope > .face")?.remove();
  place.classList.remove("with-face");
}

/// Puts the picture at `address` in front of what is in `place`, once it is near the window; none if that is empty. `text` is what a
/// screen reader says of it; nothing where a name stands beside it. While its owner is not `here`, one that is shown stays, and none
/// is asked for.
export function showFace(place, address, text = "", here = true) {
  place.dataset.faceText = text;
  const shown = place.querySelector(":scope > .face");
  if (shown && shown.alt !== text) shown.alt = text;
  if (!here && !(shown && place.dataset.face === address)) address = "";
  if ((place.dataset.face ?? "") === address) return;
  place.dataset.face = address;
  drop(place);
  near.unobserve(place);
  if (address) near.observe(place);
}

/// Where the picture of a person in the list is; empty for none.
export const faceOf = (person) => (person.picture ? `/api/avatar/peer/${encodeURIComponent(person.id)}?v=${encodeURIComponent(person.picture)}` : "");

/// Where the owner's own is.
export const ownFace = (hash) => (hash ? `/api/avatar?v=${encodeURIComponent(hash)}` : "");
