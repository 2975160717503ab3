//! Any other YAML file of an app, such as a rule test: the same strict subset, as JSON with places.

use super::node::{Node, NodeKind};
use super::{Rejected, yaml};
use crate::{Diagnostic, SourceFile, Sources, Span};
use serde_json::Value;

/// A YAML file that was read.
#[derive(Debug, Clone)]
pub struct Document {
    sources: Sources,
    root: Node,
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// Every mistake of YAML in it.
    pub fn read(file: SourceFile) -> Result<Self, Rejected> {
        let sources = Sources { files: vec![super::without_byte_order_mark(file)] };
        let mut diagnostics = Vec::new();
        let text = sources.files.first().map(|file| file.text.as_str()).unwrap_or_default();
        let root = yaml::read(0, text, &mut diagnostics);
        if diagnostics.is_empty() {
            Ok(Self { sources, root })
        } else {
            Err(Rejected { sources, diagnostics })
        }
    }

    /// The file, for diagnostics.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Its content; an empty file is an empty object.
    pub fn to_json(&self) -> Value {
        self.root.to_json()
    }

    /// Where the value at a JSON Pointer (RFC 6901) stands, or the deepest part of the way there.
    pub fn span(&self, pointer: &str) -> Span {
        let mut node = &self.root;
        for step in pointer.split('/').skip(1) {
            let name = step.replace("~1", "/").replace("~0", "~");
            let next = match &node.kind {
                NodeKind::Map(_) => node.get(&name),
                NodeKind::List(items) => name.parse::<usize>().ok().and_then(|place| items.get(place)),
                NodeKind::Scalar { .. } | NodeKind::Broken => None,
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node.span
    }

    /// A mistake at a JSON Pointer.
    pub fn mistake(&self, pointer: &str, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(code, self.span(pointer), message)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn file(text: &str) -> SourceFile {
        SourceFile { path: "tests/a.test.yaml".into(), text: text.into() }
    }

    #[test]
    fn values_keep_their_places() {
        let document = Document::read(file("a: no\ncases:\n  - {as: x, n: 1}\n")).unwrap();
        assert_eq!(document.to_json(), json!({"a": "no", "cases": [{"as": "x", "n": 1}]}));
        let line = |pointer: &str| document.sources().position(document.span(pointer)).line;
        assert_eq!((line("/a"), line("/cases/0/n"), line("/cases/0/missing")), (1, 3, 3));
    }

    #[test]
    fn the_strict_subset_holds_here_too() {
        assert!(Document::read(file("a: &x 1\nb: *x\n")).is_err());
        assert!(Document::read(file("a: 1\na: 2\n")).is_err());
    }
}
