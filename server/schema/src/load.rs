//! From the texts of `schema/*.yaml` to a [`Schema`], or every mistake in them at once.

use crate::{Diagnostic, Schema, SourceFile, Sources};

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
    let _ = files;
    unimplemented!()
}
