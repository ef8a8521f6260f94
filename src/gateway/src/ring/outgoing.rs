//! What is to be sent on one socket, in order: ranges of received chunks and of memory of our own.
//!
//! Nothing is copied on the way in. A source is dropped as soon as no range of it is left to be sent, so
//! that a chunk goes back to the ring early. The bytes of a source never move while it is in the list:
//! the ring relies on that for sends in flight.

use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;

use super::Chunk;

/// A piece of heap made by [`Outgoing::to_heap`] grows up to this size before another is begun, so that
/// memory already sent is not kept for ever by what is appended behind it.
const HEAP_PIECE_BYTES: usize = 256 * 1024;

enum Source {
    Chunk(Chunk),
    Heap(Vec<u8>),
    Shared(Rc<[u8]>),
    /// Wholly sent; keeps its place so that the indices of others stand.
    Gone,
}

impl Source {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Chunk(chunk) => chunk,
            Self::Heap(bytes) => bytes,
            Self::Shared(bytes) => bytes,
            Self::Gone => &[],
        }
    }
}

struct Held {
    source: Source,
    /// Ranges of this source that are not wholly sent.
    ranges: usize,
}

struct Piece {
    source: usize,
    range: Range<usize>,
}

/// A list of ranges to send; see the module. Emptied, it keeps its capacity and can be used again.
#[derive(Default)]
pub struct Outgoing {
    held: VecDeque<Held>,
    /// Index of the first source in `held`: indices count on while sources go.
    first: usize,
    pieces: VecDeque<Piece>,
    len: usize,
    chunks: usize,
}

impl Outgoing {
    /// An empty list; allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { held: VecDeque::new(), first: 0, pieces: VecDeque::new(), len: 0, chunks: 0 }
    }

    /// Bytes left to send.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is left to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Chunks that wait here, each of them one buffer of the ring.
    #[must_use]
    pub fn chunks_held(&self) -> usize {
        self.chunks
    }

    /// Adds a chunk as a source without sending any of it, and gives its index for
    /// [`push_range`](Self::push_range).
    pub fn add_chunk(&mut self, chunk: Chunk) -> usize {
        self.chunks += 1;
        self.hold(Source::Chunk(chunk))
    }

    /// Adds bytes as a source without sending any of them, and gives their index.
    pub fn add_heap(&mut self, bytes: Vec<u8>) -> usize {
        self.hold(Source::Heap(bytes))
    }

    /// Sends all of `bytes` after what is there.
    pub fn push_heap(&mut self, bytes: Vec<u8>) {
        let range = 0..bytes.len();
        if !range.is_empty() {
            let source = self.hold(Source::Heap(bytes));
            self.push_range(source, range);
        }
    }

    /// Sends all of `bytes`, which others may send too, after what is there.
    pub fn push_shared(&mut self, bytes: Rc<[u8]>) {
        let range = 0..bytes.len();
        if !range.is_empty() {
            let source = self.hold(Source::Shared(bytes));
            self.push_range(source, range);
        }
    }

    /// Sends a range of a source after what is there. Ranges of a source that touch become one.
    ///
    /// # Panics
    /// When the index was not given by this list, its source was already sent, or the range lies outside
    /// of it: like the indexing of a slice. Leaving bytes out would be worse.
    pub fn push_range(&mut self, source: usize, range: Range<usize>) {
        let held = source.checked_sub(self.first).and_then(|position| self.held.get_mut(position));
        let held = held.filter(|held| range.start <= range.end && range.end <= held.source.bytes().len());
        let Some(held) = held else { panic!("no range {range:?} in source {source} of this list") };
        if range.is_empty() {
            return;
        }
        self.len += range.len();
        if let Some(last) = self.pieces.back_mut()
            && last.source == source
            && last.range.end == range.start
        {
            last.range.end = range.end;
            return;
        }
        held.ranges += 1;
        self.pieces.push_back(Piece { source, range });
    }

    /// The ranges left, in order; none is empty.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(|piece| self.bytes(piece))
    }

    /// Whether one operation of so many ranges and bytes can send it all.
    pub(super) fn fits(&self, ranges: usize, bytes: usize) -> bool {
        self.pieces.len() <= ranges && self.len <= bytes
    }

    /// Forgets the first `count` bytes, which were sent, and drops every source of which nothing is left.
    pub fn advance(&mut self, count: usize) {
        debug_assert!(count <= self.len, "more was sent than there was");
        let mut left = count.min(self.len);
        self.len -= left;
        while left > 0 {
            let Some(piece) = self.pieces.front_mut() else { break };
            let taken = left.min(piece.range.len());
            piece.range.start += taken;
            left -= taken;
            if piece.range.is_empty() {
                let source = piece.source;
                self.pieces.pop_front();
                if let Some(held) = self.held.get_mut(source - self.first) {
                    held.ranges -= 1;
                }
            }
        }
        self.drop_sent_sources();
    }

    /// Drops everything and keeps the capacity.
    pub fn clear(&mut self) {
        self.pieces.clear();
        self.held.clear();
        self.first = 0;
        self.len = 0;
        self.chunks = 0;
    }

    /// Moves all of `other` behind what is there. Source indices of `other` are void.
    pub fn append(&mut self, mut other: Self) {
        if self.held.is_empty() && self.pieces.is_empty() {
            *self = other;
            return;
        }
        let shift = self.first + self.held.len();
        self.held.append(&mut other.held);
        let first = other.first;
        self.pieces.extend(other.pieces.drain(..).map(|mut piece| {
            piece.source = piece.source - first + shift;
            piece
        }));
        self.len += other.len;
        self.chunks += other.chunks;
    }

    /// Copies what is left in chunks to the heap and drops the chunks, so that their buffers go back.
    ///
    /// Only the chunks are copied: calling this again and again on a growing list costs each byte once.
    /// Source indices given before are void.
    pub fn to_heap(&mut self) {
        if self.chunks == 0 {
            return;
        }
        let mut old = std::mem::take(self);
        while let Some(piece) = old.pieces.pop_front() {
            let Some(held) = old.held.get_mut(piece.source - old.first) else { continue };
            held.ranges -= 1;
            match &mut held.source {
                Source::Chunk(chunk) => self.copy_in(chunk.get(piece.range).unwrap_or_default()),
                Source::Heap(bytes) if held.ranges == 0 => {
                    let source = self.hold(Source::Heap(std::mem::take(bytes)));
                    self.push_range(source, piece.range);
                }
                // Interleaved with chunks, as a session's own bytes are: small.
                Source::Heap(bytes) => self.copy_in(bytes.get(piece.range).unwrap_or_default()),
                Source::Shared(bytes) => {
                    let source = self.hold(Source::Shared(Rc::clone(bytes)));
                    self.push_range(source, piece.range);
                }
                Source::Gone => {}
            }
        }
    }

    /// Appends a copy of `bytes`, to the last piece if that is a piece of heap with room.
    fn copy_in(&mut self, bytes: &[u8]) {
        if let Some(piece) = self.pieces.back_mut()
            && piece.source + 1 == self.first + self.held.len()
            && let Some(Held { source: Source::Heap(last), .. }) = self.held.back_mut()
            && piece.range.end == last.len()
            && last.len() + bytes.len() <= HEAP_PIECE_BYTES
        {
            last.extend_from_slice(bytes);
            piece.range.end += bytes.len();
            self.len += bytes.len();
            return;
        }
        self.push_heap(bytes.to_vec());
    }

    fn hold(&mut self, source: Source) -> usize {
        self.held.push_back(Held { source, ranges: 0 });
        self.first + self.held.len() - 1
    }

    fn bytes(&self, piece: &Piece) -> &[u8] {
        let held = self.held.get(piece.source - self.first);
        held.and_then(|held| held.source.bytes().get(piece.range.clone())).unwrap_or_default()
    }

    fn drop_sent_sources(&mut self) {
        for held in &mut self.held {
            if held.ranges == 0 {
                if matches!(held.source, Source::Chunk(_)) {
                    self.chunks -= 1;
                }
                held.source = Source::Gone;
            }
        }
        while let Some(Held { source: Source::Gone, .. }) = self.held.front() {
            self.held.pop_front();
            self.first += 1;
        }
    }

    /// Panics when an invariant does not hold; for tests.
    #[cfg(test)]
    pub(super) fn invariants(&self) {
        assert_eq!(self.len, self.pieces().map(<[u8]>::len).sum::<usize>());
        assert!(self.pieces.iter().all(|piece| !piece.range.is_empty()));
        let chunks = self.held.iter().filter(|held| matches!(held.source, Source::Chunk(_))).count();
        assert_eq!(self.chunks, chunks);
        for (position, held) in self.held.iter().enumerate() {
            let ranges = self.pieces.iter().filter(|piece| piece.source == self.first + position).count();
            assert_eq!(held.ranges, ranges);
        }
    }
}

impl core::fmt::Debug for Outgoing {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("Outgoing")
            .field("len", &self.len)
            .field("pieces", &self.pieces.len())
            .field("chunks", &self.chunks)
            .finish_non_exhaustive()
    }
}
