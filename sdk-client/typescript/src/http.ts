// One HTTP call: token, time limit, problem details, and repeating it when that is safe.
//
// It never repeats a write that has no idempotency key, unless the server said that it did not begin.

import { errorFromAnswer, isObject, SteadError } from "./errors.js";
import { fullJitter, type Surroundings } from "./surroundings.js";
import type { RequestParams } from "./types.js";

/** Path below which the whole contract lives. */
const API = "/api/v1";
const RETRY_BASE_MS = 200;
const RETRY_CAP_MS = 5_000;
/** Longest wait asked by the server that a call sits through; beyond it the app should decide. */
const RETRY_AFTER_MS_MAX = 10_000;
/** Refusals that say: nothing was done. */
const NOT_BEGUN = ["store_busy", "hash_busy", "shutting_down"];

/** How the token begins that stands for a cookie, which no script can read. It is never sent. */
export const COOKIE = "cookie:";
/** Whether it is no token to send. */
export const isCookie = (token: string | null): boolean => token !== null && token.startsWith(COOKIE);

/** Where the tokens of calls come from. */
export interface Tokens {
  /** A token good to send now; null for an anonymous caller. */
  current(): Promise<string | null>;
  /** A token other than `stale`, which the server refused; null when there is none to be had. */
  replace(stale: string): Promise<string | null>;
}

export type Query = Readonly<Record<string, string | number | null | undefined>>;

export interface Call {
  method: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  /** Below the base path: `/auth/me`. */
  path: string;
  query?: Query | undefined;
  /** Sent as `param.NAME`; an empty text is a value here. */
  requestParams?: RequestParams | undefined;
  body?: unknown;
  headers?: Readonly<Record<string, string>> | undefined;
  signal?: AbortSignal | undefined;
  /** Sends no token. */
  anonymous?: boolean | undefined;
  /** A sign-in: where sessions are in cookies, the answer sets one. */
  begins?: boolean | undefined;
  /** Acts by the page's cookie, whether or not a session is known here. */
  byCookie?: boolean | undefined;
  /** Makes repeating a write safe. */
  idempotencyKey?: string | undefined;
  /** The call does the same once or twice, without a key. */
  repeatable?: boolean | undefined;
}

export interface HttpSettings {
  base: string;
  fetch: typeof fetch;
  headers: Readonly<Record<string, string>>;
  /** Repeats after a first failure. */
  retries: number;
  /** Longest a single try may take. */
  timeoutMs: number;
  surroundings: Surroundings;
  /** Whether sessions are in cookies. */
  cookies: boolean;
  /** A sign that no robot asks, when the server wants one. */
  captcha: () => Promise<string>;
}

export class Http {
  readonly #settings: HttpSettings;
  readonly #tokens: () => Tokens;

  /** `tokens` is asked late, because refreshing a token is a call too. */
  constructor(settings: HttpSettings, tokens: () => Tokens) {
    this.#settings = settings;
    this.#tokens = tokens;
  }

  /** The address of a path of the API, for a page that is opened and not asked. */
  url(path: string): string {
    return `${this.#settings.base}${API}${path}`;
  }

  /** The answer's body, or undefined when it has none. Throws `SteadError`, or the signal's reason. */
  async send<T>(call: Call): Promise<T> {
    const { retries, surroundings } = this.#settings;
    let replaced = false;
    let captcha: string | undefined;
    for (let attempt = 0; ;) {
      call.signal?.throwIfAborted();
      const token = call.anonymous ? null : await this.#tokens().current();
      try {
        return (await this.#attempt(call, token, captcha)) as T;
      } catch (thrown) {
        if (!(thrown instanceof SteadError)) throw thrown;
        if (token !== null && !replaced && isAboutToken(thrown)) {
          replaced = true;
          if ((await this.#tokens().replace(token)) !== null) continue;
        }
        // One is good once: a repeat needs another.
        if (thrown.code === "captcha_required" && captcha === undefined) {
          captcha = await this.#settings.captcha();
          continue;
        }
        captcha = undefined;
        const waitMs = thrown.retryAfterMs ?? 0;
        if (attempt >= retries || !mayRepeat(call, thrown) || waitMs > RETRY_AFTER_MS_MAX) throw thrown;
        const jitterMs = fullJitter(attempt, RETRY_BASE_MS, RETRY_CAP_MS, surroundings.random());
        await surroundings.sleep(waitMs + jitterMs, call.signal);
        attempt++;
      }
    }
  }

  async #attempt(call: Call, token: string | null, captcha?: string): Promise<unknown> {
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), this.#settings.timeoutMs);
    const abort = () => limit.abort();
    call.signal?.addEventListener("abort", abort);
    try {
      const answer = await this.#settings.fetch(this.#url(call), this.#init(call, token, limit.signal, captcha));
      const text = await answer.text();
      const body = parse(text);
      if (!answer.ok) throw errorFromAnswer(answer.status, answer.headers, body);
      if (text !== "" && body === undefined) throw notJson(answer.status);
      return body;
    } catch (thrown) {
      if (thrown instanceof SteadError) throw thrown;
      call.signal?.throwIfAborted();
      throw this.#unreachable(thrown, limit.signal.aborted);
    } finally {
      clearTimeout(timer);
      call.signal?.removeEventListener("abort", abort);
    }
  }

  #url(call: Call): string {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(call.query ?? {})) {
      if (value !== undefined && value !== null && value !== "") query.set(name, String(value));
    }
    for (const [name, value] of Object.entries(call.requestParams ?? {})) {
      if (value !== undefined && value !== null) query.set(`param.${name}`, String(value));
    }
    const text = query.toString();
    return `${this.#settings.base}${API}${call.path}${text ? `?${text}` : ""}`;
  }

  #init(call: Call, token: string | null, signal: AbortSignal, captcha?: string): RequestInit {
    const headers: Record<string, string> = { Accept: "application/json", ...this.#settings.headers, ...call.headers };
    const byCookie = call.byCookie || isCookie(token);
    if (token !== null && !byCookie) headers["Authorization"] = `Bearer ${token}`;
    const begins = this.#settings.cookies && call.begins;
    if (byCookie || begins) headers["Stead-Session"] = begins ? "new" : "cookie";
    if (captcha !== undefined) headers["Stead-Captcha"] = captcha;
    if (call.idempotencyKey !== undefined) headers["Idempotency-Key"] = call.idempotencyKey;
    const init: RequestInit = { method: call.method, headers, signal };
    // The cookie of a session that has ended here, or of somebody else, says nothing of this call.
    if (this.#settings.cookies) init.credentials = byCookie || begins ? "same-origin" : "omit";
    if (call.body !== undefined) {
      headers["Content-Type"] = "application/json";
      init.body = JSON.stringify(call.body);
    }
    return init;
  }

  #unreachable(cause: unknown, timedOut: boolean): SteadError {
    const { base, timeoutMs } = this.#settings;
    const reason = timedOut ? `did not answer within ${timeoutMs / 1000} s` : `could not be reached${because(cause)}`;
    return new SteadError({ code: "network", detail: `${base || "The server"} ${reason}.`, cause });
  }
}

function isAboutToken(error: SteadError): boolean {
  return error.status === 401 && (error.code === "token_expired" || error.code === "token_invalid");
}

function mayRepeat(call: Call, error: SteadError): boolean {
  if (!error.retryable) return false;
  const harmless = call.method === "GET" || call.idempotencyKey !== undefined || call.repeatable === true;
  return harmless || NOT_BEGUN.includes(error.code);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function notJson(status: number): SteadError {
  const hint = "Is this the address of a Stead server?";
  return new SteadError({ code: "unknown", status, detail: "The answer is not JSON.", hint });
}

/** Node hides why a connection failed one level down. */
function because(thrown: unknown): string {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  const code = isObject(cause) ? cause["code"] : undefined;
  return typeof code === "string" ? ` (${code})` : "";
}

/** `["a", "b"]` or `"a,b"` as `"a,b"`. */
export function commaList(names: string | readonly string[] | undefined): string | undefined {
  return names === undefined || typeof names === "string" ? names : names.join(",");
}
