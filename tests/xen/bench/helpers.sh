# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The rows of the bench: Xen's helper and godwit's do the same to the same guest, one after the other. A row does it twice,
# the second time in the other order. /rig/tap (tests/xen/tap.c) takes the times; its lines are collected in bench.jsonl of the
# share, where a line's label is "ROW OPERATION HELPER".

# The folder of a row is on a tmpfs: no disk is measured.
export TAP_LOG=/tmp/row/taps

# measured OPERATION HELPER COMMAND...: runs xl with that helper. The row fails if xl does.
measured()
{
	TAP_LABEL="$chosen $1 $2"
	LIBXL_SAVE_HELPER=/rig/tap
	TAP_HELPER=$libexec/godwit-save-helper
	[ "$2" = godwit ] || TAP_HELPER=/usr/lib/xen-4.17/bin/libxl-save-helper
	export TAP_LABEL LIBXL_SAVE_HELPER TAP_HELPER
	shift 2
	must "$1 $2" /rig/tap --run timeout 100 "$@"
}

# Gives what was measured to the host.
collect()
{
	cat $TAP_LOG >>/out/bench.jsonl
	rm $TAP_LOG
}

save_and_restore()
{
	local before
	arm
	before=$(beats)
	measured save "$1" xl save "$domain" "image.$1"
	measured restore "$1" xl restore "image.$1"
	counts_on "$before"
	echo "{\"label\": \"$chosen save $1\", \"mode\": \"size\", \"bytes\": $(stat -c %s "image.$1")}" >>$TAP_LOG
}

# Each helper restores what the other one has saved.
restore_others()
{
	xl destroy "$domain"
	measured restore-other stock xl restore image.godwit
	xl destroy "$domain"
	measured restore-other godwit xl restore image.stock
	collect
}

bench_save()
{
	local helper
	memory=$2 options=$(options_of $3)
	make_guest "$1"
	for helper in stock godwit godwit stock; do
		save_and_restore $helper
		[ $helper = "${first:-$helper}" ] || collect
		first=$helper
	done
	restore_others
}

migrate_here()
{
	local before
	[ -z "$weight" ] || xl sched-credit2 -d "$id" -w "$weight"
	arm
	before=$(beats)
	# An empty -s: the "host" is the receiver's command. It has this environment, and so the same helper.
	measured live "$1" xl migrate -s '' "$domain" 'xl migrate-receive'
	counts_on "$before"
}

bench_live()
{
	local helper
	memory=$2 options=$(options_of $3) weight=${4:-}
	make_guest "$1"
	for helper in stock godwit godwit stock; do
		migrate_here $helper
		[ $helper = "${first:-$helper}" ] || collect
		first=$helper
	done
}

# Guests: "hole" has 4 MiB below a hole that ends at 4 GiB. An idle one rewrites 64 pages, one in a step. A busy one rewrites half
# of its 128 MiB; where it is migrated, it has a share of the CPU beside dom0 (weight 65535).
options_of()
{
	[ "$1" != busy ] || echo pages=16384 rate=64 check=4 light=1 period=20
}

row save-hole bench_save pvh64 4 idle
row save-pvh-idle bench_save pvh64 128 idle
row save-pvh-busy bench_save pvh64 128 busy
row save-pv-idle bench_save pv 128 idle
row save-pvh-linux bench_save linux-pvh 128 linux
row save-pv-linux bench_save linux-pv 128 linux
row live-hole bench_live pvh64 4 idle
row live-pvh-idle bench_live pvh64 128 idle
row live-pvh-busy bench_live pvh64 128 busy 20000
row live-pvh-linux bench_live linux-pvh 128 linux
