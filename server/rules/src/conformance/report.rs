//! The answers of a run, counted and shown.

use super::{Answer, Asks, Outcome};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Every answer of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// In the order of the file.
    pub answers: Vec<Answer>,
}

impl Report {
    /// Cases with the expected value.
    pub fn agreed(&self) -> usize {
        self.count(|outcome| *outcome == Outcome::Agreed)
    }

    /// Cases with another value.
    pub fn deviating(&self) -> Vec<&Answer> {
        let deviates = |answer: &&Answer| matches!(answer.outcome, Outcome::Deviating { .. });
        self.answers.iter().filter(deviates).collect()
    }

    /// Cases that were refused, by reason: most frequent first.
    pub fn reasons(&self) -> Vec<(&str, usize)> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for answer in &self.answers {
            if let Outcome::Refused { reason, .. } = &answer.outcome {
                *counts.entry(reason).or_default() += 1;
            }
        }
        let mut reasons: Vec<(&str, usize)> = counts.into_iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        reasons
    }

    fn count(&self, wanted: impl Fn(&Outcome) -> bool) -> usize {
        self.answers.iter().filter(|answer| wanted(&answer.outcome)).count()
    }

    fn refused(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Refused { .. }))
    }

    /// Cases that ask for this, and how many of them agreed.
    fn asking(&self, asks: Asks) -> (usize, usize) {
        let asking = self.answers.iter().filter(|answer| answer.asks == asks);
        let agreed = asking.clone().filter(|answer| answer.outcome == Outcome::Agreed).count();
        (asking.count(), agreed)
    }

    /// As a table for people.
    pub fn text(&self) -> String {
        let (agreed, refused, deviating) = (self.agreed(), self.refused(), self.deviating());
        let (errors, unknown) = self.asking(Asks::Error);
        let (types, typed) = self.asking(Asks::Type);
        let mut text = String::new();
        let mut line = |line: String| {
            let _ = writeln!(text, "{line}");
        };
        line(format!("cases      {:>5}", self.answers.len()));
        line(format!("accepted   {:>5}", agreed + deviating.len()));
        line(format!("agreed     {agreed:>5}"));
        line(format!("refused    {refused:>5}"));
        line(format!("deviating  {:>5}", deviating.len()));
        line(format!("asking for an error: {errors} (agreed, as null: {unknown})"));
        line(format!("asking for a type only: {types} (accepted, type not compared: {typed})"));
        line("\nrefused because of".to_owned());
        for (reason, count) in self.reasons() {
            line(format!("{count:>5}  {reason}"));
        }
        if !deviating.is_empty() {
            line("\ndeviating".to_owned());
        }
        for answer in deviating {
            if let Outcome::Deviating { found, expected } = &answer.outcome {
                line(format!("  {}: `{}` is {found}, expected {expected}", answer.name, answer.source));
            }
        }
        text
    }

    /// For programs.
    pub fn json(&self) -> Json {
        let reasons: Vec<Json> =
            self.reasons().iter().map(|(reason, count)| json!({"reason": reason, "cases": count})).collect();
        let answers: Vec<Json> = self.answers.iter().map(shown).collect();
        let deviating = self.deviating().len();
        json!({
            "cases": self.answers.len(),
            "accepted": self.agreed() + deviating,
            "agreed": self.agreed(),
            "refused": self.refused(),
            "deviating": deviating,
            "reasons": reasons,
            "answers": answers,
        })
    }
}

fn shown(answer: &Answer) -> Json {
    let (name, expression) = (&answer.name, &answer.source);
    match &answer.outcome {
        Outcome::Agreed => json!({"name": name, "expression": expression, "outcome": "agreed"}),
        Outcome::Refused { reason, message } => json!({
            "name": name, "expression": expression, "outcome": "refused", "reason": reason, "message": message,
        }),
        Outcome::Deviating { found, expected } => json!({
            "name": name, "expression": expression, "outcome": "deviating", "found": found, "expected": expected,
        }),
    }
}
