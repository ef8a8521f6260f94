"""PyMySQL and LOAD DATA LOCAL INFILE: runs statement=…, says what came of it, and counts the rows of `box`.
Arguments as common.py describes them."""

import pymysql

from common import arguments, emit


def main():
    options = arguments()
    tls = dict(ssl_ca=options["ca"], ssl_verify_cert=True, ssl_verify_identity=True) if options["ca"] else dict(ssl_disabled=True)
    connection = pymysql.connect(host=options["host"], port=int(options["port"]), user=options["user"], password=options["password"],
                                 database=options["dbname"], charset="utf8mb4", local_infile=True, autocommit=True, **tls)
    cursor = connection.cursor()
    try:
        emit("loaded", cursor.execute(options["statement"]))
    except pymysql.Error as error:
        emit("refused", *error.args)
    cursor.execute("SELECT COUNT(*) FROM box")
    emit("rows", cursor.fetchone()[0])
    connection.close()


main()
