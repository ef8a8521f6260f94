//! A blocking connection, encrypted or not.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::client::{ClientError, Encryption, SILENCE_LIMIT, Target};

/// PostgreSQL's `SSLRequest`: a length and a code that is no version.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// One connection to a target.
#[derive(Debug)]
pub(crate) enum Wire {
    Plain(TcpStream),
    Encrypted(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    /// Connects; for PostgreSQL, with TLS as the target asks.
    pub(crate) fn connect(target: &Target) -> Result<Self, ClientError> {
        let mut stream = TcpStream::connect((target.host.as_str(), target.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE_LIMIT))?;
        if target.tls == Encryption::None {
            return Ok(Self::Plain(stream));
        }
        if target.tls == Encryption::Request {
            stream.write_all(&SSL_REQUEST)?;
            let mut answer = [0];
            stream.read_exact(&mut answer)?;
            if answer != *b"S" {
                return Err(ClientError::Tls("the server does not offer it".into()));
            }
        }
        let refused = |error: rustls::Error| ClientError::Tls(error.to_string());
        let name = ServerName::try_from("localhost").map_err(|error| ClientError::Tls(error.to_string()))?;
        let connection = ClientConnection::new(Arc::new(config(target)?), name).map_err(refused)?;
        Ok(Self::Encrypted(Box::new(StreamOwned::new(connection, stream))))
    }
}

fn config(target: &Target) -> Result<ClientConfig, ClientError> {
    let refused = |error: &dyn std::fmt::Display| ClientError::Tls(error.to_string());
    let path = target.ca.as_ref().ok_or_else(|| ClientError::Tls("--ca names no certificate authority".into()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| refused(&error))? {
        roots.add(certificate.map_err(|error| refused(&error))?).map_err(|error| refused(&error))?;
    }
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    if target.tls == Encryption::Direct {
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(config)
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Encrypted(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Encrypted(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Encrypted(stream) => stream.flush(),
        }
    }
}
