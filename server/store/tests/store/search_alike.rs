//! The same search of the same records by the same caller gives the same answer on SQLite and on Postgres: records,
//! order, ranks, what is hidden, pages and counts.

use crate::app::*;
use crate::dice::Dice;
use std::sync::Arc;
use stead_rules::search::{Term, parse};
use stead_rules::{Expr, SortKey};
use stead_schema::{Collection, CollectionId, FieldType, Kind, Language, Schema, Search, SearchField};
use stead_schema::{Slot, SlotSet, Value};
use stead_store::{Error, Page, Select, Store, Words};

const TITLE: Slot = Slot(4);
const TEXT: Slot = Slot(5);
const NOTE: Slot = Slot(6);
const OPEN: Slot = Slot(7);

fn notes(language: Language) -> Arc<Schema> {
    let fields = vec![
        required("title", text()),
        optional("text", text()),
        optional("note", text()),
        optional("open", FieldType::Bool),
    ];
    let mut notes = collection(CollectionId(0), "notes", Kind::Data, fields);
    let searched = [(TITLE, 10), (TEXT, 1), (NOTE, 4)];
    let fields = searched.map(|(slot, weight)| SearchField { slot, weight }).to_vec();
    notes.search = Some(Search { fields, language });
    Arc::new(schema(vec![notes]))
}

type Record = Arc<[Value]>;

fn note(id: &str, texts: [&str; 3], open: Value) -> Record {
    row(id, texts.map(Value::text).into_iter().chain([open]))
}

async fn insert_all(store: &Store, schema: &Arc<Schema>, rows: Vec<Record>) {
    let schema = Arc::clone(schema);
    let done = store.write(async move |tx| {
        for row in rows {
            tx.insert(&schema.collections[0], row, None, NOW).await?;
        }
        Ok::<_, Error>(())
    });
    done.await.unwrap();
}

async fn replace(store: &Store, schema: &Arc<Schema>, before: Record, after: Record) {
    let schema = Arc::clone(schema);
    let done = store.write(async move |tx| tx.update(&schema.collections[0], before, after, None, NOW).await);
    done.await.unwrap_or_else(|e: Error| panic!("{e}"));
}

async fn remove(store: &Store, schema: &Arc<Schema>, row: Record) {
    let schema = Arc::clone(schema);
    let done = store.write(async move |tx| tx.delete(&schema.collections[0], row, None, NOW).await);
    done.await.unwrap_or_else(|e: Error| panic!("{e}"));
}

/// A search by some caller.
struct Asked {
    terms: Vec<Term>,
    masks: Vec<(Slot, Expr)>,
    never: SlotSet,
    best_first: bool,
    sort: Vec<SortKey>,
}

impl Asked {
    /// By somebody who sees everything.
    fn plain(q: &str) -> Self {
        let sort = vec![SortKey { slot: Slot::ID, descending: false }];
        let terms = parse(q).unwrap_or_else(|e| panic!("{q}: {e}"));
        Self { terms, masks: Vec::new(), never: SlotSet::EMPTY, best_first: true, sort }
    }

    fn select<'a>(
        &'a self,
        collection: &'a Collection,
        after: Option<&'a [Value]>,
        limit: u32,
    ) -> Select<'a> {
        let words = Words { terms: &self.terms, never: self.never, best_first: self.best_first };
        let (masks, sort) = (&self.masks, &self.sort);
        Select { collection, predicates: &[], masks, sort, after, limit, words: Some(words) }
    }

    async fn page(&self, store: &Store, schema: &Schema, after: Option<&[Value]>, limit: u32) -> Page {
        let select = self.select(&schema.collections[0], after, limit);
        let page = store.read(async |reader| reader.select(&select).await).await;
        page.unwrap_or_else(|e: Error| panic!("{:?}: {e}", self.terms))
    }

    /// The whole answer, which pages of three and the count must agree with.
    async fn answer(&self, store: &Store, schema: &Schema) -> Page {
        let whole = self.page(store, schema, None, 1000).await;
        let mut paged: Page = Vec::new();
        loop {
            let after = paged.last().map(|last| {
                let rank = self.best_first.then_some(Value::Int(last.rank));
                let keys = self.sort.iter().map(|key| last.row[key.slot.index()].clone());
                rank.into_iter().chain(keys).collect::<Vec<Value>>()
            });
            let page = self.page(store, schema, after.as_deref(), 3).await;
            let last = page.len() < 3;
            paged.extend(page);
            assert!(paged.len() <= whole.len(), "{:?}", self.terms);
            if last {
                break;
            }
        }
        assert_eq!(paged, whole, "{:?}", self.terms);
        let select = self.select(&schema.collections[0], None, 1);
        let count = store.read(async |reader| reader.count(&select, 1000).await).await;
        assert_eq!(count.unwrap_or_else(|e: Error| panic!("{e}")), whole.len() as u64);
        whole
    }
}

fn ids(page: &Page) -> Vec<&str> {
    page.iter().map(|shown| shown.row[0].as_text().unwrap()).collect()
}

#[tokio::test]
async fn what_is_typed_finds_the_same_records_in_both_databases() {
    let simple = notes(Language::Simple);
    let rows = [
        ("a", ["The red lamp", "is broken", "re-use it"]),
        ("b", ["A lamp, red", "crème brûlée", "a.b@c.de"]),
        ("c", ["Rote LÄMPCHEN", "the red", "lamp is here"]),
        ("d", ["中文字典", "ТЁПЛЫЙ Йод", "İstanbul ΣΊΣΥΦΟΣ ς"]),
        ("e", ["", "e\u{301}te\u{301} \u{1f44d}a1\u{1f44d} ½", "it's x_y 0red"]),
        ("f", ["क्षि", "\u{1c89}tje \u{e000}", "back\\slash 'quote' a & b | c"]),
        ("g", ["red red lamp lamp", "", "red\u{ad}lamp red\u{200b}lamp"]),
    ];
    for store in everywhere().await {
        store.apply(Arc::clone(&simple)).await.unwrap();
        let all = rows.iter().map(|(id, texts)| note(id, *texts, Value::Null)).collect();
        insert_all(&store, &simple, all).await;
        for (q, expected) in [
            ("red", &["g", "a", "b", "c"][..]),
            ("red lamp", &["g", "a", "b", "c"]),
            ("\"red lamp\"", &["g", "a"]),
            ("\"lamp red\"", &["b", "g"]),
            ("lam*", &["c", "g", "a", "b"]),
            ("lämp*", &["c", "g", "a", "b"]),
            ("lampchen", &["c"]),
            ("\"red la\"*", &["g", "a"]),
            ("\"red la\"", &[]),
            ("red -broken", &["g", "b", "c"]),
            ("red -\"red lamp\"", &["b", "c"]),
            ("red -lam*", &[]),
            ("creme BRULEE", &["b"]),
            ("re-use", &["a"]),
            ("\"use re\"", &[]),
            ("a.b@c.de", &["b"]),
            ("中文", &[]),
            ("中*", &["d"]),
            // Only Latin letters lose marks that are part of them.
            ("тёплый", &["d"]),
            ("теплыи", &[]),
            ("istanbul", &["d"]),
            ("σίσυφος", &["d"]),
            ("été", &["e"]),
            ("a1", &["e"]),
            ("½", &["e"]),
            ("0red", &["e"]),
            ("\"x y 0red\"", &["e"]),
            ("\"s x y\"", &["e"]),
            ("'quote'", &["f"]),
            ("back\\slash", &["f"]),
            ("a & b", &["b", "f"]),
            ("\u{1c89}TJE", &["f"]),
            // A vowel sign counts as a letter when terms are read, but is in no word.
            ("\u{93e}", &[]),
            ("red \u{93e}", &[]),
            ("red -\u{93e}", &["g", "a", "b", "c"]),
            ("\"red \u{93e} lamp\"", &["g", "a"]),
        ] {
            assert_eq!(ids(&Asked::plain(q).answer(&store, &simple).await), expected, "{q}");
        }
        store.close().await;
    }
}

/// Words of records and of searches: letters of many kinds, and everything that is syntax somewhere.
const POOL: [&str; 56] = [
    "red",
    "lamp",
    "lamps",
    "Lämpchen",
    "LAMP",
    "rédd",
    "re-use",
    "reuse",
    "re",
    "use",
    "running",
    "runs",
    "run",
    "generalizations",
    "general",
    "happily",
    "x_y",
    "a.b@c.de",
    "http://h.de/p?q=1",
    "it's",
    "İstanbul",
    "ISI",
    "ısı",
    "crème",
    "cre\u{300}me",
    "CRÈME",
    "ß",
    "ẞ",
    "SS",
    "ﬁn",
    "fin",
    "σίσυφος",
    "ΣΊΣΥΦΟΣ",
    "Ёлка",
    "елка",
    "中文字",
    "中",
    "かな",
    "한국어",
    "ไทย",
    "क्षि",
    "أُمّ",
    "\u{1f44d}",
    "a\u{1f44d}b",
    "½",
    "٣",
    "0red",
    "1lamp",
    "\\",
    "'",
    "*",
    "&|!",
    "<->",
    ":*",
    "\"",
    "\u{301}",
];

/// Where letters of chance are from.
const RANGES: [(u32, u32); 18] = [
    (0x20, 0x7f),
    (0xa0, 0x250),
    (0x300, 0x370),
    (0x370, 0x530),
    (0x590, 0x700),
    (0x900, 0xa00),
    (0xe00, 0xe80),
    (0x1c80, 0x1cc0),
    (0x1e00, 0x2200),
    (0x2460, 0x2500),
    (0x2c00, 0x2e00),
    (0x3040, 0x3100),
    (0x4e00, 0x4e20),
    (0xa640, 0xa7ff),
    (0xe000, 0xe005),
    (0xff00, 0xfff0),
    (0x10400, 0x10450),
    (0x1e900, 0x1e960),
];

fn word(dice: &mut Dice) -> String {
    if !dice.chance(3) {
        return (*dice.pick(&POOL)).to_owned();
    }
    (0..=dice.below(4))
        .filter_map(|_| {
            let (from, to) = *dice.pick(&RANGES);
            char::from_u32(from + u32::try_from(dice.below((to - from) as usize)).unwrap())
        })
        .collect()
}

fn words(dice: &mut Dice, most: usize) -> String {
    let glue = [" ", " ", " ", ", ", "-", "\n", "\u{a0}", "\u{200d}", ""];
    (0..dice.below(most + 1)).map(|_| format!("{}{}", word(dice), dice.pick(&glue))).collect()
}

fn record(id: usize, dice: &mut Dice) -> Record {
    let some = |dice: &mut Dice| if dice.chance(5) { Value::Null } else { Value::text(words(dice, 8)) };
    let open = [Value::Null, Value::Bool(true), Value::Bool(false)];
    let (text, note) = (some(dice), some(dice));
    row(&format!("n{id:02}"), [Value::text(words(dice, 5)), text, note, dice.pick(&open).clone()])
}

/// Something typed, more often than not made of what stands in a record.
fn typed(rows: &[Record], dice: &mut Dice) -> String {
    let mut out = String::new();
    for _ in 0..=dice.below(3) {
        let from = dice.pick(rows)[dice.pick(&[TITLE, TEXT, NOTE]).index()].clone();
        let there: Vec<&str> = from.as_text().unwrap_or_default().split_whitespace().collect();
        let start = dice.below(there.len());
        let end = (start + 1 + dice.below(3)).min(there.len());
        let mut term = if dice.chance(4) { word(dice) } else { there[start..end].join(" ") };
        term = match dice.below(4) {
            0 => term.to_uppercase(),
            1 => term.to_lowercase(),
            _ => term,
        };
        if dice.chance(4) {
            term = term.chars().take(1 + dice.below(3)).chain("*".chars()).collect();
        } else if dice.chance(2) {
            term = format!("\"{term}\"{}", if dice.chance(4) { "*" } else { "" });
        }
        let minus = if dice.chance(4) { "-" } else { "" };
        out.push_str(&format!("{minus}{term} "));
    }
    out
}

fn asked(terms: Vec<Term>, dice: &mut Dice) -> Asked {
    let searched = [TITLE, TEXT, NOTE];
    let mut never = SlotSet::EMPTY;
    if dice.chance(4) {
        never.insert(*dice.pick(&searched));
    }
    let seen = is(OPEN, Value::Bool(true));
    let masked = searched.into_iter().filter(|slot| !never.contains(*slot) && dice.chance(4));
    let masks = masked.map(|slot| (slot, seen.clone())).collect();
    let descending = dice.chance(2);
    let mut sort = vec![SortKey { slot: Slot::ID, descending }];
    let best_first = dice.chance(2);
    if !best_first && dice.chance(2) {
        sort.insert(0, SortKey { slot: *dice.pick(&searched), descending });
    }
    Asked { terms, masks, never, best_first, sort }
}

/// Records of chance, some of them changed and removed again, alike in every store.
async fn filled(stores: &[Store], schema: &Arc<Schema>, dice: &mut Dice) -> Vec<Record> {
    let mut rows: Vec<Record> = (0..24).map(|id| record(id, dice)).collect();
    for store in stores {
        store.apply(Arc::clone(schema)).await.unwrap();
        insert_all(store, schema, rows.clone()).await;
    }
    for at in 0..rows.len() / 3 {
        let mut after = record(at, dice).to_vec();
        after[3] = Value::Int(2);
        let after: Record = after.into();
        for store in stores {
            replace(store, schema, Arc::clone(&rows[at]), Arc::clone(&after)).await;
        }
        rows[at] = after;
    }
    let gone = rows.swap_remove(dice.below(rows.len()));
    for store in stores {
        remove(store, schema, Arc::clone(&gone)).await;
    }
    rows
}

#[tokio::test]
async fn random_searches_of_random_records_are_answered_alike() {
    // A search is asked some ten times: as a whole, by pages and as a count, of each database.
    let cases = std::env::var("STEAD_CASES").map(|n| n.replace('_', "").parse::<usize>().unwrap() / 5);
    let wanted = cases.unwrap_or(1500);
    let worlds = 6;
    let (mut found, mut none) = (0, 0);
    for world in 0..worlds {
        let stores = everywhere().await;
        let mut dice = Dice::new(world);
        let schema = notes(if world % 2 == 0 { Language::Simple } else { Language::English });
        let rows = filled(&stores, &schema, &mut dice).await;
        for _ in 0..wanted / usize::try_from(worlds).unwrap() {
            let q = typed(&rows, &mut dice);
            let Ok(terms) = parse(&q) else { continue };
            let asked = asked(terms, &mut dice);
            let mut answers = Vec::new();
            for store in &stores {
                answers.push(asked.answer(store, &schema).await);
            }
            let told = format!("world {world}, {q:?}, {:?}, masks {:?}", asked.terms, asked.masks);
            assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{told}\n{answers:#?}");
            if answers[0].is_empty() { none += 1 } else { found += 1 }
        }
        for store in stores {
            store.close().await;
        }
    }
    assert!(found > none / 2 && none > found / 10, "searches are to find something: {found}, {none} did not");
}

/// What a `tsvector` could not hold: see `query::search::tsvector`.
#[tokio::test]
async fn texts_past_every_limit_of_a_tsvector_are_written_and_found_as_exactly_as_others() {
    let schema = notes(Language::Simple);
    let far: String = (0..20_000).map(|n| format!("w{n} ")).collect();
    let often = format!("{} b a c", "a b ".repeat(400));
    let long = format!("{}end {}one {}two", "x".repeat(3000), "y".repeat(90), "y".repeat(90));
    let many: String = (0..60_000).map(|n| format!("v{n:05} ")).collect();
    let found = |q: String, expected: &'static [&'static str]| (q, expected);
    let asked = [
        found("\"w19998 w19999\"".into(), &["far"]),
        found("\"w19999 w19998\"".into(), &[]),
        found("\"b a c\"".into(), &["often"]),
        found("\"a c a\"".into(), &[]),
        found(format!("{}*", "x".repeat(199)), &["long"]),
        found("x".repeat(200), &[]),
        found(format!("{}two", "y".repeat(90)), &["long"]),
        found(format!("{}three", "y".repeat(90)), &[]),
        found(format!("{}t*", "y".repeat(90)), &["long"]),
        found("\"v59998 v59999\"".into(), &["many"]),
        found("v5999*".into(), &["many"]),
        found("v60000".into(), &[]),
        found("v00001 -v00002".into(), &[]),
        found("few".into(), &["few"]),
    ];
    for store in everywhere().await {
        store.apply(Arc::clone(&schema)).await.unwrap();
        let texts = [("far", &far), ("often", &often), ("long", &long), ("many", &many)];
        let rows = texts.map(|(id, text)| note(id, [id, text, text], Value::Null));
        for row in rows.iter().cloned().chain([note("few", ["few", "", ""], Value::Null)]) {
            insert_all(&store, &schema, vec![row]).await;
        }
        for (q, expected) in &asked {
            assert_eq!(ids(&Asked::plain(q).answer(&store, &schema).await), *expected, "{q}");
        }
        // A record of too many words becomes one like others.
        let after = note("many", ["many", "v70000", ""], Value::Null);
        replace(&store, &schema, rows[3].clone(), after).await;
        for (q, expected) in [("v70000", &["many"][..]), ("v5999*", &[])] {
            assert_eq!(ids(&Asked::plain(q).answer(&store, &schema).await), expected, "{q}");
        }
        store.close().await;
    }
}

/// As another server may, that was not started anew yet.
#[tokio::test]
async fn who_still_has_the_schema_of_before_never_takes_a_hidden_field_for_another() {
    let old = notes(Language::Simple);
    let mut new = Schema::clone(&old);
    new.collections[0].search.as_mut().unwrap().fields.reverse();
    let new = Arc::new(new);
    let mut asked = Asked::plain("secret");
    asked.never.insert(NOTE);
    for store in everywhere().await {
        store.apply(Arc::clone(&old)).await.unwrap();
        insert_all(&store, &old, vec![note("a", ["title", "text", "secret"], Value::Null)]).await;
        store.apply(Arc::clone(&new)).await.unwrap();
        let select = asked.select(&old.collections[0], None, 10);
        let answer: Result<Page, Error> = store.read(async |reader| reader.select(&select).await).await;
        assert!(answer.map_or(true, |page| page.is_empty()));
        assert_eq!(ids(&Asked::plain("secret").answer(&store, &new).await), ["a"], "control");
        store.close().await;
    }
}
