#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Images of 4 GiB whose page contents are holes: verify and inspect skip page contents, whatever they are, and read
# little else. From a pipe the result is the same, in bounded memory.
. "$(dirname "$0")/lib.sh"
requires xz python3 truncate

limit=$((16 << 20))
python3 "$here/counted.py" count true || skip "the system does not count the bytes that a process read"

# counted STATUS COMMAND...: like run_expect; sets $bytes to the bytes read and $memory to the memory used (KiB).
counted()
{
	local status=$1
	shift
	FAIL_DEPTH=1 run_expect "$status" python3 "$here/counted.py" count "$@"
	read -r bytes memory <count
}

# sparse NAME MIB FILE [--full]
sparse()
{
	python3 "$here/sparse.py" ${4:-} "$data/$1.xz" "$2" "$3" || fail "sparse.py $*"
}

for name in xen-code/v3_422_hvm_1024 xen-code/v3_422_pv64_1024 xen-code/v3_422_pv32_live_1024 \
	xen-code/v2_46_hvm_w64_1024 xen417/tiny-hvm.save xen417/tiny-pv.save \
	xen-code/leg45_pv32_w32_1024 xen-code/xl45_hvm_w64_1024; do
	sparse "$name" 4096 image
	[ "$(du -m image | cut -f1)" -lt 100 ] || skip "files here have no holes"
	counted 0 "$GODWIT" verify image
	out_has "image: ok: "
	out_has " 1048576 pages"
	[ "$bytes" -le $limit ] || fail "$name: verify read $bytes bytes"
	counted 0 "$GODWIT" inspect image
	[ "$bytes" -le $limit ] || fail "$name: inspect read $bytes bytes"
	# Contents are only shown for other than legacy images. In a PV guest one page in 512 is a page table.
	case $name in */leg* | */xl45*) continue ;; esac
	counted 0 "$GODWIT" inspect --page-tables image
	[ "$bytes" -le $((2 * limit)) ] || fail "$name: inspect --page-tables read $bytes bytes"
done

# The same file as standard input can seek as well.
counted 0 "$GODWIT" verify - <image
out_has "-: ok: "
[ "$bytes" -le $limit ] || fail "from standard input: verify read $bytes bytes"

# The far end of the file is checked all the same.
truncate -s -1 image
counted 1 "$GODWIT" verify image
out_has "-truncated]"
[ "$bytes" -le $limit ] || fail "cut: verify read $bytes bytes"

# Other contents: no page more is read, and the output is the same. (The number of bytes may differ: a sanitizer reads
# the map of the process, whose length varies.)
sparse xen-code/v3_422_pv64_1024 64 holes
sparse xen-code/v3_422_pv64_1024 64 full --full
[ "$(stat -c %s holes)" -eq "$(stat -c %s full)" ] || fail "sizes differ"
for verb in verify inspect; do
	counted 0 "$GODWIT" $verb holes
	of_holes=$bytes
	mv out expected
	counted 0 "$GODWIT" $verb full
	[ $((bytes - of_holes)) -lt 4096 ] || fail "$verb read $of_holes bytes with holes, $bytes with contents"
	[ "$bytes" -lt $((1 << 20)) ] || fail "$verb read $bytes bytes"
	sed 's/^full: /holes: /' out | cmp -s - expected || fail "$verb says something else"
done

# With --pages all contents are read, with --page-tables those of page tables.
counted 0 "$GODWIT" inspect --pages holes
out_has "Contents      16384 pages: 16384 zero, 0 of one word"
[ "$bytes" -ge $((64 << 20)) ] || fail "--pages read $bytes bytes"
counted 0 "$GODWIT" inspect --pages full
out_has "Contents      16384 pages: 0 zero, 16384 of one word"
counted 0 "$GODWIT" inspect --page-tables full
out_has "Faults        16384 entries: 16384 point above the last pfn"
[ "$bytes" -lt $((2 << 20)) ] || fail "--page-tables read $bytes bytes"

# A pipe gives the same result, and its input is not kept.
piped()
{
	local mib of_small
	for mib in 16 256; do
		sparse "$1" $mib image
		run_expect 0 "$GODWIT" verify image
		sed 's/^image: /-: /' out >expected
		counted 0 "$GODWIT" verify - < <(cat image)
		cmp -s out expected || fail "$1: $mib MiB from a pipe: another result"
		[ "$bytes" -ge $((mib << 20)) ] || fail "$1: $mib MiB from a pipe: only $bytes bytes were read"
		[ $mib -eq 256 ] || of_small=$memory
	done
	[ "$memory" -lt $((of_small + (32 << 10))) ] || fail "$1: $of_small KiB for 16 MiB, $memory KiB for 256 MiB"
}
piped xen417/tiny-hvm.save
piped xen-code/xl45_hvm_w64_1024
echo ok
