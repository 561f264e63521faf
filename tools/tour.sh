#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The tour that `./dev run` gives: two "hosts" on this machine (two runtime folders, each with processes
# of its own), a guest that is moved between them while it runs, and a guest that real Xen saved. Everything shown is
# printed by the command or by the guest; nothing is kept afterwards.
set -euo pipefail
build=$(readlink -f "${1:?build folder}")
root=$(readlink -f "$(dirname "$0")/..")
. "$(dirname "$(readlink -f "$0")")/tour_lib.sh"

# Shows the command as a reader would type it, then runs it.
try() { local host=$1; shift; printf '%s$%s godwit %s\n' "$cyan$(basename "$host")" "$plain" "${*//$work\//}"; on "$host" "$@"; }

clean_up() {
	for host in "$a" "$b"; do
		on "$host" list --json 2>/dev/null | python3 -c 'import json, sys
for domain in json.load(sys.stdin): print(domain["name"])' 2>/dev/null | while read -r name; do
			on "$host" destroy "$name" >/dev/null 2>&1 || true
		done
	done
}

# move NAME FILE: migrates it from a to b, whose console goes to FILE.
move() {
	on "$b" receive tcp:127.0.0.1:0 >"$2" 2>&1 &
	wait_for "$2" '^tcp:'
	printf '%s godwit receive tcp:127.0.0.1:0\n%s\n' "${cyan}b\$$plain" "$(grep -m1 '^tcp:' "$2")"
	try "$a" migrate "$1" "$(grep -m1 '^tcp:' "$2")"
}

show "1. A guest with a working set that it rewrites and checks all the time runs on host a"
printf '%s godwit run --name beat --memory 64M godwit-guest64.elf\n\n' "${cyan}a\$$plain"
on "$a" run --name beat --memory 64M --cmdline "seed=42 pages=1024 period=256" \
	"$build/guests/godwit-guest64.elf" >"$work/beat.a" 2>&1 &
wait_for "$work/beat.a" 'beat 3'
tail -n 2 "$work/beat.a"

show "2. It moves to host b over TCP, in a Xen v3 stream, without being stopped first"
move beat "$work/beat.b"
echo "the last line on a, and the first on b:"
grep 'beat' "$work/beat.a" | tail -n 1 | sed 's/^/  a: /'
wait_for "$work/beat.b" 'beat'
sleep 1
grep 'beat' "$work/beat.b" | head -n 2 | sed 's/^/  b: /'
try "$a" list
try "$b" list
if grep -h CORRUPT "$work"/beat.?; then echo "tour: the guest found a page that is not as it left it" >&2; exit 1; fi

show "3. Saved to a file, looked into, and restored"
try "$b" save beat "$work/beat.save"
try "$b" verify "$work/beat.save"
printf '%s godwit restore beat.save\n' "${cyan}a\$$plain"
on "$a" restore "$work/beat.save" >"$work/beat.a2" 2>&1 &
wait_for "$work/beat.a2" 'beat'
grep 'beat' "$work/beat.a2" | head -n 1 | sed 's/^/  a: /'

show "4. A guest that real Xen 4.17 saved (its counter stood at 0x1d95) runs on here, and moves"
printf '%s godwit restore tiny-pvh.save.xz\n' "${cyan}a\$$plain"
on "$a" restore "$root/tests/data/xen417/tiny-pvh.save.xz" >"$work/tiny.a" 2>&1 &
wait_for "$work/tiny.a" 'counter'
sed 's/^/  a: /' "$work/tiny.a" | head -n 3
move tpvh "$work/tiny.b"
wait_for "$work/tiny.b" 'counter'
grep 'TINY' "$work/tiny.b" | head -n 3 | sed 's/^/  b: /'
show "Done: two guests moved between two processes while they ran, and counted on."
