//! `Idempotency-Key`: the answer is kept in the transaction that made the change, and told again for the same request.
//!
//! Only successes are kept: a refused request changed nothing and may simply be sent again. Keys of one caller must
//! never answer another.

use super::{Idempotency, RecordAnswer, sql};
use crate::limits::{IDEMPOTENCY_KEPT_S, IDEMPOTENCY_KEY_BYTES_MAX};
use crate::{Caller, Ctx, Error};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use stead_schema::Value;
use stead_store::Tx;
use stead_wire::Code;

/// Runs `job` in one transaction, at most once for a key of this caller.
pub(super) async fn once<J>(cx: &Ctx, key: Option<Idempotency>, job: J) -> Result<RecordAnswer, Error>
where
    J: AsyncFnOnce(&mut Tx<'_>) -> Result<RecordAnswer, Error> + Send + 'static,
{
    let Some(key) = key else { return cx.project.store().write(job).await };
    if key.key.is_empty() || key.key.len() > IDEMPOTENCY_KEY_BYTES_MAX {
        let text = format!("`Idempotency-Key` must have 1 to {IDEMPOTENCY_KEY_BYTES_MAX} bytes.");
        return Err(Error::with(Code::BadRequest, text));
    }
    let entry = Entry {
        scope: scope(cx),
        key: key.key,
        digest: BASE64_URL_SAFE_NO_PAD.encode(key.digest),
        now: cx.now.us(),
    };
    let write = async move |tx: &mut Tx<'_>| {
        // The same request sent twice at once is one of those that keys are for.
        tx.hold(&format!("idempotency {} {}", entry.scope, entry.key)).await?;
        if let Some(answer) = entry.recall(tx).await? {
            return Ok(answer);
        }
        let answer = job(tx).await?;
        entry.keep(tx, &answer).await?;
        Ok(answer)
    };
    cx.project.store().write(write).await
}

/// Whose keys these are. Anonymous callers are told apart by address only.
fn scope(cx: &Ctx) -> String {
    match (&cx.caller, &cx.meta.ip) {
        (Caller::User(user), _) => format!("user:{}", user.facts.id),
        (Caller::Operator(operator), _) => operator.actor(),
        (Caller::Anonymous, Some(ip)) => format!("ip:{ip}"),
        (Caller::Anonymous, None) => "anonymous".to_owned(),
    }
}

/// Forgets what was answered to a user who is gone.
///
/// # Errors
/// When the database fails.
pub(super) async fn forget(tx: &mut Tx<'_>, user: &str) -> Result<(), Error> {
    tx.execute(&sql::FORGET_OF, &[Value::text(format!("user:{user}"))]).await?;
    Ok(())
}

struct Entry {
    scope: String,
    key: String,
    digest: String,
    now: i64,
}

impl Entry {
    fn expired(&self) -> i64 {
        self.now.saturating_sub(IDEMPOTENCY_KEPT_S.saturating_mul(1_000_000))
    }

    async fn recall(&self, tx: &mut Tx<'_>) -> Result<Option<RecordAnswer>, Error> {
        let params = [Value::text(&self.scope), Value::text(&self.key), Value::Int(self.expired())];
        let rows = tx.fetch(&sql::RECALL, &params).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        if row.text(0)? != self.digest {
            return Err(Error::new(Code::IdempotencyMismatch).hint("Use a new key for a new request."));
        }
        let answer = RecordAnswer::of(row.text(1)?.to_owned(), row.int(2)?, row.text(3)?.as_bytes().to_vec());
        Ok(Some(RecordAnswer { created: row.int(4)? != 0, replayed: true, ..answer }))
    }

    async fn keep(&self, tx: &mut Tx<'_>, answer: &RecordAnswer) -> Result<(), Error> {
        let body = std::str::from_utf8(&answer.body).map_err(Error::internal)?;
        let params = [
            Value::text(&self.scope),
            Value::text(&self.key),
            Value::text(&self.digest),
            Value::text(&answer.id),
            Value::Int(answer.version),
            Value::text(body),
            Value::Int(answer.created.into()),
            Value::Int(self.now),
        ];
        tx.execute(&sql::KEEP, &params).await?;
        tx.execute(&sql::FORGET, &[Value::Int(self.expired())]).await?;
        Ok(())
    }
}
