//! Several operations in one transaction, in order, all or nothing.

use super::access::{self, Gate};
use super::change::{Change, found, same_version, update_in};
use super::create::{create_in, prepare};
use super::delete::delete_in;
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
            let verb = operation.op;
            let answer = run(tx, &inner, &catalogue, operation).await.map_err(|error| at(position, error))?;
            if position > 0 {
                body.push(b',');
            }
            result(verb, &answer, &mut body);
        }
        body.extend_from_slice(b"]}");
        Ok(RecordAnswer { id: String::new(), version: 0, body, replayed: false })
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
    let Operation { op, collection, id, data, if_version } = operation;
    match op {
        Verb::Create => {
            if if_version.is_some() {
                return Err(problem("if_version", "A record that is made has no version yet."));
            }
            let body = chosen_id(data.unwrap_or_default(), id)?;
            let prepared = prepare(cx, Gate::new(cx, catalogue, &collection)?.collection, body)?;
            create_in(tx, cx, catalogue, &collection, prepared).await
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
            Ok(RecordAnswer { id, version, body: Vec::new(), replayed: false })
        }
    }
}

fn named(id: Option<String>) -> Result<String, Error> {
    id.ok_or_else(|| problem("id", "This operation needs the id of a record."))
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

/// Something wrong with the operation itself rather than with its data.
fn problem(member: &str, message: &str) -> Error {
    let field =
        FieldProblem { path: format!("//{member}"), code: "invalid".to_owned(), message: message.to_owned() };
    Error { fields: vec![field], ..Error::new(Code::BadRequest) }
}

/// The error of operation `position`, its paths relative to the batch. Paths of a record's fields lie below `data`, apart
/// from its id and what `problem` marks as the operation's own.
fn at(position: usize, error: Error) -> Error {
    let locate = |path: &str| match path.strip_prefix('/') {
        Some("id") => format!("/operations/{position}/id"),
        Some(own) if own.starts_with('/') => format!("/operations/{position}{own}"),
        _ => format!("/operations/{position}/data{path}"),
    };
    let text = error.detail.as_deref().unwrap_or(error.code.title());
    let detail = Some(format!("Operation {position}: {text}"));
    let fields =
        error.fields.into_iter().map(|field| FieldProblem { path: locate(&field.path), ..field }).collect();
    Error { detail, fields, ..error }
}

fn result(verb: Verb, answer: &RecordAnswer, out: &mut Vec<u8>) {
    let (op, record) = match verb {
        Verb::Create => ("create", true),
        Verb::Update => ("update", true),
        Verb::Delete => ("delete", false),
        Verb::Require => ("require", false),
    };
    if record {
        out.extend_from_slice(format!("{{\"op\":\"{op}\",\"record\":").as_bytes());
        out.extend_from_slice(&answer.body);
        out.push(b'}');
    } else {
        // An id holds no character that JSON escapes.
        out.extend_from_slice(format!("{{\"op\":\"{op}\",\"id\":\"{}\"}}", answer.id).as_bytes());
    }
}
