// Replays every recorded exchange against the machine.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Machine } from "../src/realtime/machine.js";
import type { Input } from "../src/realtime/signals.js";
import { SteadError } from "../src/errors.js";
import { root } from "./surroundings.js";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

type Step =
  | { app: "subscribe"; as: string; query: { collection: string; p?: Record<string, Json> } }
  | { app: "unsubscribe"; as: string }
  | { transport: "connects" }
  | { transport: "closes"; code: number }
  | { client: Json }
  | { server: Json }
  | { wait_ms: number }
  | { view: Record<string, Json[] | null> }
  | { status: string }
  | { probe: boolean }
  | { ended: Record<string, string> };

interface Transcript {
  title: string;
  why: string;
  tokens: (string | null)[];
  steps: Step[];
}

class Player {
  readonly #machine = new Machine({ sdk: "test", random: () => 1 });
  readonly #tokens: (string | null)[];
  readonly #bound = new Map<string, Json>();
  readonly #views = new Map<string, readonly Json[]>();
  readonly #ended = new Map<string, string>();
  #sent: Json[] = [];
  #connecting = false;
  #probing = false;
  #status = "idle";
  #wakeAt: number | null = null;
  #now = 1_000_000;

  constructor(tokens: (string | null)[]) {
    this.#tokens = [...tokens];
  }

  play(step: Step): void {
    if (!("client" in step) && !("view" in step) && !("status" in step)) this.assertQuiet();
    if ("app" in step) this.#app(step);
    else if ("transport" in step) this.#transport(step);
    else if ("client" in step) this.#match(this.#sent.shift(), step.client);
    else if ("server" in step) this.#feed({ type: "message", text: JSON.stringify(this.#fill(step.server)) });
    else if ("wait_ms" in step) this.#wait(step.wait_ms);
    else if ("status" in step) assert.equal(this.#status, step.status);
    else if ("probe" in step) this.#probed(step.probe);
    else if ("view" in step) {
      for (const [name, records] of Object.entries(step.view)) assert.deepEqual(this.#views.get(name) ?? null, records);
    } else {
      for (const [name, code] of Object.entries(step.ended)) assert.equal(this.#ended.get(name), code);
    }
  }

  assertQuiet(): void {
    assert.deepEqual(this.#sent, [], "the client said something the transcript does not mention");
  }

  #app(step: Extract<Step, { app: string }>): void {
    if (step.app === "unsubscribe") return this.#feed({ type: "unsubscribe", s: step.as });
    const { p, ...query } = step.query;
    this.#feed({ type: "subscribe", s: step.as, query: { ...query, params: p } });
  }

  #transport(step: Extract<Step, { transport: string }>): void {
    if (step.transport === "closes") return this.#feed({ type: "closed", code: step.code });
    assert.ok(this.#connecting, "the client has not asked for a connection");
    this.#connecting = false;
    this.#feed({ type: "opened" });
  }

  #probed(ready: boolean): void {
    assert.ok(this.#probing, "the client has not asked whether a server is ready");
    this.#probing = false;
    this.#feed({ type: "probed", ready });
  }

  #wait(ms: number): void {
    const until = this.#now + ms;
    while (this.#wakeAt !== null && this.#wakeAt <= until) {
      this.#now = Math.max(this.#now, this.#wakeAt);
      this.#feed({ type: "tick" });
    }
    this.#now = until;
  }

  #feed(input: Input): void {
    for (const output of this.#machine.handle(input, this.#now)) {
      if (output.type === "send") this.#sent.push(JSON.parse(output.text) as Json);
      else if (output.type === "connect") this.#connecting = true;
      else if (output.type === "probe") this.#probing = true;
      else if (output.type === "status") this.#status = output.status;
      else if (output.type === "disconnect") this.#connecting = false;
      else if (output.type === "wake") this.#wakeAt = output.at;
      else if (output.type === "update") this.#views.set(output.s, output.update.records as unknown as Json[]);
      else if (output.type === "failed") this.#ended.set(output.s, (output.error as SteadError).code);
      else if (output.type === "token") {
        if (output.stale !== null) assert.equal(output.stale, this.#tokens.shift());
        this.#feed({ type: "token", n: output.n, token: this.#tokens[0] ?? null });
      }
    }
  }

  /** Compares, and binds placeholders that have no value yet. */
  #match(sent: Json | undefined, expected: Json): void {
    assert.notEqual(sent, undefined, `the client has not said ${JSON.stringify(expected)}`);
    const bound = this.#bind(sent as Json, expected);
    assert.deepEqual(sent, bound);
  }

  #bind(sent: Json, expected: Json): Json {
    if (typeof expected === "string" && expected.startsWith("$")) {
      if (!this.#bound.has(expected)) this.#bound.set(expected, sent);
      return this.#bound.get(expected) ?? null;
    }
    if (Array.isArray(expected))
      return expected.map((item, at) => this.#bind(Array.isArray(sent) ? (sent[at] ?? null) : null, item));
    if (!isFrame(expected)) return expected;
    const from = isFrame(sent) ? sent : {};
    const frame = Object.fromEntries(
      Object.entries(expected).map(([key, value]) => [key, this.#bind(from[key] ?? null, value)]),
    );
    return expected["t"] === "hello" ? { ...from, ...frame } : frame;
  }

  #fill(value: Json): Json {
    if (typeof value === "string" && value.startsWith("$"))
      return this.#bound.get(value) ?? assert.fail(`${value} is not bound`);
    if (Array.isArray(value)) return value.map((item) => this.#fill(item));
    if (!isFrame(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.#fill(item)]));
  }
}

function isFrame(value: Json): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const folder = join(root, "../transcripts");
for (const file of readdirSync(folder).filter((name) => name.endsWith(".json"))) {
  const transcript = JSON.parse(readFileSync(join(folder, file), "utf8")) as Transcript;
  test(`transcript ${file}: ${transcript.title}`, () => {
    const player = new Player(transcript.tokens);
    for (const [at, step] of transcript.steps.entries()) {
      try {
        player.play(step);
      } catch (thrown) {
        throw new Error(`step ${at + 1}: ${JSON.stringify(step)}`, { cause: thrown });
      }
    }
    player.assertQuiet();
  });
}
