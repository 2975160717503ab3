//! Who may: L01 `public` writes, L06 fields that look private, L09 `same()` with the caller, L10 `authenticated`.

use super::Finding;
use super::ruled::{Decides, Ruled};
use crate::ir::{AuthFact, CmpOp, Expr, FALSE, RequestFact, TRUE};
use crate::normalise;
use stead_schema::{AllowedAt, Collection, Field, RuleSlot, Schema};

/// Parts of a name that tell that not everyone should read it.
const PRIVATE: [&str; 9] =
    ["secret", "token", "hash", "password", "email", "phone", "secrets", "tokens", "phones"];

pub(super) fn findings(schema: &Schema, every: &[Ruled<'_>]) -> Vec<Finding> {
    let mut found = Vec::new();
    for ruled in every {
        found.extend(public_write(ruled, every));
        found.extend(private_fields(ruled));
        found.extend(same_caller(ruled));
        found.extend(signed_in_is_anyone(schema, ruled));
    }
    found
}

fn public_write(ruled: &Ruled<'_>, every: &[Ruled<'_>]) -> Option<Finding> {
    let (deed, example) = match ruled.decides {
        Decides::Slot(RuleSlot::Create) => ("make", "next.owner == auth.id"),
        Decides::Slot(RuleSlot::UpdateBefore) => ("change", "resource.owner == auth.id"),
        Decides::Slot(RuleSlot::Delete) => ("delete", "resource.owner == auth.id"),
        _ => return None,
    };
    let closed = |other: &Ruled<'_>| {
        other.collection.id == ruled.collection.id
            && other.decides == Decides::Slot(RuleSlot::UpdateAfter)
            && other.rule.expr == FALSE
    };
    let half = ruled.decides == Decides::Slot(RuleSlot::UpdateBefore) && every.iter().any(closed);
    (ruled.rule.expr == TRUE && ruled.is_keyword() && !half).then(|| Finding {
        code: "L01",
        at: ruled.at(),
        span: ruled.span,
        message: format!("everyone may {deed} `{}`, signed in or not", ruled.collection.name),
        help: format!(
            "say who may, such as `{example}`; if everyone may, write `{{when: public, allow: [L01]}}` and why"
        ),
    })
}

fn private_fields(ruled: &Ruled<'_>) -> Vec<Finding> {
    let read = matches!(ruled.decides, Decides::Slot(RuleSlot::Read));
    if !read || ruled.rule.expr != TRUE {
        return Vec::new();
    }
    let collection: &Collection = ruled.collection;
    let looks_private = |field: &Field| field.name.split('_').any(|part| PRIVATE.contains(&part));
    let open =
        collection.slots().filter(|(_, field)| !field.system && field.read.is_none() && looks_private(field));
    open.map(|(slot, field)| Finding {
        code: "L06",
        at: AllowedAt::Field(collection.id, slot),
        span: field.span,
        message: format!("everyone may read `{}.{}`", collection.name, field.name),
        help:
            "give the field a `read:` rule; if everyone may read it, write `allow: [L06]` beside it and why"
                .into(),
    })
    .collect()
}

fn same_caller(ruled: &Ruled<'_>) -> Option<Finding> {
    let mut suspicious = |part: &Expr| match part {
        Expr::Compare(CmpOp::Same, a, b) => {
            [a, b].iter().any(|side| side.any(&mut |part| from_outside(part)))
        }
        _ => false,
    };
    ruled.root.expr.any(&mut suspicious).then(|| Finding {
        code: "L09",
        at: ruled.at(),
        span: ruled.place_of(&mut suspicious),
        message:
            "for a guest, or without the parameter, the caller's side is null, and `same(null, null)` is true"
                .into(),
        help: "write `==`, which is never true then".into(),
    })
}

/// What a caller can leave out: being signed in, a claim, a parameter.
fn from_outside(part: &Expr) -> bool {
    matches!(part, Expr::Auth(_) | Expr::Request(RequestFact::Param(_)))
}

fn signed_in_is_anyone(schema: &Schema, ruled: &Ruled<'_>) -> Option<Finding> {
    let signed_in = normalise::not(Expr::Auth(AuthFact::IsAnonymous));
    let narrow = matches!(ruled.decides, Decides::FieldWrite(_));
    (schema.app.open_to_all() && !narrow && ruled.rule.expr == signed_in).then(|| Finding {
        code: "L10",
        at: ruled.at(),
        span: ruled.span,
        message: format!("anyone may sign up, so `{}` is open to everyone who does", ruled.name),
        help: "say who among the users may, or close `auth.sign_up` in app.yaml; if that is meant, write \
               `allow: [L10]` beside it and why"
            .into(),
    })
}
