-- What psql does, for a user under no rule. Output is compared with and without the gateway.
\set VERBOSITY verbose
\set SHOW_CONTEXT always
\pset null '(null)'
SELECT 1 AS one, NULL AS nothing, 'Grüße 東京 🚲' AS text;
SELECT 1 \; SELECT 2 \; SELECT 3;
SELECT id, name, email, card, ssn FROM customers WHERE id <= 3 ORDER BY id \gx
SELECT card_number, birthday, note FROM customers ORDER BY id LIMIT 3 \gdesc
SELECT * FROM support_desk WHERE customer < 4 ORDER BY customer;
\d customers
\d+ customer_contacts
\dt
\dn
\df pg_notify
\l shop_template
\sv customer_contacts
\encoding
SHOW server_version_num;
\echo -- errors leave the session usable
SELECT * FROM no_such_table;
SELECT 1/0;
INSERT INTO customers SELECT * FROM customers WHERE id = 1;
\echo :ERROR :SQLSTATE
\echo -- a failed transaction
BEGIN;
SELECT broken;
SELECT 1;
ROLLBACK;
\echo -- savepoints
BEGIN;
\set ON_ERROR_ROLLBACK on
SELECT broken;
SELECT 'still in it';
COMMIT;
\echo -- fetching by cursor
\set FETCH_COUNT 100
SELECT count(*), sum(n) FROM (SELECT id AS n FROM orders) AS o;
SELECT id FROM orders WHERE id % 20 = 0 ORDER BY id LIMIT 250;
\set FETCH_COUNT 0
\echo -- copy
CREATE TEMP TABLE copied (id int, body text);
COPY copied FROM STDIN;
1	one
2	two\tand a tab
3	\N
\.
\copy copied (id, body) from stdin with (format csv)
4,"a ""quoted"" value"
\.
COPY copied TO STDOUT;
\copy (SELECT * FROM copied ORDER BY id DESC) to stdout with (format csv, header)
COPY copied FROM STDIN;
x	not a number
\.
SELECT count(*) FROM copied;
\echo -- statements of the server
PREPARE by_id (int) AS SELECT name, card FROM customers WHERE id = $1;
EXECUTE by_id(1);
EXECUTE by_id(2);
DEALLOCATE by_id;
BEGIN;
DECLARE walking CURSOR FOR SELECT id, name FROM customers ORDER BY id;
FETCH 2 FROM walking;
MOVE 10 IN walking;
FETCH BACKWARD 1 FROM walking;
CLOSE walking;
COMMIT;
DO $$ BEGIN RAISE NOTICE 'noticed %', 42 USING DETAIL = 'more', HINT = 'think'; END $$;
EXPLAIN (COSTS off) SELECT * FROM customers WHERE id = 1;
LISTEN psql_news;
NOTIFY psql_news, 'heard';
UPDATE orders SET status = status WHERE id = 1;
DELETE FROM orders WHERE false;
TRUNCATE old_carts;
DROP TABLE old_carts;
SET work_mem = '8MB';
SHOW work_mem;
VACUUM orders;
SELECT length(repeat('x', 5000000));
