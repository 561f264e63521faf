# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest that real Xen saved runs on here, is saved again, and moves: its counter never goes back.
. "$(dirname "$0")/domains.sh"
requires python3 xz

tiny
grep -qx tpvh restored || fail "restore printed $(cat restored)"
until_true 5 console_has tpvh "TINY PVH resumed"
a=$(counter tpvh)
[ "$a" -ge $((0x1d95)) ] || fail "the counter is $a, expected more than $((0x1d95))"
sleep 0.3
b=$(counter tpvh)
[ "$b" -gt "$a" ] || fail "the counter stands still at $b"

# To the same host.
receiver
run_expect 0 "$GODWIT" migrate tpvh "$address"
out_has "tpvh has moved to"
out_has "downtime"
until_true 5 is_state tpvh running
[ "$("$GODWIT" list | grep -c tpvh)" = 1 ] || fail "two of them: $("$GODWIT" list)"
c=$(counter tpvh)
[ "$c" -ge "$b" ] || fail "the counter went back from $b to $c"
sleep 0.3
d=$(counter tpvh)
[ "$d" -gt "$c" ] || fail "the counter stands still at $d"

# To a file and back; its pattern pages are unchanged, and so is its config, except for the name.
run_expect 0 "$GODWIT" save tpvh t2.save
assert_state tpvh ""
e=$(($(word t2.save 0x200 8)))
[ "$e" -ge "$d" ] || fail "the counter went back from $d to $e"
[ "$(word t2.save 0x203 4)" = "$(word tiny.save 0x203 4)" ] || fail "a pattern page has changed"
config()
{
	head -c $((48 + $(od -An -tu4 -j44 -N4 "$1"))) "$1" | tail -c +53
}
# White space in it brings the pages onto page boundaries.
[ "$(config t2.save | tr -d '\0[:space:]')" = "$(config tiny.save | tr -d '\0[:space:]')" ] || fail "the config has changed"
run_expect 0 "$GODWIT" restore -d t2.save
sleep 0.3
f=$(counter tpvh)
[ "$f" -gt "$e" ] || fail "the counter stands still at $f"
run_expect 0 "$GODWIT" destroy tpvh
assert_state tpvh ""

# A heartbeat guest counts on from the image of either helper, of Xen's with its million entries and of godwit's without.
for helper in stock godwit; do
	xz -dc "$data/xen417/beat-pvh64-$helper.save.xz" >beat.save
	run_expect 0 "$GODWIT" restore -d --name beat beat.save
	until_true 10 console_has beat "godwit-guest: restored"
	until_true 10 console_has beat " gen "
	! console_has beat CORRUPT || fail "$helper: $(console beat)"
	run_expect 0 "$GODWIT" destroy beat
done
