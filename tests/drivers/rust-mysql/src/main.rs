//! mysql_async: texts and prepared statements, several results, batches, streams, transactions, a pool, errors, large
//! values. Arguments and output as `python/common.py` describes them.

use mysql_async::prelude::{FromRow, Query, Queryable, StatementLike, WithParams};
use mysql_async::{
    Conn, Error, IsolationLevel, Opts, OptsBuilder, Params, Pool, PoolConstraints, PoolOpts, Row, SslOpts, TxOpts,
    Value, params,
};
use std::collections::HashMap;
use std::path::PathBuf;

const MASKED: &str =
    "SELECT id, name, email, card, card_number, ssn, spouse_ssn, birthday FROM customers WHERE id <= 5 ORDER BY id";
const VIEW: &str = "SELECT id, name, email, phone, card FROM customer_contacts WHERE id <= 5 ORDER BY id";

type Done = Result<(), Error>;

fn emit(label: &str, value: impl std::fmt::Display) {
    println!("{label} {}", value.to_string().replace('\n', "\\n"));
}

fn shown(value: &Value) -> String {
    match value {
        Value::NULL => "NULL".into(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => other.as_sql(true).trim_matches('\'').to_owned(),
    }
}

fn emit_rows(label: &str, rows: &[Row]) {
    for row in rows {
        let cells: Vec<String> = row
            .columns_ref()
            .iter()
            .enumerate()
            .map(|(at, column)| format!("{}={}", column.name_str(), row.as_ref(at).map_or_else(String::new, shown)))
            .collect();
        emit(label, cells.join(" "));
    }
}

fn shape(row: &Row) -> String {
    let of = |column: &mysql_async::Column| {
        let kind =
            (column.column_type(), column.flags(), column.character_set(), column.column_length(), column.decimals());
        format!("{}.{}.{} {kind:?}", column.schema_str().is_empty(), column.org_table_str(), column.org_name_str())
    };
    row.columns_ref().iter().map(of).collect::<Vec<_>>().join("; ")
}

fn failed(label: &str, result: Result<impl Sized, Error>) {
    match result {
        Ok(_) => emit(label, "NO ERROR"),
        Err(Error::Server(told)) => emit(label, format!("{} {} {}", told.code, told.state, told.message)),
        Err(error) => emit(label, error),
    }
}

async fn rows<S>(conn: &mut Conn, statement: S, parameters: impl Into<Params> + Send) -> Result<Vec<Row>, Error>
where
    S: StatementLike,
{
    conn.exec(statement, parameters.into()).await
}

async fn types(conn: &mut Conn) -> Done {
    let text = "SELECT 1 a, -2 b, 18446744073709551615 c, 1.50 d, 1e10 e, NULL f, 'Grüße 東京 🚲' g, x'00ff' h, b'101' i, DATE '2024-02-29' j, \
                TIME '-12:34:56' k, TIMESTAMP '2024-02-29 12:34:56.789' l, JSON_ARRAY(1, NULL) m, '' n, ST_GeomFromText('POINT(1 2)') o";
    let found: Vec<Row> = conn.query(text).await?;
    emit("types are", shape(&found[0]));
    emit_rows("text", &found);
    let found = rows(conn, text, ()).await?;
    emit("types are", shape(&found[0]));
    emit_rows("binary", &found);
    let statement = conn.prep("SELECT * FROM customers WHERE id = ?").await?;
    emit("prepared", format!("{} parameters, {} columns", statement.num_params(), statement.num_columns()));
    for id in [1, 20, 30, 40, 50, 1] {
        emit_rows("row", &rows(conn, &statement, (id,)).await?);
    }
    conn.close(statement).await?;
    let bound = (None::<String>, "it's \\ \"quoted\"\n🚲", vec![0_u8, 255, 39], 1.25, 1_u64 << 40, true, "named");
    emit_rows("bound", &rows(conn, "SELECT ? a, ? b, HEX(?) c, ? d, ? e, ? f, ? g", bound).await?);
    let named = params! { "id" => 7, "word" => "by name" };
    emit_rows("named", &rows(conn, "SELECT id, total, placed_at, :word w FROM orders WHERE id = :id", named).await?);
    // More than the driver keeps: the oldest are closed.
    for n in 0..40 {
        emit_rows("churn", &rows(conn, format!("SELECT id, {n} n FROM customers WHERE id = ?"), (n + 1,)).await?);
    }
    Ok(())
}

async fn writes(conn: &mut Conn) -> Done {
    "CREATE TABLE written (id int AUTO_INCREMENT PRIMARY KEY, body varchar(20) UNIQUE, raw longblob)"
        .ignore(&mut *conn)
        .await?;
    let batch = (0..100_usize).map(|n| (format!("row {n}"), b"\x00\xff'\\".repeat(n)));
    conn.exec_batch("INSERT INTO written (body, raw) VALUES (?, ?)", batch).await?;
    conn.query_drop("INSERT INTO written (body) VALUES ('one'), ('more')").await?;
    emit("inserted", format!("{:?} {} {}", conn.last_insert_id(), conn.affected_rows(), conn.info()));
    let mut options = TxOpts::default();
    options.with_isolation_level(IsolationLevel::Serializable);
    let mut transaction = conn.start_transaction(options).await?;
    transaction.query_drop("DELETE FROM written WHERE id > 50").await?;
    emit("deleted", transaction.affected_rows());
    transaction.rollback().await?;
    let mut transaction = conn.start_transaction(TxOpts::default()).await?;
    transaction.exec_drop("UPDATE written SET body = CONCAT(body, '!') WHERE id <= ?", (10,)).await?;
    emit("updated", transaction.info());
    transaction.commit().await?;
    let found: Vec<Row> =
        conn.query("SELECT COUNT(*) n, SUM(LENGTH(raw)) l, SUM(body LIKE '%!') c FROM written").await?;
    emit_rows("written", &found);
    for sql in [
        "SELECT * FROM no_such_table",
        "SELEKT",
        "INSERT INTO written (body) VALUES ('row 50')",
        "INSERT INTO written (body) VALUES (REPEAT('x', 50))",
        "CALL no_such()",
        "USE no_such",
        "SELECT 1; SELEKT; SELECT 2",
    ] {
        failed("error", conn.query_drop(sql).await);
        failed("prepared error", conn.exec_drop(sql, ()).await);
    }
    conn.query_drop("SELECT CAST('12x' AS SIGNED)").await?;
    emit("warnings", conn.get_warnings());
    Ok(())
}

async fn several(conn: &mut Conn) -> Done {
    let mut result =
        conn.query_iter("SELECT 1 a; SELECT 'two' b UNION ALL SELECT 'zwei'; SET @x = 5; SELECT @x x").await?;
    while !result.is_empty() {
        let found: Vec<Row> = result.collect().await?;
        emit("several", found.len());
        emit_rows("several", &found);
    }
    drop(result);
    "CREATE PROCEDURE spoken(IN n int, OUT twice int) BEGIN SELECT id, name FROM customers WHERE id <= n ORDER BY id; SET twice = n * 2; END"
        .ignore(&mut *conn)
        .await?;
    let mut result = "CALL spoken(?, @out)".with((2,)).run(&mut *conn).await?;
    let found: Vec<Row> = result.collect().await?;
    emit_rows("procedure", &found);
    result.drop_result().await?;
    let out: Option<i64> = conn.query_first("SELECT @out").await?;
    emit("out", out.unwrap_or_default());
    // A stream that is left in its middle.
    let mut result = conn.query_iter("SELECT id FROM orders ORDER BY id").await?;
    let mut sum = 0;
    for _ in 0..100 {
        if let Some(row) = result.next().await? {
            sum += i64::from_row(row);
        }
    }
    result.drop_result().await?;
    emit("streamed", sum);
    Ok(())
}

async fn rest(conn: Conn, opts: Opts) -> Done {
    let mut conn = conn;
    let text = "wiregate ".repeat(2_000_000); // over 16 MiB: two packets each way
    let back: Option<(String, u32)> = conn.exec_first("SELECT ?, LENGTH(?)", (&text, "x".repeat(70_000))).await?;
    emit("large", back == Some((text, 70_000)));
    conn.reset().await?;
    let forgotten: Option<Option<String>> = conn.query_first("SELECT @out").await?;
    emit("reset", format!("{forgotten:?}"));
    conn.ping().await?;
    conn.disconnect().await?;
    // Connections of a pool are reset between their users.
    let limits = PoolOpts::default().with_constraints(PoolConstraints::new(1, 4).unwrap_or_default());
    let pool = Pool::new(OptsBuilder::from_opts(opts).pool_opts(limits));
    let asked: Vec<_> = (0..60_i64)
        .map(|n| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let mut conn = pool.get_conn().await?;
                let answer: Option<i64> = conn.exec_first("SELECT ? * 2", (n,)).await?;
                Ok::<_, Error>(answer.unwrap_or_default())
            })
        })
        .collect();
    let mut sum = 0;
    for answer in asked {
        sum += answer.await.expect("a task")?;
    }
    emit("pool", sum);
    pool.disconnect().await
}

async fn masked(conn: &mut Conn) -> Done {
    emit_rows("masked text", &conn.query::<Row, _>(MASKED).await?);
    emit_rows("masked view", &conn.query::<Row, _>(VIEW).await?);
    for _ in 0..3 {
        emit_rows("masked prepared", &rows(conn, MASKED.replace('5', "?"), (5,)).await?);
    }
    failed("refused", conn.query_drop("DROP TABLE old_carts").await);
    failed("refused", conn.exec_drop("DROP TABLE old_carts", ()).await);
    let left: Option<u32> = conn.query_first("SELECT COUNT(*) FROM old_carts").await?;
    emit("goes on", left.unwrap_or_default());
    Ok(())
}

async fn run(options: HashMap<String, String>) -> Done {
    let of = |name: &str| options.get(name).cloned().unwrap_or_default();
    let tls = options.get("ca").map(|ca| SslOpts::default().with_root_certs(vec![PathBuf::from(ca).into()]));
    let opts: Opts = OptsBuilder::default()
        .ip_or_hostname(of("host"))
        .tcp_port(of("port").parse().expect("a port"))
        .user(Some(of("user")))
        .pass(Some(of("password")))
        .db_name(Some(of("dbname")))
        // On this machine the driver would go past the gateway, by the server's own socket.
        .prefer_socket(false)
        .ssl_opts(tls)
        .into();
    let mut conn = Conn::new(opts.clone()).await?;
    if of("mode") == "masked" {
        masked(&mut conn).await?;
        return conn.disconnect().await;
    }
    types(&mut conn).await?;
    writes(&mut conn).await?;
    several(&mut conn).await?;
    rest(conn, opts).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let pair = |argument: String| argument.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    let options = std::env::args().skip(1).filter_map(pair).collect();
    if let Err(error) = run(options).await {
        eprintln!("{error:?}");
        std::process::exit(1);
    }
}
