//! Which stored columns a statement reads or sets, with views followed to what they show.
//!
//! For rules on columns that are read or written. What is not certain comes out as unknown: the caller then goes by names.

use std::collections::BTreeSet;

use super::{Catalogue, Relation, views};
use crate::config::pattern::ColumnPattern;
use crate::statement::lineage::{Flow, Lineage};
use crate::statement::tree::{Name, RelationUse};

/// A stored column that is read; number 0 stands for all of its relation.
type Column = (u32, i16);

impl Catalogue {
    /// Whether a statement that names these relations reads a column that a pattern means, by what its values and
    /// conditions tell of; `None` where that is not known. A view's conditions count as read wherever it is named.
    pub(crate) fn reads<'n>(
        &self,
        lineage: &Lineage,
        named: impl Iterator<Item = &'n RelationUse>,
        pattern: &ColumnPattern,
    ) -> Option<bool> {
        let mut walk = Walk { catalogue: self, read: BTreeSet::new(), open: Vec::new(), conditions: Vec::new() };
        for relation in named {
            walk.name(relation)?;
        }
        for flow in lineage.flows() {
            walk.flow(flow)?;
        }
        walk.end()?;
        Some(walk.read.iter().any(|column| self.is_meant(*column, pattern)))
    }

    /// Whether a change that sets these columns of a relation, or all of them, may set one that a pattern means. What
    /// is set through a view is set in what its columns show.
    pub(crate) fn sets(&self, name: &Name, columns: Option<&[Box<str>]>, pattern: &ColumnPattern) -> bool {
        let (mut open, mut seen, mut known) = (Vec::new(), BTreeSet::new(), false);
        for relation in self.named(name.schema.as_deref(), &name.name) {
            known = true;
            let is_set =
                |column: &str| columns.is_none_or(|set| set.iter().any(|set| set.eq_ignore_ascii_case(column)));
            let set = relation.columns.iter().filter(|column| is_set(&column.name));
            open.extend(set.map(|column| (relation.oid, column.number)));
        }
        let by_name = pattern.column().is_none_or(|column| {
            pattern.may_reach(name.schema.as_deref(), &name.name)
                && columns.is_none_or(|set| set.iter().any(|set| set.eq_ignore_ascii_case(column)))
        });
        if by_name || !known {
            return by_name;
        }
        while let Some(column) = open.pop() {
            if !seen.insert(column) {
                continue;
            }
            let Some(relation) = self.relation(column.0) else { return true };
            if self.is_meant(column, pattern) {
                return true;
            }
            if relation.is_view() {
                let Some(lineage) = views::lineage(self, relation.oid) else { return true };
                if lineage.columns.len() != relation.columns.len() {
                    return true;
                }
                for (shown, output) in relation.columns.iter().zip(&lineage.columns) {
                    if column.1 == 0 || shown.number == column.1 {
                        if output.flow.is_unknown() {
                            return true;
                        }
                        open.extend(output.flow.origins().iter().map(|origin| (origin.relation, origin.column)));
                    }
                }
            }
        }
        false
    }

    fn is_meant(&self, (oid, number): Column, pattern: &ColumnPattern) -> bool {
        let Some(relation) = self.relation(oid) else { return true };
        let behind = if relation.is_view() { Vec::new() } else { self.behind(oid) };
        let mut read = relation.columns.iter().filter(|column| number == 0 || column.number == number);
        read.any(|column| {
            let meant = |relation: &Relation| pattern.matches(&relation.schema, &relation.name, &column.name);
            meant(relation) || behind.iter().any(|parent| meant(parent))
        })
    }
}

struct Walk<'c> {
    catalogue: &'c Catalogue,
    read: BTreeSet<Column>,
    /// Columns of `read` that are not followed yet.
    open: Vec<Column>,
    /// Views whose conditions count as read.
    conditions: Vec<u32>,
}

impl Walk<'_> {
    /// A relation that is named. One whose columns are not known one by one ends the walk.
    fn name(&mut self, named: &RelationUse) -> Option<()> {
        let (name, mut known) = (&named.name, named.maybe_cte);
        for relation in self.catalogue.named(name.schema.as_deref(), &name.name) {
            known = true;
            self.relation(relation)?;
        }
        known.then_some(())
    }

    fn relation(&mut self, relation: &Relation) -> Option<()> {
        let open = relation.columns.is_empty() || relation.is_system();
        if relation.is_view() && !self.conditions.contains(&relation.oid) {
            self.conditions.push(relation.oid);
        }
        (!open).then_some(())
    }

    fn flow(&mut self, flow: &Flow) -> Option<()> {
        if flow.is_unknown() {
            return None;
        }
        for column in flow.origins().iter().map(|origin| (origin.relation, origin.column)) {
            if self.read.insert(column) {
                self.open.push(column);
            }
        }
        Some(())
    }

    /// Follows views until nothing new is read.
    fn end(&mut self) -> Option<()> {
        let mut done = 0;
        loop {
            if let Some(view) = self.conditions.get(done).copied() {
                done += 1;
                self.view(view)?;
            } else if let Some((oid, number)) = self.open.pop() {
                let relation = self.catalogue.relation(oid)?;
                if relation.is_view() {
                    self.shown(relation, number)?;
                }
            } else {
                return Some(());
            }
        }
    }

    /// What a view's conditions read, and the views behind it.
    fn view(&mut self, view: u32) -> Option<()> {
        let lineage = views::lineage(self.catalogue, view)?;
        for used in &lineage.uses {
            self.flow(&used.flow)?;
        }
        for (oid, _) in self.catalogue.depends.get(&view)? {
            self.relation(self.catalogue.relation(*oid)?)?;
        }
        Some(())
    }

    /// What a column of a view shows.
    fn shown(&mut self, view: &Relation, number: i16) -> Option<()> {
        let lineage = views::lineage(self.catalogue, view.oid)?;
        let certain =
            lineage.columns.len() == view.columns.len() && !lineage.columns.iter().any(|output| output.spread);
        for (column, output) in view.columns.iter().zip(&lineage.columns) {
            if !certain || number == 0 || column.number == number {
                self.flow(&output.flow)?;
            }
        }
        certain.then_some(())
    }
}
