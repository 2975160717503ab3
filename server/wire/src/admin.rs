//! Bodies of what operators ask.

use serde::Deserialize;
use serde_json::{Map, Value};

/// Body of `POST /admin/rules/explain`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulesQuestion {
    /// Who asks: the id of a user. Nobody is a guest.
    #[serde(default, rename = "as")]
    pub who: Option<String>,
    /// Somebody made up, in the place of a user.
    #[serde(default)]
    pub identity: Option<MadeUp>,
    /// `list`, `read`, `create`, `update` or `delete`.
    pub op: String,
    /// The collection.
    pub collection: String,
    /// The record, except for `create` and for a list as a whole.
    #[serde(default)]
    pub id: Option<String>,
    /// Fields to create or change.
    #[serde(default)]
    pub data: Map<String, Value>,
    /// One field of the record that is read.
    #[serde(default)]
    pub field: Option<String>,
    /// The filter of a list.
    #[serde(default)]
    pub filter: Option<String>,
    /// The filter's parameters.
    #[serde(default)]
    pub p: Option<Map<String, Value>>,
    /// The order of a list.
    #[serde(default)]
    pub sort: Option<String>,
    /// Records per page of a list.
    #[serde(default)]
    pub limit: Option<u32>,
    /// As `request.params`.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// As `request.ip`.
    #[serde(default)]
    pub ip: Option<String>,
    /// As `request.origin`.
    #[serde(default)]
    pub origin: Option<String>,
}

/// Somebody who need not be a user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MadeUp {
    /// As `auth.id`.
    pub id: String,
    /// As `auth.roles`.
    #[serde(default)]
    pub roles: Vec<String>,
    /// As `auth.verified`.
    #[serde(default)]
    pub verified: bool,
    /// As `auth.claims`.
    #[serde(default)]
    pub claims: Map<String, Value>,
    /// As `auth.method`; `password` when left out.
    #[serde(default)]
    pub method: Option<String>,
    /// As `auth.aal`, 1 or 2; 1 when left out.
    #[serde(default)]
    pub aal: Option<u8>,
    /// As `auth.session_started`; the time of the question when left out.
    #[serde(default)]
    pub session_started: Option<String>,
}

/// Body of `POST /admin/users/import`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserImport {
    /// 1..=200 users.
    pub items: Vec<ImportedUser>,
}

/// A user who comes from elsewhere.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportedUser {
    /// The record's id; one is chosen for a user without.
    #[serde(default)]
    pub id: Option<String>,
    /// The address to sign in with.
    pub email: String,
    /// Whether the address has been proven.
    #[serde(default)]
    pub verified: bool,
    /// The stored form of the password. Without it the user has none.
    #[serde(default)]
    pub password_hash: Option<String>,
    /// Fields of the user record.
    #[serde(default)]
    pub data: Map<String, Value>,
    /// Declared roles.
    #[serde(default)]
    pub roles: Option<Vec<String>>,
    /// Declared claims.
    #[serde(default)]
    pub claims: Map<String, Value>,
}

impl std::fmt::Debug for ImportedUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImportedUser").field("email", &self.email).finish_non_exhaustive()
    }
}

/// Body of `POST /admin/service-accounts`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewServiceAccount {
    /// Fields of the user record.
    #[serde(default)]
    pub data: Map<String, Value>,
    /// Declared roles.
    #[serde(default)]
    pub roles: Option<Vec<String>>,
    /// Declared claims.
    #[serde(default)]
    pub claims: Map<String, Value>,
}

/// Body of `PATCH /admin/users/{id}`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    /// All roles that the user has from now on; as they are when left out.
    #[serde(default)]
    pub roles: Option<Vec<String>>,
    /// Claims that change; null takes one away.
    #[serde(default)]
    pub claims: Option<Map<String, Value>>,
}

/// Body of `POST /admin/signing-keys/rotate`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRotation {
    /// Whether the new key signs at once, before others could learn of it.
    #[serde(default)]
    pub now: bool,
}

/// Body of `PUT /admin/consumers/{name}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsumerStart {
    /// Where a new consumer begins.
    #[serde(default)]
    pub from: StartAt,
}

/// A place in the log of changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StartAt {
    /// After the newest change.
    #[default]
    Now,
    /// Before the oldest that is still there.
    Oldest,
}

/// Query of `GET /admin/consumers/{name}/changes`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangesQuery {
    /// Read on from here, instead of from what was acknowledged.
    pub cursor: Option<String>,
    /// Most changes of one answer.
    pub limit: Option<u32>,
    /// Seconds to wait for the first.
    pub wait: Option<u32>,
}

/// Body of `POST /admin/consumers/{name}/acknowledge`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// Of the last change that was taken, or of a whole answer.
    pub cursor: String,
}

/// Body of `POST /admin/mail/test`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailTest {
    /// Who gets the sample.
    pub to: String,
    /// Which mail; `verify_email` when left out.
    #[serde(default)]
    pub kind: Option<String>,
    /// In which language (BCP 47); the app's when left out.
    #[serde(default)]
    pub locale: Option<String>,
    /// Which way it goes.
    #[serde(default)]
    pub via: MailWay,
}

/// Which way a sample goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailWay {
    /// At once, and the answer tells how it went.
    #[default]
    Direct,
    /// As mails to users go.
    Queue,
}

/// Body of `POST /admin/rules/test`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulesTest {
    /// A test file, in YAML.
    pub text: String,
}
