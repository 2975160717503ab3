//! What CEL has and this language leaves out, by name, so that whoever knows CEL is told at once.
//!
//! It must never decide what is accepted: only names that mean nothing here are asked about.

/// Functions, methods and name spaces of CEL that belong together.
struct Family {
    /// `the language has no …`
    what: &'static str,
    help: &'static str,
    names: &'static [&'static str],
}

const FAMILIES: [Family; 13] = [
    Family {
        what: "conversions between types",
        help: "compare like with like; a member of a json field has `.asText()`, `.asInt()` and `.asBool()`",
        names: &["bool", "bytes", "double", "int", "string", "uint"],
    },
    Family { what: "dynamic types", help: "leave it out: every value has one type", names: &["dyn"] },
    Family {
        what: "types as values",
        help: "the type of every value is known before a rule runs",
        names: &["type"],
    },
    Family {
        what: "macros besides has, exists, all and count",
        help: "ask `.exists(x, condition)`, `.all(x, condition)` or `.count(x, condition)`",
        names: &[
            "exists_one",
            "existsOne",
            "map",
            "filter",
            "transformList",
            "transformMap",
            "transformMapEntry",
        ],
    },
    Family {
        what: "optional values",
        help: "what is missing is null: ask `x == null` or write `default(x, value)`",
        names: &[
            "optional",
            "hasValue",
            "ofNonZeroValue",
            "optFlatMap",
            "optMap",
            "or",
            "orValue",
            "unwrap",
            "unwrapOpt",
            "value",
        ],
    },
    Family {
        what: "local names",
        help: "declare a function under `functions:` and give it the value",
        names: &["cel", "bind", "block", "iterVar"],
    },
    Family {
        what: "parts of dates and spans",
        help: "compare with a point in time or a span: `x >= timestamp(\"2026-01-31T00:00:00Z\")`",
        names: &[
            "getDate",
            "getDayOfMonth",
            "getDayOfWeek",
            "getDayOfYear",
            "getFullYear",
            "getHours",
            "getMilliseconds",
            "getMinutes",
            "getMonth",
            "getSeconds",
        ],
    },
    Family {
        what: "text functions besides size, startsWith, endsWith, contains, lower and matches",
        help: "`lower()` folds A to Z; store what else a rule must compare",
        names: &[
            "charAt",
            "format",
            "indexOf",
            "join",
            "lastIndexOf",
            "lowerAscii",
            "quote",
            "regex",
            "replace",
            "reverse",
            "split",
            "strings",
            "substring",
            "trim",
            "upperAscii",
        ],
    },
    Family {
        what: "list functions besides size",
        help: "ask `x in list`, `list.size()`, or `.exists` and `.all` of a list that is written out",
        names: &["distinct", "first", "flatten", "last", "lists", "range", "sets", "slice", "sort", "sortBy"],
    },
    Family {
        what: "mathematical functions besides abs, min, max, div and mod",
        help: "`min(a, b)` and `max(a, b)` take two values",
        names: &["math"],
    },
    Family {
        what: "functions over network addresses",
        help: "`request.ip` is text: compare it with `==` or `startsWith`",
        names: &[
            "cidr",
            "containsCIDR",
            "containsIP",
            "family",
            "ip",
            "isCanonical",
            "isCIDR",
            "isGlobalUnicast",
            "isIP",
            "isLinkLocalMulticast",
            "isLinkLocalUnicast",
            "isLoopback",
            "isUnspecified",
            "masked",
            "net",
            "prefixLength",
        ],
    },
    Family { what: "encoders", help: "store the text that a rule must compare", names: &["base64", "json"] },
    Family {
        what: "messages",
        help: "records have fields: `x.field`; ask `x.field != null` whether one is there",
        names: &["getExt", "google", "hasExt", "proto"],
    },
];

/// Message and advice for a name of CEL that the language does not know.
pub(crate) fn named(name: &str) -> Option<(String, &'static str)> {
    let family = FAMILIES.iter().find(|family| family.names.contains(&name))?;
    Some((format!("`{name}` is CEL, but the language has no {}", family.what), family.help))
}

/// Message and advice for a part of CEL's syntax.
pub(crate) type Syntax = (&'static str, &'static str);

pub(crate) const BYTES: Syntax = ("the language has no bytes", "write plain text: \"…\"");
pub(crate) const RAW_TEXT: Syntax = ("the language has no raw text", "write plain text: \"…\"");
pub(crate) const TRIPLE_QUOTES: Syntax =
    ("the language has no text in three quotes", "write plain text: \"…\", a new line as \\n");
pub(crate) const UNSIGNED: Syntax = ("the language has no unsigned numbers", "write the number without `u`");
pub(crate) const INDEXING: Syntax = (
    "the language has no members by number or key",
    "use `x in list`, or `.name` for a member of a json field",
);
pub(crate) const MAPS: Syntax =
    ("the language has no maps", "use a list, or `.name` for a member of a json field");
pub(crate) const MESSAGES: Syntax = ("the language has no messages", "compare the fields one by one");
pub(crate) const TWO_NAMES: Syntax =
    ("the language has no macros with two names", "ask `.exists(x, condition)` or `.all(x, condition)`");
pub(crate) const OPTIONALS: Syntax =
    ("the language has no optional values", "`a.b` is null when `a` is; ask `a.b != null`");
pub(crate) const ROOTED: Syntax =
    ("the language has no names that begin with a dot", "leave the dot out; a number begins with a digit");
pub(crate) const ESCAPED: Syntax =
    ("the language has no names in back quotes", "names are letters, digits and `_`");
