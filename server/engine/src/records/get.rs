//! One record: a single statement that holds the read rule, run inline.
//!
//! Only what is expanded of it may take long, and then runs where a deadline holds.

use super::access::{self, visible};
use super::shape::{self, Shape};
use super::{RecordAnswer, expand, show};
use crate::{Catalogue, Ctx, Error};
use std::sync::Arc;
use stead_rules::{CmpOp, Expr, Lowered, SortKey};
use stead_schema::{CollectionId, Slot, Value};
use stead_store::{Reader, Select};
use stead_wire::Code;
use stead_wire::records::ShowParams;

/// A checked question for one record, ready to run.
struct Plan {
    catalogue: Arc<Catalogue>,
    collection: CollectionId,
    id: String,
    /// What it must make true: that it has the id, and the read rule.
    conditions: Vec<Expr>,
    masks: Vec<(Slot, Expr)>,
    shape: Shape,
    /// See [`RecordAnswer::lasting`].
    lasting: bool,
}

/// See [`super::get`].
pub(super) async fn get(cx: &Ctx, name: &str, id: &str, params: &ShowParams) -> Result<RecordAnswer, Error> {
    let plan = plan(cx, name, id, params)?;
    let store = cx.project.store();
    if expand::is_small(&plan.catalogue, &plan.shape, 1) {
        store.read(async |reader: &mut Reader<'_>| plan.run(reader).await).await
    } else {
        store.survey(async move |reader: &mut Reader<'_>| plan.run(reader).await).await
    }
}

fn plan(cx: &Ctx, name: &str, id: &str, params: &ShowParams) -> Result<Plan, Error> {
    let catalogue = cx.project.catalogue();
    let (collection, rules) = catalogue.collection(name)?;
    let wanted = Value::text(id);
    let pinned = [(Slot::ID, wanted.clone())];
    let visibility = visible(rules, &cx.caller, &cx.request_facts("read"), cx.now, &pinned);
    let (fields, expand) = (params.fields.as_deref(), params.expand.as_deref());
    let shape = shape::shape(cx, &catalogue, collection, &visibility.fields, fields, expand)?;
    let by_id = Expr::Compare(CmpOp::Eq, Box::new(Expr::Row(Slot::ID)), Box::new(Expr::Literal(wanted)));
    let conditions = match visibility.predicate {
        Lowered::Deny => return Err(Error::new(Code::RecordNotFound)),
        Lowered::Allow => vec![by_id],
        Lowered::Ask(predicate) => vec![by_id, predicate.expr],
    };
    let (collection, masks) = (collection.id, visibility.fields.masks);
    let lasting = shape.branches.is_empty() && rules.field_read.iter().all(Option::is_none);
    let (id, catalogue) = (id.to_owned(), Arc::clone(&catalogue));
    Ok(Plan { collection, id, conditions, masks, shape, lasting, catalogue })
}

impl Plan {
    async fn run(&self, reader: &mut Reader<'_>) -> Result<RecordAnswer, Error> {
        let found = self.catalogue.schema.get(self.collection);
        let collection = found.ok_or_else(|| Error::internal("a planned collection is gone"))?;
        let select = Select {
            collection,
            predicates: &self.conditions.iter().collect::<Vec<_>>(),
            masks: &self.masks,
            sort: &[SortKey { slot: Slot::ID, descending: false }],
            after: None,
            limit: 1,
            words: None,
        };
        let page = reader.select(&select).await?;
        let Some(shown) = page.first() else { return Err(Error::new(Code::RecordNotFound)) };
        let grown = expand::grow(reader, &self.catalogue, &self.shape.branches, vec![shown]).await?;
        let mut body = Vec::with_capacity(512);
        show::record(&mut body, &self.catalogue, collection, shown, &self.shape, &grown);
        let version = access::version(&shown.row);
        Ok(RecordAnswer { lasting: self.lasting, ..RecordAnswer::of(self.id.clone(), version, body) })
    }
}
