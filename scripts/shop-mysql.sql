-- The sample shop as shop.sql has it, for MariaDB and MySQL: the same tables and rows, made from row numbers,
-- so that two databases built from this file are equal.
--
-- Values that must never leave through a mask are easy to search for: every card begins 4111-11, every
-- identity number is listed in customers.ssn, every address ends in .example.

SET NAMES utf8mb4;
SET time_zone = '+00:00';

CREATE TABLE numbers (n int PRIMARY KEY);
INSERT INTO numbers
SELECT 1 + a.d + 10 * b.d + 100 * c.d + 1000 * e.d
FROM (SELECT 0 d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) AS a
JOIN (SELECT 0 d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) AS b
JOIN (SELECT 0 d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) AS c
JOIN (SELECT 0 d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5) AS e;

CREATE TABLE customers (
    id          int          PRIMARY KEY,
    name        varchar(80)  NOT NULL,
    email       varchar(120) NOT NULL UNIQUE,
    phone       varchar(40)  NOT NULL,
    card        varchar(24)  NOT NULL,
    card_number bigint       NOT NULL,
    ssn         varchar(16)  NOT NULL UNIQUE,
    spouse_ssn  varchar(16),
    birthday    date         NOT NULL,
    note        text
);

-- 15 digits of the card first; the Luhn check digit is added below.
CREATE TABLE drafts (id int PRIMARY KEY, first varchar(20), last varchar(20), digits char(15), card char(16));
INSERT INTO drafts
SELECT n,
       ELT(1 + n % 13, 'Ada', 'Bao', 'Carla', 'Dmitri', 'Elif', 'Farid', 'Grace', 'Hana', 'Ivan', 'Jaya', 'Kofi', 'Lucia', 'Mei'),
       ELT(1 + n % 11, 'Abara', 'Berg', 'Castillo', 'Dubois', 'Eriksen', 'Fujita', 'Garcia', 'Haddad', 'Ivanova', 'Jansen', 'Kowalski'),
       CASE WHEN n = 1 THEN '411111111111111' ELSE CONCAT('411111', LPAD((n * 7919 + 104729) % 1000000000, 9, '0')) END,
       NULL
FROM numbers WHERE n <= 3000;
UPDATE drafts JOIN (
    SELECT id, SUM(CASE WHEN n % 2 = 1 THEN d * 2 - IF(d > 4, 9, 0) ELSE d END) AS total
    FROM (SELECT id, n, CAST(SUBSTR(digits, n, 1) AS UNSIGNED) AS d FROM drafts JOIN numbers ON n <= 15) AS each_digit
    GROUP BY id
) AS sums ON sums.id = drafts.id
SET card = CONCAT(digits, (10 - total % 10) % 10);

INSERT INTO customers
SELECT id,
       CONCAT(first, ' ', last),
       CONCAT(LOWER(first), '.', LOWER(last), id, '@', ELT(1 + id % 3, 'mail', 'post', 'inbox'), '.example'),
       CONCAT('+1-', 202 + id % 700, '-555-', LPAD(id % 10000, 4, '0')),
       CONCAT_WS('-', SUBSTR(card, 1, 4), SUBSTR(card, 5, 4), SUBSTR(card, 9, 4), SUBSTR(card, 13, 4)),
       card,
       CONCAT(100 + id % 500, '-', LPAD(1 + id % 99, 2, '0'), '-', LPAD(1 + id % 9999, 4, '0')),
       CASE WHEN id % 3 = 0
            THEN CONCAT(700 + id % 200, '-', LPAD(1 + id % 97, 2, '0'), '-', LPAD(1 + (id * 7) % 9999, 4, '0'))
       END,
       DATE_ADD('1950-01-01', INTERVAL (id * 37) % 20000 DAY),
       CASE
           WHEN id % 50 = 0 THEN CONCAT('also reachable as ', LOWER(first), '.private@home.example, prefers evenings')
           WHEN id % 50 = 10 THEN CONCAT('paid once with ', SUBSTR(card, 1, 4), ' ', SUBSTR(card, 5, 4), ' ', SUBSTR(card, 9, 4), ' ', SUBSTR(card, 13, 4), ' by phone')
           WHEN id % 50 = 20 THEN 'tab\there, line\nbreak, back\\slash, "quotes", comma'
           WHEN id % 50 = 30 THEN 'Grüße aus Köln: naïve café, 東京, 🚲'
           WHEN id % 50 = 40 THEN ''
           WHEN id % 5 = 1 THEN 'asks for paper invoices'
       END
FROM drafts;
DROP TABLE drafts;

CREATE TABLE orders (
    id          int PRIMARY KEY,
    customer_id int NOT NULL,
    status      varchar(10) NOT NULL CHECK (status IN ('open', 'paid', 'sent', 'returned')),
    total       decimal(10, 2) NOT NULL,
    placed_at   timestamp NOT NULL,
    FOREIGN KEY (customer_id) REFERENCES customers (id)
);
INSERT INTO orders
SELECT n,
       1 + (n * 13) % 3000,
       ELT(1 + n % 4, 'open', 'paid', 'sent', 'returned'),
       (5 + (n * 31) % 50000) / 100.0,
       DATE_ADD('2024-01-01 08:00:00', INTERVAL n * 53 MINUTE)
FROM numbers;

CREATE TABLE order_items (
    order_id int NOT NULL,
    line     int NOT NULL,
    article  varchar(40) NOT NULL,
    quantity int NOT NULL,
    price    decimal(10, 2) NOT NULL,
    PRIMARY KEY (order_id, line),
    FOREIGN KEY (order_id) REFERENCES orders (id)
);
INSERT INTO order_items
SELECT o.n, l.n,
       ELT(1 + (o.n + l.n) % 7, 'lamp', 'chair', 'desk', 'kettle', 'bicycle bell', 'umbrella', 'notebook'),
       1 + (o.n * l.n) % 5,
       (199 + (o.n * 17 + l.n * 101) % 9000) / 100.0
FROM numbers AS o JOIN numbers AS l ON l.n <= 2;

CREATE TABLE payments (
    id          int NOT NULL,
    customer_id int NOT NULL,
    card        varchar(24) NOT NULL,
    amount      decimal(10, 2) NOT NULL,
    paid_on     date NOT NULL,
    PRIMARY KEY (id, paid_on)
) PARTITION BY RANGE COLUMNS (paid_on) (
    PARTITION payments_2023 VALUES LESS THAN ('2024-01-01'),
    PARTITION payments_2024 VALUES LESS THAN ('2025-01-01'),
    PARTITION payments_later VALUES LESS THAN (MAXVALUE)
);
INSERT INTO payments
SELECT o.id, c.id, c.card, o.total, DATE_ADD('2023-01-01', INTERVAL (o.id * 11) % 1000 DAY)
FROM orders AS o JOIN customers AS c ON c.id = o.customer_id
WHERE o.status <> 'open';

CREATE SQL SECURITY INVOKER VIEW customer_contacts AS
    SELECT id, name, email, phone, card FROM customers;

-- A view on the view, under other names.
CREATE SQL SECURITY INVOKER VIEW support_desk AS
    SELECT id AS customer, name AS who, card AS paid_with, email AS reach FROM customer_contacts;

-- Something to drop in the tour, to be refused.
CREATE TABLE old_carts (id int PRIMARY KEY, content varchar(40));
INSERT INTO old_carts SELECT n, CONCAT('cart ', n) FROM numbers WHERE n <= 20;

DROP TABLE numbers;
ANALYZE TABLE customers, orders, order_items, payments;
