# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Two streams of QEMU held against each other.
. "$(dirname "$0")/lib.sh"

q=$data/qemu
xz -dc "$q/plain.xz" >plain
change()
{
	python3 "$here/savevm_change.py" plain "$1" "$2" || fail "the test's stream could not be written"
}

run_expect 0 "$GODWIT" diff plain "$q/plain.xz"
out_has "no difference: 1024 pages and all state are equal"
run_expect 0 "$GODWIT" diff plain - < <(cat plain)
# A machine that was started again has other clocks, and with another vCPU more sections.
run_expect 1 "$GODWIT" diff plain "$q/vcpus.xz"
out_has "section cpu 1: only in B: version 12, 1851 bytes"
out_has "RAM block /rom@etc/acpi/rsdp: 1 byte differs, from 0x10 on: "
out_has "section mc146818rtc 0 cmos_data: 1 byte differs, from 0x5f on: "
out_has "1024 pages are equal"
# The guest has run.
run_expect 1 "$GODWIT" diff plain "$q/compress.xz"
out_has "section cpu 0 env.segs[3].selector: 0x0 in A, 0x1000 in B"
out_has "pfn 0x00000020-0x0000008f (112): contents"
out_has "113 of 1024 pages differ: 113 in contents"
run_expect 1 "$GODWIT" diff --pages plain "$q/compress.xz"
out_has "pfn 0x00000010: contents, "
# Without a description a section is bytes; with that of another stream it has fields.
run_expect 1 "$GODWIT" diff plain "$q/nodesc.xz"
grep -qE "^section mc146818rtc 0: [0-9]+ bytes? differs?, from " out || fail "bytes of a section"
run_expect 1 "$GODWIT" diff --like plain plain "$q/nodesc.xz"
grep -q "^section mc146818rtc 0 update_timer: " out || fail "fields by --like"

# Deltas are applied, pages at fixed places found, and only the contents count.
change deltas deltas
change mapped mapped
change none no-machine
run_expect 1 "$GODWIT" diff deltas none
out_has "machine type: only in A: pc-i440fx-7.2"
out_has "pfn 0x00000001: contents"
out_has "1 difference in state; 1 of 4 pages differ: 1 in contents"
run_expect 1 "$GODWIT" diff --pages mapped deltas
out_has "machine capabilities: mapped-ram in A, nothing in B"
out_has "pfn 0x00000001: contents, 4096 bytes from 0x0 on"
out_has "pfn 0x00000003: contents, 4096 bytes from 0x0 on"
out_has "1 difference in state; 2 of 4 pages differ: 2 in contents"
run_expect 0 "$GODWIT" diff mapped mapped
out_has "no difference: 4 pages and all state are equal"
python3 "$here/libvirt.py" plain file xz
run_expect 0 "$GODWIT" diff plain file

run_expect 3 "$GODWIT" diff plain "$data/xen417/tiny-pvh.save.xz"
err_has "plain is a stream of QEMU and the other is not: they cannot be compared"
head -c 30000 plain >cut
run_expect 1 "$GODWIT" diff plain cut
err_has "the input ends before the end of its data"
if command -v jq >/dev/null; then
	run_expect 1 "$GODWIT" diff --json plain "$q/compress.xz"
	jq -e '.differences[] | select(.part == "section" and .entry == "cpu" and .field == "env.segs[3].selector") |
		.instance == 0 and .a == "0x0" and .b == "0x1000"' out >/dev/null || fail "JSON"
	jq -e '.pages.differ == 113 and .equal == false' out >/dev/null || fail "JSON of pages"
fi
