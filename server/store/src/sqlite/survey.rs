//! Reads whose cost is not bounded, on two threads of their own, each cut off at a deadline.

use crate::sqlite::Shared;
use crate::sqlite::job::Survey;
use crate::sqlite::session::Session;
use crate::{Error, Reader};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Instant;

/// Threads and connections for surveys.
pub(crate) const THREADS: usize = 2;

/// Most surveys that wait.
const QUEUE_MAX: usize = 64;

/// Longest a survey may run, in milliseconds.
const DEADLINE_MS: u64 = 2_000;

/// Steps of SQLite's machine between two looks at the clock: well under a millisecond.
const STEPS_PER_LOOK: i32 = 10_000;

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

/// When the running survey of a connection must end.
struct Deadline {
    start: Instant,
    // Milliseconds after `start`; `u64::MAX` while nothing runs.
    ends: AtomicU64,
}

impl Deadline {
    fn new() -> Self {
        Self { start: Instant::now(), ends: AtomicU64::new(u64::MAX) }
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn begin(&self) {
        self.ends.store(self.elapsed().saturating_add(DEADLINE_MS), Ordering::Relaxed);
    }

    fn end(&self) {
        self.ends.store(u64::MAX, Ordering::Relaxed);
    }

    fn has_time(&self) -> bool {
        let ends = self.ends.load(Ordering::Relaxed);
        ends == u64::MAX || self.elapsed() < ends
    }
}

/// Starts the threads.
///
/// # Errors
/// When the system has no thread left.
pub(crate) fn start(shared: &Arc<Shared>) -> Result<Queue, Error> {
    let (sender, jobs) = sync_channel::<Box<dyn Survey>>(QUEUE_MAX);
    let jobs = Arc::new(Mutex::new(jobs));
    let mut deadlines = Vec::new();
    shared.surveyors.prepare(|handle| {
        let deadline = Arc::new(Deadline::new());
        let watched = Arc::clone(&deadline);
        handle.watch(STEPS_PER_LOOK, move || watched.has_time());
        deadlines.push(deadline);
    });
    for (index, deadline) in deadlines.into_iter().enumerate() {
        let (shared, jobs) = (Arc::clone(shared), Arc::clone(&jobs));
        std::thread::Builder::new()
            .name(format!("stead-survey-{index}"))
            .spawn(move || work(index, &deadline, &shared, &jobs))
            .map_err(|error| Error::Database(format!("no thread for surveys: {error}")))?;
    }
    Ok(Queue { sender, closed: AtomicBool::new(false) })
}

fn work(index: usize, deadline: &Deadline, shared: &Shared, jobs: &Mutex<Receiver<Box<dyn Survey>>>) {
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
        deadline.begin();
        job.run(&mut Reader { session: Session { connection: handle, shape: &shape } });
        deadline.end();
    }
}
