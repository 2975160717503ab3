//! Questions about other records: `exists`, `all`, `count`.

use super::{Checker, Env, Names, Polarity};
use crate::ir::{CmpOp, Expr, FALSE, Lookup, LookupKind, NULL, VarId};
use crate::left_out;
use crate::narrow::{Outcome, forcing};
use crate::normalise;
use crate::outline::{ClauseKind, LookupClause};
use crate::syntax::{Ident, Kind, Node};
use crate::types::{SetOf, Ty, Typed};
use stead_schema::{Collection, CollectionId, Slot};

const RESERVED: [&str; 11] =
    ["resource", "next", "auth", "request", "db", "now", "me", "p", "null", "true", "false"];

/// What a lookup over indexed fields costs.
pub(super) const INDEXED_COST: u32 = 10;
/// What a scan costs.
const SCAN_COST: u32 = 1000;

impl Checker<'_> {
    pub(super) fn lookup(
        &mut self,
        set: &SetOf,
        method: &Ident,
        args: &[Node],
        node: &Node,
        env: &mut Env<'_>,
    ) -> Typed {
        let span = env.text.locate(node.range.start, node.range.end);
        let broken = Typed::new(NULL, Ty::Broken, false, span);
        let Some((name, condition)) = self.arguments(method, args, env) else { return broken };
        if !self.admitted(method, env) {
            return broken;
        }
        let var = self.fresh_var();
        let all = &*method.name == "all";
        // `all(P)` is `!exists(!P)`.
        let position = if all { env.polarity.flipped() } else { env.polarity };
        let ruled = !matches!(self.site.names, Names::Filter { .. });
        let sealed = ruled && (env.sealed || position != Polarity::Positive);
        let outer = (env.polarity, env.sealed, env.known.len());
        env.sealed = sealed;
        env.polarity = if sealed { Polarity::Mixed } else { Polarity::Positive };
        env.nesting += 1;
        let mut members = self.keys(set, var, node, env);
        let (clauses, scope) = (self.trail.mark(), normalise::all(members.iter().cloned()));
        self.trail.bind(var, set.collection);
        members.iter().for_each(|member| env.known.extend(forcing(member, Outcome::NotTrue)));
        if let Names::Filter { rules, .. } = &self.site.names {
            let rules = rules.of(set.collection);
            let list = rules.map_or(FALSE, |rules| rules.list.expr.clone());
            members.push(self.rule_for(&list, var));
            // The way back goes through a field, which may be hidden itself.
            let key = set.key.as_ref().and_then(|(slot, _)| rules?.field_read.get(slot.index())?.as_ref());
            if let Some(rule) = key {
                members.push(self.rule_for(&rule.expr, var));
            }
        }
        env.vars.push((name, Typed::new(Expr::Var(var, Slot::ID), Ty::Id(set.collection), false, span)));
        if all {
            env.polarity = env.polarity.flipped();
            members.push(normalise::not(self.truth(condition, env)));
        } else {
            members.push(self.truth(condition, env));
        }
        env.vars.pop();
        env.nesting -= 1;
        env.known.truncate(outer.2);
        (env.polarity, env.sealed) = (outer.0, outer.1);
        let body = normalise::all(members);
        self.charge(set.collection, var, &body, node, env);
        let kind = if &*method.name == "count" { LookupKind::Count } else { LookupKind::Exists };
        let expr = normalise::lookup(Lookup { collection: set.collection, var, kind, body, sealed });
        let expr = if all { normalise::not(expr) } else { expr };
        let asked = LookupClause { collection: set.collection, var, method: method.name.clone(), scope };
        self.close(clauses, ClauseKind::Lookup(asked), (&expr, false), node, env);
        match kind {
            LookupKind::Count => Typed::new(expr, Ty::Int(Self::count_bounds()), false, span),
            LookupKind::Exists => Typed::new(expr, Ty::Bool, false, span),
        }
    }

    pub(super) fn arguments<'n>(
        &mut self,
        method: &Ident,
        args: &'n [Node],
        env: &Env<'_>,
    ) -> Option<(String, &'n Node)> {
        if args.len() == 3 {
            let (message, help) = left_out::TWO_NAMES;
            self.report_help("E0208", env, method.range, message, help);
            return None;
        }
        let [var, condition] = args else {
            let help = format!("usage: `set.{}(x, condition on x)`", method.name);
            let message = format!("`{}` needs a name and a condition", method.name);
            self.report_help("E0309", env, method.range, &message, help);
            return None;
        };
        let Kind::Name(name) = &var.kind else {
            self.report("E0309", env, var.range, "the first argument names each record: write a new name");
            return None;
        };
        let taken = RESERVED.contains(&&**name)
            || env.vars.iter().any(|(known, _)| known.as_str() == &**name)
            || self.functions.contains_key(&**name);
        if taken {
            let help = "choose a name that is not in use";
            self.report_help("E0307", env, var.range, &format!("`{name}` means something already"), help);
            return None;
        }
        Some((name.to_string(), condition))
    }

    fn admitted(&mut self, method: &Ident, env: &Env<'_>) -> bool {
        self.lookups += 1;
        if self.lookups > self.limits.lookups {
            let message = format!("more than {} lookups", self.limits.lookups);
            self.stop("E0404", env, method.range, &message);
        } else if env.nesting >= self.limits.nesting {
            let message = format!("lookups are nested deeper than {}", self.limits.nesting);
            self.stop("E0405", env, method.range, &message);
        } else if &*method.name == "count" && self.site.queried {
            let help = "counting every record's relations is too dear for a query; ask `.exists(x, …)`";
            self.report_help(
                "E0421",
                env,
                method.range,
                "`count` works in create, update and delete only",
                help,
            );
            return false;
        }
        !self.stopped
    }

    /// What ties a to-many relation to its record.
    fn keys(&mut self, set: &SetOf, var: VarId, node: &Node, env: &Env<'_>) -> Vec<Expr> {
        let Some((slot, of)) = &set.key else { return Vec::new() };
        let on = match &node.kind {
            Kind::Method(on, ..) => match &on.kind {
                Kind::Member(record, _) => record,
                _ => on,
            },
            _ => node,
        };
        self.compared(of, on, env);
        let link = self.schema.get(set.collection).and_then(|c| Some((&c.name, c.get(*slot)?)));
        if let Some((collection, field)) = link.filter(|(_, field)| field.optional && env.sealed) {
            let message = format!("`{collection}.{}` may be null inside a negated lookup", field.name);
            let help = format!(
                "a record that refers to nothing would not count, and the rule would then allow; make the field \
                 required, or write `db.{collection}.exists(x, x.{0} != null && x.{0} == …)` if that is meant",
                field.name
            );
            self.report_help("E0312", env, node.range, &message, help);
        }
        vec![Expr::Compare(CmpOp::Eq, Box::new(Expr::Var(var, *slot)), Box::new(of.expr.clone()))]
    }

    fn charge(&mut self, collection: CollectionId, var: VarId, body: &Expr, node: &Node, env: &Env<'_>) {
        if *body == FALSE {
            return;
        }
        let keys = key_slots(body, var);
        let indexed = self.schema.get(collection).is_some_and(|c| keys.iter().any(|key| c.finds_by(*key)));
        self.cost = self.cost.saturating_add(if indexed { INDEXED_COST } else { SCAN_COST });
        if indexed || SCAN_COST <= self.limits.cost || self.stopped {
            return;
        }
        let Some(c) = self.schema.get(collection) else { return };
        let names: Vec<&str> =
            keys.iter().filter_map(|slot| c.get(*slot)).map(|field| field.name.as_str()).collect();
        let shown: String = env.shown(node).split_whitespace().collect::<Vec<_>>().join(" ");
        let message = format!("`{shown}` would search every record of `{}`", c.name);
        let help = if names.is_empty() {
            format!("compare an indexed field of `{}` with ==", c.name)
        } else {
            format!("add `indexes: [[{}]]` to `{}`", names.join(", "), c.name)
        };
        self.report_help("E0409", env, node.range, &message, help);
    }
}

/// How many of these fields, in any order, the best index begins with.
pub(crate) fn covered(collection: &Collection, keys: &[Slot]) -> usize {
    let leading =
        |slots: &mut dyn Iterator<Item = Slot>| slots.take_while(|slot| keys.contains(slot)).count();
    let declared =
        collection.indexes.iter().map(|index| leading(&mut index.fields.iter().map(|(slot, _)| *slot)));
    let unique = collection.unique.iter().map(|slots| leading(&mut slots.iter().copied()));
    declared.chain(unique).max().unwrap_or(0)
}

/// Fields of the variable that a body pins with `==` to something outside.
pub(crate) fn key_slots(body: &Expr, var: VarId) -> Vec<Slot> {
    let mut keys = Vec::new();
    let members = match body {
        Expr::And(members) => members.as_slice(),
        Expr::Or(parts) => return parts.first().map(|part| key_slots(part, var)).unwrap_or_default(),
        only => std::slice::from_ref(only),
    };
    for member in members {
        match member {
            Expr::Compare(CmpOp::Eq, a, b) => {
                for (field, other) in [(a, b), (b, a)] {
                    if let Expr::Var(found, slot) = &**field
                        && *found == var
                        && !other.mentions(var)
                    {
                        keys.push(*slot);
                    }
                }
            }
            Expr::In(a, list) => {
                if let Expr::Var(found, slot) = &**a
                    && *found == var
                    && !list.mentions(var)
                {
                    keys.push(*slot);
                }
            }
            _ => {}
        }
    }
    keys
}
