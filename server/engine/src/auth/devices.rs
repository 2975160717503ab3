//! Devices on which a user has signed in before: proven by a token that says nothing and is stored nowhere here.
//!
//! The token is an HMAC over the user and the moment the password was set, so another password makes it worthless. It
//! opens nothing by itself: whoever shows it may try passwords while a storm or guessers elsewhere keep others waiting.

use super::crypto::Secrets;
use super::sql;
use crate::{Error, Project};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use stead_schema::Value;
use stead_store::Reader;

const PREFIX: &str = "kd1.";

/// What a device of this user may show at later sign-ins; `None` for a user without a password.
pub(super) async fn token_of(project: &Project, user: &str) -> Result<Option<String>, Error> {
    let key = [Value::text(user)];
    let job =
        async |reader: &mut Reader<'_>| Ok::<_, Error>(reader.fetch(&sql::PASSWORD_CHANGED_AT, &key).await?);
    let rows = project.store().read(job).await?;
    let changed_at = rows.first().map(|row| row.int(0)).transpose()?;
    Ok(changed_at.map(|at| write(&project.auth().secrets, user, at)))
}

fn write(secrets: &Secrets, user: &str, changed_at: i64) -> String {
    format!("{PREFIX}{}", BASE64.encode(secrets.devices.sign(&message(user, changed_at))))
}

/// Whether the token was given to this user under the present password. Whatever else it is counts as none.
pub(super) fn proven(secrets: &Secrets, user: &str, changed_at: i64, token: Option<&str>) -> bool {
    let proof = token.and_then(|token| BASE64.decode(token.strip_prefix(PREFIX)?).ok());
    proof.is_some_and(|proof| secrets.devices.fits(&message(user, changed_at), &proof))
}

/// Ids hold no `|`.
fn message(user: &str, changed_at: i64) -> Vec<u8> {
    format!("{user}|{changed_at}").into_bytes()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_user_its_password_and_its_server_only() {
        let (own, foreign) = (Secrets::derive(&[1; 32]).unwrap(), Secrets::derive(&[2; 32]).unwrap());
        let token = write(&own, "u1", 5);
        assert!(proven(&own, "u1", 5, Some(&token)));
        assert!(!proven(&own, "u2", 5, Some(&token)));
        assert!(!proven(&own, "u1", 6, Some(&token)));
        assert!(!proven(&foreign, "u1", 5, Some(&token)));
        for other in [None, Some(""), Some("kd1."), Some("kd1.%"), token.strip_prefix(PREFIX)] {
            assert!(!proven(&own, "u1", 5, other), "{other:?}");
        }
    }
}
