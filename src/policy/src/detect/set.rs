//! Detectors by name, and the set of them that looks at one column.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use wire::guard::CellOutcome;
use wire::value::{Encoding, ValueType};

use super::cell::scan;
use super::hints::Hints;
use super::literals::List;
use super::pattern::Pattern;
use super::{card, email, iban, ip, phone, secret, ssn, token};
use crate::mask::value::Shape;
use crate::mask::{MaskCounts, Method};
use crate::rule::RuleId;

/// What a detector looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Detector {
    /// An access key of Amazon Web Services.
    AwsKey,
    /// A payment card's number.
    Card,
    /// An e-mail address.
    Email,
    /// A key, client secret or token of Google Cloud.
    GcpKey,
    /// A token of GitHub.
    GithubToken,
    /// An international bank account number.
    Iban,
    /// An IPv4 or IPv6 address.
    Ip,
    /// A JSON Web Token.
    Jwt,
    /// A value of the user's own list.
    Literals(List),
    /// What matches the user's own regular expression.
    Pattern(Arc<Pattern>),
    /// A telephone number.
    Phone,
    /// A private key in PEM.
    PrivateKey,
    /// A token of Slack.
    SlackToken,
    /// A social security number of the United States.
    Ssn,
    /// A secret key of Stripe.
    StripeKey,
    /// A password in a URL.
    UrlPassword,
}

impl Detector {
    /// Every detector that has a name, in the order of the names.
    pub const ALL: [Self; 14] = [
        Self::AwsKey,
        Self::Card,
        Self::Email,
        Self::GcpKey,
        Self::GithubToken,
        Self::Iban,
        Self::Ip,
        Self::Jwt,
        Self::Phone,
        Self::PrivateKey,
        Self::SlackToken,
        Self::Ssn,
        Self::StripeKey,
        Self::UrlPassword,
    ];

    /// The name in a config file; for the user's own, the key that makes one.
    pub fn name(&self) -> &'static str {
        match self {
            Self::AwsKey => "aws_key",
            Self::Card => "card",
            Self::Email => "email",
            Self::GcpKey => "gcp_key",
            Self::GithubToken => "github_token",
            Self::Iban => "iban",
            Self::Ip => "ip",
            Self::Jwt => "jwt",
            Self::Literals(_) => "literals_file",
            Self::Pattern(_) => "pattern",
            Self::Phone => "phone",
            Self::PrivateKey => "private_key",
            Self::SlackToken => "slack_token",
            Self::Ssn => "ssn",
            Self::StripeKey => "stripe_key",
            Self::UrlPassword => "url_password",
        }
    }

    /// Whether the user made it.
    pub(super) fn is_own(&self) -> bool {
        matches!(self, Self::Literals(_) | Self::Pattern(_))
    }

    /// The first match in a text that begins at `from` or later; never empty. `searches` counts those of this
    /// detector in this text.
    pub(super) fn find(&self, text: &[u8], from: usize, searches: &mut usize) -> Option<Range<usize>> {
        match self {
            Self::AwsKey | Self::GcpKey | Self::GithubToken | Self::SlackToken | Self::StripeKey => {
                token::find(self, text, from)
            }
            Self::Card => card::find(text, from),
            Self::Email => email::find(text, from),
            Self::Iban => iban::find(text, from),
            Self::Ip => ip::find(text, from),
            Self::Jwt => token::find_jwt(text, from),
            Self::Literals(list) => list.find(text, from),
            Self::Pattern(pattern) => pattern.find(text, from, searches),
            Self::Phone => phone::find(text, from),
            Self::PrivateKey => secret::find_private_key(text, from),
            Self::Ssn => ssn::find(text, from),
            Self::UrlPassword => secret::find_url_password(text, from),
        }
    }
}

impl fmt::Display for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(pattern) => write!(f, "pattern \"{}\"", pattern.as_str()),
            other => f.write_str(other.name()),
        }
    }
}

/// No detector has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DetectorError;

impl fmt::Display for DetectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = Detector::ALL.iter().map(Detector::name).collect();
        write!(f, "unknown detector; known are {}", names.join(", "))
    }
}

impl std::error::Error for DetectorError {}

impl FromStr for Detector {
    type Err = DetectorError;

    fn from_str(name: &str) -> Result<Self, DetectorError> {
        Self::ALL.into_iter().find(|detector| detector.name() == name).ok_or(DetectorError)
    }
}

/// One detector under one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetectorUse {
    /// The rule that asks for it.
    pub rule: RuleId,
    /// What it looks for.
    pub detector: Detector,
    /// What becomes of what it finds.
    pub method: Method,
}

/// The detectors that look at one column, compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetectorSet {
    uses: Box<[DetectorUse]>,
}

impl DetectorSet {
    /// Compiles uses in the order of their rules; of two that look for the same, the first acts.
    pub fn compile(uses: &[DetectorUse]) -> Self {
        let mut acting: Vec<DetectorUse> = Vec::new();
        for one in uses {
            if !acting.iter().any(|other| other.detector == one.detector) {
                acting.push(one.clone());
            }
        }
        Self { uses: acting.into() }
    }

    /// The uses that act, in order.
    pub fn uses(&self) -> &[DetectorUse] {
        &self.uses
    }

    /// Whether it looks for nothing.
    pub fn is_empty(&self) -> bool {
        self.uses.is_empty()
    }

    /// Where in a batch a cell of this type may be that these detectors would change; empty where they never
    /// look into the type.
    pub(crate) fn hints(&self, value_type: ValueType, encoding: Encoding) -> Hints {
        let mut hints = Hints::default();
        self.uses.iter().for_each(|one| hints.add(&Hints::of(&one.detector, value_type, encoding)));
        hints
    }

    /// The rule that masks each value of a column whole, because the type holds nothing but what it looks for.
    pub(crate) fn whole(&self, value_type: ValueType) -> Option<(RuleId, Method)> {
        let address = matches!(value_type, ValueType::Cidr | ValueType::Inet);
        let one = self.uses.iter().find(|one| address && one.detector == Detector::Ip)?;
        Some((one.rule, one.method.clone()))
    }

    /// Masks what is found in one whole cell, and counts the cell for each rule that changed it.
    pub(crate) fn scan_cell(&self, shape: Shape, cell: &mut [u8], counts: &mut MaskCounts) -> CellOutcome {
        scan(&self.uses, shape, cell, counts)
    }
}
