-- What a masked user sees, by every way psql has to ask.
\set VERBOSITY verbose
\pset null NULL
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' '
\echo -- rows
SELECT id, name, email, phone, card, card_number, ssn, spouse_ssn FROM customers WHERE id <= 5 ORDER BY id;
TABLE customer_contacts;
SELECT * FROM support_desk ORDER BY customer LIMIT 20;
SELECT * FROM payments ORDER BY id LIMIT 20;
SELECT * FROM payments_2024 ORDER BY id LIMIT 20;
SELECT c.card, o.id FROM customers AS c JOIN orders AS o ON o.customer_id = c.id ORDER BY o.id LIMIT 20;
SELECT note FROM customers WHERE id = 50;
\echo -- computed from a masked column
SELECT upper(email) FROM customers WHERE id <= 5;
SELECT card || '' FROM customers WHERE id <= 5;
SELECT substr(card, 1, 9), replace(ssn, '-', ':') FROM customers WHERE id <= 5;
SELECT json_agg(customers) FROM customers WHERE id <= 5;
SELECT row_to_json(c) FROM customers AS c WHERE id <= 5;
SELECT c FROM customers AS c WHERE id <= 5;
SELECT array_agg(card) FROM customers WHERE id <= 5;
SELECT max(card), min(ssn) FROM customers;
WITH hidden AS (SELECT card AS harmless FROM customers WHERE id <= 5) SELECT harmless FROM hidden;
SELECT s.x FROM (SELECT ssn AS x FROM customers WHERE id <= 5) AS s;
SELECT email FROM customers WHERE id = 1 UNION ALL SELECT card FROM customers WHERE id = 2;
SELECT CASE WHEN true THEN card END FROM customers WHERE id = 1;
VALUES ((SELECT card FROM customers WHERE id = 1));
\echo -- copy
COPY customers TO STDOUT;
COPY (SELECT * FROM customers ORDER BY id LIMIT 20) TO STDOUT (FORMAT csv, HEADER);
COPY payments_2024 TO STDOUT;
\copy customer_contacts to stdout
\echo -- statements of the server
PREPARE leak AS SELECT card, ssn FROM customers WHERE id = $1;
EXECUTE leak(1);
BEGIN;
DECLARE leaking CURSOR FOR SELECT card, ssn, email FROM customers ORDER BY id;
FETCH 5 FROM leaking;
COMMIT;
\echo -- errors carry values
INSERT INTO customers SELECT * FROM customers WHERE id = 1;
SELECT card::int FROM customers WHERE id = 1;
UPDATE customers SET ssn = (SELECT ssn FROM customers WHERE id = 2) WHERE id = 1;
DO $$ DECLARE c text; BEGIN SELECT card INTO c FROM customers WHERE id = 1; RAISE NOTICE '%', c; END $$;
DO $$ DECLARE c text; BEGIN SELECT card INTO c FROM customers WHERE id = 1; RAISE EXCEPTION '%', c; END $$;
SELECT pg_notify('stolen', card) FROM customers WHERE id = 1;
\echo -- copies where no mask holds
CREATE TEMP TABLE stolen AS SELECT card, ssn, email FROM customers;
SELECT * FROM stolen LIMIT 5;
SELECT card INTO TEMP stolen_2 FROM customers;
SELECT * FROM stolen_2 LIMIT 5;
UPDATE customers SET note = card WHERE id = 2;
SELECT note FROM customers WHERE id = 2;
\echo -- statistics
SELECT most_common_vals, histogram_bounds FROM pg_stats WHERE tablename = 'customers';
SELECT 'end of the tour';
