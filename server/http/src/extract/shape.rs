//! The shape of fixed bodies, as tables: checked here with every mistake at once, and shown in the OpenAPI document.
//!
//! One table for both, so that the document cannot promise what the door refuses.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use stead_engine::limits::{BATCH_OPERATIONS_MAX, IMPORT_USERS_MAX, UPSERT_FIELDS_MAX, USER_ROLES_MAX};
use stead_engine::mail::KINDS;
use stead_wire::admin::{
    Acknowledgement, ConsumerStart, KeyRotation, MailTest, NewServiceAccount, RulesQuestion, RulesTest,
    UserChange, UserImport,
};
use stead_wire::auth::{
    AnonymousSignIn, EmailChange, EmailConfirm, EmailUndo, IdTokenSignIn, IdentityLink, MfaVerify,
    NewInvitation, NewKey, NewPasskey, OauthExchange, OtpVerify, PasskeyChange, PasskeyProof, PasswordChange,
    PasswordSignIn, Reauth, Refresh, ResetConfirm, SendSignIn, SendTo, SignOut, SignUp, SignUpConfirm,
    TotpActivate, Upgrade, VerifyRequest,
};
use stead_wire::records::Batch;
use stead_wire::{Code, FieldProblem};

/// A body of fixed shape.
pub trait Shape: DeserializeOwned {
    /// Its members.
    const MEMBERS: &'static [Member];
    /// What a body of another shape is refused as. A body whose members are fields of a form is `field_invalid`.
    const REFUSED_AS: Code = Code::FieldInvalid;
}

/// A member of an object.
pub struct Member {
    /// Its name.
    pub name: &'static str,
    /// Whether it must be there.
    pub required: bool,
    /// What it holds.
    pub holds: Holds,
}

/// What a member holds.
pub enum Holds {
    /// Text.
    Text,
    /// A whole number from 0.
    Count,
    /// Yes or no.
    Flag,
    /// Any object.
    Object,
    /// A list of texts, so many to so many.
    Texts(usize, usize),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of objects of one shape, 1 to this many.
    List(&'static [Member], usize),
}

const fn text(name: &'static str) -> Member {
    Member { name, required: true, holds: Holds::Text }
}

const fn optional(name: &'static str, holds: Holds) -> Member {
    Member { name, required: false, holds }
}

impl Shape for SignUp {
    const MEMBERS: &'static [Member] =
        &[text("email"), text("password"), optional("data", Holds::Object), LOCALE, INVITATION];
}

const TOKEN: Member = optional("token", Holds::Text);
const CHALLENGE: Member = optional("challenge_id", Holds::Text);
const CODE: Member = optional("code", Holds::Text);
const LOCALE: Member = optional("locale", Holds::Text);
const INVITATION: Member = optional("invitation", Holds::Text);

impl Shape for AnonymousSignIn {
    const MEMBERS: &'static [Member] = &[optional("data", Holds::Object)];
}

impl Shape for Upgrade {
    const MEMBERS: &'static [Member] = &[text("email"), optional("password", Holds::Text), LOCALE];
}

impl Shape for SignUpConfirm {
    const MEMBERS: &'static [Member] =
        &[TOKEN, CHALLENGE, CODE, optional("password", Holds::Text), optional("data", Holds::Object)];
}

impl Shape for OtpVerify {
    const MEMBERS: &'static [Member] = &[TOKEN, CHALLENGE, CODE, optional("data", Holds::Object)];
}

impl Shape for EmailConfirm {
    const MEMBERS: &'static [Member] = &[TOKEN, CHALLENGE, CODE];
}

impl Shape for ResetConfirm {
    const MEMBERS: &'static [Member] = &[TOKEN, CHALLENGE, CODE, text("new_password")];
}

impl Shape for SendTo {
    const MEMBERS: &'static [Member] = &[text("email"), LOCALE];
}

impl Shape for SendSignIn {
    const MEMBERS: &'static [Member] = &[text("email"), LOCALE, INVITATION];
}

impl Shape for NewInvitation {
    const MEMBERS: &'static [Member] = &[
        optional("email", Holds::Text),
        optional("roles", Holds::Texts(0, USER_ROLES_MAX)),
        optional("expires_in", Holds::Count),
        LOCALE,
    ];
}

impl Shape for VerifyRequest {
    const MEMBERS: &'static [Member] = &[LOCALE];
}

impl Shape for EmailChange {
    const MEMBERS: &'static [Member] =
        &[text("new_email"), optional("current_password", Holds::Text), LOCALE];
}

impl Shape for NewKey {
    const MEMBERS: &'static [Member] = &[
        text("name"),
        optional("user", Holds::Text),
        optional("collections", Holds::Object),
        optional("admin", Holds::Texts(0, 16)),
        optional("expires_in", Holds::Count),
    ];
}

impl Shape for EmailUndo {
    const MEMBERS: &'static [Member] = &[text("token")];
}

impl Shape for PasswordSignIn {
    const MEMBERS: &'static [Member] =
        &[text("email"), text("password"), optional("device_token", Holds::Text)];
}

const PASSKEY: Member = optional("passkey", Holds::Object);

impl Shape for PasskeyProof {
    const MEMBERS: &'static [Member] =
        &[text("token"), Member { name: "credential", required: true, holds: Holds::Object }];
}

impl Shape for NewPasskey {
    const MEMBERS: &'static [Member] = &[
        text("token"),
        Member { name: "credential", required: true, holds: Holds::Object },
        optional("name", Holds::Text),
    ];
}

impl Shape for PasskeyChange {
    const MEMBERS: &'static [Member] = &[text("name")];
}

const RECOVERY_CODE: Member = optional("recovery_code", Holds::Text);

impl Shape for MfaVerify {
    const MEMBERS: &'static [Member] = &[text("mfa_token"), CODE, RECOVERY_CODE, PASSKEY];
}

impl Shape for TotpActivate {
    const MEMBERS: &'static [Member] = &[text("code")];
}

impl Shape for Reauth {
    const MEMBERS: &'static [Member] = &[optional("password", Holds::Text), CODE, RECOVERY_CODE, PASSKEY];
}

impl Shape for PasswordChange {
    const MEMBERS: &'static [Member] = &[text("current_password"), text("new_password")];
}

impl Shape for OauthExchange {
    const MEMBERS: &'static [Member] = &[text("code"), text("code_verifier"), INVITATION];
}

impl Shape for IdTokenSignIn {
    const MEMBERS: &'static [Member] = &[
        text("provider"),
        text("id_token"),
        optional("nonce", Holds::Text),
        optional("platform", Holds::Text),
        INVITATION,
    ];
}

impl Shape for IdentityLink {
    const MEMBERS: &'static [Member] = &[text("redirect_to"), text("code_challenge")];
}

impl Shape for Refresh {
    const MEMBERS: &'static [Member] = &[text("refresh_token")];
}

impl Shape for SignOut {
    const MEMBERS: &'static [Member] =
        &[Member { name: "scope", required: false, holds: Holds::Word(&["this", "others", "all"]) }];
}

impl Shape for Batch {
    const MEMBERS: &'static [Member] =
        &[Member { name: "operations", required: true, holds: Holds::List(OPERATION, BATCH_OPERATIONS_MAX) }];
    const REFUSED_AS: Code = Code::BadRequest;
}

impl Shape for RulesQuestion {
    const MEMBERS: &'static [Member] = &[
        optional("as", Holds::Text),
        optional("identity", Holds::Object),
        Member {
            name: "op",
            required: true,
            holds: Holds::Word(&["list", "read", "create", "update", "delete"]),
        },
        text("collection"),
        optional("id", Holds::Text),
        optional("data", Holds::Object),
        optional("field", Holds::Text),
        optional("filter", Holds::Text),
        optional("p", Holds::Object),
        optional("sort", Holds::Text),
        optional("limit", Holds::Count),
        optional("params", Holds::Object),
        optional("ip", Holds::Text),
        optional("origin", Holds::Text),
    ];
}

impl Shape for RulesTest {
    const MEMBERS: &'static [Member] = &[text("text")];
}

impl Shape for MailTest {
    const MEMBERS: &'static [Member] = &[
        text("to"),
        optional("kind", Holds::Word(KINDS)),
        optional("locale", Holds::Text),
        optional("via", Holds::Word(&["direct", "queue"])),
    ];
}

impl Shape for KeyRotation {
    const MEMBERS: &'static [Member] = &[optional("now", Holds::Flag)];
}

impl Shape for UserChange {
    const MEMBERS: &'static [Member] =
        &[optional("roles", Holds::Texts(0, USER_ROLES_MAX)), optional("claims", Holds::Object)];
}

impl Shape for NewServiceAccount {
    const MEMBERS: &'static [Member] = &[
        optional("data", Holds::Object),
        optional("roles", Holds::Texts(0, USER_ROLES_MAX)),
        optional("claims", Holds::Object),
    ];
}

impl Shape for UserImport {
    const MEMBERS: &'static [Member] =
        &[Member { name: "items", required: true, holds: Holds::List(IMPORTED_USER, IMPORT_USERS_MAX) }];
}

const IMPORTED_USER: &[Member] = &[
    optional("id", Holds::Text),
    text("email"),
    optional("verified", Holds::Flag),
    optional("password_hash", Holds::Text),
    optional("data", Holds::Object),
    optional("roles", Holds::Texts(0, USER_ROLES_MAX)),
    optional("claims", Holds::Object),
];

impl Shape for ConsumerStart {
    const MEMBERS: &'static [Member] = &[optional("from", Holds::Word(&["now", "oldest"]))];
}

impl Shape for Acknowledgement {
    const MEMBERS: &'static [Member] = &[text("cursor")];
}

const OPS: &[&str] = &["create", "update", "upsert", "delete", "require"];

const OPERATION: &[Member] = &[
    Member { name: "op", required: true, holds: Holds::Word(OPS) },
    text("collection"),
    Member { name: "id", required: false, holds: Holds::Text },
    Member { name: "data", required: false, holds: Holds::Object },
    Member { name: "on", required: false, holds: Holds::Texts(1, UPSERT_FIELDS_MAX) },
    Member { name: "if_version", required: false, holds: Holds::Count },
];

/// Every way in which `body` is not of this shape.
pub fn check(members: &[Member], body: &Map<String, Value>) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    check_at("", members, body, &mut problems);
    problems
}

fn check_at(base: &str, members: &[Member], body: &Map<String, Value>, problems: &mut Vec<FieldProblem>) {
    for (name, value) in body {
        match members.iter().find(|member| member.name == name) {
            Some(member) => check_member(&format!("{base}/{name}"), member, value, problems),
            None => {
                let mut problem =
                    FieldProblem::of_field(name, "unknown_field", "There is no such member here.");
                problem.path.insert_str(0, base);
                problems.push(problem);
            }
        }
    }
    for member in members.iter().filter(|member| member.required && !body.contains_key(member.name)) {
        problems.push(problem(format!("{base}/{}", member.name), "required", "This member is missing."));
    }
}

fn check_member(path: &str, member: &Member, value: &Value, problems: &mut Vec<FieldProblem>) {
    let wrong = match (&member.holds, value) {
        (Holds::Text, Value::String(_))
        | (Holds::Object, Value::Object(_))
        | (Holds::Flag, Value::Bool(_)) => None,
        (_, Value::Null)
            if !member.required && !matches!(member.holds, Holds::Object | Holds::Word(_) | Holds::Flag) =>
        {
            None
        }
        (Holds::Count, Value::Number(number)) if number.as_i64().is_some_and(|number| number >= 0) => None,
        (Holds::Word(words), Value::String(word)) if words.contains(&word.as_str()) => None,
        (Holds::Texts(least, most), Value::Array(elements)) => texts(*least, *most, elements),
        (Holds::List(shape, most), Value::Array(elements)) => {
            check_list(path, shape, *most, elements, problems)
        }
        (Holds::Text, _) => Some(("type", "This must be text.".to_owned())),
        (Holds::Flag, _) => Some(("type", "This must be true or false.".to_owned())),
        (Holds::Count, _) => Some(("type", "This must be a whole number from 0.".to_owned())),
        (Holds::Object, _) => Some(("type", "This must be an object.".to_owned())),
        (Holds::Word(words), _) => {
            Some(("not_allowed", format!("This must be one of: {}.", words.join(", "))))
        }
        (Holds::List(..) | Holds::Texts(..), _) => Some(("type", "This must be a list.".to_owned())),
    };
    if let Some((code, message)) = wrong {
        problems.push(problem(path.to_owned(), code, message));
    }
}

fn texts(least: usize, most: usize, elements: &[Value]) -> Option<(&'static str, String)> {
    if !(least..=most).contains(&elements.len()) {
        return Some(("length", format!("This must have {least} to {most} elements.")));
    }
    (!elements.iter().all(Value::is_string)).then(|| ("type", "This must be a list of texts.".to_owned()))
}

fn check_list(
    path: &str,
    shape: &[Member],
    most: usize,
    elements: &[Value],
    problems: &mut Vec<FieldProblem>,
) -> Option<(&'static str, String)> {
    if elements.is_empty() || elements.len() > most {
        return Some(("length", format!("This must have 1 to {most} elements.")));
    }
    for (place, element) in elements.iter().enumerate() {
        match element.as_object() {
            Some(object) => check_at(&format!("{path}/{place}"), shape, object, problems),
            None => problems.push(problem(format!("{path}/{place}"), "type", "This must be an object.")),
        }
    }
    None
}

fn problem(path: String, code: &str, message: impl Into<String>) -> FieldProblem {
    FieldProblem { path, code: code.to_owned(), message: message.into() }
}

/// The shape as JSON Schema 2020-12.
pub fn json_schema(members: &[Member]) -> Value {
    let of = |holds: &Holds| match holds {
        Holds::Text => json!({"type": "string"}),
        Holds::Count => json!({"type": "integer", "minimum": 0}),
        Holds::Flag => json!({"type": "boolean"}),
        Holds::Object => json!({"type": "object"}),
        Holds::Texts(least, most) => {
            json!({"type": "array", "minItems": least, "maxItems": most, "items": {"type": "string"}})
        }
        Holds::Word(words) => json!({"type": "string", "enum": words}),
        Holds::List(shape, most) => {
            json!({"type": "array", "minItems": 1, "maxItems": most, "items": json_schema(shape)})
        }
    };
    let properties: Map<String, Value> =
        members.iter().map(|member| (member.name.to_owned(), of(&member.holds))).collect();
    let required: Vec<&str> =
        members.iter().filter(|member| member.required).map(|member| member.name).collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn found<T: Shape>(body: Value) -> Vec<String> {
        let problems = check(T::MEMBERS, body.as_object().unwrap());
        if problems.is_empty() {
            assert!(serde_json::from_value::<T>(body).is_ok(), "the table and the type agree");
        }
        problems.into_iter().map(|problem| format!("{} {}", problem.path, problem.code)).collect()
    }

    #[test]
    fn every_mistake_is_told_at_once_with_its_place() {
        assert_eq!(
            found::<SignUp>(json!({"email": 1, "extra": 2, "data": []})),
            ["/email type", "/extra unknown_field", "/data type", "/password required"]
        );
        assert_eq!(
            found::<Batch>(
                json!({"operations": [{"op": "create", "collection": "a"}, {"op": "drop", "if_version": -1}, 5]})
            ),
            [
                "/operations/1/op not_allowed",
                "/operations/1/if_version type",
                "/operations/1/collection required",
                "/operations/2 type"
            ]
        );
        assert_eq!(found::<Batch>(json!({"operations": []})), ["/operations length"]);
        let many = vec![json!({"op": "require", "collection": "a", "id": "x"}); 201];
        assert_eq!(found::<Batch>(json!({ "operations": many })), ["/operations length"]);
        for (on, code) in [(json!("sku"), "type"), (json!([]), "length"), (json!([1]), "type")] {
            let upsert = json!({"op": "upsert", "collection": "a", "on": on});
            assert_eq!(found::<Batch>(json!({"operations": [upsert]})), [format!("/operations/0/on {code}")]);
        }
        assert_eq!(found::<SignOut>(json!({"scope": "some"})), ["/scope not_allowed"]);
        assert_eq!(
            found::<SignUp>(json!({"a/b~": 1, "email": "", "password": ""})),
            ["/a~1b~0 unknown_field"]
        );
    }

    #[test]
    fn what_fits_the_table_fits_the_type() {
        assert!(found::<SignUp>(json!({"email": "a", "password": "b", "data": {"x": 1}})).is_empty());
        assert!(found::<PasswordSignIn>(json!({"email": "a", "password": "b"})).is_empty());
        assert!(found::<Refresh>(json!({"refresh_token": "r"})).is_empty());
        assert!(found::<OauthExchange>(json!({"code": "c", "code_verifier": "v"})).is_empty());
        assert!(found::<IdentityLink>(json!({"redirect_to": "r", "code_challenge": "c"})).is_empty());
        assert!(found::<IdTokenSignIn>(json!({"provider": "p", "id_token": "t", "nonce": null})).is_empty());
        assert!(found::<SignOut>(json!({})).is_empty());
        assert!(found::<SignOut>(json!({"scope": "all"})).is_empty());
        let operation =
            json!({"op": "update", "collection": "a", "id": null, "if_version": null, "data": {}});
        assert!(found::<Batch>(json!({"operations": [operation]})).is_empty());
        let user = json!({"id": null, "email": "a", "verified": true, "password_hash": "h", "roles": ["r"]});
        assert!(found::<UserImport>(json!({"items": [user, {"email": "b"}]})).is_empty());
        assert_eq!(
            found::<UserImport>(json!({"items": [{"verified": 1, "password": "p"}]})),
            ["/items/0/verified type", "/items/0/password unknown_field", "/items/0/email required"]
        );
        let upsert = json!({"op": "upsert", "collection": "a", "on": ["b", "c"], "data": {}});
        assert!(found::<Batch>(json!({"operations": [upsert]})).is_empty());
    }
}
