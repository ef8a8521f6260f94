//! PostgreSQL's grammar of SQL/XML in a form that the parser reads.
//!
//! `XMLELEMENT(NAME a, …)` and its kin are no calls of functions: words stand between their arguments. Those words
//! are left out, names of elements become strings, and `XMLSERIALIZE(CONTENT x AS t)` keeps its type as that of a
//! cast; every expression and every type stays where the parser reads it. The words that begin such a form are
//! reserved for it, so that no function of the users can be called by them without quotes or a schema. What is not
//! of the form as PostgreSQL documents it stays as it is, and the parser does not read it. Source: "9.15 XML
//! Functions" of PostgreSQL's manual, and the productions `func_expr_common_subexpr` and `xmltable` of its `gram.y`.

use super::lexer::{Kind, Lexed, Token};

/// What goes to the parser in place of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// A cast of what is in these parentheses: `(` becomes `(cast(`.
    CastBegins,
    /// The end of that: `)` becomes `))`.
    CastEnds,
    /// A comma.
    Comma,
    /// The word DEFAULT.
    Default,
    /// The token, and a name of a namespace before it.
    Named,
    /// Nothing.
    Nothing,
    /// The word PATH.
    Path,
    /// The name, as a string.
    Text,
}

/// What parentheses belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Element,
    Exists,
    /// Namespaces of an XMLTABLE; whether the last of them is the default, which has no name.
    Namespaces {
        unnamed: bool,
    },
    Other,
    Parse,
    Root,
    Serialize,
    /// XMLTABLE; where among the changes the DEFAULT of the column is that had no PATH before it.
    Table {
        default: Option<usize>,
    },
}

/// Whether a token may begin what [`edits`] has to look at: a word that begins like `xml`.
#[inline(always)]
pub(super) fn may_begin(lexed: &Lexed<'_>, token: &Token) -> bool {
    token.kind == Kind::Word && matches!(lexed.raw(token).first(), Some(b'x' | b'X'))
}

/// What is to be changed from the token `start` on, outside of all parentheses that are open there, in order. One
/// pass, whatever is nested in what.
pub(super) fn edits(lexed: &Lexed<'_>, start: usize, end: usize) -> Vec<(usize, Edit)> {
    let mut pass = Pass { lexed, end, edits: Vec::new() };
    let mut open: Vec<Form> = Vec::new();
    let mut at = start;
    while at < end {
        let top = open.last().copied().unwrap_or(Form::Other);
        if pass.sign(at, "(") {
            open.push(pass.begin(at, start));
        } else if pass.sign(at, ")") {
            match open.pop() {
                Some(Form::Serialize) => pass.push(at, Edit::CastEnds),
                Some(Form::Namespaces { unnamed: true }) => pass.push(at, Edit::Named),
                _ => {}
            }
        } else if top != Form::Other {
            at += pass.inside(at, top, open.last_mut());
        }
        at += 1;
    }
    pass.edits
}

struct Pass<'l, 't> {
    lexed: &'l Lexed<'t>,
    end: usize,
    edits: Vec<(usize, Edit)>,
}

impl Pass<'_, '_> {
    fn token(&self, at: usize) -> Option<&Token> {
        self.lexed.tokens().get(at).filter(|_| at < self.end)
    }

    fn word(&self, at: usize, words: &[&str]) -> bool {
        self.token(at).is_some_and(|token| words.iter().any(|word| self.lexed.is_word(token, word)))
    }

    fn sign(&self, at: usize, sign: &str) -> bool {
        self.token(at).is_some_and(|token| self.lexed.is_sign(token, sign))
    }

    fn push(&mut self, at: usize, edit: Edit) {
        self.edits.push((at, edit));
    }

    fn leave_out(&mut self, from: usize, count: usize) {
        for at in from..from + count {
            self.push(at, Edit::Nothing);
        }
    }

    /// What the parenthesis at `at` opens, and what changes at its beginning.
    fn begin(&mut self, at: usize, start: usize) -> Form {
        let Some(before) = at.checked_sub(1).filter(|before| *before >= start) else { return Form::Other };
        // `pg_catalog.xmlexists(…)` is an ordinary function.
        if before.checked_sub(1).is_some_and(|dot| self.sign(dot, ".")) {
            return Form::Other;
        }
        if self.word(before, &["xmlelement", "xmlpi"]) {
            let named = self
                .token(at + 2)
                .is_some_and(|token| matches!(token.kind, Kind::Word | Kind::Quoted | Kind::UnicodeQuoted));
            // Behind a Unicode name its UESCAPE may stand, which is no token of the parser's.
            if self.word(at + 1, &["name"]) && named && (self.sign(at + 3, ",") || self.sign(at + 3, ")")) {
                self.push(at + 1, Edit::Nothing);
                self.push(at + 2, Edit::Text);
            }
            Form::Element
        } else if self.word(before, &["xmlserialize"]) && self.word(at + 1, &["content", "document"]) {
            self.push(at, Edit::CastBegins);
            self.push(at + 1, Edit::Nothing);
            Form::Serialize
        } else if self.word(before, &["xmlexists"]) {
            Form::Exists
        } else if self.word(before, &["xmlnamespaces"]) {
            Form::Namespaces { unnamed: false }
        } else if self.word(before, &["xmlparse"]) {
            Form::Parse
        } else if self.word(before, &["xmlroot"]) {
            Form::Root
        } else if self.word(before, &["xmltable"]) {
            Form::Table { default: None }
        } else {
            Form::Other
        }
    }

    /// BY REF and BY VALUE, which mean nothing to the server, on either side of the document.
    fn is_by(&self, at: usize, form: Form) -> bool {
        let behind =
            if matches!(form, Form::Table { .. }) { self.word(at + 2, &["columns"]) } else { self.sign(at + 2, ")") };
        self.word(at, &["by"])
            && self.word(at + 1, &["ref", "value"])
            && (self.word(at.wrapping_sub(1), &["passing"]) || behind)
    }

    /// PRESERVE WHITESPACE and STRIP WHITESPACE.
    fn is_whitespace(&self, at: usize) -> bool {
        self.word(at, &["preserve", "strip"]) && self.word(at + 1, &["whitespace"]) && self.sign(at + 2, ")")
    }

    /// A token among the columns of XMLTABLE: the parser takes PATH before DEFAULT alone, and NOT NULL behind both. Which
    /// is which says nothing of where values come from, so the two words change places.
    fn column(&mut self, at: usize, default: Option<usize>, top: Option<&mut Form>) -> usize {
        let before = at.wrapping_sub(1);
        let mut now = default;
        let mut done = 0;
        if self.sign(at, ",") {
            now = None;
        } else if self.sign(before, ",") || self.word(before, &["columns"]) {
            // The name of a column.
        } else if self.word(at, &["default"]) {
            now = Some(self.edits.len());
            self.push(at, Edit::Default);
        } else if self.word(at, &["path"])
            && let Some((_, edit)) = default.and_then(|default| self.edits.get_mut(default))
        {
            *edit = Edit::Path;
            self.push(at, Edit::Default);
            now = None;
        } else if self.word(at, &["not"]) && self.word(at + 1, &["null"]) {
            self.leave_out(at, 2);
            done = 1;
        } else if self.word(at, &["null"]) && !self.word(before, &["default", "is", "not", "passing", "path"]) {
            self.push(at, Edit::Nothing);
        }
        if let Some(top) = top {
            *top = Form::Table { default: now };
        }
        done
    }

    /// A token right inside a form; how many tokens behind it are done, too.
    fn inside(&mut self, at: usize, form: Form, top: Option<&mut Form>) -> usize {
        let before = at.wrapping_sub(1);
        match form {
            Form::Exists if self.word(at, &["passing"]) => self.push(at, Edit::Comma),
            Form::Exists | Form::Table { .. } if self.is_by(at, form) => {
                self.leave_out(at, 2);
                return 1;
            }
            Form::Namespaces { unnamed } => {
                if self.sign(at, ",") && unnamed {
                    self.push(at, Edit::Named);
                    if let Some(top) = top {
                        *top = Form::Namespaces { unnamed: false };
                    }
                } else if self.word(at, &["default"]) && (self.sign(before, "(") || self.sign(before, ",")) {
                    self.push(at, Edit::Nothing);
                    if let Some(top) = top {
                        *top = Form::Namespaces { unnamed: true };
                    }
                }
            }
            Form::Table { default } => return self.column(at, default, top),
            Form::Parse if self.is_whitespace(at) => {
                self.leave_out(at, 2);
                return 1;
            }
            Form::Root if self.sign(at, ",") => {
                let none = |from: usize| self.word(from, &["no"]) && self.word(from + 1, &["value"]);
                let count = if self.word(at + 1, &["version", "standalone"]) && none(at + 2) {
                    4
                } else if self.word(at + 1, &["standalone"]) && self.word(at + 2, &["yes", "no"]) {
                    3
                } else {
                    if self.word(at + 1, &["version"]) {
                        self.push(at + 1, Edit::Nothing);
                        return 1;
                    }
                    return 0;
                };
                self.leave_out(at, count);
                return count - 1;
            }
            // What is no part of the type: `AS text NO INDENT`.
            Form::Serialize if !self.word(before, &["as"]) => {
                if self.word(at, &["indent"]) && self.sign(at + 1, ")") {
                    self.push(at, Edit::Nothing);
                } else if self.word(at, &["no"]) && self.word(at + 1, &["indent"]) && self.sign(at + 2, ")") {
                    self.leave_out(at, 2);
                    return 1;
                }
            }
            _ => {}
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::super::bridge;
    use crate::sql::lexer::{LexOptions, Lexed};

    fn parsed(text: &str) -> Option<String> {
        let lexed = Lexed::new(text.as_bytes(), LexOptions::default()).unwrap();
        bridge::parse(&lexed, 0..lexed.tokens().len()).map(|statement| statement.to_string())
    }

    #[test]
    fn every_form_is_read_with_all_its_expressions_and_types() {
        for (text, expected) in [
            ("xmlelement(name a)", "xmlelement('a')"),
            ("XMLELEMENT(NAME \"A b\", c || 'd', e)", "xmlelement('A b', c || 'd', e)"),
            (
                "xmlelement(name select, xmlattributes(a AS b, c), d)",
                "xmlelement('select', xmlattributes(a AS b, c), d)",
            ),
            ("xmlforest(a, b + 1 AS \"c\")", "xmlforest(a, b + 1 AS \"c\")"),
            ("xmlconcat(a, xmlpi(name b), xmlpi(NAME \"C\", d))", "xmlconcat(a, xmlpi('b'), xmlpi('C', d))"),
            ("xmlagg(xmlelement(name a, b) ORDER BY c)", "xmlagg(xmlelement('a', b) ORDER BY c)"),
            ("xmlroot(a, VERSION b || '1', STANDALONE YES)", "xmlroot(a, b || '1')"),
            ("xmlroot(xmlroot(a, version no value), version no value, standalone no value)", "xmlroot(xmlroot(a))"),
            ("xmlroot(a, version '1.0', standalone no)", "xmlroot(a, '1.0')"),
            ("xmlparse(DOCUMENT a PRESERVE WHITESPACE)", "xmlparse(document a)"),
            ("xmlparse(content a strip whitespace)", "xmlparse(content a)"),
            ("xmlserialize(CONTENT a AS text)", "xmlserialize(CAST(a AS TEXT))"),
            ("xmlserialize(document f(a) AS s.mine NO INDENT)", "xmlserialize(CAST(f(a) AS s.mine))"),
            ("xmlserialize(content a AS indent INDENT)", "xmlserialize(CAST(a AS indent))"),
            ("xmlexists('//x' PASSING a)", "xmlexists('//x', a)"),
            ("xmlexists(b PASSING BY REF a BY VALUE)", "xmlexists(b, a)"),
            ("a IS DOCUMENT AND b IS NOT DOCUMENT", "a IS DISTINCT FROM '' AND b IS NOT DISTINCT FROM ''"),
            ("a IS DOCUMENT = b", "a IS DISTINCT FROM '' = b"),
        ] {
            let read = parsed(&format!("SELECT {text} FROM t"));
            assert_eq!(read.as_deref(), Some(&*format!("SELECT {expected} FROM t")), "{text}");
        }
        for (text, expected) in [
            (
                "xmltable('/a' PASSING BY REF d BY VALUE COLUMNS n FOR ORDINALITY, v text PATH b DEFAULT c) AS x",
                "XMLTABLE('/a' PASSING d COLUMNS n FOR ORDINALITY, v TEXT PATH b DEFAULT c) AS x",
            ),
            ("LATERAL xmltable('/a' PASSING d COLUMNS v text) AS x", "XMLTABLE('/a' PASSING d COLUMNS v TEXT) AS x"),
            ("xmltable('/a' PASSING NULL COLUMNS v text)", "XMLTABLE('/a' PASSING NULL COLUMNS v TEXT)"),
            (
                "xmltable(XMLNAMESPACES(a AS x, DEFAULT b), '/a' PASSING d COLUMNS v s.mine) x(y)",
                "XMLTABLE(XMLNAMESPACES(a AS x, b AS \"\"), '/a' PASSING d COLUMNS v s.mine) x (y)",
            ),
            (
                "xmltable(XMLNAMESPACES(DEFAULT b, a AS x), '/a' PASSING d COLUMNS v text)",
                "XMLTABLE(XMLNAMESPACES(b AS \"\", a AS x), '/a' PASSING d COLUMNS v TEXT)",
            ),
            (
                "xmltable('/a' PASSING d COLUMNS v text NOT NULL DEFAULT b PATH c, path text NULL PATH 'p', w int DEFAULT NULL NOT NULL)",
                "XMLTABLE('/a' PASSING d COLUMNS v TEXT PATH b DEFAULT c, path TEXT PATH 'p', w INT DEFAULT NULL)",
            ),
            (
                "xmltable('/a' PASSING d COLUMNS v text DEFAULT (SELECT x FROM xmltable('/b' PASSING e COLUMNS u text DEFAULT f PATH g) AS y) PATH c, n FOR ORDINALITY)",
                "XMLTABLE('/a' PASSING d COLUMNS v TEXT PATH (SELECT x FROM XMLTABLE('/b' PASSING e COLUMNS u TEXT PATH f DEFAULT g) AS y) DEFAULT c, n FOR ORDINALITY)",
            ),
        ] {
            let read = parsed(&format!("SELECT * FROM t, {text}")).map(|read| read.replace(" AS x (y)", " x (y)"));
            assert_eq!(read.as_deref(), Some(&*format!("SELECT * FROM t, {expected}")), "{text}");
        }
    }

    #[test]
    fn nothing_disappears_that_could_be_a_name() {
        // Names of functions with a schema or in quotes, columns and types that are called like the words.
        for text in [
            "SELECT pg_catalog.xmlexists(name, b) FROM t",
            "SELECT \"xmlroot\"(a, version) FROM t",
            "SELECT xml.strip(a), f(a, version), g(document, by, ref) FROM t",
            "SELECT document FROM t WHERE a IS NULL",
        ] {
            assert_eq!(parsed(text).as_deref(), Some(text), "{text}");
        }
        for text in [
            "SELECT xmlelement(a) FROM t",
            "SELECT xmlserialize(CONTENT card AS text, a) FROM t",
            "SELECT xmlserialize(CONTENT card) FROM t",
            "CREATE TABLE xmlelement (name mine, b int)",
            "SELECT * FROM xmltable('/a' PASSING d COLUMNS by ref)",
        ] {
            let read = parsed(text);
            let kept = ["card", "mine", "ref", "xmlelement(a)"]
                .iter()
                .any(|name| read.as_deref().is_some_and(|read| read.contains(name)));
            assert!(read.is_none() || kept, "{text}: {read:?}");
        }
    }

    #[test]
    fn forms_in_forms_take_one_pass() {
        let deep = format!("SELECT {}a{}", "xmlroot(".repeat(50_000), ", version no value)".repeat(50_000));
        assert_eq!(parsed(&deep), None);
        let wide = format!("SELECT xmlroot({})", vec!["a, version b"; 20_000].join(", "));
        assert!(parsed(&wide).is_some());
    }
}
