//! tokio-postgres: everything binary and pipelined, many queries in flight on one connection.

use futures_util::{SinkExt, StreamExt, TryStreamExt, stream};
use integration::matrix::Case;
use integration::{masked, or_skip, servers::Endpoint, tls};
use std::fmt::Write;
use tokio::sync::mpsc;
use tokio::time::{Duration, timeout};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{AsyncMessage, Client, NoTls, SimpleQueryMessage, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Result lines, as the driver programs print them.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, label: &str, value: impl std::fmt::Debug) {
        let _ = writeln!(self.0, "{label} {value:?}");
    }
}

/// A client, and what the server says outside of replies.
async fn connect(endpoint: &Endpoint) -> (Client, mpsc::UnboundedReceiver<String>) {
    match rustls(endpoint) {
        Some(connector) => connect_by(endpoint, "require", connector).await,
        None => connect_by(endpoint, "disable", NoTls).await,
    }
}

/// TLS that checks the certificate against the tests' authority, where the endpoint asks for TLS.
fn rustls(endpoint: &Endpoint) -> Option<MakeRustlsConnect> {
    endpoint.tls.then(|| MakeRustlsConnect::new(tls::client_config(&endpoint.ca)))
}

async fn connect_by<T>(endpoint: &Endpoint, mode: &str, connector: T) -> (Client, mpsc::UnboundedReceiver<String>)
where
    T: MakeTlsConnect<Socket>,
    T::TlsConnect: TlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let dsn = format!(
        "host=127.0.0.1 port={} user={} password={} dbname={} sslmode={mode}",
        endpoint.port, endpoint.user, endpoint.password, endpoint.database
    );
    let (client, mut connection) = tokio_postgres::connect(&dsn, connector).await.expect("connect");
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
        while let Some(Ok(message)) = messages.next().await {
            let line = match message {
                AsyncMessage::Notice(notice) => format!("notice {}", notice.message()),
                AsyncMessage::Notification(heard) => format!("heard {} {}", heard.channel(), heard.payload()),
                _ => continue,
            };
            let _ = sender.send(line);
        }
    });
    (client, receiver)
}

async fn pipelined(client: &Client, lines: &mut Lines) {
    let statement = client.prepare("SELECT $1::int * 2, name FROM customers WHERE id = $1").await.expect("prepare");
    let queries =
        (1..=300).map(|id: i32| {
            let statement = statement.clone();
            async move {
                client.query_one(&statement, &[&id]).await.map(|row| (row.get::<_, i32>(0), row.get::<_, String>(1)))
            }
        });
    let answers: Vec<_> = futures_util::future::try_join_all(queries).await.expect("pipelined queries");
    lines.add("pipelined", (answers.iter().map(|(n, _)| n).sum::<i32>(), &answers[299]));
    // Failures and successes in flight together.
    let mixed = (0..40).map(|n: i32| async move { client.query_one("SELECT 100 / $1::int", &[&(n % 4)]).await });
    for answer in futures_util::future::join_all(mixed).await {
        match answer {
            Ok(row) => lines.add("quotient", row.get::<_, i32>(0)),
            Err(error) => lines.add("failed", error.code()),
        }
    }
}

async fn copies(client: &Client, lines: &mut Lines) {
    client.batch_execute("CREATE TEMP TABLE copied (id int, body text)").await.expect("create");
    let sink = client.copy_in::<_, std::io::Cursor<Vec<u8>>>("COPY copied FROM STDIN").await.expect("copy in");
    futures_util::pin_mut!(sink);
    for id in 0..3000 {
        sink.send(std::io::Cursor::new(format!("{id}\tbody {id}\n").into_bytes())).await.expect("send");
    }
    lines.add("copied in", sink.finish().await.expect("finish"));
    let out = client.copy_out("COPY (SELECT * FROM copied ORDER BY id) TO STDOUT (FORMAT binary)").await.expect("out");
    let blocks: Vec<_> = out.try_collect().await.expect("collect");
    lines.add("copied out", blocks.iter().map(|block| block.len()).sum::<usize>());
}

async fn portals(client: &mut Client, lines: &mut Lines) {
    let transaction = client.transaction().await.expect("begin");
    let portal = transaction.bind("SELECT id FROM orders ORDER BY id", &[]).await.expect("bind");
    let mut sums = Vec::new();
    loop {
        let rows = transaction.query_portal(&portal, 1700).await.expect("fetch");
        if rows.is_empty() {
            break;
        }
        sums.push(rows.iter().map(|row| i64::from(row.get::<_, i32>(0))).sum::<i64>());
    }
    lines.add("portal", sums);
    let error = transaction
        .batch_execute("INSERT INTO customers SELECT * FROM customers WHERE id = 1")
        .await
        .expect_err("clash");
    let detail = error.as_db_error().map(|error| (error.code().clone(), error.detail().map(str::to_owned)));
    lines.add("clash", detail);
    lines.add("failed transaction", transaction.query("SELECT 1", &[]).await.expect_err("aborted").code().cloned());
    transaction.rollback().await.expect("rollback");
}

async fn full(endpoint: &Endpoint) -> String {
    let mut lines = Lines::default();
    let (mut client, mut said) = connect(endpoint).await;
    let row = client
        .query_one("SELECT true, 7::int8, 2.5::float8, 'text', NULL::text, '\\xff00'::bytea", &[])
        .await
        .expect("types");
    lines.add("types", (row.get::<_, bool>(0), row.get::<_, i64>(1), row.get::<_, f64>(2), row.get::<_, &str>(3)));
    lines.add("types", (row.get::<_, Option<&str>>(4), row.get::<_, Vec<u8>>(5)));
    for message in client
        .simple_query("SELECT 1; UPDATE orders SET status = status WHERE id < 3; SELECT 'x'")
        .await
        .expect("simple")
    {
        match message {
            SimpleQueryMessage::Row(row) => lines.add("row", row.get(0)),
            SimpleQueryMessage::CommandComplete(count) => lines.add("complete", count),
            _ => {}
        }
    }
    pipelined(&client, &mut lines).await;
    copies(&client, &mut lines).await;
    portals(&mut client, &mut lines).await;
    client
        .batch_execute("LISTEN tokio_news; NOTIFY tokio_news, 'hello'; DO $$ BEGIN RAISE NOTICE 'noticed'; END $$")
        .await
        .expect("listen");
    for _ in 0..2 {
        lines.add("said", timeout(Duration::from_secs(10), said.recv()).await.expect("a message in time"));
    }
    let cancel = client.cancel_token();
    let (slept, cancelled) = tokio::join!(client.batch_execute("SELECT pg_sleep(30)"), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        match rustls(endpoint) {
            Some(connector) => cancel.cancel_query(connector).await,
            None => cancel.cancel_query(NoTls).await,
        }
    });
    lines.add("cancelled", (slept.expect_err("cancelled").code().cloned(), cancelled.is_ok()));
    lines.add("alive", client.query_one("SELECT 1", &[]).await.expect("alive").get::<_, i32>(0));
    lines.0
}

async fn masked_rows(endpoint: &Endpoint) -> String {
    let mut lines = String::new();
    let (client, _said) = connect(endpoint).await;
    let statement = client
        .prepare("SELECT id, name, email, card, card_number, ssn, spouse_ssn FROM customers WHERE id <= $1 ORDER BY id")
        .await
        .expect("prepare");
    for _ in 0..3 {
        for row in client.query(&statement, &[&5_i32]).await.expect("query") {
            let _ = writeln!(
                lines,
                "masked prepared id={} name={} email={} card={} card_number={} ssn={} spouse_ssn={}",
                row.get::<_, i32>(0),
                row.get::<_, &str>(1),
                row.get::<_, &str>(2),
                row.get::<_, &str>(3),
                row.get::<_, Option<i64>>(4).map_or("NULL".into(), |number| number.to_string()),
                row.get::<_, &str>(5),
                row.get::<_, Option<&str>>(6).unwrap_or("NULL"),
            );
        }
    }
    let out = client.copy_out("COPY customers TO STDOUT").await.expect("copy out");
    let blocks: Vec<_> = out.try_collect().await.expect("collect");
    for line in String::from_utf8_lossy(&blocks.concat()).lines() {
        let _ = writeln!(lines, "copied {line}");
    }
    lines
}

fn run(case: Case) {
    let server = or_skip!(case.find_server());
    let database = server.private_database("tokio");
    let gateway = case.setup(&server).start();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let direct = runtime.block_on(full(&case.direct(&server, "dora").in_database(&database.name)));
    let through = runtime.block_on(full(&case.through(&gateway, "dora").in_database(&database.name)));
    assert!(direct.lines().count() > 30, "{direct}");
    assert_eq!(direct, through, "without (left) and with (right) the gateway");
    let support = runtime.block_on(masked_rows(&case.through(&gateway, "ana").in_database(&database.name)));
    masked::check_driver_output(&support);
}

integration::for_each_case!(tokio_postgres_driver, crate::run);
