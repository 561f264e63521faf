# SPDX-License-Identifier: LGPL-2.1-or-later
# emu_save WIDTH NAME FILE: runs the heartbeat guest on the built-in machine until it counts and saves it. 77 if this
# build has no built-in machine.
"$GODWIT" run -d --name "$2" --cmdline "seed=5 pages=64 period=100" "$GUESTS/godwit-guest$1.elf" >said 2>&1 || {
	cat said
	! grep -q -e "built without" -e unicorn said || exit 77
	exit 1
}
for _ in $(seq 200); do
	! "$GODWIT" console --no-follow "$2" | grep -q "beat 5 " || break
	sleep 0.1
done
"$GODWIT" save "$2" "$3"
