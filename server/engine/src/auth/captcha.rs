//! Answers to robots: a sign that somebody means it, asked for before anything dear is done.
//!
//! It comes in a header of its own, so that every way in can ask for it without a word about it in its body.

mod puzzle;
mod webhook;

pub(super) use puzzle::offer;

use crate::{Ctx, Error};
use stead_schema::{Captcha, CaptchaKind, CaptchaOn};
use stead_wire::Code;
use stead_wire::auth::CaptchaOffer;

/// Longest answer that is looked at, in bytes.
const ANSWER_BYTES_MAX: usize = 4096;

/// Refuses a request that does not show what the app asks for here.
///
/// # Errors
/// `captcha_required`; `provider_failed` when whoever judges cannot be asked: nobody is let in unjudged.
pub(super) async fn passed(cx: &Ctx, on: CaptchaOn) -> Result<(), Error> {
    let catalogue = cx.project.catalogue();
    let Some(captcha) = catalogue.schema.app.captcha.as_ref().filter(|captcha| captcha.on.contains(&on))
    else {
        return Ok(());
    };
    let answer = cx.captcha.as_deref().filter(|answer| answer.len() <= ANSWER_BYTES_MAX);
    let answer = answer.ok_or_else(|| required(captcha))?;
    let passed = match &captcha.kind {
        CaptchaKind::Puzzle => puzzle::spend(cx, answer).await?,
        CaptchaKind::Webhook(service) => webhook::ask(cx, service, answer).await?,
    };
    if passed { Ok(()) } else { Err(required(captcha)) }
}

/// What a sign-in screen must know.
pub(super) fn told(captcha: &Captcha) -> CaptchaOffer {
    let (kind, site_key) = match &captcha.kind {
        CaptchaKind::Puzzle => ("puzzle", None),
        CaptchaKind::Webhook(service) => ("webhook", service.site_key.clone()),
    };
    let on = captcha.on.iter().map(|on| on.name().to_owned()).collect();
    CaptchaOffer { kind: kind.to_owned(), site_key, on }
}

fn required(captcha: &Captcha) -> Error {
    Error::new(Code::CaptchaRequired).hint(match &captcha.kind {
        CaptchaKind::Puzzle => {
            "Solve the puzzle of `GET /api/v1/auth/puzzle` and send `Stead-Captcha: <puzzle>.<number>`. A puzzle is good once."
        }
        CaptchaKind::Webhook(_) => "Send what the widget gave the page as `Stead-Captcha`.",
    })
}
