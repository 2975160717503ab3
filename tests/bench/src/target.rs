//! A server under load: how to ask it for the same things as every other.

use crate::process::Process;
use tempfile::TempDir;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// One message in the own name, in a room of the caller.
    Create,
    /// One message by id.
    Get,
    /// The newest 30 of a room.
    List,
    /// E-mail and password.
    SignIn,
    /// Delivery of 20 messages a second to this many sockets.
    Fanout(usize),
    /// The size of the write-ahead log over 300,000 writes with readers running.
    Wal,
}

impl Scenario {
    /// From the command line.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        Ok(match text {
            "create" => Self::Create,
            "get" => Self::Get,
            "list" => Self::List,
            "sign-in" => Self::SignIn,
            "wal" => Self::Wal,
            _ => match text.strip_prefix("fanout-").and_then(|n| n.parse().ok()) {
                Some(subscribers @ 1..=10_000) => Self::Fanout(subscribers),
                _ => anyhow::bail!("unknown scenario {text}"),
            },
        })
    }

    /// How many sockets, for the fan-out.
    pub fn subscribers(self) -> Option<usize> {
        match self {
            Self::Fanout(subscribers) => Some(subscribers),
            _ => None,
        }
    }
}

/// Which dialect a target speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Ours.
    Stead,
    /// PocketBase's.
    PocketBase,
    /// The bare server's.
    Yardstick,
}

/// Somebody with a token.
#[derive(Debug, Clone)]
pub struct User {
    /// Id.
    pub id: String,
    /// Access token.
    pub token: String,
    /// Address.
    pub email: String,
}

/// Every user's password.
pub const PASSWORD: &str = "secret-password-1";

/// A running server with users, rooms and memberships.
pub struct Target {
    /// Short name.
    pub name: String,
    /// One line about how it runs.
    pub about: String,
    /// How it is spoken to.
    pub dialect: Dialect,
    /// `127.0.0.1:port`
    pub address: String,
    /// Its process.
    pub process: Process,
    /// Its data.
    pub folder: TempDir,
    /// Fifty.
    pub users: Vec<User>,
    /// Ten.
    pub rooms: Vec<String>,
    /// Ids of messages, for reading.
    pub messages: Vec<String>,
}

impl Target {
    /// A whole HTTP/1.1 request for one step of a scenario; `n` picks user, room and record.
    pub fn request(&self, scenario: Scenario, n: usize, body: &str) -> Vec<u8> {
        let user = &self.users[n % self.users.len()];
        let room = &self.rooms[(n / 7) % self.rooms.len()];
        let message = self
            .messages
            .get(n.wrapping_mul(7919) % self.messages.len().max(1))
            .map_or("none", String::as_str);
        let collection = match self.dialect {
            Dialect::Stead => "/api/v1/collections/messages/records",
            Dialect::PocketBase => "/api/collections/messages/records",
            Dialect::Yardstick => "/messages",
        };
        match scenario {
            Scenario::Get => self.get(&format!("{collection}/{message}"), &user.token),
            Scenario::List => match self.dialect {
                Dialect::Stead => {
                    let query = format!(
                        "filter=room%20%3D%3D%20p.r&p=%7B%22r%22%3A%22{room}%22%7D&sort=-created_at&limit=30"
                    );
                    self.get(&format!("{collection}?{query}"), &user.token)
                }
                Dialect::PocketBase => {
                    let query = format!("perPage=30&sort=-created&skipTotal=1&filter=room%3D%27{room}%27");
                    self.get(&format!("{collection}?{query}"), &user.token)
                }
                Dialect::Yardstick => self.get(&format!("/list/{room}"), &user.token),
            },
            Scenario::SignIn => {
                let (path, name) = match self.dialect {
                    Dialect::Stead => ("/api/v1/auth/sign-in/password", "email"),
                    Dialect::PocketBase => ("/api/collections/users/auth-with-password", "identity"),
                    Dialect::Yardstick => ("/login", "email"),
                };
                let password = if self.dialect == Dialect::Yardstick { "secret-password" } else { PASSWORD };
                self.post(path, None, &format!(r#"{{"{name}":"{}","password":"{password}"}}"#, user.email))
            }
            Scenario::Create | Scenario::Fanout(_) | Scenario::Wal => {
                let body = format!(r#"{{"author":"{}","room":"{room}","body":"{body}"}}"#, user.id);
                self.post(collection, Some(&user.token), &body)
            }
        }
    }

    /// A GET request.
    pub fn get(&self, path: &str, token: &str) -> Vec<u8> {
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{}\r\n", self.address, self.authorization(token))
            .into_bytes()
    }

    /// A POST request with JSON.
    pub fn post(&self, path: &str, token: Option<&str>, body: &str) -> Vec<u8> {
        let authorization = token.map(|t| self.authorization(t)).unwrap_or_default();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n{authorization}Content-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        (head + body).into_bytes()
    }

    fn authorization(&self, token: &str) -> String {
        match self.dialect {
            Dialect::PocketBase => format!("Authorization: {token}\r\n"),
            Dialect::Stead | Dialect::Yardstick => format!("Authorization: Bearer {token}\r\n"),
        }
    }
}
