#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# godwit diff: an image equals itself however it is written and read; and page differences agree with the manifests,
# for whole images and for their checkpoints.
. "$(dirname "$0")/lib.sh"
requires xz python3

change() { python3 "$here/change.py" "$@"; }

# elements: prints the elements of the lists in the JSON of ./out, one a line.
elements() { sed -n 's/^  \({.*}\)[],]*$/\1/p' out; }

# equal A B: they are equal, and only that is printed.
equal()
{
	run_expect 0 "$GODWIT" diff "$1" "$2"
	err_is_empty
	[ "$(grep -c . out)" = 3 ] || FAIL_DEPTH=1 fail "more is said"
	out_has "no difference"
	run_expect 0 "$GODWIT" diff --json "$1" "$2"
	out_has '"equal":true'
	[ -z "$(elements)" ] || FAIL_DEPTH=1 fail "more is said"
}

# Every sample equals itself, compressed and plain, from a file and from a pipe; legacy ones follow below.
samples=0
for image in "$data"/xen417/*.xz "$data"/xen-code/*.xz; do
	case $image in *.manifest.xz | */leg* | */xl4*) continue ;; esac
	xz -dc "$image" >plain
	run_expect 0 "$GODWIT" diff "$image" plain
	samples=$((samples + 1))
	cat plain | "$GODWIT" diff --json - plain >out 2>err || fail "$image differs from itself in a pipe"
	out_has '"equal":true'
done
# Standard input that is a file, read from its current position.
xz -dc "$data/xen417/tiny-pv.save.xz" >plain
(printf 'something else'; cat plain) >behind
(head -c 14 >/dev/null; "$GODWIT" diff plain - >out 2>err) <behind || fail "standard input differs"
out_has "no difference"
[ $samples -ge 15 ] || fail "only $samples samples"

# Another way to write it makes no difference: order, batches, early copies, versions, layers.
for name in xen417/tiny-hvm.save xen417/tiny-pv.save xen-code/v3_422_pv32_live_1024; do
	xz -dc "$data/$name.xz" >plain
	change resend 17 <plain >other
	cmp -s plain other && fail "resend changed nothing"
	equal plain other
	cat other | "$GODWIT" diff - plain >out || fail "$name: a pipe differs"
	change backwards <plain >other
	run_expect 0 "$GODWIT" diff plain other
done
for name in v2_46_hvm_w64_1024 v2_46_pv64_w64_live_1024; do
	xz -dc "$data/xen-code/$name.xz" >plain
	change version3 <plain >other
	equal plain other
	run_expect 0 "$GODWIT" convert plain converted
	equal plain converted
done
# Pages after VERIFY are only compared by a restore, and make no difference.
xz -dc "$data/xen-code/v3_422_hvm_verify_1024.xz" >plain
change page_byte 0x30 5 <plain >other
equal plain other
cat other | "$GODWIT" diff - plain >out || fail "VERIFY: a pipe differs"
# A legacy image is compared as the image it converts to.
for name in leg45_hvm_w64_remus4_comp_1024 xl45_pv32_w32_1024; do
	run_expect 0 "$GODWIT" convert "$data/xen-code/$name.xz" converted
	run_expect 0 "$GODWIT" diff "$data/xen-code/$name.xz" converted
	out_has "no difference"
done
xz -dc "$data/xen417/tiny-pvh.save.xz" >plain
change bare <plain >other
run_expect 1 "$GODWIT" diff plain other
out_has "config: only in A"
out_has "1 difference in state; 1040 pages are equal"
xz -dc "$data/xen-code/v3_422_libxl_hvm_1024.xz" >plain
change bare <plain >other
run_expect 1 "$GODWIT" diff other plain
out_has "device model: only in B: qemu-upstream, 2051 bytes"
out_has "xenstore physmap/1f000000/name: only in B: vga.vram"
out_has "4 differences in state; 1024 pages are equal"

# Recorded images, each with itself and with another, page by page as their manifests say. Only the first runs of
# pages are shown, unless all are asked for.
list=
for manifest in "$data"/xen-code/*.manifest.xz; do
	name=${manifest%.manifest.xz}
	# For a stream with checkpoints, the last one's.
	case $name in
	*.cp?) [ ! -e "${name%?}$((${name: -1} + 1)).manifest.xz" ] || continue; name=${name%.cp?} ;;
	esac
	image=$name.xz
	[ -e "$image" ] || image=$name.fwd.xz
	xz -dc "$image" >"$(basename "$name").image"
	list+=" $(basename "$name")"
	cp "$manifest" "$(basename "$name").manifest"
done
pages() { python3 "$here/diff-pages.py" "$GODWIT" "$@" 2>&1; }
# shellcheck disable=SC2086 # names
count=$(pages $list) || fail "$count"
[ "$count" -gt 1000 ] || fail "only $count pages differ"
run_expect 1 "$GODWIT" diff v3_422_hvm_1024.image v3_422_hvm_remus3_1024.image
[ "$(grep -c '^pfn' out)" = 24 ] || fail "not 24 runs"
out_has "more runs of pages (--all lists them)"
run_expect 1 "$GODWIT" diff --all v3_422_hvm_1024.image v3_422_hvm_remus3_1024.image
runs=$(grep -c '^pfn' out)
run_expect 1 "$GODWIT" diff --json v3_422_hvm_1024.image v3_422_hvm_remus3_1024.image
[ "$runs" -gt 24 ] && [ "$(elements | wc -l)" = "$runs" ] || fail "not $runs runs"

# Checkpoints: a stream that breaks off is compared at its last complete one, and a message says so.
remus=v3_422_libxl_hvm_remus3_1024
mapfile -t at < <("$GODWIT" inspect --records $remus.image | awk '$2 == "libxl" && $4 == "CHECKPOINT_END" {print $1}')
[ ${#at[@]} -eq 3 ] || fail "${#at[@]} checkpoints"
cp "$data/xen-code/$remus.cp1.manifest.xz" cut.manifest
for cut in $((at[1] + 8)) $((at[1] + 50000)) $((at[2])); do
	head -c $cut $remus.image >cut.image
	count=$(pages cut $remus) || fail "cut at $cut: $count"
	[ "$count" -gt 10 ] || fail "the checkpoints hardly differ"
	run_expect 1 "$GODWIT" diff --json cut.image $remus.image
	grep -q '^ "a":.*"checkpoints":2}' out && grep -q '^ "b":.*"checkpoints":3}' out || fail "checkpoints"
	cat cut.image | "$GODWIT" diff --json - $remus.image 2>err | grep -v '"file":' >piped
	grep -v '"file":' out | cmp - piped || fail "cut at $cut, from a pipe it is another"
done
head -c $((at[1] + 50000)) $remus.image >cut.image
run_expect 1 "$GODWIT" diff cut.image $remus.image
err_has "round"
out_has "device model section "
exit 0
