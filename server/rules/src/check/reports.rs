//! Mistakes as the checker meets them: each told once, and not too many of them.

use super::{Checker, Env};
use crate::ir::NULL;
use crate::syntax::Range;
use crate::types::{Ty, Typed};
use stead_schema::Diagnostic;

/// Mistakes told of one expression.
const MISTAKES_MAX: usize = 16;

impl Checker<'_> {
    pub(super) fn report(&mut self, code: &'static str, env: &Env<'_>, range: Range, message: &str) -> Typed {
        self.push(env, Diagnostic::new(code, env.text.locate(range.start, range.end), message), range)
    }

    pub(super) fn report_help(
        &mut self,
        code: &'static str,
        env: &Env<'_>,
        range: Range,
        message: &str,
        help: impl Into<String>,
    ) -> Typed {
        let diagnostic = Diagnostic::new(code, env.text.locate(range.start, range.end), message).help(help);
        self.push(env, diagnostic, range)
    }

    pub(super) fn push(&mut self, env: &Env<'_>, diagnostic: Diagnostic, range: Range) -> Typed {
        let known = |d: &Diagnostic| d.code == diagnostic.code && d.span == diagnostic.span;
        if !self.found.iter().any(known) && self.found.len() < MISTAKES_MAX {
            self.found.push(diagnostic);
        }
        Typed::new(NULL, Ty::Broken, false, env.text.locate(range.start, range.end))
    }

    pub(super) fn stop(&mut self, code: &'static str, env: &Env<'_>, range: Range, message: &str) -> Typed {
        if self.stopped {
            return Typed::new(NULL, Ty::Broken, false, env.text.locate(range.start, range.end));
        }
        self.stopped = true;
        // Inside a function, the call that led there is what its author can shorten.
        let span = self.called_at.unwrap_or_else(|| env.text.locate(range.start, range.end));
        self.push(env, Diagnostic::new(code, span, message), range)
    }
}
