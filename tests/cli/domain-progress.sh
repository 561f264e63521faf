# SPDX-License-Identifier: LGPL-2.1-or-later
# The progress of a domain on its way: what counts are the pages that travel. A guest of 64 MiB at 40 MiB a second has
# some seconds in which the percentage grows at both ends, and a rate from the first of them on.
. "$(dirname "$0")/domains.sh"
requires jq

# holds FILE FILTER: jq gives true for the list of events in FILE.
holds()
{
	[ "$(grep '^{' "$1" | jq -s "$2")" = true ] || FAIL_DEPTH=1 fail "not true: $2: $(cat "$1")"
}
# grows FILE: nothing goes backwards; it ends with all done.
grows()
{
	holds "$1" '. == sort_by(.bytes)'
	holds "$1" 'map(select(.percent != null)) | . == sort_by(.percent)'
	holds "$1" '.[-1] | .stage == "done" and .percent == 100 and .bytes_left == 0'
}
# steady FILE: the percentage was seen while it grew, with a rate and the time that is left, and the total is that of 64 MiB.
steady()
{
	holds "$1" 'map(select(.percent != null and .percent > 0 and .percent < 99) | .percent) | unique | length >= 3'
	holds "$1" 'map(select(.bytes_total != null) | .bytes_total > 64e6 and .bytes_total < 80e6) | length > 0 and all'
	holds "$1" 'map(select(.stage == "memory" and .bytes_left != null and .bytes_per_s > 1e6) | .seconds_left > 0) | length > 0 and all'
}

guest beat 64 "pages=64 period=10000"
receiver --progress=json
run_expect 0 "$GODWIT" migrate --progress=json --bandwidth 20M beat "$address"
cp err migrate.events
grows migrate.events
steady migrate.events
# The receiver knows the size from the config. Its last event comes before it runs in the background.
done_receiving()
{
	grep -q '"stage":"done"' receiver.err
}
until_true 10 done_receiving
steady receiver.err
grows receiver.err

until_true 5 is_state beat running
run_expect 0 "$GODWIT" save --live --progress=json --bandwidth 20M beat beat.save
cp err save.events
grows save.events
steady save.events
run_expect 0 "$GODWIT" restore -d --progress=json beat.save
cp err restore.events
grows restore.events
assert_state beat running
