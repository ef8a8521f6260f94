//! Instants as RFC 3339 text, in UTC with microseconds, fast enough to be written once a statement.
//!
//! Only formatting: reading the clock is the caller's business.

/// Bytes of every formatted instant: `2026-11-20T19:04:27.123456Z`.
pub(crate) const LENGTH: usize = 27;

/// Appends nanoseconds since the Unix epoch as `2026-11-20T19:04:27.123456Z`.
///
/// Digits below the microsecond are dropped, not rounded, so that order is kept.
pub fn rfc3339(unix_ns: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(Calendar::new().text(unix_ns));
}

/// Formats instants one after another: of those within one second, only the fraction.
#[derive(Clone, Debug)]
pub(crate) struct Calendar {
    /// Where the second begins that `text` tells.
    second_ns: u64,
    text: [u8; LENGTH],
}

impl Calendar {
    pub(crate) const fn new() -> Self {
        Self { second_ns: 0, text: *b"1970-01-01T00:00:00.000000Z" }
    }

    /// As [`rfc3339`].
    #[inline]
    pub(crate) fn text(&mut self, unix_ns: u64) -> &[u8; LENGTH] {
        let within = match unix_ns.checked_sub(self.second_ns) {
            Some(within) if within < 1_000_000_000 => within,
            _ => {
                self.turn(unix_ns / 1_000_000_000);
                unix_ns % 1_000_000_000
            }
        };
        // Both fit.
        let micros = u32::try_from(within / 1_000).unwrap_or(0);
        let [_, _, first, second] = four_digits(micros / 10_000);
        let rest = four_digits(micros % 10_000);
        self.text[20..22].copy_from_slice(&[first, second]);
        self.text[22..26].copy_from_slice(&rest);
        &self.text
    }

    /// Begins another second.
    #[cold]
    fn turn(&mut self, seconds: u64) {
        self.second_ns = seconds * 1_000_000_000;
        let (year, month, day) = civil_from_days(seconds / 86_400);
        let of_day = seconds % 86_400;
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        let pairs = [(0, year / 100), (2, year), (5, month), (8, day), (11, hour), (14, minute), (17, second)];
        for (at, value) in pairs {
            self.put(at, value);
        }
    }

    fn put(&mut self, at: usize, value: u64) {
        let [_, _, tens, ones] = four_digits(u32::try_from(value % 100).unwrap_or(0));
        self.text[at] = tens;
        self.text[at + 1] = ones;
    }
}

/// The four decimal digits of a number below 10,000.
///
/// Both halves of it and then both digits of each half are divided at once in one word: Paul Khuong, "How to print
/// integers really fast".
#[inline]
pub(crate) const fn four_digits(value: u32) -> [u8; 4] {
    // value / 100, exact below 43,699; x / 10 = x * 103 / 1024, exact below 179.
    let hundreds = (value * 5_243) >> 19;
    let halves = hundreds | ((value - hundreds * 100) << 16);
    let tens = ((halves * 103) >> 10) & 0x000f_000f;
    let digits = tens | ((halves - tens * 10) << 8);
    (digits | 0x3030_3030).to_le_bytes()
}

/// Year, month and day of a count of days since 1970-01-01, in the Gregorian calendar.
///
/// Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`: years begin in March, so
/// that the leap day is the last of its year.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(unix_ns: u64) -> String {
        let mut out = Vec::new();
        rfc3339(unix_ns, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_instants() {
        assert_eq!(text(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(text(951_782_399_999_999_999), "2000-02-28T23:59:59.999999Z");
        assert_eq!(text(951_782_400_000_000_000), "2000-02-29T00:00:00.000000Z");
        assert_eq!(text(951_868_800_000_001_000), "2000-03-01T00:00:00.000001Z");
        assert_eq!(text(1_795_201_467_123_456_789), "2026-11-20T19:04:27.123456Z");
        assert_eq!(text(4_107_542_400_000_000_000), "2100-03-01T00:00:00.000000Z");
    }

    #[test]
    fn four_digits_are_those_of_every_number() {
        for value in 0..10_000 {
            assert_eq!(four_digits(value).as_slice(), format!("{value:04}").as_bytes());
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let lengths = |year: u64| {
            let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
            [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        };
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..200_000 {
            assert_eq!(civil_from_days(days), (year, month, day), "day {days}");
            day += 1;
            if day > lengths(year)[usize::try_from(month - 1).unwrap()] {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
    }

    #[test]
    fn an_instant_reads_the_same_whatever_was_written_before_it() {
        let second = 1_000_000_000;
        let mut calendar = Calendar::new();
        for unix_ns in [5, 0, second - 1, second, 59 * second, 60 * second, 86_400 * second, 3 * second, u64::MAX, 0] {
            assert_eq!(calendar.text(unix_ns).as_slice(), text(unix_ns).as_bytes());
        }
    }

    #[test]
    fn the_last_instant_is_written_too() {
        assert_eq!(text(u64::MAX), "2554-07-21T23:34:33.709551Z");
    }
}
