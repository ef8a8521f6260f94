// MariaDB Connector/J: texts and server-prepared statements, batches as bulk, as pipelines and rewritten, fetch sizes,
// several results, procedures, transactions, errors, large values, LOCAL INFILE streams refused.
// Arguments and output as python/common.py describes them.

import java.io.ByteArrayInputStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.sql.Savepoint;
import java.sql.Statement;
import java.sql.Types;
import java.util.Arrays;
import java.util.Properties;

public final class Driver extends Output {
    private static Connection connect(String... more) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", options.get("user"));
        properties.setProperty("password", options.get("password"));
        properties.setProperty("connectTimeout", "120000");
        properties.setProperty("allowMultiQueries", "true");
        if (options.containsKey("ca")) {
            properties.setProperty("useSsl", "true");
            properties.setProperty("serverSslCert", options.get("ca"));
        } else {
            properties.setProperty("useSsl", "false");
            properties.setProperty("allowPublicKeyRetrieval", "true");
        }
        for (int i = 0; i < more.length; i += 2) {
            properties.setProperty(more[i], more[i + 1]);
        }
        return DriverManager.getConnection(
            "jdbc:mariadb://" + options.get("host") + ":" + options.get("port") + "/" + options.get("dbname"), properties);
    }

    private static void failed(String label, SQLException error) {
        // The driver adds the number of its connection, which differs between two runs.
        emit(label, error.getErrorCode(), error.getSQLState(), error.getMessage().replaceAll("\\(conn[:=]\\d+\\) ?", ""));
    }

    private static void types(Connection connection) throws SQLException {
        String text = "SELECT 1 a, -2 b, 18446744073709551615 c, 1.50 d, 1e10 e, NULL f, 'Grüße 東京 🚲' g, x'00ff' h, b'101' i,"
            + " DATE '2024-02-29' j, TIME '12:34:56' k, TIMESTAMP '2024-02-29 12:34:56.789' l, JSON_ARRAY(1, NULL) m, '' n";
        for (int round = 0; round < 2; round++) {
            try (PreparedStatement statement = connection.prepareStatement(text)) {
                ResultSet rows = statement.executeQuery();
                ResultSetMetaData description = rows.getMetaData();
                StringBuilder names = new StringBuilder("types are");
                for (int i = 1; i <= description.getColumnCount(); i++) {
                    names.append(' ').append(description.getColumnTypeName(i)).append('(').append(description.getPrecision(i)).append(',')
                        .append(description.getScale(i)).append(')');
                }
                emit(names);
                emitRows("types", rows);
            }
        }
        try (PreparedStatement statement = connection.prepareStatement("SELECT id, name, card, card_number, birthday, note FROM customers WHERE id = ?")) {
            for (int id : new int[] {1, 20, 30, 40, 50, 1}) {
                statement.setInt(1, id);
                emitRows("prepared", statement.executeQuery());
            }
        }
        try (PreparedStatement statement = connection.prepareStatement("SELECT ? a, ? b, ? c, ? d, ? e, ? f")) {
            statement.setNull(1, Types.VARCHAR);
            statement.setString(2, "it's \\ \"quoted\"\n🚲");
            statement.setBytes(3, new byte[] {65, 66, 39, 92});
            statement.setBigDecimal(4, new BigDecimal("123456789.123456789"));
            statement.setLong(5, 1L << 40);
            statement.setBinaryStream(6, new ByteArrayInputStream("long data".getBytes(StandardCharsets.US_ASCII)));
            emitRows("bound", statement.executeQuery());
        }
    }

    private static void fetchSizes(Connection connection) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement("SELECT id, total FROM orders WHERE id > ? ORDER BY id")) {
            statement.setFetchSize(50);
            for (int from : new int[] {0, 5900, 100}) {
                statement.setInt(1, from);
                long sum = 0;
                int count = 0;
                try (ResultSet rows = statement.executeQuery()) {
                    while (rows.next() && count < 1234) {
                        sum += rows.getInt(1);
                        count++;
                    }
                }
                emit("fetched", count, sum);
            }
        }
        try (Statement statement = connection.createStatement()) {
            statement.setMaxRows(3);
            emitRows("at most", statement.executeQuery("SELECT id FROM orders ORDER BY id"));
        }
    }

    private static void batches(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("CREATE TEMPORARY TABLE batched (id int PRIMARY KEY, body varchar(30), amount decimal(10, 2))");
        }
        try (PreparedStatement statement = connection.prepareStatement("INSERT INTO batched VALUES (?, ?, ?)")) {
            for (int i = 0; i < 3000; i++) {
                statement.setInt(1, i);
                statement.setString(2, i % 7 == 0 ? null : "body 🚲 " + i);
                statement.setBigDecimal(3, BigDecimal.valueOf(i, 2));
                statement.addBatch();
            }
            emit("batch", statement.executeBatch().length);
            for (int id : new int[] {5000, 7, 5001}) {
                statement.setInt(1, id);
                statement.setString(2, "clash");
                statement.setBigDecimal(3, BigDecimal.ONE);
                statement.addBatch();
            }
            try {
                statement.executeBatch();
                emit("no error");
            } catch (SQLException error) {
                emit("batch error", error.getErrorCode(), error.getSQLState());
            }
        }
        try (Statement statement = connection.createStatement()) {
            emitRows("after batch", statement.executeQuery("SELECT COUNT(*) n, SUM(LENGTH(body)) l, SUM(amount) a FROM batched WHERE id < 3000"));
            for (int i = 0; i < 40; i++) {
                statement.addBatch("UPDATE batched SET amount = amount + 1 WHERE id = " + i);
            }
            emit("texts", Arrays.stream(statement.executeBatch()).sum());
            statement.execute("DROP TEMPORARY TABLE batched");
        }
    }

    private static void transactions(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("DROP TABLE IF EXISTS kept");
            statement.execute("CREATE TABLE kept (id int AUTO_INCREMENT PRIMARY KEY, word varchar(10) UNIQUE)");
            connection.setAutoCommit(false);
            emit("inserted", statement.executeUpdate("INSERT INTO kept (word) VALUES ('a'), ('b')", Statement.RETURN_GENERATED_KEYS));
            try (ResultSet keys = statement.getGeneratedKeys()) {
                emitRows("keys", keys);
            }
            Savepoint savepoint = connection.setSavepoint("here");
            statement.executeUpdate("INSERT INTO kept (word) VALUES ('c')");
            for (String sql : new String[] {"INSERT INTO kept (word) VALUES ('a')", "SELECT * FROM no_such_table", "SELEKT", "INSERT INTO kept (word) VALUES ('longer than ten')"}) {
                try {
                    statement.execute(sql);
                    emit("no error", sql);
                } catch (SQLException error) {
                    failed("error", error);
                }
            }
            connection.rollback(savepoint);
            emitRows("after savepoint", statement.executeQuery("SELECT COUNT(*) n FROM kept"));
            connection.rollback();
            emitRows("after rollback", statement.executeQuery("SELECT COUNT(*) n FROM kept"));
            connection.setAutoCommit(true);
            connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
            emit("isolation", connection.getTransactionIsolation());
            statement.execute("SELECT CAST('12x' AS SIGNED)");
            // Asked once: a second SHOW WARNINGS is about the first.
            SQLWarning warning = statement.getWarnings();
            emit("warning", warning == null ? "none" : warning.getMessage());
        }
    }

    private static void several(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            boolean rows = statement.execute("SELECT 1 a; SELECT 'two' b UNION ALL SELECT 'zwei'; SET @x = 5; SELECT @x x");
            while (rows || statement.getUpdateCount() >= 0) {
                if (rows) {
                    emitRows("several", statement.getResultSet());
                } else {
                    emit("several", statement.getUpdateCount());
                }
                rows = statement.getMoreResults();
            }
            statement.execute("DROP PROCEDURE IF EXISTS spoken");
            statement.execute("CREATE PROCEDURE spoken(IN n int, OUT twice int) BEGIN SELECT id, name FROM customers WHERE id <= n ORDER BY id; SET twice = n * 2; END");
        }
        try (CallableStatement call = connection.prepareCall("{call spoken(?, ?)}")) {
            call.setInt(1, 2);
            call.registerOutParameter(2, Types.INTEGER);
            call.execute();
            emitRows("procedure", call.getResultSet());
            emit("out", call.getInt(2));
        }
    }

    private static void large(Connection connection) throws SQLException {
        String text = "wiregate ".repeat(2_000_000); // over 16 MiB: two packets each way
        try (PreparedStatement statement = connection.prepareStatement("SELECT ? t, LENGTH(?) n")) {
            statement.setString(1, text);
            statement.setString(2, "x".repeat(70_000));
            try (ResultSet rows = statement.executeQuery()) {
                rows.next();
                emit("large", text.equals(rows.getString(1)), rows.getInt(2));
            }
        }
        try (Statement statement = connection.createStatement()) {
            emitRows("alive", statement.executeQuery("SELECT 'alive' AS still"));
        }
    }

    private static void masked(Connection connection, String how) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            emitRows("masked text", statement.executeQuery(MASKED));
            emitRows("masked view", statement.executeQuery(VIEW));
            statement.setFetchSize(2);
            emitRows("masked fetched", statement.executeQuery(MASKED));
        }
        try (PreparedStatement statement = connection.prepareStatement(MASKED.replace("5", "?"))) {
            for (int round = 0; round < 3; round++) {
                statement.setInt(1, 5);
                emitRows("masked " + how, statement.executeQuery());
            }
        }
        try (Statement statement = connection.createStatement()) {
            statement.execute("DROP TABLE old_carts");
            emit("NOT REFUSED");
        } catch (SQLException error) {
            failed("refused", error);
        }
        try (PreparedStatement statement = connection.prepareStatement("DROP TABLE old_carts")) {
            statement.execute();
            emit("NOT REFUSED");
        } catch (SQLException error) {
            failed("refused", error);
        }
        try (Statement statement = connection.createStatement()) {
            statement.addBatch("SELECT 1");
            statement.addBatch("DELETE FROM old_carts");
            statement.addBatch("DROP TABLE old_carts");
            statement.executeBatch();
            emit("NOT REFUSED");
        } catch (SQLException error) {
            emit("batch refused", error.getErrorCode());
        }
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery("SELECT COUNT(*) FROM old_carts")) {
            rows.next();
            emit("goes on", rows.getInt(1));
        }
    }

    public static void main(String[] arguments) throws Exception {
        System.setOut(new java.io.PrintStream(System.out, true, StandardCharsets.UTF_8));
        for (String argument : arguments) {
            int at = argument.indexOf('=');
            options.put(argument.substring(0, at), argument.substring(at + 1));
        }
        String[][] ways = {
            {"useServerPrepStmts", "false", "useBatchMultiSend", "false"},
            {"useServerPrepStmts", "false", "rewriteBatchedStatements", "true"},
            {"useServerPrepStmts", "true", "useBulkStmts", "true"},
            {"useServerPrepStmts", "true", "useBulkStmts", "false", "useBatchMultiSend", "true"},
        };
        boolean masked = "masked".equals(options.get("mode"));
        for (String[] way : ways) {
            try (Connection connection = connect(way)) {
                if (masked) {
                    masked(connection, "true".equals(way[1]) ? "binary" : "prepared");
                    continue;
                }
                emit("--", String.join(" ", way));
                for (Part part : new Part[] {Driver::types, Driver::fetchSizes, Driver::batches, Driver::transactions, Driver::several, Driver::large}) {
                    part.run(connection);
                }
            }
        }
    }
}
