#!/bin/bash
# Runs the fuzz targets for a while; see --help.
set -u -o pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/packages.sh"

usage()
{
    cat <<'END'
usage: tests/fuzz/run.sh [--seconds N] [--afl] [NAME...]

Builds the targets of tests/fuzz under AddressSanitizer and UndefinedBehaviorSanitizer and runs each
(or those that are named: fuzz_pg_page) for N seconds (20), with memory capped. What is tried begins
with seeds from tests/data and what earlier runs kept, in build-tests/fuzz*/corpus.

  --seconds N   how long each
  --afl         by AFL++ (which is installed if it is missing) instead of libFuzzer

A line a target: how many inputs were tried. Exit status 1: one ended a target; it is named, and lies
in build-tests/fuzz*/finds.
END
}

seconds=20
afl=
names=()
while [ $# -gt 0 ]; do
    case $1 in
    --seconds)
        [[ ${2-} =~ ^[1-9][0-9]*$ ]] || { echo "fuzz/run.sh: --seconds needs a number" >&2 && exit 2; }
        seconds=$2
        shift
        ;;
    --afl) afl=1 ;;
    --help | -h) usage && exit 0 ;;
    -*) echo "fuzz/run.sh: no such option: $1" >&2 && usage >&2 && exit 2 ;;
    *)
        [ -e "$root/tests/fuzz/$1.c" ] || { echo "fuzz/run.sh: no such target: $1" >&2 && exit 2; }
        names+=("$1")
        ;;
    esac
    shift
done
if [ ${#names[@]} -eq 0 ]; then
    for file in "$root"/tests/fuzz/fuzz_*.c; do
        names+=("$(basename "$file" .c)")
    done
fi

build=$root/build-tests/fuzz${afl:+-afl}
compiler=clang
run=run_libfuzzer
sanitizers=address,undefined
memory_mb=1024
if [ -n "$afl" ]; then
    install_packages afl++ || exit 1
    compiler=afl-clang-fast
    run=run_afl
else
    sanitizers=fuzzer-no-link,$sanitizers
fi

build_targets()
{
    cmake -S "$root" -B "$build" -G Ninja -DCMAKE_C_COMPILER="$compiler" -DPS_FUZZ=ON -DPS_BENCH=OFF \
        -DPS_SANITIZE="$sanitizers" && ninja -C "$build" "${names[@]}"
}

# A folder with something in it to begin with.
seeds_of()
{
    local dir=$build/corpus/$1

    mkdir -p "$dir"
    if [ -e "$root/tests/fuzz/${1#fuzz_}_seeds.py" ]; then
        "$root/tests/fuzz/${1#fuzz_}_seeds.py" "$dir" || return 1
    fi
    [ -n "$(ls -A "$dir")" ] || head -c 64 /dev/zero >"$dir/zeros"
    echo "$dir"
}

run_libfuzzer()
{
    "$build/tests/$1" -max_total_time="$seconds" -max_len=33000 -timeout=10 -rss_limit_mb=$memory_mb \
        -malloc_limit_mb=$((memory_mb / 2)) -artifact_prefix="$build/finds/$1-" -print_final_stats=1 "$2" \
        >"$build/$1.log" 2>&1 || return 1
    sed -n "s/^stat::number_of_executed_units: */$1: inputs tried: /p" "$build/$1.log"
}

# Reserves address space for its shadow: memory is capped by what it may allocate.
run_afl()
{
    local out=$build/finds/$1 crashes

    rm -rf "$out"
    AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_UI=1 AFL_NO_AFFINITY=1 \
        ASAN_OPTIONS=abort_on_error=1:symbolize=0:detect_leaks=0:max_allocation_size_mb=$memory_mb \
        afl-fuzz -V "$seconds" -m none -t 10000+ -i "$2" -o "$out" -- "$build/tests/$1" \
        >"$build/$1.log" 2>&1 || return 1
    crashes=$(find "$out" -path '*/crashes/id*' -o -path '*/hangs/id*' | wc -l)
    awk -v name="$1" '$1 == "execs_done" { print name ": inputs tried: " $3 }' "$out/default/fuzzer_stats"
    [ "$crashes" -eq 0 ]
}

mkdir -p "$build"
build_targets >"$build/build.log" 2>&1 || { cat "$build/build.log" && exit 1; }
mkdir -p "$build/finds"
failed=0
for name in "${names[@]}"; do
    seeds=$(seeds_of "$name") && "$run" "$name" "$seeds" && continue
    echo "FAILED $name, see $build/finds:"
    tail -n 40 "$build/$name.log"
    failed=1
done
exit $failed
