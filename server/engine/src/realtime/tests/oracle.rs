//! Random histories: whatever happens in whatever order, in the end every client holds what a list shows it.

use super::app::{App, Client};
use serde_json::{Value, json};
use std::time::{Duration, Instant as Stopwatch};

struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

/// What exists, as the writer knows it.
#[derive(Default)]
struct World {
    messages: Vec<String>,
    members: Vec<(String, usize, usize)>,
}

const ROOMS: [&str; 3] = ["r0", "r1", "r2"];

async fn step(app: &App, dice: &mut Dice, world: &mut World, users: &[String]) {
    let room = dice.throw(ROOMS.len());
    let user = dice.throw(users.len());
    match dice.throw(12) {
        0..=3 => world.messages.push(app.say(ROOMS[room], "said").await),
        4 if !world.messages.is_empty() => {
            let id = &world.messages[dice.throw(world.messages.len())];
            app.update("messages", id, json!({ "body": "edited" })).await;
        }
        5 if !world.messages.is_empty() => {
            let id = &world.messages[dice.throw(world.messages.len())];
            app.update("messages", id, json!({ "room": ROOMS[room] })).await;
        }
        6 if !world.messages.is_empty() => {
            let id = world.messages.swap_remove(dice.throw(world.messages.len()));
            app.delete("messages", &id).await;
        }
        7 | 8 if !world.members.iter().any(|(_, r, u)| (*r, *u) == (room, user)) => {
            world.members.push((app.join(ROOMS[room], &users[user]).await, room, user));
        }
        9 if !world.members.is_empty() => {
            let (id, _, _) = world.members.swap_remove(dice.throw(world.members.len()));
            app.delete("members", &id).await;
        }
        10 => {
            let kind = ["public", "private", "secret"][dice.throw(3)];
            app.update("rooms", ROOMS[room], json!({ "kind": kind })).await;
        }
        _ => {
            app.say("vault", "vault-secret").await;
        }
    }
}

async fn settle(app: &App, client: &mut Client, token: Option<&str>, asks: &[(&str, Value)]) {
    let cx = match token {
        Some(token) => {
            let caller = crate::auth::authenticate(&app.project, token, app.project.now()).await.unwrap();
            crate::Ctx::new(app.project.clone(), caller, app.meta())
        }
        None => crate::Ctx::new(app.project.clone(), crate::Caller::Anonymous, app.meta()),
    };
    let deadline = Stopwatch::now() + Duration::from_secs(20);
    for (name, ask) in asks {
        let listed = app.listed(&cx, name).await;
        loop {
            client.follow(name, ask).await;
            if client.versions(name) == listed {
                break;
            }
            assert!(
                Stopwatch::now() < deadline,
                "{name}: held {:?}, listed {listed:?}, told {:#?}",
                client.versions(name),
                client.frames.iter().rev().take(6).collect::<Vec<_>>(),
            );
            tokio::task::yield_now().await;
        }
    }
}

async fn history(seed: u64, steps: usize) {
    let app = App::open().await;
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let sessions = [app.user("ana").await, app.user("ben").await];
    let users: Vec<String> = sessions.iter().map(|s| s.user["id"].as_str().unwrap().to_owned()).collect();
    for room in ROOMS.into_iter().chain(["vault"]) {
        app.room(room, "private").await;
    }
    let tokens = [Some(sessions[0].access_token.as_str()), Some(sessions[1].access_token.as_str()), None];
    let asks = ["messages", "rooms", "members"].map(|name| (name, json!({ "collection": name })));
    let mut clients = Vec::new();
    for token in tokens {
        clients.push(app.client(token).await);
    }
    let mut world = World::default();
    for _ in 0..steps {
        for _ in 0..=dice.throw(4) {
            step(&app, &mut dice, &mut world, &users).await;
        }
        let at = dice.throw(clients.len());
        for (name, ask) in &asks {
            clients[at].follow(name, ask).await;
        }
        if dice.throw(6) == 0 {
            // Goes away, and comes back with what it holds.
            let mut back = app.client(tokens[at]).await;
            back.held = std::mem::take(&mut clients[at].held);
            for (name, ask) in &asks {
                if let Some(cursor) = clients[at].cursors.get(*name) {
                    let mut ask = ask.clone();
                    ask["cursor"] = json!(cursor);
                    back.watch(name, ask).await;
                }
            }
            assert!(!clients[at].mentions("vault"));
            clients[at] = back;
        }
    }
    for (client, token) in clients.iter_mut().zip(tokens) {
        settle(&app, client, token, &asks).await;
        assert!(!client.mentions("vault"), "a room nobody may see was shown");
    }
}

#[tokio::test]
async fn after_any_history_clients_hold_what_a_list_shows() {
    for seed in 1..=10 {
        history(seed, 40).await;
    }
}
