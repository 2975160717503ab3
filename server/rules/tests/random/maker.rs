//! One random rule: well typed by construction, as deep as asked.

use super::super::dice::Dice;
use super::world::{DAYS, INTS, PARTS, SPANS, TEXTS, WORDS, WRITTEN_TIMES};
use super::{COLLECTIONS, Style};
use stead_schema::{Collection, CollectionId, Field, FieldType, Schema};

pub(super) struct Maker<'s, 'd> {
    pub(super) schema: &'s Schema,
    pub(super) dice: &'d mut Dice,
    pub(super) style: Style,
    /// Records in sight, by name.
    pub(super) records: Vec<(String, &'s Collection)>,
    pub(super) variables: usize,
    /// Inside a negated lookup: nothing that may be null.
    pub(super) sealed: bool,
    pub(super) lookups: usize,
    pub(super) choices: usize,
}

/// What a value is, as far as the rule's author must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Text,
    Int,
    Small,
    Float,
    Bool,
    Time,
    Decimal,
    Date,
    Span,
    Word,
    Id(u16),
    List(Item),
    Document,
}

/// What a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Text,
    Int,
    Float,
    Bool,
    Time,
    Word,
}

const DECIMALS: [&str; 7] = ["-9999.99", "-1", "0", "0.01", "2.5", "9999.99", "0.0001"];

const ITEMS: [Item; 6] = [Item::Text, Item::Int, Item::Float, Item::Bool, Item::Time, Item::Word];

impl Item {
    fn sort(self) -> Sort {
        match self {
            Self::Text => Sort::Text,
            Self::Int => Sort::Int,
            Self::Float => Sort::Float,
            Self::Bool => Sort::Bool,
            Self::Time => Sort::Time,
            Self::Word => Sort::Word,
        }
    }
}

impl<'s> Maker<'s, '_> {
    pub(super) fn condition(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.atom();
        }
        match self.dice.below(12) {
            0 | 1 => format!("({} && {})", self.condition(depth - 1), self.condition(depth - 1)),
            2 | 3 => format!("({} || {})", self.condition(depth - 1), self.condition(depth - 1)),
            4 => format!("!({})", self.sealed(|m| m.condition(depth - 1))),
            5 if depth > 1 => {
                let condition = self.sealed(|m| m.condition(depth - 2));
                format!("({condition} ? {} : {})", self.condition(depth - 2), self.condition(depth - 2))
            }
            6..=9 if self.records.len() < 4 && self.lookups < 6 => {
                self.lookup(depth - 1).unwrap_or_else(|| self.atom())
            }
            _ => self.atom(),
        }
    }

    /// Where a lookup would be negative (under `!`, in a condition of `?:`): write it for that.
    fn sealed(&mut self, make: impl FnOnce(&mut Self) -> String) -> String {
        let outer = std::mem::replace(&mut self.sealed, true);
        let made = make(self);
        self.sealed = outer;
        made
    }

    fn lookup(&mut self, depth: usize) -> Option<String> {
        self.lookups += 1;
        let (record, of) = self.record();
        let inverses = self.inverses(of.id);
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

    /// The ways back to a collection, with who refers.
    fn inverses(&self, of: CollectionId) -> Vec<(&'s str, &'s Collection)> {
        let named = |field: &'s Field| match &field.kind {
            FieldType::Ref { to, inverse: Some(inverse), .. } if *to == of => Some(inverse.as_str()),
            _ => None,
        };
        let collections = self.schema.collections.iter();
        collections.flat_map(|c| c.fields.iter().filter_map(move |f| Some((named(f)?, c)))).collect()
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
        match self.dice.below(14) {
            0 if self.style != Style::Plain => {
                let (path, _) = self.path(None).unwrap_or(("now".into(), false));
                format!("{path} {} null", if self.dice.chance(2) { "==" } else { "!=" })
            }
            1 if self.style != Style::Plain => {
                format!("same({}, {})", self.operand(sort), self.operand(sort))
            }
            2 => format!("{} in [{}, {}]", self.operand(sort), self.literal(sort), self.literal(sort)),
            3 => format!("{} in [{}, {}]", self.operand(sort), self.operand(sort), self.literal(sort)),
            4 | 5 => {
                let item = *self.dice.pick(&ITEMS);
                format!("{} in {}", self.operand(item.sort()), self.operand(Sort::List(item)))
            }
            6 => {
                let method = *self.dice.pick(&["startsWith", "endsWith", "contains"]);
                let part = match self.dice.chance(2) {
                    true => serde_json::json!(self.dice.pick(&PARTS)).to_string(),
                    false => self.operand(Sort::Text),
                };
                format!("{}.{method}({part})", self.operand(Sort::Text))
            }
            7 => self.operand(Sort::Bool),
            8 if !self.sealed && self.style != Style::Filter => {
                (*self.dice.pick(&["\"staff\" in auth.roles", "auth.verified"])).to_owned()
            }
            9 if self.style == Style::Full => (*self.dice.pick(&["auth != null", "auth == null"])).to_owned(),
            10 | 11 => format!("{} == {}", self.operand(sort), self.operand(sort)),
            _ => {
                let op = match sort {
                    Sort::Bool | Sort::Word => *self.dice.pick(&["==", "!="]),
                    _ => *self.dice.pick(&["==", "!=", "<", "<=", ">", ">="]),
                };
                format!("{} {op} {}", self.operand(sort), self.operand(sort))
            }
        }
    }

    /// The type of a comparison.
    fn sort(&mut self) -> Sort {
        let id = u16::try_from(self.dice.below(COLLECTIONS.len())).unwrap();
        *self.dice.pick(&[
            Sort::Text,
            Sort::Int,
            Sort::Small,
            Sort::Float,
            Sort::Bool,
            Sort::Time,
            Sort::Decimal,
            Sort::Date,
            Sort::Span,
            Sort::Word,
            Sort::Id(0),
            Sort::Id(id),
        ])
    }

    /// A value of a sort. Where nothing may be null, nothing is.
    fn operand(&mut self, sort: Sort) -> String {
        match self.dice.below(9) {
            0 | 1 => self.computed(sort),
            2 => self.of_document(sort),
            3 => self.known(sort),
            4 if sort != Sort::Document => Some(self.literal(sort)),
            // Written numbers alone choose between ints and floats, not decimals.
            5 if !matches!(sort, Sort::Document | Sort::Decimal | Sort::Id(_) | Sort::List(Item::Word)) => {
                self.chosen(sort)
            }
            _ => None,
        }
        .unwrap_or_else(|| self.stored(sort))
    }

    /// A function or an operator over others.
    fn computed(&mut self, sort: Sort) -> Option<String> {
        let full = self.style == Style::Full;
        Some(match (sort, self.dice.below(4)) {
            (Sort::Int | Sort::Small, 0) if full => {
                let (a, b) = (self.operand(Sort::Small), self.operand(Sort::Small));
                let call = *self.dice.pick(&["div", "mod"]);
                format!("default({call}({a}, {b}), 3)")
            }
            (Sort::Int, 1) => format!("{}.size()", self.operand(Sort::Text)),
            (Sort::Int, 2) => {
                let item = *self.dice.pick(&ITEMS);
                format!("{}.size()", self.operand(Sort::List(item)))
            }
            (Sort::Int | Sort::Small, _) => {
                let (a, b) = (self.operand(Sort::Small), self.operand(Sort::Small));
                match *self.dice.pick(&["+", "-", "*", "min", "max", "abs", "neg"]) {
                    call @ ("min" | "max") => format!("{call}({a}, {b})"),
                    "abs" => format!("abs({a})"),
                    "neg" => format!("-({a})"),
                    sign => format!("({a} {sign} {b})"),
                }
            }
            (Sort::Float, at) => {
                let (a, b) = (self.operand(Sort::Float), self.operand(Sort::Float));
                [format!("min({a}, {b})"), format!("max({a}, {b})"), format!("abs({a})"), format!("-({a})")]
                    [at]
                    .clone()
            }
            (Sort::Decimal, _) => {
                let (a, nullable) = self.path(Some(sort))?;
                let a = if self.sealed && nullable { format!("default({a}, 0)") } else { a };
                let b = self.operand(sort);
                match *self.dice.pick(&["+", "-", "*", "min", "max", "abs", "neg"]) {
                    "*" => format!("({a} * 3)"),
                    call @ ("min" | "max") => format!("{call}({a}, {b})"),
                    "abs" => format!("abs({a})"),
                    "neg" => format!("-({a})"),
                    sign => format!("({a} {sign} {b})"),
                }
            }
            (Sort::Date, _) => format!("date({})", self.time()),
            (Sort::Time, 0) if self.dice.chance(2) => {
                format!("({} + {})", self.time(), self.operand(Sort::Span))
            }
            (Sort::Time, 0) => format!("({} + duration(\"1ms\"))", self.time()),
            (Sort::Time, 1) => format!("({} - duration(\"1s\"))", self.time()),
            (Sort::Time, 2) => format!("min({}, {})", self.time(), self.time()),
            (Sort::Time, _) => "now".to_owned(),
            (Sort::Text, _) => format!("{}.lower()", self.operand(Sort::Text)),
            _ => return None,
        })
    }

    /// A member of a document: null where it is missing or of another type.
    fn of_document(&mut self, sort: Sort) -> Option<String> {
        let member = match sort {
            Sort::Text => *self.dice.pick(&["t", "o.t", "x.asText()"]),
            Sort::Int | Sort::Small => *self.dice.pick(&["n", "x.asInt()"]),
            Sort::Bool => *self.dice.pick(&["b", "x.asBool()"]),
            _ => return None,
        };
        let document = match self.path(Some(Sort::Document)) {
            Some((path, _)) => format!("{path}.{member}"),
            None => return None,
        };
        let safe = match (self.style, self.sealed) {
            (Style::Full, _) => format!("default({document}, {})", self.literal(sort)),
            (_, false) => document,
            (_, true) => return None,
        };
        match (sort, self.style) {
            (Sort::Small, _) => Some(format!("min(max({safe}, -9), 9)")),
            _ => Some(safe),
        }
    }

    /// What is known of the caller.
    fn known(&mut self, sort: Sort) -> Option<String> {
        match (sort, self.style) {
            (Sort::Id(0), Style::Filter) => Some("me".to_owned()),
            (Sort::Id(0), _) if !self.sealed => Some("auth.id".to_owned()),
            (Sort::Id(0), Style::Full) => Some("default(auth.id, \"users1\")".to_owned()),
            (_, Style::Filter) => None,
            _ => self.fact(sort),
        }
    }

    /// A claim, a parameter or something of the session.
    fn fact(&mut self, sort: Sort) -> Option<String> {
        let name = match sort {
            Sort::Text => "text",
            Sort::Int => "int",
            Sort::Small => "small",
            Sort::Float => "float",
            Sort::Bool => "bool",
            Sort::Time => "time",
            Sort::Word => "word",
            Sort::List(Item::Text) => "texts",
            _ => return None,
        };
        let fact = match (sort, self.dice.below(3)) {
            (Sort::Time, 0) => "auth.session_started".to_owned(),
            (Sort::Small, 0) => "auth.aal".to_owned(),
            // A default is not null where its claim is missing.
            (Sort::Small, 1) if self.style == Style::Full => "auth.claims.given".to_owned(),
            (Sort::List(_), _) | (_, 0 | 1) => format!("auth.claims.{name}"),
            _ => format!("request.params.{name}"),
        };
        match (self.sealed, self.style) {
            (false, _) => Some(fact),
            (true, Style::Full) => Some(format!("default({fact}, {})", self.literal(sort))),
            (true, _) => None,
        }
    }

    /// One of two by a condition, which may be unknown where null may be.
    fn chosen(&mut self, sort: Sort) -> Option<String> {
        self.choices += 1;
        if self.choices > 3 {
            return None;
        }
        Some(format!("({} ? {} : {})", self.atom(), self.stored(sort), self.stored(sort)))
    }

    /// A field.
    fn stored(&mut self, sort: Sort) -> String {
        match self.path(Some(sort)) {
            Some((path, nullable)) if self.sealed && nullable => match self.style {
                // A list of words does not mix with a list of text.
                Style::Full if sort != Sort::List(Item::Word) => {
                    format!("default({path}, {})", self.literal(sort))
                }
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
            Sort::Time => {
                let at = stead_wire::Instant(*self.dice.pick(&WRITTEN_TIMES));
                format!("timestamp(\"{at}\")")
            }
            Sort::Decimal => (*self.dice.pick(&DECIMALS)).to_owned(),
            Sort::Date => {
                let day = stead_schema::moments::date_text(*self.dice.pick(&DAYS));
                format!("date(\"{}\")", std::str::from_utf8(&day).unwrap())
            }
            Sort::Span => {
                format!("duration(\"{}\")", stead_schema::moments::duration_text(*self.dice.pick(&SPANS)))
            }
            Sort::Word => format!("\"{}\"", self.dice.pick(&WORDS)),
            Sort::List(item) => format!("[{}, {}]", self.literal(item.sort()), self.literal(item.sort())),
            Sort::Id(of) => format!("\"{}{}\"", COLLECTIONS[usize::from(of)], self.dice.below(3)),
            Sort::Document => unreachable!("documents are not written in rules"),
        }
    }

    /// A field of a record in sight or one or two steps away, and whether it may be null.
    fn path(&mut self, wanted: Option<Sort>) -> Option<(String, bool)> {
        let fits = |of: &Collection, f: &Field| {
            let sort = sort_of(of, &f.kind);
            let wanted = wanted.unwrap_or(sort);
            let any = sort != Sort::Document || wanted == Sort::Document;
            any && (wanted == sort || (wanted == Sort::Int && sort == Sort::Small))
        };
        for _ in 0..4 {
            let (mut path, mut of) = self.record();
            let mut steps = 0;
            while steps < 2 && self.dice.chance(4) {
                let ways_back = self.schema.collections.iter().flat_map(|c| {
                    c.fields.iter().filter_map(|f| match &f.kind {
                        FieldType::Ref { to, inverse_one: Some(one), .. } if *to == of.id => {
                            Some((one.as_str(), c.id))
                        }
                        _ => None,
                    })
                });
                let refs = of.fields.iter().filter_map(|f| match &f.kind {
                    FieldType::Ref { to, .. } => Some((f.name.as_str(), *to)),
                    _ => None,
                });
                let refs: Vec<(&str, CollectionId)> = refs.chain(ways_back).collect();
                let (name, to) = *self.dice.pick(&refs);
                path = format!("{path}.{name}");
                of = self.schema.get(to)?;
                steps += 1;
            }
            let fields: Vec<&Field> = of.fields.iter().filter(|f| fits(of, f)).collect();
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
        FieldType::Decimal { .. } => Sort::Decimal,
        FieldType::Date => Sort::Date,
        FieldType::Duration => Sort::Span,
        FieldType::Ref { to, .. } => Sort::Id(to.0),
        FieldType::List { of: items, .. } => {
            let of = sort_of(of, items);
            Sort::List(*ITEMS.iter().find(|item| item.sort() == of).unwrap_or(&Item::Text))
        }
        FieldType::Json(_) => Sort::Document,
        _ => Sort::Text,
    }
}
