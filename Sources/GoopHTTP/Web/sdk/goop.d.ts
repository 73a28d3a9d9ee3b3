// Types of goop.mjs, the Goop² SDK, for editors and TypeScript. The scripts themselves are plain JavaScript. Those of its data
// part are in goop-data.d.ts, which has to lie beside this file.

import { data, date, esc, explain, GoopError, list, overlay, peer } from "./goop-data.js";
import type { FormOptions, Subscription } from "./goop-data.js";
export { data, date, esc, explain, GoopError, list, overlay, peer } from "./goop-data.js";
export type {
  Change, Column, Data, ErrorCode, Field, FormOptions, Handle, Listener, Options, Row, RowFunctions, Subscription,
} from "./goop-data.js";

export interface Visitor { id: string; label: string; email: string; avatar_hash: string }
export const identity: {
  get(): Promise<Visitor>; id(): Promise<string>; label(): Promise<string>; email(): Promise<string>;
  refresh(): Promise<Visitor>; resolveName(peerId: string, serverName?: string): Promise<string>;
};

export interface PeerEntry { ID: string; Content: string; Reachable: boolean; Offline: boolean; LastSeen: string; [name: string]: unknown }
/** `subscribe` rests while the tab is hidden, and asks at once when it is shown again. */
export const peers: {
  list(): Promise<PeerEntry[]>;
  subscribe(listener: {
    onSnapshot?(list: PeerEntry[]): void; onUpdate?(peer: PeerEntry): void; onRemove?(id: string): void;
    onError?(error: GoopError): void;
  }, milliseconds?: number): Subscription;
  unsubscribe(): void;
};

export const router: {
  param(name: string, fallback?: string | null): string | null; params(): Record<string, string>; page(): string;
  url(page: string, params?: Record<string, unknown>): string; go(page: string, params?: Record<string, unknown>): void;
  home(): void;
};

export const form: {
  render(target: Element | string, options: FormOptions): Promise<HTMLFormElement>;
};
export const forms: {
  render(target: Element | string, table: string): Promise<void>;
  insertForm(target: Element | string, table: string, onInsert?: () => void): Promise<HTMLFormElement>;
};

export const site: { fetch(path: string): Promise<Response>; read(path: string): Promise<string> };

export interface TemplateSettings {
  name?: string; description?: string; category?: string; icon?: string; require_email: boolean;
}
/** Of the site's owner. */
export const template: { get(): Promise<TemplateSettings>; requireEmail(): Promise<boolean> };

/** There are no groups yet: whatever needs one rejects with `groups_not_available`. */
export const group: {
  subscriptions(): Promise<{ subscriptions: object[]; active_groups: object[] }>;
  join(...values: unknown[]): Promise<never>; leave(...values: unknown[]): Promise<never>;
  send(...values: unknown[]): Promise<never>; subscribe(...values: unknown[]): Subscription; unsubscribe(...values: unknown[]): void;
};
/** There are no messages yet: sending rejects with `messages_not_available`, and nothing arrives. */
export const mq: {
  subscribe(topic: string, heard: (from: string, topic: string, payload: unknown, ack: () => void) => void): () => void;
  unsubscribe(...values: unknown[]): void; send(peer: string, topic: string, payload?: unknown): Promise<never>;
};

type DialogOptions = { title?: string; message?: string; confirm?: string; cancel?: string; word?: string; value?: string };
export const dialog: {
  confirm(title: string | DialogOptions, message?: string | DialogOptions): Promise<boolean>;
  confirmDanger(title: string | DialogOptions, message?: string | DialogOptions): Promise<boolean>;
  prompt(title: string | DialogOptions, value?: string | DialogOptions): Promise<string | null>;
  alert(title: string | DialogOptions, message?: string | DialogOptions): Promise<void>;
};
type Toast = (message: string, options?: "info" | "success" | "error" | { type?: string; duration?: number }) => Subscription;
export const toast: Toast & { info: Toast; success: Toast; error: Toast };
export function toolbar(target: Element | string, items: Array<"|" | {
  label: string; icon?: string; onClick?(): void; disabled?: boolean; pressed?: boolean;
}>, options?: { label?: string }): HTMLElement;
export const drag: {
  sortable(target: Element | string, options?: {
    items?: string; handle?: string; onSort?(children: Element[], from: number, to: number): void;
  }): { destroy(): void };
};

export const ui: Record<string, (...values: any[]) => any>;
export function dom(tag: string, attributes?: Record<string, any> | null, ...children: Array<Node | string>): HTMLElement;
export function render(target: Element | string, content: Node | string): void;
export function partial(name: string, values?: Record<string, unknown>): Promise<string>;
export function preload(...names: string[]): Promise<void>;
export function fillTemplate(source: string, values?: Record<string, unknown>): string;

declare const Goop: {
  data: typeof data; identity: typeof identity; peers: typeof peers; router: typeof router; form: typeof form;
  forms: typeof forms; site: typeof site; template: typeof template; group: typeof group; mq: typeof mq;
  dialog: typeof dialog; toast: typeof toast; toolbar: typeof toolbar; drag: typeof drag; ui: typeof ui; dom: typeof dom;
  render: typeof render; esc: typeof esc; date: typeof date; peer: typeof peer; list: typeof list; overlay: typeof overlay;
  partial: typeof partial; preload: typeof preload; fillTemplate: typeof fillTemplate; explain: typeof explain;
  Error: typeof GoopError;
};
export default Goop;
declare global { interface Window { Goop: typeof Goop } }
