// A live query as the app holds it: the current records, a callback or a loop, and an end.
//
// It knows nothing of frames; it passes on what the machine reports.

import { compileFilter } from "../filter.js";
import { commaList } from "../http.js";
import type { FieldName, RequestParams, Selection } from "../types.js";
import type { Row } from "./frames.js";
import type { Change } from "./order.js";
import type { Update, WatchQuery } from "./subscription.js";

/** What to watch. Every change of a record that matches `filter` is sent; with `sort`, `limit` cuts the array. */
export interface LiveQuery<Rec> extends Selection<Rec> {
  /** Fields to answer; `id`, `version` and the fields of `sort` always come along. */
  fields?: readonly FieldName<Rec>[] | string | undefined;
  /** What rules read as `request.params`, for as long as the query lives. */
  requestParams?: RequestParams | undefined;
  /** `"none"` leaves out what is there already. */
  snapshot?: "full" | "none" | undefined;
}

/** The records after something happened. */
export interface LiveUpdate<Rec> {
  /** All of them, in order. A new array each time, so that frameworks notice. */
  records: readonly Rec[];
  /** What leads from the array before to this one. */
  changes: readonly Change<Rec>[];
}

export type LiveListener<Rec> = (update: LiveUpdate<Rec>) => void;

export function watchQuery<Rec>(collection: string, query: LiveQuery<Rec>): WatchQuery {
  return {
    collection,
    ...compileFilter(query.filter, query.params),
    sort: commaList(query.sort) || undefined,
    limit: query.limit,
    fields: commaList(query.fields),
    snapshot: query.snapshot,
    requestParams: query.requestParams,
  };
}

/** Somebody waiting for the next update. */
interface Waiter<Rec> {
  resolve(result: IteratorResult<LiveUpdate<Rec>, void>): void;
  reject(error: Error): void;
}

/** How to end the wait for the first records. */
interface Settle<Rec> {
  resolve(records: readonly Rec[]): void;
  reject(error: Error): void;
}

/** A running live query. Loop over it with `for await`, or leave that to its callback. */
export class Live<Rec> implements AsyncIterable<LiveUpdate<Rec>> {
  /** Resolves with the first records; rejects when the query is refused. */
  readonly ready: Promise<readonly Rec[]>;
  #records: readonly Rec[] = [];
  #state: "running" | "stopped" | Error = "running";
  readonly #stop: () => void;
  readonly #onChange: LiveListener<Rec> | undefined;
  readonly #onError: ((error: Error) => void) | undefined;
  #settle: Settle<Rec> = { resolve: () => {}, reject: () => {} };
  /** What a loop has not asked for yet. A slow loop gets one update with everything that happened meanwhile. */
  #pending: LiveUpdate<Rec> | undefined;
  #waiters: Waiter<Rec>[] = [];
  #looped = false;

  /** @internal */
  constructor(stop: () => void, onChange?: LiveListener<Rec>, onError?: (error: Error) => void) {
    this.#stop = stop;
    this.#onChange = onChange;
    this.#onError = onError;
    this.ready = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    // Whoever does not wait for it hears of the error elsewhere.
    this.ready.catch(() => {});
  }

  /** The records as of now. */
  get records(): readonly Rec[] {
    return this.#records;
  }

  /** Why it ended, if it did not end by `stop`. */
  get error(): Error | undefined {
    return this.#state instanceof Error ? this.#state : undefined;
  }

  /** Ends it. Nothing is reported any more. */
  stop(): void {
    if (this.#state !== "running") return;
    this.#state = "stopped";
    this.#pending = undefined;
    this.#stop();
    for (const waiter of this.#waiters.splice(0)) waiter.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): AsyncIterator<LiveUpdate<Rec>, void> {
    this.#looped = true;
    return {
      next: () => this.#next(),
      return: async () => {
        this.stop();
        return { done: true, value: undefined };
      },
    };
  }

  /** @internal */
  update({ records, changes }: Update): void {
    if (this.#state !== "running") return;
    const update = { records, changes } as unknown as LiveUpdate<Rec>;
    this.#records = update.records;
    this.#settle.resolve(update.records);
    const waiter = this.#waiters.shift();
    if (waiter) waiter.resolve({ done: false, value: update });
    // Kept also before a loop has begun, so that it starts with the records.
    else if (!this.#onChange) this.#pending = merge(this.#pending, update);
    this.#onChange?.(update);
  }

  /** @internal */
  fail(error: Error): void {
    if (this.#state !== "running") return;
    this.#state = error;
    this.#settle.reject(error);
    const waiters = this.#waiters.splice(0);
    for (const waiter of waiters) waiter.reject(error);
    if (this.#onError) this.#onError(error);
    // Nobody listens: an error must not vanish.
    else if (!this.#looped) console.error(error);
  }

  async #next(): Promise<IteratorResult<LiveUpdate<Rec>, void>> {
    if (this.#pending) {
      const value = this.#pending;
      this.#pending = undefined;
      return { done: false, value };
    }
    if (this.#state instanceof Error) throw this.#state;
    if (this.#state === "stopped") return { done: true, value: undefined };
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }
}

/** Two updates as one. A record that came and went in between leaves no trace. */
function merge<Rec>(first: LiveUpdate<Rec> | undefined, second: LiveUpdate<Rec>): LiveUpdate<Rec> {
  if (!first) return second;
  const changes = new Map<string, Change<Rec>>();
  for (const change of [...first.changes, ...second.changes]) {
    const { id } = change.record as unknown as Row;
    const before = changes.get(id)?.type;
    changes.delete(id);
    if (before === "added" && change.type === "removed") continue;
    const type =
      before === "added" ? "added" : before === "removed" && change.type === "added" ? "changed" : change.type;
    changes.set(id, { ...change, type });
  }
  return { records: second.records, changes: [...changes.values()] };
}
