# SPDX-License-Identifier: LGPL-2.1-or-later
# Who owns the domain (docs/protocol.md), row by row: a migration is stopped before, inside and after the commit window, and
# there its sender, receiver or client is killed, either side is cancelled, or the connection is cut. Then at most one copy
# runs, the messages are true, and one command on one side makes it exactly one.
. "$(dirname "$0")/domains.sh"
requires python3

source_dir=$tmp/run
destination_dir=$tmp/there
trap 'end_all; there end_all; cd /; rm -rf "$tmp"' EXIT
there()
{
	GODWIT_RUNTIME_DIR=$destination_dir "$@"
}

# What list shows of the domain: "running", "undecided source", "undecided destination", "" if there is none, ...
short()
{
	state g | sed 's/^paused: migration [0-9a-f]* \([a-z]*\) side undecided$/undecided \1/'
}
both_are()
{
	[ "$(short)" = "$1" ] && [ "$(there short)" = "$2" ]
}
migration()
{
	state g | grep -o 'migration [0-9a-f]*'
}
process_of()
{
	"$GODWIT" list | sed -n "s/^g *\([0-9]*\) .*/\1/p"
}
beats_after()
{
	[ "$(last_beat g)" -gt "$1" ]
}
beats_on()
{
	until_true 20 beats_after "$(last_beat g)"
	! console_has g CORRUPT || fail "$(console g | grep -a CORRUPT)"
}

# stop_at FRAME: starts a migration of a new guest and stops it there. $client, $source and $receiver are processes.
stop_at()
{
	rm -f held pass drop port
	guest g "pages=40"
	until_true 10 console_has g "beat 1 "
	GODWIT_RUNTIME_DIR=$destination_dir receiver
	python3 "$here/hold.py" "${address#tcp:}" "$1" >port &
	started+=($!)
	disown
	until_true 10 test -s port
	"$GODWIT" migrate --downtime 1000 g "tcp:127.0.0.1:$(cat port)" >out 2>err &
	client=$!
	until_true 20 test -e held
	source=$(process_of)
}

# The client's exit status and a sentence of it, "" for none.
client_says()
{
	local status
	wait "$client"
	status=$?
	[ $status = "$1" ] || FAIL_DEPTH=1 fail "the client exits with $status, expected $1"
	[ -z "$2" ] || err_has "$2"
}

# settled SOURCE DESTINATION: what both sides list in the end. Then the undecided are decided, and one runs.
settled()
{
	FAIL_DEPTH=1 until_true 10 both_are "$1" "$2"
	case "$1/$2" in
	running/ | /) ;;
	/running) there beats_on ;;
	"undecided source/undecided destination")
		[ "$(migration)" = "$(there migration)" ] || fail "the copies name different migrations"
		if [ $((cases % 2)) = 0 ]; then
			run_expect 0 there "$GODWIT" destroy g
			run_expect 0 "$GODWIT" resume --claim g
		else
			run_expect 0 "$GODWIT" destroy g
			run_expect 0 there "$GODWIT" resume --claim g
			there beats_on
		fi
		;;
	"undecided source/") run_expect 0 "$GODWIT" resume --claim g ;;
	"/undecided destination")
		run_expect 0 there "$GODWIT" resume --claim g
		there beats_on
		;;
	"undecided source/running")
		run_expect 0 "$GODWIT" destroy g
		there beats_on
		;;
	*) fail "not expected: $1 and $2" ;;
	esac
	[ "$(short)" != running ] || beats_on
	[ "$(short)$(there short)" = running ] || [ "$1$2" = "" ] || fail "\"$(short)\" and \"$(there short)\" in the end"
	! is_state g running || "$GODWIT" destroy g
	! there is_state g running || there "$GODWIT" destroy g
	cases=$((cases + 1))
}
cases=0

may_run="may run at the receiver"
both_paused="a copy at the receiver stays paused"

# Before YOURS is sent: frames 7 SWITCHOVER, 8 READY.
for frame in 7 8; do
	stop_at $frame
	kill -9 "$source"
	client_says 3 ""
	touch drop
	settled "" ""

	stop_at $frame
	kill -9 "$receiver"
	touch drop
	client_says 3 "the domain runs on here"
	settled running ""

	stop_at $frame
	kill -9 "$client"
	wait "$client" 2>/dev/null
	touch pass
	settled running ""

	stop_at $frame
	touch drop
	client_says 3 "the domain runs on here"
	settled running ""

	stop_at $frame
	kill -TERM "$client"
	client_says 4 "the domain runs on here"
	touch pass
	settled running ""

	stop_at $frame
	kill -TERM "$receiver"
	touch pass
	client_says 4 "the domain runs on here"
	settled running ""
done

# Inside: 9 YOURS, 10 MINE, 11 RELEASE, 12 RUNNING has been sent, and not yet arrived.
for frame in 9 10 11 12; do
	case $frame in
	9) left="" left_behind="undecided source" why=$both_paused ;;
	10) left="undecided destination" left_behind="undecided source" why=$both_paused ;;
	11) left="undecided destination" left_behind="undecided source" why=$may_run ;;
	12) left=running left_behind="undecided source" why=$may_run ;;
	esac

	stop_at $frame
	kill -9 "$source"
	client_says 3 ""
	touch drop
	settled "" "$left"

	stop_at $frame
	kill -9 "$receiver"
	touch drop
	client_says 3 "$why"
	settled "$left_behind" ""

	stop_at $frame
	touch drop
	client_says 3 "$why"
	settled "$left_behind" "$left"

	# Too late to cancel or to destroy; a client that is killed changes nothing.
	stop_at $frame
	run_expect 3 "$GODWIT" destroy g
	err_has "too late"
	[ $frame = 12 ] || { kill -9 "$client"; wait "$client" 2>/dev/null; }
	touch pass
	settled "" running

	stop_at $frame
	kill -TERM "$client"
	[ $frame = 9 ] || [ $frame = 12 ] || kill -TERM "$receiver"
	touch pass
	client_says 0 ""
	settled "" running
done

# The receiver can still refuse while YOURS is on its way.
stop_at 9
kill -TERM "$receiver"
touch pass
client_says 4 "the domain runs on here"
settled running ""

# After the hand-over: the death of the process is that of the domain, and of no other.
stop_at 12
touch pass
client_says 0 ""
until_true 10 both_are "" running
kill -9 "$receiver"
until_true 10 both_are "" ""
[ $cases = 33 ] || fail "$cases cases"
