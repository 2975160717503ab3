//! What the single parts of the rules language cost, in nanoseconds: no server, no database, one thread.
//!
//! Each part runs in turn, round by round. Rounds are short, so that on a busy machine some of them run undisturbed: the
//! fastest is what a part costs, the median what it cost among everything else.

use std::hint::black_box;
use std::time::Instant;
use stead_rules::filter::{FilterScope, parse};
use stead_rules::{AuthFacts, Expr, Facts, Lowered, RequestFacts, RuleBook, Tables, compile, holds, lower};
use stead_schema::{Schema, SlotSet, SourceFile, Value};

const ROUNDS: usize = 1_001;
const TURNS: u32 = 1_000;

const APP: &str = r#"
functions:
  is_member: {params: {r: rooms}, is: 'r.members.exists(m, m.user == auth.id)'}
collections:
  users: {kind: auth, fields: {}}
  rooms:
    fields: {kind: {type: enum, values: [public, private]}}
  members:
    fields:
      room: {type: ref, to: rooms, inverse: members}
      user: {type: ref, to: users}
    indexes: [[user, room]]
  messages:
    fields:
      room:  {type: ref, to: rooms}
      owner: {type: ref, to: users}
      title: {type: text}
    rules:
      read: resource.owner == auth.id && resource.title.size() < 200
      list: resource.room.kind == "public" || is_member(resource.room)
      create: next.owner == auth.id && is_member(next.room)
"#;

fn load() -> anyhow::Result<(Schema, RuleBook)> {
    let file = SourceFile { path: "app.yaml".into(), text: APP.into() };
    let schema = stead_schema::load(vec![file]).map_err(|found| anyhow::anyhow!("{found:?}"))?;
    let rules = compile(&schema).map_err(|found| anyhow::anyhow!("{found:?}"))?;
    Ok((schema, rules))
}

/// Nanoseconds of one turn.
fn time(mut part: impl FnMut()) -> f64 {
    let began = Instant::now();
    for _ in 0..TURNS {
        part();
    }
    began.elapsed().as_nanos() as f64 / f64::from(TURNS)
}

fn main() -> anyhow::Result<()> {
    let (schema, rules) = load()?;
    let messages = schema.collection("messages").ok_or_else(|| anyhow::anyhow!("no messages"))?;
    let book = rules.of(messages.id).ok_or_else(|| anyhow::anyhow!("no rules"))?;
    let auth = AuthFacts { verified: true, ..AuthFacts::of("u1", 0) };
    let request = RequestFacts { op: "list", ..RequestFacts::default() };
    let facts = Facts { auth: Some(&auth), request: &request, now: 0, next: None, row: None, pinned: &[] };
    let row: Vec<Value> = ["m1", "", "", "", "r1", "u1", "a title of some length"].map(Value::text).into();
    let Lowered::Ask(read) = lower(&book.read, &facts) else { anyhow::bail!("the caller alone decides") };
    let bound: &Expr = &read.expr;
    let with_row = Facts { row: Some(&row), ..facts };
    let scope =
        FilterScope { schema: &schema, rules: &rules, collection: messages, hidden: SlotSet::default() };
    let source = "room == p.room && title.startsWith(p.part)";
    let params = serde_json::from_str(r#"{"room": "r1", "part": "a"}"#)?;
    let mut nowhere = Tables::default();

    type Part<'a> = (&'static str, Box<dyn FnMut() + 'a>);
    let mut parts: Vec<Part<'_>> = vec![
        (
            "a lowered rule of two parts over one row",
            Box::new(|| {
                black_box(holds(black_box(bound), black_box(&row), &mut nowhere).is_ok());
            }),
        ),
        (
            "the same rule, lowered with the row at hand",
            Box::new(|| {
                black_box(lower(black_box(&book.read), black_box(&with_row)));
            }),
        ),
        (
            "lowering the list rule with its lookups",
            Box::new(|| {
                black_box(lower(black_box(&book.list), black_box(&facts)));
            }),
        ),
        (
            "parsing and checking a filter of two parts",
            Box::new(|| {
                black_box(parse(black_box(source), &params, &scope).is_ok());
            }),
        ),
    ];
    let mut figures = vec![Vec::with_capacity(ROUNDS); parts.len()];
    for _ in 0..ROUNDS {
        for ((_, part), figures) in parts.iter_mut().zip(&mut figures) {
            figures.push(time(part));
        }
    }
    for ((name, _), figures) in parts.iter().zip(&mut figures) {
        figures.sort_by(f64::total_cmp);
        println!("{name}: {:.0} ns (median {:.0})", figures[0], figures[ROUNDS / 2]);
    }
    Ok(())
}
