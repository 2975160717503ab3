//! One record: a single statement that holds the read rule, run inline.

use super::access::{self, visible};
use super::{RecordAnswer, expand, show};
use crate::{Ctx, Error};
use stead_rules::{CmpOp, Expr, Lowered, SortKey};
use stead_schema::{Slot, Value};
use stead_store::{Reader, Select};
use stead_wire::Code;
use stead_wire::records::ShowParams;

/// See [`super::get`].
pub(super) async fn get(cx: &Ctx, name: &str, id: &str, params: &ShowParams) -> Result<RecordAnswer, Error> {
    let catalogue = cx.project.catalogue();
    let (collection, rules) = catalogue.collection(name)?;
    let wanted = Value::text(id);
    let pinned = [(Slot::ID, wanted.clone())];
    let visibility = visible(rules, &cx.caller, &cx.request_facts("read"), cx.now, &pinned);
    let rights = &visibility.fields;
    let shape =
        show::shape(cx, &catalogue, collection, rights, params.fields.as_deref(), params.expand.as_deref())?;

    let by_id = Expr::Compare(CmpOp::Eq, Box::new(Expr::Row(Slot::ID)), Box::new(Expr::Literal(wanted)));
    let predicates: &[&Expr] = match &visibility.predicate {
        Lowered::Deny => return Err(Error::new(Code::RecordNotFound)),
        Lowered::Allow => &[&by_id],
        Lowered::Ask(predicate) => &[&by_id, &predicate.expr],
    };
    let select = Select {
        collection,
        predicates,
        masks: &rights.masks,
        sort: &[SortKey { slot: Slot::ID, descending: false }],
        after: None,
        limit: 1,
        words: None,
    };
    let read = async |reader: &mut Reader<'_>| {
        let page = reader.select(&select).await?;
        let Some(shown) = page.first() else { return Err(Error::new(Code::RecordNotFound)) };
        let grown = expand::grow(reader, &catalogue, &shape.branches, vec![shown]).await?;
        let mut body = Vec::with_capacity(512);
        show::record(&mut body, &catalogue, collection, shown, &shape, &grown);
        let version = access::version(&shown.row);
        Ok(RecordAnswer { id: id.to_owned(), version, body, created: false, replayed: false })
    };
    cx.project.store().read(read).await
}
