// What the client takes from the machine it runs on: clock, chance and waiting.
//
// Nothing else reads them, so that a test can hand in its own time.

export interface Surroundings {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** A number in 0..1, for jitter. */
  random(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const realSurroundings: Surroundings = {
  now: () => Date.now(),
  random: () => Math.random(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      const abort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", abort);
        resolve();
      }, ms);
      if (signal?.aborted) abort();
      else signal?.addEventListener("abort", abort, { once: true });
    }),
};

/**
 * Milliseconds to wait before try number `attempt` (0 is the first repeat), anywhere between nothing and the bound.
 *
 * Full jitter: after a restart of the server its clients must not come back all at once.
 */
export function fullJitter(attempt: number, baseMs: number, capMs: number, random: number): number {
  return random * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
}
