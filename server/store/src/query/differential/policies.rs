//! Postgres' own row security as a judge that shares nothing with our statements but the condition: a policy made from
//! a rule shows exactly the rows that memory allows.

use super::super::explain_sql;
use super::*;

#[test]
fn row_security_of_postgres_shows_the_same_rows() {
    let Some(mut postgres) = Postgres::at_hand() else { return };
    // A role without rights of its own, as a policy does not bind the owner of a table.
    postgres.run("DROP ROLE IF EXISTS stead_reader; CREATE ROLE stead_reader").unwrap();
    let mut postgres = Some(postgres);
    let (mut cases, mut shown) = (0, 0);
    for seed in 500..512 {
        let mut world = World::with(seed, postgres.take());
        for case in (0..30).filter_map(|_| world.case()).collect::<Vec<_>>() {
            let expected = world.in_memory(&case);
            let found = through_policy(&mut world, &case).unwrap_or_else(|e| panic!("{e}\n{}", case.source));
            assert_eq!(found, expected, "STEAD_SEED={seed}: {}", case.source);
            cases += 1;
            shown += found.len();
        }
        postgres = world.postgres.take();
    }
    assert!(cases > 200 && shown > cases, "{cases} cases, {shown} rows");
    postgres.unwrap().run("DISCARD TEMP; DROP ROLE stead_reader").unwrap();
}

/// The rule guards a copy of its table: lookups have the rights of the server, whatever guards what they ask.
fn through_policy(world: &mut World, case: &Case) -> Result<Vec<String>, String> {
    let (text, params) = explain_sql(&world.schema, &case.collection, &case.expr, Dialect::Postgres);
    let condition = format!("({})", written(text.split_once(" WHERE ").unwrap().1, &params));
    let condition = condition.replace(" t.\"", " guarded.\"").replace("(t.\"", "(guarded.\"");
    let names: Vec<String> = world.schema.collections.iter().map(|c| format!("\"{}\"", c.name)).collect();
    let postgres = world.postgres.as_mut().expect("asked only when at hand");
    postgres.run(&format!(
        "DROP TABLE IF EXISTS guarded; CREATE TABLE guarded AS SELECT * FROM \"{}\"; \
         ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; \
         CREATE POLICY rule ON guarded FOR SELECT USING {condition}; \
         GRANT SELECT ON guarded, {} TO stead_reader; SET ROLE stead_reader",
        case.collection.name,
        names.join(", ")
    ))?;
    let asked = Statement { text: "SELECT id FROM guarded ORDER BY id".to_owned(), params: Vec::new() };
    let rows = postgres.rows(&asked);
    postgres.run("RESET ROLE")?;
    Ok(rows?.iter().map(|row| sqlx_core::row::Row::get(row, 0)).collect())
}

/// A policy takes no parameters, so their values are written into it, the last first: `$1` begins `$12`.
fn written(condition: &str, params: &[Value]) -> String {
    let numbered = params.iter().enumerate().rev();
    numbered.fold(condition.to_owned(), |text, (at, value)| {
        text.replace(&format!("${}", at + 1), &literal(value))
    })
}

fn literal(value: &Value) -> String {
    match value {
        Value::Int(n) | Value::Datetime(n) | Value::Date(n) | Value::Duration(n) => {
            format!("('{n}'::bigint)")
        }
        Value::Decimal(number) => format!("('{}'::bigint)", number.units()),
        Value::Float(n) => format!("('{n:?}'::double precision)"),
        Value::Text(text) => format!("('{}'::text)", text.replace('\'', "''")),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(literal).collect();
            if items.is_empty() { "'{}'".to_owned() } else { format!("ARRAY[{}]", items.join(",")) }
        }
        Value::Bool(yes) => yes.to_string(),
        other => panic!("{other:?} is not bound"),
    }
}
