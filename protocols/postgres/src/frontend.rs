//! Messages that Wiregate itself sends to a server: start-up, authentication, cancel, its own queries.
//!
//! Every function appends one whole message to `out`. Nothing here decides when a message may be sent, and
//! nothing here logs: passwords pass through.
//!
//! Source: PostgreSQL manual, "Message Formats".

use crate::backend::{counted, cstr, framed};

/// Request code of an SSLRequest: 1234 and 5679 in two 16-bit halves.
pub const SSL_REQUEST_CODE: u32 = 80_877_103;
/// Request code of a GSSENCRequest: 1234 and 5680.
pub const GSSENC_REQUEST_CODE: u32 = 80_877_104;
/// Request code of a CancelRequest: 1234 and 5678.
pub const CANCEL_REQUEST_CODE: u32 = 80_877_102;

/// StartupMessage for protocol 3 and `minor`, with `parameters` in the order given (`user` must be one).
///
/// A parameter with an empty name would end the list early and is left out.
pub fn startup_message<'a>(out: &mut Vec<u8>, minor: u16, parameters: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) {
    counted(out, |out| {
        out.extend_from_slice(&(3 << 16 | u32::from(minor)).to_be_bytes());
        for (name, value) in parameters {
            if name.iter().all(|byte| *byte == 0) {
                continue;
            }
            cstr(out, name);
            cstr(out, value);
        }
        out.push(0);
    });
}

/// SSLRequest; the server answers with one byte, `S` or `N`, or with an error.
pub fn ssl_request(out: &mut Vec<u8>) {
    counted(out, |out| out.extend_from_slice(&SSL_REQUEST_CODE.to_be_bytes()));
}

/// CancelRequest for the session `pid` with its secret `key` (4 to 256 bytes).
pub fn cancel_request(out: &mut Vec<u8>, pid: u32, key: &[u8]) {
    counted(out, |out| {
        out.extend_from_slice(&CANCEL_REQUEST_CODE.to_be_bytes());
        out.extend_from_slice(&pid.to_be_bytes());
        out.extend_from_slice(key);
    });
}

/// PasswordMessage: a cleartext password, or the text that answers an MD5 challenge.
pub fn password_message(out: &mut Vec<u8>, password: &[u8]) {
    framed(out, b'p', |out| cstr(out, password));
}

/// SASLInitialResponse with the mechanism's name and first message.
pub fn sasl_initial_response(out: &mut Vec<u8>, mechanism: &[u8], data: &[u8]) {
    framed(out, b'p', |out| {
        cstr(out, mechanism);
        out.extend_from_slice(&u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(data);
    });
}

/// SASLResponse.
pub fn sasl_response(out: &mut Vec<u8>, data: &[u8]) {
    framed(out, b'p', |out| out.extend_from_slice(data));
}

/// Query: the simple protocol.
pub fn query(out: &mut Vec<u8>, sql: &[u8]) {
    framed(out, b'Q', |out| cstr(out, sql));
}

/// Terminate: a polite end.
pub fn terminate(out: &mut Vec<u8>) {
    framed(out, b'X', |_| {});
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn messages_are_as_the_manual_shows() {
        let parameters: [(&[u8], &[u8]); 3] = [(b"user", b"ana"), (b"", b"lost"), (b"database", b"shop")];
        assert_eq!(
            built(|out| startup_message(out, 2, parameters)),
            b"\0\0\0\x20\0\x03\0\x02user\0ana\0database\0shop\0\0"
        );
        assert_eq!(built(ssl_request), b"\0\0\0\x08\x04\xd2\x16\x2f");
        assert_eq!(built(|out| cancel_request(out, 1, b"abcd")), b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x01abcd");
        assert_eq!(built(|out| password_message(out, b"pw")), b"p\0\0\0\x07pw\0");
        assert_eq!(built(|out| sasl_initial_response(out, b"M", b"n,,")), b"p\0\0\0\x0dM\0\0\0\0\x03n,,");
        assert_eq!(built(|out| sasl_response(out, b"c=")), b"p\0\0\0\x06c=");
        assert_eq!(built(|out| query(out, b"SELECT 1")), b"Q\0\0\0\x0dSELECT 1\0");
        assert_eq!(built(terminate), b"X\0\0\0\x04");
    }
}
