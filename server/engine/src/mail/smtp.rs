//! Mails as the network knows them: the message of RFC 5322, and the server that takes it. The one file that names `lettre`.

use super::templates::Words;
use super::transport::{Outgoing, Refused, Sending, Transport};
use lettre::address::Envelope;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::response::Response;
use lettre::transport::smtp::{Error as SmtpError, PoolConfig};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};
use stead_schema::AppSettings;
use stead_wire::Instant;

/// Longest wait for one step of the conversation.
const STEP: Duration = Duration::from_secs(10);
/// How long a connection may rest before it is closed. Mail servers close theirs after minutes.
const IDLE: Duration = Duration::from_secs(30);
/// What a server says when it does not know us (RFC 4954 §6, RFC 3207 §4): wrong here, not in the mail.
const OUR_FAULT: [&str; 4] = ["530", "534", "535", "538"];

/// Who a mail is from: an address, maybe with a name.
#[derive(Debug, Clone)]
pub struct Sender(Mailbox);

impl Sender {
    /// Reads `address` or `Name <address>`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, address) = match text.trim().strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
            Some((name, address)) => (name.trim().trim_matches('"'), address),
            None => ("", text),
        };
        if name.chars().any(char::is_control) {
            return Err("a sender's name is one line of text".to_owned());
        }
        let address: Address = address
            .trim()
            .parse()
            .map_err(|_| format!("`{}` is no address", address.trim().escape_debug()))?;
        Ok(Self(Mailbox::new((!name.is_empty()).then(|| name.to_owned()), address)))
    }

    /// Who mails of an app are from: whom it names, or itself at the host of its public address.
    ///
    /// # Errors
    /// As [`Sender::parse`].
    pub fn of_app(app: &AppSettings) -> Result<Self, String> {
        if let Some(from) = &app.mail.from {
            return Self::parse(from);
        }
        let url = app.public_url.as_deref().and_then(|url| url.split_once("://"));
        let host = url.and_then(|(_, rest)| rest.split([':', '/']).next()).unwrap_or_default();
        let sender = Self::parse(&format!("noreply@{host}")).or_else(|_| Self::parse("noreply@localhost"))?;
        let name = app.name.as_deref().map(|name| name.chars().filter(|c| !c.is_control()).collect());
        Ok(Self(Mailbox::new(name, sender.0.email)))
    }

    /// The address alone.
    pub fn address(&self) -> String {
        self.0.email.to_string()
    }
}

/// What stands above the words of a mail.
pub(super) struct Head<'a> {
    /// Names the mail; the same when it is sent again, so that receivers may know it by its `Message-ID`.
    pub(super) id: &'a str,
    pub(super) from: &'a Sender,
    pub(super) reply_to: Option<&'a str>,
    /// One address.
    pub(super) to: &'a str,
    pub(super) now: Instant,
}

/// The whole message.
///
/// # Errors
/// When an address is none.
pub(super) fn compose(head: &Head<'_>, words: &Words) -> Result<Vec<u8>, String> {
    let to: Address = head.to.parse().map_err(|_| "the recipient's address is none".to_owned())?;
    let from = &head.from.0;
    let now = SystemTime::UNIX_EPOCH + Duration::from_micros(head.now.us().unsigned_abs());
    let mut message = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(words.subject.as_str())
        .message_id(Some(format!("<{}@{}>", head.id, from.email.domain())))
        .date(now)
        .header(AutoSubmitted);
    if let Some(reply_to) = head.reply_to {
        message = message.reply_to(Sender::parse(reply_to)?.0);
    }
    let parts = MultiPart::alternative_plain_html(words.text.clone(), words.html.clone());
    message.multipart(parts).map(|message| message.formatted()).map_err(|error| error.to_string())
}

/// No person sent it, so no program should answer it (RFC 3834 §5).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// A mail server that takes mails for everybody.
pub struct Smtp(AsyncSmtpTransport<Tokio1Executor>);

impl Smtp {
    /// Reads `smtps://user:password@host:465`, or `smtp://…:587`, which goes on encrypted by STARTTLS or not at all: unless the
    /// host is this machine, or `?tls=none` allows it. Connects to nothing. Call it where the asynchronous runtime runs.
    ///
    /// # Errors
    /// What is wrong with it, without what is secret in it.
    pub fn parse(url: &str) -> Result<Self, String> {
        let url = with_encryption(url)?;
        let unreadable = "the mail server is named by smtps://user:password@host:465 or smtp://user:password@host:587; \
            write %40 for @ and %2F for / in the user or password";
        let builder =
            AsyncSmtpTransport::<Tokio1Executor>::from_url(&url).map_err(|_| unreadable.to_owned())?;
        let pool = PoolConfig::new().max_size(4).idle_timeout(IDLE);
        Ok(Self(builder.timeout(Some(STEP)).pool_config(pool).build()))
    }

    async fn try_once(&self, envelope: &Envelope, message: &[u8]) -> Result<Response, SmtpError> {
        self.0.send_raw(envelope, message).await
    }
}

/// The URL as `lettre` reads it: it does not ask for encryption by itself.
fn with_encryption(url: &str) -> Result<String, String> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (scheme, rest) = base.split_once("://").unwrap_or_default();
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match (scheme, query) {
        ("smtps", "") => Ok(base.to_owned()),
        ("smtp", "") if is_loopback(host) => Ok(base.to_owned()),
        ("smtp", "tls=none") => Ok(base.to_owned()),
        ("smtp", "" | "tls=required") => Ok(format!("{base}?tls=required")),
        ("smtp" | "smtps", _) => {
            Err("the only parameter is `tls`: none or required, with smtp://".to_owned())
        }
        _ => Err("mail goes to smtps://…, smtp://…, file:FOLDER, console or none".to_owned()),
    }
}

/// Whether a host, maybe with a port, is this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, _)) => name,
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

impl Transport for Smtp {
    fn send<'a>(&'a self, mail: &'a Outgoing) -> Sending<'a> {
        Box::pin(async move {
            let address =
                |text: &str| text.parse::<Address>().map_err(|error| Refused::for_good(error.to_string()));
            let envelope = Envelope::new(Some(address(&mail.from)?), vec![address(&mail.to)?])
                .map_err(|error| Refused::for_good(error.to_string()))?;
            let answer = match self.try_once(&envelope, &mail.message).await {
                // The server may have closed a connection that rested; the next one is new.
                Err(error) if broken(&error) => self.try_once(&envelope, &mail.message).await,
                answer => answer,
            };
            answer.map(|said| told(&said)).map_err(|error| refused(&error))
        })
    }
}

/// Whether the connection broke, and not because nothing came.
fn broken(error: &SmtpError) -> bool {
    error.status().is_none() && !error.is_timeout() && !error.is_tls() && !error.is_client()
}

fn told(said: &Response) -> String {
    format!("{} {}", said.code(), said.message().collect::<Vec<_>>().join(" ")).trim_end().to_owned()
}

fn refused(error: &SmtpError) -> Refused {
    let code = error.status().map(|code| code.to_string()).unwrap_or_default();
    let for_good = error.is_permanent() && !OUR_FAULT.contains(&code.as_str());
    Refused { for_good, why: error.to_string() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn without_a_word_nothing_leaves_this_machine_unencrypted() {
        for (given, read) in [
            ("smtps://u:p@mail.example.org:465", "smtps://u:p@mail.example.org:465"),
            ("smtp://u:p@mail.example.org:587", "smtp://u:p@mail.example.org:587?tls=required"),
            ("smtp://mail.example.org?tls=required", "smtp://mail.example.org?tls=required"),
            ("smtp://localhost@mail.example.org", "smtp://localhost@mail.example.org?tls=required"),
            ("smtp://localhost.example.org", "smtp://localhost.example.org?tls=required"),
            ("smtp://127.0.0.1.example.org", "smtp://127.0.0.1.example.org?tls=required"),
            ("smtp://localhost:1025", "smtp://localhost:1025"),
            ("smtp://127.0.0.1:1025", "smtp://127.0.0.1:1025"),
            ("smtp://[::1]:1025", "smtp://[::1]:1025"),
            ("smtp://localhost:1025?tls=required", "smtp://localhost:1025?tls=required"),
            ("smtp://mail.example.org?tls=none", "smtp://mail.example.org"),
        ] {
            assert_eq!(with_encryption(given).as_deref(), Ok(read), "{given}");
        }
        for wrong in [
            "",
            "mail.example.org",
            "http://a",
            "smtp://a?tls=opportunistic",
            "smtps://a?tls=none",
            "smtp://a?x=y",
        ] {
            assert!(with_encryption(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_app_that_names_no_sender_is_one_itself() {
        let of = |public_url: Option<&str>, from: Option<&str>| {
            let public_url = public_url.map(str::to_owned);
            let mail = stead_schema::MailSettings { from: from.map(str::to_owned), ..Default::default() };
            let app =
                AppSettings { name: Some("Büro\n1".into()), public_url, mail, ..AppSettings::default() };
            let sender = Sender::of_app(&app).unwrap();
            (sender.0.name.clone().unwrap_or_default(), sender.address())
        };
        let own = |address: &str| ("Büro1".to_owned(), address.to_owned());
        assert_eq!(of(Some("https://app.example.org:8443"), None), own("noreply@app.example.org"));
        assert_eq!(of(Some("http://[::1]:8090"), None), own("noreply@localhost"));
        assert_eq!(of(None, None), own("noreply@localhost"));
        assert_eq!(of(Some("https://a.b"), Some("x@y.z")), (String::new(), "x@y.z".to_owned()));
    }

    #[tokio::test]
    async fn what_is_wrong_with_the_url_is_told_without_its_password() {
        let told = Smtp::parse("smtp://u:hush@[nowhere").err().unwrap();
        assert!(told.contains("smtps://user:password@host"), "{told}");
        assert!(!told.contains("hush"), "{told}");
        assert!(Smtp::parse("smtps://u:p%40q@mail.example.org:465").is_ok());
    }

    #[test]
    fn a_sender_is_an_address_maybe_with_a_name() {
        let read = |text| {
            Sender::parse(text).map(|sender| (sender.0.name.clone().unwrap_or_default(), sender.address()))
        };
        let pair = |name: &str, address: &str| Ok((name.to_owned(), address.to_owned()));
        assert_eq!(read("chat@example.org"), pair("", "chat@example.org"));
        assert_eq!(read("Team chat <chat@example.org>"), pair("Team chat", "chat@example.org"));
        assert_eq!(read("\"Büro, Nord\" <b@example.org>"), pair("Büro, Nord", "b@example.org"));
        for wrong in ["", "chat", "a@b.c, d@e.f", "A\r\nBcc: x <a@b.c>", "A <a@b.c\r\nBcc: x@y.z>", "A <>"] {
            assert!(Sender::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
