//! `stead keys`: what protects the secrets of a data folder.

use crate::args::{self, KeysAction};
use crate::data_folder::{DataFolder, new_master_key};
use crate::{operator, terminal, wiring};
use actix_web::rt::System;
use anyhow::bail;
use std::path::Path;
use std::process::ExitCode;
use stead_engine::admin;

/// Does what was asked and closes the database again.
pub(crate) fn run(args: &args::Keys) -> anyhow::Result<ExitCode> {
    let KeysAction::RotateMaster { new_key_file, data } = &args.action;
    if !data.data.is_dir() {
        bail!("there is no data folder {}", data.data.display());
    }
    let folder = DataFolder::open(data)?;
    System::new().block_on(rotate_master(folder, new_key_file))?;
    Ok(ExitCode::SUCCESS)
}

/// The new key is on the disk before the database counts on it, so that whatever happens one of the two files fits.
async fn rotate_master(folder: DataFolder, file: &Path) -> anyhow::Result<()> {
    let project = match wiring::open_unfitted(&folder).await {
        Ok(project) => project,
        Err(refused) => return already_done(folder, file).await.map_err(|()| refused),
    };
    let changed = match new_master_key(file) {
        Ok(key) if key == folder.master_key => Err(anyhow::anyhow!("{} holds the same key", file.display())),
        Ok(key) => admin::change_master_key(&project, &key).await.map_err(operator::explain),
        Err(error) => Err(error),
    };
    project.close().await;
    changed?;
    terminal::say(&format!(
        "The master key is the one in {} now; the old one opens nothing.",
        file.display()
    ));
    terminal::say("Servers that run go on. Before one starts again, give it the new file with --master-key,");
    terminal::say("or put the file in the place of the old one. Keep a copy, away from the data.");
    Ok(())
}

/// Whether the key in the file is the master key already: this command was cut off before it could say so.
async fn already_done(folder: DataFolder, file: &Path) -> Result<(), ()> {
    if !file.exists() {
        return Err(());
    }
    let master_key = new_master_key(file).map_err(|_| ())?;
    let project = wiring::open_unfitted(&folder.with_master_key(master_key)).await.map_err(|_| ())?;
    project.close().await;
    terminal::say(&format!("The master key is the one in {} already.", file.display()));
    Ok(())
}
