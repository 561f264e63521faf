# SPDX-License-Identifier: LGPL-2.1-or-later
# Text of images and peers on terminals, in logs and in JSON: nothing in it commands a terminal, begins a line, or
# changes the direction of writing, and it is visible.
. "$(dirname "$0")/domains.sh"
requires xz python3
hostile()
{
	python3 "$here/hostile.py" "$@"
}
shown='evil\x1b[2J\x07\x7f\x9b\u202e\u2066\u200f\u2028\u061c\ufeff'
clean()
{
	hostile check out err || FAIL_DEPTH=1 fail "not clean"
}

# An image: its config, in every member that is shown.
text=$(hostile text)
xz -dc "$data/xen417/tiny-pvh.save.xz" >plain
python3 "$here/config.py" set c_info.name "$text" set b_info.kernel "$text" <plain >image
run_expect 0 "$GODWIT" inspect image
out_has "$shown"
clean
run_expect 0 "$GODWIT" inspect --json image
hostile json out || fail "inspect --json"
"$GODWIT" verify image >out 2>err
out_has "$shown"
clean
"$GODWIT" verify --json image >out 2>err
hostile json out || fail "verify --json"
run_expect 1 "$GODWIT" diff plain image
out_has "u202e"
clean
run_expect 1 "$GODWIT" diff --json plain image
hostile check out || fail "diff --json"
python3 -m json.tool out >/dev/null || fail "diff --json"
"$GODWIT" restore image >out 2>err </dev/null && fail "a hostile name was taken"
err_has "$shown"
clean
"$GODWIT" convert --to xl image new >out 2>err
clean
# A config that is no JSON, and one of xend's language: its text is quoted.
python3 "$here/config.py" text "$(printf '{"c_info": \033[2J\302\233\342\200\256}')" <plain >image
for verb in inspect verify restore "inspect --json" "verify --json"; do
	"$GODWIT" $verb image >out 2>err </dev/null
	clean
done
# The device model's sections.
xz -dc "$data/xen417/tiny-hvm.save.xz" >plain
hostile section <plain >image || fail "no state of QEMU's"
run_expect 0 "$GODWIT" inspect image
out_has "$shown"
clean
run_expect 0 "$GODWIT" inspect --json image
hostile json out || fail "inspect --json of a section"
for verb in diff "diff --json"; do
	run_expect 1 "$GODWIT" $verb plain image
	clean
done
# The names of files.
name=$(printf 'a\033[2J\342\200\256\233')
cp plain "$name"
for verb in inspect verify export\ --raw convert; do
	"$GODWIT" $verb "$name" "$name.new" >out 2>err
	"$GODWIT" $verb "$name" >>out 2>>err
	clean
done
"$GODWIT" inspect "$name" >out
out_has 'a\x1b[2J\u202e\x9b'
"$GODWIT" inspect "./no $name" >out 2>err && fail "a missing file"
clean

# A receiver's words.
guest g "pages=16"
for frame in refuse error; do
	hostile receive $frame >port 2>/dev/null &
	started+=($!)
	until_true 20 test -s port
	"$GODWIT" migrate g "$(cat port)" >out 2>err && fail "a refused migration"
	err_has "$shown"
	clean
	! grep -q '^godwit: forged\|^2026' err || fail "a forged line"
	: >port
	assert_state g running
done

# A sender's words, in the foreground and in a log. Each line names the peer.
stamp='[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z receiver'
"$GODWIT" receive --keep tcp:127.0.0.1:0 >o 2>err &
started+=($!)
until_true 20 test -s o
address=$(head -1 o)
hostile send "$address" config 1
hostile send "$address" error 1
hostile send "$address" junk 1
until_true 20 grep -q "no godwit hello" err
until_true 20 grep -qF "$shown" err
clean
[ -z "$(grep -vE '^godwit: receive \(from tcp:127.0.0.1:[0-9]+\): ' err)" ] || fail "other lines"

run_expect 0 "$GODWIT" receive --keep -d tcp:127.0.0.1:0
address=$(cat out)
log=$GODWIT_RUNTIME_DIR/receive.log
hostile send "$address" config 1
hostile send "$address" error 1
until_true 20 grep -qF "$shown" "$log"
# A flood: the log stays small, whole lines alone are in it, and it says how much it has not.
hostile send "$address" junk 150 &
hostile send "$address" junk 150 &
wait %+ %-
left_out() { grep -qE "[0-9]+ messages? about connections left out" "$log"; }
until_true 20 left_out
hostile check "$log" || fail "the log is not clean"
[ -z "$(grep -vE "^$stamp $address( \(from tcp:127.0.0.1:[0-9]+\))?: " "$log")" ] ||
	fail "other lines: $(grep -vE "^$stamp" "$log" | head -3)"
[ "$(wc -l <"$log")" -lt 250 ] || fail "$(wc -l <"$log") lines for 302 connections"
"$GODWIT" receive --end "$address" || fail "the receiver does not end"

# The titles of processes.
"$GODWIT" receive --keep "unix:$tmp/$(printf 's\033[2J\342\200\256')" >o2 2>err &
receiver=$!
started+=($receiver)
until_true 20 test -s o2
tr '\0' '\n' <"/proc/$receiver/cmdline" >out
out_has '\x1b[2J\u202e'
clean
cp "/proc/$receiver/comm" out
clean
