# SPDX-License-Identifier: LGPL-2.1-or-later
#
# xl's live migration to the same host: live-KIND-SENDER-RECEIVER. Without shadow paging in the hypervisor no PV guest can be
# saved live: Xen's helper fails and the domain runs on; godwit's reports it and suspends the guest first.

live()
{
	local before status pv=
	use_helper "$3"
	use_helper "$2"
	use_helper stock
	make_guest "$1"
	arm
	before=$(beats)
	# The stream of a heartbeat guest is small enough to be kept.
	case $2$1 in
	godwitpv*)
		KEEP=$PWD/stream
		export KEEP
		;;
	esac
	migrate "$2" "$3"
	status=$?
	case $1 in *pv) [ -e /out/shadow ] || pv=$2 ;; esac
	case $pv in
	stock) [ $status != 0 ] || fail "a live migration of a PV guest succeeded without shadow paging" ;;
	*) [ $status = 0 ] || fail "xl migrate: $(why)" ;;
	esac
	[ "$pv" != godwit ] || grep -q "warning: the domain is suspended before its memory is sent" said ||
		fail "no warning that the migration is not live"
	[ "$(count_domains)" = 1 ] || fail "there are $(count_domains) domains after the migration"
	counts_on "$before"
	[ -z "${KEEP:-}" ] || verify stream
}

for guest in pv pvh32 pvh64 hvm linux-pv linux-pvh; do
	row live-$guest-stock-stock live $guest stock stock
	row live-$guest-godwit-stock live $guest godwit stock
	row live-$guest-stock-godwit live $guest stock godwit
	row live-$guest-godwit-godwit live $guest godwit godwit
done
