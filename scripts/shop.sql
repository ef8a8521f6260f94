-- The sample shop: what the demo shows and the tests measure against. Everything is generated from row
-- numbers, so that two databases built from this file are equal. All numbers are invented; card numbers
-- pass the Luhn check, identity numbers avoid the ranges that were never issued.
--
-- Values that must never leave through a mask are easy to search for: every card begins 4111-11, every
-- identity number is listed in customers.ssn, every address ends in .example.

SET client_min_messages = warning;
SET timezone = 'UTC';

BEGIN;

-- Appends the Luhn check digit to a run of digits.
CREATE FUNCTION pg_temp.with_check_digit(digits text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT digits || (10 - sum(CASE WHEN (length(digits) - i) % 2 = 0 THEN d * 2 - CASE WHEN d > 4 THEN 9 ELSE 0 END ELSE d END) % 10) % 10
    FROM (SELECT i, substr(digits, i, 1)::int AS d FROM generate_series(1, length(digits)) AS i) AS each
$$;

CREATE TABLE customers (
    id          integer PRIMARY KEY,
    name        text    NOT NULL,
    email       text    NOT NULL UNIQUE,
    phone       text    NOT NULL,
    card        text    NOT NULL,
    card_number bigint  NOT NULL,
    ssn         text    NOT NULL UNIQUE,
    spouse_ssn  text,
    birthday    date    NOT NULL,
    note        text
);

INSERT INTO customers
SELECT id,
       first || ' ' || last,
       lower(first) || '.' || lower(last) || id || '@' || (ARRAY['mail', 'post', 'inbox'])[1 + id % 3] || '.example',
       format('+1-%s-555-%s', 202 + id % 700, lpad((id % 10000)::text, 4, '0')),
       concat_ws('-', substr(card, 1, 4), substr(card, 5, 4), substr(card, 9, 4), substr(card, 13, 4)),
       card::bigint,
       format('%s-%s-%s', 100 + id % 500, lpad((1 + id % 99)::text, 2, '0'), lpad((1 + id % 9999)::text, 4, '0')),
       CASE WHEN id % 3 = 0
            THEN format('%s-%s-%s', 700 + id % 200, lpad((1 + id % 97)::text, 2, '0'), lpad((1 + (id * 7) % 9999)::text, 4, '0'))
       END,
       date '1950-01-01' + (id * 37) % 20000,
       CASE
           WHEN id % 50 = 0 THEN format('also reachable as %s.private@home.example, prefers evenings', lower(first))
           WHEN id % 50 = 10 THEN format('paid once with %s by phone', concat(substr(card, 1, 4), ' ', substr(card, 5, 4), ' ', substr(card, 9, 4), ' ', substr(card, 13, 4)))
           WHEN id % 50 = 20 THEN E'tab\there, line\nbreak, back\\slash, "quotes", comma'
           WHEN id % 50 = 30 THEN 'Grüße aus Köln: naïve café, 東京, 🚲'
           WHEN id % 50 = 40 THEN ''
           WHEN id % 5 = 1 THEN 'asks for paper invoices'
       END
FROM (
    SELECT id,
           (ARRAY['Ada', 'Bao', 'Carla', 'Dmitri', 'Elif', 'Farid', 'Grace', 'Hana', 'Ivan', 'Jaya', 'Kofi', 'Lucia', 'Mei'])[1 + id % 13] AS first,
           (ARRAY['Abara', 'Berg', 'Castillo', 'Dubois', 'Eriksen', 'Fujita', 'Garcia', 'Haddad', 'Ivanova', 'Jansen', 'Kowalski'])[1 + id % 11] AS last,
           CASE WHEN id = 1 THEN '4111111111111111'
                ELSE pg_temp.with_check_digit('411111' || lpad(((id::bigint * 7919 + 104729) % 1000000000)::text, 9, '0'))
           END AS card
    FROM generate_series(1, 3000) AS id
) AS generated;

CREATE TABLE orders (
    id          integer PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customers,
    status      text    NOT NULL CHECK (status IN ('open', 'paid', 'sent', 'returned')),
    total       numeric(10, 2) NOT NULL,
    placed_at   timestamptz NOT NULL
);

INSERT INTO orders
SELECT id,
       1 + (id * 13) % 3000,
       (ARRAY['open', 'paid', 'sent', 'returned'])[1 + id % 4],
       (5 + (id * 31) % 50000) / 100.0,
       timestamptz '2024-01-01 08:00+00' + id * interval '53 minutes'
FROM generate_series(1, 6000) AS id;

CREATE TABLE order_items (
    order_id integer NOT NULL REFERENCES orders,
    line     integer NOT NULL,
    article  text    NOT NULL,
    quantity integer NOT NULL,
    price    numeric(10, 2) NOT NULL,
    PRIMARY KEY (order_id, line)
);

INSERT INTO order_items
SELECT order_id, line,
       (ARRAY['lamp', 'chair', 'desk', 'kettle', 'bicycle bell', 'umbrella', 'notebook'])[1 + (order_id + line) % 7],
       1 + (order_id * line) % 5,
       (199 + (order_id * 17 + line * 101) % 9000) / 100.0
FROM generate_series(1, 6000) AS order_id, generate_series(1, 2) AS line;

-- Partitions have relation numbers of their own: a mask on the parent must hold for them too.
CREATE TABLE payments (
    id          integer NOT NULL,
    customer_id integer NOT NULL,
    card        text    NOT NULL,
    amount      numeric(10, 2) NOT NULL,
    paid_on     date    NOT NULL,
    PRIMARY KEY (id, paid_on)
) PARTITION BY RANGE (paid_on);
CREATE TABLE payments_2023 PARTITION OF payments FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE payments_2024 PARTITION OF payments FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE payments_later PARTITION OF payments DEFAULT;

INSERT INTO payments
SELECT o.id, c.id, c.card, o.total, date '2023-01-01' + (o.id * 11) % 1000
FROM orders AS o JOIN customers AS c ON c.id = o.customer_id
WHERE o.status <> 'open';

CREATE VIEW customer_contacts AS
    SELECT id, name, email, phone, card FROM customers;

-- A view on the view, under other names.
CREATE VIEW support_desk AS
    SELECT id AS customer, name AS who, card AS paid_with, email AS reach FROM customer_contacts;

-- Something to drop in the tour, to be refused.
CREATE TABLE old_carts (id integer PRIMARY KEY, content text);
INSERT INTO old_carts SELECT id, 'cart ' || id FROM generate_series(1, 20) AS id;

COMMIT;
ANALYZE customers, orders, order_items, payments;
