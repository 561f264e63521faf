# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Xen's own libxl-save-helper with libgodwit-xenguest in LD_PRELOAD: xenguest-ACTION-KIND.

# preloaded COMMAND...: must it, and the helper that it starts has to get godwit's functions.
preloaded()
{
	local library
	library=$(find $prefix/lib -name libgodwit-xenguest.so)
	[ -n "$library" ] || skip "no libgodwit-xenguest in this build"
	must "$1 $3 with libgodwit-xenguest" timeout 150 env LD_PRELOAD="$library" "$@"
	# What Xen's functions say of themselves with these options.
	! grep -q -e "info: Saving domain" -e "info: Restoring domain" said || fail "Xen's own functions were called"
}

xenguest_save()
{
	local before
	use_helper stock
	make_guest "$1"
	arm
	before=$(beats)
	preloaded xl -vvv save "$domain" image
	must "Xen's restore of it" timeout 100 xl -v restore image
	counts_on "$before"
	arm
	before=$(beats)
	must "Xen's save" timeout 100 xl -v save "$domain" image
	preloaded xl -vvv restore image
	counts_on "$before"
}

xenguest_live()
{
	local before
	use_helper stock
	make_guest "$1"
	arm
	before=$(beats)
	preloaded xl -vvv migrate -s "/rig/dom0/receive.sh stock" "$domain" localhost
	[ "$(count_domains)" = 1 ] || fail "there are $(count_domains) domains after the migration"
	counts_on "$before"
}

for guest in pv pvh64 hvm; do
	row xenguest-save-$guest xenguest_save $guest
done
row xenguest-live-pvh64 xenguest_live pvh64
