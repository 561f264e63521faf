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
