// One live query: what it asks for, where it is in the log, and what it holds.
//
// It sends nothing and knows no socket; the machine asks it for frames and hands it those that arrive.

import type { EventFrame, ForgetScopeFrame, Row, SnapshotFrame, SubscribeFrame, SubscribedFrame } from "./frames.js";
import { changesBetween, orderBy, sortFields, type Change } from "./order.js";
import type { RequestParams } from "../types.js";
import { View } from "./view.js";

/** What to watch, in the server's words. */
export interface WatchQuery {
  collection: string;
  filter?: string | undefined;
  params?: Record<string, unknown> | undefined;
  sort?: string | undefined;
  limit?: number | undefined;
  fields?: string | undefined;
  /** `none`: changes only, nothing of what is there already. */
  snapshot?: "full" | "none" | undefined;
  requestParams?: RequestParams | undefined;
}

/**
 * `unasked`: the server does not know of it. `asked`: waiting for `subscribed`. `filling`: waiting for the last part of
 * a snapshot. `live`: up to date, as far as the server has told.
 */
type State = "unasked" | "asked" | "filling" | "live";

/** What its watcher gets. */
export interface Update {
  records: readonly Row[];
  changes: Change<Row>[];
}

export class Subscription {
  state: State = "unasked";
  /** Position of the log that what it holds belongs to. It always describes the view, never what is still to come. */
  cursor: string | undefined;
  /** Its group on this connection. */
  group: number | undefined;
  /** When to ask (again), if that was put off. */
  askAt: number | undefined;
  /** Refusals in a row that will pass. */
  refusals = 0;
  readonly #view = new View();
  readonly #order: (a: Row, b: Row) => number;
  /** Most records shown. Without `sort` there is no telling which those would be. */
  readonly #windowMax: number;
  #shown: readonly Row[] = [];
  /** Rows of the snapshot that is arriving. */
  #parts: Row[] = [];
  /** Changes that arrived before the snapshot they may belong after. */
  #early: (EventFrame | ForgetScopeFrame)[] = [];
  /** The server may hold more records that match; up to this one, in order, all of them are here. */
  #frontier: Row | undefined;
  #dirty = false;
  #told = false;

  constructor(
    readonly s: string,
    readonly query: WatchQuery,
  ) {
    this.#order = orderBy(query.sort);
    this.#windowMax = query.sort !== undefined && query.limit !== undefined ? query.limit : Infinity;
  }

  /** Asks the server, from where it stands unless `fresh`. */
  ask(i: number, fresh = false): SubscribeFrame {
    this.state = "asked";
    this.askAt = undefined;
    this.group = undefined;
    const { collection, filter, params, sort, limit, snapshot, requestParams } = this.query;
    const frame: SubscribeFrame = { t: "sub", i, s: this.s, collection };
    if (filter !== undefined) frame.filter = filter;
    if (params !== undefined && Object.keys(params).length > 0) frame.p = params;
    if (sort !== undefined) frame.sort = sort;
    if (limit !== undefined) frame.limit = limit;
    const fields = this.#fields();
    if (fields !== undefined) frame.fields = fields;
    if (this.cursor !== undefined && !fresh) frame.cursor = this.cursor;
    if (snapshot === "none") frame.snapshot = "none";
    if (requestParams !== undefined && Object.keys(requestParams).length > 0) frame.params = requestParams;
    return frame;
  }

  subscribed({ g, cursor, recovered }: SubscribedFrame): void {
    this.group = g;
    this.refusals = 0;
    this.#parts = [];
    this.#early = [];
    const filled = recovered || this.query.snapshot === "none";
    this.state = filled ? "live" : "filling";
    // After a recovery what was missed follows; its own cursors lead forward from the one that was asked.
    if (filled && !recovered) this.cursor = cursor;
    // Even an empty beginning is worth telling.
    this.#dirty ||= filled && !this.#told;
  }

  /** Takes a part of a snapshot. Says whether to ask again, because not all of it could be judged here. */
  snapshot(frame: SnapshotFrame): "settled" | "unsure" {
    if (this.state !== "filling") return "settled";
    this.#parts.push(...frame.rows);
    if (!frame.last) return "settled";
    const full = this.#parts.length >= this.#windowMax;
    this.#frontier = full ? [...this.#parts].sort(this.#order).at(-1) : undefined;
    this.#view.replace(this.#parts);
    this.cursor = frame.cursor;
    this.state = "live";
    this.#dirty = true;
    const early = this.#early;
    this.#parts = [];
    this.#early = [];
    return early.map((change) => this.change(change)).includes("unsure") ? "unsure" : "settled";
  }

  /** Takes a change of its group. */
  change(frame: EventFrame | ForgetScopeFrame): "settled" | "unsure" {
    if (this.state === "filling") this.#putOff(frame);
    if (this.state !== "live") return "settled";
    this.cursor = frame.c;
    if (frame.t === "ev") {
      this.#dirty = this.#view.apply(frame) || this.#dirty;
      return "settled";
    }
    const { dropped, unsure } = this.#view.forgetScope(frame);
    this.#dirty ||= dropped;
    return unsure ? "unsure" : "settled";
  }

  /** Keeps a change for after the snapshot. What it takes away leaves at once also what is still shown from before. */
  #putOff(frame: EventFrame | ForgetScopeFrame): void {
    this.#early.push(frame);
    const dropped =
      frame.t === "forget_scope"
        ? this.#view.forgetScope(frame).dropped
        : frame.o === "forget" && this.#view.apply(frame);
    this.#dirty ||= dropped;
  }

  /** The connection is gone; what is held stays, to be resumed from. */
  disconnected(): void {
    this.state = "unasked";
    this.group = undefined;
    this.askAt = undefined;
  }

  /** Drops everything held, and where it was. */
  reset(): void {
    this.disconnected();
    this.cursor = undefined;
    this.#parts = [];
    this.#early = [];
    this.#frontier = undefined;
    this.#dirty ||= this.#view.size > 0;
    this.#view.clear();
  }

  /** Fewer records are held than the window has room for, though the server may have more. */
  get short(): boolean {
    return this.state === "live" && this.#frontier !== undefined && this.#view.size < this.#windowMax;
  }

  /** What changed for the watcher since it was last asked; undefined when nothing did. */
  takeUpdate(): Update | undefined {
    if (!this.#dirty) return undefined;
    this.#dirty = false;
    const before = this.#shown;
    this.#shown = this.#window();
    const changes = changesBetween(before, this.#shown);
    if (changes.length === 0 && this.#told) return undefined;
    this.#told = true;
    return { records: this.#shown, changes };
  }

  /** The records to show. Lets go of those that a window has no use for. */
  #window(): Row[] {
    const sorted = this.#view.rows().sort(this.#order);
    const frontier = this.#frontier;
    // Beyond the frontier records are missing, so that one found there could be shown in a place that is not its own.
    const complete = frontier ? sorted.filter((row) => this.#order(row, frontier) <= 0) : sorted;
    const shown = complete.length > this.#windowMax ? complete.slice(0, this.#windowMax) : complete;
    // A window that stays open for days must not hold every record that ever passed through it.
    const crowded = complete.length > 2 * this.#windowMax;
    if (crowded) this.#frontier = shown.at(-1);
    if (crowded || complete.length < sorted.length) this.#view.keep(crowded ? shown : complete);
    return shown;
  }

  /** Holding and ordering records needs more fields than the app may want to see. */
  #fields(): string | undefined {
    if (this.query.fields === undefined) return undefined;
    const wanted = this.query.fields.split(",").map((name) => name.trim());
    return [...new Set([...wanted, "id", "version", ...sortFields(this.query.sort)])].join(",");
  }
}
