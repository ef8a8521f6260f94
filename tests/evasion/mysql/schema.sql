-- What attacks are tried on, in MySQL and MariaDB. The secrets (people.ssn, people.pay, visits.token) are those
-- of tests/src/corpus/secret.rs; nothing else may look like them. It runs as one text, in a database of its own.
CREATE TABLE people (
    id   int PRIMARY KEY,
    name varchar(40) NOT NULL,
    city varchar(40),
    ssn  varchar(40) NOT NULL UNIQUE,
    pay  bigint
);
INSERT INTO people VALUES
    (1, 'Ada', 'Oslo', 'QXZJKWVQZXJQVKXW', 8264917350246813),
    (2, 'Bao', 'Hue',  'ZKXQVJWXQKZVJQXZ', 7395184620735918),
    (3, 'Eva', 'Riga', 'JXVZQKWJZXQVWKQJ', 6148295037361482),
    (4, 'Ida', 'Oslo', 'WZQXKJVZWQJXKVQZ', 5937261840259376);

-- No rule names it: what is copied here could be read.
CREATE TABLE box (id int PRIMARY KEY, content varchar(200), number bigint);
INSERT INTO box VALUES (1, 'empty', 0), (2, 'nothing', 0);

CREATE TABLE ledger (id int PRIMARY KEY, entry varchar(40), amount int);
INSERT INTO ledger VALUES (1, 'entry 1', 10), (2, 'entry 2', 20), (3, 'entry 3', 30);
CREATE TABLE carts (id int PRIMARY KEY AUTO_INCREMENT, content varchar(40));
INSERT INTO carts VALUES (1, 'cart 1'), (2, 'cart 2'), (3, 'cart 3');
CREATE TABLE visits (id int, day date, token varchar(40), PRIMARY KEY (id, day))
    PARTITION BY RANGE (YEAR(day)) (PARTITION old VALUES LESS THAN (2024), PARTITION new VALUES LESS THAN MAXVALUE);
INSERT INTO visits VALUES (1, '2021-05-01', 'QXZJKWVQZXJQVKXW'), (2, '2025-05-01', 'ZKXQVJWXQKZVJQXZ');
CREATE TABLE goods (id int PRIMARY KEY, label varchar(40), price decimal(10, 2), made datetime, tags text, kind enum('a', 'b'));
INSERT INTO goods VALUES (1, 'lamp', 12.50, '2024-02-29 12:34:56', 'x,y', 'a'), (2, 'chair', 99.95, NULL, NULL, 'b');

CREATE VIEW people_view AS SELECT id, name, ssn AS code, pay AS amount FROM people;
CREATE VIEW people_view_2 AS SELECT id AS number, code AS label, amount FROM people_view;
CREATE VIEW people_upper AS SELECT id, UPPER(ssn) AS shown FROM people;
CREATE VIEW names AS SELECT id, name, city FROM people;
CREATE VIEW ledger_view AS SELECT id, amount FROM ledger;

CREATE TABLE {{db}}_2.people (id int, remark varchar(40));
INSERT INTO {{db}}_2.people VALUES (1, 'a table of the same name elsewhere');
CREATE TABLE {{db}}_2.shelf (id int PRIMARY KEY, content varchar(200));

CREATE FUNCTION ssn_of(wanted int) RETURNS varchar(40) READS SQL DATA RETURN (SELECT ssn FROM people WHERE id = wanted);
CREATE FUNCTION twice(n int) RETURNS int DETERMINISTIC NO SQL RETURN n * 2;
CREATE FUNCTION empty_carts() RETURNS int MODIFIES SQL DATA BEGIN DELETE FROM carts; RETURN 1; END;
CREATE PROCEDURE show_people() SELECT id, ssn FROM people;
CREATE PROCEDURE tell(OUT answer varchar(40)) SELECT ssn INTO answer FROM people WHERE id = 1;
CREATE PROCEDURE drop_carts() DROP TABLE carts;
CREATE PROCEDURE run(statement varchar(200)) BEGIN SET @run = statement; PREPARE r FROM @run; EXECUTE r; END;
CREATE PROCEDURE complain() BEGIN DECLARE t varchar(80); SELECT ssn INTO t FROM people WHERE id = 1; SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = t; END;
