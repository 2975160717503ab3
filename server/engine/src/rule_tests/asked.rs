//! What test files ask of the rules, for lints. Judged in memory only; whether the answers are right is not looked at.

use super::case::{Ask, Case, Verdict};
use super::file::{self, TestFile};
use super::memory;
use crate::Catalogue;
use stead_rules::Coverage;
use stead_rules::lint::Tested;
use stead_schema::SourceFile;

/// Rules that some case asks, and collections of which some list leaves a given record out. Files that are wrong ask
/// nothing.
pub fn asked(catalogue: &Catalogue, sources: Vec<SourceFile>) -> Tested {
    let mut coverage = Coverage::of(&catalogue.schema, &catalogue.rules);
    let mut tested = Tested::default();
    for file in sources.into_iter().filter_map(|source| file::read(source, catalogue).ok()) {
        for case in file.cases.iter().filter(|case| !matches!(case.ask, Ask::Watch { .. })) {
            let (verdict, _) = memory::judge(catalogue, &file, case, &mut coverage);
            if leaves_out(catalogue, &file, case, &verdict) && !tested.narrowed.contains(&case.collection) {
                tested.narrowed.push(case.collection.clone());
            }
        }
    }
    let rules = coverage.rules().iter().filter(|rule| rule.asked > 0);
    tested.asked = rules.map(|rule| rule.name.to_string()).collect();
    tested
}

fn leaves_out(catalogue: &Catalogue, file: &TestFile, case: &Case, verdict: &Verdict) -> bool {
    let collection = catalogue.schema.collection(&case.collection).map(|collection| collection.id);
    let records = case.records.as_ref().unwrap_or(&file.records);
    let given = records.iter().filter(|(of, _)| Some(*of) == collection).count();
    match (&case.ask, verdict) {
        (Ask::List, Verdict::Shown(ids)) => ids.len() < given,
        (Ask::Listed(_), Verdict::Deny { .. }) => true,
        _ => false,
    }
}
