#!/usr/bin/env python3
"""pg_page_seeds.py FOLDER: seeds of fuzz_pg_page, pages of each kind of the corpus."""
import csv, io, pathlib, sys, tarfile

PAGE = 8192
HERE = pathlib.Path(__file__).parent
KINDS = {"heap": 1, "btree": 2, "hash": 3, "gin": 4, "gist": 5, "spgist": 6, "brin": 7}
PAGES_A_KIND = 24


def kind_of(row):
    if "_fsm" in row["path"]:
        return 9
    if "_vm" in row["path"]:
        return 10
    return 8 if row["relkind"] == "S" else KINDS.get(row["amname"], 0)


def main(folder):
    written = {}
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(HERE.parent / "data" / "pgcorpus.tar.xz") as tar:
        manifest = io.TextIOWrapper(tar.extractfile("pgcorpus/MANIFEST.csv"))
        for row in csv.DictReader(manifest):
            if not row["relname"]:
                continue
            kind, data = kind_of(row), tar.extractfile("pgcorpus/cluster/" + row["path"]).read()
            for block in range(0, len(data) // PAGE):
                if written.get(kind, 0) >= PAGES_A_KIND and block > 2:
                    break
                written[kind] = written.get(kind, 0) + 1
                seed = bytes([kind, 1 | (block << 2 & 0xFC)]) + data[block * PAGE : (block + 1) * PAGE]
                name = row["path"].replace("/", "-") + f".{block}"
                (folder / name).write_bytes(seed)


if len(sys.argv) != 2:
    sys.exit(__doc__)
main(pathlib.Path(sys.argv[1]))
