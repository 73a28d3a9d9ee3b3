// The address of the page around a site, which keeps up with what the frame shows. A page in the frame tells where in its site it
// is (sdk/goop-place.js): that was written by a stranger, and all that can come of it is another end of this page's address.

/// The longest place that is followed, in characters: path, query and fragment.
const longest = 4096;
/// Between two changes of the address, in milliseconds. Browsers allow a page some: Safari 100 in 30 s, others 200 in 10 s.
const rest = 400;
/// After one that the browser refused.
const longRest = 5000;

// MARK: The address

/// Where this page is to be next; null while it is there.
let next = null;
let isResting = false;

const shown = () => location.pathname + location.search + location.hash;

/// The address of this page, from its first slash on; also one that it takes in a moment.
export const address = () => next ?? shown();

/// Gives this page another address, at once or in a moment. Of several that come fast the last one counts.
export function moveTo(address) {
  next = address;
  if (!isResting) move();
}

function move() {
  isResting = false;
  const to = next;
  next = null;
  if (to === null || to === shown()) return;
  isResting = true;
  let isRefused = false;
  try {
    history.replaceState(null, "", to);
  } catch {
    isRefused = true;
    next = to;
  }
  setTimeout(move, isRefused ? longRest : rest);
}

// MARK: What the frame tells

const isText = (value) => typeof value === "string" && value.length <= longest && value.startsWith("/");

/// The address of this page for a place that a site told; null for whatever is no place within the site.
/// @param base the path of the site's root, without a slash at its end
function addressOf(path, base) {
  const text = location.origin + base + path;
  try {
    // Unless it is written as browsers write it, it leads elsewhere: by dots, backslashes, or what a browser leaves out.
    return new URL(text).href === text ? base + path : null;
  } catch {
    return null;
  }
}

/// Hears where pages of the frame are. A site may send what it likes, as often as it likes: of what comes fast only the last is
/// read, and after something that took long to read nothing is for twenty times as long.
/// @param base the path of the site's root, without a slash at its end
/// @param isOfFrame whether a message comes from the site in the frame
/// @param hear gets the address for this page, and the path and query under which the viewer was asked for the frame's page
export function hearPlaces(base, isOfFrame, hear) {
  let last = null;
  let isPausing = false;

  function read() {
    isPausing = false;
    const event = last;
    last = null;
    if (!event || !isOfFrame(event)) return;
    isPausing = true;
    const start = performance.now();
    const { data } = event;
    setTimeout(read, Math.max(rest, 20 * (performance.now() - start)));
    if (data?.goop !== "place" || !isText(data.path)) return;
    const address = addressOf(data.path, base);
    if (address !== null) hear(address, isText(data.page) ? data.page : null);
  }

  addEventListener("message", (event) => {
    if (!isOfFrame(event)) return;
    last = event;
    if (!isPausing) read();
  });
}
