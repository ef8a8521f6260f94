//! Function calls and windows.

use sqlparser::ast::{
    DuplicateTreatment, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArgumentList,
    FunctionArguments, ListAggOnOverflow, OrderByExpr, WindowFrameBound, WindowSpec, WindowType,
};

use super::flow::{Flow, Value, all};
use super::functions;
use super::scope::Scope;
use super::{How, Place, Resolver, edge, json};
use crate::statement::tree::Name;

impl<'a> Resolver<'a> {
    /// A function, aggregate or window function.
    pub(super) fn function(&mut self, function: &'a Function, scope: &Scope<'_, 'a>) -> Value {
        let Some(name) = Name::of(&function.name) else { return Value::unknown() };
        if let Some(value) = self.json_function(function, &name, scope) {
            return value;
        }
        let mut arguments = self.arguments(&function.args, scope);
        let intact = self.intact
            && functions::keeps_texts(&name.name)
            && (!functions::joins_texts(&name.name) || is_set_apart(&function.args));
        arguments.join(self.arguments(&function.parameters, scope));
        let mark = self.uses.len();
        if let Some(filter) = &function.filter {
            self.condition(filter, How::Filter, scope);
        }
        let mut filtered = Flow::nothing();
        self.conditions_since(mark, &mut filtered);
        for order in &function.within_group {
            let flow = self.compared(&order.expr, scope);
            self.uses(flow.clone(), How::OrderBy);
            arguments.join(flow);
        }
        match &function.over {
            Some(WindowType::WindowSpec(window)) => self.window(window, scope),
            Some(WindowType::NamedWindow(_)) | None => {}
        }
        let built_in = name.schema.as_deref().is_none_or(|schema| schema == "pg_catalog");
        let value = self.names.call(&name, arguments);
        let silent = built_in
            && !value.flow.is_unknown()
            && functions::is_silent(&name.name)
            && function.within_group.is_empty();
        if built_in && functions::is_sink(&name.name) {
            self.writes(value.clone(), Place::Sink(name.name.clone()));
        }
        let mut value = value;
        if silent {
            value.flow = Flow::nothing();
        } else if !(built_in && functions::is_harmless(&name.name)) {
            self.computes(&value.flow);
        }
        value.intact |= intact && built_in && !value.flow.is_unknown();
        value.intact &= !self.names.tells_definitions(&filtered);
        value.flow.join(filtered);
        value
    }

    fn arguments(&mut self, arguments: &'a FunctionArguments, scope: &Scope<'_, 'a>) -> Flow {
        match arguments {
            FunctionArguments::None => Flow::nothing(),
            FunctionArguments::Subquery(query) => {
                let value = self.subquery(query, true, scope);
                self.intact = value.intact;
                value.flow
            }
            FunctionArguments::List(list) => self.argument_list(list, scope),
        }
    }

    fn argument_list(&mut self, list: &'a FunctionArgumentList, scope: &Scope<'_, 'a>) -> Flow {
        let mut flow = self.args(&list.args, scope);
        if list.duplicate_treatment == Some(DuplicateTreatment::Distinct) {
            self.uses(flow.clone(), How::Distinct);
        }
        for clause in &list.clauses {
            match clause {
                FunctionArgumentClause::OrderBy(order) => self.ordered(order, How::OrderBy, scope),
                FunctionArgumentClause::Where(condition) => self.condition(condition, How::Filter, scope),
                FunctionArgumentClause::Limit(expr) => flow.join(self.expr(expr, scope).flow),
                FunctionArgumentClause::Having(bound) => flow.join(self.expr(&bound.1, scope).flow),
                FunctionArgumentClause::OnOverflow(ListAggOnOverflow::Truncate { filler: Some(filler), .. }) => {
                    flow.join(self.expr(filler, scope).flow);
                }
                FunctionArgumentClause::OnOverflow(_)
                | FunctionArgumentClause::IgnoreOrRespectNulls(_)
                | FunctionArgumentClause::Separator(_)
                | FunctionArgumentClause::JsonNullClause(_)
                | FunctionArgumentClause::JsonReturningClause(_) => {}
            }
        }
        flow
    }

    /// What arguments tell of. A star tells of nothing: only `count(*)` may have one.
    pub(super) fn args(&mut self, args: &'a [FunctionArg], scope: &Scope<'_, 'a>) -> Flow {
        let (mut flow, mut intact) = (Flow::nothing(), true);
        for argument in args {
            let (FunctionArg::Named { arg, .. } | FunctionArg::Unnamed(arg) | FunctionArg::ExprNamed { arg, .. }) =
                argument;
            // `json_object('key' : value)`
            if let FunctionArg::ExprNamed { name, .. } = argument
                && !matches!(name, sqlparser::ast::Expr::Identifier(_))
            {
                flow.join(self.expr(name, scope).flow);
            }
            match arg {
                FunctionArgExpr::Expr(expr) => {
                    let value = self.expr(expr, scope);
                    intact &= self.names.is_whole(&value);
                    flow.join(value.flow);
                }
                FunctionArgExpr::QualifiedWildcard(name) => flow.join(Self::row(name, scope)),
                FunctionArgExpr::Wildcard => {}
                FunctionArgExpr::WildcardWithOptions(_) => flow.lose(),
            }
        }
        self.intact = intact;
        flow
    }

    /// Expressions that rows or values are ordered by.
    pub(super) fn ordered(&mut self, order: &'a [OrderByExpr], how: How, scope: &Scope<'_, 'a>) {
        for item in order {
            let flow = self.compared(&item.expr, scope);
            self.uses(flow, how);
        }
    }

    /// A window: what it compares.
    pub(super) fn window(&mut self, window: &'a WindowSpec, scope: &Scope<'_, 'a>) {
        for expr in &window.partition_by {
            let flow = self.compared(expr, scope);
            self.uses(flow, How::Window);
        }
        self.ordered(&window.order_by, How::Window, scope);
        let Some(frame) = &window.window_frame else { return };
        for bound in [Some(&frame.start_bound), frame.end_bound.as_ref()].into_iter().flatten() {
            if let WindowFrameBound::Preceding(Some(expr)) | WindowFrameBound::Following(Some(expr)) = bound {
                let flow = self.compared(expr, scope);
                self.uses(flow, How::Window);
            }
        }
    }

    /// A function in FROM: its columns are known by what renames them at most.
    pub(super) fn table_function(&mut self, name: &Name, args: &'a [FunctionArg], scope: &Scope<'_, 'a>) -> Flow {
        let arguments = self.args(args, scope);
        let value = self.names.call(name, arguments);
        let built_in = name.schema.as_deref().is_none_or(|schema| schema == "pg_catalog");
        if built_in && functions::is_sink(&name.name) {
            self.writes(value.clone(), Place::Sink(name.name.clone()));
        }
        self.computes(&value.flow);
        value.flow
    }

    /// Notes that all these columns are compared.
    pub(super) fn all_used(&mut self, columns: &[super::flow::Column<'a>], how: How) {
        let flow = all(columns);
        self.uses(flow, how);
    }
}

/// Whether the second argument keeps the texts apart that it stands between.
fn is_set_apart(arguments: &FunctionArguments) -> bool {
    let FunctionArguments::List(list) = arguments else { return false };
    let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(between))) = list.args.get(1) else { return false };
    json::literal(between).is_some_and(edge::is_separator)
}
