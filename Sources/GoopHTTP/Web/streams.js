// Streams of events: how a page follows what happens in the viewer.
//
// A browser has six connections to one address for all windows together, and a stream holds one as long as it is open: three
// sites side by side would leave none for anything else. So the pages of the viewer share theirs: one worker for all of them
// (streams-worker.js) has each stream once. Where a browser has no such workers, or the worker ends, a page opens its own.
// And a page has streams only while somebody looks at it.

const address = "/assets/streams-worker.js";
/// Until a stream that broke is opened again: at first, and at most after it broke again and again.
const firstDelay = 1000;
const mostDelay = 15000;
/// What broke sooner than this was no success: the delay goes on growing.
const lasting = 30000;

/// What this page is given, by number: `{path, heard, source}`.
const shares = new Map();
let last = 0;
/// The way to the worker; null before the first stream, and where there is none.
let port = null;
let isAlone = typeof SharedWorker === "undefined" || !navigator.locks;

// MARK: Where streams come from

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
  for (const [number, one] of shares) open(number, one);
}

function open(number, one) {
  const source = (one.source = new EventSource(one.path));
  for (const name of Object.keys(one.heard)) {
    if (name !== "error") source.addEventListener(name, ({ data }) => take({ number, name, data }));
  }
  source.addEventListener("error", () => take({ number, name: "error", isOver: source.readyState === EventSource.CLOSED }));
}

function take({ number, name, data, isOver }) {
  const one = shares.get(number);
  if (!one) return;
  if (name === "error") one.heard.error(isOver); else one.heard[name]?.(JSON.parse(data));
}

/// Takes a part in a stream until it is left. `heard.error` must leave it.
function share(path, heard) {
  begin();
  last += 1;
  const number = last;
  const one = { path, heard, source: null };
  shares.set(number, one);
  if (port) port.postMessage({ follow: path, number }); else open(number, one);
  return () => {
    if (!shares.delete(number)) return;
    if (one.source) one.source.close(); else port?.postMessage({ leave: number });
  };
}

// MARK: As long as somebody looks

/// Follows a stream of the viewer. What nobody looks at needs none: it is left while the page is hidden, and taken up again when it is
/// shown. When it breaks it is tried again, later each time, or as soon as the viewer is known to answer. Each stream begins with
/// the state of things, so nothing is missed, only late. `viewer-lost` is dispatched at each break: others ask why.
/// @param path of the stream
/// @param heard what to do, by the names of events; each gets the value of its event. `error(isRefused)`: it broke, or was refused
///   and is hardly given a moment later; whoever wants no more of it then ends it
/// @returns ends it for good
export function follow(path, heard) {
  const ended = new AbortController();
  let leave = null;
  let timer = 0;
  let delay = firstDelay;
  /// When the first event came.
  let since = Infinity;

  const begin = () => {
    if (leave || document.hidden) return;
    clearTimeout(timer);
    since = Infinity;
    leave = share(path, ears);
  };
  const pause = () => {
    clearTimeout(timer);
    leave?.();
    leave = null;
  };
  const ears = Object.fromEntries(Object.entries(heard).map(([name, hear]) => [name, (value) => {
    since = Math.min(since, performance.now());
    hear(value);
  }]));
  ears.error = (isRefused) => {
    pause();
    if (performance.now() - since > lasting) delay = firstDelay;
    timer = setTimeout(begin, delay);
    delay = Math.min(delay * 2, mostDelay);
    dispatchEvent(new Event("viewer-lost"));
    heard.error?.(isRefused);
  };

  document.addEventListener("visibilitychange", () => (document.hidden ? pause() : begin()), ended);
  addEventListener("pagehide", pause, ended);
  addEventListener("pageshow", begin, ended);
  addEventListener("viewer-back", begin, ended);
  begin();
  return () => { ended.abort(); pause(); };
}
