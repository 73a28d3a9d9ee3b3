// A picture for an id: the same id always gives the same picture, and two ids that look alike as text do not look
// alike as pictures. The bits come from SHA-256, so nobody can choose an id with somebody else's picture cheaply.

const SVG = "http://www.w3.org/2000/svg";
const pictures = new Map();
const mostPictures = 2048;

function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function draw(hash) {
  const svg = shape("svg", { viewBox: "0 0 70 70", focusable: "false", "aria-hidden": "true" });
  const hue = ((hash[0] << 8) | hash[1]) % 360;
  svg.style.setProperty("--hue", String(hue));
  svg.style.setProperty("--hue2", String((hue + 60 + (hash[2] % 240)) % 360));
  svg.append(shape("rect", { class: "ident-tile", width: 70, height: 70, rx: 20 }));
  // Five by five, mirrored: three columns are free, 15 cells.
  for (let column = 0; column < 3; column += 1) {
    for (let row = 0; row < 5; row += 1) {
      const value = hash[3 + column * 5 + row];
      if (value < 118) continue;
      const kind = value % 5 === 0 ? "ident-cell second" : "ident-cell";
      for (const x of column === 2 ? [2] : [column, 4 - column]) {
        svg.append(shape("rect", { class: kind, x: 9.5 + x * 10.2, y: 9.5 + row * 10.2, width: 10.2, height: 10.2, rx: 3.4 }));
      }
    }
  }
  return svg;
}

/// Puts the picture of `id` into `place`.
export async function showPicture(place, id) {
  if (place.dataset.id === id) return;
  place.dataset.id = id;
  let picture = pictures.get(id);
  if (!picture) {
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(id));
    picture = draw(new Uint8Array(digest));
    if (pictures.size >= mostPictures) pictures.clear();
    pictures.set(id, picture);
  }
  if (place.dataset.id === id) place.replaceChildren(picture.cloneNode(true));
}
