//! What is learnt of providers, how long it is kept, and the secrets that are made for Apple.

use crate::auth::social::apple::client_secret;
use crate::auth::social::asking::Asking;
use crate::auth::tests::app::App;
use crate::outbound::Reach;
use crate::{Caller, Ctx};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use stead_schema::{AppleKey, Provider, Secret, SecretSource, Span};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn provider(issuer: &str) -> Provider {
    Provider {
        name: "acme".to_owned(),
        issuer: Some(issuer.to_owned()),
        client_id: "com.example.app".to_owned(),
        client_secret: None,
        label: None,
        platforms: Vec::new(),
        scopes: None,
        authoritative_domains: Vec::new(),
        profile: Vec::new(),
        tenant: None,
        apple: None,
    }
}

/// A key set whose only key is called by how often it was asked for.
async fn turning_keys() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let kid = count.fetch_add(1, Ordering::SeqCst) + 1;
            let x = BASE64.encode([1; 32]);
            let key = json!({"kty": "EC", "crv": "P-256", "x": x, "y": x, "kid": kid.to_string()});
            let body = json!({ "keys": [key] }).to_string();
            let _ = stream.read(&mut [0; 4096]).await;
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    (url, asked)
}

#[tokio::test]
async fn at_16_an_unknown_key_is_looked_for_at_most_once_a_minute() {
    let app = App::open().await;
    let (url, asked) = turning_keys().await;
    let asking = Asking::new(Reach { allowed: vec!["127.0.0.1/32".parse().unwrap()] });
    let provider = provider(&url);
    let look = async |cx: &Ctx, kid: &str| {
        let keys =
            asking.keys(cx, &provider, &url, |keys| keys.iter().any(|key| key.kid.as_deref() == Some(kid)));
        keys.await.unwrap()[0].kid.clone().unwrap()
    };
    let count = || asked.load(Ordering::SeqCst);
    assert_eq!((look(&app.nobody(), "1").await.as_str(), count()), ("1", 1));
    assert_eq!((look(&app.nobody(), "1").await.as_str(), count()), ("1", 1), "kept");
    app.pass(59.0);
    assert_eq!((look(&app.nobody(), "2").await.as_str(), count()), ("1", 1), "too early to ask again");
    app.pass(2.0);
    assert_eq!((look(&app.nobody(), "2").await.as_str(), count()), ("2", 2));
    assert_eq!((look(&app.nobody(), "3").await.as_str(), count()), ("2", 2), "again too early");
    app.pass(3_601.0);
    assert_eq!(
        (look(&app.nobody(), "2").await.as_str(), count()),
        ("3", 3),
        "an hour later they are asked for anew"
    );
}

#[tokio::test]
async fn fifty_sign_ins_at_once_ask_for_keys_once() {
    let app = App::open().await;
    let (url, asked) = turning_keys().await;
    let asking = Asking::new(Reach { allowed: vec!["127.0.0.1/32".parse().unwrap()] });
    let (provider, cx) = (provider(&url), app.nobody());
    let all = (0..50).map(|_| asking.keys(&cx, &provider, &url, |_| true));
    assert!(futures_util::future::join_all(all).await.iter().all(Result::is_ok));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_secret_for_apple_is_signed_for_less_than_an_hour_and_used_until_shortly_before_its_end() {
    let app = App::open().await;
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
    let body = STANDARD.encode(document.as_ref());
    let (first, rest) = body.split_at(64);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{first}\n{rest}\n-----END PRIVATE KEY-----\n");
    let secret = |text: String| Secret { source: SecretSource::Literal(text), span: Span::default() };
    let key =
        |pem: String| AppleKey { team_id: "TEAM".into(), key_id: "KEY".into(), private_key: secret(pem) };
    let provider = provider("https://appleid.apple.com");
    let cx = || app.cx(Caller::Anonymous);

    let first = client_secret(&cx(), &provider, &key(pem.clone())).unwrap();
    let (signed, signature) = first.rsplit_once('.').unwrap();
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref());
    assert!(public.verify(signed.as_bytes(), &BASE64.decode(signature).unwrap()).is_ok());
    let part = |at: usize| -> Json {
        serde_json::from_slice(&BASE64.decode(signed.split('.').nth(at).unwrap()).unwrap()).unwrap()
    };
    assert_eq!((&part(0)["alg"], &part(0)["kid"]), (&json!("ES256"), &json!("KEY")));
    let claims = part(1);
    assert_eq!(
        (&claims["iss"], &claims["sub"], &claims["aud"]),
        (&json!("TEAM"), &json!("com.example.app"), &json!("https://appleid.apple.com"))
    );
    let life_s = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert!(life_s <= 3_600 && claims["iat"] == app.now().us() / 1_000_000, "{claims}");

    app.pass(2_600.0);
    assert_eq!(client_secret(&cx(), &provider, &key(pem.clone())).unwrap(), first);
    app.pass(200.0);
    assert_ne!(client_secret(&cx(), &provider, &key(pem.replace('\n', "\\n"))).unwrap(), first);
    let other = AppleKey { key_id: "OTHER".into(), ..key("nonsense".to_owned()) };
    assert!(client_secret(&cx(), &provider, &other).is_err());
}
