//! One question to the rules and the answer that is expected.

use super::world::Placed;
use crate::explain::Asker;
use crate::{Caller, OperatorCaller, UserCaller};
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;

/// One question and its answer.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// One-based.
    pub(super) line: u32,
    /// For the report.
    pub(super) title: String,
    /// Who asks.
    pub(super) who: Asker,
    /// Where.
    pub(super) collection: String,
    /// What.
    pub(super) ask: Ask,
    /// The right answer.
    pub(super) expect: Expect,
    /// The records of this case, when it has some of its own.
    pub(super) records: Option<Vec<Placed>>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ask {
    /// To see one record.
    Read(String),
    /// To see all that may be seen.
    List,
    /// Whether the list shows one record.
    Listed(String),
    /// To make a record.
    Create(Map<String, Value>),
    /// To change one.
    Update(String, Map<String, Value>),
    /// To remove one.
    Delete(String),
    /// To be told of changes while these writes happen.
    Watch {
        /// `filter`, `p`, `fields` and so on, as in a subscription.
        ask: Map<String, Value>,
        /// In order.
        then: Vec<Write>,
    },
}

/// A write that happens while somebody watches.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Write {
    /// Who writes; none is the server itself, which no rule binds.
    pub(super) who: Option<Asker>,
    /// Where.
    pub(super) collection: String,
    /// `Create`, `Update` or `Delete`.
    pub(super) ask: Ask,
}

/// What an answer must be. What is not said is not compared.
#[derive(Debug, Clone, Default)]
pub(super) struct Expect {
    /// Allowed or not; of a list the ids; of a subscription what it is told.
    pub(super) verdict: Option<Verdict>,
    /// The clause or rule that decides.
    pub(super) because: Option<String>,
    /// What the client is told on refusal.
    pub(super) message: Option<String>,
    /// Of a record that is read: fields that are shown. Of a refused write: exactly the fields that are refused.
    pub(super) fields: Option<Vec<String>>,
    /// Of a record that is read: fields that are hidden.
    pub(super) masked: Option<Vec<String>>,
}

/// The answer of one judge.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    Allow {
        /// Fields of the record that are hidden.
        hidden: Vec<String>,
    },
    Deny {
        /// What the client is told.
        message: Option<String>,
        /// Fields that may not be written.
        fields: Vec<String>,
    },
    /// Ids, sorted.
    Shown(Vec<String>),
    /// What a subscription was told, in order.
    Events(Vec<Value>),
    /// The question could not be asked.
    Broken(String),
}

impl Verdict {
    pub(super) const ALLOW: Self = Self::Allow { hidden: Vec::new() };
    pub(super) const DENY: Self = Self::Deny { message: None, fields: Vec::new() };

    pub(super) fn of(allowed: bool) -> Self {
        if allowed { Self::ALLOW } else { Self::DENY }
    }

    pub(super) fn shown(mut ids: Vec<String>) -> Self {
        ids.sort();
        Self::Shown(ids)
    }

    /// Whether it is the same as expected, apart from what is said beside it.
    fn is_like(&self, expected: &Verdict) -> bool {
        match (self, expected) {
            (Self::Allow { .. }, Self::Allow { .. }) | (Self::Deny { .. }, Self::Deny { .. }) => true,
            (Self::Events(told), Self::Events(expected)) => {
                told.len() == expected.len()
                    && told.iter().zip(expected).all(|(told, as_)| includes(told, as_))
            }
            (told, expected) => told == expected,
        }
    }
}

/// Whether `told` holds everything that `expected` says.
fn includes(told: &Value, expected: &Value) -> bool {
    match (told, expected) {
        (Value::Object(told), Value::Object(expected)) => {
            expected.iter().all(|(name, value)| told.get(name).is_some_and(|told| includes(told, value)))
        }
        // A record that is told may be expected by its id alone.
        (Value::Object(told), Value::String(_)) => told.get("id") == Some(expected),
        (told, expected) => told == expected,
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow { hidden } if hidden.is_empty() => f.write_str("allow"),
            Self::Allow { hidden } => write!(f, "allow without {}", hidden.join(", ")),
            Self::Deny { message, fields } => {
                f.write_str("deny")?;
                if !fields.is_empty() {
                    write!(f, " of {}", fields.join(", "))?;
                }
                message.as_ref().map_or(Ok(()), |message| write!(f, " \"{message}\""))
            }
            Self::Shown(ids) => write!(f, "[{}]", ids.join(", ")),
            Self::Events(events) => {
                let events: Vec<String> = events.iter().map(Value::to_string).collect();
                write!(f, "[{}]", events.join(", "))
            }
            Self::Broken(why) => write!(f, "an error: {why}"),
        }
    }
}

impl Expect {
    /// What is wrong with an answer; `reasons` are the rules and clauses that decided it.
    pub(super) fn lacks(&self, answer: &Verdict, reasons: &[String]) -> Option<String> {
        if let Some(expected) = &self.verdict
            && !answer.is_like(expected)
        {
            return Some(format!("expected {expected}, got {answer}"));
        }
        if let Some(because) = &self.because
            && !reasons.contains(because)
        {
            let reasons = if reasons.is_empty() { "no clause".to_owned() } else { reasons.join(", ") };
            return Some(format!("expected because of {because}, but it was because of {reasons}"));
        }
        match answer {
            Verdict::Deny { message, fields } => {
                if let Some(expected) =
                    self.message.as_ref().filter(|expected| Some(*expected) != message.as_ref())
                {
                    let told = message.as_ref().map_or("none".to_owned(), |message| format!("\"{message}\""));
                    return Some(format!("expected the message \"{expected}\", got {told}"));
                }
                let expected = self.fields.as_ref().filter(|expected| !same_words(expected, fields))?;
                Some(format!(
                    "expected refused fields [{}], got [{}]",
                    expected.join(", "),
                    fields.join(", ")
                ))
            }
            Verdict::Allow { hidden } => {
                if let Some(shown) = self.fields.iter().flatten().find(|field| hidden.contains(*field)) {
                    return Some(format!("expected `{shown}` to be shown, but it is hidden"));
                }
                let hidden = self.masked.iter().flatten().find(|field| !hidden.contains(*field))?;
                Some(format!("expected `{hidden}` to be hidden, but it is shown"))
            }
            _ => None,
        }
    }
}

fn same_words(a: &[String], b: &[String]) -> bool {
    a.len() == b.len() && a.iter().all(|word| b.contains(word))
}

/// The caller as the engine knows it; the server itself for none.
pub(super) fn caller(who: Option<&Asker>) -> Caller {
    let Some(who) = who else {
        let (id, email) = (Arc::from("rule-tests"), Arc::from("rule-tests@localhost"));
        return Caller::Operator(Arc::new(OperatorCaller { id, email, expires_s: i64::MAX, scopes: None }));
    };
    match &who.auth {
        None => Caller::Anonymous,
        Some(facts) => Caller::User(Arc::new(UserCaller {
            facts: facts.clone(),
            session: Arc::from("test"),
            expires_s: i64::MAX,
            scopes: None,
        })),
    }
}

impl Ask {
    /// For titles.
    pub(super) fn verb(&self) -> &'static str {
        match self {
            Self::Read(_) => "read",
            Self::List | Self::Listed(_) => "list",
            Self::Create(_) => "create",
            Self::Update(..) => "update",
            Self::Delete(_) => "delete",
            Self::Watch { .. } => "subscribe",
        }
    }

    /// The record it is about.
    pub(super) fn record(&self) -> Option<&str> {
        match self {
            Self::Read(id) | Self::Listed(id) | Self::Update(id, _) | Self::Delete(id) => Some(id),
            Self::List | Self::Create(_) | Self::Watch { .. } => None,
        }
    }

    /// Whether it leaves other records behind.
    pub(super) fn changes(&self) -> bool {
        !matches!(self, Self::Read(_) | Self::List | Self::Listed(_))
    }
}
