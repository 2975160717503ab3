//! The client against real sockets on loopback.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers every connection the same and counts them.
async fn answering(address: &str, answer: Vec<u8>) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    (listener.local_addr().unwrap().port(), spawn(listener, answer))
}

fn spawn(listener: TcpListener, answer: Vec<u8>) -> Arc<AtomicUsize> {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(&answer).await;
        }
    });
    asked
}

fn http(body: &str, head: &str) -> Vec<u8> {
    format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
        .into_bytes()
}

fn allowing(blocks: &[&str]) -> Reach {
    Reach { allowed: blocks.iter().map(|block| block.parse().unwrap()).collect() }
}

/// A resolver with an answer per question.
struct Scripted(Mutex<Vec<Vec<IpAddr>>>, AtomicUsize);

impl Scripted {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let of = |answer: &&[&str]| answer.iter().map(|address| address.parse().unwrap()).collect();
        Arc::new(Self(Mutex::new(answers.iter().rev().map(of).collect()), AtomicUsize::new(0)))
    }
}

impl Lookup for Scripted {
    fn lookup(&self, _: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        self.1.fetch_add(1, Ordering::SeqCst);
        let answer = self.0.lock().pop().unwrap_or_default();
        Box::pin(async move { Ok(answer) })
    }
}

#[tokio::test]
async fn an_allowed_service_is_asked_and_answers() {
    let (port, asked) = answering("127.0.0.1", http("{\"a\":1}", "200 OK")).await;
    let url = format!("http://127.0.0.1:{port}/x");
    let outbound = Outbound::new(allowing(&["127.0.0.1/32"]));
    let reply = outbound.ask(Question::get(&url, Some(&url))).await.unwrap();
    assert_eq!((reply.status, reply.body.as_slice()), (200, &b"{\"a\":1}"[..]));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn at_70_loopback_is_refused_however_it_is_written() {
    let (port, asked) = answering("127.0.0.1", http("secret", "200 OK")).await;
    let declared = format!("http://declared.example:{port}");
    // Every name leads to loopback here, whatever this machine's resolver thinks of it.
    let names = Scripted::new(&[&["127.0.0.1"][..]; 8]);
    let outbound = Outbound::resolving(Reach::default(), names);
    let hosts = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0x7f.1",
        "127.0.0.1.",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::7f00:1]",
        "0",
        "0.0.0.0",
        "[::]",
        "①②⑦.0.0.1",
        "127。0。0。1",
        "%31%32%37.0.0.1",
    ];
    for host in hosts {
        let url = format!("http://{host}:{port}/");
        let refused = outbound.ask(Question::get(&url, Some(&declared))).await;
        assert!(matches!(refused, Err(Unanswered::Refused(..))), "{host}: {refused:?}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    // The same question reaches it where the operator allows it.
    let allowed = Outbound::new(allowing(&["127.0.0.0/8", "::1/128"]));
    let url = format!("http://0x7f000001:{port}/");
    assert_eq!(allowed.ask(Question::get(&url, Some(&declared))).await.unwrap().status, 200);
}

#[tokio::test]
async fn at_70_a_name_that_leads_elsewhere_the_second_time_is_refused_the_second_time() {
    let public = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let port = public.local_addr().unwrap().port();
    let asked = spawn(public, http("fine", "200 OK"));
    let Ok(inside) = TcpListener::bind(("127.0.0.1", port)).await else { return };
    let leaked = spawn(inside, http("secret", "200 OK"));
    let answers: &[&[&str]] = &[&["127.0.0.2"], &["127.0.0.1"], &["127.0.0.2", "127.0.0.1"]];
    let lookup = Scripted::new(answers);
    let outbound = Outbound::resolving(allowing(&["127.0.0.2/32"]), Arc::<Scripted>::clone(&lookup));
    let url = format!("http://rebinding.example:{port}/");
    let ask = async || outbound.ask(Question::get(&url, Some(&url))).await;
    assert_eq!(ask().await.unwrap().body, b"fine");
    assert_eq!(lookup.1.load(Ordering::SeqCst), 1, "what was checked is what was connected to");
    for _ in 0..2 {
        assert!(matches!(ask().await, Err(Unanswered::Refused(..))));
    }
    assert_eq!((asked.load(Ordering::SeqCst), leaked.load(Ordering::SeqCst)), (1, 0));
}

#[tokio::test]
async fn at_70_ports_schemes_and_passwords_that_nobody_declared_are_refused() {
    let outbound = Outbound::new(allowing(&["127.0.0.1/32"]));
    for (url, declared) in [
        ("http://127.0.0.1/", None),
        ("http://127.0.0.1/", Some("https://127.0.0.1/")),
        ("https://127.0.0.1:6379/", None),
        ("https://127.0.0.1:6379/", Some("https://127.0.0.1:8443/")),
        ("https://user@127.0.0.1/", None),
        ("https://:secret@127.0.0.1/", None),
        ("file:///etc/passwd", Some("http://127.0.0.1/")),
        ("gopher://127.0.0.1/", Some("http://127.0.0.1/")),
        ("nonsense", None),
    ] {
        let refused = outbound.ask(Question::get(url, declared)).await;
        assert!(matches!(refused, Err(Unanswered::Refused(..))), "{url} {declared:?}: {refused:?}");
    }
    // Nobody listens there, but it may be asked.
    let asked = outbound.ask(Question::get("https://127.0.0.1:1/", Some("https://127.0.0.1:1/"))).await;
    assert!(matches!(asked, Err(Unanswered::Failed(..))), "{asked:?}");
}

#[tokio::test]
async fn at_70_a_redirect_is_an_answer_and_is_not_followed() {
    let (inside, leaked) = answering("127.0.0.1", http("secret", "200 OK")).await;
    let moved = http("", &format!("302 Found\r\nLocation: http://127.0.0.1:{inside}/"));
    let (port, _) = answering("127.0.0.1", moved).await;
    let url = format!("http://127.0.0.1:{port}/");
    let outbound = Outbound::new(allowing(&["127.0.0.1/32"]));
    assert_eq!(outbound.ask(Question::get(&url, Some(&url))).await.unwrap().status, 302);
    assert_eq!(leaked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_answer_of_more_than_a_mebibyte_is_given_up() {
    for (bytes, fits) in [(BODY_BYTES_MAX, true), (BODY_BYTES_MAX + 1, false)] {
        let (port, _) = answering("127.0.0.1", http(&"x".repeat(bytes), "200 OK")).await;
        let url = format!("http://127.0.0.1:{port}/");
        let reply = Outbound::new(allowing(&["127.0.0.1/32"])).ask(Question::get(&url, Some(&url))).await;
        assert_eq!(reply.is_ok(), fits);
        assert!(fits || matches!(reply, Err(Unanswered::TooLarge(_))));
    }
}
