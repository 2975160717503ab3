//! The oracle: what was promised to writers, what subscribers were told, and what of it cannot be. No IO.

mod ledger;
#[cfg(test)]
mod tests;
mod view;

pub use ledger::{Ledger, Record};
pub use view::View;

use serde_json::Value;
use std::collections::BTreeMap;

/// Records by id, each as the API shows it.
pub type Records = BTreeMap<String, Value>;

/// Something that must not be.
#[derive(Debug, Clone, PartialEq)]
pub enum Violation {
    /// An acknowledged write is not there: the stored version, or none, is older than what was promised.
    LostWrite { id: String, promised: i64, stored: Option<i64> },
    /// A record has more changes than were asked for, or other ones.
    OtherWrite { id: String, promised: i64, stored: i64 },
    /// A record that was deleted is there.
    Resurrected { id: String },
    /// One create made several records, or records nobody asked for.
    MadeTwice { tag: String, times: usize },
    /// A put did not follow the version that was held: changes in between were not told.
    Skipped { id: String, held: i64, told: i64 },
    /// A version came again, or an older one.
    Repeated { id: String, held: i64, told: i64 },
    /// A record left that was not held.
    LeftUnheld { id: String },
    /// A frame stands before one that came earlier.
    OutOfOrder { position: u64, after: u64 },
    /// Frames that do not belong to what was agreed when the subscription began.
    Unagreed { frame: String },
    /// A record, or a version of it, that must not be known here.
    Leak { id: String },
    /// A list shows the record, the subscriber does not hold it.
    Missing { id: String },
    /// The subscriber holds the record, no list shows it.
    Kept { id: String },
    /// The subscriber holds another state of the record than a list shows.
    Differs { id: String, held: String, listed: String },
    /// An answer that no fault of the database or of a server excuses.
    WrongAnswer { said: String },
    /// A server that runs and is connected said nothing.
    Silence { who: String },
}

impl Violation {
    /// The record it is about.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::LostWrite { id, .. }
            | Self::OtherWrite { id, .. }
            | Self::Resurrected { id }
            | Self::Skipped { id, .. }
            | Self::Repeated { id, .. }
            | Self::LeftUnheld { id }
            | Self::Leak { id }
            | Self::Missing { id }
            | Self::Kept { id }
            | Self::Differs { id, .. } => Some(id),
            Self::MadeTwice { .. }
            | Self::OutOfOrder { .. }
            | Self::Unagreed { .. }
            | Self::WrongAnswer { .. }
            | Self::Silence { .. } => None,
        }
    }
}

/// The version in a record.
pub fn version(record: &Value) -> i64 {
    record["version"].as_i64().unwrap_or(0)
}

/// What a subscriber holds beside what a list of the same caller shows.
pub fn differences(held: &Records, listed: &Records) -> Vec<Violation> {
    let kept =
        held.keys().filter(|id| !listed.contains_key(*id)).map(|id| Violation::Kept { id: id.clone() });
    let wrong = listed.iter().filter_map(|(id, record)| match held.get(id) {
        None => Some(Violation::Missing { id: id.clone() }),
        Some(known) if known == record => None,
        Some(known) => {
            Some(Violation::Differs { id: id.clone(), held: known.to_string(), listed: record.to_string() })
        }
    });
    kept.chain(wrong).collect()
}
