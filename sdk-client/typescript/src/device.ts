// What shows the server that somebody signed in here before, so that a storm or guessers elsewhere keep nobody waiting.
//
// It outlives the session: it is for the next sign-in. The server ignores one that is worth nothing any more.

import { isObject } from "./errors.js";
import type { Storage } from "./storage.js";

export class Device {
  readonly #storage: Storage;
  readonly #key: string;

  /** `key` is its name in the storage. */
  constructor(storage: Storage, key: string) {
    this.#storage = storage;
    this.#key = key;
  }

  /** What a sign-in may show; empty before the first one. */
  async proof(): Promise<{ device_token?: string }> {
    const token = await this.#storage.get(this.#key);
    return token === null ? {} : { device_token: token };
  }

  /** Keeps what a session's answer says, and gives the answer on. */
  async keep<T>(answer: T): Promise<T> {
    const token = isObject(answer) ? answer["device_token"] : undefined;
    if (typeof token === "string") await this.#storage.set(this.#key, token);
    return answer;
  }
}
