//! First data from `seed/*.jsonl`: idempotent, users with passwords too.
//!
//! Seeds are the server's own doing: no rule binds them. A record that is there already is left as it is.

use crate::records::{access, change};
use crate::{Catalogue, Error, Project, auth};
use serde_json::{Map, Value as Json};
use std::collections::HashSet;
use std::sync::Arc;
use stead_schema::validate::{self, Defaults};
use stead_schema::{Collection, CollectionId, FieldType, Kind, Slot, Value};
use stead_store::{Reader, Tx};
use stead_wire::{Code, FieldProblem, Instant, id};

/// Records inserted in one transaction.
const CHUNK_RECORDS: usize = 500;

/// One seed file.
#[derive(Debug, Clone)]
pub struct SeedFile {
    /// The collection, from the file's name.
    pub collection: String,
    /// Path for messages.
    pub path: String,
    /// One JSON object per line.
    pub text: String,
}

/// Inserts the records whose ids are not there yet; how many were new. Files are taken in the order that references
/// need, lines in theirs. A line must have an `id`, and may have `created_at`; a user's also `email`, `verified` and
/// `password`.
///
/// # Errors
/// The first bad line, with file and line in its detail.
pub async fn seed(project: &Project, files: &[SeedFile]) -> Result<usize, Error> {
    let catalogue = project.catalogue();
    let mut made = 0;
    for (file, collection) in in_order(&catalogue, files)? {
        let lines: Vec<(usize, &str)> =
            (1..).zip(file.text.lines()).filter(|(_, line)| !line.trim().is_empty()).collect();
        for chunk in lines.chunks(CHUNK_RECORDS) {
            made += insert(project, &catalogue, collection, file, chunk).await?;
        }
    }
    Ok(made)
}

/// Files with their collections, a reference's target before what refers to it.
fn in_order<'a>(
    catalogue: &'a Catalogue,
    files: &'a [SeedFile],
) -> Result<Vec<(&'a SeedFile, &'a Collection)>, Error> {
    let mut known = Vec::with_capacity(files.len());
    for file in files {
        let (collection, _) = catalogue.collection(&file.collection).map_err(|error| Error {
            detail: error.detail.map(|text| format!("{}: {text}", file.path)),
            ..error
        })?;
        known.push((file, collection));
    }
    let rank = ranks(catalogue);
    known.sort_by_key(|(_, collection)| rank.iter().position(|id| *id == collection.id));
    Ok(known)
}

/// Collections, targets first; a circle is cut where it is entered.
fn ranks(catalogue: &Catalogue) -> Vec<CollectionId> {
    let (mut done, mut seen) = (Vec::new(), HashSet::new());
    for root in &catalogue.schema.collections {
        let mut open = vec![(root.id, false)];
        while let Some((id, left)) = open.pop() {
            if left {
                done.push(id);
            } else if seen.insert(id) {
                open.push((id, true));
                let targets = catalogue.schema.get(id).into_iter().flat_map(|collection| &collection.fields);
                open.extend(targets.filter_map(|field| match &field.kind {
                    FieldType::Ref { to, .. } => Some((*to, false)),
                    _ => None,
                }));
            }
        }
    }
    done
}

/// A line that fits its collection.
struct Line {
    number: usize,
    row: Arc<[Value]>,
    password: Option<String>,
}

async fn insert(
    project: &Project,
    catalogue: &Arc<Catalogue>,
    collection: &Collection,
    file: &SeedFile,
    chunk: &[(usize, &str)],
) -> Result<usize, Error> {
    let now = project.now();
    let mut lines = Vec::with_capacity(chunk.len());
    for (number, text) in chunk {
        let mut line =
            line(collection, *number, text, now).map_err(|error| located(&file.path, *number, error))?;
        // Hashing is slow on purpose, so only for users who are new.
        if let Some(password) = line.password.take()
            && !exists(project, collection, access::id(&line.row)).await?
        {
            line.password = Some(auth::hash_password(project, auth::Seat::server(), &password).await?);
        }
        lines.push(line);
    }
    let (catalogue, path, name) = (Arc::clone(catalogue), file.path.clone(), collection.name.clone());
    let job = async move |tx: &mut Tx<'_>| {
        // Servers that start together would each find nothing there, and each make it.
        tx.hold("seed").await?;
        let (collection, _) = catalogue.collection(&name)?;
        let mut made = 0;
        for Line { number, row, password } in lines {
            if tx.find(collection, access::id(&row)).await?.is_some() {
                continue;
            }
            let inserted = tx.insert(collection, Arc::clone(&row), None, now.us()).await;
            inserted.map_err(|error| located(&path, number, refused(collection, error)))?;
            if let Some(email) = email_of(collection, &row) {
                auth::set_email(tx, access::id(&row), email)
                    .await
                    .map_err(|error| located(&path, number, error))?;
            }
            if let Some(phc) = password {
                auth::set_password(tx, access::id(&row), &phc, now.us()).await?;
            }
            made += 1;
        }
        Ok::<usize, Error>(made)
    };
    project.store().write(job).await
}

/// The address a seeded user signs in with.
fn email_of<'r>(collection: &Collection, row: &'r [Value]) -> Option<&'r str> {
    let (slot, _) = collection.field("email").filter(|_| collection.kind == Kind::Auth)?;
    row.get(slot.index())?.as_text()
}

async fn exists(project: &Project, collection: &Collection, id: &str) -> Result<bool, Error> {
    let read = async |reader: &mut Reader<'_>| reader.find(collection, id).await;
    Ok(project.store().read(read).await?.is_some())
}

fn line(collection: &Collection, number: usize, text: &str, now: Instant) -> Result<Line, Error> {
    let mut body: Map<String, Json> =
        serde_json::from_str(text).map_err(|error| Error::with(Code::FieldInvalid, error.to_string()))?;
    let mut taken = |name: &str| body.shift_remove(name);
    let id = taken("id");
    let created_at = taken("created_at").map(|at| instant(&at)).transpose()?.unwrap_or(now.us());
    let user = collection.kind == Kind::Auth;
    let [email, verified, password] =
        ["email", "verified", "password"].map(|name| if user { taken(name) } else { None });

    let defaults = Defaults { now: created_at, auth_id: None };
    let mut row = validate::create(collection, &body, defaults).map_err(Error::fields)?.row;
    let id = id.as_ref().and_then(Json::as_str).filter(|id| id::is_valid(id));
    let id = id.ok_or_else(|| wrong("id", "every line needs an `id` of characters A-Z a-z 0-9 _ -"))?;
    change::put(&mut row, Slot::ID, Value::text(id));
    change::put(&mut row, Slot::CREATED_AT, Value::Datetime(created_at));
    change::put(&mut row, Slot::UPDATED_AT, Value::Datetime(created_at));
    change::put(&mut row, Slot::VERSION, Value::Int(1));
    if user {
        let email = email.as_ref().and_then(Json::as_str).filter(|text| text.contains('@'));
        let email = email.ok_or_else(|| wrong("email", "a user needs an `email`"))?;
        set(collection, &mut row, "email", Value::text(email.trim().to_ascii_lowercase()));
        set(collection, &mut row, "verified", Value::Bool(verified == Some(Json::Bool(true))));
    }
    let password = match password {
        None => None,
        Some(Json::String(text)) => Some(text),
        Some(_) => return Err(wrong("password", "a password is a text")),
    };
    Ok(Line { number, row: row.into(), password })
}

fn set(collection: &Collection, row: &mut [Value], name: &str, value: Value) {
    if let Some((slot, _)) = collection.field(name) {
        change::put(row, slot, value);
    }
}

fn instant(json: &Json) -> Result<i64, Error> {
    let at = json.as_str().and_then(Instant::parse);
    at.map(|at| at.whole_ms().us())
        .ok_or_else(|| wrong("created_at", "a point in time looks like 2026-01-31T12:00:00Z"))
}

fn wrong(field: &str, message: &str) -> Error {
    Error::fields(vec![FieldProblem::of_field(field, "invalid", message)])
}

/// Operators read this, so every field is named.
fn refused(collection: &Collection, error: stead_store::Error) -> Error {
    let name = |slot: Slot| collection.get(slot).map_or("?", |field| field.name.as_str());
    match &error {
        stead_store::Error::Unique { slots, .. } => {
            let names: Vec<&str> = slots.iter().map(|slot| name(*slot)).collect();
            let text = format!("another record has the same `{}`", names.join("`, `"));
            Error::with(Code::UniqueViolation, text)
        }
        stead_store::Error::MissingReference { slot, .. } => {
            wrong(name(*slot), "there is no record with this id")
        }
        _ => error.into(),
    }
}

fn located(path: &str, number: usize, error: Error) -> Error {
    let problems =
        error.fields.iter().map(|field| format!("{}: {}", field.path.trim_start_matches('/'), field.message));
    let texts: Vec<String> = error.detail.iter().cloned().chain(problems).collect();
    let text = if texts.is_empty() { error.code.title().to_owned() } else { texts.join("; ") };
    Error { detail: Some(format!("{path}:{number}: {text}")), ..error }
}
