//! The paths: those that every app has, and those of its collections.

use super::components::{header, name, schema_ref};
use serde_json::{Map, Value, json};
use stead_schema::{Collection, Schema};

/// What an operation needs to be told about.
struct Operation<'a> {
    id: String,
    tag: &'a str,
    summary: String,
    parameters: &'a [&'a str],
    body: Option<Value>,
    answer: Option<Value>,
    status: &'a str,
    headers: &'a [(&'a str, &'a str)],
}

impl Operation<'_> {
    fn json(self) -> Value {
        let parameters: Vec<Value> = self
            .parameters
            .iter()
            .map(|name| json!({ "$ref": format!("#/components/parameters/{name}") }))
            .collect();
        let mut success =
            json!({"description": if self.answer.is_some() { "Done." } else { "Done; no body." }});
        if let (Some(object), Some(schema)) = (success.as_object_mut(), self.answer) {
            object.insert("content".into(), json!({"application/json": {"schema": schema}}));
        }
        if let (Some(object), false) = (success.as_object_mut(), self.headers.is_empty()) {
            let headers: Map<String, Value> =
                self.headers.iter().map(|(name, text)| ((*name).to_owned(), header(text))).collect();
            object.insert("headers".into(), Value::Object(headers));
        }
        let mut operation = json!({
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.summary,
            "responses": {self.status: success, "default": {"$ref": "#/components/responses/Problem"}},
        });
        if let Some(object) = operation.as_object_mut() {
            if !parameters.is_empty() {
                object.insert("parameters".into(), Value::Array(parameters));
            }
            if let Some(schema) = self.body {
                let body = json!({"required": true, "content": {"application/json": {"schema": schema}}});
                object.insert("requestBody".into(), body);
            }
        }
        operation
    }
}

const SIMPLE: Operation<'static> = Operation {
    id: String::new(),
    tag: "records",
    summary: String::new(),
    parameters: &[],
    body: None,
    answer: None,
    status: "200",
    headers: &[],
};

const VERSION: (&str, &str) = ("ETag", "The record's version in quotes.");
const REPLAYED: (&str, &str) =
    ("Idempotent-Replayed", "`true` when this answer was stored for the key earlier.");

/// Paths that every app has.
pub(super) fn general(all: &mut Map<String, Value>) {
    let body = |name: &str| Some(schema_ref(name));
    let object = || Some(json!({"type": "object"}));
    let auth =
        |id: &str, summary: &str| Operation { id: id.into(), tag: "auth", summary: summary.into(), ..SIMPLE };
    let server = |id: &str, summary: &str| {
        let answer = Some(json!({"type": "object"}));
        Operation { id: id.into(), tag: "server", summary: summary.into(), answer, ..SIMPLE }
    };
    let session = || body("Session");
    let mut add = |path: &str, method: &str, operation: Operation<'_>| {
        let item = all.entry(path.to_owned()).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(method.to_owned(), operation.json());
        }
    };
    let sign_up = auth("signUp", "Make a user and sign in.");
    add(
        "/api/v1/auth/sign-up",
        "post",
        Operation { body: body("SignUp"), answer: session(), status: "201", ..sign_up },
    );
    let sign_in = auth("signInWithPassword", "Sign in with e-mail and password.");
    add(
        "/api/v1/auth/sign-in/password",
        "post",
        Operation { body: body("PasswordSignIn"), answer: session(), ..sign_in },
    );
    let refresh = auth("refreshToken", "Trade a refresh token for the next pair.");
    add(
        "/api/v1/auth/token/refresh",
        "post",
        Operation { body: body("Refresh"), answer: session(), ..refresh },
    );
    let sign_out = auth("signOut", "End sessions of the caller.");
    add("/api/v1/auth/sign-out", "post", Operation { body: body("SignOut"), status: "204", ..sign_out });
    add(
        "/api/v1/auth/me",
        "get",
        Operation { answer: object(), ..auth("getMe", "The caller's own record.") },
    );
    let change = auth("updateMe", "Change the caller's own record.");
    add("/api/v1/auth/me", "patch", Operation { body: object(), answer: object(), ..change });
    add(
        "/api/v1/auth/sessions",
        "get",
        Operation { answer: object(), ..auth("listSessions", "The caller's sessions.") },
    );
    let end = auth("endSession", "End one session of the caller.");
    add("/api/v1/auth/sessions/{id}", "delete", Operation { status: "204", parameters: &["id"], ..end });
    let settings = auth("getAuthSettings", "What a sign-in screen may offer.");
    add("/api/v1/auth/settings", "get", Operation { answer: object(), ..settings });
    let batch =
        Operation { id: "batch".into(), summary: "Several operations, all or nothing.".into(), ..SIMPLE };
    let results =
        Operation { body: body("Batch"), answer: body("BatchResults"), headers: &[REPLAYED], ..batch };
    add("/api/v1/batch", "post", Operation { parameters: &["idempotency_key"], ..results });
    let operator = Operation {
        id: "signInOperator".into(),
        tag: "operators",
        summary: "Sign in as an operator.".into(),
        ..SIMPLE
    };
    add(
        "/api/v1/admin/session",
        "post",
        Operation { body: body("PasswordSignIn"), answer: object(), ..operator },
    );
    add("/api/v1/openapi.json", "get", server("getOpenapi", "This document."));
    add("/healthz", "get", server("getHealth", "Whether the process answers."));
    add("/readyz", "get", server("getReadiness", "Whether requests can be answered, writes included."));
    add("/.well-known/jwks.json", "get", server("getJwks", "Public keys of access tokens (RFC 7517)."));
    add(
        "/.well-known/openid-configuration",
        "get",
        server("getOpenidConfiguration", "Discovery of the token keys."),
    );
}

/// Paths of one collection.
pub(super) fn collection(schema: &Schema, collection: &Collection, all: &mut Map<String, Value>) {
    let _ = schema;
    let one = || Some(schema_ref(&name(collection, "")));
    let patch = || Some(schema_ref(&name(collection, "patch")));
    let create = || Some(schema_ref(&name(collection, "create")));
    let titled = |verb: &str, summary: String| Operation {
        id: format!("{verb}.{}", collection.name),
        summary,
        ..SIMPLE
    };
    let called = &collection.name;
    let list = Operation {
        parameters: &["filter", "p", "sort", "limit", "cursor", "fields", "expand", "count"],
        answer: Some(schema_ref(&name(collection, "page"))),
        ..titled("list", format!("Records of `{called}` the caller may see."))
    };
    let make = Operation {
        parameters: &["idempotency_key"],
        body: create(),
        answer: one(),
        status: "201",
        headers: &[VERSION, ("Location", "Where the record lives."), REPLAYED],
        ..titled("create", format!("Make a record of `{called}`."))
    };
    all.insert(
        format!("/api/v1/collections/{called}/records"),
        json!({"get": list.json(), "post": make.json()}),
    );
    let get = Operation {
        parameters: &["fields", "expand", "if_none_match"],
        answer: one(),
        headers: &[VERSION],
        ..titled("get", format!("One record of `{called}`."))
    };
    let changes = ["if_match", "idempotency_key"];
    let change = |verb: &str, summary: &str, body: Option<Value>| {
        let operation = titled(verb, format!("{summary} of `{called}`."));
        Operation { parameters: &changes, body, answer: one(), headers: &[VERSION, REPLAYED], ..operation }
            .json()
    };
    let delete = Operation {
        parameters: &changes,
        status: "204",
        headers: &[REPLAYED],
        ..titled("delete", format!("Remove a record of `{called}`."))
    };
    all.insert(
        format!("/api/v1/collections/{called}/records/{{id}}"),
        json!({
            "parameters": [{"$ref": "#/components/parameters/id"}],
            "get": get.json(),
            "patch": change("update", "Change the named fields of a record", patch()),
            "put": change("replace", "Replace every field of a record", create()),
            "delete": delete.json(),
        }),
    );
}
