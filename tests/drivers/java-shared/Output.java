// What the Java drivers share: their arguments, what a masked run reads, and lines that compare equal between two runs.

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.Map;

abstract class Output {
    static final String COLUMNS = "id, name, email, card, card_number, ssn, spouse_ssn, birthday";
    static final String MASKED = "SELECT " + COLUMNS + " FROM customers WHERE id <= 5 ORDER BY id";
    static final String VIEW = "SELECT id, name, email, phone, card FROM customer_contacts WHERE id <= 5 ORDER BY id";
    static final Map<String, String> options = new HashMap<>();

    interface Part {
        void run(Connection connection) throws Exception;
    }

    static void emit(Object... values) {
        StringBuilder line = new StringBuilder();
        for (Object value : values) {
            line.append(line.length() == 0 ? "" : " ").append(String.valueOf(value).replace("\n", "\\n"));
        }
        System.out.println(line);
    }

    static void emitRows(String label, ResultSet rows) throws SQLException {
        ResultSetMetaData description = rows.getMetaData();
        while (rows.next()) {
            StringBuilder line = new StringBuilder(label);
            for (int i = 1; i <= description.getColumnCount(); i++) {
                String cell = rows.getString(i);
                line.append(' ').append(description.getColumnLabel(i)).append('=').append(cell == null ? "NULL" : cell);
            }
            emit(line);
        }
        rows.close();
    }
}
