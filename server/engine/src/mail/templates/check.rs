//! Reads an app's templates and finds every mistake in them before a mail does.

use super::super::letter::Kind;
use super::{COMMON_VALUES, LOCALE_BYTES_MAX, Own, Templates, environment, filled, plain_values, sample};
use std::collections::{BTreeMap, BTreeSet};
use stead_schema::{Diagnostic, Rejected, SourceFile, Sources, Span};

/// Codes of mistakes in templates, each with one line of meaning. A code is never reused for something else.
pub const CODES: &[(&str, &str)] = &[
    ("E0701", "a file is no template of a mail"),
    ("E0702", "a template of a mail cannot be followed"),
    ("E0703", "a template of a mail names something unknown"),
    ("E0704", "a template of a mail leaves out what the mail is for"),
];

const FOLDER: &str = "templates/mail/";

/// Which mail a file is for.
struct Target {
    locale: String,
    kind: Kind,
    html: bool,
}

/// As [`Templates::read`].
pub(super) fn read(files: Vec<SourceFile>) -> Result<Templates, Rejected> {
    let mut diagnostics = Vec::new();
    let mut read: BTreeMap<(String, &'static str), (Own, Option<Span>)> = BTreeMap::new();
    for (number, file) in (0_u16..).zip(&files) {
        let whole = File { number, text: &file.text };
        match target(&file.path) {
            Ok(target) => {
                diagnostics.extend(whole.mistakes(&target));
                let (own, at) = read.entry((target.locale, target.kind.name())).or_default();
                match target.html {
                    true => own.html = Some(file.text.clone()),
                    false => own.text.clone_from(&file.text),
                }
                *at = at.or(Some(whole.line(1)));
            }
            Err(why) => diagnostics.push(Diagnostic::new("E0701", whole.line(1), why)),
        }
    }
    for (own, at) in read.values().filter(|(own, _)| own.text.is_empty()) {
        let why = "there is no .txt beside this .html";
        let help = "write the text too: some people read nothing else, and both shall say the same";
        diagnostics
            .extend(at.filter(|_| own.html.is_some()).map(|at| Diagnostic::new("E0701", at, why).help(help)));
    }
    if diagnostics.is_empty() {
        return Ok(Templates(read.into_iter().map(|(key, (own, _))| (key, own)).collect()));
    }
    Err(Rejected { sources: Sources { files }, diagnostics })
}

fn target(path: &str) -> Result<Target, String> {
    let parts: Vec<&str> = path.strip_prefix(FOLDER).unwrap_or(path).split('/').collect();
    let [locale, name] = parts.as_slice() else {
        return Err("a template of a mail stands in templates/mail/<language>/".to_owned());
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if locale.is_empty() || locale.len() > LOCALE_BYTES_MAX || !locale.chars().all(fits) {
        return Err(format!("`{locale}` is no language; write `de` or `pt-BR`"));
    }
    let (stem, html) = match name.rsplit_once('.') {
        Some((stem, "txt")) => (stem, false),
        Some((stem, "html")) => (stem, true),
        _ => return Err("a template of a mail is a .txt or .html file".to_owned()),
    };
    let kind = Kind::named(stem).ok_or_else(|| {
        let all: Vec<&str> = Kind::ALL.into_iter().map(Kind::name).collect();
        format!("there is no mail `{stem}`; there are {}", all.join(", "))
    })?;
    Ok(Target { locale: locale.to_ascii_lowercase(), kind, html })
}

/// One template as its author wrote it.
struct File<'a> {
    number: u16,
    text: &'a str,
}

impl File<'_> {
    fn mistakes(&self, target: &Target) -> Vec<Diagnostic> {
        let mut found: Vec<Diagnostic> =
            (!target.html).then(|| self.without_subject()).flatten().into_iter().collect();
        let environment = environment();
        let name = if target.html { "mail.html" } else { "mail.txt" };
        let named = match environment.template_from_named_str(name, self.text) {
            Ok(template) => template.undeclared_variables(false),
            Err(error) => {
                found.push(self.failure(&error));
                return found;
            }
        };
        let globals: BTreeSet<&str> = environment.globals().map(|(name, _)| name).collect();
        let known = [&COMMON_VALUES, target.kind.values()].concat();
        let unknown: BTreeSet<&String> = named
            .iter()
            .filter(|name| !known.contains(&name.as_str()) && !globals.contains(name.as_str()))
            .collect();
        found.extend(unknown.into_iter().map(|name| {
            let what = format!("`{name}` is unknown in this mail");
            Diagnostic::new("E0703", self.place_of(name), what)
                .help(format!("there are {}", known.join(", ")))
        }));
        let needed = target.kind.values();
        if !needed.is_empty() && !needed.iter().any(|name| named.contains(*name)) {
            let what = format!("this mail needs {}", needed.join(" or "));
            let help = format!("write {{{{ {} }}}} where it shall stand", needed.first().unwrap_or(&""));
            found.push(Diagnostic::new("E0704", self.line(1), what).help(help));
        }
        let tried = filled(name, self.text, &plain_values(&sample(target.kind, "App", "ana@example.org")));
        found.extend(tried.err().map(|error| self.failure(&error)));
        found
    }

    fn without_subject(&self) -> Option<Diagnostic> {
        let mut lines = self.text.lines();
        let subject =
            lines.next().and_then(|line| line.strip_prefix("Subject:")).is_some_and(|s| !s.trim().is_empty());
        let sound = subject && lines.next().is_some_and(|line| line.trim().is_empty());
        let what = "a mail begins with a line `Subject: …` and an empty line";
        (!sound).then(|| Diagnostic::new("E0702", self.line(1), what))
    }

    fn failure(&self, error: &minijinja::Error) -> Diagnostic {
        let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        Diagnostic::new("E0702", self.line(error.line().unwrap_or(1)), what)
    }

    /// A one-based line without its end.
    fn line(&self, line: usize) -> Span {
        let before: usize = self.text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let length = self.text.lines().nth(line.saturating_sub(1)).map_or(0, str::len);
        self.span(before, before + length)
    }

    /// Where a name first stands in a tag.
    fn place_of(&self, name: &str) -> Span {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let at = self.text.match_indices(name).map(|(at, _)| at).find(|at| {
            let (before, after) =
                (self.text.get(..*at).unwrap_or(""), self.text.get(at + name.len()..).unwrap_or(""));
            let opened = before.rfind("{{").max(before.rfind("{%"));
            let closed = before.rfind("}}").max(before.rfind("%}"));
            opened > closed && !before.ends_with(is_part) && !after.starts_with(is_part)
        });
        at.map_or(self.line(1), |at| self.span(at, at + name.len()))
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let bytes = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span { file: self.number, start: bytes(start), end: bytes(end) }
    }
}
