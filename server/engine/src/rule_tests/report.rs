//! Reports for people, for programs, and for tools that mark lines of a file.

use super::{Outcome, Report};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use stead_rules::coverage::{Covered, CoveredRule, Need};
use stead_schema::{Sources, Span};

impl Report {
    /// Failures and how many there are; with `coverage`, what was never tried of each rule.
    pub fn text(&self, sources: &Sources, coverage: bool) -> String {
        let mut lines = Vec::new();
        for Outcome { place, title, failure } in &self.outcomes {
            if let Some(failure) = failure {
                let failure = failure.trim_end().replace('\n', "\n       ");
                lines.push(format!("FAILED {place} {title}\n       {failure}"));
            }
        }
        let failed = self.failed();
        lines.push(format!("{} passed, {failed} failed", self.outcomes.len() - failed));
        if coverage {
            lines.extend(self.coverage.rules().iter().map(|rule| covered(rule, sources)));
        }
        let (met, all) = self.coverage.met();
        lines.push(format!("conditions covered: {met}/{all} ({} %)", self.per_cent()));
        lines.join("\n")
    }

    /// `{passed, failed, cases, coverage: {covered, needed, per_cent, rules}}`.
    pub fn json(&self, sources: &Sources) -> Value {
        let case = |one: &Outcome| json!({"place": one.place, "title": one.title, "passed": one.failure.is_none(), "failure": one.failure});
        let (met, all) = self.coverage.met();
        let rules = self.coverage.rules().iter();
        json!({
            "passed": self.outcomes.len() - self.failed(),
            "failed": self.failed(),
            "cases": self.outcomes.iter().map(case).collect::<Vec<_>>(),
            "coverage": {
                "covered": met,
                "needed": all,
                "per_cent": self.per_cent(),
                "rules": rules.map(|rule| rule_json(rule, sources)).collect::<Vec<_>>(),
            },
        })
    }

    /// The tracefile format of lcov: a line per clause, and a branch for each thing that must happen to it.
    pub fn lcov(&self, sources: &Sources) -> String {
        let mut files: BTreeMap<&str, Vec<(u32, &Covered)>> = BTreeMap::new();
        let mut asked: BTreeMap<&str, Vec<(u32, u64)>> = BTreeMap::new();
        for rule in self.coverage.rules() {
            let (path, line) = place(rule.span, sources);
            asked.entry(path).or_default().push((line, rule.asked));
            for clause in &rule.clauses {
                let (path, line) = place(clause.span, sources);
                files.entry(path).or_default().push((line, clause));
            }
        }
        let mut text = String::new();
        for (path, clauses) in files {
            let _ = writeln!(text, "TN:\nSF:{path}");
            tracefile(&mut text, asked.get(path).map(Vec::as_slice).unwrap_or_default(), &clauses);
            text.push_str("end_of_record\n");
        }
        text
    }
}

fn tracefile(text: &mut String, rules: &[(u32, u64)], clauses: &[(u32, &Covered)]) {
    let mut lines: BTreeMap<u32, u64> = BTreeMap::new();
    for (line, asked) in
        rules.iter().copied().chain(clauses.iter().map(|(line, clause)| (*line, clause.asked)))
    {
        let hits = lines.entry(line).or_default();
        *hits = (*hits).max(asked);
    }
    let (mut found, mut hit) = (0, 0);
    for (block, (line, clause)) in clauses.iter().enumerate() {
        for (branch, times) in clause.needs.values().enumerate() {
            let taken = if clause.asked == 0 { "-".to_owned() } else { times.to_string() };
            let _ = writeln!(text, "BRDA:{line},{block},{branch},{taken}");
            found += 1;
            hit += usize::from(*times > 0);
        }
    }
    let _ = writeln!(text, "BRF:{found}\nBRH:{hit}");
    for (line, hits) in &lines {
        let _ = writeln!(text, "DA:{line},{hits}");
    }
    let _ = writeln!(text, "LF:{}\nLH:{}", lines.len(), lines.values().filter(|hits| **hits > 0).count());
}

fn covered(rule: &CoveredRule, sources: &Sources) -> String {
    let (met, all) = rule.met();
    let mut text = format!("{:>4} % {}", (met * 100).checked_div(all).unwrap_or(100), rule.name);
    if rule.asked == 0 && met < all && rule.clauses.iter().all(|clause| clause.asked == 0) {
        let (path, line) = place(rule.span, sources);
        let _ = write!(text, "\n       never asked  {path}:{line}");
        return text;
    }
    for clause in &rule.clauses {
        let missing: Vec<&str> = missing(clause).map(Need::missing).collect();
        if !missing.is_empty() {
            let (path, line) = place(clause.span, sources);
            let _ = write!(
                text,
                "\n       {}: {}  {path}:{line}  {}",
                clause.id,
                missing.join(", "),
                clause.shown
            );
        }
    }
    text
}

fn rule_json(rule: &CoveredRule, sources: &Sources) -> Value {
    let (met, all) = rule.met();
    let (file, line) = place(rule.span, sources);
    let missing = rule.clauses.iter().filter(|clause| missing(clause).next().is_some()).map(|clause| {
        let (file, line) = place(clause.span, sources);
        let column = sources.position(clause.span).column;
        let missing: Vec<&str> = missing(clause).map(Need::missing).collect();
        json!({"clause": clause.id, "text": &*clause.shown, "file": file, "line": line, "column": column, "missing": missing})
    });
    json!({
        "rule": &*rule.name,
        "file": file,
        "line": line,
        "asked": rule.asked,
        "covered": met,
        "needed": all,
        "missing": missing.collect::<Vec<_>>(),
    })
}

fn missing(clause: &Covered) -> impl Iterator<Item = Need> {
    clause.needs.iter().filter(|(_, times)| **times == 0).map(|(need, _)| *need)
}

fn place(span: Span, sources: &Sources) -> (&str, u32) {
    (sources.file(span).map_or("", |file| file.path.as_str()), sources.position(span).line)
}
