//! Detectors by name, and the set of them that looks at one column.

use std::fmt;
use std::str::FromStr;

use wire::guard::CellOutcome;
use wire::value::{Encoding, ValueType};

use super::cell::scan;
use super::hints::Hints;
use crate::mask::value::Shape;
use crate::mask::{MaskCounts, Method};
use crate::rule::RuleId;

/// What a detector looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Detector {
    /// A payment card's number.
    Card,
    /// An e-mail address.
    Email,
    /// A social security number of the United States.
    Ssn,
}

impl Detector {
    /// Every detector, in the order of their names.
    pub const ALL: [Self; 3] = [Self::Card, Self::Email, Self::Ssn];

    /// The name in a config file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Email => "email",
            Self::Ssn => "ssn",
        }
    }
}

impl fmt::Display for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No detector has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DetectorError;

impl fmt::Display for DetectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown detector; known are \"card\", \"email\" and \"ssn\"")
    }
}

impl std::error::Error for DetectorError {}

impl FromStr for Detector {
    type Err = DetectorError;

    fn from_str(name: &str) -> Result<Self, DetectorError> {
        Self::ALL.into_iter().find(|detector| detector.name() == name).ok_or(DetectorError)
    }
}

/// One detector under one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetectorUse {
    /// The rule that asks for it.
    pub rule: RuleId,
    /// What it looks for.
    pub detector: Detector,
    /// What becomes of what it finds.
    pub method: Method,
}

/// The detectors that look at one column, compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetectorSet {
    uses: Box<[DetectorUse]>,
}

impl DetectorSet {
    /// Compiles uses in the order of their rules; of two that look for the same, the first acts.
    pub fn compile(uses: &[DetectorUse]) -> Self {
        let mut acting: Vec<DetectorUse> = Vec::new();
        for one in uses {
            if !acting.iter().any(|other| other.detector == one.detector) {
                acting.push(one.clone());
            }
        }
        Self { uses: acting.into() }
    }

    /// The uses that act, in order.
    pub fn uses(&self) -> &[DetectorUse] {
        &self.uses
    }

    /// Whether it looks for nothing.
    pub fn is_empty(&self) -> bool {
        self.uses.is_empty()
    }

    /// Where in a batch a cell of this type may be that these detectors would change; empty where they never
    /// look into the type.
    pub(crate) fn hints(&self, value_type: ValueType, encoding: Encoding) -> Hints {
        self.uses.iter().fold(Hints::default(), |hints, one| hints | Hints::of(one.detector, value_type, encoding))
    }

    /// Masks what is found in one whole cell, and counts the cell for each rule that changed it.
    pub(crate) fn scan_cell(&self, shape: Shape, cell: &mut [u8], counts: &mut MaskCounts) -> CellOutcome {
        scan(&self.uses, shape, cell, counts)
    }
}
