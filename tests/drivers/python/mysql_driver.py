"""PyMySQL, mysql-connector-python (pure) and mysqlclient (libmariadb), by driver=NAME: text and prepared
cursors, types, transactions, errors, several results, procedures, large values, streaming.
Arguments and output as common.py describes them."""

import importlib
import warnings

from common import MASKED_COLUMNS, MASKED_QUERY, VIEW_COLUMNS, VIEW_QUERY, arguments, emit, emit_masked

warnings.simplefilter("ignore")


def connect(options, **more):
    common = dict(host=options["host"], port=int(options["port"]), user=options["user"], password=options["password"],
                  database=options["dbname"], charset="utf8mb4")
    name = options["driver"]
    if name == "pymysql":
        import pymysql
        tls = dict(ssl_ca=options["ca"], ssl_verify_cert=True, ssl_verify_identity=True) if options["ca"] else dict(ssl_disabled=True)
        from pymysql.constants import CLIENT
        return pymysql, pymysql.connect(**common, **tls, client_flag=CLIENT.MULTI_STATEMENTS, max_allowed_packet=1 << 30, **more)
    if name == "connector":
        import mysql.connector
        tls = dict(ssl_ca=options["ca"], ssl_verify_cert=True) if options["ca"] else dict(ssl_disabled=True)
        return mysql.connector, mysql.connector.connect(**common, **tls, use_pure=True, **more)
    import MySQLdb
    from MySQLdb.constants import CLIENT
    tls = dict(ssl_mode="VERIFY_IDENTITY", ssl=dict(ca=options["ca"])) if options["ca"] else dict(ssl_mode="DISABLED")
    return MySQLdb, MySQLdb.connect(**common, **tls, client_flag=CLIENT.MULTI_STATEMENTS, **more)


def failure(label, error):
    # Each driver keeps the number, and the SQLSTATE where it does, in a place of its own.
    emit(label, type(error).__name__, getattr(error, "errno", None) or error.args[0], getattr(error, "sqlstate", None), str(error))


def fetch(connection, sql, values=None):
    cursor = connection.cursor()
    cursor.execute(sql, values)
    rows = cursor.fetchall()
    cursor.close()
    return rows


def types(connection):
    emit("types", *fetch(connection, """SELECT 1, -2, 18446744073709551615, 1.50, 1e10, NULL, 'Gr\u00fc\u00dfe \u6771\u4eac \U0001F6B2', x'00ff', b'101',
        DATE '2024-02-29', TIME '-12:34:56', TIMESTAMP '2024-02-29 12:34:56.789', CAST('[1, null]' AS JSON), '', ST_GeomFromText('POINT(1 2)')"""
        .replace("CAST('[1, null]' AS JSON)", "JSON_ARRAY(1, NULL)"))[0])
    for identifier in (1, 20, 30, 40, 50):
        emit("row", *fetch(connection, "SELECT * FROM customers WHERE id = %s", (identifier,))[0])
    emit("orders", *fetch(connection, "SELECT * FROM orders WHERE id < %s ORDER BY id", (6,)))
    emit("odd values", *fetch(connection, "SELECT %s, %s, %s", (None, "it's \\ \"quoted\"\n", 1.5)))


def writes(connection):
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE written (id int AUTO_INCREMENT PRIMARY KEY, body varchar(20) UNIQUE, raw longblob)")
    cursor.executemany("INSERT INTO written (body, raw) VALUES (%s, %s)", [("row {}".format(n), b"\x00\xff'\\" * n) for n in range(200)])
    emit("many", cursor.rowcount)
    cursor.execute("INSERT INTO written (body) VALUES ('one more')")
    emit("insert", cursor.rowcount, cursor.lastrowid)
    cursor.execute("UPDATE written SET body = CONCAT(body, '!') WHERE id <= 10")
    emit("update", cursor.rowcount)
    connection.commit()
    cursor.execute("DELETE FROM written")
    connection.rollback()
    emit("after rollback", fetch(connection, "SELECT COUNT(*), SUM(LENGTH(raw)), MAX(id) FROM written"))
    connection.commit()


def failures(connection, module):
    for sql in ["SELECT * FROM no_such_table", "SELEKT", "INSERT INTO written (body) VALUES ('row 50')", "INSERT INTO written (body) VALUES (REPEAT('x', 50))",
                "UPDATE orders SET status = 'lost' WHERE id = 1", "CALL no_such()", "SELECT 1 FROM customers WHERE no_such = 1", "USE no_such"]:
        try:
            fetch(connection, sql)
            emit("no error", sql)
        except module.Error as error:
            failure("error", error)
    connection.rollback()
    emit("after errors", fetch(connection, "SELECT COUNT(*) FROM written"))


def several(connection, options):
    if options["driver"] == "connector":
        return
    cursor = connection.cursor()
    cursor.execute("SELECT 1; SELECT 'two' UNION SELECT 'zwei'; SET @x = 5; SELECT @x")
    while True:
        emit("several", cursor.description is not None, cursor.fetchall() if cursor.description else cursor.rowcount)
        if not cursor.nextset():
            break
    cursor.close()


def procedures(connection):
    fetch_nothing = connection.cursor()
    fetch_nothing.execute("CREATE PROCEDURE spoken(IN n int, OUT twice int) BEGIN SELECT id, name FROM customers WHERE id <= n ORDER BY id; SET twice = n * 2; END")
    result = fetch_nothing.callproc("spoken", (2, 0))
    if hasattr(fetch_nothing, "stored_results"):
        emit("procedure", result, [rows.fetchall() for rows in fetch_nothing.stored_results()])
    else:
        emit("procedure", fetch_nothing.fetchall())
        while fetch_nothing.nextset():
            pass
        emit("out", fetch(connection, "SELECT @_spoken_1"))
    fetch_nothing.close()


def prepared(connection, options):
    if options["driver"] != "connector":
        return
    cursor = connection.cursor(prepared=True)
    for identifier in (1, 2, 20, 30, 1):
        cursor.execute("SELECT id, name, card, card_number, birthday, note FROM customers WHERE id = %s", (identifier,))
        emit("prepared", *cursor.fetchall())
    cursor.execute("SELECT %s, %s, %s, %s", (None, b"\x00\xff", 2 ** 40, 1.25))
    emit("prepared odd", *cursor.fetchall())
    cursor.execute("SELECT id, total, placed_at FROM orders WHERE id < %s ORDER BY id", (4,))
    emit("prepared types", *cursor.fetchall())
    cursor.close()


def large(connection):
    text = "wiregate " * 2_000_000  # over 16 MiB: two packets each way
    row = fetch(connection, "SELECT %s, LENGTH(%s)", (text, "x" * 70_000))[0]
    emit("large", row[0] == text, row[1])
    rows = fetch(connection, "SELECT o.id, REPEAT('r', o.id % 97), i.article FROM orders o JOIN order_items i ON i.order_id = o.id ORDER BY o.id, i.line")
    emit("rows", len(rows), sum(len(row[1]) for row in rows))


def streaming(connection, options):
    if options["driver"] == "connector":
        cursor = connection.cursor(buffered=False)
    else:
        cursor = connection.cursor(importlib.import_module("pymysql.cursors" if options["driver"] == "pymysql" else "MySQLdb.cursors").SSCursor)
    cursor.execute("SELECT id FROM orders ORDER BY id")
    emit("streamed", sum(row[0] for row in iter(cursor.fetchone, None)))
    cursor.close()


def full(connection, module, options):
    types(connection)
    writes(connection)
    failures(connection, module)
    several(connection, options)
    procedures(connection)
    prepared(connection, options)
    large(connection)
    streaming(connection, options)
    connection.ping()
    emit("alive", fetch(connection, "SELECT 'alive'"))


def masked(connection, module, options):
    emit_masked("text", MASKED_COLUMNS, fetch(connection, MASKED_QUERY))
    emit_masked("view", VIEW_COLUMNS, fetch(connection, VIEW_QUERY))
    emit_masked("parameter", MASKED_COLUMNS, fetch(connection, MASKED_QUERY.replace("5", "%s"), (5,)))
    if options["driver"] == "connector":
        cursor = connection.cursor(prepared=True)
        for _ in range(3):
            cursor.execute(MASKED_QUERY.replace("5", "%s"), (5,))
            emit_masked("prepared", MASKED_COLUMNS, cursor.fetchall())
        cursor.close()
    try:
        fetch(connection, "DROP TABLE old_carts")
        emit("NOT REFUSED")
    except module.Error as error:
        failure("refused", error)
    emit("goes on", *fetch(connection, "SELECT COUNT(*) FROM old_carts")[0])


def change_user(connection, options, user, password):
    if options["driver"] == "connector":
        connection.cmd_change_user(username=user, password=password, database=options["dbname"])
    else:
        connection.change_user(user, password, options["dbname"])


# Another user (to=, to_password=) on the same connection, the first one again, and a wrong password.
def users(connection, module, options):
    card = "SELECT id, card, DATABASE() FROM customers WHERE id = 1"
    emit("first", *fetch(connection, card))
    fetch_nothing = connection.cursor()
    fetch_nothing.execute("SET @left = 'behind'")
    fetch_nothing.close()
    change_user(connection, options, options["to"], options["to_password"])
    emit("other", *fetch(connection, card))
    emit("left", *fetch(connection, "SELECT @left"))
    change_user(connection, options, options["user"], options["password"])
    emit("again", *fetch(connection, card))
    try:
        change_user(connection, options, options["to"], "wrong")
        emit("NOT REFUSED")
    except module.Error as error:
        emit("refused", getattr(error, "errno", None) or error.args[0])


def main():
    options = arguments()
    module, connection = connect(options)
    if options["mode"] == "users":
        return users(connection, module, options)
    if options["mode"] == "masked":
        masked(connection, module, options)
    else:
        full(connection, module, options)
    connection.close()


main()
