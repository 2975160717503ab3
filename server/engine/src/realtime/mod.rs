//! Subscriptions: a snapshot without a gap, then every change the subscriber may see, read from the log.
//!
//! Nothing is announced that was not committed, and nothing is decided here that the rules of a list would not decide.
//! The parts, from the rim inwards: `socket` and `outbox` (one connection, both directions), `worker` (the thread),
//! `board` (the state machine; with `connections`, `subscribe` and `access_change`), `groups` and `view` (who sees what),
//! `impact`, `lookups` and `timeline` (how other records decide it), `source` (the database).

mod access_change;
mod board;
mod connections;
mod expr;
mod frame;
mod groups;
mod impact;
mod lookups;
mod outbox;
mod snapshot;
mod socket;
mod source;
mod stats;
mod subscribe;
#[cfg(test)]
mod tests;
mod timeline;
mod view;
mod worker;

use crate::limits::HUB_BEHIND_S;
use crate::{Clock, Error, Limits, Project, RequestMeta};
use board::{Bell, Board};
use outbox::Outbox;
use source::{Source, StoreSource};
use stats::Counters;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use stead_store::Store;
use stead_wire::{Code, Instant};
use tokio::sync::{mpsc, watch};
use worker::{Command, Worker};

pub use socket::{Outgoing, Socket};
pub use stats::Stats;

/// Commands that may wait for the hub's thread; who sends more waits.
const COMMANDS_MAX: usize = 1024;

/// Groups and connections of a project. Its thread ends when it is closed or dropped.
pub struct Hub {
    commands: mpsc::Sender<Command>,
    closing: watch::Sender<bool>,
    draining: AtomicBool,
    counters: Arc<Counters>,
    sockets_max: usize,
    last: AtomicU64,
}

impl Hub {
    /// Starts at the newest position of the log.
    ///
    /// # Errors
    /// When the database cannot be read or the thread cannot start.
    pub fn start(store: &Store, limits: &Limits, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::internal)?;
        let runtime = Arc::new(runtime);
        let (commands, waiting) = mpsc::channel(COMMANDS_MAX);
        let (closing, close) = watch::channel(false);
        let counters = Arc::new(Counters::default());
        let bells = commands.downgrade();
        let bell: Bell = Arc::new(move |id| {
            // A bell that is lost is made good by the next tick.
            let _ = bells.upgrade().map(|commands| commands.try_send(Command::Empty { id }));
        });
        let (store, sockets_per_user_max, shared) =
            (store.clone(), limits.sockets_per_user_max, Arc::clone(&counters));
        let run = move || {
            let mut source = StoreSource { store, runtime: Arc::clone(&runtime) };
            // Before the schema is read: a change of it that comes between is then applied.
            let place = source.place();
            let schema = source.schema();
            let board = Board::new(place, schema, bell, shared, clock.now());
            Worker { board, source, runtime, commands: waiting, closing: close, clock, sockets_per_user_max }
                .run();
        };
        std::thread::Builder::new().name("stead-hub".to_owned()).spawn(run).map_err(Error::internal)?;
        Ok(Self {
            commands,
            closing,
            draining: AtomicBool::new(false),
            counters,
            sockets_max: limits.sockets_max,
            last: AtomicU64::new(0),
        })
    }

    /// Takes a connection: its reading and its writing half.
    ///
    /// # Errors
    /// `limit_exceeded` when the process has too many sockets, `shutting_down` after [`Hub::drain`] or [`Hub::close`].
    pub async fn connect(&self, project: &Project, meta: RequestMeta) -> Result<(Socket, Outgoing), Error> {
        if *self.closing.borrow() || self.draining.load(Ordering::Relaxed) {
            return Err(Error::new(Code::ShuttingDown).retry_after_ms(1000));
        }
        let open = self.counters.connections.fetch_add(1, Ordering::Relaxed);
        let outbox = Arc::new(Outbox::new());
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let refused = if open >= self.sockets_max as u64 {
            Some(Error::with(Code::LimitExceeded, "The server has too many sockets.").retry_after_ms(5000))
        } else {
            let sent = self
                .commands
                .send(Command::Open { id, outbox: Arc::clone(&outbox), opened: project.now() })
                .await;
            sent.err().map(|_| Error::new(Code::ShuttingDown).retry_after_ms(1000))
        };
        if let Some(error) = refused {
            self.counters.connections.fetch_sub(1, Ordering::Relaxed);
            return Err(error);
        }
        Ok(Socket::new(project.clone(), meta, id, self.commands.clone(), outbox))
    }

    /// Rules or schema changed: every subscription begins anew.
    pub fn schema_changed(&self, project: &Project) {
        let (commands, catalogue) = (self.commands.clone(), project.catalogue());
        // A full queue must not let an old rule live on: wait for room on a thread that may.
        if let Err(mpsc::error::TrySendError::Full(command)) =
            commands.try_send(Command::Catalogue(catalogue))
        {
            std::thread::spawn(move || commands.blocking_send(command));
        }
    }

    /// Ends every socket of a signed token when a signing key was revoked: its client comes back with another token.
    pub(crate) fn heed_revocations(&self, mut revoked: watch::Receiver<u64>) {
        let commands = self.commands.downgrade();
        tokio::spawn(async move {
            while revoked.changed().await.is_ok() {
                let count = *revoked.borrow_and_update();
                let Some(commands) = commands.upgrade() else { return };
                // A hub that has ended has nobody left.
                let _ = commands.send(Command::Revoked { count }).await;
            }
        });
    }

    /// Takes no more connections and sends those that are there elsewhere, a few at a time, until `until`.
    pub async fn drain(&self, until: Instant) {
        self.draining.store(true, Ordering::Relaxed);
        // A hub that has ended has nobody left.
        let _ = self.commands.send(Command::Drain { until }).await;
    }

    /// Tells every connection to go elsewhere and takes no more.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Waits until the hub closes.
    pub(crate) async fn ends(&self) {
        // One that is gone has closed.
        let _ = self.closing.subscribe().wait_for(|closing| *closing).await;
    }

    /// Whether subscribers are told of changes in time.
    pub fn keeps_up(&self, now: Instant) -> bool {
        let looked = self.counters.looked_ms.load(Ordering::Relaxed);
        let silent_ms = now.ms().saturating_sub(looked);
        let alive = looked == 0 || silent_ms < i64::try_from(HUB_BEHIND_S * 1000).unwrap_or(i64::MAX);
        alive && !self.counters.behind.load(Ordering::Relaxed)
    }

    /// What the hub holds and did.
    pub fn stats(&self) -> Stats {
        self.counters.read()
    }
}
