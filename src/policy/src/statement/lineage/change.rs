//! Changes of rows: what goes where, and what RETURNING shows.

use sqlparser::ast::{
    Assignment, AssignmentTarget, ConflictTarget, Delete, Expr, FromTable, Insert, Merge, MergeAction, MergeInsertKind,
    MergeUpdateKind, ObjectName, OnConflictAction, OnInsert, OutputClause, SelectItem, Statement, TableObject, Update,
    UpdateTableFromKind,
};

use super::flow::{Column, Flow, Origin, Value};
use super::scope::{Level, Scope, Shape, Source};
use super::{How, Place, Resolver};

impl<'a> Resolver<'a> {
    /// The columns that a statement gives; `None` for one that is no query and changes no rows.
    pub(super) fn statement(&mut self, statement: &'a Statement, scope: &Scope<'_, 'a>) -> Option<Vec<Column<'a>>> {
        match statement {
            Statement::Query(query) => Some(self.query(query, scope)),
            Statement::Insert(insert) => Some(self.insert(insert, scope)),
            Statement::Update(update) => Some(self.update(update, scope)),
            Statement::Delete(delete) => Some(self.delete(delete, scope)),
            Statement::Merge(merge) => Some(self.merge_into(merge, scope)),
            _ => None,
        }
    }

    fn insert(&mut self, insert: &'a Insert, scope: &Scope<'_, 'a>) -> Vec<Column<'a>> {
        let TableObject::TableName(name) = &insert.table else { return unread() };
        // A WITH may stand before the source, and is in sight of ON CONFLICT and RETURNING then; the parser puts
        // one before INSERT into the query around it.
        let values: Vec<Column<'a>> = match &insert.source {
            Some(query) => self.query(query, scope),
            None => Vec::new(),
        };
        let mut target = self.table(name, None, scope);
        if let Shape::Columns(_) | Shape::Pending = target.shape {
            // A CTE cannot be written to: the relation of that name is meant.
            target = self.table(name, None, &Scope::empty());
        }
        if let Some(alias) = &insert.table_alias {
            target.name = Some(&alias.alias.value);
            target.aliased = true;
        }
        let places = if insert.columns.is_empty() {
            Places::InOrder
        } else {
            Places::Named(insert.columns.iter().filter_map(first_part).collect())
        };
        self.stored(&target, &places, &values);
        // MySQL's `INSERT … SET column = value`.
        self.assigned(&target, &insert.assignments, &scope.inside(&Level::single(target.clone())));
        let excluded = excluded(&target, &places, &values);
        let mut level = Level::single(target.clone());
        match &insert.on {
            Some(OnInsert::OnConflict(conflict)) => {
                if let Some(ConflictTarget::Columns(columns)) = &conflict.conflict_target {
                    for column in columns {
                        let value = scope.inside(&level).column(&column.value).unwrap_or_else(Value::unknown);
                        // As many comparisons as rows come, which nobody has counted.
                        self.uses(value.flow, How::Conflict);
                    }
                }
                if let OnConflictAction::DoUpdate(update) = &conflict.action {
                    level.push(Source::new(Some("excluded"), Shape::Columns(excluded.into())));
                    let inner = scope.inside(&level);
                    self.assigned(&target, &update.assignments, &inner);
                    if let Some(condition) = &update.selection {
                        self.condition(condition, How::Conflict, &inner);
                    }
                }
            }
            Some(OnInsert::DuplicateKeyUpdate(assignments)) => {
                self.assigned(&target, assignments, &scope.inside(&level));
            }
            Some(_) => self.uses(Flow::unknown(), How::Conflict),
            None => {}
        }
        self.returning(insert.returning.as_deref(), &target, Level::single(target.clone()), scope)
    }

    fn update(&mut self, update: &'a Update, scope: &Scope<'_, 'a>) -> Vec<Column<'a>> {
        let mut level = Level::default();
        self.factor(&update.table.relation, &mut level, scope);
        let Some(target) = level.sources.first().cloned() else { return unread() };
        if !update.table.joins.is_empty() || update.output.is_some() || !update.order_by.is_empty() {
            self.writes(Value::unknown(), Place::Unknown);
            return unread();
        }
        if let Some(UpdateTableFromKind::BeforeSet(from) | UpdateTableFromKind::AfterSet(from)) = &update.from {
            self.from(from, &mut level, scope);
        }
        let inner = scope.inside(&level);
        self.assigned(&target, &update.assignments, &inner);
        if let Some(condition) = &update.selection {
            self.condition(condition, How::Where, &inner);
        }
        self.returning(update.returning.as_deref(), &target, level, scope)
    }

    fn delete(&mut self, delete: &'a Delete, scope: &Scope<'_, 'a>) -> Vec<Column<'a>> {
        let (FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables)) = &delete.from;
        let mut level = Level::default();
        self.from(tables, &mut level, scope);
        if let Some(using) = &delete.using {
            self.from(using, &mut level, scope);
        }
        if let Some(condition) = &delete.selection {
            self.condition(condition, How::Where, &scope.inside(&level));
        }
        let Some(target) = level.sources.first().cloned() else { return unread() };
        if delete.output.is_some() || !delete.order_by.is_empty() || delete.limit.is_some() {
            self.uses(Flow::unknown(), How::Where);
        }
        self.returning(delete.returning.as_deref(), &target, level, scope)
    }

    fn merge_into(&mut self, merge: &'a Merge, scope: &Scope<'_, 'a>) -> Vec<Column<'a>> {
        let mut level = Level::default();
        self.factor(&merge.table, &mut level, scope);
        let Some(target) = level.sources.first().cloned() else { return unread() };
        self.factor(&merge.source, &mut level, scope);
        let inner = scope.inside(&level);
        self.condition(&merge.on, How::Join, &inner);
        for clause in &merge.clauses {
            if let Some(condition) = &clause.predicate {
                self.condition(condition, How::Where, &inner);
            }
            match &clause.action {
                MergeAction::Insert(insert) => match &insert.kind {
                    MergeInsertKind::Values(values) => {
                        let places = if insert.columns.is_empty() {
                            Places::InOrder
                        } else {
                            Places::Named(insert.columns.iter().filter_map(first_part).collect())
                        };
                        for row in &values.rows {
                            let row: Vec<Column<'a>> =
                                row.iter().map(|expr| Column::new(None, self.expr(expr, &inner))).collect();
                            self.stored(&target, &places, &row);
                        }
                    }
                    MergeInsertKind::Row | MergeInsertKind::Wildcard => {
                        self.writes(Value::unknown(), Place::Unknown);
                    }
                },
                MergeAction::Update(update) => match &update.kind {
                    MergeUpdateKind::Set(assignments) => self.assigned(&target, assignments, &inner),
                    MergeUpdateKind::Wildcard => self.writes(Value::unknown(), Place::Unknown),
                },
                MergeAction::Delete { .. } | MergeAction::DoNothing { .. } => {}
            }
        }
        match &merge.output {
            None => Vec::new(),
            Some(OutputClause::Returning { select_items, .. }) => {
                self.returning(Some(select_items), &target, level.clone(), scope)
            }
            Some(OutputClause::Output { .. }) => unread(),
        }
    }

    /// Values that go into the columns of a relation.
    fn stored(&mut self, target: &Source<'a>, places: &Places<'a>, values: &[Column<'a>]) {
        let certain = !values.iter().any(|column| column.spread);
        for (index, column) in values.iter().enumerate() {
            let place = if certain { places.at(target, index) } else { Place::Unknown };
            self.writes(column.value.clone(), place);
        }
    }

    /// SET: each value goes into the columns that stand before it.
    fn assigned(&mut self, target: &Source<'a>, assignments: &'a [Assignment], scope: &Scope<'_, 'a>) {
        for assignment in assignments {
            match &assignment.target {
                AssignmentTarget::ColumnName(name) => {
                    let value = self.expr(&assignment.value, scope);
                    self.writes(value, place(target, name));
                }
                AssignmentTarget::Tuple(names) => {
                    // Which of several values goes into which column counts only where all are plain columns.
                    let values = match &assignment.value {
                        Expr::Tuple(values) if values.len() == names.len() => {
                            values.iter().map(|value| self.expr(value, scope)).collect()
                        }
                        value => {
                            let flow = self.expr(value, scope).flow;
                            vec![Value::computed(flow); names.len()]
                        }
                    };
                    for (name, value) in names.iter().zip(values) {
                        self.writes(value, place(target, name));
                    }
                }
            }
        }
    }

    /// RETURNING. `old` and `new` are the row before and after, from PostgreSQL 18 on.
    fn returning(
        &mut self,
        items: Option<&'a [SelectItem]>,
        target: &Source<'a>,
        mut level: Level<'a>,
        scope: &Scope<'_, 'a>,
    ) -> Vec<Column<'a>> {
        let Some(items) = items else { return Vec::new() };
        let mut before = Level::default();
        for name in ["old", "new"] {
            // Not where a source has that name already, nor for names without a table.
            let source = Source { name: Some(name), aliased: true, ..target.clone() };
            if !level.sources.iter().any(|known| known.name == Some(name)) {
                before.push(source);
            }
        }
        level.aside = before.sources;
        self.list(items, &scope.inside(&level))
    }
}

fn unread<'a>() -> Vec<Column<'a>> {
    vec![Column::spread(Flow::unknown())]
}

/// Which columns of its target an INSERT fills.
enum Places<'a> {
    InOrder,
    Named(Vec<&'a str>),
}

impl Places<'_> {
    fn at(&self, target: &Source<'_>, index: usize) -> Place {
        let Shape::Stored(relations) = &target.shape else { return Place::Unknown };
        let mut columns = Vec::with_capacity(relations.len());
        for relation in relations {
            let column = match self {
                Self::InOrder => relation.columns.get(index),
                Self::Named(names) => {
                    names.get(index).and_then(|name| relation.columns.iter().find(|column| *column.name == **name))
                }
            };
            match column {
                Some(column) => columns.push(Origin::new(relation.oid, column.number)),
                // Another relation of the name is meant, or none.
                None if relations.len() > 1 => {}
                None => return Place::Unknown,
            }
        }
        if columns.is_empty() { Place::Unknown } else { Place::Columns(columns.into()) }
    }
}

/// The row `excluded` of ON CONFLICT: what the statement itself brings.
fn excluded<'a>(target: &Source<'a>, places: &Places<'a>, values: &[Column<'a>]) -> Vec<Column<'a>> {
    let flow = super::flow::all(values);
    let certain = !values.iter().any(|column| column.spread);
    let mut columns = target.columns();
    for (index, column) in columns.iter_mut().enumerate() {
        let place = match places {
            Places::InOrder => Some(index),
            Places::Named(names) => names.iter().position(|name| column.name == Some(name)),
        };
        column.value = match place.and_then(|place| values.get(place)).filter(|_| certain) {
            Some(value) => value.value.clone(),
            None if certain => Value::default(),
            None => Value::computed(flow.clone()),
        };
    }
    columns
}

fn first_part(name: &ObjectName) -> Option<&str> {
    name.0.first().and_then(|part| part.as_ident()).map(|ident| ident.value.as_str())
}

/// The column that an assignment fills: `SET address.street = …` fills `address`.
fn place(target: &Source<'_>, name: &ObjectName) -> Place {
    let Shape::Stored(relations) = &target.shape else { return Place::Unknown };
    let parts = name.0.iter().filter_map(|part| part.as_ident()).map(|ident| ident.value.as_str());
    let mut columns = Vec::new();
    for relation in relations {
        let named = |part: &str| relation.columns.iter().find(|column| *column.name == *part);
        if let Some(column) = parts.clone().find_map(named) {
            columns.push(Origin::new(relation.oid, column.number));
        } else if relations.len() == 1 {
            return Place::Unknown;
        }
    }
    if columns.is_empty() { Place::Unknown } else { Place::Columns(columns.into()) }
}
