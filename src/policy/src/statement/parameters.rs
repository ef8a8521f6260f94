//! Which bind parameters meet a masked column, so that the audit does not show their values.
//!
//! Within a condition, or any other expression that is not split by AND and OR, a parameter beside a masked column's
//! name is taken to be compared with it. A change of rows in a masked relation hides all parameters, because
//! positions of values are not followed. What stands beside what is gathered by the walk of [`super::tree`]: walking a
//! tree costs as much as reading it.

use sqlparser::ast::{BinaryOperator, Expr, Statement, UnaryOperator, Value, ValueWithSpan};

use super::MaskedParameters;

/// The parameters of a statement that meet a column of which `is_masked` holds.
pub(super) fn masked(statement: &Statement, beside: &Beside, is_masked: &dyn Fn(&str) -> bool) -> MaskedParameters {
    let changes = !matches!(statement, Statement::Query(_));
    if changes || beside.unnumbered {
        return MaskedParameters::All;
    }
    let met = beside.atoms.iter().filter(|atom| {
        let ends = beside.ends.get(atom.names.clone()).unwrap_or_default();
        let begin = atom.names.start.checked_sub(1).and_then(|before| beside.ends.get(before)).copied().unwrap_or(0);
        let begins = core::iter::once(&begin).chain(ends);
        begins.zip(ends).any(|(begin, end)| beside.names.get(*begin..*end).is_some_and(is_masked))
    });
    let mut found: Vec<u16> = met.flat_map(|atom| &atom.parameters).copied().collect();
    found.sort_unstable();
    found.dedup();
    MaskedParameters::These(found.into())
}

/// The names that stand beside parameters.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// Expressions that are not split further and have parameters in them.
    atoms: Vec<Atom>,
    /// Names of columns, one behind the other, and where each ends: those of [`Self::atoms`] and then those of the
    /// expression that is being walked.
    names: String,
    ends: Vec<usize>,
    /// The expression that is being walked: how deep, and what is in it.
    depth: usize,
    kept: usize,
    parameters: Vec<u16>,
    /// Whether some parameter has no number.
    unnumbered: bool,
}

#[derive(Debug)]
struct Atom {
    /// Its names, as indices of [`Beside::ends`].
    names: core::ops::Range<usize>,
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

impl Beside {
    /// The walk comes to an expression.
    pub(super) fn enter(&mut self, expr: &Expr) {
        if self.depth == 0 && joins(expr) {
            return;
        }
        self.depth += 1;
        let name = match expr {
            Expr::Identifier(ident) => Some(ident),
            Expr::CompoundIdentifier(parts) => parts.last(),
            _ => None,
        };
        if let Some(name) = name {
            self.names.push_str(&name.value);
            self.ends.push(self.names.len());
        }
    }

    /// The walk leaves the expression that it came to last and did not leave.
    pub(super) fn leave(&mut self) {
        let Some(depth) = self.depth.checked_sub(1) else { return };
        self.depth = depth;
        if depth > 0 {
            return;
        }
        if self.parameters.is_empty() {
            self.ends.truncate(self.kept);
            self.names.truncate(self.ends.last().copied().unwrap_or(0));
        } else {
            let parameters = core::mem::take(&mut self.parameters);
            self.atoms.push(Atom { names: self.kept..self.ends.len(), parameters });
            self.kept = self.ends.len();
        }
    }

    /// The walk comes to a value.
    pub(super) fn value(&mut self, value: &ValueWithSpan) {
        let Value::Placeholder(text) = &value.value else { return };
        match text.trim_start_matches('$').parse::<u16>() {
            Ok(number) if self.depth > 0 => self.parameters.push(number),
            // Outside any expression, as in LIMIT: compared with nothing.
            Ok(_) => {}
            Err(_) => self.unnumbered = true,
        }
    }
}
