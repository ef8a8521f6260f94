//! What the server was last asked about a session: its search path and its role.
//!
//! Both change without a message to us (only PostgreSQL 18 reports `search_path`), so they count as unknown
//! from the moment when a statement that may change them is sent, and again when its transaction ends: a
//! `SET LOCAL` ends there, and a rollback takes a `SET` back. The server is asked again only when a statement
//! names something that the path decides about, between two statements, as for the catalogue.

use std::sync::Arc;

use policy::sql::Dialect;
use policy::statement::SqlContext;

/// Most schemas of a search path that are remembered; a longer path counts as unknown.
const SCHEMAS: usize = 256;

/// Rows of [`policy::statement::settings::QUERY`], as they come.
#[derive(Default)]
pub(super) struct Answer {
    path: Vec<Box<str>>,
    role: Option<Arc<str>>,
    unreadable: bool,
}

impl Answer {
    /// Takes one row of the `result`-th statement of the query.
    pub(super) fn row(&mut self, result: usize, cells: &[Option<&[u8]>]) {
        let text = cells.first().copied().flatten().and_then(|cell| std::str::from_utf8(cell).ok());
        match (result, text) {
            (0, Some(schema)) if self.path.len() < SCHEMAS => self.path.push(schema.into()),
            (1, Some(role)) => self.role = Some(role.into()),
            _ => self.unreadable = true,
        }
    }
}

/// Whether path and role are known, and what may change them.
#[derive(Default)]
pub(super) struct Settings {
    /// The server was asked since they last became unknown; it is not asked twice.
    asked: bool,
    /// A statement that may change them ran in the transaction that is open.
    in_transaction: bool,
}

impl Settings {
    /// Whether to ask the server is of any use.
    pub(super) fn may_ask(&self) -> bool {
        !self.asked
    }

    /// The server is being asked.
    pub(super) fn ask(&mut self) {
        self.asked = true;
    }

    /// Takes what the server said; without an answer, path and role stay unknown.
    pub(super) fn learn(answer: Answer, context: &mut SqlContext) {
        if let (Some(role), false) = (answer.role, answer.unreadable) {
            context.search_path = Some(answer.path.into());
            context.role = Some(role);
        }
    }

    /// A statement that may change them is sent. Whether anything known was forgotten.
    pub(super) fn statement_sent(&mut self, changes: bool, rolls_back: bool, context: &mut SqlContext) -> bool {
        self.in_transaction |= changes;
        (changes || (rolls_back && self.in_transaction)) && self.forget(context)
    }

    /// The transaction ended. Whether anything known was forgotten.
    pub(super) fn transaction_ended(&mut self, context: &mut SqlContext) -> bool {
        std::mem::take(&mut self.in_transaction) && self.forget(context)
    }

    /// They may have changed. Whether anything known was forgotten.
    pub(super) fn forget(&mut self, context: &mut SqlContext) -> bool {
        if context.dialect != Dialect::Postgres {
            // MySQL tells of every change of what a name without a database means.
            return false;
        }
        self.asked = false;
        let known = context.is_settled();
        if known {
            *context = context.unsettled();
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> (Settings, SqlContext) {
        let (mut settings, mut context, mut answer) = (Settings::default(), SqlContext::default(), Answer::default());
        settings.ask();
        answer.row(0, &[Some(b"pg_catalog")]);
        answer.row(0, &[Some(b"public")]);
        answer.row(1, &[Some(b"ana")]);
        Settings::learn(answer, &mut context);
        (settings, context)
    }

    #[test]
    fn an_answer_holds_until_a_statement_may_change_it() {
        let (mut settings, mut context) = known();
        assert_eq!(context.search_path.as_deref().map(<[_]>::len), Some(2));
        assert!(!settings.statement_sent(false, true, &mut context) && context.is_settled() && !settings.may_ask());
        assert!(settings.statement_sent(true, false, &mut context));
        assert!(!context.is_settled() && context.role.is_none() && settings.may_ask());
    }

    #[test]
    fn what_was_learnt_inside_a_transaction_is_forgotten_with_it() {
        for rolls_back in [true, false] {
            let (mut settings, mut context) = known();
            assert!(!settings.transaction_ended(&mut context) && context.is_settled());
            settings.statement_sent(true, false, &mut context);
            context = known().1;
            let forgotten = match rolls_back {
                true => settings.statement_sent(false, true, &mut context),
                false => settings.transaction_ended(&mut context),
            };
            assert!(forgotten && !context.is_settled(), "{rolls_back}");
        }
    }

    #[test]
    fn an_answer_that_does_not_read_leaves_them_unknown() {
        for wrong in [&[Some(&b"\xff"[..])][..], &[None], &[]] {
            let (mut answer, mut context) = (Answer::default(), SqlContext::default());
            answer.row(0, wrong);
            answer.row(1, &[Some(b"ana")]);
            Settings::learn(answer, &mut context);
            assert!(!context.is_settled());
        }
    }
}
