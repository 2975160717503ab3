//! Closures of any type as tasks of a lane.

use crate::postgres::Shared;
use crate::postgres::lane::Task;
use crate::postgres::pool::Pool;
use crate::{Error, Reader, Tx};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// A write and where its answer goes.
pub(crate) struct Write<F, T, E> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) job: F,
    pub(crate) answer: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Task for Write<F, T, E>
where
    F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    fn run(self: Box<Self>, pool: Arc<Pool>) -> LocalBoxFuture<'static, ()> {
        let Self { shared, job, answer } = *self;
        Box::pin(async move {
            let result = guarded(shared.transaction(&pool, job)).await;
            // Nobody may be waiting any more; the write stands all the same.
            let _ = answer.send(result);
        })
    }
}

/// A read with a deadline and where its answer goes.
pub(crate) struct Survey<F, T, E> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) job: F,
    pub(crate) answer: oneshot::Sender<Result<T, E>>,
    /// Its place among those that wait.
    pub(crate) waiting: OwnedSemaphorePermit,
}

impl<F, T, E> Task for Survey<F, T, E>
where
    F: AsyncFnOnce(&mut Reader<'_>) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    fn run(self: Box<Self>, pool: Arc<Pool>) -> LocalBoxFuture<'static, ()> {
        let Self { shared, job, answer, waiting } = *self;
        Box::pin(async move {
            let _waiting = waiting;
            if !answer.is_closed() {
                let result = guarded(shared.survey(&pool, job)).await;
                let _ = answer.send(result);
            }
        })
    }
}

/// A panic in a job is that job's failure. What it held of the database is undone: its connection is closed.
async fn guarded<T, E: From<Error>>(run: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    AssertUnwindSafe(run).catch_unwind().await.unwrap_or_else(|panic| Err(Error::panicked(&*panic).into()))
}
