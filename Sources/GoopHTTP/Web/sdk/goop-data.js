// Goop.data: the tables of the site that this page belongs to, in its owner's database.
// Also Goop.esc, Goop.date, Goop.peer, Goop.list and Goop.overlay.
(() => {
  "use strict";
  const Goop = window.Goop;
  if (Goop.data) return;
  const { http } = Goop;

  const post = (operation, body) => http.post(`${http.dataPath}/${operation}`, body);
  const write = (operation, body) => post(operation, body).catch((error) => {
    if (error instanceof Goop.Error) error.writing = true;
    throw error;
  });
  const get = (operation) => http.get(`${http.dataPath}/${operation}`);
  const rows = async (answer) => (await answer) ?? [];

  /**
   * Which rows, and how. Every member may be left out.
   * @typedef {object} Options
   * @property {string} [where] a condition, for example `"score > ? AND name LIKE ?"`; values belong into `args`
   * @property {Array} [args] one value for each `?`, in `where`, then in `order`
   * @property {string[]|string} [fields] the columns to give; all when left out
   * @property {string} [order] for example `"score DESC, _id"`
   * @property {number} [limit] at most so many rows
   * @property {number} [offset] after so many rows
   */

  const data = {
    /** Rows of a table. @param {string} table @param {Options} [options] @returns {Promise<object[]>} */
    find: (table, options = {}) => rows(post("find", { table, ...options })),

    /** The first row, or null. @param {string} table @param {Options} [options] @returns {Promise<object|null>} */
    findOne: (table, options = {}) => post("find-one", { table, ...options }),

    /** The row with this `_id`, or null. @param {string} table @param {number} id */
    get: (table, id) => post("find-one", { table, where: "_id = ?", args: [id] }),

    /** The first row whose column has this value, or null. */
    getBy: (table, column, value) => post("get-by", { table, column, value }),

    /** Rows as the table has them, the oldest first as a rule: at most `limit`, where it is given. */
    list: (table, limit) => rows(post("find", limit === undefined ? { table } : { table, limit })),

    /** The values of one column. @returns {Promise<Array>} */
    pluck: (table, column, options = {}) => rows(post("pluck", { table, column, ...options })),

    /** The different values of one column. @returns {Promise<Array>} */
    distinct: (table, column, options = {}) => rows(post("distinct", { table, column, ...options })),

    /** Whether a row matches. @returns {Promise<boolean>} */
    exists: async (table, options = {}) => Boolean((await post("exists", { table, ...options }))?.exists),

    /** How many rows match. @returns {Promise<number>} */
    count: async (table, options = {}) => Number((await post("count", { table, ...options }))?.count ?? 0),

    /**
     * Figures over rows, for example `aggregate("votes", "COUNT(*) AS n", { group_by: "choice", order: "n DESC" })`.
     * `args` are for each `?` in `expr`, then in `where`, then in `order`.
     * @returns {Promise<object[]>} one row a group
     */
    aggregate: (table, expr, { where, args, group_by, order, limit, offset } = {}) =>
      rows(post("aggregate", { table, expr, where, args, group_by, order, limit, offset })),

    /** Adds a row. @param {string} table @param {object} values @returns {Promise<{status: string, id: number}>} */
    insert: (table, values) => write("insert", { table, data: values }),

    /** Changes a row. @returns {Promise<{status: string}>} */
    update: (table, id, values) => write("update", { table, id, data: values }),

    /** Removes a row. @returns {Promise<{status: string}>} */
    remove: (table, id) => write("delete", { table, id }),

    /** Changes all rows that match; `options.where` must be there. @returns {Promise<{affected: number}>} */
    updateWhere: (table, values, options = {}) =>
      write("update-where", { table, data: values, where: options.where, args: options.args }),

    /** Removes all rows that match; `options.where` must be there. @returns {Promise<{affected: number}>} */
    deleteWhere: (table, options = {}) => write("delete-where", { table, where: options.where, args: options.args }),

    /** Changes the row whose `keyColumn` has the value in `values`, or adds it. */
    upsert: (table, keyColumn, values) => write("upsert", { table, key_col: keyColumn, data: values }),

    /** The tables of the site. @returns {Promise<object[]>} */
    tables: () => rows(get("tables")),

    /** The columns of a table. */
    describe: (table) => post("tables/describe", { table }),

    /** All schemas, by table name. */
    schemas: async () => (await get("orm-schema")) ?? {},

    /** What the visitor may do with a table. @returns {Promise<{role: string, permissions: object|null}>} */
    role: (table) => post("role", { table }),

    /** Calls a function of the site's owner; rejects with code `lua_not_available` where the owner runs none. */
    call: (name, params = {}) => write("lua/call", { function: name, params }),

    /** The functions that the site's owner offers. */
    functions: async () => (await get("lua/list"))?.functions ?? [],

    /** A caller for a function that takes an action: `const blog = Goop.data.api("blog"); blog("list", {})`. */
    api: (name) => (action, params = {}) => data.call(name, { action, ...params }),

    /** Rows of a table, for sites of old; `find` is the same with an order. */
    query: (table, options = {}) => rows(post("query", { table, ...options })),

    /** Creates a table; for the owner. @param {string} name @param {object[]} columns `[{name, type}]` */
    createTable: (name, columns) => write("tables/create", { name, columns }),

    /** Removes a table with all its rows; for the owner. */
    dropTable: (table) => write("tables/delete", { table }),

    /** Adds a column; for the owner. @param {string} table @param {object} column `{name, type}` */
    addColumn: (table, column) => write("tables/add-column", { table, column }),

    subscribe,
    orm,
    config,
  };

  // ---- Live changes -------------------------------------------------------------------------------------------

  /** What is known of each table that the page watches, by its name; however many listeners it has. */
  const feeds = new Map();

  /** Codes after which asking again changes nothing. */
  const FINAL = new Set(["refused", "not_found", "bad_request", "invalid_query", "unknown_operation"]);

  /** So many tables one visitor may watch at once, and so many bytes of UTF-8 a name may have. */
  const MOST_TABLES = 32;
  const MOST_BYTES = 64;

  /** A table and its listeners. */
  class Feed {
    constructor(table) {
      this.table = table;
      this.name = encodeURIComponent(table);
      this.listeners = new Set();
      this.isOpen = false;
      this.wasOpen = false;
      this.wasBusy = false;
      this.lost = null;
    }

    tell(name, ...values) {
      for (const listener of [...this.listeners]) this.tellOne(listener, name, ...values);
    }

    tellOne(listener, name, ...values) {
      try { listener[name]?.(...values); } catch (error) { reportError(error); }
    }

    /** How things stand, for a listener that comes when the table is watched already. */
    greet(listener) {
      queueMicrotask(() => {
        if (!this.listeners.has(listener)) return;
        if (this.isOpen) this.tellOne(listener, "onOpen");
        else if (this.lost) this.tellOne(listener, "onError", this.lost);
      });
    }

    ready() {
      const again = this.wasOpen || this.lost !== null;
      this.lost = null;
      this.isOpen = true;
      this.wasOpen = true;
      this.wasBusy = false;
      this.tell("onOpen");
      // While there was no stream, changes may have passed by.
      if (again) this.tell("onReload");
    }

    change(change) {
      this.tell("onChange", change);
      if (change.kind === "insert") this.tell("onInsert", change.row, change);
      if (change.kind === "update") this.tell("onUpdate", change.row, change);
      if (change.kind === "delete") this.tell("onDelete", change.id, change);
    }

    /** Tells a failure once, not at every try. @param {boolean} [retrying] whether it is tried again by itself */
    fail(error, retrying = !FINAL.has(error.code)) {
      this.isOpen = false;
      // Said again where it is final now.
      if (this.lost?.code === error.code && this.lost.retrying === retrying) return;
      error.retrying = retrying;
      this.lost = error;
      this.tell("onError", error);
    }

    /** No changes for now. That there is no place is told the second time: a stream before may not have given back its own. */
    interrupt(error, retrying) {
      const isFirstBusy = error.code === "busy" && !this.isOpen && !this.wasBusy;
      this.isOpen = false;
      if (isFirstBusy) this.wasBusy = true;
      else this.fail(error, retrying);
    }

    /** Nobody watches it any more, or nobody may. */
    end() {
      if (feeds.get(this.table) !== this) return;
      feeds.delete(this.table);
      stream.rearrange();
    }
  }

  /**
   * The one event stream of the page, for all its tables: a browser has six connections for a site. It is opened anew when
   * tables come or go. A table that it had before hears then what it hears after every interruption, so nothing is missed.
   * The viewer's own pages have another (streams.js): they share theirs among windows, and sites on other origins cannot load it.
   */
  const stream = {
    source: null,
    /** The feeds that it has, by table, without those that were lost since it was opened. */
    carried: new Map(),
    pause: 1000,
    openedAt: 0,
    timer: 0,
    due: 0,
    hiding: 0,
    isAsleep: false,

    /** The tables are others than before. What a page does in a row makes one stream. */
    rearrange() {
      if (feeds.size === 0) this.shut();
      else this.openIn(this.source ? 50 : this.timer ? 150 : 0);
    },

    /** After a failure, later each time. */
    retry() {
      if (this.timer) return;
      // Only what has lasted is a success.
      if (performance.now() - this.openedAt > 30_000) this.pause = 1000;
      this.openIn(this.pause);
      this.pause = Math.min(this.pause * 2, 15_000);
    },

    /** Opens it after so many milliseconds, or earlier if that is due already. */
    openIn(milliseconds) {
      const due = performance.now() + milliseconds;
      if (this.timer && this.due <= due) return;
      clearTimeout(this.timer);
      this.due = due;
      this.timer = setTimeout(() => { this.timer = 0; this.open(); }, milliseconds);
    },

    /** Opens it for the tables that are watched now; nothing happens if it has them all, and no other. */
    open() {
      if (this.isAsleep) return;
      const wanted = this.wanted();
      if (wanted.length === this.carried.size && wanted.every((feed) => this.carried.get(feed.table) === feed)) return;
      const hadStream = this.source !== null;
      this.drop();
      if (wanted.length === 0) return;
      // What the stream before held is given back first: both together may be more than one visitor can watch.
      if (hadStream) return this.openIn(150);
      this.openedAt = performance.now();
      this.carried = new Map(wanted.map((feed) => [feed.table, feed]));
      const path = `${http.prefix}${http.dataPath}/subscribe?${wanted.map(({ name }) => `table=${name}`).join("&")}`;
      const source = (this.source = new EventSource(path));
      // Each event says which table it is about, unless there is only one.
      const on = (name, hear) => source.addEventListener(name, (event) => {
        const value = JSON.parse(event.data);
        const feed = wanted.length === 1 ? wanted[0] : this.carried.get(value.table);
        if (feed) hear(feed, value);
      });
      on("ready", (feed) => feed.ready());
      on("change", (feed, change) => feed.change(change));
      on("reload", (feed) => feed.tell("onReload"));
      const reason = ({ error, code, detail, status }) => new Goop.Error(error, { code, detail, status });
      // The viewer watches it again by itself, and says `ready` then; the others go on.
      on("interrupted", (feed, value) => feed.interrupt(reason(value), true));
      on("lost", (feed, value) => this.lose(feed, reason(value)));
      source.onerror = () => {
        if (this.source !== source) return;
        if (source.readyState === EventSource.CLOSED) return this.explain(source, path);
        const cut = [...this.carried.values()];
        this.drop();
        this.retry();
        for (const feed of cut) feed.fail(new Goop.Error("the connection was lost; trying again", { code: "no_answer" }));
      };
    },

    /** As many feeds as it may have. */
    wanted() {
      for (const feed of [...feeds.values()]) {
        // It would take the room of the others in the address. A byte is three characters there at most.
        if (feed.name.length <= 3 * MOST_BYTES) continue;
        feed.fail(new Goop.Error("no table has such a name", { code: "bad_request", status: 400 }));
        feed.end();
      }
      for (const feed of [...feeds.values()].slice(MOST_TABLES)) {
        feed.fail(new Goop.Error("too many tables are watched", { code: "busy", detail: `at most ${MOST_TABLES} at once` }));
      }
      return [...feeds.values()].slice(0, MOST_TABLES);
    },

    /** No more changes of one table: it is refused, or none of the page's is live. */
    lose(feed, error) {
      const isRefused = !feed.isOpen && FINAL.has(error.code);
      this.carried.delete(feed.table);
      if (this.carried.size === 0) {
        this.source?.close();
        this.source = null;
      }
      if (!isRefused) this.retry();
      feed.interrupt(error, !isRefused);
      if (isRefused) feed.end();
    },

    /** An event stream that is refused does not say why; the same address, fetched, does. */
    async explain(source, path) {
      for (const feed of this.carried.values()) feed.isOpen = false;
      const abort = new AbortController();
      let error = null;
      try {
        const answer = await fetch(path, {
          signal: abort.signal, credentials: "omit", cache: "no-store", headers: { Accept: "text/event-stream" },
        });
        if (!answer.ok) error = await http.failure(answer);
        abort.abort();
      } catch (cause) {
        error = new Goop.Error("the viewer does not answer", { code: "no_answer", detail: String(cause.message) });
      }
      if (this.source !== source) return;
      const refused = [...this.carried.values()];
      this.drop();
      this.retry();
      if (!error) return;
      const isRefused = FINAL.has(error.code);
      for (const feed of refused) {
        feed.interrupt(error, !isRefused);
        if (isRefused) feed.end();
      }
    },

    /** A page that nobody looks at gives its connection back. */
    visibilityChanged() {
      clearTimeout(this.hiding);
      if (document.visibilityState === "hidden") {
        this.hiding = setTimeout(() => {
          this.isAsleep = true;
          this.shut();
        }, 30_000);
      } else if (this.isAsleep) {
        this.isAsleep = false;
        this.open();
      }
    },

    shut() {
      clearTimeout(this.timer);
      this.timer = 0;
      this.drop();
    },

    drop() {
      this.source?.close();
      this.source = null;
      for (const feed of this.carried.values()) feed.isOpen = false;
      this.carried = new Map();
    },
  };
  document.addEventListener("visibilitychange", () => stream.visibilityChanged());
  // A tab that was opened in the background hears of no change.
  stream.visibilityChanged();

  /**
   * Watches a table: what others add, change or remove arrives without reloading the page. However many tables a page
   * watches, it has one connection for them; when they come or go, the others hear `onOpen` and `onReload` again. A table
   * that is lost and watched again concerns its own listeners only.
   *
   * @param {string} table
   * @param {object} listener every member may be left out; a bare function is taken as `onChange`
   * @param {(change: {table: string, kind: "insert"|"update"|"delete", id: number, row: object|null}) => void} [listener.onChange]
   * @param {(row: object) => void} [listener.onInsert]
   * @param {(row: object) => void} [listener.onUpdate]
   * @param {(id: number) => void} [listener.onDelete]
   * @param {() => void} [listener.onOpen] changes arrive from now on
   * @param {() => void} [listener.onReload] changes may have been missed: read the rows again
   * @param {(error: Goop.Error) => void} [listener.onError] no changes arrive; it is tried again by itself, except
   *   after a refusal
   * @returns {{close: () => void}} ends it
   */
  function subscribe(table, listener = {}) {
    const own = typeof listener === "function" ? { onChange: listener } : { ...listener };
    table = String(table);
    let feed = feeds.get(table);
    if (feed) {
      feed.greet(own);
    } else {
      feed = new Feed(table);
      feeds.set(table, feed);
      stream.rearrange();
    }
    feed.listeners.add(own);
    return {
      close() {
        feed.listeners.delete(own);
        if (feed.listeners.size === 0) feed.end();
      },
    };
  }

  // ---- Lists ----------------------------------------------------------------------------------------------------

  /** Expressions that one result may have, and bytes of their text, less what every row needs. */
  const MOST_COLUMNS = 28;
  const MOST_BYTES_OF_COLUMNS = 4000;
  /** Characters of all rows together: an answer to a visitor has 4 MiB, and a character up to four bytes. */
  const MOST_CHARACTERS = 800_000;
  const MOST_ROWS = 1000;

  /**
   * Rows to be shown in a list. A visitor can fill rows so that an answer with all of them is refused; then each value's
   * beginning is asked for, of at most 1000 rows, and one long row keeps no other from being read.
   * @param {string} table @param {string[]} columns those that are shown @param {Options} [options]
   * @returns {Promise<{rows: object[], isShort: boolean}>} `isShort`: longer values end in "…", and there may be more rows
   */
  http.rowsToShow = async (table, columns, options = {}) => {
    try {
      return { rows: await data.find(table, options), isShort: false };
    } catch (error) {
      if (error.code !== "too_large") throw error;
    }
    const shown = columns.filter((name) => !name.startsWith("_")).slice(0, MOST_COLUMNS);
    const limit = Math.min(options.limit || MOST_ROWS, MOST_ROWS);
    const most = Math.max(20, Math.floor(MOST_CHARACTERS / limit / Math.max(1, shown.length)));
    let expressions = "_id, _owner";
    for (const name of shown) {
      const beginning = `, substr("${name}", 1, ${most}) AS "${name}"`;
      if (expressions.length + beginning.length <= MOST_BYTES_OF_COLUMNS) expressions += beginning;
    }
    const found = await data.aggregate(table, expressions, {
      group_by: "_id", where: options.where, args: options.args, order: options.order || "_id", limit, offset: options.offset,
    });
    for (const row of found) {
      for (const name of shown) if (String(row[name] ?? "").length >= most) row[name] += "…";
    }
    return { rows: found, isShort: true };
  };

  // ---- Handles ------------------------------------------------------------------------------------------------

  const allows = (policy, peer) => {
    switch (policy) {
      case "open": return true;
      case "owner": return peer.isOwner;
      case "group": return peer.isOwner || peer.isGroup;
      case "local": return http.host === null;
      default: return peer.isOwner;
    }
  };

  /**
   * A table with what is known of it: `name`, `columns`, `access`, `canInsert`, `canUpdate`, `canDelete`,
   * `validate(values)`, `form(element, options)`, `table(element, options)` and all row functions without the table.
   * @param {string} table
   */
  async function orm(table) {
    const [description, peer] = await Promise.all([data.describe(table), Goop.peer()]);
    const schema = description?.schema ?? {};
    const columns = schema.columns ?? (description?.columns ?? []).filter(({ name }) => !name.startsWith("_"));
    const access = schema.access ?? description?.access ?? null;
    const bind = (name) => (...values) => data[name](table, ...values);
    const handle = {
      name: table,
      columns,
      access,
      system_key: Boolean(schema.system_key ?? true),
      context: Boolean(schema.context),
      canInsert: access ? allows(access.insert, peer) : peer.isOwner,
      canUpdate: access ? allows(access.update, peer) : peer.isOwner,
      canDelete: access ? allows(access.delete, peer) : peer.isOwner,
      /** What is wrong with the values, one sentence each; nothing when they can be stored. */
      validate(values) {
        const problems = [];
        for (const column of columns) {
          const value = values[column.name];
          const empty = value === undefined || value === null || value === "";
          if (empty) {
            if (column.required && !column.auto && column.default === undefined) problems.push(`${column.name} is missing`);
          } else if (column.type === "integer" && !Number.isInteger(Number(value))) {
            problems.push(`${column.name} is not a whole number`);
          } else if (column.type === "real" && !Number.isFinite(Number(value))) {
            problems.push(`${column.name} is not a number`);
          } else if (column.type === "enum" && !(http.choices(column.values) ?? []).some((choice) => choice.value === value)) {
            problems.push(`${column.name} is none of its values`);
          }
        }
        return problems;
      },
      /** Shows a form for a new row; needs goop-form.js. */
      form(target, options = {}) {
        const fields = columns.filter(({ auto }) => !auto).map((column) => ({
          name: column.name, label: column.label ?? column.name, required: Boolean(column.required),
          type: { integer: "number", real: "number", enum: "select", date: "date", datetime: "datetime" }[column.type]
            ?? "text",
          options: http.choices(column.values) ?? undefined,
        }));
        return Goop.form.render(target, { table, fields, ...options });
      },
      /** Shows the rows as a table. */
      async table(target, options = {}) {
        const { make, element } = http;
        const names = columns.map(({ name }) => name);
        const { rows: found } = await http.rowsToShow(table, names, options);
        element(target).replaceChildren(make("table", { class: "goop-table" },
          make("thead", {}, make("tr", {}, names.map((name) => make("th", { scope: "col" }, name)))),
          make("tbody", {}, found.map((row) => make("tr", {}, names.map((name) => make("td", {}, String(row[name] ?? ""))))))));
        return found;
      },
    };
    for (const name of ["find", "findOne", "get", "getBy", "list", "pluck", "distinct", "exists", "count", "aggregate",
      "insert", "update", "remove", "updateWhere", "deleteWhere", "upsert", "role", "subscribe", "query"]) {
      handle[name] = bind(name);
    }
    return handle;
  }

  /**
   * Settings of a site kept in a table: either with columns `key` and `value`, or one row of which the newest counts.
   * The result has a getter for each setting, `get(name)` and `set(name, value)`.
   * @param {string} table @param {object} [defaults]
   */
  async function config(table, defaults = {}) {
    const newest = (limit) => data.find(table, { order: "_id DESC", limit });
    const found = await newest(500).catch((error) => {
      if (error.code === "not_found") return [];
      // So many of the largest rows that a visitor may write are less than an answer may have.
      if (error.code === "too_large") return newest(50);
      throw error;
    });
    const isPairs = found.length > 0 && "key" in found[0] && "value" in found[0];
    const values = { ...defaults };
    if (isPairs) for (const row of found.toReversed()) values[row.key] = row.value;
    else if (found.length > 0) Object.assign(values, found[0]);
    const settings = {
      get: (name) => values[name],
      async set(name, value) {
        if (isPairs || found.length === 0) await data.upsert(table, "key", { key: name, value });
        else await data.update(table, found[0]._id, { [name]: value });
        if (!(name in settings)) expose(name);
        values[name] = value;
      },
    };
    const expose = (name) =>
      Object.defineProperty(settings, name, { get: () => values[name], enumerable: true, configurable: true });
    for (const name of Object.keys(values)) if (!(name in settings)) expose(name);
    return settings;
  }

  Goop.data = data;

  // ---- Small helpers ------------------------------------------------------------------------------------------

  const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

  /** Text as it may stand in markup. @param {*} text @returns {string} */
  Goop.esc ??= (text) => String(text ?? "").replace(/[&<>"']/g, (character) => ESCAPES[character]);

  /**
   * A time of the database as a person writes it here. `YYYY-MM-DD HH:MM:SS` is read as UTC.
   * @param {string|number|Date} time @param {Intl.DateTimeFormatOptions} [options]
   */
  Goop.date ??= (time, options = { dateStyle: "medium", timeStyle: "short" }) => {
    const text = typeof time === "string" && /^\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?/.test(time)
      ? `${time.replace(" ", "T")}Z` : time;
    const date = new Date(text);
    return Number.isNaN(date.getTime()) ? String(time ?? "") : new Intl.DateTimeFormat(undefined, options).format(date);
  };

  let peer;
  /**
   * Who visits whom.
   * @returns {Promise<{myId: string, hostId: string, isOwner: boolean, isGroup: boolean, label: string}>}
   */
  Goop.peer ??= () => {
    peer ??= http.get("/api/self").then(
      (self) => {
        const hostId = http.host ?? self.id;
        return { myId: self.id, hostId, isOwner: self.id === hostId, isGroup: false, label: self.label };
      },
      (error) => {
        peer = undefined;
        throw error;
      });
    return peer;
  };

  /**
   * Shows rows in an element: `render(row, index)` gives a node, or markup in which you escaped all text with `Goop.esc`.
   * @param {Element|string} target @param {object[]} items @param {Function} render @param {{empty?: string}} [options]
   */
  Goop.list ??= (target, items, render, options = {}) => {
    const shown = http.element(target);
    if (!items || items.length === 0) {
      shown.textContent = options.empty ?? options.emptyText ?? "";
      return;
    }
    http.fill(shown, items.map(render));
  };

  /**
   * An element that is shown over the page and hidden again: `open()`, `close()`; Escape closes it too, and the focus
   * goes back to where it was.
   * @param {string|Element} target
   */
  Goop.overlay ??= (target) => {
    const shown = http.element(target);
    let before = null;
    const onKey = (event) => { if (event.key === "Escape") overlay.close(); };
    const overlay = {
      open() {
        before = document.activeElement;
        shown.hidden = false;
        shown.classList.add("open");
        document.addEventListener("keydown", onKey);
        shown.querySelector("input, textarea, select, button, a[href]")?.focus();
      },
      close() {
        shown.hidden = true;
        shown.classList.remove("open");
        document.removeEventListener("keydown", onKey);
        before?.focus?.();
      },
    };
    return overlay;
  };
})();
