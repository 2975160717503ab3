// The records one live query holds, with the version of each.
//
// Order, window and cursor are not its business. Versions only grow, so a change that arrives twice or late does nothing.

import type { EventFrame, ForgetScopeFrame, Row } from "./frames.js";

/** Deleted records whose last version is remembered. */
const TOMBSTONES_MAX = 1_000;

export class View {
  readonly #rows = new Map<string, Row>();
  readonly #versions = new Map<string, number>();
  /** Last versions of deleted records, oldest first: a late `put` must not bring one back. */
  readonly #gone = new Map<string, number>();

  get size(): number {
    return this.#rows.size;
  }

  rows(): Row[] {
    return [...this.#rows.values()];
  }

  /** Takes a change. False when there was nothing new in it. */
  apply({ o, id, v, d }: EventFrame): boolean {
    const buried = this.#gone.get(id);
    const known = this.#versions.get(id) ?? buried ?? -Infinity;
    // Obeyed whatever its version: showing too little for a moment is better than showing what was taken away.
    if (o === "forget") return this.#drop(id);
    if (o === "put") {
      // Version 1 after a delete is a new record under an id that was used before, not a late change of the old one.
      const anew = buried !== undefined && v === 1;
      if ((v <= known && !anew) || d === undefined) return false;
      this.#gone.delete(id);
      this.#hold(d, v);
      return true;
    }
    if (o !== "del" || v < known) return false;
    this.#bury(id, v);
    return this.#drop(id);
  }

  /**
   * Drops every record whose `field` is `key`.
   *
   * `unsure` when a record does not show the field, so that nobody can tell here; those records are dropped too.
   */
  forgetScope({ field, key }: ForgetScopeFrame): { dropped: boolean; unsure: boolean } {
    const wanted = JSON.stringify(key);
    let dropped = false;
    let unsure = false;
    for (const [id, row] of this.#rows) {
      const hidden = row[field] === undefined;
      if (!hidden && JSON.stringify(row[field]) !== wanted) continue;
      unsure ||= hidden;
      dropped = this.#drop(id);
    }
    return { dropped, unsure };
  }

  /** Takes a snapshot: what is not in it is not held any more. */
  replace(rows: readonly Row[]): void {
    this.#rows.clear();
    this.#versions.clear();
    for (const row of rows) {
      this.#gone.delete(row.id);
      this.#hold(row, typeof row["version"] === "number" ? row["version"] : 0);
    }
  }

  /** Holds these rows only, without taking the others for deleted. */
  keep(rows: readonly Row[]): void {
    const kept = new Set(rows.map((row) => row.id));
    for (const id of [...this.#rows.keys()]) if (!kept.has(id)) this.#drop(id);
  }

  clear(): void {
    this.#rows.clear();
    this.#versions.clear();
    this.#gone.clear();
  }

  #hold(row: Row, version: number): void {
    this.#rows.set(row.id, row);
    this.#versions.set(row.id, version);
  }

  #drop(id: string): boolean {
    this.#versions.delete(id);
    return this.#rows.delete(id);
  }

  #bury(id: string, version: number): void {
    this.#gone.delete(id);
    this.#gone.set(id, version);
    const [oldest] = this.#gone.keys();
    if (this.#gone.size > TOMBSTONES_MAX && oldest !== undefined) this.#gone.delete(oldest);
  }
}
