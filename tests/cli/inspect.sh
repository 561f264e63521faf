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

# Parts in full.
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

# An entry whose typecode is not known is shown: the TSC_ADJUST of the context made a 21.
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
	run_expect 0 "$GODWIT" inspect --json --vcpu 0 hvm
	jq -e '(has("records") | not) and (has("cpuid") | not) and
		(.hvm_entries | map(.name) | index("CPU") != null and index("PIC") == null)' out >/dev/null ||
		fail "JSON of --vcpu 0"
	run_expect 0 "$GODWIT" inspect --json pv
	jq -e '.vcpu_state[0].basic.cs == "0xe033" and (.shared_info | has("arch.max_pfn"))' out >/dev/null ||
		fail "decoded state of pv"
	# The memory map is what the stream's maker says (a manifest has a line for every page).
	run_expect 0 "$GODWIT" inspect --json "$data/xen-code/v3_422_hvm_1024.xz"
	jq -r '.memory_runs[] | select(.[2] == "normal") | range(.[0]; .[1] + 1)' out | sort -n >seen
	xz -dc "$data/xen-code/v3_422_hvm_1024.manifest.xz" | sed -n '/^#/d; s/^\([0-9a-f]*\) .* [0-9a-f]\{16\}$/0x\1/p' |
		xargs printf '%d\n' | sort -n >made
	[ "$(wc -l <made)" -gt 900 ] || fail "the manifest was not understood"
	cmp -s seen made || fail "the map and the manifest differ"
fi

# A cut image is shown as far as it goes.
head -c 100000 hvm >cut
run_expect 1 "$GODWIT" inspect cut
out_has "thvm"
err_has '"godwit verify" says which'

# An image cannot command the terminal.
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
