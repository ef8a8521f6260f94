//! Both sides of SCRAM against the RFC's example, each other, and everything that is not an exchange.

use super::client::{ClientBinding, ScramClient};
use super::server::{AwaitProof, Gs2Flag, ScramServer, gs2_header};
use super::verifier::{MockSecret, Verifier};
use super::*;
use crate::secret::Secret;

const CLIENT_NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const CLIENT_FIRST: &[u8] = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const SERVER_FIRST: &[u8] = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const CLIENT_FINAL: &[u8] =
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const SERVER_FINAL: &[u8] = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

/// The verifier of the RFC's example, made once: 4,096 rounds take a while without optimisation.
fn pencil() -> Verifier {
    static MADE: std::sync::LazyLock<Verifier> = std::sync::LazyLock::new(|| {
        Verifier::from_password(b"pencil", &decode(b"W22ZaJ0SNY7soEsUEjb6gQ==", "salt").unwrap(), 4096)
    });
    MADE.clone()
}

fn rfc_client() -> (ScramClient, Vec<u8>) {
    ScramClient::with_nonce(Secret::new(*b"pencil"), &ClientBinding::None, CLIENT_NONCE.into(), "user", None)
}

fn rfc_server() -> Result<(AwaitProof, Vec<u8>), ScramError> {
    ScramServer::new(pencil(), None).first_with_nonce(SCRAM_SHA_256, CLIENT_FIRST, SERVER_NONCE)
}

/// A whole exchange with cheap keys; the server's result.
fn exchange(
    verifier: Verifier,
    password: &[u8],
    mechanism: &[u8],
    client: &ClientBinding,
    server: Option<&[u8]>,
) -> Result<(), ScramError> {
    let (client, first) = ScramClient::new(Secret::new(password), client, &[1; NONCE_BYTES], None);
    let (server, challenge) = ScramServer::new(verifier, server).first(mechanism, &first, &[2; NONCE_BYTES])?;
    let (client, last) = client.respond(&challenge)?;
    let outcome = server.finish(&last)?;
    client.finish(&outcome).map(|_| ())
}

fn cheap() -> Verifier {
    Verifier::from_password(b"pw", b"salt", 1)
}

#[test]
fn the_example_of_rfc_7677_holds_on_both_sides() {
    let (client, first) = rfc_client();
    assert_eq!(first, CLIENT_FIRST);
    let (server, challenge) = rfc_server().unwrap();
    assert_eq!(challenge, SERVER_FIRST);
    let (client, last) = client.respond_as("user", SERVER_FIRST).unwrap();
    assert_eq!(last, CLIENT_FINAL);
    assert_eq!(server.finish(CLIENT_FINAL).unwrap(), SERVER_FINAL);
    assert!(client.finish(SERVER_FINAL).is_ok());
}

#[test]
fn cached_keys_give_the_same_proof_and_yield_to_a_new_salt() {
    let (client, _) = rfc_client();
    let keys = client.respond_as("user", SERVER_FIRST).unwrap().0.finish(SERVER_FINAL).unwrap();
    let again = |keys| {
        ScramClient::with_nonce(Secret::new(*b"pencil"), &ClientBinding::None, CLIENT_NONCE.into(), "user", Some(keys))
            .0
    };
    assert_eq!(again(keys.clone()).respond_as("user", SERVER_FIRST).unwrap().1, CLIENT_FINAL);
    let other = SERVER_FIRST.to_vec().escape_ascii().to_string().replace("i=4096", "i=1");
    let fresh = rfc_client().0.respond_as("user", other.as_bytes()).unwrap().1;
    assert_eq!(again(keys).respond_as("user", other.as_bytes()).unwrap().1, fresh);
}

#[test]
fn channel_binding_works_and_fails_as_rfc_5802_says() {
    let hash: &[u8] = b"certificate hash";
    let bound = ClientBinding::EndPoint(hash.into());
    let plain = SCRAM_SHA_256;
    let plus = SCRAM_SHA_256_PLUS;
    assert_eq!(exchange(cheap(), b"pw", plus, &bound, Some(hash)), Ok(()));
    assert_eq!(exchange(cheap(), b"pw", plain, &ClientBinding::None, Some(hash)), Ok(()));
    assert_eq!(exchange(cheap(), b"pw", plain, &ClientBinding::NotOffered, None), Ok(()));
    assert_eq!(exchange(cheap(), b"pw", plus, &bound, Some(b"another hash")), Err(ScramError::BindingMismatch));
    assert_eq!(exchange(cheap(), b"pw", plain, &ClientBinding::NotOffered, Some(hash)), Err(ScramError::Downgrade));
    let malformed = |result| matches!(result, Err(ScramError::Malformed { .. }));
    assert!(malformed(exchange(cheap(), b"pw", plain, &bound, Some(hash))), "binding without PLUS");
    assert!(malformed(exchange(cheap(), b"pw", plus, &ClientBinding::None, Some(hash))), "PLUS without binding");
    let unsupported = |result| matches!(result, Err(ScramError::Unsupported { .. }));
    assert!(unsupported(exchange(cheap(), b"pw", plus, &bound, None)), "PLUS was not offered");
    assert!(unsupported(exchange(cheap(), b"pw", b"SCRAM-SHA-1", &ClientBinding::None, None)));
}

#[test]
fn a_wrong_password_and_an_unknown_user_end_alike() {
    let wrong = exchange(cheap(), b"pW", SCRAM_SHA_256, &ClientBinding::None, None);
    let unknown =
        exchange(MockSecret::new([3; 32]).verifier(b"x", 1), b"pw", SCRAM_SHA_256, &ClientBinding::None, None);
    assert_eq!(wrong, Err(ScramError::WrongProof));
    assert_eq!(unknown, wrong);
}

#[test]
fn a_server_that_does_not_know_the_password_is_found_out() {
    let answer = |outcome: &[u8]| rfc_client().0.respond_as("user", SERVER_FIRST).unwrap().0.finish(outcome).err();
    assert_eq!(answer(b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), Some(ScramError::WrongProof));
    assert_eq!(answer(b"e=invalid-proof"), Some(ScramError::Refused));
    for end in 0..SERVER_FINAL.len() {
        assert!(answer(&SERVER_FINAL[..end]).is_some(), "{end}");
    }
}

#[test]
fn every_truncation_and_every_changed_byte_of_a_last_message_is_refused() {
    for end in 0..CLIENT_FINAL.len() {
        assert!(rfc_server().unwrap().0.finish(&CLIENT_FINAL[..end]).is_err(), "{end}");
    }
    for at in 0..CLIENT_FINAL.len() {
        let mut changed = CLIENT_FINAL.to_vec();
        changed[at] ^= 1;
        assert!(rfc_server().unwrap().0.finish(&changed).is_err(), "{at}");
    }
    let behind = [CLIENT_FINAL, b",x=1"].concat();
    assert!(rfc_server().unwrap().0.finish(&behind).is_err(), "nothing may follow the proof");
}

#[test]
fn every_truncation_of_a_first_message_and_a_challenge_ends_in_an_error_or_another_exchange() {
    for end in 0..CLIENT_FIRST.len() {
        let first = ScramServer::new(cheap(), None).first_with_nonce(SCRAM_SHA_256, &CLIENT_FIRST[..end], SERVER_NONCE);
        // A nonce cut short still is a nonce: the exchange then fails at the proof.
        assert_eq!(first.is_ok(), end > b"n,,n=user,r=".len(), "{end}");
    }
    for end in 0..SERVER_FIRST.len() {
        match rfc_client().0.respond_as("user", &SERVER_FIRST[..end]) {
            Err(_) => {}
            Ok((_, last)) => assert_ne!(last, CLIENT_FINAL, "{end}"),
        }
    }
}

#[test]
fn a_challenge_that_is_not_for_us_or_asks_too_much_is_refused() {
    let answer = |challenge: &str| rfc_client().0.respond(challenge.as_bytes()).err();
    let malformed =
        |challenge: &str| assert!(matches!(answer(challenge), Some(ScramError::Malformed { .. })), "{challenge}");
    malformed("r=other,s=AAAA,i=1");
    malformed(&format!("r={CLIENT_NONCE},s=AAAA,i=1"));
    malformed(&format!("r={CLIENT_NONCE}x,s=,i=1"));
    malformed(&format!("r={CLIENT_NONCE}x,s=A,i=1"));
    malformed(&format!("r={CLIENT_NONCE}x,s=AAAA,i=+1"));
    malformed(&format!("r={CLIENT_NONCE}x,s=AAAA,i="));
    malformed(&format!("r={CLIENT_NONCE}\x7f,s=AAAA,i=1"));
    malformed(&format!("r={CLIENT_NONCE}x,s=AAAA,i=1,"));
    assert!(matches!(answer("m=must,r=x"), Some(ScramError::Unsupported { .. })));
    for count in ["0", "600001", "4294967297", "99999999999999999999"] {
        let challenge = format!("r={CLIENT_NONCE}x,s=AAAA,i={count}");
        assert_eq!(answer(&challenge), Some(ScramError::TooManyIterations), "{count}");
    }
    assert_eq!(answer(&format!("r={CLIENT_NONCE}x,s=AAAA,i=1,x=new")), None, "optional extensions are skipped");
}

#[test]
fn headers_of_a_first_message_are_told_apart() {
    assert_eq!(gs2_header(b"n,,n=,r=x"), Ok((Gs2Flag::NotSupported, 3)));
    assert_eq!(gs2_header(b"y,,n=,r=x"), Ok((Gs2Flag::ServerLacksIt, 3)));
    assert_eq!(gs2_header(b"p=tls-server-end-point,,n=,r=x"), Ok((Gs2Flag::EndPoint, 24)));
    for header in [&b"p=tls-unique,,"[..], b"p=tls-exporter,,", b"n,a=root,"] {
        assert!(matches!(gs2_header(header), Err(ScramError::Unsupported { .. })), "{}", header.escape_ascii());
    }
    for header in [&b""[..], b"n", b"n,", b"x,,", b"N,,", b"n,x,", b"p"] {
        assert!(matches!(gs2_header(header), Err(ScramError::Malformed { .. })), "{}", header.escape_ascii());
    }
}

#[test]
fn no_state_shows_its_keys() {
    let (server, _) = rfc_server().unwrap();
    let (client, _) = rfc_client();
    let shown = format!("{server:?} {client:?}");
    assert!(!shown.contains("pencil") && !shown.contains("stored_key") && !shown.contains("client_key"), "{shown}");
}
