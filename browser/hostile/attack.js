// Each attempt says what it got. "refused" is what it should say; everything else is text for the report.
// The attempts named "own ..." are the counter-check: they must work, or the rest would prove nothing.

import { loaded } from "./module.js";

const self = location.pathname.split("/")[2];
const other = new URLSearchParams(location.search).get("other") || "";
const canary = "canary-of-the-viewer";

const within = (promise, ms = 2500) =>
  Promise.race([promise, new Promise((_, reject) => setTimeout(() => reject(new Error("no answer")), ms))]);

async function read(url, options) {
  const answer = await within(fetch(url, options));
  return answer.type === "opaque" ? Promise.reject(new Error("opaque")) : `${answer.status} ${await answer.text()}`;
}

const loadsAs = (tag, attribute, url, more = {}) =>
  within(new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement(tag), more);
    element.onload = () => resolve("loaded");
    element.onerror = () => reject(new Error("error"));
    element[attribute] = url;
    document.body.append(element);
  }));

const framed = (url) =>
  within(new Promise((resolve, reject) => {
    const frame = document.createElement("iframe");
    frame.src = url;
    frame.onload = () => {
      // A refused frame loads an error page; only a readable document counts.
      try { resolve(frame.contentDocument.body.textContent); } catch (error) { reject(error); }
    };
    document.body.append(frame);
  }));

const events = (url) =>
  within(new Promise((resolve, reject) => {
    const source = new EventSource(url);
    source.onopen = () => resolve("open");
    source.addEventListener("snapshot", (event) => resolve(event.data));
    source.onerror = () => { source.close(); reject(new Error("error")); };
  }));

const attempts = {
  "own module": async () => String(loaded),
  "own fetch": () => read("own.json"),
  "own style": async () => getComputedStyle(document.body).backgroundColor,

  "peers": () => read("/api/peers"),
  "peers, no-cors": () => read("/api/peers", { mode: "no-cors" }),
  "peers, with credentials": () => read("/api/peers", { credentials: "include" }),
  "peers by absolute address": () => read(`${location.protocol}//${location.host}/api/peers`),
  "peers by localhost": () => read(`http://localhost:${location.port}/api/peers`),
  "peers by IPv6": () => read(`http://[::1]:${location.port}/api/peers`),
  "peers by dots": () => read(`/p/${self}/../../api/peers`),
  "peers by escaped dots": () => read(`/p/${self}/%2e%2e/%2e%2e/api/peers`).then((text) => (text.startsWith("400") ? Promise.reject(new Error(text.slice(0, 3))) : text)),
  "peers by escaped slashes": () => read(`/p/${self}/..%2f..%2fapi/peers`).then((text) => (text.startsWith("400") ? Promise.reject(new Error(text.slice(0, 3))) : text)),
  "peers by XMLHttpRequest": () => within(new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", "/api/peers");
    request.onload = () => resolve(request.responseText);
    request.onerror = () => reject(new Error("error"));
    request.send();
  })),
  "profile": () => read("/api/self"),
  "live events": () => events("/api/events"),
  "message queue": () => events("/api/mq/events"),
  "viewer page": () => read("/"),
  "viewer script": () => read("/assets/viewer.js"),
  "viewer script as module": () => within(import("/assets/identicon.js")).then(() => "imported"),
  "peers as script": () => loadsAs("script", "src", "/api/peers"),
  "viewer picture": () => loadsAs("img", "src", "/assets/icon.svg"),
  "viewer framed": () => framed("/"),
  "peers framed": () => framed("/api/peers"),
  "own site framed": () => framed(`/p/${self}/own.html`),
  "another site": () => read(`/p/${other}/`),
  "another site as script": () => loadsAs("script", "src", `/p/${other}/style.css`),
  "another site as picture": () => loadsAs("img", "src", `/p/${other}/icon.svg`),
  "another site as module": () => within(import(`/p/${other}/app.js`)).then(() => "imported"),
  "web socket": () => within(new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://${location.host}/api/events`);
    socket.onopen = () => resolve("open");
    socket.onerror = () => reject(new Error("error"));
  })),
  "beacon": async () => (navigator.sendBeacon("/api/peers", "x") ? Promise.reject(new Error("queued, and refused by the policy")) : Promise.reject(new Error("false"))),
  "internet": () => read("http://192.0.2.1/steal", { mode: "no-cors" }),
  "internet as picture": () => loadsAs("img", "src", "http://192.0.2.1/steal.png"),

  "local storage": async () => String(localStorage.getItem(canary)),
  "session storage": async () => String(sessionStorage.length),
  "cookies": async () => document.cookie,
  "set a cookie": async () => { document.cookie = "a=b"; return document.cookie; },
  "databases": () => within(new Promise((resolve, reject) => {
    const request = indexedDB.open(canary);
    request.onsuccess = () => resolve("open");
    request.onerror = () => reject(request.error);
  })),
  "caches": async () => { await caches.open("x"); return "open"; },
  "file system": async () => { await navigator.storage.getDirectory(); return "open"; },

  "service worker": () => within(navigator.serviceWorker.register("attack.js", { type: "module" })).then(() => "registered"),
  "worker of own file": () => within(new Promise((resolve, reject) => {
    const worker = new Worker("attack.js", { type: "module" });
    worker.onmessage = () => resolve("runs");
    worker.onerror = () => reject(new Error("error"));
  })),
  "worker of a blob": () => within(new Promise((resolve, reject) => {
    const worker = new Worker(URL.createObjectURL(new Blob(["postMessage(1)"], { type: "text/javascript" })));
    worker.onmessage = () => resolve("runs");
    worker.onerror = () => reject(new Error("error"));
  })),
  "window": async () => (window.open("/", "_blank") ? "opened" : Promise.reject(new Error("null"))),
  "opener": async () => (window.opener ? String(window.opener.location) : Promise.reject(new Error("null"))),
  "inline script": async () => (window.inlineScriptRan ? "ran" : Promise.reject(new Error("did not run"))),
  "eval": async () => String(eval("1 + 1")),
  "inline handler": () => within(new Promise((resolve, reject) => {
    const place = document.createElement("div");
    window.handlerRan = () => resolve("ran");
    place.innerHTML = "<img src='data:,' onerror='window.handlerRan()'>";
    document.body.append(place);
    setTimeout(() => reject(new Error("did not run")), 500);
  })),
  "form into the viewer": () => within(new Promise((resolve, reject) => {
    document.addEventListener("securitypolicyviolation", (event) => {
      if (event.effectiveDirective === "form-action") reject(new Error("form-action"));
    });
    const frame = document.createElement("form");
    frame.action = "/api/peers";
    frame.method = "post";
    frame.target = "_self";
    document.body.append(frame);
    frame.submit();
  })),
  "dialog": async () => (confirm("?") ? "shown" : Promise.reject(new Error("not shown"))),
  "place": () => within(new Promise((resolve, reject) => navigator.geolocation.getCurrentPosition(() => resolve("told"), reject))),
  "camera": () => within(navigator.mediaDevices.getUserMedia({ video: true })).then(() => "given"),
  "clipboard": () => within(navigator.clipboard.readText()),
};

const results = {};
for (const [name, attempt] of Object.entries(attempts)) {
  try {
    results[name] = `GOT ${String(await attempt()).slice(0, 200)}`;
  } catch (error) {
    results[name] = `refused (${String(error.message || error).slice(0, 80)})`;
  }
}
document.getElementById("results").textContent = JSON.stringify(results, null, 1);
document.title = "done";
