// The rows of one table: page, sort, filter, and what changes while one looks.

import { arrangeChildren, button, clean, element, find, get, post, postQuestion, say, setText, tell, tellFailure } from "/assets/words.js";
import { ask, openSheet } from "/assets/data-sheet.js";
import { cell, harmless, isNumber, ownerParts, ownerText, rowsText } from "/assets/data-values.js";
import { openRow } from "/assets/data-row.js";
import { follow } from "/assets/streams.js";

const perPage = 50;
/// How often the table is read again at most while others write.
const pause = 700;

export class RowView {
  /// `onCount(table, rows)` after all rows were counted, `onChange()` after somebody changed some, `onShape(table)` when the
  /// table itself may be another by now, or gone.
  constructor(me, { onCount, onChange, onShape }) {
    this.me = me;
    this.onCount = onCount;
    this.onChange = onChange;
    this.onShape = onShape;
    this.table = null;
    this.reading = 0;
    find("filter").addEventListener("submit", (event) => { event.preventDefault(); this.filter(find("where").value.trim()); });
    find("all").addEventListener("click", () => { find("where").value = ""; this.filter(""); });
    find("delete-found").addEventListener("click", () => this.deleteFound());
    find("before").addEventListener("click", () => this.turn(-1));
    find("after").addEventListener("click", () => this.turn(1));
    addEventListener("visibilitychange", () => { if (!document.hidden && this.isStale) this.soon(); });
  }

  /// Shows another table, or the same one after it was changed.
  open(table) {
    const isOther = this.table?.name !== table.name;
    this.table = table;
    if (isOther) {
      this.where = "";
      this.order = null;
      this.page = 0;
      this.count = undefined;
      this.changed = new Set();
      this.isFailing = false;
      find("where").value = "";
      this.noFault();
      this.showDelete();
    }
    if (!table.columns.some(({ name }) => name === this.order?.column)) this.order = null;
    const columns = table.columns.filter((column) => !column.system);
    const example = columns.find((column) => /text|enum/.test(column.type)) ?? columns[0];
    find("where-hint").replaceChildren("For example ", element("code", "", example ? `${example.name} LIKE '%hello%'` : "_id > 10"),
      " or ", element("code", "", "_created_at > '2026-01-31'"), ". Texts stand in single quotes; times are compared in UTC.");
    this.follow();
    return this.read();
  }

  shut() {
    this.table = null;
    // An answer that is under way is about the table that was.
    this.reading += 1;
    this.unfollow?.();
    this.unfollow = null;
  }

  // MARK: Reading

  get query() {
    const order = this.order ? `"${this.order.column.replaceAll('"', '""')}"${this.order.down ? " DESC" : ""}` : "";
    return { table: this.table.name, where: this.where, order: order || "_id DESC", limit: perPage + 1, offset: this.page * perPage };
  }

  /// Reads the rows and shows them. Ends when they stand there, also when a later question has overtaken this one.
  async read() {
    if (!this.table) return;
    this.reading += 1;
    this.latest = this.question(this.reading);
    let latest;
    do {
      latest = this.latest;
      await latest;
    } while (latest !== this.latest);
  }

  async question(number) {
    const name = this.table.name;
    find("grid").setAttribute("aria-busy", "true");
    try {
      const answer = await postQuestion("/api/rooms/data/rows", this.query);
      if (number !== this.reading) return;
      if (answer.rows.length === 0 && this.page > 0) { this.page = 0; return this.read(); }
      this.noFault();
      this.show(answer);
      const { count } = await postQuestion("/api/data/count", { table: name, where: this.where });
      if (number !== this.reading) return;
      this.count = count;
      this.isFailing = false;
      this.showRange();
      if (!this.where) this.onCount(name, count);
    } catch (error) {
      if (number !== this.reading) return;
      this.fail(error);
    } finally {
      if (number === this.reading) find("grid").removeAttribute("aria-busy");
    }
  }

  fail(error) {
    // Read again because others write, it fails again; then the focus stays where the person is by now.
    const { isAsked, isFailing } = this;
    this.isAsked = false;
    this.isFailing = true;
    this.shown = 0;
    this.showDelete();
    // And it is told once: not asked for, it would be told again at every change.
    if (isFailing && !isAsked) return;
    if (error.code !== "invalid_query" || !this.where) return tellFailure(error);
    if (!isAsked) return;
    const input = find("where");
    const fault = find("where-fault");
    const at = /, at byte (\d+)$/.exec(error.detail);
    // A sign is told by its number; whoever typed it knows it by its looks.
    const reason = (at ? error.detail.slice(0, at.index) : error.detail || error.message)
      .replace(/\bU\+([0-9A-F]{2,6})\b/, (number, digits) => {
        const sign = String.fromCodePoint(Math.min(parseInt(digits, 16), 0x10ffff));
        return /[\p{L}\p{N}\p{P}\p{S}]/u.test(sign) ? `“${sign}”` : number;
      });
    const missing = /^found the end where (.+) should be$/.exec(reason)?.[1];
    fault.textContent = missing
      ? `The condition breaks off after “${this.where.slice(-40)}”. There should be ${missing}${/[<>=]$/.test(this.where) ? `, for example: ${this.where.slice(-40)} 3` : ""}.`
      : reason.charAt(0).toUpperCase() + reason.slice(1);
    fault.hidden = false;
    input.setAttribute("aria-invalid", "true");
    input.focus();
    if (at) {
      // The place is told in bytes; the field counts UTF-16.
      const before = new TextDecoder().decode(new TextEncoder().encode(this.where).slice(0, Number(at[1]))).length;
      input.setSelectionRange(before, input.value.length);
    }
  }

  noFault() {
    find("where-fault").hidden = true;
    find("where").removeAttribute("aria-invalid");
  }

  filter(text) {
    this.where = text;
    this.page = 0;
    // Of the rows before; what is deleted is told with its number.
    this.count = undefined;
    this.showDelete();
    this.isAsked = true;
    return this.read();
  }

  /// For the rows of somebody who wrote what should not be there, say.
  async deleteFound() {
    const { table, where, count } = this;
    if (find("delete-found").hidden) return;
    const text = `${rowsText(count)} of ${table.name}, all where ${clean(where).slice(0, 200)}, are lost. This cannot be taken back; an export keeps a copy.`;
    if (!await ask("Delete these rows?", text, "Delete them")) return;
    try {
      const { affected } = await post("/api/data/delete-where", { table: table.name, where });
      find("where").value = "";
      await this.filter("");
      find("table-title").focus();
      tell(`${rowsText(affected)} ${affected === 1 ? "was" : "were"} deleted.`);
    } catch (error) {
      tellFailure(error);
    }
  }

  turn(by) {
    this.page = Math.max(0, this.page + by);
    this.isAsked = true;
    return this.read();
  }

  sort(column) {
    if (this.order?.column !== column) this.order = { column, down: false };
    else if (!this.order.down) this.order = { column, down: true };
    else this.order = null;
    this.page = 0;
    this.isAsked = true;
    return this.read();
  }

  // MARK: Showing

  /// What the owner came for first: the id, the own columns, and then whose and when.
  get columns() {
    const own = this.table.columns.filter((column) => !column.system);
    const system = this.table.columns.filter((column) => column.system);
    const first = system.filter((column) => column.name === "_id");
    return [...first, ...own, ...system.filter((column) => column.name !== "_id" && column.name !== "_owner_email")];
  }

  show(answer) {
    const rows = answer.rows.slice(0, perPage);
    this.hasMore = answer.rows.length > perPage;
    this.shown = rows.length;
    this.owners = answer.owners;
    const focus = find("rows").contains(document.activeElement) ? document.activeElement.dataset.key : null;
    this.showHead();
    this.showLines(rows);
    this.changed.clear();
    find("grid").hidden = rows.length === 0;
    find("none").hidden = rows.length > 0;
    setText(find("none"), this.where ? "No row is like that." : "There is no row yet.");
    // A row that new ones have pushed to the next page takes the focus with it: then it goes to what is around the rows.
    if (focus && !find("rows").contains(document.activeElement)) (find("rows").querySelector(`[data-key="${CSS.escape(focus)}"]`) ?? (rows.length ? find("grid") : find("table-title"))).focus({ preventScroll: true });
    this.showRange();
  }

  /// What is there already stays as it is, as the lines do.
  showHead() {
    const { columns, order } = this;
    const heading = JSON.stringify([columns, order]);
    if (heading === this.heading) return;
    this.heading = heading;
    const change = element("th", "", element("span", "visually-hidden", "Change"));
    change.scope = "col";
    find("rows").tHead.replaceChildren(element("tr", "", change, ...columns.map((column) => this.head(column))));
  }

  showLines(rows) {
    const { columns } = this;
    const body = find("rows").tBodies[0];
    arrangeChildren(body, rows.map((row) => ({
      key: String(row._id), text: JSON.stringify([this.table.name, columns, row, this.owners?.[row._owner]]),
      make: () => this.line(row, columns),
    })));
    for (const line of body.rows) line.classList.toggle("fresh", this.changed.has(line.dataset.id));
  }

  showRange() {
    const start = this.page * perPage;
    const total = this.count === undefined ? "" : ` of ${this.count.toLocaleString()}`;
    const text = this.shown ? `Rows ${(start + 1).toLocaleString()}–${(start + this.shown).toLocaleString()}${total}` : "";
    setText(find("range"), text);
    this.showDelete();
    find("before").disabled = this.page === 0;
    find("after").disabled = !this.hasMore;
    if (this.isAsked && this.count !== undefined) {
      this.isAsked = false;
      say(this.shown ? text : find("none").textContent);
    }
  }

  /// What is deleted has to stand there, and how many they are has to be known: the question names the number.
  showDelete() {
    find("delete-found").hidden = !this.where || !this.shown || this.count === undefined;
  }

  head(column) {
    const head = element("th", column.name === "_id" || isNumber(column.type) ? "number" : "");
    head.scope = "col";
    const isSorted = this.order?.column === column.name;
    head.setAttribute("aria-sort", isSorted ? (this.order.down ? "descending" : "ascending") : "none");
    const titles = { _id: "Row", _owner: "Whose", _created_at: "Made", _updated_at: "Changed" };
    const sort = button("", "sort", () => this.sort(column.name));
    const way = element("span", "way", isSorted ? (this.order.down ? "↓" : "↑") : "");
    way.setAttribute("aria-hidden", "true");
    sort.append(titles[column.name] ?? column.name, way);
    sort.title = `Sort by ${column.name}`;
    sort.dataset.key = `sort ${column.name}`;
    head.append(sort);
    return head;
  }

  line(row, columns) {
    const id = row._id;
    const edit = button("Edit", "button edit", () => openRow(this, row));
    edit.setAttribute("aria-label", `Edit row ${id}`);
    edit.dataset.key = `edit ${id}`;
    const line = element("tr", "", element("td", "", edit), ...columns.map((column) => {
      if (column.name === "_owner") {
        const whose = element("td", "system who-cell", ...ownerParts(String(row._owner ?? ""), this.me, this.owners));
        whose.title = clean(row._owner);
        return whose;
      }
      const made = cell(row[column.name], column, () => this.showAll(row, column));
      if (made.querySelector("button")) made.querySelector("button").dataset.key = `all ${id} ${column.name}`;
      return made;
    }));
    line.dataset.id = String(id);
    return line;
  }

  async showAll(row, column) {
    try {
      const { value } = await postQuestion("/api/rooms/data/value", { table: this.table.name, id: row._id, column: column.name });
      const text = element("pre", "", harmless(value?.cut ?? (value === null ? "" : String(value))));
      text.dir = "auto";
      text.tabIndex = 0;
      text.setAttribute("role", "region");
      text.setAttribute("aria-label", `${column.name} of row ${row._id}`);
      const notes = value?.cut === undefined ? [] : [element("p", "note", "Only the first megabyte is shown; an export has all of it.")];
      openSheet({ title: `${column.name} of row ${row._id}`, body: [text, ...notes] });
    } catch (error) {
      tellFailure(error);
    }
  }

  // MARK: While one looks

  follow() {
    this.unfollow?.();
    // What is written until the stream is there is seen, and not announced.
    setText(find("live"), "");
    const { name } = this.table;
    this.unfollow = follow(`/api/data/subscribe?table=${encodeURIComponent(name)}`, {
      ready: () => {
        // Whoever looked elsewhere, or waited for a turn, has missed what was done to the table.
        this.onShape(name);
        setText(find("live"), "Live: changes appear by themselves.");
        // Also the first time: the rows were read before, and the stream may have waited for its turn.
        this.soon();
      },
      change: (change) => this.heard(change),
      reload: () => this.soon(),
      lost: ({ code }) => { if (code === "conflict" || code === "not_found") this.onShape(name); },
      error: (isRefused) => {
        setText(find("live"), "Not live at the moment.");
        if (isRefused) this.onShape(name);
      },
    });
  }

  heard(change) {
    this.changed.add(String(change.id));
    if (this.changed.size > 1000) this.changed.clear();
    const whose = change.row?._owner;
    if (change.kind === "insert" && whose !== this.me) {
      this.news = (this.news ?? 0) + 1;
      this.lastFrom = whose;
    }
    this.soon();
  }

  soon() {
    this.isStale = true;
    if (document.hidden || this.timer) return;
    const wait = Math.max(0, (this.lastRead ?? 0) + pause - performance.now());
    this.timer = setTimeout(async () => {
      this.isStale = false;
      const news = this.news;
      this.news = 0;
      // One at a time: an answer that a newer question overtakes is not shown, and others may write without a pause.
      await Promise.all([this.onChange(), this.read()]);
      this.lastRead = performance.now();
      this.timer = 0;
      if (this.isStale) this.soon();
      if (news) say(news === 1 ? `A new row from ${ownerText(String(this.lastFrom), this.me, this.owners)}` : `${news} new rows`);
    }, wait);
  }
}

export const readTables = () => get("/api/rooms/data/tables");
