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
	err_has "too many open files"
	[ ! -e some.save ] || fail "a file is left"
	prlimit --pid "$pid" --nofile=1024:1024 2>/dev/null
	assert_state g running
	beats_on
fi
run_expect 0 "$GODWIT" save -k g good.save
[ -s good.save ] || fail "no image"
