"""asyncpg: everything binary, every statement prepared, several pipelined by its pool and COPY helpers."""

import asyncio
import io
import ssl

import asyncpg

from common import MASKED_COLUMNS, MASKED_QUERY, VIEW_COLUMNS, VIEW_QUERY, arguments, emit, emit_masked


async def connect(options):
    context = False
    if options["sslmode"] != "disable":
        context = ssl.create_default_context(cafile=options["ca"])
    return await asyncpg.connect(
        host=options["host"], port=int(options["port"]), user=options["user"], password=options["password"],
        database=options["dbname"], ssl=context, timeout=20)


async def basics(connection):
    emit("select", await connection.fetchval("SELECT 41 + 1"))
    row = await connection.fetchrow(
        """SELECT true, 1::int2, 3::int8, 2.5::float8, 123.450::numeric, 'text', '\\xdeadbeef'::bytea, date '2024-02-29',
        timestamptz '2024-01-01 00:00+00', '{1,2,NULL}'::int[], '{"a": 1}'::jsonb, NULL::text, int4range(1, 5),
        (SELECT array_agg(name ORDER BY id) FROM customers WHERE id < 4)""")
    emit("types", *map(str, row.values()))
    statement = await connection.prepare("SELECT name, email, card, ssn, birthday FROM customers WHERE id = $1")
    for identifier in (1, 2, 3, 500):
        emit("prepared", *map(str, (await statement.fetchrow(identifier)).values()))
    emit("attributes", *[(a.name, a.type.name) for a in statement.get_attributes()])


async def errors(connection):
    try:
        await connection.fetch("SELECT * FROM no_such_table")
    except asyncpg.UndefinedTableError as error:
        emit("error", error.sqlstate, str(error))
    await connection.execute("CREATE TEMP TABLE keyed (id int PRIMARY KEY, body text)")
    try:
        async with connection.transaction():
            await connection.execute("INSERT INTO keyed VALUES (1, 'one')")
            try:
                async with connection.transaction():
                    await connection.execute("INSERT INTO keyed VALUES (1, 'again')")
            except asyncpg.UniqueViolationError as error:
                emit("violation", error.sqlstate, error.detail, error.constraint_name)
            emit("inside", await connection.fetchval("SELECT count(*) FROM keyed"))
            raise RuntimeError("undo")
    except RuntimeError:
        pass
    emit("after", await connection.fetchval("SELECT count(*) FROM keyed"))
    await connection.executemany("INSERT INTO keyed VALUES ($1, $2)", [(n, "many {}".format(n)) for n in range(500)])
    emit("many", await connection.fetchval("SELECT count(*) FROM keyed"))
    try:
        await connection.executemany("INSERT INTO keyed VALUES ($1, $2)", [(n, "clash") for n in range(490, 600)])
    except asyncpg.UniqueViolationError as error:
        emit("many clash", error.detail)
    emit("after clash", await connection.fetchval("SELECT count(*) FROM keyed"))


async def cursors(connection):
    async with connection.transaction():
        seen = 0
        async for record in connection.cursor("SELECT id FROM orders ORDER BY id", prefetch=70):
            seen += record["id"]
        emit("cursor", seen)
        cursor = await connection.cursor("SELECT id, status FROM orders ORDER BY id")
        emit("fetched", *map(tuple, await cursor.fetch(3)))
        await cursor.forward(1000)
        emit("forward", *map(tuple, await cursor.fetch(1)))


async def copies(connection):
    await connection.execute("CREATE TEMP TABLE copied (id int, body text)")
    emit("to table", await connection.copy_records_to_table("copied", records=[(n, "r{}".format(n)) for n in range(5000)]))
    out = io.BytesIO()
    emit("from query", await connection.copy_from_query("SELECT * FROM copied WHERE id < $1 ORDER BY id", 5, output=out), out.getvalue())
    out = io.BytesIO()
    emit("from table", await connection.copy_from_table("copied", output=out, format="binary"), len(out.getvalue()))
    emit("count", await connection.fetchval("SELECT count(*) FROM copied"))


async def concurrent(options):
    connections = await asyncio.gather(*[connect(options) for _ in range(8)])
    answers = await asyncio.gather(*[
        connection.fetchval("SELECT $1::int * 10", n) for n, connection in enumerate(connections)])
    emit("concurrent", *answers)
    await asyncio.gather(*[connection.close() for connection in connections])


async def notifications(connection, options):
    heard = asyncio.Queue()
    await connection.add_listener("async_news", lambda _c, _pid, channel, payload: heard.put_nowait((channel, payload)))
    other = await connect(options)
    await other.execute("SELECT pg_notify('async_news', 'hello ' || n) FROM generate_series(1, 3) AS n")
    for _ in range(3):
        emit("heard", await asyncio.wait_for(heard.get(), 5))
    await other.close()


async def cancel(connection):
    try:
        await connection.fetch("SELECT pg_sleep(30)", timeout=0.4)
    except asyncio.TimeoutError:
        emit("timed out")
    emit("after cancel", await connection.fetchval("SELECT 'alive'"))


async def masked(connection):
    emit_masked("binary", MASKED_COLUMNS, [row.values() for row in await connection.fetch(MASKED_QUERY)])
    emit_masked("view", VIEW_COLUMNS, [row.values() for row in await connection.fetch(VIEW_QUERY)])
    statement = await connection.prepare(MASKED_QUERY.replace("5", "$1"))
    for _ in range(3):
        emit_masked("prepared", MASKED_COLUMNS, [row.values() for row in await statement.fetch(5)])
    async with connection.transaction():
        rows = [row.values() async for row in connection.cursor(MASKED_QUERY, prefetch=2)]
    emit_masked("cursor", MASKED_COLUMNS, rows)
    out = io.BytesIO()
    await connection.copy_from_table("customers", output=out)
    for line in out.getvalue().decode().splitlines()[:5]:
        print("copied", line)


async def main():
    options = arguments()
    connection = await connect(options)
    if options["mode"] == "masked":
        await masked(connection)
    else:
        for part in (basics, errors, cursors, copies):
            await part(connection)
        await concurrent(options)
        await notifications(connection, options)
        await cancel(connection)
    await connection.close()


asyncio.run(main())
