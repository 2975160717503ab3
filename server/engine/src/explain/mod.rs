//! Why the rules say what they say: one question, the rules it asks, and what each clause saw. For operators.
//!
//! Reads and never writes. What is told here of a record, rules may hide from every user, so no door for users may lead
//! here.

mod hearing;
pub(crate) mod identity;
mod known;
mod listing;
mod said;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use hearing::{Asker, Heard, Hearing, Unheard};
pub use identity::made_up;
pub use said::{ClauseSaid, Explanation, ListSaid, LookupSaid, RuleSaid, TableSaid};

use crate::{Catalogue, Error, Project, auth, rule_tests};
use known::{Known, ROUNDS_MAX};
use stead_schema::{Collection, SlotSet};
use stead_store::Reader;
use stead_wire::{Code, FieldProblem};

pub use stead_wire::admin::RulesQuestion as Question;

/// Explains what the rules say to a question on the project's records.
///
/// # Errors
/// `collection_not_found`, `record_not_found`, `bad_request` for a question that is not one, `field_invalid`,
/// `filter_invalid`, `sort_invalid`, store errors.
pub async fn explain(project: &Project, question: &Question) -> Result<Explanation, Error> {
    let catalogue = project.catalogue();
    let (collection, _) = catalogue.collection(&question.collection)?;
    let asker = asker(project, &catalogue, question).await?;
    if question.op == "list" && question.id.is_none() {
        return listing::explain(project, &catalogue, collection, &asker, question).await;
    }
    let seen = project
        .store()
        .read(async |reader| {
            let mut known = Known::default();
            for _ in 0..ROUNDS_MAX {
                match hear(&catalogue, collection, &asker, question, &mut known) {
                    Err(Unheard::Lookup(_)) if known.read(&catalogue, reader).await? => {}
                    other => return Ok::<_, Error>(other),
                }
            }
            Err(Error::internal("an explanation needed too many records"))
        })
        .await?;
    seen.map_err(|why| match why {
        Unheard::Lookup(error) => Error::internal(error),
        Unheard::NoRecord => {
            let id = question.id.as_deref().unwrap_or_default();
            Error::with(Code::RecordNotFound, format!("There is no record `{id}` in `{}`.", collection.name))
        }
        Unheard::Unfit(problems) => Error::fields(problems),
    })
}

/// Puts the question to the rules with the records at hand.
fn hear(
    catalogue: &Catalogue,
    collection: &Collection,
    asker: &Asker,
    question: &Question,
    known: &mut Known,
) -> Result<Explanation, Unheard> {
    let bad = |text: &str| Unheard::Unfit(vec![FieldProblem::of_field("op", "invalid", text)]);
    let field = match &question.field {
        Some(name) => Some(collection.field(name).ok_or_else(|| {
            let text = format!("Collection `{}` has no field `{name}`.", collection.name);
            Unheard::Unfit(vec![FieldProblem::of_field("field", "unknown_field", text)])
        })?),
        None => None,
    };
    let draft = match question.op.as_str() {
        "create" => Some(
            rule_tests::world::draft(
                collection,
                &question.data,
                asker.auth.as_ref(),
                stead_wire::Instant(asker.now),
            )
            .map_err(Unheard::Unfit)?,
        ),
        _ => None,
    };
    let hearing =
        Hearing::new(catalogue, collection, asker, known, None).ok_or_else(|| bad("There are no rules."))?;
    let id = question.id.as_deref();
    let needed = || {
        Unheard::Unfit(vec![FieldProblem::of_field(
            "id",
            "required",
            "This question needs the `id` of a record.",
        )])
    };
    let heard = match (question.op.as_str(), draft, field) {
        ("create", Some(draft), _) => hearing.create(&draft)?,
        ("read", _, Some((slot, _))) => hearing.field(id.ok_or_else(needed)?, slot)?,
        ("read", ..) => hearing.read(id.ok_or_else(needed)?)?,
        ("list", ..) => hearing.listed(id.ok_or_else(needed)?)?,
        ("update", ..) => hearing.update(id.ok_or_else(needed)?, &question.data)?,
        ("delete", ..) => hearing.delete(id.ok_or_else(needed)?)?,
        _ => return Err(bad("`op` is list, read, create, update or delete.")),
    };
    Ok(said::explanation(catalogue, collection, question, &heard))
}

async fn asker(project: &Project, catalogue: &Catalogue, question: &Question) -> Result<Asker, Error> {
    let (now, app) = (project.now().us(), &catalogue.schema.app);
    let request = identity::request(app, question)?;
    if let Some(who) = &question.identity {
        let auth = Some(identity::facts_of(app, who, now).map_err(Error::fields)?);
        return Ok(Asker { auth, request, now });
    }
    let Some(id) = &question.who else { return Ok(Asker { auth: None, request, now }) };
    let users = catalogue.schema.users();
    let users = users.ok_or_else(|| Error::with(Code::BadRequest, "The app has no collection of users."))?;
    let read = async |reader: &mut Reader<'_>| match reader.find(users, id).await? {
        Some(record) => auth::facts_of(reader, &catalogue.schema, &record, now).await.map(Some),
        None => Ok(None),
    };
    let found = project.store().read(read).await?;
    let missing = || Error::with(Code::RecordNotFound, format!("There is no user with the id `{id}`."));
    Ok(Asker { auth: Some(found.ok_or_else(missing)?), request, now })
}

/// Names of fields.
fn names(collection: &Collection, slots: SlotSet) -> Vec<String> {
    let fields = collection.slots().filter(|(slot, _)| slots.contains(*slot));
    fields.map(|(_, field)| field.name.clone()).collect()
}
