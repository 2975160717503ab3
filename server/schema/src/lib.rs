//! Declarative app folders: parse, check, and validate records against them. Pure.
//!
//! Text in, plain values or located errors out. It must never read a file, a clock or randomness, and it keeps rules
//! as source text: what they mean is the business of `stead-rules`.

pub mod captcha;
pub mod claims;
pub mod codes;
pub mod decimal;
pub mod diagnostic;
pub mod diff;
pub mod encode;
pub mod export;
pub mod format;
pub mod load;
pub mod model;
pub mod moments;
pub mod providers;
pub mod redirects;
pub mod slots;
pub mod validate;
pub mod value;

pub use captcha::{Captcha, CaptchaKind, CaptchaOn, CaptchaService};
pub use claims::{Allow, AllowedAt, Invariant, Operation, Who};
pub use decimal::Decimal;
pub use diagnostic::{Diagnostic, Position, Severity, SourceFile, Sources, Span};
pub use load::{Document, Rejected, load};
pub use model::{
    AppSettings, Collection, CollectionId, Default_, Fact, Field, FieldType, Function, Index, Kind, Language,
    MailSettings, OnDelete, PasskeySettings, RuleSlot, RuleText, Schema, Search, SearchField, SignInMethod,
    SignUpMode, Slot,
};
pub use providers::{AppleKey, KNOWN_PROVIDERS, Provider, Secret, SecretSource};
pub use redirects::Redirect;
pub use slots::SlotSet;
pub use value::Value;
