#!/usr/bin/env python3
"""Damages the corpus' cluster as it once was damaged below a real server, and judges what mounts show.

usage: pg_damaged.py CORPUS WORK MNT

For each variant of truth/corruption.csv, mounted with each on_corrupt: `damage` names the place and
the word; rows.csv and tuples.csv end with EIO where the first row is that cannot be read, or leave
out exactly these rows; page-files and `image` are EIO or the bytes that lie there; everything of
other relations is byte for byte what it is without the damage.
"""
import csv
import errno
import os
import shutil
import subprocess
import sys

PAGE = 8192
WAYS = ("eio", "skip", "serve")
DB = "anchor"

# What of the relation cannot be read: the page itself (no bytes of it are given), its rows as none
# of its line pointers can be believed, single rows, or nothing. And who says what is wrong.
#   variant: (file, block, lp, word, page unreadable, line pointers lost ("all" or a list))
T_HOT = "base/16384/16504"
CASES = {
    "flip_tuple_bit": (T_HOT, 0, "-", "checksum", True, "all"),
    "flip_lsn": (T_HOT, 1, "-", "checksum", True, "all"),
    "flip_checksum": (T_HOT, 2, "-", "checksum", True, "all"),
    "zero_checksum": (T_HOT, 2, "-", "checksum", True, "all"),
    "flip_hole": (T_HOT, 3, "-", "checksum", True, "all"),
    "torn_page": (T_HOT, 2, "-", "checksum", True, "all"),
    "bad_flags_ck_ok": (T_HOT, 0, "-", "header", False, "all"),
    "lower_gt_upper_ck_ok": (T_HOT, 0, "-", "header", False, "all"),
    "version3_ck_ok": (T_HOT, 0, "-", "header", False, []),
    "zero_page_appended": (T_HOT, 4, None, None, False, []),
    "lp_off_beyond_ck_ok": (T_HOT, 0, "1", "lp-range", False, [1]),
    "redirect_to_dead_ck_ok": (T_HOT, 0, "4", "redirect", False, []),
    "natts_2000_ck_ok": (T_HOT, 0, "1", "natts", False, [1]),
    "xmin_future_ck_ok": (T_HOT, 0, "1", "xid-future", False, []),
    "vm_flip": ("base/16384/16526_vm", 0, "-", "checksum", True, []),
    "btree_flip": ("base/16384/16605", 1, "-", "checksum", True, []),
    "btree_order_ck_ok": ("base/16384/16605", 1, None, "order", False, []),
    "pg_control_flip": ("global/pg_control", None, "-", None, False, []),
}


def variants(corpus):
    with open(os.path.join(corpus, "truth", "corruption.csv"), newline="") as f:
        return {row["variant"] for row in csv.DictReader(f) if row["file"]}


def relation_of(corpus, path):
    """The relation whose fork the file is, and its folder's name in the mount."""
    if not path.startswith("base/"):
        return None, None
    with open(os.path.join(corpus, "MANIFEST.csv"), newline="") as f:
        row = next(r for r in csv.DictReader(f) if r["path"] == path)
    main = row["nspname"] + "." + row["relname"]
    fork = path.split("_")[1] if "_" in path else ""
    return main, main + ("." + fork if fork else "")


class Mounted:
    def __init__(self, source, mnt, on_corrupt):
        self.command = ["pagefs", "-o", "on_corrupt=" + on_corrupt, source, mnt]
        self.mnt = mnt

    def __enter__(self):
        subprocess.run(self.command, check=True, stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        subprocess.run(["umount.fuse.pagefs", self.mnt], check=True)


def until_error(path, size=1 << 16):
    """The bytes of a file to its end or its first error, and that error's number."""
    got = bytearray()
    fd = os.open(path, os.O_RDONLY)
    try:
        while True:
            piece = os.read(fd, size)
            if not piece:
                return bytes(got), 0
            got += piece
    except OSError as e:
        return bytes(got), e.errno
    finally:
        os.close(fd)


def views_of(mnt, wanted=None):
    """Every view of relations in the database and in global/, but for what counts accesses, or the
    wanted ones only."""
    texts = {}
    for db in (DB, "global"):
        for relation in sorted(os.listdir(os.path.join(mnt, db))):
            views = os.path.join(mnt, db, relation, "views")
            if relation.startswith(".") or not os.path.isdir(views):
                continue
            for name in sorted(os.listdir(views)):
                if name in ("decoded", "heatmap.svg", "stats.json") or wanted and name not in wanted:
                    continue
                try:
                    texts[f"{db}/{relation}", name] = until_error(os.path.join(views, name))
                except OSError as e:
                    texts[f"{db}/{relation}", name] = (b"", e.errno)
    return texts


def lines_of(text):
    """Records of CSV as they lie there, with their ends."""
    lines, begin, quoted = [], 0, False
    for i, c in enumerate(text):
        if c == 0x22:
            quoted = not quoted
        elif c == 0x0A and not quoted:
            lines.append(text[begin : i + 1])
            begin = i + 1
    return lines


class Judge:
    def __init__(self, corpus, work, mnt):
        self.corpus, self.mnt = corpus, mnt
        self.source = os.path.join(work, "cluster")
        self.wrong = 0
        self.restore()
        self.clean_of = {} # by on_corrupt, as files are missing in the corpus
        for on_corrupt in WAYS:
            with Mounted(self.source, mnt, on_corrupt):
                self.clean_of[on_corrupt] = views_of(mnt)

    def restore(self):
        shutil.rmtree(self.source, ignore_errors=True)
        shutil.copytree(os.path.join(self.corpus, "cluster"), self.source)

    def say(self, text):
        self.wrong += 1
        print(f"{self.variant} on_corrupt={self.on_corrupt}: {text}", flush=True)

    # What a view of CSV should be, from the clean one: (block, line pointer) of each of its lines.

    def places_of(self, relation, view):
        if view == "tuples.csv":
            rows = csv.DictReader(self.clean[relation, view][0].decode().splitlines())
            return [(int(r["blkno"]), int(r["lp"])) for r in rows]
        name = relation.split(".")[-1]
        with open(os.path.join(self.corpus, "truth", "rows", name + ".csv"), newline="") as f:
            return [eval(row["ctid"]) for row in csv.DictReader(f)] # "(0,1)"

    def judge_rows(self, relation, view, block, lost):
        clean, _ = self.clean[relation, view]
        got = until_error(os.path.join(self.mnt, relation, "views", view), 4096)
        lines = lines_of(clean)
        places = self.places_of(relation, view)
        assert len(lines) == len(places) + 1
        bad = [b == block and (lost == "all" or lp in lost) for b, lp in places]
        if self.on_corrupt == "skip" or not any(bad):
            want = lines[0] + b"".join(l for l, is_bad in zip(lines[1:], bad) if not is_bad), 0
        else:
            want = b"".join(lines[: 1 + bad.index(True)]), errno.EIO
        if got != want:
            self.say(f"{view} of {relation}: {len(got[0])} bytes, errno {got[1]}; it should be "
                     f"{len(want[0])} bytes, errno {want[1]}; it ends {got[0][-60:]!r}")

    def judge_pages(self, relation, file, block, unreadable):
        with open(os.path.join(self.source, file), "rb") as f:
            stored = f.read()
        folder = os.path.join(self.mnt, relation)
        refused = unreadable and self.on_corrupt != "serve"
        for n in range(len(stored) // PAGE):
            got = until_error(os.path.join(folder, f"{n:010}"))
            want = (b"", errno.EIO) if refused and n == block else (stored[n * PAGE : (n + 1) * PAGE], 0)
            if got != want:
                self.say(f"page {n} of {relation}: {len(got[0])} bytes, errno {got[1]}")
        got = until_error(os.path.join(folder, "views", "image"), 4096)
        want = (stored[: block * PAGE], errno.EIO) if refused else (stored, 0)
        if got != want:
            self.say(f"image of {relation}: {len(got[0])} bytes, errno {got[1]}")

    def judge_damage(self, main, file, block, lp, word):
        text, error = until_error(os.path.join(self.mnt, DB, main, "views", "damage"))
        lines = [line.split("\t") for line in text.decode().splitlines()]
        faults = [line for line in lines if line[4] == "fault"]
        if error or any(len(line) != 7 for line in lines):
            self.say(f"damage of {main}: errno {error}, {text!r}")
        if word is None and faults:
            self.say(f"damage of {main} has {faults}")
        if word and not any(f[:3] == [main, file, str(block)] and f[5] == word and lp in (None, f[3])
                            for f in faults):
            self.say(f"damage of {main} lacks {word} of {file} block {block} lp {lp}: {lines}")
        if any(f[1:3] != [file, str(block)] for f in faults):
            self.say(f"damage of {main} has faults elsewhere: {faults}")

    def judge_others(self, relations):
        wanted = None if self.on_corrupt == "eio" else ("rows.csv", "dead.csv")
        now = views_of(self.mnt, wanted)
        there = {key for key in self.clean if not wanted or key[1] in wanted}
        if now.keys() != there:
            self.say(f"other files are there: {now.keys() ^ there}")
        for key, text in now.items():
            if key[0] not in relations and text != self.clean.get(key):
                self.say(f"{key[1]} of {key[0]} has changed")

    def judge(self, variant):
        file, block, lp, word, unreadable, lost = CASES[variant]
        main, folder = relation_of(self.corpus, file)
        if main is None:
            self.judge_others([])
            return
        self.judge_pages(f"{DB}/{folder}", file, block, unreadable)
        self.judge_damage(main, file, block, lp, word)
        if file == T_HOT and variant != "xmin_future_ck_ok":
            relation = f"{DB}/{main}"
            self.judge_rows(relation, "rows.csv", block, lost)
            if unreadable:
                self.judge_rows(relation, "tuples.csv", block, lost)
        self.judge_others([f"{DB}/{main}", f"{DB}/{folder}"])

    def every_way(self, variant):
        self.variant = variant
        recipe = os.path.join(self.corpus, "recipe", "apply.py")
        subprocess.run([sys.executable, recipe, self.source, variant], check=True)
        for self.on_corrupt in WAYS:
            self.clean = self.clean_of[self.on_corrupt]
            with Mounted(self.source, self.mnt, self.on_corrupt):
                self.judge(variant)
        self.restore()


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    corpus, work, mnt = sys.argv[1:]
    if variants(corpus) != set(CASES):
        sys.exit(f"other variants than expected: {variants(corpus) ^ set(CASES)}")
    judge = Judge(corpus, work, mnt)
    for variant in CASES:
        judge.every_way(variant)
    print(f"{len(CASES)} variants, {judge.wrong} times wrong")
    return 1 if judge.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
