//! The HTML part of a mail, made from its text: the same words, with the link to click and the code to read.

use super::filled;
use serde::Serialize;
use std::collections::BTreeMap;

const LAYOUT: &str = include_str!("layout.html");

#[derive(Serialize)]
struct Page<'a> {
    lang: &'a str,
    subject: &'a str,
    blocks: Vec<Block<'a>>,
}

/// A paragraph.
#[derive(Serialize)]
struct Block<'a> {
    /// Whether it is the code and nothing else.
    code: bool,
    lines: Vec<Line<'a>>,
}

/// A line, parted by the link if that stands in it.
#[derive(Serialize)]
struct Line<'a> {
    before: &'a str,
    link: Option<&'a str>,
    after: &'a str,
}

/// The page.
///
/// # Errors
/// When it would be too large.
pub(super) fn html(
    lang: &str,
    subject: &str,
    text: &str,
    values: &BTreeMap<String, String>,
) -> Result<String, minijinja::Error> {
    let value = |name: &str| values.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let (link, code) = (value("link"), value("code"));
    let blocks = text.split("\n\n").map(str::trim).filter(|block| !block.is_empty());
    let blocks = blocks.map(|block| Block {
        code: Some(block) == code,
        lines: block.lines().map(|line| parted(line, link)).collect(),
    });
    filled("layout.html", LAYOUT, &Page { lang, subject, blocks: blocks.collect() })
}

fn parted<'a>(line: &'a str, link: Option<&'a str>) -> Line<'a> {
    match link.and_then(|link| Some((line.split_once(link)?, link))) {
        Some(((before, after), link)) => Line { before, link: Some(link), after },
        None => Line { before: line, link: None, after: "" },
    }
}
