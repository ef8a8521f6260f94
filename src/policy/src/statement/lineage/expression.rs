//! Expressions.

use sqlparser::ast::{
    AccessExpr, ArrayElemTypeDef, BinaryOperator, DataType, Expr, Ident, JsonPathElem, ObjectName, ObjectNamePart,
    Query, Subscript, UnaryOperator,
};

use super::flow::{Flow, Value, all};
use super::scope::{Scope, Table};
use super::{How, Resolver, Use, edge, json};
use crate::statement::tree::Name;

impl<'a> Resolver<'a> {
    /// What an expression tells of.
    pub(super) fn expr(&mut self, expr: &'a Expr, scope: &Scope<'_, 'a>) -> Value {
        if !self.step() {
            return Value::unknown();
        }
        match expr {
            Expr::Identifier(ident) => self.identifier(ident, scope),
            Expr::CompoundIdentifier(parts) => self.compound(parts, scope),
            Expr::Nested(inner) => self.expr(inner, scope),
            Expr::Value(_) | Expr::TypedString(_) => Value::default(),
            Expr::Function(function) => self.function(function, scope),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right, scope),
            Expr::UnaryOp { op, expr } => self.unary(*op, expr, scope),
            Expr::Cast { expr, data_type, .. } => self.cast(expr, data_type, scope),
            Expr::Collate { expr, .. } | Expr::Named { expr, .. } => {
                let value = self.expr(expr, scope);
                Value { plain: false, ..value }
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                let mark = self.uses.len();
                let (mut flow, mut intact) = (Flow::nothing(), true);
                if let Some(operand) = operand {
                    flow = self.compared(operand, scope);
                    intact = !self.names.tells_definitions(&flow);
                    self.uses(flow.clone(), How::Case);
                }
                for when in conditions {
                    self.condition(&when.condition, How::Case, scope);
                    let value = self.expr(&when.result, scope);
                    intact &= self.names.is_whole(&value);
                    flow.join(value.flow);
                }
                if let Some(result) = else_result {
                    let value = self.expr(result, scope);
                    intact &= self.names.is_whole(&value);
                    flow.join(value.flow);
                }
                let mut conditions = Flow::nothing();
                self.conditions_since(mark, &mut conditions);
                intact &= !self.names.tells_definitions(&conditions);
                flow.join(conditions);
                Value { flow, plain: false, intact }
            }
            Expr::Subquery(query) => self.subquery(query, true, scope),
            Expr::Exists { subquery, .. } => self.subquery(subquery, false, scope),
            Expr::InSubquery { expr, subquery, .. } => {
                let mut flow = self.compared(expr, scope);
                flow.join(self.subquery(subquery, true, scope).flow);
                self.computed(flow)
            }
            Expr::Tuple(items) => {
                let flow = self.union(items, scope);
                Value::computed(flow)
            }
            Expr::Array(array) => {
                let flow = self.union(&array.elem, scope);
                Value::computed(flow)
            }
            Expr::CompoundFieldAccess { root, access_chain } => self.field(root, access_chain, scope),
            Expr::QualifiedWildcard(name, _) => Value::computed(Self::row(name, scope)),
            Expr::Wildcard(_) => {
                let mut flow = Flow::nothing();
                match scope.level {
                    Some(level) => flow = all(&level.star()),
                    None => flow.lose(),
                }
                Value::computed(flow)
            }
            _ => self.operators(expr, scope),
        }
    }

    /// Operators that the grammar spells in words, and functions with a grammar of their own.
    fn operators(&mut self, expr: &'a Expr, scope: &Scope<'_, 'a>) -> Value {
        let flow = match expr {
            // Whether there is a definition is told by the objects themselves.
            Expr::IsNull(x) | Expr::IsNotNull(x) => {
                let flow = self.expr(x, scope).flow;
                self.names.without_definitions(flow)
            }
            Expr::IsFalse(x)
            | Expr::IsNotFalse(x)
            | Expr::IsTrue(x)
            | Expr::IsNotTrue(x)
            | Expr::IsUnknown(x)
            | Expr::IsNotUnknown(x)
            | Expr::IsJson { expr: x, .. }
            | Expr::IsNormalized { expr: x, .. }
            | Expr::Extract { expr: x, .. }
            | Expr::Ceil { expr: x, .. }
            | Expr::Floor { expr: x, .. } => self.expr(x, scope).flow,
            Expr::IsDistinctFrom(x, y)
            | Expr::IsNotDistinctFrom(x, y)
            | Expr::AnyOp { left: x, right: y, .. }
            | Expr::AllOp { left: x, right: y, .. }
            | Expr::InUnnest { expr: x, array_expr: y, .. }
            | Expr::Position { expr: x, r#in: y }
            | Expr::AtTimeZone { timestamp: x, time_zone: y } => self.union([&**x, &**y], scope),
            Expr::Between { expr, low, high, .. } => self.union([&**expr, &**low, &**high], scope),
            Expr::InList { expr, list, .. } => {
                let mut flow = self.compared(expr, scope);
                flow.join(self.union(list, scope));
                flow
            }
            Expr::Like { expr, pattern, escape_char, .. }
            | Expr::ILike { expr, pattern, escape_char, .. }
            | Expr::SimilarTo { expr, pattern, escape_char, .. } => {
                self.union([Some(&**expr), Some(&**pattern), escape_char.as_deref()].into_iter().flatten(), scope)
            }
            Expr::Interval(interval) => self.expr(&interval.value, scope).flow,
            Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                let parts = [Some(&**expr), Some(&**overlay_what), Some(&**overlay_from), overlay_for.as_deref()];
                self.union(parts.into_iter().flatten(), scope)
            }
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let mut flow = self.expr(expr, scope).flow;
                let place = [substring_from.as_deref(), substring_for.as_deref()];
                let place = self.union(place.into_iter().flatten(), scope);
                // The length alone can make it fail.
                self.computes(&place);
                flow.join(place);
                return Value::computed(flow);
            }
            Expr::Trim { expr, trim_what, trim_characters, .. } => {
                let mut flow = self.union([Some(&**expr), trim_what.as_deref()].into_iter().flatten(), scope);
                flow.join(self.union(trim_characters.iter().flatten(), scope));
                return Value::computed(flow);
            }
            Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => {
                self.union(sets.iter().flatten(), scope)
            }
            Expr::JsonAccess { value, path } => {
                let keys = path.path.iter().filter_map(|element| match element {
                    JsonPathElem::Bracket { key } | JsonPathElem::ColonBracket { key } => Some(key),
                    JsonPathElem::Dot { .. } => None,
                });
                self.union(core::iter::once(&**value).chain(keys), scope)
            }
            // Nothing that PostgreSQL has; what it would show is not known.
            _ => return Value::unknown(),
        };
        self.computed(flow)
    }

    /// What a list of expressions tells of.
    pub(super) fn union<I>(&mut self, list: I, scope: &Scope<'_, 'a>) -> Flow
    where
        I: IntoIterator<Item = &'a Expr>,
    {
        let mut flow = Flow::nothing();
        for expr in list {
            flow.join(self.expr(expr, scope).flow);
        }
        flow
    }

    /// What an expression tells of that flows into a use in any case.
    pub(super) fn compared(&mut self, expr: &'a Expr, scope: &Scope<'_, 'a>) -> Flow {
        let before = core::mem::replace(&mut self.compared, true);
        let flow = self.expr(expr, scope).flow;
        self.compared = before;
        flow
    }

    /// A value that was computed in a way that may fail or compare.
    fn computed(&mut self, flow: Flow) -> Value {
        self.computes(&flow);
        Value::computed(flow)
    }

    /// A condition: each part between AND and OR is a use of its own.
    pub(super) fn condition(&mut self, expr: &'a Expr, how: How, scope: &Scope<'_, 'a>) {
        match expr {
            Expr::Nested(inner) | Expr::UnaryOp { op: UnaryOperator::Not, expr: inner } => {
                self.condition(inner, how, scope);
            }
            Expr::BinaryOp { left, op: BinaryOperator::And | BinaryOperator::Or, right } => {
                self.condition(left, how, scope);
                self.condition(right, how, scope);
            }
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right } if is_constant(right) => {
                self.equality(expr, left, 1, how, scope);
            }
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right } if is_constant(left) => {
                self.equality(expr, right, 1, how, scope);
            }
            Expr::InList { expr: column, list, .. } if list.iter().all(is_constant) => {
                self.equality(expr, column, u32::try_from(list.len()).unwrap_or(u32::MAX), how, scope);
            }
            _ => {
                let flow = self.compared(expr, scope);
                self.uses(flow, how);
            }
        }
    }

    /// A comparison for equality with this many constants, if `side` is a column as it stands.
    fn equality(&mut self, whole: &'a Expr, side: &'a Expr, count: u32, how: How, scope: &Scope<'_, 'a>) {
        let before = core::mem::replace(&mut self.compared, true);
        let value = self.expr(side, scope);
        self.compared = before;
        let by_users = matches!(whole, Expr::BinaryOp { .. } | Expr::InList { .. }) && self.names.is_user_operator("=");
        let counted = value.plain && !by_users && matches!(how, How::Where | How::Join);
        if !value.flow.is_nothing() {
            self.uses.push(Use { flow: value.flow, how, equalities: if counted { count } else { 0 } });
        }
    }

    fn identifier(&mut self, ident: &'a Ident, scope: &Scope<'_, 'a>) -> Value {
        match scope.column(&ident.value) {
            Some(value) => value,
            // The grammar's word for a column's default.
            None if ident.quote_style.is_none() && ident.value == "default" => Value::default(),
            None => Value::unknown(),
        }
    }

    fn compound(&mut self, parts: &'a [Ident], scope: &Scope<'_, 'a>) -> Value {
        let (table, column) = match parts {
            [table, column] => (Table { schema: None, name: &table.value }, column),
            [.., schema, table, column] => (Table { schema: Some(&schema.value), name: &table.value }, column),
            _ => return Value::unknown(),
        };
        self.member(table, &column.value, scope)
    }

    /// `t.x`: a column, or a function of the whole row.
    fn member(&mut self, table: Table<'_>, name: &str, scope: &Scope<'_, 'a>) -> Value {
        match scope.column_of(table, name) {
            Some(Ok(value)) => value,
            Some(Err(row)) => {
                let value = self.names.call(&Name { schema: None, name: name.into() }, row);
                self.computes(&value.flow);
                value
            }
            None => Value::unknown(),
        }
    }

    /// `(x).field`, `(x).f`, `x[1]`, `x['key']`.
    fn field(&mut self, root: &'a Expr, chain: &'a [AccessExpr], scope: &Scope<'_, 'a>) -> Value {
        let mut inner = root;
        while let Expr::Nested(nested) = inner {
            inner = nested;
        }
        let mut chain = chain;
        let mut value = None;
        // `(t).card` is a column of `t` where no column is called `t`.
        if let (Expr::Identifier(table), Some((AccessExpr::Dot(Expr::Identifier(name)), rest))) =
            (inner, chain.split_first())
            && !scope.has_column(&table.value)
            && let Some(Ok(found)) = scope.column_of(Table { schema: None, name: &table.value }, &name.value)
        {
            value = Some(found);
            chain = rest;
        }
        let mut value = value.unwrap_or_else(|| self.expr(inner, scope));
        for access in chain {
            if let AccessExpr::Subscript(subscript) = access
                && let Some(steps) = json::subscript(subscript)
            {
                value = value.within(&steps);
                continue;
            }
            (value.plain, value.intact) = (false, false);
            match access {
                // A field of a composite, or a function of it.
                AccessExpr::Dot(Expr::Identifier(name)) => {
                    if self.names.is_hidden_function(&name.value) {
                        value.flow.hide();
                    }
                }
                AccessExpr::Dot(expr) => {
                    let flow = self.expr(expr, scope).flow;
                    value.flow.join(flow);
                }
                AccessExpr::Subscript(Subscript::Index { index }) => {
                    let flow = self.expr(index, scope).flow;
                    value.flow.join(flow);
                }
                AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride }) => {
                    let bounds = [lower_bound.as_ref(), upper_bound.as_ref(), stride.as_ref()];
                    value.flow.join(self.union(bounds.into_iter().flatten(), scope));
                }
            }
        }
        value
    }

    fn binary(&mut self, left: &'a Expr, op: &'a BinaryOperator, right: &'a Expr, scope: &Scope<'_, 'a>) -> Value {
        if let Some(value) = self.json_operator(left, op, right, scope) {
            return value;
        }
        let (end, start) = (left, right);
        let (left, right) = (self.expr(left, scope), self.expr(right, scope));
        let tells = [&left, &right].iter().any(|side| self.names.tells_definitions(&side.flow));
        let apart = !tells || edge::keep_apart(end, start);
        let intact = apart && self.names.is_whole(&left) && self.names.is_whole(&right);
        let mut flow = left.flow;
        flow.join(right.flow);
        self.operator(op, &mut flow);
        if matches!(op, BinaryOperator::StringConcat) {
            return Value { intact: intact && !flow.is_unknown(), ..Value::computed(flow) };
        }
        self.computed(flow)
    }

    /// An operator of the users may show anything.
    fn operator(&self, op: &BinaryOperator, flow: &mut Flow) {
        if !self.names.has_user_operators() {
            return;
        }
        match op {
            BinaryOperator::Custom(name) => self.names.operator(name, flow),
            // `OPERATOR(schema.+)`
            BinaryOperator::PGCustomBinaryOperator(parts) => match parts.last() {
                Some(name) => self.names.operator(name, flow),
                None => flow.hide(),
            },
            BinaryOperator::NotEq => self.names.operator("<>", flow),
            other => self.names.operator(&other.to_string(), flow),
        }
    }

    fn unary(&mut self, op: UnaryOperator, expr: &'a Expr, scope: &Scope<'_, 'a>) -> Value {
        let mut flow = self.expr(expr, scope).flow;
        if self.names.has_user_operators() {
            self.names.operator(&op.to_string(), &mut flow);
        }
        self.computed(flow)
    }

    fn cast(&mut self, expr: &'a Expr, data_type: &DataType, scope: &Scope<'_, 'a>) -> Value {
        let mut value = self.expr(expr, scope);
        self.names.cast(type_name(data_type), &mut value.flow);
        if json::is_json(data_type) && value.plain {
            self.computes(&value.flow);
            return value.within(&[]);
        }
        // An array would become a text with quotes and backslashes in it.
        let is_one = value.plain || matches!(expr, Expr::Function(function) if is_printing(function));
        let intact = value.intact && is_one && matches!(data_type, DataType::Text | DataType::Varchar(None));
        let flow = value.flow;
        if is_text(data_type) { Value { flow, plain: false, intact } } else { self.computed(flow) }
    }

    /// A subquery in an expression: what it shows, and what its conditions look at.
    pub(super) fn subquery(&mut self, query: &'a Query, shows: bool, scope: &Scope<'_, 'a>) -> Value {
        let mark = self.uses.len();
        let columns = self.query(query, scope);
        let mut flow = if shows { all(&columns) } else { Flow::nothing() };
        let mut intact = matches!(columns.as_slice(), [column] if shows && !column.spread && column.value.intact);
        if !shows && columns.iter().any(|column| column.value.flow.is_unread()) {
            flow.lose();
        }
        let mut conditions = Flow::nothing();
        self.conditions_since(mark, &mut conditions);
        intact &= !self.names.tells_definitions(&conditions);
        flow.join(conditions);
        Value { flow, plain: false, intact }
    }

    /// The whole row of a source that a name with a star names.
    pub(super) fn row(name: &ObjectName, scope: &Scope<'_, 'a>) -> Flow {
        let mut parts = name.0.iter().rev().map(|part| match part {
            ObjectNamePart::Identifier(ident) => Some(ident.value.as_str()),
            ObjectNamePart::Function(_) => None,
        });
        let own = parts.next().flatten();
        let schema = parts.next().flatten();
        own.and_then(|name| scope.row(Table { schema, name })).unwrap_or_else(Flow::unknown)
    }
}

/// Whether a value is in the text itself: a literal or a parameter, however it is cast.
fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Value(_) | Expr::TypedString(_) => true,
        Expr::Nested(inner)
        | Expr::Cast { expr: inner, .. }
        | Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr: inner } => is_constant(inner),
        _ => false,
    }
}

/// Whether a function prints one definition as a text.
fn is_printing(function: &sqlparser::ast::Function) -> bool {
    let name = Name::of(&function.name);
    name.is_some_and(|name| crate::catalogue::is_printing(&name.name) && !name.name.ends_with("_expressions"))
}

/// The name of a type that is not one of the grammar's own; of an array, that of its elements.
fn type_name(data_type: &DataType) -> Option<&str> {
    match data_type {
        DataType::Custom(name, _) => name.0.last().and_then(|part| part.as_ident()).map(|ident| ident.value.as_str()),
        DataType::Array(
            ArrayElemTypeDef::AngleBracket(inner)
            | ArrayElemTypeDef::Parenthesis(inner)
            | ArrayElemTypeDef::SquareBracket(inner, _),
        ) => type_name(inner),
        _ => None,
    }
}

/// Whether every value has a form in a type: a cast to it never fails.
fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Text
            | DataType::Varchar(_)
            | DataType::CharVarying(_)
            | DataType::CharacterVarying(_)
            | DataType::Char(_)
            | DataType::Character(_)
    )
}
