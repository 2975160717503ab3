//! Instants: microseconds since 1970-01-01T00:00:00Z, shown as RFC 3339 in UTC with milliseconds.
//!
//! Nothing here reads the clock. Calendar arithmetic follows the proleptic Gregorian calendar.

use std::fmt;

/// A point in time: microseconds since the Unix epoch, UTC. Stored values are whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(pub i64);

/// Microseconds in a day.
const DAY_US: i64 = 86_400_000_000;

/// First and last instant that four-digit years can show.
const MIN_US: i64 = -62_135_596_800_000_000;
const MAX_US: i64 = 253_402_300_799_999_000;

impl Instant {
    /// From milliseconds since the epoch.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms.saturating_mul(1000))
    }

    /// Microseconds since the epoch.
    pub const fn us(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the epoch, rounded down.
    pub const fn ms(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The same instant cut to whole milliseconds, which is all that JSON can show.
    pub const fn whole_ms(self) -> Self {
        Self(self.0 - self.0.rem_euclid(1000))
    }

    /// An instant of the years 0001 to 9999, from microseconds since the epoch.
    pub fn within(us: i64) -> Option<Self> {
        (MIN_US..=MAX_US).contains(&us).then_some(Self(us))
    }

    /// Reads RFC 3339 §5.6 `date-time`; any offset is turned into UTC, digits past microseconds are cut.
    /// `None` for anything else, including leap seconds and years outside 0001..=9999.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let year = digits(bytes, 0, 4)?;
        let month = digits(bytes, 5, 2)?;
        let day = digits(bytes, 8, 2)?;
        let (hour, minute, second) = (digits(bytes, 11, 2)?, digits(bytes, 14, 2)?, digits(bytes, 17, 2)?);
        let separators = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
        let well_formed = separators.iter().all(|(at, mark)| bytes.get(*at) == Some(mark))
            && matches!(bytes.get(10), Some(b'T' | b't' | b' '));
        let in_range = year >= 1
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        if !well_formed || !in_range {
            return None;
        }
        let (fraction_us, zone_at) = fraction(bytes, 19)?;
        let offset_minutes = offset(bytes, zone_at)?;
        let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
        let us = (seconds - offset_minutes * 60) * 1_000_000 + fraction_us;
        Self::within(us)
    }

    /// Appends `2026-11-21T10:43:00.000Z` to `out`.
    pub fn write_to(self, out: &mut String) {
        out.extend(self.rfc3339().map(char::from));
    }

    /// `2026-11-21T10:43:00.000Z` as ASCII bytes, without an allocation.
    pub fn rfc3339(self) -> [u8; 24] {
        let clamped = self.0.clamp(MIN_US, MAX_US);
        let (year, month, day) = civil_from_days(clamped.div_euclid(DAY_US));
        let ms = clamped.rem_euclid(DAY_US) / 1000;
        let digit = |number: i64, unit: i64| b'0' + (number / unit % 10) as u8;
        let two = |number: i64| [digit(number, 10), digit(number, 1)];
        let [y0, y1] = two(year / 100);
        let [y2, y3] = two(year);
        let [mo0, mo1] = two(month);
        let [d0, d1] = two(day);
        let [h0, h1] = two(ms / 3_600_000);
        let [mi0, mi1] = two(ms / 60_000 % 60);
        let [s0, s1] = two(ms / 1000 % 60);
        let [f0, f1, f2] = [digit(ms, 100), digit(ms, 10), digit(ms, 1)];
        [
            y0, y1, y2, y3, b'-', mo0, mo1, b'-', d0, d1, b'T', h0, h1, b':', mi0, mi1, b':', s0, s1, b'.',
            f0, f1, f2, b'Z',
        ]
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(24);
        self.write_to(&mut text);
        f.write_str(&text)
    }
}

fn digits(bytes: &[u8], at: usize, count: usize) -> Option<i64> {
    let run = bytes.get(at..at + count)?;
    run.iter().try_fold(0i64, |sum, b| b.is_ascii_digit().then(|| sum * 10 + i64::from(b - b'0')))
}

/// The fraction of a second in microseconds and where the zone begins.
fn fraction(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    if bytes.get(at) != Some(&b'.') {
        return Some((0, at));
    }
    let run: Vec<i64> =
        bytes.iter().skip(at + 1).take_while(|b| b.is_ascii_digit()).map(|b| i64::from(b - b'0')).collect();
    let us = (0..6).fold(0, |sum, place| sum * 10 + run.get(place).copied().unwrap_or(0));
    (!run.is_empty()).then_some((us, at + 1 + run.len()))
}

fn offset(bytes: &[u8], at: usize) -> Option<i64> {
    match (bytes.get(at)?, bytes.len() - at) {
        (b'Z' | b'z', 1) => Some(0),
        (sign @ (b'+' | b'-'), 6) if bytes.get(at + 3) == Some(&b':') => {
            let (hours, minutes) = (digits(bytes, at + 1, 2)?, digits(bytes, at + 4, 2)?);
            let total = hours * 60 + minutes;
            (hours < 24 && minutes < 60).then_some(if *sign == b'-' { -total } else { total })
        }
        _ => None,
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since the epoch. Years are counted from March so that the leap day is the last of its year.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn known_instants_read_and_show_the_same() {
        for (text, us) in [
            ("1970-01-01T00:00:00.000Z", 0),
            ("2000-02-29T12:30:45.678Z", 951_827_445_678_000),
            ("2026-11-21T10:43:00.001Z", 1_795_257_780_001_000),
            ("1969-12-31T23:59:59.999Z", -1000),
            ("0001-01-01T00:00:00.000Z", MIN_US),
            ("9999-12-31T23:59:59.999Z", MAX_US),
        ] {
            assert_eq!(Instant::parse(text), Some(Instant(us)), "{text}");
            assert_eq!(Instant(us).to_string(), text);
        }
    }

    #[test]
    fn offsets_become_utc_and_fractions_are_cut() {
        assert_eq!(Instant::parse("2026-01-01T01:00:00+01:00"), Instant::parse("2026-01-01T00:00:00Z"));
        assert_eq!(Instant::parse("2026-01-01T00:00:00.1234567Z").unwrap().us() % 1_000_000, 123_456);
        assert_eq!(
            Instant::parse("2026-01-01T00:00:00.1234567Z").unwrap().whole_ms().us() % 1_000_000,
            123_000
        );
    }

    #[test]
    fn what_is_not_a_date_time_is_refused() {
        for text in [
            "",
            "2026",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+1:00",
            "0000-01-01T00:00:00Z",
            "2026-01-01T00:00:00Zx",
            "２026-01-01T00:00:00Z",
            "2026-01-01X00:00:00Z",
        ] {
            assert_eq!(Instant::parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_of_eight_centuries_survives_the_round_trip() {
        for day in -146_097..146_097 {
            let (year, month, date) = civil_from_days(day);
            assert_eq!(days_from_civil(year, month, date), day);
        }
    }
}
