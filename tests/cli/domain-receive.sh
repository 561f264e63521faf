# SPDX-License-Identifier: LGPL-2.1-or-later
# Receivers: the connections that they ignore, what they refuse and why, several domains.
. "$(dirname "$0")/domains.sh"
requires xz

tiny

# A peer that is not a godwit, or that closes at once, is ignored.
receiver
port=${address##*:}
for junk in "GET / HTTP/1.0\r\n\r\n" "" "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"; do
	exec 3<>"/dev/tcp/127.0.0.1/$port" || fail "the receiver is gone"
	printf "%b" "$junk" >&3
	exec 3>&-
done
run_expect 0 "$GODWIT" migrate tpvh "$address"
until_true 5 is_state tpvh running
# It was asked for one domain and receives no other.
run_expect 3 "$GODWIT" migrate tpvh "$address"
assert_state tpvh running

# A CPU that lacks a feature: refused by name, before the destination has a domain.
connect=(-c "emu:?lack=sse2+aes")
receiver
connect=()
run_expect 1 "$GODWIT" migrate tpvh "$address"
err_has "CPU feature sse2 "
err_has "runs on here"
[ "$(wc -l <err)" -ge 2 ] || fail "not all reasons, one a line"
assert_state tpvh running
assert_state tpvh--incoming ""

# A name that is already taken.
export GODWIT_RUNTIME_DIR=$tmp/other
tiny
receiver
other=$address
export GODWIT_RUNTIME_DIR=$tmp/run
run_expect 1 "$GODWIT" migrate tpvh "$other"
err_has 'a domain named "tpvh" exists here already'
assert_state tpvh running
kill -9 $(GODWIT_RUNTIME_DIR=$tmp/other domain_ids)
# Many domains, each in a process of its own; they outlive the receiver.
tiny second
"$GODWIT" receive --keep tcp:127.0.0.1:0 >keep.out 2>keep.err &
keep=$!
started+=("$keep")
until_true 5 test -s keep.out
address=$(head -1 keep.out)
run_expect 0 "$GODWIT" receive -d "unix:$tmp/background"
out_has "unix:$tmp/background"
for p in /proc/[0-9]*; do
	! grep -qsa "unix:$tmp/background" "$p/cmdline" || started+=("${p#/proc/}")
done
run_expect 0 "$GODWIT" migrate tpvh "$address"
run_expect 0 "$GODWIT" migrate second "$address"
until_true 5 is_state tpvh running
until_true 5 is_state second running
kept()
{
	[ "$(wc -l <keep.out)" = 3 ]
}
until_true 5 kept
[ "$(sed 1d keep.out | sort | xargs)" = "second tpvh" ] ||
	fail "receive --keep printed $(cat keep.out)"
kill -TERM "$keep"
wait "$keep"
assert_state tpvh running
assert_state second running

# Over a unix socket, under another name, paused.
"$GODWIT" receive --paused --name third "unix:$tmp/in" >uout 2>uerr &
started+=($!)
until_true 5 test -S "$tmp/in"
run_expect 0 "$GODWIT" migrate tpvh "unix:$tmp/background"
until_true 5 is_state tpvh running
run_expect 0 "$GODWIT" migrate second "unix:$tmp/in"
until_true 5 is_state third paused
until_true 5 is_state second ""
run_expect 0 "$GODWIT" resume third
assert_state third running
