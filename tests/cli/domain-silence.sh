# SPDX-License-Identifier: LGPL-2.1-or-later
# A peer that takes no more bytes, or is stopped: the migration ends when the limit on silence has passed, and the guest runs.
. "$(dirname "$0")/domains.sh"
requires python3 xz

tiny

# hangs SECONDS OPTION...: a migration that must fail within SECONDS.
hangs()
{
	local seconds=$1 began=$SECONDS
	shift
	run_expect 3 "$GODWIT" migrate --silence 2 "$@"
	[ $((SECONDS - began)) -le "$seconds" ] || fail "it took $((SECONDS - began)) s"
	err_has "runs on here"
	assert_state tpvh running
	before=$(counter)
	until_true 5 counts_on
}

counter_of_copy()
{
	echo $(($(word copy 0x200 8)))
}

counter()
{
	rm -f copy
	"$GODWIT" save -k tpvh copy >/dev/null && counter_of_copy
}

counts_on()
{
	[ "$(counter)" -gt "$before" ]
}

# Between them stands something that takes a part of the stream and then nothing. The guest is suspended meanwhile.
for way in "" --no-live; do
	"$GODWIT" receive unix:$tmp/in >/dev/null 2>receiver.err &
	started+=($!)
	until_true 5 test -S in
	python3 "$here/hang.py" $tmp/hang $tmp/in 1000000 &
	started+=($!)
	until_true 5 test -S hang
	hangs 20 $way tpvh unix:$tmp/hang
	err_has "taken nothing for 2000 ms"
	# The receiver has seen that the connection has ended, and has nothing.
	until_true 5 is_state tpvh--incoming ""
	kill -KILL "${started[-2]}"
	rm -f in
done

# Processes that do not answer cost the others no time.
for name in s1 s2 s3; do
	tiny $name
done
stopped=$("$GODWIT" list --json | "$PYTHON" -c 'import json, sys
print(*[d["id"] for d in json.load(sys.stdin) if d["name"][0] == "s"])')
kill -STOP $stopped
began=$(date +%s%N)
run_expect 0 "$GODWIT" list
took=$((($(date +%s%N) - began) / 1000000))
[ "$(grep -c "not answering" out)" = 3 ] || fail "three do not answer: $(cat out)"
assert_state tpvh running
[ $took -lt 5500 ] || fail "list took $took ms for three processes that do not answer"
kill -KILL $stopped

# The receiver is stopped.
"$GODWIT" receive unix:$tmp/in >/dev/null 2>receiver.err &
receiver=$!
started+=($receiver)
until_true 5 test -S in
"$GODWIT" migrate --silence 2 --bandwidth 1M tpvh unix:$tmp/in 2>err &
migration=$!
until_true 5 is_state tpvh--incoming receiving
arrival=$("$GODWIT" list | sed -n "s/^tpvh--incoming *\([0-9]*\) .*/\1/p")
kill -STOP $receiver $arrival
began=$SECONDS
wait $migration
[ $? -eq 3 ] || fail "a migration to a stopped process succeeded"
[ $((SECONDS - began)) -le 20 ] || fail "it took $((SECONDS - began)) s"
err_has "runs on here"
assert_state tpvh running
kill -KILL $receiver $arrival
