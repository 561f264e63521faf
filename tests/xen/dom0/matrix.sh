# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The runner of the matrix, in dom0. Each row is one named test:
#
#   sh matrix.sh            runs the rows named in /out/wanted and appends a line for each to /out/results
#   sh matrix.sh --list     prints the names of all rows (this also works on the host)
#   sh matrix.sh --run ROW  runs one row
#
# To add rows, add a file tests/xen/rows/NAME.sh. It defines functions and ends with one line for each row:
#
#   row NAME FUNCTION [ARGUMENT...]
#
# The function runs in a shell of its own, in a folder of its own, with the functions of lib.sh. It ends with its last
# command's status or by "fail WHY" or "skip WHY". It may start any program of the installed tree, which is at $prefix
# (/usr/local), and any tool of Xen; domains and processes that it leaves are ended after it. What it prints goes to
# rows/NAME.log of the share (/out). "on_host SCRIPT ARGUMENT..." runs tests/xen/host/SCRIPT.sh on the host, in the share.
# ROWS names another folder than rows: bench has the rows of the bench (tests/xen/bench.py), which are no tests.
# A new row needs a line in the table of docs/testing.md only if it is a new kind of row.
here=${RIG:-/rig}
folder=${ROWS:-rows}
limit=240 # seconds for a row
[ "$folder" = rows ] || limit=500
names=

# row NAME FUNCTION [ARGUMENT...]
row()
{
	names="$names $1"
	[ "$1" = "${chosen:-}" ] || return 0
	shift
	command="$*"
}

load_rows()
{
	local file
	for file in "$here/$folder"/*.sh; do
		. "$file"
	done
}

# Everything that a row has left.
clean_up()
{
	local id pid
	for pid in $(pidof xl libxl-save-helper godwit-save-helper godwit); do
		kill -9 "$pid"
	done
	xl list | awk 'NR > 1 && $2 > 0 { print $2 }' | while read -r id; do
		timeout 20 xl destroy "$id"
	done
	for id in $(awk '$2 ~ "^/tmp/row" { print $2 }' /proc/mounts); do
		umount "$id"
	done
	rm -rf /tmp/row
}

run_one()
{
	local name=$1 start status why
	mkdir -p /tmp/row
	# Of an earlier run of the row: a guest's count begins anew.
	rm -f "/out/console/guest-$name.log" "/out/console/guest-$name-"*.log
	start=$(cut -d. -f1 /proc/uptime)
	(cd /tmp/row && timeout $limit sh "$here/dom0/matrix.sh" --run "$name") >>"/out/rows/$name.log" 2>&1
	status=$?
	why=$(cat /tmp/row/verdict 2>/dev/null)
	case $status in
	0) echo "ok $name ($(($(cut -d. -f1 /proc/uptime) - start)) s)" ;;
	77) echo "skip $name: ${why:-no reason given}" ;;
	143) echo "not ok $name: still not done after $limit s" ;;
	*) echo "not ok $name: ${why:-exit status $status}" ;;
	esac >>/out/results
	clean_up >>"/out/rows/$name.log" 2>&1
}

case ${1:-} in
--list)
	load_rows
	for name in $names; do echo "$name"; done
	;;
--run)
	chosen=$2
	command="fail 'there is no such row'"
	. "$here/dom0/lib.sh"
	load_rows
	$command
	;;
*)
	[ ! -e /out/fidelity ] || exec sh "$here/dom0/fidelity.sh"
	mkdir -p /out/rows
	# The one CPU is for dom0 first: the guests of the rows never sleep.
	xl sched-credit2 -d 0 -w 65535
	while read -r name; do
		[ ! -e /out/stop ] || break
		run_one "$name"
	done </out/wanted
	echo "end" >>/out/results
	;;
esac
