//! Listening: workers, time limits of connections, and an orderly end.

use crate::guard::Guard;
use crate::{app, state::State};
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant as Stopwatch};
use stead_wire::Instant;

/// Longest time the head of a request may take to arrive.
const HEAD_ARRIVAL: Duration = Duration::from_secs(10);
/// An idle connection is kept this long. Longer than the 60 s of common proxies, so that they close it, not we.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Longest time that requests in flight get to finish at the end.
const FINISH: Duration = Duration::from_secs(10);
/// How often limiters forget who has been quiet, and learn of servers that came or went.
const TIDY: Duration = Duration::from_secs(5);

/// Connections the kernel keeps for us until a worker takes them.
const BACKLOG: u32 = 2048;

/// Listens on `address`, tells `bound` which port it became, and answers requests until `shutdown` is ready; then drains
/// for as long as `HttpSettings::drain` says, takes no more, ends the sockets, lets requests in flight finish for at most 10 s and returns. Closing the project is left
/// to the caller. Must run on an actix system.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve(
    address: SocketAddr,
    state: Data<State>,
    bound: impl FnOnce(SocketAddr),
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let shared = state.clone();
    let server = HttpServer::new(move || {
        let state = shared.clone();
        App::new().wrap(Guard).configure(move |config| app::configure(config, state))
    })
    .workers(state.settings.workers)
    .keep_alive(KEEP_ALIVE)
    .client_request_timeout(HEAD_ARRIVAL)
    .disable_signals()
    // Connections that are idle by then are cut: requests were waited for already.
    .shutdown_timeout(1)
    .backlog(BACKLOG)
    .bind(address)?;
    if let Some(address) = server.addrs().first() {
        bound(*address);
    }
    let server = server.run();
    let handle = server.handle();
    let running = tokio::task::spawn_local(server);
    let tidying = tokio::task::spawn_local(tidy(state.clone()));
    shutdown.await;
    drain(&state).await;
    handle.pause().await;
    state.project.hub().close();
    finish(&state).await;
    handle.stop(true).await;
    tidying.abort();
    running.await.map_err(io::Error::other)?
}

/// Says that it is going away, and goes on answering for as long as whoever sends requests here may take to notice.
async fn drain(state: &State) {
    state.drain();
    let period = state.settings.drain;
    if !period.is_zero() {
        let ms = i64::try_from(period.as_millis()).unwrap_or(i64::MAX);
        let until = Instant::from_ms(state.project.now().ms().saturating_add(ms));
        state.project.hub().drain(until).await;
        tokio::time::sleep(period).await;
    }
}

async fn tidy(state: Data<State>) {
    loop {
        tokio::time::sleep(TIDY).await;
        state.tidy();
    }
}

async fn finish(state: &State) {
    let began = Stopwatch::now();
    while state.in_flight.load(Ordering::Relaxed) > 0 && began.elapsed() < FINISH {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
