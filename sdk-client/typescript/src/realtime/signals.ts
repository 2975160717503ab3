// What goes into the machine, and what comes out of it.
//
// Types only. Outputs are orders: the rim performs them in turn and decides nothing.

import type { Update, WatchQuery } from "./subscription.js";

/**
 * `idle`: nothing to watch. `waiting`: offline, will try again. `degraded`: connected, but the server has no database
 * for now: what is shown may be old, and writes are refused.
 */
export type Status = "idle" | "connecting" | "open" | "degraded" | "waiting";

export type Input =
  | { type: "subscribe"; s: string; query: WatchQuery }
  | { type: "unsubscribe"; s: string }
  /** Answers `token`; null for an anonymous caller. */
  | { type: "token"; n: number; token: string | null }
  | { type: "token_failed"; n: number; error: Error }
  | { type: "opened" }
  | { type: "message"; text: string }
  | { type: "closed"; code: number }
  /** Somebody signed in or out. */
  | { type: "caller_changed" }
  /** Answers `probe`: whether some server is ready. */
  | { type: "probed"; ready: boolean }
  /** The network came back. */
  | { type: "online" }
  /** The time asked for by `wake` has come. */
  | { type: "tick" }
  /** Nothing will be watched any more: do not linger. */
  | { type: "close" };

export type Output =
  /** Get a token, other than `stale` if that is named, and answer with the same `n`. */
  | { type: "token"; n: number; stale: string | null }
  /** By the page's cookie, or with what `hello` says. */
  | { type: "connect"; byCookie?: true }
  /** Ask whether a server is ready, and answer with `probed`. */
  | { type: "probe" }
  | { type: "send"; text: string }
  /** Close the socket and report nothing more of it. */
  | { type: "disconnect" }
  /** Send `tick` at this time (ms), and at no earlier one named before. Null: not at all. */
  | { type: "wake"; at: number | null }
  | { type: "status"; status: Status }
  | { type: "update"; s: string; update: Update }
  /** The live query has ended. */
  | { type: "failed"; s: string; error: Error };
