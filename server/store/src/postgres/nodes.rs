//! The servers that work on one database, as each of them knows the others.
//!
//! Each writes a line about itself every few seconds, by the database's clock, and takes it away when it ends in good order. A
//! line that grew old belongs to a server that is gone or cut off.

use crate::postgres::cells::{self, Params};
use crate::postgres::errors::from_sqlx;
use crate::postgres::pool::Link;
use crate::postgres::statement::{self, WRITES};
use crate::{Error, Node};
use sqlx_postgres::PgRow;
use std::time::Duration;

/// Its table: who, since when and until when it was seen (microseconds), and how far it has read the log.
pub(crate) const TABLE: &str = r#"
CREATE TABLE IF NOT EXISTS _nodes(
  id text COLLATE "C" PRIMARY KEY, version text NOT NULL, began bigint NOT NULL, seen bigint NOT NULL,
  position bigint NOT NULL) WITH (fillfactor = 50);"#;

/// Between two signs of life.
pub(crate) const BEAT: Duration = Duration::from_secs(2);

/// Who gave no sign for so long is gone, in microseconds: five signs.
const GONE_US: i64 = 10_000_000;

const NAME: &str = "SELECT gen_random_uuid()::text";
const SIGN: &str = "WITH clock AS (SELECT (extract(epoch FROM clock_timestamp())*1000000)::bigint AS now),
    gone AS (DELETE FROM _nodes USING clock WHERE seen<clock.now-$4 AND id<>$1)
  INSERT INTO _nodes(id,version,began,seen,position) SELECT $1,$2,now,now,$3 FROM clock
  ON CONFLICT(id) DO UPDATE SET seen=excluded.seen,position=excluded.position";
const LIVING: &str = "SELECT id,version,began,seen,position FROM _nodes
  WHERE seen>=(extract(epoch FROM clock_timestamp())*1000000)::bigint-$1 ORDER BY began,id";
const LEAVE: &str = "DELETE FROM _nodes WHERE id=$1";

/// A server that begins.
///
/// # Errors
/// When the database refuses.
pub(crate) async fn begin(link: &mut Link) -> Result<Node, Error> {
    let rows = statement::rows(link, NAME.to_owned(), Params::default()).await.map_err(from_sqlx)?;
    let id = rows.first().map(|row| cells::get(row, 0)).transpose()?.flatten().unwrap_or_default();
    Ok(Node { id, version: env!("CARGO_PKG_VERSION").to_owned(), ..Node::default() })
}

/// Gives a sign of life, and tells who else gave one: all that live, oldest first, this one among them.
///
/// # Errors
/// When the database refuses.
pub(crate) async fn beat(link: &mut Link, own: &Node) -> Result<Vec<Node>, Error> {
    let mut sign = Params::default();
    sign.text(Some(&own.id))?;
    sign.text(Some(&own.version))?;
    sign.add(i64::try_from(own.position).unwrap_or(i64::MAX))?;
    sign.add(GONE_US)?;
    let mut living = Params::default();
    living.add(GONE_US)?;
    statement::begin(link, WRITES).await?;
    statement::run(link, SIGN.to_owned(), sign).await.map_err(from_sqlx)?;
    let rows = statement::rows(link, LIVING.to_owned(), living).await.map_err(from_sqlx)?;
    statement::end(link, "COMMIT").await?;
    rows.iter().map(read).collect()
}

/// Takes the line about a server that ends away.
///
/// # Errors
/// When the database refuses.
pub(crate) async fn leave(link: &mut Link, id: &str) -> Result<(), Error> {
    let mut params = Params::default();
    params.text(Some(id))?;
    statement::begin(link, WRITES).await?;
    statement::run(link, LEAVE.to_owned(), params).await.map_err(from_sqlx)?;
    statement::end(link, "COMMIT").await
}

fn read(row: &PgRow) -> Result<Node, Error> {
    let text = |at| Ok::<_, Error>(cells::get::<String>(row, at)?.unwrap_or_default());
    let number = |at| Ok::<_, Error>(cells::get::<i64>(row, at)?.unwrap_or_default());
    Ok(Node {
        id: text(0)?,
        version: text(1)?,
        began: number(2)?,
        seen: number(3)?,
        position: u64::try_from(number(4)?).unwrap_or(0),
    })
}
