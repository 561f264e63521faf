#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# godwit verify: real streams in every form are ok; for cut and damaged ones the message gives the place; a file that
# is not an image is reported as such.
. "$(dirname "$0")/lib.sh"
requires xz gzip

# From a pipe and from a compressed file; two of them also plain and compressed otherwise.
for f in "$data"/xen417/*.xz "$data"/xen-code/v*.xz "$data"/xen-code-more/*.xz; do
	case $f in *.manifest.xz) continue ;; esac
	xz -dc "$f" >plain
	run_expect 0 "$GODWIT" verify plain
	out_has "plain: ok: "
	out_lacks "error:"
	sed '$s|^plain: ||' out >title
	for way in pipe packed; do
		case $way in
		pipe) cat plain | "$GODWIT" verify - >out 2>err ;;
		packed) "$GODWIT" verify "$f" >out 2>err ;;
		esac
		[ $? -eq 0 ] || fail "$f, $way"
		sed -e '$s|^-: ||' -e "\$s|^$f: ||" out | cmp -s - title || fail "$f, $way: another result"
	done
done
[ -s title ] || fail "no stream was found"

xz -dc "$data/xen417/tiny-hvm.save.xz" >hvm.save
xz -dc "$data/xen417/tiny-pv.save.xz" >pv.save
xz -dc "$data/xen-code/v3_422_hvm_remus3_1024.xz" >remus.image
for f in pv.save remus.image; do
	run_expect 0 "$GODWIT" verify "$f"
	tail -n 1 out >title
	for packer in gzip zstd xz; do
		command -v $packer >/dev/null || continue
		$packer -1 -c <"$f" >packed
		run_expect 0 "$GODWIT" verify packed
		sed "s|^packed: |$f: |" out | tail -n 1 | cmp -s - title || fail "$f packed by $packer"
	done
done
run_expect 0 "$GODWIT" verify hvm.save
out_has "hvm.save: ok: xl file, libxl stream v2, libxc image v3, x86 HVM, "
run_expect 0 "$GODWIT" verify remus.image
out_has "libxc image v3, x86 HVM, 3 checkpoints, "

# A stream of a PVH guest has no state of a device model; that is only noted where no config says it is PVH.
xz -dc "$data/xen417/tiny-pvh.save.xz" >pvh.save
run_expect 0 "$GODWIT" verify pvh.save
out_lacks "[stream-emulator-missing]"
tail -c +$((49 + $(od -An -tu4 -j44 -N4 pvh.save))) pvh.save >pvh.stream
run_expect 0 "$GODWIT" verify pvh.stream
out_has "[stream-emulator-missing]"
sed 's/"type": "pvh"/"type": "hvm"/' pvh.save >as-hvm.save
! cmp -s pvh.save as-hvm.save || fail "the config was not understood"
run_expect 1 "$GODWIT" verify as-hvm.save
out_has "[stream-emulator-needed]"

# CPU policies that Xen refuses: a subleaf that it does not keep, an MSR with more than its 32 bits.
requires python3
python3 "$here/change.py" subleaf 7 99 <pvh.save >subleaf.save
run_expect 1 "$GODWIT" verify subleaf.save
out_has "leaf 0x7 subleaf 0x63: Xen takes subleaves 0 to 2 of this leaf [policy-leaf]"
python3 "$here/change.py" msr 0xce 40 <pvh.save >msr.save
run_expect 1 "$GODWIT" verify msr.save
out_has "MSR 0xce is 0x10080000000, Xen offers only bit 31 (CPUID faulting) [policy-msr-value]"
# A feature that no host has to give (md_clear) is no fault, a vendor is one of some hosts of Xen 4.22.
python3 "$here/change.py" cpuid 7 3 10 <pvh.save >md-clear.save
run_expect 0 "$GODWIT" verify md-clear.save
out_lacks "[policy-vendor]"
run_expect 0 "$GODWIT" verify --for xen-4.22 md-clear.save
out_has "the guest's CPU is AuthenticAMD"
out_has "[policy-vendor]"

# The message that the sender of a live migration appends is named.
run_expect 0 "$GODWIT" verify "$data/xen417/tiny-pvh.migrate-fwd.xz"
out_has "note: "
out_has "domain is yours, you are cleared to unpause"
{ cat hvm.save; echo rubbish; } >trailing
run_expect 0 "$GODWIT" verify trailing
out_has "warning: "
out_has "8 bytes after the end"
run_expect 1 "$GODWIT" verify --strict trailing

# Cut anywhere: one error, with layer, record and offset.
size=$(stat -c %s hvm.save)
for at in 1 47 48 100 1500 2000 5000 100000 $((size / 2)) $((size - 100)) $((size - 9)) $((size - 1)); do
	head -c $at hvm.save >cut
	run_expect 1 "$GODWIT" verify cut
	grep -qE '^error: ' out || fail "cut at $at: no error"
	tail -n 1 out | grep -qE '^cut: [1-9][0-9]* errors?, [0-9]+ warnings?$' || fail "cut at $at: the last line"
	[ $at -lt 48 ] || grep -qE '^error: .*offset 0x[0-9a-f]+: ' out || fail "cut at $at: no offset"
done
head -c 100000 hvm.save >cut
run_expect 1 "$GODWIT" verify cut
grep -qE '^error: .*image record [0-9]+ \([A-Z_0-9]+\) at offset 0x[0-9a-f]+: ' out ||
	fail "the record in which the input ends is not named"

# Legacy images: width and guest type are detected, and a fault is reported once, at its place.
xz -dc "$data/xen-code/leg45_hvm_w64_chunks_1024.xz" >legacy.image
run_expect 0 "$GODWIT" verify legacy.image
out_has "legacy.image: ok: legacy image, 64-bit tools, x86 HVM, 20 chunks, 992 pages"
for file in leg42_hvm_w32_1024:32-bit:HVM leg45_pv32_w32_1024:32-bit:PV leg45_pv64_w64_1024:64-bit:PV; do
	IFS=: read -r name width guest <<<"$file"
	run_expect 0 "$GODWIT" verify "$data/xen-code/$name.xz"
	out_has ".xz: ok: legacy image, $width tools, x86 $guest, "
done
run_expect 0 "$GODWIT" verify "$data/xen-code/xl45_hvm_w64_1024.xz"
out_has ".xz: ok: xl file, legacy image, "
run_expect 0 "$GODWIT" verify "$data/xen-code/leg45_hvm_w64_remus4_comp_1024.xz"
out_has "4 checkpoints, "
size=$(stat -c %s legacy.image)
for at in 9 100 5000 $((size / 2)) $((size - 2500)) $((size - 2050)) $((size - 1)); do
	head -c $at legacy.image >cut-legacy
	run_expect 1 "$GODWIT" verify cut-legacy
	[ "$(grep -c '^error: ' out)" -eq 1 ] || fail "cut at $at: not one error"
	[ $at -lt 16 ] || grep -qE '^error: legacy image( chunk [0-9]+ \([A-Za-z_]+\))? at offset 0x[0-9a-f]+: the input ends ' out ||
		fail "cut at $at: the message"
done
run_expect 1 "$GODWIT" verify cut-legacy
out_has "legacy image chunk 19 (DEVICE_MODEL) at offset 0x3e2609: the input ends inside a part"
# An id that no Xen wrote, a pfn that the guest does not have, a toolstack record of other tools.
flip()
{
	cp legacy.image flipped
	printf "$2" | dd of=flipped bs=1 seek=$(($1)) conv=notrunc status=none
	run_expect 1 "$GODWIT" verify flipped
	[ "$(grep -c '^error: ' out)" -eq 1 ] || fail "flip at $1: not one error"
	out_has "$3"
}
flip 0x3e2024 '\001\004\000\000' "legacy image chunk 2 (id 1025) at offset 0x3e2024: a batch of 1025 pages, expected at most 1024"
flip 0x3e2024 '\377\377\376\377' "at offset 0x3e2024: chunk id -65537 was never written by Xen"
flip 0x2c '\000\004\000\000' "legacy image chunk 1 (pages) at offset 0x20: entry 1, pfn 0x400 of type 0x0: the guest has 0x400 pages"
flip 0x3e2135 '\371' "legacy image chunk 14 (TOOLSTACK) at offset 0x3e20e4: toolstack record: "
# A fault only of the version 3 image that it becomes.
flip 0x3e2090 '\001' "image record 17 (HVM_PARAMS) at offset 0x3e214d: as version 3: entry "
if command -v jq >/dev/null; then
	run_expect 1 "$GODWIT" verify --json cut-legacy
	jq -e '.findings[-1] | .layer == "legacy image" and .rule == "legacy-truncated" and .record == 19 and
		.type == -103 and .name == "DEVICE_MODEL"' out >/dev/null || fail "JSON of a legacy image"
fi
# After a complete checkpoint a cut is a warning.
xz -dc "$data/xen-code/leg45_hvm_w64_remus4_1024.xz" | head -c 5600000 >cut-legacy
run_expect 0 "$GODWIT" verify cut-legacy
out_has "it is complete up to the tail of round 3"
out_has "cut-legacy: ok: legacy image, 64-bit tools, x86 HVM, 3 checkpoints, "
run_expect 1 "$GODWIT" verify --strict cut-legacy
# The header of xl says which of the two follows.
xz -dc "$data/xen-code/xl45_pv32_w32_1024.xz" >legacy.save
printf '\003' | dd of=legacy.save bs=1 seek=36 conv=notrunc status=none
run_expect 1 "$GODWIT" verify legacy.save
out_has "after the xl header: a legacy image, expected a libxl stream"
{ head -c 187 "$PWD/legacy.save"; echo "no image at all, but long enough"; } >no.save
printf '\001' | dd of=no.save bs=1 seek=36 conv=notrunc status=none
run_expect 1 "$GODWIT" verify no.save
out_has "[legacy-header]"

# Damaged or cut compression is a fault of the image.
xz -1 -c pv.save | head -c 20000 >cut.xz
run_expect 1 "$GODWIT" verify cut.xz
out_has "[file-damaged]"
{ head -c 20000 "$data/xen417/tiny-hvm.save.xz"; head -c 1000 /dev/zero; tail -c +21001 "$data/xen417/tiny-hvm.save.xz"; } >bad.xz
run_expect 1 "$GODWIT" verify bad.xz
out_has "[file-damaged]"

# JSON.
if command -v jq >/dev/null; then
	run_expect 0 "$GODWIT" verify --json hvm.save
	[ "$(jq -r '[.godwit_verify, .ok, .errors] | @csv' out)" = "1,true,0" ] || fail "JSON"
	run_expect 1 "$GODWIT" verify --json cut
	[ "$(jq -r '.ok' out)" = false ] || fail "JSON of a cut image"
	[ "$(jq -r '.findings[-1].level' out)" = error ] || fail "JSON finding"
	jq -e '.findings[-1] | has("rule") and has("offset") and has("record")' out >/dev/null ||
		fail "JSON finding's members"
	printf 'x' >'na"me\\'
	run_expect 1 "$GODWIT" verify --json 'na"me\\'
	[ "$(jq -r .file out)" = 'na"me\\' ] || fail "a name that must be escaped"
fi

# A file that is not an image is reported as such.
: >empty
run_expect 1 "$GODWIT" verify empty
out_has "empty file"
printf 'QEVM\0\0\0\3xxxxxxxxxxxxxxx' >qemu
run_expect 1 "$GODWIT" verify qemu
out_has "error: QEMU stream at offset 0x8: type 0x78 begins no section; what follows is not read [savevm-section-type]"
printf 'LibvirtQemudSave\0\0\0\0' >libvirt
run_expect 1 "$GODWIT" verify libvirt
out_has "error: libvirt save file at offset 0x14: the input ends inside the 92 bytes of the header [libvirt-truncated]"
printf '\0\020\0\0\0\0\0\0\377\377\377\377\377\377\377\377' >legacy
run_expect 1 "$GODWIT" verify legacy
out_has "error: legacy image at offset 0x10: the input ends in the header, before the end of the first tail [legacy-truncated]"
echo "What on earth is this?" >text
run_expect 1 "$GODWIT" verify text
out_has "unknown format"

# Files that cannot be read at all.
run_expect 2 "$GODWIT" verify
err_has "FILE is missing"
run_expect 2 "$GODWIT" verify one two
run_expect 2 "$GODWIT" verify --jsno x
err_has "did you mean --json?"
run_expect 3 "$GODWIT" verify no-such-file
err_has "godwit: verify: "
err_has "no-such-file"
err_has "No such file or directory"
run_expect 3 "$GODWIT" verify .
err_has "godwit: verify: "
[ -e /dev/full ] && { "$GODWIT" verify hvm.save >/dev/full 2>err; [ $? -eq 3 ] || fail "/dev/full"; }
err_has "standard output"

# Interrupted: status 4, at once.
mkfifo pipe
"$GODWIT" verify pipe >out 2>err &
pid=$!
exec 9>pipe
head -c 5000 hvm.save >&9
kill -INT $pid 2>/dev/null
kill -TERM $pid
wait $pid
status=$?
exec 9>&-
# A shell starts its background jobs with SIGINT ignored, so SIGTERM is the first to arrive.
[ $status -eq 4 ] || fail "status $status after SIGTERM, expected 4"

# What stock Xen wrote has not a single warning.
for f in "$data"/xen417/*.xz; do
	run_expect 0 "$GODWIT" verify --strict "$f"
done
