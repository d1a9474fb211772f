#!/bin/bash
# The benchmarks run: not how fast anything is, but that each figure is one of what it says.
. "$(dirname "$0")/lib.sh"

bench=$root/tests/bench/run
built=$(dirname "$bin")
export bench built

# is_svg FILE: well-formed, and an image of some size.
is_svg()
{
    python3 - "$1" <<'END'
import sys, xml.etree.ElementTree
root = xml.etree.ElementTree.parse(sys.argv[1]).getroot()
assert root.tag.endswith("svg") and float(root.get("width")) > 100, root.attrib
END
}

# nothing_is_left FOLDER: neither in it nor mounted below it.
nothing_is_left()
{
    [ -z "$(ls -A "$1")" ] && ! grep -F "$1" /proc/self/mounts
}

# tables_of FOLDER: those that are mounted below it, but for the catalogs.
tables_of()
{
    find "$1" -mindepth 3 -maxdepth 3 -fstype fuse.pagefs ! -name pagestore_catalog ! -name .pagefs 2>/dev/null
}

# ended_by_sigterm: a run that works in a mount.
ended_by_sigterm()
{
    local pid

    "$bench" --smoke --only mount --built "$built" --dir "$work/ended" --out "$work/out.ended" >ended.log 2>&1 &
    pid=$!
    until [ -n "$(tables_of "$work/ended")" ]; do
        kill -0 "$pid" || { cat ended.log && return 1; }
        sleep 0.02
    done
    kill -TERM "$pid"
    wait "$pid"
    [ $? = 1 ]
}

check "--help names the options and the groups" \
    sh '"$bench" --help >help && for word in --quick --only --rounds --dir pool mount durable; do
            grep -q -e "$word" help || exit 1
        done'
check "a group that is not there is wrong usage" exits 2 "$bench" --smoke --only nonsense
check "no rounds at all are wrong usage" exits 2 "$bench" --smoke --rounds 0
mkdir files out.bench || exit 1
check "a short run measures what it says" \
    exits 0 "$bench" --smoke --built "$built" --dir "$work/files" --out "$work/out.bench"
check "it writes a table of rows with a peer" \
    sh '[ "$(grep -cE "\| [0-9.]+ \([0-9.]+-[0-9.]+\) \|" out.bench/RESULTS.md)" -ge 5 ]'
check "it draws them" is_svg out.bench/plots/ratios.svg
check "it leaves no file and no mount behind" nothing_is_left "$work/files"
mkdir ended out.ended || exit 1
check "a run that is told to end ends" ended_by_sigterm
check "it closes what it opened" nothing_is_left "$work/ended"
finish
