// node-postgres: simple and parameterised queries, named statements, cursors, COPY streams, errors,
// notifications and cancellation. Arguments and output as python/common.py describes them.
'use strict';

const fs = require('fs');
const { pipeline } = require('stream/promises');
const { Readable, Writable } = require('stream');
const { Client, Pool, types } = require('pg');
const Cursor = require('pg-cursor');
const { from: copyFrom, to: copyTo } = require('pg-copy-streams');

types.setTypeParser(1082, (text) => text); // dates as sent, not in this machine's time zone

const options = { sslmode: 'disable', ca: '', mode: 'full' };
for (const argument of process.argv.slice(2)) {
  const at = argument.indexOf('=');
  options[argument.slice(0, at)] = argument.slice(at + 1);
}

const maskedColumns = ['id', 'name', 'email', 'card', 'card_number', 'ssn', 'spouse_ssn', 'birthday'];
const maskedQuery = `SELECT ${maskedColumns.join(', ')} FROM customers WHERE id <= 5 ORDER BY id`;
const viewQuery = 'SELECT id, name, email, phone, card FROM customer_contacts WHERE id <= 5 ORDER BY id';

function emit(label, ...values) {
  console.log([label, ...values.map((value) => JSON.stringify(value) ?? 'undefined')].join(' '));
}

function emitMasked(how, rows) {
  for (const row of rows) {
    const cells = Object.entries(row).map(([name, cell]) => `${name}=${cell === null ? 'NULL' : cell}`);
    console.log(`masked ${how} ${cells.join(' ')}`);
  }
}

function settings() {
  const tls = options.sslmode === 'disable' ? false
    : { ca: fs.readFileSync(options.ca, 'utf8'), rejectUnauthorized: true, servername: 'localhost' };
  return {
    host: options.host, port: Number(options.port), user: options.user, password: options.password,
    database: options.dbname, ssl: tls, connectionTimeoutMillis: 20000,
  };
}

async function connected() {
  const client = new Client(settings());
  await client.connect();
  return client;
}

async function queries(client) {
  emit('simple', (await client.query('SELECT 1 AS one, NULL AS nothing, ARRAY[1, 2] AS list')).rows);
  emit('several', (await client.query("SELECT 1; SELECT 'two'; SET timezone = 'UTC'")).map((r) => [r.command, r.rowCount, r.rows]));
  emit('parameters', (await client.query('SELECT $1::int + 1 AS n, $2::text AS t, $3::bytea AS b, $4::jsonb AS j',
    [41, 'Grüße 🚲', Buffer.from([0, 255]), { a: [1] }])).rows);
  const named = { name: 'by id', text: 'SELECT name, email, card, ssn, note FROM customers WHERE id = $1' };
  for (const id of [1, 2, 20, 30]) emit('named', (await client.query({ ...named, values: [id] })).rows);
  emit('binary', (await client.query({ text: 'SELECT id, card_number, name FROM customers WHERE id < $1 ORDER BY id', values: [4], binary: true })).rows);
  emit('array rows', (await client.query({ text: 'SELECT id, status FROM orders WHERE id < 4 ORDER BY id', rowMode: 'array' })).rows);
  const wide = await client.query("SELECT n, repeat('w', n % 113) AS w FROM generate_series(1, 20000) AS n");
  emit('rows', wide.rowCount, wide.rows.reduce((sum, row) => sum + row.w.length, 0));
  const text = 'x'.repeat(2000000);
  emit('large', (await client.query('SELECT $1::text AS t', [text])).rows[0].t === text);
  emit('empty', (await client.query('')).rows);
}

async function failures(client) {
  await client.query('CREATE TEMP TABLE keyed (id int PRIMARY KEY)');
  for (const [text, values] of [
    ['SELECT * FROM no_such_table', undefined], ['SELECT 1 / $1::int', [0]], ['SELECT $1::int', ['not a number']],
    ['INSERT INTO keyed VALUES (1), (1)', undefined], ['SELEKT', undefined],
  ]) {
    await client.query(text, values).catch((error) => emit('error', error.code, error.message, error.detail, error.position));
  }
  await client.query('BEGIN');
  await client.query('INSERT INTO keyed VALUES (7)');
  await client.query('INSERT INTO keyed VALUES (7)').catch((error) => emit('in transaction', error.code, error.detail));
  await client.query('SELECT 1').catch((error) => emit('failed transaction', error.code));
  await client.query('ROLLBACK');
  emit('after', (await client.query('SELECT count(*) FROM keyed')).rows);
}

async function cursors(client) {
  const cursor = client.query(new Cursor('SELECT id, card FROM customers WHERE id > $1 ORDER BY id', [10]));
  emit('cursor', await cursor.read(3));
  let count = 0;
  for (let rows = await cursor.read(700); rows.length > 0; rows = await cursor.read(700)) count += rows.length;
  emit('cursor rest', count);
  await cursor.close();
  const abandoned = client.query(new Cursor('SELECT id FROM orders ORDER BY id'));
  emit('cursor abandoned', await abandoned.read(2));
  await abandoned.close();
}

async function copies(client) {
  await client.query('CREATE TEMP TABLE copied (id int, body text)');
  const lines = Array.from({ length: 5000 }, (_, n) => `${n}\tline ${n}\\\\\n`);
  await pipeline(Readable.from(lines), client.query(copyFrom('COPY copied FROM STDIN')));
  let bytes = 0;
  await pipeline(client.query(copyTo('COPY (SELECT * FROM copied ORDER BY id) TO STDOUT (FORMAT csv)')),
    new Writable({ write(chunk, _encoding, done) { bytes += chunk.length; done(); } }));
  emit('copied', (await client.query('SELECT count(*), max(id) FROM copied')).rows, bytes);
  await pipeline(Readable.from(['x\ty\n']), client.query(copyFrom('COPY copied FROM STDIN')))
    .catch((error) => emit('copy error', error.code, error.message));
  emit('after copy', (await client.query('SELECT count(*) FROM copied')).rows);
}

async function manyAtOnce() {
  const pool = new Pool({ ...settings(), max: 10 });
  const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => pool.query('SELECT $1::int * 2 AS n', [n])));
  emit('pool', answers.reduce((sum, answer) => sum + answer.rows[0].n, 0));
  await pool.end();
}

async function notices(client) {
  const seen = [];
  client.on('notice', (notice) => seen.push([notice.severity, notice.message]));
  await client.query("DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two'; END $$");
  emit('notices', seen);
  const heard = new Promise((resolve) => {
    const list = [];
    client.on('notification', ({ channel, payload }) => { list.push([channel, payload]); if (list.length === 2) resolve(list); });
  });
  await client.query('LISTEN node_news');
  const other = await connected();
  await other.query("NOTIFY node_news, 'first'");
  await other.query("NOTIFY node_news, 'second'");
  emit('heard', await heard);
  await other.end();
}

async function masked(client) {
  emitMasked('simple', (await client.query(maskedQuery)).rows);
  emitMasked('view', (await client.query(viewQuery)).rows);
  const parameterised = maskedQuery.replace('5', '$1');
  emitMasked('parameters', (await client.query(parameterised, [5])).rows);
  for (let round = 0; round < 3; round++) emitMasked('named', (await client.query({ name: 'm', text: parameterised, values: [5] })).rows);
  emitMasked('binary', (await client.query({ text: parameterised, values: [5], binary: true })).rows);
  const cursor = client.query(new Cursor(parameterised, [5]));
  for (let rows = await cursor.read(2); rows.length > 0; rows = await cursor.read(2)) emitMasked('cursor', rows);
  await cursor.close();
  let text = '';
  await pipeline(client.query(copyTo(`COPY (${maskedQuery}) TO STDOUT`)),
    new Writable({ write(chunk, _encoding, done) { text += chunk; done(); } }));
  for (const line of text.trimEnd().split('\n')) console.log(`copied ${line}`);
}

async function main() {
  const client = await connected();
  if (options.mode === 'masked') {
    await masked(client);
  } else {
    for (const part of [queries, failures, cursors, copies, notices]) await part(client);
    await manyAtOnce();
  }
  await client.end();
}

main().catch((error) => { console.error(error); process.exit(1); });
