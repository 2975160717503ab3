import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { createClient, SteadError, where, type ClientOptions } from "../src/index.js";
import { FakeServer, problem, type Answer } from "./server.js";
import { VirtualTime } from "./surroundings.js";

const record = { id: "m1", created_at: "", updated_at: "", version: 1, body: "hi" };
let server: FakeServer;
let time: VirtualTime;

// A server of its own: what a test gave up may still be on its way to the one before.
beforeEach(async () => {
  server = await FakeServer.start();
  time = new VirtualTime();
});
afterEach(() => server.stop());

function client(options: ClientOptions = {}) {
  return createClient(server.url, { surroundings: time, ...options });
}

/** Answers one after the other; the last one for ever. */
function answers(...list: Answer[]): void {
  server.answer = () => (list.length > 1 ? list.shift() : list[0]) as Answer;
}

async function refusal(call: Promise<unknown>): Promise<SteadError> {
  const thrown = await call.then(
    () => assert.fail("it did not throw"),
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof SteadError, String(thrown));
  return thrown;
}

test("a list asks with everything the query says", async () => {
  answers({ status: 200, body: { items: [record], next_cursor: null, total: 1 } });
  const page = await client()
    .collection("messages")
    .list({
      filter: where((f) => f.room!.eq("r 1")),
      sort: ["-created_at", "id"],
      limit: 5,
      cursor: "c1",
      fields: "id,author.name",
      expand: ["author", "room.owner"],
      count: "exact",
    });
  assert.deepEqual(page, { items: [record], next_cursor: null, total: 1 });
  const [asked] = server.asked;
  assert.equal(`${asked?.method} ${asked?.path}`, "GET /api/v1/collections/messages/records");
  assert.deepEqual(asked?.query, {
    filter: "room == p.p0",
    p: '{"p0":"r 1"}',
    sort: "-created_at,id",
    limit: "5",
    cursor: "c1",
    fields: "id,author.name",
    expand: "author,room.owner",
    count: "exact",
  });
  assert.equal(asked?.headers.authorization, undefined);
});

test("a search asks for its words, and for none it does not ask for everything", async () => {
  answers({ status: 200, body: { items: [record], next_cursor: null } });
  const messages = client().collection("messages");
  const page = await messages.search('"red lamp" -oak', { limit: 3 });
  assert.deepEqual(page.items, [record]);
  assert.deepEqual(server.asked[0]?.query, { q: '"red lamp" -oak', limit: "3" });
  await messages.search("");
  assert.deepEqual(server.asked[1]?.query, { q: " " });
});

test("an aggregate asks for numbers by group", async () => {
  const groups = { items: [{ group: { kind: "text" }, count: 2, sum: { likes: 3 } }], next_cursor: null };
  answers({ status: 200, body: groups });
  const messages = client().collection("messages");
  const query = { count: true, sum: ["likes"], groupBy: ["kind"], sort: "-count" } as const;
  const found = await messages.aggregate({ ...query, filter: (f) => f["room"]!.eq("r1") });
  assert.deepEqual(found, groups);
  assert.equal(server.asked[0]?.path, "/api/v1/collections/messages/aggregate");
  assert.deepEqual(server.asked[0]?.query, {
    count: "true",
    sum: "likes",
    group_by: "kind",
    sort: "-count",
    filter: "room == p.p0",
    p: '{"p0":"r1"}',
  });
});

test("a filter can be text with parameters, or nothing", async () => {
  answers({ status: 200, body: { items: [], next_cursor: null } });
  const messages = client().collection("messages");
  await messages.list({ filter: "room == p.r", params: { r: "r1" } });
  await messages.list();
  assert.deepEqual(
    server.asked.map((asked) => asked.query),
    [{ filter: "room == p.r", p: '{"r":"r1"}' }, {}],
  );
});

test("iterate goes on to the last page, and no further than it is asked to", async () => {
  const pages = [
    {
      items: [
        { ...record, id: "a" },
        { ...record, id: "b" },
      ],
      next_cursor: "c2",
    },
    { items: [{ ...record, id: "c" }], next_cursor: null },
  ];
  server.answer = ({ query }) => ({ status: 200, body: pages[query["cursor"] === "c2" ? 1 : 0] });
  const seen: string[] = [];
  for await (const { id } of client().collection("messages").iterate({ limit: 2 })) seen.push(id);
  assert.deepEqual(seen, ["a", "b", "c"]);
  assert.equal(server.asked.length, 2);
  for await (const { id } of client().collection("messages").iterate()) if (id === "a") break;
  assert.equal(server.asked.length, 3);
});

test("first asks for one record and gives null when there is none", async () => {
  answers({ status: 200, body: { items: [], next_cursor: null } });
  assert.equal(await client().collection("messages").first({ sort: "-created_at" }), null);
  assert.deepEqual(server.asked[0]?.query, { sort: "-created_at", limit: "1" });
});

test("writes use the verb, the version and a key of their own", async () => {
  server.answer = ({ method }) => (method === "DELETE" ? { status: 204 } : { status: 200, body: record });
  const messages = client().collection("messages");
  await messages.create({ body: "hi" });
  await messages.update("m 1", { likes: 1 }, { ifVersion: 3 });
  await messages.replace("m1", { body: "ho" }, { idempotencyKey: "mine" });
  assert.equal(await messages.delete("m1", { ifVersion: 4 }), undefined);
  const shape = server.asked.map(({ method, path, body, headers }) => [
    method,
    path.replace("/api/v1/collections", ""),
    body,
    headers["if-match"],
  ]);
  assert.deepEqual(shape, [
    ["POST", "/messages/records", { body: "hi" }, undefined],
    ["PATCH", "/messages/records/m%201", { likes: 1 }, '"3"'],
    ["PUT", "/messages/records/m1", { body: "ho" }, undefined],
    ["DELETE", "/messages/records/m1", undefined, '"4"'],
  ]);
  const keys = server.asked.map(({ headers }) => headers["idempotency-key"]);
  assert.equal(keys[2], "mine");
  assert.equal(new Set(keys).size, 4);
  assert.match(String(keys[0]), /^[0-9a-f]{32}$/);
});

test("an empty id is refused before it addresses the whole collection", () => {
  assert.throws(() => client().collection("messages").delete(""), TypeError);
});

test("a batch is sent in the server's words and answered in order", async () => {
  answers({
    status: 200,
    body: {
      results: [
        { op: "create", record },
        { op: "delete", id: "m2" },
      ],
    },
  });
  const [made, gone] = await client().batch([
    { op: "create", collection: "messages", data: { body: "hi" } },
    { op: "delete", collection: "messages", id: "m2", ifVersion: 2 },
  ]);
  assert.equal(made.record.id, "m1");
  assert.equal(gone.id, "m2");
  const [asked] = server.asked;
  assert.equal(asked?.path, "/api/v1/batch");
  assert.deepEqual(asked?.body, {
    operations: [
      { op: "create", collection: "messages", data: { body: "hi" } },
      { op: "delete", collection: "messages", id: "m2", if_version: 2 },
    ],
  });
  assert.ok(asked?.headers["idempotency-key"]);
});

test("an upsert names what it goes by, as text or as a list", async () => {
  answers({ status: 200, body: record }, { status: 201, body: record }, { status: 200, body: { results: [] } });
  const messages = client().collection("messages");
  await messages.upsert({ body: "hi", likes: { $inc: 1 } }, { on: "body" });
  await messages.upsert({ id: "m1", body: "hi" }, { on: ["room", "body"], idempotencyKey: "mine" });
  await client().batch([
    { op: "upsert", collection: "messages", on: "room,body", data: {} },
    { op: "upsert", collection: "messages", on: ["id"], id: "m1", data: {} },
  ]);
  assert.deepEqual(
    server.asked.map(({ query, body }) => [query["on_conflict"], body]),
    [
      ["body", { body: "hi", likes: { $inc: 1 } }],
      ["room,body", { id: "m1", body: "hi" }],
      [
        undefined,
        {
          operations: [
            { op: "upsert", collection: "messages", on: ["room", "body"], data: {} },
            { op: "upsert", collection: "messages", on: ["id"], id: "m1", data: {} },
          ],
        },
      ],
    ],
  );
  assert.equal(server.asked[1]?.headers["idempotency-key"], "mine");
  assert.throws(() => messages.upsert({}, { on: [] }), TypeError);
});

test("a write whose answer got lost is repeated with the same key", async () => {
  answers("cut", problem(503, "store_busy"), { status: 201, body: record });
  assert.deepEqual(await client().collection("messages").create({ body: "hi" }), record);
  const keys = server.asked.map(({ headers }) => headers["idempotency-key"]);
  assert.equal(keys.length, 3);
  assert.equal(new Set(keys).size, 1);
  assert.deepEqual(time.slept, [100, 200]);
});

test("a refusal that will not pass is not repeated", async () => {
  answers(problem(403, "rule_denied", { detail: "Members only." }));
  const error = await refusal(client().collection("messages").create({ body: "hi" }));
  assert.deepEqual([error.code, error.detail, server.asked.length], ["rule_denied", "Members only.", 1]);
});

test("repeats end, and the last refusal is thrown", async () => {
  answers(problem(503, "store_busy"));
  const error = await refusal(client({ retries: 2 }).collection("messages").get("m1"));
  assert.deepEqual([error.code, server.asked.length], ["store_busy", 3]);
});

test("a wait the server asks for is kept, from the body or the header", async () => {
  answers(
    problem(429, "rate_limited", { retry_after_ms: 700 }),
    { ...problem(429, "rate_limited"), headers: { "Retry-After": "2" } },
    { status: 200, body: record },
  );
  await client().collection("messages").get("m1");
  assert.deepEqual(time.slept, [800, 2200]);
});

test("a wait too long to sit through is the app's to decide", async () => {
  answers(problem(429, "rate_limited", { retry_after_ms: 60_000 }));
  const error = await refusal(client().collection("messages").get("m1"));
  assert.deepEqual([error.retryAfterMs, server.asked.length], [60_000, 1]);
});

test("signing up is not repeated when nobody knows whether it happened", async () => {
  answers("cut");
  const error = await refusal(client().auth.signUp({ email: "a@b.c", password: "long enough" }));
  assert.deepEqual([error.code, server.asked.length], ["network", 1]);
  answers(problem(500, "internal"));
  await refusal(client().auth.signUp({ email: "a@b.c", password: "long enough" }));
  assert.equal(server.asked.length, 2);
});

test("a server that is not there is a network error that says where it was looked for", async () => {
  const gone = createClient("http://127.0.0.1:1", { surroundings: time, retries: 1 });
  const error = await refusal(gone.collection("messages").list());
  assert.equal(error.code, "network");
  assert.match(error.message, /127\.0\.0\.1:1 could not be reached/);
  assert.equal(error.status, 0);
});

test("a server that does not answer in time is a network error", async () => {
  server.answer = () =>
    new Promise<Answer>((resolve) => setTimeout(() => resolve({ status: 200, body: {} }), 1000).unref());
  const error = await refusal(client({ timeoutMs: 20, retries: 0 }).collection("messages").list());
  assert.match(error.message, /did not answer within 0.02 s/);
});

test("an aborted call rejects with the app's own reason, also while it waits to repeat", async () => {
  answers(problem(503, "store_busy"));
  const stop = new AbortController();
  const reason = new Error("left the page");
  const sleeping = {
    ...time,
    now: time.now,
    random: time.random,
    sleep: async (_: number, signal?: AbortSignal) => {
      stop.abort(reason);
      signal?.throwIfAborted();
    },
  };
  await assert.rejects(client({ surroundings: sleeping }).collection("messages").list({ signal: stop.signal }), reason);
  assert.equal(server.asked.length, 1);
});

test("an aborted call does not wait for its answer", async () => {
  const stop = new AbortController();
  server.answer = () => {
    stop.abort(new Error("left the page"));
    return new Promise<Answer>(() => {});
  };
  const list = () => client({ retries: 0 }).collection("messages").list({ signal: stop.signal });
  await assert.rejects(list(), /left the page/);
  await assert.rejects(list(), /left the page/);
  assert.equal(server.asked.length, 1);
});

test("an answer that is not JSON is not taken for one", async () => {
  answers({ status: 200, body: "<!doctype html>" });
  const error = await refusal(client().collection("messages").list());
  assert.deepEqual([error.code, error.hint], ["unknown", "Is this the address of a Stead server?"]);
});

test("a fixed token is sent with every call, and asked anew when it is refused", async () => {
  let current = "old";
  server.answer = ({ headers }) =>
    headers.authorization === "Bearer new" ? { status: 200, body: record } : problem(401, "token_expired");
  const stead = client({ token: () => current });
  const asked = stead.collection("messages").get("m1");
  current = "new";
  await asked;
  assert.deepEqual(
    server.asked.map(({ headers }) => headers.authorization),
    ["Bearer old", "Bearer new"],
  );
  const error = await refusal(client({ token: "key" }).collection("messages").get("m1"));
  assert.equal(error.code, "token_expired");
});

test("a path of the server below its address is kept", async () => {
  answers({ status: 200, body: record });
  await createClient(`${server.url}/chat/`, { surroundings: time }).collection("messages").get("m1");
  assert.equal(server.asked[0]?.path, "/chat/api/v1/collections/messages/records/m1");
});

test("outside of a page the address must be given", () => {
  assert.throws(() => createClient(), /tell createClient where the server is/);
});

test("parameters for rules go with every kind of call, and nothing is made of what is missing", async () => {
  const requestParams = { share: "k 1&2", page: 2, exact: false, empty: "", none: null, never: undefined };
  const expected = { "param.share": "k 1&2", "param.page": "2", "param.exact": "false", "param.empty": "" };
  answers({ status: 200, body: { ...record, items: [], results: [], next_cursor: null } });
  const messages = client().collection("messages");
  await messages.list({ requestParams });
  await messages.first({ requestParams });
  await messages.search("hi", { requestParams });
  await messages.aggregate({ count: true, requestParams });
  await messages.get("m1", { requestParams });
  await messages.create({}, { requestParams });
  await messages.upsert({ id: "m1" }, { on: "id", requestParams });
  await messages.update("m1", {}, { requestParams });
  await messages.replace("m1", {}, { requestParams });
  await messages.delete("m1", { requestParams });
  await client().batch([], { requestParams });
  await client().auth.facts({ requestParams });
  const sent = server.asked.map(({ query }) =>
    Object.fromEntries(Object.entries(query).filter(([name]) => name.startsWith("param."))),
  );
  assert.equal(sent.length, 12);
  for (const query of sent) assert.deepEqual(query, expected);
  await messages.list();
  assert.deepEqual(server.asked.at(-1)?.query, {}, "control");
});
