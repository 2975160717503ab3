//! What names mean: records, the caller, the request, fields, relations, members of JSON documents.

use super::lookups::INDEXED_COST;
use super::{Checker, Env, Names, Resource};
use crate::compile::CollectionRules;
use crate::ir::{AuthFact, CmpOp, Expr, Lookup, LookupKind, NULL, VarId};
use crate::left_out;
use crate::nearest::did_you_mean;
use crate::normalise;
use crate::syntax::{Ident, Node};
use crate::types::{Bounds, SetOf, Space, Ty, Typed, collection_name};
use stead_schema::{Collection, CollectionId, Slot, SlotSet, Span};

/// What a step along a reference costs in a rule. In a filter it asks whether the caller may list the record as well, which
/// is a lookup.
const STEP_COST: u32 = 2;

const KEYWORDS: [&str; 4] = ["public", "authenticated", "nobody", "staff"];

impl<'s> Checker<'s> {
    pub(super) fn name(&mut self, name: &str, node: &Node, env: &mut Env<'_>) -> Typed {
        let span = env.text.locate(node.range.start, node.range.end);
        if let Some((_, typed)) = env.vars.iter().rev().find(|(var, _)| var == name) {
            let typed = Typed { span, ..typed.clone() };
            // A parameter stands for its whole argument.
            let size = typed.expr.size();
            return if size == 1 || self.room_for(size, env, node.range) {
                typed
            } else {
                Typed::new(NULL, Ty::Broken, false, span)
            };
        }
        let space = |space: Space| Typed::new(NULL, Ty::Space(space), false, span);
        match (&self.site.names, name) {
            (Names::Alone(vars), _) => match vars.get(name) {
                Some(json) => super::params::variable(json, span),
                None => {
                    if let Some((message, help)) = left_out::named(name) {
                        return self.report_help("E0208", env, node.range, &message, help);
                    }
                    let help = did_you_mean(name, vars.keys().map(String::as_str));
                    self.unknown("E0304", env, node, &format!("unknown name `{name}`"), help)
                }
            },
            (_, "now") => Typed::new(Expr::Now, Ty::Datetime, false, span),
            (Names::Filter { .. }, "me") => self.caller_id(span),
            (Names::Filter { .. }, "p") => space(Space::Params),
            (Names::Filter { .. }, _) => self.filter_name(name, node, env),
            (Names::Rule, "auth") => space(Space::Auth),
            (Names::Rule, "request") => space(Space::Request),
            (Names::Rule, "db") => space(Space::Db),
            (Names::Rule, "resource" | "next") => self.record(name, node, env),
            (Names::Rule, _) => self.unknown_name(name, node, env),
        }
    }

    fn unknown(
        &mut self,
        code: &'static str,
        env: &Env<'_>,
        node: &Node,
        message: &str,
        help: Option<String>,
    ) -> Typed {
        match help {
            Some(help) => self.report_help(code, env, node.range, message, help),
            None => self.report(code, env, node.range, message),
        }
    }

    fn unknown_name(&mut self, name: &str, node: &Node, env: &Env<'_>) -> Typed {
        if KEYWORDS.contains(&name) {
            let message = format!("`{name}` is a whole rule and cannot be part of an expression");
            let help = match name {
                "authenticated" => "write `auth != null`",
                _ => "give it as the whole rule, or leave it out",
            };
            return self.report_help("E0211", env, node.range, &message, help);
        }
        let field = self.site.collection.and_then(|id| self.schema.get(id)).and_then(|c| c.field(name));
        if let (None, Some((message, help))) = (field, left_out::named(name)) {
            return self.report_help("E0208", env, node.range, &message, help);
        }
        let function = self.functions.contains_key(name);
        let mut known: Vec<&str> = vec!["resource", "next", "auth", "request", "db", "now"];
        known.extend(env.vars.iter().map(|(var, _)| var.as_str()));
        let help = if field.is_some() && !env.in_function {
            let of = if self.site.next { "next" } else { "resource" };
            Some(format!("write `{of}.{name}`"))
        } else if function {
            Some(format!("`{name}` is a function: write `{name}(…)`"))
        } else if self.schema.collection(name).is_some() {
            Some(format!("write `db.{name}`"))
        } else {
            did_you_mean(name, known)
        };
        self.unknown("E0304", env, node, &format!("unknown name `{name}`"), help)
    }

    fn record(&mut self, name: &str, node: &Node, env: &Env<'_>) -> Typed {
        if env.in_function {
            let message = format!("`{name}` does not exist in a function");
            return self.report_help("E0306", env, node.range, &message, "hand it in as a parameter");
        }
        let span = env.text.locate(node.range.start, node.range.end);
        let Some(collection) = self.site.collection else {
            return self.report("E0306", env, node.range, &format!("`{name}` does not exist here"));
        };
        let absent = match (name, self.site.resource) {
            ("next", _) if self.site.next => {
                return Typed::new(Expr::Next(Slot::ID), Ty::Id(collection), false, span);
            }
            ("next", _) => "exists in `create`, in `after` of an update and in a field's `write` only",
            (_, Resource::Absent(why)) => why,
            (_, Resource::Proposed) => {
                return Typed::new(Expr::Next(Slot::ID), Ty::Id(collection), false, span);
            }
            (_, Resource::Perhaps) => return Typed::new(Expr::Row(Slot::ID), Ty::Id(collection), true, span),
            (_, Resource::Stored) => return Typed::new(Expr::Row(Slot::ID), Ty::Id(collection), false, span),
        };
        self.report("E0306", env, node.range, &format!("`{name}` {absent}"))
    }

    pub(super) fn caller_id(&self, span: Span) -> Typed {
        let ty = self.schema.users().map_or(Ty::Text, |users| Ty::Id(users.id));
        Typed::new(Expr::Auth(AuthFact::Id), ty, true, span)
    }

    fn filter_name(&mut self, name: &str, node: &Node, env: &mut Env<'_>) -> Typed {
        let Some(collection) = self.site.collection.and_then(|id| self.schema.get(id)) else {
            return self.report("E0304", env, node.range, &format!("unknown name `{name}`"));
        };
        let span = env.text.locate(node.range.start, node.range.end);
        let root = Typed::new(Expr::Row(Slot::ID), Ty::Id(collection.id), false, span);
        let ident = Ident { name: name.into(), range: node.range };
        self.record_member(root, collection, &ident, node, env)
    }

    pub(super) fn member(&mut self, on: Typed, member: &Ident, node: &Node, env: &mut Env<'_>) -> Typed {
        let span = env.text.locate(node.range.start, node.range.end);
        match &on.ty {
            Ty::Broken => on,
            Ty::Id(of) => match self.schema.get(*of) {
                Some(collection) => self.record_member(on, collection, member, node, env),
                None => on,
            },
            Ty::Json(place) => {
                let ty = Ty::Json(place.member(&member.name));
                Typed::new(on.expr, ty, true, span)
            }
            Ty::Space(space) => self.space_member(&space.clone(), member, node, env),
            Ty::Param(json) => match json.get(&*member.name) {
                Some(json) => super::params::variable(json, span),
                None => self.report(
                    "E0304",
                    env,
                    member.range,
                    &format!("the parameter has no `{}`", member.name),
                ),
            },
            Ty::Null => Typed::new(NULL, Ty::Null, true, span),
            Ty::Set(_) => {
                let message = format!("a set of records has no `{}`", member.name);
                let help = "ask `.exists(x, …)`, `.all(x, …)` or `.count(x, …)`";
                self.report_help("E0301", env, member.range, &message, help)
            }
            other => {
                let message = format!("{} has no `{}`", other.name(self.schema), member.name);
                self.report("E0301", env, member.range, &message)
            }
        }
    }

    fn space_member(&mut self, space: &Space, member: &Ident, node: &Node, env: &mut Env<'_>) -> Typed {
        let span = env.text.locate(node.range.start, node.range.end);
        match space {
            Space::Auth => self.auth_member(member, span, env),
            Space::Claims => self.claim(member, span, env),
            Space::Request => self.request_member(member, span, env),
            Space::Sent => self.request_param(member, span, env),
            Space::Db => match self.schema.collection(&member.name) {
                Some(collection) => {
                    Typed::new(NULL, Ty::Set(SetOf { collection: collection.id, key: None }), false, span)
                }
                None => {
                    let names = self.schema.collections.iter().map(|c| c.name.as_str());
                    let help = did_you_mean(&member.name, names);
                    let message = format!("there is no collection `{}`", member.name);
                    let place = Node { range: member.range, ..node.clone() };
                    self.unknown("E0315", env, &place, &message, help)
                }
            },
            Space::Params => {
                let Names::Filter { params, .. } = &self.site.names else {
                    return self.report("E0304", env, member.range, "there are no parameters here");
                };
                match params.get(&*member.name) {
                    Some(json) => Typed::new(NULL, Ty::Param(json.clone()), json.is_null(), span),
                    None => {
                        let message = format!("the parameter `p.{}` was not given", member.name);
                        self.report("E0304", env, member.range, &message)
                    }
                }
            }
            Space::Object(members) => match members.get(&*member.name) {
                Some(json) => super::params::variable(json, span),
                None => {
                    let message = format!("there is no member `{}`", member.name);
                    self.report("E0301", env, member.range, &message)
                }
            },
        }
    }

    /// A field or a relation of a record.
    fn record_member(
        &mut self,
        on: Typed,
        collection: &'s Collection,
        member: &Ident,
        node: &Node,
        env: &mut Env<'_>,
    ) -> Typed {
        let span = env.text.locate(node.range.start, node.range.end);
        let of_root = on.expr == Expr::Row(Slot::ID);
        let hidden = match &self.site.names {
            Names::Filter { hidden, .. } if of_root => *hidden,
            _ => self.unknown_fields(collection.id),
        };
        if let Some((slot, field)) =
            collection.field(&member.name).filter(|(slot, _)| !hidden.contains(*slot))
        {
            let nullable = field.optional
                || match &on.expr {
                    Expr::Row(Slot::ID) => self.site.resource == Resource::Perhaps,
                    Expr::Var(_, Slot::ID) | Expr::Next(Slot::ID) => false,
                    // The record may be gone.
                    _ => true,
                };
            let ty = Ty::of(collection.id, &field.kind);
            let (expr, masked) = self.field_of(on.expr, collection.id, slot);
            let step = matches!(self.unmasked(&expr), Expr::Path { .. });
            self.cost = self.cost.saturating_add(if step { self.step_cost() } else { 0 });
            return Typed::new(expr, ty, nullable || masked, span);
        }
        let seen = |(from, slot): &(&Collection, Slot)| !self.unknown_fields(from.id).contains(*slot);
        if let Some((from, key)) = self.schema.inverse_one(collection.id, &member.name).filter(seen) {
            return self.way_back(on, from, key, span);
        }
        let seen = |(from, slot): &(&Collection, Slot)| !self.unknown_fields(from.id).contains(*slot);
        if let Some((from, slot)) = self.schema.inverse(collection.id, &member.name).filter(seen) {
            let set = SetOf { collection: from.id, key: Some((slot, Box::new(on))) };
            return Typed::new(NULL, Ty::Set(set), false, span);
        }
        let fields =
            collection.slots().filter(|(slot, _)| !hidden.contains(*slot)).map(|(_, f)| f.name.as_str());
        let help = did_you_mean(&member.name, fields);
        let message = format!(
            "collection `{}` has no field `{}`",
            collection_name(self.schema, collection.id),
            member.name
        );
        let place = Node { range: member.range, ..node.clone() };
        self.unknown("E0301", env, &place, &message, help)
    }

    /// Fields of other collections that do not exist for a filter, because no caller with rules reads them in any record.
    fn unknown_fields(&self, collection: CollectionId) -> SlotSet {
        let Names::Filter { rules, .. } = &self.site.names else { return SlotSet::EMPTY };
        rules.of(collection).map_or(SlotSet::EMPTY, CollectionRules::read_by_nobody)
    }

    /// The one record of `from` whose unique reference `key` is `on`; null when there is none.
    fn way_back(&mut self, on: Typed, from: &Collection, key: Slot, span: Span) -> Typed {
        self.cost = self.cost.saturating_add(self.step_cost());
        let id = Box::new(self.unmasked(&on.expr).clone());
        let path = Expr::Path { collection: from.id, key, id, slot: Slot::ID };
        let Names::Filter { rules, .. } = &self.site.names else {
            return Typed::new(path, Ty::Id(from.id), true, span);
        };
        // It counts only as far as the caller may list it and read the reference that leads there.
        let Some(rules) = rules.of(from.id) else { return Typed::new(NULL, Ty::Id(from.id), true, span) };
        let var = self.fresh_var();
        let is_it = Expr::Compare(CmpOp::Eq, Box::new(Expr::Var(var, key)), Box::new(on.expr));
        let list = self.rule_for(&rules.list.expr, var);
        let rule = rules.field_read.get(key.index()).and_then(Option::as_ref);
        let rule = rule.map(|rule| self.rule_for(&rule.expr, var));
        let body = normalise::all([is_it, list].into_iter().chain(rule));
        let seen = normalise::lookup(Lookup {
            collection: from.id,
            var,
            kind: LookupKind::Exists,
            body,
            sealed: false,
        });
        let expr = Expr::If(Box::new(seen), Box::new(path), Box::new(NULL));
        Typed::new(expr, Ty::Id(from.id), true, span)
    }

    /// The field of the record whose id `on` is, and whether a rule may hide it from a filter's caller.
    fn field_of(&mut self, on: Expr, collection: CollectionId, slot: Slot) -> (Expr, bool) {
        let field = match &on {
            Expr::Row(Slot::ID) => Expr::Row(slot),
            Expr::Next(Slot::ID) => Expr::Next(slot),
            Expr::Var(var, Slot::ID) => Expr::Var(*var, slot),
            // Another field of what the way back leads to.
            Expr::Path { collection: there, key, id, slot: Slot::ID }
                if *there == collection && *key != Slot::ID =>
            {
                Expr::Path { collection, key: *key, id: id.clone(), slot }
            }
            _ => Expr::Path { collection, key: Slot::ID, id: Box::new(self.unmasked(&on).clone()), slot },
        };
        let Names::Filter { rules, .. } = &self.site.names else { return (field, false) };
        let Some(rules) = rules.of(collection) else { return (NULL, true) };
        let rule = rules.field_read.get(slot.index()).and_then(Option::as_ref).map(|rule| &rule.expr);
        let visible = match (&on, rule) {
            (Expr::Row(Slot::ID) | Expr::Var(_, Slot::ID), None) => return (field, false),
            (Expr::Row(Slot::ID), Some(rule)) => self.renumbered(rule),
            (Expr::Var(var, Slot::ID), Some(rule)) => self.rule_for(rule, *var),
            // Somebody else's record counts only as far as the caller may list it.
            (_, rule) => {
                let var = self.fresh_var();
                let is_it =
                    Expr::Compare(CmpOp::Eq, Box::new(Expr::Var(var, Slot::ID)), Box::new(on.clone()));
                let list = self.rule_for(&rules.list.expr, var);
                let rule = rule.map(|rule| self.rule_for(rule, var));
                let body = normalise::all([is_it, list].into_iter().chain(rule));
                normalise::lookup(Lookup { collection, var, kind: LookupKind::Exists, body, sealed: false })
            }
        };
        if visible == crate::ir::TRUE {
            return (field, false);
        }
        (Expr::If(Box::new(visible), Box::new(field), Box::new(NULL)), true)
    }

    /// What a filter's masked part is where its caller may see it. A step along a reference asks for the masked part anyway
    /// and may go on from there, so that a chain of references grows by each step and does not double with it.
    fn unmasked<'e>(&self, expr: &'e Expr) -> &'e Expr {
        match (expr, &self.site.names) {
            (Expr::If(_, seen, hidden), Names::Filter { .. }) if **hidden == NULL => seen,
            _ => expr,
        }
    }

    fn step_cost(&self) -> u32 {
        if matches!(self.site.names, Names::Filter { .. }) { INDEXED_COST } else { STEP_COST }
    }

    pub(super) fn fresh_var(&mut self) -> VarId {
        let var = VarId(self.next_var);
        self.next_var = self.next_var.saturating_add(1);
        var
    }

    /// A rule over `resource` as a rule over a lookup's variable, with variables of its own.
    pub(super) fn rule_for(&mut self, rule: &Expr, var: VarId) -> Expr {
        // Fresh names first: the rule's own variables must not catch the one put in.
        self.renumbered(rule).replaced(&mut |part| match part {
            Expr::Row(slot) => Some(Expr::Var(var, *slot)),
            _ => None,
        })
    }

    fn renumbered(&mut self, expr: &Expr) -> Expr {
        let fresh = normalise::renamed(expr, &mut Vec::new(), &mut |_| self.fresh_var());
        // Inside a filter nothing is sealed: what a rule promised of null does not bind a filter.
        unsealed(&fresh)
    }

    /// Bounds of a count.
    pub(super) fn count_bounds() -> Bounds {
        Bounds { low: 0, high: i128::from(crate::ir::COUNT_MAX) }
    }
}

fn unsealed(expr: &Expr) -> Expr {
    expr.replaced(&mut |part| {
        let Expr::Lookup(lookup) = part else { return None };
        let lookup = Lookup { body: unsealed(&lookup.body), sealed: false, ..Lookup::clone(lookup) };
        Some(Expr::Lookup(std::sync::Arc::new(lookup)))
    })
}
