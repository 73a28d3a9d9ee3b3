// The streams of events of all windows of the viewer in this browser, one of each kind: streams.js says why. What arrives
// goes to every page that follows, and whoever comes later is told how things stand.

/// The list of people, which every window needs: it is always open.
const everybody = "/api/events";
/// How many others are open at once: of the six connections some must be left for what the pages ask.
const most = 3;
/// Where more are wanted they take turns. Each says at its beginning how things stand, so that nothing is missed, only late.
const turnMilliseconds = 5000;
const names = ["snapshot", "peer", "gone", "site", "ready", "change", "reload", "lost"];

/// By path; those that wait come in the order in which they are opened.
const streams = new Map();
let timer = 0;

class Stream {
  constructor(path) {
    this.path = path;
    /// Pages, as `{port, number, own}`.
    this.followers = new Set();
    this.source = null;
  }

  open() {
    this.since = performance.now();
    const source = (this.source = new EventSource(this.path));
    for (const name of names) source.addEventListener(name, ({ data }) => this.hear(name, data));
    source.addEventListener("error", () => this.fail(source.readyState === EventSource.CLOSED));
  }

  shut() {
    this.source?.close();
    this.source = null;
    this.forget();
  }

  /// What was known is old when the stream is not there.
  forget() {
    this.list = null;
    this.latest = null;
  }

  hear(name, data) {
    this.note(name, data);
    for (const { port, number } of this.followers) port.postMessage({ number, name, data });
  }

  /// Keeps what a page must be told that comes later.
  note(name, data) {
    switch (name) {
      case "snapshot": {
        const { owner, peers } = JSON.parse(data);
        this.list = { owner, people: new Map(peers.map((one) => [one.id, one])) };
        break;
      }
      case "peer": {
        const one = JSON.parse(data);
        this.list?.people.set(one.id, one);
        break;
      }
      case "gone": this.list?.people.delete(JSON.parse(data).id); break;
      case "ready": case "site": this.latest = [name, data]; break;
      case "lost": this.latest = null; break;
    }
  }

  greet({ port, number }) {
    if (this.list) {
      const data = JSON.stringify({ owner: this.list.owner, peers: [...this.list.people.values()] });
      port.postMessage({ number, name: "snapshot", data });
    }
    if (this.latest) port.postMessage({ number, name: this.latest[0], data: this.latest[1] });
  }

  /// The connection broke; unless it `isOver` for good, the browser tries again by itself.
  fail(isOver) {
    this.forget();
    if (isOver) {
      this.source = null;
      streams.delete(this.path);
      for (const { own, number } of this.followers) own.delete(number);
    }
    for (const { port, number } of this.followers) port.postMessage({ number, name: "error", isOver });
    arrange();
  }
}

/// Opens what waits, as far as there is room.
function arrange() {
  let open = [...streams.values()].filter((stream) => stream.source && stream.path !== everybody).length;
  let waiting = 0;
  for (const stream of streams.values()) {
    if (stream.source) continue;
    if (stream.path === everybody) { stream.open(); continue; }
    if (open < most) { stream.open(); open += 1; } else waiting += 1;
  }
  if (waiting > 0) {
    timer ||= setInterval(takeTurns, turnMilliseconds);
  } else {
    clearInterval(timer);
    timer = 0;
  }
}

/// Those that were open for longest make room for those that wait, and wait behind them.
function takeTurns() {
  const others = [...streams.values()].filter(({ path }) => path !== everybody);
  const waiting = others.filter(({ source }) => !source).length;
  const longest = others.filter(({ source }) => source).sort((one, other) => one.since - other.since).slice(0, waiting);
  for (const stream of longest) {
    stream.shut();
    streams.delete(stream.path);
    streams.set(stream.path, stream);
  }
  arrange();
}

function follow(port, number, path, own) {
  let stream = streams.get(path);
  if (!stream) streams.set(path, (stream = new Stream(path)));
  const one = { port, number, own };
  own.set(number, { stream, one });
  stream.followers.add(one);
  stream.greet(one);
  arrange();
}

function leave(number, own) {
  const found = own.get(number);
  if (!found) return;
  own.delete(number);
  const { stream, one } = found;
  stream.followers.delete(one);
  if (stream.followers.size > 0) return;
  stream.shut();
  streams.delete(stream.path);
  arrange();
}

// Held as long as this worker lives: whoever waits for it learns that the worker has ended.
const life = `streams worker ${crypto.randomUUID()}`;
const isAlive = new Promise((held) => {
  navigator.locks.request(life, () => { held(); return new Promise(() => {}); });
});

addEventListener("connect", ({ ports: [port] }) => {
  const own = new Map();
  port.onmessage = ({ data }) => {
    if (data.follow) return follow(port, data.number, data.follow, own);
    if (data.leave) return leave(data.leave, own);
    // Free when the page is gone, also one that crashed and said nothing.
    navigator.locks.request(data.life, () => { for (const number of [...own.keys()]) leave(number, own); });
  };
  isAlive.then(() => port.postMessage({ life }));
});
