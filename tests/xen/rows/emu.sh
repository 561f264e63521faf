# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Images that cross between real Xen and the built-in machine, which runs on the host: emu-to-xen-GUEST-RESTORER
# and xen-to-emu-GUEST-SAVER.

# ask_host WHAT SCRIPT ARGUMENT...: a built-in machine may be missing there.
ask_host()
{
	local what=$1 status
	shift
	on_host "$@"
	status=$?
	[ $status != 77 ] || skip "no built-in machine on the host: $(tail -n 1 /out/ask.output)"
	[ $status = 0 ] || fail "$what: $(tail -n 1 /out/ask.output)"
}

emu_to_xen()
{
	kind=pvh$1
	use_helper "$2"
	ask_host "run and save on the built-in machine" emu_save "$1" "$domain" image
	on_host verify image || fail "a verifier does not take the image: $(tail -n 1 /out/ask.output)"
	mv /out/image .
	must "xl restore" timeout 100 xl -v restore image
	counts_on 5
}

xen_to_emu()
{
	local before
	use_helper "$2"
	make_guest "pvh$1"
	arm
	before=$(beats)
	# Not to the share: 9p cannot write what libxc has mapped from a guest.
	must "xl save" timeout 100 xl -v save "$domain" image
	cp image /out/image
	ask_host "restore on the built-in machine" emu_restore "$domain" image "$before"
	rm /out/image
}

for width in 32 64; do
	row emu-to-xen-$width-stock emu_to_xen $width stock
	row emu-to-xen-$width-godwit emu_to_xen $width godwit
	row xen-to-emu-$width-stock xen_to_emu $width stock
	row xen-to-emu-$width-godwit xen_to_emu $width godwit
done
