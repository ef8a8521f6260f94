//! Dates and moments in PostgreSQL's text and binary forms, as far as masks compute with them.
//!
//! Text is read in the ISO style only, which is the server's default and what drivers ask for; any other
//! style, `infinity` and years before 1 give `None`, and the caller then redacts. Sources: `date_send`,
//! `timestamptz_send` and `EncodeDateTime` in PostgreSQL's `utils/adt`; the proleptic Gregorian calendar of
//! ISO 8601.

/// Days from 1 January of year 1 to 1 January 2000, the first day of the binary forms.
const EPOCH_DAYS: i64 = 730_119;

const DAYS_OF_400_YEARS: i64 = 146_097;

const DAY_MICROS: i64 = 86_400_000_000;

/// Last year that a date of the server may have.
const LAST_YEAR: i64 = 5_874_897;

/// A point in time: days since 2000-01-01 and microseconds of that day, in UTC where the value had a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) day: i64,
    pub(super) micros: i64,
    /// Whether the text had a zone.
    pub(super) zoned: bool,
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of the year before each month.
const BEFORE_MONTH: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/// The day of 1 January of a year from 1 on.
pub(super) fn first_day(year: i64) -> i64 {
    let past = year - 1;
    past * 365 + past / 4 - past / 100 + past / 400 - EPOCH_DAYS
}

/// The day of a calendar date, if there is such a date.
pub(super) fn day_of(year: i64, month: i64, day: i64) -> Option<i64> {
    let index = usize::try_from(month.checked_sub(1)?).ok()?;
    let before = *BEFORE_MONTH.get(index)?;
    let next = BEFORE_MONTH.get(index + 1).copied().unwrap_or(365);
    let days = next - before + i64::from(month == 2 && is_leap(year));
    let known = (1..=LAST_YEAR).contains(&year) && (1..=days).contains(&day);
    known.then(|| first_day(year) + before + i64::from(month > 2 && is_leap(year)) + day - 1)
}

/// The year, month and day of a day that is not before year 1.
pub(super) fn date_of(day: i64) -> Option<(i64, i64, i64)> {
    let since_first = day.checked_add(EPOCH_DAYS).filter(|days| *days >= 0)?;
    // One year too many at most: 400 years have 146,097 days.
    let mut year = since_first.checked_mul(400)? / DAYS_OF_400_YEARS + 1;
    while first_day(year) > day {
        year -= 1;
    }
    while first_day(year + 1) <= day {
        year += 1;
    }
    let of_year = day - first_day(year);
    let month =
        (1..=12).rev().find(|month| day_of(year, *month, 1).is_some_and(|first| first - first_day(year) <= of_year))?;
    Some((year, month, day - day_of(year, month, 1)? + 1))
}

/// The year of a day, from 1 on.
pub(super) fn year_of(day: i64) -> Option<i64> {
    date_of(day).map(|date| date.0)
}

/// `YYYY-MM-DD`, with more digits for later years.
pub(super) fn date_text(day: i64) -> Option<String> {
    let (year, month, day) = date_of(day)?;
    Some(format!("{year:04}-{month:02}-{day:02}"))
}

/// `YYYY-MM-DD HH:MM:SS`, with microseconds where there are some, and `+00` where there is a zone.
pub(super) fn moment_text(moment: Moment) -> Option<String> {
    let seconds = moment.micros / 1_000_000;
    let (hour, minute, second, micros) = (seconds / 3600, seconds / 60 % 60, seconds % 60, moment.micros % 1_000_000);
    let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
    let zone = if moment.zoned { "+00" } else { "" };
    Some(format!("{} {hour:02}:{minute:02}:{second:02}{fraction}{zone}", date_text(moment.day)?))
}

/// Reads `YYYY-MM-DD`.
pub(super) fn read_date(text: &[u8]) -> Option<i64> {
    let mut walk = Walk(text);
    let day = walk.date()?;
    walk.0.is_empty().then_some(day)
}

/// Reads `YYYY-MM-DD HH:MM:SS`, with a fraction of a second and a zone where they are there, or a date.
pub(super) fn read_moment(text: &[u8]) -> Option<Moment> {
    let mut walk = Walk(text);
    let day = walk.date()?;
    if walk.0.is_empty() {
        return Some(Moment { day, micros: 0, zoned: false });
    }
    walk.sign(b" T")?;
    let hour = walk.number(2, 2).filter(|hour| *hour <= 24)?;
    walk.sign(b":")?;
    let minute = walk.number(2, 2).filter(|minute| *minute < 60)?;
    walk.sign(b":")?;
    let second = walk.number(2, 2).filter(|second| *second <= 60)?;
    let fraction = if walk.sign(b".").is_some() { walk.fraction()? } else { 0 };
    let zone = walk.zone()?;
    let micros = ((hour * 60 + minute) * 60 + second - zone.unwrap_or(0)) * 1_000_000 + fraction;
    let moment = Moment {
        day: day + micros.div_euclid(DAY_MICROS),
        micros: micros.rem_euclid(DAY_MICROS),
        zoned: zone.is_some(),
    };
    walk.0.is_empty().then_some(moment)
}

/// Reads a binary date; infinities are none.
pub(super) fn date_from_binary(cell: &[u8]) -> Option<i64> {
    let day = i32::from_be_bytes(cell.try_into().ok()?);
    (day != i32::MAX && day != i32::MIN).then_some(day.into())
}

/// A binary date.
pub(super) fn date_to_binary(day: i64) -> Option<[u8; 4]> {
    i32::try_from(day).ok().map(i32::to_be_bytes)
}

/// Reads a binary timestamp; infinities are none.
pub(super) fn moment_from_binary(cell: &[u8]) -> Option<Moment> {
    let micros = i64::from_be_bytes(cell.try_into().ok()?);
    let finite = micros != i64::MAX && micros != i64::MIN;
    finite.then(|| Moment { day: micros.div_euclid(DAY_MICROS), micros: micros.rem_euclid(DAY_MICROS), zoned: false })
}

/// A binary timestamp.
pub(super) fn moment_to_binary(moment: Moment) -> Option<[u8; 8]> {
    moment.day.checked_mul(DAY_MICROS)?.checked_add(moment.micros).map(i64::to_be_bytes)
}

struct Walk<'a>(&'a [u8]);

impl Walk<'_> {
    /// A number of so many digits.
    fn number(&mut self, fewest: usize, most: usize) -> Option<i64> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(fewest..=most).contains(&digits) {
            return None;
        }
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        Some(number.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
    }

    /// One of these signs.
    fn sign(&mut self, signs: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        if !signs.contains(first) {
            return None;
        }
        self.0 = rest;
        Some(*first)
    }

    fn date(&mut self) -> Option<i64> {
        let year = self.number(4, 7)?;
        self.sign(b"-")?;
        let month = self.number(2, 2)?;
        self.sign(b"-")?;
        let day = self.number(2, 2)?;
        day_of(year, month, day)
    }

    /// Microseconds.
    fn fraction(&mut self) -> Option<i64> {
        let before = self.0.len();
        let digits = self.number(1, 6)?;
        let read = u32::try_from(before - self.0.len()).ok()?;
        Some(digits * 10i64.pow(6 - read))
    }

    /// Seconds east of Greenwich; the inner `None` is no zone.
    #[expect(clippy::option_option, reason = "a zone that cannot be read is not the same as none")]
    fn zone(&mut self) -> Option<Option<i64>> {
        let Some(sign) = self.sign(b"+-") else { return Some(None) };
        let mut seconds = self.number(2, 2)? * 3600;
        for unit in [60, 1] {
            if self.sign(b":").is_some() {
                seconds += self.number(2, 2)? * unit;
            }
        }
        Some(Some(if sign == b'-' { -seconds } else { seconds }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_the_same_both_ways() {
        assert_eq!(day_of(2000, 1, 1), Some(0));
        assert_eq!(day_of(1970, 1, 1), Some(-10_957));
        assert_eq!(day_of(2000, 3, 1), Some(60));
        for (year, month, day) in [(1900, 2, 29), (2023, 2, 29), (2024, 13, 1), (2024, 0, 1), (2024, 4, 31), (0, 1, 1)]
        {
            assert_eq!(day_of(year, month, day), None);
        }
        for day in (-730_119..1_000_000).step_by(13).chain([2_145_031_948]) {
            let (year, month, of_month) = date_of(day).unwrap();
            assert_eq!(day_of(year, month, of_month), Some(day));
        }
        assert_eq!(date_of(-730_120), None);
        assert_eq!(date_of(i64::MAX), None);
    }

    #[test]
    fn moments_are_read_in_utc() {
        let text = |text: &str| read_moment(text.as_bytes()).and_then(moment_text);
        for (value, same) in [
            ("1984-05-06 07:08:09", "1984-05-06 07:08:09"),
            ("1984-05-06 07:08:09.5", "1984-05-06 07:08:09.500000"),
            ("1984-05-06 00:08:09+02", "1984-05-05 22:08:09+00"),
            ("1984-12-31 23:00:00-03:30", "1985-01-01 02:30:00+00"),
            ("12024-01-01 00:00:00", "12024-01-01 00:00:00"),
            ("1984-05-06", "1984-05-06 00:00:00"),
        ] {
            assert_eq!(text(value).as_deref(), Some(same), "{value}");
        }
        for other in [
            "infinity",
            "06.05.1984 07:08:09",
            "0044-03-15 00:00:00 BC",
            "1984-05-06 07:08",
            "1984-05-06 07:08:09+2",
            "",
        ] {
            assert_eq!(text(other), None, "{other}");
        }
        let moment = read_moment(b"1984-05-06 07:08:09.25").unwrap();
        assert_eq!(moment_from_binary(&moment_to_binary(moment).unwrap()), Some(moment));
        assert_eq!(moment_from_binary(&i64::MIN.to_be_bytes()), None);
        assert_eq!(date_from_binary(&i32::MAX.to_be_bytes()), None);
    }
}
