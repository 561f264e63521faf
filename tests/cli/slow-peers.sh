# SPDX-License-Identifier: LGPL-2.1-or-later
# Senders that are slow or say nothing: each part of a migration has its time, whatever drips in meanwhile, and a full
# receiver makes room.
. "$(dirname "$0")/domains.sh"
requires python3 xz

tiny
# slow KIND: runs such a sender against the receiver; ./slow.out is what it prints at its end.
slow()
{
	timeout 60 "$PYTHON" "$here/slow.py" "${address##*:}" "$@" >slow.out || fail "slow.py $*"
}
ended_with()
{
	grep -qF -e "$1" slow.out || FAIL_DEPTH=1 fail "the sender heard: $(cat slow.out)"
}

# Times of 1.5 s instead of 10 and 60.
GODWIT_SENDER_TIMES=1500,1500 receiver --keep
for kind in silent hello; do
	slow $kind
	ended_with "the other side has not sent its HELLO in 1500 ms"
done
slow config
ended_with "the other side has not sent its CONFIG with the static data in 1500 ms"
run_expect 0 "$GODWIT" migrate tpvh "$address"
until_true 20 is_state tpvh running
kill -TERM "$receiver"

# The stream: a sender that sends too little is ended, one that its own limit makes slow is not.
GODWIT_SENDER_TIMES=0,0,1500,0,0,100000000 receiver --keep
run_expect 3 "$GODWIT" migrate --bandwidth 1M tpvh "$address"
err_has "the other side has not sent enough of the domain in 1500 ms"
err_has "runs on here"
assert_state tpvh running
kill -TERM "$receiver"
until_true 20 is_state tpvh--incoming ""
GODWIT_SENDER_TIMES=0,0,30000,0,0,100 receiver --keep
run_expect 0 "$GODWIT" migrate --bandwidth 1M tpvh "$address"
until_true 20 is_state tpvh running
kill -TERM "$receiver"

# A stored image that stops in the middle.
GODWIT_SENDER_TIMES=0,0,1500 receiver --accept-image --name image
: >receiver.err
(head -c 100000 tiny.save; sleep 60) >"/dev/tcp/127.0.0.1/${address##*:}" &
started+=($!)
until_true 30 grep -q "the other side has not sent enough of the image in 1500 ms" receiver.err
assert_state image ""
kill -TERM "$receiver"

# 64 connections that say nothing, from as many addresses: one more gets in, and the oldest hears why it had to go.
GODWIT_SENDER_TIMES=600000 receiver --keep
"$PYTHON" "$here/slow.py" "${address##*:}" many 64 127.0.0.11 >many.out &
many=$!
started+=("$many")
until_true 30 grep -q open many.out
run_expect 0 "$GODWIT" migrate tpvh "$address"
until_true 20 is_state tpvh running
until_true 20 grep -q "ended this receiver has 64 connections, others wait, and of this one nothing was heard" many.out
kill -KILL "$many"
kill -TERM "$receiver"

# One address has a share; what came first of it goes first, and others get in at once.
GODWIT_SENDER_TIMES=600000 receiver --keep
"$PYTHON" "$here/slow.py" "${address##*:}" many 50 127.0.0.9 same >many.out &
many=$!
started+=("$many")
until_true 30 grep -q open many.out
shared()
{
	[ "$(grep -c "ended this receiver has 48 connections from this address already" many.out)" = 2 ]
}
until_true 30 shared
run_expect 0 "$GODWIT" migrate tpvh "$address"
until_true 20 is_state tpvh running
kill -KILL "$many"
