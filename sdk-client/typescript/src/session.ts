// Holds the session: keeps it in storage, shares it with other tabs, and trades its refresh token, once at a time.
//
// It never sends a sign-in itself and knows no path; how tokens are traded is handed in.

import { isObject, SteadError } from "./errors.js";
import { COOKIE, type Tokens } from "./http.js";
import type { Storage } from "./storage.js";
import type { Surroundings } from "./surroundings.js";

/** A token is replaced this long before it expires, or at half its life when that is shorter. */
const REFRESH_AHEAD_MS = 60_000;

/** Somebody is signed in. */
export interface Session<User = unknown> {
  /** The user's record, as of the last sign-in, refresh, `me` or `updateMe`. */
  user: User;
  /** Where the session is in a cookie, this is no token and lets nobody in. */
  accessToken: string;
  /** Empty where the session is in a cookie. */
  refreshToken: string;
  sessionId: string;
  /** Milliseconds since the Unix epoch, by this machine's clock. */
  expiresAt: number;
  /** From when on the next call refreshes first. */
  refreshAt: number;
}

/** Why listeners are told. */
export type SessionEvent = "initial" | "signed_in" | "signed_out" | "refreshed" | "user_updated";

export type SessionListener<User> = (session: Session<User> | null, event: SessionEvent) => void;

export interface SessionSettings {
  storage: Storage;
  /** Name in the storage. */
  key: string;
  surroundings: Surroundings;
  /** Trades a refresh token for the body of a session answer. */
  exchange(refreshToken: string): Promise<unknown>;
}

export class SessionKeeper<User> implements Tokens {
  /** Resolves when the storage has been read. */
  readonly ready: Promise<void>;
  readonly #settings: SessionSettings;
  readonly #listeners = new Set<SessionListener<User>>();
  #session: Session<User> | null = null;
  /** Grows when somebody signs in or out, so that a slow answer for the one before is dropped. */
  #epoch = 0;
  #flight: Promise<string | null> | undefined;
  /** The newest write to the storage; what is stored means nothing before it is done. */
  #saving: void | Promise<void> = undefined;
  readonly #unwatch: (() => void) | undefined;

  constructor(settings: SessionSettings) {
    this.#settings = settings;
    const stored = settings.storage.get(settings.key);
    // An answer at once is used at once, so that a page does not flash its sign-in form.
    if (stored === null || typeof stored === "string") this.#session = parseStored(stored);
    this.ready = stored instanceof Promise ? this.#load(stored) : Promise.resolve();
    this.#unwatch = settings.storage.watch?.(settings.key, () => void this.#adopt());
  }

  get session(): Session<User> | null {
    return this.#session;
  }

  listen(listener: SessionListener<User>): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Takes a sign-in's answer as the session. Throws `unknown` when it is none. */
  async begin(answer: unknown): Promise<Session<User>> {
    const session = this.#parseAnswer(answer);
    this.#epoch++;
    await this.#hold(session, "signed_in");
    return session;
  }

  async end(): Promise<void> {
    this.#epoch++;
    if (this.#session !== null) await this.#hold(null, "signed_out");
  }

  /** Takes a newer version of the user's record. */
  async update(user: User): Promise<void> {
    if (this.#session !== null) await this.#hold({ ...this.#session, user }, "user_updated");
  }

  close(): void {
    this.#unwatch?.();
    this.#listeners.clear();
  }

  async current(): Promise<string | null> {
    await this.ready;
    const held = this.#session;
    if (held === null || this.#now() < held.refreshAt) return held?.accessToken ?? null;
    try {
      return await this.replace(held.accessToken);
    } catch (thrown) {
      // The old token is good for a little longer, and the refresh may work by then.
      if (thrown instanceof SteadError && thrown.retryable && this.#now() < held.expiresAt) return held.accessToken;
      throw thrown;
    }
  }

  async replace(stale: string): Promise<string | null> {
    await this.ready;
    if (this.#session?.accessToken !== stale) return this.#session?.accessToken ?? null;
    if (!this.#flight) {
      const refresh = () => this.#refresh(stale);
      const { lock } = this.#settings.storage;
      this.#flight = (lock ? lock(this.#settings.key, refresh) : refresh()).finally(() => (this.#flight = undefined));
    }
    return this.#flight;
  }

  async #refresh(stale: string): Promise<string | null> {
    const epoch = this.#epoch;
    // Another tab may have refreshed already; a refresh token works once.
    await this.#adopt();
    const held = this.#session;
    if (held === null || held.accessToken !== stale) return held?.accessToken ?? null;
    try {
      const session = this.#parseAnswer(await this.#settings.exchange(held.refreshToken));
      if (epoch === this.#epoch) await this.#hold(session, "refreshed");
    } catch (thrown) {
      if (!(thrown instanceof SteadError) || thrown.retryable || thrown.status === 0) throw thrown;
      await this.#adopt();
      if (epoch !== this.#epoch || this.#session?.accessToken !== stale) return this.#token();
      await this.end();
      throw thrown;
    }
    return this.#token();
  }

  #token(): string | null {
    return this.#session?.accessToken ?? null;
  }

  async #load(stored: Promise<string | null>): Promise<void> {
    const epoch = this.#epoch;
    const session = parseStored<User>(await stored);
    if (epoch === this.#epoch) this.#session = session;
  }

  /** Takes what is stored as the session, if it differs from what is held. */
  async #adopt(): Promise<void> {
    const epoch = this.#epoch;
    await this.#saving;
    const stored = parseStored<User>(await this.#settings.storage.get(this.#settings.key));
    const held = this.#session;
    if (epoch !== this.#epoch || stored?.accessToken === held?.accessToken) return;
    this.#session = stored;
    const sameSession = stored !== null && stored.sessionId === held?.sessionId;
    if (!sameSession) this.#epoch++;
    this.#tell(stored === null ? "signed_out" : sameSession ? "refreshed" : "signed_in");
  }

  async #hold(session: Session<User> | null, event: SessionEvent): Promise<void> {
    const { storage, key } = this.#settings;
    this.#session = session;
    this.#saving = session === null ? storage.remove(key) : storage.set(key, JSON.stringify(session));
    await this.#saving;
    this.#tell(event);
  }

  #tell(event: SessionEvent): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(this.#session, event);
      } catch (thrown) {
        // One listener's mistake must not keep the others, or the sign-in itself, from finishing.
        console.error(thrown);
      }
    }
  }

  #now(): number {
    return this.#settings.surroundings.now();
  }

  #parseAnswer(answer: unknown): Session<User> {
    const body = isObject(answer) ? answer : {};
    const cookie = { access_token: `${COOKIE}${String(body["session_id"])}`, refresh_token: "" };
    const { access_token, refresh_token } = body["token_type"] === "Cookie" ? cookie : body;
    const { session_id, expires_in, user } = body;
    if (typeof access_token !== "string" || typeof refresh_token !== "string" || typeof expires_in !== "number") {
      throw new SteadError({ code: "unknown", detail: "The server's answer holds no session." });
    }
    const lifeMs = expires_in * 1000;
    const now = this.#now();
    return {
      user: user as User,
      accessToken: access_token,
      refreshToken: refresh_token,
      sessionId: String(session_id),
      expiresAt: now + lifeMs,
      refreshAt: now + Math.max(lifeMs - REFRESH_AHEAD_MS, lifeMs / 2),
    };
  }
}

/** A session as stored, or null when there is none or it was not written by us. */
function parseStored<User>(text: string | null): Session<User> | null {
  try {
    const value: unknown = JSON.parse(text ?? "null");
    const complete = isObject(value) && ["accessToken", "refreshToken"].every((key) => typeof value[key] === "string");
    return complete ? (value as unknown as Session<User>) : null;
  } catch {
    return null;
  }
}
