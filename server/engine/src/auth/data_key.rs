//! The data key: what all secrets of a project are derived from. It lies in the database, wrapped by the master key, which
//! lies elsewhere; so another master key needs no other secrets, and servers that run need not hear of it.

use super::crypto::{self, Wrapping};
use super::sql;
use crate::{Clock, Error, Project, Random, admin};
use stead_schema::Value;
use stead_store::{Reader, Row, Store, Tx};
use stead_wire::{Code, Instant};

/// The data key of an open project.
pub(super) struct DataKey {
    pub(super) seed: [u8; 32],
    /// As it was read.
    wrapped: String,
}

impl DataKey {
    /// Unwraps the data key, or makes the first one.
    ///
    /// # Errors
    /// When this is not the master key of the database.
    pub(super) async fn load(
        store: &Store,
        master: &[u8; 32],
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Result<Self, Error> {
        let wrapping = Wrapping::derive(master)?;
        let job = async |reader: &mut Reader<'_>| Ok::<_, Error>(reader.fetch(&sql::DATA_KEY, &[]).await?);
        let mut rows = store.survey(job).await?;
        if rows.is_empty() {
            let mut fresh = [0; 32];
            random.fill(&mut fresh)?;
            let first = First {
                master: *master,
                fresh: wrapping.wrap(random, &fresh)?,
                older: wrapping.wrap(random, master)?,
                at: clock.now().us(),
            };
            rows = store.write(async move |tx: &mut Tx<'_>| first.insert(tx).await).await?;
        }
        let row = rows.first().ok_or_else(|| Error::internal("there is no data key"))?;
        let wrapped = row.text(0)?.to_owned();
        let seed = wrapping.unwrap(&wrapped).map_or_else(|| Err(wrong(row)), Ok)?;
        Ok(Self { seed, wrapped })
    }
}

/// What the first data key may be.
struct First {
    master: [u8; 32],
    /// One that was drawn, wrapped.
    fresh: String,
    /// The master key itself, wrapped.
    older: String,
    at: i64,
}

impl First {
    /// Stores one of them, unless another process was first; what is stored then.
    async fn insert(self, tx: &mut Tx<'_>) -> Result<Vec<Row>, Error> {
        tx.hold("data key").await?;
        let rows = tx.fetch(&sql::DATA_KEY, &[]).await?;
        if !rows.is_empty() {
            return Ok(rows);
        }
        // Where there are secrets already, they were derived from the master key itself. That is the data key then, also
        // under later master keys.
        let secrets = tx.fetch(&sql::SIGNING_KEYS, &[]).await?;
        let wrapped = match secrets.first() {
            None => self.fresh,
            Some(row) => {
                let place = super::keys::place(row.text(0)?);
                let opened = crypto::Secrets::derive(&self.master)?.open(&place, row.text(1)?);
                opened.map(|_| self.older).ok_or_else(|| told(String::new()))?
            }
        };
        tx.execute(&sql::INSERT_DATA_KEY, &[Value::text(wrapped), Value::Int(self.at)]).await?;
        Ok(tx.fetch(&sql::DATA_KEY, &[]).await?)
    }
}

fn wrong(row: &Row) -> Error {
    told(match (row.int(1), row.int(2)) {
        (Ok(made), Ok(wrapped)) if wrapped > made => {
            format!(", whose master key was changed at {}", Instant(wrapped))
        }
        _ => String::new(),
    })
}

fn told(changed: String) -> Error {
    let detail = format!(
        "the master key is not the one of this database{changed}. Start with the key that belongs to it: nothing was changed"
    );
    Error::with(Code::Internal, detail)
}

/// Wraps the data key of an open project by another master key, in one transaction. The old master key opens nothing from
/// then on; servers that run go on.
pub(crate) async fn change_master_key(project: &Project, new: &[u8; 32]) -> Result<(), Error> {
    let data_key = &project.auth().data_key;
    let wrapped = Wrapping::derive(new)?.wrap(project.randomness(), &data_key.seed)?;
    let at = project.now().us();
    let params = [Value::text(&data_key.wrapped), Value::text(wrapped), Value::Int(at)];
    let job = async move |tx: &mut Tx<'_>| {
        if tx.execute(&sql::WRAP_DATA_KEY, &params).await? == 0 {
            return Err(Error::with(Code::Internal, "the master key was changed meanwhile by somebody else"));
        }
        admin::audit(tx, admin::SERVER, "master_key.rotate", "", at).await
    };
    project.store().write(job).await
}
