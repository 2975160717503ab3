//! `stead rules diff`: what two versions of an app's rules allow differently, each difference with a small world.

use crate::app_folder::{App, AppFolder};
use crate::terminal;
use anyhow::bail;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::process::ExitCode;
use stead_rules::analysis::{Change, Effort, RuleChange, Verdict, World, diff};
use stead_schema::Schema;

/// What is said of rules between which nothing was found.
const NONE_FOUND: &str = "no counter-example up to size 2";

/// Prints the comparison. With `allowed`, fails when a rule that is not among them allows more than before.
pub(crate) fn run(
    old: &Path,
    new: &Path,
    json: bool,
    allowed: Option<&Vec<String>>,
) -> anyhow::Result<ExitCode> {
    let (old, new) = (sound(old)?, sound(new)?);
    let compared = diff(&old.schema, &new.schema, &new.rules, Effort::THOROUGH);
    let known = |name: &&String| !compared.rules.iter().any(|change| change.name == **name);
    if let Some(unknown) = allowed.into_iter().flatten().find(known) {
        bail!("there is no rule `{unknown}` to allow: rules are named like `messages.read`");
    }
    let refused: Vec<&str> = match allowed {
        None => Vec::new(),
        Some(allowed) => {
            let wider = compared.rules.iter().filter(|change| change.verdict.is_wider());
            wider
                .map(|change| change.name.as_str())
                .filter(|name| !allowed.iter().any(|one| one == name))
                .collect()
        }
    };
    let told = compared.rules.iter().filter(|change| !matches!(change.verdict, Verdict::Same));
    match json {
        true => {
            let rules: Vec<Value> = told.map(|change| as_json(change, &new.schema)).collect();
            terminal::say(&json!({"rules": rules, "refused": refused}).to_string());
        }
        false => {
            let lines: Vec<String> = told.map(|change| as_text(change, &new.schema)).collect();
            let unchanged = compared.rules.len() - lines.len();
            lines.iter().for_each(|line| terminal::say(line));
            terminal::say(&match unchanged {
                1 => "1 rule means the same as before".to_owned(),
                many => format!("{many} rules mean the same as before"),
            });
            if !refused.is_empty() {
                let names = refused.join(", ");
                terminal::complain(&format!(
                    "wider than before and not allowed with --allow-widening: {names}"
                ));
            }
        }
    }
    Ok(if refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn sound(folder: &Path) -> anyhow::Result<App> {
    match AppFolder::open(folder)?.load()? {
        Ok(app) => Ok(app),
        Err(mistakes) => bail!("{} has mistakes\n\n{}", folder.display(), mistakes.render()),
    }
}

fn as_text(change: &RuleChange, schema: &Schema) -> String {
    let name = &change.name;
    match &change.verdict {
        Verdict::Same | Verdict::NoneFound(true) => format!("{name}: no difference found ({NONE_FOUND})"),
        Verdict::NoneFound(false) => {
            format!("{name}: no difference found ({NONE_FOUND} among those tried; there are more)")
        }
        Verdict::Loosened(what) => format!("{name}: wider: {what}"),
        Verdict::NotComparable(reason) => {
            format!("{name}: cannot be compared, the older rule does not fit the newer collections: {reason}")
        }
        Verdict::Added => format!("{name}: new"),
        Verdict::Removed => format!("{name}: gone"),
        Verdict::Differs(Change { wider, narrower }) => {
            let mut text = format!("{name}: {}", change.verdict.word());
            for (world, allows) in [(wider, true), (narrower, false)] {
                if let Some(world) = world {
                    text.push_str(&witness(world, allows, schema));
                }
            }
            text
        }
    }
}

fn witness(world: &World, allows: bool, schema: &Schema) -> String {
    let verb = if allows { "ALLOWS" } else { "REFUSES" };
    let (who, deed) = (world.caller(), world.deed(schema));
    let test = world.as_test(schema, allows).trim_end().replace('\n', "\n    ");
    format!("\n  the newer version {verb} {who} to {deed} in this world:\n\n    {test}\n")
}

fn as_json(change: &RuleChange, schema: &Schema) -> Value {
    let world = |world: &Option<Box<World>>, allows: bool| {
        world.as_ref().map(|world| {
            json!({"as": world.caller(), "deed": world.deed(schema), "test": world.as_test(schema, allows)})
        })
    };
    let mut told = Map::from_iter([
        ("rule".to_owned(), Value::from(change.name.as_str())),
        ("verdict".to_owned(), change.verdict.word().into()),
    ]);
    let mut say = |name: &str, value: Value| told.insert(name.to_owned(), value);
    match &change.verdict {
        Verdict::Differs(Change { wider, narrower }) => {
            say("wider", world(wider, true).into());
            say("narrower", world(narrower, false).into());
        }
        Verdict::Loosened(reason) | Verdict::NotComparable(reason) => {
            say("reason", reason.as_str().into());
        }
        Verdict::NoneFound(all) => {
            say("every_world_tried", (*all).into());
        }
        Verdict::Same | Verdict::Added | Verdict::Removed => {}
    }
    Value::Object(told)
}
