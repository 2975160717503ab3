//! Paths of `expand` and `fields` as text: `author,room.owner,members(limit:10,sort:-created_at).user`.
//!
//! It knows no names: what a step means is decided against the schema and the caller's rights.

/// One step of a path, with its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step<'s> {
    /// The field or relation.
    pub(super) name: &'s str,
    /// `limit:10`, `sort:-created_at`.
    pub(super) options: Vec<(&'s str, &'s str)>,
}

/// The paths of a list; an empty path has one step without a name.
///
/// # Errors
/// What is wrong, in one sentence.
pub(super) fn parse(source: &str) -> Result<Vec<Vec<Step<'_>>>, String> {
    split(source, ',')?.into_iter().map(|path| split(path, '.')?.into_iter().map(step).collect()).collect()
}

/// Splits at a character that stands outside parentheses.
fn split(source: &str, at: char) -> Result<Vec<&str>, String> {
    let (mut parts, mut open, mut start) = (Vec::new(), false, 0);
    for (place, letter) in source.char_indices() {
        match letter {
            '(' if open => return Err("Options cannot have options of their own.".into()),
            '(' => open = true,
            ')' if !open => return Err("A `)` closes nothing.".into()),
            ')' => open = false,
            other if other == at && !open => {
                parts.push(source.get(start..place).unwrap_or_default().trim());
                start = place + letter.len_utf8();
            }
            _ => {}
        }
    }
    if open {
        return Err("A `(` is not closed.".into());
    }
    parts.push(source.get(start..).unwrap_or_default().trim());
    Ok(parts)
}

fn step(source: &str) -> Result<Step<'_>, String> {
    let Some((name, rest)) = source.split_once('(') else {
        return Ok(Step { name: source, options: Vec::new() });
    };
    let Some(inside) = rest.strip_suffix(')') else {
        return Err("After `)` comes `.`, `,` or the end.".into());
    };
    let option = |text: &'_ str| match text.split_once(':') {
        Some(_) => Ok(()),
        None => {
            Err(format!("An option is written `name:value`, such as `limit:10`; `{}` is not.", shown(text)))
        }
    };
    let mut options = Vec::new();
    for text in inside.split(',') {
        option(text)?;
        options.extend(text.split_once(':').map(|(name, value)| (name.trim(), value.trim())));
    }
    Ok(Step { name: name.trim(), options })
}

/// What was sent, short enough to be repeated.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(source: &str) -> String {
        let step = |step: &Step<'_>| match step.options.as_slice() {
            [] => step.name.to_owned(),
            options => format!("{}{options:?}", step.name),
        };
        let path = |path: &Vec<Step<'_>>| path.iter().map(step).collect::<Vec<_>>().join(" > ");
        parse(source).unwrap().iter().map(path).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn a_list_of_paths_is_read_step_by_step() {
        for (source, wanted) in [
            ("author", "author"),
            ("author, room.owner ", "author | room > owner"),
            ("", ""),
            ("a..b", "a >  > b"),
            (
                "members(limit:10, sort:-created_at).user,author",
                "members[(\"limit\", \"10\"), (\"sort\", \"-created_at\")] > user | author",
            ),
        ] {
            assert_eq!(read(source), wanted, "{source}");
        }
    }

    #[test]
    fn what_is_not_closed_or_not_an_option_is_refused() {
        for source in ["a(", "a)", "a(b", "a(limit)", "a()", "a((limit:1))", "a(limit:1)b", "a(limit:1,"] {
            assert!(parse(source).is_err(), "{source}");
        }
    }
}
