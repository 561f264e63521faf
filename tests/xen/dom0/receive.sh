#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Takes the place of ssh in xl migrate -s "receive.sh HELPER": runs the receiver here, with its own helper (stock or
# godwit). If $STALL names a folder, it takes $STALL_BYTES of the stream, makes the file "stalled" in the folder and waits for
# the file "go" before it takes the rest.
helper=$1
shift 2
unset LIBXL_SAVE_HELPER
[ "$helper" = stock ] || export LIBXL_SAVE_HELPER=/usr/local/libexec/godwit/godwit-save-helper
[ -n "${STALL:-}" ] || exec "$@"
{
	head -c "$STALL_BYTES"
	touch "$STALL/stalled"
	while [ ! -e "$STALL/go" ]; do sleep 0.1; done
	cat
} | "$@"
