//! Which bind parameters meet a masked column, so that the audit does not show their values.
//!
//! One walk over the tree: within a condition, or any other expression that is not split by AND and OR, a
//! parameter beside a masked column's name is taken to be compared with it. A change of rows in a masked
//! relation hides all parameters, because positions of values are not followed.

use core::ops::ControlFlow;
use std::collections::BTreeSet;

use sqlparser::ast::{BinaryOperator, Expr, Statement, UnaryOperator, Value, ValueWithSpan, Visit, Visitor};

use super::MaskedParameters;

/// The parameters of a statement that meet a column of which `is_masked` holds.
pub(super) fn masked(statement: &Statement, is_masked: &dyn Fn(&str) -> bool) -> MaskedParameters {
    let changes = !matches!(statement, Statement::Query(_));
    if changes {
        return MaskedParameters::All;
    }
    let mut walk = Walk { is_masked, found: BTreeSet::new(), all: false, atoms: Vec::new() };
    let _: ControlFlow<()> = statement.visit(&mut walk);
    if walk.all { MaskedParameters::All } else { MaskedParameters::These(walk.found.into_iter().collect()) }
}

struct Walk<'w> {
    is_masked: &'w dyn Fn(&str) -> bool,
    found: BTreeSet<u16>,
    all: bool,
    /// Expressions that are being walked and are not split further; only the outermost counts.
    atoms: Vec<Atom>,
}

struct Atom {
    depth: usize,
    masked: bool,
    parameters: Vec<u16>,
}

/// Whether an expression only joins conditions.
fn joins(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::BinaryOp { op: BinaryOperator::And | BinaryOperator::Or, .. }
            | Expr::UnaryOp { op: UnaryOperator::Not, .. }
            | Expr::Nested(_)
    )
}

impl Visitor for Walk<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match self.atoms.last_mut() {
            Some(atom) => atom.depth += 1,
            None if joins(expr) => {}
            None => self.atoms.push(Atom { depth: 1, masked: false, parameters: Vec::new() }),
        }
        if let Some(atom) = self.atoms.last_mut() {
            let name = match expr {
                Expr::Identifier(ident) => Some(ident),
                Expr::CompoundIdentifier(parts) => parts.last(),
                _ => None,
            };
            atom.masked |= name.is_some_and(|ident| (self.is_masked)(&ident.value));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, _expr: &Expr) -> ControlFlow<()> {
        let Some(atom) = self.atoms.last_mut() else { return ControlFlow::Continue(()) };
        atom.depth -= 1;
        if atom.depth == 0 {
            if atom.masked {
                self.found.extend(atom.parameters.iter().copied());
            }
            self.atoms.pop();
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<()> {
        if let Value::Placeholder(text) = &value.value {
            match (text.trim_start_matches('$').parse::<u16>(), self.atoms.last_mut()) {
                (Ok(number), Some(atom)) => atom.parameters.push(number),
                // Outside any expression, as in LIMIT: compared with nothing.
                (Ok(_), None) => {}
                (Err(_), _) => self.all = true,
            }
        }
        ControlFlow::Continue(())
    }
}
