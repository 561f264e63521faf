# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Sourced by the end-to-end tests of domains, includes lib.sh: a runtime folder of the test's own, guests, and the end
# of every process that a test has left.
. "$(dirname "$0")/lib.sh"
export GODWIT_RUNTIME_DIR=$tmp/run
started=() # processes that "godwit list" does not show
trap 'end_all; cd /; rm -rf "$tmp"' EXIT

# The process ids of all domains.
domain_ids()
{
	"$GODWIT" list --json | sed -n 's/^ *"id": \([0-9]*\),*$/\1/p'
}

end_all()
{
	local pid
	for pid in "${started[@]}" $(domain_ids); do
		kill -9 "$pid" 2>/dev/null
	done
}

# until SECONDS COMMAND...: waits until the command succeeds.
until_true()
{
	local n=$(($1 * 20))
	shift
	while ! "$@" >/dev/null 2>&1; do
		[ $((n -= 1)) -gt 0 ] || { FAIL_DEPTH=1 fail "still not true: $*"; }
		sleep 0.05
	done
}

# state NAME: the state that list shows; nothing if there is no such domain.
state()
{
	"$GODWIT" list | sed -n "s/^$1 *[0-9]* *[0-9KM]* *[0-9:]*  //p"
}

is_state()
{
	[ "$(state "$1")" = "$2" ]
}

# assert_state NAME STATE (STATE "": it does not exist)
assert_state()
{
	is_state "$1" "$2" || FAIL_DEPTH=1 fail "$1 is \"$(state "$1")\", expected \"$2\""
}

# console NAME: what it has printed, at most the last 64 KiB.
console()
{
	"$GODWIT" console --no-follow "$1"
}

console_has()
{
	console "$1" | grep -qaF -e "$2"
}

# receiver [OPTION...]: starts one in the background; $address is its address, $receiver its process.
receiver()
{
	local out
	out=receiver.$((receivers += 1))
	"$GODWIT" "${connect[@]}" receive "$@" tcp:127.0.0.1:0 >$out 2>>receiver.err &
	receiver=$!
	started+=("$receiver")
	disown
	until_true 5 test -s $out
	address=$(head -1 $out)
}
receivers=0
connect=()

# word FILE PFN OFFSET: a 32-bit word of a saved guest's memory.
word()
{
	python3 "$here/page.py" "$@" || fail "no word $2 + $3 in $1"
}

# The PVH guest that Xen 4.17 saved, restored under the given name (default tpvh). It counts up in pfn 0x200.
tiny()
{
	[ -f tiny.save ] || xz -dc "$data/xen417/tiny-pvh.save.xz" >tiny.save
	"$GODWIT" restore -d --name "${1:-tpvh}" tiny.save >restored 2>err ||
		if grep -q -e "built without" -e unicorn err; then
			skip "no built-in machine: $(cat err)"
		else
			cat err
			fail "tiny-pvh.save cannot be restored"
		fi
}

# counter NAME: the counter of such a guest, read from a copy; the guest runs on.
counter()
{
	rm -f copy
	"$GODWIT" save -k --allow-loss "$1" copy || fail "$1 cannot be saved"
	echo $(($(word copy 0x200 8)))
}

# guest NAME [32|64] [COMMAND LINE]: a heartbeat guest in the background.
guest()
{
	local width=64
	case ${2:-} in
	32 | 64) width=$2; set -- "$1" "${3:-}" ;;
	esac
	[ -e "$GODWIT_GUESTS/godwit-guest$width.elf" ] || skip "no guests were built for this machine"
	"$GODWIT" run -d --name "$1" --cmdline "${2:-}" "$GODWIT_GUESTS/godwit-guest$width.elf" >/dev/null 2>err ||
		if grep -q -e "built without" -e libunicorn err; then
			skip "no built-in machine: $(cat err)"
		else
			cat err
			fail "the guest cannot be started"
		fi
}

# last_beat NAME: the number of its last beat, 0 before the first.
last_beat()
{
	local n
	n=$(console "$1" | grep -ao 'beat [0-9]* gen' | tail -1 | tr -dc 0-9)
	echo "${n:-0}"
}
