//! What a masked result of the sample shop must look like, and what it must never hold.
//!
//! The shop is made so that this is easy to tell: every card begins with 411111, every address ends in
//! `.example`, every identity number has the shape `ddd-dd-dddd`.

/// The policy of most tests. Nobody in the group `dba` is under any rule of it.
pub const POLICY: &str = r#"
[[deny]]
name = "no destructive DDL"
statements = ["drop", "truncate", "alter table"]
except_groups = ["dba"]
message = "ask #dba for a change ticket"

[[deny]]
name = "writes need a WHERE"
statements = ["update", "delete"]
without_where = true
except_groups = ["dba"]

[[mask]]
name = "cards"
columns = ["public.customers.card", "public.payments.card"]
method = "keep_first 1 keep_last 4"
except_groups = ["dba"]

[[mask]]
name = "card numbers"
columns = ["public.customers.card_number"]
method = "null"
except_groups = ["dba"]

[[mask]]
name = "identity numbers"
columns = ["*.customers.ssn", "*.customers.spouse_ssn"]
method = "keep_last 4"
except_groups = ["dba"]

[[mask]]
name = "whatever looks like a secret"
detect = ["card", "email", "ssn"]
method = "redact"
except_groups = ["dba"]
"#;

/// Every secret that a text shows, with some of what stands around it.
#[must_use]
pub fn leaks(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for sentinel in ["4111-11", "411111", "4111 11", "@mail.example", "@post.example", "@inbox.example"] {
        found.extend(text.match_indices(sentinel).map(|(at, _)| around(text, at)));
    }
    let bytes = text.as_bytes();
    found.extend(bytes.windows(11).enumerate().filter(|(_, window)| is_ssn(window)).map(|(at, _)| around(text, at)));
    found
}

fn is_ssn(window: &[u8]) -> bool {
    window.iter().enumerate().all(|(at, byte)| match at {
        3 | 6 => *byte == b'-',
        _ => byte.is_ascii_digit(),
    })
}

fn around(text: &str, at: usize) -> String {
    let bytes = text.as_bytes();
    String::from_utf8_lossy(&bytes[at.saturating_sub(30)..(at + 50).min(bytes.len())]).into_owned()
}

/// Checks the output of a driver program in masked mode: its `masked …` and `copied …` lines.
///
/// # Panics
/// When a secret shows, a masked cell has another shape, or an unmasked one was changed.
#[track_caller]
pub fn check_driver_output(output: &str) {
    let found = leaks(output);
    assert!(found.is_empty(), "{} secrets leaked: {:#?}", found.len(), &found[..found.len().min(10)]);
    let mut rows = 0;
    for line in output.lines().filter(|line| line.starts_with("masked ")) {
        rows += 1;
        let cell = |name: &str| cell(line, name);
        let id = cell("id").and_then(|id| id.parse::<usize>().ok()).filter(|id| *id > 0);
        let Some(id) = id else { panic!("a number that no mask concerns was changed: {line}") };
        if let Some(expected) = CARD_ENDS.get(id - 1) {
            assert_eq!(cell("card").as_deref(), Some(format!("4***-****-****-{expected}").as_str()), "{line}");
        }
        if let (Some(ssn), Some(expected)) = (cell("ssn"), SSN_ENDS.get(id - 1)) {
            assert_eq!(ssn, format!("***-**-{expected}"), "{line}");
        }
        if let Some(number) = cell("card_number") {
            // NULL, or a zero of its type where the column is NOT NULL.
            assert!(number == "NULL" || number.bytes().all(|digit| digit == b'0'), "{line}");
        }
        if let Some(email) = cell("email") {
            assert!(!email.is_empty() && email.bytes().all(|byte| byte == b'*'), "{line}");
        }
        if let (Some(name), Some(expected)) = (cell("name"), NAMES.get(id - 1)) {
            assert_eq!(&name, expected, "{line}");
        }
    }
    assert!(rows > 0, "no masked rows in:\n{output}");
    for line in output.lines().filter(|line| line.starts_with("copied ") && line.contains("Bao Berg")) {
        assert!(line.contains("4***-****-****-") && line.contains("***-**-"), "{line}");
    }
}

/// The value after ` name=`, up to the next ` other=` or the end.
fn cell(line: &str, name: &str) -> Option<String> {
    let start = line.find(&format!(" {name}="))? + name.len() + 2;
    let rest = line.get(start..)?;
    let end = rest.find('=').and_then(|at| rest.get(..at)?.rfind(' ')).unwrap_or(rest.len());
    rest.get(..end).map(str::to_owned)
}

const CARD_ENDS: [&str; 5] = ["1111", "5678", "4863", "4053", "3246"];
const SSN_ENDS: [&str; 5] = ["0002", "0003", "0004", "0005", "0006"];
const NAMES: [&str; 5] = ["Bao Berg", "Carla Castillo", "Dmitri Dubois", "Elif Eriksen", "Farid Fujita"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaks_are_seen_and_masks_are_not() {
        assert_eq!(leaks("card 4111-1111-1111-1111, ssn=123-45-6789 bao@mail.example").len(), 3);
        assert_eq!(leaks("4***-****-****-1111 ***-**-6789 *****************").len(), 0);
    }

    #[test]
    fn cells_with_blanks_are_read_whole() {
        let line = "masked text id=1 name=Bao Berg email=*** card=4***-****-****-1111";
        assert_eq!(cell(line, "name").as_deref(), Some("Bao Berg"));
        assert_eq!(cell(line, "card").as_deref(), Some("4***-****-****-1111"));
        assert_eq!(cell(line, "ssn"), None);
    }
}
