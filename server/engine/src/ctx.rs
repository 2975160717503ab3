//! What every operation gets: the project, the time, randomness, who asks and how.
//!
//! The only room that reads the clock and randomness; tests set both.

use crate::tending::Tending;
use crate::{Caller, Catalogue, Error, Limits, admin, auth, mail, realtime, records};
use arc_swap::ArcSwap;
use ring::rand::{SecureRandom, SystemRandom};
use std::sync::{Arc, Weak};
use std::time::{SystemTime, UNIX_EPOCH};
use stead_rules::RuleBook;
use stead_schema::Schema;
use stead_store::Store;
use stead_wire::{Id, Instant};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now, cut to whole milliseconds.
    fn now(&self) -> Instant;
}

/// Gives unpredictable bytes.
pub trait Random: Send + Sync {
    /// Fills `out`.
    ///
    /// # Errors
    /// When the operating system gives none.
    fn fill(&self, out: &mut [u8]) -> Result<(), Error>;
}

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Instant::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The operating system's randomness.
pub struct SystemRandomness(pub SystemRandom);

impl Default for SystemRandomness {
    fn default() -> Self {
        Self(SystemRandom::new())
    }
}

impl Random for SystemRandomness {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        self.0.fill(out).map_err(|_| Error::internal("the operating system gave no randomness"))
    }
}

/// What a project is opened with.
pub struct ProjectConfig {
    /// The declared app.
    pub schema: Schema,
    /// Its rules, checked against it.
    pub rules: RuleBook,
    /// The database. `migrations` are filled in by the project.
    pub store: stead_store::Config,
    /// Bounds.
    pub limits: Limits,
    /// Passwords that were stolen elsewhere, if the operator has a list.
    pub breached: Option<Arc<auth::Breached>>,
    /// 32 bytes that protect secrets at rest; kept outside the data folder.
    pub master_key: [u8; 32],
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives randomness.
    pub random: Arc<dyn Random>,
    /// How mails go out.
    pub mail: mail::Config,
    /// Secrets and whom the server may ask.
    pub outside: auth::Outside,
}

/// A running app. Clones share it.
#[derive(Clone)]
pub struct Project(Arc<Parts>);

/// A running app, as what works for it in the background knows it: that does not keep it alive.
#[derive(Clone)]
pub(crate) struct WeakProject(Weak<Parts>);

impl WeakProject {
    /// The app, if it still runs.
    pub(crate) fn upgrade(&self) -> Option<Project> {
        self.0.upgrade().map(Project)
    }
}

struct Parts {
    catalogue: ArcSwap<Catalogue>,
    store: Store,
    limits: Limits,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    auth: auth::Auth,
    social: auth::social::Social,
    hub: realtime::Hub,
    mail: mail::Mail,
    /// What is done from time to time; nothing where the project only looks.
    tending: parking_lot::Mutex<Option<Tending>>,
    sizes: Arc<records::sizes::Sizes>,
    /// Where this server is reached, if the app does not say.
    served_at: std::sync::OnceLock<String>,
    /// Held by the one test file that an operator runs.
    testing: tokio::sync::Mutex<()>,
}

/// What opening does to the tables.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tables {
    /// They are made to fit the schema.
    Fit,
    /// The server's own are made; those of the app stay as they are.
    Leave,
    /// Nothing is written at all.
    Watch,
}

impl Project {
    /// Opens the database, makes the tables fit the schema, loads the keys, starts the hub and the delivery of mails.
    ///
    /// # Errors
    /// When the database cannot be opened or the schema needs more than safe changes.
    pub async fn open(config: ProjectConfig) -> Result<Self, OpenError> {
        Self::build(config, Tables::Fit).await
    }

    /// Opens a database that is there to look at it, while another process may go on using it. Every write is refused.
    ///
    /// # Errors
    /// When there is no database or it cannot be read.
    pub async fn open_read_only(config: ProjectConfig) -> Result<Self, OpenError> {
        Self::build(config, Tables::Watch).await
    }

    /// Opens the database and leaves its tables as they are: for work on operators, which needs no app.
    /// Records cannot be reached.
    ///
    /// # Errors
    /// When the database cannot be opened.
    pub async fn open_unfitted(config: ProjectConfig) -> Result<Self, OpenError> {
        Self::build(config, Tables::Leave).await
    }

    async fn build(config: ProjectConfig, tables: Tables) -> Result<Self, OpenError> {
        let ProjectConfig {
            schema,
            rules,
            mut store,
            limits,
            breached,
            master_key,
            clock,
            random,
            mail,
            outside,
        } = config;
        store.migrations =
            [auth::MIGRATIONS, admin::MIGRATIONS, mail::MIGRATIONS, records::MIGRATIONS].concat();
        let catalogue = Catalogue::new(schema, rules);
        let store = match tables {
            Tables::Watch => Store::open_read_only(store, Arc::clone(&catalogue.schema)).await?,
            Tables::Fit | Tables::Leave => Store::open(store).await?,
        };
        if tables == Tables::Fit {
            store.apply(Arc::clone(&catalogue.schema)).await?;
        }
        let auth = auth::Auth::load(&store, &limits, breached, &master_key, &*clock, &random).await?;
        let hub = realtime::Hub::start(&store, &limits, Arc::clone(&clock))?;
        hub.heed_revocations(auth.revocations());
        let project = Self(Arc::new(Parts {
            catalogue: ArcSwap::from_pointee(catalogue),
            store,
            limits,
            clock,
            random,
            auth,
            social: auth::social::Social::new(outside),
            hub,
            mail: mail::Mail::new(mail),
            tending: parking_lot::Mutex::default(),
            sizes: Arc::default(),
            served_at: std::sync::OnceLock::new(),
            testing: tokio::sync::Mutex::new(()),
        }));
        if tables == Tables::Fit {
            let weak = || WeakProject(Arc::downgrade(&project.0));
            project.0.mail.start(weak());
            project.0.auth.start(weak());
            *project.0.tending.lock() = Some(Tending::start(weak()));
        }
        Ok(project)
    }

    /// Swaps schema and rules after the tables were made to fit. Requests in flight keep what they took.
    ///
    /// # Errors
    /// When the schema needs more than safe changes; the old one stays.
    pub async fn reload(&self, schema: Schema, rules: RuleBook) -> Result<(), OpenError> {
        let next = Catalogue::new(schema, rules);
        self.0.store.apply(Arc::clone(&next.schema)).await?;
        self.0.catalogue.store(Arc::new(next));
        // What users are known to claim was read by the declarations of before.
        self.0.auth.forget_sessions();
        self.0.hub.schema_changed(self);
        Ok(())
    }

    /// Schema and rules of this moment. Take it once per operation.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.0.catalogue.load_full()
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Bounds.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Keys, sessions and the hashing service.
    pub fn auth(&self) -> &auth::Auth {
        &self.0.auth
    }

    /// What is known of providers, and who asks them.
    pub(crate) fn social(&self) -> &auth::social::Social {
        &self.0.social
    }

    /// Subscriptions.
    pub fn hub(&self) -> &realtime::Hub {
        &self.0.hub
    }

    /// Where clients reach the app, without a slash at the end: `public_url`, or where the server listens.
    pub fn address(&self) -> Option<String> {
        self.catalogue().schema.app.public_url.clone().or_else(|| self.0.served_at.get().cloned())
    }

    /// Says where the server listens. Counts once, and only while the app does not say it.
    pub fn served_at(&self, address: String) {
        let _ = self.0.served_at.set(address);
    }

    /// Mails to users.
    pub fn mail(&self) -> &mail::Mail {
        &self.0.mail
    }

    /// Which collections are large.
    pub(crate) fn sizes(&self) -> &Arc<records::sizes::Sizes> {
        &self.0.sizes
    }

    /// Held while a test file runs on the server.
    pub(crate) fn testing(&self) -> &tokio::sync::Mutex<()> {
        &self.0.testing
    }

    /// Now, cut to whole milliseconds.
    pub fn now(&self) -> Instant {
        self.0.clock.now()
    }

    /// Where unpredictable bytes come from.
    pub(crate) fn randomness(&self) -> &dyn Random {
        &*self.0.random
    }

    /// Unpredictable bytes.
    ///
    /// # Errors
    /// When the operating system gives none.
    pub fn random<const N: usize>(&self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.0.random.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// A fresh time-ordered id.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn new_id(&self) -> Result<Id, Error> {
        Ok(Id::v7(u64::try_from(self.now().ms()).unwrap_or(0), self.random()?))
    }

    /// Does nothing by itself from now on.
    pub(crate) fn rest(&self) {
        drop(self.0.tending.lock().take());
    }

    /// Ends subscriptions, finishes writes and closes the database.
    pub async fn close(&self) {
        self.0.hub.close();
        self.rest();
        self.0.auth.close();
        self.0.mail.close().await;
        self.0.store.close().await;
    }
}

/// Why a project did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database said no.
    #[error(transparent)]
    Store(#[from] stead_store::Error),
    /// Anything else.
    #[error("{0}")]
    Other(#[from] Error),
}

/// What is known of a request besides its caller.
#[derive(Debug, Clone)]
pub struct RequestMeta {
    /// Told to the client and to the log.
    pub request_id: Id,
    /// The client's address.
    pub ip: Option<Arc<str>>,
    /// The `Origin` header.
    pub origin: Option<Arc<str>>,
    /// The start of the `User-Agent` header, to tell a user's sessions apart.
    pub agent: Option<Arc<str>>,
    /// Declared parameters that were sent.
    pub params: stead_rules::Named,
}

/// One operation's surroundings.
#[derive(Clone)]
pub struct Ctx {
    /// The app.
    pub project: Project,
    /// Who asks.
    pub caller: Caller,
    /// How.
    pub meta: RequestMeta,
    /// When: one instant for the whole operation.
    pub now: Instant,
    /// What a session that begins here is to be known by.
    pub carrier: auth::Carrier,
    /// What the client says shows that no robot asks.
    pub captcha: Option<Arc<str>>,
}

impl Ctx {
    /// An operation that begins now.
    pub fn new(project: Project, caller: Caller, meta: RequestMeta) -> Self {
        let now = project.now();
        Self { project, caller, meta, now, carrier: auth::Carrier::default(), captcha: None }
    }

    /// What rules see of the request.
    pub fn request_facts(&self, op: &'static str) -> stead_rules::RequestFacts {
        stead_rules::RequestFacts {
            op,
            ip: self.meta.ip.clone(),
            origin: self.meta.origin.clone(),
            params: self.meta.params.clone(),
            ..Default::default()
        }
    }
}
