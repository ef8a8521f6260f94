//! TLS on both legs, from buffer to buffer.
//!
//! [`ServerTls`] is what a listener shows its clients, [`UpstreamTls`] how it speaks to its server; both make
//! a [`TlsStream`] for each connection. Nothing here reads or writes a socket: the caller feeds ciphertext in
//! and sends what comes out. TLS 1.2 and 1.3, by rustls with aws-lc-rs; the ALPN name is `postgresql`.
//!
//! Order of calls on a stream: [`TlsStream::start`], then [`TlsStream::feed`] with whatever arrives while
//! [`TlsStream::is_handshaking`]; from then on `feed` and [`TlsStream::seal`] in any order, and
//! [`TlsStream::close`] at the end.

mod binding;
mod server;
mod stream;
mod upstream;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};

pub use server::ServerTls;
pub use stream::{TlsState, TlsStream};
pub use upstream::UpstreamTls;

/// The name that PostgreSQL registered for ALPN (manual, "SSL Session Encryption").
const ALPN: &[u8] = b"postgresql";

/// Why TLS cannot be set up or cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// Something was to be sent after close_notify.
    #[error("this side of the TLS connection is closed")]
    Closed,
    /// The peer sent something after TLS had failed, or something was to be sent then.
    #[error("the TLS connection has failed already")]
    Failed,
    /// A file is not there, cannot be read, or is not PEM.
    #[error("{path}: {what}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The client began TLS directly and did not say by ALPN that it speaks Postgres.
    #[error("a direct TLS connection must negotiate the ALPN protocol \"postgresql\"")]
    NoAlpn,
    /// Plaintext was to be sent before the handshake has ended.
    #[error("the TLS handshake has not ended")]
    NotReady,
    /// The peer broke TLS, sent an alert, or showed a certificate that is not trusted.
    #[error("{0}")]
    Protocol(#[from] rustls::Error),
    /// The peer began a message that passes the limit on what may wait for its end.
    #[error("a TLS handshake message is longer than {} bytes", wire::limits::TLS_PENDING_BYTES)]
    TooLong,
    /// The server is on a Unix socket, where PostgreSQL does not speak TLS.
    #[error("upstream_tls: PostgreSQL does not speak TLS on Unix sockets; set upstream_tls = \"disable\"")]
    UnixSocket,
    /// The server's name cannot stand in a certificate.
    #[error("upstream: \"{0}\" is not a host name or an address that a certificate can name")]
    UpstreamName(Box<str>),
}

/// The cryptography under TLS: aws-lc-rs, whatever else is linked in.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// All certificates of a PEM file, in its order.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let list: Vec<_> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|error| unreadable(path, &error))?;
    if list.is_empty() { Err(unreadable(path, &pem::Error::NoItemsFound)) } else { Ok(list) }
}

fn unreadable(path: &Path, error: &pem::Error) -> TlsError {
    let what = match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "nothing of the right kind is in this PEM file".to_owned(),
        other => format!("not a PEM file: {other}"),
    };
    file_error(path, what)
}

fn file_error(path: &Path, what: impl Into<String>) -> TlsError {
    TlsError::File { path: path.to_owned(), what: what.into() }
}

#[cfg(test)]
mod tests;
