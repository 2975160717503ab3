//! What a condition tells about null: which operands cannot be null once the condition came out one way.
//!
//! Every answer is a set of expressions x such that *x being null forces* the outcome asked for. It must never guess:
//! an empty set is always right.

use crate::ir::{AuthFact, CmpOp, Expr, Func, LookupKind};

/// An outcome of a three-valued condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    True,
    False,
    NotTrue,
    NotFalse,
}

impl Outcome {
    fn flipped(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::NotTrue => Self::NotFalse,
            Self::NotFalse => Self::NotTrue,
        }
    }
}

/// Whether an expression is not null where those in `known` are not.
pub(crate) fn follows(expr: &Expr, known: &[Expr]) -> bool {
    // A claim with a default is there for everybody who is signed in.
    let given = matches!(expr, Expr::Auth(AuthFact::Claim(claim)) if !claim.default.is_null());
    known.contains(expr) || given && known.contains(&Expr::Auth(AuthFact::Id))
}

/// The expressions whose being null forces `condition` to come out as `outcome`.
pub(crate) fn forcing(condition: &Expr, outcome: Outcome) -> Vec<Expr> {
    use Outcome::{False, NotFalse, NotTrue, True};
    match (condition, outcome) {
        (Expr::IsNull(x), True | NotFalse) => strict(x),
        (Expr::Auth(AuthFact::IsAnonymous), True | NotFalse) => caller(),
        (Expr::Not(inner), _) => forcing(inner, outcome.flipped()),
        (Expr::And(members), False | NotTrue) | (Expr::Or(members), True | NotFalse) => {
            members.iter().flat_map(|member| forcing(member, outcome)).collect()
        }
        (Expr::And(members), True | NotFalse) | (Expr::Or(members), False | NotTrue) => {
            let mut sets = members.iter().map(|member| forcing(member, outcome));
            let first = sets.next().unwrap_or_default();
            sets.fold(first, |common, set| common.into_iter().filter(|x| set.contains(x)).collect())
        }
        // No record makes the body true, so the lookup is false.
        (Expr::Lookup(lookup), False | NotTrue) if lookup.kind == LookupKind::Exists => {
            let mut forced = forcing(&lookup.body, NotTrue);
            forced.retain(|x| !x.mentions(lookup.var));
            forced
        }
        (Expr::Compare(op, a, b), NotTrue | NotFalse) if *op != CmpOp::Same => both(a, b),
        (Expr::In(a, list), NotTrue) => both(a, list),
        // Nothing is in an empty list, null neither.
        (Expr::In(_, list), NotFalse) => strict(list),
        (
            Expr::Row(_)
            | Expr::Next(_)
            | Expr::Var(..)
            | Expr::Auth(_)
            | Expr::Request(_)
            | Expr::Path { .. }
            | Expr::Call(..)
            | Expr::Matches(..),
            NotTrue | NotFalse,
        ) => strict(condition),
        _ => Vec::new(),
    }
}

fn both(a: &Expr, b: &Expr) -> Vec<Expr> {
    let mut forced = strict(a);
    forced.extend(strict(b));
    forced
}

/// What every caller who is signed in has.
const CALLERS: [AuthFact; 6] = [
    AuthFact::Id,
    AuthFact::Roles,
    AuthFact::Verified,
    AuthFact::Method,
    AuthFact::Aal,
    AuthFact::SessionStarted,
];

fn caller() -> Vec<Expr> {
    CALLERS.map(Expr::Auth).to_vec()
}

/// The expressions whose being null makes `expr` null, itself included.
fn strict(expr: &Expr) -> Vec<Expr> {
    let mut found = match expr {
        Expr::Auth(fact) if CALLERS.contains(fact) => return caller(),
        // Nobody's claim is null too.
        Expr::Auth(AuthFact::Claim(_)) => caller(),
        Expr::Path { id, .. } => strict(id),
        Expr::Matches(on, _) => strict(on),
        Expr::Call(func, args) if *func != Func::Default => args.iter().flat_map(strict).collect(),
        _ => Vec::new(),
    };
    if !holds_written_list(expr) {
        found.push(expr.clone());
    }
    found
}

/// Whether a list that is written out is part of it. Such a list is never null, whatever is in it, so that nothing follows
/// for its members from its not being null.
pub(crate) fn holds_written_list(expr: &Expr) -> bool {
    expr.any(&mut |part| matches!(part, Expr::ListOf(_)))
}
