//! A browser without a screen: it keeps cookies and goes where it is sent, one step at a time.

use crate::Answer;
use reqwest::Url;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// A browser of one person.
pub struct Browser {
    http: reqwest::Client,
    /// The address that people open, and the one where the server is in this test.
    public: String,
    server: String,
    /// Who sits before it, as `provider.mjs` is told.
    person: String,
    /// Cookies by host.
    jar: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
}

impl Browser {
    /// A browser in which `public` leads to `server`.
    pub fn new(public: &str, server: &str, person: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        Self {
            http: http.build().unwrap(),
            public: public.to_owned(),
            server: server.to_owned(),
            person: person.to_owned(),
            jar: Mutex::default(),
        }
    }

    /// Opens an address and goes nowhere else.
    pub async fn open(&self, url: &str) -> Answer {
        self.step("GET", url, None).await
    }

    /// Posts a form.
    pub async fn post(&self, url: &str, form: &str) -> Answer {
        self.step("POST", url, Some(form)).await
    }

    async fn step(&self, method: &str, url: &str, form: Option<&str>) -> Answer {
        let host = Url::parse(url).unwrap().authority().to_owned();
        let cookies: Vec<String> = {
            let jar = self.jar.lock().unwrap();
            jar.get(&host).into_iter().flatten().map(|(name, value)| format!("{name}={value}")).collect()
        };
        let real = url.replacen(&self.public, &self.server, 1);
        let mut request = self.http.request(method.parse().unwrap(), real).header("X-Person", &self.person);
        if !cookies.is_empty() {
            request = request.header("Cookie", cookies.join("; "));
        }
        if let Some(form) = form {
            request =
                request.header("Content-Type", "application/x-www-form-urlencoded").body(form.to_owned());
        }
        let response = request.send().await.expect("the server answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        for cookie in headers.get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            let mut jar = self.jar.lock().unwrap();
            jar.entry(host.clone()).or_default().insert(name.to_owned(), value.to_owned());
        }
        Answer { status, headers, text: response.text().await.unwrap() }
    }

    /// Goes where it is sent until that is an address which begins so, which is not opened; or until nobody sends it on.
    pub async fn travel(&self, from: &str, to: &str) -> Result<String, Answer> {
        let mut at = from.to_owned();
        for _ in 0..20 {
            let answer = self.open(&at).await;
            let Some(next) = answer.header("location") else { return Err(answer) };
            at = Url::parse(&at).unwrap().join(next).unwrap().to_string();
            if at.starts_with(to) {
                return Ok(at);
            }
        }
        panic!("sent around in circles: {at}")
    }

    /// Loses every cookie.
    pub fn forget(&self) {
        self.jar.lock().unwrap().clear();
    }
}

/// A parameter of an address.
pub fn parameter(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).unwrap();
    url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}
