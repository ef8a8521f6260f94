//! What of an ERR may pass when a mask concerns the statement behind it.
//!
//! Errors quote values: "Duplicate entry 'a@b.c' for key 'email'", "Incorrect integer value: '4111…'", whatever
//! SIGNAL says. A scrubbed one keeps number and SQLSTATE; its text goes.
//!
//! Source: MySQL documentation, "Server Error Message Reference".

use crate::constant::header;

/// Errors about the text itself: they come before a row is read, and quote nothing but the text. A text that
/// runs another one (EXECUTE, CALL) may fail in that, with a value in it.
const ABOUT_TEXT: [u16; 17] = [
    1046, // no database selected
    1049, // unknown database
    1051, // unknown table
    1052, // column is ambiguous
    1054, // unknown column
    1064, // syntax
    1065, // empty
    1066, // table or alias not unique
    1109, // unknown table in a clause
    1111, // invalid use of a group function
    1136, // column count does not match
    1140, // mixing of group columns
    1146, // table does not exist
    1193, // unknown system variable
    1248, // derived table without alias
    1305, // function or procedure does not exist
    1327, // undeclared variable
];

/// Words of texts that run another text.
const RUN_OTHERS: [&[u8]; 3] = [b"call", b"execute", b"prepare"];

/// Whether an error of this number is about the statement's text.
pub(crate) fn is_about_text(code: u16) -> bool {
    ABOUT_TEXT.contains(&code)
}

/// Whether a text runs no other one, wherever the words may stand in it.
pub(crate) fn runs_no_other(sql: &[u8]) -> bool {
    !RUN_OTHERS.iter().any(|word| sql.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word)))
}

/// The payload of an ERR without its text.
pub(crate) fn scrubbed(code: u16, sqlstate: [u8; 5], out: &mut Vec<u8>) {
    out.push(header::ERR);
    out.extend_from_slice(&code.to_le_bytes());
    out.push(b'#');
    out.extend_from_slice(&sqlstate);
    out.extend_from_slice(format!("Error {code}: details are withheld because a mask applies").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::ErrPacket;

    #[test]
    fn a_scrubbed_error_keeps_number_and_state() {
        let mut out = Vec::new();
        scrubbed(1062, *b"23000", &mut out);
        let err = ErrPacket::parse(&out).unwrap();
        assert_eq!((err.code, &err.sqlstate), (1062, b"23000"));
    }

    #[test]
    fn texts_that_run_others_are_known_in_any_disguise() {
        assert!(runs_no_other(b"SELECT * FORM t"));
        for text in [&b"EXECUTE s"[..], b"/*!50000 eXecute immediate */ @x", b"CALL p()", b"prepare s from @x"] {
            assert!(!runs_no_other(text));
        }
        assert!(!is_about_text(1062));
    }
}
