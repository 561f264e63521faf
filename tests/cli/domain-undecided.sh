# SPDX-License-Identifier: LGPL-2.1-or-later
# The connection breaks while the domain is handed over. Never two run; a paused copy is listed with the migration and
# its side, and one command decides.
. "$(dirname "$0")/domains.sh"
requires python3

# The runtime folders of the source and of the destination.
here_dir=$tmp/run
there_dir=$tmp/there
there()
{
	GODWIT_RUNTIME_DIR=$there_dir "$@"
}
trap 'end_all; there end_all; cd /; rm -rf "$tmp"' EXIT

# broken FRAME: migrates g over a connection that breaks instead of passing this frame on.
broken()
{
	GODWIT_RUNTIME_DIR=$there_dir receiver
	python3 "$here/cut.py" "${address#tcp:}" "$1" >port &
	started+=($!)
	disown
	until_true 5 test -s port
	run_expect 3 "$GODWIT" migrate --downtime 1000 g "tcp:127.0.0.1:$(cat port)"
	rm port
}

undecided()
{
	case "$(state g)" in
	"paused: migration "*" $1 side undecided") return 0 ;;
	*) return 1 ;;
	esac
}
migration()
{
	state g | grep -o 'migration [0-9a-f]*'
}
beats_on()
{
	local b
	b=$(last_beat g)
	until_true 10 beats_after "$b"
	! console_has g CORRUPT || fail "$(console g | grep -a CORRUPT)"
}
beats_after()
{
	[ "$(last_beat g)" -gt "$1" ]
}

# Instead of MINE: both are paused, and neither knows the outcome. The source is claimed, the destination destroyed.
guest g "pages=100"
until_true 5 console_has g "beat 2 "
broken 10
err_has "claim"
until_true 5 undecided source
until_true 5 there undecided destination
[ "$(migration)" = "$(there migration)" ] || fail "different migrations"
b=$(last_beat g)
sleep 0.3
[ "$(last_beat g)" = "$b" ] || fail "an undecided domain runs"
run_expect 3 "$GODWIT" resume g
err_has "claim"
run_expect 3 "$GODWIT" pause g
run_expect 3 "$GODWIT" save g x.save
run_expect 0 there "$GODWIT" destroy g
run_expect 0 "$GODWIT" resume --claim g
assert_state g running
beats_on
run_expect 3 "$GODWIT" resume --claim g

# Instead of RELEASE: the same, but the destination is claimed.
broken 11
until_true 5 undecided source
until_true 5 there undecided destination
run_expect 0 "$GODWIT" destroy g
export GODWIT_RUNTIME_DIR=$there_dir
run_expect 0 "$GODWIT" resume --claim g
assert_state g running
beats_on

# Instead of RUNNING: it runs there; here it is paused, and must be destroyed.
there_dir=$here_dir
here_dir=$GODWIT_RUNTIME_DIR
broken 12
until_true 5 undecided source
until_true 5 there is_state g running
run_expect 0 "$GODWIT" destroy g
there beats_on

# Instead of YOURS: the destination has nothing and knows it, but the source cannot.
export GODWIT_RUNTIME_DIR=$there_dir
there_dir=$here_dir
broken 9
until_true 5 undecided source
until_true 5 there is_state g ""
run_expect 0 "$GODWIT" resume --claim g
beats_on
