//! The gateway logs in to a server with credentials of its own.
//!
//! ```text
//!  new ──► Reply ─┬─ OK ──────────────────────────────────────────► done
//!              ▲  ├─ AuthSwitch ──► answer of the other plugin ─┐
//!              └──┼──────────────────────────────────────────────┘
//!                 └─ More(full), of caching_sha2_password:
//!                          TLS or local ──► the password ─► End ──OK──► done
//!                          plain TCP ─────► Key ──key──► Encrypt ─► End
//!           (More(fast) leads to End too)
//! ```
//!
//! A password in the clear goes only over TLS or a socket of this machine. Faults are worded for the client
//! and hold neither our user nor our secret.

use wire::fault::{Culprit, Fault};
use wire::secret::Secret;
use zeroize::Zeroizing;

use super::{AuthReply, CACHING_SHA2, CLEAR, ChangeUser, ED25519, NATIVE, ed25519, native, sha2};
use crate::capability::Capabilities;
use crate::constant::header;
use crate::packet;
use crate::reply::ErrPacket;

/// How the server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A Unix socket: nobody in between.
    Local,
    /// TCP without TLS.
    Plain,
    /// TLS.
    Tls,
}

/// A login that is under way.
#[derive(Debug)]
pub struct UpstreamAuth {
    password: Secret,
    channel: Channel,
    plugin: Plugin,
    challenge: Box<[u8]>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plugin {
    CachingSha2,
    Clear,
    Ed25519,
    Native,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reply,
    Key,
    /// The password has gone: nothing but OK or ERR may come.
    End,
}

/// Where a login stands after a message of the server.
#[derive(Debug)]
pub enum UpstreamProgress {
    /// Logged in.
    Done,
    /// The password must be encrypted with the server's key by RSA-OAEP with SHA-1; the outcome goes to
    /// [`Encrypt::encrypted`].
    Encrypt(Encrypt),
    /// Another message must come.
    More(UpstreamAuth),
}

/// A password that waits for its encryption.
#[derive(Debug)]
pub struct Encrypt {
    /// The server's public key: PEM, SubjectPublicKeyInfo.
    pub key: Box<[u8]>,
    /// What to encrypt.
    pub password: Secret,
    seq: u8,
    login: UpstreamAuth,
}

impl Encrypt {
    /// Appends the encrypted password to `out`.
    pub fn encrypted(self, cipher: &[u8], out: &mut Vec<u8>) -> UpstreamAuth {
        let mut seq = self.seq;
        packet::write(out, &mut seq, |out| out.extend_from_slice(cipher));
        UpstreamAuth { state: State::End, ..self.login }
    }
}

impl UpstreamAuth {
    /// A login to a server that greeted with `plugin` and `challenge`. Returns it with the name of the
    /// plugin and its answer, for the HandshakeResponse: those of `plugin` where the gateway knows it and it
    /// gives nothing away, else of `caching_sha2_password`; the server asks for another then.
    #[must_use]
    pub fn new(password: Secret, channel: Channel, plugin: &[u8], challenge: &[u8]) -> (Self, &'static [u8], Vec<u8>) {
        let (plugin, name) = match plugin {
            NATIVE => (Plugin::Native, NATIVE),
            _ => (Plugin::CachingSha2, CACHING_SHA2),
        };
        let login = Self { password, channel, plugin, challenge: challenge.into(), state: State::Reply };
        let first = match plugin {
            Plugin::Native => native::answer(login.password.expose(), challenge),
            _ => sha2::answer(login.password.expose(), challenge),
        };
        (login, name, first)
    }

    /// A login on a connection that is logged in already: [`write_change`] has asked the server for its challenge.
    #[must_use]
    pub fn again(password: Secret, channel: Channel) -> Self {
        Self { password, channel, plugin: Plugin::Native, challenge: Box::default(), state: State::Reply }
    }

    /// Takes the payload of the server's next message, whose sequence id is `seq`, and appends our answer,
    /// if any, to `out`.
    ///
    /// # Errors
    /// A [`Fault`] (08001) when the server refuses the login, asks for what we do not do, or breaks the
    /// exchange.
    pub fn on_reply(mut self, payload: &[u8], seq: u8, out: &mut Vec<u8>) -> Result<UpstreamProgress, Fault> {
        let mut seq = seq.wrapping_add(1);
        let reply = AuthReply::parse(payload).map_err(|error| broken(error.what))?;
        match (self.state, reply) {
            (_, AuthReply::Err(err)) => Err(denied(err.code)),
            (State::Reply | State::End, AuthReply::Ok) => Ok(UpstreamProgress::Done),
            (State::Reply, AuthReply::Switch { plugin, challenge }) => {
                self.challenge = challenge.into();
                self.plugin = known(plugin)?;
                let answer = self.answer()?;
                packet::write(out, &mut seq, |out| out.extend_from_slice(&answer));
                Ok(UpstreamProgress::More(self))
            }
            (State::Reply, AuthReply::More(data)) if self.plugin == Plugin::CachingSha2 => self.on_sha2(data, seq, out),
            (State::Key, AuthReply::More(key)) => {
                let password = sha2::obfuscated(self.password.expose(), &self.challenge);
                let password = Secret::new(password.as_slice());
                Ok(UpstreamProgress::Encrypt(Encrypt { key: key.into(), password, seq, login: self }))
            }
            _ => Err(broken("authentication messages out of order")),
        }
    }

    fn on_sha2(mut self, data: &[u8], mut seq: u8, out: &mut Vec<u8>) -> Result<UpstreamProgress, Fault> {
        match data {
            [sha2::FAST_OK] => self.state = State::End,
            [sha2::FULL] if self.channel == Channel::Plain => {
                packet::write(out, &mut seq, |out| out.push(sha2::REQUEST_KEY));
                self.state = State::Key;
            }
            [sha2::FULL] => {
                let password = self.terminated();
                packet::write(out, &mut seq, |out| out.extend_from_slice(&password));
                self.state = State::End;
            }
            _ => return Err(broken("unknown message of caching_sha2_password")),
        }
        Ok(UpstreamProgress::More(self))
    }

    /// The answer of the plugin in use to its challenge.
    fn answer(&mut self) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let password = self.password.expose();
        Ok(Zeroizing::new(match self.plugin {
            Plugin::CachingSha2 => sha2::answer(password, &self.challenge),
            Plugin::Native => native::answer(password, &self.challenge),
            Plugin::Ed25519 => {
                self.state = State::End;
                ed25519::answer(password, &self.challenge).to_vec()
            }
            Plugin::Clear if self.channel == Channel::Plain => {
                return Err(refused(
                    "upstream_cleartext",
                    "the database asks for a cleartext password on a connection without TLS; set upstream_tls, or \
                     another plugin for the gateway's account in the database",
                ));
            }
            Plugin::Clear => {
                self.state = State::End;
                return Ok(self.terminated());
            }
        }))
    }

    fn terminated(&self) -> Zeroizing<Vec<u8>> {
        let mut password = Zeroizing::new(self.password.expose().to_vec());
        password.push(0);
        password
    }
}

/// Names no plugin that any account has: so a server says which one it wants, with a new challenge.
const UNDECIDED: &[u8] = b"undecided";

/// Appends the COM_CHANGE_USER with which [`UpstreamAuth::again`] begins; `change` is what the client asked for, but
/// for the user and its plugin. `capabilities`: the server leg's.
pub fn write_change(user: &[u8], change: &ChangeUser<'_>, capabilities: Capabilities, out: &mut Vec<u8>) {
    packet::write(out, &mut 0, |out| {
        out.push(crate::constant::command::CHANGE_USER);
        out.extend_from_slice(user);
        // No answer yet.
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(change.database);
        out.push(0);
        out.extend_from_slice(&change.collation);
        out.extend_from_slice(UNDECIDED);
        out.push(0);
        if capabilities.has(Capabilities::CONNECT_ATTRS) {
            match change.attributes {
                [] => out.push(0),
                attributes => out.extend_from_slice(attributes),
            }
        }
    });
}

/// What the client hears of a login of ours that failed by the message with this payload. What concerns the client
/// (no such database, too many connections) passes; what concerns our credentials is for the log.
#[must_use]
pub fn told(fault: Fault, payload: &[u8]) -> Fault {
    let said = ErrPacket::parse(payload).ok().filter(|_| payload.first() == Some(&header::ERR));
    let Some(said) = said else { return fault };
    let text = String::from_utf8_lossy(said.message).into_owned();
    match said.code {
        1040 | 1203 | 1226 => Fault::new(Culprit::Server, b"53300", "upstream_login", text),
        1049 => Fault::new(Culprit::Server, b"3D000", "upstream_login", text),
        _ => {
            let text = "the gateway could not log in to the database server; its operator finds why in the log";
            Fault::new(Culprit::Server, b"08001", "upstream_login", text)
        }
    }
}

fn known(plugin: &[u8]) -> Result<Plugin, Fault> {
    match plugin {
        CACHING_SHA2 => Ok(Plugin::CachingSha2),
        CLEAR => Ok(Plugin::Clear),
        ED25519 => Ok(Plugin::Ed25519),
        NATIVE => Ok(Plugin::Native),
        other => {
            let name = String::from_utf8_lossy(other.get(..64).unwrap_or(other)).into_owned();
            let text = format!("the database asks for the authentication plugin {name}, which the gateway does not do");
            Err(refused("upstream_authentication_method", &text))
        }
    }
}

fn denied(code: u16) -> Fault {
    refused("upstream_login", &format!("the database refused the login of the gateway (error {code})"))
}

fn refused(reason: &'static str, message: &str) -> Fault {
    Fault::new(Culprit::Server, b"08001", reason, message)
}

fn broken(what: &str) -> Fault {
    refused("upstream_authentication_broken", &format!("the database broke the login of the gateway: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{write_more, write_switch};

    const CHALLENGE: &[u8] = b"abcdefghijklmnopqrst";

    fn login(channel: Channel, plugin: &[u8]) -> UpstreamAuth {
        UpstreamAuth::new(Secret::new(*b"pw"), channel, plugin, CHALLENGE).0
    }

    fn message(write: impl FnOnce(&mut Vec<u8>, &mut u8)) -> Vec<u8> {
        let (mut out, mut seq) = (Vec::new(), 2);
        write(&mut out, &mut seq);
        out.split_off(4)
    }

    fn more(login: UpstreamAuth, payload: &[u8], out: &mut Vec<u8>) -> UpstreamAuth {
        match login.on_reply(payload, 2, out) {
            Ok(UpstreamProgress::More(login)) => login,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_first_answer_is_that_of_the_greetings_plugin() {
        let (_, name, answer) = UpstreamAuth::new(Secret::new(*b"pw"), Channel::Plain, NATIVE, CHALLENGE);
        assert_eq!((name, answer), (NATIVE, native::answer(b"pw", CHALLENGE)));
        let (_, name, answer) = UpstreamAuth::new(Secret::new(*b"pw"), Channel::Plain, b"other", CHALLENGE);
        assert_eq!((name, answer), (CACHING_SHA2, sha2::answer(b"pw", CHALLENGE)));
    }

    #[test]
    fn the_fast_path_ends_with_ok() {
        let mut out = Vec::new();
        let login = more(login(Channel::Plain, CACHING_SHA2), b"\x01\x03", &mut out);
        assert_eq!(out, b"");
        assert!(matches!(login.on_reply(b"\0\0\0\x02\0\0\0", 3, &mut out), Ok(UpstreamProgress::Done)));
    }

    #[test]
    fn the_full_path_sends_the_password_inside_tls_only() {
        for channel in [Channel::Tls, Channel::Local] {
            let mut out = Vec::new();
            more(login(channel, CACHING_SHA2), b"\x01\x04", &mut out);
            assert_eq!(out, b"\x03\0\0\x03pw\0");
        }
        let mut out = Vec::new();
        let login = more(login(Channel::Plain, CACHING_SHA2), b"\x01\x04", &mut out);
        assert_eq!(out, b"\x01\0\0\x03\x02");
        let Ok(UpstreamProgress::Encrypt(encrypt)) = login.on_reply(b"\x01-----BEGIN", 4, &mut out) else { panic!() };
        assert_eq!(&*encrypt.key, b"-----BEGIN");
        assert_eq!(encrypt.password.expose(), &*sha2::obfuscated(b"pw", CHALLENGE));
        out.clear();
        let login = encrypt.encrypted(b"cipher", &mut out);
        assert_eq!(out, b"\x06\0\0\x05cipher");
        assert!(matches!(login.on_reply(b"\0\0\0\x02\0\0\0", 6, &mut out), Ok(UpstreamProgress::Done)));
    }

    #[test]
    fn another_plugin_is_answered_with_its_own_challenge() {
        let challenge = [8; 32];
        for (plugin, expected) in [
            (NATIVE, native::answer(b"pw", &challenge)),
            (CACHING_SHA2, sha2::answer(b"pw", &challenge)),
            (ED25519, ed25519::answer(b"pw", &challenge).to_vec()),
        ] {
            let mut out = Vec::new();
            let switch = message(|out, seq| write_switch(out, seq, plugin, &challenge));
            more(login(Channel::Plain, NATIVE), &switch, &mut out);
            assert_eq!(&out[4..], expected);
            assert_eq!(out[3], 3);
        }
    }

    #[test]
    fn a_change_asks_for_a_challenge_and_answers_it() {
        let body = b"ana\0\x02hiorders\0\x2d\0mysql_native_password\0\x05\x01a\x02bc";
        let asked = Capabilities::PLUGIN_AUTH | Capabilities::CONNECT_ATTRS;
        let change = ChangeUser::parse(body, asked).unwrap();
        let mut out = Vec::new();
        write_change(b"app", &change, asked, &mut out);
        assert_eq!(&out[4..], b"\x11app\0\0orders\0\x2d\0undecided\0\x05\x01a\x02bc");
        let ours = ChangeUser::parse(&out[5..], asked).unwrap();
        assert_eq!(
            (ours.user, ours.auth, ours.database, ours.plugin),
            (&b"app"[..], &b""[..], &b"orders"[..], UNDECIDED)
        );
        let again = || UpstreamAuth::again(Secret::new(*b"pw"), Channel::Plain);
        out.clear();
        let switch = message(|out, seq| write_switch(out, seq, NATIVE, CHALLENGE));
        let login = more(again(), &switch, &mut out);
        assert_eq!(&out[4..], native::answer(b"pw", CHALLENGE));
        assert!(matches!(login.on_reply(b"\0\0\0\x02\0\0\0", 3, &mut out), Ok(UpstreamProgress::Done)));
        assert!(again().on_reply(b"\x01\x04", 2, &mut out).is_err());
    }

    #[test]
    fn the_client_hears_what_concerns_it_and_nothing_of_our_account() {
        let heard = |payload: &[u8]| crate::reply::fault_code(&told(denied(1), payload));
        assert_eq!(heard(b"\xff\x19\x04#42000Unknown database 'x'"), (1049, *b"42000"));
        assert_eq!(heard(b"\xff\x10\x04#08004Too many connections"), (1040, *b"08004"));
        let hidden = told(denied(1), b"\xff\x15\x04#28000Access denied for user 'app'");
        assert!(!hidden.message.contains("app"));
    }

    #[test]
    fn a_clear_password_never_goes_over_plain_tcp() {
        let switch = message(|out, seq| write_switch(out, seq, CLEAR, b""));
        let fault = login(Channel::Plain, NATIVE).on_reply(&switch, 2, &mut Vec::new()).unwrap_err();
        assert_eq!(fault.reason, "upstream_cleartext");
        let mut out = Vec::new();
        more(login(Channel::Tls, NATIVE), &switch, &mut out);
        assert_eq!(&out[4..], b"pw\0");
    }

    #[test]
    fn what_is_out_of_order_is_a_fault_that_names_no_secret() {
        let key = message(|out, seq| write_more(out, seq, b"key"));
        for (payload, reason) in [
            (&key[..], "upstream_authentication_broken"),
            (b"\x09", "upstream_authentication_broken"),
            (b"\xfe", "upstream_authentication_broken"),
            (b"\xfedialog\0x", "upstream_authentication_method"),
            (b"\xff\x15\x04#28000Access denied for user 'app'", "upstream_login"),
        ] {
            let fault = login(Channel::Plain, CACHING_SHA2).on_reply(payload, 2, &mut Vec::new()).unwrap_err();
            assert_eq!(fault.reason, reason);
            assert!(!fault.message.contains("app") && !fault.message.contains("pw"));
        }
        let mut out = Vec::new();
        let ended = more(login(Channel::Tls, CACHING_SHA2), b"\x01\x04", &mut out);
        let switch = message(|out, seq| write_switch(out, seq, CLEAR, b""));
        assert!(ended.on_reply(&switch, 4, &mut out).is_err());
    }
}
