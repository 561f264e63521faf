# SPDX-License-Identifier: LGPL-2.1-or-later
# Addresses of the network need TLS, ssh or --insecure; a unix socket knows who connects to it.
. "$(dirname "$0")/domains.sh"
requires xz

# Before anything is sent or listened on, also where the domain does not exist or the port is in use. 192.0.2.1 belongs
# to documentation: nothing there would answer.
for host in 192.0.2.1 0.0.0.0 '[::]' '[2001:db8::1]' '[::ffff:127.0.0.1]' 128.0.0.1; do
	run_expect 2 "$GODWIT" migrate nobody "tcp:$host:7000"
	err_has "tcp:$host:7000 is another host, and tcp: shows the guest's memory to everyone on the way"
	err_has "use tls:HOST:PORT, ssh:HOST, or --insecure"
	run_expect 2 "$GODWIT" receive "tcp:$host:0"
	err_has "tcp:$host:0 can be reached from other hosts"
	err_has "use tls:HOST:PORT, let the sender use ssh:HOST, or give --insecure"
	run_expect 2 "$GODWIT" receive --keep -d "tcp:$host:0"
	[ ! -s out ] || fail "an address was listened on: $(cat out)"
done
"$GODWIT" list --all >out
! grep -q receiver out || fail "a receiver stayed: $(cat out)"
# Names and numbers of this machine; --insecure lets the others pass.
for host in 127.0.0.1 127.1.2.3 localhost '[::1]'; do
	run_expect 3 "$GODWIT" migrate nobody "tcp:$host:7000"
	err_has "nobody"
done
run_expect 3 "$GODWIT" migrate --insecure nobody tcp:192.0.2.1:7000
err_has "nobody"
err_has "warning: --insecure: everyone on the way to tcp:192.0.2.1:7000 can read and change the guest's memory"

tiny
: >receiver.err
receiver --insecure
grep -q "warning: --insecure: everyone who can connect to tcp:127.0.0.1:0 can start a domain here" receiver.err ||
	fail "the receiver said: $(cat receiver.err)"
run_expect 0 "$GODWIT" migrate tpvh "$address"
until_true 5 is_state tpvh running

# A unix socket: this user without a word; with a list only those on it.
me=$(id -u)
other=$((me + 4242))
unix_receiver()
{
	local out
	# A file of its own: the domain of an earlier one prints into that one's.
	out=unix.$((receivers += 1))
	: >receiver.err
	"$GODWIT" receive "$@" "unix:$tmp/in" >"$out" 2>receiver.err &
	started+=($!)
	disown
	until_true 5 test -s "$out"
}
unix_receiver
[ "$(stat -c %a in)" = 600 ] || fail "the socket has mode $(stat -c %a in)"
run_expect 0 "$GODWIT" migrate tpvh "unix:$tmp/in"
until_true 5 is_state tpvh running
until_true 5 test ! -e in
unix_receiver --allow-uid "$other"
# Its users can reach it, and the receiver itself judges them.
[ "$(stat -c %a in)" = 666 ] || fail "the socket has mode $(stat -c %a in)"
run_expect 3 "$GODWIT" migrate tpvh "unix:$tmp/in"
err_has "user $me may not send a domain to this receiver (--allow-uid says who may)"
err_has "runs on here"
until_true 5 grep -q "user $me may not send a domain to this receiver" receiver.err
assert_state tpvh running
"$GODWIT" receive --end "unix:$tmp/in" || fail "the receiver does not end"
until_true 5 test ! -e in
unix_receiver --allow-uid "$other,$me"
run_expect 0 "$GODWIT" migrate tpvh "unix:$tmp/in"
until_true 5 is_state tpvh running
for list in "" , 1, ,1 1,,2 x 0x1 -1 1:2 99999999999 4294967295; do
	run_expect 2 "$GODWIT" receive --allow-uid "$list" "unix:$tmp/in"
	err_has "is no list of user numbers"
done
run_expect 2 "$GODWIT" receive --allow-uid "$(seq -s, 1 33)" "unix:$tmp/in"
err_has "at most 32 users"
