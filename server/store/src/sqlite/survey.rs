//! Reads whose cost is not bounded, on two threads of their own, each cut off at a deadline.

use crate::reader::Session as Either;
use crate::sqlite::Shared;
use crate::sqlite::deadline::STATEMENT_MS_MAX;
use crate::sqlite::job::Survey;
use crate::sqlite::session::Session;
use crate::{Error, Reader};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

/// Threads and connections for surveys.
pub(crate) const THREADS: usize = 2;

/// Most surveys that wait.
const QUEUE_MAX: usize = 64;

/// The way to the survey threads.
pub(crate) struct Queue {
    sender: SyncSender<Box<dyn Survey>>,
    closed: AtomicBool,
}

impl Queue {
    /// Asks for a survey, without waiting.
    ///
    /// # Errors
    /// `Busy` when too many wait, `Closed` after the end.
    pub(crate) fn send(&self, job: Box<dyn Survey>) -> Result<(), Error> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::Closed);
        }
        self.sender.try_send(job).map_err(|refusal| match refusal {
            TrySendError::Full(_) => Error::Busy,
            TrySendError::Disconnected(_) => Error::Closed,
        })
    }

    /// Takes no more.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }
}

/// Starts the threads.
///
/// # Errors
/// When the system has no thread left.
pub(crate) fn start(shared: &Arc<Shared>) -> Result<Queue, Error> {
    let (sender, jobs) = sync_channel::<Box<dyn Survey>>(QUEUE_MAX);
    let jobs = Arc::new(Mutex::new(jobs));
    for index in 0..THREADS {
        let (shared, jobs) = (Arc::clone(shared), Arc::clone(&jobs));
        std::thread::Builder::new()
            .name(format!("stead-survey-{index}"))
            .spawn(move || work(index, &shared, &jobs))
            .map_err(|error| Error::Database(format!("no thread for surveys: {error}")))?;
    }
    Ok(Queue { sender, closed: AtomicBool::new(false) })
}

fn work(index: usize, shared: &Shared, jobs: &Mutex<Receiver<Box<dyn Survey>>>) {
    loop {
        // The lock is held while waiting: the other thread waits for the lock instead of the queue.
        let Ok(job) = jobs.lock().recv() else { return };
        if job.abandoned() {
            continue;
        }
        let Some(slot) = shared.surveyors.own(index) else { return };
        // A closed slot drops the job, which answers `Closed`.
        let Some(handle) = slot.as_ref() else { continue };
        let shape = shared.shape.load();
        let (connection, deadline) = (&**handle, handle.deadline());
        deadline.grant(STATEMENT_MS_MAX);
        // The job answers by itself, in time or not.
        let _ = deadline.within(|| {
            job.run(&mut Reader {
                session: Either::Sqlite(Session { connection, shape: &shape, deadline: None }),
            });
            Ok(())
        });
    }
}
