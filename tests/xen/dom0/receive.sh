#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Replaces ssh in xl migrate -s "receive.sh HELPER": runs the receiver here, with its own helper (stock or godwit).
#
# KEEP names a file for a copy of the stream. If STALL names a folder, this takes $STALL_BYTES of the stream, makes
# the file "stalled" in the folder and waits for the file "go" there before it takes the rest.
helper=$1
shift 2
unset LIBXL_SAVE_HELPER
[ "$helper" = stock ] || export LIBXL_SAVE_HELPER=/usr/local/libexec/godwit/godwit-save-helper
if [ -n "${KEEP:-}" ]; then
	tee "$KEEP" | "$@"
	exit
fi
[ -n "${STALL:-}" ] || exec "$@"
{
	head -c "$STALL_BYTES"
	touch "$STALL/stalled"
	while [ ! -e "$STALL/go" ]; do sleep 0.1; done
	cat
} | "$@"
