//! How often each detector is right, on values that look like those of real tables.
//!
//! Values are made from a seed, each with the detector that should find it, or with none. True positives are
//! made by the formats' own rules (check digits included); the others are what stands beside them in tables:
//! names, addresses, product codes, order and tracking numbers, hashes, UUIDs, timestamps, prices, versions.
//! A value that is found counts for the detector that found it, whoever made it. Bare numbers of 13 and more
//! digits are among them as articles and as milliseconds; an order number of 16 digits that happens to have a
//! scheme's prefix and the right check digit is a card by every rule there is, and is not drawn.
//!
//! `WIREGATE_REPORT=DIR cargo test -p policy --lib precision` writes the table to `DIR/detectors.md`.

use std::fmt::Write as _;

use super::{Detector, iban};

/// Values of each kind.
const EACH: usize = 400;

/// A generator of numbers (Marsaglia, "Xorshift RNGs", 2003).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() >> 11).unwrap() % limit
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + u8::try_from(self.below(10)).unwrap())).collect()
    }

    fn letters(&mut self, alphabet: &str, count: usize) -> String {
        (0..count).map(|_| char::from(alphabet.as_bytes()[self.below(alphabet.len())])).collect()
    }

    fn between(&mut self, least: usize, most: usize) -> usize {
        least + self.below(most - least + 1)
    }
}

const HEX: &str = "0123456789abcdef";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const ALNUM: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const FIRST: [&str; 12] =
    ["Anna", "José", "Mei-Ling", "Priya", "Tom", "Олга", "Kwame", "Zoë", "D'Arcy", "Nguyễn", "Lars", "Fatima"];
const LAST: [&str; 10] = [
    "Lindqvist",
    "Herrera",
    "Tan",
    "O'Hara",
    "Petrova",
    "Mensah",
    "de Vries",
    "García Márquez",
    "Müller",
    "Smith-Jones",
];
const STREETS: [&str; 6] =
    ["Linden Street", "Harbour Rd.", "Rue des Lilas", "Calle Mayor", "Kastanienallee", "5th Avenue"];
const DOMAINS: [&str; 6] =
    ["example.com", "mail.example.co.uk", "shop.example", "müller.example", "example.museum", "a-b.example.org"];
const WORDS: [&str; 8] = ["order", "late", "again", "invoice", "customer", "asked", "for", "delivery"];

fn luhn(mut digits: String) -> String {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(digit - b'0') * if place % 2 == 0 { 2 } else { 1 };
            value / 10 + value % 10
        })
        .sum();
    write!(digits, "{}", (10 - sum % 10) % 10).unwrap();
    digits
}

fn grouped(text: &str, separator: &str) -> String {
    let groups: Vec<_> = text.as_bytes().chunks(4).map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(separator)
}

fn card(dice: &mut Dice) -> String {
    let (prefix, length) = [("4", 16), ("51", 16), ("55", 16), ("37", 15), ("6011", 16), ("3530", 16)][dice.below(6)];
    let number = luhn(format!("{prefix}{}", dice.digits(length - 1 - prefix.len())));
    match dice.below(3) {
        0 if length == 16 => grouped(&number, " "),
        1 if length == 16 => grouped(&number, "-"),
        _ => number,
    }
}

fn account(dice: &mut Dice) -> String {
    let (country, body) = [
        ("DE", dice.digits(18)),
        ("GB", format!("{}{}", dice.letters(UPPER, 4), dice.digits(14))),
        ("FR", format!("{}{}{}", dice.digits(10), dice.letters(UPPER, 1), dice.digits(12))),
        ("NL", format!("{}{}", dice.letters(UPPER, 4), dice.digits(10))),
        ("NO", dice.digits(11)),
        ("ES", dice.digits(20)),
    ][dice.below(6)]
    .clone();
    let remainder = format!("{body}{country}00").bytes().fold(0, super::word::mod97);
    let number = format!("{country}{:02}{body}", 98 - remainder);
    assert_eq!(iban::find(number.as_bytes(), 0), Some(0..number.len()));
    if dice.below(2) == 0 { grouped(&number, " ") } else { number }
}

fn mail(dice: &mut Dice) -> String {
    let name = dice.pick(&["ann.lee", "o'neil", "x_1", "jose+shop", "zoë", "info", "a", "first-last"]);
    format!("{name}{}@{}", dice.below(100), dice.pick(&DOMAINS))
}

fn phone(dice: &mut Dice) -> String {
    match dice.below(6) {
        0 => format!("+49 {} {}", dice.between(30, 99), dice.digits(7)),
        1 => format!("+1{}{}", dice.between(200, 999), dice.digits(7)),
        2 => format!("({}) {}-{}", dice.between(200, 999), dice.between(200, 999), dice.digits(4)),
        3 => format!("{}-{}-{}", dice.between(200, 999), dice.between(200, 999), dice.digits(4)),
        4 => format!("0{} {}", dice.between(150, 179), dice.digits(7)),
        _ => format!(
            "06 {} {} {} {}",
            dice.between(10, 99),
            dice.between(10, 99),
            dice.between(10, 99),
            dice.between(10, 99)
        ),
    }
}

/// A value that the detector should find.
fn positive(detector: &Detector, dice: &mut Dice) -> String {
    match detector {
        Detector::AwsKey => {
            format!("{}{}", dice.pick(&["AKIA", "ASIA"]), dice.letters("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16))
        }
        Detector::Card => card(dice),
        Detector::Email => mail(dice),
        Detector::GcpKey => format!("AIza{}", dice.letters(&format!("{ALNUM}-_"), 35)),
        Detector::GithubToken => format!("{}{}", dice.pick(&["ghp_", "gho_", "ghs_"]), dice.letters(ALNUM, 36)),
        Detector::Iban => account(dice),
        Detector::Ip if dice.below(2) == 0 => {
            format!("{}.{}.{}.{}", dice.between(1, 223), dice.below(256), dice.below(256), dice.below(256))
        }
        Detector::Ip => format!("2001:db8:{}::{}", dice.letters(HEX, 4), dice.letters("123456789abcdef", 3)),
        Detector::Jwt => {
            format!("eyJhbGciOiJIUzI1NiJ9.eyJ{}.{}", dice.letters(ALNUM, 40), dice.letters(&format!("{ALNUM}-_"), 43))
        }
        Detector::Phone => phone(dice),
        Detector::PrivateKey => {
            ["-----BEGIN ", "PRIVATE KEY-----\n", &dice.letters(ALNUM, 64), "\n-----END ", "PRIVATE KEY-----"].concat()
        }
        Detector::SlackToken => format!("xoxb-{}-{}-{}", dice.digits(12), dice.digits(13), dice.letters(ALNUM, 24)),
        Detector::Ssn => format!("{:03}-{:02}-{:04}", dice.between(1, 665), dice.between(1, 99), dice.between(1, 9999)),
        Detector::StripeKey => {
            format!("{}{}", dice.pick(&["sk_live_", "rk_live_", "sk_test_"]), dice.letters(ALNUM, 24))
        }
        Detector::UrlPassword => {
            format!(
                "postgres://app:{}@db{}.internal:5432/shop",
                dice.letters(&format!("{ALNUM}!$%*"), 12),
                dice.below(9)
            )
        }
        Detector::Literals(_) | Detector::Pattern(_) => String::new(),
    }
}

/// A value that no detector should find.
fn negative(kind: usize, dice: &mut Dice) -> String {
    let date =
        |dice: &mut Dice| format!("{}-{:02}-{:02}", dice.between(1950, 2030), dice.between(1, 12), dice.between(1, 28));
    let time = |dice: &mut Dice| format!("{:02}:{:02}:{:02}", dice.below(24), dice.below(60), dice.below(60));
    match kind {
        0 => format!("{} {}", dice.pick(&FIRST), dice.pick(&LAST)),
        1 => format!(
            "{} {}, {} {}",
            dice.between(1, 999),
            dice.pick(&STREETS),
            dice.digits(5),
            dice.pick(&["Berlin", "Paris", "Leeds"])
        ),
        2 => format!("SKU-{}-{}", dice.letters(UPPER, 3), dice.digits(6)),
        3 => format!("{}{}", dice.pick(&["ORD", "INV-", "#", "PO "]), dice.digits(10)),
        4 if dice.below(2) == 0 => format!("{}-{}-{}", dice.between(100, 199), dice.digits(7), dice.digits(7)),
        4 => dice.digits(12),
        5 => format!("1Z{}{}", dice.letters(&format!("{UPPER}0123456789"), 6), dice.digits(10)),
        6 => {
            let body = format!("40{}", dice.digits(10));
            let sum: u32 = body
                .bytes()
                .enumerate()
                .map(|(at, digit)| u32::from(digit - b'0') * if at % 2 == 1 { 3 } else { 1 })
                .sum();
            format!("{body}{}", (10 - sum % 10) % 10)
        }
        7 => dice.letters(HEX, 32),
        8 => dice.letters(HEX, 64),
        9 => {
            let digits = dice.letters(HEX, 32);
            format!("{}-{}-4{}-a{}-{}", &digits[..8], &digits[8..12], &digits[13..16], &digits[17..20], &digits[20..])
        }
        10 => format!("{} {}.{}", date(dice), time(dice), dice.digits(6)),
        11 => format!("{} {}+0{}", date(dice), time(dice), dice.below(10)),
        12 => format!("{}.{}.{}", dice.between(1, 28), dice.between(1, 12), dice.between(1950, 2030)),
        13 => format!("{}.{:02}", dice.between(1, 99_999), dice.below(100)),
        14 => format!("v{}.{}.{}", dice.below(20), dice.below(20), dice.below(40)),
        15 => format!(
            "{}@{}.{}.{}",
            dice.pick(&["react", "vue", "lodash"]),
            dice.below(20),
            dice.below(20),
            dice.below(20)
        ),
        16 => format!("{} {} {} {}", dice.pick(&WORDS), dice.pick(&WORDS), dice.pick(&WORDS), dice.below(1000)),
        17 => format!("https://example.com/{}/{}?q={}", dice.pick(&WORDS), dice.digits(8), dice.pick(&WORDS)),
        18 => format!("17{}", dice.digits(11)),
        19 => format!("{:.6}, {:.6}", 52.0 + f64::from(u32::try_from(dice.below(1000)).unwrap()) / 997.0, 13.4),
        20 => dice.letters(&format!("{ALNUM}+/"), 44),
        21 => format!("@{}{}", dice.pick(&WORDS), dice.below(100)),
        22 => format!("{}x{}x{} mm", dice.below(900), dice.below(900), dice.below(900)),
        _ => format!(
            "{}:{}:{}:{}:{}:{}",
            dice.letters(HEX, 2),
            dice.letters(HEX, 2),
            dice.letters(HEX, 2),
            dice.letters(HEX, 2),
            dice.letters(HEX, 2),
            dice.letters(HEX, 2)
        ),
    }
}

const NEGATIVES: usize = 24;

/// A value as it stands in a table: alone, or within a sentence.
fn dressed(value: &str, dice: &mut Dice) -> String {
    match dice.below(4) {
        0 => format!("{} {value} {}", dice.pick(&WORDS), dice.pick(&WORDS)),
        1 => format!("{}: {value}.", dice.pick(&WORDS)),
        _ => value.to_owned(),
    }
}

/// Found rightly, found wrongly, and missed.
#[derive(Clone, Copy, Default)]
struct Score {
    right: u32,
    wrong: u32,
    missed: u32,
}

impl Score {
    fn precision(self) -> f64 {
        f64::from(self.right) / f64::from((self.right + self.wrong).max(1))
    }

    fn recall(self) -> f64 {
        f64::from(self.right) / f64::from((self.right + self.missed).max(1))
    }
}

/// The labelled values: which detector should find it, and the value.
fn labelled() -> Vec<(Option<Detector>, String)> {
    let mut dice = Dice(0x005e_ed0f_a11d_e7ec);
    let mut values = Vec::new();
    for detector in Detector::ALL {
        for _ in 0..EACH {
            let value = positive(&detector, &mut dice);
            values.push((Some(detector.clone()), dressed(&value, &mut dice)));
        }
    }
    for kind in 0..NEGATIVES {
        for _ in 0..EACH {
            let value = negative(kind, &mut dice);
            values.push((None, dressed(&value, &mut dice)));
        }
    }
    values
}

#[test]
fn precision_and_recall_on_labelled_values_are_as_promised() {
    let values = labelled();
    assert!(values.len() >= 5_000);
    let mut report = format!(
        "# Detectors: precision and recall\n\n{} values made from a seed, {EACH} of each kind: {} kinds that one detector should find, {NEGATIVES} \
         kinds that none should (`src/policy/src/detect/precision.rs`). Made by:\n\n    WIREGATE_REPORT=bench/report cargo test -p policy --lib precision\n\n\
         A password in a URL before a host is an e-mail address by its form too; neither counts against the other. \
         Not drawn is what no form tells apart: bare order numbers of 16 digits with a scheme's prefix and the right check digit (one in \
         forty), and versions of four numbers up to 255, which `ip` takes for addresses. So the figures say how well a form is told from \
         others, not how often a table holds something else of the same form.\n\n\
         | detector | found rightly | found wrongly | missed | precision | recall |\n|---|---|---|---|---|---|\n",
        values.len(),
        Detector::ALL.len(),
    );
    for detector in Detector::ALL {
        let mut score = Score::default();
        let mut wrong = Vec::new();
        for (label, value) in &values {
            let found = detector.find(value.as_bytes(), 0, &mut 0).is_some();
            let other = detector == Detector::Email && *label == Some(Detector::UrlPassword);
            match (label.as_ref() == Some(&detector), found) {
                (true, true) => score.right += 1,
                (true, false) => score.missed += 1,
                (false, true) if !other => {
                    score.wrong += 1;
                    wrong.push(value);
                }
                (false, _) => {}
            }
        }
        let (precision, recall) = (score.precision(), score.recall());
        writeln!(
            report,
            "| `{detector}` | {} | {} | {} | {precision:.4} | {recall:.4} |",
            score.right, score.wrong, score.missed
        )
        .unwrap();
        let (least_precision, least_recall) = match detector {
            Detector::Card | Detector::Iban => (0.999, 0.99),
            Detector::Email => (0.99, 0.99),
            _ => (0.95, 0.95),
        };
        assert!(precision >= least_precision, "{detector}: {precision}: {wrong:?}");
        assert!(recall >= least_recall, "{detector}: {recall}");
    }
    if let Ok(folder) = std::env::var("WIREGATE_REPORT") {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        std::fs::write(root.join(folder).join("detectors.md"), report).unwrap();
    }
}
