//! A thread that runs operations on connections of its own. What it waits for is the database, so it runs many at once.
//!
//! Operations are closures whose futures stay on one thread; and a socket that a request's own thread would watch would
//! die with that thread. So both live here.

use crate::Error;
use crate::postgres::pool::Pool;
use crate::postgres::target::Target;
use futures_util::future::LocalBoxFuture;
use std::sync::Arc;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::{JoinSet, LocalSet};

/// Most operations that wait for a lane.
const QUEUE_MAX: usize = 1024;

/// An operation from its queue to its answer.
pub(crate) trait Task: Send {
    /// Runs and answers it, on a connection of the lane that was asked.
    fn run(self: Box<Self>, pool: Arc<Pool>) -> LocalBoxFuture<'static, ()>;
}

/// The way to the thread.
pub(crate) struct Lane {
    pub(crate) pool: Arc<Pool>,
    pub(crate) runtime: Handle,
    tasks: parking_lot::Mutex<Option<mpsc::Sender<Box<dyn Task>>>>,
    ended: Mutex<Option<oneshot::Receiver<()>>>,
}

impl Lane {
    /// Starts the thread; it opens at most `connections`, none yet.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(crate) fn start(index: usize, target: &Target, connections: usize) -> Result<Self, Error> {
        let none = |error: std::io::Error| Error::Database(format!("no thread for Postgres: {error}"));
        let runtime = Builder::new_current_thread().enable_all().build().map_err(none)?;
        let handle = runtime.handle().clone();
        let pool = Arc::new(Pool::new(target.clone(), connections, handle.clone()));
        let (sender, tasks) = mpsc::channel(QUEUE_MAX);
        let (end, ended) = oneshot::channel();
        let closing = Arc::clone(&pool);
        std::thread::Builder::new()
            .name(format!("stead-postgres-{index}"))
            .spawn(move || {
                work(&runtime, tasks, &closing);
                // Nobody may be waiting for the end.
                let _ = end.send(());
            })
            .map_err(none)?;
        let tasks = parking_lot::Mutex::new(Some(sender));
        Ok(Self { pool, runtime: handle, tasks, ended: Mutex::new(Some(ended)) })
    }

    /// Hands over an operation, without waiting.
    ///
    /// # Errors
    /// `Busy` when too many wait, `Closed` after the end.
    pub(crate) fn submit(&self, task: Box<dyn Task>) -> Result<(), Error> {
        let tasks = self.tasks.lock();
        let sender = tasks.as_ref().ok_or(Error::Closed)?;
        sender.try_send(task).map_err(|refusal| match refusal {
            TrySendError::Full(_) => Error::Busy,
            TrySendError::Closed(_) => Error::Closed,
        })
    }

    /// Takes no more, waits for what was taken, closes the connections.
    pub(crate) async fn close(&self) {
        self.tasks.lock().take();
        if let Some(ended) = self.ended.lock().await.take() {
            // An error means that the thread is gone already.
            let _ = ended.await;
        }
    }
}

fn work(runtime: &Runtime, mut tasks: mpsc::Receiver<Box<dyn Task>>, pool: &Arc<Pool>) {
    LocalSet::new().block_on(runtime, async move {
        let mut running = JoinSet::new();
        loop {
            tokio::select! {
                task = tasks.recv() => match task {
                    Some(task) => { running.spawn_local(task.run(Arc::clone(pool))); }
                    None => break,
                },
                Some(_) = running.join_next(), if !running.is_empty() => {}
            }
        }
        while running.join_next().await.is_some() {}
        pool.close().await;
    });
}
