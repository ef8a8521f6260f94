//! TLS for the raw client: PostgreSQL's SSLRequest, or TLS from the first byte.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

/// A TLS stream over a socket.
pub type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// Starts TLS on a connected socket and completes the handshake, checking the peer's certificate for
/// 127.0.0.1 against `ca`. `alpn` is the application protocol to offer; empty: none.
///
/// # Errors
/// What the handshake or the socket says.
///
/// # Panics
/// When `ca` cannot be read.
pub fn connect(mut socket: TcpStream, ca: &Path, alpn: &[u8]) -> io::Result<TlsStream> {
    let mut config = client_config(ca);
    if !alpn.is_empty() {
        config.alpn_protocols = vec![alpn.to_vec()];
    }
    let name = ServerName::try_from("127.0.0.1").map_err(io::Error::other)?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut socket)?;
    }
    Ok(StreamOwned::new(connection, socket))
}

/// What a client trusts: the authority `ca` alone.
///
/// # Panics
/// When `ca` cannot be read.
#[must_use]
pub fn client_config(ca: &Path) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).expect("read the authority").flatten() {
        roots.add(certificate).expect("a usable authority");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("rustls has protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
