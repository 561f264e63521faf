#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# godwit convert compared with Xen's own tools of 4.17. Both give the same pages, params, vCPUs and device records for
# every legacy image that Xen's converter accepts (convert_xen.py lists the intended differences). So does godwit's
# convert-legacy-stream with the arguments that libxl passes. Xen's verifier accepts whatever godwit writes. What
# Xen's converter cannot do is listed here.
#
# The tools are those of Debian's xen-utils-4.17: in XEN_TOOLS_DIR, the usr/lib/xen-4.17 of the unpacked
# package (./dev test fetches it), or where the package installs them.
. "$(dirname "$0")/lib.sh"
requires xz python3
helper=${GODWIT_CONVERT_HELPER:?the path of our convert-legacy-stream}
tools=${XEN_TOOLS_DIR:-/usr/lib/xen-4.17}
[ -f "$tools/bin/convert-legacy-stream" ] ||
	skip "Xen's converter is not there: install xen-utils-4.17, or let XEN_TOOLS_DIR say where its usr/lib/xen-4.17 is"

# The Python that Debian's package was built for, if it is installed.
python=/usr/bin/python3
[ -x $python ] || python=python3

# xen TOOL ARGUMENT...
xen()
{
	local tool=$1
	shift
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$tools/lib/python $python "$tools/bin/$tool" "$@"
}
why=$(xen convert-legacy-stream --help 2>&1 >/dev/null) || skip "Xen's converter does not run: ${why##*$'\n'}"

# converts FORM FILE: converts ./in. Through standard output, for which nobody waits until it is on the disk.
converts()
{
	run_expect 0 "$GODWIT" convert --to "$1" in -
	mv out "$2"
}

# Prints the error with which Xen's converter fails on a stream; nothing if it does not fail.
xens_limit()
{
	case $1 in
	*_comp_*) echo "RuntimeError: todo" ;; # compressed rounds of Remus
	*_fip_*) echo "Unrecognised chunk -21" ;;
	*_noname_*) echo "No physmap info name" ;;
	*_xsvar_*) echo "AssertionError" ;;
	*_qemutrad_* | leg40_hvm_*) echo "Unrecognised Qemu sig 'b'QemuDeviceModelRecord''" ;;
	leg41_hvm_*_remus*) echo "Unrecognised Qemu sig 'b'RemusDeviceModelState''" ;;
	esac
}

# Xen's verifier accepts it. But it compares bytes with text, so it reports any xenstore data as a fault.
xen_takes()
{
	local physmap=
	xen verify-stream-v2 -f "$1" -i "$2" >verdict 2>&1 && return
	grep -qF physmap/ "$2" && physmap=yes
	[ "$1$physmap" = libxlyes ] && grep -qx "xen.migration.verify.RecordError: Data not NUL terminated" verdict &&
		return
	cat verdict
	fail "$name: Xen's verifier does not take it ($1)"
}

same()
{
	$python "$here/convert_xen.py" "$1" "$2" >differences 2>&1 && return
	cat differences
	fail "$name: $3"
}

both_have=0
for f in "$data"/xen-code*/leg*.xz "$data"/xen-code*/xl[34]*.xz; do
	case $f in *.manifest.xz) continue ;; esac
	name=$(basename "$f" .xz)
	case $name in *_w32_*) width=32 ;; *) width=64 ;; esac
	case $name in *_hvm_*) guest=hvm ;; *) guest=pv ;; esac
	xz -dc "$f" >in

	# Xen's verifier accepts godwit's result for the whole stream in both forms.
	for form in libxl libxc; do
		converts $form godwit.$form
		xen_takes $form godwit.$form
	done
	# Xen's converter fails on the header of xl, under Python 3.
	case $name in xl*)
		xen convert-legacy-stream -x -w $width -g $guest -f libxl -i in -o xen.libxl >xen.log 2>&1 &&
			fail "$name: Xen's converter takes the header of xl"
		converts xl godwit.xl
		header=$((48 + $(od -An -tu4 -j44 -N4 in)))
		tail -c +$((header + 1)) godwit.xl | cmp -s - godwit.libxl || fail "$name: xl file and libxl stream differ"
		tail -c +$((header + 1)) in >bare
		mv bare in
		;;
	esac
	# Of several checkpoints Xen's converter takes the first and leaves the rest unread. That is compared with
	# godwit's result for input that ends there.
	case $name in *_remus*)
		second=$(grep -abo -E 'DeviceModelRecord0002|RemusDeviceModelState' in | sed -n 's/:.*//; 2p')
		[ -z "$second" ] || {
			head -c "$second" in >first
			mv first in
			for form in libxl libxc; do
				converts $form godwit.$form
			done
		}
		;;
	esac

	xen convert-legacy-stream -w $width -g $guest -f libxl -i in -o xen.libxl >xen.log 2>&1
	status=$?
	limit=$(xens_limit "$name")
	if [ -n "$limit" ]; then
		[ $status -ne 0 ] || fail "$name: Xen's converter did not give up"
		grep -qF "$limit" xen.log || { cat xen.log; fail "$name: Xen's converter gave up over something else"; }
	else
		[ $status -eq 0 ] || { cat xen.log; fail "$name: Xen's converter gave up"; }
		same xen.libxl godwit.libxl "the libxl streams differ"
	fi
	run_expect 0 "$helper" --in 7 --out 8 --width $width --guest $guest --format libxl 7<in 8>drop-in
	cmp drop-in godwit.libxl || fail "$name: the drop-in makes another stream"
	# A bare image has nothing of the device model, so no part of it can be unreadable.
	case $limit in "" | *"Qemu sig"* | *"physmap"*) ;; *) continue ;; esac
	xen convert-legacy-stream -w $width -g $guest -f libxc --skip-qemu -i in -o xen.libxc >xen.log 2>&1 ||
		{ cat xen.log; fail "$name: Xen's converter gave up (libxc)"; }
	same xen.libxc godwit.libxc "the libxc images differ"
	both_have=$((both_have + 1))
done
[ $both_have -gt 0 ] || fail "no legacy image was found"

# Version 2 is converted to version 3, and Xen's verifier accepts the result.
for f in "$data"/xen-code/v2_*.xz; do
	case $f in *.manifest.xz) continue ;; esac
	name=$(basename "$f" .xz)
	xz -dc "$f" >in
	converts libxc out.v3
	xen_takes libxc out.v3
done
