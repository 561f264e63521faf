# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Both helpers save the same suspended guest: same-KIND. The images hold the same guest, and xl restores godwit's, too. "matrix.py
# --record DIR" keeps them: tests/data/xen417 has some.

# As in the file of xl, with godwit's image in the place of Xen's.
compose()
{
	local begin end
	read -r begin end <second.place
	head -c "$begin" stock.save
	cat second
	tail -c "+$((end + 1))" stock.save
}

same_guest()
{
	local before
	use_helper godwit
	memory=$2 options="pages=4 period=100"
	make_guest "$1"
	arm
	before=$(beats)
	SECOND=$PWD/second LIBXL_SAVE_HELPER=/rig/dom0/both.sh
	export SECOND LIBXL_SAVE_HELPER
	try timeout 150 xl save "$domain" stock.save || fail "the saves: $(tail -n 1 second.said)"
	cat second.said
	compose >godwit.save
	mkdir -p /out/record
	cp stock.save "/out/record/beat-$1-stock.save"
	cp godwit.save "/out/record/beat-$1-godwit.save"
	on_host same "beat-$1-stock.save" "beat-$1-godwit.save" || fail "the images differ: $(tail -n 1 /out/ask.output)"
	use_helper stock
	must "Xen's restore of godwit's image" timeout 100 xl restore godwit.save
	counts_on "$before"
}

row same-pv same_guest pv 4
row same-pvh64 same_guest pvh64 4
row same-hvm same_guest hvm 16
