//! Closures of any type as jobs that a thread can hold, run once and answer.
//!
//! A job never waits for anything but the database: its future is polled once, and one that is not done then fails.

use crate::{Error, Reader, Tx};
use futures_util::FutureExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokio::sync::oneshot;

/// A write, from the queue to its answer.
pub(crate) trait Job: Send {
    /// Runs it; whether its changes are to be kept.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Answers after the group's commit, or with the reason why there was none.
    fn answer(self: Box<Self>, failure: Option<&Error>);
}

/// A read for the survey threads.
pub(crate) trait Survey: Send {
    /// Runs and answers it.
    fn run(self: Box<Self>, reader: &mut Reader<'_>);
    /// Whether nobody waits for the answer any more.
    fn abandoned(&self) -> bool;
}

/// A job of one type.
pub(crate) struct Typed<F, T, E> {
    job: Option<F>,
    result: Option<Result<T, E>>,
    answer: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Typed<F, T, E> {
    /// A job and where its answer will come.
    pub(crate) fn new(job: F) -> (Box<Self>, oneshot::Receiver<Result<T, E>>) {
        let (answer, outcome) = oneshot::channel();
        (Box::new(Self { job: Some(job), result: None, answer }), outcome)
    }
}

impl<F, T, E> Job for Typed<F, T, E>
where
    F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        let Some(job) = self.job.take() else { return false };
        let result = guarded(|| drive(job(tx)));
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn answer(self: Box<Self>, failure: Option<&Error>) {
        let result = match (self.result, failure) {
            // A job that failed by itself keeps its own reason.
            (Some(Err(error)), _) => Err(error),
            (_, Some(failure)) => Err(E::from(again(failure))),
            (Some(Ok(value)), None) => Ok(value),
            (None, None) => Err(E::from(Error::Database("a job was not run".into()))),
        };
        // Nobody may be waiting any more; the write stands all the same.
        let _ = self.answer.send(result);
    }
}

impl<F, T, E> Survey for Typed<F, T, E>
where
    F: AsyncFnOnce(&mut Reader<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn run(self: Box<Self>, reader: &mut Reader<'_>) {
        let Self { job, answer, .. } = *self;
        let Some(job) = job else { return };
        let _ = answer.send(guarded(|| drive(job(reader))));
    }

    fn abandoned(&self) -> bool {
        self.answer.is_closed()
    }
}

/// Polls a future that waits for nothing but this connection.
pub(crate) fn drive<T, E: From<Error>>(future: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    future
        .now_or_never()
        .unwrap_or_else(|| Err(Error::Database("a job waited for something else".into()).into()))
}

/// A panic in a job is that job's failure: it must not take the thread and its neighbours along. What the job held
/// of the database is undone by the caller, so no broken state is seen afterwards.
fn guarded<T, E: From<Error>>(run: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Err(Error::panicked(&*panic).into()))
}

/// The same failure once more, for each job of a group.
fn again(error: &Error) -> Error {
    match error {
        Error::Busy => Error::Busy,
        Error::Full => Error::Full,
        Error::Closed => Error::Closed,
        other => Error::Database(other.to_string()),
    }
}
