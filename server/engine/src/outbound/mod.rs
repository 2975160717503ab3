//! Questions to other services: the only room that opens connections to addresses which somebody else chose.
//!
//! Everything goes through [`Outbound::ask`]: public addresses only unless the operator opens more, the ports of the web,
//! no redirects, no proxy, ten seconds, one mebibyte. Whoever needs to follow a redirect asks again, and is checked again.

mod network;
mod reach;
mod resolver;
#[cfg(test)]
mod tests;

pub use network::{Network, NotANetwork};
pub use reach::Reach;

use resolver::{Lookup, OutOfReach, Resolver, SystemLookup};
use std::error::Error as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use url::{Host, Url};

/// Longest that an answer may take, from the first byte sent to the last one read.
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest answer in bytes.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// A client for other services.
pub struct Outbound {
    reach: Reach,
    lookup: Arc<dyn Lookup>,
    /// Made for the first question: an app that asks nobody needs no certificate authorities.
    client: OnceLock<reqwest::Client>,
}

/// One question.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// Whom.
    pub url: &'a str,
    /// An address that the app's author wrote down: its port is allowed besides 80 and 443, and plain HTTP only where it
    /// is plain HTTP itself.
    pub declared: Option<&'a str>,
    /// A token of ours at that service.
    pub bearer: Option<&'a str>,
    /// Who we are there: name and secret, as HTTP Basic.
    pub basic: Option<(&'a str, &'a str)>,
    /// Posts this form; without one it is a GET.
    pub form: Option<&'a [(&'a str, &'a str)]>,
}

impl<'a> Question<'a> {
    /// A plain GET.
    pub fn get(url: &'a str, declared: Option<&'a str>) -> Self {
        Self { url, declared, bearer: None, basic: None, form: None }
    }
}

/// An answer of another service.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status. A redirect is one like any other: it is not followed.
    pub status: u16,
    /// At most one mebibyte.
    pub body: Vec<u8>,
}

/// Why there is no answer. Texts are for the log: they may name addresses of the network.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// The question was not asked.
    #[error("{0} may not be asked: {1}")]
    Refused(String, String),
    /// It was asked in vain.
    #[error("{0} did not answer: {1}")]
    Failed(String, String),
    /// The answer is too large.
    #[error("{0} answered with more than a mebibyte")]
    TooLarge(String),
}

impl Outbound {
    /// A client that reaches the public internet and what `reach` adds.
    pub fn new(reach: Reach) -> Self {
        Self::resolving(reach, Arc::new(SystemLookup))
    }

    fn resolving(reach: Reach, lookup: Arc<dyn Lookup>) -> Self {
        Self { reach, lookup, client: OnceLock::new() }
    }

    /// Asks once.
    ///
    /// # Errors
    /// When the address may not be asked, nobody answers in time, or the answer is too large.
    pub async fn ask(&self, question: Question<'_>) -> Result<Reply, Unanswered> {
        let url = self.checked(question.url, question.declared)?;
        let whom = url.host_str().unwrap_or_default().to_owned();
        let client = self.client().map_err(|error| Unanswered::Failed(whom.clone(), causes(&error)))?;
        let mut request = match question.form {
            None => client.get(url),
            Some(form) => client.post(url).header("content-type", FORM).body(encoded(form)),
        };
        if let Some(token) = question.bearer {
            request = request.bearer_auth(token);
        }
        if let Some((name, secret)) = question.basic {
            request = request.basic_auth(name, Some(secret));
        }
        let mut response = request.send().await.map_err(|error| unanswered(&whom, &error))?;
        let mut reply = Reply { status: response.status().as_u16(), body: Vec::new() };
        while let Some(chunk) = response.chunk().await.map_err(|error| unanswered(&whom, &error))? {
            if reply.body.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(Unanswered::TooLarge(whom));
            }
            reply.body.extend_from_slice(&chunk);
        }
        Ok(reply)
    }

    /// The URL, if it may be asked. Names are judged when they are resolved.
    fn checked(&self, text: &str, declared: Option<&str>) -> Result<Url, Unanswered> {
        let refuse = |why: &str| Unanswered::Refused(text.to_owned(), why.to_owned());
        let url = Url::parse(text).map_err(|error| refuse(&error.to_string()))?;
        let declared = declared.and_then(|url| Url::parse(url).ok());
        let plain = declared.as_ref().is_some_and(|url| url.scheme() == "http");
        if url.scheme() != "https" && !(url.scheme() == "http" && plain) {
            return Err(refuse("it is not https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("it holds a name or a password"));
        }
        let port = url.port_or_known_default();
        let of_declared = declared.as_ref().and_then(Url::port_or_known_default);
        if !matches!(port, Some(80 | 443)) && port != of_declared {
            return Err(refuse("its port is neither 80 nor 443"));
        }
        // A name is not an address however it is written: the parser reads every notation of one.
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            Some(Host::Domain(_)) => None,
            None => return Err(refuse("it names nobody")),
        };
        match address {
            Some(address) if !self.reach.allows(address) => Err(refuse(&OutOfReach(address).to_string())),
            _ => Ok(url),
        }
    }

    fn client(&self) -> Result<&reqwest::Client, reqwest::Error> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // The table of algorithms of the process, without keys or state; it may be there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent("stead")
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .timeout(PATIENCE)
            // Each question has a connection of its own, whose address was just checked.
            .pool_max_idle_per_host(0)
            .default_headers(
                [(reqwest::header::ACCEPT, "application/json".parse())]
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value.ok()?)))
                    .collect(),
            )
            .dns_resolver(Arc::new(Resolver { lookup: Arc::clone(&self.lookup), reach: self.reach.clone() }))
            .build()?;
        Ok(self.client.get_or_init(|| client))
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

fn encoded(form: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}

fn unanswered(whom: &str, error: &reqwest::Error) -> Unanswered {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(out) = inner.downcast_ref::<OutOfReach>() {
            return Unanswered::Refused(whom.to_owned(), out.to_string());
        }
        cause = inner.source();
    }
    Unanswered::Failed(whom.to_owned(), causes(error))
}

/// An error with what is behind it, without the URL, which may hold a secret.
fn causes(error: &reqwest::Error) -> String {
    let kind = if error.is_timeout() { "it took too long" } else { "the connection failed" };
    let mut text = kind.to_owned();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}
