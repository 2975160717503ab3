//! Every way in which an ID token may be wrong, each made from one that is right.

use crate::auth::crypto::{Alg, ForeignKey};
use crate::auth::social::id_token::{Expected, IdToken, Issuers, Nonce, Refused, Unchecked};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value as Json, json};

const NOW_S: i64 = 1_800_000_000;
const ISSUER: &str = "https://id.example.com";
const DIRECTORY: &str = "11111111-2222-3333-4444-555555555555";

/// A provider with one key.
struct Provider {
    pair: EcdsaKeyPair,
    jwk: Json,
}

impl Provider {
    fn new(kid: &str) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        let point = pair.public_key().as_ref();
        let (x, y) = (BASE64.encode(&point[1..33]), BASE64.encode(&point[33..]));
        let jwk = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "use": "sig"});
        Self { pair, jwk }
    }

    fn token(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64.encode(signature.as_ref()))
    }

    fn key(&self) -> ForeignKey {
        ForeignKey::read(&self.jwk).unwrap()
    }
}

fn header() -> Json {
    json!({"alg": "ES256", "kid": "one", "typ": "JWT"})
}

fn claims() -> Json {
    json!({
        "iss": ISSUER, "aud": "us", "sub": "248289761001", "exp": NOW_S + 600, "iat": NOW_S, "nonce": "n-1",
        "email": "ana@example.com", "email_verified": true,
    })
}

/// One change of an object: another value, or none.
fn changed(mut object: Json, name: &str, value: Json) -> Json {
    match value {
        Json::Null => {
            object.as_object_mut().unwrap().remove(name);
        }
        value => object[name] = value,
    }
    object
}

fn expecting<'a>(audiences: &'a [&'a str], issuers: &'a Issuers, nonce: Nonce<'a>) -> Expected<'a> {
    Expected { issuers, audiences, algs: &[Alg::Es256], nonce, now_s: NOW_S }
}

fn judged(token: &str, keys: &[ForeignKey], expected: &Expected<'_>) -> Result<IdToken, Refused> {
    Unchecked::read(token, expected.algs)?.check(keys, expected)
}

/// As our provider's web flow would judge it.
fn check(token: &str, keys: &[ForeignKey]) -> Result<IdToken, Refused> {
    let issuers = Issuers::Of(vec![ISSUER.to_owned()]);
    judged(token, keys, &expecting(&["us", "us-ios"], &issuers, Nonce::Is("n-1")))
}

#[test]
fn at_16_every_claim_must_be_there_and_right() {
    let provider = Provider::new("one");
    let keys = [provider.key()];
    let with = |name: &str, value: Json| {
        let claims = changed(claims(), name, value).to_string();
        check(&provider.token(&header().to_string(), &claims), &keys)
    };
    let fine = with("extra", json!(1)).unwrap();
    assert_eq!((fine.issuer.as_str(), fine.subject.as_str()), (ISSUER, "248289761001"));
    let right = [
        ("aud", json!(["us"])),
        ("azp", json!("us")),
        ("azp", json!("us-ios")),
        ("exp", json!(NOW_S - 29)),
        ("iat", json!(NOW_S + 30)),
        ("nbf", json!(NOW_S)),
        ("sub", json!("x".repeat(255))),
    ];
    for (name, value) in right {
        assert!(with(name, value.clone()).is_ok(), "{name}: {value}");
    }
    let wrong = [
        ("iss", Json::Null),
        ("iss", json!("https://id.example.com/")),
        ("iss", json!("https://evil.example")),
        ("iss", json!([ISSUER])),
        ("iss", json!(1)),
        ("aud", Json::Null),
        ("aud", json!("them")),
        ("aud", json!([])),
        ("aud", json!(["them"])),
        ("aud", json!(["us", "them"])),
        ("aud", json!(["us", 1])),
        ("aud", json!({"us": true})),
        ("azp", json!("them")),
        ("azp", json!(["us"])),
        ("exp", Json::Null),
        ("exp", json!((NOW_S + 600).to_string())),
        ("exp", json!(NOW_S as f64 + 600.5)),
        ("exp", json!(NOW_S - 30)),
        ("exp", json!(true)),
        ("iat", Json::Null),
        ("iat", json!(NOW_S + 31)),
        ("iat", json!(NOW_S.to_string())),
        ("nbf", json!(NOW_S + 31)),
        ("nbf", json!("0")),
        ("sub", Json::Null),
        ("sub", json!("")),
        ("sub", json!(248289761001_i64)),
        ("sub", json!("x".repeat(256))),
        ("sub", json!(["248289761001"])),
        ("nonce", Json::Null),
        ("nonce", json!("n-2")),
        ("nonce", json!("")),
        ("nonce", json!(1)),
        ("nonce", json!(["n-1"])),
    ];
    for (name, value) in wrong {
        let refused = with(name, value.clone());
        assert!(matches!(refused, Err(Refused::Because(_))), "{name}: {value}: {refused:?}");
    }
    // For several, and one of them says that it asked: that is us.
    let both = changed(changed(claims(), "aud", json!(["us", "them"])), "azp", json!("us")).to_string();
    assert!(check(&provider.token(&header().to_string(), &both), &keys).is_ok());
}

#[test]
fn at_16_a_header_chooses_nothing() {
    let provider = Provider::new("one");
    let stranger = Provider::new("one");
    let keys = [provider.key()];
    let with = |name: &str, value: Json| {
        let header = changed(header(), name, value).to_string();
        check(&provider.token(&header, &claims().to_string()), &keys)
    };
    for (name, value) in
        [("kid", Json::Null), ("typ", Json::Null), ("typ", json!("jwt")), ("x5t", json!("a"))]
    {
        assert!(with(name, value.clone()).is_ok(), "{name}: {value}");
    }
    let wrong = [
        ("alg", Json::Null),
        ("alg", json!("none")),
        ("alg", json!("None")),
        ("alg", json!("HS256")),
        ("alg", json!("RS256")),
        ("alg", json!("es256")),
        ("alg", json!(["ES256"])),
        ("kid", json!(1)),
        ("typ", json!("at+jwt")),
        ("typ", json!(1)),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("jwk", stranger.jwk.clone()),
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/cert")),
    ];
    for (name, value) in wrong {
        let refused = with(name, value.clone());
        assert!(matches!(refused, Err(Refused::Because(_))), "{name}: {value}: {refused:?}");
    }
    assert_eq!(with("kid", json!("two")), Err(Refused::UnknownKey), "worth a look at newer keys");
    // A key of the same name that is not the provider's.
    let forged = stranger.token(&header().to_string(), &claims().to_string());
    assert!(matches!(check(&forged, &keys), Err(Refused::Because(_))));
    assert!(check(&forged, &[stranger.key()]).is_ok(), "control");
}

#[test]
fn at_16_a_token_that_could_be_read_in_two_ways_is_refused() {
    let provider = Provider::new("one");
    let keys = [provider.key()];
    let text = |claims: &str| check(&provider.token(&header().to_string(), claims), &keys);
    let fine = claims().to_string();
    assert!(text(&fine).is_ok());
    let twice = fine.replacen('{', "{\"sub\":\"admin\",", 1);
    assert!(text(&twice).is_err(), "duplicate claims");
    assert!(text(&format!("{fine}{{}}")).is_err(), "more than one object");
    assert!(text(&format!("[{fine}]")).is_err());
    let header_twice = r#"{"alg":"ES256","alg":"ES256","kid":"one"}"#;
    assert!(check(&provider.token(header_twice, &fine), &keys).is_err());
    let token = provider.token(&header().to_string(), &fine);
    for broken in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        format!("{token}."),
        format!("{token}="),
        format!(" {token}"),
        format!("{}.", token.rsplit_once('.').unwrap().0),
        token.replacen('.', "..", 1),
        token.split('.').take(2).collect::<Vec<_>>().join("."),
        format!("{}.{}", BASE64.encode(r#"{"alg":"none"}"#), BASE64.encode(&fine)),
        format!("{}.{}.", BASE64.encode(r#"{"alg":"none"}"#), BASE64.encode(&fine)),
    ] {
        assert!(check(&broken, &keys).is_err(), "{broken}");
    }
    let padded = changed(claims(), "pad", json!("x".repeat(100_000))).to_string();
    assert!(text(&padded).is_err(), "100 kB");
    let padded = changed(claims(), "pad", json!("x".repeat(8_000))).to_string();
    assert!(text(&padded).is_ok(), "8 kB");
}

#[test]
fn at_16_only_keys_for_signatures_of_the_right_kind_are_taken() {
    let provider = Provider::new("one");
    let token = provider.token(&header().to_string(), &claims().to_string());
    let with = |name: &str, value: Json| {
        let key = ForeignKey::read(&changed(provider.jwk.clone(), name, value));
        key.map(|key| check(&token, &[key]))
    };
    assert!(with("alg", json!("ES256")).unwrap().is_ok());
    assert!(with("use", Json::Null).unwrap().is_ok());
    assert!(with("alg", json!("RS256")).unwrap().is_err());
    for (name, value) in [
        ("use", json!("enc")),
        ("kty", json!("oct")),
        ("kty", Json::Null),
        ("crv", json!("P-384")),
        ("x", json!("AAAA")),
        ("x", json!("not base64url!")),
    ] {
        assert!(with(name, value.clone()).is_none(), "{name}: {value}");
    }
    let secret = json!({"kty": "oct", "k": BASE64.encode("x"), "kid": "one"});
    assert!(ForeignKey::read(&secret).is_none());
    // Two keys of one name: nobody knows which is meant.
    let twin = Provider::new("one");
    assert!(check(&token, &[provider.key(), twin.key()]).is_err());
    let other = Provider::new("two");
    assert!(check(&token, &[provider.key(), other.key()]).is_ok());
}

#[test]
fn at_16_issuers_with_several_names_are_one_and_directories_are_told_apart() {
    let provider = Provider::new("one");
    let keys = [provider.key()];
    let by = |issuers: &Issuers, iss: &str, tid: Json| {
        let claims = changed(changed(claims(), "iss", json!(iss)), "tid", tid).to_string();
        let token = provider.token(&header().to_string(), &claims);
        judged(&token, &keys, &expecting(&["us"], issuers, Nonce::Is("n-1"))).map(|token| token.issuer)
    };
    let apple =
        Issuers::Of(["https://appleid.apple.com", "https://account.apple.com"].map(str::to_owned).to_vec());
    for name in ["https://appleid.apple.com", "https://account.apple.com"] {
        assert_eq!(by(&apple, name, Json::Null).unwrap(), "https://appleid.apple.com");
    }
    assert!(by(&apple, "https://evil.apple.com", Json::Null).is_err());
    let own = format!("https://login.microsoftonline.com/{DIRECTORY}/v2.0");
    assert_eq!(by(&Issuers::AnyTenant, &own, json!(DIRECTORY)).unwrap(), own);
    let another = DIRECTORY.replace('1', "9");
    let template = "https://login.microsoftonline.com/{tenantid}/v2.0";
    for (iss, tid) in [
        (own.as_str(), Json::Null),
        (&own, json!(another)),
        (&own, json!(1)),
        (template, json!("{tenantid}")),
        ("https://login.microsoftonline.com//v2.0", json!("")),
        ("https://login.microsoftonline.com/../v2.0", json!("..")),
        ("https://evil.example/v2.0", json!(DIRECTORY)),
    ] {
        assert!(by(&Issuers::AnyTenant, iss, tid.clone()).is_err(), "{iss} {tid}");
    }
}

#[test]
fn at_17_a_token_from_a_device_is_for_our_app_and_for_this_attempt() {
    let provider = Provider::new("one");
    let keys = [provider.key()];
    let issuers = Issuers::Of(vec![ISSUER.to_owned()]);
    let native = |aud: &str, held: Json, asked: Option<&str>, audiences: &[&str]| {
        let claims = changed(changed(claims(), "aud", json!(aud)), "nonce", held).to_string();
        let token = provider.token(&header().to_string(), &claims);
        judged(&token, &keys, &expecting(audiences, &issuers, Nonce::Native(asked))).is_ok()
    };
    let hashed = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; // SHA-256 of "abc"
    let all = ["us", "us-ios"];
    assert!(native("us-ios", json!("abc"), Some("abc"), &all));
    assert!(native("us-ios", json!(hashed), Some("abc"), &all), "hashed, as Apple's devices send it");
    assert!(native("us-ios", Json::Null, None, &all));
    for (aud, held, asked, audiences) in [
        ("them-ios", json!("abc"), Some("abc"), &all[..]),
        ("us-ios", json!("abc"), Some("abc"), &["us"]),
        ("us-ios", json!("abc"), None, &all),
        ("us-ios", Json::Null, Some("abc"), &all),
        ("us-ios", json!("abd"), Some("abc"), &all),
        ("us-ios", json!("abc"), Some(hashed), &all),
        ("us-ios", json!(hashed.to_uppercase()), Some("abc"), &all),
    ] {
        assert!(!native(aud, held.clone(), asked, audiences), "{aud} {held} {asked:?} {audiences:?}");
    }
}
