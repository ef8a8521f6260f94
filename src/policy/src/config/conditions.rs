//! Conditions of rules: addresses, applications and times of the week, and patterns of functions.
//!
//! Each is read once and asked without allocation. The moment comes as an argument: this crate has no clock.
//! Time zones are those of the IANA database that is compiled in, so that a rule means the same on every
//! machine.

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// A network, `"10.0.0.0/8"`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether all of another network lies in it.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.prefix <= other.prefix && self.address.is_ipv4() == other.address.is_ipv4() && self.contains(other.address)
    }

    /// Whether an address lies in it. An IPv4 address that came in IPv6's clothes counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                (own.to_bits() ^ other.to_bits()) & mask == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                (own.to_bits() ^ other.to_bits()) & mask == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected an address such as \"10.1.2.3\" or a network such as \"10.0.0.0/8\"".to_owned();
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse::<u8>().ok().filter(|prefix| *prefix <= longest).ok_or_else(wrong)?,
            None => longest,
        };
        let network = Self { address, prefix };
        let zero = Self { address: host_bits_cleared(address, prefix), prefix };
        if zero == network {
            Ok(network)
        } else {
            Err(format!("the address has bits behind the prefix; the network is \"{}/{prefix}\"", zero.address))
        }
    }
}

fn host_bits_cleared(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

/// A name with stars in it, each for any characters: `"psql"`, `"pgAdmin*"`. Case counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(Box<str>);

impl Glob {
    /// Whether a name fits.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
        let mut parts = parts.peekable();
        if parts.peek().is_none() {
            return rest.is_empty();
        }
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return rest.ends_with(part);
            }
            match rest.find(part) {
                Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
                None => return false,
            }
        }
        false
    }
}

impl FromStr for Glob {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("must not be empty; \"*\" fits every name".into()) } else { Ok(Self(text.into())) }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which functions a deny covers: `"name"` or `"schema.name"`, with stars in either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionPattern {
    schema: Option<Glob>,
    name: Glob,
}

impl FunctionPattern {
    /// Whether a call may mean such a function. Without a schema it may mean that of any.
    #[must_use]
    pub fn may_match(&self, schema: Option<&str>, name: &str) -> bool {
        let in_schema = |own: &Glob| schema.is_none_or(|schema| own.matches(schema));
        self.schema.as_ref().is_none_or(in_schema) && self.name.matches(name)
    }
}

impl FromStr for FunctionPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (schema, name) = match text.rsplit_once('.') {
            Some((schema, name)) => (Some(schema), name),
            None => (None, text),
        };
        let plain = |part: &str| !part.is_empty() && !part.contains([' ', '(', ')', '"', '.']);
        if !plain(name) || schema.is_some_and(|schema| !plain(schema)) {
            return Err(
                "expected the name of a function, such as \"pg_sleep\", \"dblink*\" or \"reporting.refresh\"".into()
            );
        }
        Ok(Self { schema: schema.map(str::parse).transpose()?, name: name.parse()? })
    }
}

/// A set of days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days(u8);

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Days {
    /// Every day.
    pub const ALL: Self = Self(0x7f);

    /// Whether a day is in it, counted from Monday as 0.
    #[must_use]
    pub fn contains(self, day: u8) -> bool {
        self.0 & (1 << (day % 7)) != 0
    }

    /// All days of both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl FromStr for Days {
    type Err = String;

    /// `"mon"` or `"mon-fri"`, also over the end of the week, `"sat-mon"`.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = |name: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(name.trim()));
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (Some(first), Some(last)) = (number(first), number(last)) else {
            return Err("expected a day such as \"mon\" or days such as \"mon-fri\"".into());
        };
        let length = (last + 7 - first) % 7;
        Ok((0..=length).fold(Self(0), |days, offset| Self(days.0 | 1 << ((first + offset) % 7))))
    }
}

/// A time of the day, from one minute up to another; over midnight where the end comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    from: u16,
    to: u16,
}

const MINUTES: u16 = 24 * 60;

impl FromStr for Hours {
    type Err = String;

    /// `"08:00-18:00"`, `"22:00-06:00"`.
    fn from_str(text: &str) -> Result<Self, String> {
        let minute = |text: &str| {
            let (hour, minute) = text.trim().split_once(':')?;
            let digits = |part: &str| (part.len() == 2).then(|| part.parse::<u16>().ok()).flatten();
            let (hour, minute) = (digits(hour)?, digits(minute)?);
            (minute < 60 && hour * 60 + minute <= MINUTES).then_some(hour * 60 + minute)
        };
        let found = text.split_once('-').and_then(|(from, to)| Some((minute(from)?, minute(to)?)));
        let Some((from, to)) = found.filter(|(from, _)| *from < MINUTES) else {
            return Err("expected hours such as \"08:00-18:00\" or, over midnight, \"22:00-06:00\"".into());
        };
        if from == to {
            return Err("both ends are the same: leave `hours` out for the whole day".into());
        }
        Ok(Self { from, to })
    }
}

/// A time zone of the IANA database, `"Europe/Berlin"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// UTC.
    pub const UTC: Self = Self(TimeZone::UTC);
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = TimeZoneDatabase::bundled().get(text);
        found
            .map(Self)
            .map_err(|_| format!("unknown time zone \"{text}\"; expected a name such as \"Europe/Berlin\" or \"UTC\""))
    }
}

/// When a rule holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// `hours`: times of the day. Empty: all day.
    pub hours: Vec<Hours>,
    /// `days`: days of the week; hours over midnight belong to the day on which they begin.
    pub days: Days,
    /// `timezone`. Default `"UTC"`.
    pub zone: Zone,
}

impl Schedule {
    /// Whether the rule holds at a moment, in seconds since 1970.
    #[must_use]
    pub fn covers(&self, unix_seconds: i64) -> bool {
        // A moment that no calendar has is as good as none: the rule holds.
        let Ok(moment) = Timestamp::from_second(unix_seconds) else { return true };
        let local = self.zone.0.to_datetime(moment);
        let today = u8::try_from(local.weekday().to_monday_zero_offset()).unwrap_or(0);
        let yesterday = (today + 6) % 7;
        let minute = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        let begun_today = self.days.contains(today);
        let begun_yesterday = self.days.contains(yesterday);
        if self.hours.is_empty() {
            return begun_today;
        }
        self.hours.iter().any(|hours| {
            if hours.from < hours.to {
                begun_today && (hours.from..hours.to).contains(&minute)
            } else {
                (begun_today && minute >= hours.from) || (begun_yesterday && minute < hours.to)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        let network = |text: &str| text.parse::<Network>();
        let ten: Network = network("10.0.0.0/8").unwrap();
        assert!(ten.contains("10.255.0.1".parse().unwrap()) && !ten.contains("11.0.0.1".parse().unwrap()));
        assert!(ten.contains("::ffff:10.1.1.1".parse().unwrap()) && !ten.contains("::1".parse().unwrap()));
        assert!(network("0.0.0.0/0").unwrap().contains("1.2.3.4".parse().unwrap()));
        assert!(network("fe80::/10").unwrap().contains("fe80::1".parse().unwrap()));
        assert!(network("::/0").unwrap().contains("1::".parse().unwrap()));
        assert!(network("127.0.0.1").unwrap().contains("127.0.0.1".parse().unwrap()));
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/", "localhost"] {
            assert!(network(wrong).is_err(), "{wrong}");
        }
        assert!(network("10.1.2.3/8").unwrap_err().contains("\"10.0.0.0/8\""));
    }

    #[test]
    fn stars_stand_for_any_characters() {
        let fits = |glob: &str, name: &str| glob.parse::<Glob>().unwrap().matches(name);
        for (glob, name) in [
            ("psql", "psql"),
            ("*", ""),
            ("pg*", "pgAdmin 4"),
            ("*4", "pgAdmin 4"),
            ("p*A*4", "pgAdmin 4"),
            ("a*a", "aa"),
        ] {
            assert!(fits(glob, name), "{glob} {name}");
        }
        for (glob, name) in [("psql", "psql2"), ("a*a", "a"), ("p*x*4", "pgAdmin 4"), ("psql", "PSQL"), ("*a", "ab")] {
            assert!(!fits(glob, name), "{glob} {name}");
        }
        assert!("".parse::<Glob>().is_err());
    }

    fn schedule(hours: &[&str], days: &str, zone: &str) -> Schedule {
        Schedule {
            hours: hours.iter().map(|hours| hours.parse().unwrap()).collect(),
            days: days.parse().unwrap(),
            zone: zone.parse().unwrap(),
        }
    }

    /// 2024-01-01 was a Monday; the moment is given as day, hour and minute from its beginning in UTC.
    fn at(day: i64, hour: i64, minute: i64) -> i64 {
        1_704_067_200 + ((day * 24 + hour) * 60 + minute) * 60
    }

    #[test]
    fn hours_hold_on_their_days() {
        let work = schedule(&["08:00-12:00", "13:00-18:00"], "mon-fri", "UTC");
        assert!(work.covers(at(0, 8, 0)) && work.covers(at(4, 17, 59)));
        assert!(!work.covers(at(0, 7, 59)) && !work.covers(at(0, 12, 0)) && !work.covers(at(5, 9, 0)));
        let nights = schedule(&["22:00-06:00"], "fri", "UTC");
        assert!(nights.covers(at(4, 23, 0)) && nights.covers(at(5, 5, 59)));
        assert!(!nights.covers(at(4, 5, 0)) && !nights.covers(at(5, 6, 0)) && !nights.covers(at(5, 22, 0)));
        let weekend = schedule(&[], "sat-sun", "UTC");
        assert!(weekend.covers(at(6, 23, 59)) && !weekend.covers(at(7, 0, 0)));
        assert!(schedule(&[], "sat-mon", "UTC").covers(at(0, 0, 0)));
    }

    #[test]
    fn hours_follow_their_zone_through_the_year() {
        let work = schedule(&["08:00-18:00"], "mon-sun", "Europe/Berlin");
        // One hour ahead of UTC in January, two in July (day 182 is the first of July 2024).
        assert!(!work.covers(at(0, 6, 59)) && work.covers(at(0, 7, 0)));
        assert!(!work.covers(at(182, 5, 59)) && work.covers(at(182, 6, 0)));
        assert!("Mars/Olympus".parse::<Zone>().is_err());
        assert!(work.covers(i64::MAX));
    }

    #[test]
    fn what_is_no_time_is_said_so() {
        for wrong in ["", "8-18", "08:00", "08:00-24:01", "24:00-25:00", "08:60-09:00", "08:00-08:00", "8:00-9:00"] {
            assert!(wrong.parse::<Hours>().is_err(), "{wrong}");
        }
        assert!("00:00-24:00".parse::<Hours>().is_ok());
        for wrong in ["", "monday", "mon-", "0"] {
            assert!(wrong.parse::<Days>().is_err(), "{wrong}");
        }
    }
}
