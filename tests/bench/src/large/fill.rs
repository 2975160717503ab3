//! The large chat, written straight into the file: through the door it would take minutes and a log of its own.

use rusqlite::{Connection, params};
use std::path::Path;

const ROOMS: u64 = 5_000;
const USERS: u64 = 5_000;
const MEMBERS_PER_ROOM: u64 = 40;
const MESSAGES: u64 = 500_000;
/// The reader is in every 250th room: 20 of them.
const ROOMS_BETWEEN: u64 = 250;
/// Words of all messages; a word's number tells how rare it is.
const WORDS: u64 = 2_000;
/// 2026-01-01T00:00:00Z in microseconds.
const START: i64 = 1_767_225_600_000_000;

/// What was written.
pub struct World {
    /// The reader.
    pub user: String,
    /// The reader's rooms.
    pub rooms: Vec<String>,
    /// Messages in them.
    pub messages: Vec<String>,
}

/// Fills the tables that the server made.
pub fn fill(file: &Path, user: &str) -> anyhow::Result<World> {
    let connection = Connection::open(file)?;
    connection.execute_batch("PRAGMA synchronous=OFF; PRAGMA cache_size=-200000; BEGIN")?;
    people(&connection)?;
    members(&connection, user)?;
    let messages = messages(&connection)?;
    connection.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)")?;
    let rooms = (0..ROOMS).step_by(ROOMS_BETWEEN as usize).map(|n| id('a', n)).collect();
    Ok(World { user: user.to_owned(), rooms, messages })
}

/// Text that sorts by its number, as the ids of the server do by time.
fn id(kind: char, n: u64) -> String {
    format!("01{kind}00000-0000-7000-8000-{n:012}")
}

/// Repeatable and spread (splitmix64).
fn spread(n: u64) -> u64 {
    let mixed = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn people(connection: &Connection) -> anyhow::Result<()> {
    let mut room = connection
        .prepare("INSERT INTO rooms(id,created_at,updated_at,version,name) VALUES(?1,?2,?2,1,?3)")?;
    let mut user = connection.prepare(
        "INSERT INTO users(id,created_at,updated_at,version,email,verified,name) VALUES(?1,?2,?2,1,?3,0,?4)",
    )?;
    for n in 0..ROOMS {
        room.execute(params![id('a', n), START, format!("Room {n}")])?;
    }
    for n in 0..USERS {
        user.execute(params![id('b', n), START, format!("u{n}@example.test"), format!("User {n}")])?;
    }
    Ok(())
}

fn members(connection: &Connection, reader: &str) -> anyhow::Result<()> {
    let mut member = connection.prepare(
        "INSERT INTO members(id,created_at,updated_at,version,room,user) VALUES(?1,?2,?2,1,?3,?4)",
    )?;
    for room in 0..ROOMS {
        for place in 0..MEMBERS_PER_ROOM {
            let is_reader = place == 0 && room.is_multiple_of(ROOMS_BETWEEN);
            // Steps of 125 keep the users of one room apart.
            let user = if is_reader { reader.to_owned() } else { id('b', (room * 7 + place * 125) % USERS) };
            member.execute(params![id('c', room * MEMBERS_PER_ROOM + place), START, id('a', room), user])?;
        }
    }
    Ok(())
}

/// Ids of the reader's messages.
fn messages(connection: &Connection) -> anyhow::Result<Vec<String>> {
    let mut message = connection.prepare(
        "INSERT INTO messages(id,created_at,updated_at,version,author,room,body) VALUES(?1,?2,?2,1,?3,?4,?5)",
    )?;
    let mut own = Vec::new();
    for n in 0..MESSAGES {
        let room = spread(n) % ROOMS;
        if room.is_multiple_of(ROOMS_BETWEEN) {
            own.push(id('d', n));
        }
        let at = START + i64::try_from(n)? * 1_000_000;
        message.execute(params![id('d', n), at, id('b', (room * 7) % USERS), id('a', room), body(n)])?;
    }
    Ok(own)
}

/// Fifteen words, low numbers far more often than high ones.
fn body(n: u64) -> String {
    let word = |place: u64| {
        let part = (spread(n * 15 + place) % 1_000_000) as f64 / 1_000_000.0;
        format!("w{}", (part.powi(3) * WORDS as f64) as u64)
    };
    (0..15).map(word).collect::<Vec<_>>().join(" ")
}
