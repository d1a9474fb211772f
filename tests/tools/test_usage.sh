#!/bin/bash
# pagectl's command lines: help, versions, wrong usage.
. "$(dirname "$0")/lib.sh"

commands="init create drop rename ls stat load verify dump wal recover poke"

wrong_usage()
{
    exits 2 pagectl "$@" && says_one_line err '^pagectl' && [ ! -s out ]
}

check "--help names every command" \
    sh "for c in $commands; do pagectl --help | grep \"^  \$c \" || exit 1; done"
check "--version prints the program's name and a version" \
    sh "pagectl --version | grep -E '^pagectl [0-9]+\.[0-9]+'"
for c in $commands; do
    check "$c --help prints its usage" sh "pagectl $c --help | grep '^usage: pagectl $c '"
    check "$c --version prints a version" sh "pagectl $c --version | grep -E '^pagectl [0-9]'"
    check "$c without arguments is wrong usage, said in one line" wrong_usage "$c"
    check "$c with an unknown option is wrong usage" wrong_usage "$c" s t 1 2 --no-such-option
    check "$c with nine words is wrong usage" wrong_usage "$c" 1 2 3 4 5 6 7 8 9
done
check "no command is wrong usage" wrong_usage
check "an unknown command is wrong usage" wrong_usage frobnicate
check "an option without its value is wrong usage" wrong_usage init s --page-size
check "a page size that is no power of two is refused" wrong_usage init s --page-size 5000
check "a page size of 2K is refused" wrong_usage init s --page-size 2K
check "a page size of 2M is refused" wrong_usage init s --page-size 2M
check "a number of threads that is none is refused" wrong_usage verify s --threads many
check "more threads than can be are refused" wrong_usage verify s --threads 257
check "wrong usage makes nothing" test ! -e s
check "an unknown format is refused" wrong_usage create s t --format oracle
check "an unknown type is refused" wrong_usage create s t --type heap
check "a page that is no number is refused" wrong_usage dump s t x
check "a negative page is refused" wrong_usage dump s t -- -1
check "poke refuses an odd number of hex digits" wrong_usage poke s t 0 0 abc
check "poke refuses what is no hex" wrong_usage poke s t 0 0 zz
check "an empty argument is refused" wrong_usage ls ""
check "the manual page formats without a warning" \
    sh "[ -z \"\$(man -l --warnings '$root/tools/man/pagectl.1' 2>&1 >/dev/null)\" ]"
finish
