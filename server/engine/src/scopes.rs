//! What the bearer of an API key may do, at most: verbs on collections, and parts of the operators' doors.
//!
//! A scope only ever takes away. What it leaves is still judged by the rules, unless the key is the server's own.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use stead_schema::{CollectionId, Schema};

/// What can be done to records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Read and list, search, count and follow.
    Read,
    /// Make.
    Create,
    /// Change.
    Update,
    /// Remove.
    Delete,
}

impl Verb {
    /// Every verb.
    pub const ALL: [(&'static str, Self); 4] =
        [("read", Self::Read), ("create", Self::Create), ("update", Self::Update), ("delete", Self::Delete)];

    /// The verb of an operation, as rules name it.
    fn of(op: &str) -> Option<Self> {
        match op {
            "list" | "read" => Some(Self::Read),
            "create" => Some(Self::Create),
            "update" => Some(Self::Update),
            "delete" => Some(Self::Delete),
            _ => None,
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A part of what operators do, that a key may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// Consumers of the log of changes. They see every field of every record.
    Consumers,
    /// Roles and claims of users.
    Users,
    /// Explaining and testing rules.
    Rules,
    /// Metrics, and the servers on the database.
    Metrics,
}

impl Area {
    /// Every area.
    pub const ALL: [(&'static str, Self); 4] = [
        ("consumers", Self::Consumers),
        ("users", Self::Users),
        ("rules", Self::Rules),
        ("metrics", Self::Metrics),
    ];
}

/// What a key was given, as it is stored: names, so that it outlives a change of the app.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// Verbs by name of a collection; `*` is every collection.
    #[serde(default)]
    pub collections: BTreeMap<String, Vec<Verb>>,
    /// Operators' doors; for keys of the server only.
    #[serde(default)]
    pub admin: Vec<Area>,
}

/// The same, ready to be asked about each rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes {
    /// By collection: one bit for each verb.
    verbs: Vec<u8>,
    admin: Vec<Area>,
}

impl Scopes {
    /// What it means for an app as it is now. A collection that is gone, or that came later and is not under `*`, is closed.
    pub fn new(granted: &Granted, schema: &Schema) -> Self {
        let bits = |name: &str| -> u8 {
            granted.collections.get(name).into_iter().flatten().fold(0, |bits, verb| bits | verb.bit())
        };
        let everywhere = bits("*");
        let verbs = schema.collections.iter().map(|collection| bits(&collection.name) | everywhere).collect();
        Self { verbs, admin: granted.admin.clone() }
    }

    /// Whether an operation on a collection is within it.
    pub fn allow(&self, collection: CollectionId, op: &str) -> bool {
        let bits = self.verbs.get(usize::from(collection.0)).copied().unwrap_or(0);
        Verb::of(op).is_some_and(|verb| bits & verb.bit() != 0)
    }

    /// Whether a part of the operators' doors is within it.
    pub fn admit(&self, area: Area) -> bool {
        self.admin.contains(&area)
    }
}
