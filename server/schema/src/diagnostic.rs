//! Errors with a place: file, line, column, the source line, what is wrong and what to do.

use serde::Serialize;
use std::fmt;

/// A range of bytes in one source file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Span {
    /// Index into [`Sources`].
    pub file: u16,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A place for people: one-based line and column, counted in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Position {
    /// One-based.
    pub line: u32,
    /// One-based, in characters.
    pub column: u32,
}

/// One file of an app, as text.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Path relative to the app folder, with `/`.
    pub path: String,
    /// Its content.
    pub text: String,
}

/// The files of an app, which spans point into.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// In loading order; `Span::file` is an index here.
    pub files: Vec<SourceFile>,
}

impl Sources {
    /// The file a span points into.
    pub fn file(&self, span: Span) -> Option<&SourceFile> {
        self.files.get(usize::from(span.file))
    }

    /// Line and column of a span's first byte.
    pub fn position(&self, span: Span) -> Position {
        let before = self.file(span).and_then(|f| f.text.get(..span.start as usize)).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|b| *b == b'\n').count();
        let column = before.get(line_start..).unwrap_or_default().chars().count();
        Position {
            line: u32::try_from(line + 1).unwrap_or(u32::MAX),
            column: u32::try_from(column + 1).unwrap_or(u32::MAX),
        }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The app does not run like this, or should not.
    Error,
    /// Worth a look.
    Warning,
}

impl Severity {
    /// As people read it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One mistake in the files of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable: `E0301`. Each has a page in the docs.
    pub code: &'static str,
    /// Where.
    pub span: Span,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// How bad it is.
    pub severity: Severity,
}

impl Diagnostic {
    /// A mistake without advice.
    pub fn new(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self { code, span, message: message.into(), help: None, severity: Severity::Error }
    }

    /// As something that is only worth a look.
    #[must_use]
    pub fn warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    /// With advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The mistake as people read it in a terminal.
    pub fn render(&self, sources: &Sources) -> String {
        Rendered { diagnostic: self, sources }.to_string()
    }

    /// The mistake as editors and CI read it: `{code, severity, file, line, column, end_line, end_column, message,
    /// help}`.
    pub fn to_json(&self, sources: &Sources) -> serde_json::Value {
        let start = sources.position(self.span);
        let end = sources.position(Span { start: self.span.end, ..self.span });
        serde_json::json!({
            "code": self.code,
            "severity": self.severity,
            "file": sources.file(self.span).map(|f| f.path.as_str()),
            "line": start.line, "column": start.column,
            "end_line": end.line, "end_column": end.column,
            "message": self.message,
            "help": self.help,
        })
    }
}

struct Rendered<'a> {
    diagnostic: &'a Diagnostic,
    sources: &'a Sources,
}

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diagnostic { code, span, message, help, severity } = self.diagnostic;
        writeln!(f, "{}[{code}]: {message}", severity.name())?;
        if let Some(file) = self.sources.file(*span) {
            let Position { line, column } = self.sources.position(*span);
            let source_line = file.text.lines().nth(line as usize - 1).unwrap_or_default();
            let gutter = " ".repeat(line.to_string().len());
            let start_in_line = column as usize - 1;
            let room = source_line.chars().count().saturating_sub(start_in_line).max(1);
            let marked = file
                .text
                .get(span.start as usize..span.end as usize)
                .map_or(1, |t| t.chars().take_while(|c| *c != '\n').count());
            writeln!(f, "{gutter}--> {}:{line}:{column}", file.path)?;
            writeln!(f, "{gutter} |")?;
            writeln!(f, "{line} | {source_line}")?;
            writeln!(f, "{gutter} | {}{}", " ".repeat(start_in_line), "^".repeat(marked.clamp(1, room)))?;
        }
        match help {
            Some(help) => writeln!(f, " = help: {help}"),
            None => Ok(()),
        }
    }
}
