//! What every request may look at: the project, the settings of this process, counters and limiters.
//!
//! One value per served project, shared by the workers. Nothing here outlives it, and nothing here is global.

use crate::address::Network;
use crate::guard::rate::{Limiter, Rate};
use crate::metrics::Metrics;
use crate::site::Site;
use bytes::Bytes;
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant as Stopwatch};
use stead_engine::{Catalogue, Project};

/// What the process sets for HTTP.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Threads that answer requests, 1..=64. Default: the processors, at least 2.
    pub workers: usize,
    /// Largest JSON body in bytes. Default 1 MiB.
    pub body_bytes_max: usize,
    /// Requests of one address; an IPv6 address counts as its /64. `None` for no limit. Default 300 per second, burst 600.
    /// All rates hold for all servers on one database together: each allows its share.
    pub rate_per_address: Option<Rate>,
    /// Requests of one signed-in user. `None` for no limit. Default 300 per second, burst 600.
    pub rate_per_user: Option<Rate>,
    /// Sign-ups, sign-ins and refreshes of one address. `None` for no limit. Default 10 per second, burst 30.
    pub rate_of_sign_in: Option<Rate>,
    /// Proxies whose `X-Forwarded-For` is believed. Default none.
    pub trusted_proxies: Vec<Network>,
    /// How long requests are still answered after the wish to end, while `/readyz` says no already and sockets are sent
    /// elsewhere a few at a time. Default none.
    pub drain: Duration,
    /// The folder of the app's static site, if it has one.
    pub site: Option<PathBuf>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 64),
            body_bytes_max: 1024 * 1024,
            rate_per_address: Some(Rate { per_second: 300, burst: 600 }),
            rate_per_user: Some(Rate { per_second: 300, burst: 600 }),
            rate_of_sign_in: Some(Rate { per_second: 10, burst: 30 }),
            trusted_proxies: Vec::new(),
            drain: Duration::ZERO,
            site: None,
        }
    }
}

/// What every request may look at.
pub struct State {
    /// The running app.
    pub project: Project,
    /// What the process set.
    pub settings: HttpSettings,
    /// When this state was made, for the uptime.
    pub started: Stopwatch,
    /// Counters for `/metrics`.
    pub metrics: Metrics,
    pub(crate) by_address: Limiter<u128>,
    pub(crate) by_user: Limiter<Arc<str>>,
    pub(crate) sign_in: Limiter<u128>,
    pub(crate) site: Option<Site>,
    pub(crate) in_flight: AtomicUsize,
    openapi: Mutex<Option<(Arc<Catalogue>, Bytes)>>,
    draining: AtomicBool,
}

impl State {
    /// State for a project that is about to be served.
    pub fn new(project: Project, settings: HttpSettings) -> Self {
        Self {
            project,
            started: Stopwatch::now(),
            metrics: Metrics::default(),
            by_address: Limiter::new(settings.rate_per_address),
            by_user: Limiter::new(settings.rate_per_user),
            sign_in: Limiter::new(settings.rate_of_sign_in),
            site: settings.site.as_deref().and_then(Site::open),
            in_flight: AtomicUsize::new(0),
            openapi: Mutex::new(None),
            draining: AtomicBool::new(false),
            settings,
        }
    }

    /// Whether the server is going away: `readyz` says no and answers end their connection.
    pub fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// From now on the server is going away.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Forgets addresses and users that have been quiet, and shares the rates with the servers that live now. Called on a
    /// timer, because a keyed limiter never shrinks by itself.
    pub fn tidy(&self) {
        let servers = u32::try_from(self.project.store().nodes().len()).unwrap_or(u32::MAX).max(1);
        self.by_address.tidy(servers);
        self.by_user.tidy(servers);
        self.sign_in.tidy(servers);
    }

    /// The OpenAPI document of the app as it is now; made once per version of the app.
    pub(crate) fn openapi(&self) -> Bytes {
        let catalogue = self.project.catalogue();
        let mut made = self.openapi.lock();
        match &*made {
            Some((of, bytes)) if Arc::ptr_eq(of, &catalogue) => bytes.clone(),
            _ => {
                let bytes = Bytes::from(crate::openapi::document(&catalogue.schema).to_string());
                *made = Some((catalogue, bytes.clone()));
                bytes
            }
        }
    }
}
