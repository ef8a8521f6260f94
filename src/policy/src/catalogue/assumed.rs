//! A catalogue made up from a statement, where there is no database to ask: for `wiregate explain`.
//!
//! Every relation and function that the statement names is taken to exist, and every name in it that could be
//! a column's is taken for a column of each of them. So more may flow than does in a real database, never a
//! column that the statement does not name. Functions are taken for the server's own. Nothing that runs may
//! decide by such a catalogue.

use std::collections::BTreeSet;

use wire::value::ValueType;

use super::{Catalogue, Column, FIRST_USER_OID, FunctionKind, Relation};
use crate::hash::HashMap;
use crate::snapshot::UserRules;
use crate::sql::lexer::{Kind, LexOptions, Lexed};
use crate::statement::{Judgement, SqlContext};

impl Catalogue {
    /// The catalogue that a text takes for granted. `judgement` is that of the same text and context, without a
    /// catalogue.
    #[must_use]
    pub fn assumed(rules: &UserRules, text: &[u8], context: &SqlContext, judgement: &Judgement) -> Self {
        // A name without a schema may mean each table that masks name, so that `customers` and
        // `public.customers` are one.
        let patterns = |schema: Option<&str>, table: &str| {
            let masks = rules.column_masks().flat_map(|(_, mask)| &mask.columns);
            let found = masks.filter(|pattern| pattern.may_reach(schema, table));
            found.collect::<Vec<_>>()
        };
        let mut tables: BTreeSet<(Box<str>, &str)> = BTreeSet::new();
        for relation in judgement.relations().filter(|relation| !relation.maybe_cte) {
            let (schema, table) = (relation.name.schema.as_deref(), &*relation.name.name);
            let masked = if schema.is_none() { patterns(None, table) } else { Vec::new() };
            let masked: Vec<_> = masked.into_iter().filter_map(|pattern| pattern.schema(table)).collect();
            let schemas = if masked.is_empty() { vec![schema.unwrap_or("public")] } else { masked };
            tables.extend(schemas.into_iter().map(|schema| (schema.into(), table)));
        }
        let names = names(text, context, &tables);
        let mut relations = HashMap::default();
        let mut by_name: HashMap<Box<str>, Vec<u32>> = HashMap::default();
        for (oid, (schema, table)) in (FIRST_USER_OID..).zip(&tables) {
            let patterns = patterns(Some(schema), table);
            let masked = patterns.iter().filter_map(|pattern| pattern.column()).map(Box::from);
            let columns: BTreeSet<Box<str>> = masked.chain(names.iter().cloned()).collect();
            // A column that a rule names with a path is one of JSON values.
            let inside = patterns.iter().filter(|pattern| !pattern.path().is_empty());
            let inside: Vec<_> = inside.filter_map(|pattern| pattern.column()).collect();
            let columns = (1..).zip(columns).map(|(number, name)| Column {
                number,
                value_type: if inside.contains(&&*name) { ValueType::Jsonb } else { ValueType::Unknown },
                name,
                not_null: false,
                generated: false,
            });
            let relation =
                Relation { oid, schema: schema.clone(), name: (*table).into(), kind: b'r', columns: columns.collect() };
            by_name.entry(relation.name.clone()).or_default().push(oid);
            relations.insert(oid, relation);
        }
        let functions = judgement.parts.iter().flat_map(|part| &part.functions).map(|function| function.name.clone());
        let functions = functions.map(|name| (name, FunctionKind::BuiltIn)).collect();
        Self { relations, names: by_name, functions, ..Self::empty() }
    }
}

/// Words that are no names of columns where statements have them: PostgreSQL's reserved ones that occur in
/// queries ("SQL Key Words" of its manual), and the verbs and clauses that it does not reserve. A column of such
/// a name stands in quotes.
const KEYWORDS: &str = "\
     all analyse analyze and any array as asc asymmetric between both by case cast check collate copy cross \
     current_date current_role current_time current_timestamp current_user default delete desc distinct do else \
     end except exists explain false fetch for from full group having ilike in inner insert intersect into is \
     isnull join lateral leading left like limit localtime localtimestamp natural not notnull null offset on only \
     or order outer over overlaps partition placing recursive returning right select session_user set similar \
     some symmetric table tablesample then to trailing true union unique update user using values variadic \
     verbose when where window with";

/// The names in a text that could be a column's: not those of tables and functions, nor aliases, nor what
/// stands before a dot, nor keywords.
fn names(text: &[u8], context: &SqlContext, tables: &BTreeSet<(Box<str>, &str)>) -> BTreeSet<Box<str>> {
    let standard_conforming_strings = context.standard_conforming_strings;
    let options = LexOptions { standard_conforming_strings, dialect: context.dialect };
    let Ok(lexed) = Lexed::new(text, options) else { return BTreeSet::new() };
    let is_table = |at: usize| lexed.name(at).is_some_and(|name| tables.iter().any(|(_, table)| **table == *name));
    let sign = |at: usize, sign: &str| lexed.tokens().get(at).is_some_and(|token| lexed.is_sign(token, sign));
    let is_as = |at: usize| lexed.tokens().get(at).is_some_and(|token| lexed.is_word(token, "as"));
    let all = 0..lexed.tokens().len();
    // `card AS card` says nothing about what else the name may be.
    let renames = |at: &usize| {
        let Some(before) = at.checked_sub(1) else { return false };
        is_table(before) || is_as(before) && at.checked_sub(2).and_then(|own| lexed.name(own)) != lexed.name(*at)
    };
    let aliases: BTreeSet<Box<str>> =
        all.clone().filter(renames).filter_map(|at| lexed.name(at)).map(Box::from).collect();
    let keyword = |at: usize| {
        let word = lexed.tokens().get(at).filter(|token| token.kind == Kind::Word);
        word.is_some_and(|token| KEYWORDS.split(' ').any(|keyword| lexed.is_word(token, keyword)))
    };
    let column = |at: &usize| !keyword(*at) && !is_table(*at) && !sign(at + 1, ".") && !sign(at + 1, "(");
    let names = all.filter(column).filter_map(|at| lexed.name(at));
    names.filter(|name| !aliases.contains(&**name)).map(Box::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::snapshot::Snapshot;
    use crate::statement::judge;

    /// Each relation as `schema.table: columns`.
    fn assumed(sql: &str) -> Vec<String> {
        let config = "[[listen]]\nname = \"l\"\nprotocol = \"postgres\"\naddress = \"127.0.0.1:1\"\nupstream = \"127.0.0.1:2\"\n\
                      [[mask]]\nname = \"m\"\ncolumns = [\"shop.customers.card\", \"a.t.x\", \"b.t.y\"]\n";
        let rules = Snapshot::compile(Config::parse(config, "t").unwrap().into(), 1).rules_for("l", "ana");
        let context = SqlContext::default();
        let judgement = judge(&rules, sql.as_bytes(), &context, None);
        let catalogue = Catalogue::assumed(&rules, sql.as_bytes(), &context, &judgement);
        let mut relations: Vec<_> = catalogue.relations.values().collect();
        relations.sort_unstable_by_key(|relation| relation.oid);
        let named = |relation: &&Relation| {
            let columns: Vec<_> = relation.columns.iter().map(|column| &*column.name).collect();
            format!("{}.{}: {}", relation.schema, relation.name, columns.join(" "))
        };
        relations.iter().map(named).collect()
    }

    #[test]
    fn what_is_named_exists_and_keywords_are_no_columns() {
        let found = assumed("SELECT c.name AS n, count(*) FROM customers c JOIN orders ON true WHERE \"from\" = 1");
        assert_eq!(found, ["public.orders: from name", "shop.customers: card from name"]);
        assert_eq!(assumed("SELECT * FROM customers"), ["shop.customers: card"]);
    }

    #[test]
    fn a_name_without_a_schema_is_each_table_of_a_mask() {
        let both = "SELECT id FROM customers UNION SELECT id FROM shop.customers UNION SELECT id FROM old.customers";
        assert_eq!(assumed(both), ["old.customers: id", "shop.customers: card id"]);
        assert_eq!(assumed("SELECT y FROM t"), ["a.t: x y", "b.t: y"]);
    }
}
