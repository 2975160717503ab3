//! What an app declares, as plain values: collections, fields, rules as text, functions, settings.
//!
//! Names are resolved: a reference holds the id of its target. Order is the order of the files.

use crate::{Allow, Captcha, Decimal, Invariant, Provider, Redirect, Sources, Span, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// A collection's place in [`Schema::collections`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CollectionId(pub u16);

/// A field's place in [`Collection::fields`] and in every row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub u16);

impl Slot {
    /// `id`: text, in every collection.
    pub const ID: Slot = Slot(0);
    /// `created_at`: datetime, in every collection.
    pub const CREATED_AT: Slot = Slot(1);
    /// `updated_at`: datetime, in every collection.
    pub const UPDATED_AT: Slot = Slot(2);
    /// `version`: int, 1 for a new record and one more for each change.
    pub const VERSION: Slot = Slot(3);
    /// How many system fields come before the declared ones.
    pub const SYSTEM: u16 = 4;

    /// As an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Everything an app's `schema/` folder says.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// What is not a collection.
    pub app: AppSettings,
    /// Declared collections.
    pub collections: Vec<Collection>,
    /// Declared rule functions.
    pub functions: Vec<Function>,
    /// What must never be possible.
    pub invariants: Vec<Invariant>,
    /// Lints that are not told, and where.
    pub allows: Vec<Allow>,
    /// The files, for diagnostics.
    pub sources: Arc<Sources>,
    /// Names to places, filled by the loader.
    pub by_name: HashMap<String, CollectionId>,
}

impl Schema {
    /// A collection by name.
    pub fn collection(&self, name: &str) -> Option<&Collection> {
        self.by_name.get(name).and_then(|id| self.get(*id))
    }

    /// A collection by id.
    pub fn get(&self, id: CollectionId) -> Option<&Collection> {
        self.collections.get(usize::from(id.0))
    }

    /// The collection whose records are the users: the one of `kind: auth`, if the app has one.
    pub fn users(&self) -> Option<&Collection> {
        self.collections.iter().find(|c| c.kind == Kind::Auth)
    }

    /// To-many relations into `target` by their `inverse` name: the collection that refers, and its field.
    pub fn inverse(&self, target: CollectionId, name: &str) -> Option<(&Collection, Slot)> {
        self.collections.iter().find_map(|c| {
            let slot = c.slots().find(|(_, f)| {
                matches!(&f.kind, FieldType::Ref { to, inverse: Some(inverse), .. } if *to == target && inverse == name)
            })?;
            Some((c, slot.0))
        })
    }

    /// The to-one relation into `target` of this `inverse_one` name: the collection that refers, and its unique field.
    pub fn inverse_one(&self, target: CollectionId, name: &str) -> Option<(&Collection, Slot)> {
        self.collections.iter().find_map(|c| {
            let slot = c.slots().find(|(_, f)| {
                matches!(&f.kind, FieldType::Ref { to, inverse_one: Some(inverse), .. } if *to == target && inverse == name)
            })?;
            Some((c, slot.0))
        })
    }
}

/// `schema/app.yaml`: what is not a collection.
#[derive(Debug, Clone)]
pub struct AppSettings {
    /// Shown to people. Default: the folder's name.
    pub name: Option<String>,
    /// Where clients reach the app, for links and token issuers.
    pub public_url: Option<String>,
    /// Who may sign up. Default everybody.
    pub sign_up: SignUpMode,
    /// Domains of the addresses that may sign up, in lower case; none for any. Where there are some, addresses are proven first.
    pub domains: Vec<String>,
    /// Fewest characters of a password, 8..=64. Default 10.
    pub password_chars_min: usize,
    /// The ways to sign in without a provider. Default: a password.
    pub methods: Vec<SignInMethod>,
    /// Where passkeys count.
    pub passkeys: PasskeySettings,
    /// Whether an account begins only when its address is proven. Default false.
    pub verify_email: bool,
    /// The page that links in mails lead to, without fragment. Default: the server's own.
    pub auth_page: Option<String>,
    /// Whether users make API keys that stand for them. Default false.
    pub user_keys: bool,
    /// Days between a user's wish to delete the account and its end, 0..=90; none where users do not delete theirs.
    pub delete_after_days: Option<u32>,
    /// Whether pages may have their session in a cookie. Default false.
    pub cookies: bool,
    /// What is asked of robots. Default nothing.
    pub captcha: Option<Captcha>,
    /// Roles that `auth.roles` may hold.
    pub roles: Vec<String>,
    /// What `auth.claims` may hold.
    pub claims: Vec<Fact>,
    /// Services whose users may sign in.
    pub providers: Vec<Provider>,
    /// Where a sign-in at one may lead back to, besides the pages below `public_url`.
    pub redirects: Vec<Redirect>,
    /// What `request.params` may hold.
    pub request_params: Vec<Fact>,
    /// Origins that browsers may call from, besides the server's own. `*` for any.
    pub cors_origins: Vec<String>,
    /// How mails look.
    pub mail: MailSettings,
}

/// `auth: {passkeys: …}` of `schema/app.yaml`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PasskeySettings {
    /// The domain they are for (RP ID). Default: the host of `public_url`.
    pub domain: Option<String>,
    /// Origins whose pages may ask for them, besides that of `public_url`.
    pub origins: Vec<String>,
}

/// `mail:` of `schema/app.yaml`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailSettings {
    /// Who mails are from: `address`, or `Name <address>`.
    pub from: Option<String>,
    /// Where answers go, in the same form.
    pub reply_to: Option<String>,
    /// The language of mails to people whose own is not known or not there (BCP 47).
    pub locale: Option<String>,
}

impl Default for AppSettings {
    fn default() -> Self {
        Self {
            name: None,
            public_url: None,
            sign_up: SignUpMode::Open,
            domains: Vec::new(),
            password_chars_min: 10,
            methods: vec![SignInMethod::Password],
            passkeys: PasskeySettings::default(),
            verify_email: false,
            auth_page: None,
            user_keys: false,
            delete_after_days: None,
            cookies: false,
            captcha: None,
            roles: Vec::new(),
            claims: Vec::new(),
            providers: Vec::new(),
            redirects: Vec::new(),
            request_params: Vec::new(),
            cors_origins: Vec::new(),
            mail: MailSettings::default(),
        }
    }
}

/// Who may sign up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignUpMode {
    /// Everybody.
    #[default]
    Open,
    /// Who has an invitation.
    Invite,
    /// Nobody.
    Closed,
}

/// A way to sign in without a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInMethod {
    /// A password.
    Password,
    /// A link that is sent.
    MagicLink,
    /// A code that is sent.
    Otp,
    /// A passkey on a device.
    Passkey,
    /// Nothing at all.
    Anonymous,
}

impl SignInMethod {
    /// Every way, as `app.yaml` writes it.
    pub const ALL: [(&'static str, Self); 5] = [
        ("password", Self::Password),
        ("magic_link", Self::MagicLink),
        ("otp", Self::Otp),
        ("passkey", Self::Passkey),
        ("anonymous", Self::Anonymous),
    ];
}

impl AppSettings {
    /// Whether everybody may sign up, with any address.
    pub fn open_to_all(&self) -> bool {
        self.sign_up == SignUpMode::Open && self.domains.is_empty()
    }

    /// Whether an account begins only when its address is proven.
    pub fn proof_first(&self) -> bool {
        self.verify_email || !self.domains.is_empty()
    }

    /// Whether a way to sign in is open.
    pub fn offers(&self, method: SignInMethod) -> bool {
        self.methods.contains(&method)
    }

    /// A declared claim.
    pub fn claim(&self, name: &str) -> Option<&Fact> {
        self.claims.iter().find(|claim| claim.name == name)
    }

    /// A declared provider.
    pub fn provider(&self, name: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.name == name)
    }

    /// An address that a sign-in may lead back to; `None` for every other text.
    pub fn redirect(&self, text: &str) -> Option<Redirect> {
        let asked = Redirect::parse(text).ok()?;
        let site = self.public_url.as_deref().and_then(|url| Redirect::parse(url).ok());
        let own = site.is_some_and(|site| asked.is_below(&site));
        (own || self.redirects.iter().any(|declared| asked.is(declared))).then_some(asked)
    }

    /// A declared parameter of requests.
    pub fn request_param(&self, name: &str) -> Option<&Fact> {
        self.request_params.iter().find(|param| param.name == name)
    }
}

/// What rules may know by a declared name: a claim of a user, or a parameter of a request.
#[derive(Debug, Clone)]
pub struct Fact {
    /// `[a-z][a-z0-9_]{0,62}`.
    pub name: String,
    /// A scalar; for claims also a list of text.
    pub kind: FieldType,
    /// What rules see where a user has none. Parameters have no default.
    pub default: Option<Value>,
    /// Where its name stands.
    pub span: Span,
}

/// What a collection holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Records of the app.
    Data,
    /// The users of the app. At most one collection.
    Auth,
}

/// A declared set of records.
#[derive(Debug, Clone)]
pub struct Collection {
    /// Its place.
    pub id: CollectionId,
    /// `[a-z][a-z0-9_]{0,62}`; also the table's name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// System fields first (see [`Slot`]), then the declared ones in order.
    pub fields: Vec<Field>,
    /// Sets of fields whose values are unique together, single `unique: true` fields included.
    pub unique: Vec<Vec<Slot>>,
    /// Declared indexes.
    pub indexes: Vec<Index>,
    /// Declared full-text index.
    pub search: Option<Search>,
    /// Whether queries that no index serves are answered however large it is.
    pub scan: bool,
    /// Rules as text. A slot that is not here is closed (`list` falls back to `read`).
    pub rules: HashMap<RuleSlot, RuleText>,
    /// Where its name stands.
    pub span: Span,
    /// Field names to places, filled by the loader.
    pub by_name: HashMap<String, Slot>,
}

impl Collection {
    /// A field by name.
    pub fn field(&self, name: &str) -> Option<(Slot, &Field)> {
        let slot = *self.by_name.get(name)?;
        Some((slot, self.get(slot)?))
    }

    /// A field by place.
    pub fn get(&self, slot: Slot) -> Option<&Field> {
        self.fields.get(slot.index())
    }

    /// Whether a unique set or a declared index begins with the field.
    pub fn leads(&self, slot: Slot) -> bool {
        let by_unique = self.unique.iter().any(|slots| slots.first() == Some(&slot));
        by_unique
            || self.indexes.iter().any(|index| index.fields.first().is_some_and(|(first, _)| *first == slot))
    }

    /// Whether the database finds records by the field without reading the others: the id, a reference, or what
    /// [`Collection::leads`].
    pub fn finds_by(&self, slot: Slot) -> bool {
        let kind = self.get(slot).map(|field| &field.kind);
        matches!(kind, Some(FieldType::Id | FieldType::Ref { .. })) || self.leads(slot)
    }

    /// Every field with its place, system fields included.
    pub fn slots(&self) -> impl Iterator<Item = (Slot, &Field)> {
        (0u16..).map(Slot).zip(&self.fields)
    }
}

/// A declared index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Fields in order; `true` for descending.
    pub fields: Vec<(Slot, bool)>,
}

/// A declared full-text index: which fields `q` looks into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// Text fields in order, each once.
    pub fields: Vec<SearchField>,
    /// How words are compared.
    pub language: Language,
}

/// A field of a full-text index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchField {
    /// Which.
    pub slot: Slot,
    /// What a word found in it counts, 1..=100. The letters A to D are 10, 4, 2 and 1.
    pub weight: u32,
}

/// How words of a full-text index are compared, besides case and diacritics, which never count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// As they are written.
    #[default]
    Simple,
    /// By their English stem: `running` finds `runs`.
    English,
}

/// A typed part of a record.
#[derive(Debug, Clone)]
pub struct Field {
    /// `[a-z][a-z0-9_]{0,62}`; also the column's name.
    pub name: String,
    /// What it may hold.
    pub kind: FieldType,
    /// Whether it may be null.
    pub optional: bool,
    /// Value when a create leaves it out.
    pub default: Option<Default_>,
    /// Whether it may be set on create only.
    pub write_once: bool,
    /// Kept by the server; clients can neither set nor change it.
    pub system: bool,
    /// Who may read it, beyond the record's rule.
    pub read: Option<RuleText>,
    /// Who may write it, beyond the record's rule.
    pub write: Option<RuleText>,
    /// Where its name stands.
    pub span: Span,
}

/// What a create puts where the client gave nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Default_ {
    /// This value.
    Value(Value),
    /// The time of the request.
    Now,
    /// The caller's id.
    AuthId,
}

/// The type of a field.
#[derive(Debug, Clone)]
pub enum FieldType {
    /// A record's own id.
    Id,
    /// Unicode text without U+0000.
    Text {
        /// Fewest characters.
        min: Option<u32>,
        /// Most characters. Default 65,536.
        max: Option<u32>,
        /// Linear-time regular expression that must match somewhere.
        pattern: Option<regex::Regex>,
    },
    /// A whole number.
    Int {
        /// Smallest.
        min: Option<i64>,
        /// Largest.
        max: Option<i64>,
    },
    /// A number, never NaN or infinite.
    Float {
        /// Smallest.
        min: Option<f64>,
        /// Largest.
        max: Option<f64>,
    },
    /// An exact decimal number.
    Decimal {
        /// Most digits, 1..=18.
        precision: u8,
        /// Digits behind the point, at most `precision`.
        scale: u8,
        /// Smallest, with that scale.
        min: Option<Decimal>,
        /// Largest, with that scale.
        max: Option<Decimal>,
    },
    /// True or false.
    Bool,
    /// A point in time, whole milliseconds.
    Datetime,
    /// A day of the calendar, without a time zone.
    Date,
    /// A span of time, whole microseconds, at most a hundred years.
    Duration,
    /// One of some words.
    Enum {
        /// The words.
        values: Vec<String>,
    },
    /// Another record.
    Ref {
        /// Its collection.
        to: CollectionId,
        /// What happens here when it is deleted.
        on_delete: OnDelete,
        /// How rules call the way back to all that refer.
        inverse: Option<String>,
        /// How rules call the way back where at most one refers.
        inverse_one: Option<String>,
    },
    /// Some scalars.
    List {
        /// Type of each; never `List`, `Json` or `Ref`.
        of: Box<FieldType>,
        /// Most elements. Default 100.
        max: Option<u32>,
    },
    /// A JSON document.
    Json(Arc<JsonField>),
    /// An e-mail address.
    Email,
    /// An absolute http or https URL.
    Url,
    /// A UUID (RFC 9562 §4), small letters.
    Uuid,
    /// Small letters, digits and single hyphens between them: part of an address.
    Slug,
}

/// Settings of a `json` field.
pub struct JsonField {
    /// JSON Schema 2020-12 that documents must satisfy.
    pub schema: serde_json::Value,
    /// The same, compiled.
    pub validator: jsonschema::Validator,
    /// Largest document as compact JSON, in bytes. Default 65,536.
    pub bytes_max: usize,
}

impl std::fmt::Debug for JsonField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonField").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// What happens to a record when one it refers to is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    /// It is deleted too.
    Cascade,
    /// The delete is refused.
    Restrict,
    /// The reference becomes null; the field must be optional.
    SetNull,
}

/// What a rule decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RuleSlot {
    /// Which records a list may show.
    List,
    /// Whether a record may be seen at all.
    Read,
    /// Whether a record may be made.
    Create,
    /// Whether a stored record may be changed.
    UpdateBefore,
    /// Whether a change may lead to this.
    UpdateAfter,
    /// Whether a record may be removed.
    Delete,
}

/// The source of a rule and where it stands. Byte `i` of `text` is byte `span.start + i` of the file,
/// unless the rule is a block scalar or quoted with escapes: then `offsets` maps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleText {
    /// CEL-style source, or a keyword.
    pub text: String,
    /// What the client is told on refusal.
    pub message: Option<String>,
    /// Where the text stands.
    pub span: Span,
    /// For each byte of `text` its offset in the file; empty when contiguous.
    pub offsets: Vec<u32>,
    /// For [`RuleSlot::UpdateAfter`]: written once as `update: E`, so `resource` in it means the new record.
    pub rebind_to_next: bool,
}

impl RuleText {
    /// Where bytes `start..end` of `text` stand in the file.
    pub fn locate(&self, start: usize, end: usize) -> Span {
        let at = |byte: usize| match self.offsets.get(byte) {
            Some(offset) => *offset,
            None if self.offsets.is_empty() => self.span.start + u32::try_from(byte).unwrap_or(0),
            None => self.span.end,
        };
        let first = at(start);
        let last = if end > start { at(end - 1) + 1 } else { first };
        Span { file: self.span.file, start: first, end: last.max(first) }
    }
}

/// A named, typed, non-recursive piece of rules.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Parameter names and types as written: `rooms`, `id<users>`, `text`, `list<text>`.
    pub params: Vec<(String, String, Span)>,
    /// What it is short for.
    pub is: RuleText,
    /// Where its name stands.
    pub span: Span,
}
