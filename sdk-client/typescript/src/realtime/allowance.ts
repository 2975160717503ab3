// How fast this client may ask, so that a page with very many live queries is not taken for a flood.
//
// It only counts; what has to wait is put off by the machine.

/** The server takes 60 frames at once and 20 a second; the rest is left for everything but subscribing. */
const BURST = 40;
const PER_SECOND = 15;

export class Allowance {
  #left = BURST;
  #at: number;

  constructor(now: number) {
    this.#at = now;
  }

  /** Milliseconds to wait before saying one thing more, which is counted as said. */
  take(now: number): number {
    this.#left = Math.min(BURST, this.#left + ((now - this.#at) / 1000) * PER_SECOND) - 1;
    this.#at = now;
    return this.#left >= 0 ? 0 : Math.ceil((-this.#left / PER_SECOND) * 1000);
  }
}
