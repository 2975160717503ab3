//! The whole room over a project in memory: what every answer has, and what happens when things go wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use crate::guard::Guard;
use crate::{HttpSettings, Rate, State, app, openapi};
use actix_web::body::to_bytes;
use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
use actix_web::test::TestRequest;
use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse};
use serde_json::Value;
use std::sync::Arc;
use stead_engine::ctx::{SystemClock, SystemRandomness};
use stead_engine::{Limits, Project, ProjectConfig};
use stead_schema::SourceFile;

const APP: &str = "
version: 1
cors: {origins: ['https://app.example']}
collections:
  users:
    kind: auth
    fields: {name: {type: text, optional: true}}
    rules: {read: public}
  notes:
    fields: {body: {type: text, max: 100}}
    rules: {read: public, create: public, update: public, delete: public}
";

async fn state(settings: HttpSettings) -> Data<State> {
    let file = SourceFile { path: "schema/app.yaml".into(), text: APP.into() };
    let schema = stead_schema::load(vec![file]).unwrap();
    let rules = stead_rules::compile(&schema).unwrap();
    let config = ProjectConfig {
        schema,
        rules,
        store: stead_store::Config {
            place: stead_store::Place::Memory,
            readers: 1,
            synchronous: stead_store::Synchronous::Normal,
            retention: stead_store::Retention::default(),
            migrations: Vec::new(),
        },
        limits: Limits::default(),
        breached: None,
        master_key: [7; 32],
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandomness::default()),
        mail: Default::default(),
        outside: Default::default(),
    };
    Data::new(State::new(Project::open(config).await.unwrap(), settings))
}

async fn boom() -> HttpResponse {
    panic!("on purpose")
}

/// What one request to a fresh set of doors over `state` is answered.
async fn ask(state: &Data<State>, request: TestRequest) -> HttpResponse {
    let state = state.clone();
    let doors = App::new()
        .wrap(Guard)
        .route("/boom", web::get().to(boom))
        .configure(move |config| app::configure(config, state));
    let service = actix_web::test::init_service(doors).await;
    match actix_web::test::try_call_service(&service, request.to_request()).await {
        Ok(answer) => ServiceResponse::into_parts(answer).1.map_into_boxed_body(),
        Err(error) => error.error_response(),
    }
}

async fn json(response: HttpResponse) -> Value {
    serde_json::from_slice(&to_bytes(response.into_body()).await.unwrap()).unwrap()
}

fn header<'a>(response: &'a HttpResponse, name: &str) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

fn post(path: &str, body: &str) -> TestRequest {
    TestRequest::post()
        .uri(path)
        .insert_header(("content-type", "application/json"))
        .set_payload(body.to_owned())
}

const NOTES: &str = "/api/v1/collections/notes/records";

#[actix_web::test]
async fn every_answer_has_its_id_and_tells_browsers_to_be_careful() {
    let state = state(HttpSettings::default()).await;
    let requests = [
        (TestRequest::get().uri("/healthz"), 200),
        (TestRequest::get().uri(NOTES), 200),
        (post(NOTES, r#"{"body":"x"}"#), 201),
        (TestRequest::get().uri("/api/v1/nothing"), 404),
        (TestRequest::get().uri("/nothing"), 404),
        (TestRequest::get().uri(&format!("{NOTES}/x%ff")), 404),
        (TestRequest::put().uri(NOTES), 405),
        (TestRequest::post().uri("/nothing"), 405),
        (TestRequest::post().uri(NOTES).set_payload("{}"), 415),
        (post(NOTES, &" ".repeat(1024 * 1024 + 1)), 413),
        (TestRequest::get().uri(NOTES).insert_header(("authorization", "Bearer x")), 401),
        (TestRequest::get().uri("/boom"), 500),
    ];
    for (request, status) in requests {
        let response = ask(&state, request).await;
        assert_eq!(response.status().as_u16(), status);
        let id = header(&response, "x-request-id").unwrap().to_owned();
        assert_eq!((id.len(), id.as_bytes()[14]), (36, b'7'), "{id}");
        assert_eq!(header(&response, "x-content-type-options"), Some("nosniff"));
        assert!(header(&response, "content-security-policy").unwrap().contains("frame-ancestors"));
        assert_eq!(header(&response, "vary"), Some("Origin"));
        if status >= 400 {
            assert_eq!(header(&response, "content-type"), Some("application/problem+json"));
            let problem = json(response).await;
            assert_eq!(
                (&problem["status"], problem["instance"].as_str()),
                (&Value::from(status), Some(id.as_str()))
            );
        }
    }
}

#[actix_web::test]
async fn a_panic_is_answered_counted_and_survived() {
    let state = state(HttpSettings::default()).await;
    let response =
        ask(&state, TestRequest::get().uri("/boom").insert_header(("origin", "https://app.example"))).await;
    assert_eq!(header(&response, "access-control-allow-origin"), Some("https://app.example"));
    let problem = json(response).await;
    assert_eq!(problem["code"], "internal");
    assert!(!problem.to_string().contains("on purpose"), "what went wrong inside stays inside");
    let mut text = String::new();
    state.metrics.write_to(&mut text);
    assert!(text.contains("stead_http_panics_total 1"), "{text}");
    assert_eq!(state.in_flight.load(std::sync::atomic::Ordering::Relaxed), 0);
    assert_eq!(ask(&state, TestRequest::get().uri(NOTES)).await.status(), 200);
}

#[actix_web::test]
async fn a_preflight_is_answered_for_declared_origins_only() {
    let state = state(HttpSettings::default()).await;
    let preflight = |origin: &'static str| {
        TestRequest::default()
            .method(Method::OPTIONS)
            .uri(NOTES)
            .insert_header(("origin", origin))
            .insert_header(("access-control-request-method", "POST"))
    };
    let allowed = ask(&state, preflight("https://app.example")).await;
    assert_eq!(allowed.status(), 204);
    assert_eq!(header(&allowed, "access-control-allow-origin"), Some("https://app.example"));
    assert!(header(&allowed, "access-control-allow-headers").unwrap().contains("Idempotency-Key"));
    assert_eq!(header(&allowed, "access-control-allow-credentials"), None);
    for origin in ["https://evil.example", "null", "https://app.example.evil.example"] {
        let refused = ask(&state, preflight(origin)).await;
        assert_eq!(header(&refused, "access-control-allow-origin"), None, "{origin}");
        assert_eq!(header(&refused, "access-control-allow-methods"), None, "{origin}");
        assert_eq!(header(&refused, "vary"), Some("Origin"));
    }
    let plain = TestRequest::default().method(Method::OPTIONS).uri(NOTES);
    assert_eq!(ask(&state, plain).await.status(), 405, "without an origin it is a method like any other");
}

#[actix_web::test]
async fn who_asks_too_often_learns_when_to_come_back_and_probes_are_let_through() {
    let rate = Some(Rate { per_second: 1, burst: 2 });
    let state = state(HttpSettings { rate_per_address: rate, ..HttpSettings::default() }).await;
    let from =
        |address: &str| TestRequest::get().uri(NOTES).peer_addr(format!("{address}:1000").parse().unwrap());
    for _ in 0..2 {
        assert_eq!(ask(&state, from("192.0.2.1")).await.status(), 200);
    }
    let refused = ask(&state, from("192.0.2.1")).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(header(&refused, "retry-after"), Some("1"));
    assert!((1..=1001).contains(&json(refused).await["retry_after_ms"].as_u64().unwrap()));
    let believed = from("192.0.2.1").insert_header(("x-forwarded-for", "198.51.100.7"));
    assert_eq!(ask(&state, believed).await.status(), 429, "nobody is believed unless listed");
    assert_eq!(ask(&state, from("192.0.2.2")).await.status(), 200, "another address has its own limit");
    let probe = TestRequest::get().uri("/readyz").peer_addr("192.0.2.1:1".parse().unwrap());
    assert_eq!(ask(&state, probe).await.status(), 200);
}

#[actix_web::test]
async fn sign_ins_have_a_smaller_limit_of_their_own() {
    let rate = Some(Rate { per_second: 1, burst: 1 });
    let state = state(HttpSettings { rate_of_sign_in: rate, ..HttpSettings::default() }).await;
    let attempt = || post("/api/v1/auth/token/refresh", r#"{"refresh_token":"x"}"#);
    assert_eq!(ask(&state, attempt()).await.status(), 401);
    assert_eq!(json(ask(&state, attempt()).await).await["code"], "rate_limited");
    assert_eq!(ask(&state, TestRequest::get().uri(NOTES)).await.status(), 200, "other calls go on");
}

#[actix_web::test]
async fn a_server_that_is_going_away_says_so() {
    let state = state(HttpSettings::default()).await;
    assert_eq!(ask(&state, TestRequest::get().uri("/readyz")).await.status(), 200);
    state.drain();
    let response = ask(&state, TestRequest::get().uri("/readyz")).await;
    assert_eq!(json(response).await["code"], "shutting_down");
    assert_eq!(ask(&state, TestRequest::get().uri("/healthz")).await.status(), 200);
}

#[actix_web::test]
async fn every_documented_operation_has_a_door() {
    let state = state(HttpSettings::default()).await;
    let document = openapi::document(&state.project.catalogue().schema);
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            let method: Method = method.to_uppercase().parse().unwrap();
            let request = TestRequest::default().method(method.clone()).uri(&path.replace("{id}", "some-id"));
            let response = ask(&state, request).await;
            let status = response.status().as_u16();
            assert!(status < 500, "{method} {path}: {status}");
            if status >= 400 {
                let code = json(response).await["code"].as_str().unwrap().to_owned();
                assert!(
                    !matches!(code.as_str(), "route_not_found" | "method_not_allowed"),
                    "{method} {path}: {code}"
                );
            }
            asked += 1;
        }
    }
    assert!(asked > 20, "{asked}");
}

#[actix_web::test]
async fn a_record_is_made_once_per_key_and_read_by_version() {
    let state = state(HttpSettings::default()).await;
    let make = || post(NOTES, r#"{"id":"n1","body":"x"}"#).insert_header(("idempotency-key", "k"));
    let first = ask(&state, make()).await;
    assert_eq!((first.status().as_u16(), header(&first, "idempotent-replayed")), (201, None));
    assert_eq!(header(&first, "location"), Some("/api/v1/collections/notes/records/n1"));
    let again = ask(&state, make()).await;
    assert_eq!((again.status().as_u16(), header(&again, "idempotent-replayed")), (201, Some("true")));
    let one = || TestRequest::get().uri("/api/v1/collections/notes/records/n1");
    assert_eq!(header(&ask(&state, one()).await, "etag"), Some("\"1\""));
    assert_eq!(ask(&state, one().insert_header(("if-none-match", "\"1\""))).await.status(), 304);
    assert_eq!(ask(&state, one().insert_header(("if-none-match", "\"2\""))).await.status(), 200);
    let stale = TestRequest::delete()
        .uri("/api/v1/collections/notes/records/n1")
        .insert_header(("if-match", "\"2\""));
    assert_eq!(json(ask(&state, stale).await).await["code"], "version_conflict");
}
