# SPDX-License-Identifier: LGPL-2.1-or-later
# Connections to a receiver of one domain are served side by side: none waits for another, and the first domain that is
# complete is received. The command is as good as the domain's process: its output, its exit status, its death.
. "$(dirname "$0")/domains.sh"
requires xz python3

# mute: a peer that connects to $address and says nothing; what it hears goes to ./heard.
mute()
{
	rm -f heard connected
	python3 -c '
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
open("connected", "w")
got = b""
while part := s.recv(4096):
	got += part
open("heard", "wb").write(got)
' "${address##*:}" &
	mute=$!
	started+=("$mute")
	until_true 10 test -e connected
}
# ends_with STATUS PID: its exit status, when it has ended.
ends_with()
{
	local status
	wait "$2"
	status=$?
	[ $status = "$1" ] || FAIL_DEPTH=1 fail "exit status $status, expected $1: $(cat receiver.err)"
}
# one [OPTION...]: as receiver, but the shell waits for it.
one()
{
	: >receiver.err >one.out
	"$GODWIT" receive "$@" tcp:127.0.0.1:0 >one.out 2>receiver.err &
	receiver=$!
	started+=("$receiver")
	until_true 10 test -s one.out
	address=$(head -1 one.out)
}
process_of()
{
	"$GODWIT" list | sed -n "s/^$1 *\([0-9]*\) .*/\1/p"
}

# A silent peer does not keep a domain out, and hears why it is sent away.
tiny
one
mute
run_expect 0 "$GODWIT" migrate tpvh "$address"
until_true 10 is_state tpvh running
wait "$mute"
grep -qa "this receiver takes one domain, and another one has arrived" heard || fail "heard: $(od -c heard)"
# The address is free.
run_expect 3 "$GODWIT" migrate tpvh "$address"
kill -0 "$receiver" || fail "the command has ended before its domain"

# A signal to the command is one to the domain.
kill -TERM "$receiver"
ends_with 0 "$receiver"
grep -q "the domain was destroyed" receiver.err || fail "said: $(cat receiver.err)"
assert_state tpvh ""

# What the guest prints, and its end.
guest talks "pages=16 seed=5"
one
run_expect 0 "$GODWIT" migrate talks "$address"
until_true 10 grep -qa "beat .* ok" one.out
run_expect 0 "$GODWIT" save talks talks.save
ends_with 0 "$receiver"
grep -q "the domain was saved and ended here" receiver.err || fail "said: $(cat receiver.err)"

# The command is killed, or the process of its domain.
tiny
one
run_expect 0 "$GODWIT" migrate tpvh "$address"
kill -KILL "$receiver"
until_true 10 is_state tpvh ""
tiny
one
run_expect 0 "$GODWIT" migrate tpvh "$address"
kill -KILL "$(process_of tpvh)"
ends_with 3 "$receiver"
grep -q "the domain's process was ended by signal 9" receiver.err || fail "said: $(cat receiver.err)"

# Two at the same time: the slow one hears so, and runs on at its source. In the foreground and in the background.
for how in foreground background; do
	guest slow "pages=4000 seed=3"
	tiny
	if [ $how = foreground ]; then
		one
	else
		run_expect 0 "$GODWIT" receive -d tcp:127.0.0.1:0
		address=$(cat out)
	fi
	"$GODWIT" migrate --bandwidth 1M slow "$address" >slow.out 2>slow.err &
	slow=$!
	started+=("$slow")
	until_true 20 is_state slow--incoming receiving
	run_expect 0 "$GODWIT" migrate tpvh "$address"
	wait "$slow"
	[ $? = 3 ] || fail "the slow migration ends with another status: $(cat slow.err)"
	grep -q "this receiver takes one domain, and another one has arrived" slow.err || fail "said: $(cat slow.err)"
	grep -q "runs on here" slow.err || fail "said: $(cat slow.err)"
	assert_state slow running
	until_true 10 is_state slow--incoming ""
	assert_state tpvh running
	"$GODWIT" list --all | grep -q receiver && fail "it still listens: $("$GODWIT" list --all)"
	run_expect 0 "$GODWIT" destroy slow
	run_expect 0 "$GODWIT" destroy tpvh
	[ $how = background ] || ends_with 0 "$receiver"
done

# One that is about to be handed over (YOURS is under way) loses to one that is.
guest late "pages=16"
tiny
one
python3 "$here/hold.py" "${address#tcp:}" 9 >port &
started+=($!)
until_true 10 test -s port
"$GODWIT" migrate --downtime 1000 late "tcp:127.0.0.1:$(cat port)" >late.out 2>late.err &
late=$!
started+=("$late")
until_true 20 test -e held
run_expect 0 "$GODWIT" migrate tpvh "$address"
touch pass
wait "$late"
[ $? = 3 ] || fail "the late migration ends with another status: $(cat late.err)"
grep -q "runs on here" late.err || fail "said: $(cat late.err)"
until_true 10 is_state late running
assert_state late--incoming ""
assert_state tpvh running
run_expect 0 "$GODWIT" destroy tpvh
ends_with 0 "$receiver"

# Two that are handed over at the same moment: one is received. The command is stopped until both ask for it.
tiny
tiny second
one
for m in tpvh second; do
	mkdir "hold.$m"
	(cd "hold.$m" && exec "$PYTHON" "$here/hold.py" "${address#tcp:}" 9 >port) &
	started+=($!)
	until_true 10 test -s "hold.$m/port"
	"$GODWIT" migrate --downtime 1000 $m "tcp:127.0.0.1:$(cat "hold.$m/port")" >$m.out 2>$m.err &
	eval "$m=\$!"
	started+=("${!m}")
	until_true 20 test -e "hold.$m/held"
done
kill -STOP "$receiver"
touch hold.tpvh/pass hold.second/pass
# Both have asked when the commit window is open: a cancel comes too late.
too_late()
{
	"$GODWIT" cancel "$1--incoming" 2>&1 | grep -q "too late"
}
until_true 10 too_late tpvh
until_true 10 too_late second
kill -CONT "$receiver"
moved=0
for m in tpvh second; do
	wait "${!m}" && moved=$((moved + 1)) || lost=$m
	until_true 10 is_state $m running
	assert_state $m--incoming ""
done
[ $moved = 1 ] || fail "$moved have moved: $(cat tpvh.err second.err)"
grep -q "this receiver takes one domain, and another one has arrived" "$lost.err" || fail "said: $(cat $lost.err)"
run_expect 0 "$GODWIT" destroy tpvh
run_expect 0 "$GODWIT" destroy second
ends_with 0 "$receiver"

# Asked to end: 0 if nothing arrives, else 4, and the sender's domain runs on.
one
kill -TERM "$receiver"
ends_with 0 "$receiver"
one
"$GODWIT" migrate --bandwidth 1M late "$address" >late.out 2>late.err &
late=$!
started+=("$late")
until_true 20 is_state late--incoming receiving
kill -TERM "$receiver"
ends_with 4 "$receiver"
wait "$late"
until_true 10 is_state late running
