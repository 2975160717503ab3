//! Files of the app's `web/` folder: found without ever leaving the folder, with type, entity tag and fallback.
//!
//! A path that could mean something else to a file system (dots in front, backslashes, drive letters, links that lead
//! out) is no path here.

use crate::answer::Failure;
use crate::extract::condition::IfNoneMatch;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, HttpDate, LAST_MODIFIED};
use actix_web::{HttpResponse, web};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use stead_engine::{Error, digest};

/// Largest file that is served. The site is for pages; big files belong in a bucket.
const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// A folder whose files are public.
pub(crate) struct Site {
    root: PathBuf,
}

/// A file on its way out.
struct Found {
    kind: &'static str,
    tag: String,
    modified: SystemTime,
    /// `None` when the client holds it already.
    bytes: Option<Vec<u8>>,
}

impl Site {
    /// The folder, if it is there.
    pub(crate) fn open(folder: &Path) -> Option<Self> {
        let root = folder.canonicalize().ok()?;
        root.is_dir().then_some(Self { root })
    }

    /// The file of a path; for a page that is not there, `index.html`, so that an app may route by itself.
    pub(crate) async fn answer(
        &self,
        path: &str,
        page: bool,
        held: &IfNoneMatch,
    ) -> Result<Option<HttpResponse>, Failure> {
        let Some(names) = names(path) else { return Ok(None) };
        let named = names.last().is_some_and(|name| name.contains('.'));
        let asked = self.root.join(names.iter().collect::<PathBuf>());
        let fallback = (page && !named).then(|| self.root.join("index.html"));
        let (root, held) = (self.root.clone(), held.clone());
        let found = web::block(move || {
            let candidates = [Some(asked.clone()), (!named).then(|| asked.join("index.html")), fallback];
            candidates
                .into_iter()
                .flatten()
                .find_map(|file| read(&root, &file, &held).transpose())
                .transpose()
        });
        let found = found.await.map_err(Error::internal)?.map_err(Error::internal)?;
        Ok(found.map(respond))
    }
}

/// The decoded names of a path, or `None` when one of them is not plain.
fn names(path: &str) -> Option<Vec<String>> {
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    segments.enumerate().map(|(place, segment)| plain(place, &decoded(segment)?)).collect()
}

fn plain(place: usize, name: &str) -> Option<String> {
    let hidden = name.starts_with('.') && !(place == 0 && name == ".well-known");
    let strange = |c: char| matches!(c, '/' | '\\' | ':' | '\0') || c.is_control();
    (!hidden && !name.is_empty() && !name.contains(strange)).then(|| name.to_owned())
}

/// Percent-decoding (RFC 3986 §2.1).
fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// A regular file inside `root`, links followed.
fn read(root: &Path, file: &Path, held: &IfNoneMatch) -> io::Result<Option<Found>> {
    let real = match file.canonicalize() {
        Ok(real) if real.starts_with(root) => real,
        Ok(_) => return Ok(None),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidFilename => return Ok(None),
        Err(error) => return Err(error),
    };
    let about = fs::metadata(&real)?;
    if !about.is_file() || about.len() > FILE_BYTES_MAX {
        return Ok(None);
    }
    let modified = about.modified()?;
    let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let tag = format!("\"{since:x}-{:x}\"", about.len());
    let bytes = if held.holds(&tag) { None } else { Some(fs::read(&real)?) };
    Ok(Some(Found { kind: kind(&real), tag, modified, bytes }))
}

fn respond(found: Found) -> HttpResponse {
    let mut response = if found.bytes.is_some() { HttpResponse::Ok() } else { HttpResponse::NotModified() };
    response
        .insert_header((ETAG, found.tag))
        .insert_header((LAST_MODIFIED, HttpDate::from(found.modified)))
        // Kept, but asked for anew each time: an app that was just changed must not run half old.
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-cache")));
    match found.bytes {
        Some(bytes) => {
            response.insert_header((CONTENT_TYPE, HeaderValue::from_static(found.kind))).body(bytes)
        }
        None => response.finish(),
    }
}

/// Something that is part of the binary.
pub(crate) fn embedded(kind: &'static str, bytes: &'static [u8], held: &IfNoneMatch) -> HttpResponse {
    let [a, b, c, d, e, f, g, h, ..] = digest::sha256(&[bytes]);
    let tag = format!("\"{:x}\"", u64::from_be_bytes([a, b, c, d, e, f, g, h]));
    let known = held.holds(&tag);
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((ETAG, tag)).insert_header((CACHE_CONTROL, HeaderValue::from_static("no-cache")));
    if known {
        return response.finish();
    }
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static(kind))).body(bytes)
}

/// The media type of a file, by its ending. Browsers are told not to guess, so it must be right.
fn kind(file: &Path) -> &'static str {
    let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    match ending.as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" | "md" => "text/plain; charset=utf-8",
        "xml" => "application/xml",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "otf" => "font/otf",
        "wasm" => "application/wasm",
        "pdf" => "application/pdf",
        "mp3" => "audio/mpeg",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use actix_web::body::to_bytes;

    fn folder() -> (tempfile::TempDir, Site) {
        let outside = tempfile::tempdir().unwrap();
        let root = outside.path().join("web");
        fs::create_dir_all(root.join("docs")).unwrap();
        for (name, text) in [
            ("web/index.html", "home"),
            ("web/app.js", "js"),
            ("web/docs/index.html", "docs"),
            ("web/.secret", "no"),
            ("secret.txt", "no"),
        ] {
            fs::write(outside.path().join(name), text).unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(outside.path().join("secret.txt"), root.join("link.txt")).unwrap();
        let site = Site::open(&root).unwrap();
        (outside, site)
    }

    async fn text(site: &Site, path: &str, page: bool) -> Option<String> {
        let response = site.answer(path, page, &IfNoneMatch::Absent).await.unwrap()?;
        Some(String::from_utf8(to_bytes(response.into_body()).await.unwrap().to_vec()).unwrap())
    }

    #[actix_web::test]
    async fn files_pages_and_the_fallback_are_found() {
        let (_outside, site) = folder();
        for (path, found) in
            [("/", "home"), ("/app.js", "js"), ("/docs", "docs"), ("/docs/", "docs"), ("/some/view", "home")]
        {
            assert_eq!(text(&site, path, true).await.as_deref(), Some(found), "{path}");
        }
        assert_eq!(text(&site, "/missing.js", true).await, None, "a missing file is not a page");
        assert_eq!(text(&site, "/some/view", false).await, None, "only a browser that wants a page gets one");
    }

    #[actix_web::test]
    async fn nothing_outside_the_folder_and_nothing_hidden_is_served() {
        let (_outside, site) = folder();
        for path in [
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/docs/..%2f..%2fsecret.txt",
            "/docs/../../secret.txt",
            "/..\\secret.txt",
            "/%5c..%5csecret.txt",
            "/.secret",
            "/%2esecret",
            "/link.txt",
            "/app.js%00.html",
            "/C:/secret.txt",
            "//etc/passwd",
            "/%",
            "/%ff",
        ] {
            assert_eq!(text(&site, path, false).await, None, "{path}");
        }
        assert_eq!(text(&site, "/app.js", false).await.as_deref(), Some("js"), "control");
    }

    #[actix_web::test]
    async fn a_file_the_client_holds_is_not_sent_again() {
        let (_outside, site) = folder();
        let first = site.answer("/app.js", false, &IfNoneMatch::Absent).await.unwrap().unwrap();
        assert_eq!(first.headers().get(CONTENT_TYPE).unwrap(), "text/javascript; charset=utf-8");
        let tag = first.headers().get(ETAG).unwrap().to_str().unwrap().to_owned();
        let again = site.answer("/app.js", false, &IfNoneMatch::Versions(vec![tag])).await.unwrap().unwrap();
        assert_eq!(again.status().as_u16(), 304);
    }
}
