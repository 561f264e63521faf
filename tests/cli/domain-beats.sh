# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest that rewrites and checks its memory all the time is saved, restored and moved: its beats go on, and it never
# finds a page lost, stale or swapped.
. "$(dirname "$0")/domains.sh"

# goes_on NAME BEAT: it has beaten after BEAT, and found no fault.
goes_on()
{
	until_true 10 beats_after "$1" "$2"
	! console_has "$1" CORRUPT || fail "$(console "$1" | grep -a CORRUPT)"
}
beats_after()
{
	[ "$(last_beat "$1")" -gt "$2" ]
}

for width in 32 64; do
	guest h $width "pages=2000 rate=4 check=4 period=200"
	until_true 10 beats_after h 3

	# To a file and back.
	run_expect 0 "$GODWIT" save -k h h.save
	goes_on h "$(last_beat h)"
	b=$(last_beat h)
	run_expect 0 "$GODWIT" save --live h h.save
	assert_state h ""
	run_expect 0 "$GODWIT" restore -d h.save
	until_true 10 console_has h "godwit-guest: restored"
	goes_on h "$b"

	# From process to process, live, under load.
	for i in 1 2 3; do
		b=$(last_beat h)
		receiver
		run_expect 0 "$GODWIT" migrate --downtime 20 --report r.json h "$address"
		grep -q '"downtime"' r.json || fail "no report: $(cat r.json)"
		until_true 5 is_state h running
		goes_on h "$b"
	done

	# A migration that is cancelled in the middle or at the last moment: the guest runs on.
	for t in 0.05 0.3 0.6; do
		b=$(last_beat h)
		receiver
		timeout --foreground -s INT $t "$GODWIT" migrate --bandwidth 10M h "$address" >/dev/null 2>err
		until_true 5 is_state h running
		goes_on h "$b"
	done

	# With a forced pause, which the guest does not notice.
	b=$(last_beat h)
	run_expect 0 "$GODWIT" save --force-pause h h.save
	run_expect 0 "$GODWIT" restore -d h.save
	goes_on h "$b"
	run_expect 0 "$GODWIT" destroy h
done
