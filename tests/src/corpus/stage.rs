//! Where the corpus is played: a template database, copies of it, a gateway for each policy, and the
//! fingerprint by which any effect on the server is seen.

use super::{entry, mysql, secret};
use crate::gateway::{Gateway, Setup};
use crate::program;
use crate::raw::{Client, Frame, transcript};
use crate::servers::{Endpoint, Family, Server};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// The role that attacks, and that looks at the server directly.
const SUPERUSER: &str = "raider";

/// The database that all others are copied from. Dropped with the value.
#[derive(Debug)]
pub struct Template<'s> {
    server: &'s Server,
    name: String,
    /// Texts that give a secret away other than by its letters: hashes.
    pub derived: Vec<String>,
}

impl<'s> Template<'s> {
    /// Makes it from `tests/evasion/schema.sql`.
    ///
    /// # Panics
    /// When the server does not take the schema.
    #[must_use]
    pub fn make(server: &'s Server, purpose: &str) -> Self {
        let name = format!("corpus_{purpose}_{}", std::process::id());
        if server.family() != Family::Postgres {
            return Self { server, name, derived: mysql::prepare(server, &secret::TEXTS) };
        }
        let _ = server.admin("postgres", &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        let _ = server.admin("postgres", &format!("CREATE DATABASE {name} OWNER app TEMPLATE template0"));
        let schema = fs::read_to_string(entry::folder("evasion").join("schema.sql")).expect("schema.sql is there");
        let _ = server.admin(&name, &schema);
        let hashes = "SELECT string_agg(h, ' ') FROM public.people, LATERAL (VALUES (md5(ssn)), (md5(lower(ssn))), \
            (encode(sha256(ssn::bytea), 'hex')), (encode(sha512(ssn::bytea), 'hex')), (encode(sha224(ssn::bytea), 'hex')), \
            (md5(pay::text)), (md5(ssn::bytea)), (encode(sha256(ssn::bytea), 'base64')), (crypt(ssn, '$1$abcdefgh'))) AS v (h)";
        let derived = server.admin(&name, hashes);
        Self { server, name, derived: derived.split_whitespace().map(str::to_owned).collect() }
    }
}

impl Drop for Template<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() && self.server.family() == Family::Postgres {
            let _ = self.server.admin("postgres", &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        }
    }
}

/// One copy of the template, and who looks after it.
pub struct Copy<'s> {
    server: &'s Server,
    template: &'s Template<'s>,
    /// Its name.
    pub name: String,
    pristine: String,
    /// The cluster's next transaction when the database was last seen to be as it was made.
    unchanged_at: RefCell<Option<String>>,
    admin: RefCell<Option<Administrator>>,
    /// Counts what must not be there twice, such as files that nothing can remove.
    count: Cell<u32>,
}

/// The administrator's own connection, past every gateway.
enum Administrator {
    MySql(crate::corpus::client::Client),
    Postgres(Client),
}

impl Administrator {
    fn connect(endpoint: &Endpoint, family: Family) -> Self {
        match family {
            Family::Postgres => Self::Postgres(Client::login(endpoint)),
            Family::MariaDb | Family::MySql => Self::MySql(crate::corpus::client::Client::open(endpoint)),
        }
    }

    /// All that comes, with `Z` at its end.
    fn query(&mut self, sql: &str) -> Vec<Frame> {
        match self {
            Self::MySql(client) => client.query(sql),
            Self::Postgres(client) => client.query(sql),
        }
    }
}

impl<'s> Copy<'s> {
    /// Makes a copy.
    #[must_use]
    pub fn make(template: &'s Template<'s>, purpose: &str) -> Self {
        let server = template.server;
        let name = format!("{}_{purpose}", template.name);
        let mut copy = Self {
            server,
            template,
            name,
            pristine: String::new(),
            unchanged_at: RefCell::default(),
            admin: RefCell::default(),
            count: Cell::default(),
        };
        copy.reset();
        copy.pristine = copy.fingerprint();
        copy
    }

    /// Makes it anew.
    ///
    /// # Panics
    /// When the server does not.
    pub fn reset(&self) {
        *self.admin.borrow_mut() = None;
        *self.unchanged_at.borrow_mut() = None;
        if self.server.family() != Family::Postgres {
            let mut client = crate::corpus::client::Client::open(&self.endpoint("mysql"));
            if self.pristine.is_empty() || !mysql::undo(&mut client, &self.name, &self.pristine) {
                mysql::make(&mut client, &self.name);
            }
            return;
        }
        let mut client = Client::login(&self.server.endpoint(SUPERUSER, false).in_database("postgres"));
        let Self { name, .. } = self;
        let slots = format!(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = '{name}' AND NOT active"
        );
        let _ = client.query(&slots);
        let _ = client.query(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        let _ = client.query("DROP ROLE IF EXISTS loot");
        let template = &self.template.name;
        // In memory, copies of files are a third less work than copies of pages through the log; on a disk they are
        // more.
        let strategy = if self.server.is_in_memory() { "FILE_COPY" } else { "WAL_LOG" };
        let made = client.query(&format!("CREATE DATABASE {name} OWNER app TEMPLATE {template} STRATEGY {strategy}"));
        assert!(made.iter().all(|frame| frame.tag != b'E'), "{}", transcript(&made));
    }

    fn endpoint(&self, database: &str) -> Endpoint {
        self.server.endpoint(SUPERUSER, false).in_database(database)
    }

    /// What stands for names in texts of MySQL's and MariaDB's part: the database, the folder where the server
    /// writes files, and a number that no other run has.
    #[must_use]
    pub fn names(&self) -> Vec<(String, String)> {
        if self.server.family() == Family::Postgres {
            return Vec::new();
        }
        self.count.set(self.count.get() + 1);
        let files = self.admin("SELECT @@secure_file_priv").unwrap_or_default();
        let number = format!("{}_{}", self.name, self.count.get());
        [("db", self.name.clone()), ("files", files), ("n", number)]
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec()
    }

    /// A text with the database's name in its place.
    #[must_use]
    pub fn fill(&self, text: &str) -> String {
        text.replace("{{db}}", &self.name)
    }

    /// Runs SQL as the superuser, past every gateway, and returns the first cell of its last row. What fails
    /// is silent: it is for attacks to fail.
    pub fn admin(&self, sql: &str) -> Option<String> {
        let mut admin = self.admin.borrow_mut();
        let (endpoint, family) = (self.endpoint(&self.name), self.server.family());
        let client = admin.get_or_insert_with(|| Administrator::connect(&endpoint, family));
        let mut frames = client.query(sql);
        if frames.last().is_none_or(|frame| frame.tag != b'Z') {
            // The attack ended the connection.
            *client = Administrator::connect(&endpoint, family);
            frames = client.query(sql);
        }
        let row = frames.iter().rev().find(|frame| frame.tag == b'D')?;
        let cell = row.cells().into_iter().next()??;
        Some(String::from_utf8_lossy(&cell).into_owned())
    }

    /// The same where failing is a fault of the entry.
    ///
    /// # Errors
    /// What the server says.
    pub fn prepare(&self, sql: &str) -> Result<(), String> {
        let mut admin = self.admin.borrow_mut();
        let (endpoint, family) = (self.endpoint(&self.name), self.server.family());
        let client = admin.get_or_insert_with(|| Administrator::connect(&endpoint, family));
        let frames = client.query(sql);
        let failed = frames.iter().any(|frame| frame.tag == b'E');
        if failed { Err(format!("{sql}: {}", transcript(&frames))) } else { Ok(()) }
    }

    /// Everything of it that an attack could change, as one hash.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        if self.server.family() != Family::Postgres {
            let mut client = crate::corpus::client::Client::open(&self.endpoint("mysql"));
            return mysql::fingerprint(&mut client, &self.name);
        }
        self.admin(FINGERPRINT).unwrap_or_else(|| "it cannot be read".into())
    }

    /// Whether it is not as it was made. Where no transaction anywhere on the server wrote anything since the
    /// last time, that is known without a look.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        if self.server.family() != Family::Postgres {
            return self.fingerprint() != self.pristine;
        }
        let next = self.admin(MARK);
        if next.is_some() && *self.unchanged_at.borrow() == next {
            return false;
        }
        let changed = self.fingerprint() != self.pristine;
        *self.unchanged_at.borrow_mut() = next.filter(|_| !changed);
        changed
    }
}

impl Drop for Copy<'_> {
    fn drop(&mut self) {
        *self.admin.borrow_mut() = None;
        if self.server.family() != Family::Postgres {
            if !std::thread::panicking() {
                let _ = self.server.admin("mysql", &mysql::drop_statement(&self.name));
            }
            return;
        }
        if !std::thread::panicking() {
            let _ = self.server.admin("postgres", &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        }
    }
}

/// What moves with every change: transactions, and what changes without one.
const MARK: &str = "\
SELECT concat_ws(' ', pg_snapshot_xmax(pg_current_snapshot()), \
    (SELECT count(*) FROM pg_replication_slots WHERE database = current_database()), \
    (SELECT string_agg(last_value::text, ',' ORDER BY schemaname, sequencename) FROM pg_sequences))";

/// Rows of all tables, and every object that SQL can make, change or drop.
const FINGERPRINT: &str = r"
SELECT md5(string_agg(line, chr(10) ORDER BY line)) FROM (
  SELECT 'row ' || c.oid || query_to_xml(format('SELECT * FROM ONLY %s AS t ORDER BY t::text', c.oid::regclass), true, false, '')::text
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'm') AND c.oid >= 16384 AND n.nspname !~ '^pg_'
  UNION ALL SELECT concat_ws(' ', 'class', oid, relname, relkind, relowner, relacl, relrowsecurity, reloptions, relnamespace)
    FROM pg_class WHERE oid >= 16384 AND relpersistence <> 't' AND relnamespace <> 'pg_toast'::regnamespace
  UNION ALL SELECT concat_ws(' ', 'attribute', attrelid, attnum, attname, atttypid, attacl, attnotnull)
    FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid WHERE attrelid >= 16384 AND relpersistence <> 't'
  UNION ALL SELECT concat_ws(' ', 'default', adrelid, adnum, pg_get_expr(adbin, adrelid)) FROM pg_attrdef
  UNION ALL SELECT concat_ws(' ', 'proc', oid, proname, prosrc, proowner, proacl) FROM pg_proc WHERE oid >= 16384
  UNION ALL SELECT concat_ws(' ', 'namespace', oid, nspname, nspowner, nspacl) FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'
  UNION ALL SELECT concat_ws(' ', 'trigger', oid, tgname, tgenabled) FROM pg_trigger
  UNION ALL SELECT concat_ws(' ', 'rule', oid, rulename, ev_class) FROM pg_rewrite WHERE oid >= 16384
  UNION ALL SELECT concat_ws(' ', 'type', t.oid, typname, typtype) FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace
   WHERE t.oid >= 16384 AND nspname !~ '^pg_'
  UNION ALL SELECT concat_ws(' ', 'constraint', oid, conname, conrelid) FROM pg_constraint WHERE oid >= 16384
  UNION ALL SELECT concat_ws(' ', 'policy', oid, polname) FROM pg_policy
  UNION ALL SELECT concat_ws(' ', 'large object', oid, lomowner, lomacl, md5(lo_get(oid))) FROM pg_largeobject_metadata
  UNION ALL SELECT concat_ws(' ', 'setting', setdatabase, setrole, setconfig) FROM pg_db_role_setting
   WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
  UNION ALL SELECT concat_ws(' ', 'server', oid, srvname, srvoptions) FROM pg_foreign_server
  UNION ALL SELECT concat_ws(' ', 'extension', oid, extname) FROM pg_extension
  UNION ALL SELECT concat_ws(' ', 'event trigger', oid, evtname) FROM pg_event_trigger
  UNION ALL SELECT concat_ws(' ', 'publication', oid, pubname) FROM pg_publication
  UNION ALL SELECT concat_ws(' ', 'comment', objoid, classoid, objsubid, description) FROM pg_description WHERE objoid >= 16384
  UNION ALL SELECT concat_ws(' ', 'operator', oid, oprname) FROM pg_operator WHERE oid >= 16384
  UNION ALL SELECT concat_ws(' ', 'cast', oid) FROM pg_cast WHERE oid >= 16384
  UNION ALL SELECT concat_ws(' ', 'language', oid, lanname) FROM pg_language
  UNION ALL SELECT concat_ws(' ', 'statistics', oid, stxname) FROM pg_statistic_ext
  UNION ALL SELECT concat_ws(' ', 'sequence', schemaname, sequencename, last_value) FROM pg_sequences
  UNION ALL SELECT concat_ws(' ', 'slot', slot_name) FROM pg_replication_slots WHERE database = current_database()
  UNION ALL SELECT concat_ws(' ', 'role', rolname, rolsuper, rolconnlimit) FROM pg_roles WHERE rolname ~ '^loot'
  UNION ALL SELECT concat_ws(' ', 'database', datacl, datconnlimit) FROM pg_database WHERE datname = current_database()
) AS state (line)";

/// One policy before one server: a gateway, a database behind it, and a database without one.
pub struct Stage<'s> {
    server: &'s Server,
    /// The database that is reached through the gateway.
    pub guarded: Copy<'s>,
    /// The database that is reached directly.
    pub bare: Copy<'s>,
    gateway: Gateway,
    policy: String,
    policies: BTreeMap<String, String>,
}

impl<'s> Stage<'s> {
    /// Builds a stage.
    ///
    /// # Panics
    /// When there is no such policy.
    #[must_use]
    pub fn build(server: &'s Server, template: &'s Template<'s>, policy: &str) -> Self {
        let policies = entry::policies(server.family());
        let rules = policies.get(policy).unwrap_or_else(|| panic!("no policy {policy}"));
        let gateway = Setup::before(server).policy(rules).start();
        Self {
            server,
            guarded: Copy::make(template, policy),
            bare: Copy::make(template, &format!("{policy}_bare")),
            gateway,
            policy: policy.to_owned(),
            policies,
        }
    }

    /// The server's major version.
    #[must_use]
    pub fn major(&self) -> u32 {
        major(self.server)
    }

    /// The server itself.
    #[must_use]
    pub fn server(&self) -> &Server {
        self.server
    }

    /// How a user comes in through the gateway.
    #[must_use]
    pub fn through(&self, user: &str) -> Endpoint {
        self.known(self.gateway.endpoint(user, false).in_database(&self.guarded.name))
    }

    /// How a user reaches the other database directly.
    #[must_use]
    pub fn direct(&self, user: &str) -> Endpoint {
        self.known(self.server.endpoint(user, false).in_database(&self.bare.name))
    }

    /// The users of the corpus need no password.
    fn known(&self, endpoint: Endpoint) -> Endpoint {
        if self.server.family() == Family::Postgres {
            endpoint
        } else {
            Endpoint { password: String::new(), ..endpoint }
        }
    }

    /// Loads another policy, and waits until it holds.
    ///
    /// # Panics
    /// When it is not loaded.
    pub fn load(&self, policy: &str) {
        let loads = || {
            let loaded = |record: &serde_json::Value| record["event"] == "reload" && record["loaded"] == true;
            self.gateway.records().iter().filter(|record| loaded(record)).count()
        };
        let before = loads();
        let rules = self.policies.get(policy).unwrap_or_else(|| panic!("no policy {policy}")).clone();
        self.gateway.rewrite_config(|setup| setup.policy(&rules));
        self.gateway.signal("HUP");
        program::eventually("the policy is loaded", Duration::from_secs(20), || (loads() > before).then_some(()));
    }

    /// Loads its own policy again.
    pub fn restore(&self) {
        self.load(&self.policy);
    }

    /// What its gateway logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.gateway.log()
    }
}

/// The major version by a server's name.
#[must_use]
pub fn major(server: &Server) -> u32 {
    let digits: String = server.name.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_default()
}
