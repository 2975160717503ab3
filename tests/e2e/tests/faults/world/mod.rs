//! Two servers on one Postgres, people who write and listen at both, and the judgement at the end.

mod verdict;

use crate::load::{AGAIN, Hand, Load, Silence, keep_writing};
use crate::subscriber::{Ends, Flaw, Subscriber};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use stead_e2e::{Client, Postgres, Server};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Longest wait for the clients to get on, with one server or both.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a client waits where each server that runs must answer.
pub const NEVER_SILENT: Silence = Silence { longest: Duration::from_secs(15), expected: false };

/// How long a client waits where a server may be held or cut off.
pub const SOMETIMES_SILENT: Silence = Silence { longest: Duration::from_secs(2), expected: true };

/// `ana` owns the room and writes, `ben` is in it and writes, `eve` is in it until she loses that, `joy` comes into it.
struct People {
    ana: Client,
    ben: Client,
    eve: Client,
    joy: Client,
}

impl People {
    fn all(&self) -> [&Client; 4] {
        [&self.ana, &self.ben, &self.eve, &self.joy]
    }

    fn name(&self, user: &str) -> &'static str {
        let names = self.all().into_iter().zip(["ana", "ben", "eve", "joy"]);
        names.into_iter().find(|(person, _)| person.user == user).map_or("nobody", |(_, name)| name)
    }
}

/// See the module.
pub struct World {
    pub postgres: Arc<Postgres>,
    pub servers: [Server; 2],
    pub load: Arc<Load>,
    people: People,
    room: String,
    membership: String,
    writers: Vec<JoinHandle<()>>,
    subscribers: Vec<JoinHandle<Subscriber>>,
    /// What tells each subscriber, by user, of the end.
    ends: Vec<(String, watch::Sender<Option<Ends>>)>,
    access: Option<JoinHandle<()>>,
}

fn app() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("apps/faults")
}

impl World {
    /// Starts everything, or `None` where tests are run without Postgres.
    pub async fn new(silence: Silence) -> Option<Self> {
        let postgres = Postgres::start()?;
        let one = Server::on_database(&app(), &postgres.url).await;
        let two = one.beside().await;
        Some(Self::begin(postgres, [one, two], silence).await)
    }

    /// As [`World::new`], and the second server reaches the database by another way, which `way` makes.
    pub async fn with_a_way(silence: Silence, way: impl AsyncFnOnce(&Postgres) -> String) -> Option<Self> {
        let postgres = Postgres::start()?;
        let one = Server::on_database(&app(), &postgres.url).await;
        let two = one.beside_by(&way(&postgres).await).await;
        Some(Self::begin(postgres, [one, two], silence).await)
    }

    async fn begin(postgres: Postgres, servers: [Server; 2], silence: Silence) -> Self {
        let [one, _] = &servers;
        let people = People {
            ana: one.fresh_user("ana").await,
            ben: one.fresh_user("ben").await,
            eve: one.fresh_user("eve").await,
            joy: one.fresh_user("joy").await,
        };
        let load = Arc::new(Load::new([servers[0].url.clone(), servers[1].url.clone()], silence));
        let room = made(&people.ana, "rooms", json!({ "name": "room" })).await;
        made(&people.ana, "members", json!({ "room": room, "user": people.ben.user })).await;
        let membership = made(&people.ana, "members", json!({ "room": room, "user": people.eve.user })).await;
        let mut world = Self {
            postgres: Arc::new(postgres),
            servers,
            load,
            people,
            room,
            membership,
            writers: Vec::new(),
            subscribers: Vec::new(),
            ends: Vec::new(),
            access: None,
        };
        world.begin_load().await;
        world
    }

    async fn begin_load(&mut self) {
        let mut shared = Vec::new();
        let mut first = Hand::new(self.people.ana.clone(), &self.load, 0, "first");
        for _ in 0..2 {
            shared.extend(first.create("notes", None).await);
        }
        // What she writes into the room stays hers when she has left it.
        let mut eve = Hand::new(self.people.eve.clone(), &self.load, 0, "eve");
        eve.create("letters", Some(&self.room)).await;
        for person in self.people.all().map(Clone::clone) {
            for server in 0..2 {
                self.follow(&person, server, |_| {});
            }
        }
        for (number, person) in [&self.people.ana, &self.people.ben].into_iter().cycle().take(4).enumerate() {
            let hand = Hand::new(person.clone(), &self.load, number, &format!("w{number}"));
            let (room, shared) = (self.room.clone(), shared.clone());
            self.writers.push(tokio::spawn(keep_writing(hand, room, shared, number as u64)));
        }
    }

    fn follow(&mut self, person: &Client, server: usize, change: impl FnOnce(&mut Subscriber)) {
        let (sender, ends) = watch::channel(None);
        let mut subscriber = Subscriber::new(person.clone(), &self.load, server, ends);
        change(&mut subscriber);
        self.subscribers.push(tokio::spawn(subscriber.run()));
        self.ends.push((person.user.clone(), sender));
    }

    /// One more observer, who is broken.
    pub fn broken_observer(&mut self, flaw: Flaw) {
        let ben = self.people.ben.clone();
        self.follow(&ben, 0, |subscriber| subscriber.flaw = Some(flaw));
    }

    /// One more observer, who is told what `ben` may see and is held to what `eve` may.
    pub fn spy(&mut self) {
        let (ben, eve) = (self.people.ben.clone(), self.people.eve.user.clone());
        self.follow(&ben, 0, |subscriber| subscriber.judged_as = eve);
    }

    /// Waits until so many more writes were acknowledged.
    pub async fn writes(&self, more: usize) {
        let writes = || self.load.ledger.lock().unwrap().writes();
        reached("writes are acknowledged", writes() + more, writes).await;
    }

    /// Waits until so many more events were told at a server.
    pub async fn told_at(&self, server: usize, more: usize) {
        let told = || self.load.told[server].load(Ordering::Relaxed);
        reached("events are told", told() + more, told).await;
    }

    /// Somebody at a server who keeps no promise of it.
    pub fn passer_by(&self, server: usize) -> Client {
        self.people.ben.at(&self.load.address(server))
    }

    /// `eve` loses access to the room and `joy` gets it, while whatever else happens goes on.
    pub fn change_access(&mut self) {
        let mut hand = Hand::new(self.people.ana.clone(), &self.load, 0, "access");
        let (load, joy) = (Arc::clone(&self.load), self.people.joy.user.clone());
        let (room, membership) = (self.room.clone(), self.membership.clone());
        let members = "/api/v1/collections/members/records";
        self.access = Some(tokio::spawn(async move {
            let gone = hand.write("DELETE", &format!("{members}/{membership}"), None).await;
            load.access_lost.store(gone.is_some(), Ordering::SeqCst);
            hand.write("POST", members, Some(json!({ "room": room, "user": joy }))).await;
        }));
    }

    /// As [`World::restart`], to end by itself: see [`Server::restart_to_end_at`].
    pub async fn restart_to_end_at(&mut self, server: usize, place: &str, times: usize) {
        self.servers[server].restart_to_end_at(place, times).await;
        self.load.moved(server, &self.servers[server].url);
    }

    /// A server started again at another address.
    pub async fn restart(&mut self, server: usize) {
        self.servers[server].restart().await;
        self.load.moved(server, &self.servers[server].url);
    }
}

async fn made(client: &Client, collection: &str, body: serde_json::Value) -> String {
    client.create(collection, body).await.created()["id"].as_str().unwrap().to_owned()
}

/// Waits until something is so.
pub async fn until(what: &str, so: impl AsyncFn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !so().await {
        assert!(Instant::now() < end, "in time, {what}");
        tokio::time::sleep(AGAIN).await;
    }
}

/// Waits for a count.
async fn reached(what: &str, wanted: usize, count: impl Fn() -> usize) {
    let end = Instant::now() + PATIENCE;
    while count() < wanted {
        assert!(Instant::now() < end, "{what}: {} of {wanted}", count());
        tokio::time::sleep(AGAIN / 10).await;
    }
}
