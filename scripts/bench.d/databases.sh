# shellcheck shell=bash
#
# The servers' databases, made once and kept. Sourced by scripts/bench.

# psql_at and superuser are scripts/bench's; a table that is there has its rows, because it is renamed last.
has_table() { [ "$(superuser "$SERVER" bench -c "SELECT to_regclass('public.$1') IS NOT NULL")" = t ]; }

# The database is the shop, pgbench's tables, and two relations of the same 100,000 rows of about 100 bytes.
fill() {
    if [ "$(superuser "$SERVER" postgres -c "SELECT 1 FROM pg_database WHERE datname = 'bench'")" != 1 ]; then
        step "Filling the database (pgbench, scale $SCALE)"
        superuser "$SERVER" postgres -q -c 'SET client_min_messages = warning' -c 'DROP DATABASE IF EXISTS bench_partial'
        superuser "$SERVER" postgres -c 'CREATE DATABASE bench_partial OWNER trust_user TEMPLATE shop_template'
        "$PG_BIN/pgbench" -h 127.0.0.1 -p "$UPSTREAM_PORT" -U trust_user -i -q -s "$SCALE" bench_partial >"$WORK/fill.log" 2>&1
        psql_at "$UPSTREAM_PORT" bench_partial -q <<'SQL'
CREATE TABLE wide_plain AS
    SELECT id, id % 97 AS branch, (id * 7919) % 100000 AS balance, rpad(md5(id::text) || md5((-id)::text), 80, 'wiregate') AS holder
    FROM generate_series(1, 100000) AS id;
CREATE TABLE wide_masked AS SELECT * FROM wide_plain;
GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC;
VACUUM ANALYZE wide_plain, wide_masked;
SQL
        superuser "$SERVER" postgres -c 'ALTER DATABASE bench_partial RENAME TO bench' -c 'CHECKPOINT'
    fi
    if any_case 'copy*' && ! has_table huge_masked; then fill_huge; fi
    if any_case 'found_*' && ! has_table found_dense; then fill_found; fi
}

# A million rows, 100 MB.
fill_huge() {
    step 'Filling the tables for COPY'
    psql_at "$UPSTREAM_PORT" bench -q <<'SQL'
SET client_min_messages = warning;
DROP TABLE IF EXISTS huge_plain, huge_partial;
CREATE TABLE huge_plain AS SELECT w.* FROM wide_plain AS w, generate_series(1, 10);
CREATE TABLE huge_partial AS SELECT * FROM huge_plain;
GRANT ALL ON huge_plain, huge_partial TO PUBLIC;
VACUUM ANALYZE huge_plain, huge_partial;
ALTER TABLE huge_partial RENAME TO huge_masked;
SQL
}

# Rows as applications have them: nothing to be found in one table, something in every third cell of the other.
fill_found() {
    step 'Filling the tables for the detectors'
    psql_at "$UPSTREAM_PORT" bench -q <<'SQL'
SET client_min_messages = warning;
DROP TABLE IF EXISTS found_clean, found_partial;
CREATE TABLE found_clean AS
    SELECT id, 'order ' || (id % 977) AS title, CASE id % 3 WHEN 0 THEN 'shipped' WHEN 1 THEN 'open' ELSE 'returned' END AS state,
           initcap(substr(md5(id::text), 1, 7)) || ' ' || initcap(substr(md5((-id)::text), 1, 9)) AS customer,
           (id % 100) + 0.99 AS price, 'left at the door of number ' || (id % 50) AS note
    FROM generate_series(1, 100000) AS id;
CREATE TABLE found_partial AS
    SELECT id, title, 'user' || id || '@example.com' AS contact, customer, price,
           'paid with 4111 1111 1111 1111 at the door' AS note
    FROM found_clean;
GRANT ALL ON found_clean, found_partial TO PUBLIC;
VACUUM ANALYZE found_clean, found_partial;
ALTER TABLE found_partial RENAME TO found_dense;
SQL
}

mysql_root() { # [ARGS…]
    as_server "$MYSQL_BIN/mariadb" --no-defaults --batch --skip-column-names --user=root --socket="$(server_of "$MYSQL_SERVER" SOCKET)" "$@"
}

# sysbench's table, and the same two relations as PostgreSQL has.
fill_mysql_bench() {
    [ "$(mysql_root -e "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'bench'")" = 0 ] || return 0
    step "Filling MariaDB's database (sysbench)"
    mysql_root -e "DROP DATABASE IF EXISTS bench_partial; CREATE DATABASE bench_partial; GRANT ALL ON bench_partial.* TO trust_user@'%'"
    sysbench oltp_point_select --mysql-host=127.0.0.1 --mysql-port="$MYSQL_UPSTREAM_PORT" --mysql-user=trust_user \
        --mysql-db=bench_partial --tables=1 --table-size=100000 prepare >"$WORK/fill.log" 2>&1
    mysql_root bench_partial <<'SQL'
CREATE TABLE wide_plain AS
    SELECT seq AS id, seq % 97 AS branch, (seq * 7919) % 100000 AS balance, RPAD(CONCAT(MD5(seq), MD5(-seq)), 80, 'wiregate') AS holder
    FROM seq_1_to_100000;
CREATE TABLE wide_masked AS SELECT * FROM wide_plain;
CREATE DATABASE bench;
RENAME TABLE bench_partial.sbtest1 TO bench.sbtest1, bench_partial.wide_plain TO bench.wide_plain,
    bench_partial.wide_masked TO bench.wide_masked;
GRANT ALL ON bench.* TO trust_user@'%';
DROP DATABASE bench_partial;
ANALYZE TABLE bench.sbtest1, bench.wide_plain, bench.wide_masked;
SQL
}
