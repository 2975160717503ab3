import assert from "node:assert/strict";
import { test } from "node:test";
import { and, field, me, not, now, or, where } from "../src/index.js";

test("values travel beside the text, never in it", () => {
  const nasty = '" || true || "';
  assert.deepEqual(where((f) => f.title!.eq(nasty)).compile(), { filter: "title == p.p0", params: { p0: nasty } });
});

test("each operator has the text of the filter language", () => {
  const at = new Date(0);
  const filters = where((f) =>
    and(
      f.a!.eq(1),
      f.a!.ne(2),
      f.a!.lt(3),
      f.a!.lte(4),
      f.a!.gt(5),
      f.a!.gte(at),
      f.a!.in(["x", "y"]),
      f.a!.startsWith("s"),
      f.a!.endsWith("e"),
      f.a!.contains("c"),
      f.tags!.has("t"),
      f.a!.isNull(),
      f.a!.notNull(),
    ),
  );
  const { filter, params } = filters.compile();
  assert.deepEqual(filter.split(" && "), [
    "a == p.p0",
    "a != p.p1",
    "a < p.p2",
    "a <= p.p3",
    "a > p.p4",
    "a >= p.p5",
    "a in p.p6",
    "a.startsWith(p.p7)",
    "a.endsWith(p.p8)",
    "a.contains(p.p9)",
    "p.p10 in tags",
    "a == null",
    "a != null",
  ]);
  assert.deepEqual(Object.values(params), [1, 2, 3, 4, 5, "1970-01-01T00:00:00.000Z", ["x", "y"], "s", "e", "c", "t"]);
});

test("equal to null is a presence test", () => {
  assert.equal(where((f) => f.a!.eq(null).or(f.b!.ne(null))).compile().filter, "a == null || b != null");
});

test("and, or and not keep what belongs together in brackets", () => {
  const built = where((f) =>
    f
      .a!.eq(1)
      .and(f.b!.eq(2).or(f.c!.eq(3)))
      .and(not(f.d!.eq(4).and(f.e!.eq(5)))),
  );
  assert.equal(built.compile().filter, "a == p.p0 && (b == p.p1 || c == p.p2) && !(d == p.p3 && e == p.p4)");
  assert.equal(or(where((f) => f.a!.eq(1)).not()).compile().filter, "!(a == p.p0)");
});

test("a long chain of the same kind stays flat", () => {
  const long = where((f) => and(...Array.from({ length: 20 }, (_, n) => f.a!.ne(n))));
  assert.ok(!long.compile().filter.includes("("));
});

test("a filter can be used twice, each time with its own numbers", () => {
  const mine = where((f) => f.owner!.eq("u1"));
  assert.deepEqual(mine.or(mine).compile(), {
    filter: "owner == p.p0 || owner == p.p1",
    params: { p0: "u1", p1: "u1" },
  });
});

test("the caller and the moment are named, not sent", () => {
  const built = field("author.id").eq(me).and(field("until").gt(now)).compile();
  assert.deepEqual(built, { filter: "author.id == me && until > now", params: {} });
});

test("one of several values is one parameter, unless a name is among them", () => {
  const dates = where((f) => f.at!.in([new Date(0)])).compile();
  assert.deepEqual(dates, { filter: "at in p.p0", params: { p0: ["1970-01-01T00:00:00.000Z"] } });
  assert.deepEqual(where((f) => f.owner!.in([])).compile(), { filter: "owner in p.p0", params: { p0: [] } });
  const named = where((f) => f.owner!.in([me, "u2"])).compile();
  assert.deepEqual(named, { filter: "owner in [me, p.p0]", params: { p0: "u2" } });
});

test("a name that is no field's name is refused before anything is sent", () => {
  for (const name of ["", "A", "a-b", "a b", "a.", "1a", "a || true", "__proto__.x "]) {
    assert.throws(() => field(name), TypeError, name);
  }
  assert.doesNotThrow(() => field("_a1.b_c"));
});

test("no filter at all cannot be combined", () => {
  assert.throws(() => and(), TypeError);
});
