//! How a listener speaks TLS to its server.
//!
//! `prefer` and `require` take any certificate, as libpq's `sslmode` of these names does: they protect from
//! listeners-in, not from somebody who takes the server's place. `verify-full` wants a certificate that comes
//! from the given CA file and names the host; certificates that name it by their common name alone are not
//! taken (RFC 6125), and must be X.509 version 3. A certificate that itself stands in the CA file is taken
//! if it names the host: that is how self-signed ones are configured.

use std::sync::Arc;

use policy::config::{Upstream, UpstreamTls as Settings, UpstreamTlsMode as Mode};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, UnbufferedClientConnection, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::stream::{Connection, TlsStream};
use super::{ALPN, TlsError, certificates, file_error, provider};

/// TLS toward one listener's server.
#[derive(Clone, Debug)]
pub struct UpstreamTls {
    client: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    required: bool,
}

impl UpstreamTls {
    /// Settles everything that connections share. `upstream` gives the name that is sent by SNI and, with
    /// `verify-full`, must stand in the certificate.
    ///
    /// # Errors
    /// [`TlsError`] for a CA file that cannot be used, a name that no certificate can have, and TLS required
    /// on a Unix socket.
    pub fn new(settings: &Settings, upstream: &Upstream) -> Result<Self, TlsError> {
        let required = match settings.mode {
            Mode::Disable => return Ok(Self { client: None, required: false }),
            Mode::Prefer => false,
            Mode::Require | Mode::VerifyFull => true,
        };
        let Upstream::Tcp { host, .. } = upstream else {
            // libpq, too, ignores `prefer` on a Unix socket.
            return if required { Err(TlsError::UnixSocket) } else { Ok(Self { client: None, required }) };
        };
        let name = ServerName::try_from(host.to_string()).map_err(|_| TlsError::UpstreamName(host.clone()))?;
        let verifier: Arc<dyn ServerCertVerifier> = match settings.mode {
            Mode::VerifyFull => Arc::new(verify_full(settings)?),
            Mode::Disable | Mode::Prefer | Mode::Require => Arc::new(AnyCertificate(provider())),
        };
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.alpn_protocols = vec![ALPN.to_vec()];
        // PostgreSQL gives out no tickets; a cache of sessions would stay empty.
        config.resumption = Resumption::disabled();
        Ok(Self { client: Some((Arc::new(config), name)), required })
    }

    /// Whether the server is to be asked for TLS.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.client.is_some()
    }

    /// Whether a server without TLS is to be refused.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// A stream toward the server, to be started once it has answered `S`.
    ///
    /// # Errors
    /// [`TlsError::NotReady`] where TLS is not wanted, [`TlsError::Protocol`] when rustls cannot make a
    /// connection.
    pub fn connect(&self) -> Result<TlsStream, TlsError> {
        let (config, name) = self.client.as_ref().ok_or(TlsError::NotReady)?;
        let connection = UnbufferedClientConnection::new(Arc::clone(config), name.clone())?;
        Ok(TlsStream::new(Connection::Client(connection), false))
    }
}

fn verify_full(settings: &Settings) -> Result<FromCaFile, TlsError> {
    let Some(path) = settings.ca.as_deref() else {
        return Err(file_error("ca".as_ref(), "verify-full needs a CA file"));
    };
    let trusted = certificates(path)?;
    let mut roots = RootCertStore::empty();
    let (_, unusable) = roots.add_parsable_certificates(trusted.iter().cloned());
    if roots.is_empty() {
        return Err(file_error(path, format!("none of its {unusable} certificates can be used")));
    }
    let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| file_error(path, error.to_string()))?;
    Ok(FromCaFile { chains, trusted })
}

/// Takes chains that end in the CA file, and the very certificates that stand in it.
#[derive(Debug)]
struct FromCaFile {
    chains: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for FromCaFile {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // webpki refuses a CA's certificate as a server's own, which every plain `openssl req -x509` makes.
        // Who put exactly this one into the file has said all that a chain could say; its validity is over
        // when it is taken out.
        if self.trusted.iter().any(|trusted| trusted == end_entity) {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        self.chains.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

/// Takes any certificate whose key the server has. The signature is still checked: SCRAM's channel binding
/// rests on it.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
