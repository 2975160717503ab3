//! Sign-up, sign-in, tokens and sessions.

use serde_json::{Value, json};
use stead_e2e::{Server, everywhere};

#[tokio::test]
async fn who_signs_up_is_signed_in_and_finds_the_own_record() {
    let server = Server::probe().await;
    let mut client = server.client();
    let session = client.sign_up("Ana@Example.test", "a-long-enough-secret", json!({ "name": "Ana" })).await;
    assert_eq!(
        (&session["token_type"], &session["user"]["name"], &session["expires_in"]),
        (&json!("Bearer"), &json!("Ana"), &json!(600))
    );
    let me = client.get("/auth/me").await.ok();
    assert_eq!((&me["id"], &me["name"]), (&json!(client.user), &json!("Ana")));
    assert!(me["email"].as_str().unwrap().eq_ignore_ascii_case("ana@example.test"));
    assert!(!session.to_string().contains("a-long-enough-secret") && !session.to_string().contains("argon2"));
    let mut again = server.client();
    again.sign_in("ana@example.TEST", "a-long-enough-secret").await;
    assert_eq!(again.user, client.user);
}

#[tokio::test]
async fn every_mistake_of_a_sign_up_is_told_at_once() {
    let server = Server::probe().await;
    let guest = server.client();
    let refused = guest
        .json(
            "POST",
            "/auth/sign-up",
            json!({ "email": "nope", "password": "short", "data": { "name": "", "level": 9, "ghost": 1 } }),
        )
        .await
        .problem("field_invalid");
    let paths: Vec<&str> =
        refused["errors"].as_array().unwrap().iter().map(|e| e["path"].as_str().unwrap()).collect();
    for path in ["/email", "/password", "/data/name", "/data/ghost"] {
        assert!(paths.contains(&path), "{path} in {refused}");
    }
    guest
        .json("POST", "/auth/sign-up", json!({ "email": "a@example.test", "password": "a-long-enough-secret", "data": { "name": "a", "level": 9 } }))
        .await
        .problem("field_forbidden");
    for bad in [
        "a@b,c@d",
        "a\r\nb@example.test",
        "<a@example.test>",
        "a b@example.test",
        "@example.test",
        "a@",
        "a@@b.test",
    ] {
        let body = json!({ "email": bad, "password": "a-long-enough-secret", "data": { "name": "n" } });
        guest.json("POST", "/auth/sign-up", body).await.problem("field_invalid");
    }
}

#[tokio::test]
async fn one_address_has_one_user_even_in_a_race() {
    let server = Server::probe().await;
    let guest = server.client();
    let sign_ups = (0..12).map(|n| {
        let body = json!({ "email": "same@example.test", "password": "a-long-enough-secret", "data": { "name": format!("n{n}") } });
        guest.json("POST", "/auth/sign-up", body)
    });
    let answers = futures_util::future::join_all(sign_ups).await;
    assert_eq!(answers.iter().filter(|a| a.status == 201).count(), 1);
    assert!(answers.iter().all(|a| matches!(a.status, 201 | 409 | 503)), "{answers:?}");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_sound_the_same() {
    let server = Server::probe().await;
    server.fresh_user("ana").await;
    let guest = server.client();
    let ask = async |email: &str| {
        let mut body = guest
            .json(
                "POST",
                "/auth/sign-in/password",
                json!({ "email": email, "password": "wrong-wrong-wrong" }),
            )
            .await
            .problem("invalid_credentials");
        body["instance"] = Value::Null;
        body
    };
    assert_eq!(ask("ana@example.test").await, ask("nobody@example.test").await);
}

#[tokio::test]
async fn a_bad_token_is_refused_and_never_silently_anonymous() {
    let server = Server::probe().await;
    let ana = server.fresh_user("ana").await;
    let good = ana.token.clone().unwrap();
    let parts: Vec<&str> = good.split('.').collect();
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{}.", parts[1]);
    // The first character: the last one carries two bits only and may be an `A` already.
    let first = if parts[2].starts_with('A') { 'B' } else { 'A' };
    let flipped = format!("{}.{}.{first}{}", parts[0], parts[1], &parts[2][1..]);
    let bad = ["", "x", "Bearer", &none, &flipped, &format!("{}.{}", parts[0], parts[1]), &"x".repeat(6000)];
    for token in bad {
        for path in ["/api/v1/auth/me", "/api/v1/collections/things/records"] {
            let answer = ana.send("GET", path, &[("Authorization", &format!("Bearer {token}"))], None).await;
            answer.problem("token_invalid");
        }
    }
    ana.send("GET", "/api/v1/auth/me", &[("Authorization", "Basic YTpi")], None)
        .await
        .problem("token_invalid");
    server.client().get("/auth/me").await.problem("token_required");
    ana.get("/auth/me").await.ok();
}

#[tokio::test]
async fn a_refresh_token_works_once_and_its_reuse_ends_the_session() {
    let server = Server::probe().await;
    let ana = server.fresh_user("ana").await;
    let refresh =
        async |token: &str| ana.json("POST", "/auth/token/refresh", json!({ "refresh_token": token })).await;
    let first = ana.refresh_token.clone().unwrap();
    let second = refresh(&first).await.ok();
    assert_eq!(second["session_id"].as_str().map(str::is_empty), Some(false));
    let third = refresh(second["refresh_token"].as_str().unwrap()).await.ok();
    // The successor of the first was used, so the first can only come from a thief.
    refresh(&first).await.problem("token_invalid");
    refresh(third["refresh_token"].as_str().unwrap()).await.problem("token_invalid");
    ana.get("/auth/me").await.problem("token_invalid");
    refresh("rt1.nonsense").await.problem("token_invalid");
}

#[tokio::test]
async fn parallel_refreshes_of_one_token_agree() {
    let server = Server::probe().await;
    let ana = server.fresh_user("ana").await;
    let token = ana.refresh_token.clone().unwrap();
    let refreshes =
        (0..20).map(|_| ana.json("POST", "/auth/token/refresh", json!({ "refresh_token": token })));
    let next: std::collections::HashSet<String> = futures_util::future::join_all(refreshes)
        .await
        .into_iter()
        .map(|a| a.ok()["refresh_token"].to_string())
        .collect();
    assert_eq!(next.len(), 1);
}

#[tokio::test]
async fn sign_out_ends_the_session_at_once_on_calls_and_sockets() {
    let server = Server::probe().await;
    let phone = server.fresh_user("ana").await;
    let mut laptop = server.client();
    laptop.sign_in("ana@example.test", "a-long-enough-secret").await;
    assert_eq!(phone.get("/auth/sessions").await.ok()["items"].as_array().unwrap().len(), 2);
    let mut window = laptop.socket().await;
    window.subscribe("t", "things", json!({})).await;
    phone.json("POST", "/auth/sign-out", json!({ "scope": "others" })).await.gone();
    everywhere(async || laptop.get("/auth/me").await.status == 401).await;
    laptop.get("/auth/me").await.problem("token_invalid");
    assert_eq!(window.until_closed().await, Some(4401));
    phone.get("/auth/me").await.ok();
    phone.json("POST", "/auth/sign-out", json!({})).await.gone();
    everywhere(async || phone.get("/auth/me").await.status == 401).await;
    phone.get("/auth/me").await.problem("token_invalid");
    phone
        .json("POST", "/auth/token/refresh", json!({ "refresh_token": phone.refresh_token }))
        .await
        .problem("token_invalid");
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions_at_once_on_calls_and_sockets() {
    let server = Server::probe().await;
    let phone = server.fresh_user("ana").await;
    let laptop = server.signed_in("ana@example.test", "a-long-enough-secret").await;
    let (mut own, mut other) = (phone.socket().await, laptop.socket().await);
    for window in [&mut own, &mut other] {
        window.subscribe("t", "things", json!({})).await;
    }
    let change = async |current: &str, new: &str| {
        let body = json!({ "current_password": current, "new_password": new });
        phone.json("POST", "/auth/password/change", body).await
    };
    change("not-the-secret", "another-long-secret").await.problem("invalid_credentials");
    let fields = change("a-long-enough-secret", "short").await.problem("field_invalid")["errors"].clone();
    assert_eq!(fields[0]["path"], "/new_password");
    change("a-long-enough-secret", "another-long-secret").await.gone();
    assert_eq!(other.until_closed().await, Some(4401));
    everywhere(async || laptop.get("/auth/me").await.status == 401).await;
    laptop.get("/auth/me").await.problem("token_invalid");
    let refresh = json!({ "refresh_token": laptop.refresh_token });
    laptop.json("POST", "/auth/token/refresh", refresh).await.problem("token_invalid");
    // Control: the session that changed it goes on, and its window with it.
    phone.create("things", json!({ "id": "t1", "title": "t" })).await.created();
    assert_eq!(own.until(|frame| frame["t"] == "ev").await["id"], "t1");
    let body = json!({ "email": "ana@example.test", "password": "a-long-enough-secret" });
    server.client().json("POST", "/auth/sign-in/password", body).await.problem("invalid_credentials");
    server.signed_in("ana@example.test", "another-long-secret").await;
}

#[tokio::test]
async fn who_signs_in_while_the_password_changes_is_in_by_the_new_one_only() {
    let server = Server::probe().await;
    let ana = server.fresh_user("ana").await;
    let enter = async |password: String| {
        let body = json!({ "email": "ana@example.test", "password": password });
        server.client().json("POST", "/auth/sign-in/password", body).await
    };
    let mut let_in = 0;
    for round in 0..5 {
        let password =
            |n: usize| if n == 0 { "a-long-enough-secret".to_owned() } else { format!("secret number {n}") };
        let body = json!({ "current_password": password(round), "new_password": password(round + 1) });
        let (old, changed) = tokio::join!(
            futures_util::future::join_all((0..6).map(|_| enter(password(round)))),
            ana.json("POST", "/auth/password/change", body)
        );
        changed.gone();
        for answer in old.into_iter().filter(|answer| answer.status == 200) {
            let_in += 1;
            let mut client = ana.clone();
            client.token = answer.ok()["access_token"].as_str().map(str::to_owned);
            everywhere(async || client.get("/auth/me").await.status == 401).await;
            client.get("/auth/me").await.problem("token_invalid");
        }
        // Control: the new one lets in, and stays in.
        enter(password(round + 1)).await.ok();
        ana.get("/auth/me").await.ok();
    }
    assert!(let_in > 0, "nobody signed in just before a change, so nothing was tried");
}

/// On Postgres they could pass each other: a session of the old password would begin after the change looked for such.
#[tokio::test]
async fn who_signs_in_and_who_changes_the_password_take_turns() {
    let server = Server::probe().await;
    let Some(database) = server.database() else { return };
    let ana = server.fresh_user("ana").await;
    server.fresh_user("bob").await;
    let turn = format!(
        "BEGIN; SELECT pg_advisory_xact_lock(1937007972, hashtext('password {}')); SELECT pg_sleep(4)",
        ana.user
    );
    let mut holder = tokio::process::Command::new("psql").args([&database, "-qc", &turn]).spawn().unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let body = json!({ "email": "ana@example.test", "password": "a-long-enough-secret" });
    let change = json!({ "current_password": "a-long-enough-secret", "new_password": "another-long-secret" });
    let client = server.client();
    let (entered, changed) = tokio::join!(
        client.json("POST", "/auth/sign-in/password", body.clone()),
        ana.json("POST", "/auth/password/change", change)
    );
    for answer in [entered, changed] {
        assert_eq!((answer.status, &answer.body()["code"]), (503, &json!("store_busy")), "{}", answer.text);
    }
    // Control: nobody else waits, and afterwards all is as before.
    server.signed_in("bob@example.test", "a-long-enough-secret").await;
    assert!(holder.wait().await.unwrap().success());
    client.json("POST", "/auth/sign-in/password", body).await.ok();
}

#[tokio::test]
async fn others_can_verify_our_tokens_with_published_keys() {
    let server = Server::probe().await;
    let ana = server.fresh_user("ana").await;
    let jwks = ana.send("GET", "/.well-known/jwks.json", &[], None).await.ok();
    let key = &jwks["keys"][0];
    assert_eq!(
        (&key["kty"], &key["crv"], &key["alg"], &key["use"]),
        (&json!("EC"), &json!("P-256"), &json!("ES256"), &json!("sig"))
    );
    assert!(key.get("d").is_none(), "the private part stays home");
    let discovery = ana.send("GET", "/.well-known/openid-configuration", &[], None).await.ok();
    assert!(discovery["jwks_uri"].as_str().unwrap().ends_with("/.well-known/jwks.json"));
}

#[tokio::test]
async fn who_deletes_the_own_account_is_gone_everywhere() {
    let server = Server::serve(&stead_e2e::examples().join("team-chat"), &[]).await;
    let ana = server.fresh_user("ana").await;
    ana.create("rooms", json!({ "id": "mine", "name": "Mine" })).await.created();
    // The chat has no delete rule for users: closed by default.
    ana.delete("users", &ana.user).await.problem("rule_denied");
    ana.get("/auth/me").await.ok();
}

#[tokio::test]
async fn credentials_never_reach_the_database_file_in_clear() {
    // A file that can be read.
    if stead_e2e::on_postgres() {
        return;
    }
    let mut server = Server::probe().await;
    let ana = server.fresh_user("ana").await;
    let refresh = ana.refresh_token.clone().unwrap();
    assert!(server.terminate().await);
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(server.data()).unwrap() {
        bytes.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    let holds = |needle: &str| bytes.windows(needle.len()).any(|w| w == needle.as_bytes());
    assert!(holds("ana@example.test"), "control: this is where things are stored");
    for secret in ["a-long-enough-secret", refresh.as_str(), ana.token.as_deref().unwrap()] {
        assert!(!holds(secret));
    }
}
