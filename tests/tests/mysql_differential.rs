//! Thousands of statements to MariaDB and MySQL, without the gateway and through it: the replies are the same
//! byte for byte, packets and sequence ids included, in every dialect that clients agree on.

use integration::differential::{Step, made::Maker, written};
use integration::gateway::Setup;
use integration::mysql_raw::reply::{End, Reply, in_order};
use integration::mysql_raw::{Client, MARIADB, USUAL};
use integration::or_skip;
use integration::servers::Server;
use mysql::capability::Capabilities;

/// Made steps for each dialect.
const STEPS: usize = 400;

/// The two databases; their names have one length, so that what shows them has too.
const NAMES: [&str; 2] = ["t_direct", "t_behind"];

fn dialects() -> Vec<(&'static str, Capabilities)> {
    vec![
        ("usual", USUAL),
        ("EOF packets", USUAL.without(Capabilities::DEPRECATE_EOF)),
        ("no session tracking, found rows", USUAL.without(Capabilities::SESSION_TRACK) | Capabilities::FOUND_ROWS),
        ("query attributes", USUAL | Capabilities::QUERY_ATTRIBUTES),
        ("MariaDB's own", MARIADB),
    ]
}

/// The replies with the name of the second database made that of the first.
fn with_name(replies: &mut [Reply], from: &str, to: &str) {
    for message in replies.iter_mut().flat_map(|reply| &mut reply.messages) {
        while let Some(at) = message.payload.windows(from.len()).position(|window| window == from.as_bytes()) {
            message.payload.splice(at..at + from.len(), to.bytes());
        }
    }
}

/// Takes the statement's number out of the reply to a preparation: MariaDB counts on where an earlier session of the
/// same thread ended.
fn without_number(step: &Step, replies: &mut [Reply]) {
    if let Step::Prepared(..) = step
        && let Some(first) = replies.first_mut().and_then(|reply| reply.messages.first_mut())
        && let [0, number @ .., _, _, _, _, _, _, _] = first.payload.as_mut_slice()
    {
        number.fill(0);
    }
}

/// Puts the changes that an OK tells of into one order: see [`in_order`].
fn with_changes_in_order(replies: &mut [Reply], capabilities: Capabilities) {
    for message in replies.iter_mut().flat_map(|reply| &mut reply.messages) {
        if let End::Ok { session, .. } = End::parse(&message.payload, capabilities) {
            let told = message.payload.len() - session.len();
            message.payload.splice(told.., in_order(&session));
        }
    }
}

/// Both ends of a comparison: a client of the server and one of the gateway.
struct Pair {
    direct: Client,
    through: Client,
    names: [String; 2],
    capabilities: Capabilities,
    compared: usize,
}

impl Pair {
    #[track_caller]
    fn take(&mut self, what: &str, step: &Step) {
        let mut direct = step.take(&mut self.direct);
        let mut through = step.take(&mut self.through);
        self.compared += direct.len();
        if direct == through {
            return;
        }
        with_name(&mut direct, &self.names[0], &self.names[1]);
        with_name(&mut through, &self.names[0], &self.names[1]);
        without_number(step, &mut direct);
        without_number(step, &mut through);
        with_changes_in_order(&mut direct, self.capabilities);
        with_changes_in_order(&mut through, self.capabilities);
        if direct == through {
            return;
        }
        let at = direct.iter().zip(&through).position(|(one, other)| one != other).unwrap_or(0);
        let show = |replies: &[Reply]| replies.get(at).map(shown).unwrap_or_default();
        panic!(
            "{what}: {}\nreply {at} without the gateway:\n{}\nand with it:\n{}",
            sql(step),
            show(&direct),
            show(&through)
        );
    }
}

fn sql(step: &Step) -> String {
    match step {
        Step::Command(payload) => format!("command {}", payload.escape_ascii()),
        Step::Prepared(sql, rounds, rows) => {
            format!("prepared {} with {rounds:?}, fetched by {rows}", String::from_utf8_lossy(sql))
        }
        Step::Query(sql) => String::from_utf8_lossy(sql).into_owned(),
    }
}

fn shown(reply: &Reply) -> String {
    let mut text = String::new();
    for message in &reply.messages {
        let bytes = message.payload.get(..600).unwrap_or(&message.payload);
        text += &format!("{:>3} {} {}\n", message.seq, message.packets, bytes.escape_ascii());
    }
    text
}

fn compare(name: &str, setup: impl Fn(&Server) -> Setup, tls: bool) {
    let server = or_skip!(Server::find(name));
    let family = server.family();
    let gateway = setup(&server).start();
    let names = NAMES.map(|name| format!("{name}_{}", std::process::id()));
    for name in &names {
        let _ = server.admin("mysql", &format!("DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name}"));
    }
    let mut compared = 0;
    for (number, (what, capabilities)) in dialects().into_iter().enumerate() {
        let direct = server.endpoint("dora", tls).in_database(&names[0]);
        let through = gateway.endpoint("dora", tls).in_database(&names[1]);
        let mut pair = Pair {
            direct: Client::login_with(&direct, capabilities),
            through: Client::login_with(&through, capabilities),
            names: names.clone(),
            capabilities,
            compared: 0,
        };
        if number == 0 {
            for sql in written::schema(family) {
                pair.take("the schema", &Step::query(&sql));
            }
        }
        // Values of 16 MiB are cut the same way in every dialect: one is enough of what takes so long.
        for step in written::steps(family).iter().filter(|step| number == 0 || !sql(step).contains("REPEAT('x', 1677"))
        {
            pair.take(what, step);
        }
        // The steps before end in another database.
        for (client, name) in [&mut pair.direct, &mut pair.through].into_iter().zip(&names) {
            // The gateway has the server tell of `sql_mode`, and lets who asked for changes of the session hear of
            // it: here both ask.
            let settings = "SET SESSION timestamp = 1700000000, session_track_system_variables = \
                'time_zone,autocommit,character_set_client,character_set_results,character_set_connection,sql_mode'";
            assert_eq!(client.query(&format!("USE {name}; {settings}")).code(), 0);
        }
        let mut maker = Maker::new(20_260_000 + number as u64, family);
        for at in 0..STEPS {
            pair.take(&format!("{what}, step {at}"), &maker.step());
        }
        compared += pair.compared;
    }
    for name in &names {
        let _ = server.admin("mysql", &format!("DROP DATABASE {name}"));
    }
    assert!(compared > 5_000, "only {compared} replies were compared");
}

#[test]
fn replies_of_mariadb_are_the_servers_own() {
    compare("mariadb", Setup::before, false);
}

#[test]
fn replies_of_mysql_are_the_servers_own() {
    compare("mysql97", |server| Setup::before(server).tls_required().upstream_tls("verify-full"), true);
}
