//! Numbers about the records a caller may see: counts, sums, means and extremes, by group.
//!
//! It covers exactly the records of the list, and a field that is hidden in a record is null there. It reads as much as
//! there is, so it never runs on a thread that serves other requests.

mod ask;

use self::ask::Columns;
use super::scan::Work;
use super::{access, cursor, list};
use crate::limits::{GROUPS, GROUPS_MAX, INT_MAX};
use crate::{Catalogue, Ctx, Error};
use std::sync::Arc;
use stead_rules::Expr;
use stead_schema::{Collection, CollectionId, Slot, Value, encode};
use stead_store::{Aggregate, GroupKey, Measure, Reader, Select};
use stead_wire::Code;
use stead_wire::records::AggregateParams;

/// A checked aggregate, ready to run.
struct Plan {
    catalogue: Arc<Catalogue>,
    collection: CollectionId,
    /// What a record must make true; none when no record can.
    conditions: Option<Vec<Expr>>,
    masks: Vec<(Slot, Expr)>,
    columns: Columns,
    sort: Vec<GroupKey>,
    pages: cursor::Question,
    after: Option<Vec<Value>>,
    limit: u32,
}

/// One value per column.
type Group = Vec<Value>;

/// See [`super::aggregate`].
pub(super) async fn aggregate(cx: &Ctx, name: &str, params: &AggregateParams) -> Result<Vec<u8>, Error> {
    let plan = plan(cx, name, params)?;
    if plan.conditions.is_none() {
        return plan.encode(&plan.nothing());
    }
    let work = plan.work(cx)?;
    let survey = async move |reader: &mut Reader<'_>| {
        work.allow(&plan.catalogue, reader).await?;
        plan.run(reader).await
    };
    cx.project.store().survey(survey).await
}

fn plan(cx: &Ctx, name: &str, params: &AggregateParams) -> Result<Plan, Error> {
    let catalogue = cx.project.catalogue();
    let (collection, rules) = catalogue.collection(name)?;
    let rights = access::fields(rules, &cx.caller, &cx.request_facts("list"), cx.now);
    let columns = Columns::read(collection, rights.never, params)?;
    let sort = columns.sort(collection, params.sort.as_deref())?;
    let asked = (params.filter.as_deref(), params.p.as_deref());
    let filter = list::wanted(cx, &catalogue, collection, rights.never, asked)?;
    let pages =
        cursor::Question::of([name, "aggregate", &columns.name(collection, &sort)], [asked.0, asked.1, None]);
    let kinds = || sort.iter().map(|key| columns.kind(collection, key.column));
    let after = params.cursor.as_deref().map(|text| pages.keys(kinds(), text)).transpose()?;
    Ok(Plan {
        conditions: list::permitted(cx, rules, filter),
        collection: collection.id,
        masks: rights.masks,
        columns,
        sort,
        pages,
        after,
        limit: limit(params)?,
        catalogue: Arc::clone(&catalogue),
    })
}

fn limit(params: &AggregateParams) -> Result<u32, Error> {
    let limit = params.limit.unwrap_or(GROUPS);
    if !(1..=GROUPS_MAX).contains(&limit) {
        return Err(Error::with(Code::BadRequest, format!("`limit` must be 1 to {GROUPS_MAX}.")));
    }
    Ok(limit)
}

impl Plan {
    fn collection(&self) -> Result<&Collection, Error> {
        let found = self.catalogue.schema.get(self.collection);
        found.ok_or_else(|| Error::internal("a planned collection is gone"))
    }

    /// The groups of no record: one when they are all together.
    fn nothing(&self) -> Vec<Group> {
        if !self.columns.group_by.is_empty() || self.after.is_some() {
            return Vec::new();
        }
        let zero = |measure: &Measure| if *measure == Measure::Count { Value::Int(0) } else { Value::Null };
        vec![self.columns.measures.iter().map(zero).collect()]
    }

    fn work(&self, cx: &Ctx) -> Result<Work, Error> {
        let predicates: Vec<&Expr> = self.conditions.iter().flatten().collect();
        let (masks, collection) = (&self.masks, self.collection()?);
        let select = Select {
            collection,
            predicates: &predicates,
            masks,
            sort: &[],
            after: None,
            limit: 1,
            words: None,
        };
        Ok(Work::of_aggregate(Arc::clone(cx.project.sizes()), &self.catalogue, &select))
    }

    async fn run(&self, reader: &mut Reader<'_>) -> Result<Vec<u8>, Error> {
        let predicates: Vec<&Expr> = self.conditions.iter().flatten().collect();
        let ask = Aggregate {
            collection: self.collection()?,
            predicates: &predicates,
            masks: &self.masks,
            group_by: &self.columns.group_by,
            measures: &self.columns.measures,
            sort: &self.sort,
            after: self.after.as_deref(),
            // One more than asked tells whether there is a next page.
            limit: self.limit + 1,
        };
        let groups = reader.aggregate(&ask).await?;
        self.encode(&groups)
    }

    fn encode(&self, groups: &[Group]) -> Result<Vec<u8>, Error> {
        let collection = self.collection()?;
        let mut out = Vec::with_capacity(64 + 64 * groups.len());
        out.extend_from_slice(b"{\"items\":[");
        let shown = groups.len().min(self.limit as usize);
        for (at, group) in groups.iter().take(shown).enumerate() {
            if at > 0 {
                out.push(b',');
            }
            self.group(collection, group, &mut out)?;
        }
        out.extend_from_slice(b"],\"next_cursor\":");
        let more = groups.len() > shown && !self.columns.group_by.is_empty();
        match shown.checked_sub(1).and_then(|last| groups.get(last)).filter(|_| more) {
            Some(last) => {
                let keys = self.sort.iter().map(|key| last.get(key.column).cloned().unwrap_or_default());
                encode::value(&Value::text(self.pages.cursor(keys)), &mut out);
            }
            None => out.extend_from_slice(b"null"),
        }
        out.push(b'}');
        Ok(out)
    }

    /// `{"group": {"status": "open"}, "count": 3, "sum": {"amount": 12}}`.
    fn group(&self, collection: &Collection, group: &Group, out: &mut Vec<u8>) -> Result<(), Error> {
        let fields = self.columns.group_by.iter().map(|slot| ("group", Some(*slot)));
        let measures = self.columns.measures.iter().map(|measure| ask::place(*measure));
        let mut open: Option<&str> = None;
        out.push(b'{');
        for ((word, slot), value) in fields.chain(measures).zip(group) {
            if open.is_some() && (open != Some(word) || slot.is_none()) {
                out.push(b'}');
                open = None;
            }
            if open.is_none() {
                comma(out);
                out.extend_from_slice(format!("\"{word}\":").as_bytes());
            }
            if let Some(field) = slot.and_then(|slot| collection.get(slot)) {
                if open.is_none() {
                    out.push(b'{');
                    open = Some(word);
                }
                comma(out);
                out.extend_from_slice(format!("\"{}\":", field.name).as_bytes());
            }
            encode::value(answerable(value)?, out);
        }
        out.extend_from_slice(if open.is_some() { b"}}" } else { b"}" });
        Ok(())
    }
}

/// A number that a JSON reader keeps as it is.
fn answerable(value: &Value) -> Result<&Value, Error> {
    let kept = match value {
        Value::Int(number) => (-INT_MAX..=INT_MAX).contains(number),
        Value::Float(number) => number.is_finite(),
        _ => true,
    };
    if kept { Ok(value) } else { Err(stead_store::Error::Overflow.into()) }
}

fn comma(out: &mut Vec<u8>) {
    if out.last().is_some_and(|byte| !matches!(byte, b'{' | b':')) {
        out.push(b',');
    }
}
