//! The paths: those that every app has, and those of its collections.

use super::components::{declared_name, header, name, schema_ref};
use serde_json::{Map, Value, json};
use stead_schema::{AppSettings, Collection};

/// What an operation needs to be told about. `body` and `answer` name schemas; none is the empty name.
#[derive(Clone, Copy)]
struct Operation<'a> {
    id: &'a str,
    tag: &'a str,
    summary: &'a str,
    parameters: &'a [&'a str],
    body: &'a str,
    answer: &'a str,
    status: &'a str,
    /// What 202 answers, where more is to be shown first.
    question: &'a str,
    headers: &'a [(&'a str, &'a str)],
}

const BLANK: Operation<'static> = Operation {
    id: "",
    tag: "",
    summary: "",
    parameters: &[],
    body: "",
    answer: "",
    status: "200",
    question: "",
    headers: &[],
};

impl<'a> Operation<'a> {
    const fn new(tag: &'a str, id: &'a str, summary: &'a str) -> Self {
        Self { id, tag, summary, ..BLANK }
    }

    /// With a JSON body and a JSON answer.
    const fn trades(self, body: &'a str, answer: &'a str) -> Self {
        Self { body, answer, ..self }
    }

    /// With a JSON answer.
    const fn answers(self, answer: &'a str) -> Self {
        Self { answer, ..self }
    }

    const fn status(self, status: &'a str) -> Self {
        Self { status, ..self }
    }

    const fn or_answers(self, question: &'a str) -> Self {
        Self { question, ..self }
    }

    /// Or a second factor is asked for.
    const fn or_asks(self) -> Self {
        self.or_answers("SecondFactor")
    }

    const fn takes(self, parameters: &'a [&'a str]) -> Self {
        Self { parameters, ..self }
    }

    const fn headers(self, headers: &'a [(&'a str, &'a str)]) -> Self {
        Self { headers, ..self }
    }

    fn json(&self) -> Value {
        let parameters: Vec<Value> = self.parameters.iter().map(|name| parameter(name)).collect();
        let mut operation = json!({
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.summary,
            "responses": {self.status: self.success(), "default": {"$ref": "#/components/responses/Problem"}},
        });
        if self.parameters.contains(&"if_none_match")
            && let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut)
        {
            responses.insert("304".into(), json!({"description": "The client holds this version already."}));
        }
        if !self.question.is_empty()
            && let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut)
        {
            responses.insert("202".into(), self.answers(self.question).success());
        }
        if let Some(object) = operation.as_object_mut() {
            if !parameters.is_empty() {
                object.insert("parameters".into(), Value::Array(parameters));
            }
            if !self.body.is_empty() {
                let content = json!({"application/json": {"schema": schema_ref(self.body)}});
                object.insert("requestBody".into(), json!({"required": true, "content": content}));
            }
        }
        operation
    }

    fn success(&self) -> Value {
        let mut success = Map::new();
        let description = if self.answer.is_empty() { "Done; no body." } else { "Done." };
        success.insert("description".into(), description.into());
        if !self.headers.is_empty() {
            let headers = self.headers.iter().map(|(name, text)| ((*name).to_owned(), header(text)));
            success.insert("headers".into(), headers.collect::<Map<_, _>>().into());
        }
        if !self.answer.is_empty() {
            success
                .insert("content".into(), json!({"application/json": {"schema": schema_ref(self.answer)}}));
        }
        Value::Object(success)
    }
}

fn parameter(name: &str) -> Value {
    json!({ "$ref": format!("#/components/parameters/{name}") })
}

const VERSION: (&str, &str) = ("ETag", "The record's version in quotes.");
const LOCATION: (&str, &str) = ("Location", "Where the record lives.");
const SENT_TO: (&str, &str) = ("Location", "Where the browser goes.");
const REPLAYED: (&str, &str) =
    ("Idempotent-Replayed", "`true` when this answer was stored for the key earlier.");

const fn auth<'a>(id: &'a str, summary: &'a str) -> Operation<'a> {
    Operation::new("auth", id, summary)
}

const fn server<'a>(id: &'a str, summary: &'a str) -> Operation<'a> {
    Operation::new("server", id, summary).answers("Object")
}

/// Path, method, operation: what every app has.
const GENERAL: &[(&str, &str, Operation<'static>)] = &[
    (
        "/api/v1/auth/sign-up",
        "post",
        auth(
            "signUp",
            "Make a user and sign in; 202 with a challenge where the address must be proven first.",
        )
        .trades("SignUp", "Session")
        .status("201")
        .or_answers("Challenge"),
    ),
    (
        "/api/v1/auth/sign-up/confirm",
        "post",
        auth("confirmSignUp", "Prove the address of a sign-up; the user is made and signed in.")
            .trades("SignUpConfirm", "Session")
            .status("201"),
    ),
    (
        "/api/v1/auth/sign-in/magic-link",
        "post",
        auth("sendMagicLink", "Send a link to sign in with.").trades("SendSignIn", "Challenge").status("202"),
    ),
    (
        "/api/v1/auth/sign-in/anonymous",
        "post",
        auth("signInAnonymously", "Make a user without an account and sign in.")
            .trades("AnonymousSignIn", "Session")
            .status("201"),
    ),
    (
        "/api/v1/auth/upgrade",
        "post",
        auth(
            "upgrade",
            "Give an anonymous user an account; 202 with a challenge where the address must be proven first.",
        )
        .trades("Upgrade", "Session"),
    ),
    (
        "/api/v1/auth/upgrade/confirm",
        "post",
        auth(
            "confirmUpgrade",
            "Give an anonymous user the account whose address is proven by what was sent.",
        )
        .trades("EmailConfirm", "Session"),
    ),
    (
        "/api/v1/auth/sign-in/otp",
        "post",
        auth("sendOtp", "Send a code to sign in with.").trades("SendSignIn", "Challenge").status("202"),
    ),
    (
        "/api/v1/auth/otp/verify",
        "post",
        auth("verifyOtp", "Sign in with a link or a code that was sent.")
            .trades("OtpVerify", "Session")
            .or_asks(),
    ),
    (
        "/api/v1/auth/email/verify/request",
        "post",
        auth("requestVerification", "Send a link and a code to the caller's address.")
            .trades("VerifyRequest", "Challenge")
            .status("202"),
    ),
    (
        "/api/v1/auth/email/verify/confirm",
        "post",
        auth("confirmVerification", "Prove the address of an account.")
            .trades("EmailConfirm", "")
            .status("204"),
    ),
    (
        "/api/v1/auth/email/change",
        "post",
        auth("requestEmailChange", "Send a link and a code to the address that the account is to get.")
            .trades("EmailChange", "Challenge")
            .status("202"),
    ),
    (
        "/api/v1/auth/email/change/confirm",
        "post",
        auth("confirmEmailChange", "Give the account the new address; other sessions end.")
            .trades("EmailConfirm", "")
            .status("204"),
    ),
    (
        "/api/v1/auth/email/change/undo",
        "post",
        auth("undoEmailChange", "Give the account back to the address of before.")
            .trades("EmailUndo", "")
            .status("204"),
    ),
    (
        "/api/v1/auth/password/reset/request",
        "post",
        auth("requestPasswordReset", "Send a link and a code to choose a new password with.")
            .trades("SendTo", "Challenge")
            .status("202"),
    ),
    (
        "/api/v1/auth/password/reset/confirm",
        "post",
        auth("confirmPasswordReset", "Set a new password; every session of the user ends.")
            .trades("ResetConfirm", "")
            .status("204"),
    ),
    (
        "/api/v1/auth/sign-in/password",
        "post",
        auth("signInWithPassword", "Sign in with e-mail and password.")
            .trades("PasswordSignIn", "Session")
            .or_asks(),
    ),
    (
        "/api/v1/auth/password/change",
        "post",
        auth("changePassword", "Change the caller's password; the caller's other sessions end.")
            .trades("PasswordChange", "")
            .status("204"),
    ),
    (
        "/api/v1/auth/sign-in/id-token",
        "post",
        auth("signInWithIdToken", "Sign in with the ID token of a device's own sign-in.")
            .trades("IdTokenSignIn", "Session")
            .or_asks(),
    ),
    (
        "/api/v1/auth/oauth/{provider}/start",
        "get",
        auth("startOauth", "Send a browser to a provider.")
            .takes(&["provider", "redirect_to", "code_challenge", "oauth_link"])
            .headers(&[SENT_TO])
            .status("302"),
    ),
    (
        "/api/v1/auth/oauth/{provider}/callback",
        "get",
        auth("finishOauth", "Where a provider sends a browser back to.")
            .takes(&["provider", "oauth_state", "oauth_code"])
            .headers(&[SENT_TO])
            .status("303"),
    ),
    (
        "/api/v1/auth/oauth/{provider}/callback",
        "post",
        auth("finishOauthByForm", "The same, by a form.")
            .takes(&["provider"])
            .headers(&[SENT_TO])
            .status("303"),
    ),
    (
        "/api/v1/auth/oauth/exchange",
        "post",
        auth("exchangeOauthCode", "Trade what a sign-in at a provider led back with for a session.")
            .trades("OauthExchange", "Session")
            .or_asks(),
    ),
    (
        "/api/v1/auth/identities",
        "get",
        auth("listIdentities", "Who the caller is at providers.").answers("Object"),
    ),
    (
        "/api/v1/auth/identities",
        "post",
        auth("linkIdentity", "Add the identity that the browser came back with to the caller's account.")
            .trades("OauthExchange", "Object")
            .status("201"),
    ),
    (
        "/api/v1/auth/identities/{provider}/link",
        "post",
        auth("startLink", "Where the caller's browser goes to be known at a provider.")
            .takes(&["provider"])
            .trades("IdentityLink", "Object"),
    ),
    (
        "/api/v1/auth/identities/{id}",
        "delete",
        auth("unlinkIdentity", "Remove an identity of the caller.").takes(&["id"]).status("204"),
    ),
    ("/api/v1/auth/mfa", "get", auth("listFactors", "The caller's second factors.").answers("Object")),
    (
        "/api/v1/auth/mfa/verify",
        "post",
        auth("verifySecondFactor", "End a sign-in with a second factor.").trades("MfaVerify", "Session"),
    ),
    (
        "/api/v1/auth/mfa/totp",
        "delete",
        auth("removeTotp", "Ask for no codes of the caller's authenticator app any more.").status("204"),
    ),
    (
        "/api/v1/auth/mfa/totp/enroll",
        "post",
        auth("enrollTotp", "Draw a seed for the caller's authenticator app; it is shown once.")
            .answers("Object"),
    ),
    (
        "/api/v1/auth/mfa/totp/activate",
        "post",
        auth("activateTotp", "Begin to ask for codes of the app; recovery codes are shown once.")
            .trades("TotpActivate", "Object"),
    ),
    (
        "/api/v1/auth/mfa/recovery/regenerate",
        "post",
        auth("regenerateRecoveryCodes", "Other recovery codes in the place of the caller's.")
            .answers("Object"),
    ),
    (
        "/api/v1/auth/sign-in/passkey",
        "post",
        auth("signInWithPasskey", "Sign in with a passkey, which is worth both factors.")
            .trades("PasskeyProof", "Session"),
    ),
    ("/api/v1/auth/passkeys", "get", auth("listPasskeys", "The caller's passkeys.").answers("Object")),
    (
        "/api/v1/auth/passkeys",
        "post",
        auth("addPasskey", "Take the passkey that the caller's device made.")
            .trades("NewPasskey", "Object")
            .status("201"),
    ),
    (
        "/api/v1/auth/passkeys/options",
        "post",
        auth("passkeyOptions", "What a device is asked for to show a passkey.").answers("Object"),
    ),
    (
        "/api/v1/auth/passkeys/register",
        "post",
        auth("beginPasskey", "What a device is asked for to make a passkey for the caller.")
            .answers("Object"),
    ),
    (
        "/api/v1/auth/passkeys/{id}",
        "patch",
        auth("renamePasskey", "Give a passkey of the caller another name.")
            .takes(&["id"])
            .trades("PasskeyChange", "")
            .status("204"),
    ),
    (
        "/api/v1/auth/passkeys/{id}",
        "delete",
        auth("removePasskey", "Remove a passkey of the caller.").takes(&["id"]).status("204"),
    ),
    (
        "/api/v1/auth/reauth",
        "post",
        auth("reauthenticate", "Show again who one is; the session counts as fresh for ten minutes.")
            .trades("Reauth", "")
            .status("204"),
    ),
    (
        "/api/v1/auth/token/refresh",
        "post",
        auth("refreshToken", "Trade a refresh token for the next pair.").trades("Refresh", "Session"),
    ),
    (
        "/api/v1/auth/sign-out",
        "post",
        auth("signOut", "End sessions of the caller.").trades("SignOut", "").status("204"),
    ),
    ("/api/v1/auth/me", "get", auth("getMe", "The caller's own record.").answers("Object")),
    (
        "/api/v1/auth/me",
        "patch",
        auth("updateMe", "Change the caller's own record.").trades("Object", "Object"),
    ),
    (
        "/api/v1/auth/me",
        "delete",
        auth(
            "deleteAccount",
            "Delete the caller's account, at once or after the app's time for second thoughts.",
        )
        .answers("Object"),
    ),
    (
        "/api/v1/auth/me/export",
        "post",
        auth("exportMe", "What the server holds of the caller, with the records that refer to the caller.")
            .answers("Object"),
    ),
    (
        "/api/v1/auth/session",
        "get",
        auth("getSession", "What rules know of the caller: roles, claims, how and when it signed in.")
            .answers("Object"),
    ),
    ("/api/v1/auth/sessions", "get", auth("listSessions", "The caller's sessions.").answers("Object")),
    (
        "/api/v1/auth/sessions/{id}",
        "delete",
        auth("endSession", "End one session of the caller.").takes(&["id"]).status("204"),
    ),
    ("/api/v1/auth/api-keys", "get", auth("listOwnKeys", "The caller's API keys.").answers("Object")),
    (
        "/api/v1/auth/api-keys",
        "post",
        auth("makeOwnKey", "Make an API key that stands for the caller; its secret is told once.")
            .trades("NewKey", "Object")
            .status("201"),
    ),
    (
        "/api/v1/auth/api-keys/{id}",
        "delete",
        auth("endOwnKey", "End an API key of the caller at once.").takes(&["id"]).status("204"),
    ),
    (
        "/api/v1/auth/settings",
        "get",
        auth("getAuthSettings", "What a sign-in screen may offer.").answers("Object"),
    ),
    (
        "/api/v1/auth/puzzle",
        "get",
        auth("getPuzzle", "A puzzle, where the app asks for one; its answer goes into `Stead-Captcha`.")
            .answers("Object"),
    ),
    (
        "/api/v1/batch",
        "post",
        Operation::new("records", "batch", "Several operations, all or nothing.")
            .trades("Batch", "BatchResults")
            .takes(&["idempotency_key"])
            .headers(&[REPLAYED]),
    ),
    (
        "/api/v1/admin/session",
        "post",
        Operation::new("operators", "signInOperator", "Sign in as an operator.")
            .trades("PasswordSignIn", "Object"),
    ),
    (
        "/api/v1/admin/invitations",
        "get",
        Operation::new("operators", "listInvitations", "Invitations that wait.").answers("Object"),
    ),
    (
        "/api/v1/admin/invitations",
        "post",
        Operation::new("operators", "invite", "Invite somebody to sign up; the link is told once.")
            .trades("NewInvitation", "Object")
            .status("201"),
    ),
    (
        "/api/v1/admin/invitations/{id}",
        "delete",
        Operation::new("operators", "withdrawInvitation", "Make an invitation worthless.")
            .takes(&["id"])
            .status("204"),
    ),
    (
        "/api/v1/admin/api-keys",
        "get",
        Operation::new("operators", "listKeys", "API keys of the server and of every user.")
            .answers("Object"),
    ),
    (
        "/api/v1/admin/api-keys",
        "post",
        Operation::new(
            "operators",
            "makeKey",
            "Make an API key of the server or of a user; its secret is told once.",
        )
        .trades("NewKey", "Object")
        .status("201"),
    ),
    (
        "/api/v1/admin/api-keys/{id}",
        "delete",
        Operation::new("operators", "endKey", "End an API key at once.").takes(&["id"]).status("204"),
    ),
    (
        "/api/v1/admin/signing-keys",
        "get",
        Operation::new("operators", "listSigningKeys", "What signs access tokens.").answers("Object"),
    ),
    (
        "/api/v1/admin/signing-keys/rotate",
        "post",
        Operation::new("operators", "rotateSigningKeys", "Let another key sign access tokens.")
            .trades("KeyRotation", "Object"),
    ),
    (
        "/api/v1/admin/signing-keys/{kid}/revoke",
        "post",
        Operation::new("operators", "revokeSigningKey", "End a signing key and its tokens at once.")
            .takes(&["kid"])
            .answers("Object"),
    ),
    (
        "/api/v1/admin/audit/verify",
        "get",
        Operation::new("operators", "verifyAudit", "Whether the audit trail is as it was written.")
            .takes(&["head"])
            .answers("Object"),
    ),
    (
        "/api/v1/admin/nodes",
        "get",
        Operation::new("operators", "listNodes", "The servers that live on this database.").answers("Object"),
    ),
    (
        "/api/v1/admin/consumers",
        "get",
        Operation::new("operators", "listConsumers", "Who takes changes from the log.").answers("Object"),
    ),
    (
        "/api/v1/admin/consumers/{name}",
        "get",
        Operation::new("operators", "getConsumer", "How far a consumer is.")
            .takes(&["consumer"])
            .answers("Object"),
    ),
    (
        "/api/v1/admin/consumers/{name}",
        "put",
        Operation::new("operators", "addConsumer", "Add a consumer, if it is not there.")
            .takes(&["consumer"])
            .trades("ConsumerStart", "Object"),
    ),
    (
        "/api/v1/admin/consumers/{name}",
        "delete",
        Operation::new("operators", "removeConsumer", "Remove a consumer; nothing is kept for it any more.")
            .takes(&["consumer"])
            .status("204"),
    ),
    (
        "/api/v1/admin/consumers/{name}/changes",
        "get",
        Operation::new("operators", "readChanges", "The changes that a consumer has not acknowledged.")
            .takes(&["consumer", "changes_cursor", "changes_limit", "wait"])
            .answers("Object"),
    ),
    (
        "/api/v1/admin/consumers/{name}/acknowledge",
        "post",
        Operation::new("operators", "acknowledgeChanges", "Tell that changes up to a cursor were taken.")
            .takes(&["consumer"])
            .trades("Acknowledgement", "Object"),
    ),
    (
        "/api/v1/admin/rules/explain",
        "post",
        Operation::new(
            "operators",
            "explainRules",
            "Why the rules allow or deny something, clause by clause.",
        )
        .trades("RulesQuestion", "Object"),
    ),
    (
        "/api/v1/admin/rules/test",
        "post",
        Operation::new("operators", "testRules", "Run a file of rule tests against the running app.")
            .trades("RulesTest", "Object"),
    ),
    (
        "/api/v1/admin/mail/test",
        "post",
        Operation::new("operators", "testMail", "Send a sample mail and hear what the mail server said.")
            .trades("MailTest", "Object"),
    ),
    (
        "/api/v1/admin/service-accounts",
        "get",
        Operation::new("operators", "listServiceAccounts", "Users that are programs.").answers("Object"),
    ),
    (
        "/api/v1/admin/service-accounts",
        "post",
        Operation::new(
            "operators",
            "makeServiceAccount",
            "Make a user that is a program: it has keys that operators make, and no way to sign in.",
        )
        .trades("NewServiceAccount", "Object")
        .status("201"),
    ),
    (
        "/api/v1/admin/users/import",
        "post",
        Operation::new(
            "operators",
            "importUsers",
            "Make users who come from elsewhere, with the hashes of their passwords: all or none.",
        )
        .trades("UserImport", "Object"),
    ),
    (
        "/api/v1/admin/users/{id}",
        "patch",
        Operation::new(
            "operators",
            "changeUser",
            "Give a user exactly these roles, and change these claims.",
        )
        .takes(&["id"])
        .trades("UserChange", "Object"),
    ),
    (
        "/api/v1/admin/users/{id}/mfa",
        "delete",
        Operation::new("operators", "resetFactors", "Remove the second factors of a user who has lost them.")
            .takes(&["id"])
            .status("204"),
    ),
    (
        "/api/v1/realtime",
        "get",
        Operation::new(
            "realtime",
            "openRealtime",
            "Open a WebSocket (subprotocol `stead.v1.json`) and subscribe to records.",
        )
        .status("101"),
    ),
    ("/api/v1/openapi.json", "get", server("getOpenapi", "This document.")),
    ("/healthz", "get", server("getHealth", "Whether the process answers.")),
    ("/readyz", "get", server("getReadiness", "Whether requests can be answered, writes included.")),
    ("/.well-known/jwks.json", "get", server("getJwks", "Public keys of access tokens (RFC 7517).")),
    (
        "/.well-known/openid-configuration",
        "get",
        server("getOpenidConfiguration", "Who issues access tokens, and where the keys are."),
    ),
];

/// Adds the paths that every app has.
pub(super) fn general(all: &mut Map<String, Value>) {
    for (path, method, operation) in GENERAL {
        let item = all.entry(*path).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert((*method).to_owned(), operation.json());
        }
    }
}

/// Adds the paths of one collection.
pub(super) fn collection(collection: &Collection, app: &AppSettings, all: &mut Map<String, Value>) {
    let called = &collection.name;
    let one = name(collection, "");
    let parts = ["page", "create", "patch", "upsert"].map(|part| name(collection, part));
    let [page, create, patch, upsert] = parts.each_ref().map(String::as_str);
    let about = |verb: &str, text: &str| (format!("{verb}.{called}"), format!("{text} of `{called}`."));
    let texts = [
        about("list", "Records the caller may see"),
        about("aggregate", "Counts, sums, means and extremes over the records the caller may see"),
        about("create", "Make a record"),
        about("get", "One record"),
        about("update", "Change the named fields of a record"),
        about("replace", "Replace every field of a record"),
        about("delete", "Remove a record"),
    ];
    let [list, aggregate, make, get, update, replace, delete] =
        texts.each_ref().map(|(id, summary)| Operation::new("records", id, summary));
    let changes = ["if_match", "idempotency_key"];
    let mut asked = vec!["filter", "p", "sort", "limit", "cursor", "fields", "expand", "count"];
    asked.extend(collection.search.is_some().then_some("q"));
    let list = list.takes(&asked).answers(page);
    let aggregate = aggregate
        .takes(&[
            "aggregate_count",
            "sum",
            "avg",
            "min",
            "max",
            "group_by",
            "filter",
            "p",
            "group_sort",
            "group_limit",
            "cursor",
        ])
        .answers("Groups");
    let make = make
        .takes(&["on_conflict", "idempotency_key"])
        .trades(create, &one)
        .status("201")
        .headers(&[VERSION, LOCATION, REPLAYED]);
    let get = get.takes(&["fields", "expand", "if_none_match"]).answers(&one).headers(&[VERSION]);
    let update = update.takes(&changes).trades(patch, &one).headers(&[VERSION, REPLAYED]);
    let replace = replace.takes(&changes).trades(create, &one).headers(&[VERSION, REPLAYED]);
    let delete = delete.takes(&changes).status("204").headers(&[REPLAYED]);
    let declared: Vec<Value> =
        app.request_params.iter().map(|fact| parameter(&declared_name(&fact.name))).collect();
    let one_of_them: Vec<Value> = std::iter::once(parameter("id")).chain(declared.clone()).collect();
    all.insert(
        format!("/api/v1/collections/{called}/records"),
        json!({"parameters": declared, "get": list.json(), "post": or_upsert(make.json(), create, upsert, &one)}),
    );
    all.insert(
        format!("/api/v1/collections/{called}/aggregate"),
        json!({"parameters": declared, "get": aggregate.json()}),
    );
    all.insert(
        format!("/api/v1/collections/{called}/records/{{id}}"),
        json!({
            "parameters": one_of_them,
            "get": get.json(), "patch": update.json(), "put": replace.json(), "delete": delete.json(),
        }),
    );
}

/// A create that `on_conflict` turns into an upsert: the body may then leave out more and hold operators, and what was
/// there already is answered with 200.
fn or_upsert(mut make: Value, create: &str, upsert: &str, record: &str) -> Value {
    if let Some(body) = make.pointer_mut("/requestBody/content/application~1json/schema") {
        *body = json!({"anyOf": [schema_ref(create), schema_ref(upsert)]});
    }
    if let Some(responses) = make.get_mut("responses").and_then(Value::as_object_mut) {
        let changed = Operation::new("records", "", "").answers(record).headers(&[VERSION, REPLAYED]);
        responses.insert("200".into(), changed.success());
    }
    make
}
