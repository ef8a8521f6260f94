//! What a config file may say, and what is said about one that is wrong.

use core::time::Duration;

use super::*;
use crate::mask::Method;

const LISTEN: &str = "[[listen]]\nname = \"orders\"\nprotocol = \"postgres\"\naddress = \"127.0.0.1:6432\"\nupstream = \"127.0.0.1:5432\"\n";

/// Everything that is wrong with a listener and `tables`, without the name of the file.
fn problems(tables: &str) -> Vec<String> {
    match Config::parse(&format!("{LISTEN}{tables}"), "f") {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(|problem| problem.to_string().split_off(2)).collect(),
    }
}

#[test]
fn the_sample_of_the_design_reads() {
    let text = r#"
[gateway]
cores = [2, 3]
idle_timeout = "10m"
buffer_bytes = "32 KiB"
[admin]
address = "[::1]:9090"
[audit]
path = "log"
on_failure = "continue"
statements = "refused"
[policy]
unparsed = "allow"
[[listen]]
name = "orders"
protocol = "postgres"
address = "127.0.0.1:6432"
upstream = "unix:/run/pg"
tls = { cert = "server.crt", key = "server.key", require = true }
upstream_tls = { mode = "verify-full", ca = "ca.crt" }
auth = "gateway"
upstream_user = "app"
upstream_password = { env = "ORDERS_PASSWORD" }
allow_replication = true
[[user]]
name = "ana"
groups = ["support", "dba", "fraud"]
password = { file = "ana.txt" }
[[deny]]
name = "no destructive DDL"
statements = ["DROP", "truncate", "alter  table"]
listeners = ["orders"]
except_groups = ["dba"]
message = "ask"
[[deny]]
name = "writes need a WHERE"
statements = ["update", "delete"]
without_where = true
users = ["ana"]
[[mask]]
name = "cards"
columns = ["public.customers.card", "*.customers.ssn"]
method = "keep_last 4"
predicates = "deny"
groups = ["support"]
[[mask]]
name = "mails"
detect = ["email"]
columns = ["public.*"]
"#;
    // Everybody who is listed would be in an excepted group.
    let text = text.replace("except_groups = [\"dba\"]", "except_users = [\"ana\"]");
    let text = format!("{text}\n[[user]]\nname = \"bob\"\n");
    let config = Config::parse(&text, "f").unwrap();
    assert_eq!(config.gateway.cores, Cores::List(vec![2, 3]));
    assert_eq!((config.gateway.idle_timeout, config.gateway.buffer_bytes), (Some(Duration::from_secs(600)), 32_768));
    assert_eq!(config.gateway.startup_timeout, Duration::from_secs(15));
    assert_eq!(config.audit.on_failure, OnFailure::Continue);
    assert_eq!(config.audit.statements, AuditedStatements::Refused);
    assert_eq!(config.policy.unparsed, Unparsed::Allow);
    let listener = &config.listeners[0];
    assert_eq!(listener.upstream_tls.mode, UpstreamTlsMode::VerifyFull);
    assert!(
        matches!(&listener.auth, Auth::Gateway { upstream_password: Some(Secret::Env(name)), .. } if &**name == "ORDERS_PASSWORD")
    );
    assert!(listener.allow_replication && listener.tls.as_ref().unwrap().require);
    assert_eq!(config.denies[0].statements.to_string().split(", ").count(), 15);
    assert!(config.denies[1].without_where);
    assert_eq!(config.masks[0].method, Method::Keep { first: 0, last: 4 });
    assert_eq!((config.masks[0].predicates, config.masks[1].detect.len()), (Predicates::Deny, 1));
}

#[test]
fn defaults_hold_for_what_is_left_out() {
    let config = Config::parse(LISTEN, "f").unwrap();
    let gateway = &config.gateway;
    assert_eq!((&gateway.cores, gateway.max_clients, gateway.idle_timeout), (&Cores::Auto, 10_000, None));
    assert_eq!((gateway.buffers, gateway.buffer_bytes), (256, 65_536));
    assert_eq!(config.admin.address.to_string(), "127.0.0.1:9090");
    assert_eq!((config.audit.rotate_bytes, config.audit.on_failure), (128 << 20, OnFailure::Refuse));
    assert_eq!(config.audit.statements, AuditedStatements::All);
    assert_eq!(config.listeners[0].auth, Auth::Passthrough);
    assert_eq!(config.listeners[0].upstream_tls.mode, UpstreamTlsMode::Disable);
}

#[test]
fn every_problem_is_found_at_once_with_its_place() {
    let found = problems(
        "[gateway]\ncors = 1\nmax_clients = \"many\"\nbuffers = 100\n[[deny]]\nname = \"a\"\nstatements = [\"drop\", \"drp\"]\n\
         listeners = [\"order\"]\n[[deny]]\nstatements = []\n[[mask]]\nname = \"a\"\ncolumns = [\"card\"]\nmethod = \"hide\"\n",
    );
    let starts = [
        "7:1: gateway.cors: unknown key; did you mean `cores`?",
        "8:15: gateway.max_clients: expected a whole number, found a string",
        "9:11: gateway.buffers: must be a power of two",
        "12:23: deny[0].statements: unknown statement kind \"drp\"; did you mean \"drop\"? known kinds are alter, alter database",
        "13:13: deny[0].listeners: no listener has the name \"order\"; did you mean \"orders\"?",
        "14:1: deny[1]: the key `name` is missing",
        "15:14: deny[1].statements: no statement kind is named: the rule can never match",
        "17:8: mask[0].name: a second rule of the name \"a\"",
        "18:12: mask[0].columns: too few or too many parts",
        "19:10: mask[0].method: unknown mask method",
    ];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (problem, start) in found.iter().zip(starts) {
        assert!(problem.starts_with(start), "{problem}\n{start}");
    }
}

#[test]
fn one_slip_gives_one_problem() {
    for (tables, start) in [
        (
            "[[mask]]\nname = \"a\"\ncolumns = [\"t.a\", \"public.events.payload->>email\"]\n",
            "8:19: mask[0].columns: a path into JSON is up to 16 keys in single quotes",
        ),
        (
            "[[deny]]\nname = \"a\"\ncolumns_read = [\"public.events.payload->>'email'\"]\n",
            "8:16: deny[0].columns_read: paths into JSON are for the columns of masks",
        ),
        ("x = \"mysql\"\n", "6:1: listen[0].x: unknown key"),
        ("tls = true\n", "6:7: listen[0].tls: expected a table, found a truth value"),
        (
            "tls = { cert = \"a\", key = \"b\", requires = true }\n",
            "6:32: listen[0].tls.requires: unknown key; did you mean `require`?",
        ),
        ("upstream_tls = \"verify-full\"\n", "6:16: listen[0].upstream_tls: verify-full needs a CA"),
        (
            "upstream_tls = \"verify\"\n",
            "6:16: listen[0].upstream_tls: unknown value \"verify\"; known are disable, prefer",
        ),
        ("auth = \"gateway\"\n", "1:1: listen[0]: the key `upstream_user` is missing"),
        (
            "auth = \"gateway\"\nupstream_user = \"a\"\n",
            "6:8: listen[0].auth: auth = \"gateway\" needs a [[user]] with a password",
        ),
        ("upstream_user = \"a\"\n", "6:17: listen[0].upstream_user: is only used with auth = \"gateway\""),
        ("max_clients = 0\n", "6:15: listen[0].max_clients: must be from 1 to"),
        ("[[user]]\nname = \"a\"\n[[user]]\nname = \"a\"\n", "9:8: user[1].name: a second user of the name \"a\""),
        ("[admin]\naddress = \"0.0.0.0:6432\"\n", "4:11: listen[0].address: the port is taken by the admin address"),
        ("[admin]\naddress = \"localhost\"\n", "7:11: admin.address: expected an IP address and a port"),
        ("[[deny]]\nname = \"a\"\n", "6:1: deny[0]: the key `statements` is missing"),
        (
            "[[deny]]\nname = \"a\"\nstatements = [\"drop\"]\nwithout_where = true\n",
            "9:17: deny[0].without_where: only \"update\"",
        ),
        (
            "[[deny]]\nname = \"a\"\nstatements = [\"drop\"]\ngroups = [\"x\"]\n",
            "9:10: deny[0].groups: no user is in a group \"x\"; there is none",
        ),
        (
            "[[deny]]\nname = \"a\"\nstatements = [\"drop\"]\nusers = [\"x\"]\nexcept_users = [\"x\"]\n",
            "6:1: deny[0]: the exceptions cover everybody",
        ),
        (
            "[[deny]]\nname = \"a\"\nfunctions = []\n",
            "8:13: deny[0].functions: the list is empty: the rule can never match",
        ),
        (
            "[[deny]]\nname = \"a\"\nfunctions = [\"f(x)\"]\n",
            "8:14: deny[0].functions: expected the name of a function",
        ),
        (
            "[[deny]]\nname = \"a\"\nstatements = [\"drop\"]\ncolumns_written = [\"t.a\"]\n",
            "9:19: deny[0].columns_written: none of the rule's statements sets a column",
        ),
        (
            "[[deny]]\nname = \"a\"\nstatements = [\"vacuum\"]\ncolumns_read = [\"t.a\"]\n",
            "9:16: deny[0].columns_read: none of the rule's statements reads a column",
        ),
        (
            "[[deny]]\nname = \"a\"\nstatements = [\"drop\"]\naddresses = [\"10.1.0.0/8\"]\n",
            "9:14: deny[0].addresses: the address has bits behind the prefix",
        ),
        (
            "[[deny]]\nname = \"a\"\nstatements = [\"drop\"]\naddresses = []\n",
            "9:13: deny[0].addresses: the list is empty: the rule can never match",
        ),
        (
            "[[deny]]\nname = \"a\"\nstatements = [\"drop\"]\naddresses = [\"10.1.0.0/16\"]\nexcept_addresses = [\"10.0.0.0/8\"]\n",
            "10:20: deny[0].except_addresses: the exceptions cover every address",
        ),
        (
            "[[deny]]\nname = \"a\"\nstatements = [\"drop\"]\nexcept_applications = [\"*\"]\n",
            "9:23: deny[0].except_applications: the exceptions cover every application",
        ),
        (
            "[[deny]]\nname = \"a\"\nstatements = [\"drop\"]\nhours = \"8-18\"\n",
            "9:9: deny[0].hours: expected hours such as",
        ),
        (
            "[[deny]]\nname = \"a\"\nstatements = [\"drop\"]\ndays = []\n",
            "9:8: deny[0].days: the list is empty: the rule can never match",
        ),
        (
            "[[deny]]\nname = \"a\"\nstatements = [\"drop\"]\ntimezone = \"UTC\"\n",
            "9:12: deny[0].timezone: is only used with `hours` or `days`",
        ),
        (
            "[[deny]]\nname = \"a\"\nstatements = [\"drop\"]\ndays = \"mon\"\ntimezone = \"Mars\"\n",
            "10:12: deny[0].timezone: unknown time zone \"Mars\"",
        ),
        (
            "[[deny]]\nname = \"a\"\nstatements = [\"drop\"]\nmode = \"log\"\n",
            "9:8: deny[0].mode: unknown value \"log\"; known are enforce, report",
        ),
        (
            "[[mask]]\nname = \"a\"\ndetect = [\"card\"]\nmode = \"report\"\n",
            "9:8: mask[0].mode: \"report\" is for denies and column masks",
        ),
        (
            "[policy]\nallow_under_masks = [\"drop\"]\n",
            "7:22: policy.allow_under_masks: unknown class \"drop\"; known classes are dynamic_sql",
        ),
        (
            "[[deny]]\nname = \"a\"\nstatements = [\"drop\"]\nrow_limit = 5\n",
            "9:13: deny[0].row_limit: none of the rule's statements shows rows",
        ),
        (
            "[[deny]]\nname = \"a\"\nrow_limit = 5\nmode = \"report\"\n",
            "9:8: deny[0].mode: \"report\" is for denies that",
        ),
        ("[policy]\nnotify_payloads = \"all\"\n", "7:19: policy.notify_payloads: unknown value \"all\""),
        ("[[mask]]\nname = \"a\"\n", "6:1: mask[0]: the key `columns` is missing"),
        ("[[mask]]\nname = \"a\"\ndetect = [\"nonsense\"]\n", "8:11: mask[0].detect: "),
        ("[[mask]]\nname = \"a\"\ndetect = []\n", "8:10: mask[0].detect: the list must not be empty"),
        (
            "[[mask]]\nname = \"a\"\ndetect = [\"card\"]\npredicates = \"deny\"\n",
            "9:14: mask[0].predicates: is for column masks",
        ),
        (
            "[[mask]]\nname = \"a\"\ndetect = [\"card\"]\nmethod = \"year_only\"\n",
            "9:10: mask[0].method: is for columns of numbers or dates",
        ),
        (
            "[[mask]]\nname = \"a\"\ndetect = [\"email\"]\nmethod = \"round 10\"\n",
            "9:10: mask[0].method: is for columns of numbers or dates",
        ),
        ("[[mask]]\nname = \"a\"\ncolumns = [\"*\"]\nmethod = \"hash\"\n", "9:10: mask[0].method: hash needs a key"),
        (
            "[[mask]]\nname = \"a\"\ncolumns = [\"*\"]\nmethod = \"round 0\"\n",
            "9:10: mask[0].method: round needs a step",
        ),
        ("[[mask]]\nname = \"a\"\npattern = \"a*\"\n", "8:11: mask[0].pattern: the pattern matches the empty text"),
        ("[[mask]]\nname = \"a\"\npattern = \"(\"\n", "8:11: mask[0].pattern: not a usable pattern"),
        (
            "[[mask]]\nname = \"a\"\ncolumns = [\"*\"]\nignore_case = true\n",
            "9:15: mask[0].ignore_case: is only used with pattern or literals_file",
        ),
        ("[policy]\nhash_key = \"secret\"\n", "7:12: policy.hash_key: expected a table"),
        (
            "[policy]\nunparsed = \"maybe\"\n",
            "7:12: policy.unparsed: unknown value \"maybe\"; known are allow, auto, refuse",
        ),
        ("[audit]\nrotate_bytes = \"1 KB\"\n", "7:16: audit.rotate_bytes: expected a size"),
        ("[gateway]\nstartup_timeout = \"0s\"\n", "7:19: gateway.startup_timeout: must be at least"),
        ("[gateway]\ncores = \"all\"\n", "7:9: gateway.cores: expected \"auto\" or a list"),
        ("[gateway\n", "6:"),
        ("gateway = 1\n", "6:1: listen[0].gateway: unknown key"),
    ] {
        let found = problems(tables);
        assert_eq!(found.len(), 1, "{tables}: {found:#?}");
        assert!(found[0].starts_with(start), "{tables}\n{}\n{start}", found[0]);
    }
}

#[test]
fn no_listener_is_said_so_and_a_protocol_must_be_known() {
    let found = Config::parse("", "f").unwrap_err();
    assert_eq!(found[0].to_string(), "f:1:1: no [[listen]] section: there is nothing to listen on");
    let config = Config::parse(&LISTEN.replace("\"postgres\"", "\"mysql\""), "f").unwrap();
    assert_eq!(config.listeners[0].protocol, Protocol::MySql);
    let found = Config::parse(&LISTEN.replace("\"postgres\"", "\"oracle\""), "f").unwrap_err();
    assert!(found[0].to_string().starts_with("f:3:"), "{}", found[0]);
}

#[test]
fn scopes_cover_by_listener_group_and_name() {
    let names = |names: &[&str]| Some(names.iter().map(|name| Box::<str>::from(*name)).collect());
    let groups: Vec<Box<str>> = vec!["support".into()];
    let scope = Scope { groups: names(&["support"]), users: names(&["eve"]), ..Scope::default() };
    assert!(scope.covers("l", "ana", &groups) && scope.covers("l", "eve", &[]) && !scope.covers("l", "bob", &[]));
    let scope = Scope { listeners: names(&["l"]), except_users: vec!["eve".into()], ..Scope::default() };
    assert!(scope.covers("l", "ana", &[]) && !scope.covers("m", "ana", &[]) && !scope.covers("l", "eve", &[]));
}
