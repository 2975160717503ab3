//! An HTTP client that remembers who it is.

use crate::Socket;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::time::Duration;

/// A client of the API.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    /// Access token, once signed in.
    pub token: Option<String>,
    /// Refresh token, once signed in.
    pub refresh_token: Option<String>,
    /// The user's id, once signed in.
    pub user: String,
}

/// An answer, read whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: reqwest::header::HeaderMap,
    /// Body as text.
    pub text: String,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// The connection was refused or broke.
    Broken,
    /// Nothing came for as long as was waited.
    Silence,
}

impl Client {
    /// A client that is nobody yet.
    pub fn new(base: &str) -> Self {
        Self::made(base, reqwest::Client::builder())
    }

    /// The same, calling from an address.
    pub fn calling_from(base: &str, address: IpAddr) -> Self {
        Self::made(base, reqwest::Client::builder().local_address(address))
    }

    fn made(base: &str, http: reqwest::ClientBuilder) -> Self {
        let http = http.no_proxy().build().unwrap();
        Self { http, base: base.to_owned(), token: None, refresh_token: None, user: String::new() }
    }

    /// Sends a request to a path below the server's root.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Answer {
        let request = self.request(method, path, headers, body);
        whole(request).await.expect("the server answers")
    }

    /// As [`Client::send`] to a server that may die meanwhile or say nothing at all.
    pub async fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
        patience: Duration,
    ) -> Result<Answer, Unanswered> {
        let request = self.request(method, path, headers, body).timeout(patience);
        whole(request)
            .await
            .map_err(|error| if error.is_timeout() { Unanswered::Silence } else { Unanswered::Broken })
    }

    fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> reqwest::RequestBuilder {
        let mut request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) =
            self.token.as_ref().filter(|_| !headers.iter().any(|(n, _)| *n == "Authorization"))
        {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        request
    }

    /// Posts JSON to a server that may die meanwhile; the status, or `None` when no answer came. What a balancer says in
    /// place of a server that is gone bears no request id and is no answer.
    pub async fn try_post(&self, path: &str, body: String) -> Option<u16> {
        let mut request = self
            .http
            .post(format!("{}{path}", self.base))
            .header("Content-Type", "application/json")
            .body(body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.ok()?;
        answer.headers().contains_key("x-request-id").then(|| answer.status().as_u16())
    }

    /// Sends JSON to a path below `/api/v1`.
    pub async fn json(&self, method: &str, path: &str, body: Value) -> Answer {
        self.send(
            method,
            &format!("/api/v1{path}"),
            &[("Content-Type", "application/json")],
            Some(body.to_string()),
        )
        .await
    }

    /// Gets a path below `/api/v1`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", &format!("/api/v1{path}"), &[], None).await
    }

    /// Makes a record.
    pub async fn create(&self, collection: &str, body: Value) -> Answer {
        self.json("POST", &format!("/collections/{collection}/records"), body).await
    }

    /// One record.
    pub async fn show(&self, collection: &str, id: &str) -> Answer {
        self.get(&format!("/collections/{collection}/records/{id}")).await
    }

    /// Changes a record.
    pub async fn update(&self, collection: &str, id: &str, body: Value) -> Answer {
        self.json("PATCH", &format!("/collections/{collection}/records/{id}"), body).await
    }

    /// Removes a record.
    pub async fn delete(&self, collection: &str, id: &str) -> Answer {
        self.send("DELETE", &format!("/api/v1/collections/{collection}/records/{id}"), &[], None).await
    }

    /// A list with query parameters.
    pub async fn list(&self, collection: &str, params: &[(&str, &str)]) -> Answer {
        let query = params
            .iter()
            .map(|(name, value)| format!("{name}={}", percent_encoded(value)))
            .collect::<Vec<_>>()
            .join("&");
        self.get(&format!("/collections/{collection}/records?{query}")).await
    }

    /// The ids of a list, in order.
    pub async fn ids(&self, collection: &str, params: &[(&str, &str)]) -> Vec<String> {
        let answer = self.list(collection, params).await.ok();
        answer["items"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Signs up and stays signed in.
    pub async fn sign_up(&mut self, email: &str, password: &str, data: Value) -> Value {
        let body = json!({ "email": email, "password": password, "data": data });
        let session = self.json("POST", "/auth/sign-up", body).await.created();
        self.adopt(session)
    }

    /// Signs in and stays so.
    pub async fn sign_in(&mut self, email: &str, password: &str) -> Value {
        let session = self
            .json("POST", "/auth/sign-in/password", json!({ "email": email, "password": password }))
            .await
            .ok();
        self.adopt(session)
    }

    fn adopt(&mut self, session: Value) -> Value {
        self.token = session["access_token"].as_str().map(str::to_owned);
        self.refresh_token = session["refresh_token"].as_str().map(str::to_owned);
        self.user = session["user"]["id"].as_str().unwrap().to_owned();
        session
    }

    /// The same person at another server on the same database.
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// Opens a socket and says hello.
    pub async fn socket(&self) -> Socket {
        Socket::open(&self.base, self.token.as_deref()).await
    }
}

async fn whole(request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Answer { status, headers, text: response.text().await? })
}

impl Answer {
    /// The body as JSON.
    pub fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("not JSON ({e}): {}", self.text))
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    /// Asserts 200 and gives the body.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.body()
    }

    /// Asserts 201 and gives the body.
    #[track_caller]
    pub fn created(self) -> Value {
        assert_eq!(self.status, 201, "{}", self.text);
        self.body()
    }

    /// Asserts 204.
    #[track_caller]
    pub fn gone(self) {
        assert_eq!((self.status, self.text.as_str()), (204, ""), "nothing is said after a delete");
    }

    /// Asserts a well-formed problem with this code and gives it.
    #[track_caller]
    pub fn problem(self, code: &str) -> Value {
        let body = self.body();
        assert_eq!(body["code"], code, "{}", self.text);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(body["status"], self.status);
        assert!(self.status < 500, "a client's mistake is never a fault of the server: {body}");
        assert_eq!(body["instance"].as_str(), self.header("x-request-id"));
        body
    }
}

/// RFC 3986 §2.1, everything but unreserved characters.
pub fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}
