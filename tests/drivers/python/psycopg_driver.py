"""psycopg 3 over libpq: text and binary, server-side cursors, COPY, pipeline mode, errors, notifications."""

import psycopg
from psycopg import errors

from common import MASKED_COLUMNS, MASKED_QUERY, VIEW_COLUMNS, VIEW_QUERY, arguments, emit, emit_masked


def connect(options, **more):
    tls = {"sslrootcert": options["ca"]} if options["ca"] else {}
    return psycopg.connect(
        host=options["host"], port=options["port"], user=options["user"], password=options["password"],
        dbname=options["dbname"], sslmode=options["sslmode"], application_name="psycopg driver",
        autocommit=True, connect_timeout=20, **tls, **more)


def types(connection):
    query = """SELECT true, 1::int2, -2::int4, 3::int8, 1.5::float4, 2.5::float8, 123.450::numeric, 'text'::text,
        'c'::"char", '\\xdeadbeef'::bytea, date '2024-02-29', timestamptz '2024-01-01 00:00+00', interval '1 day 2 hours',
        '{1,2,NULL}'::int[], '{"a": [1, null]}'::jsonb, NULL::text, '00000000-0000-0000-0000-00000000002a'::uuid,
        'Grüße 東京 🚲', '192.168.0.1/24'::inet, int4range(1, 5)"""
    for binary in (False, True):
        row = connection.execute(query, binary=binary).fetchone()
        emit("types binary" if binary else "types text", *map(str, row))


def parameters(connection):
    for binary in (False, True):
        cursor = connection.cursor(binary=binary)
        for identifier in (1, 2, 3, 1, 2, 3, 1):  # from the fifth run on psycopg prepares it
            cursor.execute("SELECT name, email, card, ssn, note FROM customers WHERE id = %b AND name <> %s", (identifier, "x"), prepare=None)
            emit("parameters", *cursor.fetchone())
        cursor.execute("SELECT %s::text IS NULL, %b::bytea, %t::text", (None, b"\x00\xff", "text"))
        emit("parameters odd", *cursor.fetchone())


def cursors(connection):
    with connection.transaction():
        with connection.cursor(name="plain") as cursor:
            cursor.execute("SELECT id, name FROM customers ORDER BY id")
            cursor.itersize = 100
            emit("cursor first", *cursor.fetchmany(3))
            emit("cursor count", sum(1 for _ in cursor))
        with connection.cursor(name="scrolling", scrollable=True, binary=True) as cursor:
            cursor.execute("SELECT id, card FROM customers ORDER BY id")
            cursor.scroll(100)
            emit("cursor scroll", cursor.fetchone())
            cursor.scroll(-50)
            emit("cursor back", cursor.fetchone())


def streaming(connection):
    cursor = connection.cursor()
    total = sum(row[0] for row in cursor.stream("SELECT id FROM orders ORDER BY id"))
    emit("stream", total)


def large(connection):
    text = "wiregate " * 300_000
    row = connection.execute("SELECT %s::text, length(%s::text)", (text, text)).fetchone()
    emit("large", row[0] == text, row[1])
    row = connection.execute("SELECT repeat('x', 3000000)", binary=True).fetchone()
    emit("large out", len(row[0]))
    rows = connection.execute("SELECT n, repeat('r', n % 97) FROM generate_series(1, 20000) AS n").fetchall()
    emit("rows", len(rows), sum(len(row[1]) for row in rows))


def copy(connection):
    connection.execute("CREATE TEMP TABLE copied (id int, body text, amount numeric)")
    cursor = connection.cursor()
    with cursor.copy("COPY copied FROM STDIN") as copying:
        for number in range(2000):
            copying.write_row((number, None if number % 10 == 0 else "row\t{}\n\\".format(number), number / 4))
    emit("copy in", cursor.rowcount)
    with cursor.copy("COPY copied (id, body, amount) FROM STDIN (FORMAT binary)") as copying:
        copying.set_types(["int4", "text", "numeric"])
        for number in range(500):
            copying.write_row((number, "binary", number))
    emit("copy in binary", cursor.rowcount)
    with cursor.copy("COPY (SELECT * FROM copied ORDER BY id, body NULLS FIRST, amount LIMIT 20) TO STDOUT") as copying:
        for row in copying.rows():
            emit("copy out", *map(str, row))
    with cursor.copy("COPY (SELECT * FROM copied ORDER BY id, body NULLS FIRST, amount) TO STDOUT (FORMAT binary)") as copying:
        emit("copy out binary", sum(len(block) for block in copying))
    with cursor.copy("COPY copied TO STDOUT (FORMAT csv, HEADER)") as copying:
        emit("copy out csv", sum(len(block) for block in copying))
    try:
        with cursor.copy("COPY copied FROM STDIN") as copying:
            copying.write("1\tgood\t1\n")
            copying.write("not a number\tbad\t1\n")
    except errors.DataError as error:
        emit("copy error", error.sqlstate, error.diag.context)
    try:
        with cursor.copy("COPY copied FROM STDIN") as copying:
            copying.write("1\tgood\t1\n")
            raise RuntimeError("the client gives up")
    except RuntimeError as error:
        emit("copy given up", str(error))
    emit("after copy", connection.execute("SELECT count(*) FROM copied").fetchone())


def pipelines(connection):
    connection.execute("CREATE TEMP TABLE piped (id int PRIMARY KEY, body text)")
    with connection.pipeline() as pipeline:
        cursors = [connection.execute("INSERT INTO piped VALUES (%s, %s) RETURNING id", (n, "p{}".format(n))) for n in range(300)]
        pipeline.sync()
        emit("pipeline", sum(cursor.fetchone()[0] for cursor in cursors))
    # An error in the middle: what follows up to the Sync is skipped, the transaction of the segment undone.
    try:
        with connection.pipeline() as pipeline:
            connection.execute("INSERT INTO piped VALUES (1000, 'kept?')")
            connection.execute("INSERT INTO piped VALUES (1, 'duplicate')")
            connection.execute("INSERT INTO piped VALUES (1001, 'skipped')")
            pipeline.sync()
    except errors.UniqueViolation as error:
        emit("pipeline error", error.sqlstate, error.diag.constraint_name, error.diag.message_detail)
    emit("pipeline state", connection.info.transaction_status.name, connection.info.pipeline_status.name)
    emit("after pipeline", connection.execute("SELECT count(*), max(id) FROM piped").fetchone())
    raw_pipeline(connection, [
        [b"SELECT 1", b"SELECT 1 / 0", b"SELECT 'skipped'"],
        [b"SELECT 'second segment'"],
        [b"BEGIN", b"SELECT broken", b"COMMIT"],
        [b"SELECT 'in a failed transaction'"],
        [b"ROLLBACK", b"SELECT 'recovered'"],
    ])


def raw_pipeline(connection, segments):
    """Sends all segments before it reads any reply, and prints every result in libpq's own words."""
    from psycopg import pq
    pgconn = connection.pgconn
    pgconn.enter_pipeline_mode()
    for segment in segments:
        for query in segment:
            pgconn.send_query_params(query, None)
        pgconn.pipeline_sync()
    pgconn.flush()
    for segment in segments:
        for query in segment:
            while (result := pgconn.get_result()) is not None:
                sqlstate = result.error_field(pq.DiagnosticField.SQLSTATE)
                value = result.get_value(0, 0) if result.ntuples else None
                emit("raw pipeline", query, pq.ExecStatus(result.status).name, sqlstate, value)
        emit("raw sync", pq.ExecStatus(pgconn.get_result().status).name)
    pgconn.exit_pipeline_mode()


def transactions(connection):
    connection.execute("CREATE TEMP TABLE moved (id int PRIMARY KEY)")
    try:
        with connection.transaction():
            connection.execute("INSERT INTO moved VALUES (1)")
            with connection.transaction():
                connection.execute("INSERT INTO moved VALUES (2)")
            try:
                with connection.transaction():
                    connection.execute("INSERT INTO moved VALUES (1)")
            except errors.UniqueViolation as error:
                emit("savepoint", error.sqlstate, error.diag.message_detail, error.diag.table_name)
            emit("inside", connection.execute("SELECT count(*) FROM moved").fetchone())
            connection.execute("SELECT * FROM no_such_table")
    except errors.UndefinedTable as error:
        emit("undone", error.sqlstate, error.diag.message_primary, error.diag.statement_position)
    emit("after", connection.execute("SELECT count(*) FROM moved").fetchone())
    connection.execute("BEGIN")
    for query in ("SELECT broken", "SELECT 1"):
        try:
            connection.execute(query)
        except psycopg.Error as error:
            emit("failed transaction", error.sqlstate, connection.info.transaction_status.name)
    connection.execute("ROLLBACK")


def several_statements(connection):
    cursor = connection.execute("SELECT 1 AS one; SELECT 'two', 2; UPDATE orders SET status = status WHERE id = 1; SELECT 3 WHERE false")
    while True:
        emit("several", cursor.statusmessage, cursor.fetchall() if cursor.description else None)
        if not cursor.nextset():
            break
    emit("empty", connection.execute("").statusmessage)
    emit("comment", connection.execute("-- nothing").statusmessage)


def notices(connection):
    seen = []
    connection.add_notice_handler(lambda notice: seen.append((notice.severity, notice.message_primary, notice.message_detail)))
    connection.execute("DO $$ BEGIN FOR i IN 1..5 LOOP RAISE NOTICE 'notice %', i USING DETAIL = 'detail ' || i; END LOOP; END $$")
    connection.execute("SET application_name = 'renamed'")
    emit("notices", *seen)
    emit("status", connection.info.parameter_status("application_name"), connection.info.parameter_status("server_encoding"))


def notifications(connection, options):
    connection.execute("LISTEN shop_news")
    with connect(options) as other:
        other.execute("SELECT pg_notify('shop_news', 'payload ' || n) FROM generate_series(1, 3) AS n")
    emit("notified", *[(n.channel, n.payload) for n in connection.notifies(timeout=5, stop_after=3)])


def cancel(options):
    import threading
    with connect(options) as connection:
        timer = threading.Timer(0.3, lambda: connection.cancel_safe(timeout=10))
        timer.start()
        try:
            connection.execute("SELECT pg_sleep(30)")
        except errors.QueryCanceled as error:
            emit("cancelled", error.sqlstate)
        timer.join()
        emit("after cancel", connection.execute("SELECT 'alive'").fetchone())


def function_call(connection):
    # libpq's large-object calls use the protocol's FunctionCall message.
    from psycopg import pq
    emit("pgconn", connection.pgconn.status == pq.ConnStatus.OK, connection.pgconn.protocol_version)
    raw = connection.pgconn.exec_params(b"SELECT $1::int4 + 1, $2::text", [b"\x00\x00\x00\x29", b"raw"], param_formats=[1, 0], result_format=1)
    emit("raw", raw.get_value(0, 0), raw.get_value(0, 1), raw.fformat(0))
    connection.pgconn.prepare(b"named", b"SELECT name, card FROM customers WHERE id = $1")
    described = connection.pgconn.describe_prepared(b"named")
    emit("described", described.nfields, described.fname(0), described.ftable(0) == described.ftable(1), described.ftablecol(1))
    emit("executed", *[connection.pgconn.exec_prepared(b"named", [str(n).encode()]).get_value(0, 0) for n in (1, 2, 3)])


def masked(options):
    with connect(options) as connection:
        for binary in (False, True):
            how = "binary" if binary else "text"
            emit_masked(how, MASKED_COLUMNS, connection.execute(MASKED_QUERY, binary=binary).fetchall())
            emit_masked("view-" + how, VIEW_COLUMNS, connection.execute(VIEW_QUERY, binary=binary).fetchall())
            emit_masked("extended-" + how, MASKED_COLUMNS, connection.execute(MASKED_QUERY.replace("5", "%s"), (5,), binary=binary, prepare=True).fetchall())
            with connection.transaction(), connection.cursor(name="masked_" + how, binary=binary) as cursor:
                cursor.itersize = 2
                cursor.execute(MASKED_QUERY)
                emit_masked("cursor-" + how, MASKED_COLUMNS, list(cursor))
        with connection.pipeline():
            piped = [connection.execute(MASKED_QUERY.replace("5", "%s"), (5,)) for _ in range(3)]
            for cursor in piped:
                emit_masked("pipeline", MASKED_COLUMNS, cursor.fetchall())
        cursor = connection.cursor()
        for form in ("", " (FORMAT csv, HEADER)", " (FORMAT csv, FORCE_QUOTE *)", " (DELIMITER '|', NULL '-')"):
            with cursor.copy("COPY (" + MASKED_QUERY + ") TO STDOUT" + form) as copying:
                for line in b"".join(copying).decode().splitlines():
                    print("copied", form.strip(), line)
        with cursor.copy("COPY customers TO STDOUT (FORMAT binary)") as copying:
            copying.set_types(["int4", "text", "text", "text", "text", "int8", "text", "text", "date", "text"])
            for number, row in enumerate(copying.rows()):
                if row[0] <= 5:
                    emit_masked("copy-binary", ["id", "name", "email", "phone", "card", "card_number", "ssn", "spouse_ssn", "birthday"], [row])
        emit("still", connection.execute("SELECT count(*) FROM customers").fetchone())


def refused(options):
    """Statements that the gateway refuses, in the middle of libpq pipelines."""
    with connect(options) as connection:
        raw_pipeline(connection, [
            [b"SELECT 1", b"DROP TABLE old_carts", b"SELECT 'skipped'"],
            [b"SELECT 'second segment'"],
            [b"BEGIN", b"DROP TABLE old_carts", b"COMMIT"],
            [b"SELECT 'in a failed transaction'"],
            [b"ROLLBACK", b"SELECT 'recovered'"],
        ])
        try:
            with connection.pipeline():
                connection.execute("SELECT 1")
                connection.execute("TRUNCATE old_carts")
                connection.execute("SELECT 2")
        except errors.InsufficientPrivilege as error:
            emit("pipeline error", error.sqlstate)
        emit("after", connection.execute("SELECT 1").fetchone())


def main():
    options = arguments()
    if options["mode"] == "refused":
        refused(options)
        return
    if options["mode"] == "masked":
        masked(options)
        return
    with connect(options) as connection:
        for part in (types, parameters, cursors, streaming, large, copy, pipelines, transactions, several_statements, notices, function_call):
            part(connection)
        notifications(connection, options)
    cancel(options)


main()
