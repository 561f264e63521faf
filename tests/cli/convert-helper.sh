#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# convert-legacy-stream instead of Xen's: the arguments that libxl passes and those that people use, exit statuses,
# and the descriptors that it is given.
. "$(dirname "$0")/lib.sh"
requires xz
helper=${GODWIT_CONVERT_HELPER:?the path of our convert-legacy-stream}

unpack() { xz -dc "$data/xen-code/$1.xz"; }
verified()
{
	"$GODWIT" verify "$1" >said || FAIL_DEPTH=1 fail "$1: $(cat said)"
	grep -qF -e "ok: $2" said || FAIL_DEPTH=1 fail "$1: expected $2: $(cat said)"
}

# As libxl runs it: the legacy stream on a descriptor, the result to another, --guest for --guest-type, and as the
# width that of the receiving tools.
as_libxl()
{
	"$helper" --in 7 --out 8 --width "$1" --guest "$2" --format libxl 7<in 8>new 2>err
}
for name in leg40_hvm_w64_1024 leg40_pv64_w64_1024 leg42_hvm_w32_1024 leg45_hvm_w64_1024 leg45_pv32_w32_1024 \
	leg45_hvm_w64_live_4096 leg45_hvm_w64_remus4_comp_1024; do
	unpack $name >in
	"$GODWIT" convert in plain 2>/dev/null
	guest=hvm
	case $name in *_pv*) guest=pv ;; esac
	as_libxl 64 $guest || fail "$name: status $?"
	cmp new plain || fail "$name: another than godwit convert makes"
	verified new "libxl stream v2, libxc image v3"
	case $name in
	*_w32_*) err_has "warning: the given word size or guest type is wrong, using the detected one" ;;
	*) [ ! -s err ] || fail "$name: it says $(cat err)" ;;
	esac
	# Through pipes, as after xl migrate-receive.
	cat in | { "$helper" --in 0 --out 1 --width 64 --guest $guest --format libxl 2>err | cat >piped; }
	cmp piped plain || fail "$name: through pipes another than from a file"
done
# A wrong guest type as well.
unpack leg45_pv64_w64_1024 >in
as_libxl 32 hvm || fail "a PV guest, said to be HVM"
err_has "using the detected one"
verified new "libxl stream v2"

# Bytes after the stream are left for the next reader.
unpack leg45_hvm_w64_1024 >in
printf 'after it' >>in
{
	"$helper" -i 0 -o 8 -w 64 -g hvm -f libxl 8>new
	cat >rest
} <in
[ "$(cat rest)" = "after it" ] || fail "left after the stream: $(cat rest)"
{ cat in; } | {
	"$helper" -i 0 -o 8 -w 64 -g hvm -f libxl 8>new
	cat >rest
}
[ "$(cat rest)" = "after it" ] || fail "left in a pipe: $(cat rest)"
verified new "libxl stream v2"

# Arguments as people use them: paths, letters, the other form, an xl header, no device model.
unpack leg45_hvm_w64_1024 >in
run_expect 0 "$helper" -i in -o new -w 64 -g hvm
verified new "libxc image v3"
err_has "the device model state of"
run_expect 0 "$helper" --i in --ou new --wid=64 --guest-t hvm --form libxl
verified new "libxl stream v2"
run_expect 0 "$helper" -v -i in -o new -w 64 -g hvm -f libxl --syslog
err_has "1024 pages of an HVM guest, saved by 64-bit tools"
unpack leg40_hvm_w64_1024 >in
run_expect 0 "$helper" -i in -o new -w 64 -g hvm --skip-qemu
err_is_empty
verified new "libxc image v3"
unpack xl45_hvm_w64_1024 >in
run_expect 0 "$helper" -x -i in -o new -w 64 -g hvm -f libxl
verified new "xl file, libxl stream v2"
run_expect 0 "$helper" --xl -i in -o new -w 64 -g hvm
err_has "the xl header is dropped"
verified new "libxc image v3"
run_expect 0 "$helper" --help
out_has "LIBXL_CONVERT_HELPER"
run_expect 0 "$helper" --version

# 1: the stream is bad; 2: the conversion is not possible.
rm -f new
unpack leg45_hvm_w64_1024 >in
run_expect 1 "$helper" -x -i in -o new -w 64 -g hvm
err_has "the input has no xl header"
head -c 100000 in >cut
run_expect 1 "$helper" -i cut -o new -w 64 -g hvm
err_has "the input ends inside a part"
run_expect 1 "$helper" -i "$data/xen-code/v3_422_hvm_1024.xz" -o new -w 64 -g hvm
err_has "expected a legacy image"
run_expect 1 "$helper" -i no-such-file -o new -w 64 -g hvm
run_expect 1 "$helper" -i in -o /dev/full -w 64 -g hvm
err_has "No space left"
(
	ulimit -f 100
	run_expect 1 "$helper" -i in -o limited -w 64 -g hvm
) || fail "a file too large"
err_has "File too large"
[ ! -e limited ] || fail "a file that was cut off by the limit is left"
run_expect 1 "$helper" -i in -o new -w 64
err_has "Usage:"
run_expect 2 "$helper" -i in -o new -w 16 -g hvm
run_expect 2 "$helper" -i in -o new -w 64 -g hvm --nonsense
run_expect 2 "$helper" --s -i in -o new -w 64 -g hvm # --skip-qemu or --syslog
[ ! -e new ] || fail "a file is left"
! compgen -G ".new*" >/dev/null || fail "a temporary file is left"

# SIGTERM ends it as a signal does, and no file is left.
mkfifo pipe
"$helper" -i pipe -o new -w 64 -g hvm -f libxl >out 2>err &
pid=$!
exec 9>pipe
head -c 5000 in >&9
kill -TERM $pid
wait $pid
status=$?
exec 9>&-
[ $status -eq 143 ] || fail "status $status after SIGTERM, expected 143"
[ ! -e new ] && ! compgen -G ".new*" >/dev/null || fail "a file is left"
