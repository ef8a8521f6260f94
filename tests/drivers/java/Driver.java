// pgjdbc: simple and extended mode, fetch sizes (Execute with a row limit), server-side prepared statements
// in binary, batches, COPY, large objects (FunctionCall), errors, notifications and cancellation.
// Arguments and output as python/common.py describes them.

import java.io.ByteArrayOutputStream;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.Properties;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.copy.CopyManager;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;
import org.postgresql.util.PSQLException;

public final class Driver extends Output {
    private static Connection connect(String... more) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", options.get("user"));
        properties.setProperty("password", options.get("password"));
        properties.setProperty("sslmode", options.getOrDefault("sslmode", "disable"));
        properties.setProperty("loginTimeout", "20");
        if (options.containsKey("ca")) {
            properties.setProperty("sslrootcert", options.get("ca"));
        }
        for (int i = 0; i < more.length; i += 2) {
            properties.setProperty(more[i], more[i + 1]);
        }
        return DriverManager.getConnection(
            "jdbc:postgresql://" + options.get("host") + ":" + options.get("port") + "/" + options.get("dbname"), properties);
    }

    private static void types(Connection connection) throws SQLException {
        String text = "SELECT true b, 1::int2 s, 3::int8 l, 2.5::float8 d, 123.450::numeric n, '\\xdeadbeef'::bytea y, date '2024-02-29' t,"
            + " '{1,2,NULL}'::int[] a, '{\"a\": 1}'::jsonb j, NULL::text z, 'Grüße 🚲' u, '00000000-0000-0000-0000-00000000002a'::uuid i";
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery(text)) {
            emitRows("types", rows);
        }
        // After prepareThreshold (2) runs the driver names the statement and switches to binary results.
        try (PreparedStatement statement = connection.prepareStatement("SELECT id, name, card, card_number, birthday FROM customers WHERE id = ?")) {
            for (int id : new int[] {1, 2, 3, 1, 2, 3, 20}) {
                statement.setInt(1, id);
                try (ResultSet rows = statement.executeQuery()) {
                    emitRows("prepared", rows);
                }
            }
        }
    }

    private static void fetchSizes(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
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
        connection.commit();
        connection.setAutoCommit(true);
    }

    private static void batches(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("CREATE TEMP TABLE batched (id int PRIMARY KEY, body text)");
            statement.execute("SELECT 1; SELECT 'two'");
            emit("more", statement.getMoreResults());
        }
        try (PreparedStatement statement = connection.prepareStatement("INSERT INTO batched VALUES (?, ?)")) {
            for (int i = 0; i < 3000; i++) {
                statement.setInt(1, i);
                statement.setString(2, "body " + i);
                statement.addBatch();
            }
            emit("batch", statement.executeBatch().length);
            for (int id : new int[] {5000, 7, 5001}) {
                statement.setInt(1, id);
                statement.setString(2, "clash");
                statement.addBatch();
            }
            try {
                statement.executeBatch();
            } catch (SQLException error) {
                SQLException cause = error.getNextException() == null ? error : error.getNextException();
                emit("batch error", error.getSQLState(), ((PSQLException) cause).getServerErrorMessage().getDetail());
            }
        }
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery("SELECT count(*) AS n FROM batched")) {
            emitRows("after batch", rows);
        }
    }

    private static void transactions(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            statement.execute("CREATE TEMP TABLE kept (id int PRIMARY KEY) ON COMMIT DROP");
            statement.execute("INSERT INTO kept VALUES (1)");
            Savepoint savepoint = connection.setSavepoint();
            try {
                statement.execute("INSERT INTO kept VALUES (1)");
            } catch (PSQLException error) {
                emit("violation", error.getSQLState(), error.getServerErrorMessage().getDetail());
            }
            connection.rollback(savepoint);
            try {
                statement.execute("SELECT * FROM no_such_table");
            } catch (PSQLException error) {
                emit("error", error.getSQLState(), error.getServerErrorMessage().getMessage());
            }
            try {
                statement.execute("SELECT 1");
            } catch (PSQLException error) {
                emit("failed transaction", error.getSQLState());
            }
        }
        connection.rollback();
        connection.setAutoCommit(true);
    }

    private static void copies(Connection connection) throws Exception {
        try (Statement statement = connection.createStatement()) {
            statement.execute("CREATE TEMP TABLE copied (id int, body text)");
        }
        CopyManager copying = connection.unwrap(PGConnection.class).getCopyAPI();
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < 4000; i++) {
            lines.append(i).append("\tline ").append(i).append('\n');
        }
        emit("copy in", copying.copyIn("COPY copied FROM STDIN", new StringReader(lines.toString())));
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        emit("copy out", copying.copyOut("COPY (SELECT * FROM copied ORDER BY id) TO STDOUT", out), out.size());
        try {
            copying.copyIn("COPY copied FROM STDIN", new StringReader("x\ty\n"));
        } catch (SQLException error) {
            emit("copy error", error.getSQLState());
        }
    }

    private static void largeObjects(Connection connection) throws Exception {
        connection.setAutoCommit(false);
        LargeObjectManager manager = connection.unwrap(PGConnection.class).getLargeObjectAPI();
        long oid = manager.createLO(LargeObjectManager.READWRITE);
        byte[] content = new byte[500_000];
        for (int i = 0; i < content.length; i++) {
            content[i] = (byte) i;
        }
        try (LargeObject object = manager.open(oid, LargeObjectManager.READWRITE)) {
            object.write(content);
            object.seek(0);
            emit("large object", java.util.Arrays.equals(content, object.read(content.length)), object.size());
        }
        manager.unlink(oid);
        try {
            manager.open(oid, LargeObjectManager.READ);
        } catch (PSQLException error) {
            emit("no large object", error.getSQLState());
        }
        connection.rollback();
        connection.setAutoCommit(true);
    }

    private static void notifications(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("LISTEN java_news");
            try (Connection other = connect(); Statement speaking = other.createStatement()) {
                speaking.execute("NOTIFY java_news, 'hello'");
            }
            PGNotification[] heard = connection.unwrap(PGConnection.class).getNotifications(5000);
            emit("heard", heard.length, heard[0].getName(), heard[0].getParameter());
            statement.execute("DO $$ BEGIN RAISE NOTICE 'noticed'; END $$");
            emit("warning", statement.getWarnings().getMessage());
        }
    }

    private static void cancellation(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.setQueryTimeout(1);
            statement.execute("SELECT pg_sleep(30)");
        } catch (SQLException error) {
            emit("cancelled", error.getSQLState());
        }
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery("SELECT 'alive' AS still")) {
            emitRows("after cancel", rows);
        }
    }

    private static void simpleMode() throws SQLException {
        try (Connection connection = connect("preferQueryMode", "simple"); PreparedStatement statement = connection.prepareStatement("SELECT ?::int + 1 AS n, name, card FROM customers WHERE id = ?")) {
            statement.setInt(1, 41);
            statement.setInt(2, 1);
            try (ResultSet rows = statement.executeQuery()) {
                emitRows("simple mode", rows);
            }
        }
    }

    private static void masked(Connection connection) throws Exception {
        try (Statement statement = connection.createStatement()) {
            emitRows("masked statement", statement.executeQuery(MASKED));
            emitRows("masked view", statement.executeQuery(VIEW));
        }
        try (PreparedStatement statement = connection.prepareStatement(MASKED.replace("5", "?"))) {
            for (int round = 0; round < 5; round++) {
                statement.setInt(1, 5);
                emitRows("masked prepared", statement.executeQuery());
            }
        }
        connection.setAutoCommit(false);
        try (PreparedStatement statement = connection.prepareStatement(MASKED.replace("5", "?"))) {
            statement.setFetchSize(2);
            for (int round = 0; round < 4; round++) {
                statement.setInt(1, 5);
                emitRows("masked fetched", statement.executeQuery());
            }
        }
        connection.commit();
        connection.setAutoCommit(true);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        connection.unwrap(PGConnection.class).getCopyAPI().copyOut("COPY (" + MASKED + ") TO STDOUT", out);
        for (String line : out.toString(StandardCharsets.UTF_8).split("\n")) {
            emit("copied", line);
        }
    }

    public static void main(String[] arguments) throws Exception {
        System.setOut(new java.io.PrintStream(System.out, true, StandardCharsets.UTF_8));
        for (String argument : arguments) {
            int at = argument.indexOf('=');
            options.put(argument.substring(0, at), argument.substring(at + 1));
        }
        try (Connection connection = connect("prepareThreshold", "2")) {
            if ("masked".equals(options.get("mode"))) {
                masked(connection);
                return;
            }
            Part[] parts = {
                Driver::types, Driver::fetchSizes, Driver::batches, Driver::transactions, Driver::copies,
                Driver::largeObjects, Driver::notifications, Driver::cancellation,
            };
            for (Part part : parts) {
                part.run(connection);
            }
        }
        simpleMode();
    }
}
