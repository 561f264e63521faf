#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# godwit convert of large guests: its memory is bounded, whatever their size and their input.
. "$(dirname "$0")/lib.sh"
requires xz python3

# Memory: 256 MiB, plain from a file and through pipes, and live, where pages are kept.
limit=$((32 << 10))
! grep -q __asan_init "$GODWIT" || limit=$((200 << 10)) # ASan also counts freed memory
for name in xen-code/leg45_hvm_w64_1024 xen-code/leg45_hvm_w64_live_4096 xen-code/v3_422_hvm_1024; do
	python3 "$here/sparse.py" "$data/$name.xz" 256 image || fail "sparse.py $name"
	for way in "convert image -" "convert - -"; do
		cat image | python3 "$here/counted.py" count "$GODWIT" $way 2>err | wc -c >written
		status=${PIPESTATUS[1]}
		[ "$status" -ne 77 ] || break
		[ "$status" -eq 0 ] || fail "$name, $way: status $status"
		[ "$(cat written)" -gt $((256 << 20)) ] || fail "$name, $way: $(cat written) bytes"
		read -r _ memory <count
		[ "$memory" -lt $limit ] || fail "$name, $way: $memory KiB"
	done
done
# A round that sends all pages of a guest again is kept in a file.
read -r memory < <(python3 - "$GODWIT" "$data/xen-code/v3_422_hvm_remus3_1024.xz" "$here" <<'PY'
import lzma, struct, subprocess, sys
godwit, source, here = sys.argv[1:]
data = lzma.open(source).read()
at, head, rounds, tail = 40, data[:40], 0, b""
p = subprocess.Popen([sys.executable, here + "/counted.py", "count", godwit, "convert", "-", "-"], stdin=subprocess.PIPE,
                     stdout=subprocess.DEVNULL)
p.stdin.write(head)
pages = 0
while at < len(data):
    kind, length = struct.unpack_from("<II", data, at)
    end = at + 8 + (length + 7 & ~7)
    if kind != 1:
        p.stdin.write(data[at:end])
        pages = 0
    elif not pages:
        # 128 MiB in each round.
        for first in range(0, 32768, 1024):
            p.stdin.write(struct.pack("<IIII", 1, 8 + 1024 * 4104, 1024, 0))
            p.stdin.write(struct.pack("<1024Q", *range(first, first + 1024)) + bytes(4096 * 1024))
        pages = 1
    at = end
p.stdin.close()
if p.wait() not in (0, 77):
    sys.exit("it failed")
print(open("count").read().split()[1])
PY
)
[ "${memory:-0}" -gt 0 ] && [ "$memory" -lt $limit ] || fail "rounds of 128 MiB take ${memory:-nothing} KiB"
