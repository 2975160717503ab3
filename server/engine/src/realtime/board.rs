//! The hub's state and what a change does to it. No threads, no clock, no waiting: the same calls give the same frames.
//!
//! Changes are applied one at a time in the order of the log. For each: answers it may have changed are forgotten, then
//! what it grants or takes away is told, then the change itself. So nothing later than a loss can be delivered.

use super::connections::Connection;
use super::frame;
use super::groups::{ConnectionId, GroupId, Groups, Stage};
use super::impact::Touched;
use super::lookups::{Asker, Cache};
use super::outbox::{Load, Pushed};
use super::source::Source;
use super::stats::{Counters, count};
use super::timeline::Timeline;
use super::view::View;
use crate::Catalogue;
use bytes::Bytes;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use stead_rules::{Expr, LookupFailed, holds};
use stead_schema::{Schema, SlotSet, Value};
use stead_store::{Change, ChangeKind, Eras};
use stead_wire::Instant;
use stead_wire::frames::{Effect, ServerFrame};

/// Why a subscription must begin anew; the `reason` of `resync`.
pub(super) mod reason {
    /// What the caller may see changed in a way that cannot be told record by record.
    pub(in crate::realtime) const ACCESS: &str = "access";
    /// The caller's roles or sessions changed.
    pub(in crate::realtime) const AUTH: &str = "auth";
    /// The schema or the rules changed.
    pub(in crate::realtime) const SCHEMA: &str = "schema";
    /// A question that decides visibility could not be answered.
    pub(in crate::realtime) const UNAVAILABLE: &str = "unavailable";
    /// The log does not reach back far enough.
    pub(in crate::realtime) const TOO_FAR: &str = "too_far";
}

/// Tells the hub that a connection took everything.
pub(super) type Bell = Arc<dyn Fn(ConnectionId) + Send + Sync>;

/// See the module.
pub(super) struct Board {
    pub(super) groups: Groups,
    pub(super) connections: HashMap<ConnectionId, Connection>,
    pub(super) by_user: HashMap<Arc<str>, HashSet<ConnectionId>>,
    pub(super) timeline: Timeline,
    pub(super) cache: Cache,
    /// The schema whose slots the log's rows have.
    pub(super) schema: Arc<Schema>,
    /// The newest version of the app the hub was told of; older views are refused.
    pub(super) catalogue: Option<Arc<Catalogue>>,
    /// Connections with subscriptions that are behind and room in their outbox.
    pub(super) turns: VecDeque<ConnectionId>,
    pub(super) counters: Arc<Counters>,
    pub(super) bell: Bell,
    /// The newest changes of sessions and roles, for those who said who they are just before.
    pub(super) auth_changes: VecDeque<AuthChange>,
    /// When groups that depend on the time were judged last.
    pub(super) aged: Instant,
    /// The database does not answer; everybody was told.
    pub(super) degraded: bool,
    /// Everybody is to be gone by then.
    pub(super) draining: Option<Instant>,
    /// A position that is to be told of, and since when.
    pub(super) owed: Option<(u64, Instant)>,
    /// Signing keys that were revoked.
    pub(super) revocations: u64,
}

/// A session ended, or a user's roles changed.
pub(super) struct AuthChange {
    pub(super) seq: u64,
    pub(super) user: Arc<str>,
    pub(super) session: Option<Arc<str>>,
}

/// What a change does to a record in a group's view.
pub(super) enum Verdict {
    Put(SlotSet),
    Del,
    Forget,
    Nothing,
}

/// A change of one record, borrowed from the log.
#[derive(Clone, Copy)]
pub(super) struct RecordChange<'a> {
    pub(super) seq: u64,
    pub(super) version: i64,
    pub(super) id: &'a Arc<str>,
    pub(super) before: Option<&'a Arc<[Value]>>,
    pub(super) after: Option<&'a Arc<[Value]>>,
    pub(super) touched: Touched<'a>,
}

impl<'a> RecordChange<'a> {
    pub(super) fn of(change: &'a Change) -> Option<Self> {
        match &change.kind {
            ChangeKind::Record { collection, id, version, before, after } => Some(Self {
                seq: change.seq,
                version: *version,
                id,
                before: before.as_ref(),
                after: after.as_ref(),
                touched: Touched {
                    collection: *collection,
                    id,
                    before: before.as_deref(),
                    after: after.as_deref(),
                },
            }),
            ChangeKind::Auth { .. } | ChangeKind::Schema | ChangeKind::Keys => None,
        }
    }
}

impl Board {
    pub(super) fn new(
        place: (u64, Arc<Eras>),
        schema: Arc<Schema>,
        bell: Bell,
        counters: Arc<Counters>,
        now: Instant,
    ) -> Self {
        Self {
            groups: Groups::default(),
            connections: HashMap::new(),
            by_user: HashMap::new(),
            timeline: Timeline::new(place),
            cache: Cache::default(),
            schema,
            catalogue: None,
            turns: VecDeque::new(),
            counters,
            bell,
            auth_changes: VecDeque::new(),
            aged: now,
            degraded: false,
            draining: None,
            owed: None,
            revocations: 0,
        }
    }

    /// Applies at most `limit` changes; whether there may be more.
    pub(super) fn advance(&mut self, source: &mut dyn Source, limit: usize) -> bool {
        for _ in 0..limit {
            self.follow_history(source);
            match self.timeline.step(source) {
                Ok(Some(change)) => self.apply(source, &change),
                Ok(None) => return false,
                Err(error) => {
                    tracing::error!(%error, "the change log cannot be read; trying again");
                    return false;
                }
            }
        }
        true
    }

    fn apply(&mut self, source: &mut dyn Source, change: &Arc<Change>) {
        count(&self.counters.changes);
        self.cache.forget(change);
        self.follow_schema(source);
        match &change.kind {
            ChangeKind::Record { .. } => {
                if let Some(change) = RecordChange::of(change) {
                    self.access_changed(source, change);
                    self.record_changed(source, change);
                }
            }
            ChangeKind::Auth { user, session } => self.auth_changed(change.seq, user, session.as_ref()),
            ChangeKind::Schema => self.schema_changed(change.seq),
            ChangeKind::Keys => {}
        }
    }

    /// Where the database lost changes that were told, everybody must ask anew, and the hub begins at the end of the log.
    pub(super) fn follow_history(&mut self, source: &mut dyn Source) {
        if !self.timeline.goes_on(source.eras()) {
            self.end_all();
            self.timeline = Timeline::new(source.place());
            self.cache.clear();
            self.auth_changes.clear();
            self.owed = None;
        }
    }

    /// Rows are in the slots of the store's schema. When that is not the one the groups were made for, they end before
    /// any row is looked at.
    pub(super) fn follow_schema(&mut self, source: &mut dyn Source) {
        let schema = source.schema();
        if !Arc::ptr_eq(&schema, &self.schema) {
            self.schema = schema;
            self.cache.clear();
            self.resync_all(reason::SCHEMA);
        }
    }

    /// Who subscribed after the change sees by it already.
    fn schema_changed(&mut self, seq: u64) {
        for id in self.groups.ids() {
            let Some(group) = self.groups.get(id) else { continue };
            let before = group.members.iter().filter(|(_, member)| member.since < seq);
            for connection in before.map(|(connection, _)| *connection).collect::<Vec<_>>() {
                self.resync_member(id, connection, reason::SCHEMA);
            }
        }
    }

    fn record_changed(&mut self, source: &mut dyn Source, change: RecordChange<'_>) {
        let mut encoded: Vec<(SlotSet, Vec<u8>)> = Vec::new();
        for id in self.groups.candidates(change.touched.collection, [change.before, change.after]) {
            let Some(group) = self.groups.get(id) else { continue };
            let wanted = group.members.values().any(|member| member.wants(change.seq));
            if !wanted {
                continue;
            }
            let view = Arc::clone(&group.view);
            match self.judge(source, &view, change) {
                Ok(verdict) => {
                    if let Some(frame) =
                        event(id, &view, change, &verdict, self.timeline.eras(), &mut encoded)
                    {
                        self.deliver(id, change.seq, &frame);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, group = id, "a question about visibility failed");
                    self.resync(id, reason::UNAVAILABLE);
                }
            }
        }
    }

    /// What a change does to its record in a view, as of the hub's position.
    pub(super) fn judge(
        &mut self,
        source: &mut dyn Source,
        view: &View,
        change: RecordChange<'_>,
    ) -> Result<Verdict, LookupFailed> {
        if let Some(row) = change.after
            && let Some(shown) = self.sees(source, view, row)?
        {
            return Ok(Verdict::Put(shown));
        }
        let seen = match change.before {
            Some(row) => self.holds(source, view, &view.predicate, row)?,
            None => false,
        };
        Ok(match (seen, change.after) {
            (true, Some(_)) => Verdict::Forget,
            (true, None) => Verdict::Del,
            (false, _) => Verdict::Nothing,
        })
    }

    /// Which fields of a row a view shows; none when it does not show the row.
    pub(super) fn sees(
        &mut self,
        source: &mut dyn Source,
        view: &View,
        row: &[Value],
    ) -> Result<Option<SlotSet>, LookupFailed> {
        if !self.holds(source, view, &view.predicate, row)? {
            return Ok(None);
        }
        let mut shown = view.shown;
        for (slot, mask) in &view.masks {
            if shown.contains(*slot) && !self.holds(source, view, mask, row)? {
                shown.remove(*slot);
            }
        }
        Ok(Some(shown))
    }

    /// Whether an expression of a view is true for a row, as of the hub's position.
    pub(super) fn holds(
        &mut self,
        source: &mut dyn Source,
        view: &View,
        expr: &Expr,
        row: &[Value],
    ) -> Result<bool, LookupFailed> {
        count(&self.counters.evaluations);
        let mut asker = Asker {
            cache: &mut self.cache,
            timeline: &mut self.timeline,
            source,
            schema: &view.catalogue.schema,
            counters: &self.counters,
        };
        holds(expr, row, &mut asker)
    }

    /// Gives a frame to every live member that wants it.
    fn deliver(&mut self, id: GroupId, seq: u64, frame: &Bytes) {
        let Some(group) = self.groups.get(id) else { return };
        let load = Load::Event { group: id, seq };
        let mut full = Vec::new();
        let mut taken = 0;
        for (connection, member) in &group.members {
            if !member.wants(seq) {
                continue;
            }
            match member.outbox.push(load, frame.clone()) {
                Pushed::Taken => taken += 1,
                Pushed::Full => full.push(*connection),
                Pushed::Gone => {}
            }
        }
        self.counters.deliveries.fetch_add(taken, Ordering::Relaxed);
        for connection in full {
            self.fall_behind(connection, id, seq);
        }
    }

    /// A client does not take its events: they are dropped, and read from the log again when it does.
    pub(super) fn fall_behind(&mut self, connection: ConnectionId, group: GroupId, seq: u64) {
        let Some(outbox) = self.connections.get(&connection).map(|c| Arc::clone(&c.outbox)) else { return };
        count(&self.counters.lags);
        let mut missing = outbox.drop_events();
        missing.entry(group).or_insert(seq);
        for (group, first) in missing {
            let Some(member) = self.groups.get_mut(group).and_then(|g| g.members.get_mut(&connection)) else {
                continue;
            };
            if member.stage == Stage::Live {
                outbox.push(Load::Control, frame::of(&ServerFrame::Lag { g: group }));
            }
            let from = match member.stage {
                Stage::Live => first.saturating_sub(1),
                Stage::Behind { from } => from.min(first.saturating_sub(1)),
            };
            member.stage = Stage::Behind { from };
        }
        self.await_empty(connection);
    }

    /// Asks to be told when the connection took everything.
    pub(super) fn await_empty(&self, connection: ConnectionId) {
        if let Some(open) = self.connections.get(&connection) {
            let bell = Arc::clone(&self.bell);
            open.outbox.when_empty(move || bell(connection));
        }
    }

    /// Every member of a group must begin anew.
    pub(super) fn resync(&mut self, id: GroupId, reason: &str) {
        let Some(group) = self.groups.get(id) else { return };
        for connection in group.members.keys().copied().collect::<Vec<_>>() {
            self.resync_member(id, connection, reason);
        }
    }

    /// One member of a group must begin anew: its subscription ends.
    pub(super) fn resync_member(&mut self, id: GroupId, connection: ConnectionId, reason: &str) {
        count(&self.counters.resyncs);
        if let Some(open) = self.connections.get(&connection) {
            open.outbox.drop_group(id);
            open.outbox.push(Load::Control, frame::of(&ServerFrame::Resync { g: id, reason }));
        }
        self.leave(id, connection);
    }

    pub(super) fn resync_all(&mut self, reason: &str) {
        for id in self.groups.ids() {
            self.resync(id, reason);
        }
    }

    /// Takes a subscription out of its group and its connection.
    pub(super) fn leave(&mut self, id: GroupId, connection: ConnectionId) {
        self.groups.leave(id, connection);
        if let Some(open) = self.connections.get_mut(&connection) {
            let before = open.subscriptions.len();
            open.subscriptions.retain(|_, group| *group != id);
            let gone = before - open.subscriptions.len();
            self.counters.subscriptions.fetch_sub(gone as u64, Ordering::Relaxed);
        }
        self.counters.groups.store(self.groups.len() as u64, Ordering::Relaxed);
    }
}

/// The frame of a verdict; records are encoded once for all groups that show the same fields.
pub(super) fn event(
    group: GroupId,
    view: &View,
    change: RecordChange<'_>,
    verdict: &Verdict,
    eras: &Eras,
    encoded: &mut Vec<(SlotSet, Vec<u8>)>,
) -> Option<Bytes> {
    let effect = match verdict {
        Verdict::Put(_) => Effect::Put,
        Verdict::Del => Effect::Del,
        Verdict::Forget => Effect::Forget,
        Verdict::Nothing => return None,
    };
    if let (Verdict::Put(shown), Some(row)) = (verdict, change.after)
        && !encoded.iter().any(|(known, _)| known == shown)
    {
        let mut record = Vec::with_capacity(256);
        frame::record(view.declared()?, row, *shown, &mut record);
        encoded.push((*shown, record));
    }
    let record = match verdict {
        Verdict::Put(shown) => encoded.iter().find(|(known, _)| known == shown).map(|(_, record)| &**record),
        Verdict::Del | Verdict::Forget | Verdict::Nothing => None,
    };
    let cursor = view.cursor(change.seq, eras);
    Some(frame::event(&frame::Event {
        group,
        cursor: &cursor,
        effect,
        id: change.id,
        version: change.version,
        record,
    }))
}
