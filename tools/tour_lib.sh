# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the tours of `./dev run` share: two "hosts" a and b on this machine, which are runtime folders, and how they show what
# they do. $build is the build folder. A tour that begins defines clean_up, which ends its domains.
godwit=$build/godwit
work=$(mktemp -d)
a=$work/a b=$work/b

on() { local host=$1; shift; GODWIT_RUNTIME_DIR=$host "$godwit" "$@"; }
# Colours on a terminal, none in a pipe or a file.
bold= cyan= plain=
[ ! -t 1 ] || { bold=$'\033[1m' cyan=$'\033[36m' plain=$'\033[0m'; }
show() { printf '\n%s\n' "$bold$*$plain"; }

finish() {
	status=$?
	trap - EXIT
	clean_up
	kill $(jobs -p) 2>/dev/null || true
	wait 2>/dev/null || true
	rm -rf "$work"
	exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

# wait_for FILE PATTERN: up to 20 s for a line.
wait_for() {
	local i
	for ((i = 0; i < 200; i++)); do
		grep -q -- "$2" "$1" 2>/dev/null && return
		sleep 0.1
	done
	echo "tour: nothing like \"$2\" was printed; this is all there is:" >&2
	cat "$1" >&2
	exit 1
}

mkdir -m 700 "$a" "$b"
