#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Pairs of images that Xen's helper and godwit's have saved of one suspended guest under a real Xen: the same guest for every
# verb, and for the guest itself.
. "$(dirname "$0")/lib.sh"
requires xz python3

# word FILE OFFSET: a 32-bit word of a raw export.
word() { od -An -tu4 -j$(($2)) -N4 "$1" | tr -d ' '; }

# checks_pages RAW: every page of the heartbeat guest's working set is as its header says (docs/guest-abi.md).
checks_pages()
{
	python3 - "$1" <<'PY'
import struct, sys
M = 0xffffffff
def key(seed, page, generation):
    h = (seed ^ page * 0x85ebca6b ^ generation * 0xc2b2ae35) & M
    h = (h ^ h >> 16) * 0x7feb352d & M
    h = (h ^ h >> 15) * 0x846ca68b & M
    return h ^ h >> 16
raw = open(sys.argv[1], "rb")
raw.seek(0x100 << 12)
magic, version, _, beats, _, generation, position, seed, pages, first = struct.unpack("<8s9I", raw.read(44))
assert magic == b"GODWITG1" and version == 1 and beats >= 3 and pages in (4, 64), (magic, version, beats, pages)
for page in range(pages):
    raw.seek((first + page) << 12)
    words = struct.unpack("<1024I", raw.read(4096))
    now = generation + (page < position)
    k = key(seed, page, now)
    expected = [page, now, k, ~k & M] + [(k + i % 251 * 0x9e3779b1) & M for i in range(4, 1024)]
    assert list(words) == expected, "page %d" % page
PY
}

# same_pages A B: the files have equal contents; their holes are not read.
same_pages()
{
	python3 - "$@" <<'PY'
import os, sys
def pages(path):
    found, at = {}, 0
    fd = os.open(path, os.O_RDONLY)
    size = os.fstat(fd).st_size
    while at < size:
        try:
            at = os.lseek(fd, at, os.SEEK_DATA)
        except OSError: # the rest is a hole
            break
        end = os.lseek(fd, at, os.SEEK_HOLE)
        for page in range(at & ~4095, end, 4096):
            data = os.pread(fd, 4096, page)
            if any(data):
                found[page] = data
        at = end
    return size, found
a, b = map(pages, sys.argv[1:])
assert len(a[1]) > 4 and a == b
PY
}

pairs=0
for packed in "$data"/xen417/beat-*-stock.save.xz; do
	name=$(basename "$packed" -stock.save.xz)
	xz -dc "$packed" >stock
	xz -dc "$data/xen417/$name-godwit.save.xz" >godwit || fail "$name has no image of godwit's"
	for image in stock godwit; do
		run_expect 0 "$GODWIT" verify --deep $image
		out_has ": ok: "
		out_lacks "error:"
		run_expect 0 "$GODWIT" convert $image converted
		run_expect 0 "$GODWIT" diff $image converted
		out_has "no difference"
		run_expect 0 "$GODWIT" export --raw $image $image.raw
		run_expect 0 "$GODWIT" export --core $image $image.core
	done
	# Clocks went on from one save to the next; nothing else did.
	run_expect 1 "$GODWIT" diff --all stock godwit
	out_has " pages are equal"
	out_has "TSC nsec: "
	! grep -v -e '^[AB]: ' -e '^TSC nsec: ' -e '^vCPU [0-9]* CPU tsc: ' -e '^PMTIMER 0 tmr_val: ' -e ' pages are equal$' out ||
		fail "$name: more than clocks differ"
	same_pages stock.raw godwit.raw || fail "$name: the memory differs"
	same_pages stock.core godwit.core || fail "$name: the cores differ"
	[ "$(word godwit.raw 0x100000)" = "$(word stock.raw 0x100000)" ] && checks_pages godwit.raw || fail "$name: the guest's pages"
	[ "$(stat -c %s godwit)" -le "$(stat -c %s stock)" ] || fail "$name: godwit's image is the larger one"
	pairs=$((pairs + 1))
done
[ $pairs -ge 3 ] || fail "only $pairs pairs"

# Xen's image of a PVH guest names each pfn of the hole below 4 GiB, godwit's none of them.
for image in stock godwit; do
	xz -dc "$data/xen417/beat-pvh64-$image.save.xz" >$image
done
[ $(($(stat -c %s stock) - $(stat -c %s godwit))) -gt 8000000 ] || fail "the hole is in godwit's image"
echo ok
