//! Whose session it is, where that changes on the way (MySQL's COM_CHANGE_USER), and which files of the client's
//! machine its server may have.
//!
//! All that hangs on a user changes at once: rules, audit, catalogue, and who may kill the session.

use wire::guard::Denial;

use super::{SessionGuard, Statement};
use crate::cancel::CancelKey;
use crate::figures;

/// Whom a client says it is.
pub(super) struct Claimed {
    pub(super) user: Box<[u8]>,
    pub(super) database: Box<[u8]>,
}

impl SessionGuard {
    /// Whoever the client said it is, it could not show it.
    pub(super) fn change_failed(&mut self, reason: &'static str, code: u16, sqlstate: [u8; 5]) {
        // Whoever was claimed has failed, not who the session belongs to.
        let mut claimed = self.facts.clone();
        if let Some(Claimed { user, database }) = self.claimed.take() {
            claimed.learn(&self.shard.policy.borrow(), &user, &database, &self.facts.application);
        }
        claimed.login_failed(&self.shard, reason, sqlstate, Some(code));
    }

    /// The session is another user's from now on.
    pub(super) fn becomes(&mut self, user: &[u8], database: &[u8]) {
        self.claimed = None;
        let application = std::mem::take(&mut self.facts.application);
        self.facts.learn(&self.shard.policy.borrow(), user, database, &application);
        self.catalogue = None;
        self.catalogues_seen = 0;
        self.cache_context = None;
        self.load_failed = false;
        // Who may kill it, where the server takes all for one user's.
        if let Some(old) = self.cancel.take() {
            let new = CancelKey { secret: user.into(), ..old.clone() };
            self.shard.shared.cancels.rename(&old, new.clone());
            self.cancel = Some(new);
        }
        self.facts.let_in(&self.shard, &self.entry);
    }

    /// Whether a rule gives a file of the client's machine to the server.
    ///
    /// # Errors
    /// The refusal.
    pub(super) fn gives_file(&self, statement: &Statement, file: &[u8]) -> Result<(), Denial> {
        let policy = self.shard.policy.borrow();
        // A name that is not UTF-8 fits only a rule for any file.
        match self.facts.local_file(&policy, &String::from_utf8_lossy(file)) {
            Some(rule) => {
                tracing::info!(session = %self.facts.session, rule, "a client gives its server a file");
                Ok(())
            }
            None => {
                figures::on_listener(&self.shard, self.facts.listener, |metrics| metrics.statements.denied += 1);
                tracing::info!(session = %self.facts.session, file = %String::from_utf8_lossy(file),
                    statement = %String::from_utf8_lossy(statement.text()), "a local file was refused");
                Err(Denial {
                    sqlstate: *b"42501",
                    message: "the file is refused: no rule of [[local_file]] gives it to the database".into(),
                    hint: None,
                })
            }
        }
    }
}
