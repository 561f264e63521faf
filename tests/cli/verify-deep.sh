#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# godwit verify --deep: every real stream restores, from a file, a compressed file and a pipe. Each kind of fault that
# only a restore finds is reported with its rule, and is not found without --deep.
. "$(dirname "$0")/lib.sh"
requires xz python3

for f in "$data"/xen417/*.xz "$data"/xen-code/v*.xz; do
	case $f in *.manifest.xz | *hvm_live_4096*) continue ;; esac
	run_expect 0 "$GODWIT" verify --deep "$f"
	out_has ": ok: "
	out_lacks "error:"
	# The domains of xen-code were made up: their HVM_PARAMS name pages that the images do not have.
	case $f in */xen417/*) out_lacks "hvm-params-absent" ;; esac
done

# Legacy images are converted and restored, also from a pipe.
for name in leg45_pv64_w64_1024 leg45_hvm_w64_remus4_comp_1024 xl45_pv32_w32_1024 leg40_hvm_w64_1024; do
	xz -dc "$data/xen-code/$name.xz" >plain
	run_expect 0 "$GODWIT" verify --deep plain
	out_has "plain: ok: "
	sed 's|^plain: |-: |' out >expected
	cat plain | "$GODWIT" verify --deep - >out 2>err || fail "$name from a pipe"
	cmp -s out expected || fail "$name: another result from a pipe"
done
# The first entry of the page table at pfn 0x30 refers to a pfn that is too high.
xz -dc "$data/xen-code/leg45_pv64_w64_1024.xz" >lie
printf '\147\360\377\377\377\0\0\0' | dd of=lie bs=1 seek=$((0x1488 + 4 + 8 * 1008 + 0x30 * 4096)) conv=notrunc status=none
run_expect 0 "$GODWIT" verify lie
run_expect 1 "$GODWIT" verify --deep lie
grep -q '^error: libxc image at offset 0x0: as version 3, record [0-9]*: .*L1 page table, entry 0: .*\[pv-table-entry\]$' out ||
	fail "a page table of a legacy image"

pv=$data/xen-code/v3_422_pv64_1024.xz
hvm=$data/xen-code/v3_422_hvm_1024.xz
for f in "$pv" "$hvm" "$data/xen417/tiny-pv.save.xz"; do
	xz -dc "$f" >plain
	"$GODWIT" verify --deep plain >expected || fail "$f as a plain file"
	TMPDIR=$PWD "$GODWIT" verify --deep - <plain >out 2>err || fail "$f from a file on stdin"
	cat plain | "$GODWIT" verify --deep - >out 2>err || fail "$f from a pipe"
	sed 's|^-: |plain: |' out | cmp -s - expected || fail "$f: another result from a pipe"
done

# The plain check finds no error, --deep finds this: KIND LEVEL RULE TEXT
lie()
{
	local image=$pv status=1
	case $1 in hvm*) image=$hvm ;; esac
	[ "$2" = error ] || status=0
	xz -dc "$image" | python3 "$here/lie.py" "$1" >lie || fail "lie.py $1"
	run_expect 0 "$GODWIT" verify lie
	run_expect $status "$GODWIT" verify --deep lie
	out_has "$2: libxc image at offset 0x0: "
	out_has "$4 [$3]"
}

# Findings of page contents name the record as well.
xz -dc "$pv" | python3 "$here/lie.py" pte-above >lie
run_expect 0 "$GODWIT" verify lie
run_expect 1 "$GODWIT" verify --deep lie
grep -q '^error: image record [0-9]* (PAGE_DATA) at offset 0x[0-9a-f]*: .*L1 page table, entry 0: .*\[pv-table-entry\]$' out ||
	fail "pte-above"
run_expect 1 "$GODWIT" verify --deep - <lie
out_has "-: 1 error, 0 warnings"

lie root-type error pv-vcpu-root "cr3: pfn 0x5 is of type 0x0, expected an L4 page table"
lie user-root error pv-vcpu-root "user cr3: pfn 0x2a is of type 0x3, expected an L4 page table"
lie gdt-descriptor error pv-gdt-descriptor "GDT frame 0: descriptor 5 is 0x0000890000000067: neither a segment nor a call gate"
lie gdt-table error pv-vcpu-gdt "GDT frame: pfn 0x30 is of type 0x1, expected an ordinary page"
lie start-info error pv-start-info "start_info: pfn 0x3ff has no page"
lie ring error pv-start-info "console ring: pfn 0x3ff has no page"
lie p2m-table error pv-p2m-page "P2M frame 0: pfn 0x2c is of type 0x2, expected an ordinary page"
lie untyped-table error pv-table-tree "is not the guest's memory (and 1 more entries of this table)"
lie pte-superpage error pv-table-tree "pfn 0x2c (L2), entry 0: superpage (0x8d90e7), which no PV guest may have"
lie hvm-store warning hvm-params-ring "HVM param STORE_PFN: pfn 0x90000 has no page"
lie hvm-ident warning hvm-params-absent "HVM param IDENT_PT: pfn 0x90000 has no page"

# All faults of an image in one run: two page tables, and the checks at the end.
xz -dc "$pv" | python3 "$here/lie.py" pte-above | python3 "$here/lie.py" pte-superpage |
	python3 "$here/lie.py" root-type >lie
run_expect 1 "$GODWIT" verify --deep lie
[ "$(grep -c '\[pv-table-entry\]$' out)" = 1 ] || fail "two page tables: $(cat out)"
[ "$(grep -c '\[pv-table-tree\]$' out)" = 1 ] || fail "two page tables: $(cat out)"
out_has "cr3: pfn 0x5 is of type 0x0, expected an L4 page table [pv-vcpu-root]"
out_has "lie: 3 errors, 0 warnings"

# The checks at the end go on after a fault, too: a vCPU, then a page of the P2M.
xz -dc "$pv" | python3 "$here/lie.py" root-type | python3 "$here/lie.py" p2m-table >lie
run_expect 1 "$GODWIT" verify --deep lie
out_has "cr3: pfn 0x5 is of type 0x0, expected an L4 page table [pv-vcpu-root]"
out_has "P2M frame 0: pfn 0x2c is of type 0x2, expected an ordinary page [pv-p2m-page]"

# Images that Xen takes, and such that it refuses when it looks at the page tables.
refuses=$data/xen-refuses
run_expect 0 "$GODWIT" verify --deep "$refuses/A1-pv-linear-l4.xz"
run_expect 0 "$GODWIT" verify --deep "$refuses/A2-pv-maxpfn-above-config.xz"
run_expect 1 "$GODWIT" verify --deep "$refuses/B16-l1-writable-table.xz"
out_has "pfn 0x19b (L1), entry 408: maps pfn 0x198 (L4 table) writable [pv-table-tree]"
run_expect 1 "$GODWIT" verify --deep "$refuses/pv-l1-maps-l2-writable.xz"
out_has "pfn 0x19b (L1), entry 0: maps pfn 0x19a (L2 table) writable [pv-table-tree]"

# As JSON; and an image with errors is not restored.
xz -dc "$pv" | python3 "$here/lie.py" root-type >lie
run_expect 1 "$GODWIT" verify --deep --json lie
out_has '"rule":"pv-vcpu-root"'
out_has '"deep":true'
head -c 100000 lie >cut
run_expect 1 "$GODWIT" verify --deep cut
out_has "1 error, 0 warnings"
out_has "[image-truncated]"
echo ok
