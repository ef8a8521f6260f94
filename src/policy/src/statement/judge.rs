//! From a text to a [`Judgement`]: the order of the steps, and what each outcome means.

mod errors;

use std::collections::BTreeSet;
use std::sync::Arc;

use wire::guard::Denial;

use super::behind;
use super::carriers::{self, Carried};
use super::kind::{self, Kind, KindSet};
use super::reach::{self, Map};
use super::routine::Code;
use super::tokens::Tokens;
use super::tree::{self, Facts, Name, RelationUse};
use super::verdict::{self, Case};
use super::{
    ClientEncoding, Judgement, MaskedParameters, Part, Reach, Read, Refusal, RowLimit, Ruling, Speech, SqlContext,
    classes, later, lineage, matching, mysql, opaque, parameters, projection, reported, settings, speech,
};
use crate::catalogue::{Catalogue, FunctionKind, Sight};
use crate::config::{Deny, Unparsed};
use crate::rule::RuleId;
use crate::snapshot::UserRules;
use crate::sql::lexer::{LexOptions, Lexed};
use crate::sql::{Dialect, bridge};

/// Judges a text for the rules of a user.
///
/// `text` is the statement as sent, any bytes, without a terminator. `catalogue` is the newest reading of the
/// session's database, if there is one. Deterministic: the answer may be cached under the text, the rules'
/// [`UserRules::key`], the context and the identity of the catalogue.
#[must_use]
pub fn judge(rules: &UserRules, text: &[u8], context: &SqlContext, catalogue: Option<&Catalogue>) -> Judgement {
    if context.encoding == ClientEncoding::Unsafe {
        let reason = "its encoding lets characters hide quotes";
        return judge_unread(rules, reason, text.len());
    }
    if context.encoding == ClientEncoding::InDoubt && !text.is_ascii() {
        let reason = "a statement ahead of it may change the encoding";
        return judge_unread(rules, reason, text.len());
    }
    let standard_conforming_strings = context.standard_conforming_strings;
    let options = LexOptions { standard_conforming_strings, dialect: context.dialect };
    let lexed = match Lexed::new(text, options) {
        Ok(lexed) => lexed,
        Err(error) => return judge_unread(rules, error.what, text.len()),
    };
    if ambiguous(text, &lexed) {
        return judge_unread(
            rules,
            "a backslash before a quote reads differently under standard_conforming_strings",
            text.len(),
        );
    }
    let sight: Option<Arc<Sight>> =
        catalogue.filter(|_| rules.has_column_masks()).map(|catalogue| catalogue.sight(rules));
    let map = Map { rules, catalogue: catalogue.zip(sight.as_deref()) };
    let reader = Reader { map, catalogue, tokens: Tokens::new(&lexed), context };
    reader.judge()
}

/// The judgement of a text that was not read, for `reason`: too long, not lexed, in an encoding that hides
/// quotes. `bytes` is its length.
#[must_use]
pub fn judge_unread(rules: &UserRules, reason: &'static str, bytes: usize) -> Judgement {
    let part = Part {
        kind: Kind::UNKNOWN,
        kinds: KindSet::of(Kind::UNKNOWN),
        range: 0..bytes,
        relations: Box::default(),
        functions: Box::default(),
        has_where: false,
        read: Read::Unread(reason),
        projection: None,
        lineage: None,
        naming: None,
        set_operation: false,
        copy: None,
        shows_others: true,
        single_table: None,
    };
    let refused = match rules.unparsed() {
        Unparsed::Allow => false,
        Unparsed::Auto => rules.has_denies() || rules.has_column_masks(),
        Unparsed::Refuse => true,
    };
    let masks = rules.has_column_masks();
    Judgement {
        parts: Box::new([part]),
        ruling: if refused { Ruling::Deny(verdict::unparsed(reason)) } else { Ruling::Allow },
        reported: Box::default(),
        reach: if masks { Reach::Unknown } else { Reach::No },
        comparisons: 0,
        row_limit: None,
        runs_code: true,
        quotes: masks,
        speech: Speech::Withheld,
        masked_parameters: if masks { MaskedParameters::All } else { MaskedParameters::These(Box::default()) },
        catalogue_wanted: false,
        follows_code: false,
        changes_catalogue: true,
        changes_settings: true,
        changes_encoding: true,
        search_path_wanted: false,
        unsettles: false,
        wants_columns: masks || rules.has_detectors(),
    }
}

/// The large-object functions that libpq calls by OID (`src/include/catalog/pg_proc.dat`). Only these may be
/// called so by users under rules, because an OID says nothing of what a function does.
const LARGE_OBJECT_CALLS: [u32; 15] = [715, 764, 765, 952, 953, 954, 955, 956, 957, 958, 964, 1004, 3170, 3171, 3172];

/// Judges a function that is called by its OID, without SQL.
///
/// Under a column mask every such call is refused, since its result cannot be masked; under denies only the
/// large-object functions of libpq pass.
#[must_use]
pub fn judge_function_call(rules: &UserRules, function: u32) -> Judgement {
    let kinds = KindSet::of(Kind::FUNCTION_CALL);
    let mut judgement = judge_unread(rules, "a function called by its number", 0);
    for part in &mut judgement.parts {
        part.kind = Kind::FUNCTION_CALL;
        part.kinds = kinds;
        part.read = Read::Command;
    }
    judgement.changes_catalogue = false;
    judgement.changes_settings = false;
    judgement.changes_encoding = false;
    let large_objects = LARGE_OBJECT_CALLS.contains(&function);
    let classes = if large_objects { KindSet::of(Kind::LARGE_OBJECTS) } else { KindSet::EMPTY };
    for part in &mut judgement.parts {
        part.kinds = kinds.union(classes);
    }
    let concerns = |deny: &Deny| {
        // What is called has no name here, and so a rule about functions may be about it.
        deny.tables.is_empty()
            && !deny.without_where
            && deny.row_limit.is_none()
            && deny.columns_read.is_empty()
            && deny.columns_written.is_empty()
            && deny.statements.meets(kinds.union(classes))
    };
    let denied = rules.denies().find(|(_, deny)| concerns(deny));
    let leave = !rules.has_column_masks() || rules.allowed_under_masks().meets(classes);
    let passes = large_objects && leave;
    judgement.ruling = match denied {
        Some((rule, deny)) => Ruling::Deny(verdict::by_rule(rule, deny)),
        None if passes || !(rules.has_column_masks() || rules.has_denies()) => Ruling::Allow,
        None => Ruling::Deny(Refusal {
            rule: None,
            name: "function call".into(),
            denial: Denial {
                sqlstate: *b"42501",
                message: "function calls without SQL are refused for users under rules".into(),
                hint: Some("call the function by SELECT".into()),
            },
        }),
    };
    judgement
}

/// Whether the text has other tokens under the other setting of `standard_conforming_strings`, and would be
/// read by a server under both. A statement on its way ahead of this one may change the setting unseen.
fn ambiguous(text: &[u8], lexed: &Lexed<'_>) -> bool {
    let options = lexed.options();
    if memchr::memchr(b'\\', text).is_none() || options.dialect != Dialect::Postgres {
        return false;
    }
    let other = LexOptions { standard_conforming_strings: !options.standard_conforming_strings, ..options };
    Lexed::new(text, other).is_ok_and(|other| other.tokens() != lexed.tokens())
}

/// One text being judged.
#[derive(Clone, Copy)]
struct Reader<'r, 'l, 'a> {
    map: Map<'r>,
    /// The catalogue, also where no column mask looks at it.
    catalogue: Option<&'r Catalogue>,
    tokens: Tokens<'l, 'a>,
    context: &'r SqlContext,
}

/// What is found out about one statement.
struct Opened {
    part: Part,
    reach: Reach,
    wanted: bool,
    parameters: MaskedParameters,
    refusal: Option<Refusal>,
    reported: Vec<RuleId>,
    follows_code: bool,
    comparisons: u32,
    row_limit: Option<RowLimit>,
    /// What the code of the users that it runs can get at.
    ran: Reach,
    /// Whether code of the users runs behind it, seen or not.
    runs_code: bool,
    speech: Speech,
    changes_settings: bool,
    changes_encoding: bool,
    unsettles: bool,
}

/// The functions that a statement calls, and the code of the users that it runs.
struct Followed<'c> {
    called: Vec<Name>,
    codes: Vec<&'c Code>,
}

impl Reader<'_, '_, '_> {
    fn judge(&self) -> Judgement {
        let rules = self.map.rules;
        let mut judgement = Judgement {
            parts: Box::default(),
            ruling: Ruling::Allow,
            reported: Box::default(),
            reach: Reach::No,
            comparisons: 0,
            row_limit: None,
            runs_code: false,
            quotes: false,
            speech: Speech::Silent,
            masked_parameters: MaskedParameters::These(Box::default()),
            catalogue_wanted: false,
            follows_code: false,
            changes_catalogue: false,
            changes_settings: false,
            changes_encoding: false,
            search_path_wanted: false,
            unsettles: false,
            wants_columns: false,
        };
        let statements = self.tokens.statements();
        // A part is large, and nearly every text is one: no room for others.
        let (mut parts, mut reported) = (Vec::with_capacity(statements.len()), BTreeSet::new());
        let unsettled = self.context.unsettled();
        for range in statements {
            // Behind a statement that may change it, the path of the session says nothing.
            let context = if judgement.changes_settings { &unsettled } else { self.context };
            let doubted = (judgement.runs_code && !context.settings_in_doubt)
                .then(|| SqlContext { settings_in_doubt: true, ..context.clone() });
            let context = doubted.as_ref().unwrap_or(context);
            let opened = Reader { context, ..*self }.open(range.clone());
            judgement.changes_settings |= opened.changes_settings || self.changes_settings(range, &opened.part);
            judgement.changes_encoding |= opened.changes_encoding;
            judgement.search_path_wanted |= !context.is_settled() && self.has_namesakes(&opened.part);
            judgement.quotes |= self.quotes(&opened);
            let runs = opened.speech == Speech::Silent && self.runs_code(&opened.part);
            judgement.speech = judgement.speech.max(if runs { Speech::Withheld } else { opened.speech });
            reported.extend(opened.reported);
            judgement.follows_code |= opened.follows_code;
            judgement.unsettles |= opened.unsettles;
            judgement.runs_code |= opened.runs_code || self.runs_code(&opened.part);
            judgement.comparisons = judgement.comparisons.saturating_add(opened.comparisons);
            if let (Ruling::Allow, Some(refusal)) = (&judgement.ruling, opened.refusal) {
                judgement.ruling = Ruling::Deny(refusal);
            }
            judgement.row_limit = judgement.row_limit.take().or(opened.row_limit);
            judgement.reach = stronger(judgement.reach, opened.reach);
            judgement.catalogue_wanted |= opened.wanted;
            judgement.masked_parameters = both(judgement.masked_parameters, opened.parameters);
            let schema = kind::ddl().union(KindSet::of(Kind::UNKNOWN));
            judgement.changes_catalogue |= opened.part.kinds.meets(schema);
            let unknown = self.map.catalogue.is_none() && !opened.part.relations.is_empty();
            judgement.wants_columns |= rules.has_column_masks() && (opened.reach != Reach::No || unknown);
            judgement.wants_columns |= super::detecting::may_detect(rules, &opened.part, self.catalogue);
            parts.push(opened.part);
        }
        // Of several, one could change what the next one calls.
        if parts.len() > 1 && judgement.speech == Speech::Free {
            judgement.speech = Speech::Withheld;
        }
        if parts.len() > 1
            && let Some(limit) = judgement.row_limit.take()
            && judgement.ruling == Ruling::Allow
        {
            judgement.ruling = Ruling::Deny(verdict::several_with_limit(limit));
        }
        judgement.parts = parts.into();
        judgement.reported = reported.into_iter().collect();
        judgement
    }

    fn open(&self, range: core::ops::Range<usize>) -> Opened {
        let tokens = self.tokens;
        let mut carried = carriers::open(tokens, range.clone());
        if carried.unsettles && tokens.statements().len() > 1 {
            // The next statement would run before anybody has asked.
            carried.opaque = Some(mysql::CHANGES_READING);
        }
        let unsettles = carried.unsettles;
        let statement = carried.query.clone().and_then(|query| bridge::parse(tokens.lexed, query));
        let facts = statement.as_ref().map(tree::facts);
        let read = self.read(&mut carried, facts.as_ref(), range.clone());
        let executed =
            carried.leading != Some(Kind::EXPLAIN) || carried.kinds.meets(KindSet::of(Kind::EXPLAIN_ANALYZE));
        if let Some(facts) = facts.as_ref().filter(|_| executed) {
            carried.kinds = carried.kinds.union(facts.kinds);
        }
        let own = carried.kinds;
        let Followed { called, codes } = self.follow(&mut carried, facts.as_ref(), read, range.clone());
        let ran = self.ran(&codes, own, range.clone());
        let (mut reach, wanted) = self.reach(&carried, facts.as_ref(), read, range.clone());
        let hides = self.hides_settings(&carried, facts.as_ref(), read, &range);
        if hides {
            reach = stronger(reach, Reach::Unknown);
        }
        let lineage = if hides { None } else { self.lineage(statement.as_ref(), read, reach) };
        let case = Case {
            map: self.map,
            catalogue: self.catalogue,
            tokens,
            range: range.clone(),
            carried: &carried,
            own,
            codes: &codes,
            statement: statement.as_ref(),
            facts: facts.as_ref(),
            lineage: lineage.as_ref(),
            read,
            reach,
            called: &called,
        };
        let refusal = verdict::refusal(&case);
        let reported = verdict::reported(&case);
        let kind_of = |name: &Name| self.catalogue.map_or(FunctionKind::BuiltIn, |known| known.function(&name.name));
        let unheard_of = read == Read::Tree
            && called.iter().any(|name| kind_of(name) == FunctionKind::Unknown && !reach::is_grammar(&name.name));
        // What stands behind a relation may change like what a function does.
        let of_users = |relation: &RelationUse| !relation.name.schema.as_deref().is_some_and(is_system_schema);
        let touches = facts.as_ref().is_some_and(|facts| facts.relations.iter().any(of_users))
            || own.meets(kind::write().union(kind::ddl()));
        let follows_code = unheard_of || touches || called.iter().any(|name| kind_of(name) == FunctionKind::User);
        let runs_code = codes.iter().any(|code| code.unknown.is_some() || !code.calls.is_empty());
        let changes_settings = codes.iter().any(|code| code.changes_settings);
        let unread = matches!(read, Read::Opaque(_)) || own.meets(KindSet::of(Kind::DO));
        let changes_encoding = unread || codes.iter().any(|code| code.changes_encoding);
        let unheard_of = unheard_of
            || self.catalogue.is_some_and(|catalogue| {
                let facts = facts.as_ref().filter(|_| read == Read::Tree);
                reach::names_unknown(catalogue, &carried, facts, tokens, range.clone())
            });
        let wanted = wanted || (unheard_of && self.map.rules.judges_statements());
        let speech = speech::of(&case, ran, runs_code);
        let comparisons = verdict::comparisons(&case);
        let row_limit = verdict::row_limit(&case);
        let parameters = self.parameters(statement.as_ref(), facts.as_ref(), reach);
        let has_where = !verdict::missing_where(&case);
        let (relations, functions, projection, set_operation) = match facts {
            Some(facts) => {
                (facts.relations, facts.functions.into_iter().collect(), facts.projection, facts.set_operation)
            }
            None => {
                let loaded = mysql::loaded(tokens, range.clone(), &carried);
                let written = |name| RelationUse { name, written: true, maybe_cte: false };
                (loaded.into_iter().map(written).collect(), Vec::new(), None, false)
            }
        };
        let kind = carried.leading.unwrap_or(Kind::UNKNOWN);
        let part = Part {
            kind,
            kinds: carried.kinds,
            range: tokens.bytes(&range),
            relations: relations.into(),
            functions: functions.into(),
            has_where,
            read,
            projection: projection.filter(|_| !hides).map(Into::into),
            lineage: lineage.map(Box::new),
            naming: later::naming(tokens, &range, kind),
            set_operation,
            copy: carried.copy,
            shows_others: carried.side_door || carried.plan_shows_values,
            single_table: statement.as_ref().and_then(projection::single_table),
        };
        Opened {
            part,
            reach,
            wanted,
            parameters,
            refusal,
            reported,
            follows_code,
            comparisons,
            ran,
            speech,
            runs_code,
            changes_settings,
            changes_encoding,
            row_limit,
            unsettles,
        }
    }

    /// Which stored columns flow where, once masked ones are in reach.
    fn lineage(
        &self,
        statement: Option<&sqlparser::ast::Statement>,
        read: Read,
        reach: Reach,
    ) -> Option<lineage::Lineage> {
        let (catalogue, _) = self.map.catalogue.filter(|_| reach != Reach::No && read == Read::Tree)?;
        let path = self.context.search_path.as_deref();
        lineage::of(statement?, lineage::Lookup { catalogue, path, view: None })
    }

    /// Whether it shows settings that hold what code out of sight may have put there.
    fn hides_settings(
        &self,
        carried: &Carried,
        facts: Option<&Facts>,
        read: Read,
        range: &core::ops::Range<usize>,
    ) -> bool {
        let code = || match facts {
            Some(facts) => self.calls_code(facts.functions.iter(), &facts.relations),
            None => !matches!(read, Read::Command | Read::Tree),
        };
        self.map.rules.has_column_masks()
            && (self.context.settings_in_doubt || code())
            && reported::shows_settings(self.tokens, range, carried.leading, &carried.bodies, self.catalogue)
    }

    /// Whether a statement may run code that is not seen.
    fn runs_code(&self, part: &Part) -> bool {
        !matches!(part.read, Read::Command | Read::Tree)
            || part.kinds.meets(KindSet::of(Kind::CALL).union(KindSet::of(Kind::DO)))
            || self.calls_code(part.functions.iter(), &part.relations)
    }

    /// Whether some function, or some function in a view, is not the server's own.
    fn calls_code<'n>(&self, mut functions: impl Iterator<Item = &'n Name>, relations: &[RelationUse]) -> bool {
        let built_in = |name: &str| match self.catalogue.map(|catalogue| catalogue.function(name)) {
            Some(FunctionKind::BuiltIn) => true,
            Some(FunctionKind::Unknown) | None => reach::is_grammar(name),
            Some(FunctionKind::User) => false,
        };
        let calls = |relation: &RelationUse| {
            let (schema, name) = (relation.name.schema.as_deref(), &*relation.name.name);
            self.catalogue.is_some_and(|known| known.named(schema, name).any(|view| known.is_calling_view(view.oid)))
        };
        functions.any(|function| !built_in(&function.name)) || relations.iter().any(calls)
    }

    fn changes_settings(&self, range: core::ops::Range<usize>, part: &Part) -> bool {
        let called = part.functions.iter().map(|function| &*function.name);
        settings::changed(self.tokens, range, (part.kinds, part.read), called, self.catalogue)
    }

    /// Whether some relation is named without a schema, and there are several of its name.
    fn has_namesakes(&self, part: &Part) -> bool {
        let Some((catalogue, _)) = self.map.catalogue else { return false };
        let mut open = part.relations.iter().filter(|relation| relation.name.schema.is_none());
        open.any(|relation| catalogue.named(None, &relation.name.name).nth(1).is_some())
    }

    /// Adds the code of the users that it calls or that runs behind it, and the classes of all that it runs.
    fn follow(
        &self,
        carried: &mut Carried,
        facts: Option<&Facts>,
        read: Read,
        range: core::ops::Range<usize>,
    ) -> Followed<'_> {
        let tokens = self.tokens;
        let is_user =
            |name: &str| self.catalogue.is_some_and(|catalogue| catalogue.function(name) == FunctionKind::User);
        let mut called: Vec<Name> = match facts.filter(|_| read == Read::Tree) {
            Some(facts) => {
                let dotted = matching::dotted_calls(tokens, range.clone(), &is_user);
                facts.functions.iter().cloned().chain(dotted).collect()
            }
            None => {
                let mut found = Vec::new();
                matching::token_calls(tokens, range.clone(), &is_user, &mut found);
                found
            }
        };
        for body in &carried.bodies {
            if let Ok(lexed) = Lexed::new(body.as_bytes(), tokens.lexed.options()) {
                let all = 0..lexed.tokens().len();
                matching::token_calls(Tokens::new(&lexed), all, &is_user, &mut called);
            }
        }
        let mut codes = Vec::new();
        // Planning alone may call a function that says it is immutable, so EXPLAIN is no exception.
        if let Some(catalogue) = self.catalogue {
            let touched = behind::touched(tokens, range.clone(), carried, facts, read, catalogue);
            let ran = catalogue.run(called.iter().map(|name| &*name.name), &touched);
            for code in &ran.codes {
                carried.kinds = carried.kinds.union(code.kinds);
                carried.bodies.push(Arc::clone(&code.text));
                called.extend(code.calls.iter().map(|name| Name { schema: None, name: name.clone() }));
            }
            if ran.is_open {
                carried.kinds.insert(Kind::UNKNOWN_CODE);
            }
            codes = ran.codes;
        }
        carried.kinds = carried.kinds.union(self.classes(carried, facts, read, range));
        if matches!(read, Read::Opaque(_)) {
            carried.kinds.insert(Kind::UNKNOWN_CODE);
        }
        Followed { called, codes }
    }

    /// What code of the users can get at that runs in a statement of these kinds, or has waited for it.
    fn ran(&self, codes: &[&Code], kinds: KindSet, range: core::ops::Range<usize>) -> Reach {
        if !self.map.rules.has_column_masks() {
            return Reach::No;
        }
        let reach = |codes: &[&Code]| codes.iter().fold(Reach::No, |all, code| stronger(all, self.code_reach(code)));
        let waiting = self.catalogue.filter(|_| behind::ends_waiting(kinds, self.tokens, range));
        let waited = waiting.map_or(Reach::No, |catalogue| {
            let ran = catalogue.run_at_commit();
            if ran.is_open { Reach::Unknown } else { reach(&ran.codes) }
        });
        stronger(reach(codes), waited)
    }

    fn code_reach(&self, code: &Code) -> Reach {
        if code.unknown.is_some() { Reach::Unknown } else { self.body_reach(&code.text) }
    }

    fn classes(&self, carried: &Carried, facts: Option<&Facts>, read: Read, range: core::ops::Range<usize>) -> KindSet {
        let listed = facts.filter(|_| read == Read::Tree);
        let is_relation =
            |name: &str| listed.is_none_or(|facts| facts.relations.iter().any(|relation| *relation.name.name == *name));
        let own = classes::of_tokens(self.tokens, range.clone(), self.catalogue, &is_relation);
        let command = classes::of_command(self.tokens, range, carried.kinds, carried.copy.as_ref());
        carried.bodies.iter().fold(own.union(command), |all, body| {
            let Ok(lexed) = Lexed::new(body.as_bytes(), self.tokens.lexed.options()) else { return all };
            let inside = 0..lexed.tokens().len();
            all.union(classes::of_tokens(Tokens::new(&lexed), inside, self.catalogue, &|_| true))
        })
    }

    /// How much of it was understood. What was not read may do whatever its keywords name.
    fn read(&self, carried: &mut Carried, facts: Option<&Facts>, range: core::ops::Range<usize>) -> Read {
        if carried.leading.is_none_or(|leading| leading == Kind::UNKNOWN) {
            return Read::Unread("it starts with no known keyword");
        }
        if let Some(reason) = carried.opaque {
            return Read::Opaque(reason);
        }
        let calls = |runs: fn(&str) -> bool| {
            range.clone().any(|at| {
                self.tokens.is_sign(at + 1, "(") && self.tokens.lexed.name(at).is_some_and(|name| runs(&name))
            })
        };
        let by_table = self.map.rules.denies().any(|(_, deny)| !deny.tables.is_empty());
        if calls(opaque::runs_statements) || (by_table && calls(opaque::is_opaque)) {
            return Read::Opaque("it calls a function that runs statements from strings");
        }
        if opaque::computes_setting(self.tokens, range.clone()) {
            return Read::Opaque("it computes the name of a setting");
        }
        match (&carried.query, facts) {
            (None, _) => Read::Command,
            (Some(_), Some(facts)) if facts.kinds.meets(KindSet::of(Kind::UNKNOWN)) => {
                carried.kinds = carried.kinds.union(carriers::keywords(self.tokens, range));
                Read::Unread("its tree is not one of PostgreSQL")
            }
            (Some(_), Some(_)) if self.names_uncertain(range.clone()) => Read::Unread("a name in it is not UTF-8"),
            (Some(_), Some(_)) => Read::Tree,
            (Some(_), None) => {
                carried.kinds = carried.kinds.union(carriers::keywords(self.tokens, range));
                Read::Unread("the parser does not read it")
            }
        }
    }

    /// Whether some name holds bytes whose character is not known.
    fn names_uncertain(&self, mut range: core::ops::Range<usize>) -> bool {
        if self.tokens.lexed.source().is_ascii() {
            return false;
        }
        range.any(|at| {
            let raw = self.tokens.lexed.tokens().get(at).map(|token| self.tokens.lexed.raw(token)).unwrap_or_default();
            self.tokens.is_name(at)
                && !raw.is_ascii()
                && (self.context.encoding != ClientEncoding::Utf8 || core::str::from_utf8(raw).is_err())
        })
    }

    fn reach(
        &self,
        carried: &Carried,
        facts: Option<&Facts>,
        read: Read,
        range: core::ops::Range<usize>,
    ) -> (Reach, bool) {
        if !self.map.rules.has_column_masks() {
            return (Reach::No, false);
        }
        let mut found = reach::by_tokens(self.map, self.tokens, range);
        for body in &carried.bodies {
            found = stronger(found, self.body_reach(body));
        }
        let later = [Kind::FETCH, Kind::EXECUTE, Kind::CALL].iter().any(|kind| carried.kinds.meets(KindSet::of(*kind)));
        let unread = matches!(read, Read::Unread(_) | Read::Opaque(_));
        if later || unread || carried.side_door {
            found = stronger(found, Reach::Unknown);
        }
        let mut wanted = false;
        if let Some(facts) = facts {
            let by_tree = reach::by_tree(self.map, facts, found);
            found = by_tree.reach;
            wanted = by_tree.catalogue_wanted;
            // What a query shows of definitions its lineage tells better than its tokens do.
            let defines = |(_, sight): (&Catalogue, &Sight)| {
                facts.relations.iter().any(|relation| sight.defined(&relation.name.name).is_some())
            };
            let query = read == Read::Tree && carried.kinds.within(KindSet::of(Kind::SELECT));
            if query && self.map.catalogue.is_some_and(defines) {
                found = stronger(found, Reach::Yes(RuleId::BUILT_IN));
            }
        }
        if let Some(copy) = &carried.copy
            && let super::copy::Source::Table { schema, name, .. } = &copy.source
            && !copy.to_server
        {
            let known =
                self.map.catalogue.map(|(catalogue, _)| catalogue.named(schema.as_deref(), name).next().is_some());
            if known != Some(true) {
                wanted = true;
                found = stronger(found, Reach::Unknown);
            }
        }
        (found, wanted)
    }

    fn body_reach(&self, body: &str) -> Reach {
        match Lexed::new(body.as_bytes(), self.tokens.lexed.options()) {
            Ok(lexed) => reach::by_tokens(self.map, Tokens::new(&lexed), 0..lexed.tokens().len()),
            Err(_) => Reach::Unknown,
        }
    }

    fn parameters(
        &self,
        statement: Option<&sqlparser::ast::Statement>,
        facts: Option<&Facts>,
        reach: Reach,
    ) -> MaskedParameters {
        if reach == Reach::No {
            return MaskedParameters::These(Box::default());
        }
        let (Some(statement), Some(facts), Some((_, sight))) = (statement, facts, self.map.catalogue) else {
            return MaskedParameters::All;
        };
        if facts.renames || facts.relations.iter().any(|relation| relation.maybe_cte) {
            return MaskedParameters::All;
        }
        parameters::masked(statement, &facts.parameters, &|name| {
            sight.is_masked_column(name) || facts.row_names.contains(name)
        })
    }
}

/// Whether a schema is the server's own.
fn is_system_schema(name: &str) -> bool {
    name == "pg_catalog" || name == "information_schema"
}

/// The stronger of two findings: Yes over Unknown over No; of two rules the first of the file.
fn stronger(a: Reach, b: Reach) -> Reach {
    match (a, b) {
        (Reach::Yes(x), Reach::Yes(y)) => Reach::Yes(x.min(y)),
        (Reach::Yes(rule), _) | (_, Reach::Yes(rule)) => Reach::Yes(rule),
        (Reach::Unknown, _) | (_, Reach::Unknown) => Reach::Unknown,
        (Reach::No, Reach::No) => Reach::No,
    }
}

fn both(a: MaskedParameters, b: MaskedParameters) -> MaskedParameters {
    match (a, b) {
        (MaskedParameters::These(a), MaskedParameters::These(b)) => {
            let mut all: Vec<u16> = a.iter().chain(&b).copied().collect();
            all.sort_unstable();
            all.dedup();
            MaskedParameters::These(all.into())
        }
        _ => MaskedParameters::All,
    }
}
