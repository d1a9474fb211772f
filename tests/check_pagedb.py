#!/usr/bin/env python3
"""Reads page-db 1.0 page files and verifies every used page.

Usage: check_pagedb.py FILE PAGE_SIZE [TABLE_ID]

This is a reader of its own, written from the format's header table alone, so that it can judge
files that pagestore wrote:

    offset  type  field
    0       u32   magic 0x42444750, the bytes P G D B
    4       u16   version, 1
    6       u16   flags; low 8 bits the page type
    8       u64   page number
    16      u64   LSN of the last change
    24      u32   CRC32C over bytes 0-23 and 28 to the page's end
    28      u32   table id

All integers are little-endian. A page of zeros was never used and is passed over. Without
TABLE_ID any table id is accepted, as long as all used pages carry the same one.

Exit status: 0 every used page is sound, 1 faults (a line each), 2 could not run.
"""
import struct
import sys

HEADER = struct.Struct("<IHHQQII")
MAGIC = 0x42444750
VERSION = 1


def crc32c_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = crc32c_table()


def crc32c(*pieces):
    crc = 0xFFFFFFFF
    for piece in pieces:
        for byte in piece:
            crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def faults_of(page, number, table_id):
    """What is wrong with one used page, as sentences."""
    magic, version, _flags, page_no, _lsn, stored, table = HEADER.unpack_from(page)
    if magic != MAGIC:
        yield f"magic is 0x{magic:08x}, not 0x{MAGIC:08x}"
    if version != VERSION:
        yield f"version is {version}, not {VERSION}"
    if page_no != number:
        yield f"page number is {page_no}, not {number}"
    if table_id is not None and table != table_id:
        yield f"table id is {table}, not {table_id}"
    computed = crc32c(page[:24], page[28:])
    if stored != computed:
        yield f"checksum is 0x{stored:08x}, the bytes give 0x{computed:08x}"


def check(file, page_size, table_id):
    """Prints a line for each fault; returns (used pages, faults)."""
    used = faults = number = 0
    while page := file.read(page_size):
        if len(page) < page_size:
            print(f"page {number}: the file ends after {len(page)} of {page_size} bytes")
            return used, faults + 1
        if any(page):
            used += 1
            for fault in faults_of(page, number, table_id):
                print(f"page {number}: {fault}")
                faults += 1
            if table_id is None:
                table_id = HEADER.unpack_from(page)[6]
        number += 1
    return used, faults


def main(argv):
    if crc32c(b"123456789") != 0xE3069283:
        sys.exit("check_pagedb.py: its own CRC32C is wrong")
    if len(argv) not in (3, 4) or argv[1] in ("-h", "--help"):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        page_size = int(argv[2])
        table_id = int(argv[3]) if len(argv) == 4 else None
        if page_size < HEADER.size or page_size & (page_size - 1):
            raise ValueError(f"page size {page_size} is no power of two")
        with open(argv[1], "rb") as file:
            used, faults = check(file, page_size, table_id)
    except (OSError, ValueError) as error:
        print(f"check_pagedb.py: {error}", file=sys.stderr)
        return 2
    print(f"{used} used pages, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
