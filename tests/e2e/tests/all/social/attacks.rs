//! What others try on the way to a real provider and back. Each attack has the same steps without it as a control.

use super::{BACK, CHALLENGE, PUBLIC, VERIFIER, World};
use serde_json::json;
use stead_e2e::{Answer, parameter};

const ANA: &str = "ana@acme.example";

/// Where the provider sends a browser that signed in, not opened yet.
async fn almost(world: &World, browser: &stead_e2e::Browser, start: &str) -> String {
    let callback = format!("{PUBLIC}/api/v1/auth/oauth/acme/callback");
    let _ = world;
    browser.travel(start, &callback).await.unwrap()
}

fn refused(answer: Answer) {
    assert_eq!(answer.header("location"), None, "nobody is sent anywhere");
    answer.problem("proof_invalid");
}

#[tokio::test]
async fn at_15_a_state_is_good_once_in_the_browser_that_began_and_at_its_provider() {
    let world = World::new().await;
    let browser = world.browser(ANA);
    let callback = almost(&world, &browser, &world.start("acme")).await;
    let state = parameter(&callback, "state").unwrap();
    // Control: this is how it goes.
    let good = browser.open(&callback).await;
    assert_eq!(good.status, 303, "{}", good.text);
    assert!(good.header("location").unwrap().starts_with(BACK));
    assert_eq!(good.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(good.header("cache-control"), Some("no-store"));
    // Again.
    refused(browser.open(&callback).await);
    // Without a state, with another, with two.
    refused(browser.open(&callback.replace("state=", "stat=")).await);
    refused(browser.open(&callback.replace(&state, &"A".repeat(state.len()))).await);
    browser.open(&format!("{callback}&state=x")).await.problem("bad_request");
    // From another browser: the victim's, with the attacker's address.
    let attacker = world.browser("mallory@acme.example");
    let theirs = almost(&world, &attacker, &world.start("acme")).await;
    refused(world.browser(ANA).open(&theirs).await);
    let victim = world.browser(ANA);
    victim.open(&world.start("acme")).await;
    refused(victim.open(&theirs).await);
    // Whoever tried it in vain has used it up.
    refused(attacker.open(&theirs).await);
    // At another provider.
    let callback = almost(&world, &browser, &world.start("acme")).await;
    refused(browser.open(&callback.replace("oauth/acme/", "oauth/liar/")).await);
    // A link that is only looked at is not used up.
    let callback = almost(&world, &browser, &world.start("acme")).await;
    let real = callback.replacen(PUBLIC, "", 1);
    world.server.client().send("HEAD", &real, &[], None).await;
    assert_eq!(browser.open(&callback).await.status, 303);
}

#[tokio::test]
async fn at_15_the_cookie_is_for_this_host_and_no_script() {
    let world = World::new().await;
    let start = world.browser(ANA).open(&world.start("acme")).await;
    assert_eq!(start.status, 302);
    let cookie = start.header("set-cookie").unwrap();
    for part in ["__Host-stead-oauth=", "; Path=/;", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
        assert!(cookie.contains(part), "{part} in {cookie}");
    }
    let sent = start.header("location").unwrap();
    assert_eq!(parameter(sent, "code_challenge_method").as_deref(), Some("S256"));
    assert_ne!(parameter(sent, "code_challenge").as_deref(), Some(CHALLENGE), "the provider has its own");
    assert!(parameter(sent, "nonce").is_some_and(|nonce| nonce.len() == 43));
}

#[tokio::test]
async fn at_15_a_code_is_good_once_for_the_client_that_began() {
    let world = World::new().await;
    let code = world.code("acme", ANA).await;
    world.exchange(&code, VERIFIER).await.ok();
    world.exchange(&code, VERIFIER).await.problem("proof_invalid");
    // A wrong verifier uses it up.
    let code = world.code("acme", ANA).await;
    world.exchange(&code, &VERIFIER.replace('d', "e")).await.problem("proof_invalid");
    world.exchange(&code, VERIFIER).await.problem("proof_invalid");
    world.exchange("nonsense", VERIFIER).await.problem("proof_invalid");
    for missing in [json!({ "code": "x" }), json!({ "code": ["x"], "code_verifier": VERIFIER })] {
        world.server.client().json("POST", "/auth/oauth/exchange", missing).await.problem("field_invalid");
    }
    // Fifty at once: one gets in.
    let code = world.code("acme", ANA).await;
    let all = (0..50).map(|_| world.exchange(&code, VERIFIER));
    let answers = futures_util::future::join_all(all).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.body()["code"] == "proof_invalid"));
}

#[tokio::test]
async fn at_23_a_sign_in_leads_nowhere_but_to_a_declared_address() {
    let world = World::new().await;
    let browser = world.browser(ANA);
    let start = async |redirect: &str, rest: &str| {
        let to = stead_e2e::percent_encoded(redirect);
        let url = format!("{PUBLIC}/api/v1/auth/oauth/acme/start?redirect_to={to}{rest}");
        browser.open(&url).await
    };
    let challenge = format!("&code_challenge={CHALLENGE}");
    assert_eq!(start(BACK, &challenge).await.status, 302, "control");
    for redirect in [
        "https://evil.example/",
        "https://app.example.test.evil.example/signed-in",
        "https://app.example.test@evil.example/",
        "https://app.example.test\\@evil.example/",
        "http://app.example.test/signed-in",
        "//evil.example",
        "/signed-in",
        "javascript:alert(1)",
        "com.example.app:/callback/more",
        "com.example.apps:/callback",
        "",
    ] {
        let answer = start(redirect, &challenge).await;
        assert_eq!(answer.header("location"), None, "{redirect}");
        answer.problem("redirect_not_allowed");
    }
    start(BACK, "").await.problem("bad_request");
    start(BACK, &format!("{challenge}&code_challenge_method=plain")).await.problem("bad_request");
    start(BACK, "&code_challenge=short").await.problem("bad_request");
    start(BACK, &format!("{challenge}&redirect_to=x")).await.problem("bad_request");
    let unknown = world.start("acme").replace("/acme/", "/nobody/");
    browser.open(&unknown).await.problem("provider_not_found");
}

#[tokio::test]
async fn at_09_a_forged_host_changes_no_address() {
    let world = World::new().await;
    let path = world.start("acme").replacen(PUBLIC, "", 1);
    for name in ["Host", "X-Forwarded-Host", "Forwarded"] {
        let value = if name == "Forwarded" { "host=evil.example" } else { "evil.example" };
        let sent = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let url = format!("{}{path}", world.server.url);
        let answer = sent.build().unwrap().get(url).header(name, value).send().await.unwrap();
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        let callback = parameter(&location, "redirect_uri").unwrap();
        assert_eq!(callback, format!("{PUBLIC}/api/v1/auth/oauth/acme/callback"), "{name}");
    }
}

#[tokio::test]
async fn at_21_a_code_to_link_is_for_the_user_who_asked() {
    let world = World::new().await;
    let mut victim = world.server.client();
    victim.sign_up("victim@elsewhere.example", "a-long-enough-secret", json!({ "name": "V" })).await;
    let mut attacker = world.server.client();
    attacker.sign_up("mallory@elsewhere.example", "a-long-enough-secret", json!({ "name": "M" })).await;
    let asked = json!({ "redirect_to": BACK, "code_challenge": CHALLENGE });
    let link_of = async |client: &stead_e2e::Client| {
        let link = client.json("POST", "/auth/identities/acme/link", asked.clone()).await.ok();
        format!("{PUBLIC}{}", link["url"].as_str().unwrap())
    };
    let code = async |url: &str, person: &str| {
        let back = world.browser(person).travel(url, BACK).await.unwrap();
        json!({ "code": parameter(&back, "code").unwrap(), "code_verifier": VERIFIER })
    };
    // The attacker's way to the provider, in the victim's browser: its code is not the victim's to take, nor a way in.
    let lured = code(&link_of(&attacker).await, "victim@acme.example").await;
    victim.json("POST", "/auth/identities", lured).await.problem("proof_invalid");
    let lured = code(&link_of(&attacker).await, "victim@acme.example").await;
    world.server.client().json("POST", "/auth/oauth/exchange", lured).await.problem("proof_invalid");
    // A code of a sign-in links nothing.
    let body = json!({ "code": world.code("acme", "mallory@acme.example").await, "code_verifier": VERIFIER });
    victim.json("POST", "/auth/identities", body).await.problem("proof_invalid");
    for client in [&victim, &attacker] {
        assert_eq!(client.get("/auth/identities").await.ok()["items"], json!([]));
    }
    // A ticket is good once, at its provider.
    let url = link_of(&victim).await;
    let elsewhere = url.replace("/acme/start", "/liar/start");
    world.browser("").open(&elsewhere).await.problem("proof_invalid");
    let url = link_of(&victim).await;
    let own = code(&url, "victim@acme.example").await;
    world.browser("").open(&url).await.problem("proof_invalid");
    victim.json("POST", "/auth/identities", own).await.created();
    // An identity that somebody has is told without whose it is.
    let taken = code(&link_of(&attacker).await, "victim@acme.example").await;
    let told = attacker.json("POST", "/auth/identities", taken).await.problem("identity_taken");
    assert!(!told.to_string().contains(&victim.user) && !told.to_string().contains("victim@"), "{told}");
}

#[tokio::test]
async fn at_18_an_account_that_was_taken_before_its_owner_came_is_the_owners_alone() {
    let world = World::new().await;
    let mut attacker = world.server.client();
    attacker.sign_up(ANA, "a-long-enough-secret", json!({ "name": "not Ana" })).await;
    // With an open socket, which hears of its end.
    let mut socket = attacker.socket().await;
    let (ana, session) = world.signed_in("acme", ANA).await;
    assert_eq!(ana.user, attacker.user, "what is in the account is the address's");
    assert_eq!(session["user"]["verified"], true);
    let asked = async || attacker.get("/auth/me").await.status == 401;
    stead_e2e::everywhere(asked).await;
    attacker.get("/auth/me").await.problem("token_invalid");
    let body = json!({ "refresh_token": attacker.refresh_token });
    world.server.client().json("POST", "/auth/token/refresh", body).await.problem("token_invalid");
    let body = json!({ "email": ANA, "password": "a-long-enough-secret" });
    world.server.client().json("POST", "/auth/sign-in/password", body).await.problem("invalid_credentials");
    assert!(socket.until_closed().await.is_some());
    ana.get("/auth/me").await.ok();
}

#[tokio::test]
async fn at_20_an_address_that_the_provider_cannot_prove_opens_no_account() {
    let world = World::new().await;
    let mut owner = world.server.client();
    // Another domain, and one that the provider did not verify.
    for address in ["ana@elsewhere.example", "un-ana@acme.example"] {
        owner.sign_up(address, "a-long-enough-secret", json!({ "name": "Ana" })).await;
        let code = world.code("acme", address).await;
        let told = world.exchange(&code, VERIFIER).await.problem("address_taken");
        assert!(!told.to_string().contains(&owner.user), "{told}");
        owner.get("/auth/me").await.ok();
    }
    // Nobody has these: they become accounts that are not verified.
    for address in ["bob@elsewhere.example", "un-bob@acme.example"] {
        let (_, session) = world.signed_in("acme", address).await;
        assert_eq!(session["user"]["verified"], false, "{address}");
    }
}
