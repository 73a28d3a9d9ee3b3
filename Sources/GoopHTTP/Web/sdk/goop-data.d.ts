// Types of goop-data.mjs, for editors and TypeScript: the data part of the Goop² SDK alone. All of it is in goop.d.ts.

/** A row: your columns, and the system columns. */
export type Row = Record<string, any> & {
  readonly _id: number;
  /** The peer id of who added it. */
  readonly _owner: string;
  readonly _owner_email?: string;
  /** `YYYY-MM-DD HH:MM:SS`, UTC. */
  readonly _created_at: string;
  readonly _updated_at: string;
};

export interface Options {
  /** A condition such as `"score > ? AND name LIKE ?"`; values belong into `args`. */
  where?: string;
  args?: Array<string | number | boolean | null>;
  fields?: string[] | string;
  order?: string;
  limit?: number;
  offset?: number;
}

/** Why a call failed. */
export type ErrorCode =
  | "bad_request" | "invalid_query" | "refused" | "not_found" | "conflict" | "too_large" | "busy" | "locked" | "full"
  | "corrupt" | "quota" | "timed_out" | "too_slow" | "unreachable" | "unknown_operation" | "lua_not_available" | "internal"
  | "no_answer" | "not_available" | "read_only" | "groups_not_available" | "messages_not_available" | (string & {});

export class GoopError extends Error {
  readonly code: ErrorCode;
  readonly detail: string;
  /** The HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** It came of something that was to be stored. Without an answer nobody knows whether it was. */
  readonly writing: boolean;
  /** It is tried again without the page's doing. */
  readonly retrying: boolean;
}

export interface Change { table: string; kind: "insert" | "update" | "delete"; id: number; row: Row | null }

export interface Listener {
  onChange?(change: Change): void;
  onInsert?(row: Row, change: Change): void;
  onUpdate?(row: Row, change: Change): void;
  onDelete?(id: number, change: Change): void;
  /** Changes arrive from now on. */
  onOpen?(): void;
  /** Changes may have been missed: read the rows again. */
  onReload?(): void;
  /** No changes arrive; it is tried again by itself, except after a refusal. */
  onError?(error: GoopError): void;
}

export interface Subscription { close(): void }

export interface Column {
  name: string; type?: string; required?: boolean; key?: boolean; auto?: boolean; default?: unknown;
  /** What an enum can hold. */
  values?: Array<string | { key: string; label?: string }>;
}

export interface RowFunctions {
  find(options?: Options): Promise<Row[]>;
  findOne(options?: Options): Promise<Row | null>;
  get(id: number): Promise<Row | null>;
  getBy(column: string, value: unknown): Promise<Row | null>;
  list(limit?: number): Promise<Row[]>;
  pluck(column: string, options?: Options): Promise<any[]>;
  distinct(column: string, options?: Options): Promise<any[]>;
  exists(options?: Options): Promise<boolean>;
  count(options?: Options): Promise<number>;
  /** `args` are for each `?` in `expr`, then in `where`, then in `order`; `order` may name results. */
  aggregate(expr: string, options?: Omit<Options, "fields"> & { group_by?: string[] | string }): Promise<Array<Record<string, any>>>;
  insert(values: Record<string, unknown>): Promise<{ status: string; id: number }>;
  update(id: number, values: Record<string, unknown>): Promise<{ status: string }>;
  remove(id: number): Promise<{ status: string }>;
  updateWhere(values: Record<string, unknown>, options: Options): Promise<{ affected: number }>;
  deleteWhere(options: Options): Promise<{ affected: number }>;
  upsert(keyColumn: string, values: Record<string, unknown>): Promise<{ status: string; id: number }>;
  query(options?: Options): Promise<Row[]>;
  role(): Promise<{ role: string; permissions: Record<string, boolean> | null }>;
  subscribe(listener: Listener | ((change: Change) => void)): Subscription;
}

type WithTable = {
  [Name in keyof RowFunctions]: (table: string, ...values: Parameters<RowFunctions[Name]>) => ReturnType<RowFunctions[Name]>;
};

export interface Handle extends RowFunctions {
  name: string; columns: Column[]; access: Record<string, string> | null; system_key: boolean; context: boolean;
  canInsert: boolean; canUpdate: boolean; canDelete: boolean;
  validate(values: Record<string, unknown>): string[];
  /** Needs goop-form.js too. */
  form(target: Element | string, options?: Partial<FormOptions>): Promise<HTMLFormElement>;
  table(target: Element | string, options?: Options): Promise<Row[]>;
}

export interface Data extends WithTable {
  tables(): Promise<Array<{ name: string; insert_policy: string; created_at: string }>>;
  describe(table: string): Promise<any>;
  schemas(): Promise<Record<string, any>>;
  call(name: string, params?: unknown): Promise<any>;
  functions(): Promise<Array<{ name: string; description: string }>>;
  api(name: string): (action: string, params?: Record<string, unknown>) => Promise<any>;
  createTable(name: string, columns: Column[]): Promise<any>;
  dropTable(table: string): Promise<any>;
  addColumn(table: string, column: Column): Promise<any>;
  orm(table: string): Promise<Handle>;
  config(table: string, defaults?: Record<string, unknown>): Promise<Record<string, any> & {
    get(name: string): any; set(name: string, value: unknown): Promise<void>;
  }>;
}
export const data: Data;

export interface Field {
  name: string; label?: string; required?: boolean; options?: Array<string | { value: string; label?: string }>;
  type?: "text" | "textarea" | "select" | "radio" | "checkbox" | "number" | "email" | "date" | "datetime" | "color"
    | "toggle" | "tags" | "stepper";
  placeholder?: string; hint?: string; maxlength?: number; min?: number; max?: number; step?: number; value?: unknown;
}
export interface FormOptions {
  table: string; fields: Field[]; submitLabel?: string; singleResponse?: boolean;
  onDone?(values: Record<string, unknown>, answer: any): void;
}

/** What to tell a person about a failure. */
export function explain(error: GoopError): string;
/** Text as it may stand in markup. */
export function esc(text: unknown): string;
export function date(time: string | number | Date, options?: Intl.DateTimeFormatOptions): string;
export function peer(): Promise<{ myId: string; hostId: string; isOwner: boolean; isGroup: boolean; label: string }>;
export function list<T>(
  target: Element | string, rows: T[], show: (row: T, index: number) => Node | string, options?: { empty?: string },
): void;
export function overlay(target: Element | string): { open(): void; close(): void };
export default data;
