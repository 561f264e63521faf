# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What goes wrong has to be reported, and exactly one domain has to be there afterwards, or none: fault-WHAT-HELPER.

no_domain_left()
{
	[ "$(count_domains)" = 0 ] || fail "a domain is left: $(xl list | tail -n 1)"
}

# SIGTERM to the helper that sends, while the receiver takes no more: the domain runs on at the source.
term_in_migration()
{
	local before status
	use_helper "$2"
	make_guest "$1"
	arm
	before=$(beats)
	STALL=$PWD STALL_BYTES=262144
	export STALL STALL_BYTES
	timeout 150 xl -v migrate -s "/rig/dom0/receive.sh stock" "$domain" localhost >said 2>&1 </dev/null &
	until_true 60 test -e stalled || fail "the stream did not get to $STALL_BYTES bytes: $(why)"
	kill -TERM $(saver)
	sleep 0.5
	touch go
	wait $!
	status=$?
	show
	[ $status != 0 ] || fail "xl migrate succeeds without its helper"
	until_true 20 only_one || fail "there are $(count_domains) domains"
	counts_on "$before"
}

only_one()
{
	[ "$(count_domains)" = 1 ]
}

# A file system of 2 MiB takes the image.
full_disk()
{
	local before
	use_helper "$2"
	make_guest "$1"
	arm
	before=$(beats)
	mkdir small
	mount -t tmpfs -o size=2m small /tmp/row/small
	try timeout 100 xl -v save "$domain" small/image && fail "xl save succeeds on a full disk"
	grep -qi "no space left" said || fail "no error says that the disk is full: $(why)"
	counts_on "$before"
}

# save_pvh: saves a heartbeat guest with Xen's own helper into ./image.
save_pvh()
{
	make_guest pvh64
	arm
	must "xl save" timeout 100 xl save "$domain" image
}

refused()
{
	try timeout 100 xl -v restore "$1" && fail "xl restore accepts it"
	no_domain_left
	grep -qi -e "$2" said || fail "no error says what is wrong, expected \"$2\": $(why)"
}

truncated()
{
	use_helper "$1"
	use_helper stock
	save_pvh
	use_helper "$1"
	head -c 200000 image >cut
	refused cut "$2"
}

# The type of the first record after the image's two headers becomes one that no reader knows.
corrupted()
{
	local mark
	use_helper "$1"
	use_helper stock
	save_pvh
	use_helper "$1"
	mark=$(strings -t d image | awk '$2 ~ /^XENF/ { print $1; exit }')
	[ -n "$mark" ] || fail "the libxc image is not in the file"
	printf '\377\377\377\177' | dd of=image bs=1 seek=$((mark - 8 + 24 + 16)) conv=notrunc 2>/dev/null
	refused image "$2"
}

for helper in stock godwit; do
	row fault-term-$helper term_in_migration pvh64 $helper
	row fault-full-pvh64-$helper full_disk pvh64 $helper
	row fault-full-pv-$helper full_disk pv $helper
done
# What Xen says, and what godwit does.
row fault-truncated-stock truncated stock "failed to read"
row fault-truncated-godwit truncated godwit "ends inside"
row fault-corrupted-stock corrupted stock "record"
row fault-corrupted-godwit corrupted godwit "record"
