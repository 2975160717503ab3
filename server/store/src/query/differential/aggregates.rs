//! Random groups over random records with random masks: SQLite computes what a loop over the permitted rows computes.

use super::super::aggregate::aggregate as write;
use super::checks::order;
use super::*;
use crate::{Aggregate, GroupKey, Measure};
use std::cmp::Ordering;
use std::collections::HashMap;
use stead_schema::{Decimal, FieldType};

/// A column of numbers, or anything that has an order.
fn fits(kind: &FieldType, measure: &Measure) -> bool {
    match measure {
        Measure::Count => true,
        Measure::Sum(_) | Measure::Avg(_) => {
            matches!(kind, FieldType::Int { .. } | FieldType::Float { .. } | FieldType::Decimal { .. })
        }
        Measure::Min(_) | Measure::Max(_) => groups(kind),
    }
}

fn groups(kind: &FieldType) -> bool {
    !matches!(kind, FieldType::List { .. } | FieldType::Json(_))
}

fn measures(collection: &Collection, dice: &mut Dice) -> Vec<Measure> {
    let mut found = vec![Measure::Count];
    for (slot, field) in collection.slots() {
        for measure in [Measure::Sum(slot), Measure::Avg(slot), Measure::Min(slot), Measure::Max(slot)] {
            if fits(&field.kind, &measure) && dice.chance(3) {
                found.push(measure);
            }
        }
    }
    found
}

/// What the loop says of one group.
fn computed(measure: &Measure, rows: &[Vec<Value>]) -> Value {
    let of = |slot: Slot| rows.iter().map(move |row| &row[slot.index()]).filter(|value| !value.is_null());
    let total = |slot: Slot| of(slot).map(number).sum::<f64>();
    match *measure {
        Measure::Count => Value::Int(rows.len() as i64),
        Measure::Sum(slot) | Measure::Avg(slot) if of(slot).next().is_none() => Value::Null,
        Measure::Sum(slot) if of(slot).all(|value| matches!(value, Value::Int(_))) => {
            Value::Int(of(slot).filter_map(Value::as_int).sum())
        }
        Measure::Sum(slot) if of(slot).all(|value| matches!(value, Value::Decimal(_))) => of(slot)
            .map(|value| match value {
                Value::Decimal(number) => *number,
                other => panic!("{other:?} is no decimal"),
            })
            .reduce(|a, b| Decimal::new(a.units() + b.units(), a.scale()))
            .map_or(Value::Null, Value::Decimal),
        Measure::Sum(slot) => Value::Float(total(slot)),
        Measure::Avg(slot) => Value::Float(total(slot) / of(slot).count() as f64),
        Measure::Min(slot) => of(slot).min_by(|a, b| order(a, b)).cloned().unwrap_or_default(),
        Measure::Max(slot) => of(slot).max_by(|a, b| order(a, b)).cloned().unwrap_or_default(),
    }
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Int(n) => *n as f64,
        Value::Float(n) => *n,
        Value::Decimal(n) => n.units() as f64 / 10f64.powi(i32::from(n.scale())),
        other => panic!("{other:?} is no number"),
    }
}

/// Equal, floats up to the order of their addition.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        // Sums of the largest floats end at infinity in both.
        (Value::Float(a), Value::Float(b)) if a == b => true,
        (Value::Float(a), Value::Float(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0),
        _ => order(a, b) == Ordering::Equal,
    }
}

/// Permitted rows with masked cells as null, by group.
fn expected(world: &World, case: &Case, masks: &[(Slot, Expr)], ask: &Aggregate<'_>) -> Vec<Vec<Value>> {
    let mut groups: HashMap<String, (Vec<Value>, Vec<Vec<Value>>)> = HashMap::new();
    if ask.group_by.is_empty() {
        groups.insert(String::new(), (Vec::new(), Vec::new()));
    }
    for row in world.tables.of(case.collection.id) {
        if !judge(&case.expr, row, &mut &world.tables).unwrap() {
            continue;
        }
        let mut shown = row.to_vec();
        for (slot, mask) in masks {
            if !judge(mask, row, &mut &world.tables).unwrap() {
                shown[slot.index()] = Value::Null;
            }
        }
        let key: Vec<Value> = ask.group_by.iter().map(|slot| shown[slot.index()].clone()).collect();
        // Both zeros are one group.
        let name = format!("{key:?}").replace("Float(-0.0)", "Float(0.0)");
        let name = if ask.group_by.is_empty() { String::new() } else { name };
        groups.entry(name).or_insert_with(|| (key, Vec::new())).1.push(shown);
    }
    groups
        .into_values()
        .map(|(key, rows)| {
            key.into_iter().chain(ask.measures.iter().map(|measure| computed(measure, &rows))).collect()
        })
        .collect()
}

fn found(world: &mut World, dialect: Dialect, ask: &Aggregate<'_>) -> Vec<Vec<Value>> {
    let asked = write(dialect, &world.schema, ask);
    if dialect == Dialect::Postgres {
        let rows = world.postgres.as_mut().expect("asked only when at hand").rows(&asked).unwrap();
        return rows.iter().map(|row| decoded(row, ask)).collect();
    }
    let shape = crate::sqlite::shape(&world.schema);
    crate::sqlite::Session { connection: &world.connection, shape: &shape, deadline: None }
        .aggregate(ask)
        .unwrap_or_else(|e| panic!("{e}\n{}", asked.text))
}

/// A group as Postgres gives it.
fn decoded(row: &sqlx_postgres::PgRow, ask: &Aggregate<'_>) -> Vec<Value> {
    let columns = ask.group_by.len() + ask.measures.len();
    let measure = |at: usize| at.checked_sub(ask.group_by.len()).map(|at| ask.measures[at]);
    let whole = FieldType::Int { min: None, max: None };
    let float = FieldType::Float { min: None, max: None };
    let field = |slot: Slot| &ask.collection.get(slot).unwrap().kind;
    (0..columns)
        .map(|at| match measure(at) {
            None => postgres::cell(row, at, field(ask.group_by[at])),
            Some(Measure::Count) => postgres::cell(row, at, &whole),
            Some(Measure::Avg(_)) => postgres::cell(row, at, &float),
            Some(Measure::Sum(slot) | Measure::Min(slot) | Measure::Max(slot)) => {
                postgres::cell(row, at, field(slot))
            }
        })
        .collect()
}

/// Whether the groups stand in the order asked for.
fn ordered(groups: &[Vec<Value>], sort: &[GroupKey]) -> bool {
    groups.windows(2).all(|pair| {
        let by_key = |key: &GroupKey| {
            let order = order(&pair[0][key.column], &pair[1][key.column]);
            if key.descending { order.reverse() } else { order }
        };
        sort.iter().map(by_key).find(|order| order.is_ne()) == Some(Ordering::Less)
    })
}

#[test]
fn memory_sqlite_and_postgres_compute_the_same_of_what_may_be_read() {
    let (mut cases, mut grouped, mut paged) = (0, 0, 0);
    let mut postgres = Postgres::at_hand();
    for seed in 0..60 {
        let mut world = World::with(seed, postgres.take());
        let made: Vec<(Case, Option<Case>)> =
            (0..12).filter_map(|_| Some((world.case()?, world.case()))).collect();
        for (case, mask) in made {
            let collection = &case.collection;
            let dice = &mut world.dice;
            let masks: Vec<(Slot, Expr)> = mask
                .filter(|mask| mask.collection.id == collection.id)
                .map(|mask| {
                    collection
                        .slots()
                        .filter(|(slot, _)| *slot != Slot::ID && slot.0 % 2 == 0)
                        .map(|(slot, _)| (slot, mask.expr.clone()))
                        .collect()
                })
                .unwrap_or_default();
            let mut by: Vec<Slot> = Vec::new();
            for (slot, field) in collection.slots() {
                if groups(&field.kind) && slot != Slot::ID && by.len() < 3 && dice.chance(4) {
                    by.push(slot);
                }
            }
            let measures = measures(collection, dice);
            let mut sort: Vec<GroupKey> =
                (0..by.len()).map(|column| GroupKey { column, descending: dice.chance(2) }).collect();
            if !by.is_empty() && dice.chance(2) {
                sort.insert(0, GroupKey { column: by.len(), descending: dice.chance(2) });
            }
            let predicates = [&case.expr];
            let ask = Aggregate {
                collection,
                predicates: &predicates,
                masks: &masks,
                group_by: &by,
                measures: &measures,
                sort: &sort,
                after: None,
                limit: 1000,
            };
            let expected = expected(&world, &case, &masks, &ask);
            // Postgres refuses a sum of floats that leaves their range; elsewhere it is no number.
            let small = |value: &Value| !matches!(value, Value::Float(n) if n.abs() > 1e307);
            let sums = world.tables.of(collection.id).iter().flat_map(|row| row.iter()).all(small);
            for dialect in world.dialects().iter().filter(|dialect| **dialect == Dialect::Sqlite || sums) {
                let all = found(&mut world, *dialect, &ask);
                let text = write(*dialect, &world.schema, &ask).text;
                assert_eq!(all.len(), expected.len(), "{}\n{text}", case.source);
                for group in &all {
                    let same = |other: &&Vec<Value>| group.iter().zip(other.iter()).all(|(a, b)| alike(a, b));
                    assert!(
                        expected.iter().any(|other| same(&other)),
                        "{group:?} is not among {expected:?}\n{}\n{text}",
                        case.source
                    );
                }
                assert!(ordered(&all, &sort), "{text}");
                paged += pages(&mut world, *dialect, &ask, &all);
                grouped += usize::from(all.len() > 1);
            }
            cases += 1;
        }
        postgres = world.postgres.take();
    }
    assert!(
        cases > 300 && grouped > 100 && paged > 300,
        "{cases} cases, {grouped} with groups, {paged} pages"
    );
}

/// Pages of one and two groups give what one page gives.
fn pages(world: &mut World, dialect: Dialect, ask: &Aggregate<'_>, all: &[Vec<Value>]) -> usize {
    if ask.group_by.is_empty() {
        return 0;
    }
    let (mut seen, mut turns): (Vec<Vec<Value>>, usize) = (Vec::new(), 0);
    loop {
        let after: Option<Vec<Value>> =
            seen.last().map(|group| ask.sort.iter().map(|key| group[key.column].clone()).collect());
        let limit = 1 + (turns % 2) as u32;
        let page = found(world, dialect, &Aggregate { after: after.as_deref(), limit, ..*ask });
        if page.is_empty() {
            break;
        }
        turns += 1;
        seen.extend(page);
    }
    assert_eq!(seen, all);
    turns
}
