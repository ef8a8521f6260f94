//! Runs a script of both sides' bytes through a session, cut whole or at random, and collects what comes out.

use mysql::capability::Capabilities;
use mysql::session::{Output, Session, SessionOptions};
use wire::fault::Fault;
use wire::guard::Denial;
use wire::segments::Segments;

use crate::guard::TestGuard;

/// One thing that happens to a session.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// The client sends.
    C(Vec<u8>),
    /// The server sends.
    S(Vec<u8>),
    /// A human decides.
    Decide(Result<(), Denial>),
}

/// A small generator; the seed is printed by failing tests.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % limit
    }
}

/// What both legs agreed on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    pub(crate) deprecate_eof: bool,
    pub(crate) attributes: bool,
    pub(crate) tracks: bool,
    pub(crate) extended: bool,
    pub(crate) replication: bool,
    pub(crate) client_secure: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            deprecate_eof: true,
            attributes: false,
            tracks: true,
            extended: false,
            replication: false,
            client_secure: false,
        }
    }
}

impl Dialect {
    fn options(self) -> SessionOptions {
        let both = Capabilities::PROTOCOL_41 | Capabilities::PLUGIN_AUTH | Capabilities::LOCAL_FILES;
        let both = both
            .set(Capabilities::DEPRECATE_EOF, self.deprecate_eof)
            .set(Capabilities::QUERY_ATTRIBUTES, self.attributes)
            .set(Capabilities::MARIADB_EXTENDED_METADATA, self.extended);
        SessionOptions {
            client: both.set(Capabilities::SESSION_TRACK, self.tracks),
            server: both | Capabilities::SESSION_TRACK,
            status: 2,
            replication: self.replication,
            client_secure: self.client_secure,
            server_secure: false,
        }
    }
}

/// How bytes are cut into chunks.
pub(crate) enum Cut {
    Whole,
    Every(usize),
    Random(Random),
}

impl Cut {
    fn next(&mut self, available: usize) -> usize {
        match self {
            Self::Whole => available,
            Self::Every(bytes) => available.min(*bytes),
            Self::Random(random) => {
                let most = [3, 7, 40, 70_000][random.below(4)];
                available.min(1 + random.below(most))
            }
        }
    }
}

pub(crate) struct Simulation {
    pub(crate) session: Session<TestGuard>,
    pub(crate) guard: TestGuard,
    pub(crate) to_client: Vec<u8>,
    pub(crate) to_server: Vec<u8>,
    pub(crate) terminated: bool,
    /// Segments toward the client and the server of the last call that sent anything.
    pub(crate) segments: (usize, usize),
    waiting: Vec<u8>,
    cut: Cut,
    pub(crate) dialect: Dialect,
}

impl Simulation {
    pub(crate) fn new() -> Self {
        Self::with(Dialect::default(), Cut::Whole)
    }

    pub(crate) fn speaking(dialect: Dialect) -> Self {
        Self::with(dialect, Cut::Whole)
    }

    pub(crate) fn with(dialect: Dialect, cut: Cut) -> Self {
        Self::of(dialect.options(), dialect, cut)
    }

    /// A session whose legs agreed on exactly this.
    pub(crate) fn captured(client: Capabilities, server: Capabilities, cut: Cut) -> Self {
        let options = SessionOptions { client, server, replication: true, ..Dialect::default().options() };
        Self::of(options, Dialect::default(), cut)
    }

    /// The gateway checks the client itself, by this.
    pub(crate) fn checked_by(mut self, gatekeeper: std::rc::Rc<dyn mysql::auth::gatekeeper::Gatekeeper>) -> Self {
        let options = self.dialect.options();
        self.session = Session::new(options).checked_by(gatekeeper);
        self
    }

    fn of(options: SessionOptions, dialect: Dialect, cut: Cut) -> Self {
        let session = Session::new(options);
        let (to_client, to_server, waiting) = (Vec::new(), Vec::new(), Vec::new());
        let (guard, terminated, segments) = (TestGuard::default(), false, (0, 0));
        Self { session, guard, to_client, to_server, terminated, segments, waiting, cut, dialect }
    }

    pub(crate) fn step(&mut self, step: &Step) -> Result<(), Fault> {
        match step {
            Step::C(bytes) => {
                self.waiting.extend_from_slice(bytes);
                self.pump()
            }
            Step::S(bytes) => {
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    let (now, later) = rest.split_at(self.cut.next(rest.len()));
                    rest = later;
                    let mut chunk = now.to_vec();
                    let mut out = Output::default();
                    let taken = self.session.on_server(&mut chunk, &mut self.guard, &mut out);
                    self.collect(&chunk, &out);
                    assert_eq!(taken?, chunk.len());
                }
                self.pump()
            }
            Step::Decide(decision) => {
                let mut out = Output::default();
                self.session.on_decision(decision.clone(), &mut self.guard, &mut out)?;
                self.collect(&[], &out);
                self.pump()
            }
        }
    }

    /// Hands over what the client sent, as far as the session takes it.
    fn pump(&mut self) -> Result<(), Fault> {
        while !self.session.client_blocked() {
            let mut chunk = self.waiting.clone();
            chunk.truncate(self.cut.next(chunk.len()));
            let mut out = Output::default();
            let taken = self.session.on_client(&mut chunk, &mut self.guard, &mut out);
            self.collect(&chunk, &out);
            let taken = taken?;
            assert!(taken == chunk.len() || self.session.client_blocked(), "bytes left without a reason");
            self.waiting.drain(..taken);
            if self.waiting.is_empty() {
                break;
            }
        }
        Ok(())
    }

    fn collect(&mut self, chunk: &[u8], out: &Output) {
        let add = |segments: &Segments, flat: &mut Vec<u8>| {
            segments.invariants();
            segments.flatten_into(chunk, flat);
            segments.list().len()
        };
        let counts = (add(&out.to_client, &mut self.to_client), add(&out.to_server, &mut self.to_server));
        if counts != (0, 0) {
            self.segments = counts;
        }
        self.terminated |= out.terminated;
    }

    /// The client sends; returns what the server gets.
    pub(crate) fn c(&mut self, bytes: &[Vec<u8>]) -> Vec<u8> {
        self.step(&Step::C(bytes.concat())).unwrap();
        std::mem::take(&mut self.to_server)
    }

    /// The server sends; returns what the client gets.
    pub(crate) fn s(&mut self, bytes: &[Vec<u8>]) -> Vec<u8> {
        self.step(&Step::S(bytes.concat())).unwrap();
        std::mem::take(&mut self.to_client)
    }

    /// The client sends what ends the session.
    pub(crate) fn c_fault(&mut self, bytes: &[Vec<u8>]) -> Fault {
        self.step(&Step::C(bytes.concat())).expect_err("a fault")
    }

    /// The server sends what ends the session.
    pub(crate) fn s_fault(&mut self, bytes: &[Vec<u8>]) -> Fault {
        self.step(&Step::S(bytes.concat())).expect_err("a fault")
    }

    /// The same where the server's message is not the end of its reply.
    pub(crate) fn passes_half(&mut self, client: &[Vec<u8>], server: &[Vec<u8>]) {
        assert_eq!(self.c(client), client.concat(), "toward the server");
        assert_eq!(self.s(server), server.concat(), "toward the client");
    }

    /// Exchanges that pass unchanged in both directions.
    pub(crate) fn passes(&mut self, client: &[Vec<u8>], server: &[Vec<u8>]) {
        assert_eq!(self.c(client), client.concat(), "toward the server");
        assert_eq!(self.s(server), server.concat(), "toward the client");
        assert!(self.session.is_idle(), "{} outstanding", self.session.outstanding());
    }
}

/// The payloads of the packets in a stream, with their sequence ids.
pub(crate) fn packets(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut packets = Vec::new();
    while let [a, b, c, seq, ..] = bytes {
        let end = 4 + usize::try_from(u32::from_le_bytes([*a, *b, *c, 0])).unwrap();
        packets.push((*seq, bytes[4..end].to_vec()));
        bytes = &bytes[end..];
    }
    packets
}

pub(crate) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
