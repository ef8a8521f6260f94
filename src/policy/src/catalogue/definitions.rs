//! What the definitions of objects say about masked columns: defaults, checks, bounds, comments.
//!
//! A definition holds values that somebody wrote into it: `DEFAULT '4111…'`, `CHECK (card <> '4111…')`, a comment
//! with an example. They are no values of rows, and still those of a masked column. Most definitions hold none, and
//! tools read all of them at once, so neither whole statements nor whole columns of the catalogue are masked: the
//! texts themselves are looked for ([`Quotes`]) in what prints definitions, as long as it shows them whole. In the
//! parsed form that the server keeps a text stands byte by byte, as numbers, and is looked for as such; where the
//! constant is no text (a number, a date), that form is masked whole. So is what is computed from a definition. None
//! of this happens where no definition of a masked column holds a text of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::documents::Mask;
use super::{Catalogue, Relation};
use crate::hash::{HashMap, HashSet};
use crate::mask::{Method, Quotes};
use crate::rule::RuleId;
use crate::sql::lexer::{Kind, LexOptions, Lexed};
use crate::statement::lineage::Origin;

/// The shortest text of a definition that counts as a value, in characters: `''`, `0`, `on` and the like are
/// everywhere.
const SHORTEST: usize = 4;

/// The shortest number that counts as a value, in digits: `10000` is everywhere, too.
const SHORTEST_NUMBER: usize = 6;

/// Columns of the server's own relations that show definitions as texts.
const TEXTS: &[(&str, &str, &[&str])] = &[
    ("information_schema", "attributes", &["attribute_default"]),
    ("information_schema", "check_constraints", &["check_clause"]),
    ("information_schema", "columns", &["column_default", "generation_expression"]),
    ("information_schema", "domains", &["domain_default"]),
    ("information_schema", "parameters", &["parameter_default"]),
    ("information_schema", "routines", &["routine_definition"]),
    ("information_schema", "triggers", &["action_condition", "action_statement"]),
    ("information_schema", "views", &["view_definition"]),
    ("pg_catalog", "pg_description", &["description"]),
    ("pg_catalog", "pg_indexes", &["indexdef"]),
    ("pg_catalog", "pg_matviews", &["definition"]),
    ("pg_catalog", "pg_policies", &["qual", "with_check"]),
    ("pg_catalog", "pg_proc", &["prosrc"]),
    ("pg_catalog", "pg_rules", &["definition"]),
    ("pg_catalog", "pg_shdescription", &["description"]),
    ("pg_catalog", "pg_type", &["typdefault"]),
    ("pg_catalog", "pg_views", &["definition"]),
];

/// Columns that hold definitions as the server parsed them: constants stand in them byte by byte, as numbers.
const PARSED: &[(&str, &str, &[&str])] = &[
    ("pg_catalog", "pg_attrdef", &["adbin"]),
    ("pg_catalog", "pg_class", &["relpartbound"]),
    ("pg_catalog", "pg_constraint", &["conbin"]),
    ("pg_catalog", "pg_index", &["indexprs", "indpred"]),
    ("pg_catalog", "pg_partitioned_table", &["partexprs"]),
    ("pg_catalog", "pg_policy", &["polqual", "polwithcheck"]),
    ("pg_catalog", "pg_proc", &["proargdefaults", "prosqlbody"]),
    ("pg_catalog", "pg_publication_rel", &["prqual"]),
    ("pg_catalog", "pg_rewrite", &["ev_action", "ev_qual"]),
    ("pg_catalog", "pg_statistic_ext", &["stxexprs"]),
    ("pg_catalog", "pg_trigger", &["tgqual"]),
    ("pg_catalog", "pg_type", &["typdefaultbin"]),
];

/// Functions that print definitions as texts.
const PRINTING: &[&str] = &[
    "col_description",
    "obj_description",
    "pg_get_constraintdef",
    "pg_get_expr",
    "pg_get_function_arg_default",
    "pg_get_function_arguments",
    "pg_get_function_sqlbody",
    "pg_get_functiondef",
    "pg_get_indexdef",
    "pg_get_partition_constraintdef",
    "pg_get_partkeydef",
    "pg_get_ruledef",
    "pg_get_statisticsobjdef",
    "pg_get_statisticsobjdef_columns",
    "pg_get_statisticsobjdef_expressions",
    "pg_get_triggerdef",
    "pg_get_viewdef",
    "shobj_description",
];

/// Whether a function of the server prints definitions.
pub(crate) fn is_printing(name: &str) -> bool {
    PRINTING.binary_search(&name).is_ok()
}

/// One text about a relation.
#[derive(Debug)]
pub(super) struct Text {
    relation: u32,
    /// The column that it is about; 0 where that is the relation, or has to be read from it.
    column: i16,
    is_comment: bool,
    /// `None` where it is too long, or no UTF-8.
    text: Option<Box<str>>,
}

impl Text {
    pub(super) fn new(relation: u32, column: i16, kind: &str, text: Option<&str>) -> Self {
        Self { relation, column, is_comment: kind == "c", text: text.map(Box::from) }
    }
}

/// The columns that show definitions, by relation and number.
pub(super) fn columns<'c>(relations: impl Iterator<Item = &'c Relation>) -> HashSet<(u32, i16)> {
    let mut found = HashSet::default();
    for relation in relations.filter(|relation| relation.is_system()) {
        let names = of(TEXTS, relation).chain(of(PARSED, relation));
        found.extend(names.filter_map(|name| Some((relation.oid, number(relation, name)?))));
    }
    found
}

fn of<'r>(
    list: &'static [(&'static str, &'static str, &'static [&'static str])],
    relation: &'r Relation,
) -> impl Iterator<Item = &'static str> + use<'r> {
    let own = list.iter().find(move |(schema, name, _)| *schema == &*relation.schema && *name == &*relation.name);
    own.into_iter().flat_map(|(_, _, columns)| columns.iter().copied())
}

fn number(relation: &Relation, name: &str) -> Option<i16> {
    relation.columns.iter().find(|column| *column.name == *name).map(|column| column.number)
}

/// What stands for the texts that functions print: the texts of comments.
pub(super) fn printed<'c>(mut relations: impl Iterator<Item = &'c Relation>) -> Option<Origin> {
    let is_comments = |relation: &&Relation| relation.is_system() && &*relation.name == "pg_description";
    let comments = relations.find(is_comments)?;
    number(comments, "description").map(|number| Origin::new(comments.oid, number))
}

/// Masks the columns that show definitions, where some definition of a masked column holds a text of its own; and
/// names the functions that print them. `false` where there is none.
pub(super) fn mask(catalogue: &Catalogue, relations: &mut HashMap<u32, BTreeMap<i16, Mask>>) -> bool {
    let found = Found::about(catalogue, relations);
    let all = found.texts.iter().flat_map(|text| spellings(text)).collect();
    let Some(quoting) = Quotes::new(all).map(Method::Quoting) else { return false };
    let parsed = if found.others { Method::Redact } else { quoting.clone() };
    for relation in catalogue.relations.values().filter(|relation| relation.is_system()) {
        let quoted = of(TEXTS, relation).map(|name| (name, quoting.clone()));
        for (name, method) in quoted.chain(of(PARSED, relation).map(|name| (name, parsed.clone()))) {
            if let Some(number) = number(relation, name) {
                relations.entry(relation.oid).or_default().insert(number, (RuleId::BUILT_IN, method));
            }
        }
    }
    true
}

/// Whether a name is that of something which shows definitions.
pub(super) fn is_showing(name: &str) -> bool {
    is_printing(name) || TEXTS.iter().chain(PARSED).any(|(_, relation, _)| *relation == name)
}

/// Whether a column of one of the server's own relations shows definitions.
pub(super) fn is_shown(relation: &Relation, name: &str) -> bool {
    of(TEXTS, relation).chain(of(PARSED, relation)).any(|shown| shown == name)
}

/// The functions that print definitions.
pub(super) fn printing() -> impl Iterator<Item = &'static str> {
    PRINTING.iter().copied()
}

/// The ways in which a text stands in what shows definitions: as it is, as an element of an array, and as its bytes
/// in a parsed expression (with a sign or without, as the server's machine has it).
fn spellings(text: &str) -> [Box<str>; 4] {
    let element = text.replace('\\', "\\\\").replace('"', "\\\"");
    let numbers = |number: fn(u8) -> String| text.bytes().map(number).collect::<Vec<_>>().join(" ");
    let signed = numbers(|byte| byte.cast_signed().to_string());
    [text.into(), element.into(), signed.into(), numbers(|byte| byte.to_string()).into()]
}

/// What definitions quote of masked columns.
#[derive(Default)]
struct Found {
    /// An empty one: some could not be read, and any text may be one.
    texts: BTreeSet<Box<str>>,
    /// Whether some constant is of another type than a text.
    others: bool,
}

impl Found {
    fn about(catalogue: &Catalogue, relations: &HashMap<u32, BTreeMap<i16, Mask>>) -> Self {
        let mut found = Self::default();
        let masks = |relation: u32| relations.get(&relation).filter(|masks| !masks.is_empty());
        let name = |relation: u32, at: i16| catalogue.relation(relation)?.column(at).map(|column| &*column.name);
        let masked = |relation: u32| {
            let columns = masks(relation).into_iter().flat_map(BTreeMap::keys);
            columns.filter_map(move |at| name(relation, *at))
        };
        let is_user = |relation: u32| catalogue.relation(relation).is_some_and(|relation| !relation.is_system());
        for text in catalogue.texts.iter().filter(|text| is_user(text.relation)) {
            let Some(own) = masks(text.relation) else { continue };
            if text.column != 0 && !own.contains_key(&text.column) {
                continue;
            }
            match &text.text {
                None => found.lose(),
                Some(comment) if text.is_comment => found.add(comment.trim()),
                Some(expression) => {
                    let is_masked =
                        |words: &[Box<str>]| masked(text.relation).any(|name| words.iter().any(|word| **word == *name));
                    found.constants(expression, |words| text.column != 0 || is_masked(words));
                }
            }
        }
        for (view, definition) in &catalogue.definitions {
            let read = catalogue.depends.get(view).into_iter().flatten().map(|(relation, _)| *relation);
            let names: BTreeSet<&str> = read.filter(|relation| is_user(*relation)).flat_map(masked).collect();
            if !names.is_empty() {
                found.constants(definition, |words| words.iter().any(|word| names.contains(&**word)));
            }
        }
        found
    }

    /// There are texts that are not known.
    fn lose(&mut self) {
        self.texts.insert("".into());
        self.others = true;
    }

    fn add(&mut self, text: &str) {
        if text.chars().count() >= SHORTEST {
            self.texts.insert(text.into());
        }
    }

    /// Adds the constants of an expression or query, where its names say that it is about a masked column. The names
    /// of objects (`nextval('counter'::regclass)`) and the keys of documents are none.
    fn constants(&mut self, text: &str, is_about: impl Fn(&[Box<str>]) -> bool) {
        let Ok(lexed) = Lexed::new(text.as_bytes(), LexOptions::default()) else { return self.lose() };
        let count = lexed.tokens().len();
        let names: Vec<Box<str>> = (0..count).filter_map(|at| lexed.name(at)).map(Box::from).collect();
        if !is_about(&names) {
            return;
        }
        let sign = |at: usize, sign: &str| lexed.tokens().get(at).is_some_and(|token| lexed.is_sign(token, sign));
        let word = |at: usize, word: &str| lexed.tokens().get(at).is_some_and(|token| lexed.is_word(token, word));
        for (at, token) in lexed.tokens().iter().enumerate() {
            let before = at.checked_sub(1);
            let is_key = ["->", "->>", "#>", "#>>"].iter().any(|operator| before.is_some_and(|at| sign(at, operator)));
            let is_object = sign(at + 1, "::") && word(at + 2, "regclass");
            if is_key || is_object {
                continue;
            }
            let raw = String::from_utf8_lossy(lexed.raw(token));
            let value = match (token.kind, lexed.string(at)) {
                (Kind::Number, _) => raw.as_ref().into(),
                (_, Some(value)) => value,
                (_, None) => continue,
            };
            let shortest = if token.kind == Kind::Number { SHORTEST_NUMBER } else { SHORTEST };
            if value.chars().count() < shortest {
                continue;
            }
            let is_text = ["text", "character", "varchar", "bpchar"].iter().any(|name| word(at + 2, name));
            self.others |= !(sign(at + 1, "::") && is_text);
            self.add(&value);
            // As it is written, where quotes and backslashes in it are doubled.
            if let (Some(from), Some(to)) = (raw.find('\''), raw.rfind('\'')) {
                self.add(raw.get(from + 1..to).unwrap_or_default());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Catalogue;
    use crate::catalogue::{CatalogueBuilder, ColumnMask};
    use crate::mask::Method;
    use crate::sql::bridge;
    use crate::sql::lexer::{LexOptions, Lexed};
    use crate::statement::lineage::{self, Lookup};
    use crate::statement::{Reach, SqlContext, judge};
    use crate::testing::rules;

    const RULES: &str = "[[mask]]\nname = \"card\"\ncolumns = [\"cards.card\"]\n";

    /// `cards(id, card, note)` with these texts about it (column, kind, text), and what the server has of its own.
    fn catalogue(texts: &[(&str, &str, &str)]) -> Catalogue {
        let mut builder = CatalogueBuilder::new();
        let mut row = |result: usize, cells: &[&str]| {
            let cells: Vec<Option<&[u8]>> = cells.iter().map(|cell| Some(cell.as_bytes())).collect();
            builder.row(result, &cells);
        };
        for (oid, schema, name, columns) in [
            ("20001", "public", "cards", &["id", "card", "note"][..]),
            ("1249", "pg_catalog", "pg_attribute", &["attrelid", "attnum", "attname"]),
            ("2604", "pg_catalog", "pg_attrdef", &["oid", "adrelid", "adnum", "adbin"]),
            ("2609", "pg_catalog", "pg_description", &["objoid", "classoid", "objsubid", "description"]),
            ("1259", "pg_catalog", "pg_class", &["oid", "relname", "relpartbound"]),
            ("13001", "information_schema", "columns", &["table_name", "column_name", "column_default"]),
            ("13002", "information_schema", "views", &["table_name", "view_definition"]),
            ("20002", "public", "pages", &["id", "clicks"]),
            ("20003", "public", "parameters", &["id", "setting"]),
        ] {
            row(0, &[oid, schema, name, "r"]);
            for (index, column) in columns.iter().enumerate() {
                row(1, &[oid, &(index + 1).to_string(), column, "25", "b", "S", "f", "f"]);
            }
        }
        for name in ["pg_get_expr", "col_description", "upper", "array_to_string", "max", "string_agg", "coalesce"] {
            row(5, &[name, "b"]);
        }
        for (column, kind, text) in texts {
            row(crate::catalogue::query::DEFINITIONS, &["20001", column, kind, text]);
        }
        builder.finish().unwrap()
    }

    /// How the only column of a query is masked: `q` by what it quotes, `w` whole, `-` not.
    fn masked(catalogue: &Catalogue, sql: &str) -> char {
        let lexed = Lexed::new(sql.as_bytes(), LexOptions::default()).unwrap();
        let statement = bridge::parse(&lexed, 0..lexed.tokens().len()).unwrap();
        let lineage = lineage::of(&statement, Lookup { catalogue, path: None, view: None }).unwrap();
        let [output] = &*lineage.columns else { panic!("{sql}: {:?}", lineage.columns) };
        match catalogue.sight(&rules(RULES)).mask_of_output(output) {
            ColumnMask::Masked(_, Method::Quoting(_)) => 'q',
            ColumnMask::Masked(..) => 'w',
            ColumnMask::UnknownRelation => '?',
            ColumnMask::None => '-',
        }
    }

    const SECRET: &[(&str, &str, &str)] = &[("2", "e", "'4111-22'::text")];

    #[test]
    fn definitions_are_searched_where_they_stand_whole_and_masked_where_they_do_not() {
        let catalogue = catalogue(SECRET);
        for (sql, how) in [
            ("SELECT description FROM pg_description", 'q'),
            ("SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d", 'q'),
            ("SELECT pg_catalog.col_description(1, 2)", 'q'),
            ("SELECT pg_get_expr(adbin, adrelid)::text COLLATE \"C\" FROM pg_attrdef", 'q'),
            (
                "SELECT (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d WHERE d.adrelid = a.attrelid) FROM pg_attribute a",
                'q',
            ),
            (
                "SELECT CASE WHEN a.attnum = '1' THEN pg_get_expr(d.adbin, 1) ELSE 'none' END FROM pg_attribute a, pg_attrdef d",
                'q',
            ),
            ("SELECT coalesce(col_description(1, 2), '')", 'q'),
            ("SELECT array_to_string(ARRAY(SELECT description FROM pg_description), ', ')", 'q'),
            ("SELECT description FROM pg_description UNION SELECT ''", 'q'),
            ("SELECT adbin FROM pg_attrdef", 'q'),
            ("SELECT description || '' FROM pg_description", 'q'),
            ("SELECT '- ' || string_agg(description, '; ') FROM pg_description", 'q'),
            ("SELECT adbin::text FROM pg_attrdef", 'q'),
            ("SELECT upper(description) FROM pg_description", 'w'),
            ("SELECT description::varchar(5) FROM pg_description", 'w'),
            ("SELECT coalesce(ARRAY(SELECT description FROM pg_description))::text", 'w'),
            ("SELECT array_to_string(ARRAY(SELECT upper(description) FROM pg_description), ' ')", 'w'),
            ("SELECT CASE WHEN description LIKE '4%' THEN 1 END FROM pg_description", 'w'),
            ("SELECT (SELECT 1 FROM pg_description WHERE description LIKE '4%')", 'w'),
            ("SELECT CASE WHEN description LIKE '4%' THEN description END FROM pg_description", 'w'),
            ("SELECT d FROM pg_description d", 'w'),
            ("SELECT string_agg(upper(description), '') FROM pg_description", 'w'),
            (
                "SELECT attname || CASE WHEN attnum = 1 THEN E' (' || attname || E'):' ELSE ':' END || CASE WHEN d.adbin IS NOT NULL THEN E'\\n (u): ' || pg_get_expr(d.adbin, 1) ELSE '' END FROM pg_attribute, pg_attrdef d",
                'q',
            ),
            ("SELECT 'x' || description FROM pg_description", 'w'),
            ("SELECT 'x' || ('' || description) FROM pg_description", 'w'),
            ("SELECT description || CASE WHEN 1 = 1 THEN '' ELSE '; ' END || description FROM pg_description", 'w'),
            ("SELECT description || 1 FROM pg_description", 'w'),
            ("SELECT description || description FROM pg_description", 'w'),
            ("SELECT string_agg(description, '') FROM pg_description", 'w'),
            ("SELECT string_agg(description, ', x') FROM pg_description", 'w'),
            (
                "SELECT array_to_string(ARRAY(SELECT description FROM pg_description), description) FROM pg_description",
                'w',
            ),
            ("SELECT description || upper(description) FROM pg_description", 'w'),
            ("SELECT (description::jsonb)['a'] FROM pg_description", 'w'),
            ("SELECT pg_get_expr(card, 1) FROM cards", 'w'),
            ("SELECT attname FROM pg_attribute", '-'),
            ("SELECT objsubid FROM pg_description", '-'),
            ("SELECT adbin IS NOT NULL FROM pg_attrdef", '-'),
        ] {
            assert_eq!(masked(&catalogue, sql), how, "{sql}");
        }
    }

    #[test]
    fn nothing_is_masked_where_no_definition_of_a_masked_column_holds_a_text_of_its_own() {
        for texts in [
            &[][..],
            &[("1", "e", "'4111-22'::text"), ("3", "e", "'4111-22'::text"), ("3", "c", "4111-22")],
            &[("2", "e", "nextval('cards_card_seq'::regclass)"), ("2", "e", "now()"), ("2", "e", "''::text")],
            &[
                ("2", "e", "0"),
                ("2", "e", "10000"),
                ("2", "e", "NULL::text"),
                ("2", "c", "x"),
                ("0", "e", "(note <> '4111-22'::text)"),
            ],
            &[("2", "e", "(card ->> 'user'::text)")],
        ] {
            let catalogue = catalogue(texts);
            for sql in ["SELECT description FROM pg_description", "SELECT adbin FROM pg_attrdef"] {
                assert_eq!(masked(&catalogue, sql), '-', "{texts:?}");
            }
            let judged =
                judge(&rules(RULES), b"SELECT col_description(1, 2)", &SqlContext::default(), Some(&catalogue));
            assert_eq!(judged.reach, Reach::No, "{texts:?}");
        }
        for texts in [
            &[("0", "c", "such as 4111-22")][..],
            &[("2", "c", "such as 4111-22")],
            &[("0", "e", "(card <> '4111-22'::text)")],
            &[("2", "e", "41112222")],
            &[("2", "e", "'it''s 4111'::text")],
        ] {
            let catalogue = catalogue(texts);
            assert_eq!(masked(&catalogue, "SELECT description FROM pg_description"), 'q', "{texts:?}");
            let judged =
                judge(&rules(RULES), b"SELECT col_description(1, 2)", &SqlContext::default(), Some(&catalogue));
            assert!(judged.reach != Reach::No && judged.wants_columns, "{texts:?}");
        }
    }

    #[test]
    fn parsed_definitions_are_searched_for_texts_and_masked_whole_for_other_constants() {
        let sql = "SELECT adbin FROM pg_attrdef";
        assert_eq!(masked(&catalogue(&[("2", "e", "'4111-22'::character varying")]), sql), 'q');
        for other in ["'4111222233334444'::bigint", "41112222", "'2024-05-06'::date"] {
            assert_eq!(masked(&catalogue(&[("2", "e", other)]), sql), 'w', "{other}");
        }
        let spellings = super::spellings("é\"\\a");
        assert_eq!(*spellings[1], *"é\\\"\\\\a");
        assert_eq!((&*spellings[2], &*spellings[3]), ("-61 -87 34 92 97", "195 169 34 92 97"));
    }

    #[test]
    fn relations_that_show_definitions_count_only_where_definitions_are_shown() {
        let catalogue = catalogue(SECRET);
        let reach = |sql: &str| judge(&rules(RULES), sql.as_bytes(), &SqlContext::default(), Some(&catalogue)).reach;
        for sql in [
            "ALTER TABLE pages ADD COLUMN views int",
            "ALTER TABLE pages ADD views int, ADD parameters text",
            "CREATE TABLE views (id int, columns text)",
            "CREATE TRIGGER t BEFORE INSERT ON parameters FOR EACH ROW EXECUTE FUNCTION upper()",
            "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM information_schema.columns WHERE table_name = 'pages' AND \
             column_name = 'views') THEN ALTER TABLE pages ADD COLUMN views int; END IF; END $$",
            "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM pg_class c WHERE c.relname = ''x'''",
            "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT setting FROM parameters p WHERE p.id = 1'",
            "SELECT clicks, views FROM pages",
        ] {
            assert_eq!(reach(sql), Reach::No, "{sql}");
        }
        for sql in [
            // Of queries the lineage tells.
            "SELECT c.relname FROM pg_catalog.pg_class AS c JOIN pg_class ON pg_class.oid = c.oid",
            "SELECT * FROM pg_description",
            "TABLE pg_description",
            "COPY pg_description TO STDOUT",
            "SELECT d FROM pg_description d",
            "SELECT d FROM pg_class, pg_description AS d",
            "SELECT pg_description FROM pg_description",
            "SELECT \"D\" FROM pg_description \"D\"",
            "SELECT d.upper FROM pg_description d",
            "SELECT pg_catalog.pg_description.upper FROM pg_catalog.pg_description",
            "SELECT x FROM pg_description AS d(a, b, c, x)",
            "SELECT j FROM (pages JOIN pg_description ON true) AS j",
            "SELECT j.x FROM (pages JOIN pg_description ON true) AS j(y, z, a, b, c, x)",
            "SELECT id FROM pages NATURAL JOIN information_schema.columns",
            "SELECT columns FROM pages, columns",
            "SELECT x FROM pages, columns c(a, b, x)",
            "SELECT x FROM (TABLE ONLY columns) AS c(a, b, x)",
            "SELECT count(*) FROM columns WHERE column_default LIKE '4%'",
            "WITH d AS (SELECT objoid, pg_description FROM pg_description) SELECT max(d.pg_description::text) FROM d",
            "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT col_description(1, 2)'",
            "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT max(d::text) FROM pg_description d'",
            "DO $$ BEGIN CREATE TABLE c AS SELECT * FROM information_schema.columns; END $$",
            "DO $$ BEGIN PERFORM max(column_default) FROM information_schema.columns; END $$",
        ] {
            assert!(reach(sql) != Reach::No, "{sql}");
        }
    }

    #[test]
    fn lists_are_sorted() {
        assert!(super::PRINTING.is_sorted());
    }
}
