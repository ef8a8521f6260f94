-- What psql 18 can do and psql 15 cannot: the extended protocol and pipelines by hand.
\set VERBOSITY verbose
SELECT $1::int + $2::int AS sum \bind 40 2 \g
SELECT name, card FROM customers WHERE id = $1 \parse by_id
\bind_named by_id 1 \g
\bind_named by_id 2 \g
\close_prepared by_id
\startpipeline
SELECT 1 \bind \sendpipeline
SELECT 2 \bind \sendpipeline
\syncpipeline
SELECT 1/0 \bind \sendpipeline
SELECT 'skipped' \bind \sendpipeline
\syncpipeline
SELECT 'after the error' \bind \sendpipeline
\flushrequest
\getresults
\endpipeline
SELECT 'out of the pipeline';
