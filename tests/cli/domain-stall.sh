# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest that writes faster than its memory can be sent: the three answers to a stall, what is said of them, and the
# traces, which godwit policy decides again as they were decided.
. "$(dirname "$0")/domains.sh"
requires jq

# report FILTER: jq gives true for r.json.
report()
{
	[ "$(jq "$1" r.json)" = true ] || FAIL_DEPTH=1 fail "not true of the report: $1: $(cat r.json)"
}
# decided FILTER: jq gives true for the list of lines of t.trace; each decision comes out again as it was.
decided()
{
	[ "$(jq -s "$1" t.trace)" = true ] || FAIL_DEPTH=1 fail "not true of the trace: $1: $(cat t.trace)"
	run_expect 0 "$GODWIT" policy t.trace
	out_has "each decision is the recorded one"
}

# All of its pages again and again, in less time than a round takes.
guest busy 64 "pages=3000 rate=64 check=0 light=1 period=100000"
slow=(--bandwidth 16M --downtime 30)

# Abort: the guest runs on, the receiver has nothing, and the trace is there.
receiver
run_expect 3 "$GODWIT" migrate "${slow[@]}" --on-stall abort --trace t.trace busy "$address"
err_has "the guest writes faster than its memory can be sent"
err_has "runs on here"
assert_state busy running
decided '.[-1].decision == "abort" and .[-1].reason == "stalled"'

# Switch: at once, the target is missed, and that is said.
run_expect 0 "$GODWIT" save --live -k "${slow[@]}" --downtime 1 --report r.json --trace t.trace busy b.save
err_has "missed the target of 1 ms"
report '.stopped_by == "stalled" and .throttle == 0 and .downtime.missed and .downtime.target_ns == 1000000'
report '.downtime.off_ns == .downtime.total_ns - .downtime.expected_ns'
decided '.[-1].decision == "switch" and .[-1].reason == "stalled"'
# What the suspend took is known now, and is what is expected of the next one.
run_expect 0 "$GODWIT" save --live -k "${slow[@]}" --trace u.trace busy b.save
jq -se '.[1].fixed_ns' t.trace >before
jq -se '.[1].fixed_ns' u.trace >after
! cmp -s before after || fail "nothing was learnt from a suspend: $(cat before)"

# Throttle: step by step, then the guest runs at full speed at the destination.
run_expect 0 "$GODWIT" migrate "${slow[@]}" --downtime 1 --on-stall throttle --report r.json --trace t.trace busy "$address"
out_has "vCPUs slowed by "
out_has "the target of 1 ms was missed by"
err_has "missed the target of 1 ms"
report '.throttle >= 25 and .stopped_by == "stalled"'
# As far as it was necessary: on a busy machine the guest is slow by itself.
decided '[.[] | select(.decision == "throttle") | .next_throttle] | length > 0 and . == [25, 50, 75, 90, 97][:length]'
decided '[.[1:][] | .throttle] | . == sort and .[0] == 0'

# A backend that cannot slow a guest is named before anything begins; so is a limit that ends it first.
until_true 5 is_state busy running
run_expect 0 "$GODWIT" -c memory: restore -d --name held b.save
run_expect 3 "$GODWIT" save --live --on-stall throttle held x.save
err_has "throttle: memory: domain"
err_has "cannot slow its vCPUs"
[ ! -e x.save ] || fail "a save that was refused has left a file"
assert_state held running
run_expect 0 "$GODWIT" save --live -k --on-stall abort held x.save

# Another policy over the same trace; what is no trace.
run_expect 0 "$GODWIT" policy --downtime 3600000 t.trace
out_has "switch: downtime  (recorded:"
run_expect 0 "$GODWIT" policy --on-stall abort t.trace
out_has "abort: stalled"
run_expect 0 "$GODWIT" policy --json --max-rounds 1 t.trace
[ "$(jq '.differ == 1 and (.passes | length) == 1 and .passes[0].reason == "max-rounds"' out)" = true ] || fail "the JSON is wrong"
sed 's/"dirty":[0-9]*/"dirty":0/' t.trace >u.trace
run_expect 1 "$GODWIT" policy u.trace
out_has "not the recorded one"
run_expect 1 "$GODWIT" policy r.json
err_has "r.json: line 1: it is no JSON object"
run_expect 1 "$GODWIT" policy b.save
err_has "which no trace is"
run_expect 2 "$GODWIT" migrate --on-stall hope busy "$address"
run_expect 2 "$GODWIT" migrate --no-live --trace none busy "$address"
run_expect 2 "$GODWIT" save --trace none busy x.save
err_has "--trace needs --live"
[ ! -e none ] || fail "a trace of nothing"
for t in "$data"/traces/*.trace; do
	run_expect 0 "$GODWIT" policy "$t"
	out_has "each decision is the recorded one"
done
