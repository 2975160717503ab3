// Several writes that happen together or not at all.
//
// Types and translation only.

import type { AnyCollections, Patch, UniqueKey, Upsert } from "./types.js";

/** One step of a batch. */
export type Operation<Types extends AnyCollections<Types>> = {
  [Name in keyof Types & string]:
    | { op: "create"; collection: Name; data: Types[Name]["create"]; id?: string }
    | { op: "update"; collection: Name; id: string; data: Patch<Types[Name]["update"]>; ifVersion?: number }
    /** Changes the record that has the same values of `on`, or makes one. */
    | {
        op: "upsert";
        collection: Name;
        on: UniqueKey<Types[Name]["record"]>;
        data: Upsert<Types[Name]["create"]>;
        id?: string;
      }
    | { op: "delete"; collection: Name; id: string; ifVersion?: number }
    /** Fails the batch unless the record is visible, and has the version if one is named. */
    | { op: "require"; collection: Name; id: string; ifVersion?: number };
}[keyof Types & string];

/** What a step of a batch answers. */
export type OperationResult<Types extends AnyCollections<Types>, Op> = Op extends {
  op: infer Verb;
  collection: infer Name extends keyof Types;
}
  ? Verb extends "create" | "update"
    ? { op: Verb; record: Types[Name]["record"] }
    : Verb extends "upsert"
      ? { op: Verb; created: boolean; record: Types[Name]["record"] }
      : { op: Verb; id: string }
  : never;

/** The results of a batch, in order. */
export type BatchResults<Types extends AnyCollections<Types>, Ops extends readonly unknown[]> = {
  [Index in keyof Ops]: OperationResult<Types, Ops[Index]>;
};

/** The same step in the server's words. */
export function wireOperation(operation: object): object {
  const { ifVersion, on, ...rest } = operation as { ifVersion?: number; on?: string | readonly string[] };
  return {
    ...rest,
    ...(on === undefined ? {} : { on: typeof on === "string" ? on.split(",") : on }),
    ...(ifVersion === undefined ? {} : { if_version: ifVersion }),
  };
}
