// Second factors: an authenticator app, and recovery codes for who has lost it.

import { isObject, SteadError } from "./errors.js";
import type { Http } from "./http.js";
import type { PasskeyProof } from "./passkeys.js";
import type { CallOptions } from "./types.js";

/** A sign-in whose first factor was right. */
export interface SecondFactorQuestion {
  /** Give it back with a code. */
  token: string;
  /** What the user has: `"totp"`, `"recovery_code"`, `"passkey"`. */
  factors: string[];
  /** Seconds until the token is worthless. */
  expiresIn: number;
}

/** What is shown as a second factor: six digits of the app, a recovery code, or a passkey (`auth.passkeys.ask()`), each good once. */
export type SecondFactorProof = { code: string } | { recoveryCode: string } | { passkey: PasskeyProof };

/** Thrown by every sign-in of a user who has a second factor, with code `mfa_required`: nobody is signed in yet. */
export class SecondFactorRequired extends SteadError {
  readonly question: SecondFactorQuestion;

  constructor(question: SecondFactorQuestion) {
    super({ code: "mfa_required", detail: "The account has a second factor.", hint: "Show it with `auth.verifySecondFactor`." });
    this.question = question;
  }
}

/** The seed of an authenticator app, told once. */
export interface TotpSeed {
  /** For people who type it. */
  secret: string;
  /** For the app (`otpauth://totp/…`). */
  uri: string;
  /** The same as a picture: a `data:` address for an `<img>`. */
  qrCode: string;
}

/** The user's second factors. */
export interface SecondFactorList {
  /** Whether codes of an authenticator app are asked for. */
  totp: boolean;
  recovery_codes_left: number;
}

/** Whether an answer to a sign-in asks for a second factor. */
function asksForMore(answer: unknown): answer is { mfa_token: string; factors: string[]; expires_in: number } {
  return isObject(answer) && typeof answer.mfa_token === "string";
}

/** Throws {@link SecondFactorRequired} where an answer is no session yet, and gives others on. */
export function demandSession<T>(answer: T): T {
  if (!asksForMore(answer)) return answer;
  throw new SecondFactorRequired({ token: answer.mfa_token, factors: answer.factors, expiresIn: answer.expires_in });
}

/** As the server takes it. */
export function factorBody(proof: SecondFactorProof): Record<string, unknown> {
  if ("passkey" in proof) return { passkey: proof.passkey };
  return "code" in proof ? { code: proof.code } : { recovery_code: proof.recoveryCode };
}

/**
 * The signed-in user's second factors. What changes them throws `reauth_required` or `aal2_required` when the user has not
 * shown lately who it is: see `auth.reauthenticate`.
 */
export class Factors {
  readonly #http: Http;

  /** @internal */
  constructor(http: Http) {
    this.#http = http;
  }

  list(options: CallOptions = {}): Promise<SecondFactorList> {
    return this.#http.send({ method: "GET", path: "/auth/mfa", ...options });
  }

  /** Draws a seed for an authenticator app. It counts from {@link activateTotp} on. Throws `already_enrolled`. */
  async enrollTotp({ signal }: CallOptions = {}): Promise<TotpSeed> {
    const path = "/auth/mfa/totp/enroll";
    const seed = await this.#http.send<{ secret: string; uri: string; qr_code: string }>({ method: "POST", path, signal });
    return { secret: seed.secret, uri: seed.uri, qrCode: seed.qr_code };
  }

  /** Begins to ask for codes of the app, of which one is shown; the recovery codes, told once. Throws `proof_invalid`. */
  activateTotp(code: string, options: CallOptions = {}): Promise<string[]> {
    return this.#codes("/auth/mfa/totp/activate", { code }, options);
  }

  /** Asks for no codes of the app any more; the recovery codes go with it. Throws `record_not_found`. */
  async removeTotp({ signal }: CallOptions = {}): Promise<void> {
    await this.#http.send({ method: "DELETE", path: "/auth/mfa/totp", signal });
  }

  /** Other recovery codes in the place of those that there are, told once. */
  regenerateRecoveryCodes(options: CallOptions = {}): Promise<string[]> {
    return this.#codes("/auth/mfa/recovery/regenerate", undefined, options);
  }

  async #codes(path: string, body: object | undefined, { signal }: CallOptions): Promise<string[]> {
    const answer = await this.#http.send<{ recovery_codes: string[] }>({ method: "POST", path, ...(body && { body }), signal });
    return answer.recovery_codes;
  }
}
