//! What a request changes: `changed`, `changedOnly` and `request.sets`, with fields that are named when the rule is checked.

use super::{Checker, Env, Resource};
use crate::ir::{Expr, RequestFact};
use crate::nearest::did_you_mean;
use crate::syntax::{Ident, Kind, Node};
use crate::types::{Ty, Typed};
use stead_schema::SlotSet;

impl Checker<'_> {
    /// Field names written out as text; `None` when a mistake was reported.
    pub(super) fn named_fields(&mut self, args: &[Node], env: &Env<'_>) -> Option<SlotSet> {
        let collection = self.site.collection.and_then(|id| self.schema.get(id))?;
        let mut slots = SlotSet::EMPTY;
        for arg in args {
            let Kind::Text(name) = &arg.kind else {
                self.report("E0309", env, arg.range, "fields are named by text that is written out");
                return None;
            };
            let Some((slot, _)) = collection.field(name) else {
                let message = format!("collection `{}` has no field `{name}`", collection.name);
                match did_you_mean(name, collection.fields.iter().map(|f| f.name.as_str())) {
                    Some(help) => self.report_help("E0301", env, arg.range, &message, help),
                    None => self.report("E0301", env, arg.range, &message),
                };
                return None;
            };
            slots.insert(slot);
        }
        Some(slots)
    }

    pub(super) fn changes(&mut self, name: &Ident, args: &[Node], node: &Node, env: &Env<'_>) -> Typed {
        if !self.site.changes || env.in_function {
            let message = format!("`{}` exists in the `after` of an update only", name.name);
            return self.report("E0306", env, name.range, &message);
        }
        let Some(slots) = self.named_fields(args, env) else { return self.nothing(node, env) };
        let fact = if &*name.name == "changed" {
            RequestFact::Changed(slots)
        } else {
            RequestFact::ChangedOnly(slots)
        };
        Typed::new(Expr::Request(fact), Ty::Bool, false, env.text.locate(node.range.start, node.range.end))
    }

    pub(super) fn sets(&mut self, method: &Ident, args: &[Node], node: &Node, env: &Env<'_>) -> Typed {
        if !self.site.sets || env.in_function || self.site.resource == Resource::Absent("") {
            return self.report(
                "E0306",
                env,
                method.range,
                "`request.sets` exists in `create` and `update` only",
            );
        }
        let [_] = args else { return self.wrong_arguments("sets", env, method) };
        let Some(slot) = self.named_fields(args, env).and_then(|slots| slots.iter().next()) else {
            return self.nothing(node, env);
        };
        let span = env.text.locate(node.range.start, node.range.end);
        Typed::new(Expr::Request(RequestFact::Sets(slot)), Ty::Bool, false, span)
    }
}
