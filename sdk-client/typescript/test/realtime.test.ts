// The rim, with a real socket server on loopback.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import WebSocket from "ws";
import { createClient, isSteadError, type Client, type ClientOptions } from "../src/index.js";
import { realSurroundings } from "../src/surroundings.js";
import { FakeServer, sessionAnswer, type FakeSocket } from "./server.js";
import { eventually } from "./surroundings.js";

let server: FakeServer;
let stead: Client;

// A server of its own: what a test gave up may still be on its way to the one before.
beforeEach(async () => {
  server = await FakeServer.start();
  stead = client();
});
afterEach(async () => {
  stead.close();
  await server.stop();
});

function client(options: ClientOptions = {}): Client {
  // No jitter: reconnecting takes no time here; how long it takes is the machine's tests' business.
  return createClient(server.url, { WebSocket, surroundings: { ...realSurroundings, random: () => 0 }, ...options });
}

const row = (id: string, version = 1) => ({ id, version, body: `${id} v${version}` });
const welcome = { t: "welcome", sid: "c1", ping_s: 25, limits: { subscriptions_max: 100, message_bytes_max: 16_384 } };

/** The server's end of connection number `n`, greeted, and what it was asked to watch. */
async function greeted(n = 0): Promise<{ socket: FakeSocket; hello: unknown; subs: Record<string, unknown>[] }> {
  const socket = await eventually(() => server.sockets[n]);
  const hello = await eventually(() => socket.heard[0]);
  socket.say(welcome);
  const subs = await eventually(() => socket.heard[1]);
  return { socket, hello, subs: subs as Record<string, unknown>[] };
}

function fill(socket: FakeSocket, sub: Record<string, unknown> | undefined, rows: unknown[], cursor = "10"): void {
  const { i, s } = sub ?? {};
  socket.say([
    { t: "subscribed", i, s, g: 1, cursor: "9", recovered: false },
    { t: "snap", g: 1, s, rows, last: true, cursor },
  ]);
}

test("a live query gives the records, then every change, to its callback", async () => {
  const seen: string[][] = [];
  const live = stead
    .collection("messages")
    .subscribe({ filter: (f) => f.room!.eq("r1"), sort: "-created_at", limit: 50, fields: ["body"] }, ({ records }) =>
      seen.push(records.map(({ id }) => id)),
    );
  const { socket, hello, subs } = await greeted();
  assert.equal(socket.url, "/api/v1/realtime");
  assert.equal(socket.socket.protocol, "stead.v1.json");
  assert.deepEqual(hello, { t: "hello", sdk: "stead-js/0.1.0" });
  assert.deepEqual(subs, [
    {
      t: "sub",
      i: 1,
      s: "s1",
      collection: "messages",
      filter: "room == p.p0",
      p: { p0: "r1" },
      sort: "-created_at",
      limit: 50,
      fields: "body,id,version,created_at",
    },
  ]);
  fill(socket, subs[0], [row("m1")]);
  assert.deepEqual(
    (await live.ready).map(({ id }) => id),
    ["m1"],
  );
  socket.say({ t: "ev", g: 1, c: "11", o: "put", id: "m2", v: 1, d: row("m2") });
  await eventually(() => seen.length === 2);
  assert.deepEqual(seen, [["m1"], ["m1", "m2"]]);
  assert.equal(stead.realtime.status, "open");
  live.stop();
  await eventually(() => socket.heard[2]);
  assert.deepEqual(socket.heard[2], { t: "unsub", i: 2, s: "s1" });
});

test("after a broken connection it goes on where it was", async () => {
  const live = stead.collection("messages").subscribe();
  const states: string[] = [];
  stead.realtime.onStatus((status) => states.push(status));
  const first = await greeted();
  fill(first.socket, first.subs[0], [row("m1")]);
  await live.ready;
  first.socket.socket.terminate();
  const second = await greeted(1);
  assert.equal(second.subs[0]?.["cursor"], "10");
  const { i, s } = second.subs[0] ?? {};
  second.socket.say([
    { t: "subscribed", i, s, g: 4, cursor: "11", recovered: true },
    { t: "ev", g: 4, c: "11", o: "put", id: "m1", v: 2, d: row("m1", 2) },
  ]);
  await eventually(() => live.records[0]?.version === 2);
  assert.deepEqual(
    states.filter((state) => state !== "waiting"),
    ["connecting", "open", "connecting", "open"],
  );
});

test("a loop gets the records first, then changes, and leaving it ends the live query", async () => {
  const live = stead.collection("messages").subscribe();
  const { socket, subs } = await greeted();
  fill(socket, subs[0], [row("m1")]);
  const seen: string[] = [];
  for await (const { records, changes } of live) {
    seen.push(`${records.length}: ${changes.map(({ type, record }) => `${type} ${record.id}`).join(", ")}`);
    if (seen.length === 2) break;
    socket.say({ t: "ev", g: 1, c: "11", o: "put", id: "m2", v: 1, d: row("m2") });
  }
  assert.deepEqual(seen, ["1: added m1", "2: added m2"]);
  await eventually(() => socket.heard.some((message) => JSON.stringify(message).includes("unsub")));
});

test("a slow loop gets one update with everything that happened meanwhile", async () => {
  const live = stead.collection("messages").subscribe();
  const { socket, subs } = await greeted();
  fill(socket, subs[0], [row("m1"), row("m2")]);
  await live.ready;
  const loop = live[Symbol.asyncIterator]();
  await loop.next();
  const messages = [
    { o: "put", id: "m3", v: 1, d: row("m3") },
    { o: "put", id: "m3", v: 2, d: row("m3", 2) },
    { o: "put", id: "m4", v: 1, d: row("m4") },
    { o: "del", id: "m4", v: 2 },
    { o: "del", id: "m1", v: 2 },
    { o: "put", id: "m2", v: 2, d: row("m2", 2) },
  ];
  for (const [at, message] of messages.entries()) socket.say({ t: "ev", g: 1, c: `${11 + at}`, ...message });
  await eventually(() => live.records[0]?.version === 2);
  const { value } = await loop.next();
  assert.ok(value);
  assert.deepEqual(
    value.records.map(({ id, version }) => `${id} v${version}`),
    ["m2 v2", "m3 v2"],
  );
  assert.deepEqual(
    value.changes.map(({ type, record }) => `${type} ${record.id} v${record.version}`),
    ["added m3 v2", "removed m1 v1", "changed m2 v2"],
  );
});

test("a refused live query tells its callback, its loop and whoever waits for it", async () => {
  const errors: Error[] = [];
  const live = stead.collection("nope").subscribe(
    {},
    () => {},
    (error) => errors.push(error),
  );
  const looped = stead.collection("nope").subscribe();
  const loop = (async () => {
    for await (const _ of looped) assert.fail("it must not give anything");
  })();
  const { socket, subs } = await greeted();
  assert.equal(subs.length, 2);
  for (const { i } of subs)
    socket.say({ t: "err", i, code: "collection_not_found", detail: "There is no collection `nope`." });
  await assert.rejects(loop, (thrown) => isSteadError(thrown, "collection_not_found"));
  await assert.rejects(live.ready, (thrown) => isSteadError(thrown, "collection_not_found"));
  assert.equal(errors.length, 1);
  assert.equal(live.error, errors[0]);
});

test("an error that nobody listens for is at least written to the console", async (context) => {
  const log = context.mock.method(console, "error", () => {});
  const live = stead.collection("nope").subscribe({}, () => {});
  const { socket, subs } = await greeted();
  socket.say({ t: "err", i: subs[0]?.["i"], code: "rule_denied", detail: "" });
  await eventually(() => live.error);
  assert.equal(log.mock.callCount(), 1);
});

test("a callback that throws, or starts and stops others, does not disturb the socket", async (context) => {
  context.mock.method(console, "error", () => {});
  const second: string[][] = [];
  const first = stead.collection("messages").subscribe({}, () => {
    first.stop();
    stead.collection("messages").subscribe({}, ({ records }) => second.push(records.map(({ id }) => id)));
    throw new Error("app bug");
  });
  const { socket, subs } = await greeted();
  fill(socket, subs[0], [row("m1")]);
  const again = await eventually(() => socket.heard.flat().find((frame) => (frame as { s?: string }).s === "s2"));
  fill(socket, again as Record<string, unknown>, [row("m1")]);
  await eventually(() => second.length === 1);
  assert.deepEqual(second, [["m1"]]);
});

test("a live query that stops in its own callback lets the socket go", async () => {
  const live = stead.collection("messages").subscribe({}, () => live.stop());
  const { socket, subs } = await greeted();
  fill(socket, subs[0], [row("m1")]);
  await eventually(() => socket.closed);
  assert.deepEqual(socket.heard[2], { t: "unsub", i: 2, s: "s1" });
  assert.equal(stead.realtime.status, "idle");
});

test("signing in and out moves the socket to the new caller", async () => {
  server.answer = ({ path }) => (path.endsWith("/sign-out") ? { status: 204 } : sessionAnswer(1));
  const live = stead.collection("messages").subscribe();
  const guest = await greeted();
  fill(guest.socket, guest.subs[0], [row("public")]);
  await live.ready;
  await stead.auth.signIn({ email: "a@b.c", password: "long enough" });
  assert.deepEqual(live.records, []);
  const signedIn = await greeted(1);
  assert.deepEqual(signedIn.hello, { t: "hello", token: "access-1", sdk: "stead-js/0.1.0" });
  assert.equal(signedIn.subs[0]?.["cursor"], undefined);
  await eventually(() => guest.socket.closed);
  await stead.auth.signOut();
  assert.deepEqual((await greeted(2)).hello, { t: "hello", sdk: "stead-js/0.1.0" });
});

test("a token refused by the socket is refreshed before the next connection", async () => {
  let issued = 0;
  server.answer = () => sessionAnswer(++issued);
  await stead.auth.signIn({ email: "a@b.c", password: "long enough" });
  stead.collection("messages").subscribe();
  const { socket, hello } = await greeted();
  assert.equal((hello as { token: string }).token, "access-1");
  socket.say({ t: "auth_expiring", in_s: 60 });
  await eventually(() => socket.heard[2]);
  assert.deepEqual(socket.heard[2], { t: "auth", i: 2, token: "access-2" });
  socket.socket.close(4401);
  assert.equal(((await greeted(1)).hello as { token: string }).token, "access-3");
});

test(
  "without a WebSocket the way to one is told at once",
  { skip: "WebSocket" in globalThis && "this Node has one" },
  () => {
    const without = client({ WebSocket: undefined });
    assert.throws(() => without.collection("messages").subscribe(), /import one from "ws"/);
  },
);

test("closing the client closes the socket and ends every loop", async () => {
  const live = stead.collection("messages").subscribe();
  const { socket, subs } = await greeted();
  fill(socket, subs[0], []);
  await live.ready;
  const loop = live[Symbol.asyncIterator]();
  await loop.next();
  const next = loop.next();
  stead.close();
  assert.deepEqual(await next, { done: true, value: undefined });
  await eventually(() => socket.closed);
  assert.equal(stead.realtime.status, "idle");
});
