# SPDX-License-Identifier: LGPL-2.1-or-later
# The operation in progress of a domain, shown and cancelled by a command that did not start it.
. "$(dirname "$0")/domains.sh"
requires xz jq

# job FILTER: jq gives true for the operation of tpvh.
job()
{
	"$GODWIT" job --json tpvh >job.json 2>&1
	[ "$(jq "$1" job.json 2>&1)" = true ]
}
# slow VERB...: an operation of tpvh that takes long; $slow is the command's process.
slow()
{
	"$GODWIT" "$@" >slow.out 2>slow.err &
	slow=$!
	started+=("$slow")
	until_true 10 job '.stage == "memory" and .bytes > 1000000'
}
ended()
{
	wait "$slow"
	status=$?
	[ $status = "$1" ] || fail "exit status $status, expected $1: $(cat slow.err)"
}

tiny
run_expect 1 "$GODWIT" job tpvh
out_has "tpvh: no operation runs"
run_expect 1 "$GODWIT" job --json tpvh
out_has null
run_expect 3 "$GODWIT" cancel tpvh
err_has "no operation to cancel"
run_expect 3 "$GODWIT" job nobody
run_expect 3 "$GODWIT" cancel nobody

# A migration.
receiver
slow migrate --bandwidth 500K tpvh "$address"
run_expect 0 "$GODWIT" job tpvh
out_has "tpvh: migrating, memory, round 0"
out_has "  rate "
out_has "  remaining "
job '.operation == "migrate" and .state == "migrating" and .round == 0 and .percent >= 20 and .bytes_left > 0' ||
	fail "the JSON is wrong: $(cat job.json)"
# A request that has to wait names the verb.
run_expect 3 "$GODWIT" pause tpvh
err_has 'wait, or cancel that with "godwit cancel"'
run_expect 0 "$GODWIT" cancel tpvh
[ ! -s out ] || fail "cancel prints something"
assert_state tpvh running
ended 4
grep -q "cancelled; the domain runs on here" slow.err || fail "it does not say so: $(cat slow.err)"

# A save.
slow save --live --bandwidth 500K tpvh x.save
run_expect 0 "$GODWIT" cancel --json tpvh
[ "$(jq -c . out)" = '{"domain":"tpvh","cancelled":"save"}' ] || fail "the JSON is wrong"
assert_state tpvh running
ended 4
[ ! -e x.save ] || fail "a cancelled save has left a file"

# A receiver: the domain that was arriving is gone, the sender's runs on.
until_true 5 is_state tpvh--incoming ""
receiver
slow migrate --bandwidth 500K tpvh "$address"
run_expect 0 "$GODWIT" job tpvh--incoming
out_has "tpvh--incoming: receiving, memory"
run_expect 0 "$GODWIT" cancel tpvh--incoming
until_true 5 is_state tpvh--incoming ""
ended 4
assert_state tpvh running

# The dirty rate and the expected downtime are known from the second round on.
run_expect 0 "$GODWIT" run -d --name busy --memory 16M --cmdline "pages=3000 rate=64 check=0 light=1 period=100000" \
	"$GODWIT_GUESTS/godwit-guest64.elf"
"$GODWIT" save --live -k --bandwidth 2M --downtime 1 --on-stall throttle busy b.save 2>slow.err &
slow=$!
started+=("$slow")
second()
{
	"$GODWIT" job --json busy >job.json && [ "$(jq '.round > 0 and .dirty_per_s > 0 and .expected_downtime_ns > 0' job.json)" = true ]
}
until_true 40 second
run_expect 0 "$GODWIT" job busy
out_has "  dirty "
out_has "  downtime "
run_expect 0 "$GODWIT" cancel busy
wait "$slow"
assert_state busy running
