//! What the server knows of providers by name: addresses, scopes and customs. Everything else is declared or discovered.

use super::id_token::Issuers;
use super::profile::Authority;
use crate::auth::crypto::Alg;
use stead_schema::Provider;

/// How a provider tells who somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// By an ID token (OpenID Connect).
    OpenId,
    /// By calls with an access token, each in its own way.
    GitHub,
    Facebook,
    Discord,
}

/// Where a provider is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoints {
    /// Where people are sent.
    pub(super) authorization: String,
    /// Where codes are traded.
    pub(super) token: String,
    /// Its keys; empty for those without ID tokens.
    pub(super) keys: String,
    /// Where an access token tells who it is; empty for those with ID tokens.
    pub(super) person: String,
    /// How ID tokens are signed.
    pub(super) algs: Vec<Alg>,
    /// Whether its answers always say who answers (RFC 9207).
    pub(super) names_itself: bool,
    /// Whether it wants our secret as HTTP Basic; otherwise it stands in the form.
    pub(super) basic: bool,
}

/// A provider whose addresses are known or still to be discovered.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) kind: Kind,
    pub(super) issuers: Issuers,
    /// `None` where they are discovered below the issuer.
    pub(super) endpoints: Option<Endpoints>,
    pub(super) authority: Authority,
    pub(super) scopes: &'static [&'static str],
    /// Parameters of the first request that only this provider has.
    pub(super) extra: &'static [(&'static str, &'static str)],
}

const OPENID: &[&str] = &["openid", "email", "profile"];
const TWITCH_CLAIMS: &str = r#"{"id_token":{"email":null,"email_verified":null,"preferred_username":null}}"#;

impl Service {
    /// What is known of a declared provider.
    pub(super) fn of(provider: &Provider) -> Self {
        match (provider.name.as_str(), provider.issuer.as_deref()) {
            ("github", own) => github(own),
            (_, Some(issuer)) => Self {
                issuers: Issuers::Of(vec![issuer.to_owned()]),
                endpoints: None,
                ..openid("", "", "", "")
            },
            ("google", None) => Self {
                authority: Authority::Google,
                issuers: of(&["https://accounts.google.com", "accounts.google.com"]),
                ..openid(
                    "https://accounts.google.com",
                    "https://accounts.google.com/o/oauth2/v2/auth",
                    "https://oauth2.googleapis.com/token",
                    "https://www.googleapis.com/oauth2/v3/certs",
                )
            },
            ("apple", None) => apple(),
            ("microsoft", None) => microsoft(provider.tenant.as_deref()),
            ("gitlab", None) => openid(
                "https://gitlab.com",
                "https://gitlab.com/oauth/authorize",
                "https://gitlab.com/oauth/token",
                "https://gitlab.com/oauth/discovery/keys",
            ),
            ("twitch", None) => Self {
                scopes: &["openid", "user:read:email"],
                extra: &[("claims", TWITCH_CLAIMS)],
                ..openid(
                    "https://id.twitch.tv/oauth2",
                    "https://id.twitch.tv/oauth2/authorize",
                    "https://id.twitch.tv/oauth2/token",
                    "https://id.twitch.tv/oauth2/keys",
                )
            },
            ("discord", None) => discord(),
            // The loader lets nothing else pass without an issuer.
            _ => facebook(),
        }
    }
}

fn of(issuers: &[&str]) -> Issuers {
    Issuers::Of(issuers.iter().map(|issuer| (*issuer).to_owned()).collect())
}

fn openid(issuer: &str, authorization: &str, token: &str, keys: &str) -> Service {
    Service {
        kind: Kind::OpenId,
        issuers: of(&[issuer]),
        endpoints: Some(Endpoints {
            authorization: authorization.to_owned(),
            token: token.to_owned(),
            keys: keys.to_owned(),
            person: String::new(),
            algs: vec![Alg::Rs256],
            names_itself: false,
            basic: false,
        }),
        authority: Authority::Declared,
        scopes: OPENID,
        extra: &[],
    }
}

/// Tokens of both of Apple's names for itself are of the same people.
fn apple() -> Service {
    Service {
        issuers: of(&["https://appleid.apple.com", "https://account.apple.com"]),
        authority: Authority::Verified,
        scopes: &["openid", "email", "name"],
        extra: &[("response_mode", "form_post")],
        ..openid(
            "https://appleid.apple.com",
            "https://appleid.apple.com/auth/authorize",
            "https://appleid.apple.com/auth/token",
            "https://appleid.apple.com/auth/keys",
        )
    }
}

fn microsoft(tenant: Option<&str>) -> Service {
    let base = format!("https://login.microsoftonline.com/{}", tenant.unwrap_or("common"));
    let issuers = match tenant {
        Some(_) => Issuers::Of(vec![format!("{base}/v2.0")]),
        None => Issuers::AnyTenant,
    };
    Service {
        issuers,
        authority: Authority::Microsoft,
        ..openid(
            "",
            &format!("{base}/oauth2/v2.0/authorize"),
            &format!("{base}/oauth2/v2.0/token"),
            &format!("{base}/discovery/v2.0/keys"),
        )
    }
}

fn without_id_token(kind: Kind, issuer: &str, [authorization, token, person]: [&str; 3]) -> Service {
    let service = openid(issuer, authorization, token, "");
    let endpoints =
        service.endpoints.map(|known| Endpoints { person: person.to_owned(), algs: Vec::new(), ..known });
    Service { kind, endpoints, ..service }
}

/// github.com, or a server of one's own. The address that github.com verified counts, because it is asked for by a call of its
/// own; on another server anybody may be its administrator.
fn github(own: Option<&str>) -> Service {
    let site = own.map_or("https://github.com", |own| own.trim_end_matches('/'));
    let api = own.map_or_else(|| "https://api.github.com".to_owned(), |_| format!("{site}/api/v3"));
    let authority = if own.is_none() { Authority::Verified } else { Authority::Declared };
    let (authorize, token) =
        (format!("{site}/login/oauth/authorize"), format!("{site}/login/oauth/access_token"));
    Service {
        authority,
        scopes: &["read:user", "user:email"],
        ..without_id_token(Kind::GitHub, site, [&authorize, &token, &format!("{api}/user")])
    }
}

fn facebook() -> Service {
    let endpoints = [
        "https://www.facebook.com/v21.0/dialog/oauth",
        "https://graph.facebook.com/v21.0/oauth/access_token",
        "https://graph.facebook.com/v21.0/me?fields=id,name,email",
    ];
    Service {
        scopes: &["email", "public_profile"],
        ..without_id_token(Kind::Facebook, "https://www.facebook.com", endpoints)
    }
}

fn discord() -> Service {
    let endpoints = [
        "https://discord.com/oauth2/authorize",
        "https://discord.com/api/oauth2/token",
        "https://discord.com/api/users/@me",
    ];
    Service {
        scopes: &["identify", "email"],
        ..without_id_token(Kind::Discord, "https://discord.com", endpoints)
    }
}
