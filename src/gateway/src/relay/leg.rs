//! One side of an established session: its socket, what came in and waits, what goes out and waits.

use std::collections::VecDeque;

use wire::segments::{Segment, Segments};

use crate::limits::{BACKLOG_HIGH_BYTES, BACKLOG_LOW_BYTES, CHUNKS_PER_LEG};
use crate::ring::{Chunk, Outgoing, Ring, SendMode, SocketId};
use crate::setup::port::PortParts;
use crate::tls::{TlsError, TlsStream};

/// Bytes that came from a side and are not processed yet.
pub(crate) enum Input {
    /// As the ring delivered them.
    Raw(Chunk),
    /// As the socket delivered them, moved to the heap.
    RawHeap(Vec<u8>),
    /// Decrypted, or never encrypted.
    Plain(Vec<u8>),
}

/// Where the ranges of [`Segment::Chunk`] lie.
pub(crate) enum Source {
    /// In a provided buffer.
    Chunk(Chunk),
    /// On the heap.
    Heap(Vec<u8>),
}

impl Source {
    /// The bytes, to be walked and masked in place.
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        match self {
            Self::Chunk(chunk) => chunk,
            Self::Heap(bytes) => bytes,
        }
    }
}

/// One side of an established session.
pub(crate) struct Leg {
    /// Its socket.
    pub(crate) socket: SocketId,
    /// Its TLS state, if it is encrypted.
    pub(crate) tls: Option<Box<TlsStream>>,
    /// Received and not processed; empty but for sessions that wait for something.
    pub(crate) inbox: VecDeque<Input>,
    /// Whether the peer sends no more.
    pub(crate) input_ended: bool,
    /// Whether nothing more can be sent.
    pub(crate) output_ended: bool,
    outbox: Outgoing,
    /// Bytes of the send that is under way, as far as is known: see [`Leg::settle`].
    in_flight_bytes: Option<usize>,
    /// Whether the send that is under way reports only failure.
    silent: bool,
    paused: bool,
}

impl Leg {
    /// Takes over what the set-up has read ahead; the socket goes on receiving.
    pub(crate) fn new(parts: PortParts) -> Self {
        let mut inbox = VecDeque::new();
        if !parts.plain.is_empty() {
            inbox.push_back(Input::Plain(parts.plain));
        }
        if !parts.raw.is_empty() {
            inbox.push_back(Input::RawHeap(parts.raw));
        }
        Self {
            socket: parts.socket,
            tls: parts.tls,
            inbox,
            input_ended: parts.ended,
            output_ended: false,
            outbox: Outgoing::new(),
            in_flight_bytes: None,
            silent: false,
            paused: parts.paused,
        }
    }

    /// Bytes that wait for this side to read.
    pub(crate) fn backlog_bytes(&self) -> usize {
        self.outbox.len() + self.in_flight_bytes.unwrap_or(0)
    }

    /// Whether everything is sent.
    pub(crate) fn is_drained(&self) -> bool {
        self.output_ended || (self.outbox.is_empty() && self.in_flight_bytes.is_none())
    }

    /// Queues what a session wants sent, taking over the chunk that it refers to.
    ///
    /// Returns the source where nothing of it was needed, so that it can serve the other side.
    pub(crate) fn enqueue(&mut self, segments: &mut Segments, source: Source) -> Result<Option<Source>, TlsError> {
        if segments.is_empty() || self.output_ended {
            segments.clear();
            return Ok(Some(source));
        }
        if self.tls.is_some() {
            self.enqueue_sealed(segments, source).map(Some)
        } else {
            Ok(self.enqueue_plain(segments, source))
        }
    }

    fn enqueue_plain(&mut self, segments: &mut Segments, source: Source) -> Option<Source> {
        let owned = segments.take_owned();
        let owned_source = (!owned.is_empty()).then(|| self.outbox.add_heap(owned));
        let borrows = segments.list().iter().any(|segment| matches!(segment, Segment::Chunk(_)));
        let (chunk_source, unused) = match source {
            source if !borrows => (None, Some(source)),
            Source::Chunk(chunk) => (Some(self.outbox.add_chunk(chunk)), None),
            Source::Heap(bytes) => (Some(self.outbox.add_heap(bytes)), None),
        };
        for segment in segments.list() {
            match (segment, chunk_source, owned_source) {
                (Segment::Chunk(range), Some(source), _) | (Segment::Owned(range), _, Some(source)) => {
                    self.outbox.push_range(source, range.clone());
                }
                _ => debug_assert!(false, "a segment without its source"),
            }
        }
        segments.clear();
        unused
    }

    fn enqueue_sealed(&mut self, segments: &mut Segments, mut source: Source) -> Result<Source, TlsError> {
        let mut sealed = Vec::with_capacity(segments.len() + 64);
        if let Some(tls) = self.tls.as_mut() {
            let chunk: &[u8] = source.bytes();
            for segment in segments.list() {
                let plain = match segment {
                    Segment::Chunk(range) => chunk.get(range.clone()),
                    Segment::Owned(range) => segments.owned().get(range.clone()),
                };
                tls.seal(plain.unwrap_or_default(), &mut sealed)?;
            }
        }
        segments.clear();
        self.enqueue_raw(sealed);
        Ok(source)
    }

    /// Queues plaintext of Wiregate's own.
    pub(crate) fn enqueue_own(&mut self, plain: Vec<u8>) -> Result<(), TlsError> {
        match self.tls.as_mut() {
            None => self.enqueue_raw(plain),
            Some(tls) => {
                let mut sealed = Vec::with_capacity(plain.len() + 64);
                tls.seal(&plain, &mut sealed)?;
                self.enqueue_raw(sealed);
            }
        }
        Ok(())
    }

    /// Queues bytes as they are to appear on the socket.
    pub(crate) fn enqueue_raw(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() && !self.output_ended {
            self.outbox.push_heap(bytes);
        }
    }

    /// Whether receiving from this side is stopped because the other is slow.
    pub(crate) fn is_paused(&self) -> bool {
        self.paused
    }

    /// Takes note of a send that took everything, of which nobody tells.
    pub(crate) fn settle(&mut self, ring: &mut Ring) {
        if self.in_flight_bytes.is_some() && ring.take_settled(self.socket).is_some() {
            self.in_flight_bytes = None;
        }
    }

    /// Starts to send what is queued, unless a send is under way. Returns whether one is that will end
    /// without a word, so that this is to be called again after the next turn.
    ///
    /// A send of [`SendMode::Try`] that took everything is not reported: where something waits for its end,
    /// it has to be [`SendMode::Wait`].
    pub(crate) fn flush(&mut self, ring: &mut Ring, mode: SendMode) -> bool {
        self.settle(ring);
        if self.in_flight_bytes.is_some() {
            return self.silent;
        }
        if self.outbox.is_empty() || self.output_ended {
            return false;
        }
        let outgoing = std::mem::replace(&mut self.outbox, ring.spare_list());
        self.in_flight_bytes = Some(outgoing.len());
        self.silent = mode == SendMode::Try;
        ring.send(self.socket, outgoing, mode);
        false
    }

    /// A send came back. Returns whether the reader is slow: the rest waits in the kernel from now on.
    ///
    /// # Errors
    /// The socket's error; nothing more can be sent then.
    pub(crate) fn sent(
        &mut self,
        ring: &mut Ring,
        mut outgoing: Outgoing,
        result: std::io::Result<usize>,
    ) -> std::io::Result<bool> {
        self.in_flight_bytes = None;
        if let Err(error) = result
            && error.kind() != std::io::ErrorKind::WouldBlock
        {
            self.output_ended = true;
            self.outbox = Outgoing::new();
            return Err(error);
        }
        if outgoing.is_empty() {
            if self.outbox.is_empty() {
                // Keeps the memory of the lists for the next message.
                self.outbox = outgoing;
            }
            return Ok(false);
        }
        outgoing.append(std::mem::take(&mut self.outbox));
        if outgoing.chunks_held() > CHUNKS_PER_LEG || ring.buffers_free() < ring.buffers_total() / 2 {
            outgoing.to_heap();
        }
        self.in_flight_bytes = Some(outgoing.len());
        self.silent = false;
        ring.send(self.socket, outgoing, SendMode::Wait);
        Ok(true)
    }

    /// Moves queued bytes out of the ring's buffers while an earlier send waits for a slow reader.
    pub(crate) fn relieve(&mut self, ring: &Ring) {
        if self.in_flight_bytes.is_some()
            && (self.outbox.chunks_held() > CHUNKS_PER_LEG || ring.buffers_free() < ring.buffers_total() / 2)
        {
            self.outbox.to_heap();
        }
    }

    /// Stops receiving from this side because what it sent waits for the other; starts again when that
    /// has been read. Returns whether it stopped now.
    pub(crate) fn throttle(&mut self, ring: &mut Ring, backlog_bytes: usize) -> bool {
        if self.input_ended {
            return false;
        }
        if !self.paused && backlog_bytes > BACKLOG_HIGH_BYTES {
            self.paused = true;
            ring.stop_receive(self.socket);
            return true;
        }
        if self.paused && backlog_bytes < BACKLOG_LOW_BYTES {
            self.paused = false;
            ring.start_receive(self.socket);
        }
        false
    }
}
