#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
//! Letters on their way: through a transport that tests hold, on both databases.

use super::*;
use crate::auth::tests::app::{Hands, MASTER, config, places};
use crate::{Caller, Ctx, Error, Limits, RequestMeta};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::time::Instant as Moment;
use stead_store::{Place, Tx};
use stead_wire::{Code, Instant};

const PATIENCE: Duration = Duration::from_secs(10);
const APP: &str =
    "auth: {roles: [editor, chief]}\nname: Chess club\nmail: {from: 'Club <club@example.org>'}\n";

/// How the double answers a mail.
#[derive(Clone)]
enum Answer {
    Taken,
    Busy,
    Never,
    Hangs,
}

/// A transport that does as it is told, and takes everything when it is told nothing.
#[derive(Default)]
struct Double {
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<Outgoing>>,
    at_once: Mutex<(usize, usize)>,
}

impl Transport for Double {
    fn send<'a>(&'a self, mail: &'a Outgoing) -> Sending<'a> {
        self.asked.lock().push(mail.clone());
        let answer = self.answers.lock().pop_front().unwrap_or(Answer::Taken);
        Box::pin(async move {
            let _busy = Busy::of(self);
            tokio::task::yield_now().await;
            match answer {
                Answer::Taken => Ok("250 taken".to_owned()),
                Answer::Busy => Err(Refused::now("421 too busy")),
                Answer::Never => Err(Refused::for_good("550 no such user")),
                Answer::Hangs => std::future::pending().await,
            }
        })
    }
}

/// Counts how many are handed over at once.
struct Busy<'a>(&'a Double);

impl<'a> Busy<'a> {
    fn of(double: &'a Double) -> Self {
        let mut at_once = double.at_once.lock();
        at_once.0 += 1;
        at_once.1 = at_once.1.max(at_once.0);
        drop(at_once);
        Self(double)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.at_once.lock().0 -= 1;
    }
}

struct Post {
    project: Project,
    clock: Arc<Hands>,
    double: Arc<Double>,
}

impl Post {
    async fn open(place: Place, answers: &[Answer]) -> Self {
        Self::open_with(place, answers, Limits { hash_threads: 1, ..Limits::default() }).await
    }

    async fn open_with(place: Place, answers: &[Answer], limits: Limits) -> Self {
        let clock = Arc::new(Hands(Mutex::new(Instant::parse("2026-01-01T12:00:00Z").unwrap())));
        let double =
            Arc::new(Double { answers: Mutex::new(answers.iter().cloned().collect()), ..Double::default() });
        let mut config = config(APP, None, MASTER, limits, clock.clone());
        config.store.place = place;
        config.mail = Config { transport: Some(double.clone()), ..Config::default() };
        let project = Project::open(config).await.map_err(|error| error.to_string()).unwrap();
        Self { project, clock, double }
    }

    fn pass(&self, seconds: i64) {
        self.clock.0.lock().0 += seconds * 1_000_000;
        self.project.mail().wake();
    }

    fn cx(&self, ip: &str) -> Ctx {
        let meta = RequestMeta {
            request_id: self.project.new_id().unwrap(),
            ip: Some(Arc::from(ip)),
            origin: None,
            agent: None,
            params: Default::default(),
        };
        Ctx::new(self.project.clone(), Caller::Anonymous, meta)
    }

    async fn queue(&self, to: Option<&str>) {
        let values = [("link".to_owned(), Json::from("https://example.org/v?t=1"))].into_iter().collect();
        let to = to.map(str::to_owned);
        let letter = Letter { kind: Kind::VerifyEmail, to, locale: None, values, minutes: 60 };
        let sealed = letter.seal(&self.cx("192.0.2.1")).unwrap();
        let job = async move |tx: &mut Tx<'_>| sealed.queue(tx).await;
        self.project.store().write(job).await.unwrap();
        self.project.mail().wake();
    }

    /// Mails that the double was given, by recipient.
    fn asked(&self) -> Vec<String> {
        self.double.asked.lock().iter().map(|mail| mail.to.clone()).collect()
    }

    async fn waiting(&self) -> i64 {
        queue::look(&self.project).await.unwrap().waiting
    }

    async fn until(&self, what: &str, so: impl AsyncFn() -> bool) {
        let end = Moment::now() + PATIENCE;
        while !so().await {
            assert!(Moment::now() < end, "{what}: {:?}, {} waiting", self.asked(), self.waiting().await);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn admit(&self, ip: &str, recipient: &str) -> Result<bool, Error> {
        let (cx, recipient) = (self.cx(ip), recipient.to_owned());
        let job = async move |tx: &mut Tx<'_>| admit(tx, &cx, &recipient).await;
        self.project.store().write(job).await
    }
}

#[tokio::test]
async fn a_mail_goes_to_one_person_once_and_is_forgotten() {
    for place in places("stead_mail_goes") {
        let post = Post::open(place, &[]).await;
        post.queue(Some("ana@example.com")).await;
        post.until("it is handed over and forgotten", async || {
            post.waiting().await == 0 && post.project.mail().stats().sent == 1
        })
        .await;
        let mail = post.double.asked.lock()[0].clone();
        assert_eq!((mail.to.as_str(), mail.from.as_str()), ("ana@example.com", "club@example.org"));
        let text = String::from_utf8(mail.message).unwrap();
        let head: Vec<&str> = text.split("\r\n\r\n").next().unwrap().lines().collect();
        for line in [
            "From: Club <club@example.org>",
            "To: ana@example.com",
            "Subject: Confirm your address for Chess club",
            &format!("Message-ID: <{}@example.org>", mail.id),
            "Auto-Submitted: auto-generated",
            "Date: Thu, 01 Jan 2026 12:00:00 +0000",
        ] {
            assert!(head.contains(&line), "{line}\n{text}");
        }
        assert_eq!(head.iter().filter(|line| line.starts_with("To:") || line.starts_with("Cc:")).count(), 1);
        assert!(mail.text.contains("https://example.org/v?t=1"));
        post.pass(3600);
        assert_eq!(post.asked(), ["ana@example.com"]);
        post.project.close().await;
    }
}

#[tokio::test]
async fn a_mail_server_that_is_busy_is_asked_again_after_growing_pauses_until_it_takes_the_mail() {
    let post = Post::open(Place::Memory, &[Answer::Busy, Answer::Busy]).await;
    post.queue(Some("ana@example.com")).await;
    post.until("first try", async || {
        queue::look(&post.project).await.unwrap().next_at == Some(post.project.now().us() + 5_000_000)
    })
    .await;
    post.pass(4);
    post.pass(1);
    post.until("second try", async || {
        queue::look(&post.project).await.unwrap().next_at == Some(post.project.now().us() + 10_000_000)
    })
    .await;
    assert_eq!(post.asked().len(), 2);
    post.pass(10);
    post.until("third try", async || post.waiting().await == 0).await;
    let ids: Vec<String> = post.double.asked.lock().iter().map(|mail| mail.id.clone()).collect();
    assert!(ids.len() == 3 && ids.iter().all(|id| *id == ids[0]), "the same mail: {ids:?}");
    let stats = post.project.mail().stats();
    assert_eq!((stats.sent, stats.failed), (1, 0));
}

#[tokio::test]
async fn a_mail_that_is_refused_for_good_is_given_up_and_one_without_a_recipient_is_never_sent() {
    let post = Post::open(Place::Memory, &[Answer::Never]).await;
    post.queue(Some("nobody@example.com")).await;
    post.until("given up", async || post.project.mail().stats().failed == 1 && post.waiting().await == 0)
        .await;
    post.queue(None).await;
    post.until("thrown away", async || post.waiting().await == 0).await;
    assert_eq!(post.asked(), ["nobody@example.com"]);
    let stats = post.project.mail().stats();
    assert_eq!((stats.sent, stats.failed), (0, 1));
}

#[tokio::test]
async fn a_mail_that_is_never_taken_is_given_up_when_what_it_holds_has_expired() {
    let post = Post::open(Place::Memory, &[Answer::Busy]).await;
    post.queue(Some("ana@example.com")).await;
    post.until("tried", async || {
        queue::look(&post.project).await.unwrap().next_at > Some(post.project.now().us())
            && !post.asked().is_empty()
    })
    .await;
    post.pass(3601);
    post.until("given up", async || post.waiting().await == 0).await;
    assert_eq!((post.asked().len(), post.project.mail().stats().failed), (1, 1));
}

#[tokio::test]
async fn one_that_hangs_holds_up_no_other_and_what_a_dead_server_took_is_sent_by_another() {
    for place in places("stead_mail_hangs") {
        let hanging = Post::open(place.clone(), &[Answer::Hangs]).await;
        hanging.queue(Some("first@example.com")).await;
        hanging.until("it hangs", async || hanging.asked().len() == 1).await;
        hanging.queue(Some("second@example.com")).await;
        hanging.until("the other goes", async || hanging.project.mail().stats().sent == 1).await;
        assert_eq!(hanging.asked(), ["first@example.com", "second@example.com"]);
        // Only Postgres can be opened a second time here.
        if matches!(place, Place::Postgres(_)) {
            let other = Post::open(place, &[]).await;
            other.queue(Some("third@example.com")).await;
            other.until("its own goes", async || other.project.mail().stats().sent == 1).await;
            assert_eq!(other.asked(), ["third@example.com"], "what another has is left to it");
            other.pass(limits::MAIL_LEASE_S + 1);
            other.until("the lease ends", async || other.waiting().await == 0).await;
            assert_eq!(other.asked(), ["third@example.com", "first@example.com"]);
            other.project.close().await;
        }
    }
}

#[tokio::test]
async fn a_few_are_handed_over_at_once_and_none_is_forgotten() {
    for place in places("stead_mail_many") {
        let post = Post::open(place, &[]).await;
        for number in 0..40 {
            post.queue(Some(&format!("u{number}@example.com"))).await;
        }
        post.until("all go", async || post.project.mail().stats().sent == 40 && post.waiting().await == 0)
            .await;
        let mut asked = post.asked();
        asked.sort();
        asked.dedup();
        assert_eq!(asked.len(), 40);
        let most = post.double.at_once.lock().1;
        assert!((1..=limits::MAILS_AT_ONCE).contains(&most), "{most} at once");
        post.project.close().await;
    }
}

#[tokio::test]
async fn a_server_without_a_transport_leaves_mails_to_those_that_have_one() {
    let clock = Arc::new(Hands(Mutex::new(Instant::parse("2026-01-01T12:00:00Z").unwrap())));
    let limits = Limits { hash_threads: 1, ..Limits::default() };
    let project = Project::open(config(APP, None, MASTER, limits, clock.clone()))
        .await
        .map_err(|e| e.to_string())
        .unwrap();
    let post = Post { project, clock, double: Arc::default() };
    assert!(!post.project.mail().configured());
    post.queue(Some("ana@example.com")).await;
    post.until("it was looked at", async || post.project.mail().stats().waiting == 1).await;
    assert_eq!(post.waiting().await, 1);
    post.pass(3601);
    post.until("but not kept for ever", async || post.waiting().await == 0).await;
}

#[tokio::test]
async fn at_67_a_recipient_gets_so_many_mails_an_hour_and_a_day_and_nobody_is_told_when_it_is_enough() {
    for place in places("stead_mail_recipient") {
        let post = Post::open(place, &[]).await;
        let mut sent = Vec::new();
        for round in 0..26 {
            // Each from elsewhere, so that only the recipient's budget counts.
            sent.push(post.admit(&format!("192.0.2.{round}"), "ana@example.com").await.unwrap());
            post.pass(600);
        }
        // Six in an hour are asked for, five of them sent; twenty in all.
        assert!(sent[..5].iter().all(|sent| *sent) && !sent[5], "{sent:?}");
        assert_eq!(sent.iter().filter(|sent| **sent).count(), 20, "{sent:?}");
        assert!(post.admit("192.0.2.99", "bob@example.com").await.unwrap(), "others get theirs");
        post.pass(86_400);
        assert!(post.admit("192.0.2.99", "ana@example.com").await.unwrap(), "another day");
        post.project.close().await;
    }
}

#[tokio::test]
async fn at_67_budgets_are_exact_under_fifty_callers_at_once() {
    for place in places("stead_mail_parallel") {
        let post = Post::open(place, &[]).await;
        let same = futures_util::future::join_all((0..50).map(|n| {
            let post = &post;
            async move { post.admit(&format!("198.51.100.{n}"), "ana@example.com").await }
        }))
        .await;
        let sent = same.into_iter().map(Result::unwrap).filter(|sent| *sent).count();
        assert_eq!(sent, 5, "five mails for one recipient, and everybody got the same answer");
        let network = futures_util::future::join_all((0..50).map(|n| {
            let post = &post;
            // One customer's network: its addresses differ below the /64.
            async move { post.admit(&format!("2001:db8:0:7::{n:x}"), &format!("u{n}@example.com")).await }
        }))
        .await;
        let refused: Vec<Error> = network.into_iter().filter_map(Result::err).collect();
        assert_eq!(refused.len(), 20, "thirty for one network");
        assert!(
            refused
                .iter()
                .all(|error| error.code == Code::RateLimited && error.retry_after_ms == Some(3_600_000))
        );
        assert!(post.admit("2001:db8:0:8::1", "zoe@example.com").await.unwrap(), "a neighbour may");
        post.pass(3601);
        assert!(post.admit("2001:db8:0:7::1", "zoe@example.com").await.unwrap(), "an hour later");
        post.project.close().await;
    }
}

#[tokio::test]
async fn at_67_all_together_have_a_budget_and_what_was_counted_is_forgotten_after_a_day() {
    for place in places("stead_mail_all") {
        let limits = Limits { hash_threads: 1, mails_per_hour_max: 7, ..Limits::default() };
        let post = Post::open_with(place, &[], limits).await;
        let all = futures_util::future::join_all((0..50).map(|n| {
            let post = &post;
            async move { post.admit(&format!("198.51.100.{n}"), &format!("u{n}@example.com")).await }
        }))
        .await;
        assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 7);
        let counted = async || {
            let sql = stead_store::Sql::new("SELECT count(*) FROM _mails_asked");
            let job = async move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.fetch(&sql, &[]).await?);
            post.project.store().write(job).await.unwrap()[0].int(0).unwrap()
        };
        assert_eq!(counted().await, 7, "what is refused is not counted");
        post.pass(86_401);
        post.admit("198.51.100.1", "ana@example.com").await.unwrap();
        assert_eq!(counted().await, 1);
        post.project.close().await;
    }
}
