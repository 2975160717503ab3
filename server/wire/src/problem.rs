//! What went wrong, for people and for programs: RFC 9457 problem details and the one table of stable codes.
//!
//! A code is never renamed or reused; wording may change freely. Only the HTTP room reads the status numbers.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal, $status:literal, $retry:literal, $title:literal;)*) => {
        /// A stable, public error code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The code as clients see it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }

            /// The HTTP status this code is answered with.
            pub const fn status(self) -> u16 {
                match self { $(Code::$name => $status,)* }
            }

            /// Whether the same request may succeed later without being changed.
            pub const fn retryable(self) -> bool {
                match self { $(Code::$name => $retry,)* }
            }

            /// One sentence for people.
            pub const fn title(self) -> &'static str {
                match self { $(Code::$name => $title,)* }
            }
        }
    };
}

codes! {
    BadRequest = "bad_request", 400, false, "The request could not be understood.";
    FilterInvalid = "filter_invalid", 400, false, "The filter is not valid.";
    SearchInvalid = "search_invalid", 400, false, "The search is not valid.";
    SortInvalid = "sort_invalid", 400, false, "The sort is not valid.";
    CursorInvalid = "cursor_invalid", 400, false, "The cursor is not valid for this query.";
    ExpandInvalid = "expand_invalid", 400, false, "The expand is not valid.";
    FieldsInvalid = "fields_invalid", 400, false, "The field list is not valid.";
    AggregateInvalid = "aggregate_invalid", 400, false, "The aggregate is not valid.";
    ScanRefused = "scan_refused", 400, false, "No index serves this query, and the collection is large.";
    QueryTooSlow = "query_too_slow", 400, false, "The query takes longer than it may.";
    RedirectNotAllowed = "redirect_not_allowed", 400, false, "A sign-in may not lead back to this address.";
    TokenInvalid = "token_invalid", 401, false, "The token is not valid.";
    TokenExpired = "token_expired", 401, false, "The token has expired.";
    TokenRequired = "token_required", 401, false, "This call needs a signed-in caller.";
    InvalidCredentials = "invalid_credentials", 401, false, "The e-mail address or password is wrong.";
    ProofInvalid = "proof_invalid", 401, false, "The link or code is not valid any more.";
    ReauthRequired = "reauth_required", 403, false, "This needs a fresh sign-in.";
    Aal2Required = "aal2_required", 403, false, "This needs the second factor.";
    RuleDenied = "rule_denied", 403, false, "The rules of this collection do not allow this.";
    FieldForbidden = "field_forbidden", 403, false, "The rules do not allow writing one or more fields.";
    Forbidden = "forbidden", 403, false, "The caller may not do this.";
    OriginForbidden = "origin_forbidden", 403, false, "This origin may not open a socket.";
    CsrfRefused = "csrf_refused", 403, false, "A page of another site may have sent this.";
    CaptchaRequired = "captcha_required", 403, false, "This needs a sign that no robot asks.";
    RecordNotFound = "record_not_found", 404, false, "The record does not exist or is not visible to you.";
    CollectionNotFound = "collection_not_found", 404, false, "There is no such collection.";
    ProviderNotFound = "provider_not_found", 404, false, "There is no such provider.";
    RouteNotFound = "route_not_found", 404, false, "There is no such path.";
    MethodNotAllowed = "method_not_allowed", 405, false, "This path does not answer that method.";
    RequestTimeout = "request_timeout", 408, true, "The request took too long to arrive.";
    UniqueViolation = "unique_violation", 409, false, "A record with this value exists already.";
    ReferenceViolation = "reference_violation", 409, false, "Other records still refer to this one.";
    AddressTaken = "address_taken", 409, false, "An account with this address exists, and the provider cannot vouch for it.";
    IdentityTaken = "identity_taken", 409, false, "This identity belongs to an account already.";
    AlreadyEnrolled = "already_enrolled", 409, false, "There is an authenticator app already.";
    LastWayIn = "last_way_in", 409, false, "This is the last way into the account.";
    IdempotencyInFlight = "idempotency_in_flight", 409, true, "A request with this key is still running.";
    ConsumerLost = "consumer_lost", 410, false, "Changes after this consumer's place are gone.";
    VersionConflict = "version_conflict", 412, false, "The record changed since you read it.";
    BodyTooLarge = "body_too_large", 413, false, "The body is larger than allowed.";
    MediaTypeUnsupported = "media_type_unsupported", 415, false, "The body must be JSON.";
    FieldInvalid = "field_invalid", 422, false, "One or more fields are not valid.";
    IdempotencyMismatch = "idempotency_mismatch", 422, false, "This key was used with another request.";
    AddressMissing = "address_missing", 422, false, "There is no e-mail address.";
    NumberTooLarge = "number_too_large", 422, false, "A computed number is too large to be answered.";
    RateLimited = "rate_limited", 429, true, "Too many requests; see Retry-After.";
    LimitExceeded = "limit_exceeded", 429, false, "A limit of this connection is reached.";
    Internal = "internal", 500, true, "Something went wrong on the server.";
    ProviderFailed = "provider_failed", 502, true, "The provider cannot be asked now.";
    StoreBusy = "store_busy", 503, true, "The database is busy; try again.";
    HashBusy = "hash_busy", 503, true, "Too many sign-ins at once; try again.";
    OutcomeUnknown = "outcome_unknown", 503, true, "It is not known whether this was done.";
    ShuttingDown = "shutting_down", 503, true, "The server is going away; try again.";
    StorageFull = "storage_full", 507, true, "The server has no room left.";
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is wrong with one value of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldProblem {
    /// Where, as a JSON Pointer (RFC 6901) into the body: `/title`, `/operations/2/data/title`.
    pub path: String,
    /// A stable word: `required`, `type`, `too_long`, `unknown_field`, `not_unique`, …
    pub code: String,
    /// One sentence for people.
    pub message: String,
}

impl FieldProblem {
    /// A problem with the top-level field `name`.
    pub fn of_field(name: &str, code: &str, message: impl Into<String>) -> Self {
        Self {
            path: format!("/{}", name.replace('~', "~0").replace('/', "~1")),
            code: code.to_owned(),
            message: message.into(),
        }
    }
}

/// An RFC 9457 problem details body, media type `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A path to the documentation of the code (RFC 9457 §3.1.1).
    #[serde(rename = "type")]
    pub kind: String,
    /// One sentence, the same for every occurrence of the code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time, and what to do about it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
    /// The request id, also in `X-Request-Id`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub instance: Option<String>,
    /// The stable code. A text, so that an old client survives a new server.
    pub code: String,
    /// One entry per value that is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub errors: Vec<FieldProblem>,
    /// When to try again, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after_ms: Option<u64>,
    /// An action that helps.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
}

impl Problem {
    /// A problem with nothing but its code.
    pub fn new(code: Code) -> Self {
        Self {
            kind: format!("/docs/problems/{code}"),
            title: code.title().to_owned(),
            status: code.status(),
            detail: None,
            instance: None,
            code: code.as_str().to_owned(),
            errors: Vec::new(),
            retry_after_ms: None,
            hint: None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_written_the_same_by_serde_and_by_hand() {
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }

    #[test]
    fn every_code_is_an_error_status() {
        assert!(Code::ALL.iter().all(|code| (400..600).contains(&code.status())));
    }

    #[test]
    fn a_problem_leaves_out_what_it_does_not_know() {
        let body = serde_json::to_value(Problem::new(Code::RuleDenied)).unwrap();
        assert_eq!(body["type"], "/docs/problems/rule_denied");
        assert_eq!(body["status"], 403);
        assert!(body.get("detail").is_none() && body.get("errors").is_none());
    }
}
