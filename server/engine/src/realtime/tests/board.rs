//! The state machine without its thread: the same steps in the same order every time, with a database that fails.

use super::app::App;
use crate::realtime::board::{Bell, Board};
use crate::realtime::connections::Identity;
use crate::realtime::groups::ConnectionId;
use crate::realtime::outbox::Outbox;
use crate::realtime::snapshot::Rows;
use crate::realtime::source::{Source, StoreSource};
use crate::realtime::stats::Counters;
use crate::realtime::subscribe::{Ask, Outcome, Start};
use crate::realtime::timeline::Timeline;
use crate::realtime::view::{Place, View};
use crate::{Ctx, Error};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use stead_rules::{Expr, Lookup};
use stead_schema::{Collection, Schema, Slot, Value};
use stead_store::{Eras, Shown, Stretch};
use stead_wire::Instant;
use stead_wire::auth::SessionAnswer;
use tokio::runtime::{Builder, Runtime};

/// A database whose questions about single records can be made to fail.
struct Faulty {
    inner: StoreSource,
    /// Another history than the database tells.
    eras: Option<Arc<Eras>>,
    /// The same, from the next reading of the log on: it came up after the last look at the history.
    era_between: Option<Arc<Eras>>,
    failing: bool,
    away: bool,
    company: bool,
    asked: u64,
}

impl Faulty {
    fn ask(&mut self) -> Result<(), Error> {
        self.asked += 1;
        if self.failing { Err(Error::internal("the disk is on fire")) } else { Ok(()) }
    }
}

impl Source for Faulty {
    fn head(&mut self) -> u64 {
        self.inner.head()
    }
    fn eras(&mut self) -> Arc<Eras> {
        self.eras.clone().unwrap_or_else(|| self.inner.eras())
    }
    fn place(&mut self) -> (u64, Arc<Eras>) {
        (self.head(), self.eras())
    }
    fn await_published(&mut self, seq: u64) -> Result<(), Error> {
        self.inner.await_published(seq)
    }
    fn tail(&mut self) -> Result<u64, Error> {
        self.inner.tail()
    }
    fn after(&mut self, seq: u64, limit: usize) -> Result<Stretch, Error> {
        let Stretch { changes, .. } = self.inner.after(seq, limit)?;
        self.eras = self.era_between.take().or(self.eras.take());
        Ok(Stretch { eras: self.eras(), changes })
    }
    fn schema(&mut self) -> Arc<Schema> {
        self.inner.schema()
    }
    fn ready(&mut self) -> bool {
        !self.away
    }
    fn has_company(&mut self) -> bool {
        self.company
    }
    fn select(
        &mut self,
        collection: &Collection,
        predicates: &[&Expr],
        masks: &[(Slot, Expr)],
        limit: u32,
    ) -> Result<(u64, Vec<Shown>), Error> {
        self.inner.select(collection, predicates, masks, limit)
    }
    fn find(&mut self, collection: &Collection, id: &str) -> Result<(u64, Option<Arc<[Value]>>), Error> {
        self.ask()?;
        self.inner.find(collection, id)
    }
    fn lookup(&mut self, lookup: &Lookup, limit: u64) -> Result<(u64, u64), Error> {
        self.ask()?;
        self.inner.lookup(lookup, limit)
    }
}

struct Stage {
    runtime: Runtime,
    app: App,
    source: Faulty,
    board: Board,
    counters: Arc<Counters>,
}

impl Stage {
    fn set() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let app = runtime.block_on(App::open());
        runtime.block_on(app.room("r", "public"));
        let own = Arc::new(Builder::new_current_thread().enable_all().build().unwrap());
        let inner = StoreSource { store: app.project.store().clone(), runtime: own };
        let mut source = Faulty {
            inner,
            eras: None,
            era_between: None,
            failing: false,
            away: false,
            company: false,
            asked: 0,
        };
        let counters = Arc::new(Counters::default());
        let bell: Bell = Arc::new(|_| {});
        let (place, schema) = (source.place(), source.schema());
        let board = Board::new(place, schema, bell, Arc::clone(&counters), app.project.now());
        Self { runtime, app, source, board, counters }
    }

    fn connect(&mut self, id: ConnectionId, cx: &Ctx) -> Arc<Outbox> {
        self.connect_from(id, cx, Start::Now)
    }

    fn connect_from(&mut self, id: ConnectionId, cx: &Ctx, start: Start) -> Arc<Outbox> {
        let (outbox, outcome) = self.begin(id, cx, start);
        assert_eq!(outcome, Outcome::Begun);
        frames(&outbox);
        outbox
    }

    fn begin(&mut self, id: ConnectionId, cx: &Ctx, start: Start) -> (Arc<Outbox>, Outcome) {
        let outbox = Arc::new(Outbox::new());
        self.board.open(id, Arc::clone(&outbox), cx.now);
        let identity = Identity { caller: cx.caller.clone(), as_of: self.source.head(), revocations: 0 };
        self.board.hello(id, identity.clone(), 100);
        let ask = json!({ "i": 1, "s": "m", "collection": "messages" });
        let (view, _) = View::compile(cx, &serde_json::from_value(ask).unwrap()).unwrap();
        let ask = Ask { request: 1, name: "m".to_owned(), view: Arc::new(view), start, identity };
        let outcome = self.board.subscribe(&mut self.source, id, ask);
        (outbox, outcome)
    }

    /// Only says hello; the kinds of what is answered.
    fn connect_only(&mut self, id: ConnectionId, cx: &Ctx) -> Vec<String> {
        let outbox = Arc::new(Outbox::new());
        self.board.open(id, Arc::clone(&outbox), cx.now);
        let identity = Identity { caller: cx.caller.clone(), as_of: self.source.head(), revocations: 0 };
        self.board.hello(id, identity, 100);
        frames(&outbox).iter().map(|frame| frame["t"].as_str().unwrap().to_owned()).collect()
    }

    fn guest(&self) -> Ctx {
        Ctx::new(self.app.project.clone(), crate::Caller::Anonymous, self.app.meta())
    }

    fn say(&mut self, body: &str) {
        self.runtime.block_on(self.app.say("r", body));
    }

    fn advance(&mut self) {
        while self.board.advance(&mut self.source, 100) {}
    }

    fn resume(&mut self, id: ConnectionId, session: &SessionAnswer, cursor: u64) -> Arc<Outbox> {
        let cx = self.runtime.block_on(self.app.as_user(session));
        let era = self.source.eras().at(cursor);
        self.connect_from(id, &cx, Start::Cursor(Place { seq: cursor, era }))
    }

    /// What a connection that is behind is told until there is no more.
    fn read_on(&mut self, id: ConnectionId, outbox: &Outbox) -> Vec<Json> {
        let mut told = Vec::new();
        loop {
            while self.board.turn(&mut self.source) {}
            let more = frames(outbox);
            if more.is_empty() {
                return told;
            }
            told.extend(more);
            self.board.turns.push_back(id);
        }
    }
}

fn frames(outbox: &Outbox) -> Vec<Json> {
    let mut frames = Vec::new();
    while let Poll::Ready(Some(piece)) = outbox.poll_take(&mut Context::from_waker(Waker::noop())) {
        let text = String::from_utf8_lossy(&piece).into_owned();
        for (at, _) in text.match_indices("{\"t\":") {
            let rest = text.get(at..).unwrap();
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Json>();
            frames.push(values.next().unwrap().unwrap());
        }
    }
    frames
}

#[test]
fn a_question_that_fails_denies_its_own_group_and_harms_no_other() {
    let mut stage = Stage::set();
    let (guest, operator) = (stage.guest(), stage.app.operator());
    let asks = stage.connect(1, &guest);
    let asks_not = stage.connect(2, &operator);
    stage.source.failing = true;
    stage.say("one");
    stage.advance();
    let told = frames(&asks);
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0]["t"], &told[0]["reason"]), (&json!("resync"), &json!("unavailable")));
    assert_eq!(frames(&asks_not)[0]["d"]["body"], "one");
    stage.source.failing = false;
    stage.say("two");
    stage.advance();
    assert!(frames(&asks).is_empty(), "its subscription is over");
    assert_eq!(frames(&asks_not)[0]["d"]["body"], "two");
}

#[test]
fn a_thousand_equal_subscribers_cost_one_judgement_and_one_question() {
    let mut stage = Stage::set();
    let guest = stage.guest();
    let outboxes: Vec<_> = (1..=1000).map(|id| stage.connect(id, &guest)).collect();
    for _ in 0..10 {
        stage.say("hello");
    }
    stage.advance();
    // For each message the predicate, and the mask of `hint`.
    assert_eq!(stage.counters.evaluations.load(Ordering::Relaxed), 20);
    assert_eq!(stage.source.asked, 1, "the room is asked for once");
    assert_eq!(stage.counters.deliveries.load(Ordering::Relaxed), 10_000);
    assert!(outboxes.iter().all(|outbox| frames(outbox).len() == 10));
}

#[test]
fn who_is_let_in_while_reading_the_log_is_not_told_what_was_rewritten_before() {
    let mut stage = Stage::set();
    let (ana, ben) =
        stage.runtime.block_on(async { (stage.app.user("ana").await, stage.app.user("ben").await) });
    let id = |user: &SessionAnswer| user.user["id"].as_str().unwrap().to_owned();
    stage.runtime.block_on(stage.app.update("rooms", "r", json!({ "kind": "private" })));
    stage.runtime.block_on(stage.app.join("r", &id(&ben)));
    let cursor = stage.source.head();
    let message = stage.runtime.block_on(stage.app.say("r", "a secret"));
    // More than waits for one connection, so that it is told before the rest is read.
    for n in 0..300 {
        let body = json!({ "body": format!("harmless {n}") });
        stage.runtime.block_on(stage.app.update("messages", &message, body));
    }
    stage.advance();
    let (anas, bens) = (stage.resume(1, &ana, cursor), stage.resume(2, &ben, cursor));
    // Neither has had a turn when ana is let in.
    stage.runtime.block_on(stage.app.join("r", &id(&ana)));
    stage.advance();
    let told = stage.read_on(1, &anas);
    assert_eq!(told.len(), 1, "{:?}", told.first());
    assert_eq!((&told[0]["t"], &told[0]["reason"]), (&json!("resync"), &json!("access")));
    // Control: ben was in the room all the time.
    let told = stage.read_on(2, &bens);
    assert_eq!((told.len(), &told[0]["d"]["body"]), (301, &json!("a secret")));
}

#[test]
fn who_was_told_what_the_database_lost_since_begins_anew() {
    let mut stage = Stage::set();
    let ben = stage.runtime.block_on(stage.app.user("ben"));
    let (guest, cx) = (stage.guest(), stage.runtime.block_on(stage.app.as_user(&ben)));
    stage.say("kept");
    stage.advance();
    let kept = stage.source.head();
    let outbox = stage.connect(1, &guest);
    stage.say("lost");
    stage.advance();
    let lost = stage.source.head();
    assert_eq!(frames(&outbox)[0]["d"]["body"], "lost");
    // Control: an era that begins where the hub stands takes nothing back.
    stage.source.eras = Some(Arc::new(Eras::new(vec![(0, 7), (lost, 8)])));
    stage.board.timeline = Timeline::new((lost, Arc::new(Eras::new(vec![(0, 7)]))));
    stage.advance();
    assert!(frames(&outbox).is_empty());
    stage.source.eras = Some(Arc::new(Eras::new(vec![(0, 7), (kept, 9)])));
    stage.advance();
    assert_eq!(frames(&outbox)[0]["code"], "shutting_down");
    let mut resumed = |id, seq, era| stage.begin(id, &cx, Start::Cursor(Place { seq, era })).1;
    assert_eq!(resumed(2, kept, 7), Outcome::Begun);
    assert_eq!(resumed(3, lost, 7), Outcome::NotResumable, "another change has that position now");
    assert_eq!(resumed(4, lost, 9), Outcome::Begun, "control: who was told since");
}

#[test]
fn an_era_that_begins_after_all_that_was_read_takes_nothing_back_whoever_learns_of_it_first() {
    let mut stage = Stage::set();
    let guest = stage.guest();
    let outbox = stage.connect(1, &guest);
    stage.advance();
    let (before, eras) = stage.source.place();
    let begun = |after, id| Some(Arc::new(Eras::new(vec![(0, eras.at(before)), (after, id)])));
    stage.source.era_between = begun(before, 8);
    stage.say("in the new era");
    stage.advance();
    let told = frames(&outbox);
    assert_eq!((told.len(), &told[0]["d"]["body"]), (1, &json!("in the new era")), "{told:?}");
    assert!(told[0]["c"].as_str().unwrap().contains(".8."), "{told:?}");
    // Control: one that began before what was read.
    stage.source.era_between = begun(before - 1, 9);
    stage.say("anew");
    stage.advance();
    assert!(frames(&outbox).is_empty(), "nothing is told across the cut");
    stage.advance();
    assert_eq!(frames(&outbox)[0]["code"], "shutting_down");
}

#[test]
fn who_is_behind_is_told_nothing_of_a_history_that_came_in_the_place_of_what_was_read() {
    for (cut, told) in [(false, 3), (true, 0)] {
        let mut stage = Stage::set();
        let ben = stage.runtime.block_on(stage.app.user("ben"));
        let from = stage.source.head();
        for body in ["one", "two", "three"] {
            stage.say(body);
        }
        stage.advance();
        let (here, eras) = stage.source.place();
        let outbox = stage.resume(1, &ben, from);
        let after = if cut { from } else { here };
        stage.source.era_between = Some(Arc::new(Eras::new(vec![(0, eras.at(from)), (after, 8)])));
        let frames = stage.read_on(1, &outbox);
        let events = frames.iter().filter(|frame| frame["t"] == "ev").count();
        assert_eq!(events, told, "{frames:?}");
    }
}

#[test]
fn who_subscribes_after_a_change_of_the_app_is_not_told_to_begin_anew_because_of_it() {
    let mut stage = Stage::set();
    stage.runtime.block_on(stage.app.reload("<= now", "< now"));
    let (guest, head) = (stage.guest(), stage.source.head());
    // The hub has not read of the change yet. One has a snapshot from after it, one goes on from before.
    let rows = Rows { at: head, parts: vec![Vec::new()] };
    let (after, before) = (stage.connect_from(1, &guest, Start::Rows(rows)), stage.connect(2, &guest));
    stage.advance();
    let catalogue = stage.app.project.catalogue();
    stage.board.use_catalogue(catalogue);
    stage.say("hello");
    stage.advance();
    let told = frames(&after);
    assert_eq!((told.len(), &told[0]["d"]["body"]), (1, &json!("hello")), "{told:?}");
    let told = frames(&before);
    assert_eq!((told.len(), &told[0]["t"]), (1, &json!("resync")), "{told:?}");
    // Control: the next change, which takes that one back, concerns it.
    stage.runtime.block_on(stage.app.reload("<= now", "<= now"));
    stage.advance();
    assert_eq!(frames(&after)[0]["t"], "resync");
}

#[test]
fn a_membership_is_judged_as_of_its_own_place_in_the_log() {
    let mut stage = Stage::set();
    let ana = stage.runtime.block_on(stage.app.user("ana"));
    let user = ana.user["id"].as_str().unwrap().to_owned();
    stage.runtime.block_on(stage.app.update("rooms", "r", json!({ "kind": "private" })));
    let membership = stage.runtime.block_on(stage.app.join("r", &user));
    stage.advance();
    let cx = stage.runtime.block_on(stage.app.as_user(&ana));
    let outbox = stage.connect(1, &cx);
    // All of this is committed before the hub looks.
    stage.say("while a member");
    stage.runtime.block_on(stage.app.delete("members", &membership));
    stage.say("after the loss");
    stage.advance();
    let told = frames(&outbox);
    let kinds: Vec<_> = told.iter().map(|frame| frame["t"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["ev", "forget_scope"], "{told:?}");
    assert_eq!(told[0]["d"]["body"], "while a member");
}

#[test]
fn a_database_that_goes_away_is_told_once_and_so_is_its_return() {
    let mut stage = Stage::set();
    let (guest, mut now) = (stage.guest(), stage.app.project.now());
    let outbox = stage.connect(1, &guest);
    let silent = Arc::new(Outbox::new());
    stage.board.open(2, Arc::clone(&silent), now);
    let mut kinds = |stage: &mut Stage, outbox: &Outbox| {
        now = Instant(now.us() + 500_000);
        stage.board.tick(&mut stage.source, now);
        frames(outbox).iter().map(|frame| frame["t"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(kinds(&mut stage, &outbox).is_empty(), "all is well");
    stage.source.away = true;
    assert_eq!(kinds(&mut stage, &outbox), ["degraded"]);
    assert!(kinds(&mut stage, &outbox).is_empty(), "told once");
    let late = stage.connect_only(3, &guest);
    assert_eq!(late, ["welcome", "degraded"], "who comes meanwhile learns of it");
    stage.source.away = false;
    assert_eq!(kinds(&mut stage, &outbox), ["healed"]);
    assert!(frames(&silent).is_empty(), "who did not say hello is told nothing");
    stage.say("and on it goes");
    stage.advance();
    assert_eq!(frames(&outbox)[0]["d"]["body"], "and on it goes");
}

#[test]
fn a_server_that_falls_behind_says_so_and_sends_its_clients_to_another_if_there_is_one() {
    let mut stage = Stage::set();
    let (guest, began) = (stage.guest(), stage.app.project.now());
    let outbox = stage.connect(1, &guest);
    let tick = |stage: &mut Stage, seconds: i64| {
        stage.board.tick(&mut stage.source, Instant(began.us() + seconds * 1_000_000));
        stage.counters.behind.load(Ordering::Relaxed)
    };
    stage.say("nobody is told of this");
    assert!(!tick(&mut stage, 0), "it has just come");
    assert!(!tick(&mut stage, 9));
    assert!(tick(&mut stage, 10), "it waits for ten seconds now");
    assert!(frames(&outbox).is_empty(), "alone it keeps its clients");
    stage.source.company = true;
    assert!(tick(&mut stage, 11));
    let told = frames(&outbox);
    assert_eq!(told[0]["code"], "shutting_down", "{told:?}");
    stage.advance();
    assert!(!tick(&mut stage, 12), "it has caught up");
    stage.connect(2, &guest);
    stage.say("one after the other");
    stage.advance();
    stage.say("never keeps a server behind");
    assert!(!tick(&mut stage, 30) && !tick(&mut stage, 39));
    stage.advance();
    assert!(!tick(&mut stage, 41));
}

#[tokio::test]
async fn a_hub_that_stands_still_for_ten_seconds_does_not_keep_up() {
    let app = App::open().await;
    let (hub, now) = (app.project.hub(), app.project.now());
    let later = |seconds: i64| Instant(now.us() + seconds * 1_000_000);
    // Its thread looks at its connections soon; the time of the test stands still.
    while hub.keeps_up(later(10)) {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert!(hub.keeps_up(now) && hub.keeps_up(later(9)), "it has just looked");
}
