//! `auth = "passthrough"`: the server checks the client, and the gateway relays what they say to each other.
//!
//! All plugins pass. What does not pass is a password in the clear to a server's leg that is not encrypted:
//! a client inside TLS sends it so (`caching_sha2_password`'s full path, `mysql_clear_password`, PAM's
//! `dialog`), and a server without TLS expects RSA or refuses. So:
//!
//! | client leg | server leg | `caching_sha2_password`, hash not cached |
//! |---|---|---|
//! | plain | plain | the client asks for the server's RSA key; passes |
//! | TLS | TLS | the password passes, inside TLS on both legs |
//! | TLS | plain | [`needs_tls`]: the client would send it in the clear |
//! | plain | TLS | [`needs_client_tls`]: the client would ask for a key where the server takes the password |
//!
//! The challenge passes unchanged, and so signatures (`client_ed25519`, `parsec`) and hashes fit.
//!
//! Source: MySQL documentation, "Authentication Methods".

use wire::fault::{Culprit, Fault};

use super::{AuthReply, CACHING_SHA2, CLEAR, sha2};

/// Plugins that ask for a password in the clear.
const IN_THE_CLEAR: [&[u8]; 2] = [CLEAR, b"dialog"];

/// Follows one login.
#[derive(Clone, Debug)]
pub struct Passthrough {
    client_secure: bool,
    server_secure: bool,
    plugin: Box<[u8]>,
    turn: Turn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Client,
    Server,
    Done,
}

/// Where a login stands after a message of the server, which is sent on as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relayed {
    /// Logged in.
    Done,
    /// The server refused the login with this error; it closes the connection.
    Failed {
        /// The error's number.
        code: u16,
    },
    /// The client must answer.
    ToClient,
    /// The server goes on by itself.
    ToServer,
}

impl Passthrough {
    /// A login whose HandshakeResponse, with this plugin, is on its way to the server. `…_secure`: the leg
    /// is encrypted, or a socket of this machine.
    ///
    /// # Errors
    /// [`needs_tls`] where the response holds a password in the clear.
    pub fn new(plugin: &[u8], auth: &[u8], client_secure: bool, server_secure: bool) -> Result<Self, Fault> {
        let login = Self { client_secure, server_secure, plugin: plugin.into(), turn: Turn::Server };
        if login.would_leak(plugin) && !auth.is_empty() { Err(needs_tls()) } else { Ok(login) }
    }

    fn would_leak(&self, plugin: &[u8]) -> bool {
        !self.server_secure && IN_THE_CLEAR.contains(&plugin)
    }

    /// The plugin in use, for the audit.
    #[must_use]
    pub fn method(&self) -> &[u8] {
        &self.plugin
    }

    /// Whether OK has passed.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.turn == Turn::Done
    }

    /// Whether the client has the word.
    #[must_use]
    pub fn awaits_client(&self) -> bool {
        self.turn == Turn::Client
    }

    /// Takes the payload of a message of the server; on success it is sent on as it came.
    ///
    /// # Errors
    /// A [`Fault`] for a malformed message, one out of order, and [`needs_tls`].
    pub fn on_server(&mut self, payload: &[u8]) -> Result<Relayed, Fault> {
        let reply = AuthReply::parse(payload).map_err(|error| server_fault(error.what))?;
        if self.turn != Turn::Server {
            return Err(server_fault("authentication messages out of order"));
        }
        match reply {
            AuthReply::Ok => {
                self.turn = Turn::Done;
                return Ok(Relayed::Done);
            }
            AuthReply::Err(err) => return Ok(Relayed::Failed { code: err.code }),
            AuthReply::Switch { plugin, .. } => {
                if self.would_leak(plugin) {
                    return Err(needs_tls());
                }
                self.plugin = plugin.into();
            }
            AuthReply::More([sha2::FAST_OK]) if *self.plugin == *CACHING_SHA2 => return Ok(Relayed::ToServer),
            AuthReply::More([sha2::FULL]) if *self.plugin == *CACHING_SHA2 => {
                match (self.client_secure, self.server_secure) {
                    (true, false) => return Err(needs_tls()),
                    (false, true) => return Err(needs_client_tls()),
                    _ => {}
                }
            }
            // Another factor (MySQL), whose plugin is in the message, or more of the plugin in use.
            AuthReply::More(_) | AuthReply::Bare(_) => {}
        }
        self.turn = Turn::Client;
        Ok(Relayed::ToClient)
    }

    /// Takes a message of the client; on success it is sent on as it came.
    ///
    /// # Errors
    /// A [`Fault`] when nothing was asked.
    pub fn on_client(&mut self) -> Result<(), Fault> {
        if self.turn != Turn::Client {
            let text = "authentication message that the server did not ask for";
            return Err(Fault::client("malformed_authentication", text));
        }
        self.turn = Turn::Server;
        Ok(())
    }
}

/// A password would leave TLS.
#[must_use]
pub fn needs_tls() -> Fault {
    let text = "the password would go to the database in the clear, because the client's connection is encrypted \
                and the gateway's is not; set upstream_tls, or auth = \"gateway\", or connect without TLS";
    Fault::new(Culprit::Gateway, b"28000", "authentication_needs_upstream_tls", text)
}

/// A password would have to enter TLS in the middle.
#[must_use]
pub fn needs_client_tls() -> Fault {
    let text = "the database takes the password inside TLS only, and the client's connection is not encrypted; connect \
                with TLS, or set upstream_tls = \"disable\" or auth = \"gateway\"";
    Fault::new(Culprit::Gateway, b"28000", "authentication_needs_client_tls", text)
}

fn server_fault(what: &str) -> Fault {
    Fault::server("malformed_authentication", format!("the database broke the login: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{ED25519, NATIVE, write_switch};

    fn switch(plugin: &[u8]) -> Vec<u8> {
        let (mut out, mut seq) = (Vec::new(), 2);
        write_switch(&mut out, &mut seq, plugin, &[9; 20]);
        out.split_off(4)
    }

    #[test]
    fn a_login_is_relayed_to_its_ok() {
        let mut login = Passthrough::new(CACHING_SHA2, &[1; 32], false, false).unwrap();
        assert!(login.on_client().is_err());
        assert_eq!(login.on_server(&switch(NATIVE)), Ok(Relayed::ToClient));
        assert_eq!(login.method(), NATIVE);
        assert_eq!(login.on_client(), Ok(()));
        assert_eq!(login.on_server(b"\0\0\0\x02\0\0\0"), Ok(Relayed::Done));
        assert!(login.is_done());
        assert!(login.on_server(b"\0\0\0\x02\0\0\0").is_err());
    }

    #[test]
    fn the_fast_path_needs_no_answer_and_the_full_path_one() {
        let mut fast = Passthrough::new(CACHING_SHA2, &[1; 32], true, false).unwrap();
        assert_eq!(fast.on_server(b"\x01\x03"), Ok(Relayed::ToServer));
        assert_eq!(fast.on_server(b"\0\0\0\x02\0\0\0"), Ok(Relayed::Done));
        for (client, server, expected) in [
            (false, false, Ok(Relayed::ToClient)),
            (true, true, Ok(Relayed::ToClient)),
            (true, false, Err(needs_tls())),
            (false, true, Err(needs_client_tls())),
        ] {
            let mut full = Passthrough::new(CACHING_SHA2, &[1; 32], client, server).unwrap();
            assert_eq!(full.on_server(b"\x01\x04"), expected);
        }
    }

    #[test]
    fn a_clear_password_stays_inside_tls() {
        assert_eq!(Passthrough::new(CLEAR, b"pw\0", true, false).unwrap_err(), needs_tls());
        assert!(Passthrough::new(CLEAR, b"pw\0", true, true).is_ok());
        let mut login = Passthrough::new(NATIVE, b"", true, false).unwrap();
        assert_eq!(login.on_server(&switch(CLEAR)), Err(needs_tls()));
        assert_eq!(login.on_server(&switch(b"dialog")), Err(needs_tls()));
        assert_eq!(login.on_server(&switch(ED25519)), Ok(Relayed::ToClient));
    }

    /// As MariaDB's `parsec` (since 11.6) is documented: a challenge of 32 bytes; the client asks for the account's
    /// salt by an empty message; `P`, the exponent of the iterations, the salt; then the client's challenge and a
    /// signature over both challenges. All of it passes as it is: the gateway needs no secret.
    #[test]
    fn parsec_is_relayed_without_the_secret() {
        let mut login = Passthrough::new(NATIVE, &[1; 20], true, false).unwrap();
        let mut switch = switch(b"parsec");
        switch.extend([7; 12]);
        assert_eq!(login.on_server(&switch), Ok(Relayed::ToClient));
        login.on_client().unwrap();
        let salt = [&b"P\0"[..], &[3; 18]].concat();
        assert_eq!(login.on_server(&salt), Ok(Relayed::ToClient));
        login.on_client().unwrap();
        assert_eq!(login.on_server(b"\0\0\0\x02\0\0\0"), Ok(Relayed::Done));
        assert_eq!(login.method(), b"parsec");
    }

    #[test]
    fn plugins_of_several_rounds_take_turns() {
        let mut login = Passthrough::new(b"parsec", b"", false, false).unwrap();
        for _ in 0..3 {
            assert_eq!(login.on_server(b"\x01more"), Ok(Relayed::ToClient));
            assert!(login.awaits_client());
            assert!(login.on_server(b"\x01more").is_err());
            login.on_client().unwrap();
        }
        assert_eq!(login.on_server(b"\xff\x15\x04#28000no"), Ok(Relayed::Failed { code: 1045 }));
    }
}
