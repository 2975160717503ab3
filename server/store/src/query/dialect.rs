//! What the databases write differently, in one place: marks, truth, order of null, and the forms of functions.
//!
//! It must never decide what an expression means: both forms of a thing give the same answer for every value that a
//! field can hold, null included. `differential.rs` tries it.

use stead_rules::Func;

/// A database whose SQL is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SQLite 3.40 and newer.
    Sqlite,
    /// PostgreSQL 15 and newer, with UTF-8 as its encoding. Any locale: text columns have the collation `C`.
    Postgres,
}

impl Dialect {
    /// What stands before a parameter's number.
    pub(crate) fn mark(self) -> char {
        match self {
            Self::Sqlite => '?',
            Self::Postgres => '$',
        }
    }

    /// A truth value.
    pub(super) fn truth(self, flag: bool) -> &'static str {
        match (self, flag) {
            (Self::Sqlite, true) => "1",
            (Self::Sqlite, false) => "0",
            (Self::Postgres, true) => "true",
            (Self::Postgres, false) => "false",
        }
    }

    /// Equal, or both null.
    pub(super) fn same(self) -> &'static str {
        match self {
            Self::Sqlite => " IS ",
            Self::Postgres => " IS NOT DISTINCT FROM ",
        }
    }

    /// After a key of an order or of an index: null is smaller than every value. Said to Postgres only where null can
    /// be, so that the plain index of a primary key serves orders as well; indexes are made by the same rule.
    pub(super) fn direction(self, descending: bool, nullable: bool) -> &'static str {
        match (self, descending, nullable) {
            (Self::Postgres, false, true) => " NULLS FIRST",
            (Self::Postgres, true, true) => " DESC NULLS LAST",
            (_, true, _) => " DESC",
            (_, false, _) => "",
        }
    }

    /// A function over `{a}` and `{b}`. Those over prefixes and documents are written by their own functions.
    pub(super) fn form(self, func: Func) -> &'static str {
        match (func, self) {
            (Func::Size, Self::Sqlite) => "length({a})",
            (Func::Size, Self::Postgres) => "char_length({a})",
            (Func::Length, Self::Sqlite) => "json_array_length({a})",
            (Func::Length, Self::Postgres) => "cardinality({a})",
            (Func::Lower, Self::Sqlite) => "lower({a})",
            // Only the collation `C` leaves what is not ASCII alone.
            (Func::Lower, Self::Postgres) => "lower({a} COLLATE \"C\")",
            (Func::Default, _) => "coalesce({a}, {b})",
            (Func::Min, Self::Sqlite) => "min({a}, {b})",
            (Func::Max, Self::Sqlite) => "max({a}, {b})",
            // LEAST and GREATEST pass over null. The operands are written once, and the OFFSET keeps the planner from
            // writing them wherever they are used: nested, they would double each time, until memory ends.
            (Func::Min, Self::Postgres) => {
                "(SELECT CASE WHEN p.a <= p.b THEN p.a WHEN p.a > p.b THEN p.b END FROM (SELECT {a} AS a, {b} AS b OFFSET 0) p)"
            }
            (Func::Max, Self::Postgres) => {
                "(SELECT CASE WHEN p.a >= p.b THEN p.a WHEN p.a < p.b THEN p.b END FROM (SELECT {a} AS a, {b} AS b OFFSET 0) p)"
            }
            (Func::Abs, _) => "abs({a})",
            (Func::StartsWith, Self::Sqlite) => "(substr({a}, 1, length({b})) = {b})",
            (Func::StartsWith, Self::Postgres) => "starts_with({a}, {b})",
            (Func::EndsWith, Self::Sqlite) => {
                // What is longer than `{a}` gives all of `{a}`, which is shorter and so another.
                "(substr({a}, -length({b}), length({b})) = {b})"
            }
            (Func::EndsWith, Self::Postgres) => "(right({a}, char_length({b})) = {b})",
            (Func::Contains, Self::Sqlite) => "(instr({a}, {b}) > 0)",
            (Func::Contains, Self::Postgres) => "(strpos({a}, {b}) > 0)",
            (Func::Add | Func::AddTime, _) => "({a} + {b})",
            (Func::Sub | Func::SubTime, _) => "({a} - {b})",
            (Func::Mul, _) => "({a} * {b})",
            (Func::Div, _) => "({a} / NULLIF({b}, 0))",
            (Func::Mod, _) => "({a} % NULLIF({b}, 0))",
            (Func::Neg, _) => "(- {a})",
            // Decimals are stored as whole numbers of units.
            (Func::Rescale, _) => "({a} * {b})",
            // Division cuts towards zero, but days before 1970 begin earlier.
            (Func::Day, _) => "({a} / 86400000000 - CASE WHEN {a} % 86400000000 < 0 THEN 1 ELSE 0 END)",
            (Func::JsonText, Self::Sqlite) => {
                "CASE WHEN json_type({a}, {b}) = 'text' THEN json_extract({a}, {b}) END"
            }
            // What comes out of a document has the collation of the database, not of a column.
            (Func::JsonText, Self::Postgres) => {
                "CASE WHEN json_typeof({a} #> {b}) = 'string' THEN ({a} #>> {b}) COLLATE \"C\" END"
            }
            // A number beyond 64 bits is told as an integer but extracted as a float. The smallest of 64 bits counts as beyond:
            // its sign cannot be flipped.
            (Func::JsonInt, Self::Sqlite) => {
                "CASE WHEN json_type({a}, {b}) = 'integer' AND typeof(json_extract({a}, {b})) = 'integer' \
                 AND json_extract({a}, {b}) >= -9223372036854775807 THEN json_extract({a}, {b}) END"
            }
            // Written as an integer, and one that fits.
            (Func::JsonInt, Self::Postgres) => {
                "CASE WHEN json_typeof({a} #> {b}) = 'number' AND ({a} #>> {b}) ~ '^-?[0-9]{1,19}$' \
                 THEN CASE WHEN ({a} #>> {b})::numeric BETWEEN -9223372036854775807 AND 9223372036854775807 \
                 THEN ({a} #>> {b})::bigint END END"
            }
            (Func::JsonBool, Self::Sqlite) => {
                "CASE WHEN json_type({a}, {b}) IN ('true', 'false') THEN json_extract({a}, {b}) END"
            }
            (Func::JsonBool, Self::Postgres) => {
                "CASE WHEN json_typeof({a} #> {b}) = 'boolean' THEN ({a} #>> {b})::boolean END"
            }
        }
    }
}
