//! Pages of records: list rule, filter and position in one statement.
//!
//! A page that an index serves runs inline; any other, and every count, goes where a deadline holds.

use super::access::{self, FieldRights};
use super::bounded::{pins, served_by_index};
use super::filters::Asked;
use super::scan::Work;
use super::search::Search;
use super::shape::{self, Shape};
use super::{cursor, expand, search, show};
use crate::limits::{COUNT_MAX, FILTER_BYTES_MAX, PAGE_BYTES_MAX, PAGE_RECORDS, PAGE_RECORDS_MAX};
use crate::{Catalogue, Ctx, Error};
use std::sync::Arc;
use stead_rules::filter::{self, FilterError, FilterScope};
use stead_rules::{CollectionRules, Expr, Facts, Lowered, SortKey, lower::lower_expr};
use stead_schema::{Collection, CollectionId, Slot, SlotSet, Value};
use stead_store::{Page, Planned, Reader, Select, Shown};
use stead_wire::records::ListParams;
use stead_wire::{Code, FieldProblem};

/// A checked list, ready to run.
struct Plan {
    catalogue: Arc<Catalogue>,
    collection: CollectionId,
    /// What a record must make true; none when no record can.
    conditions: Option<Vec<Expr>>,
    masks: Vec<(Slot, Expr)>,
    shape: Shape,
    sort: Vec<SortKey>,
    search: Option<Search>,
    /// What the page's cursors belong to.
    pages: cursor::Question,
    after: Option<Vec<Value>>,
    limit: u32,
    count: bool,
}

/// See [`super::list`].
pub(super) async fn list(cx: &Ctx, name: &str, params: &ListParams) -> Result<Vec<u8>, Error> {
    let plan = plan(cx, name, params)?;
    let collection = plan.collection()?;
    let Some(conditions) = &plan.conditions else { return plan.encode(&Page::new(), Vec::new(), Some(0)) };
    let conditions: Vec<&Expr> = conditions.iter().collect();
    let served = plan.search.is_none() && served_by_index(collection, &conditions, &plan.sort, &plan.masks);
    let select = plan.select(collection, &conditions);
    let work = Work::of_list(Arc::clone(cx.project.sizes()), &plan.catalogue, &select, served);
    let store = cx.project.store();
    if served && !plan.count && expand::is_small(&plan.catalogue, &plan.shape, plan.limit as usize) {
        return store.read(async |reader: &mut Reader<'_>| plan.run(reader).await).await;
    }
    let survey = async move |reader: &mut Reader<'_>| {
        work.allow(&plan.catalogue, reader).await?;
        plan.run(reader).await
    };
    store.survey(survey).await
}

/// How a list would run, for explanations.
pub(crate) struct Foreseen {
    /// What a record must make true: the rule and the filter, with the caller and the time filled in; none when no
    /// record can.
    pub(crate) conditions: Option<Vec<Expr>>,
    /// The statement and the database's plan, if one would run.
    pub(crate) planned: Option<Planned>,
}

/// Checks a list like [`list`] and runs nothing.
pub(crate) async fn foresee(cx: &Ctx, name: &str, params: &ListParams) -> Result<Foreseen, Error> {
    let plan = plan(cx, name, params)?;
    if plan.conditions.is_none() {
        return Ok(Foreseen { conditions: None, planned: None });
    }
    let predicates: Vec<&Expr> = plan.conditions.iter().flatten().collect();
    let select = plan.select(plan.collection()?, &predicates);
    let planned = cx.project.store().read(async |reader: &mut Reader<'_>| reader.plan(&select).await).await?;
    Ok(Foreseen { conditions: plan.conditions.clone(), planned: Some(planned) })
}

/// What a list or a subscription asks for, checked against what the caller may see.
pub(crate) struct Question {
    /// Fields that are shown, in full or in some records only.
    pub(crate) rights: FieldRights,
    /// What is shown of a record.
    pub(crate) shape: Shape,
    /// In which order.
    pub(crate) sort: Vec<SortKey>,
    /// Which records are asked for; the rule is not in it.
    pub(crate) filter: Lowered,
}

/// Checks the names in `filter`, `sort`, `fields` and `expand`.
pub(crate) fn question(
    cx: &Ctx,
    catalogue: &Catalogue,
    name: &str,
    params: &ListParams,
) -> Result<Question, Error> {
    let (collection, rules) = catalogue.collection(name)?;
    let rights = access::fields(rules, &cx.caller, &cx.request_facts("list"), cx.now);
    let (fields, expand) = (params.fields.as_deref(), params.expand.as_deref());
    let shape = shape::shape(cx, catalogue, collection, &rights, fields, expand)?;
    let sort = sort(collection, rights.never, params.sort.as_deref())?;
    let asked = (params.filter.as_deref(), params.p.as_deref());
    let filter = wanted(cx, catalogue, collection, rights.never, asked)?;
    Ok(Question { rights, shape, sort, filter })
}

fn plan(cx: &Ctx, name: &str, params: &ListParams) -> Result<Plan, Error> {
    let catalogue = cx.project.catalogue();
    let (collection, rules) = catalogue.collection(name)?;
    let Question { rights, shape, sort, filter } = question(cx, &catalogue, name, params)?;
    let search = search::search(collection, rights.never, params)?;
    let best_first = search.as_ref().is_some_and(|search| search.best_first);
    // Of two that match as well, the newer one comes first.
    let sort = if best_first { vec![SortKey { slot: Slot::ID, descending: true }] } else { sort };
    let asked = [params.filter.as_deref(), params.p.as_deref(), params.q.as_deref()];
    let pages = cursor::Question::list(collection, &sort, best_first, asked);
    let rank = best_first.then_some(cursor::RANK);
    let kinds = || sort.iter().map(|key| collection.get(key.slot).map(|field| &field.kind));
    let kinds = rank.map(Some).into_iter().chain(kinds());
    let after = params.cursor.as_deref().map(|text| pages.keys(kinds, text)).transpose()?;
    Ok(Plan {
        conditions: permitted(cx, rules, filter),
        collection: collection.id,
        masks: rights.masks,
        shape,
        sort,
        search,
        pages,
        after,
        limit: limit(params)?,
        count: count(params)?,
        catalogue: Arc::clone(&catalogue),
    })
}

/// What a record must make true to match the filter and be seen in a list; none when no record can.
pub(super) fn permitted(cx: &Ctx, rules: &CollectionRules, filter: Lowered) -> Option<Vec<Expr>> {
    let pinned = match &filter {
        Lowered::Ask(predicate) => pins(&predicate.expr),
        Lowered::Allow | Lowered::Deny => Vec::new(),
    };
    let visible = access::rows(rules, &cx.caller, &cx.request_facts("list"), cx.now, &pinned);
    conditions([visible, filter])
}

/// All of the parts; none when one of them denies.
pub(crate) fn conditions(parts: [Lowered; 2]) -> Option<Vec<Expr>> {
    let mut all = Vec::with_capacity(2);
    for part in parts {
        match part {
            Lowered::Allow => {}
            Lowered::Deny => return None,
            Lowered::Ask(predicate) => all.push(predicate.expr),
        }
    }
    Some(all)
}

/// A filter and its parameters, with what they know of the caller and the time filled in.
pub(super) fn wanted(
    cx: &Ctx,
    catalogue: &Catalogue,
    collection: &Collection,
    hidden: SlotSet,
    (filter, p): (Option<&str>, Option<&str>),
) -> Result<Lowered, Error> {
    let Some(source) = filter.filter(|source| !source.trim().is_empty()) else {
        return parameters(p).map(|_| Lowered::Allow);
    };
    if source.len() > FILTER_BYTES_MAX {
        return Err(Error::with(
            Code::FilterInvalid,
            format!("A filter has at most {FILTER_BYTES_MAX} bytes."),
        ));
    }
    let asked = Asked {
        collection: collection.id,
        hidden,
        operator: cx.caller.is_operator(),
        filter: source.into(),
        p: p.map(Into::into),
    };
    let read = || {
        let values = parameters(p)?;
        let rules = access::of_filters(&catalogue.rules, &cx.caller);
        let scope = FilterScope { schema: &catalogue.schema, rules: &rules, collection, hidden };
        filter::parse(source, &values, &scope).map_err(filter_invalid)
    };
    // What was read for a key would tell another key's filter what it may look at.
    let filter = match cx.caller.scopes() {
        Some(_) => Arc::new(read()?),
        None => catalogue.filters.known_or(asked, read)?,
    };
    let request = cx.request_facts("list");
    let (auth, now) = (cx.caller.facts(), cx.now.us());
    Ok(lower_expr(&filter.expr, &Facts { auth, request: &request, now, next: None, row: None, pinned: &[] }))
}

/// The parameters of a filter.
fn parameters(p: Option<&str>) -> Result<serde_json::Map<String, serde_json::Value>, Error> {
    let wrong = |_| Error::with(Code::FilterInvalid, "`p` must be a JSON object.");
    p.map_or_else(|| Ok(serde_json::Map::new()), |text| serde_json::from_str(text).map_err(wrong))
}

fn filter_invalid(errors: Vec<FilterError>) -> Error {
    let text = |error: &FilterError| format!("column {}: {}", error.column, error.message);
    let detail = errors.first().map(text);
    let hint = errors.iter().find_map(|error| error.help.clone());
    let fields = errors.iter().map(|error| FieldProblem::of_field("filter", "filter_invalid", text(error)));
    Error { detail, hint, fields: fields.collect(), ..Error::new(Code::FilterInvalid) }
}

fn sort(collection: &Collection, hidden: SlotSet, source: Option<&str>) -> Result<Vec<SortKey>, Error> {
    match source.map(str::trim).filter(|source| !source.is_empty()) {
        Some(source) => filter::parse_sort(source, collection, hidden)
            .map_err(|message| Error::with(Code::SortInvalid, message)),
        None => Ok(vec![SortKey { slot: Slot::ID, descending: false }]),
    }
}

fn limit(params: &ListParams) -> Result<u32, Error> {
    let limit = params.limit.unwrap_or(PAGE_RECORDS);
    if !(1..=PAGE_RECORDS_MAX).contains(&limit) {
        return Err(Error::with(Code::BadRequest, format!("`limit` must be 1 to {PAGE_RECORDS_MAX}.")));
    }
    Ok(limit)
}

fn count(params: &ListParams) -> Result<bool, Error> {
    match params.count.as_deref() {
        None => Ok(false),
        Some("exact") => Ok(true),
        Some(_) => Err(Error::with(Code::BadRequest, "`count` can only be `exact`.")),
    }
}

impl Plan {
    fn collection(&self) -> Result<&Collection, Error> {
        let found = self.catalogue.schema.get(self.collection);
        found.ok_or_else(|| Error::internal("a planned collection is gone"))
    }

    /// Where a record stands in the order: its rank, if the best come first, and its sort keys.
    fn keys<'a>(&'a self, shown: &'a Shown) -> impl Iterator<Item = Value> + 'a {
        let best_first = self.search.as_ref().is_some_and(|search| search.best_first);
        let keys = self.sort.iter().map(|key| shown.row.get(key.slot.index()).cloned().unwrap_or_default());
        best_first.then_some(Value::Int(shown.rank)).into_iter().chain(keys)
    }

    fn select<'a>(&'a self, collection: &'a Collection, predicates: &'a [&'a Expr]) -> Select<'a> {
        Select {
            collection,
            predicates,
            masks: &self.masks,
            sort: &self.sort,
            after: self.after.as_deref(),
            // One more than asked tells whether there is a next page.
            limit: self.limit + 1,
            words: self.search.as_ref().map(Search::words),
        }
    }

    async fn run(&self, reader: &mut Reader<'_>) -> Result<Vec<u8>, Error> {
        let collection = self.collection()?;
        let predicates: Vec<&Expr> = self.conditions.iter().flatten().collect();
        let select = self.select(collection, &predicates);
        let page = reader.select(&select).await?;
        let shown = page.iter().take(self.limit as usize).collect();
        let grown = expand::grow(reader, &self.catalogue, &self.shape.branches, shown).await?;
        let total = match self.count {
            true => Some(reader.count(&select, COUNT_MAX + 1).await?),
            false => None,
        };
        self.encode(&page, grown, total)
    }

    fn encode(&self, page: &Page, grown: Vec<expand::Grown>, total: Option<u64>) -> Result<Vec<u8>, Error> {
        let collection = self.collection()?;
        let mut out = Vec::with_capacity(64 + 256 * page.len());
        out.extend_from_slice(b"{\"items\":[");
        let mut answered: usize = 0;
        for shown in page.iter().take(self.limit as usize) {
            if answered > 0 {
                out.push(b',');
            }
            show::record(&mut out, &self.catalogue, collection, shown, &self.shape, &grown);
            answered += 1;
            // The rest comes with the next page.
            if out.len() >= PAGE_BYTES_MAX {
                break;
            }
        }
        out.extend_from_slice(b"],\"next_cursor\":");
        match answered.checked_sub(1).and_then(|last| page.get(last)).filter(|_| page.len() > answered) {
            Some(last) => {
                out.push(b'"');
                out.extend_from_slice(self.pages.cursor(self.keys(last)).as_bytes());
                out.push(b'"');
            }
            None => out.extend_from_slice(b"null"),
        }
        if let Some(total) = total.filter(|_| self.count) {
            let text = if total > COUNT_MAX { format!("\"{COUNT_MAX}+\"") } else { total.to_string() };
            out.extend_from_slice(b",\"total\":");
            out.extend_from_slice(text.as_bytes());
        }
        out.push(b'}');
        Ok(out)
    }
}
