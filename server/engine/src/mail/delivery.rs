//! Takes mails from the queue and hands them over, for as long as the project lives.
//!
//! At least once: a server that dies, or loses its database, between handing a mail over and forgetting it lets it be sent
//! again, under the same `Message-ID`. Servers on one database share the queue; none waits for another.

use super::queue::{self, Taken};
use super::transport::Refused;
use super::{Counts, Signals};
use crate::ctx::WeakProject;
use crate::{Error, Project, limits};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// How often the queue is looked at unasked: for what other servers left, and for pauses that ended.
const PERIOD: Duration = Duration::from_secs(5);
/// Time between two looks while there is something to do.
const SOON: Duration = Duration::from_millis(100);
/// How long mails that are being handed over may go on when the project closes.
const CLOSING: Duration = Duration::from_secs(5);

/// Works until the project closes or is gone.
pub(super) async fn run(project: WeakProject, signals: Arc<Signals>) {
    let mut closing = signals.closing.subscribe();
    let mut sending = JoinSet::new();
    loop {
        let Some(project) = project.upgrade() else { return };
        let pause = match round(&project, &mut sending).await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::debug!(%error, "the queue of mails cannot be read now");
                PERIOD
            }
        };
        drop(project);
        tokio::select! {
            _ = closing.wait_for(|closing| *closing) => break,
            () = signals.wake.notified() => {}
            Some(_) = sending.join_next() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    let _ = tokio::time::timeout(CLOSING, async { while sending.join_next().await.is_some() {} }).await;
}

/// Starts on what is due, as far as there is room; how long to wait before the next look.
async fn round(project: &Project, sending: &mut JoinSet<()>) -> Result<Duration, Error> {
    let now = project.now().us();
    let look = queue::look(project).await?;
    project.mail().counts.waiting_is(look.waiting);
    if look.expires_at.is_some_and(|at| at <= now) {
        expire(project).await?;
    }
    let free = limits::MAILS_AT_ONCE.saturating_sub(sending.len());
    let next_at = look.next_at.filter(|_| free > 0 && project.mail().configured());
    let Some(due_us) = next_at.map(|at| at.saturating_sub(now)) else { return Ok(PERIOD) };
    if due_us > 0 {
        return Ok(Duration::from_micros(due_us.unsigned_abs()).clamp(SOON, PERIOD));
    }
    for taken in queue::take(project, free).await? {
        sending.spawn(deliver(project.clone(), taken));
    }
    Ok(SOON)
}

async fn expire(project: &Project) -> Result<(), Error> {
    let count = queue::remove_expired(project).await?;
    if count > 0 {
        Counts::add(&project.mail().counts.failed, count);
        tracing::warn!(count, "mails were given up: what they held has expired");
    }
    Ok(())
}

/// Hands one over and notes how it went.
async fn deliver(project: Project, taken: Taken) {
    let settled = match hand_over(&project, &taken).await {
        Ok(()) => queue::remove(&project, &taken.id).await,
        Err(refused) if refused.for_good => give_up(&project, &taken, &refused).await,
        Err(refused) => {
            let (kind, domain, why) = about(&taken, &refused);
            tracing::warn!(
                kind,
                domain,
                why,
                attempt = taken.attempts,
                "a mail was not sent; it is tried again"
            );
            queue::postpone(&project, &taken).await
        }
    };
    if let Err(error) = settled {
        tracing::warn!(%error, "a mail may be sent twice: the queue could not be written");
    }
}

async fn hand_over(project: &Project, taken: &Taken) -> Result<(), Refused> {
    let Some(letter) = &taken.letter else {
        return Err(Refused::now("it was written under another master key, or by a newer server"));
    };
    // It exists so that time does not tell whether somebody gets one.
    if letter.to.is_none() {
        return Ok(());
    }
    project.mail().send(project, &taken.id, letter).await?;
    Counts::add(&project.mail().counts.sent, 1);
    Ok(())
}

async fn give_up(project: &Project, taken: &Taken, refused: &Refused) -> Result<(), Error> {
    let (kind, domain, why) = about(taken, refused);
    Counts::add(&project.mail().counts.failed, 1);
    tracing::error!(kind, domain, why, "a mail was given up");
    queue::remove(project, &taken.id).await
}

/// What a log line may say: the mail's kind, where it goes, and why it did not, without whom it is for.
fn about<'a>(taken: &'a Taken, refused: &Refused) -> (&'a str, &'a str, String) {
    let letter = taken.letter.as_ref();
    let to = letter.and_then(|letter| letter.to.as_deref()).unwrap_or_default();
    let domain = to.rsplit_once('@').map_or("", |(_, domain)| domain);
    (letter.map_or("", |letter| letter.kind.name()), domain, without_names(&refused.why))
}

/// Takes the names out of addresses that a mail server repeats.
fn without_names(text: &str) -> String {
    let begins_address = |c: char| c.is_whitespace() || "<(\"':;,=".contains(c);
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '@' {
            let end = kept.rfind(begins_address).map_or(0, |at| at + 1);
            kept.truncate(end);
        }
        kept.push(c);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::without_names;

    #[test]
    fn what_a_mail_server_says_is_logged_without_names() {
        let said =
            without_names("550 5.1.1 <ana.b+x@example.org>: no such user ANA.B@example.org, see a@b.c");
        assert_eq!(said, "550 5.1.1 <@example.org>: no such user @example.org, see @b.c");
        assert_eq!(without_names("421 too busy"), "421 too busy");
    }
}
