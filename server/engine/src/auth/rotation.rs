//! Which refresh generation a session is at, and what a presented generation means. Pure.
//!
//! Rotation is confirmed on first use: after `refresh(n)` the successor `n+1` is pending until it is seen, in a refresh
//! or in an access token. A client that lost the answer may repeat `n`; a thief and a victim who alternate cannot.

use crate::limits;

/// The generations of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Generations {
    /// The one before `current`. What lies between the two was superseded before it was seen.
    pub(super) previous: Option<u32>,
    /// The newest one that was seen.
    pub(super) current: u32,
    /// Handed out and not seen yet. What lies between `current` and this was superseded.
    pub(super) pending: Option<u32>,
    /// When the newest one was handed out, microseconds since the epoch.
    pub(super) rotated_at: i64,
}

/// What to do with a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Give the successor that was given a moment ago.
    Repeat(u32),
    /// Store this and give its pending generation.
    Rotate(Generations, u32),
    /// Somebody else holds this session's tokens: end it.
    Reused,
    /// Not handed out by this database.
    Unknown,
}

/// What an access token's generation means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// Nothing new.
    Known,
    /// The pending generation arrived.
    Confirms,
    /// A superseded one arrived after all: end the session.
    Reused,
    /// Not handed out by this database.
    Unknown,
}

impl Generations {
    pub(super) fn refresh(self, presented: u32, now: i64) -> Step {
        let fresh = now.saturating_sub(self.rotated_at) <= limits::REFRESH_REPEAT_MS * 1000;
        match self.pending {
            Some(pending) if presented == pending => self.confirmed().rotate(presented, now),
            // (a) the same request twice: tabs, server-side rendering, an impatient client.
            Some(pending) if presented == self.current && fresh => Step::Repeat(pending),
            // (b) the answer was lost: the pending one is superseded by the one after it.
            Some(pending) if presented == self.current => self.rotate(pending, now),
            None if presented == self.current => self.rotate(presented, now),
            None if Some(presented) == self.previous && fresh => Step::Repeat(self.current),
            _ if presented > self.pending.unwrap_or(self.current) => Step::Unknown,
            // (c) anything else is old.
            _ => Step::Reused,
        }
    }

    pub(super) fn sight(self, presented: u32) -> Sight {
        if Some(presented) == self.pending {
            Sight::Confirms
        } else if presented > self.pending.unwrap_or(self.current) {
            Sight::Unknown
        } else if presented > self.current || (presented < self.current && Some(presented) > self.previous) {
            Sight::Reused
        } else {
            Sight::Known
        }
    }

    /// The pending generation was seen.
    pub(super) fn confirmed(self) -> Self {
        match self.pending {
            Some(pending) => Self { previous: Some(self.current), current: pending, pending: None, ..self },
            None => self,
        }
    }

    fn rotate(self, last: u32, now: i64) -> Step {
        // Four billion refreshes are 8,000 years of ten minutes; a counter that cannot grow ends the session.
        match last.checked_add(1) {
            Some(next) => Step::Rotate(Self { pending: Some(next), rotated_at: now, ..self }, next),
            None => Step::Reused,
        }
    }
}
