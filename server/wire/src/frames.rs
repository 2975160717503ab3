//! Socket messages both ways. Each is one JSON object with `t`; a WebSocket message may be an array of them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The WebSocket subprotocol (RFC 6455 §1.9) of these frames.
pub const SUBPROTOCOL: &str = "stead.v1.json";

/// What a client says.
#[derive(Clone, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum ClientFrame {
    /// Comes first, within ten seconds.
    Hello {
        /// Access token; none for an anonymous caller.
        #[serde(default)]
        token: Option<String>,
        /// Name and version of the client, for the log.
        #[serde(default)]
        sdk: Option<String>,
    },
    /// Start to watch a collection.
    Sub(Box<Subscribe>),
    /// Stop.
    Unsub {
        /// Request number, echoed.
        i: u64,
        /// The client's name for the subscription.
        s: String,
    },
    /// A newer token of the same user.
    Auth {
        /// Request number, echoed.
        i: u64,
        /// Access token.
        token: String,
    },
    /// Answer to `ping`.
    Pong {},
}

/// What to watch, and from where.
#[derive(Debug, Clone, Deserialize)]
pub struct Subscribe {
    /// Request number, echoed.
    pub i: u64,
    /// The client's name for the subscription.
    pub s: String,
    /// The collection's name.
    pub collection: String,
    /// An expression that a record must satisfy.
    #[serde(default)]
    pub filter: Option<String>,
    /// The filter's parameters.
    #[serde(default)]
    pub p: Map<String, Value>,
    /// Refused: a subscription cannot search. Kept so that it is not passed over in silence.
    #[serde(default)]
    pub q: Option<serde::de::IgnoredAny>,
    /// Order of the snapshot.
    #[serde(default)]
    pub sort: Option<String>,
    /// Most records of the snapshot, 1..=500.
    #[serde(default)]
    pub limit: Option<u32>,
    /// Fields to send.
    #[serde(default)]
    pub fields: Option<String>,
    /// Resume after this position of the log.
    #[serde(default)]
    pub cursor: Option<String>,
    /// Whether to send what is there already.
    #[serde(default)]
    pub snapshot: Snapshot,
    /// Declared parameters, for `request.params`.
    #[serde(default)]
    pub params: Map<String, Value>,
}

/// Whether a subscription begins with the records that match already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Snapshot {
    /// Everything that matches now, then changes.
    #[default]
    Full,
    /// Changes only.
    None,
}

/// What the server says.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum ServerFrame<'a> {
    /// Answer to `hello`.
    Welcome {
        /// This connection's name, for the log.
        sid: &'a str,
        /// Seconds between pings.
        ping_s: u64,
        /// Bounds of this connection.
        limits: Limits,
    },
    /// The request succeeded.
    Ok {
        /// The request's number.
        i: u64,
    },
    /// The request failed, or the connection is about to end.
    Err {
        /// The request's number.
        #[serde(skip_serializing_if = "Option::is_none")]
        i: Option<u64>,
        /// A stable code of the problem table.
        code: &'a str,
        /// What happened.
        detail: &'a str,
        /// Whether the connection ends.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        fatal: bool,
    },
    /// From here on, no committed change is missed.
    Subscribed {
        /// The request's number.
        i: u64,
        /// The client's name for the subscription.
        s: &'a str,
        /// The group that shares frames; more than one `s` may have the same.
        g: u64,
        /// Position of the log.
        cursor: &'a str,
        /// Whether the asked cursor was taken up; otherwise a snapshot follows (unless `snapshot: none`).
        recovered: bool,
    },
    /// Part of what was there at `cursor`.
    Snap {
        /// The group.
        g: u64,
        /// The subscription this snapshot is for.
        s: &'a str,
        /// Records.
        rows: &'a [Box<serde_json::value::RawValue>],
        /// Whether this is the last part.
        last: bool,
        /// Position of the log the rows belong to.
        cursor: &'a str,
    },
    /// One record changed for this group.
    Ev {
        /// The group.
        g: u64,
        /// Position of the log after this change.
        c: &'a str,
        /// What to do with the record.
        o: Effect,
        /// The record.
        id: &'a str,
        /// Its version.
        v: i64,
        /// The record as this group may see it; on `put` only.
        #[serde(skip_serializing_if = "Option::is_none")]
        d: Option<&'a serde_json::value::RawValue>,
    },
    /// Drop every record whose `field` is `key`.
    ForgetScope {
        /// The group.
        g: u64,
        /// The collection.
        collection: &'a str,
        /// The field.
        field: &'a str,
        /// Its value.
        key: &'a Value,
        /// Position of the log after this change.
        c: &'a str,
    },
    /// This client fell behind; what it missed follows.
    Lag {
        /// The group.
        g: u64,
    },
    /// Drop what you hold and subscribe again without a cursor.
    Resync {
        /// The group.
        g: u64,
        /// Why.
        reason: &'a str,
    },
    /// Drop what you hold; the subscription has ended.
    Revoked {
        /// The group.
        g: u64,
    },
    /// Send a newer token with `auth`.
    AuthExpiring {
        /// Seconds left.
        in_s: u64,
    },
    /// Answer with `pong`.
    Ping {
        /// Newest position of the log.
        head: &'a str,
    },
    /// The database does not answer or takes no writes: nothing is lost, but nothing new may arrive and writes are refused.
    Degraded {},
    /// It does again; what happened meanwhile follows.
    Healed {},
}

/// What an event does to a record that a client holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Hold this version.
    Put,
    /// It was deleted.
    Del,
    /// It left your view.
    Forget,
}

/// Bounds of a connection, told in `welcome`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Limits {
    /// Subscriptions.
    pub subscriptions_max: usize,
    /// Bytes of one message from the client.
    pub message_bytes_max: usize,
}

/// Why the server closed a socket (RFC 6455 §7.4.2, private range).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    /// The client broke the protocol.
    Protocol = 4001,
    /// The token is invalid, expired, or its session ended.
    Token = 4401,
    /// Not allowed.
    Forbidden = 4403,
    /// Too slow for too long.
    Slow = 4008,
    /// The server is going away; connect again, somewhere.
    GoElsewhere = 4013,
    /// A limit is reached.
    Limits = 4029,
}

impl CloseCode {
    /// The number on the wire.
    pub const fn number(self) -> u16 {
        match self {
            Self::Protocol => 4001,
            Self::Token => 4401,
            Self::Forbidden => 4403,
            Self::Slow => 4008,
            Self::GoElsewhere => 4013,
            Self::Limits => 4029,
        }
    }
}

impl std::fmt::Debug for ClientFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Tokens must not reach a log.
        f.write_str(match self {
            Self::Hello { .. } => "hello",
            Self::Sub(_) => "sub",
            Self::Unsub { .. } => "unsub",
            Self::Auth { .. } => "auth",
            Self::Pong {} => "pong",
        })
    }
}
