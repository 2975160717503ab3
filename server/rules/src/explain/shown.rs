//! Values as people read them beside the clause that used them.

use super::Inquiry;
use crate::eval::LookupFailed;
use crate::ir::{AuthFact, CmpOp, Expr, Func};
use stead_schema::{Value, encode};

/// A value in one line: `u2`, `3`, `null`, `[a, b]`; text with blanks or quotes in quotes.
pub fn value(value: &Value) -> String {
    match value {
        Value::Text(text) if plain(text) => text.to_string(),
        Value::List(items) => format!("[{}]", items.iter().map(self::value).collect::<Vec<_>>().join(", ")),
        Value::Duration(us) => format!("{us} us"),
        other => {
            let mut json = Vec::new();
            encode::value(other, &mut json);
            let text = String::from_utf8_lossy(&json);
            if matches!(other, Value::Text(_)) {
                text.into_owned()
            } else {
                text.trim_matches('"').to_owned()
            }
        }
    }
}

fn plain(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"' || c == ',')
}

impl Inquiry<'_> {
    /// An atom with values in the place of its operands.
    pub(super) fn values(&mut self, expr: &Expr) -> Result<String, LookupFailed> {
        Ok(match expr {
            Expr::Compare(CmpOp::Same, a, b) => format!("same({}, {})", self.shown(a)?, self.shown(b)?),
            Expr::Compare(op, a, b) => format!("{} {} {}", self.shown(a)?, op.sign(), self.shown(b)?),
            Expr::In(a, list) => format!("{} in {}", self.shown(a)?, self.shown(list)?),
            Expr::IsNull(inner) => format!("{} == null", self.shown(inner)?),
            Expr::Auth(AuthFact::IsAnonymous) => {
                format!("{} == null", self.shown(&Expr::Auth(AuthFact::Id))?)
            }
            Expr::Not(inner) => match &**inner {
                Expr::IsNull(inner) => format!("{} != null", self.shown(inner)?),
                Expr::Auth(AuthFact::IsAnonymous) => {
                    format!("{} != null", self.shown(&Expr::Auth(AuthFact::Id))?)
                }
                inner => format!("!({})", self.values(inner)?),
            },
            Expr::Matches(on, pattern) => format!("{}.matches(\"{}\")", self.shown(on)?, pattern.0.as_str()),
            Expr::Call(func @ (Func::StartsWith | Func::EndsWith | Func::Contains), args) => {
                let name = match func {
                    Func::StartsWith => "startsWith",
                    Func::EndsWith => "endsWith",
                    _ => "contains",
                };
                let args = args.iter().map(|arg| self.shown(arg)).collect::<Result<Vec<_>, _>>()?;
                let mut args = args.into_iter();
                format!("{}.{name}({})", args.next().unwrap_or_default(), args.next().unwrap_or_default())
            }
            other => self.shown(other)?,
        })
    }

    fn shown(&mut self, expr: &Expr) -> Result<String, LookupFailed> {
        Ok(value(&self.value(expr)?))
    }
}
