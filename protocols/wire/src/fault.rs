//! Why a session ends, apart from its client's wish.
//!
//! The text for the client and the reason for the log are two things: the first says what to do and holds
//! nothing of the inside, the second says what was seen.

/// Whose doing it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Culprit {
    /// The client broke the protocol or a limit.
    Client,
    /// Wiregate could not go on: memory, a limit of its own, the policy.
    Gateway,
    /// The server broke the protocol or went away.
    Server,
}

/// The end of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Whose doing it was.
    pub culprit: Culprit,
    /// SQLSTATE for the client.
    pub sqlstate: [u8; 5],
    /// One sentence for the client.
    pub message: Box<str>,
    /// A short fixed name for metrics and audit, such as `oversized_frame`.
    pub reason: &'static str,
}

impl Fault {
    /// A fault with the client's sentence and the name that metrics and audit count it under.
    #[must_use]
    pub fn new(culprit: Culprit, sqlstate: &[u8; 5], reason: &'static str, message: impl Into<Box<str>>) -> Self {
        Self { culprit, sqlstate: *sqlstate, message: message.into(), reason }
    }

    /// The client broke the protocol (SQLSTATE 08P01).
    #[must_use]
    pub fn client(reason: &'static str, message: impl Into<Box<str>>) -> Self {
        Self::new(Culprit::Client, b"08P01", reason, message)
    }

    /// The server broke the protocol (SQLSTATE 08P01).
    #[must_use]
    pub fn server(reason: &'static str, message: impl Into<Box<str>>) -> Self {
        Self::new(Culprit::Server, b"08P01", reason, message)
    }
}

impl core::fmt::Display for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {}", self.reason, self.message)
    }
}

impl core::error::Error for Fault {}
