// What the server sends to an address, and how it is given back.

import { isObject, SteadError } from "./errors.js";

/** Something is on its way to the address, or would be if it were somebody's: the answer tells nothing of that. */
export interface Challenge {
  /** Give it back with the code that the mail holds. */
  challengeId: string;
  /** Seconds until link and code are worthless. */
  expiresIn: number;
}

/** What a mail held: the token of its link, or its code with the challenge that asked for it. */
export type Proof = { token: string } | { challengeId: string; code: string };

/** What a link in a mail is for, as {@link readLink} reads it. */
export interface SentLink {
  purpose: "sign_up" | "sign_in" | "verify_email" | "reset_password" | "change_email" | "undo_email" | "upgrade" | "invitation";
  token: string;
}

const PURPOSES = ["sign_up", "sign_in", "verify_email", "reset_password", "change_email", "undo_email", "upgrade", "invitation"];

/**
 * Reads the link of a mail that led to a page of yours (`auth: {page: …}` in app.yaml): what stands behind `#` in its
 * address, or null when it is no such link.
 */
export function readLink(address: string): SentLink | null {
  const [, purpose, token] = /#([a-z_]+)=([A-Za-z0-9_-]+)$/.exec(address) ?? [];
  if (purpose === undefined || token === undefined || !PURPOSES.includes(purpose)) return null;
  return { purpose: purpose as SentLink["purpose"], token };
}

/** As the server takes it. */
export function proofBody(proof: Proof): Record<string, string> {
  return "token" in proof ? { token: proof.token } : { challenge_id: proof.challengeId, code: proof.code };
}

/** Whether an answer says that something was sent. */
export function isChallenge(answer: unknown): answer is { challenge_id: string; expires_in: number } {
  return isObject(answer) && typeof answer.challenge_id === "string";
}

/** Throws `unknown` for an answer of another shape. */
export function parseChallenge(answer: unknown): Challenge {
  if (isChallenge(answer)) return { challengeId: answer.challenge_id, expiresIn: answer.expires_in };
  throw new SteadError({ code: "unknown", detail: "The server answered something else than a challenge." });
}
