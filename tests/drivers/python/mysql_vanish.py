"""A client of MySQL that vanishes: it logs in, says its connection's id, may begin a statement, and takes its socket
away without a word to the other side, as a machine does that loses its power. Arguments as common.py describes them;
`statement` is what it leaves behind unanswered."""

import os
import socket

import pymysql

from common import arguments, emit

# From linux/tcp.h: what is closed in this state sends neither FIN nor RST. Needs CAP_NET_ADMIN.
TCP_REPAIR = 19


def main():
    options = arguments()
    connection = pymysql.connect(host=options["host"], port=int(options["port"]), user=options["user"], password=options["password"],
                                 database=options["dbname"], ssl_disabled=True)
    cursor = connection.cursor()
    cursor.execute("SELECT CONNECTION_ID()")
    emit("id", cursor.fetchone()[0])
    if options.get("statement"):
        text = b"\x03" + options["statement"].encode()
        connection._sock.sendall(len(text).to_bytes(3, "little") + b"\0" + text)
    connection._sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    os._exit(0)


main()
