//! New records: checked against the schema before the transaction, against the rules inside it.

use super::access::{self, Gate};
use super::{Idempotency, RecordAnswer, idempotency, show};
use crate::{Catalogue, Ctx, Error, admin};
use serde_json::Map;
use std::sync::Arc;
use stead_schema::validate::{self, Defaults};
use stead_schema::{Collection, Kind, Slot, SlotSet, Value};
use stead_store::Tx;
use stead_wire::{Code, FieldProblem, id};

/// A new record that fits its schema. Its rules have not been asked yet.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    row: Vec<Value>,
    given: SlotSet,
}

/// Under which rules a record is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// The `create` rule decides.
    Caller,
    /// A sign-up: allowed unless a declared `create` rule says no.
    SignUp,
}

/// What a body for a new record may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Making {
    /// Values.
    Plain,
    /// Operators too, which then work on defaults: it is made because an upsert did not find it.
    NotFound,
}

/// See [`super::create`].
pub(super) async fn create(
    cx: &Ctx,
    name: &str,
    body: Map<String, serde_json::Value>,
    key: Option<Idempotency>,
) -> Result<RecordAnswer, Error> {
    let catalogue = cx.project.catalogue();
    let gate = Gate::new(cx, &catalogue, name)?;
    let prepared = prepare(cx, gate.collection, body, Making::Plain)?;
    let (inner, name) = (cx.clone(), name.to_owned());
    let job = {
        let catalogue = Arc::clone(&catalogue);
        async move |tx: &mut Tx<'_>| create_in(tx, &inner, &catalogue, &name, prepared).await
    };
    idempotency::once(cx, key, job).await
}

/// Makes a prepared record under the caller's rules and answers it.
pub(super) async fn create_in(
    tx: &mut Tx<'_>,
    cx: &Ctx,
    catalogue: &Catalogue,
    name: &str,
    prepared: Prepared,
) -> Result<RecordAnswer, Error> {
    let gate = Gate::new(cx, catalogue, name)?;
    if gate.collection.kind == Kind::Auth {
        return Err(Error::with(Code::Forbidden, "Users are made by signing up."));
    }
    let row = insert_in(tx, gate, prepared, Right::Caller).await?;
    Ok(RecordAnswer { created: true, ..show::shown(tx, gate, &row).await? })
}

/// Checks the body against the schema and fills in defaults and system fields. Every wrong field is told at once.
pub(crate) fn prepare(
    cx: &Ctx,
    collection: &Collection,
    mut body: Map<String, serde_json::Value>,
    making: Making,
) -> Result<Prepared, Error> {
    let chosen = body.shift_remove("id");
    let (id, mut problems) = match chosen.as_ref().map(|id| id.as_str().filter(|id| id::is_valid(id))) {
        None => (cx.project.new_id()?.into_string(), Vec::new()),
        Some(Some(id)) => (id.to_owned(), Vec::new()),
        Some(None) => (String::new(), vec![id_problem()]),
    };
    let auth_id = cx.caller.facts().map(|facts| facts.id.as_ref());
    let defaults = Defaults { now: cx.now.us(), auth_id };
    let draft = match making {
        Making::Plain => validate::create(collection, &body, defaults),
        Making::NotFound => validate::create_unless_found(collection, &body, defaults),
    };
    let draft = match draft {
        Ok(draft) if problems.is_empty() => draft,
        Ok(_) => return Err(Error::fields(problems)),
        Err(more) => {
            problems.extend(more);
            return Err(Error::fields(problems));
        }
    };
    let mut prepared = Prepared { row: draft.row, given: draft.given };
    prepared.set(Slot::ID, Value::text(id));
    prepared.set(Slot::CREATED_AT, Value::Datetime(cx.now.us()));
    prepared.set(Slot::UPDATED_AT, Value::Datetime(cx.now.us()));
    prepared.set(Slot::VERSION, Value::Int(1));
    Ok(prepared)
}

fn id_problem() -> FieldProblem {
    let message = format!("An id has 1 to {} characters of A-Z a-z 0-9 _ -.", id::ID_BYTES_MAX);
    FieldProblem::of_field("id", "invalid_id", message)
}

impl Prepared {
    /// The record's id.
    pub(crate) fn id(&self) -> &str {
        access::id(&self.row)
    }

    /// Fills a field that the server keeps, such as a user's `email`.
    pub(crate) fn set(&mut self, slot: Slot, value: Value) {
        super::change::put(&mut self.row, slot, value);
    }
}

/// Asks the rules, inserts the record and logs it, all in this transaction. The rules see the state before it.
pub(crate) async fn insert_in(
    tx: &mut Tx<'_>,
    gate: Gate<'_>,
    prepared: Prepared,
    right: Right,
) -> Result<Arc<[Value]>, Error> {
    let Prepared { row, given } = prepared;
    let closed = gate.rules.create.source.is_none();
    if !(right == Right::SignUp && closed) {
        gate.create(tx, &row, given).await?;
    }
    gate.write_fields(tx, None, &row, given, given).await?;
    let row: Arc<[Value]> = row.into();
    let (cx, collection) = (gate.cx, gate.collection);
    let actor = cx.caller.actor();
    tx.insert(collection, Arc::clone(&row), actor.as_deref(), cx.now.us())
        .await
        .map_err(|error| gate.refused(error))?;
    gate.audit(tx, "records.create", access::id(&row)).await?;
    Ok(row)
}

impl Gate<'_> {
    /// Notes a write that the rules did not bind.
    pub(super) async fn audit(&self, tx: &mut Tx<'_>, action: &str, id: &str) -> Result<(), Error> {
        let Some(actor) = self.cx.caller.actor().filter(|_| self.cx.caller.is_operator()) else {
            return Ok(());
        };
        let target = format!("{}/{id}", self.collection.name);
        admin::audit(tx, &actor, action, &target, self.cx.now.us()).await
    }
}
