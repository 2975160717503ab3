// The life of the socket: greeting, subscribing, staying awake, coming back. A state machine: inputs in, outputs out.
//
// It does no IO: it opens nothing, waits for nothing, and knows the time and chance only as they are handed in. The
// transcripts in `sdk-client/transcripts` say what it must do; every other SDK replays the same ones.

import { SteadError } from "../errors.js";
import { isCookie } from "../http.js";
import { fullJitter } from "../surroundings.js";
import { Allowance } from "./allowance.js";
import { CLOSE, packMessages, readMessage, type ClientFrame, type ServerFrame } from "./frames.js";
import type { Input, Output, Status } from "./signals.js";
import { Subscription } from "./subscription.js";

const BACKOFF_BASE_MS = 500;
const BACKOFF_CAP_MS = 30_000;
/** After a drain another server, or the same one restarted, is there in about this time. */
const DRAIN_MS_MAX = 2_000;
/** From asking for a socket to `welcome`. */
const GREETING_MS_MAX = 15_000;
/** A connection that lived this long was a good one: the next backoff starts over. */
const GOOD_CONNECTION_MS = 5_000;
/**
 * A server that has no database may be the only one cut off from it. After so long, with jitter, another one is asked for;
 * where there is none, staying is better than going.
 */
const PROBE_MS = 10_000;
/** A socket nobody uses any more is kept this long, for an app that goes from page to page. */
const LINGER_MS = 2_000;
/** A window that ran short is filled again after this pause, in which more deletions may come. */
const REFILL_MS = 250;

interface Open {
  at: "open";
  since: number;
  heardAt: number;
  /** Silence after which nobody is there. */
  quietMsMax: number;
  messageBytesMax: number;
  allowance: Allowance;
  /** When to ask for a server that is ready, while this one is not. */
  probeAt: number | undefined;
}

type Phase =
  { at: "idle" } | { at: "token" } | { at: "greeting"; until: number } | Open | { at: "waiting"; until: number };

export interface MachineSettings {
  /** Name and version, for the server's log. */
  sdk: string;
  /** A number in 0..1. */
  random(): number;
}

export class Machine {
  readonly #settings: MachineSettings;
  readonly #subs = new Map<string, Subscription>();
  #phase: Phase = { at: "idle" };
  /** Failed connections in a row. */
  #attempts = 0;
  /** The token this connection was opened with or got since. */
  #token: string | null = null;
  /** A token the server refused. */
  #stale: string | null = null;
  /** Newest request for a token; answers to older ones are dropped. */
  #tokenRequest = 0;
  /** Newest request number on this connection, and the live queries that wait for an answer to theirs. */
  #request = 0;
  #asked = new Map<number, Subscription>();
  /** What the server said before it closed. */
  #lastWords: { code: string; detail: string } | undefined;
  /** When an unused socket is closed. */
  #lingerUntil: number | undefined;
  #wakeAt: number | null = null;
  #status: Status = "idle";
  /** The time of the input at hand. */
  #now = 0;
  #out: Output[] = [];

  constructor(settings: MachineSettings) {
    this.#settings = settings;
  }

  /** Takes an input at a time in milliseconds, and says what to do about it, in order. */
  handle(input: Input, now: number): Output[] {
    this.#now = now;
    this.#out = [];
    switch (input.type) {
      case "subscribe":
        this.#subscribe(new Subscription(input.s, input.query));
        break;
      case "unsubscribe":
        this.#unsubscribe(input.s);
        break;
      case "token":
        if (input.n === this.#tokenRequest) this.#gotToken(input.token);
        break;
      case "token_failed":
        if (input.n === this.#tokenRequest) this.#gotNoToken(input.error);
        break;
      case "opened":
        this.#greet();
        break;
      case "message":
        this.#hear(input.text);
        break;
      case "closed":
        this.#closed(input.code);
        break;
      case "caller_changed":
        this.#callerChanged();
        break;
      case "probed":
        if (input.ready) this.#moveOn();
        break;
      case "online":
        if (this.#phase.at === "waiting") this.#connect();
        break;
      case "close":
        this.#lingerUntil = now;
        break;
      case "tick":
        break;
    }
    this.#keepTime();
    for (const sub of this.#subs.values()) this.#report(sub);
    this.#plan();
    return this.#out;
  }

  // The app's wishes

  #subscribe(sub: Subscription): void {
    this.#subs.set(sub.s, sub);
    this.#lingerUntil = undefined;
    if (this.#phase.at === "idle") this.#connect();
    else if (this.#phase.at === "open") this.#ask([sub]);
  }

  #unsubscribe(s: string): void {
    const sub = this.#subs.get(s);
    if (!sub) return;
    this.#subs.delete(s);
    if (this.#phase.at === "open" && sub.state !== "unasked") this.#say({ t: "unsub", i: ++this.#request, s });
    if (this.#subs.size === 0) this.#lingerUntil = this.#now + LINGER_MS;
  }

  /** What was held belongs to somebody else now. */
  #callerChanged(): void {
    for (const sub of this.#subs.values()) sub.reset();
    this.#hangUp();
    this.#attempts = 0;
    this.#stale = null;
    if (this.#subs.size > 0) this.#connect();
  }

  // Connecting

  #connect(): void {
    this.#phase = { at: "token" };
    this.#askToken(this.#stale);
  }

  #askToken(stale: string | null): void {
    this.#out.push({ type: "token", n: ++this.#tokenRequest, stale });
  }

  #gotToken(token: string | null): void {
    const renewed = token !== this.#token;
    this.#token = token;
    this.#stale = null;
    if (this.#phase.at === "token") {
      this.#phase = { at: "greeting", until: this.#now + GREETING_MS_MAX };
      this.#out.push(isCookie(token) ? { type: "connect", byCookie: true } : { type: "connect" });
    } else if (this.#phase.at === "open" && token !== null && renewed && !isCookie(token)) {
      this.#say({ t: "auth", i: ++this.#request, token });
    }
  }

  #gotNoToken(error: Error): void {
    // While open, the server will close with 4401 if it comes to that.
    if (this.#phase.at !== "token") return;
    if (error instanceof SteadError && error.retryable) this.#wait(this.#backoffMs());
    else this.#failAll(error);
  }

  #greet(): void {
    if (this.#phase.at !== "greeting") return;
    const { sdk } = this.#settings;
    this.#say(this.#token === null || isCookie(this.#token) ? { t: "hello", sdk } : { t: "hello", token: this.#token, sdk });
  }

  #closed(code: number): void {
    const phase = this.#phase;
    const lastWords = this.#lastWords;
    this.#hangUp();
    if (this.#subs.size === 0) return;
    if (phase.at === "open" && this.#now - phase.since >= GOOD_CONNECTION_MS) this.#attempts = 0;
    if (code === CLOSE.forbidden || code === CLOSE.protocol) {
      const known = code === CLOSE.forbidden ? "forbidden" : "protocol";
      const detail = lastWords?.detail ?? `The server closed the socket with ${code}.`;
      this.#failAll(new SteadError({ code: known, detail }));
    } else if (code === CLOSE.token && this.#token !== null) {
      this.#stale = this.#token;
      // The first time it is most likely just old. A server that refuses new tokens too must not be hammered.
      if (this.#attempts++ === 0) this.#connect();
      else this.#wait(this.#backoffMs());
    } else {
      this.#wait(code === CLOSE.goElsewhere ? DRAIN_MS_MAX * this.#settings.random() : this.#backoffMs());
    }
  }

  #backoffMs(): number {
    return fullJitter(this.#attempts++, BACKOFF_BASE_MS, BACKOFF_CAP_MS, this.#settings.random());
  }

  #wait(ms: number): void {
    this.#phase = { at: "waiting", until: this.#now + ms };
  }

  /** Forgets the connection; the live queries keep what they hold. */
  #hangUp(): void {
    if (this.#phase.at === "greeting" || this.#phase.at === "open") this.#out.push({ type: "disconnect" });
    this.#phase = { at: "idle" };
    this.#tokenRequest++;
    this.#request = 0;
    this.#asked.clear();
    this.#lastWords = undefined;
    for (const sub of this.#subs.values()) sub.disconnected();
  }

  // Hearing

  #hear(text: string): void {
    const frames = readMessage(text);
    if (frames === null) {
      this.#closed(0);
      return;
    }
    if (this.#phase.at === "open") this.#phase.heardAt = this.#now;
    for (const frame of frames) this.#take(frame);
  }

  #take(frame: ServerFrame): void {
    switch (frame.t) {
      case "welcome":
        if (this.#phase.at === "greeting") this.#welcomed(frame);
        break;
      case "subscribed": {
        const sub = this.#asked.get(frame.i);
        this.#asked.delete(frame.i);
        // An answer that was overtaken by `unsub` is for nobody.
        if (sub && this.#subs.get(sub.s) === sub) sub.subscribed(frame);
        break;
      }
      case "snap": {
        const sub = this.#subs.get(frame.s);
        if (sub?.group === frame.g && sub.snapshot(frame) === "unsure") this.#askAnew(sub);
        break;
      }
      case "ev":
      case "forget_scope":
        for (const sub of this.#group(frame.g)) if (sub.change(frame) === "unsure") this.#askAnew(sub);
        break;
      case "resync":
        for (const sub of this.#group(frame.g)) {
          sub.reset();
          this.#ask([sub]);
        }
        break;
      case "revoked":
        for (const sub of this.#group(frame.g)) {
          this.#fail(sub, new SteadError({ code: "revoked", detail: "Access to this live query was taken away." }));
        }
        break;
      case "err":
        this.#refused(frame);
        break;
      case "auth_expiring":
        if (this.#token !== null) this.#askToken(this.#token);
        break;
      case "ping":
        this.#say({ t: "pong" });
        break;
      case "degraded":
        this.#probeSoon();
        break;
      case "healed":
        this.#healed();
        break;
      case "ok":
      // What a slow client missed follows by itself.
      case "lag":
        break;
    }
  }

  #welcomed({ ping_s, limits }: Extract<ServerFrame, { t: "welcome" }>): void {
    this.#phase = {
      at: "open",
      since: this.#now,
      heardAt: this.#now,
      quietMsMax: (2 * ping_s + 5) * 1000,
      messageBytesMax: limits.message_bytes_max,
      allowance: new Allowance(this.#now),
      probeAt: undefined,
    };
    this.#ask([...this.#subs.values()]);
  }

  #probeSoon(): void {
    if (this.#phase.at === "open") this.#phase.probeAt = this.#now + PROBE_MS * (0.5 + this.#settings.random() / 2);
  }

  /** Another server has what this one lacks. */
  #moveOn(): void {
    if (this.#phase.at !== "open" || this.#phase.probeAt === undefined) return;
    this.#hangUp();
    this.#connect();
  }

  /** What was refused for lack of a database need not wait any longer. */
  #healed(): void {
    if (this.#phase.at !== "open") return;
    this.#phase.probeAt = undefined;
    this.#ask([...this.#subs.values()].filter((sub) => sub.state === "unasked"));
  }

  #group(g: number): Subscription[] {
    return [...this.#subs.values()].filter((sub) => sub.group === g);
  }

  #refused({ i, code, detail, fatal }: Extract<ServerFrame, { t: "err" }>): void {
    const sub = i === undefined ? undefined : this.#asked.get(i);
    if (i !== undefined) this.#asked.delete(i);
    if (fatal) this.#lastWords = { code, detail };
    if (!sub || this.#subs.get(sub.s) !== sub) return;
    const error = new SteadError({ code, detail });
    sub.disconnected();
    if (code === "cursor_invalid" && sub.cursor !== undefined) {
      sub.reset();
      this.#ask([sub]);
    } else if (error.retryable) {
      const { random } = this.#settings;
      sub.askAt = this.#now + fullJitter(sub.refusals++, BACKOFF_BASE_MS, BACKOFF_CAP_MS, random());
    } else {
      this.#fail(sub, error);
    }
  }

  // Asking

  /** Asks now as many as may be, the others soon. */
  #ask(subs: Subscription[]): void {
    if (this.#phase.at !== "open") return;
    const now: Subscription[] = [];
    for (const sub of subs) {
      const waitMs = this.#phase.allowance.take(this.#now);
      if (waitMs === 0) now.push(sub);
      else sub.askAt = this.#now + waitMs;
    }
    this.#sayAll(now.map((sub) => this.#askFrame(sub)));
  }

  /** Subscribes again from the beginning, holding on to what is shown until the snapshot is complete. */
  #askAnew(sub: Subscription): void {
    const end: ClientFrame = { t: "unsub", i: ++this.#request, s: sub.s };
    this.#sayAll([end, this.#askFrame(sub, true)]);
  }

  #askFrame(sub: Subscription, fresh = false): ClientFrame {
    const i = ++this.#request;
    this.#asked.set(i, sub);
    return sub.ask(i, fresh);
  }

  #sayAll(frames: ClientFrame[]): void {
    if (this.#phase.at !== "open") return;
    for (const text of packMessages(frames, this.#phase.messageBytesMax)) this.#out.push({ type: "send", text });
  }

  #say(frame: ClientFrame): void {
    this.#out.push({ type: "send", text: JSON.stringify(frame) });
  }

  // Ending

  #fail(sub: Subscription, error: Error): void {
    sub.reset();
    this.#report(sub);
    this.#subs.delete(sub.s);
    this.#out.push({ type: "failed", s: sub.s, error });
  }

  #failAll(error: Error): void {
    this.#phase = { at: "idle" };
    for (const sub of [...this.#subs.values()]) this.#fail(sub, error);
  }

  // Time and reports

  #keepTime(): void {
    if (this.#subs.size === 0 && this.#due(this.#lingerUntil)) {
      this.#lingerUntil = undefined;
      this.#hangUp();
    }
    const phase = this.#phase;
    if (phase.at === "waiting" && this.#due(phase.until)) this.#connect();
    else if (phase.at === "greeting" && this.#due(phase.until)) this.#closed(0);
    else if (phase.at === "open" && this.#due(phase.heardAt + phase.quietMsMax)) this.#closed(0);
    else if (phase.at === "open") {
      if (this.#due(phase.probeAt)) {
        this.#out.push({ type: "probe" });
        this.#probeSoon();
      }
      this.#askDue();
    }
  }

  #askDue(): void {
    for (const sub of this.#subs.values()) {
      if (!this.#due(sub.askAt)) continue;
      if (sub.state === "unasked") this.#sayAll([this.#askFrame(sub)]);
      else this.#askAnew(sub);
    }
  }

  #due(at: number | undefined): boolean {
    return at !== undefined && at <= this.#now;
  }

  #report(sub: Subscription): void {
    const update = sub.takeUpdate();
    if (update) this.#out.push({ type: "update", s: sub.s, update });
    if (sub.short) sub.askAt ??= this.#now + REFILL_MS;
  }

  /** Names the next moment something is due, and the state, when they have changed. */
  #plan(): void {
    const phase = this.#phase;
    const dues: (number | undefined)[] = [this.#lingerUntil];
    if (phase.at === "waiting" || phase.at === "greeting") dues.push(phase.until);
    if (phase.at === "open") {
      dues.push(phase.heardAt + phase.quietMsMax, phase.probeAt);
      for (const sub of this.#subs.values()) dues.push(sub.askAt);
    }
    const next = Math.min(...dues.filter((due) => due !== undefined));
    const at = next === Infinity ? null : next;
    if (at !== this.#wakeAt) this.#out.push({ type: "wake", at });
    this.#wakeAt = at;
    const status = statusOf(phase);
    if (status !== this.#status) this.#out.push({ type: "status", status });
    this.#status = status;
  }
}

function statusOf(phase: Phase): Status {
  if (phase.at === "token" || phase.at === "greeting") return "connecting";
  return phase.at === "open" && phase.probeAt !== undefined ? "degraded" : phase.at;
}
