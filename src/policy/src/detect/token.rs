//! Keys and tokens of services that mark them with a prefix, and JSON Web Tokens (RFC 7519).
//!
//! | detector | prefixes and what follows |
//! |---|---|
//! | `aws_key` | `AKIA`, `ASIA`, `ABIA`, `ACCA` and 16 capitals or digits |
//! | `gcp_key` | `AIza` and 35, `GOCSPX-` and 28, `ya29.` and 20 or more of letters, digits, `-`, `_` |
//! | `github_token` | `ghp_`, `gho_`, `ghu_`, `ghs_`, `ghr_` and 36 or more, `github_pat_` and 40 or more of letters, digits, `_` |
//! | `jwt` | `eyJ…`, a header with `"alg"`, and two or four further parts, between points |
//! | `slack_token` | `xoxa-`, `xoxb-`, `xoxc-`, `xoxd-`, `xoxe-`, `xoxp-`, `xoxr-`, `xoxs-`, `xapp-` and 10 or more of letters, digits, `-` |
//! | `stripe_key` | `sk_live_`, `sk_test_`, `rk_live_`, `rk_test_` and 16 or more, `whsec_` and 24 or more of letters, digits |
//!
//! Sources: the documentation of each service. A secret without a prefix, as AWS's secret access key, has
//! no form that would tell it from any other text. The prefilter searches for the prefixes.

use std::ops::Range;

use memchr::memmem;

use super::set::Detector;

/// One form of a token.
struct Form {
    prefix: &'static [u8],
    /// Bytes after the prefix.
    fewest: usize,
    most: usize,
    body: fn(u8) -> bool,
}

const fn form(prefix: &'static [u8], fewest: usize, most: usize, body: fn(u8) -> bool) -> Form {
    Form { prefix, fewest, most, body }
}

const UNBOUNDED: usize = usize::MAX;

fn capital(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn underlined(byte: u8) -> bool {
    plain(byte) || byte == b'_'
}

fn hyphened(byte: u8) -> bool {
    plain(byte) || byte == b'-'
}

/// The alphabet of base64 for URLs (RFC 4648, section 5).
fn url(byte: u8) -> bool {
    hyphened(byte) || byte == b'_'
}

const AWS: [Form; 4] = [
    form(b"AKIA", 16, 16, capital),
    form(b"ASIA", 16, 16, capital),
    form(b"ABIA", 16, 16, capital),
    form(b"ACCA", 16, 16, capital),
];

const GCP: [Form; 3] = [form(b"AIza", 35, 35, url), form(b"GOCSPX-", 28, 28, url), form(b"ya29.", 20, UNBOUNDED, url)];

const GITHUB: [Form; 6] = [
    form(b"ghp_", 36, UNBOUNDED, underlined),
    form(b"gho_", 36, UNBOUNDED, underlined),
    form(b"ghu_", 36, UNBOUNDED, underlined),
    form(b"ghs_", 36, UNBOUNDED, underlined),
    form(b"ghr_", 36, UNBOUNDED, underlined),
    form(b"github_pat_", 40, UNBOUNDED, underlined),
];

const SLACK: [Form; 9] = [
    form(b"xoxa-", 10, UNBOUNDED, hyphened),
    form(b"xoxb-", 10, UNBOUNDED, hyphened),
    form(b"xoxc-", 10, UNBOUNDED, hyphened),
    form(b"xoxd-", 10, UNBOUNDED, hyphened),
    form(b"xoxe-", 10, UNBOUNDED, hyphened),
    form(b"xoxp-", 10, UNBOUNDED, hyphened),
    form(b"xoxr-", 10, UNBOUNDED, hyphened),
    form(b"xoxs-", 10, UNBOUNDED, hyphened),
    form(b"xapp-", 10, UNBOUNDED, hyphened),
];

const STRIPE: [Form; 5] = [
    form(b"sk_live_", 16, UNBOUNDED, plain),
    form(b"sk_test_", 16, UNBOUNDED, plain),
    form(b"rk_live_", 16, UNBOUNDED, plain),
    form(b"rk_test_", 16, UNBOUNDED, plain),
    form(b"whsec_", 24, UNBOUNDED, plain),
];

const JWT: &[u8] = b"eyJ";

fn forms(detector: &Detector) -> &'static [Form] {
    match detector {
        Detector::AwsKey => &AWS,
        Detector::GcpKey => &GCP,
        Detector::GithubToken => &GITHUB,
        Detector::SlackToken => &SLACK,
        Detector::StripeKey => &STRIPE,
        _ => &[],
    }
}

/// What the tokens of a detector begin with; nothing for detectors of other kinds.
pub(super) fn prefixes(detector: &Detector) -> Vec<&'static [u8]> {
    match detector {
        Detector::Jwt => vec![JWT],
        Detector::PrivateKey => vec![super::secret::BEGIN],
        other => forms(other).iter().map(|form| form.prefix).collect(),
    }
}

/// The bytes that the prefixes of a detector begin with; one may stand there more than once.
fn first_bytes(detector: &Detector) -> [u8; 3] {
    match detector {
        Detector::AwsKey => *b"AAA",
        Detector::GcpKey => *b"AGy",
        Detector::GithubToken => *b"ggg",
        Detector::SlackToken => *b"xxx",
        _ => *b"rsw",
    }
}

/// The first token of a detector that begins at `from` or later.
pub(super) fn find(detector: &Detector, text: &[u8], from: usize) -> Option<Range<usize>> {
    let [first, second, third] = first_bytes(detector);
    let begins = memchr::memchr3_iter(first, second, third, text.get(from..)?).map(|at| from + at);
    let mut tokens = begins.filter(|start| begins_word(text, *start)).filter_map(|start| {
        let form = forms(detector).iter().find(|form| text[start..].starts_with(form.prefix))?;
        token_at(form, text, start)
    });
    tokens.next()
}

/// A token that ends where its length is right. One of bounded length must end its word; another is as long
/// as its alphabet goes.
fn token_at(form: &Form, text: &[u8], start: usize) -> Option<Range<usize>> {
    let body = start + form.prefix.len();
    let most = form.most.saturating_add(1);
    let length = text[body..].iter().take(most).take_while(|byte| (form.body)(**byte)).count();
    let end = body + length;
    let ends = form.most == UNBOUNDED || !text.get(end).is_some_and(|byte| underlined(*byte));
    ((form.fewest..=form.most).contains(&length) && ends).then_some(start..end)
}

fn begins_word(text: &[u8], start: usize) -> bool {
    !text[..start].last().is_some_and(|byte| underlined(*byte))
}

/// The first JSON Web Token that begins at `from` or later.
pub(super) fn find_jwt(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut floor = from;
    while let Some(distance) = memmem::find(text.get(floor..)?, JWT) {
        let start = floor + distance;
        match jwt_at(text, start) {
            Ok(end) => return Some(start..end),
            Err(next) => floor = next.max(start + 1),
        }
    }
    None
}

/// Where the token ends that begins at `start`, or where to go on.
fn jwt_at(text: &[u8], start: usize) -> Result<usize, usize> {
    let part = |at: usize| text.get(at..).map_or(0, |text| text.iter().take_while(|byte| url(**byte)).count());
    let header = part(start);
    let mut ends = vec![start + header];
    if !begins_word(text, start) || !names_algorithm(&text[start..ends[0]]) {
        return Err(ends[0]);
    }
    while let Some(&end) = ends.last()
        && ends.len() < 5
        && text.get(end) == Some(&b'.')
    {
        ends.push(end + 1 + part(end + 1));
    }
    match *ends {
        // Encrypted: five parts, of which only the tag at the end is never empty.
        [_, _, _, fourth, fifth] if fifth > fourth + 1 => Ok(fifth),
        // Signed; the signature may be empty, the payload not.
        [first, second, third, ..] if second > first + 1 => Ok(third),
        _ => Err(ends[0]),
    }
}

/// Whether the header of a token, in base64, is JSON with the member that each has.
fn names_algorithm(header: &[u8]) -> bool {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'-' => 62,
        _ => 63,
    };
    // Headers are short; one that names its algorithm late is long for other reasons.
    let header = &header[..header.len().min(4096)];
    let mut json = Vec::with_capacity(header.len());
    for group in header.chunks(4) {
        let word = group.iter().fold(0u32, |word, byte| word << 6 | u32::from(digit(*byte))) << (6 * (4 - group.len()));
        json.extend_from_slice(&word.to_be_bytes()[1..group.len().max(1)]);
    }
    memmem::find(&json, b"\"alg\"").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'a>(detector: &Detector, text: &'a str) -> Option<&'a str> {
        let range = match detector {
            Detector::Jwt => find_jwt(text.as_bytes(), 0),
            other => find(other, text.as_bytes(), 0),
        };
        range.map(|range| &text[range])
    }

    /// A body of so many letters and digits, so that no whole token stands in this file.
    fn body(length: usize) -> String {
        "aB3dE5gH7jK9mN1pQ2sT4vW6".chars().cycle().take(length).collect()
    }

    #[test]
    fn tokens_are_found_by_prefix_and_length() {
        for (detector, prefix, length) in [
            (Detector::GcpKey, "AIza", 35),
            (Detector::GcpKey, "GOCSPX-", 28),
            (Detector::GcpKey, "ya29.", 60),
            (Detector::GithubToken, "ghp_", 36),
            (Detector::GithubToken, "github_pat_", 82),
            (Detector::SlackToken, "xoxb-12-", 24),
            (Detector::StripeKey, "sk_live_", 24),
            (Detector::StripeKey, "whsec_", 32),
        ] {
            let token = format!("{prefix}{}", body(length));
            for text in [token.clone(), format!("key={token}"), format!("\"{token}\",")] {
                assert_eq!(found(&detector, &text), Some(&*token), "{text}");
            }
            assert_eq!(found(&detector, &format!("x{token}")), None);
            assert_eq!(found(&detector, &format!("{prefix}{}", body(5))), None);
        }
        let aws = format!("AKIA{}", body(16).to_uppercase());
        assert_eq!(found(&Detector::AwsKey, &format!("id {aws}.")), Some(&*aws));
        assert_eq!(found(&Detector::AwsKey, &format!("{aws}X")), None);
        assert_eq!(found(&Detector::AwsKey, &aws.to_lowercase()), None);
    }

    #[test]
    fn web_tokens_are_found_whole() {
        // {"alg":"HS256","typ":"JWT"}
        let header = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
        for token in [
            format!("{header}.eyJzdWIiOiIxIn0.{}", body(43)),
            format!("{header}.eyJzdWIiOiIxIn0."),
            format!("{header}..{}.{}.{}", body(16), body(30), body(22)),
        ] {
            assert_eq!(found(&Detector::Jwt, &format!("Bearer {token} ok")), Some(&*token));
        }
        for text in
            [header, "eyJ", "eyJhbGciOiJIUzI1NiJ9.x", "eyJrIjoxfQ.eyJzdWIiOiIxIn0.abc", "xeyJhbGciOiJIUzI1NiJ9.a.b"]
        {
            assert_eq!(found(&Detector::Jwt, text), None, "{text}");
        }
    }
}
