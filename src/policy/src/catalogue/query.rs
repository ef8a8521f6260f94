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
/// | 7 | operator of the users: name, its function as a call |
/// | 8 | routine of the users: name, language, definition; NULL where it is too long or not read |
/// | 9 | generated column: relation, number, expression |
/// | 10 | code behind a relation: relation, events, how it is written, text or NULL where too long, column or 0 |
/// | 11 | code behind a type: name or nothing where no user's type is in it, text, whether it makes the values |
/// | 12 | what holds values of a type: name of the relation, type or routine, name of the type, relation, column |
/// | 13 | event trigger: its function as a call |
/// | 14 | text about a relation: relation, column or 0, `c` for a comment or `e` for an expression, text or NULL where too long |
///
/// Events are letters: `i`, `u`, `d`, `t` for the changes of rows, `s` for any use, `x` for maintenance (ANALYZE,
/// REINDEX …), `c` where it may wait for COMMIT, `k` for an UPDATE of columns that the text names behind WHERE. What a
/// foreign key makes the server do is written as the statement that it comes to.
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
     OR c.relname OPERATOR(pg_catalog.=) ANY (ARRAY['pg_attribute','pg_stats','pg_statistic','pg_stats_ext','pg_stats_ext_exprs',
        'pg_statistic_ext_data','pg_stat_activity','pg_largeobject',
        'attributes','check_constraints','columns','domains','parameters','routines','triggers','views',
        'pg_attrdef','pg_class','pg_constraint','pg_description','pg_index','pg_indexes','pg_matviews',
        'pg_partitioned_table','pg_policies','pg_policy','pg_proc','pg_publication_rel','pg_rewrite','pg_rules',
        'pg_shdescription','pg_statistic_ext','pg_trigger','pg_type','pg_views']::pg_catalog.name[]));
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
SELECT DISTINCT o.oprname, pg_catalog.format('%I.%I()', n.nspname, p.proname)
  FROM pg_catalog.pg_operator o
  JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) o.oprcode::pg_catalog.oid
  JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
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
            AND d.deptype OPERATOR(pg_catalog.=) 'e'::pg_catalog."char")
  UNION ALL
  SELECT p.proname, 'expression'::pg_catalog.name,
         (SELECT pg_catalog.string_agg(pg_catalog.format('%I.%I()', n.nspname, f.proname), ', '::pg_catalog.text)
            FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) f.pronamespace
           WHERE f.oid OPERATOR(pg_catalog.=) ANY (ARRAY[a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn,
                 a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn]::pg_catalog.oid[]))
    FROM pg_catalog.pg_aggregate a JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) a.aggfnoid::pg_catalog.oid
   WHERE p.oid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid
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
WITH f AS MATERIALIZED (
  SELECT k.confrelid, k.confdeltype, k.confupdtype, n.nspname, c.relname,
         (SELECT pg_catalog.string_agg(pg_catalog.format('%I = NULL', a.attname), ', '::pg_catalog.text)
            FROM pg_catalog.pg_attribute a
           WHERE a.attrelid OPERATOR(pg_catalog.=) k.conrelid AND a.attnum OPERATOR(pg_catalog.=) ANY (k.conkey)) AS referring,
         (SELECT pg_catalog.string_agg(pg_catalog.format('%I', a.attname), ' AND '::pg_catalog.text)
            FROM pg_catalog.pg_attribute a
           WHERE a.attrelid OPERATOR(pg_catalog.=) k.confrelid AND a.attnum OPERATOR(pg_catalog.=) ANY (k.confkey)) AS keys
    FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) k.conrelid
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
   WHERE k.contype OPERATOR(pg_catalog.=) 'f'::pg_catalog."char"),
b (relation, events, how, code, number) AS MATERIALIZED (
  SELECT t.tgrelid,
         pg_catalog.concat(
           CASE WHEN (t.tgtype OPERATOR(pg_catalog.&) '4'::pg_catalog.int2) OPERATOR(pg_catalog.<>) '0'::pg_catalog.int2 THEN 'i' END,
           CASE WHEN (t.tgtype OPERATOR(pg_catalog.&) '16'::pg_catalog.int2) OPERATOR(pg_catalog.<>) '0'::pg_catalog.int2 THEN 'u' END,
           CASE WHEN (t.tgtype OPERATOR(pg_catalog.&) '8'::pg_catalog.int2) OPERATOR(pg_catalog.<>) '0'::pg_catalog.int2 THEN 'd' END,
           CASE WHEN (t.tgtype OPERATOR(pg_catalog.&) '32'::pg_catalog.int2) OPERATOR(pg_catalog.<>) '0'::pg_catalog.int2 THEN 't' END,
           CASE WHEN t.tgdeferrable THEN 'c' END),
         CASE WHEN (t.tgtype OPERATOR(pg_catalog.&) '66'::pg_catalog.int2) OPERATOR(pg_catalog.<>) '0'::pg_catalog.int2
              THEN 'trigger' ELSE 'expression' END,
         CASE WHEN t.tgqual IS NULL THEN pg_catalog.format('%I.%I()', n.nspname, p.proname)
              ELSE pg_catalog.pg_get_triggerdef(t.oid) END,
         '0'::pg_catalog.int2
    FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) t.tgfoid
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
   WHERE NOT t.tgisinternal
  UNION ALL
  SELECT r.ev_class,
         CASE WHEN r.ev_type OPERATOR(pg_catalog.=) '2'::pg_catalog."char" THEN 'u'
              WHEN r.ev_type OPERATOR(pg_catalog.=) '3'::pg_catalog."char" THEN 'i'
              WHEN r.ev_type OPERATOR(pg_catalog.=) '4'::pg_catalog."char" THEN 'd' ELSE 's' END,
         'rule', pg_catalog.pg_get_ruledef(r.oid), '0'::pg_catalog.int2
    FROM pg_catalog.pg_rewrite r
   WHERE r.ev_class OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid
     AND r.rulename OPERATOR(pg_catalog.<>) '_RETURN'::pg_catalog.name
  UNION ALL
  SELECT d.adrelid,
         CASE WHEN a.attgenerated OPERATOR(pg_catalog.=) ''::pg_catalog."char" THEN 'iu'
              WHEN a.attgenerated OPERATOR(pg_catalog.=) 'v'::pg_catalog."char" THEN 'siux' ELSE 'iux' END,
         'expression', pg_catalog.pg_get_expr(d.adbin, d.adrelid), d.adnum
    FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) d.adrelid
     AND a.attnum OPERATOR(pg_catalog.=) d.adnum
   WHERE NOT a.attisdropped
  UNION ALL
  SELECT k.conrelid, 'iux', 'expression', pg_catalog.pg_get_expr(k.conbin, k.conrelid), '0'::pg_catalog.int2
    FROM pg_catalog.pg_constraint k
   WHERE k.contype OPERATOR(pg_catalog.=) 'c'::pg_catalog."char"
     AND k.conrelid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid
  UNION ALL
  SELECT i.indrelid, 'iux', 'expression',
         pg_catalog.concat_ws(', ', pg_catalog.pg_get_expr(i.indexprs, i.indrelid), pg_catalog.pg_get_expr(i.indpred, i.indrelid)),
         '0'::pg_catalog.int2
    FROM pg_catalog.pg_index i
   WHERE i.indrelid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
  UNION ALL
  SELECT y.polrelid, 'siud', 'expression',
         pg_catalog.concat_ws(', ', pg_catalog.pg_get_expr(y.polqual, y.polrelid), pg_catalog.pg_get_expr(y.polwithcheck, y.polrelid)),
         '0'::pg_catalog.int2
    FROM pg_catalog.pg_policy y
  UNION ALL
  SELECT f.confrelid, 'd', 'statement',
         CASE WHEN f.confdeltype OPERATOR(pg_catalog.=) 'c'::pg_catalog."char"
              THEN pg_catalog.format('DELETE FROM %I.%I WHERE referring', f.nspname, f.relname)
              ELSE pg_catalog.format('UPDATE %I.%I SET %s WHERE referring', f.nspname, f.relname, f.referring) END,
         '0'::pg_catalog.int2
    FROM f WHERE f.confdeltype OPERATOR(pg_catalog.=) ANY (ARRAY['c','n','d']::pg_catalog."char"[])
  UNION ALL
  SELECT f.confrelid, 'k', 'statement',
         pg_catalog.format('UPDATE %I.%I SET %s WHERE %s', f.nspname, f.relname, f.referring, f.keys), '0'::pg_catalog.int2
    FROM f WHERE f.confupdtype OPERATOR(pg_catalog.=) ANY (ARRAY['c','n','d']::pg_catalog."char"[])
  UNION ALL
  SELECT f.confrelid, 't', 'statement', pg_catalog.format('TRUNCATE %I.%I', f.nspname, f.relname), '0'::pg_catalog.int2
    FROM f)
SELECT b.relation, b.events, b.how,
       CASE WHEN pg_catalog.octet_length(b.code) OPERATOR(pg_catalog.<=) '32768'::pg_catalog.int4 THEN b.code END,
       b.number
  FROM b;
SELECT t.typname, pg_catalog.pg_get_expr(k.conbin, '0'::pg_catalog.oid), 'f'
  FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) k.contypid
 WHERE k.contype OPERATOR(pg_catalog.=) 'c'::pg_catalog."char" AND t.oid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid
UNION ALL
SELECT CASE WHEN t.oid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid THEN t.typname END,
       pg_catalog.format('%I.%I()', n.nspname, p.proname), 't'
  FROM pg_catalog.pg_cast k
  JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) k.castfunc
  JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
  JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) k.casttarget OR t.oid OPERATOR(pg_catalog.=) k.castsource
 WHERE p.oid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid
   AND (t.oid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid
     OR (k.castsource OPERATOR(pg_catalog.<) '16384'::pg_catalog.oid AND k.casttarget OPERATOR(pg_catalog.<) '16384'::pg_catalog.oid));
WITH y (type, name) AS (
  SELECT t.oid, CASE WHEN e.oid IS NULL THEN t.typname ELSE e.typname END
    FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_type e
      ON e.oid OPERATOR(pg_catalog.=) t.typelem AND t.typcategory OPERATOR(pg_catalog.=) 'A'::pg_catalog."char"
   WHERE t.oid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid)
SELECT c.relname, y.name, c.oid, a.attnum
  FROM pg_catalog.pg_attribute a JOIN y ON y.type OPERATOR(pg_catalog.=) a.atttypid
  JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid
 WHERE a.attnum OPERATOR(pg_catalog.>) '0'::pg_catalog.int2 AND NOT a.attisdropped
   AND c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r','v','m','f','p','c']::pg_catalog."char"[])
UNION ALL
SELECT t.typname, y.name, NULL, NULL
  FROM pg_catalog.pg_type t JOIN y ON y.type OPERATOR(pg_catalog.=) t.typbasetype
UNION ALL
SELECT t.typname, y.name, NULL, NULL
  FROM pg_catalog.pg_range g JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) g.rngtypid
  JOIN y ON y.type OPERATOR(pg_catalog.=) g.rngsubtype
UNION ALL
SELECT p.proname, y.name, NULL, NULL
  FROM pg_catalog.pg_proc p JOIN y ON y.type OPERATOR(pg_catalog.=) p.prorettype
    OR y.type OPERATOR(pg_catalog.=) ANY (p.proargtypes::pg_catalog.oid[])
    OR y.type OPERATOR(pg_catalog.=) ANY (p.proallargtypes)
 WHERE p.oid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid;
SELECT pg_catalog.format('%I.%I()', n.nspname, p.proname)
  FROM pg_catalog.pg_event_trigger e JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) e.evtfoid
  JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
 WHERE e.evtenabled OPERATOR(pg_catalog.<>) 'D'::pg_catalog."char";
WITH x (relation, number, kind, code) AS MATERIALIZED (
  SELECT d.adrelid, d.adnum::pg_catalog.int4, 'e', pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef d
  UNION ALL
  SELECT a.attrelid, a.attnum, 'e', t.typdefault
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) a.atttypid
   WHERE t.typdefault IS NOT NULL AND NOT a.attisdropped AND a.attnum OPERATOR(pg_catalog.>) '0'::pg_catalog.int2
  UNION ALL
  SELECT a.attrelid, a.attnum, 'e', pg_catalog.pg_get_expr(k.conbin, '0'::pg_catalog.oid)
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_constraint k ON k.contypid OPERATOR(pg_catalog.=) a.atttypid
   WHERE k.contype OPERATOR(pg_catalog.=) 'c'::pg_catalog."char" AND k.contypid OPERATOR(pg_catalog.<>) '0'::pg_catalog.oid
     AND NOT a.attisdropped AND a.attnum OPERATOR(pg_catalog.>) '0'::pg_catalog.int2
  UNION ALL
  SELECT k.conrelid, '0'::pg_catalog.int4, 'e', pg_catalog.pg_get_expr(k.conbin, k.conrelid)
    FROM pg_catalog.pg_constraint k WHERE k.contype OPERATOR(pg_catalog.=) 'c'::pg_catalog."char"
  UNION ALL
  SELECT i.indrelid, '0'::pg_catalog.int4, 'e',
         pg_catalog.concat_ws(', ', pg_catalog.pg_get_expr(i.indexprs, i.indrelid), pg_catalog.pg_get_expr(i.indpred, i.indrelid))
    FROM pg_catalog.pg_index i WHERE i.indexprs IS NOT NULL OR i.indpred IS NOT NULL
  UNION ALL
  SELECT y.polrelid, '0'::pg_catalog.int4, 'e',
         pg_catalog.concat_ws(', ', pg_catalog.pg_get_expr(y.polqual, y.polrelid), pg_catalog.pg_get_expr(y.polwithcheck, y.polrelid))
    FROM pg_catalog.pg_policy y
  UNION ALL
  SELECT t.tgrelid, '0'::pg_catalog.int4, 'e', pg_catalog.pg_get_triggerdef(t.oid)
    FROM pg_catalog.pg_trigger t
   WHERE NOT t.tgisinternal AND (t.tgqual IS NOT NULL OR t.tgnargs OPERATOR(pg_catalog.>) '0'::pg_catalog.int2)
  UNION ALL
  SELECT c.oid, '0'::pg_catalog.int4, 'e',
         pg_catalog.concat_ws(' ', pg_catalog.pg_get_partkeydef(i.inhparent), pg_catalog.pg_get_expr(c.relpartbound, c.oid))
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_inherits i ON i.inhrelid OPERATOR(pg_catalog.=) c.oid WHERE c.relispartition
  UNION ALL
  SELECT d.objoid, d.objsubid, 'c', d.description
    FROM pg_catalog.pg_description d WHERE d.classoid OPERATOR(pg_catalog.=) '1259'::pg_catalog.oid
  UNION ALL
  SELECT o.relation, '0'::pg_catalog.int4, 'c', d.description
    FROM pg_catalog.pg_description d
    JOIN (SELECT '1259'::pg_catalog.oid, i.indexrelid, i.indrelid FROM pg_catalog.pg_index i
      UNION ALL SELECT '2606'::pg_catalog.oid, k.oid, k.conrelid FROM pg_catalog.pg_constraint k
      UNION ALL SELECT '2618'::pg_catalog.oid, r.oid, r.ev_class FROM pg_catalog.pg_rewrite r
      UNION ALL SELECT '2620'::pg_catalog.oid, t.oid, t.tgrelid FROM pg_catalog.pg_trigger t
      UNION ALL SELECT '3256'::pg_catalog.oid, y.oid, y.polrelid FROM pg_catalog.pg_policy y
      UNION ALL SELECT '3381'::pg_catalog.oid, s.oid, s.stxrelid FROM pg_catalog.pg_statistic_ext s) o (class, object, relation)
      ON o.class OPERATOR(pg_catalog.=) d.classoid AND o.object OPERATOR(pg_catalog.=) d.objoid)
SELECT x.relation, x.number, x.kind,
       CASE WHEN pg_catalog.octet_length(x.code) OPERATOR(pg_catalog.<=) '32768'::pg_catalog.int4 THEN x.code END
  FROM x
 WHERE x.relation OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid AND x.code OPERATOR(pg_catalog.<>) ''::pg_catalog.text;
"#;

/// Results of [`QUERY`].
pub const RESULTS: usize = 15;

/// The result that holds the routines of the users.
pub(super) const ROUTINES: usize = 8;

/// The result that holds expressions of generated columns.
pub(super) const GENERATED: usize = 9;

/// The result that holds texts about relations.
pub(super) const DEFINITIONS: usize = 14;

#[cfg(test)]
mod tests {
    use crate::sql::lexer::{Kind, LexOptions, Lexed};

    /// Operators that are looked up by name would be found in a schema of the user's: signs outside OPERATOR(), and
    /// `CASE x WHEN`, IN, BETWEEN, LIKE and NULLIF, which stand for some.
    #[test]
    fn no_operator_of_a_user_can_stand_in_its_way() {
        let lexed = Lexed::new(super::QUERY.as_bytes(), LexOptions::default()).unwrap();
        let word = |at: usize, word: &str| lexed.tokens().get(at).is_some_and(|token| lexed.is_word(token, word));
        for (at, token) in lexed.tokens().iter().enumerate() {
            let raw = String::from_utf8_lossy(lexed.raw(token));
            let place =
                || super::QUERY.get(token.start as usize..).map(|rest| rest.chars().take(60).collect::<String>());
            if token.kind == Kind::Sign && !["(", ")", "[", "]", ",", ";", ".", "::"].contains(&&*raw) {
                assert!(at > 3 && word(at - 4, "operator"), "{:?}", place());
            }
            assert!(!word(at, "case") || word(at + 1, "when"), "{:?}", place());
            let hidden = ["in", "between", "like", "ilike", "similar", "nullif", "using", "natural", "distinct"];
            let hidden = hidden.into_iter().any(|hidden| word(at, hidden)) && !word(at.wrapping_sub(1), "select");
            assert!(!hidden, "{:?}", place());
        }
    }
}
