//! `stead new`: a running starting point from files that are part of the binary. An existing folder is never written over.

use crate::args::{self, Template};
use crate::terminal;
use anyhow::{Context, bail};
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// Path and content.
type File = (&'static str, &'static str);

const NOTES: &[File] = &[
    ("schema/app.yaml", include_str!("../starter/schema/app.yaml")),
    ("schema/notes.yaml", include_str!("../starter/schema/notes.yaml")),
    ("tests/notes.test.yaml", include_str!("../starter/tests/notes.test.yaml")),
    ("web/index.html", include_str!("../starter/web/index.html")),
];

macro_rules! chat {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../examples/team-chat/", $path)))),*]
    };
}

const CHAT: &[File] = chat![
    "schema/app.yaml",
    "schema/chat.yaml",
    "seed/users.jsonl",
    "seed/rooms.jsonl",
    "seed/members.jsonl",
    "seed/messages.jsonl",
    "tests/chat.test.yaml",
    "web/index.html",
    "web/app.js",
    "web/style.css",
];

/// Data is no part of an app's sources.
const IGNORED: File = (".gitignore", "stead-data/\n*.master.key\n");

/// Makes the folder and says what to do with it.
pub(crate) fn new(args: &args::New) -> anyhow::Result<ExitCode> {
    write(&args.folder, args.template)?;
    let shown = args.folder.display();
    terminal::say(&format!(
        "made {shown}\n\n  stead dev {shown}     run it and apply changes as you save\n  stead test {shown}    run its rule tests"
    ));
    Ok(ExitCode::SUCCESS)
}

/// Writes the files of a template.
pub(crate) fn write(folder: &Path, template: Template) -> anyhow::Result<()> {
    let occupied = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if occupied || folder.is_file() {
        bail!("{} exists and is not empty; nothing was written", folder.display());
    }
    let files = match template {
        Template::Notes => NOTES,
        Template::Chat => CHAT,
    };
    for (path, text) in files.iter().chain([&IGNORED]) {
        let target = folder.join(path);
        let parent = target.parent().unwrap_or(folder);
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&target, text))
            .with_context(|| format!("cannot write {}", target.display()))?;
    }
    Ok(())
}
