# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The generation id of an HVM domain: genid-hvm-HELPER. The guest's memory has it at an address that only an HVM param
# names; when a domain is restored with a new one, libxl writes that there. Without the param the guest would keep the old one.

# generation: 32 hex digits of what the guest sees at $address.
generation()
{
	set -- $(/rig/look "$id" $((address / 4096)) $((address % 4096)) 4)
	[ $# = 4 ] || fail "the page of the generation id cannot be read"
	printf '%08x%08x%08x%08x\n' "$2" "$1" "$4" "$3"
}

# told: the same from xenstore, where libxl puts it for hvmloader.
told()
{
	local both
	both=$(xenstore-read "/local/domain/$id/platform/generation-id")
	printf '%016x%016x\n' "${both%:*}" "${both#*:}"
}

find_address()
{
	address=$(/rig/look "$id" param 34)
	[ "${address:-0}" != 0 ] || fail "the domain has no param VM_GENERATION_ID_ADDR"
}

keeps_address()
{
	local before old new at
	use_helper "$2"
	use_helper stock
	settings="ms_vm_genid='generate'"
	make_guest "$1"
	find_address
	at=$address
	old=$(generation)
	[ "$old" = "$(told)" ] || fail "the new guest has $old at $address, xenstore has $(told)"
	before=$(beats)
	use_helper "$2"
	must "xl save" timeout 100 xl -v save "$domain" image
	# With the config xl makes a new id, as for a copy of a domain.
	must "xl restore" timeout 100 xl -v restore config image
	find_domain
	find_address
	[ "$address" = "$at" ] || fail "the address was $at and is $address"
	new=$(generation)
	say "at $address: $old before, $new after the restore"
	[ "$new" != "$old" ] || fail "the restored guest still has $old"
	[ "$new" = "$(told)" ] || fail "the restored guest has $new, xenstore has $(told)"
	counts_on "$before"
}

for helper in stock godwit; do
	row genid-hvm-$helper keeps_address hvm $helper
done
