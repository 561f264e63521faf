#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What `./dev run protect` shows: two "hosts" on this machine (two runtime folders, each with processes of its own), and a
# guest whose host is killed. It counts on, on the other one, and says nothing twice that somebody has seen.
set -euo pipefail
build=$(readlink -f "${1:?build folder}")
. "$(dirname "$(readlink -f "$0")")/tour_lib.sh"

said() { printf '%s$%s %s\n' "$cyan$1" "$plain" "$2"; }

clean_up() {
	for host in "$a" "$b"; do
		on "$host" destroy beat >/dev/null 2>&1 || true
	done
}

last_beat() { grep -o 'beat [0-9]*' "$1" | tail -n 1 | cut -d' ' -f2; }

show "1. A guest counts and checks its memory, on host a"
said a "godwit run --name beat --memory 64M godwit-guest64.elf"
GODWIT_RUNTIME_DIR=$a "$godwit" run --name beat --memory 64M --cmdline "seed=42 pages=512 period=200" "$build/guests/godwit-guest64.elf" \
	>"$work/console.a" 2>&1 &
primary=$!
wait_for "$work/console.a" 'beat 3'

show "2. Host b keeps a copy of it, 20 times a second. Its fence makes certain that the guest on a is dead"
said b "godwit receive --fence 'kill -9 $primary' tcp:127.0.0.1:0"
on "$b" receive --fence "kill -9 $primary || true" tcp:127.0.0.1:0 >"$work/console.b" 2>"$work/messages.b" &
wait_for "$work/console.b" '^tcp:'
address=$(grep -m1 '^tcp:' "$work/console.b")
said a "godwit protect --interval 50 beat $address"
on "$a" protect --interval 50 --report "$work/report" beat "$address" >"$work/protect" 2>&1 &
wait_for "$work/protect" 'is protected by'
sleep 2
said a "godwit list"
on "$a" list
said b "godwit list"
on "$b" list
python3 -c 'import json, statistics, sys
all = [json.loads(line) for line in sys.stdin]
def middle(what): return statistics.median(sum(c[key] for key in what) for c in all)
print("%d checkpoints; half of them had %d pages at most, stopped the guest for %.2f ms at most, and were at b %.2f ms later" %
      (len(all), middle(["pages"]), middle(["pause_ns"]) / 1e6, middle(["send_ns", "store_ns"]) / 1e6))' <"$work/report"

show "3. Host a dies"
said a "kill -9 $primary"
kill -9 "$primary"
wait "$primary" 2>/dev/null || true
wait_for "$work/messages.b" 'the domain runs here'
wait_for "$work/console.b" 'beat'
sleep 2
cat "$work/messages.b"
seen=$(last_beat "$work/console.a")
echo "the last lines that a has shown, and the first of b:"
grep 'beat' "$work/console.a" | tail -n 2 | sed 's/^/  a: /'
grep 'beat' "$work/console.b" | head -n 3 | sed 's/^/  b: /'
said b "godwit list"
on "$b" list
if grep -h CORRUPT "$work"/console.?; then echo "tour: the guest found a page that is not as it left it" >&2; exit 1; fi
first=$(grep -o 'beat [0-9]*' "$work/console.b" | head -n 1 | cut -d' ' -f2)
if [ "$first" -le "$seen" ]; then echo "tour: beat $seen was seen, and b begins with $first" >&2; exit 1; fi
show "Done: the guest counted on, and what was seen on a is part of what b remembers."
