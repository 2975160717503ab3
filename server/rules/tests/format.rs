//! The formatter: what it makes of files and expressions, that it does so once and for all, and that it changes nothing
//! but looks.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod dice;
mod random;

use dice::Dice;
use random::{COLLECTIONS, Style};
use std::fs;
use std::path::{Path, PathBuf};
use stead_schema::{Schema, SourceFile, format::format, load};

fn pretty(text: &str) -> Result<String, String> {
    let file = SourceFile { path: "schema/a.yaml".into(), text: text.to_owned() };
    format(file, &stead_rules::format).map_err(|no| no.diagnostics[0].code.to_owned())
}

fn yaml_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let skipped = path.ends_with("node_modules") || path.ends_with("target");
        if path.is_dir() && !skipped {
            yaml_below(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "yaml") {
            found.push(path);
        }
    }
}

fn every_yaml() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    ["examples", "tests", "server"].iter().for_each(|folder| yaml_below(&root.join(folder), &mut found));
    assert!(found.len() > 40, "{}", found.len());
    found.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// What a schema means, without its places.
fn meaning(text: &str) -> Option<(Schema, String)> {
    let schema = load(vec![SourceFile { path: "schema/a.yaml".into(), text: text.to_owned() }]).ok()?;
    let mut told = String::new();
    for collection in &schema.collections {
        told.push_str(&format!("{:?} {:?}\n", collection.name, collection.kind));
        for field in &collection.fields {
            let (read, write) = (&field.read, &field.write);
            told.push_str(&format!(
                "  {:?} {:?} {} {:?} {} {:?} {:?}\n",
                field.name,
                field.kind,
                field.optional,
                field.default,
                field.write_once,
                read.as_ref().map(|rule| bare(&rule.text)),
                write.as_ref().map(|rule| bare(&rule.text)),
            ));
        }
        let mut rules: Vec<String> = collection
            .rules
            .iter()
            .map(|(slot, rule)| format!("  {slot:?} {:?} {:?}\n", bare(&rule.text), rule.message))
            .collect();
        rules.sort();
        told.push_str(&rules.concat());
        told.push_str(&format!("  {:?} {:?}\n", collection.unique, collection.indexes));
    }
    for function in &schema.functions {
        let params: Vec<_> = function.params.iter().map(|(name, ty, _)| (name, ty)).collect();
        told.push_str(&format!("{:?} {params:?} {:?}\n", function.name, bare(&function.is.text)));
    }
    told.push_str(&format!("{:?}", schema.app));
    Some((schema, told))
}

fn bare(rule: &str) -> String {
    rule.split_whitespace().collect()
}

#[test]
fn every_file_of_the_project_is_laid_out_once_and_means_the_same() {
    let (mut formatted, mut sound) = (0, 0);
    for (path, text) in every_yaml() {
        let Ok(once) = pretty(&text) else { continue };
        formatted += 1;
        let again = pretty(&once).unwrap();
        let changed = once.lines().zip(again.lines()).find(|(one, two)| one != two);
        assert!(again == once, "{}: {changed:?}", path.display());
        let Some((before, told)) = meaning(&text) else { continue };
        sound += 1;
        let (after, told_after) = meaning(&once).unwrap_or_else(|| panic!("{}:\n{once}", path.display()));
        assert_eq!(told, told_after, "{}", path.display());
        if let Ok(rules) = stead_rules::compile(&before) {
            let again = stead_rules::compile(&after).unwrap();
            for (one, other) in rules.collections.iter().zip(&again.collections) {
                let of = |rules: &stead_rules::CollectionRules| {
                    format!("{:?} {:?} {:?}", rules.read.expr, rules.create.expr, rules.update_after.expr)
                };
                assert_eq!(of(one), of(other), "{}", path.display());
            }
        }
    }
    assert!(formatted >= 25 && sound >= 8, "{formatted} laid out, {sound} sound");
}

#[test]
fn a_file_that_is_not_sound_yaml_is_refused_with_its_mistakes() {
    for (text, code) in [("a: {b: 1\n", "E0101"), ("a: 1\na: 2\n", "E0106"), ("a: &x 1\n", "E0104")] {
        assert_eq!(pretty(text), Err(code.to_owned()));
    }
    assert_eq!(pretty("collections: {a: {rules: {read: !x}}}\n"), Err("E0118".to_owned()));
}

#[test]
fn files_look_alike() {
    for (name, before, after) in [
        ("blanks", "a:   1\n\n\n\nb:    {c:1, d:    [x,y ,  z]  }  \n\n", "a: 1\n\nb: {c:1, d: [x, y, z]}\n"),
        ("indentation", "a:\n     b:\n       - x\n       -   y\n", "a:\n  b:\n    - x\n    - y\n"),
        ("unindented lists", "a:\n- x\n- b: 1\n  c: 2\n", "a:\n  - x\n  - b: 1\n    c: 2\n"),
        ("nothing", "", ""),
        ("empty values", "a:\nb: {}\nc: []\n", "a:\nb: {}\nc: []\n"),
        (
            "comments",
            "# top\n\n# of a\na: # why\n    # first\n    b: 1   # one\n    c: {d: 2}      # two\n    # last\n  # odd\n# of e\ne: 3\n# end\n",
            "# top\n\n# of a\na:  # why\n  # first\n  b: 1       # one\n  c: {d: 2}  # two\n  # last\n# odd\n# of e\ne: 3\n# end\n",
        ),
        (
            "columns",
            "f:\n  a: {x: 1}\n  long: {x: 2}\n  published_at: {x: 3}\n\n  b: {x: 4}\n  cc: {x: 5}\n  d: 6\n  e: {x: 7}\n",
            "f:\n  a:    {x: 1}\n  long: {x: 2}\n  published_at: {x: 3}\n\n  b:  {x: 4}\n  cc: {x: 5}\n  d: 6\n  e: {x: 7}\n",
        ),
        (
            "collections",
            "collections:\n  a:\n    kind: auth\n  # of b\n  b:\n    kind: data\n\n\n  c: {kind: data}\n",
            "collections:\n  a:\n    kind: auth\n\n  # of b\n  b:\n    kind: data\n\n  c: {kind: data}\n",
        ),
        (
            "braces over lines",
            "a: {b: 1,\n    c: 2}\nd: {e: 1, # why\n    f: 2}\n",
            "a: {b: 1, c: 2}\nd:\n  e: 1  # why\n  f: 2\n",
        ),
        (
            "texts",
            "a: 'it''s'\nb: \"x\\ty\"\nc: one\n   two\n\n   three\nd: |\n      x\n        y  \n\n      z\n\ne: >-\n     p\n     q\n",
            "a: 'it''s'\nb: \"x\\ty\"\nc: one\n  two\n\n  three\nd: |\n  x\n    y  \n\n  z\n\ne: >-\n  p\n  q\n",
        ),
        (
            "rules",
            "collections:\n  a:\n    rules:\n      read: a==b&&!( c||d )\n      create: 'x in [1,2]'\n      update: \"f( a )\"\n      delete: 'x=='''''\n",
            "collections:\n  a:\n    rules:\n      read: a == b && !(c || d)\n      create: 'x in [1, 2]'\n      update: \"f(a)\"\n      delete: 'x == '''''\n",
        ),
        (
            "a choice needs quotes",
            "collections: {a: {rules: {read: a?b:c}}}\n",
            "collections: {a: {rules: {read: 'a ? b : c'}}}\n",
        ),
        (
            "rules in blocks",
            "collections:\n  a:\n    rules:\n      read: |\n          a==b||\n             c && // why\n               d\n      create: |-\n        // nobody\n        x.exists(m, m.a==1 &&\n          m.b==2)\n",
            "collections:\n  a:\n    rules:\n      read: |\n        a == b ||\n        c &&  // why\n        d\n      create: |\n        // nobody\n        x.exists(m, m.a == 1 &&\n            m.b == 2)\n",
        ),
        ("line ends", "a: 1\r\nb: [x,\r\n  y]\r\n", "a: 1\nb: [x, y]\n"),
        ("a document's marks", "---\na: 1\n...\n", "a: 1\n"),
    ] {
        assert_eq!(pretty(before).as_deref(), Ok(after), "{name}");
        assert_eq!(pretty(after).as_deref(), Ok(after), "{name}, again");
    }
}

#[test]
fn what_is_too_long_for_braces_or_for_a_line_is_broken() {
    let long = "x".repeat(60);
    let before =
        format!("a: {{b: {long}, c: {long}}}\nd: [{long}, {long}]\ne:\n  - {{b: {long}, c: {long}}}\n");
    let after = format!(
        "a:\n  b: {long}\n  c: {long}\nd:\n  - {long}\n  - {long}\ne:\n  - b: {long}\n    c: {long}\n"
    );
    assert_eq!(pretty(&before).as_deref(), Ok(after.as_str()));
    assert_eq!(pretty(&after).as_deref(), Ok(after.as_str()));
    let (one, two) = (format!("a == {long}"), format!("b == {long}"));
    let before = format!("functions:\n  f: {{is: '{one} && ({two} || c)'}}\n");
    let after = format!("functions:\n  f:\n    is: |\n      {one} &&\n      ({two} || c)\n");
    assert_eq!(pretty(&before).as_deref(), Ok(after.as_str()));
    assert_eq!(pretty(&after).as_deref(), Ok(after.as_str()));
}

#[test]
fn what_cannot_be_laid_out_safely_stays_as_it_is() {
    for text in ["a: |+\n   x\n\n\nb:   1\n", "a: |2\n    x\nb:   1\n"] {
        assert_eq!(pretty(text).as_deref(), Ok(text));
    }
}

#[test]
fn expressions_look_alike() {
    for (before, after) in [
        ("a==b", "a == b"),
        ("-1< -  x", "-1 < -x"),
        ("a - -1", "a - -1"),
        ("a-1", "a - 1"),
        ("! ! a", "!!a"),
        ("f( a ,b )[0]", ""),
        ("( a )", "(a)"),
        ("x in[1,2]", "x in [1, 2]"),
        ("x in(a)", "x in (a)"),
        ("a ?b:c", "a ? b : c"),
        ("a . b . c( )", "a.b.c()"),
        ("a &&\n b", "a && b"),
        ("'a  b'==\"c  d\"", "'a  b' == \"c  d\""),
        ("a//why", "a  // why"),
        ("public", "public"),
        ("a ==", ""),
    ] {
        let told = stead_rules::format(before, None).unwrap_or_default();
        let wanted = after.replace("// why", "//why");
        assert_eq!(told, wanted, "{before}");
    }
    assert_eq!(stead_rules::format("a // why\n&& b", None), None, "a comment needs a line");
    for (before, after) in [
        ("a\n&&b", "a &&\nb"),
        ("a&&(b||\nc)", "a && (b ||\n    c)"),
        ("a // why\n&& b", "a  // why\n&& b"),
        ("// one\n// two\na", "// one\n// two\na"),
        ("a &&\n\n  // of b\n  b", "a &&\n// of b\nb"),
        ("aaaa&&bbbb&&cccc&&dddd", "aaaa && bbbb && cccc &&\ndddd"),
        ("aaaa&&bbbb||cccc&&dddd||e", "aaaa && bbbb ||\ncccc && dddd || e"),
        ("aaaaaaa.exists(x, bbbb && cccc)", "aaaaaaa.exists(x, bbbb &&\n    cccc)"),
    ] {
        assert_eq!(stead_rules::format(before, Some(24)).as_deref(), Some(after), "{before}");
        assert_eq!(stead_rules::format(after, Some(24)).as_deref(), Some(after), "{before}, again");
    }
}

#[test]
fn random_rules_are_laid_out_once_and_say_the_same() {
    let mut broken_up = 0;
    for seed in 0..60 {
        let mut dice = Dice::new(seed);
        let schema = random::schema(&mut dice);
        for collection in COLLECTIONS {
            let source = random::rule(&schema, collection, &mut dice, Style::Full);
            // What the author put between tokens must not matter.
            let mangled = source.replace(" && ", "&&\n  ").replace(" == ", "==").replace('(', "( ");
            let line = stead_rules::format(&source, None).unwrap_or_else(|| panic!("{source}"));
            assert_eq!(stead_rules::format(&line, None).as_deref(), Some(line.as_str()), "{source}");
            for columns in [20, 60, 120] {
                for text in [&source, &mangled] {
                    let once = stead_rules::format(text, Some(columns)).unwrap_or_else(|| panic!("{text}"));
                    let again = stead_rules::format(&once, Some(columns));
                    assert_eq!(again.as_deref(), Some(once.as_str()), "{columns}: {text}");
                    assert_eq!(stead_rules::format(&once.replace('\n', " "), None), Some(line.clone()));
                    broken_up += usize::from(once.contains('\n'));
                }
            }
        }
    }
    assert!(broken_up > 200, "{broken_up}");
}

/// The same file as a careless hand would leave it: blanks, empty lines and comments where they change nothing.
fn careless(text: &str, dice: &mut Dice) -> String {
    let mut out = String::new();
    let (mut block, wide) = (None::<usize>, dice.chance(2));
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let was_block = block.is_some();
        block = block.filter(|deep| line.trim().is_empty() || indent > *deep);
        let doubled = if wide { " ".repeat(indent) } else { String::new() };
        if block.is_some() {
            out.push_str(&format!("{doubled}{line}\n"));
            continue;
        }
        let note = |dice: &mut Dice| dice.chance(8);
        if number > 0 && dice.chance(6) {
            out.push_str("\n\n");
        }
        if note(dice) {
            // Deeper, it would be a line of the block above.
            let deep = if was_block { 0 } else { dice.below(9) };
            out.push_str(&format!("{}# note {number}\n", " ".repeat(deep)));
        }
        let free = line.contains('{') && !line.contains(['\'', '"', '#', '(']);
        let line = if !free { line.to_owned() } else { line.replace(", ", " ,   ").replace(": ", ":   ") };
        out.push_str(&format!("{doubled}{line}"));
        let opens = line.trim_end().ends_with('|');
        if note(dice) && !line.trim().is_empty() && !line.contains('#') {
            out.push_str(&format!("   # aside {number}"));
        }
        out.push_str(if dice.chance(5) && !opens { "  \n" } else { "\n" });
        block = opens.then_some(indent);
    }
    out
}

#[test]
fn careless_files_are_laid_out_once_mean_the_same_and_keep_their_comments() {
    let (mut tried, mut lines) = (0, 0);
    for (path, text) in every_yaml() {
        let Some((_, told)) = meaning(&text) else { continue };
        for seed in 0..4 {
            let mangled = careless(&text, &mut Dice::new(seed));
            let Some((_, same)) = meaning(&mangled) else { panic!("{}:\n{mangled}", path.display()) };
            assert_eq!(same, told, "{}: the mangling itself", path.display());
            let once = pretty(&mangled).unwrap();
            assert_eq!(meaning(&once).unwrap().1, told, "{}:\n{once}", path.display());
            let again = pretty(&once).unwrap();
            let changed = once.lines().zip(again.lines()).find(|(one, two)| one != two);
            assert!(again == once, "{} {seed}: {changed:?}\n{mangled}", path.display());
            let notes = |text: &str| text.matches("# note").count() + text.matches("# aside").count();
            assert_eq!(notes(&once), notes(&mangled), "{}:\n{mangled}\n{once}", path.display());
            assert_ne!(once, mangled, "{}: it was laid out at all", path.display());
            assert!(!once.contains("\n\n\n") && !once.contains(" \n"), "{}:\n{once}", path.display());
            (tried, lines) = (tried + 1, lines + once.lines().count());
        }
    }
    assert!(tried >= 25 && lines > 600, "{tried} files, {lines} lines");
}
