#!/usr/bin/env python3
"""Breaks one piece of a PostgreSQL cluster after the other, and judges what a mount of it shows.

usage: pg_broken.py ask > FACTS       asks the server of PG_SOCKET what is in its database `shop`
       pg_broken.py KIND FACTS PGDATA MNT
                                      breaks pieces of a KIND: files, catalogs, pg_class, pg_attribute

Each piece is removed, then damaged. Whatever it is: the cluster mounts, a note names the piece, what
does not depend on it reads as the server said it, everything else reads to an end or to an error,
and the daemon lives until it is unmounted.
"""
import json
import os
import subprocess
import sys

PAGE = 8192
# Catalogs without which names or columns of the tables are lost.
NEEDED = {"pg_class", "pg_attribute", "pg_type", "pg_namespace", "pg_database"}
# Catalogs that nothing but their own rows is read from: their damage is theirs.
UNREAD = {
    "pg_aggregate", "pg_amop", "pg_amproc", "pg_auth_members", "pg_cast", "pg_conversion",
    "pg_description", "pg_extension", "pg_init_privs", "pg_language", "pg_opfamily", "pg_rewrite",
    "pg_shdepend", "pg_shdescription", "pg_statistic", "pg_tablespace", "pg_ts_config_map",
    "pg_ts_parser", "pg_ts_template",
}


# --- what the server says --------------------------------------------------------------------


def psql(query):
    command = [os.environ["PG_BIN"] + "/psql", "-X", "-q", "-A", "-t", "-F", "\t", "-h",
               os.environ["PG_SOCKET"], "-U", "judge", "-d", "shop", "-c", query]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


def ask():
    def pairs(query):
        return [line.split("\t") for line in psql(query).splitlines()]

    tables = psql("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = "
                  "'public'::regnamespace").split()
    columns = {}
    for name, block in pairs("SELECT DISTINCT relname, (a.ctid::text::point)[0]::int FROM pg_attribute a "
                             "JOIN pg_class c ON c.oid = attrelid"):
        columns.setdefault(name, []).append(int(block))
    print(json.dumps({
        "rows": {t: psql(f"COPY {t} TO STDOUT (FORMAT csv, HEADER)") for t in tables},
        "classes": {name: [int(block)] for name, block in
                    pairs("SELECT relname, (ctid::text::point)[0]::int FROM pg_class")},
        "columns": columns,
        "catalogs": dict(pairs("SELECT relname, pg_relation_filepath(oid) FROM pg_class WHERE relkind = 'r' "
                               "AND relnamespace = 'pg_catalog'::regnamespace AND pg_relation_size(oid) > 0")),
        "database": psql("SELECT 'base/' || oid FROM pg_database WHERE datname = 'shop'").strip(),
    }))


# --- pieces ----------------------------------------------------------------------------------


class Piece:
    """Of the file, `length` bytes from `at` on (0: all). A note has `named` (None: none need). The
    tables `lost` depend on it (None: all do). `deep`: all that there is must be read."""

    def __init__(self, path, named, lost=(), deep=True, at=0, length=0):
        self.path, self.named, self.lost, self.deep = path, named, lost, deep
        self.at, self.length = at, length

    def __str__(self):
        return self.path + (f" page {self.at // PAGE}" if self.length else "")

    def depends(self, table):
        return self.lost is None or table in self.lost


def files(facts, _):
    database = facts["database"]
    yield Piece("PG_VERSION", "PG_VERSION")
    yield Piece("global/pg_control", "pg_control")
    yield Piece("global", "global", lost=None)
    yield Piece("global/pg_filenode.map", "global/pg_filenode.map")
    yield Piece(database + "/pg_filenode.map", database + "/pg_filenode.map")
    yield Piece(database + "/PG_VERSION", None, deep=False)
    yield Piece("pg_xact/0000", None, deep=False) # without a checksum it shows only where it is missing
    yield Piece("pg_xact", "pg_xact/0000")
    yield Piece("pg_multixact", None, deep=False) # which no row here asks


def catalogs(facts, _):
    for name, path in facts["catalogs"].items():
        lost = None if name in NEEDED else ["moods"] if name == "pg_enum" else []
        yield Piece(path, None if name in UNREAD else name, lost=lost, deep=name not in UNREAD)


def pages(facts, pgdata, catalog, blocks_of):
    path = facts["catalogs"][catalog]
    for block in range(os.path.getsize(os.path.join(pgdata, path)) // PAGE):
        lost = [t for t in facts["rows"] if block in blocks_of[t]]
        if catalog == "pg_attribute" and block in blocks_of["pg_enum"]: # labels are in its rows
            lost.append("moods")
        yield Piece(path, catalog, lost=lost, deep=False, at=block * PAGE, length=PAGE)


KINDS = {
    "files": files,
    "catalogs": catalogs,
    "pg_class": lambda facts, pgdata: pages(facts, pgdata, "pg_class", facts["classes"]),
    "pg_attribute": lambda facts, pgdata: pages(facts, pgdata, "pg_attribute", facts["columns"]),
}


class Broken:
    """As long as it lasts, the piece is removed, or damaged."""

    def __init__(self, pgdata, piece, way):
        self.path = os.path.join(pgdata, piece.path)
        self.away = os.path.join(os.path.dirname(pgdata), "away")
        self.piece, self.way = piece, way

    def __enter__(self):
        if self.way == "removed":
            os.rename(self.path, self.away)
            return
        with open(self.path, "r+b") as f:
            f.seek(self.piece.at)
            self.was = f.read(self.piece.length or -1)
            f.seek(self.piece.at)
            f.write(bytes(b ^ 0x55 if i % 64 == 0 else b for i, b in enumerate(self.was)))

    def __exit__(self, *_):
        if self.way == "removed":
            os.rename(self.away, self.path)
            return
        with open(self.path, "r+b") as f:
            f.seek(self.piece.at)
            f.write(self.was)


# --- the judge -------------------------------------------------------------------------------


def read(path):
    with open(path) as f:
        return f.read()


def read_all(root):
    """Whatever is there but pages, to its end or an error: how many files."""
    count = 0
    for folder, subs, names in os.walk(root):
        subs[:] = [s for s in subs if s != "decoded"]
        for name in names:
            if name.isdigit() or name in ("image", "heatmap.svg"):
                continue
            count += 1
            try:
                with open(os.path.join(folder, name), "rb") as f:
                    while f.read(1 << 20):
                        pass
            except OSError as e:
                if e.strerror != "Input/output error":
                    raise
    return count


class Judge:
    def __init__(self, facts, pgdata, mnt):
        self.facts, self.pgdata, self.mnt = facts, pgdata, mnt
        self.wrong = 0

    def say(self, piece, way, text):
        self.wrong += 1
        print(f"{piece} {way}: {text}", flush=True)

    def judge_rows(self, piece, way):
        for table, said in self.facts["rows"].items():
            if piece.depends(table):
                continue
            try:
                got = read(os.path.join(self.mnt, "shop", "public." + table, "views", "rows.csv"))
            except OSError as e:
                got = e.strerror
            if got != said:
                self.say(piece, way, f"{table} has {got[:80]!r}, the server said {said[:80]!r}")
                return

    def judge(self, piece, way):
        if piece.deep and read_all(self.mnt) < 100:
            self.say(piece, way, "nearly nothing is there")
        self.judge_rows(piece, way)
        notes = read(os.path.join(self.mnt, ".pagefs", "notes"))
        if piece.named and piece.named not in notes:
            self.say(piece, way, f"no note names {piece.named}: {notes!r}")

    def mounted(self, piece, way):
        run = subprocess.run(["pagefs", self.pgdata, self.mnt], stderr=subprocess.PIPE, text=True)
        if run.returncode != 0:
            self.say(piece, way, f"cannot be mounted: {run.stderr}")
            return
        try:
            self.judge(piece, way)
        except OSError as e:
            self.say(piece, way, f"the daemon: {e}")
        run = subprocess.run(["umount.fuse.pagefs", self.mnt], stderr=subprocess.PIPE, text=True)
        if run.returncode != 0:
            self.say(piece, way, f"cannot be unmounted: {run.stderr}")

    def every_way(self, piece):
        ways = ["removed"] if piece.length == 0 else [] # a page is not removed by itself
        if os.path.isfile(os.path.join(self.pgdata, piece.path)):
            ways.append("damaged")
        for way in ways:
            with Broken(self.pgdata, piece, way):
                self.mounted(piece, way)


def main():
    if sys.argv[1:] == ["ask"]:
        ask()
        return 0
    if len(sys.argv) != 5 or sys.argv[1] not in KINDS:
        sys.exit(__doc__)
    _, kind, facts_path, pgdata, mnt = sys.argv
    facts = json.loads(read(facts_path))
    judge = Judge(facts, pgdata, mnt)
    count = 0
    for piece in KINDS[kind](facts, pgdata):
        judge.every_way(piece)
        count += 1
    print(f"{count} pieces broken, {judge.wrong} times wrong")
    return 1 if judge.wrong or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
