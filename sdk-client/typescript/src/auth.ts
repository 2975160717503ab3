// Signing up, in and out, and the signed-in user.
//
// Tokens are the session keeper's business; this room only makes the calls.

import type { Device } from "./device.js";
import { isSteadError, SteadError } from "./errors.js";
import type { Call, Http } from "./http.js";
import type { Session, SessionKeeper, SessionListener } from "./session.js";
import type { AnyCollections, CallOptions, Patch, UntypedRecord } from "./types.js";

/** The collection whose records are the users. */
type UserTypes<Types> = Types extends { users: infer Users } ? Users : unknown;

/** The signed-in user's record, with the address. */
export type User<Types> = (UserTypes<Types> extends { record: infer Rec } ? Rec : UntypedRecord) & { email: string };
/** Fields of the user's record to begin with. */
export type UserDraft<Types> = UserTypes<Types> extends { create: infer Draft } ? Draft : Record<string, unknown>;
/** What makes a user; `data` may be left out when no field of the user's record is required. */
export type SignUp<Types> = Credentials &
  ({} extends UserDraft<Types> ? { data?: UserDraft<Types> } : { data: UserDraft<Types> });
/** Changes to the user's record. */
export type UserPatch<Types> =
  UserTypes<Types> extends { update: infer Update } ? Patch<Update> : Record<string, unknown>;

/** What the app's rules know of the caller. */
export interface SessionFacts {
  session_id: string;
  user_id: string;
  roles: string[];
  verified: boolean;
  /** Claims that the app declares; one that the user does not have shows its default, if it has one. */
  claims: Record<string, unknown>;
  /** How the session was signed in to: `"password"`, … */
  method: string;
  /** Authenticator assurance level, 1 or 2. */
  aal: number;
  /** RFC 3339, UTC. */
  started_at: string;
}

/** What a sign-in screen may offer. */
export interface AuthSettings {
  /** Whether e-mail and password work. */
  password: boolean;
  /** Whether anyone may sign up. */
  sign_up: boolean;
  /** Fewest characters of a password. */
  password_chars_min: number;
}

export interface Credentials {
  email: string;
  password: string;
}

export interface PasswordChange {
  currentPassword: string;
  newPassword: string;
}

export interface SignOutOptions extends CallOptions {
  /** Which of the user's sessions end. Default `"this"`. */
  scope?: "this" | "others" | "all" | undefined;
}

export class Auth<Types extends AnyCollections<Types>> {
  readonly #http: Http;
  readonly #keeper: SessionKeeper<User<Types>>;
  readonly #device: Device;

  /** @internal */
  constructor(http: Http, keeper: SessionKeeper<User<Types>>, device: Device) {
    this.#http = http;
    this.#keeper = keeper;
    this.#device = device;
  }

  /** Resolves when a kept session has been read; at once, unless the storage is asynchronous. */
  get ready(): Promise<void> {
    return this.#keeper.ready;
  }

  /** The session, or null when nobody is signed in. */
  get session(): Session<User<Types>> | null {
    return this.#keeper.session;
  }

  /** The signed-in user, or null. */
  get user(): User<Types> | null {
    return this.#keeper.session?.user ?? null;
  }

  /** Makes a user and signs in. Throws `unique_violation`, `field_invalid`, `forbidden` when sign-up is closed. */
  signUp(details: SignUp<Types>, options: CallOptions = {}): Promise<Session<User<Types>>> {
    return this.#begin("/auth/sign-up", details, options);
  }

  /**
   * Throws `invalid_credentials`, also when there is no such user; `rate_limited` after too many wrong passwords, which a
   * device that was signed in before waits for less.
   */
  async signIn(credentials: Credentials, options: CallOptions = {}): Promise<Session<User<Types>>> {
    const body = { ...credentials, ...(await this.#device.proof()) };
    return this.#begin("/auth/sign-in/password", body, options);
  }

  /**
   * Ends sessions on the server, and this one here.
   *
   * When the server cannot be told, this still forgets the session, and throws so that the app can say so.
   */
  async signOut({ scope = "this", signal }: SignOutOptions = {}): Promise<void> {
    await this.#keeper.ready;
    if (this.#keeper.session === null) return;
    try {
      await this.#http.send({ method: "POST", path: "/auth/sign-out", body: { scope }, repeatable: true, signal });
    } catch (thrown) {
      // A session the server no longer knows has ended, which is what was asked for.
      if (!isSteadError(thrown) || thrown.status !== 401) throw thrown;
    } finally {
      if (scope !== "others") await this.#keeper.end();
    }
  }

  /**
   * Changes the password of the signed-in user. This session goes on; all others of the user end at once.
   *
   * Throws `invalid_credentials` when the current one is another, `field_invalid` on `/new_password`, `rate_limited` after
   * too many wrong ones.
   */
  async changePassword({ currentPassword, newPassword }: PasswordChange, { signal }: CallOptions = {}): Promise<void> {
    const body = { current_password: currentPassword, new_password: newPassword };
    await this.#http.send({ method: "POST", path: "/auth/password/change", body, signal });
  }

  /** The signed-in user's record, fresh from the server. Throws `token_required` when nobody is signed in. */
  me(options: CallOptions = {}): Promise<User<Types>> {
    return this.#user({ method: "GET", path: "/auth/me", ...options });
  }

  /** Changes the signed-in user's record. */
  updateMe(patch: UserPatch<Types>, options: CallOptions = {}): Promise<User<Types>> {
    return this.#user({ method: "PATCH", path: "/auth/me", body: patch, ...options });
  }

  /** What the app's rules know of the caller: roles, claims, how and when it signed in. Throws `token_required`. */
  facts(options: CallOptions = {}): Promise<SessionFacts> {
    return this.#http.send({ method: "GET", path: "/auth/session", ...options });
  }

  /** Trades the refresh token now. Rarely needed: calls and live queries do it when it is time. */
  async refresh(): Promise<Session<User<Types>>> {
    await this.#keeper.ready;
    const held = this.#keeper.session;
    if (held !== null) await this.#keeper.replace(held.accessToken);
    if (this.#keeper.session !== null) return this.#keeper.session;
    throw new SteadError({ code: "token_required", detail: "Nobody is signed in." });
  }

  /** What a sign-in screen may offer. */
  settings(options: CallOptions = {}): Promise<AuthSettings> {
    return this.#http.send({ method: "GET", path: "/auth/settings", anonymous: true, ...options });
  }

  /**
   * Calls `listener` with the session as it is (event `initial`), and again whenever it changes, in this tab or another.
   *
   * Gives back how to stop.
   */
  onChange(listener: SessionListener<User<Types>>): () => void {
    let stopped = false;
    let stop = () => {};
    void this.#keeper.ready.then(() => {
      if (stopped) return;
      stop = this.#keeper.listen(listener);
      listener(this.#keeper.session, "initial");
    });
    return () => {
      stopped = true;
      stop();
    };
  }

  async #begin(path: string, body: object, { signal }: CallOptions): Promise<Session<User<Types>>> {
    const answer = await this.#http.send({ method: "POST", path, body, anonymous: true, signal });
    return this.#keeper.begin(await this.#device.keep(answer));
  }

  async #user(call: Call): Promise<User<Types>> {
    const sessionId = this.#keeper.session?.sessionId;
    const user = await this.#http.send<User<Types>>(call);
    // Somebody else may have signed in meanwhile.
    if (this.#keeper.session?.sessionId === sessionId) await this.#keeper.update(user);
    return user;
  }
}
