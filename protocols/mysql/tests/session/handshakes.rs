//! Logins as real servers and a client said them, byte for byte (`captures/handshakes.txt`; no TLS, so that all of it
//! can be seen). `#` begins another one: server, user, and what is particular about it.

use mysql::auth::passthrough::{Passthrough, Relayed};
use mysql::capability::Capabilities;
use mysql::greeting::Greeting;
use mysql::response::{FirstPacket, HandshakeResponse, Progress, ResponseParser};

use crate::captures::bytes;

struct Login {
    name: &'static str,
    /// Whether the client sent it, and the packet.
    packets: Vec<(bool, Vec<u8>)>,
}

fn logins() -> Vec<Login> {
    let mut logins: Vec<Login> = Vec::new();
    for line in include_str!("captures/handshakes.txt").lines() {
        match line.split_once(' ').unwrap() {
            ("#", name) => logins.push(Login { name, packets: Vec::new() }),
            (from, hex) => logins.last_mut().unwrap().packets.push((from == "C", bytes(hex))),
        }
    }
    assert!(logins.len() > 10);
    logins
}

fn greeting(login: &Login) -> Greeting {
    Greeting::parse(&login.packets[0].1[4..]).unwrap_or_else(|fault| panic!("{}: {fault}", login.name))
}

/// The answer to a greeting, whichever bytes come at once.
fn response(login: &Login, offered: Capabilities) -> HandshakeResponse {
    let parser = ResponseParser::new(offered);
    let sent = &login.packets[1].1;
    for gathered in 0..sent.len() {
        assert_eq!(parser.parse(&sent[..gathered]).unwrap(), Progress::Incomplete, "{} at {gathered}", login.name);
    }
    // What a client sends too early is not taken for a part of it.
    for behind in [&b""[..], b"\x01"] {
        let Ok(Progress::Packet { consumed, seq: 1, packet: FirstPacket::Response(_) }) =
            parser.parse(&[sent, behind].concat())
        else {
            panic!("{}", login.name)
        };
        assert_eq!(consumed, sent.len(), "{}", login.name);
    }
    match parser.parse(sent).unwrap() {
        Progress::Packet { packet: FirstPacket::Response(response), .. } => response,
        other => panic!("{}: {other:?}", login.name),
    }
}

#[test]
fn greetings_are_written_as_they_were_read() {
    for login in logins() {
        let read = greeting(&login);
        let mut written = Vec::new();
        read.write(&mut written);
        assert_eq!(Greeting::parse(&written[4..]).unwrap(), read, "{}", login.name);
        let shown = read.for_client(true);
        assert_eq!((&shown.scramble, &shown.plugin), (&read.scramble, &read.plugin), "{}", login.name);
        assert_eq!(read.is_mariadb(), login.name.contains("MariaDB"), "{}", login.name);
    }
}

#[test]
fn a_greeting_that_is_cut_short_is_malformed_and_never_another_one() {
    for login in logins() {
        let (whole, payload) = (greeting(&login), &login.packets[0].1[4..]);
        for end in 0..payload.len() {
            // Without its last part, the name of a plugin, it is that of an older server.
            let same = |cut: &Greeting| cut.scramble == whole.scramble && cut.connection_id == whole.connection_id;
            assert!(Greeting::parse(&payload[..end]).as_ref().map_or(true, same), "{} at {end}", login.name);
        }
    }
}

#[test]
fn responses_are_read_at_any_split_and_written_alike() {
    for login in logins() {
        let offered = greeting(&login).for_client(true).capabilities;
        let read = response(&login, offered);
        let user = login.name.split(": ").next().unwrap().rsplit(' ').next().unwrap();
        assert_eq!(&*read.user, user.as_bytes(), "{}", login.name);
        assert_eq!(read.attribute("program_name"), Some(&b"wiregate"[..]), "{}", login.name);
        let mut written = Vec::new();
        read.write(&mut written, &mut 1);
        let again = Login { name: login.name, packets: vec![login.packets[0].clone(), (true, written)] };
        assert_eq!(response(&again, offered), read, "{}", login.name);
    }
}

#[test]
fn every_exchange_is_relayed_to_its_end() {
    for login in logins() {
        let first = response(&login, greeting(&login).for_client(true).capabilities);
        let mut relay = Passthrough::new(&first.plugin, &first.auth, false, false).unwrap();
        let mut last = None;
        for (number, (from_client, packet)) in login.packets.iter().enumerate().skip(2) {
            assert_eq!(relay.awaits_client(), *from_client, "{}, packet {number}", login.name);
            if *from_client {
                relay.on_client().unwrap_or_else(|fault| panic!("{}: {fault}", login.name));
            } else {
                last = Some(relay.on_server(&packet[4..]).unwrap_or_else(|fault| panic!("{}: {fault}", login.name)));
            }
        }
        match login.packets.last().unwrap().1[4] {
            0xff => assert!(matches!(last, Some(Relayed::Failed { code: 1045 })), "{}: {last:?}", login.name),
            _ => assert!(last == Some(Relayed::Done) && relay.is_done(), "{}: {last:?}", login.name),
        }
    }
}
