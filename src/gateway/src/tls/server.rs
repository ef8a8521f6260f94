//! What a listener shows its clients: a certificate chain and its key, exchangeable while running.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::UnbufferedServerConnection;

use super::stream::{Connection, TlsStream};
use super::{ALPN, TlsError, binding, certificates, file_error, provider, unreadable};

/// TLS of one listener, shared by all shards.
///
/// Connections keep what they began with; a reload is for those that come after it. Session tickets are
/// given out and die with a reload, because a resumed session would otherwise be bound to a certificate that
/// is no longer shown.
#[derive(Debug)]
pub struct ServerTls {
    cert: PathBuf,
    key: PathBuf,
    current: RwLock<Loaded>,
}

#[derive(Clone, Debug)]
struct Loaded {
    config: Arc<ServerConfig>,
    /// Hash of the leaf certificate for channel binding.
    binding: Option<Arc<[u8]>>,
}

impl ServerTls {
    /// Reads a certificate chain, leaf first, and its private key (PKCS #8, PKCS #1 or SEC 1) from PEM files.
    ///
    /// # Errors
    /// [`TlsError::File`] names the file that is missing or does not fit.
    pub fn load(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let current = RwLock::new(Loaded::read(cert, key)?);
        Ok(Self { cert: cert.to_owned(), key: key.to_owned(), current })
    }

    /// Reads both files again. What is shown stays as it was where that fails.
    ///
    /// # Errors
    /// As [`ServerTls::load`].
    pub fn reload(&self) -> Result<(), TlsError> {
        let loaded = Loaded::read(&self.cert, &self.key)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(())
    }

    /// A stream for a client that asked for TLS by an SSLRequest.
    ///
    /// # Errors
    /// [`TlsError::Protocol`] when rustls cannot make a connection.
    pub fn accept(&self) -> Result<TlsStream, TlsError> {
        self.connection(false)
    }

    /// A stream for a client that began with TLS: it must name `postgresql` by ALPN, so that a browser that
    /// was tricked into speaking to a database gets nowhere (ALPACA).
    ///
    /// # Errors
    /// As [`ServerTls::accept`].
    pub fn accept_direct(&self) -> Result<TlsStream, TlsError> {
        self.connection(true)
    }

    fn connection(&self, direct: bool) -> Result<TlsStream, TlsError> {
        let Loaded { config, binding } = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        let connection = UnbufferedServerConnection::new(config)?;
        Ok(TlsStream::new(Connection::Server { connection, binding }, direct))
    }
}

impl Loaded {
    fn read(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain = certificates(cert)?;
        let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error))?;
        let binding = chain.first().and_then(|leaf| binding::end_point_hash(leaf)).map(Arc::from);
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(|error| mismatch(cert, key, &error))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
        // The drivers that resume at all open one connection for each ticket; two would be sent by default.
        config.send_tls13_tickets = 1;
        Ok(Self { config: Arc::new(config), binding })
    }
}

fn mismatch(cert: &Path, key: &Path, error: &rustls::Error) -> TlsError {
    match error {
        rustls::Error::InconsistentKeys(_) => {
            file_error(key, format!("this key does not belong to the certificate in {}", cert.display()))
        }
        rustls::Error::InvalidCertificate(_) => file_error(cert, error.to_string()),
        other => file_error(key, format!("cannot be used for TLS: {other}")),
    }
}
