//! COPY: what it copies where, and how its text is written.
//!
//! Read from our own tokens: <https://www.postgresql.org/docs/current/sql-copy.html>, the syntax of
//! versions before 9.0 and before 7.3 included, since servers still take it. An option that is not known
//! here makes the syntax unknown, and then masked data is not let out.

use core::ops::Range;

use wire::guard::CopySyntax;

use super::tokens::Tokens;

/// A COPY statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// Whether data goes to the server (`FROM`).
    pub to_server: bool,
    /// What is copied.
    pub source: Source,
    /// The other end.
    pub end: End,
    /// How the data is written; `None` where an option is not understood.
    pub syntax: Option<(CopySyntax, Box<[u8]>)>,
}

/// What a COPY copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The rows of a query.
    Query,
    /// The rows of a table.
    Table {
        /// Its schema, if written.
        schema: Option<Box<str>>,
        /// Its name.
        name: Box<str>,
        /// Its columns, if written.
        columns: Option<Box<[Box<str>]>>,
    },
    /// Not understood.
    Unknown,
}

/// The other end of a COPY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The connection: STDIN or STDOUT.
    Client,
    /// A file of the server.
    File,
    /// A program on the server.
    Program,
}

/// Reads what follows the word COPY; gives the tokens of its query, too.
pub(super) fn read(tokens: Tokens<'_, '_>, range: Range<usize>) -> (Copy, Option<Range<usize>>) {
    let mut reader = Reader { tokens, at: range.start, end: range.end };
    // COPY BINARY t: before 9.0. A table of that name is followed by FROM or TO.
    let binary =
        tokens.is_word(reader.at, "binary") && tokens.is_name(reader.at + 1) && !reader.turns_at(reader.at + 1);
    if binary {
        reader.at += 1;
    }
    let (source, query) = reader.source();
    let to_server = tokens.is_word(reader.at, "from");
    let turned = reader.turns_at(reader.at);
    reader.at += 1;
    let (end, known) = reader.other_end();
    let options = if turned && known { reader.options(binary) } else { None };
    let source = if turned { source } else { Source::Unknown };
    (Copy { to_server, source, end, syntax: options.and_then(Options::syntax) }, query)
}

struct Reader<'l, 'a> {
    tokens: Tokens<'l, 'a>,
    at: usize,
    end: usize,
}

impl Reader<'_, '_> {
    fn turns_at(&self, at: usize) -> bool {
        self.tokens.is_word(at, "from") || self.tokens.is_word(at, "to")
    }

    fn name(&mut self) -> Option<Box<str>> {
        let name = self.tokens.lexed.name(self.at).filter(|_| self.at < self.end)?;
        self.at += 1;
        Some(name.into())
    }

    fn source(&mut self) -> (Source, Option<Range<usize>>) {
        if self.tokens.is_sign(self.at, "(") {
            let open = self.at;
            let Some(close) = self.tokens.closing(open, self.end) else { return (Source::Unknown, None) };
            self.at = close + 1;
            return (Source::Query, Some(open + 1..close));
        }
        (self.table().unwrap_or(Source::Unknown), None)
    }

    fn table(&mut self) -> Option<Source> {
        let mut parts = vec![self.name()?];
        while self.tokens.is_sign(self.at, ".") {
            self.at += 1;
            parts.push(self.name()?);
        }
        let mut columns = None;
        if self.tokens.is_sign(self.at, "(") {
            let mut names = Vec::new();
            loop {
                self.at += 1;
                names.push(self.name()?);
                if self.tokens.is_sign(self.at, ")") {
                    break;
                }
                if !self.tokens.is_sign(self.at, ",") {
                    return None;
                }
            }
            self.at += 1;
            columns = Some(names.into());
        }
        let name = parts.pop()?;
        Some(Source::Table { schema: parts.pop(), name, columns })
    }

    fn other_end(&mut self) -> (End, bool) {
        let word = self.tokens.word(self.at).unwrap_or_default();
        match &*word {
            "stdin" | "stdout" => {
                self.at += 1;
                (End::Client, true)
            }
            "program" => (End::Program, false),
            _ => (End::File, false),
        }
    }

    /// Every option to the end of the statement; `None` for one that is not known.
    fn options(&mut self, binary: bool) -> Option<Options> {
        let mut options = Options { binary, ..Options::default() };
        // [USING] DELIMITERS 'x': before 7.3.
        if self.tokens.is_word(self.at, "using") {
            self.at += 1;
        }
        if self.tokens.is_word(self.at, "with") {
            self.at += 1;
        }
        if self.tokens.is_sign(self.at, "(") {
            let close = self.tokens.closing(self.at, self.end)?;
            loop {
                self.at += 1;
                self.option(&mut options)?;
                if self.at == close {
                    break;
                }
                if !self.tokens.is_sign(self.at, ",") {
                    return None;
                }
            }
            self.at += 1;
        } else {
            while self.at < self.end && !self.tokens.is_word(self.at, "where") {
                self.old_option(&mut options)?;
            }
        }
        let done = self.at >= self.end || self.tokens.is_word(self.at, "where");
        done.then_some(options)
    }

    fn option(&mut self, options: &mut Options) -> Option<()> {
        let key = self.name()?;
        match &*key {
            "format" => {
                let format = self.text()?;
                options.binary = format == "binary";
                options.csv = format == "csv";
                if !["binary", "csv", "text"].contains(&&*format) {
                    return None;
                }
            }
            "delimiter" => options.delimiter = Some(self.byte()?),
            "quote" => options.quote = Some(self.byte()?),
            "escape" => options.escape = Some(self.byte()?),
            "null" => options.null = Some(self.text()?.into_bytes()),
            "header" => options.header = self.truth()?,
            "freeze" => {
                self.truth()?;
            }
            "force_quote" | "force_not_null" | "force_null" => self.columns()?,
            // ENCODING, and whatever later versions add.
            _ => return None,
        }
        Some(())
    }

    /// Options as versions before 9.0 had them.
    fn old_option(&mut self, options: &mut Options) -> Option<()> {
        let key = self.tokens.word(self.at)?;
        self.at += 1;
        match &*key {
            "binary" => options.binary = true,
            "csv" => options.csv = true,
            "header" => options.header = true,
            "freeze" | "as" => {}
            "delimiter" | "delimiters" => options.delimiter = Some(self.old_byte()?),
            "quote" => options.quote = Some(self.old_byte()?),
            "escape" => options.escape = Some(self.old_byte()?),
            "null" => {
                self.skip_as();
                options.null = Some(self.text()?.into_bytes());
            }
            "force" => {
                while self.tokens.is_word(self.at, "not")
                    || self.tokens.is_word(self.at, "null")
                    || self.tokens.is_word(self.at, "quote")
                {
                    self.at += 1;
                }
                self.names_or_star()?;
            }
            _ => return None,
        }
        Some(())
    }

    fn skip_as(&mut self) {
        if self.tokens.is_word(self.at, "as") {
            self.at += 1;
        }
    }

    fn old_byte(&mut self) -> Option<u8> {
        self.skip_as();
        self.byte()
    }

    fn text(&mut self) -> Option<String> {
        let value = self.tokens.lexed.string(self.at).or_else(|| self.tokens.lexed.name(self.at))?;
        self.at += 1;
        // A continuation clause belongs to the string before it.
        if self.tokens.kind(self.at) == Some(crate::sql::lexer::Kind::Uescape) {
            self.at += 1;
        }
        Some(value.into_owned())
    }

    fn byte(&mut self) -> Option<u8> {
        match self.text()?.as_bytes() {
            [byte] => Some(*byte),
            _ => None,
        }
    }

    /// A truth value as PostgreSQL reads options: left out means true; `match` belongs to HEADER.
    fn truth(&mut self) -> Option<bool> {
        if self.tokens.is_sign(self.at, ",") || self.tokens.is_sign(self.at, ")") {
            return Some(true);
        }
        let raw = self.tokens.lexed.tokens().get(self.at).map(|token| self.tokens.lexed.raw(token))?;
        let value = match raw {
            b"1" => "1".to_owned(),
            b"0" => "0".to_owned(),
            _ => return self.word_truth(),
        };
        self.at += 1;
        Some(value == "1")
    }

    fn word_truth(&mut self) -> Option<bool> {
        match self.text()?.to_ascii_lowercase().as_str() {
            "true" | "on" | "match" => Some(true),
            "false" | "off" => Some(false),
            _ => None,
        }
    }

    fn columns(&mut self) -> Option<()> {
        if self.tokens.is_sign(self.at, "(") {
            self.at = self.tokens.closing(self.at, self.end)? + 1;
            return Some(());
        }
        if self.tokens.is_sign(self.at, "*") {
            self.at += 1;
            return Some(());
        }
        None
    }

    fn names_or_star(&mut self) -> Option<()> {
        if self.tokens.is_sign(self.at, "*") {
            self.at += 1;
            return Some(());
        }
        self.name()?;
        while self.tokens.is_sign(self.at, ",") {
            self.at += 1;
            self.name()?;
        }
        Some(())
    }
}

#[derive(Default)]
struct Options {
    binary: bool,
    csv: bool,
    header: bool,
    delimiter: Option<u8>,
    quote: Option<u8>,
    escape: Option<u8>,
    null: Option<Vec<u8>>,
}

impl Options {
    fn syntax(self) -> Option<(CopySyntax, Box<[u8]>)> {
        if self.binary && (self.csv || self.header) {
            return None;
        }
        let null = |default: &[u8]| self.null.clone().unwrap_or_else(|| default.to_vec()).into_boxed_slice();
        if self.binary {
            return Some((CopySyntax::Binary, Box::default()));
        }
        if self.csv {
            let quote = self.quote.unwrap_or(b'"');
            let delimiter = self.delimiter.unwrap_or(b',');
            let syntax =
                CopySyntax::Csv { delimiter, quote, escape: self.escape.unwrap_or(quote), header: self.header };
            return Some((syntax, null(b"")));
        }
        let syntax = CopySyntax::Text { delimiter: self.delimiter.unwrap_or(b'\t'), header: self.header };
        Some((syntax, null(b"\\N")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lexer::{LexOptions, Lexed};

    fn copy(text: &str) -> Copy {
        let lexed = Lexed::new(text.as_bytes(), LexOptions::default()).unwrap();
        let tokens = Tokens::new(&lexed);
        read(tokens, 1..lexed.tokens().len()).0
    }

    #[test]
    fn options_of_all_ages_are_read() {
        let text = |delimiter, header| CopySyntax::Text { delimiter, header };
        let csv = |quote, escape| CopySyntax::Csv { delimiter: b';', quote, escape, header: true };
        for (statement, syntax, null) in [
            ("COPY t TO STDOUT", text(b'\t', false), &b"\\N"[..]),
            ("COPY t TO STDOUT (DELIMITER '|', NULL 'x', HEADER)", text(b'|', true), b"x"),
            ("COPY t TO STDOUT WITH (FORMAT csv, DELIMITER ';', HEADER true)", csv(b'"', b'"'), b""),
            (
                "COPY t TO STDOUT WITH (FORMAT 'csv', DELIMITER ';', HEADER match, QUOTE '''', ESCAPE '\\', FORCE_QUOTE (a,b))",
                csv(b'\'', b'\\'),
                b"",
            ),
            ("copy t to stdout with delimiter as ';' csv header force quote a, b", csv(b'"', b'"'), b""),
            ("COPY t TO STDOUT USING DELIMITERS ','", text(b',', false), b"\\N"),
            ("COPY t TO STDOUT WITH (DELIMITER E'\\t')", text(b'\t', false), b"\\N"),
            ("COPY BINARY t TO STDOUT", CopySyntax::Binary, b""),
            ("COPY (SELECT 1) TO STDOUT (FORMAT BINARY)", CopySyntax::Binary, b""),
        ] {
            assert_eq!(copy(statement).syntax, Some((syntax, null.into())), "{statement}");
        }
    }

    #[test]
    fn what_is_not_understood_has_no_syntax() {
        for statement in [
            "COPY t TO STDOUT (ENCODING 'latin1')",
            "COPY t TO STDOUT (FORMAT json)",
            "COPY t TO STDOUT (DELIMITER 'ab')",
            "COPY t TO STDOUT (HEADER maybe)",
            "COPY t TO '/tmp/x'",
            "COPY t TO PROGRAM 'cat'",
        ] {
            assert_eq!(copy(statement).syntax, None, "{statement}");
        }
        assert_eq!(copy("COPY t TO PROGRAM 'cat'").end, End::Program);
        assert_eq!(copy("COPY t FROM '/etc/passwd'").end, End::File);
    }

    #[test]
    fn tables_and_columns_are_named() {
        let copied = copy(r#"COPY Public."T" (A, "B") TO STDOUT"#);
        let columns = Some(["a".into(), "B".into()].into());
        assert_eq!(copied.source, Source::Table { schema: Some("public".into()), name: "T".into(), columns });
        assert!(copy("COPY binary FROM STDIN").to_server);
    }
}
