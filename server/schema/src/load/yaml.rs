//! From the text of one file to a [`Node`] tree, or the mistakes YAML itself sees.
//!
//! It takes a strict subset of YAML 1.2: no anchors, aliases, merge keys, tags, duplicate keys or second document.
//! A rule that YAML would read as a tag or an anchor is an error here and never an absent rule.

use super::node::{Entry, Node, NodeKind, Style, is_rule_position, is_unbounded};
use super::rescue;
use crate::{Diagnostic, Position, SourceFile, Sources, Span};
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};
use std::borrow::Cow;
use std::ops::Range;

/// Largest file, in bytes.
pub(super) const FILE_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of mappings and lists.
const DEPTH_MAX: usize = 16;
/// Most rules repaired in one file in order to find further mistakes.
const RESCUES_MAX: usize = 64;

const QUOTE_THE_RULE: &str = "quote the rule, or write it on the lines below as a `|` block";

/// The tree of a file and its mistakes. After a mistake of syntax the tree is [`NodeKind::Broken`].
pub(crate) fn read(file: u16, text: &str, mistakes: &mut Vec<Diagnostic>) -> Node {
    let whole = Span { file, start: 0, end: 0 };
    if text.len() > FILE_BYTES_MAX {
        mistakes.push(
            Diagnostic::new("E0102", whole, "this file is larger than 1 MiB")
                .help("split it: the names in all files of the folder are merged"),
        );
        return Node { span: whole, kind: NodeKind::Broken };
    }
    let mut masked = Cow::Borrowed(text);
    let mut rescued: Vec<Range<usize>> = Vec::new();
    let (tree, found) = loop {
        let mut builder = Builder::new(file, &masked, &rescued);
        let error = match builder.run() {
            Ok(()) => break (builder.root, builder.mistakes),
            Err(error) => error,
        };
        let at = builder.offsets.byte(error.marker().index());
        match rescue::rule_near(&masked, at) {
            Some(rule) if rescued.len() < RESCUES_MAX => {
                masked = Cow::Owned(rescue::mask(&masked, &rule));
                rescued.push(rule);
            }
            _ => {
                let Builder { mistakes: mut found, .. } = builder;
                found.push(not_yaml(file, text, at, &error));
                break (None, found);
            }
        }
    };
    mistakes.extend(found);
    mistakes.extend(rescued.iter().map(|rule| {
        let span = Span { file, start: small(rule.start), end: small(rule.end) };
        Diagnostic::new("E0118", span, "YAML reads this rule as something else").help(QUOTE_THE_RULE)
    }));
    tree.unwrap_or(Node { span: whole, kind: NodeKind::Broken })
}

fn not_yaml(file: u16, text: &str, at: usize, error: &ScanError) -> Diagnostic {
    let start = small(at.min(text.len()));
    let span = Span { file, start, end: start };
    let diagnostic = Diagnostic::new("E0101", span, format!("this is not valid YAML: {}", error.info()));
    let next = text.get(at..).and_then(|rest| rest.chars().next());
    match next {
        _ if error.info().contains("flow mapping") => diagnostic.help("a `{` before this is not closed"),
        _ if error.info().contains("flow sequence") => diagnostic.help("a `[` before this is not closed"),
        _ if error.info().contains("tab") => diagnostic.help("indent with spaces"),
        Some(':') => diagnostic.help("text with `: ` in it needs quotes"),
        _ => diagnostic,
    }
}

/// Files are at most a mebibyte, so offsets fit.
fn small(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

/// From places counted in characters, as the parser gives them, to bytes.
struct Offsets {
    /// Empty when the text is ASCII.
    starts: Vec<u32>,
    end: usize,
}

impl Offsets {
    fn new(text: &str) -> Self {
        let starts =
            if text.is_ascii() { Vec::new() } else { text.char_indices().map(|(at, _)| small(at)).collect() };
        Self { starts, end: text.len() }
    }

    fn byte(&self, character: usize) -> usize {
        if self.starts.is_empty() {
            return character.min(self.end);
        }
        self.starts.get(character).map_or(self.end, |at| *at as usize)
    }
}

/// A mapping or list whose end has not come yet.
struct Open {
    start: u32,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, key: Option<(String, Span)> },
}

struct Builder<'t> {
    file: u16,
    text: &'t str,
    rescued: &'t [Range<usize>],
    offsets: Offsets,
    open: Vec<Open>,
    documents: usize,
    root: Option<Node>,
    mistakes: Vec<Diagnostic>,
}

impl<'t> Builder<'t> {
    fn new(file: u16, text: &'t str, rescued: &'t [Range<usize>]) -> Self {
        let offsets = Offsets::new(text);
        Self {
            file,
            text,
            rescued,
            offsets,
            open: Vec::new(),
            documents: 0,
            root: None,
            mistakes: Vec::new(),
        }
    }

    fn run(&mut self) -> Result<(), ScanError> {
        for event in Parser::new_from_str(self.text) {
            let (event, place) = event?;
            let span = Span {
                file: self.file,
                start: small(self.offsets.byte(place.start.index())),
                end: small(self.offsets.byte(place.end.index())),
            };
            if !self.take(event, span) {
                self.root = Some(Node { span, kind: NodeKind::Broken });
                return Ok(());
            }
        }
        if self.root.is_none() {
            let span = Span { file: self.file, start: 0, end: 0 };
            self.root = Some(Node { span, kind: NodeKind::Map(Vec::new()) });
        }
        Ok(())
    }

    /// Whether to go on.
    fn take(&mut self, event: Event<'_>, span: Span) -> bool {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.wrong(
                        "E0103",
                        span,
                        "a file holds one document",
                        "put what follows `---` into a file of its own",
                    );
                    return false;
                }
            }
            Event::Alias(_) => {
                self.marked(span, "aliases");
                self.put(Node { span, kind: NodeKind::Broken });
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(&text, style, anchor != 0, tag.is_some(), span)
            }
            Event::SequenceStart(anchor, tag) => {
                return self.begin(Content::List(Vec::new()), anchor != 0, tag.is_some(), span);
            }
            Event::MappingStart(anchor, tag) => {
                let content = Content::Map { entries: Vec::new(), key: None };
                return self.begin(content, anchor != 0, tag.is_some(), span);
            }
            Event::SequenceEnd | Event::MappingEnd => self.finish(span),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        true
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: bool, tag: bool, span: Span) {
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::SingleQuoted,
            ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
        };
        if self.rescued.iter().any(|rule| rule.start == span.start as usize) {
            return self.put(Node { span, kind: NodeKind::Broken });
        }
        if tag || anchor {
            let span = self.widen(span);
            self.marked(span, if tag { "tags" } else { "anchors" });
            return self.put(Node { span, kind: NodeKind::Broken });
        }
        if style == Style::Plain && is_unbounded(text) && !self.at_rule() {
            self.wrong(
                "E0109",
                span,
                "this number is not finite",
                "write a finite number, or quote it if it is text",
            );
            return self.put(Node { span, kind: NodeKind::Broken });
        }
        self.put(Node { span, kind: NodeKind::Scalar { text: text.to_owned(), style } });
    }

    /// From the tag or anchor before a scalar to the end of the value, which is what a person takes for the rule.
    fn widen(&self, span: Span) -> Span {
        let key_end = match self.open.last().map(|open| &open.content) {
            Some(Content::Map { key: Some((_, key)), .. }) => key.end as usize,
            _ => span.start as usize,
        };
        let line = self.text.get(key_end..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let Some(sign) = line.find(['!', '&']) else { return span };
        let value = line.get(sign..).unwrap_or_default();
        let in_flow = self.open.last().is_some_and(|open| self.is_flow(open.start));
        let length = if in_flow { rescue::flow_end(value) } else { value.len() };
        let length = value.get(..length).unwrap_or_default().trim_end().len();
        let start = key_end + sign;
        Span { file: self.file, start: small(start), end: small(start + length) }
    }

    fn begin(&mut self, content: Content, anchor: bool, tag: bool, span: Span) -> bool {
        if anchor || tag {
            self.marked(span, if tag { "tags" } else { "anchors" });
        }
        if self.open.len() >= DEPTH_MAX {
            self.wrong(
                "E0108",
                span,
                "this is nested more than 16 levels deep",
                "make the structure flatter",
            );
            return false;
        }
        self.open.push(Open { start: span.start, content });
        true
    }

    fn finish(&mut self, end: Span) {
        let Some(Open { start, content }) = self.open.pop() else { return };
        let span = Span { file: self.file, start, end: end.end.max(start) };
        let kind = match content {
            Content::List(items) => NodeKind::List(items),
            Content::Map { entries, .. } => NodeKind::Map(entries),
        };
        let node = Node { span, kind };
        if self.at_rule() && !is_rule_object(&node, self.path().len()) && self.is_flow(span.start) {
            self.wrong("E0118", span, "YAML reads this rule as a list or a mapping", QUOTE_THE_RULE);
            return self.put(Node { span, kind: NodeKind::Broken });
        }
        self.put(node);
    }

    fn is_flow(&self, start: u32) -> bool {
        self.text.get(start as usize..).is_some_and(|rest| rest.starts_with(['{', '[']))
    }

    fn put(&mut self, node: Node) {
        let waits_for_key =
            matches!(self.open.last().map(|open| &open.content), Some(Content::Map { key: None, .. }));
        if waits_for_key {
            return self.key(node);
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { entries, key }) => {
                let Some((key, key_span)) = key.take() else { return };
                // A key that was refused has an empty name and takes its value with it.
                if !key.is_empty() {
                    entries.push(Entry { key, key_span, value: node });
                }
            }
        }
    }

    fn key(&mut self, node: Node) {
        let span = node.span;
        let name = match node.kind {
            NodeKind::Scalar { text, .. } if text == "<<" => {
                self.wrong("E0104", span, "merge keys are not allowed", "write the keys out");
                String::new()
            }
            NodeKind::Scalar { text, style }
                if !text.is_empty() && !matches!(style, Style::Literal | Style::Folded) =>
            {
                self.first_of(text, span)
            }
            NodeKind::Broken => String::new(),
            _ => {
                self.wrong("E0107", span, "a key must be plain text", "write `key: value`");
                String::new()
            }
        };
        if let Some(Content::Map { key, .. }) = self.open.last_mut().map(|open| &mut open.content) {
            *key = Some((name, span));
        }
    }

    /// The key, or nothing if the mapping has it already.
    fn first_of(&mut self, name: String, span: Span) -> String {
        let Some(Content::Map { entries, .. }) = self.open.last().map(|open| &open.content) else {
            return name;
        };
        let Some(first) = entries.iter().find(|entry| entry.key == name).map(|entry| entry.key_span) else {
            return name;
        };
        let Position { line, column } = position(self.text, first);
        self.wrong(
            "E0106",
            span,
            &format!("`{name}` stands here twice"),
            &format!("the first is in line {line}, column {column}"),
        );
        String::new()
    }

    fn at_rule(&self) -> bool {
        is_rule_position(&self.path())
    }

    fn path(&self) -> Vec<&str> {
        self.open
            .iter()
            .map(|open| match &open.content {
                Content::List(_) => "-",
                Content::Map { key, .. } => key.as_ref().map_or("", |(name, _)| name.as_str()),
            })
            .collect()
    }

    /// Something YAML marks with a sign in front: a mistake of its own where a rule may stand.
    fn marked(&mut self, span: Span, what: &str) {
        if self.at_rule() {
            self.wrong(
                "E0118",
                span,
                &format!("YAML takes the beginning of this rule for one of its {what}"),
                QUOTE_THE_RULE,
            );
        } else {
            let code = if what == "tags" { "E0105" } else { "E0104" };
            self.wrong(
                code,
                span,
                &format!("{what} are not allowed"),
                "quote the text, or write the value out",
            );
        }
    }

    fn wrong(&mut self, code: &'static str, span: Span, message: &str, help: &str) {
        self.mistakes.push(Diagnostic::new(code, span, message).help(help));
    }
}

/// Whether a mapping at the place of a rule is meant as one: `{when: …}`.
fn is_rule_object(node: &Node, depth: usize) -> bool {
    let known = |entry: &Entry| matches!(entry.key.as_str(), "when" | "before" | "after" | "message");
    depth == 4 && matches!(node.kind, NodeKind::Map(_)) && node.entries().iter().any(known)
}

fn position(text: &str, span: Span) -> Position {
    let file = SourceFile { path: String::new(), text: text.to_owned() };
    Sources { files: vec![file] }.position(Span { file: 0, ..span })
}
