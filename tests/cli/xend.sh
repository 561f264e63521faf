#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Files of xend ("xm save"): shown, verified. None was recorded: xend.py puts a header as xend writes it before
# recorded images.
. "$(dirname "$0")/lib.sh"
requires xz python3

# made NAME KIND SAMPLE [DOMAIN [MAXMEM]]
made()
{
	local name=$1 kind=$2 sample=$3
	shift 3
	xz -dc "$data/$sample.xz" >"$name.bare"
	python3 "$here/xend.py" "$kind" "$name.bare" "$name" "$@" || fail "xend.py"
}
made xend-hvm hvm xen-code/leg40_hvm_w64_1024
made xend-pv pv xen-code-more/leg43_pv32_w32_broken_257 mail-2
made xend-qemu hvm xen-code/leg45_hvm_w64_qemutrad_1024

# Shown.
for name in xend-hvm xend-pv; do
	run_expect 0 "$GODWIT" inspect $name
	err_is_empty
	out_is_golden "inspect-$name"
	sed 1d out >from-file
	"$GODWIT" inspect - <$name 2>err | sed 1d | cmp -s - from-file || fail "$name from a pipe"
done
run_expect 0 "$GODWIT" inspect --records xend-hvm
out_has "0x000004eb       0  TSC_INFO"
if command -v jq >/dev/null; then
	run_expect 0 "$GODWIT" inspect --json xend-hvm
	jq -e '.format == "xend file" and .layers.xend == {offset: 0, config_bytes: 1231} and
		.layers.legacy.offset == 1251 and .guest.name == "web1" and .guest.type == "x86 HVM" and
		.guest.max_memkb == 65536 and (.guest.devices | map({(.kind): .count}) | add) ==
			{vif: 1, vbd: 2, vfb: 1, console: 1} and
		(.config_text | startswith("(domain (domid 7) ") and endswith(" (location 2))))")) and
		(.records[-1] | .offset + .length) == .bytes' out >/dev/null || fail "JSON of xend-hvm"
	jq -j .config_text out >config
	tail -c +21 xend-hvm | head -c 1231 | cmp -s - config || fail "the config is another"
fi

# Verified.
run_expect 0 "$GODWIT" verify xend-hvm
out_has "xend-hvm: ok: xend file, legacy image, 64-bit tools, x86 HVM, 9 chunks, 992 pages"
run_expect 0 "$GODWIT" verify --deep xend-pv
out_has "xend-pv: ok: xend file, legacy image, 32-bit tools, x86 PV, "
head -c 500 xend-hvm >cut
run_expect 1 "$GODWIT" verify cut
out_has "error: xend header at offset 0x1f4: the input ends inside the 1231 bytes of the config [xend-truncated]"
head -c 2000000 xend-hvm >cut
run_expect 1 "$GODWIT" verify cut
out_has "[legacy-truncated]"
run_expect 1 "$GODWIT" inspect cut
out_has "Name          web1"
{ printf 'LinuxGuestRecord\377\377\377\377'; tail -c +21 xend-hvm; } >bad
run_expect 1 "$GODWIT" verify bad
out_has "error: xend header at offset 0x10: the config is said to have -1 bytes [xend-config-length]"
# The image does not depend on the config.
{ printf 'LinuxGuestRecord\0\0\0\007'; printf '(domain'; cat xend-hvm.bare; } >no-sxp
run_expect 0 "$GODWIT" verify no-sxp
out_has "warning: xend header at offset 0x14: the config is no S-expression of a domain: it ends inside a list, 1 deep [xend-config]"
run_expect 0 "$GODWIT" inspect no-sxp
err_has "warning: the domain's config: it ends inside a list"
out_has "    (domain"
# A name cannot command the terminal.
esc=$(printf '\033')
made hostile hvm xen-code/leg40_hvm_w64_1024 "w${esc}b"
run_expect 0 "$GODWIT" inspect hostile
out_has 'Name          w\x1bb'
! grep -q "$esc" out err || fail "an escape character came through"
