#!/bin/bash
# The data directory of the corpus, which lacks many files, as PostgreSQL described it when it was whole.
. "$(dirname "$0")/lib.sh"

tar -xJf "$root/tests/data/pgcorpus.tar.xz" -C "$work" || exit 1
corpus=$work/pgcorpus
cluster=$corpus/cluster
export corpus cluster
mkdir "$mnt"

# Rows as COPY printed them, behind ctid, xmin, xmax and cmin; rows that pg_dirtyread calls dead.
compare='
import csv, glob, io
csv.field_size_limit(1 << 30)
def rows(path):
    with open(path, newline="") as f:
        return f.read()
def as_written(path):
    """Records as they stand in the file, quotes and all, split at commas outside of quotes."""
    text, records, fields, start, quoted = rows(path), [], [], 0, False
    for at, c in enumerate(text):
        if c == "\"":
            quoted = not quoted
        elif not quoted and c in ",\n":
            fields.append(text[start:at])
            start = at + 1
            if c == "\n":
                records.append(fields)
                fields = []
    return records
def folder(relation):
    schema = "pg_toast" if relation.startswith("pg_toast_") else "public"
    return f"anchor/{schema}.{relation}/views/"
'

check "it is mounted" pagefs "$cluster" "$mnt"
check "what is missing is told, a line each" \
    sh 'cat anchor/public.t_hot/views/schema.sql >/dev/null && grep -q "^anchor: pg_proc is missing" .pagefs/notes'
check "rows.csv is what COPY printed, of each relation with truth" true_in_python "$compare"'
count = 0
for path in glob.glob(os.environ["corpus"] + "/truth/rows/*.csv"):
    name = os.path.basename(path)[:-4]
    if name.startswith("dirtyread_"):
        continue
    truth = [fields[4:] for fields in as_written(path)]
    found = as_written(folder(name) + "rows.csv")
    assert truth == found, name
    count += len(truth)
assert count > 2000, count'
check "dead.csv has each row that pg_dirtyread calls dead" true_in_python "$compare"'
count = 0
for name in ("t_hot", "t_vac"):
    truth = list(csv.DictReader(io.StringIO(rows(os.environ["corpus"] + f"/truth/rows/dirtyread_{name}.csv"))))
    dead = list(csv.DictReader(io.StringIO(rows(folder(name) + "dead.csv"))))
    columns = [c for c in dead[0] if c != "why"] if dead else []
    found = {tuple(row[c] for c in columns) for row in dead}
    for row in truth:
        if row["dead"] == "t":
            assert tuple(row[c] for c in columns) in found, row
            count += 1
assert count > 0'
check "tuples.csv has each line pointer that pageinspect showed" true_in_python "$compare"'
truth = {}
for row in csv.DictReader(io.StringIO(rows(os.environ["corpus"] + "/truth/heap_page_items.csv"))):
    truth.setdefault((row["fpath"], row["relname"]), []).append(row)
columns = ("lp lp_off lp_flags lp_len t_xmin t_xmax t_field3 t_ctid t_infomask2 t_infomask t_hoff "
           "t_bits t_oid").split()
checked = 0
for (path, name), items in truth.items():
    node = path.split("/")[-1]
    if not path.startswith("base/16384/"):
        continue
    text = rows(f"anchor/.by-filenode/{node}/views/tuples.csv")
    found = {(row["blkno"], row["lp"]): row for row in csv.DictReader(io.StringIO(text))}
    for row in items:
        assert all(found[row["blk"], row["lp"]][c] == row[c] for c in columns), (name, row)
        checked += 1
assert checked > 3000, checked'
check "nothing that is whole has a fault" \
    sh 'for d in anchor/* global/*; do [ ! -d "$d/views" ] || cat "$d"/views/damage; done >"$work/damage"
        ! awk -F "\t" "NF != 7 || \$5 == \"fault\"" "$work/damage" | grep .'
check "pagectl verify agrees" bash -c 'pagectl verify "$cluster" >"$work/verify" && grep -q ": sound;" "$work/verify"'
check "it unmounts" umount.fuse.pagefs "$mnt"

# Files that no catalog names: of a session that is gone, and in a tablespace.
make_orphans()
{
    local space=$cluster/pg_tblspc/99000/PG_15_202209061/16384

    mkdir -p "$space" && cp "$cluster/base/16384/PG_VERSION" "$space" &&
        head -c 8192 /dev/zero | tee "$cluster/base/16384/t3_99999_fsm" "$cluster/base/16384/t3_99999" >"$space/99998"
}
check "some are made" make_orphans
check "pagectl ls calls them as PostgreSQL does, behind their tablespace" \
    bash -c 'pagectl ls "$cluster" 2>"$work/err" | sed -n "s|^anchor/.by-filenode/\([^ ]*\) .*|\1|p" | sort | xargs >"$work/found"
        grep -qx "99000.99998 t3_99999 t3_99999_fsm" "$work/found"'
check "it is mounted with them" pagefs "$cluster" "$mnt"
check "they have these names there" sh 'cd anchor/.by-filenode && ls -d $(sed "s|[^ ]*|&/views|g" "$work/found")'
check "it unmounts, too" umount.fuse.pagefs "$mnt"

finish
