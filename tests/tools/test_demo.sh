#!/bin/bash
# storage_engine_demo: workloads that repeat, what they report, frames, wrong usage.
readme=$(realpath "$(dirname "$0")/../../README.md")
. "$(dirname "$0")/lib.sh"

demo()
{
    "$bin/storage_engine_demo" "$@"
}

# small ARGUMENT...: a workload of a second or less; its frames stay in this test's folder.
small()
{
    demo workload --ops 3000 --pages 400 --frames 64 --state "$work/frames" "$@"
}

wrong_usage()
{
    exits 2 demo "$@" && says_one_line err '^storage_engine_demo' && [ ! -s out ]
}

# fails PATTERN ARGUMENT...: exit status 1, and one line that says why.
fails()
{
    local pattern=$1

    shift
    exits 1 demo "$@" && says_one_line err "$pattern"
}

line()
{
    small "$@" | head -1
}

# metric NAME: its value in what `small --format csv` has left in csv.
metric()
{
    awk -F, -v name="$1" '$1 == name { print $2 }' csv
}

export TMPDIR=$work/tmp
mkdir "$TMPDIR"
export -f demo small line metric
export work readme

check "--help names the commands" sh "demo --help | grep '^  workload ' &&
    demo --help | grep '^  inspect-frame '"
check "--version prints the program's name and a version" \
    sh "demo --version | grep -E '^storage_engine_demo [0-9]+\.[0-9]+'"
for c in workload inspect-frame; do
    check "$c --help prints its usage" sh "demo $c --help | grep '^usage: storage_engine_demo $c '"
    check "$c with an unknown option is wrong usage" wrong_usage $c --no-such-option
done
check "no command is wrong usage" wrong_usage
check "an unknown command is wrong usage" wrong_usage frobnicate
check "a word is wrong usage of workload" wrong_usage workload 5
while read -r arguments; do
    # shellcheck disable=SC2086 # several words
    check "$arguments is wrong usage" wrong_usage workload $arguments
done <<'END'
--ops 0
--ops x
--ops
--seed -1
--frames 15
--frames 16 --hold 1
--threads 0
--pages 0
--page-size 5000
--page-size 2K
--writes 101
--skew 1
--skew nan
--profile walk
--policy nobody
--format xml
--io tape
--trace-in t --profile scan
END
check "inspect-frame without a frame is wrong usage" wrong_usage inspect-frame
check "inspect-frame of two frames is wrong usage" wrong_usage inspect-frame 1 2
check "a frame that is no number is wrong usage" wrong_usage inspect-frame x
check "a mount and a state file together are wrong usage" \
    wrong_usage inspect-frame 1 --mount . --state f
check "before any workload there are no frames" \
    fails 'No such file.*storage_engine_demo workload' inspect-frame 1 --state "$work/frames"

for profile in mixed random scan; do
    check "$profile begins with hit rate, evictions and flushes" \
        sh "line --profile $profile |
            grep -xE 'hit_rate=[01]\.[0-9]{3} evictions=[1-9][0-9]* dirty_flushes=[0-9]+'"
    check "$profile gives the same line for the same seed, and leaves the same frames" \
        sh "line --profile $profile --seed 3 --sync 500 >one; cp frames frames.one
            line --profile $profile --seed 3 --sync 500 | cmp - one && cmp frames frames.one"
done
for policy in clock lru 2q s3fifo arc adaptive; do
    demo workload --ops 1 --pages 1 --policy $policy --state frames >/dev/null 2>&1 || continue
    check "policy $policy gives the same line for the same seed" \
        sh "line --policy $policy >one && line --policy $policy | cmp - one"
done
check "README.md shows what the demo prints" \
    sh "demo workload --profile mixed --ops 100000 --seed 1 --state frames >out &&
        grep -qxF \"    \$(head -1 out)\" \"\$readme\" &&
        grep -qxF \"    \$(demo inspect-frame 87 --state frames)\" \"\$readme\""
check "another seed gives another line" sh "! line --seed 4 | cmp -s - <(line --seed 3)"
check "a scan of more pages than frames never hits" \
    sh "line --profile scan | grep '^hit_rate=0.000 '"
check "a table that fits the pool misses each page once" \
    sh "small --profile scan --pages 50 --format csv >csv && [ \$(metric misses) = 50 ] &&
        [ \$(metric hits) = 2950 ]"
check "a scan writes nothing, unless told to" \
    sh "small --profile scan --format csv >csv && [ \$(metric writes) = 0 ] &&
        small --profile scan --writes 100 --format csv >csv && [ \$(metric reads) = 0 ]"
check "latencies of reads, writes, misses and pins have their percentiles" \
    sh "small >out
        head -3 out | tail -1 | grep -xE 'us +count +p50 +p90 +p99 +p99.9 +max' &&
        for what in read write miss pin; do
            grep -E \"^\$what +[1-9][0-9]*( +[0-9]+\\.[0-9]){5}\$\" out || exit 1
        done"
check "CSV has two columns, and counts that add up" \
    sh "small --format csv >csv && ! awk -F, 'NF != 2' csv | grep . &&
        [ \$((\$(metric reads) + \$(metric writes))) = 3000 ] &&
        [ \$((\$(metric hits) + \$(metric misses))) = 3000 ] &&
        [ \"\$(metric miss_count)\" = \"\$(metric misses)\" ] &&
        [ \"\$(metric pin_count)\" = \"\$(metric reads)\" ]"
check "JSON has the same metrics" \
    sh "small --format csv >csv && small --format json | jq -e --arg evictions \$(metric evictions) \
        '.evictions == (\$evictions | tonumber) and (.samples | length) == 20 and .hit_rate > 0'"
check "the heatmap shows each page where it lies" \
    sh "small --profile scan --pages 128 --ops 64 --heatmap | tail -2 >map &&
        grep -x '         0 |@\{64\}|' map && grep -x '        64 | \{64\}|' map"
check "pins that are held are in the way of eviction" \
    sh "small --hold 30 --format csv >csv && [ \$(metric eviction_retries_pinned) -gt 0 ] &&
        [ \$(awk '\$4 == 1' frames | wc -l) -gt 10 ]"
check "several threads do all accesses" \
    sh "small --threads 4 --hold 4 --format csv >csv && [ \$(metric ops) = 3000 ]"
check "a sync every 500 accesses makes six" \
    sh "small --sync 500 --format csv >csv && [ \$(metric syncs) = 6 ]"

check "a trace replays to the same line" \
    sh "line --trace-out trace >one && [ \$(grep -cE '^[rw] [0-9]+$' trace) = 3000 ] &&
        demo workload --frames 64 --pages 400 --state frames --trace-in trace | head -1 | cmp - one"
check "a trace of more threads has every access once" \
    sh "small --threads 3 --trace-out trace >/dev/null && [ \$(grep -cE '^[rw] ' trace) = 3000 ]"
printf 'r 1\nread 2\n' >bad
check "a wrong line of a trace is named" fails 'bad:2: .*read 2' workload --trace-in bad
echo 'r 500' >far
check "a page of a trace that the table does not have is named" \
    fails 'page 500 ' workload --trace-in far --pages 400
check "a trace that is not there is named" \
    fails '^storage_engine_demo: nobody: ' workload --trace-in nobody

small >/dev/null
check "inspect-frame prints a frame" \
    sh "demo inspect-frame 7 --state frames |
        grep -xE 'frame=7 page=[0-9]+ pin=[0-9]+ dirty=[01] refbit=[01]'"
check "inspect-frame says what the last workload left, for every frame" \
    sh "for n in \$(seq 0 63); do demo inspect-frame \$n --state frames || exit 1; done >all
        awk 'NR > 1 { print \"frame=\" \$1 \" page=\" \$3 \" pin=\" \$4 \" dirty=\" \$5 \
            \" refbit=\" (\$6 > 0) }' frames | cmp - all"
check "frames without a page have none" \
    sh "small --pages 10 >/dev/null && demo inspect-frame 63 --state frames |
        grep -x 'frame=63 page=- pin=0 dirty=0 refbit=0'"
check "a frame that is not there is named" \
    fails 'no frame 64: .* has 64' inspect-frame 64 --state frames
check "frames go where XDG_STATE_HOME says unless told otherwise" \
    sh "export XDG_STATE_HOME=\$work/state; demo workload --ops 10 --pages 10 >/dev/null &&
        [ -s state/pagefs/demo-frames ] && demo inspect-frame 0 | grep '^frame=0 '"
mkfifo pipe
check "frames take no other thing's name" \
    fails 'pipe: not a regular file' workload --ops 10 --pages 10 --state pipe
check "which is left as it was" sh "[ -p pipe ] && [ ! -e pipe.new ]"
check "a mount that is none is named" fails 'is a store mounted there' inspect-frame 0 --mount .

check "a store that is named is kept, and sound" \
    sh "small --store st >/dev/null && pagectl verify st &&
        pagectl ls st | grep '^storage_engine_demo '"
check "it is used again, for the same line" sh "line --store st | cmp - <(line)"
check "its page size is not changed" fails 'pages of 8192 bytes' workload --store st --page-size 4K
mkdir other
touch other/file
check "a folder of other things is not made a store" fails 'other: not empty' workload --store other
check "an interrupted workload says so, and exits with 130" \
    exits 130 timeout --preserve-status -s INT -k 60 1 "$bin/storage_engine_demo" workload \
    --ops 1G --pages 100 --state frames
check "in one line" says_one_line err ': interrupted$'
check "temporary stores are gone" sh "[ -z \"\$(ls -A '$TMPDIR')\" ]"
check "the manual page formats without a warning" \
    sh "[ -z \"\$(man -l --warnings '$root/tools/man/storage_engine_demo.1' 2>&1 >/dev/null)\" ]"
finish
