# SPDX-License-Identifier: LGPL-2.1-or-later
#
# xl migrate-receive of what xl of Xen 4.5 would send, with godwit's converter instead of Xen's: legacy-pipe-WIDTH-RESTORER.
# The row is the sender: it speaks xl's handshake on two pipes. The guest is the PV heartbeat guest.

# hear TEXT MORE: the receiver's next bytes are the text and MORE bytes that are NUL or a line's end.
hear()
{
	local heard
	heard=$(timeout 100 dd bs=1 count=$((${#1} + $2)) <&4 2>/dev/null | tr -d '\0\n')
	say "the receiver: $heard"
	[ "$heard" = "$1" ] || {
		show
		fail "the receiver says \"$heard\" instead of \"$1\": $(why)"
	}
}

# send_image FILE: an image with xl's header, as xl migrate does.
send_image()
{
	local status
	mkfifo to from
	xl -v migrate-receive <to >from 2>said &
	exec 3>to 4<from
	hear "xl migration receiver ready, send binary domain data." 1
	cat "$1" >&3
	# The pipe stays open, and nothing more comes: a converter that waits for more does not end.
	hear "domain received, ready to unpause" 1
	printf 'domain is yours, you are cleared to unpause\0' >&3
	hear "my copy unpause results are as follows" 1
	status=$(dd bs=1 count=1 <&4 2>/dev/null | tr '\0' 0)
	[ "$status" = 0 ] || fail "the receiver could not start the domain"
	exec 3>&- 4<&-
	wait $!
}

receive_legacy()
{
	local before
	use_helper "$2"
	[ -x $libexec/convert-legacy-stream ] || skip "no convert-legacy-stream in this build"
	use_helper stock
	make_guest pv
	arm
	before=$(beats)
	must "xl save" timeout 100 xl save "$domain" image
	cp image /out/image
	on_host legacy "$1" legacy image || fail "no legacy image: $(tail -n 1 /out/ask.output)"
	mv /out/legacy .
	rm /out/image
	use_helper "$2"
	LIBXL_CONVERT_HELPER=$libexec/convert-legacy-stream
	export LIBXL_CONVERT_HELPER
	send_image legacy
	show
	counts_on "$before"
}

for width in 64 32; do
	row legacy-pipe-$width-stock receive_legacy $width stock
	row legacy-pipe-$width-godwit receive_legacy $width godwit
done
