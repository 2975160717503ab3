//! Condition coverage: what the questions of a test suite made each clause of each rule come out as.
//!
//! An atom, a lookup or a call must have been true and false, and unknown where it can be; a member of `||` must once have
//! been the only reason for true, a member of `&&` the only one for anything else. A function's body counts once, however
//! many rules call it. It only looks at findings and must never ask anything itself.

use crate::compile::RuleBook;
use crate::explain::{Finding, Truth};
use crate::ir::{AuthFact, Expr};
use crate::outline::{Clause, ClauseKind, numbered};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use stead_schema::{Schema, Span};

/// Something that must happen to a clause at least once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// It is true.
    True,
    /// It is false.
    False,
    /// It is unknown, because something in it is null.
    Unknown,
    /// Of a member of `||`: it alone is true, and that matters.
    AloneTrue,
    /// Of a member of `&&`: it alone is not true, and that matters.
    AloneNotTrue,
}

impl Need {
    /// What has not happened, in words.
    pub fn missing(self) -> &'static str {
        match self {
            Self::True => "never true",
            Self::False => "never false",
            Self::Unknown => "never unknown",
            Self::AloneTrue => "never the only reason to allow",
            Self::AloneNotTrue => "never the only reason to deny",
        }
    }
}

/// A clause and what has happened to it.
#[derive(Debug, Clone)]
pub struct Covered {
    /// `messages.create#2`, or `is_member#1` in a function.
    pub id: String,
    /// Where it stands.
    pub span: Span,
    /// As written.
    pub shown: Arc<str>,
    /// How often it was asked.
    pub asked: u64,
    /// What must happen, and how often it did.
    pub needs: BTreeMap<Need, u64>,
}

/// A rule or a function, and its clauses in order.
#[derive(Debug, Clone)]
pub struct CoveredRule {
    /// `messages.create`, `users.phone.read`, `is_member()`.
    pub name: Arc<str>,
    /// Where it begins.
    pub span: Span,
    /// How often a question asked it.
    pub asked: u64,
    /// Its clauses.
    pub clauses: Vec<Covered>,
}

/// Condition coverage of an app's rules.
#[derive(Debug, Clone)]
pub struct Coverage {
    rules: Vec<CoveredRule>,
    /// A clause by where it stands: its rule and its place there.
    places: BTreeMap<Key, (usize, usize)>,
}

/// A span, as it sorts.
type Key = (u16, u32, u32);
/// Ids of clauses by where they stand.
type Ids = BTreeMap<Key, String>;

impl CoveredRule {
    /// How much of what must happen has, of how much. A rule without conditions must be asked.
    pub fn met(&self) -> (usize, usize) {
        let needs = || self.clauses.iter().flat_map(|clause| clause.needs.values());
        match needs().count() {
            0 => (usize::from(self.asked > 0), 1),
            all => (needs().filter(|times| **times > 0).count(), all),
        }
    }
}

impl Coverage {
    /// Every rule of an app, nothing asked yet. The server's own rules for its own fields are tried by its own tests.
    pub fn of(schema: &Schema, book: &RuleBook) -> Self {
        let mut coverage = Self { rules: Vec::new(), places: BTreeMap::new() };
        for (collection, rules) in schema.collections.iter().zip(&book.collections) {
            let own = [
                &rules.list,
                &rules.read,
                &rules.create,
                &rules.update_before,
                &rules.update_after,
                &rules.delete,
            ];
            // Without a rule of its own, `list` is `read`.
            let mut names = BTreeSet::new();
            let of_fields = [&rules.field_read, &rules.field_write].into_iter().flat_map(|of| {
                let declared = collection.fields.iter().zip(of).filter(|(field, _)| !field.system);
                declared.filter_map(|(_, rule)| rule.as_ref())
            });
            for outline in own.into_iter().chain(of_fields).filter_map(|rule| rule.outline.as_ref()) {
                if names.insert(Arc::clone(&outline.name)) {
                    coverage.add(Arc::clone(&outline.name), &outline.root);
                }
            }
        }
        coverage
    }

    fn add(&mut self, name: Arc<str>, root: &Clause) {
        let rule = self.rules.len();
        let ids = numbered(&name, root).into_iter().map(|(id, clause)| (key(clause.span), id)).collect();
        self.rules.push(CoveredRule { name, span: root.span, asked: 0, clauses: Vec::new() });
        self.clause(rule, root, None, &ids);
    }

    /// Adds a clause and what is below; `within` is the clause it is a member of.
    fn clause(&mut self, rule: usize, clause: &Clause, within: Option<&Clause>, ids: &Ids) {
        let key = key(clause.span);
        let needs = needs(clause, within).into_iter().map(|need| (need, 0)).collect();
        if let Some(of) = self.rules.get_mut(rule) {
            let id = ids.get(&key).map_or_else(|| of.name.to_string(), String::clone);
            let shown = Arc::clone(&clause.shown);
            self.places.insert(key, (rule, of.clauses.len()));
            of.clauses.push(Covered { id, span: clause.span, shown, asked: 0, needs });
        }
        match &clause.kind {
            ClauseKind::Call(function) => clause.parts.iter().for_each(|body| self.function(function, body)),
            _ => clause.parts.iter().for_each(|part| self.clause(rule, part, Some(clause), ids)),
        }
    }

    /// A body counts once; what can be null in it depends on what it is called with.
    fn function(&mut self, name: &str, body: &Clause) {
        if self.place(body.span).is_some() {
            self.nullable(body);
        } else {
            self.add(format!("{name}()").into(), body);
        }
    }

    fn nullable(&mut self, clause: &Clause) {
        let place = self.place(clause.span).filter(|_| clause.nullable);
        if let Some(known) = place.and_then(|(rule, at)| self.rules.get_mut(rule)?.clauses.get_mut(at)) {
            known.needs.entry(Need::Unknown).or_insert(0);
        }
        clause.parts.iter().for_each(|part| self.nullable(part));
    }

    /// A question asked this rule.
    pub fn note(&mut self, finding: &Finding<'_>) {
        if let Some(rule) = self.place(finding.clause.span).and_then(|(rule, _)| self.rules.get_mut(rule)) {
            rule.asked += 1;
        }
        self.seen(finding, true);
    }

    fn place(&self, span: Span) -> Option<(usize, usize)> {
        self.places.get(&key(span)).copied()
    }

    fn seen(&mut self, finding: &Finding<'_>, decides: bool) {
        if finding.truth == Truth::NotAsked {
            return;
        }
        self.happened(
            finding,
            match finding.truth {
                Truth::True => Need::True,
                Truth::False => Need::False,
                _ => Need::Unknown,
            },
        );
        match &finding.clause.kind {
            ClauseKind::All => self.members(finding, decides, Need::AloneNotTrue),
            ClauseKind::Any => self.members(finding, decides, Need::AloneTrue),
            _ => finding.parts.iter().for_each(|part| self.seen(part, decides)),
        }
    }

    /// The members of `&&` or `||`. One matters where none of the others decides the whole by itself.
    fn members(&mut self, finding: &Finding<'_>, decides: bool, alone: Need) {
        let any = alone == Need::AloneTrue;
        let decisive = if any { Truth::True } else { Truth::False };
        for (at, part) in finding.parts.iter().enumerate() {
            let mut others = finding.parts.iter().enumerate().filter(|(other, _)| *other != at);
            let decides = decides && others.all(|(_, other)| other.truth != decisive);
            if decides && (part.truth == Truth::True) == any {
                self.happened(part, alone);
            }
            self.seen(part, decides);
        }
    }

    fn happened(&mut self, finding: &Finding<'_>, need: Need) {
        let place = self.place(finding.clause.span);
        let clause = place.and_then(|(rule, clause)| self.rules.get_mut(rule)?.clauses.get_mut(clause));
        let Some(clause) = clause else { return };
        clause.asked += u64::from(matches!(need, Need::True | Need::False | Need::Unknown));
        if let Some(times) = clause.needs.get_mut(&need) {
            *times += 1;
        }
    }

    /// Every rule and function, in order of the schema.
    pub fn rules(&self) -> &[CoveredRule] {
        &self.rules
    }

    /// How much of what must happen has, of how much.
    pub fn met(&self) -> (usize, usize) {
        let add = |(a, b): (usize, usize), (c, d): (usize, usize)| (a + c, b + d);
        self.rules.iter().map(CoveredRule::met).fold((0, 0), add)
    }
}

fn needs(clause: &Clause, within: Option<&Clause>) -> Vec<Need> {
    if clause.expr.literal().is_some() {
        return Vec::new();
    }
    let mut needs = match &clause.kind {
        // How many there are is no condition.
        ClauseKind::Lookup(asked) if &*asked.method == "count" => Vec::new(),
        ClauseKind::Atom | ClauseKind::Lookup(_) | ClauseKind::Call(_) => vec![Need::True, Need::False],
        _ => Vec::new(),
    };
    needs.extend(clause.nullable.then_some(Need::Unknown));
    match within.map(|within| (&within.kind, &within.parts)) {
        Some((ClauseKind::All, _)) => needs.push(Need::AloneNotTrue),
        Some((ClauseKind::Any, members)) if !is_guard(clause, members) => needs.push(Need::AloneTrue),
        _ => {}
    }
    needs
}

/// `auth == null || !blocked(…)` lets the lookup take the caller for granted, as the compiler asks before negated lookups.
/// Those are true of nobody as well, so that the guard can never be the only reason. Before anything else it can.
fn is_guard(clause: &Clause, members: &[Clause]) -> bool {
    let asks = |expr: &Expr| expr.any(&mut |part| matches!(part, Expr::Lookup(_)));
    let refuses = |part: &Expr| matches!(part, Expr::Not(inner) if asks(inner));
    matches!(clause.expr, Expr::IsNull(_) | Expr::Auth(AuthFact::IsAnonymous))
        && members.iter().any(|member| member.expr.any(&mut |part| refuses(part)))
}

fn key(span: Span) -> Key {
    (span.file, span.start, span.end)
}
