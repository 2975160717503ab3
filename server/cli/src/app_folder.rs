//! An app folder on disk: which files it has, and the app they declare.
//!
//! The only place that reads an app's files. What they mean is decided by `stead-schema` and `stead-rules`.

use anyhow::{Context, bail};
use std::fs;
use std::path::{Path, PathBuf};
use stead_engine::mail::Templates;
use stead_engine::seed::SeedFile;
use stead_rules::RuleBook;
use stead_schema::{Diagnostic, Rejected, Schema, Severity, SourceFile, Sources};

/// Where an app's own words for mails stand, in one folder for each language.
const MAILS: &str = "templates/mail";

/// A folder that holds an app.
#[derive(Debug, Clone)]
pub(crate) struct AppFolder {
    root: PathBuf,
}

/// A declared app, checked.
pub(crate) struct App {
    pub(crate) schema: Schema,
    pub(crate) rules: RuleBook,
}

/// Mistakes in the files of an app.
pub(crate) struct Mistakes {
    pub(crate) sources: Sources,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl AppFolder {
    /// The folder, if it looks like an app.
    pub(crate) fn open(root: &Path) -> anyhow::Result<Self> {
        if !root.join("schema").is_dir() {
            bail!("{} is no app: it has no `schema` folder (`stead new DIR` makes an app)", root.display());
        }
        Ok(Self { root: root.to_owned() })
    }

    /// The folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What the app declares with its rules as text, or every mistake in that.
    pub(crate) fn declared(&self) -> anyhow::Result<Result<Schema, Mistakes>> {
        let mistakes = |Rejected { sources, diagnostics }| Mistakes { sources, diagnostics };
        Ok(stead_schema::load(self.schema()?).map_err(mistakes))
    }

    /// What the app declares, or every mistake in it.
    pub(crate) fn load(&self) -> anyhow::Result<Result<App, Mistakes>> {
        let mut schema = match self.declared()? {
            Ok(schema) => schema,
            Err(mistakes) => return Ok(Err(mistakes)),
        };
        match stead_rules::compile(&schema) {
            Ok(rules) => {
                schema.app.name.get_or_insert_with(|| self.name());
                Ok(Ok(App { schema, rules }))
            }
            Err(diagnostics) => Ok(Err(Mistakes { sources: (*schema.sources).clone(), diagnostics })),
        }
    }

    /// Schema files.
    pub(crate) fn schema(&self) -> anyhow::Result<Vec<SourceFile>> {
        self.files("schema", |name| name.ends_with(".yaml") || name.ends_with(".yml"))
    }

    /// First data.
    pub(crate) fn seeds(&self) -> anyhow::Result<Vec<SeedFile>> {
        let files = self.files("seed", |name| name.ends_with(".jsonl"))?;
        let seed = |SourceFile { path, text }: SourceFile| {
            let collection = path.trim_start_matches("seed/").trim_end_matches(".jsonl").to_owned();
            SeedFile { collection, path, text }
        };
        Ok(files.into_iter().map(seed).collect())
    }

    /// Rule tests.
    pub(crate) fn tests(&self) -> anyhow::Result<Vec<SourceFile>> {
        self.files("tests", |name| name.ends_with(".test.yaml"))
    }

    /// The app's own words for mails.
    pub(crate) fn mail_templates(&self) -> anyhow::Result<Result<Templates, Mistakes>> {
        let mistakes = |Rejected { sources, diagnostics }| Mistakes { sources, diagnostics };
        let wanted = |name: &str| name.ends_with(".txt") || name.ends_with(".html");
        let mut files = self.files(MAILS, wanted)?;
        for folder in self.mail_folders() {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.extend(self.files(&format!("{MAILS}/{name}"), wanted)?);
        }
        Ok(Templates::read(files).map_err(mistakes))
    }

    /// One folder for each language.
    fn mail_folders(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.root.join(MAILS)).into_iter().flatten().flatten();
        let mut folders: Vec<PathBuf> =
            entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        folders.sort();
        folders
    }

    /// The static site, if there is one.
    pub(crate) fn site(&self) -> Option<PathBuf> {
        Some(self.root.join("web")).filter(|folder| folder.is_dir())
    }

    /// Something that changes whenever a schema file or a template of a mail does: names, sizes and times.
    pub(crate) fn fingerprint(&self) -> Vec<(PathBuf, u64, Option<std::time::SystemTime>)> {
        let folders = [vec![self.root.join("schema"), self.root.join(MAILS)], self.mail_folders()].concat();
        let paths = folders.iter().filter_map(|folder| paths(folder).ok()).flatten();
        let about = |path: PathBuf| {
            let about = fs::metadata(&path).ok()?;
            Some((path, about.len(), about.modified().ok()))
        };
        paths.filter_map(about).collect()
    }

    fn name(&self) -> String {
        let real = self.root.canonicalize().unwrap_or_else(|_| self.root.clone());
        real.file_name().map_or_else(|| "app".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// The files of a folder in order of their names; none when there is no such folder.
    fn files(&self, folder: &str, wanted: impl Fn(&str) -> bool) -> anyhow::Result<Vec<SourceFile>> {
        let path = self.root.join(folder);
        if !path.is_dir() {
            return Ok(Vec::new());
        }
        let mut files = Vec::new();
        for path in paths(&path).with_context(|| format!("cannot read {}", path.display()))? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if wanted(&name) {
                let text =
                    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
                files.push(SourceFile { path: format!("{folder}/{name}"), text });
            }
        }
        Ok(files)
    }
}

fn paths(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.retain(|path| path.is_file());
    paths.sort();
    Ok(paths)
}

impl Mistakes {
    /// As people read them, with how many there are.
    pub(crate) fn render(&self) -> String {
        let mut text = self.listed();
        text.push_str(&in_words(self.count(Severity::Error), self.count(Severity::Warning)));
        text
    }

    /// As people read them.
    pub(crate) fn listed(&self) -> String {
        let mut text = String::new();
        for diagnostic in &self.diagnostics {
            text.push_str(&diagnostic.render(&self.sources));
            text.push('\n');
        }
        text
    }

    /// How many are this bad.
    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }
}

/// `2 mistakes, 1 warning`.
pub(crate) fn in_words(mistakes: usize, warnings: usize) -> String {
    let several = |count: usize, word: &str| match count {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    };
    let mistakes = if mistakes == 0 { "no mistakes".to_owned() } else { several(mistakes, "mistake") };
    if warnings == 0 { mistakes } else { format!("{mistakes}, {}", several(warnings, "warning")) }
}
