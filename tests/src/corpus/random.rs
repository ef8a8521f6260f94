//! Queries from a grammar, over the schema of `tests/evasion/schema.sql`, for the search for leaks that nobody
//! thought of.
//!
//! Everything comes from a seed: the same seed gives the same statements. Expressions are typed (text, number or
//! JSON) and names are taken from the scope they stand in, so that the server accepts most of what is made.
//! Statements that write are to be rolled back by whoever runs them.

use std::fmt::Write;

/// A source of numbers: splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators").
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice that fall the same way for the same seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `count`, which is not 0.
    pub fn below(&mut self, count: usize) -> usize {
        let count = u64::try_from(count.max(1)).unwrap_or(1);
        usize::try_from(self.next() % count).unwrap_or_default()
    }

    /// True in one of so many throws.
    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// One of a list, which is not empty.
    ///
    /// # Panics
    /// When it is.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let index = self.below(from.len());
        from.get(index).expect("a list to pick from is not empty")
    }
}

/// How a statement is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As it is; any way will do.
    Query,
    /// By simple query: its rows are COPY data.
    Copy,
    /// Inside a transaction that is rolled back.
    Write,
    /// Several texts, separated by `\0`, in a transaction that is rolled back.
    Session,
}

/// A made statement.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Its text, or its texts.
    pub sql: String,
    /// How it is to be sent.
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    /// A column of `json`, which nothing compares: it is read by operators, or cast to `jsonb`.
    JsonText,
    /// `jsonb`
    Json,
    Number,
    Text,
}

/// What a FROM item shows: its alias and its columns.
#[derive(Clone, Debug)]
struct Item {
    alias: String,
    columns: Vec<(String, Type)>,
    /// Whether a whole row of it may be named.
    row: bool,
}

const TABLES: &[(&str, &[(&str, Type)])] = &[
    ("people", PEOPLE),
    ("public.people", PEOPLE),
    ("ONLY people", PEOPLE),
    ("people", PEOPLE),
    (
        "staff",
        &[
            ("id", Type::Number),
            ("name", Type::Text),
            ("ssn", Type::Text),
            ("pay", Type::Number),
            ("grade", Type::Number),
        ],
    ),
    ("box", &[("id", Type::Number), ("content", Type::Text), ("number", Type::Number)]),
    ("visits", VISITS),
    ("visits_old", VISITS),
    ("people_view", &[("id", Type::Number), ("name", Type::Text), ("code", Type::Text), ("amount", Type::Number)]),
    ("people_view_2", &[("number", Type::Number), ("label", Type::Text), ("amount", Type::Number)]),
    ("people_upper", &[("id", Type::Number), ("shown", Type::Text)]),
    ("people_mat", &[("id", Type::Number), ("kept", Type::Text), ("pay", Type::Number)]),
    ("names", &[("id", Type::Number), ("name", Type::Text), ("city", Type::Text)]),
    ("archive.people", &[("id", Type::Number), ("remark", Type::Text)]),
    ("events", EVENTS),
    ("public.events", EVENTS),
    ("event_users", &[("id", Type::Number), ("person", Type::Json), ("kind", Type::Text)]),
    ("all_people()", PEOPLE),
    ("people_table()", &[("a", Type::Number), ("b", Type::Text)]),
];
const PEOPLE: &[(&str, Type)] =
    &[("id", Type::Number), ("name", Type::Text), ("city", Type::Text), ("ssn", Type::Text), ("pay", Type::Number)];
const EVENTS: &[(&str, Type)] =
    &[("id", Type::Number), ("payload", Type::Json), ("raw", Type::JsonText), ("note", Type::Text)];
const VISITS: &[(&str, Type)] = &[("id", Type::Number), ("token", Type::Text)];

/// The scope of a change of a table under the name `p`.
fn changed(columns: &[(&str, Type)]) -> Vec<Item> {
    let columns = columns.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
    vec![Item { alias: "p".into(), columns, row: true }]
}

/// Makes statements.
#[derive(Debug)]
pub struct Maker {
    dice: Dice,
    names: usize,
    /// CTEs in scope.
    ctes: Vec<Item>,
    /// Major version of the server.
    major: u32,
}

impl Maker {
    /// A maker for a server of a major version.
    #[must_use]
    pub fn new(seed: u64, major: u32) -> Self {
        Self { dice: Dice::new(seed), names: 0, ctes: Vec::new(), major }
    }

    /// The next statement.
    pub fn statement(&mut self) -> Statement {
        self.names = 0;
        self.ctes.clear();
        match self.dice.below(40) {
            0..=1 => {
                let query = self.query(2);
                let format = self.dice.pick(&["", " (FORMAT csv)", " (FORMAT binary)", " (DELIMITER '|')"]).to_owned();
                Statement { sql: format!("COPY ({query}) TO STDOUT{format}"), kind: Kind::Copy }
            }
            2 => {
                let format =
                    self.dice.pick(&["", "(VERBOSE) ", "(ANALYZE, TIMING off) ", "(FORMAT json, VERBOSE) "]).to_owned();
                Statement { sql: format!("EXPLAIN {format}{}", self.query(2)), kind: Kind::Write }
            }
            3 => {
                let query = self.query(2);
                Statement {
                    sql: format!("DECLARE c CURSOR FOR {query}\0FETCH 2 FROM c\0FETCH ALL FROM c"),
                    kind: Kind::Session,
                }
            }
            4 => Statement {
                sql: format!("PREPARE q AS {}\0EXECUTE q\0DEALLOCATE q", self.query(2)),
                kind: Kind::Session,
            },
            5 => self.write(),
            _ => Statement { sql: self.query(3), kind: Kind::Query },
        }
    }

    fn write(&mut self) -> Statement {
        let sql = match self.dice.below(7) {
            0 => {
                let value = self.subquery(Type::Text, 1);
                format!("INSERT INTO box VALUES (900, {value}, 1) RETURNING content")
            }
            1 => {
                let items = changed(PEOPLE);
                let shown = self.expression(Type::Text, &items, 2);
                format!("UPDATE people AS p SET city = city RETURNING {shown}")
            }
            2 => {
                let items = changed(PEOPLE);
                let value = self.expression(Type::Text, &items, 2);
                format!(
                    "UPDATE box AS b SET content = {value} FROM people p WHERE p.id = b.id RETURNING b.content, p.name"
                )
            }
            3 => {
                let query = self.query(2);
                format!(
                    "WITH w AS ({query}) INSERT INTO box SELECT 900 + row_number() OVER (), (w.*)::text, 0 FROM w RETURNING content"
                )
            }
            4 => {
                let items = changed(EVENTS);
                let (value, shown) = (self.json(&items, 2), self.text(&items, 2));
                format!("UPDATE events AS p SET payload = {value} RETURNING {shown}")
            }
            5 => {
                let items = changed(EVENTS);
                let (key, value) = (*self.dice.pick(&["x", "kind", "user"]), self.json(&items, 1));
                format!("UPDATE events AS p SET payload['{key}'] = {value} RETURNING payload, p.payload ->> '{key}'")
            }
            _ => {
                let items = changed(PEOPLE);
                let shown = self.expression(Type::Text, &items, 2);
                format!("DELETE FROM people p WHERE id > 1 RETURNING {shown}")
            }
        };
        Statement { sql, kind: Kind::Write }
    }

    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    /// A whole query: CTEs, set operations, order and limit.
    fn query(&mut self, depth: usize) -> String {
        let mut out = String::new();
        let before = self.ctes.len();
        if depth > 0 && self.dice.one_in(5) {
            let name = self.name("c");
            let types = self.types();
            let body = self.select(&types, &[], depth - 1);
            let columns: Vec<(String, Type)> = types.iter().map(|kind| (self.name("k"), *kind)).collect();
            let listed = columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
            let how = *self.dice.pick(&["", "MATERIALIZED ", "NOT MATERIALIZED "]);
            let _ = write!(out, "WITH {name} ({listed}) AS {how}({body}) ");
            self.ctes.push(Item { alias: name, columns, row: true });
        }
        let types = self.types();
        out += &self.set_operation(&types, depth);
        if self.dice.one_in(4) {
            let _ = write!(out, " ORDER BY {}", 1 + self.dice.below(types.len()));
        }
        if self.dice.one_in(5) {
            let _ = write!(out, " LIMIT {}", 1 + self.dice.below(4));
        }
        self.ctes.truncate(before);
        out
    }

    fn set_operation(&mut self, types: &[Type], depth: usize) -> String {
        let left = self.select(types, &[], depth);
        if !self.dice.one_in(5) {
            return left;
        }
        let operator = *self.dice.pick(&["UNION ALL", "UNION", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL"]);
        let right = self.select(types, &[], depth.saturating_sub(1));
        if self.dice.one_in(2) { format!("{left} {operator} {right}") } else { format!("{right} {operator} ({left})") }
    }

    fn types(&mut self) -> Vec<Type> {
        let count = 1 + self.dice.below(3);
        (0..count)
            .map(|_| *self.dice.pick(&[Type::Number, Type::Number, Type::Text, Type::Text, Type::Text, Type::Json]))
            .collect()
    }

    /// One SELECT that shows columns of these types; `outer` is what LATERAL and subqueries may refer to.
    fn select(&mut self, types: &[Type], outer: &[Item], depth: usize) -> String {
        let mut scope: Vec<Item> = Vec::new();
        let mut from = String::new();
        for index in 0..1 + self.dice.below(2) {
            let visible: Vec<Item> = outer.iter().chain(&scope).cloned().collect();
            let (text, item) = self.relation(&visible, depth);
            if index == 0 {
                from = text;
            } else {
                let join = *self.dice.pick(&["CROSS JOIN", ",", "LEFT JOIN", "JOIN", "FULL JOIN"]);
                let condition = if matches!(join, "CROSS JOIN" | ",") { "" } else { " ON true" };
                // What refers to the item before it may not stand in a FULL JOIN.
                let join = if join == "FULL JOIN" && text.starts_with("LATERAL") { "JOIN" } else { join };
                let _ = write!(from, " {join} {text}{condition}");
            }
            scope.push(item);
        }
        let visible: Vec<Item> = scope.iter().chain(outer).cloned().collect();
        let grouped = self.dice.one_in(6);
        let list: Vec<String> = types
            .iter()
            .map(|kind| {
                let shown =
                    if grouped { self.aggregate(*kind, &scope) } else { self.expression(*kind, &visible, depth) };
                if self.dice.one_in(3) { format!("{shown} AS {}", self.name("x")) } else { shown }
            })
            .collect();
        let distinct = if !grouped && self.dice.one_in(10) { "DISTINCT " } else { "" };
        let mut out = format!("SELECT {distinct}{} FROM {from}", list.join(", "));
        if self.dice.one_in(4) {
            let condition = self.condition(&visible, depth.saturating_sub(1));
            let _ = write!(out, " WHERE {condition}");
        }
        if grouped && self.dice.one_in(2) {
            let key = self.column(Type::Text, &scope).or_else(|| self.column(Type::Number, &scope));
            if let Some(key) = key {
                let _ = write!(out, " GROUP BY {key}");
            }
        }
        out
    }

    fn relation(&mut self, outer: &[Item], depth: usize) -> (String, Item) {
        let alias = self.name("t");
        match self.dice.below(10) {
            0 if !self.ctes.is_empty() => {
                let cte = self.dice.pick(&self.ctes.clone()).clone();
                (format!("{} AS {alias}", cte.alias), Item { alias, ..cte })
            }
            1 | 2 if depth > 0 => {
                let types = self.types();
                let lateral = !outer.is_empty() && self.dice.one_in(2);
                let inner = if lateral { outer } else { &[] };
                let body = self.select(&types, inner, depth - 1);
                let columns: Vec<(String, Type)> = types.iter().map(|kind| (self.name("k"), *kind)).collect();
                let listed = columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
                let word = if lateral { "LATERAL " } else { "" };
                (format!("{word}({body}) AS {alias} ({listed})"), Item { alias, columns, row: true })
            }
            3 if self.dice.one_in(2) && !outer.is_empty() => self.parts_of_json(alias, outer, depth),
            3 if !outer.is_empty() => {
                let value = self.expression(Type::Text, outer, depth.saturating_sub(1));
                let column = self.name("k");
                let body = match self.dice.below(3) {
                    0 => format!("LATERAL (VALUES ({value})) AS {alias} ({column})"),
                    1 => format!("LATERAL unnest(ARRAY[{value}]) AS {alias} ({column})"),
                    _ => format!("LATERAL regexp_split_to_table({value}, 'a') AS {alias} ({column})"),
                };
                (body, Item { alias, columns: vec![(column, Type::Text)], row: false })
            }
            _ => {
                let documents = self.dice.one_in(6).then_some(("events", EVENTS));
                let (table, columns) = documents.unwrap_or_else(|| *self.dice.pick(TABLES));
                if self.dice.one_in(4) && !table.contains('(') {
                    // Columns under other names, as many as are given.
                    let all = [("people", 2), ("names", 3), ("box", 3)];
                    if let Some((_, count)) = all.iter().find(|(name, _)| *name == table) {
                        let renamed: Vec<(String, Type)> =
                            columns.iter().take(*count).map(|(_, kind)| (self.name("k"), *kind)).collect();
                        let listed = renamed.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
                        let rest = columns.iter().skip(*count).map(|(name, kind)| ((*name).to_owned(), *kind));
                        let columns = renamed.iter().cloned().chain(rest).collect();
                        return (format!("{table} AS {alias} ({listed})"), Item { alias, columns, row: true });
                    }
                }
                let columns = columns.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
                (format!("{table} AS {alias}"), Item { alias, columns, row: true })
            }
        }
    }

    /// A function that makes rows of the parts of a JSON value.
    fn parts_of_json(&mut self, alias: String, outer: &[Item], depth: usize) -> (String, Item) {
        let value = self.json(outer, depth.saturating_sub(1));
        let (key, part) = (self.name("k"), self.name("k"));
        let object = format!("CASE WHEN jsonb_typeof({value}) = 'object' THEN {value} END");
        let (call, columns) = match self.dice.below(6) {
            0 => (format!("jsonb_each({object})"), vec![(key, Type::Text), (part, Type::Json)]),
            1 => (format!("jsonb_each_text({object})"), vec![(key, Type::Text), (part, Type::Text)]),
            2 => (format!("jsonb_path_query({value}, '$.user.code')"), vec![(part, Type::Json)]),
            3 => (format!("jsonb_path_query({value}, '$.**')"), vec![(part, Type::Json)]),
            4 => (format!("jsonb_array_elements(jsonb_build_array({value}))"), vec![(part, Type::Json)]),
            _ => {
                let columns = vec![("user".into(), Type::Json), ("kind".into(), Type::Text)];
                let columns = columns.into_iter().map(|(name, kind): (String, _)| (format!("\"{name}\""), kind));
                let text = format!("LATERAL jsonb_to_record({object}) AS {alias} (\"user\" jsonb, kind text)");
                return (text, Item { alias, columns: columns.collect(), row: true });
            }
        };
        let listed = columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        (format!("LATERAL {call} AS {alias} ({listed})"), Item { alias, columns, row: false })
    }

    fn column(&mut self, kind: Type, scope: &[Item]) -> Option<String> {
        let all: Vec<String> = scope
            .iter()
            .flat_map(|item| item.columns.iter().map(move |(name, found)| (item, name, *found)))
            .filter(|(_, _, found)| *found == kind)
            .map(|(item, name, _)| format!("{}.{name}", item.alias))
            .collect();
        if all.is_empty() { None } else { Some(self.dice.pick(&all).clone()) }
    }

    fn expression(&mut self, kind: Type, scope: &[Item], depth: usize) -> String {
        match kind {
            Type::Text => self.text(scope, depth),
            Type::Number => self.number(scope, depth),
            Type::Json | Type::JsonText => self.json(scope, depth),
        }
    }

    /// A column of JSON as `jsonb`.
    fn json_column(&mut self, scope: &[Item]) -> String {
        let cast = |column: String| format!("({column})::jsonb");
        let old = self.dice.one_in(3).then(|| self.column(Type::JsonText, scope)).flatten().map(cast);
        let column = old.or_else(|| self.column(Type::Json, scope));
        column.unwrap_or_else(|| "'{\"user\": {\"code\": \"t\"}}'::jsonb".into())
    }

    /// A value of `jsonb`.
    fn json(&mut self, scope: &[Item], depth: usize) -> String {
        if depth == 0 || self.dice.one_in(4) {
            return self.json_column(scope);
        }
        let deeper = depth - 1;
        let key = *self.dice.pick(&["user", "user", "code", "kind", "tags", "0"]);
        match self.dice.below(24) {
            0 => format!("({} -> '{key}')", self.json(scope, deeper)),
            1 => format!("({} #> '{{{key}}}')", self.json(scope, deeper)),
            2 => format!("({} #> ARRAY['user', '{key}'])", self.json(scope, deeper)),
            3 => format!("({})['{key}']", self.json(scope, deeper)),
            4 => format!("({})['user']['{key}']", self.json(scope, deeper)),
            5 => format!("({} -> 0)", self.json(scope, deeper)),
            6 => format!("jsonb_extract_path({}, '{key}')", self.json(scope, deeper)),
            7 => format!("({} || {})", self.json(scope, deeper), self.json(scope, deeper)),
            8 => format!("({} - '{key}')", self.json_column(scope)),
            9 => format!("({} #- '{{user,{key}}}')", self.json_column(scope)),
            10 => format!("jsonb_set({}, '{{{key}}}', {})", self.json_column(scope), self.json(scope, deeper)),
            11 => format!("jsonb_insert({}, '{{user,new}}', {})", self.json_column(scope), self.json(scope, deeper)),
            12 => format!("jsonb_path_query_first({}, '$.user.{key}')", self.json(scope, deeper)),
            13 => format!("jsonb_path_query_array({}, '$.**')", self.json(scope, deeper)),
            14 => format!("to_jsonb({})", self.text(scope, deeper)),
            15 => format!("to_jsonb({})", self.number(scope, deeper)),
            16 => {
                format!("jsonb_build_object('{key}', {}, 'n', {})", self.json(scope, deeper), self.text(scope, deeper))
            }
            17 => format!("jsonb_build_array({}, {})", self.json(scope, deeper), self.number(scope, deeper)),
            18 => format!("coalesce({}, {})", self.json(scope, deeper), self.json(scope, deeper)),
            19 => format!("CASE WHEN {} THEN {} END", self.condition(scope, deeper), self.json(scope, deeper)),
            20 => self.subquery_in(Type::Json, scope, deeper),
            21 => format!("jsonb_strip_nulls({})", self.json(scope, deeper)),
            22 => format!("({}::text)::jsonb", self.json(scope, deeper)),
            _ => {
                let rows: Vec<&Item> = scope.iter().filter(|item| item.row).collect();
                if rows.is_empty() {
                    "'{}'::jsonb".into()
                } else {
                    format!("to_jsonb({})", self.dice.pick(&rows).alias)
                }
            }
        }
    }

    /// A text out of a JSON value.
    fn text_of_json(&mut self, scope: &[Item], depth: usize) -> String {
        let key = *self.dice.pick(&["user", "code", "code", "name", "kind"]);
        if self.dice.one_in(3)
            && let Some(column) = self.column(Type::JsonText, scope)
        {
            return match self.dice.below(5) {
                0 => format!("({column} ->> '{key}')"),
                1 => format!("({column} -> 'user' ->> '{key}')"),
                2 => format!("({column} #>> '{{user,{key}}}')"),
                3 => format!("json_extract_path_text({column}, 'user', '{key}')"),
                _ => format!("({column})::text"),
            };
        }
        let value = self.json(scope, depth);
        match self.dice.below(9) {
            0 => format!("({value} ->> '{key}')"),
            1 => format!("({value} -> 'user' ->> '{key}')"),
            2 => format!("({value} #>> '{{user,{key}}}')"),
            3 => format!("(({value})['{key}'])::text"),
            4 => format!("({value})::text"),
            5 => format!("jsonb_pretty({value})"),
            6 => format!("jsonb_extract_path_text({value}, 'user', '{key}')"),
            7 => format!("(jsonb_path_query_first({value}, '$.user.{key}') #>> '{{}}')"),
            _ => {
                let object = format!("CASE WHEN jsonb_typeof({value}) = 'object' THEN {value} END");
                format!("(SELECT string_agg(f.key || f.value, ',') FROM jsonb_each_text({object}) AS f)")
            }
        }
    }

    fn text(&mut self, scope: &[Item], depth: usize) -> String {
        if depth == 0 || self.dice.one_in(4) {
            return self.column(Type::Text, scope).unwrap_or_else(|| "'t'::text".into());
        }
        let deeper = depth - 1;
        match self.dice.below(30) {
            24..=29 => self.text_of_json(scope, deeper),
            0 => format!("lower({})", self.text(scope, deeper)),
            1 => format!("reverse({})", self.text(scope, deeper)),
            2 => format!("({} || {})", self.text(scope, deeper), self.text(scope, deeper)),
            3 => format!("substr({}, {})", self.text(scope, deeper), 1 + self.dice.below(4)),
            4 => format!("coalesce({}, {})", self.text(scope, deeper), self.text(scope, deeper)),
            5 => format!(
                "CASE WHEN {} THEN {} ELSE {} END",
                self.condition(scope, deeper),
                self.text(scope, deeper),
                self.text(scope, deeper)
            ),
            6 => format!("({})::text", self.number(scope, deeper)),
            7 => format!("format('%s-%s', {}, {})", self.text(scope, deeper), self.number(scope, deeper)),
            8 => format!("encode(({})::bytea, 'hex')", self.text(scope, deeper)),
            9 => format!("concat({}, {})", self.text(scope, deeper), self.text(scope, deeper)),
            10 => format!("(ARRAY[{}, {}])[1]", self.text(scope, deeper), self.text(scope, deeper)),
            11 => format!("nullif({}, 'z')", self.text(scope, deeper)),
            12 => format!("greatest({}, {})", self.text(scope, deeper), self.text(scope, deeper)),
            13 => format!("(to_json({}))::text", self.text(scope, deeper)),
            14 => format!("(ROW({}, {}))::text", self.text(scope, deeper), self.number(scope, deeper)),
            15 => self.whole_row(scope),
            16 => format!("max({}) OVER ()", self.column(Type::Text, scope).unwrap_or_else(|| "'w'::text".into())),
            17 | 18 => self.subquery_in(Type::Text, scope, deeper),
            19 => format!("translate({}, 'abc', 'xyz')", self.text(scope, deeper)),
            20 => format!("array_to_string(ARRAY(SELECT {}), ',')", self.text(scope, deeper)),
            21 => format!("({})::varchar(40)::text", self.text(scope, deeper)),
            22 => format!("jsonb_build_object('k', {}) ->> 'k'", self.text(scope, deeper)),
            _ if self.major >= 16 && self.dice.one_in(2) => {
                format!("JSON_OBJECT('k' : {})::text", self.text(scope, deeper))
            }
            _ => format!("overlay({} placing 'a' from 1 for 0)", self.text(scope, deeper)),
        }
    }

    fn number(&mut self, scope: &[Item], depth: usize) -> String {
        if depth == 0 || self.dice.one_in(3) {
            return self.column(Type::Number, scope).unwrap_or_else(|| "7".into());
        }
        let deeper = depth - 1;
        match self.dice.below(10) {
            0 => format!("({} + 0)", self.number(scope, deeper)),
            1 => format!("abs({})", self.number(scope, deeper)),
            2 => format!("coalesce({}, {})", self.number(scope, deeper), self.number(scope, deeper)),
            3 => format!("length({})", self.text(scope, deeper)),
            4 => format!("({})::numeric", self.number(scope, deeper)),
            5 => format!("CASE WHEN {} THEN {} END", self.condition(scope, deeper), self.number(scope, deeper)),
            6 => format!("sum({}) OVER ()", self.column(Type::Number, scope).unwrap_or_else(|| "1".into())),
            7 => self.subquery_in(Type::Number, scope, deeper),
            8 => format!("greatest({}, {})", self.number(scope, deeper), self.number(scope, deeper)),
            _ => format!("(- {})", self.number(scope, deeper)),
        }
    }

    fn whole_row(&mut self, scope: &[Item]) -> String {
        let rows: Vec<&Item> = scope.iter().filter(|item| item.row).collect();
        if rows.is_empty() {
            return "'row'".into();
        }
        let alias = self.dice.pick(&rows).alias.clone();
        match self.dice.below(5) {
            0 => format!("{alias}::text"),
            1 => format!("row_to_json({alias})::text"),
            2 => format!("to_jsonb({alias})::text"),
            3 => format!("concat({alias})"),
            _ => format!("({alias}.*)::text"),
        }
    }

    fn aggregate(&mut self, kind: Type, scope: &[Item]) -> String {
        match (kind, self.dice.below(5)) {
            (Type::Json | Type::JsonText, 0) => format!("jsonb_object_agg('k', {})", self.json_column(scope)),
            (Type::Json | Type::JsonText, 1) => format!("jsonb_agg({} -> 'user')", self.json_column(scope)),
            (Type::Json | Type::JsonText, _) => format!("jsonb_agg({})", self.json_column(scope)),
            (Type::Text, 0) => format!("string_agg({}, ',')", self.plain(Type::Text, scope)),
            (Type::Text, 1) => format!("max({})", self.plain(Type::Text, scope)),
            (Type::Text, 2) => format!("array_agg({})::text", self.plain(Type::Text, scope)),
            (Type::Text, 3) => format!("json_agg({})::text", self.plain(Type::Text, scope)),
            (Type::Text, _) => format!("min(lower({}))", self.plain(Type::Text, scope)),
            (Type::Number, 0) => "count(*)".into(),
            (Type::Number, 1) => format!("max({})", self.plain(Type::Number, scope)),
            (Type::Number, 2) => format!("sum({}) / count(*)", self.plain(Type::Number, scope)),
            (Type::Number, _) => format!("min({})", self.plain(Type::Number, scope)),
        }
    }

    fn plain(&mut self, kind: Type, scope: &[Item]) -> String {
        let fallback = if kind == Type::Text { "'a'" } else { "1" };
        self.column(kind, scope).unwrap_or_else(|| fallback.into())
    }

    fn condition(&mut self, scope: &[Item], depth: usize) -> String {
        match self.dice.below(8) {
            5 => format!("{} ? 'user'", self.json(scope, depth)),
            6 => format!("{} @> '{{\"n\": 7}}'", self.json(scope, depth)),
            0 => format!("{} IS NOT NULL", self.text(scope, depth)),
            1 => format!("{} > 0", self.number(scope, depth)),
            2 => format!("{} <> 'q'", self.text(scope, depth)),
            3 if depth > 0 => {
                let body = self.select(&[Type::Number], scope, depth - 1);
                format!("EXISTS ({body})")
            }
            4 => format!("{} LIKE '%'", self.text(scope, depth)),
            _ => "true".into(),
        }
    }

    /// A scalar subquery that may refer to the rows around it.
    fn subquery_in(&mut self, kind: Type, scope: &[Item], depth: usize) -> String {
        let body = self.select(&[kind], scope, depth.saturating_sub(1));
        format!("({body} LIMIT 1)")
    }

    fn subquery(&mut self, kind: Type, depth: usize) -> String {
        self.subquery_in(kind, &[], depth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_statements_and_another_one_others() {
        let texts = |seed| {
            let mut maker = Maker::new(seed, 15);
            (0..50).map(|_| maker.statement().sql).collect::<Vec<_>>()
        };
        assert_eq!(texts(1), texts(1));
        assert_ne!(texts(1), texts(2));
    }

    #[test]
    fn parts_of_documents_come_up_often() {
        let mut maker = Maker::new(5, 18);
        let named = |sql: &str| sql.contains("payload") || sql.contains(".raw") || sql.contains(".person");
        let hits = (0..200).filter(|_| named(&maker.statement().sql)).count();
        assert!(hits > 50, "{hits} of 200");
    }

    #[test]
    fn masked_columns_come_up_often() {
        let mut maker = Maker::new(3, 18);
        let named = |sql: &str| {
            ["ssn", "pay", "token", "code", "label", "amount", "shown", "kept"].iter().any(|name| sql.contains(name))
        };
        let hits = (0..200).filter(|_| named(&maker.statement().sql)).count();
        assert!(hits > 80, "{hits} of 200");
    }
}
