//! A TCP relay on Wiregate's ring that looks at nothing: the floor that the gateway is measured against.
//!
//! One thread, one ring, the gateway's own sizes of buffers; no protocol, no policy, no audit, no tasks. What the
//! gateway costs above it is the price of everything that Wiregate does. Bounded as the gateway is: a side whose
//! peer does not read is not received from.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::ExitCode;

use clap::Parser;
use gateway::ring::{Event, Outgoing, Ring, RingConfig, SendMode, SocketId, Wait};

/// Bytes that wait for a side before the other's receive stops; the gateway's figures.
const HIGH_BYTES: usize = 256 << 10;
const LOW_BYTES: usize = 64 << 10;

/// Relays connections to a server, until it is killed.
#[derive(Parser)]
struct Options {
    /// Where to listen.
    #[arg(long)]
    listen: SocketAddr,
    /// Where the server is.
    #[arg(long)]
    upstream: SocketAddr,
}

/// One side of a connection.
struct Side {
    socket: SocketId,
    other: SocketId,
    outbox: Outgoing,
    in_flight_bytes: usize,
    /// Whether the send that is under way reports only failure.
    silent: bool,
    /// Whether nothing more is received from it because the other side is slow.
    paused: bool,
    dirty: bool,
}

struct Relay {
    ring: Ring,
    upstream: SocketAddr,
    sides: Vec<Option<Side>>,
    dirty: Vec<SocketId>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do where even standard error is closed.
            let _ = writeln!(io::stderr(), "relay: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> io::Result<()> {
    let config = RingConfig { entries: 1024, buffers: 1024, buffer_bytes: 64 << 10 };
    let mut ring = Ring::new(&config).map_err(io::Error::other)?;
    let listener = ring.listen(TcpListener::bind(options.listen)?.into());
    ring.start_accept(listener);
    let mut relay = Relay { ring, upstream: options.upstream, sides: Vec::new(), dirty: Vec::new() };
    let mut events = Vec::with_capacity(1024);
    loop {
        let wait = if relay.dirty.is_empty() { Wait::Forever } else { Wait::Poll };
        relay.ring.turn(wait, &mut events)?;
        for event in events.drain(..) {
            match event {
                Event::Accepted { socket, .. } => relay.accepted(socket)?,
                Event::Received { socket, chunk } => relay.received(socket, chunk),
                Event::ReceiveEnded { socket, .. } => relay.close(socket),
                Event::Sent { socket, outgoing, result } => relay.sent(socket, *outgoing, &result),
                _ => {}
            }
        }
        relay.flush();
    }
}

impl Relay {
    /// Connects to the server, which is on this machine: waiting for it here costs no figure anything.
    fn accepted(&mut self, client: OwnedFd) -> io::Result<()> {
        let client = TcpStream::from(client);
        client.set_nodelay(true)?;
        let server = TcpStream::connect(self.upstream)?;
        server.set_nodelay(true)?;
        server.set_nonblocking(true)?;
        let (client, server) = (self.ring.adopt(client.into()), self.ring.adopt(server.into()));
        for (socket, other) in [(client, server), (server, client)] {
            let side = Side {
                socket,
                other,
                outbox: Outgoing::new(),
                in_flight_bytes: 0,
                silent: false,
                paused: false,
                dirty: false,
            };
            let index = socket.index();
            if self.sides.len() <= index {
                self.sides.resize_with(index + 1, || None);
            }
            if let Some(slot) = self.sides.get_mut(index) {
                *slot = Some(side);
            }
            self.ring.start_receive(socket);
        }
        Ok(())
    }

    fn side(&mut self, socket: SocketId) -> Option<&mut Side> {
        self.sides.get_mut(socket.index())?.as_mut().filter(|side| side.socket == socket)
    }

    fn received(&mut self, socket: SocketId, chunk: gateway::ring::Chunk) {
        let Some(to) = self.side(socket).map(|side| side.other) else { return };
        self.settle(to);
        let Some(side) = self.side(to) else { return };
        let range = 0..chunk.len();
        let source = side.outbox.add_chunk(chunk);
        side.outbox.push_range(source, range);
        let backlog = side.outbox.len() + side.in_flight_bytes;
        if !std::mem::replace(&mut side.dirty, true) {
            self.dirty.push(to);
        }
        if backlog > HIGH_BYTES
            && let Some(from) = self.side(socket)
            && !std::mem::replace(&mut from.paused, true)
        {
            self.ring.stop_receive(socket);
        }
    }

    /// Takes note of a send that took everything, of which the ring does not tell.
    fn settle(&mut self, socket: SocketId) {
        if self.ring.take_settled(socket).is_some()
            && let Some(side) = self.side(socket)
        {
            side.in_flight_bytes = 0;
        }
    }

    fn sent(&mut self, socket: SocketId, mut outgoing: Outgoing, result: &io::Result<usize>) {
        let failed = matches!(result, Err(error) if error.kind() != io::ErrorKind::WouldBlock);
        let Some(side) = self.side(socket) else { return };
        side.in_flight_bytes = 0;
        if failed {
            return self.close(socket);
        }
        let rest = !outgoing.is_empty();
        outgoing.append(std::mem::take(&mut side.outbox));
        if rest {
            side.in_flight_bytes = outgoing.len();
            side.silent = false;
            self.ring.send(socket, outgoing, SendMode::Wait);
            return;
        }
        side.outbox = outgoing;
        let (backlog, other) = (side.outbox.len(), side.other);
        // What came while the send was on its way: where its sender was stopped, nothing else sets it going.
        if backlog > 0 && !std::mem::replace(&mut side.dirty, true) {
            self.dirty.push(socket);
        }
        if let Some(other) = self.side(other)
            && backlog < LOW_BYTES
            && std::mem::take(&mut other.paused)
        {
            let other = other.socket;
            self.ring.start_receive(other);
        }
    }

    /// Either end ends both: what is measured never half-closes.
    fn close(&mut self, socket: SocketId) {
        let Some(other) = self.side(socket).map(|side| side.other) else { return };
        for socket in [socket, other] {
            if let Some(slot) = self.sides.get_mut(socket.index()) {
                *slot = None;
            }
            self.ring.close(socket);
        }
    }

    fn flush(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for socket in dirty.drain(..) {
            self.settle(socket);
            let spare = self.ring.spare_list();
            let Some(side) = self.side(socket) else { continue };
            side.dirty = false;
            if side.outbox.is_empty() {
                continue;
            }
            if side.in_flight_bytes > 0 {
                // Nobody may tell of its end: it is asked for again after the next turn.
                if side.silent {
                    side.dirty = true;
                    self.dirty.push(socket);
                }
                continue;
            }
            let outgoing = std::mem::replace(&mut side.outbox, spare);
            side.in_flight_bytes = outgoing.len();
            let other = side.other;
            let waited_for = self.side(other).is_some_and(|other| other.paused);
            if let Some(side) = self.side(socket) {
                side.silent = !waited_for;
            }
            self.ring.send(socket, outgoing, if waited_for { SendMode::Wait } else { SendMode::Try });
        }
        if self.dirty.is_empty() {
            self.dirty = dirty;
        }
    }
}
