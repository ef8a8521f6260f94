//! The `tls-server-end-point` channel binding: a hash of the server's certificate (RFC 5929 section 4.1).
//!
//! The hash function is the one of the certificate's own signature, with MD5 and SHA-1 replaced by SHA-256.
//! Signature algorithms without one hash function (Ed25519, Ed448) have no such binding; PLUS is not
//! offered then. PostgreSQL decides alike (`be_tls_get_certificate_hash`).

use der::asn1::{AnyRef, ContextSpecific, ObjectIdentifier};
use der::{Decode as _, Reader, SliceReader, TagMode, TagNumber};
use sha2::{Digest as _, Sha224, Sha256, Sha384, Sha512};

/// The binding data of a certificate; none where its signature names no hash function that is known here.
pub(super) fn end_point_hash(certificate: &[u8]) -> Option<Box<[u8]>> {
    let hash: Box<[u8]> = match signature_hash(certificate).ok()?? {
        Hash::Sha224 => Box::from(&Sha224::digest(certificate)[..]),
        Hash::Sha256 => Box::from(&Sha256::digest(certificate)[..]),
        Hash::Sha384 => Box::from(&Sha384::digest(certificate)[..]),
        Hash::Sha512 => Box::from(&Sha512::digest(certificate)[..]),
    };
    Some(hash)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// What an algorithm's identifier says of its hash function.
enum Named {
    Hash(Hash),
    /// RSASSA-PSS: the hash function stands in the parameters.
    InParameters,
    Unknown,
}

/// Reads `signatureAlgorithm` of a Certificate (RFC 5280 section 4.1).
fn signature_hash(certificate: &[u8]) -> der::Result<Option<Hash>> {
    SliceReader::new(certificate)?.sequence(|fields| {
        AnyRef::decode(fields)?;
        let hash = fields.sequence(|algorithm| {
            let named = signature(ObjectIdentifier::decode(algorithm)?);
            let parameters = optional(algorithm)?;
            match (named, parameters) {
                (Named::Hash(hash), _) => Ok(Some(hash)),
                (Named::InParameters, Some(parameters)) => pss_hash(parameters),
                (Named::InParameters | Named::Unknown, _) => Ok(None),
            }
        })?;
        AnyRef::decode(fields)?;
        Ok(hash)
    })
}

fn optional<'r>(reader: &mut impl Reader<'r>) -> der::Result<Option<AnyRef<'r>>> {
    if reader.is_finished() { Ok(None) } else { AnyRef::decode(reader).map(Some) }
}

/// `RSASSA-PSS-params` (RFC 4055 section 3.1): hashAlgorithm is `[0]`, SHA-1 where it is left out.
fn pss_hash(parameters: AnyRef<'_>) -> der::Result<Option<Hash>> {
    parameters.sequence(|fields| {
        let algorithm = ContextSpecific::<AnyRef<'_>>::decode_explicit(fields, TagNumber(0))?;
        while optional(fields)?.is_some() {}
        let Some(algorithm) = algorithm else { return Ok(Some(Hash::Sha256)) };
        debug_assert_eq!(algorithm.tag_mode, TagMode::Explicit);
        algorithm.value.sequence(|identifier| {
            let hash = digest(ObjectIdentifier::decode(identifier)?);
            optional(identifier)?;
            Ok(hash)
        })
    })
}

fn oid(text: &str) -> Option<ObjectIdentifier> {
    ObjectIdentifier::new(text).ok()
}

fn signature(algorithm: ObjectIdentifier) -> Named {
    let is = |list: &[&str]| list.iter().any(|text| oid(text) == Some(algorithm));
    // md5WithRSA, sha1WithRSA, dsa-with-sha1, ecdsa-with-SHA1, then those of SHA-256 for RSA, ECDSA, DSA.
    if is(&[
        "1.2.840.113549.1.1.4",
        "1.2.840.113549.1.1.5",
        "1.2.840.10040.4.3",
        "1.2.840.10045.4.1",
        "1.2.840.113549.1.1.11",
        "1.2.840.10045.4.3.2",
        "2.16.840.1.101.3.4.3.2",
    ]) {
        Named::Hash(Hash::Sha256)
    } else if is(&["1.2.840.113549.1.1.14", "1.2.840.10045.4.3.1", "2.16.840.1.101.3.4.3.1"]) {
        Named::Hash(Hash::Sha224)
    } else if is(&["1.2.840.113549.1.1.12", "1.2.840.10045.4.3.3"]) {
        Named::Hash(Hash::Sha384)
    } else if is(&["1.2.840.113549.1.1.13", "1.2.840.10045.4.3.4"]) {
        Named::Hash(Hash::Sha512)
    } else if is(&["1.2.840.113549.1.1.10"]) {
        Named::InParameters
    } else {
        Named::Unknown
    }
}

fn digest(algorithm: ObjectIdentifier) -> Option<Hash> {
    let is = |text| oid(text) == Some(algorithm);
    if is("1.3.14.3.2.26") || is("1.2.840.113549.2.5") || is("2.16.840.1.101.3.4.2.1") {
        Some(Hash::Sha256)
    } else if is("2.16.840.1.101.3.4.2.4") {
        Some(Hash::Sha224)
    } else if is("2.16.840.1.101.3.4.2.2") {
        Some(Hash::Sha384)
    } else if is("2.16.840.1.101.3.4.2.3") {
        Some(Hash::Sha512)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(algorithm: &'static rcgen::SignatureAlgorithm) -> Vec<u8> {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        parameters.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_hash_is_the_one_of_the_signature() {
        let p256 = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
        assert_eq!(end_point_hash(&p256).as_deref(), Some(&Sha256::digest(&p256)[..]));
        let p384 = certificate(&rcgen::PKCS_ECDSA_P384_SHA384);
        assert_eq!(end_point_hash(&p384).as_deref(), Some(&Sha384::digest(&p384)[..]));
        assert_eq!(end_point_hash(&certificate(&rcgen::PKCS_ED25519)), None);
    }

    /// A Certificate of nothing but its outer structure, signed with `algorithm`.
    fn shell(algorithm: &[u8]) -> Vec<u8> {
        let length = u8::try_from(algorithm.len()).unwrap();
        let inner = [&[0x30, 0][..], &[0x30, length], algorithm, &[0x03, 1, 0]].concat();
        [&[0x30, u8::try_from(inner.len()).unwrap()][..], &inner].concat()
    }

    #[test]
    fn weak_hashes_are_replaced_and_pss_parameters_are_read() {
        let sha1_rsa = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05\x05\x00";
        assert_eq!(signature_hash(&shell(sha1_rsa)), Ok(Some(Hash::Sha256)));
        let pss = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";
        let sha512 = b"\x30\x0f\xa0\x0d\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03";
        assert_eq!(signature_hash(&shell(&[&pss[..], sha512].concat())), Ok(Some(Hash::Sha512)));
        assert_eq!(signature_hash(&shell(&[&pss[..], b"\x30\x00"].concat())), Ok(Some(Hash::Sha256)));
        assert_eq!(signature_hash(&shell(pss)), Ok(None));
    }

    #[test]
    fn a_certificate_cut_anywhere_has_no_hash() {
        let whole = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
        for end in 0..whole.len() {
            assert_eq!(end_point_hash(&whole[..end]), None, "{end}");
        }
    }
}
