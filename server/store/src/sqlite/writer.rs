//! The thread that owns the write connection: takes what waits, commits it as one group, publishes, answers.
//!
//! No timer gathers a group: at low load a group is one job, and while a commit waits for the disk the next group
//! forms by itself. Nothing is published or acknowledged before the commit.

use crate::Error;
use crate::line::Retention;
use crate::places::passes;
use crate::sqlite::changes::{self, Pending};
use crate::sqlite::checkpoint::{self, Checkpointer};
use crate::sqlite::errors::from_sqlite;
use crate::sqlite::group::{self, Failure};
use crate::sqlite::handle::Handle;
use crate::sqlite::job::Job;
use crate::sqlite::statement::command;
use crate::sqlite::{Shared, apply};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;
use stead_schema::Schema;
use tokio::sync::oneshot;

/// Most messages that wait for the writer.
const QUEUE_MAX: usize = 1024;

/// Most jobs in one commit.
const GROUP_MAX: usize = 128;

/// Silence after which the writer tidies up, in milliseconds.
const IDLE_MS: u64 = 500;

/// Changes after which it tidies up even under load: fewer than one chunk of `Retention` removes, so that the log
/// cannot outgrow it.
const TIDY_CHANGES: usize = 500;

/// What the writer is asked.
pub(crate) enum Message {
    /// A write.
    Job(Box<dyn Job>),
    /// A new schema.
    Apply(Arc<Schema>, oneshot::Sender<Result<(), Error>>),
    /// The end; the connection comes back.
    Close(oneshot::Sender<Handle>),
}

/// The way to the writer.
pub(crate) struct Queue {
    sender: SyncSender<Message>,
    closed: AtomicBool,
}

impl Queue {
    /// The way to a writer that is not there.
    pub(crate) fn closed_from_the_start() -> Self {
        let (sender, _) = sync_channel(0);
        Self { sender, closed: AtomicBool::new(true) }
    }

    /// Asks the writer, without waiting.
    ///
    /// # Errors
    /// `Busy` when too many wait, `Closed` after the end.
    pub(crate) fn send(&self, message: Message) -> Result<(), Error> {
        if self.closed() {
            return Err(Error::Closed);
        }
        self.sender.try_send(message).map_err(|refusal| match refusal {
            TrySendError::Full(_) => Error::Busy,
            TrySendError::Disconnected(_) => Error::Closed,
        })
    }

    /// Whether the end was asked for.
    pub(crate) fn closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Takes no more, waits for what was taken, and gives the connection; `None` when that was done before.
    pub(crate) async fn close(&self) -> Option<Handle> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return None;
        }
        let (answer, outcome) = oneshot::channel();
        let mut message = Message::Close(answer);
        // A full queue empties in a moment, as nothing more is taken.
        loop {
            match self.sender.try_send(message) {
                Ok(()) => return outcome.await.ok(),
                Err(TrySendError::Disconnected(_)) => return None,
                Err(TrySendError::Full(back)) => message = back,
            }
            tokio::task::yield_now().await;
        }
    }
}

/// Starts the thread.
///
/// # Errors
/// When the system has no thread left.
pub(crate) fn start(
    handle: Handle,
    pending: Pending,
    shared: Arc<Shared>,
    retention: Retention,
) -> Result<Queue, Error> {
    let (sender, messages) = sync_channel(QUEUE_MAX);
    let checkpointer = Checkpointer::default();
    let writer = Writer { handle, pending, shared, messages, checkpointer, untidied: 0, retention };
    std::thread::Builder::new()
        .name("stead-writer".into())
        .spawn(move || writer.run())
        .map_err(|error| Error::Database(format!("no thread for the writer: {error}")))?;
    Ok(Queue { sender, closed: AtomicBool::new(false) })
}

struct Writer {
    handle: Handle,
    pending: Pending,
    shared: Arc<Shared>,
    messages: Receiver<Message>,
    checkpointer: Checkpointer,
    untidied: usize,
    retention: Retention,
}

impl Writer {
    fn run(mut self) {
        let mut jobs = Vec::with_capacity(GROUP_MAX);
        let mut next = None;
        loop {
            let message = match next.take() {
                Some(message) => message,
                None => match self.messages.recv_timeout(Duration::from_millis(IDLE_MS)) {
                    Ok(message) => message,
                    Err(RecvTimeoutError::Timeout) => {
                        self.tidy();
                        continue;
                    }
                    Err(RecvTimeoutError::Disconnected) => return,
                },
            };
            match message {
                Message::Job(job) => {
                    jobs.push(job);
                    next = self.gather(&mut jobs);
                    self.commit(&mut jobs);
                    self.checkpointer.bound(&self.handle, &self.shared);
                    if self.untidied >= TIDY_CHANGES {
                        self.tidy();
                    }
                }
                Message::Apply(schema, answer) => {
                    let _ = answer.send(self.apply(schema));
                }
                Message::Close(answer) => {
                    checkpoint::empty(&self.handle);
                    let _ = answer.send(self.handle);
                    return;
                }
            }
        }
    }

    /// Takes the jobs that wait; gives a message of another kind that ends the group.
    fn gather(&self, jobs: &mut Vec<Box<dyn Job>>) -> Option<Message> {
        while jobs.len() < GROUP_MAX {
            match self.messages.try_recv() {
                Ok(Message::Job(job)) => jobs.push(job),
                Ok(other) => return Some(other),
                Err(_) => return None,
            }
        }
        None
    }

    fn commit(&mut self, jobs: &mut Vec<Box<dyn Job>>) {
        let outcome =
            self.trusted().and_then(|()| group::run(&self.handle, &self.shared, &mut self.pending, jobs));
        self.note(&outcome);
        self.publish();
        passes("published");
        let failure = outcome.as_ref().err().map(Failure::error);
        for job in jobs.drain(..) {
            job.answer(failure);
        }
    }

    fn trusted(&self) -> Result<(), Failure> {
        if self.shared.health.broken.load(Ordering::Relaxed) {
            let text = "an earlier commit did not reach the disk; start the server anew";
            return Err(Failure::Undone(Error::Database(text.into())));
        }
        Ok(())
    }

    fn note(&self, outcome: &Result<(), Failure>) {
        let health = &self.shared.health;
        match outcome {
            Ok(()) => health.full.store(false, Ordering::Relaxed),
            Err(Failure::Undone(Error::Full)) => {
                if !health.full.swap(true, Ordering::Relaxed) {
                    tracing::error!("the disk is full: writes are refused until there is room");
                }
            }
            Err(Failure::Undone(_)) => {}
            Err(Failure::Unknown(error)) => {
                health.broken.store(true, Ordering::Relaxed);
                tracing::error!(%error, "a commit failed: no more writes are taken until the server starts anew");
            }
        }
    }

    /// Lets readers of the log see what was committed.
    fn publish(&mut self) {
        let newest = self.pending.newest();
        let mut ring = self.shared.ring.write();
        let before = self.untidied;
        for (change, bytes) in self.pending.drain() {
            ring.push(change, bytes);
            self.untidied += 1;
        }
        drop(ring);
        if self.untidied > before {
            self.shared.head.send_replace(newest);
        }
    }

    fn apply(&mut self, schema: Arc<Schema>) -> Result<(), Error> {
        self.trusted().map_err(|failure| match failure {
            Failure::Undone(error) | Failure::Unknown(error) => error,
        })?;
        let result = apply::run(&self.handle, &self.shared, &mut self.pending, schema);
        if result.is_err() {
            self.pending.truncate(0);
        }
        self.publish();
        result
    }

    /// Forgets old changes, a chunk at a time, and asks a full disk whether it has room again.
    fn tidy(&mut self) {
        self.untidied = 0;
        let health = &self.shared.health;
        if health.broken.load(Ordering::Relaxed) {
            return;
        }
        match changes::forget(&self.handle, &self.pending, self.retention) {
            Ok(_) => {}
            Err(Error::Full) => health.full.store(true, Ordering::Relaxed),
            Err(error) => tracing::warn!(%error, "could not shorten the change log"),
        }
        if health.full.load(Ordering::Relaxed) && self.room().is_ok() {
            health.full.store(false, Ordering::Relaxed);
            tracing::info!("the disk has room again: writes are taken");
        }
    }

    fn room(&self) -> Result<(), Error> {
        let note = "INSERT INTO _meta(key,value) VALUES('room',hex(randomblob(8192)))
            ON CONFLICT(key) DO UPDATE SET value=excluded.value";
        command(&self.handle, note).map_err(from_sqlite)
    }
}
