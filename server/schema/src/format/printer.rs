//! From a tree to lines: blocks indented by two, what stands in braces on one line while it fits.
//!
//! Comments are written in the order of the file, each beside what it stood beside.

use super::flow::{Flow, end, is_flow};
use super::scalar::{self, block, line_start};
use super::{COLUMNS, FormatRule, comments::Comment};
use crate::load::node::{Entry, Node, NodeKind, Style, is_rule_position};

/// Columns by which a block stands deeper than its key.
const INDENT: usize = 2;
/// Longest key whose value is moved to the column of its neighbours' values.
const ALIGNED_MAX: usize = 8;

pub(super) struct Printer<'a> {
    flow: Flow<'a>,
    text: &'a str,
    comments: &'a [Comment<'a>],
    /// The next comment to write.
    next: usize,
    rule: FormatRule<'a>,
    path: Vec<&'a str>,
    lines: Vec<Line>,
    gave_up: bool,
}

#[derive(Default)]
struct Line {
    blank_above: bool,
    text: String,
    comment: Option<String>,
}

/// What a block's first line begins with, where it stands behind a dash.
type Dash = Option<(String, bool)>;

impl<'a> Printer<'a> {
    pub(super) fn new(text: &'a str, comments: &'a [Comment<'a>], rule: FormatRule<'a>) -> Self {
        let flow = Flow { text, comments, rule };
        Self { flow, text, comments, next: 0, rule, path: Vec::new(), lines: Vec::new(), gave_up: false }
    }

    /// The whole file; none when some value cannot be written again.
    pub(super) fn print(mut self, root: &'a Node) -> Option<String> {
        let end = self.text.len();
        match &root.kind {
            NodeKind::Map(entries) => self.map(entries, 0, None, end, 0),
            NodeKind::List(items) => self.list(items, 0, end, 0),
            NodeKind::Scalar { .. } | NodeKind::Broken => return None,
        }
        self.own_lines(end, 0, |_| true);
        let all_written = self.next == self.comments.len() && !self.gave_up;
        all_written.then(|| joined(self.lines))
    }

    fn map(&mut self, entries: &'a [Entry], indent: usize, mut dash: Dash, limit: usize, inside: usize) {
        let column = entries.first().map_or(0, |entry| self.column(entry.key_span.start as usize));
        let spread = self.path == ["collections"] && entries.iter().any(|entry| self.is_block(&entry.value));
        let pads = if spread { Vec::new() } else { self.pads(entries, indent) };
        for (at, entry) in entries.iter().enumerate() {
            let start = entry.key_span.start as usize;
            let next = entries.get(at + 1).map_or(limit, |entry| entry.key_span.start as usize);
            let (lead, mut blank) = match dash.take() {
                Some(dash) => dash,
                None => {
                    let written = self.lines.len();
                    self.own_lines(start, indent, |_| true);
                    let blank = at > 0 || self.lines.len() > written;
                    if spread && at > 0 {
                        self.blank_at(written);
                    }
                    (" ".repeat(indent), blank && self.blank_above(start))
                }
            };
            blank |= spread && at > 0 && !self.last_is_comment(start);
            self.path.push(&entry.key);
            let head = format!("{lead}{}:", self.flow.key(entry));
            let pad = pads.get(at).copied().unwrap_or(0);
            self.value(head, pad, blank, &entry.value, indent, next);
            self.path.pop();
        }
        self.own_lines(limit, indent, |comment| comment.1 >= column || comment.0 < inside);
    }

    fn list(&mut self, items: &'a [Node], indent: usize, limit: usize, inside: usize) {
        let column = items.first().map_or(0, |item| self.column(line_content(self.text, item)));
        for (at, item) in items.iter().enumerate() {
            let start = item.span.start as usize;
            let next = items.get(at + 1).map_or(limit, |item| item.span.start as usize);
            let written = self.lines.len();
            self.own_lines(start, indent, |_| true);
            let blank = (at > 0 || self.lines.len() > written) && self.blank_above(start);
            let head = format!("{}-", " ".repeat(indent));
            self.path.push("-");
            match &item.kind {
                NodeKind::Map(entries) if !entries.is_empty() && self.one_line(&head, item).is_none() => {
                    let (end, inside) = self.reach(item, next);
                    self.map(entries, indent + INDENT, Some((format!("{head} "), blank)), end, inside);
                }
                _ => self.value(head, 0, blank, item, indent, next),
            }
            self.path.pop();
        }
        self.own_lines(limit, indent, |comment| comment.1 >= column || comment.0 < inside);
    }

    /// A value behind its key or dash.
    fn value(&mut self, head: String, pad: usize, blank: bool, node: &'a Node, indent: usize, next: usize) {
        if let Some(text) = self.one_line(&head, node) {
            let space = if text.is_empty() { 0 } else { pad + 1 };
            self.line(blank, format!("{head}{}{text}", " ".repeat(space)));
            return self.trailing(next);
        }
        let (end, inside) = self.reach(node, next);
        match &node.kind {
            NodeKind::Scalar { text, style } => {
                self.long_scalar(&head, blank, node, text, *style, indent, next)
            }
            NodeKind::Map(entries) => {
                self.line(blank, head);
                self.trailing(entries.first().map_or(end, |entry| entry.key_span.start as usize));
                self.map(entries, indent + INDENT, None, end, inside);
            }
            NodeKind::List(items) => {
                self.line(blank, head);
                self.trailing(items.first().map_or(end, |item| item.span.start as usize));
                self.list(items, indent + INDENT, end, inside);
            }
            NodeKind::Broken => self.gave_up = true,
        }
    }

    /// Up to where comments may belong to a value, and up to where they must.
    fn reach(&self, node: &Node, next: usize) -> (usize, usize) {
        (next, if is_flow(self.text, node) { end(self.text, node) } else { 0 })
    }

    /// What stands behind `head` when it fits on its line; none for blocks and for what is too long.
    fn one_line(&mut self, head: &str, node: &'a Node) -> Option<String> {
        let scalar = matches!(node.kind, NodeKind::Scalar { .. });
        if self.is_block(node) {
            return None;
        }
        let text = self.flow.one_line(node, &mut self.path)?;
        let fits = head.chars().count() + 1 + text.chars().count() <= COLUMNS;
        let breakable = if scalar { is_rule_position(&self.path) } else { text.len() > 2 };
        (fits || !breakable).then_some(text)
    }

    /// Whether a collection is written as a block, over its own lines.
    fn is_block(&self, node: &Node) -> bool {
        let full = !node.entries().is_empty() || !node.items().is_empty();
        full && !is_flow(self.text, node)
    }

    #[expect(clippy::too_many_arguments, reason = "all of them say where and what the scalar is")]
    fn long_scalar(
        &mut self,
        head: &str,
        blank: bool,
        node: &'a Node,
        text: &str,
        style: Style,
        indent: usize,
        next: usize,
    ) {
        let inner = indent + INDENT;
        let is_block = matches!(style, Style::Literal | Style::Folded);
        let found = if is_block { block(self.text, node) } else { None };
        let is_rule = is_rule_position(&self.path) && style != Style::Folded;
        let rule = is_rule.then(|| (self.rule)(text.trim(), Some(COLUMNS - inner))).flatten();
        let many = rule.as_ref().is_some_and(|rule| is_block || rule.contains('\n'));
        match (rule.filter(|_| many), found) {
            (Some(rule), found) => {
                self.line(blank, format!("{head} |"));
                self.trailing(found.map_or(next, |block| block.start));
                rule.lines().for_each(|line| self.deeper(inner, line));
            }
            (None, Some(block)) => {
                self.line(blank, format!("{head} {}", block.header));
                self.trailing(block.start);
                block.lines.iter().for_each(|line| self.deeper(inner, line));
            }
            (None, None) if is_block => self.gave_up = true,
            (None, None) => {
                // What YAML folds may be indented at will.
                let written = scalar::raw(self.text, node).to_owned();
                let text = self.flow.one_line(node, &mut self.path).unwrap_or(written);
                let mut lines = text.lines();
                self.line(blank, format!("{head} {}", lines.next().unwrap_or_default().trim_end()));
                lines.for_each(|line| self.deeper(inner, line.trim()));
                self.trailing(next);
            }
        }
    }

    /// How far each value is moved so that those in braces on neighbouring lines begin in one column.
    fn pads(&mut self, entries: &'a [Entry], indent: usize) -> Vec<usize> {
        let mut widths = Vec::with_capacity(entries.len());
        for entry in entries {
            self.path.push(&entry.key);
            let key = self.flow.key(entry);
            let head = format!("{}{key}:", " ".repeat(indent));
            let in_braces = !entry.value.entries().is_empty() && self.one_line(&head, &entry.value).is_some();
            self.path.pop();
            widths.push(in_braces.then(|| key.chars().count()));
        }
        let mut pads = vec![0; entries.len()];
        let mut start = 0;
        while start < entries.len() {
            let neighbour = |at: &usize| {
                widths.get(*at).copied().flatten().is_some() && (*at == start || !self.parted(entries, *at))
            };
            let end = (start..entries.len()).take_while(neighbour).last().map_or(start + 1, |last| last + 1);
            let run = || widths.iter().zip(start..).skip(start).take(end - start);
            let run = run().map(|(width, _)| width.filter(|width| *width <= ALIGNED_MAX));
            let widest = run.clone().flatten().max().unwrap_or(0);
            for (pad, width) in pads.iter_mut().skip(start).zip(run) {
                *pad = width.map_or(0, |width| widest - width);
            }
            start = end;
        }
        pads
    }

    /// Whether an empty line parts an entry from the one before.
    fn parted(&self, entries: &[Entry], at: usize) -> bool {
        let place = |at: usize| entries.get(at).map_or(0, |entry| entry.key_span.start as usize);
        let between = at.checked_sub(1).and_then(|before| self.text.get(place(before)..place(at)));
        let lines: Vec<&str> = between.unwrap_or_default().split('\n').collect();
        lines.iter().skip(1).rev().skip(1).any(|line| line.trim().is_empty())
    }

    fn line(&mut self, blank_above: bool, text: String) {
        self.lines.push(Line { blank_above, text, comment: None });
    }

    fn deeper(&mut self, indent: usize, text: &str) {
        let text = if text.is_empty() { String::new() } else { format!("{}{text}", " ".repeat(indent)) };
        self.line(false, text);
    }

    /// Writes comments before `until` on lines of their own, as long as `wanted` says so of their place and column.
    fn own_lines(&mut self, until: usize, indent: usize, wanted: impl Fn((usize, usize)) -> bool) {
        while let Some(comment) = self.comments.get(self.next).filter(|comment| comment.start < until) {
            if !wanted((comment.start, self.column(comment.start))) {
                return;
            }
            let blank = !self.lines.is_empty() && comment.own_line && self.blank_above(comment.start);
            self.line(blank, format!("{}{}", " ".repeat(indent), comment.text));
            self.next += 1;
        }
    }

    /// Writes a comment that stands behind the last line.
    fn trailing(&mut self, until: usize) {
        let comment = self.comments.get(self.next).filter(|it| it.start < until && !it.own_line);
        if let (Some(comment), Some(line)) = (comment, self.lines.last_mut()) {
            line.comment = Some(comment.text.to_owned());
            self.next += 1;
        }
    }

    /// Sets the line that was written as number `at`, if it was, apart from the one above.
    fn blank_at(&mut self, at: usize) {
        if let Some(line) = self.lines.get_mut(at) {
            line.blank_above = true;
        }
    }

    /// Whether the comment above an entry was written just now.
    fn last_is_comment(&self, start: usize) -> bool {
        let above = self.next.checked_sub(1).and_then(|last| self.comments.get(last));
        above.is_some_and(|comment| {
            let between = self.text.get(comment.start + comment.text.len()..start);
            comment.own_line && between.is_some_and(|between| between.trim().is_empty())
        })
    }

    /// Whether what is first on its line has an empty line above.
    fn blank_above(&self, at: usize) -> bool {
        let start = line_start(self.text, at);
        let first = self.text.get(start..at).is_some_and(|before| before.trim_matches([' ', '-']).is_empty());
        if !first {
            return false;
        }
        let above = start.checked_sub(1).and_then(|newline| self.text.get(..newline));
        above.is_some_and(|above| above.rsplit('\n').next().is_some_and(|line| line.trim().is_empty()))
    }

    fn column(&self, at: usize) -> usize {
        at - line_start(self.text, at)
    }
}

/// Where the first thing on an item's line stands: its dash.
fn line_content(text: &str, item: &Node) -> usize {
    let start = line_start(text, item.span.start as usize);
    let line = text.get(start..).unwrap_or_default();
    start + line.len() - line.trim_start_matches(' ').len()
}

/// The lines with their comments, which begin in one column on neighbouring lines.
fn joined(lines: Vec<Line>) -> String {
    let mut out = String::new();
    let mut column = 0;
    for (at, line) in lines.iter().enumerate() {
        let follows = |at: usize| lines.get(at).is_some_and(|line| line.comment.is_some());
        let begins = at == 0 || line.blank_above || !follows(at - 1);
        if begins {
            let run = lines.iter().skip(at).enumerate();
            let run = run.take_while(|(n, line)| line.comment.is_some() && (*n == 0 || !line.blank_above));
            column = run.map(|(_, line)| line.text.chars().count()).max().unwrap_or(0);
        }
        if line.blank_above && !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&line.text);
        if let Some(comment) = &line.comment {
            let gap = column.saturating_sub(line.text.chars().count()) + 2;
            out.push_str(&" ".repeat(gap));
            out.push_str(comment);
        }
        out.push('\n');
    }
    out
}
