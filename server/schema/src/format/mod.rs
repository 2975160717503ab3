//! The canonical look of an app's YAML files: two-space indentation, one space where one is enough, aligned fields.
//!
//! What a file means, its keys in their order and its comments stay. A file that is not sound YAML is refused, and one
//! whose meaning would not survive stays as it is.

mod comments;
mod flow;
mod printer;
mod scalar;

use crate::load::node::{Node, NodeKind, is_rule_position};
use crate::load::{Rejected, without_byte_order_mark, yaml};
use crate::{SourceFile, Sources};
use comments::{Comment, comments};
use printer::Printer;

/// Columns that a line has at most, where it can be broken.
pub const COLUMNS: usize = 120;

/// The look of a rule: on one line, or on lines of at most so many columns. None when it cannot be read.
pub type FormatRule<'f> = &'f dyn Fn(&str, Option<usize>) -> Option<String>;

/// The file as it should look. Formatting the result again gives the same.
///
/// # Errors
/// Every mistake of YAML in it.
pub fn format(file: SourceFile, rule: FormatRule<'_>) -> Result<String, Rejected> {
    let sources = Sources { files: vec![without_byte_order_mark(file)] };
    let text = sources.files.first().map(|file| file.text.as_str()).unwrap_or_default();
    let (root, found) = read(text);
    if !found.is_empty() {
        return Err(Rejected { sources, diagnostics: found });
    }
    let Some(marks) = comments(text, &root) else { return Ok(text.to_owned()) };
    let formatted = Printer::new(text, &marks, rule).print(&root);
    match formatted.filter(|formatted| keeps_all(&root, &marks, formatted)) {
        Some(formatted) => Ok(formatted),
        None => Ok(text.to_owned()),
    }
}

fn read(text: &str) -> (Node, Vec<crate::Diagnostic>) {
    let mut mistakes = Vec::new();
    let root = yaml::read(0, text, &mut mistakes);
    (root, mistakes)
}

/// Whether the text says what the tree does, with the same comments.
fn keeps_all(root: &Node, marks: &[Comment<'_>], text: &str) -> bool {
    let (again, mistakes) = read(text);
    let sorted = |marks: &[Comment<'_>]| {
        let mut texts: Vec<String> = marks.iter().map(|mark| mark.text.to_owned()).collect();
        texts.sort();
        texts
    };
    let same_comments = comments(text, &again).is_some_and(|found| sorted(&found) == sorted(marks));
    mistakes.is_empty() && same_comments && same(root, &again, &mut Vec::new())
}

/// Whether two trees mean the same. The formatter of rules answers for what it did to their blanks.
fn same<'n>(one: &'n Node, other: &'n Node, path: &mut Vec<&'n str>) -> bool {
    match (&one.kind, &other.kind) {
        (NodeKind::Scalar { text: left, .. }, NodeKind::Scalar { text: right, .. })
            if is_rule_position(path) =>
        {
            left.split_whitespace().eq(right.split_whitespace())
                || left.split_whitespace().collect::<String>() == right.split_whitespace().collect::<String>()
        }
        (NodeKind::List(left), NodeKind::List(right)) => {
            path.push("-");
            let all = left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| same(left, right, path));
            path.pop();
            all
        }
        (NodeKind::Map(left), NodeKind::Map(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| {
                    path.push(&left.key);
                    let equal = left.key == right.key && same(&left.value, &right.value, path);
                    path.pop();
                    equal
                })
        }
        _ => one.to_json() == other.to_json(),
    }
}
