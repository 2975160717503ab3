//! A client that follows two collections for as long as the test lasts, over as many connections as it takes.

use crate::load::{AGAIN, Load};
use crate::oracle::{View, Violation};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use stead_e2e::{Client, Socket};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

/// Longest wait for the last records, once everything is healed and they are written.
const LAST: Duration = Duration::from_secs(20);

/// The records that are written last of all, by collection: who holds them was told everything before.
pub type Ends = HashMap<&'static str, String>;

/// What an observer that is broken on purpose does wrong, once.
#[derive(Clone, Copy)]
pub enum Flaw {
    DropsAnEvent,
    AppliesAnEventTwice,
    KeepsWhatWasDeleted,
}

impl Flaw {
    /// How often it applies a frame with which it may go wrong.
    fn times(self, frame: &Value) -> Option<usize> {
        match (self, frame["o"].as_str()?) {
            (Self::DropsAnEvent, "put") if frame["v"] != 1 => Some(0),
            (Self::AppliesAnEventTwice, "put") => Some(2),
            (Self::KeepsWhatWasDeleted, "del") => Some(0),
            _ => None,
        }
    }
}

/// See the module.
pub struct Subscriber {
    client: Client,
    /// The user whose rights it is held to: its own.
    pub judged_as: String,
    pub flaw: Option<Flaw>,
    load: Arc<Load>,
    server: usize,
    pub views: BTreeMap<&'static str, View>,
    ends: watch::Receiver<Option<Ends>>,
}

enum Broken {
    /// The connection.
    Off,
    /// Nothing: all that there is was told, or it took too long.
    Done,
}

impl Subscriber {
    /// Begins at a server.
    pub fn new(client: Client, load: &Arc<Load>, server: usize, ends: watch::Receiver<Option<Ends>>) -> Self {
        let views = BTreeMap::from([("notes", View::new(true)), ("letters", View::new(false))]);
        let judged_as = client.user.clone();
        Self { client, judged_as, flaw: None, load: Arc::clone(load), server, views, ends }
    }

    /// Follows until it holds the last records.
    pub async fn run(mut self) -> Self {
        loop {
            match self.connection().await {
                Broken::Done => return self,
                Broken::Off => self.server += 1,
            }
            sleep(AGAIN).await;
        }
    }

    async fn connection(&mut self) -> Broken {
        let end = self.end();
        let address = self.load.address(self.server);
        let opening = Socket::try_open(&address, self.client.token.as_deref());
        let opened = tokio::select! {
            opened = opening => opened,
            () = sleep(self.load.silence.longest) => None,
            () = end => return self.too_late(),
        };
        let Some(socket) = opened else { return Broken::Off };
        let mut line = Line { socket, groups: HashMap::new(), asked: 0 };
        for collection in ["notes", "letters"] {
            line.subscribe(collection, &self.views[collection]).await;
        }
        loop {
            if self.holds_the_ends() {
                return Broken::Done;
            }
            let end = self.end();
            let frame = tokio::select! {
                frame = line.socket.read() => frame,
                () = end => return self.too_late(),
                _ = self.ends.changed() => continue,
            };
            match frame {
                Some(frame) => self.take(&mut line, &frame).await,
                None => {
                    self.closed(line.socket.closed);
                    return Broken::Off;
                }
            }
        }
    }

    /// When it is too late for the last records; never before they are known.
    fn end(&self) -> impl Future<Output = ()> + use<> {
        let mut ends = self.ends.clone();
        async move {
            // The test that ends without a word needs nobody's patience.
            let _ = ends.wait_for(Option::is_some).await;
            sleep_until(Instant::now() + LAST).await;
        }
    }

    fn too_late(&self) -> Broken {
        let missing = format!("{}, at the server {}", self.client.user, self.server % 2);
        self.load.complain(Violation::Silence { who: missing });
        Broken::Done
    }

    fn holds_the_ends(&self) -> bool {
        let ends = self.ends.borrow();
        let held = |(collection, id): (&&str, &String)| self.views[collection].held().contains_key(id);
        ends.as_ref().is_some_and(|ends| ends.iter().all(held))
    }

    async fn take(&mut self, line: &mut Line, frame: &Value) {
        match frame["t"].as_str().unwrap_or_default() {
            "welcome" | "auth_expiring" | "degraded" | "healed" => {}
            "err" => self.refused(line, frame).await,
            kind => {
                if kind == "subscribed" {
                    let named = self.views.keys().find(|name| frame["s"] == ***name);
                    line.groups.extend(frame["g"].as_u64().zip(named.copied()));
                }
                let group = frame["g"].as_u64().unwrap_or(0);
                let view = line.groups.get(&group).and_then(|name| self.views.get_mut(name));
                let Some(view) = view else {
                    return self.load.complain(Violation::Unagreed { frame: frame.to_string() });
                };
                let times = self.flaw.and_then(|flaw| flaw.times(frame));
                if times.is_some() {
                    self.flaw = None;
                }
                for _ in 0..times.unwrap_or(1) {
                    view.apply(frame);
                }
                if kind == "ev" {
                    self.load.told[self.server % 2].fetch_add(1, Ordering::Relaxed);
                }
                if kind == "resync"
                    && let Some(name) = line.groups.remove(&group)
                {
                    line.subscribe(name, &self.views[name]).await;
                }
            }
        }
    }

    /// A subscription was refused: asked again in a while, where that is what the answer means.
    async fn refused(&mut self, line: &mut Line, frame: &Value) {
        let passing = ["store_busy", "shutting_down"].iter().any(|code| frame["code"] == *code);
        let asked = frame["i"].as_u64().and_then(|request| line.name(request));
        if !passing {
            self.load.complain(Violation::WrongAnswer { said: frame.to_string() });
        }
        if let Some(name) = asked {
            sleep(AGAIN).await;
            line.subscribe(name, &self.views[name]).await;
        }
    }

    /// A server may go away, with or without a word; it has no reason to send this client away.
    fn closed(&self, code: Option<u16>) {
        if !matches!(code, None | Some(4013)) {
            self.load.complain(Violation::WrongAnswer { said: format!("closed with {code:?}") });
        }
    }
}

/// One connection.
struct Line {
    socket: Socket,
    groups: HashMap<u64, &'static str>,
    asked: u64,
}

impl Line {
    /// Asks for what follows on what a view holds. When the connection broke, reading tells.
    async fn subscribe(&mut self, name: &'static str, view: &View) {
        self.asked += 2;
        let request = self.asked + u64::from(name == "letters");
        let mut frame = json!({ "t": "sub", "i": request, "s": name, "collection": name });
        if let Some(cursor) = view.cursor() {
            frame["cursor"] = json!(cursor);
        }
        self.socket.try_say(frame).await;
    }

    /// What a request asked for.
    fn name(&self, request: u64) -> Option<&'static str> {
        (request > 1).then_some(if request % 2 == 1 { "letters" } else { "notes" })
    }
}
