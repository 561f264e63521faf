# SPDX-License-Identifier: LGPL-2.1-or-later
# Programs that are started with standard input, output or error closed: no file of their own gets that number and is
# read as the input, or written to as the output.
. "$(dirname "$0")/lib.sh"
requires xz
convert=${GODWIT_CONVERT_HELPER:?the path of our convert-legacy-stream}
save=${GODWIT_SAVE_HELPER:?the path of our godwit-save-helper}
xz -dc "$data/xen-code/leg45_pv64_w64_1024.xz" >in
"$GODWIT" convert in whole 2>/dev/null || fail "the image does not convert"

# without FD COMMAND...: runs it with that descriptor closed; what it says is in ./said. It must end.
without()
{
	local fd=$1
	shift
	last_run="$* $fd<&-"
	: >said
	case $fd in
	0) timeout 20 "$@" <&- >said 2>&1 ;;
	1) timeout 20 "$@" </dev/null >&- 2>said ;;
	2) timeout 20 "$@" </dev/null >said 2>&- ;;
	esac
	status=$?
	[ $status != 124 ] || fail "it waits for ever"
}

for fd in 0 1 2; do
	# What does not use the descriptor works.
	rm -f new
	without $fd "$GODWIT" convert in new
	[ $status = 0 ] && cmp -s new whole || fail "status $status: $(cat said)"
	rm -f new
	without $fd "$convert" --in in --out new --width 64 --guest-type pv --format libxl
	[ $status = 0 ] || fail "status $status: $(cat said)"
	"$GODWIT" verify new >/dev/null || fail "another image: $(cat said)"
	"$GODWIT" verify new >plain
	without $fd "$GODWIT" verify new
	[ $status = $([ $fd = 1 ] && echo 3 || echo 0) ] || fail "status $status: $(cat said)"
	# libxl asks and answers through 0 and 1: without one of them the helper ends.
	[ $fd = 2 ] || {
		without $fd env GODWIT_HELPER_CONNECT="memory:?attach=hvm&pfns=64&guest=7" GODWIT_HELPER_CONF=/dev/null \
			"$save" --save-domain 9 -1 5 0 0 0 9>file
		[ $status = 254 ] && grep -q "libxl is gone" said || fail "status $status: $(cat said)"
	}
done
# The input or output itself is missing: an error, no empty one, and nothing is left.
rm -f new
without 0 "$GODWIT" verify -
[ $status = 3 ] || fail "status $status: $(cat said)"
grep -q "Bad file descriptor" said || fail "it says $(cat said)"
without 0 "$GODWIT" convert - new
[ $status = 3 ] && [ ! -e new ] || fail "status $status: $(cat said)"
without 1 "$GODWIT" convert in -
[ $status = 3 ] || fail "status $status: $(cat said)"
without 0 "$convert" --in 0 --out new --width 64 --guest-type pv --format libxl
[ $status != 0 ] && [ ! -e new ] || fail "status $status: $(cat said)"
grep -q "Bad file descriptor" said || fail "it says $(cat said)"
without 1 "$convert" --in in --out 1 --width 64 --guest-type pv --format libxl
[ $status != 0 ] || fail "status $status: $(cat said)"
grep -q "Bad file descriptor" said || fail "it says $(cat said)"
