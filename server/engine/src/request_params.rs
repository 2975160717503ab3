//! Parameters of requests: what a client sent, as values of the types that the app declares.
//!
//! A name that the app does not declare is refused: passed over in silence, a slip in a share link would look like a link
//! that was withdrawn.

use crate::Error;
use crate::limits::PARAM_BYTES_MAX;
use serde_json::{Map, Value as Json};
use stead_rules::{Named, did_you_mean};
use stead_schema::validate::facts;
use stead_schema::{AppSettings, Fact, Value};
use stead_wire::Code;

/// From the texts of a query.
///
/// # Errors
/// `bad_request` for a name that is not declared, one sent twice, or a value that does not fit.
pub fn from_query<'q>(
    app: &AppSettings,
    sent: impl Iterator<Item = (&'q str, &'q str)>,
) -> Result<Named, Error> {
    let mut found: Vec<(&str, Value)> = Vec::new();
    for (name, text) in sent {
        let fact = declared(app, name)?;
        if found.iter().any(|(known, _)| *known == name) {
            return Err(Error::with(Code::BadRequest, format!("The parameter `{name}` may be sent once.")));
        }
        if text.len() > PARAM_BYTES_MAX {
            return Err(too_long(name));
        }
        found.push((&fact.name, value(fact, &facts::from_text(&fact.kind, text))?));
    }
    Ok(found.into_iter().collect())
}

/// From JSON: a socket's frame, a rule test, a question of an operator. Null is as if it were not there.
///
/// # Errors
/// As [`from_query`].
pub fn from_json(app: &AppSettings, sent: &Map<String, Json>) -> Result<Named, Error> {
    let read = |(name, json): (&String, &Json)| {
        let fact = declared(app, name)?;
        if json.as_str().is_some_and(|text| text.len() > PARAM_BYTES_MAX) {
            return Err(too_long(name));
        }
        Ok((fact.name.as_str(), value(fact, json)?))
    };
    sent.iter().filter(|(_, json)| !json.is_null()).map(read).collect()
}

fn declared<'a>(app: &'a AppSettings, name: &str) -> Result<&'a Fact, Error> {
    app.request_param(name).ok_or_else(|| {
        let shown: String = name.chars().take(64).collect();
        let error =
            Error::with(Code::BadRequest, format!("The app declares no request parameter `{shown}`."));
        let known = app.request_params.iter().map(|fact| fact.name.as_str());
        match did_you_mean(&shown, known) {
            Some(help) => error.hint(format!(
                "{}{}",
                help.get(..1).unwrap_or_default().to_uppercase(),
                help.get(1..).unwrap_or_default()
            )),
            None => error,
        }
    })
}

fn value(fact: &Fact, json: &Json) -> Result<Value, Error> {
    facts::fact(fact, json).map_err(|problems| {
        let told: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
        Error::with(Code::BadRequest, format!("The request parameter {}.", told.join("; ")))
    })
}

fn too_long(name: &str) -> Error {
    let detail = format!("The request parameter `{name}` has more than {PARAM_BYTES_MAX} bytes.");
    Error::with(Code::BadRequest, detail)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use serde_json::json;
    use stead_schema::{SourceFile, load};

    fn app() -> AppSettings {
        let text = "auth:\n  request_params: {share: {type: text, min: 1}, page: int, exact: bool, since: datetime}\n";
        load(vec![SourceFile { path: "app.yaml".into(), text: text.into() }]).unwrap().app
    }

    #[test]
    fn a_query_gives_values_of_the_declared_types() {
        let sent = [("share", "7"), ("page", "7"), ("exact", "true"), ("since", "2026-01-01T00:00:00Z")];
        let params = from_query(&app(), sent.into_iter()).unwrap();
        assert_eq!(params.get("share"), Some(&Value::text("7")));
        assert_eq!(params.get("page"), Some(&Value::Int(7)));
        assert_eq!(params.get("exact"), Some(&Value::Bool(true)));
        assert_eq!(params.get("since"), Some(&Value::Datetime(1_767_225_600_000_000)));
        let json = json!({"share": "7", "page": 7, "exact": true, "since": "2026-01-01T00:00:00Z"});
        assert_eq!(from_json(&app(), json.as_object().unwrap()).unwrap(), params);
        let nothing = json!({"share": null});
        assert!(from_json(&app(), nothing.as_object().unwrap()).unwrap().is_empty());
    }

    #[test]
    fn what_does_not_fit_is_named_and_never_passed_over() {
        let long = "x".repeat(PARAM_BYTES_MAX + 1);
        for (name, text, told) in [
            ("shaer", "x", "`shaer`"),
            ("share", "", "`share` is shorter"),
            ("share", long.as_str(), "`share` has more than 1024 bytes"),
            ("page", "seven", "`page` must be a whole number"),
            ("page", "7.5", "`page` must be a whole number"),
            ("exact", "yes", "`exact` must be true or false"),
            ("since", "yesterday", "`since` is not an RFC 3339"),
        ] {
            let error = from_query(&app(), [(name, text)].into_iter()).unwrap_err();
            assert_eq!(error.code, Code::BadRequest);
            assert!(error.detail.as_deref().unwrap().contains(told), "{error}");
        }
        let error = from_query(&app(), [("shaer", "x")].into_iter()).unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("Did you mean `share`?"));
        assert!(from_query(&app(), [("share", "x"), ("share", "x")].into_iter()).is_err());
        assert!(
            from_query(&app(), [("share", &*"x".repeat(PARAM_BYTES_MAX))].into_iter()).is_ok(),
            "control"
        );
    }
}
