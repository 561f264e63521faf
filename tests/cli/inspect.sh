#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# godwit inspect: golden files for real streams of each kind, its JSON, hostile texts, mistakes.
. "$(dirname "$0")/lib.sh"
requires xz

golden()
{
	local name=$1 file=$2
	xz -dc "$data/$file.xz" >"$name"
	run_expect 0 "$GODWIT" inspect "$name"
	err_is_empty
	out_is_golden "inspect-$name"
	cp out whole
	run_expect 0 "$GODWIT" inspect --records "$name"
	tail -n "$(wc -l <whole)" out | cmp -s - whole || fail "$name: --records changes what follows"
	head -n 30 out >some && mv some out
	out_is_golden "inspect-$name-records"
}
golden hvm xen417/tiny-hvm.save
golden pv xen417/tiny-pv.save
golden pvh xen417/tiny-pvh.migrate-fwd
golden remus xen-code/v3_422_libxl_hvm_remus3_1024
golden pv-v2 xen-code/v2_46_pv64_w64_live_1024
golden legacy-hvm xen-code/xl45_hvm_w64_1024
golden legacy-pv xen-code/leg45_pv32_w32_1024
golden legacy-remus xen-code/leg45_hvm_w64_remus4_comp_1024

# All of a part.
part()
{
	local name=$1
	shift
	run_expect 0 "$GODWIT" inspect "$@"
	err_is_empty
	out_is_golden "inspect-$name"
}
part hvm-vcpu0 --vcpu 0 hvm
part hvm-platform --platform hvm
part hvm-policy --policy hvm
part pv-vcpu0 --vcpu 0 pv
part pv-platform --platform pv
run_expect 0 "$GODWIT" inspect --params --memory hvm
out_has "STORE_PFN"
out_has "1044480 pfns"
out_lacks "libxl stream  at"
run_expect 1 "$GODWIT" inspect --vcpu 3 hvm
err_has "hvm: has no vCPU 3; it has 1"
run_expect 2 "$GODWIT" inspect --vcpu 8192 hvm

# The device model's state in a legacy image is shown like that in a libxl stream.
python3 "$here/legacy.py" 64 hvm hvm.legacy || fail "legacy.py"
for image in hvm hvm.legacy; do
	"$GODWIT" inspect --platform $image | sed -n '/QEMU stream/,$p' >$image.sections
done
grep -q "mc146818rtc" hvm.sections || fail "no sections of QEMU"
diff hvm.sections hvm.legacy.sections || fail "the sections of QEMU differ"

# An entry with an unknown typecode is shown: TSC_ADJUST in the context, changed to type 21.
python3 - hvm >unknown <<'END' 2>/dev/null || cp hvm unknown
import sys
b = open(sys.argv[1], "rb").read()
at = b.index(b"\x13\0\0\0\x08\0\0\0", b.index(b"\x86\x12\x38\x54"))
sys.stdout.buffer.write(b[:at] + b"\x15" + b[at + 1:])
END
if ! cmp -s hvm unknown; then
	"$GODWIT" inspect --platform unknown >out 2>err
	out_has "code 21 0: 8 bytes"
	"$GODWIT" inspect --json --platform unknown >out 2>err
	out_has '"code":21,"name":null,"instance":0,"length":8,"data":"'
fi

# Device model state whose sections can only be guessed.
run_expect 0 "$GODWIT" inspect --platform hvm
out_has "QEMU stream version 3, 21 sections: timer, cpu_common, cpu, apic, "
out_has "(guessed: section lengths are not recorded"
out_has "    0x00001767        419  0000:00:01.3/piix4_pm 0, version 3"
run_expect 0 "$GODWIT" inspect remus
out_has "QEMU stream version 3, 6 sections: cpu, PCIHost, 0000:00:00.0/I440FX, dma, dma, hpet"

# Every real stream can be inspected, also from a pipe, with the same result.
for f in "$data"/xen-code/v*.xz; do
	case $f in *.manifest.xz) continue ;; esac
	run_expect 0 "$GODWIT" inspect "$f"
	sed 1d out >from-file
	xz -dc "$f" | "$GODWIT" inspect - 2>err | sed 1d | cmp -s - from-file || fail "$f from a pipe"
done

if command -v jq >/dev/null; then
	run_expect 0 "$GODWIT" inspect --json hvm
	jq -e '.godwit_inspect == 1 and .format == "xl file" and .guest.name == "thvm" and
		.layers.libxc.xen_major == 4 and .layers.libxc.xen_minor == 17 and
		.config.c_info.name == "thvm" and .memory.complete and .errors == 0 and
		(.vcpus | length) == 1 and .ended' out >/dev/null || fail "JSON of hvm"
	# The parts agree with each other.
	jq -e '([.memory_runs[] | .[1] - .[0] + 1] | add) == .memory.pfns and
		([.memory.by_type[]] | add) == .memory.pfns and
		([.record_types[].count] | add) == (.records | length) and
		([.records[] | select(.layer == "libxc").number] == [range([.records[] |
			select(.layer == "libxc")] | length)]) and
		([.records[].offset] | . == sort)' out >/dev/null || fail "the JSON contradicts itself"
	run_expect 0 "$GODWIT" inspect --json remus
	jq -e '.checkpoints == 3 and .layers.libxl.version == 2 and (.layers | has("xl") | not) and
		.memory.resent > 0 and ([.records[].offset] | . == sort)' out >/dev/null ||
		fail "JSON of remus"
	run_expect 0 "$GODWIT" inspect --json pv
	jq -e '.pv.width == 8 and .vcpus[0].basic == 5168 and .p2m.first_pfn == 0' out >/dev/null ||
		fail "JSON of pv"
	run_expect 0 "$GODWIT" inspect --json hvm
	jq -e '[.hvm_entries[].length + 8] | add + 8 == 4112' out >/dev/null || fail "lengths of hvm_entries"
	jq -e '(.hvm_entries | map(select(.name == "CPU"))[0].fields.cr0_flags == ["ET"]) and
		(.cpuid | length) == .policy.cpuid_leaves and (.cpuid[1].features | index("sse2") != null) and
		(.msr_policy | length) == .policy.msrs and .tsc.mode_name == "default"' out >/dev/null ||
		fail "decoded state of hvm"
	jq -e '.emulator.stream | .found_by == "look" and (.sections | length) == 21 and .sections[0].offset == 8 and
		([.sections[].size] | add) + 8 + 1 == 6411' out >/dev/null || fail "device model of hvm"
	run_expect 0 "$GODWIT" inspect --json --platform remus
	jq -e '.emulator.bytes == 2061 and (.emulator.stream.sections | map(.name)) ==
		["cpu", "PCIHost", "0000:00:00.0/I440FX", "dma", "dma", "hpet"]' out >/dev/null || fail "device model of remus"
	run_expect 0 "$GODWIT" inspect --json --vcpu 0 hvm
	jq -e '(has("records") | not) and (has("cpuid") | not) and
		(.hvm_entries | map(.name) | index("CPU") != null and index("PIC") == null)' out >/dev/null ||
		fail "JSON of --vcpu 0"
	run_expect 0 "$GODWIT" inspect --json pv
	jq -e '.vcpu_state[0].basic.cs == "0xe033" and (.shared_info | has("arch.max_pfn"))' out >/dev/null ||
		fail "decoded state of pv"
	# The memory map is that of the manifest (which has a line for every page).
	run_expect 0 "$GODWIT" inspect --json "$data/xen-code/v3_422_hvm_1024.xz"
	jq -r '.memory_runs[] | select(.[2] == "normal") | range(.[0]; .[1] + 1)' out | sort -n >seen
	xz -dc "$data/xen-code/v3_422_hvm_1024.manifest.xz" | sed -n '/^#/d; s/^\([0-9a-f]*\) .* [0-9a-f]\{16\}$/0x\1/p' |
		xargs printf '%d\n' | sort -n >made
	[ "$(wc -l <made)" -gt 900 ] || fail "the manifest was not understood"
	cmp -s seen made || fail "the map and the manifest differ"
fi

# A legacy image: its chunks follow one after the other, and the rest agrees with them.
if command -v jq >/dev/null; then
	for name in legacy-hvm legacy-pv legacy-remus; do
		run_expect 0 "$GODWIT" inspect --json $name
		jq -e '(.records | length) == ([.chunk_types[].count] | add) and
			([.records[].layer] | unique) == ["legacy"] and
			([.records[].number] == [range(.records | length)]) and
			([.records[:-1], .records[1:]] | transpose | all(.[0].offset + .[0].length == .[1].offset)) and
			(.records[-1] | .offset + .length) == .bytes and
			([.memory_runs[] | .[1] - .[0] + 1] | add) == .memory.pfns and
			(.layers | has("libxc") | not)' out >/dev/null || fail "JSON of $name"
	done
	jq -e '.format == "legacy image of Xen 4.5 or older" and .checkpoints == 4 and (.ended | not) and
		.layers.legacy.compressed and .layers.legacy.toolstack_bits == 64 and
		.emulator.signature == "DeviceModelRecord0002" and .emulator.bytes == 2066' out >/dev/null ||
		fail "JSON of legacy-remus"
	run_expect 0 "$GODWIT" inspect --json legacy-hvm
	jq -e '.format == "xl file" and .guest.name == "lab" and .xenstore.keys == 6 and .ended and
		.layers.legacy.last_checkpoint and (.hvm_params | length) == 14' out >/dev/null || fail "JSON of legacy-hvm"
	run_expect 0 "$GODWIT" inspect --json legacy-pv
	jq -e '.pv.width == 4 and .vcpus[1].basic == 2800 and .layers.legacy.extended_contexts and
		.layers.legacy.xsave_bytes == 864' out >/dev/null || fail "JSON of legacy-pv"
fi
# The guest is shown as in the image it is converted to.
if command -v jq >/dev/null; then
	for name in leg40_hvm_w64_1024 leg42_hvm_w32_1024 leg45_hvm_w64_remus4_1024 leg45_hvm_w64_verify_1024 \
		leg45_pv32_w32_1024 leg45_pv64_w64_live_4096 xl45_hvm_w64_1024; do
		run_expect 0 "$GODWIT" convert "$data/xen-code/$name.xz" converted
		for file in "$data/xen-code/$name.xz" converted; do
			"$GODWIT" inspect --json "$file" 2>err | jq '{pv, p2m, tsc, vcpus, vcpu_state, hvm_params, hvm_context,
				hvm_entries, shared_info, xenstore, guest, verify_mode, memory_runs, by: .memory.by_type,
				model: .emulator.bytes, pages: .memory.pages}' >shown-"${file##*/}"
		done
		grep -q normal shown-converted || fail "$name: no memory"
		cmp -s shown-$name.xz shown-converted || fail "$name: the converted image shows another guest"
	done
fi
# Page contents are only shown after a conversion. Every eighth of its 1008 pages is zero, but for two of those pfns,
# 0x2d and 0x35, which are page tables.
run_expect 0 "$GODWIT" inspect --pages legacy-pv
out_has "converted from a legacy image"
out_has "1008 pages: 124 zero"
# The state of the last complete checkpoint is shown, not the part of the next one that came.
run_expect 0 "$GODWIT" inspect legacy-remus
head -c 5600000 legacy-remus >cut-round
run_expect 0 "$GODWIT" inspect cut-round
out_has "3 checkpoints"
out_has "DeviceModelRecord0002, 2061 bytes"

# A cut image is shown up to the cut.
head -c 100000 hvm >cut
run_expect 1 "$GODWIT" inspect cut
out_has "thvm"
err_has '"godwit verify" reports them'

# An image cannot send control characters to the terminal.
esc=$(printf '\033')
sed 's/     "name": "thvm"/"name": "\\u001bhvm"/' hvm >hostile
run_expect 0 "$GODWIT" inspect hostile
out_has '\x1bhvm'
! grep -q "$esc" out err || fail "an escape character came through"

: >empty
run_expect 1 "$GODWIT" inspect empty
out_has "empty: empty file"
run_expect 3 "$GODWIT" inspect no-such-file
run_expect 2 "$GODWIT" inspect
[ -e /dev/full ] && { "$GODWIT" inspect hvm >/dev/full 2>err; [ $? -eq 3 ] || fail "/dev/full"; }
err_has "No space left on device"
