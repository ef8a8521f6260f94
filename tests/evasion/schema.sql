-- What attacks are tried on. The secrets (people.ssn, people.pay, visits.token) are those of
-- tests/src/corpus/secret.rs; nothing else may look like them. The tables belong to an ordinary role, the
-- extensions are there because attacks need them.
SET client_min_messages = error;
CREATE EXTENSION citext;
CREATE EXTENSION cube;
CREATE EXTENSION dblink;
CREATE EXTENSION file_fdw;
CREATE EXTENSION fuzzystrmatch;
CREATE EXTENSION hstore;
CREATE EXTENSION intarray;
CREATE EXTENSION ltree;
CREATE EXTENSION pageinspect;
CREATE EXTENSION pg_trgm;
CREATE EXTENSION pg_walinspect;
CREATE EXTENSION pgcrypto;
CREATE EXTENSION pgrowlocks;
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION tablefunc;
CREATE EXTENSION xml2;

GRANT ALL ON SCHEMA public TO app;
SET ROLE app;

CREATE TABLE people (
    id   integer PRIMARY KEY,
    name text    NOT NULL,
    city text,
    ssn  text    NOT NULL UNIQUE,
    pay  bigint
);
INSERT INTO people VALUES
    (1, 'Ada', 'Oslo', 'QXZJKWVQZXJQVKXW', 8264917350246813),
    (2, 'Bao', 'Hue',  'ZKXQVJWXQKZVJQXZ', 7395184620735918),
    (3, 'Eva', 'Riga', 'JXVZQKWJZXQVWKQJ', 6148295037361482),
    (4, 'Ida', 'Oslo', 'WZQXKJVZWQJXKVQZ', 5937261840259376);

-- No rule names it: what is copied here could be read.
CREATE TABLE box (id integer PRIMARY KEY, content text, number bigint);
INSERT INTO box VALUES (1, 'empty', 0), (2, 'nothing', 0);

CREATE TABLE ledger (id integer PRIMARY KEY, entry text, amount integer);
INSERT INTO ledger SELECT n, 'entry ' || n, n * 10 FROM generate_series(1, 5) AS n;
CREATE TABLE carts (id integer PRIMARY KEY, content text);
INSERT INTO carts SELECT n, 'cart ' || n FROM generate_series(1, 5) AS n;

-- A document with a secret in it, and much that is none.
CREATE TABLE events (id integer PRIMARY KEY, payload jsonb NOT NULL, raw json, note text);
INSERT INTO events VALUES
    (1, '{"kind": "sale", "n": 7, "tags": ["a", "b"], "user": {"name": "Ada", "code": "QXZJKWVQZXJQVKXW"}}',
        '{"kind": "sale", "user": [{"c\u006fde": "QXZJKWVQZXJQVKXW"}, {"code": ["ZKXQVJWXQKZVJQXZ"]}], "user": {"code": 8264917350246813}}', 'first'),
    (2, '[{"kind": "loan", "user": {"name": "Bao", "code": {"old": "ZKXQVJWXQKZVJQXZ", "new": "JXVZQKWJZXQVWKQJ"}}}]',
        '{"kind": "loan"}', 'second');
CREATE VIEW event_users AS SELECT id, payload -> 'user' AS person, payload ->> 'kind' AS kind FROM events;

-- Partitions and children count as their parent.
CREATE TABLE visits (id integer, day date, token text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE visits_old PARTITION OF visits FOR VALUES FROM ('2020-01-01') TO ('2024-01-01');
CREATE TABLE visits_new PARTITION OF visits DEFAULT;
INSERT INTO visits VALUES (1, '2021-05-01', 'QXZJKWVQZXJQVKXW'), (2, '2025-05-01', 'ZKXQVJWXQKZVJQXZ');
CREATE TABLE staff (grade integer) INHERITS (people);
INSERT INTO staff VALUES (9, 'Uma', 'Oslo', 'JXVZQKWJZXQVWKQJ', 6148295037361482, 3);

CREATE VIEW people_view AS SELECT id, name, ssn AS code, pay AS amount FROM people;
CREATE VIEW people_view_2 AS SELECT id AS number, code AS label, amount FROM people_view;
CREATE VIEW people_upper AS SELECT id, upper(ssn) AS shown FROM people;
CREATE VIEW names AS SELECT id, name, city FROM people;
CREATE MATERIALIZED VIEW people_mat AS SELECT id, ssn AS kept, pay FROM people;

CREATE SCHEMA archive;
CREATE TABLE archive.people (id integer, remark text);
INSERT INTO archive.people VALUES (1, 'a table of the same name in another schema');

CREATE TYPE pair AS (left_side text, right_side bigint);
CREATE SEQUENCE counter;

CREATE FUNCTION ssn_of(integer) RETURNS text LANGUAGE sql STABLE AS 'SELECT ssn FROM people WHERE id = $1';
CREATE FUNCTION ssn_plpgsql(wanted integer) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT ssn FROM people WHERE id = wanted);
END $$;
CREATE FUNCTION all_people() RETURNS SETOF people LANGUAGE sql STABLE AS 'SELECT * FROM people';
CREATE FUNCTION people_table() RETURNS TABLE (a integer, b text) LANGUAGE sql STABLE AS 'SELECT id, ssn FROM people';
CREATE FUNCTION noisy(integer) RETURNS integer LANGUAGE plpgsql STABLE AS $$
BEGIN
    RAISE NOTICE 'it is %', (SELECT ssn FROM people WHERE id = $1);
    RETURN $1;
END $$;
CREATE FUNCTION failing(integer) RETURNS integer LANGUAGE plpgsql STABLE AS $$
BEGIN
    RAISE EXCEPTION 'it was %', (SELECT ssn FROM people WHERE id = $1);
END $$;
CREATE FUNCTION run(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer text;
BEGIN
    EXECUTE statement INTO answer;
    RETURN answer;
END $$;
CREATE FUNCTION empty_carts() RETURNS integer LANGUAGE sql AS 'DELETE FROM carts; SELECT 1';
CREATE PROCEDURE drop_carts() LANGUAGE plpgsql AS $$ BEGIN DROP TABLE carts; END $$;
CREATE PROCEDURE tell(INOUT answer text) LANGUAGE plpgsql AS $$ BEGIN answer := (SELECT ssn FROM people WHERE id = 1); END $$;
CREATE FUNCTION double_it(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1 || $1';
CREATE FUNCTION peek(text, text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE '% %', $1, $2;
    RETURN $1 = $2;
END $$;
CREATE OPERATOR ==== (LEFTARG = text, RIGHTARG = text, FUNCTION = peek);
CREATE FUNCTION harmless_sum(integer, integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1 + $2';

-- What ordinary databases have behind their tables, none of which looks at a secret.
CREATE DOMAIN mail AS text CHECK (VALUE ~ '@');
CREATE TABLE parcels (
    id        integer PRIMARY KEY CHECK (id > 0),
    addressee mail,
    code      uuid DEFAULT gen_random_uuid(),
    made      timestamptz DEFAULT now(),
    touched   date,
    label     text GENERATED ALWAYS AS (upper(addressee)) STORED,
    holder    name DEFAULT current_user
);
CREATE TABLE parcels_log (id integer, what text);
CREATE INDEX ON parcels (lower(addressee)) WHERE id > 10;
CREATE FUNCTION parcel_touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.touched := '2024-05-06'; RETURN NEW; END $$;
CREATE FUNCTION parcel_logged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO parcels_log VALUES (coalesce(NEW.id, OLD.id), TG_OP);
    RETURN NULL;
END $$;
CREATE TRIGGER touched BEFORE INSERT OR UPDATE ON parcels FOR EACH ROW EXECUTE FUNCTION parcel_touched();
CREATE TRIGGER logged AFTER INSERT OR UPDATE OR DELETE ON parcels FOR EACH ROW EXECUTE FUNCTION parcel_logged();
-- A column that is gone keeps its place in pg_attribute, without a type.
ALTER TABLE parcels ADD COLUMN gone text;
ALTER TABLE parcels DROP COLUMN gone;
ALTER TABLE parcels ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON parcels USING (holder = current_user);

-- Definitions that quote what nobody may see, beside ones that do not.
CREATE SCHEMA vault;
CREATE DOMAIN vault.mark AS text DEFAULT 'ZKXQVJWXQKZVJQXZ';
CREATE TABLE vault.visits (
    id    serial PRIMARY KEY,
    day   date DEFAULT '2024-05-06',
    made  timestamptz DEFAULT now(),
    note  text DEFAULT 'nothing to say',
    token text DEFAULT 'QXZJKWVQZXJQVKXW' CHECK (token <> 'JXVZQKWJZXQVWKQJ')
);
CREATE INDEX visits_few ON vault.visits (day) WHERE token <> 'JXVZQKWJZXQVWKQJ';
CREATE VIEW vault.few AS SELECT id, note FROM vault.visits WHERE token = 'QXZJKWVQZXJQVKXW';
COMMENT ON TABLE vault.visits IS 'one had QXZJKWVQZXJQVKXW';
COMMENT ON COLUMN vault.visits.token IS 'such as ZKXQVJWXQKZVJQXZ';
COMMENT ON COLUMN vault.visits.note IS 'whatever they said';
COMMENT ON INDEX vault.visits_few IS 'all but JXVZQKWJZXQVWKQJ';
COMMENT ON TABLE box IS 'nothing in particular';
COMMENT ON COLUMN box.content IS 'what is in it';
CREATE VIEW shown_comments AS SELECT objoid, description AS remark FROM pg_description;

-- What an application says by its functions.
CREATE TABLE stock (id integer PRIMARY KEY, amount integer);
INSERT INTO stock VALUES (1, 5), (2, 0);
CREATE FUNCTION count_carts(wanted integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE n integer;
BEGIN
    SELECT count(*) INTO n FROM carts;
    RAISE NOTICE 'done %', n USING HINT = 'nothing more';
    IF n < wanted THEN
        RAISE EXCEPTION 'insufficient carts: %', n USING ERRCODE = 'P4001', DETAIL = 'wanted ' || wanted;
    END IF;
    RETURN n;
END $$;
CREATE FUNCTION stock_checked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.amount < 0 THEN
        RAISE EXCEPTION 'insufficient stock of %', NEW.id;
    END IF;
    RAISE NOTICE 'stock of % is now %', NEW.id, NEW.amount;
    RETURN NEW;
END $$;
CREATE TRIGGER checked BEFORE UPDATE ON stock FOR EACH ROW EXECUTE FUNCTION stock_checked();

-- Keys outside ASCII.
CREATE TABLE vault.letters (id integer, body jsonb);
INSERT INTO vault.letters VALUES (1, '{"n": 1, "cl\u00e9": "QXZJKWVQZXJQVKXW"}');

RESET ROLE;
ANALYZE;
