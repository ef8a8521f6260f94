//! Whether one statement may run: the denies in the order of the file, then what protects masked data.

use core::ops::{ControlFlow, Range};

use sqlparser::ast::{Assignment, Expr, Insert, OnConflictAction, OnInsert, Query, Statement, Visit, Visitor};
use wire::guard::Denial;

use super::carriers::Carried;
use super::copy::{Copy, End};
use super::kind::{self, Kind, KindSet};
use super::lineage::functions::is_sink;
use super::lineage::{Flow, Lineage, Place, Write};
use super::reach::{self, Map};
use super::routine::{self, Code};
use super::tokens::Tokens;
use super::tree::{Facts, Name};
use super::{Reach, Read, Refusal, RowLimit, matching, opaque, predicates};
use crate::catalogue::{Catalogue, ColumnMask, Sight};
use crate::config::{Deny, Unparsed};
use crate::rule::RuleId;
use crate::sql::Dialect;
use crate::sql::lexer::Lexed;

/// One statement, with all that was found out about it.
pub(super) struct Case<'c, 'l, 'a> {
    pub(super) map: Map<'c>,
    /// The catalogue, also where no column mask looks at it.
    pub(super) catalogue: Option<&'c Catalogue>,
    pub(super) tokens: Tokens<'l, 'a>,
    pub(super) range: Range<usize>,
    pub(super) carried: &'c Carried,
    /// Its kinds without those of the code that it runs.
    pub(super) own: KindSet,
    /// The code of the users that it runs.
    pub(super) codes: &'c [&'c Code],
    pub(super) statement: Option<&'c Statement>,
    pub(super) facts: Option<&'c Facts>,
    /// Which stored columns flow where; `None` where only tokens and names tell.
    pub(super) lineage: Option<&'c Lineage>,
    pub(super) read: Read,
    pub(super) reach: Reach,
    /// Functions that its tokens call, and those of code that it runs.
    pub(super) called: &'c [Name],
}

/// Why it may not run, if it may not. The first deny of the file that matches is named.
pub(super) fn refusal(case: &Case<'_, '_, '_>) -> Option<Refusal> {
    let mut denies = case.map.rules.denies().filter(|(_, deny)| deny.row_limit.is_none());
    let denied = denies.find(|(_, deny)| matching::matches(case, deny)).map(|(rule, deny)| by_rule(rule, deny));
    denied
        .or_else(|| encoding(case))
        .or_else(|| not_read(case))
        .or_else(|| class(case))
        .or_else(|| built(case))
        .or_else(|| masked(case))
}

/// What may show rows, or make a name for what shows them.
const ROWS: [Kind; 9] = [
    Kind::CALL,
    Kind::COPY_TO,
    Kind::DECLARE,
    Kind::DELETE,
    Kind::INSERT,
    Kind::MERGE,
    Kind::PREPARE,
    Kind::SELECT,
    Kind::UPDATE,
];

/// The rule that stops its result after the fewest rows. What shows another statement's rows has that one's limit.
pub(super) fn row_limit(case: &Case<'_, '_, '_>) -> Option<RowLimit> {
    let rules = case.map.rules;
    // MariaDB's compound statement shows what the statements in it show.
    let compound = |leading: Kind| leading == Kind::DO && case.tokens.is_word(case.range.start, "begin");
    let shows = |leading: Kind| ROWS.contains(&leading) || compound(leading);
    if !rules.has_row_limits() || !case.carried.leading.is_some_and(shows) {
        return None;
    }
    let limits = rules.denies().filter_map(|(rule, deny)| Some((deny.row_limit?, rule, deny)));
    let (rows, rule, deny) = limits.filter(|(_, _, deny)| matching::matches(case, deny)).min_by_key(|limit| limit.0)?;
    let message = format!("result stopped by rule \"{}\": it has more than {rows} rows", deny.name);
    let denial = Denial { sqlstate: *b"54000", message: message.into(), hint: deny.message.clone() };
    Some(RowLimit { rows, refusal: Refusal { rule: Some(rule), name: deny.name.clone(), denial } })
}

/// The refusal of a text of several statements of which one has a limit: replies to the others cannot be told from
/// its rows.
pub(super) fn several_with_limit(limit: RowLimit) -> Refusal {
    let message = format!(
        "statement refused by rule \"{}\": its rows are counted only where it is sent alone",
        limit.refusal.name
    );
    let hint = "send each statement in a message of its own".into();
    Refusal { denial: Denial { sqlstate: *b"42501", message: message.into(), hint: Some(hint) }, ..limit.refusal }
}

/// The rules that would have refused or masked, had their mode not been `report`.
pub(super) fn reported(case: &Case<'_, '_, '_>) -> Vec<RuleId> {
    let rules = case.map.rules;
    let denies = rules.reported_denies().filter(|(_, deny)| matching::matches(case, deny)).map(|(rule, _)| rule);
    let masks = rules.reported_masks().filter(|(_, mask)| matching::reaches(case, &mask.columns)).map(|(rule, _)| rule);
    denies.chain(masks).collect()
}

/// What masks do not hold for, for users under column masks.
fn class(case: &Case<'_, '_, '_>) -> Option<Refusal> {
    let rules = case.map.rules;
    if !rules.has_column_masks() {
        return None;
    }
    let class = case.carried.kinds.iter().find(|kind| {
        let kind = KindSet::of(*kind);
        kind.within(kind::classes()) && !kind.meets(rules.allowed_under_masks())
    })?;
    let message =
        format!("statement refused because masks do not hold for what it reaches (class \"{}\")", class.name());
    let hint = "users under masks need leave for this class: allow_under_masks in [policy]";
    let denial = Denial { sqlstate: *b"42501", message: message.into(), hint: Some(hint.into()) };
    Some(Refusal { rule: None, name: class.name().into(), denial })
}

/// The refusal that a rule of the config gives.
pub(super) fn by_rule(rule: RuleId, deny: &Deny) -> Refusal {
    let message = format!("statement refused by rule \"{}\"", deny.name);
    let denial = Denial { sqlstate: *b"42501", message: message.into(), hint: deny.message.clone() };
    Refusal { rule: Some(rule), name: deny.name.clone(), denial }
}

/// The refusal of a statement that cannot be read whole.
pub(super) fn unparsed(reason: &str) -> Refusal {
    let message = format!("statement refused because it cannot be checked against the rules: {reason}");
    let hint = "rules apply to you, and what cannot be checked does not pass; write the statement in another way";
    let denial = Denial { sqlstate: *b"42501", message: message.into(), hint: Some(hint.into()) };
    Refusal { rule: None, name: "unparsed".into(), denial }
}

fn protects(rule: RuleId, rule_name: &str, name: &str, what: &str, hint: &str) -> Refusal {
    let message = format!("statement refused because {what} (mask \"{rule_name}\")");
    let denial = Denial { sqlstate: *b"42501", message: message.into(), hint: Some(hint.into()) };
    Refusal { rule: Some(rule), name: name.into(), denial }
}

/// Whether some UPDATE or DELETE in it may have no WHERE.
pub(super) fn missing_where(case: &Case<'_, '_, '_>) -> bool {
    let changes = KindSet::of(Kind::UPDATE).union(KindSet::of(Kind::DELETE));
    if !case.carried.kinds.meets(changes) {
        return false;
    }
    let by_tree = case.facts.filter(|_| case.read == Read::Tree).map(|facts| facts.missing_where);
    let in_bodies = || {
        case.carried.bodies.iter().any(|body| {
            let lexed = Lexed::new(body.as_bytes(), case.tokens.lexed.options());
            lexed.is_ok_and(|lexed| open_change(Tokens::new(&lexed), 0..lexed.tokens().len()))
        })
    };
    let in_rule = || {
        // What CREATE RULE makes run; a WHERE in front of it is a condition of the rule.
        let actions = match case.carried.leading {
            Some(Kind::CREATE_RULE) => routine::rule_actions(case.tokens, case.range.clone()),
            _ => Vec::new(),
        };
        actions.into_iter().any(|action| open_change(case.tokens, action))
    };
    by_tree.unwrap_or_else(|| open_change(case.tokens, case.range.clone())) || in_bodies() || in_rule()
}

/// Whether an UPDATE or DELETE among tokens is not followed by a WHERE on its level.
fn open_change(tokens: Tokens<'_, '_>, range: Range<usize>) -> bool {
    range.clone().filter(|at| tokens.is_word(*at, "update") || tokens.is_word(*at, "delete")).any(|at| {
        let clause = at > range.start && ["for", "key", "on"].iter().any(|word| tokens.is_word(at - 1, word));
        let mut depth = 0_usize;
        let mut level = at;
        while level < range.end {
            if tokens.is_sign(level, "(") {
                depth += 1;
            } else if tokens.is_sign(level, ")") {
                match depth.checked_sub(1) {
                    Some(outer) => depth = outer,
                    None => break,
                }
            } else if depth == 0 && tokens.is_sign(level, ";") {
                break;
            } else if depth == 0 && tokens.is_word(level, "where") {
                let holds_always = tokens.is_word(level + 1, "true")
                    && (level + 2 >= range.end || [";", ")"].iter().any(|sign| tokens.is_sign(level + 2, sign)));
                return holds_always && !clause;
            }
            level += 1;
        }
        !clause
    })
}

/// Switching to an encoding in which quotes can hide.
fn encoding(case: &Case<'_, '_, '_>) -> Option<Refusal> {
    let rules = case.map.rules;
    if !(rules.has_denies() || rules.has_column_masks()) || !opaque::switches_encoding(case.tokens, case.range.clone())
    {
        return None;
    }
    let message = "this client_encoding is refused for users under rules: characters of it can hide quotes";
    let denial = Denial { sqlstate: *b"42501", message: message.into(), hint: Some("use UTF8".into()) };
    Some(Refusal { rule: None, name: "unsafe encoding".into(), denial })
}

/// What cannot be read takes the outcome of `unparsed`.
fn not_read(case: &Case<'_, '_, '_>) -> Option<Refusal> {
    let rules = case.map.rules;
    let (Read::Unread(reason) | Read::Opaque(reason)) = case.read else { return None };
    let refused = match rules.unparsed() {
        Unparsed::Allow => false,
        Unparsed::Refuse => true,
        // By its keywords, which have been looked for everywhere in it, no deny concerns a query that only
        // the parser does not read; what is masked in it cannot be told.
        Unparsed::Auto if matches!(case.read, Read::Unread(_)) && case.carried.query.is_some() => {
            rules.has_column_masks()
        }
        Unparsed::Auto => rules.has_denies() || rules.has_column_masks(),
    };
    refused.then(|| unparsed(reason))
}

/// A routine of MySQL's or MariaDB's that builds statements from strings is a text that cannot be read, as it would be
/// outside of the routine.
fn built(case: &Case<'_, '_, '_>) -> Option<Refusal> {
    let rules = case.map.rules;
    let is_mysql = matches!(case.tokens.lexed.options().dialect, Dialect::MySql(_));
    if !is_mysql || rules.allowed_under_masks().meets(KindSet::of(Kind::UNKNOWN_CODE)) {
        return None;
    }
    let reason = case.codes.iter().filter_map(|code| code.unknown).find(|reason| *reason == routine::BUILDS)?;
    let refused = match rules.unparsed() {
        Unparsed::Allow => false,
        Unparsed::Refuse => true,
        Unparsed::Auto => rules.has_denies(),
    };
    refused.then(|| unparsed(reason))
}

/// What protects masked data, for users under a column mask.
fn masked(case: &Case<'_, '_, '_>) -> Option<Refusal> {
    let rules = case.map.rules;
    if !rules.has_column_masks() {
        return None;
    }
    let renames_schema = case.carried.kinds.meets(KindSet::of(Kind::ALTER_SCHEMA));
    if case.reach == Reach::No && !renames_schema {
        return None;
    }
    let rule = match case.reach {
        Reach::Yes(rule) => rule,
        Reach::Unknown | Reach::No => rules.computed_mask().map_or(RuleId::UNKNOWN_ORIGIN, |mask| mask.0),
    };
    let rule_name = rules.rule_name(rule);
    if renames_schema || followed(case).map_or_else(|| copies(case), |followed| goes_elsewhere(case, &followed)) {
        let what = match case.reach {
            Reach::Yes(_) => "it would copy masked data to where no mask holds",
            Reach::Unknown | Reach::No => "it may copy masked data to where no mask holds",
        };
        let hint = "select the data instead; what you may see of it is shown";
        return Some(protects(rule, rule_name, "copy of masked data", what, hint));
    }
    let unread = |copy: &Copy| !copy.to_server && copy.end == End::Client && copy.syntax.is_none();
    if case.carried.copy.as_ref().is_some_and(unread) && followed(case).is_none_or(|followed| shows_masked(&followed)) {
        let what = "masked data leaves by COPY only in formats that are understood";
        return Some(protects(
            rule,
            rule_name,
            "copy of masked data",
            what,
            "use the text, csv or binary format without ENCODING",
        ));
    }
    let broken = match followed(case) {
        _ if has_index(case) => indexed(case),
        Some(followed) => compared(case, &followed).err(),
        None => predicates::broken(case.map, case.tokens, case.range.clone(), case.facts?),
    }?;
    let what = "it compares or computes with a masked column";
    let hint = "name the masked column only in the list of columns to show";
    Some(protects(broken, rules.rule_name(broken), "predicate on masked data", what, hint))
}

fn has_index(case: &Case<'_, '_, '_>) -> bool {
    case.carried.leading == Some(Kind::CREATE_INDEX)
}

/// The rule that an index breaks: its predicate and its expressions compare and compute for every row.
fn indexed(case: &Case<'_, '_, '_>) -> Option<RuleId> {
    let (_, sight) = case.map.catalogue.filter(|_| case.map.rules.denies_predicates())?;
    let (mut depth, mut behind_where) = (0_usize, false);
    case.range.clone().find_map(|at| {
        if case.tokens.is_sign(at, "(") {
            depth += 1;
        } else if case.tokens.is_sign(at, ")") {
            depth = depth.saturating_sub(1);
        }
        behind_where |= case.tokens.is_word(at, "where");
        let name = case.tokens.lexed.name(at).filter(|_| behind_where || depth > 1)?;
        sight.denied_column(&name)
    })
}

/// How many constants it compares with columns that allow so many in an hour.
pub(super) fn comparisons(case: &Case<'_, '_, '_>) -> u32 {
    followed(case).and_then(|followed| compared(case, &followed).ok()).unwrap_or(0)
}

/// The comparisons to be counted, or the rule that refuses one.
fn compared(case: &Case<'_, '_, '_>, followed: &Followed<'_>) -> Result<u32, RuleId> {
    // Each run of a statement counts, and the runs of one that is prepared in SQL are not seen as such.
    let counts = case.carried.leading != Some(Kind::PREPARE);
    predicates::compared(case.map, followed.sight, followed.lineage, counts)
}

/// A statement whose values are followed.
struct Followed<'c> {
    lineage: &'c Lineage,
    sight: &'c Sight,
}

fn followed<'c>(case: &Case<'c, '_, '_>) -> Option<Followed<'c>> {
    let (_, sight) = case.map.catalogue?;
    Some(Followed { lineage: case.lineage?, sight })
}

/// Whether a value that tells of masked columns, or may, ends up where the mask does not hold: in a relation,
/// file, setting or definition.
fn goes_elsewhere(case: &Case<'_, '_, '_>, followed: &Followed<'_>) -> bool {
    let has = |kind: Kind| case.carried.kinds.meets(KindSet::of(kind));
    if case.carried.leading == Some(Kind::EXPLAIN) && !has(Kind::EXPLAIN_ANALYZE) {
        return false;
    }
    if case.carried.assigns {
        // What a condition assigns is not followed.
        return true;
    }
    let file = case.carried.copy.as_ref().is_some_and(|copy| !copy.to_server && copy.end != End::Client);
    let stored = has(Kind::CREATE_TABLE_AS) || has(Kind::CREATE_VIEW) || has(Kind::CREATE_RULE) || file;
    let Followed { lineage, sight } = followed;
    stored && shows_masked(followed)
        || lineage.writes.iter().any(|write| is_masked(sight, &write.flow) && !stays_masked(sight, write))
}

/// Whether a column of the result tells of masked columns, or may.
fn shows_masked(followed: &Followed<'_>) -> bool {
    followed.lineage.columns.iter().any(|output| is_masked(followed.sight, &output.flow))
}

fn is_masked(sight: &Sight, flow: &Flow) -> bool {
    sight.mask_of_value(flow, false) != ColumnMask::None
}

/// Whether a stored value goes as it stands into columns that the same rule masks in the same way.
fn stays_masked(sight: &Sight, write: &Write) -> bool {
    let Place::Columns(columns) = &write.place else { return false };
    let from = sight.mask_of_value(&write.flow, write.plain);
    write.plain
        && matches!(from, ColumnMask::Masked(..))
        && write.flow.origins().iter().all(|origin| sight.mask_of(origin.relation, origin.column) == from)
        && columns.iter().all(|column| sight.mask_of(column.relation, column.column) == from)
}

/// As [`goes_elsewhere`] where nothing is followed: by tokens and names.
fn copies(case: &Case<'_, '_, '_>) -> bool {
    let kinds = case.carried.kinds;
    let has = |kind: Kind| kinds.meets(KindSet::of(kind));
    if case.carried.leading == Some(Kind::EXPLAIN) && !has(Kind::EXPLAIN_ANALYZE) {
        return false;
    }
    let defines = case.carried.defines
        || has(Kind::DO)
        || has(Kind::CREATE_TABLE_AS)
        || has(Kind::CREATE_TRIGGER)
        || has(Kind::MERGE);
    let changes_masked = matches!(case.reach, Reach::Yes(_))
        && [Kind::ALTER_TABLE, Kind::ALTER_VIEW, Kind::ALTER_OTHER].into_iter().any(has);
    // Statistics keep what they are made of.
    let masked = |at: usize| {
        let name = case.tokens.lexed.name(at);
        name.is_some_and(|name| case.map.catalogue.is_none_or(|(_, sight)| sight.is_masked_column(&name)))
    };
    let keeps = case.carried.leading == Some(Kind::CREATE_OTHER)
        && case.tokens.is_word(case.range.start + 1, "statistics")
        && case.range.clone().any(masked);
    let server_side = case.carried.copy.as_ref().is_some_and(|copy| !copy.to_server && copy.end != End::Client);
    let sinks = case
        .range
        .clone()
        .any(|at| case.tokens.is_sign(at + 1, "(") && case.tokens.lexed.name(at).is_some_and(|name| is_sink(&name)));
    if defines || changes_masked || keeps || server_side || sinks {
        return true;
    }
    if !has(Kind::INSERT) && !has(Kind::UPDATE) {
        return false;
    }
    match case.statement {
        Some(Statement::Insert(insert)) if alone(kinds, Kind::INSERT) => insert_copies(case, insert),
        Some(Statement::Update(update)) if alone(kinds, Kind::UPDATE) => {
            let others = case.facts.is_none_or(|facts| {
                facts.relations.iter().any(|relation| !relation.written && reads_masked(case, &relation.name.name))
            });
            (update.from.is_some() && (others || case.reach == Reach::Unknown))
                || assigns_masked(case, &update.assignments)
        }
        // Changes inside CTEs: what they read is not told apart.
        _ => true,
    }
}

/// Whether there is no other change of rows in it.
fn alone(kinds: KindSet, kind: Kind) -> bool {
    kinds.iter().filter(|found| KindSet::of(*found).within(kind::write())).all(|found| found == kind)
}

fn reads_masked(case: &Case<'_, '_, '_>, name: &str) -> bool {
    match case.map.catalogue {
        Some((_, sight)) => sight.reached(name).is_some() || sight.defined(name).is_some(),
        None => true,
    }
}

/// Whether an INSERT takes values from elsewhere than the statement itself.
fn insert_copies(case: &Case<'_, '_, '_>, insert: &Insert) -> bool {
    let (tokens, range) = (case.tokens, case.range.clone());
    let Some(into) = range.clone().find(|at| tokens.is_word(*at, "insert") && tokens.is_word(at + 1, "into")) else {
        return true;
    };
    let mut source = into + 2;
    while tokens.is_name(source) && tokens.is_sign(source + 1, ".") {
        source += 2;
    }
    let end = ["on", "returning"].into_iter().filter_map(|word| tokens.find_word(source + 1..range.end, word)).min();
    let source = source + 1..end.unwrap_or(range.end);
    let before = reach::by_tokens(case.map, tokens, range.start..into);
    let behind = reach::by_tokens(case.map, tokens, source);
    // Functions and relations that nobody knows are in the reach of the whole, not in that of its tokens.
    let unknown = case.reach == Reach::Unknown;
    let assignments = match &insert.on {
        Some(OnInsert::OnConflict(conflict)) => match &conflict.action {
            OnConflictAction::DoUpdate(update) => update.assignments.as_slice(),
            OnConflictAction::DoNothing => &[],
        },
        Some(_) => return true,
        None => &[],
    };
    before != Reach::No || behind != Reach::No || unknown || assigns_masked(case, assignments)
}

/// Whether a value that is assigned is computed from a masked column, a whole row or another query.
fn assigns_masked(case: &Case<'_, '_, '_>, assignments: &[Assignment]) -> bool {
    assignments.iter().any(|assignment| {
        let mut walk = Values { case, found: false };
        let _: ControlFlow<()> = assignment.value.visit(&mut walk);
        walk.found
    })
}

struct Values<'v, 'c, 'l, 'a> {
    case: &'v Case<'c, 'l, 'a>,
    found: bool,
}

impl Visitor for Values<'_, '_, '_, '_> {
    type Break = ();

    fn pre_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
        self.found = true;
        ControlFlow::Break(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let masked = |name: &str| self.case.map.catalogue.is_none_or(|(_, sight)| sight.is_masked_column(name));
        self.found |= match expr {
            Expr::Identifier(ident) => {
                masked(&ident.value) || self.case.facts.is_none_or(|facts| facts.row_names.contains(&*ident.value))
            }
            // `excluded` is the row that the statement itself brings.
            Expr::CompoundIdentifier(parts) => {
                parts.first().is_none_or(|first| first.value != "excluded")
                    && parts.last().is_some_and(|last| masked(&last.value))
            }
            Expr::Function(_) => self.case.reach == Reach::Unknown,
            Expr::CompoundFieldAccess { .. } | Expr::QualifiedWildcard(..) | Expr::Wildcard(_) => true,
            _ => false,
        };
        if self.found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
