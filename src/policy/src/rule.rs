//! The number by which a rule is known after the config file is read.
//!
//! Rules are counted over the whole file, denies first and masks after, each in the order of the file. The
//! number means something only together with the [`crate::snapshot::Snapshot`] that gave it out; it must
//! never be stored longer than that, because the next snapshot may give it to another rule.

use core::fmt;

/// One `[[deny]]` or `[[mask]]` of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub u16);

impl RuleId {
    /// The mask that Wiregate puts itself on catalogue columns that show stored values or statement texts,
    /// for every user under a column mask. No rule of the file ever has this number.
    pub const BUILT_IN: Self = Self(u16::MAX);

    /// What takes the place of a cell whose origin the catalogue does not know, for users under a column
    /// mask. No rule of the file ever has this number.
    pub const UNKNOWN_ORIGIN: Self = Self(u16::MAX - 1);

    /// Most rules that one config may hold.
    pub const LIMIT: usize = 10_000;

    /// The number as an index.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
