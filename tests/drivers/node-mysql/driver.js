// node mysql2: query (text) and execute (prepared, binary), several results, errors, transactions, streams, a
// pool, large values. Arguments and output as python/common.py describes them.
'use strict';

const fs = require('fs');
const mysql = require('mysql2/promise');

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
  return {
    host: options.host, port: Number(options.port), user: options.user, password: options.password, database: options.dbname,
    multipleStatements: true, dateStrings: true, supportBigNumbers: true, connectTimeout: 20000, maxPreparedStatements: 5,
    ...(options.sslmode === 'disable' ? {} : { ssl: { ca: fs.readFileSync(options.ca, 'utf8'), rejectUnauthorized: true } }),
  };
}

const shape = (fields) => fields.map((field) => [field.name, field.orgName, field.table, field.orgTable, field.columnType, field.flags, field.decimals, field.columnLength]);

async function queries(connection) {
  const [rows, fields] = await connection.query("SELECT 1 AS one, NULL AS nothing, 'Grüße 🚲' AS text, x'00ff' AS raw, 1.50 AS n, DATE '2024-02-29' AS day, JSON_ARRAY(1, 'a') AS j");
  emit('types', rows, shape(fields));
  const [orders, columns] = await connection.query('SELECT o.*, c.name FROM orders o JOIN customers AS c ON c.id = o.customer_id WHERE o.id < ? ORDER BY o.id', [5]);
  emit('join', orders, shape(columns));
  const [results] = await connection.query("SELECT 1 AS a; SET @x = 2; SELECT @x AS x; SELECT 'three' AS c");
  emit('several', results);
  for (const id of [1, 2, 20, 30, 50]) emit('executed', (await connection.execute('SELECT * FROM customers WHERE id = ?', [id]))[0]);
  emit('executed types', (await connection.execute("SELECT ? AS t, ? AS n, ? AS b, ? AS z, total, placed_at FROM orders WHERE id = ?",
    ['text 🚲', 1.25, Buffer.from([0, 255]), null, 7]))[0]);
  for (let n = 0; n < 12; n++) emit('churn', (await connection.execute(`SELECT id, ${n} AS n FROM customers WHERE id = ?`, [n + 1]))[0]);
  const text = 'x'.repeat(17 << 20);
  emit('large', (await connection.query('SELECT ? AS t', [text]))[0][0].t === text);
  emit('large executed', (await connection.execute('SELECT LENGTH(?) AS n', [text]))[0]);
  const [many] = await connection.execute('SELECT id, customer_id, status, total FROM orders ORDER BY id');
  emit('many', many.length, many.reduce((sum, row) => sum + Number(row.total), 0).toFixed(2));
}

async function failures(connection) {
  await connection.query('CREATE TABLE keyed (id int PRIMARY KEY, body varchar(5))');
  for (const [how, sql, values] of [
    ['query', 'SELECT * FROM no_such_table'], ['execute', 'SELECT * FROM no_such_table'], ['query', 'INSERT INTO keyed (id) VALUES (1), (1)'],
    ['execute', 'INSERT INTO keyed VALUES (?, ?)', [1, 'too long']], ['query', 'SELEKT'], ['execute', 'SELECT ?', [undefined]], ['query', 'SELECT 1; SELEKT; SELECT 2'],
  ]) {
    try {
      emit('no error', (await connection[how](sql, values))[0]);
    } catch (error) {
      emit('error', how, error.code, error.errno, error.sqlState, error.message);
    }
  }
  const [made] = await connection.execute('INSERT INTO keyed VALUES (?, ?), (?, ?)', [7, 'a', 8, null]);
  emit('inserted', made.affectedRows, made.insertId, made.info, made.warningStatus);
  await connection.beginTransaction();
  emit('updated', (await connection.query("UPDATE keyed SET body = 'b' WHERE id > 7"))[0].info);
  await connection.rollback();
  emit('after', (await connection.query('SELECT * FROM keyed ORDER BY id'))[0]);
}

async function rest(connection) {
  let sum = 0;
  await new Promise((resolve, reject) => {
    connection.connection.query('SELECT id FROM orders').stream().on('data', (row) => { sum += row.id; }).on('end', resolve).on('error', reject);
  });
  emit('streamed', sum);
  const pool = mysql.createPool({ ...settings(), connectionLimit: 6 });
  const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => pool.execute('SELECT ? * 2 AS n', [n])));
  emit('pool', answers.reduce((total, [[row]]) => total + row.n, 0));
  await pool.end();
}

async function masked(connection) {
  emitMasked('query', (await connection.query(maskedQuery))[0]);
  emitMasked('view', (await connection.query(viewQuery))[0]);
  for (let round = 0; round < 3; round++) emitMasked('executed', (await connection.execute(maskedQuery.replace('5', '?'), [5]))[0]);
  await connection.query('DROP TABLE old_carts').catch((error) => emit('refused', error.errno, error.sqlState, error.message));
  await connection.execute('DROP TABLE old_carts').catch((error) => emit('refused', error.errno, error.sqlState, error.message));
  console.log('goes on', (await connection.query('SELECT COUNT(*) AS n FROM old_carts'))[0][0].n);
}

async function main() {
  const connection = await mysql.createConnection(settings());
  for (const part of options.mode === 'masked' ? [masked] : [queries, failures, rest]) await part(connection);
  await connection.end();
}

main().catch((error) => { console.error(error); process.exit(1); });
