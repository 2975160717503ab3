// What tests stand on: the folder of the package, virtual time, and waiting for something to become true.

import { join } from "node:path";
import type { Surroundings } from "../src/surroundings.js";

/** The folder of the package; tests run from `build/test`. */
export const root = join(import.meta.dirname, "../..");

/** A clock that moves when somebody sleeps, and only then. */
export class VirtualTime implements Surroundings {
  /** How long was slept, each time. */
  readonly slept: number[] = [];

  constructor(
    public ms = Date.UTC(2026, 0, 1),
    public chance = 0.5,
  ) {}

  now = (): number => this.ms;
  random = (): number => this.chance;
  sleep = async (ms: number): Promise<void> => {
    this.slept.push(ms);
    this.ms += ms;
  };
}

/** Waits until `check` gives something, for at most twenty seconds. */
export async function eventually<T>(check: () => T | undefined | false | null): Promise<T> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const found = check();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`never became true: ${check}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
