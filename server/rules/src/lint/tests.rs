//! What rule tests leave open: L12 rules that nobody asks, L13 list rules that are never seen to hide anything.

use super::Finding;
use super::ruled::{Decides, Ruled};
use crate::ir::TRUE;
use stead_schema::RuleSlot;

/// What an app's rule tests asked.
#[derive(Debug, Clone, Default)]
pub struct Tested {
    /// Rules of which some case asked: `messages.create`, `users.phone.read`; `rooms.update.before` when its halves
    /// are written apart.
    pub asked: Vec<String>,
    /// Collections of which some list left out a record that was given.
    pub narrowed: Vec<String>,
}

pub(super) fn findings(every: &[Ruled<'_>], tested: &Tested) -> Vec<Finding> {
    let mut found = Vec::new();
    for ruled in every.iter().filter(|ruled| !ruled.is_keyword()) {
        if !tested.asked.contains(&ruled.name) {
            found.push(Finding {
                code: "L12",
                at: ruled.at(),
                span: ruled.span,
                message: format!("no test asks `{}`", ruled.name),
                help: "add a case to tests/*.test.yaml, one that is allowed and one that is not".into(),
            });
        } else if shows_lists(ruled, every) && !tested.narrowed.contains(&ruled.collection.name) {
            found.push(Finding {
                code: "L13",
                at: ruled.at(),
                span: ruled.span,
                message: format!(
                    "no test shows that a list of `{}` leaves a record out",
                    ruled.collection.name
                ),
                help: "add a case `can: list` for somebody who may not see all of the given records".into(),
            });
        }
    }
    found
}

/// Whether it decides about lists: `list`, or `read` where there is no `list`.
fn shows_lists(ruled: &Ruled<'_>, every: &[Ruled<'_>]) -> bool {
    let own = |other: &Ruled<'_>| {
        other.collection.id == ruled.collection.id && other.decides == Decides::Slot(RuleSlot::List)
    };
    let decides = match ruled.decides {
        Decides::Slot(RuleSlot::List) => true,
        Decides::Slot(RuleSlot::Read) => !every.iter().any(own),
        _ => false,
    };
    decides && ruled.rule.expr != TRUE
}
