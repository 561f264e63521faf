# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Images of Xen 4.5 under an unmodified libxl, with godwit's converter instead of Xen's: legacy-WIDTH-RESTORER, WIDTH being
# that of the tools that saved. The guest is the one of tests/data, whose counter and pattern pages are known.

# Word N of the page at this pfn of that guest.
word()
{
	/rig/look "$id" "$1" $((4 * $2)) 1
}

counter_passed()
{
	local now
	now=$(word 0x180 2) && [ "$now" -gt "$1" ]
}

# Pages 0x181 to 0x18f: word i is (pfn << 20) ^ (i * 0x9e3779b1), as tests/data/README.md says.
check_pattern()
{
	local pfn i expected found
	for pfn in 0x181 0x188 0x18f; do
		for i in 0 1 2 1023; do
			expected=$((((pfn << 20) ^ (i * 0x9e3779b1)) & 0xffffffff))
			found=$(word $pfn $i)
			[ "$found" = $expected ] || fail "word $i of page $pfn is $found, expected $expected"
		done
	done
}

restore_legacy()
{
	local saved=$((0x1c1f9)) now
	use_helper "$2"
	[ -x $libexec/convert-legacy-stream ] || skip "no convert-legacy-stream in this build"
	on_host legacy "$1" image || fail "no legacy image: $(tail -n 1 /out/ask.output)"
	mv /out/image .
	LIBXL_CONVERT_HELPER=$libexec/convert-legacy-stream
	export LIBXL_CONVERT_HELPER
	must "xl restore" timeout 60 xl -v restore image
	id=$(domain_id tpv)
	until_true 20 counter_passed $saved || fail "the counter of the guest is not after $saved: $(word 0x180 2)"
	now=$(word 0x180 2)
	until_true 20 counter_passed "$now" || fail "the counter of the guest stands at $now"
	check_pattern
}

for width in 64 32; do
	row legacy-$width-stock restore_legacy $width stock
	row legacy-$width-godwit restore_legacy $width godwit
done
