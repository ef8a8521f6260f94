//! What the server's catalogue says about relations, as far as masks need it.
//!
//! Immutable once built; shared by all sessions of one listener and database. It can be out of date at any
//! moment: whoever asks about a relation that is not in it gets "unknown", never "not masked".

mod assumed;
mod behind;
mod builder;
mod definitions;
mod documents;
mod functions;
pub mod mysql;
mod query;
mod read;
mod routines;
mod sight;
mod types;
mod views;

use std::sync::{Arc, Mutex, PoisonError};

use wire::value::ValueType;

use behind::Behind;
pub(crate) use behind::Touched;
pub use builder::{CatalogueBuilder, CatalogueError};
pub(crate) use definitions::is_printing;
pub(crate) use documents::both;
pub use query::{QUERY, RESULTS};
use routines::Routines;
pub(crate) use sight::Defined;
pub use sight::{ColumnMask, Sight};

use crate::hash::{HashMap, HashSet};
use crate::snapshot::{RulesKey, UserRules};
use crate::statement::lineage::Origin;

/// Most sets of rules whose masks are kept compiled for one catalogue.
const SIGHTS: usize = 256;

/// A table, view or the like.
#[derive(Clone, Debug)]
pub struct Relation {
    /// `pg_class.oid`
    pub oid: u32,
    /// Its schema.
    pub schema: Box<str>,
    /// Its name.
    pub name: Box<str>,
    /// `pg_class.relkind`: `r`, `v`, `m`, `f`, `p` or `S`.
    pub kind: u8,
    /// Its columns, by number; dropped ones left out. Empty for most relations that came with the server.
    pub columns: Vec<Column>,
}

impl Relation {
    /// The column of a number.
    #[must_use]
    pub fn column(&self, number: i16) -> Option<&Column> {
        self.columns.iter().find(|column| column.number == number)
    }

    /// Whether it came with the server.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.oid < FIRST_USER_OID
    }

    /// Whether it is a view, materialised or not.
    #[must_use]
    pub fn is_view(&self) -> bool {
        matches!(self.kind, b'v' | b'm')
    }
}

/// `FirstNormalObjectId`: OIDs below came with the server.
pub const FIRST_USER_OID: u32 = 16_384;

/// A column of a relation.
#[derive(Clone, Debug)]
pub struct Column {
    /// `pg_attribute.attnum`, from 1.
    pub number: i16,
    /// Its name.
    pub name: Box<str>,
    /// The kind of its values.
    pub value_type: ValueType,
    /// Whether it is declared NOT NULL.
    pub not_null: bool,
    /// Whether it is generated, which COPY leaves out.
    pub generated: bool,
}

/// One reading of a database's catalogue.
#[derive(Debug)]
pub struct Catalogue {
    relations: HashMap<u32, Relation>,
    names: HashMap<Box<str>, Vec<u32>>,
    /// View to what it reads: relation and column, 0 for the whole row.
    depends: HashMap<u32, Vec<(u32, i16)>>,
    definitions: HashMap<u32, Box<str>>,
    /// Child and parent.
    inherits: Vec<(u32, u32)>,
    /// What is known of each name of a function; none is [`FunctionKind::Unknown`].
    functions: HashMap<Box<str>, FunctionKind>,
    calling_views: HashSet<u32>,
    /// Whether some relation lies on another server.
    foreign: bool,
    behind: Behind,
    /// Relation, column, and the expression that makes it.
    generated: Vec<(u32, i16, Box<str>)>,
    routines: Routines,
    /// Texts about relations: defaults, checks, comments.
    texts: Vec<definitions::Text>,
    /// Columns that show definitions.
    defining: HashSet<(u32, i16)>,
    /// What stands for the definitions that functions print.
    printed: Option<Origin>,
    sights: Mutex<HashMap<RulesKey, Arc<Sight>>>,
}

/// What is known of a function's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionKind {
    /// Every function of the name came with the server or a harmless extension.
    BuiltIn,
    /// No function of the name is known.
    Unknown,
    /// Some function of the name is the users' own; what it reads is not known.
    User,
}

impl Catalogue {
    /// One that knows nothing.
    fn empty() -> Self {
        Self {
            relations: HashMap::default(),
            names: HashMap::default(),
            depends: HashMap::default(),
            definitions: HashMap::default(),
            inherits: Vec::new(),
            functions: HashMap::default(),
            calling_views: HashSet::default(),
            foreign: false,
            behind: Behind::default(),
            generated: Vec::new(),
            routines: Routines::default(),
            texts: Vec::new(),
            defining: HashSet::default(),
            printed: None,
            sights: Mutex::default(),
        }
    }

    /// A relation by its OID.
    #[must_use]
    pub fn relation(&self, oid: u32) -> Option<&Relation> {
        self.relations.get(&oid)
    }

    /// Every relation that a name may mean: in the schema, or in any where it is not written.
    pub fn named<'c, 's>(
        &'c self,
        schema: Option<&'s str>,
        name: &str,
    ) -> impl Iterator<Item = &'c Relation> + use<'c, 's> {
        let oids = self.names.get(name).map(Vec::as_slice).unwrap_or_default();
        let relations = oids.iter().filter_map(|oid| self.relations.get(oid));
        relations.filter(move |relation| schema.is_none_or(|schema| *schema == *relation.schema))
    }

    /// Whether a column shows definitions of objects.
    #[must_use]
    pub(crate) fn is_definition(&self, origin: &Origin) -> bool {
        self.defining.contains(&(origin.relation, origin.column))
    }

    /// What stands for the definitions that functions of the server print.
    #[must_use]
    pub(crate) fn printed(&self) -> Option<&Origin> {
        self.printed.as_ref()
    }

    /// Whether a relation has a parent, by inheritance or as a partition.
    #[must_use]
    pub fn inherits(&self, relation: u32) -> bool {
        self.inherits.iter().any(|(child, _)| *child == relation)
    }

    /// What is known of a function's name, in whatever schema.
    #[must_use]
    pub fn function(&self, name: &str) -> FunctionKind {
        self.functions.get(name).copied().unwrap_or(FunctionKind::Unknown)
    }

    /// Whether some relation lies on another server. Most databases have none, and need not ask of every name.
    #[must_use]
    pub fn has_foreign(&self) -> bool {
        self.foreign
    }

    /// Whether a view calls functions of the users, itself or by views that it reads.
    #[must_use]
    pub fn is_calling_view(&self, view: u32) -> bool {
        if self.calling_views.is_empty() {
            return false;
        }
        let (mut seen, mut open) = (HashSet::from_iter([view]), vec![view]);
        while let Some(view) = open.pop() {
            if self.calling_views.contains(&view) {
                return true;
            }
            let depends = self.depends.get(&view).into_iter().flatten();
            open.extend(depends.map(|(relation, _)| *relation).filter(|relation| seen.insert(*relation)));
        }
        false
    }

    /// Whether a view of the users with this name, in whatever schema, has one of the words in it.
    #[must_use]
    pub fn views_mention(&self, name: &str, words: &[&str]) -> bool {
        let mut views = self.named(None, name).filter(|relation| relation.is_view() && !relation.is_system());
        views.any(|view| views::words(self, view.oid).iter().any(|word| words.contains(&&**word)))
    }

    /// Whether a view reads a relation.
    #[must_use]
    pub fn depends_on(&self, view: u32, relation: u32) -> bool {
        self.depends.get(&view).is_some_and(|depends| depends.iter().any(|(read, _)| *read == relation))
    }

    /// What the rules of a user mean in this catalogue. Compiled when first asked for; later calls cost a
    /// look-up under a lock, so keep the answer as long as catalogue and rules are the same.
    #[must_use]
    pub fn sight(&self, rules: &UserRules) -> Arc<Sight> {
        let mut sights = self.sights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sight) = sights.get(&rules.key()) {
            return Arc::clone(sight);
        }
        if sights.len() >= SIGHTS {
            sights.clear();
        }
        let sight = Arc::new(Sight::compile(self, rules));
        sights.insert(rules.key(), Arc::clone(&sight));
        sight
    }

    /// How a column is masked for a user.
    #[must_use]
    pub fn mask_of(&self, rules: &UserRules, relation: u32, number: i16) -> ColumnMask {
        self.sight(rules).mask_of(relation, number)
    }
}
