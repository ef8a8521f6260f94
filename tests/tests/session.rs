//! The protocol as no driver speaks it, word for word: what comes through the gateway equals what the server
//! says, for a user under no rule.

use integration::raw::message::{
    bind, bind_formats, close, copy_data, copy_done, copy_fail, describe, execute, extended, flush, framed,
    function_call, parse, query, sync, terminate,
};
use integration::raw::{Client, transcript};
use integration::servers::{Endpoint, Server};
use integration::{gateway::Setup, or_skip, program};
use std::time::{Duration, Instant};

/// Sends a conversation in one write, or byte by byte, and returns the replies up to `ready` ReadyForQuery.
fn converse(endpoint: &Endpoint, messages: &[u8], ready: usize, piece: usize) -> String {
    let mut client = Client::login(endpoint);
    for part in messages.chunks(piece) {
        client.send(part).expect("send");
    }
    let said = transcript(&client.until(b'Z', ready));
    let _ = client.send(&terminate());
    said
}

/// The conversation without and with the gateway, there in three sizes of pieces.
#[track_caller]
fn assert_same(server: &Server, messages: &[u8], ready: usize) -> String {
    let gateway = Setup::before(server).start();
    let direct = converse(&server.endpoint("trust_user", false), messages, ready, messages.len());
    assert_eq!(direct.lines().filter(|line| line.starts_with("Z ")).count(), ready, "the reference:\n{direct}");
    for piece in [messages.len(), 7, 1] {
        let through = converse(&gateway.endpoint("trust_user", false), messages, ready, piece);
        assert_eq!(direct, through, "without (left) and with (right) the gateway, in pieces of {piece}");
    }
    direct
}

#[test]
fn errors_in_a_pipeline_skip_to_sync_and_no_further() {
    let server = or_skip!(Server::find("pg15"));
    let messages = [
        extended("SELECT 1"),
        extended("SELECT 1/0"),
        extended("SELECT 'skipped'"),
        parse("kept", "SELECT 'never prepared'"),
        sync(),
        extended("SELECT 'second'"),
        sync(),
        bind("", "kept", &[], 0),
        execute("", 0),
        sync(),
        extended("BEGIN"),
        extended("SELECT broken"),
        sync(),
        extended("SELECT 'still failed'"),
        sync(),
        query("SELECT 'simple in a failed transaction'"),
        extended("ROLLBACK"),
        sync(),
        sync(),
        query(""),
        query("SELECT 1; SELECT 1/0; SELECT 3"),
    ];
    let said = assert_same(&server, &messages.concat(), 9);
    assert!(said.contains("E 22012") && said.contains("E 26000") && said.contains("E 25P02"), "{said}");
}

#[test]
fn portals_and_statements_keep_their_names_formats_and_limits() {
    let server = or_skip!(Server::find("pg15"));
    let messages = [
        parse("by_id", "SELECT id, card_number, name FROM customers WHERE id <= $1::int ORDER BY id"),
        describe(b'S', "by_id"),
        sync(),
        // The layout is known only from the Describe above.
        bind("p", "by_id", &["7"], 0),
        execute("p", 3),
        execute("p", 3),
        execute("p", 3),
        execute("p", 3),
        sync(),
        bind("", "by_id", &["2"], 1),
        describe(b'P', ""),
        execute("", 0),
        close(b'P', ""),
        sync(),
        parse("", "SELECT id, card_number, name FROM customers ORDER BY id LIMIT 2"),
        bind_formats("", "", &[1, 0, 1]),
        describe(b'P', ""),
        execute("", 1),
        close(b'S', "by_id"),
        close(b'S', "never was"),
        sync(),
        bind("", "by_id", &["1"], 0),
        sync(),
        // The unnamed statement is replaced, the named one cannot be.
        parse("twice", "SELECT 1"),
        parse("twice", "SELECT 2"),
        sync(),
        parse("", "SELECT 'replaced'"),
        parse("", "SELECT 'by this'"),
        bind("", "", &[], 0),
        execute("", 0),
        sync(),
        parse("typed", "SELECT $1::text"),
        bind("", "typed", &["one", "too many"], 0),
        sync(),
    ];
    let said = assert_same(&server, &messages.concat(), 8);
    assert!(said.contains("s \n") || said.contains("s\n"), "no PortalSuspended in:\n{said}");
    assert!(said.contains("E 42P05") && said.contains("E 08P01"), "{said}");
}

#[test]
fn copy_in_out_and_failed_leave_the_session_usable() {
    let server = or_skip!(Server::find("pg15"));
    let messages = [
        query("CREATE TEMP TABLE copied (id int, body text)"),
        query("COPY copied FROM STDIN"),
        copy_data(b"1\tone\n2\t"),
        copy_data(b"two\n"),
        // Flush and Sync mean nothing during COPY.
        sync(),
        flush(),
        copy_data(b"3\tthree\n"),
        copy_done(),
        query("COPY copied FROM STDIN"),
        copy_data(b"4\tfour\n"),
        copy_fail("changed my mind"),
        query("COPY copied FROM STDIN"),
        copy_data(b"x\tno number\n"),
        copy_data(b"5\tfive\n"),
        copy_done(),
        query("SELECT count(*) FROM copied; COPY copied TO STDOUT; SELECT 'after'"),
        extended("COPY copied FROM STDIN"),
        copy_data(b"6\tsix\n"),
        copy_done(),
        sync(),
        query("COPY (SELECT generate_series(1, 5)) TO STDOUT (FORMAT binary)"),
        query("TABLE copied"),
    ];
    let said = assert_same(&server, &messages.concat(), 8);
    assert!(said.contains("E 57014") && said.contains("E 22P02") && said.contains("D 6|six"), "{said}");
}

#[test]
fn functions_are_called_by_number() {
    let server = or_skip!(Server::find("pg15"));
    let reverse = server.admin("shop", "SELECT 'reverse(text)'::regprocedure::oid").parse().expect("an oid");
    let messages = [
        function_call(reverse, &["called by number"]),
        function_call(1, &["no such function"]),
        query("BEGIN"),
        function_call(reverse, &["in a transaction"]),
        query("COMMIT"),
    ];
    let said = assert_same(&server, &messages.concat(), 5);
    assert!(said.contains("V \\x00\\x00\\x00\\x10rebmun yb dellac"), "{said}");
}

#[test]
fn notices_and_parameter_changes_come_in_their_place() {
    let server = or_skip!(Server::find("pg15"));
    let messages = [
        query("DO $$ BEGIN FOR i IN 1..20 LOOP RAISE NOTICE '%', i; END LOOP; END $$"),
        query("SET application_name = 'first'; SET application_name = 'second'; SET timezone = 'Asia/Tokyo'"),
        extended("SET timezone = 'UTC'"),
        sync(),
        query("SELECT 1; DO $$ BEGIN RAISE WARNING 'between'; END $$; SELECT 2"),
    ];
    let said = assert_same(&server, &messages.concat(), 4);
    assert!(said.matches("N 00000").count() == 20 && said.contains("S application_name"), "{said}");
}

#[test]
fn large_values_pass_both_ways() {
    let server = or_skip!(Server::find("pg15"));
    let gateway = Setup::before(&server).start();
    let value = "0123456789abcdef".repeat(1 << 20);
    for endpoint in [server.endpoint("trust_user", false), gateway.endpoint("trust_user", false)] {
        let mut client = Client::login(&endpoint);
        let frames =
            client.ask(&[parse("", "SELECT $1::text"), bind("", "", &[&value], 0), execute("", 0), sync()].concat());
        let row = frames.iter().find(|frame| frame.tag == b'D').expect("a row");
        assert!(row.cells() == [Some(value.clone().into_bytes())], "16 MiB came back changed");
        let frames = client.query(&format!("SELECT length('{value}')"));
        assert!(transcript(&frames).contains("D 16777216"));
    }
}

#[test]
fn replies_are_flushed_when_flush_asks() {
    let server = or_skip!(Server::find("pg15"));
    let gateway = Setup::before(&server).start();
    let mut client = Client::login(&gateway.endpoint("trust_user", false));
    client.send(&[parse("", "SELECT 'flushed'"), flush()].concat()).expect("send");
    assert_eq!(client.frame().map(|frame| frame.tag), Some(b'1'));
    client.send(&[bind("", "", &[], 0), execute("", 0), flush()].concat()).expect("send");
    assert_eq!(transcript(&client.until(b'C', 1)), "2\nD flushed\nC SELECT 1\n");
    assert!(client.is_silent_for(Duration::from_millis(200)), "no ReadyForQuery before Sync");
    assert_eq!(transcript(&client.ask(&sync())), "Z I\n");
}

#[test]
fn a_notification_reaches_an_idle_client_at_once() {
    let server = or_skip!(Server::find("pg15"));
    let gateway = Setup::before(&server).start();
    let mut listening = Client::login(&gateway.endpoint("trust_user", false));
    let channel = format!("channel_{}", std::process::id());
    listening.query(&format!("LISTEN {channel}"));
    assert!(listening.is_silent_for(Duration::from_millis(300)));
    for number in 0..5 {
        let began = Instant::now();
        let _ = server.admin("shop", &format!("NOTIFY {channel}, 'number {number}'"));
        let frame = listening.frame().expect("a notification");
        assert_eq!(frame.tag, b'A');
        assert!(frame.to_string().contains(&format!("number {number}")), "{frame}");
        assert!(began.elapsed() < Duration::from_secs(2), "it took {:?}", began.elapsed());
    }
    assert_eq!(transcript(&listening.query("SELECT 1")), "T ?column?:0\nD 1\nC SELECT 1\nZ I\n");
}

#[test]
fn terminate_and_a_plain_close_end_the_session_at_the_server() {
    let server = or_skip!(Server::find("pg15"));
    let gateway = Setup::before(&server).start();
    for polite in [true, false] {
        let mut client = Client::login(&gateway.endpoint("trust_user", false));
        let name = format!("leaver_{}_{polite}", std::process::id());
        client.query(&format!("SET application_name = '{name}'"));
        let count = format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}'");
        assert_eq!(server.admin("postgres", &count), "1");
        if polite {
            client.send(&terminate()).expect("send");
            assert!(client.frame().is_none(), "the gateway closes after Terminate");
        }
        drop(client);
        program::eventually("the server session ends", Duration::from_secs(10), || {
            (server.admin("postgres", &count) == "0").then_some(())
        });
        let ended = gateway.record("a disconnect", |record| record["event"] == "disconnect");
        assert!(!ended["reason"].as_str().unwrap_or_default().is_empty(), "{ended}");
    }
}

#[test]
fn statements_that_are_not_utf_8_pass_as_they_are() {
    let server = or_skip!(Server::find("pg15"));
    let latin = [framed(b'Q', b"SELECT 'gr\xfc\xdfe'\0"), query("SELECT 'after'")].concat();
    let said = assert_same(&server, &latin, 2);
    assert!(said.contains("E 22021"), "{said}");
    let gateway = Setup::before(&server).start();
    let mut client = Client::login(&gateway.endpoint("trust_user", false));
    client.query("SET client_encoding = 'LATIN1'");
    let said = transcript(&client.ask(&framed(b'Q', b"SELECT 'gr\xfc\xdfe', octet_length('\xfc')\0")));
    assert!(said.contains("D gr\\xfc\\xdfe|"), "{said}");
    let _ = gateway.record("the text, escaped", |record| record["statement_escaped"] == true);
}
