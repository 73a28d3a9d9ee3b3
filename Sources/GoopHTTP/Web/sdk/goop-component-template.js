// Goop.partial: markup from `partials/<name>.html` of the site with values put in.
// `{{name}}` is escaped, `{{{name}}}` is not; `{{#if x}}…{{else}}…{{/if}}`, `{{#unless x}}…{{/unless}}`,
// `{{#each list}}…{{/each}}` with `{{this}}`, `{{@index}}` and the members of each element. Nothing is evaluated.
(() => {
  "use strict";
  const Goop = window.Goop;
  if (Goop.partial) return;
  const { http } = Goop;
  const root = http.host === null ? "" : `/p/${http.host}/`;
  const loaded = new Map();
  const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  const escape = (text) => String(text ?? "").replace(/[&<>"']/g, (character) => ESCAPES[character]);

  /** Text and tags in order. */
  const TAG = /\{\{\{\s*([^{}]+?)\s*\}\}\}|\{\{\s*([^{}]+?)\s*\}\}/g;

  function parse(source) {
    const top = { kind: "each", children: [], otherwise: [] };
    const open = [{ node: top, into: top.children }];
    const here = () => open[open.length - 1];
    let end = 0;
    for (const match of source.matchAll(TAG)) {
      here().into.push({ kind: "text", text: source.slice(end, match.index) });
      end = match.index + match[0].length;
      const [raw, tag] = [match[1], match[2]];
      const block = /^#(if|unless|each)\s+(\S+)$/.exec(tag ?? "");
      if (raw !== undefined) here().into.push({ kind: "raw", path: raw });
      else if (block) {
        const node = { kind: block[1], path: block[2], children: [], otherwise: [] };
        here().into.push(node);
        open.push({ node, into: node.children });
      } else if (tag === "else") here().into = here().node.otherwise;
      else if (tag.startsWith("/")) {
        if (open.length === 1 || here().node.kind !== tag.slice(1).trim()) {
          throw new Goop.Error(`{{${tag}}} closes nothing`, { code: "bad_request" });
        }
        open.pop();
      } else here().into.push({ kind: "value", path: tag });
    }
    if (open.length > 1) throw new Goop.Error(`{{#${here().node.kind}}} is not closed`, { code: "bad_request" });
    top.children.push({ kind: "text", text: source.slice(end) });
    return top.children;
  }

  function look(path, scopes) {
    const names = path.split(".");
    for (const scope of scopes) {
      if (names[0] === "this" || (scope !== null && typeof scope === "object" && Object.hasOwn(scope, names[0]))) {
        const rest = names[0] === "this" ? names.slice(1) : names;
        return rest.reduce((value, name) =>
          (value !== null && typeof value === "object" && Object.hasOwn(value, name) ? value[name] : undefined), scope);
      }
    }
    return undefined;
  }

  const isTrue = (value) => Boolean(value) && !(Array.isArray(value) && value.length === 0);

  function write(nodes, scopes) {
    return nodes.map((node) => {
      if (node.kind === "text") return node.text;
      const value = look(node.path, scopes);
      switch (node.kind) {
        case "raw": return String(value ?? "");
        case "value": return escape(value);
        case "if": return write(isTrue(value) ? node.children : node.otherwise, scopes);
        case "unless": return write(isTrue(value) ? node.otherwise : node.children, scopes);
        default: {
          const list = Array.isArray(value) ? value : [];
          if (list.length === 0) return write(node.otherwise, scopes);
          return list.map((item, index) => write(node.children, [
            item !== null && typeof item === "object" ? { ...item, "@index": index } : item, { "@index": index }, ...scopes,
          ])).join("");
        }
      }
    }).join("");
  }

  function load(name) {
    if (!/^[\w-]+(\/[\w-]+)*$/.test(name)) {
      return Promise.reject(new Goop.Error(`“${name}” cannot be the name of a partial`, { code: "bad_request" }));
    }
    if (!loaded.has(name)) {
      loaded.set(name, http.send(`${root}partials/${name}.html`, { method: "GET" })
        .then((answer) => answer.text()).then(parse).catch((error) => {
          loaded.delete(name);
          throw error;
        }));
    }
    return loaded.get(name);
  }

  /** The markup of a partial with values put in. @param {string} name @param {object} [values] @returns {Promise<string>} */
  Goop.partial = async (name, values = {}) => write(await load(name), [values]);

  /** Loads partials before they are needed. @param {...string} names */
  Goop.preload = (...names) => Promise.all(names.flat().map(load)).then(() => undefined);

  /** Puts values into markup that the page holds itself. @param {string} source @param {object} [values] */
  Goop.fillTemplate = (source, values = {}) => write(parse(source), [values]);
})();
