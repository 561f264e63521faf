# SPDX-License-Identifier: LGPL-2.1-or-later
# A save without room: a full disk, a file that may grow no more, no descriptors. No file is left, the message says where the
# domain is, and it runs on there.
. "$(dirname "$0")/domains.sh"

beats_after()
{
	[ "$(last_beat g)" -gt "$1" ]
}
beats_on()
{
	until_true 20 beats_after "$(last_beat g)"
	! console_has g CORRUPT || fail "$(console g | grep -a CORRUPT)"
}
# The processor time of the domain's process, in hundredths of a second.
ticks()
{
	awk '{ print $14 + $15 }' "/proc/$pid/stat"
}
lowest_free()
{
	local n=0
	while [ -e "/proc/$pid/fd/$n" ]; do n=$((n + 1)); done
	echo $n
}
enough_open()
{
	[ "$(lowest_free)" -gt 11 ]
}
# fails_for WHY PATH: a save to PATH does, and changes nothing.
fails_for()
{
	run_expect 3 "$GODWIT" save g "$2"
	err_has "$1"
	err_has "the domain runs on here"
	[ -z "$(find . -name '*.save*')" ] || fail "a file is left: $(find . -name '*.save*')"
	assert_state g running
	beats_on
}

guest g "pages=40"
until_true 10 console_has g "beat 1 "
pid=$("$GODWIT" list | sed -n 's/^g *\([0-9]*\) .*/\1/p')
# The limit of the process that holds the domain: it must survive SIGXFSZ.
if command -v prlimit >/dev/null; then
	prlimit --pid "$pid" --fsize=300000:1000000000
	fails_for "File too large" limited.save
	prlimit --pid "$pid" --fsize=1000000000:1000000000
fi
fails_for "No space left" /dev/full
if unshare -rm true 2>/dev/null && [ "$(id -u)" = 0 ]; then
	mkdir small
	cat >full.sh <<-'END'
		mount -t tmpfs -o size=1m none small || exit 9
		"$GODWIT" save g small/g.save 2>err
		status=$?
		ls -A small >left
		exit $status
	END
	last_run="a save to a full file system"
	unshare -m bash full.sh
	status=$?
	if [ $status != 9 ]; then
		[ $status = 3 ] || fail "exit status $status"
		err_has "No space left"
		[ ! -s left ] || fail "on the full disk is left: $(cat left)"
		assert_state g running
		beats_on
	fi
fi

# The process of the domain can open nothing more: it goes on.
if command -v prlimit >/dev/null; then
	open=$(ls /proc/"$pid"/fd | wc -l)
	prlimit --pid "$pid" --nofile="$open:1024"
	run_expect 3 "$GODWIT" save g some.save
	grep -qi "too many open files" "$tmp/err" || fail "not the reason"
	[ ! -e some.save ] || fail "a file is left"
	# Not even a client's connection: it waits for that, and not in a loop. A paused guest takes no time. Other clients
	# fill the gaps between the process's descriptors, so that the limit is above the number that it polls.
	run_expect 0 "$GODWIT" pause g
	for i in 1 2 3 4; do
		"$GODWIT" console g >/dev/null 2>&1 &
		started+=($!)
		disown
	done
	until_true 10 enough_open
	prlimit --pid "$pid" --nofile="$(lowest_free):1024"
	began=$(ticks)
	run_expect 0 "$GODWIT" list
	out_has "not answering"
	[ $(($(ticks) - began)) -lt 20 ] || fail "$(($(ticks) - began)) ticks of processor time for no client"
	prlimit --pid "$pid" --nofile=1024:1024
	run_expect 0 "$GODWIT" resume g
	assert_state g running
	beats_on
fi
run_expect 0 "$GODWIT" save -k g good.save
[ -s good.save ] || fail "no image"
