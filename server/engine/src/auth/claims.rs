//! Claims of users: stored as one JSON object for each, read as values of the types that the app declares.
//!
//! What is stored outlives its declaration: a claim that is not declared (any more) or does not fit is not told to rules,
//! and comes back with its declaration.

use super::sql;
use crate::Error;
use crate::limits::CLAIMS_BYTES_MAX;
use serde_json::{Map, Value as Json};
use stead_rules::{Named, did_you_mean};
use stead_schema::validate::facts;
use stead_schema::{AppSettings, Value};
use stead_store::{Reader, Tx};
use stead_wire::FieldProblem;

/// The claims of a user, as rules see them.
///
/// # Errors
/// When the database fails.
pub(super) async fn of(reader: &mut Reader<'_>, app: &AppSettings, user: &str) -> Result<Named, Error> {
    if app.claims.is_empty() {
        return Ok(Named::default());
    }
    Ok(facts::known(&app.claims, &stored(reader, user).await?).into_iter().collect())
}

/// The claims of a user as they are stored.
///
/// # Errors
/// When the database fails.
pub(super) async fn stored(reader: &mut Reader<'_>, user: &str) -> Result<Map<String, Json>, Error> {
    let rows = reader.fetch(&sql::CLAIMS_OF, &[Value::text(user)]).await?;
    rows.first()
        .map_or_else(|| Ok(Map::new()), |row| serde_json::from_str(row.text(0)?).map_err(Error::internal))
}

/// Changes some claims of a user; what they are then.
///
/// # Errors
/// `field_invalid` for a claim that is not declared or does not fit, and for too many bytes.
pub(super) async fn change(
    tx: &mut Tx<'_>,
    app: &AppSettings,
    user: &str,
    change: &Map<String, Json>,
) -> Result<Map<String, Json>, Error> {
    let merged = merged(app, stored(tx, user).await?, change).map_err(Error::fields)?;
    let text = serde_json::to_string(&merged).map_err(Error::internal)?;
    tx.execute(&sql::SET_CLAIMS, &[Value::text(user), Value::text(text)]).await?;
    Ok(merged)
}

/// What is stored with a change: null takes a claim away, also one whose declaration is gone.
fn merged(
    app: &AppSettings,
    mut claims: Map<String, Json>,
    change: &Map<String, Json>,
) -> Result<Map<String, Json>, Vec<FieldProblem>> {
    let mut problems = Vec::new();
    for (name, json) in change {
        match (app.claim(name), json) {
            (None, Json::Null) if claims.contains_key(name) => {
                claims.shift_remove(name);
            }
            (None, _) => problems.push(undeclared(app, name)),
            (Some(_), Json::Null) => {
                claims.shift_remove(name);
            }
            (Some(fact), json) => match facts::fact(fact, json) {
                Ok(_) => {
                    claims.insert(name.clone(), json.clone());
                }
                Err(wrong) => problems.extend(wrong.into_iter().map(below_claims)),
            },
        }
    }
    let bytes = serde_json::to_string(&claims).map_or(usize::MAX, |text| text.len());
    if problems.is_empty() && bytes > CLAIMS_BYTES_MAX {
        let message = format!(
            "The claims of a user take at most {CLAIMS_BYTES_MAX} bytes as JSON; these take {bytes}."
        );
        problems.push(FieldProblem::of_field("claims", "too_large", message));
    }
    if problems.is_empty() { Ok(claims) } else { Err(problems) }
}

fn undeclared(app: &AppSettings, name: &str) -> FieldProblem {
    let shown: String = name.chars().take(64).collect();
    let help = did_you_mean(&shown, app.claims.iter().map(|claim| claim.name.as_str()));
    let help = help.map(|help| format!(" ({help})")).unwrap_or_default();
    let message = format!("`{shown}` is not among the claims of app.yaml{help}.");
    below_claims(FieldProblem::of_field(&shown, "unknown_claim", message))
}

fn below_claims(problem: FieldProblem) -> FieldProblem {
    FieldProblem { path: format!("/claims{}", problem.path), ..problem }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use serde_json::json;
    use stead_schema::{SourceFile, load};

    fn app(claims: &str) -> AppSettings {
        let text = format!("auth: {{claims: {{{claims}}}}}\n");
        load(vec![SourceFile { path: "app.yaml".into(), text }]).unwrap().app
    }

    fn object(json: Json) -> Map<String, Json> {
        json.as_object().unwrap().clone()
    }

    #[test]
    fn a_change_merges_by_name_and_null_takes_away() {
        let app = app("tier: {type: text}, level: {type: int, min: 0, max: 9}");
        let stored = object(json!({"tier": "pro", "gone": 1}));
        let change = |json| merged(&app, stored.clone(), &object(json)).map(Json::Object);
        assert_eq!(change(json!({"level": 3})).unwrap(), json!({"tier": "pro", "gone": 1, "level": 3}));
        assert_eq!(change(json!({"tier": null, "level": null})).unwrap(), json!({"gone": 1}));
        assert_eq!(change(json!({"gone": null})).unwrap(), json!({"tier": "pro"}));
        for (wrong, path, code) in [
            (json!({"level": "3"}), "/claims/level", "type"),
            (json!({"level": 10}), "/claims/level", "too_large"),
            (json!({"teir": "pro"}), "/claims/teir", "unknown_claim"),
            (json!({"gone": 2}), "/claims/gone", "unknown_claim"),
            (json!({"tier": "x".repeat(1100)}), "/claims", "too_large"),
        ] {
            let problems = change(wrong).unwrap_err();
            assert_eq!((problems[0].path.as_str(), problems[0].code.as_str()), (path, code));
        }
    }

    #[test]
    fn what_no_longer_fits_its_declaration_is_not_told() {
        let stored = object(json!({"tier": "pro", "level": 12, "old": true}));
        let now = app("tier: {type: text}, level: {type: int, max: 9}");
        let known: Named = facts::known(&now.claims, &stored).into_iter().collect();
        assert_eq!(known.get("tier"), Some(&Value::text("pro")));
        assert_eq!((known.get("level"), known.get("old")), (None, None));
    }
}
