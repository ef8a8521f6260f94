//! Which part of a JSON value an expression shows.
//!
//! Followed are the operators `->`, `->>`, `#>` and `#>>`, subscripts, and `jsonb_extract_path` with its kin, where
//! every key is a constant of the text: a value behind them is a part of the column's, and two parts behind
//! different keys have nothing in common. Whatever else is done to a JSON value tells of all of it.
//!
//! The number of an element is no step: a mask on a path covers every element of the arrays on it. Sources: "9.16
//! JSON Functions and Operators" and "8.14.5 jsonb Subscripting" of PostgreSQL's manual.

use std::sync::Arc;

use sqlparser::ast::{
    BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Subscript,
    UnaryOperator, Value as Constant,
};

use super::Resolver;
use super::flow::{Flow, Value};
use super::scope::Scope;
use crate::statement::tree::Name;

/// Most steps of a path that are followed.
const STEPS: usize = 32;

/// A step down into a JSON value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The value of this key of an object; of an array nothing.
    Key(Box<str>),
    /// The value of this key of an object, or the element of this number of an array.
    Either(Box<str>),
}

/// Steps from a column's value to a part of it. Elements of arrays are told by no step, so that the path of no
/// steps is the value itself or elements of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Arc<[Step]>);

impl Path {
    /// The steps, from the outermost.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// A path with more steps behind it; `None` where it grows too long.
    pub(super) fn extended(path: Option<&Self>, steps: &[Step]) -> Option<Self> {
        let before = path.map_or(&[][..], Self::steps);
        (before.len() + steps.len() <= STEPS).then(|| Self(before.iter().chain(steps).cloned().collect()))
    }
}

impl core::fmt::Display for Path {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().try_for_each(|step| {
            let (Step::Key(key) | Step::Either(key)) = step;
            write!(f, "->'{key}'")
        })
    }
}

impl<'a> Resolver<'a> {
    /// What an operator that reads inside a JSON value shows; `None` for any other.
    pub(super) fn json_operator(
        &mut self,
        left: &'a Expr,
        op: &BinaryOperator,
        right: &'a Expr,
        scope: &Scope<'_, 'a>,
    ) -> Option<Value> {
        let (name, steps) = match op {
            BinaryOperator::Arrow => ("->", arrow(right)?),
            BinaryOperator::LongArrow => ("->>", arrow(right)?),
            BinaryOperator::HashArrow => ("#>", path(right)?),
            BinaryOperator::HashLongArrow => ("#>>", path(right)?),
            _ => return None,
        };
        if self.names.is_user_operator(name) {
            return None;
        }
        let value = self.expr(left, scope);
        let plain = value.plain;
        let value = value.within(&steps);
        if !plain {
            self.computes(&value.flow);
        }
        Some(value)
    }

    /// `json_extract_path(value, 'a', 'b')` and its kin; `None` for any other function.
    pub(super) fn json_function(
        &mut self,
        function: &'a Function,
        name: &Name,
        scope: &Scope<'_, 'a>,
    ) -> Option<Value> {
        const EXTRACT: [&str; 4] =
            ["json_extract_path", "json_extract_path_text", "jsonb_extract_path", "jsonb_extract_path_text"];
        let built_in = name.schema.as_deref().is_none_or(|schema| schema == "pg_catalog");
        let bare = function.filter.is_none() && function.over.is_none() && function.within_group.is_empty();
        if !EXTRACT.contains(&&*name.name) || !built_in || !bare {
            return None;
        }
        let FunctionArguments::List(list) = &function.args else { return None };
        let (FunctionArg::Unnamed(FunctionArgExpr::Expr(value)), keys) = list.args.split_first()? else { return None };
        // VARIADIC is not in the tree: what could be an array of keys is none.
        let is_key = |key: &&str| !key.trim_ascii_start().starts_with(['{', '[']);
        let key = |argument: &FunctionArg| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => text(expr).filter(is_key).map(either),
            _ => None,
        };
        let steps: Vec<Step> = keys.iter().map(key).collect::<Option<_>>()?;
        if !list.clauses.is_empty() || self.names.call(name, Flow::nothing()).flow.is_unknown() {
            return None;
        }
        let value = self.expr(value, scope).within(&steps);
        self.computes(&value.flow);
        Some(value)
    }
}

/// Whether a type is one of JSON values, so that a cast to it leaves their parts where they are.
pub(super) fn is_json(data_type: &DataType) -> bool {
    matches!(data_type, DataType::JSON | DataType::JSONB)
}

/// The steps of a subscript, if it is constant.
pub(super) fn subscript(subscript: &Subscript) -> Option<Vec<Step>> {
    let Subscript::Index { index } = subscript else { return None };
    if is_number(index) {
        return Some(Vec::new());
    }
    text(index).map(|key| vec![either(key)])
}

/// The steps of `->` and `->>`: a text is a key, a number that of an element.
fn arrow(expr: &Expr) -> Option<Vec<Step>> {
    if is_number(expr) {
        return Some(Vec::new());
    }
    text(expr).map(|key| vec![Step::Key(key.into())])
}

/// The steps of `#>` and `#>>`: `'{a,b}'`, `ARRAY['a','b']`.
fn path(expr: &Expr) -> Option<Vec<Step>> {
    match expr {
        Expr::Nested(inner) => path(inner),
        Expr::Array(array) => array.elem.iter().map(|element| text(element).map(either)).collect(),
        Expr::Cast { expr, data_type: DataType::Array(element), .. } => {
            let texts = ["text[]", "TEXT[]"].contains(&&*DataType::Array(element.clone()).to_string());
            if texts { path(expr) } else { None }
        }
        _ => crate::config::pattern::array_keys(literal(expr)?)
            .map(|keys| keys.into_iter().map(|key| either(&key)).collect()),
    }
}

/// A key that could be the number of an element, too.
fn either(key: &str) -> Step {
    let number = key.trim_ascii_start();
    let number = number.strip_prefix(['-', '+']).unwrap_or(number);
    if number.starts_with(|first: char| first.is_ascii_digit()) {
        Step::Either(key.into())
    } else {
        Step::Key(key.into())
    }
}

/// A literal number, with a sign or without.
fn is_number(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => matches!(value.value, Constant::Number(..)),
        Expr::Nested(inner) | Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner } => is_number(inner),
        _ => false,
    }
}

/// A literal text, as it stands or cast to `text`.
fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Nested(inner) | Expr::Cast { expr: inner, data_type: DataType::Text, format: None, .. } => text(inner),
        _ => literal(expr),
    }
}

/// A literal whose characters are certain: bytes that are not UTF-8 were replaced when it was read.
pub(super) fn literal(expr: &Expr) -> Option<&str> {
    let Expr::Value(value) = expr else { return None };
    let text = match &value.value {
        Constant::SingleQuotedString(text) | Constant::EscapedStringLiteral(text) => text,
        Constant::DollarQuotedString(text) => &text.value,
        _ => return None,
    };
    if text.contains(char::REPLACEMENT_CHARACTER) { None } else { Some(text) }
}
