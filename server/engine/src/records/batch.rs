//! Several operations in one transaction, in order, all or nothing.

use super::access::{self, Gate};
use super::change::{Change, found, same_version, update_in};
use super::create::{Making, create_in, prepare};
use super::delete::delete_in;
use super::upsert::{self, upsert_in};
use super::{Idempotency, Mode, RecordAnswer, idempotency};
use crate::limits::BATCH_OPERATIONS_MAX;
use crate::{Catalogue, Ctx, Error};
use serde_json::{Map, Value};
use stead_store::Tx;
use stead_wire::records::{Batch, Operation, Verb};
use stead_wire::{Code, FieldProblem};

/// See [`super::batch`].
pub(super) async fn batch(
    cx: &Ctx,
    batch: Batch,
    key: Option<Idempotency>,
) -> Result<(Vec<u8>, bool), Error> {
    if batch.operations.len() > BATCH_OPERATIONS_MAX {
        let text = format!("A batch has at most {BATCH_OPERATIONS_MAX} operations.");
        return Err(Error::with(Code::BadRequest, text));
    }
    let catalogue = cx.project.catalogue();
    let inner = cx.clone();
    let job = async move |tx: &mut Tx<'_>| {
        let mut body = b"{\"results\":[".to_vec();
        for (position, operation) in batch.operations.into_iter().enumerate() {
            let (verb, place) = (operation.op, Place { position, own_id: operation.id.is_some() });
            let answer =
                run(tx, &inner, &catalogue, operation).await.map_err(|error| place.locate(verb, error))?;
            if position > 0 {
                body.push(b',');
            }
            result(verb, &answer, &mut body);
        }
        body.extend_from_slice(b"]}");
        Ok(RecordAnswer::of(String::new(), 0, body))
    };
    let answer = idempotency::once(cx, key, job).await?;
    Ok((answer.body, answer.replayed))
}

async fn run(
    tx: &mut Tx<'_>,
    cx: &Ctx,
    catalogue: &Catalogue,
    operation: Operation,
) -> Result<RecordAnswer, Error> {
    let Operation { op, collection, id, data, on, if_version } = operation;
    if on.is_some() && op != Verb::Upsert {
        return Err(problem("on", "Only an upsert names unique fields."));
    }
    match op {
        Verb::Create => {
            no_version(if_version)?;
            let body = chosen_id(data.unwrap_or_default(), id)?;
            let collection_of = Gate::new(cx, catalogue, &collection)?.collection;
            let prepared = prepare(cx, collection_of, body, Making::Plain)?;
            create_in(tx, cx, catalogue, &collection, prepared).await
        }
        Verb::Upsert => {
            no_version(if_version)?;
            let body = chosen_id(data.unwrap_or_default(), id)?;
            let on = on.ok_or_else(|| problem("on", "An upsert names `id` or unique fields."))?;
            let gate = Gate::new(cx, catalogue, &collection)?;
            let key = upsert::key(gate, &on).map_err(|error| Error { fields: own("on", &error), ..error })?;
            upsert_in(tx, catalogue, gate, &key, body).await
        }
        Verb::Update => {
            let change =
                Change { id: named(id)?, mode: Mode::Merge, body: data.unwrap_or_default(), if_version };
            update_in(tx, cx, catalogue, &collection, change).await
        }
        Verb::Delete => {
            no_data(data)?;
            delete_in(tx, cx, catalogue, &collection, &named(id)?, if_version).await
        }
        Verb::Require => {
            no_data(data)?;
            let (stored, _) = found(tx, Gate::new(cx, catalogue, &collection)?, &named(id)?).await?;
            same_version(&stored, if_version)?;
            let (id, version) = (access::id(&stored).to_owned(), access::version(&stored));
            Ok(RecordAnswer::of(id, version, Vec::new()))
        }
    }
}

fn named(id: Option<String>) -> Result<String, Error> {
    id.ok_or_else(|| problem("id", "This operation needs the id of a record."))
}

fn no_version(if_version: Option<i64>) -> Result<(), Error> {
    match if_version {
        Some(_) => Err(problem("if_version", "A record that may be made has no version yet.")),
        None => Ok(()),
    }
}

fn no_data(data: Option<Map<String, Value>>) -> Result<(), Error> {
    if data.is_some() { Err(problem("data", "This operation takes no data.")) } else { Ok(()) }
}

/// The body of a create, with the operation's `id` in it.
fn chosen_id(mut body: Map<String, Value>, id: Option<String>) -> Result<Map<String, Value>, Error> {
    if let Some(id) = id {
        if body.get("id").is_some_and(|other| other.as_str() != Some(&id)) {
            return Err(problem("id", "The operation and its data name different ids."));
        }
        body.insert("id".to_owned(), Value::from(id));
    }
    Ok(body)
}

/// Something wrong with the operation itself rather than with its data. Its path has one slash more than one of a field.
fn problem(member: &str, message: &str) -> Error {
    let error = Error::with(Code::BadRequest, message);
    Error { fields: own(member, &error), ..error }
}

fn own(member: &str, error: &Error) -> Vec<FieldProblem> {
    let message = error.detail.clone().unwrap_or_else(|| error.code.title().to_owned());
    vec![FieldProblem { path: format!("//{member}"), code: "invalid".to_owned(), message }]
}

/// Where an operation stands in its batch.
#[derive(Clone, Copy)]
struct Place {
    position: usize,
    /// Whether it names the record's id itself rather than in its data.
    own_id: bool,
}

impl Place {
    /// The error with paths into the batch. One that names no field names the operation.
    fn locate(self, verb: Verb, error: Error) -> Error {
        let position = self.position;
        let text = error.detail.as_deref().unwrap_or(error.code.title());
        let detail = Some(format!("Operation {position}: {text}"));
        let mut fields: Vec<FieldProblem> = error
            .fields
            .into_iter()
            .map(|field| FieldProblem { path: self.path(verb, &field.path), ..field })
            .collect();
        if fields.is_empty() {
            let (path, code) = (format!("/operations/{position}"), error.code.to_string());
            fields.push(FieldProblem { path, code, message: text.to_owned() });
        }
        Error { detail, fields, ..error }
    }

    /// Paths of a record's fields lie below `data`, apart from an id that the operation names and its own members.
    fn path(self, verb: Verb, path: &str) -> String {
        let position = self.position;
        let chosen = self.own_id && matches!(verb, Verb::Create | Verb::Upsert);
        match path.strip_prefix('/') {
            Some("id") if chosen => format!("/operations/{position}/id"),
            Some(own) if own.starts_with('/') => format!("/operations/{position}{own}"),
            _ => format!("/operations/{position}/data{path}"),
        }
    }
}

fn result(verb: Verb, answer: &RecordAnswer, out: &mut Vec<u8>) {
    let (op, record) = match verb {
        Verb::Create => ("create", true),
        Verb::Update => ("update", true),
        Verb::Upsert => ("upsert", true),
        Verb::Delete => ("delete", false),
        Verb::Require => ("require", false),
    };
    if !record {
        // An id holds no character that JSON escapes.
        return out.extend_from_slice(format!("{{\"op\":\"{op}\",\"id\":\"{}\"}}", answer.id).as_bytes());
    }
    out.extend_from_slice(format!("{{\"op\":\"{op}\",").as_bytes());
    if verb == Verb::Upsert {
        out.extend_from_slice(format!("\"created\":{},", answer.created).as_bytes());
    }
    out.extend_from_slice(b"\"record\":");
    out.extend_from_slice(&answer.body);
    out.push(b'}');
}
