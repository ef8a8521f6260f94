//! The plan for COPY data on its way to the client.
//!
//! COPY sends no description, so columns are found by name: those of the table, or of the one table that
//! a query reads. Wherever counts or names do not fit, every column is masked.

use wire::guard::{CopyShape, CopySyntax};
use wire::value::{Encoding, ValueType};

use super::rows::detectors_of;
use crate::catalogue::{Catalogue, Column, ColumnMask, Relation, Sight, both};
use crate::mask::{ColumnSpec, Method, RowMask};
use crate::rule::RuleId;
use crate::snapshot::UserRules;
use crate::statement::copy::{Copy, Source};
use crate::statement::lineage::Output;
use crate::statement::{Item, Judgement, Name, Part, Reach};

/// What is to happen to COPY data.
#[derive(Clone, Debug)]
pub enum CopyDecision {
    /// No rule concerns it.
    Forward,
    /// Its values are masked.
    Mask {
        /// What masks them, one column for each of the data.
        mask: Box<RowMask>,
        /// How to find the values.
        syntax: CopySyntax,
        /// What stands for NULL in text and CSV.
        null: Box<[u8]>,
    },
}

/// Decides about the data of the `description`-th COPY of a text, and whether the catalogue must be
/// loaded before the next statement.
#[must_use]
pub fn plan_copy(
    rules: &UserRules,
    judgement: &Judgement,
    description: u32,
    shape: CopyShape,
    catalogue: Option<&Catalogue>,
) -> (CopyDecision, bool) {
    if !rules.has_column_masks() && !rules.has_detectors() {
        return (CopyDecision::Forward, false);
    }
    let sight = catalogue.filter(|_| rules.has_column_masks()).map(|catalogue| catalogue.sight(rules));
    let part = copying(judgement, description);
    let planner = Planner { rules, judgement, catalogue, sight: sight.as_deref(), shape };
    let columns = part.and_then(|(part, copy)| planner.columns(part, copy));
    let stale = columns.is_none() && rules.has_column_masks();
    let columns = columns.unwrap_or_else(|| vec![planner.unknown(); shape.columns]);
    if columns.iter().all(|column| column.mask.is_none() && column.detectors.is_none()) {
        return (CopyDecision::Forward, stale);
    }
    // A COPY under a mask whose syntax is not known was refused; what only detectors look at is read as text.
    let known = part
        .and_then(|(_, copy)| copy.syntax.clone())
        .filter(|(syntax, _)| (*syntax == CopySyntax::Binary) == shape.binary);
    let (syntax, null) = known.unwrap_or_else(|| (guess(shape), Box::from(&b"\\N"[..])));
    (CopyDecision::Mask { mask: Box::new(RowMask::new(columns)), syntax, null }, stale)
}

fn guess(shape: CopyShape) -> CopySyntax {
    if shape.binary { CopySyntax::Binary } else { CopySyntax::Text { delimiter: b'\t', header: false } }
}

/// The statement whose data comes.
fn copying(judgement: &Judgement, description: u32) -> Option<(&Part, &Copy)> {
    let mut copies =
        judgement.parts.iter().filter_map(|part| Some((part, part.copy.as_ref().filter(|copy| !copy.to_server)?)));
    if judgement.parts.len() == 1 {
        return copies.next();
    }
    // Descriptions of rows count, too: with other statements around it is only certain if there is one COPY.
    let first = copies.next();
    if copies.next().is_some() || description > u32::try_from(judgement.parts.len()).unwrap_or(u32::MAX) {
        None
    } else {
        first
    }
}

struct Planner<'p> {
    rules: &'p UserRules,
    judgement: &'p Judgement,
    catalogue: Option<&'p Catalogue>,
    sight: Option<&'p Sight>,
    shape: CopyShape,
}

impl<'p> Planner<'p> {
    fn encoding(&self) -> Encoding {
        if self.shape.binary { Encoding::PgBinary } else { Encoding::Text }
    }

    /// A column of which nothing is known.
    fn unknown(&self) -> ColumnSpec {
        let mask = match self.judgement.reach {
            Reach::No => None,
            Reach::Yes(rule) => Some((rule, Method::Redact)),
            Reach::Unknown => Some((RuleId::UNKNOWN_ORIGIN, Method::Redact)),
        };
        let mask = mask.filter(|_| self.rules.has_column_masks());
        let detectors = if mask.is_some() { None } else { self.rules.detectors_everywhere() };
        ColumnSpec { value_type: ValueType::Unknown, encoding: self.encoding(), nullable: true, mask, detectors }
    }

    /// The columns by name; `None` where they do not fit the data.
    fn columns(&self, part: &Part, copy: &Copy) -> Option<Vec<ColumnSpec>> {
        let specs: Vec<ColumnSpec> = match &copy.source {
            Source::Table { schema, name, columns } => {
                let name = Name { schema: schema.clone(), name: name.clone() };
                let candidates = self.candidates(&name)?;
                match columns {
                    Some(names) => names.iter().map(|name| self.named(&candidates, name)).collect::<Option<_>>()?,
                    None => self.all(&candidates, true)?,
                }
            }
            Source::Query => self.query(part)?,
            Source::Unknown => return None,
        };
        (specs.len() == self.shape.columns).then_some(specs)
    }

    /// The columns of a query by what they tell of.
    fn followed(&self, part: &Part) -> Option<Vec<ColumnSpec>> {
        let (sight, lineage) = (self.sight?, part.lineage.as_ref()?);
        let shown = lineage.aligned(self.shape.columns)?;
        Some(shown.iter().map(|output| self.shown(sight, output)).collect())
    }

    fn shown(&self, sight: &Sight, output: &Output) -> ColumnSpec {
        let mut spec = self.unknown();
        // A column as it stands has the type of the one that it is.
        let stored = match output.flow.origins() {
            [origin] if output.plain && origin.path.is_none() => {
                self.catalogue.and_then(|catalogue| catalogue.relation(origin.relation))
            }
            _ => None,
        };
        let number = output.flow.origins().first().map_or(0, |origin| origin.column);
        if let Some(column) = stored.and_then(|relation| relation.column(number)) {
            (spec.value_type, spec.nullable) = (column.value_type, !column.not_null);
        }
        match sight.mask_of_output(output) {
            ColumnMask::Masked(rule, method) => {
                if method.is_partial() && self.rules.has_detectors() {
                    spec.detectors = detectors_of(self.rules, self.catalogue, stored, number, true);
                }
                spec.mask = Some((rule, method));
            }
            ColumnMask::UnknownRelation => {}
            ColumnMask::None => {
                spec.mask = None;
                if self.rules.has_detectors() {
                    spec.detectors = detectors_of(self.rules, self.catalogue, stored, number, true);
                }
            }
        }
        spec
    }

    /// The columns of a query that shows plain columns of one table, by their names.
    fn query(&self, part: &Part) -> Option<Vec<ColumnSpec>> {
        if let Some(followed) = self.followed(part) {
            return Some(followed);
        }
        if part.set_operation {
            return None;
        }
        let items = part.projection.as_deref()?;
        let candidates = part.single_table.as_ref().and_then(|name| self.candidates(name));
        let mut specs = Vec::new();
        for item in items {
            match item {
                Item::Column { name, .. } => {
                    let known = candidates.as_ref().and_then(|candidates| self.named(candidates, name));
                    specs.push(known.unwrap_or_else(|| self.unknown()));
                }
                Item::Wildcard { .. } => specs.extend(self.all(candidates.as_ref()?, false)?),
                Item::Computed { .. } => {
                    let mut spec = self.unknown();
                    if super::rows::constant(item, self.catalogue) {
                        spec.mask = None;
                        spec.detectors = self.rules.detectors_everywhere();
                    }
                    specs.push(spec);
                }
            }
        }
        Some(specs)
    }

    /// Every relation that the name may mean; `None` if there is none.
    fn candidates(&self, name: &Name) -> Option<Vec<&'p Relation>> {
        let found: Vec<_> = self.catalogue?.named(name.schema.as_deref(), &name.name).collect();
        if found.is_empty() { None } else { Some(found) }
    }

    fn all(&self, candidates: &[&Relation], stored_only: bool) -> Option<Vec<ColumnSpec>> {
        let fits = |relation: &&&Relation| {
            let count = relation.columns.iter().filter(|column| !(stored_only && column.generated)).count();
            count > 0 && (count == self.shape.columns || !stored_only)
        };
        // Of several relations of the name, all must agree on the columns, or nothing is known.
        let first = candidates.iter().find(fits)?;
        let names: Vec<_> = first
            .columns
            .iter()
            .filter(|column| !(stored_only && column.generated))
            .map(|column| &column.name)
            .collect();
        let agree = candidates.iter().all(|other| {
            other
                .columns
                .iter()
                .filter(|column| !(stored_only && column.generated))
                .map(|column| &column.name)
                .eq(names.iter().copied())
        });
        if !agree {
            return None;
        }
        names.into_iter().map(|name| self.named(candidates, name)).collect()
    }

    /// A column by its name, masked as in any relation that may be meant.
    fn named(&self, candidates: &[&Relation], name: &str) -> Option<ColumnSpec> {
        let columns: Vec<(&Relation, &Column)> = candidates
            .iter()
            .filter_map(|relation| Some((*relation, relation.columns.iter().find(|column| *column.name == *name)?)))
            .collect();
        let (relation, column) = columns.first()?;
        let masks = columns.iter().filter_map(|(relation, column)| self.mask(relation, column));
        let mask = masks.reduce(|one, other| both(&one, &other));
        let value_type = if columns.len() == 1 { column.value_type } else { ValueType::Unknown };
        let known = if columns.len() == 1 { Some(*relation) } else { None };
        let detectors = match mask {
            Some((_, ref method)) if !method.is_partial() => None,
            _ if !self.rules.has_detectors() => None,
            _ => detectors_of(self.rules, self.catalogue, known, column.number, true),
        };
        Some(ColumnSpec { value_type, encoding: self.encoding(), nullable: !column.not_null, mask, detectors })
    }

    fn mask(&self, relation: &Relation, column: &Column) -> Option<(RuleId, Method)> {
        if !self.rules.has_column_masks() {
            return None;
        }
        match self.sight?.mask_of(relation.oid, column.number) {
            ColumnMask::Masked(rule, method) => Some((rule, method)),
            ColumnMask::None => None,
            ColumnMask::UnknownRelation => Some((RuleId::UNKNOWN_ORIGIN, Method::Redact)),
        }
    }
}
