//! Every way in which a rule is asked of a database, compared with memory. An error tells what differs.

use super::super::{count, holds, lookup, select};
use super::postgres;
use super::*;
use std::cmp::Ordering;
use stead_rules::Lookups;
use stead_rules::ir::COUNT_MAX;
use stead_schema::FieldType;

/// All ways, in all databases.
pub(super) fn check(world: &mut World, case: &Case) -> Result<(), String> {
    let expected = world.in_memory(case);
    for dialect in world.dialects() {
        // Both databases are asked the same.
        let mut dice = Dice::new(case.seed);
        let told = |what: String| format!("{dialect:?}: {what}");
        listed(world, case, *dialect, &expected).map_err(told)?;
        one_by_one(world, case, *dialect, &expected, &mut dice).map_err(told)?;
        if dice.chance(3) {
            paged(world, case, *dialect, &mut dice).map_err(told)?;
        }
        if dice.chance(4) {
            related(world, case, *dialect, &mut dice).map_err(told)?;
        }
    }
    Ok(())
}

fn equal<T: PartialEq + std::fmt::Debug>(found: T, expected: T, asked: &Statement) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("found {found:?}, memory says {expected:?}\n{}\n{:?}", asked.text, asked.params))
}

fn listed(world: &mut World, case: &Case, dialect: Dialect, expected: &[String]) -> Result<(), String> {
    let predicates = [&case.expr];
    let asked = select(dialect, &world.schema, &list(&case.collection, &predicates, &[]));
    equal(world.texts(dialect, &asked)?.as_slice(), expected, &asked)?;
    let counted = count(dialect, &world.schema, &list(&case.collection, &predicates, &[]), 1000);
    equal(world.number(dialect, &counted)?, i64::try_from(expected.len()).ok(), &counted)
}

/// The same question about a record alone: by its id, and with its fields known beforehand.
fn one_by_one(
    world: &mut World,
    case: &Case,
    dialect: Dialect,
    expected: &[String],
    dice: &mut Dice,
) -> Result<(), String> {
    let rows = world.tables.of(case.collection.id).to_vec();
    for (row, closed) in rows.iter().zip(&case.closed) {
        if !dice.chance(3) {
            continue;
        }
        let id = row[0].as_text().unwrap();
        let allowed = expected.iter().any(|found| found == id);
        let asked = holds(dialect, &world.schema, &case.expr, Some((&case.collection, id)));
        equal(world.number(dialect, &asked)?.is_some(), allowed, &asked)?;
        match closed {
            Lowered::Allow | Lowered::Deny => {
                if (*closed == Lowered::Allow) != allowed {
                    return Err(format!("{id} with its fields known gives {closed:?}"));
                }
            }
            Lowered::Ask(left) => {
                bound_lookups(world, dialect, &left.expr)?;
                let asked = holds(dialect, &world.schema, &left.expr, None);
                equal(world.number(dialect, &asked)?.is_some(), allowed, &asked)?;
            }
        }
    }
    Ok(())
}

/// Every lookup that names nothing outside counts the same in memory.
fn bound_lookups(world: &mut World, dialect: Dialect, expr: &Expr) -> Result<(), String> {
    if let Expr::Lookup(wanted) = expr {
        let expected = (&mut &world.tables).count(wanted, COUNT_MAX).unwrap();
        let asked = lookup(dialect, &world.schema, wanted, COUNT_MAX);
        return equal(world.number(dialect, &asked)?, i64::try_from(expected).ok(), &asked);
    }
    let mut outcome = Ok(());
    expr.each_child(&mut |child| {
        if outcome.is_ok() {
            outcome = bound_lookups(world, dialect, child);
        }
    });
    outcome
}

/// Page after page in a random order, with the rule as the mask of some fields: what is hidden reads, sorts and
/// continues as null.
fn paged(world: &mut World, case: &Case, dialect: Dialect, dice: &mut Dice) -> Result<(), String> {
    let collection = &case.collection;
    let fields = collection.fields.len();
    let mut some_slot = || Slot(u16::try_from(1 + dice.below(fields - 1)).unwrap());
    let slots = [some_slot(), some_slot(), some_slot()];
    let hidden = if slots[0] == slots[2] { &slots[..1] } else { &[slots[0], slots[2]][..] };
    let masks: Vec<(Slot, Expr)> = hidden.iter().map(|slot| (*slot, case.expr.clone())).collect();
    let mut sort: Vec<SortKey> = Vec::new();
    for slot in [slots[0], slots[1]] {
        let has_order =
            !matches!(collection.get(slot).unwrap().kind, FieldType::List { .. } | FieldType::Json(_));
        if has_order && sort.iter().all(|key| key.slot != slot) {
            sort.push(SortKey { slot, descending: dice.chance(2) });
        }
    }
    sort.push(SortKey { slot: Slot::ID, descending: dice.chance(2) });
    let whole: [&[&Expr]; 2] = [&[], &[&case.expr]];
    let predicates = whole[dice.below(2)];
    let expected = in_order(world, case, predicates, &masks, &sort);
    let mut found: Vec<Shown> = Vec::new();
    loop {
        let after: Option<Vec<Value>> =
            found.last().map(|last| sort.iter().map(|key| last.row[key.slot.index()].clone()).collect());
        let limit = 1 + (found.len() as u32) % 3;
        let page = Select {
            collection,
            predicates,
            masks: &masks,
            sort: &sort,
            after: after.as_deref(),
            limit,
            words: None,
        };
        let asked = select(dialect, &world.schema, &page);
        let page = shown(world, dialect, collection, &masks, &asked)?;
        let until = expected.len().min(found.len() + page.len().max(1));
        equal(&page[..], expected.get(found.len()..until).unwrap_or_default(), &asked)?;
        if page.is_empty() {
            return Ok(());
        }
        found.extend(page);
    }
}

/// The first few records that refer to each of some others, the rule deciding which there are.
fn related(world: &mut World, case: &Case, dialect: Dialect, dice: &mut Dice) -> Result<(), String> {
    let collection = &case.collection;
    let references = collection.slots().filter(|(_, field)| matches!(field.kind, FieldType::Ref { .. }));
    let references: Vec<Slot> = references.map(|(slot, _)| slot).collect();
    let key = *dice.pick(&references);
    let sort = [SortKey { slot: Slot::CREATED_AT, descending: dice.chance(2) }, BY_ID[0]];
    let (predicates, each) = ([&case.expr], 1 + dice.below(2));
    let mut left: Vec<(Value, usize)> = Vec::new();
    for parent in world.tables.of(collection.id).iter().map(|row| row[key.index()].clone()) {
        if !parent.is_null() && dice.chance(2) && left.iter().all(|(known, _)| *known != parent) {
            left.push((parent, each));
        }
    }
    let parents: Vec<Value> = left.iter().map(|(parent, _)| parent.clone()).collect();
    let mut expected = in_order(world, case, &predicates, &[], &sort);
    expected.retain(|shown| {
        let few = left.iter_mut().find(|(parent, left)| *parent == shown.row[key.index()] && *left > 0);
        few.map(|(_, left)| *left -= 1).is_some()
    });
    let select = Select { sort: &sort, ..list(collection, &predicates, &[]) };
    let asked = Related { select, key, parents: &parents, each: u32::try_from(each).unwrap() };
    let asked = super::super::related::related(dialect, &world.schema, &asked);
    let found = if parents.is_empty() { Vec::new() } else { shown(world, dialect, collection, &[], &asked)? };
    equal(found, expected, &asked)
}

/// The records as memory shows and orders them.
fn in_order(
    world: &World,
    case: &Case,
    predicates: &[&Expr],
    masks: &[(Slot, Expr)],
    sort: &[SortKey],
) -> Vec<Shown> {
    let holds = |expr: &Expr, row: &[Value]| judge(expr, row, &mut &world.tables).unwrap();
    let rows = world.tables.of(case.collection.id).iter();
    let mut found: Vec<Shown> = rows
        .filter(|row| predicates.iter().all(|expr| holds(expr, row)))
        .map(|row| {
            let (mut cells, mut hidden) = (row.to_vec(), SlotSet::EMPTY);
            for (slot, _) in masks.iter().filter(|(_, mask)| !holds(mask, row)) {
                cells[slot.index()] = Value::Null;
                hidden.insert(*slot);
            }
            Shown { row: cells.into(), hidden, rank: 0 }
        })
        .collect();
    found.sort_by(|a, b| {
        let by_key = |key: &SortKey| {
            let order = order(&a.row[key.slot.index()], &b.row[key.slot.index()]);
            if key.descending { order.reverse() } else { order }
        };
        sort.iter().map(by_key).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    });
    found
}

/// Null first, then as the language orders.
pub(super) fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Int(a) | Value::Datetime(a), Value::Int(b) | Value::Datetime(b)) => a.cmp(b),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b).unwrap(),
        (Value::Date(a), Value::Date(b)) | (Value::Duration(a), Value::Duration(b)) => a.cmp(b),
        (Value::Decimal(a), Value::Decimal(b)) => a.order(*b),
        other => panic!("{other:?} have no order"),
    }
}

/// The page that a statement gives, decoded by the fields' types.
fn shown(
    world: &mut World,
    dialect: Dialect,
    collection: &Collection,
    masks: &[(Slot, Expr)],
    asked: &Statement,
) -> Result<Vec<Shown>, String> {
    let hidden = |seen: &dyn Fn(usize) -> bool| {
        let slots = masks.iter().enumerate().filter(|(at, _)| !seen(collection.fields.len() + at));
        slots.map(|(_, (slot, _))| *slot).collect::<SlotSet>()
    };
    if dialect == Dialect::Postgres {
        let rows = world.postgres.as_mut().expect("asked only when at hand").rows(asked)?;
        let cells = |row: &sqlx_postgres::PgRow| {
            collection
                .fields
                .iter()
                .enumerate()
                .map(|(at, field)| postgres::cell(row, at, &field.kind))
                .collect()
        };
        let seen = |row, at| sqlx_core::row::Row::get::<bool, _>(row, at);
        return Ok(rows
            .iter()
            .map(|row| Shown { row: cells(row), hidden: hidden(&|at| seen(row, at)), rank: 0 })
            .collect());
    }
    let mut found = Vec::new();
    statement::each(&world.connection, &asked.text, &asked.params, |row| {
        let hidden = hidden(&|at| row.get::<_, bool>(at).unwrap());
        found.push(Shown { row: statement::record(collection, row, SlotSet::EMPTY)?, hidden, rank: 0 });
        Ok(())
    })
    .map_err(|e| format!("{e}\n{}", asked.text))?;
    Ok(found)
}
