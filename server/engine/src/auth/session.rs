//! Sessions: begun, remembered in memory, ended.
//!
//! Memory never outlives the database: every operation that ends or changes sessions forgets them here after its
//! commit, and a session that was read before that commit is not remembered (see [`Sessions::remember`]).

use super::access_token::UserClaims;
use super::rotation::Generations;
use super::sql;
use crate::{Error, Project, UserCaller, limits};
use moka::sync::Cache;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use stead_rules::AuthFacts;
use stead_schema::Value;
use stead_store::{Reader, Row, Tx};
use stead_wire::{Code, Instant};

/// A session as it stands in the database.
pub(super) struct Stored {
    pub(super) user: String,
    pub(super) idle_expires_at: i64,
    pub(super) expires_at: i64,
    pub(super) generations: Generations,
    pub(super) salt: String,
}

impl Stored {
    /// One that has not been revoked.
    pub(super) async fn find(reader: &mut Reader<'_>, id: &str) -> Result<Option<Self>, Error> {
        let rows = reader.fetch(&sql::SESSION, &[Value::text(id)]).await?;
        rows.first().map(Self::read).transpose()
    }

    fn read(row: &Row) -> Result<Self, Error> {
        let generation = |column: usize| row.int_or_null(column).map(small).transpose();
        Ok(Self {
            user: row.text(0)?.to_owned(),
            idle_expires_at: row.int(1)?,
            expires_at: row.int(2)?,
            generations: Generations {
                current: small(row.int(3)?)?,
                previous: generation(4)?,
                pending: generation(5)?,
                rotated_at: row.int(6)?,
            },
            salt: row.text(7)?.to_owned(),
        })
    }

    pub(super) fn expired(&self, now: Instant) -> bool {
        now.us() >= self.idle_expires_at.min(self.expires_at)
    }
}

fn small(number: i64) -> Result<u32, Error> {
    u32::try_from(number).map_err(Error::internal)
}

/// A session in memory.
pub(super) struct Live {
    pub(super) id: Arc<str>,
    pub(super) facts: AuthFacts,
    ends_at: i64,
    pub(super) generations: Mutex<Generations>,
}

impl Live {
    pub(super) fn caller(&self, expires_s: i64) -> Arc<UserCaller> {
        Arc::new(UserCaller { facts: self.facts.clone(), session: Arc::clone(&self.id), expires_s })
    }

    pub(super) fn ended(&self, now: Instant) -> bool {
        now.us() >= self.ends_at
    }
}

/// An access token that was checked in full once.
struct Checked {
    live: Arc<Live>,
    caller: Arc<UserCaller>,
    claims: UserClaims,
}

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
    tokens: Cache<Box<str>, Arc<Checked>>,
    live: Cache<Arc<str>, Arc<Live>>,
    /// Sessions that ended, for as long as one of their tokens could still be shown.
    ended: Cache<Arc<str>, ()>,
    /// Grows whenever something is forgotten; guarded together with insertion.
    forgotten: AtomicU64,
    insertion: Mutex<()>,
}

impl Sessions {
    pub(super) fn new(access_token_s: u64) -> Self {
        let tokens_live = Duration::from_secs(access_token_s.saturating_add(60));
        Self {
            tokens: Cache::builder()
                .max_capacity(limits::TOKENS_REMEMBERED_MAX)
                .time_to_live(tokens_live)
                .build(),
            live: Cache::new(limits::SESSIONS_REMEMBERED_MAX),
            ended: Cache::builder()
                .max_capacity(limits::SESSIONS_REMEMBERED_MAX)
                .time_to_live(tokens_live)
                .build(),
            forgotten: AtomicU64::new(0),
            insertion: Mutex::new(()),
        }
    }

    /// What is known of a token. No database, no signature: this is in front of every request.
    ///
    /// # Errors
    /// `token_expired`.
    pub(super) fn known(&self, token: &str, now: Instant) -> Result<Known, Error> {
        let Some(checked) = self.tokens.get(token) else { return Ok(Known::Nothing) };
        if now.us() / 1_000_000 >= checked.claims.exp {
            return Err(Error::new(Code::TokenExpired));
        }
        let current = self.live.get(&*checked.live.id).is_some_and(|live| Arc::ptr_eq(&live, &checked.live));
        Ok(match current && !checked.live.ended(now) {
            true => Known::Caller(Arc::clone(&checked.caller)),
            false => Known::Claims(checked.claims.clone()),
        })
    }

    pub(super) fn remember_token(
        &self,
        token: &str,
        live: &Arc<Live>,
        claims: UserClaims,
    ) -> Arc<UserCaller> {
        let caller = live.caller(claims.exp);
        let checked = Checked { live: Arc::clone(live), caller: Arc::clone(&caller), claims };
        self.tokens.insert(token.into(), Arc::new(checked));
        caller
    }

    pub(super) fn remembered(&self, session: &str) -> Option<Arc<Live>> {
        self.live.get(session)
    }

    fn mark(&self) -> u64 {
        self.forgotten.load(Ordering::Acquire)
    }

    /// Keeps a session that was read after `mark`, unless anything was forgotten since: it could be what was read.
    fn remember(&self, live: Arc<Live>, mark: u64) -> bool {
        let _guard = self.insertion.lock();
        let unchanged = self.mark() == mark;
        if unchanged {
            self.live.insert(Arc::clone(&live.id), live);
        }
        unchanged
    }

    /// Drops sessions from memory; the next token of theirs asks the database. Call it after the commit.
    pub(super) fn forget<'s>(&self, sessions: impl Iterator<Item = &'s str>) {
        let _guard = self.insertion.lock();
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        sessions.for_each(|id| self.live.invalidate(id));
    }

    /// The same for sessions that are over.
    pub(super) fn end<'s>(&self, sessions: impl Iterator<Item = &'s str> + Clone) {
        sessions.clone().for_each(|id| self.ended.insert(Arc::from(id), ()));
        self.forget(sessions);
    }

    /// Drops a user's sessions from memory.
    pub(super) fn forget_user(&self, user: &str) {
        let _guard = self.insertion.lock();
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        for (id, live) in &self.live {
            if &*live.facts.id == user {
                self.live.invalidate(&*id);
            }
        }
    }

    /// Drops every session from memory.
    pub(super) fn forget_all(&self) {
        let _guard = self.insertion.lock();
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        self.live.invalidate_all();
    }

    /// Whether the session did not end while this process ran.
    pub(super) fn alive(&self, caller: &UserCaller, now: Instant) -> bool {
        !self.ended.contains_key(&*caller.session)
            && !self.live.get(&*caller.session).is_some_and(|live| live.ended(now))
    }
}

/// A session from memory, or else from the database; `None` when it is over or its user is gone.
pub(super) async fn live(project: &Project, id: &str) -> Result<Option<Arc<Live>>, Error> {
    let sessions = &project.auth().sessions;
    if let Some(live) = sessions.remembered(id) {
        return Ok(Some(live));
    }
    // Read again when something was forgotten meanwhile; under a storm of sign-outs the last reading is used once
    // and not kept.
    let mut read = None;
    for _ in 0..3 {
        let mark = sessions.mark();
        read = self::read(project, id).await?.map(Arc::new);
        match &read {
            Some(live) if !sessions.remember(Arc::clone(live), mark) => {}
            _ => break,
        }
    }
    Ok(read)
}

async fn read(project: &Project, id: &str) -> Result<Option<Live>, Error> {
    let catalogue = project.catalogue();
    let Some(users) = catalogue.schema.users() else { return Ok(None) };
    project
        .store()
        .read(async |reader| {
            let Some(stored) = Stored::find(reader, id).await? else { return Ok(None) };
            let Some(record) = reader.find(users, &stored.user).await? else { return Ok(None) };
            let roles = reader.fetch(&sql::ROLES_OF, &[Value::text(&stored.user)]).await?;
            let roles = roles.iter().map(|row| Ok(Arc::from(row.text(0)?))).collect::<Result<_, Error>>()?;
            let verified = users.field("verified").and_then(|(slot, _)| record.get(slot.index()));
            Ok(Some(Live {
                id: Arc::from(id),
                ends_at: stored.idle_expires_at.min(stored.expires_at),
                facts: AuthFacts {
                    id: Arc::from(stored.user),
                    roles,
                    verified: verified == Some(&Value::Bool(true)),
                },
                generations: Mutex::new(stored.generations),
            }))
        })
        .await
}

/// What a new session needs, drawn before the transaction.
pub(super) struct Beginning {
    pub(super) id: String,
    pub(super) salt: String,
    ip: Option<Arc<str>>,
    now: Instant,
}

impl Beginning {
    pub(super) fn draw(cx: &crate::Ctx) -> Result<Self, Error> {
        use base64::Engine as _;
        let salt: [u8; 16] = cx.project.random()?;
        Ok(Self {
            id: cx.project.new_id()?.into_string(),
            salt: base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(salt),
            ip: cx.meta.ip.clone(),
            now: cx.now,
        })
    }

    /// Begins a session and ends the oldest beyond [`limits::SESSIONS_PER_USER_MAX`]; which those were.
    pub(super) async fn insert(&self, tx: &mut Tx<'_>, user: &str) -> Result<Vec<String>, Error> {
        let now = self.now.us();
        let long_ago = now - limits::SESSION_IDLE_S * 1_000_000;
        tx.execute(&sql::SWEEP_SESSIONS, &[Value::text(user), Value::Int(long_ago)]).await?;
        let others = live_ids(tx, user).await?;
        let surplus: Vec<String> = others.into_iter().skip(limits::SESSIONS_PER_USER_MAX - 1).collect();
        revoke(tx, user, &surplus, "too_many", self.now).await?;
        let params = [
            Value::text(&self.id),
            Value::text(user),
            Value::Int(now),
            Value::Int(idle_end(self.now)),
            Value::Int(now + limits::SESSION_LIFE_S * 1_000_000),
            Value::text(&self.salt),
            self.ip.as_deref().map_or(Value::Null, Value::text),
        ];
        tx.execute(&sql::INSERT_SESSION, &params).await?;
        Ok(surplus)
    }
}

/// When a session that was used now ends unless it is used again.
pub(super) fn idle_end(now: Instant) -> i64 {
    now.us() + limits::SESSION_IDLE_S * 1_000_000
}

/// Ids of a user's sessions that were not revoked, newest first.
pub(super) async fn live_ids(reader: &mut Reader<'_>, user: &str) -> Result<Vec<String>, Error> {
    let rows = reader.fetch(&sql::LIVE_SESSIONS_OF, &[Value::text(user)]).await?;
    rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
}

/// Ends sessions of a user and logs it for the sockets; how many. [`Sessions::end`] must follow the commit.
pub(super) async fn revoke(
    tx: &mut Tx<'_>,
    user: &str,
    ids: &[String],
    reason: &str,
    now: Instant,
) -> Result<u64, Error> {
    let mut ended = 0;
    for id in ids {
        let params = [Value::text(id), Value::Int(now.us()), Value::text(reason), Value::text(user)];
        if tx.execute(&sql::REVOKE_SESSION, &params).await? > 0 {
            tx.log_auth(user, Some(id), now.us()).await?;
            ended += 1;
        }
    }
    Ok(ended)
}
