//! Passkeys: who gets in with one, and every way in which a device, a page or a stranger may lie.

use super::app::{App, PASSWORD, by_mail, sign_in};
use crate::mail::Kind;
use crate::{Error, auth};
use futures_util::future::join_all;
use serde_json::{Value as Json, json};
use stead_test_devices::{Authenticator, Ceremony, Passkey};
use stead_wire::Code;
use stead_wire::auth::{
    MfaVerify, NewPasskey, PasskeyChange, PasskeyProof, Reauth, SessionAnswer, SignInAnswer, TotpActivate,
};

/// Where `App` says that it is served.
const HERE: &str = "http://app.example";
const METHODS: &str = "  methods: [password, otp, passkey]\n";

async fn open() -> App {
    App::open_auth(METHODS).await
}

/// Somebody with a passkey.
async fn person(app: &App, name: &str) -> (SessionAnswer, Passkey) {
    let session = app.sign_up(name).await;
    let passkey = add(app, &session, "Laptop").await.unwrap();
    app.letters().await;
    (session, passkey)
}

async fn add(app: &App, session: &SessionAnswer, name: &str) -> Result<Passkey, Code> {
    let cx = app.as_user(&session.access_token).await;
    let asked = auth::begin_passkey(&cx).await.map_err(|error| error.code)?;
    let (passkey, credential) = Passkey::make(&asked["options"], HERE);
    let body = NewPasskey { token: text(&asked["token"]), credential, name: Some(name.to_owned()) };
    auth::add_passkey(&cx, body).await.map(|_| passkey).map_err(|error| error.code)
}

fn text(value: &Json) -> String {
    value.as_str().unwrap().to_owned()
}

async fn asked(app: &App) -> Json {
    auth::passkey_options(&app.nobody()).await.unwrap()
}

fn proof(asked: &Json, credential: Json) -> PasskeyProof {
    PasskeyProof { token: text(&asked["token"]), credential }
}

async fn show(app: &App, asked: &Json, credential: Json) -> Result<SessionAnswer, Code> {
    auth::sign_in_with_passkey(&app.nobody(), proof(asked, credential)).await.map_err(|error| error.code)
}

async fn enter(app: &App, passkey: &mut Passkey) -> Result<SessionAnswer, Code> {
    let asked = asked(app).await;
    let credential = passkey.sign(&asked["options"], HERE);
    show(app, &asked, credential).await
}

async fn aal(app: &App, session: &SessionAnswer) -> u8 {
    app.as_user(&session.access_token).await.caller.facts().unwrap().aal
}

async fn listed(app: &App, session: &SessionAnswer) -> Vec<Json> {
    let all = auth::passkeys(&app.as_user(&session.access_token).await).await.unwrap();
    all["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_passkey_lets_its_user_in_without_a_name_and_is_worth_both_factors() {
    let app = open().await;
    let ana = app.sign_up("ana").await;
    let id = text(&ana.user["id"]);
    let cx = app.as_user(&ana.access_token).await;
    let asked = auth::begin_passkey(&cx).await.unwrap();
    let options = &asked["options"];
    assert_eq!(
        (&options["rp"]["id"], &options["user"]["name"]),
        (&json!("app.example"), &json!("ana@example.com"))
    );
    let wanted = &options["authenticatorSelection"];
    assert_eq!(
        (&wanted["residentKey"], &wanted["userVerification"]),
        (&json!("required"), &json!("required"))
    );
    assert!(!options.to_string().contains(&id), "a device learns no id of a user");
    let mut laptop = add(&app, &ana, "Laptop").await.unwrap();
    assert_eq!(app.letter().await.kind, Kind::PasskeyAdded);
    app.events().await;
    let entered = enter(&app, &mut laptop).await.unwrap();
    assert_eq!((text(&entered.user["id"]), aal(&app, &entered).await), (id, 2));
    let facts = app.as_user(&entered.access_token).await;
    assert_eq!(facts.caller.facts().unwrap().method.name(), "passkey");
    let shown = listed(&app, &ana).await;
    assert_eq!((&shown[0]["name"], shown[0]["last_used_at"].is_string()), (&json!("Laptop"), true));
    // Control: with the password alone it is one factor.
    assert_eq!(aal(&app, &app.sign_in("ana").await).await, 1);
    assert_eq!(app.count("SELECT count(*) FROM _audit WHERE action = 'passkeys.add'").await, 1);
}

/// A change of what a device says, by name.
type Lie = (&'static str, fn(&mut Ceremony));

const LIES: &[Lie] = &[
    ("another page", |said| said.origin = "https://evil.example".to_owned()),
    ("a page below", |said| said.origin = "http://sub.app.example".to_owned()),
    ("another port", |said| said.origin = "http://app.example:8443".to_owned()),
    ("another scheme", |said| said.origin = "https://app.example".to_owned()),
    ("a frame", |said| said.cross_origin = true),
    ("another domain", |said| said.domain = "evil.example".to_owned()),
    ("another challenge", |said| said.challenge = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned()),
    ("nobody there", |said| said.present = false),
    ("nobody known", |said| said.verified = false),
];

#[tokio::test]
async fn at_32_a_sign_in_that_lies_about_anything_is_refused() {
    let app = open().await;
    let (_, mut laptop) = person(&app, "ana").await;
    let (_, bobs) = person(&app, "bob").await;
    let more: &[Lie] = &[
        ("a registration", |said| said.kind = "webauthn.create".to_owned()),
        ("somebody else's", |said| said.user_handle = vec![7; 16]),
        ("no handle", |said| said.user_handle = Vec::new()),
        ("counted backwards", |said| said.counter = 0),
    ];
    // One that counted, so that it can count backwards.
    enter(&app, &mut laptop).await.unwrap();
    for (what, lie) in LIES.iter().chain(more) {
        let asked = asked(&app).await;
        let mut said = laptop.ceremony(&asked["options"], HERE);
        lie(&mut said);
        let answer = show(&app, &asked, laptop.assert(&said)).await;
        assert_eq!(answer.map(drop), Err(Code::ProofInvalid), "{what}");
    }
    // Signed by another's key under her id, and under an id that nobody has.
    let challenge = asked(&app).await;
    let said = laptop.ceremony(&challenge["options"], HERE);
    let mut forged = bobs.assert(&said);
    forged["id"] = json!(laptop.id());
    forged["rawId"] = json!(laptop.id());
    assert_eq!(show(&app, &challenge, forged).await.unwrap_err(), Code::ProofInvalid);
    let challenge = asked(&app).await;
    let mut unknown = laptop.sign(&challenge["options"], HERE);
    unknown["id"] = json!("AAAA");
    unknown["rawId"] = json!("AAAA");
    assert_eq!(show(&app, &challenge, unknown).await.unwrap_err(), Code::ProofInvalid);
    assert_eq!(app.count("SELECT count(*) FROM _audit WHERE action = 'passkeys.copied'").await, 1);
    // Control.
    enter(&app, &mut laptop).await.unwrap();
}

#[tokio::test]
async fn at_32_a_registration_that_lies_about_anything_is_refused() {
    let app = open().await;
    let ana = app.sign_up("ana").await;
    let cx = app.as_user(&ana.access_token).await;
    let more: &[Lie] = &[("a sign-in", |said| said.kind = "webauthn.get".to_owned())];
    for (what, lie) in LIES.iter().chain(more) {
        let asked = auth::begin_passkey(&cx).await.unwrap();
        let (passkey, mut said) = Passkey::begin(&asked["options"], HERE);
        lie(&mut said);
        let credential = passkey.attest(&said);
        let body = NewPasskey { token: text(&asked["token"]), credential, name: None };
        assert_eq!(auth::add_passkey(&cx, body).await.unwrap_err().code, Code::ProofInvalid, "{what}");
    }
    assert!(listed(&app, &ana).await.is_empty());
    assert!(app.letters().await.is_empty());
    // Control.
    add(&app, &ana, "Laptop").await.unwrap();
}

#[tokio::test]
async fn at_32_what_no_device_answers_is_told_and_a_damaged_answer_is_refused() {
    let app = open().await;
    let (ana, mut laptop) = person(&app, "ana").await;
    for credential in
        [json!(null), json!({}), json!("x"), json!({ "id": 1 }), json!({ "id": "A", "rawId": "%%%" })]
    {
        let asked = asked(&app).await;
        let error = auth::sign_in_with_passkey(&app.nobody(), proof(&asked, credential)).await.unwrap_err();
        assert_eq!((error.code, error.fields[0].path.as_str()), (Code::FieldInvalid, "/credential"));
    }
    // Every part cut short, emptied, doubled and turned around.
    let cx = app.as_user(&ana.access_token).await;
    let damages: [fn(&str) -> String; 4] = [
        |text| text.get(..text.len() / 2).unwrap_or_default().to_owned(),
        |_| String::new(),
        |text| text.repeat(2),
        |text| text.chars().rev().collect(),
    ];
    for damage in damages {
        for part in ["attestationObject", "clientDataJSON"] {
            let asked = auth::begin_passkey(&cx).await.unwrap();
            let (_, mut credential) = Passkey::make(&asked["options"], HERE);
            credential["response"][part] = json!(damage(credential["response"][part].as_str().unwrap()));
            let body = NewPasskey { token: text(&asked["token"]), credential, name: None };
            let code = auth::add_passkey(&cx, body).await.unwrap_err().code;
            assert!([Code::ProofInvalid, Code::FieldInvalid].contains(&code), "{part}: {code:?}");
        }
        for part in ["authenticatorData", "clientDataJSON", "signature", "userHandle"] {
            let asked = asked(&app).await;
            let mut credential = laptop.sign(&asked["options"], HERE);
            credential["response"][part] = json!(damage(credential["response"][part].as_str().unwrap()));
            let code = show(&app, &asked, credential).await.unwrap_err();
            assert!([Code::ProofInvalid, Code::FieldInvalid].contains(&code), "{part}: {code:?}");
        }
    }
    // Control.
    enter(&app, &mut laptop).await.unwrap();
}

#[tokio::test]
async fn at_32_a_challenge_is_good_once_for_five_minutes_and_for_what_it_was_given_for() {
    let app = open().await;
    let (ana, mut laptop) = person(&app, "ana").await;
    let (bob, _) = person(&app, "bob").await;
    // Once, also when it was answered wrongly: it is used up before it is looked at.
    let first = asked(&app).await;
    let mut said = laptop.ceremony(&first["options"], HERE);
    said.verified = false;
    assert_eq!(show(&app, &first, laptop.assert(&said)).await.unwrap_err(), Code::ProofInvalid);
    let right = laptop.sign(&first["options"], HERE);
    assert_eq!(show(&app, &first, right).await.unwrap_err(), Code::ProofInvalid);
    let old = asked(&app).await;
    app.pass(300.0);
    let late = laptop.sign(&old["options"], HERE);
    assert_eq!(show(&app, &old, late).await.unwrap_err(), Code::ProofInvalid);
    // For a registration, for its user.
    let cx = app.as_user(&ana.access_token).await;
    let registration = auth::begin_passkey(&cx).await.unwrap();
    let assertion = asked(&app).await;
    let crossed = laptop.sign(&assertion["options"], HERE);
    let body = PasskeyProof { token: text(&registration["token"]), credential: crossed };
    let error = auth::sign_in_with_passkey(&app.nobody(), body).await.unwrap_err();
    assert_eq!(error.code, Code::ProofInvalid);
    let (_, credential) = Passkey::make(&registration["options"], HERE);
    let body = NewPasskey { token: text(&registration["token"]), credential, name: None };
    let bobs = app.as_user(&bob.access_token).await;
    assert_eq!(auth::add_passkey(&bobs, body.clone()).await.unwrap_err().code, Code::ProofInvalid);
    assert_eq!(
        auth::add_passkey(&cx, body).await.unwrap_err().code,
        Code::ProofInvalid,
        "used up by Bob's try"
    );
    // Control.
    enter(&app, &mut laptop).await.unwrap();
}

#[tokio::test]
async fn at_05_fifty_who_answer_one_challenge_at_once_begin_one_session() {
    let app = open().await;
    let (_, mut laptop) = person(&app, "ana").await;
    let before = app.count("SELECT count(*) FROM _sessions").await;
    let challenge = asked(&app).await;
    let credential = laptop.sign(&challenge["options"], HERE);
    let all = join_all((0..50).map(|_| show(&app, &challenge, credential.clone()))).await;
    assert_eq!(all.iter().filter(|answer| answer.is_ok()).count(), 1);
    // A copy that counts the same is one too many, with a challenge of its own.
    let (one, two) = (asked(&app).await, asked(&app).await);
    let mut copy = laptop.clone();
    let (left, right) = (laptop.sign(&one["options"], HERE), copy.sign(&two["options"], HERE));
    let (left, right) = tokio::join!(show(&app, &one, left), show(&app, &two, right));
    assert_eq!([left, right].iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(app.count("SELECT count(*) FROM _sessions").await, before + 2);
}

#[tokio::test]
async fn the_same_passkey_is_taken_once_and_a_user_has_at_most_twenty() {
    let app = open().await;
    let (ana, laptop) = person(&app, "ana").await;
    let cx = app.as_user(&ana.access_token).await;
    let asked = auth::begin_passkey(&cx).await.unwrap();
    let excluded: Vec<&str> = asked["options"]["excludeCredentials"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["id"].as_str().unwrap())
        .collect();
    assert_eq!(excluded, [laptop.id()]);
    // A device that does not listen.
    let (_, said) = Passkey::begin(&asked["options"], HERE);
    let body = NewPasskey { token: text(&asked["token"]), credential: laptop.attest(&said), name: None };
    assert_eq!(auth::add_passkey(&cx, body).await.unwrap_err().code, Code::AlreadyEnrolled);
    for n in 2..=20 {
        add(&app, &ana, &format!("Device {n}")).await.unwrap();
    }
    assert_eq!(add(&app, &ana, "One more").await.unwrap_err(), Code::LimitExceeded);
    for name in ["", "  ", &"x".repeat(101)] {
        let asked = PasskeyChange { name: name.to_owned() };
        let id = text(&listed(&app, &ana).await[0]["id"]);
        assert_eq!(auth::rename_passkey(&cx, &id, asked).await.unwrap_err().code, Code::FieldInvalid);
    }
}

#[tokio::test]
async fn passkeys_of_others_are_neither_named_nor_removed_and_a_removed_one_lets_nobody_in() {
    let app = open().await;
    let (ana, mut laptop) = person(&app, "ana").await;
    let (bob, _) = person(&app, "bob").await;
    let id = text(&listed(&app, &ana).await[0]["id"]);
    let (hers, his) = (app.as_user(&ana.access_token).await, app.as_user(&bob.access_token).await);
    let name = || PasskeyChange { name: "Old laptop".to_owned() };
    assert_eq!(auth::rename_passkey(&his, &id, name()).await.unwrap_err().code, Code::RecordNotFound);
    assert_eq!(auth::remove_passkey(&his, &id).await.unwrap_err().code, Code::RecordNotFound);
    auth::rename_passkey(&hers, &id, name()).await.unwrap();
    assert_eq!(listed(&app, &ana).await[0]["name"], "Old laptop");
    let entered = enter(&app, &mut laptop).await.unwrap();
    app.events().await;
    auth::remove_passkey(&hers, &id).await.unwrap();
    assert_eq!(app.letter().await.kind, Kind::PasskeyRemoved);
    assert_eq!(app.events().await, [format!("auth {} *", text(&ana.user["id"]))]);
    assert_eq!(aal(&app, &entered).await, 1, "what it had shown is worth less");
    assert_eq!(enter(&app, &mut laptop).await.unwrap_err(), Code::ProofInvalid);
}

#[tokio::test]
async fn at_22_the_last_way_in_stays_also_when_it_is_a_passkey() {
    let app = open().await;
    let (ana, _) = person(&app, "ana").await;
    let second = add(&app, &ana, "Phone").await.unwrap();
    app.meddle("DELETE FROM _passwords").await;
    let cx = app.as_user(&ana.access_token).await;
    let ids: Vec<String> = listed(&app, &ana).await.iter().map(|item| text(&item["id"])).collect();
    // Both at once: one stays.
    let both = join_all(ids.iter().map(|id| auth::remove_passkey(&cx, id))).await;
    let codes: Vec<Result<(), Code>> =
        both.into_iter().map(|done| done.map_err(|error| error.code)).collect();
    assert_eq!(codes.iter().filter(|done| done.is_ok()).count(), 1, "{codes:?}");
    assert!(codes.contains(&Err(Code::LastWayIn)), "{codes:?}");
    assert_eq!(listed(&app, &ana).await.len(), 1);
    drop(second);
}

#[tokio::test]
async fn a_passkey_is_shown_in_the_place_of_a_code_and_of_a_fresh_sign_in() {
    let app = open().await;
    let (ana, mut laptop) = person(&app, "ana").await;
    let (_, mut bobs) = person(&app, "bob").await;
    let cx = app.as_user(&ana.access_token).await;
    let seed = auth::enroll_totp(&cx).await.unwrap();
    let code =
        Authenticator::new(seed["secret"].as_str().unwrap()).at(app.now().us().unsigned_abs() / 1_000_000);
    auth::activate_totp(&cx, TotpActivate { code }).await.unwrap();
    let SignInAnswer::SecondFactor(question) =
        auth::sign_in(&app.nobody(), sign_in("ana", PASSWORD)).await.unwrap()
    else {
        panic!("the password was enough")
    };
    assert_eq!(question.factors, ["totp", "recovery_code", "passkey"]);
    let second = async |passkey: &mut Passkey| {
        let challenge = asked(&app).await;
        let passkey = Some(proof(&challenge, passkey.sign(&challenge["options"], HERE)));
        let body = MfaVerify { mfa_token: question.mfa_token.clone(), passkey, ..MfaVerify::default() };
        auth::verify_second_factor(&app.nobody(), body).await.map_err(|error| error.code)
    };
    assert_eq!(second(&mut bobs).await.unwrap_err(), Code::ProofInvalid, "somebody else's");
    // Guessers keep nobody waiting who shows a passkey.
    for _ in 0..6 {
        let guess = MfaVerify {
            mfa_token: question.mfa_token.clone(),
            code: Some("000000".to_owned()),
            ..MfaVerify::default()
        };
        auth::verify_second_factor(&app.nobody(), guess).await.unwrap_err();
    }
    let entered = second(&mut laptop).await.unwrap();
    assert_eq!(aal(&app, &entered).await, 2);
    app.pass(601.0);
    let again = app.refresh(&entered.refresh_token).await.unwrap();
    let cx = app.as_user(&again.access_token).await;
    assert_eq!(auth::remove_totp(&cx).await.unwrap_err().code, Code::Aal2Required);
    let prove = async |passkey: &mut Passkey| {
        let challenge = asked(&app).await;
        let passkey = Some(proof(&challenge, passkey.sign(&challenge["options"], HERE)));
        auth::reauthenticate(&cx, Reauth { passkey, ..Reauth::default() })
            .await
            .map_err(|error: Error| error.code)
    };
    assert_eq!(prove(&mut bobs).await.unwrap_err(), Code::ProofInvalid);
    assert_eq!(auth::remove_totp(&cx).await.unwrap_err().code, Code::Aal2Required);
    prove(&mut laptop).await.unwrap();
    auth::remove_totp(&cx).await.unwrap();
}

#[tokio::test]
async fn at_18_who_takes_an_unproven_account_over_leaves_no_passkey_in_it() {
    let app = open().await;
    let (_, mut others) = person(&app, "ana").await;
    let sent = auth::send_otp(&app.nobody(), by_mail("ana")).await.unwrap();
    let body = stead_wire::auth::OtpVerify {
        token: None,
        challenge_id: Some(sent.challenge_id),
        code: Some(app.letter().await.code),
        data: Default::default(),
    };
    auth::verify_otp(&app.nobody(), body).await.unwrap();
    assert_eq!(enter(&app, &mut others).await.unwrap_err(), Code::ProofInvalid);
    assert_eq!(app.count("SELECT count(*) FROM _passkeys").await, 0);
}

#[tokio::test]
async fn where_an_app_has_no_passkeys_nobody_makes_one_and_nobody_enters() {
    let app = App::open().await;
    let ana = app.sign_up("ana").await;
    assert_eq!(add(&app, &ana, "x").await.unwrap_err(), Code::Forbidden);
    let asked = asked(&app).await;
    let answered = show(&app, &asked, json!({})).await;
    assert_eq!(answered.unwrap_err(), Code::Forbidden);
    assert!(!auth::settings(&app.nobody()).passkey);
    // Control.
    assert!(auth::settings(&open().await.nobody()).passkey);
}

#[tokio::test]
async fn pages_that_the_app_lists_may_ask_and_no_others() {
    let lines =
        format!("{METHODS}  passkeys:\n    domain: example.com\n    origins: [https://shop.example.com]\n");
    let settings = format!("public_url: https://app.example.com\nauth:\n  roles: [editor, chief]\n{lines}");
    let app = App::open_with(&settings, crate::Limits { hash_threads: 1, ..crate::Limits::default() }).await;
    let ana = app.sign_up("ana").await;
    let cx = app.as_user(&ana.access_token).await;
    for (origin, answer) in [
        ("https://app.example.com", Ok(())),
        ("https://shop.example.com", Ok(())),
        ("https://other.example.com", Err(Code::ProofInvalid)),
        ("https://example.com", Err(Code::ProofInvalid)),
    ] {
        let asked = auth::begin_passkey(&cx).await.unwrap();
        assert_eq!(asked["options"]["rp"]["id"], "example.com");
        let (_, credential) = Passkey::make(&asked["options"], origin);
        let body = NewPasskey { token: text(&asked["token"]), credential, name: None };
        let done = auth::add_passkey(&cx, body).await.map(drop).map_err(|error| error.code);
        assert_eq!(done, answer, "{origin}");
    }
}
