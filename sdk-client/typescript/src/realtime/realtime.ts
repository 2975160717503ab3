// The rim of the machine: opens the socket, keeps the clock, fetches tokens, and carries news to live queries.
//
// No decision is made here; every one is the machine's.

import type { Tokens } from "../http.js";
import type { Surroundings } from "../surroundings.js";
import { SUBPROTOCOL } from "./frames.js";
import { Live, watchQuery, type LiveListener, type LiveQuery } from "./live.js";
import { Machine } from "./machine.js";
import type { Input, Output, Status } from "./signals.js";

/** What is needed of a WebSocket: the browser's, Node's and `ws` all have it. */
export interface WebSocketLike {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

export interface RealtimeSettings {
  base: string;
  tokens: Tokens;
  surroundings: Surroundings;
  fetch: typeof fetch;
  WebSocket: WebSocketConstructor | undefined;
}

export class Realtime {
  readonly #settings: RealtimeSettings;
  readonly #machine: Machine;
  readonly #live = new Map<string, Live<unknown>>();
  readonly #listeners = new Set<(status: Status) => void>();
  readonly #online = () => this.#handle({ type: "online" });
  #status: Status = "idle";
  #socket: WebSocketLike | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #named = 0;
  /** What the machine has not dealt with yet; the first is being dealt with. */
  readonly #inputs: Input[] = [];

  /** @internal */
  constructor(settings: RealtimeSettings) {
    this.#settings = settings;
    this.#machine = new Machine({ sdk: "stead-js/0.1.0", random: settings.surroundings.random });
    if (typeof window !== "undefined") window.addEventListener("online", this.#online);
  }

  /** How the line is; see `Status`. It mends by itself. */
  get status(): Status {
    return this.#status;
  }

  /** Calls `listener` with the status now and whenever it changes. Gives back how to stop. */
  onStatus(listener: (status: Status) => void): () => void {
    this.#listeners.add(listener);
    listener(this.#status);
    return () => void this.#listeners.delete(listener);
  }

  /** @internal */
  watch<Rec>(
    collection: string,
    query: LiveQuery<Rec>,
    onChange?: LiveListener<Rec>,
    onError?: (error: Error) => void,
  ): Live<Rec> {
    const watched = watchQuery(collection, query);
    this.#socketClass();
    const s = `s${++this.#named}`;
    const live = new Live<Rec>(
      () => {
        this.#live.delete(s);
        this.#handle({ type: "unsubscribe", s });
      },
      onChange,
      onError,
    );
    this.#live.set(s, live as Live<unknown>);
    this.#handle({ type: "subscribe", s, query: watched });
    return live;
  }

  /** @internal */
  callerChanged(): void {
    this.#handle({ type: "caller_changed" });
  }

  /** @internal */
  close(): void {
    for (const live of [...this.#live.values()]) live.stop();
    this.#handle({ type: "close" });
    if (typeof window !== "undefined") window.removeEventListener("online", this.#online);
  }

  /** One input at a time: an app's callback may cause the next one while this one's outputs are being performed. */
  #handle(input: Input): void {
    this.#inputs.push(input);
    if (this.#inputs.length > 1) return;
    for (let next = this.#inputs[0]; next !== undefined; next = this.#inputs[0]) {
      const outputs = this.#machine.handle(next, this.#settings.surroundings.now());
      for (const output of outputs) this.#perform(output);
      this.#inputs.shift();
    }
  }

  #perform(output: Output): void {
    switch (output.type) {
      case "token":
        void this.#fetchToken(output.n, output.stale);
        break;
      case "connect":
        this.#open(output.byCookie ? "?session=cookie" : "");
        break;
      case "probe":
        void this.#probe();
        break;
      case "send":
        this.#socket?.send(output.text);
        break;
      case "disconnect":
        this.#drop();
        break;
      case "wake":
        this.#setTimer(output.at);
        break;
      case "status":
        this.#status = output.status;
        for (const listener of [...this.#listeners]) guarded(() => listener(output.status));
        break;
      case "update":
        guarded(() => this.#live.get(output.s)?.update(output.update));
        break;
      case "failed": {
        const live = this.#live.get(output.s);
        this.#live.delete(output.s);
        guarded(() => live?.fail(output.error));
        break;
      }
    }
  }

  async #fetchToken(n: number, stale: string | null): Promise<void> {
    const { tokens } = this.#settings;
    const fetched = stale === null ? tokens.current() : tokens.replace(stale);
    this.#handle(
      await fetched.then(
        (token): Input => ({ type: "token", n, token }),
        (error: Error): Input => ({ type: "token_failed", n, error }),
      ),
    );
  }

  async #probe(): Promise<void> {
    const { base, fetch } = this.#settings;
    const ready = await fetch(`${base}/readyz`).then(
      (answer) => answer.ok,
      () => false,
    );
    this.#handle({ type: "probed", ready });
  }

  #open(query: string): void {
    const url = `${this.#settings.base.replace(/^http/, "ws")}/api/v1/realtime${query}`;
    const socket = this.#construct(url);
    this.#socket = socket;
    if (!socket) return this.#handle({ type: "closed", code: 0 });
    socket.onopen = () => this.#handle({ type: "opened" });
    socket.onmessage = ({ data }: { data: unknown }) => this.#handle({ type: "message", text: String(data) });
    socket.onclose = ({ code }: { code: number }) => this.#handle({ type: "closed", code });
    // A close follows, and browsers do not tell what the error was.
    socket.onerror = () => {};
  }

  #construct(url: string): WebSocketLike | undefined {
    try {
      return new (this.#socketClass())(url, [SUBPROTOCOL]);
    } catch (thrown) {
      // A browser refuses plain sockets from a secure page this way.
      console.error(thrown);
      return undefined;
    }
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #setTimer(at: number | null): void {
    clearTimeout(this.#timer);
    if (at === null) return;
    // Timers may fire a little early by the clock that `tick` is judged by.
    const ms = Math.max(0, at - this.#settings.surroundings.now()) + 1;
    this.#timer = setTimeout(() => this.#handle({ type: "tick" }), ms);
  }

  #socketClass(): WebSocketConstructor {
    const found = this.#settings.WebSocket ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
    if (found) return found;
    throw new TypeError(
      'this runtime has no WebSocket: import one from "ws" and hand it to createClient(url, { WebSocket })',
    );
  }
}

/** Runs the app's code. Its mistakes must not stop the socket. */
function guarded(run: () => void): void {
  try {
    run();
  } catch (thrown) {
    console.error(thrown);
  }
}
