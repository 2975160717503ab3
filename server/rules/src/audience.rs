//! A read or list rule solved for the caller: given a record, which users may see it.
//!
//! The plan is data: clauses over the users, of which a user must meet all atoms of one. What an atom asks of the
//! database, a lookup answers from the record alone (`members of resource.room`), so that the cost follows who may see
//! something and not who is there. A rule that cannot be turned round like that says why.

use crate::compile::Rule;
use crate::eval::{LookupFailed, Lookups, holds};
use crate::facts::{AuthFacts, Facts, RequestFacts};
use crate::ir::{AuthFact, CmpOp, Expr, FALSE, Lookup, LookupKind, RequestFact, VarId};
use crate::lower::{Lowered, lower_expr};
use crate::normalise;
use std::sync::Arc;
use stead_schema::{CollectionId, Schema, Slot, Value};

/// Most clauses of a plan.
pub const CLAUSES_MAX: usize = 16;

/// Most parts of a rule that are looked at. Each choice is looked at as what is true and as what is false, and choices in
/// the condition of choices would double the work each time.
const PARTS_MAX: usize = 8192;

/// Who may see a record, among the users.
#[derive(Debug, Clone, PartialEq)]
pub struct Audience {
    /// The collection of the users.
    pub users: CollectionId,
    /// A user may who meets all atoms of one.
    pub clauses: Vec<Clause>,
}

/// Atoms that must all hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Clause {
    /// In no order. None lets every user in.
    pub atoms: Vec<Atom>,
}

/// One condition. In `expr` a row is a user, and the record that is to be seen is `next`.
#[derive(Debug, Clone, PartialEq)]
pub struct Atom {
    /// How it is answered.
    pub kind: AtomKind,
    /// The condition.
    pub expr: Expr,
}

/// How an atom is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtomKind {
    /// From the record alone, once for everybody.
    Record,
    /// The user is, or is among, what the record names.
    Key,
    /// The user is among those whom records of a collection name for this record.
    Lookup,
    /// The user is not among those.
    Without,
    /// From what the session knows of the user: roles, a verified address.
    Facts,
    /// For each user by itself.
    Each,
}

/// Why a rule cannot be turned round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAnchor {
    /// The app has no users.
    NoUsers,
    /// It has more clauses than [`CLAUSES_MAX`] when written as alternatives.
    TooManyClauses,
    /// Some alternative ties the caller to the record by nothing that names users.
    Untied,
}

impl std::fmt::Display for NoAnchor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoUsers => f.write_str("the app has no users"),
            Self::TooManyClauses => {
                write!(f, "written as alternatives it has more than {CLAUSES_MAX} of them")
            }
            Self::Untied => f.write_str(
                "one of its alternatives compares the caller with the record by something other than `==` on the \
                 caller's id or a lookup that names the caller",
            ),
        }
    }
}

/// Solves a rule of reading.
///
/// # Errors
/// Why it cannot be.
pub fn audience(schema: &Schema, rule: &Rule) -> Result<Audience, NoAnchor> {
    // Whoever may list a record may read it; the plan is about both.
    solved(schema, &[(rule, "read")])
}

/// Solves rules that must all allow, each with the operation it is asked for. None of them may look at a record that is
/// proposed.
///
/// # Errors
/// Why they cannot be.
pub fn solved(schema: &Schema, rules: &[(&Rule, &'static str)]) -> Result<Audience, NoAnchor> {
    let users = schema.users().ok_or(NoAnchor::NoUsers)?.id;
    let expr = normalise::all(rules.iter().map(|(rule, op)| over_users(&rule.expr, users, op)));
    let mut clauses = Vec::new();
    for atoms in alternatives(&expr, &mut 0)? {
        let atoms: Vec<Atom> = atoms.into_iter().map(atom).collect();
        let is = |kind: AtomKind| atoms.iter().any(|atom| atom.kind == kind);
        if is(AtomKind::Each) && !is(AtomKind::Key) && !is(AtomKind::Lookup) {
            return Err(NoAnchor::Untied);
        }
        clauses.push(Clause { atoms });
    }
    Ok(Audience { users, clauses })
}

impl Audience {
    /// The users among `candidates` who may see `record`, each with the number of the first clause that lets them.
    ///
    /// # Errors
    /// When a lookup fails.
    pub fn among<'u>(
        &self,
        candidates: &'u [(AuthFacts, Arc<[Value]>)],
        record: &[Value],
        now: i64,
        lookups: &mut dyn Lookups,
    ) -> Result<Vec<(&'u AuthFacts, usize)>, LookupFailed> {
        let mut found = Vec::new();
        for (facts, user) in candidates {
            for (number, clause) in self.clauses.iter().enumerate() {
                let known = Known { record, now, auth: Some(facts), user: Some(user) };
                if known.decide(&clause.whole(), lookups)? {
                    found.push((facts, number));
                    break;
                }
            }
        }
        Ok(found)
    }
}

impl Clause {
    /// What is asked of the database: users (as rows) for this record. Facts of the session are not in it.
    pub fn candidates(&self, record: &[Value], now: i64) -> Lowered {
        let asked = self.atoms.iter().filter(|atom| !needs_session(&atom.expr)).map(|atom| atom.expr.clone());
        lower_expr(
            &normalise::all(asked),
            &Known { record, now, auth: None, user: None }.facts(&RequestFacts::default()),
        )
    }

    /// What is left to ask of one candidate, whose row and session are known.
    pub fn remaining(&self, record: &[Value], now: i64, auth: &AuthFacts, user: &[Value]) -> Lowered {
        let left = self.atoms.iter().filter(|atom| needs_session(&atom.expr)).map(|atom| atom.expr.clone());
        let known = Known { record, now, auth: Some(auth), user: Some(user) };
        lower_expr(&normalise::all(left), &known.facts(&request()))
    }

    /// Whether it asks something that only a session knows.
    pub fn asks_session(&self) -> bool {
        self.atoms.iter().any(|atom| needs_session(&atom.expr))
    }

    fn whole(&self) -> Expr {
        normalise::all(self.atoms.iter().map(|atom| atom.expr.clone()))
    }
}

fn request() -> RequestFacts {
    RequestFacts { op: "read", ..RequestFacts::default() }
}

fn needs_session(expr: &Expr) -> bool {
    expr.any(&mut |part| matches!(part, Expr::Auth(_) | Expr::Request(_)))
}

/// What a clause is judged with.
struct Known<'k> {
    record: &'k [Value],
    now: i64,
    auth: Option<&'k AuthFacts>,
    user: Option<&'k [Value]>,
}

impl Known<'_> {
    fn facts<'f>(&'f self, request: &'f RequestFacts) -> Facts<'f> {
        Facts {
            auth: self.auth,
            request,
            now: self.now,
            next: Some(self.record),
            row: self.user,
            pinned: &[],
        }
    }

    fn decide(&self, expr: &Expr, lookups: &mut dyn Lookups) -> Result<bool, LookupFailed> {
        match lower_expr(expr, &self.facts(&request())) {
            Lowered::Allow => Ok(true),
            Lowered::Deny => Ok(false),
            Lowered::Ask(left) => holds(&left.expr, self.user.unwrap_or_default(), lookups),
        }
    }
}

/// The rule with users as rows and the record as `next`; whoever is asked about is signed in.
fn over_users(expr: &Expr, users: CollectionId, op: &'static str) -> Expr {
    let inside = |expr: &Expr| over_users(expr, users, op);
    expr.replaced(&mut |part| match part {
        Expr::Row(slot) => Some(Expr::Next(*slot)),
        Expr::Auth(AuthFact::Id) => Some(Expr::Row(Slot::ID)),
        Expr::Auth(AuthFact::IsAnonymous | AuthFact::IsOperator) => Some(FALSE),
        Expr::Request(RequestFact::Op) => Some(Expr::Literal(Value::text(op))),
        Expr::Path { collection, key: Slot::ID, id, slot }
            if *collection == users && **id == Expr::Auth(AuthFact::Id) =>
        {
            Some(Expr::Row(*slot))
        }
        Expr::And(members) => Some(normalise::all(members.iter().map(inside))),
        Expr::Or(members) => Some(normalise::any(members.iter().map(inside))),
        Expr::Not(inner) => Some(normalise::not(inside(inner))),
        Expr::Lookup(lookup) => {
            let body = inside(&lookup.body);
            Some(normalise::lookup(Lookup { body, ..Lookup::clone(lookup) }))
        }
        _ => None,
    })
}

/// Alternatives of conjunctions: true iff all members of one are. Three-valued logic allows it, because only what is
/// true counts.
fn alternatives(expr: &Expr, seen: &mut usize) -> Result<Vec<Vec<Expr>>, NoAnchor> {
    *seen += 1;
    if *seen > PARTS_MAX {
        return Err(NoAnchor::TooManyClauses);
    }
    let found = match expr {
        Expr::Or(members) => {
            let mut found = Vec::new();
            for member in members {
                found.extend(alternatives(member, seen)?);
                within(found.len())?;
            }
            found
        }
        Expr::And(members) => {
            let mut found = vec![Vec::new()];
            for member in members {
                let more = alternatives(member, seen)?;
                within(found.len() * more.len())?;
                let joined = |one: &Vec<Expr>| {
                    let one = one.clone();
                    more.iter()
                        .map(move |other| one.iter().chain(other).cloned().collect())
                        .collect::<Vec<Vec<Expr>>>()
                };
                found = found.iter().flat_map(joined).collect();
            }
            found
        }
        Expr::If(condition, yes, no) => alternatives(&chosen(condition, yes, no, false), seen)?,
        Expr::Not(inner) => match &**inner {
            Expr::If(condition, yes, no) => alternatives(&chosen(condition, yes, no, true), seen)?,
            _ => vec![vec![expr.clone()]],
        },
        Expr::Literal(Value::Bool(true)) => vec![Vec::new()],
        Expr::Literal(_) => Vec::new(),
        other => vec![vec![other.clone()]],
    };
    Ok(found)
}

fn within(clauses: usize) -> Result<(), NoAnchor> {
    if clauses > CLAUSES_MAX { Err(NoAnchor::TooManyClauses) } else { Ok(()) }
}

/// `c ? a : b` as alternatives; with `negated`, where it is false.
fn chosen(condition: &Expr, yes: &Expr, no: &Expr, negated: bool) -> Expr {
    let of = |expr: &Expr| if negated { normalise::not(expr.clone()) } else { expr.clone() };
    let yes = normalise::all([condition.clone(), of(yes)]);
    let no = normalise::all([normalise::not(condition.clone()), of(no)]);
    normalise::any([yes, no])
}

fn atom(expr: Expr) -> Atom {
    let (kind, expr) = match &expr {
        _ if !about_user(&expr) => (AtomKind::Record, expr),
        _ if !about(&expr, |part| {
            matches!(part, Expr::Next(_) | Expr::Row(_) | Expr::Lookup(_) | Expr::Path { .. })
        }) =>
        {
            (AtomKind::Facts, expr)
        }
        Expr::Compare(CmpOp::Eq, a, b) => (tie(a, b).or_else(|| tie(b, a)).unwrap_or(AtomKind::Each), expr),
        Expr::In(a, list) if **a == Expr::Row(Slot::ID) && !about_user(list) => (AtomKind::Key, expr),
        Expr::Lookup(lookup) => turned(lookup).map_or((AtomKind::Each, expr.clone()), |turned| {
            (AtomKind::Lookup, Expr::Lookup(Arc::new(turned)))
        }),
        Expr::Not(inner) => match &**inner {
            Expr::Lookup(lookup) => turned(lookup).map_or((AtomKind::Each, expr.clone()), |turned| {
                (AtomKind::Without, normalise::not(Expr::Lookup(Arc::new(turned))))
            }),
            _ => (AtomKind::Each, expr),
        },
        _ => (AtomKind::Each, expr),
    };
    Atom { kind, expr }
}

/// How `==` ties a user to something that is not about users.
fn tie(user: &Expr, other: &Expr) -> Option<AtomKind> {
    match user {
        _ if about_user(other) => None,
        Expr::Row(Slot::ID) => Some(AtomKind::Key),
        Expr::Row(_) => Some(AtomKind::Lookup),
        _ => None,
    }
}

fn about(expr: &Expr, wanted: fn(&Expr) -> bool) -> bool {
    expr.any(&mut |part| wanted(part))
}

fn about_user(expr: &Expr) -> bool {
    about(expr, |part| matches!(part, Expr::Row(_) | Expr::Auth(_)))
}

/// The same lookup with what names the user outermost: `exists p: exists m: m.user == u` is `exists m: m.user == u`
/// for which there is such a `p`. `None` when nothing in it names the user by `==`, or more than one part is about the
/// user.
fn turned(lookup: &Lookup) -> Option<Lookup> {
    if lookup.kind != LookupKind::Exists {
        return None;
    }
    let members = match &lookup.body {
        Expr::And(members) => members.as_slice(),
        only => std::slice::from_ref(only),
    };
    let (about, rest): (Vec<&Expr>, Vec<&Expr>) = members.iter().partition(|member| about_user(member));
    let [about] = about.as_slice() else { return None };
    match about {
        Expr::Compare(CmpOp::Eq, a, b) if names_user(a, b, lookup.var) || names_user(b, a, lookup.var) => {
            Some(lookup.clone())
        }
        Expr::Lookup(inner) => {
            let inner = turned(inner)?;
            let (own, outer): (Vec<Expr>, Vec<Expr>) =
                conjuncts(&inner.body).into_iter().partition(|member| !member.mentions(lookup.var));
            let body = normalise::all(rest.into_iter().cloned().chain(outer));
            let through = normalise::lookup(Lookup { body, ..lookup.clone() });
            let body = normalise::all(own.into_iter().chain([through]));
            Some(Lookup { body, ..inner })
        }
        _ => None,
    }
}

fn conjuncts(expr: &Expr) -> Vec<Expr> {
    match expr {
        Expr::And(members) => members.clone(),
        other => vec![other.clone()],
    }
}

fn names_user(field: &Expr, user: &Expr, var: VarId) -> bool {
    matches!(field, Expr::Var(of, _) if *of == var) && matches!(user, Expr::Row(_))
}
