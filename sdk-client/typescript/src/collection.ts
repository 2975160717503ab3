// The records of one collection: read, write, watch.
//
// It only shapes calls; sending and repeating them is the HTTP room's, watching the realtime room's.

import { compileFilter } from "./filter.js";
import { commaList, type Call, type Http, type Query } from "./http.js";
import { randomKey } from "./id.js";
import type { LiveListener, LiveQuery, Live } from "./realtime/live.js";
import type { Realtime } from "./realtime/realtime.js";
import type {
  AggregateQuery,
  ChangeOptions,
  CollectionTypes,
  ExpandInput,
  Expanded,
  FieldName,
  Group,
  Groups,
  ListQuery,
  Page,
  Patch,
  ShowOptions,
  Shown,
  UntypedCollections,
  Upsert,
  UpsertOptions,
  WriteOptions,
} from "./types.js";

/** `All` are the types of every collection, which `expand` leads to. */
export class Collection<Types extends CollectionTypes, All = UntypedCollections> {
  readonly #path: string;
  readonly #http: Http;
  readonly #realtime: Realtime;

  /** @internal */
  constructor(
    readonly name: string,
    http: Http,
    realtime: Realtime,
  ) {
    this.#path = `/collections/${encodeURIComponent(name)}/records`;
    this.#http = http;
    this.#realtime = realtime;
  }

  /** One page of the records you may see. 30 unless `limit` says otherwise. */
  list<
    Field extends FieldName<Types["record"]> = FieldName<Types["record"]>,
    const Expand extends ExpandInput<Types> = never,
  >(
    query: ListQuery<Types["record"], Field, Expand> = {},
  ): Promise<Page<Shown<Types["record"], Field, Expanded<All, Types, Expand>>>> {
    const { signal, requestParams } = query;
    return this.#http.send({ method: "GET", path: this.#path, query: listParams(query), signal, requestParams });
  }

  /** Every record that matches, page after page as you go: `for await (const message of messages.iterate())`. */
  async *iterate<
    Field extends FieldName<Types["record"]> = FieldName<Types["record"]>,
    const Expand extends ExpandInput<Types> = never,
  >(
    query: ListQuery<Types["record"], Field, Expand> = {},
  ): AsyncGenerator<Shown<Types["record"], Field, Expanded<All, Types, Expand>>, void, undefined> {
    let cursor = query.cursor ?? null;
    do {
      const page = await this.list<Field, Expand>({ ...query, cursor });
      yield* page.items;
      cursor = page.next_cursor;
    } while (cursor !== null);
  }

  /** The first record that matches, or null. */
  async first<
    Field extends FieldName<Types["record"]> = FieldName<Types["record"]>,
    const Expand extends ExpandInput<Types> = never,
  >(
    query: Omit<ListQuery<Types["record"], Field, Expand>, "limit" | "count"> = {},
  ): Promise<Shown<Types["record"], Field, Expanded<All, Types, Expand>> | null> {
    const page = await this.list<Field, Expand>({ ...query, limit: 1 });
    return page.items[0] ?? null;
  }

  /** One page of the records that hold the words, the best matches first. Throws `search_invalid` for no words at all. */
  search<
    Field extends FieldName<Types["record"]> = FieldName<Types["record"]>,
    const Expand extends ExpandInput<Types> = never,
  >(
    words: string,
    query: Omit<ListQuery<Types["record"], Field, Expand>, "q"> = {},
  ): Promise<Page<Shown<Types["record"], Field, Expanded<All, Types, Expand>>>> {
    return this.list<Field, Expand>({ ...query, q: words });
  }

  /**
   * Numbers about the records you may see: `orders.aggregate({ count: true, sum: ["amount"], groupBy: ["status"] })`.
   *
   * Throws `aggregate_invalid`, `scan_refused`.
   */
  aggregate<const Query extends AggregateQuery<Types["record"]>>(
    query: Query,
  ): Promise<Groups<Group<Types["record"], Query>>> {
    const path = `/collections/${encodeURIComponent(this.name)}/aggregate`;
    const { signal, requestParams } = query;
    return this.#http.send({ method: "GET", path, query: aggregateParams(query), signal, requestParams });
  }

  /** Throws `record_not_found`, also when the record exists but is not for you to see. */
  get<
    Field extends FieldName<Types["record"]> = FieldName<Types["record"]>,
    const Expand extends ExpandInput<Types> = never,
  >(
    id: string,
    options: ShowOptions<Field, Expand> = {},
  ): Promise<Shown<Types["record"], Field, Expanded<All, Types, Expand>>> {
    const query = { fields: commaList(options.fields), expand: commaList(options.expand) };
    const { signal, requestParams } = options;
    return this.#http.send({ method: "GET", path: this.#record(id), query, signal, requestParams });
  }

  /** Throws `rule_denied`, `field_invalid`, `unique_violation`. */
  create(data: Types["create"], options: WriteOptions = {}): Promise<Types["record"]> {
    return this.#write({ method: "POST", path: this.#path, body: data }, options);
  }

  /**
   * Changes the record that has the same values of `on`, or makes one: `upsert({ sku, stock: 3 }, { on: "sku" })`.
   * A record that you may not see is not found; it is met as by `create`, with `unique_violation`.
   */
  upsert(
    data: Upsert<Types["create"]>,
    { on, ...options }: UpsertOptions<Types["record"]>,
  ): Promise<Types["record"]> {
    // An empty name would make a plain create of it.
    const query = { on_conflict: commaList(on) };
    if (!query.on_conflict) throw new TypeError("an upsert needs the fields it goes by");
    return this.#write({ method: "POST", path: this.#path, query, body: data }, options);
  }

  /**
   * Changes the named fields and leaves the others. A number takes `{ $inc: 1 }` and a list `{ $add: […], $remove: […] }`:
   * they work on what is stored at that moment, so that nobody's change is lost.
   */
  update(id: string, patch: Patch<Types["update"]>, options: ChangeOptions = {}): Promise<Types["record"]> {
    return this.#write({ method: "PATCH", path: this.#record(id), body: patch }, options);
  }

  /** Replaces all fields. */
  replace(id: string, data: Types["create"], options: ChangeOptions = {}): Promise<Types["record"]> {
    return this.#write({ method: "PUT", path: this.#record(id), body: data }, options);
  }

  delete(id: string, options: ChangeOptions = {}): Promise<void> {
    return this.#write({ method: "DELETE", path: this.#record(id) }, options);
  }

  /**
   * The records that match, now and from now on.
   *
   * `onChange` gets the whole current array and what changed in it. Without `onChange`, loop over the result instead:
   * `for await (const { records } of messages.subscribe(query))`. It ends with `stop()`, or by leaving the loop.
   */
  subscribe(
    query: LiveQuery<Types["record"]> = {},
    onChange?: LiveListener<Types["record"]>,
    onError?: (error: Error) => void,
  ): Live<Types["record"]> {
    return this.#realtime.watch(this.name, query, onChange, onError);
  }

  #record(id: string): string {
    // An empty id would silently address the whole collection.
    if (id === "") throw new TypeError("a record's id must not be empty");
    return `${this.#path}/${encodeURIComponent(id)}`;
  }

  #write<T>(call: Call, { idempotencyKey, ifVersion, ...options }: ChangeOptions): Promise<T> {
    const headers = ifVersion === undefined ? undefined : { "If-Match": `"${ifVersion}"` };
    return this.#http.send({ ...call, ...options, headers, idempotencyKey: idempotencyKey ?? randomKey() });
  }
}

function listParams<Rec>(query: ListQuery<Rec, FieldName<Rec>>): Query {
  const { filter, params } = compileFilter(query.filter, query.params);
  return {
    filter,
    p: params && Object.keys(params).length > 0 ? JSON.stringify(params) : undefined,
    // An empty search is an error, not a list of everything: an empty parameter would not be sent.
    q: query.q === "" ? " " : query.q,
    sort: commaList(query.sort),
    limit: query.limit,
    cursor: query.cursor,
    fields: commaList(query.fields),
    expand: commaList(query.expand),
    count: query.count,
  };
}

function aggregateParams<Rec>(query: AggregateQuery<Rec>): Query {
  const { filter, params } = compileFilter(query.filter, query.params);
  return {
    count: query.count ? "true" : undefined,
    sum: commaList(query.sum),
    avg: commaList(query.avg),
    min: commaList(query.min),
    max: commaList(query.max),
    group_by: commaList(query.groupBy),
    filter,
    p: params && Object.keys(params).length > 0 ? JSON.stringify(params) : undefined,
    sort: commaList(query.sort),
    limit: query.limit,
    cursor: query.cursor,
  };
}
