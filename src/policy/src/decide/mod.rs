//! From a judged statement and the columns of a result to a mask plan.
//!
//! A column's origin decides, never its name. What has no origin is computed: it passes where the
//! statement reaches no masked data or where the tree shows that it can reveal none, and is masked whole
//! everywhere else. [`rows`] is for rows, [`copy`] for COPY data.

pub mod copy;
pub mod errors;
pub mod rows;

pub use copy::{CopyDecision, plan_copy};
pub use errors::{Readable, may_quote, readable};
pub use rows::{RowDecision, plan_rows};

#[cfg(test)]
mod tests;
