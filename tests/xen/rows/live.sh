# SPDX-License-Identifier: LGPL-2.1-or-later
#
# xl's live migration to the same host: live-KIND-SENDER-RECEIVER. PV guests need a hypervisor with shadow paging; with
# another one the migration has to fail and the domain has to run on.

live()
{
	local before
	use_helper "$3"
	use_helper "$2"
	use_helper stock
	make_guest "$1"
	arm
	before=$(beats)
	migrate "$2" "$3"
	case $?$1 in
	0pv | 0linux-pv) [ -e /out/shadow ] || fail "a live migration of a PV guest succeeded without shadow paging" ;;
	0*) ;;
	*pv) [ ! -e /out/shadow ] || fail "xl migrate: $(why)" ;;
	*) fail "xl migrate: $(why)" ;;
	esac
	[ "$(count_domains)" = 1 ] || fail "there are $(count_domains) domains after the migration"
	counts_on "$before"
}

for guest in pv pvh32 pvh64 hvm linux-pv linux-pvh; do
	row live-$guest-stock-stock live $guest stock stock
	row live-$guest-godwit-stock live $guest godwit stock
	row live-$guest-stock-godwit live $guest stock godwit
	row live-$guest-godwit-godwit live $guest godwit godwit
done
