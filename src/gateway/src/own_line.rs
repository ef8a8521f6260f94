//! A value that has its cache line to itself.
//!
//! What statements read of what shards share must not lie beside what sessions write when they begin or end: each
//! such write would cost the next statement of every other shard a miss.

use std::ops::Deref;

/// A value with nothing else on its cache line, nor on the one that a core fetches along with it: lines are of 64 bytes
/// and come in pairs on x86-64, and are of 128 on some others.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct OwnLine<T>(T);

impl<T> OwnLine<T> {
    /// Moves a value there.
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }
}

impl<T> Deref for OwnLine<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::{ListenerShared, Shared};

    #[test]
    fn nothing_lies_beside_what_statements_read() {
        assert_eq!((align_of::<OwnLine<u64>>(), size_of::<OwnLine<u64>>()), (128, 128));
        // A structure that has one inside is as aligned as it, so that no neighbour of the structure shares the line.
        assert_eq!((align_of::<ListenerShared>(), align_of::<Shared>()), (128, 128));
    }
}
