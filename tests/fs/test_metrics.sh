#!/bin/bash
# What explains the engine to people and to Prometheus: metrics, latencies, heat maps.
. "$(dirname "$0")/lib.sh"

metrics_check()
{
    python3 "$root/tests/fs/metrics_check.py" "$@"
}
# value SAMPLE: what the sample of this name and labels is now
value()
{
    grep -F "$1 " .pagefs/metrics | awk '{ print $2 }'
}
# picture FILE CODE: CODE sees `cells`, a list of attributes by name, and `texts`
picture()
{
    python3 -c '
import os, re, sys
import xml.etree.ElementTree as xml
os.chdir(os.environ["mnt"])
svg = "{http://www.w3.org/2000/svg}"
top = xml.parse(sys.argv[1]).getroot()
texts = ["".join(t.itertext()) for t in top.iter(svg + "text")]
cells = []
for g in top.find(svg + "g[@id=\"cells\"]"):
    heat, marks = [u.get("href")[1:] for u in g.findall(svg + "use")]
    first, last, accesses, resident, dirty, free, corrupt = map(
        int, re.findall(r"\d+", g.find(svg + "title").text))
    cells.append(dict(heat=heat, bar=int(marks[1]), dot=int(marks[2]), cross=int(marks[3]),
                      first=first, last=last, accesses=accesses, resident=resident, dirty=dirty,
                      free=free, corrupt=corrupt))
'"$2" "$1"
}
export root
export -f metrics_check value picture

new_store || exit 1
mounted -o pool=4M || exit 1
sh 'mkdir t && head -c $((100 * 8192)) /dev/urandom | dd of=t/views/image bs=1M && sync t' ||
    exit 1

check "metrics are what Prometheus takes" \
    sh 'cp .pagefs/metrics "$work/metrics" && metrics_check "$work/metrics" pagefs_info \
            pagefs_pool_hits_total pagefs_read_duration_seconds pagefs_write_back_duration_seconds \
            pagefs_fsync_duration_seconds pagefs_table_page_reads_total pagefs_table_info'
check "the checker refuses what is wrong" \
    sh 'wrong() { sed "$1" "$work/metrics" >"$work/wrong"; ! metrics_check "$work/wrong"; }
        wrong "0,/^# TYPE/ { /^# TYPE/d }" && wrong "/le=\"+Inf\"/d" && wrong "\$s/ [0-9]*\$/ x/" &&
        wrong "s/_hits_total/_hits/" && wrong "s/table=\"t\"/table=\"t/" && wrong "\$p" &&
        wrong "0,/^pagefs_pool/ { /^pagefs_pool/h; }; \$G" && ! metrics_check "$work/metrics" absent'
check "every number of stats is in metrics" \
    sh 'awk "/^(read|write|write_back|fsync|io_[a-z]+(_durable)?)_(count|p[0-9]+_us|max_us) / { next }
             \$2 ~ /^[0-9]+\$/ { sub(/_us\$/, \"_seconds\", \$1); print \$1 }" .pagefs/stats |
            while read -r name; do
                grep -Eq "^pagefs_${name}(_total)? " .pagefs/metrics || { echo "$name"; exit 1; }
            done'
check "what is a word in stats is a label" \
    sh 'grep "^pagefs_info{" .pagefs/metrics | grep -q "state=\"read_write\".*pool_policy=\"s3fifo\"" &&
        grep -q "^pagefs_table_info{id=\"2\",table=\"t\",format=\"native\",type=\"raw\"" \
            .pagefs/metrics'
check "counters grow with what they count" \
    sh 'was=$(value "pagefs_table_page_reads_total{id=\"2\",table=\"t\"}") &&
        for n in 1 2 3 4 5; do cat t/$n >/dev/null; done &&
        [ "$(value "pagefs_table_page_reads_total{id=\"2\",table=\"t\"}")" = $((was + 5)) ]'
check "only tables that come and go change the length of metrics" \
    sh 'was=$(cat .pagefs/metrics | wc -c) && for n in $(seq 0 99); do cat t/$n; done >/dev/null &&
        sync t && [ "$(cat .pagefs/metrics | wc -c)" = "$was" ] && mkdir u &&
        [ "$(cat .pagefs/metrics | wc -c)" -gt "$was" ] && rmdir u &&
        [ "$(cat .pagefs/metrics | wc -c)" = "$was" ]'
check "names of tables are escaped" \
    true_in_python '
names = [b"a\"b\\c", b"two\nlines", b"\xff\xfe", b"\xfe\xff", "\N{SNOWMAN}".encode()]
for name in names:
    os.mkdir(name)
text = read(".pagefs/metrics").decode()
open(os.environ["work"] + "/odd", "w", newline="").write(text)
for shown in ["a\\\"b\\\\c", "two\\nlines", "\ufffd\ufffd", "\N{SNOWMAN}"]:
    assert "table=\"" + shown + "\"" in text, shown
for name in names:
    os.rmdir(name)'
check "and Prometheus takes them" metrics_check "$work/odd"

check "stats have percentiles of reads, write-backs and fsyncs" \
    sh 'for what in read write write_back fsync; do
            [ "$(number .pagefs/stats ${what}_count)" -gt 0 ] || exit 1
            last=0
            for rank in p50 p90 p99 p999 max; do
                us=$(number .pagefs/stats ${what}_${rank}_us)
                [ "$us" -ge "$last" ] || { echo "$what $rank: $us after $last"; exit 1; }
                last=$us
            done
            [ "$last" -gt 0 ] || [ "$what" = read ] || exit 1
        done'
check "a slow sync is seen in them" \
    sh 'unmounted || exit 1
        strace -f -qq -o /dev/null -e trace=fdatasync \
            -e inject=fdatasync:delay_enter=300000 pagefs -f "$store" "$mnt" &
        for _ in $(seq 100); do mountpoint -q "$mnt" && break; sleep 0.1; done
        cd "$mnt" && echo x | dd of=t/1 conv=notrunc && sync t/1 &&
            us=$(number .pagefs/stats fsync_max_us) && [ "$us" -ge 300000 ] &&
            [ "$(number .pagefs/stats io_sync_p50_us)" -ge 300000 ]
        status=$?; cd "$work" && umount.fuse.pagefs "$mnt" && wait; exit $status'
mounted -o pool=4M || exit 1
check "a pool of dirty pages makes readers write victims" \
    sh 'head -c 8M /dev/zero | dd of=t/views/image bs=1M conv=notrunc &&
        [ "$(number .pagefs/stats pool_victim_writes)" -gt 0 ] &&
        [ "$(number .pagefs/stats pool_sweep_frames)" -ge \
            "$(number .pagefs/stats pool_evictions)" ] &&
        [ "$(number .pagefs/stats pool_dirty_percent)" -le 100 ]'

# Enough accesses that halving them, which happens every five minutes, changes no answer.
check "a heat map has a cell a page, and says what is free, resident, dirty" \
    sh 'mkdir h && touch h/0 h/1 h/2 h/5 && head -c 8192 /dev/urandom | dd of=h/1 conv=notrunc &&
        sync h && for i in $(seq 150); do cat h/1; done >/dev/null &&
        for i in 1 2 3 4; do echo x | dd of=h/2 conv=notrunc; done && picture h/views/heatmap.svg "
assert [c[\"first\"] for c in cells] == list(range(6)), cells
assert [c[\"free\"] for c in cells] == [0, 0, 0, 1, 1, 0]
assert [c[\"heat\"] == \"hf\" for c in cells] == [False, False, False, True, True, False]
assert cells[1][\"accesses\"] >= 50 and cells[1][\"resident\"] == 1 and cells[1][\"bar\"] == 8
assert cells[2][\"dirty\"] == 1 and cells[2][\"dot\"] == 1 and cells[1][\"dot\"] == 0
assert int(cells[1][\"heat\"][1:]) > int(cells[2][\"heat\"][1:]) > 0
assert cells[0][\"heat\"] == \"h0\"
assert \"h\" in texts and any(\"4 pages\" in t and \"2 free\" in t for t in texts), texts"'
check "it is as long as stat says, whatever its numbers" \
    sh 'was=$(stat -c %s h/views/heatmap.svg) && [ "$(cat h/views/heatmap.svg | wc -c)" = "$was" ] &&
        for i in $(seq 300); do cat h/5; done >/dev/null && [ -z "$(sync h)" ] &&
        [ "$(cat h/views/heatmap.svg | wc -c)" = "$was" ] &&
        [ "$(stat -c %s h/views/heatmap.svg)" = "$was" ]'
check "it cannot be written, and ls -l does not draw it" \
    sh 'fails_with EPERM "fd(\"h/views/heatmap.svg\", os.O_WRONLY)" &&
        ls -l h/views | grep -q heatmap.svg'
check "an empty table has a picture too" \
    sh 'mkdir e && picture e/views/heatmap.svg "assert cells == []" &&
        [ "$(stat -c %s e/views/heatmap.svg)" = "$(cat e/views/heatmap.svg | wc -c)" ]'
check "names are escaped in it" \
    true_in_python '
import xml.etree.ElementTree as xml
names = [b"<a&b>\"c\x27", b"bell\x07\x1b", b"\xff\xfe", "\N{SNOWMAN}\uffff".encode(), b"]]>"]
for name in names:
    os.mkdir(name)
    path = name + b"/views/heatmap.svg"
    text = read(path)
    assert len(text) == os.stat(path).st_size
    titles = [t.text for t in xml.fromstring(text).iter("{http://www.w3.org/2000/svg}title")]
    want = name.decode(errors="replace").translate({7: "\ufffd", 27: "\ufffd", 0xffff: "\ufffd"})
    assert titles[0] == "Heat map of " + want, (titles[0], want)
    os.rmdir(name)'
check "a table of a million pages has a picture of less than a megabyte, at once" \
    sh 'mkdir m && truncate -s $((1000000 * 8192)) m/views/image &&
        timeout 5 cp m/views/heatmap.svg "$work/m.svg" &&
        [ "$(stat -c %s "$work/m.svg")" -lt $((1 << 20)) ] && picture "$work/m.svg" "
assert len(cells) == 3907 and cells[0][\"last\"] == 255 and cells[-1][\"last\"] == 999999"'
check "a damaged page is crossed out once it was met, until it is written" \
    sh 'unmounted && pagectl poke "$store" h 1 5000 ff00ff00 && mounted && cd "$mnt" &&
        picture h/views/heatmap.svg "assert not any(c[\"cross\"] for c in cells)" &&
        fails_with EIO "read(\"h/1\")" && picture h/views/heatmap.svg "
assert [c[\"cross\"] for c in cells] == [0, 1, 0, 0, 0, 0]" &&
        head -c 8192 /dev/urandom >"$work/page" && dd if="$work/page" of=h/1 bs=8192 conv=notrunc &&
        picture h/views/heatmap.svg "assert not any(c[\"cross\"] for c in cells)"'
check "unmounting leaves a sound store" sh 'unmounted && pagectl verify "$store"'
finish
