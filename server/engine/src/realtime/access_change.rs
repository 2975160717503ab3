//! What a change takes away or grants beyond its own record: memberships, states of parents, roles, sessions, time.

use super::board::{AuthChange, Board, RecordChange, reason};
use super::frame;
use super::groups::{ConnectionId, GroupId, Stage};
use super::impact::{Impact, and_not};
use super::outbox::{Load, Pushed};
use super::source::Source;
use super::stats::count;
use super::view::View;
use crate::Error;
use bytes::Bytes;
use std::sync::Arc;
use stead_rules::{CmpOp, Expr};
use stead_schema::{Slot, SlotSet, Value};
use stead_store::ChangeKind;
use stead_wire::Instant;
use stead_wire::frames::{Effect, ServerFrame};

/// Most records sent because of one access change; with more, subscribers begin anew.
const SCOPE_RECORDS_MAX: u32 = 500;

/// Changes of sessions and roles remembered for identities that were looked up just before them.
const AUTH_CHANGES_MAX: usize = 4096;

/// Rows that may have come into or gone out of view.
struct Scope {
    slot: Slot,
    key: Value,
    before: Expr,
    after: Expr,
}

/// What members of a group are told.
struct Told {
    /// Drop the scope first.
    lost: bool,
    /// Then hold these records, each with the fields that are shown.
    rows: Vec<(Arc<[Value]>, SlotSet)>,
}

impl Board {
    /// Tells every group whose predicate asks about the changed record.
    pub(super) fn access_changed(&mut self, source: &mut dyn Source, change: RecordChange<'_>) {
        for id in self.groups.askers(change.touched.collection) {
            let Some(view) = self.groups.get(id).map(|group| Arc::clone(&group.view)) else { continue };
            let impact = view.impact(change.touched);
            if impact != Impact::None {
                self.resync_behind(id);
            }
            match impact {
                Impact::None => {}
                _ if self.live_before(id, change.seq).is_empty() => {}
                Impact::All => self.resync_told(id, change.seq),
                Impact::Scope { slot, key, before, after } => {
                    let scope = Scope { slot, key, before, after };
                    match self.compare(source, &view, &scope, change) {
                        Ok(Some(told)) => self.tell(id, &view, &scope, &told, change.seq),
                        Ok(None) => self.resync_told(id, change.seq),
                        Err(error) => {
                            tracing::warn!(%error, group = id, "an access change cannot be told in detail");
                            self.resync_told(id, change.seq);
                        }
                    }
                }
            }
        }
    }

    /// Begins anew those who are behind. What they have not read yet was committed before the change and would be judged
    /// after it: a new member would be told what was deleted or rewritten before he came.
    fn resync_behind(&mut self, id: GroupId) {
        let Some(group) = self.groups.get(id) else { return };
        let behind = group.members.iter().filter(|(_, member)| member.stage != Stage::Live);
        for connection in behind.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.resync_member(id, connection, reason::ACCESS);
        }
    }

    /// Begins anew those who follow and do not have the change in what they hold already.
    fn resync_told(&mut self, id: GroupId, seq: u64) {
        for connection in self.live_before(id, seq) {
            self.resync_member(id, connection, reason::ACCESS);
        }
    }

    fn live_before(&self, id: GroupId, seq: u64) -> Vec<ConnectionId> {
        let Some(group) = self.groups.get(id) else { return Vec::new() };
        group.members.iter().filter(|(_, member)| member.wants(seq)).map(|(id, _)| *id).collect()
    }

    /// What was visible in the scope and is not, and what is now, both as of the change. `None` when that cannot be said
    /// exactly.
    ///
    /// The database may be ahead. Records that were touched since are judged by their images from the log; for the others
    /// the database's answer is right as long as nothing else that the view hangs on has changed.
    fn compare(
        &mut self,
        source: &mut dyn Source,
        view: &View,
        scope: &Scope,
        change: RecordChange<'_>,
    ) -> Result<Option<Told>, Error> {
        let collection =
            view.declared().ok_or_else(|| Error::internal("the collection of a view is gone"))?;
        let field = Box::new(Expr::Row(scope.slot));
        let inside = Expr::Compare(CmpOp::Eq, field, Box::new(Expr::Literal(scope.key.clone())));
        let lost = and_not(scope.before.clone(), scope.after.clone());
        let (seen_at, gone) = source.select(collection, &[&inside, &lost], &[], 1)?;
        self.timeline.cover(source, seen_at)?;
        let lost = !gone.is_empty() || self.lost_since(source, view, scope, change, seen_at)?;
        let gained = and_not(scope.after.clone(), scope.before.clone());
        let wanted = if lost { &view.predicate } else { &gained };
        let (until, page) =
            source.select(collection, &[&inside, wanted], &view.masks, SCOPE_RECORDS_MAX + 1)?;
        self.timeline.cover(source, until)?;
        if page.len() > SCOPE_RECORDS_MAX as usize || self.changes_again(view, until) {
            return Ok(None);
        }
        let touched = self.timeline.rows_until(until, view.collection);
        let known = |row: &[Value]| {
            let same = |image: &Option<Arc<[Value]>>| {
                image.as_ref().is_some_and(|image| image.first() == row.first())
            };
            // The change's own record is told of by its own event.
            record_id(row).as_ref() == Some(change.id) && change.touched.collection == view.collection
                || touched.iter().any(|(here, there)| same(here) || same(there))
        };
        let settled = page.into_iter().filter(|shown| !known(&shown.row));
        let mut rows: Vec<_> = settled.map(|shown| (shown.row, view.shown.without(shown.hidden))).collect();
        for row in touched.iter().filter_map(|(here, _)| here.as_ref()) {
            let inside =
                row.get(scope.slot.index()) == Some(&scope.key) && record_id(row).as_ref() != Some(change.id);
            if inside && (lost || !self.holds(source, view, &scope.before, row).map_err(Error::internal)?) {
                let shown = self.sees(source, view, row).map_err(Error::internal)?;
                rows.extend(shown.map(|shown| (Arc::clone(row), shown)));
            }
        }
        Ok(Some(Told { lost, rows }))
    }

    /// Whether a record was visible in the scope that the database shows no longer: the change's own, when it is of the
    /// same collection, or one that changed since.
    fn lost_since(
        &mut self,
        source: &mut dyn Source,
        view: &View,
        scope: &Scope,
        change: RecordChange<'_>,
        until: u64,
    ) -> Result<bool, Error> {
        let since = self.timeline.rows_until(until, view.collection);
        let own = change.before.filter(|_| change.touched.collection == view.collection).cloned();
        for row in since.into_iter().filter_map(|(here, _)| here).chain(own) {
            if row.get(scope.slot.index()) == Some(&scope.key)
                && self.holds(source, view, &scope.before, &row).map_err(Error::internal)?
                && !self.holds(source, view, &scope.after, &row).map_err(Error::internal)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether another change up to `until` concerns the same view: then the database cannot tell this one's part.
    fn changes_again(&self, view: &View, until: u64) -> bool {
        self.timeline.until(until).any(|change| match (&change.kind, RecordChange::of(change)) {
            (ChangeKind::Record { .. }, Some(change)) => view.impact(change.touched) != Impact::None,
            _ => true,
        })
    }

    fn tell(&mut self, id: GroupId, view: &View, scope: &Scope, told: &Told, seq: u64) {
        if !told.lost && told.rows.is_empty() {
            return;
        }
        let mut frames = Vec::new();
        // The position before the change: a client that leaves in the middle of these frames, and comes back with the
        // cursor of one of them, meets the change again and begins with a snapshot.
        let cursor = view.cursor(seq.saturating_sub(1), self.timeline.eras());
        if told.lost {
            frames.extend(forget_scope(id, view, scope, &cursor));
        }
        frames.extend(told.rows.iter().filter_map(|(row, shown)| put(id, view, row, *shown, &cursor)));
        for connection in self.live_before(id, seq) {
            self.send_all(id, connection, seq, &frames);
        }
    }

    fn send_all(&mut self, id: GroupId, connection: ConnectionId, seq: u64, frames: &[Bytes]) {
        let Some(outbox) = self.connections.get(&connection).map(|c| Arc::clone(&c.outbox)) else { return };
        for frame in frames {
            match outbox.push(Load::Event { group: id, seq }, frame.clone()) {
                Pushed::Taken => count(&self.counters.deliveries),
                // It will meet this change in the log and begin anew.
                Pushed::Full => return self.fall_behind(connection, id, seq),
                Pushed::Gone => return,
            }
        }
    }

    /// A session ended, or a user's roles changed.
    pub(super) fn auth_changed(&mut self, seq: u64, user: &Arc<str>, session: Option<&Arc<str>>) {
        if self.auth_changes.len() >= AUTH_CHANGES_MAX {
            self.auth_changes.pop_front();
        }
        self.auth_changes.push_back(AuthChange { seq, user: Arc::clone(user), session: session.cloned() });
        let Some(connections) = self.by_user.get(user) else { return };
        for connection in connections.iter().copied().collect::<Vec<_>>() {
            let Some(open) = self.connections.get(&connection) else { continue };
            match (session, open.session()) {
                (Some(ended), Some(own)) if **ended == **own => self.end_of_session(connection),
                (Some(_), _) => {}
                (None, _) => {
                    open.outbox.regrant(seq);
                    for group in open.subscriptions.values().copied().collect::<Vec<_>>() {
                        self.resync_member(group, connection, reason::AUTH);
                    }
                }
            }
        }
    }

    /// Who said who it is while that changed must say so again.
    pub(super) fn check_identity(&self, connection: ConnectionId) {
        let Some(open) = self.connections.get(&connection) else { return };
        let (Some(identity), Some(user)) = (&open.identity, open.user()) else { return };
        let own = |change: &AuthChange| {
            change.user == *user && change.session.as_ref().is_none_or(|ended| Some(ended) == open.session())
        };
        let missed = self.auth_changes.iter().filter(|change| change.seq > identity.as_of);
        let forgotten = self.auth_changes.len() >= AUTH_CHANGES_MAX
            && self.auth_changes.front().is_some_and(|oldest| oldest.seq > identity.as_of);
        if forgotten || missed.into_iter().any(own) {
            open.outbox.regrant(self.timeline.position());
        }
    }

    /// Judges groups anew whose predicate names the time.
    pub(super) fn time_passed(&mut self, source: &mut dyn Source, now: Instant) {
        for id in self.groups.ids() {
            let Some(view) = self.groups.get(id).map(|group| Arc::clone(&group.view)) else { continue };
            let kept = match view.later(now) {
                Ok(None) => continue,
                Ok(Some(later)) => same_records(source, &view, &later).map(|same| same.then_some(later)),
                Err(error) => Err(error),
            };
            // The view is replaced also when nothing came or went: the old predicate would judge by an old time.
            match kept {
                Ok(Some(later)) => self.groups.replace(id, Arc::new(later)),
                Ok(None) | Err(_) => self.resync(id, reason::ACCESS),
            }
        }
    }
}

/// Whether two views of the same subscription show the same records.
fn same_records(source: &mut dyn Source, view: &View, later: &View) -> Result<bool, Error> {
    let collection = view.declared().ok_or_else(|| Error::internal("the collection of a view is gone"))?;
    let same_masks = view.masks == later.masks;
    let gone = and_not(view.predicate.clone(), later.predicate.clone());
    let come = and_not(later.predicate.clone(), view.predicate.clone());
    let differs = Expr::Or(vec![gone, come]);
    Ok(same_masks && source.select(collection, &[&differs], &[], 1)?.1.is_empty())
}

fn record_id(row: &[Value]) -> Option<Arc<str>> {
    match row.first() {
        Some(Value::Text(id)) => Some(Arc::clone(id)),
        _ => None,
    }
}

fn put(group: GroupId, view: &View, row: &[Value], shown: SlotSet, cursor: &str) -> Option<Bytes> {
    let mut record = Vec::with_capacity(256);
    frame::record(view.declared()?, row, shown, &mut record);
    Some(frame::event(&frame::Event {
        group,
        cursor,
        effect: Effect::Put,
        id: &record_id(row)?,
        version: row.get(Slot::VERSION.index()).and_then(Value::as_int).unwrap_or_default(),
        record: Some(&record),
    }))
}

fn forget_scope(group: GroupId, view: &View, scope: &Scope, cursor: &str) -> Option<Bytes> {
    let collection = view.declared()?;
    let field = &collection.get(scope.slot)?.name;
    let mut key = Vec::new();
    stead_schema::encode::value(&scope.key, &mut key);
    let key = serde_json::from_slice(&key).ok()?;
    Some(frame::of(&ServerFrame::ForgetScope {
        g: group,
        collection: &collection.name,
        field,
        key: &key,
        c: cursor,
    }))
}
