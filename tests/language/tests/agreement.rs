//! Whatever our parser accepts, another parser of CEL accepts, and reads as the same tree.

mod generator;
mod oracle;

use generator::{Dice, expression, mutated};
use oracle::Verdict;
use stead_rules::sexpr::sexpr;
use stead_schema::{RuleText, SourceFile};

const SOURCES: usize = 50_000;

/// What the comparison of one source came to.
#[derive(PartialEq)]
enum Outcome {
    Refused,
    Agreed,
    /// The other parser expands macros while it reads; here the checker says that one is used wrongly.
    MacroRefused,
}

fn compare(source: &str) -> Outcome {
    let Some(ours) = sexpr(source) else { return Outcome::Refused };
    match oracle::tree(source) {
        Verdict::Tree(theirs) => {
            assert_eq!(ours, theirs, "different trees of {source:?}");
            Outcome::Agreed
        }
        Verdict::Macro => {
            let checked = stead_rules::standalone::eval(source, &serde_json::Map::new());
            assert!(checked.is_err(), "a macro without a name passed: {source:?}");
            Outcome::MacroRefused
        }
        Verdict::Refused(why) => panic!("accepted here and refused there: {source:?}\n{why}"),
    }
}

#[test]
fn generated_sources_are_read_alike() {
    let (mut dice, mut agreed, mut macros) = (Dice::new(1), 0, 0);
    for _ in 0..SOURCES / 2 {
        match compare(&expression(&mut dice)) {
            Outcome::Agreed => agreed += 1,
            Outcome::MacroRefused => macros += 1,
            Outcome::Refused => {}
        }
    }
    println!("generated: {} sources, {agreed} read alike, {macros} with a macro used wrongly", SOURCES / 2);
    assert!(agreed > SOURCES / 4, "the generator hardly ever makes an expression: {agreed}");
}

#[test]
fn damaged_rules_are_read_alike_or_refused_here() {
    let rules = rules_of_the_examples();
    assert!(rules.len() > 40, "{} rules were found", rules.len());
    for rule in &rules {
        assert!(compare(rule) == Outcome::Agreed, "a rule of an example is refused: {rule}");
    }
    let (mut dice, mut agreed) = (Dice::new(2), 0);
    for round in 0..SOURCES / 2 {
        let generated;
        let whole = match dice.pick(&rules) {
            rule if round % 2 == 0 => rule,
            _ => {
                generated = expression(&mut dice);
                &generated
            }
        };
        let other = dice.pick(&rules).clone();
        agreed += usize::from(compare(&mutated(whole, &other, &mut dice)) == Outcome::Agreed);
    }
    println!("damaged: {} sources, {agreed} read alike", SOURCES / 2);
    assert!(agreed > SOURCES / 20, "hardly anything survives the damage: {agreed}");
}

#[test]
fn what_another_parser_would_refuse_or_read_otherwise_is_refused_here() {
    for source in [
        "a\u{a0}== b",
        "a\u{2003}&& b",
        "0X1f",
        "if",
        "a && let",
        "x.in",
        "x.true",
        "a.b.null",
        "\"a\rb\"",
        "'a\nb'",
        "a ? b ? c : d : e",
        "1 < 2 < 3",
        "- - 1",
        "!-1",
        "-!a",
    ] {
        assert_eq!(sexpr(source), None, "{source:?}");
    }
    // What was read otherwise once.
    for source in ["-1.x", "-1.5.x.y()", "-a.x", "- 1", "!!(a && b) && c", "x.if == y.package"] {
        assert!(compare(source) == Outcome::Agreed, "{source:?}");
    }
}

/// The negative control: the comparison sees a difference where there is one.
#[test]
fn different_trees_are_told_apart() {
    let Verdict::Tree(theirs) = oracle::tree("a + b * c") else { panic!("an expression") };
    assert_eq!(sexpr("a + (b * c)").unwrap(), theirs);
    assert_ne!(sexpr("(a + b) * c").unwrap(), theirs);
    assert!(matches!(oracle::tree("a +"), Verdict::Refused(_)));
    assert!(matches!(oracle::tree("has(a)"), Verdict::Macro));
}

/// Every expression of the example apps and of the rule tests.
fn rules_of_the_examples() -> Vec<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut apps: Vec<Vec<std::path::PathBuf>> = Vec::new();
    for app in files(&root.join("examples")) {
        apps.push(files(&app.join("schema")));
    }
    for app in files(&root.join("server/rules/tests/apps")) {
        apps.push(vec![app]);
    }
    let mut rules = Vec::new();
    for app in apps {
        let read = |path: &std::path::PathBuf| SourceFile {
            path: if app.len() == 1 { "app.yaml".to_owned() } else { path.display().to_string() },
            text: std::fs::read_to_string(path).unwrap(),
        };
        let schema = stead_schema::load(app.iter().map(read).collect()).unwrap();
        let mut keep = |rule: &RuleText| rules.push(rule.text.clone());
        schema.functions.iter().for_each(|function| keep(&function.is));
        for collection in &schema.collections {
            collection.rules.values().for_each(&mut keep);
            for field in &collection.fields {
                field.read.iter().chain(&field.write).for_each(&mut keep);
            }
        }
    }
    rules
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
