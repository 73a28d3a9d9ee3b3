// Streams of events. A browser has six connections to one address for all windows together, and a stream holds one as long
// as it is open: three sites side by side would leave none for anything else. So the pages of the viewer share theirs: one
// worker for all of them (streams-worker.js) has each stream once. Where a browser has no such workers, or the worker ends,
// a page opens its own.

const address = "/assets/streams-worker.js";

/// What this page follows, by number: `{path, heard, source}`.
const follows = new Map();
let last = 0;
/// The way to the worker; null before the first stream, and where there is none.
let port = null;
let isAlone = typeof SharedWorker === "undefined" || !navigator.locks;

function begin() {
  if (port || isAlone) return;
  try {
    // The content policy lets a page make this one address into a script, and no other.
    const policy = globalThis.trustedTypes?.createPolicy("goop-streams", { createScriptURL: () => address });
    const worker = new SharedWorker(policy ? policy.createScriptURL("") : address, { name: "streams" });
    worker.addEventListener("error", standAlone);
    port = worker.port;
  } catch {
    return standAlone();
  }
  const way = port;
  way.onmessage = ({ data }) => {
    if (!data.life) return take(data);
    // Free when the worker has ended, which nothing else tells.
    navigator.locks.request(data.life, { mode: "shared" }, standAlone);
  };
  const life = `streams page ${crypto.randomUUID()}`;
  navigator.locks.request(life, () => { way.postMessage({ life }); return new Promise(() => {}); });
}

/// From now on this page has streams of its own.
function standAlone() {
  if (isAlone) return;
  isAlone = true;
  port?.close();
  port = null;
  for (const [number, one] of follows) open(number, one);
}

function open(number, one) {
  const source = (one.source = new EventSource(one.path));
  for (const name of Object.keys(one.heard)) {
    if (name !== "error") source.addEventListener(name, ({ data }) => take({ number, name, data }));
  }
  source.addEventListener("error", () => take({ number, name: "error", isOver: source.readyState === EventSource.CLOSED }));
}

function take({ number, name, data, isOver }) {
  const one = follows.get(number);
  if (!one) return;
  if (name !== "error") return one.heard[name]?.(JSON.parse(data));
  if (isOver) follows.delete(number);
  one.heard.error?.(isOver);
}

/// Follows a stream of the viewer. To be ended when the page is hidden: `whileSeen` in words.js does.
/// @param path of the stream
/// @param heard what to do, by the names of events; each gets the value of its event. `error(isOver)`: the connection broke; it is
///   tried again by itself unless it `isOver`, as it is after a refusal
/// @returns ends it
export function follow(path, heard) {
  begin();
  last += 1;
  const number = last;
  const one = { path, heard, source: null };
  follows.set(number, one);
  if (port) port.postMessage({ follow: path, number }); else open(number, one);
  return () => {
    if (!follows.delete(number)) return;
    if (one.source) one.source.close(); else port?.postMessage({ leave: number });
  };
}
