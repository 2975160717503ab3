import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { errorFromAnswer, serverCodes } from "../src/errors.js";
import { isSteadError, SteadError } from "../src/index.js";
import { root } from "./surroundings.js";

const table = join(root, "../../server/wire/src/problem.rs");

test(
  "the codes and what may be retried are the server's",
  { skip: !existsSync(table) && "the server is not here" },
  () => {
    const rows = [...readFileSync(table, "utf8").matchAll(/^ {4}\w+ = "(\w+)", \d+, (true|false),/gm)];
    assert.ok(rows.length > 30);
    assert.deepEqual(
      [...serverCodes],
      rows.map(([, code]) => code),
    );
    for (const [, code = "", retryable] of rows) {
      assert.equal(new SteadError({ code }).retryable, retryable === "true", code);
    }
  },
);

test("a refusal carries everything the server said", () => {
  const error = errorFromAnswer(422, new Headers({ "X-Request-Id": "other" }), {
    title: "One or more fields are not valid.",
    code: "field_invalid",
    detail: "`title` is too long.",
    hint: "Use at most 80 characters.",
    instance: "req1",
    errors: [{ path: "/title", code: "too_long", message: "at most 80 characters" }],
    retry_after_ms: 7,
  });
  const { code, status, detail, hint, requestId, retryAfterMs, retryable, message } = error;
  assert.deepEqual(
    { code, status, detail, hint, requestId, retryAfterMs, retryable, message },
    {
      code: "field_invalid",
      status: 422,
      detail: "`title` is too long.",
      hint: "Use at most 80 characters.",
      requestId: "req1",
      retryAfterMs: 7,
      retryable: false,
      message: "`title` is too long. Use at most 80 characters. [field_invalid]",
    },
  );
  assert.equal(error.field("title"), "at most 80 characters");
  assert.equal(error.field("body"), undefined);
});

test("a code of a newer server is kept, and its status tells whether to retry", () => {
  assert.equal(errorFromAnswer(503, new Headers(), { code: "moon_phase" }).retryable, true);
  const error = errorFromAnswer(418, new Headers(), { code: "teapot" });
  assert.equal(error.code, "teapot");
  assert.equal(error.retryable, false);
});

test("a proxy's error page is an unknown code with its status and its wait", () => {
  const error = errorFromAnswer(502, new Headers({ "Retry-After": "3" }), undefined);
  assert.deepEqual([error.code, error.status, error.retryable, error.retryAfterMs], ["unknown", 502, true, 3000]);
});

test("isSteadError narrows by code", () => {
  const error: unknown = new SteadError({ code: "rule_denied" });
  assert.ok(isSteadError(error) && isSteadError(error, "network", "rule_denied"));
  assert.ok(!isSteadError(error, "network") && !isSteadError(new Error("no")));
});
