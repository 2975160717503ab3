//! What a database remembers of the schema that was applied last, whichever database it is.

use crate::Error;
use stead_schema::diff::{self, Step, Unsafe_};
use stead_schema::{Field, RuleText, Schema};

/// Key of the tables' shape, see `stead_schema::diff::canonical`.
pub(crate) const SHAPE: &str = "schema";

/// Key of the rules as text: a change of them concerns subscribers too, though no table changes.
pub(crate) const RULES: &str = "rules";

/// What brings the tables from the remembered shape to `schema`.
///
/// # Errors
/// `Refused` with every unsafe change.
pub(crate) fn steps(remembered: Option<&str>, schema: &Schema) -> Result<Vec<Step>, Error> {
    let remembered = remembered.map(serde_json::from_str).transpose();
    let remembered =
        remembered.map_err(|error| Error::Database(format!("the remembered schema is damaged: {error}")))?;
    diff::steps(remembered.as_ref(), schema).map_err(Error::Refused)
}

/// Checks that the remembered shape is the one of `schema`.
///
/// # Errors
/// `Refused` when it is another.
pub(crate) fn same(remembered: Option<&str>, schema: &Schema) -> Result<(), Error> {
    if remembered == Some(&diff::canonical(schema).to_string()) {
        return Ok(());
    }
    Err(Error::Refused(vec![Unsafe_ {
        what: "the data has the tables of another version of the app".to_owned(),
        help: "start this version once, or name the app that the data belongs to".to_owned(),
    }]))
}

/// Every rule, as text, in an order that does not hang on how they are written.
pub(crate) fn rules(schema: &Schema) -> serde_json::Value {
    let of_fields = |fields: &[Field]| -> Vec<serde_json::Value> {
        let text = |rule: &Option<RuleText>| rule.as_ref().map(|rule| rule.text.clone());
        fields
            .iter()
            .map(|field| serde_json::json!([field.name, text(&field.read), text(&field.write)]))
            .collect()
    };
    let of_collections = schema.collections.iter().map(|collection| {
        let mut rules: Vec<String> =
            collection.rules.iter().map(|(slot, rule)| format!("{slot:?} {}", rule.text)).collect();
        rules.sort_unstable();
        serde_json::json!([collection.name, rules, of_fields(&collection.fields)])
    });
    let functions = schema.functions.iter().map(|function| {
        let params: Vec<_> = function.params.iter().map(|(name, kind, _)| [name, kind]).collect();
        serde_json::json!([function.name, params, function.is.text])
    });
    serde_json::json!([of_collections.collect::<Vec<_>>(), functions.collect::<Vec<_>>()])
}
