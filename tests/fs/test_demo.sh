#!/bin/bash
# storage_engine_demo inspect-frame on a mount.
. "$(dirname "$0")/lib.sh"

new_store || exit 1
mounted -o pool=4M || exit 1
sh 'mkdir t && head -c 8192 /dev/zero >t/views/image && cat t/0 >/dev/null' || exit 1

frame_of_page()
{
    awk '$2 == 2 && $3 == 0 && $9 == "data" { print $1 }' "$mnt/.pagefs/frames"
}
export -f frame_of_page

check "inspect-frame shows a frame of a live mount" \
    sh 'n=$(frame_of_page) && storage_engine_demo inspect-frame "$n" --mount . |
        grep -x "frame=$n page=0 pin=0 dirty=1 refbit=1"'
check "after a checkpoint it is clean" \
    sh 'sync t && n=$(frame_of_page) && storage_engine_demo inspect-frame "$n" --mount . |
        grep " dirty=0 "'
check "--long adds table, fork and LSN" \
    sh 'storage_engine_demo inspect-frame "$(frame_of_page)" --mount . --long |
        grep -E " usage=[1-9] table=2 fork=data lsn=[1-9][0-9]*$"'
check "a frame that the pool does not have is an error" \
    sh '! storage_engine_demo inspect-frame 512 --mount . 2>"$work/err" &&
        grep "no frame 512: .* has 512" "$work/err"'
unmounted || exit 1
finish
