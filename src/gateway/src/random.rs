//! Randomness for nonces and mock secrets, from the TLS library's generator.

use std::io;

/// Fills `bytes` with random ones.
///
/// # Errors
/// The generator failed; nothing that needs randomness may go on.
pub(crate) fn fill(bytes: &mut [u8]) -> io::Result<()> {
    rustls::crypto::aws_lc_rs::default_provider()
        .secure_random
        .fill(bytes)
        .map_err(|_| io::Error::other("the random number generator failed"))
}
