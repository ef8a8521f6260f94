//! Sending: one send at a time for each socket, straight from chunks and heap.
//!
//! One range goes out as `send`, several as `sendmsg` with an array of ranges. The list, and that array,
//! belong to the socket's slot until the completion came; then the list goes back to its owner.
//!
//! # Sends without a completion
//! A send of [`SendMode::Try`] has `MSG_DONTWAIT`, so the kernel never arms a poll for it
//! (`REQ_F_NOWAIT` in `io_sendmsg_prep`): it is over when its entry was taken. It has
//! `IOSQE_CQE_SKIP_SUCCESS` too, so that success is silent and does not end the wait of the turn that
//! submits it; and `MSG_WAITALL`, which makes a short count a failure that does (`min_ret` in `io_send`).
//! After each turn, what was taken and has no completion was sent whole. Of that nothing is reported: a
//! session sends one message for each that it receives, and an event for each would cost it as much again.

use std::io;

use io_uring::opcode;

use super::event::{Event, SendMode};
use super::queue::Kind;
use super::{Outgoing, Ring, SocketId};

/// Ranges of one `sendmsg`; the rest of a longer list shows as a short count. Enough for a chunk of small
/// frames with a few changed cells; an array of the kernel's limit of 1024 would be 16 KiB per send.
const VECTORS: usize = 64;

/// Bytes of one send that the kernel accepts at most (`MAX_RW_COUNT`).
const SEND_MAX: usize = 0x7fff_f000;

/// Arrays and lists kept for the next sends. A shard has few in flight at once: those of one turn, and of
/// slow readers.
const SPARES: usize = 256;

/// The memory of a vectored send beside the bytes themselves.
pub(super) struct Vectors {
    message: libc::msghdr,
    ranges: [libc::iovec; VECTORS],
}

impl Vectors {
    fn new() -> Box<Self> {
        let empty = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        // SAFETY: `msghdr` is a C struct of integers and pointers (and, on some C libraries, padding that
        // must be zero); all zeroes is "no address, no ranges, no control data".
        let message = unsafe { std::mem::zeroed() };
        Box::new(Self { message, ranges: [empty; VECTORS] })
    }

    /// Points the array at the first ranges of the list; gives the header's address.
    fn fill(&mut self, outgoing: &Outgoing) -> *const libc::msghdr {
        let mut count = 0;
        let mut room = SEND_MAX;
        for (range, piece) in self.ranges.iter_mut().zip(outgoing.pieces()) {
            range.iov_base = piece.as_ptr().cast_mut().cast();
            range.iov_len = piece.len().min(room);
            room -= range.iov_len;
            count += 1;
            if room == 0 {
                break;
            }
        }
        self.message.msg_iov = self.ranges.as_mut_ptr();
        self.message.msg_iovlen = count;
        &raw const self.message
    }
}

/// A send in flight.
pub(super) struct Transmission {
    outgoing: Outgoing,
    vectors: Option<Box<Vectors>>,
    mode: SendMode,
    /// Number of the entry of a silent send.
    number: Option<u64>,
}

/// A silent send: its number, and the slot of its socket.
pub(super) type Silent = (u64, u32);

impl Transmission {
    /// Whether it may stay in flight after its submission.
    pub(super) fn can_wait(&self) -> bool {
        self.mode == SendMode::Wait
    }
}

impl Ring {
    /// Sends a list. One [`Event::Sent`] brings back what is left of it, which may be all or nothing, unless
    /// it was sent whole in [`SendMode::Try`]: then [`take_settled`](Self::take_settled) says so.
    ///
    /// Short counts are ordinary: the socket's buffer is full, or the list has more than 64 ranges.
    /// A socket has one send at a time: another, which is a mistake of the caller, is answered by
    /// `ResourceBusy` and the whole list. For a socket that was closed the list is dropped.
    pub fn send(&mut self, id: SocketId, outgoing: Outgoing, mode: SendMode) {
        let Some(socket) = self.sockets.get_mut(id.0) else { return };
        if socket.transmission.is_some() || outgoing.is_empty() {
            let busy = Err(io::ErrorKind::ResourceBusy.into());
            let result = if outgoing.is_empty() { Ok(0) } else { busy };
            self.answers.push(Event::Sent { socket: id, outgoing: Box::new(outgoing), result });
            return;
        }
        let (target, fixed) = socket.target();
        socket.settled = None;
        // What one entry cannot name is left over however much the kernel takes, and must be reported.
        let silent = mode == SendMode::Try && outgoing.fits(VECTORS, SEND_MAX);
        let transmission = socket.transmission.insert(Transmission { outgoing, vectors: None, mode, number: None });
        let flags = match mode {
            SendMode::Try => libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT | libc::MSG_WAITALL,
            SendMode::Wait => libc::MSG_NOSIGNAL,
        };
        let mut pieces = transmission.outgoing.pieces();
        let entry = match (pieces.next(), pieces.next()) {
            (Some(only), None) => {
                let len = u32::try_from(only.len().min(SEND_MAX)).unwrap_or(0);
                opcode::Send::new(target, only.as_ptr(), len).flags(flags).build()
            }
            _ => {
                drop(pieces);
                let vectors = transmission.vectors.insert(self.spare_vectors.pop().unwrap_or_else(Vectors::new));
                let message = vectors.fill(&transmission.outgoing);
                opcode::SendMsg::new(target, message).flags(flags.cast_unsigned()).build()
            }
        };
        let entry = entry.flags(fixed).user_data(Kind::Send.tag(id.0.index));
        // SAFETY: the slot keeps the list (whose sources do not move and which nobody can reach) and the
        // boxed array until the completion was seen or the send was settled.
        unsafe {
            if silent {
                let number = self.queue.push_silent(entry);
                transmission.number = Some(number);
                self.silent.push_back((number, id.0.index));
            } else {
                self.queue.push(entry);
            }
        }
    }

    /// Whether a send of the socket is in flight.
    #[must_use]
    pub fn is_sending(&self, id: SocketId) -> bool {
        self.sockets.get(id.0).is_some_and(|socket| socket.transmission.is_some())
    }

    /// Whether a send of [`SendMode::Try`] has sent everything since this was asked last, and how many bytes.
    pub fn take_settled(&mut self, id: SocketId) -> Option<usize> {
        self.sockets.get_mut(id.0)?.settled.take()
    }

    /// An empty list, with the memory of one that was sent where there is one.
    pub fn spare_list(&mut self) -> Outgoing {
        self.spare_lists.pop().unwrap_or_default()
    }

    /// Ends the silent sends that the kernel has taken and that have not failed. All completions of what
    /// was taken must have been handled.
    pub(super) fn settle_silent(&mut self) {
        if self.silent.is_empty() {
            return;
        }
        let taken = self.queue.taken();
        while let Some((number, index)) = self.silent.front().copied().filter(|(number, _)| *number < taken) {
            self.silent.pop_front();
            if let Some((_, socket)) = self.sockets.at(index)
                && socket.transmission.as_ref().is_some_and(|transmission| transmission.number == Some(number))
                && let Some(transmission) = socket.transmission.take()
            {
                self.queue.settle();
                socket.settled = Some(transmission.outgoing.len());
                let closing = socket.closing;
                self.reuse(transmission);
                if closing {
                    self.remove_if_done(index);
                }
            }
        }
    }

    /// Gives chunks back, and keeps the memory of the lists.
    fn reuse(&mut self, transmission: Transmission) {
        let Transmission { mut outgoing, vectors, .. } = transmission;
        self.keep(vectors);
        if self.spare_lists.len() < SPARES {
            outgoing.clear();
            self.spare_lists.push(outgoing);
        }
    }

    fn keep(&mut self, vectors: Option<Box<Vectors>>) {
        if let Some(vectors) = vectors
            && self.spare_vectors.len() < SPARES
        {
            self.spare_vectors.push(vectors);
        }
    }

    pub(super) fn send_completed(&mut self, index: u32, result: i32, events: &mut Vec<Event>) {
        let Some((id, socket)) = self.sockets.at(index) else { return };
        let Some(Transmission { mut outgoing, vectors, .. }) = socket.transmission.take() else { return };
        let closing = socket.closing;
        self.keep(vectors);
        let result = usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result));
        if result.as_ref().map_or(true, |count| *count < outgoing.len()) {
            self.counters.short_sends += 1;
        }
        if closing {
            drop(outgoing);
            self.remove_if_done(index);
            return;
        }
        if let Ok(count) = result {
            outgoing.advance(count);
        }
        events.push(Event::Sent { socket: SocketId(id), outgoing: Box::new(outgoing), result });
    }
}
