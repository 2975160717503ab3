// Builds filters: an expression as text, and its values apart.
//
// A value never becomes part of the text; it travels in `p`, so nothing a user types can change what is asked.

import type { FilterInput, UntypedRecord } from "./types.js";

type Scalar = string | number | boolean | Date;

/** What a field of type `Value` may be compared with. A `Date` is sent as RFC 3339. */
export type Operand<Value> =
  | Known
  | (unknown extends Value ? Scalar : Value extends string ? (string extends Value ? Value | Date : Value) : Value);

/** The fields of a record, ready to be compared. */
export type FilterFields<Rec> = { readonly [Name in keyof Rec & string]-?: Field<NonNullable<Rec[Name]>> };

/** A filter as it is sent. */
export interface CompiledFilter {
  filter: string;
  params: Record<string, unknown>;
}

/** A name that the server knows the value of. */
export class Known {
  constructor(readonly name: "me" | "now") {}
}

/** The id of the signed-in caller. */
export const me = new Known("me");
/** The instant of the request. */
export const now = new Known("now");

/** Hands over a value, gets the text that stands for it. */
type Bind = (value: unknown) => string;

/** A condition on a record. Immutable: `and`, `or` and `not` give new ones. */
export class Filter {
  /** @internal */
  constructor(
    /** What holds the parts together; none for a plain comparison. */
    private readonly join: "&&" | "||" | undefined,
    private readonly text: (bind: Bind) => string,
  ) {}

  /** Both this and all the others. */
  and(...others: Filter[]): Filter {
    return and(this, ...others);
  }

  /** This, or any of the others. */
  or(...others: Filter[]): Filter {
    return or(this, ...others);
  }

  /** The opposite. A comparison with an absent value is neither true nor false, and stays so. */
  not(): Filter {
    return not(this);
  }

  /** The text and the values it refers to as `p.p0`, `p.p1`, … */
  compile(): CompiledFilter {
    const params: Record<string, unknown> = {};
    let count = 0;
    const filter = this.text((value) => {
      const name = `p${count++}`;
      params[name] = plain(value);
      return `p.${name}`;
    });
    return { filter, params };
  }

  /** @internal */
  static joined(join: "&&" | "||", parts: Filter[]): Filter {
    const [first, ...rest] = parts;
    if (first === undefined) throw new TypeError("and() and or() need at least one filter");
    if (rest.length === 0) return first;
    // The server bounds the depth of a filter, not its length: parts of the same kind stay side by side.
    return new Filter(join, (bind) =>
      parts
        .map((part) => (part.join === undefined || part.join === join ? part.text(bind) : `(${part.text(bind)})`))
        .join(` ${join} `),
    );
  }

  /** @internal */
  static negated(part: Filter): Filter {
    return new Filter(undefined, (bind) => `!(${part.text(bind)})`);
  }
}

/** True when every part is. */
export function and(...parts: Filter[]): Filter {
  return Filter.joined("&&", parts);
}

/** True when some part is. */
export function or(...parts: Filter[]): Filter {
  return Filter.joined("||", parts);
}

/** True when the part is false. */
export function not(part: Filter): Filter {
  return Filter.negated(part);
}

/** One field, and what can be asked of it. */
export class Field<Value = unknown> {
  readonly #path: string;

  constructor(path: string) {
    for (const name of path.split(".")) {
      if (!/^[a-z_][a-z0-9_]*$/.test(name)) throw new TypeError(`"${path}" is not the name of a field`);
    }
    this.#path = path;
  }

  /** Equal. `eq(null)` is the same as `isNull()`. */
  eq(value: Operand<Value> | null): Filter {
    return value === null ? this.isNull() : this.#compare("==", value);
  }

  /** Not equal. Records whose field is null do not match; add `.or(f.x.isNull())` to have them. */
  ne(value: Operand<Value> | null): Filter {
    return value === null ? this.notNull() : this.#compare("!=", value);
  }

  lt(value: Operand<Value>): Filter {
    return this.#compare("<", value);
  }

  lte(value: Operand<Value>): Filter {
    return this.#compare("<=", value);
  }

  gt(value: Operand<Value>): Filter {
    return this.#compare(">", value);
  }

  gte(value: Operand<Value>): Filter {
    return this.#compare(">=", value);
  }

  /** One of the values. None at all matches nothing. */
  in(values: readonly Operand<Value>[]): Filter {
    // One parameter for all of them takes the field's type, and costs the filter's length nothing.
    const list = (bind: Bind) => bind(values.map(plain));
    const named = (bind: Bind) => `[${values.map((value) => textOf(value, bind)).join(", ")}]`;
    const text = values.some((value) => value instanceof Known) ? named : list;
    return new Filter(undefined, (bind) => `${this.#path} in ${text(bind)}`);
  }

  startsWith(text: string): Filter {
    return new Filter(undefined, (bind) => `${this.#path}.startsWith(${bind(text)})`);
  }

  endsWith(text: string): Filter {
    return new Filter(undefined, (bind) => `${this.#path}.endsWith(${bind(text)})`);
  }

  /** The text is somewhere in this one. */
  contains(text: string): Filter {
    return new Filter(undefined, (bind) => `${this.#path}.contains(${bind(text)})`);
  }

  /** The value is in this list. */
  has(value: Value extends readonly (infer Item)[] ? Operand<Item> : Operand<Value>): Filter {
    return new Filter(undefined, (bind) => `${textOf(value, bind)} in ${this.#path}`);
  }

  isNull(): Filter {
    return new Filter(undefined, () => `${this.#path} == null`);
  }

  notNull(): Filter {
    return new Filter(undefined, () => `${this.#path} != null`);
  }

  #compare(operator: string, value: unknown): Filter {
    return new Filter(undefined, (bind) => `${this.#path} ${operator} ${textOf(value, bind)}`);
  }
}

function textOf(value: unknown, bind: Bind): string {
  return value instanceof Known ? value.name : bind(value);
}

/** A value as JSON has it. */
function plain(value: unknown): unknown {
  return value instanceof Date ? value.toISOString() : value;
}

/** A field of a referenced record: `field("author.name").eq("Ann")`. */
export function field<Value = unknown>(path: string): Field<Value> {
  return new Field(path);
}

/** A filter: `where((f) => f.room.eq("r1").and(f.kind.in(["a"])))`. */
export function where<Rec = UntypedRecord>(build: (fields: FilterFields<Rec>) => Filter): Filter {
  const fields = new Proxy({}, { get: (_, name) => new Field(String(name)) });
  return build(fields as FilterFields<Rec>);
}

/** What to send for any way of writing a filter. */
export function compileFilter<Rec>(
  input: FilterInput<Rec> | undefined,
  params: Readonly<Record<string, unknown>> | undefined,
): Partial<CompiledFilter> {
  if (input === undefined || input === "") return {};
  if (typeof input === "string") return params ? { filter: input, params: { ...params } } : { filter: input };
  return (input instanceof Filter ? input : where(input)).compile();
}
