# SPDX-License-Identifier: LGPL-2.1-or-later
# The memory that an image claims is compared with what this host has before a domain exists, on every path.
. "$(dirname "$0")/domains.sh"
requires python3 xz

tiny
run_expect 0 "$GODWIT" destroy tpvh
python3 "$here/config.py" set b_info.max_memkb $((1 << 30)) set b_info.target_memkb $((1 << 30)) <tiny.save >huge.save ||
	fail "config.py"

# refused FILE: its last line gives the reason, and no domain came into being.
refused()
{
	grep -q "the guest needs 268435456 pages of memory, this host has room for [0-9]*" "$1" ||
		FAIL_DEPTH=1 fail "no reason: $(cat "$1")"
	assert_state tpvh ""
}
run_expect 1 "$GODWIT" restore -d huge.save
refused err
run_expect 1 "$GODWIT" restore -d --name tpvh - <huge.save
refused err
run_expect 1 "$GODWIT" -c memory:?pages=100000 restore -d --name tpvh huge.save
refused err
receiver --accept-image
cat huge.save >"/dev/tcp/127.0.0.1/${address##*:}" 2>/dev/null
until_true 5 grep -q "the guest needs" receiver.err
refused receiver.err
# The receiver goes on, and takes what fits.
cat tiny.save >"/dev/tcp/127.0.0.1/${address##*:}"
until_true 10 is_state tpvh running

# What one domain was promised, another one is not: each claims more than half of the memory, and touches little of it.
for g in tpvh other; do
	state $g | grep -q . && run_expect 0 "$GODWIT" destroy $g
done
kb=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo)
half=$((kb / 10 * 6))
python3 "$here/config.py" set b_info.max_memkb $half set b_info.target_memkb $half <tiny.save >half.save || fail "config.py"
run_expect 0 "$GODWIT" restore -d half.save
# promised: the last command was refused, because of the first domain.
promised()
{
	grep -q "the guest needs [0-9]* pages of memory, this host has room for [0-9]*, beside [0-9]* that other domains were promised" "$1" ||
		FAIL_DEPTH=1 fail "no reason: $(cat "$1")"
	assert_state other ""
}
run_expect 1 "$GODWIT" restore -d --name other half.save
promised err
run_expect 1 "$GODWIT" run -d --name other --memory ${half}K "$GODWIT_GUESTS/godwit-guest64.elf"
promised err
: >receiver.err
receiver --accept-image --name other
cat half.save >"/dev/tcp/127.0.0.1/${address##*:}" 2>/dev/null
until_true 5 grep -q "the guest needs" receiver.err
promised receiver.err
# A process that is killed releases what it was promised.
kill -KILL "$(domain_ids)"
until_true 10 is_state tpvh ""
# The kernel releases it when the process has ended.
until_true 20 "$GODWIT" restore -d --name other half.save
run_expect 0 "$GODWIT" destroy other
run_expect 0 "$GODWIT" restore -d half.save
run_expect 0 "$GODWIT" destroy tpvh
kill -9 "$receiver"

# A receiver's budget: of eight domains that come at the same time exactly those move that fit.
for budget in "--max-domains 3" "--max-memory 200M"; do
	case $budget in
	*domains*) reason="this receiver may have 3 domains (--max-domains) and has 3, those included that are arriving" ;;
	*) reason="the guest needs 16384 pages of memory, this receiver may have 51200 (--max-memory), of which 3 domains have 49152" ;;
	esac
	receiver --keep $budget
	for i in 1 2 3 4 5 6 7 8; do
		guest "m$i" "pages=16"
	done
	for i in 1 2 3 4 5 6 7 8; do
		"$GODWIT" migrate "m$i" "$address" >"m$i.out" 2>"m$i.err" &
		eval "m$i=\$!"
	done
	moved=() stayed=()
	for i in 1 2 3 4 5 6 7 8; do
		m=m$i
		if wait "${!m}"; then
			moved+=("$m")
		else
			stayed+=("$m")
			grep -qF "$reason" $m.err || fail "$m: $(cat $m.err)"
		fi
		until_true 20 is_state $m running
	done
	[ "${#moved[@]}" = 3 ] || fail "$budget: moved ${moved[*]}"
	# What has ended makes room, however it ended.
	run_expect 1 "$GODWIT" migrate "${stayed[0]}" "$address"
	run_expect 0 "$GODWIT" destroy "${moved[0]}"
	run_expect 0 "$GODWIT" migrate "${stayed[0]}" "$address"
	until_true 20 is_state "${stayed[0]}" running
	kill -KILL "$("$GODWIT" list | sed -n "s/^${moved[1]} *\([0-9]*\) .*/\1/p")"
	until_true 20 "$GODWIT" migrate "${stayed[1]}" "$address"
	until_true 20 is_state "${stayed[1]}" running
	# An arrival that is cancelled as well; another receiver has a budget of its own.
	run_expect 0 "$GODWIT" destroy "${moved[2]}"
	"$GODWIT" migrate --bandwidth 256K "${stayed[2]}" "$address" >/dev/null 2>&1 &
	slow=$!
	until_true 20 is_state "${stayed[2]}--incoming" receiving
	run_expect 1 "$GODWIT" migrate "${stayed[3]}" "$address"
	err_has "$reason"
	kill -TERM "$slow"
	wait "$slow"
	until_true 20 is_state "${stayed[2]}--incoming" ""
	until_true 20 "$GODWIT" migrate "${stayed[3]}" "$address"
	until_true 20 is_state "${stayed[3]}" running
	receiver --keep $budget
	run_expect 0 "$GODWIT" migrate "${stayed[2]}" "$address"
	until_true 20 is_state "${stayed[2]}" running
	kill -9 $(domain_ids)
	until_true 10 eval '[ -z "$(domain_ids)" ]'
done

# The site's file sets it as well, and an option replaces it.
echo "max-domains = 1" >site.conf
GODWIT_CONF=$tmp/site.conf receiver --keep
for i in 1 2; do
	guest "m$i" "pages=16"
done
run_expect 0 "$GODWIT" migrate m1 "$address"
run_expect 1 "$GODWIT" migrate m2 "$address"
err_has "this receiver may have 1 domains (--max-domains) and has 1"
GODWIT_CONF=$tmp/site.conf receiver --keep --max-domains 2
until_true 20 is_state m1 running
run_expect 0 "$GODWIT" migrate m1 "$address"
run_expect 0 "$GODWIT" migrate m2 "$address"
for line in "max-memory = x" "max-memory = 1" "max-domains = 0" "max-domains = 2K" "max-domains = 9999" "max-domains ="; do
	echo "$line" >site.conf
	GODWIT_CONF=$tmp/site.conf run_expect 2 "$GODWIT" receive tcp:127.0.0.1:0
	err_has "site.conf, line 1: --${line%% *} takes"
done
# An image without a config may become as large as the budget leaves it, with the pages that every domain gets on top.
guest big "pages=8000"
until_true 20 console_has big "beat 1 "
run_expect 0 "$GODWIT" save big big.save
python3 -c '
import sys
d = open("big.save", "rb").read()
open("bare.save", "wb").write(d[d.index(b"LibxlFmt"):])' || fail "no bare stream"
: >receiver.err
receiver --accept-image --name bare --max-memory 16M
cat bare.save >"/dev/tcp/127.0.0.1/${address##*:}" 2>/dev/null
until_true 10 grep -q "exceeds the domain's [0-9]* pages" receiver.err
assert_state bare ""
kill -9 "$receiver"
receiver --accept-image --name bare --max-memory 70M
cat bare.save >"/dev/tcp/127.0.0.1/${address##*:}"
until_true 10 is_state bare running
