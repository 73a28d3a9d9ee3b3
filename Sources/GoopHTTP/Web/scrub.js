// One step of overwriting what visits left in the browser's storage log: more noise than fits into one part of that log
// (64 KiB), in the storage of a place where nothing else is. visits.js says why.

const noise = (length) => {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  return Array.from(bytes, (byte) => String.fromCharCode(33 + (byte % 90))).join("");
};

const isLast = location.search === "?last";
// Local storage takes a byte for each of these characters, session storage two.
for (const [storage, length] of [[localStorage, 72000], [sessionStorage, 36000]]) {
  if (isLast) storage.clear(); else storage.setItem("noise", noise(length));
}
