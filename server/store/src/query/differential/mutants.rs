//! One operator of the generated SQL flipped at a time: a differential test that would not notice is worth nothing.

use super::super::select;
use super::*;

type Flip = (&'static str, &'static str);

/// Forms that both databases share.
const BOTH: [Flip; 28] = [
    ("THEN 1 ELSE 0", "THEN 0 ELSE 1"),
    ("86400000000 - CASE", "86400000000 + CASE"),
    (" = ", " <> "),
    (" <> ", " = "),
    (" < ", " <= "),
    (" <= ", " < "),
    (" > ", " >= "),
    (" >= ", " > "),
    (" AND ", " OR "),
    (" OR ", " AND "),
    (" IS NULL", " IS NOT NULL"),
    ("(NOT ", "("),
    (" IN (", " NOT IN ("),
    ("EXISTS (", "NOT EXISTS ("),
    ("coalesce(", "nullif("),
    (" + ", " - "),
    (" - ", " + "),
    (" * ", " + "),
    (" / ", " * "),
    (" % ", " * "),
    ("(- ", "("),
    ("abs(", "("),
    ("lower(", "upper("),
    (" > 0)", " > 1)"),
    (" ORDER BY ", " ORDER BY 2, "),
    (" DESC", ""),
    (" LIMIT ", " LIMIT 1 + "),
    ("WHERE t", "WHERE t1.\"id\" IS NULL AND t"),
];

const SQLITE: [Flip; 18] = [
    (" IS ", " IS NOT "),
    ("WHEN 1 THEN", "WHEN 0 THEN"),
    ("WHEN 0 THEN", "WHEN 1 THEN"),
    ("instr(", "-instr("),
    (", -length(", ", -1 - length("),
    ("(length(", "(1 + length("),
    ("json_array_length(", "1 + json_array_length("),
    ("(min(", "(max("),
    ("(max(", "(min("),
    ("SELECT value FROM", "SELECT key FROM"),
    (" IS NOT NULL THEN (", " IS NULL THEN ("),
    ("NULLIF(", "max("),
    (" = 'text'", " <> 'text'"),
    (" = 'integer' AND", " <> 'integer' AND"),
    (") = 'integer' AND json_e", ") <> 'integer' AND json_e"),
    ("'true'", "'null'"),
    ("'false'", "'null'"),
    ("json_extract(", "json_type("),
];

const POSTGRES: [Flip; 22] = [
    (" IS NOT DISTINCT FROM ", " IS DISTINCT FROM "),
    ("WHEN true THEN", "WHEN false THEN"),
    ("WHEN false THEN", "WHEN true THEN"),
    ("strpos(", "-strpos("),
    ("(right(", "(left("),
    ("starts_with(", "NOT starts_with("),
    ("(char_length(", "(octet_length("),
    ("cardinality(", "1 + cardinality("),
    (" = ANY(", " <> ALL("),
    ("p.a <= p.b", "p.a >= p.b"),
    ("p.a >= p.b", "p.a <= p.b"),
    ("p.a > p.b THEN p.b", "p.a > p.b THEN p.a"),
    ("p.a < p.b THEN p.b", "p.a < p.b THEN p.a"),
    (" COLLATE \"C\")", " COLLATE \"en-x-icu\")"),
    (" NULLS FIRST", ""),
    (" DESC NULLS LAST", " DESC"),
    ("NULLIF(", "1 + NULLIF("),
    (" = 'string'", " <> 'string'"),
    ("{1,19}", "{1,9}"),
    (" BETWEEN ", " NOT BETWEEN "),
    (" = 'boolean'", " <> 'boolean'"),
    ("~ '^", "!~ '^"),
];

#[test]
fn a_wrong_operator_in_the_sql_would_be_noticed() {
    let mut postgres = Postgres::at_hand();
    let dialects: &[(Dialect, &[Flip])] = &[(Dialect::Sqlite, &SQLITE), (Dialect::Postgres, &POSTGRES)];
    for (dialect, own) in dialects {
        if *dialect == Dialect::Postgres && postgres.is_none() {
            continue;
        }
        let mut unnoticed: Vec<&Flip> = BOTH.iter().chain(own.iter()).collect();
        for seed in 100..900 {
            let mut world = World::with(seed, postgres.take());
            for case in (0..40).filter_map(|_| world.case()).collect::<Vec<_>>() {
                unnoticed.retain(|flip| !notices(&mut world, *dialect, &case, flip));
            }
            postgres = world.postgres.take();
            if unnoticed.is_empty() {
                break;
            }
        }
        assert!(unnoticed.is_empty(), "{dialect:?}: flips that nothing notices: {unnoticed:?}");
    }
}

/// Whether the flipped statement is refused by nothing and yet gives something else.
fn notices(world: &mut World, dialect: Dialect, case: &Case, (from, to): &Flip) -> bool {
    let predicates = [&case.expr];
    let slot = Slot(u16::try_from(1 + world.dice.below(case.collection.fields.len() - 1)).unwrap());
    let masks = [(slot, case.expr.clone())];
    let sort = [SortKey { slot, descending: world.dice.chance(2) }, BY_ID[0]];
    let whole = list(&case.collection, &predicates, &[]);
    let ordered = Select { sort: &sort, limit: 2, ..list(&case.collection, &[], &masks) };
    let mut notice = |asked: &Select<'_>| {
        let right = select(dialect, &world.schema, asked);
        let Some((before, after)) = right.text.split_once(from) else { return false };
        let wrong = Statement { text: format!("{before}{to}{after}"), params: right.params.clone() };
        let kind = case.collection.get(slot).map(|field| &field.kind);
        if dialect == Dialect::Postgres
            && matches!(kind, Some(stead_schema::FieldType::Json(_)))
            && asked.limit == 2
        {
            // A document has no order there, and none is asked for.
            return false;
        }
        let right = world.texts(dialect, &right).unwrap_or_else(|e| panic!("{e}"));
        world.texts(dialect, &wrong).is_ok_and(|found| found != right)
    };
    notice(&whole) || notice(&ordered)
}
