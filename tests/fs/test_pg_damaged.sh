#!/bin/bash
# The corpus' cluster with each damage that was once tried on a real server, as mounts show it.
. "$(dirname "$0")/lib.sh"

tar -xJf "$root/tests/data/pgcorpus.tar.xz" -C "$work" || exit 1
mkdir "$mnt"
check "each damage costs what it hit, and is told where it is" \
    python3 "$root/tests/fs/pg_damaged.py" "$work/pgcorpus" "$work" "$mnt"
finish
