//! What the names of this session stand for that SQL made: cursors, and statements prepared in SQL.
//!
//! A name counts as known only where all that could have given it another meaning was seen. Each entry is made
//! when its statement is sent and counts once the server confirmed it; whatever may have touched the name since
//! takes the entry away: CLOSE and its kin, a message of the protocol that makes the same name, the end of the
//! transaction (cursors), and any statement that runs code out of sight (all names). What is not known is
//! masked as an unknown origin is. So a mistake here can only be to know too much: when in doubt, forget.

use std::rc::Rc;

use policy::statement::{Named, Naming};

use super::Statement;

/// Most names that one session remembers; further ones are not known.
const NAMES: usize = 64;

struct Entry {
    named: Named,
    statement: Rc<Statement>,
    /// The server said that the statement succeeded.
    confirmed: bool,
    /// Rows that were fetched of it.
    fetched: u64,
}

/// The names of one session.
#[derive(Default)]
pub(super) struct Names {
    entries: Vec<Entry>,
    /// Whether anything was sent that may have made a name.
    makes: bool,
    /// Whether some name may stand for what was made under other rules than those of now.
    older: bool,
}

impl Names {
    /// A statement is sent.
    pub(super) fn sent(&mut self, statement: &Rc<Statement>) {
        self.makes |= statement.runs_code() || !statement.naming().is_empty();
        if statement.runs_code() {
            self.entries.clear();
        }
        match statement.naming() {
            [] => {}
            [Some(Naming::Makes(named))] => {
                if self.entries.len() < NAMES {
                    let (named, statement) = (named.clone(), Rc::clone(statement));
                    self.entries.push(Entry { named, statement, confirmed: false, fetched: 0 });
                } else {
                    self.entries.retain(|entry| entry.named != *named);
                }
            }
            [Some(Naming::Drops(Some(named)))] => self.entries.retain(|entry| entry.named != *named),
            // It runs the code of the statement that it names.
            [Some(Naming::Uses(named))] => {
                let mut made = self.entries.iter().filter(|entry| entry.named == *named).peekable();
                if made.peek().is_none() || made.any(|entry| entry.statement.runs_code()) {
                    self.entries.clear();
                }
            }
            [None] => {}
            // Several statements in one text, of which some name something: which of them succeeds is not told.
            several => {
                if several.iter().any(|naming| !matches!(naming, None | Some(Naming::Uses(_)))) {
                    self.entries.clear();
                }
            }
        }
    }

    /// A statement ended at the server.
    pub(super) fn ended(&mut self, statement: &Rc<Statement>, succeeded: bool) {
        let made = |entry: &Entry| !entry.confirmed && Rc::ptr_eq(&entry.statement, statement);
        let Some(index) = self.entries.iter().position(made) else { return };
        if succeeded {
            if let Some(entry) = self.entries.get_mut(index) {
                entry.confirmed = true;
            }
        } else {
            self.entries.remove(index);
        }
    }

    /// A statement that shows the rows of a cursor has shown so many; `None` where it failed, and it is not known how
    /// many it showed.
    pub(super) fn fetched(&mut self, statement: &Statement, rows: Option<u64>) {
        let [Some(Naming::Uses(named))] = statement.naming() else { return };
        for entry in self.entries.iter_mut().filter(|entry| named.cursor && entry.named == *named) {
            entry.fetched = rows.map_or(u64::MAX, |rows| entry.fetched.saturating_add(rows));
        }
    }

    /// Rows that were fetched of the cursor whose rows a statement shows; 0 for what was prepared, which runs anew.
    pub(super) fn rows_fetched(&self, statement: &Statement) -> u64 {
        let [Some(Naming::Uses(named))] = statement.naming() else { return 0 };
        let own = self.entries.iter().filter(|entry| entry.named == *named);
        own.map(|entry| entry.fetched).max().unwrap_or(0)
    }

    /// Other rules hold from here on.
    pub(super) fn rules_changed(&mut self) {
        self.older |= self.makes;
    }

    /// Whether some name may stand for what was made under other rules.
    pub(super) fn are_older(&self) -> bool {
        self.older
    }

    /// The client names a statement or portal by a message of the protocol.
    pub(super) fn taken(&mut self, name: &[u8]) {
        self.entries.retain(|entry| entry.named.name.as_bytes() != name);
    }

    /// The transaction ended, and cursors with it.
    pub(super) fn transaction_ended(&mut self) {
        self.entries.retain(|entry| !entry.named.cursor);
    }

    /// The statement whose rows a FETCH or EXECUTE shows, where that is certain.
    pub(super) fn source(&self, statement: &Statement) -> Option<Rc<Statement>> {
        let [Some(Naming::Uses(named))] = statement.naming() else { return None };
        let mut made = self.entries.iter().filter(|entry| entry.named == *named);
        let entry = made.next().filter(|entry| entry.confirmed)?;
        made.next().is_none().then(|| Rc::clone(&entry.statement))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use policy::config::Config;
    use policy::snapshot::{Snapshot, UserRules};
    use policy::statement::{SqlContext, judge};
    use wire::guard::{Carrier, StatementText};

    use super::super::statement::Base;
    use super::*;

    fn rules() -> Arc<UserRules> {
        let config =
            "[[listen]]\nname = \"l\"\nprotocol = \"postgres\"\naddress = \"127.0.0.1:1\"\nupstream = \"h:2\"\n";
        Snapshot::compile(Arc::new(Config::parse(config, "test").unwrap()), 1).rules_for("l", "ana")
    }

    fn statement(sql: &str) -> Rc<Statement> {
        let rules = rules();
        let judgement = judge(&rules, sql.as_bytes(), &SqlContext::default(), None);
        let text = StatementText {
            sql: sql.as_bytes(),
            carrier: Carrier::Query,
            total_bytes: sql.len(),
            catalogue_possible: false,
        };
        Rc::new(Statement::new(&text, judgement, Base { rules, catalogue: None, context: 0 }))
    }

    /// What `FETCH c` or `EXECUTE p` shows after these: statements that succeed; with `!` ones that fail; with `?`
    /// ones whose reply has not come; `=x` a name of the protocol, `.` the end of a transaction.
    fn shown(events: &[&str]) -> Option<String> {
        let mut names = Names::default();
        let mut waiting = Vec::new();
        for event in events {
            match event.split_at(1) {
                ("=", name) => names.taken(name.as_bytes()),
                (".", _) => names.transaction_ended(),
                ("!", sql) => {
                    let sent = statement(sql);
                    names.sent(&sent);
                    names.ended(&sent, false);
                }
                ("?", sql) => {
                    waiting.push(statement(sql));
                    names.sent(waiting.last().unwrap());
                }
                _ => {
                    let sent = statement(event);
                    names.sent(&sent);
                    names.ended(&sent, true);
                }
            }
        }
        waiting.iter().for_each(|sent| names.ended(sent, true));
        let uses = events.iter().any(|event| event.contains("PREPARE"));
        let source = names.source(&statement(if uses { "EXECUTE p" } else { "FETCH ALL FROM c" }));
        source.map(|source| String::from_utf8_lossy(source.text()).into_owned())
    }

    const DECLARE: &str = "DECLARE c CURSOR FOR SELECT 1";
    const OTHER: &str = "DECLARE c CURSOR FOR SELECT 2";
    const PREPARE: &str = "PREPARE p AS SELECT 1";

    #[test]
    fn a_name_is_known_from_the_statement_that_made_it() {
        assert_eq!(shown(&[DECLARE]).as_deref(), Some(DECLARE));
        assert_eq!(shown(&[PREPARE, "."]).as_deref(), Some(PREPARE));
        assert_eq!(shown(&[DECLARE, "CLOSE c", OTHER]).as_deref(), Some(OTHER));
        assert_eq!(shown(&[DECLARE, &format!("!{OTHER}")]).as_deref(), Some(DECLARE));
        assert_eq!(shown(&[DECLARE, "FETCH 1 FROM c", "SELECT 1", "=d"]).as_deref(), Some(DECLARE));
    }

    #[test]
    fn a_name_that_may_stand_for_something_else_is_not_known() {
        for events in [
            &[][..],
            &["!DECLARE c CURSOR FOR SELECT 1"],
            &[DECLARE, OTHER],
            &[DECLARE, "CLOSE c"],
            &[DECLARE, "CLOSE ALL"],
            &[DECLARE, "."],
            &[DECLARE, "=c"],
            &["?DECLARE c CURSOR FOR SELECT 1", "=c"],
            &["?DECLARE c CURSOR FOR SELECT 1", "."],
            &[DECLARE, "SELECT leak()"],
            &[DECLARE, "DO $$BEGIN END$$"],
            &[DECLARE, "EXECUTE q"],
            &[DECLARE, "CLOSE c; DECLARE c CURSOR FOR SELECT 2"],
            &["SELECT 1; DECLARE c CURSOR FOR SELECT 1"],
            &[PREPARE, "DEALLOCATE p"],
            &[PREPARE, "DISCARD ALL"],
            &[PREPARE, "=p"],
        ] {
            assert_eq!(shown(events), None, "{events:?}");
        }
    }
}
