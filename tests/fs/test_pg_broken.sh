#!/bin/bash
# A PostgreSQL cluster of which one piece after the other is missing or damaged: it costs what
# depends on it, a note names it, and everything else is as the server said it.
. "$(dirname "$0")/lib.sh"
. "$root/tests/support/pg_server.sh"
trap 'pg_stop immediate; leave_nothing' EXIT

# One database beside `postgres`, so that there is little to read each time.
fill()
{
    pg_sql -c 'CREATE DATABASE shop' -c 'UPDATE pg_database SET datistemplate = false' \
        -c 'DROP DATABASE template0' -c 'DROP DATABASE template1' || return 1
    pg_sql -d shop <<'END'
SELECT format('CREATE TABLE t%s (id int PRIMARY KEY, was text, t text, m numeric)', i) FROM generate_series(1, 40) i \gexec
SELECT format('INSERT INTO t%s SELECT k, k, repeat(''row '' || k, 30), k / 7.0 FROM generate_series(1, 30) k', i) FROM generate_series(1, 40) i \gexec
SELECT format('ALTER TABLE t%s DROP COLUMN was', i) FROM generate_series(1, 40) i \gexec
SELECT format('UPDATE t%s SET m = -id WHERE id < 5', i) FROM generate_series(1, 40) i \gexec
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE moods (m mood);
INSERT INTO moods VALUES ('ok');
CHECKPOINT;
END
}

ask()
{
    PG_BIN=$pg_bin PG_SOCKET=$work/pg python3 "$root/tests/fs/pg_broken.py" ask >"$work/facts"
}

break_each()
{
    python3 "$root/tests/fs/pg_broken.py" "$1" "$work/facts" "$pgdata" "$mnt"
}

pg_make -k --locale=C.UTF-8 || exit 1
mkdir "$mnt"
check "the server starts" pg_start
check "it makes tables" fill
check "it says what is in them" ask
check "it stops" pg_stop fast
check "each file that names depend on" break_each files
check "each catalog" break_each catalogs
check "each page of pg_class" break_each pg_class
check "each page of pg_attribute" break_each pg_attribute
finish
