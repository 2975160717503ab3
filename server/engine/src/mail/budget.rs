//! How many mails may be asked for: what keeps the server from being used to flood somebody, or to ruin its own name.
//!
//! Counted in the database, exactly, over the last hour and day, for all servers together. An address that has no account
//! counts like one that has, so that no answer tells which it is. Since no more than the hour's budget is ever counted, that
//! and a day bound the table.

use super::sql;
use crate::{Ctx, Error, digest, limits, network};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use stead_schema::Value;
use stead_store::{Sql, Tx};
use stead_wire::Code;

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;

/// Counts a mail to `recipient` (the canonical form of an address) that the caller of `cx` asked for. Whether it may be
/// sent: if not, queue it without `to` and answer as if it were.
///
/// # Errors
/// `rate_limited` when the caller's part of the network, or everybody together, has asked for too many.
pub(crate) async fn admit(tx: &mut Tx<'_>, cx: &Ctx, recipient: &str) -> Result<bool, Error> {
    let now = cx.now.us();
    let (hour, day) = (now.saturating_sub(HOUR_US), now.saturating_sub(DAY_US));
    let network = key("network", &cx.meta.ip.as_deref().map(network::part).unwrap_or_default());
    let recipient = key("recipient", recipient);
    tx.hold("mails asked").await?;
    tx.execute(&sql::FORGET_ASKED, &[Value::Int(day)]).await?;
    let of_network = [Value::text(&network), Value::Int(hour), nth(limits::MAILS_PER_NETWORK_HOUR_MAX)];
    refuse_past(tx, &sql::ASKED_FROM, &of_network, now).await?;
    let of_all = [Value::Int(hour), nth(cx.project.limits().mails_per_hour_max)];
    refuse_past(tx, &sql::ASKED_AT_ALL, &of_all, now).await?;
    let of_recipient = [Value::text(&recipient), Value::Int(day), Value::Int(hour)];
    let counted = tx.fetch(&sql::ASKED_FOR, &of_recipient).await?;
    let (in_hour, in_day) =
        counted.first().map_or(Ok((0, 0)), |row| Ok::<_, Error>((row.int(0)?, row.int(1)?)))?;
    let sent = in_hour < limits::MAILS_PER_RECIPIENT_HOUR_MAX && in_day < limits::MAILS_PER_RECIPIENT_DAY_MAX;
    // What is not sent does not count for the recipient, or somebody who goes on asking would keep all mail away.
    let recipient = if sent { Value::text(recipient) } else { Value::Null };
    tx.execute(&sql::ASK, &[Value::Int(now), recipient, Value::text(network)]).await?;
    Ok(sent)
}

/// The row that says that a budget is used up.
fn nth(most: u32) -> Value {
    Value::Int(i64::from(most).saturating_sub(1).max(0))
}

async fn refuse_past(tx: &mut Tx<'_>, statement: &Sql, params: &[Value], now: i64) -> Result<(), Error> {
    let rows = tx.fetch(statement, params).await?;
    let Some(row) = rows.first() else { return Ok(()) };
    let wait_us = row.int(0)?.saturating_add(HOUR_US).saturating_sub(now);
    let wait_ms = u64::try_from(wait_us).unwrap_or(0).div_ceil(1000).max(1);
    Err(Error::with(Code::RateLimited, "Too many mails were asked for.").retry_after_ms(wait_ms))
}

/// Kept as a digest: the list shall not tell who asked, or who was written to.
fn key(what: &str, of: &str) -> String {
    BASE64.encode(digest::sha256(&[b"mail", what.as_bytes(), of.as_bytes()]))
}
