# SPDX-License-Identifier: LGPL-2.1-or-later
# receive --max-parallel: migrations wait for their turn and say so, can be cancelled meanwhile, and all arrive.
. "$(dirname "$0")/domains.sh"

receiver --keep --max-parallel 1
for g in g1 g2 g3; do
	guest $g "pages=16"
done
said() { grep -q "the receiver is busy with other migrations: waiting for the turn of this one" "$1"; }

"$GODWIT" migrate --bandwidth 1M g1 "$address" >g1.out 2>g1.err &
slow=$!
started+=("$slow")
until_true 20 is_state g1--incoming receiving
for g in g2 g3; do
	"$GODWIT" migrate $g "$address" >$g.out 2>$g.err &
	eval "$g=\$!"
	started+=("${!g}")
done
until_true 20 said g2.err
until_true 20 said g3.err
said g1.err && fail "the first one waits"
assert_state g2 migrating
assert_state g2--incoming ""
assert_state g3--incoming ""

# One that waits can be cancelled, at the sender.
kill -TERM "$g3"
wait "$g3"
status=$?
[ $status = 4 ] || fail "exit status $status of a migration that waited and was cancelled: $(cat g3.err)"
grep -q "runs on here" g3.err || fail "said: $(cat g3.err)"
assert_state g3 running

# The turn goes on when its holder dies.
kill -KILL "$slow"
wait "$g2" || fail "g2 did not move: $(cat g2.err)"
until_true 20 is_state g2 running
[ "$(grep -c waiting g2.err)" = 1 ] || fail "not one line: $(cat g2.err)"
until_true 20 is_state g1 running
run_expect 0 "$GODWIT" migrate -q g3 "$address"
err_is_empty

# Many at once: all arrive.
receiver --keep --max-parallel 2
for i in 1 2 3 4 5 6; do
	guest "m$i" "pages=16" --memory 4M
	"$GODWIT" migrate "m$i" "$address" >"m$i.out" 2>&1 &
	eval "m$i=\$!"
done
for i in 1 2 3 4 5 6; do
	m=m$i
	wait "${!m}" || fail "m$i did not move: $(cat m$i.out)"
	until_true 20 is_state m$i running
done
run_expect 2 "$GODWIT" receive --keep --max-parallel 0 tcp:127.0.0.1:0
