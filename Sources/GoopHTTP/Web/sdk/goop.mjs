// The SDK as a module: `import { data, identity } from "/sdk/goop.mjs"`. Types are in goop.d.ts.
import "./goop-data.js";
import "./goop-identity.js";
import "./goop-peers.js";
import "./goop-router.js";
import "./goop-form.js";
import "./goop-forms.js";
import "./goop-site.js";
import "./goop-template.js";
import "./goop-group.js";
import "./goop-mq.js";
import "./goop-component-base.js";
import "./goop-component-template.js";
import "./goop-component-dialog.js";
import "./goop-component-toast.js";
import "./goop-component-toolbar.js";
import "./goop-component-drag.js";

const Goop = window.Goop;
export const {
  data, identity, peers, router, form, forms, site, template, group, mq, ui, dialog, toast, toolbar, drag, dom, render, esc, date,
  peer, list, overlay, partial, preload, fillTemplate, explain,
} = Goop;
export const GoopError = Goop.Error;
export default Goop;
