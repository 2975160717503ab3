// The shapes an app's records have, typed by `stead types --lang ts` or left open.
//
// Types only: nothing here exists at run time.

import type { Filter, FilterFields } from "./filter.js";

/** What every record has. */
export interface BaseRecord {
  id: string;
  /** RFC 3339, UTC. */
  created_at: string;
  updated_at: string;
  /** Grows by every change; hand it to `ifVersion` to detect that somebody was faster. */
  version: number;
}

/** A record of an app whose types were not generated. */
export interface UntypedRecord extends BaseRecord {
  [field: string]: unknown;
}

/** What `stead types --lang ts` writes for one collection. */
export interface CollectionTypes {
  record: BaseRecord;
  create: object;
  update: object;
  /** By name: `{ one: "users" }` for a reference, `{ perhaps: … }` and `{ many: … }` for the way back. */
  relations?: object;
}

/** Stands in for the generated `Collections` of an app. */
export interface UntypedCollections {
  [name: string]: {
    record: UntypedRecord;
    create: Record<string, unknown>;
    update: Record<string, unknown>;
  };
}

/** Any generated `Collections`. An interface has no index signature, hence the detour over its own keys. */
export type AnyCollections<Types> = { [Name in keyof Types]: CollectionTypes };

/** Names of the fields of a record. */
export type FieldName<Rec> = keyof Rec & string;

/** A record as answered: the fields that were asked for, and the relations of `expand`. */
export type Shown<Rec, Field extends string = FieldName<Rec>, Also = Unexpanded> = (FieldName<Rec> extends Field
  ? Rec
  : Pick<Rec, Field & keyof Rec>) &
  Also;

/** Where the types do not know what was expanded. */
export interface Unexpanded {
  /** A record for a reference; for the way back a record or null, or an array. */
  expand?: Record<string, any>;
  /** Relations that have more records than `expand` shows. */
  expand_more?: string[];
}

type RelationsOf<Own> = Own extends { relations: infer Relations extends object } ? Relations : never;
type RelationName<Own> = [RelationsOf<Own>] extends [never] ? string : keyof RelationsOf<Own> & string;

/** A path of `expand`, of which the first step is known: `"author"`, `"room.owner"`, `"members(limit:10).user"`. */
export type ExpandPath<Own> = RelationName<Own> | `${RelationName<Own>}${"." | "("}${string}`;

/** `["author", "room.owner"]`, or the same as text. */
export type ExpandInput<Own> = string | readonly ExpandPath<Own>[];

// "members(limit:10,sort:-id).user, owner" is "members.user" | "owner".
type Bare<Text extends string> = Text extends `${infer Before}(${string})${infer After}`
  ? Bare<`${Before}${After}`>
  : Text;
type Trimmed<Text extends string> = Text extends ` ${infer Rest}` | `${infer Rest} ` ? Trimmed<Rest> : Text;
type Split<Text extends string> = Text extends `${infer Path},${infer More}`
  ? Trimmed<Path> | Split<More>
  : Trimmed<Text>;
type PathsIn<Asked> = Asked extends string
  ? Split<Bare<Asked>>
  : Asked extends readonly (infer Path extends string)[]
    ? Split<Bare<Path>>
    : never;
type Head<Path extends string> = Path extends `${infer First}.${string}` ? First : Path;
type Tail<Path extends string, First extends string> = Path extends `${First}.${infer Rest}` ? Rest : never;

type OneName<Relations> = {
  [Name in keyof Relations]: Relations[Name] extends { one: string } ? Name : never;
}[keyof Relations];
type BackName<Relations> = Exclude<keyof Relations, OneName<Relations>>;

type Goal<All, Relation, Paths extends string> = Relation extends { one: infer Name extends keyof All }
  ? Whole<All, All[Name], Paths>
  : Relation extends { perhaps: infer Name extends keyof All }
    ? Whole<All, All[Name], Paths> | null
    : Relation extends { many: infer Name extends keyof All }
      ? Whole<All, All[Name], Paths>[]
      : never;

type Whole<All, Own, Paths extends string> = (Own extends { record: infer Rec } ? Rec : never) &
  ([Paths] extends [never] ? unknown : WithExpand<All, Own, Paths>);

interface WithExpand<All, Own, Paths extends string> {
  expand: Expand<All, RelationsOf<Own>, Paths>;
  /** Relations that have more records than `expand` shows. */
  expand_more?: string[];
}

// A reference is absent when you may not see its record; what leads back is always there.
type Expand<All, Relations, Paths extends string> = {
  [Name in Head<Paths> & OneName<Relations>]?: Goal<All, Relations[Name], Tail<Paths, Name>>;
} & {
  [Name in Head<Paths> & BackName<Relations>]: Goal<All, Relations[Name], Tail<Paths, Name>>;
};

/** What `expand` brings along: typed when the paths are spelt out and the relations known. */
export type Expanded<All, Own, Asked> = [Asked] extends [never]
  ? Unexpanded
  : [RelationsOf<Own>] extends [never]
    ? Unexpanded
    : string extends PathsIn<Asked>
      ? Unexpanded
      : WithExpand<All, Own, PathsIn<Asked>>;

/**
 * What a change may do to what a field holds: `{ $inc: 1 }` to a number, `{ $add: ["x"], $remove: ["y"] }` to a list.
 * Null counts as 0 or as an empty list. `$remove` comes first; what is in the list already is not added again.
 */
export type Operators<Value> = [Value] extends [never]
  ? never
  : [Value] extends [number]
    ? { $inc: number }
    : [Value] extends [readonly (infer Item)[]]
      ? { $add?: readonly Item[]; $remove?: readonly Item[] }
      : never;

/** Changes to a record: new values of the fields it names, or operators on what they hold. */
export type Patch<Update> = { [Key in keyof Update]?: Update[Key] | Operators<NonNullable<Update[Key]>> };

/** A record to make or to change: as for a create, and operators, which start from the default when it is made. */
export type Upsert<Create> = { [Key in keyof Create]: Create[Key] | Operators<NonNullable<Create[Key]>> };

/** `"id"`, or the field or fields of a set that the schema declares unique. */
export type UniqueKey<Rec> = FieldName<Rec> | readonly FieldName<Rec>[];

/** A filter as text (with `params`), as built by `where`, or as the function that builds it. */
export type FilterInput<Rec> = string | Filter | ((fields: FilterFields<Rec>) => Filter);

/** `"-created_at,title"` or `["-created_at", "title"]`; `-` is descending. */
export type SortInput<Rec> = string | readonly (FieldName<Rec> | `-${FieldName<Rec>}`)[];

/** What both a list and a live query choose records by. */
export interface Selection<Rec> {
  /** An expression a record must satisfy: `"room == p.room"` or `(f) => f.room.eq(room)`. */
  filter?: FilterInput<Rec> | undefined;
  /** Values for the `p.` names of a filter written as text. Never glue values into the text itself. */
  params?: Readonly<Record<string, unknown>> | undefined;
  sort?: SortInput<Rec> | undefined;
  /** 1..=500. */
  limit?: number | undefined;
}

/**
 * Parameters that the app declares under `auth: request_params:`, for its rules: `{ share: "k-3f9a77c1" }`. Null and
 * undefined are not sent.
 */
export type RequestParams = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface CallOptions {
  /** What rules read as `request.params`. Throws `bad_request` for a name that the app does not declare. */
  requestParams?: RequestParams | undefined;
  /** Ends the call early; it then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

export interface ShowOptions<Field extends string = string, Expand = string | readonly string[]> extends CallOptions {
  /** Fields to answer: `["id", "title"]`, or `"id,title,author.name"`. */
  fields?: readonly Field[] | string | undefined;
  /** Relations to answer in full: `"author,room.owner,members(limit:10,sort:-created_at)"`. */
  expand?: Expand | undefined;
}

export interface ListQuery<Rec, Field extends string = FieldName<Rec>, Expand = string | readonly string[]>
  extends Selection<Rec>,
    ShowOptions<Field, Expand> {
  /**
   * Words that a record must hold, as people type them: `red lamp`, `"red lamp"`, `lam*`, `-oak`. Only for collections
   * with a `search` index. The best matches come first unless `sort` says otherwise.
   */
  q?: string | undefined;
  /** `next_cursor` of the page before. */
  cursor?: string | null | undefined;
  /** `"exact"` to count what matches; the server stops counting at 10,000. */
  count?: "exact" | undefined;
}

/** One page of a list. */
export interface Page<Rec> {
  items: Rec[];
  /** Hand it to `cursor` for the next page; null on the last. */
  next_cursor: string | null;
  /** Only with `count: "exact"`. `"10000+"` when there are more. */
  total?: number | string;
}

/** Names of the fields of numbers; any name where the types are not known. A decimal travels as text. */
export type NumberField<Rec> = {
  [Name in FieldName<Rec>]: unknown extends Rec[Name] ? Name : NonNullable<Rec[Name]> extends number | string ? Name : never;
}[FieldName<Rec>];

/** What to compute of the records a list would show. */
export interface AggregateQuery<Rec> extends Pick<Selection<Rec>, "filter" | "params">, CallOptions {
  /** How many records. */
  count?: true | undefined;
  /** Fields to add up. */
  sum?: readonly NumberField<Rec>[] | undefined;
  /** Fields to take the mean of. */
  avg?: readonly NumberField<Rec>[] | undefined;
  min?: readonly FieldName<Rec>[] | undefined;
  max?: readonly FieldName<Rec>[] | undefined;
  /** What the records of a group have in common. Without it there is one item, of all records. */
  groupBy?: readonly FieldName<Rec>[] | undefined;
  /** `"-count"`, a field of `groupBy`, or what is computed: `"-sum.amount"`. */
  sort?: string | readonly string[] | undefined;
  /** Groups of a page, 1..=1000. */
  limit?: number | undefined;
  cursor?: string | null | undefined;
}

type Named<Query, Part extends string> = Query extends { readonly [Key in Part]: readonly (infer Name)[] } ? Name : never;
type Computed<Rec, Query, Part extends string, Value = never> = [Named<Query, Part>] extends [never]
  ? unknown
  : { [Key in Part]: { [Name in Named<Query, Part> & keyof Rec]: ([Value] extends [never] ? Rec[Name] : Value) | null } };

/** One group, with what was asked for. A value hidden from you counts as null. */
export type Group<Rec, Query> = ([Named<Query, "groupBy">] extends [never]
  ? unknown
  : { group: { [Name in Named<Query, "groupBy"> & keyof Rec]: Rec[Name] | null } }) &
  (Query extends { count: true } ? { count: number } : unknown) &
  Computed<Rec, Query, "sum"> &
  Computed<Rec, Query, "avg", number> &
  Computed<Rec, Query, "min"> &
  Computed<Rec, Query, "max">;

/** One page of groups. */
export interface Groups<Item> {
  items: Item[];
  /** Hand it to `cursor` for the next page; null on the last. */
  next_cursor: string | null;
}

export interface WriteOptions extends CallOptions {
  /** Makes repeating the call harmless across restarts of the app; by default each call has a fresh random one. */
  idempotencyKey?: string | undefined;
}

export interface UpsertOptions<Rec> extends WriteOptions {
  /** What the record is found by. */
  on: UniqueKey<Rec>;
}

export interface ChangeOptions extends WriteOptions {
  /** Fails with `version_conflict` unless the record still has this version. */
  ifVersion?: number | undefined;
}
