//! Statements and tables of mails that wait, and of how many were asked for.
//!
//! No data API reaches these tables. Times are microseconds since the epoch.

use crate::statements::statements;

pub(super) const MIGRATIONS: &[(&str, &str)] = &[
    (
        "mail_1",
        "CREATE TABLE _mails (
        id TEXT NOT NULL PRIMARY KEY,
        letter TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        next_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX _mails_next_at ON _mails (next_at);",
    ),
    (
        "mail_2",
        "CREATE INDEX _mails_expires_at ON _mails (expires_at);
    CREATE TABLE _mails_asked (
        seq INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        recipient TEXT,
        network TEXT NOT NULL
    ) STRICT;
    CREATE INDEX _mails_asked_at ON _mails_asked (at);
    CREATE INDEX _mails_asked_recipient ON _mails_asked (recipient, at);
    CREATE INDEX _mails_asked_network ON _mails_asked (network, at);",
    ),
];

statements! {
    QUEUE = "INSERT INTO _mails (id, letter, attempts, next_at, expires_at) VALUES (?1, ?2, 0, ?3, ?4)";
    /// When the next is due, when the first expires, and how many there are, as far as that is counted.
    LOOK = "SELECT (SELECT min(next_at) FROM _mails), (SELECT min(expires_at) FROM _mails),
       (SELECT count(*) FROM (SELECT 1 FROM _mails LIMIT 10000) AS few)";
    /// Takes the next that are due, for as long as the lease. Who comes at the same moment takes others.
    TAKE = "UPDATE _mails SET next_at = ?2, attempts = attempts + 1 WHERE id IN
       (SELECT id FROM _mails WHERE next_at <= ?1 AND expires_at > ?1 ORDER BY next_at LIMIT ?3)
     RETURNING id, letter, attempts",
     "UPDATE _mails SET next_at = ?2, attempts = attempts + 1 WHERE id = ANY (ARRAY
       (SELECT id FROM _mails WHERE next_at <= ?1 AND expires_at > ?1 ORDER BY next_at LIMIT ?3 FOR UPDATE SKIP LOCKED))
     RETURNING id, letter, attempts";
    /// Not when the lease ended and another server has taken it since.
    POSTPONE = "UPDATE _mails SET next_at = ?2 WHERE id = ?1 AND attempts = ?3";
    REMOVE = "DELETE FROM _mails WHERE id = ?1";
    REMOVE_EXPIRED = "DELETE FROM _mails WHERE expires_at <= ?1";
    ASK = "INSERT INTO _mails_asked (at, recipient, network) VALUES (?1, ?2, ?3)";
    FORGET_ASKED = "DELETE FROM _mails_asked WHERE at <= ?1";
    /// The last hour and the last day of one address.
    ASKED_FOR = "SELECT count(CASE WHEN at > ?3 THEN 1 END), count(*) FROM _mails_asked WHERE recipient = ?1 AND at > ?2";
    /// When the one was asked for that has this many after it.
    ASKED_FROM = "SELECT at FROM _mails_asked WHERE network = ?1 AND at > ?2 ORDER BY at DESC LIMIT 1 OFFSET ?3";
    ASKED_AT_ALL = "SELECT at FROM _mails_asked WHERE at > ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2";
}
