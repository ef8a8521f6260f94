//! What the parser of first packets promises; packets are golden captures of libpq or written by hand.

use super::*;
use crate::frontend;

fn one(bytes: &[u8]) -> Result<FirstPacket, Fault> {
    match StartupParser::new().parse(bytes)? {
        Progress::Packet { consumed, packet } => {
            assert_eq!(consumed, if packet == FirstPacket::DirectTls { 0 } else { bytes.len() });
            Ok(packet)
        }
        Progress::Incomplete => panic!("incomplete: {bytes:?}"),
    }
}

fn startup(minor: u16, parameters: &[(&str, &str)]) -> Result<StartupMessage, Fault> {
    let mut bytes = Vec::new();
    frontend::startup_message(&mut bytes, minor, parameters.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())));
    match one(&bytes)? {
        FirstPacket::Startup(message) => Ok(message),
        other => panic!("{other:?}"),
    }
}

fn raw_startup(version: u32, list: &[u8]) -> Result<FirstPacket, Fault> {
    let length = u32::try_from(list.len() + 8).unwrap();
    let bytes = [&length.to_be_bytes()[..], &version.to_be_bytes(), list].concat();
    one(&bytes)
}

#[test]
fn packets_of_libpq_are_read() {
    assert_eq!(one(b"\0\0\0\x08\x04\xd2\x16\x2f"), Ok(FirstPacket::Ssl));
    assert_eq!(one(b"\0\0\0\x08\x04\xd2\x16\x30"), Ok(FirstPacket::GssEnc));
    assert_eq!(one(b"\x16\x03\x01"), Ok(FirstPacket::DirectTls));
    let golden = b"\0\0\0\x4b\0\x03\0\0user\0ana\0database\0shop\0application_name\0psql\0client_encoding\0UTF8\0\0";
    let FirstPacket::Startup(message) = one(golden).unwrap() else { panic!() };
    assert_eq!(message.minor(), 0);
    assert_eq!(message.user(), b"ana");
    assert_eq!(message.database(), b"shop");
    assert_eq!(message.application_name(), Some(&b"psql"[..]));
    assert_eq!(message.parameters().count(), 4);
    assert_eq!(message.replication(), Ok(Replication::None));
    assert_eq!(message.not_utf8(), None);
    let mut again = Vec::new();
    frontend::startup_message(&mut again, message.minor(), message.parameters());
    assert_eq!(again, golden, "a message is sent on as it came");
}

#[test]
fn cancel_keys_of_both_protocol_versions_are_read_and_others_refused() {
    for length in [4, 32, 256] {
        let mut bytes = Vec::new();
        let key = vec![7; length];
        frontend::cancel_request(&mut bytes, 0x8000_0001, &key);
        assert_eq!(one(&bytes), Ok(FirstPacket::Cancel { pid: 0x8000_0001, key: key.into() }));
    }
    for length in [0, 3, 257] {
        let mut bytes = Vec::new();
        frontend::cancel_request(&mut bytes, 1, &vec![7; length]);
        assert_eq!(one(&bytes).unwrap_err().reason, "invalid_cancel");
    }
}

#[test]
fn every_prefix_of_a_packet_is_incomplete() {
    let mut packets = [Vec::new(), Vec::new(), Vec::new()];
    frontend::ssl_request(&mut packets[0]);
    frontend::cancel_request(&mut packets[1], 1, b"abcdefgh");
    frontend::startup_message(&mut packets[2], 0, [(&b"user"[..], &b"ana"[..])]);
    for packet in packets {
        for end in 0..packet.len() {
            assert_eq!(StartupParser::new().parse(&packet[..end]), Ok(Progress::Incomplete), "{end}");
        }
    }
}

#[test]
fn a_body_cut_short_or_with_bytes_behind_it_is_a_fault() {
    let list = b"user\0ana\0database\0shop\0\0";
    assert!(raw_startup(3 << 16, list).is_ok());
    for end in 0..list.len() {
        let fault = raw_startup(3 << 16, &list[..end]).unwrap_err();
        assert_eq!(fault.reason, "startup_layout", "{end}");
        assert_eq!(&fault.sqlstate, b"08P01");
    }
    let behind = [&list[..], b"x"].concat();
    assert_eq!(raw_startup(3 << 16, &behind).unwrap_err().reason, "startup_layout");
}

#[test]
fn lengths_outside_the_limits_are_refused_at_once() {
    for length in [0_u32, 4, 7, 10_005, 0x4745_5420, u32::MAX] {
        let fault = StartupParser::new().parse(&length.to_be_bytes()).unwrap_err();
        assert_eq!(fault.reason, "startup_length");
        assert!(fault.message.contains("invalid length of startup packet"));
    }
    let largest = u32::try_from(STARTUP_BYTES + 4).unwrap();
    assert_eq!(StartupParser::new().parse(&largest.to_be_bytes()), Ok(Progress::Incomplete));
}

#[test]
fn other_major_versions_are_refused_in_the_words_of_the_server() {
    let fault = raw_startup(2 << 16, &[0; 288]).unwrap_err();
    assert_eq!(&fault.sqlstate, b"0A000");
    assert_eq!(&*fault.message, "unsupported frontend protocol 2.0: server supports 3.0 to 3.2");
    assert_eq!(raw_startup(4 << 16, b"user\0a\0\0").unwrap_err().reason, "protocol_version");
}

#[test]
fn encryption_is_asked_once_and_never_with_data_behind_the_request() {
    let ssl = b"\0\0\0\x08\x04\xd2\x16\x2f";
    let gss = b"\0\0\0\x08\x04\xd2\x16\x30";
    let mut parser = StartupParser::new();
    assert!(matches!(parser.parse(gss), Ok(Progress::Packet { packet: FirstPacket::GssEnc, .. })));
    assert!(matches!(parser.parse(ssl), Ok(Progress::Packet { packet: FirstPacket::Ssl, .. })));
    assert_eq!(
        &*parser.parse(ssl).unwrap_err().message,
        "unsupported frontend protocol 1234.5679: server supports 3.0 to 3.2"
    );
    assert!(parser.parse(b"\x16\x03\x01\x00").is_err(), "TLS without the S is not a packet");

    let mut inside = StartupParser::new();
    inside.tls_established();
    assert!(inside.parse(ssl).is_err() && inside.parse(gss).is_err());

    let injected = [&ssl[..], b"\0"].concat();
    let fault = StartupParser::new().parse(&injected).unwrap_err();
    assert_eq!(&*fault.message, "received unencrypted data after SSL request");
}

#[test]
fn the_last_of_two_names_counts_as_on_the_server() {
    let message = startup(0, &[("user", "harmless"), ("user", "admin"), ("USER", "x"), ("database", "")]).unwrap();
    assert_eq!(message.user(), b"admin");
    assert_eq!(message.database(), b"admin");
    let message = startup(0, &[("user", "a"), ("Application_Name", "x"), ("application_name", "y")]).unwrap();
    assert_eq!(message.application_name(), Some(&b"y"[..]));
}

#[test]
fn a_user_must_be_named_and_names_the_server_would_cut_are_refused() {
    assert_eq!(&startup(0, &[("database", "shop")]).unwrap_err().sqlstate, b"28000");
    assert_eq!(startup(0, &[("user", "")]).unwrap_err().reason, "no_user");
    let (fits, long) = ("u".repeat(NAME_BYTES), "u".repeat(NAME_BYTES + 1));
    assert!(startup(0, &[("user", &fits)]).is_ok());
    assert_eq!(startup(0, &[("user", &long)]).unwrap_err().reason, "name_too_long");
    assert_eq!(startup(0, &[("user", "u"), ("database", &long)]).unwrap_err().reason, "name_too_long");
}

#[test]
fn names_that_are_not_utf8_are_kept_and_reported() {
    let FirstPacket::Startup(message) = raw_startup(3 << 16, b"user\0\xff\0\0").unwrap() else { panic!() };
    assert_eq!(message.user(), b"\xff");
    assert_eq!(message.not_utf8(), Some("user"));
}

#[test]
fn replication_is_read_as_the_server_reads_it() {
    let asked = |value| startup(0, &[("user", "u"), ("replication", value)]).map(|m| m.replication().unwrap());
    for value in ["true", "T", "tr", "on", "yes", "y", "1"] {
        assert_eq!(asked(value), Ok(Replication::Physical), "{value}");
    }
    for value in ["false", "F", "of", "OFF", "n", "0"] {
        assert_eq!(asked(value), Ok(Replication::None), "{value}");
    }
    assert_eq!(asked("database"), Ok(Replication::Logical));
    for value in ["", "o", "Database", "2", "truer"] {
        assert_eq!(&asked(value).unwrap_err().sqlstate, b"22023", "{value}");
    }
}

#[test]
fn versions_are_negotiated_as_postgresql_18_does() {
    let client = |minor, option: Option<&str>| {
        let mut parameters = vec![("user", "u")];
        parameters.extend(option.map(|name| (name, "on")));
        startup(minor, &parameters).unwrap()
    };
    let none = |minor| Negotiated { minor, answer: None };
    assert_eq!(negotiate(&client(0, None), 2), none(0));
    assert_eq!(negotiate(&client(1, None), 2), none(0));
    assert_eq!(negotiate(&client(2, None), 2), none(2));
    let grease = negotiate(&client(9999, Some("_pq_.test_protocol_negotiation")), 2);
    assert_eq!(grease.minor, 2);
    let golden = b"v\0\0\0\x2b\0\x03\0\x02\0\0\0\x01_pq_.test_protocol_negotiation\0";
    assert_eq!(grease.answer.as_deref(), Some(&golden[..]));
    assert_eq!(server_negotiated(&golden[5..], 9999), Ok(2));
    let old = negotiate(&client(2, None), 0);
    assert_eq!((old.minor, old.answer.as_deref()), (0, Some(&b"v\0\0\0\x0c\0\x03\0\0\0\0\0\0"[..])));
    assert!(negotiate(&client(0, Some("_pq_.x")), 2).answer.is_some());
}

#[test]
fn a_server_that_negotiates_nonsense_is_a_fault() {
    let golden = b"\0\x03\0\0\0\0\0\x01_pq_.x\0";
    assert_eq!(server_negotiated(golden, 2), Ok(0));
    for end in 0..golden.len() {
        assert_eq!(server_negotiated(&golden[..end], 2).unwrap_err().culprit, Culprit::Server);
    }
    assert!(server_negotiated(b"\0\x03\0\x02\0\0\0\0", 0).is_err(), "more than was asked");
    assert!(server_negotiated(b"\0\x04\0\0\0\0\0\0", 2).is_err());
    assert!(server_negotiated(b"\0\x03\0\0\xff\xff\xff\xff", 2).is_err());
}
