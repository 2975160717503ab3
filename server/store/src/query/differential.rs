//! Random rules over random records: the memory judge and SQLite must name the same ones, whichever way they are asked.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod aggregates;
#[path = "../../../rules/tests/dice/mod.rs"]
mod dice;
#[path = "../../../rules/tests/random/mod.rs"]
mod random;

use super::*;
use crate::sqlite::{ddl, statement};
use dice::Dice;
use random::{COLLECTIONS, NOW, Style, caller, checked};
use rusqlite::Connection;
use stead_rules::eval::Lookups;
use stead_rules::ir::COUNT_MAX;
use stead_rules::{Facts, Lowered, RequestFacts, RuleBook, Tables, holds as judge, lower, lower_expr};
use stead_schema::diff::Step;

/// The same records in memory and in SQLite.
struct World {
    schema: Schema,
    tables: Tables,
    connection: Connection,
    dice: Dice,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let schema = random::schema(&mut dice);
        let tables = random::tables(&schema, &mut dice);
        let connection = Connection::open_in_memory().unwrap();
        // References to records that are gone are part of the test.
        connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        for collection in &schema.collections {
            for text in ddl::step(&schema, &Step::AddCollection(collection.id)) {
                connection.execute_batch(&text).unwrap();
            }
            let marks: Vec<String> = (1..=collection.fields.len()).map(|at| format!("?{at}")).collect();
            let insert = format!("INSERT INTO \"{}\" VALUES ({})", collection.name, marks.join(","));
            for row in tables.of(collection.id) {
                statement::run(&connection, &insert, row.iter()).unwrap();
            }
        }
        Self { schema, tables, connection, dice }
    }

    /// A rule of some collection for some caller, lowered; `None` when the caller alone decides.
    fn case(&mut self) -> Option<Case> {
        let name = *self.dice.pick(&COLLECTIONS);
        let (source, book) = checked(&mut self.schema, name, &mut self.dice, Style::Full);
        let auth = caller(&mut self.dice);
        let request = RequestFacts { op: "list", ..RequestFacts::default() };
        let facts =
            Facts { auth: auth.as_ref(), request: &request, now: NOW, next: None, row: None, pinned: &[] };
        let collection = self.schema.collection(name).unwrap().clone();
        let rule = &book.of(collection.id).unwrap().read;
        let Lowered::Ask(predicate) = lower(rule, &facts) else { return None };
        let closed =
            self.tables.of(collection.id).iter().map(|row| lower(rule, &Facts { row: Some(row), ..facts }));
        let closed = closed.collect();
        Some(Case { source, collection, expr: predicate.expr, closed })
    }

    /// A user's filter over ruled collections, lowered.
    fn filter_case(&mut self, book: &RuleBook) -> Option<Case> {
        let name = *self.dice.pick(&COLLECTIONS);
        let (source, filter) = random::filter(&self.schema, book, name, &mut self.dice);
        let auth = caller(&mut self.dice);
        let request = RequestFacts { op: "list", ..RequestFacts::default() };
        let facts =
            Facts { auth: auth.as_ref(), request: &request, now: NOW, next: None, row: None, pinned: &[] };
        let collection = self.schema.collection(name).unwrap().clone();
        let Lowered::Ask(predicate) = lower_expr(&filter.expr, &facts) else { return None };
        let rows = self.tables.of(collection.id).iter();
        let closed = rows.map(|row| lower_expr(&filter.expr, &Facts { row: Some(row), ..facts })).collect();
        Some(Case { source, collection, expr: predicate.expr, closed })
    }

    fn in_memory(&self, case: &Case) -> Vec<String> {
        let rows = self.tables.of(case.collection.id).iter();
        let mut ids: Vec<String> = rows
            .filter(|row| judge(&case.expr, row, &mut &self.tables).unwrap())
            .map(|row| row[0].as_text().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    }

    fn texts(&self, statement: &Statement) -> rusqlite::Result<Vec<String>> {
        let mut prepared = self.connection.prepare(&statement.text)?;
        for (at, value) in statement.params.iter().enumerate() {
            prepared.raw_bind_parameter(at + 1, crate::sqlite::cells::Param(value))?;
        }
        let mut rows = prepared.raw_query();
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(row.get(0)?);
        }
        Ok(found)
    }

    fn number(&self, asked: &Statement) -> Option<i64> {
        statement::integer(&self.connection, &asked.text, asked.params.iter())
            .unwrap_or_else(|e| panic!("{e}\n{}", asked.text))
    }
}

struct Case {
    source: String,
    collection: Collection,
    expr: Expr,
    /// The rule for each record, with the record known.
    closed: Vec<Lowered>,
}

const BY_ID: [SortKey; 1] = [SortKey { slot: Slot::ID, descending: false }];

fn list<'a>(collection: &'a Collection, predicates: &'a [&'a Expr], masks: &'a [(Slot, Expr)]) -> Select<'a> {
    Select { collection, predicates, masks, sort: &BY_ID, after: None, limit: 1000, words: None }
}

#[test]
fn memory_and_sqlite_name_the_same_records() {
    let (mut cases, mut allowed, mut all) = (0, 0, 0);
    for seed in 0..40 {
        let mut world = World::new(seed);
        let mut made: Vec<Case> = (0..40).filter_map(|_| world.case()).collect();
        let book = random::rule_all(&mut world.schema, &mut world.dice);
        made.extend((0..15).filter_map(|_| world.filter_case(&book)));
        for case in made {
            let expected = world.in_memory(&case);
            let asked = select(Dialect::Sqlite, &world.schema, &list(&case.collection, &[&case.expr], &[]));
            let found =
                world.texts(&asked).unwrap_or_else(|e| panic!("{e}\n{}\n{}", case.source, asked.text));
            assert_eq!(found, expected, "{}\n{}\n{:?}", case.source, asked.text, asked.params);
            let counted =
                count(Dialect::Sqlite, &world.schema, &list(&case.collection, &[&case.expr], &[]), 1000);
            assert_eq!(world.number(&counted), Some(expected.len() as i64), "{}", case.source);
            one_by_one(&world, &case, &expected);
            masked(&mut world, &case, &expected);
            cases += 1;
            allowed += expected.len();
            all += world.tables.of(case.collection.id).len();
        }
    }
    assert!(
        cases > 1500 && allowed * 10 > all && allowed * 10 < all * 9,
        "{cases} cases, {allowed} of {all}"
    );
}

/// The same question about each record alone: by its id, and with its fields known beforehand.
fn one_by_one(world: &World, case: &Case, expected: &[String]) {
    let rows = world.tables.of(case.collection.id);
    for (row, closed) in rows.iter().zip(&case.closed) {
        let id = row[0].as_text().unwrap();
        let allowed = expected.iter().any(|found| found == id);
        let asked = holds(Dialect::Sqlite, &world.schema, &case.expr, Some((&case.collection, id)));
        assert_eq!(world.number(&asked).is_some(), allowed, "{id}: {}\n{}", case.source, asked.text);
        let told = match closed {
            Lowered::Allow => true,
            Lowered::Deny => false,
            Lowered::Ask(left) => {
                bound_lookups(world, &left.expr);
                let asked = holds(Dialect::Sqlite, &world.schema, &left.expr, None);
                world.number(&asked).is_some()
            }
        };
        assert_eq!(told, allowed, "{id} known: {}", case.source);
    }
}

/// Every lookup that names nothing outside counts the same in memory.
fn bound_lookups(world: &World, expr: &Expr) {
    if let Expr::Lookup(asked) = expr {
        let expected = (&mut &world.tables).count(asked, COUNT_MAX).unwrap();
        let counted = lookup(Dialect::Sqlite, &world.schema, asked, COUNT_MAX);
        assert_eq!(world.number(&counted), Some(expected as i64), "{}", counted.text);
        return;
    }
    expr.each_child(&mut |child| bound_lookups(world, child));
}

/// The rule as the mask of a field: the field is hidden exactly where the rule is not true, and sorts as null there.
fn masked(world: &mut World, case: &Case, expected: &[String]) {
    let slot = Slot(u16::try_from(world.dice.below(case.collection.fields.len())).unwrap());
    if slot == Slot::ID {
        return;
    }
    let masks = [(slot, case.expr.clone())];
    let sort = [SortKey { slot, descending: world.dice.chance(2) }, BY_ID[0]];
    let asked = select(
        Dialect::Sqlite,
        &world.schema,
        &Select { sort: &sort, ..list(&case.collection, &[], &masks) },
    );
    let shown = case.collection.fields.len();
    let mut rows = Vec::new();
    statement::each(&world.connection, &asked.text, asked.params.iter(), |row| {
        let id: String = row.get(0).unwrap();
        let null = matches!(row.get_ref(slot.index()).unwrap(), rusqlite::types::ValueRef::Null);
        rows.push((id, row.get::<_, bool>(shown).unwrap(), null));
        Ok(())
    })
    .unwrap_or_else(|e| panic!("{e}\n{}", asked.text));
    assert_eq!(rows.len(), world.tables.of(case.collection.id).len());
    for (id, visible, null) in &rows {
        assert_eq!(*visible, expected.contains(id), "{id}: {}", case.source);
        assert!(*visible || *null, "{id} shows what is hidden: {}", case.source);
    }
    let nulls: Vec<bool> = rows.iter().map(|(_, _, null)| *null).collect();
    let mut sorted = nulls.clone();
    sorted.sort_by_key(|null| *null == sort[0].descending);
    assert_eq!(nulls, sorted, "what is hidden sorts as null: {}", asked.text);
}

#[test]
fn a_wrong_operator_in_the_sql_would_be_noticed() {
    let flips = [
        (" = ", " <> "),
        (" <> ", " = "),
        (" < ", " <= "),
        (" >= ", " > "),
        (" AND ", " OR "),
        (" OR ", " AND "),
        (" IS NULL", " IS NOT NULL"),
        ("(NOT ", "("),
        (" IN (", " NOT IN ("),
        ("EXISTS (", "NOT EXISTS ("),
        ("coalesce(", "max("),
        (" THEN ", " IS NULL THEN "),
        ("instr(", "-instr("),
    ];
    let mut noticed = [0; 13];
    for seed in 100..130 {
        let mut world = World::new(seed);
        for case in (0..40).filter_map(|_| world.case()).collect::<Vec<_>>() {
            let expected = world.in_memory(&case);
            let right = select(Dialect::Sqlite, &world.schema, &list(&case.collection, &[&case.expr], &[]));
            for (at, (from, to)) in flips.iter().enumerate() {
                let Some((before, after)) = right.text.split_once(from) else { continue };
                let wrong = Statement { text: format!("{before}{to}{after}"), params: right.params.clone() };
                noticed[at] += usize::from(world.texts(&wrong).is_ok_and(|found| found != expected));
            }
        }
    }
    for ((from, to), times) in flips.iter().zip(noticed) {
        assert!(times > 0, "{from:?} as {to:?} was never noticed");
    }
}
