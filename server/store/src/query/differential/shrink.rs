//! From a case that fails to the smallest one near it that still does: fewer records, fewer values, a shorter rule.

use super::*;

/// The failure told as a small test.
pub(super) fn smallest(world: &mut World, case: &Case, what: String) -> String {
    let mut asked = case.asked();
    let mut what = what;
    loop {
        let size = (asked.source.len(), values(world));
        fewer_records(world, &asked, &mut what);
        fewer_values(world, &asked, &mut what);
        shorter(world, &mut asked, &mut what);
        if (asked.source.len(), values(world)) == size {
            return report::told(world, &asked, &what);
        }
    }
}

fn values(world: &World) -> usize {
    world.tables.rows.values().flatten().flat_map(|row| row.iter()).filter(|value| !value.is_null()).count()
}

/// Where records are gone, other ones are looked at by chance, so chance gets some turns.
fn fails(world: &mut World, asked: &Asked, source: &str) -> Option<String> {
    (0..4).find_map(|turn| {
        let case = world.again(&Asked { seed: asked.seed.wrapping_add(turn), ..asked.clone() }, source)?;
        checks::check(world, &case).err()
    })
}

/// Keeps what `change` does to the records if the case still fails.
fn attempt(world: &mut World, asked: &Asked, what: &mut String, change: impl FnOnce(&mut Tables)) -> bool {
    let before = world.tables.clone();
    change(&mut world.tables);
    world.fill();
    if let Some(new) = fails(world, asked, &asked.source) {
        *what = new;
        return true;
    }
    world.tables = before;
    world.fill();
    false
}

fn fewer_records(world: &mut World, asked: &Asked, what: &mut String) {
    for collection in world.schema.collections.iter().map(|c| c.id).collect::<Vec<_>>() {
        for at in (0..world.tables.of(collection).len()).rev() {
            attempt(world, asked, what, |tables| {
                tables.rows.get_mut(&collection).unwrap().remove(at);
            });
        }
    }
}

fn fewer_values(world: &mut World, asked: &Asked, what: &mut String) {
    for collection in world.schema.collections.clone() {
        for at in 0..world.tables.of(collection.id).len() {
            for (slot, _) in collection.slots().filter(|(_, field)| field.optional) {
                if world.tables.of(collection.id)[at][slot.index()].is_null() {
                    continue;
                }
                attempt(world, asked, what, |tables| {
                    let row = &mut tables.rows.get_mut(&collection.id).unwrap()[at];
                    let mut cells = row.to_vec();
                    cells[slot.index()] = Value::Null;
                    *row = cells.into();
                });
            }
        }
    }
}

fn shorter(world: &mut World, asked: &mut Asked, what: &mut String) {
    loop {
        let found = simpler(&asked.source)
            .into_iter()
            .filter(|source| source.len() < asked.source.len())
            .find_map(|source| Some((fails(world, asked, &source)?, source)));
        match found {
            Some((new, source)) => (*what, asked.source) = (new, source),
            None => return,
        }
    }
}

/// Shorter texts, most of which are no rules: a group becomes one of its parts, loses one, or a part becomes a constant.
fn simpler(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (start, end) in groups(source) {
        let (before, inside, after) = (&source[..start], &source[start..end], &source[end..]);
        let parts = parts(inside);
        let call = before.trim_end_matches('(').ends_with(|c: char| c.is_alphanumeric());
        for (at, (from, to)) in parts.iter().enumerate() {
            let part = &inside[*from..*to];
            if parts.len() > 1 && !call {
                found.push(format!("{before}{part}{after}"));
            }
            // Without the part and the mark beside it.
            let rest = match parts.get(at + 1) {
                Some((next, _)) => format!("{}{}", &inside[..*from], &inside[*next..]),
                None if at > 0 => inside[..parts[at - 1].1].to_owned(),
                None => continue,
            };
            found.push(format!("{before}{rest}{after}"));
            for constant in ["true", "false"] {
                found.push(format!("{before}{}{constant}{}{after}", &inside[..*from], &inside[*to..]));
            }
        }
    }
    found.sort_by_key(String::len);
    found
}

/// The insides of all parentheses, and all of it.
fn groups(source: &str) -> Vec<(usize, usize)> {
    let (mut open, mut found) = (Vec::new(), vec![(0, source.len())]);
    marks(source, |at, c| match c {
        '(' => open.push(at + 1),
        ')' => found.extend(open.pop().map(|start| (start, at))),
        _ => {}
    });
    found
}

/// Where the parts between `&&`, `||`, `?`, `:` and `,` begin and end, outside of inner parentheses.
fn parts(inside: &str) -> Vec<(usize, usize)> {
    let (mut depth, mut cuts) = (0, Vec::new());
    marks(inside, |at, c| match c {
        '(' | '[' => depth += 1,
        ')' | ']' => depth -= 1,
        _ if depth > 0 => {}
        '&' | '|' if inside[at..].starts_with("&& ") || inside[at..].starts_with("|| ") => {
            cuts.push((at - 1, at + 3))
        }
        '?' | ':' => cuts.push((at - 1, at + 2)),
        ',' => cuts.push((at, at + 2)),
        _ => {}
    });
    let starts = std::iter::once(0).chain(cuts.iter().map(|cut| cut.1));
    let ends = cuts.iter().map(|cut| cut.0).chain(std::iter::once(inside.len()));
    starts.zip(ends).filter(|(from, to)| from <= to).collect()
}

/// Visits what stands outside of strings.
fn marks(source: &str, mut visit: impl FnMut(usize, char)) {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in source.char_indices() {
        match (quoted, c) {
            _ if escaped => escaped = false,
            (true, '\\') => escaped = true,
            (_, '"') => quoted = !quoted,
            (true, _) => {}
            (false, c) => visit(at, c),
        }
    }
}

#[test]
fn a_wrong_case_is_told_as_small_as_it_can_be() {
    let mut world = World::new(3);
    let (source, auth) =
        ("(resource.version == 1 && (auth == null || resource.id != \"alpha1\"))".to_owned(), None);
    let collection = world.schema.collection("alpha").unwrap().clone();
    let asked = Asked { source, auth, request: list_request(), filter: false, collection, seed: 1 };
    let case = world.again(&asked, &asked.source).or_else(|| {
        // The caller is nobody, so the middle folds away: ask about the rest.
        world.again(&asked, "(resource.version == 1 && resource.id != \"alpha1\")")
    });
    let case = case.expect("it depends on the record");
    // A database that holds what memory does not.
    world.connection.execute_batch("UPDATE alpha SET version = 2 WHERE id = 'alpha0'").unwrap();
    let what = checks::check(&mut world, &case).expect_err("they differ");
    assert!(what.contains("memory says"), "{what}");
    let texts = simpler("(a && (b || c)) || d.exists(v, e && f)");
    for wanted in [
        "(a && (b || c))",
        "d.exists(v, e && f)",
        "(a && (b)) || d.exists(v, e && f)",
        "(a && (b || c)) || d.exists(v, e)",
        "(a && true) || d.exists(v, e && f)",
    ] {
        assert!(texts.iter().any(|text| text == wanted), "{wanted} is not among {texts:#?}");
    }
    let told = report::told(&world, &case.asked(), &what);
    for wanted in ["STEAD_SEED=3", "alpha0", "rule:"] {
        assert!(told.contains(wanted), "{told}");
    }
}
