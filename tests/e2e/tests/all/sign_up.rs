//! Who may sign up: with an invitation, with an address of a domain, or not at all; and what an invitation is worth.

use futures_util::future::join_all;
use serde_json::{Value, json};
use stead_e2e::{Answer, Client, Post, Server};
use tempfile::TempDir;

const PASSWORD: &str = "a-long-enough-secret";

const USERS: &str = "collections:
  users:
    kind: auth
    fields:
      name: {type: text, max: 40, optional: true}
    rules:
      read: resource.id == auth.id
";

/// A server whose app has these lines below `auth:`, its operator and its mail.
async fn served(auth: &str) -> (Server, Client, Post, TempDir) {
    let app = TempDir::new().unwrap();
    let schema = app.path().join("schema");
    std::fs::create_dir(&schema).unwrap();
    let settings =
        format!("name: Club\npublic_url: https://club.example.test\nauth:\n  roles: [editor]\n{auth}");
    std::fs::write(schema.join("app.yaml"), settings).unwrap();
    std::fs::write(schema.join("users.yaml"), USERS).unwrap();
    let post = Post::new();
    let flags = post.flags();
    let mut flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    flags.extend(["--rate-sign-in", "0", "--rate-per-address", "0"]);
    let mut server = Server::serve(app.path(), &flags).await;
    let root = server.operator().await;
    (server, root, post, app)
}

async fn invite(root: &Client, body: Value) -> Value {
    root.json("POST", "/admin/invitations", body).await.created()
}

/// What stands behind `#` in the link.
fn token(invitation: &Value) -> String {
    let link = invitation["link"].as_str().unwrap();
    let (page, token) = link.split_once("#invitation=").unwrap();
    assert_eq!(page, "https://club.example.test/auth/ui");
    token.to_owned()
}

async fn sign_up(client: &Client, email: &str, invitation: Option<&str>) -> Answer {
    let mut body = json!({ "email": email, "password": PASSWORD });
    if let Some(token) = invitation {
        body["invitation"] = token.into();
    }
    // Where too many passwords are hashed at once, it was not begun.
    loop {
        let answer = client.json("POST", "/auth/sign-up", body.clone()).await;
        if answer.status != 503 {
            return answer;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

const INVITE: &str = "  sign_up: invite\n  methods: [password, otp]\n";

#[tokio::test]
async fn at_05_of_fifty_that_use_one_invitation_at_once_one_becomes_a_user() {
    let (server, root, _post, _app) = served(INVITE).await;
    let token = token(&invite(&root, json!({})).await);
    let guest = server.client();
    let emails: Vec<String> = (0..50).map(|n| format!("guest{n}@example.org")).collect();
    let answers = join_all(emails.iter().map(|email| sign_up(&guest, email, Some(&token)))).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    for refused in answers.into_iter().filter(|answer| answer.status != 201) {
        refused.problem("proof_invalid");
    }
    assert_eq!(root.get("/admin/invitations").await.ok()["items"], json!([]));
}

#[tokio::test]
async fn only_who_is_invited_signs_up_and_gets_what_the_invitation_gives() {
    let (server, root, mut post, _app) = served(&format!("{INVITE}  verify_email: true\n")).await;
    let guest = server.client();
    sign_up(&guest, "ana@example.org", None).await.problem("forbidden");
    sign_up(&guest, "ana@example.org", Some("rubbish")).await.problem("proof_invalid");
    let made = invite(&root, json!({ "email": "Ana@example.org", "roles": ["editor"] })).await;
    assert_eq!(
        (&made["email"], &made["roles"], &made["mailed"]),
        (&json!("ana@example.org"), &json!(["editor"]), &json!(true))
    );
    let letter = post.next("Ana@example.org").await;
    assert_eq!(letter.token, token(&made), "the mail holds the same link");
    // It is for that address, and a try with another one does not use it up.
    sign_up(&guest, "eve@example.org", Some(&letter.token)).await.problem("proof_invalid");
    let listed = root.get("/admin/invitations").await.ok();
    assert!(listed["items"][0].get("link").is_none(), "the link is told once: {listed}");
    assert_eq!(listed["items"][0]["id"], made["id"]);
    // It was sent there, so the address is proven by it.
    let session = sign_up(&guest, "ana@example.org", Some(&letter.token)).await.created();
    assert_eq!(session["user"]["verified"], true);
    let mut ana = server.client();
    ana.sign_in("ana@example.org", PASSWORD).await;
    assert_eq!(ana.get("/auth/session").await.ok()["roles"], json!(["editor"]));
    sign_up(&guest, "ana@example.org", Some(&letter.token)).await.problem("proof_invalid");
    // One for anybody proves nothing: the address is proven first, and it waits along.
    let open = token(&invite(&root, json!({ "roles": ["editor"] })).await);
    let challenge = sign_up(&guest, "bob@example.org", Some(&open)).await;
    assert_eq!(challenge.status, 202, "{challenge:?}");
    let code = post.next("bob@example.org").await.code;
    let body = json!({ "challenge_id": challenge.body()["challenge_id"], "code": code });
    let bob = guest.json("POST", "/auth/sign-up/confirm", body).await.created();
    assert_eq!(bob["user"]["verified"], true);
    sign_up(&guest, "cleo@example.org", Some(&open)).await.problem("proof_invalid");
}

#[tokio::test]
async fn at_06_an_invitation_that_was_withdrawn_replaced_or_meant_for_something_else_is_refused() {
    let (server, root, mut post, _app) = served(INVITE).await;
    let guest = server.client();
    let withdrawn = invite(&root, json!({})).await;
    let path = format!("/admin/invitations/{}", withdrawn["id"].as_str().unwrap());
    root.json("DELETE", &path, Value::Null).await.gone();
    root.json("DELETE", &path, Value::Null).await.problem("record_not_found");
    let (older, newer) = (
        invite(&root, json!({ "email": "ana@example.org" })).await,
        invite(&root, json!({ "email": "ana@example.org" })).await,
    );
    for refused in [&withdrawn, &older] {
        sign_up(&guest, "ana@example.org", Some(&token(refused))).await.problem("proof_invalid");
    }
    let newer = token(&newer);
    for path in ["/auth/otp/verify", "/auth/sign-up/confirm"] {
        guest.json("POST", path, json!({ "token": newer })).await.problem("proof_invalid");
    }
    // Control.
    sign_up(&guest, "ana@example.org", Some(&newer)).await.created();
    post.next_of("ana@example.org", 2).await;
    root.json("POST", "/admin/invitations", json!({ "email": "ana@example.org" }))
        .await
        .problem("unique_violation");
    for (body, path) in [
        (json!({ "email": "ana" }), "/email"),
        (json!({ "roles": ["editor", "chief"] }), "/roles/1"),
        (json!({ "expires_in": 59 }), "/expires_in"),
        (json!({ "expires_in": 2_592_001 }), "/expires_in"),
    ] {
        let told = root.json("POST", "/admin/invitations", body).await.problem("field_invalid");
        assert_eq!(told["errors"][0]["path"], path, "{told}");
    }
}

#[tokio::test]
async fn somebody_who_is_invited_signs_up_by_a_code_and_nobody_else_gets_one() {
    let (server, root, mut post, _app) = served(INVITE).await;
    let guest = server.client();
    let token = token(&invite(&root, json!({})).await);
    let asked = async |email: &str, invitation: Option<&str>| {
        let mut body = json!({ "email": email });
        if let Some(token) = invitation {
            body["invitation"] = token.into();
        }
        let answer = guest.json("POST", "/auth/sign-in/otp", body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.body()["challenge_id"].as_str().unwrap().to_owned()
    };
    // Each is answered alike; who is not invited gets no letter.
    asked("eve@example.org", None).await;
    asked("eve@example.org", Some("rubbish")).await;
    let challenge = asked("ana@example.org", Some(&token)).await;
    let letter = post.next("ana@example.org").await;
    let body = json!({ "challenge_id": challenge, "code": letter.code });
    assert_eq!(guest.json("POST", "/auth/otp/verify", body).await.ok()["user"]["verified"], true);
    assert!(post.now("eve@example.org").is_empty());
    sign_up(&guest, "bob@example.org", Some(&token)).await.problem("proof_invalid");
}

#[tokio::test]
async fn an_address_of_a_domain_is_proven_first_and_looks_like_nothing_else() {
    let (server, root, mut post, _app) = served("  domains: [example.org]\n").await;
    let guest = server.client();
    for other in ["a@example.com", "a@mail.example.org", "a@evilexample.org", "a@example.org.evil.example"] {
        sign_up(&guest, other, None).await.problem("forbidden");
    }
    let challenge = sign_up(&guest, "Ana@Example.org", None).await;
    assert_eq!(challenge.status, 202, "there is no account before the proof: {challenge:?}");
    let letter = post.next("Ana@Example.org").await;
    let body = json!({ "challenge_id": challenge.body()["challenge_id"], "code": letter.code });
    guest.json("POST", "/auth/sign-up/confirm", body).await.created();
    let settings = guest.get("/auth/settings").await.ok();
    assert_eq!(
        (&settings["sign_up"], &settings["verify_email"], &settings["invitations"]),
        (&json!(true), &json!(true), &json!(true))
    );
    // A guest from elsewhere comes by invitation.
    let token = token(&invite(&root, json!({ "email": "guest@example.com" })).await);
    sign_up(&guest, "guest@example.com", Some(&token)).await.created();
}

#[tokio::test]
async fn nobody_but_operators_invites_and_no_invitation_opens_what_is_closed() {
    let (server, root, _post, _app) = served("  sign_up: closed\n").await;
    let guest = server.client();
    let made = invite(&root, json!({})).await;
    sign_up(&guest, "ana@example.org", Some(&token(&made))).await.problem("forbidden");
    assert_eq!(guest.get("/auth/settings").await.ok()["invitations"], false);
    let key = async |areas: Value| {
        let made =
            root.json("POST", "/admin/api-keys", json!({ "name": "k", "admin": areas })).await.created();
        let mut client = server.client();
        client.token = Some(made["key"].as_str().unwrap().to_owned());
        client
    };
    let (may, may_not) = (key(json!(["users"])).await, key(json!(["metrics"])).await);
    let one = format!("/admin/invitations/{}", made["id"].as_str().unwrap());
    for (client, code) in [(&guest, "token_required"), (&may_not, "forbidden")] {
        client.json("POST", "/admin/invitations", json!({})).await.problem(code);
        client.get("/admin/invitations").await.problem(code);
        client.json("DELETE", &one, Value::Null).await.problem(code);
    }
    // Control.
    may.get("/admin/invitations").await.ok();
    may.json("DELETE", &one, Value::Null).await.gone();
}
