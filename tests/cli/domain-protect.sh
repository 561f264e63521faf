# SPDX-License-Identifier: LGPL-2.1-or-later
# godwit protect: what it refuses, what both sides list, how it ends, and what leaves the primary meanwhile.
. "$(dirname "$0")/domains.sh"
requires jq

there_dir=$tmp/there
trap 'end_all; there end_all; cd /; rm -rf "$tmp"' EXIT
there()
{
	GODWIT_RUNTIME_DIR=$there_dir "$@"
}

# backup OPTION...: a receiver in the other runtime folder.
backup()
{
	GODWIT_RUNTIME_DIR=$there_dir receiver --silence 2 --fence-limit 1 "$@"
}
# protect [OPTION...]: begins to protect g; returns when the backup counts. $client is the process.
protect()
{
	"$GODWIT" protect --silence 2 --interval 50 --report report "$@" g "$address" >out 2>err &
	client=$!
	started+=("$client")
	disown
	until_true 30 grep -q "g is protected by $address" out
	case "$*" in *--until*) return ;; esac
	until_true 30 there has_state "backup of "
}
has_state()
{
	case $(state g) in "$1"*) ;; *) return 1 ;; esac
}
# ends STATUS TEXT: the client has ended with this status and said that.
ended()
{
	local n=1200
	while kill -0 "$client" 2>/dev/null; do
		[ $((n -= 1)) -gt 0 ] || FAIL_DEPTH=1 fail "protect has not ended"
		sleep 0.05
	done
	grep -qF -e "$1" out err || FAIL_DEPTH=1 fail "protect does not say: $1"
}
runs_on()
{
	local beat
	until_true 20 is_state g running
	beat=$(last_beat g)
	until_true 20 beats_after "$beat"
	! console_has g CORRUPT || fail "$(console g | grep -a CORRUPT)"
}
beats_after()
{
	[ "$(last_beat g)" -gt "$1" ]
}
nobody_there()
{
	[ "$(there "$GODWIT" list --json)" = "[]" ]
}
process_of()
{
	"$GODWIT" list --json | jq -r '.[0].id'
}

# Options.
run_expect 2 "$GODWIT" receive --fence true --no-fence tcp:127.0.0.1:0
err_has "--fence and --no-fence exclude each other"
run_expect 2 "$GODWIT" protect g ssh:host
err_has "a backup needs a receiver that listens"
run_expect 2 "$GODWIT" protect --interval 5 g tcp:127.0.0.1:1

guest g "pages=40 period=200"
until_true 10 console_has g "beat 1 "

# A receiver that was not told how to fence.
backup
run_expect 1 "$GODWIT" protect --silence 2 g "$address"
err_has "it was started with neither --fence nor --no-fence"
err_has "the domain runs on here"
kill "$receiver"
backup --no-fence
run_expect 2 "$GODWIT" protect --silence 2 --interval 1500 g "$address"
err_has "an interval of 1500 ms"
assert_state g running

# Both sides list it; operations that would disturb it are refused; it ends with a cancel, and the receiver with it.
protect
has_state "protected by $address, " || fail "listed as: $(state g)"
run_expect 0 "$GODWIT" list --json
[ "$(jq -r '.[0].state, .[0].protection.role, .[0].protection.peer' out | xargs)" = "protected primary $address" ] ||
	fail "not listed as the primary"
run_expect 0 there "$GODWIT" list --json
[ "$(jq -r '.[0].state, .[0].protection.role' out | xargs)" = "backup backup" ] || fail "not listed as the backup"
run_expect 0 "$GODWIT" job --json g
[ "$(jq -r .operation out)" = protect ] || fail "not shown as a job"
run_expect 3 "$GODWIT" pause g
run_expect 3 "$GODWIT" save g image
err_has "the domain is protecting now"
: >out
run_expect 0 "$GODWIT" cancel g
ended ""
runs_on
until_true 10 nobody_there
jq -es 'map(.number) == [range(1; length + 1)] and (map(.pause_ns > 0 and .pages > 0 and .aside) | all)' report >/dev/null ||
	fail "the report: $(cat report)"

# --until. The backup's console shows nothing, and its end is no error.
backup --no-fence
protect --until 2
ended "g is not protected any more, and runs on here"
runs_on
until_true 10 nobody_there
! grep -q beat "receiver.$receivers" || fail "the copy has printed: $(cat "receiver.$receivers")"
grep -q "the protection has ended, and the copy was destroyed" receiver.err || fail "$(cat receiver.err)"

# The backup ends it.
backup --no-fence
protect
run_expect 0 there "$GODWIT" destroy g
ended "the domain runs on here, unprotected"
runs_on

# The primary is destroyed: no failover.
guest_again()
{
	guest g "pages=40 period=200"
	until_true 10 console_has g "beat 1 "
}
backup --fence "touch $tmp/fenced"
protect
run_expect 0 "$GODWIT" destroy g
until_true 10 nobody_there
[ ! -e fenced ] || fail "a destroyed primary was fenced"
guest_again

# The guest's end is no failover, either, and its last words leave.
run_expect 0 "$GODWIT" destroy g
"$GODWIT" run --name g --cmdline "pages=40 period=200 beats=150 end=0" "$GODWIT_GUESTS/godwit-guest64.elf" >words 2>&1 &
until_true 10 is_state g running
backup --fence "touch $tmp/fenced"
protect
ended "the guest powered itself off"
until_true 10 nobody_there
until_true 10 grep -q "godwit-guest: shutdown 0" words
[ ! -e fenced ] || fail "a primary whose guest has ended was fenced"
guest_again

# The hook: plug and release of each checkpoint in order, and the end.
cat >hook <<'END'
#!/bin/sh
echo "$GODWIT_EVENT $GODWIT_CHECKPOINT $GODWIT_DOMAIN" >>hooked
END
chmod +x hook
backup --no-fence
protect --until 1 --output-hook "cd $tmp && ./hook"
ended "runs on here"
n=$(grep -c plug hooked)
[ "$n" -gt 2 ] || fail "$(cat hooked)"
for ((i = 1; i <= n; i++)); do
	echo "plug $i g"
	echo "release $i g"
done >wanted
echo "end 0 g" >>wanted
cmp -s hooked wanted || fail "the hook was called with: $(cat hooked)"
backup --no-fence
run_expect 3 "$GODWIT" protect --silence 2 --output-hook "exit 7" g "$address"
err_has "exits with status 7"
runs_on

# The primary's process dies: the fence gets the name of the domain, then the copy runs on. It can be protected again, back.
backup --fence "env | grep ^GODWIT_ | grep -v -e RUNTIME -e CONF -e TEST -e GUESTS >$tmp/fenced"
protect
kill -9 "$(process_of)"
ended "the domain's process ended"
there runs_on
grep -q "^GODWIT_DOMAIN=g$" fenced && grep -q "^GODWIT_PEER=tcp:127.0.0.1:" fenced || fail "$(cat fenced)"
grep -q "the domain runs here, from checkpoint" receiver.err || fail "$(cat receiver.err)"

# From there back to here.
receiver --silence 2 --no-fence
GODWIT_RUNTIME_DIR=$there_dir "$GODWIT" protect --silence 2 g "$address" >back 2>err &
client=$!
started+=("$client")
disown
until_true 20 has_state "backup of "
until_true 20 grep -q "is protected by" back
kill -9 "$(there process_of)"
runs_on
kill -9 "$client" 2>/dev/null
run_expect 0 "$GODWIT" destroy g

# The fence fails: the copy is undecided, until somebody who knows claims it.
guest_again
backup --fence "exit 5"
protect
kill -9 "$(process_of)"
until_true 10 there has_state "paused: migration "
there state g | grep -q "destination side undecided" || fail "listed as: $(there state g)"
grep -q "it is not certain that it is dead: the command .* exits with status 5" receiver.err || fail "$(cat receiver.err)"
run_expect 3 there "$GODWIT" resume g
err_has "have lost each other"
run_expect 0 there "$GODWIT" resume --claim g
there runs_on
run_expect 0 there "$GODWIT" destroy g

# A fence that takes too long is one that fails.
guest_again
backup --fence "sleep 60"
protect
kill -9 "$(process_of)"
until_true 10 there has_state "paused: migration "
grep -q "it has not ended within 1000 ms" receiver.err || fail "$(cat receiver.err)"
run_expect 0 there "$GODWIT" destroy g

# The backup dies: the domain stops, or runs on; its output waits until the copy cannot run any more.
guest_again
backup --no-fence
protect --on-backup-loss stop
kill -9 "$(there process_of)"
ended "the domain stays paused here, because the backup may run its copy"
has_state "paused: migration " || fail "listed as: $(state g)"
run_expect 3 "$GODWIT" save g image
err_has "have lost each other"
run_expect 0 "$GODWIT" resume --claim g
runs_on

backup --no-fence
protect
kill -9 "$(there process_of)"
ended "the domain runs on here, unprotected"
runs_on

# A cancel does not shorten the wait: the domain is then left to decide on.
losses()
{
	grep -c "is lost: the domain runs on" "$GODWIT_RUNTIME_DIR"/g.log
}
more_losses()
{
	[ "$(losses)" -gt "$1" ]
}
before=$(losses)
backup --no-fence
protect
kill -9 "$(there process_of)"
until_true 10 more_losses "$before"
"$GODWIT" cancel g >/dev/null 2>&1
ended "the domain stays paused here"
run_expect 0 "$GODWIT" resume --claim g
runs_on

# --max-lag: the guest waits for a backup that is slow.
ticks()
{
	cut -d' ' -f14 "/proc/$1/stat"
}
stands()
{
	local before
	before=$(ticks "$1")
	sleep 0.3
	[ $(($(ticks "$1") - before)) -le 1 ]
}
backup --no-fence
protect --silence 30 --max-lag 300
here=$(process_of)
copy=$(there process_of)
kill -STOP "$copy"
until_true 20 stands "$here"
kill -CONT "$copy"
until_true 20 has_state "protected by"
beat=$(last_beat g)
until_true 20 beats_after "$beat"
run_expect 0 "$GODWIT" cancel g
runs_on
run_expect 0 "$GODWIT" destroy g

# Nothing is left.
for dir in "$GODWIT_RUNTIME_DIR" "$there_dir"; do
	left=$(ls "$dir" | grep -v -e '\.log$' | grep '^g')
	[ -z "$left" ] || fail "left in $dir: $left"
done
