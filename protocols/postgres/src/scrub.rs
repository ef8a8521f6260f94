//! What of an ErrorResponse or NoticeResponse may pass to a user from whom values are hidden.
//!
//! Errors quote values: "Key (email)=(a@b.c) already exists", "invalid input syntax for type integer:
//! \"4111…\"", and whatever a function of the users puts into RAISE: any text, any code, any field for names. So
//! nothing passes that is not known: codes of the server's own ([`known::is_code`]), texts of the server's own
//! ([`known::is_text`]), the place in the server's source, and of the detail of a broken key its shape,
//! "Key (email)=(...) already exists.", which programs look for. Names of objects and of keys pass only without
//! a context (field W): every language adds the function that runs to it, and so what a function says has one.
//! It may assume nothing of the body; it must never pass a field it does not know.
//!
//! Source: PostgreSQL manual, "Error and Notice Message Fields".

use memchr::{memchr, memmem};

use crate::message::server;
use crate::{frame, known};

/// What a session needs to know of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// `XX000` where the server named none.
    pub(crate) sqlstate: [u8; 5],
    /// Whether the server ends the session with it.
    pub(crate) fatal: bool,
}

/// Iterates over the fields that are whole; a body cut in the middle of a field ends the list.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (code, rest) = self.rest.split_first()?;
        if *code == 0 {
            return None;
        }
        let end = memchr(0, rest)?;
        let (text, rest) = rest.split_at_checked(end)?;
        self.rest = rest.get(1..).unwrap_or_default();
        Some((*code, text))
    }
}

/// Reads SQLSTATE and severity.
pub(crate) fn report(body: &[u8]) -> Report {
    let mut sqlstate = *b"XX000";
    let mut localized = false;
    let mut plain = None;
    for (code, text) in (Fields { rest: body }) {
        match code {
            b'C' => sqlstate = text.try_into().unwrap_or(sqlstate),
            // V is never translated, but servers before 9.6 lack it.
            b'S' => localized = is_fatal(text),
            b'V' => plain = Some(is_fatal(text)),
            _ => {}
        }
    }
    Report { sqlstate, fatal: plain.unwrap_or(localized) }
}

/// Classes whose texts quote names: feature (0A), cursor state and name (24, 34), catalogue and schema name (3D,
/// 3F), syntax and access (42), object state (55).
const NAMING: [&[u8; 2]; 7] = [b"0A", b"24", b"34", b"3D", b"3F", b"42", b"55"];

/// Whether a report is about names in the text that the client sent: it has a place in it, and neither a context
/// nor a text of the server's own. A value that is parsed while rows are read (`card::regtype`) has a place too,
/// but in itself, and says so in its context.
pub(crate) fn is_about_text(body: &[u8]) -> bool {
    let mut place = false;
    for (code, text) in (Fields { rest: body }) {
        match code {
            b'P' => place = true,
            b'C' if !NAMING.iter().any(|class| text.starts_with(&class[..])) => return false,
            b'W' | b'p' | b'q' => return false,
            _ => {}
        }
    }
    place
}

/// Beginnings of contexts of one line that no code of the users adds: what COPY reads, a literal or parameter that
/// does not read, a row that is locked.
const CONTEXTS: [&[u8]; 5] = [b"COPY ", b"JSON data, line ", b"portal ", b"unnamed portal ", b"while "];

/// Whether a report may come from code of the users: each language says in the context which function runs. A
/// context of several lines has one of a function in it, or may have.
pub(crate) fn is_from_code(body: &[u8]) -> bool {
    (Fields { rest: body }).any(|(code, text)| match code {
        b'W' => memchr(b'\n', text).is_some() || !CONTEXTS.iter().any(|known| text.starts_with(known)),
        b'p' | b'q' => true,
        _ => false,
    })
}

fn is_fatal(severity: &[u8]) -> bool {
    matches!(severity, b"FATAL" | b"PANIC")
}

/// Appends the report without anything that can hold a value. `kind` is its message type; `whole` says whether
/// `body` is all of it.
pub(crate) fn scrubbed(out: &mut Vec<u8>, kind: u8, body: &[u8], whole: bool) {
    let mut sqlstate = report(body).sqlstate;
    // A body that was cut may have lost its context, which comes behind the text.
    let certain = whole && !(Fields { rest: body }).any(|(code, _)| matches!(code, b'W' | b'p' | b'q'));
    let is_code = known::is_code(sqlstate);
    if !is_code {
        sqlstate = if kind == server::NOTICE_RESPONSE { *b"00000" } else { *b"P0001" };
    }
    frame::write(out, kind, |out| {
        let (mut told, mut coded) = (false, false);
        let field = |out: &mut Vec<u8>, code: u8, text: &[u8]| {
            out.push(code);
            out.extend_from_slice(text);
            out.push(0);
        };
        for (code, text) in (Fields { rest: body }) {
            match code {
                b'C' if !coded => {
                    coded = true;
                    field(out, code, &sqlstate);
                }
                b'S' | b'V' | b'F' | b'L' | b'R' => field(out, code, text),
                b's' | b't' | b'c' | b'd' | b'n' if certain => field(out, code, text),
                b'M' if !told => {
                    told = true;
                    if is_code && known::is_text(sqlstate, text, certain) {
                        field(out, code, text);
                    } else {
                        message(out, sqlstate);
                    }
                }
                b'D' if certain => {
                    if let Some((columns, end)) = key(text) {
                        out.extend_from_slice(b"DKey (");
                        out.extend_from_slice(columns);
                        out.extend_from_slice(b")=(...");
                        out.extend_from_slice(end);
                        out.push(0);
                    }
                }
                _ => {}
            }
        }
        if !told {
            message(out, sqlstate);
        }
        out.push(0);
    });
}

/// The columns and the end of a detail that says which key was broken: of "Key (a, b)=(1, 2) already exists."
/// "a, b" and ") already exists.". The values in between may hold anything, these words too, so the end is
/// looked for from behind. Details in another language are not read.
fn key(detail: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = detail.strip_prefix(b"Key (")?;
    let middle = memmem::find(rest, b")=(")?;
    let (columns, values) = (rest.get(..middle)?, rest.get(middle + 3..)?);
    if values.ends_with(b") already exists.") {
        return Some((columns, b") already exists."));
    }
    // What follows is the name of a table in quotes.
    let ends = [&b") is not present in table \""[..], b") is still referenced from table \""];
    let end = ends.iter().filter_map(|end| memmem::rfind(values, end)).max()?;
    let end = values.get(end..)?;
    (end.ends_with(b"\".") && end.iter().filter(|byte| **byte == b'"').count() == 2).then_some((columns, end))
}

fn message(out: &mut Vec<u8>, sqlstate: [u8; 5]) {
    out.extend_from_slice(b"MSQLSTATE ");
    out.extend(sqlstate.iter().filter(|byte| **byte != 0));
    out.extend_from_slice(b": details are withheld because a mask applies\0");
}

/// The command tag of CommandComplete.
pub(crate) fn tag(body: &[u8]) -> Option<&[u8]> {
    body.strip_suffix(&[0]).filter(|tag| memchr(0, tag).is_none())
}

/// Rows that a command tag counts; 0 where it counts none.
pub(crate) fn rows_of_tag(tag: &[u8]) -> u64 {
    let digits = tag.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    if digits.is_empty() || digits.len() == tag.len() {
        return 0;
    }
    digits
        .iter()
        .try_fold(0_u64, |rows, byte| match byte {
            b'0'..=b'9' => rows.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
            _ => None,
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Header;

    const BODY: &[u8] = b"SERROR\0VERROR\0C23505\0Mduplicate key value SECRET\0DKey (a)=(SECRET) exists.\0\
HSECRET\0P4\0spublic\0tt\0cc\0dtext\0nt_pkey\0Fnbt.c\0L12\0R_bt\0\0";

    /// What RAISE can say.
    const RAISED: &[u8] = b"SERROR\0VERROR\0CSECRE\0Mduplicate key value violates unique constraint \"SECRET\"\0\
DKey (SECRET)=(1) already exists.\0HSECRET\0WPL/pgSQL function f() line 1 at RAISE\0sSECRET\0tSECRET\0cSECRET\0\
dSECRET\0nSECRET\0Fpl_exec.c\0L3916\0Rexec_stmt_raise\0\0";

    fn shown(kind: u8, body: &[u8]) -> String {
        let mut out = Vec::new();
        scrubbed(&mut out, kind, body, true);
        let header = Header::peek(&out).unwrap().unwrap();
        assert_eq!(header.total(), out.len());
        String::from_utf8_lossy(&out[5..]).into_owned()
    }

    #[test]
    fn nothing_passes_of_what_a_function_says() {
        let raised = String::from_utf8(RAISED.to_vec()).unwrap();
        for code in ["SECRE", "23505", "42501", "57014", "00000"] {
            let text = shown(b'E', raised.replacen("SECRE", code, 1).as_bytes());
            assert!(!text.contains("SECR") && text.contains("Rexec_stmt_raise\0"), "{text:?}");
            assert!(text.contains(if code == "SECRE" { "CP0001\0" } else { code }), "{text:?}");
        }
        assert!(shown(b'N', RAISED).contains("C00000\0"));
        // Without the context the names would be the server's.
        let bare = raised.replace("CSECRE", "C23505").replace("WPL/pgSQL function f() line 1 at RAISE\0", "");
        assert!(shown(b'E', bare.as_bytes()).contains("nSECRET\0"));
        // A body that was cut may have had one.
        let mut cut = Vec::new();
        scrubbed(&mut cut, b'E', bare.as_bytes(), false);
        assert!(!String::from_utf8_lossy(&cut).contains("SECRET"));
    }

    #[test]
    fn code_is_told_by_its_context() {
        for (context, from_code) in [
            ("COPY t, line 1, column a: \"x\"", false),
            ("while updating tuple (0,1) in relation \"t\"", false),
            ("PL/pgSQL function f() line 1 at RAISE", true),
            ("PL/pgSQL function f() line 1 at RAISE\nCOPY t, line 1", true),
            ("COPY t, line 1: \"\nPL/pgSQL function f()", true),
            ("SQL statement \"SELECT 1\"", true),
        ] {
            assert_eq!(is_from_code(format!("C00000\0Mx\0W{context}\0\0").as_bytes()), from_code, "{context}");
        }
        assert!(!is_from_code(b"C00000\0Mx\0\0") && is_from_code(b"C00000\0Mx\0qselect 1\0\0"));
    }

    #[test]
    fn the_servers_own_words_pass() {
        let deadlock = b"SERROR\0VERROR\0C40P01\0Mdeadlock detected\0DProcess 1 waits\0Wwhile updating tuple\0\0";
        assert_eq!(shown(b'E', deadlock), "SERROR\0VERROR\0C40P01\0Mdeadlock detected\0\0");
        let unique =
            b"C23505\0Mduplicate key value violates unique constraint \"k\"\0DKey (a)=(SECRET) already exists.\0nk\0\0";
        assert_eq!(
            shown(b'E', unique),
            "C23505\0Mduplicate key value violates unique constraint \"k\"\0DKey (a)=(...) already exists.\0nk\0\0"
        );
    }

    #[test]
    fn a_scrubbed_error_keeps_names_and_loses_values() {
        let mut out = Vec::new();
        scrubbed(&mut out, b'E', BODY, true);
        let text = String::from_utf8_lossy(&out).into_owned();
        assert!(!text.contains("SECRET"), "{text:?}");
        for kept in ["C23505\0", "spublic\0", "tt\0", "nt_pkey\0", "SERROR\0", "R_bt\0", "dtext\0"] {
            assert!(text.contains(kept), "{kept:?}");
        }
        let header = Header::peek(&out).unwrap().unwrap();
        assert_eq!(header.total(), out.len());
    }

    #[test]
    fn the_detail_of_a_broken_key_keeps_its_shape() {
        for (detail, expected) in [
            ("Key (a)=(SECRET) already exists.", Some("Key (a)=(...) already exists.")),
            ("Key (a, lower(b))=(1, SECRET) already exists.", Some("Key (a, lower(b))=(...) already exists.")),
            ("Key (a)=(SECRET)=(SECRET) already exists.", Some("Key (a)=(...) already exists.")),
            ("Key (a)=(SECRET) is not present in table \"t\".", Some("Key (a)=(...) is not present in table \"t\".")),
            (
                "Key (a)=(x) is still referenced from table \"SECRET\".) is still referenced from table \"t\".",
                Some("Key (a)=(...) is still referenced from table \"t\"."),
            ),
            ("Key (a)=(SECRET) is not present in table \"SECRET\"SECRET\".", None),
            ("Key (a)=(SECRET) conflicts with existing key (a)=(SECRET).", None),
            ("Key (a)=(SECRET already exists. SECRET", None),
            ("Failing row contains (1, SECRET).", None),
            ("SECRET Key (a)=(1) already exists.", None),
        ] {
            let body = format!("C23505\0Mx\0D{detail}\0\0");
            let mut out = Vec::new();
            scrubbed(&mut out, b'E', body.as_bytes(), true);
            let text = String::from_utf8_lossy(&out).into_owned();
            assert!(!text.contains("SECRET"), "{text:?}");
            assert_eq!(text.contains("\0DKey"), expected.is_some(), "{text:?}");
            assert!(expected.is_none_or(|expected| text.contains(&format!("\0D{expected}\0"))), "{text:?}");
        }
    }

    #[test]
    fn a_cut_error_is_scrubbed_too() {
        let mut out = Vec::new();
        scrubbed(&mut out, b'E', &BODY[..40], false);
        assert!(!out.windows(6).any(|window| window == b"SECRET"));
    }

    #[test]
    fn severity_and_code_are_read() {
        assert_eq!(report(BODY), Report { sqlstate: *b"23505", fatal: false });
        assert!(report(b"SFATAL\0VFATAL\0C57P01\0\0").fatal);
        assert!(!report(b"SFATAL\0VERROR\0\0").fatal);
        assert!(report(b"SPANIC\0\0").fatal);
        assert_eq!(report(b"").sqlstate, *b"XX000");
    }

    #[test]
    fn only_a_place_without_context_is_one_in_the_text_of_the_client() {
        assert!(is_about_text(b"C42703\0Mcolumn \"x\" does not exist\0P8\0Fparse.c\0\0"));
        for body in [
            BODY,
            b"C22023\0Minvalid list \"4111\"\0P1\0\0",
            b"C42P01\0Mrelation \"4111\" does not exist\0\0",
            b"C42601\0Msyntax error at or near \"4111\"\0P1\0Winvalid type name \"4111\"\0\0",
            b"C42601\0Msyntax error\0p3\0qselect 4111\0\0",
            b"",
        ] {
            assert!(!is_about_text(body), "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn tags_count_rows() {
        assert_eq!(rows_of_tag(b"SELECT 5"), 5);
        assert_eq!(rows_of_tag(b"INSERT 0 12"), 12);
        assert_eq!(rows_of_tag(b"CREATE TABLE"), 0);
        assert_eq!(rows_of_tag(b"5"), 0);
        assert_eq!(rows_of_tag(b"SELECT 99999999999999999999999"), 0);
    }
}
