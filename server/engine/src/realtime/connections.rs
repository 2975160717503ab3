//! Connections: who they stand for, when they must say something, when they end.

use super::board::{Board, reason};
use super::frame;
use super::groups::{ConnectionId, GroupId, Stage};
use super::outbox::{Load, Outbox, Pushed};
use super::source::Source;
use super::stats::count;
use super::view::TIME_STEP_US;
use super::worker::TICK;
use crate::limits::{
    HUB_BEHIND_S, SOCKET_GRACE_S, SOCKET_HELLO_S, SOCKET_MESSAGE_BYTES_MAX, SOCKET_PING_S,
    SOCKET_SILENT_PINGS_MAX, SOCKET_STALL_S, SUBSCRIPTIONS_MAX,
};
use crate::{Caller, Catalogue};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use stead_wire::frames::{CloseCode, Limits, ServerFrame};
use stead_wire::{Code, Instant};

/// Who a connection stands for.
#[derive(Clone)]
pub(super) struct Identity {
    pub(super) caller: Caller,
    /// What the caller was granted is known as of this position of the log.
    pub(super) as_of: u64,
    /// How many signing keys had been revoked when the token was checked.
    pub(super) revocations: u64,
}

impl Identity {
    /// Whether its token was signed; keys of programs are not.
    fn signed(&self) -> bool {
        !matches!(self.caller, Caller::Anonymous) && self.caller.scopes().is_none()
    }
}

/// One socket.
pub(super) struct Connection {
    pub(super) outbox: Arc<Outbox>,
    /// None until `hello`.
    pub(super) identity: Option<Identity>,
    /// By the client's names.
    pub(super) subscriptions: HashMap<String, GroupId>,
    opened: Instant,
    next_ping: Instant,
    /// Pings since the client last said anything.
    silent: u32,
    /// The client was told that its token ends.
    warned: bool,
    /// How often the transport had taken something, and when that last changed.
    taken: (u64, Instant),
}

impl Connection {
    /// The session it stands for.
    pub(super) fn session(&self) -> Option<&Arc<str>> {
        match &self.identity.as_ref()?.caller {
            Caller::User(user) => Some(&user.session),
            Caller::Anonymous | Caller::Operator(_) => None,
        }
    }

    /// The user it stands for.
    pub(super) fn user(&self) -> Option<&Arc<str>> {
        match &self.identity.as_ref()?.caller {
            Caller::User(user) => Some(&user.facts.id),
            Caller::Anonymous | Caller::Operator(_) => None,
        }
    }

    fn expires(&self) -> Option<Instant> {
        let seconds = match &self.identity.as_ref()?.caller {
            Caller::User(user) => user.expires_s,
            Caller::Operator(operator) => operator.expires_s,
            Caller::Anonymous => return None,
        };
        Some(Instant(seconds.saturating_mul(1_000_000)))
    }
}

/// What is due for one connection.
enum Due {
    Nothing,
    Ping,
    Warn {
        in_s: u64,
    },
    End {
        code: Code,
        detail: &'static str,
        close: CloseCode,
    },
    /// The transport is gone.
    Remove,
}

const fn after(from: Instant, seconds: u64) -> Instant {
    Instant(from.0.saturating_add(seconds.saturating_mul(1_000_000) as i64))
}

impl Board {
    /// A socket opened.
    pub(super) fn open(&mut self, id: ConnectionId, outbox: Arc<Outbox>, opened: Instant) {
        let connection = Connection {
            outbox,
            identity: None,
            subscriptions: HashMap::new(),
            opened,
            next_ping: after(opened, SOCKET_PING_S),
            silent: 0,
            warned: false,
            taken: (0, opened),
        };
        self.connections.insert(id, connection);
    }

    /// A client said who it is.
    pub(super) fn hello(&mut self, id: ConnectionId, identity: Identity, sockets_max: usize) {
        let Some(open) = self.connections.get_mut(&id) else { return };
        open.identity = Some(identity);
        let (outbox, user) = (Arc::clone(&open.outbox), open.user().cloned());
        if let Some(user) = user {
            let sockets = self.by_user.entry(user).or_default();
            sockets.insert(id);
            if sockets.len() > sockets_max {
                return self.end(
                    id,
                    Code::LimitExceeded,
                    "This user has too many sockets.",
                    CloseCode::Limits,
                );
            }
        }
        let limits =
            Limits { subscriptions_max: SUBSCRIPTIONS_MAX, message_bytes_max: SOCKET_MESSAGE_BYTES_MAX };
        let sid = id.to_string();
        outbox.push(
            Load::Control,
            frame::of(&ServerFrame::Welcome { sid: &sid, ping_s: SOCKET_PING_S, limits }),
        );
        if self.degraded {
            outbox.push(Load::Control, frame::of(&ServerFrame::Degraded {}));
        }
        self.check_identity(id);
        self.check_signature(id);
    }

    /// A client sent a newer token of the same user.
    pub(super) fn renew(&mut self, id: ConnectionId, request: u64, identity: Identity) {
        let Some(open) = self.connections.get_mut(&id) else { return };
        let before = open.identity.replace(identity);
        open.warned = false;
        let old = before.map(|identity| identity.caller);
        let new = open.identity.as_ref().map(|identity| identity.caller.clone());
        if facts(old.as_ref()) != facts(new.as_ref()) {
            for group in open.subscriptions.values().copied().collect::<Vec<_>>() {
                self.resync_member(group, id, reason::AUTH);
            }
        }
        self.answer(id, &ServerFrame::Ok { i: request });
        self.check_identity(id);
        self.check_signature(id);
    }

    /// A frame that is not an event.
    pub(super) fn answer(&mut self, id: ConnectionId, answer: &ServerFrame<'_>) {
        let Some(open) = self.connections.get(&id) else { return };
        if open.outbox.push(Load::Control, frame::of(answer)) == Pushed::Full {
            self.end(id, Code::LimitExceeded, "The client takes no answers.", CloseCode::Slow);
        }
    }

    /// The session behind a connection ended.
    pub(super) fn end_of_session(&mut self, id: ConnectionId) {
        self.end(id, Code::TokenInvalid, "The session ended.", CloseCode::Token);
    }

    /// Says why, closes, and forgets the connection.
    pub(super) fn end(&mut self, id: ConnectionId, code: Code, detail: &str, close: CloseCode) {
        let Some(open) = self.connections.get(&id) else { return };
        count(&self.counters.closes);
        tracing::debug!(connection = id, code = code.as_str(), detail, "the hub ends a socket");
        let why = ServerFrame::Err { i: None, code: code.as_str(), detail, fatal: true };
        open.outbox.end([frame::of(&why), frame::close(close, code.as_str())]);
        self.remove(id);
    }

    /// Forgets a connection whose transport is gone.
    pub(super) fn remove(&mut self, id: ConnectionId) {
        let Some(open) = self.connections.remove(&id) else { return };
        self.counters.connections.fetch_sub(1, Ordering::Relaxed);
        self.counters.subscriptions.fetch_sub(open.subscriptions.len() as u64, Ordering::Relaxed);
        for group in open.subscriptions.values() {
            self.groups.leave(*group, id);
        }
        self.counters.groups.store(self.groups.len() as u64, Ordering::Relaxed);
        let Some(user) = open.user() else { return };
        if let Some(sockets) = self.by_user.get_mut(user) {
            sockets.remove(&id);
            if sockets.is_empty() {
                self.by_user.remove(user);
            }
        }
    }

    /// Everybody must go elsewhere.
    pub(super) fn end_all(&mut self) {
        for id in self.connections.keys().copied().collect::<Vec<_>>() {
            self.send_elsewhere(id);
        }
    }

    /// A signing key was revoked: which tokens it signed is not known here, so all of before come back with another.
    pub(super) fn key_revoked(&mut self, count: u64) {
        self.revocations = count;
        for id in self.connections.keys().copied().collect::<Vec<_>>() {
            self.check_signature(id);
        }
    }

    fn check_signature(&mut self, id: ConnectionId) {
        let identity = self.connections.get(&id).and_then(|open| open.identity.as_ref());
        if identity.is_some_and(|identity| identity.signed() && identity.revocations < self.revocations) {
            self.end(id, Code::TokenInvalid, "A signing key was revoked.", CloseCode::Token);
        }
    }

    /// Rules or schema changed: whatever was made for another version begins anew.
    pub(super) fn use_catalogue(&mut self, catalogue: Arc<Catalogue>) {
        for id in self.groups.ids() {
            let by = self.groups.get(id).map(|group| &group.view.catalogue);
            if by.is_some_and(|by| !Arc::ptr_eq(by, &catalogue)) {
                self.resync(id, reason::SCHEMA);
            }
        }
        self.catalogue = Some(catalogue);
    }

    /// Does what is due at `now`.
    pub(super) fn tick(&mut self, source: &mut dyn Source, now: Instant) {
        let head = source.head().to_string();
        let ping = frame::of(&ServerFrame::Ping { head: &head });
        for id in self.connections.keys().copied().collect::<Vec<_>>() {
            match self.connections.get_mut(&id).map(|open| open.due(now)) {
                None | Some(Due::Nothing) => {}
                Some(Due::Remove) => self.remove(id),
                Some(Due::End { code, detail, close }) => self.end(id, code, detail, close),
                Some(Due::Warn { in_s }) => self.answer(id, &ServerFrame::AuthExpiring { in_s }),
                Some(Due::Ping) => {
                    if let Some(open) = self.connections.get(&id) {
                        open.outbox.push(Load::Control, ping.clone());
                    }
                }
            }
            self.remind(id);
        }
        self.follow_health(source.ready());
        self.watch_itself(source, now);
        self.drain(now);
        // Who gains or loses by the time alone cannot be asked of a database that does not answer.
        if !self.degraded && now.us().div_euclid(TIME_STEP_US) != self.aged.us().div_euclid(TIME_STEP_US) {
            self.aged = now;
            self.time_passed(source, now);
        }
    }

    /// Sends as many elsewhere as it takes for all to be gone in time, one about as often as the other: all at once they would
    /// fall upon the other servers together.
    fn drain(&mut self, now: Instant) {
        let Some(until) = self.draining else { return };
        let left_ms = u128::try_from(until.ms().saturating_sub(now.ms())).unwrap_or(0);
        let ticks = usize::try_from(left_ms / TICK.as_millis()).unwrap_or(0) + 1;
        let count = self.connections.len().div_ceil(ticks);
        for id in self.connections.keys().copied().take(count).collect::<Vec<_>>() {
            self.send_elsewhere(id);
        }
    }

    fn send_elsewhere(&mut self, id: ConnectionId) {
        self.end(id, Code::ShuttingDown, "The server is going away.", CloseCode::GoElsewhere);
    }

    /// A server that cannot keep up must not look healthy while its clients see an old world: it says that it is not
    /// ready, and where there are others its clients go to them.
    fn watch_itself(&mut self, source: &mut dyn Source, now: Instant) {
        let (reached, head) = (self.timeline.position(), source.head());
        let behind = match self.owed {
            Some((owed, since)) if reached < owed => now >= after(since, HUB_BEHIND_S),
            _ => {
                self.owed = (reached < head).then_some((head, now));
                false
            }
        };
        self.counters.position.store(reached, Ordering::Relaxed);
        self.counters.looked_ms.store(now.ms(), Ordering::Relaxed);
        if self.counters.behind.swap(behind, Ordering::Relaxed) != behind {
            tracing::warn!(behind, reached, head, "whether subscribers are told of changes in time");
        }
        if behind && source.has_company() {
            self.end_all();
        }
    }

    /// Tells everybody when the database goes away, and when it is there again: sockets stay.
    fn follow_health(&mut self, ready: bool) {
        if self.degraded != ready {
            return;
        }
        self.degraded = !ready;
        let told = frame::of(if ready { &ServerFrame::Healed {} } else { &ServerFrame::Degraded {} });
        for open in self.connections.values().filter(|open| open.identity.is_some()) {
            open.outbox.push(Load::Control, told.clone());
        }
    }

    /// A bell may be lost; who is behind and has taken everything gets its turn here.
    fn remind(&mut self, id: ConnectionId) {
        let Some(open) = self.connections.get(&id) else { return };
        let behind = |group: &GroupId| {
            let member = self.groups.get(*group).and_then(|group| group.members.get(&id));
            member.is_some_and(|member| member.stage != Stage::Live)
        };
        if open.outbox.progress().1 && open.subscriptions.values().any(behind) && !self.turns.contains(&id) {
            self.turns.push_back(id);
        }
    }
}

impl Connection {
    fn due(&mut self, now: Instant) -> Due {
        if self.outbox.gone() {
            return Due::Remove;
        }
        if self.identity.is_none() && now >= after(self.opened, SOCKET_HELLO_S) {
            let detail = "The first frame must be `hello`, within ten seconds.";
            return Due::End { code: Code::BadRequest, detail, close: CloseCode::Protocol };
        }
        let (taken, empty) = self.outbox.progress();
        if empty || taken != self.taken.0 {
            self.taken = (taken, now);
        } else if now >= after(self.taken.1, SOCKET_STALL_S) {
            let detail = "The client took nothing for too long.";
            return Due::End { code: Code::LimitExceeded, detail, close: CloseCode::Slow };
        }
        self.due_by_token(now).unwrap_or_else(|| self.due_by_ping(now))
    }

    fn due_by_token(&mut self, now: Instant) -> Option<Due> {
        let expires = self.expires()?;
        if now >= after(expires, SOCKET_GRACE_S) {
            let detail = "The token has expired.";
            return Some(Due::End { code: Code::TokenExpired, detail, close: CloseCode::Token });
        }
        if self.warned || after(now, SOCKET_GRACE_S) < expires {
            return None;
        }
        self.warned = true;
        let left = expires.us().saturating_sub(now.us()).max(0) / 1_000_000;
        Some(Due::Warn { in_s: u64::try_from(left).unwrap_or(0) })
    }

    fn due_by_ping(&mut self, now: Instant) -> Due {
        if self.outbox.take_heard() {
            self.silent = 0;
        }
        if now < self.next_ping {
            return Due::Nothing;
        }
        if self.silent >= SOCKET_SILENT_PINGS_MAX {
            let detail = "The client answered no ping.";
            return Due::End { code: Code::RequestTimeout, detail, close: CloseCode::Slow };
        }
        self.silent += 1;
        self.next_ping = after(now, SOCKET_PING_S);
        Due::Ping
    }
}

fn facts(caller: Option<&Caller>) -> Option<&stead_rules::AuthFacts> {
    caller.and_then(Caller::facts)
}
