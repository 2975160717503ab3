// The client: one per server and user, holding sign-in, HTTP and the socket together.
//
// Nothing is shared between two clients, and nothing is global.

import { Auth, type User } from "./auth.js";
import { wireOperation, type BatchResults, type Operation } from "./batch.js";
import { Collection } from "./collection.js";
import { browserDevice, type PasskeyDevice } from "./passkeys.js";
import { Attempts } from "./providers.js";
import { Device } from "./device.js";
import { Http, type Call, type Tokens } from "./http.js";
import { randomKey } from "./id.js";
import { solve, type Puzzle } from "./puzzle.js";
import { Realtime, type WebSocketConstructor } from "./realtime/realtime.js";
import { SessionKeeper } from "./session.js";
import { defaultStorage, type Storage } from "./storage.js";
import { realSurroundings, type Surroundings } from "./surroundings.js";
import type { AnyCollections, CallOptions, UntypedCollections } from "./types.js";

export interface ClientOptions {
  /** Where the session is kept. Default: `localStorage` in a browser, memory elsewhere. */
  storage?: Storage | undefined;
  /**
   * What stands for a session. `"cookie"`, for a page of the app's own origin where the app allows it (`auth: cookies`): one
   * that no script can read. Default `"tokens"`.
   */
  session?: "tokens" | "cookie" | undefined;
  /**
   * A sign that no robot asks, for an app whose `auth: captcha` is a service: what its widget gives. Puzzles of the server's own
   * are solved without it.
   */
  captcha?: (() => Promise<string>) | undefined;
  /** An API key or a token from elsewhere, sent instead of a session's. */
  token?: string | (() => string | null | Promise<string | null>) | undefined;
  /** Needed for live queries where the runtime has no `WebSocket` (Node before 22): `import WebSocket from "ws"`. */
  WebSocket?: WebSocketConstructor | undefined;
  fetch?: typeof fetch | undefined;
  /** What talks to the device about passkeys. Default: the browser; elsewhere there are none. */
  passkeys?: PasskeyDevice | undefined;
  /** Sent with every HTTP call. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** How often a call that failed for a passing reason is repeated. Default 3. */
  retries?: number | undefined;
  /** Longest a single try may take. Default 30,000. */
  timeoutMs?: number | undefined;
  /** Clock, chance and waiting, for tests. */
  surroundings?: Surroundings | undefined;
}

/** How long a cookie lives at most, in seconds; the server knows exactly. */
const COOKIE_S = 30 * 86_400;

export interface BatchOptions extends CallOptions {
  idempotencyKey?: string | undefined;
}

export class Client<Types extends AnyCollections<Types> = UntypedCollections> {
  readonly auth: Auth<Types>;
  /** The socket that all live queries share. */
  readonly realtime: Realtime;
  readonly #http: Http;
  readonly #keeper: SessionKeeper<User<Types>>;

  /** @internal */
  constructor(base: string, options: ClientOptions) {
    const surroundings = options.surroundings ?? realSurroundings;
    // Called as a plain function: a browser's fetch refuses any other `this`.
    const ask: typeof fetch = options.fetch ?? ((input, init) => fetch(input, init));
    const http: Http = new Http(
      {
        base,
        fetch: ask,
        headers: options.headers ?? {},
        retries: options.retries ?? 3,
        timeoutMs: options.timeoutMs ?? 30_000,
        surroundings,
        cookies: options.session === "cookie",
        captcha: options.captcha ?? (() => http.send<Puzzle>({ method: "GET", path: "/auth/puzzle", anonymous: true }).then(solve)),
      },
      () => tokens,
    );
    this.#http = http;
    const storage = options.storage ?? defaultStorage();
    const device = new Device(storage, `stead.device:${base}`);
    this.#keeper = new SessionKeeper({
      storage,
      key: `stead.session:${base}`,
      surroundings,
      exchange: async (refresh_token) =>
        options.session === "cookie"
          ? cookieSession(http)
          : // Repeating is safe even when an answer got lost: the old token alone would be of no more use.
            device.keep(
              await http.send({
                method: "POST",
                path: "/auth/token/refresh",
                body: { refresh_token },
                anonymous: true,
                repeatable: true,
              }),
            ),
    });
    const tokens: Tokens = options.token === undefined ? this.#keeper : fixedToken(options.token);
    this.auth = new Auth(http, this.#keeper, new Attempts(storage, base), device, options.passkeys ?? browserDevice());
    this.realtime = new Realtime({ base, tokens, surroundings, fetch: ask, WebSocket: options.WebSocket });
    this.#keeper.listen((_, event) => {
      if (event === "signed_in" || event === "signed_out") this.realtime.callerChanged();
    });
  }

  /** The records of a collection. */
  collection<Name extends keyof Types & string>(name: Name): Collection<Types[Name], Types> {
    return new Collection(name, this.#http, this.realtime);
  }

  /** Runs at most 200 operations in order, all or nothing. */
  async batch<Ops extends Operation<Types>[]>(
    operations: [...Ops],
    { idempotencyKey = randomKey(), ...options }: BatchOptions = {},
  ): Promise<BatchResults<Types, Ops>> {
    const body = { operations: operations.map(wireOperation) };
    const answer = await this.#http.send<{ results: BatchResults<Types, Ops> }>({
      method: "POST",
      path: "/batch",
      body,
      idempotencyKey,
      ...options,
    });
    return answer.results;
  }

  /** Any other call below `/api/v1`, with the token, the repeats and the errors of all calls. */
  send<T>(call: Call): Promise<T> {
    return this.#http.send(call);
  }

  /** Ends every live query and closes the socket. The session stays where it is stored. */
  close(): void {
    this.realtime.close();
    this.#keeper.close();
  }
}

/** The session that the page's cookie stands for, as a sign-in would answer it. */
async function cookieSession(http: Http): Promise<unknown> {
  const ask = { method: "GET", anonymous: true, byCookie: true } as const;
  const { session_id } = await http.send<{ session_id: string }>({ ...ask, path: "/auth/session" });
  return { token_type: "Cookie", session_id, expires_in: COOKIE_S, user: await http.send({ ...ask, path: "/auth/me" }) };
}

function fixedToken(token: NonNullable<ClientOptions["token"]>): Tokens {
  const current = async () => (typeof token === "string" ? token : await token());
  return {
    current,
    async replace(stale) {
      const next = await current();
      return next === stale ? null : next;
    },
  };
}

/**
 * A client for the server at `base`, such as `https://app.example`. In a page, the default is where the page came from.
 *
 * `createClient<Collections>(…)` with the module that `stead types --lang ts` prints makes every record typed.
 */
export function createClient<Types extends AnyCollections<Types> = UntypedCollections>(
  base: string = pageOrigin(),
  options: ClientOptions = {},
): Client<Types> {
  return new Client(new URL(base).href.replace(/\/+$/, ""), options);
}

function pageOrigin(): string {
  if (typeof location !== "undefined") return location.origin;
  throw new TypeError(
    'outside of a page, tell createClient where the server is: createClient("http://localhost:8080")',
  );
}
