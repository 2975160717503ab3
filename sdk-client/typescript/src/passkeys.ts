// Passkeys: what the server and a device say to each other through a browser, or through a module on other devices.

import { isObject, SteadError } from "./errors.js";
import type { Http } from "./http.js";
import type { CallOptions } from "./types.js";

/** A passkey of the user. */
export interface PasskeyInfo {
  id: string;
  name: string;
  created_at: string;
  last_used_at?: string;
}

/** What a device showed, once. */
export interface PasskeyProof {
  token: string;
  credential: unknown;
}

/**
 * What talks to the device. Browsers have one; elsewhere (React Native) give `createClient` one whose options and answers are
 * the JSON forms of Web Authentication, Level 3, §5.1.8 and §5.1.9.
 */
export interface PasskeyDevice {
  create(options: unknown): Promise<unknown>;
  get(options: unknown, conditional: boolean, signal?: AbortSignal): Promise<unknown>;
}

/** The browser's, or null where it has none. */
export function browserDevice(): PasskeyDevice | null {
  const credentials = typeof navigator === "undefined" ? undefined : navigator.credentials;
  if (credentials === undefined || typeof PublicKeyCredential === "undefined") return null;
  return {
    async create(options) {
      const publicKey = creation(options as Json);
      return answered(await credentials.create({ publicKey }));
    },
    async get(options, conditional, signal) {
      const publicKey = request(options as Json);
      const mediation = conditional ? ("conditional" as CredentialMediationRequirement) : undefined;
      return answered(await credentials.get({ publicKey, ...(mediation && { mediation }), ...(signal && { signal }) }));
    },
  };
}

/** Passkeys of the signed-in user. */
export class Passkeys {
  readonly #http: Http;
  readonly #device: PasskeyDevice | null;

  /** @internal */
  constructor(http: Http, device: PasskeyDevice | null) {
    this.#http = http;
    this.#device = device;
  }

  /** Whether this device can have passkeys. */
  get available(): boolean {
    return this.#device !== null;
  }

  /** Newest first. */
  async list(options: CallOptions = {}): Promise<PasskeyInfo[]> {
    return (await this.#http.send<{ items: PasskeyInfo[] }>({ method: "GET", path: "/auth/passkeys", ...options })).items;
  }

  /**
   * Has the device make one, which lets the user in from then on.
   *
   * Throws `access_denied` when the person did not want to, `already_enrolled` for one that is known, `reauth_required` and
   * `aal2_required` when the user has not shown lately who it is, `forbidden` where the app has no passkeys.
   */
  async add({ name, signal }: CallOptions & { name?: string } = {}): Promise<PasskeyInfo> {
    const path = "/auth/passkeys";
    const asked = await this.#http.send<Asked>({ method: "POST", path: `${path}/register`, signal });
    const credential = await consented(this.#ready().create(asked.options));
    const body = { token: asked.token, credential, name };
    return this.#http.send({ method: "POST", path, body, signal });
  }

  async rename(id: string, name: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#http.send({ method: "PATCH", path: at(id), body: { name }, signal });
  }

  /** Throws `last_way_in` when nothing else lets the user in. */
  async remove(id: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#http.send({ method: "DELETE", path: at(id), signal });
  }

  /**
   * Has the device show one. `conditional` waits until the person chooses it in a field with `autocomplete="username webauthn"`.
   *
   * Throws `access_denied` when the person did not want to, or has none here.
   */
  async ask({ conditional = false, signal }: CallOptions & { conditional?: boolean } = {}): Promise<PasskeyProof> {
    const device = this.#ready();
    const asked = await this.#http.send<Asked>({ method: "POST", path: "/auth/passkeys/options", anonymous: true, signal });
    return { token: asked.token, credential: await consented(device.get(asked.options, conditional, signal)) };
  }

  #ready(): PasskeyDevice {
    if (this.#device !== null) return this.#device;
    throw new SteadError({ code: "access_denied", detail: "There are no passkeys on this device." });
  }
}

interface Asked {
  token: string;
  options: unknown;
}

type Json = Record<string, unknown>;

const at = (id: string) => `/auth/passkeys/${encodeURIComponent(id)}`;

/** A person who closes the device's window is told like one who does not want to sign in at a provider. */
async function consented(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (thrown) {
    const name = isObject(thrown) ? thrown["name"] : undefined;
    if (name === "InvalidStateError") throw new SteadError({ code: "already_enrolled", detail: "This device has a passkey here already.", cause: thrown });
    if (name === "AbortError") throw thrown;
    throw new SteadError({ code: "access_denied", detail: "The device showed no passkey.", cause: thrown });
  }
}

/** The JSON form as the browser takes it; written here for browsers without `parseCreationOptionsFromJSON`. */
function creation(options: Json): PublicKeyCredentialCreationOptions {
  const user = options["user"] as Json;
  return {
    ...options,
    challenge: bytes(options["challenge"]),
    user: { ...user, id: bytes(user["id"]) },
    excludeCredentials: descriptors(options["excludeCredentials"]),
  } as unknown as PublicKeyCredentialCreationOptions;
}

function request(options: Json): PublicKeyCredentialRequestOptions {
  const allowed = descriptors(options["allowCredentials"]);
  return { ...options, challenge: bytes(options["challenge"]), allowCredentials: allowed } as unknown as PublicKeyCredentialRequestOptions;
}

function descriptors(list: unknown): unknown[] {
  return (Array.isArray(list) ? list : []).map((one: Json) => ({ ...one, id: bytes(one["id"]) }));
}

/** What the browser answered, in its JSON form; written here for browsers without `toJSON`. */
function answered(credential: Credential | null): unknown {
  if (credential === null) throw new SteadError({ code: "access_denied", detail: "The device showed no passkey." });
  const { id, rawId, type, response } = credential as PublicKeyCredential;
  const said: Json = {};
  for (const name of ["attestationObject", "authenticatorData", "clientDataJSON", "signature", "userHandle"]) {
    const value = (response as unknown as Json)[name];
    if (value instanceof ArrayBuffer) said[name] = text(value);
  }
  return { id, rawId: text(rawId), type, response: said };
}

/** Base64url without padding (RFC 4648 §5), both ways. */
function bytes(value: unknown): Uint8Array<ArrayBuffer> {
  const plain = atob(String(value).replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

function text(buffer: ArrayBuffer): string {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
