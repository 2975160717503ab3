//! Operators try whether mail works.

use super::{audit, in_person};
use crate::auth::Email;
use crate::mail::{Kind, Letter, sample};
use crate::{Ctx, Error};
use serde_json::{Value as Json, json};
use stead_store::Tx;
use stead_wire::admin::{MailTest, MailWay};
use stead_wire::{Code, FieldProblem};

/// How long a sample may wait in the queue, in minutes.
const SAMPLE_MINUTES: i64 = 60;

/// Sends a sample to an address, past every budget: `{sent, said}`, where `said` is what the transport answered. Through the
/// queue, where mails to users go: `{queued: true}`, and the log says how it went.
///
/// # Errors
/// `field_invalid` on `/to`; `token_required`, `forbidden` for anybody but an operator.
pub async fn test_mail(cx: &Ctx, body: MailTest) -> Result<Json, Error> {
    let actor = in_person(cx)?.actor();
    let letter = letter(&body)?;
    let (sealed, at, target) = (letter.seal(cx)?, cx.now.us(), format!("mail/{}", letter.kind.name()));
    let queued = body.via == MailWay::Queue;
    let job = async move |tx: &mut Tx<'_>| {
        if queued {
            sealed.queue(tx).await?;
        }
        audit(tx, &actor, "mail.test", &target, at).await
    };
    cx.project.store().write(job).await?;
    let mail = cx.project.mail();
    if queued {
        mail.wake();
        return Ok(json!({ "queued": true }));
    }
    Ok(match mail.send(&cx.project, cx.project.new_id()?.as_str(), &letter).await {
        Ok(said) => json!({ "sent": true, "said": said }),
        Err(refused) => json!({ "sent": false, "said": refused.why }),
    })
}

fn letter(body: &MailTest) -> Result<Letter, Error> {
    let kind = body.kind.as_deref().map_or(Some(Kind::VerifyEmail), Kind::named);
    let kind = kind.ok_or_else(|| Error::with(Code::BadRequest, "There is no such mail."))?;
    let Some(to) = Email::parse(&body.to) else {
        let problem = FieldProblem::of_field("to", "email", "This is not an e-mail address.");
        return Err(Error::fields(vec![problem]));
    };
    let values = sample(kind, "", &to.address);
    let locale = body.locale.clone();
    Ok(Letter { kind, to: Some(to.address), locale, values, minutes: SAMPLE_MINUTES })
}
