//! Dates and spans of time as text: one form in, one form out, the same in records, filters and rules.
//!
//! Nothing here reads the clock.

use stead_wire::Instant;

/// Longest span of time: a hundred years, so that sums of times stay far from the ends of 64 bits.
pub const DURATION_US_MAX: i64 = 36_525 * DAY_US;
/// Microseconds in a day.
pub const DAY_US: i64 = 86_400_000_000;

/// `2026-01-31` as days since 1970-01-01, in the proleptic Gregorian calendar; years 0001 to 9999.
pub fn parse_date(text: &str) -> Option<i64> {
    if text.len() != 10 {
        return None;
    }
    Instant::parse(&format!("{text}T00:00:00Z")).map(|midnight| day_of(midnight.us()))
}

/// The day, in UTC, that an instant in microseconds is in.
pub const fn day_of(us: i64) -> i64 {
    us.div_euclid(DAY_US)
}

/// Days since 1970-01-01 as `2026-01-31`.
pub fn date_text(days: i64) -> [u8; 10] {
    let mut text = [b'0'; 10];
    let midnight = Instant(days.saturating_mul(DAY_US)).rfc3339();
    text.iter_mut().zip(midnight).for_each(|(cell, byte)| *cell = byte);
    text
}

/// `1h30m`, `90s`, `0.25s`, `-5m` in microseconds: numbers, perhaps with a fraction, each with `d`, `h`, `m`, `s`, `ms`
/// or `us`. `None` beyond [`DURATION_US_MAX`] and where microseconds are not fine enough.
pub fn parse_duration(text: &str) -> Option<i64> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let mut rest = unsigned;
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(number_end);
        let unit_end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let us = match unit {
            "d" => DAY_US,
            "h" => 3_600_000_000,
            "m" => 60_000_000,
            "s" => 1_000_000,
            "ms" => 1_000,
            "us" => 1,
            _ => return None,
        };
        total = total.checked_add(measured(number, us)?)?;
        rest = after;
    }
    let sign = if unsigned.len() < text.len() { -1 } else { 1 };
    (!unsigned.is_empty() && total <= DURATION_US_MAX).then_some(sign * total)
}

/// `number` times `us`, exactly.
fn measured(number: &str, us: i64) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole: i64 = whole.parse().ok()?;
    let digits = u32::try_from(fraction.len()).ok().filter(|digits| (1..=12).contains(digits))?;
    let parts = fraction.parse::<i128>().ok()? * i128::from(us);
    let unit = 10i128.pow(digits);
    let behind = (parts % unit == 0).then(|| i64::try_from(parts / unit).ok()).flatten()?;
    whole.checked_mul(us)?.checked_add(behind)
}

/// A span of time in seconds, which is the form that records and answers show: `5400s`, `-0.25s`.
pub fn duration_text(us: i64) -> String {
    let (seconds, fraction) = (us.unsigned_abs() / 1_000_000, us.unsigned_abs() % 1_000_000);
    let sign = if us < 0 { "-" } else { "" };
    match fraction {
        0 => format!("{sign}{seconds}s"),
        _ => format!("{sign}{seconds}.{}s", format!("{fraction:06}").trim_end_matches('0')),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn dates_survive_the_round_trip_and_impossible_ones_are_refused() {
        for (text, days) in
            [("1970-01-01", 0), ("2026-01-31", 20_484), ("1969-12-31", -1), ("0001-01-01", -719_162)]
        {
            assert_eq!(parse_date(text), Some(days), "{text}");
            assert_eq!(std::str::from_utf8(&date_text(days)).unwrap(), text);
        }
        for text in ["2026-02-29", "2026-1-31", "31.01.2026", "0000-01-01", "2026-01-31 ", "2026-01-3é", ""]
        {
            assert_eq!(parse_date(text), None, "{text}");
        }
        assert_eq!((day_of(-1), day_of(0), day_of(DAY_US)), (-1, 0, 1));
    }

    #[test]
    fn spans_of_time_are_read_in_many_forms_and_shown_in_one() {
        for (text, us, shown) in [
            ("90s", 90_000_000, "90s"),
            ("1h30m", 5_400_000_000, "5400s"),
            ("0.25s", 250_000, "0.25s"),
            ("-1.5h", -5_400_000_000, "-5400s"),
            ("1d2h3m4s5ms6us", 93_784_005_006, "93784.005006s"),
            ("0s", 0, "0s"),
            ("36525d", DURATION_US_MAX, "3155760000s"),
        ] {
            assert_eq!(parse_duration(text), Some(us), "{text}");
            assert_eq!(duration_text(us), shown);
            assert_eq!(parse_duration(shown), Some(us), "{shown}");
        }
        for text in
            ["", "-", "5", "s", "1.s", ".5s", "1.5us", "1y", "1 h", "36525d1s", "--1s", "1..5s", "+1s"]
        {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
