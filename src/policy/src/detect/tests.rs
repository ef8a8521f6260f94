//! Detectors from the batch to the cell: the prefilter covers what the rules find, and cells stay valid.

use std::sync::Arc;

use wire::guard::{CellOutcome, Treatment};
use wire::value::{Encoding, ValueType};

use super::signs::Signs;
use super::*;
use crate::mask::number::numeric_binary;
use crate::mask::{ALL_TYPES, ColumnSpec, MaskCounts, Method, RowMask};
use crate::rule::RuleId;

const REDACT: Method = Method::Redact;
const KEEP: Method = Method::Keep { first: 1, last: 4 };

fn set(method: Method) -> Arc<DetectorSet> {
    let uses = Detector::ALL.iter().zip(1..).map(|(detector, rule)| DetectorUse {
        rule: RuleId(rule),
        detector: detector.clone(),
        method: method.clone(),
    });
    Arc::new(DetectorSet::compile(&uses.collect::<Vec<_>>()))
}

fn column(value_type: ValueType, encoding: Encoding, method: Method) -> ColumnSpec {
    ColumnSpec { value_type, encoding, nullable: true, mask: None, detectors: Some(set(method)) }
}

fn plan(value_type: ValueType, encoding: Encoding, method: Method) -> RowMask {
    RowMask::new(vec![column(value_type, encoding, method)])
}

/// The cell after detection, `None` for NULL, and how many cells were counted.
fn scanned(value_type: ValueType, encoding: Encoding, method: Method, cell: &[u8]) -> (Option<Vec<u8>>, u64) {
    let (mut cell, mut counts) = (cell.to_vec(), MaskCounts::new());
    let outcome = plan(value_type, encoding, method).mask_cell(0, &mut cell, &mut counts);
    let cell = match outcome {
        CellOutcome::InPlace => Some(cell),
        CellOutcome::Null => None,
        CellOutcome::Replace(bytes) => Some(bytes),
    };
    (cell, counts.by_rule().iter().map(|(_, cells)| cells).sum())
}

fn text(value_type: ValueType, method: Method, cell: &str) -> String {
    let (cell, _) = scanned(value_type, Encoding::Text, method, cell.as_bytes());
    String::from_utf8(cell.unwrap()).unwrap()
}

fn candidates(plan: &RowMask, batch: &[u8]) -> Vec<usize> {
    let mut hits = Vec::new();
    plan.candidates(batch, &mut hits);
    assert!(hits.is_sorted_by(|a, b| a < b), "{hits:?}");
    hits.into_iter().map(|hit| usize::try_from(hit).unwrap()).collect()
}

fn random(seed: u64) -> impl FnMut() -> u8 {
    let mut state = seed;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    }
}

/// Values of every detector. Those with a secret's form are put together here, so that no scanner takes this
/// file for one that leaks them.
fn values() -> Vec<(Detector, String)> {
    let body = |length: usize| "aB3dE5gH7jK9mN1pQ2sT4vW6".chars().cycle().take(length).collect::<String>();
    let plain = [
        (Detector::Email, "a@b.cd"),
        (Detector::Email, "ann.lee@example.com"),
        (Detector::Email, "zoë@müller.de"),
        (Detector::Card, "4111111111111111"),
        (Detector::Card, "378282246310005"),
        (Detector::Card, "4222222222222"),
        (Detector::Card, "6200000000000000000"),
        (Detector::Card, "4111 1111 1111 1111"),
        (Detector::Card, "4111-1111-1111-1111"),
        (Detector::Card, "3782 822463 10005"),
        (Detector::Card, "3056 930902 5904"),
        (Detector::Card, "41111111 11111111"),
        (Detector::Card, "411111-1111111111"),
        (Detector::Card, "4222 2222 22222"),
        (Detector::Card, "4222-2222-2222-2"),
        (Detector::Card, "411111 1111111111"),
        (Detector::Card, "6304 0000 0000 0000"),
        (Detector::Ssn, "123-45-6789"),
        (Detector::Ssn, "123 45 6789"),
        (Detector::Ssn, "899-99-9999"),
        (Detector::Iban, "DE89370400440532013000"),
        (Detector::Iban, "DE89 3704 0044 0532 0130 00"),
        (Detector::Iban, "NO9386011117947"),
        (Detector::Iban, "MT84MALT011000012345MTLCAST001S"),
        (Detector::Ip, "192.0.2.7"),
        (Detector::Ip, "1.1.1.1"),
        (Detector::Ip, "255.255.255.255"),
        (Detector::Ip, "2001:db8::1"),
        (Detector::Ip, "2001:db8:0:0:8:800:200c:417a"),
        (Detector::Ip, "1:2:3:4:5:6:7:8"),
        (Detector::Ip, "::ffff:192.0.2.1"),
        (Detector::Phone, "+4930901820"),
        (Detector::Phone, "+1 (555) 234-5678"),
        (Detector::Phone, "(555) 234-5678"),
        (Detector::Phone, "(555)234-5678"),
        (Detector::Phone, "555.234.5678"),
        (Detector::Phone, "1-555-234-5678"),
        (Detector::Phone, "030 12345678"),
        (Detector::Phone, "0171/1234567"),
        (Detector::Phone, "01234 567890"),
        (Detector::Phone, "020 7946 0958"),
        (Detector::Phone, "0161 496 0000"),
        (Detector::Phone, "06 12 34 56 78"),
        (Detector::UrlPassword, "postgres://app:s3cret@db:5432/shop"),
        (Detector::UrlPassword, "redis://:p)@[::1]"),
    ];
    let made = [
        (Detector::AwsKey, format!("ASIA{}", body(16).to_uppercase())),
        (Detector::GcpKey, format!("AIza{}", body(35))),
        (Detector::GithubToken, format!("ghp_{}", body(36))),
        (Detector::SlackToken, format!("xoxb-12-{}", body(24))),
        (Detector::StripeKey, format!("sk_live_{}", body(24))),
        (Detector::Jwt, format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{}", body(43))),
        (Detector::PrivateKey, ["-----BEGIN ", "PRIVATE KEY-----MIIE-----END ", "PRIVATE KEY-----"].concat()),
    ];
    plain.into_iter().map(|(detector, value)| (detector, value.to_owned())).chain(made).collect()
}

/// Where a value lies with the sign by which it is looked for: the password of a URL is hinted by its `@`.
fn covered(detector: &Detector, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
    range.start..range.end + usize::from(*detector == Detector::UrlPassword)
}

#[test]
fn each_value_is_found_by_its_detector() {
    for (detector, value) in values() {
        let found = detector.find(value.as_bytes(), 0, &mut 0);
        let whole = detector == Detector::UrlPassword || found == Some(0..value.len());
        assert!(found.is_some() && whole, "{value}: {found:?}");
        assert!(Signs::of(value.as_bytes()).fit(&detector), "{value} is not looked at");
    }
}

#[test]
fn every_value_is_covered_at_every_position_between_any_neighbours() {
    let fills: [fn(usize) -> u8; 5] =
        [|_| b'x', |_| b'7', |_| 0, |n| b"2024-01-15 10:30@"[n % 17], |n| b"A.0:1+ "[n % 7]];
    for (detector, value) in values() {
        // Alone, and with all others.
        let alone = DetectorUse { rule: RuleId(1), detector, method: REDACT };
        let mut spec = column(ValueType::Text, Encoding::Text, REDACT);
        spec.detectors = Some(Arc::new(DetectorSet::compile(&[alone])));
        for plan in [RowMask::new(vec![spec.clone()]), plan(ValueType::Text, Encoding::Text, REDACT)] {
            for fill in fills {
                for start in 0..70 {
                    let mut batch: Vec<u8> = (0..start + value.len() + 70).map(fill).collect();
                    batch[start..start + value.len()].copy_from_slice(value.as_bytes());
                    for end in [start + value.len(), batch.len()] {
                        let hits = candidates(&plan, &batch[..end]);
                        let covered = hits.iter().any(|hit| (start..start + value.len()).contains(hit));
                        assert!(covered, "{value} at {start} of {end}: {hits:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn whatever_a_rule_finds_in_noise_is_covered() {
    let mut random = random(7);
    let plan = plan(ValueType::Text, Encoding::Text, REDACT);
    let alphabet = b"444111 -@.a57\x00:+(0)DE";
    let values = values();
    let mut found = 0;
    for round in 0..20_000 {
        let length = 20 + usize::from(random()) % 120;
        let mut cell: Vec<u8> = (0..length).map(|_| alphabet[usize::from(random()) % alphabet.len()]).collect();
        let value = values[usize::from(random()) % values.len()].1.bytes();
        let at = usize::from(random()) % length;
        cell.splice(at..at, value);
        let hits = candidates(&plan, &cell);
        for detector in Detector::ALL {
            let mut from = 0;
            while let Some(range) = detector.find(&cell, from, &mut 0) {
                let value = covered(&detector, range.clone());
                let text = String::from_utf8_lossy(&cell);
                assert!(
                    hits.iter().any(|hit| value.contains(hit)),
                    "{round}: {detector} {range:?} of {text:?}: {hits:?}"
                );
                // A password is all that is found of its URL.
                let looked = if detector == Detector::UrlPassword { &cell[..] } else { &cell[range.clone()] };
                assert!(Signs::of(looked).fit(&detector), "{round}: {detector} is kept from {range:?} of {text:?}");
                from = range.end;
                found += 1;
            }
        }
    }
    assert!(found > 4_000, "{found}");
}

#[test]
fn numbers_in_binary_form_are_covered_with_their_length_before_them() {
    let integer = 4_111_111_111_111_111i64.to_be_bytes().to_vec();
    for (value_type, value) in [
        (ValueType::Int8, integer),
        (ValueType::Numeric, numeric_binary("4111111111111111")),
        (ValueType::Numeric, numeric_binary("6200000000000000000")),
        (ValueType::Numeric, numeric_binary("4222222222222")),
    ] {
        let plan = plan(value_type, Encoding::PgBinary, REDACT);
        assert_eq!(plan.treatment(0), Treatment::Detect);
        for start in 0..70 {
            let mut batch = vec![0; start];
            batch.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
            batch.extend(&value);
            let hits = candidates(&plan, &batch);
            assert!(hits.iter().any(|hit| *hit >= start + 4), "{value_type:?} at {start}: {hits:?}");
        }
        assert_eq!(scanned(value_type, Encoding::PgBinary, REDACT, &value).1, 1);
    }
    assert_eq!(
        candidates(&plan(ValueType::Int8, Encoding::PgBinary, REDACT), &[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 1, 2]),
        [0; 0]
    );
}

#[test]
fn clean_rows_give_no_offsets() {
    let rows = "Ann Lee\t2024-01-15 10:30:00.123456+00\tno. 5551234567\t12 Main St, 90210\t1234.50\t@home\n".repeat(20);
    assert_eq!(candidates(&plan(ValueType::Text, Encoding::Text, REDACT), rows.as_bytes()), [0; 0]);
}

#[test]
fn matches_in_prose_are_masked_in_place_by_their_rules_method() {
    let prose = "mail ann@x.com or bob@y.org, card 4111 1111 1111 1111, ssn 123-45-6789.";
    assert_eq!(
        text(ValueType::Text, REDACT, prose),
        "mail ********* or *********, card *******************, ssn ***********."
    );
    assert_eq!(
        text(ValueType::Text, KEEP, "card 4111 1111 1111 1111, mail ann.lee@example.com"),
        "card 4*** **** **** 1111, mail a**.***@******e.com"
    );
    assert_eq!(scanned(ValueType::Text, Encoding::Text, REDACT, prose.as_bytes()).1, 3);
    assert_eq!(scanned(ValueType::Text, Encoding::Text, Method::Null, prose.as_bytes()), (None, 1));
    assert_eq!(text(ValueType::Text, REDACT, "nothing here"), "nothing here");
    assert_eq!(text(ValueType::Text, REDACT, r#"{"m":"a\nann@x.com"}"#), r#"{"m":"a***********"}"#);
    assert_eq!(text(ValueType::Text, KEEP, r"a\nannann@x.com"), "a*n******@x.com");
}

#[test]
fn json_stays_json() {
    for value_type in [ValueType::Json, ValueType::Jsonb] {
        assert_eq!(
            text(
                value_type,
                REDACT,
                r#"{"e":"hi\nann@x.com","n":4111111111111111,"m":-4111111111111111,"s":["123-45-6789"]}"#
            ),
            r#"{"e":"hi\n*********","n":               0,"m":-4111111111111111,"s":["***********"]}"#
        );
        assert_eq!(text(value_type, KEEP, "[4111111111111111]"), "[4000000000001111]");
        assert_eq!(text(value_type, Method::Keep { first: 0, last: 4 }, "[4012888888881881]"), "[            1881]");
        assert_eq!(text(value_type, REDACT, "4111111111111111.5"), "4111111111111111.5");
    }
    let (cell, count) = scanned(ValueType::Jsonb, Encoding::PgBinary, REDACT, b"\x01\"ann@x.com\"");
    assert_eq!((cell.unwrap(), count), (b"\x01\"*********\"".to_vec(), 1));
    assert_eq!(scanned(ValueType::Json, Encoding::Text, Method::Null, b"[4111111111111111]"), (None, 1));
}

#[test]
fn elements_of_arrays_and_composites_are_masked_and_their_structure_stays() {
    for (value, masked) in [
        ("{4111111111111111,7}", "{0000000000000000,7}"),
        ("{7,-4111111111111111}", "{7,-0000000000000000}"),
        ("{\"card 4111111111111111\",ann@x.com}", "{\"card ****************\",*********}"),
        ("(4111111111111111,ann@x.com)", "(0000000000000000,*********)"),
        ("{4111-1111-1111-1111}", "{*******************}"),
    ] {
        assert_eq!(text(ValueType::Array, REDACT, value), masked);
    }
    let word = |value: u32| value.to_be_bytes();
    // The length of the text, 49, is the digit `1`.
    let value = format!("4111111111111111{}", " ".repeat(33));
    let masked = value.replace(char::is_numeric, "*");
    let array =
        |text: &str| [&word(1)[..], &word(0), &word(25), &word(1), &word(1), &word(49), text.as_bytes()].concat();
    assert_eq!(scanned(ValueType::Array, Encoding::PgBinary, REDACT, array(&value).as_slice()).0, Some(array(&masked)));
    let record = |number: i64, text: &str| {
        let text_item = [&word(25)[..], &word(u32::try_from(text.len()).unwrap()), text.as_bytes()].concat();
        [&word(2)[..], &word(20), &word(8), &number.to_be_bytes(), &text_item].concat()
    };
    let (masked, _) =
        scanned(ValueType::Composite, Encoding::PgBinary, KEEP, &record(4_111_111_111_111_111, "a@x.com"));
    assert_eq!(masked, Some(record(4_000_000_000_001_111, "*******")));
    assert_eq!(scanned(ValueType::Composite, Encoding::PgBinary, Method::Null, &record(1, "ann@x.com")).0, None);
}

#[test]
fn ranges_and_unknown_binary_values_are_redacted_whole() {
    assert_eq!(text(ValueType::Range, REDACT, "[4111111111111111,4111111111111112)"), "empty");
    assert_eq!(text(ValueType::Range, REDACT, "[1,2)"), "[1,2)");
    let card = 4_111_111_111_111_111i64.to_be_bytes();
    let range = [&[0x12][..], &8u32.to_be_bytes(), &card].concat();
    assert_eq!(scanned(ValueType::Range, Encoding::PgBinary, REDACT, &range).0, Some(vec![1]));
    // An hstore of one pair whose lengths look like text.
    let hstore = |value: &str| [&[0, 0, 0, 1, 0, 0, 0, 1, b'k', 0, 0, 0, 49][..], value.as_bytes()].concat();
    let card = format!("4111111111111111{}", " ".repeat(33));
    assert_eq!(scanned(ValueType::Unknown, Encoding::PgBinary, REDACT, &hstore(&card)), (None, 1));
    assert_eq!(scanned(ValueType::Unknown, Encoding::PgBinary, REDACT, &hstore("v")).1, 0);
    // citext, an enum: their binary form is their text.
    let (cell, _) = scanned(ValueType::Unknown, Encoding::PgBinary, REDACT, b"to ann@x.com");
    assert_eq!(cell.unwrap(), b"to *********");
}

#[test]
fn numbers_are_masked_as_numbers_and_other_types_are_not_looked_into() {
    let card = "4111111111111111";
    for value_type in [ValueType::Int8, ValueType::Numeric, ValueType::Float8] {
        assert_eq!(text(value_type, REDACT, card), "0".repeat(16));
        assert_eq!(text(value_type, REDACT, "4111111111111112"), "4111111111111112");
    }
    assert_eq!(text(ValueType::Int8, KEEP, card), "4000000000001111");
    let (cell, _) = scanned(ValueType::Int8, Encoding::PgBinary, KEEP, &4_111_111_111_111_111i64.to_be_bytes());
    assert_eq!(cell.unwrap(), 4_000_000_000_001_111i64.to_be_bytes());
    assert_eq!(text(ValueType::Bytes, REDACT, r"\x4111111111111111"), r"\x4111111111111111");
    for value_type in [ValueType::Uuid, ValueType::Int4, ValueType::Date, ValueType::Bool] {
        for encoding in [Encoding::Text, Encoding::PgBinary] {
            let plan = plan(value_type, encoding, REDACT);
            assert!(plan.is_idle() && plan.treatment(0) == Treatment::Pass, "{value_type:?}");
        }
    }
}

#[test]
fn a_column_mask_wins_over_detectors_and_an_oversized_cell_is_redacted_whole() {
    let mut spec = column(ValueType::Text, Encoding::Text, REDACT);
    let detect = RowMask::new(vec![spec.clone()]);
    assert_eq!((detect.treatment(0), detect.masks_every_row()), (Treatment::Detect, false));
    let (mut part, mut counts) = (*b"no value here", MaskCounts::new());
    detect.mask_part(0, 1 << 21, 4096, &mut part, &mut counts);
    assert!(counts.is_empty() && part == [b'*'; 13]);
    detect.mask_part(0, 1 << 21, 0, &mut part, &mut counts);
    assert_eq!((counts.oversized(), counts.by_rule().len()), (1, 0));

    spec.mask = Some((RuleId(9), Method::Keep { first: 0, last: 4 }));
    let mask = RowMask::new(vec![spec]);
    assert_eq!((mask.treatment(0), mask.masks_every_row()), (Treatment::Mask, true));
    assert_eq!(candidates(&mask, b"ann@example.com"), [0; 0]);
    let (mut cell, mut counts) = (*b"anna@x.com", MaskCounts::new());
    mask.mask_cell(0, &mut cell, &mut counts);
    assert_eq!((&cell[..], counts.by_rule()), (&b"****@x.com"[..], &[(RuleId(9), 1)][..]));
}

fn one(detector: Detector, method: Method) -> RowMask {
    typed(ValueType::Text, detector, method)
}

fn typed(value_type: ValueType, detector: Detector, method: Method) -> RowMask {
    let mut spec = column(value_type, Encoding::Text, REDACT);
    spec.detectors = Some(Arc::new(DetectorSet::compile(&[DetectorUse { rule: RuleId(1), detector, method }])));
    RowMask::new(vec![spec])
}

fn under(plan: &RowMask, cell: &str) -> String {
    let mut bytes = cell.as_bytes().to_vec();
    match plan.mask_cell(0, &mut bytes, &mut MaskCounts::new()) {
        CellOutcome::InPlace => String::from_utf8(bytes).unwrap(),
        CellOutcome::Null => "NULL".to_owned(),
        CellOutcome::Replace(bytes) => String::from_utf8(bytes).unwrap(),
    }
}

#[test]
fn a_constant_takes_the_place_of_each_match() {
    let constant = Method::Constant("[\"mail\"]".into());
    let mails = one(Detector::Email, constant.clone());
    assert_eq!(under(&mails, "to ann@x.com, bob@y.org."), "to [\"mail\"], [\"mail\"].");
    assert_eq!(under(&mails, "nobody"), "nobody");
    let json = typed(ValueType::Jsonb, Detector::Email, constant.clone());
    assert_eq!(under(&json, r#"{"m":"ann@x.com","n":1}"#), r#"{"m":"[\"mail\"]","n":1}"#);
    let array = typed(ValueType::Array, Detector::Email, constant);
    assert_eq!(under(&array, "{ann@x.com}"), "{*********}");
}

#[test]
fn a_hash_of_a_match_is_as_long_and_the_same_each_time() {
    let key = crate::mask::HashKey::new(b"a key only for tests").unwrap();
    let mails = one(Detector::Email, Method::Hash(key));
    let (first, second) = (under(&mails, "to ann@x.com!"), under(&mails, "to ann@x.com!"));
    assert!(first == second && first.starts_with("to ") && first.ends_with('!') && first.len() == 13);
    assert_ne!(first, under(&mails, "to bob@x.com!"));
}

#[test]
fn a_private_key_in_json_goes_whole_with_its_escapes() {
    let key = ["-----BEGIN ", "PRIVATE KEY-----\\nMIIE\\n-----END ", "PRIVATE KEY-----"].concat();
    let cell = format!(r#"{{"k": "{key}\n", "n": 1}}"#);
    let stars = "*".repeat(key.len());
    for method in [REDACT, KEEP] {
        let keys = typed(ValueType::Json, Detector::PrivateKey, method);
        assert_eq!(under(&keys, &cell), format!(r#"{{"k": "{stars}\n", "n": 1}}"#));
    }
}

#[test]
fn the_users_own_detectors_look_at_texts_and_whole_numbers() {
    let pattern = Detector::Pattern(Arc::new(Pattern::compile("[0-9]{4}-X", false).unwrap()));
    let plan = one(pattern, REDACT);
    assert_eq!((plan.treatment(0), plan.masks_every_row()), (Treatment::Mask, true));
    assert_eq!(under(&plan, "no 1234-X here"), "no ****** here");
    let list = List::new(Arc::new(Literals::compile(b"Falcon\n4711\n", true).unwrap()));
    let texts = one(Detector::Literals(list.clone()), REDACT);
    assert_eq!(texts.treatment(0), Treatment::Detect);
    assert_eq!(candidates(&texts, b"the falcon 4711"), [4, 11]);
    assert_eq!(under(&texts, "the FALCON 4711 47110"), "the ****** **** 47110");
    let numbers = typed(ValueType::Int4, Detector::Literals(list), REDACT);
    assert_eq!((under(&numbers, "4711"), under(&numbers, "4712")), ("0000".to_owned(), "4712".to_owned()));
    let unknown = one(Detector::Literals(List::UNKNOWN), REDACT);
    assert_eq!((unknown.treatment(0), under(&unknown, "anything")), (Treatment::Mask, "*".repeat(8)));
}

#[test]
fn a_column_of_addresses_is_masked_whole() {
    let plan = typed(ValueType::Inet, Detector::Ip, REDACT);
    assert_eq!((plan.treatment(0), under(&plan, "192.0.2.7/24")), (Treatment::Mask, "0.0.0.0".to_owned()));
    assert_eq!(typed(ValueType::Inet, Detector::Email, REDACT).treatment(0), Treatment::Pass);
}

#[test]
fn more_detectors_than_a_word_has_bits_are_counted_each() {
    let uses = (0..80).map(|n| DetectorUse {
        rule: RuleId(n),
        detector: Detector::Pattern(Arc::new(Pattern::compile(&format!("k{n:02}"), false).unwrap())),
        method: REDACT,
    });
    let mut spec = column(ValueType::Text, Encoding::Text, REDACT);
    spec.detectors = Some(Arc::new(DetectorSet::compile(&uses.collect::<Vec<_>>())));
    let (mut cell, mut counts) = (*b"k00 k79", MaskCounts::new());
    RowMask::new(vec![spec]).mask_cell(0, &mut cell, &mut counts);
    assert_eq!((&cell, counts.of(RuleId(0)), counts.of(RuleId(79))), (b"*** ***", 1, 1));
}

#[test]
fn of_two_rules_for_one_detector_the_first_acts() {
    let one = |rule, method| DetectorUse { rule: RuleId(rule), detector: Detector::Email, method };
    let set = DetectorSet::compile(&[one(2, REDACT), one(1, Method::Null)]);
    assert_eq!(set.uses(), [one(2, REDACT)]);
    assert!(DetectorSet::compile(&[]).is_empty());
    for detector in Detector::ALL {
        assert_eq!(detector.to_string().parse(), Ok(detector));
    }
    assert_eq!("nonsense".parse::<Detector>(), Err(DetectorError));
}

#[test]
fn any_bytes_under_any_type_give_a_result() {
    let mut random = random(99);
    let plans: Vec<_> = ALL_TYPES
        .into_iter()
        .flat_map(|value_type| [Encoding::Text, Encoding::PgBinary].map(|encoding| (value_type, encoding)))
        .flat_map(|(value_type, encoding)| {
            [REDACT, KEEP, Method::Null].map(|method| plan(value_type, encoding, method))
        })
        .collect();
    let planted =
        ["ann@x.com", "4111111111111111", "123-45-6789", "\u{0}\u{0}\u{0}\u{8}", "\\u00", "\"", "{", "\u{e9}"];
    for _ in 0..400 {
        let mut cell: Vec<u8> = (0..usize::from(random()) % 40).map(|_| random()).collect();
        for _ in 0..random() % 4 {
            let at = usize::from(random()) % (cell.len() + 1);
            cell.splice(at..at, planted[usize::from(random()) % planted.len()].bytes());
        }
        for plan in &plans {
            let mut masked = cell.clone();
            plan.mask_cell(0, &mut masked, &mut MaskCounts::new());
            plan.candidates(&cell, &mut Vec::new());
        }
    }
}

#[test]
fn a_large_cell_made_to_be_slow_is_looked_at_in_linear_time() {
    for piece in [
        "a4111111111111111",
        "4111 1111 1111 1112 ",
        "a@",
        "\\\\a@b.c",
        "DE00 4111111111111111 ",
        "{\"a@b.c",
        "1.1.1.1:",
        "::1",
        "0171 1234567 ",
        "+1+",
        "xoxb-",
        "AIza-",
        "eyJhbGciOiJIUzI1NiJ9",
        "-----BEGIN PRIVATE KEY-----\"",
        "a://b:c",
    ] {
        let scan = |value_type, bytes: usize| {
            let cell = piece.repeat(bytes / piece.len());
            let begin = std::time::Instant::now();
            scanned(value_type, Encoding::Text, REDACT, cell.as_bytes());
            begin.elapsed()
        };
        for value_type in [ValueType::Text, ValueType::Json] {
            // Sixteen times as much takes 16 times as long, where a quadratic look would take 256 times. The best of
            // several, because the machine may be busy.
            let best = |bytes| (0..3).map(|_| scan(value_type, bytes)).min().unwrap();
            let (small, large) = (best(1 << 13), best(1 << 17));
            assert!(large < small * 96, "{piece} {value_type:?}: {small:?}, {large:?}");
        }
    }
}
