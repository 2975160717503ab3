//! Apple takes no fixed secret but one that is signed with a key of the team, for at most half a year. It is made here, for
//! less than an hour, and used until shortly before its end.

use super::failed;
use crate::auth::crypto;
use crate::{Ctx, Error};
use serde_json::json;
use stead_schema::{AppleKey, Provider};

/// How long a secret is good, in seconds.
const LIFE_S: i64 = 3_000;
/// How long before its end another one is made, in seconds.
const SPARE_S: i64 = 300;

/// A secret that was made.
#[derive(Clone)]
pub(super) struct Made {
    text: String,
    ends_s: i64,
}

/// The secret of now.
pub(super) fn client_secret(cx: &Ctx, provider: &Provider, key: &AppleKey) -> Result<String, Error> {
    let social = cx.project.social();
    let now_s = cx.now.us() / 1_000_000;
    let place = format!("{}|{}|{}", provider.client_id, key.team_id, key.key_id);
    let good = |made: &&Made| made.ends_s - SPARE_S > now_s && made.ends_s - LIFE_S <= now_s;
    if let Some(made) = social.asking.made.lock().get(&place).filter(good) {
        return Ok(made.text.clone());
    }
    let pem = social.secrets.reveal(&key.private_key);
    let pem = pem.ok_or_else(|| failed(cx, &provider.name, "its private key is not set"))?;
    let ends_s = now_s + LIFE_S;
    let claims = json!({
        "iss": key.team_id, "sub": provider.client_id, "aud": "https://appleid.apple.com",
        "iat": now_s, "exp": ends_s,
    });
    let text = crypto::sign_with_pem(pem, &key.key_id, &claims)?;
    social.asking.made.lock().insert(place, Made { text: text.clone(), ends_s });
    Ok(text)
}
