//! `row_limit` before real servers of MySQL's protocol: how many rows leave by each way, and where client and server
//! stand afterwards. Beside it, what the audit holds of parameters that come many at a time or ahead of a reply.

use integration::audit::is_statement;
use integration::gateway::Setup;
use integration::mysql_raw::message::{self, Parameter};
use integration::mysql_raw::reply::{Form, Reply};
use integration::mysql_raw::{Client, MARIADB, USUAL};
use integration::or_skip;
use integration::servers::{Family, Server};
use mysql::capability::Capabilities;
use serde_json::json;

const RULE: &str = "[[deny]]\nname = \"five at most\"\ntables = [\"*.customers\"]\nrow_limit = 5\n";

/// Rows of all results, and the number of the error at the end.
fn seen(reply: &Reply) -> (usize, u16) {
    (reply.parts.iter().map(|part| part.rows.len()).sum(), reply.code())
}

fn results_end(name: &str, capabilities: Capabilities) {
    let server = or_skip!(Server::find(name));
    let database = server.private_database("limit");
    let gateway = Setup::before(&server).gateway_auth().policy(RULE).start();
    let endpoint = gateway.endpoint("ana", false).in_database(&database.name);
    let mut client = Client::login_with(&endpoint, capabilities);
    let maker = "CREATE PROCEDURE listed() BEGIN SELECT id FROM customers LIMIT 3; SELECT id FROM customers; END";
    let mut direct = Client::login(&server.endpoint("dora", false).in_database(&database.name));
    assert_eq!(direct.query(maker).code(), 0);
    const STOPPED: (usize, u16) = (5, 1226);
    for (sql, expected) in [
        ("SELECT * FROM customers", STOPPED),
        ("SELECT * FROM customers LIMIT 5", (5, 0)),
        ("SELECT a.id, REPEAT('x', 1000) FROM customers a, customers b LIMIT 20000", STOPPED),
        ("SELECT id FROM orders LIMIT 100", (100, 0)),
        ("SELECT nothing FROM customers", (0, 1054)),
        ("CALL listed()", STOPPED),
        // Only a text of one statement is counted; whose rows a name shows must be certain.
        ("SELECT 1; SELECT * FROM customers", (0, 1227)),
        ("SELECT 1", (1, 0)),
    ] {
        assert_eq!(seen(&client.query(sql)), expected, "{sql}");
    }
    let text = "SELECT id, name FROM customers WHERE id > ?";
    let stopped = gateway.record("what was stopped", |record| is_statement(record, "SELECT * FROM customers"));
    assert!(stopped["rows"] == 5 && stopped["error_code"] == 1226 && stopped["sqlstate"] == "42000", "{stopped}");
    // Prepared, at once and by a cursor, of which all that is fetched counts.
    let prepared = client.prepare(text).expect("a statement");
    for _ in 0..2 {
        assert_eq!(seen(&client.execute(prepared.id, 0, &[Parameter::Int(0)])), STOPPED);
    }
    assert_eq!(seen(&client.execute(prepared.id, 1, &[Parameter::Int(0)])), (0, 0));
    assert_eq!(seen(&client.ask(&message::fetch(prepared.id, 3))), (3, 0));
    assert_eq!(seen(&client.ask(&message::fetch(prepared.id, 3))), (2, 1226));
    assert_eq!(seen(&client.ask(&message::fetch(prepared.id, 3))), (0, 1226));
    assert_eq!(seen(&client.execute(prepared.id, 1, &[Parameter::Int(0)])), (0, 0));
    assert_eq!(seen(&client.ask(&message::fetch(prepared.id, 5))), (5, 0));
    // What is sent behind a result that is stopped is answered in its turn, and a transaction goes on.
    assert_eq!(seen(&client.query("START TRANSACTION")), (0, 0));
    client.command(&message::query(b"SELECT * FROM customers"));
    client.command(&message::query(b"UPDATE orders SET status = 'lost' WHERE 1 = 0"));
    client.command(&message::query(b"SELECT 'behind'"));
    let results = Form::Results(false);
    let replies = [client.reply(results), client.reply(results), client.reply(results)];
    assert_eq!(replies.each_ref().map(seen), [STOPPED, (0, 0), (1, 0)]);
    assert_eq!(seen(&client.query("COMMIT")), (0, 0));
    if server.family() == Family::MariaDb {
        on_mariadb(&mut client);
        let bulk = gateway.record("the bulk", |record| {
            record["statement"] == "INSERT INTO customers_copy VALUES (?, ?) RETURNING id"
                && record["parameters"].is_array()
        });
        assert_eq!(bulk["parameters"], json!(["1", "one", "2", null, "3", "three"]), "{bulk}");
        let types = json!(["bigint", "varchar", "bigint", null, "bigint", "varchar"]);
        assert_eq!(bulk["parameter_types"], types, "{bulk}");
        let last = gateway.record("what was prepared last", |record| {
            record["statement"] == "SELECT ?, ?" && record["parameters"].is_array()
        });
        assert_eq!(last["parameters"], json!(["7", "seven"]), "{last}");
    }
}

/// What MariaDB alone has: statements in a block, RETURNING of many rows, and the statement prepared last.
fn on_mariadb(client: &mut Client) {
    for sql in ["EXECUTE IMMEDIATE 'SELECT * FROM customers'", "BEGIN NOT ATOMIC SELECT * FROM customers; END"] {
        let (rows, code) = seen(&client.query(sql));
        assert!(rows <= 5 && [1226, 1227].contains(&code), "{sql}: {rows} rows, error {code}");
    }
    assert_eq!(seen(&client.query("DELETE FROM customers WHERE id > 0 AND 1 = 0 RETURNING id")), (0, 0));
    assert_eq!(seen(&client.query("CREATE TABLE customers_copy (id int, name varchar(20))")).1, 0);
    let insert = client.prepare("INSERT INTO customers_copy VALUES (?, ?) RETURNING id").expect("a statement");
    let rows = [
        vec![Parameter::Int(1), Parameter::Text("one")],
        vec![Parameter::Int(2), Parameter::Null],
        vec![Parameter::Int(3), Parameter::Text("three")],
    ];
    let bulk = client.ask(&message::bulk_execute(insert.id, 128, &rows));
    assert_eq!(bulk.code(), 0, "{bulk}");
    returning_is_counted(client);
    // PREPARE and EXECUTE of −1 in one write.
    let execute = message::execute(u32::MAX, 0, &[Parameter::Int(7), Parameter::Text("seven")], false);
    client.command(&message::prepare(b"SELECT ?, ?"));
    client.command(&execute);
    assert_eq!(client.reply(Form::Prepare).code(), 0);
    assert!(client.reply(Form::Results(true)).cells().iter().any(|row| row.get(1).is_some_and(|cell| cell == "seven")));
}

/// What RETURNING shows is counted however it comes; what was written stays, as after any statement that has run.
fn returning_is_counted(client: &mut Client) {
    let values = |from: u32, count: u32| {
        let rows: Vec<String> = (from..from + count).map(|n| format!("({n}, 'x')")).collect();
        rows.join(", ")
    };
    let written = |client: &mut Client, at_least: u32| {
        seen(&client.query(&format!("SELECT id FROM kept WHERE id >= {at_least} LIMIT 100"))).0
    };
    assert_eq!(seen(&client.query("CREATE TABLE kept (id int PRIMARY KEY, name varchar(20))")).1, 0);
    const FROM: &str = "(SELECT MIN(c.id) FROM customers c)";
    // The rule is about `customers`: what is shown comes from there.
    let text = |from: u32, count: u32| format!("INSERT INTO kept VALUES {} RETURNING id, {FROM}", values(from, count));
    assert_eq!(seen(&client.query(&text(100, 5))), (5, 0));
    assert_eq!(seen(&client.query(&text(200, 9))), (5, 1226));
    assert_eq!(written(client, 200), 9);
    let prepared = client.prepare(&text(300, 9)).expect("a statement");
    assert_eq!(seen(&client.execute(prepared.id, 0, &[])), (5, 1226));
    assert_eq!(written(client, 300), 9);
    let one = format!("INSERT INTO kept VALUES (?, ?) RETURNING id, {FROM}");
    let prepared = client.prepare(&one).expect("a statement");
    let rows: Vec<_> = (400..409).map(|n| vec![Parameter::Int(n), Parameter::Text("x")]).collect();
    assert_eq!(seen(&client.ask(&message::bulk_execute(prepared.id, 128, &rows))), (5, 1226));
    assert_eq!(written(client, 400), 9);
    assert_eq!(seen(&client.query("DELETE FROM kept WHERE id >= 200 RETURNING id")), (27, 0));
    assert_eq!(seen(&client.query("SELECT 'behind'")), (1, 0));
}

#[test]
fn results_end_after_their_rows_on_mariadb() {
    results_end("mariadb", MARIADB);
}

#[test]
fn results_end_after_their_rows_on_mysql() {
    results_end("mysql97", USUAL.without(Capabilities::DEPRECATE_EOF));
}
