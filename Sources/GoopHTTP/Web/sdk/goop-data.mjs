// Only the data part of the SDK as a module: `import { data } from "/sdk/goop-data.mjs"`. Types are in goop-data.d.ts.
import "./goop-data.js";

const Goop = window.Goop;
export const { data, esc, date, peer, list, overlay, explain } = Goop;
export const GoopError = Goop.Error;
export default data;
