//! What paths refer to: schemas, parameters, headers, problems, security.

use crate::extract::shape::{Shape, json_schema};
use serde_json::{Map, Value, json};
use stead_schema::{Collection, FieldType, Schema, export};
use stead_wire::Code;
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

/// Name of a collection's schema: `messages`, `messages.create`, `messages.patch`, `messages.upsert`, `messages.page`.
pub(super) fn name(collection: &Collection, part: &str) -> String {
    if part.is_empty() { collection.name.clone() } else { format!("{}.{part}", collection.name) }
}

pub(super) fn schema_ref(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

pub(super) fn components(schema: &Schema) -> Value {
    let mut schemas = fixed_schemas();
    for collection in &schema.collections {
        let record = with_relations(inner(export::record_schema(schema, collection)), schema, collection);
        schemas.insert(name(collection, ""), record);
        schemas.insert(name(collection, "create"), inner(export::create_schema(schema, collection)));
        schemas.insert(name(collection, "patch"), inner(export::patch_schema(schema, collection)));
        schemas.insert(name(collection, "upsert"), inner(export::upsert_schema(schema, collection)));
        schemas.insert(name(collection, "page"), page(collection));
    }
    json!({
        "schemas": schemas,
        "parameters": parameters(schema),
        "responses": {"Problem": {
            "description": "The request was refused or failed; `code` says why.",
            "headers": {"X-Request-Id": header("Also `instance` in the body and in the server's log.")},
            "content": {"application/problem+json": {"schema": schema_ref("Problem")}},
        }},
        "securitySchemes": {"bearer": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "Access token of a sign-in, or of an operator. Without one the caller is anonymous.",
        }, "cookie": {
            "type": "apiKey", "in": "cookie", "name": crate::extract::cookie::NAME,
            "description": "Session of a page, where the app has `auth: {cookies: true}`. Calls that may change something also bring `Stead-Session: cookie` and the `Origin` of the app; a sign-in that is to set it brings `Stead-Session: new`.",
        }},
    })
}

/// A schema inside the document: it is no document of its own.
fn inner(mut schema: Value) -> Value {
    if let Some(object) = schema.as_object_mut() {
        object.remove("$id");
        object.remove("$schema");
    }
    schema
}

/// Adds what `expand` brings along: a record for a reference, for the way back a record or null, or an array.
fn with_relations(mut record: Value, schema: &Schema, collection: &Collection) -> Value {
    let mut relations = Map::new();
    for field in &collection.fields {
        if let FieldType::Ref { to, .. } = &field.kind
            && let Some(target) = schema.get(*to)
        {
            relations.insert(field.name.clone(), schema_ref(&target.name));
        }
    }
    for from in &schema.collections {
        for field in &from.fields {
            let FieldType::Ref { to, inverse, inverse_one, .. } = &field.kind else { continue };
            if *to != collection.id {
                continue;
            }
            let one = json!({"oneOf": [schema_ref(&from.name), {"type": "null"}]});
            let many = json!({"type": "array", "items": schema_ref(&from.name)});
            relations.extend(inverse_one.clone().map(|name| (name, one)));
            relations.extend(inverse.clone().map(|name| (name, many)));
        }
    }
    if !relations.is_empty()
        && let Some(properties) = record.get_mut("properties").and_then(Value::as_object_mut)
    {
        let more = "Relations that have more records than are shown.";
        let names =
            json!({"type": "array", "items": {"type": "string"}, "readOnly": true, "description": more});
        let expand = json!({"type": "object", "properties": relations, "readOnly": true, "description": "What `expand` asked for."});
        properties.insert("expand".into(), expand);
        properties.insert("expand_more".into(), names);
    }
    record
}

fn page(collection: &Collection) -> Value {
    json!({
        "type": "object",
        "required": ["items", "next_cursor"],
        "properties": {
            "items": {"type": "array", "items": schema_ref(&collection.name)},
            "next_cursor": {"type": ["string", "null"], "description": "Where the next page begins; null on the last one."},
            "total": {
                "type": ["integer", "string"],
                "description": "With `count=exact`: how many records match, or `10000+`.",
            },
        },
    })
}

fn fixed_schemas() -> Map<String, Value> {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let all = json!({
        "Object": {"type": "object"},
        "Problem": {
            "type": "object",
            "description": "Problem details (RFC 9457).",
            "required": ["type", "title", "status", "code"],
            "properties": {
                "type": {"type": "string", "format": "uri-reference"},
                "title": {"type": "string"},
                "status": {"type": "integer", "minimum": 400, "maximum": 599},
                "detail": {"type": "string"},
                "instance": {"type": "string", "description": "The request id."},
                "code": schema_ref("ProblemCode"),
                "errors": {"type": "array", "items": schema_ref("FieldProblem")},
                "retry_after_ms": {"type": "integer", "minimum": 0},
                "hint": {"type": "string"},
            },
        },
        "ProblemCode": {"type": "string", "enum": codes, "description": code_table()},
        "FieldProblem": {
            "type": "object",
            "required": ["path", "code", "message"],
            "properties": {
                "path": {"type": "string", "format": "json-pointer"},
                "code": {"type": "string"},
                "message": {"type": "string"},
            },
        },
        "Session": {
            "type": "object",
            "required": ["user", "token_type", "expires_in", "session_id"],
            "properties": {
                "user": {"type": "object", "description": "The user's record, with `email`."},
                "access_token": {"type": "string"},
                "token_type": {"enum": ["Bearer", "Cookie"], "description": "With `Cookie` there are no tokens: the session is in the cookie that the answer sets."},
                "expires_in": {"type": "integer", "description": "Seconds."},
                "refresh_token": {"type": "string"},
                "session_id": {"type": "string"},
                "device_token": {
                    "type": "string",
                    "description": "To show at later sign-ins on this device. Absent for users without a password.",
                },
            },
        },
        "SecondFactor": {
            "type": "object",
            "description": "The first factor was right; show one of these too.",
            "required": ["mfa_required", "mfa_token", "factors", "expires_in"],
            "properties": {
                "mfa_required": {"const": true},
                "mfa_token": {"type": "string", "description": "Give it back with a code."},
                "factors": {"type": "array", "items": {"enum": ["totp", "recovery_code", "passkey"]}},
                "expires_in": {"type": "integer", "description": "Seconds until the token is worthless."},
            },
        },
        "Challenge": {
            "type": "object",
            "description": "Something is on its way to the address, or would be if it were somebody's.",
            "required": ["challenge_id", "expires_in"],
            "properties": {
                "challenge_id": {"type": "string", "description": "Give it back with the code."},
                "expires_in": {"type": "integer", "description": "Seconds until link and code are worthless."},
            },
        },
        "Groups": {
            "type": "object",
            "required": ["items", "next_cursor"],
            "properties": {
                "items": {"type": "array", "items": schema_ref("Group"), "description": "One item without `group_by`."},
                "next_cursor": {"type": ["string", "null"], "description": "Where the next page begins; null on the last one."},
            },
        },
        "Group": {
            "type": "object",
            "properties": {
                "group": {"type": "object", "description": "The fields of `group_by`; null also stands for values hidden from the caller."},
                "count": {"type": "integer", "minimum": 0},
                "sum": {"type": "object", "description": "By field; null when no record has a value."},
                "avg": {"type": "object", "description": "By field; null when no record has a value."},
                "min": {"type": "object", "description": "By field; null when no record has a value."},
                "max": {"type": "object", "description": "By field; null when no record has a value."},
            },
        },
        "BatchResults": {
            "type": "object",
            "required": ["results"],
            "properties": {"results": {"type": "array", "items": {"type": ["object", "null"]}}},
        },
    });
    let mut schemas = match all {
        Value::Object(object) => object,
        _ => Map::new(),
    };
    schemas.insert("SignUp".into(), json_schema(SignUp::MEMBERS));
    for (name, members) in [
        ("SignUpConfirm", SignUpConfirm::MEMBERS),
        ("OtpVerify", OtpVerify::MEMBERS),
        ("EmailConfirm", EmailConfirm::MEMBERS),
        ("ResetConfirm", ResetConfirm::MEMBERS),
        ("SendTo", SendTo::MEMBERS),
        ("AnonymousSignIn", AnonymousSignIn::MEMBERS),
        ("Upgrade", Upgrade::MEMBERS),
        ("SendSignIn", SendSignIn::MEMBERS),
        ("NewInvitation", NewInvitation::MEMBERS),
        ("VerifyRequest", VerifyRequest::MEMBERS),
        ("EmailChange", EmailChange::MEMBERS),
        ("EmailUndo", EmailUndo::MEMBERS),
        ("NewKey", NewKey::MEMBERS),
    ] {
        schemas.insert(name.into(), json_schema(members));
    }
    schemas.insert("PasswordSignIn".into(), json_schema(PasswordSignIn::MEMBERS));
    schemas.insert("PasswordChange".into(), json_schema(PasswordChange::MEMBERS));
    schemas.insert("MfaVerify".into(), json_schema(MfaVerify::MEMBERS));
    schemas.insert("PasskeyProof".into(), json_schema(PasskeyProof::MEMBERS));
    schemas.insert("NewPasskey".into(), json_schema(NewPasskey::MEMBERS));
    schemas.insert("PasskeyChange".into(), json_schema(PasskeyChange::MEMBERS));
    schemas.insert("TotpActivate".into(), json_schema(TotpActivate::MEMBERS));
    schemas.insert("Reauth".into(), json_schema(Reauth::MEMBERS));
    schemas.insert("OauthExchange".into(), json_schema(OauthExchange::MEMBERS));
    schemas.insert("IdTokenSignIn".into(), json_schema(IdTokenSignIn::MEMBERS));
    schemas.insert("IdentityLink".into(), json_schema(IdentityLink::MEMBERS));
    schemas.insert("Refresh".into(), json_schema(Refresh::MEMBERS));
    schemas.insert("SignOut".into(), json_schema(SignOut::MEMBERS));
    schemas.insert("RulesQuestion".into(), json_schema(RulesQuestion::MEMBERS));
    schemas.insert("MailTest".into(), json_schema(MailTest::MEMBERS));
    schemas.insert("RulesTest".into(), json_schema(RulesTest::MEMBERS));
    schemas.insert("UserChange".into(), json_schema(UserChange::MEMBERS));
    schemas.insert("NewServiceAccount".into(), json_schema(NewServiceAccount::MEMBERS));
    schemas.insert("UserImport".into(), json_schema(UserImport::MEMBERS));
    schemas.insert("KeyRotation".into(), json_schema(KeyRotation::MEMBERS));
    schemas.insert("ConsumerStart".into(), json_schema(ConsumerStart::MEMBERS));
    schemas.insert("Acknowledgement".into(), json_schema(Acknowledgement::MEMBERS));
    schemas.insert("Batch".into(), json_schema(Batch::MEMBERS));
    schemas
}

fn code_table() -> String {
    let line = |code: &Code| format!("- `{code}` ({}): {}", code.status(), code.title());
    Code::ALL.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The parameters that the app declares for its rules, each with the name it has in a query.
fn declared(schema: &Schema) -> impl Iterator<Item = (String, Value)> {
    schema.app.request_params.iter().map(|fact| {
        let name = declared_name(&fact.name);
        let description = format!("What rules read as `request.params.{}`.", fact.name);
        let holds = export::fact_schema(schema, fact);
        let parameter =
            json!({"name": name, "in": "query", "required": false, "schema": holds, "description": description});
        (name, parameter)
    })
}

/// `param.share`
pub(super) fn declared_name(name: &str) -> String {
    format!("param.{name}")
}

fn parameters(schema: &Schema) -> Value {
    let mut all = known_parameters();
    if let Some(all) = all.as_object_mut() {
        all.extend(declared(schema));
    }
    all
}

fn known_parameters() -> Value {
    let query = |name: &str, schema: Value, description: &str| json!({"name": name, "in": "query", "required": false, "schema": schema, "description": description});
    let text = || json!({"type": "string", "minLength": 1});
    let sent = |name: &str, pattern: &str, description: &str| {
        let schema = json!({"type": "string", "pattern": pattern});
        json!({"name": name, "in": "header", "required": false, "schema": schema, "description": description})
    };
    let object = json!({"application/json": {"schema": {"type": "object"}}});
    json!({
        "provider": {"name": "provider", "in": "path", "required": true, "schema": {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,62}$"}},
        "redirect_to": query("redirect_to", text(), "Where the sign-in leads back to: declared under `auth: redirects`, or a page below `public_url`."),
        "code_challenge": query("code_challenge", json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$"}), "SHA-256 of a verifier as base64url (RFC 7636, S256)."),
        "oauth_link": query("link", text(), "A ticket of `POST /auth/identities/{provider}/link`, in place of the other parameters."),
        "oauth_state": query("state", text(), "Which attempt this is."),
        "oauth_code": query("code", text(), "What the provider trades for its word."),
        "kid": {"name": "kid", "in": "path", "required": true, "schema": {"type": "string"}},
        "id": {"name": "id", "in": "path", "required": true, "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}},
        "consumer": {"name": "name", "in": "path", "required": true, "schema": {"type": "string", "pattern": "^[a-z0-9_-]{1,64}$"}},
        "head": query("head", json!({"type": "string", "pattern": "^[1-9][0-9]*:[0-9a-f]{64}$"}), "A head that was told before, which the trail must still go through."),
        "changes_cursor": query("cursor", text(), "Read on after this, instead of after what was acknowledged."),
        "changes_limit": query("limit", json!({"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}), "Changes per answer."),
        "wait": query("wait", json!({"type": "integer", "minimum": 0, "maximum": 20, "default": 0}), "Seconds to wait for the first change."),
        "filter": query("filter", text(), "An expression that a record must satisfy, such as `room == p.room`."),
        "p": {"name": "p", "in": "query", "required": false, "content": object, "description": "Parameters of the filter: a JSON object."},
        "sort": query("sort", text(), "`-created_at,title`: fields, `-` for descending."),
        "q": query("q", json!({"type": "string", "minLength": 1, "maxLength": 200}), "Words that a record must hold: `red lamp`, `\"red lamp\"`, `lam*`, `-oak`."),
        "limit": query("limit", json!({"type": "integer", "minimum": 1, "maximum": 500, "default": 30}), "Records per page."),
        "cursor": query("cursor", text(), "`next_cursor` of the page before."),
        "fields": query("fields", text(), "`id,title,author.name`: fields to answer, of expanded relations too."),
        "expand": query("expand", text(), "`author,room.owner,members(limit:10,sort:-created_at).user`: relations to answer in full, depth at most 3."),
        "aggregate_count": query("count", json!({"type": "boolean", "default": false}), "Count the records of each group."),
        "sum": query("sum", text(), "`amount,tax`: fields of numbers to add up."),
        "avg": query("avg", text(), "Fields of numbers to take the mean of."),
        "min": query("min", text(), "Fields to take the smallest value of."),
        "max": query("max", text(), "Fields to take the largest value of."),
        "group_by": query("group_by", text(), "`status,room`: what the records of a group have in common."),
        "group_sort": query("sort", text(), "`-count,status,-sum.amount`: fields of `group_by`, `count`, or what is computed."),
        "group_limit": query("limit", json!({"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}), "Groups per page."),
        "count": query("count", json!({"const": "exact"}), "Also tell how many records match."),
        "on_conflict": query("on_conflict", text(), "`sku` or `room,user` or `id`: change the record that has the same values of this unique set (200), or make one (201)."),
        "if_match": sent("If-Match", r#"^(\*|"[0-9]{1,18}")$"#, "Refuse with `version_conflict` unless the record has this version: `\"3\"`."),
        "if_none_match": sent("If-None-Match", r#"^(\*|.*"[0-9]+".*)$"#, "Answer 304 when the record still has this version, if its version says all of the answer."),
        "idempotency_key": sent("Idempotency-Key", "^[!-~]{1,255}$", "1 to 255 visible ASCII characters; the same request with the same key is done once."),
    })
}

pub(super) fn header(description: &str) -> Value {
    json!({"schema": {"type": "string"}, "description": description})
}
