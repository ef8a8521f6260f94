//! Batches of rows, looked through by detectors.
//!
//! Rows are of tables as applications have them: names, streets, timestamps, amounts, article numbers, notes.
//! In the dense batch every third cell holds a value to mask.

use std::hint::black_box;
use std::sync::Arc;

use policy::detect::{Detector, DetectorSet, DetectorUse, List, Literals};
use policy::mask::{Method, RowMask};
use policy::rule::RuleId;

use super::Case;
use super::data::{plain_column, row};

const BATCH_BYTES: usize = 64 << 10;

const NAMES: [&str; 8] = [
    "Anna Lindqvist",
    "Jose Herrera",
    "Mei-Ling Tan",
    "Priya Raman",
    "Tom O'Hara",
    "Olga Petrova",
    "Kwame Mensah",
    "Sofie de Vries",
];
const STREETS: [&str; 6] =
    ["Linden Street", "Harbour Road", "Mill Lane", "Rue des Lilas", "Calle Mayor", "Kastanienallee"];
const NOTES: [&str; 5] = [
    "left at the front door as agreed",
    "customer asked for a later delivery",
    "invoice sent, no answer so far",
    "second attempt next week, ring twice",
    "none",
];

/// A value to mask.
fn value(number: u32) -> String {
    match number % 5 {
        0 => format!("write to ada.berg{number}@mail.example please"),
        1 => "paid with 4111 1111 1111 1111 by phone".to_owned(),
        2 => "transfer to DE89 3704 0044 0532 0130 00".to_owned(),
        3 => "call +49 30 901820 in the morning".to_owned(),
        _ => "login from 192.0.2.17 at night".to_owned(),
    }
}

fn pick<'a>(from: &[&'a str], seed: u32) -> &'a str {
    from[usize::try_from(seed >> 8).expect("32 bits") % from.len()]
}

/// Whole rows of about 170 bytes, as many as fit; every so many-th cell holds a value to mask.
pub(crate) fn rows(every: Option<u32>) -> Vec<u8> {
    let (mut out, mut cell) = (Vec::with_capacity(BATCH_BYTES), 0u32);
    for id in 1u32.. {
        let seed = id.wrapping_mul(0x9e37_79b9);
        let mut cells = [
            id.to_string(),
            pick(&NAMES, seed).to_owned(),
            format!("{} {}", seed % 190 + 1, pick(&STREETS, seed)),
            format!(
                "20{:02}-{:02}-{:02} {:02}:{:02}:{:02}",
                seed % 25,
                seed % 12 + 1,
                seed % 28 + 1,
                seed % 24,
                seed % 60,
                (seed >> 7) % 60
            ),
            format!("{}.{:02}", seed % 5000, (seed >> 9) % 100),
            format!("SKU-{:05}", seed % 100_000),
            pick(&["open", "paid", "shipped", "returned"], seed).to_owned(),
            pick(&NOTES, seed).to_owned(),
        ];
        for content in &mut cells {
            cell += 1;
            if every.is_some_and(|every| cell % every == 0) {
                *content = value(cell);
            }
        }
        let next = row(&cells);
        if out.len() + next.len() > BATCH_BYTES {
            break;
        }
        out.extend_from_slice(&next);
    }
    out
}

pub(crate) fn plan(detectors: impl IntoIterator<Item = Detector>) -> RowMask {
    let uses = detectors.into_iter().map(|detector| DetectorUse { rule: RuleId(0), detector, method: Method::Redact });
    let mut column = plain_column();
    column.detectors = Some(Arc::new(DetectorSet::compile(&uses.collect::<Vec<_>>())));
    RowMask::new(vec![column; 8])
}

/// The two batches, and what they are called.
pub(crate) fn batches() -> [(String, Vec<u8>); 2] {
    [("clean", rows(None)), ("every third cell a hit", rows(Some(3)))]
        .map(|(name, batch)| (format!("64 KiB of rows, {name}"), batch))
}

fn scan(group: &str, name: &str, batch: &[u8], plan: RowMask) -> Case {
    let (batch, mut hits) = (batch.to_vec(), Vec::new());
    let bytes = batch.len();
    let run = move || {
        hits.clear();
        plan.candidates(black_box(&batch), &mut hits);
        hits.len()
    };
    Case::new(group, name, run).of_bytes(bytes)
}

/// All detectors together, and those that look for the most alone.
pub(crate) fn cases() -> Vec<Case> {
    let alone = [Detector::Card, Detector::Email, Detector::Iban, Detector::Ip, Detector::Jwt, Detector::Phone];
    let of_batch = |(group, batch): (String, Vec<u8>)| {
        let all = scan(&group, "all detectors", &batch, plan(Detector::ALL));
        let alone = alone.iter().map(|one| scan(&group, &format!("{one} alone"), &batch, plan([one.clone()])));
        std::iter::once(all).chain(alone).collect::<Vec<_>>()
    };
    batches().into_iter().flat_map(of_batch).collect()
}

/// So many literals of 12 to 24 bytes, as names and numbers of customers are.
pub(crate) fn list(count: u32) -> Vec<u8> {
    let mut list = Vec::new();
    for number in 0..count {
        let seed = number.wrapping_mul(0x9e37_79b9);
        let line = match number % 2 {
            0 => format!("KD-{seed:010}\n"),
            _ => format!("{} {seed:08x}\n", pick(&NAMES, seed)),
        };
        list.extend_from_slice(line.as_bytes());
    }
    list
}

/// So many literals, looked for in rows that hold none.
pub(crate) fn literals(count: u32) -> Vec<Case> {
    let (list, batch) = (list(count), rows(None));
    [("scan", false), ("scan, without regard to case", true)]
        .into_iter()
        .map(|(name, ignore_case)| {
            let literals = Arc::new(Literals::compile(&list, ignore_case).expect("a sound list"));
            let plan = plan([Detector::Literals(List::new(literals))]);
            scan(&format!("{count} literals"), name, &batch, plan)
        })
        .collect()
}
