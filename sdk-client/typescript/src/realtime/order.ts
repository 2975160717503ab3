// Puts records in order, and tells what changed between two orders of them.
//
// It follows the server: null first, text by code point, `id` last as the tie-break.

import type { Row } from "./frames.js";

/** What happened to one record of a live query's array. */
export interface Change<Rec> {
  /** `removed` also covers a record that fell out of the `limit`. */
  type: "added" | "changed" | "removed";
  /** For `removed`, the record as it was last seen. */
  record: Rec;
}

type Order = (a: Row, b: Row) => number;

/** The fields of `-created_at,title`. */
export function sortFields(sort: string | undefined): string[] {
  return keysOf(sort).map(({ field }) => field);
}

/** Compares by `-created_at,title`, then by `id`. */
export function orderBy(sort: string | undefined): Order {
  const keys = [...keysOf(sort), { field: "id", sign: 1 }];
  return (a, b) => {
    for (const { field, sign } of keys) {
      const order = compare(a[field] ?? null, b[field] ?? null);
      if (order !== 0) return sign * order;
    }
    return 0;
  };
}

function keysOf(sort: string | undefined): { field: string; sign: number }[] {
  const names = (sort ?? "").split(",").map((name) => name.trim());
  return names
    .filter((name) => name !== "")
    .map((name) => (name.startsWith("-") ? { field: name.slice(1), sign: -1 } : { field: name, sign: 1 }));
}

function compare(a: unknown, b: unknown): number {
  if (a === b) return 0;
  if (a === null) return -1;
  if (b === null) return 1;
  if (typeof a === "string" && typeof b === "string") return compareText(a, b);
  if (typeof a === "object" || typeof b === "object") return compareText(JSON.stringify(a), JSON.stringify(b));
  return (a as number) < (b as number) ? -1 : 1;
}

/** Databases compare the bytes of UTF-8, which is the order of code points; `<` compares the units of UTF-16. */
function compareText(a: string, b: string): number {
  // Surrogates stand for the highest code points, but lie below U+E000.
  const rank = (unit: number) => (unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit);
  for (let at = 0; at < a.length && at < b.length; at++) {
    const order = rank(a.charCodeAt(at)) - rank(b.charCodeAt(at));
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** What leads from one array to the other. A record is the same object as long as it has not changed. */
export function changesBetween(before: readonly Row[], after: readonly Row[]): Change<Row>[] {
  const old = new Map(before.map((row) => [row.id, row]));
  const changes: Change<Row>[] = [];
  for (const record of after) {
    const known = old.get(record.id);
    if (known === undefined) changes.push({ type: "added", record });
    else if (!same(known, record)) changes.push({ type: "changed", record });
    old.delete(record.id);
  }
  const removed = [...old.values()].map((record) => ({ type: "removed" as const, record }));
  return [...removed, ...changes];
}

/** A snapshot brings equal records as new objects. */
function same(a: Row, b: Row): boolean {
  return a === b || (a["version"] === b["version"] && JSON.stringify(a) === JSON.stringify(b));
}
