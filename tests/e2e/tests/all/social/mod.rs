//! Sign-in at providers: with a real one, with one that lies, and what both leave behind.

mod attacks;
mod flow;
mod hostile;

use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;
use stead_e2e::{Browser, Client, Part, Server, parameter};
use tempfile::TempDir;

/// The address that people open. It leads nowhere; browsers of these tests know where the server is.
pub(crate) const PUBLIC: &str = "https://app.example.test";
/// Where sign-ins lead back to.
pub(crate) const BACK: &str = "https://app.example.test/signed-in";
/// RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A server of an app with a real provider, `acme`, whose word counts for acme.example, and a lying one, `liar`, for the same
/// domain; both also as `other` and `github`, whose word counts for nothing.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) liar: Part,
    _acme: Part,
    _files: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let callback = format!("{PUBLIC}/api/v1/auth/oauth/acme/callback");
        let acme = Part::start("provider.mjs", &[&callback]).await;
        let liar = Part::start("hostile.mjs", &[]).await;
        let files = TempDir::new().unwrap();
        write_app(files.path(), &acme.url, &liar.url);
        let secrets = files.path().join("secrets");
        std::fs::write(&secrets, "ACME=a secret: with/odd+characters\nGITHUB=another\n").unwrap();
        let flags = ["--allow-outbound", "127.0.0.1/32", "--secrets", secrets.to_str().unwrap()];
        let server = Server::serve(files.path(), &flags).await;
        Self { server, liar, _acme: acme, _files: files }
    }

    pub(crate) fn browser(&self, person: &str) -> Browser {
        Browser::new(PUBLIC, &self.server.url, person)
    }

    /// Where a sign-in begins.
    pub(crate) fn start(&self, provider: &str) -> String {
        format!("{PUBLIC}/api/v1/auth/oauth/{provider}/start?redirect_to={BACK}&code_challenge={CHALLENGE}")
    }

    /// The code that a sign-in at a provider leads back with.
    pub(crate) async fn code(&self, provider: &str, person: &str) -> String {
        let back = self.browser(person).travel(&self.start(provider), BACK).await.unwrap();
        parameter(&back, "code").unwrap_or_else(|| panic!("{back}"))
    }

    /// Somebody who signed in at a provider.
    pub(crate) async fn signed_in(&self, provider: &str, person: &str) -> (Client, Value) {
        let code = self.code(provider, person).await;
        let session = self.exchange(&code, VERIFIER).await.ok();
        (self.client_of(&session), session)
    }

    pub(crate) async fn exchange(&self, code: &str, verifier: &str) -> stead_e2e::Answer {
        let body = json!({ "code": code, "code_verifier": verifier });
        self.server.client().json("POST", "/auth/oauth/exchange", body).await
    }

    pub(crate) fn client_of(&self, session: &Value) -> Client {
        let mut client = self.server.client();
        client.token = session["access_token"].as_str().map(str::to_owned);
        client.refresh_token = session["refresh_token"].as_str().map(str::to_owned);
        client.user = session["user"]["id"].as_str().unwrap().to_owned();
        client
    }

    /// What the liar does from now on.
    pub(crate) async fn lie(&self, mode: Value) {
        Client::new(&self.liar.url).send("POST", "/mode", &[], Some(mode.to_string())).await.ok();
    }

    /// How often the liar was asked what since the last time.
    pub(crate) async fn asked(&self) -> Value {
        Client::new(&self.liar.url).send("GET", "/asked", &[], None).await.ok()
    }

    /// An ID token as the liar's device would give it.
    pub(crate) async fn mint(&self) -> String {
        let minted = Client::new(&self.liar.url).send("GET", "/mint", &[], None).await.ok();
        minted["id_token"].as_str().unwrap().to_owned()
    }
}

fn write_app(folder: &Path, acme: &str, liar: &str) {
    std::fs::create_dir(folder.join("schema")).unwrap();
    let mut text =
        format!("public_url: {PUBLIC}\nauth:\n  redirects: [\"com.example.app:/callback\"]\n  providers:\n");
    let mut provider = |name: &str, issuer: &str, more: &str| {
        writeln!(text, "    {name}: {{issuer: \"{issuer}\", client_id: stead, {more}}}").unwrap();
    };
    let profile = "profile: {name: name}";
    let trusted = format!("authoritative_domains: [acme.example], {profile}");
    provider("acme", acme, &format!("client_secret: \"secret:ACME\", label: Acme, {trusted}"));
    provider("liar", liar, &format!("platforms: {{ios: stead-ios}}, {trusted}"));
    provider("other", liar, profile);
    provider("github", liar, &format!("client_secret: \"secret:GITHUB\", {trusted}"));
    text.push_str("collections:\n  users:\n    kind: auth\n    fields: {name: {type: text, max: 40}}\n");
    text.push_str("    rules: {read: resource.id == auth.id}\n");
    std::fs::write(folder.join("schema/app.yaml"), text).unwrap();
}
