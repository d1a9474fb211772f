# What the tests of the command line share. Sourced with the folder of the programs as $1.
#
#   check "a sentence that is true" COMMAND...     prints ok or FAIL; goes on
#   finish                                         exit status 1 if a check failed
set -u

bin=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/pagefs-test.XXXXXX")
trap 'at_exit; rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0

# What else a test has to tidy up; it may redefine this.
at_exit()
{
    :
}

pagectl()
{
    "$bin/pagectl" "$@"
}

export bin
export -f pagectl

# sh COMMANDS: as one check; a pipe fails if any part of it does.
sh()
{
    bash -o pipefail -c "$1"
}

check()
{
    local sentence=$1

    shift
    if "$@" >out.check 2>&1; then
        echo "ok   $sentence"
    else
        echo "FAIL $sentence: $*"
        sed 's/^/     /' out.check
        failed=1
    fi
}

# exits STATUS COMMAND...: the command's status is that; its output is in out and err.
exits()
{
    local want=$1 status

    shift
    "$@" >out 2>err
    status=$?
    [ "$status" -eq "$want" ] && return
    echo "exit status $status, not $want"
    cat out err
    return 1
}

# says FILE PATTERN: exactly one line, and it matches.
says_one_line()
{
    [ "$(wc -l <"$1")" -eq 1 ] && grep -qE -- "$2" "$1" && return
    echo "$1 is:"
    cat "$1"
    return 1
}

finish()
{
    exit "$failed"
}
