# SPDX-License-Identifier: LGPL-2.1-or-later
#
# xl save and xl restore of every kind of guest: save-KIND-SAVER-RESTORER.

save_restore()
{
	local saver=$2 restorer=$3 before
	use_helper "$saver"
	use_helper "$restorer"
	use_helper stock
	make_guest "$1"
	arm
	before=$(beats)
	use_helper "$saver"
	must "xl save" timeout 100 xl -v save "$domain" image
	[ -z "$(domain_id)" ] || fail "the domain is still there after xl save"
	[ "$saver" = stock ] || verify image
	use_helper "$restorer"
	must "xl restore" timeout 100 xl -v restore image
	counts_on "$before"
}

for guest in pv pvh32 pvh64 hvm linux-pv linux-pvh; do
	row save-$guest-stock-stock save_restore $guest stock stock
	row save-$guest-godwit-stock save_restore $guest godwit stock
	row save-$guest-stock-godwit save_restore $guest stock godwit
	row save-$guest-godwit-godwit save_restore $guest godwit godwit
done
