//! Reads the change log for what ends or changes sessions or signing keys, whoever wrote it, and forgets what memory knew.
//!
//! The operations of this slice forget at once after their commit and do not wait for this reader; it is for changes
//! that begin elsewhere, such as the removal of a user's record or at another server.

use super::access_token::AccessTokens;
use super::crypto::Secrets;
use super::memory::Sessions;
use std::sync::Arc;
use std::time::Duration;
use stead_store::{ChangeKind, Eras, Log, Store};
use tokio::task::JoinHandle;

/// Changes read at once.
const CHANGES_MAX: usize = 500;
/// Time before keys are asked for again that could not be read.
const PAUSE: Duration = Duration::from_secs(1);

/// Stops with its owner.
pub(super) struct Follower(JoinHandle<()>);

impl Follower {
    pub(super) fn start(
        store: &Store,
        sessions: &Arc<Sessions>,
        tokens: &Arc<AccessTokens>,
        secrets: &Arc<Secrets>,
    ) -> Self {
        let memory = Memory {
            store: store.clone(),
            sessions: Arc::clone(sessions),
            tokens: Arc::clone(tokens),
            secrets: Arc::clone(secrets),
        };
        Self(tokio::spawn(memory.follow(store.log())))
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What is kept in memory, and where it comes from.
struct Memory {
    store: Store,
    sessions: Arc<Sessions>,
    tokens: Arc<AccessTokens>,
    secrets: Arc<Secrets>,
}

impl Memory {
    async fn follow(self, log: Log) {
        let mut head = log.head();
        let mut place = log.place();
        // No session is remembered yet, so what was logged before now cannot matter; keys were read a moment before.
        let mut keys_changed = true;
        loop {
            if keys_changed {
                keys_changed = !self.read_keys().await;
            }
            let moved = tokio::select! {
                moved = head.changed() => moved,
                () = tokio::time::sleep(PAUSE), if keys_changed => continue,
            };
            if moved.is_err() {
                return;
            }
            match self.read_on(&log, &mut place).await {
                Ok(changed) => keys_changed |= changed,
                Err(why) => {
                    // What was missed is unknown, so nothing that is remembered may be trusted.
                    tracing::warn!(why, "sessions and keys are read anew");
                    place = log.place();
                    self.sessions.forget_all();
                    keys_changed = true;
                }
            }
        }
    }

    /// Takes in all changes after a place, and moves it; whether the keys are others. The error says why it cannot go on
    /// from there.
    async fn read_on(&self, log: &Log, place: &mut (u64, Arc<Eras>)) -> Result<bool, String> {
        let (seen, eras) = place;
        let mut keys_changed = false;
        loop {
            let stretch = log.after(*seen, CHANGES_MAX).await.map_err(|error| error.to_string())?;
            if !eras.lead_to(&stretch.eras, *seen) {
                return Err("changes that were read are lost".to_owned());
            }
            *eras = stretch.eras;
            let Some(last) = stretch.changes.last() else { return Ok(keys_changed) };
            *seen = last.seq;
            for change in &stretch.changes {
                keys_changed |= change.kind == ChangeKind::Keys;
                settle(&self.sessions, &change.kind);
            }
        }
    }

    /// Whether the keys could be read.
    async fn read_keys(&self) -> bool {
        let read = self.tokens.read_anew(&self.store, &self.secrets).await;
        if let Err(error) = &read {
            tracing::warn!(%error, "the signing keys cannot be read now; trying again");
        }
        read.is_ok()
    }
}

fn settle(sessions: &Sessions, change: &ChangeKind) {
    match change {
        ChangeKind::Auth { session: Some(session), .. } => sessions.end(std::iter::once(&**session)),
        ChangeKind::Auth { user, session: None } => sessions.forget_user(user),
        ChangeKind::Record { .. } | ChangeKind::Schema | ChangeKind::Keys => {}
    }
}
