//! Random rules over random records: memory, SQLite and Postgres must name the same ones, whichever way they are asked.
//!
//! A world (a schema with records) comes from a seed, and so does every case in it; see `docs/src/internals/testing.md`
//! for how to run more of them or one again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::string_slice
)]

mod aggregates;
mod checks;
#[path = "../../../rules/tests/dice/mod.rs"]
mod dice;
mod functions;
mod mutants;
mod plans;
mod policies;
mod postgres;
#[path = "../../../rules/tests/random/mod.rs"]
mod random;
mod reached;
mod report;
mod shrink;

use super::ddl;
use super::*;
use crate::sqlite::statement;
use dice::Dice;
use postgres::Postgres;
use random::{COLLECTIONS, NOW, Style, caller, checked};
use rusqlite::Connection;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use stead_rules::{
    AuthFacts, Facts, Lowered, RequestFacts, RuleBook, Tables, compile, holds as judge, lower_expr,
};
use stead_schema::RuleSlot;

/// The same records in memory, in SQLite and, where it is at hand, in Postgres.
struct World {
    schema: Schema,
    tables: Tables,
    connection: Connection,
    postgres: Option<Postgres>,
    dice: Dice,
    seed: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        Self::with(seed, None)
    }

    fn with(seed: u64, postgres: Option<Postgres>) -> Self {
        let mut dice = Dice::new(seed);
        let schema = random::schema(&mut dice);
        let tables = random::tables(&schema, &mut dice);
        let connection = Connection::open_in_memory().unwrap();
        let mut world = Self { schema, tables, connection, postgres, dice, seed };
        world.fill();
        world
    }

    /// Puts the records that are in memory into the databases, in place of all that was there.
    fn fill(&mut self) {
        self.connection = filled(&self.schema, &self.tables);
        if let Some(postgres) = &mut self.postgres {
            postgres.fill(&self.schema, &self.tables, self.seed.is_multiple_of(2));
        }
    }

    /// A rule of some collection for some caller, lowered; `None` when the caller alone decides.
    fn case(&mut self) -> Option<Case> {
        let name = *self.dice.pick(&COLLECTIONS);
        let (source, book) = checked(&mut self.schema, name, &mut self.dice, Style::Full);
        let (auth, request) = (caller(&mut self.dice), random::request(&mut self.dice));
        let seed = self.dice.next();
        let collection = self.schema.collection(name).unwrap().clone();
        let rule = book.of(collection.id).unwrap().read.expr.clone();
        self.lowered(Asked { source, auth, request, filter: false, collection, seed }, &rule)
    }

    /// A user's filter over ruled collections, lowered.
    fn filter_case(&mut self, book: &RuleBook) -> Option<Case> {
        let name = *self.dice.pick(&COLLECTIONS);
        let (source, filter) = random::filter(&self.schema, book, name, &mut self.dice);
        let (auth, request) = (caller(&mut self.dice), random::request(&mut self.dice));
        let seed = self.dice.next();
        let collection = self.schema.collection(name).unwrap().clone();
        self.lowered(Asked { source, auth, request, filter: true, collection, seed }, &filter.expr)
    }

    /// The same rule written otherwise; `None` when it is refused or the caller alone decides.
    fn again(&mut self, asked: &Asked, source: &str) -> Option<Case> {
        let asked = Asked { source: source.to_owned(), ..asked.clone() };
        let name = asked.collection.name.clone();
        if asked.filter {
            let book = compile(&self.schema).ok()?;
            let filter = random::parsed(&self.schema, &book, &name, source)?;
            return self.lowered(asked, &filter.expr);
        }
        random::put(&mut self.schema, &name, RuleSlot::Read, source);
        let book = compile(&self.schema).ok()?;
        let rule = book.of(asked.collection.id)?.read.expr.clone();
        self.lowered(asked, &rule)
    }

    fn lowered(&self, asked: Asked, rule: &Expr) -> Option<Case> {
        let auth = asked.auth.as_ref();
        let facts = Facts { auth, request: &asked.request, now: NOW, next: None, row: None, pinned: &[] };
        let Lowered::Ask(predicate) = lower_expr(rule, &facts) else { return None };
        let rows = self.tables.of(asked.collection.id).iter();
        let closed = rows.map(|row| lower_expr(rule, &Facts { row: Some(row), ..facts })).collect();
        let Asked { source, auth, request, filter, collection, seed } = asked;
        Some(Case { source, collection, expr: predicate.expr, closed, auth, request, filter, seed })
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

    /// The first column, text, of each row.
    fn texts(&mut self, dialect: Dialect, asked: &Statement) -> Result<Vec<String>, String> {
        let told = |error: &dyn std::fmt::Display| format!("{error}\n{}", asked.text);
        if dialect == Dialect::Postgres {
            let rows = self.postgres.as_mut().expect("asked only when at hand").rows(asked)?;
            return Ok(rows.iter().map(|row| sqlx_core::row::Row::get(row, 0)).collect());
        }
        let mut found = Vec::new();
        statement::each(&self.connection, &asked.text, &asked.params, |row| {
            found.push(row.get(0).unwrap());
            Ok(())
        })
        .map_err(|e| told(&e))?;
        Ok(found)
    }

    fn number(&mut self, dialect: Dialect, asked: &Statement) -> Result<Option<i64>, String> {
        if dialect == Dialect::Postgres {
            return self.postgres.as_mut().expect("asked only when at hand").number(asked);
        }
        statement::integer(&self.connection, &asked.text, asked.params.iter())
            .map_err(|e| format!("{e}\n{}", asked.text))
    }

    fn dialects(&self) -> &'static [Dialect] {
        if self.postgres.is_some() { &[Dialect::Sqlite, Dialect::Postgres] } else { &[Dialect::Sqlite] }
    }
}

fn filled(schema: &Schema, tables: &Tables) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    // References to records that are gone are part of the test.
    connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    connection.execute_batch(&ddl::explain_tables(schema, Dialect::Sqlite).join(";\n")).unwrap();
    for collection in &schema.collections {
        let marks: Vec<String> = (1..=collection.fields.len()).map(|at| format!("?{at}")).collect();
        let insert = format!("INSERT INTO \"{}\" VALUES ({})", collection.name, marks.join(","));
        for row in tables.of(collection.id) {
            statement::run(&connection, &insert, row.iter()).unwrap();
        }
    }
    connection
}

fn list_request() -> RequestFacts {
    RequestFacts { op: "list", ..RequestFacts::default() }
}

/// What a case is made from.
#[derive(Clone)]
struct Asked {
    source: String,
    auth: Option<AuthFacts>,
    request: RequestFacts,
    filter: bool,
    collection: Collection,
    seed: u64,
}

struct Case {
    source: String,
    collection: Collection,
    expr: Expr,
    /// The rule for each record, with the record known.
    closed: Vec<Lowered>,
    auth: Option<AuthFacts>,
    request: RequestFacts,
    filter: bool,
    /// Of what is chosen while checking it.
    seed: u64,
}

impl Case {
    fn asked(&self) -> Asked {
        let (source, auth, request) = (self.source.clone(), self.auth.clone(), self.request.clone());
        Asked {
            source,
            auth,
            request,
            filter: self.filter,
            collection: self.collection.clone(),
            seed: self.seed,
        }
    }
}

const BY_ID: [SortKey; 1] = [SortKey { slot: Slot::ID, descending: false }];

fn list<'a>(collection: &'a Collection, predicates: &'a [&'a Expr], masks: &'a [(Slot, Expr)]) -> Select<'a> {
    Select { collection, predicates, masks, sort: &BY_ID, after: None, limit: 1000, words: None }
}

/// What all workers found so far.
#[derive(Default)]
struct Tally {
    next: AtomicU64,
    cases: AtomicUsize,
    allowed: AtomicUsize,
    all: AtomicUsize,
    lookups: AtomicUsize,
    failure: Mutex<Option<String>>,
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.replace('_', "").parse().expect(name))
}

#[test]
fn memory_sqlite_and_postgres_name_the_same_records() {
    let only = setting("STEAD_SEED");
    let wanted = setting("STEAD_CASES").unwrap_or(1500) as usize;
    let tally = Tally { next: AtomicU64::new(only.unwrap_or(0)), ..Tally::default() };
    let work = || {
        let mut postgres = Postgres::at_hand();
        while tally.cases.load(Relaxed) < wanted && tally.failure.lock().unwrap().is_none() {
            let seed = tally.next.fetch_add(1, Relaxed);
            if only.is_some_and(|only| only != seed) {
                return;
            }
            // A session remembers every table it had: now and then a new one keeps it small.
            postgres = if seed.is_multiple_of(50) { Postgres::at_hand() } else { postgres };
            postgres = try_world(World::with(seed, postgres), &tally);
        }
    };
    std::thread::scope(|scope| {
        (0..2).map(|_| scope.spawn(work)).collect::<Vec<_>>().into_iter().for_each(|w| w.join().unwrap());
    });
    if let Some(failure) = tally.failure.into_inner().unwrap() {
        panic!("{failure}");
    }
    let count = |number: &AtomicUsize| number.load(Relaxed);
    let (cases, allowed, all) = (count(&tally.cases), count(&tally.allowed), count(&tally.all));
    eprintln!("{cases} cases, {} with lookups, {allowed} of {all} records allowed", count(&tally.lookups));
    if only.is_none() {
        assert!(cases >= wanted && allowed * 10 > all && allowed * 10 < all * 9, "{allowed} of {all}");
        assert!(count(&tally.lookups) * 10 > cases * 3, "too few ask for other records");
    }
}

fn try_world(mut world: World, tally: &Tally) -> Option<Postgres> {
    let mut made: Vec<Case> = (0..60).filter_map(|_| world.case()).collect();
    let book = random::rule_all(&mut world.schema, &mut world.dice);
    made.extend((0..20).filter_map(|_| world.filter_case(&book)));
    for case in &made {
        let (allowed, all) = (world.in_memory(case).len(), world.tables.of(case.collection.id).len());
        if let Err(what) = checks::check(&mut world, case) {
            let told = shrink::smallest(&mut world, case, what);
            tally.failure.lock().unwrap().get_or_insert(told);
            return None;
        }
        tally.cases.fetch_add(1, Relaxed);
        tally.allowed.fetch_add(allowed, Relaxed);
        tally.all.fetch_add(all, Relaxed);
        let asks = case.expr.any(&mut |part| matches!(part, Expr::Lookup(_) | Expr::Path { .. }));
        tally.lookups.fetch_add(usize::from(asks), Relaxed);
    }
    world.postgres.take()
}
