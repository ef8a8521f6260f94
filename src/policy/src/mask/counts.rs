//! How many cells each rule masked: what the audit record of a statement says about its masks.
//!
//! One statement meets few rules, so the counts are a short list that is searched from the front and keeps
//! its memory from one statement to the next. Counting must never fail and must never allocate for a rule
//! that was seen before.

use crate::rule::RuleId;

/// Cells masked while the rows of one statement passed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaskCounts {
    rules: Vec<(RuleId, u64)>,
    oversized: u64,
}

impl MaskCounts {
    /// No cells.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more cell masked by a rule.
    pub fn add(&mut self, rule: RuleId) {
        match self.rules.iter_mut().find(|(known, _)| *known == rule) {
            Some((_, cells)) => *cells += 1,
            None => self.rules.push((rule, 1)),
        }
    }

    /// One more cell that was redacted whole because it was too large for its rule's detector or method.
    pub fn add_oversized(&mut self) {
        self.oversized += 1;
    }

    /// Adds the counts of `other` to these.
    pub fn merge(&mut self, other: &Self) {
        for &(rule, cells) in &other.rules {
            match self.rules.iter_mut().find(|(known, _)| *known == rule) {
                Some((_, sum)) => *sum += cells,
                None => self.rules.push((rule, cells)),
            }
        }
        self.oversized += other.oversized;
    }

    /// Forgets the counts and keeps the memory.
    pub fn clear(&mut self) {
        self.rules.clear();
        self.oversized = 0;
    }

    /// Cells by rule, in the order in which the rules were first met.
    pub fn by_rule(&self) -> &[(RuleId, u64)] {
        &self.rules
    }

    /// Cells masked by this rule.
    pub fn of(&self, rule: RuleId) -> u64 {
        self.rules.iter().find(|(known, _)| *known == rule).map_or(0, |&(_, cells)| cells)
    }

    /// Cells that were redacted whole because they were too large for their rule's detector or method.
    pub fn oversized(&self) -> u64 {
        self.oversized
    }

    /// Whether nothing was masked.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.oversized == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_by_rule_and_clear_to_nothing() {
        let mut counts = MaskCounts::new();
        assert!(counts.is_empty());
        counts.add(RuleId(3));
        counts.add(RuleId(1));
        counts.add(RuleId(3));
        counts.add_oversized();
        let mut sum = counts.clone();
        sum.merge(&counts);
        assert_eq!(sum.by_rule(), [(RuleId(3), 4), (RuleId(1), 2)]);
        assert_eq!((sum.of(RuleId(3)), sum.of(RuleId(9)), sum.oversized()), (4, 0, 2));
        counts.clear();
        assert_eq!(counts, MaskCounts::new());
    }
}
