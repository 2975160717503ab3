//! Who gets into which account, for every combination; and what is left of whoever had it before.

use crate::auth::one_time::{Fresh, Purpose};
use crate::auth::social::account::{Owner, Verdict, Word, judge};
use crate::auth::social::challenge_of;
use crate::auth::social::exchange::{Source, Vouched, enter};
use crate::auth::social::profile::Profile;
use crate::auth::tests::app::{App, PASSWORD, address, sign_in, signed_in};
use crate::{Limits, auth};
use serde_json::json;
use stead_wire::Code;
use stead_wire::auth::{AnonymousSignIn, OauthExchange, SessionAnswer};

/// The rules, as a table of their own.
#[test]
fn at_20_the_rules_say_for_every_combination_who_gets_in() {
    use Verdict as V;
    let table = [
        (Word::Absent, Owner::Nobody, V::Refuse(Code::AddressMissing)),
        (Word::Absent, Owner::Unproven, V::Refuse(Code::AddressMissing)),
        (Word::Absent, Owner::Proven, V::Refuse(Code::AddressMissing)),
        (Word::Claim, Owner::Nobody, V::SignUp { verified: false }),
        (Word::Claim, Owner::Unproven, V::Refuse(Code::AddressTaken)),
        (Word::Claim, Owner::Proven, V::Refuse(Code::AddressTaken)),
        (Word::Proof, Owner::Nobody, V::SignUp { verified: true }),
        (Word::Proof, Owner::Unproven, V::Reclaim),
        (Word::Proof, Owner::Proven, V::Link),
    ];
    for (word, owner, verdict) in table {
        assert_eq!(judge(false, word, owner), verdict, "{word:?} {owner:?}");
        assert_eq!(judge(true, word, owner), V::Enter, "a known identity enters whatever its address is now");
    }
}

fn profile(provider: &str, subject: &str, name: &str) -> Profile {
    Profile {
        provider: provider.to_owned(),
        issuer: format!("https://{provider}.example"),
        subject: subject.to_owned(),
        email: Some(address(name)),
        verified: true,
        authoritative: true,
        fields: json!({ "name": name }).as_object().unwrap().clone(),
    }
}

/// One that nobody vouches for.
fn unproven(provider: &str, subject: &str, name: &str) -> Profile {
    Profile { authoritative: false, ..profile(provider, subject, name) }
}

async fn arrive(app: &App, profile: Profile) -> Result<SessionAnswer, Code> {
    arrive_with(app, profile, None).await
}

async fn arrive_with(app: &App, profile: Profile, invitation: Option<&str>) -> Result<SessionAnswer, Code> {
    let digest = app.project.new_id().unwrap().into_string();
    let expires_s = app.now().us() / 1_000_000 + 600;
    let source = Source::Token { profile: Box::new(profile), digest, expires_s };
    enter(&app.nobody(), &source, invitation).await.map(signed_in).map_err(|error| error.code)
}

fn id(session: &SessionAnswer) -> &str {
    session.user["id"].as_str().unwrap()
}

#[tokio::test]
async fn an_identity_is_an_issuer_and_a_subject_whatever_its_address_becomes() {
    let app = App::open().await;
    let first = arrive(&app, profile("a", "1", "ana")).await.unwrap();
    assert_eq!((&first.user["name"], &first.user["verified"]), (&json!("ana"), &json!(true)));
    let moved = arrive(&app, profile("a", "1", "elsewhere")).await.unwrap();
    assert_eq!(id(&moved), id(&first));
    // The same subject at another issuer, and another subject at the same one, are other people.
    assert_ne!(id(&arrive(&app, profile("b", "1", "bob")).await.unwrap()), id(&first));
    assert_ne!(id(&arrive(&app, profile("a", "2", "eve")).await.unwrap()), id(&first));
    let session = app.as_user(&first.access_token).await;
    assert_eq!(auth::session(&session).unwrap()["method"], "oauth");
}

#[tokio::test]
async fn at_20_without_proof_nobody_gets_into_an_account_that_is_there() {
    let app = App::open().await;
    let owner = app.sign_up("ana").await;
    let proven = arrive(&app, profile("a", "bob", "bob")).await.unwrap();
    for name in ["ana", "bob"] {
        let unverified = Profile { verified: false, ..profile("b", "x", name) };
        for stranger in [unproven("b", "x", name), unverified] {
            assert_eq!(arrive(&app, stranger).await.err(), Some(Code::AddressTaken), "{name}");
        }
    }
    let nameless = Profile { email: None, ..profile("b", "x", "ana") };
    assert_eq!(arrive(&app, nameless).await.err(), Some(Code::AddressMissing));
    assert_eq!(app.count("SELECT count(*) FROM _identities").await, 1);
    // Nothing happened to either account.
    assert!(app.caller(&owner.access_token).await.is_ok() && app.caller(&proven.access_token).await.is_ok());
    app.sign_in("ana").await;
    // Control: with proof the second one is entered.
    let linked = arrive(&app, profile("b", "x", "bob")).await.unwrap();
    assert_eq!(id(&linked), id(&proven));
    assert!(app.caller(&proven.access_token).await.is_ok(), "a proven account keeps its sessions");
}

#[tokio::test]
async fn at_18_whoever_took_an_account_before_its_owner_came_keeps_nothing() {
    // The attacker signs up with the victim's address by a password, or at a provider that proves nothing.
    for by_password in [true, false] {
        let app = App::open().await;
        let attacker = match by_password {
            true => app.sign_up("ana").await,
            false => arrive(&app, unproven("b", "attacker", "ana")).await.unwrap(),
        };
        assert_eq!(attacker.user["verified"], false);
        let second = match by_password {
            true => app.sign_in("ana").await,
            false => arrive(&app, unproven("b", "attacker", "ana")).await.unwrap(),
        };
        let held = app.as_user(&second.access_token).await;
        app.events().await;
        let victim = arrive(&app, profile("a", "ana", "ana")).await.unwrap();
        assert_eq!(id(&victim), id(&attacker), "the account with what is in it");
        let told = app.events().await;
        for ended in [&attacker, &second] {
            assert_eq!(app.caller(&ended.access_token).await.err(), Some(Code::TokenInvalid));
            assert!(app.refresh(&ended.refresh_token).await.is_err());
            assert!(told.contains(&format!("auth {} {}", id(&victim), ended.session_id)), "{told:?}");
        }
        assert!(told.contains(&format!("users {}", id(&victim))), "the record says that it is verified");
        let user = held.caller.facts().unwrap();
        assert!(!user.verified, "what was read before");
        if by_password {
            let refused = auth::sign_in(&app.nobody(), sign_in("ana", PASSWORD)).await.unwrap_err();
            assert_eq!(refused.code, Code::InvalidCredentials);
        } else {
            let back = arrive(&app, unproven("b", "attacker", "ana")).await;
            assert_eq!(back.err(), Some(Code::AddressTaken), "the identity is gone");
        }
        assert_eq!(app.count("SELECT count(*) FROM _identities").await, 1);
        assert_eq!(app.count("SELECT count(*) FROM _passwords").await, 0);
        assert_eq!(app.count("SELECT count(*) FROM _audit WHERE action = 'users.reclaim'").await, 1);
        let me = app.as_user(&victim.access_token).await;
        assert_eq!(auth::session(&me).unwrap()["verified"], true);
    }
}

#[tokio::test]
async fn at_13_fifty_first_sign_ins_of_one_identity_make_one_user() {
    let app = App::open().await;
    let all = (0..50).map(|_| arrive(&app, profile("a", "1", "ana")));
    let answers = futures_util::future::join_all(all).await;
    let first = answers[0].as_ref().unwrap();
    assert!(answers.iter().all(|answer| id(answer.as_ref().unwrap()) == id(first)));
    assert_eq!(app.count("SELECT count(*) FROM _emails").await, 1);
    assert_eq!(app.count("SELECT count(*) FROM _sessions").await, 50);
}

#[tokio::test]
async fn where_nobody_may_sign_up_only_known_people_get_in() {
    let app = App::open_with("auth: {sign_up: false, roles: [editor, chief]}\n", Limits::default()).await;
    assert_eq!(arrive(&app, profile("a", "1", "ana")).await.err(), Some(Code::Forbidden));
    assert_eq!(app.count("SELECT count(*) FROM _emails").await, 0);
}

/// The token of an invitation.
async fn invited(app: &App, body: serde_json::Value) -> String {
    let made = auth::invite(&app.nobody(), "op", serde_json::from_value(body).unwrap()).await.unwrap();
    made["link"].as_str().unwrap().rsplit_once('=').unwrap().1.to_owned()
}

#[tokio::test]
async fn somebody_from_a_provider_needs_an_invitation_where_one_is_asked_for() {
    let app = App::open_auth("  sign_up: invite\n").await;
    let anyone = invited(&app, json!({ "roles": ["editor"] })).await;
    assert_eq!(arrive(&app, profile("a", "1", "ana")).await.err(), Some(Code::Forbidden));
    let rubbish = arrive_with(&app, profile("a", "1", "ana"), Some("rubbish")).await;
    assert_eq!(rubbish.err(), Some(Code::ProofInvalid));
    let ana = arrive_with(&app, profile("a", "1", "ana"), Some(&anyone)).await.unwrap();
    assert_eq!(auth::session(&app.as_user(&ana.access_token).await).unwrap()["roles"], json!(["editor"]));
    // Who is known enters without, and uses none up; the one above is gone.
    let another = invited(&app, json!({})).await;
    assert!(arrive_with(&app, profile("a", "1", "ana"), Some(&another)).await.is_ok());
    let used = arrive_with(&app, profile("a", "2", "bob"), Some(&anyone)).await;
    assert_eq!(used.err(), Some(Code::ProofInvalid));
    assert!(arrive_with(&app, profile("a", "2", "bob"), Some(&another)).await.is_ok());
    // What was sent to an address proves it, whatever the provider knows of it.
    let theirs = invited(&app, json!({ "email": address("cleo") })).await;
    let cleo = arrive_with(&app, unproven("a", "3", "cleo"), Some(&theirs)).await.unwrap();
    assert_eq!(cleo.user["verified"], true);
}

#[tokio::test]
async fn somebody_from_a_provider_has_an_address_of_the_domains_that_is_proven() {
    let (_, domain) = address("ana").rsplit_once('@').map(|(l, d)| (l.to_owned(), d.to_owned())).unwrap();
    let own = App::open_auth(&format!("  domains: [{domain}]\n")).await;
    assert_eq!(arrive(&own, unproven("a", "1", "ana")).await.err(), Some(Code::Forbidden));
    assert!(arrive(&own, profile("a", "1", "ana")).await.is_ok());
    let other = App::open_auth("  domains: [elsewhere.example]\n").await;
    assert_eq!(arrive(&other, profile("a", "1", "ana")).await.err(), Some(Code::Forbidden));
}

#[tokio::test]
async fn what_a_provider_says_of_a_person_fills_fields_where_it_fits() {
    let app = App::open().await;
    let mut long = profile("a", "1", "ana");
    long.fields = json!({ "name": "x".repeat(41) }).as_object().unwrap().clone();
    // `name` is needed and does not fit: the answer says so, and nobody is made.
    assert_eq!(arrive(&app, long).await.err(), Some(Code::FieldInvalid));
    assert_eq!(app.count("SELECT count(*) FROM _emails").await, 0);
    // A field that only chiefs may set is not set by a provider.
    let mut proud = profile("a", "1", "ana");
    proud.fields.insert("rank".to_owned(), json!(9));
    assert_eq!(arrive(&app, proud).await.err(), Some(Code::FieldForbidden));
    assert!(arrive(&app, profile("a", "1", "ana")).await.is_ok());
}

#[tokio::test]
async fn at_22_the_last_way_into_an_account_stays() {
    let app = App::open().await;
    let session = arrive(&app, profile("a", "1", "ana")).await.unwrap();
    let cx = app.as_user(&session.access_token).await;
    let only = auth::identities(&cx).await.unwrap()["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(auth::unlink(&cx, &only).await.unwrap_err().code, Code::LastWayIn);
    arrive(&app, profile("b", "1", "ana")).await.unwrap();
    let stranger = arrive(&app, profile("a", "2", "eve")).await.unwrap();
    let eve = app.as_user(&stranger.access_token).await;
    assert_eq!(auth::unlink(&eve, &only).await.unwrap_err().code, Code::RecordNotFound, "of somebody else");
    auth::unlink(&cx, &only).await.unwrap();
    let left = auth::identities(&cx).await.unwrap();
    assert_eq!(left["items"].as_array().unwrap().len(), 1);
    assert_eq!(left["items"][0]["provider"], "b");
}

#[tokio::test]
async fn at_21_ways_in_change_only_soon_after_a_sign_in() {
    let app = App::open().await;
    app.sign_up("ana").await;
    let session = arrive(&app, profile("a", "1", "bob")).await.unwrap();
    arrive(&app, profile("b", "1", "bob")).await.unwrap();
    let cx = app.as_user(&session.access_token).await;
    let one = auth::identities(&cx).await.unwrap()["items"][0]["id"].as_str().unwrap().to_owned();
    app.pass(601.0);
    let old = crate::Ctx { now: app.now(), ..cx.clone() };
    assert_eq!(auth::unlink(&old, &one).await.unwrap_err().code, Code::ReauthRequired);
    app.pass(-2.0);
    let young = crate::Ctx { now: app.now(), ..cx };
    auth::unlink(&young, &one).await.unwrap();
}

#[tokio::test]
async fn at_17_an_id_token_is_good_once() {
    let app = App::open().await;
    let expires_s = app.now().us() / 1_000_000 + 600;
    let source =
        |profile: Profile| Source::Token { profile: Box::new(profile), digest: "d".to_owned(), expires_s };
    assert!(enter(&app.nobody(), &source(profile("a", "1", "ana")), None).await.is_ok());
    let again = enter(&app.nobody(), &source(profile("a", "1", "ana")), None).await.unwrap_err();
    assert_eq!(again.code, Code::InvalidCredentials);
}

#[tokio::test]
async fn who_is_removed_is_known_at_no_provider() {
    let app = App::open().await;
    let session = arrive(&app, profile("a", "1", "ana")).await.unwrap();
    let cx = app.as_user(&session.access_token).await;
    crate::records::delete(&cx, "users", id(&session), None, None).await.unwrap();
    assert_eq!(app.count("SELECT count(*) FROM _identities").await, 0);
    let again = arrive(&app, profile("a", "1", "ana")).await.unwrap();
    assert_ne!(id(&again), id(&session), "the same identity may sign up again");
}

/// What a browser brings back that went to a provider to have `user` linked.
async fn brought_back(app: &App, user: &str, profile: Profile) -> OauthExchange {
    let code_verifier = "a-verifier-of-the-client-that-began".to_owned();
    let code_challenge = challenge_of(&code_verifier);
    let vouched = Vouched { profile, code_challenge, link: Some(user.to_owned()) };
    let fresh = Fresh::draw(&app.nobody(), Purpose::OauthCode, &vouched).unwrap();
    let (code, user, now) = (fresh.token.clone(), user.to_owned(), app.now());
    let job = async move |tx: &mut stead_store::Tx<'_>| fresh.issue(tx, "test", Some(&user), now).await;
    app.project.store().write(job).await.unwrap();
    OauthExchange { code, code_verifier, invitation: None }
}

#[tokio::test]
async fn at_12_an_anonymous_user_who_links_an_identity_has_an_account_and_another_session() {
    let app = App::open_auth("  methods: [password, anonymous]\n").await;
    let body = || AnonymousSignIn { data: json!({ "name": "visitor" }).as_object().unwrap().clone() };
    let visitor = auth::sign_in_anonymously(&app.nobody(), body()).await.unwrap();
    // Long after the sign-in: there is nothing to sign in with anew.
    app.pass(3_600.0);
    let refreshed = app.refresh(&visitor.refresh_token).await.unwrap();
    let cx = app.as_user(&refreshed.access_token).await;
    let back = brought_back(&app, id(&visitor), profile("a", "1", "ana")).await;
    let linked = auth::link_identity(&cx, back).await.unwrap();
    let session = linked.session.unwrap();
    assert_eq!(linked.identity["provider"], "a");
    assert_eq!((&session.user["id"], &session.user["email"]), (&json!(id(&visitor)), &json!(address("ana"))));
    assert_eq!((&session.user["verified"], &session.user["name"]), (&json!(true), &json!("visitor")));
    for token in [&visitor.access_token, &refreshed.access_token] {
        assert!(app.caller(token).await.is_err());
    }
    assert!(app.refresh(&refreshed.refresh_token).await.is_err());
    let now = app.as_user(&session.access_token).await;
    assert_eq!(auth::session(&now).unwrap()["method"], "oauth");
    assert_eq!(id(&arrive(&app, profile("a", "1", "ana")).await.unwrap()), id(&visitor));

    // A second identity is only added, as for everybody with an account.
    let back = brought_back(&app, id(&visitor), profile("b", "1", "ana")).await;
    assert!(auth::link_identity(&now, back).await.unwrap().session.is_none());

    // An address that is somebody's, or that nobody vouches for, is left where it is.
    for taken in [profile("a", "2", "ana"), unproven("a", "3", "bob")] {
        let visitor = auth::sign_in_anonymously(&app.nobody(), body()).await.unwrap();
        let cx = app.as_user(&visitor.access_token).await;
        let back = brought_back(&app, id(&visitor), taken).await;
        let linked = auth::link_identity(&cx, back).await.unwrap();
        assert_eq!(linked.session.unwrap().user["email"], json!(null));
    }
    // Somebody's identity is nobody else's, and the visitor stays one.
    let visitor = auth::sign_in_anonymously(&app.nobody(), body()).await.unwrap();
    let cx = app.as_user(&visitor.access_token).await;
    let back = brought_back(&app, id(&visitor), profile("a", "1", "ana")).await;
    assert_eq!(auth::link_identity(&cx, back).await.unwrap_err().code, Code::IdentityTaken);
    assert!(app.caller(&visitor.access_token).await.is_ok());
}
