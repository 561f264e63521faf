# SPDX-License-Identifier: LGPL-2.1-or-later
# Processes in the background: what they keep of their caller.
. "$(dirname "$0")/domains.sh"
requires flock xz

# The lock and the pipe of the caller are free as soon as the verb has returned.
touch lock
free()
{
	flock -n lock true || fail "$1 holds the lock of its caller"
}
exec 9>lock
flock 9
guest g1 "pages=16"
tiny
run_expect 0 "$GODWIT" receive -d "unix:$tmp/once"
run_expect 0 "$GODWIT" receive -k -d "unix:$tmp/many"
exec 9>&-
free "a process in the background"
for p in /proc/[0-9]*; do
	! tr '\0' ' ' 2>/dev/null <"$p/cmdline" | grep -q "$tmp/" || started+=("${p#/proc/}")
done
waits=$(echo "$("$GODWIT" receive -k -d "unix:$tmp/third" | cat)")
[ "$waits" = "unix:$tmp/third" ] || fail "a pipe: $waits"
for p in /proc/[0-9]*; do
	! tr '\0' ' ' 2>/dev/null <"$p/cmdline" | grep -q "$tmp/" || started+=("${p#/proc/}")
done

# A receiver in the foreground has them; the domains that it puts into the background do not.
exec 9>lock
flock 9
receiver --keep
exec 9>&-
run_expect 0 "$GODWIT" migrate g1 "$address"
until_true 20 is_state g1 running
kill -TERM "$receiver"
until_true 20 eval "! kill -0 $receiver 2>/dev/null"
free "a domain that was received"
assert_state g1 running

# They go on.
run_expect 0 "$GODWIT" migrate g1 "unix:$tmp/once"
until_true 20 is_state g1 running
run_expect 0 "$GODWIT" migrate tpvh "unix:$tmp/many"
until_true 20 is_state tpvh running
