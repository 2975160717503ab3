//! What takes mails away from here.

use futures_util::future::BoxFuture;
use std::path::{Path, PathBuf};

/// A mail as it goes out, to one person.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Names it in a file or log; the same when it is sent again.
    pub id: String,
    /// Address of the sender.
    pub from: String,
    /// Address of the one recipient.
    pub to: String,
    /// One line.
    pub subject: String,
    /// The part for people who read text.
    pub text: String,
    /// All of it (RFC 5322), signed if it is to be.
    pub message: Vec<u8>,
}

/// Why a mail did not go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Whether it would be the same another time.
    pub for_good: bool,
    /// For operators.
    pub why: String,
}

impl Refused {
    /// Worth another try.
    pub fn now(why: impl Into<String>) -> Self {
        Self { for_good: false, why: why.into() }
    }

    /// Not worth another.
    pub fn for_good(why: impl Into<String>) -> Self {
        Self { for_good: true, why: why.into() }
    }
}

/// A mail on its way: what is told about it at the end, for operators.
pub type Sending<'a> = BoxFuture<'a, Result<String, Refused>>;

/// What takes mails away from here.
pub trait Transport: Send + Sync {
    /// Hands a mail over; what is told about it, for operators. It may be dropped at any time.
    fn send<'a>(&'a self, mail: &'a Outgoing) -> Sending<'a>;
}

/// Puts each mail into a file of its own, `<id>.eml`.
pub struct Folder(PathBuf);

impl Folder {
    /// The folder is made with the first mail.
    pub fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Mails let people in, so the folder is for its owner only.
    fn make_private(folder: &Path) -> std::io::Result<()> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)
    }

    /// Whoever sees the file sees all of it.
    fn write(folder: &Path, mail: &Outgoing) -> std::io::Result<String> {
        Self::make_private(folder)?;
        let (whole, part) =
            (folder.join(format!("{}.eml", mail.id)), folder.join(format!("{}.part", mail.id)));
        std::fs::write(&part, &mail.message)?;
        std::fs::rename(&part, &whole)?;
        Ok(format!("written to {}", whole.display()))
    }
}

impl Transport for Folder {
    fn send<'a>(&'a self, mail: &'a Outgoing) -> Sending<'a> {
        let (folder, mail) = (self.0.clone(), mail.clone());
        Box::pin(async move {
            let written = tokio::task::spawn_blocking(move || Self::write(&folder, &mail)).await;
            match written {
                Ok(Ok(told)) => Ok(told),
                Ok(Err(error)) => Err(Refused::now(error.to_string())),
                Err(error) => Err(Refused::now(error.to_string())),
            }
        })
    }
}
