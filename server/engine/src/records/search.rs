//! `q` of a list: whether this caller may search here, and for what.
//!
//! A field that the caller can see in no record is not looked into; where nothing is left the answer is the same as for
//! a collection without a search index.

use crate::Error;
use stead_rules::search::{self, Term};
use stead_schema::{Collection, SlotSet};
use stead_store::Words;
use stead_wire::Code;
use stead_wire::records::ListParams;

/// A checked search.
pub(super) struct Search {
    terms: Vec<Term>,
    never: SlotSet,
    /// Whether the best matches come first: unless the caller names an order.
    pub(super) best_first: bool,
}

impl Search {
    pub(super) fn words(&self) -> Words<'_> {
        Words { terms: &self.terms, never: self.never, best_first: self.best_first }
    }
}

/// Checks `q`. `never` are fields that the caller sees in no record.
///
/// # Errors
/// `bad_request` where there is nothing to search in, `search_invalid`.
pub(super) fn search(
    collection: &Collection,
    never: SlotSet,
    params: &ListParams,
) -> Result<Option<Search>, Error> {
    let Some(source) = params.q.as_deref() else { return Ok(None) };
    let mut searched = collection.search.iter().flat_map(|search| &search.fields);
    if !searched.any(|field| !never.contains(field.slot)) {
        let detail = "There is no parameter `q` here.";
        let hint = format!("The collection `{}` has no field that you may search.", collection.name);
        return Err(Error::with(Code::BadRequest, detail).hint(hint));
    }
    let terms = search::parse(source).map_err(|detail| Error::with(Code::SearchInvalid, detail))?;
    let best_first = params.sort.as_deref().is_none_or(|sort| sort.trim().is_empty());
    Ok(Some(Search { terms, never, best_first }))
}
