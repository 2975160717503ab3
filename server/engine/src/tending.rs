//! What a project does by itself from time to time, for as long as it lives. Several servers may do it at once: each of
//! these is done by one of them and is nothing to the others.

use crate::ctx::WeakProject;
use crate::{admin, auth};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Time between two looks.
const PERIOD: Duration = Duration::from_secs(1);

/// Stops with its owner.
pub(crate) struct Tending(JoinHandle<()>);

impl Tending {
    pub(crate) fn start(project: WeakProject) -> Self {
        Self(tokio::spawn(run(project)))
    }
}

impl Drop for Tending {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn run(project: WeakProject) {
    let mut told = admin::AuditTold::default();
    loop {
        tokio::time::sleep(PERIOD).await;
        let Some(project) = project.upgrade() else { return };
        for done in [auth::tend_signing_keys(&project).await, admin::tend_audit(&project, &mut told).await] {
            if let Err(error) = done {
                tracing::debug!(%error, "what is done from time to time failed; trying again");
            }
        }
    }
}
