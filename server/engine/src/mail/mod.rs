//! Mails to users: queued in the transaction that they tell of, delivered afterwards.
//!
//! What a mail holds is encrypted while it waits, for it may let somebody in.

mod budget;
mod delivery;
mod dkim;
mod letter;
mod queue;
mod smtp;
mod sql;
mod templates;
#[cfg(test)]
mod tests;
mod transport;

use crate::ctx::WeakProject;
use crate::{Project, limits};
use arc_swap::ArcSwap;
use serde_json::{Map, Value as Json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

pub(crate) use budget::admit;
pub use dkim::Dkim;
pub use letter::KINDS;
pub(crate) use letter::{Kind, Letter};
pub use smtp::{Sender, Smtp};
pub(crate) use templates::sample;
pub use templates::{CODES, Templates};
pub use transport::{Folder, Outgoing, Refused, Sending, Transport};

/// Tables of this slice.
pub const MIGRATIONS: &[(&str, &str)] = sql::MIGRATIONS;
#[cfg(test)]
pub(crate) use sql::STATEMENTS;

/// What mail works with.
#[derive(Default)]
pub struct Config {
    /// What takes mails away; without it none is sent.
    pub transport: Option<Arc<dyn Transport>>,
    /// Who they are from, instead of what the app says.
    pub from: Option<Sender>,
    /// Signs them.
    pub dkim: Option<Dkim>,
    /// The app's own words.
    pub templates: Templates,
}

/// The mail of a project.
pub struct Mail {
    transport: Option<Arc<dyn Transport>>,
    from: Option<Sender>,
    dkim: Option<Dkim>,
    templates: ArcSwap<Templates>,
    signals: Arc<Signals>,
    counts: Counts,
    worker: parking_lot::Mutex<Option<JoinHandle<()>>>,
}

/// How the one who delivers is told something.
struct Signals {
    wake: Notify,
    closing: watch::Sender<bool>,
}

/// What was counted since the start.
#[derive(Default)]
struct Counts {
    sent: AtomicU64,
    failed: AtomicU64,
    waiting: AtomicU64,
}

impl Counts {
    fn add(to: &AtomicU64, count: u64) {
        to.fetch_add(count, Ordering::Relaxed);
    }

    fn waiting_is(&self, count: i64) {
        self.waiting.store(u64::try_from(count).unwrap_or(0), Ordering::Relaxed);
    }
}

/// Mails of this process since its start, and those that wait for any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailStats {
    /// Handed over.
    pub sent: u64,
    /// Given up.
    pub failed: u64,
    /// In the queue when it was last looked at, counted up to 10,000.
    pub waiting: u64,
}

impl Mail {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            transport: config.transport,
            from: config.from,
            dkim: config.dkim,
            templates: ArcSwap::from_pointee(config.templates),
            signals: Arc::new(Signals { wake: Notify::new(), closing: watch::Sender::new(false) }),
            counts: Counts::default(),
            worker: parking_lot::Mutex::new(None),
        }
    }

    /// Begins to deliver, once.
    pub(crate) fn start(&self, project: WeakProject) {
        let worker = tokio::spawn(delivery::run(project, Arc::clone(&self.signals)));
        *self.worker.lock() = Some(worker);
    }

    /// Whether mails go anywhere.
    pub fn configured(&self) -> bool {
        self.transport.is_some()
    }

    /// Says that there is something in the queue. Call it after the commit; without it the mail goes some seconds later.
    pub fn wake(&self) {
        self.signals.wake.notify_one();
    }

    /// Puts other words in the place of the app's.
    pub fn set_templates(&self, templates: Templates) {
        self.templates.store(Arc::new(templates));
    }

    /// What was counted.
    pub fn stats(&self) -> MailStats {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        MailStats {
            sent: of(&self.counts.sent),
            failed: of(&self.counts.failed),
            waiting: of(&self.counts.waiting),
        }
    }

    /// Stops delivering; what is being handed over has five seconds.
    pub(crate) async fn close(&self) {
        self.signals.closing.send_replace(true);
        let worker = self.worker.lock().take();
        if let Some(worker) = worker {
            let _ = worker.await;
        }
    }

    /// Writes a letter out and hands it over; what the transport said, for operators.
    pub(crate) async fn send(&self, project: &Project, id: &str, letter: &Letter) -> Result<String, Refused> {
        let transport = self.transport.as_ref().ok_or_else(|| Refused::now("the server sends no mail"))?;
        let to = letter.to.as_deref().ok_or_else(|| Refused::for_good("the letter has no recipient"))?;
        let outgoing = self.write(project, id, letter, to)?;
        let sending = transport.send(&outgoing);
        match tokio::time::timeout(Duration::from_secs(limits::MAIL_SEND_S), sending).await {
            Ok(answer) => answer,
            Err(_) => Err(Refused::now(format!("no answer within {} s", limits::MAIL_SEND_S))),
        }
    }

    /// The letter in words, with its headers and signature.
    fn write(&self, project: &Project, id: &str, letter: &Letter, to: &str) -> Result<Outgoing, Refused> {
        let catalogue = project.catalogue();
        let app = &catalogue.schema.app;
        let mut values: Map<String, Json> = letter.values.clone();
        values.insert("app".to_owned(), app.name.as_deref().unwrap_or("app").into());
        values.insert("email".to_owned(), to.into());
        values.insert("minutes".to_owned(), letter.minutes.into());
        let locales = [letter.locale.as_deref(), app.mail.locale.as_deref()];
        let words = self.templates.load().render(letter.kind, &locales, &values);
        let from = match &self.from {
            Some(from) => from.clone(),
            None => Sender::of_app(app).map_err(Refused::for_good)?,
        };
        let head =
            smtp::Head { id, from: &from, reply_to: app.mail.reply_to.as_deref(), to, now: project.now() };
        let message = smtp::compose(&head, &words).map_err(Refused::for_good)?;
        let message = match &self.dkim {
            Some(dkim) => dkim.sign(message, project.now()).map_err(Refused::now)?,
            None => message,
        };
        Ok(Outgoing {
            id: id.to_owned(),
            from: from.address(),
            to: to.to_owned(),
            subject: words.subject,
            text: words.text,
            message,
        })
    }
}

impl Drop for Mail {
    fn drop(&mut self) {
        if let Some(worker) = self.worker.lock().take() {
            worker.abort();
        }
    }
}
