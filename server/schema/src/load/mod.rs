//! From the texts of `schema/*.yaml` to a [`Schema`], or every mistake in them at once.
//!
//! Three passes, each tolerant of what an earlier one reported: YAML to a tree with places ([`yaml`]), the published shape
//! ([`structure`]), then names and types ([`build`]). None of them reads a file or understands a rule.

mod app;
mod build;
mod captcha;
mod claims;
mod columns;
mod document;
mod facts;
mod field;
pub(crate) mod names;
pub(crate) mod node;
mod passkeys;
mod providers;
mod rescue;
mod rule_text;
mod rules;
mod search;
pub(crate) mod structure;
pub(crate) mod yaml;

pub use document::Document;

use crate::{Diagnostic, Schema, SourceFile, Sources};
use std::sync::Arc;

/// Most files of an app.
const FILES_MAX: usize = 500;

/// Why an app's files were refused.
#[derive(Debug, Clone)]
pub struct Rejected {
    /// The files the diagnostics point into.
    pub sources: Sources,
    /// At least one, in order of files and lines.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads the files of an app's `schema/` folder. Names are merged over files; duplicates are errors.
///
/// # Errors
/// Every mistake found: YAML, structure, names, types. Rules stay text; `stead-rules` checks them.
pub fn load(files: Vec<SourceFile>) -> Result<Schema, Rejected> {
    let sources = Sources { files: files.into_iter().map(without_byte_order_mark).collect() };
    let mut mistakes = Vec::new();
    if sources.files.len() > FILES_MAX {
        let whole = crate::Span::default();
        mistakes.push(Diagnostic::new(
            "E0361",
            whole,
            format!("an app has at most {FILES_MAX} schema files"),
        ));
        return Err(Rejected { sources, diagnostics: mistakes });
    }
    let roots = trees(&sources, &mut mistakes);
    let schema = build::schema(&sources, &roots, &mut mistakes);
    if mistakes.is_empty() {
        return Ok(Schema { sources: Arc::new(sources), ..schema });
    }
    Err(Rejected { sources, diagnostics: in_order(mistakes) })
}

/// Sorted by place; what another mistake explains is left out.
fn in_order(mut mistakes: Vec<Diagnostic>) -> Vec<Diagnostic> {
    mistakes.sort_by_key(|m| (m.span.file, m.span.start, m.span.end, m.code));
    mistakes.dedup_by(|second, first| second.span == first.span && second.span.start < second.span.end);
    let misread: Vec<crate::Span> = mistakes.iter().filter(|m| m.code == "E0118").map(|m| m.span).collect();
    let follows = |span: crate::Span| {
        misread.iter().any(|rule| rule.file == span.file && rule.start < span.start && span.end <= rule.end)
    };
    mistakes.retain(|m| !follows(m.span));
    mistakes
}

fn trees(sources: &Sources, mistakes: &mut Vec<Diagnostic>) -> Vec<node::Node> {
    let mut roots = Vec::with_capacity(sources.files.len());
    let shape = structure::Shape::published();
    for (file, source) in (0u16..).zip(&sources.files) {
        let root = yaml::read(file, &source.text, mistakes);
        match &shape {
            Ok(shape) if !root.is_broken() => shape.check(&root, mistakes),
            Ok(_) => {}
            Err(reason) => {
                let text = format!("the built-in schema is broken: {reason}");
                mistakes.push(Diagnostic::new("E0110", root.span, text));
            }
        }
        roots.push(root);
    }
    roots
}

pub(crate) fn without_byte_order_mark(file: SourceFile) -> SourceFile {
    match file.text.strip_prefix('\u{feff}') {
        Some(text) => SourceFile { text: text.to_owned(), path: file.path },
        None => file,
    }
}
