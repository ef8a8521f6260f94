//! What a record holds. Field names in the log are stable: a new field may appear, none changes its meaning.
//!
//! | field | in | meaning |
//! |---|---|---|
//! | `event` | all | `statement`, `connect`, `login_failed`, `disconnect`, `refused`, `fault`, `reload`, `gap` |
//! | `time` | all | RFC 3339, UTC, microseconds: when it began (statement), when it happened (others) |
//! | `session` | all but `reload`, `gap` | names the session, unique over restarts and shards |
//! | `client` | all but `reload`, `gap` | address and port of the client |
//! | `listener` | all but `reload`, `gap` | the name from the config |
//! | `user`, `groups`, `database`, `application` | where known | as the client gave them; groups from the config |
//! | `number` | `statement` | counts the statements of a session from 1 |
//! | `part` | `statement` | which statement of a text with several, from 0; left out where it is 0, whose record has the whole text |
//! | `statement` | `statement` | the text as sent; from the second statement of a text on, its own words only |
//! | `statement_bytes`, `statement_cut` | `statement` | real length of a text that was cut, and `true` |
//! | `statement_escaped` | `statement` | `true` where bytes that are not UTF-8 are shown as `\xNN` |
//! | `kinds`, `relations` | `statement` | what the parser found |
//! | `parameters` | `statement` | see [`Parameter`]; `parameters_total` where more were bound than kept, but for bulk executions, whose rows are not counted |
//! | `parameter_types` | `statement` | names of the types that they were bound with, where their messages say so (MySQL); `null` for one that is not said |
//! | `verdict`, `rule` | `statement` | `allow`, `deny` or `hold`, and the rule that said so |
//! | `masks` | `statement` | `[{"rule": …, "cells": …}]`: masks applied and the cells that each changed |
//! | `oversized_cells` | `statement` | cells redacted whole because they were over a limit |
//! | `local_file`, `local_file_bytes` | `statement` | the file of the client's machine that the server asked for, and the bytes that it was given: 0 of a refused one |
//! | `rows`, `tag` | `statement` | from the server's reply |
//! | `sqlstate` | `statement`, `login_failed`, `refused`, `fault` | of the error that the client was told, by the server or by Wiregate |
//! | `error_code` | the same | its number, where the protocol numbers errors (MySQL: 1062, 1227 …) |
//! | `bytes_in`, `bytes_out` | `statement`, `disconnect` | from the client, to the client |
//! | `server_us`, `gateway_us` | `statement` | microseconds at the server, and added by the gateway |
//! | `suspended` | `statement` | `true`: stopped at a row limit; a further record follows when it goes on |
//! | `abandoned` | `statement` | `true`: the session ended or the server skipped it before it completed |
//! | `reason` | `login_failed`, `disconnect`, `refused`, `fault` | a fixed short name, as in the metrics |
//!
//! Fields without a value are left out. The types here borrow what they hold and do no work.

use std::fmt;

/// Whose records these are: what all records of one session share.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Names the session, unique over restarts and shards.
    pub session: &'a str,
    /// Address and port of the client, or the path of its socket.
    pub client: &'a str,
    /// Name of the listener.
    pub listener: &'a str,
    /// The user as the client gave it; empty while it is not known.
    pub user: &'a [u8],
    /// The user's groups from the config.
    pub groups: &'a [&'a str],
    /// The database as the client gave it; empty while it is not known.
    pub database: &'a [u8],
    /// The client's `application_name`; empty where it gave none.
    pub application: &'a [u8],
}

/// The text of a statement, possibly cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    /// What is kept of it.
    pub bytes: &'a [u8],
    /// Its real length.
    pub total_bytes: usize,
}

impl<'a> Text<'a> {
    /// Keeps at most `limit_bytes` of `bytes`, which themselves are the beginning of a text of `total_bytes`.
    /// A character of UTF-8 is not cut in two.
    #[must_use]
    pub fn cut(bytes: &'a [u8], total_bytes: usize, limit_bytes: usize) -> Self {
        if bytes.len() <= limit_bytes {
            return Self { bytes, total_bytes: total_bytes.max(bytes.len()) };
        }
        // A character has at most four bytes, so its first is at most three before the cut.
        let is_start = |&end: &usize| bytes.get(end).is_some_and(|byte| byte & 0xc0 != 0x80);
        let end = (limit_bytes.saturating_sub(3)..=limit_bytes).rev().find(is_start).unwrap_or(limit_bytes);
        Self { bytes: bytes.get(..end).unwrap_or(bytes), total_bytes: total_bytes.max(bytes.len()) }
    }

    /// Whether something is missing.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.bytes.len() < self.total_bytes
    }
}

impl<'a> From<&'a [u8]> for Text<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { bytes, total_bytes: bytes.len() }
    }
}

/// What was decided about a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It ran.
    Allow,
    /// It was refused.
    Deny,
    /// A human was asked.
    Hold,
}

impl Verdict {
    /// The word in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Hold => "hold",
        }
    }
}

/// What the policy knows of a statement: what all its runs share.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// The text.
    pub statement: Text<'a>,
    /// Kinds of the statements in it, such as `select`.
    pub kinds: &'a [&'a str],
    /// Relations that it names, schema included where known.
    pub relations: &'a [&'a str],
    /// What was decided.
    pub verdict: Verdict,
    /// The rule that decided, where one did.
    pub rule: Option<&'a str>,
    /// Rules of `mode = "report"` that would have refused it or masked its results; usually none.
    pub reported: &'a [&'a str],
}

/// One bind parameter.
///
/// In the log: `null`; a string for a whole value in text form; otherwise an object: `{"masked": true}`,
/// `{"text": …, "total_bytes": …, "cut": true}`, or `{"hex": …}` for a binary value, with `total_bytes` and
/// `cut` where it was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter<'a> {
    /// SQL NULL.
    Null,
    /// A value that compares with a masked column.
    Masked,
    /// A value in text form.
    Text(Text<'a>),
    /// A value in binary form.
    Binary(Text<'a>),
}

/// The bind parameters of one run, asked for while its record is written: nobody has to gather them before.
pub trait Parameters {
    /// How many there were.
    fn total(&self) -> usize;

    /// Hands over those that were kept, in order, each with the name of the type that it was bound with, which is empty
    /// where it is not known.
    fn each(&self, take: &mut dyn FnMut(Parameter<'_>, &str));
}

/// Without names of types, and nothing else was bound.
impl<const COUNT: usize> Parameters for [Parameter<'_>; COUNT] {
    fn total(&self) -> usize {
        COUNT
    }

    fn each(&self, take: &mut dyn FnMut(Parameter<'_>, &str)) {
        self.iter().for_each(|parameter| take(*parameter, ""));
    }
}

impl fmt::Debug for dyn Parameters + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        self.each(&mut |parameter, _| {
            list.entry(&parameter);
        });
        list.finish()
    }
}

#[cfg(test)]
/// Parameters of which some were kept, with the names of their types.
pub(crate) struct Typed<'a>(pub(crate) &'a [(Parameter<'a>, &'a str)], pub(crate) usize);

#[cfg(test)]
impl Parameters for Typed<'_> {
    fn total(&self) -> usize {
        self.1
    }

    fn each(&self, take: &mut dyn FnMut(Parameter<'_>, &str)) {
        self.0.iter().for_each(|(parameter, type_name)| take(*parameter, type_name));
    }
}

/// What one mask did to a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaskCount<'a> {
    /// Name of the rule.
    pub rule: &'a str,
    /// Cells that it masked.
    pub cells: u64,
}

/// A file of the client's machine that a server of MySQL or MariaDB asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalFile<'a> {
    /// Its name as the server asked for it.
    pub name: &'a [u8],
    /// Bytes that the client sent; 0 where the file was refused.
    pub bytes: u64,
}

/// One run of one statement.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// Nanoseconds since the Unix epoch when it came in.
    pub unix_ns: u64,
    /// Whose it is.
    pub identity: &'a crate::Identity,
    /// What it is.
    pub summary: &'a crate::Summary,
    /// Counts the statements of the session, from 1.
    pub number: u64,
    /// Which statement of a text with several, from 0.
    pub part: u32,
    /// Its bind parameters.
    pub parameters: &'a dyn Parameters,
    /// Masks that changed cells.
    pub masks: &'a [MaskCount<'a>],
    /// Cells that were redacted whole because they were over a limit.
    pub oversized_cells: u64,
    /// The file that the server asked for while it ran.
    pub local_file: Option<LocalFile<'a>>,
    /// Rows that the command tag counts.
    pub rows: u64,
    /// Bytes of its messages from the client.
    pub bytes_in: u64,
    /// Bytes of its messages to the client.
    pub bytes_out: u64,
    /// The command tag as sent; empty where there was none.
    pub tag: &'a [u8],
    /// The error that ended it.
    pub sqlstate: Option<[u8; 5]>,
    /// Its number, in a protocol that numbers errors (MySQL).
    pub error_code: Option<u16>,
    /// Nanoseconds from the send to the server to the last byte of its reply.
    pub server_ns: u64,
    /// Nanoseconds that the gateway added.
    pub gateway_ns: u64,
    /// It stopped at a row limit and can go on.
    pub suspended: bool,
    /// The session ended, or the server skipped it, before it completed.
    pub abandoned: bool,
}

/// A client was let in.
#[derive(Clone, Copy, Debug)]
pub struct Connect<'a> {
    /// Nanoseconds since the Unix epoch.
    pub unix_ns: u64,
    /// Who it is.
    pub identity: &'a crate::Identity,
    /// TLS version of the client's leg, such as `TLSv1.3`; empty without TLS.
    pub tls: &'a str,
    /// TLS version of the server's leg; empty without TLS.
    pub upstream_tls: &'a str,
    /// How the client was authenticated: `passthrough` or `gateway`.
    pub auth: &'a str,
}

/// A client failed to authenticate, at the gateway or at the server.
#[derive(Clone, Copy, Debug)]
pub struct LoginFailed<'a> {
    /// Nanoseconds since the Unix epoch.
    pub unix_ns: u64,
    /// Who it claimed to be.
    pub identity: &'a crate::Identity,
    /// A short fixed name, such as `wrong_password`. It may say more than the client was told.
    pub reason: &'a str,
    /// What the client was told.
    pub sqlstate: [u8; 5],
    /// The number of that error, in a protocol that numbers errors.
    pub error_code: Option<u16>,
}

/// A session ended.
#[derive(Clone, Copy, Debug)]
pub struct Disconnect<'a> {
    /// Nanoseconds since the Unix epoch.
    pub unix_ns: u64,
    /// Whose it was.
    pub identity: &'a crate::Identity,
    /// A short fixed name, such as `client_closed`.
    pub reason: &'a str,
    /// Nanoseconds since the connection was accepted.
    pub duration_ns: u64,
    /// Statements that it sent.
    pub statements: u64,
    /// Bytes from the client.
    pub bytes_in: u64,
    /// Bytes to the client.
    pub bytes_out: u64,
}

/// A connection was turned away before anybody could authenticate on it.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// Nanoseconds since the Unix epoch.
    pub unix_ns: u64,
    /// What is known of the client.
    pub identity: &'a crate::Identity,
    /// A short fixed name, such as `too_many_clients`.
    pub reason: &'a str,
    /// What the client was told, where it could be told anything.
    pub sqlstate: Option<[u8; 5]>,
    /// The number of that error, in a protocol that numbers errors.
    pub error_code: Option<u16>,
}

/// A session was ended because a side broke the protocol or a limit.
#[derive(Clone, Copy, Debug)]
pub struct Fault<'a> {
    /// Nanoseconds since the Unix epoch.
    pub unix_ns: u64,
    /// Whose session it was.
    pub identity: &'a crate::Identity,
    /// Whose doing it was: `client`, `gateway` or `server`.
    pub culprit: &'a str,
    /// A short fixed name, such as `oversized_frame`.
    pub reason: &'a str,
    /// What the client was told.
    pub message: &'a str,
    /// SQLSTATE for the client.
    pub sqlstate: [u8; 5],
    /// The number of that error, in a protocol that numbers errors.
    pub error_code: Option<u16>,
}

/// A new config was loaded, or was not.
#[derive(Clone, Copy, Debug)]
pub struct Reload<'a> {
    /// Nanoseconds since the Unix epoch.
    pub unix_ns: u64,
    /// What asked for it: `signal` or `file`.
    pub cause: &'a str,
    /// The policy generation that holds from now on.
    pub generation: u64,
    /// What was wrong with the new config; empty when it was loaded.
    pub problems: &'a [String],
}

/// Records are missing here because the log could not be written.
#[derive(Clone, Copy, Debug)]
pub struct Gap<'a> {
    /// Nanoseconds since the Unix epoch when the log could be written again.
    pub unix_ns: u64,
    /// Records that were dropped.
    pub dropped: u64,
    /// Why the log could not be written.
    pub error: &'a str,
}

/// One line of the log.
#[derive(Clone, Copy, Debug)]
pub enum Record<'a> {
    /// See [`Connect`].
    Connect(Connect<'a>),
    /// See [`Disconnect`].
    Disconnect(Disconnect<'a>),
    /// See [`Fault`].
    Fault(Fault<'a>),
    /// See [`Gap`].
    Gap(Gap<'a>),
    /// See [`LoginFailed`].
    LoginFailed(LoginFailed<'a>),
    /// See [`Refused`].
    Refused(Refused<'a>),
    /// See [`Reload`].
    Reload(Reload<'a>),
    /// See [`Statement`].
    Statement(Statement<'a>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_never_splits_a_character() {
        let text = "aé€😀".as_bytes();
        for (limit, kept) in [(0, ""), (1, "a"), (2, "a"), (3, "aé"), (5, "aé"), (6, "aé€"), (9, "aé€"), (10, "aé€😀")]
        {
            let cut = Text::cut(text, text.len(), limit);
            assert_eq!(cut.bytes, kept.as_bytes(), "limit {limit}");
            assert_eq!(cut.is_cut(), limit < 10);
            assert_eq!(cut.total_bytes, 10);
        }
    }

    #[test]
    fn a_text_that_came_cut_stays_marked() {
        assert!(Text::cut(b"select", 100, 50).is_cut());
        assert!(!Text::cut(b"select", 6, 6).is_cut());
    }

    #[test]
    fn bytes_without_characters_are_cut_at_the_limit() {
        assert_eq!(Text::cut(&[0x80; 9], 9, 6).bytes.len(), 6);
    }
}
