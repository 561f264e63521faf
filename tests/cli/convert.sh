#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# godwit convert: every recorded stream of any version, from a file and from pipe to pipe, gives an image in which
# verify finds no error and whose pages are those of its manifest. A bad input, or a lack of room, leaves no file.
. "$(dirname "$0")/lib.sh"
requires xz python3

check() { python3 "$here/export.py" "$@" >why 2>&1 || FAIL_DEPTH=1 fail "$*: $(cat why)"; }
nothing_left()
{
	[ ! -e "$1" ] || FAIL_DEPTH=1 fail "$1 is there"
	! compgen -G ".$(basename "$1")*" >/dev/null || FAIL_DEPTH=1 fail "a temporary file is left"
}

# Every stream with a manifest; for a stream with checkpoints, the last one's.
streams=0
for manifest in "$data"/xen-code/*.manifest.xz; do
	name=${manifest%.manifest.xz}
	case $name in
	*.cp[0-9])
		number=${name##*.cp}
		name=${name%.cp?}
		[ ! -e "$name.cp$((number + 1)).manifest.xz" ] || continue
		;;
	esac
	image=$name.xz
	[ -e "$image" ] || image=$name.fwd.xz
	run_expect 0 "$GODWIT" convert "$image" new
	run_expect 0 "$GODWIT" verify new
	out_has "libxc image v3"
	run_expect 0 "$GODWIT" export --raw new raw
	check raw "$manifest"
	xz -dc "$image" | "$GODWIT" convert - - 2>err | cmp - new || fail "$image: a pipe differs from a file"
	rm new raw
	streams=$((streams + 1))
done
[ $streams -ge 25 ] || fail "only $streams streams with a manifest"

# The layers of the result.
xl=$data/xen-code/xl45_hvm_w64_1024.xz
for form in xl libxl libxc; do
	run_expect 0 "$GODWIT" convert --to $form "$xl" new
	run_expect 0 "$GODWIT" verify new
	case $form in
	xl) out_has "ok: xl file, libxl stream v2, libxc image v3" ;;
	libxl) out_has "ok: libxl stream v2, libxc image v3" ;;
	libxc) out_has "ok: libxc image v3" ;;
	esac
done
run_expect 0 "$GODWIT" convert "$xl" new
run_expect 0 "$GODWIT" verify new
out_has "ok: xl file"
run_expect 0 "$GODWIT" inspect new
out_has "JSON STREAM_V2"
run_expect 0 "$GODWIT" convert "$data/xen-code/leg45_pv64_w64_1024.xz" new
run_expect 0 "$GODWIT" verify new
out_has "ok: libxl stream v2"
# Over another file, and over its own input.
xz -dc "$data/xen-code/v2_46_hvm_w64_1024.xz" >image
run_expect 0 "$GODWIT" convert image new
run_expect 0 "$GODWIT" convert image image
cmp image new || fail "converted in its own place it is another"
run_expect 0 "$GODWIT" convert image again
cmp image again || fail "version 3 does not stay as it is"

# Messages: only what the result lacks; more with -v, nothing with -q.
run_expect 0 "$GODWIT" convert "$xl" new
err_is_empty
run_expect 0 "$GODWIT" convert --to libxc "$xl" new
err_has "warning: TOOLSTACK of"
err_has "warning: the device model state of 2051 bytes is dropped"
[ "$(wc -l <err)" -eq 2 ] || fail "it says something else, too"
run_expect 0 "$GODWIT" convert -q --to libxc "$xl" new
err_is_empty
run_expect 0 "$GODWIT" convert -v "$data/xen-code/leg45_hvm_w64_remus4_comp_1024.xz" new
err_has "from a legacy image of 64-bit tools, HVM guest to a libxl stream of version 3"
err_has "the last of 4 checkpoints"
run_expect 0 "$GODWIT" convert --progress=json "$xl" new
err_has '"stage":"converting"'
[ ! -s out ] || fail "something on standard output"

# The caller overrides what is detected.
run_expect 0 "$GODWIT" convert --from legacy --width 64 --guest hvm "$xl" new
run_expect 1 "$GODWIT" convert --width 32 "$xl" none
err_has "it looks like an HVM guest saved by 64-bit tools"
run_expect 1 "$GODWIT" convert --guest pv "$xl" none
run_expect 1 "$GODWIT" convert --from v3 "$xl" none
run_expect 1 "$GODWIT" convert --from legacy image none
err_has "expected a legacy image"
run_expect 2 "$GODWIT" convert --to xl image none
err_has "contains none"
run_expect 2 "$GODWIT" convert --width 16 "$xl" none
run_expect 2 "$GODWIT" convert "$xl"
err_has "OUT is missing"
nothing_left none

# Bad input is refused; a file of that name stays as it is.
xz -dc "$data/xen-code/leg45_hvm_w64_1024.xz" >good
size=$(stat -c %s good)
head -c $((size - 1)) good >bad
run_expect 1 "$GODWIT" convert bad none
err_has "the input ends inside a part"
nothing_left none
echo precious >old
run_expect 1 "$GODWIT" convert bad old
[ "$(cat old)" = precious ] || fail "a refused conversion has replaced a file"
run_expect 0 "$GODWIT" convert good old
run_expect 0 "$GODWIT" verify old
head -c 20000 "$xl" >bad.xz
run_expect 1 "$GODWIT" convert bad.xz none
echo "What on earth is this?" >text
run_expect 1 "$GODWIT" convert text none
: >empty
run_expect 1 "$GODWIT" convert empty none
nothing_left none
"$GODWIT" convert bad - >out 2>err
[ $? -eq 1 ] || fail "bad to standard output"
err_has "is not a complete image"

# No room: status 3 and no file. A file may not grow beyond a limit; /dev/full accepts nothing; a file system of one
# MiB, where the test can make one.
(
	ulimit -f 100
	"$GODWIT" convert good none 2>err
)
[ $? -eq 3 ] || fail "a file too large"
err_has "File too large"
nothing_left none
run_expect 3 "$GODWIT" convert good /dev/full
err_has "No space left"
run_expect 3 "$GODWIT" convert good nowhere/none
run_expect 3 "$GODWIT" convert no-such-file none
nothing_left none
if unshare -rm true 2>/dev/null; then
	mkdir small
	xz -dc "$data/xen-code/leg45_hvm_w64_remus4_1024.xz" >remus
	# The places of the result, and of waiting rounds.
	unshare -rm bash -c 'mount -t tmpfs -o size=1m none small || exit 3
		"$0" convert good small/none 2>err; status=$?; ls -A small >left; exit $status' "$GODWIT"
	[ $? -eq 3 ] || fail "a full disk"
	[ ! -s left ] || fail "on the full disk is left: $(cat left)"
	unshare -rm bash -c 'mount -t tmpfs -o size=400k none small || exit 3
		TMPDIR=$PWD/small "$0" convert remus none 2>err' "$GODWIT"
	[ $? -eq 3 ] || fail "no room for rounds"
	err_has "No space left"
	nothing_left none
fi

# A reader that closes the pipe is reported, and is not a signal.
{ "$GODWIT" convert good - 2>err; echo $? >status; } | head -c 1000 >/dev/null
[ "$(cat status)" -eq 3 ] || fail "status $(cat status) when the reader is gone"
err_has "the other side is gone"

# Interrupted: status 4, no file left.
mkfifo pipe
"$GODWIT" convert pipe none >out 2>err &
pid=$!
exec 9>pipe
head -c 5000 good >&9
kill -TERM $pid
wait $pid
status=$?
exec 9>&-
[ $status -eq 4 ] || fail "status $status after SIGTERM, expected 4"
nothing_left none
