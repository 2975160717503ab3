//! The first judge: rules over the given records in memory, in the order in which the engine asks them.

use super::case::{Ask, Case, Verdict};
use super::file::TestFile;
use super::world;
use crate::Catalogue;
use crate::explain::{Heard, Hearing, Unheard};
use stead_rules::{Coverage, Finding, Tables, Truth};
use stead_schema::validate::Draft;
use stead_schema::{Collection, SlotSet};

/// What the rules say, and which rules and clauses decided it.
pub(super) fn judge(
    catalogue: &Catalogue,
    file: &TestFile,
    case: &Case,
    coverage: &mut Coverage,
) -> (Verdict, Vec<String>) {
    let Some(collection) = catalogue.schema.collection(&case.collection) else {
        return (Verdict::Broken(format!("there is no collection `{}`", case.collection)), Vec::new());
    };
    let mut tables = world::tables(case.records.as_ref().unwrap_or(&file.records));
    // Once as it is, and once without stopping at a refusal, so that every rule of the operation is seen.
    let mut bench = Bench { catalogue, collection, case, file, tables: &mut tables };
    let answer = bench.verdict(None);
    let _ = bench.verdict(Some(coverage));
    answer.unwrap_or_else(|why| (Verdict::Broken(why), Vec::new()))
}

struct Bench<'a> {
    catalogue: &'a Catalogue,
    collection: &'a Collection,
    case: &'a Case,
    file: &'a TestFile,
    tables: &'a mut Tables,
}

impl Bench<'_> {
    fn verdict(&mut self, coverage: Option<&mut Coverage>) -> Result<(Verdict, Vec<String>), String> {
        let draft = match &self.case.ask {
            Ask::Create(body) => {
                let auth = self.case.who.auth.as_ref();
                let draft = world::draft(self.collection, body, auth, self.file.now);
                Some(draft.map_err(|problems| world::in_one_line(&problems))?)
            }
            _ => None,
        };
        let hearing = Hearing::new(self.catalogue, self.collection, &self.case.who, self.tables, coverage)
            .ok_or("the collection has no rules")?;
        let heard = match (&self.case.ask, draft) {
            (Ask::List, _) => {
                let shown = hearing.list().map_err(|why| unheard(&why))?;
                return Ok((Verdict::shown(shown), Vec::new()));
            }
            (Ask::Listed(id), _) => hearing.listed(id),
            (Ask::Read(id), _) => hearing.read(id),
            (Ask::Update(id, body), _) => hearing.update(id, body),
            (Ask::Delete(id), _) => hearing.delete(id),
            (_, Some(Draft { row, given, changed })) => hearing.create(&Draft { row, given, changed }),
            (Ask::Create(_) | Ask::Watch { .. }, None) => {
                return Err("this is asked of the engine only".to_owned());
            }
        };
        let heard = heard.map_err(|why| unheard(&why))?;
        Ok((self.answer(&heard), reasons(&heard)))
    }

    fn answer(&self, heard: &Heard<'_>) -> Verdict {
        if heard.allowed {
            return Verdict::Allow { hidden: self.names(heard.hidden) };
        }
        let message = heard.message.as_deref().map(str::to_owned);
        Verdict::Deny { message, fields: self.names(heard.refused) }
    }

    fn names(&self, slots: SlotSet) -> Vec<String> {
        let fields = self.collection.slots().filter(|(slot, _)| slots.contains(*slot));
        fields.map(|(_, field)| field.name.clone()).collect()
    }
}

fn unheard(why: &Unheard) -> String {
    match why {
        Unheard::Lookup(error) => error.to_string(),
        Unheard::NoRecord => "there is no such record among the given ones".to_owned(),
        Unheard::Unfit(problems) => world::in_one_line(problems),
    }
}

/// The rule that decided, and those of its clauses that did: the last that was asked, or every one that refused a field.
fn reasons(heard: &Heard<'_>) -> Vec<String> {
    let refused: Vec<_> = heard.steps.iter().filter(|step| !step.allowed && !heard.allowed).collect();
    let steps = if heard.allowed { heard.steps.iter().collect() } else { refused };
    let mut reasons = Vec::new();
    for step in steps {
        reasons.push(step.name.clone());
        let numbered = step.rule.outline.iter().flat_map(|outline| outline.numbered());
        let deciding = |clause: &stead_rules::Clause| {
            step.finding.as_ref().is_some_and(|finding| decides(finding, clause, heard.allowed))
        };
        reasons.extend(numbered.filter(|(_, clause)| deciding(clause)).map(|(id, _)| id));
    }
    reasons
}

/// Whether a clause came out as the rule did, and so is a reason.
fn decides(finding: &Finding<'_>, clause: &stead_rules::Clause, allowed: bool) -> bool {
    let own = std::ptr::eq(finding.clause, clause);
    (own && finding.decides && finding.truth != Truth::NotAsked && (finding.truth == Truth::True) == allowed)
        || finding.parts.iter().any(|part| decides(part, clause, allowed))
}
