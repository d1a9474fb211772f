#!/bin/bash
# Plants one fault after the other in a copy of the sources and expects a test to fail; see --help.
set -u -o pipefail

unset PS_LONG # a fault is to be noticed by tests as they run every day
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

usage()
{
    cat <<'END'
usage: tests/mutants/run.sh [--check] [--jobs N] [NAME...]

Each NAME.patch in this folder plants one fault. Its first line says what the fault is, its second
one, `Test: PROGRAM`, which test must notice. Without names all are tried, in a temporary copy of
the sources that is built incrementally: first the tests must pass without a fault, then fail with
each. Prints a line a fault; the exit status is 0 if every one was noticed, 1 if one survived or
no longer applies.

  --check     only look whether every patch still applies; builds nothing
  --jobs N    compile N files at a time (default: as many as there are processors)
END
}

check_only=0
jobs=$(nproc)
names=()
while [ $# -gt 0 ]; do
    case $1 in
    --check) check_only=1 ;;
    --jobs)
        shift
        jobs=${1:?--jobs needs a number}
        ;;
    --help | -h)
        usage
        exit 0
        ;;
    -*)
        echo "run.sh: no such option: $1" >&2
        usage >&2
        exit 2
        ;;
    *) names+=("$1") ;;
    esac
    shift
done
if [ ${#names[@]} -eq 0 ]; then
    for patch in "$here"/*.patch; do
        names+=("$(basename "$patch" .patch)")
    done
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/pagefs-mutants.XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
log=$work/log
tree=$work/tree
build=$work/build
mkdir "$tree"
tar -C "$root" -cf - --exclude='./build*' --exclude=./.git . | tar -C "$tree" -xf - || exit 2

# plant NAME [-R]: puts the fault in, or takes it out again.
plant()
{
    patch -p1 --batch --forward --fuzz=0 --no-backup-if-mismatch -r - -d "$tree" "${@:2}" \
        <"$here/$1.patch" >"$log" 2>&1
}

# test_of NAME: the program that must notice.
test_of()
{
    sed -n '2s/^Test: //p' "$here/$1.patch"
}

killed=0
bad=0

# result NAME WORD: one line of the table.
result()
{
    printf '%-32s %-12s %s\n' "$1" "$2" "$(head -1 "$here/$1.patch")"
}

if [ "$check_only" -eq 1 ]; then
    for name in "${names[@]}"; do
        if plant "$name" && plant "$name" -R; then
            continue
        fi
        cat "$log"
        result "$name" "no patch"
        bad=$((bad + 1))
    done
    echo "${#names[@]} faults, $bad do not apply"
    [ "$bad" -eq 0 ]
    exit
fi

programs=$(for name in "${names[@]}"; do test_of "$name"; done | sort -u)
# Warnings are off: a fault may leave a variable unused. Asserts stay on.
if ! cmake -S "$tree" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=None '-DCMAKE_C_FLAGS=-O1 -g -w' \
    -DPS_BENCH=OFF >"$log" 2>&1; then
    cat "$log"
    exit 2
fi
# shellcheck disable=SC2086 # a list of words
if ! ninja -C "$build" -j "$jobs" $programs >"$log" 2>&1; then
    cat "$log"
    exit 2
fi
for program in $programs; do
    if ! timeout 900 "$build/tests/$program" >"$log" 2>&1; then
        cat "$log"
        echo "$program fails without any fault" >&2
        exit 2
    fi
done

for name in "${names[@]}"; do
    program=$(test_of "$name")
    if ! plant "$name"; then
        cat "$log"
        result "$name" "no patch"
        bad=$((bad + 1))
        continue
    fi
    if ! ninja -C "$build" -j "$jobs" "$program" >"$log" 2>&1; then
        cat "$log"
        result "$name" "no build"
        bad=$((bad + 1))
    elif timeout 900 "$build/tests/$program" >"$log" 2>&1; then
        result "$name" SURVIVED
        bad=$((bad + 1))
    else
        result "$name" killed
        [ -z "${MUTANTS_VERBOSE:-}" ] || grep -aE 'ERROR|Assertion' "$log" | head -2
        killed=$((killed + 1))
    fi
    plant "$name" -R || exit 2
done
echo "${#names[@]} faults, $killed killed, $bad not"
[ "$bad" -eq 0 ]
