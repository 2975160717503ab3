import assert from "node:assert/strict";
import { test } from "node:test";
import { newId } from "../src/index.js";

test("a new id is a UUIDv7 of its moment, and never the same twice", () => {
  // The time of the example in RFC 9562, appendix A.6.
  const id = newId(0x017f22e279b0);
  assert.match(id, /^017f22e2-79b0-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(new Set(Array.from({ length: 1000 }, () => newId())).size, 1000);
  assert.ok(newId(1) < newId(2) && newId(2 ** 40) < newId(2 ** 41));
});
