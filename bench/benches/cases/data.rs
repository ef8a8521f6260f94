//! Rows as a server sends them, and the rules that look at them.
//!
//! Data is generated from row numbers: every run sees the same.

use std::sync::Arc;

use policy::detect::{Detector, DetectorSet, DetectorUse};
use policy::mask::{ColumnSpec, Method, RowMask};
use policy::rule::RuleId;
use wire::value::{Encoding, ValueType};

/// A frame.
pub(super) fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(body.len() + 4).expect("a small body");
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

/// A DataRow of text cells.
pub(super) fn row(cells: &[String]) -> Vec<u8> {
    let mut body = u16::try_from(cells.len()).expect("few columns").to_be_bytes().to_vec();
    for cell in cells {
        body.extend_from_slice(&u32::try_from(cell.len()).expect("a short cell").to_be_bytes());
        body.extend_from_slice(cell.as_bytes());
    }
    frame(b'D', &body)
}

/// The columns of [`batch`].
pub(super) const NAMES: [&str; 4] = ["id", "branch", "balance", "holder"];

/// Whole rows of about 100 bytes, as many as fit into 64 KiB. Every `hit_every`-th holds an e-mail address.
pub(super) fn batch(hit_every: Option<u32>) -> Vec<u8> {
    gather(|id| row(&cells(id, hit_every)))
}

/// The same as COPY sends them in text, none with an address.
pub(super) fn copy_batch() -> Vec<u8> {
    gather(|id| frame(b'd', format!("{}\n", cells(id, None).join("\t")).as_bytes()))
}

fn cells(id: u32, hit_every: Option<u32>) -> [String; 4] {
    let holder = if hit_every.is_some_and(|every| id.is_multiple_of(every)) {
        format!("{:<80}", format!("ada.berg{id}@mail.example"))
    } else {
        format!("{:08x} wiregate {:<60}", id.wrapping_mul(0x9e37_79b9), "holder of no account at all")
    };
    [id.to_string(), (id % 97).to_string(), (id * 7919 % 100_000).to_string(), holder]
}

fn gather(frame_of: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 * 1024);
    for id in 1.. {
        let next = frame_of(id);
        if out.len() + next.len() > 64 * 1024 {
            break;
        }
        out.extend_from_slice(&next);
    }
    out
}

/// A text column without rules.
pub(super) fn plain_column() -> ColumnSpec {
    ColumnSpec { value_type: ValueType::Text, encoding: Encoding::Text, nullable: true, mask: None, detectors: None }
}

/// The four columns of [`batch`], all under three detectors.
pub(super) fn detector_mask() -> RowMask {
    let uses = [Detector::Email, Detector::Card, Detector::Ssn].map(|detector| DetectorUse {
        rule: RuleId(0),
        detector,
        method: Method::Redact,
    });
    let set = Arc::new(DetectorSet::compile(&uses));
    let column = ColumnSpec { detectors: Some(set), ..plain_column() };
    RowMask::new(vec![column; NAMES.len()])
}
