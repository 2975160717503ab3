// What transcripts cannot say: jitter, limits, order of outputs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SteadError } from "../src/errors.js";
import { Machine } from "../src/realtime/machine.js";
import { orderBy } from "../src/realtime/order.js";
import type { Input, Output } from "../src/realtime/signals.js";

const query = { collection: "messages" };

class Rig {
  chance = 1;
  readonly machine = new Machine({ sdk: "test/1", random: () => this.chance });
  now = 0;
  wakeAt: number | null = null;
  status = "idle";
  outputs: Output[] = [];
  #tokens = 0;

  feed(input: Input): Output[] {
    this.outputs = this.machine.handle(input, this.now);
    for (const output of this.outputs) {
      if (output.type === "wake") this.wakeAt = output.at;
      if (output.type === "status") this.status = output.status;
      if (output.type === "token") this.#tokens = output.n;
    }
    return this.outputs;
  }

  say(message: unknown): Output[] {
    return this.feed({ type: "message", text: JSON.stringify(message) });
  }

  token(token: string | null = null): Output[] {
    return this.feed({ type: "token", n: this.#tokens, token });
  }

  /** Goes through token, socket and greeting. */
  open(messageBytesMax = 16_384): Output[] {
    this.token();
    this.feed({ type: "opened" });
    return this.say({
      t: "welcome",
      sid: "c",
      ping_s: 25,
      limits: { subscriptions_max: 100, message_bytes_max: messageBytesMax },
    });
  }

  /** Lets time pass up to the next wake. */
  wake(): Output[] {
    assert.notEqual(this.wakeAt, null);
    this.now = this.wakeAt as number;
    return this.feed({ type: "tick" });
  }

  types(): string[] {
    return this.outputs.map((output) => output.type);
  }

  sent(): unknown[] {
    return this.outputs.flatMap((output) => (output.type === "send" ? [JSON.parse(output.text) as unknown] : []));
  }
}

test("nothing happens until something is watched", () => {
  const rig = new Rig();
  assert.deepEqual(rig.feed({ type: "tick" }), []);
  assert.deepEqual(rig.feed({ type: "online" }), []);
  assert.deepEqual(rig.feed({ type: "caller_changed" }), []);
  rig.feed({ type: "subscribe", s: "a", query });
  assert.deepEqual(rig.types(), ["token", "status"]);
});

test("the greeting comes first and alone, and names the client", () => {
  const rig = new Rig();
  rig.feed({ type: "subscribe", s: "a", query });
  rig.token("T");
  assert.ok(rig.types().includes("connect"));
  rig.feed({ type: "opened" });
  assert.deepEqual(rig.sent(), [{ t: "hello", token: "T", sdk: "test/1" }]);
});

test("backoff doubles from half a second to thirty, with full jitter", () => {
  const rig = new Rig();
  rig.feed({ type: "subscribe", s: "a", query });
  const waits: number[] = [];
  for (let n = 0; n < 9; n++) {
    rig.token();
    rig.feed({ type: "closed", code: 1006 });
    waits.push((rig.wakeAt as number) - rig.now);
    assert.equal(rig.status, "waiting");
    rig.wake();
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  rig.chance = 0.1;
  rig.token();
  rig.feed({ type: "closed", code: 1006 });
  assert.equal((rig.wakeAt as number) - rig.now, 3000);
});

test("a connection that lasted starts the backoff over; one that did not, does not", () => {
  const rig = new Rig();
  rig.feed({ type: "subscribe", s: "a", query });
  const lasting = (ms: number) => {
    rig.open();
    rig.now += ms;
    rig.feed({ type: "closed", code: 1006 });
    const wait = (rig.wakeAt as number) - rig.now;
    rig.wake();
    return wait;
  };
  assert.deepEqual([lasting(1000), lasting(1000), lasting(6000), lasting(1000)], [500, 1000, 500, 1000]);
});

test("a draining server is left soon, with jitter", () => {
  const rig = new Rig();
  rig.feed({ type: "subscribe", s: "a", query });
  rig.open();
  rig.chance = 0.25;
  rig.feed({ type: "closed", code: 4013 });
  assert.equal((rig.wakeAt as number) - rig.now, 500);
});

test("the network coming back ends the wait", () => {
  const rig = new Rig();
  rig.feed({ type: "subscribe", s: "a", query });
  rig.token();
  rig.feed({ type: "closed", code: 1006 });
  rig.feed({ type: "online" });
  assert.ok(rig.types().includes("token"));
  assert.equal(rig.status, "connecting");
});

test("a server that accepts but does not greet is given up after fifteen seconds", () => {
  const rig = new Rig();
  rig.feed({ type: "subscribe", s: "a", query });
  rig.token();
  rig.feed({ type: "opened" });
  rig.wake();
  assert.equal(rig.now, 15_000);
  assert.ok(rig.types().includes("disconnect"));
  assert.equal(rig.status, "waiting");
});

test("a server that refuses every token is not hammered", () => {
  const rig = new Rig();
  rig.feed({ type: "subscribe", s: "a", query });
  rig.token("T1");
  rig.feed({ type: "closed", code: 4401 });
  assert.deepEqual(
    rig.outputs.filter((output) => output.type === "token"),
    [{ type: "token", n: 3, stale: "T1" }],
  );
  rig.token("T2");
  rig.feed({ type: "closed", code: 4401 });
  assert.equal(rig.status, "waiting");
});

test("a token that cannot be had for now is asked again later; one refused for good ends the watching", () => {
  const rig = new Rig();
  rig.feed({ type: "subscribe", s: "a", query });
  rig.feed({ type: "token_failed", n: 1, error: new SteadError({ code: "network" }) });
  assert.equal(rig.status, "waiting");
  rig.wake();
  const error = new SteadError({ code: "token_invalid" });
  assert.deepEqual(rig.feed({ type: "token_failed", n: 2, error }), [
    { type: "failed", s: "a", error },
    { type: "status", status: "idle" },
  ]);
});

test("an answer to an older request for a token is dropped", () => {
  const rig = new Rig();
  rig.feed({ type: "subscribe", s: "a", query });
  rig.feed({ type: "caller_changed" });
  assert.deepEqual(rig.feed({ type: "token", n: 1, token: "old" }), []);
});

test("another caller sees nothing of what the one before saw, not even while connecting", () => {
  const rig = new Rig();
  rig.feed({ type: "subscribe", s: "a", query });
  rig.open();
  rig.say({ t: "subscribed", i: 1, s: "a", g: 1, cursor: "1", recovered: false });
  rig.say({ t: "snap", g: 1, s: "a", rows: [{ id: "m1", version: 1 }], last: true, cursor: "1" });
  rig.feed({ type: "caller_changed" });
  const update = rig.outputs.find((output) => output.type === "update");
  assert.deepEqual(update?.update.records, []);
  assert.deepEqual(rig.types().slice(0, 2), ["disconnect", "token"]);
  rig.open();
  assert.deepEqual(rig.sent(), [[{ t: "sub", i: 1, s: "a", collection: "messages" }]]);
});

test("subscriptions are packed into messages the server takes", () => {
  const rig = new Rig();
  for (let n = 0; n < 10; n++)
    rig.feed({ type: "subscribe", s: `s${n}`, query: { collection: "messages", filter: "ü".repeat(40) } });
  rig.open(400);
  const texts = rig.outputs.flatMap((output) => (output.type === "send" ? [output.text] : []));
  assert.ok(texts.length > 1);
  for (const text of texts) assert.ok(Buffer.byteLength(text) <= 400, text);
  assert.equal(texts.flatMap((text) => JSON.parse(text) as unknown[]).length, 10);
});

test("very many live queries are asked at a pace the server takes, all of them in the end", () => {
  const rig = new Rig();
  for (let n = 0; n < 100; n++) rig.feed({ type: "subscribe", s: `s${n}`, query });
  rig.open();
  const asked = (): number => rig.sent().flat().length;
  let said = asked();
  assert.equal(said, 40);
  while (said < 100) {
    rig.wake();
    said += asked();
    // The server's bucket: 60 at once, 20 a second; the greeting was one.
    assert.ok(said + 1 <= 60 + (rig.now / 1000) * 20);
  }
  assert.equal(said, 100);
  assert.ok(rig.now <= 4_100, `${rig.now} ms`);
});

test("a refusal that will pass is asked again after a pause, for that subscription alone", () => {
  const rig = new Rig();
  rig.feed({ type: "subscribe", s: "a", query });
  rig.open();
  rig.say({ t: "err", i: 1, code: "store_busy", detail: "" });
  assert.equal((rig.wakeAt as number) - rig.now, 500);
  rig.wake();
  assert.deepEqual(rig.sent(), [[{ t: "sub", i: 2, s: "a", collection: "messages" }]]);
  rig.say({ t: "err", i: 2, code: "store_busy", detail: "" });
  assert.equal((rig.wakeAt as number) - rig.now, 1000);
});

test("a cursor the server cannot read is given up, and what was held with it", () => {
  const rig = new Rig();
  rig.feed({ type: "subscribe", s: "a", query });
  rig.open();
  rig.say([
    { t: "subscribed", i: 1, s: "a", g: 1, cursor: "1", recovered: false },
    { t: "snap", g: 1, s: "a", rows: [{ id: "m1", version: 1 }], last: true, cursor: "5" },
  ]);
  rig.feed({ type: "closed", code: 1006 });
  rig.wake();
  rig.open();
  assert.deepEqual(rig.sent(), [[{ t: "sub", i: 1, s: "a", collection: "messages", cursor: "5" }]]);
  rig.say({ t: "err", i: 1, code: "cursor_invalid", detail: "" });
  assert.deepEqual(rig.sent(), [[{ t: "sub", i: 2, s: "a", collection: "messages" }]]);
});

test("an unused socket is kept for a moment, then closed", () => {
  const rig = new Rig();
  rig.feed({ type: "subscribe", s: "a", query });
  rig.open();
  rig.feed({ type: "unsubscribe", s: "a" });
  assert.ok(!rig.types().includes("disconnect"));
  rig.wake();
  assert.equal(rig.now, 2000);
  assert.deepEqual(rig.outputs, [
    { type: "disconnect" },
    { type: "wake", at: null },
    { type: "status", status: "idle" },
  ]);
});

test("a socket that is used again in time stays", () => {
  const rig = new Rig();
  rig.feed({ type: "subscribe", s: "a", query });
  rig.open();
  rig.feed({ type: "unsubscribe", s: "a" });
  rig.now += 1000;
  rig.feed({ type: "subscribe", s: "b", query });
  assert.deepEqual(rig.sent(), [[{ t: "sub", i: 3, s: "b", collection: "messages" }]]);
  assert.equal(rig.wakeAt, 55_000);
});

test("frames and answers nobody waits for, and kinds of a newer server, do nothing", () => {
  const rig = new Rig();
  rig.feed({ type: "subscribe", s: "a", query });
  rig.open();
  for (const frame of [
    { t: "ev", g: 9, c: "1", o: "put", id: "x", v: 1, d: { id: "x" } },
    { t: "snap", g: 9, s: "zz", rows: [], last: true, cursor: "1" },
    { t: "subscribed", i: 99, s: "zz", g: 9, cursor: "1", recovered: true },
    { t: "err", i: 99, code: "internal", detail: "" },
    { t: "hologram", g: 1 },
    [],
  ]) {
    assert.deepEqual(rig.say(frame), [], JSON.stringify(frame));
  }
});

test("a message that is no frame ends the connection, not the watching", () => {
  for (const text of ["", "{", "null", "[1]", '{"x":1}']) {
    const rig = new Rig();
    rig.feed({ type: "subscribe", s: "a", query });
    rig.open();
    rig.feed({ type: "message", text });
    assert.equal(rig.status, "waiting", text);
    assert.ok(rig.types().includes("disconnect"));
  }
});

test("a reconnect that changes nothing is not reported to the app", () => {
  const rig = new Rig();
  rig.feed({ type: "subscribe", s: "a", query });
  const rows = [{ id: "m1", version: 1, body: "x" }];
  const fill = () => {
    rig.open();
    rig.say([
      { t: "subscribed", i: 1, s: "a", g: 1, cursor: "1", recovered: false },
      { t: "snap", g: 1, s: "a", rows, last: true, cursor: "1" },
    ]);
    return rig.types().includes("update");
  };
  assert.equal(fill(), true);
  rig.feed({ type: "closed", code: 1006 });
  rig.wake();
  assert.equal(fill(), false);
});

test("changes tell what leads from one array to the next, the window included", () => {
  const rig = new Rig();
  rig.feed({ type: "subscribe", s: "a", query: { collection: "messages", sort: "-n", limit: 2 } });
  rig.open();
  const row = (id: string, n: number, version = 1) => ({ id, n, version });
  const put = (c: string, d: { id: string; version: number }) => ({
    t: "ev",
    g: 1,
    c,
    o: "put",
    id: d.id,
    v: d.version,
    d,
  });
  rig.say([
    { t: "subscribed", i: 1, s: "a", g: 1, cursor: "1", recovered: false },
    { t: "snap", g: 1, s: "a", rows: [row("x", 9), row("y", 8)], last: true, cursor: "1" },
  ]);
  rig.say([put("2", row("x", 9, 2)), put("3", row("z", 10))]);
  const update = rig.outputs.find((output) => output.type === "update")?.update;
  assert.deepEqual(update?.records, [row("z", 10), row("x", 9, 2)]);
  assert.deepEqual(update?.changes, [
    { type: "removed", record: row("y", 8) },
    { type: "added", record: row("z", 10) },
    { type: "changed", record: row("x", 9, 2) },
  ]);
});

test("a window that stays open does not hold every record that passed through it", () => {
  const rig = new Rig();
  rig.feed({ type: "subscribe", s: "a", query: { collection: "messages", sort: "-n", limit: 3 } });
  rig.open();
  rig.say([
    { t: "subscribed", i: 1, s: "a", g: 1, cursor: "1", recovered: false },
    {
      t: "snap",
      g: 1,
      s: "a",
      rows: [
        { id: "a", n: 0, version: 1 },
        { id: "b", n: 0, version: 1 },
        { id: "c", n: 0, version: 1 },
      ],
      last: true,
      cursor: "1",
    },
  ]);
  for (let n = 1; n <= 50; n++)
    rig.say({ t: "ev", g: 1, c: `${n}`, o: "put", id: `m${n}`, v: 1, d: { id: `m${n}`, n, version: 1 } });
  const gone = Array.from({ length: 50 }, (_, n) => ({ t: "ev", g: 1, c: "99", o: "del", id: `m${n + 1}`, v: 2 }));
  rig.say(gone);
  // Nothing old comes back into view: the server is asked instead.
  assert.deepEqual(rig.outputs.find((output) => output.type === "update")?.update.records, []);
  rig.wake();
  assert.equal((rig.sent()[0] as unknown[]).length, 2);
});

test("records are ordered as the server orders them: null first, then by id", () => {
  const rig = new Rig();
  rig.feed({ type: "subscribe", s: "a", query: { collection: "messages", sort: "kind,-n" } });
  rig.open();
  const rows = [
    { id: "d", kind: "b", n: 1 },
    { id: "b", kind: "a", n: 1 },
    { id: "a", kind: "a", n: 2 },
    { id: "c", kind: "a", n: 1 },
    { id: "e", kind: null, n: null },
    { id: "f", n: true },
  ];
  rig.say([
    { t: "subscribed", i: 1, s: "a", g: 1, cursor: "1", recovered: false },
    { t: "snap", g: 1, s: "a", rows, last: true, cursor: "1" },
  ]);
  const records = rig.outputs.find((output) => output.type === "update")?.update.records ?? [];
  assert.deepEqual(
    records.map(({ id }) => id),
    ["f", "e", "a", "b", "c", "d"],
  );
});

test("text is ordered by code point, as databases do", () => {
  const order = orderBy("t");
  const texts = ["", "Z", "a", "ab", "é", "\ufb01", "\u{1f600}", "\u{1f601}"];
  const rows = texts.map((t, at) => ({ id: `${at}`, t }));
  const shuffled = [...rows].reverse().sort(order);
  assert.deepEqual(shuffled, rows);
  const byBytes = [...texts].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  assert.deepEqual(byBytes, texts);
});

test("a watch without a snapshot starts empty and shows what comes", () => {
  const rig = new Rig();
  rig.feed({ type: "subscribe", s: "a", query: { collection: "messages", snapshot: "none" } });
  rig.open();
  assert.deepEqual(rig.sent(), [[{ t: "sub", i: 1, s: "a", collection: "messages", snapshot: "none" }]]);
  rig.say({ t: "subscribed", i: 1, s: "a", g: 1, cursor: "7", recovered: false });
  assert.deepEqual(rig.outputs.find((output) => output.type === "update")?.update.records, []);
  rig.feed({ type: "closed", code: 1006 });
  rig.wake();
  rig.open();
  assert.equal((rig.sent()[0] as { cursor: string }[])[0]?.cursor, "7");
});

test("a live query sends its parameters each time it subscribes", () => {
  const rig = new Rig();
  rig.feed({ type: "subscribe", s: "a", query: { ...query, requestParams: { share: "k" } } });
  rig.feed({ type: "subscribe", s: "b", query });
  const asked = () =>
    rig.outputs
      .flatMap((output) => (output.type === "send" ? [JSON.parse(output.text)].flat() : []))
      .filter((frame) => frame.t === "sub")
      .map(({ s, params }) => ({ s, params }));
  rig.open();
  const expected = [
    { s: "a", params: { share: "k" } },
    { s: "b", params: undefined },
  ];
  assert.deepEqual(asked(), expected);
  rig.feed({ type: "closed", code: 1006 });
  rig.wake();
  rig.open();
  assert.deepEqual(asked(), expected, "and after a broken connection");
});
