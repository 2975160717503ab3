//! Something is sent to an address, so that whoever reads its mail can prove it.
//!
//! Whether the address is anybody's shows neither in the answer nor in the time it takes: for one that is nobody's the same
//! rows are written, and its letter is thrown away where others are sent.

use super::Email;
use super::one_time::{Fresh, Purpose};
use crate::mail::{Kind, Letter};
use crate::{Ctx, Error, mail};
use serde::Serialize;
use serde_json::{Map, Value as Json};
use stead_store::Tx;
use stead_wire::Code;
use stead_wire::auth::Challenge;

/// What is sent, to whom, and what it is good for.
pub(super) struct Sending<'a, P> {
    pub(super) purpose: Purpose,
    pub(super) kind: Kind,
    /// What it is issued for; a newer one for the same takes its place.
    pub(super) subject: &'a str,
    /// Whose it is, if somebody's: with a new password it is worthless.
    pub(super) user: Option<&'a str>,
    pub(super) to: &'a Email,
    /// Whether there is a reason to send it. If not, all but that happens.
    pub(super) wanted: bool,
    pub(super) locale: Option<&'a str>,
    /// What is needed when it comes back.
    pub(super) payload: P,
}

impl<P: Serialize> Sending<'_, P> {
    /// Issues it and queues its letter.
    ///
    /// # Errors
    /// `forbidden` when this server sends no mail; when the database fails.
    pub(super) async fn send(&self, cx: &Ctx) -> Result<Challenge, Error> {
        let fresh = Fresh::draw(cx, self.purpose, &self.payload)?;
        let letter = letter(cx, self.kind, self.to, self.locale, Some(&fresh))?;
        let unread = Letter { to: None, ..letter.clone() }.seal(cx)?;
        let letter = Letter { to: letter.to.filter(|_| self.wanted), ..letter }.seal(cx)?;
        let answer = Challenge { challenge_id: fresh.id.clone(), expires_in: self.purpose.lifetime_s() };
        let (subject, user) = (self.subject.to_owned(), self.user.map(str::to_owned));
        let (inner, recipient) = (cx.clone(), self.to.canonical.clone());
        let job = async move |tx: &mut Tx<'_>| {
            if !mail::admit(tx, &inner, &recipient).await? {
                // Nor does it take the place of what was sent: that is what is in the mail.
                return unread.queue(tx).await;
            }
            fresh.issue(tx, &subject, user.as_deref(), inner.now).await?;
            letter.queue(tx).await
        };
        cx.project.store().write(job).await?;
        cx.project.mail().wake();
        Ok(answer)
    }
}

/// A letter with the link and the code of what was drawn.
///
/// # Errors
/// `forbidden` when this server sends no mail.
fn letter(
    cx: &Ctx,
    kind: Kind,
    to: &Email,
    locale: Option<&str>,
    fresh: Option<&Fresh>,
) -> Result<Letter, Error> {
    if !cx.project.mail().configured() {
        return Err(Error::with(Code::Forbidden, "This server sends no mail.")
            .hint("Start it with `--mail smtps://user:password@host`."));
    }
    let page = page(cx)?;
    let mut values: Map<String, Json> = Map::new();
    let link = match fresh {
        // After `#`, which browsers send to no server, so it stands in no log and in no `Referer`.
        Some(fresh) => format!("{page}#{}={}", fresh.purpose().name(), fresh.token),
        None => page,
    };
    values.insert("link".to_owned(), link.into());
    values.insert("email".to_owned(), to.address.as_str().into());
    if let Some(fresh) = fresh {
        values.insert("code".to_owned(), fresh.code.as_str().into());
    }
    let minutes = fresh.map_or(NOTICE_MINUTES, |fresh| (fresh.expires_at().us() - cx.now.us()) / 60_000_000);
    let locale = locale.map(str::to_owned);
    Ok(Letter { kind, to: Some(to.address.clone()), locale, values, minutes })
}

/// Queues a letter with the link and the code of what was drawn.
///
/// # Errors
/// `forbidden` when this server sends no mail; when the database fails.
pub(super) async fn post(
    tx: &mut Tx<'_>,
    cx: &Ctx,
    kind: Kind,
    to: &Email,
    locale: Option<&str>,
    fresh: Option<&Fresh>,
) -> Result<(), Error> {
    letter(cx, kind, to, locale, fresh)?.seal(cx)?.queue(tx).await
}

/// Queues a letter that only tells something. A server that sends no mail tells nothing.
///
/// # Errors
/// When the database fails.
pub(super) async fn tell(
    tx: &mut Tx<'_>,
    cx: &Ctx,
    kind: Kind,
    to: &Email,
    locale: Option<&str>,
) -> Result<(), Error> {
    match post(tx, cx, kind, to, locale, None).await {
        Err(error) if error.code == Code::Forbidden => Ok(()),
        posted => posted,
    }
}

/// The same with more that its template may name.
///
/// # Errors
/// When the database fails.
pub(super) async fn tell_with(
    tx: &mut Tx<'_>,
    cx: &Ctx,
    kind: Kind,
    to: &Email,
    more: Map<String, Json>,
) -> Result<(), Error> {
    match letter(cx, kind, to, None, None) {
        Err(error) if error.code == Code::Forbidden => Ok(()),
        Err(error) => Err(error),
        Ok(mut letter) => {
            letter.values.extend(more);
            letter.seal(cx)?.queue(tx).await
        }
    }
}

/// How long a letter that lets nobody in is worth being delivered: three days.
const NOTICE_MINUTES: i64 = 3 * 24 * 60;

/// Where links lead to: what is configured, never what a request says.
///
/// # Errors
/// `forbidden` when nothing is.
pub(super) fn page(cx: &Ctx) -> Result<String, Error> {
    let catalogue = cx.project.catalogue();
    let app = &catalogue.schema.app;
    let own = || cx.project.address().map(|address| format!("{address}/auth/ui"));
    app.auth_page.clone().or_else(own).ok_or_else(|| {
        Error::with(Code::Forbidden, "This app cannot send links.").hint("Set `public_url` in app.yaml.")
    })
}
