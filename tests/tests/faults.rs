//! Servers that die, hang, crawl or talk nonsense, and clients that leave or read slowly. Most servers here
//! are doubles: no PostgreSQL would do it.

use integration::double::{Connection, Double, data_row};
use integration::gateway::{Gateway, Setup, free_port};
use integration::raw::message::{copy_data, framed, lying, query};
use integration::raw::{Client, Frame, transcript};
use integration::servers::Server;
use integration::{or_skip, program};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// A gateway before a double, without rules: a double has no catalogue to be read.
fn before(double: &Double) -> Gateway {
    Setup::before_address(&double.address(), Path::new("")).policy("").gateway_lines("startup_timeout = \"2s\"").start()
}

/// Logs in, sends a query and returns everything up to the end or ReadyForQuery.
fn ask(gateway: &Gateway) -> Vec<Frame> {
    let mut client = Client::login(&gateway.endpoint("trust_user", false));
    client.send(&query("SELECT 1")).expect("send");
    client.until(b'Z', 1)
}

fn answering(reply: impl Fn(&mut Connection) -> io::Result<()> + Send + Sync + 'static) -> Double {
    Double::start(move |mut connection| {
        connection.accept_login()?;
        loop {
            if connection.frame()?.tag == b'Q' {
                reply(&mut connection)?;
            }
        }
    })
}

#[test]
fn a_server_that_answers_nonsense_ends_the_session_with_an_error() {
    let huge = lying(b'D', 0x7fff_ffff, b"\0\x01");
    for (what, reply) in [
        ("an unknown message type", framed(b'?', b"what")),
        ("a message of clients", framed(b'Q', b"SELECT 1\0")),
        ("a length of 3", lying(b'C', 3, b"SELECT 1\0")),
        ("a length of 0", lying(b'T', 0, b"")),
        ("a length over the limit", huge),
        ("text", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()),
        ("a request for a password", framed(b'R', &[0, 0, 0, 3])),
        ("ReadyForQuery without a state", framed(b'Z', b"")),
        ("ReadyForQuery with an unknown state", framed(b'Z', b"?")),
    ] {
        let double = answering(move |connection| {
            connection.send(&reply)?;
            connection.wait_for_end();
            Err(io::ErrorKind::ConnectionAborted.into())
        });
        let mut gateway = before(&double);
        let said = ask(&gateway);
        assert!(said.iter().any(|frame| frame.tag == b'E'), "{what}: no error in:\n{}", transcript(&said));
        assert!(!said.iter().any(|frame| frame.tag == b'Z'), "{what}: went on as if nothing were");
        let record = gateway.record(what, |record| record["event"] == "fault");
        assert_eq!(record["culprit"], "server", "{what}: {record}");
        assert!(gateway.is_running() && !gateway.log().contains("panicked"), "{}", gateway.log());
    }
}

#[test]
fn a_server_that_dies_in_the_middle_of_a_row_is_reported() {
    let double = answering(|connection| {
        connection.describe(&["word"])?;
        connection.row(&["whole"])?;
        let row = data_row(&["this row never ends"]);
        connection.send(&row[..row.len() / 2])?;
        Err(io::ErrorKind::ConnectionAborted.into())
    });
    let gateway = before(&double);
    let mut client = Client::login(&gateway.endpoint("trust_user", false));
    client.send(&query("SELECT 1")).expect("send");
    let said = client.until(b'Z', 1);
    // What was half sent cannot be taken back; nothing complete may follow it but the end.
    assert!(transcript(&said).contains("D whole"), "{}", transcript(&said));
    assert!(!said.iter().any(|frame| matches!(frame.tag, b'C' | b'Z')), "{}", transcript(&said));
    let _ = gateway.record("the server's end", |record| record["event"] == "disconnect" || record["event"] == "fault");
    assert!(
        gateway.records().iter().any(|record| record["abandoned"] == true),
        "the statement is not recorded as abandoned"
    );
}

#[test]
fn a_server_that_dies_between_messages_leaves_an_error() {
    let double = answering(|connection| {
        connection.describe(&["word"])?;
        connection.row(&["whole"])?;
        Err(io::ErrorKind::ConnectionAborted.into())
    });
    let gateway = before(&double);
    let said = transcript(&ask(&gateway));
    assert!(said.contains("D whole") && said.contains("\nE 08"), "no connection error in:\n{said}");
}

#[test]
fn a_killed_backend_says_why_and_nobody_else_notices() {
    let server = or_skip!(Server::find("pg15-victim"));
    let gateway = Setup::before(&server).start();
    let mut other = Client::login(&gateway.endpoint("trust_user", false));
    let mut client = Client::login(&gateway.endpoint("trust_user", false));
    let pid = client.query("SELECT pg_backend_pid()")[1].cells()[0].clone().expect("a process id");
    let pid = String::from_utf8(pid).expect("a number");
    client.send(&query("SELECT repeat('x', 1000), generate_series(1, 10000000)")).expect("send");
    assert_eq!(client.until(b'D', 1000).len(), 1001);
    let _ = server.admin("postgres", &format!("SELECT pg_terminate_backend({pid})"));
    let rest = client.until(b'Z', 1);
    // A backend that is blocked in the middle of a row can say nothing any more; one that is not says 57P01.
    assert!(!rest.iter().any(|frame| matches!(frame.tag, b'C' | b'Z')), "it went on as if nothing were");
    if let Some(error) = rest.iter().find(|frame| frame.tag == b'E') {
        assert!(error.sqlstate() == "57P01" || error.sqlstate().starts_with("08"), "{error}");
    }
    assert!(transcript(&other.query("SELECT 'well'")).contains("D well"));
    // The whole server, at once: every session ends, and the gateway serves again when it is back.
    program::signal("KILL", pid_of_backend(&mut other));
    thread::sleep(Duration::from_millis(500));
    program::eventually("PostgreSQL recovers", Duration::from_secs(30), || {
        let mut client = Client::socket(gateway.port).ok()?;
        let frames = client.start(&[("user", "trust_user"), ("database", "shop")]);
        frames.last().filter(|frame| frame.tag == b'Z').map(|_| ())
    });
}

fn pid_of_backend(client: &mut Client) -> u32 {
    let pid = client.query("SELECT pg_backend_pid()")[1].cells()[0].clone().expect("a process id");
    String::from_utf8_lossy(&pid).parse().expect("a number")
}

#[test]
fn a_server_that_refuses_connections_is_an_error_of_the_login() {
    let gateway = Setup::before_address(&format!("127.0.0.1:{}", free_port()), Path::new("")).policy("").start();
    for _ in 0..3 {
        let mut client = Client::socket(gateway.port).expect("connect");
        let said = client.start(&[("user", "trust_user"), ("database", "shop")]);
        assert_eq!(said.len(), 1, "{}", transcript(&said));
        assert!(said[0].sqlstate().starts_with("08"), "{}", said[0]);
        assert!(client.frame().is_none());
    }
}

#[test]
fn a_server_that_never_answers_the_login_is_given_up() {
    let double = Double::start(|mut connection| {
        connection.wait_for_end();
        Ok(())
    });
    let gateway = before(&double);
    let began = Instant::now();
    let mut client = Client::socket(gateway.port).expect("connect");
    let said = transcript(&client.start(&[("user", "trust_user"), ("database", "shop")]));
    assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
    assert!(said.is_empty() || said.starts_with("E "), "{said}");
}

#[test]
fn a_server_that_crawls_is_heard_to_the_end() {
    let double = answering(|connection| {
        let mut reply = Vec::new();
        reply.extend(data_row(&["first"]));
        reply.extend(data_row(&["second", "with two cells"]));
        reply.extend(framed(b'N', b"SNOTICE\0VNOTICE\0C00000\0Mslow\0\0"));
        reply.extend(framed(b'C', b"SELECT 2\0"));
        connection.describe(&["word"])?;
        for byte in reply {
            connection.send(&[byte])?;
            thread::sleep(Duration::from_millis(2));
        }
        connection.ready()
    });
    let gateway = before(&double);
    assert_eq!(
        transcript(&ask(&gateway)),
        "T word:0\nD first\nD second|with two cells\nN 00000 slow\nC SELECT 2\nZ I\n"
    );
}

#[test]
fn a_client_gone_in_the_middle_of_a_copy_undoes_it() {
    let server = or_skip!(Server::find("pg15"));
    let database = server.private_database("copygone");
    let gateway = Setup::before(&server).start();
    let endpoint = gateway.endpoint("trust_user", false).in_database(&database.name);
    for half_a_frame in [false, true] {
        let mut client = Client::login(&endpoint);
        client.send(&query("COPY old_carts FROM STDIN")).expect("send");
        assert_eq!(client.frame().map(|frame| frame.tag), Some(b'G'));
        for number in 0..2000 {
            client.send(&copy_data(format!("{}\tcart\n", 1000 + number).as_bytes())).expect("send");
        }
        if half_a_frame {
            client.send(&copy_data(b"9999\tnever whole\n")[..9]).expect("send");
        }
        drop(client);
    }
    program::eventually("the server sessions end", Duration::from_secs(15), || {
        let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{}'", database.name);
        (server.admin("postgres", &sql) == "0").then_some(())
    });
    assert_eq!(server.admin(&database.name, "SELECT count(*) FROM old_carts"), "20");
}

#[test]
fn a_client_gone_in_the_middle_of_a_result_frees_the_server() {
    let server = or_skip!(Server::find("pg15"));
    let gateway = Setup::before(&server).start();
    let mark = format!("gone_{}", std::process::id());
    let mut client = Client::login(&gateway.endpoint("trust_user", false));
    client.send(&query(&format!("SELECT repeat('x', 1000), '{mark}', generate_series(1, 100000000)"))).expect("send");
    assert_eq!(client.until(b'D', 100).len(), 101);
    drop(client);
    program::eventually("the statement ends", Duration::from_secs(15), || {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%{mark}%' AND state = 'active' AND pid <> pg_backend_pid()"
        );
        (server.admin("postgres", &sql) == "0").then_some(())
    });
}

#[test]
fn a_slow_client_gets_every_byte_and_costs_little_memory() {
    let server = or_skip!(Server::find("pg15"));
    let gateway = Setup::before(&server).start();
    let before = gateway.resident_kib();
    let mut client = Client::login(&gateway.endpoint("trust_user", false));
    client.send(&query("SELECT n, repeat(chr(97 + n % 26), 4000) FROM generate_series(1, 30000) AS n")).expect("send");
    thread::sleep(Duration::from_secs(1));
    let held = gateway.resident_kib().saturating_sub(before);
    assert!(held < 32 << 10, "120 MB wait at the server, yet the gateway holds {held} KiB more");
    let mut rows = 0;
    while let Some(frame) = client.frame() {
        match frame.tag {
            b'D' => {
                rows += 1;
                let cells = frame.cells();
                assert_eq!(cells[0].as_deref(), Some(rows.to_string().as_bytes()));
                assert!(
                    cells[1]
                        .as_ref()
                        .is_some_and(|cell| cell.len() == 4000 && cell.iter().all(|byte| *byte == cell[0]))
                );
                if rows % 3000 == 0 {
                    thread::sleep(Duration::from_millis(50));
                }
            }
            b'Z' => break,
            _ => {}
        }
    }
    assert_eq!(rows, 30_000);
}
