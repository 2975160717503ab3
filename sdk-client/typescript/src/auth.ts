// Signing up, in and out, and the signed-in user.
//
// Tokens are the session keeper's business; this room only makes the calls.

import type { Device } from "./device.js";
import { isSteadError, SteadError } from "./errors.js";
import { demandSession, factorBody, Factors, type SecondFactorProof, type SecondFactorQuestion } from "./factors.js";
import type { Call, Http } from "./http.js";
import { Passkeys, type PasskeyDevice } from "./passkeys.js";
import { isChallenge, parseChallenge, proofBody, type Challenge, type Proof } from "./proof.js";
import { go, outcome, thisPage, type Attempts, type Identity, type IdTokenSignIn, type ProviderOffer, type ProviderOptions } from "./providers.js";
import type { Session, SessionKeeper, SessionListener } from "./session.js";
import type { AnyCollections, CallOptions, Patch, UntypedRecord } from "./types.js";

/** The collection whose records are the users. */
type UserTypes<Types> = Types extends { users: infer Users } ? Users : unknown;

/** The signed-in user's record, with the address; null for who has none. */
export type User<Types> = (UserTypes<Types> extends { record: infer Rec } ? Rec : UntypedRecord) & { email: string | null };
/** Fields of the user's record to begin with. */
export type UserDraft<Types> = UserTypes<Types> extends { create: infer Draft } ? Draft : Record<string, unknown>;
/** Somebody new may bring what the link of an invitation held: `readLink(location.href)` with the purpose `invitation`. */
export interface Invited {
  invitation?: string | undefined;
}

/** What makes a user; `data` may be left out when no field of the user's record is required. */
export type SignUp<Types> = Credentials & { locale?: string | undefined } & Invited &
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
  /** What the app is called, if it says so. */
  name?: string;
  /** Whether e-mail and password work. */
  password: boolean;
  /** Whether anyone may sign up. */
  sign_up: boolean;
  /** Whether who has an invitation may sign up. */
  invitations: boolean;
  /** Fewest characters of a password. */
  password_chars_min: number;
  /** Whether one can begin without an account. */
  anonymous: boolean;
  /** Whether a link can be sent to sign in with. */
  magic_link: boolean;
  /** Whether a code can be sent to sign in with. */
  otp: boolean;
  /** Whether an account begins only when its address is proven: `signUp` then answers with a challenge. */
  verify_email: boolean;
  /** Whether a passkey lets in. */
  passkey: boolean;
  /** Whether mail is sent: a forgotten password can be replaced, an address proven and changed. */
  mail: boolean;
  /** Days in which an account that was given up can be kept; absent where users do not delete theirs. */
  delete_after_days?: number;
  /** Whether pages may have their session in a cookie (`createClient(url, { session: "cookie" })`). */
  cookies: boolean;
  /** What is asked of robots, and where; the SDK solves the server's own puzzles. */
  captcha?: { kind: "puzzle" | "webhook"; site_key?: string; on: ("sign_up" | "sign_in" | "mail")[] };
  /** Services whose users may sign in. */
  providers: ProviderOffer[];
}

/** One of the user's sessions. */
export interface SessionInfo {
  id: string;
  created_at: string;
  last_seen_at: string;
  user_agent?: string;
  ip?: string;
  /** How it was signed in to. */
  method: string;
  /** Whether it is this one. */
  current: boolean;
}

/** What can be done to records. */
export type Verb = "read" | "create" | "update" | "delete";

/** A key to make, which stands for the user. */
export interface NewKey {
  name: string;
  /** Verbs by collection; `*` is every collection. */
  collections: Record<string, Verb[]>;
  /** Seconds until it ends; without, it does not. */
  expiresIn?: number | undefined;
}

/** A key without its secret. */
export interface KeyInfo {
  id: string;
  name: string;
  /** Its first characters. */
  start: string;
  collections: Record<string, Verb[]>;
  created_at: string;
  expires_at?: string;
  last_used_at?: string;
}

/** To an address; `locale` (BCP 47) is the language of the mail. */
export interface SendTo {
  email: string;
  locale?: string | undefined;
}

/** What the server holds of a user. */
export interface AccountExport<Types> {
  /** RFC 3339, UTC. */
  exported_at: string;
  user: User<Types>;
  roles: string[];
  claims: Record<string, unknown>;
  sessions: SessionInfo[];
  identities: Identity[];
  api_keys: KeyInfo[];
  /** By each field that refers to the user. What is not `complete` goes on in that collection's list. */
  records: {
    collection: string;
    field: string;
    items: Record<string, unknown>[];
    complete: boolean;
    /** Where that list goes on, with the filter `<field> == p.user`; null where nothing of it is here, or all. */
    next_cursor: string | null;
  }[];
}

/** What gives an anonymous user an account; without a password one signs in by mail. */
export interface UpgradeDetails {
  email: string;
  password?: string | undefined;
  locale?: string | undefined;
}

export interface EmailChange {
  newEmail: string;
  /** Needed if the account has a password. */
  currentPassword?: string | undefined;
  locale?: string | undefined;
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
  /** The signed-in user's second factors. */
  readonly factors: Factors;
  /** The signed-in user's passkeys. */
  readonly passkeys: Passkeys;
  readonly #http: Http;
  readonly #keeper: SessionKeeper<User<Types>>;
  readonly #attempts: Attempts;
  readonly #device: Device;

  /** @internal */
  constructor(http: Http, keeper: SessionKeeper<User<Types>>, attempts: Attempts, device: Device, passkeys: PasskeyDevice | null) {
    this.#attempts = attempts;
    this.#http = http;
    this.#keeper = keeper;
    this.#device = device;
    this.factors = new Factors(http);
    this.passkeys = new Passkeys(http, passkeys);
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

  /**
   * Makes a user and signs in. Where the app wants the address proven first, nobody is signed in: the answer is a challenge
   * (`"challengeId" in answer`), for {@link confirmSignUp}.
   *
   * Throws `unique_violation`, `field_invalid`, `forbidden` when sign-up is closed.
   */
  async signUp(
    details: SignUp<Types>,
    { signal }: CallOptions = {},
  ): Promise<Session<User<Types>> | Challenge> {
    const answer = await this.#http.send({ method: "POST", path: "/auth/sign-up", body: details, anonymous: true, begins: true, signal });
    return isChallenge(answer) ? parseChallenge(answer) : this.#keeper.begin(await this.#device.keep(answer));
  }

  /**
   * Ends a sign-up with what was sent, and signs in. Who opens the link elsewhere than where the sign-up was begun gives the
   * password that was chosen; the client that began it gives its challenge.
   *
   * Throws `proof_invalid`; `field_invalid` on `/password` when it is needed.
   */
  confirmSignUp(
    proof: Proof & { challengeId?: string; password?: string | undefined; data?: UserDraft<Types> | undefined },
    options: CallOptions = {},
  ): Promise<Session<User<Types>>> {
    const { password, data, challengeId } = proof;
    const body = { ...(challengeId !== undefined && { challenge_id: challengeId }), ...proofBody(proof), password, data };
    return this.#begin("/auth/sign-up/confirm", body, options);
  }

  /**
   * Makes a user without an account and signs in. The session is all there is: whoever signs out, or is away for thirty days,
   * has lost it. {@link upgrade} and {@link linkProvider} give it an account.
   *
   * Throws `forbidden` where the app does not offer it, `field_invalid`, `rate_limited`.
   */
  signInAnonymously({ data, signal }: CallOptions & { data?: UserDraft<Types> | undefined } = {}): Promise<Session<User<Types>>> {
    return this.#begin("/auth/sign-in/anonymous", { data }, { signal });
  }

  /**
   * Gives an anonymous user an account: the same user, with what it has, and a new session. Where the address must be proven
   * first, as always without a password, the answer is a challenge (`"challengeId" in answer`) for {@link confirmUpgrade}.
   *
   * Throws `unique_violation` when somebody has the address, `field_invalid`, `forbidden` for who has an account.
   */
  async upgrade(details: UpgradeDetails, { signal }: CallOptions = {}): Promise<Session<User<Types>> | Challenge> {
    const answer = await this.#http.send({ method: "POST", path: "/auth/upgrade", body: details, signal });
    return isChallenge(answer) ? parseChallenge(answer) : this.#keeper.begin(await this.#device.keep(answer));
  }

  /** Ends an upgrade with what was sent. A link counts only where its user is signed in. Throws `proof_invalid`. */
  async confirmUpgrade(proof: Proof, { signal }: CallOptions = {}): Promise<Session<User<Types>>> {
    const body = proofBody(proof);
    const answer = await this.#http.send({ method: "POST", path: "/auth/upgrade/confirm", body, signal });
    return this.#keeper.begin(await this.#device.keep(answer));
  }

  /** Has a link sent to sign in with. The answer is the same for every address. */
  sendLink(to: SendTo & Invited, options: CallOptions = {}): Promise<Challenge> {
    return this.#send("/auth/sign-in/magic-link", to, { anonymous: true, ...options });
  }

  /** Has a code sent to sign in with. The answer is the same for every address. */
  sendCode(to: SendTo & Invited, options: CallOptions = {}): Promise<Challenge> {
    return this.#send("/auth/sign-in/otp", to, { anonymous: true, ...options });
  }

  /**
   * Signs in with a link or a code that was sent. Somebody new becomes a user, with `data`, where sign-up is open.
   *
   * Throws `proof_invalid`, and as {@link signUp} for somebody new.
   */
  verify(proof: Proof & { data?: UserDraft<Types> | undefined }, options: CallOptions = {}): Promise<Session<User<Types>>> {
    return this.#begin("/auth/otp/verify", { ...proofBody(proof), data: proof.data }, options);
  }

  /** Has a link and a code sent to the user's address, to prove it. */
  requestVerification({ locale, signal }: CallOptions & { locale?: string } = {}): Promise<Challenge> {
    return this.#send("/auth/email/verify/request", { locale }, { signal });
  }

  /** Proves the user's address. A link counts only where its user is signed in. Throws `proof_invalid`, `token_required`. */
  async verifyEmail(proof: Proof, { signal }: CallOptions = {}): Promise<void> {
    await this.#http.send({ method: "POST", path: "/auth/email/verify/confirm", body: proofBody(proof), signal });
  }

  /** Has a link and a code sent to the address that the account is to get. Throws `invalid_credentials`, `reauth_required`. */
  changeEmail({ newEmail, currentPassword, locale }: EmailChange, options: CallOptions = {}): Promise<Challenge> {
    const body = { new_email: newEmail, current_password: currentPassword, locale };
    return this.#send("/auth/email/change", body, options);
  }

  /** Gives the account the new address; the user's other sessions end. Throws `proof_invalid`, `unique_violation`. */
  async confirmEmailChange(proof: Proof, { signal }: CallOptions = {}): Promise<void> {
    await this.#http.send({ method: "POST", path: "/auth/email/change/confirm", body: proofBody(proof), signal });
  }

  /**
   * Gives an account back to the address of before, with the link that was sent there. Every session and the password end; a
   * link to choose another one is sent.
   */
  async undoEmailChange(token: string, { signal }: CallOptions = {}): Promise<void> {
    const path = "/auth/email/change/undo";
    await this.#http.send({ method: "POST", path, body: { token }, anonymous: true, signal });
  }

  /** Has a link and a code sent to choose a new password with. The answer is the same for every address. */
  requestPasswordReset(to: SendTo, options: CallOptions = {}): Promise<Challenge> {
    return this.#send("/auth/password/reset/request", to, { anonymous: true, ...options });
  }

  /** Sets a new password with what was sent; every session of the user ends. Throws `proof_invalid`, `field_invalid`. */
  async resetPassword(proof: Proof & { newPassword: string }, { signal }: CallOptions = {}): Promise<void> {
    const body = { ...proofBody(proof), new_password: proof.newPassword };
    await this.#http.send({ method: "POST", path: "/auth/password/reset/confirm", body, anonymous: true, signal });
  }

  /** The user's API keys. */
  async keys(options: CallOptions = {}): Promise<KeyInfo[]> {
    const call = { method: "GET", path: "/auth/api-keys", ...options } as const;
    return (await this.#http.send<{ items: KeyInfo[] }>(call)).items;
  }

  /**
   * Makes an API key that stands for the user, where the app allows it. Its secret, `key`, is told this once.
   *
   * Throws `forbidden`, `reauth_required` when the sign-in is older than ten minutes, `field_invalid`.
   */
  makeKey({ name, collections, expiresIn }: NewKey, { signal }: CallOptions = {}): Promise<KeyInfo & { key: string }> {
    const body = { name, collections, expires_in: expiresIn };
    return this.#http.send({ method: "POST", path: "/auth/api-keys", body, signal });
  }

  /** Ends an API key of the user at once. Throws `record_not_found`. */
  async endKey(id: string, { signal }: CallOptions = {}): Promise<void> {
    const path = `/auth/api-keys/${encodeURIComponent(id)}`;
    await this.#http.send({ method: "DELETE", path, repeatable: true, signal });
  }

  /** The user's sessions, newest first. */
  async sessions(options: CallOptions = {}): Promise<SessionInfo[]> {
    const call = { method: "GET", path: "/auth/sessions", ...options } as const;
    return (await this.#http.send<{ items: SessionInfo[] }>(call)).items;
  }

  /** Ends one session of the user, at once, on calls and sockets. Throws `record_not_found`. */
  async endSession(id: string, { signal }: CallOptions = {}): Promise<void> {
    const path = `/auth/sessions/${encodeURIComponent(id)}`;
    await this.#http.send({ method: "DELETE", path, repeatable: true, signal });
    if (id === this.#keeper.session?.sessionId) await this.#keeper.end();
  }

  /**
   * Throws `invalid_credentials`, also when there is no such user; `rate_limited` after too many wrong passwords, which a
   * device that was signed in before waits for less; `SecondFactorRequired` (`mfa_required`) for who has a second factor, as
   * every way to sign in does: go on with {@link verifySecondFactor}.
   */
  async signIn(credentials: Credentials, options: CallOptions = {}): Promise<Session<User<Types>>> {
    const body = { ...credentials, ...(await this.#device.proof()) };
    return this.#begin("/auth/sign-in/password", body, options);
  }

  /**
   * Signs in with a passkey of this device. It is worth both factors. `conditional` waits until the person chooses it in a
   * field with `autocomplete="username webauthn"`; end it with `signal` when somebody signs in otherwise.
   *
   * Throws `access_denied` when the person did not want to, or has none here; `proof_invalid` for one that was removed.
   */
  async signInWithPasskey({ signal, conditional }: CallOptions & { conditional?: boolean } = {}): Promise<Session<User<Types>>> {
    const proof = await this.passkeys.ask({ signal, ...(conditional && { conditional }) });
    return this.#begin("/auth/sign-in/passkey", proof, { signal });
  }

  /**
   * Ends a sign-in that threw `SecondFactorRequired`, with its `question` and what the user shows.
   *
   * Throws `proof_invalid` for a wrong code, which may be tried again, and when the question is over; `rate_limited`.
   */
  verifySecondFactor(question: SecondFactorQuestion, proof: SecondFactorProof, options: CallOptions = {}): Promise<Session<User<Types>>> {
    return this.#begin("/auth/mfa/verify", { mfa_token: question.token, ...factorBody(proof) }, options);
  }

  /**
   * Shows the password, or the second factor, once more: for ten minutes the session may then do what throws
   * `reauth_required` and `aal2_required`. Where there is a second factor, it is the one to show.
   *
   * Throws `invalid_credentials`, `proof_invalid`, `rate_limited`.
   */
  async reauthenticate(proof: { password: string } | SecondFactorProof, { signal }: CallOptions = {}): Promise<void> {
    const body = "password" in proof ? { password: proof.password } : factorBody(proof);
    await this.#http.send({ method: "POST", path: "/auth/reauth", body, signal });
  }

  /**
   * Goes to a provider to sign in there. The page that it leads back to calls {@link completeSignIn}.
   *
   * What ties both together is kept where the session is, so that only this browser can end what it began.
   */
  async signInWithProvider(name: string, { redirectTo = thisPage(), open = go, invitation }: ProviderOptions & Invited = {}): Promise<void> {
    const challenge = await this.#attempts.begin(false, invitation);
    const query = new URLSearchParams({ redirect_to: redirectTo, code_challenge: challenge });
    await open(this.#http.url(`/auth/oauth/${name}/start?${query}`));
  }

  /**
   * Ends what {@link signInWithProvider} or {@link linkProvider} began; null when the address says nothing of it.
   *
   * Throws `access_denied` when the person did not want to, `address_taken` when an account with the address exists and the
   * provider cannot vouch for it, `proof_invalid` when it began elsewhere or was ended already.
   */
  async completeSignIn(address: string = location.href, options: CallOptions = {}): Promise<Session<User<Types>> | null> {
    const found = outcome(address);
    if (found === null) return null;
    const attempt = await this.#attempts.end();
    if ("error" in found) throw new SteadError({ code: found.error, detail: "The sign-in at the provider ended." });
    const body = { code: found.code, code_verifier: attempt.verifier, invitation: attempt.invitation };
    if (!attempt.link) return this.#begin("/auth/oauth/exchange", body, options);
    await this.#keeper.ready;
    const linked = await this.#http.send<{ session?: unknown }>({ method: "POST", path: "/auth/identities", body, ...options });
    // Who was anonymous has an account now, and another session.
    return linked.session === undefined ? this.#keeper.session : this.#keeper.begin(await this.#device.keep(linked.session));
  }

  /** Signs in with the ID token of a device's own sign-in, such as Apple's or Google's. A token is good once. */
  signInWithIdToken({ idToken, ...rest }: IdTokenSignIn & Invited, options: CallOptions = {}): Promise<Session<User<Types>>> {
    return this.#begin("/auth/sign-in/id-token", { ...rest, id_token: idToken }, options);
  }

  /** Who the signed-in user is at providers. */
  async identities(options: CallOptions = {}): Promise<Identity[]> {
    const answer = await this.#http.send<{ items: Identity[] }>({ method: "GET", path: "/auth/identities", ...options });
    return answer.items;
  }

  /**
   * Goes to a provider to add who the user is there to this account. The page that it leads back to calls
   * {@link completeSignIn}. Throws `reauth_required` when the session is older than ten minutes.
   */
  async linkProvider(name: string, { redirectTo = thisPage(), open = go, signal }: ProviderOptions = {}): Promise<void> {
    const body = { redirect_to: redirectTo, code_challenge: await this.#attempts.begin(true) };
    const path = `/auth/identities/${name}/link`;
    const { url } = await this.#http.send<{ url: string }>({ method: "POST", path, body, signal });
    await open(new URL(url, this.#http.url("")).href);
  }

  /** Removes an identity. Throws `last_way_in` when nothing else lets the user in. */
  async unlink(id: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#http.send({ method: "DELETE", path: `/auth/identities/${id}`, signal });
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

  /**
   * Deletes the user's account, and ends this session. Where the app gives time for second thoughts, the account is closed until
   * then, and signing in again keeps it; the answer says when it ends.
   *
   * Throws `forbidden` where the app does not let users do it, `reauth_required` when the sign-in is older than ten minutes.
   */
  async deleteAccount({ signal }: CallOptions = {}): Promise<{ deletesAt: string }> {
    const answer = await this.#http.send<{ deletes_at: string }>({ method: "DELETE", path: "/auth/me", signal });
    await this.#keeper.end();
    return { deletesAt: answer.deletes_at };
  }

  /**
   * What the server holds of the user: the record, sessions, identities, keys, and the records that refer to the user and that
   * the user may list. Throws `reauth_required` when the sign-in is older than ten minutes.
   */
  exportAccount({ signal }: CallOptions = {}): Promise<AccountExport<Types>> {
    return this.#http.send({ method: "POST", path: "/auth/me/export", signal });
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
    const answer = demandSession(await this.#http.send({ method: "POST", path, body, anonymous: true, begins: true, signal }));
    return this.#keeper.begin(await this.#device.keep(answer));
  }

  async #send(path: string, body: object, call: Partial<Call>): Promise<Challenge> {
    return parseChallenge(await this.#http.send({ ...call, method: "POST", path, body }));
  }

  async #user(call: Call): Promise<User<Types>> {
    const sessionId = this.#keeper.session?.sessionId;
    const user = await this.#http.send<User<Types>>(call);
    // Somebody else may have signed in meanwhile.
    if (this.#keeper.session?.sessionId === sessionId) await this.#keeper.update(user);
    return user;
  }
}
