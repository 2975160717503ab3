//! Functions and methods, the language's own and the app's.

use super::{Checker, Env, Resource};
use crate::ir::{CmpOp, Expr, Func, NULL, Pattern, RequestFact};
use crate::left_out;
use crate::nearest::did_you_mean;
use crate::syntax::{Ident, Kind, Node};
use crate::types::{Bounds, Ty, Typed};
use std::sync::Arc;
use stead_schema::{SlotSet, Value};

const FUNCTIONS: [&str; 13] = [
    "size",
    "min",
    "max",
    "abs",
    "default",
    "same",
    "div",
    "mod",
    "duration",
    "timestamp",
    "has",
    "changed",
    "changedOnly",
];
const METHODS: [&str; 13] = [
    "size",
    "startsWith",
    "endsWith",
    "contains",
    "lower",
    "matches",
    "exists",
    "all",
    "count",
    "asText",
    "asInt",
    "asBool",
    "sets",
];

/// Whether the language itself has a function of this name.
pub(crate) fn is_built_in(name: &str) -> bool {
    FUNCTIONS.contains(&name) || name == "datetime"
}

/// Largest compiled regular expression, in bytes.
const PATTERN_BYTES_MAX: usize = 64 * 1024;
/// Longest span of time: a hundred years, so that sums of times stay far from the ends of i64.
const DURATION_US_MAX: i64 = 36_525 * 86_400_000_000;

impl<'s> Checker<'s> {
    pub(super) fn call(&mut self, name: &Ident, args: &[Node], node: &Node, env: &mut Env<'_>) -> Typed {
        if self.functions.contains_key(&*name.name) {
            return self.inlined(name, args, node, env, false);
        }
        match (&*name.name, args) {
            ("size", [on]) => {
                let on = self.operand(on, env);
                self.size(on, node, env)
            }
            ("min" | "max", [a, b]) => self.least_or_most(&name.name, a, b, node, env),
            ("abs", [on]) => self.abs(on, node, env),
            ("default", [on, other]) => self.default(on, other, node, env),
            ("same", [a, b]) => self.same(a, b, node, env),
            ("div" | "mod", [a, b]) => {
                let (x, y) = (self.operand(a, env), self.operand(b, env));
                let mark = if &*name.name == "div" { "/" } else { "%" };
                match self.meeting((x, a), (y, b), env) {
                    Some((x, y)) => self.calculation(mark, x, y, node, env),
                    None => self.nothing(node, env),
                }
            }
            ("duration" | "timestamp" | "datetime", [text]) => self.moment(&name.name, text, node, env),
            ("has", [on]) if matches!(on.kind, Kind::Member(..)) => self.presence(CmpOp::Ne, on, node, env),
            ("has", [on]) => {
                self.report_help("E0309", env, on.range, "`has` asks for a member", "write `has(x.field)`")
            }
            ("changed" | "changedOnly", args) if !args.is_empty() => self.changes(name, args, node, env),
            (known, _) if FUNCTIONS.contains(&known) => self.wrong_arguments(known, env, name),
            (unknown, _) => {
                if let Some((message, help)) = left_out::named(unknown) {
                    return self.report_help("E0208", env, name.range, &message, help);
                }
                let declared = self.functions.keys().copied();
                let help = if METHODS.contains(&unknown) {
                    Some(format!("`{unknown}` is called on a value: `x.{unknown}(…)`"))
                } else {
                    did_you_mean(unknown, declared.chain(FUNCTIONS))
                };
                let message = format!("there is no function `{unknown}`");
                match help {
                    Some(help) => self.report_help("E0308", env, name.range, &message, help),
                    None => self.report("E0308", env, name.range, &message),
                }
            }
        }
    }

    fn wrong_arguments(&mut self, function: &str, env: &Env<'_>, name: &Ident) -> Typed {
        let usage = match function {
            "size" => "size(x)",
            "min" | "max" => "min(a, b)",
            "abs" => "abs(n)",
            "default" => "default(x, value)",
            "same" => "same(a, b)",
            "div" | "mod" => "div(a, b)",
            "duration" => "duration(\"15m\")",
            "timestamp" => "timestamp(\"2026-01-31T12:00:00Z\")",
            "has" => "has(x.field)",
            "changed" | "changedOnly" => "changed(\"field\", …)",
            "startsWith" | "endsWith" | "contains" | "matches" => "x.startsWith(\"text\")",
            "exists" | "all" | "count" => "set.exists(x, condition on x)",
            "sets" => "request.sets(\"field\")",
            _ => "x.lower()",
        };
        self.report_help(
            "E0309",
            env,
            name.range,
            &format!("wrong arguments for `{function}`"),
            format!("usage: `{usage}`"),
        )
    }

    fn nothing(&self, node: &Node, env: &Env<'_>) -> Typed {
        Typed::new(NULL, Ty::Broken, false, env.text.locate(node.range.start, node.range.end))
    }

    pub(super) fn no_such(&mut self, method: &Ident, on: &Typed, env: &Env<'_>) -> Typed {
        let known = METHODS.contains(&&*method.name);
        if let Some((message, help)) = left_out::named(&method.name) {
            return self.report_help("E0208", env, method.range, &message, help);
        }
        let message = format!("{} has no method `{}`", on.ty.name(self.schema), method.name);
        let help = match (&on.ty, known) {
            (Ty::List(_), _) if &*method.name == "contains" => Some("write `x in list`".to_owned()),
            (Ty::List(_), _) if &*method.name == "exists" => Some("write `x in list`".to_owned()),
            (_, true) => None,
            _ => did_you_mean(&method.name, METHODS),
        };
        match help {
            Some(help) => self.report_help("E0308", env, method.range, &message, help),
            None => self.report("E0308", env, method.range, &message),
        }
    }

    pub(super) fn method(
        &mut self,
        on_node: &Node,
        method: &Ident,
        args: &[Node],
        node: &Node,
        env: &mut Env<'_>,
    ) -> Typed {
        if let (Kind::Name(name), "sets") = (&on_node.kind, &*method.name)
            && &**name == "request"
        {
            return self.sets(method, args, node, env);
        }
        let on = self.expr(on_node, env);
        match (&on.ty, &*method.name) {
            (Ty::Broken, _) => return on,
            (Ty::Set(set), "exists" | "all" | "count") => {
                return self.lookup(&set.clone(), method, args, node, env);
            }
            (Ty::List(_) | Ty::Param(_), "exists" | "all") => {
                return self.each(on, on_node, method, args, node, env);
            }
            (Ty::Json(place), "asText" | "asInt" | "asBool") if args.is_empty() => {
                let (func, ty) = match &*method.name {
                    "asText" => (Func::JsonText, Ty::Text),
                    "asInt" => (Func::JsonInt, Ty::Int(Bounds::ANY)),
                    _ => (Func::JsonBool, Ty::Bool),
                };
                let path = Expr::Literal(Value::text(&place.path));
                return Typed {
                    expr: Expr::Call(func, vec![on.expr, path]),
                    ty,
                    nullable: true,
                    span: on.span,
                };
            }
            _ => {}
        }
        let mut on = self.settled(on, on_node, env);
        let wanted = if &*method.name == "size" { Ty::Null } else { Ty::Text };
        on = self.coerced(on, &wanted, on_node, env);
        on.nullable = self.may_be_null(&on, env);
        match (&on.ty, &*method.name, args) {
            (Ty::Broken, ..) => on,
            (_, "size", []) => self.size(on, node, env),
            (ty, "lower", []) if ty.is_textual() => {
                Typed { expr: Expr::Call(Func::Lower, vec![on.expr]), ty: Ty::Text, ..on }
            }
            (ty, "startsWith" | "endsWith" | "contains", [arg]) if ty.is_textual() || *ty == Ty::Null => {
                self.part_of_text(on, on_node, method, arg, env)
            }
            (ty, "matches", [arg]) if ty.is_textual() || *ty == Ty::Null => {
                self.matches(on, on_node, arg, env)
            }
            (Ty::Text | Ty::Enum(_) | Ty::Id(_), known, _) if METHODS.iter().take(6).any(|m| *m == known) => {
                self.wrong_arguments(known, env, method)
            }
            _ => self.no_such(method, &on, env),
        }
    }

    fn size(&mut self, on: Typed, node: &Node, env: &Env<'_>) -> Typed {
        let on = self.coerced(on, &Ty::Null, node, env);
        let func = match &on.ty {
            Ty::Broken => return on,
            Ty::Null => return Typed { ty: Ty::Null, ..on },
            Ty::List(_) => Func::Length,
            ty if ty.is_textual() => Func::Size,
            Ty::Set(_) => {
                let help = "ask `.exists(x, …)` or, when writing, `.count(x, …)`";
                return self.report_help("E0302", env, node.range, "a set of records has no `size`", help);
            }
            other => {
                let message = format!("{} has no size", other.name(self.schema));
                return self.report("E0302", env, node.range, &message);
            }
        };
        let bounds = Bounds { low: 0, high: i128::from(i32::MAX) };
        Typed { expr: Expr::Call(func, vec![on.expr]), ty: Ty::Int(bounds), ..on }
    }

    fn part_of_text(
        &mut self,
        on: Typed,
        on_node: &Node,
        method: &Ident,
        arg: &Node,
        env: &mut Env<'_>,
    ) -> Typed {
        self.cost = self.cost.saturating_add(1);
        let part = self.operand(arg, env);
        let part = self.coerced(part, &Ty::Text, arg, env);
        if part.ty == Ty::Broken {
            return part;
        }
        if !part.ty.is_textual() && part.ty != Ty::Null {
            let message = format!("`{}` needs text, but this is {}", method.name, part.ty.name(self.schema));
            return self.report("E0302", env, arg.range, &message);
        }
        self.compared(&on, on_node, env);
        self.compared(&part, arg, env);
        let func = match &*method.name {
            "startsWith" => Func::StartsWith,
            "endsWith" => Func::EndsWith,
            _ => Func::Contains,
        };
        let nullable = !env.sealed && (on.nullable || part.nullable);
        Typed { expr: Expr::Call(func, vec![on.expr, part.expr]), ty: Ty::Bool, nullable, span: on.span }
    }

    fn matches(&mut self, on: Typed, on_node: &Node, arg: &Node, env: &mut Env<'_>) -> Typed {
        let stored = on.expr.any(&mut |part| match part {
            Expr::Var(var, _) => !super::is_stand_in(*var),
            part => matches!(part, Expr::Row(_) | Expr::Path { .. } | Expr::Lookup(_)),
        });
        if stored {
            let help = "only `next`, `auth` and `request` may be matched; store a computed bool, or use startsWith or contains";
            return self.report_help(
                "E0420",
                env,
                on_node.range,
                "`matches` cannot run on stored fields",
                help,
            );
        }
        let Kind::Text(pattern) = &arg.kind else {
            return self.report(
                "E0422",
                env,
                arg.range,
                "the pattern of `matches` must be written out as text",
            );
        };
        match regex::RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).dfa_size_limit(1 << 20).build()
        {
            Ok(pattern) => {
                self.compared(&on, on_node, env);
                let pattern = Pattern(Arc::new(pattern));
                let nullable = !env.sealed && on.nullable;
                Typed {
                    expr: Expr::Matches(Box::new(on.expr), pattern),
                    ty: Ty::Bool,
                    nullable,
                    span: on.span,
                }
            }
            Err(error) => {
                let told = error.to_string();
                let help = told.lines().last().unwrap_or_default().trim_start_matches("error: ");
                self.report_help(
                    "E0422",
                    env,
                    arg.range,
                    "this regular expression is broken or too large",
                    help,
                )
            }
        }
    }

    fn least_or_most(&mut self, name: &str, a: &Node, b: &Node, node: &Node, env: &mut Env<'_>) -> Typed {
        let (x, y) = (self.operand(a, env), self.operand(b, env));
        let nullable = x.nullable || y.nullable;
        let Some((x, y, ty)) = self.unified(x, y, node, env) else { return self.nothing(node, env) };
        if !matches!(ty, Ty::Int(_) | Ty::Float | Ty::Datetime | Ty::Duration | Ty::Null) {
            let message = format!("`{name}` works on numbers and times, not on {}", ty.name(self.schema));
            return self.report("E0302", env, node.range, &message);
        }
        let func = if name == "min" { Func::Min } else { Func::Max };
        Typed::new(Expr::Call(func, vec![x.expr, y.expr]), ty, nullable, x.span)
    }

    fn abs(&mut self, on: &Node, node: &Node, env: &mut Env<'_>) -> Typed {
        let typed = self.operand(on, env);
        let typed = self.coerced(typed, &Ty::Null, on, env);
        let ty = match &typed.ty {
            Ty::Broken | Ty::Null => return typed,
            Ty::Float => Ty::Float,
            Ty::Int(bounds) => Ty::Int(Bounds { low: 0, high: bounds.low.abs().max(bounds.high.abs()) }),
            other => {
                let message = format!("`abs` works on numbers, not on {}", other.name(self.schema));
                return self.report("E0302", env, node.range, &message);
            }
        };
        Typed { expr: Expr::Call(Func::Abs, vec![typed.expr]), ty, ..typed }
    }

    fn default(&mut self, on: &Node, other: &Node, node: &Node, env: &mut Env<'_>) -> Typed {
        let (x, y) = (self.operand(on, env), self.operand(other, env));
        let nullable = y.nullable;
        let Some((x, y, ty)) = self.unified(x, y, node, env) else { return self.nothing(node, env) };
        if matches!(ty, Ty::Set(_) | Ty::Space(_)) {
            return self.report("E0302", env, node.range, "`default` needs a value");
        }
        Typed::new(Expr::Call(Func::Default, vec![x.expr, y.expr]), ty, nullable, x.span)
    }

    fn same(&mut self, a: &Node, b: &Node, node: &Node, env: &mut Env<'_>) -> Typed {
        self.cost = self.cost.saturating_add(1);
        let (x, y) = (self.operand(a, env), self.operand(b, env));
        let Some((x, y)) = self.meeting((x, a), (y, b), env) else { return self.nothing(node, env) };
        if !self.fit(CmpOp::Same, &x, &y, node, env) {
            return self.nothing(node, env);
        }
        let expr = Expr::Compare(CmpOp::Same, Box::new(x.expr), Box::new(y.expr));
        Typed::new(expr, Ty::Bool, false, env.text.locate(node.range.start, node.range.end))
    }

    fn moment(&mut self, name: &str, text: &Node, node: &Node, env: &Env<'_>) -> Typed {
        let span = env.text.locate(node.range.start, node.range.end);
        let Kind::Text(written) = &text.kind else {
            let message = format!("`{name}` needs a text that is written out");
            return self.report("E0423", env, text.range, &message);
        };
        let constant = if name == "duration" {
            duration(written).map(|us| (Value::Duration(us), Ty::Duration))
        } else {
            stead_wire::Instant::parse(written).map(|at| (Value::Datetime(at.us()), Ty::Datetime))
        };
        match constant {
            Some((value, ty)) => Typed::new(Expr::Literal(value), ty, false, span),
            None if name == "duration" => {
                let help =
                    "write a number and d, h, m, s, ms or us, up to a hundred years: \"15m\", \"1h30m\"";
                self.report_help("E0423", env, text.range, "this is not a span of time", help)
            }
            None => {
                let help = "write \"2026-01-31T12:00:00Z\"";
                self.report_help("E0423", env, text.range, "this is not a point in time", help)
            }
        }
    }

    /// Field names written out as text; `None` when a mistake was reported.
    fn named_fields(&mut self, args: &[Node], env: &Env<'_>) -> Option<SlotSet> {
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

    fn changes(&mut self, name: &Ident, args: &[Node], node: &Node, env: &Env<'_>) -> Typed {
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

    fn sets(&mut self, method: &Ident, args: &[Node], node: &Node, env: &Env<'_>) -> Typed {
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

    /// A call of a declared function, replaced by what it stands for.
    pub(super) fn inlined(
        &mut self,
        name: &Ident,
        args: &[Node],
        node: &Node,
        env: &mut Env<'_>,
        boolean: bool,
    ) -> Typed {
        let functions = self.functions;
        let Some((declared, function)) = functions.get_key_value(&*name.name) else {
            return self.nothing(node, env);
        };
        if self.calls.contains(declared) {
            let message = format!("`{declared}` calls itself");
            return self.stop("E0314", env, name.range, &message);
        }
        self.expansions += 1;
        if self.expansions > self.limits.expansions {
            let message = format!("more than {} function calls are inlined here", self.limits.expansions);
            return self.stop("E0408", env, name.range, &message);
        }
        if args.len() != function.params.len() {
            let wanted: Vec<&str> = function.params.iter().map(|(param, _)| param.as_str()).collect();
            let help = format!("usage: `{declared}({})`", wanted.join(", "));
            return self.report_help(
                "E0309",
                env,
                name.range,
                &format!("wrong arguments for `{declared}`"),
                help,
            );
        }
        let mut vars = Vec::with_capacity(args.len());
        for (arg, (param, ty)) in args.iter().zip(&function.params) {
            let typed = self.operand(arg, env);
            let typed = self.coerced(typed, ty, arg, env);
            if typed.ty != Ty::Broken && !accepts(ty, &typed.ty) {
                let (wanted, given) = (ty.name(self.schema), typed.ty.name(self.schema));
                self.report("E0302", env, arg.range, &format!("`{param}` is {wanted}, but this is {given}"));
                return self.nothing(node, env);
            }
            // A list of text may still turn out to hold words of an enum; its own type knows more than the parameter's.
            vars.push((param.clone(), typed));
        }
        let called_at = self.called_at;
        self.called_at = called_at.or_else(|| Some(env.text.locate(node.range.start, node.range.end)));
        let mut inner = Env { text: function.text, vars, in_function: true, ..env.clone() };
        self.calls.push(declared);
        let typed = if boolean {
            let expr = self.truth(&function.body, &mut inner);
            Typed::new(expr, Ty::Bool, false, env.text.locate(node.range.start, node.range.end))
        } else {
            self.expr(&function.body, &mut inner)
        };
        self.calls.pop();
        self.called_at = called_at;
        typed
    }
}

fn accepts(param: &Ty, given: &Ty) -> bool {
    match (param, given) {
        (_, Ty::Null) => true,
        (Ty::Int(_), Ty::Int(_)) => true,
        (Ty::Text, given) => given.is_textual(),
        (Ty::List(param), Ty::List(given)) => accepts(param, given),
        (param, given) => param == given,
    }
}

/// `1h30m` in microseconds.
pub(super) fn duration(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: i64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let us = match rest.get(..unit)? {
            "d" => 86_400_000_000,
            "h" => 3_600_000_000,
            "m" => 60_000_000,
            "s" => 1_000_000,
            "ms" => 1_000,
            "us" => 1,
            _ => return None,
        };
        rest = rest.get(unit..)?;
        total = total.checked_add(number.checked_mul(us)?)?;
    }
    (!text.is_empty() && total <= DURATION_US_MAX).then_some(total)
}
