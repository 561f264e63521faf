#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# godwit inspect --memory, --pages, --page-tables, on every real stream and on damaged ones: the JSON agrees with the
# image (memory.py reads it on its own), the text is right, and only the needed parts of the file are read.
. "$(dirname "$0")/lib.sh"
requires xz python3

# agrees FILE [STATUS]: what --json says of memory agrees with the file.
agrees()
{
	FAIL_DEPTH=1 run_expect "${2:-0}" "$GODWIT" inspect --json --memory --pages --page-tables "$1"
	python3 "$here/memory.py" out "$1" >difference 2>&1 || { cat difference; FAIL_DEPTH=1 fail "$1"; }
}

for f in "$data"/xen417/*.xz "$data"/xen-code/v*.xz; do
	# There are two guests with a million pfns; one is enough.
	case $f in *.manifest.xz | */tiny-pvh.save.xz) continue ;; esac
	agrees "$f"
	# The map is the same whether contents are read or not.
	sed -n 's/^ "memory\(_runs\)*":/&/p' out >with
	run_expect 0 "$GODWIT" inspect --json --memory "$f"
	sed -n 's/^ "memory\(_runs\)*":/&/p' out | cmp -s - with || fail "$f: another map without contents"
done

# Rounds that no checkpoint completes: cut inside the second and the third, bare and inside libxl.
for name in v3_422_hvm_remus3_1024 v3_422_libxl_hvm_remus3_1024; do
	xz -dc "$data/xen-code/$name.xz" >whole
	for cut in 5100000 5300000 5440000; do
		head -c $cut whole >cut
		agrees cut
		grep -q '"unfinished":[1-9]' out || fail "$name cut at $cut: nothing was left out"
	done
	run_expect 0 "$GODWIT" inspect --memory cut
	out_has "entries after the last complete checkpoint are not in the map"
	run_expect 0 "$GODWIT" inspect cut
	out_has "the incomplete round after them is left out"
done

# A fault in a page table is named, and the text says what was expected.
lie()
{
	xz -dc "$data/xen-code/v3_422_pv64_1024.xz" | python3 "$here/lie.py" "$1" >lie || fail "lie.py $1"
	agrees lie
	run_expect 0 "$GODWIT" inspect --page-tables lie
	out_has "$2"
}
lie pte-above "L1 0x00000030 entry   0 (0x0000000000400067): pfn 0x400 is above the last"
lie pte-superpage "L2 0x0000002c entry   0 (0x00000000000300e7): a superpage"
lie root-type "0x00000005  is normal, expected an L4  cr3 of vCPU 0"
lie user-root "0x0000002a  is L3, expected an L4  user cr3 of vCPU 0"
lie untyped-table "L4 0x00000028 entry 272 (0x000000000002a067): pfn 0x2a is normal, expected an L3"

# As text.
golden()
{
	xz -dc "$data/xen-code/$1.xz" >"$1"
	run_expect 0 "$GODWIT" inspect --memory --pages --page-tables "$1"
	err_is_empty
	out_is_golden "inspect-memory-$2"
}
golden v3_422_pv64_1024 pv64
golden v2_46_pv64_w64_live_1024 pv64-live
golden v3_422_pv32_live_1024 pv32
python3 "$here/lie.py" untyped-table <v3_422_pv64_1024 >faults
run_expect 0 "$GODWIT" inspect --page-tables faults
out_is_golden inspect-memory-faults

# --pages alone shows everything, and one line more.
run_expect 0 "$GODWIT" inspect v3_422_pv64_1024
cp out without
run_expect 0 "$GODWIT" inspect --pages v3_422_pv64_1024
grep -v '^Contents ' out | cmp -s - without || fail "--pages changes more than its line"
out_has "Contents      1008 pages: 124 zero, 0 of one word"
run_expect 0 "$GODWIT" inspect --page-tables "$data/xen417/tiny-hvm.save.xz"
out_has "only images of PV guests mark them"

# An image that ends inside its pages: the pages before the cut are shown.
head -c 100000 v3_422_pv64_1024 >cut
run_expect 1 "$GODWIT" inspect --memory --pages --page-tables cut
out_has "(of 15 the contents are not there)"
out_has "its contents are not there"
echo ok
