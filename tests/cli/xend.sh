#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Files of xend ("xm save"): shown, verified, converted, compared, exported. None was recorded: xend.py puts a header
# as xend writes it before recorded images.
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
out_has "error: xend header at offset 0x10: the header gives a config of -1 bytes, expected 0 or more [xend-config-length]"
# The result does not depend on the config.
{ printf 'LinuxGuestRecord\0\0\0\007'; printf '(domain'; cat xend-hvm.bare; } >no-sxp
run_expect 0 "$GODWIT" verify no-sxp
out_has "warning: xend header at offset 0x14: the config is not the S-expression of a domain: the text ends inside a list at depth 1 [xend-config]"
run_expect 0 "$GODWIT" inspect no-sxp
err_has "warning: the domain's config: the text ends inside a list"
out_has "    (domain"
# A name cannot send control characters to the terminal.
esc=$(printf '\033')
made hostile hvm xen-code/leg40_hvm_w64_1024 "w${esc}b"
run_expect 0 "$GODWIT" inspect hostile
out_has 'Name          w\x1bb'
! grep -q "$esc" out err || fail "an escape character came through"

# Converted: the result is that of the bare image, and the config is reported as dropped. The same from a pipe.
made xend-remus hvm xen-code-more/leg44_hvm_w32_remus3_comp_256
for name in xend-hvm xend-pv xend-qemu xend-remus; do
	run_expect 0 "$GODWIT" convert $name.bare new.bare
	run_expect 0 "$GODWIT" convert $name new
	err_has "warning: the config of"
	[ "$(wc -l <err)" -eq 1 ] || fail "it says something else, too"
	cmp new new.bare || fail "$name: another than that of the bare image"
	"$GODWIT" convert - - <$name 2>err | cmp - new || fail "$name: a file differs from standard input"
	cat $name | "$GODWIT" convert - - 2>err | cat | cmp - new || fail "$name: a pipe differs from a file"
	run_expect 0 "$GODWIT" verify new
	out_has "ok: libxl stream v2, libxc image v3"
done
run_expect 0 "$GODWIT" convert --to libxc xend-qemu new
err_has "the config of"
err_has "device model state of 2051 bytes is dropped"
# The form that "xl restore CONFIG FILE" accepts: xl's header with the one flag that matters, no optional data, the
# stream.
run_expect 0 "$GODWIT" convert --to xl xend-qemu new
err_has '"xl restore" needs a config for xl as well as the result'
printf 'Xen saved domain, xl format\n \0 \r\4\3\2\1\2\0\0\0\0\0\0\0\0\0\0\0' >head
head -c 48 new | cmp - head || fail "another header"
run_expect 0 "$GODWIT" convert xend-qemu.bare stream
tail -c +49 new | cmp - stream || fail "another stream after the header"
run_expect 0 "$GODWIT" verify new
out_has "new: ok: xl file, libxl stream v2"
run_expect 2 "$GODWIT" convert --to xl xend-qemu.bare none
run_expect 1 "$GODWIT" convert --from v2 xend-qemu none
run_expect 1 "$GODWIT" convert bad none
err_has "the header gives a config of -1 bytes"
run_expect 1 "$GODWIT" convert cut none
[ ! -e none ] || fail "a refused conversion left something"

# Compared: configs list by list, images as what they convert to.
run_expect 0 "$GODWIT" diff xend-hvm xend-hvm
out_has "no difference"
err_is_empty
made other hvm xen-code/leg40_hvm_w64_1024 web2 32
run_expect 1 "$GODWIT" diff xend-hvm other
err_is_empty
out_has "web1"
[ "$(grep -c '^config ' out)" -eq 3 ] || fail "the configs differ in name, maxmem and memory"
run_expect 1 "$GODWIT" diff xend-hvm xend-hvm.bare
[ "$(grep -c '^config' out)" -eq 1 ] || fail "only one has a config"
# A cut is reported with its place in the file.
head -c 2000000 xend-hvm >cut
run_expect 1 "$GODWIT" diff xend-hvm cut
err_has "0x1e8480"

# Exported, with pages.
run_expect 0 "$GODWIT" export --raw xend-pv raw
err_is_empty
run_expect 0 "$GODWIT" export --raw xend-pv.bare raw.bare
cmp raw raw.bare || fail "the memory is another"
run_expect 0 "$GODWIT" inspect --pages xend-pv
err_is_empty
out_has "Name          mail-2"
out_has "converted from a legacy image"
out_has "239 pages: "
