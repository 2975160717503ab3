//! `stead fmt`: lays out the YAML files of an app, or tells which are not.
//!
//! A file that cannot be read is left alone and its mistakes are printed.

use crate::app_folder::{AppFolder, Mistakes};
use crate::{args, terminal};
use anyhow::Context;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use stead_schema::{Rejected, SourceFile};

/// Succeeds when every file is laid out, or was to be and is now.
pub(crate) fn fmt(args: &args::Fmt) -> anyhow::Result<ExitCode> {
    let folder = AppFolder::open(&args.app)?;
    let mut files = folder.schema()?;
    files.extend(folder.tests()?);
    let (mut changed, mut broken) = (0, 0);
    for file in files {
        let (path, before) = (file.path.clone(), file.text.clone());
        match stead_schema::format::format(file, &stead_rules::format) {
            Err(Rejected { sources, diagnostics }) => {
                terminal::complain(&Mistakes { sources, diagnostics }.render());
                broken += 1;
            }
            Ok(after) if after == before => {}
            Ok(after) => {
                terminal::say(&path);
                changed += 1;
                if !args.check {
                    replace(folder.root(), &SourceFile { path, text: after })?;
                }
            }
        }
    }
    let fine = broken == 0 && !(args.check && changed > 0);
    if args.check && changed > 0 {
        terminal::complain("not laid out as `stead fmt` does it: see above");
    }
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Puts the new text beside the file and then in its place, so that nobody ever reads half of it.
fn replace(root: &Path, file: &SourceFile) -> anyhow::Result<()> {
    let path = root.join(&file.path);
    let beside = path.with_extension("yaml.new");
    let write = || {
        fs::write(&beside, &file.text)?;
        fs::set_permissions(&beside, fs::metadata(&path)?.permissions())?;
        fs::rename(&beside, &path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
