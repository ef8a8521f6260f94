//! What a session wants sent to one side, in order.
//!
//! A session is handed one chunk at a time and may change it in place. What it lets pass is named as a
//! range of that chunk and never copied; what it adds lies in `owned`. The shell turns the list into one
//! vectored send and gives the chunk back to the ring when that send completes.
//!
//! Invariants, checked by [`Segments::invariants`]: ranges are not empty, chunk ranges ascend and do not
//! overlap, neighbours of one kind that touch are merged, owned ranges cover `owned` without a gap.

use core::ops::Range;

/// One piece of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Bytes of the chunk that the session was given in this call.
    Chunk(Range<usize>),
    /// Bytes of [`Segments::owned`].
    Owned(Range<usize>),
}

/// Output toward one side, gathered during one call into a session.
#[derive(Debug, Default)]
pub struct Segments {
    list: Vec<Segment>,
    owned: Vec<u8>,
}

impl Segments {
    /// An empty list; allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { list: Vec::new(), owned: Vec::new() }
    }

    /// Whether nothing is to be sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The pieces in order.
    #[must_use]
    pub fn list(&self) -> &[Segment] {
        &self.list
    }

    /// The bytes that [`Segment::Owned`] ranges point into.
    #[must_use]
    pub fn owned(&self) -> &[u8] {
        &self.owned
    }

    /// Bytes in all pieces together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list
            .iter()
            .map(|segment| match segment {
                Segment::Chunk(range) | Segment::Owned(range) => range.len(),
            })
            .sum()
    }

    /// Sends a range of the current chunk as it stands.
    pub fn push_chunk(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        if let Some(Segment::Chunk(last)) = self.list.last_mut()
            && last.end == range.start
        {
            last.end = range.end;
            return;
        }
        self.list.push(Segment::Chunk(range));
    }

    /// Sends bytes that are not in the chunk.
    pub fn push_owned(&mut self, bytes: &[u8]) {
        self.write_owned(|owned| owned.extend_from_slice(bytes));
    }

    /// Sends what `write` appends to the owned bytes.
    ///
    /// `write` must only append: what is already there belongs to earlier segments.
    pub fn write_owned(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.owned.len();
        write(&mut self.owned);
        let end = self.owned.len();
        debug_assert!(end >= start, "write_owned must append");
        if end <= start {
            return;
        }
        if let Some(Segment::Owned(last)) = self.list.last_mut()
            && last.end == start
        {
            last.end = end;
            return;
        }
        self.list.push(Segment::Owned(start..end));
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.list.clear();
        self.owned.clear();
    }

    /// Takes the owned bytes out; the list keeps its ranges into them.
    #[must_use]
    pub fn take_owned(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.owned)
    }

    /// Appends all pieces to `flat`, reading chunk ranges from `chunk`.
    pub fn flatten_into(&self, chunk: &[u8], flat: &mut Vec<u8>) {
        for segment in &self.list {
            flat.extend_from_slice(match segment {
                Segment::Chunk(range) => chunk.get(range.clone()).unwrap_or_default(),
                Segment::Owned(range) => self.owned.get(range.clone()).unwrap_or_default(),
            });
        }
    }

    /// Panics when an invariant of this type does not hold; for tests and simulation.
    pub fn invariants(&self) {
        let mut chunk_end = 0;
        let mut owned_end = 0;
        for segment in &self.list {
            match segment {
                Segment::Chunk(range) => {
                    assert!(range.start < range.end && range.start >= chunk_end, "{range:?}");
                    chunk_end = range.end;
                }
                Segment::Owned(range) => {
                    assert!(range.start < range.end && range.start == owned_end, "{range:?}");
                    owned_end = range.end;
                }
            }
        }
        assert!(owned_end == self.owned.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_merge_and_order_is_kept() {
        let chunk = b"abcdefgh";
        let mut segments = Segments::new();
        segments.push_chunk(0..2);
        segments.push_chunk(2..4);
        segments.push_owned(b"XY");
        segments.push_owned(b"Z");
        segments.push_owned(b"");
        segments.push_chunk(6..8);
        segments.push_chunk(8..8);
        segments.invariants();
        assert_eq!(segments.list().len(), 3);
        assert_eq!(segments.len(), 9);
        let mut flat = Vec::new();
        segments.flatten_into(chunk, &mut flat);
        assert_eq!(flat, b"abcdXYZgh");
    }
}
