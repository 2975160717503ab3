// What can go wrong, as one class with a stable code.
//
// Texts are for people and may change; programs must decide on `code` alone. A code this version does not know is kept
// as it came, so that an old client survives a new server.

/** The server's table of codes. `true`: the same request may succeed later without being changed. */
const SERVER_CODES = {
  bad_request: false,
  filter_invalid: false,
  search_invalid: false,
  sort_invalid: false,
  cursor_invalid: false,
  expand_invalid: false,
  fields_invalid: false,
  aggregate_invalid: false,
  scan_refused: false,
  query_too_slow: false,
  redirect_not_allowed: false,
  token_invalid: false,
  token_expired: false,
  token_required: false,
  invalid_credentials: false,
  proof_invalid: false,
  reauth_required: false,
  aal2_required: false,
  rule_denied: false,
  field_forbidden: false,
  forbidden: false,
  origin_forbidden: false,
  csrf_refused: false,
  captcha_required: false,
  record_not_found: false,
  collection_not_found: false,
  provider_not_found: false,
  route_not_found: false,
  method_not_allowed: false,
  request_timeout: true,
  unique_violation: false,
  reference_violation: false,
  address_taken: false,
  identity_taken: false,
  already_enrolled: false,
  last_way_in: false,
  idempotency_in_flight: true,
  consumer_lost: false,
  version_conflict: false,
  body_too_large: false,
  media_type_unsupported: false,
  field_invalid: false,
  idempotency_mismatch: false,
  address_missing: false,
  number_too_large: false,
  rate_limited: true,
  limit_exceeded: false,
  internal: true,
  provider_failed: true,
  store_busy: true,
  hash_busy: true,
  outcome_unknown: true,
  shutting_down: true,
  storage_full: true,
} as const;

/** Codes that arise on this side of the wire. */
const CLIENT_CODES = {
  /** No answer: the server could not be reached, or took too long. */
  network: true,
  /** The answer was not one this client understands, such as a proxy's error page. */
  unknown: false,
  /** The socket was closed because a message made no sense to the server. */
  protocol: false,
  /** The person did not want to sign in at the provider. */
  access_denied: false,
  /** The account has a second factor, which is to be shown now. */
  mfa_required: false,
  /** Access to a live query was taken away. */
  revoked: false,
} as const;

const RETRYABLE: Readonly<Record<string, boolean>> = { ...SERVER_CODES, ...CLIENT_CODES };

/** Codes the server can answer with. */
export type ServerCode = keyof typeof SERVER_CODES;
/** Codes that arise in the client. */
export type ClientCode = keyof typeof CLIENT_CODES;
/** Every known code, and room for codes that newer servers add. */
export type ErrorCode = ServerCode | ClientCode | (string & {});

/** The server's codes, in the order of its table. */
export const serverCodes = Object.keys(SERVER_CODES) as readonly ServerCode[];

/** What is wrong with one value of a request. */
export interface FieldProblem {
  /** Where, as a JSON Pointer (RFC 6901) into the body: `/title`, `/operations/2/data/title`. */
  path: string;
  /** A stable word: `required`, `type`, `too_long`, … */
  code: string;
  /** One sentence for people. */
  message: string;
}

/** What an error is made of. */
export interface ErrorParts {
  code: ErrorCode;
  /** HTTP status; 0 when there was no answer. */
  status?: number | undefined;
  title?: string | undefined;
  detail?: string | undefined;
  hint?: string | undefined;
  errors?: readonly FieldProblem[] | undefined;
  /** Milliseconds after which to try again. */
  retryAfterMs?: number | undefined;
  requestId?: string | undefined;
  retryable?: boolean | undefined;
  cause?: unknown;
}

/** Every failure of this client, apart from an abort that the app itself asked for. */
export class SteadError extends Error {
  override readonly name = "SteadError";
  readonly code: ErrorCode;
  /** HTTP status; 0 when there was no HTTP answer. */
  readonly status: number;
  /** What happened this time. */
  readonly detail: string | undefined;
  /** An action that helps. */
  readonly hint: string | undefined;
  /** One entry per value that is wrong. */
  readonly errors: readonly FieldProblem[];
  /** When to try again, in milliseconds, if the server said so. */
  readonly retryAfterMs: number | undefined;
  /** Names the request in the server's log. */
  readonly requestId: string | undefined;
  /** Whether the same request may succeed later without being changed. */
  readonly retryable: boolean;

  constructor(parts: ErrorParts) {
    const text = parts.detail ?? parts.title ?? "The request failed.";
    super(`${text}${parts.hint ? ` ${parts.hint}` : ""} [${parts.code}]`, { cause: parts.cause });
    this.code = parts.code;
    this.status = parts.status ?? 0;
    this.detail = parts.detail ?? parts.title;
    this.hint = parts.hint;
    this.errors = parts.errors ?? [];
    this.retryAfterMs = parts.retryAfterMs;
    this.requestId = parts.requestId;
    this.retryable = parts.retryable ?? RETRYABLE[parts.code] ?? false;
  }

  /** What is wrong with the top-level field `name`, for a form to show beside it. */
  field(name: string): string | undefined {
    const path = `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    return this.errors.find((problem) => problem.path === path)?.message;
  }
}

/** Whether something thrown is a `SteadError`, and if codes are given, one of those. */
export function isSteadError(thrown: unknown, ...codes: ErrorCode[]): thrown is SteadError {
  return thrown instanceof SteadError && (codes.length === 0 || codes.includes(thrown.code));
}

/** Reads a refusal: problem details (RFC 9457) if the body holds them, otherwise what the status tells. */
export function errorFromAnswer(status: number, headers: Headers, body: unknown): SteadError {
  const problem = isObject(body) ? body : {};
  const text = (key: string): string | undefined => {
    const value = problem[key];
    return typeof value === "string" ? value : undefined;
  };
  const code = text("code");
  const afterMs = problem["retry_after_ms"];
  return new SteadError({
    code: code ?? "unknown",
    status,
    title: text("title") ?? `The server answered with status ${status}.`,
    detail: text("detail"),
    hint: text("hint"),
    errors: Array.isArray(problem["errors"]) ? (problem["errors"] as FieldProblem[]) : [],
    retryAfterMs: typeof afterMs === "number" ? afterMs : retryAfter(headers.get("Retry-After")),
    requestId: text("instance") ?? headers.get("X-Request-Id") ?? undefined,
    retryable: code !== undefined && code in RETRYABLE ? RETRYABLE[code] : [408, 429, 502, 503, 504].includes(status),
  });
}

/** `Retry-After` in seconds or as a date (RFC 9110 §10.2.3), in milliseconds from now. */
function retryAfter(value: string | null): number | undefined {
  if (value === null) return undefined;
  const seconds = Number(value);
  const ms = Number.isNaN(seconds) ? Date.parse(value) - Date.now() : seconds * 1000;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
