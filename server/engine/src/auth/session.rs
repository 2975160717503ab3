//! Sessions in the database: begun, read, ended.
//!
//! Whoever ends one here must say so to [`super::memory`] after the commit.

use super::memory::Live;
use super::rotation::Generations;
use super::{api_keys, claims, sql, standing};
use crate::{Error, Project, admin, limits};
use std::sync::Arc;
use stead_rules::{AuthFacts, Method};
use stead_schema::{Schema, Value};
use stead_store::{Reader, Row, Tx};
use stead_wire::Instant;

/// A session as it stands in the database.
pub(super) struct Stored {
    pub(super) user: String,
    pub(super) idle_expires_at: i64,
    pub(super) expires_at: i64,
    pub(super) generations: Generations,
    pub(super) salt: String,
    created_at: i64,
    method: Method,
    aal: u8,
    /// Whether a cookie stands for it, and no tokens.
    pub(super) in_cookie: bool,
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
            created_at: row.int(8)?,
            method: Method::parse(row.text(9)?)
                .ok_or_else(|| Error::internal("an unknown way to sign in"))?,
            aal: u8::try_from(row.int(10)?).map_err(Error::internal)?,
            in_cookie: row.text(11)? == COOKIE,
        })
    }

    pub(super) fn expired(&self, now: Instant) -> bool {
        now.us() >= self.idle_expires_at.min(self.expires_at)
    }
}

fn small(number: i64) -> Result<u32, Error> {
    u32::try_from(number).map_err(Error::internal)
}

/// A session (or a key, which is like one) from memory, or else from the database; `None` when it is over or its user is gone.
pub(super) async fn live(project: &Project, id: &str) -> Result<Option<Arc<Live>>, Error> {
    let sessions = &project.auth().sessions;
    if let Some(live) = sessions.remembered(id) {
        return Ok(Some(live));
    }
    // Read again when something was forgotten meanwhile; under a storm of sign-outs the last reading is used once
    // and not kept.
    let mut last = None;
    for _ in 0..3 {
        let mark = sessions.mark();
        let Some(live) = read(project, id).await?.map(Arc::new) else { return Ok(None) };
        if let Some(kept) = sessions.remember(&live, mark, project.now()) {
            return Ok(Some(kept));
        }
        last = Some(live);
    }
    Ok(last)
}

async fn read(project: &Project, id: &str) -> Result<Option<Live>, Error> {
    let catalogue = project.catalogue();
    let schema = &*catalogue.schema;
    let Some(users) = schema.users() else { return Ok(None) };
    project
        .store()
        .read(async |reader| {
            let Some(stored) = Stored::find(reader, id).await? else {
                return api_keys::live(reader, schema, id).await;
            };
            let Some(record) = reader.find(users, &stored.user).await? else { return Ok(None) };
            let facts = AuthFacts {
                method: stored.method,
                aal: stored.aal,
                ..facts_of(reader, schema, &record, stored.created_at).await?
            };
            let ends_at = stored.idle_expires_at.min(stored.expires_at);
            let live = Live::new(id, facts, stored.generations, ends_at);
            Ok(Some(if stored.in_cookie { live.in_cookie(stored.expires_at) } else { live }))
        })
        .await
}

/// What rules know of the user whose record this is, in a session that began then with a password.
///
/// # Errors
/// When the database fails.
pub(crate) async fn facts_of(
    reader: &mut Reader<'_>,
    schema: &Schema,
    record: &[Value],
    began: i64,
) -> Result<AuthFacts, Error> {
    let id = record.first().and_then(Value::as_text).unwrap_or_default();
    let roles = reader.fetch(&sql::ROLES_OF, &[Value::text(id)]).await?;
    let roles = roles.iter().map(|row| Ok(Arc::from(row.text(0)?))).collect::<Result<_, Error>>()?;
    let verified = schema.users().and_then(|users| users.field("verified"));
    let verified = verified.and_then(|(slot, _)| record.get(slot.index())) == Some(&Value::Bool(true));
    let claims = claims::of(reader, &schema.app, id).await?;
    Ok(AuthFacts { roles, verified, claims, ..AuthFacts::of(id, began) })
}

/// How the table names what stands for a session.
const COOKIE: &str = "cookie";
const TOKENS: &str = "tokens";

/// What a new session needs, drawn before the transaction.
pub(super) struct Beginning {
    pub(super) id: String,
    pub(super) salt: String,
    ip: Option<Arc<str>>,
    agent: Option<Arc<str>>,
    method: Method,
    second_factor: bool,
    in_cookie: bool,
    now: Instant,
}

impl Beginning {
    /// For a way to sign in that alone is one factor.
    pub(super) fn draw(cx: &crate::Ctx, method: Method) -> Result<Self, Error> {
        use base64::Engine as _;
        let salt: [u8; 16] = cx.project.random()?;
        Ok(Self {
            id: cx.project.new_id()?.into_string(),
            salt: base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(salt),
            ip: cx.meta.ip.clone(),
            agent: cx.meta.agent.clone(),
            method,
            second_factor: false,
            in_cookie: cx.carrier.is_cookie(),
            now: cx.now,
        })
    }

    /// The same for who has shown a second one too.
    pub(super) fn with_second_factor(self) -> Self {
        Self { second_factor: true, ..self }
    }

    /// Begins a session and ends the oldest beyond [`limits::SESSIONS_PER_USER_MAX`]; which those were.
    ///
    /// # Errors
    /// `invalid_credentials` for who may not sign in at all; when the database fails.
    pub(super) async fn insert(&self, tx: &mut Tx<'_>, user: &str) -> Result<Vec<String>, Error> {
        standing::admit(tx, user, self.now).await?;
        let now = self.now.us();
        let long_ago = now - limits::SESSION_IDLE_S * 1_000_000;
        tx.execute(&sql::SWEEP_SESSIONS, &[Value::text(user), Value::Int(long_ago)]).await?;
        let others = live_ids(tx, user).await?;
        let surplus: Vec<String> = others.into_iter().skip(limits::SESSIONS_PER_USER_MAX - 1).collect();
        revoke(tx, user, &surplus, "too_many", self.now).await?;
        let (idle_s, life_s, carrier) = match self.in_cookie {
            true => (limits::COOKIE_IDLE_S, limits::COOKIE_LIFE_S, COOKIE),
            false => (limits::SESSION_IDLE_S, limits::SESSION_LIFE_S, TOKENS),
        };
        let params = [
            Value::text(&self.id),
            Value::text(user),
            Value::Int(now),
            Value::Int(now + idle_s * 1_000_000),
            Value::Int(now + life_s * 1_000_000),
            Value::text(&self.salt),
            self.ip.as_deref().map_or(Value::Null, Value::text),
            Value::text(self.method.name()),
            Value::Int(if self.second_factor { 2 } else { 1 }),
            self.agent.as_deref().map_or(Value::Null, Value::text),
            if self.second_factor { Value::Int(now) } else { Value::Null },
            Value::text(carrier),
        ];
        tx.execute(&sql::INSERT_SESSION, &params).await?;
        admin::audit(tx, user, "users.sign_in", &target(&self.id), now).await?;
        Ok(surplus)
    }
}

fn target(id: &str) -> String {
    format!("sessions/{id}")
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

/// Ends sessions of a user, for a reason that the audit trail shows, and logs it for the sockets; how many. [`Sessions::end`] must follow the commit.
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
            admin::audit(tx, user, &format!("sessions.{reason}"), &target(id), now.us()).await?;
            ended += 1;
        }
    }
    Ok(ended)
}
