//! Random searches over random texts: a plain reading of the words and SQLite must find the same records in the same
//! order, and what is hidden must change nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[path = "../../../rules/tests/dice/mod.rs"]
#[expect(clippy::duplicate_mod, reason = "every kind of random test has dice of its own")]
mod dice;

use super::*;
use crate::sqlite::{cells::Param, statement};
use dice::Dice;
use rusqlite::Connection;
use stead_rules::{CmpOp, Tables, holds as judge, search::parse};
use stead_schema::{SourceFile, diff::Step, load};

const APP: &str = "
collections:
  docs:
    fields:
      title: {type: text}
      owner: {type: text}
      body: {type: text, optional: true}
      note: {type: text, optional: true}
    search: {fields: [title, body, note], weights: {title: A, body: 3}}
";

const WORDS: [&str; 18] = [
    "red", "Red", "REDDER", "lamp", "lamps", "Lampe", "ete", "été", "ÉTÉ", "naïve", "мир", "Мира", "東京",
    "x1", "42", "4", "straße", "Żar",
];
const BREAKS: [&str; 8] = [" ", " ", "  ", ", ", "-", ".", "\n", " — "];
const MARKS: [&str; 20] = [
    "\"",
    "*",
    "-",
    "(",
    ")",
    "{",
    "}",
    ":",
    "^",
    "+",
    " AND ",
    " OR ",
    " NOT ",
    "NEAR(",
    "\0",
    "title",
    "'",
    ";",
    "\u{301}",
    "\u{1f9ff}",
];

/// A text of some words.
fn text(dice: &mut Dice, words: usize) -> String {
    (0..words).map(|_| format!("{}{}", dice.pick(&WORDS), dice.pick(&BREAKS))).collect()
}

/// What the index makes of a text: runs of letters and digits, without case and diacritics.
fn tokens(text: &str) -> Vec<String> {
    let plain: String = text
        .to_lowercase()
        .chars()
        .map(|c| match c {
            'é' => 'e',
            'ï' => 'i',
            'ż' => 'z',
            other => other,
        })
        .collect();
    plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn holds_phrase(text: &str, term: &Term) -> bool {
    let (held, wanted) = (tokens(text), tokens(&term.text));
    held.windows(wanted.len()).any(|window| {
        let last = wanted.len() - 1;
        window.iter().zip(&wanted).enumerate().all(|(at, (held, wanted))| {
            held == wanted || (term.prefix && at == last && held.starts_with(wanted.as_str()))
        })
    })
}

struct World {
    schema: Schema,
    rows: Vec<Vec<Value>>,
    connection: Connection,
    dice: Dice,
}

/// How one caller asks.
struct Case {
    terms: Vec<Term>,
    rule: Option<Expr>,
    masks: Vec<(Slot, Expr)>,
    never: SlotSet,
}

impl World {
    fn new(seed: u64) -> Self {
        let file = SourceFile { path: "schema/a.yaml".into(), text: APP.into() };
        let schema = load(vec![file]).unwrap_or_else(|r| panic!("{:?}", r.diagnostics));
        let connection = Connection::open_in_memory().unwrap();
        for text in ddl::step(Dialect::Sqlite, &schema, &Step::AddCollection(schema.collections[0].id)) {
            connection.execute_batch(&text).unwrap();
        }
        let mut world = Self { schema, rows: Vec::new(), connection, dice: Dice::new(seed) };
        for n in 0..40 {
            let row = world.row(n);
            statement::run(&world.connection, "INSERT INTO docs VALUES(?1,?2,?3,?4,?5,?6,?7,?8)", &row)
                .unwrap();
            world.rows.push(row);
        }
        world
    }

    fn row(&mut self, n: usize) -> Vec<Value> {
        let dice = &mut self.dice;
        let owner = *dice.pick(&["u1", "u2", "u3"]);
        let mut row =
            vec![Value::text(format!("d{n:02}")), Value::Datetime(0), Value::Datetime(0), Value::Int(1)];
        let length = 1 + dice.below(4);
        row.push(Value::text(text(dice, length)));
        row.push(Value::text(owner));
        for _ in 0..2 {
            let length = dice.below(8);
            row.push(if dice.chance(6) { Value::Null } else { Value::text(text(dice, length)) });
        }
        row
    }

    fn owned_by(&mut self) -> Expr {
        let owner = Expr::Row(self.schema.collections[0].field("owner").unwrap().0);
        // Compared with null it is unknown, which must hide as well.
        let whose =
            if self.dice.chance(8) { Value::Null } else { Value::text(*self.dice.pick(&["u1", "u2"])) };
        Expr::Compare(CmpOp::Eq, Box::new(owner), Box::new(Expr::Literal(whose)))
    }

    fn case(&mut self) -> Case {
        let mut source = String::new();
        for _ in 0..1 + self.dice.below(3) {
            let minus = if self.dice.chance(4) { "-" } else { "" };
            let star = if self.dice.chance(4) { "*" } else { "" };
            let length = 1 + self.dice.below(2);
            let words = text(&mut self.dice, length).replace('-', " ");
            source += &format!("{minus}\"{words}\"{star} ");
        }
        // At least one word to look for.
        source += if self.dice.chance(2) { "red*" } else { "l* " };
        let mut masks = Vec::new();
        let mut never = SlotSet::EMPTY;
        for slot in [4, 6, 7].map(Slot) {
            match self.dice.below(4) {
                0 => masks.push((slot, self.owned_by())),
                1 if self.dice.chance(2) => never.insert(slot),
                _ => {}
            }
        }
        if [4, 6, 7].iter().all(|slot| never.contains(Slot(*slot))) {
            never.remove(Slot(4));
        }
        let rule = self.dice.chance(3).then(|| self.owned_by());
        Case { terms: parse(&source).unwrap(), rule, masks, never }
    }

    fn answer(
        &self,
        case: &Case,
        best_first: bool,
        after: Option<&[Value]>,
        limit: u32,
    ) -> Vec<(String, i64)> {
        let predicates: Vec<&Expr> = case.rule.iter().collect();
        let select = self.select(case, &predicates, best_first, after, limit);
        let asked = super::select(Dialect::Sqlite, &self.schema, &select);
        let mut found = Vec::new();
        statement::each(&self.connection, &asked.text, &asked.params, |row| {
            found.push((row.get(0).unwrap(), if best_first { row.get("_rank").unwrap() } else { 0 }));
            Ok(())
        })
        .unwrap_or_else(|e| panic!("{e}\n{}\n{:?}", asked.text, asked.params));
        let counted = count(Dialect::Sqlite, &self.schema, &select, 1000);
        let counted = statement::integer(&self.connection, &counted.text, &counted.params).unwrap();
        assert!(limit < 1000 || counted == Some(found.len() as i64), "{}", asked.text);
        found
    }

    fn select<'a>(
        &'a self,
        case: &'a Case,
        predicates: &'a [&'a Expr],
        best_first: bool,
        after: Option<&'a [Value]>,
        limit: u32,
    ) -> Select<'a> {
        const NEWEST: [SortKey; 1] = [SortKey { slot: Slot::ID, descending: true }];
        let words = Words { terms: &case.terms, never: case.never, best_first };
        let collection = &self.schema.collections[0];
        Select { collection, predicates, masks: &case.masks, sort: &NEWEST, after, limit, words: Some(words) }
    }

    /// Ids and ranks as the words are read here.
    fn expected(&self, case: &Case) -> Vec<(String, i64)> {
        let tables = Tables::default();
        let is = |expr: &Expr, row: &[Value]| judge(expr, row, &mut &tables).unwrap();
        let searched = self.schema.collections[0].search.clone().unwrap();
        let mut found = Vec::new();
        for row in self.rows.iter().filter(|row| case.rule.iter().all(|rule| is(rule, row))) {
            let seen = |slot: Slot| {
                let masked = case.masks.iter().any(|(s, mask)| *s == slot && !is(mask, row));
                !masked && !case.never.contains(slot)
            };
            let texts: Vec<(u32, &str)> = searched
                .fields
                .iter()
                .filter(|field| seen(field.slot))
                .map(|field| (field.weight, row[field.slot.index()].as_text().unwrap_or_default()))
                .collect();
            let sum = |term: &Term| -> i64 {
                texts
                    .iter()
                    .filter(|(_, text)| holds_phrase(text, term))
                    .map(|(weight, _)| i64::from(*weight))
                    .sum()
            };
            let (without, with): (Vec<&Term>, Vec<&Term>) = case.terms.iter().partition(|term| term.excluded);
            if with.iter().any(|term| sum(term) == 0) || without.iter().any(|term| sum(term) > 0) {
                continue;
            }
            let readable = searched.fields.iter().filter(|field| !case.never.contains(field.slot)).count();
            let told = readable > 1
                || case.masks.iter().any(|(slot, _)| *slot != Slot(5) && !case.never.contains(*slot));
            let mut rank: i64 = if told { with.iter().map(|term| sum(term)).sum() } else { 0 };
            if let [_, .., last] = with.as_slice() {
                let text = with.iter().map(|term| term.text.as_str()).collect::<Vec<_>>().join(" ");
                rank += sum(&Term { text, prefix: last.prefix, excluded: false });
            }
            found.push((row[0].as_text().unwrap().to_owned(), rank));
        }
        found.sort_by(|a, b| (b.1, &b.0).cmp(&(a.1, &a.0)));
        found
    }

    /// Writes other texts wherever `case` hides them, and keeps everything else.
    fn rewrite_hidden(&mut self, case: &Case) {
        let tables = Tables::default();
        for n in 0..self.rows.len() {
            let row = self.rows[n].clone();
            let is = |expr: &Expr| judge(expr, &row, &mut &tables).unwrap();
            let whole = case.rule.as_ref().is_some_and(|rule| !is(rule));
            for (slot, name) in [(4, "title"), (6, "body"), (7, "note")] {
                let masked = case.masks.iter().any(|(s, mask)| s.0 == slot && !is(mask));
                if whole || masked || case.never.contains(Slot(slot)) {
                    let value = Value::text(text(&mut self.dice, 6));
                    let update = format!("UPDATE docs SET \"{name}\"=?2 WHERE id=?1");
                    statement::run(&self.connection, &update, [&row[0], &value]).unwrap();
                    self.rows[n][usize::from(slot)] = value;
                }
            }
        }
    }

    fn in_step(&self) {
        let check = "INSERT INTO _docs__search(_docs__search,rank) VALUES('integrity-check',1)";
        self.connection.execute_batch(check).unwrap();
    }
}

#[test]
fn a_plain_reading_and_sqlite_find_the_same_records_in_the_same_order() {
    let (mut cases, mut hits, mut ranks) = (0, 0, std::collections::HashSet::new());
    for seed in 0..25 {
        let mut world = World::new(seed);
        for _ in 0..40 {
            let case = world.case();
            let expected = world.expected(&case);
            let found = world.answer(&case, true, None, 1000);
            assert_eq!(found, expected, "{:?} {:?} {:?}", case.terms, case.masks, case.never);
            let mut by_id: Vec<String> = expected.iter().map(|(id, _)| id.clone()).collect();
            by_id.sort_by(|a, b| b.cmp(a));
            let sorted: Vec<String> =
                world.answer(&case, false, None, 1000).into_iter().map(|(id, _)| id).collect();
            assert_eq!(sorted, by_id);
            assert_eq!(pages(&world, &case), expected);
            cases += 1;
            hits += expected.len();
            ranks.extend(expected.iter().map(|(_, rank)| *rank));
        }
    }
    assert!(
        cases == 1000 && hits > 3000 && ranks.len() > 10,
        "{cases} cases, {hits} hits, {} ranks",
        ranks.len()
    );
}

/// The whole answer, two records at a time.
fn pages(world: &World, case: &Case) -> Vec<(String, i64)> {
    let mut all: Vec<(String, i64)> = Vec::new();
    loop {
        let after = all.last().map(|(id, rank)| [Value::Int(*rank), Value::text(id)]);
        let page = world.answer(case, true, after.as_ref().map(<[Value; 2]>::as_slice), 2);
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

#[test]
fn what_is_hidden_changes_neither_what_is_found_nor_its_order() {
    let mut told = 0;
    for seed in 100..130 {
        let mut world = World::new(seed);
        for _ in 0..12 {
            let case = world.case();
            let before = world.answer(&case, true, None, 1000);
            let of_all =
                Case { masks: Vec::new(), never: SlotSet::EMPTY, rule: None, terms: case.terms.clone() };
            let by_all = world.answer(&of_all, true, None, 1000);
            world.rewrite_hidden(&case);
            assert_eq!(world.answer(&case, true, None, 1000), before, "{:?} {:?}", case.terms, case.masks);
            // Control: who sees everything sees the difference.
            told += usize::from(world.answer(&of_all, true, None, 1000) != by_all);
        }
        world.in_step();
    }
    assert!(told > 100, "{told}");
}

#[test]
fn no_text_that_a_caller_types_is_an_error_of_the_database() {
    let mut world = World::new(7);
    let mut asked = 0;
    for _ in 0..4000 {
        let length = 1 + world.dice.below(12);
        let dice = &mut world.dice;
        let source: String = (0..length)
            .map(|_| if dice.chance(3) { *dice.pick(&WORDS) } else { *dice.pick(&MARKS) })
            .collect();
        let Ok(terms) = parse(&source) else { continue };
        let mut case = world.case();
        case.terms = terms;
        world.answer(&case, true, None, 1000);
        asked += 1;
    }
    assert!(asked > 2000, "{asked}");
    for unusual in ["\u{345}x", "ⅷ", "\u{10ffff}a", "a\u{0}b", "𞤀", "\u{1e900}", "ꟲ", "٣", "\u{93e}"]
    {
        if let Ok(terms) = parse(unusual) {
            let case = Case { terms, rule: None, masks: Vec::new(), never: SlotSet::EMPTY };
            world.answer(&case, true, None, 1000);
        }
    }
}

#[test]
fn a_search_reads_the_rows_it_found_and_no_others() {
    let world = World::new(1);
    for source in ["red", "red lamp -oak", "\"red lamp\" na*"] {
        let case =
            Case { terms: parse(source).unwrap(), rule: None, masks: Vec::new(), never: SlotSet::EMPTY };
        let asked = select(Dialect::Sqlite, &world.schema, &world.select(&case, &[], true, None, 30));
        let plan = format!("EXPLAIN QUERY PLAN {}", asked.text);
        let mut prepared = world.connection.prepare(&plan).unwrap();
        for (at, value) in asked.params.iter().enumerate() {
            prepared.raw_bind_parameter(at + 1, Param(value)).unwrap();
        }
        let mut rows = prepared.raw_query();
        let mut lines = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            lines.push(row.get::<_, String>(3).unwrap());
        }
        assert!(lines[0].contains("SEARCH t USING INTEGER PRIMARY KEY (rowid=?)"), "{lines:?}");
        assert!(!lines.iter().any(|line| line.contains("SCAN t")), "{lines:?}");
    }
}
