//! From syntax to checked expressions: names, types, ranges, null, limits.
//!
//! One pass that types an expression and builds its checked form. It keeps going after a mistake: a broken part is
//! compatible with everything, so that every mistake is told once.

mod arithmetic;
mod calls;
mod changes;
mod decimals;
mod each;
mod facts;
mod inlining;
mod lookups;
mod meeting;
mod names;
mod operators;
mod params;
mod reports;
mod site;
mod texts;
mod values;

pub(crate) use calls::is_built_in;
pub(crate) use lookups::{covered, key_slots};
pub(crate) use site::{FILTER_LIMITS, Function, Limits, Names, RULE_LIMITS, Resource, Site};

use crate::ir::{Expr, FALSE, NULL, TRUE, VarId};
use crate::narrow::{Outcome, follows, forcing};
use crate::normalise;
use crate::outline::{Clause, ClauseKind, Trail};
use crate::syntax::{Kind, Node, Range};
use crate::types::{Bounds, Ty, Typed};
use std::collections::HashMap;
use stead_schema::{Diagnostic, RuleText, Schema, Slot, Span, Value};

/// Whether a position's truth counts for or against the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Polarity {
    Positive,
    Negative,
    Mixed,
}

impl Polarity {
    pub(crate) fn flipped(self) -> Self {
        match self {
            Self::Positive => Self::Negative,
            Self::Negative => Self::Positive,
            Self::Mixed => Self::Mixed,
        }
    }
}

/// From here on, variables stand for the parameters of a function that is checked by itself.
const STAND_INS: u16 = 0xff00;

fn is_stand_in(var: VarId) -> bool {
    var.0 >= STAND_INS
}

/// What is in force at a position.
#[derive(Clone)]
struct Env<'t> {
    text: &'t RuleText,
    /// Lookup variables and function parameters.
    vars: Vec<(String, Typed)>,
    in_function: bool,
    /// Expressions that cannot be null here.
    known: Vec<Expr>,
    polarity: Polarity,
    /// Inside a negated lookup: nothing compared may be null.
    sealed: bool,
    nesting: usize,
}

/// Checks expressions of one site.
pub(crate) struct Checker<'s> {
    schema: &'s Schema,
    functions: &'s HashMap<&'s str, Function<'s>>,
    site: Site<'s>,
    limits: Limits,
    found: Vec<Diagnostic>,
    nodes: usize,
    lookups: usize,
    expansions: usize,
    cost: u32,
    next_var: u16,
    calls: Vec<&'s str>,
    /// The outermost call that is being inlined.
    called_at: Option<Span>,
    /// Levels of parts above the one being checked, calls included.
    level: usize,
    stopped: bool,
    /// The clauses as written.
    trail: Trail,
}

impl<'s> Checker<'s> {
    pub(crate) fn new(
        schema: &'s Schema,
        functions: &'s HashMap<&'s str, Function<'s>>,
        site: Site<'s>,
        limits: Limits,
    ) -> Self {
        let trail = Trail::new(matches!(site.names, Names::Rule));
        Self {
            schema,
            functions,
            site,
            limits,
            found: Vec::new(),
            nodes: 0,
            lookups: 0,
            expansions: 0,
            cost: 0,
            next_var: 0,
            calls: Vec::new(),
            called_at: None,
            level: 0,
            stopped: false,
            trail,
        }
    }

    /// A boolean expression.
    pub(crate) fn predicate(self, node: &Node, text: &RuleText) -> Result<Expr, Vec<Diagnostic>> {
        self.outlined(node, text).map(|(expr, _)| expr)
    }

    /// A boolean expression and, for a rule, its clauses as written.
    pub(crate) fn outlined(
        mut self,
        node: &Node,
        text: &RuleText,
    ) -> Result<(Expr, Option<Clause>), Vec<Diagnostic>> {
        let expr = self.truth(node, &mut Env::outermost(text));
        let clause = self.trail.finish();
        let expr = normalise::cheap_first(&normalise::by_depth(&expr));
        Ok((self.finish(expr, node, text)?, clause))
    }

    /// An expression of any type that has values.
    pub(crate) fn value(mut self, node: &Node, text: &RuleText) -> Result<Expr, Vec<Diagnostic>> {
        let env = &mut Env::outermost(text);
        let typed = self.expr(node, env);
        let typed = self.settled(typed, node, env);
        if matches!(typed.ty, Ty::Space(_) | Ty::Set(_)) {
            self.report("E0302", env, node.range, "this name has no value of its own");
        }
        // A variable that has no type of its own.
        let typed = self.coerced(typed, &Ty::Null, node, env);
        self.finish(typed.expr, node, text)
    }

    /// A function by itself: its parameters are given and not null.
    pub(crate) fn function(mut self, function: &'s Function<'s>, name: &'s str) -> Vec<Diagnostic> {
        let mut env = Env::outermost(function.text);
        env.in_function = true;
        self.calls.push(name);
        for (at, (param, ty)) in (0u16..).zip(&function.params) {
            let expr = Expr::Var(VarId(STAND_INS.saturating_add(at)), Slot::ID);
            let span = function.text.locate(0, 0);
            env.vars.push((param.clone(), Typed::new(expr, ty.clone(), false, span)));
        }
        self.expr(&function.body, &mut env);
        // What may be null is known only where it is called.
        let decimals = function.params.iter().any(|(_, ty)| matches!(ty, Ty::Decimal { .. }));
        self.found.retain(|d| d.code != "E0312" && !(decimals && d.code == "E0411"));
        self.found
    }

    fn finish(mut self, expr: Expr, node: &Node, text: &RuleText) -> Result<Expr, Vec<Diagnostic>> {
        let env = Env::outermost(text);
        if self.found.is_empty() && expr.depth() > self.limits.depth {
            self.report(
                "E0403",
                &env,
                node.range,
                "with its functions inlined, the expression is nested too deep",
            );
        }
        if self.found.is_empty() && self.cost > self.limits.cost {
            let message =
                format!("the expression costs {}, more than the {} allowed", self.cost, self.limits.cost);
            self.report("E0409", &env, node.range, &message);
        }
        if self.found.is_empty() { Ok(expr) } else { Err(self.found) }
    }

    /// Counts `size` more parts; false when there are too many.
    fn room_for(&mut self, size: usize, env: &Env<'_>, range: Range) -> bool {
        self.nodes = self.nodes.saturating_add(size);
        if self.nodes > self.limits.nodes {
            let message = format!(
                "with its functions inlined, the expression has more than {} parts",
                self.limits.nodes
            );
            self.stop("E0402", env, range, &message);
        }
        !self.stopped
    }

    fn may_be_null(&self, typed: &Typed, env: &Env<'_>) -> bool {
        typed.nullable && !follows(&typed.expr, &env.known)
    }

    /// Says that `typed` is compared here: inside a negated lookup it must not be null.
    fn compared(&mut self, typed: &Typed, node: &Node, env: &Env<'_>) {
        if !env.sealed || !self.may_be_null(typed, env) || typed.ty == Ty::Broken {
            return;
        }
        let shown = env.shown(node);
        let help = format!(
            "a record where it is null would not count, and the rule would then allow; write `{shown} != null && …`, \
             `{shown} == null || …` or `default({shown}, …)`"
        );
        let message = format!("`{shown}` may be null inside a negated lookup");
        self.report_help("E0312", env, node.range, &message, help);
    }

    /// An expression in a boolean position.
    fn truth(&mut self, node: &Node, env: &mut Env<'_>) -> Expr {
        if !self.descend(env, node.range) {
            return NULL;
        }
        let (mark, clauses) = (env.known.len(), self.trail.mark());
        let mut nullable = false;
        let (expr, kind) = match &node.kind {
            Kind::And(parts) => {
                let told = if env.polarity == Polarity::Positive { Outcome::NotTrue } else { Outcome::False };
                (normalise::all(self.members(parts, env, told)), ClauseKind::All)
            }
            Kind::Or(parts) => {
                let told = if env.polarity == Polarity::Negative { Outcome::NotFalse } else { Outcome::True };
                (normalise::any(self.members(parts, env, told)), ClauseKind::Any)
            }
            Kind::Not(inner) => {
                let outer = env.polarity;
                env.polarity = outer.flipped();
                let inner = self.truth(inner, env);
                env.polarity = outer;
                (normalise::not(inner), ClauseKind::Not)
            }
            Kind::Choice(parts) => {
                let [condition, yes, no] = &**parts;
                let condition = self.condition(condition, env);
                env.known.extend(forcing(&condition, Outcome::NotTrue));
                let yes = self.truth(yes, env);
                env.known.truncate(mark);
                env.known.extend(forcing(&condition, Outcome::NotFalse));
                let no = self.truth(no, env);
                (Expr::If(Box::new(condition), Box::new(yes), Box::new(no)), ClauseKind::Choice)
            }
            Kind::Call(name, args) if self.functions.contains_key(&*name.name) => {
                let expr = self.inlined(name, args, node, env, true).expr;
                (expr, ClauseKind::Call(name.name.clone()))
            }
            _ => {
                let expr = self.atom(node, env, &mut nullable);
                (expr, ClauseKind::Atom)
            }
        };
        env.known.truncate(mark);
        self.level -= 1;
        self.close(clauses, kind, (&expr, nullable), node, env);
        expr
    }

    /// Notes a clause of the outline, whose parts lie on the trail since `mark`.
    fn close(&mut self, mark: usize, kind: ClauseKind, of: (&Expr, bool), node: &Node, env: &Env<'_>) {
        if !self.trail.kept {
            return;
        }
        let (expr, nullable) = (of.0.clone(), of.1);
        let nullable = nullable && self.trail.can_be_null(self.schema, self.site.collection, &expr);
        let span = env.text.locate(node.range.start, node.range.end);
        let shown = env.shown(node).split_whitespace().collect::<Vec<_>>().join(" ").into();
        self.trail.close(mark, Clause { span, shown, kind, expr, nullable, parts: Vec::new() });
    }

    /// One level down; false when that is too deep. The limit keeps this recursion within a thread's stack.
    fn descend(&mut self, env: &Env<'_>, range: Range) -> bool {
        if self.level >= self.limits.depth {
            self.stop("E0403", env, range, "with its functions inlined, the expression is nested too deep");
            return false;
        }
        self.level += 1;
        true
    }

    /// Parts of `&&` or `||`; each may assume what the ones to its left did not decide.
    fn members(&mut self, parts: &[Node], env: &mut Env<'_>, told: Outcome) -> Vec<Expr> {
        let mut members = Vec::with_capacity(parts.len());
        for part in parts {
            let member = self.truth(part, env);
            env.known.extend(forcing(&member, told));
            members.push(member);
        }
        members
    }

    fn condition(&mut self, node: &Node, env: &mut Env<'_>) -> Expr {
        let outer = env.polarity;
        env.polarity = Polarity::Mixed;
        let condition = self.truth(node, env);
        env.polarity = outer;
        condition
    }

    fn atom(&mut self, node: &Node, env: &mut Env<'_>, nullable: &mut bool) -> Expr {
        let typed = self.expr(node, env);
        let typed = self.settled(typed, node, env);
        let typed = self.coerced(typed, &Ty::Bool, node, env);
        *nullable = self.may_be_null(&typed, env);
        match typed.ty {
            Ty::Bool => {
                self.compared(&typed, node, env);
                typed.expr
            }
            Ty::Broken | Ty::Null => typed.expr,
            _ => {
                let name = typed.ty.name(self.schema);
                let shown = env.shown(node).to_owned();
                let message = format!("`{shown}` is {name}, but a condition is needed here");
                match typed.ty {
                    Ty::Set(_) => self.report_help(
                        "E0302",
                        env,
                        node.range,
                        &message,
                        format!("ask `{shown}.exists(x, …)` or `{shown}.all(x, …)`"),
                    ),
                    _ => self.report("E0302", env, node.range, &message),
                };
                FALSE
            }
        }
    }

    /// An expression in any position.
    fn expr(&mut self, node: &Node, env: &mut Env<'_>) -> Typed {
        let span = env.text.locate(node.range.start, node.range.end);
        let typed = |expr: Expr, ty: Ty| Typed::new(expr, ty, false, span);
        if !self.room_for(1, env, node.range) || !self.descend(env, node.range) {
            return typed(NULL, Ty::Broken);
        }
        let checked = match &node.kind {
            Kind::Null => Typed::new(NULL, Ty::Null, true, span),
            Kind::Bool(flag) => typed(if *flag { TRUE } else { FALSE }, Ty::Bool),
            Kind::Int(number) => {
                let exact = i128::from(*number);
                typed(Expr::Literal(Value::Int(*number)), Ty::Int(Bounds { low: exact, high: exact }))
            }
            Kind::Float(number) => typed(Expr::Literal(Value::Float(*number)), Ty::Float),
            Kind::Text(text) => typed(Expr::Literal(Value::Text(text.clone())), Ty::Text),
            Kind::Name(name) => self.name(name, node, env),
            Kind::List(items) => self.list(items, node, env),
            Kind::Member(on, member) => {
                let on = self.expr(on, env);
                self.member(on, member, node, env)
            }
            Kind::Call(name, args) => self.call(name, args, node, env),
            Kind::Method(on, name, args) => self.method(on, name, args, node, env),
            Kind::Negate(inner) => self.negate(inner, node, env),
            Kind::Binary(mark, left, right) => self.binary(mark, left, right, node, env),
            Kind::And(_) | Kind::Or(_) | Kind::Not(_) => {
                let expr = self.condition(node, env);
                Typed::new(expr, Ty::Bool, !env.sealed, span)
            }
            Kind::Choice(parts) => self.choice(parts, node, env),
            Kind::Broken => typed(NULL, Ty::Broken),
        };
        self.level -= 1;
        checked
    }

    fn choice(&mut self, parts: &[Node; 3], node: &Node, env: &mut Env<'_>) -> Typed {
        let [condition, yes_node, no_node] = parts;
        let condition = self.condition(condition, env);
        let outer = (env.polarity, env.known.len());
        env.polarity = Polarity::Mixed;
        env.known.extend(forcing(&condition, Outcome::NotTrue));
        let yes = self.expr(yes_node, env);
        let yes = self.settled(yes, yes_node, env);
        let yes_null = self.may_be_null(&yes, env);
        env.known.truncate(outer.1);
        env.known.extend(forcing(&condition, Outcome::NotFalse));
        let no = self.expr(no_node, env);
        let no = self.settled(no, no_node, env);
        let no_null = self.may_be_null(&no, env);
        env.known.truncate(outer.1);
        env.polarity = outer.0;
        let Some((yes, no, ty)) = self.unified(yes, no, node, env) else {
            return Typed::new(NULL, Ty::Broken, false, env.text.locate(node.range.start, node.range.end));
        };
        // The condition is free of null only where everything compared is.
        let nullable = yes_null || no_null || !env.sealed;
        let expr = Expr::If(Box::new(condition), Box::new(yes.expr), Box::new(no.expr));
        Typed::new(expr, ty, nullable, yes.span)
    }
}

impl<'t> Env<'t> {
    fn outermost(text: &'t RuleText) -> Self {
        Self {
            text,
            vars: Vec::new(),
            in_function: false,
            known: Vec::new(),
            polarity: Polarity::Positive,
            sealed: false,
            nesting: 0,
        }
    }

    /// A node as written.
    fn shown(&self, node: &Node) -> &'t str {
        self.text.text.get(node.range.start..node.range.end).unwrap_or_default()
    }
}
