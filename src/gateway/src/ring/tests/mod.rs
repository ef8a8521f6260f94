//! Tests of the ring through its public interface, with real sockets on loopback and the real kernel.
//!
//! [`Rig`] is a ring with a loop around it. Every test ends with [`Rig::finish`], which proves that no
//! buffer was lost and nothing is left in flight.

mod accept;
mod close;
mod connect;
mod files;
mod outgoing;
mod receive;
mod send;
mod wake;

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::*;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(10);

/// A ring, and what happened on it and was not asked for yet.
struct Rig {
    ring: Ring,
    pending: std::collections::VecDeque<Event>,
}

impl Rig {
    fn new(buffers: u16, buffer_bytes: u32) -> Self {
        Self::with_entries(64, buffers, buffer_bytes)
    }

    fn with_entries(entries: u32, buffers: u16, buffer_bytes: u32) -> Self {
        let ring = Ring::new(&RingConfig { entries, buffers, buffer_bytes }).unwrap();
        Self { ring, pending: std::collections::VecDeque::new() }
    }

    /// One turn that may block for as long as `limit`.
    fn turn(&mut self, limit: Duration) {
        let mut events = Vec::new();
        self.ring.turn(Wait::Until(Instant::now() + limit), &mut events).unwrap();
        self.pending.extend(events);
    }

    /// The next event; takes turns until there is one.
    fn next(&mut self) -> Event {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(event) = self.pending.pop_front() {
                return event;
            }
            assert!(Instant::now() < deadline, "nothing happened");
            // A send of `Try` that takes everything does not end a wait.
            self.turn(Duration::ZERO);
            if self.pending.is_empty() {
                self.turn(PATIENCE);
            }
        }
    }

    /// Takes turns for a while and asserts that nothing happens.
    fn assert_silence(&mut self) {
        let deadline = Instant::now() + Duration::from_millis(30);
        while Instant::now() < deadline {
            self.turn(Duration::from_millis(10));
        }
        assert!(self.pending.is_empty(), "{:?}", self.pending);
    }

    /// Receives from a socket until its end, each chunk dropped once copied.
    fn receive_all(&mut self, socket: SocketId) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            match self.next() {
                Event::Received { socket: of, chunk } if of == socket => bytes.extend_from_slice(&chunk),
                Event::ReceiveEnded { socket: of, end: ReceiveEnd::Eof } if of == socket => return bytes,
                event => panic!("{event:?}"),
            }
        }
    }

    /// The end of a send, reported or silent.
    fn sent(&mut self, socket: SocketId) -> (Outgoing, std::io::Result<usize>) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.pending.pop_front() {
                Some(Event::Sent { socket: of, outgoing, result }) if of == socket => return (*outgoing, result),
                Some(event) => panic!("{event:?}"),
                None => {}
            }
            if let Some(count) = self.ring.take_settled(socket) {
                return (Outgoing::new(), Ok(count));
            }
            assert!(Instant::now() < deadline, "nothing was sent");
            self.turn(if self.ring.is_sending(socket) { Duration::ZERO } else { Duration::from_millis(1) });
        }
    }

    /// Fills a socket until it stays full; gives what it took.
    fn fill(&mut self, socket: SocketId) -> Vec<u8> {
        let mut taken = Vec::new();
        let mut refusals = 0;
        while refusals < 40 {
            let bytes = pattern(taken.len() as u64, 4096);
            self.ring.send(socket, heap(&bytes), SendMode::Try);
            match self.sent(socket) {
                (outgoing, Ok(count)) => {
                    assert_eq!(outgoing.len(), 4096 - count);
                    taken.extend_from_slice(&bytes[..count]);
                    refusals = 0;
                }
                (outgoing, Err(error)) => {
                    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                    assert_eq!(outgoing.pieces().collect::<Vec<_>>(), [&bytes[..]]);
                    refusals += 1;
                    // Longer than a delayed acknowledgement.
                    thread::sleep(Duration::from_millis(3));
                }
            }
        }
        taken
    }

    /// Drops what was not asked for, closes what is left and proves that everything came back.
    fn finish(mut self) {
        self.pending.clear();
        let deadline = Instant::now() + PATIENCE;
        while self.ring.sockets.len() > 0 || self.ring.files.len() > 0 {
            assert!(Instant::now() < deadline, "still in flight: {:?}", self.ring);
            self.turn(Duration::from_millis(10));
            self.pending.clear();
        }
        let stats = self.ring.stats();
        assert_eq!(stats.buffers_free, stats.buffers_total);
    }
}

/// A TCP connection on loopback: ours for the ring, theirs for the test.
fn tcp_pair() -> (OwnedFd, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (ours, _) = listener.accept().unwrap();
    ours.set_nonblocking(true).unwrap();
    ours.set_nodelay(true).unwrap();
    theirs.set_nodelay(true).unwrap();
    theirs.set_read_timeout(Some(PATIENCE)).unwrap();
    (ours.into(), theirs)
}

/// A connection that takes a few kilobytes at a time in our direction. Not TCP, which waits for timers of
/// its own when windows are that small.
fn narrow_pair() -> (OwnedFd, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    socket2::SockRef::from(&ours).set_send_buffer_size(4096).unwrap();
    theirs.set_read_timeout(Some(PATIENCE)).unwrap();
    (ours.into(), theirs)
}

/// One narrow connection of each kind of socket.
fn narrow_pairs() -> [(OwnedFd, Box<dyn Read + Send>); 2] {
    let (tcp, tcp_peer) = tcp_pair();
    socket2::SockRef::from(&tcp).set_send_buffer_size(65_536).unwrap();
    let (unix, unix_peer) = narrow_pair();
    [(tcp, Box::new(tcp_peer)), (unix, Box::new(unix_peer))]
}

/// Bytes that differ at every place and for every seed (xorshift, Marsaglia 2003).
fn pattern(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Whether the other side let go of a connection, by an end or by a reset.
fn is_gone(mut stream: TcpStream) -> bool {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    match stream.read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

/// Reads a stream to its end on a thread of its own.
fn read_all(mut stream: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

/// Whether two long byte strings are equal, without printing them when not.
fn assert_same(left: &[u8], right: &[u8]) {
    assert_eq!(left.len(), right.len());
    let differs = left.iter().zip(right).position(|(left, right)| left != right);
    assert_eq!(differs, None, "first difference at that place");
}

/// Everything of `bytes` as an [`Outgoing`].
fn heap(bytes: &[u8]) -> Outgoing {
    let mut outgoing = Outgoing::new();
    outgoing.push_heap(bytes.to_vec());
    outgoing
}
