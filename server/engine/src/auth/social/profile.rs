//! What a provider says about a person, and how much of it counts.

use super::json;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// A person at a provider, as the provider vouches for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::auth) struct Profile {
    /// The provider's name in this app.
    pub(super) provider: String,
    /// With the subject the key of an identity, whatever the provider is called here.
    pub(super) issuer: String,
    pub(super) subject: String,
    /// The address, if one was given.
    pub(super) email: Option<String>,
    /// Whether the provider says that the address was proven to it.
    pub(super) verified: bool,
    /// Whether that is the provider's to say: it gives out such addresses itself.
    pub(super) authoritative: bool,
    /// Fields of a new user's record.
    pub(super) fields: Map<String, Json>,
}

/// For which addresses a provider's word counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Authority {
    /// Those of the declared domains alone.
    Declared,
    /// Google: its own mail, and accounts of an organisation that Google manages (`hd`).
    Google,
    /// Microsoft: where `xms_edov` says that the domain's owner proved the address.
    Microsoft,
    /// Every verified one: the provider sends mail to it and asks for an answer.
    Verified,
}

impl Authority {
    /// Whether `email` is proven by what these claims say, and whether they may say it.
    pub(super) fn judge(self, claims: &Map<String, Json>, email: &str, domains: &[String]) -> (bool, bool) {
        let says = |name: &str| claims.get(name) == Some(&Json::Bool(true));
        let domain =
            email.rsplit_once('@').map(|(_, domain)| domain.to_ascii_lowercase()).unwrap_or_default();
        let declared = domains.contains(&domain);
        let verified = says("email_verified");
        match self {
            Self::Declared => (verified, declared),
            Self::Google => {
                let managed = claims.get("hd").and_then(Json::as_str).is_some_and(|hd| !hd.is_empty());
                (verified, declared || managed || matches!(domain.as_str(), "gmail.com" | "googlemail.com"))
            }
            Self::Microsoft => {
                let owned = matches!(claims.get("xms_edov"), Some(Json::Bool(true)))
                    || claims.get("xms_edov").and_then(Json::as_i64) == Some(1)
                    || claims.get("xms_edov").and_then(Json::as_str) == Some("1");
                (verified || owned, declared && verified || owned)
            }
            // Apple writes the truth as text.
            Self::Verified => {
                let told = verified || claims.get("email_verified") == Some(&Json::String("true".to_owned()));
                (told, true)
            }
        }
    }
}

/// The primary address of `GET /user/emails` at GitHub and whether it is verified.
pub(super) fn github_address(body: &[u8]) -> Option<(String, bool)> {
    let wrapped = [b"{\"list\":", body, b"}"].concat();
    let list = json::object(&wrapped)?;
    let primary =
        list.get("list")?.as_array()?.iter().find(|one| one.get("primary") == Some(&Json::Bool(true)))?;
    let verified = primary.get("verified") == Some(&Json::Bool(true));
    Some((primary.get("email")?.as_str()?.to_owned(), verified))
}

/// Texts of a profile that fill the declared fields.
pub(super) fn mapped(claims: &Map<String, Json>, mapping: &[(String, String)]) -> Map<String, Json> {
    let text =
        |claim: &str| claims.get(claim).and_then(Json::as_str).map(str::trim).filter(|t| !t.is_empty());
    mapping.iter().filter_map(|(field, claim)| Some((field.clone(), text(claim)?.into()))).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn at_20_an_address_counts_only_where_the_provider_gives_it_out() {
        use Authority as A;
        let yes = json!({"email_verified": true});
        let domains = ["acme.example".to_owned()];
        for (authority, claims, email, expected) in [
            (A::Declared, yes.clone(), "a@acme.example", (true, true)),
            (A::Declared, yes.clone(), "a@ACME.example", (true, true)),
            (A::Declared, yes.clone(), "a@sub.acme.example", (true, false)),
            (A::Declared, yes.clone(), "a@acme.example.evil.example", (true, false)),
            (A::Declared, json!({"email_verified": "true"}), "a@acme.example", (false, true)),
            (A::Declared, json!({"email_verified": 1}), "a@acme.example", (false, true)),
            (A::Declared, json!({}), "a@acme.example", (false, true)),
            (A::Google, yes.clone(), "a@gmail.com", (true, true)),
            (A::Google, yes.clone(), "a@other.example", (true, false)),
            (
                A::Google,
                json!({"email_verified": true, "hd": "other.example"}),
                "a@other.example",
                (true, true),
            ),
            (A::Google, json!({"email_verified": false, "hd": "x"}), "a@gmail.com", (false, true)),
            (A::Microsoft, yes, "a@other.example", (true, false)),
            (A::Microsoft, json!({"xms_edov": true}), "a@other.example", (true, true)),
            (A::Microsoft, json!({"xms_edov": "1"}), "a@other.example", (true, true)),
            (A::Microsoft, json!({"xms_edov": false}), "a@acme.example", (false, false)),
            (A::Verified, json!({"email_verified": "true"}), "a@other.example", (true, true)),
            (A::Verified, json!({"email_verified": "yes"}), "a@other.example", (false, true)),
        ] {
            let judged = authority.judge(claims.as_object().unwrap(), email, &domains);
            assert_eq!(judged, expected, "{authority:?} {claims} {email}");
        }
    }

    #[test]
    fn github_tells_its_primary_address_and_no_other() {
        let list = br#"[{"email":"b@x.example","primary":false,"verified":true},
            {"email":"a@x.example","primary":true,"verified":false}]"#;
        assert_eq!(github_address(list), Some(("a@x.example".to_owned(), false)));
        assert_eq!(github_address(br#"[{"email":"a@x.example","verified":true}]"#), None);
        assert_eq!(github_address(b"{}"), None);
    }

    #[test]
    fn only_texts_fill_fields() {
        let claims = json!({"name": " Ana ", "level": 9, "empty": ""});
        let mapping = [("name", "name"), ("rank", "level"), ("x", "empty"), ("y", "absent")];
        let mapping = mapping.map(|(field, claim)| (field.to_owned(), claim.to_owned()));
        assert_eq!(Json::Object(mapped(claims.as_object().unwrap(), &mapping)), json!({"name": "Ana"}));
    }
}
