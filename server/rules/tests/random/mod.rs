//! Random worlds: schemas, records and well-typed rules, made from a seed. Shared with the store's tests.

#![allow(dead_code, clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use super::dice::Dice;
use std::fmt::Write;
use std::sync::Arc;
use stead_rules::filter::{Filter, FilterError, FilterScope, parse};
use stead_rules::{AuthFacts, RuleBook, Tables, compile};
use stead_schema::{
    Collection, FieldType, RuleSlot, RuleText, Schema, Slot, SlotSet, SourceFile, Span, Value, load,
};

pub(crate) const COLLECTIONS: [&str; 4] = ["users", "alpha", "beta", "gamma"];
pub(crate) const NOW: i64 = 1_000_000;
const WORDS: [&str; 3] = ["red", "green", "blue"];
const TEXTS: [&str; 9] = ["", "a", "ab", "b", "A", "é", "a\u{10ffff}", "𝄞x", "x'\"%_"];
const INTS: [i64; 7] = [-((1 << 53) - 1), -7, -1, 0, 1, 7, (1 << 53) - 1];
const FLOATS: [f64; 6] = [-1.5, -0.0, 0.0, 0.1, 1.0, 1e300];
const TIMES: [i64; 5] = [-1000, 0, NOW, NOW + 1000, 253_402_300_799_999_000];

/// A schema without rules: every field is indexed, references point back or to themselves.
pub(crate) fn schema(dice: &mut Dice) -> Schema {
    let mut yaml = "version: 1\nauth: {roles: [staff, boss]}\ncollections:\n".to_owned();
    for (at, collection) in COLLECTIONS.iter().enumerate() {
        let auth = if at == 0 { "    kind: auth\n" } else { "" };
        write!(yaml, "  {collection}:\n{auth}    fields:\n").unwrap();
        let count = 3 + dice.below(4);
        let mut names = Vec::new();
        for number in 0..count {
            let name = format!("f{number}");
            let optional = if dice.chance(3) { ", optional: true" } else { "" };
            let kind = match dice.below(8) {
                0 => "type: text".to_owned(),
                1 => "type: int".to_owned(),
                2 => "type: int, min: -100, max: 100".to_owned(),
                3 => "type: float".to_owned(),
                4 => "type: bool".to_owned(),
                5 => "type: datetime".to_owned(),
                6 => format!("type: enum, values: [{}]", WORDS.join(", ")),
                _ => "type: list, of: text".to_owned(),
            };
            if !kind.contains("list") {
                names.push(format!("[{name}]"));
            }
            writeln!(yaml, "      {name}: {{{kind}{optional}}}").unwrap();
        }
        for number in 0..1 + dice.below(2) {
            let to = dice.below(at + 1);
            // Only what points to an earlier collection can be required: its first record needs something to point to.
            let optional = if to == at || dice.chance(3) { ", optional: true" } else { "" };
            let to = COLLECTIONS[to];
            writeln!(
                yaml,
                "      r{number}: {{type: ref, to: {to}, inverse: {collection}_r{number}{optional}}}"
            )
            .unwrap();
        }
        writeln!(yaml, "      j: {{type: json, optional: true, schema: {{properties: {{t: {{type: string}}, n: {{type: integer}}}}}}}}").unwrap();
        writeln!(yaml, "    indexes: [{}]\n    rules: {{}}", names.join(", ")).unwrap();
    }
    load(vec![SourceFile { path: "schema/app.yaml".into(), text: yaml.clone() }]).unwrap_or_else(|rejected| {
        let told: Vec<String> = rejected.diagnostics.iter().map(|d| d.render(&rejected.sources)).collect();
        panic!("{}\n{yaml}", told.join("\n"))
    })
}

/// Some records of every collection; now and then a reference to a record that is gone.
pub(crate) fn tables(schema: &Schema, dice: &mut Dice) -> Tables {
    let mut tables = Tables::default();
    for name in COLLECTIONS {
        let collection = schema.collection(name).unwrap();
        for number in 0..2 + dice.below(6) {
            let mut row: Vec<Value> = collection
                .fields
                .iter()
                .map(|field| value(&field.kind, field.optional, schema, dice))
                .collect();
            row[Slot::ID.index()] = Value::text(format!("{name}{number}"));
            if let Some((email, _)) =
                collection.slots().find(|(_, field)| matches!(field.kind, FieldType::Email))
            {
                // Two users never share one.
                row[email.index()] = Value::text(format!("{name}{number}"));
            }
            row[Slot::VERSION.index()] = Value::Int(1);
            tables.insert(collection.id, row.into());
        }
    }
    tables
}

pub(crate) fn value(kind: &FieldType, optional: bool, schema: &Schema, dice: &mut Dice) -> Value {
    if optional && dice.chance(3) {
        return Value::Null;
    }
    match kind {
        FieldType::Int { min: Some(_), .. } => Value::Int([-100, -1, 0, 1, 100][dice.below(5)]),
        FieldType::Int { .. } => Value::Int(*dice.pick(&INTS)),
        FieldType::Float { .. } => Value::Float(*dice.pick(&FLOATS)),
        FieldType::Bool => Value::Bool(dice.chance(2)),
        FieldType::Datetime => Value::Datetime(*dice.pick(&TIMES)),
        FieldType::Enum { .. } => Value::text(dice.pick(&WORDS)),
        FieldType::Ref { to, .. } => {
            let name = &schema.get(*to).unwrap().name;
            let among = if dice.chance(8) { 20 } else { 2 };
            Value::text(format!("{name}{}", dice.below(among)))
        }
        FieldType::List { .. } => {
            (0..dice.below(3)).map(|_| Value::text(dice.pick(&TEXTS))).collect::<Vec<_>>().into_list()
        }
        FieldType::Json(_) => Value::Json(Arc::new(
            [
                serde_json::json!({}),
                serde_json::json!({"t": "a", "n": 1}),
                serde_json::json!({"t": "", "n": -7, "x": true}),
                serde_json::json!({"t": null, "n": 2.5}),
            ][dice.below(4)]
            .clone(),
        )),
        _ => Value::text(dice.pick(&TEXTS)),
    }
}

trait IntoList {
    fn into_list(self) -> Value;
}

impl IntoList for Vec<Value> {
    fn into_list(self) -> Value {
        Value::List(self.into())
    }
}

/// A caller: nobody, or one of the first users.
pub(crate) fn caller(dice: &mut Dice) -> Option<AuthFacts> {
    if dice.chance(4) {
        return None;
    }
    let roles: Vec<Arc<str>> =
        ["staff", "boss"].iter().filter(|_| dice.chance(2)).map(|r| Arc::from(*r)).collect();
    Some(AuthFacts {
        id: format!("users{}", dice.below(3)).into(),
        roles: roles.into(),
        verified: dice.chance(2),
    })
}

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

/// What a rule may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Everything.
    Full,
    /// Nothing that tells null from a value: no presence tests, `default`, `same`.
    Plain,
    /// A user's filter: no caller but `me`, no whole collections.
    Filter,
}

pub(crate) fn rule(schema: &Schema, collection: &str, dice: &mut Dice, style: Style) -> String {
    let records = vec![("resource".to_owned(), schema.collection(collection).unwrap())];
    let mut maker = Maker { schema, dice, style, records, variables: 0, sealed: false, lookups: 0 };
    let depth = 2 + maker.dice.below(3);
    maker.condition(depth)
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
                let told = |e: &FilterError| {
                    ["lookups", "parts", "nested", "range", "costs"].iter().any(|w| e.message.contains(w))
                };
                assert!(found.iter().all(told), "{source}: {found:?}");
            }
        }
    }
    panic!("no filter was accepted")
}

struct Maker<'s, 'd> {
    schema: &'s Schema,
    dice: &'d mut Dice,
    style: Style,
    records: Vec<(String, &'s Collection)>,
    variables: usize,
    /// Inside a negated lookup: nothing that may be null.
    sealed: bool,
    lookups: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Text,
    Int,
    Small,
    Float,
    Bool,
    Time,
    Word,
    List,
    Id(u16),
}

impl<'s> Maker<'s, '_> {
    fn condition(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.atom();
        }
        match self.dice.below(10) {
            0 | 1 => format!("({} && {})", self.condition(depth - 1), self.condition(depth - 1)),
            2 | 3 => format!("({} || {})", self.condition(depth - 1), self.condition(depth - 1)),
            4 => format!("!({})", self.negated(depth - 1)),
            5 if depth > 1 => {
                let outer = std::mem::replace(&mut self.sealed, true);
                let condition = self.condition(depth - 2);
                self.sealed = outer;
                format!("({condition} ? {} : {})", self.condition(depth - 2), self.condition(depth - 2))
            }
            6 | 7 if self.records.len() < 4 && self.lookups < 6 => {
                self.lookup(depth - 1).unwrap_or_else(|| self.atom())
            }
            _ => self.atom(),
        }
    }

    /// Under `!`: a lookup there is sealed, so write it for that.
    fn negated(&mut self, depth: usize) -> String {
        let outer = std::mem::replace(&mut self.sealed, true);
        let inner = self.condition(depth);
        self.sealed = outer;
        inner
    }

    fn lookup(&mut self, depth: usize) -> Option<String> {
        self.lookups += 1;
        let (record, of) = self.record();
        let inverses: Vec<(&str, &Collection)> = self
            .schema
            .collections
            .iter()
            .flat_map(|c| {
                c.fields.iter().filter_map(move |f| match &f.kind {
                    FieldType::Ref { to, inverse: Some(inverse), .. } if *to == of.id => {
                        Some((inverse.as_str(), c))
                    }
                    _ => None,
                })
            })
            .collect();
        self.variables += 1;
        let name = format!("v{}", self.variables);
        if self.style == Style::Filter && inverses.is_empty() {
            return None;
        }
        let related = self.style == Style::Filter || self.dice.chance(2);
        let (set, key, target) = if !inverses.is_empty() && related {
            let (inverse, target) = *self.dice.pick(&inverses);
            (format!("{record}.{inverse}"), None, target)
        } else {
            let target = self.dice.pick(&self.schema.collections);
            let key = self.key(&name, target);
            (format!("db.{}", target.name), Some(key), target)
        };
        let all = self.dice.chance(4);
        let outer = self.sealed;
        self.sealed = outer || all;
        self.records.push((name.clone(), target));
        let body = self.condition(depth.saturating_sub(1));
        self.records.pop();
        self.sealed = outer;
        Some(match (all, key) {
            (true, Some(key)) => format!("{set}.all({name}, !({key}) || {body})"),
            (true, None) => format!("{set}.all({name}, {body})"),
            (false, Some(key)) => format!("{set}.exists({name}, {key} && {body})"),
            (false, None) => format!("{set}.exists({name}, {body})"),
        })
    }

    /// `variable.field == something outside`, by a field that has an index.
    fn key(&mut self, variable: &str, target: &Collection) -> String {
        let indexed: Vec<(String, Sort)> = target
            .fields
            .iter()
            .filter(|f| !f.system && !matches!(f.kind, FieldType::List { .. } | FieldType::Json(_)))
            .filter(|f| !(self.sealed && f.optional))
            .map(|f| (f.name.clone(), sort_of(target, &f.kind)))
            .collect();
        let (field, sort) = match indexed.is_empty() {
            true => ("id".to_owned(), Sort::Id(target.id.0)),
            false => self.dice.pick(&indexed).clone(),
        };
        format!("{variable}.{field} == {}", self.operand(sort))
    }

    fn record(&mut self) -> (String, &'s Collection) {
        let at = self.dice.below(self.records.len());
        (self.records[at].0.clone(), self.records[at].1)
    }

    fn atom(&mut self) -> String {
        let sort = self.sort();
        match self.dice.below(12) {
            0 if self.style != Style::Plain => {
                let (path, _) = self.path(None).unwrap_or(("now".into(), false));
                format!("{path} {} null", if self.dice.chance(2) { "==" } else { "!=" })
            }
            1 if self.style != Style::Plain => {
                format!("same({}, {})", self.operand(sort), self.operand(sort))
            }
            2 => format!("{} in [{}, {}]", self.operand(sort), self.literal(sort), self.literal(sort)),
            3 => format!("{} in {}", self.operand(Sort::Text), self.operand(Sort::List)),
            4 => {
                let method = *self.dice.pick(&["startsWith", "endsWith", "contains"]);
                format!("{}.{method}({})", self.operand(Sort::Text), self.operand(Sort::Text))
            }
            5 => self.operand(Sort::Bool),
            6 if !self.sealed && self.style != Style::Filter => {
                (*self.dice.pick(&["\"staff\" in auth.roles", "auth.verified"])).to_owned()
            }
            7 if self.style == Style::Full => (*self.dice.pick(&["auth != null", "auth == null"])).to_owned(),
            8 | 9 => format!("{} == {}", self.operand(sort), self.operand(sort)),
            _ => {
                let op = match sort {
                    Sort::Bool | Sort::Word => *self.dice.pick(&["==", "!="]),
                    _ => *self.dice.pick(&["==", "!=", "<", "<=", ">", ">="]),
                };
                format!("{} {op} {}", self.operand(sort), self.operand(sort))
            }
        }
    }

    fn sort(&mut self) -> Sort {
        let id = u16::try_from(self.dice.below(COLLECTIONS.len())).unwrap();
        *self.dice.pick(&[
            Sort::Text,
            Sort::Int,
            Sort::Small,
            Sort::Float,
            Sort::Bool,
            Sort::Time,
            Sort::Word,
            Sort::Id(0),
            Sort::Id(id),
        ])
    }

    /// A value of a sort. Where nothing may be null, nothing is.
    fn operand(&mut self, sort: Sort) -> String {
        match (self.dice.below(8), sort) {
            (0, Sort::Int | Sort::Small) => {
                let (a, b) = (self.operand(Sort::Small), self.operand(Sort::Small));
                let call = *self.dice.pick(&[
                    "({a} + {b})",
                    "({a} - {b})",
                    "({a} * {b})",
                    "min({a}, {b})",
                    "max({a}, {b})",
                    "abs({a})",
                    "-({a})",
                ]);
                return call.replace("{a}", &a).replace("{b}", &b);
            }
            (1, Sort::Int | Sort::Small) if self.style == Style::Full => {
                let (a, b) = (self.operand(Sort::Small), self.operand(Sort::Small));
                let call = *self.dice.pick(&["div({a}, {b})", "mod({a}, {b})"]);
                return format!("default({}, 3)", call.replace("{a}", &a).replace("{b}", &b));
            }
            (1, Sort::Int) => return format!("{}.size()", self.operand(Sort::Text)),
            (2, Sort::Int) => return format!("{}.size()", self.operand(Sort::List)),
            (1, Sort::Time) => return format!("({} + duration(\"1ms\"))", self.time()),
            (2, Sort::Time) => return "now".to_owned(),
            (1, Sort::Text) => return format!("{}.lower()", self.operand(Sort::Text)),
            (2, Sort::Text) if self.style == Style::Full => {
                let (record, _) = self.record();
                return format!("default({record}.j.t, \"a\")");
            }
            (2, Sort::Small) if self.style == Style::Full => {
                let (record, _) = self.record();
                return format!("min(max(default({record}.j.n, 1), -9), 9)");
            }
            (1..=3, Sort::Id(0)) if self.style == Style::Filter => return "me".to_owned(),
            (1..=3, Sort::Id(0)) if !self.sealed => return "auth.id".to_owned(),
            (1..=3, Sort::Id(0)) if self.style == Style::Full => {
                return "default(auth.id, \"users1\")".to_owned();
            }
            (3, _) => return self.literal(sort),
            _ => {}
        }
        match self.path(Some(sort)) {
            Some((path, nullable)) if self.sealed && nullable => match self.style {
                Style::Full if sort != Sort::List => format!("default({path}, {})", self.literal(sort)),
                _ => self.literal(sort),
            },
            Some((path, _)) => path,
            None => self.literal(sort),
        }
    }

    fn time(&mut self) -> String {
        match self.path(Some(Sort::Time)) {
            Some((path, nullable)) if !(self.sealed && nullable) => path,
            _ => "now".to_owned(),
        }
    }

    fn literal(&mut self, sort: Sort) -> String {
        match sort {
            Sort::Text => serde_json::json!(self.dice.pick(&TEXTS)).to_string(),
            Sort::Int => self.dice.pick(&INTS).to_string(),
            Sort::Small => self.dice.pick(&[-100, -1, 0, 1, 100]).to_string(),
            Sort::Float => format!("{:?}", self.dice.pick(&[-1.5, 0.0, 0.1, 1.0])),
            Sort::Bool => self.dice.pick(&["true", "false"]).to_string(),
            Sort::Time => format!("timestamp(\"{}\")", stead_wire::Instant(*self.dice.pick(&TIMES))),
            Sort::Word => format!("\"{}\"", self.dice.pick(&WORDS)),
            Sort::List => "[\"a\", \"\"]".to_owned(),
            Sort::Id(of) => format!("\"{}{}\"", COLLECTIONS[usize::from(of)], self.dice.below(3)),
        }
    }

    /// A field of a record in sight or one or two steps away, and whether it may be null.
    fn path(&mut self, wanted: Option<Sort>) -> Option<(String, bool)> {
        let fits = |of: &Collection, f: &stead_schema::Field| {
            let json = matches!(f.kind, FieldType::Json(_));
            let sort = sort_of(of, &f.kind);
            !json && wanted.is_none_or(|w| w == sort || (w == Sort::Int && sort == Sort::Small))
        };
        for _ in 0..4 {
            let (mut path, mut of) = self.record();
            let mut steps = 0;
            while steps < 2 && self.dice.chance(4) {
                let refs: Vec<(&str, stead_schema::CollectionId)> = of
                    .fields
                    .iter()
                    .filter_map(|f| match &f.kind {
                        FieldType::Ref { to, .. } => Some((f.name.as_str(), *to)),
                        _ => None,
                    })
                    .collect();
                let (name, to) = *self.dice.pick(&refs);
                path = format!("{path}.{name}");
                of = self.schema.get(to)?;
                steps += 1;
            }
            let fields: Vec<&stead_schema::Field> = of.fields.iter().filter(|f| fits(of, f)).collect();
            if fields.is_empty() {
                continue;
            }
            let field = *self.dice.pick(&fields);
            return Some((format!("{path}.{}", field.name), field.optional || steps > 0));
        }
        None
    }
}

fn sort_of(of: &Collection, kind: &FieldType) -> Sort {
    match kind {
        FieldType::Id => Sort::Id(of.id.0),
        FieldType::Int { min: Some(_), .. } => Sort::Small,
        FieldType::Int { .. } => Sort::Int,
        FieldType::Float { .. } => Sort::Float,
        FieldType::Bool => Sort::Bool,
        FieldType::Datetime => Sort::Time,
        FieldType::Enum { .. } => Sort::Word,
        FieldType::Ref { to, .. } => Sort::Id(to.0),
        FieldType::List { .. } => Sort::List,
        _ => Sort::Text,
    }
}
