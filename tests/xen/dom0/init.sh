#!/bin/busybox sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The first process of dom0: starts what Xen's tools need, runs the matrix, brings its files to the host, ends.
export PATH=/usr/sbin:/usr/bin:/usr/lib/xen-4.17/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts
# Without it xl waits for each console and fails.
mount -t devpts devpts /dev/pts
mount -t tmpfs -o size=90% tmpfs /tmp
while read -r module; do
	insmod "/mod/$module" || echo "rig: the module $module cannot be loaded"
done </mod/order
mount -t xenfs xenfs /proc/xen
ip link set lo up
if ! mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=none out /out; then
	echo "rig: the share cannot be mounted"
	poweroff -f
fi
mkdir -p /out/console
xenstored --pid-file /run/xen/xenstored.pid
xen-init-dom0
xenconsoled --pid-file=/run/xen/xenconsoled.pid --log=guest --log-dir=/out/console
echo "rig: dom0 is up after $(cut -d' ' -f1 /proc/uptime) s"
[ ! -e /out/bench ] || export ROWS=bench
cd /tmp
sh /rig/dom0/matrix.sh >/out/matrix.log 2>&1
xl dmesg >/out/xen.log 2>/dev/null
dmesg >/out/linux.log
sync
umount /out
poweroff -f
