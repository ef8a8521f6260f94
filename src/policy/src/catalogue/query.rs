//! The one text that reads the catalogue, for PostgreSQL 13 to 18.
//!
//! It runs on the client's own connection, under the client's search path, and what it gives serves other
//! users, too. So every name is qualified and every operator is written `OPERATOR(pg_catalog.…)`: nobody
//! may put a function or operator of his own in the way. Objects below OID 16384 came with the server
//! (`FirstNormalObjectId`).

/// The statements, each followed by a semicolon. Their results, counted from 0:
///
/// | result | row |
/// |---|---|
/// | 0 | relation: OID, schema, name, kind |
/// | 1 | column: relation, number, name, type OID, type's class, category, NOT NULL, generated |
/// | 2 | dependency of a view: view, relation, column or 0 |
/// | 3 | view: OID, definition |
/// | 4 | inheritance: child, parent |
/// | 5 | function: name, `b` if it came with the server or a harmless extension, else `u` |
/// | 6 | view that calls a function of the users: OID |
/// | 7 | operator of the users: name |
/// | 8 | routine of the users: name, language, definition; NULL where it is too long or not read |
/// | 9 | generated column: relation, number, expression |
pub const QUERY: &str = r#"
SELECT c.oid, n.nspname, c.relname, c.relkind
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
 WHERE c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r','v','m','f','p','S']::pg_catalog."char"[]);
SELECT a.attrelid, a.attnum, a.attname,
       CASE WHEN t.typtype OPERATOR(pg_catalog.=) 'd'::pg_catalog."char" THEN t.typbasetype ELSE t.oid END,
       t.typtype, t.typcategory, a.attnotnull, a.attgenerated OPERATOR(pg_catalog.<>) ''::pg_catalog."char"
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid
  JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) a.atttypid
 WHERE a.attnum OPERATOR(pg_catalog.>) '0'::pg_catalog.int2 AND NOT a.attisdropped
   AND c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r','v','m','f','p']::pg_catalog."char"[])
   AND (c.oid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid
     OR c.relname OPERATOR(pg_catalog.=) ANY (ARRAY['pg_stats','pg_statistic','pg_stats_ext','pg_stats_ext_exprs',
        'pg_statistic_ext_data','pg_stat_activity','pg_largeobject']::pg_catalog.name[]));
SELECT DISTINCT r.ev_class, d.refobjid, d.refobjsubid
  FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite r ON r.oid OPERATOR(pg_catalog.=) d.objid
 WHERE d.classid OPERATOR(pg_catalog.=) '2618'::pg_catalog.oid AND d.refclassid OPERATOR(pg_catalog.=) '1259'::pg_catalog.oid
   AND r.ev_class OPERATOR(pg_catalog.<>) d.refobjid AND r.ev_class OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid;
SELECT c.oid, pg_catalog.pg_get_viewdef(c.oid)
  FROM pg_catalog.pg_class c
 WHERE c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['v','m']::pg_catalog."char"[])
   AND c.oid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid;
SELECT i.inhrelid, i.inhparent FROM pg_catalog.pg_inherits i;
SELECT DISTINCT p.proname,
       CASE WHEN p.oid OPERATOR(pg_catalog.<) '16384'::pg_catalog.oid OR e.extname IS NOT NULL THEN 'b' ELSE 'u' END
  FROM pg_catalog.pg_proc p
  LEFT JOIN (pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid
         AND e.extname OPERATOR(pg_catalog.=) ANY (ARRAY['btree_gin','btree_gist','citext','cube','dict_int','earthdistance',
             'fuzzystrmatch','hstore','intarray','isn','ltree','pg_trgm','pgcrypto','seg','unaccent','uuid-ossp',
             'vector']::pg_catalog.name[]))
    ON d.classid OPERATOR(pg_catalog.=) '1255'::pg_catalog.oid AND d.objid OPERATOR(pg_catalog.=) p.oid
   AND d.refclassid OPERATOR(pg_catalog.=) '3079'::pg_catalog.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'::pg_catalog."char";
SELECT DISTINCT r.ev_class
  FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite r ON r.oid OPERATOR(pg_catalog.=) d.objid
 WHERE d.classid OPERATOR(pg_catalog.=) '2618'::pg_catalog.oid AND d.refclassid OPERATOR(pg_catalog.=) '1255'::pg_catalog.oid
   AND d.refobjid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid;
SELECT DISTINCT o.oprname
  FROM pg_catalog.pg_operator o
 WHERE o.oid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e
            ON e.oid OPERATOR(pg_catalog.=) d.refobjid
         WHERE d.classid OPERATOR(pg_catalog.=) '2617'::pg_catalog.oid AND d.objid OPERATOR(pg_catalog.=) o.oid
           AND d.refclassid OPERATOR(pg_catalog.=) '3079'::pg_catalog.oid
           AND e.extname OPERATOR(pg_catalog.=) ANY (ARRAY['btree_gin','btree_gist','citext','cube','earthdistance',
             'hstore','intarray','isn','ltree','pg_trgm','seg','vector']::pg_catalog.name[]));
WITH r AS MATERIALIZED (
  SELECT p.proname, l.lanname,
         CASE WHEN l.lanname OPERATOR(pg_catalog.=) ANY (ARRAY['sql','plpgsql']::pg_catalog.name[])
              THEN pg_catalog.pg_get_functiondef(p.oid) END AS definition
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid OPERATOR(pg_catalog.=) p.prolang
   WHERE p.oid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid
     AND p.prokind OPERATOR(pg_catalog.<>) 'a'::pg_catalog."char"
     AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
          WHERE d.classid OPERATOR(pg_catalog.=) '1255'::pg_catalog.oid AND d.objid OPERATOR(pg_catalog.=) p.oid
            AND d.refclassid OPERATOR(pg_catalog.=) '3079'::pg_catalog.oid
            AND d.deptype OPERATOR(pg_catalog.=) 'e'::pg_catalog."char"))
SELECT r.proname, r.lanname,
       CASE WHEN pg_catalog.octet_length(r.definition) OPERATOR(pg_catalog.<=) '32768'::pg_catalog.int4
            THEN r.definition END
  FROM r;
SELECT d.adrelid, d.adnum, pg_catalog.pg_get_expr(d.adbin, d.adrelid)
  FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) d.adrelid
   AND a.attnum OPERATOR(pg_catalog.=) d.adnum
 WHERE a.attgenerated OPERATOR(pg_catalog.<>) ''::pg_catalog."char" AND NOT a.attisdropped;
"#;

/// Results of [`QUERY`].
pub const RESULTS: usize = 10;

/// The result that holds the routines of the users.
pub(super) const ROUTINES: usize = 8;
