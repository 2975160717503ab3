//! A refused or failed operation: what the caller is told, and what only the log learns.

use std::fmt;
use stead_store as store;
use stead_wire::{Code, FieldProblem};

/// A refused or failed operation.
#[derive(Debug)]
pub struct Error {
    /// The stable code.
    pub code: Code,
    /// What happened this time, for the caller.
    pub detail: Option<String>,
    /// An action that helps, for the caller.
    pub hint: Option<String>,
    /// One entry per wrong value.
    pub fields: Vec<FieldProblem>,
    /// When to try again, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// The inside cause, for the log only.
    pub cause: Option<String>,
}

impl Error {
    /// A bare code.
    pub fn new(code: Code) -> Self {
        Self { code, detail: None, hint: None, fields: Vec::new(), retry_after_ms: None, cause: None }
    }

    /// A code with what happened.
    pub fn with(code: Code, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..Self::new(code) }
    }

    /// Wrong values.
    pub fn fields(fields: Vec<FieldProblem>) -> Self {
        Self { fields, ..Self::new(Code::FieldInvalid) }
    }

    /// A failure of ours; `cause` goes to the log and never to the caller.
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self { cause: Some(cause.to_string()), ..Self::new(Code::Internal) }
    }

    /// With advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With a time to come back.
    #[must_use]
    pub fn retry_after_ms(mut self, ms: u64) -> Self {
        self.retry_after_ms = Some(ms);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail.as_deref().unwrap_or(self.code.title()))?;
        match &self.cause {
            Some(cause) => write!(f, " ({cause})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// What the database says, without naming fields: operations that know the collection name them first.
impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        use store::Error as E;
        match error {
            E::Unique { .. } => Self::new(Code::UniqueViolation),
            E::MissingReference { .. } => Self::new(Code::FieldInvalid),
            E::Overflow => Self::new(Code::NumberTooLarge)
                .hint("Narrow the filter, or group so that each sum is smaller."),
            E::Busy => Self::new(Code::StoreBusy).retry_after_ms(200),
            // Why is told once, by who follows the log, not for each request.
            E::Away(_) => Self::new(Code::StoreBusy).retry_after_ms(1000),
            E::Unknown => Self::new(Code::OutcomeUnknown).retry_after_ms(1000).hint(
                "With an `Idempotency-Key`, asking again does it once; else look before you repeat it.",
            ),
            // Not `store_busy`: a client that repeats it by itself would keep the server busy with it.
            E::Deadline => Self::with(Code::QueryTooSlow, "The query was stopped after two seconds.")
                .hint("Filter by an indexed field, search for rarer words, or ask for fewer records."),
            E::Full => Self::new(Code::StorageFull),
            E::Closed => Self::new(Code::ShuttingDown).retry_after_ms(1000),
            E::Refused(_) | E::Database(_) => Self::internal(error),
        }
    }
}
