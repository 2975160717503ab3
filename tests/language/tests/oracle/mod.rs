//! What the other parser reads, written as our trees are.

use cel::common::ast::{ComprehensionExpr, Expr, IdedExpr, LiteralValue};
use cel::parser::Parser;

pub enum Verdict {
    Tree(String),
    /// Refused, because a macro is not used as one.
    Macro,
    Refused(String),
}

pub fn tree(source: &str) -> Verdict {
    match Parser::default().parse(source) {
        Ok(node) => Verdict::Tree(written(&node)),
        Err(errors) => {
            let of_macro = |text: &str| {
                text.contains("invalid argument to has()") || text.contains("must be a simple name")
            };
            match errors.errors.iter().all(|error| of_macro(&error.msg)) {
                true => Verdict::Macro,
                false => Verdict::Refused(errors.to_string()),
            }
        }
    }
}

fn written(node: &IdedExpr) -> String {
    match &node.expr {
        Expr::Literal(literal) => match literal {
            LiteralValue::Null => "null".to_owned(),
            LiteralValue::Boolean(flag) => flag.inner().to_string(),
            LiteralValue::Int(number) => number.inner().to_string(),
            LiteralValue::Double(number) => format!("{:?}", number.inner()),
            LiteralValue::String(text) => format!("{:?}", text.inner()),
            LiteralValue::Bytes(_) => "bytes".to_owned(),
            LiteralValue::UInt(_) => "uint".to_owned(),
        },
        Expr::Ident(name) => name.clone(),
        Expr::List(list) => form("list", &list.elements),
        Expr::Select(select) => {
            let member = format!("(. {} {})", written(&select.operand), select.field);
            if select.test { format!("(call has {member})") } else { member }
        }
        Expr::Call(call) => match &call.target {
            Some(on) => {
                let args: String = call.args.iter().map(|arg| format!(" {}", written(arg))).collect();
                format!("(method {} {}{args})", call.func_name, written(on))
            }
            None => operation(&call.func_name, &call.args),
        },
        Expr::Comprehension(comprehension) => lookup(comprehension),
        other => format!("{other:?}"),
    }
}

fn operation(name: &str, args: &[IdedExpr]) -> String {
    match name {
        "!_" => match &args[0].expr {
            Expr::Call(inner) if inner.func_name == "!_" && inner.target.is_none() => written(&inner.args[0]),
            _ => form("!", args),
        },
        "-_" => match &args[0].expr {
            Expr::Literal(LiteralValue::Int(number)) => number.inner().wrapping_neg().to_string(),
            Expr::Literal(LiteralValue::Double(number)) => format!("{:?}", -number.inner()),
            _ => form("-", args),
        },
        "_?_:_" => form("?", args),
        "@in" => form("in", args),
        "_&&_" | "_||_" => {
            let parts: String = args.iter().map(|arg| format!(" {}", parts(name, arg))).collect();
            format!("({}{parts})", name.trim_matches('_'))
        }
        name if name.starts_with('_') && name.ends_with('_') && name.len() > 2 => {
            form(name.trim_matches('_'), args)
        }
        name => form(&format!("call {name}"), args),
    }
}

/// The parts of a nested `&&` or `||`, flat.
fn parts(name: &str, node: &IdedExpr) -> String {
    match &node.expr {
        Expr::Call(call) if call.func_name == name && call.target.is_none() => {
            let parts: Vec<String> = call.args.iter().map(|arg| parts(name, arg)).collect();
            parts.join(" ")
        }
        _ => written(node),
    }
}

/// `exists` and `all` as they were before they were expanded.
fn lookup(made: &ComprehensionExpr) -> String {
    let (name, condition) = match &made.loop_step.expr {
        Expr::Call(step) if step.func_name == "_||_" => ("exists", &step.args[1]),
        Expr::Call(step) if step.func_name == "_&&_" => ("all", &step.args[1]),
        _ => return "another macro".to_owned(),
    };
    format!("(method {name} {} {} {})", written(&made.iter_range), made.iter_var, written(condition))
}

fn form(head: &str, parts: &[IdedExpr]) -> String {
    let parts: String = parts.iter().map(|part| format!(" {}", written(part))).collect();
    format!("({head}{parts})")
}
