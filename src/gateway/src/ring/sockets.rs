//! The life of a socket on the ring: adopted, connected, closed.
//!
//! Holds what is in flight for each socket. A slot, its descriptor and the memory of its operations go
//! only when nothing of it is in flight.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use io_uring::types::Fd;
use io_uring::{opcode, squeue};
use socket2::{SockAddr, SockRef};

use super::event::Event;
use super::queue::Kind;
use super::receive::Receive;
use super::transmit::Transmission;
use super::{Ring, SocketId};

/// A socket and what is in flight on it.
pub(super) struct Socket {
    pub(super) descriptor: OwnedFd,
    pub(super) receive: Receive,
    /// Its place in the ring's own table of files, where it has one.
    place: Option<u32>,
    /// Whether the owner wants bytes; the receive is armed again as long as it does.
    pub(super) receive_wanted: bool,
    /// Whether a byte was received since the receive was armed.
    pub(super) fed: bool,
    /// Whether the receive was armed for a bounded number of bytes.
    pub(super) limited: bool,
    pub(super) transmission: Option<Transmission>,
    /// Bytes of a send that was settled and that nobody has asked about.
    pub(super) settled: Option<usize>,
    /// The address of a connect in flight.
    connect: Option<Box<SockAddr>>,
    pub(super) closing: bool,
}

impl Socket {
    fn fd(&self) -> Fd {
        Fd(self.descriptor.as_raw_fd())
    }

    /// What an entry names it by, and the flag that says which of the two this is.
    pub(super) fn target(&self) -> (Fd, squeue::Flags) {
        match self.place.and_then(|place| i32::try_from(place).ok()) {
            Some(place) => (Fd(place), squeue::Flags::FIXED_FILE),
            None => (self.fd(), squeue::Flags::empty()),
        }
    }

    fn is_busy(&self) -> bool {
        self.receive.is_in_flight() || self.transmission.is_some() || self.connect.is_some()
    }
}

impl Ring {
    /// Takes over a socket. Nothing is received until [`start_receive`](Self::start_receive).
    pub fn adopt(&mut self, descriptor: OwnedFd) -> SocketId {
        let id = self.sockets.insert(Socket {
            descriptor,
            place: None,
            receive: Receive::Idle,
            receive_wanted: false,
            fed: false,
            limited: false,
            transmission: None,
            settled: None,
            connect: None,
            closing: false,
        });
        if let Some(socket) = self.sockets.get_mut(id)
            && self.queue.fix_file(id.index, socket.fd())
        {
            socket.place = Some(id.index);
        }
        SocketId(id)
    }

    /// Whether the socket was adopted and not closed.
    #[must_use]
    pub fn is_open(&self, id: SocketId) -> bool {
        self.sockets.get(id.0).is_some()
    }

    /// The descriptor, for socket options and addresses; `None` once closed.
    #[must_use]
    pub fn descriptor(&self, id: SocketId) -> Option<BorrowedFd<'_>> {
        self.sockets.get(id.0).map(|socket| socket.descriptor.as_fd())
    }

    /// Connects a socket; one [`Event::Connected`] tells how it went. A second connect while one is in
    /// flight, which is a mistake of the caller, is answered by `ResourceBusy`.
    pub fn connect(&mut self, id: SocketId, address: &SockAddr) {
        let Some(socket) = self.sockets.get_mut(id.0) else { return };
        if socket.connect.is_some() {
            self.answers.push(Event::Connected { socket: id, result: Err(io::ErrorKind::ResourceBusy.into()) });
            return;
        }
        let address = socket.connect.insert(Box::new(address.clone()));
        let (pointer, bytes) = (address.as_ptr(), address.len());
        let (target, flags) = socket.target();
        let entry = opcode::Connect::new(target, pointer.cast(), bytes).build().flags(flags);
        let entry = entry.user_data(Kind::Connect.tag(id.0.index));
        // SAFETY: the address lies in a box that the socket's slot keeps until the completion was seen.
        unsafe { self.queue.push(entry) };
    }

    /// Ends our side of the stream; the peer's side stays. At once, so not behind a send in flight.
    pub fn shutdown_write(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.get(id.0) {
            // It fails where the connection is gone already, which the receive reports.
            let _ = SockRef::from(&socket.descriptor).shutdown(Shutdown::Write);
        }
    }

    /// Ends everything on the socket and closes it. Nothing more is reported for it; a send of
    /// [`SendMode::Try`](super::SendMode::Try) queued before is still tried.
    ///
    /// The descriptor is closed at once if nothing is in flight, else after the completions came.
    pub fn close(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get_mut(id.0) else { return };
        socket.closing = true;
        socket.receive_wanted = false;
        let index = id.0.index;
        if socket.receive == Receive::Starved {
            socket.receive = Receive::Idle;
        }
        if socket.receive == Receive::Armed {
            socket.receive = Receive::Stopping;
            self.queue.cancel(Kind::Receive.tag(index));
        }
        if socket.transmission.as_ref().is_some_and(Transmission::can_wait) {
            self.queue.cancel(Kind::Send.tag(index));
        }
        if socket.connect.is_some() {
            self.queue.cancel(Kind::Connect.tag(index));
        }
        self.sockets.retire(id.0);
        self.remove_if_done(index);
    }

    /// Drops a closing socket of which nothing is in flight any more.
    pub(super) fn remove_if_done(&mut self, index: u32) {
        if let Some((_, socket)) = self.sockets.at(index)
            && socket.closing
            && !socket.is_busy()
        {
            if let Some(place) = socket.place {
                self.queue.release_file(place);
            }
            self.sockets.remove(index);
        }
    }

    pub(super) fn connect_completed(&mut self, index: u32, result: i32, events: &mut Vec<Event>) {
        let Some((id, socket)) = self.sockets.at(index) else { return };
        socket.connect = None;
        if socket.closing {
            self.remove_if_done(index);
            return;
        }
        let result = if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(()) };
        events.push(Event::Connected { socket: SocketId(id), result });
    }
}
