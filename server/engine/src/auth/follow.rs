//! Reads the change log for what ends or changes sessions, whoever wrote it, and forgets what memory knew.
//!
//! The operations of this slice forget at once after their commit and do not wait for this reader; it is for changes
//! that begin elsewhere, such as the removal of a user's record.

use super::memory::Sessions;
use std::sync::Arc;
use stead_store::{ChangeKind, Eras, Log, Store};
use tokio::task::JoinHandle;

/// Changes read at once.
const CHANGES_MAX: usize = 500;

/// Stops with its owner.
pub(super) struct Follower(JoinHandle<()>);

impl Follower {
    pub(super) fn start(store: &Store, sessions: &Arc<Sessions>) -> Self {
        let log = store.log();
        let sessions = Arc::clone(sessions);
        let mut head = log.head();
        // Nothing is remembered yet, so what was logged before now cannot matter.
        let mut place = log.place();
        Self(tokio::spawn(async move {
            while head.changed().await.is_ok() {
                if let Err(why) = read_on(&log, &sessions, &mut place).await {
                    // What was missed is unknown, so nothing that is remembered may be trusted.
                    tracing::warn!(why, "sessions are read anew");
                    place = log.place();
                    sessions.forget_all();
                }
            }
        }))
    }
}

/// Takes in all changes after a place, and moves it. The error says why it cannot go on from there.
async fn read_on(log: &Log, sessions: &Sessions, place: &mut (u64, Arc<Eras>)) -> Result<(), String> {
    let (seen, eras) = place;
    loop {
        let stretch = log.after(*seen, CHANGES_MAX).await.map_err(|error| error.to_string())?;
        if !eras.lead_to(&stretch.eras, *seen) {
            return Err("changes that were read are lost".to_owned());
        }
        *eras = stretch.eras;
        let Some(last) = stretch.changes.last() else { return Ok(()) };
        *seen = last.seq;
        stretch.changes.iter().for_each(|change| settle(sessions, &change.kind));
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn settle(sessions: &Sessions, change: &ChangeKind) {
    match change {
        ChangeKind::Auth { session: Some(session), .. } => sessions.end(std::iter::once(&**session)),
        ChangeKind::Auth { user, session: None } => sessions.forget_user(user),
        ChangeKind::Record { .. } | ChangeKind::Schema => {}
    }
}
