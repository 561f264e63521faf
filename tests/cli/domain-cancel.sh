# SPDX-License-Identifier: LGPL-2.1-or-later
# Migrations that are given up in the middle, in different ways: the domain runs where it was, nothing is left at the
# destination, and the next attempt succeeds.
. "$(dirname "$0")/domains.sh"
requires xz

# slow: starts a migration that takes some seconds; $slow is the command's process.
slow()
{
	"$GODWIT" migrate --bandwidth 500K tpvh "$address" >slow.out 2>slow.err &
	slow=$!
	started+=("$slow")
	until_true 5 is_state tpvh--incoming receiving
	assert_state tpvh migrating
}
id_of()
{
	"$GODWIT" list | sed -n "s/^$1 *\([0-9]*\) .*/\1/p"
}

tiny
receiver

# Ctrl-C (in the foreground: a shell's background commands ignore it)
run_expect 4 timeout --foreground --preserve-status -s INT 1 "$GODWIT" migrate --bandwidth 500K tpvh "$address"
err_has "runs on here"
assert_state tpvh running

# SIGTERM
slow
kill -TERM "$slow"
wait "$slow"
status=$?
[ $status = 4 ] || fail "exit status $status after SIGTERM: $(cat slow.err)"
grep -q "runs on here" slow.err || fail "no word of the domain's state: $(cat slow.err)"
assert_state tpvh running
until_true 5 is_state tpvh--incoming ""

# The command is killed: no client waits for the migration any more.
slow
kill -KILL "$slow"
until_true 5 is_state tpvh running
until_true 5 is_state tpvh--incoming ""

# Requests that would disturb the migration have to wait; another client may cancel it.
slow
run_expect 3 "$GODWIT" pause tpvh
err_has "migrating"
run_expect 3 "$GODWIT" save tpvh x.save
[ ! -e x.save ] || fail "a save that was refused has left a file"
run_expect 3 "$GODWIT" migrate tpvh "$address"
kill -TERM "$slow"
wait "$slow"
assert_state tpvh running

# The receiver is killed.
slow
kill -KILL "$(id_of tpvh--incoming)"
wait "$slow"
status=$?
[ $status = 3 ] || fail "exit status $status after the receiver's death: $(cat slow.err)"
grep -q "runs on here" slow.err || fail "no word of the domain's state: $(cat slow.err)"
assert_state tpvh running

# The source is destroyed: the destination has nothing.
receiver
slow
run_expect 0 "$GODWIT" destroy tpvh
assert_state tpvh ""
until_true 5 is_state tpvh--incoming ""
wait "$slow"

# After all that a migration works.
tiny
run_expect 0 "$GODWIT" migrate tpvh "$address"
until_true 5 is_state tpvh running
