# SPDX-License-Identifier: LGPL-2.1-or-later
# emu_restore NAME FILE BEATS: restores an image on the built-in machine; the guest has to count on from BEATS. 77 if this
# build has no built-in machine.
"$GODWIT" restore -d --name "$1" "$2" >said 2>&1 || {
	cat said
	! grep -q -e "built without" -e unicorn said || exit 77
	exit 1
}
beats()
{
	"$GODWIT" console --no-follow "$1" | sed -n 's/.*beat \([0-9]*\) gen.*/\1/p' | tail -n 1
}
status=1
for _ in $(seq 300); do
	now=$(beats "$1")
	if [ "${now:-0}" -ge $(($3 + 3)) ]; then
		status=0
		break
	fi
	sleep 0.1
done
"$GODWIT" console --no-follow "$1" | tail -n 5
! "$GODWIT" console --no-follow "$1" | grep CORRUPT || status=1
"$GODWIT" destroy "$1"
exit $status
