#!/bin/busybox sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The only process of the Linux guest. It keeps 4 MiB of random bytes in a file, rewrites a part of it in each step
# with bytes whose sum it knows, checks another part, and prints a line. "CORRUPT" is the last line if a page was lost.
/bin/busybox --install -s /bin
export PATH=/bin
mkdir -p /proc /sys /dev /tmp
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmpfs /tmp
exec </dev/hvc0 >/dev/hvc0 2>&1

parts=16
rewrite()
{
	dd if=/dev/urandom of="/tmp/part$1" bs=64k count=4 2>/dev/null
	md5sum "/tmp/part$1" >"/tmp/sum$1"
}

i=0
while [ $i -lt $parts ]; do
	rewrite $i
	i=$((i + 1))
done
echo "linux-guest: up"
i=0
while :; do
	i=$((i + 1))
	rewrite $((i % parts))
	check=$(((i + 1) % parts))
	if ! md5sum -c "/tmp/sum$check" >/dev/null 2>&1; then
		echo "CORRUPT part $check"
		poweroff -f
	fi
	echo "linux-guest: beat $i ok"
	usleep 100000
done
