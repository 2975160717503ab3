//! Rules and filters that the checker accepts, and putting them into a schema.

use super::super::dice::Dice;
use super::maker::Maker;
use super::{COLLECTIONS, Style};
use stead_rules::filter::{Filter, FilterError, FilterScope, parse};
use stead_rules::{RuleBook, compile};
use stead_schema::{RuleSlot, RuleText, Schema, Slot, SlotSet, Span};

/// Puts a rule in place of what a collection had.
pub(crate) fn put(schema: &mut Schema, collection: &str, slot: RuleSlot, rule: &str) {
    let at = usize::from(schema.by_name[collection].0);
    let text = RuleText {
        text: rule.to_owned(),
        message: None,
        span: Span::default(),
        offsets: Vec::new(),
        rebind_to_next: false,
    };
    schema.collections[at].rules.insert(slot, text);
}

/// A random rule that the checker accepts, with the book it is in.
pub(crate) fn checked(
    schema: &mut Schema,
    collection: &str,
    dice: &mut Dice,
    style: Style,
) -> (String, RuleBook) {
    for _ in 0..2000 {
        let source = rule(schema, collection, dice, style);
        put(schema, collection, RuleSlot::Read, &source);
        match compile(schema) {
            Ok(book) => return (source, book),
            Err(found) => {
                // Only limits and sealing may refuse what is well typed by construction.
                let known = ["E0210", "E0312", "E0411", "E0402", "E0403", "E0404", "E0405", "E0409"];
                assert!(found.iter().all(|d| known.contains(&d.code)), "{source}\n{:?}", found);
            }
        }
    }
    panic!("no rule was accepted")
}

pub(crate) fn rule(schema: &Schema, collection: &str, dice: &mut Dice, style: Style) -> String {
    let records = vec![("resource".to_owned(), schema.collection(collection).unwrap())];
    let depth = 2 + dice.below(3);
    Maker { schema, dice, style, records, variables: 0, sealed: false, lookups: 0, choices: 0 }
        .condition(depth)
}

/// Gives every collection a random read rule and every other one a field that not everyone may read.
pub(crate) fn rule_all(schema: &mut Schema, dice: &mut Dice) -> RuleBook {
    let mut book = None;
    for name in COLLECTIONS {
        book = Some(checked(schema, name, dice, Style::Full).1);
        let at = usize::from(schema.by_name[name].0);
        let slot = usize::from(Slot::SYSTEM)
            + dice.below(schema.collections[at].fields.len() - usize::from(Slot::SYSTEM));
        for _ in 0..20 {
            let source = rule(schema, name, dice, Style::Full);
            put(schema, name, RuleSlot::List, &source);
            let text = schema.collections[at].rules.remove(&RuleSlot::List);
            schema.collections[at].fields[slot].read = text;
            match compile(schema) {
                Ok(ruled) => {
                    book = Some(ruled);
                    break;
                }
                Err(_) => schema.collections[at].fields[slot].read = None,
            }
        }
    }
    book.unwrap()
}

/// A random filter that is accepted.
pub(crate) fn filter(
    schema: &Schema,
    rules: &RuleBook,
    collection: &str,
    dice: &mut Dice,
) -> (String, Filter) {
    let of = schema.collection(collection).unwrap();
    let scope = FilterScope { schema, rules, collection: of, hidden: SlotSet::EMPTY };
    for _ in 0..2000 {
        let source = rule(schema, collection, dice, Style::Filter).replace("resource.", "");
        match parse(&source, &serde_json::Map::new(), &scope) {
            Ok(filter) => return (source, filter),
            Err(found) => {
                // Fields are named from the schema: one that is unknown is read by nobody.
                let told = |e: &FilterError| {
                    ["lookups", "parts", "nested", "range", "costs", "has no field"]
                        .iter()
                        .any(|w| e.message.contains(w))
                };
                assert!(found.iter().all(told), "{source}: {found:?}");
            }
        }
    }
    panic!("no filter was accepted")
}

/// A filter as written, if it is accepted.
pub(crate) fn parsed(schema: &Schema, rules: &RuleBook, collection: &str, source: &str) -> Option<Filter> {
    let collection = schema.collection(collection).unwrap();
    let scope = FilterScope { schema, rules, collection, hidden: SlotSet::EMPTY };
    parse(source, &serde_json::Map::new(), &scope).ok()
}
