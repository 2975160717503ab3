//! Signing keys of the project: kept encrypted, held in memory, published as a JWK Set.
//!
//! What a key does follows from when it signs, so that no server has to do anything when a key's turn comes or ends: it is
//! published from its making, signs until the next one does, and verifies for the life of a token longer. A private
//! key leaves this room only inside the token library's opaque type.

use super::{crypto, crypto::Secrets, sql};
use crate::{Clock, Error, Random, limits};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde_json::{Value as Json, json};
use stead_schema::Value;
use stead_store::{Reader, Row, Store, Tx};
use stead_wire::{Code, Instant};

/// A key that can sign and verify.
pub(super) struct Key {
    pub(super) header: Header,
    /// The first part of every token it signs, with the dot.
    pub(super) begins: String,
    pub(super) signs: EncodingKey,
    pub(super) verifies: DecodingKey,
    pub(super) turn: Turn,
    x: String,
    y: String,
}

/// When a key does what. Times are microseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) kid: String,
    pub(super) created_at: i64,
    pub(super) signs_at: i64,
    pub(super) revoked_at: Option<i64>,
    /// The end of its tokens; none while nothing follows it.
    pub(super) verifies_until: Option<i64>,
}

/// What a key does at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Next,
    Active,
    Retiring,
    Revoked,
    Gone,
}

impl State {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Revoked => "revoked",
            Self::Gone => "gone",
        }
    }

    /// Whether its public part is shown and its tokens are taken.
    pub(super) fn verifies(self) -> bool {
        matches!(self, Self::Next | Self::Active | Self::Retiring)
    }
}

/// The turns of all keys, ordered by when they sign.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Turns(Vec<Turn>);

impl Turns {
    /// Says of each key when its tokens end: a token's life after the next one began to sign.
    pub(super) fn of(mut turns: Vec<Turn>) -> Self {
        turns.sort_by(|a, b| (a.signs_at, &a.kid).cmp(&(b.signs_at, &b.kid)));
        let mut follows: Option<i64> = None;
        for turn in turns.iter_mut().rev() {
            turn.verifies_until = follows.map(|at| at + limits::SIGNING_KEY_RETIRES_S * 1_000_000);
            // One that was revoked before its turn never signed, so nobody was followed by it.
            if turn.revoked_at.is_none_or(|at| at > turn.signs_at) {
                follows = Some(turn.signs_at);
            }
        }
        Self(turns)
    }

    pub(super) async fn read(tx: &mut Tx<'_>) -> Result<Self, Error> {
        let rows = tx.fetch(&sql::SIGNING_KEYS, &[]).await?;
        rows.iter().map(turn).collect::<Result<_, _>>().map(Self::of)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Turn> {
        self.0.iter()
    }

    /// The one that signs: the last whose turn has come, or the first of all where the clock was set back before it.
    pub(super) fn signer(&self, now: Instant) -> Option<&Turn> {
        let kept = || self.0.iter().filter(|turn| turn.revoked_at.is_none());
        kept().rfind(|turn| turn.signs_at <= now.us()).or_else(|| kept().next())
    }

    /// The one whose turn comes.
    pub(super) fn next(&self, now: Instant) -> Option<&Turn> {
        self.0.iter().find(|turn| self.state(turn, now) == State::Next)
    }

    pub(super) fn state(&self, turn: &Turn, now: Instant) -> State {
        let signs = self.signer(now).is_some_and(|signer| signer.kid == turn.kid);
        match (turn.revoked_at, turn.verifies_until) {
            (Some(_), _) => State::Revoked,
            _ if signs => State::Active,
            _ if turn.signs_at > now.us() => State::Next,
            (None, Some(until)) if until <= now.us() => State::Gone,
            _ => State::Retiring,
        }
    }
}

/// The keys in memory.
pub(super) struct Ring {
    keys: Vec<Key>,
    pub(super) turns: Turns,
}

impl Ring {
    /// Reads the keys, or makes the first one.
    pub(super) async fn load(
        store: &Store,
        secrets: &Secrets,
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Result<Self, Error> {
        let ring = Self::read(store, secrets).await?;
        if ring.turns.signer(clock.now()).is_some() {
            return Ok(ring);
        }
        let first = Fresh::draw(secrets, random)?;
        let now = clock.now().us();
        store.write(async move |tx| first.insert_first(tx, now).await).await?;
        // Read back: another process may have been first.
        Self::read(store, secrets).await
    }

    /// Reads the keys that can still do something.
    pub(super) async fn read(store: &Store, secrets: &Secrets) -> Result<Self, Error> {
        let job =
            async |reader: &mut Reader<'_>| Ok::<_, Error>(reader.fetch(&sql::SIGNING_KEYS, &[]).await?);
        let rows = store.survey(job).await?;
        let turns = Turns::of(rows.iter().map(turn).collect::<Result<_, _>>()?);
        let kept = rows.iter().filter(|row| row.int_or_null(6).is_none());
        let keys = kept.map(|row| read(secrets, row, &turns)).collect::<Result<_, _>>()?;
        Ok(Self { keys, turns })
    }

    pub(super) fn signer(&self, now: Instant) -> Option<&Key> {
        let signer = self.turns.signer(now)?;
        self.keys.iter().find(|key| key.turn.kid == signer.kid)
    }

    /// The key whose tokens begin like this one, while they are taken.
    pub(super) fn verifier(&self, token: &str, now: Instant) -> Option<&Key> {
        let key = self.keys.iter().find(|key| token.starts_with(key.begins.as_str()))?;
        self.turns.state(&key.turn, now).verifies().then_some(key)
    }

    /// Whether a token begins like those of a key that is here, whatever it does now.
    pub(super) fn knows(&self, token: &str) -> bool {
        self.keys.iter().any(|key| token.starts_with(key.begins.as_str()))
    }

    /// Whether a key that this ring takes tokens of was revoked by the time of the other.
    pub(super) fn loses_to(&self, newer: &Self) -> bool {
        let kept = |turn: &&Turn| turn.revoked_at.is_none();
        self.turns
            .iter()
            .filter(kept)
            .any(|turn| newer.turns.iter().any(|other| other.kid == turn.kid && other.revoked_at.is_some()))
    }

    /// RFC 7517 §5.
    pub(super) fn jwk_set(&self, now: Instant) -> Json {
        let shown = self.keys.iter().filter(|key| self.turns.state(&key.turn, now).verifies());
        let keys: Vec<Json> = shown
            .map(|key| {
                json!({
                    "kty": "EC", "crv": "P-256", "x": key.x, "y": key.y,
                    "kid": key.turn.kid, "use": "sig", "alg": "ES256",
                })
            })
            .collect();
        json!({ "keys": keys })
    }
}

/// A key that was drawn and is not stored yet.
pub(super) struct Fresh {
    pub(super) kid: String,
    sealed: String,
    x: String,
    y: String,
}

impl Fresh {
    pub(super) fn draw(secrets: &Secrets, random: &dyn Random) -> Result<Self, Error> {
        let (private, x, y) = crypto::new_p256()?;
        let kid = crypto::thumbprint(&x, &y);
        let sealed = secrets.seal(random, &place(&kid), &private)?;
        Ok(Self { kid, sealed, x, y })
    }

    async fn insert_first(&self, tx: &mut Tx<'_>, now: i64) -> Result<(), Error> {
        tx.hold(HELD).await?;
        match Turns::read(tx).await?.signer(Instant(now)) {
            Some(_) => Ok(()),
            None => self.insert(tx, now, now).await,
        }
    }

    /// Stores it to sign from a time on. The caller holds [`HELD`].
    pub(super) async fn insert(&self, tx: &mut Tx<'_>, now: i64, signs_at: i64) -> Result<(), Error> {
        let text = |text: &str| Value::text(text);
        let params = [
            text(&self.kid),
            text(&self.sealed),
            text(&self.x),
            text(&self.y),
            Value::Int(now),
            Value::Int(signs_at),
        ];
        tx.execute(&sql::INSERT_SIGNING_KEY, &params).await?;
        Ok(())
    }
}

/// What whoever changes the keys holds.
pub(super) const HELD: &str = "signing keys";

fn turn(row: &Row) -> Result<Turn, Error> {
    Ok(Turn {
        kid: row.text(0)?.to_owned(),
        created_at: row.int(4)?,
        signs_at: row.int(5)?,
        revoked_at: row.int_or_null(6),
        verifies_until: None,
    })
}

fn read(secrets: &Secrets, row: &Row, turns: &Turns) -> Result<Key, Error> {
    let (kid, x, y) = (row.text(0)?.to_owned(), row.text(2)?.to_owned(), row.text(3)?.to_owned());
    let private = secrets.open(&place(&kid), row.text(1)?).ok_or_else(|| {
        let told = "The signing key in the database was not encrypted by this server: its row was changed.";
        Error::with(Code::Internal, told)
    })?;
    let verifies = DecodingKey::from_ec_components(&x, &y).map_err(Error::internal)?;
    let header =
        Header { typ: Some("at+jwt".to_owned()), kid: Some(kid.clone()), ..Header::new(Algorithm::ES256) };
    let begins = format!("{}.", BASE64.encode(serde_json::to_vec(&header).map_err(Error::internal)?));
    let turn = turns.iter().find(|turn| turn.kid == kid).cloned();
    let turn = turn.ok_or_else(|| Error::internal("a signing key has no turn"))?;
    Ok(Key { header, begins, signs: EncodingKey::from_ec_der(&private), verifies, turn, x, y })
}

pub(super) fn place(kid: &str) -> String {
    format!("_signing_keys|{kid}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;
    const LIFE: i64 = limits::SIGNING_KEY_RETIRES_S * 1_000_000;

    fn turn(kid: &str, signs_at: i64, revoked_at: Option<i64>) -> Turn {
        Turn { kid: kid.to_owned(), created_at: 0, signs_at, revoked_at, verifies_until: None }
    }

    fn states(turns: &Turns, now: i64) -> Vec<&'static str> {
        turns.iter().map(|turn| turns.state(turn, Instant(now)).name()).collect()
    }

    #[test]
    fn a_key_waits_signs_retires_and_is_gone_as_time_passes() {
        let turns = Turns::of(vec![turn("b", 10 * HOUR, None), turn("a", 0, None)]);
        assert_eq!(states(&turns, 10 * HOUR - 1), ["active", "next"]);
        assert_eq!(states(&turns, 10 * HOUR), ["retiring", "active"]);
        assert_eq!(states(&turns, 10 * HOUR + LIFE - 1), ["retiring", "active"]);
        assert_eq!(states(&turns, 10 * HOUR + LIFE), ["gone", "active"]);
    }

    #[test]
    fn a_revoked_key_does_nothing_and_one_that_never_signed_ends_no_other() {
        let turns = Turns::of(vec![turn("a", 0, None), turn("b", 10 * HOUR, Some(9 * HOUR))]);
        assert_eq!(states(&turns, 20 * HOUR), ["active", "revoked"]);
        let turns = Turns::of(vec![
            turn("a", 0, None),
            turn("b", 10 * HOUR, Some(11 * HOUR)),
            turn("c", 11 * HOUR, None),
        ]);
        assert_eq!(states(&turns, 11 * HOUR), ["retiring", "revoked", "active"]);
        assert_eq!(states(&turns, 12 * HOUR), ["gone", "revoked", "active"]);
    }

    #[test]
    fn a_clock_that_was_set_back_leaves_a_key_to_sign_with() {
        let turns = Turns::of(vec![turn("a", 5 * HOUR, Some(6 * HOUR)), turn("b", 6 * HOUR, None)]);
        assert_eq!(turns.signer(Instant(HOUR)).unwrap().kid, "b");
        assert_eq!(states(&turns, HOUR), ["revoked", "active"]);
        assert_eq!(Turns::default().signer(Instant(HOUR)), None);
    }
}
