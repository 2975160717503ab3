//! Exact decimal numbers: what a `decimal` field holds and rules compute with.
//!
//! It must never go through binary floating point, and it never rounds: what does not fit is refused.

use std::cmp::Ordering;
use std::fmt;

/// Most digits of a decimal: as many as any 64-bit number of units can have.
pub const PRECISION_MAX: u8 = 18;
/// Digits that a JSON number keeps exactly through a 64-bit float.
const FLOAT_DIGITS: usize = 15;

/// `units × 10^-scale`. Two values of one field have the same scale; others compare by what they are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    units: i64,
    scale: u8,
}

impl Decimal {
    /// From a count of the smallest units: `new(1250, 2)` is 12.50.
    pub const fn new(units: i64, scale: u8) -> Self {
        Self { units, scale }
    }

    /// How many of the smallest units.
    pub const fn units(self) -> i64 {
        self.units
    }

    /// Digits behind the point.
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// Reads `-12.5`: a sign, digits, perhaps a point and digits. The scale is what is written. `None` for anything
    /// else, an exponent included, and beyond [`PRECISION_MAX`] digits.
    pub fn parse(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let well_formed = digits(whole) && (digits(fraction) || !unsigned.contains('.'));
        let whole = whole.trim_start_matches('0');
        if !well_formed || whole.len() + fraction.len() > usize::from(PRECISION_MAX) {
            return None;
        }
        let units = whole.bytes().chain(fraction.bytes()).fold(0i64, |sum, b| sum * 10 + i64::from(b - b'0'));
        let sign = if unsigned.len() < text.len() { -1 } else { 1 };
        Some(Self { units: sign * units, scale: u8::try_from(fraction.len()).ok()? })
    }

    /// A JSON number as the client wrote it; `None` where a float may not have kept that exactly.
    pub fn from_number(number: &serde_json::Number) -> Option<Self> {
        if let Some(whole) = number.as_i64() {
            return Self::parse(&whole.to_string());
        }
        let text = number.as_f64().map(|float| float.to_string())?;
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        Self::parse(&text).filter(|_| digits <= FLOAT_DIGITS)
    }

    /// The same number with another scale; `None` where digits would be lost or not fit.
    pub fn rescaled(self, scale: u8) -> Option<Self> {
        let units = match scale.checked_sub(self.scale) {
            Some(more) => self.units.checked_mul(10i64.checked_pow(more.into())?)?,
            None => {
                let factor = 10i64.checked_pow((self.scale - scale).into())?;
                (self.units % factor == 0).then_some(self.units / factor)?
            }
        };
        Some(Self { units, scale })
    }

    /// The same number without zeros at its end.
    #[must_use]
    pub fn shortest(mut self) -> Self {
        while self.scale > 0 && self.units % 10 == 0 {
            self = Self { units: self.units / 10, scale: self.scale - 1 };
        }
        self
    }

    /// Whether it has at most `precision` digits.
    pub fn fits(self, precision: u8) -> bool {
        10i64
            .checked_pow(precision.into())
            .is_none_or(|limit| self.units.unsigned_abs() < limit.unsigned_abs())
    }

    /// By what they are worth.
    pub fn order(self, other: Self) -> Ordering {
        let widened = |this: Self, than: Self| {
            i128::from(this.units) * 10i128.pow(u32::from(than.scale.saturating_sub(this.scale)))
        };
        widened(self, other).cmp(&widened(other, self))
    }
}

impl fmt::Display for Decimal {
    /// As many digits behind the point as the scale says: `12.50`, `-0.05`, `7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.units < 0 { "-" } else { "" };
        let scale = usize::from(self.scale);
        let digits = format!("{:0>width$}", self.units.unsigned_abs(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        match fraction {
            "" => write!(f, "{sign}{whole}"),
            fraction => write!(f, "{sign}{whole}.{fraction}"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_and_shown_without_a_loss() {
        for (text, units, scale) in [
            ("0", 0, 0),
            ("12.50", 1250, 2),
            ("-0.05", -5, 2),
            ("007", 7, 0),
            ("999999999999999999", 999_999_999_999_999_999, 0),
            ("0.000000000000000001", 1, 18),
        ] {
            let decimal = Decimal::parse(text).unwrap();
            assert_eq!((decimal.units(), decimal.scale()), (units, scale), "{text}");
            assert_eq!(Decimal::parse(&decimal.to_string()), Some(decimal), "{text}");
        }
        for text in ["", "-", ".5", "5.", "1e3", "+1", " 1", "1_0", "1000000000000000000", "0x1", "--1"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_that_a_float_may_have_changed_are_refused() {
        let read = |text: &str| Decimal::from_number(&serde_json::from_str(text).unwrap());
        assert_eq!(read("0.1").unwrap().to_string(), "0.1");
        assert_eq!(read("-12.5").unwrap().to_string(), "-12.5");
        assert_eq!(read("900719925474099").unwrap().to_string(), "900719925474099");
        assert_eq!(read("0.1234567890123456"), None);
        assert_eq!(read("1e30"), None);
    }

    #[test]
    fn scales_change_only_where_nothing_is_lost() {
        let price = Decimal::new(1250, 2);
        assert_eq!(price.rescaled(4), Some(Decimal::new(125_000, 4)));
        assert_eq!(price.rescaled(1), Some(Decimal::new(125, 1)));
        assert_eq!(price.rescaled(0), None);
        assert_eq!(Decimal::new(i64::MAX, 0).rescaled(1), None);
        assert_eq!(price.shortest(), Decimal::new(125, 1));
        assert!(price.fits(4) && !price.fits(3));
        assert_eq!(price.order(Decimal::new(125, 1)), Ordering::Equal);
        assert_eq!(Decimal::new(i64::MIN, 0).order(Decimal::new(1, 18)), Ordering::Less);
    }
}
