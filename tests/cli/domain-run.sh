# SPDX-License-Identifier: LGPL-2.1-or-later
# A domain's life from its kernel to its end, in the background and in the foreground.
. "$(dirname "$0")/domains.sh"
guest g1 pages=64

run_expect 0 "$GODWIT" list
out_has "running"
run_expect 0 "$GODWIT" list --json
out_has '"state": "running"'
out_has '"type": "pvh"'
until_true 5 console_has g1 "beat 3 "
pid=$(domain_ids)
[ "$(readlink "/proc/$pid/exe")" = "$(readlink -f "$GODWIT")" ] || fail "the id $pid is no process of ours"
[ "$(stat -c %a run)" = 700 ] && [ "$(stat -c %a run/g1.sock)" = 600 ] || fail "modes: $(ls -la run)"

# A paused domain prints nothing.
run_expect 0 "$GODWIT" pause g1
assert_state g1 paused
console g1 >before
sleep 0.3
console g1 >after
cmp before after || fail "a paused guest prints"
run_expect 0 "$GODWIT" resume "$pid"
assert_state g1 running
until_true 5 console_has g1 "beat $(($(last_beat g1) + 3)) "

# Names: unique, made from the file's name if none is given, and checked.
run_expect 3 "$GODWIT" run -d --name g1 "$GODWIT_GUESTS/godwit-guest32.elf"
err_has 'a domain named "g1" exists here already'
run_expect 0 "$GODWIT" run -d --paused "$GODWIT_GUESTS/godwit-guest32.elf"
out_has godwit-guest32
assert_state godwit-guest32 paused
run_expect 0 "$GODWIT" run -d "$GODWIT_GUESTS/godwit-guest32.elf"
out_has godwit-guest32-2
run_expect 2 "$GODWIT" run -d --name ../x "$GODWIT_GUESTS/godwit-guest32.elf"
run_expect 0 "$GODWIT" destroy godwit-guest32
run_expect 0 "$GODWIT" destroy godwit-guest32-2

# Files that cannot be run, and wrong command lines.
run_expect 3 "$GODWIT" run nowhere.elf
run_expect 1 "$GODWIT" run "$here/domains.sh"
run_expect 2 "$GODWIT" run
run_expect 2 "$GODWIT" run --memory lots "$GODWIT_GUESTS/godwit-guest32.elf"
run_expect 2 "$GODWIT" run --cpu sse2 "$GODWIT_GUESTS/godwit-guest32.elf"
run_expect 2 "$GODWIT" run --cpu +warpdrive "$GODWIT_GUESTS/godwit-guest32.elf"
err_has warpdrive
run_expect 1 "$GODWIT" -c "emu:?lack=sse2" run --cpu +sse2 "$GODWIT_GUESTS/godwit-guest32.elf"
err_has sse2
for verb in pause resume destroy console; do
	run_expect 3 "$GODWIT" $verb nobody
	err_has nobody
	run_expect 2 "$GODWIT" $verb
	run_expect 2 "$GODWIT" $verb g1 g2
done
[ "$("$GODWIT" list | wc -l)" = 2 ] || fail "something was left: $("$GODWIT" list)"

# The console ends with the domain; files of a killed domain are removed.
"$GODWIT" console g1 >followed &
follower=$!
started+=("$follower")
until_true 5 test -s followed
run_expect 0 "$GODWIT" destroy g1
until_true 5 test ! -d "/proc/$follower"
assert_state g1 ""
[ ! -e run/g1.log ] || fail "the log of a domain that was destroyed stays: $(cat run/g1.log)"
# Names of any length: the columns stay columns.
long=a-name-of-more-than-twenty-two-characters-which-is-legal
guest g2
guest "$long"
run_expect 0 "$GODWIT" list
[ "$(awk '{ print index($0, "STATE") + index($0, "running") }' out | sort -u | wc -l)" = 1 ] || fail "ragged columns"
[ "$(awk 'length($0) > w { w = length($0) } END { print w }' out)" -le 96 ] || fail "columns with air"
run_expect 0 "$GODWIT" destroy "$long"
run_expect 0 "$GODWIT" list
[ "$(awk 'length($0) > 40' out)" = "" ] || fail "a short list is wider than 40 columns"
kill -9 "$(domain_ids)"
until_true 5 test ! -e run/g2.sock -o -z "$(domain_ids)"
run_expect 0 "$GODWIT" list
[ ! -e run/g2.sock ] || fail "a dead domain's socket is still there"

# In the foreground: the guest's console is on stdout, and a signal ends it.
run_expect 0 timeout --foreground --preserve-status -s INT 1 "$GODWIT" run --name fore "$GODWIT_GUESTS/godwit-guest64.elf"
out_has "godwit-guest: up"
err_has "destroyed"
assert_state fore ""
# Its output has no reader: it runs on.
"$GODWIT" run --name deaf "$GODWIT_GUESTS/godwit-guest64.elf" --cmdline "period=1" 2>/dev/null | sleep 1 &
until_true 5 is_state deaf running
sleep 1.2
assert_state deaf running
a=$(last_beat deaf)
sleep 0.2
[ "$(last_beat deaf)" -gt "$a" ] || fail "a guest whose output nobody reads stands still"
