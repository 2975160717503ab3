//! Reads the change log for what ends or changes sessions, whoever wrote it, and forgets what memory knew.
//!
//! The operations of this slice forget at once after their commit and do not wait for this reader; it is for changes
//! that begin elsewhere, such as the removal of a user's record.

use super::memory::Sessions;
use std::sync::Arc;
use stead_store::{ChangeKind, Store};
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
        let mut seen = *head.borrow_and_update();
        let mut eras = log.eras();
        Self(tokio::spawn(async move {
            while head.changed().await.is_ok() {
                let now = log.eras();
                if !eras.lead_to(&now, seen) {
                    // What was read is lost, and what came in its place was not read.
                    sessions.forget_all();
                    seen = *head.borrow();
                }
                eras = now;
                loop {
                    let changes = match log.after(seen, CHANGES_MAX).await {
                        Ok(changes) => changes,
                        Err(error) => {
                            // What was missed is unknown, so nothing that is remembered may be trusted.
                            tracing::warn!(%error, "sessions are read anew: the change log could not be read");
                            sessions.forget_all();
                            seen = *head.borrow();
                            break;
                        }
                    };
                    let Some(last) = changes.last() else { break };
                    seen = last.seq;
                    changes.iter().for_each(|change| settle(&sessions, &change.kind));
                }
            }
        }))
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
