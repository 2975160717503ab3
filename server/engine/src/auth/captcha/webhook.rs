//! A service that judges what its widget gave the page: Turnstile, hCaptcha, reCAPTCHA, or one of that kind.

use crate::outbound::{Question, Unanswered};
use crate::{Ctx, Error};
use stead_schema::CaptchaService;
use stead_wire::Code;

/// Whether the service says yes.
///
/// # Errors
/// `provider_failed` when it says nothing.
pub(super) async fn ask(cx: &Ctx, service: &CaptchaService, answer: &str) -> Result<bool, Error> {
    let failed = |why: &str| {
        tracing::warn!(request.id = %cx.meta.request_id, why, "the captcha service cannot be asked");
        Error::with(Code::ProviderFailed, "It cannot be told now whether a robot asks.")
    };
    let secret =
        cx.project.social().secret(&service.secret).ok_or_else(|| failed("its secret is not set"))?;
    let mut form = vec![("secret", secret), ("response", answer)];
    form.extend(cx.meta.ip.as_deref().map(|ip| ("remoteip", ip)));
    let question = Question { form: Some(&form), ..Question::get(&service.url, Some(&service.url)) };
    let reply =
        cx.project.social().ask(question).await.map_err(|error: Unanswered| failed(&error.to_string()))?;
    if reply.status != 200 {
        return Err(failed(&format!("it answered {}", reply.status)));
    }
    let said: serde_json::Value =
        serde_json::from_slice(&reply.body).map_err(|_| failed("it answered no JSON"))?;
    // Nothing but `true` is a yes.
    Ok(said.get("success") == Some(&serde_json::Value::Bool(true)))
}
