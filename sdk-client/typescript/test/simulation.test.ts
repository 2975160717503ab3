// Random histories: a small model of the server, a line that breaks, and the machine. In the end the app must see exactly
// what the server has, and on the way nothing that was taken away.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClientFrame, Row, SubscribeFrame } from "../src/realtime/frames.js";
import { Machine } from "../src/realtime/machine.js";
import { orderBy } from "../src/realtime/order.js";
import type { WatchQuery } from "../src/realtime/subscription.js";
import type { Input } from "../src/realtime/signals.js";

/** Each takes a few milliseconds. `SEEDS=10000` searches farther. */
const SEEDS = Number(process.env["SEEDS"] ?? 200);
const STEPS = 250;
/** How far back the model can replay. */
const LOG_KEPT = 25;

type Stored = Row & { version: number; n: number; room: string };

/** What happened at a position: a record changed, or access to the room was lost or gained. */
interface Entry {
  before?: Stored | undefined;
  after?: Stored | undefined;
  access?: boolean;
}

interface ModelSubscription extends SubscribeFrame {
  g: number;
}

/** A pseudo-random number in 0..1 (mulberry32), so that a failing seed can be repeated. */
function chanceOf(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

class Model {
  readonly records = new Map<string, Stored>();
  readonly versions = new Map<string, number>();
  readonly log: Entry[] = [];
  access = true;
  /** Frames on their way to the client. */
  line: object[] = [];
  subscriptions: ModelSubscription[] = [];
  #groups = 0;

  constructor(readonly chance: () => number) {}

  pick(below: number): number {
    return Math.floor(this.chance() * below);
  }

  /** What a subscription should show. */
  visible(sub: { sort?: string | undefined; limit?: number | undefined }): Stored[] {
    const rows = [...this.records.values()].filter((row) => this.access && row.room === "r1").sort(orderBy(sub.sort));
    return sub.sort !== undefined && sub.limit !== undefined ? rows.slice(0, sub.limit) : rows;
  }

  change(): void {
    const id = `m${this.pick(12)}`;
    const before = this.records.get(id);
    const version = (this.versions.get(id) ?? 0) + 1;
    this.versions.set(id, version);
    const gone = before !== undefined && this.chance() < 0.3;
    const after = gone ? undefined : { id, version, n: this.pick(6), room: this.chance() < 0.8 ? "r1" : "r2" };
    if (after) this.records.set(id, after);
    else this.records.delete(id);
    this.#append({ before, after });
  }

  /** Membership of the room is lost or gained. */
  switchAccess(): void {
    this.access = !this.access;
    this.#append({ access: this.access });
    for (const { g } of this.subscriptions) {
      const c = this.#cursor();
      if (!this.access) this.line.push({ t: "forget_scope", g, collection: "messages", field: "room", key: "r1", c });
      // Only the last of them may carry the new cursor: from it on, the others would be taken for delivered.
      const rows = this.visible({});
      const before = `${this.log.length - 1}`;
      rows.forEach((d, at) => {
        this.line.push({ t: "ev", g, c: at + 1 < rows.length ? before : c, o: "put", id: d.id, v: d.version, d });
      });
    }
  }

  resync(): void {
    const [sub] = this.subscriptions.splice(this.pick(this.subscriptions.length), 1);
    if (!sub) return;
    // What is on its way for the group may be dropped, but not the answer that names it.
    this.line = this.line.filter((frame) => (frame as { g?: number }).g !== sub.g || "recovered" in frame);
    this.line.push({ t: "resync", g: sub.g, reason: "model" });
  }

  /** Says the same again: the protocol allows an event to arrive twice in a row. */
  stutter(): void {
    const last = this.line.at(-1) as { t?: string } | undefined;
    if (last?.t === "ev") this.line.push(last);
  }

  hear(text: string): void {
    const message = JSON.parse(text) as ClientFrame | ClientFrame[];
    for (const frame of Array.isArray(message) ? message : [message]) {
      if (frame.t === "hello") this.#welcome();
      else if (frame.t === "sub") this.#subscribe(frame);
      else if (frame.t === "unsub") {
        // It may have ended by a `resync` that is still on its way to the client.
        const known = this.subscriptions.some((sub) => sub.s === frame.s);
        this.subscriptions = this.subscriptions.filter((sub) => sub.s !== frame.s);
        this.line.push(known ? { t: "ok", i: frame.i } : { t: "err", i: frame.i, code: "bad_request", detail: "" });
      }
    }
  }

  cut(): void {
    this.line = [];
    this.subscriptions = [];
  }

  #welcome(): void {
    this.line.push({ t: "welcome", sid: "c", ping_s: 25, limits: { subscriptions_max: 9, message_bytes_max: 9999 } });
  }

  #subscribe(frame: SubscribeFrame): void {
    assert.ok(!this.subscriptions.some((sub) => sub.s === frame.s), "a subscription of this name exists");
    const sub = { ...frame, g: ++this.#groups };
    this.subscriptions.push(sub);
    const { i, s, g } = sub;
    const from = frame.cursor === undefined ? -1 : Number(frame.cursor);
    const missed = this.log.slice(Math.max(0, from));
    const recovered = from >= 0 && missed.length <= LOG_KEPT && missed.every(({ access }) => access === undefined);
    this.line.push({ t: "subscribed", i, s, g, cursor: recovered ? frame.cursor : this.#cursor(), recovered });
    if (recovered) return missed.forEach((entry, at) => this.#tell(sub, entry, `${from + at + 1}`));
    const rows = this.visible(sub);
    const cursor = this.#cursor();
    do {
      const part = rows.splice(0, 3);
      this.line.push({ t: "snap", g, s, rows: part, last: rows.length === 0, cursor });
    } while (rows.length > 0);
  }

  #append(entry: Entry): void {
    this.log.push(entry);
    for (const sub of this.subscriptions) this.#tell(sub, entry, this.#cursor());
  }

  #tell({ g }: ModelSubscription, { before, after }: Entry, c: string): void {
    const seen = (row: Stored | undefined) => (this.access && row?.room === "r1" ? row : undefined);
    const [old, now] = [seen(before), seen(after)];
    if (now) this.line.push({ t: "ev", g, c, o: "put", id: now.id, v: now.version, d: now });
    else if (old && after) this.line.push({ t: "ev", g, c, o: "forget", id: old.id, v: after.version });
    else if (old) this.line.push({ t: "ev", g, c, o: "del", id: old.id, v: old.version + 1 });
  }

  #cursor(): string {
    return `${this.log.length}`;
  }
}

/** The machine on a line to the model. */
class Client {
  readonly views = new Map<string, readonly Row[]>();
  readonly #machine: Machine;
  #wakeAt: number | null = null;
  #connected = false;
  #now = 0;

  constructor(readonly model: Model) {
    this.#machine = new Machine({ sdk: "simulation", random: model.chance });
  }

  feed(input: Input): void {
    for (const output of this.#machine.handle(input, this.#now)) {
      if (output.type === "token") this.feed({ type: "token", n: output.n, token: null });
      else if (output.type === "connect") {
        this.#connected = true;
        this.feed({ type: "opened" });
      } else if (output.type === "disconnect") {
        this.#connected = false;
        this.model.cut();
      } else if (output.type === "send") this.model.hear(output.text);
      else if (output.type === "wake") this.#wakeAt = output.at;
      else if (output.type === "update") this.views.set(output.s, output.update.records);
      else if (output.type === "failed") assert.fail(output.error);
    }
  }

  /** Some of what is on the line arrives, as one message. */
  receive(most: number): void {
    const frames = this.model.line.splice(0, most);
    if (this.#connected && frames.length > 0) this.feed({ type: "message", text: JSON.stringify(frames) });
    for (const { g } of frames.filter(isForgetScope)) this.#assertObeyed(g);
  }

  breakLine(): void {
    if (!this.#connected) return;
    this.model.cut();
    this.#connected = false;
    this.feed({ type: "closed", code: 1006 });
  }

  pass(ms: number): void {
    this.#now += ms;
    if (this.#wakeAt !== null && this.#wakeAt <= this.#now) this.feed({ type: "tick" });
  }

  settle(): void {
    for (let turn = 0; turn < 200; turn++) {
      this.receive(5);
      // Less than the silence after which it would give up a line on which nothing is said.
      this.pass(turn < 20 ? 1000 : 100);
    }
    assert.deepEqual(this.model.line, []);
  }

  /** A scope that was taken away and not given back is not shown, once the subscription was told. */
  #assertObeyed(g: number): void {
    // One that is just being asked anew is told by its snapshot.
    const sub = this.model.subscriptions.find((one) => one.g === g);
    const again = this.model.line.some((frame) => isForgetScope(frame) && frame.g === g);
    if (!sub || this.model.access || again) return;
    const shown = this.views.get(sub.s) ?? [];
    assert.ok(
      shown.every((row) => row["room"] !== "r1"),
      `${sub.s} still shows r1`,
    );
  }
}

function isForgetScope(frame: object): frame is { g: number } {
  return (frame as { t: string }).t === "forget_scope";
}

const QUERIES: Record<string, WatchQuery> = {
  all: { collection: "messages", filter: "room == 'r1'" },
  newest: { collection: "messages", filter: "room == 'r1'", sort: "-n", limit: 3 },
  few: { collection: "messages", filter: "room == 'r1'", sort: "n", limit: 1 },
};

function run(seed: number): void {
  const model = new Model(chanceOf(seed));
  const client = new Client(model);
  for (const [s, query] of Object.entries(QUERIES)) client.feed({ type: "subscribe", s, query });
  for (let step = 0; step < STEPS; step++) {
    const dice = model.chance();
    if (dice < 0.45) model.change();
    else if (dice < 0.8) client.receive(1 + model.pick(4));
    else if (dice < 0.9) client.pass(model.pick(600));
    else if (dice < 0.93) model.stutter();
    else if (dice < 0.96) client.breakLine();
    else if (dice < 0.98) model.switchAccess();
    else model.resync();
  }
  client.settle();
  for (const [s, query] of Object.entries(QUERIES)) assert.deepEqual(client.views.get(s), model.visible(query), s);
}

test(`in ${SEEDS} random histories the app ends up with what the server has`, () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      run(seed);
    } catch (cause) {
      throw new Error(`seed ${seed}: ${String(cause)}`, { cause });
    }
  }
});
