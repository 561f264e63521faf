#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# godwit verify judges the state of HVM guests as Xen does when it restores them: contexts, params, TSC mode. What
# only some releases refuse is an error for those, and a restore takes it.
. "$(dirname "$0")/lib.sh"
requires xz python3

xz -dc "$data/xen417/tiny-pvh.save.xz" >image

# judged KIND FOR STATUS RULE: --for FOR gives this status, and the rule is named.
judged()
{
	python3 "$here/hvm-state.py" "$1" <image >lie || fail "hvm-state.py $1"
	run_expect "$3" "$GODWIT" verify --for "$2" lie
	out_has "[$4]"
}

judged garbage any 1 hvm-context-walk
judged no-cpu any 1 hvm-context-no-cpu
judged cpu-cr0 any 1 hvm-cpu-cr0
judged cpu-cr0 xen-4.14 1 hvm-cpu-cr0
judged cpu-cr0 xen-4.22 1 hvm-cpu-cr0
judged cpu-vcpu9 any 1 hvm-context-vcpu
judged cpu-nx any 1 hvm-cpu-efer
judged param-twice any 1 hvm-params-changed
judged param-vm86 any 1 hvm-params-vm86-tss
judged tsc any 1 tsc-mode
# Of some releases.
judged cpu-dr7 any 0 hvm-cpu-debug
out_has "(refused by Xen 4.18 and later)"
judged cpu-dr7 xen-4.17 0 hvm-cpu-debug
judged cpu-dr7 xen-4.18 1 hvm-cpu-debug
judged param-altp2m xen-4.18 0 hvm-params-altp2m
judged param-altp2m xen-4.19 1 hvm-params-altp2m

# A ring without a page: Xen's restore takes it, and so does godwit's.
python3 "$here/hvm-state.py" param-store <image >lie
run_expect 0 "$GODWIT" verify lie
out_lacks "hvm-params-ring"
run_expect 0 "$GODWIT" verify --deep lie
out_has "HVM param STORE_PFN: pfn 0x90000 has no page [hvm-params-ring]"
