"""A PostgreSQL cluster, as pagefs shows it and as its server does."""

import hashlib
import os
import subprocess
import time

from measure import ONE_CPU
from postgres import Postgres
from stores import Cluster, Memfs, drop_cached
from world import MIB, run

TITLE = "PostgreSQL directories"
METHOD = ("A cluster with checksums, and a copy of it: in the one its server runs, the other is "
          "mounted. psql COPY TO STDOUT (FORMAT csv, HEADER) and cat of rows.csv give the same "
          "bytes (compared), of pgbench_accounts and of a table of 26 columns of as many types. "
          "Warm: all pages are in the pool, or in shared buffers. Cold: the daemon or the server "
          "has just been started, and nothing is in the kernel's page cache; pgbench_accounts is "
          "more than a quarter of the pool, so that its first scan takes few frames; where a row says "
          "O_DIRECT, the peer's reads pass it by. What FUSE leaves of the page cache's speed shows "
          "a daemon that has the bytes in memory. verify judges structure, order, visibility and "
          "values stored elsewhere; pg_checksums only compares checksums, and cat shows what it "
          "takes to have the bytes read. The small cluster has 400 MiB, the larger one 1.5 GiB. All "
          "on one CPU, server and client, daemon and client; but for verify where it says any CPU.")

COLUMNS = """i AS id, i % 3 = 0 AS b, (i % 30000)::int2 AS i2, i::int8 * 1000000007 AS i8,
    (i / 7.0)::float4 AS f4, exp((i % 700)::float8) AS f8, i / 3.0 AS n,
    (i / 7.0)::numeric(12, 2) AS n2, ('c' || i % 9)::char(5) AS c, ('v' || i)::varchar(10) AS v,
    CASE i % 5 WHEN 0 THEN '' WHEN 1 THEN NULL WHEN 2 THEN E'a,"b"\\n'
    ELSE 'äöü€' || i END AS t,
    decode(md5(i::text), 'hex') AS ba, date '2001-01-01' + i % 10000 AS d,
    time '00:00' + i % 80000 * interval '1.234567 s' AS ti,
    timestamp '2000-01-01' + i * interval '3 hours 0.000001 s' AS ts,
    timestamptz '2000-01-01' + i * interval '1 hour' AS tz,
    i % 1000 * interval '1 mon -1 day 1.5 s' AS iv, md5(i::text)::uuid AS u,
    format('{"k": [%s, null]}', i)::json AS j,
    format('{"k": [%s, null, {"a": "b\\"c"}]}', i)::jsonb AS jb, ARRAY[i, NULL, -i] AS ia,
    ARRAY['a', 'b c', i::text] AS ta, ('10.0.' || i % 256 || '.1/24')::inet AS ip,
    (ARRAY['sad', 'ok', 'happy']::mood[])[i % 3 + 1] AS m, int4range(i, i + 10) AS r,
    point(i, -i / 3.0) AS pt"""
TABLES = ("pgbench_accounts", "wide")


def folder(table):
    return "postgres/public." + table


def cluster(world):
    """A server that runs, and a copy of its directory as it was when it was stopped."""
    buffers = world.size(2048, 128)  # four times the largest table, or it is read through few
    server = world.opened(Postgres(world, ["-k"], shared_buffers=f"{buffers}MB", autovacuum="off",
                                   synchronize_seqscans="off", timezone="UTC"))
    server.start()
    server.accounts(world.size(20, 1))
    server.sql("CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')",
               f"CREATE TABLE wide AS SELECT {COLUMNS} "
               f"FROM generate_series(1, {world.size(200000, 5000)}) i", "VACUUM")
    server.stop()
    copy = world.path("copy")
    run(["cp", "-a", server.data, copy])
    return server, copy


def seconds_of(command, cpus=ONE_CPU):
    start = time.perf_counter()
    subprocess.run(cpus + command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def digest_of(command):
    """Of what it prints, and how many bytes that is."""
    digest, size = hashlib.sha256(), 0
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        while block := process.stdout.read(MIB):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


def copy_command(server, table):
    return server.psql("SET TIME ZONE 'UTC'", f"COPY {table} TO STDOUT (FORMAT csv, HEADER)")


def rows_warm(world, server, shown):
    """Returns how many bytes each table's rows have."""
    sizes = {}
    server.start()
    for table in TABLES:
        rows, asked = ["cat", shown.rows(folder(table))], copy_command(server, table)
        digest, size = digest_of(rows)
        digest_of(rows)  # what is scanned a second time stays in the pool
        world.check((digest, size) == digest_of(asked), f"{rows[1]} is what COPY prints")
        with shown.counted() as grown:
            world.pair(f"cat rows.csv of {table}, warm", "MiB/s",
                       lambda: size / MIB / seconds_of(rows), "COPY TO STDOUT",
                       lambda: size / MIB / seconds_of(asked), rounds=min(world.rounds, 9), aim=1.0)
        world.check(grown["pool_pages_loaded"] == 0, f"{table} is in the pool")
        sizes[table] = size
    return sizes


def rows_cold(world, server, shown, sizes):
    def ours(table):
        shown.cool()
        return sizes[table] / MIB / seconds_of(["cat", shown.rows(folder(table))])

    def theirs(table):
        server.stop()
        drop_cached(server.data)
        server.start()
        return sizes[table] / MIB / seconds_of(copy_command(server, table))

    for table in TABLES:
        world.pair(f"cat rows.csv of {table}, cold", "MiB/s", lambda: ours(table),
                   "COPY TO STDOUT", lambda: theirs(table), rounds=min(world.rounds, 5), aim=1.0)


def image(world, server, shown):
    path = server.sql("SELECT pg_relation_filepath('pgbench_accounts')")
    file, path = os.path.join(shown.data, path), shown.image(folder("pgbench_accounts"))
    direct = ["dd", "if=" + file, "of=/dev/null", "bs=1M", "iflag=direct", "status=none"]
    size = os.path.getsize(file)
    memory = world.opened(Memfs(world, size))

    def rate(command, cold=True):
        if cold:
            shown.cool()
        return size / MIB / seconds_of(command)

    world.check(digest_of(["cat", path]) == digest_of(["cat", file]), "image is the file")
    digest_of(["cat", path])  # what is scanned a second time stays in the pool
    for what, cold, peer, theirs in (
            ("warm", False, "cat of the file", ["cat", file]),
            ("warm", False, "cat, of an in-memory daemon", ["cat", memory.data]),
            ("cold", True, "cat of the file", ["cat", file]),
            ("cold", True, "dd bs=1M iflag=direct of the file", direct)):
        world.pair(f"cat image, {what}", "MiB/s", lambda: rate(["cat", path], cold), peer,
                   lambda: rate(theirs, cold), rounds=min(world.rounds, 9), aim=0.9)
    shown.close()
    shown.mount(",kernel_cache")
    rate(["cat", path], cold=False)
    world.pair("cat image, warm, -o kernel_cache", "MiB/s", lambda: rate(["cat", path], cold=False),
               "cat of the file", lambda: rate(["cat", file], cold=False),
               rounds=min(world.rounds, 9), aim=0.9)


def verify(world, server, name, copy, with_cat):
    size = sum(os.path.getsize(os.path.join(at, file)) for part in ("base", "global")
               for at, _, files in os.walk(os.path.join(copy, part)) for file in files)
    ours = [world.program("pagectl"), "verify", copy]
    peers = [("pg_checksums -c", [server.bin + "/pg_checksums", "-c", "-D", copy], 2.0)]
    if with_cat:
        peers.append(("cat of all the files", ["find", copy + "/base", copy + "/global", "-type",
                                               "f", "-exec", "cat", "{}", "+"], None))

    def rate(command, cold, cpus):
        if cold:
            drop_cached(copy)
        return size / MIB / seconds_of(command, cpus)

    # Who is cold waits for the disk, whose rate changes twofold: only many rounds tell.
    for words, cold, cpus in (("warm", False, ONE_CPU), ("warm, any CPU", False, []),
                              ("cold", True, ONE_CPU), ("cold, any CPU", True, [])):
        for peer, command, aim in peers:
            world.pair(f"pagectl verify of {name}, {words}", "MiB/s",
                       lambda: rate(ours, cold, cpus), peer, lambda: rate(command, cold, cpus),
                       rounds=min(world.rounds, 9 if cold else 5), aim=aim)


def one_cluster(world):
    server, copy = cluster(world)
    shown = world.opened(Cluster(world, copy, world.size(768, 256) * MIB))
    sizes = rows_warm(world, server, shown)
    rows_cold(world, server, shown, sizes)
    image(world, server, shown)
    server.stop()
    verify(world, server, "a small cluster", copy, with_cat=True)


def larger_cluster(world):
    """Reading the catalogs is a small part of all that there is to do."""
    server = world.opened(Postgres(world, ["-k"], autovacuum="off"))
    server.start()
    server.accounts(world.size(100, 2))
    server.sql("VACUUM")
    server.stop()
    verify(world, server, "a larger cluster", server.data, with_cat=False)


PARTS = [one_cluster, larger_cluster]
