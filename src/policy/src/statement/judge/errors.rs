//! Whether errors of a statement may quote masked data, by what it works on.

use super::{Opened, Reader};
use crate::catalogue::{ColumnMask, Relation};
use crate::statement::kind::{self, Kind, KindSet};
use crate::statement::{Part, Reach, lineage};

impl Reader<'_, '_, '_> {
    /// Whether an error of a statement may quote masked data. A query that computes nothing from it cannot,
    /// unless a view computes something on the way; a change of rows can, because constraints quote whole rows.
    pub(super) fn quotes(&self, opened: &Opened) -> bool {
        if opened.ran != Reach::No {
            return true;
        }
        if self.works_on_masked(&opened.part) {
            return true;
        }
        let (Some(lineage), Some((catalogue, sight))) = (&opened.part.lineage, self.map.catalogue) else {
            return opened.reach != Reach::No;
        };
        let views = opened.part.relations.iter().any(|relation| {
            let (schema, name) = (relation.name.schema.as_deref(), &*relation.name.name);
            sight.reached(name).is_some() && catalogue.named(schema, name).any(Relation::is_view)
        });
        let queries = opened.part.kinds.within(KindSet::of(Kind::SELECT));
        let masked = |flow: &lineage::Flow| sight.mask_of_value(flow, false) != ColumnMask::None;
        !queries || views || lineage.flows().any(masked)
    }

    /// Whether it works on masked rows without naming the relation that they are of: through a view that shows nothing
    /// of them, or, changing them, through a parent. An error may quote such a row whole.
    fn works_on_masked(&self, part: &Part) -> bool {
        let Some((catalogue, sight)) = self.map.catalogue else { return false };
        let writes = part.kinds.meets(kind::write());
        let named = part.relations.iter().flat_map(|relation| catalogue.named(None, &relation.name.name));
        let through = named.filter(|relation| writes || relation.is_view()).map(|relation| relation.oid);
        let beneath = catalogue.beneath(through);
        let is_stored = |oid: &&u32| catalogue.relation(**oid).is_some_and(|relation| !relation.is_system());
        beneath.iter().filter(is_stored).any(|oid| sight.mask_of(*oid, 0) != ColumnMask::None)
    }
}
