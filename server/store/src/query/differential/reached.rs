//! Random rules and filters: where an index is said to lead to the records, SQLite goes by an index.

use super::*;

/// The lines of SQLite's plan.
fn plan(world: &World, asked: &Statement) -> Vec<String> {
    let mut prepared = world.connection.prepare(&format!("EXPLAIN QUERY PLAN {}", asked.text)).unwrap();
    for (at, value) in asked.params.iter().enumerate() {
        prepared.raw_bind_parameter(at + 1, crate::sqlite::cells::Param(value)).unwrap();
    }
    let (mut rows, mut lines) = (prepared.raw_query(), Vec::new());
    while let Some(row) = rows.next().unwrap() {
        lines.push(row.get(3).unwrap());
    }
    lines
}

#[test]
fn an_index_that_leads_to_the_records_is_taken() {
    let (mut led, mut all) = (0, 0);
    for seed in 300..340 {
        let mut world = World::new(seed);
        let mut made: Vec<Case> = (0..40).filter_map(|_| world.case()).collect();
        let book = random::rule_all(&mut world.schema, &mut world.dice);
        made.extend((0..15).filter_map(|_| world.filter_case(&book)));
        for case in made {
            let predicates = [&case.expr];
            let ask = list(&case.collection, &predicates, &[]);
            let reach = reach(&world.schema, &ask);
            let page = select(Dialect::Sqlite, &world.schema, &ask);
            let counted = count(Dialect::Sqlite, &world.schema, &ask, 10);
            all += 1;
            led += usize::from(reach.led);
            // A range may hold most of a collection; SQLite then likes to walk the order of the page instead.
            let ranges = [" < ", " > ", " <= ", " >= "].iter().any(|sign| page.text.contains(sign));
            for asked in [Some(counted), (!ranges).then_some(page)].into_iter().flatten() {
                let lines = plan(&world, &asked);
                let walked = |line: &&String| *line == "SCAN t" || line.starts_with("SCAN t ");
                assert!(
                    !reach.led || !lines.iter().any(|line| walked(&line)),
                    "{}\n{}\n{lines:#?}",
                    case.source,
                    asked.text
                );
            }
        }
    }
    assert!(led > 40, "{led} of {all}");
}
