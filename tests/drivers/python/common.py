"""What the Python drivers share: arguments, and result lines that compare equal between two runs.

A driver program takes key=value arguments (host, port, user, password, dbname, sslmode, ca, mode). In mode
"full" it does everything a driver does, writes included, as a user under no mask; its output through the
gateway must equal its output against the server. In mode "masked" it reads the same masked rows by every
way the driver has and prints them as `masked HOW ID COLUMN=VALUE …`.
It must print nothing that differs between runs: no process ids, no times.
"""

import sys

# What a masked run reads. Five rows that hold every kind of masked column.
MASKED_COLUMNS = ["id", "name", "email", "card", "card_number", "ssn", "spouse_ssn", "birthday"]
MASKED_QUERY = "SELECT {} FROM customers WHERE id <= 5 ORDER BY id".format(", ".join(MASKED_COLUMNS))
VIEW_QUERY = "SELECT id, name, email, phone, card FROM customer_contacts WHERE id <= 5 ORDER BY id"
VIEW_COLUMNS = ["id", "name", "email", "phone", "card"]


def arguments():
    options = {"sslmode": "disable", "ca": "", "mode": "full"}
    for argument in sys.argv[1:]:
        key, _, value = argument.partition("=")
        options[key] = value
    return options


def emit(label, *values):
    print(label, *(repr(value) if not isinstance(value, str) else value.replace("\n", "\\n") for value in values))


def emit_masked(how, columns, rows):
    for row in rows:
        cells = " ".join("{}={}".format(name, "NULL" if cell is None else cell) for name, cell in zip(columns, row))
        print("masked", how, cells)
