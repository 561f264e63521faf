# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The rig itself: a page that is lost on the way has to fail a row.

# Zeroes a page of the working set in the image. Its first pfn is word 10 of the guest's header, and the pages from the
# header on are in the file in order, perhaps without that of the shared info.
finds_lost_page()
{
	local first mark said_why
	make_guest "$1"
	first=$(/rig/look "$id" 0x100 40 1)
	arm
	must "xl save" timeout 100 xl save "$domain" image
	mark=$(strings -t d image | awk '$2 ~ /^GODWITG1/ { print $1; exit }')
	[ -n "$mark" ] || fail "the header of the guest is not in the image"
	dd if=/dev/zero of=image bs=1 seek=$((mark + (first + 5 - 0x100) * 4096)) count=4096 conv=notrunc 2>/dev/null
	must "xl restore" timeout 100 xl restore image
	patience=10
	(counts_on 0) && fail "a guest without one of its pages counts on"
	said_why=$(cat /tmp/row/verdict)
	rm /tmp/row/verdict
	case $said_why in
	*"CORRUPT page "[56]" lost"*) ;;
	*) fail "expected that page 5 or 6 is lost, found: $said_why" ;;
	esac
}

for guest in pv pvh64; do
	row self-lost-page-$guest finds_lost_page $guest
done
