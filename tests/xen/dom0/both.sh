#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# In the place of libxl's save helper (LIBXL_SAVE_HELPER): Xen's helper saves the domain, and then godwit's does, before libxl
# hears that the first has ended. So both save the same suspended guest. SECOND is the file for godwit's image; what its helper
# says goes to $SECOND.said. Where Xen's image begins and ends in the file of xl goes to $SECOND.place.
io=/proc/self/fd/$2
domid=$4
begin=$(stat -L -c %s "$io")
/usr/lib/xen-4.17/bin/libxl-save-helper "$@" || exit
echo "$begin $(stat -L -c %s "$io")" >"$SECOND.place"
exec 9>"$SECOND"
# libxl's own pipe stays out of it: the suspended domain and the log-dirty mode of its device model are as they were.
exec /rig/agree /usr/local/libexec/godwit/godwit-save-helper --save-domain 9 -1 "$domid" 0 136 0 >"$SECOND.said" 2>&1 </dev/null
