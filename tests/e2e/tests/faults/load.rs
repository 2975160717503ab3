//! Clients that write through two servers and do not give up: each write is asked for with its key until it is acknowledged.

use crate::oracle::{Ledger, Record, Violation};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use stead_e2e::{Answer, Client, Unanswered};

/// Longest that one write may be asked for, whatever breaks.
const INSISTENCE: Duration = Duration::from_secs(60);

/// Before something that failed is tried again.
pub const AGAIN: Duration = Duration::from_millis(100);

/// Between two writes of one writer, so that a test's records stay few enough for one list.
const PACE: Duration = Duration::from_millis(8);

/// How long a client waits for an answer, and what it means when none comes.
#[derive(Clone, Copy)]
pub struct Silence {
    pub longest: Duration,
    /// Some server may be held or cut off: then silence is no fault of it.
    pub expected: bool,
}

/// What all clients of a test share.
pub struct Load {
    addresses: Mutex<[String; 2]>,
    pub silence: Silence,
    pub ledger: Mutex<Ledger>,
    pub complaints: Mutex<Vec<Violation>>,
    /// Events that were told at each server.
    pub told: [AtomicUsize; 2],
    /// Requests that had to be sent again.
    pub retries: AtomicUsize,
    /// That somebody lost access was acknowledged.
    pub access_lost: AtomicBool,
    pub stop: AtomicBool,
}

impl Load {
    /// Of two servers, of which nothing is told yet.
    pub fn new(addresses: [String; 2], silence: Silence) -> Self {
        Self {
            addresses: Mutex::new(addresses),
            silence,
            ledger: Mutex::default(),
            complaints: Mutex::default(),
            told: Default::default(),
            retries: AtomicUsize::new(0),
            access_lost: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        }
    }

    /// Where a server is now; any number means one of the two.
    pub fn address(&self, server: usize) -> String {
        self.addresses.lock().unwrap()[server % 2].clone()
    }

    /// A server started again, elsewhere.
    pub fn moved(&self, server: usize, address: &str) {
        address.clone_into(&mut self.addresses.lock().unwrap()[server % 2]);
    }

    /// Notes what must not be.
    pub fn complain(&self, violation: Violation) {
        self.complaints.lock().unwrap().push(violation);
    }

    fn complain_of(&self, answer: &Answer) {
        self.complain(Violation::WrongAnswer { said: format!("{} {}", answer.status, answer.text) });
    }
}

/// Somebody who asks for writes, at one server and then the other.
#[derive(Clone)]
pub struct Hand {
    pub client: Client,
    load: Arc<Load>,
    server: usize,
    /// Of all keys and tags of this hand.
    name: String,
    asked: usize,
}

impl Hand {
    /// `name` must differ from those of other hands of the same person.
    pub fn new(client: Client, load: &Arc<Load>, server: usize, name: &str) -> Self {
        Self { client, load: Arc::clone(load), server, name: name.to_owned(), asked: 0 }
    }

    /// Makes a record of `notes` or `letters`; its id.
    pub async fn create(&mut self, collection: &str, room: Option<&str>) -> Option<String> {
        let tag = format!("{}-{}", self.name, self.asked);
        let mut body = json!({ "tag": tag });
        if let Some(room) = room {
            body["room"] = json!(room);
        }
        let after_loss = self.after_loss(1);
        let made = self.write("POST", &records(collection), Some(body)).await?;
        let id = made["id"].as_str()?.to_owned();
        let owner = (collection == "letters").then(|| self.client.user.clone());
        let in_room = room.is_some();
        let record = Record { tag, owner, in_room, version: 1, count: 0, deleted: false, after_loss };
        self.load.ledger.lock().unwrap().created(&id, record);
        Some(id)
    }

    /// Counts a record up. `version` is the one it then has, where nobody else changes it.
    pub async fn count_up(&mut self, collection: &str, id: &str, version: Option<i64>) {
        let after_loss = version.and_then(|version| self.after_loss(version));
        let body = json!({ "count": { "$inc": 1 } });
        if self.write("PATCH", &record(collection, id), Some(body)).await.is_some() {
            self.load.ledger.lock().unwrap().changed(id, |record| {
                record.count += 1;
                record.after_loss = record.after_loss.or(after_loss);
            });
        }
    }

    /// Deletes a record.
    pub async fn delete(&mut self, collection: &str, id: &str) {
        if self.write("DELETE", &record(collection, id), None).await.is_some() {
            self.load.ledger.lock().unwrap().changed(id, |record| record.deleted = true);
        }
    }

    fn after_loss(&self, version: i64) -> Option<i64> {
        self.load.access_lost.load(Ordering::SeqCst).then_some(version)
    }

    /// Asks until the write is acknowledged; the body of the answer. `None` when it is refused.
    pub async fn write(&mut self, method: &str, path: &str, body: Option<Value>) -> Option<Value> {
        self.asked += 1;
        let key = format!("{}-{}", self.name, self.asked);
        let headers = [("Content-Type", "application/json"), ("Idempotency-Key", key.as_str())];
        let headers = if body.is_some() { &headers[..] } else { &headers[1..] };
        let end = Instant::now() + INSISTENCE;
        while Instant::now() < end {
            self.server += 1;
            let there = self.client.at(&self.load.address(self.server));
            let body = body.as_ref().map(Value::to_string);
            match there.try_send(method, path, headers, body, self.load.silence.longest).await {
                Ok(answer) if (200..300).contains(&answer.status) => {
                    return Some(serde_json::from_str(&answer.text).unwrap_or_default());
                }
                Ok(answer) if answer.status == 503 && answer.header("retry-after").is_some() => {}
                // The request lay there for longer than a server that goes on takes it for a whole one.
                Ok(answer) if answer.status == 408 && self.load.silence.expected => {}
                Ok(answer) => {
                    self.load.complain_of(&answer);
                    return None;
                }
                Err(Unanswered::Silence) if !self.load.silence.expected => {
                    self.load.complain(Violation::Silence { who: format!("{method} {path}") });
                }
                Err(_) => {}
            }
            self.load.retries.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(AGAIN).await;
        }
        self.load.complain(Violation::Silence { who: format!("{method} {path}, for good") });
        None
    }
}

fn records(collection: &str) -> String {
    format!("/api/v1/collections/{collection}/records")
}

fn record(collection: &str, id: &str) -> String {
    format!("{}/{id}", records(collection))
}

/// A record that its writer alone changes.
struct Own {
    collection: &'static str,
    id: String,
    version: i64,
}

/// Writes until the test stops it: makes records, counts its own and the `shared` ones up, deletes its own.
pub async fn keep_writing(mut hand: Hand, room: String, shared: Vec<String>, seed: u64) {
    let mut own: Vec<Own> = Vec::new();
    let mut random = Random(seed);
    while !hand.load.stop.load(Ordering::SeqCst) {
        let at = random.below(own.len().max(1));
        match random.below(100) {
            0..15 => {
                let id = &shared[random.below(shared.len())];
                hand.count_up("notes", id, None).await;
            }
            15..45 if at < own.len() => {
                own[at].version += 1;
                let Own { collection, id, version } = &own[at];
                hand.count_up(collection, id, Some(*version)).await;
            }
            45..60 if at < own.len() => {
                let gone = own.swap_remove(at);
                hand.delete(gone.collection, &gone.id).await;
            }
            choice => {
                let (collection, room) = match choice % 4 {
                    0 | 1 => ("notes", None),
                    2 => ("letters", Some(room.as_str())),
                    _ => ("letters", None),
                };
                let id = hand.create(collection, room).await;
                own.extend(id.map(|id| Own { collection, id, version: 1 }));
            }
        }
        tokio::time::sleep(PACE).await;
    }
}

/// Numbers that are the same in each run; splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).unwrap()
    }
}
