# SPDX-License-Identifier: LGPL-2.1-or-later
# The progress of work on images: a percentage where the input is a file, compressed or not, and none where its size is
# unknown. The last event says that it is done.
. "$(dirname "$0")/lib.sh"
requires xz jq
xz -dc "$data/xen-code/v2_46_hvm_w64_1024.xz" >image
xz -dc "$data/xen-code/leg45_hvm_w64_1024.xz" >legacy

# events COMMAND...: its progress in ./events, one object a line; it must succeed.
events()
{
	run_expect 0 "$@"
	grep '^{' err >events || fail "no progress"
}
# holds FILTER: jq gives true for the list of events.
holds()
{
	[ "$(jq -s "$1" events)" = true ] || FAIL_DEPTH=1 fail "not true: $1: $(cat events)"
}
# grows: in each pass nothing goes backwards, and the end is 100 % with nothing left.
grows()
{
	holds '.[-1] | .stage == "done" and .percent == 100 and .bytes_left == 0 and .seconds_left == 0'
	holds '[.[] | select(.stage == "done")] | length == 1'
	holds '[group_by(.stage)[] | . == sort_by(.bytes) and . == sort_by(.percent)] | all'
	holds '[.[] | select(.stage != "done") | .percent <= 99] | all'
}

size=$(stat -c %s image)
for input in image legacy "$data/xen-code/v2_46_hvm_w64_1024.xz"; do
	events "$GODWIT" convert --progress=json "$input" new
	grows
	events "$GODWIT" export --progress=json --raw "$input" memory
	grows
	events "$GODWIT" verify --progress=json --deep "$input"
	grows
	holds '[.[] | select(.stage == "memory")] | length > 0'
	events "$GODWIT" verify --progress=json "$input"
	grows
done
events "$GODWIT" convert --progress=json image new
holds "map(.bytes_total == $size) | all"

# Into a pipe the memory is written in a second pass, which counts by itself.
events bash -c '"$1" export --progress=json --raw image - | cat >memory' - "$GODWIT"
grows
holds '[.[] | select(.stage == "writing") | .bytes_total > 0] | length > 0 and all'

# From a pipe nobody knows how much is to come.
events bash -c 'cat image | "$1" convert --progress=json - new' - "$GODWIT"
holds 'map(select(.stage == "converting") | .bytes_total == null and .percent == null) | length > 0 and all'
holds '.[-1].stage == "done"'

# On a terminal.
if command -v script >/dev/null; then
	script -qec "\"$GODWIT\" convert image new" /dev/null >terminal </dev/null || fail "convert on a terminal fails"
	grep -qa "converting: [0-9]*% of [0-9.]* MiB" terminal || fail "no line: $(cat -v terminal)"
	grep -qa "done: 100% of [0-9.]* MiB" terminal || fail "no end: $(cat -v terminal)"
fi
