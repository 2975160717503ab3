// Sign-in at providers: what a page keeps while somebody is there, and where it sends them.
//
// It makes no call itself: what comes back is traded by `Auth`.

import { SteadError } from "./errors.js";
import type { CallOptions } from "./types.js";
import type { Storage } from "./storage.js";

/** A provider that a sign-in page may offer. */
export interface ProviderOffer {
  name: string;
  /** For people. */
  label: string;
}

/** Who the signed-in user is at a provider. */
export interface Identity {
  id: string;
  provider: string;
  email?: string;
  /** RFC 3339, UTC. */
  created_at: string;
  last_used_at: string;
}

export interface ProviderOptions extends CallOptions {
  /** Where it leads back to: declared under `auth: redirects`, or a page below `public_url`. Default: this page. */
  redirectTo?: string | undefined;
  /** Opens the provider's page. Default: this page goes there. An app on a device opens its browser. */
  open?: ((url: string) => unknown) | undefined;
}

export interface IdTokenSignIn {
  provider: string;
  idToken: string;
  /** What was put into the token's `nonce`; needed where it has one. */
  nonce?: string | undefined;
  /** One of the provider's declared platforms: only tokens for it are taken. */
  platform?: string | undefined;
}

/** Somebody is at a provider. */
export interface Attempt {
  verifier: string;
  /** Whether the identity is added to the account that is signed in. */
  link: boolean;
  /** For somebody new. */
  invitation?: string | undefined;
}

/** Keeps the attempt of a page that goes away and comes back. */
export class Attempts {
  readonly #storage: Storage;
  readonly #key: string;

  constructor(storage: Storage, base: string) {
    this.#storage = storage;
    this.#key = `stead.attempt:${base}`;
  }

  /** Begins one: keeps its verifier, and gives the challenge (RFC 7636 §4.2). */
  async begin(link: boolean, invitation?: string): Promise<string> {
    if (globalThis.crypto?.subtle === undefined)
      throw new TypeError("signing in at a provider needs a page that came over https, or from localhost");
    const verifier = base64url(crypto.getRandomValues(new Uint8Array(32)));
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
    await this.#storage.set(this.#key, JSON.stringify({ verifier, link, invitation } satisfies Attempt));
    return base64url(new Uint8Array(digest));
  }

  /** Ends the one that is kept. Throws `proof_invalid` when none is: it began elsewhere, or has ended. */
  async end(): Promise<Attempt> {
    const kept = await this.#storage.get(this.#key);
    await this.#storage.remove(this.#key);
    if (kept !== null) return JSON.parse(kept) as Attempt;
    throw new SteadError({ code: "proof_invalid", detail: "This sign-in began elsewhere, or has ended." });
  }
}

/** What an address says that a provider led back to; null when it says nothing of a sign-in. */
export function outcome(address: string): { code: string } | { error: string } | null {
  const { searchParams } = new URL(address);
  const [code, error] = [searchParams.get("code"), searchParams.get("error")];
  if (error !== null) return { error };
  return code === null ? null : { code };
}

/** This page without what a provider may have added. */
export function thisPage(): string {
  if (typeof location !== "undefined") return location.origin + location.pathname;
  throw new TypeError("outside of a page, say where the sign-in leads back to: redirectTo");
}

export function go(url: string): void {
  if (typeof location === "undefined") throw new TypeError("outside of a page, say how to open the provider's: open");
  location.assign(url);
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
