// Socket messages both ways, as the server's contract has them.
//
// Types and reading only. A frame of a kind not listed here is skipped, so that an old client survives a new server.

import { isObject } from "../errors.js";
import type { RequestParams } from "../types.js";

/** The WebSocket subprotocol (RFC 6455 §1.9) of these frames. */
export const SUBPROTOCOL = "stead.v1.json";

/** A record in a frame: what the caller may see of it. */
export type Row = Readonly<Record<string, unknown>> & { readonly id: string };

export interface SubscribeFrame {
  t: "sub";
  i: number;
  s: string;
  collection: string;
  filter?: string;
  p?: Record<string, unknown>;
  sort?: string;
  limit?: number;
  fields?: string;
  cursor?: string;
  snapshot?: "none";
  params?: RequestParams;
}

/** What the client says. */
export type ClientFrame =
  | { t: "hello"; token?: string; sdk: string }
  | SubscribeFrame
  | { t: "unsub"; i: number; s: string }
  | { t: "auth"; i: number; token: string }
  | { t: "pong" };

/** One record changed for a group. */
export interface EventFrame {
  t: "ev";
  g: number;
  c: string;
  o: "put" | "del" | "forget";
  id: string;
  v: number;
  d?: Row;
}

/** Drop every record whose `field` is `key`. */
export interface ForgetScopeFrame {
  t: "forget_scope";
  g: number;
  collection: string;
  field: string;
  key: unknown;
  c: string;
}

export interface SnapshotFrame {
  t: "snap";
  g: number;
  s: string;
  rows: Row[];
  last: boolean;
  cursor: string;
}

export interface SubscribedFrame {
  t: "subscribed";
  i: number;
  s: string;
  g: number;
  cursor: string;
  recovered: boolean;
}

/** What the server says. */
export type ServerFrame =
  | { t: "welcome"; sid: string; ping_s: number; limits: { subscriptions_max: number; message_bytes_max: number } }
  | { t: "ok"; i: number }
  | { t: "err"; i?: number; code: string; detail: string; fatal?: boolean }
  | SubscribedFrame
  | SnapshotFrame
  | EventFrame
  | ForgetScopeFrame
  | { t: "lag"; g: number }
  | { t: "resync"; g: number; reason: string }
  | { t: "revoked"; g: number }
  | { t: "auth_expiring"; in_s: number }
  | { t: "ping"; head: string }
  /** The server has no database for now. Nothing is lost, and nothing new arrives. */
  | { t: "degraded" }
  | { t: "healed" };

/** Why the server closed a socket. */
export const CLOSE = {
  protocol: 4001,
  token: 4401,
  forbidden: 4403,
  slow: 4008,
  goElsewhere: 4013,
  limits: 4029,
} as const;

/** The frames of one message, which is a frame or an array of them. Null when it is neither. */
export function readMessage(text: string): ServerFrame[] | null {
  try {
    const message: unknown = JSON.parse(text);
    const frames: unknown[] = Array.isArray(message) ? message : [message];
    const readable = frames.every((frame) => isObject(frame) && typeof frame["t"] === "string");
    return readable ? (frames as ServerFrame[]) : null;
  } catch {
    return null;
  }
}

/** Packs frames into array messages of at most `bytesMax` bytes each; a frame longer than that goes alone. */
export function packMessages(frames: readonly ClientFrame[], bytesMax: number): string[] {
  const messages: string[] = [];
  const bytesOf = (text: string) => new TextEncoder().encode(text).length;
  let parts: string[] = [];
  let bytes = 1;
  for (const text of frames.map((frame) => JSON.stringify(frame))) {
    const more = bytesOf(text) + 1;
    if (parts.length > 0 && bytes + more > bytesMax) {
      messages.push(`[${parts.join(",")}]`);
      parts = [];
      bytes = 1;
    }
    parts.push(text);
    bytes += more;
  }
  if (parts.length > 0) messages.push(`[${parts.join(",")}]`);
  return messages;
}
