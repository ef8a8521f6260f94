// go-sql-driver/mysql: prepared statements (binary), texts with interpolated parameters, transactions, errors,
// several results, procedures, large values, a pool.
// Arguments and output as python/common.py describes them.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/go-sql-driver/mysql"
)

const (
	columns    = "id, name, email, card, card_number, ssn, spouse_ssn, birthday"
	maskedRows = "SELECT " + columns + " FROM customers WHERE id <= 5 ORDER BY id"
	viewRows   = "SELECT id, name, email, phone, card FROM customer_contacts WHERE id <= 5 ORDER BY id"
)

var options = map[string]string{"sslmode": "disable", "mode": "full"}

// What every part needs; nil stands for no error.
func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func emit(values ...interface{}) {
	fmt.Println(strings.ReplaceAll(strings.TrimRight(fmt.Sprintln(values...), "\n"), "\n", "\\n"))
}

func open(settings string) *sql.DB {
	dsn := fmt.Sprintf("%s:%s@tcp(%s:%s)/%s?multiStatements=true&charset=utf8mb4&timeout=120s&maxAllowedPacket=0&%s",
		options["user"], options["password"], options["host"], options["port"], url.PathEscape(options["dbname"]), settings)
	if options["ca"] != "" {
		pem, err := os.ReadFile(options["ca"])
		must(err)
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		must(mysql.RegisterTLSConfig("checked", &tls.Config{RootCAs: roots, ServerName: options["host"]}))
		dsn += "&tls=checked"
	}
	db, err := sql.Open("mysql", dsn)
	must(err)
	return db
}

func failed(label string, err error) {
	if told, ok := err.(*mysql.MySQLError); ok {
		emit(label, told.Number, told.Message)
	} else {
		emit(label, err)
	}
}

// Prints rows, cell by cell as text; gives how many.
func emitRows(label string, rows *sql.Rows, err error) int {
	must(err)
	defer rows.Close()
	count := 0
	for more := true; more; more = rows.NextResultSet() {
		types, err := rows.ColumnTypes()
		must(err)
		for rows.Next() {
			cells := make([]interface{}, len(types))
			for at := range cells {
				cells[at] = new(sql.NullString)
			}
			must(rows.Scan(cells...))
			line := label
			for at, kind := range types {
				cell := cells[at].(*sql.NullString)
				if !cell.Valid {
					cell.String = "NULL"
				}
				line += " " + kind.Name() + "=" + cell.String
			}
			emit(line)
			count++
		}
	}
	must(rows.Err())
	return count
}

func types(db *sql.DB) {
	text := "SELECT 1 a, -2 b, 18446744073709551615 c, 1.50 d, 1e10 e, NULL f, 'Grüße 東京 🚲' g, x'00ff' h, b'101' i, DATE '2024-02-29' j, " +
		"TIME '-12:34:56' k, TIMESTAMP '2024-02-29 12:34:56.789' l, JSON_ARRAY(1, NULL) m, '' n, ST_GeomFromText('POINT(1 2)') o"
	for _, arguments := range [][]interface{}{nil, {7}} {
		query := text
		if arguments != nil {
			// With a parameter the driver prepares, unless it interpolates.
			query += ", ? p"
		}
		rows, err := db.Query(query, arguments...)
		must(err)
		described, err := rows.ColumnTypes()
		must(err)
		names := "types are"
		for _, kind := range described {
			precision, scale, _ := kind.DecimalSize()
			nullable, _ := kind.Nullable()
			names += fmt.Sprint(" ", kind.DatabaseTypeName(), "(", precision, ",", scale, ",", nullable, ")")
		}
		emit(names)
		emitRows("types", rows, nil)
	}
	for _, id := range []int{1, 20, 30, 40, 50} {
		rows, err := db.Query("SELECT * FROM customers WHERE id = ?", id)
		emitRows("row", rows, err)
	}
	rows, err := db.Query("SELECT ? a, ? b, ? c, ? d, ? e, ? f", nil, "it's \\ \"quoted\"\n🚲", []byte{65, 39, 92}, 1.25, int64(1)<<40, true)
	emitRows("bound", rows, err)
	statement, err := db.Prepare("SELECT id, total, placed_at FROM orders WHERE id < ? ORDER BY id")
	must(err)
	for _, limit := range []int{3, 5, 0} {
		rows, err := statement.Query(limit)
		emitRows("prepared", rows, err)
	}
	must(statement.Close())
}

func writes(db *sql.DB) {
	_, err := db.Exec("DROP TABLE IF EXISTS written; CREATE TABLE written (id int AUTO_INCREMENT PRIMARY KEY, body varchar(20) UNIQUE, raw longblob)")
	must(err)
	transaction, err := db.BeginTx(context.Background(), &sql.TxOptions{Isolation: sql.LevelSerializable})
	must(err)
	insert, err := transaction.Prepare("INSERT INTO written (body, raw) VALUES (?, ?)")
	must(err)
	for n := 0; n < 100; n++ {
		_, err := insert.Exec(fmt.Sprint("row ", n), []byte(strings.Repeat("\x00\xff'\\", n)))
		must(err)
	}
	must(transaction.Commit())
	result, err := db.Exec("INSERT INTO written (body) VALUES (?), (?)", "one", "more")
	must(err)
	last, _ := result.LastInsertId()
	affected, _ := result.RowsAffected()
	emit("inserted", last, affected)
	transaction, err = db.Begin()
	must(err)
	_, err = transaction.Exec("DELETE FROM written")
	must(err)
	must(transaction.Rollback())
	rows, err := db.Query("SELECT COUNT(*) n, SUM(LENGTH(raw)) l FROM written")
	emitRows("after rollback", rows, err)
	for _, query := range []string{"SELECT * FROM no_such_table", "SELEKT", "INSERT INTO written (body) VALUES ('row 50')",
		"INSERT INTO written (body) VALUES (REPEAT('x', 50))", "CALL no_such()", "SELECT 1; SELEKT; SELECT 2"} {
		_, err := db.Exec(query)
		failed("error", err)
	}
	_, err = db.Query("SELECT ? FROM no_such_table", 1)
	failed("error", err)
}

func several(db *sql.DB) {
	rows, err := db.Query("SELECT 1 a; SELECT 'two' b UNION ALL SELECT 'zwei'; SELECT 3 c")
	emitRows("several", rows, err)
	_, err = db.Exec("DROP PROCEDURE IF EXISTS spoken")
	must(err)
	_, err = db.Exec("CREATE PROCEDURE spoken(IN n int) BEGIN SELECT id, name FROM customers WHERE id <= n ORDER BY id; SELECT n * 2 AS twice; END")
	must(err)
	rows, err = db.Query("CALL spoken(?)", 2)
	emitRows("procedure", rows, err)
}

func large(db *sql.DB) {
	text := strings.Repeat("wiregate ", 2_000_000) // over 16 MiB: two packets each way
	var back string
	var length int
	must(db.QueryRow("SELECT ?, LENGTH(?)", text, strings.Repeat("x", 70_000)).Scan(&back, &length))
	emit("large", back == text, length)
	var sum sync.WaitGroup
	answers := make([]int, 40)
	db.SetMaxOpenConns(6)
	for n := range answers {
		sum.Add(1)
		go func(n int) {
			defer sum.Done()
			must(db.QueryRow("SELECT ? * 2", n).Scan(&answers[n]))
		}(n)
	}
	sum.Wait()
	total := 0
	for _, answer := range answers {
		total += answer
	}
	emit("pool", total)
	must(db.Ping())
}

func masked(db *sql.DB, how string) {
	rows, err := db.Query(maskedRows)
	emitRows("masked text", rows, err)
	rows, err = db.Query(viewRows)
	emitRows("masked view", rows, err)
	statement, err := db.Prepare(strings.Replace(maskedRows, "5", "?", 1))
	must(err)
	for round := 0; round < 3; round++ {
		rows, err := statement.Query(5)
		emitRows("masked prepared", rows, err)
	}
	rows, err = db.Query(strings.Replace(maskedRows, "5", "?", 1), 5)
	emitRows("masked "+how, rows, err)
	_, err = db.Exec("DROP TABLE old_carts")
	failed("refused", err)
	_, err = db.Prepare("DROP TABLE old_carts")
	failed("refused", err)
	_, err = db.Exec("DROP /* by parameter */ TABLE old_carts, old_?", 5)
	failed("refused", err)
	var left int
	must(db.QueryRow("SELECT COUNT(*) FROM old_carts").Scan(&left))
	emit("goes on", left)
}

func main() {
	for _, argument := range os.Args[1:] {
		if key, value, ok := strings.Cut(argument, "="); ok {
			options[key] = value
		}
	}
	for _, way := range []string{"interpolateParams=false", "interpolateParams=true"} {
		db := open(way)
		if options["mode"] == "masked" {
			masked(db, strings.ReplaceAll(way, "=", " "))
		} else {
			emit("--", way)
			for _, part := range []func(*sql.DB){types, writes, several, large} {
				part(db)
			}
		}
		must(db.Close())
	}
}
