//! From the rows of [`super::QUERY`] to a [`Catalogue`].
//!
//! Rows come from a server and may be anything; a row that does not fit makes the whole catalogue invalid,
//! because a mask must not rest on half of it.

use std::collections::BTreeMap;

use super::behind::Behind;
use super::mysql::Gathered;
use super::query::{DEFINITIONS, GENERATED, RESULTS, ROUTINES};
use super::routines::{Routine, Routines};
use super::{Catalogue, Column, FIRST_USER_OID, FunctionKind, Relation, definitions, types};
use crate::hash::{HashMap, HashSet};
use crate::sql::mysql::MySql;
use crate::statement::is_grammar;

/// Why the rows give no catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CatalogueError {
    /// The result whose row was wrong, or that brought none.
    pub result: usize,
}

impl core::fmt::Display for CatalogueError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "the server's catalogue does not read: result {} of the catalogue query", self.result)
    }
}

impl core::error::Error for CatalogueError {}

/// Gathers the rows.
#[derive(Debug, Default)]
pub struct CatalogueBuilder {
    relations: BTreeMap<u32, Relation>,
    columns: BTreeMap<(u32, i16), Column>,
    depends: HashMap<u32, Vec<(u32, i16)>>,
    definitions: Vec<(u32, Box<str>)>,
    inherits: Vec<(u32, u32)>,
    functions: HashMap<Box<str>, FunctionKind>,
    calling_views: HashSet<u32>,
    behind: Behind,
    generated: Vec<(u32, i16, Box<str>)>,
    routines: Routines,
    texts: Vec<definitions::Text>,
    seen: [bool; RESULTS],
    /// Rows of [`super::mysql::QUERIES`], where the server is one of MySQL's family.
    mysql: Option<Box<Gathered>>,
    wrong: Option<usize>,
}

impl CatalogueBuilder {
    /// Nothing gathered yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same for the rows of [`super::mysql::QUERIES`].
    #[must_use]
    pub fn of_mysql(rules: MySql) -> Self {
        Self { mysql: Some(Box::new(Gathered::new(rules))), ..Self::default() }
    }

    /// Takes one row of the `result`-th statement, in text format.
    pub fn row(&mut self, result: usize, cells: &[Option<&[u8]>]) {
        let taken = match &mut self.mysql {
            Some(gathered) => gathered.row(result, cells),
            None => self.take(result, cells),
        };
        if let Some(seen) = self.seen.get_mut(result) {
            *seen = true;
        }
        if taken.is_none() {
            self.wrong.get_or_insert(result);
        }
    }

    fn take(&mut self, result: usize, cells: &[Option<&[u8]>]) -> Option<()> {
        let text = |index: usize| cells.get(index).copied().flatten().and_then(|cell| core::str::from_utf8(cell).ok());
        let oid = |index: usize| text(index)?.parse::<u32>().ok();
        let number = |index: usize| text(index)?.parse::<i16>().ok();
        match result {
            0 => {
                let (schema, name) = (text(1)?.into(), text(2)?.into());
                let kind = text(3)?.bytes().next()?;
                self.relations.insert(oid(0)?, Relation { oid: oid(0)?, schema, name, kind, columns: Vec::new() });
            }
            1 => {
                let value_type = types::value_type(oid(3)?, text(4)?, text(5)?);
                let (not_null, generated) = (text(6)? == "t", text(7)? == "t");
                let column = Column { number: number(1)?, name: text(2)?.into(), value_type, not_null, generated };
                self.columns.insert((oid(0)?, number(1)?), column);
            }
            2 => self.depends.entry(oid(0)?).or_default().push((oid(1)?, number(2)?)),
            3 => self.definitions.push((oid(0)?, text(1)?.into())),
            4 => self.inherits.push((oid(0)?, oid(1)?)),
            5 => {
                // Of several with one name a single one of the users makes the name theirs.
                let kind = if text(1)? == "b" { FunctionKind::BuiltIn } else { FunctionKind::User };
                let known = self.functions.entry(text(0)?.into()).or_insert(kind);
                if kind == FunctionKind::User {
                    *known = kind;
                }
            }
            6 => {
                self.calling_views.insert(oid(0)?);
            }
            7 => {
                self.behind.operator(text(0)?, text(1)?);
            }
            ROUTINES => {
                let routine = Routine::new(text(1)?, text(2));
                self.routines.entry(text(0)?.into()).or_default().push(routine);
            }
            GENERATED => self.generated.push((oid(0)?, number(1)?, text(2)?.into())),
            10 => self.behind.relation(oid(0)?, text(1)?, text(2)?, text(3), number(4)?),
            11 => self.behind.type_code(text(0).unwrap_or_default(), text(1), text(2)? == "t"),
            12 => self.behind.holds(text(0)?, text(1)?, oid(2).zip(number(3))),
            13 => self.behind.event_trigger(text(0)?),
            DEFINITIONS => self.texts.push(definitions::Text::new(oid(0)?, number(1)?, text(2)?, text(3))),
            _ => return None,
        }
        Some(())
    }

    /// The catalogue.
    ///
    /// # Errors
    /// [`CatalogueError`] when a row did not fit, or when there is no relation or no function at all.
    pub fn finish(mut self) -> Result<Catalogue, CatalogueError> {
        if let Some(result) = self.wrong {
            return Err(CatalogueError { result });
        }
        if let Some(gathered) = self.mysql.take() {
            return gathered.finish();
        }
        for result in [0, 1, 5] {
            if !self.seen.get(result).copied().unwrap_or(false) {
                return Err(CatalogueError { result });
            }
        }
        for ((relation, _), column) in self.columns {
            if let Some(relation) = self.relations.get_mut(&relation) {
                relation.columns.push(column);
            }
        }
        let mut names: HashMap<Box<str>, Vec<u32>> = HashMap::default();
        for relation in self.relations.values() {
            names.entry(relation.name.clone()).or_default().push(relation.oid);
        }
        let is_built_in = |name: &str| self.functions.get(name) == Some(&FunctionKind::BuiltIn) || is_grammar(name);
        let is_user = |oid: &u32| *oid >= FIRST_USER_OID;
        let is_relation = |name: &str| names.get(name).is_some_and(|oids| oids.iter().any(is_user));
        self.behind.settle(&self.inherits, is_built_in, is_relation);
        let defining = definitions::columns(self.relations.values());
        let printed = definitions::printed(self.relations.values());
        Ok(Catalogue {
            foreign: self.relations.values().any(|relation| relation.kind == b'f'),
            relations: self.relations.into_iter().collect(),
            names,
            depends: self.depends,
            definitions: self.definitions.into_iter().collect(),
            inherits: self.inherits,
            functions: self.functions,
            calling_views: self.calling_views,
            behind: self.behind,
            generated: self.generated,
            routines: self.routines,
            texts: self.texts,
            defining,
            printed,
            sights: std::sync::Mutex::default(),
        })
    }
}
