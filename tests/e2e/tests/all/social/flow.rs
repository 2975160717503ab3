//! What honest people do, at a real provider.

use super::{BACK, CHALLENGE, PUBLIC, VERIFIER, World};
use serde_json::json;
use stead_e2e::{Part, everywhere, parameter};

#[tokio::test]
async fn who_signs_in_at_a_provider_has_an_account_and_comes_back_to_it() {
    let world = World::new().await;
    let offered = world.server.client().get("/auth/settings").await.ok();
    assert_eq!(
        offered["providers"],
        json!([
            {"name": "acme", "label": "Acme"}, {"name": "liar", "label": "Liar"},
            {"name": "other", "label": "Other"}, {"name": "github", "label": "GitHub"},
        ])
    );
    let (ana, session) = world.signed_in("acme", "ana@acme.example").await;
    let user = &session["user"];
    assert_eq!(
        (&user["email"], &user["verified"], &user["name"]),
        (&json!("ana@acme.example"), &json!(true), &json!("ana"))
    );
    assert_eq!(ana.get("/auth/session").await.ok()["method"], "oauth");
    let (again, _) = world.signed_in("acme", "ana@acme.example").await;
    assert_eq!(again.user, ana.user);
    let (bob, _) = world.signed_in("acme", "bob@acme.example").await;
    assert_ne!(bob.user, ana.user);
    let identities = ana.get("/auth/identities").await.ok();
    let items = identities["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["provider"]), (1, &json!("acme")));
    assert!(!identities.to_string().contains("subject"), "what the provider calls a person is not told");
    // The tokens are like those of every other sign-in.
    let body = json!({ "refresh_token": ana.refresh_token });
    world.server.client().json("POST", "/auth/token/refresh", body).await.ok();
}

#[tokio::test]
async fn a_sign_in_leads_back_to_an_app_and_keeps_its_query() {
    let world = World::new().await;
    for (back, expected) in [
        ("com.example.app:/callback", "com.example.app:/callback?code="),
        ("https://app.example.test/a?page=2", "https://app.example.test/a?page=2&code="),
    ] {
        let start = format!("{PUBLIC}/api/v1/auth/oauth/acme/start?code_challenge={CHALLENGE}&redirect_to=");
        let to = stead_e2e::percent_encoded(back);
        let led = world.browser("ana@acme.example").travel(&format!("{start}{to}"), expected).await.unwrap();
        assert!(parameter(&led, "code").is_some(), "{led}");
    }
}

#[tokio::test]
async fn who_does_not_want_to_is_led_back_without_a_code() {
    let world = World::new().await;
    let back = world.browser("no-thanks@acme.example").travel(&world.start("acme"), BACK).await.unwrap();
    assert_eq!(parameter(&back, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&back, "code"), None);
}

#[tokio::test]
async fn a_signed_in_user_adds_a_provider_and_removes_it() {
    let world = World::new().await;
    let mut ana = world.server.client();
    ana.sign_up("ana@elsewhere.example", "a-long-enough-secret", json!({ "name": "Ana" })).await;
    let asked = json!({ "redirect_to": BACK, "code_challenge": CHALLENGE });
    let link = ana.json("POST", "/auth/identities/acme/link", asked.clone()).await.ok();
    let url = format!("{PUBLIC}{}", link["url"].as_str().unwrap());
    let back = world.browser("ana@acme.example").travel(&url, BACK).await.unwrap();
    let body = json!({ "code": parameter(&back, "code").unwrap(), "code_verifier": VERIFIER });
    // A code to link signs nobody in, and the identity is nobody's until the user takes it.
    let identity = ana.json("POST", "/auth/identities", body).await.created();
    assert_eq!((&identity["provider"], &identity["email"]), (&json!("acme"), &json!("ana@acme.example")));
    let (entered, _) = world.signed_in("acme", "ana@acme.example").await;
    assert_eq!(entered.user, ana.user);
    let path = format!("/api/v1/auth/identities/{}", identity["id"].as_str().unwrap());
    ana.send("DELETE", &path, &[], None).await.gone();
    ana.send("DELETE", &path, &[], None).await.problem("record_not_found");
    let (other, _) = world.signed_in("acme", "ana@acme.example").await;
    assert_ne!(other.user, ana.user, "it is not the user's any more");
    let guest = world.server.client();
    guest.json("POST", "/auth/identities/acme/link", asked).await.problem("token_required");
    guest.get("/auth/identities").await.problem("token_required");
}

#[tokio::test]
async fn github_is_asked_for_the_address_that_it_verified() {
    let world = World::new().await;
    let (eve, session) = world.signed_in("github", "").await;
    assert_eq!(
        (&session["user"]["email"], &session["user"]["verified"]),
        (&json!("eve@acme.example"), &json!(true)),
        "not the one of the public page"
    );
    let (again, _) = world.signed_in("github", "").await;
    assert_eq!(again.user, eve.user);
}

#[tokio::test]
async fn other_services_verify_our_tokens_with_what_we_publish() {
    let world = World::new().await;
    let (ana, _) = world.signed_in("acme", "ana@acme.example").await;
    let token = ana.token.clone().unwrap();
    let verified = Part::run("verify.mjs", &[PUBLIC, &world.server.url, &token]).await;
    let said = String::from_utf8_lossy(&verified.stdout);
    assert_eq!(said.trim(), ana.user, "{}", String::from_utf8_lossy(&verified.stderr));
    // Control: of another payload, or with another signature, it is no token.
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    parts[2] = parts[2].chars().rev().collect();
    let forged = Part::run("verify.mjs", &[PUBLIC, &world.server.url, &parts.join(".")]).await;
    assert!(!forged.status.success());
}

#[tokio::test]
async fn at_26_others_take_tokens_of_every_published_key_and_none_of_a_revoked_one() {
    let mut world = World::new().await;
    let root = world.server.operator().await;
    let before = world.signed_in("acme", "ana@acme.example").await.0.token.unwrap();
    let verified = async |token: &str| {
        Part::run("verify.mjs", &[PUBLIC, &world.server.url, token]).await.status.success()
    };
    assert!(verified(&before).await);
    let keys = root.json("POST", "/admin/signing-keys/rotate", json!({ "now": true })).await.ok();
    let first = keys["items"][1]["kid"].as_str().unwrap().to_owned();
    everywhere(async || {
        let set = root.send("GET", "/.well-known/jwks.json", &[], None).await.ok();
        set["keys"].as_array().unwrap().len() == 2
    })
    .await;
    let after = world.signed_in("acme", "ana@acme.example").await.0.token.unwrap();
    assert_ne!(before.split('.').next(), after.split('.').next(), "another key signed it");
    assert!(verified(&before).await && verified(&after).await);
    root.json("POST", &format!("/admin/signing-keys/{first}/revoke"), json!({})).await.ok();
    everywhere(async || !root.send("GET", "/.well-known/jwks.json", &[], None).await.text.contains(&first))
        .await;
    assert!(!verified(&before).await);
    assert!(verified(&after).await);
}

#[tokio::test]
async fn a_secret_that_nobody_gave_is_told_with_its_place_before_anything_starts() {
    let files = tempfile::TempDir::new().unwrap();
    super::write_app(files.path(), "https://id.example.com", "https://id.example.org");
    let run = async |command: &str, more: &[&str]| {
        let mut stead = tokio::process::Command::new(stead_e2e::binary());
        let data = files.path().join("data");
        stead.arg(command).arg(files.path()).args(more).kill_on_drop(true);
        if command == "serve" {
            stead.args(["--listen", "127.0.0.1:0", "--data"]).arg(data);
        }
        let output = tokio::time::timeout(stead_e2e::PATIENCE, stead.output()).await.unwrap().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (started, told) = run("serve", &[]).await;
    assert!(!started);
    for part in ["error: schema/app.yaml:5:", "`ACME` was not given", "STEAD_SECRET_ACME", "`GITHUB`"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert!(!files.path().join("data").exists(), "nothing was begun");
    // Whoever checks an app needs no secrets.
    let (checked, told) = run("check", &["--deny-warnings"]).await;
    assert!(checked, "{told}");
}
