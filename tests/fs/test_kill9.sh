#!/bin/bash
# The daemon killed at random moments under writers: $KILLS times (40, with PS_LONG=1 200).
. "$(dirname "$0")/lib.sh"

kills=${KILLS:-$((${PS_LONG:-0} ? 200 : 40))}

check "after each of $kills kills what was acknowledged is there, each request whole or not at all" \
    python3 "$root/tests/fs/kill9.py" "$bin" "$kills"
cat out.check
for page_size in 4096 65536 1048576; do
    some=${KILLS:-$((${PS_LONG:-0} ? 100 : 4))}
    check "so it is with pages of $page_size bytes" \
        python3 "$root/tests/fs/kill9.py" "$bin" "$some" "$page_size"
    cat out.check
done
check "recovery that is killed half-way ends where uninterrupted recovery does" \
    python3 "$root/tests/fs/recover_killed.py" "$bin" "$((${PS_LONG:-0} ? 10 : 2))"
cat out.check
finish
