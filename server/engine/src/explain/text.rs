//! An explanation as people read it in a terminal.

use super::said::{ClauseSaid, Explanation, ListSaid, LookupSaid, RuleSaid};
use std::fmt::Write;

/// Where the column of values begins.
const VALUES_AT: usize = 48;
/// More of a clause is not shown; its place is.
const TEXT_CHARS_MAX: usize = 60;

impl Explanation {
    /// A line per clause: what it came out as, what it says, where it stands, what it saw.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for rule in &self.rules {
            told(&mut out, rule);
        }
        if let Some(list) = &self.list {
            listed(&mut out, &self.collection, list);
        }
        if self.rules.len() > 1 || self.list.is_some() {
            let _ = writeln!(out, "{} of {}: {}", self.op, self.collection, verdict(self.allowed));
        }
        for (title, fields) in [("hidden fields", &self.hidden), ("refused fields", &self.refused)] {
            if !fields.is_empty() {
                let _ = writeln!(out, "{title}: {}", fields.join(", "));
            }
        }
        if let Some(message) = &self.message {
            let _ = writeln!(out, "the caller is told: {message}");
        }
        out
    }
}

fn verdict(allowed: bool) -> &'static str {
    if allowed { "ALLOW" } else { "DENY" }
}

fn told(out: &mut String, rule: &RuleSaid) {
    let _ = writeln!(out, "{}  {}", rule.rule, verdict(rule.allowed));
    if !rule.declared {
        let _ = writeln!(out, " ✘ the app declares no such rule, so nobody may");
    }
    for clause in rule.clauses.iter().filter(|clause| !told_above(rule, clause)) {
        let mark = match clause.verdict {
            "true" => '✔',
            "false" => '✘',
            "unknown" => '◌',
            _ => '?',
        };
        let number = clause.id.split_once('#').map_or("", |(_, number)| number);
        let line =
            format!(" {mark} {}#{number} {}", "  ".repeat(number.matches('.').count()), short(&clause.text));
        let pad = VALUES_AT.saturating_sub(line.chars().count());
        let _ = writeln!(out, "{line}{}  {}", " ".repeat(pad), saw(rule, clause));
    }
}

/// Whether a line above says it already: what was not asked is said once, the condition of a lookup is told by what the
/// lookup asked, and a call or `!` of one lookup shows the lookup itself.
fn told_above(rule: &RuleSaid, clause: &ClauseSaid) -> bool {
    let mut id = clause.id.as_str();
    while let Some((above, _)) = id.rsplit_once('.') {
        id = above;
        let Some(found) = rule.clauses.iter().find(|other| other.id == id) else { return false };
        if found.verdict == "not_asked" || found.lookup.is_some() || only_lookup(rule, found).is_some() {
            return true;
        }
    }
    false
}

/// The lookup that is all a clause consists of.
fn only_lookup<'r>(rule: &'r RuleSaid, clause: &ClauseSaid) -> Option<&'r ClauseSaid> {
    let numbered = |number: u8| {
        let id = format!("{}.{number}", clause.id);
        rule.clauses.iter().find(|other| other.id == id)
    };
    let first = numbered(1).filter(|first| first.lookup.is_some() && clause.values.is_none())?;
    if numbered(2).is_some() { None } else { Some(first) }
}

fn short(text: &str) -> String {
    if text.chars().count() <= TEXT_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(TEXT_CHARS_MAX - 1).chain(['…']).collect()
}

fn saw(rule: &RuleSaid, clause: &ClauseSaid) -> String {
    if clause.verdict == "not_asked" {
        let word = if rule.allowed { "allowed" } else { "denied" };
        return format!("not evaluated for the result (already {word})");
    }
    let clause = only_lookup(rule, clause).unwrap_or(clause);
    let mut parts = vec![format!("{}:{}", clause.file, clause.line)];
    parts.extend(clause.lookup.as_ref().map(asked));
    parts.extend(clause.values.clone());
    if clause.verdict == "unknown" {
        parts.push("unknown, which does not count as true".to_owned());
    }
    parts.join("  ")
}

fn asked(lookup: &LookupSaid) -> String {
    let keys: Vec<String> = lookup.keys.iter().map(|(field, value)| format!("{field}={value}")).collect();
    let found = match (&lookup.record, lookup.count, lookup.method.as_str()) {
        (_, Some(count), _) => count.to_string(),
        (Some(id), _, "all") => format!("not so: {id}"),
        (None, _, "all") => "no counter-example".to_owned(),
        (Some(id), ..) => id.clone(),
        (None, ..) => "no row".to_owned(),
    };
    format!("{}.{}({}) → {found}", lookup.collection, lookup.method, keys.join(", "))
}

fn listed(out: &mut String, collection: &str, list: &ListSaid) {
    let _ = writeln!(out, "{collection}.list for this caller:\n  {}", list.residual);
    let Some(sql) = &list.sql else {
        let _ = writeln!(out, "no record can be shown, so no statement runs");
        return;
    };
    let _ = writeln!(out, "SQL:\n  {sql}");
    let params: Vec<String> = list.params.iter().map(ToString::to_string).collect();
    let _ = writeln!(out, "parameters: [{}]", params.join(", "));
    let _ = writeln!(out, "plan:");
    for step in &list.plan {
        let _ = writeln!(out, "  {step}");
    }
    for table in &list.tables {
        let how = match (&table.index, table.full_scan) {
            (Some(index), false) => format!("index {index}"),
            (Some(index), true) => format!("every record, in the order of index {index}"),
            (None, _) => "full scan".to_owned(),
        };
        let _ = writeln!(out, "{}: {how}", table.collection);
    }
}
