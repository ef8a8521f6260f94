//! The plan for the rows of a result.

use std::sync::Arc;

use wire::value::{Column, NamedOrigin, Origin};

use crate::catalogue::{Catalogue, ColumnMask, FunctionKind, Relation, Sight};
use crate::detect::DetectorSet;
use crate::mask::{ColumnSpec, Method, RowMask};
use crate::rule::RuleId;
use crate::snapshot::UserRules;
use crate::statement::kind::{self, Kind, KindSet};
use crate::statement::lineage::{self, Output};
use crate::statement::{Item, Judgement, Part, Reach};

/// What is to happen to the rows of a result.
#[derive(Clone, Debug)]
pub struct RowDecision {
    /// What masks them; `None` where they pass uninspected.
    pub mask: Option<RowMask>,
    /// Whether a column came from a relation that the catalogue does not know: it was masked, and the
    /// catalogue must be loaded before the next statement.
    pub catalogue_stale: bool,
}

/// Decides about the rows under a description.
///
/// `description` counts the descriptions that the text has brought so far, from 0; `columns` are those of
/// this one; `catalogue` is the newest one.
#[must_use]
pub fn plan_rows(
    rules: &UserRules,
    judgement: &Judgement,
    description: u32,
    columns: &[Column],
    catalogue: Option<&Catalogue>,
) -> RowDecision {
    if !rules.has_column_masks() && !rules.has_detectors() {
        return RowDecision { mask: None, catalogue_stale: false };
    }
    let sight = catalogue.filter(|_| rules.has_column_masks()).map(|catalogue| catalogue.sight(rules));
    let part = described(judgement, description);
    let planner = Planner { rules, judgement, part, catalogue, sight: sight.as_deref() };
    planner.plan(columns)
}

/// The statement that a description belongs to; `None` where that cannot be told.
///
/// In a text of several statements only those count on each other whose number of descriptions is certain:
/// queries bring one, transaction control and SET none. Rules on tables can make a change of rows bring any.
fn described(judgement: &Judgement, description: u32) -> Option<&Part> {
    if let [part] = &*judgement.parts {
        return Some(part);
    }
    let mut ahead = description;
    for part in &judgement.parts {
        let shows = match part.kind {
            Kind::SELECT => !part.kinds.meets(KindSet::of(Kind::CREATE_TABLE_AS)),
            Kind::SHOW => true,
            Kind::BEGIN | Kind::COMMIT | Kind::ROLLBACK | Kind::SAVEPOINT | Kind::SET | Kind::RESET => false,
            _ => return None,
        };
        match (shows, ahead) {
            (true, 0) => return Some(part),
            (true, _) => ahead -= 1,
            (false, _) => {}
        }
    }
    None
}

/// A column of the result: where it stands, and what it tells of where that is known.
#[derive(Clone, Copy)]
struct Place<'p> {
    index: usize,
    count: usize,
    shown: Option<&'p Output>,
}

struct Planner<'p> {
    rules: &'p UserRules,
    judgement: &'p Judgement,
    part: Option<&'p Part>,
    catalogue: Option<&'p Catalogue>,
    sight: Option<&'p Sight>,
}

impl Planner<'_> {
    fn plan(&self, columns: &[Column]) -> RowDecision {
        let mut stale = false;
        let shown = self.shown(columns);
        let specs: Vec<ColumnSpec> = columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                let place =
                    Place { index, count: columns.len(), shown: shown.as_ref().and_then(|shown| shown.get(index)) };
                self.column(place, column, &mut stale)
            })
            .collect();
        let idle = specs.iter().all(|spec| spec.mask.is_none() && spec.detectors.is_none());
        RowDecision { mask: if idle { None } else { Some(RowMask::new(specs)) }, catalogue_stale: stale }
    }

    /// What each column tells of, where the statement's values are followed and the server agrees: an origin that
    /// it gives and the lineage does not have means that a name was taken for another.
    fn shown(&self, columns: &[Column]) -> Option<Vec<Output>> {
        let (catalogue, part) = (self.catalogue?, self.part?);
        // DECLARE and PREPARE show no rows themselves: FETCH and EXECUTE ask here for theirs.
        let carriers = KindSet::of(Kind::DECLARE).union(KindSet::of(Kind::PREPARE));
        let queries = KindSet::of(Kind::SELECT).union(kind::write()).union(carriers);
        let lineage = part.lineage.as_ref().filter(|_| KindSet::of(part.kind).within(queries))?;
        let shown = lineage.aligned(columns.len())?;
        let agrees = |(column, output): (&Column, &Output)| match column.origin {
            Origin::Attribute { relation, number } if number > 0 && !output.spread && !output.flow.is_unknown() => {
                let open = catalogue.relation(relation).is_none_or(|relation| relation.columns.is_empty());
                let mut origins = output.flow.origins().iter();
                open || origins
                    .any(|origin| origin.relation == relation && (origin.column == number || origin.column == 0))
            }
            _ => true,
        };
        columns.iter().zip(&shown).all(agrees).then_some(shown)
    }

    fn column(&self, place: Place<'_>, column: &Column, stale: &mut bool) -> ColumnSpec {
        let (origin, mask) = match &column.origin {
            Origin::None | Origin::Attribute { relation: 0, .. } => (None, self.mask(place, None, stale)),
            Origin::Attribute { relation, number } => {
                let origin = Some((*relation, *number));
                (origin, self.mask(place, origin, stale))
            }
            Origin::Named(names) => {
                let named = self.named(names);
                let mask = self.mask(place, None, stale).or_else(|| self.mask_by_name(named));
                (named.filter(|origin| is_stored(place, *origin)), mask)
            }
        };
        let known = origin.and_then(|(relation, _)| self.catalogue?.relation(relation));
        let nullable = match (known, origin) {
            // An outer join makes NULL of any column; its client has to expect it.
            (Some(relation), Some((_, number))) => relation.column(number).is_none_or(|column| !column.not_null),
            _ => true,
        };
        let detectors = match mask {
            Some((_, ref method)) if !method.is_partial() => None,
            _ => self.detectors(known, origin),
        };
        ColumnSpec { value_type: column.value_type, encoding: column.encoding, nullable, mask, detectors }
    }

    /// The column that a server means by names: its relation and its number.
    fn named(&self, names: &NamedOrigin) -> Option<(u32, i16)> {
        let lower = |name: &str| name.to_ascii_lowercase();
        let (schema, column) = (lower(&names.schema), lower(&names.column));
        let mut relations = self.catalogue?.named(Some(&schema), &lower(&names.relation));
        let relation = relations.next().filter(|_| relations.next().is_none())?;
        let column = relation.columns.iter().find(|known| *known.name == *column)?;
        Some((relation.oid, column.number))
    }

    /// The mask of a column that a server names, whatever the statement says.
    ///
    /// A name can only add a mask: a derived table, or one of a session's own, may bear that of a relation.
    fn mask_by_name(&self, named: Option<(u32, i16)>) -> Option<(RuleId, Method)> {
        let (relation, number) = named?;
        match self.sight?.mask_of(relation, number) {
            ColumnMask::Masked(rule, method) => Some((rule, method)),
            ColumnMask::UnknownRelation | ColumnMask::None => None,
        }
    }

    fn mask(&self, place: Place<'_>, origin: Option<(u32, i16)>, stale: &mut bool) -> Option<(RuleId, Method)> {
        if !self.rules.has_column_masks() {
            return None;
        }
        let Some((relation, number)) = origin else { return self.computed(place) };
        let found = self.sight.map_or(ColumnMask::UnknownRelation, |sight| sight.mask_of(relation, number));
        match found {
            // What masks one value in parts leaves another open, and not every row need be of this column.
            ColumnMask::Masked(rule, method) if method.is_partial() && !self.origin_holds() => {
                self.computed(place).or(Some((rule, Method::Redact)))
            }
            ColumnMask::Masked(rule, method) => Some((rule, method)),
            ColumnMask::UnknownRelation => {
                *stale = true;
                Some((RuleId::UNKNOWN_ORIGIN, Method::Redact))
            }
            // The origin may be that of the first branch of a UNION, or of a cursor over one.
            ColumnMask::None if self.origin_holds() => None,
            ColumnMask::None => self.computed(place),
        }
    }

    /// Whether an origin is that of every row.
    fn origin_holds(&self) -> bool {
        if self.judgement.reach == Reach::No {
            return true;
        }
        let later = KindSet::of(Kind::FETCH).union(KindSet::of(Kind::EXECUTE)).union(KindSet::of(Kind::CALL));
        match self.part {
            Some(part) => {
                !part.set_operation
                    && !part.kinds.meets(later)
                    && matches!(part.read, crate::statement::Read::Tree | crate::statement::Read::Command)
            }
            None => {
                let certain = |part: &Part| !part.set_operation && !part.kinds.meets(later);
                self.judgement.parts.iter().all(certain)
            }
        }
    }

    /// The mask of a value without an origin.
    fn computed(&self, place: Place<'_>) -> Option<(RuleId, Method)> {
        let mut hidden = false;
        if let (Some(output), Some(sight)) = (place.shown, self.sight) {
            match sight.mask_of_output(output) {
                ColumnMask::Masked(rule, method) => return Some((rule, method)),
                ColumnMask::None => return None,
                ColumnMask::UnknownRelation => hidden = output.flow.is_hidden(),
            }
        }
        let rule = match self.judgement.reach {
            Reach::No => return None,
            Reach::Yes(rule) => rule,
            Reach::Unknown => self.rules.computed_mask()?.0,
        };
        let passes = !hidden && self.part.is_some_and(|part| self.reveals_nothing(part, place.index, place.count));
        if passes { None } else { Some((rule, Method::Redact)) }
    }

    fn reveals_nothing(&self, part: &Part, index: usize, count: usize) -> bool {
        match part.kind {
            // The server's own words about a plan, unless a function of the users was run to make it: a plan shows
            // what an immutable one gave, as a constant.
            Kind::EXPLAIN => self.judgement.reach != Reach::Unknown && !self.judgement.runs_code && !part.shows_others,
            Kind::SHOW => self.judgement.reach != Reach::Unknown && !part.shows_others,
            _ => {
                let Some(items) = &part.projection else { return false };
                let plain = items.len() == count && !items.iter().any(|item| matches!(item, Item::Wildcard { .. }));
                let item = items.get(index).filter(|_| plain && !part.set_operation);
                item.is_some_and(|item| constant(item, self.catalogue))
            }
        }
    }

    fn detectors(&self, known: Option<&Relation>, origin: Option<(u32, i16)>) -> Option<Arc<DetectorSet>> {
        if !self.rules.has_detectors() {
            return None;
        }
        detectors_of(self.rules, self.catalogue, known, origin.map_or(0, |(_, number)| number), self.origin_holds())
    }
}

/// Whether a result shows the values of a column as they are stored, by what is known of the statement.
fn is_stored(place: Place<'_>, (relation, number): (u32, i16)) -> bool {
    place.shown.is_some_and(|shown| {
        let own = |origin: &lineage::Origin| *origin == lineage::Origin::new(relation, number);
        shown.plain
            && !shown.spread
            && !shown.flow.is_unknown()
            && matches!(shown.flow.origins(), [origin] if own(origin))
    })
}

/// The detectors for a column of a relation, or for a value of unknown origin.
///
/// Views and relations with parents get all detectors: their patterns may be meant for what is behind them.
pub(super) fn detectors_of(
    rules: &UserRules,
    catalogue: Option<&Catalogue>,
    relation: Option<&Relation>,
    number: i16,
    origin_holds: bool,
) -> Option<Arc<DetectorSet>> {
    let plain = relation.filter(|relation| {
        origin_holds && !relation.is_view() && catalogue.is_some_and(|catalogue| !catalogue.inherits(relation.oid))
    });
    match plain.and_then(|relation| Some((relation, relation.column(number)?))) {
        Some((relation, column)) => {
            rules.detectors_where(|pattern| pattern.matches(&relation.schema, &relation.name, &column.name))
        }
        None => rules.detectors_everywhere(),
    }
}

/// Whether an item of a SELECT list can show no stored value.
pub(crate) fn constant(item: &Item, catalogue: Option<&Catalogue>) -> bool {
    let Item::Computed { constant: true, calls, .. } = item else { return false };
    calls.iter().all(|call| {
        let built_in = catalogue.is_some_and(|catalogue| catalogue.function(&call.name) == FunctionKind::BuiltIn);
        built_in && !crate::statement::shows_more_than_arguments(&call.name)
    })
}
