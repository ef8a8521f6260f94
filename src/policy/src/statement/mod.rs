//! A statement's text to what it does and whether it may.
//!
//! [`judge()`] is the one entry. The order inside: our lexer ([`crate::sql`]) gives tokens; [`carriers`] gives the
//! kinds of each statement by its keywords; queries and data changes get a tree and [`tree`] says what they
//! touch; `reach` says whether that can be masked data; `verdict` goes through the rules. What one
//! step cannot read is an outcome of its own (`unparsed`), never a guess.
//!
//! Code of the users that runs behind a statement (triggers, defaults, casts, rules on tables …) is found by
//! [`behind`] and counts as called.

mod beginnings;
pub(crate) mod behind;
mod carriers;
mod changes;
mod classes;
pub mod copy;
mod detecting;
mod judge;
pub mod kind;
mod later;
pub mod lineage;
mod matching;
mod mysql;
mod opaque;
mod parameters;
mod predicates;
pub(crate) mod projection;
mod reach;
mod reported;
pub(crate) mod routine;
pub mod settings;
mod speech;
mod tokens;
pub(crate) mod tree;
mod verdict;

use core::ops::Range;
use std::sync::Arc;

use wire::guard::Denial;

pub use judge::{judge, judge_function_call, judge_unread};
pub use later::{Named, Naming};
pub use mysql::{killed, may_tell_of_last, shows_own_numbers};
pub use projection::Item;
pub use reported::may_report;
pub use speech::Speech;
pub use tree::{Name, RelationUse};

use crate::rule::RuleId;
use crate::sql::Dialect;
use copy::Copy;
use kind::{Kind, KindSet};
use lineage::Lineage;

/// What decides how a text is to be read, apart from the text. Part of the key of a cached judgement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SqlContext {
    /// The session's `standard_conforming_strings`, as the server reported it.
    pub standard_conforming_strings: bool,
    /// Whose SQL the session speaks; MySQL's settings are in it.
    pub dialect: Dialect,
    /// The session's `client_encoding`, as the server reported it.
    pub encoding: ClientEncoding,
    /// The schemas in which names without one are looked up, first to last, those that are implied
    /// (`pg_temp_…`, `pg_catalog`) included: what `current_schemas(true)` gives at the moment when the
    /// statement is analysed. `None` when it is not known: then such a name may mean a relation or function
    /// of any schema.
    pub search_path: Option<Arc<[Box<str>]>>,
    /// The current role (`current_user`); `None` when it is not known. Rules follow the user who logged in,
    /// not the role; it stands here so that no verdict outlives a change of it.
    pub role: Option<Arc<str>>,
    /// Whether code ran in the session that is not seen, so that any setting may hold any value.
    pub settings_in_doubt: bool,
}

impl Default for SqlContext {
    /// As PostgreSQL has it when nobody changed it; path and role are not known.
    fn default() -> Self {
        Self {
            standard_conforming_strings: true,
            dialect: Dialect::Postgres,
            encoding: ClientEncoding::Utf8,
            search_path: None,
            role: None,
            settings_in_doubt: false,
        }
    }
}

impl SqlContext {
    /// Whether the path or the role is known; both come together.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.search_path.is_some()
    }

    /// The same without the path and the role: what holds behind a statement that may have changed them.
    #[must_use]
    pub fn unsettled(&self) -> Self {
        Self { search_path: None, role: None, ..self.clone() }
    }
}

/// What a session's encoding means for reading its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientEncoding {
    /// Every ASCII byte is that character, others may be anything: `LATIN1`, `EUC_JP`, `SQL_ASCII` …
    AsciiSafe,
    /// It may be any by the time the text arrives, since a statement on its way may change it: only texts of
    /// ASCII alone, which mean the same in every encoding, are read.
    InDoubt,
    /// An ASCII byte may be the second half of a character, so tokens cannot be told: `SJIS`, `BIG5`, `GBK`,
    /// `UHC`, `GB18030`, `JOHAB`, `SHIFT_JIS_2004`.
    Unsafe,
    /// `UTF8`
    Utf8,
}

impl ClientEncoding {
    /// The encoding of a name as `client_encoding` reports it. A name that is not known is unsafe.
    #[must_use]
    pub fn named(name: &[u8]) -> Self {
        opaque::encoding(name)
    }

    /// The same of a name as MySQL's `character_set_client` has it.
    #[must_use]
    pub fn named_by_mysql(name: &[u8]) -> Self {
        match name {
            b"utf8" | b"utf8mb3" | b"utf8mb4" => Self::Utf8,
            // Single bytes, or characters all of whose bytes are above ASCII.
            b"armscii8" | b"ascii" | b"binary" | b"cp1250" | b"cp1251" | b"cp1256" | b"cp1257" | b"cp850"
            | b"cp852" | b"cp866" | b"dec8" | b"eucjpms" | b"euckr" | b"gb2312" | b"geostd8" | b"greek" | b"hebrew"
            | b"hp8" | b"keybcs2" | b"koi8r" | b"koi8u" | b"latin1" | b"latin2" | b"latin5" | b"latin7" | b"macce"
            | b"macroman" | b"tis620" | b"ujis" => Self::AsciiSafe,
            _ => Self::Unsafe,
        }
    }
}

/// Whether the grammar writes something like a call of this name that is no function of the catalogue.
pub(crate) fn is_grammar(name: &str) -> bool {
    reach::is_grammar(name)
}

/// Whether a built-in function shows data that is not in its arguments.
pub(crate) fn shows_more_than_arguments(name: &str) -> bool {
    opaque::is_opaque(name)
}

/// Whether a statement can get at masked data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It cannot.
    No,
    /// It cannot be told: a function of the users, a relation that the catalogue does not know.
    Unknown,
    /// It names a relation that this rule masks.
    Yes(RuleId),
}

/// What becomes of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It may run.
    Allow,
    /// It may not.
    Deny(Refusal),
}

/// Why a text may not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rule of the config; `None` where the statement cannot be read or would copy masked data.
    pub rule: Option<RuleId>,
    /// The rule's name, or a fixed name such as `unparsed` for audit and metrics.
    pub name: Box<str>,
    /// What the client is told.
    pub denial: Denial,
}

/// A rule that stops a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowLimit {
    /// Rows that may be shown.
    pub rows: u64,
    /// What stands in place of the end of a longer result.
    pub refusal: Refusal,
}

/// One statement of a text.
#[derive(Clone, Debug)]
pub struct Part {
    /// The kind of its first words.
    pub kind: Kind,
    /// All its kinds, with those of statements inside it.
    pub kinds: KindSet,
    /// Its bytes in the text.
    pub range: Range<usize>,
    /// The relations that it names; empty where it has no tree.
    pub relations: Box<[RelationUse]>,
    /// The functions that it calls by name; empty where it has no tree.
    pub functions: Box<[Name]>,
    /// Whether every UPDATE and DELETE in it has a WHERE.
    pub has_where: bool,
    /// Whether all of it was read.
    pub read: Read,
    /// What its outermost query shows; `None` where it cannot be told.
    pub projection: Option<Box<[Item]>>,
    /// Which stored columns its values tell of; `None` where nothing masked is in reach, there is no catalogue,
    /// or it cannot be followed.
    pub lineage: Option<Box<Lineage>>,
    /// Whether UNION, INTERSECT or EXCEPT stands in it: then an origin may be that of one branch only.
    pub set_operation: bool,
    /// The cursor or prepared statement that it makes, uses or gives up.
    pub naming: Option<Naming>,
    /// What a COPY copies.
    pub copy: Option<Copy>,
    /// Whether its result shows what comes from other places than the relations that it names, or a plan in
    /// which stored values may stand.
    pub shows_others: bool,
    /// The one table that its outermost query reads, where it reads just one, by name.
    pub single_table: Option<Name>,
}

/// How much of a statement was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// By its keywords; it holds no query.
    Command,
    /// It may run what cannot be seen, for this reason.
    Opaque(&'static str),
    /// By its tree.
    Tree,
    /// Not, for this reason.
    Unread(&'static str),
}

/// Bind parameters that are compared with masked columns, or stored in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MaskedParameters {
    /// All of them: it cannot be told which.
    All,
    /// These numbers, from 1, sorted; usually none.
    These(Box<[u16]>),
}

impl MaskedParameters {
    /// Whether a parameter, counted from 1, must not be written to the audit.
    #[must_use]
    pub fn contains(&self, number: u16) -> bool {
        match self {
            Self::All => true,
            Self::These(numbers) => numbers.binary_search(&number).is_ok(),
        }
    }
}

/// What is known of a text, for one user's rules. Immutable: share it.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The statements of the text, in order.
    pub parts: Box<[Part]>,
    /// Whether it may run. One refused statement refuses the whole text.
    pub ruling: Ruling,
    /// The rules of `mode = "report"` that would have refused it, or masked in its results; sorted.
    pub reported: Box<[RuleId]>,
    /// Whether it can get at data that is masked for the user.
    pub reach: Reach,
    /// How many constants it compares with columns under `predicates = "equality"`; each execution counts.
    pub comparisons: u32,
    /// The rule that stops its result; of several the one that allows fewest rows. Only for a text of one statement.
    pub row_limit: Option<RowLimit>,
    /// Whether it may run code that is not seen: a function of the users, DO, CALL, what is not read.
    pub runs_code: bool,
    /// Whether an error of it may quote masked data, or what code out of sight says.
    pub quotes: bool,
    /// What may pass of what code of the users says in it.
    pub speech: Speech,
    /// Parameters that the audit must not show.
    pub masked_parameters: MaskedParameters,
    /// Whether a newer catalogue could change this judgement: it names a relation or function that the
    /// catalogue does not know, or there is none. Ask again after loading once; then take what comes.
    pub catalogue_wanted: bool,
    /// Whether it calls code of the users, or functions that the catalogue does not know: what it does may
    /// change without the statement.
    pub follows_code: bool,
    /// Whether it changes relations or functions, so that the catalogue is out of date once it ran.
    pub changes_catalogue: bool,
    /// Whether the role or the search path may be another one once it ran.
    pub changes_settings: bool,
    /// Whether the encoding of the client may be another one once it ran, by code that is not in its text.
    pub changes_encoding: bool,
    /// Whether the judgement could be more exact if the search path were known: a name without a schema is
    /// that of several relations. Ask the server by [`settings::QUERY`], then judge again.
    pub search_path_wanted: bool,
    /// Whether how later texts are read has to be asked for once it ran: it sets that to what its text does not say, or
    /// the session may no longer tell of it.
    pub unsettles: bool,
    /// Whether some rule may change its results: where not, descriptions and rows pass unread.
    pub wants_columns: bool,
}

impl Judgement {
    /// All kinds of all statements, for the audit.
    #[must_use]
    pub fn kinds(&self) -> KindSet {
        self.parts.iter().fold(KindSet::EMPTY, |all, part| all.union(part.kinds))
    }

    /// Every relation that the text names, for the audit.
    pub fn relations(&self) -> impl Iterator<Item = &RelationUse> {
        self.parts.iter().flat_map(|part| &part.relations)
    }

    /// An estimate of the memory that it holds, in bytes, for caches bounded by bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        let part = |part: &Part| {
            core::mem::size_of::<Part>()
                + 64 * (part.relations.len() + part.functions.len())
                + 128 * part.projection.as_ref().map_or(0, |items| items.len())
                + part.lineage.as_ref().map_or(0, |lineage| lineage.weight())
        };
        core::mem::size_of::<Self>() + self.parts.iter().map(part).sum::<usize>()
    }
}

#[cfg(test)]
mod tests;
