//! Beginning a subscription without a gap: from a snapshot, from a cursor, or from now.
//!
//! A snapshot is a cursor with records in front: whichever comes, the subscription goes on from a position of the log,
//! and whatever lies between that position and the hub's is read from the log.

use super::board::{Board, RecordChange, event, reason};
use super::connections::Identity;
use super::frame;
use super::groups::{ConnectionId, GroupId, Member, Stage};
use super::impact::Impact;
use super::outbox::{Load, Pushed};
use super::snapshot::Rows;
use super::source::Source;
use super::stats::count;
use super::timeline::Timeline;
use super::view::{Place, View};
use crate::Error;
use crate::limits::SUBSCRIPTIONS_MAX;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use stead_store::{Change, ChangeKind};
use stead_wire::Code;
use stead_wire::frames::ServerFrame;

/// Longest stretch of the log that a cursor is taken up over; farther back, a snapshot is cheaper.
const RESUME_CHANGES_MAX: usize = 10_000;
/// Changes that one connection may read in its turn.
const TURN_CHANGES: usize = 512;

/// Where a subscription begins.
pub(super) enum Start {
    /// After this position, which the client was told.
    Cursor(Place),
    /// With these records.
    Rows(Rows),
    /// With the next change.
    Now,
}

/// A checked `sub`.
pub(super) struct Ask {
    pub(super) request: u64,
    pub(super) name: String,
    pub(super) view: Arc<View>,
    pub(super) start: Start,
    pub(super) identity: Identity,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The client was answered.
    Begun,
    /// The cursor cannot be taken up; begin with a snapshot.
    NotResumable,
    /// The app, the caller's rights or what the snapshot hangs on changed meanwhile; ask again.
    Again,
    /// No.
    Refused(Code, &'static str),
}

impl Board {
    /// Begins a subscription.
    pub(super) fn subscribe(&mut self, source: &mut dyn Source, id: ConnectionId, ask: Ask) -> Outcome {
        let Some(open) = self.connections.get(&id) else { return Outcome::Begun };
        if open.identity.is_none() {
            return Outcome::Refused(Code::BadRequest, "Say `hello` first.");
        }
        if open.subscriptions.len() >= SUBSCRIPTIONS_MAX {
            return Outcome::Refused(Code::LimitExceeded, "This connection has too many subscriptions.");
        }
        if open.subscriptions.contains_key(&ask.name) {
            return Outcome::Refused(
                Code::BadRequest,
                "A subscription of this name exists; `unsub` it first.",
            );
        }
        let outdated = self.catalogue.as_ref().is_some_and(|now| !Arc::ptr_eq(now, &ask.view.catalogue));
        if outdated || ask.identity.as_of < open.outbox.granted_at() {
            return Outcome::Again;
        }
        self.follow_history(source);
        self.follow_schema(source);
        if !Arc::ptr_eq(&self.schema, &ask.view.catalogue.schema) {
            return Outcome::Again;
        }
        match self.place(source, &ask) {
            Ok((since, stage)) => self.begin(id, ask, since, stage),
            Err(outcome) => outcome,
        }
    }

    /// From where the subscription goes on, and how.
    fn place(&mut self, source: &mut dyn Source, ask: &Ask) -> Result<(u64, Stage), Outcome> {
        let here = self.timeline.position();
        let user = ask.identity.caller.facts().map(|facts| &facts.id);
        let (from, refusal) = match &ask.start {
            Start::Now => return Ok((here, Stage::Live)),
            Start::Cursor(place) if place.era != self.timeline.eras().at(place.seq) => {
                return Err(Outcome::NotResumable);
            }
            Start::Cursor(place) => (place.seq, Outcome::NotResumable),
            Start::Rows(rows) => (rows.at, Outcome::Again),
        };
        if matches!(ask.start, Start::Cursor(_)) && from > source.head() {
            return Err(refusal);
        }
        if from >= here {
            return Ok((from, Stage::Live));
        }
        match resumable(source, &mut self.timeline, &ask.view, user, from) {
            Ok(true) => Ok((from, Stage::Behind { from })),
            Ok(false) => Err(refusal),
            Err(error) => {
                tracing::warn!(%error, "a cursor cannot be taken up");
                Err(refusal)
            }
        }
    }

    fn begin(&mut self, id: ConnectionId, ask: Ask, since: u64, stage: Stage) -> Outcome {
        let Some(open) = self.connections.get_mut(&id) else { return Outcome::Begun };
        let outbox = Arc::clone(&open.outbox);
        let member = Member { outbox: Arc::clone(&outbox), since, stage };
        let group = self.groups.join(&ask.view, id, member);
        open.subscriptions.insert(ask.name.clone(), group);
        self.counters.subscriptions.fetch_add(1, Ordering::Relaxed);
        self.counters.groups.store(self.groups.len() as u64, Ordering::Relaxed);
        let cursor = ask.view.cursor(since, self.timeline.eras());
        let recovered = matches!(ask.start, Start::Cursor(_));
        let (i, s) = (ask.request, ask.name.as_str());
        self.answer(id, &ServerFrame::Subscribed { i, s, g: group, cursor: &cursor, recovered });
        match &ask.start {
            Start::Rows(rows) => {
                count(&self.counters.snapshots);
                for (position, part) in rows.parts.iter().enumerate() {
                    let last = position + 1 == rows.parts.len();
                    outbox.push(Load::Snapshot, frame::snapshot(group, s, part, last, &cursor));
                }
            }
            Start::Cursor(_) => count(&self.counters.resumes),
            Start::Now => {}
        }
        if stage != Stage::Live {
            self.turns.push_back(id);
        }
        Outcome::Begun
    }

    /// Ends a subscription; whether there was one.
    pub(super) fn unsubscribe(&mut self, id: ConnectionId, request: u64, name: &str) {
        let group = self.connections.get(&id).and_then(|open| open.subscriptions.get(name)).copied();
        let Some(group) = group else {
            let code = Code::BadRequest.as_str();
            let detail = "There is no subscription of this name.";
            return self.answer(id, &ServerFrame::Err { i: Some(request), code, detail, fatal: false });
        };
        if let Some(open) = self.connections.get(&id) {
            open.outbox.drop_group(group);
        }
        self.leave(group, id);
        self.answer(id, &ServerFrame::Ok { i: request });
    }

    /// Lets one connection that is behind read on; whether there was one.
    pub(super) fn turn(&mut self, source: &mut dyn Source) -> bool {
        let Some(id) = self.turns.pop_front() else { return false };
        let Some(open) = self.connections.get(&id) else { return true };
        let groups: BTreeMap<String, GroupId> =
            open.subscriptions.iter().map(|(name, group)| (name.clone(), *group)).collect();
        let mut left = TURN_CHANGES;
        for group in groups.into_values() {
            match self.catch_up(source, id, group, &mut left) {
                Caught::Up => {}
                Caught::Full => {
                    self.await_empty(id);
                    return true;
                }
                Caught::OutOfTurn => {
                    self.turns.push_back(id);
                    return true;
                }
            }
        }
        true
    }

    fn catch_up(
        &mut self,
        source: &mut dyn Source,
        id: ConnectionId,
        group: GroupId,
        left: &mut usize,
    ) -> Caught {
        loop {
            let Some((view, from)) = self.behind(id, group) else { return Caught::Up };
            let here = self.timeline.position();
            let changes = match self.timeline.after(source, from) {
                Ok(changes) => changes,
                Err(error) => {
                    tracing::warn!(%error, "the log cannot be read for a client that is behind");
                    self.resync_member(group, id, reason::TOO_FAR);
                    return Caught::Up;
                }
            };
            let mut reached = from;
            for change in changes.iter().take_while(|change| change.seq <= here) {
                if *left == 0 {
                    self.reach(id, group, Stage::Behind { from: reached });
                    return Caught::OutOfTurn;
                }
                *left -= 1;
                match self.replay(source, id, group, &view, change) {
                    Replay::Done => reached = change.seq,
                    Replay::Full => {
                        self.reach(id, group, Stage::Behind { from: reached });
                        return Caught::Full;
                    }
                    Replay::Anew(why) => {
                        self.resync_member(group, id, why);
                        return Caught::Up;
                    }
                }
            }
            let finished = changes.last().is_none_or(|change| change.seq >= here);
            self.reach(id, group, if finished { Stage::Live } else { Stage::Behind { from: reached } });
        }
    }

    fn behind(&self, id: ConnectionId, group: GroupId) -> Option<(Arc<View>, u64)> {
        let group = self.groups.get(group)?;
        match group.members.get(&id)?.stage {
            Stage::Live => None,
            Stage::Behind { from } => Some((Arc::clone(&group.view), from)),
        }
    }

    fn reach(&mut self, id: ConnectionId, group: GroupId, stage: Stage) {
        let here = self.timeline.position();
        if let Some(member) = self.groups.get_mut(group).and_then(|group| group.members.get_mut(&id)) {
            if stage == Stage::Live {
                member.since = here;
            }
            member.stage = stage;
        }
    }

    fn replay(
        &mut self,
        source: &mut dyn Source,
        id: ConnectionId,
        group: GroupId,
        view: &View,
        change: &Change,
    ) -> Replay {
        let user = self.connections.get(&id).and_then(|open| open.user());
        if concerns(view, user, change) {
            return Replay::Anew(reason::ACCESS);
        }
        let Some(record) = RecordChange::of(change) else { return Replay::Done };
        if record.touched.collection != view.collection {
            return Replay::Done;
        }
        let verdict = match self.judge(source, view, record) {
            Ok(verdict) => verdict,
            Err(_) => return Replay::Anew(reason::UNAVAILABLE),
        };
        let frame = event(group, view, record, &verdict, self.timeline.eras(), &mut Vec::new());
        let Some(frame) = frame else { return Replay::Done };
        let Some(open) = self.connections.get(&id) else { return Replay::Done };
        match open.outbox.push(Load::Event { group, seq: change.seq }, frame) {
            Pushed::Full => Replay::Full,
            Pushed::Taken | Pushed::Gone => {
                count(&self.counters.deliveries);
                Replay::Done
            }
        }
    }
}

enum Caught {
    Up,
    Full,
    OutOfTurn,
}

enum Replay {
    Done,
    Full,
    Anew(&'static str),
}

/// Whether a change takes away or grants more than its own record: it cannot be replayed.
fn concerns(view: &View, user: Option<&Arc<str>>, change: &Change) -> bool {
    match (&change.kind, RecordChange::of(change)) {
        (ChangeKind::Schema, _) => true,
        (ChangeKind::Auth { user: whose, session: None }, _) => Some(whose) == user,
        (ChangeKind::Auth { .. } | ChangeKind::Keys, _) => false,
        (ChangeKind::Record { .. }, Some(record)) => view.impact(record.touched) != Impact::None,
        (ChangeKind::Record { .. }, None) => true,
    }
}

/// Whether the changes after `from` up to where the hub stands are all there, not too many, and can be replayed.
fn resumable(
    source: &mut dyn Source,
    timeline: &mut Timeline,
    view: &View,
    user: Option<&Arc<str>>,
    from: u64,
) -> Result<bool, Error> {
    let here = timeline.position();
    if from < source.tail()? {
        return Ok(false);
    }
    let (mut reached, mut read) = (from, 0);
    while reached < here && read < RESUME_CHANGES_MAX {
        let changes = timeline.after(source, reached)?;
        let Some(last) = changes.last().map(|change| change.seq) else { return Ok(true) };
        if changes.iter().take_while(|change| change.seq <= here).any(|change| concerns(view, user, change)) {
            return Ok(false);
        }
        reached = last;
        read += changes.len();
    }
    Ok(reached >= here)
}
