//! The reading half of one connection: what the client says, checked and turned into commands for the hub.
//!
//! Runs on the transport's thread. Tokens are checked here, and snapshots read, so that the hub never waits for either.

use super::connections::Identity;
use super::frame;
use super::groups::ConnectionId;
use super::outbox::{Load, Outbox, Pushed};
use super::snapshot;
use super::subscribe::{Ask, Outcome, Start};
use super::view::View;
use super::worker::Command;
use crate::limits::{SOCKET_MESSAGE_BYTES_MAX, SOCKET_MESSAGES_BURST, SOCKET_MESSAGES_PER_S};
use crate::{Caller, Catalogue, Ctx, Error, Project, RequestMeta, auth, request_params};
use bytes::Bytes;
use futures_util::Stream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use stead_wire::frames::{ClientFrame, CloseCode, ServerFrame, Snapshot, Subscribe};
use stead_wire::{Code, Instant};
use tokio::sync::{mpsc, oneshot};

/// How often a subscription is tried when things change under it.
const TRIES: usize = 8;

/// The reading half of a connection. Dropping it ends the connection.
pub struct Socket {
    project: Project,
    meta: RequestMeta,
    id: ConnectionId,
    outbox: Arc<Outbox>,
    commands: mpsc::Sender<Command>,
    identity: Option<Identity>,
    /// Says who is there when `hello` brings no token.
    cookie: Option<String>,
    /// The app by whose declarations the identity was read.
    catalogue: Arc<Catalogue>,
    allowance: Allowance,
}

/// The writing half: complete WebSocket frames in pieces of about 16 KiB, until the close frame was taken.
pub struct Outgoing {
    outbox: Arc<Outbox>,
}

impl Stream for Outgoing {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.outbox.poll_take(cx)
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.outbox.abandon();
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if !self.outbox.ending() {
            self.outbox.abandon();
        }
        // When the queue is full, the hub finds the abandoned outbox by itself.
        let _ = self.commands.try_send(Command::Gone { id: self.id });
    }
}

/// Frames a client may still send, in thousandths.
struct Allowance {
    left: i64,
    at: Instant,
}

impl Allowance {
    fn take(&mut self, now: Instant) -> bool {
        let earned =
            now.ms().saturating_sub(self.at.ms()).max(0).saturating_mul(i64::from(SOCKET_MESSAGES_PER_S));
        self.left = self.left.saturating_add(earned).min(i64::from(SOCKET_MESSAGES_BURST) * 1000);
        self.at = now;
        let enough = self.left >= 1000;
        self.left -= if enough { 1000 } else { 0 };
        enough
    }
}

/// Why reading ends.
struct Ended {
    code: Code,
    detail: String,
    close: CloseCode,
}

fn protocol(detail: impl Into<String>) -> Ended {
    Ended { code: Code::BadRequest, detail: detail.into(), close: CloseCode::Protocol }
}

/// A token that is not taken ends the connection; an overloaded server asks to come back.
fn ended(error: &Error) -> Ended {
    let detail = error.detail.clone().unwrap_or_else(|| error.code.title().to_owned());
    let close = if error.code.retryable() { CloseCode::GoElsewhere } else { CloseCode::Token };
    Ended { code: error.code, detail, close }
}

impl Socket {
    pub(super) fn new(
        project: Project,
        meta: RequestMeta,
        id: ConnectionId,
        commands: mpsc::Sender<Command>,
        outbox: Arc<Outbox>,
    ) -> (Self, Outgoing) {
        let allowance = Allowance { left: i64::from(SOCKET_MESSAGES_BURST) * 1000, at: project.now() };
        let outgoing = Outgoing { outbox: Arc::clone(&outbox) };
        let catalogue = project.catalogue();
        let socket =
            Self { project, meta, id, outbox, commands, identity: None, cookie: None, catalogue, allowance };
        (socket, outgoing)
    }

    /// By the cookie of its page. Tell it before the first message is taken.
    pub fn known_by(&mut self, cookie: Option<String>) {
        self.cookie = cookie;
    }

    /// Whether the connection has ended and nothing needs to be read any more.
    pub fn ended(&self) -> bool {
        self.outbox.ending() || self.outbox.gone()
    }

    /// Answers a protocol-level ping (RFC 6455 §5.5.3).
    pub fn ping(&self, payload: &[u8]) {
        self.outbox.hear();
        self.outbox.push(Load::Control, frame::pong(payload));
    }

    /// The client is there.
    pub fn heard(&self) {
        self.outbox.hear();
    }

    /// The client sent what is not a text message of at most [`SOCKET_MESSAGE_BYTES_MAX`] bytes.
    pub fn refuse(&self, detail: &str) {
        self.end(&protocol(detail));
    }

    /// The client closed.
    pub fn closed(&self) {
        self.outbox.end([frame::close_echo()]);
    }

    /// Waits for what must be done without the client's asking: looking again at who it is, after its roles or sessions
    /// changed. Cancel it freely.
    pub async fn attend(&mut self) {
        while !self.ended() {
            if !self.stale() {
                self.outbox.regranted().await;
            } else if self.identify_again().await.is_err() {
                return;
            }
        }
    }

    /// Begins as this caller, without a token: for rule tests, which have no sessions. False when the hub is gone.
    pub(crate) async fn admit(&mut self, caller: Caller) -> bool {
        let identity = Identity { caller, as_of: self.head(), revocations: self.revocations() };
        self.identity = Some(identity.clone());
        self.command(Command::Hello { id: self.id, identity }).await.is_ok()
    }

    /// Takes one text message: a frame, or an array of frames.
    pub async fn receive(&mut self, text: &[u8]) {
        self.outbox.hear();
        let outcome = match self.frames(text) {
            Ok(frames) => self.take_all(frames).await,
            Err(ended) => Err(ended),
        };
        if let Err(ended) = outcome {
            self.end(&ended);
        }
    }

    fn frames(&mut self, text: &[u8]) -> Result<Vec<ClientFrame>, Ended> {
        if text.len() > SOCKET_MESSAGE_BYTES_MAX {
            let detail = format!("A message has at most {SOCKET_MESSAGE_BYTES_MAX} bytes.");
            return Err(Ended { code: Code::LimitExceeded, detail, close: CloseCode::Limits });
        }
        let many = text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
        let frames = if many {
            serde_json::from_slice(text)
        } else {
            serde_json::from_slice(text).map(|one| vec![one])
        };
        frames.map_err(|error| protocol(format!("This is not a frame: {error}.")))
    }

    async fn take_all(&mut self, frames: Vec<ClientFrame>) -> Result<(), Ended> {
        for frame in frames {
            if !self.allowance.take(self.project.now()) {
                let detail = format!("At most {SOCKET_MESSAGES_PER_S} frames per second are taken.");
                return Err(Ended { code: Code::RateLimited, detail, close: CloseCode::Limits });
            }
            if self.ended() {
                return Ok(());
            }
            self.take(frame).await?;
        }
        Ok(())
    }

    async fn take(&mut self, frame: ClientFrame) -> Result<(), Ended> {
        match (frame, self.identity.is_some()) {
            (ClientFrame::Hello { token, .. }, false) => self.hello(token).await,
            (ClientFrame::Hello { .. }, true) => Err(protocol("`hello` comes once.")),
            (_, false) => Err(protocol("The first frame must be `hello`.")),
            (ClientFrame::Sub(ask), true) => self.subscribe(*ask).await,
            (ClientFrame::Unsub { i, s }, true) => {
                self.command(Command::Unsubscribe { id: self.id, request: i, name: s }).await
            }
            (ClientFrame::Auth { i, token }, true) => self.renew(i, token).await,
            (ClientFrame::Pong {}, true) => Ok(()),
        }
    }

    async fn hello(&mut self, token: Option<String>) -> Result<(), Ended> {
        let identity = self.identify(token.as_deref()).await?;
        self.identity = Some(identity.clone());
        self.command(Command::Hello { id: self.id, identity }).await
    }

    async fn renew(&mut self, request: u64, token: String) -> Result<(), Ended> {
        let identity = self.identify(Some(&token)).await?;
        let who = |caller: &Caller| match caller {
            Caller::Anonymous => None,
            Caller::User(user) => Some(("user", Arc::clone(&user.facts.id))),
            Caller::Operator(operator) => Some(("operator", Arc::clone(&operator.id))),
        };
        if self.identity.as_ref().and_then(|old| who(&old.caller)) != who(&identity.caller) {
            let detail = "The token belongs to somebody else; open another connection for it.".to_owned();
            return Err(Ended { code: Code::Forbidden, detail, close: CloseCode::Forbidden });
        }
        self.identity = Some(identity.clone());
        self.command(Command::Renew { id: self.id, request, identity }).await
    }

    /// Who a token stands for. The position is taken first: what changes later is told by the log.
    async fn identify(&mut self, token: Option<&str>) -> Result<Identity, Ended> {
        let (as_of, revocations) = (self.head(), self.revocations());
        self.catalogue = self.project.catalogue();
        let now = self.project.now();
        let caller = match (token, &self.cookie) {
            (Some(token), _) => auth::authenticate(&self.project, token, now).await,
            (None, Some(cookie)) => auth::authenticate_cookie(&self.project, cookie, now).await,
            (None, None) => Ok(Caller::Anonymous),
        };
        let caller = caller.map_err(|error| ended(&error))?;
        if let (Caller::Operator(_), Some(_)) = (&caller, caller.scopes()) {
            let detail = "A key of the server opens no socket; take changes as a consumer.".to_owned();
            return Err(Ended { code: Code::Forbidden, detail, close: CloseCode::Forbidden });
        }
        Ok(Identity { caller, as_of, revocations })
    }

    fn stale(&self) -> bool {
        let granted = |identity: &Identity| identity.as_of < self.outbox.granted_at();
        self.identity.as_ref().is_some_and(granted)
            || !Arc::ptr_eq(&self.catalogue, &self.project.catalogue())
    }

    /// The same caller with the grants of this moment.
    async fn identify_again(&mut self) -> Result<(), Ended> {
        let as_of = self.head();
        self.catalogue = self.project.catalogue();
        let Some(Identity { caller: Caller::User(user), revocations, .. }) = &self.identity else {
            // Only users have sessions and roles that the log tells of.
            self.identity.iter_mut().for_each(|identity| identity.as_of = as_of);
            return Ok(());
        };
        match auth::renew(&self.project, user, self.project.now()).await {
            Ok(user) => {
                let revocations = *revocations;
                self.identity = Some(Identity { caller: Caller::User(user), as_of, revocations });
            }
            Err(error) => {
                let ended = ended(&error);
                self.end(&ended);
                return Err(ended);
            }
        }
        Ok(())
    }

    fn revocations(&self) -> u64 {
        *self.project.auth().revocations().borrow()
    }

    fn head(&self) -> u64 {
        *self.project.store().log().head().borrow()
    }

    async fn subscribe(&mut self, ask: Subscribe) -> Result<(), Ended> {
        let (request, name) = (ask.i, ask.s.clone());
        match self.begin(ask).await {
            Ok(()) => Ok(()),
            Err(Refusal::Ended(ended)) => Err(ended),
            Err(Refusal::Error(error)) => {
                if let Some(cause) = &error.cause {
                    tracing::error!(%cause, "a subscription failed");
                }
                let mut detail = error.detail.clone().unwrap_or_else(|| error.code.title().to_owned());
                if let Some(hint) = &error.hint {
                    detail = format!("{detail} {hint}");
                }
                tracing::debug!(subscription.name = %name, code = %error.code, "refused a subscription");
                self.answer(&ServerFrame::Err {
                    i: Some(request),
                    code: error.code.as_str(),
                    detail: &detail,
                    fatal: false,
                });
                Ok(())
            }
        }
    }

    async fn begin(&mut self, ask: Subscribe) -> Result<(), Refusal> {
        let mut cursor = ask.cursor.as_deref();
        for _ in 0..TRIES {
            if self.stale() {
                self.identify_again().await?;
            }
            let Some(identity) = self.identity.clone() else {
                return Err(protocol("Say `hello` first.").into());
            };
            let params = request_params::from_json(&self.project.catalogue().schema.app, &ask.params)?;
            let meta = RequestMeta { params, ..self.meta.clone() };
            let cx = Ctx::new(self.project.clone(), identity.caller.clone(), meta);
            let (view, order) = View::compile(&cx, &ask)?;
            let start = match (cursor.and_then(|cursor| view.place(cursor)), ask.snapshot) {
                (Some(place), _) => Start::Cursor(place),
                (None, Snapshot::None) => Start::Now,
                (None, Snapshot::Full) => {
                    self.outbox.room_for_snapshot().await;
                    match snapshot::read(&self.project, &view, &order).await? {
                        Some(rows) => Start::Rows(rows),
                        None => continue,
                    }
                }
            };
            let ask = Ask { request: ask.i, name: ask.s.clone(), view: Arc::new(view), start, identity };
            let (reply, outcome) = oneshot::channel();
            self.command(Command::Subscribe { id: self.id, ask: Box::new(ask), reply }).await?;
            match outcome.await.unwrap_or(Outcome::Begun) {
                Outcome::Begun => return Ok(()),
                Outcome::NotResumable => cursor = None,
                Outcome::Again => {}
                Outcome::Refused(code, detail) => return Err(Error::with(code, detail).into()),
            }
        }
        Err(Error::with(Code::StoreBusy, "Too much changes at once; try again.").retry_after_ms(200).into())
    }

    async fn command(&self, command: Command) -> Result<(), Ended> {
        self.commands.send(command).await.map_err(|_| Ended {
            code: Code::ShuttingDown,
            detail: "The server is going away.".to_owned(),
            close: CloseCode::GoElsewhere,
        })
    }

    fn answer(&self, answer: &ServerFrame<'_>) {
        if self.outbox.push(Load::Control, frame::of(answer)) == Pushed::Full {
            let detail = "The client takes no answers.".to_owned();
            self.end(&Ended { code: Code::LimitExceeded, detail, close: CloseCode::Slow });
        }
    }

    fn end(&self, ended: &Ended) {
        tracing::debug!(
            connection = self.id,
            code = ended.code.as_str(),
            detail = ended.detail,
            "a socket ends"
        );
        let why = ServerFrame::Err { i: None, code: ended.code.as_str(), detail: &ended.detail, fatal: true };
        self.outbox.end([frame::of(&why), frame::close(ended.close, ended.code.as_str())]);
    }
}

enum Refusal {
    Ended(Ended),
    Error(Error),
}

impl From<Ended> for Refusal {
    fn from(ended: Ended) -> Self {
        Self::Ended(ended)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}
