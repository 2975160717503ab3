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
            let seed = first_seed(store, master, random).await?;
            let params = [Value::text(wrapping.wrap(random, &seed)?), Value::Int(clock.now().us())];
            let job = async move |tx: &mut Tx<'_>| {
                tx.execute(&sql::INSERT_DATA_KEY, &params).await?;
                // Another process may have been first.
                Ok::<_, Error>(tx.fetch(&sql::DATA_KEY, &[]).await?)
            };
            rows = store.write(job).await?;
        }
        let row = rows.first().ok_or_else(|| Error::internal("there is no data key"))?;
        let wrapped = row.text(0)?.to_owned();
        let seed = wrapping.unwrap(&wrapped).map_or_else(|| Err(wrong(row)), Ok)?;
        Ok(Self { seed, wrapped })
    }
}

/// Where secrets were derived from the master key itself, that is the seed, now and under later master keys.
async fn first_seed(store: &Store, master: &[u8; 32], random: &dyn Random) -> Result<[u8; 32], Error> {
    let job = async |reader: &mut Reader<'_>| Ok::<_, Error>(reader.fetch(&sql::SIGNING_KEYS, &[]).await?);
    let rows = store.survey(job).await?;
    let Some(row) = rows.first() else {
        let mut seed = [0; 32];
        random.fill(&mut seed)?;
        return Ok(seed);
    };
    let place = super::keys::place(row.text(0)?);
    match crypto::Secrets::derive(master)?.open(&place, row.text(1)?) {
        Some(_) => Ok(*master),
        None => Err(Error::with(Code::Internal, format!("{WRONG}. {HELP}"))),
    }
}

const WRONG: &str = "the master key is not the one of this database";
const HELP: &str = "Start with the key that belongs to it: nothing was changed";

fn wrong(row: &Row) -> Error {
    let changed = match (row.int(1), row.int(2)) {
        (Ok(made), Ok(wrapped)) if wrapped > made => {
            format!(", whose master key was changed at {}", Instant(wrapped))
        }
        _ => String::new(),
    };
    Error::with(Code::Internal, format!("{WRONG}{changed}. {HELP}"))
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
