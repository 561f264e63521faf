#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# godwit export --raw: every page of every recorded stream is as in its manifest, from a file, a pipe and compressed;
# of a stream with checkpoints the last complete one counts. A bad input, or a lack of room, leaves no file.
. "$(dirname "$0")/lib.sh"
requires xz python3

check() { python3 "$here/export.py" "$@" >why 2>&1 || FAIL_DEPTH=1 fail "$*: $(cat why)"; }
word() { python3 "$here/export.py" "$1" - "$2"; }
nothing_left()
{
	[ ! -e "$1" ] || FAIL_DEPTH=1 fail "$1 is there"
	! compgen -G ".$(basename "$1")*" >/dev/null || FAIL_DEPTH=1 fail "a temporary file is left"
}

# Every stream with a manifest; for a stream with checkpoints, the last one's.
streams=0
for manifest in "$data"/xen-code*/*.manifest.xz; do
	name=${manifest%.manifest.xz}
	case $name in
	*.cp?)
		k=${name##*.cp}
		name=${name%.cp?}
		[ ! -e "$name.cp$((k + 1)).manifest.xz" ] || continue
		;;
	esac
	image=$name.xz
	[ -e "$image" ] || image=$name.fwd.xz
	xz -dc "$image" >plain
	run_expect 0 "$GODWIT" export --raw plain raw
	case ${name##*/} in
	leg* | xl4*) ;; # what a conversion drops is reported
	*) err_is_empty ;;
	esac
	check raw "$manifest"
	run_expect 0 "$GODWIT" export --raw "$image" raw.xz
	cmp raw raw.xz || fail "$image: compressed differs from plain"
	# From a pipe to a pipe: the output cannot be sparse, and is the same.
	cat plain | "$GODWIT" export --raw - - 2>err | cmp - raw || fail "$image: a pipe differs from a file"
	rm raw raw.xz
	streams=$((streams + 1))
done
[ $streams -ge 39 ] || fail "only $streams streams with a manifest"

# A stream that breaks off in a round, or in the libxl records of a checkpoint, gives the checkpoint before.
cut_case()
{
	xz -dc "$data/xen-code/$1.xz" | head -c "$2" >cut
	run_expect 0 "$GODWIT" export --raw cut raw
	[ "$4" = quiet ] || err_has "round"
	check raw "$data/xen-code/$1.cp$3.manifest.xz"
}
remus=v3_422_hvm_remus3_1024
offsets()
{
	"$GODWIT" inspect --records "$data/xen-code/$1.xz" | awk -v type="$2" '$2 ~ /^lib/ && $4 == type {print $1}'
}
mapfile -t at < <(offsets $remus CHECKPOINT)
[ ${#at[@]} -eq 3 ] || fail "${#at[@]} checkpoints in $remus"
cut_case $remus $((at[2])) 1 told         # round 3 is complete but for its CHECKPOINT
cut_case $remus $((at[1] + 100000)) 1 told # in the middle of round 3's pages
cut_case $remus $((at[1] + 8)) 1 quiet    # after the second checkpoint
cut_case $remus $((at[1])) 0 told
cut_case $remus $((at[2] + 8)) 2 quiet
libxl=v3_422_libxl_hvm_remus3_1024
mapfile -t at < <(offsets $libxl CHECKPOINT_END)
mapfile -t inner < <(offsets $libxl CHECKPOINT)
[ ${#at[@]} -eq 3 ] && [ ${#inner[@]} -eq 3 ] || fail "checkpoints in $libxl"
cut_case $libxl $((at[1] + 100000)) 1 told
cut_case $libxl $((inner[2] + 8)) 1 quiet # complete in the image's layer, but not in libxl's
cut_case $libxl $((at[2])) 1 quiet
cut_case $libxl $((at[2] + 8)) 2 quiet
# Before the first checkpoint there is nothing to export.
mapfile -t at < <(offsets $remus CHECKPOINT)
xz -dc "$data/xen-code/$remus.xz" | head -c $((at[0])) >cut
run_expect 1 "$GODWIT" export --raw cut none
nothing_left none

# Pages after VERIFY were sent before and are only compared: a different one changes nothing.
verify=v3_422_hvm_verify_1024
behind=$(offsets $verify HVM_CONTEXT)
[ $((behind)) -gt $(($(offsets $verify VERIFY))) ] || fail "no VERIFY before HVM_CONTEXT in $verify"
xz -dc "$data/xen-code/$verify.xz" >differs
printf 'differs' | dd of=differs bs=1 seek=$((behind - 100)) conv=notrunc status=none
run_expect 0 "$GODWIT" export --raw differs raw
check raw "$data/xen-code/$verify.manifest.xz"

# Streams of real Xen: the contents that the guests keep in memory. Device pages below 4 GiB make a large file that
# uses little room.
run_expect 0 "$GODWIT" export --raw "$data/xen417/tiny-pvh.save.xz" raw
[ "$(word raw 0x200000) $(word raw 0x200008)" = "0x47495258 0x1d95" ] || fail "pfn 0x200 of tiny-pvh"
[ $(($(stat -c '%b * %B' raw))) -lt $((8 << 20)) ] || fail "the export of tiny-pvh is not sparse"
[ "$(stat -c %s raw)" -gt $((0xfc000000)) ] || fail "the export of tiny-pvh is too short"
run_expect 0 "$GODWIT" export --raw "$data/xen417/tiny-hvm.save.xz" raw
[ "$(word raw 0x30004)" = 0xcd8ab3 ] || fail "pfn 0x30 of tiny-hvm"
for f in tiny-pv.save tiny-pv.migrate-debug-fwd; do
	run_expect 0 "$GODWIT" export --raw "$data/xen417/$f.xz" raw
	[ "$(word raw 0x180000)" = 0x47495258 ] || fail "pfn 0x180 of $f"
done

# A bad image is refused; a file of that name stays as it is.
xz -dc "$data/xen-code/v3_422_pv64_1024.xz" >good
size=$(stat -c %s good)
head -c $((size - 8)) good >bad
for form in --raw --core; do
	run_expect 1 "$GODWIT" export $form bad none
	err_has "before END"
	nothing_left none
done
echo precious >old
run_expect 1 "$GODWIT" export --raw bad old
[ "$(cat old)" = precious ] || fail "a refused export has replaced a file"
run_expect 0 "$GODWIT" export --raw good old
check old "$data/xen-code/v3_422_pv64_1024.manifest.xz"
head -c 100000 "$data/xen-code/v3_422_pv64_1024.xz" | head -c 20000 >bad.xz
run_expect 1 "$GODWIT" export --raw bad.xz none
nothing_left none
echo "What on earth is this?" >text
run_expect 1 "$GODWIT" export --raw text none
nothing_left none

# No room: status 3 and no file. A file may not grow beyond a limit; /dev/full accepts nothing; a file system of one
# MiB, where the test can make one.
for form in --raw --core; do
	(
		ulimit -f 100
		"$GODWIT" export $form good none 2>err
	)
	status=$?
	[ $status -eq 3 ] || fail "$form, a file too large: status $status"
	err_has "File too large"
	nothing_left none
done
run_expect 3 "$GODWIT" export --raw good /dev/full
err_has "No space left"
run_expect 3 "$GODWIT" export --raw good nowhere/none
run_expect 3 "$GODWIT" export --raw no-such-file none
nothing_left none
mkdir small
if unshare -rm mount -t tmpfs -o size=1m none small 2>/dev/null; then
	unshare -rm bash -c 'mount -t tmpfs -o size=1m none small && "$0" export --raw good small/none 2>err
		status=$?; ls -A small >left; exit $status' "$GODWIT"
	status=$?
	[ $status -eq 3 ] || fail "a full disk: status $status"
	err_has "No space left"
	[ ! -s left ] || fail "on the full disk is left: $(cat left)"
fi

# The command line.
run_expect 2 "$GODWIT" export good none
err_has "--raw or --core"
run_expect 2 "$GODWIT" export --raw --core good none
err_has "exclude each other"
run_expect 2 "$GODWIT" export --raw good
err_has "OUT is missing"
nothing_left none

# Interrupted: status 4, no file left.
mkfifo pipe
"$GODWIT" export --raw pipe none >out 2>err &
pid=$!
exec 9>pipe
head -c 5000 good >&9
kill -TERM $pid
wait $pid
status=$?
exec 9>&-
[ $status -eq 4 ] || fail "status $status after SIGTERM, expected 4"
nothing_left none
