//! Connections, opened when they are needed and kept for the next who asks.
//!
//! Not the driver's own pool: that one asks the database a question each time a connection comes back, which is as much
//! as many of our reads cost. A connection comes back only when what was done on it ended well; any other is closed.

use crate::Error;
use crate::postgres::errors::from_sqlx;
use crate::sqlite::words::Splitter;
use parking_lot::Mutex;
use sqlx_core::connection::{ConnectOptions, Connection};
use sqlx_core::raw_sql::raw_sql;
use sqlx_postgres::{PgConnectOptions, PgConnection};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Longest wait for a connection that others use, and for a new one.
const PATIENCE: Duration = Duration::from_secs(3);

/// A connection that lay idle for longer is asked whether it is still there.
const TRUSTED: Duration = Duration::from_secs(1);

/// What holds unless a transaction says otherwise: reads are bounded, and nothing writes by mistake.
const SETTINGS: &str = "SET statement_timeout=2000; SET default_transaction_read_only=on;
  SET TIME ZONE 'UTC'; SET client_min_messages=warning";

/// Connections of one lane.
pub(crate) struct Pool {
    options: PgConnectOptions,
    idle: Mutex<Vec<(PgConnection, Instant)>>,
    permits: Arc<Semaphore>,
    /// For the index of words.
    splitter: Splitter,
    /// Where sockets are watched: it must outlive every request, so it is none of those that serve them.
    runtime: Handle,
}

impl Pool {
    /// At most `most` connections; none is opened yet.
    pub(crate) fn new(options: PgConnectOptions, most: usize, runtime: Handle) -> Self {
        let (idle, splitter) = (Mutex::default(), Splitter::default());
        Self { options, idle, permits: Arc::new(Semaphore::new(most)), splitter, runtime }
    }

    /// A connection for one operation.
    ///
    /// # Errors
    /// `Busy` when none is free in time or the database does not answer, `Closed` after the end.
    pub(crate) async fn take(self: &Arc<Self>) -> Result<Link, Error> {
        let free = timeout(PATIENCE, Arc::clone(&self.permits).acquire_owned());
        let permit = free.await.map_err(|_| Error::Busy)?.map_err(|_| Error::Closed)?;
        loop {
            let kept = self.idle.lock().pop();
            let Some((mut connection, since)) = kept else { break };
            if since.elapsed() < TRUSTED || matches!(timeout(PATIENCE, connection.ping()).await, Ok(Ok(()))) {
                return Ok(self.link(connection, permit));
            }
        }
        let options = self.options.clone();
        let opening = self.runtime.spawn(async move { timeout(PATIENCE, open(&options)).await });
        let opened = opening.await.map_err(|_| Error::Closed)?.map_err(|_| Error::Busy)?;
        Ok(self.link(opened.map_err(from_sqlx)?, permit))
    }

    fn link(self: &Arc<Self>, connection: PgConnection, permit: OwnedSemaphorePermit) -> Link {
        Link {
            connection: Some(connection),
            pool: Arc::clone(self),
            whole: false,
            lost: false,
            failed: false,
            _permit: permit,
        }
    }

    /// Gives no more connections and closes those that are idle.
    pub(crate) async fn close(&self) {
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle.lock());
        for (connection, _) in idle {
            // The server notices by itself when this fails.
            let _ = timeout(PATIENCE, connection.close()).await;
        }
    }
}

async fn open(options: &PgConnectOptions) -> Result<PgConnection, sqlx_core::Error> {
    let mut connection = options.connect().await?;
    raw_sql(SETTINGS).execute(&mut connection).await?;
    Ok(connection)
}

/// A connection on loan.
pub(crate) struct Link {
    connection: Option<PgConnection>,
    pool: Arc<Pool>,
    whole: bool,
    /// The line broke, or who answers on it is not to be trusted.
    lost: bool,
    /// A statement failed, so that an open transaction can only be undone.
    failed: bool,
    _permit: OwnedSemaphorePermit,
}

impl Link {
    /// The connection.
    ///
    /// # Errors
    /// Never while the loan lasts.
    pub(crate) fn connection(&mut self) -> Result<&mut PgConnection, Error> {
        self.connection.as_mut().ok_or(Error::Closed)
    }

    /// What tells the words of texts.
    pub(crate) fn splitter(&self) -> &Splitter {
        &self.pool.splitter
    }

    /// Remembers that a statement failed, and whether it left the connection usable.
    pub(crate) fn note(&mut self, usable: bool) {
        self.failed = true;
        self.lost |= !usable;
    }

    /// Whether a statement failed since the connection was lent.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// Says that nothing is open or under way on the connection, so that it may be lent again.
    pub(crate) fn give_back(mut self) {
        self.whole = !self.lost;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // A request that was given up may have left a statement or a transaction behind: such a connection is closed.
        if let (true, Some(connection), false) =
            (self.whole, self.connection.take(), self.pool.permits.is_closed())
        {
            self.pool.idle.lock().push((connection, Instant::now()));
        }
    }
}
