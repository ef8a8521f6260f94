"""A server and clients of PostgreSQL's protocol, to count what the gateway between them executes.

usage: sessions.py SERVER-PORT GATEWAY-PORT GATEWAY-PID SESSIONS

Opens the sessions, warms each up, and has callgrind count in the gateway while all of them at once run their share of
some thousand point queries, each one after the other. Prints how many were counted.
"""

import asyncio
import struct
import subprocess
import sys

QUERIES = 4000
# Sessions that are opened at once.
TOGETHER = 100
WARM_UP = 200


def frame(kind, body=b""):
    return kind + struct.pack(">i", len(body) + 4) + body


SETTINGS = [(b"server_version", b"15.0"), (b"client_encoding", b"UTF8"), (b"standard_conforming_strings", b"on")]
READY = frame(b"Z", b"I")
GREETING = frame(b"R", struct.pack(">i", 0)) + b"".join(frame(b"S", k + b"\0" + v + b"\0") for k, v in SETTINGS)
COLUMN = struct.pack(">h", 1) + b"abalance\0" + struct.pack(">ihihih", 16400, 3, 23, 4, -1, 0)
ROW = struct.pack(">hi", 1, 4) + b"1234"
REPLY = frame(b"T", COLUMN) + frame(b"D", ROW) + frame(b"C", b"SELECT 1\0") + READY
QUERY = frame(b"Q", b"SELECT abalance FROM pgbench_accounts WHERE aid = 4711\0")


async def message(reader):
    head = await reader.readexactly(5)
    return head[:1], await reader.readexactly(struct.unpack(">i", head[1:])[0] - 4)


async def serve(reader, writer):
    """One session of the server: the same row for every query."""
    serve.sessions += 1
    try:
        length = struct.unpack(">i", await reader.readexactly(4))[0]
        await reader.readexactly(length - 4)
        writer.write(GREETING + frame(b"K", struct.pack(">ii", serve.sessions, 77)) + READY)
        while (await message(reader))[0] != b"X":
            writer.write(REPLY)
    except (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


serve.sessions = 0


async def answered(reader):
    while True:
        kind, body = await message(reader)
        if kind == b"E":
            raise RuntimeError(body)
        if kind == b"Z":
            return


async def connect(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = struct.pack(">i", 196608) + b"user\0scaling\0database\0scaling\0\0"
    writer.write(struct.pack(">i", len(body) + 4) + body)
    await answered(reader)
    return reader, writer


async def run(sessions, each):
    async def one(reader, writer):
        for _ in range(each):
            writer.write(QUERY)
            await answered(reader)

    await asyncio.gather(*(one(*session) for session in sessions))


async def main(server, gateway, pid, count):
    async def counting(state):
        command = ["callgrind_control", "-i", state, str(pid)]
        await asyncio.to_thread(subprocess.run, command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    await asyncio.start_server(serve, "127.0.0.1", server, backlog=8192)
    sessions = []
    while len(sessions) < count:
        together = min(TOGETHER, count - len(sessions))
        sessions += await asyncio.gather(*(connect(gateway) for _ in range(together)))
    await run(sessions, 2 + WARM_UP // count)
    each = max(2, QUERIES // count)
    await counting("on")
    await run(sessions, each)
    await counting("off")
    print(each * count)


asyncio.run(main(*map(int, sys.argv[1:])))
