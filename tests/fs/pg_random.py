#!/usr/bin/env python3
"""Random tables of random types with random histories, as their server tells of them and as a mount does.

usage: pg_random.py SEED SECONDS PGDATA MNT

The server of PG_SOCKET runs, its transaction ids near their end. Each round makes a database of its
own, where sessions work by turns, too; what COPY prints of its tables is compared with rows.csv of a mount of the files, numbers of line pointers with dead.csv and
tuples.csv, and each table is made again by its schema.sql and rows.csv. The seed of each round is
printed where it fails; SEED SECONDS=0 runs that round alone, and so does PS_SEED in the environment.
"""
import csv
import io
import json
import os
import random
import subprocess
import sys
import time

import mounted

ODD_NAMES = ['plain', 'UPPER', 'with space', 'a"b', "a'b", 'a/b', 'a.b', 'a%b', '~a', 'line\nend', 'ünïcödé',
             '日本', 'select', 'table', '.hidden', 'a,b', 'back\\slash', 'tab\t', 'a;b', '-- x', 'x' * 63, '😀', '$1']


MARK = "== the next one =="


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def literal(text):
    body = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    return "E'" + body + "'"


def encoded(name):
    """As mounts write it."""
    text = "".join(c if c not in "/%.~" and ord(c) >= 32 and ord(c) != 127 else f"%{ord(c):02X}" for c in name)
    return text


class Server:
    def __init__(self, pgdata):
        self.pgdata = pgdata
        self.psql = [os.environ["PG_BIN"] + "/psql", "-X", "-q", "-h", os.environ["PG_SOCKET"], "-U", "judge"]

    def run(self, db, script, stop=True):
        """What a script prints; with stop an error of it is one of ours."""
        command = self.psql + ["-d", db, "-A", "-t", "-v", f"ON_ERROR_STOP={int(stop)}", "-f", "-"]
        done = subprocess.run(command, input=script.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if stop and done.returncode != 0:
            raise RuntimeError(f"{done.stderr.decode()[:2000]}\nof {script[:500]}")
        self.errors = done.stderr.decode()
        return done.stdout


# --- types and their values ----------------------------------------------------------------------


class Type:
    def __init__(self, name, value):
        self.name, self.value = name, value


class Types:
    """Types of PostgreSQL and, after make(), of the database's own."""

    def __init__(self, rng):
        self.rng = rng
        r = rng
        self.base = [
            Type("bool", lambda: r.choice(["true", "false"])),
            Type("int2", lambda: f"({r.randint(-32768, 32767)})::int2"),
            Type("int4", lambda: f"({r.choice([0, 1, r.randint(-2**31, 2**31 - 1)])})::int4"),
            Type("int8", lambda: f"({r.randint(-2**63 + 1, 2**63 - 1)})::int8"),
            Type("float4", lambda: f"'{self.floating(38)}'::float4"),
            Type("float8", lambda: f"'{self.floating(300)}'::float8"),
            Type("numeric", lambda: f"'{self.number()}'::numeric"),
            Type("numeric(12,3)", lambda: f"({r.randint(-10**9, 10**9)} / 7.0)::numeric(12,3)"),
            Type("numeric(5,-2)", lambda: f"({r.randint(-10**6, 10**6)})::numeric(5,-2)"),
            Type("text", lambda: self.text()),
            Type("text COLLATE \"C\"", lambda: self.text()),
            Type("varchar(20)", lambda: f"left({self.text(30)}, 20)::varchar(20)"),
            Type("char(7)", lambda: f"left({self.text(9)}, 7)::char(7)"),
            Type("name", lambda: f"left({self.text(20)}, 15)::name"),
            Type("\"char\"", lambda: f"'{r.choice('aZ9 ')}'::\"char\""),
            Type("bytea", lambda: f"decode('{r.randbytes(self.size(60)).hex()}', 'hex')"),
            Type("date", lambda: self.one_of(["'infinity'::date", "'-infinity'::date"], f"date '2000-01-01' + ({r.randint(-2000000, 2000000)})")),
            Type("time", lambda: f"time '00:00' + {r.randint(0, 86399999999)} * interval '1 us'"),
            Type("time(2)", lambda: f"(time '00:00' + {r.randint(0, 86399999999)} * interval '1 us')::time(2)"),
            Type("timetz", lambda: f"timetz '{r.randint(0, 23):02}:{r.randint(0, 59):02}:{r.randint(0, 59):02}.{r.randint(0, 999999):06}{r.choice('+-')}{r.randint(0, 14):02}:{r.choice(['00', '30', '45:15'])}'"),
            Type("timestamp", lambda: self.one_of(["'infinity'::timestamp"], f"timestamp '2000-01-01' + {r.randint(-10**15, 10**15)} * interval '100 us'")),
            Type("timestamptz", lambda: self.one_of(["'-infinity'::timestamptz"], f"timestamptz '2000-01-01' + {r.randint(-10**15, 10**15)} * interval '100 us'")),
            Type("timestamptz(2)", lambda: f"(timestamptz '2000-01-01' + {r.randint(-10**12, 10**12)} * interval '1 us')::timestamptz(2)"),
            Type("interval", lambda: f"make_interval(months => {r.randint(-10**5, 10**5)}, days => {r.randint(-10**5, 10**5)}, secs => {r.randint(-10**6, 10**6)} / 7.0)"),
            Type("interval day to minute", lambda: f"(make_interval(days => {r.randint(-999, 999)}, secs => {r.randint(-10**6, 10**6)}))::interval day to minute"),
            Type("uuid", lambda: f"'{r.randbytes(16).hex()}'::uuid"),
            Type("json", lambda: f"{literal(self.json())}::json"),
            Type("jsonb", lambda: f"{literal(self.json())}::jsonb"),
            Type("jsonpath", lambda: r.choice(["'$.a[*] ? (@ > 1)'", "'lax $[0 to last].b'", "'strict $.\"x y\".type()'"]) + "::jsonpath"),
            Type("inet", lambda: r.choice([f"'10.{r.randint(0, 255)}.0.1/{r.randint(0, 32)}'", f"'::ffff:{r.randint(0, 9999)}/{r.randint(0, 128)}'", f"'fe80::{r.randint(0, 9999)}'"]) + "::inet"),
            Type("cidr", lambda: f"network('10.{r.randint(0, 255)}.{r.randint(0, 255)}.1/{r.randint(1, 32)}'::inet)"),
            Type("macaddr", lambda: f"'{r.randbytes(6).hex()}'::macaddr"),
            Type("macaddr8", lambda: f"'{r.randbytes(8).hex()}'::macaddr8"),
            Type("bit(5)", lambda: f"b'{r.randint(0, 31):05b}'"),
            Type("varbit(90)", lambda: f"b'{r.getrandbits(70):b}'::varbit(90)"),
            Type("point", lambda: f"point({self.decimal()}, {self.decimal()})"),
            Type("line", lambda: f"line(point(0, {self.decimal()}), point(1, {self.decimal()}))"),
            Type("lseg", lambda: f"lseg(point({self.decimal()}, 1), point({self.decimal()}, 2))"),
            Type("box", lambda: f"box(point({self.decimal()}, 1), point({self.decimal()}, 2))"),
            Type("path", lambda: r.choice([f"'[(1,2),({self.decimal()},3)]'::path", f"'((1,2),({self.decimal()},3))'::path"])),
            Type("polygon", lambda: f"polygon '((0,0),({self.decimal()},1),(2,0))'"),
            Type("circle", lambda: f"circle(point({self.decimal()}, 1), {abs(self.decimal())})"),
            Type("tsvector", lambda: f"to_tsvector('simple', {self.text(60)})"),
            Type("tsquery", lambda: r.choice(["'a & !(b | c:*AB)'", "'x <-> y <3> z'", "'\"q u\"'", "'''it''''s'' & b'"]) + "::tsquery"),
            Type("money", lambda: f"({r.randint(-10**9, 10**9)} / 100.0)::numeric::money"),
            Type("pg_lsn", lambda: f"'{r.getrandbits(32):X}/{r.getrandbits(32):X}'::pg_lsn"),
            Type("oid", lambda: f"'{r.getrandbits(32)}'::oid"),
            Type("xid", lambda: f"'{r.getrandbits(32)}'::xid"),
            Type("xid8", lambda: f"'{r.getrandbits(63)}'::xid8"),
            Type("tid", lambda: f"'({r.getrandbits(32)},{r.randint(0, 65535)})'::tid"),
            Type("regtype", lambda: r.choice(["'int4'", "'text[]'", "'0'"]) + "::regtype"),
            Type("regclass", lambda: r.choice(["'pg_class'", "'0'", "'4294967295'"]) + "::regclass"),
            Type("int2vector", lambda: f"'{r.randint(0, 99)} -5 7'::int2vector"),
            Type("oidvector", lambda: f"'{r.randint(0, 99)} 4294967295'::oidvector"),
            Type("pg_snapshot", lambda: f"'{r.randint(1, 9)}:20:{r.randint(10, 14)},15'::pg_snapshot"),
            Type("int4range", lambda: self.spanned("int4range", r.randint(-10**9, 10**9), r.randint(0, 10**6))),
            Type("numrange", lambda: self.spanned("numrange", self.decimal(), r.randint(0, 10**6))),
            Type("daterange", lambda: f"daterange(date '2000-01-01' + {r.randint(-9999, 0)}, date '2000-01-01' + {r.randint(0, 9999)}, '{r.choice(['[]', '(]', '()', '[)'])}')"),
            Type("tsrange", lambda: f"tsrange(timestamp '2000-01-01' - {r.randint(0, 9999)} * interval '7 s', NULL, '{r.choice(['[]', '()'])}')"),
            Type("int8multirange", lambda: f"int8multirange(int8range(1, {r.randint(1, 50)}), int8range(60, {r.randint(60, 99)}))"),
        ]
        self.own = []

    def one_of(self, rare, usual):
        return self.rng.choice(rare) if self.rng.random() < 0.05 else usual

    def size(self, usual):
        """Of a value: now and then it is toasted, in the row or out of it."""
        dice = self.rng.random()
        return self.rng.randint(0, usual) if dice < 0.93 else self.rng.randint(100, 3000) if dice < 0.98 else self.rng.randint(3000, 40000)

    def floating(self, exponent):
        r = self.rng
        return self.one_of(["NaN", "Infinity", "-Infinity", "-0"], f"{r.uniform(-10, 10)}e{r.randint(-exponent, exponent - 1)}")

    def number(self):
        r = self.rng
        return self.one_of(["NaN", "Infinity", "-Infinity", "0.000"],
                           f"{r.choice(['', '-'])}{r.getrandbits(r.randint(1, 400))}.{r.getrandbits(r.randint(1, 100))}e{r.randint(-60, 60)}")

    def decimal(self):
        return self.rng.randint(-10**6, 10**6) / self.rng.choice([1, 7, 1000])

    def text(self, usual=40):
        r = self.rng
        size = self.size(usual)
        if size > 200 and r.random() < 0.5:
            return f"repeat({literal(self.word())}, {size // 4})"
        if size > 200:
            return literal(r.randbytes(size // 2).hex())
        return literal("".join(r.choice('abc XYZ,"\'\\\n\t\r.;{}()[]üß€😀日N0%') for _ in range(size)))

    def word(self):
        return self.rng.choice(ODD_NAMES + ["NULL", "null", "\\.", "", " ", "\\N"])

    def json(self, depth=0):
        r = self.rng
        kind = r.randint(0, 7 if depth < 3 else 5)
        if kind == 6:
            return "[" + ", ".join(self.json(depth + 1) for _ in range(r.randint(0, 4))) + "]"
        if kind == 7:
            return "{" + ", ".join(f'"k{r.randint(0, 9)}": {self.json(depth + 1)}' for _ in range(r.randint(0, 4))) + "}"
        return r.choice(["null", "true", "false", str(r.randint(-10**12, 10**12)), f"{r.uniform(-1, 1)}e{r.randint(-20, 20)}",
                         '"a\\"b\\\\c\\u00e9\\n"', '"text ü"', '""', "1.50", "1E400"])

    def spanned(self, name, low, width):
        r = self.rng
        if r.random() < 0.1:
            return f"'empty'::{name}"
        return f"{name}({r.choice(['NULL', str(low)])}, {r.choice(['NULL', str(low + width)])}, '{r.choice(['[]', '(]', '()', '[)'])}')"

    def any(self):
        pool = self.own if self.own and self.rng.random() < 0.35 else self.base
        kind = self.rng.choice(pool)
        return self.array(kind) if self.rng.random() < 0.15 and "COLLATE" not in kind.name else kind

    def array(self, kind):
        r = self.rng

        def value():
            if r.random() < 0.1:
                return f"'{{}}'::{kind.name}[]"
            items = [self.maybe(kind) for _ in range(r.randint(1, 4))]
            if r.random() < 0.2:
                return f"ARRAY[ARRAY[{', '.join(items)}], ARRAY[{', '.join(reversed(items))}]]::{kind.name}[]"
            return f"ARRAY[{', '.join(items)}]::{kind.name}[]"

        return Type(kind.name + "[]", value)

    def maybe(self, kind):
        return "NULL" if self.rng.random() < 0.12 else f"({kind.value()})"

    # --- types of the database

    def make(self):
        """Statements that make a few."""
        script = []
        for i in range(self.rng.randint(2, 7)):
            make = self.rng.choice([self.make_enum, self.make_domain, self.make_composite, self.make_composite, self.make_range])
            script += make(f"{self.rng.choice(ODD_NAMES)[:50]} {i}")
        return script

    def make_enum(self, name):
        r = self.rng
        labels = r.sample(ODD_NAMES, r.randint(1, 6))
        script = [f"CREATE TYPE {quoted(name)} AS ENUM ({', '.join(literal(l) for l in labels)});"]
        for label in r.sample([n + "+" for n in ODD_NAMES if len(n) < 50], r.randint(0, 5)):
            script.append(f"ALTER TYPE {quoted(name)} ADD VALUE {literal(label)} {r.choice(['BEFORE', 'AFTER'])} {literal(r.choice(labels))};")
            labels.append(label)
        self.own.append(Type(quoted(name), lambda: f"{literal(r.choice(labels))}::{quoted(name)}"))
        return script

    def make_domain(self, name):
        kind = self.any()
        check = self.rng.choice(["", " NOT NULL", " CHECK (VALUE IS NOT NULL OR VALUE IS NULL)"])
        if kind.name.startswith('"') and check: # a composite may be all NULL
            check = ""
        self.own.append(Type(quoted(name), (lambda: f"({kind.value()})::{quoted(name)}")))
        if "NOT NULL" in check and check.startswith(" NOT"):
            self.own.pop()
        return [f"CREATE DOMAIN {quoted(name)} AS {kind.name}{check};"]

    def make_composite(self, name):
        r = self.rng
        fields = [(r.choice(ODD_NAMES)[:50] + str(i), self.any()) for i in range(r.randint(1, 5))]
        self.own.append(Type(quoted(name), lambda: f"ROW({', '.join(self.maybe(k) for _, k in fields)})::{quoted(name)}"))
        script = [f"CREATE TYPE {quoted(name)} AS ({', '.join(quoted(n) + ' ' + k.name for n, k in fields)});"]
        if len(fields) > 1 and r.random() < 0.3:
            gone, _ = fields.pop(r.randrange(len(fields)))
            script.append(f"ALTER TYPE {quoted(name)} DROP ATTRIBUTE {quoted(gone)};")
        if r.random() < 0.3:
            fields.append(("added", self.rng.choice(self.base)))
            script.append(f"ALTER TYPE {quoted(name)} ADD ATTRIBUTE added {fields[-1][1].name};")
        return script

    def make_range(self, name):
        r = self.rng
        sub = r.choice(["float8", "text", "inet", "uuid", "interval"])
        low, high = {"float8": ("-1.5", "2.5"), "text": ("'a, \"b'", "'z)'"), "inet": ("'1.2.3.4'", "'9.9.9.9/8'"),
                     "uuid": ("'" + "0" * 31 + "1'", "'" + "f" * 32 + "'"), "interval": ("'1 day'", "'2 mons'")}[sub]
        collation = ", COLLATION = \"C\"" if sub == "text" else ""
        self.own.append(Type(quoted(name), lambda: f"{quoted(name)}({r.choice([low, 'NULL'])}, {r.choice([high, 'NULL'])}, '{r.choice(['[]', '()', '(]'])}')"))
        multi = f"multi {name}"[:60]
        self.own.append(Type(quoted(multi), lambda: f"{quoted(multi)}({quoted(name)}({low}, {high}))"))
        return [f"CREATE TYPE {quoted(name)} AS RANGE (SUBTYPE = {sub}{collation}, MULTIRANGE_TYPE_NAME = {quoted(multi)});"]


# --- tables and their histories ---------------------------------------------------------------------


class Table:
    def __init__(self, types, schema, name):
        self.types, self.rng = types, types.rng
        self.schema, self.name = schema, name
        self.full = f"{quoted(schema)}.{quoted(name)}"
        self.columns = [] # (name, type)
        self.added = 0

    def new_column(self):
        self.added += 1
        kind = self.types.any()
        column = f"{self.rng.choice(ODD_NAMES)[:50]}{self.added}", kind
        self.columns.append(column)
        return column

    def create(self):
        r = self.rng
        parts = [r.choice(["id int", "id int PRIMARY KEY", "id int GENERATED BY DEFAULT AS IDENTITY", "id int GENERATED ALWAYS AS IDENTITY (START -5 INCREMENT 3)",
                           "id serial", "id int NOT NULL DEFAULT 7", "id int CHECK (id IS NOT NULL)"])]
        for _ in range(r.choice([0, 1, 2, 3, 5, 8, 12])):
            name, kind = self.new_column()
            parts.append(f"{quoted(name)} {kind.name}" + (f" DEFAULT {kind.value()}" if r.random() < 0.1 else ""))
        if r.random() < 0.25:
            parts.append(f"twice int GENERATED ALWAYS AS (id {r.choice(['* 2', '+ 1', '% 7'])}) STORED")
        if r.random() < 0.1:
            parts.append("said text GENERATED ALWAYS AS (CASE WHEN id > 5 THEN 'more' ELSE lower('le''SS' COLLATE pg_catalog.default) || id END) STORED")
        return [f"CREATE TABLE {self.full} ({', '.join(parts)}){r.choice(['', '', ' WITH (fillfactor = 40)'])};"]

    def insert(self, rows):
        names = ["id"] + [quoted(n) for n, _ in self.columns]
        values = [f"({', '.join([str(self.rng.randint(0, 500))] + [self.types.maybe(k) for _, k in self.columns])})" for _ in range(rows)]
        clause = f"INSERT INTO {self.full} ({', '.join(names)}) OVERRIDING SYSTEM VALUE VALUES "
        if self.rng.random() < 0.5: # one that fails costs itself only
            return [clause + v + ";" for v in values]
        return [clause + ", ".join(values) + " ON CONFLICT DO NOTHING;"]

    def where(self):
        r = self.rng
        return r.choice([f"WHERE id % {r.randint(2, 9)} = {r.randint(0, 3)}", f"WHERE id < {r.randint(0, 400)}", f"WHERE ctid < '({r.randint(0, 3)},{r.randint(0, 50)})'"])

    def change(self):
        r = self.rng
        kind = r.randint(0, 9)
        if kind < 4 and self.columns:
            name, of = r.choice(self.columns)
            return [f"UPDATE {self.full} SET {quoted(name)} = {self.types.maybe(of)} {self.where()};"]
        if kind < 6:
            return [f"DELETE FROM {self.full} {self.where()};"]
        if kind < 7:
            return [f"SELECT count(*) FROM (SELECT 1 FROM {self.full} {self.where()} FOR {r.choice(['UPDATE', 'SHARE', 'KEY SHARE', 'NO KEY UPDATE'])}) x;"]
        return self.insert(r.randint(1, 12))

    def transaction(self):
        r = self.rng
        script = ["BEGIN;"]
        for i in range(r.randint(1, 4)):
            script += self.change()
            if r.random() < 0.4:
                script += [f"SAVEPOINT s{i};"] + self.change() + [r.choice([f"ROLLBACK TO s{i};", f"RELEASE s{i};", ""])]
        return script + [r.choice(["COMMIT;", "COMMIT;", "ROLLBACK;"])]

    def alter(self):
        r = self.rng
        kind = r.randint(0, 13)
        if kind <= 2:
            before = len(self.columns)
            name, of = self.new_column()
            assert len(self.columns) == before + 1
            default = r.choice(["", f" DEFAULT {of.value()}", f" DEFAULT {of.value()}"])
            return [f"ALTER TABLE {self.full} ADD COLUMN {quoted(name)} {of.name}{default};"]
        if kind <= 4 and self.columns:
            name, _ = self.columns.pop(r.randrange(len(self.columns)))
            return [f"ALTER TABLE {self.full} DROP COLUMN {quoted(name)};"]
        if kind == 5 and self.columns:
            at = r.randrange(len(self.columns))
            name, _ = self.columns[at]
            self.columns[at] = name, next(k for k in self.types.base if k.name == "text")
            return [f"ALTER TABLE {self.full} ALTER {quoted(name)} DROP DEFAULT, ALTER {quoted(name)} TYPE text USING {quoted(name)}::text;"]
        if kind == 6 and self.columns:
            name, _ = r.choice(self.columns)
            return [f"ALTER TABLE {self.full} ALTER {quoted(name)} SET {r.choice(['STORAGE EXTERNAL', 'STORAGE MAIN', 'STORAGE EXTENDED', 'COMPRESSION lz4', 'COMPRESSION pglz'])};"]
        if kind == 7 and self.columns:
            at = r.randrange(len(self.columns))
            name, of = self.columns[at]
            self.columns[at] = "renamed " + name[:40], of
            return [f"ALTER TABLE {self.full} RENAME {quoted(name)} TO {quoted(self.columns[at][0])};"]
        if kind == 8:
            return [f"CREATE INDEX ON {self.full} {r.choice(['(id)', 'USING hash (id)', '(id DESC NULLS LAST)', '((id + 1))', '(id) WHERE id > 5', 'USING brin (id)'])};",
                    f"CLUSTER {self.full} USING {quoted((self.name + '_id_idx'))};"]
        return [r.choice([f"VACUUM FULL {self.full};", f"VACUUM {self.full};", f"VACUUM FREEZE {self.full};", f"ANALYZE {self.full};", f"TRUNCATE {self.full};", f"REINDEX TABLE {self.full};",
                          f"ALTER TABLE {self.full} ALTER id TYPE int8;", "CHECKPOINT;"])]

    def history(self, length):
        script = self.create() + self.insert(self.rng.randint(0, 40))
        for _ in range(length):
            script += self.rng.choice([self.change, self.change, self.transaction, self.transaction, self.alter])()
        return script


def partitions(types, schema):
    """A partitioned table whose leaves have other orders of columns, and a parent with heirs."""
    r = types.rng
    kinds = [types.any() for _ in range(2)]
    s = quoted(schema)
    values = lambda: ", ".join(types.maybe(k) for k in kinds)
    script = [f"CREATE TABLE {s}.parts (k int, a {kinds[0].name}, gone int, b {kinds[1].name}) PARTITION BY {r.choice(['RANGE', 'LIST'])} (k);".replace("LIST", "RANGE"),
              f"ALTER TABLE {s}.parts DROP COLUMN gone;",
              f"CREATE TABLE {s}.part_a PARTITION OF {s}.parts FOR VALUES FROM (0) TO (100);",
              f"CREATE TABLE {s}.part_b (b {kinds[1].name}, x int, a {kinds[0].name}, k int);", f"ALTER TABLE {s}.part_b DROP COLUMN x;",
              f"ALTER TABLE {s}.parts ATTACH PARTITION {s}.part_b FOR VALUES FROM (100) TO (200);",
              f"CREATE TABLE {s}.part_c PARTITION OF {s}.parts DEFAULT PARTITION BY LIST (k);",
              f"CREATE TABLE {s}.part_ca PARTITION OF {s}.part_c FOR VALUES IN (500, 501, NULL);",
              f"CREATE TABLE {s}.part_cd PARTITION OF {s}.part_c DEFAULT;"]
    script += [f"INSERT INTO {s}.parts VALUES ({r.choice(['NULL', r.randint(0, 199), 500, 999])}, {values()});" for _ in range(20)]
    script += [f"UPDATE {s}.parts SET k = k + 100 WHERE k < 50;", f"CREATE TABLE {s}.parent (p int, q {kinds[0].name});",
               f"CREATE TABLE {s}.heir (r {kinds[1].name}) INHERITS ({s}.parent);", f"INSERT INTO {s}.parent VALUES (1, {types.maybe(kinds[0])});",
               f"INSERT INTO {s}.heir VALUES (2, {values()});", f"CREATE MATERIALIZED VIEW {s}.mat AS SELECT * FROM {s}.parts WHERE k > 100;",
               f"CREATE VIEW {s}.seen AS SELECT k FROM {s}.parts;", f"CREATE RULE nothing AS ON DELETE TO {s}.parent DO INSTEAD NOTHING;"]
    if r.random() < 0.5:
        script.append(f"ALTER TABLE {s}.parts DETACH PARTITION {s}.part_a;")
    return script


def catalogs(rng, schema):
    """Rows in catalogs that are empty otherwise; roles are the cluster's, and may be there."""
    s, role = quoted(schema), quoted(rng.choice(ODD_NAMES))
    table = f"{s}.{quoted('t ' + rng.choice(ODD_NAMES)[:50])}"
    return [f"CREATE TABLE {table} (id int, a int, b int, c text);", f"CREATE ROLE {role};",
            f"INSERT INTO {table} SELECT i, i % 7, i % 7 * 2, 'c' || i % {rng.randint(2, 30)} FROM generate_series(1, {rng.randint(1, 2000)}) i;",
            f"CREATE STATISTICS {s}.{quoted(rng.choice(ODD_NAMES))} ON a, b, c FROM {table};", f"CREATE STATISTICS ON (a + b), (c || a) FROM {table};",
            f"ANALYZE {table};", f"GRANT SELECT, UPDATE (a), INSERT ON {table} TO {role} WITH GRANT OPTION;", f"GRANT ALL ON SCHEMA {s} TO PUBLIC;",
            f"COMMENT ON TABLE {table} IS {literal(rng.choice(ODD_NAMES) * 300)};", f"COMMENT ON DATABASE fuzz IS {literal(rng.choice(ODD_NAMES))};",
            f"CREATE POLICY {role} ON {table} FOR SELECT TO {role} USING (a > 3 AND c LIKE 'x%');", f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;",
            f"CREATE PUBLICATION p FOR TABLE {table} WHERE (id > 5);", f"ALTER DEFAULT PRIVILEGES IN SCHEMA {s} GRANT SELECT ON TABLES TO {role};",
            f"ALTER ROLE {role} IN DATABASE fuzz SET search_path TO {s}, 'a,b';", f"ALTER DATABASE fuzz SET work_mem = '7MB';",
            f"SELECT lo_from_bytea(0, decode(repeat('{rng.randbytes(20).hex()}', {rng.randint(0, 400)}), 'hex'));",
            f"CREATE FUNCTION {s}.f(a int, b text[] DEFAULT ARRAY['x', NULL], OUT c int, VARIADIC d numeric[] DEFAULT '{{}}') AS $$ SELECT $1 $$ LANGUAGE sql COST 5 SET work_mem = '1MB';",
            f"CREATE FUNCTION {s}.trig() RETURNS trigger AS $$ BEGIN RETURN NEW; END $$ LANGUAGE plpgsql;",
            f"CREATE TRIGGER {role} BEFORE UPDATE OF a, b ON {table} FOR EACH ROW WHEN (NEW.a > OLD.a) EXECUTE FUNCTION {s}.trig('a', E'b\\\\000', 'ü');",
            f"CREATE AGGREGATE {s}.agg (int) (SFUNC = int4pl, STYPE = int, INITCOND = '7');", f"CREATE OPERATOR {s}.<+> (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl);",
            f"CREATE FOREIGN DATA WRAPPER w OPTIONS (a 'b,c', \"d e\" '');", f"CREATE SERVER srv TYPE 't' VERSION '1' FOREIGN DATA WRAPPER w OPTIONS (x 'y');",
            f"CREATE FOREIGN TABLE {s}.outside (a int OPTIONS (k 'v')) SERVER srv OPTIONS (n 'm');", f"CREATE USER MAPPING FOR {role} SERVER srv OPTIONS (user 'u');",
            f"CREATE TEXT SEARCH CONFIGURATION {s}.conf (COPY = simple);", f"CREATE COLLATION {s}.coll (LOCALE = 'C');", f"CREATE TABLE {s}.keyed (id int PRIMARY KEY, EXCLUDE USING gist (box(point(id, 1), point(id, 2)) WITH &&));"]


# --- sessions side by side -----------------------------------------------------------------------


class Session:
    """A connection that has one statement after the other. As nobody else is at work meanwhile, who
    waits for a lock waits in vain, and gives up: what happens depends on the seed alone."""

    def __init__(self, server, rng):
        self.rng = rng
        self.savepoints = None # names; None: there is no transaction
        self.psql = subprocess.Popen(server.psql + ["-d", "fuzz", "-A", "-t"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.run("SET lock_timeout = '10ms'; SET client_min_messages = error;")

    def run(self, statement):
        self.psql.stdin.write(f"{statement}\n\\echo {MARK}\n".encode())
        self.psql.stdin.flush()
        for line in self.psql.stdout:
            if line == MARK.encode() + b"\n":
                return
        raise RuntimeError(f"a session ended at {statement}")

    def change(self):
        r = self.rng
        one, some = f"WHERE id = {r.randint(1, 12)}", f"WHERE id % 6 = {r.randint(0, 5)}"
        if r.random() < 0.6: # rows have many who share them
            return r.choice([f"SELECT * FROM many {some} FOR SHARE;", f"SELECT * FROM many {some} FOR KEY SHARE;",
                             f"INSERT INTO heirs VALUES ({r.randint(1, 12)}, 'x');"])
        return r.choice([f"SELECT * FROM many {one} FOR NO KEY UPDATE;", f"SELECT * FROM many {one} FOR UPDATE;", f"UPDATE many SET a = a + 1 {one};",
                         f"UPDATE many SET a = a + 1 {some};", f"UPDATE many SET id = id + 12 {one};", f"DELETE FROM many {one};",
                         f"INSERT INTO many VALUES ({r.randint(1, 12)}, 0, repeat('y', {r.randint(0, 300)})) ON CONFLICT DO NOTHING;"])

    def step(self):
        r = self.rng
        if self.savepoints is None and r.random() < 0.8:
            self.savepoints = []
            return self.run(f"BEGIN {r.choice(['', '', 'ISOLATION LEVEL REPEATABLE READ'])};")
        dice = r.random()
        if self.savepoints is None or dice < 0.55:
            return self.run(self.change())
        if dice < 0.75:
            self.savepoints.append(f"s{len(self.savepoints)}")
            return self.run(f"SAVEPOINT {self.savepoints[-1]};")
        if dice < 0.85 and self.savepoints:
            at = r.randrange(len(self.savepoints))
            name, self.savepoints = self.savepoints[at], self.savepoints[:at]
            return self.run(r.choice([f"ROLLBACK TO {name}; RELEASE {name};", f"RELEASE {name};"]))
        return self.end()

    def end(self):
        self.savepoints = None
        self.run(self.rng.choice(["COMMIT;", "COMMIT;", "ROLLBACK;"]))

    def close(self):
        self.psql.stdin.close()
        self.psql.stdout.close()
        self.psql.wait()


def run_sessions(server, rng):
    """Rows that several have locked or changed at a time: multixacts, of subtransactions too."""
    server.run("fuzz", """CREATE TABLE public.many (id int PRIMARY KEY, a int, b text);
CREATE TABLE public.heirs (many int REFERENCES public.many ON UPDATE CASCADE ON DELETE CASCADE, c text);
INSERT INTO public.many SELECT i, 0, 'row ' || i FROM generate_series(1, 12) i;""")
    sessions = [Session(server, rng) for _ in range(3)]
    try:
        for _ in range(150):
            rng.choice(sessions).step()
        for session in sessions:
            session.end()
    finally:
        for session in sessions:
            session.close()


def make_script(rng):
    types = Types(rng)
    schema = rng.choice(["public", "public", rng.choice(ODD_NAMES)])
    script = ["SET client_min_messages = error;"]
    if schema != "public":
        script.append(f"CREATE SCHEMA {quoted(schema)};")
    script += types.make()
    for i in range(rng.randint(2, 5)):
        script += Table(types, schema, f"{rng.choice(ODD_NAMES)[:55]}{i}").history(rng.randint(3, 30))
    if rng.random() < 0.5:
        script += partitions(types, schema)
    return script + catalogs(rng, schema)


# --- the judge --------------------------------------------------------------------------------------

OURS = ("pg_catalog", "pg_toast", "information_schema") # schemas that every database has

DESCRIBED = """
SELECT attnum - (SELECT count(*) FROM pg_attribute d WHERE d.attrelid = a.attrelid AND d.attisdropped AND d.attnum < a.attnum AND d.attnum > 0),
       attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated, attcollation::regcollation,
       CASE WHEN attgenerated <> '' THEN pg_get_expr(adbin, adrelid) END
  FROM pg_attribute a LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
 WHERE attrelid = {0}::regclass AND attnum > 0 AND NOT attisdropped ORDER BY 1;
SELECT contype, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = {0}::regclass AND contype IN ('c', 'p', 'u') ORDER BY 1, 2;
"""


class Judge:
    def __init__(self, server, mnt, seed):
        self.server, self.mnt, self.seed = server, mnt, seed
        self.wrong = 0
        self.compared = 0

    def say(self, text):
        self.wrong += 1
        print(f"seed {self.seed}: {text}", flush=True)

    def relations(self):
        text = self.server.run("fuzz", "SELECT json_build_array(CASE WHEN relisshared THEN 'global' ELSE 'fuzz' END, nspname, relname, relkind) "
                               "FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'm', 'p', 't') ORDER BY c.oid;")
        return [json.loads(line) for line in text.decode().splitlines()]

    def copies(self, relations):
        """What COPY prints of each."""
        script = []
        for _, schema, name, kind in relations:
            full = f"{quoted(schema)}.{quoted(name)}"
            script.append(f"COPY {full if kind == 'r' else f'(SELECT * FROM {full})'} TO STDOUT (FORMAT csv, HEADER);\n\\echo {MARK}")
        return self.server.run("fuzz", "\n".join(script)).split(MARK.encode() + b"\n")

    def read(self, folder, view):
        with open(os.path.join(self.mnt, folder, "views", view), "rb") as f:
            return f.read()

    def judge_rows(self, folder, kind, said):
        try:
            got = self.read(folder, "rows.csv")
        except OSError as e:
            self.say(f"rows.csv of {folder!r}: {e.strerror}")
            return
        if kind == "p":
            got, said = sorted(got.split(b"\n")), sorted(said.split(b"\n"))
        if got != said:
            at = next((i for i, (a, b) in enumerate(zip(got, said)) if a != b), min(len(got), len(said)))
            self.say(f"rows.csv of {folder!r} has {got[max(0, at - 60) : at + 60]!r}, the server said {said[max(0, at - 60) : at + 60]!r}")
        self.compared += 1

    def judge_dead(self, folder, said_rows):
        """Each tuple that there is, is seen, dead or undecided, and of none there are two opinions."""
        try:
            dead, undecided, tuples = (list(csv.reader(io.StringIO(self.read(folder, v).decode(), newline=""))) for v in ("dead.csv", "undecided.csv", "tuples.csv"))
        except OSError: # a dead row's toasted value is gone
            return
        at = tuples[0].index("lp_flags")
        normal = sum(row[at] == "1" for row in tuples[1:])
        seen = len(list(csv.reader(io.StringIO(said_rows.decode(), newline="")))) - 1
        if undecided[1:]:
            self.say(f"undecided.csv of {folder!r} has {undecided[1:3]}")
        if seen + len(dead) - 1 != normal:
            self.say(f"{folder!r} has {normal} tuples, but {seen} rows and {len(dead) - 1} dead ones")
        if any(len(row) != len(dead[0]) for row in dead):
            self.say(f"dead.csv of {folder!r} has lines of other lengths")

    def judge_again(self, folder, full, said, is_plain):
        """The way back: an equal table by schema.sql, with the same rows."""
        try:
            schema = self.read(folder, "schema.sql").decode()
            rows = os.path.join(os.environ["PG_SOCKET"], "rows.csv") # a name that needs no quotes
            with open(rows, "wb") as f:
                f.write(self.read(folder, "rows.csv"))
        except OSError as e:
            self.say(f"schema.sql of {folder!r}: {e.strerror}")
            return
        described = DESCRIBED.format(literal(full))
        copied = f"\\copy {full} from '{rows}' csv header\n" if "\n" not in full else ""
        script = f"BEGIN;\n{schema}\n{copied}\\echo ==\nCOPY (SELECT * FROM ONLY {full}) TO STDOUT (FORMAT csv, HEADER);\n\\echo ==\n{described}\nROLLBACK;"
        try:
            got = self.server.run("again", script).split(b"==\n")
        except RuntimeError as e:
            self.say(f"schema.sql of {folder!r} does not work: {e}")
            return
        if copied and is_plain:
            want = self.server.run("fuzz", f"COPY (SELECT * FROM ONLY {full}) TO STDOUT (FORMAT csv, HEADER);")
            if sorted(got[-2].split(b"\n")) != sorted(want.split(b"\n")):
                self.say(f"rows of {folder!r} are others after the way back")
        want = self.server.run("fuzz", described)
        if is_plain and got[-1] != want:
            self.say(f"{folder!r} is described as {got[-1].decode()}, it was {want.decode()}")

    def judge(self, relations, said):
        for (database, schema, name, kind), text in zip(relations, said):
            folder = f"{database}/{encoded(schema)}.{encoded(name)}"
            full = f"{quoted(schema)}.{quoted(name)}"
            self.judge_rows(folder, kind, text)
            if kind == "r" and schema not in OURS:
                self.judge_dead(folder, text)
                self.judge_again(folder, full, text, name not in ("heir",) and not name.startswith("part_"))


def one_round(server, pgdata, mnt, seed):
    rng = random.Random(seed)
    for db in ("fuzz", "again"):
        server.run("postgres", f"DROP DATABASE IF EXISTS {db};\nCREATE DATABASE {db};")
    script = "\n".join(make_script(rng))
    if os.environ.get("PG_RANDOM_SCRIPT"):
        with open(os.environ["PG_RANDOM_SCRIPT"], "w") as f:
            f.write(script)
    server.run("fuzz", script, stop=False)
    if os.environ.get("PG_RANDOM_SCRIPT"):
        with open(os.environ["PG_RANDOM_SCRIPT"] + ".err", "w") as f:
            f.write(server.errors)
    run_sessions(server, rng)
    judge = Judge(server, mnt, seed)
    relations = judge.relations()
    for schema in {s for _, s, _, _ in relations if s not in OURS + ("public",)}:
        server.run("again", f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)};")
    said = judge.copies(relations)
    server.run("postgres", "CHECKPOINT;")
    subprocess.run(["pagefs", "-o", "live", pgdata, mnt], check=True, stderr=subprocess.DEVNULL)
    try:
        judge.judge(relations, said)
    finally:
        subprocess.run(["umount.fuse.pagefs", mnt], check=True)
    return judge


def main():
    csv.field_size_limit(1 << 30)
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    seed, seconds, pgdata, mnt = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3], sys.argv[4]
    asked = mounted.seed_asked_for()
    if asked is not None:
        seed, seconds = asked, 0
    print(f"PS_SEED={seed}" if seconds == 0 else f"PS_SEED={seed} and those that follow", flush=True)
    server = Server(pgdata)
    end = time.monotonic() + seconds
    rounds = compared = wrong = 0
    while True:
        judge = one_round(server, pgdata, mnt, seed)
        rounds, compared, wrong = rounds + 1, compared + judge.compared, wrong + judge.wrong
        seed += 1
        if time.monotonic() >= end:
            break
    said = server.run("postgres", "CHECKPOINT; SELECT next_multixact_id, split_part(next_xid, ':', 1) FROM pg_control_checkpoint();")
    multixacts, epoch = (int(n) for n in said.decode().split("|"))
    print(f"{rounds} rounds, {compared} tables compared, {wrong} times wrong; {multixacts} multixacts, epoch {epoch} of transactions")
    return 1 if wrong or compared == 0 or multixacts < 3 or epoch == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
