//! The SQL that lists of the example apps run, as files one can read: for a guest and for somebody who is signed in, in
//! both dialects. A change in them is a change in what databases are asked; `STEAD_GOLDEN=write` writes them anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stead_rules::{
    AuthFacts, Expr, Facts, Lowered, Named, RequestFacts, Rule, RuleBook, SortKey, compile, lower,
};
use stead_schema::{Collection, Schema, Slot, SourceFile, Value};
use stead_store::{Dialect, Select, explain_list};

const NOON: i64 = 1_767_268_800_000_000;

fn folder(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

fn example(name: &str) -> (Schema, RuleBook) {
    let mut paths: Vec<PathBuf> = folder(&format!("../../examples/{name}/schema"))
        .read_dir()
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    paths.sort();
    let read = |path: &PathBuf| SourceFile {
        path: path.file_name().unwrap().to_str().unwrap().to_owned(),
        text: std::fs::read_to_string(path).unwrap(),
    };
    let schema = stead_schema::load(paths.iter().map(read).collect()).unwrap();
    let rules = compile(&schema).unwrap();
    (schema, rules)
}

/// What a list of `collection` runs for a caller; `None` when nobody of that kind sees anything.
fn list(
    (schema, rules): &(Schema, RuleBook),
    collection: &Collection,
    auth: Option<&AuthFacts>,
    params: &Named,
    dialect: Dialect,
) -> Option<(String, Vec<Value>)> {
    let request = RequestFacts { op: "list", params: params.clone(), ..RequestFacts::default() };
    let facts = Facts { auth, request: &request, now: NOON, next: None, row: None, pinned: &[] };
    let rules = rules.of(collection.id).unwrap();
    let predicate = match lower(&rules.list, &facts) {
        Lowered::Deny => return None,
        Lowered::Allow => None,
        Lowered::Ask(predicate) => Some(predicate.expr),
    };
    let mask = |(at, rule): (usize, &Option<Rule>)| {
        let slot = Slot(u16::try_from(at).unwrap());
        match lower(rule.as_ref()?, &facts) {
            Lowered::Allow => None,
            Lowered::Deny => Some((slot, Expr::Literal(Value::Bool(false)))),
            Lowered::Ask(predicate) => Some((slot, predicate.expr)),
        }
    };
    let masks: Vec<(Slot, Expr)> = rules.field_read.iter().enumerate().filter_map(mask).collect();
    let sort = [SortKey { slot: Slot::ID, descending: false }];
    let predicates: Vec<&Expr> = predicate.iter().collect();
    let select = Select {
        collection,
        predicates: &predicates,
        masks: &masks,
        sort: &sort,
        after: None,
        limit: 50,
        words: None,
    };
    Some(explain_list(schema, &select, dialect))
}

fn shown(example: &(Schema, RuleBook), dialect: Dialect) -> String {
    let someone = |roles: &[&str]| AuthFacts {
        roles: roles.iter().copied().map(Arc::from).collect(),
        verified: true,
        ..AuthFacts::of("u1", 0)
    };
    let nothing = Named::default();
    let mut callers = vec![("a guest", None, &nothing), ("u1", Some(someone(&[])), &nothing)];
    if !example.0.app.roles.is_empty() {
        callers.push(("u1, staff", Some(someone(&["staff"])), &nothing));
    }
    let link: Named = std::iter::once(("share", Value::text("0b9d7e41c35a86f2"))).collect();
    if example.0.app.request_param("share").is_some() {
        callers.push(("a guest with a link", None, &link));
    }
    let mut out = String::new();
    for collection in &example.0.collections {
        for (name, auth, params) in &callers {
            writeln!(out, "-- {} for {name}", collection.name).unwrap();
            match list(example, collection, auth.as_ref(), params, dialect) {
                None => writeln!(out, "-- nothing: the rule denies without asking\n").unwrap(),
                Some((text, params)) => {
                    let params: Vec<String> = params.iter().map(|value| format!("{value:?}")).collect();
                    let text = text.replace(" FROM \"", "\n  FROM \"").replace(" WHERE ", "\n WHERE ");
                    writeln!(out, "{text};\n-- with {}\n", params.join(", ")).unwrap();
                }
            }
        }
    }
    out
}

#[test]
fn the_lists_of_the_examples_run_the_sql_that_is_written_down() {
    for name in ["team-chat", "project-tracker", "shop", "social-feed"] {
        let example = example(name);
        for (dialect, ending) in [(Dialect::Sqlite, "sqlite"), (Dialect::Postgres, "postgres")] {
            let sql = shown(&example, dialect);
            assert!(!sql.contains(" JOIN "), "{name}: lookups are never joins");
            let path = folder("tests/examples_sql").join(format!("{name}.{ending}.sql"));
            if std::env::var("STEAD_GOLDEN").is_ok_and(|asked| asked == "write") {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, &sql).unwrap();
            }
            let golden = std::fs::read_to_string(&path).unwrap();
            assert_eq!(sql, golden, "{} differs", path.display());
        }
    }
}
