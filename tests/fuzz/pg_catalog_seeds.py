#!/usr/bin/env python3
"""pg_catalog_seeds.py FOLDER: seeds of fuzz_pg_catalog, changes of each kind to each of its files."""
import pathlib, random, struct, sys

FILES = 57  # of support/pg_small.c
ITEM, ITEM_2, LINE_POINTER, TWICE, PAGE, PLAIN, COPY_PAGE, GROW, CUT, REMOVE = range(10)
WIDE, NARROW, BYTE = 0, 10, 20  # added to the kind: values of 4, 2, 1 bytes
ROWS, DEAD, UNDECIDED, SCHEMA, TUPLES, DAMAGE, ALL_DAMAGE, ORPHANS = (1 << i for i in range(8))
SKIP, SERVE, UNSEALED, FOLLOW_LINKS, BY_ITSELF = 1 << 8, 1 << 9, 1 << 12, 1 << 13, 1 << 14
EACH_RELATION = 0
CATALOGS = range(8, 24)
VALUES = [0, 1, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 16384, 16497, 16511, 3]
HEADER_FIELDS = [0, 4, 8, 12, 14, 16, 18, 20, 22]  # xmin, xmax, cid, ctid, infomasks, hoff
REDIRECT = 2 << 15
LABEL = b"START WAL LOCATION: 0/2B000028 (file 00000001000000000000002B)\nSTART TIMELINE: 1\n"


def change(kind, file, page=0, item=0, at=0, value=0):
    return struct.pack("<BBBBHI", kind, file, page, item, at, value)


def text(file, what):
    what += b"\n" * (-len(what) % 4)
    return b"".join(
        change(PLAIN, file, at=i, value=struct.unpack_from("<I", what, i)[0]) for i in range(0, len(what), 4)
    )


def changes():
    dice = random.Random(15)
    yield b""
    for file in range(FILES):
        yield change(REMOVE, file)
        yield change(CUT, file, value=dice.randrange(9000))
        yield change(GROW, file, value=dice.choice([1, 131072, 0x7FFFFFFF]))
        yield change(COPY_PAGE, file, page=dice.randrange(4), value=dice.randrange(FILES))
        yield b"".join(change(LINE_POINTER, file, 0, i, value=(i + 1) % 9 + 1 | REDIRECT) for i in range(9))
        yield change(TWICE, file, 0, dice.randrange(40), dice.randrange(40))
        for at in dice.sample(HEADER_FIELDS, 2):
            yield change(ITEM + NARROW, file, dice.randrange(4), dice.randrange(40), at, dice.choice(VALUES))
        for _ in range(8 if file in CATALOGS else 1):
            width = dice.choice([WIDE, NARROW, BYTE])
            yield b"".join(
                change(ITEM + width, file, dice.randrange(4), dice.randrange(60), 24 + dice.randrange(160), dice.choice(VALUES))
                for _ in range(dice.randrange(1, 6))
            )
            yield change(PAGE + width, file, dice.randrange(4), 0, dice.randrange(8192), dice.choice(VALUES))
            yield change(PLAIN + width, file, at=dice.randrange(300), value=dice.choice(VALUES))
    yield text(46, LABEL)
    yield text(47, b"1\n/\n1795132800\n")
    yield text(3, b"14\n")


def ways():
    """What is read of the sound cluster."""
    for what in [ROWS, DEAD, UNDECIDED, SCHEMA, TUPLES, DAMAGE, ALL_DAMAGE, ORPHANS, UNSEALED, FOLLOW_LINKS]:
        yield what, EACH_RELATION
    for which in range(1, 41):
        yield ROWS | SCHEMA | DAMAGE, which
    for which in range(6):
        yield BY_ITSELF | ROWS | SCHEMA | TUPLES, which


def main(folder):
    dice = random.Random(17)
    folder.mkdir(parents=True, exist_ok=True)
    for i, (how, which) in enumerate(ways()):
        (folder / f"way{i:02}").write_bytes(struct.pack("<HBB", how, which, 0))
    for i, changed in enumerate(changes()):
        how = dice.choice([ROWS, DEAD, UNDECIDED, SCHEMA, TUPLES, DAMAGE, ALL_DAMAGE, ORPHANS])
        how |= dice.choice([0, 0, 0, SKIP, SERVE, BY_ITSELF])
        head = struct.pack("<HBB", how, dice.randrange(1, 41), dice.choice([0, 0, 0, 3]))
        (folder / f"change{i:04}").write_bytes(head + changed)


if len(sys.argv) != 2:
    sys.exit(__doc__)
main(pathlib.Path(sys.argv[1]))
