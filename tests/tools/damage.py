#!/usr/bin/env python3
"""Stores damaged by someone who can compute checksums.

usage: damage.py BIN [REGEX]

Each case damages a copy of a store that was closed, or of one that crashed. `pagectl verify` must
end with the status and a line that the case names; opening the store must do what the case says;
and nothing may crash, hang, or open a store that verify called unfit. Prints ok or FAIL a case.
"""
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

BIN = os.path.abspath(sys.argv[1])
ONLY = sys.argv[2] if len(sys.argv) > 2 else ''
PAGE = 4096
CONTROL = 'pagestore.control'
TIMEOUT_S = 60
U64_MAX = 0xffffffffffffffff
work = tempfile.mkdtemp(prefix='pagefs-test.', dir=os.environ.get('TMPDIR', '/tmp'))
mounted = []


# --- checksums and bytes ------------------------------------------------------------------------

def crc_table():
    table = []
    for i in range(256):
        for _ in range(8):
            i = (i >> 1) ^ 0x82f63b78 if i & 1 else i >> 1
        table.append(i)
    return table


TABLE = crc_table()


def crc32c(*parts):
    crc = 0xffffffff
    for part in parts:
        for byte in part:
            crc = TABLE[(crc ^ byte) & 255] ^ (crc >> 8)
    return crc ^ 0xffffffff


def edit(path, off, length, change):
    """Has change() work on the bytes [off, off + length) of a file."""
    with open(path, 'r+b') as f:
        f.seek(off)
        data = bytearray(f.read(length))
        change(data)
        f.seek(off)
        f.write(data)


def control(off, fmt, value, copies=(0, 1)):
    def seal(copy):
        struct.pack_into(fmt, copy, off, value)
        struct.pack_into('<I', copy, 12, crc32c(copy[:12], copy[16:]))

    def damage(store):
        for copy in copies:
            edit(f'{store}/{CONTROL}', copy * 4096, 4096, seal)
    return damage


def page(file, number, *fields):
    """fields: (offset, format, value)"""
    def seal(data):
        for off, fmt, value in fields:
            struct.pack_into(fmt, data, off, value)
        struct.pack_into('<I', data, 24, crc32c(data[:24], data[28:]))
    return lambda store: edit(f'{store}/tables/{file}', number * PAGE, PAGE, seal)


def catalog_item(slot, off, new):
    """Changes bytes of an item on the catalog's first page."""
    def change(data):
        at = struct.unpack_from('<I', data, 48 + 8 * (slot - 1))[0]
        data[at + off:at + off + len(new)] = new
        struct.pack_into('<I', data, 24, crc32c(data[:24], data[28:]))
    return lambda store: edit(f'{store}/tables/1.pages', 0, PAGE, change)


def segment(store, which=min):
    return f'{store}/wal/{which(n for n in os.listdir(store + "/wal") if len(n) == 16)}'


def blocks(path):
    with open(path, 'rb') as f:
        data = f.read()
    return [at for at in range(0, len(data), 4096) if data[at:at + 4] == b'PWL1']


def block(which, off, fmt, value):
    def change(data):
        struct.pack_into(fmt, data, off, value)
        struct.pack_into('<I', data, 4, crc32c(data[8:64]))
    return lambda store: edit(segment(store), blocks(segment(store))[which], 64, change)


def record(off, fmt, value):
    """Changes the first record of the last block, and makes every checksum right again."""
    def change(data):
        length = struct.unpack_from('<I', data, 64)[0]
        struct.pack_into(fmt, data, 64 + off, value)
        rec = data[64:64 + length]
        struct.pack_into('<I', data, 68, crc32c(rec[64:], rec[:4], rec[8:64]))
        crcs, at = [], 64
        for _ in range(struct.unpack_from('<I', data, 56)[0]):
            size, crc = struct.unpack_from('<II', data, at)
            crcs.append(struct.pack('<I', crc))
            at += size
        struct.pack_into('<I', data, 60, crc32c(*crcs))
        struct.pack_into('<I', data, 4, crc32c(data[8:64]))
    return lambda store: edit(segment(store), blocks(segment(store))[-1], 65536, change)


def move_page(source, number, target, to):
    def damage(store):
        with open(f'{store}/tables/{source}', 'rb') as f:
            f.seek(number * PAGE)
            data = f.read(PAGE)
        edit(f'{store}/tables/{target}', to * PAGE, PAGE, lambda b: b.__setitem__(slice(None), data))
    return damage


def replace(file, make):
    def damage(store):
        path = segment(store) if file == 'segment' else f'{store}/{file}'
        os.rename(path, store + '/elsewhere')
        make(path)
    return damage


def resize(file, change):
    def damage(store):
        path = f'{store}/{file}'
        if file == 'segment':
            path = segment(store)
        elif file == 'spare segment': # made ahead, behind the log's end
            path = segment(store, max)
            assert path != segment(store)
        os.truncate(path, change(os.path.getsize(path)))
    return damage


def dangling(path):
    os.symlink('/nonexistent/x', path)


# --- the cases ----------------------------------------------------------------------------------

FAULT, SOUND, CANNOT = 1, 0, 2
OPENS, REFUSED, ANY = 'opens', 'refused', None
closed, crashed = 'closed', 'crashed'

# What it is, the store, the damage, verify's exit status, a line of its output, what opening does.
CASES = [
    ('nothing', closed, lambda s: None, SOUND, ': sound;', OPENS),
    ('nothing', crashed, lambda s: None, SOUND, ': needs recovery;', OPENS),

    ('a redo LSN within a block', closed, control(64, '<Q', 1), FAULT, 'no block of the log', REFUSED),
    ('a redo LSN of another block', closed, control(64, '<Q', 4096), FAULT, 'log', REFUSED),
    ('a redo LSN far ahead', closed, control(64, '<Q', U64_MAX - 4095), FAULT, 'do not follow', REFUSED),
    ('a log start behind the redo LSN', closed, control(72, '<Q', 1 << 40), FAULT, 'do not follow', REFUSED),
    ('a durable LSN beyond the log', closed, control(80, '<Q', 1 << 40), FAULT, 'was durable up to LSN', REFUSED),
    ('an end LSN beyond the log', closed, control(88, '<Q', 1 << 40), FAULT, 'closed at', REFUSED),
    ('an end LSN of 0', closed, control(88, '<Q', 0), FAULT, 'closed at 0', REFUSED),
    ('a durable LSN beyond the log', crashed, control(80, '<Q', 1 << 40), FAULT, 'durable up to', REFUSED),
    ('segments of 1 GiB', closed, control(44, '<I', 1 << 30), FAULT, 'a segment of this log has', REFUSED),
    ('segments of 8 MiB', closed, control(44, '<I', 1 << 23), FAULT, 'a segment of this log has', REFUSED),
    ('segments of 8 KiB', closed, control(44, '<I', 8192), FAULT, 'segment size 8192', REFUSED),
    ('pages of 1 KiB', closed, control(40, '<I', 1024), FAULT, 'page size 1024', REFUSED),
    ('an unknown state', closed, control(48, '<I', 7), FAULT, 'state 7 is unknown', REFUSED),
    ('a newer version', closed, control(8, '<I', 2), CANNOT, 'version is 2', REFUSED),
    ('one copy of a generation far ahead', closed, control(32, '<Q', 1 << 40, (0,)), FAULT, 'no write leaves', OPENS),
    ('copies of one generation that differ', closed, control(112, '<Q', 5, (1,)), FAULT, 'and differ', REFUSED),
    ('reserved bytes of the control file', closed, control(2000, '<I', 1), SOUND, 'suspect .* no meaning', OPENS),
    ('one copy cut off', closed, resize(CONTROL, lambda n: 5000), FAULT, 'the file ends after 904', OPENS),
    ('a longer control file', closed, resize(CONTROL, lambda n: n + 1), SOUND, 'suspect .* trailing', OPENS),
    ('no control file', closed, lambda s: os.unlink(f'{s}/{CONTROL}'), FAULT, 'it is missing', REFUSED),

    ('a block at another position', closed, block(-1, 8, '<Q', 0), FAULT, 'log', REFUSED),
    ('a block of a lower incarnation', closed, block(-1, 48, '<I', 0), FAULT, 'log', REFUSED),
    ('a block of no records', closed, block(-1, 56, '<I', 0), FAULT, 'log', REFUSED),
    ('a block of 4 GiB', closed, block(-1, 52, '<I', 0xfffff000), FAULT, 'log', REFUSED),
    ('a record of table 0', crashed, record(64, '<I', 0), FAULT, 'there is no table 0', REFUSED),
    ('a record of the highest page number', crashed, record(68, '<I', 0xffffffff), FAULT, 'has no page 4294967295', REFUSED),
    ('a record of an unknown fork', crashed, record(72, '<H', 9), FAULT, 'has no fork 9', REFUSED),
    ('no segments', closed, lambda s: shutil.rmtree(s + '/wal'), FAULT, 'log', REFUSED),
    ('the first segment cut off', closed, resize('segment', lambda n: 4096), FAULT, 'a segment of this log', REFUSED),
    ('a spare segment cut off', crashed, resize('spare segment', lambda n: 0), SOUND, 'suspect .* it has 0 bytes', OPENS),
    ('a longer segment', closed, resize('segment', lambda n: n + 4096), SOUND, 'suspect .* trailing', OPENS),
    ('another store\'s segment', crashed, lambda s: shutil.copy(segment(f'{work}/other'), segment(s)), FAULT, 'log', REFUSED),

    ('a table\'s item of table 0', closed, catalog_item(3, 0, b'\0\0\0\0'), FAULT, 'table id 0', REFUSED),
    ('two items of one table', closed, catalog_item(3, 0, b'\2\0\0\0'), FAULT, 'table id of item', REFUSED),
    ('an item of an unknown format', closed, catalog_item(3, 4, b'\7'), FAULT, 'format 7', REFUSED),
    ('an item whose name has a slash', closed, catalog_item(3, 16, b'/'), FAULT, 'cannot contain', REFUSED),
    ('the catalog under another name', closed, catalog_item(1, 16, b'xyz'), FAULT, 'the catalog is table 1', REFUSED),
    ('a raw catalog', closed, catalog_item(1, 5, b'\0'), FAULT, 'the catalog is table 1', REFUSED),
    ('a catalog page of another LSN', closed, page('1.pages', 0, (16, '<Q', 1)), FAULT, 'lost-write', REFUSED),

    ('a page from another place', closed, move_page('2.pages', 1, '2.pages', 2), FAULT, 'identity', OPENS),
    ('a page from another table', closed, move_page('3.pages', 1, '2.pages', 1), FAULT, 'identity', OPENS),
    ('a map of another table', closed, move_page('3.map', 0, '2.map', 0), FAULT, 'identity', OPENS),
    ('a longer map file', closed, resize('tables/2.map', lambda n: n + 1), SOUND, 'suspect .* trailing', OPENS),
    ('a shorter table', closed, resize('tables/2.pages', lambda n: PAGE), FAULT, 'used pages in all', OPENS),
    ('counts that do not add up', closed, page('2.map', 0, (48, '<I', 0)), FAULT, 'are counted as 0 used', OPENS),
    ('pages that are all used', closed, page('2.map', 0, (64 + 24, '<Q', 2)), FAULT, 'cannot all be in state', OPENS),

    ('a FIFO for the lock', closed, replace('lock', os.mkfifo), CANNOT, 'not a regular file', REFUSED),
    ('a link for the lock', closed, replace('lock', dangling), CANNOT, 'symbolic link', REFUSED),
    ('a FIFO for the log', closed, replace('segment', os.mkfifo), FAULT, 'log', REFUSED),
    ('a FIFO for a table', closed, replace('tables/2.pages', os.mkfifo), FAULT, 'io', OPENS),
    ('a folder for a map', closed, replace('tables/2.map', os.mkdir), FAULT, 'io', OPENS),
    ('a dangling link for a table', closed, replace('tables/2.pages', dangling), FAULT, 'tables/2.pages', OPENS),
]


# --- running ------------------------------------------------------------------------------------

class Failed(Exception):
    pass


def run(*command):
    try:
        p = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, errors='replace')
    except subprocess.TimeoutExpired:
        raise Failed(f'{" ".join(command[:2])} hangs') from None
    if p.returncode not in (0, 1, 2) or 'Sanitizer' in p.stderr or 'runtime error' in p.stderr:
        raise Failed(f'{" ".join(command[:2])}: status {p.returncode}: {p.stderr}')
    return p


def pagectl(*args):
    return run(f'{BIN}/pagectl', *args)


def must(*args):
    p = pagectl(*args)
    if p.returncode != 0:
        raise Failed(f'pagectl {" ".join(args)}: {p.stderr}')


def check_case(case, number):
    what, base, damage, status, line, opening = case
    store = f'{work}/store{number}'
    subprocess.run(['cp', '-a', '--sparse=always', f'{work}/{base}', store], check=True)
    try:
        damage(store)
        p = pagectl('verify', store)
        if p.returncode != status or not re.search(line, p.stdout + p.stderr):
            raise Failed(f'verify: status {p.returncode}, not {status} with "{line}": '
                         f'{p.stdout}{p.stderr}')
        pagectl('wal', store)
        p = pagectl('recover', store)
        if opening is not ANY and (p.returncode == 0) != (opening == OPENS):
            raise Failed(f'opening: status {p.returncode}: {p.stdout}{p.stderr}')
        if p.returncode != 0 and len(p.stderr.splitlines()) != 1:
            raise Failed(f'opening fails with more or less than a line: {p.stderr}')
    finally:
        shutil.rmtree(store)


# --- through a mount ----------------------------------------------------------------------------

def mount(store):
    point = f'{work}/mnt'
    os.makedirs(point, exist_ok=True)
    p = run(f'{BIN}/pagefs', store, point)
    if p.returncode != 0:
        raise Failed(f'pagefs: {p.stderr}')
    mounted.append((store, point))
    return point


def unmount():
    store, point = mounted.pop()
    subprocess.run(['umount', '-i', '-l', point], check=True)
    subprocess.run(['flock', '-w', str(TIMEOUT_S), store + '/lock', 'true'], check=True)


def kill():
    store, point = mounted.pop()
    with open(store + '/lock', encoding='ascii') as f:
        os.kill(int(f.read()), 9)
    subprocess.run(['umount', '-i', '-l', point], check=True)
    subprocess.run(['flock', '-w', str(TIMEOUT_S), store + '/lock', 'true'], check=True)


def errno_of(call, *args):
    try:
        call(*args)
    except OSError as error:
        return error.errno
    return 0


def check_contradicting_map():
    """EIO for the table whose map contradicts itself; the daemon and the other tables live on."""
    store = f'{work}/map'
    subprocess.run(['cp', '-a', '--sparse=always', f'{work}/closed', store], check=True)
    page('2.map', 0, (48, '<I', 0))(store)
    point = mount(store)
    try:
        for call, args in ((os.unlink, ('raw/0',)), (os.listdir, ('raw',)), (os.mknod, ('raw/77',))):
            if errno_of(call, f'{point}/{args[0]}') != 5:
                raise Failed(f'{call.__name__} of {args[0]} is no EIO')
        with open(f'{point}/other/3', 'r+b') as f:
            f.write(b'fine')
    finally:
        unmount()
        shutil.rmtree(store)


# --- stores -------------------------------------------------------------------------------------

def make_stores():
    store = f'{work}/closed'
    must('init', store, '--page-size', str(PAGE))
    must('create', store, 'raw')
    must('create', store, 'items', '--type', 'slotted')
    must('create', store, 'other')
    with open(f'{work}/lines', 'w', encoding='ascii') as f:
        f.writelines(f'line {i}\n' for i in range(1500))
    must('load', store, 'items', f'{work}/lines')
    point = mount(store)
    for table in ('raw', 'other'):
        for i in range(8):
            with open(f'{point}/{table}/{i}', 'wb') as f:
                f.write(bytes([65 + i]) * PAGE)
    unmount()
    must('init', f'{work}/other', '--page-size', str(PAGE))

    subprocess.run(['cp', '-a', '--sparse=always', store, f'{work}/crashed'], check=True)
    point = mount(f'{work}/crashed')
    fd = os.open(f'{point}/raw/1', os.O_WRONLY | os.O_SYNC)
    os.pwrite(fd, b'written before the crash', 100)
    os.close(fd)
    kill()


def main():
    failed = 0
    make_stores()
    checks = [(f'{c[0]} ({c[1]})', lambda c=c, i=i: check_case(c, i)) for i, c in enumerate(CASES)]
    checks.append(('a mounted table whose map contradicts itself', check_contradicting_map))
    for name, check in checks:
        if not re.search(ONLY, name):
            continue
        try:
            check()
            print(f'ok   {name}', flush=True)
        except (Failed, OSError) as reason:
            failed += 1
            print(f'FAIL {name}: {reason}', flush=True)
    return 1 if failed else 0


try:
    sys.exit(main())
finally:
    while mounted:
        subprocess.run(['umount', '-i', '-l', mounted.pop()[1]], check=False)
    shutil.rmtree(work, ignore_errors=True)
