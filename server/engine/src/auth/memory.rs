//! Sessions and access tokens in memory, in front of every request.
//!
//! It never outlives the database: every operation that ends or changes sessions forgets them here after its commit, and
//! a session that was read before that commit is not remembered (see [`Sessions::remember`]). Plain maps under locks
//! rather than a cache crate, because a token must learn at once that its session was dropped, whatever dropped it; and
//! two look-ups of a cache that keeps order took 4 µs where these take a fraction of one.

use super::access_token::UserClaims;
use super::rotation::Generations;
use crate::scopes::Scopes;
use crate::{Error, UserCaller, limits};
use moka::sync::Cache;
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;
use stead_rules::AuthFacts;
use stead_wire::{Code, Instant};

/// Parts of the map of tokens, so that threads seldom wait for each other.
const SHARDS: usize = 16;

/// In the place of the number of revocations, for tokens that no key signs.
pub(super) const UNSIGNED: u64 = u64::MAX;

/// A session in memory.
pub(super) struct Live {
    pub(super) id: Arc<str>,
    pub(super) facts: AuthFacts,
    pub(super) generations: Mutex<Generations>,
    ends_at: AtomicI64,
    /// When a session in a cookie ends even if it is used; none for one with tokens.
    cookie_until: Option<i64>,
    /// What a key allows at most; none for a session that was signed in to.
    scopes: Option<Arc<Scopes>>,
    /// False once it was dropped from memory: then its tokens ask anew.
    current: AtomicBool,
}

impl Live {
    pub(super) fn new(id: &str, facts: AuthFacts, generations: Generations, ends_at: i64) -> Self {
        let generations = Mutex::new(generations);
        let (ends_at, current) = (AtomicI64::new(ends_at), AtomicBool::new(false));
        Self { id: Arc::from(id), facts, generations, ends_at, cookie_until: None, scopes: None, current }
    }

    /// In a cookie, until then at most.
    pub(super) fn in_cookie(self, until: i64) -> Self {
        Self { cookie_until: Some(until), ..self }
    }

    /// Whether it is in a cookie.
    pub(super) fn by_cookie(&self) -> bool {
        self.cookie_until.is_some()
    }

    /// Puts off the end of a session in a cookie that is used now. When it ends unless it is used again, if that is to be
    /// written down: the uses of some minutes count as one.
    pub(super) fn put_off(&self, now: Instant) -> Option<i64> {
        let ends_at = (now.us() + limits::COOKIE_IDLE_S * 1_000_000).min(self.cookie_until?);
        let before = self.ends_at.load(Ordering::Relaxed);
        let due = ends_at - before >= limits::COOKIE_USE_NOTED_S * 1_000_000;
        let first = || self.ends_at.compare_exchange(before, ends_at, Ordering::Relaxed, Ordering::Relaxed);
        (due && first().is_ok()).then_some(ends_at)
    }

    /// For a program with a key.
    pub(super) fn within(self, scopes: Arc<Scopes>) -> Self {
        Self { scopes: Some(scopes), ..self }
    }

    pub(super) fn caller(&self, expires_s: i64) -> Arc<UserCaller> {
        Arc::new(UserCaller {
            facts: self.facts.clone(),
            session: Arc::clone(&self.id),
            expires_s,
            scopes: self.scopes.clone(),
        })
    }

    pub(super) fn ended(&self, now: Instant) -> bool {
        now.us() >= self.ends_at.load(Ordering::Relaxed)
    }

    fn current(&self) -> bool {
        self.current.load(Ordering::Acquire)
    }

    fn drop_from_memory(&self) {
        self.current.store(false, Ordering::Release);
    }
}

/// An access token that was checked in full once.
struct Checked {
    live: Arc<Live>,
    caller: Arc<UserCaller>,
    claims: UserClaims,
    /// How many keys had been revoked when the signature was checked.
    revocations: u64,
}

/// Some of the tokens, by their text.
type Shard = RwLock<HashMap<Box<str>, Arc<Checked>, Tail>>;

/// What the memory knows of a token.
pub(super) enum Known {
    /// Still good.
    Caller(Arc<UserCaller>),
    /// Signed by us, but its session has to be looked at again.
    Claims(UserClaims),
    /// Never seen, or forgotten.
    Nothing,
}

/// The memory of sessions and access tokens.
pub(super) struct Sessions {
    tokens: [Shard; SHARDS],
    live: RwLock<Remembered>,
    /// Sessions that ended, for as long as one of their tokens could still be shown.
    ended: Cache<Arc<str>, ()>,
}

#[derive(Default)]
struct Remembered {
    by_id: HashMap<Arc<str>, Arc<Live>>,
    /// Grows whenever something is forgotten.
    forgotten: u64,
}

impl Sessions {
    pub(super) fn new(access_token_s: u64) -> Self {
        let ended = Cache::builder()
            .max_capacity(limits::SESSIONS_REMEMBERED_MAX as u64)
            .time_to_live(Duration::from_secs(access_token_s.saturating_add(60)))
            .build();
        Self { tokens: Default::default(), live: RwLock::default(), ended }
    }

    /// What is known of a token, when so many keys have been revoked. No database, no signature.
    ///
    /// # Errors
    /// `token_expired`.
    pub(super) fn known(&self, token: &str, revocations: u64, now: Instant) -> Result<Known, Error> {
        let Some(shard) = self.shard(token) else { return Ok(Known::Nothing) };
        let tokens = shard.read();
        let checked = tokens.get(token).filter(|checked| checked.revocations == revocations);
        let Some(checked) = checked else { return Ok(Known::Nothing) };
        if now.us() / 1_000_000 >= checked.claims.exp {
            return Err(Error::new(Code::TokenExpired));
        }
        Ok(match checked.live.current() && !checked.live.ended(now) {
            true => Known::Caller(Arc::clone(&checked.caller)),
            false => Known::Claims(checked.claims.clone()),
        })
    }

    pub(super) fn remember_token(
        &self,
        token: &str,
        live: &Arc<Live>,
        (claims, revocations): (UserClaims, u64),
        now: Instant,
    ) -> Arc<UserCaller> {
        let caller = live.caller(claims.exp);
        let Some(shard) = self.shard(token) else { return caller };
        let checked =
            Arc::new(Checked { live: Arc::clone(live), caller: Arc::clone(&caller), claims, revocations });
        let mut tokens = shard.write();
        if tokens.len() >= limits::TOKENS_REMEMBERED_MAX / SHARDS {
            tokens.retain(|_, old| old.live.current() && now.us() / 1_000_000 < old.claims.exp);
        }
        if tokens.len() >= limits::TOKENS_REMEMBERED_MAX / SHARDS {
            // All of them in use. Starting over costs each one signature check.
            tokens.clear();
        }
        tokens.insert(token.into(), checked);
        caller
    }

    /// By the signature's last character, which is as random as any.
    fn shard(&self, token: &str) -> Option<&Shard> {
        // The last of 86 characters carries two bits only (RFC 4648 §3.5).
        let byte = token.as_bytes().iter().rev().nth(1)?;
        self.tokens.get(usize::from(*byte) % SHARDS)
    }

    pub(super) fn remembered(&self, session: &str) -> Option<Arc<Live>> {
        self.live.read().by_id.get(session).cloned()
    }

    /// Take it before a session is read from the database, for [`Sessions::remember`].
    pub(super) fn mark(&self) -> u64 {
        self.live.read().forgotten
    }

    /// Keeps a session that was read after `mark`; the one to use, which is another's when that was first. `None` when
    /// anything was forgotten since, for it could be what was read.
    pub(super) fn remember(&self, live: &Arc<Live>, mark: u64, now: Instant) -> Option<Arc<Live>> {
        let mut memory = self.live.write();
        if memory.forgotten != mark {
            return None;
        }
        if let Some(first) = memory.by_id.get(&live.id) {
            return Some(Arc::clone(first));
        }
        memory.make_room(now);
        live.current.store(true, Ordering::Release);
        memory.by_id.insert(Arc::clone(&live.id), Arc::clone(live));
        Some(Arc::clone(live))
    }

    /// Drops sessions from memory; the next token of theirs asks the database. Call it after the commit.
    pub(super) fn forget<'s>(&self, sessions: impl Iterator<Item = &'s str>) {
        let mut memory = self.live.write();
        memory.forgotten += 1;
        for id in sessions {
            if let Some(live) = memory.by_id.remove(id) {
                live.drop_from_memory();
            }
        }
    }

    /// The same for sessions that are over.
    pub(super) fn end<'s>(&self, sessions: impl Iterator<Item = &'s str> + Clone) {
        sessions.clone().for_each(|id| self.ended.insert(Arc::from(id), ()));
        self.forget(sessions);
    }

    /// Drops a user's sessions from memory.
    pub(super) fn forget_user(&self, user: &str) {
        self.live.write().forget_unless(|live| *live.facts.id != *user);
    }

    /// Drops every session from memory.
    pub(super) fn forget_all(&self) {
        self.live.write().forget_unless(|_| false);
    }

    /// Whether the session did not end while this process ran.
    pub(super) fn alive(&self, caller: &UserCaller, now: Instant) -> bool {
        !self.ended.contains_key(&*caller.session)
            && !self.remembered(&caller.session).is_some_and(|live| live.ended(now))
    }
}

impl Remembered {
    fn forget_unless(&mut self, keep: impl Fn(&Live) -> bool) {
        self.forgotten += 1;
        self.by_id.retain(|_, live| {
            let kept = keep(live);
            if !kept {
                live.drop_from_memory();
            }
            kept
        });
    }

    /// Room for one more: those that ended go first, then any tenth, for they are only read again.
    fn make_room(&mut self, now: Instant) {
        if self.by_id.len() < limits::SESSIONS_REMEMBERED_MAX {
            return;
        }
        self.forget_unless(|live| !live.ended(now));
        let surplus = (self.by_id.len() + limits::SESSIONS_REMEMBERED_MAX / 10)
            .saturating_sub(limits::SESSIONS_REMEMBERED_MAX);
        let ids: Vec<Arc<str>> = self.by_id.keys().take(surplus).cloned().collect();
        for live in ids.iter().filter_map(|id| self.by_id.remove(id)) {
            live.drop_from_memory();
        }
    }
}

/// Hashes the end of a text: of a token that is its signature, which is random. Only tokens that passed their check
/// are kept, so nobody can choose ends that collide.
#[derive(Default)]
struct Tail(RandomState);

struct TailHasher(DefaultHasher);

impl BuildHasher for Tail {
    type Hasher = TailHasher;
    fn build_hasher(&self) -> TailHasher {
        TailHasher(self.0.build_hasher())
    }
}

impl Hasher for TailHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes.last_chunk::<32>().map_or(bytes, |tail| tail));
    }

    fn finish(&self) -> u64 {
        self.0.finish()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const NOW: Instant = Instant(0);

    fn live(id: usize, ends_at: i64) -> Arc<Live> {
        let facts = AuthFacts::of("ana", 0);
        let generations = Generations { previous: None, current: 0, pending: None, rotated_at: 0 };
        Arc::new(Live::new(&id.to_string(), facts, generations, ends_at))
    }

    fn claims(session: &Live) -> UserClaims {
        let text = || "x".to_owned();
        let sid = session.id.to_string();
        UserClaims { iss: text(), sub: text(), exp: 600, iat: 0, jti: text(), sid, generation: 0 }
    }

    fn token(number: usize) -> String {
        format!("{number:0>100}")
    }

    #[test]
    fn a_session_read_before_something_was_forgotten_is_not_kept() {
        let sessions = Sessions::new(600);
        let early = sessions.mark();
        sessions.forget(std::iter::once("another"));
        assert!(sessions.remember(&live(1, 1), early, NOW).is_none());
        assert!(sessions.remembered("1").is_none());
        assert!(sessions.remember(&live(1, 1), sessions.mark(), NOW).is_some());
        assert!(sessions.remembered("1").is_some());
    }

    #[test]
    fn memory_is_bounded_and_what_falls_out_lets_nobody_in() {
        let sessions = Sessions::new(600);
        let all: Vec<_> = (0..=limits::SESSIONS_REMEMBERED_MAX).map(|id| live(id, 1_000_000)).collect();
        for session in &all {
            let kept = sessions.remember(session, sessions.mark(), NOW).unwrap();
            sessions.remember_token(&token(session.id.parse().unwrap()), &kept, (claims(session), 0), NOW);
        }
        let remembered = sessions.live.read().by_id.len();
        assert!(
            remembered <= limits::SESSIONS_REMEMBERED_MAX && remembered > limits::SESSIONS_REMEMBERED_MAX / 2
        );
        let tokens: usize = sessions.tokens.iter().map(|shard| shard.read().len()).sum();
        assert!(tokens <= limits::TOKENS_REMEMBERED_MAX && tokens > 0);
        for session in &all {
            let known = sessions.known(&token(session.id.parse().unwrap()), 0, NOW).unwrap();
            let admitted = matches!(known, Known::Caller(_));
            assert!(!admitted || sessions.remembered(&session.id).is_some(), "{}", session.id);
        }
        // Those in memory are let in without a question.
        assert!(matches!(
            sessions.known(&token(limits::SESSIONS_REMEMBERED_MAX), 0, NOW).unwrap(),
            Known::Caller(_)
        ));
        sessions.forget_all();
        assert!(matches!(
            sessions.known(&token(limits::SESSIONS_REMEMBERED_MAX), 0, NOW).unwrap(),
            Known::Claims(_)
        ));
    }
}
