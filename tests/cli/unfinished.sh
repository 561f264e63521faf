# SPDX-License-Identifier: LGPL-2.1-or-later
# Commands that are killed while they write a file: nothing is left of it, hidden or not, and an older file of that name
# stays as it was. SIGHUP, SIGTERM and SIGINT cancel, SIGKILL does not ask.
. "$(dirname "$0")/domains.sh"
requires xz mkfifo

# writes PID: it has a file open in this folder that is not complete.
writes()
{
	ls -l "/proc/$1/fd" | grep -qE "$tmp/(#|\.)"
}

# interrupted FILE SIGNAL STATUS COMMAND...: the command is in the middle of FILE when the signal comes.
interrupted()
{
	local file=$1 signal=$2 wanted=$3 pid status old
	shift 3
	last_run="$* (SIG$signal)"
	# A shell's background command would ignore SIGINT.
	(trap - INT; exec env --default-signal=INT,HUP "$@" >out 2>err) &
	pid=$!
	started+=("$pid")
	until_true 20 writes "$pid"
	old=$(cat "$file" 2>/dev/null)
	kill -"$signal" "$pid"
	wait "$pid" 2>/dev/null
	status=$?
	[ $status = "$wanted" ] || fail "exit status $status after SIG$signal, expected $wanted"
	[ "$(cat "$file" 2>/dev/null)" = "$old" ] || fail "the file has changed"
	no_hidden() { [ -z "$(find . -name '.*godwit-*')" ]; }
	until_true 20 no_hidden
}

xz -dc "$data/xen417/tiny-pvh.save.xz" >whole.save
mkfifo input
for signal in "HUP 4" "TERM 4" "INT 4" "KILL 137"; do
	for verb in "convert" "export --raw" "export --core"; do
		rm -f result
		for kind in new old; do
			[ $kind = new ] || echo old >result
			exec 3<>input
			head -c 60000 whole.save >&3
			interrupted result $signal "$GODWIT" $verb input result
			exec 3>&-
		done
	done
done
rm -f result

guest g "pages=64"
for signal in "HUP 4" "TERM 4" "INT 4" "KILL 137"; do
	rm -f result
	for kind in new old; do
		[ $kind = new ] || echo old >result
		interrupted result $signal "$GODWIT" save --live --bandwidth 20K g result
		until_true 20 is_state g running
	done
done
