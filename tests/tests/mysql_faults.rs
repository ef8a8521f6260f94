//! MySQL and MariaDB servers that die, refuse or talk nonsense, clients that leave, crawl or send garbage, and
//! the limits of a gateway before them: each gives an ERR with number and SQLSTATE, or an end, and a record.

use integration::double::{Connection, Double};
use integration::gateway::{Gateway, Setup, free_port};
use integration::mysql_raw::double::{definitions, end_of_rows, greeting, row};
use integration::mysql_raw::message::{framed, lying, query, simple};
use integration::mysql_raw::reply::{Form, Reply};
use integration::mysql_raw::{Client, USUAL};
use integration::servers::{Endpoint, Server};
use integration::small_disk::{SmallDisk, assert_all_counted, long_statement};
use integration::{audit, drivers, masked, or_skip, program, skip};
use mysql::constant::command;
use serde_json::Value;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

fn setup(upstream: &str) -> Setup {
    Setup::before_address(upstream, Path::new("")).mysql().policy("").gateway_lines("startup_timeout = \"2s\"")
}

/// A server that lets everyone in and answers `SELECT 1` so, and everything else (what the gateway itself asks
/// of a new session) with OK.
fn answering(reply: impl Fn(&mut Connection) -> io::Result<()> + Send + Sync + 'static) -> Double {
    Double::start(move |mut connection| {
        connection.accept_mysql()?;
        while let Ok(packet) = connection.packet() {
            match packet.payload.as_slice() {
                [command::QUERY, sql @ ..] if sql == b"SELECT 1" => reply(&mut connection)?,
                [command::QUIT, ..] => break,
                _ => connection.ok(1)?,
            }
        }
        Ok(())
    })
}

fn ask(gateway: &Gateway) -> Reply {
    Client::login(&gateway.endpoint("trust_user", false)).query("SELECT 1")
}

fn login_error(endpoint: &Endpoint) -> String {
    Client::try_login(endpoint, USUAL).expect_err("nobody is let in")
}

#[test]
fn a_server_that_answers_nonsense_ends_the_session_with_an_error() {
    for (what, reply) in [
        ("a count of columns that cannot be", framed(1, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
        ("an empty packet", framed(1, b"")),
        ("half an OK", framed(1, &[0, 0])),
    ] {
        let double = answering(move |connection| {
            connection.send(&reply)?;
            connection.wait_for_end();
            Err(io::ErrorKind::ConnectionAborted.into())
        });
        let mut gateway = setup(&double.address()).start();
        let said = ask(&gateway);
        assert!(said.is_cut() || said.error().is_some(), "{what}: went on as if nothing were:\n{said}");
        let record = gateway.record(what, |record| record["event"] == "fault");
        assert_eq!(record["culprit"], "server", "{what}: {record}");
        assert!(gateway.is_running() && !gateway.log().contains("panicked"), "{}", gateway.log());
    }
}

#[test]
fn a_server_that_dies_is_reported() {
    for half in [false, true] {
        let double = answering(move |connection| {
            let (names, seq) = definitions(&["word"]);
            connection.send(&names)?;
            connection.send(&row(seq, &["whole"]))?;
            if half {
                connection.send(&row(seq + 1, &["never whole"])[..8])?;
            }
            Err(io::ErrorKind::ConnectionAborted.into())
        });
        let gateway = setup(&double.address()).start();
        let said = ask(&gateway);
        assert!(said.is_cut() || said.error().is_some(), "{said}");
        if let Some((code, sqlstate, _)) = said.error() {
            assert!(code > 0 && sqlstate.starts_with("08"), "{said}");
        } else {
            assert!(half, "between two messages there is room for an error: {said}");
        }
        program::eventually("the statement is recorded as abandoned", Duration::from_secs(10), || {
            gateway.records().iter().any(|record| record["abandoned"] == true).then_some(())
        });
    }
}

#[test]
fn a_server_that_falls_silent_in_a_result_is_left_when_its_client_goes() {
    // In the middle of a row, and between two.
    for bytes in [3, usize::MAX] {
        let (gone, heard) = std::sync::mpsc::channel();
        let gone = std::sync::Mutex::new(gone);
        let double = answering(move |connection| {
            let (names, seq) = definitions(&["word"]);
            connection.send(&names)?;
            connection.send(&row(seq, &["whole"]))?;
            let next = row(seq + 1, &["never whole"]);
            connection.send(&next[..next.len().min(bytes)])?;
            connection.wait_for_end();
            let _ = gone.lock().map(|gone| gone.send(()));
            Err(io::ErrorKind::ConnectionAborted.into())
        });
        let gateway = setup(&double.address()).start();
        let mut client = Client::login(&gateway.endpoint("trust_user", false));
        let mut bystander = Client::login(&gateway.endpoint("trust_user", false));
        client.command(&query(b"SELECT 1"));
        for _ in 0..3 {
            client.message().expect("the count, the definition, a row");
        }
        if bytes == usize::MAX {
            client.message().expect("the second row");
        }
        assert!(client.is_silent_for(Duration::from_millis(500)), "the client waits as it would at the server");
        assert!(heard.try_recv().is_err(), "and the server is not left while it does");
        drop(client);
        heard.recv_timeout(Duration::from_secs(20)).expect("the server's connection is closed behind the client's");
        let record = gateway.record("the statement", |record| record["abandoned"] == true);
        assert!(record["statement"] == "SELECT 1" && record["verdict"] == "allow", "{record}");
        program::eventually("one session is left", Duration::from_secs(10), || {
            (gateway.metric("wiregate_sessions_open") < 1.5).then_some(())
        });
        // Its own server still speaks.
        assert!(bystander.ask(&simple(command::PING, b"")).error().is_none());
    }
}

/// A process that does not run; it goes on when the value is dropped, so that no failure leaves it so.
struct Stopped(u32);

impl Stopped {
    fn at(pid: u32) -> Self {
        program::signal("STOP", pid);
        Self(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        program::signal("CONT", self.0);
    }
}

#[test]
fn a_stopped_server_is_waited_for_and_goes_on_where_it_was() {
    let server = or_skip!(Server::find("mariadb-stopped"));
    let gateway = Setup::before(&server).start();
    let mut client = Client::login(&gateway.endpoint("dora", false));
    client.command(&query(b"SELECT seq, REPEAT('x', 1000) FROM seq_1_to_200000"));
    assert!(!client.is_silent_for(Duration::from_secs(20)), "the first rows come");
    // Half open: the kernel still answers for the process, which says nothing any more.
    let stopped = Stopped::at(server.pid);
    let mut other = Client::socket(gateway.port).expect("connect");
    assert!(other.is_silent_for(Duration::from_secs(1)), "a new client waits for a greeting");
    drop(other);
    assert_eq!(gateway.admin("/healthz").0, 200, "the gateway itself is well");
    drop(stopped);
    let reply = client.reply(Form::Results(false));
    assert_eq!(reply.parts[0].rows.len(), 200_000, "no row is lost");
}

#[test]
fn a_server_that_crawls_is_heard_to_the_end() {
    let double = answering(|connection| {
        let (mut bytes, seq) = definitions(&["word", "more"]);
        bytes.extend(row(seq, &["first", "1"]));
        bytes.extend(row(seq + 1, &["second", "2"]));
        bytes.extend(end_of_rows(seq + 2));
        for byte in bytes {
            connection.send(&[byte])?;
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    });
    let said = ask(&setup(&double.address()).start());
    assert_eq!(said.cells(), [["first", "1"], ["second", "2"]]);
    assert!(!said.is_cut() && said.error().is_none(), "{said}");
}

#[test]
fn servers_that_let_nobody_in_are_errors_of_the_login() {
    let gateway = setup(&format!("127.0.0.1:{}", free_port())).start();
    let error = login_error(&gateway.endpoint("trust_user", false));
    assert!(error.starts_with("ERR ") && error.contains("(08"), "{error}");

    let full = Double::start(|mut connection| connection.send(&framed(0, b"\xff\x10\x04Too many connections")));
    let error = login_error(&setup(&full.address()).start().endpoint("trust_user", false));
    assert!(error.starts_with("ERR 1040 (08004)") && error.contains("Too many connections"), "{error}");

    let silent = Double::start(|mut connection| {
        connection.wait_for_end();
        Ok(())
    });
    let began = Instant::now();
    let _ = login_error(&setup(&silent.address()).start().endpoint("trust_user", false));
    assert!(began.elapsed() < Duration::from_secs(30), "it took {:?}", began.elapsed());

    let wrong = Double::start(|mut connection| connection.send(&framed(0, b"\x09an old server\0")));
    let _ = login_error(&setup(&wrong.address()).start().endpoint("trust_user", false));

    let dies = Double::start(|mut connection| {
        let mut out = Vec::new();
        greeting().write(&mut out);
        connection.send(&out)?;
        connection.packet().map(|_| ())
    });
    let _ = login_error(&setup(&dies.address()).start().endpoint("trust_user", false));
}

/// What a client sends in place of a command, or of its answer to the greeting.
fn garbage() -> [(&'static str, Vec<u8>); 6] {
    [
        ("text", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
        ("noise", (0..4000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()),
        ("a wrong sequence id", framed(9, &query(b"SELECT 1"))),
        ("nothing but a large length", lying(0x00ff_fffe, 0, b"\x03SELECT")),
        ("an empty message", framed(0, b"")),
        ("zeroes", vec![0; 64]),
    ]
}

#[test]
fn garbage_of_clients_harms_nobody_else() {
    let server = or_skip!(Server::find("mariadb"));
    let mut gateway = Setup::before(&server).gateway_lines("startup_timeout = \"1s\"").start();
    let endpoint = gateway.endpoint("dora", false);
    let mut bystander = Client::login(&endpoint);
    for (what, bytes) in garbage() {
        for logged_in in [false, true] {
            let mut client = if logged_in {
                Client::login(&endpoint)
            } else {
                let mut client = Client::socket(gateway.port).expect("connect");
                client.greet().expect("a greeting");
                client
            };
            let _ = client.send(&bytes);
            client.shut(std::net::Shutdown::Write);
            while client.message().is_some() {}
            assert_eq!(bystander.query("SELECT 'well'").scalar(), "well", "after {what}");
        }
    }
    assert!(gateway.is_running() && !gateway.log().contains("panicked"), "{}", gateway.log());
    assert!(gateway.resident_kib() < 400 << 10, "a length that is only claimed takes no memory");
}

#[test]
fn a_client_gone_in_the_middle_of_a_result_frees_the_server() {
    let server = or_skip!(Server::find("mariadb"));
    let gateway = Setup::before(&server).start();
    let mut client = Client::login(&gateway.endpoint("dora", false));
    let mark = format!("gone_{}", std::process::id());
    client.command(&query(
        format!("SELECT REPEAT('x', 1000), '{mark}' FROM orders a, orders b, orders c LIMIT 50000000").as_bytes(),
    ));
    for _ in 0..100 {
        client.message().expect("a row");
    }
    drop(client);
    program::eventually("the statement ends", Duration::from_secs(30), || {
        let sql = format!(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%{mark}%' AND id <> CONNECTION_ID()"
        );
        (server.admin("mysql", &sql) == "0").then_some(())
    });
}

#[test]
fn a_client_that_vanishes_without_a_word_is_left_in_time() {
    let server = or_skip!(Server::find("mariadb"));
    let _ = or_skip!(drivers::python("mysql_vanish.py", "pymysql"));
    let gateway = Setup::before(&server).gateway_lines("idle_timeout = \"4s\"").start();
    // Idle, and while its statement runs, whose reply then finds nobody.
    for statement in ["", "SELECT SLEEP(2)"] {
        let mut client = drivers::python("mysql_vanish.py", "pymysql").expect("it was found before");
        client.args(gateway.endpoint("dora", false).driver_arguments()).arg(format!("statement={statement}"));
        let said = program::run(&mut client, Duration::from_secs(60));
        if said.everything().contains("PermissionError") {
            skip::skipped("a_client_that_vanishes", "only root may take a socket away so");
            return;
        }
        let said = said.expect_success().stdout;
        let id = said.trim().strip_prefix("id ").expect("the connection's id");
        let sql = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id = {id}");
        assert_eq!(server.admin("mysql", &sql), "1", "nobody has heard that the client is gone");
        program::eventually("the server's session ends", Duration::from_secs(30), || {
            (server.admin("mysql", &sql) == "0").then_some(())
        });
    }
    assert!(gateway.metric("wiregate_sessions_open") < 0.5);
}

#[test]
fn a_slow_client_gets_every_byte_and_costs_little_memory() {
    let server = or_skip!(Server::find("mariadb"));
    let gateway = Setup::before(&server).start();
    let before = gateway.resident_kib();
    let mut client = Client::login(&gateway.endpoint("dora", false));
    client.command(&query(b"SELECT seq, REPEAT(CHAR(97 + seq % 26), 4000) FROM seq_1_to_30000"));
    thread::sleep(Duration::from_secs(1));
    let held = gateway.resident_kib().saturating_sub(before);
    assert!(held < 32 << 10, "120 MB wait at the server, yet the gateway holds {held} KiB more");
    let reply = client.reply(Form::Results(false));
    let rows = &reply.parts[0].rows;
    assert_eq!(rows.len(), 30_000);
    assert!(rows.iter().all(|row| row[1].as_ref().is_some_and(|cell| cell.len() == 4000)));
}

#[test]
fn kill_ends_the_session_it_names_in_the_middle_of_a_result() {
    let server = or_skip!(Server::find("mariadb"));
    let gateway = Setup::before(&server).start();
    let endpoint = gateway.endpoint("dora", false);
    let mut victim = Client::login(&endpoint);
    let mut other = Client::login(&endpoint);
    victim.command(&query(b"SELECT REPEAT('x', 1000) FROM orders a, orders b, orders c LIMIT 50000000"));
    victim.message().expect("the count of columns");
    let killed = other.query(&format!("KILL {}", victim.id()));
    assert!(killed.error().is_none(), "{killed}");
    while let Some(message) = victim.message() {
        if message.payload.first() == Some(&0xff) {
            break;
        }
    }
    assert_eq!(other.query("SELECT 'well'").scalar(), "well");
}

#[test]
fn the_limit_of_clients_is_answered_with_1040() {
    let server = or_skip!(Server::find("mariadb"));
    let gateway = Setup::before(&server).listen_lines("max_clients = 3").start();
    let endpoint = gateway.endpoint("dora", false);
    let mut clients: Vec<Client> = (0..3).map(|_| Client::login(&endpoint)).collect();
    let error = login_error(&endpoint);
    assert!(error.starts_with("ERR 1040 (08004)"), "{error}");
    let _ = gateway.record("the fourth", |record| record["event"] == "refused");
    clients.pop();
    program::eventually("a place is free again", Duration::from_secs(10), || Client::try_login(&endpoint, USUAL).ok());
    assert_eq!(clients[0].query("SELECT 1").scalar(), "1");
}

#[test]
fn rules_are_reloaded_between_statements_and_idle_clients_are_closed_with_an_error() {
    let server = or_skip!(Server::find("mariadb"));
    let gateway = Setup::before(&server).policy("").gateway_lines("idle_timeout = \"3s\"").start();
    let mut client = Client::login(&gateway.endpoint("ana", false));
    let prepared = client.prepare("DROP TABLE IF EXISTS not_there").expect("a statement");
    assert_eq!(client.query("DROP TABLE IF EXISTS not_there").code(), 0);
    gateway.rewrite_config(|setup| setup.policy(&masked::POLICY.replace("\"public.", "\"*.")));
    gateway.signal("HUP");
    program::eventually("the new rules hold for a session that is open", Duration::from_secs(10), || {
        (client.query("DROP TABLE IF EXISTS not_there").code() == 1227).then_some(())
    });
    let said = client.execute(prepared.id, 0, &[]);
    assert_eq!(said.code(), 1227, "prepared before the rule: {said}");
    let card = client.query("SELECT card FROM customers WHERE id = 1");
    assert_eq!(card.scalar(), "4***-****-****-1111", "{card}");
    let told = client.reply(Form::Single);
    assert!(told.error().is_some_and(|(code, ..)| code > 0), "an idle client is told: {told}");
    assert!(client.message().is_none());
}

#[test]
fn sigterm_lets_statements_end_and_exits_0() {
    let server = or_skip!(Server::find("mariadb"));
    let mut gateway = Setup::before(&server).start();
    let endpoint = gateway.endpoint("dora", false);
    let mut idle = Client::login(&endpoint);
    let mut running = Client::login(&endpoint);
    running.command(&query(b"SELECT SLEEP(2), 'ran to its end'"));
    thread::sleep(Duration::from_millis(500));
    gateway.signal("TERM");
    let told = idle.reply(Form::Single);
    assert_eq!(told.code(), 1053, "{told}");
    let said = running.reply(Form::Results(false));
    assert_eq!(said.cells(), [["0", "ran to its end"]], "{said}");
    assert!(Client::try_login(&endpoint, USUAL).is_err(), "let in while stopping");
    assert_eq!(gateway.wait(Duration::from_secs(40)), Some(0), "{}", gateway.log());
}

#[test]
fn a_refused_statement_leaves_the_session_as_it_was() {
    let server = or_skip!(Server::find("mariadb"));
    let gateway = Setup::before(&server).start();
    let mut client = Client::login(&gateway.endpoint("ana", false));
    for _ in 0..3 {
        let (code, sqlstate, text) = {
            let said = client.query("DROP TABLE old_carts");
            let error = said.error().map(|(code, state, text)| (code, state.to_owned(), text.to_owned()));
            error.expect("a refusal")
        };
        assert_eq!((code, sqlstate.as_str()), (1227, "42000"));
        assert!(text.contains("no destructive DDL"), "{text}");
        assert_eq!(client.query("SELECT COUNT(*) FROM old_carts").scalar(), "20");
        assert!(client.ask(&simple(command::PING, b"")).error().is_none());
    }
    assert!(gateway.metric("wiregate_statements_total") >= 6.0);
}

/// A gateway whose audit log lies on a disk that is full, and a client of it.
fn on_a_full_disk(server: &Server, disk: &SmallDisk, on_failure: &str) -> (Gateway, Client) {
    let gateway = disk.gateway_before(server, on_failure);
    let client = Client::login(&gateway.endpoint("dora", false));
    disk.fill();
    (gateway, client)
}

#[test]
fn statements_are_refused_while_the_audit_log_cannot_be_written() {
    for name in ["mariadb", "mysql97"] {
        let server = or_skip!(Server::find(name));
        let disk = or_skip!(SmallDisk::mount());
        let (gateway, mut client) = on_a_full_disk(&server, &disk, "refuse");
        let prepared = client.prepare("SELECT 'prepared before'").expect("a statement");
        let (code, sqlstate, text) = program::eventually("statements are refused", Duration::from_secs(20), || {
            let said = client.query(&long_statement());
            said.error().map(|(code, sqlstate, text)| (code, sqlstate.to_owned(), text.to_owned()))
        });
        assert!(code > 0 && sqlstate.len() == 5 && text.to_lowercase().contains("audit"), "{code} {sqlstate} {text}");
        let said = client.execute(prepared.id, 0, &[]);
        assert!(said.error().is_some_and(|(.., text)| text.to_lowercase().contains("audit")), "{said}");
        assert!(client.prepare("SELECT 1").is_err(), "nothing new is prepared");
        assert!(client.ask(&simple(command::PING, b"")).error().is_none(), "the session stands");
        disk.free();
        program::eventually("statements run again", Duration::from_secs(20), || {
            (client.query("SELECT 'recorded again'").cells() == [["recorded again"]]).then_some(())
        });
        assert_eq!(client.execute(prepared.id, 0, &[]).scalar(), "prepared before");
        let recorded =
            |record: &Value| audit::is_statement(record, "SELECT 'recorded again'") && record["verdict"] == "allow";
        let _ = gateway.record("the next statement", recorded);
    }
}

#[test]
fn statements_run_unrecorded_where_the_config_says_so() {
    let server = or_skip!(Server::find("mariadb"));
    let disk = or_skip!(SmallDisk::mount());
    let (gateway, mut client) = on_a_full_disk(&server, &disk, "continue");
    // More than the log holds back while it waits for the disk (16 MiB).
    for _ in 0..1500 {
        assert_eq!(client.query(&long_statement()).scalar(), "16384");
    }
    disk.free();
    assert_all_counted(&gateway, 1500);
}
