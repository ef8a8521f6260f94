//! What TLS promises, with both sides in memory and certificates made for each test.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use policy::config::{Upstream, UpstreamTls as Settings, UpstreamTlsMode as Mode};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::*;

/// A folder of its own for each test's files, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("wiregate-tls-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Makes a certificate for `name` and writes it as `server.crt` with its key.
    fn self_signed(&self, name: &str) -> (PathBuf, PathBuf) {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        (self.write("server.crt", &made.cert.pem()), self.write("server.key", &made.signing_key.serialize_pem()))
    }

    fn server(&self) -> ServerTls {
        let (cert, key) = self.self_signed("localhost");
        ServerTls::load(&cert, &key).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn upstream(mode: Mode, ca: Option<PathBuf>) -> Result<UpstreamTls, TlsError> {
    UpstreamTls::new(&Settings { mode, ca }, &Upstream::Tcp { host: "localhost".into(), port: 5432 })
}

fn client() -> TlsStream {
    upstream(Mode::Require, None).unwrap().connect().unwrap()
}

/// Feeds `bytes` in pieces of `step` bytes.
fn feed(
    stream: &mut TlsStream,
    bytes: &[u8],
    step: usize,
    plain: &mut Vec<u8>,
) -> Result<Vec<u8>, (TlsError, Vec<u8>)> {
    let mut out = Vec::new();
    for piece in bytes.chunks(step) {
        if let Err(error) = stream.feed(piece, plain, &mut out) {
            return Err((error, out));
        }
    }
    Ok(out)
}

/// Completes the handshake, moving bytes in pieces of `step`.
fn shake(client: &mut TlsStream, server: &mut TlsStream, step: usize) -> Result<(), TlsError> {
    let mut plain = Vec::new();
    let mut to_server = Vec::new();
    client.start(&mut to_server)?;
    while !to_server.is_empty() {
        let to_client = feed(server, &to_server, step, &mut plain).map_err(|(error, _)| error)?;
        to_server = feed(client, &to_client, step, &mut plain).map_err(|(error, _)| error)?;
    }
    assert!(plain.is_empty() && !client.is_handshaking() && !server.is_handshaking());
    Ok(())
}

fn connected(folder: &Folder) -> (TlsStream, TlsStream) {
    let (mut client, mut server) = (client(), folder.server().accept().unwrap());
    shake(&mut client, &mut server, usize::MAX).unwrap();
    (client, server)
}

#[test]
fn any_split_of_the_bytes_gives_the_same_plaintext() {
    let folder = Folder::new();
    let server_tls = folder.server();
    let text: Vec<u8> = (0..100_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
    for step in [1, 2, 3, 5, 6, 7, 100, 16_384, 16_405, 16_406, 65_536, usize::MAX] {
        let (mut client, mut server) = (client(), server_tls.accept().unwrap());
        shake(&mut client, &mut server, step).unwrap();
        for (sender, receiver) in [(&mut client, &mut server)] {
            for _ in 0..2 {
                let (mut sealed, mut plain) = (Vec::new(), Vec::new());
                sender.seal(&text, &mut sealed).unwrap();
                sender.seal(b"end", &mut sealed).unwrap();
                let answer = feed(receiver, &sealed, step, &mut plain).unwrap();
                assert!(answer.is_empty());
                assert_eq!(plain.len(), text.len() + 3, "{step}");
                assert!(plain.starts_with(&text) && plain.ends_with(b"end"));
            }
        }
        assert!(server.pending.capacity() == 0 && client.pending.capacity() == 0, "nothing is held while idle");
        assert_eq!((client.version(), client.alpn()), ("TLSv1.3", Some(&b"postgresql"[..])));
    }
}

#[test]
fn both_sides_see_the_same_channel_binding() {
    let (client, server) = connected(&Folder::new());
    let hash = client.channel_binding();
    assert!(hash.as_ref().is_some_and(|hash| hash.len() == 32));
    assert_eq!(hash, server.channel_binding());
}

#[test]
fn a_tampered_record_ends_the_connection_with_an_alert() {
    let (mut client, mut server) = connected(&Folder::new());
    let mut sealed = Vec::new();
    client.seal(b"SELECT 1", &mut sealed).unwrap();
    *sealed.last_mut().unwrap() ^= 1;
    let mut plain = Vec::new();
    let (error, alert) = feed(&mut server, &sealed, 7, &mut plain).unwrap_err();
    assert!(matches!(error, TlsError::Protocol(rustls::Error::DecryptError)), "{error}");
    assert!(plain.is_empty() && !alert.is_empty());
    assert!(matches!(server.feed(b"x", &mut plain, &mut Vec::new()), Err(TlsError::Failed)));
    assert!(matches!(server.seal(b"x", &mut Vec::new()), Err(TlsError::Failed)));
    let (error, _) = feed(&mut client, &alert, usize::MAX, &mut plain).unwrap_err();
    assert!(matches!(error, TlsError::Protocol(rustls::Error::AlertReceived(_))), "{error}");
}

#[test]
fn what_is_not_tls_is_an_error_and_never_plaintext() {
    let tls = Folder::new().server();
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 64], &[0x16; 64], b"\0\0\0\x08\x04\xd2\x16\x2f", &[0xff; 64]] {
        for step in [1, usize::MAX] {
            let mut plain = Vec::new();
            let fed = feed(&mut tls.accept().unwrap(), garbage, step, &mut plain);
            // Sixteens announce a record longer than what came: not wrong yet.
            assert!(fed.is_err() || garbage[0] == 0x16, "{}", garbage.escape_ascii());
            assert!(plain.is_empty());
        }
    }
}

#[test]
fn a_handshake_message_without_end_is_bounded() {
    let mut server = Folder::new().server().accept().unwrap();
    // A ClientHello that claims 16 MiB, one byte in each record.
    let mut record = b"\x16\x03\x01\0\x04\x01\xff\xff\xff".to_vec();
    let mut fed = 0;
    let error = loop {
        match server.feed(&record, &mut Vec::new(), &mut Vec::new()) {
            Ok(_) => fed += record.len(),
            Err(error) => break error,
        }
        record = b"\x16\x03\x01\0\x01x".to_vec();
        assert!(fed <= wire::limits::TLS_PENDING_BYTES + 16);
    };
    assert!(matches!(error, TlsError::TooLong | TlsError::Protocol(_)), "{error}");
}

/// Spreads the handshake messages of plaintext records over records of `size` bytes each.
fn fragmented(records: &[u8], size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = records;
    while let [kind @ 0x16, major, minor, high, low, tail @ ..] = rest {
        let (fragment, next) = tail.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        for piece in fragment.chunks(size) {
            out.extend_from_slice(&[*kind, *major, *minor]);
            out.extend_from_slice(&u16::try_from(piece.len()).unwrap().to_be_bytes());
            out.extend_from_slice(piece);
        }
        rest = next;
    }
    out.extend_from_slice(rest);
    out
}

#[test]
fn a_handshake_message_may_be_spread_over_records() {
    let tls = Folder::new().server();
    for size in [1, 2, 50, 200] {
        for step in [1, 3, 57, usize::MAX] {
            let (mut client, mut server) = (client(), tls.accept().unwrap());
            let (mut plain, mut hello) = (Vec::new(), Vec::new());
            client.start(&mut hello).unwrap();
            let answer = feed(&mut server, &fragmented(&hello, size), step, &mut plain).unwrap();
            let finished = feed(&mut client, &fragmented(&answer, size), step, &mut plain).unwrap();
            let tickets = feed(&mut server, &finished, step, &mut plain).unwrap();
            feed(&mut client, &tickets, step, &mut plain).unwrap();
            let mut sealed = Vec::new();
            client.seal(b"SELECT 1", &mut sealed).unwrap();
            feed(&mut server, &sealed, step, &mut plain).unwrap();
            assert_eq!(plain, b"SELECT 1", "{size} {step}");
        }
    }
}

#[test]
fn no_changed_byte_of_a_handshake_gets_through_or_panics() {
    let tls = Folder::new().server();
    let mut failed = 0;
    for at in (0..3000).step_by(11) {
        let (mut client, mut server) = (client(), tls.accept().unwrap());
        let (mut plain, mut bytes) = (Vec::new(), Vec::new());
        client.start(&mut bytes).unwrap();
        let mut position = at;
        for turn in 0..4 {
            if let Some(byte) = bytes.get_mut(position) {
                *byte ^= 0x55;
            }
            position = position.wrapping_sub(bytes.len());
            let receiver = if turn % 2 == 0 { &mut server } else { &mut client };
            match feed(receiver, &bytes, 100, &mut plain) {
                Ok(answer) => bytes = answer,
                Err((_, alert)) => {
                    failed += 1;
                    bytes = alert;
                }
            }
        }
        assert!(plain.is_empty());
    }
    assert!(failed > 50, "{failed}");
}

#[test]
fn nothing_is_sealed_before_the_handshake_has_ended() {
    let mut client = client();
    assert!(matches!(client.seal(b"x", &mut Vec::new()), Err(TlsError::NotReady)));
    let mut out = Vec::new();
    client.close(&mut out);
    assert!(out.is_empty());
}

#[test]
fn a_close_is_announced_and_the_other_direction_stays_open() {
    let (mut client, mut server) = connected(&Folder::new());
    let mut bytes = Vec::new();
    client.seal(b"last", &mut bytes).unwrap();
    client.close(&mut bytes);
    let once = bytes.len();
    client.close(&mut bytes);
    assert_eq!(bytes.len(), once, "announced once");
    assert!(client.seal(b"more", &mut bytes).is_err());
    let mut plain = Vec::new();
    assert_eq!(server.feed(&bytes, &mut plain, &mut Vec::new()).unwrap(), TlsState::PeerClosed);
    assert_eq!(plain, b"last");
    let mut answer = Vec::new();
    server.seal(b"rows", &mut answer).unwrap();
    server.close(&mut answer);
    plain.clear();
    assert_eq!(client.feed(&answer, &mut plain, &mut Vec::new()).unwrap(), TlsState::PeerClosed);
    assert_eq!(plain, b"rows");
}

#[test]
fn direct_tls_needs_the_alpn_name_and_an_ssl_request_does_not() {
    let folder = Folder::new();
    let tls = folder.server();
    let without = |names: &[&[u8]]| {
        let mut config = rustls::ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(trusting(&folder))
            .with_no_client_auth();
        config.alpn_protocols = names.iter().map(|name| name.to_vec()).collect();
        let name = "localhost".try_into().unwrap();
        let client = rustls::client::UnbufferedClientConnection::new(Arc::new(config), name).unwrap();
        TlsStream::new(stream::Connection::Client(client), false)
    };
    assert!(shake(&mut client(), &mut tls.accept_direct().unwrap(), 10).is_ok());
    assert!(shake(&mut without(&[]), &mut tls.accept().unwrap(), 10).is_ok());
    assert!(matches!(shake(&mut without(&[]), &mut tls.accept_direct().unwrap(), 10), Err(TlsError::NoAlpn)));
    for mut server in [tls.accept().unwrap(), tls.accept_direct().unwrap()] {
        let refused = shake(&mut without(&[b"http/1.1"]), &mut server, 10);
        assert!(matches!(refused, Err(TlsError::Protocol(rustls::Error::NoApplicationProtocol))), "{refused:?}");
    }
}

fn trusting(folder: &Folder) -> rustls::RootCertStore {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(certificates(&folder.0.join("server.crt")).unwrap());
    roots
}

#[test]
fn a_reload_serves_the_new_certificate_and_a_bad_one_changes_nothing() {
    let folder = Folder::new();
    let tls = folder.server();
    let shown = |tls: &ServerTls| {
        let (mut client, mut server) = (client(), tls.accept().unwrap());
        shake(&mut client, &mut server, usize::MAX).unwrap();
        assert_eq!(client.channel_binding(), server.channel_binding());
        client.channel_binding()
    };
    let first = shown(&tls);
    let mut begun = tls.accept().unwrap();
    folder.self_signed("localhost");
    tls.reload().unwrap();
    let second = shown(&tls);
    assert_ne!(first, second);
    assert_eq!(begun.channel_binding(), first, "a connection keeps what it began with");
    shake(&mut client(), &mut begun, usize::MAX).unwrap();

    folder.write("server.key", &KeyPair::generate().unwrap().serialize_pem());
    let error = tls.reload().unwrap_err().to_string();
    assert!(error.contains("server.key") && error.contains("does not belong to the certificate"), "{error}");
    folder.write("server.crt", "not PEM");
    assert!(tls.reload().unwrap_err().to_string().contains("server.crt"));
    assert_eq!(shown(&tls), second);
}

#[test]
fn a_file_that_is_missing_or_wrong_is_named() {
    let folder = Folder::new();
    let (cert, key) = folder.self_signed("localhost");
    let missing = folder.0.join("missing.pem");
    let says = |cert: &Path, key: &Path| ServerTls::load(cert, key).unwrap_err().to_string();
    assert!(says(&missing, &key).contains("missing.pem: No such file"));
    assert!(says(&cert, &missing).contains("missing.pem"));
    assert!(says(&key, &key).contains("server.key: nothing of the right kind"));
    assert!(says(&cert, &cert).contains("server.crt: nothing of the right kind"));
    assert!(upstream(Mode::VerifyFull, Some(missing)).unwrap_err().to_string().contains("missing.pem"));
    assert!(upstream(Mode::VerifyFull, Some(key)).is_err());
}

#[test]
fn verify_full_wants_the_ca_and_the_name_and_require_takes_anybody() {
    let folder = Folder::new();
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_file = folder.write("ca.crt", &ca.self_signed(&ca_key).unwrap().pem());
    let issuer = Issuer::new(ca, ca_key);
    let server = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        let files = (folder.write("server.crt", &cert.pem()), folder.write("server.key", &key.serialize_pem()));
        ServerTls::load(&files.0, &files.1).unwrap()
    };
    let verified = |tls: &ServerTls, ca: &Path| {
        let mut client = upstream(Mode::VerifyFull, Some(ca.to_owned())).unwrap().connect().unwrap();
        shake(&mut client, &mut tls.accept().unwrap(), usize::MAX)
    };
    assert!(verified(&server("localhost"), &ca_file).is_ok());
    let wrong_name = verified(&server("elsewhere"), &ca_file).unwrap_err().to_string();
    assert!(wrong_name.contains("not valid for name"), "{wrong_name}");
    let stranger = folder.server();
    assert!(verified(&stranger, &ca_file).is_err());
    assert!(shake(&mut client(), &mut stranger.accept().unwrap(), usize::MAX).is_ok());
    assert!(verified(&stranger, &folder.0.join("server.crt")).is_ok(), "a self-signed one stands in the file itself");
}

#[test]
fn a_self_signed_ca_certificate_is_taken_where_the_file_names_it() {
    let folder = Folder::new();
    let key = KeyPair::generate().unwrap();
    let mut own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let cert = folder.write("server.crt", &own.self_signed(&key).unwrap().pem());
    let tls = ServerTls::load(&cert, &folder.write("server.key", &key.serialize_pem())).unwrap();
    let connect = |host: &str| {
        let settings = Settings { mode: Mode::VerifyFull, ca: Some(cert.clone()) };
        let upstream = Upstream::Tcp { host: host.into(), port: 5432 };
        let mut client = UpstreamTls::new(&settings, &upstream).unwrap().connect().unwrap();
        shake(&mut client, &mut tls.accept().unwrap(), usize::MAX)
    };
    assert!(connect("localhost").is_ok());
    assert!(connect("elsewhere").is_err());
}

#[test]
fn modes_say_whether_tls_is_wanted_and_needed() {
    let of = |mode| upstream(mode, None).map(|tls| (tls.is_wanted(), tls.is_required()));
    assert_eq!(of(Mode::Disable).unwrap(), (false, false));
    assert_eq!(of(Mode::Prefer).unwrap(), (true, false));
    assert_eq!(of(Mode::Require).unwrap(), (true, true));
    assert!(upstream(Mode::Disable, None).unwrap().connect().is_err());
    let unix = |mode| UpstreamTls::new(&Settings { mode, ca: None }, &Upstream::Unix("/run/x".into()));
    assert!(!unix(Mode::Prefer).unwrap().is_wanted());
    assert!(matches!(unix(Mode::Require), Err(TlsError::UnixSocket)));
    let bad = Upstream::Tcp { host: "no host".into(), port: 1 };
    assert!(UpstreamTls::new(&Settings { mode: Mode::Require, ca: None }, &bad).is_err());
}
