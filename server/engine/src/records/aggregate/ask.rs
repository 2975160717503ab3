//! What an aggregate asks for, checked: its groups, what is computed of them, and their order.
//!
//! A name the caller may not know reads like one that does not exist.

use super::super::shape::no_field;
use crate::Error;
use crate::limits::{GROUP_FIELDS_MAX, MEASURES_MAX};
use stead_schema::{Collection, FieldType, Slot, SlotSet};
use stead_store::{GroupKey, Measure};
use stead_wire::Code;
use stead_wire::records::AggregateParams;

/// The columns of an aggregate: its groups' fields, then what is computed, kinds together.
pub(super) struct Columns {
    pub(super) group_by: Vec<Slot>,
    pub(super) measures: Vec<Measure>,
}

const INT: &FieldType = &FieldType::Int { min: None, max: None };
const FLOAT: &FieldType = &FieldType::Float { min: None, max: None };

impl Columns {
    /// Reads the parameters; `hidden` are fields the caller may never read.
    pub(super) fn read(
        collection: &Collection,
        hidden: SlotSet,
        params: &AggregateParams,
    ) -> Result<Self, Error> {
        let names = Names { collection, hidden };
        let group_by = names.fields("group_by", params.group_by.as_deref(), has_order)?;
        if group_by.len() > GROUP_FIELDS_MAX {
            let detail = format!("At most {GROUP_FIELDS_MAX} fields can be grouped by.");
            return Err(Error::with(Code::AggregateInvalid, detail));
        }
        let mut measures: Vec<Measure> = params.count.then_some(Measure::Count).into_iter().collect();
        type Make = fn(Slot) -> Measure;
        let asked: [(&str, &Option<String>, fn(&FieldType) -> bool, Make); 4] = [
            ("sum", &params.sum, is_number, Measure::Sum),
            ("avg", &params.avg, is_number, Measure::Avg),
            ("min", &params.min, has_extremes, Measure::Min),
            ("max", &params.max, has_extremes, Measure::Max),
        ];
        for (word, list, fits, make) in asked {
            measures.extend(names.fields(word, list.as_deref(), fits)?.into_iter().map(make));
        }
        if measures.len() > MEASURES_MAX {
            let detail = format!("At most {MEASURES_MAX} values can be computed of a group.");
            return Err(Error::with(Code::AggregateInvalid, detail));
        }
        if measures.is_empty() && group_by.is_empty() {
            return Err(Error::with(Code::AggregateInvalid, "Nothing is asked for.").hint(
                "Say `count`, `sum=field`, `avg=field`, `min=field`, `max=field` or `group_by=field`.",
            ));
        }
        Ok(Self { group_by, measures })
    }

    /// Reads `-count,status,-sum.amount`; what else tells groups apart follows.
    pub(super) fn sort(&self, collection: &Collection, source: Option<&str>) -> Result<Vec<GroupKey>, Error> {
        let mut keys: Vec<GroupKey> = Vec::new();
        for part in source.unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, descending) = match part.strip_prefix('-') {
                Some(name) => (name, true),
                None => (part.strip_prefix('+').unwrap_or(part), false),
            };
            let Some(column) = self.column(collection, name) else {
                let shown: String = name.chars().take(64).collect();
                return Err(Error::with(Code::SortInvalid, format!("These groups have no `{shown}`.")).hint(
                    "Sort by `count`, by a field of `group_by`, or by what is computed, such as `-sum.amount`.",
                ));
            };
            if keys.iter().any(|key| key.column == column) {
                return Err(Error::with(Code::SortInvalid, format!("`{name}` is named twice.")));
            }
            keys.push(GroupKey { column, descending });
        }
        for column in 0..self.group_by.len() {
            if !keys.iter().any(|key| key.column == column) {
                keys.push(GroupKey { column, descending: false });
            }
        }
        Ok(keys)
    }

    fn column(&self, collection: &Collection, name: &str) -> Option<usize> {
        let named = |slot: &Slot, name: &str| collection.get(*slot).is_some_and(|field| field.name == name);
        if let Some(at) = self.group_by.iter().position(|slot| named(slot, name)) {
            return Some(at);
        }
        let (word, field) = name.split_once('.').map_or((name, None), |(word, field)| (word, Some(field)));
        let is_it = |measure: &Measure| match (place(*measure), field) {
            ((own, Some(slot)), Some(field)) => own == word && named(&slot, field),
            ((own, None), None) => own == word,
            _ => false,
        };
        Some(self.group_by.len() + self.measures.iter().position(is_it)?)
    }

    /// What a column holds.
    pub(super) fn kind<'c>(&self, collection: &'c Collection, column: usize) -> Option<&'c FieldType> {
        let of = |slot: Slot| collection.get(slot).map(|field| &field.kind);
        if let Some(slot) = self.group_by.get(column) {
            return of(*slot);
        }
        match *self.measures.get(column - self.group_by.len())? {
            Measure::Count => Some(INT),
            Measure::Avg(_) => Some(FLOAT),
            Measure::Sum(slot) | Measure::Min(slot) | Measure::Max(slot) => of(slot),
        }
    }

    /// The question in names that survive a change of the schema, for cursors.
    pub(super) fn name(&self, collection: &Collection, sort: &[GroupKey]) -> String {
        let field = |slot: Slot| collection.get(slot).map_or("", |field| field.name.as_str());
        let fields = self.group_by.iter().map(|slot| field(*slot).to_owned());
        let measures = self.measures.iter().map(|measure| match place(*measure) {
            (word, Some(slot)) => format!("{word}.{}", field(slot)),
            (word, None) => word.to_owned(),
        });
        let columns: Vec<String> = fields.chain(measures).collect();
        let keys: Vec<String> = sort
            .iter()
            .map(|key| format!("{}{}", if key.descending { '-' } else { '+' }, key.column))
            .collect();
        format!("{} {}", columns.join(","), keys.join(","))
    }
}

/// Where a measure stands in the answer: the word, and the field below it.
pub(super) fn place(measure: Measure) -> (&'static str, Option<Slot>) {
    match measure {
        Measure::Count => ("count", None),
        Measure::Sum(slot) => ("sum", Some(slot)),
        Measure::Avg(slot) => ("avg", Some(slot)),
        Measure::Min(slot) => ("min", Some(slot)),
        Measure::Max(slot) => ("max", Some(slot)),
    }
}

fn is_number(kind: &FieldType) -> bool {
    matches!(kind, FieldType::Int { .. } | FieldType::Float { .. } | FieldType::Decimal { .. })
}

fn has_order(kind: &FieldType) -> bool {
    !matches!(kind, FieldType::List { .. } | FieldType::Json(_))
}

fn has_extremes(kind: &FieldType) -> bool {
    has_order(kind) && !matches!(kind, FieldType::Bool)
}

struct Names<'a> {
    collection: &'a Collection,
    hidden: SlotSet,
}

impl Names<'_> {
    fn fields(
        &self,
        word: &str,
        list: Option<&str>,
        fits: fn(&FieldType) -> bool,
    ) -> Result<Vec<Slot>, Error> {
        let mut slots = Vec::new();
        for name in list.map(|list| list.split(',').map(str::trim)).into_iter().flatten() {
            let found = self.collection.field(name).filter(|(slot, _)| !self.hidden.contains(*slot));
            let (slot, field) =
                found.ok_or_else(|| no_field(Code::AggregateInvalid, self.collection, self.hidden, name))?;
            if !fits(&field.kind) {
                let detail = match word {
                    "group_by" => format!("Records cannot be grouped by `{name}`."),
                    "sum" | "avg" => format!("`{name}` is no number, so it has no `{word}`."),
                    _ => format!("The values of `{name}` have no `{word}`."),
                };
                return Err(Error::with(Code::AggregateInvalid, detail));
            }
            if slots.contains(&slot) {
                let detail = format!("`{name}` is named twice in `{word}`.");
                return Err(Error::with(Code::AggregateInvalid, detail));
            }
            slots.push(slot);
        }
        Ok(slots)
    }
}
