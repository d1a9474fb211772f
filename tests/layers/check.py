#!/usr/bin/env python3
"""Checks that every #include points downwards through the layers; see --help.

A layer may include itself and what lies below it. Headers of pagestore/include are open to all.
"""
import argparse
import pathlib
import re
import sys

BELOW = {
    "base": [],
    "io": ["base"],
    "file": ["io"],
    "wal": ["io"],
    "format": ["base"],
    "pool": ["wal", "format"],
    "alloc": ["pool", "file"],
    "recovery": ["alloc"],
    "store": ["recovery"],
    "pg": ["store"],
    "fs": ["pg"],
    "tools": ["pg"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def reachable(layer):
    seen, todo = set(), [layer]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += BELOW[name]
    return seen


def layer_of(path):
    parts = path.parts
    return parts[1] if parts[0] == "pagestore" else parts[0]


def check_file(root, path, layer, allowed):
    """Yields a line for each #include that is out of order."""
    text = (root / path).read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        target = match.group(1)
        first = target.split("/")[0]
        if first == "pagestore":
            continue
        if "/" not in target:
            if layer not in ("fs", "tools") or not (root / path.parent / target).exists():
                yield f'{path}:{number}: "{target}" does not name its layer'
        elif first not in BELOW:
            yield f'{path}:{number}: "{target}" is of no layer'
        elif first not in allowed:
            yield f'{path}:{number}: {layer} includes "{target}", which is not below it'


def main():
    parser = argparse.ArgumentParser(
        description="Checks that every #include of the sources points downwards through the "
                    "layers. Prints a line for each that does not; exit status 1 if there is one.")
    parser.add_argument("root", nargs="?", default=pathlib.Path(__file__).resolve().parents[2],
                        type=pathlib.Path, help="the project's folder")
    root = parser.parse_args().root
    wrong, count = [], 0
    for folder in ("pagestore", "fs", "tools"):
        for full in sorted((root / folder).rglob("*.[ch]")):
            path = full.relative_to(root)
            layer = layer_of(path)
            count += 1
            if layer == "include":
                wrong += check_file(root, path, "the public interface", set())
                continue
            if layer not in BELOW:
                wrong.append(f"{path}: lies in no layer")
                continue
            wrong += check_file(root, path, layer, reachable(layer))
    for line in wrong:
        print(line)
    if not count:
        print(f"{root}: no sources")
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main())
